//! What runs: every task of a gateway, the order in which they start, and the order in which they stop.
//!
//! Starting: the data directory, the registry, the listeners, and only then the word that it is ready.
//! Stopping: readiness goes, listeners stop accepting, requests finish under a deadline, background
//! tasks end, the registry closes, telemetry is flushed. A second signal ends it at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use turnout_control::registration::Terms;

use crate::clock::Clock;
use crate::config::{Config, LedgerKind};
use crate::exposure;
use crate::http::admin::{self, Admin};
use crate::http::health::Health;
use crate::http::listener::{Door, Ending, Listener, Places};
use crate::http::public::Public;
use crate::identity::{self, Callers, Refresher, Tokens};
use crate::launch::{self, Launch, Live, Read};
use crate::lineup::{self, Trials};
use crate::ops;
use crate::reconcile::{self, Published};
use crate::registry::embedded;
use crate::registry::open::{self, Open};
use crate::registry::probe::Prober;
use crate::registry::schemas::{self, Asker};
use crate::registry::serve::Registrar;
use crate::registry::{Collector, Registry};
use crate::rollout::{self, Counted, Leader, Pulse, Reporter};
use crate::telemetry::{self, Meters, Telemetry};
use crate::upstream::connection;
use crate::upstream::fleet::{self, Fleet};
use crate::worker::{self, Threads, Workers};

/// For requests that run when the gateway is told to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// Who serves the public port.
const THREADS: Threads = Threads::PerCore;

/// Until a connection to a service stands: on one network a second is long.
const CONNECT: Duration = Duration::from_secs(1);

