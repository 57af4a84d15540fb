//! What the fetches of an operation have brought so far: responses, and which of them is whose answer.
//!
//! Whoever calls puts in; `keys` reads what the next wave needs, `write` reads all of it. Failures are only
//! numbers here: what they mean is known to whoever made the call.

use std::hash::{Hash, Hasher};

use hashbrown::HashMap;

use super::index::{Message, Response};
use super::key::Key;

/// What the fetches of an operation brought.
#[derive(Debug, Default)]
pub struct Answers {
    responses: Vec<Response>,
    /// By the fetch's place in the plan.
    outcomes: Vec<Outcome>,
}

/// What a fetch brought.
#[derive(Debug, Default)]
pub enum Outcome {
    /// It was not called, or not yet: null, without an error.
    #[default]
    Nothing,
    /// It failed as a whole.
    Failed(Failure),
    /// One response.
    Whole(Place),
    /// Something for each key.
    Keyed(HashMap<Held, Found>),
}

/// A failure, by its place in the caller's list of failures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Failure(pub u32);

/// A response, by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Place(u32);

impl Place {
    pub(crate) fn number(self) -> u32 {
        self.0
    }
}

/// What there is for one key. Several items are there for a key only where it asks for a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Found {
    /// Nothing has this key.
    #[default]
    Missing,
    /// Its call failed.
    Failed(Failure),
    /// One message: the response of a call for this key alone, or an item with this key.
    One(Place, Message),
    /// Several items with this key, in their order.
    Many(Vec<(Place, Message)>),
}

/// A key that outlives the bytes it was read from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Held {
    /// Of any integer kind.
    Integer(i128),
    /// Of a string.
    Text(Box<str>),
    /// Of a bytes field.
    Bytes(Box<[u8]>),
}

impl Held {
    /// The key itself.
    pub fn as_key(&self) -> Key<'_> {
        match self {
            Held::Integer(integer) => Key::Integer(*integer),
            Held::Text(text) => Key::Text(text),
            Held::Bytes(bytes) => Key::Bytes(bytes),
        }
    }
}

impl Hash for Held {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_key().hash(state);
    }
}

impl From<Key<'_>> for Held {
    fn from(key: Key<'_>) -> Held {
        match key {
            Key::Integer(integer) => Held::Integer(integer),
            Key::Text(text) => Held::Text(text.into()),
            Key::Bytes(bytes) => Held::Bytes(bytes.into()),
        }
    }
}

impl hashbrown::Equivalent<Held> for Key<'_> {
    fn equivalent(&self, held: &Held) -> bool {
        *self == held.as_key()
    }
}

impl Answers {
    /// Nothing yet, for a plan with so many fetches.
    pub fn new(fetches: usize) -> Answers {
        Answers {
            responses: Vec::new(),
            outcomes: std::iter::repeat_with(Outcome::default).take(fetches).collect(),
        }
    }

    /// Keeps a response.
    pub fn keep(&mut self, response: Response) -> Place {
        self.responses.push(response);
        Place(u32::try_from(self.responses.len() - 1).unwrap_or(u32::MAX))
    }

    /// A response that was kept.
    pub fn response(&self, place: Place) -> Option<&Response> {
        self.responses.get(place.0 as usize)
    }

    /// Says what a fetch brought.
    pub fn set(&mut self, fetch: usize, outcome: Outcome) {
        if let Some(known) = self.outcomes.get_mut(fetch) {
            *known = outcome;
        }
    }

    /// What a fetch brought.
    pub fn outcome(&self, fetch: usize) -> &Outcome {
        self.outcomes.get(fetch).unwrap_or(&Outcome::Nothing)
    }

    /// How many bytes all responses have together.
    pub fn size(&self) -> usize {
        self.responses.iter().map(Response::size).sum()
    }
}
