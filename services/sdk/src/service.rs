//! A service from its first listener to its last call.
//!
//! Order is the point of this file. Starting: listen, serve, then register, so that nobody is sent to
//! a closed port. Stopping: say NOT_SERVING and `draining`, give routers time, leave the registry,
//! stop accepting, finish the calls under a deadline. Nothing the registry does or fails to do keeps
//! the service from answering.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;
use std::time::Duration;

use semver::Version;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;
use tracing::{info, warn};

use crate::instance::{Facts, Instance};
use crate::membership::Membership;
use crate::register::Registrar;
use crate::schema::Schema;
use crate::stop::Stops;
use crate::{Error, Registry, clock};

const WEIGHT: u32 = 100;
const TTL: Duration = Duration::from_secs(15);
const LINGER: Duration = Duration::from_secs(2);
const FINISH_WITHIN: Duration = Duration::from_secs(30);
/// Notices peers that vanished without a goodbye.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_DEADLINE: Duration = Duration::from_secs(10);

/// A gRPC service that joins a registry.
#[derive(Debug)]
#[must_use = "a service does nothing until `serve` is awaited"]
pub struct Service {
    name: String,
    version: String,
    descriptors: &'static [u8],
    listen: SocketAddr,
    advertise: Option<String>,
    registry: Option<Registry>,
    zone: Option<String>,
    weight: u32,
    meta: BTreeMap<String, String>,
    ttl: Duration,
    linger: Duration,
    finish_within: Duration,
    stop: Option<CancellationToken>,
}

impl Service {
    /// A service named `name`, in the semantic version `version`. `descriptors` is the encoded
    /// FileDescriptorSet of its protobuf services, with imports and source info.
    pub fn new(name: impl Into<String>, version: impl Into<String>, descriptors: &'static [u8]) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
            descriptors,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            advertise: None,
            registry: None,
            zone: None,
            weight: WEIGHT,
            meta: BTreeMap::new(),
            ttl: TTL,
            linger: LINGER,
            finish_within: FINISH_WITHIN,
            stop: None,
        }
    }

    /// Where to listen. Default: a free port of 127.0.0.1.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.listen = address;
        self
    }

    /// The address others reach it by, `grpc://host:port` or `grpcs://host:port`. Default: the one it
    /// listens on; with 0.0.0.0 or `::`, the machine's host name and the port.
    pub fn advertise(mut self, url: impl Into<String>) -> Self {
        self.advertise = Some(url.into());
        self
    }

    /// The registry to join. Default: [`Registry::from_env`].
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = Some(registry);
        self
    }

    /// The zone it runs in. Default: none.
    pub fn zone(mut self, zone: impl Into<String>) -> Self {
        self.zone = Some(zone.into());
        self
    }

    /// Its share of calls against other instances of the same version, 0 to 1000. Default: 100.
    pub fn weight(mut self, weight: u32) -> Self {
        self.weight = weight;
        self
    }

    /// Adds something that an operator may like to see. At most 32 entries of 64 and 256 bytes.
    pub fn meta(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.meta.insert(key.into(), value.into());
        self
    }

    /// How long the registry keeps it without a heartbeat, in whole seconds. Default: 15 s.
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = ttl;
        self
    }

    /// How long routers get to notice that it is draining, before it leaves the registry. Default: 2 s.
    pub fn linger(mut self, time: Duration) -> Self {
        self.linger = time;
        self
    }

    /// How long calls may still run after it has stopped accepting. Default: 30 s.
    pub fn finish_within(mut self, deadline: Duration) -> Self {
        self.finish_within = deadline;
        self
    }

    /// Stops in order when `token` is cancelled, as it does on SIGTERM and Ctrl-C.
    pub fn stop_on(mut self, token: CancellationToken) -> Self {
        self.stop = Some(token);
        self
    }

    /// Serves `routes`, gRPC health and server reflection, and stays registered until it is stopped.
    /// A second signal ends it at once.
    ///
    /// # Errors
    /// Only what keeps it from starting, or ends its listener. The registry is never a reason.
    pub async fn serve(self, routes: Routes) -> Result<(), Error> {
        let schema = self.schema()?;
        let facts = self.facts()?;
        let registry = match self.registry {
            Some(registry) => registry,
            None => Registry::from_env()?,
        };
        let registrar = Registrar::new(&registry)?;

        let listen = self.listen;
        let failed = |source| Error::Listen { address: listen, source };
        let listener = TcpListener::bind(listen).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let instance = facts.instance(address, clock::now(), &host);

        let health = Health::new(&schema).await;
        let routes = routes.add_service(health.server());
        let routes = with_reflection(routes, self.descriptors)
            .map_err(|why| Error::Descriptors { name: instance.service.clone(), why })?;
        info!("serving {} {} on {address}", instance.service, instance.version);

        let stops = Stops::listen(self.stop);
        let membership = registrar
            .map(|each| Membership::new(each, registry.to_string(), instance.clone(), schema, self.linger));
        let life = Life { instance, membership, health, stops, finish_within: self.finish_within };
        life.run(listener, routes).await.map_err(|source| Error::Serve { address, source })
    }

    fn schema(&self) -> Result<Schema, Error> {
        let schema = Schema::read(self.descriptors)
            .map_err(|why| Error::Descriptors { name: self.name.clone(), why })?;
        for warning in &schema.warnings {
            warn!("{}: {warning}", self.name);
        }
        Ok(schema)
    }

    fn facts(&self) -> Result<Facts, Error> {
        let version = Version::parse(&self.version).map_err(|source| Error::Version {
            name: self.name.clone(),
            version: self.version.clone(),
            source,
        })?;
        Facts {
            service: self.name.clone(),
            version,
            advertise: self.advertise.clone(),
            zone: self.zone.clone(),
            weight: self.weight,
            meta: self.meta.clone(),
            ttl: self.ttl,
        }
        .checked()
    }
}

