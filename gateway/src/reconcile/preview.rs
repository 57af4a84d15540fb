//! What would become of the graph if a version were registered? Asked before a deployment; changes nothing.
//!
//! The answer is made of what the next look would be made of, on a copy. It is asked for by people and by
//! their pipelines, so one is computed at a time, on a thread where it may block.

mod prospect;

pub use prospect::Prospect;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql_parser::parse_query;
use async_graphql_parser::types::ExecutableDocument;
use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use turnout_control::frontend;
use turnout_control::id::{FrontendId, ServiceName, SourceName, Timestamp, Version};
use turnout_control::registration::Refusal;
use turnout_control::registry::{Event, Health, Instance, Intent, Presence, Registered, SchemaRef, Snapshot};
use turnout_schema::diff::{Change, Coordinate, diff};
use turnout_schema::gate::{BrokenShape, Shape};
use turnout_schema::guard::{self, Limits};
use turnout_schema::subgraph::{Exposure, Reading};
use turnout_schema::{Diagnostic, Digest};

use super::contest::{Edition, Scene};
use super::decide::Decision;
use super::graphs::Made;
use super::pass::{Composer, sorted};
use super::report::{Finding, Newcomer, Verdict};
use super::views::Sight;
use super::{Callers, Exposures, Sources, diagnostics};
use crate::generation::{Document, Generation, Graph, View};
use crate::registry::Registry;
use crate::registry::schemas::Findings;

/// Whom callers count as who are no published frontend.
const FRONTEND: &str = "any@0.0.0";

/// A version that is not registered yet, or not exposed so.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub version: Version,
    /// Its descriptors: a `FileDescriptorSet`.
    pub descriptors: Bytes,
    /// What of it is public; `None`: what holds for the service now.
    pub exposure: Option<Exposure>,
}

/// What would become of the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// The version of the service that callers get now who pin nothing; `None` when they get none.
    pub serving: Option<Version>,
    /// The version of the service that would be stable in the end, of the same callers: the one that was asked
    /// about when it is the first of its major, or when it can stand in and so would be tried. Another one when
    /// that is refused, or older than what is stable; `None` when none would.
    pub serves: Option<Version>,
    /// What would be found about the version and about the graph with it, the worst first: what cannot be
    /// read or mapped, what the gate says against the version that serves, what composition says.
    pub findings: Vec<Finding>,
    /// How the graph would differ if the version served, whether or not it would. Empty when nothing serves
    /// now, or when there would be no graph.
    pub changes: Vec<Change>,
    /// Operations that are sent and would not be answered as they are now: those that frontends were published
    /// with, and those that others sent lately.
    pub affected: Vec<Affected>,
}

/// An operation that would not be answered as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    /// The frontend that sends it: `web@2.4.1`.
    pub frontend: String,
    /// Its name, when it has one.
    pub operation: Option<String>,
    /// The sha256 of its document.
    pub document: Digest,
    /// What breaks, a sentence or a coordinate each.
    pub breaks: Vec<String>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What is registered cannot be read now.
    #[error("the registry cannot be read now")]
    Unavailable,
    /// The gateway is stopping, or has a bug there.
    #[error("the preview was not finished")]
    Unfinished,
}

/// Where previews are asked for.
#[derive(Clone, Debug)]
pub struct Previews {
    registry: Registry,
    exposures: watch::Receiver<Exposures>,
    callers: watch::Receiver<Callers>,
    generations: watch::Receiver<Option<Arc<Generation>>>,
    composer: Arc<Mutex<Composer>>,
    turn: Arc<Semaphore>,
}

impl Previews {
    pub(super) fn new(
        sources: &Sources,
        composer: &Arc<Mutex<Composer>>,
        generations: &watch::Receiver<Option<Arc<Generation>>>,
    ) -> Previews {
        Previews {
            registry: sources.registry.clone(),
            exposures: sources.exposures.clone(),
            callers: sources.callers.clone(),
            generations: generations.clone(),
            composer: composer.clone(),
            turn: Arc::new(Semaphore::new(1)),
        }
    }

