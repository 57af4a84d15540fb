//! Where does what lie in the bytes of a response? One pass, and only what the plan's tables look for.
//!
//! No message object is made: a message becomes a row of cells, one for each column of its table, and a cell
//! says what a field holds or where it lies. Rows are named by where they begin. Protobuf's rules are kept:
//! the last one wins, messages merge, a member of a oneof clears the others, packed and unpacked mix, groups
//! end with their own number, what is unknown is skipped. Bytes that are no message are an error. Tables are
//! nested as deep as a plan is and no deeper, so the recursion in here is bounded by the plan and not by the
//! bytes; the number of cells is bounded, since two bytes can ask for a whole row of them.

use bytes::Bytes;

use super::buffer::Brackets;
use super::scan::{self, Wanted};
use crate::graph::{Count, Kind, Read, WellKnown, Wire};
use crate::plan::{Column, Table};

/// Cells of one response, and items of its lists: 64 MiB of the ones and 96 of the others at most. No answer
/// that fits into a message's limit of 4 MiB needs as many.
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
        if u32::try_from(bytes.len()).is_err() {
            return Err(Malformed::Large);
        }
        // A guess that spares the first few times of growing and never holds much.
        let rows = Vec::with_capacity((bytes.len() / 32).min(1024));
        let items = Vec::with_capacity((bytes.len() / 128).min(256));
        let mut reader = Reader { tables, bytes: &bytes, rows, items, joined: Vec::new() };
        let root = reader.row(table)?;
        let whole = Region { at: 0, end: bytes.len(), group: None };
        reader.message(table, root, whole)?;
        let Reader { rows, items, joined, .. } = reader;
        Ok(Response { bytes, rows, items, joined })
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

    /// How many bytes of memory it takes, with all that is known about where things are.
    pub fn memory(&self) -> usize {
        let joined: usize = self.joined.iter().map(Vec::capacity).sum();
        self.bytes.len()
            + self.rows.capacity() * size_of::<Cell>()
            + self.items.capacity() * size_of::<Item>()
            + joined
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

/// The part of the bytes that a message has. A group ends with its own number and not at a known place.
#[derive(Clone, Copy, Debug)]
struct Region {
    at: usize,
    end: usize,
    group: Option<u32>,
}

struct Reader<'a> {
    tables: &'a [Table],
    bytes: &'a [u8],
    rows: Vec<Cell>,
    items: Vec<Item>,
    joined: Vec<Vec<u8>>,
}

impl<'a> Reader<'a> {
    /// A row for a message of this table.
    fn row(&mut self, table: usize) -> Result<Message, Malformed> {
        let begin = self.rows.len();
        let columns = self.tables.get(table).map_or(0, |table| table.columns.len());
        if begin + columns > CELLS_MAX {
            return Err(Malformed::Large);
        }
        self.rows.resize(begin + columns, Cell::Absent);
        u32::try_from(begin).map(Message).map_err(|_| Malformed::Large)
    }

    /// Fills a row; where the message ends.
    fn message(&mut self, table: usize, row: Message, region: Region) -> Result<usize, Malformed> {
        let tables = self.tables;
        let Some(table) = tables.get(table) else { return Ok(region.end) };
        let mut at = region.at;
        // Fields mostly come in the order of their numbers: the next one is looked at before it is searched.
        let mut guess = 0;
        while at < region.end {
            let (number, brackets, behind) = scan::tag(self.bytes, at, region.end)?;
            at = behind;
            if brackets == Brackets::Close {
                return if region.group == Some(number) { Ok(at) } else { Err(Malformed::Group) };
            }
            let place = match table.by_number.get(guess) {
                Some((known, _)) if *known == number => Some(guess),
                Some(_) | None => table.by_number.binary_search_by_key(&number, |(known, _)| *known).ok(),
            };
            let field = Field { number, brackets, at, end: region.end };
            at = match place {
                Some(place) => {
                    let slot = table.by_number[place].1;
                    guess = if is_list(&table.columns[slot]) { place } else { place + 1 };
                    self.field(table, slot, row, field)?
                }
                None => scan::skip(self.bytes, field.number, field.brackets, at, region.end)?,
            };
        }
        if region.group.is_some() { Err(Malformed::Group) } else { Ok(at) }
    }

