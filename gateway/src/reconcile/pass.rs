//! One look at the registry: which versions are in the graph, and is it another one than before?
//!
//! Everything in here blocks: descriptors come from the store, and reading and composing take processor
//! time. A version that cannot be read, that the gate refuses, or with which no graph can serve is left out
//! and gives way to the next one of its service; all others stay. A look that finds the same versions
//! composes nothing. What was decided is written down for all gateways before it serves; when another one
//! wrote meanwhile, everything is decided anew from what that one wrote, and when the store cannot be
//! written the graph serves all the same.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use turnout_control::id::{ServiceName, Version};
use turnout_control::lineup::{self, Way};
use turnout_schema::compose::{Locks, compose};
use turnout_schema::subgraph::Reading;
use turnout_schema::{Diagnostic, Digest, Subgraph};

use super::contest::{Candidate, Contest, Contests, Entrant, Past, Scene, contests};
use super::diagnostics::{self, kept, unfit};
use super::kept::{Kept, Memory};
use super::remember::Remembered;
use super::report::Finding;
use super::shelf::{Hope, Shelf, Unread, guarded};
use crate::generation::Graph;
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
    past: Past,
    /// What the last look decided, until it has to be decided anew.
    settled: Option<Settled>,
    /// What was last composed, and from what.
    composed: Option<Composed>,
    /// The graph that serves, which is named after its members too, and who they are.
    serving: Option<(Digest, Vec<Candidate>)>,
    pub(super) compositions: u64,
    /// How often the record was written, and for what.
    pub(super) writes: (Vec<(Candidate, bool)>, u32),
}

#[derive(Clone, Debug)]
struct Settled {
    contests: Contests,
    revision: Option<u64>,
    findings: Vec<Finding>,
}

#[derive(Clone, Debug)]
struct Composed {
    chosen: Vec<Candidate>,
    given: Locks,
    digest: Option<Digest>,
    locks: Locks,
    diagnostics: Vec<Diagnostic>,
}

/// What a look found.
#[derive(Debug)]
pub(super) struct Pass {
    /// Another graph than the one that serves, with its members in the graph's order.
    pub(super) next: Option<(Graph, Vec<Candidate>)>,
    /// Whether what serves may not serve any more, and there is nothing else.
    pub(super) closed: bool,
    pub(super) findings: Vec<Finding>,
    pub(super) compositions: u64,
    /// After what time another look may find something else, although nothing changes.
    pub(super) again: Option<Duration>,
}

/// What is being decided.
#[derive(Debug, Default)]
pub(super) struct Decision {
    pub(super) chosen: Vec<(Entrant, Arc<Reading>)>,
    findings: Vec<Finding>,
    closed: bool,
    /// Whom the gate kept out, and of which version it said that it cannot be replaced so.
    refused: Vec<(Candidate, Version)>,
    /// What stood in the way, at worst.
    hope: Option<Hope>,
}

/// A composition that can serve.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) graph: Outcome,
    pub(super) locks: Locks,
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// What came out of a composition.
#[derive(Debug)]
pub(super) enum Outcome {
    /// No service offers anything.
    Nothing,
    /// The graph that serves.
    Same,
    /// Another one.
    Other(Box<Graph>),
}

impl Composer {
    /// Looks at what is registered. Blocks.
    pub(super) fn look(&mut self, registry: &Registry, scene: Scene<'_>) -> Pass {
        let mut attempts = 0;
        loop {
            attempts += 1;
            self.memory.refresh(&registry.store.records().borrow());
            let (contests, wake) = contests(scene, &self.memory, &mut self.past);
            if let Some(pass) = self.settled_pass(&contests, scene, wake) {
                return pass;
            }
            let (mut decision, made) = self.decide(registry, &contests);
            match self.remember(registry, (&contests, &decision), &made) {
                Remembered::Overtaken if attempts < ATTEMPTS_MAX => continue,
                Remembered::Overtaken | Remembered::Later => decision.hopes(Hope::Missing),
                Remembered::Done | Remembered::Never => {}
            }
            return self.finish(scene, (contests, wake), decision, made);
        }
    }

