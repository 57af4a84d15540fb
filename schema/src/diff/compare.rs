//! Two sets of types, member by member.
//!
//! What is read may become narrower and what is sent may become wider without anybody noticing: those two
//! rules are `reads_as` and `takes`, and all else is finding what was added and what was removed.

use std::collections::BTreeSet;

use super::{Change, Coordinate, Kind};
use crate::graph::{Argument, Doc, Enum, Field, Input, Name, Object, OneOf, Type, TypeRef, Types, Union};

/// Everything that differs, in no order.
pub(super) fn types(old: &Types, new: &Types) -> Vec<Change> {
    let mut found = Found(Vec::new());
    for (name, was) in old {
        match new.get(name) {
            Some(is) => found.ty(name, was, is),
            None => found.push(Coordinate::Type(name.clone()), Kind::TypeRemoved, keyword(was), ""),
        }
    }
    for (name, is) in new.iter().filter(|(name, _)| !old.contains_key(*name)) {
        found.push(Coordinate::Type(name.clone()), Kind::TypeAdded, "", keyword(is));
    }
    found.0
}

struct Found(Vec<Change>);

impl Found {
    fn push(&mut self, at: Coordinate, kind: Kind, old: impl ToString, new: impl ToString) {
        self.0.push(Change { at, kind, old: old.to_string(), new: new.to_string() });
    }

    fn ty(&mut self, name: &Name, old: &Type, new: &Type) {
        let at = Coordinate::Type(name.clone());
        match (old, new) {
            (Type::Object(old), Type::Object(new)) => self.object(name, old, new),
            (Type::Input(old), Type::Input(new)) => self.input(name, old, new),
            (Type::Enum(old), Type::Enum(new)) => self.enumeration(name, old, new),
            (Type::Union(old), Type::Union(new)) => self.union(&at, old, new),
            (Type::Scalar(_), Type::Scalar(_)) => {}
            _ => return self.push(at, Kind::TypeChangedKind, keyword(old), keyword(new)),
        }
        self.description(&at, old.doc(), new.doc());
    }

    fn object(&mut self, ty: &Name, old: &Object, new: &Object) {
        let at = |field: &Field| Coordinate::Member(ty.clone(), field.name.clone());
        for was in &old.fields {
            match new.field(&was.name) {
                Some(is) => self.field(ty, was, is),
                None => self.push(at(was), Kind::FieldRemoved, &was.ty, ""),
            }
        }
        for is in new.fields.iter().filter(|is| old.field(&is.name).is_none()) {
            self.push(at(is), Kind::FieldAdded, "", &is.ty);
        }
    }

    fn field(&mut self, ty: &Name, old: &Field, new: &Field) {
        let at = Coordinate::Member(ty.clone(), old.name.clone());
        self.doc(&at, &old.doc, &new.doc);
        if old.ty != new.ty {
            let safe = reads_as(&new.ty, &old.ty);
            let kind = if safe { Kind::FieldChangedKindSafe } else { Kind::FieldChangedKind };
            self.push(at, kind, &old.ty, &new.ty);
        }
        let place =
            |argument: &Argument| Coordinate::Argument(ty.clone(), old.name.clone(), argument.name.clone());
        let kinds = Sent {
            removed: Kind::ArgRemoved,
            changed: Kind::ArgChangedKind,
            changed_safely: Kind::ArgChangedKindSafe,
            required: Kind::RequiredArgAdded,
            optional: Kind::OptionalArgAdded,
        };
        self.arguments((&old.arguments, &new.arguments), &kinds, place);
    }

    fn input(&mut self, ty: &Name, old: &Input, new: &Input) {
        let at = |name: &Name| Coordinate::Member(ty.clone(), name.clone());
        let kinds = Sent {
            removed: Kind::FieldRemoved,
            changed: Kind::FieldChangedKind,
            changed_safely: Kind::FieldChangedKindSafe,
            required: Kind::RequiredInputFieldAdded,
            optional: Kind::OptionalInputFieldAdded,
        };
        self.arguments((&old.fields, &new.fields), &kinds, |field| at(&field.name));
        let was = Given { arguments: &old.fields, one_of: &old.one_of };
        let is = Given { arguments: &new.fields, one_of: &new.one_of };
        self.0.extend(exclusive(was, is, at));
    }

    fn arguments(
        &mut self,
        (old, new): (&[Argument], &[Argument]),
        kinds: &Sent,
        at: impl Fn(&Argument) -> Coordinate,
    ) {
        for was in old {
            let Some(is) = new.iter().find(|is| is.name == was.name) else {
                self.push(at(was), kinds.removed, &was.ty, "");
                continue;
            };
            self.doc(&at(was), &was.doc, &is.doc);
            if was.ty != is.ty {
                let kind = if takes(&is.ty, &was.ty) { kinds.changed_safely } else { kinds.changed };
                self.push(at(was), kind, &was.ty, &is.ty);
            }
        }
        for is in new.iter().filter(|is| old.iter().all(|was| was.name != is.name)) {
            let kind = if is.ty.is_non_null() { kinds.required } else { kinds.optional };
            self.push(at(is), kind, "", &is.ty);
        }
    }

