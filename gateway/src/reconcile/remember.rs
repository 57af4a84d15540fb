//! Writes down for all gateways what was decided, before it serves.
//!
//! By compare-and-set: who decided from an old record decides anew. Two gateways that see different things
//! for long must not write over each other for ever, so each writes a few times for what it sees and then
//! follows for a while. Nothing is written while something is unknown: the store does not answer, or a source
//! was not heard yet. What is too much for one change is written in several: each is true by itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::time::timeout;
use turnout_control::id::SourceName;
use turnout_control::records::{CHANGE_MAX, Change, Key};
use turnout_control::routes::{Place, Scope, write_base};
use turnout_schema::compose::Locks;

use super::contest::{Contests, Edition, Line};
use super::decide::Decision;
use super::kept;
use super::pass::Composer;
use crate::registry::{Error, Hearing, Registry};
use crate::telemetry::chain;

/// How often records are written for the same registrations.
const WRITES_MAX: u32 = 8;

/// After what time that is counted anew.
const WRITES_SPAN: Duration = Duration::from_secs(60);

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

/// How often was written, and for what.
#[derive(Clone, Debug, Default)]
pub(super) struct Writes {
    seen: Vec<(Edition, bool)>,
    count: u32,
    since: Duration,
}

/// The record of what holds for everyone of a major of a service.
pub(super) fn base_key((service, major): &Line) -> Key {
    Place { scope: Scope::Everyone, service: service.clone(), major: *major }.key()
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
        (contests, now): (&Contests, Duration),
        decision: &Decision,
    ) -> Remembered {
        let mut writes = self.new_bases(contests, decision);
        writes.extend(self.new_locks(&decision.locks));
        if writes.is_empty() {
            return if self.memory.trouble.is_some() { Remembered::Never } else { Remembered::Done };
        }
        if decision.is_unsure() || !all_heard(registry) {
            return Remembered::Later;
        }
        if !self.may_write(contests, now) {
            tracing::debug!("another gateway sees other registrations, and writes what holds");
            return Remembered::Never;
        }
        let writes: Vec<(Key, Arc<[u8]>)> = writes.into_iter().collect();
        for some in writes.chunks(CHANGE_MAX) {
            let change = Change {
                expected: some.iter().map(|(key, _)| (key.clone(), self.memory.seen(key))).collect(),
                writes: some.iter().map(|(key, value)| (key.clone(), Some(value.clone()))).collect(),
            };
            match self.write(registry, change) {
                Remembered::Done => {}
                otherwise @ (Remembered::Overtaken | Remembered::Later | Remembered::Never) => {
                    return otherwise;
                }
            }
        }
        // What could not be written does not count: the store may be away for long.
        self.writes.count += 1;
        Remembered::Done
    }

    /// What holds from now on and no record says.
    fn new_bases(&self, contests: &Contests, decision: &Decision) -> BTreeMap<Key, Arc<[u8]>> {
        let mut writes = BTreeMap::new();
        for (line, base) in &decision.bases {
            let key = base_key(line);
            let theirs = contests.get(line).is_some_and(|contest| contest.behind)
                || self.memory.stored.unreadable.contains_key(&key);
            if !theirs && self.memory.stored.base(line) != Some(base) {
                writes.insert(key, write_base(base).into());
            }
        }
        writes
    }

    /// The names, where they can be written.
    fn new_locks(&mut self, locks: &Locks) -> Option<(Key, Arc<[u8]>)> {
        match self.memory.trouble {
            Some(kept::Error::Format(_) | kept::Error::Broken(_)) => return None,
            // It may fit now.
            Some(kept::Error::TooLarge(_)) => self.memory.trouble = None,
            None => {}
        }
        if *locks == self.memory.stored.locks {
            return None;
        }
        match kept::write(locks) {
            Ok(bytes) => Some((kept::key(), bytes)),
            Err(error) => {
                self.memory.trouble = Some(error);
                None
            }
        }
    }

    fn may_write(&mut self, contests: &Contests, now: Duration) -> bool {
        let entrants = contests.values().flat_map(|contest| &contest.entrants);
        let mut seen: Vec<(Edition, bool)> =
            entrants.map(|entrant| (entrant.edition.clone(), entrant.runs)).collect();
        seen.sort();
        seen.dedup();
        if self.writes.seen != seen || now.saturating_sub(self.writes.since) >= WRITES_SPAN {
            self.writes = Writes { seen, count: 0, since: now };
        }
        self.writes.count < WRITES_MAX
    }

    fn write(&mut self, registry: &Registry, change: Change) -> Remembered {
        let runtime = Handle::current();
        match runtime.block_on(registry.store.change(change.clone())) {
            Ok(revision) => {
                self.memory.written(&change, revision);
                Remembered::Done
            }
            Err(Error::Conflict(conflict)) => {
                let mut records = registry.store.records();
                let expected = change.expected.get(&conflict.key).copied();
                let newer = records.wait_for(|records| Some(records.seen(&conflict.key)) != expected);
                match runtime.block_on(async { timeout(CATCH_UP, newer).await.map(|seen| seen.is_ok()) }) {
                    Ok(true) => Remembered::Overtaken,
                    Ok(false) | Err(_) => Remembered::Later,
                }
            }
            Err(error) => {
                tracing::warn!(error = %chain(&error), "what was decided is not written down yet");
                Remembered::Later
            }
        }
    }
}
