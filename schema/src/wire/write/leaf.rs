//! One value without anything inside, from its bits or bytes to JSON.
//!
//! Protobuf's rules for what does not fit are kept: a number of 32 bits is the low half of a longer one, any
//! bit makes a truth value true. Where something cannot be said in JSON it is not, and the field hears why.

use super::Why;
use super::text;
use crate::graph::{Form, Wire};
use crate::wire::{base64, scan};

/// What became of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Leaf {
    /// It is written.
    Written,
    /// It is null, of which nothing is written: only the field knows whether null may stand there.
    Null,
}

/// A scalar as it was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content<'b> {
    /// The bits of a number; 0 for texts.
    pub(super) bits: u64,
    /// The bytes of a text; none for numbers.
    pub(super) bytes: &'b [u8],
}

impl Content<'_> {
    /// Whether it is the zero of its kind.
    pub(super) fn is_zero(self, wire: Wire) -> bool {
        match wire {
            Wire::String | Wire::Bytes => self.bytes.is_empty(),
            // Zero has two signs.
            Wire::Float => f32::from_bits(self.bits as u32) == 0.0,
            Wire::Double => f64::from_bits(self.bits) == 0.0,
            Wire::Int32 | Wire::Uint32 | Wire::Sint32 | Wire::Fixed32 | Wire::Sfixed32 => {
                self.bits as u32 == 0
            }
            Wire::Int64 | Wire::Uint64 | Wire::Sint64 | Wire::Fixed64 | Wire::Sfixed64 | Wire::Bool => {
                self.bits == 0
            }
        }
    }
}

/// Writes a scalar.
#[inline]
pub(super) fn scalar(wire: Wire, form: Form, content: Content<'_>, out: &mut Vec<u8>) -> Result<(), Why> {
    match wire {
        Wire::String => return text::string(content.bytes, out),
        Wire::Bytes => {
            out.push(b'"');
            base64::encode(content.bytes, out);
            out.push(b'"');
        }
        Wire::Bool => out.extend_from_slice(if content.bits == 0 { b"false" } else { b"true" }),
        Wire::Float => return float(f32::from_bits(content.bits as u32), out),
        Wire::Double => return float(f64::from_bits(content.bits), out),
        Wire::Int32 | Wire::Sfixed32 => integer(content.bits as i32, form, out),
        Wire::Uint32 | Wire::Fixed32 => integer(content.bits as u32, form, out),
        Wire::Sint32 => integer(unzigzag(u64::from(content.bits as u32)) as i32, form, out),
        Wire::Int64 | Wire::Sfixed64 => integer(content.bits as i64, Form::Id, out),
        Wire::Uint64 | Wire::Fixed64 => integer(content.bits, Form::Id, out),
        Wire::Sint64 => integer(unzigzag(content.bits), Form::Id, out),
    }
    Ok(())
}

/// The value in a wrapper: its field 1, or the zero of its kind.
pub(super) fn unwrapped(wire: Wire, bytes: &[u8]) -> Result<Content<'_>, Why> {
    match scan::wrapped(bytes, wire) {
        Ok(scan::Value::Number(bits)) => Ok(Content { bits, bytes: &[] }),
        Ok(scan::Value::Bytes(bytes)) => Ok(Content { bits: 0, bytes }),
        Err(_) => Err(Why::Malformed),
    }
}

#[inline]
fn integer(value: impl itoa::Integer, form: Form, out: &mut Vec<u8>) {
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(value);
    match form {
        Form::Plain => out.extend_from_slice(digits.as_bytes()),
        Form::Id => text::plain(digits, out),
    }
}

/// The shortest text that is read as the same number of the same size.
fn float<F: zmij::Float + Into<f64> + Copy>(value: F, out: &mut Vec<u8>) -> Result<(), Why> {
    if !value.into().is_finite() {
        return Err(Why::NotFinite);
    }
    out.extend_from_slice(zmij::Buffer::new().format_finite(value).as_bytes());
    Ok(())
}

fn unzigzag(bits: u64) -> i64 {
    (bits >> 1) as i64 ^ -((bits & 1) as i64)
}