    /// Takes up one field; where it ends.
    fn field(
        &mut self,
        table: &'a Table,
        slot: usize,
        row: Message,
        field: Field,
    ) -> Result<usize, Malformed> {
        let column = &table.columns[slot];
        let place = row.0 as usize + slot;
        if let Some(oneof) = column.oneof {
            self.clear(table, oneof, (slot, row));
        }
        let Some(read) = &column.read else {
            self.rows[place] = Cell::Present;
            return scan::skip(self.bytes, field.number, field.brackets, field.at, field.end);
        };
        let repeated = matches!(read.count, Count::Repeated | Count::Map);
        match lies(read) {
            Lies::Message => self.submessage(column, place, field, repeated),
            Lies::Scalar(wanted) if field.brackets == wanted.brackets() => {
                let (cell, end) = self.scalar(wanted, field)?;
                let cell = match (repeated, wanted, self.rows[place]) {
                    (true, _, _) => return self.push(place, cell).map(|()| end),
                    (false, Wanted::Bytes, before) if is_message(read) => self.merged(before, cell),
                    (false, _, _) => cell,
                };
                self.rows[place] = cell;
                Ok(end)
            }
            Lies::Scalar(wanted)
                if repeated && wanted != Wanted::Bytes && field.brackets == Brackets::Length =>
            {
                self.packed(wanted, place, field)
            }
            Lies::Scalar(_) => Err(Malformed::Kind(field.number)),
        }
    }

    /// A member of a oneof is set: the others are not.
    fn clear(&mut self, table: &Table, oneof: usize, (slot, row): (usize, Message)) {
        for other in table.oneofs.get(oneof).into_iter().flatten().filter(|other| **other != slot) {
            if let Some(cell) = self.rows.get_mut(row.0 as usize + other) {
                *cell = Cell::Absent;
            }
        }
    }

    fn scalar(&self, wanted: Wanted, field: Field) -> Result<(Cell, usize), Malformed> {
        let Field { at, end, .. } = field;
        Ok(match wanted {
            Wanted::Varint => {
                let (value, at) = scan::varint(self.bytes, at, end)?;
                (Cell::Number(value), at)
            }
            Wanted::Fixed32 => {
                let (value, at) = scan::fixed32(self.bytes, at, end)?;
                (Cell::Number(u64::from(value)), at)
            }
            Wanted::Fixed64 => {
                let (value, at) = scan::fixed64(self.bytes, at, end)?;
                (Cell::Number(value), at)
            }
            Wanted::Bytes => {
                let (start, end) = scan::length(self.bytes, at, end)?;
                (Cell::Span(span(start, end)), end)
            }
        })
    }

    fn packed(&mut self, wanted: Wanted, place: usize, field: Field) -> Result<usize, Malformed> {
        let (mut at, end) = scan::length(self.bytes, field.at, field.end)?;
        while at < end {
            let (cell, behind) = self.scalar(wanted, Field { at, end, ..field })?;
            self.push(place, cell)?;
            at = behind;
        }
        Ok(end)
    }

    /// A message, a map entry or a group.
    fn submessage(
        &mut self,
        column: &Column,
        place: usize,
        field: Field,
        repeated: bool,
    ) -> Result<usize, Malformed> {
        let inside = match field.brackets {
            Brackets::Length => {
                let (at, end) = scan::length(self.bytes, field.at, field.end)?;
                Region { at, end, group: None }
            }
            Brackets::Open => Region { at: field.at, end: field.end, group: Some(field.number) },
            Brackets::Varint | Brackets::Fixed32 | Brackets::Fixed64 | Brackets::Close => {
                return Err(Malformed::Kind(field.number));
            }
        };
        let Some(table) = column.table else {
            // Nobody looks inside; that it is there may still matter.
            self.rows[place] = Cell::Present;
            return scan::skip(self.bytes, field.number, field.brackets, field.at, field.end);
        };
        let row = match self.rows[place] {
            Cell::Message(known) if !repeated => known,
            _ => self.row(table)?,
        };
        if repeated {
            self.push(place, Cell::Message(row))?;
        } else {
            self.rows[place] = Cell::Message(row);
        }
        self.message(table, row, inside)
    }

