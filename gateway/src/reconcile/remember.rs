//! Writes down for all gateways what was decided, before it serves.
//!
//! By compare-and-set: who decided from an old record decides anew. Two gateways that see different things
//! for long must not write over each other for ever, so each writes a few times for what it sees and then
//! follows. Nothing is written while something is unknown: the store does not answer, or a source was not
//! heard yet.

use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;
use turnout_control::id::SourceName;
use turnout_control::records::{Change, Expected};

use super::contest::{Candidate, Contests};
use super::kept::{self, Kept};
use super::pass::{Composer, Decision, Made, Outcome};
use crate::registry::{Error, Hearing, Registry};
use crate::telemetry::chain;

/// How often the record is written for the same registrations.
const WRITES_MAX: u32 = 8;

/// How long what another gateway wrote may take until it is seen here.
const CATCH_UP: Duration = Duration::from_secs(2);

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remembered {
    /// All gateways know it, or there was nothing new.
    Done,
    /// Another gateway wrote meanwhile: decide anew.
    Overtaken,
    /// Not yet.
    Later,
    /// It cannot be written, or not by this gateway.
    Never,
}

/// Whether the store answers, and all other sources were heard. A store that is not heard is not written
/// either: what waits for it in vain does not serve meanwhile.
fn all_heard(registry: &Registry) -> bool {
    let sources = registry.hub.sources().borrow().clone();
    sources.get(&SourceName::own()).is_some_and(|own| own.state == Hearing::Live)
        && sources.values().all(|source| source.state != Hearing::Starting)
}

impl Composer {
    /// Writes down what was decided, if it is new. Blocks.
    pub(super) fn remember(
        &mut self,
        registry: &Registry,
        (contests, decision): (&Contests, &Decision),
        made: &Made,
    ) -> Remembered {
        match self.memory.trouble {
            Some(kept::Error::Format(_) | kept::Error::Broken(_)) => return Remembered::Never,
            // It may fit now.
            Some(kept::Error::TooLarge(_)) => self.memory.trouble = None,
            None => {}
        }
        let kept = self.to_keep(contests, decision, made);
        if matches!(made.graph, Outcome::Nothing) || kept == self.memory.stored {
            return Remembered::Done;
        }
        if decision.is_unsure() || !all_heard(registry) {
            return Remembered::Later;
        }
        if !self.may_write(contests) {
            tracing::debug!("another gateway sees other registrations, and writes the locks");
            return Remembered::Never;
        }
        match kept::write(&kept) {
            Ok(bytes) => self.write(registry, kept, bytes),
            Err(error) => {
                self.memory.trouble = Some(error);
                self.write_seats(registry, kept)
            }
        }
    }

    /// Writes down at least who serves, where the names do not fit any more.
    fn write_seats(&mut self, registry: &Registry, kept: Kept) -> Remembered {
        let fitting = Kept { locks: self.memory.stored.locks.clone(), ..kept };
        if fitting == self.memory.stored {
            return Remembered::Never;
        }
        match kept::write(&fitting) {
            Ok(bytes) => self.write(registry, fitting, bytes),
            Err(_) => Remembered::Never,
        }
    }

    fn may_write(&mut self, contests: &Contests) -> bool {
        let entrants = contests.values().flat_map(|contest| &contest.entrants);
        let mut seen: Vec<(Candidate, bool)> =
            entrants.map(|entrant| (entrant.candidate.clone(), entrant.runs)).collect();
        seen.sort();
        seen.dedup();
        if self.writes.0 != seen {
            self.writes = (seen, 0);
        }
        self.writes.1 < WRITES_MAX
    }

    fn write(&mut self, registry: &Registry, kept: Kept, bytes: Arc<[u8]>) -> Remembered {
        let (key, known) = (kept::key(), self.memory.revision());
        let expected = known.map_or(Expected::Absent, Expected::At);
        let change = Change {
            expected: [(key.clone(), expected)].into(),
            writes: [(key.clone(), Some(bytes))].into(),
        };
        let runtime = Handle::current();
        match runtime.block_on(registry.store.change(change)) {
            Ok(revision) => {
                // What could not be written does not count: the store may be away for long.
                self.writes.1 += 1;
                self.memory.written(revision, kept);
                Remembered::Done
            }
            Err(Error::Conflict(_)) => {
                let mut records = registry.store.records();
                let newer = records.wait_for(|records| records.seen(&key) != expected);
                match runtime.block_on(async { timeout(CATCH_UP, newer).await.map(|seen| seen.is_ok()) }) {
                    Ok(true) => Remembered::Overtaken,
                    Ok(false) | Err(_) => Remembered::Later,
                }
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "who has which name is not written down yet");
                Remembered::Later
            }
        }
    }
}
