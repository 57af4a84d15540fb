//! The vocabulary of a graph: types, fields, and how each is read from or written to protobuf bytes.
//!
//! A subgraph and a supergraph are both made of these. A type here is complete in itself: whoever plans,
//! writes SDL or compares two graphs needs no descriptor any more. Names in here are final GraphQL names;
//! numbers are protobuf field numbers. How descriptors become these is `subgraph`'s business, and who
//! answers for a field of the whole graph is `supergraph`'s.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// A name in the graph: of a type, a field, an argument, an enum value. Legal by the GraphQL grammar.
pub type Name = Arc<str>;

/// Types by name.
pub type Types = BTreeMap<Name, Type>;

/// What a person reads about a thing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Doc {
    /// From the leading comment; empty when there is none.
    pub description: String,
    /// Why it should no longer be used.
    pub deprecated: Option<String>,
}

/// A use of a type: `User`, `User!`, `[User!]!`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TypeRef {
    /// The type itself, nullable.
    Named(Name),
    /// A nullable list.
    List(Box<TypeRef>),
    /// The same without null.
    NonNull(Box<TypeRef>),
}

impl TypeRef {
    /// `name`, nullable.
    pub fn named(name: impl Into<Name>) -> TypeRef {
        TypeRef::Named(name.into())
    }

    /// The same without null; unchanged when it has none already.
    #[must_use]
    pub fn non_null(self) -> TypeRef {
        match self {
            TypeRef::NonNull(_) => self,
            TypeRef::Named(_) | TypeRef::List(_) => TypeRef::NonNull(Box::new(self)),
        }
    }

    /// `[self!]`: a list as protobuf has them, whose items are never null.
    #[must_use]
    pub fn list(self) -> TypeRef {
        TypeRef::List(Box::new(self.non_null()))
    }

    /// The same with null allowed at the outermost place.
    #[must_use]
    pub fn nullable(self) -> TypeRef {
        match self {
            TypeRef::NonNull(inner) => *inner,
            TypeRef::Named(_) | TypeRef::List(_) => self,
        }
    }

    /// The type at the core.
    pub fn core(&self) -> &Name {
        match self {
            TypeRef::Named(name) => name,
            TypeRef::List(inner) | TypeRef::NonNull(inner) => inner.core(),
        }
    }

    /// Whether null is not allowed at the outermost place.
    pub fn is_non_null(&self) -> bool {
        matches!(self, TypeRef::NonNull(_))
    }

    /// Whether it is a list, whether or not it may be null.
    pub fn is_list(&self) -> bool {
        match self {
            TypeRef::List(_) => true,
            TypeRef::NonNull(inner) => inner.is_list(),
            TypeRef::Named(_) => false,
        }
    }
}

impl fmt::Display for TypeRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TypeRef::Named(name) => f.write_str(name),
            TypeRef::List(inner) => write!(f, "[{inner}]"),
            TypeRef::NonNull(inner) => write!(f, "{inner}!"),
        }
    }
}

/// A type of the graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Type {
    /// Something with fields.
    Object(Object),
    /// Something that is sent.
    Input(Input),
    /// One of a few names.
    Enum(Enum),
    /// One of a few objects.
    Union(Union),
    /// A leaf beyond GraphQL's own five.
    Scalar(Scalar),
}

impl Type {
    /// What a person reads about it.
    pub fn doc(&self) -> &Doc {
        match self {
            Type::Object(object) => &object.doc,
            Type::Input(input) => &input.doc,
            Type::Enum(definition) => &definition.doc,
            Type::Union(union) => &union.doc,
            Type::Scalar(scalar) => scalar.doc(),
        }
    }
}

/// A type with fields, read from a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    /// What a person reads about it.
    pub doc: Doc,
    /// The full name of its message, or of what it was made for: the map field of an entry
    /// (`shop.v1.Product.attributes`), the oneof member of a union's wrapper.
    pub source: Name,
    /// In the order of the message, joins after the field they start from.
    pub fields: Vec<Field>,
}

impl Object {
    /// One field.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| &*field.name == name)
    }
}

/// A field of an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name.
    pub name: Name,
    /// What a person reads about it.
    pub doc: Doc,
    /// Its type.
    pub ty: TypeRef,
    /// Only fields answered by an RPC have any.
    pub arguments: Vec<Argument>,
    /// Where its value comes from.
    pub resolve: Resolve,
}

