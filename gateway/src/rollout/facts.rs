//! What is known of a rollout at one look, from what is registered, recorded and reported.
//!
//! All of it is read from values; what has to be remembered between looks (since when an instance is up, since
//! when nobody serves) is in `Memory`, by a clock that never jumps. A clock that was set elsewhere makes no warm
//! instance cold and no cold one warm for longer than `warmup`: either the registration is old enough, or this
//! process has seen the instance for that long.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use turnout_control::id::{InstanceId, ServiceName, Timestamp, Version};
use turnout_control::records::{Kind, Records};
use turnout_control::registry::{Registered, Snapshot, Standing};
use turnout_control::rollout::{self, Facts, Rollout, Subject, Taken};
use turnout_control::routes::{Base, Place, Scope};

use super::Settings;
use crate::reconcile::{self, Verdict};
use crate::telemetry::chain;

/// Everything that is known at one look.
#[derive(Debug)]
pub(super) struct World {
    pub(super) records: Arc<Records>,
    pub(super) snapshot: Arc<Snapshot>,
    /// What this gateway found when it last looked at the graph.
    pub(super) report: Arc<reconcile::Report>,
    pub(super) replicas: Replicas,
    pub(super) settings: Arc<Settings>,
    /// By frontend, the services that it uses.
    pub(super) reach: Vec<BTreeSet<ServiceName>>,
    /// By the wall clock.
    pub(super) at: Timestamp,
    /// By one that never jumps.
    pub(super) now: Instant,
}

/// What gateways say of themselves.
#[derive(Debug, Default)]
pub(super) struct Replicas {
    /// How many live, whether they can be understood or not.
    pub(super) living: u32,
    /// What can be understood.
    pub(super) reports: Vec<rollout::Report>,
}

/// What is remembered between two looks.
#[derive(Debug, Default)]
pub(super) struct Memory {
    /// Since when each process is seen to serve.
    up: BTreeMap<(ServiceName, InstanceId, u64), Instant>,
    /// Since when nobody serves a candidate whose stable version is served.
    away: BTreeMap<Subject, Instant>,
    /// The share of gateways that was heard at the last tick.
    coverage: BTreeMap<Subject, f64>,
}

impl Replicas {
    /// Reads what is said; what cannot be read is told and counts as a gateway that says nothing.
    pub(super) fn read(said: &BTreeMap<String, Bytes>) -> Replicas {
        let read = |(name, bytes): (&String, &Bytes)| match rollout::Report::decode(bytes) {
            Ok(report) => Some(report),
            Err(error) => {
                tracing::warn!(replica = name.escape_debug().to_string(), error = %chain(&error), "a report is passed over");
                None
            }
        };
        let living = u32::try_from(said.len()).unwrap_or(u32::MAX);
        Replicas { living, reports: said.iter().filter_map(read).collect() }
    }

    /// How many say that their fuse for a candidate is open. Who routes by something older than this revision may
    /// speak of an earlier try, which a fuse ended and an operator began again.
    fn tripped(&self, subject: &Subject, revision: u64) -> u32 {
        let open = |report: &&rollout::Report| {
            report.revision >= revision && report.trials.get(subject).is_some_and(|trial| trial.tripped)
        };
        let replicas: BTreeSet<&str> =
            self.reports.iter().filter(open).map(|report| report.replica.as_str()).collect();
        u32::try_from(replicas.len()).unwrap_or(u32::MAX)
    }
}

/// Instances of a version that take calls like any other.
pub(super) fn serving<'a>(
    snapshot: &'a Snapshot,
    service: &ServiceName,
    version: &'a Version,
) -> impl Iterator<Item = &'a Registered> {
    let instances = snapshot.service(service).into_iter().flat_map(|service| service.instances.values());
    instances.filter(move |found| found.instance.version == *version && serves(found))
}

fn serves(found: &Registered) -> bool {
    match found.standing() {
        Standing::Up | Standing::Held => true,
        Standing::Draining | Standing::Suspect | Standing::Refused => false,
    }
}

impl World {
    /// The newest revision of a record by which callers of a service are routed: who routes by that one routes
    /// as it was decided.
    pub(super) fn routed_at(&self, service: &ServiceName, major: u64) -> u64 {
        let is_of = |place: &Place| place.service == *service && place.major == major;
        let of = self
            .records
            .of(Kind::Policy)
            .filter(|(key, _)| Place::of(key).is_some_and(|place| is_of(&place)));
        of.map(|(_, record)| record.revision).max().unwrap_or(0)
    }

    /// Whether a version was retired.
    pub(super) fn is_retired(&self, service: &ServiceName, version: &Version) -> bool {
        let name = format!("{service}/{version}");
        self.records.of(Kind::Tombstone).any(|(key, _)| key.name() == name)
    }

