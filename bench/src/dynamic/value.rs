//! What a protobuf field is in the graph: its type, and its value as async-graphql wants it.

use std::borrow::Cow;
use std::collections::HashMap;

use async_graphql::dynamic::{Enum, FieldValue, TypeRef};
use async_graphql::{Name, Value as Json};
use prost_reflect::{DynamicMessage, EnumDescriptor, FieldDescriptor, Kind, Value};
use prost_types::Timestamp;

/// The scalars that GraphQL does not have.
pub(super) const SCALARS: [&str; 2] = ["Int64", "DateTime"];

pub(super) const TIMESTAMP: &str = "google.protobuf.Timestamp";

/// Reads one field of a message.
pub(super) struct Reader {
    field: FieldDescriptor,
    form: Form,
}

/// How a value is written.
enum Form {
    /// As its kind says.
    Plain,
    /// A Timestamp: a text.
    Instant,
    /// An enum: a name by its number, and none for "unspecified".
    Named(HashMap<i32, Name>),
}

impl Reader {
    pub(super) fn new(field: FieldDescriptor) -> Self {
        let form = match field.kind() {
            Kind::Enum(of) => Form::Named(names(&of).collect()),
            Kind::Message(of) if of.full_name() == TIMESTAMP => Form::Instant,
            _ => Form::Plain,
        };
        Self { field, form }
    }

    /// The field's value, borrowed where it is a message.
    pub(super) fn read<'a>(&self, message: &'a DynamicMessage) -> Option<FieldValue<'a>> {
        if self.field.supports_presence() && !message.has_field(&self.field) {
            return None;
        }
        match message.get_field(&self.field) {
            Cow::Borrowed(Value::List(items)) => {
                Some(FieldValue::list(items.iter().filter_map(|item| self.one(item))))
            }
            Cow::Borrowed(value) => self.one(value),
            // Not on the wire, so the default: never a message, and no list with anything in it.
            Cow::Owned(Value::List(_)) => Some(FieldValue::list(std::iter::empty::<FieldValue<'a>>())),
            Cow::Owned(value) => self.scalar(&value).map(FieldValue::value),
        }
    }

    fn one<'a>(&self, value: &'a Value) -> Option<FieldValue<'a>> {
        match value {
            Value::Message(message) => Some(match self.form {
                Form::Instant => FieldValue::value(instant(message)?),
                Form::Plain | Form::Named(_) => FieldValue::borrowed_any(message),
            }),
            scalar => self.scalar(scalar).map(FieldValue::value),
        }
    }

    fn scalar(&self, value: &Value) -> Option<Json> {
        Some(match value {
            Value::Bool(value) => Json::from(*value),
            Value::I32(value) => Json::from(*value),
            Value::F64(value) => Json::from(*value),
            Value::I64(value) => Json::from(value.to_string()),
            Value::String(value) => Json::from(value.as_str()),
            Value::EnumNumber(number) => match &self.form {
                Form::Named(names) => Json::Enum(names.get(number)?.clone()),
                Form::Plain | Form::Instant => return None,
            },
            _ => return None,
        })
    }
}

fn instant(message: &DynamicMessage) -> Option<String> {
    let seconds = message.get_field_by_number(1)?.as_i64()?;
    let nanos = message.get_field_by_number(2)?.as_i32()?;
    Some(Timestamp { seconds, nanos }.to_string())
}

/// The type that a field has in answers.
pub(super) fn type_of(field: &FieldDescriptor) -> TypeRef {
    let name: Cow<'static, str> = match field.kind() {
        Kind::Message(message) if message.full_name() == TIMESTAMP => Cow::Borrowed("DateTime"),
        Kind::Message(message) => Cow::Owned(message.name().to_owned()),
        Kind::Enum(of) => Cow::Owned(of.name().to_owned()),
        Kind::Int64 if is_id(field) => Cow::Borrowed(TypeRef::ID),
        Kind::Int64 => Cow::Borrowed("Int64"),
        Kind::Int32 => Cow::Borrowed(TypeRef::INT),
        Kind::Double => Cow::Borrowed(TypeRef::FLOAT),
        Kind::Bool => Cow::Borrowed(TypeRef::BOOLEAN),
        _ => Cow::Borrowed(TypeRef::STRING),
    };
    if field.is_list() {
        TypeRef::named_nn_list_nn(name)
    } else if field.supports_presence() || matches!(field.kind(), Kind::Enum(_)) {
        TypeRef::named(name)
    } else {
        TypeRef::named_nn(name)
    }
}

fn is_id(field: &FieldDescriptor) -> bool {
    field.name() == "id" || field.name().ends_with("_id")
}

/// The type of an argument, from the request's field.
pub(super) fn argument(field: &FieldDescriptor) -> TypeRef {
    TypeRef::named_nn(if is_id(field) { TypeRef::ID } else { TypeRef::INT })
}

/// An argument's value as the request's field takes it.
pub(super) fn given(field: &FieldDescriptor, value: &Json) -> Option<Value> {
    let number = match value {
        Json::String(text) => text.parse().ok()?,
        Json::Number(number) => number.as_i64()?,
        _ => return None,
    };
    match field.kind() {
        Kind::Int64 => Some(Value::I64(number)),
        _ => i32::try_from(number).ok().map(Value::I32),
    }
}

pub(super) fn enumeration(of: &EnumDescriptor) -> Enum {
    names(of).fold(Enum::new(of.name()), |names, (_, name)| names.item(name.as_str()))
}

fn names(of: &EnumDescriptor) -> impl Iterator<Item = (i32, Name)> {
    let prefix = format!("{}_", of.name().to_uppercase());
    let values: Vec<_> = of.values().collect();
    values.into_iter().filter(|value| value.number() != 0).map(move |value| {
        let name = value.name();
        (value.number(), Name::new(name.strip_prefix(&prefix).unwrap_or(name)))
    })
}
