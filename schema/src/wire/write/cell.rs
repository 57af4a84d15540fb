//! A field of a message: what its absence means, and what is inside.

use super::leaf::{Content, Leaf, scalar, unwrapped};
use super::trail::Trail;
use super::{Miss, Outcome, Row, Why, Writer, text};
use crate::graph::{Count, Kind, Read, Wire};
use crate::plan::{Cell as Field, Inside, Shape};
use crate::wire::index::Cell;
use crate::wire::well_known;

impl<'a> Writer<'_, 'a> {
    /// Writes a field of a message.
    #[inline]
    pub(super) fn cell(
        &mut self,
        field: &'a Field,
        shape: Shape,
        row: Row<'a>,
        trail: &Trail<'_>,
    ) -> Outcome {
        let cell = row.cell(field.slot);
        match field.read.count {
            Count::Implicit => {}
            Count::Optional if cell == Cell::Absent => return Err(Miss::Null(Why::Null)),
            Count::Required if cell == Cell::Absent => return Err(Miss::Error(Why::Required)),
            Count::EmptyAsNull if is_empty(&field.read.kind, row, cell)? => {
                return Err(Miss::Null(Why::Null));
            }
            Count::Optional | Count::Required | Count::EmptyAsNull => {}
            Count::Repeated => return self.repeated(field, shape, (row, cell), trail),
            Count::Map => return self.entries(field, (row, cell), trail),
        }
        self.inside(field.inside, &field.read, (row, cell), trail)
    }

    /// Writes one value; an absent one is the zero of its kind.
    #[inline]
    pub(super) fn inside(
        &mut self,
        inside: Inside,
        read: &Read,
        (row, cell): (Row<'a>, Cell),
        trail: &Trail<'_>,
    ) -> Outcome {
        match inside {
            Inside::Leaf => self.leaf(&read.kind, row, cell, trail),
            Inside::Enum(names) => self.name(names, cell),
            Inside::Object(selection) | Inside::Entries { selection, .. } => match cell {
                Cell::Message(_) => self.object(selection, row.inner(cell), trail),
                Cell::Absent => self.object(selection, Row::NONE, trail),
                Cell::Number(_) | Cell::Span(_) | Cell::Joined(_) | Cell::List(_) | Cell::Present => {
                    Err(Miss::Error(Why::Malformed))
                }
            },
        }
    }

    #[inline]
    fn leaf(&mut self, kind: &Kind, row: Row<'a>, cell: Cell, trail: &Trail<'_>) -> Outcome {
        match kind {
            Kind::Scalar(wire, form) => scalar(*wire, *form, content(row, cell), self.out)?,
            Kind::Wrapper(wire, form) => {
                let bytes = row.bytes(cell);
                self.look(bytes.len(), trail)?;
                scalar(*wire, *form, unwrapped(*wire, bytes)?, self.out)?;
            }
            Kind::WellKnown(known) => {
                let bytes = row.bytes(cell);
                self.look(bytes.len(), trail)?;
                match well_known::read(*known, bytes, self.out)? {
                    Leaf::Written => {}
                    Leaf::Null => return Err(Miss::Null(Why::Null)),
                }
            }
            // These are not leaves, and a plan does not say that they are.
            Kind::Enum(_) | Kind::Message(_) | Kind::Group(_) => return Err(Miss::Null(Why::Null)),
        }
        Ok(())
    }

    /// Writes the name of a number. A zero without a name says that nothing was said, which is no news.
    fn name(&mut self, names: usize, cell: Cell) -> Outcome {
        let number = number(cell) as i32;
        let names = self.asked.plan.names.get(names);
        match names.and_then(|names| names.get(number)) {
            Some(name) => {
                text::plain(name, self.out);
                Ok(())
            }
            None => {
                self.written.unknown_enums += usize::from(number != 0);
                Err(Miss::Null(Why::Null))
            }
        }
    }
}

/// The bits of a number; 0 for anything else.
#[inline]
pub(super) fn number(cell: Cell) -> u64 {
    match cell {
        Cell::Number(bits) => bits,
        Cell::Absent | Cell::Span(_) | Cell::Joined(_) | Cell::Message(_) | Cell::List(_) | Cell::Present => {
            0
        }
    }
}

/// A scalar as it lies in a cell.
#[inline]
pub(super) fn content(row: Row<'_>, cell: Cell) -> Content<'_> {
    match cell {
        Cell::Number(bits) => Content { bits, bytes: &[] },
        _ => Content { bits: 0, bytes: row.bytes(cell) },
    }
}

/// Whether a field is absent or has the zero of its kind.
pub(super) fn is_empty(kind: &Kind, row: Row<'_>, cell: Cell) -> Result<bool, Why> {
    if cell == Cell::Absent {
        return Ok(true);
    }
    Ok(match kind {
        Kind::Scalar(wire, _) => content(row, cell).is_zero(*wire),
        Kind::Wrapper(wire, _) => unwrapped(*wire, row.bytes(cell))?.is_zero(*wire),
        Kind::Enum(_) => content(row, cell).is_zero(Wire::Int32),
        Kind::Message(_) | Kind::Group(_) | Kind::WellKnown(_) => false,
    })
}
