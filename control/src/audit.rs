//! Who changed what, when and why, as a chain of entries.
//!
//! An entry is written once and never changed. Each names the digest of the one before it, so that nobody can
//! take one out, change one or slip one in without all later ones telling. Sequences begin at 1 and have no
//! gaps; old entries may be removed from the front, never from the middle. An entry is JSON, so that any
//! client of the store can read it.

use serde_json::{Value, json};
use turnout_schema::Digest;

use crate::id::Timestamp;
use crate::records::{Key, Kind};

/// The longest reason and inverse command.
pub const TEXT_BYTES_MAX: usize = 1024;

/// What somebody did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    /// Who: the name of a token, or `local` where no tokens are asked for.
    pub actor: String,
    /// What was done: `service.expose`.
    pub verb: String,
    /// What it was done to: `orders`.
    pub subject: String,
    /// The record before, as it was written; `None` when there was none.
    pub before: Option<String>,
    /// The record after; `None` when it was removed.
    pub after: Option<String>,
    /// Why, as the actor said.
    pub reason: String,
    /// The command that takes it back.
    pub inverse: String,
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub sequence: u64,
    /// When it was written, by the wall clock of the gateway that wrote it.
    pub at: Timestamp,
    /// What was done.
    pub act: Act,
    /// The digest of the entry before it; `None` in the first.
    pub previous: Option<Digest>,
}

/// Why bytes are no entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// They are no JSON.
    #[error("an audit entry is no JSON")]
    Json,
    /// A field is missing, or is of the wrong kind.
    #[error("an audit entry has no {0:?}")]
    Field(&'static str),
}

/// Where a chain is not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// An entry cannot be read.
    #[error("entry {0}")]
    Unreadable(u64, #[source] Error),
    /// An entry is missing.
    #[error("entry {0} is missing")]
    Missing(u64),
    /// An entry, or the one before it, is not as it was written.
    #[error("entry {0} does not follow from the one before it")]
    Unlinked(u64),
}

/// The key of an entry; keys sort like sequences.
pub fn key(sequence: u64) -> Key {
    Key::new(Kind::Audit, &format!("{sequence:020}")).expect("digits make a name")
}

/// The place of an entry, by its key. Places begin at 1, and each has one key: others, which any client of the
/// store may write, are of no entry.
pub fn sequence(key: &Key) -> Option<u64> {
    key.name().parse().ok().filter(|place| *place > 0 && *key == self::key(*place))
}

impl Entry {
    /// The entry as it is stored.
    pub fn encode(&self) -> Vec<u8> {
        let Act { actor, verb, subject, before, after, reason, inverse } = &self.act;
        let entry = json!({
            "v": 1,
            "sequence": self.sequence,
            "at": self.at.0,
            "actor": actor,
            "verb": verb,
            "subject": subject,
            "before": before,
            "after": after,
            "reason": reason,
            "inverse": inverse,
            "previous": self.previous.map(|digest| digest.to_string()),
        });
        entry.to_string().into_bytes()
    }

    /// Reads a stored entry.
    pub fn decode(bytes: &[u8]) -> Result<Entry, Error> {
        let entry: Value = serde_json::from_slice(bytes).map_err(|_| Error::Json)?;
        let text = |field: &'static str| {
            entry.get(field).and_then(Value::as_str).map(str::to_owned).ok_or(Error::Field(field))
        };
        let number =
            |field: &'static str| entry.get(field).and_then(Value::as_u64).ok_or(Error::Field(field));
        let optional = |field: &'static str| match entry.get(field) {
            None | Some(Value::Null) => Ok(None),
            Some(_) => text(field).map(Some),
        };
        let previous = optional("previous")?.map(|digest| digest.parse());
        Ok(Entry {
            sequence: number("sequence")?,
            at: Timestamp(number("at")?),
            act: Act {
                actor: text("actor")?,
                verb: text("verb")?,
                subject: text("subject")?,
                before: optional("before")?,
                after: optional("after")?,
                reason: text("reason")?,
                inverse: text("inverse")?,
            },
            previous: previous.transpose().map_err(|_| Error::Field("previous"))?,
        })
    }
}

/// Whether these stored entries, in order, are as they were written. What stood before the first of them is
/// not looked at. Costs one digest an entry.
pub fn verify<'a>(entries: impl IntoIterator<Item = (u64, &'a [u8])>) -> Result<(), Broken> {
    let mut before: Option<(u64, Digest)> = None;
    for (at, bytes) in entries {
        let entry = Entry::decode(bytes).map_err(|error| Broken::Unreadable(at, error))?;
        if let Some((last, digest)) = before {
            if at != last + 1 {
                return Err(Broken::Missing(last + 1));
            }
            if entry.previous != Some(digest) {
                return Err(Broken::Unlinked(at));
            }
        }
        if entry.sequence != at || (at == 1 && entry.previous.is_some()) {
            return Err(Broken::Unlinked(at));
        }
        before = Some((at, Digest::of(bytes)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(length: u64) -> Vec<(u64, Vec<u8>)> {
        let mut entries: Vec<(u64, Vec<u8>)> = Vec::new();
        for sequence in 1..=length {
            let entry = Entry {
                sequence,
                at: Timestamp(1_795_232_401_250 + sequence),
                act: Act {
                    actor: "ops".into(),
                    verb: "service.expose".into(),
                    subject: "orders".into(),
                    before: None,
                    after: Some(r#"{"expose":"all","v":1}"#.into()),
                    reason: "the shop needs \"it\"\n".into(),
                    inverse: "turnout service expose orders default".into(),
                },
                previous: entries.last().map(|(_, bytes)| Digest::of(bytes)),
            };
            let bytes = entry.encode();
            assert_eq!(Entry::decode(&bytes), Ok(entry));
            entries.push((sequence, bytes));
        }
        entries
    }

    fn verdict(entries: &[(u64, Vec<u8>)]) -> Result<(), Broken> {
        verify(entries.iter().map(|(at, bytes)| (*at, bytes.as_slice())))
    }

    #[test]
    fn a_chain_as_it_was_written_holds_and_its_front_may_be_gone() {
        let entries = chain(5);
        assert_eq!(verdict(&entries), Ok(()));
        assert_eq!(verdict(&entries[2..]), Ok(()));
        assert_eq!(verdict(&[]), Ok(()));
    }

    #[test]
    fn a_changed_a_missing_and_an_added_entry_show() {
        let mut missing = chain(5);
        missing.remove(2);
        assert_eq!(verdict(&missing), Err(Broken::Missing(3)));

        let mut changed = chain(5);
        let text = String::from_utf8(changed[1].1.clone()).unwrap().replace("orders", "ordera");
        changed[1].1 = text.into_bytes();
        assert_eq!(verdict(&changed), Err(Broken::Unlinked(3)));

        let mut added = chain(3);
        added.push((4, chain(1).remove(0).1));
        assert_eq!(verdict(&added), Err(Broken::Unlinked(4)));

        let mut broken = chain(2);
        broken[1].1 = b"{}".to_vec();
        assert!(matches!(verdict(&broken), Err(Broken::Unreadable(2, _))));
    }

    #[test]
    fn keys_sort_like_sequences() {
        assert!(key(9) < key(10) && key(99) < key(u64::MAX));
        assert_eq!(sequence(&key(17)), Some(17));
    }
}
