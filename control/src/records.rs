//! What operators and the gateways themselves decide and keep: policies, frontends, rollouts, tombstones, audit.
//!
//! A record is bytes under a key, with the revision at which it was last written. A change is all or nothing:
//! it names what it expects of each record it looked at, and either all of that holds and everything is
//! written at one revision, or nothing is. So two operators, or two gateways, never overwrite each other
//! unseen. What the bytes mean is not known here.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::id;

/// The largest record. etcd takes 1.5 MiB a transaction.
pub const VALUE_BYTES_MAX: usize = 512 << 10;
/// The most records that one change writes or looks at. etcd takes 128 a transaction, with the pointer.
pub const CHANGE_MAX: usize = 100;

/// What a record is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Who has which name in the graph.
    Locks,
    /// What an operator decided about a service.
    Service,
    /// Which versions a frontend gets.
    Policy,
    /// A published frontend version.
    Frontend,
    /// Which customers get which frontend version.
    Assignment,
    /// A rollout.
    Rollout,
    /// The evidence of a rollout.
    Analysis,
    /// What was retired, by whom and why.
    Tombstone,
    /// Since when descriptors are not needed.
    Garbage,
    /// Who did what. Not watched: there are many, and nobody acts on them.
    Audit,
}

impl Kind {
    /// All kinds.
    pub const ALL: [Kind; 10] = [
        Kind::Locks,
        Kind::Service,
        Kind::Policy,
        Kind::Frontend,
        Kind::Assignment,
        Kind::Rollout,
        Kind::Analysis,
        Kind::Tombstone,
        Kind::Garbage,
        Kind::Audit,
    ];

    /// The word in a key.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Locks => "locks",
            Kind::Service => "service",
            Kind::Policy => "policy",
            Kind::Frontend => "frontend",
            Kind::Assignment => "assignment",
            Kind::Rollout => "rollout",
            Kind::Analysis => "analysis",
            Kind::Tombstone => "tombstone",
            Kind::Garbage => "garbage",
            Kind::Audit => "audit",
        }
    }

    /// Whether every gateway has all records of the kind in memory.
    pub fn is_watched(self) -> bool {
        self != Kind::Audit
    }
}

/// The name of a record: `policy/web@2.4.1/orders/2`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key {
    /// What it is about.
    pub kind: Kind,
    name: Arc<str>,
}

impl Key {
    /// The key of a record; `name` is of one or more parts with slashes between them.
    pub fn new(kind: Kind, name: &str) -> Result<Key, id::Error> {
        let part = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-@*:".contains(letter))
        };
        if name.len() > 256 || !name.split('/').all(part) {
            return Err(id::Error(format!(
                "{:?} is no name of a record",
                name.chars().take(64).collect::<String>()
            )));
        }
        Ok(Key { kind, name: name.into() })
    }

    /// The part after the kind.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind.as_str(), self.name)
    }
}

impl FromStr for Key {
    type Err = id::Error;

    fn from_str(text: &str) -> Result<Key, id::Error> {
        let (kind, name) = text.split_once('/').unwrap_or((text, ""));
        let kind = Kind::ALL.into_iter().find(|known| known.as_str() == kind);
        Key::new(kind.ok_or_else(|| id::Error(format!("{text:?} is no key of a record")))?, name)
    }
}

/// One record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The revision of the store at which it was last written; never 0.
    pub revision: u64,
    /// What it says.
    pub value: Arc<[u8]>,
}

/// What a change expects of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// There is none.
    Absent,
    /// It was last written at this revision.
    At(u64),
}

/// A change of records, all or nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// What must hold, of written records and of others that it was decided by.
    pub expected: BTreeMap<Key, Expected>,
    /// What is written; `None` removes.
    pub writes: BTreeMap<Key, Option<Arc<[u8]>>>,
}

impl Change {
    /// Whether every store could take it.
    pub fn measure(&self) -> Result<(), Excess> {
        let touched: BTreeSet<&Key> = self.expected.keys().chain(self.writes.keys()).collect();
        if touched.len() > CHANGE_MAX {
            return Err(Excess::Records(touched.len()));
        }
        for (key, value) in &self.writes {
            let bytes = value.as_ref().map_or(0, |value| value.len());
            if bytes > VALUE_BYTES_MAX {
                return Err(Excess::Bytes(key.clone(), bytes));
            }
        }
        Ok(())
    }
}

