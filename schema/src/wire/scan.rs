//! The smallest parts of protobuf bytes: tags, numbers, lengths, and how to get past what is unknown.
//!
//! Every function takes the bytes, a place and where the message ends, and gives what is there and the place
//! behind it, or says why there is no such thing. Nothing here reads past an end.

use super::buffer::Brackets;
use super::index::Malformed;
use crate::graph::Wire;

/// How deep groups that nobody looks into may be nested.
const GROUPS_MAX: usize = 100;

/// How a scalar lies in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    Varint,
    Fixed32,
    Fixed64,
    Bytes,
}

impl Wanted {
    pub(crate) fn of(wire: Wire) -> Wanted {
        match wire {
            Wire::Double | Wire::Fixed64 | Wire::Sfixed64 => Wanted::Fixed64,
            Wire::Float | Wire::Fixed32 | Wire::Sfixed32 => Wanted::Fixed32,
            Wire::Int32
            | Wire::Int64
            | Wire::Uint32
            | Wire::Uint64
            | Wire::Sint32
            | Wire::Sint64
            | Wire::Bool => Wanted::Varint,
            Wire::String | Wire::Bytes => Wanted::Bytes,
        }
    }

    pub(crate) fn brackets(self) -> Brackets {
        match self {
            Wanted::Varint => Brackets::Varint,
            Wanted::Fixed32 => Brackets::Fixed32,
            Wanted::Fixed64 => Brackets::Fixed64,
            Wanted::Bytes => Brackets::Length,
        }
    }
}

/// A field's number and how its value lies.
pub(crate) fn tag(bytes: &[u8], at: usize, end: usize) -> Result<(u32, Brackets, usize), Malformed> {
    let (tag, at) = varint(bytes, at, end)?;
    let tag = u32::try_from(tag).map_err(|_| Malformed::Tag)?;
    let brackets = match tag & 7 {
        0 => Brackets::Varint,
        1 => Brackets::Fixed64,
        2 => Brackets::Length,
        3 => Brackets::Open,
        4 => Brackets::Close,
        5 => Brackets::Fixed32,
        _ => return Err(Malformed::Tag),
    };
    match tag >> 3 {
        0 => Err(Malformed::Tag),
        number => Ok((number, brackets, at)),
    }
}

/// A number of at most ten bytes; a shorter one may be spelt longer than it needs to be.
#[inline]
pub(crate) fn varint(bytes: &[u8], at: usize, end: usize) -> Result<(u64, usize), Malformed> {
    let bytes = bytes.get(at..end).ok_or(Malformed::Truncated)?;
    match bytes.first() {
        Some(byte) if *byte < 0x80 => return Ok((u64::from(*byte), at + 1)),
        Some(_) => {}
        None => return Err(Malformed::Truncated),
    }
    let mut value = 0;
    for (place, byte) in bytes.iter().take(10).enumerate() {
        // Of the tenth byte one bit has room.
        if place == 9 && *byte > 1 {
            return Err(Malformed::Varint);
        }
        value |= u64::from(byte & 0x7f) << (7 * place);
        if *byte < 0x80 {
            return Ok((value, at + place + 1));
        }
    }
    Err(if bytes.len() < 10 { Malformed::Truncated } else { Malformed::Varint })
}

pub(crate) fn fixed32(bytes: &[u8], at: usize, end: usize) -> Result<(u32, usize), Malformed> {
    let bytes = bytes.get(at..end).and_then(<[u8]>::first_chunk).ok_or(Malformed::Truncated)?;
    Ok((u32::from_le_bytes(*bytes), at + 4))
}

pub(crate) fn fixed64(bytes: &[u8], at: usize, end: usize) -> Result<(u64, usize), Malformed> {
    let bytes = bytes.get(at..end).and_then(<[u8]>::first_chunk).ok_or(Malformed::Truncated)?;
    Ok((u64::from_le_bytes(*bytes), at + 8))
}

/// Where something begins and ends that is preceded by its length.
pub(crate) fn length(bytes: &[u8], at: usize, end: usize) -> Result<(usize, usize), Malformed> {
    let (length, at) = varint(bytes, at, end)?;
    let length = usize::try_from(length).map_err(|_| Malformed::Truncated)?;
    let behind = at.checked_add(length).filter(|behind| *behind <= end).ok_or(Malformed::Truncated)?;
    Ok((at, behind))
}

