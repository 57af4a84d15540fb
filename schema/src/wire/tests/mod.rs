//! Are variables and arguments coerced by the specification, and do their bytes say what was sent?
//!
//! The graph of a message is made here by the simplest rules there are, so that these tests need nothing of
//! `subgraph`; prost-reflect reads the bytes. One check shows a document's field, its variables, and what the
//! service would get or the caller be told.

mod differential;
mod forms;
mod graphql_js;
mod keys;
mod reading;
mod rules;
mod samples;

use std::fmt::Write as _;

use async_graphql_parser::parse_query;
use async_graphql_parser::types::{OperationDefinition, Selection};
use expect_test::Expect;
use prost_reflect::{
    DynamicMessage, EnumDescriptor, FieldDescriptor, Kind as ProtoKind, MessageDescriptor, Value,
};

use super::encode::{Request, Takes};
use crate::fixture;
use crate::graph::{
    Argument, Count, Doc, Enum, EnumValue, Form, Input, Kind, Mask, Name, OneOf, Read, Scalar, Type, TypeRef,
    Types, WellKnown, Wire,
};
use crate::variables::{Declaration, Variables};

/// Decisions from bytes; zero when there are no more, so that everything ends.
pub(super) struct Dice<'b>(pub(super) std::slice::Iter<'b, u8>);

impl Dice<'_> {
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        usize::from(self.0.next().copied().unwrap_or(0)) % sides
    }

    pub(super) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.roll(from.len())]
    }
}

/// A request and the types it is made of.
pub(super) struct World {
    pub(super) request: MessageDescriptor,
    pub(super) arguments: Vec<Argument>,
    pub(super) one_of: Vec<OneOf>,
    pub(super) mask: Option<Mask>,
    pub(super) types: Types,
}

impl World {
    /// The world of the message `Ask` in a proto.
    pub(super) fn new(proto: &str) -> World {
        let proto = format!("{proto} service Asks {{ rpc Do(Ask) returns (Ask); }}");
        World::of(&fixture::service("t", &proto).pool().get_message_by_name("t.v1.Ask").unwrap())
    }

    pub(super) fn of(request: &MessageDescriptor) -> World {
        let mut types: Types =
            Scalar::ALL.into_iter().map(|scalar| (Name::from(scalar.name()), Type::Scalar(scalar))).collect();
        let arguments = request.fields().map(|field| argument(&field, &mut types)).collect();
        World { request: request.clone(), arguments, one_of: one_of(request), mask: None, types }
    }

    /// The world of a root field of a sample service.
    pub(super) fn sample(service: &str, version: &str, field: &str) -> World {
        let subgraph = fixture::sample_subgraph(service, version);
        let root = subgraph.roots.iter().find(|root| &*root.field.name == field).unwrap();
        let descriptors = fixture::sample(service, version);
        World {
            request: descriptors.pool().get_message_by_name(&root.rpc.request).unwrap(),
            arguments: root.field.arguments.clone(),
            one_of: root.one_of.clone(),
            mask: root.mask,
            types: subgraph.types,
        }
    }

    /// What the service would get.
    pub(super) fn send(&self, document: &str, variables: &str) -> Result<DynamicMessage, Vec<String>> {
        let told = |errors: Vec<crate::variables::Error>| -> Vec<String> {
            errors.iter().map(ToString::to_string).collect()
        };
        let operation = operation(document);
        let declarations = Declaration::read(&operation.variable_definitions, &self.types).map_err(told)?;
        let Selection::Field(field) = &operation.selection_set.node.items[0].node else { panic!("no field") };
        let takes = Takes { arguments: &self.arguments, one_of: &self.one_of, mask: self.mask };
        let request = Request::new(takes, &field.node.arguments, &self.types).map_err(told)?;
        let variables = Variables::read(variables, &declarations, &self.types).map_err(told)?;
        let bytes = request.encode(&variables, &self.types).map_err(told)?;
        let message = DynamicMessage::decode(self.request.clone(), &bytes[..]).unwrap();
        assert_eq!(message.unknown_fields().count(), 0);
        Ok(message)
    }

