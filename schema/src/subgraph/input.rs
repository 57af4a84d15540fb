//! What does a message look like when it is sent: as arguments of a field, or as an input type?
//!
//! What the service fills in itself is left out. A field must be given only where the service says so. In
//! a change with a mask nothing must be given but what says which one is changed, and what cannot change
//! is left out. A message that must contain itself could never be written down, so such a cycle is cut by
//! letting its fields be left out.

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::{FieldDescriptor, MessageDescriptor};

use super::field::{Way, may_be_null, type_in};
use super::object::entry_fields;
use super::reader::{Reader, Taken, Wanted, oneof_of};
use super::rules::Behavior;
use crate::Severity;
use crate::graph::{Argument, Count, Doc, Input, Kind, Name, OneOf, Type, Types};

impl Reader<'_> {
    /// The fields of a request as arguments, but for those that are filled in otherwise.
    pub(super) fn arguments(
        &mut self,
        message: &MessageDescriptor,
        without: &[u32],
    ) -> (Vec<Argument>, Vec<OneOf>) {
        let fields =
            message.fields().filter(|field| self.is_sent(field) && !without.contains(&field.number()));
        let fields: Vec<FieldDescriptor> = fields.collect();
        let arguments = fields.iter().map(|field| self.argument(field)).collect();
        self.distinct_arguments(message.full_name(), &fields, arguments)
    }

    pub(super) fn input(&mut self, message: &MessageDescriptor) -> Input {
        let (fields, one_of) = self.arguments(message, &[]);
        Input { doc: self.input_doc(message), source: message.full_name().into(), fields, one_of }
    }

    /// The same as a change: what is absent stays as it is.
    pub(super) fn patch(&mut self, message: &MessageDescriptor) -> Input {
        let key = self.patch_key(message);
        let fields = self.changeable(message);
        let mut arguments = Vec::new();
        for field in &fields {
            let mut argument = self.argument(field);
            let is_key = key.as_ref() == Some(field);
            argument.ty = if is_key { argument.ty.non_null() } else { argument.ty.nullable() };
            arguments.push(argument);
        }
        let (fields, one_of) = self.distinct_arguments(message.full_name(), &fields, arguments);
        Input { doc: self.input_doc(message), source: message.full_name().into(), fields, one_of }
    }

    fn changeable(&self, message: &MessageDescriptor) -> Vec<FieldDescriptor> {
        let can_change = |field: &FieldDescriptor| !self.options_of(field).is(Behavior::Immutable);
        self.fields_sent(message.fields().filter(can_change))
    }

    /// The type of what is changed: one of its own where that is not the one of a whole.
    pub(super) fn want_patch(&mut self, message: &MessageDescriptor) -> Name {
        let differs = message.fields().any(|field| {
            let options = self.options_of(&field);
            options.is(Behavior::Immutable)
                || options.is(Behavior::Required)
                || options.is(Behavior::Identifier)
        });
        let differs = differs || self.patch_key(message).is_some();
        if differs && !self.changeable(message).is_empty() {
            self.want(Wanted::Patch(message.clone()))
        } else {
            self.want(Wanted::Input(message.clone()))
        }
    }

    /// The field that says what is changed.
    pub(super) fn patch_key(&mut self, message: &MessageDescriptor) -> Option<FieldDescriptor> {
        let named = message.fields().find(|field| self.options_of(field).is(Behavior::Identifier));
        let known = || self.source.catalog.of(message).map(|known| known.key.clone());
        named.or_else(known).filter(|field| self.is_sent(field))
    }

    pub(super) fn entry_input(&mut self, map: &FieldDescriptor) -> Input {
        let mut fields = Vec::new();
        for field in entry_fields(map) {
            let (mut write, core) = self.value(&field, Way::In);
            write.count = Count::Implicit;
            let ty = type_in(&write, core);
            let ty = if may_be_null(&write.kind) { ty } else { ty.non_null() };
            fields.push(Argument { name: field.name().into(), doc: Doc::default(), ty, write });
        }
        Input { doc: Doc::default(), source: map.full_name().into(), fields, one_of: Vec::new() }
    }

    fn argument(&mut self, field: &FieldDescriptor) -> Argument {
        let (write, core) = self.value(field, Way::In);
        let required = write.count == Count::Required || self.options_of(field).is(Behavior::Required);
        let ty = type_in(&write, core);
        let ty = if required && oneof_of(field).is_none() { ty.non_null() } else { ty };
        let mut doc = self.field_doc(field);
        if ty.is_non_null() {
            doc.deprecated = None;
        }
        Argument { name: self.field_name(field), doc, ty, write }
    }

    fn input_doc(&self, message: &MessageDescriptor) -> Doc {
        let deprecated = self.is_message_deprecated(message);
        self.source.comments.doc(&message.parent_file(), message.path(), deprecated)
    }

    /// Of several with one name the first; and which of them exclude each other.
    fn distinct_arguments(
        &mut self,
        about: &str,
        fields: &[FieldDescriptor],
        arguments: Vec<Argument>,
    ) -> (Vec<Argument>, Vec<OneOf>) {
        let mut taken = Taken::default();
        let mut kept = Vec::new();
        let mut one_of: Vec<OneOf> = Vec::new();
        for (field, argument) in fields.iter().zip(arguments) {
            if !taken.take(&argument.name) {
                self.report(
                    Severity::Error,
                    "FIELD_NAME_TAKEN",
                    format!(
                        "{about} has two fields that are called `{}` in the graph; the second is left out.",
                        argument.name
                    ),
                    "Give one of them another name with `(turnout.graphql.v1.field).name`.",
                );
                continue;
            }
            if let Some(oneof) = oneof_of(field) {
                match one_of.iter_mut().find(|known| &*known.name == oneof.name()) {
                    Some(known) => known.members.push(argument.name.clone()),
                    None => {
                        one_of.push(OneOf { name: oneof.name().into(), members: vec![argument.name.clone()] })
                    }
                }
            }
            kept.push(argument);
        }
        one_of.retain(|oneof| oneof.members.len() > 1);
        (kept, one_of)
    }
}

