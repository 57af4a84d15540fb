//! What versions offer and whether they can stand in for each other, read once and kept while it is needed.
//!
//! Descriptors never change, so an answer stays, unless it was the store that failed. Descriptors are a
//! stranger's: a bug that they wake must cost that stranger its place and nobody else. Everything here blocks.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use tokio::runtime::Handle;
use turnout_control::id::FrontendId;
use turnout_schema::gate::{self, Shape};
use turnout_schema::subgraph::{self, Reading};
use turnout_schema::{Descriptors, Digest};

use super::contest::Edition;
use crate::registry::Store;
use crate::telemetry::chain;

/// Whose operations are held against a version: frontends, the revisions of what they send, and their graphs.
pub(super) type Scope = Vec<(FrontendId, u64, Digest)>;

/// What the gate says.
pub(super) type Judged = Result<Arc<gate::Report>, Unread>;

/// What was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Shelf {
    readings: BTreeMap<Edition, Result<Arc<Reading>, Unread>>,
    /// What the gate says, by the old version, the new one, and whose operations were held against it.
    verdicts: BTreeMap<(Edition, Edition, Scope), Judged>,
    /// What was asked of the gate since the last time that something was forgotten.
    asked: BTreeSet<(Edition, Edition, Scope)>,
    /// Descriptors that are not stored.
    given: Option<(Digest, Bytes)>,
}

/// Why something was not read.
#[derive(Clone, Debug)]
pub(super) struct Unread {
    pub(super) why: String,
    pub(super) hope: Hope,
}

/// Whether it may be read another time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hope {
    /// It never can.
    Never,
    /// It is not there, and may come.
    Missing,
    /// The store stood in the way.
    StoreDown,
}

impl Unread {
    fn never(why: String) -> Unread {
        Unread { why, hope: Hope::Never }
    }
}

impl Shelf {
    /// Knows descriptors that are not stored.
    pub(super) fn lend(&mut self, digest: Digest, bytes: Bytes) {
        self.given = Some((digest, bytes));
    }

    /// What a version offers.
    pub(super) fn read(&mut self, store: &dyn Store, edition: &Edition) -> Result<Arc<Reading>, Unread> {
        if let Some(known) = self.readings.get(edition) {
            return known.clone();
        }
        let reading = self.descriptors(store, edition).and_then(|descriptors| {
            let (service, version) = (edition.service.as_str(), edition.version.to_string());
            let read = || Ok(subgraph::read(service, &version, &descriptors, edition.exposure));
            guarded(read).map(Arc::new).map_err(Unread::never)
        });
        if !reading.as_ref().is_err_and(|unread| unread.hope != Hope::Never) {
            self.readings.insert(edition.clone(), reading.clone());
        }
        reading
    }

    /// Whether one version can stand in for another, by what all gateways know. `shapes` are those of the scope.
    pub(super) fn judge(
        &mut self,
        store: &dyn Store,
        (old, new): (&Edition, &Edition),
        scope: Scope,
        shapes: &dyn Fn() -> Vec<Shape>,
    ) -> Judged {
        let key = (old.clone(), new.clone(), scope);
        self.asked.insert(key.clone());
        if let Some(known) = self.verdicts.get(&key) {
            return known.clone();
        }
        let verdict = self.replay(store, (old, new), &shapes()).map(Arc::new);
        if !verdict.as_ref().is_err_and(|unread| unread.hope != Hope::Never) {
            self.verdicts.insert(key, verdict.clone());
        }
        verdict
    }

    /// The same against operations; nothing is kept.
    pub(super) fn replay(
        &mut self,
        store: &dyn Store,
        (old, new): (&Edition, &Edition),
        shapes: &[Shape],
    ) -> Result<gate::Report, Unread> {
        let mut side = |edition: &Edition| {
            let reading = self.read(store, edition)?;
            Ok((self.descriptors(store, edition)?, reading))
        };
        let (old, new) = (side(old)?, side(new)?);
        guarded(|| Ok(gate::gate((&old.0, &old.1.subgraph), (&new.0, &new.1.subgraph), shapes)))
            .map_err(Unread::never)
    }

    /// Forgets the editions that are not among these, and verdicts that nobody asked for since the last time.
    pub(super) fn retain(&mut self, used: &BTreeSet<Edition>) {
        let asked = std::mem::take(&mut self.asked);
        self.readings.retain(|edition, _| used.contains(edition));
        self.verdicts.retain(|key, _| asked.contains(key));
    }

    fn descriptors(&self, store: &dyn Store, edition: &Edition) -> Result<Descriptors, Unread> {
        let digest = edition.digest;
        let given = self.given.as_ref().filter(|(given, _)| *given == digest);
        let bytes = match given {
            Some((_, bytes)) => Some(bytes.clone()),
            None => Handle::current().block_on(store.schema(digest)).map_err(|error| Unread {
                why: format!("they cannot be fetched: {}", chain(&error)),
                hope: Hope::StoreDown,
            })?,
        };
        let missing = || Unread { why: "they are not stored".to_owned(), hope: Hope::Missing };
        let bytes = bytes.ok_or_else(missing)?;
        let read = || Descriptors::read(&bytes).map_err(|error| error.to_string());
        guarded(|| Ok(read()?.only(&edition.owned))).map_err(Unread::never)
    }
}

/// Makes of a bug an error.
pub(super) fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the gateway has a bug there".to_owned()))
}