    pub(super) fn answer(&self, document: &str, variables: &str) -> String {
        match self.send(document, variables) {
            Ok(message) => show(&message),
            Err(errors) => errors.join("\n"),
        }
    }

    /// One line for each way to give one argument: as a variable of a type, with each of some values.
    pub(super) fn check(&self, ty: &str, name: &str, values: &[&str], expected: &Expect) {
        let document = format!("query($v: {ty}) {{ ask({name}: $v) }}");
        let lines = values.iter().map(|value| {
            let answer = self.answer(&document, &format!("{{\"v\": {value}}}"));
            // What all lines begin with says nothing.
            let answer = answer.replace("Variable \"$v\" got invalid value ", "");
            format!("{value} -> {answer}\n")
        });
        expected.assert_eq(&lines.collect::<String>());
    }
}

pub(super) fn operation(document: &str) -> OperationDefinition {
    parse_query(document).unwrap().operations.iter().next().unwrap().1.node.clone()
}

/// The fields that are set, in the order of their numbers.
pub(super) fn show(message: &DynamicMessage) -> String {
    let mut out = String::new();
    for (field, value) in message.fields() {
        let _infallible =
            write!(out, "{}{}: {}", if out.is_empty() { "" } else { ", " }, field.name(), text(value));
    }
    out
}

fn text(value: &Value) -> String {
    match value {
        Value::Bool(value) => value.to_string(),
        Value::I32(value) => value.to_string(),
        Value::I64(value) => value.to_string(),
        Value::U32(value) => value.to_string(),
        Value::U64(value) => value.to_string(),
        Value::F32(value) => value.to_string(),
        Value::F64(value) => value.to_string(),
        Value::String(value) => format!("{value:?}"),
        Value::Bytes(value) => format!("{value:?}"),
        Value::EnumNumber(value) => format!("#{value}"),
        Value::Message(message) => format!("{{{}}}", show(message)),
        Value::List(items) => format!("[{}]", items.iter().map(text).collect::<Vec<_>>().join(", ")),
        Value::Map(entries) => {
            let mut entries: Vec<String> = entries
                .iter()
                .map(|(key, value)| format!("{} = {}", text(&Value::from(key.clone())), text(value)))
                .collect();
            entries.sort();
            format!("<{}>", entries.join(", "))
        }
    }
}

fn one_of(message: &MessageDescriptor) -> Vec<OneOf> {
    let members = |oneof: prost_reflect::OneofDescriptor| {
        oneof.fields().map(|field| field.json_name().into()).collect()
    };
    message
        .oneofs()
        .filter(|oneof| !oneof.is_synthetic())
        .map(|oneof| OneOf { name: oneof.name().into(), members: members(oneof) })
        .collect()
}

fn argument(field: &FieldDescriptor, types: &mut Types) -> Argument {
    let (kind, ty) = kind(field, types);
    let count = match field.cardinality() {
        _ if field.is_map() => Count::Map,
        prost_reflect::Cardinality::Repeated => Count::Repeated,
        prost_reflect::Cardinality::Required => Count::Required,
        prost_reflect::Cardinality::Optional if field.supports_presence() => Count::Optional,
        prost_reflect::Cardinality::Optional => Count::Implicit,
    };
    let ty = TypeRef::named(ty);
    let ty = match count {
        Count::Repeated | Count::Map => ty.list(),
        Count::Required => ty.non_null(),
        _ => ty,
    };
    // A field whose name says so must be given.
    let ty = if field.name().starts_with("need") { ty.non_null() } else { ty };
    let write = Read { name: field.name().into(), number: field.number(), count, kind };
    Argument { name: field.json_name().into(), doc: Doc::default(), ty, write }
}

