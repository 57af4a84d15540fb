//! What a store of registrations can do, wherever it keeps them.
//!
//! A store keeps registrations under leases, descriptors by digest, and records under compare-and-set. What
//! it learns of registrations, its own and others', it tells the [`Hub`](super::Hub), and everybody reads
//! there. An answer is given when the change is durable, and after the hub was told of it. Every call ends
//! within a few seconds, also when the store cannot be reached; then with [`Error::Unavailable`], and nothing
//! is half done.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::garbage::Full;
use turnout_control::id::{InstanceId, LeaseId, ServiceName, Timestamp, Version};
use turnout_control::records::{Change, Conflict, Excess, Key, Kind, Record, Records};
use turnout_control::registration::{Refusal, Registration};
use turnout_schema::subgraph::descriptors;
use turnout_schema::{Diagnostic, Digest};

/// The most that a gateway says of itself. Every gateway has it of every other in memory.
pub(super) const REPORT_BYTES_MAX: usize = turnout_control::rollout::REPORT_BYTES_MAX;
/// How many gateways are heard.
pub(super) const REPLICAS_MAX: usize = 256;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The store cannot be used now.
    #[error("{0}")]
    Unavailable(&'static str, #[source] Box<dyn std::error::Error + Send + Sync>),
    /// The registration contradicts what is known.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The bytes are no descriptors.
    #[error(transparent)]
    Descriptors(#[from] descriptors::Error),
    /// The bytes are not those of the digest.
    #[error("the digest says {said}, and the bytes have {found}")]
    Digest {
        /// What the caller said.
        said: Digest,
        /// What was computed.
        found: Digest,
    },
    /// The lease is not that of the registration.
    #[error("the lease is not that of {0}")]
    OtherLease(InstanceId),
    /// Somebody else changed a record meanwhile.
    #[error(transparent)]
    Conflict(#[from] Conflict),
    /// The change is larger than every store can take.
    #[error(transparent)]
    Excess(#[from] Excess),
    /// There is no room for more descriptors.
    #[error(transparent)]
    Full(#[from] Full),
    /// A gateway says more of itself than there is room for.
    #[error("a report has {0} bytes, and {REPORT_BYTES_MAX} are allowed")]
    Report(usize),
    /// The gateway is stopping.
    #[error("the registry is stopping")]
    Stopping,
}

/// The answer to a registration.
#[derive(Clone, Debug)]
pub struct Granted {
    /// What keeps it registered.
    pub lease: LeaseId,
    /// For how many seconds.
    pub ttl_s: u16,
    /// How often to send a heartbeat, in seconds.
    pub heartbeat_s: u16,
    /// The revision of the hub's snapshot after it.
    pub revision: u64,
    /// What its author should know.
    pub findings: Vec<Diagnostic>,
}

/// The answer to stored descriptors.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Their digest.
    pub digest: Digest,
    /// The protobuf services in them.
    pub services: Vec<String>,
    /// False when they were stored before.
    pub created: bool,
}

/// Stored descriptors, without their bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Their digest.
    pub digest: Digest,
    /// How large they are.
    pub bytes: u64,
    /// When they were stored.
    pub stored_at: Timestamp,
    /// Names this very copy to `remove_schema`, so that one stored anew meanwhile is not removed.
    pub copy: u64,
}

/// Whether this gateway runs what only one of all may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Leadership {
    /// It does.
    Leads,
    /// Another one does, or nobody; its name, if it is known.
    Follows(Option<String>),
}

/// Where registrations, descriptors and records are kept.
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Adds an instance, or replaces what is registered under its name. Repeating it answers the same lease,
    /// as long as it is the same process.
    fn register(&self, registration: Registration) -> BoxFuture<'_, Result<Granted, Error>>;

    /// Renews a lease; the seconds it lives, or `None` when there is none.
    fn renew(&self, lease: LeaseId) -> BoxFuture<'_, Result<Option<u16>, Error>>;

    /// Removes an instance; the hub's revision after it. Removing one that is not there succeeds.
    fn deregister(
        &self,
        service: ServiceName,
        id: InstanceId,
        lease: LeaseId,
    ) -> BoxFuture<'_, Result<u64, Error>>;

    /// Binds a version whose instances named no descriptors to stored ones, for ever. Binding it again to the
    /// same succeeds; what is not stored is refused.
    fn bind(
        &self,
        service: ServiceName,
        version: Version,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), Error>>;

    /// Stores descriptors. They are read before they are stored, and refused when they cannot be, or when
    /// `turnout_control::garbage::ROOM` is taken.
    fn put_schema(&self, said: Digest, bytes: Bytes) -> BoxFuture<'_, Result<Stored, Error>>;

    /// Stored descriptors, as they were sent.
    fn schema(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Bytes>, Error>>;

    /// The protobuf services of stored descriptors; `None` when they are not stored.
    fn schema_services(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Vec<String>>, Error>>;

    /// All stored descriptors, by digest.
    fn schemas(&self) -> BoxFuture<'_, Result<Vec<Blob>, Error>>;

    /// Removes stored descriptors; false when this copy of them is not there any more.
    fn remove_schema(&self, blob: Blob) -> BoxFuture<'_, Result<bool, Error>>;

    /// The watched records, now and after each change.
    fn records(&self) -> watch::Receiver<Arc<Records>>;

    /// Changes records, all or nothing; the revision that they have after it. What is expected of records that
    /// are not watched counts too.
    fn change(&self, change: Change) -> BoxFuture<'_, Result<u64, Error>>;

    /// Records of any kind, by key, that come after `after`; at most `limit`.
    fn read(
        &self,
        kind: Kind,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<BTreeMap<Key, Record>, Error>>;

    /// Whether this gateway runs what only one of all may run.
    fn leadership(&self) -> watch::Receiver<Leadership>;

    /// What this gateway says of itself, instead of what it said before. Kept while it lives: a gateway that is
    /// gone is not heard for longer than 15 s.
    fn report(&self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>>;

    /// What all gateways that live say of themselves, by name, this one's too. While the store is away it stays
    /// what it was.
    fn replicas(&self) -> watch::Receiver<Arc<BTreeMap<String, Bytes>>>;

    /// Does what has to be done beside the calls (leases, watches, elections), until it is told to stop.
    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()>;
}
