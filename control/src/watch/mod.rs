//! Following the entries below one prefix of a store with revisions, as etcd is one.
//!
//! The way is: list everything at a revision, watch from the next one on, and when the watch ends, watch again
//! from where it got to, or list again when that is forgotten. `Watch` says what to do next and takes in what
//! came of it; the shell does it. `Mirror` holds what is there and tells only what really differs. Nothing is
//! known here of what values mean.

mod dice;
mod mirror;
#[cfg(test)]
mod simulation;
mod steps;

use std::sync::Arc;

pub use steps::{Step, Watch};

/// One key with its value, as etcd holds it at a revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole key.
    pub key: Vec<u8>,
    /// Its value.
    pub value: Vec<u8>,
    /// The lease that keeps it; `None` when it stays until it is removed.
    pub lease: Option<i64>,
    /// The revision at which the key came to be.
    pub created_at: u64,
    /// The revision at which it was last written.
    pub written_at: u64,
}

/// All entries below a prefix, by key, at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Listing {
    /// The revision of the whole store.
    pub revision: u64,
    /// The entries, in order of their keys.
    pub entries: Vec<Entry>,
}

/// What a watch tells, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// The watch stands; the revision of the store then.
    Created(u64),
    /// What happened, in order.
    Events(Vec<Event>),
    /// Nothing more happened up to this revision; said in order with the events.
    Progress(u64),
    /// The watch is still served. Says nothing of revisions, because it may overtake events.
    Alive,
    /// What came after the revision asked for is forgotten.
    Compacted,
    /// The watch was ended, and why.
    Ended(String),
}

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An entry was written.
    Put(Entry),
    /// An entry was removed.
    Delete {
        /// Its key.
        key: Vec<u8>,
        /// The revision at which it was.
        at: u64,
    },
}

/// What differs from what was told before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Difference {
    /// This is all there is, whatever was told before.
    All(Vec<Arc<Entry>>),
    /// An entry was written.
    Put(Arc<Entry>),
    /// An entry is gone; this is what it was.
    Gone(Arc<Entry>),
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn entry(key: &str, written_at: u64) -> Entry {
        let value = format!("{key} at {written_at}").into_bytes();
        Entry { key: key.into(), value, lease: None, created_at: written_at, written_at }
    }

    pub(super) fn listing(revision: u64, entries: &[Entry]) -> Listing {
        Listing { revision, entries: entries.to_vec() }
    }

    pub(super) fn put(key: &str, at: u64) -> Event {
        Event::Put(entry(key, at))
    }

    pub(super) fn gone(key: &str, at: u64) -> Event {
        Event::Delete { key: key.into(), at }
    }
}
