//! Messages with a form of their own, from that form to their bytes and back.
//!
//! A google.type.Date that is all zeros says nothing and is null. One without a year or a day is no day,
//! which is what `Date` promises, and is refused like any other that does not exist. An Any is shown as its
//! type and its bytes: what they mean is known to a pool of descriptors only, and none is at hand.

use std::borrow::Cow;

use super::buffer::{Buffer, Primitive};
use super::scalar::primitive;
use super::structure::{self, Resolve};
use super::write::Why;
use super::write::fields::fields;
use super::write::leaf::Leaf;
use super::write::text;
use super::{base64, mask, time};
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

/// Writes the bytes of one as JSON. What stands behind the old end after an error has no meaning.
pub(crate) fn read(known: WellKnown, bytes: &[u8], out: &mut Vec<u8>) -> Result<Leaf, Why> {
    match known {
        WellKnown::Timestamp => {
            let [seconds, nanos, _] = numbers_in(bytes)?;
            quoted(out, |out| time::write_moment((seconds, nanos as i32), out))?;
        }
        WellKnown::Duration => {
            let [seconds, nanos, _] = numbers_in(bytes)?;
            quoted(out, |out| time::write_duration((seconds, nanos as i32), out))?;
        }
        WellKnown::Date => {
            // All three are of 32 bits.
            let [year, month, day] = numbers_in(bytes)?.map(|number| i64::from(number as i32));
            if [year, month, day] == [0; 3] {
                return Ok(Leaf::Null);
            }
            quoted(out, |out| time::write_date((year, month, day), out))?;
        }
        WellKnown::FieldMask => text::string(&mask::read(bytes)?, out)?,
        WellKnown::Struct | WellKnown::Value | WellKnown::ListValue => {
            return structure::read(known, bytes, out);
        }
        WellKnown::Any => any(bytes, out)?,
        WellKnown::Null => return Ok(Leaf::Null),
        WellKnown::Empty => out.extend_from_slice(b"{}"),
    }
    Ok(Leaf::Written)
}

/// The integers in the first fields of a message.
fn numbers_in(bytes: &[u8]) -> Result<[i64; 3], Why> {
    let mut numbers = [0; 3];
    for field in fields(bytes) {
        let (number, raw) = field?;
        if let Some(place) = (number as usize).checked_sub(1).and_then(|at| numbers.get_mut(at)) {
            *place = raw.varint()? as i64;
        }
    }
    Ok(numbers)
}

fn quoted(out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>) -> Option<()>) -> Result<(), Why> {
    out.push(b'"');
    write(out).ok_or(Why::Malformed)?;
    out.push(b'"');
    Ok(())
}

fn any(bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Why> {
    let (mut of, mut value) = (&[][..], &[][..]);
    for field in fields(bytes) {
        match field? {
            (1, raw) => of = raw.bytes()?,
            (2, raw) => value = raw.bytes()?,
            _ => {}
        }
    }
    out.extend_from_slice(b"{\"@type\":");
    text::string(of, out)?;
    out.extend_from_slice(b",\"value\":\"");
    base64::encode(value, out);
    out.extend_from_slice(b"\"}");
    Ok(())
}