/// A service that listens.
struct Life {
    instance: Instance,
    membership: Option<Membership>,
    health: Health,
    stops: Stops,
    finish_within: Duration,
}

impl Life {
    async fn run(self, listener: TcpListener, routes: Routes) -> Result<(), tonic::transport::Error> {
        let Self { instance, membership, mut health, mut stops, finish_within } = self;
        let (leave, close) = (CancellationToken::new(), CancellationToken::new());

        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let mut server = pin!(
            Server::builder()
                .http2_keepalive_interval(Some(PING_EVERY))
                .http2_keepalive_timeout(Some(PING_DEADLINE))
                .add_routes(routes)
                .serve_with_incoming_shutdown(incoming, close.cancelled())
        );
        let ending = async {
            let stays = async {
                match membership {
                    Some(membership) => membership.run(&leave).await,
                    None => leave.cancelled().await,
                }
            };
            let falls_ill = async {
                leave.cancelled().await;
                health.not_serving().await;
            };
            tokio::join!(falls_ill, stays);
            close.cancel();
            health.end_watches().await;
            tokio::time::sleep(finish_within).await;
        };
        let hurry = async {
            let by = stops.next().await;
            info!("{} {} is told to stop by {by}", instance.service, instance.version);
            leave.cancel();
            stops.next().await
        };

        // The server is polled first, so that it accepts before anyone is told of it.
        tokio::select! {
            biased;
            ended = &mut server => ended?,
            () = ending => warn!("calls were still running after {finish_within:?}; they are cut off"),
            by = hurry => warn!("told to stop a second time, by {by}: stopping now"),
        }
        info!("{} {} has stopped", instance.service, instance.version);
        Ok(())
    }
}

/// What the health service answers, for the whole server and for each protobuf service.
struct Health {
    reporter: HealthReporter,
    names: Vec<String>,
}

impl Health {
    async fn new(schema: &Schema) -> Self {
        let reporter = HealthReporter::new();
        let names: Vec<String> = std::iter::once(String::new()).chain(schema.services.clone()).collect();
        for name in &names {
            reporter.set_service_status(name, ServingStatus::Serving).await;
        }
        Self { reporter, names }
    }

    fn server(&self) -> tonic_health::pb::health_server::HealthServer<tonic_health::server::HealthService> {
        let service = tonic_health::server::HealthService::from_health_reporter(self.reporter.clone());
        tonic_health::pb::health_server::HealthServer::new(service)
    }

    async fn not_serving(&self) {
        for name in &self.names {
            self.reporter.set_service_status(name, ServingStatus::NotServing).await;
        }
    }

    /// Ends the streams of those who watch: they would hold their connections open until the deadline.
    async fn end_watches(&mut self) {
        for name in &self.names {
            self.reporter.clear_service_status(name).await;
        }
    }
}

fn with_reflection(routes: Routes, descriptors: &'static [u8]) -> Result<Routes, String> {
    let builder = || {
        tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET)
    };
    let v1 = builder().build_v1().map_err(|why| why.to_string())?;
    let v1alpha = builder().build_v1alpha().map_err(|why| why.to_string())?;
    Ok(routes.add_service(v1).add_service(v1alpha))
}
