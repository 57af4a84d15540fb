//! The registry that a configuration names, as it begins: from its file or its kept table, before anybody is
//! heard.
//!
//! No two gateways share a data directory, also where the registry itself is elsewhere: the lock is held for the
//! life of the process.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::id::{SourceName, Timestamp};
use turnout_control::registration::Terms;
use turnout_control::source::Rules;

use super::embedded::{Embedded, Lock, OpenError, Opened};
use super::etcd::{Cluster, Contact, Etcd};
use super::sources::{self, Following};
use super::{Hub, Known, Registry, Store, keep, schemas};
use crate::clock::Clock;
use crate::config::{Config, RegistryKind, SourceConfig};

/// An open registry.
#[derive(Debug)]
pub struct Open {
    /// The registry.
    pub registry: Registry,
    /// By other source, when its entries were first seen.
    first_seen: Vec<BTreeMap<String, Timestamp>>,
    /// The data directory, where the store does not hold it itself.
    _held: Option<Lock>,
}

/// What the data directory holds.
enum Ground {
    /// The registry itself.
    File(Box<Opened>),
    /// The lock, and what was last known of a registry elsewhere.
    Lock(Lock),
}

/// Opens the registry, and takes up what was known before the start.
pub async fn open(config: &Config, clock: Clock, terms: watch::Receiver<Terms>) -> Result<Open, OpenError> {
    let ranked = sources::ranked(&config.registry.sources);
    let (directory, embedded) = (config.data.clone(), config.registry.kind == RegistryKind::Embedded);
    let kept = kept(config);
    let ground = tokio::task::spawn_blocking(move || ground(&directory, embedded, &kept));
    let (ground, known) = ground.await.map_err(|_| OpenError::Stopped)??;
    let first_seen = |source: &SourceConfig| sources::first_seen(&known, &source.source.name);
    let first_seen = config.registry.sources.iter().map(first_seen).collect();
    let hub = Arc::new(Hub::new(ranked, known, clock));
    let (store, held): (Arc<dyn Store>, _) = match (&config.registry.kind, ground) {
        (RegistryKind::Etcd(etcd), Ground::Lock(held)) => {
            let cluster = Arc::new(Cluster::new(Contact::from(etcd), clock));
            let etcd = Etcd::new(cluster, &etcd.prefix, hub.clone(), terms, replica());
            (schemas::cached(etcd, config.data.join("schemas"), clock).await, Some(held))
        }
        (_, Ground::File(opened)) => (Embedded::new(*opened, hub.clone(), config.registry.grace), None),
        (RegistryKind::Embedded, Ground::Lock(_)) => return Err(OpenError::Stopped),
    };
    Ok(Open { registry: Registry { store, hub }, first_seen, _held: held })
}

/// Blocks.
fn ground(directory: &Path, embedded: bool, kept: &[SourceName]) -> Result<(Ground, Known), OpenError> {
    let (ground, own) = if embedded {
        let opened = Opened::open(directory)?;
        let own = opened.known();
        (Ground::File(Box::new(opened)), own)
    } else {
        (Ground::Lock(Lock::take(directory)?), Known::default())
    };
    let known = if kept.is_empty() { own } else { keep::load(directory, kept, own) };
    Ok((ground, known))
}

impl Open {
    /// What has to run for it, beside the hub: each ends when it is told to stop.
    pub fn tasks(
        &self,
        config: &Config,
        rules: &watch::Receiver<Rules>,
        stop: &CancellationToken,
    ) -> Vec<BoxFuture<'static, ()>> {
        let Registry { store, hub } = &self.registry;
        let mut tasks: Vec<BoxFuture<'static, ()>> = vec![store.clone().run(stop.clone())];
        let kept = kept(config);
        if !kept.is_empty() {
            tasks.push(Box::pin(keep::run(hub.clone(), kept, config.data.clone(), stop.clone())));
        }
        for (source, first_seen) in config.registry.sources.iter().zip(&self.first_seen) {
            let (config, rules, first_seen) = (source.clone(), rules.clone(), first_seen.clone());
            let following = Following { hub: hub.clone(), config, rules, first_seen };
            tasks.push(Box::pin(sources::run(following, stop.clone())));
        }
        tasks
    }
}

/// The sources that are kept for a start without them: what is registered in the data directory is there anyway.
fn kept(config: &Config) -> Vec<SourceName> {
    let mut kept = sources::ranked(&config.registry.sources);
    kept.retain(|source| *source != SourceName::own() || config.registry.kind != RegistryKind::Embedded);
    kept
}

/// What this process is called among gateways: the host, and a number that no other has.
fn replica() -> String {
    let host = rustix::system::uname();
    format!("{}-{:08x}", host.nodename().to_string_lossy(), rand::random::<u32>())
}
