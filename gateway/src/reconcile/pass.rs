//! One look at the registry: what is stable, what does each frontend see, and is it anything else than before?
//!
//! Everything in here blocks: descriptors come from the store, and reading and composing take processor
//! time. A look that finds the same versions and the same decisions composes nothing. What was decided is
//! written down for all gateways before it serves; when another one wrote meanwhile, everything is decided anew
//! from what that one wrote, and when the store cannot be written the views serve all the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use turnout_control::frontend::Frontends;
use turnout_control::lineup;
use turnout_control::records::Key;
use turnout_control::routes::Base;
use turnout_schema::Digest;

use super::contest::{Contests, Edition, Line, Past, Scene, contests};
use super::decide::Decision;
use super::graphs::Graphs;
use super::memory::Memory;
use super::remember::{Remembered, Writes};
use super::report::{Finding, Newcomer};
use super::shelf::{Hope, Shelf};
use super::verdicts::Standings;
use super::views::Sight;
use super::{Callers, diagnostics};
use crate::registry::Registry;

/// How soon a look is repeated that the store stood in the way of.
pub(super) const AGAIN: Duration = Duration::from_secs(5);

/// How often a look begins anew because another gateway wrote meanwhile. Each time somebody got ahead.
const ATTEMPTS_MAX: usize = 16;

/// What is known from one look to the next.
#[derive(Clone, Debug, Default)]
pub(super) struct Composer {
    pub(super) shelf: Shelf,
    pub(super) memory: Memory,
    pub(super) past: Past,
    pub(super) graphs: Graphs,
    /// What the last look decided, until it has to be decided anew.
    settled: Option<Settled>,
    /// What serves.
    pub(super) serving: Vec<Sight>,
    /// Whom callers are taken for, as it was published with that.
    frontends: Arc<Frontends>,
    /// How often was written, and for what.
    pub(super) writes: Writes,
}

/// What a look decided, and by what.
#[derive(Clone, Debug)]
struct Settled {
    contests: Contests,
    stamp: Vec<(Key, u64)>,
    callers: Callers,
    findings: Vec<Finding>,
    newcomers: Vec<Newcomer>,
}

/// What a look found.
#[derive(Debug)]
pub(super) struct Pass {
    /// What serves from now on, when it is not what served.
    pub(super) next: Option<Next>,
    pub(super) findings: Vec<Finding>,
    pub(super) newcomers: Vec<Newcomer>,
    pub(super) standings: Standings,
    pub(super) compositions: u64,
    /// The revision of the records that were looked at.
    pub(super) records: u64,
    /// After what time another look may find something else, although nothing changes.
    pub(super) again: Option<Duration>,
}

/// What serves from now on.
#[derive(Debug)]
pub(super) struct Next {
    pub(super) sights: Vec<Sight>,
    pub(super) frontends: Arc<Frontends>,
}

impl Composer {
    /// Looks at what is registered and what was decided. Blocks.
    pub(super) fn look(&mut self, registry: &Registry, scene: Scene<'_>) -> Pass {
        let mut attempts = 0;
        loop {
            attempts += 1;
            let (contests, wake) = self.contests(registry, scene);
            if let Some(pass) = self.settled_pass(&contests, scene, wake) {
                return pass;
            }
            let mut decision = self.decide(registry, scene, &contests);
            match self.remember(registry, (&contests, scene.now), &decision) {
                Remembered::Overtaken if attempts < ATTEMPTS_MAX => continue,
                Remembered::Overtaken | Remembered::Later => decision.hopes(Hope::Missing),
                Remembered::Done | Remembered::Never => {}
            }
            return self.finish(scene, (&contests, wake), decision);
        }
    }

    /// Who may be stable of what.
    pub(super) fn contests(&mut self, registry: &Registry, scene: Scene<'_>) -> (Contests, Option<Duration>) {
        let records = registry.store.records().borrow().clone();
        self.memory.refresh(&records, scene.callers.default_app());
        contests(scene, &self.memory, &mut self.past)
    }

    /// Knows descriptors that are not stored.
    pub(super) fn lend(&mut self, digest: Digest, bytes: Bytes) {
        self.shelf.lend(digest, bytes);
    }

    /// Whether the same would be decided as the last time, and then what was found.
    fn settled_pass(&self, contests: &Contests, scene: Scene<'_>, again: Option<Duration>) -> Option<Pass> {
        let same = |settled: &&Settled| {
            settled.stamp == self.memory.stamp()
                && settled.callers == *scene.callers
                && settled.contests == *contests
        };
        let Settled { findings, newcomers, .. } = self.settled.as_ref().filter(same)?.clone();
        Some(Pass {
            next: None,
            findings: sorted(undescribed(scene), findings),
            standings: self.standings(scene, &newcomers),
            newcomers,
            compositions: self.graphs.compositions,
            records: self.memory.revision(),
            again,
        })
    }

