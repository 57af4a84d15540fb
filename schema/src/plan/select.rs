//! What is read from a message that is at hand, field by field.
//!
//! Every field that is wanted gets a column in the message's table and an output in the object's
//! selection. Messages inside go on in tables of their own; members of unions that are wrapped are read
//! from the same message.

use async_graphql_parser::Positioned;
use async_graphql_parser::types::Field as Asked;

use super::build::{Builder, Stopped, deeper, output, shape, typename};
use super::collect::{Entered, Merged};
use super::error::Error;
use super::fetch::Source;
use super::selection::{Cell, Inside, Member, Names, Output, Selection, Value};
use crate::graph::{Case, Choice, Count, Field, Kind, Name, Object, Read, Resolve, Type};

/// How many items a list is taken to have when nobody said.
pub(super) const LIST: u64 = 10;

/// A field that another call answers, as it is asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'s, 'a> {
    pub(super) field: &'a Field,
    pub(super) asked: &'a Positioned<Asked>,
    pub(super) sets: &'s [Entered<'a>],
}

/// The messages that a selection is written from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'a> {
    /// Their table.
    pub(super) table: usize,
    /// The fetch they come with.
    pub(super) fetch: usize,
    /// How deep they lie, over all fetches.
    pub(super) depth: usize,
    /// Whether they are inside the fetch's list.
    pub(super) paged: bool,
    /// How many there are in one item of that list.
    pub(super) times: u64,
    /// For the wrapper of a union's member: the field that is its value.
    pub(super) wrapped: Option<&'a Read>,
}

impl<'a> Place<'a> {
    /// The messages in a field of these.
    pub(super) fn under(self, table: usize, count: Count) -> Place<'a> {
        let place = Place { table, wrapped: None, ..self };
        match count {
            Count::Repeated | Count::Map if self.paged => {
                Place { times: self.times.saturating_mul(LIST), ..place }
            }
            Count::Repeated | Count::Map => Place { paged: true, ..place },
            Count::Implicit | Count::Optional | Count::Required | Count::EmptyAsNull => place,
        }
    }

    /// The keys in a field of these messages.
    pub(super) fn keys(self, count: Count) -> Source {
        let Place { fetch, paged, times, .. } = self.under(self.table, count);
        Source { fetch, paged, times }
    }
}

impl<'a> Builder<'a> {
    /// Plans an object; the place of its selection.
    pub(super) fn object(
        &mut self,
        of: &Name,
        sets: &[Entered<'a>],
        place: Place<'a>,
    ) -> Result<usize, Stopped> {
        let Some(depth) = deeper(place.depth) else { return self.fail(Error::TooLarge) };
        let object = match self.graph.types.get(of) {
            Some(Type::Object(object)) => object,
            Some(_) | None => return self.fail(Error::Graph(format!("object {of}"))),
        };
        let merged = self.merged(of, sets)?;
        let mut outputs = Vec::with_capacity(merged.len());
        for fields in &merged {
            outputs.extend(self.output(of, object, fields, Place { depth, ..place }));
        }
        if outputs.len() != merged.len() {
            return Err(Stopped);
        }
        let turns = self.turns(&merged);
        let joins = outputs.iter().any(|output| self.starts_joins(&output.value));
        let table = Some(place.table);
        self.selections.push(Selection { of: of.clone(), table, outputs, turns, joins });
        Ok(self.selections.len() - 1)
    }

    fn output(
        &mut self,
        of: &Name,
        object: &'a Object,
        merged: &Merged<'a>,
        place: Place<'a>,
    ) -> Result<Output, Stopped> {
        let first = self.agreed(merged)?;
        if first.node.name.node.as_str() == "__typename" {
            return Ok(typename(merged, first));
        }
        let field = self.field(of, object, first)?;
        let sets = self.inner(of, field, merged)?;
        let value = match &field.resolve {
            Resolve::Read(read) => {
                Value::Cell(self.cell(place.wrapped.unwrap_or(read), field.ty.core(), &sets, place)?)
            }
            Resolve::Case(cases) => self.case(cases, place),
            Resolve::Choice(choices) => self.choice(choices, &sets, place)?,
            Resolve::Edge(edge) => self.edge(edge, &sets, place)?,
            Resolve::Extension(extension) => {
                let wanted = Wanted { field, asked: first, sets: &sets };
                self.extension(*extension, wanted, place)?
            }
            Resolve::Ok => Value::Ok,
            Resolve::Root(_) => return self.fail(Error::Graph(format!("call behind {of}.{}", field.name))),
        };
        Ok(output(merged, first, field.name.clone(), shape(&field.ty), value))
    }

    /// What is selected below a field: something for objects and unions, nothing for leaves.
    pub(super) fn inner(
        &mut self,
        of: &Name,
        field: &Field,
        merged: &Merged<'a>,
    ) -> Result<Vec<Entered<'a>>, Stopped> {
        let sets = merged.inner();
        let leaf = match self.graph.types.get(field.ty.core()) {
            Some(Type::Object(_) | Type::Union(_)) => false,
            // GraphQL's own five need not be among the types.
            Some(Type::Enum(_) | Type::Scalar(_) | Type::Input(_)) | None => true,
        };
        match merged.first() {
            Some(first) if sets.is_empty() != leaf => {
                let field = field.name.clone();
                self.fail(Error::Selection { of: of.clone(), field, at: first.pos })
            }
            Some(_) | None => Ok(sets),
        }
    }