/// The place behind a field that nobody wants, whose tag was read.
pub(crate) fn skip(
    bytes: &[u8],
    number: u32,
    brackets: Brackets,
    at: usize,
    end: usize,
) -> Result<usize, Malformed> {
    match brackets {
        Brackets::Varint => varint(bytes, at, end).map(|(_, at)| at),
        Brackets::Fixed32 => fixed32(bytes, at, end).map(|(_, at)| at),
        Brackets::Fixed64 => fixed64(bytes, at, end).map(|(_, at)| at),
        Brackets::Length => length(bytes, at, end).map(|(_, behind)| behind),
        Brackets::Open => group(bytes, number, at, end),
        Brackets::Close => Err(Malformed::Group),
    }
}

/// The place behind a group, without calling oneself for the groups in it.
fn group(bytes: &[u8], number: u32, mut at: usize, end: usize) -> Result<usize, Malformed> {
    let mut open = vec![number];
    while let Some(innermost) = open.last().copied() {
        if at >= end {
            return Err(Malformed::Group);
        }
        let (number, brackets, behind) = tag(bytes, at, end)?;
        at = behind;
        match brackets {
            Brackets::Open if open.len() == GROUPS_MAX => return Err(Malformed::Deep),
            Brackets::Open => open.push(number),
            Brackets::Close if number == innermost => {
                open.pop();
            }
            Brackets::Close => return Err(Malformed::Group),
            Brackets::Varint | Brackets::Fixed32 | Brackets::Fixed64 | Brackets::Length => {
                at = skip(bytes, number, brackets, at, end)?;
            }
        }
    }
    Ok(at)
}

/// What a wrapper holds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value<'a> {
    Number(u64),
    Bytes(&'a [u8]),
}

/// The value of a message whose one field is 1: zero when it is not there, the last one when there are several.
pub(crate) fn wrapped(bytes: &[u8], wire: Wire) -> Result<Value<'_>, Malformed> {
    let wanted = Wanted::of(wire);
    let mut value = if wanted == Wanted::Bytes { Value::Bytes(&[]) } else { Value::Number(0) };
    let (mut at, end) = (0, bytes.len());
    while at < end {
        let (number, brackets, behind) = tag(bytes, at, end)?;
        at = behind;
        if number != 1 {
            at = skip(bytes, number, brackets, at, end)?;
            continue;
        }
        if brackets != wanted.brackets() {
            return Err(Malformed::Kind(number));
        }
        (value, at) = match wanted {
            Wanted::Varint => varint(bytes, at, end).map(|(number, at)| (Value::Number(number), at))?,
            Wanted::Fixed32 => {
                fixed32(bytes, at, end).map(|(number, at)| (Value::Number(u64::from(number)), at))?
            }
            Wanted::Fixed64 => fixed64(bytes, at, end).map(|(number, at)| (Value::Number(number), at))?,
            Wanted::Bytes => length(bytes, at, end)
                .map(|(start, end)| (Value::Bytes(bytes.get(start..end).unwrap_or_default()), end))?,
        };
    }
    Ok(value)
}

/// What the bits of a number mean where they are an integer; `None` where they are none.
pub(crate) fn integer(wire: Wire, bits: u64) -> Option<i128> {
    let low = bits as u32;
    Some(match wire {
        // Of a varint that is longer than its kind the low bits count.
        Wire::Int32 | Wire::Sfixed32 => i128::from(low as i32),
        Wire::Uint32 | Wire::Fixed32 => i128::from(low),
        Wire::Int64 | Wire::Sfixed64 => i128::from(bits as i64),
        Wire::Uint64 | Wire::Fixed64 => i128::from(bits),
        Wire::Sint32 => i128::from((low >> 1) as i32 ^ -((low & 1) as i32)),
        Wire::Sint64 => i128::from((bits >> 1) as i64 ^ -((bits & 1) as i64)),
        Wire::Double | Wire::Float | Wire::Bool | Wire::String | Wire::Bytes => return None,
    })
}
