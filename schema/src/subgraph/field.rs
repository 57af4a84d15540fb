//! What is one field of a message, as it is read and as it is sent?
//!
//! Presence decides about null: what may be absent from the bytes may be null, what has a default always has
//! a value. Values of enums may always be null, because a newer version may send a number this one does not
//! know.

use prost_reflect::{Cardinality, FieldDescriptor, Kind as Proto, MessageDescriptor};

use super::Origin;
use super::entity::is_key_kind;
use super::names;
use super::object::entry_fields;
use super::reader::{Reader, Wanted};
use super::rules::{Behavior, Features, FieldOptions, Presence};
use crate::Severity;
use crate::graph::{Count, Doc, Form, Kind, Name, Read, Scalar, TypeRef, WellKnown, Wire};

/// Which way a value goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// From the service.
    Out,
    /// To the service.
    In,
}

impl Reader<'_> {
    pub(super) fn options_of(&self, field: &FieldDescriptor) -> FieldOptions {
        self.source.options.field(field)
    }

    /// Whether a field is among those that are read.
    pub(super) fn is_read(&self, field: &FieldDescriptor) -> bool {
        let options = self.options_of(field);
        !options.rule().hidden && !options.is(Behavior::InputOnly) && is_whole(field)
    }

    /// Whether a field is among those that are sent.
    pub(super) fn is_sent(&self, field: &FieldDescriptor) -> bool {
        let options = self.options_of(field);
        !options.rule().hidden && !options.is(Behavior::OutputOnly) && is_whole(field)
    }

    /// Those of some fields that are read.
    pub(super) fn fields_read(&self, fields: impl Iterator<Item = FieldDescriptor>) -> Vec<FieldDescriptor> {
        fields.filter(|field| self.is_read(field)).collect()
    }

    /// Those of some fields that are sent.
    pub(super) fn fields_sent(&self, fields: impl Iterator<Item = FieldDescriptor>) -> Vec<FieldDescriptor> {
        fields.filter(|field| self.is_sent(field)).collect()
    }

    /// A field's name in the graph: by its option, else its json_name.
    pub(super) fn field_name(&mut self, field: &FieldDescriptor) -> Name {
        let wished = self.options_of(field).rule().name;
        let wished = if wished.is_empty() { field.json_name().to_owned() } else { wished };
        if names::is_legal(&wished) {
            return wished.into();
        }
        let name = names::lower_camel(field.name());
        self.report(
            Severity::Warning,
            "NAME_ILLEGAL",
            format!("{} is called `{name}`, because `{wished}` is no name in GraphQL.", field.full_name()),
            "Use letters, digits and single underscores.",
        );
        name.into()
    }

    /// What a person reads about a field. It is deprecated with its type.
    pub(super) fn field_doc(&self, field: &FieldDescriptor) -> Doc {
        let deprecated = self.options_of(field).deprecated;
        let mut doc = self.source.comments.doc(&field.parent_file(), field.path(), deprecated);
        if doc.deprecated.is_none() {
            let (name, deprecated) = match field.kind() {
                Proto::Message(message) => (message.name().to_owned(), self.is_message_deprecated(&message)),
                Proto::Enum(definition) => {
                    let file = self.source.options.file(&definition.parent_file()).deprecated;
                    let own = self.source.options.enumeration(&definition).deprecated;
                    (definition.name().to_owned(), file || own)
                }
                _ => return doc,
            };
            doc.deprecated = deprecated.then(|| format!("{name} is deprecated"));
        }
        doc
    }

    pub(super) fn is_message_deprecated(&self, message: &MessageDescriptor) -> bool {
        self.source.options.message(message).deprecated
            || self.source.options.file(&message.parent_file()).deprecated
    }

    /// How a field lies in the bytes, and the type of one of its values, which may be null.
    pub(super) fn value(&mut self, field: &FieldDescriptor, way: Way) -> (Read, Name) {
        let (kind, core) = self.kind(field, way);
        let read =
            Read { name: field.name().into(), number: field.number(), count: self.count(field, &kind), kind };
        (read, core)
    }

    fn count(&self, field: &FieldDescriptor, kind: &Kind) -> Count {
        if field.is_map() {
            return Count::Map;
        }
        let count = match field.cardinality() {
            Cardinality::Repeated => return Count::Repeated,
            Cardinality::Required => return Count::Required,
            Cardinality::Optional => self.presence(field),
        };
        let leaf = matches!(kind, Kind::Scalar(..) | Kind::Enum(_) | Kind::Wrapper(..));
        if leaf && self.options_of(field).rule().empty_as_null { Count::EmptyAsNull } else { count }
    }

    fn presence(&self, field: &FieldDescriptor) -> Count {
        let always = field.containing_oneof().is_some() || field.kind().as_message().is_some();
        match self.features(field).map(Features::presence) {
            Some(Presence::Required) => Count::Required,
            Some(Presence::Implicit) if !always => Count::Implicit,
            Some(Presence::Implicit | Presence::Explicit) => Count::Optional,
            None if field.supports_presence() => Count::Optional,
            None => Count::Implicit,
        }
    }

    /// What the edition of its file says about a field; nothing where there is none.
    fn features(&self, field: &FieldDescriptor) -> Option<Features> {
        let file = field.parent_file();
        if !self.source.descriptors.has_edition(file.name()) {
            return None;
        }
        Some(Features::within(self.options_of(field).features, self.source.options.file(&file).features))
    }

    /// Whether a message stands between brackets and not behind its length.
    pub(super) fn is_group(&self, field: &FieldDescriptor) -> bool {
        field.is_group() || (!field.is_map() && self.features(field).is_some_and(Features::is_delimited))
    }

    fn kind(&mut self, field: &FieldDescriptor, way: Way) -> (Kind, Name) {
        match field.kind() {
            Proto::Message(_) if field.is_map() => self.map(field, way),
            Proto::Message(message) => self.message(field, &message, way),
            Proto::Enum(definition) if definition.full_name() == "google.protobuf.NullValue" => {
                (Kind::WellKnown(WellKnown::Null), self.want_scalar(Scalar::Json))
            }
            Proto::Enum(definition) => {
                let name = self.want(Wanted::Enum(definition));
                (Kind::Enum(name.clone()), name)
            }
            scalar => {
                let wire = wire(&scalar);
                let form = self.form(field, &scalar);
                (Kind::Scalar(wire, form), self.scalar(wire, form))
            }
        }
    }

    fn map(&mut self, field: &FieldDescriptor, way: Way) -> (Kind, Name) {
        let name = match way {
            Way::Out => self.want(Wanted::Entry(field.clone())),
            Way::In => self.want(Wanted::EntryInput(field.clone())),
        };
        (Kind::Message(name.clone()), name)
    }

    fn message(&mut self, field: &FieldDescriptor, message: &MessageDescriptor, way: Way) -> (Kind, Name) {
        // Forms of their own are known behind a length only; between brackets they are plain messages.
        let is_group = self.is_group(field);
        if let Some((well_known, scalar)) = well_known(message.full_name()).filter(|_| !is_group) {
            return (Kind::WellKnown(well_known), self.want_scalar(scalar));
        }
        if let Some(wire) = wrapped(message.full_name()).filter(|_| !is_group) {
            let form = if self.options_of(field).rule().id { Form::Id } else { Form::Plain };
            return (Kind::Wrapper(wire, form), self.scalar(wire, form));
        }
        if way == Way::In && !self.is_sendable(message) {
            return (Kind::WellKnown(WellKnown::Empty), "Boolean".into());
        }
        let name = match way {
            Way::Out => self.want(Wanted::Object(message.clone())),
            Way::In => self.want(Wanted::Input(message.clone())),
        };
        let kind = if is_group { Kind::Group(name.clone()) } else { Kind::Message(name.clone()) };
        (kind, name)
    }

    /// Whether a scalar is an id, and why.
    fn form(&mut self, field: &FieldDescriptor, kind: &Proto) -> Form {
        let options = self.options_of(field);
        let rule = options.rule();
        if !is_key_kind(kind) {
            if rule.id {
                self.report(
                    Severity::Warning,
                    "ID_IMPOSSIBLE",
                    format!("{} cannot be an ID.", field.full_name()),
                    "An ID is a string or a whole number.",
                );
            }
            return Form::Plain;
        }
        let known = self.source.catalog.of(field.parent_message());
        if rule.id || !rule.r#ref.is_empty() || known.is_some_and(|known| known.key == *field) {
            return Form::Id;
        }
        if options.is(Behavior::Identifier) || options.reference.is_some() {
            self.tell(field.full_name(), "is an ID", Origin::Standard);
            return Form::Id;
        }
        let Some(entity) = self.source.catalog.referred(field) else { return Form::Plain };
        self.tell(field.full_name(), format!("is an ID, of {entity}"), Origin::Shape);
        Form::Id
    }

    fn scalar(&mut self, wire: Wire, form: Form) -> Name {
        match (form, wire) {
            (Form::Id, _) => "ID".into(),
            (Form::Plain, Wire::Double | Wire::Float) => "Float".into(),
            (Form::Plain, Wire::Int32 | Wire::Sint32 | Wire::Sfixed32) => "Int".into(),
            (Form::Plain, Wire::Int64 | Wire::Sint64 | Wire::Sfixed64) => self.want_scalar(Scalar::Int64),
            (Form::Plain, Wire::Uint32 | Wire::Fixed32) => self.want_scalar(Scalar::UInt32),
            (Form::Plain, Wire::Uint64 | Wire::Fixed64) => self.want_scalar(Scalar::UInt64),
            (Form::Plain, Wire::Bool) => "Boolean".into(),
            (Form::Plain, Wire::String) => "String".into(),
            (Form::Plain, Wire::Bytes) => self.want_scalar(Scalar::Bytes),
        }
    }
}

