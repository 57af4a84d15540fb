//! How does an operation become fetches and selections? From its root downwards, object by object.
//!
//! Whatever leads to another call opens or finds a fetch in the next wave, and goes on there. Two ways to
//! one entity that meet in a wave share a fetch; each has a selection of its own over one table. An edge
//! is never answered from the key alone: only a lookup can tell whether the entity exists, and null for
//! one that does not is a promise. The tables of a lookup are shared by its fetches in all waves, so that
//! an entity that was loaded once can be used again within its stage.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql_parser::Positioned;
use async_graphql_parser::types::{Field as Asked, SelectionSet};

use super::call::Key;
use super::collect::{Collector, Entered, Merged, positions};
use super::condition::{All, Conditions};
use super::error::Error;
use super::fetch::{Fetch, Stage};
use super::select::Wanted;
use super::selection::{Names, Output, Selection, Shape, Turn, Value};
use super::table::Tables;
use crate::Supergraph;
use crate::graph::{Field, Name, Object, Resolve, RootKind, Type, TypeRef};

/// How deep a plan may go. The guard's limit of depth is far below.
const DEPTH_MAX: usize = 128;

/// How many things are told that stand in the way of one plan.
const ERRORS_MAX: usize = 10;

/// A plan while it is made.
#[derive(Debug)]
pub(super) struct Builder<'a> {
    pub(super) graph: &'a Supergraph,
    pub(super) collector: Collector<'a>,
    pub(super) tables: Tables<'a>,
    pub(super) selections: Vec<Selection>,
    pub(super) fetches: Vec<Fetch>,
    pub(super) conditions: Conditions,
    pub(super) names: Vec<Names>,
    pub(super) coordinates: BTreeSet<(Name, Name)>,
    /// The fetches by what makes them the same.
    pub(super) known: BTreeMap<Key, usize>,
    /// The tables of the responses of lookups, and of the entities in them.
    pub(super) lookups: BTreeMap<Name, (usize, usize)>,
    /// On which ways the fetches of the root are wanted.
    pub(super) wanted: BTreeMap<usize, Vec<All>>,
    pub(super) stages: usize,
    pub(super) errors: Vec<Error>,
}

/// What is left to be told when something under it could not be planned.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stopped;

