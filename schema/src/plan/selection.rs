//! What is written for an object: its response keys in order, and where each value comes from.
//!
//! Whoever writes an answer needs a selection, the slots of one message, and nothing of the graph. Slots
//! are places in the selection's table; selections, fetches and enums are named by their place in the
//! plan, conditions by theirs in its conditions.

use async_graphql_parser::Pos;

use crate::graph::{Name, Read};

/// What is written for an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Selection {
    /// The object's type: what `__typename` says, and the first half of coordinates.
    pub of: Name,
    /// The table of the message it is written from; `None` for an operation's root.
    pub table: Option<usize>,
    /// One for each response key.
    pub outputs: Vec<Output>,
    /// The outputs in the order in which they are written.
    pub turns: Vec<Turn>,
    /// Whether a join starts from this message or from one inside it, so that keys must be looked for.
    pub joins: bool,
}

/// Where an output is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Which.
    pub output: usize,
    /// Only when this holds.
    pub when: Option<usize>,
    /// Not when this holds, because then it was written at an earlier turn. Most outputs have one turn.
    pub unless: Option<usize>,
}

/// A response key and its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// The response key.
    pub key: Name,
    /// The same as it is written: in quotes, with a colon behind.
    pub label: Box<[u8]>,
    /// The field's name.
    pub field: Name,
    /// Where null may stand.
    pub shape: Shape,
    /// Where the value comes from.
    pub value: Value,
    /// Where it is first asked for.
    pub at: Pos,
}

/// Where null may stand in a value. Lists of lists do not occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One value.
    One {
        /// Whether it may be null.
        nullable: bool,
    },
    /// A list.
    List {
        /// Whether the list may be null.
        nullable: bool,
        /// Whether an item may be null.
        items_nullable: bool,
    },
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// The name of the selection's type.
    Typename,
    /// True.
    Ok,
    /// What the graph says about itself: `__schema` and `__type`, of an operation's root only.
    Introspection,
    /// A field of the message.
    Cell(Cell),
    /// The name of the member of a oneof that is set, by slot.
    Case(Vec<(usize, Name)>),
    /// The member of a oneof that is set.
    Choice(Vec<Member>),
    /// The answer of a call that takes a key from this message.
    Join(Join),
    /// The answer of a call of an operation's root.
    Call {
        /// The fetch.
        fetch: usize,
        /// What of its response.
        answer: Answer,
    },
}

/// A field of a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Where it is found.
    pub slot: usize,
    /// How it is read.
    pub read: Read,
    /// What is inside.
    pub inside: Inside,
}

/// What is inside a field of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Inside {
    /// A leaf, written by its kind.
    Leaf,
    /// A number of this enum, which is written by name.
    Enum(usize),
    /// An object with this selection.
    Object(usize),
    /// The entries of a map.
    Entries {
        /// An entry's selection.
        selection: usize,
        /// The slot of an entry's key, by which they are sorted.
        key: usize,
    },
}

/// A member of a oneof that is written as an object of a union.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// Where it is found.
    pub slot: usize,
    /// How it is read.
    pub read: Read,
    /// The object's selection. When it is wrapped, its slots are those of the message around it.
    pub selection: usize,
    /// Whether the object is a wrapper, written from the same message.
    pub wrapped: bool,
}

/// The answer of a call that takes a key. No key, no answer: null, or an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    /// The fetch.
    pub fetch: usize,
    /// Where the key is found, or the keys.
    pub slot: usize,
    /// How the key is read.
    pub key: Read,
    /// What of the response.
    pub answer: Answer,
}

/// What of a response is the value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The message itself.
    Message(usize),
    /// A field of it.
    Field(Cell),
    /// The item with the key; null when there is none.
    Item(usize),
    /// All items with the key.
    Items(usize),
}

/// The names of an enum's numbers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The enum.
    pub of: Name,
    /// The name that each number is written by, sorted by number. Other numbers are null.
    pub by_number: Vec<(i32, Name)>,
}

impl Names {
    /// The name of a number; `None` when it is written as null.
    pub fn get(&self, number: i32) -> Option<&Name> {
        self.by_number
            .binary_search_by_key(&number, |(number, _)| *number)
            .ok()
            .map(|at| &self.by_number[at].1)
    }
}
