//! What stands at the keys: JSON that any etcd client can read and write, and leases as numbers.
//!
//! Whatever is read here may have been written by anybody. It is measured before it is parsed, and what is not
//! as it should be is told and never guessed at.
//!
//! A lease of ours is a number that etcd knows it by: 63 bits, because etcd's numbers are signed and positive.
//! They are drawn at random like the 128 bits of other stores. To guess one of 2 000 living leases in a million
//! tries a second takes 146 years on average, and etcd itself answers whoever may reach it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use turnout_control::id::{LeaseId, SourceName, Timestamp};
use turnout_control::layout::{self, Layout};
use turnout_control::registration::{Registration, Terms};
use turnout_control::registry::{Presence, Registered, VersionRecord};
use turnout_control::watch::Entry;
use turnout_schema::{Diagnostic, Severity};

use crate::clock::rfc3339;
use crate::registry::native::{Native, Written};

/// The version of every value here.
const LAYOUT: u32 = 1;
/// The longest value that is no instance and is looked into: the names of many protobuf services.
const VALUE_BYTES_MAX: usize = 1 << 20;

/// An instance as it is written.
#[derive(Serialize)]
struct InstanceValue<'a> {
    #[serde(flatten)]
    native: Written<'a>,
    ttl: u16,
    registered_at: String,
}

/// When an instance says that it was registered.
#[derive(Deserialize)]
struct Stamp {
    registered_at: Option<String>,
}

/// What a version is bound to.
#[derive(Debug, Serialize, Deserialize)]
struct VersionValue {
    #[serde(default = "layout")]
    v: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(default)]
    first_seen: String,
}

/// What stored descriptors are.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Meta {
    #[serde(default = "layout")]
    v: u32,
    #[serde(default)]
    kind: String,
    #[serde(default)]
    encoding: String,
    /// Bytes of the descriptors.
    pub(super) size: u64,
    #[serde(default)]
    stored_size: u64,
    /// In how many pieces they are.
    pub(super) chunks: usize,
    /// The protobuf services in them.
    #[serde(default)]
    pub(super) services: Vec<String>,
    #[serde(default)]
    created_at: String,
}

impl Meta {
    pub(super) fn of(size: usize, chunks: usize, services: Vec<String>, now: Timestamp) -> Meta {
        let size = size as u64;
        Meta {
            v: LAYOUT,
            kind: "proto-fds".to_owned(),
            encoding: "identity".to_owned(),
            size,
            stored_size: size,
            chunks,
            services,
            created_at: rfc3339(now),
        }
    }

    /// Reads a description; `None` when it is none that this build reads.
    pub(super) fn read(value: &[u8]) -> Option<Meta> {
        let meta: Meta = parse(value)?;
        let known = meta.v == LAYOUT
            && matches!(meta.kind.as_str(), "" | "proto-fds")
            && matches!(meta.encoding.as_str(), "" | "identity");
        known.then_some(meta)
    }

    pub(super) fn stored_at(&self) -> Timestamp {
        time(&self.created_at).unwrap_or(Timestamp(0))
    }

    pub(super) fn written(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }
}

/// Writes an instance down.
pub(super) fn instance(registration: &Registration, registered_at: Timestamp) -> Vec<u8> {
    let native = Native::of(&registration.instance);
    let value = InstanceValue { native, ttl: registration.ttl_s, registered_at: rfc3339(registered_at) };
    serde_json::to_vec(&value).unwrap_or_default()
}

/// The same instance, about to go; `None` when the value is none.
pub(super) fn draining(value: &[u8]) -> Option<Vec<u8>> {
    let mut value: serde_json::Value = parse(value)?;
    value.as_object_mut()?.insert("state".to_owned(), "draining".into());
    serde_json::to_vec(&value).ok()
}

/// Reads an instance. `prefix` is what all keys of instances begin with, `now` when it was first seen.
pub(super) fn registered(
    entry: &Entry,
    prefix: &str,
    terms: &Terms,
    now: Timestamp,
) -> Result<Registered, Diagnostic> {
    let raw = layout::Entry { prefix, key: &entry.key, value: &entry.value };
    let reading = Layout::Native.read(&raw, terms).map_err(|error| unreadable(format!("{error}.")))?;
    let registration = match reading.said {
        layout::Said::Versioned(registration) => registration,
        layout::Said::Unversioned(unversioned) => return Err(unversioned.finding()),
        layout::Said::Ignored(ignored) => return Err(unreadable(ignored.reason())),
    };
    let stamp: Option<Stamp> = parse(&entry.value);
    let stamp = stamp.and_then(|stamp| stamp.registered_at).and_then(|text| time(&text));
    Ok(Registered {
        instance: Arc::new(registration.instance),
        source: SourceName::own(),
        lease: entry.lease.map(lease),
        ttl_s: registration.ttl_s,
        registered_at: stamp.unwrap_or(now),
        presence: Presence::Here,
        refused: None,
    })
}

fn unreadable(message: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "ENTRY_UNREADABLE",
        message,
        help: "Write the entry as docs/registration.md says; until then, what it said before holds."
            .to_owned(),
    }
}

/// Writes a binding down.
pub(super) fn version(record: VersionRecord) -> Vec<u8> {
    let value = VersionValue {
        v: LAYOUT,
        digest: record.digest.map(|digest| digest.to_string()),
        first_seen: rfc3339(record.first_seen),
    };
    serde_json::to_vec(&value).unwrap_or_default()
}

