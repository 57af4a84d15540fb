//! What an operation needs from a graph, without the values it was sent with.
//!
//! Places are named by the protos they come from and not by the graph's type names: composition may name a
//! type differently when another service arrives, and what was recorded must outlive that. The exceptions
//! are the operation types, which come from no proto, and fields added to an entity by another service,
//! which stand under the entity's name, because that service may not know its proto.
//!
//! What cannot be known counts as used. A shape without recorded variables uses all that its variables'
//! types allow.

use std::collections::BTreeSet;

use crate::diff::Coordinate;
use crate::graph::{Name, Type};

/// What one operation needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shape {
    /// What people call it: its operation name, or its hash.
    pub name: String,
    /// What it needs.
    pub uses: BTreeSet<Use>,
}

/// One thing that an operation needs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// A field that is selected, an argument or an input field that is given, an enum value that is sent;
    /// of types: an input that is sent, an object that a fragment asks for.
    At(Coordinate),
    /// An entity, by its message, that is loaded by its key.
    Load(Name),
}

/// What a finding touches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Touch {
    /// This one thing.
    One(Use),
    /// Everything on a type.
    AllOf(Name),
}

impl Shape {
    pub(super) fn is_touched(&self, touch: &Touch) -> bool {
        match touch {
            Touch::One(one) => self.uses.contains(one),
            Touch::AllOf(owner) => self.uses.iter().any(|used| match used {
                Use::At(at) => at.ty() == owner,
                Use::Load(entity) => entity == owner,
            }),
        }
    }
}

/// The proto a type comes from; scalars come from none.
pub(super) fn source(ty: &Type) -> Option<&Name> {
    match ty {
        Type::Object(object) => Some(&object.source),
        Type::Input(input) => Some(&input.source),
        Type::Enum(definition) => Some(&definition.source),
        Type::Union(union) => Some(&union.source),
        Type::Scalar(_) => None,
    }
}
