//! What does the gateway run with?
//!
//! `Config` is the meaning of the checked values: addresses are addresses, choices are enums, and a
//! setting that belongs to one kind of registry exists in that kind only. It is built after every check
//! has passed, so building cannot fail. Each part of the gateway takes its own struct. Nothing here is
//! changed after it was built.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, Uri};
use ipnet::IpNet;
use turnout_control::id::{Name, ServiceName, Version};
use turnout_control::rollout::Approval;
use turnout_control::slot::Weight;
use turnout_control::source::{Source, Tls};
use turnout_schema::Digest;

use super::kind::Value;
pub use super::kind::{Origin, Secret};
use super::values::Place;

/// Everything that a user can set.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub listen: SocketAddr,
    pub admin: AdminConfig,
    pub data: PathBuf,
    pub registry: RegistryConfig,
    pub upstream: UpstreamConfig,
    pub ledger: LedgerConfig,
    pub frontends: FrontendsConfig,
    pub rollouts: RolloutsConfig,
    /// Of those services that the file names. Ask [`Config::service`] for any.
    pub services: BTreeMap<ServiceName, ServiceConfig>,
    /// Of all other services.
    pub any_service: ServiceConfig,
    pub auth: AuthConfig,
    pub identity: IdentityConfig,
    pub http: HttpConfig,
    pub limits: LimitsConfig,
    pub headers: HeadersConfig,
    pub expose_lineup: bool,
    pub telemetry: TelemetryConfig,
    /// The values that a running gateway cannot take up.
    pub(super) fixed: BTreeMap<Place, Value>,
}

impl Config {
    /// What holds for this service.
    pub fn service(&self, name: &ServiceName) -> &ServiceConfig {
        self.services.get(name).unwrap_or(&self.any_service)
    }
}

/// The admin listener.
#[derive(Debug, Clone, PartialEq)]
pub struct AdminConfig {
    pub listen: SocketAddr,
    /// Without it the listener is on loopback and asks for no token.
    pub tokens_file: Option<PathBuf>,
}

/// Where registrations live, and which are accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct RegistryConfig {
    pub kind: RegistryKind,
    pub allow_cidrs: Vec<IpNet>,
    /// Of a registration that names no time itself.
    pub ttl: Duration,
    /// After a start, nothing expires for so long.
    pub grace: Duration,
    /// Other registries whose entries are followed, the one that goes first at the front.
    pub sources: Vec<SourceConfig>,
}

/// Another registry in etcd.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceConfig {
    /// What is read in it, and how.
    pub source: Source,
    /// Where it is. Its prefix is that of the source, which may lack the slash before, or be empty.
    pub etcd: EtcdConfig,
}

#[derive(Debug, Clone, PartialEq)]
pub enum RegistryKind {
    /// In the data directory.
    Embedded,
    Etcd(EtcdConfig),
}

#[derive(Debug, Clone, PartialEq)]
pub struct EtcdConfig {
    /// At least one.
    pub endpoints: Vec<Uri>,
    /// Begins with `/` and does not end with it.
    pub prefix: String,
    pub tls: TlsConfig,
    pub login: Option<Login>,
}

