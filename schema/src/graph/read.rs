//! How a value lies in protobuf bytes and how it looks in JSON, for reading and for writing alike.
//!
//! Everything the wire needs to know of a field, without its descriptor.

use super::Name;

/// A field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its name in the proto, which is what field masks call it. In the bytes only the number counts.
    pub name: Name,
    /// Its number.
    pub number: u32,
    /// How many values, and what their absence means.
    pub count: Count,
    /// What one value is.
    pub kind: Kind,
}

/// How many values a field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// Always one; the kind's zero when it is absent from the bytes. In an entry of a map so are messages:
    /// the zero of one is the message without fields.
    Implicit,
    /// One, or none: null.
    Optional,
    /// One; its absence is an error of this field (proto2 `required`).
    Required,
    /// One; a zero value, and absence, mean null (`empty_as_null`).
    EmptyAsNull,
    /// Any number, never null.
    Repeated,
    /// Any number of map entries, written sorted by key.
    Map,
}

/// What one protobuf value is, and how it is written as JSON.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A number, text, bytes or truth value.
    Scalar(Wire, Form),
    /// A name by its number: the graph's enum of this name. An unknown number is null, and so is a zero
    /// without a name; in a list, whose items are never null, such a value is left out.
    Enum(Name),
    /// A message that is an object of this name.
    Message(Name),
    /// A proto2 group, which is a message in other brackets.
    Group(Name),
    /// A message with one field 1 that is written as its value: google.protobuf.StringValue and its like.
    Wrapper(Wire, Form),
    /// A well-known message with a form of its own.
    WellKnown(WellKnown),
}

/// How a scalar lies in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "protobuf's own words")]
pub enum Wire {
    Double,
    Float,
    Int32,
    Int64,
    Uint32,
    Uint64,
    Sint32,
    Sint64,
    Fixed32,
    Fixed64,
    Sfixed32,
    Sfixed64,
    Bool,
    String,
    Bytes,
}

/// How a scalar looks in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// As its own scalar: `Int`, `UInt32`, `Int64` and `UInt64` (as strings), `Float`, `Boolean`,
    /// `String`, `Bytes` (base64).
    Plain,
    /// As an `ID`: a string, whatever it is underneath.
    Id,
}

/// Messages with a form of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names of google.protobuf's messages")]
pub enum WellKnown {
    Timestamp,
    Duration,
    FieldMask,
    Struct,
    Value,
    ListValue,
    Any,
    /// google.type.Date.
    Date,
    /// google.protobuf.NullValue, the enum of one value: always null.
    Null,
    /// A message without fields, where it is sent: `true` sends it. Where it is read it is an object.
    Empty,
}

/// A member of a oneof, by its name in the case enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The field's number.
    pub number: u32,
    /// The enum value.
    pub name: Name,
}

/// A member of a oneof, as a member of a union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The object it is written as.
    pub object: Name,
    /// The field, whose kind is a message when the object is its own, and anything else when the object
    /// is a wrapper with one field `value`.
    pub read: Read,
    /// Whether the object is a wrapper.
    pub wrapped: bool,
}

/// From a key to its entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The entity's name in the graph.
    pub entity: Name,
    /// The field of the same message that holds the key, or the keys.
    pub key: Read,
}
