//! Every change that somebody makes, with the record of who made it and why, in one step.
//!
//! Whoever changes records for a person does it through here: the change and its entry in the chain
//! (`turnout_control::audit`) are written together or not at all. Two gateways that write at once agree on the
//! order, because the second finds the place taken and looks for the end again.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use turnout_control::audit::{self, Act, Entry};
use turnout_control::records::{Change, Expected, Key, Kind, Record};
use turnout_schema::Digest;

use super::store::{Error, Store};
use crate::clock::Clock;

/// How often the end of the chain is looked for when others write too. Operators are few.
const ATTEMPTS_MAX: usize = 16;

/// The chain of a store.
#[derive(Clone, Debug)]
pub struct Audit {
    store: Arc<dyn Store>,
    clock: Clock,
    /// The last entry that was seen; the end is here or later.
    seen: Arc<Mutex<Tail>>,
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The revision of the records after it.
    pub revision: u64,
    /// The place of its entry in the chain.
    pub sequence: u64,
}

/// The end of a chain; of an empty one when `sequence` is 0.
#[derive(Clone, Copy, Debug, Default)]
struct Tail {
    sequence: u64,
    digest: Option<Digest>,
}

impl Audit {
    /// The chain that this store keeps.
    pub fn new(store: Arc<dyn Store>, clock: Clock) -> Audit {
        Audit { store, clock, seen: Arc::default() }
    }

    /// Changes records, and writes down who did it. A conflict is about a record of the change, never about
    /// the chain, unless others kept writing all the while.
    pub async fn change(&self, change: Change, act: Act) -> Result<Written, Error> {
        let mut attempt = 1;
        loop {
            let tail = self.tail().await?;
            // One at the last place that there is leaves none: a conflict, and not a chain that begins anew.
            let sequence = tail.sequence.saturating_add(1);
            let entry = Entry { sequence, at: self.clock.now(), act: act.clone(), previous: tail.digest };
            let (key, bytes) = (audit::key(sequence), entry.encode());
            let digest = Digest::of(&bytes);
            let mut with_entry = change.clone();
            with_entry.expected.insert(key.clone(), Expected::Absent);
            with_entry.writes.insert(key.clone(), Some(bytes.into()));
            match self.store.change(with_entry).await {
                Ok(revision) => {
                    self.remember(Tail { sequence, digest: Some(digest) });
                    let Act { actor, verb, subject, reason, .. } = &entry.act;
                    tracing::info!(
                        actor,
                        verb,
                        subject,
                        reason,
                        sequence,
                        "something was changed, and written down"
                    );
                    return Ok(Written { revision, sequence });
                }
                Err(Error::Conflict(conflict)) if conflict.key == key && attempt < ATTEMPTS_MAX => {
                    attempt += 1
                }
                Err(error) => return Err(error),
            }
        }
    }

    /// The last entries as they are stored, the oldest of them first.
    pub async fn last(&self, count: usize) -> Result<Vec<(u64, Record)>, Error> {
        let end = self.tail().await?.sequence;
        let after = end.saturating_sub(u64::try_from(count).unwrap_or(u64::MAX));
        let mut entries = self.after(after, count).await?;
        // Those that others have written meanwhile came too; the last are asked for.
        let surplus = entries.len().saturating_sub(count);
        entries.drain(..surplus);
        Ok(entries)
    }

    /// The end of the chain. One look where nobody else has written since the last time; else twice the
    /// logarithm of what they have written.
    async fn tail(&self) -> Result<Tail, Error> {
        let mut low = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut high = None;
        let mut ahead = 0;
        while high.is_none_or(|high| low.sequence < high) {
            let at = match high {
                None => low.sequence.saturating_add(ahead),
                Some(high) => low.sequence + (high - low.sequence) / 2,
            };
            match self.after(at, 1).await?.pop() {
                Some((sequence, record)) => {
                    low = Tail { sequence, digest: Some(Digest::of(&record.value)) };
                    ahead = ahead.saturating_mul(2).max(1);
                }
                None => high = Some(at),
            }
        }
        self.remember(low);
        Ok(low)
    }

    /// The entries after this one, the first of them first. What else somebody wrote between them is passed
    /// over.
    async fn after(&self, sequence: u64, limit: usize) -> Result<Vec<(u64, Record)>, Error> {
        let mut after = audit::key(sequence);
        let mut entries = Vec::new();
        loop {
            let found: BTreeMap<Key, Record> = self.store.read(Kind::Audit, Some(after), limit).await?;
            let ends = found.len() < limit;
            let last = found.last_key_value().map(|(key, _)| key.clone());
            let place = |(key, record)| Some((audit::sequence(&key)?, record));
            entries.extend(found.into_iter().filter_map(place));
            match last {
                Some(last) if !ends && entries.len() < limit => after = last,
                _ => break,
            }
        }
        entries.truncate(limit);
        Ok(entries)
    }

    fn remember(&self, tail: Tail) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.sequence < tail.sequence {
            *seen = tail;
        }
    }
}
