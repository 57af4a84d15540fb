//! What all gateways remember of the graph: who has which name in it, and which version of each service serves.
//!
//! One record of the store, written by compare-and-set, so that gateways that hear of registrations in
//! different order still make one graph, and so that a restart changes nothing. The record is the truth
//! where it says something; what a gateway decided while the store could not be reached fills the rest. The
//! types of the record are this file's own: pure types promise nothing to other programs.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use turnout_control::id::{self, ServiceName};
use turnout_control::lineup::Seat;
use turnout_control::records::{Key, Kind, Records, VALUE_BYTES_MAX};
use turnout_schema::compose::{Locks, Owner};
use turnout_schema::graph::Name;

/// The version of the format.
const FORMAT: u32 = 1;

/// What is remembered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Kept {
    /// Who has which name.
    pub(super) locks: Locks,
    /// What serves of each service.
    pub(super) seats: BTreeMap<ServiceName, Seat>,
}

/// Why the record cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Error {
    #[error("its format is {0}, and this gateway reads {FORMAT}")]
    Format(u32),
    #[error("it cannot be read: {0}")]
    Broken(String),
    #[error("it would have {0} bytes, and a record has {VALUE_BYTES_MAX} at most")]
    TooLarge(usize),
}

/// The record as it was last read, and what this gateway goes on with.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    revision: Option<u64>,
    /// What the record says.
    pub(super) stored: Kept,
    /// What this gateway decided last, stored or not.
    pub(super) ours: Kept,
    /// Why the record cannot be used; then it is not written either.
    pub(super) trouble: Option<Error>,
}

impl Memory {
    /// Takes up what the record says now.
    pub(super) fn refresh(&mut self, records: &Records) {
        let record = records.get(&key());
        let revision = record.map(|record| record.revision);
        // What this gateway wrote itself may not have come back to it yet.
        let old = self.revision.is_some_and(|known| records.revision < known);
        if revision == self.revision || old {
            return;
        }
        self.revision = revision;
        match record.map_or_else(|| Ok(Kept::default()), |record| read(&record.value)) {
            Ok(kept) => (self.stored, self.trouble) = (kept, None),
            Err(error) => self.trouble = Some(error),
        }
    }

    /// The revision of the record that was last read; `None` when there was none.
    pub(super) fn revision(&self) -> Option<u64> {
        self.revision
    }

    /// Notes that the record was written with what this gateway decided.
    pub(super) fn written(&mut self, revision: u64, kept: Kept) {
        (self.revision, self.stored) = (Some(revision), kept);
    }

    /// What serves of a service.
    pub(super) fn seat(&self, service: &ServiceName) -> Option<&Seat> {
        self.stored.seats.get(service).or_else(|| self.ours.seats.get(service))
    }

    /// The locks to compose with: those of the record, and this gateway's own where it has none.
    pub(super) fn locks(&self) -> Locks {
        let mut locks = self.stored.locks.clone();
        let ours = &self.ours.locks;
        add(&mut locks.types, &ours.types);
        add(&mut locks.fields, &ours.fields);
        add(&mut locks.meanings, &ours.meanings);
        locks
    }
}

fn add<V: Clone>(to: &mut BTreeMap<Name, V>, from: &BTreeMap<Name, V>) {
    for (name, value) in from {
        if !to.contains_key(name) {
            to.insert(name.clone(), value.clone());
        }
    }
}

/// The record's key.
pub(super) fn key() -> Key {
    Key::new(Kind::Locks, "graph").expect("the name is legal")
}

#[derive(Serialize, Deserialize)]
struct Written {
    v: u32,
    #[serde(default)]
    types: BTreeMap<String, WrittenOwner>,
    #[serde(default)]
    fields: BTreeMap<String, String>,
    #[serde(default)]
    meanings: BTreeMap<String, String>,
    #[serde(default)]
    services: BTreeMap<String, WrittenSeat>,
}

#[derive(Serialize, Deserialize)]
struct WrittenOwner {
    source: String,
    service: String,
    wanted: String,
}

#[derive(Serialize, Deserialize)]
struct WrittenSeat {
    version: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    instead_of: Option<String>,
}

#[derive(Deserialize)]
struct Format {
    v: u32,
}

/// What the bytes of the record say.
fn read(bytes: &[u8]) -> Result<Kept, Error> {
    let broken = |error: serde_json::Error| Error::Broken(error.to_string());
    let Format { v } = serde_json::from_slice(bytes).map_err(broken)?;
    if v != FORMAT {
        return Err(Error::Format(v));
    }
    let written: Written = serde_json::from_slice(bytes).map_err(broken)?;
    let owner = |owner: WrittenOwner| Owner {
        source: owner.source.into(),
        service: owner.service.into(),
        wanted: owner.wanted.into(),
    };
    let names = |(name, of): (String, String)| (Name::from(name), Name::from(of));
    let locks = Locks {
        types: written.types.into_iter().map(|(name, of)| (name.into(), owner(of))).collect(),
        fields: written.fields.into_iter().map(names).collect(),
        meanings: written.meanings.into_iter().map(names).collect(),
    };
    let seats: Result<_, id::Error> = written.services.into_iter().map(seat).collect();
    Ok(Kept { locks, seats: seats.map_err(|error| Error::Broken(error.to_string()))? })
}

