//! The fields of a message that no table knows: well-known messages and wrappers.
//!
//! One field after the other, nothing kept. What is no message is an error, as it is for the messages that
//! have a table.

use super::Why;

/// How deep groups that nobody knows may lie in each other.
const GROUPS_MAX: usize = 100;

/// The fields of a message, in the order of the bytes. It ends after an error.
#[derive(Clone, Debug)]
pub(crate) struct Fields<'b>(&'b [u8]);

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
    Fields(bytes)
}

impl<'b> Iterator for Fields<'b> {
    type Item = Result<(u32, Raw<'b>), Why>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let field = self.field();
        if field.is_none() {
            self.0 = &[];
        }
        Some(field.ok_or(Why::Malformed))
    }
}

impl<'b> Fields<'b> {
    fn field(&mut self) -> Option<(u32, Raw<'b>)> {
        let (number, wire_type) = self.tag()?;
        let raw = match wire_type {
            3 => self.skip_group(number)?,
            _ => self.raw(wire_type)?,
        };
        Some((number, raw))
    }

    fn tag(&mut self) -> Option<(u32, u32)> {
        let tag = u32::try_from(self.varint()?).ok()?;
        (tag >> 3 > 0).then_some((tag >> 3, tag & 7))
    }

    /// A value that is no group.
    fn raw(&mut self, wire_type: u32) -> Option<Raw<'b>> {
        Some(match wire_type {
            0 => Raw::Varint(self.varint()?),
            1 => Raw::Fixed64(u64::from_le_bytes(*self.take(8)?.first_chunk()?)),
            2 => {
                let length = usize::try_from(self.varint()?).ok()?;
                Raw::Bytes(self.take(length)?)
            }
            5 => Raw::Fixed32(u32::from_le_bytes(*self.take(4)?.first_chunk()?)),
            _ => return None,
        })
    }

    fn skip_group(&mut self, number: u32) -> Option<Raw<'b>> {
        let mut open = vec![number];
        while let Some(innermost) = open.last() {
            match self.tag()? {
                (number, 3) if open.len() < GROUPS_MAX => open.push(number),
                (number, 4) if number == *innermost => {
                    open.pop();
                }
                (_, 3 | 4) => return None,
                (_, wire_type) => {
                    self.raw(wire_type)?;
                }
            }
        }
        Some(Raw::Group)
    }

    fn varint(&mut self) -> Option<u64> {
        let mut value = 0;
        for (at, byte) in self.0.iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * at);
            if *byte < 0x80 {
                self.0 = self.0.get(at + 1..)?;
                // The tenth byte has room for one bit.
                return (at < 9 || *byte < 2).then_some(value);
            }
        }
        None
    }

    fn take(&mut self, length: usize) -> Option<&'b [u8]> {
        let (taken, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(taken)
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