    /// What would become of the graph. Takes up to seconds; others who ask wait for their turn.
    pub async fn preview(&self, asked: Asked) -> Result<Preview, Error> {
        let turn = self.turn.clone().acquire_owned().await.map_err(|_| Error::Unfinished)?;
        let this = self.clone();
        let work = move || {
            // Kept until the work ends: who stops waiting must not let the next one in beside it.
            let _turn = turn;
            this.look(&asked)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Unfinished))
    }

    fn look(&self, asked: &Asked) -> Result<Preview, Error> {
        let composer = self.composer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let generation = self.generations.borrow().clone();
        let exposures = self.exposures.borrow().clone();
        let callers = self.callers.borrow().clone();
        let exposure = asked.exposure.unwrap_or_else(|| exposures.of(&asked.service));
        let exposures = exposures.with(&asked.service, exposure);
        let snapshot = self.registry.snapshot();
        let serving = composer.sight(None).and_then(|sight| sight.of(&asked.service));
        let serving = serving.map(|routed| routed.stable.version.clone());
        let mut preview = Preview { serving, ..Preview::default() };
        let edition = Edition {
            service: asked.service.clone(),
            version: asked.version.clone(),
            digest: Digest::of(&asked.descriptors),
            exposure,
            owned: Vec::new(),
        };
        if let Some(refusal) = bound(&snapshot, &edition) {
            preview.findings.push(Finding::of(&asked.service, &asked.version, refusal));
            return Ok(preview);
        }
        let snapshot = snapshot.apply(&Event::Up(running(asked, edition.digest)));
        let (now, schemas) = (self.registry.hub.clock().age(), Findings::default());
        let scene =
            Scene { snapshot: &snapshot, exposures: &exposures, schemas: &schemas, callers: &callers, now };
        AsIf { registry: &self.registry, generation, edition, composer }.run(scene, asked, preview)
    }
}

/// A version that is looked at on a copy of what is known.
struct AsIf<'a> {
    registry: &'a Registry,
    generation: Option<Arc<Generation>>,
    edition: Edition,
    composer: Composer,
}

