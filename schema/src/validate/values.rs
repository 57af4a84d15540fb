//! The rules about values written in a document: is this what the place expects?
//!
//! Judged by kind: a number where a number goes, all required fields of an input and no others. A variable is
//! noted with what its place expects, and judged when the operations that use it are known.

use std::collections::HashMap;

use async_graphql_parser::Pos;
use async_graphql_value::{Number, Value};
use indexmap::IndexMap;

use super::Error;
use super::catalog::{Argument, Catalog, Leaf, Type};
use crate::graph::{Name, Scalar, TypeRef};

/// A variable, and what it is used for.
#[derive(Debug)]
pub(super) struct Use<'a> {
    pub(super) variable: &'a str,
    pub(super) at: Pos,
    /// None where the type is not known, or any will do.
    pub(super) expected: Option<TypeRef>,
    /// Whether the place has a value of its own when the variable has none.
    pub(super) has_default: bool,
}

/// What there is to say about values.
#[derive(Debug, Default)]
pub(super) struct Found<'a> {
    pub(super) errors: Vec<Error>,
    pub(super) uses: Vec<Use<'a>>,
}

/// The place of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) at: Pos,
    /// Whether it has a value of its own when a variable has none.
    pub(super) has_default: bool,
}

impl<'a> Found<'a> {
    /// Judges a value; where no type is known only its variables are noted.
    pub(super) fn check(
        &mut self,
        catalog: &Catalog,
        value: &'a Value,
        expected: Option<&TypeRef>,
        place: Place,
    ) {
        let inner = Place { has_default: false, ..place };
        match (value, expected) {
            (Value::Variable(name), _) => {
                let (at, has_default) = (place.at, place.has_default);
                self.uses.push(Use { variable: name, at, expected: expected.cloned(), has_default });
            }
            (Value::List(items), None) => {
                items.iter().for_each(|item| self.check(catalog, item, None, inner));
            }
            (Value::Object(fields), None) => {
                fields.values().for_each(|field| self.check(catalog, field, None, inner));
            }
            (_, None) => {}
            (Value::Null, Some(ty)) => {
                if ty.is_non_null() {
                    self.unexpected(place.at, ty, value);
                }
            }
            (_, Some(TypeRef::NonNull(ty))) => self.check(catalog, value, Some(ty), place),
            (Value::List(items), Some(TypeRef::List(ty))) => {
                items.iter().for_each(|item| self.check(catalog, item, Some(ty), inner));
            }
            // One value stands for a list of it.
            (_, Some(TypeRef::List(ty))) => self.check(catalog, value, Some(ty), inner),
            (_, Some(ty @ TypeRef::Named(name))) => match catalog.get(name).map(|(_, known)| known) {
                Some(Type::Input(known)) => self.input(catalog, value, (name, known), inner),
                Some(Type::Enum(names)) => {
                    if !matches!(value, Value::Enum(name) if names.contains(name.as_str())) {
                        self.unexpected(place.at, ty, value);
                    }
                }
                Some(Type::Leaf(leaf)) => {
                    if !leaf.takes(value) {
                        self.unexpected(place.at, ty, value);
                    }
                    self.check(catalog, value, None, inner);
                }
                Some(Type::Object(_) | Type::Union(_)) | None => self.check(catalog, value, None, inner),
            },
        }
    }

    fn input(
        &mut self,
        catalog: &Catalog,
        value: &'a Value,
        (name, known): (&Name, &HashMap<Name, Argument>),
        place: Place,
    ) {
        let Value::Object(given) = value else {
            return self.unexpected(place.at, &TypeRef::Named(Name::clone(name)), value);
        };
        self.missing(given, (name, known), place.at);
        for (field, value) in given {
            let argument = known.get(field.as_str());
            if argument.is_none() {
                let message = format!("Field \"{field}\" is not defined by type \"{name}\".");
                self.errors.push(Error::invalid(message, [place.at]));
            }
            let has_default = argument.is_some_and(|argument| argument.has_default);
            self.check(catalog, value, argument.map(|argument| &argument.ty), Place { has_default, ..place });
        }
    }

    fn missing(
        &mut self,
        given: &IndexMap<async_graphql_value::Name, Value>,
        (name, known): (&Name, &HashMap<Name, Argument>),
        at: Pos,
    ) {
        let is_missing =
            |(field, argument): &(&Name, &Argument)| argument.is_required() && !given.contains_key(&***field);
        let mut missing: Vec<_> = known.iter().filter(is_missing).collect();
        missing.sort_by_key(|(field, _)| *field);
        for (field, Argument { ty, .. }) in missing {
            let message = format!("Field \"{name}.{field}\" of required type \"{ty}\" was not provided.");
            self.errors.push(Error::invalid(message, [at]));
        }
    }

    fn unexpected(&mut self, at: Pos, ty: &TypeRef, value: &Value) {
        let message = format!("Expected value of type \"{ty}\", found {}.", short(value));
        self.errors.push(Error::invalid(message, [at]));
    }
}

/// A value as it is written, cut where it is long.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Leaf {
    /// Whether this kind of value may be written for it.
    fn takes(self, value: &Value) -> bool {
        match (self, value) {
            (Leaf::Boolean, Value::Boolean(_)) | (Leaf::String | Leaf::Id, Value::String(_)) => true,
            (Leaf::Float, Value::Number(_)) => true,
            (Leaf::Int, Value::Number(number)) => {
                number.as_i64().is_some_and(|number| i32::try_from(number).is_ok())
            }
            (Leaf::Id, Value::Number(number)) => is_whole(number),
            (Leaf::Other(scalar), value) => takes(scalar, value),
            (Leaf::Boolean | Leaf::String | Leaf::Id | Leaf::Float | Leaf::Int, _) => false,
        }
    }
}

fn takes(scalar: Scalar, value: &Value) -> bool {
    match (scalar, value) {
        (Scalar::Json, _) => true,
        (Scalar::UInt32, Value::Number(number)) => {
            number.as_u64().is_some_and(|number| u32::try_from(number).is_ok())
        }
        (Scalar::Int64, Value::Number(number)) => number.is_i64(),
        (Scalar::UInt64, Value::Number(number)) => number.is_u64(),
        (Scalar::Int64, Value::String(text)) => text.parse::<i64>().is_ok(),
        (Scalar::UInt64, Value::String(text)) => text.parse::<u64>().is_ok(),
        (
            Scalar::Bytes | Scalar::DateTime | Scalar::Duration | Scalar::Date | Scalar::FieldMask,
            Value::String(_),
        ) => true,
        (
            Scalar::UInt32
            | Scalar::Int64
            | Scalar::UInt64
            | Scalar::Bytes
            | Scalar::DateTime
            | Scalar::Duration
            | Scalar::Date
            | Scalar::FieldMask,
            _,
        ) => false,
    }
}

fn is_whole(number: &Number) -> bool {
    number.is_i64() || number.is_u64()
}
