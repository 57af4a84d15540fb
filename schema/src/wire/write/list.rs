//! Lists: of the values of a field, of the entries of a map, of what calls brought.
//!
//! A null among items that are never null is left out when it is right in itself, and takes the list with it
//! when it is an error. Entries are sorted by their keys, numbers as numbers and texts as bytes; of two with
//! one key the last one counts.

use super::cell::content;
use super::trail::Trail;
use super::{Miss, Outcome, Row, Why, Writer};
use crate::graph::{Kind, Wire};
use crate::plan::{Cell as Field, Inside, Shape};
use crate::wire::index::{Cell, Items};
use crate::wire::scan;

/// The key of an entry. One map has keys of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum EntryKey<'a> {
    Integer(i128),
    Text(&'a [u8]),
}

impl<'a> Writer<'_, 'a> {
    /// Writes a list.
    pub(super) fn list<T>(
        &mut self,
        shape: Shape,
        items: impl Iterator<Item = T>,
        trail: &Trail<'_>,
        mut write: impl FnMut(&mut Self, T, &Trail<'_>) -> Outcome,
    ) -> Outcome {
        let nullable = shape.is_nullable_inside();
        self.out.push(b'[');
        let mut count = 0;
        for item in items {
            let mark = self.out.len();
            if count > 0 {
                self.out.push(b',');
            }
            let (start, here) = (self.out.len(), trail.item(count));
            match write(self, item, &here) {
                Ok(()) => self.measure(&here)?,
                Err(Miss::Null(_)) if !nullable => {
                    self.take_back(mark, &here)?;
                    continue;
                }
                // A call that failed is not about one item, whose place among the others nobody knows.
                Err(miss @ Miss::Error(Why::Call(_))) if !nullable => return Err(miss),
                Err(miss) => self.settle(start, nullable, miss, &here)?,
            }
            count += 1;
        }
        self.out.push(b']');
        Ok(())
    }

    /// Writes the values of a field.
    pub(super) fn repeated(
        &mut self,
        field: &'a Field,
        shape: Shape,
        (row, cell): (Row<'a>, Cell),
        trail: &Trail<'_>,
    ) -> Outcome {
        self.list(shape, row.items(cell), trail, |writer, item, here| {
            writer.inside(field.inside, &field.read, (row, item), here)
        })
    }

    /// Writes the entries of a map.
    pub(super) fn entries(
        &mut self,
        field: &'a Field,
        (row, cell): (Row<'a>, Cell),
        trail: &Trail<'_>,
    ) -> Outcome {
        let Inside::Entries { selection, key } = field.inside else { return Err(Miss::Null(Why::Null)) };
        let kind = self.key_kind(selection, key);
        let mut entries: Vec<(EntryKey<'a>, Row<'a>)> = row
            .items(cell)
            .map(|item| row.inner(item))
            .map(|entry| (entry_key(kind, entry, entry.cell(key)), entry))
            .collect();
        self.look(entries.len(), trail)?;
        entries.sort_by_key(|(key, _)| *key);
        let last = |at: usize| match (entries.get(at), entries.get(at + 1)) {
            (Some((key, entry)), next) if next.is_none_or(|(next, _)| next != key) => Some(*entry),
            _ => None,
        };
        let entries = (0..entries.len()).filter_map(last);
        // Entries are never null.
        let shape = Shape::List { nullable: false, items_nullable: false };
        self.list(shape, entries, trail, |writer, entry, here| writer.object(selection, entry, here))
    }

    /// What the keys of a map's entries are.
    fn key_kind(&self, selection: usize, slot: usize) -> Wire {
        let plan = self.asked.plan;
        let table = plan.selections.get(selection).and_then(|selection| plan.tables.get(selection.table?));
        let read = table.and_then(|table| table.columns.get(slot)?.read.as_ref());
        match read.map(|read| &read.kind) {
            Some(Kind::Scalar(wire, _)) => *wire,
            Some(Kind::Enum(_) | Kind::Message(_) | Kind::Group(_))
            | Some(Kind::Wrapper(..) | Kind::WellKnown(_))
            | None => Wire::String,
        }
    }
}

impl<'a> Row<'a> {
    /// The values of a repeated field.
    fn items(self, cell: Cell) -> std::iter::Flatten<std::option::IntoIter<Items<'a>>> {
        self.0.map(|(response, _)| response.items(cell)).into_iter().flatten()
    }
}

fn entry_key(kind: Wire, entry: Row<'_>, cell: Cell) -> EntryKey<'_> {
    let content = content(entry, cell);
    match (kind, scan::integer(kind, content.bits)) {
        (_, Some(integer)) => EntryKey::Integer(integer),
        (Wire::Bool, None) => EntryKey::Integer(i128::from(content.bits != 0)),
        (_, None) => EntryKey::Text(content.bytes),
    }
}
