//! Which fields does an object answer with, and in which order? The specification's CollectFields.
//!
//! Fragments are flattened, and fields with the same response key become one, with every way on which it
//! is reached. A fragment is entered again only on a way that an earlier one does not cover, and what
//! planning may look at is bounded: no document makes this explode, measured or not. What
//! is left to the requests is only the conditions.

use std::collections::HashMap;

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{Directive, Field, FragmentDefinition, Selection, SelectionSet};
use async_graphql_value::{Name as DocumentName, Value};
use indexmap::IndexMap;

use super::condition::{All, Literal};
use super::error::Error;
use crate::graph::{Name, Type, Types};

/// How many selections planning looks at, with fragments expanded. The guard allows far fewer; this holds
/// where its limits were lifted.
const SELECTIONS_MAX: usize = 50_000;

/// How deep fragments may lie in each other. The guard's limit of depth is far below.
const DEPTH_MAX: usize = 256;

/// How many ways may lead to one fragment or key of an object, of which none covers another.
const WAYS_MAX: usize = 64;

/// A field, and a way on which it is reached.
#[derive(Debug)]
pub(super) struct Occurrence<'d> {
    pub(super) field: &'d Positioned<Field>,
    pub(super) when: All,
}

/// All fields of an object with one response key.
#[derive(Debug)]
pub(super) struct Merged<'d> {
    pub(super) key: &'d str,
    pub(super) occurrences: Vec<Occurrence<'d>>,
    /// The ways that no earlier one covers, with their places among all fields of the object.
    ways: Vec<(usize, All)>,
}

/// A selection set, and when it is entered.
pub(super) type Entered<'d> = (&'d SelectionSet, All);

impl<'d> Merged<'d> {
    /// The field as it is first met.
    pub(super) fn first(&self) -> Option<&'d Positioned<Field>> {
        self.occurrences.first().map(|occurrence| occurrence.field)
    }

    /// The ways on which it is reached.
    pub(super) fn ways(&self) -> impl Iterator<Item = &All> {
        self.ways.iter().map(|(_, when)| when)
    }

    /// What is selected below, without the conditions that hold whenever the field is wanted at all.
    pub(super) fn inner(&self) -> Vec<Entered<'d>> {
        let mut ways = self.occurrences.iter().map(|occurrence| &occurrence.when);
        let Some(first) = ways.next() else { return Vec::new() };
        let common = ways.fold(first.clone(), |common, way| common.common(way));
        self.occurrences
            .iter()
            .filter(|occurrence| !occurrence.field.node.selection_set.node.items.is_empty())
            .map(|occurrence| (&occurrence.field.node.selection_set.node, occurrence.when.beyond(&common)))
            .collect()
    }
}

/// Where an output is written: at this place, on these ways, unless it was written on one of those.
#[derive(Debug)]
pub(super) struct Position<'c> {
    pub(super) output: usize,
    pub(super) when: Vec<&'c All>,
    pub(super) unless: Vec<&'c All>,
}

/// The order in which the fields are written. A field of which only a later way is open stands at the
/// place of that way.
pub(super) fn positions<'c>(merged: &'c [Merged<'_>]) -> Vec<Position<'c>> {
    let mut all: Vec<(usize, usize, &All)> = Vec::new();
    for (output, field) in merged.iter().enumerate() {
        all.extend(field.ways.iter().map(|(at, when)| (*at, output, when)));
    }
    all.sort_by_key(|(at, _, _)| *at);
    let mut earlier: Vec<Vec<&All>> = vec![Vec::new(); merged.len()];
    let mut positions: Vec<Position<'c>> = Vec::new();
    for (_, output, when) in all {
        match positions.last_mut() {
            Some(last) if last.output == output => last.when.push(when),
            Some(_) | None => {
                positions.push(Position { output, when: vec![when], unless: earlier[output].clone() });
            }
        }
        earlier[output].push(when);
    }
    positions
}

/// Collects the fields of one document.
#[derive(Debug)]
pub(super) struct Collector<'d> {
    fragments: &'d HashMap<DocumentName, Positioned<FragmentDefinition>>,
    types: &'d Types,
    looked_at: usize,
}

/// What was found of one object.
#[derive(Debug)]
struct Found<'d, 'o> {
    of: &'o str,
    fields: IndexMap<&'d str, Merged<'d>>,
    entered: HashMap<&'d str, Vec<All>>,
    count: usize,
}