/// Whether a field has all its parts: what calls itself a map may lack a key.
fn is_whole(field: &FieldDescriptor) -> bool {
    !field.is_map() || entry_fields(field).len() == 2
}

/// The type of a field that is read.
pub(super) fn type_out(read: &Read, core: Name) -> TypeRef {
    let one = TypeRef::Named(core);
    match read.count {
        Count::Repeated if may_be_null(&read.kind) => TypeRef::List(Box::new(one)).non_null(),
        Count::Repeated | Count::Map => one.list().non_null(),
        Count::Required | Count::Implicit
            if may_be_null(&read.kind) || matches!(read.kind, Kind::Enum(_)) =>
        {
            one
        }
        Count::Required | Count::Implicit => one.non_null(),
        Count::Optional | Count::EmptyAsNull => one,
    }
}

/// The type of a field that is sent, without regard to whether it must be.
pub(super) fn type_in(write: &Read, core: Name) -> TypeRef {
    let one = TypeRef::Named(core);
    match write.count {
        Count::Repeated if may_be_null(&write.kind) => TypeRef::List(Box::new(one)),
        Count::Repeated | Count::Map => one.list(),
        Count::Required | Count::Implicit | Count::Optional | Count::EmptyAsNull => one,
    }
}

/// Whether null is a value of this kind, and not its absence.
pub(super) fn may_be_null(kind: &Kind) -> bool {
    matches!(kind, Kind::WellKnown(WellKnown::Value | WellKnown::Null))
}