    /// Who may serve what.
    pub(super) fn contests(&mut self, scene: Scene<'_>) -> Contests {
        contests(scene, &self.memory, &mut self.past).0
    }

    /// Knows descriptors that are not stored.
    pub(super) fn lend(&mut self, digest: Digest, bytes: Bytes) {
        self.shelf.lend(digest, bytes);
    }

    /// Whether the same would be decided as the last time, and then what was found.
    fn settled_pass(&self, contests: &Contests, scene: Scene<'_>, again: Option<Duration>) -> Option<Pass> {
        let same =
            |settled: &&Settled| settled.revision == self.memory.revision() && settled.contests == *contests;
        let settled = self.settled.as_ref().filter(same)?;
        let findings = sorted(undescribed(scene), settled.findings.clone());
        Some(Pass { next: None, closed: false, findings, compositions: self.compositions, again })
    }

    /// Chooses a version of each service and composes them. Changes nothing that serves.
    pub(super) fn decide(&mut self, registry: &Registry, contests: &Contests) -> (Decision, Made) {
        let mut decision = Decision::default();
        for contest in contests.values() {
            let first = contest.entrants.iter().find_map(|entrant| {
                let reading = self.admit(registry, contest, entrant, &mut decision)?;
                Some((entrant.clone(), reading))
            });
            decision.chosen.extend(first);
        }
        let made = match self.make(&decision.chosen) {
            Ok(made) => made,
            Err(_) => self.make_without_unfit(registry, contests, &mut decision),
        };
        for (entrant, reading) in decision.chosen.clone() {
            if let Some(contest) = contests.get(&entrant.candidate.service) {
                decision.tell_of(contest, &entrant);
            }
            let of = |diagnostic: &Diagnostic| finding(&entrant.candidate, diagnostic.clone());
            decision.findings.extend(reading.diagnostics.iter().map(of));
        }
        (decision, made)
    }

    /// What an entrant offers, if it may serve; otherwise it is told why not.
    fn admit(
        &mut self,
        registry: &Registry,
        contest: &Contest,
        entrant: &Entrant,
        decision: &mut Decision,
    ) -> Option<Arc<Reading>> {
        let candidate = &entrant.candidate;
        let reading = match self.shelf.read(&*registry.store, candidate) {
            Ok(reading) => reading,
            Err(Unread { why, hope }) => {
                decision.hopes(hope);
                decision.tell(candidate, diagnostics::unreadable(&why));
                return None;
            }
        };
        let asks = match entrant.way {
            Way::Replaces => contest.holder(),
            Way::Outranks
            | Way::Returns
            | Way::Keeps
            | Way::StandsIn
            | Way::Overrides
            | Way::Lingers
            | Way::Remains => None,
        };
        // What cannot be read any more cannot serve either: then there is nothing to stand in for.
        let Some(holder) = asks.filter(|holder| self.is_readable(registry, holder, decision)) else {
            return Some(reading);
        };
        match self.shelf.judge(&*registry.store, (holder, candidate)) {
            Ok(report) => {
                for rule in diagnostics::rules(&report) {
                    decision.tell(candidate, rule);
                }
                if !report.drop_in {
                    decision.refused.push((candidate.clone(), holder.version.clone()));
                }
                report.drop_in.then_some(reading)
            }
            Err(Unread { why, hope }) => {
                decision.hopes(hope);
                decision.tell(candidate, diagnostics::unjudged(&holder.version, &why));
                None
            }
        }
    }

    fn is_readable(&mut self, registry: &Registry, candidate: &Candidate, decision: &mut Decision) -> bool {
        match self.shelf.read(&*registry.store, candidate) {
            Ok(_) => true,
            Err(Unread { hope: Hope::Never, .. }) => false,
            Err(Unread { hope: hope @ (Hope::Missing | Hope::StoreDown), .. }) => {
                decision.hopes(hope);
                true
            }
        }
    }

