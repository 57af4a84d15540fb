//! From the registry and what was decided to what serves: instances at once, views after a short while, and
//! only when they change.
//!
//! Two loops in one task. The fleet is told of every change as it comes. The views wait until changes pause; then
//! a look (`pass`), on a blocking thread, finds what is stable of each major (`contest`, `decide`), what each
//! frontend sees by it (`views`, `graphs`), and whether newcomers could stand in (`verdicts`). What was decided is
//! written down for all gateways (`remember`), and a new generation is published when anything comes out
//! otherwise, with the plans of what is asked often already made. A look that fails changes nothing: what serves
//! goes on serving.

mod contest;
mod decide;
mod diagnostics;
mod graphs;
mod kept;
mod memory;
mod pass;
pub mod preview;
mod remember;
mod report;
mod shelf;
mod sources;
#[cfg(test)]
mod tests;
mod verdicts;
mod views;

pub use preview::Previews;
pub use report::{Finding, Newcomer, Report, Standing, Verdict};
pub use sources::{Callers, Exposures, Sources};

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout_at};
use tokio_util::sync::CancellationToken;
use turnout_control::frontend::{self, Frontends};
use turnout_control::records::Records;
use turnout_control::registry::Snapshot;
use turnout_schema::guard::Limits;

use crate::generation::{Callee, Generation, Graph, Route, View};
use crate::registry::Registry;
use crate::registry::schemas::Findings;
use crate::upstream::fleet::Fleet;
use contest::{Edition, Scene};
use pass::{AGAIN, Composer, Next, Pass};
use views::{Routed, Sight};

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
        let mut callers = self.sources.callers.clone();
        loop {
            let now = Now {
                snapshot: changes.borrow_and_update().clone(),
                exposures: exposures.borrow_and_update().clone(),
                schemas: schemas.borrow_and_update().clone(),
                callers: callers.borrow_and_update().clone(),
            };
            records.mark_unchanged();
            let again = self.look(now).await;
            tokio::select! {
                () = stop.cancelled() => return,
                changed = changes.changed() => if changed.is_err() { return },
                () = changed(&mut exposures) => {}
                () = changed(&mut schemas) => {}
                () = changed(&mut callers) => {}
                () = changed(&mut records) => {}
                () = wait(again) => {}
            }
            quiet(&mut changes).await;
        }
    }

    /// Looks once; after what time it should be done again although nothing changes.
    async fn look(&self, now: Now) -> Option<Duration> {
        let (composer, registry) = (self.composer.clone(), self.sources.registry.clone());
        let (revision, age) = (now.snapshot.revision, registry.hub.clock().age());
        let look = move || {
            let mut composer = composer.lock().unwrap_or_else(PoisonError::into_inner);
            let Now { snapshot, exposures, schemas, callers } = &now;
            composer.look(&registry, Scene { snapshot, exposures, schemas, callers, now: age })
        };
        match tokio::task::spawn_blocking(look).await {
            Ok(pass) => self.publish(revision, pass).await,
            Err(error) => {
                tracing::error!(%error, "the registry was not looked at, and what serves stays");
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
            records: pass.records,
            standings: pass.standings,
            newcomers: pass.newcomers,
            ..Report::clone(&before)
        };
        if let Some(Next { sights, frontends }) = pass.next {
            report.generation = before.generation + 1;
            let any = sights.iter().find(|sight| sight.frontend.is_none());
            report.digest = any.map(|sight| sight.graph.0.supergraph().digest);
            let members = any.map(Sight::stables).unwrap_or_default();
            report.members = members.into_iter().map(|of| (of.service, of.version)).collect();
            report.called = sights.iter().flat_map(Sight::called).collect();
            if sights.is_empty() {
                tracing::warn!("nothing is public any more, so nothing is served");
                report.generation = before.generation;
                self.generations.send_replace(None);
            } else {
                self.tell(&report, &sights);
                let next = Arc::new(self.generation((report.generation, pass.records), sights, frontends));
                self.warm(&next).await;
                self.generations.send_replace(Some(next));
            }
        }
        self.reports.send_replace(Arc::new(report));
        pass.again
    }

    /// Logs a generation.
    fn tell(&self, report: &Report, sights: &[Sight]) {
        let known = self.generations.borrow().clone();
        let known = known.as_ref().map(|known| known.graphs()).unwrap_or_default();
        let is_new = |sight: &Sight| !known.iter().any(|graph| Arc::ptr_eq(graph, &sight.graph.0));
        let number = report.generation;
        if !sights.iter().any(is_new) {
            tracing::debug!(generation = number, "serving the same graphs by other policies");
            return;
        }
        let versions: Vec<String> =
            report.members.iter().map(|(service, version)| format!("{service} {version}")).collect();
        let frontends = sights.iter().filter(|sight| sight.frontend.is_some()).count();
        tracing::info!(generation = number, members = versions.join(", "), frontends, "serving a new graph");
    }

    /// Makes the plans of what is asked most of each new graph, while the older generation still serves.
    async fn warm(&self, next: &Arc<Generation>) {
        let older = self.generations.borrow().clone();
        let (next, registry) = (next.clone(), self.sources.registry.clone());
        let warm = move || warm(&next, older.as_deref(), &registry.store.records().borrow());
        if let Err(error) = tokio::task::spawn_blocking(warm).await {
            tracing::error!(%error, "plans were not made ahead");
        }
    }

    fn generation(
        &self,
        (number, records): (u64, u64),
        sights: Vec<Sight>,
        frontends: Arc<Frontends>,
    ) -> Generation {
        let view = |Sight { frontend, graph, routes, unrouted }: Sight| {
            let routes = routes.into_iter().map(|routed| self.route(routed)).collect();
            Arc::new(View { frontend, graph: graph.0, routes, unrouted })
        };
        Generation::new(number, records, frontends, sights.into_iter().map(view).collect())
    }

    fn route(&self, Routed { policy, stable, tried, promised, cohort }: Routed) -> Route {
        let Sources { fleet, meters, trials, .. } = &self.sources;
        let callee = |Edition { service, version, .. }: Edition| {
            let pool = fleet.pool(&service, &version);
            Callee::new(service, version, pool, meters)
        };
        let (service, stable) = (stable.service.clone(), callee(stable));
        let candidate = tried.map(callee).map(|tried| {
            let trial = trials.of(&service, &promised, &tried.version);
            (tried, trial)
        });
        Route { service, policy, cohort, stable, candidate }
    }
}