    /// Takes up what was decided.
    fn finish(
        &mut self,
        scene: Scene<'_>,
        (contests, mut wake): (&Contests, Option<Duration>),
        mut decision: Decision,
    ) -> Pass {
        self.memory.ours.locks = std::mem::take(&mut decision.locks);
        for (line, base) in std::mem::take(&mut decision.bases) {
            self.memory.ours.bases.insert(line, base);
        }
        self.tell_of_records(&mut decision);
        let next = self.accept(std::mem::take(&mut decision.sights));
        let used = self.used(scene, contests);
        self.shelf.retain(&used);
        // What failed may not fail again. Anything else is settled, with what was chosen as what holds.
        let again = decision.hope().map(|_| AGAIN);
        let (findings, newcomers) = (decision.findings, decision.newcomers);
        self.settled = None;
        if again.is_none() {
            let (contests, later) = self::contests(scene, &self.memory, &mut self.past);
            wake = later;
            self.settled = Some(Settled {
                contests,
                stamp: self.memory.stamp().to_vec(),
                callers: scene.callers.clone(),
                findings: findings.clone(),
                newcomers: newcomers.clone(),
            });
        }
        Pass {
            next,
            findings: sorted(undescribed(scene), findings),
            standings: self.standings(scene, &newcomers),
            newcomers,
            compositions: self.graphs.compositions,
            records: self.memory.revision(),
            again: again.into_iter().chain(wake).min(),
        }
    }

    /// Takes up what is seen; returns it when it is anything else than what serves.
    fn accept(&mut self, sights: Vec<Sight>) -> Option<Next> {
        let frontends = self.memory.stored.frontends.clone();
        if sights == self.serving && (*frontends == *self.frontends || sights.is_empty()) {
            return None;
        }
        (self.serving, self.frontends) = (sights.clone(), frontends.clone());
        Some(Next { sights, frontends })
    }

    /// Tells of records that cannot be used.
    fn tell_of_records(&self, decision: &mut Decision) {
        if let Some(trouble) = &self.memory.trouble {
            let shared = diagnostics::not_shared(&trouble.to_string());
            decision.find(Finding::of_graph(shared));
        }
        for told in self.memory.stored.unreadable.values() {
            decision.find(Finding::of_graph(told.clone()));
        }
    }

    /// What has to be read again for the same decision.
    fn used(&mut self, scene: Scene<'_>, contests: &Contests) -> BTreeSet<Edition> {
        let entrants = contests.values().flat_map(|contest| &contest.entrants);
        let mut used: BTreeSet<Edition> = entrants.map(|entrant| entrant.edition.clone()).collect();
        for routed in self.serving.iter().flat_map(|sight| &sight.routes) {
            used.insert(routed.stable.clone());
            used.extend(routed.tried.clone());
        }
        for (service, major) in contests.keys() {
            let stable = self.base(&(service.clone(), *major)).map(|base| base.stable.clone());
            let known = scene.snapshot.service(service);
            for (stable, known) in stable.into_iter().zip(known) {
                used.extend(self.past.edition(scene, service, &stable));
                for choice in lineup::newcomers(known, &stable) {
                    used.extend(self.past.edition(scene, service, choice.version));
                }
            }
        }
        used
    }

    /// What holds for everyone of a major of a service.
    pub(super) fn base(&self, line: &Line) -> Option<&Base> {
        self.memory.stored.base(line).or_else(|| self.memory.ours.bases.get(line))
    }

    /// What was found the last time.
    pub(super) fn found(&self) -> &[Finding] {
        self.settled.as_ref().map_or(&[], |settled| &settled.findings)
    }
}

fn undescribed(scene: Scene<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, service) in scene.snapshot.services() {
        for version in lineup::undescribed(service) {
            let known = scene.schemas.get(&(name.clone(), version.clone())).cloned();
            let told = known.unwrap_or_else(diagnostics::undescribed);
            findings.push(Finding::of(name, version, told));
        }
    }
    findings
}

/// The worst first, and otherwise in the order of services.
pub(super) fn sorted(mut first: Vec<Finding>, then: Vec<Finding>) -> Vec<Finding> {
    first.extend(then);
    first.sort_by(|a, b| b.diagnostic.severity.cmp(&a.diagnostic.severity).then(a.about.cmp(&b.about)));
    first
}
