//! Keys of entities on their way into the request that loads them.
//!
//! A key was read from one service's bytes and is sent to another, and the two need not agree on the kind:
//! an order may hold as text what a user has as a number. So a key is a value and not bytes, and the field
//! that takes it says how it is written.

use std::borrow::Cow;
use std::hash::{Hash, Hasher};

use super::answers::Held;
use super::buffer::{Buffer, Primitive};
use super::keys::Normal;
use super::scalar::{of_integer, parse_integer};
use crate::graph::{Kind, Read, Wire};

/// The key of an entity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key<'a> {
    /// Of any integer kind.
    Integer(i128),
    /// Of a string.
    Text(&'a str),
    /// Of a bytes field.
    Bytes(&'a [u8]),
}

/// Writes keys into the request field that takes them: all of them where it is repeated, else the first.
///
/// A key that the field has no room for, such as a text for a number, is nobody's key there: it is left
/// out, and the entity is not found. The bytes may stand anywhere among the fields of a request.
pub fn encode_keys(field: &Read, keys: &[Key<'_>]) -> Vec<u8> {
    let (wire, wrapped) = match &field.kind {
        Kind::Scalar(wire, _) => (*wire, false),
        Kind::Wrapper(wire, _) => (*wire, true),
        Kind::Enum(_) | Kind::Message(_) | Kind::Group(_) | Kind::WellKnown(_) => return Vec::new(),
    };
    let written: Vec<Primitive<'_>> = keys.iter().filter_map(|key| primitive(wire, *key)).collect();
    let repeated = field.count == crate::graph::Count::Repeated;
    let mut out = Buffer::default();
    if repeated && !wrapped && !matches!(wire, Wire::String | Wire::Bytes) {
        if !written.is_empty() {
            let packed = out.open(field.number);
            written.iter().for_each(|key| out.item(key));
            out.close(packed);
        }
        return out.into_bytes();
    }
    for key in written.iter().take(if repeated { usize::MAX } else { 1 }) {
        if wrapped {
            let nested = out.open(field.number);
            out.field(1, key);
            out.close(nested);
        } else {
            out.field(field.number, key);
        }
    }
    out.into_bytes()
}

impl Hash for Key<'_> {
    /// Keys are hashed once for everyone who refers to them: of an integer the low half is enough, and the keys
    /// of one map are all of one kind.
    fn hash<H: Hasher>(&self, state: &mut H) {
        match self {
            Key::Integer(integer) => state.write_u64(*integer as u64),
            Key::Text(text) => text.hash(state),
            Key::Bytes(bytes) => bytes.hash(state),
        }
    }
}

impl Key<'_> {
    /// Whether it is what an absent field holds.
    pub(crate) fn is_zero(&self) -> bool {
        match self {
            Key::Integer(integer) => *integer == 0,
            Key::Text(text) => text.is_empty(),
            Key::Bytes(bytes) => bytes.is_empty(),
        }
    }
}

/// A key as the one that a field of this kind would be written with; `None` when it has no room for it.
pub(crate) fn normal<'k>(wire: Wire, key: Key<'k>) -> Option<Normal<'k>> {
    let fits = |integer| of_integer(wire, integer).map(|_| integer);
    Some(match (wire, key) {
        (Wire::String, Key::Text(_)) | (Wire::Bytes, Key::Bytes(_)) => Normal::Same(key),
        (Wire::String, Key::Integer(integer)) => Normal::Other(Held::Text(integer.to_string().into())),
        (Wire::String, Key::Bytes(_))
        | (Wire::Bytes, Key::Text(_) | Key::Integer(_))
        | (_, Key::Bytes(_)) => {
            return None;
        }
        (_, Key::Integer(integer)) => fits(integer).map(|_| Normal::Same(key))?,
        (_, Key::Text(text)) => Normal::Other(Held::Integer(fits(parse_integer(text)?)?)),
    })
}

fn primitive(wire: Wire, key: Key<'_>) -> Option<Primitive<'_>> {
    let bytes = |bytes| Some(Primitive::Bytes(bytes));
    match (wire, key) {
        (Wire::String, Key::Text(text)) => bytes(Cow::Borrowed(text.as_bytes())),
        (Wire::String, Key::Integer(integer)) => bytes(Cow::Owned(integer.to_string().into_bytes())),
        (Wire::String, Key::Bytes(_)) => None,
        (Wire::Bytes, Key::Bytes(key)) => bytes(Cow::Borrowed(key)),
        (Wire::Bytes, Key::Text(_) | Key::Integer(_)) => None,
        (_, Key::Integer(integer)) => of_integer(wire, integer),
        (_, Key::Text(text)) => of_integer(wire, parse_integer(text)?),
        (_, Key::Bytes(_)) => None,
    }
}
