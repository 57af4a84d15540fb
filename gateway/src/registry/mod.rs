//! Where registrations come in, are kept, and are read.
//!
//! `Store` is what keeps them: `embedded` in one file beside the gateway, `etcd` in a cluster that gateways share;
//! `sources` follow what other frameworks write there, and `open` puts together what a configuration names. What
//! stores and sources learn meets in the `Hub`, whose snapshot everybody reads; `probe` tries for it who may be
//! gone, and `keep` has it on disk for a start without them. `schemas` finds descriptors that nobody pushed.
//! `native` is how a registration is written down, over HTTP, in SQLite and in etcd alike. `serve` takes
//! registrations over HTTP and gRPC. Who may register what is decided in `turnout_control`; nothing here decides.

pub mod audit;
mod collect;
#[cfg(test)]
pub(crate) mod contract;
pub mod embedded;
pub mod etcd;
mod history;
mod hub;
pub mod keep;
pub mod native;
pub mod open;
pub mod probe;
pub mod schemas;
pub mod serve;
pub mod sources;
mod store;

use std::sync::Arc;

pub use collect::Collector;
pub use embedded::Embedded;
pub use history::Changes;
pub use hub::{Freshness, Hearing, Hub, Known, Probe};
pub use store::{Blob, Error, Granted, Leadership, Store, Stored};
use tokio::sync::watch;
use turnout_control::registry::Snapshot;

/// The registry of this gateway: where to write, and where to read.
#[derive(Clone, Debug)]
pub struct Registry {
    /// Takes registrations, descriptors and records.
    pub store: Arc<dyn Store>,
    /// Tells what is registered.
    pub hub: Arc<Hub>,
}

impl Registry {
    /// What is registered now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.hub.snapshot()
    }

    /// Wakes when something changed.
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.hub.changes()
    }
}