    fn enumeration(&mut self, ty: &Name, old: &Enum, new: &Enum) {
        let at = |value: &Name| Coordinate::Member(ty.clone(), value.clone());
        for was in &old.values {
            match new.values.iter().find(|is| is.name == was.name) {
                Some(is) => self.doc(&at(&was.name), &was.doc, &is.doc),
                None => self.push(at(&was.name), Kind::ValueRemovedFromEnum, "", ""),
            }
        }
        for is in new.values.iter().filter(|is| old.values.iter().all(|was| was.name != is.name)) {
            self.push(at(&is.name), Kind::ValueAddedToEnum, "", "");
        }
    }

    fn union(&mut self, at: &Coordinate, old: &Union, new: &Union) {
        for was in old.members.iter().filter(|was| !new.members.contains(was)) {
            self.push(at.clone(), Kind::TypeRemovedFromUnion, was, "");
        }
        for is in new.members.iter().filter(|is| !old.members.contains(is)) {
            self.push(at.clone(), Kind::TypeAddedToUnion, "", is);
        }
    }

    fn doc(&mut self, at: &Coordinate, old: &Doc, new: &Doc) {
        self.description(at, old, new);
        match (&old.deprecated, &new.deprecated) {
            (None, Some(reason)) => self.push(at.clone(), Kind::DeprecationAdded, "", reason),
            (Some(reason), None) => self.push(at.clone(), Kind::DeprecationRemoved, reason, ""),
            (Some(was), Some(is)) if was != is => {
                self.push(at.clone(), Kind::DeprecationChanged, was, is);
            }
            _ => {}
        }
    }

    fn description(&mut self, at: &Coordinate, old: &Doc, new: &Doc) {
        if old.description != new.description {
            self.push(at.clone(), Kind::DescriptionChanged, &old.description, &new.description);
        }
    }
}

/// The names of the same changes for arguments and for the fields of an input.
struct Sent {
    removed: Kind,
    changed: Kind,
    changed_safely: Kind,
    required: Kind,
    optional: Kind,
}

/// What can be given: arguments, or the fields of an input, and the sets of them of which one may be.
#[derive(Clone, Copy)]
pub(crate) struct Given<'a> {
    pub(crate) arguments: &'a [Argument],
    pub(crate) one_of: &'a [OneOf],
}

/// What differs between the sets of which one may be given.
pub(crate) fn exclusive(old: Given<'_>, new: Given<'_>, at: impl Fn(&Name) -> Coordinate) -> Vec<Change> {
    let knows = |side: &[Argument], name: &Name| side.iter().any(|argument| argument.name == *name);
    let mut changes = Vec::new();
    for Argument { name, .. } in old.arguments {
        let (was, is) = (rivals(old.one_of, name), rivals(new.one_of, name));
        // A rival that is itself new takes nothing away from anybody.
        let kind = if is.iter().any(|rival| !was.contains(rival) && knows(old.arguments, rival)) {
            Kind::InputMadeExclusive
        } else if was.iter().any(|rival| !is.contains(rival) && knows(new.arguments, rival)) {
            Kind::InputFreed
        } else {
            continue;
        };
        changes.push(Change { at: at(name), kind, old: String::new(), new: String::new() });
    }
    changes
}

/// What may not be given beside this one.
fn rivals<'a>(sets: &'a [OneOf], name: &Name) -> BTreeSet<&'a Name> {
    let sets = sets.iter().filter(|set| set.members.contains(name));
    sets.flat_map(|set| &set.members).filter(|member| *member != name).collect()
}

/// Whether who reads `old` can read `new` in its place.
fn reads_as(new: &TypeRef, old: &TypeRef) -> bool {
    match (new, old) {
        (TypeRef::NonNull(new), TypeRef::NonNull(old)) | (TypeRef::List(new), TypeRef::List(old)) => {
            reads_as(new, old)
        }
        (TypeRef::NonNull(new), _) => reads_as(new, old),
        (TypeRef::Named(new), TypeRef::Named(old)) => new == old,
        (TypeRef::Named(_) | TypeRef::List(_), _) => false,
    }
}

/// Whether `new` takes all that could be sent for `old`. A single value for a list does not count, as it
/// does not in graphql-js: variables are declared with a type, which must fit as it is.
fn takes(new: &TypeRef, old: &TypeRef) -> bool {
    match (new, old) {
        (TypeRef::NonNull(new), TypeRef::NonNull(old)) | (TypeRef::List(new), TypeRef::List(old)) => {
            takes(new, old)
        }
        (_, TypeRef::NonNull(old)) => takes(new, old),
        (TypeRef::Named(new), TypeRef::Named(old)) => new == old,
        (TypeRef::Named(_) | TypeRef::List(_) | TypeRef::NonNull(_), _) => false,
    }
}

/// What a type is, in the words of a schema.
fn keyword(ty: &Type) -> &'static str {
    match ty {
        Type::Object(_) => "type",
        Type::Input(_) => "input",
        Type::Enum(_) => "enum",
        Type::Union(_) => "union",
        Type::Scalar(_) => "scalar",
    }
}
