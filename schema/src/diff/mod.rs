//! What differs between two graphs, seen by those who send operations: safe, dangerous or breaking.
//!
//! Classes and names of changes are those of graphql-js, which tools of the field know; where it has none,
//! as for deprecations and sets of exclusive inputs, the names here follow its manner. A type that is gone
//! or has become something else is one change, and its members are not told one by one.
//!
//! Only what a schema shows is compared. Whether the same services answer, from the same bytes, is the
//! gate's question.

mod compare;
mod coordinate;

use std::collections::BTreeMap;
use std::fmt;

pub(crate) use compare::{Given, exclusive};
pub use coordinate::Coordinate;

use crate::Supergraph;
use crate::graph::{Name, Types};
use crate::supergraph::Served;

/// What a change means for those who send operations today.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Class {
    /// Nothing.
    Safe,
    /// Operations stay valid; code that reads the answers may not expect them.
    Dangerous,
    /// Some operations become invalid, or get what they were promised not to get.
    Breaking,
}

impl Class {
    /// The word that people and machines read.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Safe => "safe",
            Class::Dangerous => "dangerous",
            Class::Breaking => "breaking",
        }
    }
}

/// The kinds of change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each says its name and its sentence below")]
pub enum Kind {
    TypeAdded,
    TypeRemoved,
    TypeChangedKind,
    FieldAdded,
    FieldRemoved,
    FieldChangedKind,
    FieldChangedKindSafe,
    ArgRemoved,
    ArgChangedKind,
    ArgChangedKindSafe,
    RequiredArgAdded,
    OptionalArgAdded,
    RequiredInputFieldAdded,
    OptionalInputFieldAdded,
    InputMadeExclusive,
    InputFreed,
    ValueAddedToEnum,
    ValueRemovedFromEnum,
    TypeAddedToUnion,
    TypeRemovedFromUnion,
    DeprecationAdded,
    DeprecationRemoved,
    DeprecationChanged,
    DescriptionChanged,
}

impl Kind {
    /// What it means for those who send operations today.
    pub fn class(self) -> Class {
        match self {
            Kind::TypeRemoved
            | Kind::TypeChangedKind
            | Kind::FieldRemoved
            | Kind::FieldChangedKind
            | Kind::ArgRemoved
            | Kind::ArgChangedKind
            | Kind::RequiredArgAdded
            | Kind::RequiredInputFieldAdded
            | Kind::InputMadeExclusive
            | Kind::ValueRemovedFromEnum
            | Kind::TypeRemovedFromUnion => Class::Breaking,
            Kind::OptionalArgAdded
            | Kind::OptionalInputFieldAdded
            | Kind::ValueAddedToEnum
            | Kind::TypeAddedToUnion => Class::Dangerous,
            Kind::TypeAdded
            | Kind::FieldAdded
            | Kind::FieldChangedKindSafe
            | Kind::ArgChangedKindSafe
            | Kind::InputFreed
            | Kind::DeprecationAdded
            | Kind::DeprecationRemoved
            | Kind::DeprecationChanged
            | Kind::DescriptionChanged => Class::Safe,
        }
    }

