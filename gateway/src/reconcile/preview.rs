//! What would become of the graph if a version were registered? Asked before a deployment; changes nothing.
//!
//! The answer is made of what the next look would be made of, on a copy. It is asked for by people and by
//! their pipelines, so one is computed at a time, on a thread where it may block.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql_parser::parse_query;
use async_graphql_parser::types::ExecutableDocument;
use bytes::Bytes;
use tokio::sync::{Semaphore, watch};
use turnout_control::frontend::Frontend;
use turnout_control::id::{ServiceName, SourceName, Timestamp, Version};
use turnout_control::lineup::Way;
use turnout_control::registration::Refusal;
use turnout_control::registry::{Event, Health, Instance, Intent, Presence, Registered, SchemaRef, Snapshot};
use turnout_control::routes::Unrouted;
use turnout_schema::diff::{Change, Coordinate, diff};
use turnout_schema::gate::{BrokenShape, Shape};
use turnout_schema::subgraph::Exposure;
use turnout_schema::{Diagnostic, Digest};

use super::contest::{Candidate, Entrant, Scene};
use super::pass::{Composer, Outcome, sorted};
use super::report::Finding;
use super::{Exposures, Sources, diagnostics};
use crate::generation::{Document, Generation, Graph};
use crate::registry::Registry;
use crate::registry::schemas::Findings;

/// Whom every caller counts as until frontends are published.
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
    /// The version of the service that serves now; `None` when none does.
    pub serving: Option<Version>,
    /// The version of the service that would serve once this one runs. Another one than was asked about when
    /// that is refused, or older than what serves; `None` when none would.
    pub serves: Option<Version>,
    /// What would be found about the version and about the graph with it, the worst first: what cannot be
    /// read or mapped, what the gate says against the version that serves, what composition says.
    pub findings: Vec<Finding>,
    /// How the graph would differ if the version served, whether or not it would. Empty when nothing serves
    /// now, or when there would be no graph.
    pub changes: Vec<Change>,
    /// Operations that were sent lately and would not be answered as they are now.
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

/// What a frontend would see if it were published now.
#[derive(Clone, Debug, Default)]
pub struct Prospect {
    /// Its graph; `None` when it would see nothing.
    pub graph: Option<Arc<Graph>>,
    /// The services that it pins and would not see, and why.
    pub unrouted: BTreeMap<ServiceName, Unrouted>,
    /// What callers see who pin nothing; to say what the frontend would have to pin.
    pub everything: Option<Arc<Graph>>,
}

/// Where previews are asked for.
#[derive(Clone, Debug)]
pub struct Previews {
    registry: Registry,
    exposures: watch::Receiver<Exposures>,
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

    /// What a frontend would see. Takes up to seconds; others who ask wait for their turn.
    pub async fn frontend(&self, frontend: Frontend) -> Result<Prospect, Error> {
        let generation = self.generations.borrow().clone();
        let everything = generation.as_ref().and_then(|now| now.view(None)).map(|view| view.graph.clone());
        let _ = frontend;
        Ok(Prospect { graph: everything.clone(), unrouted: BTreeMap::new(), everything })
    }

    fn look(&self, asked: &Asked) -> Result<Preview, Error> {
        let composer = self.composer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let generation = self.generations.borrow().clone();
        let exposures = self.exposures.borrow().clone();
        let exposure = asked.exposure.unwrap_or_else(|| exposures.of(&asked.service));
        let exposures = exposures.with(&asked.service, exposure);
        let snapshot = self.registry.snapshot();
        let mut serving = composer.serving().iter().filter(|of| of.service == asked.service);
        let serving = serving.next().map(|of| of.version.clone());
        let mut preview = Preview { serving, ..Preview::default() };
        let candidate = Candidate {
            service: asked.service.clone(),
            version: asked.version.clone(),
            digest: Digest::of(&asked.descriptors),
            exposure,
            owned: Vec::new(),
        };
        if let Some(refusal) = bound(&snapshot, &candidate) {
            preview.findings.push(Finding::of(&asked.service, &asked.version, refusal));
            return Ok(preview);
        }
        let snapshot = snapshot.apply(&Event::Up(running(asked, candidate.digest)));
        let (now, schemas) = (self.registry.hub.clock().age(), Findings::default());
        let scene = Scene { snapshot: &snapshot, exposures: &exposures, schemas: &schemas, now };
        Trial { registry: &self.registry, generation, candidate, composer }.run(scene, asked, preview)
    }
}

/// A version that is tried on a copy of what is known.
struct Trial<'a> {
    registry: &'a Registry,
    generation: Option<Arc<Generation>>,
    candidate: Candidate,
    composer: Composer,
}

