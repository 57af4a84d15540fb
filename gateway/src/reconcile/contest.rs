//! Who may serve each service now: what is registered, held against what serves.
//!
//! What serves is what the shared record says. Only a gateway that has not yet heard what others have
//! (the record names a version that it does not see running, while what it serves itself runs) goes on
//! with its own for a while, and writes nothing about that service.

use std::collections::BTreeMap;
use std::time::Duration;

use turnout_control::id::{ServiceName, Version};
use turnout_control::lineup::{self, Choice, Claim, Seat, VACANT_AFTER, Vacancy, Way};
use turnout_control::registry::{Service, Snapshot};
use turnout_schema::subgraph::Exposure;
use turnout_schema::{Diagnostic, Digest};

use super::kept::Memory;
use super::{Exposures, diagnostics};
use crate::registry::schemas::Findings;

/// How soon a gateway that is behind looks again, although nothing tells it to.
const BEHIND: Duration = Duration::from_secs(1);

/// A version as it is read: everything that decides what it offers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) service: ServiceName,
    pub(super) version: Version,
    pub(super) digest: Digest,
    pub(super) exposure: Exposure,
    /// The protobuf services that belong to it; empty: all of its descriptors.
    pub(super) owned: Vec<String>,
}

/// A candidate with a claim to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entrant {
    pub(super) candidate: Candidate,
    pub(super) way: Way,
    pub(super) runs: bool,
}

/// Who may serve one service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contest {
    /// What serves; `None` when nothing does.
    pub(super) seat: Option<Seat>,
    /// What may serve, the best first.
    pub(super) entrants: Vec<Entrant>,
    /// Whether others decided something that cannot be seen here yet.
    pub(super) behind: bool,
}

/// Of all services.
pub(super) type Contests = BTreeMap<ServiceName, Contest>;

/// What has to be known of the past.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// Since when nobody has run what serves, by the age of the process.
    vacant: BTreeMap<ServiceName, (Version, Duration)>,
    /// What belongs to a version, as its instances said last: the last one that goes takes nothing away.
    owned: BTreeMap<(ServiceName, Version), Vec<String>>,
}

/// What contests are made from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scene<'a> {
    pub(super) snapshot: &'a Snapshot,
    pub(super) exposures: &'a Exposures,
    /// What is to be said of versions that have no descriptors.
    pub(super) schemas: &'a Findings,
    /// The age of the process.
    pub(super) now: Duration,
}

/// Who may serve what, and after what time the answer may be another one by itself.
pub(super) fn contests(scene: Scene<'_>, memory: &Memory, past: &mut Past) -> (Contests, Option<Duration>) {
    let mut wake: Option<Duration> = None;
    let mut contests = Contests::new();
    past.vacant.retain(|service, _| scene.snapshot.service(service).is_some());
    for (name, service) in scene.snapshot.services() {
        let choices = lineup::choices(service);
        let runs = |version: &Version| choices.iter().any(|choice| choice.version == version && choice.runs);
        let (stored, ours) = (memory.stored.seats.get(name), memory.ours.seats.get(name));
        let seat = stored.or(ours);
        let vacancy = match seat.filter(|seat| !runs(&seat.version)) {
            None => {
                past.vacant.remove(name);
                Vacancy::Short
            }
            Some(seat) => {
                let left = past.left(name, &seat.version, scene.now);
                let left = left.filter(|_| choices.iter().any(|choice| choice.runs));
                wake = sooner(wake, left);
                past.of(name, scene.now)
            }
        };
        let behind = stored.is_some_and(|stored| is_behind(stored, ours, &choices, vacancy));
        if behind {
            wake = sooner(wake, Some(BEHIND));
        }
        let seat = if behind { ours } else { seat };
        let vacancy = if behind { Vacancy::Short } else { vacancy };
        let exposure = scene.exposures.of(name);
        let entrants = entrants((name, service), lineup::claims(service, seat, vacancy), exposure, past);
        contests.insert(name.clone(), Contest { seat: seat.cloned(), entrants, behind });
    }
    (contests, wake)
}

/// Whether the record tells of something that was not heard of here yet.
fn is_behind(stored: &Seat, ours: Option<&Seat>, choices: &[Choice<'_>], vacancy: Vacancy) -> bool {
    let find = |version: &Version| choices.iter().find(|choice| choice.version == version);
    let is_seen = find(&stored.version).is_some_and(|choice| match ours {
        Some(ours) if ours.version != stored.version => {
            choice.runs || !find(&ours.version).is_some_and(|ours| ours.runs)
        }
        Some(_) | None => true,
    });
    !is_seen && vacancy == Vacancy::Short
}

fn entrants(
    (name, service): (&ServiceName, &Service),
    claims: Vec<Claim<'_>>,
    exposure: Exposure,
    past: &mut Past,
) -> Vec<Entrant> {
    let entrant = |Claim { choice, way }| Entrant {
        candidate: Candidate {
            service: name.clone(),
            version: choice.version.clone(),
            digest: choice.digest,
            exposure,
            owned: past.owned(name, service, choice.version),
        },
        way,
        runs: choice.runs,
    };
    claims.into_iter().map(entrant).collect()
}

fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

impl Past {
    fn owned(&mut self, name: &ServiceName, service: &Service, version: &Version) -> Vec<String> {
        let key = (name.clone(), version.clone());
        match service.owned(version) {
            Some(owned) => {
                self.owned.insert(key, owned.clone());
                owned
            }
            None => self.owned.get(&key).cloned().unwrap_or_default(),
        }
    }

    /// How long until nobody has run a version for long; `None` when that is so already.
    fn left(&mut self, service: &ServiceName, version: &Version, now: Duration) -> Option<Duration> {
        let known = self.vacant.get(service).filter(|(known, _)| known == version);
        let since = known.map_or(now, |(_, since)| *since);
        self.vacant.insert(service.clone(), (version.clone(), since));
        VACANT_AFTER.checked_sub(now.saturating_sub(since)).filter(|left| !left.is_zero())
    }

    fn of(&self, service: &ServiceName, now: Duration) -> Vacancy {
        let long = |(_, since): &(Version, Duration)| now.saturating_sub(*since) >= VACANT_AFTER;
        if self.vacant.get(service).is_some_and(long) { Vacancy::Long } else { Vacancy::Short }
    }
}

impl Contest {
    /// What serves, when it can still be chosen.
    pub(super) fn holder(&self) -> Option<&Candidate> {
        let seat = self.seat.as_ref()?;
        let mut candidates = self.entrants.iter().map(|entrant| &entrant.candidate);
        candidates.find(|candidate| candidate.version == seat.version)
    }

    /// What is to be told of the versions when this one serves.
    pub(super) fn told(&self, chosen: &Entrant) -> Vec<(Candidate, Diagnostic)> {
        let mut told = Vec::new();
        let Entrant { candidate, way, runs } = chosen;
        if !runs {
            told.push((candidate.clone(), diagnostics::absent()));
        }
        let seat = lineup::seat(self.seat.as_ref(), &candidate.version, *way);
        told.extend(diagnostics::seated(&seat).map(|diagnostic| (candidate.clone(), diagnostic)));
        let major = |version: &Version| (version.semver().pre.is_empty(), version.semver().major);
        let stray = |entrant: &&Entrant| {
            let version = &entrant.candidate.version;
            !entrant.runs && version.semver().pre.is_empty() && major(version) > major(&candidate.version)
        };
        let stray = self.entrants.iter().filter(stray);
        told.extend(stray.map(|of| (of.candidate.clone(), diagnostics::stray(&candidate.version))));
        told
    }
}
