//! What calls brought: the answer of a root field, and the entities behind keys.
//!
//! A key that says nothing has no answer: null, or an empty list. So has one that nothing was found for; in a
//! list of keys it is left out. A key is looked for as it was read and, where the request takes keys of another
//! kind, in the form in which it was sent.

use hashbrown::HashMap;

use super::cell::{content, is_empty};
use super::leaf::{integer_of, unwrapped};
use super::trail::Trail;
use super::{Miss, Outcome, Row, Why, Writer};
use crate::graph::{Count, Kind, Read, Wire};
use crate::plan::{Answer, Call, Join, Shape};
use crate::wire::answers::{Found, Held, Outcome as Brought, Place};
use crate::wire::index::{Cell, Message};
use crate::wire::key::Key;
use crate::wire::keys;

impl<'a> Writer<'_, 'a> {
    /// Writes the answer of a call of an operation's root.
    pub(super) fn call(
        &mut self,
        fetch: usize,
        answer: &'a Answer,
        shape: Shape,
        trail: &Trail<'_>,
    ) -> Outcome {
        match self.asked.answers.outcome(fetch) {
            Brought::Whole(place) => {
                let response = self.asked.answers.response(*place).ok_or(Miss::Null(Why::Null))?;
                self.answer(answer, shape, Row::new(response, response.root()), trail)
            }
            Brought::Failed(failure) => Err(Miss::Error(Why::Call(*failure))),
            Brought::Nothing | Brought::Keyed(_) => Err(Miss::Null(Why::Null)),
        }
    }

    /// Writes the answer of a call that takes a key from this message, or keys.
    pub(super) fn join(&mut self, join: &'a Join, shape: Shape, row: Row<'a>, trail: &Trail<'_>) -> Outcome {
        let cell = row.cell(join.slot);
        match join.key.count {
            Count::Repeated | Count::Map => self.list(shape, row.items(cell), trail, |writer, key, here| {
                let found = writer.found(join, row, key)?;
                writer.one(&join.answer, shape, found, here)
            }),
            Count::Implicit | Count::EmptyAsNull if is_empty(&join.key.kind, row, cell)? => {
                nothing(self.out, shape)
            }
            Count::Optional | Count::Required if cell == Cell::Absent => nothing(self.out, shape),
            Count::Implicit | Count::EmptyAsNull | Count::Optional | Count::Required => {
                match self.found(join, row, cell)? {
                    Found::Missing => nothing(self.out, shape),
                    found => self.one(&join.answer, shape, found, trail),
                }
            }
        }
    }

    /// What there is for a key.
    fn found(&self, join: &'a Join, row: Row<'a>, cell: Cell) -> Result<&'a Found, Miss> {
        match self.asked.answers.outcome(join.fetch) {
            Brought::Keyed(all) => Ok(key(&join.key, row, cell)
                .and_then(|key| self.look_up(join.fetch, all, key))
                .unwrap_or(&Found::Missing)),
            Brought::Failed(failure) => Err(Miss::Error(Why::Call(*failure))),
            Brought::Nothing | Brought::Whole(_) => Ok(&Found::Missing),
        }
    }

    fn look_up(&self, fetch: usize, all: &'a HashMap<Held, Found>, key: Key<'a>) -> Option<&'a Found> {
        // Answers are held by keys as they were sent. One of the same kind is the same as it was read.
        if let Some(found) = all.get(&key) {
            return Some(found);
        }
        match &self.asked.plan.fetches.get(fetch)?.call {
            Call::Keyed(keyed) => all.get(&*keys::normal(&keyed.request, key)?),
            Call::Once | Call::Stream => None,
        }
    }

    /// Writes what was found for one key.
    fn one(&mut self, answer: &'a Answer, shape: Shape, found: &'a Found, trail: &Trail<'_>) -> Outcome {
        let all = match found {
            Found::Missing => return Err(Miss::Null(Why::NotFound)),
            Found::Failed(failure) => return Err(Miss::Error(Why::Call(*failure))),
            Found::One(place, message) => &[(*place, *message)],
            Found::Many(all) => all.as_slice(),
        };
        match answer {
            Answer::Items(selection) => {
                self.list(shape, all.iter(), trail, |writer, (place, message), here| {
                    writer.object(*selection, writer.row(*place, *message), here)
                })
            }
            Answer::Message(_) | Answer::Field(_) | Answer::Item(_) => {
                let (place, message) = all.first().ok_or(Miss::Null(Why::NotFound))?;
                self.answer(answer, shape, self.row(*place, *message), trail)
            }
        }
    }

    fn answer(&mut self, answer: &'a Answer, shape: Shape, row: Row<'a>, trail: &Trail<'_>) -> Outcome {
        match answer {
            Answer::Field(field) => self.cell(field, shape, row, trail),
            Answer::Message(selection) | Answer::Item(selection) | Answer::Items(selection) => {
                self.object(*selection, row, trail)
            }
        }
    }

    fn row(&self, place: Place, message: Message) -> Row<'a> {
        self.asked.answers.response(place).map_or(Row::NONE, |response| Row::new(response, message))
    }
}

/// Writes what stands for no answer.
fn nothing(out: &mut Vec<u8>, shape: Shape) -> Outcome {
    match shape {
        Shape::One { .. } => Err(Miss::Null(Why::NotFound)),
        Shape::List { .. } => {
            out.extend_from_slice(b"[]");
            Ok(())
        }
    }
}

/// The key that a cell holds; `None` when it is none, or cannot be read.
fn key<'a>(read: &Read, row: Row<'a>, cell: Cell) -> Option<Key<'a>> {
    let (wire, content) = match &read.kind {
        Kind::Scalar(wire, _) => (*wire, content(row, cell)),
        Kind::Wrapper(wire, _) => (*wire, unwrapped(*wire, row.bytes(cell)).ok()?),
        Kind::Enum(_) | Kind::Message(_) | Kind::Group(_) | Kind::WellKnown(_) => return None,
    };
    match wire {
        Wire::String => Some(Key::Text(simdutf8::basic::from_utf8(content.bytes).ok()?)),
        Wire::Bytes => Some(Key::Bytes(content.bytes)),
        _ => integer_of(wire, content.bits).map(Key::Integer),
    }
}