impl<'d> Found<'d, '_> {
    fn add(&mut self, field: &'d Positioned<Field>, when: All) -> Result<(), Error> {
        let at = self.count;
        self.count += 1;
        let key = field.node.response_key().node.as_str();
        let new = || Merged { key, occurrences: Vec::new(), ways: Vec::new() };
        let merged = self.fields.entry(key).or_insert_with(new);
        if !merged.ways.iter().any(|(_, known)| when.implies(known)) {
            merged.ways.push((at, when.clone()));
        }
        if merged.ways.len() > WAYS_MAX {
            return Err(Error::TooLarge);
        }
        merged.occurrences.push(Occurrence { field, when });
        Ok(())
    }
}

impl<'d> Collector<'d> {
    pub(super) fn new(
        fragments: &'d HashMap<DocumentName, Positioned<FragmentDefinition>>,
        types: &'d Types,
    ) -> Collector<'d> {
        Collector { fragments, types, looked_at: 0 }
    }

    /// The fields that these selections ask of an object, in the order in which they are first met.
    pub(super) fn collect(&mut self, of: &str, sets: &[Entered<'d>]) -> Result<Vec<Merged<'d>>, Error> {
        let mut found = Found { of, fields: IndexMap::new(), entered: HashMap::new(), count: 0 };
        for (set, when) in sets {
            self.enter(set, when, DEPTH_MAX, &mut found)?;
        }
        Ok(found.fields.into_values().collect())
    }

    fn enter(
        &mut self,
        set: &'d SelectionSet,
        when: &All,
        depth: usize,
        found: &mut Found<'d, '_>,
    ) -> Result<(), Error> {
        let depth = depth.checked_sub(1).ok_or(Error::TooLarge)?;
        for selection in &set.items {
            self.looked_at += 1;
            if self.looked_at > SELECTIONS_MAX {
                return Err(Error::TooLarge);
            }
            let Some(when) = wanted(selection.node.directives(), when)? else { continue };
            match &selection.node {
                Selection::Field(field) => {
                    found.add(field, when)?;
                }
                Selection::InlineFragment(fragment) => {
                    let condition = fragment.node.type_condition.as_ref();
                    if condition.is_none_or(|on| self.is(found.of, &on.node.on.node)) {
                        self.enter(&fragment.node.selection_set.node, &when, depth, found)?;
                    }
                }
                Selection::FragmentSpread(spread) => {
                    let name = &spread.node.fragment_name;
                    let Some(fragment) = self.fragments.get(&name.node) else {
                        return Err(Error::Fragment { name: name.node.as_str().into(), at: name.pos });
                    };
                    let ways = found.entered.entry(name.node.as_str()).or_default();
                    if ways.iter().any(|known| when.implies(known)) {
                        continue;
                    }
                    ways.push(when.clone());
                    if ways.len() > WAYS_MAX {
                        return Err(Error::TooLarge);
                    }
                    if self.is(found.of, &fragment.node.type_condition.node.on.node) {
                        self.enter(&fragment.node.selection_set.node, &when, depth, found)?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether an object is of a type: itself, or a union it belongs to.
    fn is(&self, object: &str, of: &DocumentName) -> bool {
        let member = |ty: &Type| match ty {
            Type::Union(union) => union.members.iter().any(|member| &**member == object),
            Type::Object(_) | Type::Input(_) | Type::Enum(_) | Type::Scalar(_) => false,
        };
        of.as_str() == object || self.types.get(of.as_str()).is_some_and(member)
    }
}

/// The way that goes on behind these directives; `None` when none does.
fn wanted(directives: &[Positioned<Directive>], when: &All) -> Result<Option<All>, Error> {
    let mut when = when.clone();
    for directive in directives {
        let name = directive.node.name.node.as_str();
        let unexpected = || Error::Directive { name: name.into(), at: directive.pos };
        let wanted = match name {
            "include" => true,
            "skip" => false,
            _ => return Err(unexpected()),
        };
        match directive.node.get_argument("if").map(|value| &value.node) {
            Some(Value::Boolean(value)) if *value == wanted => {}
            Some(Value::Boolean(_)) => return Ok(None),
            Some(Value::Variable(variable)) => {
                let variable: Name = variable.as_str().into();
                match when.and(Literal { variable, is: wanted }) {
                    Some(both) => when = both,
                    None => return Ok(None),
                }
            }
            Some(_) | None => return Err(unexpected()),
        }
    }
    Ok(Some(when))
}