    /// Whether a candidate may still stand in: nobody has found that it cannot.
    fn fits(&self, rollout: &Rollout) -> bool {
        let is_it = |newcomer: &&reconcile::Newcomer| {
            newcomer.service == rollout.service && newcomer.version == rollout.to
        };
        let refused = self.report.newcomers.iter().filter(is_it).any(|newcomer| match newcomer.verdict {
            Verdict::Refused(_) => newcomer.stable == rollout.from,
            Verdict::Fits(_) | Verdict::Unknown(_) => false,
        });
        !refused && !self.is_retired(&rollout.service, &rollout.to)
    }

    /// What is known of a rollout. `taken` is what gateways counted since the last tick; without it this is a look
    /// between two ticks, for which no time passes.
    pub(super) fn facts(
        &self,
        rollout: &Rollout,
        (base, rollouts): (&Base, &[Rollout]),
        taken: Option<(&Taken, Duration)>,
        memory: &mut Memory,
    ) -> Facts {
        let Rollout { service, to, .. } = rollout;
        let subject = rollout.subject();
        let routed_at = self.routed_at(service, rollout.major());
        let stable = base.promised();
        let stable_serves = serving(&self.snapshot, service, stable).next().is_some();
        let candidate_serves = serving(&self.snapshot, service, to).next().is_some();
        let others = rollouts.iter().filter(|other| other.service != *service || other.to != *to);
        let most = usize::try_from(self.settings.concurrent).unwrap_or(usize::MAX);
        if let Some((taken, _)) = taken {
            memory.coverage.insert(subject.clone(), taken.coverage);
        }
        Facts {
            elapsed: taken.map_or(Duration::ZERO, |(_, elapsed)| elapsed),
            stable: stable.clone(),
            stable_serves,
            candidate_warm: memory.warm(self, service, to),
            candidate_away: memory.away(&subject, (candidate_serves, stable_serves), self.now),
            replicas: self.replicas.living,
            acknowledged: rollout::acknowledged(&self.replicas.reports, routed_at),
            tripped: self.replicas.tripped(&subject, routed_at),
            coverage: memory.coverage.get(&subject).copied().unwrap_or(1.0),
            mismatches: taken.map_or(0, |(taken, _)| taken.mismatches),
            fits: self.fits(rollout),
            must_wait: rollout::must_wait(service, others, &self.reach, most),
            newer: rollout::newer(rollout, rollouts),
        }
    }
}

/// The services that each frontend uses; where none is published, all callers use everything.
pub(super) fn reach(records: &Records, pins: &[BTreeSet<ServiceName>]) -> Vec<BTreeSet<ServiceName>> {
    if !pins.is_empty() {
        return pins.to_vec();
    }
    let services = records.of(Kind::Policy).filter_map(|(key, _)| {
        let Place { scope, service, .. } = Place::of(key)?;
        match scope {
            Scope::Everyone => Some(service),
            Scope::Frontend(_) => None,
        }
    });
    vec![services.collect()]
}

impl Memory {
    /// Takes up who serves now. Who goes and comes back begins anew.
    pub(super) fn look(&mut self, snapshot: &Snapshot, now: Instant) {
        let before = std::mem::take(&mut self.up);
        for found in snapshot.instances().filter(|found| serves(found)) {
            let of = &found.instance;
            let key = (of.service.clone(), of.id.clone(), of.incarnation);
            let since = before.get(&key).copied().unwrap_or(now);
            self.up.insert(key, since);
        }
    }

    /// Forgets rollouts that have ended.
    pub(super) fn keep(&mut self, live: &BTreeSet<Subject>) {
        self.away.retain(|subject, _| live.contains(subject));
        self.coverage.retain(|subject, _| live.contains(subject));
    }

    /// How many instances of a version serve and are warm.
    fn warm(&self, world: &World, service: &ServiceName, version: &Version) -> u32 {
        let warmup = world.settings.warmup;
        let is_warm = |found: &&Registered| {
            let of = &found.instance;
            let age = Duration::from_millis(world.at.0.saturating_sub(found.registered_at.0));
            let seen = self.up.get(&(of.service.clone(), of.id.clone(), of.incarnation));
            age >= warmup || seen.is_some_and(|since| world.now.saturating_duration_since(*since) >= warmup)
        };
        let warm = serving(&world.snapshot, service, version).filter(is_warm).count();
        u32::try_from(warm).unwrap_or(u32::MAX)
    }

    /// For how long nobody has served a candidate while its stable version was served.
    fn away(&mut self, subject: &Subject, (candidate, stable): (bool, bool), now: Instant) -> Duration {
        if candidate || !stable {
            self.away.remove(subject);
            return Duration::ZERO;
        }
        let since = *self.away.entry(subject.clone()).or_insert(now);
        // At the first look some of the time until the next may be over already.
        now.saturating_duration_since(since).max(Duration::from_millis(1))
    }
}
