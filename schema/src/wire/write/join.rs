//! What calls brought: the answer of a root field, and the entities behind keys.
//!
//! A key that says nothing has no answer: null, or an empty list. So has one that nothing was found for; in a
//! list of keys it is left out.

use super::trail::Trail;
use super::{Miss, Outcome, Row, Why, Writer};
use crate::plan::{Answer, Join, Shape};
use crate::wire::answers::{Found, Outcome as Brought, Place};
use crate::wire::index::Message;
use crate::wire::keys::{self, Normal};

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
                self.answer(answer, shape, Row::new(response, response.root()), &trail.fetch(fetch))
            }
            Brought::Failed(failure) => Err(Miss::Error(Why::Call(*failure))),
            Brought::Nothing | Brought::Keyed(_) => Err(Miss::Null(Why::Null)),
        }
    }

    /// Writes the answer of a call that takes a key from this message, or keys.
    pub(super) fn join(&mut self, join: &'a Join, shape: Shape, row: Row<'a>, trail: &Trail<'_>) -> Outcome {
        let Row(Some((response, message))) = row else { return nothing(self.out, shape) };
        let plan = self.asked.plan;
        if keys::is_list(join) {
            let keys = keys::of_list(plan, join, response, message);
            return self.list(shape, keys, trail, |writer, key, here| {
                let found = writer.found(join.fetch, &key)?;
                writer.one(&join.answer, shape, found, &here.fetch(join.fetch))
            });
        }
        let Some(key) = keys::of_one(plan, join, response, message) else { return nothing(self.out, shape) };
        match self.found(join.fetch, &key)? {
            Found::Missing => nothing(self.out, shape),
            found => self.one(&join.answer, shape, found, &trail.fetch(join.fetch)),
        }
    }

    /// What a fetch brought for a key.
    fn found(&self, fetch: usize, key: &Normal<'_>) -> Result<&'a Found, Miss> {
        match self.asked.answers.outcome(fetch) {
            Brought::Keyed(all) => Ok(all.get(&key.as_key()).unwrap_or(&Found::Missing)),
            Brought::Failed(failure) => Err(Miss::Error(Why::Call(*failure))),
            Brought::Nothing | Brought::Whole(_) => Ok(&Found::Missing),
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
                self.again(answer, shape, (*place, *message), trail)
            }
        }
    }

    /// Writes an entity, by copying what was written of it before when that was without errors: many may refer
    /// to one.
    fn again(
        &mut self,
        answer: &'a Answer,
        shape: Shape,
        (place, message): (Place, Message),
        trail: &Trail<'_>,
    ) -> Outcome {
        let selection = match answer {
            Answer::Message(selection) | Answer::Item(selection) | Answer::Items(selection) => *selection,
            Answer::Field(_) => return self.answer(answer, shape, self.row(place, message), trail),
        };
        let key = (selection, place, message);
        if let Some(before) = self.before.get(&key) {
            self.out.extend_from_within(before.clone());
            return Ok(());
        }
        let (start, told) = (self.out.len(), self.told());
        self.object(selection, self.row(place, message), trail)?;
        if self.told() == told {
            self.before.insert(key, start..self.out.len());
            self.before_end = self.out.len();
        }
        Ok(())
    }

    /// How much there is to say so far: what adds to that cannot be copied.
    fn told(&self) -> (usize, usize, usize) {
        (self.written.errors.len(), self.written.errors_more, self.written.unknown_enums)
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