impl<'a> Builder<'a> {
    pub(super) fn new(graph: &'a Supergraph, collector: Collector<'a>) -> Builder<'a> {
        Builder {
            graph,
            collector,
            tables: Tables::new(&graph.types),
            selections: Vec::new(),
            fetches: Vec::new(),
            conditions: Conditions::default(),
            names: Vec::new(),
            coordinates: BTreeSet::new(),
            known: BTreeMap::new(),
            lookups: BTreeMap::new(),
            wanted: BTreeMap::new(),
            stages: 0,
            errors: Vec::new(),
        }
    }

    /// Notes an error.
    pub(super) fn fail<T>(&mut self, error: Error) -> Result<T, Stopped> {
        if self.errors.len() < ERRORS_MAX && !self.errors.contains(&error) {
            self.errors.push(error);
        }
        Err(Stopped)
    }

    /// Notes some errors.
    pub(super) fn fail_all<T>(&mut self, errors: impl Iterator<Item = Error>) -> Result<T, Stopped> {
        for error in errors {
            let _: Result<(), Stopped> = self.fail(error);
        }
        Err(Stopped)
    }

    /// Plans the root of an operation; the place of its selection.
    pub(super) fn root(&mut self, kind: RootKind, set: &'a SelectionSet) -> Result<usize, Stopped> {
        let of: Name = kind.as_str().into();
        let object = match self.graph.types.get(&of) {
            Some(Type::Object(object)) => object,
            Some(_) | None => return self.fail(Error::NoRoot(kind.as_str())),
        };
        let merged = self.merged(&of, &[(set, All::default())])?;
        if kind == RootKind::Subscription && merged.len() != 1 {
            return self.fail(Error::Events);
        }
        let mut outputs = Vec::new();
        for fields in &merged {
            // One that cannot be planned does not keep the others from being told about.
            outputs.extend(self.root_output(kind, &of, object, fields));
        }
        if outputs.len() != merged.len() {
            return Err(Stopped);
        }
        let turns = self.turns(&merged);
        self.selections.push(Selection { of, table: None, outputs, turns, joins: false });
        Ok(self.selections.len() - 1)
    }

    fn root_output(
        &mut self,
        kind: RootKind,
        of: &Name,
        object: &'a Object,
        merged: &Merged<'a>,
    ) -> Result<Output, Stopped> {
        let first = self.agreed(merged)?;
        let name = first.node.name.node.as_str();
        if name == "__typename" {
            return Ok(typename(merged, first));
        }
        if kind == RootKind::Query && matches!(name, "__schema" | "__type") {
            let shape = Shape::One { nullable: name == "__type" };
            return Ok(output(merged, first, name.into(), shape, Value::Introspection));
        }
        let field = self.field(of, object, first)?;
        let value = match &field.resolve {
            Resolve::Root(place) => {
                let sets = self.inner(of, field, merged)?;
                self.call(*place, Wanted { field, asked: first, sets: &sets }, merged)?
            }
            Resolve::Ok => Value::Ok,
            Resolve::Read(_)
            | Resolve::Case(_)
            | Resolve::Choice(_)
            | Resolve::Edge(_)
            | Resolve::Extension(_) => {
                return self.fail(Error::Graph(format!("call behind {of}.{name}")));
            }
        };
        Ok(output(merged, first, field.name.clone(), shape(&field.ty), value))
    }

    /// The fields that selections ask of an object.
    pub(super) fn merged(&mut self, of: &str, sets: &[Entered<'a>]) -> Result<Vec<Merged<'a>>, Stopped> {
        match self.collector.collect(of, sets) {
            Ok(merged) => Ok(merged),
            Err(error) => self.fail(error),
        }
    }

    /// The field that all fields of one response key are.
    pub(super) fn agreed(&mut self, merged: &Merged<'a>) -> Result<&'a Positioned<Asked>, Stopped> {
        let Some(first) = merged.first() else { return self.fail(Error::Graph("field".to_owned())) };
        let differs = merged.occurrences.iter().find(|other| {
            let other = &other.field.node;
            other.name.node != first.node.name.node || !same_arguments(&first.node, other)
        });
        match differs {
            Some(other) => self.fail(Error::Conflict { key: merged.key.into(), at: other.field.pos }),
            None => Ok(first),
        }
    }

    /// A field of an object, which counts as used from here on.
    pub(super) fn field(
        &mut self,
        of: &Name,
        object: &'a Object,
        asked: &Positioned<Asked>,
    ) -> Result<&'a Field, Stopped> {
        let name = asked.node.name.node.as_str();
        match object.field(name) {
            Some(field) => {
                self.coordinates.insert((of.clone(), field.name.clone()));
                Ok(field)
            }
            None => self.fail(Error::Field { of: of.clone(), field: name.into(), at: asked.pos }),
        }
    }

    /// The order in which fields are written, and when.
    pub(super) fn turns(&mut self, merged: &[Merged<'_>]) -> Vec<Turn> {
        positions(merged)
            .into_iter()
            .map(|position| Turn {
                output: position.output,
                when: self.conditions.place(position.when.into_iter()),
                unless: match position.unless.is_empty() {
                    true => None,
                    false => self.conditions.place(position.unless.into_iter()),
                },
            })
            .collect()
    }

    /// The stages with their waves, once all fetches are known.
    pub(super) fn stages(&self) -> Vec<Stage> {
        let mut stages = vec![Stage::default(); self.stages];
        for (place, fetch) in self.fetches.iter().enumerate() {
            if let Some(stage) = stages.get_mut(fetch.stage) {
                if stage.waves.len() <= fetch.wave {
                    stage.waves.resize(fetch.wave + 1, Vec::new());
                }
                stage.waves[fetch.wave].push(place);
            }
        }
        stages
    }

    /// Tells the fetches of the root when they are wanted.
    pub(super) fn settle(&mut self) {
        for (fetch, ways) in std::mem::take(&mut self.wanted) {
            self.fetches[fetch].when = self.conditions.place(ways.iter());
        }
    }
}

/// How deep a selection lies.
pub(super) fn deeper(depth: usize) -> Option<usize> {
    (depth < DEPTH_MAX).then_some(depth + 1)
}

/// `__typename`.
pub(super) fn typename(merged: &Merged<'_>, first: &Positioned<Asked>) -> Output {
    output(merged, first, "__typename".into(), Shape::One { nullable: false }, Value::Typename)
}

pub(super) fn output(
    merged: &Merged<'_>,
    first: &Positioned<Asked>,
    field: Name,
    shape: Shape,
    value: Value,
) -> Output {
    let key = if merged.key == &*field { field.clone() } else { merged.key.into() };
    let label = format!("\"{key}\":").into_bytes().into();
    Output { key, label, field, shape, value, at: first.pos }
}

/// Where null may stand in a value of a type.
pub(super) fn shape(ty: &TypeRef) -> Shape {
    let nullable = !ty.is_non_null();
    let inner = match ty {
        TypeRef::NonNull(inner) => inner,
        TypeRef::Named(_) | TypeRef::List(_) => ty,
    };
    match inner {
        TypeRef::List(items) => Shape::List { nullable, items_nullable: !items.is_non_null() },
        TypeRef::Named(_) | TypeRef::NonNull(_) => Shape::One { nullable },
    }
}

fn same_arguments(one: &Asked, other: &Asked) -> bool {
    std::ptr::eq(one, other)
        || one.arguments.len() == other.arguments.len()
            && one.arguments.iter().all(|(name, value)| {
                other.get_argument(&name.node).is_some_and(|other| other.node == value.node)
            })
}