/// What is too much in a change.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Excess {
    /// It touches too many records.
    #[error("the change touches {0} records, and {CHANGE_MAX} are allowed")]
    Records(usize),
    /// A record is too large.
    #[error("the record {0} has {1} bytes, and {VALUE_BYTES_MAX} are allowed")]
    Bytes(Key, usize),
}

/// What a change expected and did not find.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key} was changed by someone else meanwhile")]
pub struct Conflict {
    /// The record.
    pub key: Key,
    /// The revision it has now; `None` when it is not there.
    pub found: Option<u64>,
}

/// All watched records, at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Records {
    /// The revision of the last change; never goes back.
    pub revision: u64,
    by_key: BTreeMap<Key, Record>,
}

impl Records {
    /// What a store holds.
    pub fn restore(revision: u64, by_key: BTreeMap<Key, Record>) -> Records {
        Records { revision, by_key }
    }

    /// One record.
    pub fn get(&self, key: &Key) -> Option<&Record> {
        self.by_key.get(key)
    }

    /// The records of a kind, by name.
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = (&Key, &Record)> {
        self.by_key.iter().filter(move |(key, _)| key.kind == kind)
    }

    /// What is expected of a record by one who has read these.
    pub fn seen(&self, key: &Key) -> Expected {
        self.get(key).map_or(Expected::Absent, |record| Expected::At(record.revision))
    }

    /// Whether what a change expects holds of these.
    pub fn check(&self, change: &Change) -> Result<(), Conflict> {
        for (key, expected) in &change.expected {
            if self.seen(key) != *expected {
                return Err(Conflict {
                    key: key.clone(),
                    found: self.get(key).map(|record| record.revision),
                });
            }
        }
        Ok(())
    }

    /// The records after a change that was checked, at this revision.
    #[must_use]
    pub fn apply(&self, change: &Change, revision: u64) -> Records {
        let mut by_key = self.by_key.clone();
        for (key, value) in &change.writes {
            match value {
                Some(value) => by_key.insert(key.clone(), Record { revision, value: value.clone() }),
                None => by_key.remove(key),
            };
        }
        Records { revision, by_key }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        text.parse().unwrap()
    }

    fn write(text: &str, expected: Expected, value: &str) -> Change {
        Change {
            expected: [(key(text), expected)].into(),
            writes: [(key(text), Some(value.as_bytes().into()))].into(),
        }
    }

    #[test]
    fn a_key_reads_as_it_is_written() {
        for text in
            ["policy/web@2.4.1/orders/2", "policy/*/orders/2", "locks/graph", "audit/00000000000000000017"]
        {
            assert_eq!(key(text).to_string(), text);
        }
        for text in
            ["", "policy", "policy/", "policy//a", "policy/a/", "colour/a", "policy/../a", "policy/a b"]
        {
            assert!(text.parse::<Key>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_change_is_measured_by_all_that_it_touches() {
        let looks = |count: usize| (0..count).map(|at| (key(&format!("policy/l{at}")), Expected::Absent));
        let writes = |count: usize| (0..count).map(|at| (key(&format!("policy/w{at}")), None));
        let change =
            |looked, written| Change { expected: looks(looked).collect(), writes: writes(written).collect() };
        assert_eq!(change(CHANGE_MAX - 1, 1).measure(), Ok(()));
        assert_eq!(change(CHANGE_MAX, 1).measure(), Err(Excess::Records(CHANGE_MAX + 1)));
        let of = |bytes: usize| {
            let mut change = write("policy/a", Expected::Absent, "");
            change.writes.insert(key("policy/a"), Some(vec![0; bytes].into()));
            change.measure()
        };
        assert_eq!(of(VALUE_BYTES_MAX), Ok(()));
        let large = VALUE_BYTES_MAX + 1;
        assert_eq!(of(large), Err(Excess::Bytes(key("policy/a"), large)));
    }

    #[test]
    fn the_second_of_two_who_saw_the_same_is_told() {
        let empty = Records::default();
        let first = write("policy/a", Expected::Absent, "1");
        empty.check(&first).unwrap();
        let one = empty.apply(&first, 1);
        assert_eq!(one.check(&first), Err(Conflict { key: key("policy/a"), found: Some(1) }));
        let second = write("policy/a", one.seen(&key("policy/a")), "2");
        one.check(&second).unwrap();
        let two = one.apply(&second, 2);
        assert_eq!(&*two.get(&key("policy/a")).unwrap().value, b"2");
        assert_eq!(two.check(&second).unwrap_err().found, Some(2));
    }
}
