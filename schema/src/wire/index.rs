//! Where does what lie in the bytes of a response? One pass, and only what the plan's tables look for.
//!
//! No message object is made: a message becomes a row of cells, one for each column of its table, and a cell
//! says what a field holds or where it lies. Rows are named by where they begin. Protobuf's rules are kept:
//! the last one wins, messages merge, a member of a oneof clears the others, packed and unpacked mix, groups
//! end with their own number, what is unknown is skipped. Bytes that are no message are an error. Tables are
//! nested as deep as a plan is and no deeper, so the recursion in here is bounded by the plan and not by the
//! bytes; the number of cells is bounded, since two bytes can ask for a whole row of them.

use bytes::Bytes;

use crate::graph::{Count, Kind, Read, Wire};
use crate::plan::{Column, Table};

/// Cells of one response, 64 MiB of them: no answer that fits into a message's limit of 4 MiB needs as many.
const CELLS_MAX: usize = 4 << 20;

/// A response and where everything is in it.
#[derive(Clone, Debug)]
pub struct Response {
    bytes: Bytes,
    rows: Vec<Cell>,
    items: Vec<Item>,
    /// Messages without a table that came in several pieces: the pieces behind each other, which is what
    /// merging them means.
    joined: Vec<Vec<u8>>,
}

/// A message, by where its row begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message(u32);

/// What a field holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Cell {
    /// Nothing: it is not in the bytes.
    #[default]
    Absent,
    /// The bits of a varint or of a fixed number, as they lie in the bytes: nothing is decoded.
    Number(u64),
    /// A string, bytes, or a message without a table.
    Span(Span),
    /// A message without a table that came in several pieces.
    Joined(u32),
    /// A message with a row of its own.
    Message(Message),
    /// Several of the above.
    List(List),
    /// Something whose value nobody looks at.
    Present,
}

/// A piece of the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    start: u32,
    length: u32,
}

/// The values of a repeated field: a chain, because others may lie between them in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct List {
    first: u32,
    last: u32,
}

#[derive(Clone, Copy, Debug)]
struct Item {
    cell: Cell,
    next: u32,
}

/// The end of a chain.
const NONE: u32 = u32::MAX;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Malformed {
    /// It ends in the middle of something.
    #[error("the message ends too early")]
    Truncated,
    /// A number of more than ten bytes.
    #[error("a number is longer than ten bytes")]
    Varint,
    /// A field number or a wire type that there is not.
    #[error("a field has an impossible tag")]
    Tag,
    /// A field is not of the kind that the descriptors say.
    #[error("field {0} is of another kind than the descriptors say")]
    Kind(u32),
    /// A group that does not end, or ends as another.
    #[error("a group does not end")]
    Group,
    /// Groups in groups without end.
    #[error("groups are nested too deep")]
    Deep,
    /// Far more fields than bytes of that size should have, or more bytes than can be counted.
    #[error("the message has more parts than are taken")]
    Large,
}

impl Response {
    /// Finds what a table looks for in the bytes of a message.
    pub fn read(tables: &[Table], table: usize, bytes: Bytes) -> Result<Response, Malformed> {
        let _ = (tables, table, bytes);
        Err(Malformed::Large)
    }

    /// The message itself.
    pub fn root(&self) -> Message {
        Message(0)
    }

    /// What a field of a message holds, by its slot in the message's table.
    pub fn cell(&self, message: Message, slot: usize) -> Cell {
        self.rows.get(message.0 as usize + slot).copied().unwrap_or_default()
    }

    /// The bytes of a string, of bytes, or of a message without a table; empty for anything else.
    pub fn bytes(&self, cell: Cell) -> &[u8] {
        match cell {
            Cell::Span(span) => {
                let start = span.start as usize;
                self.bytes.get(start..start + span.length as usize).unwrap_or_default()
            }
            Cell::Joined(at) => self.joined.get(at as usize).map_or(&[], Vec::as_slice),
            Cell::Absent | Cell::Number(_) | Cell::Message(_) | Cell::List(_) | Cell::Present => &[],
        }
    }

    /// The values of a repeated field, in their order; none for anything else.
    pub fn items(&self, cell: Cell) -> Items<'_> {
        match cell {
            Cell::List(list) => Items { of: self, next: list.first },
            _ => Items { of: self, next: NONE },
        }
    }

    /// How many bytes the response has.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }
}

/// The values of a repeated field.
#[derive(Clone, Debug)]
pub struct Items<'r> {
    of: &'r Response,
    next: u32,
}

impl Iterator for Items<'_> {
    type Item = Cell;

    fn next(&mut self) -> Option<Cell> {
        let item = self.of.items.get(self.next as usize)?;
        self.next = item.next;
        Some(item.cell)
    }
}
