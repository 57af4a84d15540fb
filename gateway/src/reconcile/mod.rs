//! From the registry to what serves: instances at once, the graph after a short while, and only when it changes.
//!
//! Two loops in one task. The fleet is told of every change as it comes. The graph waits until changes pause,
//! then looks at all that is registered (`pass`), on a blocking thread, and publishes a new generation when
//! another graph comes out, with the plans of what is asked often already made. A look that fails changes
//! nothing: what serves goes on serving. Who has which name, and which versions serve, is written down for all
//! gateways (`kept`, `remember`).

mod contest;
mod diagnostics;
mod kept;
mod pass;
pub mod preview;
mod remember;
mod report;
mod shelf;
mod sources;
#[cfg(test)]
mod tests;

pub use preview::Previews;
pub use report::{Finding, Newcomer, Report, Standing, Verdict};
pub use sources::{Callers, Exposures, Sources};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use turnout_control::registry::Snapshot;

use crate::generation::{Callee, Generation, Graph, Route, View};
use crate::registry::Registry;
use crate::registry::schemas::Findings;
use crate::upstream::fleet::Fleet;
use contest::{Candidate, Scene};
use pass::{AGAIN, Composer, Pass};

/// Changes closer together than this are looked at together: the instances of a deployment come in bursts.
const QUIET: Duration = Duration::from_millis(50);

/// The longest that a change waits for others, so that a stream of them cannot hold up the graph.
const QUIET_MAX: Duration = Duration::from_millis(250);

/// How long a new graph waits until the plans of what is asked most are made.
const WARM: Duration = Duration::from_millis(300);

/// Keeps what serves in step with what is registered.
#[derive(Debug)]
pub struct Reconciler {
    sources: Sources,
    composer: Arc<Mutex<Composer>>,
    generations: watch::Sender<Option<Arc<Generation>>>,
    reports: watch::Sender<Arc<Report>>,
}

/// What others see of it.
#[derive(Clone, Debug)]
pub struct Published {
    /// What serves; `None` until somebody offers something.
    pub generations: watch::Receiver<Option<Arc<Generation>>>,
    /// How the graph stands; changes with every look.
    pub reports: watch::Receiver<Arc<Report>>,
    /// Tells what would become of the graph.
    pub previews: Previews,
}

/// A reconciler that has not looked yet, and where to see what it does.
pub fn new(sources: Sources) -> (Reconciler, Published) {
    let (generations, generations_now) = watch::channel(None);
    let (reports, reports_now) = watch::channel(Arc::new(Report::default()));
    let composer = Arc::new(Mutex::new(Composer::default()));
    let previews = Previews::new(&sources, &composer, &generations_now);
    let published = Published { generations: generations_now, reports: reports_now, previews };
    (Reconciler { sources, composer, generations, reports }, published)
}

/// Runs until it is told to stop. The first look is at once: a restart finds what was registered before it.
/// A look that has begun is waited for, so that nobody uses the registry when this returns.
pub async fn run(reconciler: Reconciler, stop: CancellationToken) {
    let Sources { registry, fleet, .. } = &reconciler.sources;
    // In this order: the fleet knows an instance before a generation can ask for it.
    tokio::join!(biased; follow(registry, fleet, &stop), reconciler.compose(&stop));
}

/// Tells the fleet of every change as it comes.
async fn follow(registry: &Registry, fleet: &Fleet, stop: &CancellationToken) {
    let mut changes = registry.changes();
    loop {
        let snapshot = changes.borrow_and_update().clone();
        fleet.apply(&snapshot);
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
        }
    }
}

