//! What happens to a place whose value is missing? Null, an error, or the parent's turn.
//!
//! By the specification: null where null may stand; elsewhere an error, and null for the nearest parent that
//! may be null. There is one error for what went wrong, however far its null travels. Errors of what a parent
//! takes with it stay told.

use super::trail::{Spot, Trail};
use super::{ERRORS_MAX, Error, Miss, Outcome, Why, Writer, Written};

impl Writer<'_, '_> {
    /// Puts null into a place that began here, or leaves that to its parent.
    #[cold]
    pub(super) fn settle(&mut self, mark: usize, nullable: bool, miss: Miss, trail: &Trail<'_>) -> Outcome {
        self.take_back(mark, trail)?;
        match miss {
            Miss::Full => return Err(Miss::Full),
            Miss::Null(why) if !nullable => self.tell(why, trail),
            Miss::Error(why) => self.tell(why, trail),
            Miss::Null(_) | Miss::Told => {}
        }
        if !nullable {
            return Err(Miss::Told);
        }
        self.out.extend_from_slice(b"null");
        Ok(())
    }

    /// Forgets what was written from here on. Even what is never seen costs time: one that is asked for by
    /// many and cannot be written would be written as often as it is asked for.
    #[cold]
    pub(super) fn take_back(&mut self, mark: usize, trail: &Trail<'_>) -> Outcome {
        self.taken_back += self.out.len().saturating_sub(mark) + 1;
        self.out.truncate(mark);
        if self.before_end > mark {
            self.before.retain(|_, written| written.end <= mark);
            self.before_end = mark;
        }
        if self.taken_back > self.asked.bytes_max { self.full(trail) } else { Ok(()) }
    }

    /// Stops everything because there is too much, unless that has been said.
    #[cold]
    pub(super) fn full(&mut self, trail: &Trail<'_>) -> Outcome {
        if self.written.errors.last().is_none_or(|last| last.why != Why::TooLarge) {
            self.written.errors.push(error(Why::TooLarge, trail));
        }
        Err(Miss::Full)
    }

    /// Stops when there is too much.
    #[inline]
    pub(super) fn measure(&mut self, trail: &Trail<'_>) -> Outcome {
        if self.out.len() > self.end_max { self.full(trail) } else { Ok(()) }
    }

    /// What is to be said about the answer that began here.
    pub(super) fn finish(mut self, start: usize, outcome: Outcome) -> Written {
        if outcome.is_err() {
            self.out.truncate(start);
            self.out.extend_from_slice(b"null");
            self.written.is_null = true;
        }
        self.written
    }

    fn tell(&mut self, why: Why, trail: &Trail<'_>) {
        if self.written.errors.len() < ERRORS_MAX {
            self.written.errors.push(error(why, trail));
        } else {
            self.written.errors_more += 1;
        }
    }
}

fn error(why: Why, trail: &Trail<'_>) -> Error {
    let Spot { path, at, fetch } = trail.spot();
    Error { path, at, fetch, why }
}
