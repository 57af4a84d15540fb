//! RPCs and what they are in a graph: root fields, lookups of entities, fields added to entities.

use super::{Count, Field, Name, OneOf, Read};

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
        /// The response field with what the mask is about; none when it is the response itself.
        of: Option<u32>,
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
