//! The rule about fields that end in one place of the answer: they must be able to share it.
//!
//! Fields of one name in the answer must have the same shape; where they may be of the same object, they must
//! be the same field with the same arguments too, and so on for all that is selected below them together.
//! Comparing every pair, as the specification writes it, is quadratic. Here all fields of one place are put
//! together, grouped by their name, and each compared with the first of its group, which is enough because
//! both relations are transitive. A place that was judged before is not judged again, so that fragments
//! spread from many places cost once.

use std::collections::HashSet;

use async_graphql_parser::types::{ExecutableDocument, Field, OperationType, Selection, SelectionSet};
use async_graphql_parser::{Pos, Positioned};
use indexmap::IndexMap;

use super::Error;
use super::catalog::{Catalog, Type};
use crate::graph::{Name, RootKind, TypeRef};

/// A field and the type it is selected on, where that is known.
type Selected<'a> = (&'a Positioned<Field>, Option<&'a Name>);

/// Fields of one name in the answer.
type Group<'a> = Vec<Selected<'a>>;

struct Overlap<'a> {
    catalog: &'a Catalog,
    document: &'a ExecutableDocument,
    errors: Vec<Error>,
    judged: HashSet<(Relation, Vec<*const Field>)>,
}

/// What is asked of fields in one place.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Relation {
    /// Their values look alike.
    Shape,
    /// They are the same field.
    Same,
}

/// Judges all operations. No fragment may spread itself.
pub(super) fn check(catalog: &Catalog, document: &ExecutableDocument, errors: &mut Vec<Error>) {
    let mut overlap = Overlap { catalog, document, errors: Vec::new(), judged: HashSet::new() };
    for (_, operation) in document.operations.iter() {
        let kind = match operation.node.ty {
            OperationType::Query => RootKind::Query,
            OperationType::Mutation => RootKind::Mutation,
            OperationType::Subscription => RootKind::Subscription,
        };
        let root = catalog.get(kind.as_str()).map(|(name, _)| name);
        let fields = overlap.collect([(&operation.node.selection_set.node, root)]);
        overlap.judge(Relation::Same, &fields);
        overlap.judge(Relation::Shape, &fields);
    }
    errors.append(&mut overlap.errors);
}

