//! What each frontend sees: who answers for each service it was built for, and the graph of their stable versions.
//!
//! Frontends with the same stable versions share one graph. All graphs are composed with the same names, one
//! after the other: what the first one gave away the others cannot give to somebody else. A service that cannot
//! be served is missing from the view, which says why, and takes nothing else with it. Where nothing at all is
//! left, what was seen before stays, unless an operator closed it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use turnout_control::frontend::{Frontend, Lifecycle};
use turnout_control::id::{FrontendId, ServiceName, Version};
use turnout_control::lineup;
use turnout_control::policy::Policy;
use turnout_control::routes::{Base, Unrouted, route};
use turnout_schema::compose::Locks;

use super::contest::{Contests, Edition, Scene};
use super::decide::Decision;
use super::diagnostics;
use super::graphs::{Made, Part, offers};
use super::pass::Composer;
use super::report::Finding;
use crate::config::CohortUnit;
use crate::generation::Graph;
use crate::registry::Registry;

/// What one frontend sees.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Sight {
    /// The frontend; `None`: the built-in one.
    pub(super) frontend: Option<FrontendId>,
    pub(super) graph: Shared,
    /// Who answers, in the order of the graph's members.
    pub(super) routes: Vec<Routed>,
    /// The services that it should see and does not, and why.
    pub(super) unrouted: BTreeMap<ServiceName, Unrouted>,
}

/// Who answers for a service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Routed {
    pub(super) policy: Policy,
    pub(super) stable: Edition,
    /// The policy's candidate.
    pub(super) tried: Option<Edition>,
    /// The version that is promised to everybody. All calls beside the candidate are counted as those of this one:
    /// its rollout is one, also for frontends that have a stable version of their own.
    pub(super) promised: Version,
    pub(super) cohort: CohortUnit,
}

/// A graph that is the same only as itself.
#[derive(Clone, Debug)]
pub(super) struct Shared(pub(super) Arc<Graph>);

impl PartialEq for Shared {
    fn eq(&self, other: &Shared) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

/// What a frontend should see, before it is composed.
#[derive(Debug, Default)]
struct Draft {
    policies: BTreeMap<ServiceName, Policy>,
    parts: Vec<Part>,
    unrouted: BTreeMap<ServiceName, Unrouted>,
}

/// Names, as one graph after the other gives them away. The first one decides.
#[derive(Debug)]
struct Chain {
    record: Locks,
    taken: Locks,
}

impl Chain {
    fn locks(&self) -> Locks {
        self.taken.over(&self.record)
    }

