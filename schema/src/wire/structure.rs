//! Any JSON as the messages that protobuf has for it, and back: Struct, Value and ListValue.
//!
//! Numbers become doubles, as they do in every implementation of these messages. The keys of an object are
//! written in their order as bytes, whatever their order in the message: a Struct is a map, which has none,
//! and one answer should have one form.

use std::borrow::Cow;

use super::buffer::{Buffer, Primitive};
use super::write::Why;
use super::write::fields::fields;
use super::write::leaf::Leaf;
use super::write::text;
use crate::graph::WellKnown;
use crate::variables::inspect::inspect;
use crate::variables::source::{Given, Source};

/// Most decoders refuse messages nested deeper than 100, and one object inside another is three messages: a
/// Struct, its entry and the Value in it.
pub(crate) const DEPTH_MAX: usize = 30;

/// How deep the lists and objects in an answer may be nested: more than any decoder takes.
const DEPTH_READ_MAX: usize = 100;

/// Whole numbers below this are written without a point, as JavaScript writes them.
const WHOLE_MAX: f64 = 9_007_199_254_740_992.0;

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

/// What a Value says. Of several members that are set the last one counts.
enum Said<'b> {
    Null,
    Number(f64),
    Text(&'b [u8]),
    Boolean(bool),
    Object(Cow<'b, [u8]>),
    List(Cow<'b, [u8]>),
}

/// Writes the content of a Struct, a Value or a ListValue as JSON.
pub(crate) fn read(known: WellKnown, bytes: &[u8], out: &mut Vec<u8>) -> Result<Leaf, Why> {
    match known {
        WellKnown::Struct => read_object(bytes, 1, out)?,
        WellKnown::ListValue => read_list(bytes, 1, out)?,
        _ => return read_value(bytes, 1, out),
    }
    Ok(Leaf::Written)
}

fn read_value(bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<Leaf, Why> {
    match said(bytes)? {
        Said::Null => return Ok(Leaf::Null),
        Said::Number(number) => read_number(number, out)?,
        Said::Text(bytes) => text::string(bytes, out)?,
        Said::Boolean(true) => out.extend_from_slice(b"true"),
        Said::Boolean(false) => out.extend_from_slice(b"false"),
        Said::Object(bytes) => read_object(&bytes, depth, out)?,
        Said::List(bytes) => read_list(&bytes, depth, out)?,
    }
    Ok(Leaf::Written)
}

fn said(bytes: &[u8]) -> Result<Said<'_>, Why> {
    let mut said = Said::Null;
    for field in fields(bytes) {
        let (number, raw) = field?;
        said = match (number, said) {
            (1, _) => raw.varint().map(|_| Said::Null)?,
            (2, _) => Said::Number(f64::from_bits(raw.fixed64()?)),
            (3, _) => Said::Text(raw.bytes()?),
            (4, _) => Said::Boolean(raw.varint()? != 0),
            (5, Said::Object(before)) => Said::Object(merged(before, raw.bytes()?)),
            (5, _) => Said::Object(Cow::Borrowed(raw.bytes()?)),
            (6, Said::List(before)) => Said::List(merged(before, raw.bytes()?)),
            (6, _) => Said::List(Cow::Borrowed(raw.bytes()?)),
            (_, said) => said,
        };
    }
    Ok(said)
}

/// A message in several pieces is the pieces behind each other.
fn merged<'b>(before: Cow<'b, [u8]>, bytes: &'b [u8]) -> Cow<'b, [u8]> {
    if before.is_empty() {
        return Cow::Borrowed(bytes);
    }
    let mut all = before.into_owned();
    all.extend_from_slice(bytes);
    Cow::Owned(all)
}

fn read_number(number: f64, out: &mut Vec<u8>) -> Result<(), Why> {
    if !number.is_finite() {
        return Err(Why::NotFinite);
    }
    let whole = number as i64;
    if number.abs() < WHOLE_MAX && (whole as f64).to_bits() == number.to_bits() {
        out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    } else {
        out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    }
    Ok(())
}

fn read_object(bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Why> {
    if depth > DEPTH_READ_MAX {
        return Err(Why::Malformed);
    }
    let mut entries = Vec::new();
    for field in fields(bytes) {
        if let (1, raw) = field? {
            entries.push(entry(raw.bytes()?)?);
        }
    }
    // Stable: of two entries with one key the last one counts.
    entries.sort_by_key(|(key, _)| *key);
    let mut mark = b'{';
    for (at, (key, value)) in entries.iter().enumerate() {
        if entries.get(at + 1).is_some_and(|(next, _)| next == key) {
            continue;
        }
        out.push(mark);
        mark = b',';
        text::string(key, out)?;
        out.push(b':');
        read_inner(value, depth + 1, out)?;
    }
    if mark == b'{' {
        out.push(mark);
    }
    out.push(b'}');
    Ok(())
}

fn entry(bytes: &[u8]) -> Result<(&[u8], Cow<'_, [u8]>), Why> {
    let (mut key, mut value) = (&[][..], Cow::Borrowed(&[][..]));
    for field in fields(bytes) {
        match field? {
            (1, raw) => key = raw.bytes()?,
            (2, raw) => value = merged(value, raw.bytes()?),
            _ => {}
        }
    }
    Ok((key, value))
}

fn read_list(bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Why> {
    if depth > DEPTH_READ_MAX {
        return Err(Why::Malformed);
    }
    let mut mark = b'[';
    for field in fields(bytes) {
        if let (1, raw) = field? {
            out.push(mark);
            mark = b',';
            read_inner(raw.bytes()?, depth + 1, out)?;
        }
    }
    if mark == b'[' {
        out.push(mark);
    }
    out.push(b']');
    Ok(())
}

/// A Value inside of a list or an object, where null may stand.
fn read_inner(bytes: &[u8], depth: usize, out: &mut Vec<u8>) -> Result<(), Why> {
    match read_value(bytes, depth, out)? {
        Leaf::Written => {}
        Leaf::Null => out.extend_from_slice(b"null"),
    }
    Ok(())
}