impl<'a> Overlap<'a> {
    fn judge(&mut self, relation: Relation, fields: &[Selected<'a>]) {
        let key = fields.iter().map(|(field, _)| std::ptr::from_ref(&field.node)).collect();
        if !self.judged.insert((relation, key)) {
            return;
        }
        let mut groups: IndexMap<&str, Group<'a>> = IndexMap::new();
        for (field, parent) in fields {
            groups.entry(field.node.response_key().node.as_str()).or_default().push((*field, *parent));
        }
        for (key, group) in groups {
            match relation {
                Relation::Shape => self.shape(key, &group),
                Relation::Same => self.same(key, &group),
            }
        }
    }

    fn shape(&mut self, key: &str, group: &Group<'a>) {
        let typed: Vec<(Pos, TypeRef)> = group
            .iter()
            .filter_map(|(field, parent)| Some((field.pos, self.type_of(&field.node, *parent)?)))
            .collect();
        let conflict = typed.iter().skip(1).find(|(_, ty)| !self.alike(&typed[0].1, ty));
        if let Some((at, ty)) = conflict {
            let reason = format!("they return conflicting types \"{}\" and \"{ty}\"", typed[0].1);
            return self.conflict(key, &reason, [typed[0].0, *at]);
        }
        let below = self.below(group);
        self.judge(Relation::Shape, &below);
    }

    fn same(&mut self, key: &str, group: &Group<'a>) {
        // Objects of two types are never one object; what is selected on a union may be any of its members.
        let mut parents: IndexMap<&Name, Group<'a>> = IndexMap::new();
        let mut open = Group::new();
        for (field, parent) in group {
            match parent.filter(|name| matches!(self.catalog.get(name), Some((_, Type::Object(_))))) {
                Some(object) => parents.entry(object).or_default().push((field, *parent)),
                None => open.push((field, *parent)),
            }
        }
        let groups = if parents.is_empty() {
            vec![open]
        } else {
            parents.into_values().map(|group| [group, open.clone()].concat()).collect()
        };
        for group in groups {
            self.same_field(key, &group);
        }
    }

    fn same_field(&mut self, key: &str, group: &Group<'a>) {
        let (first, _) = group[0];
        for (field, _) in &group[1..] {
            let (one, other) = (&first.node, &field.node);
            let places = [first.pos, field.pos];
            if one.name.node != other.name.node {
                let names = (&one.name.node, &other.name.node);
                let reason = format!("\"{}\" and \"{}\" are different fields", names.0, names.1);
                return self.conflict(key, &reason, places);
            }
            if !same_arguments(one, other) {
                return self.conflict(key, "they have differing arguments", places);
            }
        }
        let below = self.below(group);
        self.judge(Relation::Same, &below);
    }

    fn conflict(&mut self, key: &str, reason: &str, places: [Pos; 2]) {
        let message = format!(
            "Fields \"{key}\" conflict because {reason}. Use different aliases on the fields to fetch both if this \
             was intentional."
        );
        let error = Error::invalid(message, places);
        // One conflict may break both relations.
        if !self.errors.iter().any(|told| told.locations == error.locations) {
            self.errors.push(error);
        }
    }

    fn type_of(&self, field: &Field, parent: Option<&Name>) -> Option<TypeRef> {
        if field.name.node == "__typename" {
            return Some(TypeRef::named("String").non_null());
        }
        Some(self.catalog.field(parent?, &field.name.node)?.ty.clone())
    }

    /// Whether values of both types look alike, as far as these types alone say.
    fn alike(&self, one: &TypeRef, other: &TypeRef) -> bool {
        match (one, other) {
            (TypeRef::NonNull(one), TypeRef::NonNull(other)) | (TypeRef::List(one), TypeRef::List(other)) => {
                self.alike(one, other)
            }
            (TypeRef::Named(one), TypeRef::Named(other)) => {
                let is_composite = |name| self.catalog.get(name).is_some_and(|(_, ty)| ty.is_composite());
                one == other || (is_composite(one) && is_composite(other))
            }
            (TypeRef::NonNull(_) | TypeRef::List(_) | TypeRef::Named(_), _) => false,
        }
    }

    /// All that is selected below fields of one place.
    fn below(&self, group: &Group<'a>) -> Group<'a> {
        let sets = group.iter().map(|(field, parent)| {
            let ty = parent.and_then(|parent| self.catalog.field(parent, &field.node.name.node));
            let object = ty.and_then(|field| self.catalog.get(field.ty.core())).map(|(name, _)| name);
            (&field.node.selection_set.node, object)
        });
        self.collect(sets)
    }

    /// The fields of selections that meet in one place, those of their fragments among them.
    fn collect(&self, sets: impl IntoIterator<Item = (&'a SelectionSet, Option<&'a Name>)>) -> Group<'a> {
        let (mut fields, mut spread) = (Group::new(), HashSet::new());
        for (set, parent) in sets {
            self.collect_set((set, parent), &mut spread, &mut fields);
        }
        fields
    }

    fn collect_set(
        &self,
        (set, parent): (&'a SelectionSet, Option<&'a Name>),
        spread: &mut HashSet<&'a str>,
        fields: &mut Group<'a>,
    ) {
        let named = |name: &str| self.catalog.get(name).map(|(name, _)| name);
        for selection in &set.items {
            match &selection.node {
                Selection::Field(field) => fields.push((field, parent)),
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    let on = condition.map_or(parent, |condition| named(&condition.node.on.node));
                    self.collect_set((&fragment.node.selection_set.node, on), spread, fields);
                }
                Selection::FragmentSpread(node) => {
                    let name = node.node.fragment_name.node.as_str();
                    if let (true, Some(fragment)) = (spread.insert(name), self.document.fragments.get(name)) {
                        let on = named(&fragment.node.type_condition.node.on.node);
                        self.collect_set((&fragment.node.selection_set.node, on), spread, fields);
                    }
                }
            }
        }
    }
}

/// Whether both have the same arguments, in whatever order.
fn same_arguments(one: &Field, other: &Field) -> bool {
    one.arguments.len() == other.arguments.len()
        && one
            .arguments
            .iter()
            .all(|(name, given)| other.get_argument(&name.node).is_some_and(|value| value.node == given.node))
}