    /// Its name for machines.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::TypeAdded => "TYPE_ADDED",
            Kind::TypeRemoved => "TYPE_REMOVED",
            Kind::TypeChangedKind => "TYPE_CHANGED_KIND",
            Kind::FieldAdded => "FIELD_ADDED",
            Kind::FieldRemoved => "FIELD_REMOVED",
            Kind::FieldChangedKind => "FIELD_CHANGED_KIND",
            Kind::FieldChangedKindSafe => "FIELD_CHANGED_KIND_SAFE",
            Kind::ArgRemoved => "ARG_REMOVED",
            Kind::ArgChangedKind => "ARG_CHANGED_KIND",
            Kind::ArgChangedKindSafe => "ARG_CHANGED_KIND_SAFE",
            Kind::RequiredArgAdded => "REQUIRED_ARG_ADDED",
            Kind::OptionalArgAdded => "OPTIONAL_ARG_ADDED",
            Kind::RequiredInputFieldAdded => "REQUIRED_INPUT_FIELD_ADDED",
            Kind::OptionalInputFieldAdded => "OPTIONAL_INPUT_FIELD_ADDED",
            Kind::InputMadeExclusive => "INPUT_MADE_EXCLUSIVE",
            Kind::InputFreed => "INPUT_FREED",
            Kind::ValueAddedToEnum => "VALUE_ADDED_TO_ENUM",
            Kind::ValueRemovedFromEnum => "VALUE_REMOVED_FROM_ENUM",
            Kind::TypeAddedToUnion => "TYPE_ADDED_TO_UNION",
            Kind::TypeRemovedFromUnion => "TYPE_REMOVED_FROM_UNION",
            Kind::DeprecationAdded => "DEPRECATION_ADDED",
            Kind::DeprecationRemoved => "DEPRECATION_REMOVED",
            Kind::DeprecationChanged => "DEPRECATION_CHANGED",
            Kind::DescriptionChanged => "DESCRIPTION_CHANGED",
        }
    }

    /// The same for people, after the coordinate.
    fn phrase(self) -> &'static str {
        match self {
            Kind::TypeAdded | Kind::FieldAdded | Kind::OptionalArgAdded | Kind::OptionalInputFieldAdded => {
                "was added"
            }
            Kind::TypeRemoved | Kind::FieldRemoved | Kind::ArgRemoved => "was removed",
            Kind::TypeChangedKind => "became something else",
            Kind::FieldChangedKind | Kind::ArgChangedKind => "changed its type",
            Kind::FieldChangedKindSafe | Kind::ArgChangedKindSafe => "changed its type compatibly",
            Kind::RequiredArgAdded | Kind::RequiredInputFieldAdded => "was added, and must be given",
            Kind::InputMadeExclusive => "may no longer be given beside the others of its set",
            Kind::InputFreed => "may be given beside the others of its former set",
            Kind::ValueAddedToEnum => "was added to the enum",
            Kind::ValueRemovedFromEnum => "was removed from the enum",
            Kind::TypeAddedToUnion => "gained a member",
            Kind::TypeRemovedFromUnion => "lost a member",
            Kind::DeprecationAdded => "was deprecated",
            Kind::DeprecationRemoved => "is no longer deprecated",
            Kind::DeprecationChanged => "is deprecated for another reason",
            Kind::DescriptionChanged => "is described differently",
        }
    }
}

/// One thing that differs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Change {
    /// Where.
    pub at: Coordinate,
    /// What happened there.
    pub kind: Kind,
    /// How it was: a type, a member, a reason. Empty when there was nothing.
    pub old: String,
    /// How it is. Empty when there is nothing.
    pub new: String,
}

impl fmt::Display for Change {
    /// One line: `breaking FIELD_CHANGED_KIND Product.stock changed its type: Int! -> Int`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Change { at, kind, old, new } = self;
        write!(f, "{} {} {at} {}", kind.class().as_str(), kind.as_str(), kind.phrase())?;
        match kind {
            // Texts of several lines help nobody in a list of changes.
            Kind::DescriptionChanged => Ok(()),
            _ if old.is_empty() && new.is_empty() => Ok(()),
            _ if old.is_empty() => write!(f, ": {new}"),
            _ if new.is_empty() => write!(f, ": {old}"),
            _ => write!(f, ": {old} -> {new}"),
        }
    }
}

/// Everything that differs, in the order of the coordinates.
pub fn diff(old: &Supergraph, new: &Supergraph) -> Vec<Change> {
    let mut changes = compare::types(&old.types, &new.types);
    let after = answered(new);
    for ((on, field), was) in answered(old) {
        if let Some(is) = after.get(&(on.clone(), field)) {
            let at = |argument: &Name| Coordinate::Argument(on.clone(), field.clone(), argument.clone());
            changes.extend(exclusive(was, *is, at));
        }
    }
    changes.sort();
    changes
}

/// The arguments of the fields that RPCs answer, and the sets of them of which one may be given.
fn answered(graph: &Supergraph) -> BTreeMap<(Name, &Name), Given<'_>> {
    let roots = graph.roots.iter().map(|Served { what, .. }| {
        (
            (what.kind.as_str().into(), &what.field.name),
            Given { arguments: &what.field.arguments, one_of: &what.one_of },
        )
    });
    let extensions = graph.extensions.iter().map(|Served { what, .. }| {
        (
            (what.entity.clone(), &what.field.name),
            Given { arguments: &what.field.arguments, one_of: &what.one_of },
        )
    });
    roots.chain(extensions).collect()
}

/// The same of bare types, the operation types among them.
pub fn types(old: &Types, new: &Types) -> Vec<Change> {
    let mut changes = compare::types(old, new);
    changes.sort();
    changes
}

#[cfg(test)]
mod tests;
