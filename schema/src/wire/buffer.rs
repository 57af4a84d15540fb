//! Protobuf bytes as they grow.
//!
//! A nested message is written in place: one byte is kept for its length, and moved apart in the rare case
//! that the length needs more. So nothing is measured first and nothing is written twice.

use std::borrow::Cow;

/// What one scalar is in the bytes, without its tag.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Primitive<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(Cow<'a, [u8]>),
}

impl Primitive<'_> {
    /// Whether it is what its absence means where presence is not told.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Primitive::Varint(value) | Primitive::Fixed64(value) => *value == 0,
            Primitive::Fixed32(value) => *value == 0,
            Primitive::Bytes(bytes) => bytes.is_empty(),
        }
    }

    fn brackets(&self) -> Brackets {
        match self {
            Primitive::Varint(_) => Brackets::Varint,
            Primitive::Fixed32(_) => Brackets::Fixed32,
            Primitive::Fixed64(_) => Brackets::Fixed64,
            Primitive::Bytes(_) => Brackets::Length,
        }
    }
}

/// Protobuf's wire types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Brackets {
    Varint = 0,
    Fixed64 = 1,
    Length = 2,
    Open = 3,
    Close = 4,
    Fixed32 = 5,
}

/// Where a nested message began.
#[derive(Debug)]
#[must_use]
pub(crate) struct Nested {
    start: usize,
}

/// Bytes of a message.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    /// A buffer that goes on after these bytes.
    pub(crate) fn after(bytes: Vec<u8>) -> Buffer {
        Buffer { bytes }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Bytes of fields that are complete.
    pub(crate) fn fields(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
    }

    pub(crate) fn tag(&mut self, number: u32, brackets: Brackets) {
        self.varint(u64::from(number) << 3 | brackets as u64);
    }

    /// A field with its tag.
    pub(crate) fn field(&mut self, number: u32, value: &Primitive<'_>) {
        self.tag(number, value.brackets());
        self.item(value);
    }

    /// A value without a tag, as it stands in a packed field.
    pub(crate) fn item(&mut self, value: &Primitive<'_>) {
        match value {
            Primitive::Varint(value) => self.varint(*value),
            Primitive::Fixed32(value) => self.bytes.extend_from_slice(&value.to_le_bytes()),
            Primitive::Fixed64(value) => self.bytes.extend_from_slice(&value.to_le_bytes()),
            Primitive::Bytes(bytes) => {
                self.varint(bytes.len() as u64);
                self.bytes.extend_from_slice(bytes);
            }
        }
    }

    /// Begins a field whose length is known when it ends.
    pub(crate) fn open(&mut self, number: u32) -> Nested {
        self.tag(number, Brackets::Length);
        self.bytes.push(0);
        Nested { start: self.bytes.len() }
    }

    /// Ends it.
    pub(crate) fn close(&mut self, nested: Nested) {
        let length = self.bytes.len() - nested.start;
        let (digits, count) = varint(length as u64);
        let place = nested.start - 1;
        self.bytes.splice(place..=place, digits[..count].iter().copied());
    }

    fn varint(&mut self, value: u64) {
        let (digits, count) = varint(value);
        self.bytes.extend_from_slice(&digits[..count]);
    }
}

/// Seven bits a byte, the lowest first, and how many bytes it takes.
fn varint(mut value: u64) -> ([u8; 10], usize) {
    let mut digits = [0; 10];
    let mut count = 0;
    while value >= 0x80 {
        digits[count] = value as u8 | 0x80;
        value >>= 7;
        count += 1;
    }
    digits[count] = value as u8;
    (digits, count + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nested_message_gets_its_length_however_long_it_is() {
        for length in [0usize, 1, 127, 128, 300, 16_383, 16_384, 70_000] {
            let mut buffer = Buffer::default();
            let outer = buffer.open(1);
            buffer.field(2, &Primitive::Bytes(Cow::Owned(vec![7; length])));
            buffer.close(outer);
            let mut expected = Vec::new();
            let mut inner = Vec::new();
            prost::encoding::bytes::encode(2, &vec![7u8; length], &mut inner);
            prost::encoding::bytes::encode(1, &inner, &mut expected);
            assert_eq!(buffer.into_bytes(), expected, "{length}");
        }
    }

    #[test]
    fn varints_are_those_of_prost() {
        for value in [0, 1, 127, 128, 1 << 35, u64::MAX] {
            let mut expected = Vec::new();
            prost::encoding::encode_varint(value, &mut expected);
            let mut buffer = Buffer::default();
            buffer.item(&Primitive::Varint(value));
            assert_eq!(buffer.into_bytes(), expected);
        }
    }
}