/// Where the value of a field comes from, seen from the bytes of its parent's message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolve {
    /// From the same bytes.
    Read(Read),
    /// The name of the member of a oneof that is set; null when none is.
    Case(Vec<Case>),
    /// The member of a oneof that is set, as a union; null when none is.
    Choice(Vec<Choice>),
    /// The entity whose key stands in this field of the same bytes.
    Edge(Edge),
    /// An RPC that takes the parent's key, by its place in the list of extensions.
    Extension(usize),
    /// An RPC, by its place in the list of roots.
    Root(usize),
    /// True: the one field of a response that has none, so that it can gain fields later.
    Ok,
}

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
    /// Always one; the kind's zero when it is absent from the bytes.
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
    /// A name by its number: the graph's enum of this name. An unknown number is null.
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

/// An argument of a field, or a field of an input: something that is sent, and where it goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Argument {
    /// Its name.
    pub name: Name,
    /// What a person reads about it.
    pub doc: Doc,
    /// Its type. Non-null only where the service demands it.
    pub ty: TypeRef,
    /// The request field it is written to.
    pub write: Read,
}

/// A type that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    /// What a person reads about it.
    pub doc: Doc,
    /// The full name of its message, or the map field of an entry.
    pub source: Name,
    /// In the order of the message.
    pub fields: Vec<Argument>,
    /// Sets of fields of which at most one may be given.
    pub one_of: Vec<OneOf>,
}

/// Fields of which at most one may be given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOf {
    /// The oneof's name in the proto, for messages.
    pub name: Name,
    /// The fields' names.
    pub members: Vec<Name>,
}

/// One of a few names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enum {
    /// What a person reads about it.
    pub doc: Doc,
    /// The full name of the proto enum, or of the oneof whose cases these are.
    pub source: Name,
    /// In the order of the proto, without the hidden zero.
    pub values: Vec<EnumValue>,
    /// Whether the zero value is hidden, and written as null.
    pub zero_is_null: bool,
}

/// A name of an enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumValue {
    /// The name.
    pub name: Name,
    /// What a person reads about it.
    pub doc: Doc,
    /// Its number. Of several names with one number the first is written, and all are taken.
    pub number: i32,
}

/// One of a few objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Union {
    /// What a person reads about it.
    pub doc: Doc,
    /// The full name of the oneof.
    pub source: Name,
    /// The objects, in the order of the oneof.
    pub members: Vec<Name>,
}

/// Leaves beyond GraphQL's own five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each says in `description` what it is")]
pub enum Scalar {
    UInt32,
    Int64,
    UInt64,
    Bytes,
    DateTime,
    Duration,
    Date,
    Json,
    FieldMask,
}

impl Scalar {
    /// All of them, in alphabetical order of their names.
    pub const ALL: [Scalar; 9] = [
        Scalar::Bytes,
        Scalar::Date,
        Scalar::DateTime,
        Scalar::Duration,
        Scalar::FieldMask,
        Scalar::Int64,
        Scalar::Json,
        Scalar::UInt32,
        Scalar::UInt64,
    ];

    /// Its name in the graph.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::UInt32 => "UInt32",
            Scalar::Int64 => "Int64",
            Scalar::UInt64 => "UInt64",
            Scalar::Bytes => "Bytes",
            Scalar::DateTime => "DateTime",
            Scalar::Duration => "Duration",
            Scalar::Date => "Date",
            Scalar::Json => "JSON",
            Scalar::FieldMask => "FieldMask",
        }
    }

    /// What a person reads about it.
    pub fn doc(self) -> &'static Doc {
        static DOCS: std::sync::LazyLock<BTreeMap<Scalar, Doc>> = std::sync::LazyLock::new(|| {
            let doc = |scalar: Scalar| Doc { description: scalar.description().to_owned(), deprecated: None };
            Scalar::ALL.into_iter().map(|scalar| (scalar, doc(scalar))).collect()
        });
        &DOCS[&self]
    }

    fn description(self) -> &'static str {
        match self {
            Scalar::UInt32 => "A whole number from 0 to 4294967295.",
            Scalar::Int64 => {
                "A whole number of 64 bits. Sent as a string, because JavaScript's numbers lose digits; taken \
                 as a string or a number."
            }
            Scalar::UInt64 => {
                "A whole number of 64 bits without a sign. Sent as a string, because JavaScript's numbers lose \
                 digits; taken as a string or a number."
            }
            Scalar::Bytes => {
                "Bytes in base64. Sent with the standard alphabet and padding; taken in either alphabet."
            }
            Scalar::DateTime => "A moment by RFC 3339. Sent in UTC; taken with any offset.",
            Scalar::Duration => "A length of time in seconds with an \"s\" behind: \"3.5s\".",
            Scalar::Date => "A day: \"2026-11-21\".",
            Scalar::Json => "Any JSON value.",
            Scalar::FieldMask => "Names of fields, separated by commas.",
        }
    }
}