/// What a look is made from.
#[derive(Debug)]
struct Now {
    snapshot: Arc<Snapshot>,
    exposures: Exposures,
    schemas: Arc<Findings>,
    callers: Callers,
}

/// Makes the plans of what each frontend asked of its last graph, and of what it was published with. Blocks.
fn warm(next: &Generation, older: Option<&Generation>, records: &Records) {
    let until = Instant::now() + WARM;
    let known: Vec<Arc<Graph>> =
        older.map(|older| older.graphs().into_iter().cloned().collect()).unwrap_or_default();
    for view in next.views().filter(|view| !known.iter().any(|graph| Arc::ptr_eq(graph, &view.graph))) {
        let before = older.and_then(|older| older.view(view.frontend.as_ref()).or(older.view(None)));
        let limits = before.map_or(Limits::RECOMMENDED, |before| before.graph.documents(0).1);
        if let Some(before) = before {
            view.graph.warm(&before.graph, until.saturating_duration_since(Instant::now()));
        }
        let published = view.frontend.as_ref().and_then(|id| {
            let record = records.get(&frontend::key(id))?;
            frontend::read(id, &record.value).ok()
        });
        for document in published.map(|published| published.documents).unwrap_or_default() {
            let Ok(raw) = serde_json::to_string(&document.text) else { continue };
            if Instant::now() < until {
                let _left_to_its_sender = view.graph.prepare(&raw, None, &limits);
            }
        }
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