impl AsIf<'_> {
    fn run(mut self, scene: Scene<'_>, asked: &Asked, mut preview: Preview) -> Result<Preview, Error> {
        self.composer.lend(self.edition.digest, asked.descriptors.clone());
        let (contests, _) = self.composer.contests(self.registry, scene);
        if let Some(known) = self.composer.past.edition(scene, &asked.service, &asked.version) {
            self.edition = known;
        }
        let decision = self.composer.decide(self.registry, scene, &contests);
        if decision.is_unsure() {
            return Err(Error::Unavailable);
        }
        preview.serves = self.serves(&decision);
        let about = |finding: &&Finding| {
            let of = |(service, version): &(_, _)| *service == asked.service && *version == asked.version;
            finding.about.as_ref().is_none_or(of)
        };
        let mut findings: Vec<Finding> = decision.findings.iter().filter(about).cloned().collect();
        let Ok(reading) = self.composer.shelf.read(&*self.registry.store, &self.edition) else {
            preview.findings = sorted(findings, Vec::new());
            return Ok(preview);
        };
        let of = |diagnostic: Diagnostic| Finding::of(&asked.service, &asked.version, diagnostic);
        findings.extend(reading.diagnostics.iter().cloned().map(of));

        // As if it served, whoever would.
        let place = self.place(&decision);
        let graph = place.and_then(|sight| {
            let made = self.make(sight, reading, &decision);
            findings.extend(made.left_out.iter().map(|(_, why)| of(diagnostics::unfit(why))));
            findings.extend(made.diagnostics.iter().cloned().map(Finding::of_graph));
            made.graph.clone().map(|graph| (sight.and_then(|sight| sight.frontend.clone()), graph))
        });
        let (rules, affected) = self.replay(scene, graph, &mut preview.changes);
        preview.affected = affected;
        findings.extend(rules.into_iter().map(of));
        // What is wrong with the graph already is not this version's.
        findings.retain(|found| found.about.is_some() || !self.composer.found().contains(found));
        let mut told = Vec::new();
        for finding in findings {
            if !told.contains(&finding) {
                told.push(finding);
            }
        }
        preview.findings = sorted(told, Vec::new());
        Ok(preview)
    }

    /// The version that would serve in the end.
    fn serves(&self, decision: &Decision) -> Option<Version> {
        let Edition { service, version, .. } = &self.edition;
        let line = (service.clone(), version.semver().major);
        let is_stable = decision.chosen.get(&line).is_some_and(|chosen| chosen.edition == self.edition);
        let of = |newcomer: &&Newcomer| newcomer.service == *service && newcomer.version == *version;
        let newcomer = decision.newcomers.iter().find(of);
        let fits = newcomer.is_some_and(|newcomer| matches!(newcomer.verdict, Verdict::Fits(_)));
        if is_stable || fits { Some(version.clone()) } else { decision.serving(service).cloned() }
    }

    /// The first view that would change if the version served: `Some(None)` where nothing is seen yet.
    fn place<'a>(&self, decision: &'a Decision) -> Option<Option<&'a Sight>> {
        let major =
            |sight: &&Sight| sight.of(&self.edition.service).map(|of| of.stable.version.semver().major);
        let ours = self.edition.version.semver().major;
        let same = decision.sights.iter().find(|sight| major(sight) == Some(ours));
        let any = || decision.sights.iter().find(|sight| sight.frontend.is_none());
        match (same, any()) {
            (Some(sight), _) => Some(Some(sight)),
            (None, Some(any)) if major(&any) < Some(ours) => Some(Some(any)),
            // Callers get a higher major, and nobody who pins this one is published.
            (None, Some(_)) => None,
            (None, None) => Some(None),
        }
    }

    /// The graph of a view with the version in it.
    fn make(&mut self, sight: Option<&Sight>, reading: Arc<Reading>, decision: &Decision) -> Arc<Made> {
        let stables = sight.map(Sight::stables).unwrap_or_default();
        let others = stables.into_iter().filter(|stable| stable.service != self.edition.service);
        let mut parts = vec![(self.edition.clone(), reading)];
        for other in others {
            if let Ok(reading) = self.composer.shelf.read(&*self.registry.store, &other) {
                parts.push((other, reading));
            }
        }
        parts.sort_by(|(a, _), (b, _)| a.cmp(b));
        let serving: Vec<Edition> = parts.iter().map(|(edition, _)| edition.clone()).collect();
        let serving: Vec<Edition> = serving.into_iter().filter(|of| *of != self.edition).collect();
        self.composer.graphs.make(&parts, &decision.locks, &serving)
    }

    /// What the gate says against the operations that are sent, and which of them would not be answered as they
    /// are now. `next` is a frontend's graph with the version in it.
    fn replay(
        &mut self,
        scene: Scene<'_>,
        next: Option<(Option<FrontendId>, Arc<Graph>)>,
        changes: &mut Vec<Change>,
    ) -> (Vec<Diagnostic>, Vec<Affected>) {
        let Some(serving) = self.generation.clone() else { return Default::default() };
        let sent = self.sent(&serving);
        let mut breaks: Vec<Vec<String>> = vec![Vec::new(); sent.len()];
        let mut rules = Vec::new();
        for stable in self.stables(scene, &serving) {
            let holds = |sent: &&Sent<'_>| sent.route(&stable.service) == Some(&stable.version);
            let shape = |(at, sent): (usize, &Sent<'_>)| {
                Shape::of(at.to_string(), &sent.parsed, None, sent.view.graph.supergraph())
            };
            let shapes =
                sent.iter().enumerate().filter(|(_, sent)| holds(sent)).map(shape).collect::<Vec<_>>();
            let pair = (&stable, &self.edition);
            let Ok(report) = self.composer.shelf.replay(&*self.registry.store, pair, &shapes) else {
                continue;
            };
            rules.extend(diagnostics::all_rules(&report));
            for BrokenShape { shape, by } in report.broken_shapes {
                let at: usize = shape.parse().unwrap_or(usize::MAX);
                if let Some(breaks) = breaks.get_mut(at) {
                    breaks.extend(by.iter().map(Coordinate::to_string));
                }
            }
        }
        if let Some((frontend, graph)) = next
            && let Some(view) = serving.view(frontend.as_ref())
        {
            *changes = diff(view.graph.supergraph(), graph.supergraph());
            for (sent, breaks) in sent.iter().zip(&mut breaks) {
                // Who shares the graph sees the version only if its pin lets it in.
                let sees = sent.view.frontend == frontend
                    || Arc::ptr_eq(&sent.view.graph, &view.graph)
                        && self.composer.admits(sent.view.frontend.as_ref(), &self.edition);
                if sees && let Err(faults) = graph.prepare(&sent.raw, sent.operation.as_deref(), &sent.limits)
                {
                    breaks.extend(faults.into_iter().map(|fault| fault.message));
                }
            }
        }
        let told = sent.into_iter().zip(breaks).filter(|(_, breaks)| !breaks.is_empty());
        (rules, told.map(|(sent, breaks)| sent.affected(breaks)).collect())
    }

    /// What the version would stand in for, of what is served now.
    fn stables(&mut self, scene: Scene<'_>, serving: &Generation) -> Vec<Edition> {
        let Edition { service, version, .. } = self.edition.clone();
        let line = (service.clone(), version.semver().major);
        let mut versions: Vec<Version> =
            self.composer.base(&line).map(|base| base.stable.clone()).into_iter().collect();
        for view in serving.views() {
            let route = view.routes.iter().find(|route| route.service == service);
            let stable = route.map(|route| route.stable.version.clone());
            let stable = stable.filter(|stable| stable.semver().major == line.1 && *stable < version);
            let admits = self.composer.admits(view.frontend.as_ref(), &self.edition);
            versions.extend(stable.filter(|stable| admits && !versions.contains(stable)));
        }
        let editions =
            versions.iter().filter_map(|stable| self.composer.past.edition(scene, &service, stable));
        let editions: Vec<Edition> = editions.collect();
        editions.into_iter().filter(|stable| *stable != self.edition).collect()
    }

    /// What is sent: what frontends were published with, and lately by callers who are none of them.
    fn sent<'a>(&self, serving: &'a Generation) -> Vec<Sent<'a>> {
        let mut sent: Vec<Sent<'a>> = Vec::new();
        for view in serving.views() {
            let Some(frontend) = &view.frontend else { continue };
            let documents = self.composer.memory.stored.documents.get(frontend);
            let documents = documents.map(|(_, documents)| documents.clone()).unwrap_or_default();
            sent.extend(documents.iter().filter_map(|document| Sent::published(view, document)));
        }
        if let Some(any) = serving.view(None) {
            let (documents, limits) = any.graph.documents(usize::MAX);
            let lately = documents.into_iter().filter_map(|document| Sent::lately(any, document, limits));
            let lately: Vec<Sent<'a>> =
                lately.filter(|one| !sent.iter().any(|known| known.text == one.text)).collect();
            sent.extend(lately);
        }
        sent
    }
}