    fn push(&mut self, place: usize, cell: Cell) -> Result<(), Malformed> {
        if self.items.len() >= CELLS_MAX {
            return Err(Malformed::Large);
        }
        let new = u32::try_from(self.items.len()).map_err(|_| Malformed::Large)?;
        self.items.push(Item { cell, next: NONE });
        self.rows[place] = match self.rows[place] {
            Cell::List(list) => {
                self.items[list.last as usize].next = new;
                Cell::List(List { last: new, ..list })
            }
            _ => Cell::List(List { first: new, last: new }),
        };
        Ok(())
    }

    /// A message without a table that comes a second time: both pieces, one behind the other.
    fn merged(&mut self, before: Cell, piece: Cell) -> Cell {
        let Cell::Span(span) = piece else { return piece };
        let piece = &self.bytes[span.start as usize..][..span.length as usize];
        match before {
            Cell::Span(first) => {
                let first = &self.bytes[first.start as usize..][..first.length as usize];
                self.joined.push([first, piece].concat());
                Cell::Joined(u32::try_from(self.joined.len() - 1).unwrap_or(u32::MAX))
            }
            Cell::Joined(at) => {
                if let Some(joined) = self.joined.get_mut(at as usize) {
                    joined.extend_from_slice(piece);
                }
                before
            }
            Cell::Absent | Cell::Number(_) | Cell::Message(_) | Cell::List(_) | Cell::Present => {
                Cell::Span(span)
            }
        }
    }
}

/// A field whose tag was read.
#[derive(Clone, Copy, Debug)]
struct Field {
    number: u32,
    brackets: Brackets,
    at: usize,
    end: usize,
}

/// How the values of a field lie in the bytes.
enum Lies {
    Scalar(Wanted),
    Message,
}

fn lies(read: &Read) -> Lies {
    Lies::Scalar(match &read.kind {
        Kind::Scalar(wire, _) => Wanted::of(*wire),
        Kind::Enum(_) | Kind::WellKnown(WellKnown::Null) => Wanted::of(Wire::Int32),
        Kind::Wrapper(..) | Kind::WellKnown(_) => Wanted::Bytes,
        Kind::Message(_) | Kind::Group(_) => return Lies::Message,
    })
}

/// Whether what lies there as bytes is a message, so that two of them merge.
fn is_message(read: &Read) -> bool {
    match &read.kind {
        Kind::Wrapper(..) | Kind::WellKnown(_) => true,
        Kind::Scalar(..) | Kind::Enum(_) | Kind::Message(_) | Kind::Group(_) => false,
    }
}

fn is_list(column: &Column) -> bool {
    column.read.as_ref().is_some_and(|read| matches!(read.count, Count::Repeated | Count::Map))
}

fn span(start: usize, end: usize) -> Span {
    // Both are places in bytes that are no longer than a u32 can say.
    let short = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Span { start: short(start), length: short(end - start) }
}

#[cfg(test)]
mod tests {
    use prost::encoding::{WireType, encode_key, encode_varint};

    use super::*;
    use crate::graph::Form;

    /// `uint64 n = 1; repeated uint64 many = 2; Inner inner = 3; oneof { string a = 4; Inner b = 5; }
    /// repeated Inner list = 6; group G = 7; StringValue wrapped = 8`, where Inner is the first two again.
    fn tables() -> Vec<Table> {
        let read = |number: u32, count, kind| {
            Some(Read { name: format!("f{number}").as_str().into(), number, count, kind })
        };
        let number = || Kind::Scalar(Wire::Uint64, Form::Plain);
        let text = || Kind::Scalar(Wire::String, Form::Plain);
        let column = |number, read, table, oneof| Column { number, read, table, oneof };
        let inner = vec![
            column(1, read(1, Count::Implicit, number()), None, None),
            column(2, read(2, Count::Repeated, number()), None, None),
        ];
        let outer = vec![
            column(1, read(1, Count::Implicit, number()), None, None),
            column(2, read(2, Count::Repeated, number()), None, None),
            column(3, read(3, Count::Optional, Kind::Message("Inner".into())), Some(1), None),
            column(4, read(4, Count::Optional, text()), None, Some(0)),
            column(5, read(5, Count::Optional, Kind::Message("Inner".into())), Some(1), Some(0)),
            column(6, read(6, Count::Repeated, Kind::Message("Inner".into())), Some(1), None),
            column(7, read(7, Count::Optional, Kind::Group("Inner".into())), Some(1), None),
            column(8, read(8, Count::Optional, Kind::Wrapper(Wire::String, Form::Plain)), None, None),
        ];
        let table = |of: &str, columns: Vec<Column>, oneofs| Table {
            of: of.into(),
            by_number: columns.iter().enumerate().map(|(slot, column)| (column.number, slot)).collect(),
            columns,
            oneofs,
        };
        vec![table("Outer", outer, vec![vec![3, 4]]), table("Inner", inner, Vec::new())]
    }

