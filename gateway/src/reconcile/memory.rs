//! What all gateways have decided, as it was last read, and what this gateway goes on with.
//!
//! The records are the truth where they say something; what this gateway decided while the store could not be
//! written fills the rest. What it wrote itself counts at once, also before it comes back from the store.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use turnout_control::frontend::{self, Document, Frontends};
use turnout_control::id::{AppName, FrontendId, ServiceName, Version};
use turnout_control::records::{Change, Expected, Key, Kind, Records};
use turnout_control::rollout::{Rollout, State};
use turnout_control::routes::{Base, Policies, Unreadable};
use turnout_schema::Diagnostic;
use turnout_schema::compose::Locks;

use super::contest::Line;
use super::{diagnostics, kept};

/// What the records say that matters here.
#[derive(Clone, Debug, Default)]
pub(super) struct Stored {
    /// Who has which name.
    pub(super) locks: Locks,
    /// Who gets which version.
    pub(super) policies: Policies,
    /// Whom callers are taken for.
    pub(super) frontends: Arc<Frontends>,
    /// What the frontends send, with the revision at which that was published.
    pub(super) documents: BTreeMap<FrontendId, (u64, Arc<Vec<Document>>)>,
    /// Records that say nothing that can be read; they are not written either.
    pub(super) unreadable: BTreeMap<Key, Diagnostic>,
    rolled_back: BTreeMap<ServiceName, BTreeSet<Version>>,
    nothing: BTreeSet<Version>,
}

/// What this gateway decided last, stored or not.
#[derive(Clone, Debug, Default)]
pub(super) struct Ours {
    pub(super) locks: Locks,
    pub(super) bases: BTreeMap<Line, Base>,
}

/// Both.
#[derive(Clone, Debug, Default)]
pub(super) struct Memory {
    records: Arc<Records>,
    /// Which records were read, at which revisions.
    stamp: Vec<(Key, u64)>,
    /// The app of callers who name none.
    app: Option<AppName>,
    pub(super) stored: Arc<Stored>,
    pub(super) ours: Ours,
    /// Why the record of names cannot be used; then it is not written either.
    pub(super) trouble: Option<kept::Error>,
}

impl Memory {
    /// Takes up what the records say now.
    pub(super) fn refresh(&mut self, records: &Arc<Records>, default_app: Option<&AppName>) {
        let same_app = self.app.as_ref() == default_app;
        self.app = default_app.cloned();
        // What this gateway wrote itself may not have come back to it yet.
        if records.revision >= self.records.revision {
            self.records = records.clone();
        }
        self.read(same_app);
    }

    /// Notes that a change was written.
    pub(super) fn written(&mut self, change: &Change, revision: u64) {
        self.records = Arc::new(self.records.apply(change, revision));
        self.read(true);
    }

    /// Reads what changed.
    fn read(&mut self, same_app: bool) {
        let kinds = [Kind::Locks, Kind::Policy, Kind::Frontend, Kind::Assignment, Kind::Rollout];
        let records = kinds.iter().flat_map(|kind| self.records.of(*kind));
        let stamp: Vec<(Key, u64)> = records.map(|(key, record)| (key.clone(), record.revision)).collect();
        if stamp == self.stamp && same_app {
            return;
        }
        let mut stored = Stored::default();
        match self.records.get(&kept::key()).map_or_else(|| Ok(Locks::default()), |of| kept::read(&of.value))
        {
            Ok(locks) => {
                stored.locks = locks;
                // What does not fit is no mistake of the record: whoever writes it finds out.
                self.trouble = self.trouble.take().filter(|why| matches!(why, kept::Error::TooLarge(_)));
            }
            Err(error) => {
                stored.locks = self.stored.locks.clone();
                self.trouble = Some(error);
            }
        }
        stored.take(&self.records, self.app.as_ref());
        (self.stamp, self.stored) = (stamp, Arc::new(stored));
    }

    /// The revision of the records.
    pub(super) fn revision(&self) -> u64 {
        self.records.revision
    }

    /// Which records were read, at which revisions.
    pub(super) fn stamp(&self) -> &[(Key, u64)] {
        &self.stamp
    }

    /// What is expected of a record by what was read.
    pub(super) fn seen(&self, key: &Key) -> Expected {
        self.records.seen(key)
    }

    /// The majors of a service about which something was decided.
    pub(super) fn majors(&self, service: &ServiceName) -> BTreeSet<u64> {
        let stored = self.stored.policies.bases.get(service);
        let ours = self.ours.bases.keys().filter(|(name, _)| name == service).map(|(_, major)| *major);
        stored.into_iter().flatten().map(|(major, _)| *major).chain(ours).collect()
    }

    /// The locks to compose with: those of the record, and this gateway's own where it has none.
    pub(super) fn locks(&self) -> Locks {
        self.stored.locks.over(&self.ours.locks)
    }
}

impl Stored {
    /// What holds for everyone of a major of a service.
    pub(super) fn base(&self, (service, major): &Line) -> Option<&Base> {
        self.policies.base(service, *major)
    }

    /// The versions of a service that were rolled back.
    pub(super) fn rolled_back(&self, service: &ServiceName) -> &BTreeSet<Version> {
        self.rolled_back.get(service).unwrap_or(&self.nothing)
    }

    fn take(&mut self, records: &Records, default_app: Option<&AppName>) {
        let (policies, unread) = Policies::read(records);
        self.policies = policies;
        let policy = |Unreadable { key, why }| {
            let told = diagnostics::record_unreadable(&key, &why);
            (key, told)
        };
        self.unreadable.extend(unread.into_iter().map(policy));
        let (frontends, unread) = Frontends::read(records, default_app);
        self.frontends = Arc::new(frontends);
        let told = unread.into_iter().map(|(key, why)| {
            let told = diagnostics::record_unreadable(&key, &why);
            (key, told)
        });
        self.unreadable.extend(told);
        for id in self.frontends.published.keys() {
            let record = records.get(&frontend::key(id));
            let published = record.and_then(|record| Some((record, frontend::read(id, &record.value).ok()?)));
            let documents =
                published.map(|(record, published)| (record.revision, Arc::new(published.documents)));
            self.documents.extend(documents.map(|documents| (id.clone(), documents)));
        }
        // A rollout that cannot be read is the leader's to tell about.
        for rollout in records.of(Kind::Rollout).filter_map(|(_, of)| Rollout::read(&of.value).ok()) {
            if matches!(rollout.state, State::RolledBack(_)) {
                self.rolled_back.entry(rollout.service).or_default().insert(rollout.to);
            }
        }
    }
}