/// An RPC of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rpc {
    /// The full name of its protobuf service.
    pub service: Name,
    /// Its own name.
    pub method: Name,
    /// The full name of its request message.
    pub request: Name,
    /// The full name of its response message.
    pub response: Name,
    /// Whether it may be repeated.
    pub safety: Safety,
    /// Whether it answers with a stream.
    pub streams: bool,
    /// What one call costs when an operation is measured.
    pub cost: u32,
}

impl Rpc {
    /// The path it is called by: `/shop.catalog.v1.CatalogService/GetProduct`.
    pub fn path(&self) -> String {
        format!("/{}/{}", self.service, self.method)
    }
}

/// Whether an RPC may be repeated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Safety {
    /// It only reads (`NO_SIDE_EFFECTS`).
    ReadOnly,
    /// Twice is the same as once (`IDEMPOTENT`).
    Idempotent,
    /// Nobody said; it is called once.
    Once,
}

/// The operation types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RootKind {
    /// Reads, in parallel.
    Query,
    /// Changes, one after the other.
    Mutation,
    /// A stream of events.
    Subscription,
}

impl RootKind {
    /// The name of its type.
    pub fn as_str(self) -> &'static str {
        match self {
            RootKind::Query => "Query",
            RootKind::Mutation => "Mutation",
            RootKind::Subscription => "Subscription",
        }
    }
}

/// A field of `Query`, `Mutation` or `Subscription`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The type it is on.
    pub kind: RootKind,
    /// The field as it appears; its `resolve` is `Root` with its own place.
    pub field: Field,
    /// The RPC that answers it.
    pub rpc: Rpc,
    /// The response field that is returned in place of the response.
    pub unwrap: Option<Read>,
    /// Sets of arguments of which at most one may be given.
    pub one_of: Vec<OneOf>,
    /// The request field that is derived and not an argument.
    pub mask: Option<Mask>,
}

/// A field mask that the gateway fills in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mask {
    /// This request field names the input fields that were given (`update_mask`), of the message in the
    /// other request field.
    Update {
        /// The mask's field number.
        mask: u32,
        /// The field number of what is updated.
        of: u32,
        /// In what is updated, the field that says which one it is, and so is never in the mask.
        key: Option<u32>,
    },
    /// This request field names the response fields that were asked for (`read_mask`).
    Read {
        /// The mask's field number.
        mask: u32,
    },
}

/// Something with a key, which other services may refer to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entity {
    /// Its name, which is that of its object.
    pub name: Name,
    /// The name of the field that identifies it.
    pub key_field: Name,
    /// The same field in the bytes.
    pub key: Read,
}

/// An RPC that loads an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lookup {
    /// The entity's name.
    pub entity: Name,
    /// The RPC.
    pub rpc: Rpc,
    /// The request field that takes the key, or, repeated, the keys.
    pub keys: Read,
    /// The repeated response field with the entities; for a single lookup, the field with the one, or
    /// `None` when the response is the entity itself.
    pub items: Option<Read>,
    /// The field of an item that holds its key.
    pub key: Read,
    /// The most keys that one call takes; 1 for a single lookup.
    pub max_keys: u32,
}

impl Lookup {
    /// Whether one call takes many keys.
    pub fn is_batch(&self) -> bool {
        self.keys.count == Count::Repeated
    }
}

/// An RPC that adds a field to an entity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extension {
    /// The entity that gains the field.
    pub entity: Name,
    /// The field as it appears; its `resolve` is `Extension` with its own place.
    pub field: Field,
    /// The RPC.
    pub rpc: Rpc,
    /// Sets of arguments of which at most one may be given.
    pub one_of: Vec<OneOf>,
    /// The request field that takes the parent's key, or, repeated, the keys.
    pub key: Read,
    /// The response field with the answer; `None` when the response is the answer.
    pub items: Option<Read>,
    /// In a batch, the field of an item that holds the key it belongs to.
    pub group_by: Option<Read>,
    /// The most keys that one call takes; 1 for a single call.
    pub max_keys: u32,
}
