//! What all gateways remember of names: who has which one in the graph.
//!
//! One record of the store, written by compare-and-set, so that gateways that hear of registrations in
//! different order still make one graph, and so that a restart changes nothing. The types of the record are
//! this file's own: pure types promise nothing to other programs. Fields of older and newer builds are passed
//! over.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use turnout_control::records::{Key, Kind, VALUE_BYTES_MAX};
use turnout_schema::compose::{Locks, Owner};
use turnout_schema::graph::Name;

/// The version of the format.
const FORMAT: u32 = 1;

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
}

#[derive(Serialize, Deserialize)]
struct WrittenOwner {
    source: String,
    service: String,
    wanted: String,
}

#[derive(Deserialize)]
struct Format {
    v: u32,
}

/// What the bytes of the record say.
pub(super) fn read(bytes: &[u8]) -> Result<Locks, Error> {
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
    Ok(Locks {
        types: written.types.into_iter().map(|(name, of)| (name.into(), owner(of))).collect(),
        fields: written.fields.into_iter().map(names).collect(),
        meanings: written.meanings.into_iter().map(names).collect(),
    })
}

/// The bytes of the record.
pub(super) fn write(locks: &Locks) -> Result<Arc<[u8]>, Error> {
    let owner = |owner: &Owner| WrittenOwner {
        source: owner.source.to_string(),
        service: owner.service.to_string(),
        wanted: owner.wanted.to_string(),
    };
    let names = |(name, of): (&Name, &Name)| (name.to_string(), of.to_string());
    let written = Written {
        v: FORMAT,
        types: locks.types.iter().map(|(name, of)| (name.to_string(), owner(of))).collect(),
        fields: locks.fields.iter().map(names).collect(),
        meanings: locks.meanings.iter().map(names).collect(),
    };
    let bytes = serde_json::to_vec(&written).map_err(|error| Error::Broken(error.to_string()))?;
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(Error::TooLarge(bytes.len()));
    }
    Ok(bytes.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn locks() -> Locks {
        let owner = Owner { source: "shop.v1.User".into(), service: "users".into(), wanted: "User".into() };
        Locks {
            types: [("User".into(), owner)].into(),
            fields: [("Query.user".into(), "users".into())].into(),
            meanings: [("User".into(), "User".into())].into(),
        }
    }

    #[test]
    fn what_is_written_is_read() {
        assert_eq!(read(&write(&locks()).unwrap()), Ok(locks()));
        assert_eq!(read(br#"{"v":1}"#), Ok(Locks::default()));
    }

    #[test]
    fn what_an_older_build_wrote_of_versions_is_passed_over() {
        let older = br#"{"v":1,"fields":{"Query.user":"users"},"services":{"users":{"version":"latest"}}}"#;
        assert_eq!(read(older).map(|locks| locks.fields), Ok(locks().fields));
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        assert_eq!(read(br#"{"v":2}"#), Err(Error::Format(2)));
        for bytes in [&b"{}"[..], b"\xff", br#"{"v":1,"types":[]}"#] {
            assert!(matches!(read(bytes), Err(Error::Broken(_))), "{bytes:?}");
        }
    }

    #[test]
    fn a_record_that_would_be_too_large_is_not_written() {
        let mut large = locks();
        for number in 0..6000 {
            let field = format!("Query.{number:080}");
            large.fields.insert(field.into(), "users".into());
        }
        assert!(matches!(write(&large), Err(Error::TooLarge(_))));
    }
}
