//! The answer as JSON, in the order of the selection, straight from the bytes of the responses.
//!
//! Nulls go to the nearest parent that may be null, and every error knows the path of the field it is about,
//! as GraphQL's specification has it. What is written is JSON whatever the bytes are. Lists never have a null
//! where none may stand: an entity that is not there and a number without a name are left out, and only what
//! could not be read or asked for takes the list with it. Work is bounded by the size of the answer: what was
//! written and had to be taken back counts as well.

pub(crate) mod fields;
pub(crate) mod leaf;
pub(crate) mod text;

mod cell;
mod introspection;
mod join;
mod list;
mod object;
mod settle;
mod trail;

#[cfg(test)]
mod tests;

use std::ops::Range;

use async_graphql_parser::Pos;
use async_graphql_value::ConstValue;
use hashbrown::HashMap;

use super::answers::{Answers, Failure, Place};
use super::index::{Cell, Message, Response};
use crate::graph::Name;
use crate::plan::{Holds, Plan};
use trail::Trail;

/// What an answer is written from.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Which of its conditions hold.
    pub holds: &'a Holds,
    /// What its fetches brought.
    pub answers: &'a Answers,
    /// What the graph says about itself, by response key, when the plan asks that.
    pub introspection: Option<&'a ConstValue>,
    /// How many bytes an answer may have.
    pub bytes_max: usize,
}

/// What is to be said about an answer that was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// The errors in the order of their fields.
    pub errors: Vec<Error>,
    /// How many more there are that are not told.
    pub errors_more: usize,
    /// Numbers of enums that have no name in the graph and were written as null.
    pub unknown_enums: usize,
    /// Whether nothing was left of the data.
    pub is_null: bool,
}

/// An error of one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Where it is in the answer.
    pub path: Vec<Step>,
    /// Where the field is asked for.
    pub at: Pos,
    /// The fetch that brought what the field is in.
    pub fetch: Option<usize>,
    /// What is wrong.
    pub why: Why,
}

/// A step of a path in an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Into a response key.
    Key(Name),
    /// Into a list.
    Index(usize),
}

/// What is wrong with a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// The call that would have brought it failed.
    Call(Failure),
    /// Nothing has this key, and null may not stand here.
    NotFound,
    /// The message is not there, or a number of an enum has no name, and null may not stand here.
    Null,
    /// proto2 requires the field, and it is not in the bytes.
    Required,
    /// A text is not UTF-8.
    Utf8,
    /// A number is not finite, which JSON cannot say.
    NotFinite,
    /// A well-known message cannot be read, or is outside of its range.
    Malformed,
    /// The answer is larger than what is allowed.
    TooLarge,
}

/// How many errors are told; of more only the number is.
const ERRORS_MAX: usize = 100;

/// Writes what stands behind `"data":`.
pub fn write(asked: &Asked<'_>, out: &mut Vec<u8>) -> Written {
    let start = out.len();
    let mut writer = Writer {
        asked: *asked,
        end_max: start.saturating_add(asked.bytes_max),
        taken_back: 0,
        before: HashMap::new(),
        before_end: 0,
        out,
        written: Written::default(),
    };
    let outcome = writer.object(asked.plan.root, Row::NONE, &Trail::DATA);
    writer.finish(start, outcome)
}

/// An answer as it grows.
#[derive(Debug)]
struct Writer<'w, 'a> {
    asked: Asked<'a>,
    out: &'w mut Vec<u8>,
    /// Where the answer must have ended.
    end_max: usize,
    /// How much was written in vain.
    taken_back: usize,
    /// Where entities stand that were written: by selection, response and message.
    before: HashMap<(usize, Place, Message), Range<usize>>,
    /// None of them ends behind this.
    before_end: usize,
    written: Written,
}

/// A message to be written from; none where a map has an entry without a message, or at the root.
#[derive(Clone, Copy, Debug)]
struct Row<'a>(Option<(&'a Response, Message)>);

impl<'a> Row<'a> {
    const NONE: Row<'static> = Row(None);

    fn new(response: &'a Response, message: Message) -> Row<'a> {
        Row(Some((response, message)))
    }

    #[inline]
    fn cell(self, slot: usize) -> Cell {
        self.0.map_or(Cell::Absent, |(response, message)| response.cell(message, slot))
    }

    #[inline]
    fn bytes(self, cell: Cell) -> &'a [u8] {
        self.0.map_or(&[], |(response, _)| response.bytes(cell))
    }

    /// Another message of the same response; none when the cell holds none.
    fn inner(self, cell: Cell) -> Row<'a> {
        match (self.0, cell) {
            (Some((response, _)), Cell::Message(message)) => Row::new(response, message),
            _ => Row::NONE,
        }
    }
}

/// What became of a value. After a miss, what was written of it is to be taken back.
type Outcome = Result<(), Miss>;

/// Why nothing is written for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Miss {
    /// It is null, and that is right where null may stand; elsewhere this is the error.
    Null(Why),
    /// It is null because of this error.
    Error(Why),
    /// It is null because of something inside of it, which has been told.
    Told,
    /// Nothing more is written at all, which has been told.
    Full,
}

impl From<Why> for Miss {
    fn from(why: Why) -> Miss {
        Miss::Error(why)
    }
}
