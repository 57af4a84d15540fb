//! Who may be stable of each major of each service now: what is registered, held against what was decided.
//!
//! What was decided is what the shared records say. Only a gateway that has not yet heard what others have
//! (the record names a version that it does not see running, while what it serves itself runs) goes on
//! with its own for a while, and writes nothing about that major.

use std::collections::BTreeMap;
use std::time::Duration;

use turnout_control::id::{ServiceName, Version};
use turnout_control::lineup::{self, Choice, Claim, Held, VACANT_AFTER, Vacancy, Way};
use turnout_control::registry::{Service, Snapshot};
use turnout_control::routes::Base;
use turnout_schema::subgraph::Exposure;
use turnout_schema::{Diagnostic, Digest};

use super::memory::Memory;
use super::{Callers, Exposures, diagnostics};
use crate::registry::schemas::Findings;

/// How soon a gateway that is behind looks again, although nothing tells it to.
const BEHIND: Duration = Duration::from_secs(1);

/// A version as it is read: everything that decides what it offers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edition {
    pub(super) service: ServiceName,
    pub(super) version: Version,
    pub(super) digest: Digest,
    pub(super) exposure: Exposure,
    /// The protobuf services that belong to it; empty: all of its descriptors.
    pub(super) owned: Vec<String>,
}

/// An edition with a claim to be stable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Entrant {
    pub(super) edition: Edition,
    pub(super) way: Way,
    pub(super) runs: bool,
}

/// A service and one of its majors.
pub(super) type Line = (ServiceName, u64);

/// Who may be stable of one major of a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Contest {
    /// What was decided; `None` when nothing was.
    pub(super) base: Option<Base>,
    /// What may be stable, the best first.
    pub(super) entrants: Vec<Entrant>,
    /// The versions that run and may be tried in the place of what is stable.
    newcomers: Vec<Edition>,
    /// All versions with known descriptors, and what of them is public.
    known: (Vec<Version>, Exposure),
    /// Whether nobody has run any version of the major for long, while another one runs.
    pub(super) vacant: bool,
    /// Whether others decided something that cannot be seen here yet.
    pub(super) behind: bool,
}

/// Of all services.
pub(super) type Contests = BTreeMap<Line, Contest>;

/// What has to be known of the past.
#[derive(Clone, Debug, Default)]
pub(super) struct Past {
    /// Since when nobody has run what is stable, by the age of the process.
    vacant: BTreeMap<Line, (Version, Duration)>,
    /// Since when nobody has run any version of a major, while another one ran.
    idle: BTreeMap<Line, Duration>,
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
    /// Who callers are taken for.
    pub(super) callers: &'a Callers,
    /// The age of the process.
    pub(super) now: Duration,
}

/// Who may be stable of what, and after what time the answer may be another one by itself.
pub(super) fn contests(scene: Scene<'_>, memory: &Memory, past: &mut Past) -> (Contests, Option<Duration>) {
    let mut wake: Option<Duration> = None;
    let mut contests = Contests::new();
    past.vacant.retain(|(service, _), _| scene.snapshot.service(service).is_some());
    past.idle.retain(|(service, _), _| scene.snapshot.service(service).is_some());
    for (name, service) in scene.snapshot.services() {
        let mut majors = lineup::majors(service);
        majors.extend(memory.majors(name));
        for major in majors {
            let line = (name.clone(), major);
            let (contest, again) = contest(scene, (&line, service), memory, past);
            wake = sooner(wake, again);
            contests.insert(line, contest);
        }
    }
    (contests, wake)
}