    /// Composes. The error says why the graph cannot serve.
    pub(super) fn make(&mut self, chosen: &[(Entrant, Arc<Reading>)]) -> Result<Made, String> {
        let given = self.memory.locks();
        let candidates = || chosen.iter().map(|(entrant, _)| &entrant.candidate);
        let serving = self.serving.as_ref().map(|(digest, _)| *digest);
        if let Some(known) = &self.composed
            && (known.digest == serving || known.digest.is_none())
            && known.chosen.iter().eq(candidates())
            // Composing with the locks that came out makes the same again.
            && (known.given == given || known.locks == given)
        {
            let graph = if known.digest.is_some() { Outcome::Same } else { Outcome::Nothing };
            return Ok(Made { graph, locks: known.locks.clone(), diagnostics: known.diagnostics.clone() });
        }
        if chosen.is_empty() {
            return Ok(Made { graph: Outcome::Nothing, locks: given, diagnostics: Vec::new() });
        }
        self.compositions += 1;
        let offers = chosen.iter().map(|(_, reading)| &reading.subgraph).filter(|subgraph| offers(subgraph));
        let subgraphs: Vec<Subgraph> = offers.cloned().collect();
        let (made, digest) = guarded(|| {
            let composition = compose(&subgraphs, &given);
            let digest = composition.supergraph.as_ref().map(|graph| graph.digest);
            let graph = match composition.supergraph {
                None => Outcome::Nothing,
                Some(_) if digest == serving => Outcome::Same,
                Some(graph) => {
                    Outcome::Other(Box::new(Graph::new(graph).map_err(|unfit| unfit.to_string())?))
                }
            };
            Ok((Made { graph, locks: composition.locks, diagnostics: composition.diagnostics }, digest))
        })?;
        self.composed = Some(Composed {
            chosen: candidates().cloned().collect(),
            given,
            digest,
            locks: made.locks.clone(),
            diagnostics: made.diagnostics.clone(),
        });
        Ok(made)
    }