    #[derive(Default)]
    struct Built(Vec<u8>);

    impl Built {
        fn varint(mut self, number: u32, value: u64) -> Built {
            encode_key(number, WireType::Varint, &mut self.0);
            encode_varint(value, &mut self.0);
            self
        }

        fn bytes(mut self, number: u32, value: &[u8]) -> Built {
            encode_key(number, WireType::LengthDelimited, &mut self.0);
            encode_varint(value.len() as u64, &mut self.0);
            self.0.extend_from_slice(value);
            self
        }

        fn tag(mut self, number: u32, wire: WireType) -> Built {
            encode_key(number, wire, &mut self.0);
            self
        }

        fn read(self) -> Result<Response, Malformed> {
            Response::read(&tables(), 0, self.0.into())
        }
    }

    fn numbers(response: &Response, cell: Cell) -> Vec<u64> {
        response
            .items(cell)
            .map(|cell| match cell {
                Cell::Number(number) => number,
                other => panic!("{other:?}"),
            })
            .collect()
    }

    fn at(response: &Response, slot: usize) -> Cell {
        response.cell(response.root(), slot)
    }

    fn inner(cell: Cell) -> Message {
        message(cell).unwrap_or_else(|| panic!("{cell:?}"))
    }

    fn message(cell: Cell) -> Option<Message> {
        if let Cell::Message(message) = cell { Some(message) } else { None }
    }

    #[test]
    fn the_last_one_wins_in_whatever_order_they_come() {
        let response = Built::default().varint(1, 1).varint(99, 5).varint(1, 300).read().unwrap();
        assert_eq!(at(&response, 0), Cell::Number(300));
        assert_eq!(at(&response, 1), Cell::Absent);
    }

    #[test]
    fn packed_and_unpacked_mix_and_others_may_lie_between() {
        let inside = Built::default().varint(2, 9).0;
        let response = Built::default()
            .varint(2, 1)
            .bytes(6, &inside)
            .bytes(2, &[2, 3])
            .varint(1, 4)
            .bytes(2, &[])
            .varint(2, 4)
            .read()
            .unwrap();
        assert_eq!(numbers(&response, at(&response, 1)), [1, 2, 3, 4]);
        let item = inner(response.items(at(&response, 5)).next().unwrap());
        assert_eq!(numbers(&response, response.cell(item, 1)), [9]);
    }

    #[test]
    fn a_message_in_two_pieces_is_one_message() {
        let (first, second) = (Built::default().varint(1, 7).varint(2, 1).0, Built::default().varint(2, 2).0);
        let response = Built::default().bytes(3, &first).varint(1, 0).bytes(3, &second).read().unwrap();
        let message = inner(at(&response, 2));
        assert_eq!(response.cell(message, 0), Cell::Number(7));
        assert_eq!(numbers(&response, response.cell(message, 1)), [1, 2]);
    }

    #[test]
    fn a_message_without_a_table_in_three_pieces_is_their_bytes_behind_each_other() {
        let response =
            Built::default().bytes(8, b"\x0a\x01a").bytes(8, b"\x0a\x01b").bytes(8, b"").read().unwrap();
        assert_eq!(response.bytes(at(&response, 7)), b"\x0a\x01a\x0a\x01b");
    }

    #[test]
    fn the_last_member_of_a_oneof_clears_the_others() {
        let inside = Built::default().varint(1, 7).0;
        let again = Built::default().varint(2, 1).0;
        let response = Built::default().bytes(5, &inside).bytes(4, b"x").bytes(5, &again).read().unwrap();
        assert_eq!(at(&response, 3), Cell::Absent);
        let message = inner(at(&response, 4));
        assert_eq!(response.cell(message, 0), Cell::Absent, "what was cleared does not come back");
        let response = Built::default().bytes(5, &inside).bytes(4, b"x").read().unwrap();
        assert_eq!((at(&response, 4), response.bytes(at(&response, 3))), (Cell::Absent, &b"x"[..]));
    }

