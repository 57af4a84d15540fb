//! What runs: every task of a gateway, the order in which they start, and the order in which they stop.
//!
//! Starting: the data directory, the registry, the listeners, and only then the word that it is ready.
//! Stopping: readiness goes, listeners stop accepting, requests finish under a deadline, background
//! tasks end, the registry closes, telemetry is flushed. A second signal ends it at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use turnout_control::id::SourceName;
use turnout_control::registration::Terms;

use crate::clock::Clock;
use crate::config::{Config, LedgerKind, RegistryKind};
use crate::exposure;
use crate::http::admin::{self, Admin};
use crate::http::graphql;
use crate::http::health::Health;
use crate::http::listener::{Door, Ending, Listener, Places};
use crate::http::public::Public;
use crate::launch::{self, Launch, Live, Read};
use crate::ops;
use crate::reconcile;
use crate::registry::embedded::{self, Embedded, Opened};
use crate::registry::serve::Registrar;
use crate::registry::{Collector, Hub, Registry};
use crate::telemetry::{self, Meters, Telemetry};
use crate::upstream::connection;
use crate::upstream::fleet::{self, Fleet};
use crate::worker::{self, Serving, Threads, Workers};

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
    /// The process is told to stop while it starts.
    #[error("stopped while starting")]
    Stopped,
    /// The configuration asks for what this build cannot do.
    #[error("{0} is not part of this build; use `kind: embedded`")]
    NotBuilt(&'static str),
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
        let registry = open_registry(config, Clock::start()).await?;
        let meters = Meters::new();
        telemetry.metrics().watch_registry(&registry);
        telemetry.metrics().export(&meters).map_err(|error| Error::Telemetry(error.into()))?;
        let public_sockets =
            worker::bind(config.listen, THREADS).map_err(|error| Error::Bind(config.listen, error))?;
        let admin_socket = bind(config.admin.listen).await?;

        let (connections, background) = (TaskTracker::new(), TaskTracker::new());
        let (stop, abort) = (CancellationToken::new(), CancellationToken::new());
        let (terms, terms_now) = watch::channel(launch::terms(config));
        let (access, access_now) = watch::channel(Arc::new(read.access.clone()));
        let (stated, public) = exposure::Public::new(&read.loaded, registry.store.records());
        let fleet = Arc::new(fleet(&read, terms_now.clone()));
        let (reconciler, published) = reconcile::new(reconcile::Sources {
            registry: registry.clone(),
            fleet: fleet.clone(),
            exposures: public.exposures(),
            meters: meters.clone(),
        });
        telemetry.metrics().watch_serving(&published.generations, &fleet);
        let (graphql, graphql_now) = watch::channel(Arc::new(graphql::Settings::of(config)));
        let reports = published.reports.clone();
        let health = Health { stop: stop.clone(), registry: registry.clone(), reports: reports.clone() };
        let collector = Collector::new(registry.clone(), reports.clone());
        let registrar =
            Registrar { registry: registry.clone(), reports, terms: terms_now, stop: stop.clone() };
        let admin = admin::router(Admin {
            registrar,
            ops: ops::schema(ops::Facts::new(&registry, &published, public.stated())),
            metrics: telemetry.metrics(),
            health: health.clone(),
            access: access_now,
        });

        let hangups = signal(SignalKind::hangup()).map_err(Error::Signals)?;
        let ending = Ending { stop: stop.clone(), abort };
        let addresses = (address(public_sockets[0].local_addr())?, address(admin_socket.local_addr())?);
        let serving = Serving {
            public: Public::new(health, graphql_now, published.generations, meters),
            connections: connections.clone(),
            background: background.clone(),
            ending: ending.clone(),
        };
        let workers = worker::start(THREADS, public_sockets, &serving).map_err(Error::Workers)?;
        let app = App {
            public: addresses.0,
            admin: addresses.1,
            registry: registry.clone(),
            workers,
            connections: connections.clone(),
            background: background.clone(),
            ending: ending.clone(),
            telemetry,
        };
        background.spawn(registry.store.clone().run(stop.clone()));
        background.spawn(registry.hub.clone().run(stop.clone()));
        background.spawn(public.follow(stop.clone()));
        background.spawn(reconcile::run(reconciler, stop.clone()));
        background.spawn(collector.run(stop.clone()));
        let live = Live { terms, access, graphql, stated, fleet, hangups };
        background.spawn(launch::reload(launch, read, live, app.telemetry.metrics(), stop.clone()));
        let admin = Listener::new("admin", admin_socket, Door::Admin(admin), Places::of_a_port());
        background.spawn(admin.run(connections, ending));
        Ok(app)
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
    match (&config.registry.kind, &config.ledger.kind) {
        (RegistryKind::Embedded, LedgerKind::Embedded) => Ok(()),
        (RegistryKind::Etcd(_), _) => Err(Error::NotBuilt("a registry in etcd")),
        (_, LedgerKind::Postgres { .. }) => Err(Error::NotBuilt("a ledger in PostgreSQL")),
    }
}

async fn open_registry(config: &Config, clock: Clock) -> Result<Registry, Error> {
    let (directory, grace) = (config.data.clone(), config.registry.grace);
    let opened = tokio::task::spawn_blocking(move || Opened::open(&directory)).await;
    let opened = opened.map_err(|_| Error::Stopped)?.map_err(Error::Registry)?;
    let hub = Arc::new(Hub::new(vec![SourceName::own()], opened.known(), clock));
    Ok(Registry { store: Embedded::new(opened, hub.clone(), grace), hub })
}

fn start_telemetry(launch: &Launch, config: &Config) -> Result<Telemetry, Error> {
    let is_endpoint = |name: &str| name.starts_with("OTEL_EXPORTER_OTLP_") && name.ends_with("ENDPOINT");
    let otlp = launch.env.iter().any(|(name, _)| is_endpoint(name));
    Telemetry::start(telemetry::Settings { logs: config.telemetry.logs, otlp }).map_err(Error::Telemetry)
}

/// How services are called.
fn fleet(read: &Read, terms: watch::Receiver<Terms>) -> Fleet {
    let config = &read.loaded.config;
    let fleet = Fleet::new(fleet::Settings {
        connection: connection::Settings {
            connect_timeout: CONNECT,
            message_bytes_max: MESSAGE_BYTES_MAX,
            terms,
        },
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
