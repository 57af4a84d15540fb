//! Where registrations come in, are kept, and are read.
//!
//! `Store` is what keeps them: `embedded` in one file beside the gateway. What stores and other sources learn
//! meets in the `Hub`, whose snapshot everybody reads. `native` is how a registration is written down, over
//! HTTP, in SQLite and in etcd alike. `serve` takes registrations over HTTP and gRPC. Who may register what is
//! decided in `turnout_control`; nothing here decides.

pub mod audit;
mod collect;
#[cfg(test)]
pub(crate) mod contract;
pub mod embedded;
mod history;
mod hub;
pub mod native;
pub mod serve;
mod store;

use std::sync::Arc;

pub use collect::Collector;
pub use embedded::Embedded;
pub use history::Changes;
pub use hub::{Freshness, Hearing, Hub, Known};
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
