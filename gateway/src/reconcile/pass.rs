//! One look at the registry: which versions are in the graph, and is it another one than before?
//!
//! Everything in here blocks: descriptors come from the disk, and reading and composing take processor time.
//! A version that cannot be read, or with which no graph can serve, is left out and gives way to the next one
//! of its service; all others stay. What was read is kept while its version may be chosen, so that a look
//! that finds the same versions reads and composes nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::runtime::Handle;
use turnout_control::id::{ServiceName, Version};
use turnout_control::lineup;
use turnout_control::registry::Snapshot;
use turnout_schema::compose::{Locks, compose};
use turnout_schema::subgraph::{self, Exposure, Reading};
use turnout_schema::{Descriptors, Diagnostic, Digest, Severity, Subgraph};

use super::Exposures;
use super::report::Finding;
use crate::generation::Graph;
use crate::registry::Registry;
use crate::registry::schemas::Findings;
use crate::telemetry::chain;

/// A version as it is read: everything that decides what it offers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    pub(super) service: ServiceName,
    pub(super) version: Version,
    digest: Digest,
    exposure: Exposure,
    /// The protobuf services that belong to it; empty: all of its descriptors.
    owned: Vec<String>,
}

/// What is known from one look to the next.
#[derive(Debug, Default)]
pub(super) struct Composer {
    locks: Locks,
    readings: BTreeMap<Candidate, Result<Arc<Reading>, Diagnostic>>,
    /// What belongs to a version, as its instances said last: the last one that goes takes nothing away.
    owned: BTreeMap<(ServiceName, Version), Vec<String>>,
    /// What the last look decided, until it has to be decided anew.
    settled: Option<Settled>,
    /// The graph that serves, which is named after its members too, and who they are.
    serving: Option<(Digest, Vec<Candidate>)>,
    compositions: u64,
}

#[derive(Debug)]
struct Settled {
    /// What each service was looked at for: its candidates down to the one that was chosen, or all of
    /// them when none was.
    examined: BTreeMap<ServiceName, Examined>,
    findings: Vec<Finding>,
}

#[derive(Debug)]
struct Examined {
    candidates: Vec<Candidate>,
    chosen: bool,
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
    /// Whether something failed that may not fail the next time.
    pub(super) again: bool,
}

/// What is being decided.
struct Decision {
    chosen: Vec<(Candidate, Arc<Reading>)>,
    findings: Vec<Finding>,
    closed: bool,
    again: bool,
}

/// A composition that can serve; `graph` is `None` when no service offers anything.
struct Made {
    graph: Option<Graph>,
    locks: Locks,
    diagnostics: Vec<Diagnostic>,
}

type Candidates = BTreeMap<ServiceName, Vec<Candidate>>;

impl Composer {
    /// Looks at what is registered. Blocks.
    pub(super) fn look(
        &mut self,
        registry: &Registry,
        snapshot: &Snapshot,
        exposures: &Exposures,
        schemas: &Findings,
    ) -> Pass {
        let candidates = self.candidates(snapshot, exposures);
        let undescribed = undescribed(snapshot, schemas);
        if let Some(settled) = self.settled.as_ref().filter(|settled| settled.holds(&candidates)) {
            let findings = sorted(undescribed, settled.findings.clone());
            let compositions = self.compositions;
            return Pass { next: None, closed: false, findings, compositions, again: false };
        }
        let mut decision = Decision { chosen: Vec::new(), findings: Vec::new(), closed: false, again: false };
        for of_service in candidates.values() {
            let first = self.first_readable(registry, of_service, &mut decision);
            decision.chosen.extend(first);
        }
        let next = match self.make(&decision.chosen) {
            Ok(made) => self.accept(made, &mut decision),
            Err(_) => {
                let made = self.make_without_unfit(registry, &candidates, &mut decision);
                self.accept(made, &mut decision)
            }
        };
        self.settle(&candidates, &decision);
        let findings = sorted(undescribed, decision.findings);
        let Decision { closed, again, .. } = decision;
        Pass { next, closed, findings, compositions: self.compositions, again }
    }

    /// The best of a service's candidates that can be read.
    fn first_readable(
        &mut self,
        registry: &Registry,
        candidates: &[Candidate],
        decision: &mut Decision,
    ) -> Option<(Candidate, Arc<Reading>)> {
        for candidate in candidates {
            match self.read(registry, candidate, decision) {
                Ok(reading) => return Some((candidate.clone(), reading)),
                Err(diagnostic) => decision.tell(candidate, diagnostic),
            }
        }
        None
    }