    fn take(&mut self, gave: &Locks) {
        self.taken = self.taken.over(gave);
    }
}

impl Composer {
    /// Finds what each frontend sees by the policies that were decided.
    pub(super) fn see(
        &mut self,
        registry: &Registry,
        (scene, contests): (Scene<'_>, &Contests),
        decision: &mut Decision,
    ) {
        let stored = self.memory.stored.clone();
        let mut chain = Chain { record: self.memory.locks(), taken: Locks::default() };
        let published = stored.frontends.published.values();
        let live = published.filter(|frontend| frontend.state != Lifecycle::Retired).map(Some);
        let mut used = BTreeSet::new();
        for frontend in std::iter::once(None).chain(live) {
            let draft = self.draft(registry, scene, frontend, decision);
            let id = frontend.map(|frontend| &frontend.id);
            let serving: Vec<Edition> = self.sight(id).map(Sight::stables).unwrap_or_default();
            let made = self.graphs.make(&draft.parts, &chain.locks(), &serving);
            used.insert(draft.parts.iter().map(|(edition, _)| edition.clone()).collect());
            chain.take(&made.gave);
            tell_of(id, &made, decision);
            let unrouted = unrouted(&draft, &made);
            if let Some(frontend) = frontend {
                tell_broken(frontend, &unrouted, decision);
            }
            let sight = self.finished((scene, id), (draft, unrouted), &made, decision);
            decision.sights.extend(sight);
        }
        self.graphs.retain(&used);
        self.try_out(registry, (scene, contests), decision);
        decision.locks = chain.locks();
    }

    /// What a frontend saw last.
    pub(super) fn sight(&self, frontend: Option<&FrontendId>) -> Option<&Sight> {
        self.serving.iter().find(|sight| sight.frontend.as_ref() == frontend)
    }

    /// What a frontend should see.
    fn draft(
        &mut self,
        registry: &Registry,
        scene: Scene<'_>,
        frontend: Option<&Frontend>,
        decision: &mut Decision,
    ) -> Draft {
        let mut draft = Draft::default();
        let services: Vec<ServiceName> = match frontend {
            None => scene.snapshot.services().map(|(name, _)| name.clone()).collect(),
            Some(frontend) => frontend.pins.keys().cloned().collect(),
        };
        for service in services {
            let policy = match self.policy(scene, frontend, &service, decision) {
                Ok(policy) => policy,
                // Nobody ran it yet; that is told where it is registered.
                Err(Unrouted::Undecided) if frontend.is_none() => continue,
                Err(unrouted) => {
                    draft.unrouted.insert(service, unrouted);
                    continue;
                }
            };
            let stable = policy.stable().clone();
            let unserved = |why: &str| Unrouted::Unserved(stable.clone(), why.to_owned());
            let Some(edition) = self.past.edition(scene, &service, &stable) else {
                draft.unrouted.insert(service, unserved("its descriptors are not known"));
                continue;
            };
            match self.read(registry, &edition, decision) {
                Ok(reading) => {
                    for diagnostic in &reading.diagnostics {
                        decision.tell(&edition, diagnostic.clone());
                    }
                    draft.policies.insert(service, policy);
                    draft.parts.push((edition, reading));
                }
                Err(_) => drop(draft.unrouted.insert(service, unserved("its descriptors cannot be read"))),
            }
        }
        draft.parts.sort_by(|(a, _), (b, _)| a.cmp(b));
        draft
    }

    fn policy(
        &self,
        scene: Scene<'_>,
        frontend: Option<&Frontend>,
        service: &ServiceName,
        decision: &Decision,
    ) -> Result<Policy, Unrouted> {
        let rolled_back = self.memory.stored.rolled_back(service);
        let ranks = scene.snapshot.service(service).map(|known| lineup::demanded(known, rolled_back));
        route(&decision.policies, frontend, service, &ranks.unwrap_or_default())
    }

    /// What a frontend sees once its graph is there; `None` when it is nothing.
    fn finished(
        &self,
        (scene, frontend): (Scene<'_>, Option<&FrontendId>),
        (draft, unrouted): (Draft, BTreeMap<ServiceName, Unrouted>),
        made: &Made,
        decision: &mut Decision,
    ) -> Option<Sight> {
        let Draft { mut policies, parts, .. } = draft;
        let Some(graph) = made.graph.clone() else {
            let before = self.sight(frontend)?.clone();
            if is_closed(&before, &parts) {
                return None;
            }
            let kept = Finding::of_graph(diagnostics::kept()).for_frontend(frontend);
            decision.find(kept);
            return Some(Sight { unrouted, ..before });
        };
        let mut routed = |member: &turnout_schema::supergraph::Member| {
            let (stable, _) =
                parts.iter().find(|(edition, _)| edition.service.as_str() == &*member.service)?;
            let policy = policies.remove(&stable.service)?;
            let cohort = scene.callers.cohort(&stable.service);
            let base = decision.policies.base(&stable.service, stable.version.semver().major);
            let promised = base.map_or(&stable.version, Base::promised).clone();
            Some(Routed { policy, stable: stable.clone(), tried: None, promised, cohort })
        };
        let routes = graph.supergraph().members.iter().filter_map(&mut routed).collect();
        Some(Sight { frontend: frontend.cloned(), graph: Shared(graph), routes, unrouted })
    }
}

impl Sight {
    /// Who answers for a service.
    pub(super) fn of(&self, service: &ServiceName) -> Option<&Routed> {
        self.routes.iter().find(|routed| routed.stable.service == *service)
    }

    /// All versions that callers get.
    pub(super) fn called(&self) -> impl Iterator<Item = (ServiceName, Version)> {
        let both = self.routes.iter().flat_map(|routed| std::iter::once(&routed.stable).chain(&routed.tried));
        both.map(|edition| (edition.service.clone(), edition.version.clone()))
    }

    /// The stable versions.
    pub(super) fn stables(&self) -> Vec<Edition> {
        self.routes.iter().map(|routed| routed.stable.clone()).collect()
    }
}

/// What a frontend should see and does not, and why.
fn unrouted(draft: &Draft, made: &Made) -> BTreeMap<ServiceName, Unrouted> {
    let mut unrouted = draft.unrouted.clone();
    for (edition, why) in &made.left_out {
        unrouted.insert(edition.service.clone(), Unrouted::Unserved(edition.version.clone(), why.clone()));
    }
    unrouted
}

/// Whether everything that was seen is there as before, and an operator has said that none of it is public. A
/// version that offers nothing by itself is no reason: what serves goes on serving.
fn is_closed(before: &Sight, parts: &[Part]) -> bool {
    let now = || parts.iter().map(|(edition, _)| edition);
    let closed = |then: &Edition| {
        let same = |now: &Edition| Edition { exposure: then.exposure, ..now.clone() } == *then;
        now().any(|now| now.exposure != then.exposure && same(now))
    };
    parts.iter().all(|(_, reading)| !offers(&reading.subgraph))
        && before.routes.iter().all(|routed| closed(&routed.stable))
}

/// Tells what was found while a graph was composed, for everyone or where only one frontend has it.
fn tell_of(frontend: Option<&FrontendId>, made: &Made, decision: &mut Decision) {
    for (edition, why) in &made.left_out {
        let finding = Finding::of(&edition.service, &edition.version, diagnostics::unfit(why));
        decision.find(finding.for_frontend(frontend));
        if frontend.is_none() {
            decision.unfit.insert(edition.clone(), why.clone());
        }
    }
    for diagnostic in &made.diagnostics {
        let is_known = |found: &Finding| found.about.is_none() && found.diagnostic == *diagnostic;
        if !decision.findings.iter().any(is_known) {
            decision.find(Finding::of_graph(diagnostic.clone()).for_frontend(frontend));
        }
    }
}

/// Tells which pins of a frontend nothing satisfies.
fn tell_broken(frontend: &Frontend, unrouted: &BTreeMap<ServiceName, Unrouted>, decision: &mut Decision) {
    for (service, why) in unrouted {
        let optional = frontend.pins.get(service).is_some_and(|pin| pin.optional);
        let told = diagnostics::broken_pin(service, why, optional);
        decision.find(Finding::of_graph(told).for_frontend(Some(&frontend.id)));
    }
}
