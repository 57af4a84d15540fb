//! What an author says about a service, and its start.
//!
//! Everything that can be wrong is found before the first call is taken. What happens after the start
//! is `life`.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use semver::Version;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tracing::{info, warn};

use crate::health::{self, Health};
use crate::instance::Facts;
use crate::life::Life;
use crate::membership::Membership;
use crate::register::Registrar;
use crate::schema::Schema;
use crate::stop::Stops;
use crate::{Error, Registry, clock};

const WEIGHT: u32 = 100;
const TTL: Duration = Duration::from_secs(15);
const LINGER: Duration = Duration::from_secs(2);
const FINISH_WITHIN: Duration = Duration::from_secs(30);

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
    /// Health and reflection among `routes` are not reached. A second signal ends it at once.
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
        let routes = health::with_standard_services(routes, &health, self.descriptors)
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