    /// A field of the messages of a place.
    pub(super) fn cell(
        &mut self,
        read: &'a Read,
        core: &Name,
        sets: &[Entered<'a>],
        place: Place<'a>,
    ) -> Result<Cell, Stopped> {
        let slot = self.tables.column(place.table, read);
        let inside = match &read.kind {
            Kind::Message(name) | Kind::Group(name) => {
                let table = self.tables.nested(place.table, slot, name);
                let selection = self.object(core, sets, place.under(table, read.count))?;
                match read.count {
                    Count::Map => Inside::Entries { selection, key: self.entry_key(core, table)? },
                    Count::Implicit
                    | Count::Optional
                    | Count::Required
                    | Count::EmptyAsNull
                    | Count::Repeated => Inside::Object(selection),
                }
            }
            Kind::Enum(name) => Inside::Enum(self.enumeration(name)?),
            Kind::Scalar(..) | Kind::Wrapper(..) | Kind::WellKnown(_) => Inside::Leaf,
        };
        Ok(Cell { slot, read: read.clone(), inside })
    }

    /// The slot of the key of a map's entries, which is field 1.
    fn entry_key(&mut self, entry: &Name, table: usize) -> Result<usize, Stopped> {
        let key = match self.graph.types.get(entry) {
            Some(Type::Object(object)) => object.fields.iter().find_map(|field| match &field.resolve {
                Resolve::Read(read) if read.number == 1 => Some(read),
                Resolve::Read(_)
                | Resolve::Case(_)
                | Resolve::Choice(_)
                | Resolve::Edge(_)
                | Resolve::Extension(_)
                | Resolve::Root(_)
                | Resolve::Ok => None,
            }),
            Some(_) | None => None,
        };
        match key {
            Some(key) => Ok(self.tables.column(table, key)),
            None => self.fail(Error::Graph(format!("key of {entry}"))),
        }
    }

    fn enumeration(&mut self, of: &Name) -> Result<usize, Stopped> {
        if let Some(known) = self.names.iter().position(|names| names.of == *of) {
            return Ok(known);
        }
        let definition = match self.graph.types.get(of) {
            Some(Type::Enum(definition)) => definition,
            Some(_) | None => return self.fail(Error::Graph(format!("enum {of}"))),
        };
        let mut by_number: Vec<(i32, Name)> =
            definition.values.iter().map(|value| (value.number, value.name.clone())).collect();
        // Stable, so that of several names with one number the first stays.
        by_number.sort_by_key(|(number, _)| *number);
        by_number.dedup_by_key(|(number, _)| *number);
        self.names.push(Names { of: of.clone(), by_number });
        Ok(self.names.len() - 1)
    }

    fn case(&mut self, cases: &[Case], place: Place<'a>) -> Value {
        let slot = |case: &Case| (self.tables.presence(place.table, case.number), case.name.clone());
        Value::Case(cases.iter().map(slot).collect())
    }

    fn choice(
        &mut self,
        choices: &'a [Choice],
        sets: &[Entered<'a>],
        place: Place<'a>,
    ) -> Result<Value, Stopped> {
        let mut members = Vec::with_capacity(choices.len());
        for choice in choices {
            let read = &choice.read;
            let slot = self.tables.column(place.table, read);
            let selection = match &read.kind {
                Kind::Message(name) | Kind::Group(name) if !choice.wrapped => {
                    let table = self.tables.nested(place.table, slot, name);
                    self.object(&choice.object, sets, place.under(table, read.count))?
                }
                Kind::Message(_)
                | Kind::Group(_)
                | Kind::Enum(_)
                | Kind::Scalar(..)
                | Kind::Wrapper(..)
                | Kind::WellKnown(_) => {
                    let wrapper = Place { wrapped: Some(read), ..place };
                    self.object(&choice.object, sets, wrapper)?
                }
            };
            members.push(Member { slot, read: read.clone(), selection, wrapped: choice.wrapped });
        }
        Ok(Value::Choice(members))
    }

    /// Whether a join starts from a message that has this value, or from one inside it.
    fn starts_joins(&self, value: &Value) -> bool {
        let joins = |selection: usize| self.selections[selection].joins;
        match value {
            Value::Join(_) => true,
            Value::Cell(cell) => match cell.inside {
                Inside::Object(selection) | Inside::Entries { selection, .. } => joins(selection),
                Inside::Leaf | Inside::Enum(_) => false,
            },
            Value::Choice(members) => members.iter().any(|member| joins(member.selection)),
            Value::Typename | Value::Ok | Value::Introspection | Value::Case(_) | Value::Call { .. } => false,
        }
    }
}