    #[test]
    fn groups_are_read_or_skipped_with_all_that_is_in_them() {
        let group = Built::default()
            .tag(50, WireType::StartGroup)
            .varint(1, 1)
            .tag(51, WireType::StartGroup)
            .tag(51, WireType::EndGroup)
            .tag(50, WireType::EndGroup)
            .tag(7, WireType::StartGroup)
            .varint(1, 5)
            .tag(7, WireType::EndGroup)
            .varint(1, 6);
        let response = group.read().unwrap();
        assert_eq!(response.cell(inner(at(&response, 6)), 0), Cell::Number(5));
        assert_eq!(at(&response, 0), Cell::Number(6));
    }

    #[test]
    fn what_is_no_message_is_told_apart() {
        let deep = (0..101).fold(Built::default(), |bytes, _| bytes.tag(50, WireType::StartGroup));
        let wrong_end = Built::default().tag(7, WireType::StartGroup).tag(8, WireType::EndGroup);
        let raw = |bytes: &[u8]| Built(bytes.to_vec());
        for (bytes, expected) in [
            (raw(&[0x08]), Malformed::Truncated),
            (raw(&[0x08, 0x80]), Malformed::Truncated),
            (raw(&[0x08, 255, 255, 255, 255, 255, 255, 255, 255, 255, 2]), Malformed::Varint),
            (raw(&[0x08, 128, 128, 128, 128, 128, 128, 128, 128, 128, 128, 0]), Malformed::Varint),
            (raw(&[0x00, 0x00]), Malformed::Tag),
            (raw(&[0x0f]), Malformed::Tag),
            (raw(&[0x1a, 0x05, 0x08]), Malformed::Truncated),
            (raw(&[0x1a, 0x01, 0x08, 0x01]), Malformed::Truncated),
            (raw(&[0x22, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1]), Malformed::Truncated),
            (raw(&[0x0d, 0, 0, 0, 0]), Malformed::Kind(1)),
            (Built::default().varint(4, 1), Malformed::Kind(4)),
            (Built::default().tag(7, WireType::StartGroup), Malformed::Group),
            (Built::default().tag(7, WireType::EndGroup), Malformed::Group),
            (wrong_end, Malformed::Group),
            (deep, Malformed::Deep),
        ] {
            let shown = format!("{:?}", bytes.0);
            assert_eq!(bytes.read().unwrap_err(), expected, "{shown}");
        }
    }

    #[test]
    fn a_message_cut_anywhere_is_read_or_refused() {
        let inside = Built::default().varint(1, 7).bytes(2, &[1, 2]).0;
        let whole = Built::default()
            .varint(1, 1 << 40)
            .bytes(6, &inside)
            .bytes(4, "text".as_bytes())
            .bytes(5, &inside)
            .tag(7, WireType::StartGroup)
            .varint(1, 5)
            .tag(7, WireType::EndGroup)
            .bytes(8, b"\x0a\x01a")
            .0;
        let read = (0..=whole.len())
            .filter(|length| Response::read(&tables(), 0, whole[..*length].to_vec().into()).is_ok())
            .count();
        assert_eq!(read, 7, "it can only end between two fields");
    }

    #[test]
    fn what_a_response_takes_is_known() {
        let many = Built::default().bytes(2, &[1; 1000]).read().unwrap();
        assert!(many.memory() >= many.size() + 1000 * size_of::<Item>(), "{}", many.memory());
        let pieces = Built::default().bytes(8, b"\x0a\x01a").bytes(8, &[0x12; 0]).read().unwrap();
        assert!(pieces.memory() >= pieces.size() + 3);
    }

    #[test]
    fn bytes_that_ask_for_too_much_memory_are_refused() {
        let empty_items = [0x32, 0x00].repeat(CELLS_MAX / 2 + 1);
        assert_eq!(Response::read(&tables(), 0, empty_items.into()).unwrap_err(), Malformed::Large);
    }
}