/// Reads a binding; `None` when it is none that this build reads.
pub(super) fn version_record(value: &[u8]) -> Option<VersionRecord> {
    let value: VersionValue = parse(value).filter(|value: &VersionValue| value.v == LAYOUT)?;
    let digest = match value.digest {
        Some(text) => Some(text.parse().ok()?),
        None => None,
    };
    Some(VersionRecord { digest, first_seen: time(&value.first_seen).unwrap_or(Timestamp(0)) })
}

/// A lease by the number that etcd knows it by.
pub(super) fn lease(number: i64) -> LeaseId {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    LeaseId::from_random(bytes)
}

/// The number of a lease; `None` when etcd can have none like that.
pub(super) fn number(lease: LeaseId) -> Option<i64> {
    let (number, rest) = lease.bytes().split_first_chunk::<8>().map(|(n, rest)| (*n, rest.to_vec()))?;
    let number = i64::from_be_bytes(number);
    (number > 0 && rest.iter().all(|byte| *byte == 0)).then_some(number)
}

/// A number for a new lease.
pub(super) fn new_number() -> i64 {
    rand::random_range(1..=i64::MAX)
}

fn layout() -> u32 {
    LAYOUT
}

fn parse<T: serde::de::DeserializeOwned>(value: &[u8]) -> Option<T> {
    // An array would be read as the fields in order.
    if value.len() > VALUE_BYTES_MAX || value.trim_ascii_start().first() != Some(&b'{') {
        return None;
    }
    serde_json::from_slice(value).ok()
}

/// Reads a moment; before 1970 nothing happened.
fn time(text: &str) -> Option<Timestamp> {
    let read: prost_types::Timestamp = text.parse().ok()?;
    let (seconds, nanos) = (u64::try_from(read.seconds).ok()?, u64::try_from(read.nanos).ok()?);
    Some(Timestamp(seconds.checked_mul(1000)?.checked_add(nanos / 1_000_000)?))
}

#[cfg(test)]
mod tests {
    use turnout_control::registration::{self, Raw};
    use turnout_control::registry::Instance;
    use turnout_schema::Digest;

    use super::*;

    #[test]
    fn what_is_written_reads_back_the_same() {
        let record =
            VersionRecord { digest: Some(Digest::of(b"x")), first_seen: Timestamp(1_795_232_401_250) };
        assert_eq!(version_record(&version(record)), Some(record));
        let meta = Meta::of(7, 1, vec!["shop.v1.Shop".into()], Timestamp(1_795_232_401_250));
        let read = Meta::read(&meta.written()).unwrap();
        assert_eq!((read.size, read.stored_at()), (7, Timestamp(1_795_232_401_250)));
        assert_eq!(number(lease(77)), Some(77));
        assert_eq!(number(LeaseId::from_random([0xAB; 16])), None);
        assert_eq!(number(LeaseId::from_random([0; 16])), None);
    }

    /// The largest instance that is taken, with quotes wherever they may be.
    fn largest() -> Raw {
        let quoted = |number: usize, bytes: usize| format!("{number:02}{}", "\"".repeat(bytes - 2));
        Raw {
            service: "s".repeat(64),
            id: "i".repeat(64),
            version: "1.5.0".into(),
            incarnation: u64::MAX,
            endpoints: (0..8)
                .map(|at| (format!("grpcs://{}:{}", "h".repeat(253), 65_000 + at), quoted(at, 64)))
                .collect(),
            digest: Some(Digest::of(b"x").to_string()),
            services: (0..64).map(|at| quoted(at, 256)).collect(),
            meta: (0..32).map(|at| (quoted(at, 64), quoted(at, 256))).collect(),
            ..Raw::default()
        }
    }

    #[test]
    fn the_largest_instance_that_is_taken_is_read_where_it_was_written() {
        let terms = Terms { allow_cidrs: Vec::new(), ttl_s: 15 };
        let taken = registration::read(&largest(), &terms).unwrap();
        let Instance { service, id, .. } = &taken.instance;
        let key = format!("/turnout/v1/instances/{service}/{id}").into_bytes();
        let value = instance(&taken, Timestamp(1_795_232_401_250));
        let entry = Entry { key, value, lease: Some(7), created_at: 1, written_at: 1 };
        let read = registered(&entry, "/turnout/v1/instances", &terms, Timestamp(2));
        assert_eq!(*read.unwrap().instance, taken.instance);
        let mut larger = largest();
        larger.services[7].push('x');
        let refused = registration::read(&larger, &terms).unwrap_err();
        assert_eq!(refused[0].field, "schema.services[7]");
    }

    #[test]
    fn what_this_build_cannot_read_is_not_guessed_at() {
        for text in ["", "{", "[]", r#"{"v":2}"#, r#"{"v":1,"digest":"sha256:12"}"#, r#"{"v":1,"digest":7}"#]
        {
            assert_eq!(version_record(text.as_bytes()), None, "{text}");
        }
        for text in ["", r#"{"size":1,"chunks":1,"encoding":"zstd"}"#, r#"{"size":-1,"chunks":1}"#] {
            assert!(Meta::read(text.as_bytes()).is_none(), "{text}");
        }
    }

    #[test]
    fn an_instance_that_drains_says_all_else_as_before() {
        let draining = draining(br#"{"version":"1.5.0","colour":"red"}"#).unwrap();
        let read: serde_json::Value = serde_json::from_slice(&draining).unwrap();
        assert_eq!(read, serde_json::json!({"version": "1.5.0", "colour": "red", "state": "draining"}));
        assert_eq!(super::draining(b"7"), None);
    }
}