fn wire(kind: &Proto) -> Wire {
    match kind {
        Proto::Double => Wire::Double,
        Proto::Float => Wire::Float,
        Proto::Int32 | Proto::Enum(_) => Wire::Int32,
        Proto::Int64 => Wire::Int64,
        Proto::Uint32 => Wire::Uint32,
        Proto::Uint64 => Wire::Uint64,
        Proto::Sint32 => Wire::Sint32,
        Proto::Sint64 => Wire::Sint64,
        Proto::Fixed32 => Wire::Fixed32,
        Proto::Fixed64 => Wire::Fixed64,
        Proto::Sfixed32 => Wire::Sfixed32,
        Proto::Sfixed64 => Wire::Sfixed64,
        Proto::Bool => Wire::Bool,
        Proto::String => Wire::String,
        Proto::Bytes | Proto::Message(_) => Wire::Bytes,
    }
}

fn wrapped(message: &str) -> Option<Wire> {
    Some(match message {
        "google.protobuf.DoubleValue" => Wire::Double,
        "google.protobuf.FloatValue" => Wire::Float,
        "google.protobuf.Int64Value" => Wire::Int64,
        "google.protobuf.UInt64Value" => Wire::Uint64,
        "google.protobuf.Int32Value" => Wire::Int32,
        "google.protobuf.UInt32Value" => Wire::Uint32,
        "google.protobuf.BoolValue" => Wire::Bool,
        "google.protobuf.StringValue" => Wire::String,
        "google.protobuf.BytesValue" => Wire::Bytes,
        _ => return None,
    })
}

fn well_known(message: &str) -> Option<(WellKnown, Scalar)> {
    Some(match message {
        "google.protobuf.Timestamp" => (WellKnown::Timestamp, Scalar::DateTime),
        "google.protobuf.Duration" => (WellKnown::Duration, Scalar::Duration),
        "google.protobuf.FieldMask" => (WellKnown::FieldMask, Scalar::FieldMask),
        "google.protobuf.Struct" => (WellKnown::Struct, Scalar::Json),
        "google.protobuf.Value" => (WellKnown::Value, Scalar::Json),
        "google.protobuf.ListValue" => (WellKnown::ListValue, Scalar::Json),
        "google.protobuf.Any" => (WellKnown::Any, Scalar::Json),
        "google.type.Date" => (WellKnown::Date, Scalar::Date),
        _ => return None,
    })
}