fn contest(
    scene: Scene<'_>,
    (line, service): (&Line, &Service),
    memory: &Memory,
    past: &mut Past,
) -> (Contest, Option<Duration>) {
    let choices = lineup::choices(service);
    let runs = |version: &Version| choices.iter().any(|choice| choice.version == version && choice.runs);
    let (stored, ours) = (memory.stored.base(line), memory.ours.bases.get(line));
    let base = stored.or(ours);
    let mut wake = None;
    let vacancy = match base.filter(|base| !runs(&base.stable)) {
        None => {
            past.vacant.remove(line);
            Vacancy::Short
        }
        Some(base) => {
            let left = past.left(line, &base.stable, scene.now);
            wake = left.filter(|_| lineup::runs_major(service, line.1));
            past.of(line, scene.now)
        }
    };
    let behind = stored.is_some_and(|stored| is_behind(stored, ours, &choices, vacancy));
    if behind {
        wake = sooner(wake, Some(BEHIND));
    }
    let base = if behind { ours } else { base };
    let vacancy = if behind { Vacancy::Short } else { vacancy };
    let (vacant, idle) = past.is_vacant(line, service, base.is_some_and(|base| base.vacant), scene.now);
    let rolled_back = memory.stored.rolled_back(&line.0);
    let held = base.map(|base| Held { base, vacancy, rolled_back });
    let claims = lineup::claims(service, line.1, held);
    let entrants = claims.into_iter().filter_map(|Claim { choice, way }| {
        let edition = past.edition(scene, &line.0, choice.version)?;
        Some(Entrant { edition, way, runs: choice.runs })
    });
    let entrants = entrants.collect();
    let newcomers = base.map(|base| lineup::newcomers(service, &base.stable)).unwrap_or_default();
    let newcomers = newcomers.iter().filter_map(|choice| past.edition(scene, &line.0, choice.version));
    let newcomers = newcomers.collect();
    let known = choices.iter().map(|choice| choice.version).filter(|known| known.semver().major == line.1);
    let known = (known.cloned().collect(), scene.exposures.of(&line.0));
    (Contest { base: base.cloned(), entrants, newcomers, known, vacant, behind }, sooner(wake, idle))
}

/// Whether the record tells of something that was not heard of here yet.
fn is_behind(stored: &Base, ours: Option<&Base>, choices: &[Choice<'_>], vacancy: Vacancy) -> bool {
    let find = |version: &Version| choices.iter().find(|choice| choice.version == version);
    let runs = |version: &Version| find(version).is_some_and(|choice| choice.runs);
    let goes_on = ours.is_some_and(|ours| ours.stable != stored.stable && runs(&ours.stable));
    let seen = find(&stored.stable).is_some_and(|choice| choice.runs || !goes_on);
    !seen && vacancy == Vacancy::Short
}

pub(super) fn sooner(one: Option<Duration>, other: Option<Duration>) -> Option<Duration> {
    one.into_iter().chain(other).min()
}

impl Past {
    /// A version as it is read; `None` when its descriptors are not known.
    pub(super) fn edition(
        &mut self,
        scene: Scene<'_>,
        name: &ServiceName,
        version: &Version,
    ) -> Option<Edition> {
        let service = scene.snapshot.service(name)?;
        let digest = service.versions.get(version)?.digest?;
        Some(Edition {
            service: name.clone(),
            version: version.clone(),
            digest,
            exposure: scene.exposures.of(name),
            owned: self.owned(name, service, version),
        })
    }

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
    fn left(&mut self, line: &Line, version: &Version, now: Duration) -> Option<Duration> {
        let known = self.vacant.get(line).filter(|(known, _)| known == version);
        let since = known.map_or(now, |(_, since)| *since);
        self.vacant.insert(line.clone(), (version.clone(), since));
        left(since, now)
    }

    fn of(&self, line: &Line, now: Duration) -> Vacancy {
        let long = |(_, since): &(Version, Duration)| left(*since, now).is_none();
        if self.vacant.get(line).is_some_and(long) { Vacancy::Long } else { Vacancy::Short }
    }

    /// Whether callers who pin nothing get another major, and how long until they may.
    fn is_vacant(
        &mut self,
        line: &Line,
        service: &Service,
        was: bool,
        now: Duration,
    ) -> (bool, Option<Duration>) {
        let others = || lineup::majors(service).into_iter().any(|major| lineup::runs_major(service, major));
        if lineup::runs_major(service, line.1) {
            self.idle.remove(line);
            return (false, None);
        }
        if was || !others() {
            self.idle.remove(line);
            return (was, None);
        }
        let since = *self.idle.entry(line.clone()).or_insert(now);
        let left = left(since, now);
        (left.is_none(), left)
    }
}

fn left(since: Duration, now: Duration) -> Option<Duration> {
    VACANT_AFTER.checked_sub(now.saturating_sub(since)).filter(|left| !left.is_zero())
}

impl Contest {
    /// What is decided when this one is chosen.
    pub(super) fn after(&self, chosen: &Entrant) -> Base {
        let base = lineup::after(self.base.as_ref(), &chosen.edition.version, chosen.way);
        Base { vacant: self.vacant, ..base }
    }

    /// What is to be told of the versions when this one is stable.
    pub(super) fn told(&self, chosen: &Entrant) -> Vec<(Edition, Diagnostic)> {
        let Entrant { edition, runs, .. } = chosen;
        let absent = (!runs && !self.vacant).then(diagnostics::absent);
        let seated = diagnostics::seated(&self.after(chosen));
        absent.into_iter().chain(seated).map(|diagnostic| (edition.clone(), diagnostic)).collect()
    }
}
