//! What policies, rollouts and explanations are told from: records, frontends and versions at one moment.
//!
//! Read once for each question or change, so that an answer never mixes two moments, and a change expects
//! exactly what it was decided by.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_graphql::Result;
use turnout_control::frontend::{self, Frontend, Frontends};
use turnout_control::id::{FrontendId, ServiceName, Version};
use turnout_control::lineup;
use turnout_control::policy::Policy;
use turnout_control::records::{Expected, Key, Kind, Records};
use turnout_control::registry::Snapshot;
use turnout_control::rollout::{self, Pending, Rollout, State};
use turnout_control::routes::edit::Known;
use turnout_control::routes::{self, Place, Policies, Scope, Unreadable, Unrouted};

use super::{Facts, fault};

/// What the built-in frontend is called.
pub(super) const ANY: &str = "any@0.0.0";

/// Everything that was decided, and the versions that it could be about.
pub(super) struct Ground {
    pub(super) records: Arc<Records>,
    pub(super) policies: Policies,
    /// Policies that say nothing, because they cannot be read.
    pub(super) unreadable: Vec<Unreadable>,
    pub(super) frontends: Frontends,
    pub(super) snapshot: Arc<Snapshot>,
}

/// A rollout, and the revision of its record.
pub(super) struct Recorded {
    pub(super) rollout: Rollout,
    pub(super) revision: u64,
}

impl Ground {
    pub(super) fn of(facts: &Facts) -> Ground {
        let records = facts.registry.store.records().borrow().clone();
        let (policies, unreadable) = Policies::read(&records);
        let (frontends, _) = Frontends::read(&records, facts.callers.borrow().default_app());
        Ground { policies, unreadable, frontends, snapshot: facts.registry.snapshot(), records }
    }

    /// What is known of the versions of a service.
    pub(super) fn known(&self, service: &ServiceName) -> BTreeMap<Version, Known> {
        let versions = self.snapshot.service(service).into_iter().flat_map(|known| &known.versions);
        let known = versions.map(|(version, record)| {
            let known = match record.digest {
                _ if self.is_retired(service, version) => Known::Retired,
                Some(_) => Known::Described,
                None => Known::Bare,
            };
            (version.clone(), known)
        });
        known.collect()
    }

    fn is_retired(&self, service: &ServiceName, version: &Version) -> bool {
        self.records.get(&tombstone(service, version)).is_some()
    }

    /// Those whose callers are told apart: the built-in frontend, and all published ones that are not retired.
    pub(super) fn callers(&self) -> impl Iterator<Item = Option<&Frontend>> {
        let published = self.frontends.published.values();
        let living = published.filter(|frontend| frontend.state != frontend::Lifecycle::Retired);
        std::iter::once(None).chain(living.map(Some))
    }

    /// What callers of a frontend get of a service by these policies.
    pub(super) fn route(
        &self,
        policies: &Policies,
        frontend: Option<&Frontend>,
        service: &ServiceName,
    ) -> Result<Policy, Unrouted> {
        let known = self.snapshot.service(service);
        let ranks = known.map(|known| lineup::demanded(known, &self.rolled_back(service)));
        let mut ranks = ranks.unwrap_or_default();
        ranks.iter_mut().for_each(|rank| rank.retain(|version| !self.is_retired(service, version)));
        routes::route(policies, frontend, service, &ranks)
    }

    fn rolled_back(&self, service: &ServiceName) -> BTreeSet<Version> {
        let of = self.rollouts().into_iter().map(|found| found.rollout);
        let of = of.filter(|of| of.service == *service && matches!(of.state, State::RolledBack(_)));
        of.map(|of| of.to).collect()
    }

    /// All rollouts that can be read, by service and version.
    pub(super) fn rollouts(&self) -> Vec<Recorded> {
        rollouts(&self.records)
    }

    /// The rollout that decides about versions and weight in a major of a service. One that waits for an operator
    /// to begin decides nothing yet: operators may try its version by hand instead.
    pub(super) fn live(&self, service: &ServiceName, major: u64) -> Option<Recorded> {
        self.rollouts().into_iter().find(|found| {
            let Rollout { service: of, state, .. } = &found.rollout;
            let decides = match state {
                State::Pending(Pending::Operator) => false,
                State::Pending(Pending::Instances | Pending::Others)
                | State::Shifting(_)
                | State::Holding(..)
                | State::Inconclusive(_) => true,
                State::Promoted | State::RolledBack(_) | State::Superseded(_) => false,
            };
            of == service && found.rollout.major() == major && decides
        })
    }

    /// What a change expects of a record that it was decided by.
    pub(super) fn seen(&self, key: Key) -> (Key, Expected) {
        let seen = self.records.seen(&key);
        (key, seen)
    }

    /// The revision at which a record was last written; 0 of one that is not there.
    pub(super) fn revision(&self, key: &Key) -> u64 {
        self.records.get(key).map_or(0, |record| record.revision)
    }
}

/// All rollouts that can be read, by service and version.
pub(super) fn rollouts(records: &Records) -> Vec<Recorded> {
    let read = records.of(Kind::Rollout).filter_map(|(_, record)| {
        let rollout = Rollout::read(&record.value).ok()?;
        Some(Recorded { rollout, revision: record.revision })
    });
    let mut all: Vec<Recorded> = read.collect();
    all.sort_by(|one, other| {
        let by = |found: &Recorded| (found.rollout.service.clone(), found.rollout.to.clone());
        by(one).cmp(&by(other))
    });
    all
}

/// The key of a rollout's record.
pub(super) fn rollout_key(rollout: &Rollout) -> Key {
    rollout::key(&rollout.service, &rollout.to)
}

/// The key under which a version was retired.
pub(super) fn tombstone(service: &ServiceName, version: &Version) -> Key {
    Key::new(Kind::Tombstone, &format!("{service}/{version}")).expect("names and versions make a name")
}

/// What a frontend is called.
pub(super) fn named(frontend: Option<&Frontend>) -> String {
    frontend.map_or_else(|| ANY.to_owned(), |frontend| frontend.id.to_string())
}

/// A policy's place in words: `catalog 1 for everyone`.
pub(super) fn place_text(place: &Place) -> String {
    match &place.scope {
        Scope::Everyone => format!("{} {} for everyone", place.service, place.major),
        Scope::Frontend(frontend) => format!("{} {} for {frontend}", place.service, place.major),
    }
}

/// A frontend by its name; `None`: the built-in one.
pub(super) fn frontend_named(text: &str) -> Result<Option<FrontendId>> {
    if text == ANY {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|error| fault::input("frontend", &error))
}

/// A name or a version that an argument should be.
pub(super) fn parsed<T: std::str::FromStr<Err = turnout_control::id::Error>>(
    argument: &str,
    text: &str,
) -> Result<T> {
    text.parse().map_err(|error| fault::input(argument, &error))
}
