//! Why could an operation not be planned?
//!
//! A validated operation on a composed graph always can, but for its size and for the choice of the
//! operation: the rest says that somebody skipped a step, and where.

use async_graphql_parser::Pos;
use thiserror::Error as Described;

use crate::graph::Name;
use crate::variables;

/// What stands in the way of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Described)]
pub enum Error {
    /// The request names an operation that the document does not have.
    #[error("Unknown operation named \"{0}\".")]
    NoOperation(String),
    /// The document has several, and the request names none.
    #[error("Must provide operation name if query contains multiple operations.")]
    NoChoice,
    /// The graph has no such operations.
    #[error("Schema is not configured to execute {0} operation.")]
    NoRoot(&'static str),
    /// A subscription asks for nothing, or for several things.
    #[error("A subscription must select exactly one field.")]
    Events,
    /// It is far larger than what the limits of documents allow.
    #[error("The operation is too large to be planned.")]
    TooLarge,
    /// A fragment that the document does not have.
    #[error("Unknown fragment \"{name}\".")]
    Fragment {
        /// Its name.
        name: Name,
        /// Where it is spread.
        at: Pos,
    },
    /// A directive that is neither `@skip` nor `@include`, or has no condition.
    #[error("Unexpected directive \"@{name}\".")]
    Directive {
        /// Its name.
        name: Name,
        /// Where it stands.
        at: Pos,
    },
    /// A field that the type does not have there.
    #[error("Cannot query field \"{field}\" on type \"{of}\".")]
    Field {
        /// The type.
        of: Name,
        /// The field.
        field: Name,
        /// Where it is asked for.
        at: Pos,
    },
    /// An object without a selection, or a leaf with one.
    #[error("Field \"{field}\" of type \"{of}\" has a selection of subfields where it must not, or none.")]
    Selection {
        /// The type.
        of: Name,
        /// The field.
        field: Name,
        /// Where it is asked for.
        at: Pos,
    },
    /// Two fields with one response key that differ.
    #[error("Fields \"{key}\" conflict because they are different fields or have different arguments.")]
    Conflict {
        /// The response key.
        key: Name,
        /// Where the second is.
        at: Pos,
    },
    /// A value that the graph cannot take: of an argument, or the default of a variable.
    #[error("{0}")]
    Value(variables::error::Error),
    /// The graph itself does not hold together here.
    #[error("The graph has no {0}.")]
    Graph(String),
}

impl Error {
    /// Where in the document it is.
    pub fn at(&self) -> Option<Pos> {
        match self {
            Error::NoOperation(_)
            | Error::NoChoice
            | Error::NoRoot(_)
            | Error::Events
            | Error::TooLarge
            | Error::Graph(_) => None,
            Error::Fragment { at, .. }
            | Error::Directive { at, .. }
            | Error::Field { at, .. }
            | Error::Selection { at, .. }
            | Error::Conflict { at, .. } => Some(*at),
            Error::Value(error) => error.location,
        }
    }
}