fn seat((service, written): (String, WrittenSeat)) -> Result<(ServiceName, Seat), id::Error> {
    let instead_of = written.instead_of.map(|version| version.parse()).transpose()?;
    Ok((service.parse()?, Seat { version: written.version.parse()?, instead_of }))
}

/// The bytes of the record.
pub(super) fn write(kept: &Kept) -> Result<Arc<[u8]>, Error> {
    let owner = |owner: &Owner| WrittenOwner {
        source: owner.source.to_string(),
        service: owner.service.to_string(),
        wanted: owner.wanted.to_string(),
    };
    let names = |(name, of): (&Name, &Name)| (name.to_string(), of.to_string());
    let seat = |seat: &Seat| WrittenSeat {
        version: seat.version.to_string(),
        instead_of: seat.instead_of.as_ref().map(ToString::to_string),
    };
    let written = Written {
        v: FORMAT,
        types: kept.locks.types.iter().map(|(name, of)| (name.to_string(), owner(of))).collect(),
        fields: kept.locks.fields.iter().map(names).collect(),
        meanings: kept.locks.meanings.iter().map(names).collect(),
        services: kept.seats.iter().map(|(service, of)| (service.to_string(), seat(of))).collect(),
    };
    let bytes = serde_json::to_vec(&written).map_err(|error| Error::Broken(error.to_string()))?;
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(Error::TooLarge(bytes.len()));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use turnout_control::records::{Change, Expected};

    use super::*;

    fn kept() -> Kept {
        let owner = Owner { source: "shop.v1.User".into(), service: "users".into(), wanted: "User".into() };
        let locks = Locks {
            types: [("User".into(), owner)].into(),
            fields: [("Query.user".into(), "users".into())].into(),
            meanings: [("User".into(), "User".into())].into(),
        };
        let seat = |version: &str, of: Option<&str>| Seat {
            version: version.parse().unwrap(),
            instead_of: of.map(|of| of.parse().unwrap()),
        };
        let seats = [
            ("users".parse().unwrap(), seat("2.0.0", None)),
            ("catalog".parse().unwrap(), seat("1.4.0", Some("1.5.0"))),
        ];
        Kept { locks, seats: seats.into() }
    }

    fn holding(value: &[u8], revision: u64) -> Records {
        let writes = [(key(), Some(value.into()))].into();
        let change = Change { expected: [(key(), Expected::Absent)].into(), writes };
        Records::default().apply(&change, revision)
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&write(&kept()).unwrap()), Ok(kept()));
        assert_eq!(read(br#"{"v":1}"#), Ok(Kept::default()));
    }

    #[test]
    fn what_cannot_be_read_is_told_and_leaves_what_was_known() {
        let mut memory = Memory::default();
        memory.refresh(&holding(&write(&kept()).unwrap(), 1));
        for (revision, bytes) in [
            (2, &b"{}"[..]),
            (3, b"\xff"),
            (4, br#"{"v":2}"#),
            (5, br#"{"v":1,"services":{"users":{"version":"latest"}}}"#),
        ] {
            memory.refresh(&holding(bytes, revision));
            assert!(memory.trouble.is_some(), "{bytes:?}");
            assert_eq!(memory.stored, kept());
        }
        assert_eq!(
            memory.trouble,
            Some(read(br#"{"v":1,"services":{"users":{"version":"latest"}}}"#).unwrap_err())
        );
        memory.refresh(&Records::default());
        assert_eq!(memory.revision, Some(5), "what is older than what was seen is nothing new");
        memory.refresh(&Records::restore(6, BTreeMap::new()));
        assert_eq!((memory.stored, memory.trouble, memory.revision), (Kept::default(), None, None));
    }

    #[test]
    fn the_record_goes_before_what_was_decided_without_it() {
        let mut memory = Memory { ours: kept(), ..Memory::default() };
        assert_eq!(memory.locks(), kept().locks);
        let mut other = kept();
        other.locks.fields = [("Query.user".into(), "people".into())].into();
        other.locks.types.clear();
        memory.refresh(&holding(&write(&other).unwrap(), 1));
        let locks = memory.locks();
        assert_eq!((locks.types, locks.fields), (kept().locks.types, other.locks.fields));
    }

    #[test]
    fn a_record_that_would_be_too_large_is_not_written() {
        let mut large = kept();
        for number in 0..6000 {
            let field = format!("Query.{number:080}");
            large.locks.fields.insert(field.into(), "users".into());
        }
        assert!(matches!(write(&large), Err(Error::TooLarge(_))));
    }
}
