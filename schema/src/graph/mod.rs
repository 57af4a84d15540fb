//! The vocabulary of a graph: types, fields, and how each is read from or written to protobuf bytes.
//!
//! A subgraph and a supergraph are both made of these. A type here is complete in itself: whoever plans,
//! writes SDL or compares two graphs needs no descriptor any more. Names in here are final GraphQL names;
//! numbers are protobuf field numbers. How descriptors become these is `subgraph`'s business, and who
//! answers for a field of the whole graph is `supergraph`'s.

mod read;
mod rpc;
mod scalar;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use read::{Case, Choice, Count, Edge, Form, Kind, Read, WellKnown, Wire};
pub use rpc::{Entity, Extension, Lookup, Mask, Root, RootKind, Rpc, Safety};
pub use scalar::Scalar;

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

impl Field {
    /// The one field of what has none: it can gain others later without breaking anybody.
    pub fn ok() -> Field {
        Field {
            name: "ok".into(),
            doc: Doc { description: "Always true.".to_owned(), deprecated: None },
            ty: TypeRef::named("Boolean").non_null(),
            arguments: Vec::new(),
            resolve: Resolve::Ok,
        }
    }
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