    /// Descriptors never change, so an answer stays, unless it was the disk that failed.
    fn read(
        &mut self,
        registry: &Registry,
        candidate: &Candidate,
        decision: &mut Decision,
    ) -> Result<Arc<Reading>, Diagnostic> {
        if let Some(known) = self.readings.get(candidate) {
            return known.clone();
        }
        let bytes = Handle::current().block_on(registry.store.schema(candidate.digest)).map_err(|error| {
            decision.again = true;
            unreadable(&format!("they cannot be fetched: {}", chain(&error)))
        })?;
        let reading = guarded(|| {
            let bytes = bytes.ok_or("they are not stored")?;
            let descriptors = Descriptors::read(&bytes).map_err(|error| error.to_string())?;
            let descriptors = descriptors.only(&candidate.owned);
            let (service, version) = (candidate.service.as_str(), candidate.version.to_string());
            Ok(Arc::new(subgraph::read(service, &version, &descriptors, candidate.exposure)))
        })
        .map_err(|why| unreadable(&why));
        self.readings.insert(candidate.clone(), reading.clone());
        reading
    }

    /// Composes. The error says why the graph cannot serve.
    fn make(&mut self, chosen: &[(Candidate, Arc<Reading>)]) -> Result<Made, String> {
        if chosen.is_empty() {
            return Ok(Made { graph: None, locks: self.locks.clone(), diagnostics: Vec::new() });
        }
        self.compositions += 1;
        let offers = chosen.iter().map(|(_, reading)| &reading.subgraph).filter(|subgraph| offers(subgraph));
        let subgraphs: Vec<Subgraph> = offers.cloned().collect();
        guarded(|| {
            let composition = compose(&subgraphs, &self.locks);
            let graph = composition.supergraph.map(Graph::new).transpose();
            let graph = graph.map_err(|unfit| unfit.to_string())?;
            Ok(Made { graph, locks: composition.locks, diagnostics: composition.diagnostics })
        })
    }

    /// Composes one service after the other, those that serve first, to find who it is that makes no graph
    /// possible. As many compositions as there are candidates, but only when something is unfit.
    fn make_without_unfit(
        &mut self,
        registry: &Registry,
        candidates: &Candidates,
        decision: &mut Decision,
    ) -> Made {
        let serving = self.serving.as_ref().map(|(_, members)| members.clone()).unwrap_or_default();
        let wanted = std::mem::take(&mut decision.chosen);
        let (stay, new): (Vec<_>, Vec<_>) =
            wanted.into_iter().partition(|(candidate, _)| serving.contains(candidate));
        let order = stay.into_iter().chain(new).map(|(candidate, _)| candidate.service);
        let mut best = Made { graph: None, locks: self.locks.clone(), diagnostics: Vec::new() };
        for service in order {
            for candidate in candidates.get(&service).into_iter().flatten() {
                // One that cannot be read was told about, or is told about now.
                let reading = match self.read(registry, candidate, decision) {
                    Ok(reading) => reading,
                    Err(diagnostic) => {
                        decision.tell(candidate, diagnostic);
                        continue;
                    }
                };
                decision.chosen.push((candidate.clone(), reading));
                match self.make(&decision.chosen) {
                    Ok(made) => {
                        best = made;
                        break;
                    }
                    Err(why) => {
                        decision.chosen.pop();
                        decision.tell(candidate, unfit(&why));
                    }
                }
            }
        }
        best
    }

    /// Takes up what was composed; returns it when it is another graph than the one that serves.
    fn accept(&mut self, made: Made, decision: &mut Decision) -> Option<(Graph, Vec<Candidate>)> {
        for (candidate, reading) in &decision.chosen {
            let of = |diagnostic: &Diagnostic| {
                Finding::of(&candidate.service, &candidate.version, diagnostic.clone())
            };
            decision.findings.extend(reading.diagnostics.iter().map(of));
        }
        decision.findings.extend(made.diagnostics.into_iter().map(Finding::of_graph));
        let Some(graph) = made.graph else {
            decision.closed = self.is_closed(decision);
            if decision.closed {
                self.serving = None;
            } else if self.serving.is_some() {
                decision.findings.push(Finding::of_graph(kept()));
            }
            return None;
        };
        self.locks = made.locks;
        let digest = graph.supergraph().digest;
        if self.serving.as_ref().is_some_and(|(known, _)| *known == digest) {
            return None;
        }
        let member = |member: &turnout_schema::supergraph::Member| {
            let mut chosen = decision.chosen.iter().map(|(candidate, _)| candidate);
            chosen.find(|candidate| candidate.service.as_str() == &*member.service).cloned()
        };
        let members: Vec<Candidate> = graph.supergraph().members.iter().filter_map(member).collect();
        self.serving = Some((digest, members.clone()));
        Some((graph, members))
    }