    /// Composes one service after the other, those that serve first, to find who it is that makes no graph
    /// possible. As many compositions as there are candidates, but only when something is unfit.
    fn make_without_unfit(
        &mut self,
        registry: &Registry,
        contests: &Contests,
        decision: &mut Decision,
    ) -> Made {
        let serving = self.serving.as_ref().map(|(_, members)| members.clone()).unwrap_or_default();
        let wanted = std::mem::take(&mut decision.chosen);
        let (stay, new): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|(entrant, _)| serving.contains(&entrant.candidate));
        let order = stay.into_iter().chain(new).map(|(entrant, _)| entrant.candidate.service);
        let mut best = Made { graph: Outcome::Nothing, locks: self.memory.locks(), diagnostics: Vec::new() };
        for contest in order.filter_map(|service| contests.get(&service)) {
            for entrant in &contest.entrants {
                let Some(reading) = self.admit(registry, contest, entrant, decision) else { continue };
                decision.chosen.push((entrant.clone(), reading));
                match self.make(&decision.chosen) {
                    Ok(made) => {
                        best = made;
                        break;
                    }
                    Err(why) => {
                        decision.chosen.pop();
                        decision.tell(&entrant.candidate, unfit(&why));
                    }
                }
            }
        }
        decision.chosen.sort_by(|(a, _), (b, _)| a.candidate.cmp(&b.candidate));
        best
    }

    /// What is to be remembered when this serves. Nothing new while there is no graph: then what served
    /// serves on.
    pub(super) fn to_keep(&self, contests: &Contests, decision: &Decision, made: &Made) -> Kept {
        let mut kept = Kept { locks: made.locks.clone(), seats: self.memory.stored.seats.clone() };
        for (service, seat) in &self.memory.ours.seats {
            kept.seats.entry(service.clone()).or_insert_with(|| seat.clone());
        }
        if matches!(made.graph, Outcome::Nothing) {
            return kept;
        }
        for (Entrant { candidate, way, .. }, _) in &decision.chosen {
            let Some(contest) = contests.get(&candidate.service).filter(|contest| !contest.behind) else {
                continue;
            };
            let seat = lineup::seat(contest.seat.as_ref(), &candidate.version, *way);
            kept.seats.insert(candidate.service.clone(), seat);
        }
        kept
    }

    /// Takes up what was decided.
    fn finish(
        &mut self,
        scene: Scene<'_>,
        (seen, mut wake): (Contests, Option<Duration>),
        mut decision: Decision,
        made: Made,
    ) -> Pass {
        let ours = self.to_keep(&seen, &decision, &made);
        let Made { graph, diagnostics, .. } = made;
        decision.findings.extend(diagnostics.into_iter().map(Finding::of_graph));
        if let Some(trouble) = &self.memory.trouble {
            let shared = diagnostics::not_shared(&trouble.to_string());
            decision.findings.push(Finding::of_graph(shared));
        }
        let next = self.accept(graph, &mut decision);
        self.memory.ours = ours;
        self.stay_behind(&seen, &decision);
        self.shelf.retain(&used(&seen, &decision));
        // What came back may itself have to give way, which is decided with what is known then; and what
        // failed may not fail again. Anything else is settled, with what was chosen as what serves.
        let returned = |(Entrant { candidate, way, .. }, _): &(Entrant, Arc<Reading>)| {
            // Not where that could not be written down: nothing else would be decided next time.
            let seat = self.memory.seat(&candidate.service);
            *way == Way::Returns && seat.is_some_and(|seat| seat.version == candidate.version)
        };
        let returned = decision.chosen.iter().any(returned);
        let again = decision.hope.map(|_| AGAIN);
        self.settled = None;
        if returned {
            wake = Some(Duration::ZERO);
        } else if again.is_none() {
            let (contests, later) = contests(scene, &self.memory, &mut self.past);
            wake = later;
            let (revision, findings) = (self.memory.revision(), decision.findings.clone());
            self.settled = Some(Settled { contests, revision, findings });
        }
        let again = again.into_iter().chain(wake).min();
        let findings = sorted(undescribed(scene), decision.findings);
        Pass { next, closed: decision.closed, findings, compositions: self.compositions, again }
    }

    /// Takes up a graph; returns it when it is another one than the one that serves.
    fn accept(&mut self, graph: Outcome, decision: &mut Decision) -> Option<(Graph, Vec<Candidate>)> {
        let graph = match graph {
            Outcome::Other(graph) => *graph,
            Outcome::Same => return None,
            Outcome::Nothing => {
                decision.closed = self.is_closed(decision);
                if decision.closed {
                    self.serving = None;
                } else if self.serving.is_some() {
                    decision.findings.push(Finding::of_graph(kept()));
                }
                return None;
            }
        };
        let member = |member: &turnout_schema::supergraph::Member| {
            let mut chosen = decision.chosen.iter().map(|(entrant, _)| &entrant.candidate);
            chosen.find(|candidate| candidate.service.as_str() == &*member.service).cloned()
        };
        let members: Vec<Candidate> = graph.supergraph().members.iter().filter_map(member).collect();
        self.serving = Some((graph.supergraph().digest, members.clone()));
        Some((graph, members))
    }

    /// Whether everything that serves is there as before, and an operator has said that none of it is public.
    /// A version that offers nothing by itself is no reason: what serves goes on serving.
    fn is_closed(&self, decision: &Decision) -> bool {
        let Some((_, serving)) = &self.serving else { return false };
        let now = || decision.chosen.iter().map(|(entrant, _)| &entrant.candidate);
        let closed = |then: &Candidate| {
            let same = |now: &Candidate| Candidate { exposure: then.exposure, ..now.clone() } == *then;
            now().any(|now| now.exposure != then.exposure && same(now))
        };
        decision.chosen.iter().all(|(_, reading)| !offers(&reading.subgraph)) && serving.iter().all(closed)
    }

    /// Of services of which others decided something unseen here, this gateway remembers its own choice.
    fn stay_behind(&mut self, contests: &Contests, decision: &Decision) {
        for (Entrant { candidate, way, .. }, _) in &decision.chosen {
            if let Some(contest) = contests.get(&candidate.service).filter(|contest| contest.behind) {
                let seat = lineup::seat(contest.seat.as_ref(), &candidate.version, *way);
                self.memory.ours.seats.insert(candidate.service.clone(), seat);
            }
        }
    }

    /// What was found the last time.
    pub(super) fn found(&self) -> &[Finding] {
        self.settled.as_ref().map_or(&[], |settled| &settled.findings)
    }

    /// Who serves.
    pub(super) fn serving(&self) -> &[Candidate] {
        self.serving.as_ref().map(|(_, members)| members.as_slice()).unwrap_or_default()
    }
}