/// A document that is sent.
struct Sent<'a> {
    view: &'a View,
    raw: Box<str>,
    operation: Option<Box<str>>,
    text: String,
    parsed: ExecutableDocument,
    limits: Limits,
}

impl<'a> Sent<'a> {
    /// It has been measured and validated: nothing else has a plan.
    fn lately(view: &'a View, document: Document, limits: Limits) -> Option<Sent<'a>> {
        let text: String = serde_json::from_str(&document.raw).ok()?;
        let parsed = parse_query(&text).ok()?;
        Some(Sent { view, raw: document.raw, operation: document.operation, text, parsed, limits })
    }

    fn published(view: &'a View, document: &frontend::Document) -> Option<Sent<'a>> {
        let limits = Limits::RECOMMENDED;
        guard::check(&document.text, &limits).ok()?;
        let parsed = parse_query(&document.text).ok()?;
        let raw = serde_json::to_string(&document.text).ok()?.into();
        let first =
            parsed.operations.iter().next().and_then(|(name, _)| name.map(|name| name.as_str().into()));
        Some(Sent { view, raw, operation: first, text: document.text.clone(), parsed, limits })
    }

    /// The version of a service that answers it.
    fn route(&self, service: &ServiceName) -> Option<&'a Version> {
        let route = self.view.routes.iter().find(|route| route.service == *service);
        route.map(|route| &route.stable.version)
    }

    fn affected(self, breaks: Vec<String>) -> Affected {
        let first = self.parsed.operations.iter().next().and_then(|(name, _)| name.map(ToString::to_string));
        Affected {
            frontend: self.view.frontend.as_ref().map_or_else(|| FRONTEND.to_owned(), ToString::to_string),
            operation: self.operation.map(String::from).or(first),
            document: Digest::of(self.text.as_bytes()),
            breaks,
        }
    }
}

/// Why a version cannot be registered with these descriptors.
fn bound(snapshot: &Snapshot, edition: &Edition) -> Option<Diagnostic> {
    let known = snapshot.service(&edition.service)?.versions.get(&edition.version)?;
    let bound = known.digest.filter(|bound| *bound != edition.digest)?;
    let refusal = Refusal::VersionBound {
        service: edition.service.clone(),
        version: edition.version.clone(),
        bound,
        offered: edition.digest,
    };
    Some(diagnostics::bound(refusal.code(), refusal.to_string(), &refusal.help()))
}

/// An instance of the version, as if it were registered.
fn running(asked: &Asked, digest: Digest) -> Registered {
    let instance = Instance {
        service: asked.service.clone(),
        id: "turnout.preview".parse().expect("the name is legal"),
        version: asked.version.clone(),
        incarnation: 0,
        endpoints: Vec::new(),
        schema: Some(SchemaRef { digest, services: Vec::new() }),
        weight: 0,
        intent: Intent::Up,
        health: Health::None,
        meta: BTreeMap::new(),
    };
    Registered {
        instance: Arc::new(instance),
        source: SourceName::own(),
        lease: None,
        ttl_s: 0,
        registered_at: Timestamp(0),
        presence: Presence::Here,
        refused: None,
    }
}
