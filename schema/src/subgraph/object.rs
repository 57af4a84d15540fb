//! What does a message look like when it is read?
//!
//! Its fields in the order of the proto. A oneof adds the name of the member that is set, before its first
//! member, or becomes one field that is a union. A reference to an entity adds the entity after the key.
//! A message without fields has `ok`, because GraphQL has no empty objects.

use std::collections::BTreeSet;

use prost_reflect::{FieldDescriptor, MessageDescriptor, OneofDescriptor};

use super::Origin;
use super::entity::is_key_kind;
use super::field::{Way, type_out};
use super::names;
use super::reader::{Reader, Taken, Wanted, oneof_of};
use crate::Severity;
use crate::graph::{
    Case, Choice, Count, Doc, Edge, Enum, EnumValue, Field, Kind, Name, Object, Resolve, TypeRef, Union,
};

impl Reader<'_> {
    pub(super) fn object(&mut self, message: &MessageDescriptor) -> Object {
        let mut fields = Vec::new();
        let mut oneofs = Taken::default();
        for field in self.fields_read(message.fields()) {
            if let Some(oneof) = oneof_of(&field) {
                let is_first = oneofs.take(&oneof.full_name().into());
                let union = self.union_name(&oneof);
                if is_first {
                    fields.push(match &union {
                        Some(name) => self.union_field(&oneof, name),
                        None => self.case_field(&oneof),
                    });
                }
                if union.is_some() {
                    continue;
                }
            }
            let read = self.read_field(&field);
            let edge = self.edge(&field, &read);
            fields.push(read);
            fields.extend(edge);
        }
        let mut fields = self.distinct(message.full_name(), fields);
        if fields.is_empty() {
            fields.push(Field::ok());
        }
        let deprecated = self.is_message_deprecated(message);
        let doc = self.source.comments.doc(&message.parent_file(), message.path(), deprecated);
        Object { doc, source: message.full_name().into(), fields }
    }

    /// An entry of a map: both key and value are always there.
    pub(super) fn entry(&mut self, map: &FieldDescriptor) -> Object {
        let mut fields = Vec::new();
        for field in entry_fields(map) {
            let (mut read, core) = self.value(&field, Way::Out);
            read.count = Count::Implicit;
            let ty = type_out(&read, core);
            let (name, doc) = (field.name().into(), Doc::default());
            fields.push(Field { name, doc, ty, arguments: Vec::new(), resolve: Resolve::Read(read) });
        }
        Object { doc: Doc::default(), source: map.full_name().into(), fields }
    }

    /// What stands for a member of a union that is no object of its own. Its bytes are those of the
    /// message with the oneof.
    pub(super) fn member(&mut self, field: &FieldDescriptor) -> Object {
        let mut value = self.read_field(field);
        value.name = "value".into();
        if !matches!(&value.resolve, Resolve::Read(read) if matches!(read.kind, Kind::Enum(_) | Kind::WellKnown(_)))
        {
            value.ty = value.ty.non_null();
        }
        Object { doc: value.doc.clone(), source: field.full_name().into(), fields: vec![value] }
    }

    pub(super) fn case_names(&mut self, oneof: &OneofDescriptor) -> Enum {
        let mut values = Vec::new();
        for (field, case) in self.cases(oneof) {
            let number = i32::try_from(case.number).unwrap_or(i32::MAX);
            values.push(EnumValue { name: case.name, doc: self.field_doc(&field), number });
        }
        let doc = Doc {
            description: format!("The fields of which one is set: `{}`.", oneof.name()),
            deprecated: None,
        };
        Enum { doc, source: oneof.full_name().into(), values, zero_is_null: false }
    }

    pub(super) fn union(&mut self, oneof: &OneofDescriptor, name: &str) -> Union {
        let doc = self.source.comments.doc(&oneof.parent_file(), oneof.path(), false);
        let members = self.choices(oneof, name).into_iter().map(|choice| choice.object).collect();
        Union { doc, source: oneof.full_name().into(), members }
    }

    fn read_field(&mut self, field: &FieldDescriptor) -> Field {
        let name = self.field_name(field);
        let doc = self.field_doc(field);
        let (read, core) = self.value(field, Way::Out);
        let ty = type_out(&read, core);
        Field { name, doc, ty, arguments: Vec::new(), resolve: Resolve::Read(read) }
    }

    fn union_name(&mut self, oneof: &OneofDescriptor) -> Option<String> {
        let options = self.source.options.oneof(oneof);
        let name = options.union()?;
        if names::is_legal(name) {
            return Some(name.to_owned());
        }
        self.report(
            Severity::Error,
            "NAME_ILLEGAL",
            format!("{} is no union, because `{name}` is no name in GraphQL.", oneof.full_name()),
            "Use letters, digits and single underscores.",
        );
        None
    }

    fn union_field(&mut self, oneof: &OneofDescriptor, union: &str) -> Field {
        let choices = self.choices(oneof, union);
        let doc = self.source.comments.doc(&oneof.parent_file(), oneof.path(), false);
        let ty = TypeRef::Named(self.want(Wanted::Union(oneof.clone(), union.to_owned())));
        let name = names::lower_camel(oneof.name()).into();
        Field { name, doc, ty, arguments: Vec::new(), resolve: Resolve::Choice(choices) }
    }

    /// A member that is an object stands for itself, once; any other gets an object of its own.
    fn choices(&mut self, oneof: &OneofDescriptor, union: &str) -> Vec<Choice> {
        let mut choices = Vec::new();
        let mut objects = Taken::default();
        for field in self.fields_read(oneof.fields()) {
            let (read, _) = self.value(&field, Way::Out);
            let own = match &read.kind {
                Kind::Message(name) | Kind::Group(name) => {
                    Some(name.clone()).filter(|name| objects.take(name))
                }
                Kind::Scalar(..) | Kind::Enum(_) | Kind::Wrapper(..) | Kind::WellKnown(_) => None,
            };
            let wrapped = own.is_none();
            let object = own.unwrap_or_else(|| self.want(Wanted::Member(field.clone(), union.to_owned())));
            choices.push(Choice { object, read, wrapped });
        }
        choices
    }

    fn case_field(&mut self, oneof: &OneofDescriptor) -> Field {
        let cases = self.cases(oneof).into_iter().map(|(_, case)| case).collect();
        let ty = TypeRef::Named(self.want(Wanted::Case(oneof.clone())));
        let mut doc = self.source.comments.doc(&oneof.parent_file(), oneof.path(), false);
        if doc.description.is_empty() {
            doc.description = format!("Which field of `{}` is set.", oneof.name());
        }
        let name = format!("{}Case", names::lower_camel(oneof.name())).into();
        Field { name, doc, ty, arguments: Vec::new(), resolve: Resolve::Case(cases) }
    }

    fn cases(&mut self, oneof: &OneofDescriptor) -> Vec<(FieldDescriptor, Case)> {
        let mut cases = Vec::new();
        let mut taken = Taken::default();
        for field in self.fields_read(oneof.fields()) {
            let mut name: Name = names::screaming(field.name()).into();
            if !taken.take(&name) {
                name = format!("{name}_{}", field.number()).into();
                taken.take(&name);
            }
            cases.push((field.clone(), Case { number: field.number(), name }));
        }
        cases
    }

    /// The entity behind a key.
    fn edge(&mut self, field: &FieldDescriptor, key: &Field) -> Option<Field> {
        let options = self.options_of(field);
        let rule = options.rule();
        if rule.r#ref.is_empty() {
            let resource = options.reference.map(|reference| reference.r#type);
            // A star stands for any resource.
            if let Some(resource) = resource.filter(|resource| !resource.is_empty() && resource != "*") {
                let what = format!("names a {resource}, to which `ref` would lead");
                self.tell(field.full_name(), what, Origin::Standard);
            }
            return None;
        }
        let Resolve::Read(read) = &key.resolve else { return None };
        if field.is_map() || !is_key_kind(&field.kind()) {
            return self.no_edge(
                field,
                "it holds no key",
                "A key is a string or a whole number, or a list of them.",
            );
        }
        let wished = if rule.r#as.is_empty() { edge_name(field) } else { Some(rule.r#as) };
        let Some(name) = wished.filter(|name| names::is_legal(name)) else {
            return self.no_edge(field, "the field to it has no name", "Name it with `as`.");
        };
        let entity = self.entity_name(&rule.r#ref);
        let ty = TypeRef::Named(entity.clone());
        let ty = if field.is_list() { ty.list() } else { ty };
        let resolve = Resolve::Edge(Edge { entity, key: read.clone() });
        Some(Field { name: name.into(), doc: key.doc.clone(), ty, arguments: Vec::new(), resolve })
    }

    fn no_edge(&mut self, field: &FieldDescriptor, why: &str, help: &str) -> Option<Field> {
        let entity = self.options_of(field).rule().r#ref;
        let message = format!("{} does not lead to `{entity}`, because {why}.", field.full_name());
        self.report(Severity::Error, "REF_IMPOSSIBLE", message, help);
        None
    }

    /// The same fields, of several with one name the first; what the proto has itself goes before what was
    /// added to it.
    fn distinct(&mut self, about: &str, fields: Vec<Field>) -> Vec<Field> {
        let is_own = |field: &Field| matches!(field.resolve, Resolve::Read(_));
        let own: BTreeSet<Name> =
            fields.iter().filter(|field| is_own(field)).map(|field| field.name.clone()).collect();
        let mut taken = Taken::default();
        let mut kept = Vec::new();
        for field in fields {
            let yields = !is_own(&field) && own.contains(&field.name);
            if !yields && taken.take(&field.name) {
                kept.push(field);
                continue;
            }
            let message = format!(
                "{about} has two fields that are called `{}` in the graph; one is left out.",
                field.name
            );
            let help = "Give one of them another name with `(turnout.graphql.v1.field)`.";
            self.report(Severity::Error, "FIELD_NAME_TAKEN", message, help);
        }
        kept
    }
}

/// The fields 1 and 2 of a map's entry.
pub(super) fn entry_fields(map: &FieldDescriptor) -> Vec<FieldDescriptor> {
    let kind = map.kind();
    let Some(entry) = kind.as_message() else { return Vec::new() };
    [1, 2].into_iter().filter_map(|number| entry.get_field(number)).collect()
}

/// `user_id` leads to `user`, `tag_ids` to `tags`.
fn edge_name(field: &FieldDescriptor) -> Option<String> {
    let name = field.name();
    let stem = match name.strip_suffix("_ids") {
        Some(stem) if field.is_list() => names::plural(stem),
        _ => name.strip_suffix("_id")?.to_owned(),
    };
    Some(names::lower_camel(&stem))
}