/// How TLS is spoken with somebody.
#[derive(Debug, Clone, PartialEq)]
pub struct TlsConfig {
    /// The authority to trust instead of the system's.
    pub ca: Option<PathBuf>,
    pub client: Option<ClientCertificate>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ClientCertificate {
    pub cert: PathBuf,
    pub key: PathBuf,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Login {
    pub username: String,
    pub password: Secret,
}

/// How services are called.
#[derive(Debug, Clone, PartialEq)]
pub struct UpstreamConfig {
    pub tls: TlsConfig,
}

#[derive(Debug, Clone, PartialEq)]
pub struct LedgerConfig {
    pub kind: LedgerKind,
}

#[derive(Debug, Clone, PartialEq)]
pub enum LedgerKind {
    /// In the data directory.
    Embedded,
    Postgres {
        url: Secret,
    },
}

/// Published frontend versions, and how a caller proves to be one.
#[derive(Debug, Clone, PartialEq)]
pub struct FrontendsConfig {
    pub dir: PathBuf,
    pub default: Option<AppName>,
    pub trust: FrontendTrust,
}

/// The name of an app: `web` in `web@2.4.1`.
pub type AppName = Name<OfApp>;

/// Marks an [`AppName`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum OfApp {}

#[derive(Debug, Clone, PartialEq)]
pub enum FrontendTrust {
    /// A bare header may choose among active versions.
    Claims { key_file: Option<PathBuf> },
    /// Only a signed token or cookie may.
    Signed { key_file: PathBuf },
}

/// How new versions get their callers.
#[derive(Debug, Clone, PartialEq)]
pub struct RolloutsConfig {
    /// Ascending, none of them nobody; at least one.
    pub steps: Vec<Weight>,
    /// At a step, at least.
    pub dwell: Duration,
    /// At a step without proof, at most.
    pub dwell_max: Duration,
    pub excess_failures: u64,
    pub warmup: Duration,
    pub tick: Duration,
    /// Of those that one frontend sees.
    pub concurrent: u32,
    pub instances_min: u32,
}

/// One service.
#[derive(Debug, Clone, PartialEq)]
pub struct ServiceConfig {
    /// Of one call; without it, what the operation has left.
    pub timeout: Option<Duration>,
    pub expose: Expose,
    pub on_new_version: OnNewVersion,
    /// Who decides to leave a step of its rollouts.
    pub approval: Approval,
    pub cohort_unit: CohortUnit,
    /// Of instances in other registries that state none.
    pub version: Option<Version>,
    /// How instances in other registries are spoken to.
    pub tls: Tls,
    pub schema: SchemaPolicy,
}

/// Where the descriptors of versions that bring none come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SchemaPolicy {
    /// The instances are asked.
    Reflection,
    /// Nowhere: such versions stay out of the graph.
    Off,
    /// The store has them.
    Digest(Digest),
    /// A descriptor set, or a directory with one for each version, `1.5.0.binpb`.
    Path(PathBuf),
}

/// What of a service is public.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expose {
    /// What its options say.
    Annotated,
    All,
}

/// What a new minor version does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnNewVersion {
    Rollout,
    Hold,
}

/// Who moves as one in a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CohortUnit {
    User,
    Customer,
}

#[derive(Debug, Clone, PartialEq)]
pub struct AuthConfig {
    pub jwt: Option<JwtConfig>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct JwtConfig {
    pub issuer: String,
    /// Without it, a token for any audience is taken.
    pub audience: Option<String>,
    pub jwks_url: Uri,
    /// Where a token names the caller's customer; without it, it names none.
    pub customer_claim: Option<String>,
    /// Where it names that customer's segments.
    pub segments_claim: Option<String>,
    pub required: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct IdentityConfig {
    pub trust_unit_header: bool,
}

/// GraphQL over HTTP.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpConfig {
    pub status: StatusProfile,
    pub cors_origins: Vec<Origin>,
    pub csrf: bool,
    pub batch_max: usize,
    pub playground: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusProfile {
    /// 200 for every GraphQL answer.
    Rails,
    /// The 2026 draft where clients cope.
    Compat,
    /// The draft by the letter.
    Draft,
}

/// What one request may cost.
#[derive(Debug, Clone, PartialEq)]
pub struct LimitsConfig {
    pub body_bytes: usize,
    pub tokens: usize,
    pub depth: usize,
    pub selections: usize,
    pub aliases: usize,
    pub directives: usize,
    pub deadline: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct HeadersConfig {
    /// In the order of the file.
    pub forward: Vec<HeaderName>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct TelemetryConfig {
    pub logs: LogFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    Text,
    Json,
}
