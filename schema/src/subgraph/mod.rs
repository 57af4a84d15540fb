//! What one version of a service offers, read from its descriptors.
//!
//! Defaults come from protobuf's and Google's own annotations, then from Turnout's options, then from the
//! operator's policy; each inferred fact is recorded with its origin. Nothing is public unless the service
//! or the operator says so. What cannot be mapped is left out with a diagnostic, and the rest is kept.

pub mod descriptors;

pub use descriptors::Descriptors;

use crate::Digest;
use crate::graph::{Entity, Extension, Lookup, Name, Root, Types};

/// What one version of a service offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subgraph {
    /// The registered service, which is not a protobuf service.
    pub service: Name,
    /// Its version.
    pub version: Name,
    /// Its descriptors.
    pub digest: Digest,
    /// Every type that its fields reach, but `Query`, `Mutation` and `Subscription`.
    pub types: Types,
    /// Its fields of `Query`, `Mutation` and `Subscription`.
    pub roots: Vec<Root>,
    /// The entities it owns: those of its messages that have a key.
    pub entities: Vec<Entity>,
    /// The RPCs that load entities.
    pub lookups: Vec<Lookup>,
    /// The fields it adds to entities, its own or another service's.
    pub extensions: Vec<Extension>,
    /// What was inferred, and from what.
    pub facts: Vec<Fact>,
}

/// Something that no option of Turnout's said outright.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, by its full protobuf name: `shop.catalog.v1.CatalogService.BatchGetProducts`.
    pub about: Name,
    /// What was inferred: `loads Product by ids, in batches`.
    pub what: String,
    /// From what.
    pub origin: Origin,
}

/// Where a fact comes from, the weakest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The shape of names and messages, as Google's API guidelines have them.
    Shape,
    /// An annotation of protobuf's or Google's own.
    Standard,
    /// An option of Turnout's.
    Option,
    /// The operator's policy.
    Operator,
}

/// What the operator says about a service, in `turnout.yaml`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exposure {
    /// Public is what the service's own options say.
    Annotated,
    /// Every RPC is public that is not marked `hidden`.
    All,
}
