//! Any JSON as the messages that protobuf has for it: Struct, Value and ListValue.
//!
//! Numbers become doubles, as they do in every implementation of these messages.

use std::borrow::Cow;

use super::buffer::{Buffer, Primitive};
use crate::graph::WellKnown;
use crate::variables::inspect::inspect;
use crate::variables::source::{Given, Source};

/// Most decoders refuse messages nested deeper than 100, and one object inside another is three messages: a
/// Struct, its entry and the Value in it.
pub(crate) const DEPTH_MAX: usize = 30;

/// Looks at a variable: what stands in its place, or null when nothing was given.
pub(crate) type Resolve<'r, 'a> = &'r dyn Fn(Source<'a>) -> Option<Source<'a>>;

/// Writes the content of one of the three messages.
pub(crate) fn write<'a>(
    known: WellKnown,
    source: Source<'a>,
    resolve: Resolve<'_, 'a>,
    out: &mut Buffer,
) -> Result<(), String> {
    match (known, source.given()) {
        (WellKnown::Struct, Given::Object(_)) | (WellKnown::ListValue, Given::List(_)) => {
            content(source, 1, resolve, out)
        }
        (WellKnown::Struct, _) => {
            Err(format!("JSON cannot represent a value that is no object here: {}", inspect(source)))
        }
        (WellKnown::ListValue, _) => {
            Err(format!("JSON cannot represent a value that is no list here: {}", inspect(source)))
        }
        _ => value(source, 1, resolve, out),
    }
}

/// The content of a Value.
fn value<'a>(
    source: Source<'a>,
    depth: usize,
    resolve: Resolve<'_, 'a>,
    out: &mut Buffer,
) -> Result<(), String> {
    let text = |text: Cow<'a, str>| Primitive::Bytes(Cow::Owned(text.into_owned().into_bytes()));
    match source.given() {
        Given::Null => out.field(1, &Primitive::Varint(0)),
        Given::Number(number) => {
            let float = number.float();
            if !float.is_finite() {
                return Err(format!("JSON cannot represent a number beyond 64 bits: {}", inspect(source)));
            }
            out.field(2, &Primitive::Fixed64(float.to_bits()));
        }
        Given::Text(given) => out.field(3, &text(given)),
        Given::Name(name) => out.field(3, &text(Cow::Borrowed(name))),
        Given::Boolean(boolean) => out.field(4, &Primitive::Varint(u64::from(boolean))),
        Given::Object(_) => nested(5, source, depth, resolve, out)?,
        Given::List(_) => nested(6, source, depth, resolve, out)?,
    }
    Ok(())
}

fn nested<'a>(
    number: u32,
    source: Source<'a>,
    depth: usize,
    resolve: Resolve<'_, 'a>,
    out: &mut Buffer,
) -> Result<(), String> {
    let nested = out.open(number);
    content(source, depth, resolve, out)?;
    out.close(nested);
    Ok(())
}

/// The content of a Struct or of a ListValue.
fn content<'a>(
    source: Source<'a>,
    depth: usize,
    resolve: Resolve<'_, 'a>,
    out: &mut Buffer,
) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("JSON cannot represent a value nested deeper than {DEPTH_MAX} levels"));
    }
    match source.given() {
        Given::Object(entries) => {
            for (key, given) in entries {
                // An entry of an object is not given when its variable is not.
                let Some(given) = resolve(given) else { continue };
                let entry = out.open(1);
                out.field(1, &Primitive::Bytes(Cow::Borrowed(key.as_bytes())));
                let nested = out.open(2);
                value(given, depth + 1, resolve, out)?;
                out.close(nested);
                out.close(entry);
            }
        }
        Given::List(items) => {
            for item in items {
                let item = resolve(item).unwrap_or(item);
                let nested = out.open(1);
                value(item, depth + 1, resolve, out)?;
                out.close(nested);
            }
        }
        _ => {}
    }
    Ok(())
}