/// The largest message that is taken from a service: what gRPC's own libraries take.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// Why a gateway does not start.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A listener's address cannot be bound.
    #[error("cannot listen on {0}")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// A worker cannot be started.
    #[error("cannot start the threads that serve")]
    Workers(#[source] std::io::Error),
    /// The registry cannot be opened.
    #[error("cannot open the registry")]
    Registry(#[source] embedded::OpenError),
    /// The configuration asks for what this build cannot do.
    #[error("{0} is not part of this build; use `kind: embedded`")]
    NotBuilt(&'static str),
    /// There are no keys that sign frontend tokens.
    #[error("cannot sign frontend tokens")]
    Keys(#[source] identity::KeysError),
    /// Telemetry cannot be set up.
    #[error("cannot set up telemetry")]
    Telemetry(#[source] telemetry::Error),
    /// The process cannot be told to stop.
    #[error("cannot listen for signals")]
    Signals(#[source] std::io::Error),
}

/// A running gateway.
#[derive(Debug)]
pub struct App {
    public: SocketAddr,
    admin: SocketAddr,
    registry: Registry,
    /// Holds the data directory.
    _open: Open,
    workers: Workers,
    connections: TaskTracker,
    background: TaskTracker,
    ending: Ending,
    telemetry: Telemetry,
}

impl App {
    /// Starts everything. When this returns, both listeners answer.
    pub async fn start(launch: Launch, read: Read) -> Result<App, Error> {
        let config = &read.loaded.config;
        check_built(config)?;
        let telemetry = start_telemetry(&launch, config)?;
        let (told, settings) = launch::settings(&read);
        let open = open::open(config, Clock::start(), settings.terms.clone()).await;
        let open = open.map_err(Error::Registry)?;
        let registry = open.registry.clone();
        let meters = measured(&registry, &telemetry)?;
        let (callers, refresher) = callers(config, &settings, registry.hub.clock()).await?;
        let public_sockets =
            worker::bind(config.listen, THREADS).map_err(|error| Error::Bind(config.listen, error))?;
        let admin_socket = bind(config.admin.listen).await?;

        let (connections, background) = (TaskTracker::new(), TaskTracker::new());
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let Serving { fleet, published, trials, pulse, tasks } =
            serving(&read, &open, (&settings, &meters), &stop);
        telemetry.metrics().watch_serving(&published.generations, &fleet);
        telemetry.metrics().watch_reports(&published.reports);
        telemetry.metrics().watch_trials(&trials);
        let (health, registrar) = doors(&registry, (&published, pulse), settings.terms, &stop);
        let admin = admin::router(Admin {
            registrar,
            ops: ops::schema(
                ops::Facts::new(&registry, &published, settings.stated),
                callers.tokens().clone(),
            ),
            metrics: telemetry.metrics(),
            health: health.clone(),
            access: settings.access,
        });

        let hangups = signal(SignalKind::hangup()).map_err(Error::Signals)?;
        let ending = Ending { stop: stop.clone(), abort };
        let addresses = (address(public_sockets[0].local_addr())?, address(admin_socket.local_addr())?);
        let work = worker::Serving {
            public: Public::new(health, settings.graphql, published.generations, callers, meters),
            connections: connections.clone(),
            background: background.clone(),
            ending: ending.clone(),
        };
        let workers = worker::start(THREADS, public_sockets, &work).map_err(Error::Workers)?;
        for task in tasks {
            background.spawn(task);
        }
        background.spawn(refresher.run(stop.clone()));
        let live = Live { told, fleet, hangups };
        background.spawn(launch::reload(launch, read, live, telemetry.metrics(), stop));
        let admin = Listener::new("admin", admin_socket, Door::Admin(admin), Places::of_a_port());
        background.spawn(admin.run(connections.clone(), ending.clone()));
        let (public, admin) = addresses;
        Ok(App { public, admin, registry, _open: open, workers, connections, background, ending, telemetry })
    }

    /// Where the public listener is.
    pub fn public(&self) -> SocketAddr {
        self.public
    }

    /// Where the admin listener is.
    pub fn admin(&self) -> SocketAddr {
        self.admin
    }

    /// What is registered.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Stops everything in order. `now` cuts the deadline short.
    pub async fn stop(self, now: impl Future<Output = ()>) {
        tracing::info!("stopping");
        self.ending.stop.cancel();
        self.background.close();
        self.connections.close();
        tokio::select! {
            () = self.connections.wait() => {}
            () = tokio::time::sleep(DRAIN) => tracing::warn!("requests did not finish in time"),
            () = now => tracing::warn!("told again to stop: ending at once"),
        }
        self.ending.abort.cancel();
        self.connections.wait().await;
        self.background.wait().await;
        let (workers, telemetry) = (self.workers, self.telemetry);
        let _ = tokio::task::spawn_blocking(move || {
            workers.join();
            telemetry.stop();
        })
        .await;
    }
}

/// Refuses what this build cannot do.
fn check_built(config: &Config) -> Result<(), Error> {
    match config.ledger.kind {
        LedgerKind::Embedded => Ok(()),
        LedgerKind::Postgres { .. } => Err(Error::NotBuilt("a ledger in PostgreSQL")),
    }
}

/// What makes of registrations what is served.
struct Serving {
    fleet: Arc<Fleet>,
    published: Published,
    trials: Trials,
    /// How the loop is doing that moves rollouts.
    pulse: watch::Receiver<Pulse>,
    /// What has to run for it; each ends when it is told to stop.
    tasks: Vec<BoxFuture<'static, ()>>,
}

/// Puts together what makes of registrations what is served.
fn serving(
    read: &Read,
    open: &Open,
    (settings, meters): (&launch::Settings, &Meters),
    stop: &CancellationToken,
) -> Serving {
    let registry = open.registry.clone();
    let connection = connecting(settings.terms.clone());
    let fleet = Arc::new(fleet(read, connection.clone()));
    let asker = Asker::new(connection.clone(), read.tls.clone(), TaskTracker::new());
    let (resolver, schemas) = schemas::new(registry.clone(), settings.policies.clone(), asker);
    let public = exposure::Public::new(settings.stated.clone(), registry.store.records());
    let trials = Trials::default();
    let (reconciler, published) = reconcile::new(reconcile::Sources {
        registry: registry.clone(),
        fleet: fleet.clone(),
        exposures: public.exposures(),
        schemas,
        callers: settings.callers.clone(),
        trials: trials.clone(),
        meters: meters.clone(),
    });
    let prober = Prober::new(connection, read.tls.clone());
    let collector = Collector::new(registry.clone(), published.reports.clone());
    let mut tasks = open.tasks(&read.loaded.config, &settings.rules, stop);
    tasks.push(Box::pin(registry.hub.run(prober.probe(), stop.clone())));
    tasks.push(Box::pin(schemas::run(resolver, stop.clone())));
    tasks.push(Box::pin(public.follow(stop.clone())));
    tasks.push(Box::pin(reconcile::run(reconciler, stop.clone())));
    tasks.push(Box::pin(collector.run(stop.clone())));
    let (generations, paced) = (published.generations.clone(), settings.rollouts.clone());
    tasks.push(Box::pin(lineup::run(trials.clone(), generations, paced, stop.clone())));
    let (leader, pulse, reporter) = rollouts(open, settings, (&published, &trials, meters));
    tasks.push(Box::pin(leader.run(stop.clone())));
    tasks.push(Box::pin(reporter.run(stop.clone())));
    Serving { fleet, published, trials, pulse, tasks }
}

/// What moves rollouts where this gateway leads, and what tells whoever leads what is counted here.
fn rollouts(
    open: &Open,
    settings: &launch::Settings,
    (published, trials, meters): (&Published, &Trials, &Meters),
) -> (Leader, watch::Receiver<Pulse>, Reporter) {
    let (registry, reports) = (open.registry.clone(), published.reports.clone());
    let counted = Counted {
        trials: trials.clone(),
        generations: published.generations.clone(),
        reports: reports.clone(),
    };
    // No other process of this name began at this moment.
    let process = (open.replica.clone(), registry.hub.clock().now().0);
    let reporter = Reporter::new(registry.store.clone(), counted, settings.rollouts.clone(), process);
    let sources =
        rollout::Sources { registry, reports, settings: settings.rollouts.clone(), meters: meters.clone() };
    let (leader, pulse) = Leader::new(sources);
    (leader, pulse, reporter)
}

fn start_telemetry(launch: &Launch, config: &Config) -> Result<Telemetry, Error> {
    let is_endpoint = |name: &str| name.starts_with("OTEL_EXPORTER_OTLP_") && name.ends_with("ENDPOINT");
    let otlp = launch.env.iter().any(|(name, _)| is_endpoint(name));
    Telemetry::start(telemetry::Settings { logs: config.telemetry.logs, otlp }).map_err(Error::Telemetry)
}

/// How services are connected to.
fn connecting(terms: watch::Receiver<Terms>) -> connection::Settings {
    connection::Settings { connect_timeout: CONNECT, message_bytes_max: MESSAGE_BYTES_MAX, terms }
}

/// What counts the calls; it is exported, and so is what the registry has.
fn measured(registry: &Registry, telemetry: &Telemetry) -> Result<Meters, Error> {
    let meters = Meters::new();
    telemetry.metrics().watch_registry(registry);
    telemetry.metrics().watch_rollouts(&registry.store);
    telemetry.metrics().export(&meters).map_err(|error| Error::Telemetry(error.into()))?;
    Ok(meters)
}

/// Who callers are, and what keeps the keys of an issuer.
async fn callers(
    config: &Config,
    settings: &launch::Settings,
    clock: Clock,
) -> Result<(Callers, Refresher), Error> {
    let config = config.clone();
    let keys = tokio::task::spawn_blocking(move || identity::keys(&config)).await;
    let keys = keys.expect("reading a file does not panic").map_err(Error::Keys)?;
    let tokens = Arc::new(Tokens::new(keys));
    Ok(Callers::new(tokens, settings.identity.clone(), clock))
}

/// What answers about the gateway itself, and what takes registrations.
fn doors(
    registry: &Registry,
    (published, rollouts): (&Published, watch::Receiver<Pulse>),
    terms: watch::Receiver<Terms>,
    stop: &CancellationToken,
) -> (Health, Registrar) {
    let (registry, reports, stop) = (registry.clone(), published.reports.clone(), stop.clone());
    let health =
        Health { stop: stop.clone(), registry: registry.clone(), reports: reports.clone(), rollouts };
    (health, Registrar { registry, reports, terms, stop })
}

/// How services are called.
fn fleet(read: &Read, connection: connection::Settings) -> Fleet {
    let config = &read.loaded.config;
    let fleet = Fleet::new(fleet::Settings {
        connection,
        tls: read.tls.clone(),
        workers: THREADS.workers(),
        // Nobody waits for these: a connection ends when nobody has it any more.
        tasks: TaskTracker::new(),
        patience: config.limits.deadline / 2,
        seed: rand::random(),
    });
    fleet.limit(launch::timeouts(config));
    fleet
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Error> {
    TcpListener::bind(address).await.map_err(|error| Error::Bind(address, error))
}

fn address(bound: std::io::Result<SocketAddr>) -> Result<SocketAddr, Error> {
    bound.map_err(|error| Error::Bind(SocketAddr::from(([0, 0, 0, 0], 0)), error))
}

/// SIGTERM and Ctrl-C.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens from now on; what the process did on a signal before no longer happens.
    pub fn listen() -> Result<Signals, Error> {
        let on = |kind| signal(kind).map_err(Error::Signals);
        Ok(Signals { terminate: on(SignalKind::terminate())?, interrupt: on(SignalKind::interrupt())? })
    }

    /// The next of either.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
