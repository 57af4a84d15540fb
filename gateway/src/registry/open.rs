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
    /// What this process is called among gateways.
    pub replica: String,
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
    let now = clock.now();
    let ground = tokio::task::spawn_blocking(move || ground(&directory, embedded, &kept, now));
    let (ground, known) = ground.await.map_err(|_| OpenError::Stopped)??;
    let first_seen = |source: &SourceConfig| sources::first_seen(&known, &source.source.name);
    let first_seen = config.registry.sources.iter().map(first_seen).collect();
    let hub = Arc::new(Hub::new(ranked, known, clock));
    let replica = replica();
    let (store, held): (Arc<dyn Store>, _) = match (&config.registry.kind, ground) {
        (RegistryKind::Etcd(etcd), Ground::Lock(held)) => {
            let cluster = Arc::new(Cluster::new(Contact::from(etcd), clock));
            let etcd = Etcd::new(cluster, &etcd.prefix, hub.clone(), terms, replica.clone());
            let data = config.data.clone();
            let records = tokio::task::spawn_blocking(move || keep::records::load(&data)).await;
            etcd.remember(records.map_err(|_| OpenError::Stopped)?);
            (schemas::cached(etcd, config.data.join("schemas"), clock).await, Some(held))
        }
        (_, Ground::File(opened)) => (Embedded::new(*opened, hub.clone(), config.registry.grace), None),
        (RegistryKind::Embedded, Ground::Lock(_)) => return Err(OpenError::Stopped),
    };
    Ok(Open { registry: Registry { store, hub }, replica, first_seen, _held: held })
}

/// Blocks.
fn ground(
    directory: &Path,
    embedded: bool,
    kept: &[SourceName],
    now: Timestamp,
) -> Result<(Ground, Known), OpenError> {
    let (ground, own) = if embedded {
        let opened = Opened::open(directory)?;
        let own = opened.known();
        (Ground::File(Box::new(opened)), own)
    } else {
        (Ground::Lock(Lock::take(directory)?), Known::default())
    };
    let mut known = if kept.is_empty() { own } else { keep::load(directory, kept, own) };
    if !embedded {
        // What was counted last may not have been kept, and other gateways of the registry count as well. Who
        // begins at the time in milliseconds is past all that was counted before, here and elsewhere, so a
        // cursor from there begins anew instead of passing over what it never saw.
        known.snapshot.revision = known.snapshot.revision.max(now.0);
    }
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
        if config.registry.kind != RegistryKind::Embedded {
            tasks.push(Box::pin(keep::records::run(store.records(), config.data.clone(), stop.clone())));
        }
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

#[cfg(test)]
mod tests {
    use turnout_control::registry::Snapshot;

    use super::*;
    use crate::registry::Changes;

    /// The hub of a gateway whose registry is in etcd, begun at a time.
    fn begun(directory: &Path, now: u64) -> Hub {
        let kept = [SourceName::own()];
        let (_held, known) = ground(directory, false, &kept, Timestamp(now)).unwrap();
        Hub::new(kept.to_vec(), known, Clock::start())
    }

    fn tell(hub: &Hub, version: &str) -> u64 {
        let record = turnout_control::registry::VersionRecord { digest: None, first_seen: Timestamp(1) };
        let (service, version) = ("catalog".parse().unwrap(), version.parse().unwrap());
        hub.tell(turnout_control::table::Input::Version(service, version, record))
    }

    #[test]
    fn a_cursor_of_a_gateway_that_was_killed_or_of_another_one_begins_anew() {
        let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let first = begun(one.path(), 1_763_700_000_000);
        let elsewhere = begun(other.path(), 1_763_700_060_000);
        tell(&first, "1.0.0");
        let seen = tell(&first, "1.1.0");
        drop(first);
        // Killed before anything of it was kept.
        let again = begun(one.path(), 1_763_700_120_000);
        for hub in [&again, &elsewhere] {
            for version in ["2.0.0", "2.1.0", "2.2.0"] {
                assert!(tell(hub, version) > seen);
            }
            assert!(matches!(hub.after(seen), Changes::Snapshot(_)), "{:?}", hub.after(seen));
        }
        assert!(matches!(again.after(elsewhere.snapshot().revision), Changes::Snapshot(_)));
        assert!(matches!(elsewhere.after(again.snapshot().revision), Changes::Snapshot(_)));
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_set_the_revision_back() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = Snapshot::restore(1_763_700_000_017, BTreeMap::new());
        keep::write(directory.path(), &Known { snapshot, entries: Vec::new() }).unwrap();
        assert_eq!(begun(directory.path(), 5).snapshot().revision, 1_763_700_000_017);
    }
}