impl Reconciler {
    async fn compose(&self, stop: &CancellationToken) {
        let mut changes = self.sources.registry.changes();
        let mut records = self.sources.registry.store.records();
        let mut exposures = self.sources.exposures.clone();
        let mut schemas = self.sources.schemas.clone();
        loop {
            let snapshot = changes.borrow_and_update().clone();
            let exposed = exposures.borrow_and_update().clone();
            let described = schemas.borrow_and_update().clone();
            records.mark_unchanged();
            let again = self.look(snapshot, exposed, described).await;
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = changed(&mut exposures) => {}
                () = changed(&mut schemas) => {}
                () = changed(&mut records) => {}
                () = wait(again) => {}
            }
            quiet(&mut changes).await;
        }
    }

    /// Looks once; after what time it should be done again although nothing changes.
    async fn look(
        &self,
        snapshot: Arc<Snapshot>,
        exposures: Exposures,
        schemas: Arc<Findings>,
    ) -> Option<Duration> {
        let (composer, registry) = (self.composer.clone(), self.sources.registry.clone());
        let (revision, now) = (snapshot.revision, registry.hub.clock().age());
        let look = move || {
            let mut composer = composer.lock().unwrap_or_else(PoisonError::into_inner);
            let scene = Scene { snapshot: &snapshot, exposures: &exposures, schemas: &schemas, now };
            composer.look(&registry, scene)
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(pass) => self.publish(revision, pass).await,
            Err(error) => {
                tracing::error!(%error, "the graph was not looked at, and the old one stays");
                Some(AGAIN)
            }
        }
    }

    async fn publish(&self, revision: u64, pass: Pass) -> Option<Duration> {
        let before = self.reports.borrow().clone();
        report::log_new(&before.findings, &pass.findings);
        let mut report = Report {
            revision: Some(revision),
            findings: pass.findings,
            compositions: pass.compositions,
            ..Report::clone(&before)
        };
        if let Some((graph, members)) = pass.next {
            report.generation = before.generation + 1;
            report.digest = Some(graph.supergraph().digest);
            report.members = members.iter().map(|of| (of.service.clone(), of.version.clone())).collect();
            let versions: Vec<String> =
                members.iter().map(|of| format!("{} {}", of.service, of.version)).collect();
            tracing::info!(
                generation = report.generation,
                members = versions.join(", "),
                "serving a new graph"
            );
            let next = Arc::new(self.generation(report.generation, graph, members));
            self.warm(&next).await;
            self.generations.send_replace(Some(next));
        } else if pass.closed {
            (report.digest, report.members) = (None, Vec::new());
            tracing::warn!("nothing is public any more, so nothing is served");
            self.generations.send_replace(None);
        }
        self.reports.send_replace(Arc::new(report));
        pass.again
    }

    /// Makes the plans of what is asked most, while the older generation still serves.
    async fn warm(&self, next: &Arc<Generation>) {
        let older = self.generations.borrow().clone();
        let Some(older) = older.as_ref().and_then(|older| older.view(None)).map(|view| view.graph.clone())
        else {
            return;
        };
        let Some(warmed) = next.view(None).map(|view| view.graph.clone()) else { return };
        if let Err(error) = tokio::task::spawn_blocking(move || warmed.warm(&older, WARM)).await {
            tracing::error!(%error, "plans were not made ahead");
        }
    }

    fn generation(&self, number: u64, graph: Graph, members: Vec<Candidate>) -> Generation {
        let Sources { fleet, meters, .. } = &self.sources;
        let route = |Candidate { service, version, .. }| {
            let pool = fleet.pool(&service, &version);
            Route::only(Callee::new(service, version, pool, meters))
        };
        let routes = members.into_iter().map(route).collect();
        let view = View { frontend: None, graph: Arc::new(graph), routes, unrouted: BTreeMap::new() };
        Generation::new(number, 0, Arc::default(), vec![Arc::new(view)])
    }
}

/// The next change; never, when nobody is left to make one.
async fn changed<T>(values: &mut watch::Receiver<T>) {
    if values.changed().await.is_err() {
        std::future::pending().await
    }
}

/// Waits for a time; for ever without one.
async fn wait(time: Option<Duration>) {
    match time {
        Some(time) => sleep(time).await,
        None => std::future::pending().await,
    }
}

/// Waits until changes pause, but not for ever.
async fn quiet<T>(changes: &mut watch::Receiver<T>) {
    let last = Instant::now() + QUIET_MAX;
    while Instant::now() < last {
        let until = (Instant::now() + QUIET).min(last);
        match timeout_at(until, changes.changed()).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) | Err(_) => return,
        }
    }
}
