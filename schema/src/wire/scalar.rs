//! What a caller gave as one scalar of protobuf, or why it is none.
//!
//! The sentences are those of graphql-js for its own five types, and of the same form for the others. 64-bit
//! and unsigned numbers are taken as text or as numbers, because JavaScript cannot send all of them as
//! numbers; an `ID` is taken as either, whatever it is underneath.

use std::borrow::Cow;

use super::base64;
use super::buffer::Primitive;
use crate::graph::{Form, Wire};
use crate::variables::inspect::inspect;
use crate::variables::source::{Given, Number, Source};

/// The scalar.
pub(crate) fn primitive(wire: Wire, form: Form, source: Source<'_>) -> Result<Primitive<'_>, String> {
    match (wire, form) {
        (Wire::Double | Wire::Float, _) => float(wire, source),
        (Wire::Bool, _) => boolean(source),
        (Wire::String, Form::Plain) => string(source),
        (Wire::String, Form::Id) => id(source),
        (Wire::Bytes, _) => bytes(source),
        (
            Wire::Int32
            | Wire::Int64
            | Wire::Uint32
            | Wire::Uint64
            | Wire::Sint32
            | Wire::Sint64
            | Wire::Fixed32
            | Wire::Fixed64
            | Wire::Sfixed32
            | Wire::Sfixed64,
            _,
        ) => integer(wire, form, source),
    }
}

/// The bytes of an integer; `None` when the kind has no room for it, or is not one of integers.
pub(crate) fn of_integer(wire: Wire, integer: i128) -> Option<Primitive<'static>> {
    let primitive = match wire {
        // Negative numbers take ten bytes: protobuf widens before it writes.
        Wire::Int32 => Primitive::Varint(i64::from(i32::try_from(integer).ok()?) as u64),
        Wire::Int64 => Primitive::Varint(i64::try_from(integer).ok()? as u64),
        Wire::Uint32 => Primitive::Varint(u64::from(u32::try_from(integer).ok()?)),
        Wire::Uint64 => Primitive::Varint(u64::try_from(integer).ok()?),
        Wire::Sint32 => Primitive::Varint(zigzag(i64::from(i32::try_from(integer).ok()?))),
        Wire::Sint64 => Primitive::Varint(zigzag(i64::try_from(integer).ok()?)),
        Wire::Fixed32 => Primitive::Fixed32(u32::try_from(integer).ok()?),
        Wire::Fixed64 => Primitive::Fixed64(u64::try_from(integer).ok()?),
        Wire::Sfixed32 => Primitive::Fixed32(i32::try_from(integer).ok()? as u32),
        Wire::Sfixed64 => Primitive::Fixed64(i64::try_from(integer).ok()? as u64),
        Wire::Double | Wire::Float | Wire::Bool | Wire::String | Wire::Bytes => return None,
    };
    Some(primitive)
}

/// An integer that is written the only way there is: no plus, no zeros in front, no spaces. Two texts are
/// then two integers, and an id means one thing.
pub(crate) fn parse_integer(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let canonical = digits == "0" || (!digits.starts_with(['0', '+']) && !digits.is_empty());
    (canonical && text != "-0").then(|| text.parse().ok()).flatten()
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63) as u64
}

fn integer(wire: Wire, form: Form, source: Source<'_>) -> Result<Primitive<'static>, String> {
    let (name, what) = match wire {
        Wire::Int32 | Wire::Sint32 | Wire::Sfixed32 => ("Int", "32-bit signed"),
        Wire::Uint32 | Wire::Fixed32 => ("UInt32", "32-bit unsigned"),
        Wire::Uint64 | Wire::Fixed64 => ("UInt64", "64-bit unsigned"),
        _ => ("Int64", "64-bit signed"),
    };
    let integer = match source.given() {
        Given::Number(number) => number.integer(),
        Given::Text(text) if name != "Int" || form == Form::Id => parse_integer(&text),
        _ => None,
    };
    let written = integer.map(|integer| of_integer(wire, integer));
    match (written, form) {
        (Some(Some(primitive)), _) => Ok(primitive),
        (_, Form::Id) => Err(format!("ID cannot represent value: {}", inspect(source))),
        (Some(None), Form::Plain) => {
            Err(format!("{name} cannot represent non {what} integer value: {}", inspect(source)))
        }
        // graphql-js says of 1e100 that it is too large and not that it is no integer.
        (None, Form::Plain) => match source.given() {
            Given::Number(Number::Float(float)) if float.fract() == 0.0 => {
                Err(format!("{name} cannot represent non {what} integer value: {}", inspect(source)))
            }
            _ => Err(format!("{name} cannot represent non-integer value: {}", inspect(source))),
        },
    }
}

fn float(wire: Wire, source: Source<'_>) -> Result<Primitive<'static>, String> {
    let Given::Number(number) = source.given() else {
        return Err(format!("Float cannot represent non numeric value: {}", inspect(source)));
    };
    let value = number.float();
    let narrow = value as f32;
    match wire {
        Wire::Float if narrow.is_finite() => Ok(Primitive::Fixed32(narrow.to_bits())),
        Wire::Float if value.is_finite() => {
            Err(format!("Float cannot represent a value beyond 32 bits here: {}", inspect(source)))
        }
        _ if value.is_finite() => Ok(Primitive::Fixed64(value.to_bits())),
        _ => Err(format!("Float cannot represent a value beyond 64 bits: {}", inspect(source))),
    }
}

fn boolean(source: Source<'_>) -> Result<Primitive<'static>, String> {
    match source.given() {
        Given::Boolean(boolean) => Ok(Primitive::Varint(u64::from(boolean))),
        _ => Err(format!("Boolean cannot represent a non boolean value: {}", inspect(source))),
    }
}

fn string(source: Source<'_>) -> Result<Primitive<'_>, String> {
    match source.given() {
        Given::Text(text) => Ok(text_bytes(text)),
        _ => Err(format!("String cannot represent a non string value: {}", inspect(source))),
    }
}

fn id(source: Source<'_>) -> Result<Primitive<'_>, String> {
    let number = match source.given() {
        Given::Text(text) => return Ok(text_bytes(text)),
        Given::Number(number) => number.integer(),
        _ => None,
    };
    match number {
        Some(integer) => Ok(Primitive::Bytes(integer.to_string().into_bytes().into())),
        None => Err(format!("ID cannot represent value: {}", inspect(source))),
    }
}

fn bytes(source: Source<'_>) -> Result<Primitive<'static>, String> {
    match source.given() {
        Given::Text(text) => base64::decode(&text).map(|bytes| Primitive::Bytes(bytes.into())),
        _ => None,
    }
    .ok_or_else(|| format!("Bytes cannot represent a value that is no base64: {}", inspect(source)))
}

fn text_bytes(text: Cow<'_, str>) -> Primitive<'_> {
    Primitive::Bytes(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}
