//! The graph that one frontend sees, in which every field knows who answers it.
//!
//! Made by `compose` from one version of each service, and immutable. Two frontends with the same versions
//! share one, because it is named by its content. The places in `Resolve::Root` and `Resolve::Extension`
//! point into the lists here.

use std::collections::BTreeMap;

use crate::Digest;
use crate::graph::{Entity, Extension, Lookup, Name, Root, RootKind, Types};

/// A composed graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Supergraph {
    /// Its name by its content: what it looks like and who answers.
    pub digest: Digest,
    /// All types, with `Query` and, where there are any fields, `Mutation` and `Subscription`.
    pub types: Types,
    /// The versions it was made of, by service.
    pub members: Vec<Member>,
    /// The fields of the operation types.
    pub roots: Vec<Served<Root>>,
    /// The fields added to entities.
    pub extensions: Vec<Served<Extension>>,
    /// The entities by name.
    pub entities: BTreeMap<Name, OwnedEntity>,
}

impl Supergraph {
    /// The name of the type of an operation, when the graph has it.
    pub fn root_type(&self, kind: RootKind) -> Option<&'static str> {
        self.types.contains_key(kind.as_str()).then_some(kind.as_str())
    }
}

/// One version of a service in a graph.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The registered service.
    pub service: Name,
    /// Its version.
    pub version: Name,
    /// Its descriptors.
    pub digest: Digest,
}

/// Something, and who answers it, by its place in the members.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served<T> {
    /// The member.
    pub by: usize,
    /// What it answers.
    pub what: T,
}

/// An entity, who owns it, and how it is loaded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedEntity {
    /// The member that owns it.
    pub by: usize,
    /// Its key.
    pub entity: Entity,
    /// How it is loaded by key: in batches where that is possible.
    pub lookup: Option<Lookup>,
}