/// The kind of a field and the name of its type. A field whose name ends in `id` is an ID.
fn kind(field: &FieldDescriptor, types: &mut Types) -> (Kind, Name) {
    let form = if field.name().ends_with("id") { Form::Id } else { Form::Plain };
    let (wire, ty) = match field.kind() {
        ProtoKind::Double => (Wire::Double, "Float"),
        ProtoKind::Float => (Wire::Float, "Float"),
        ProtoKind::Int32 => (Wire::Int32, "Int"),
        ProtoKind::Sint32 => (Wire::Sint32, "Int"),
        ProtoKind::Sfixed32 => (Wire::Sfixed32, "Int"),
        ProtoKind::Int64 => (Wire::Int64, "Int64"),
        ProtoKind::Sint64 => (Wire::Sint64, "Int64"),
        ProtoKind::Sfixed64 => (Wire::Sfixed64, "Int64"),
        ProtoKind::Uint32 => (Wire::Uint32, "UInt32"),
        ProtoKind::Fixed32 => (Wire::Fixed32, "UInt32"),
        ProtoKind::Uint64 => (Wire::Uint64, "UInt64"),
        ProtoKind::Fixed64 => (Wire::Fixed64, "UInt64"),
        ProtoKind::Bool => (Wire::Bool, "Boolean"),
        ProtoKind::String => (Wire::String, "String"),
        ProtoKind::Bytes => (Wire::Bytes, "Bytes"),
        ProtoKind::Enum(definition) => {
            return (Kind::Enum(enumeration(&definition, types)), definition.name().into());
        }
        ProtoKind::Message(message) => return message_kind(field, &message, types),
    };
    (Kind::Scalar(wire, form), if form == Form::Id { "ID" } else { ty }.into())
}

fn message_kind(field: &FieldDescriptor, message: &MessageDescriptor, types: &mut Types) -> (Kind, Name) {
    let known = |known, ty: &str| (Kind::WellKnown(known), Name::from(ty));
    match message.full_name() {
        "google.protobuf.Timestamp" => known(WellKnown::Timestamp, "DateTime"),
        "google.protobuf.Duration" => known(WellKnown::Duration, "Duration"),
        "google.protobuf.FieldMask" => known(WellKnown::FieldMask, "FieldMask"),
        "google.protobuf.Struct" => known(WellKnown::Struct, "JSON"),
        "google.protobuf.Value" => known(WellKnown::Value, "JSON"),
        "google.protobuf.ListValue" => known(WellKnown::ListValue, "JSON"),
        "google.protobuf.Any" => known(WellKnown::Any, "JSON"),
        "google.protobuf.Empty" => known(WellKnown::Empty, "Boolean"),
        "google.type.Date" => known(WellKnown::Date, "Date"),
        name if name.starts_with("google.protobuf.") && name.ends_with("Value") => {
            match kind(&message.get_field(1).unwrap(), types) {
                (Kind::Scalar(wire, form), ty) => (Kind::Wrapper(wire, form), ty),
                other => other,
            }
        }
        _ => {
            let name = input(message, types);
            let kind = if field.is_group() { Kind::Group(name.clone()) } else { Kind::Message(name.clone()) };
            (kind, name)
        }
    }
}

fn input(message: &MessageDescriptor, types: &mut Types) -> Name {
    let name =
        Name::from(format!("{}Input", message.full_name().trim_start_matches("t.v1.").replace('.', "")));
    let empty = Input {
        doc: Doc::default(),
        source: message.full_name().into(),
        fields: Vec::new(),
        one_of: Vec::new(),
    };
    if !types.contains_key(&name) {
        // A message may contain itself.
        types.insert(name.clone(), Type::Input(empty.clone()));
        let mut fields: Vec<Argument> = message.fields().map(|field| argument(&field, types)).collect();
        if message.is_map_entry() {
            fields[0].ty = fields[0].ty.clone().non_null();
        }
        types.insert(name.clone(), Type::Input(Input { fields, one_of: one_of(message), ..empty }));
    }
    name
}

fn enumeration(definition: &EnumDescriptor, types: &mut Types) -> Name {
    let name = Name::from(definition.name());
    let values = definition.values().filter(|value| !value.name().ends_with("UNSPECIFIED"));
    let values = values.map(|value| EnumValue {
        name: value.name().into(),
        doc: Doc::default(),
        number: value.number(),
    });
    let definition = Enum {
        doc: Doc::default(),
        source: definition.full_name().into(),
        values: values.collect(),
        zero_is_null: true,
    };
    types.insert(name.clone(), Type::Enum(definition));
    name
}