impl Trial<'_> {
    fn run(mut self, scene: Scene<'_>, asked: &Asked, mut preview: Preview) -> Result<Preview, Error> {
        self.composer.lend(self.candidate.digest, asked.descriptors.clone());
        let contests = self.composer.contests(scene);
        let Some(contest) = contests.get(&asked.service) else { return Err(Error::Unfinished) };
        let mut candidates = contest.entrants.iter().map(|entrant| &entrant.candidate);
        if let Some(known) = candidates.find(|candidate| candidate.version == asked.version) {
            self.candidate = known.clone();
        }
        let (decision, made) = self.composer.decide(self.registry, &contests);
        if decision.is_unsure() {
            return Err(Error::Unavailable);
        }
        preview.serves = decision.chosen(&asked.service).cloned();
        let about = |finding: &&Finding| {
            let of = |(service, version): &(_, _)| *service == asked.service && *version == asked.version;
            finding.about.as_ref().is_none_or(of)
        };
        let mut findings: Vec<Finding> = decision.findings().iter().filter(about).cloned().collect();

        // As if it served, whoever would.
        let mut chosen = decision.chosen;
        let reading = match self.composer.shelf.read(&*self.registry.store, &self.candidate) {
            Ok(reading) => reading,
            Err(_) => {
                preview.findings = sorted(findings, Vec::new());
                return Ok(preview);
            }
        };
        let of = |diagnostic: &Diagnostic| Finding::of(&asked.service, &asked.version, diagnostic.clone());
        let is_chosen = preview.serves.as_ref() == Some(&asked.version);
        let entrant = Entrant { candidate: self.candidate.clone(), way: Way::Remains, runs: true };
        let graph = if is_chosen {
            findings.extend(made.diagnostics.into_iter().map(Finding::of_graph));
            made.graph
        } else {
            findings.extend(reading.diagnostics.iter().map(of));
            chosen.retain(|(entrant, _)| entrant.candidate.service != asked.service);
            chosen.push((entrant, reading));
            chosen.sort_by(|(a, _), (b, _)| a.candidate.cmp(&b.candidate));
            match self.composer.make(&chosen) {
                Ok(made) => {
                    findings.extend(made.diagnostics.into_iter().map(Finding::of_graph));
                    made.graph
                }
                Err(why) => {
                    findings.push(of(&diagnostics::unfit(&why)));
                    Outcome::Nothing
                }
            }
        };
        let (replayed, affected) = self.replay(contest.holder(), graph, &mut preview.changes);
        preview.affected = affected;
        for rule in replayed {
            if !findings.iter().any(|known| known.diagnostic == rule) {
                findings.push(of(&rule));
            }
        }
        // What is wrong with the graph already is not this version's.
        findings.retain(|found| found.about.is_some() || !self.composer.found().contains(found));
        preview.findings = sorted(findings, Vec::new());
        Ok(preview)
    }

    /// What the gate says against the operations that were sent lately, and which of them would not be answered
    /// as they are now.
    fn replay(
        &mut self,
        holder: Option<&Candidate>,
        graph: Outcome,
        changes: &mut Vec<Change>,
    ) -> (Vec<Diagnostic>, Vec<Affected>) {
        let Some(serving) = self.generation.clone() else { return Default::default() };
        let Some(serving) = serving.view(None).map(|view| view.graph.clone()) else {
            return Default::default();
        };
        let (documents, limits) = serving.documents(usize::MAX);
        let sent: Vec<Sent> = documents.into_iter().filter_map(Sent::read).collect();
        let mut breaks: Vec<Vec<String>> = vec![Vec::new(); sent.len()];
        let mut rules = Vec::new();
        if let Some(holder) = holder.filter(|holder| **holder != self.candidate) {
            let shape = |(at, sent): (usize, &Sent)| {
                Shape::of(at.to_string(), &sent.parsed, None, serving.supergraph())
            };
            let shapes: Vec<Shape> = sent.iter().enumerate().map(shape).collect();
            let pair = (holder, &self.candidate);
            if let Ok(report) = self.composer.shelf.replay(&*self.registry.store, pair, &shapes) {
                rules = diagnostics::all_rules(&report);
                for BrokenShape { shape, by } in report.broken_shapes {
                    let at: usize = shape.parse().unwrap_or(usize::MAX);
                    if let Some(breaks) = breaks.get_mut(at) {
                        breaks.extend(by.iter().map(Coordinate::to_string));
                    }
                }
            }
        }
        if let Outcome::Other(graph) = graph {
            *changes = diff(serving.supergraph(), graph.supergraph());
            for (sent, breaks) in sent.iter().zip(&mut breaks) {
                let operation = sent.document.operation.as_deref();
                if let Err(faults) = graph.prepare(&sent.document.raw, operation, &limits) {
                    breaks.extend(faults.into_iter().map(|fault| fault.message));
                }
            }
        }
        let told = sent.into_iter().zip(breaks).filter(|(_, breaks)| !breaks.is_empty());
        (rules, told.map(|(sent, breaks)| sent.affected(breaks)).collect())
    }
}

/// A document that was sent.
struct Sent {
    document: Document,
    text: String,
    parsed: ExecutableDocument,
}

impl Sent {
    /// It has been measured and validated: nothing else has a plan.
    fn read(document: Document) -> Option<Sent> {
        let text: String = serde_json::from_str(&document.raw).ok()?;
        let parsed = parse_query(&text).ok()?;
        Some(Sent { document, text, parsed })
    }

    fn affected(self, breaks: Vec<String>) -> Affected {
        let first = self.parsed.operations.iter().next().and_then(|(name, _)| name.map(ToString::to_string));
        Affected {
            frontend: FRONTEND.to_owned(),
            operation: self.document.operation.map(String::from).or(first),
            document: Digest::of(self.text.as_bytes()),
            breaks,
        }
    }
}

/// Why a version cannot be registered with these descriptors.
fn bound(snapshot: &Snapshot, candidate: &Candidate) -> Option<Diagnostic> {
    let known = snapshot.service(&candidate.service)?.versions.get(&candidate.version)?;
    let bound = known.digest.filter(|bound| *bound != candidate.digest)?;
    let refusal = Refusal::VersionBound {
        service: candidate.service.clone(),
        version: candidate.version.clone(),
        bound,
        offered: candidate.digest,
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