    /// Whether everything that serves is there as before, and an operator has said that none of it is public.
    /// A version that offers nothing by itself is no reason: what serves goes on serving.
    fn is_closed(&self, decision: &Decision) -> bool {
        let Some((_, serving)) = &self.serving else { return false };
        let now = || decision.chosen.iter().map(|(candidate, _)| candidate);
        let closed = |then: &Candidate| {
            let same = |now: &Candidate| Candidate { exposure: then.exposure, ..now.clone() } == *then;
            now().any(|now| now.exposure != then.exposure && same(now))
        };
        decision.chosen.iter().all(|(_, reading)| !offers(&reading.subgraph)) && serving.iter().all(closed)
    }

    /// The versions of each service that could be served, the best first.
    fn candidates(&mut self, snapshot: &Snapshot, exposures: &Exposures) -> Candidates {
        let mut candidates = Candidates::new();
        for (name, service) in snapshot.services() {
            let exposure = exposures.of(name);
            for lineup::Choice { version, digest, .. } in lineup::choices(service) {
                let key = (name.clone(), version.clone());
                if let Some(owned) = service.owned(version) {
                    self.owned.insert(key.clone(), owned);
                }
                let owned = self.owned.get(&key).cloned().unwrap_or_default();
                let candidate =
                    Candidate { service: name.clone(), version: version.clone(), digest, exposure, owned };
                candidates.entry(name.clone()).or_default().push(candidate);
            }
            candidates.entry(name.clone()).or_default();
        }
        candidates
    }

    fn settle(&mut self, candidates: &Candidates, decision: &Decision) {
        let examined = |of_service: &Vec<Candidate>| {
            let at = of_service
                .iter()
                .position(|candidate| decision.chosen.iter().any(|(chosen, _)| chosen == candidate));
            let until = at.map_or(of_service.len(), |at| at + 1);
            Examined { candidates: of_service[..until].to_vec(), chosen: at.is_some() }
        };
        let examined: BTreeMap<ServiceName, Examined> =
            candidates.iter().map(|(service, all)| (service.clone(), examined(all))).collect();
        let used: BTreeSet<&Candidate> = examined.values().flat_map(|of| &of.candidates).collect();
        self.readings.retain(|candidate, _| used.contains(candidate));
        // What failed and may not fail again is not settled.
        self.settled = (!decision.again).then(|| Settled { examined, findings: decision.findings.clone() });
    }
}

impl Settled {
    /// Whether the same would be decided about these.
    fn holds(&self, candidates: &Candidates) -> bool {
        self.examined.len() == candidates.len()
            && candidates.iter().all(|(service, now)| {
                self.examined.get(service).is_some_and(|then| {
                    now.starts_with(&then.candidates) && (then.chosen || now.len() == then.candidates.len())
                })
            })
    }
}

impl Decision {
    fn tell(&mut self, candidate: &Candidate, diagnostic: Diagnostic) {
        let finding = Finding::of(&candidate.service, &candidate.version, diagnostic);
        if !self.findings.contains(&finding) {
            self.findings.push(finding);
        }
    }
}

fn undescribed(snapshot: &Snapshot, schemas: &Findings) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (name, service) in snapshot.services() {
        for version in lineup::undescribed(service) {
            let known = schemas.get(&(name.clone(), version.clone())).cloned();
            findings.push(Finding::of(name, version, known.unwrap_or_else(unnamed)));
        }
    }
    findings
}

fn unnamed() -> Diagnostic {
    Diagnostic {
        severity: Severity::Info,
        code: "SCHEMA_MISSING",
        message: "It named no descriptors; they are looked for.".to_owned(),
        help: String::new(),
    }
}

/// Whether a graph has anything of it. One that offers nothing is no member, so that a service that is not
/// public changes nothing.
fn offers(subgraph: &Subgraph) -> bool {
    !(subgraph.roots.is_empty() && subgraph.lookups.is_empty() && subgraph.extensions.is_empty())
}

/// The worst first, and otherwise in the order of services.
fn sorted(mut first: Vec<Finding>, then: Vec<Finding>) -> Vec<Finding> {
    first.extend(then);
    first.sort_by(|a, b| b.diagnostic.severity.cmp(&a.diagnostic.severity).then(a.about.cmp(&b.about)));
    first
}

/// Descriptors are a stranger's. A bug that they wake must cost that stranger its place and nobody else.
fn guarded<T>(work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("the gateway has a bug there".to_owned()))
}

fn unreadable(why: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "DESCRIPTORS_UNREADABLE",
        message: format!("It is not in the graph, because its descriptors cannot be read: {why}."),
        help: "Another version of the service serves, if there is one that can be read.".to_owned(),
    }
}

fn unfit(why: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "VERSION_UNFIT",
        message: format!("It is not in the graph, because the graph could not serve with it: {why}."),
        help: "Another version of the service serves, if there is one that fits.".to_owned(),
    }
}

fn kept() -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "GRAPH_KEPT",
        message: "What is registered now makes no graph, so the last one goes on serving.".to_owned(),
        help: "The other findings say what is left out, and why.".to_owned(),
    }
}
