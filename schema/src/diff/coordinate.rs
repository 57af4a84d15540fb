//! The place of something in a graph, as the specification writes it: `Product.title`.
//!
//! Ordered by type, then member, then argument, so that a list of findings reads like the schema.

use std::cmp::Ordering;
use std::fmt;

use crate::graph::Name;

/// A place in a graph.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Coordinate {
    /// `Product`.
    Type(Name),
    /// `Product.title`, of an object, an input or an enum.
    Member(Name, Name),
    /// `Query.product(id:)`.
    Argument(Name, Name, Name),
}

impl Coordinate {
    /// The type it is, or is on.
    pub fn ty(&self) -> &Name {
        match self {
            Coordinate::Type(ty) | Coordinate::Member(ty, _) | Coordinate::Argument(ty, _, _) => ty,
        }
    }

    fn parts(&self) -> (&Name, Option<&Name>, Option<&Name>) {
        match self {
            Coordinate::Type(ty) => (ty, None, None),
            Coordinate::Member(ty, member) => (ty, Some(member), None),
            Coordinate::Argument(ty, field, argument) => (ty, Some(field), Some(argument)),
        }
    }
}

impl Ord for Coordinate {
    fn cmp(&self, other: &Coordinate) -> Ordering {
        self.parts().cmp(&other.parts())
    }
}

impl PartialOrd for Coordinate {
    fn partial_cmp(&self, other: &Coordinate) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Coordinate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Coordinate::Type(ty) => f.write_str(ty),
            Coordinate::Member(ty, member) => write!(f, "{ty}.{member}"),
            Coordinate::Argument(ty, field, argument) => write!(f, "{ty}.{field}({argument}:)"),
        }
    }
}
