//! Following the entries below one prefix of a store with revisions, as etcd is one.
//!
//! An entry is a key with its value at one revision. Nothing is known here of what values mean.

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
        /// What it was, unless that is forgotten.
        was: Option<Entry>,
    },
}