impl Decision {
    /// Notes why the look has to be repeated; the worst reason stays.
    pub(super) fn hopes(&mut self, hope: Hope) {
        match hope {
            Hope::Never => {}
            Hope::Missing => self.hope = self.hope.or(Some(hope)),
            Hope::StoreDown => self.hope = Some(hope),
        }
    }

    /// Whether the store kept something back that decides.
    pub(super) fn is_unsure(&self) -> bool {
        self.hope == Some(Hope::StoreDown)
    }

    fn tell(&mut self, candidate: &Candidate, diagnostic: Diagnostic) {
        let finding = finding(candidate, diagnostic);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }

    /// Tells of a service how it comes that this version of it serves.
    fn tell_of(&mut self, contest: &Contest, chosen: &Entrant) {
        for (about, diagnostic) in contest.told(chosen) {
            self.tell(&about, diagnostic);
        }
        let of = |(refused, _): &&(Candidate, Version)| {
            refused.service == chosen.candidate.service && *refused != chosen.candidate
        };
        for (candidate, holder) in self.refused.iter().filter(of).cloned().collect::<Vec<_>>() {
            self.tell(&candidate, diagnostics::refused(&holder));
        }
    }

    /// The findings so far.
    pub(super) fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The version of a service that was chosen.
    pub(super) fn chosen(&self, service: &ServiceName) -> Option<&Version> {
        let of = |(entrant, _): &&(Entrant, Arc<Reading>)| entrant.candidate.service == *service;
        self.chosen.iter().find(of).map(|(entrant, _)| &entrant.candidate.version)
    }
}

/// What has to be read again for the same decision: of each service all down to the one that was chosen, and
/// who serves.
fn used<'a>(contests: &'a Contests, decision: &Decision) -> BTreeSet<&'a Candidate> {
    let mut used = BTreeSet::new();
    let chosen = decision.chosen.iter().map(|(entrant, _)| (&entrant.candidate.service, &entrant.candidate));
    let chosen: BTreeMap<&ServiceName, &Candidate> = chosen.collect();
    for (service, contest) in contests {
        let candidates = || contest.entrants.iter().map(|entrant| &entrant.candidate);
        let last = candidates().position(|candidate| chosen.get(service) == Some(&candidate));
        used.extend(candidates().take(last.map_or(usize::MAX, |last| last + 1)));
        used.extend(contest.holder());
    }
    used
}

fn finding(candidate: &Candidate, diagnostic: Diagnostic) -> Finding {
    Finding::of(&candidate.service, &candidate.version, diagnostic)
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

/// Whether a graph has anything of it. One that offers nothing is no member, so that a service that is not
/// public changes nothing.
fn offers(subgraph: &Subgraph) -> bool {
    !(subgraph.roots.is_empty() && subgraph.lookups.is_empty() && subgraph.extensions.is_empty())
}

/// The worst first, and otherwise in the order of services.
pub(super) fn sorted(mut first: Vec<Finding>, then: Vec<Finding>) -> Vec<Finding> {
    first.extend(then);
    first.sort_by(|a, b| b.diagnostic.severity.cmp(&a.diagnostic.severity).then(a.about.cmp(&b.about)));
    first
}