/// Lets the fields be left out that lead into a cycle in which every field must be given.
pub(super) fn cut_cycles(types: &mut Types) {
    let mut demands: BTreeMap<Name, Vec<Name>> = BTreeMap::new();
    for (name, ty) in types.iter() {
        let Type::Input(input) = ty else { continue };
        let demanded = input.fields.iter().filter(|field| field.ty.is_non_null() && !field.ty.is_list());
        let demanded = demanded.filter(|field| matches!(field.write.kind, Kind::Message(_) | Kind::Group(_)));
        demands.insert(name.clone(), demanded.map(|field| field.ty.core().clone()).collect());
    }
    let endless = endless(&demands);
    for (name, ty) in types.iter_mut() {
        let Type::Input(input) = ty else { continue };
        if !endless.contains(name) {
            continue;
        }
        for field in &mut input.fields {
            if !field.ty.is_list() && endless.contains(field.ty.core()) {
                field.ty = field.ty.clone().nullable();
            }
        }
    }
}

/// The types that demand themselves, or a type that does: what remains when those that demand nothing are
/// taken away again and again.
fn endless(demands: &BTreeMap<Name, Vec<Name>>) -> BTreeSet<Name> {
    let mut left: BTreeMap<&Name, usize> = BTreeMap::new();
    let mut users: BTreeMap<&Name, Vec<&Name>> = BTreeMap::new();
    for (name, demanded) in demands {
        left.insert(name, demanded.len());
        for other in demanded {
            users.entry(other).or_default().push(name);
        }
    }
    let mut finished: Vec<&Name> =
        left.iter().filter(|(_, count)| **count == 0).map(|(name, _)| *name).collect();
    while let Some(name) = finished.pop() {
        left.remove(name);
        for user in users.get(name).into_iter().flatten() {
            if let Some(count) = left.get_mut(user) {
                *count -= 1;
                if *count == 0 {
                    finished.push(user);
                }
            }
        }
    }
    left.into_keys().cloned().collect()
}
