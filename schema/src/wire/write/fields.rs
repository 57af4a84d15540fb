//! The fields of a message that no table knows: well-known messages and wrappers.
//!
//! One field after the other, nothing kept. What is no message is an error, as it is for the messages that
//! have a table.

use super::Why;
use crate::wire::buffer::Brackets;
use crate::wire::index::Malformed;
use crate::wire::scan;

/// The fields of a message, in the order of the bytes. It ends after an error.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'b> {
    bytes: &'b [u8],
    at: usize,
}

/// What a field is in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Raw<'b> {
    /// A varint.
    Varint(u64),
    /// Eight bytes.
    Fixed64(u64),
    /// Four bytes.
    Fixed32(u32),
    /// Anything behind its length.
    Bytes(&'b [u8]),
    /// Something between brackets.
    Group,
}

impl<'b> Raw<'b> {
    /// A varint; anything else is of the wrong kind.
    pub(crate) fn varint(self) -> Result<u64, Why> {
        match self {
            Raw::Varint(value) => Ok(value),
            Raw::Fixed64(_) | Raw::Fixed32(_) | Raw::Bytes(_) | Raw::Group => Err(Why::Malformed),
        }
    }

    /// Eight bytes; anything else is of the wrong kind.
    pub(crate) fn fixed64(self) -> Result<u64, Why> {
        match self {
            Raw::Fixed64(value) => Ok(value),
            Raw::Varint(_) | Raw::Fixed32(_) | Raw::Bytes(_) | Raw::Group => Err(Why::Malformed),
        }
    }

    /// Something behind its length; anything else is of the wrong kind.
    pub(crate) fn bytes(self) -> Result<&'b [u8], Why> {
        match self {
            Raw::Bytes(bytes) => Ok(bytes),
            Raw::Varint(_) | Raw::Fixed64(_) | Raw::Fixed32(_) | Raw::Group => Err(Why::Malformed),
        }
    }
}

/// The fields of a message.
pub(crate) fn fields(bytes: &[u8]) -> Fields<'_> {
    Fields { bytes, at: 0 }
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u32, Raw<'b>), Why>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.bytes.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.at = self.bytes.len();
        }
        Some(field.map_err(|_| Why::Malformed))
    }
}

impl<'b> Fields<'b> {
    fn field(&mut self) -> Result<(u32, Raw<'b>), Malformed> {
        let (bytes, end) = (self.bytes, self.bytes.len());
        let (number, brackets, at) = scan::tag(bytes, self.at, end)?;
        let (raw, at) = match brackets {
            Brackets::Varint => scan::varint(bytes, at, end).map(|(value, at)| (Raw::Varint(value), at))?,
            Brackets::Fixed64 => {
                scan::fixed64(bytes, at, end).map(|(value, at)| (Raw::Fixed64(value), at))?
            }
            Brackets::Fixed32 => {
                scan::fixed32(bytes, at, end).map(|(value, at)| (Raw::Fixed32(value), at))?
            }
            Brackets::Length => scan::length(bytes, at, end)
                .map(|(start, end)| (Raw::Bytes(bytes.get(start..end).unwrap_or_default()), end))?,
            Brackets::Open | Brackets::Close => (Raw::Group, scan::skip(bytes, number, brackets, at, end)?),
        };
        self.at = at;
        Ok((number, raw))
    }
}

#[cfg(test)]
mod tests {
    use super::{Raw, Why, fields};

    fn all(bytes: &[u8]) -> Result<Vec<(u32, Raw<'_>)>, Why> {
        fields(bytes).collect()
    }

    #[test]
    fn every_wire_type_is_read() {
        assert_eq!(
            all(b"\x08\xac\x02\x11\x01\0\0\0\0\0\0\0\x1a\x02hi\x25\x02\0\0\0\x2b\x08\x01\x33\x34\x2c"),
            Ok(vec![
                (1, Raw::Varint(300)),
                (2, Raw::Fixed64(1)),
                (3, Raw::Bytes(b"hi")),
                (4, Raw::Fixed32(2)),
                (5, Raw::Group),
            ])
        );
        assert_eq!(
            all(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
            Ok(vec![(1, Raw::Varint(u64::MAX))])
        );
        assert_eq!(all(b""), Ok(vec![]));
    }

    #[test]
    fn what_is_no_message_is_an_error() {
        for bytes in [
            &b"\x08"[..],
            b"\x08\x80",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x00\x01",
            b"\x0a\x05hi",
            b"\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01",
            b"\x09\x01",
            b"\x0d\x01",
            b"\x0b",
            b"\x0b\x14",
            b"\x0c",
            b"\x0e\x01",
            b"\x0f\x01",
            &b"\x0b".repeat(200),
        ] {
            assert_eq!(all(bytes), Err(Why::Malformed), "{bytes:?}");
        }
    }
}
