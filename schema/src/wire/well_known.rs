//! Messages with a form of their own, from that form to their bytes.

use std::borrow::Cow;

use super::buffer::{Buffer, Primitive};
use super::scalar::primitive;
use super::structure::{self, Resolve};
use super::{mask, time};
use crate::graph::{Form, WellKnown, Wire};
use crate::variables::inspect::inspect;
use crate::variables::source::{Given, Source};

/// Writes one as the field of this number.
pub(crate) fn write<'a>(
    known: WellKnown,
    number: u32,
    source: Source<'a>,
    resolve: Resolve<'_, 'a>,
    out: &mut Buffer,
) -> Result<(), String> {
    let text = match source.given() {
        Given::Text(text) => text,
        _ => Cow::Borrowed(""),
    };
    let refused = |name: &str| format!("{name} cannot represent value: {}", inspect(source));
    match known {
        WellKnown::Timestamp => {
            let (seconds, nanos) = time::moment(&text).ok_or_else(|| refused("DateTime"))?;
            numbers(number, [seconds, nanos.into(), 0], out);
        }
        WellKnown::Duration => {
            let (seconds, nanos) = time::duration(&text).ok_or_else(|| refused("Duration"))?;
            numbers(number, [seconds, nanos.into(), 0], out);
        }
        WellKnown::Date => {
            let (year, month, day) = time::date(&text).ok_or_else(|| refused("Date"))?;
            numbers(number, [year, month, day], out);
        }
        WellKnown::FieldMask => {
            mask::field(number, mask::parse(source)?.iter().map(String::as_str), out);
        }
        WellKnown::Struct | WellKnown::Value | WellKnown::ListValue => {
            let nested = out.open(number);
            structure::write(known, source, resolve, out)?;
            out.close(nested);
        }
        // Its bytes depend on a type that only a pool of descriptors knows, and the graph has none.
        WellKnown::Any => return Err("A google.protobuf.Any can be read but not sent.".to_owned()),
        WellKnown::Null => return Err(format!("Nothing but null can be sent here: {}", inspect(source))),
        WellKnown::Empty => {
            if !primitive(Wire::Bool, Form::Plain, source)?.is_zero() {
                numbers(number, [0; 3], out);
            }
        }
    }
    Ok(())
}

/// A message with integers in its first fields; those that are zero are not written.
fn numbers(number: u32, values: [i64; 3], out: &mut Buffer) {
    let nested = out.open(number);
    for (number, value) in (1..).zip(values).filter(|(_, value)| *value != 0) {
        out.field(number, &Primitive::Varint(value as u64));
    }
    out.close(nested);
}
