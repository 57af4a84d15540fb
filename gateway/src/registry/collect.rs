//! Descriptors that nobody needs any more, removed from the store.
//!
//! Only the gateway that leads removes, and only while it hears every source: what is registered where
//! nobody hears it may still need them. `turnout_control::garbage` says what is needed, and since when not;
//! that is a record, written before anything is removed, so that whoever leads next goes on from there, and
//! two who both think that they lead cannot both. Whatever is in the way, nothing is removed, and the next look
//! is in ten minutes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::garbage::{self, Unneeded, Unreadable};
use turnout_control::id::{SourceName, Timestamp};
use turnout_control::records::Change;
use turnout_schema::Digest;

use super::{Blob, Error, Hearing, Leadership, Registry};
use crate::reconcile::Report;
use crate::telemetry::chain;

/// Between two looks, give or take a fifth. What is looked for is a day old.
const PERIOD: Duration = Duration::from_mins(10);

/// Removes stored descriptors that nobody needs.
#[derive(Debug)]
pub struct Collector {
    registry: Registry,
    /// What serves on this gateway.
    reports: watch::Receiver<Arc<Report>>,
}

/// Why nothing is looked at.
#[derive(Debug, thiserror::Error)]
enum Hold {
    #[error("another gateway leads")]
    Follows,
    #[error("nothing was heard yet")]
    Unheard,
    #[error("{0} is not heard well")]
    Stale(SourceName),
    #[error("it is not known yet what serves")]
    Unseen,
    #[error(transparent)]
    Unreadable(#[from] Unreadable),
    #[error(transparent)]
    Store(#[from] Error),
}

impl Collector {
    /// A collector of this registry, beside whatever serves.
    pub fn new(registry: Registry, reports: watch::Receiver<Arc<Report>>) -> Collector {
        Collector { registry, reports }
    }

    /// Looks now and then, until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            let wait = PERIOD.mul_f64(rand::rng().random_range(0.8..1.2));
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
            let now = self.registry.hub.clock().now();
            tokio::select! {
                () = stop.cancelled() => return,
                looked = self.look(now) => match looked {
                    Ok(_) => {}
                    Err(hold @ (Hold::Follows | Hold::Unheard | Hold::Stale(_) | Hold::Unseen)) => {
                        tracing::debug!(%hold, "no descriptors are collected");
                    }
                    Err(hold @ (Hold::Unreadable(_) | Hold::Store(_))) => {
                        tracing::warn!(error = %chain(&hold), "no descriptors are collected");
                    }
                }
            }
        }
    }

    /// One look; what was removed.
    async fn look(&self, now: Timestamp) -> Result<Vec<Digest>, Hold> {
        let store = &self.registry.store;
        let needed = self.needed()?;
        let stored = store.schemas().await?;
        let records = store.records().borrow().clone();
        let key = Unneeded::key();
        let known = records.get(&key).map(|record| Unneeded::read(&record.value)).unwrap_or_default();
        let digests = stored.iter().map(|blob| blob.digest).collect();
        let (next, due) = known.step(&digests, &needed, now);
        if next != known {
            let expected = [(key.clone(), records.seen(&key))].into();
            let writes = [(key, Some(next.write().into()))].into();
            store.change(Change { expected, writes }).await?;
        }
        let mut removed = Vec::new();
        for blob in stored.into_iter().filter(|blob| due.contains(&blob.digest)) {
            // Much may have happened since, also while the one before was removed.
            if self.needed()?.contains(&blob.digest) {
                continue;
            }
            let Blob { digest, bytes, .. } = blob;
            if store.remove_schema(blob).await? {
                tracing::info!(%digest, bytes, "removed descriptors that nobody has needed for a day");
                removed.push(digest);
            }
        }
        Ok(removed)
    }

    /// What is needed now, or why nobody can tell.
    fn needed(&self) -> Result<BTreeSet<Digest>, Hold> {
        if *self.registry.store.leadership().borrow() != Leadership::Leads {
            return Err(Hold::Follows);
        }
        let sources = self.registry.hub.sources().borrow().clone();
        if sources.is_empty() {
            return Err(Hold::Unheard);
        }
        for (name, freshness) in sources.iter() {
            match freshness.state {
                Hearing::Live => {}
                Hearing::Starting | Hearing::Stale(_) => return Err(Hold::Stale(name.clone())),
            }
        }
        let report = self.reports.borrow().clone();
        if report.revision.is_none() {
            return Err(Hold::Unseen);
        }
        let records = self.registry.store.records().borrow().clone();
        let serving: Vec<_> = report.members.iter().chain(&report.called).cloned().collect();
        Ok(garbage::needed(&self.registry.snapshot(), &serving, &records)?)
    }
}

#[cfg(test)]
mod tests {
    use tempfile::TempDir;
    use turnout_control::id::Version;
    use turnout_control::records::{Expected, Kind};

    use super::*;
    use crate::clock::Clock;
    use crate::registry::{Freshness, contract, embedded};

    const HOUR: u64 = 3_600_000;

    struct World {
        registry: Registry,
        collector: Collector,
        reports: watch::Sender<Arc<Report>>,
        _directory: TempDir,
    }

    impl World {
        fn start() -> World {
            let directory = tempfile::tempdir().unwrap();
            let registry = embedded::alone(directory.path(), Clock::start(), Duration::ZERO).unwrap();
            let seen = Report { revision: Some(1), ..Report::default() };
            let (reports, reports_now) = watch::channel(Arc::new(seen));
            let collector = Collector::new(registry.clone(), reports_now);
            World { registry, collector, reports, _directory: directory }
        }

        async fn store(&self, name: &str) -> Digest {
            let bytes = contract::descriptors(name);
            self.registry.store.put_schema(Digest::of(&bytes), bytes).await.unwrap().digest
        }

        async fn version(&self, version: &str) -> Digest {
            let digest = self.store(&version.replace('.', "_")).await;
            let version: Version = version.parse().unwrap();
            self.registry.store.bind("catalog".parse().unwrap(), version, digest).await.unwrap();
            digest
        }

        async fn stored(&self) -> BTreeSet<Digest> {
            self.registry.store.schemas().await.unwrap().iter().map(|blob| blob.digest).collect()
        }

        async fn look(&self, hour: u64) -> Result<Vec<Digest>, Hold> {
            self.collector.look(Timestamp(hour * HOUR)).await
        }

        fn hears(&self, name: &str, state: Hearing) {
            let sources = self.registry.hub.sources().borrow().clone();
            let own: Freshness = sources[&SourceName::own()].clone();
            self.registry.hub.hears(&name.parse().unwrap(), Freshness { state, ..own });
        }
    }

    #[tokio::test]
    async fn descriptors_go_when_nobody_has_needed_them_for_a_day() {
        let world = World::start();
        let (old, best) = (world.version("1.4.0").await, world.version("1.5.0").await);
        let forgotten = world.store("forgotten").await;
        let serving = world.version("1.3.0").await;
        let members = vec![("catalog".parse().unwrap(), "1.3.0".parse().unwrap())];
        world.reports.send_replace(Arc::new(Report { revision: Some(2), members, ..Report::default() }));

        assert_eq!(world.look(0).await.unwrap(), []);
        assert_eq!(world.look(23).await.unwrap(), []);
        let removed: BTreeSet<Digest> = world.look(24).await.unwrap().into_iter().collect();
        assert_eq!(removed, BTreeSet::from([old, forgotten]));
        assert_eq!(world.stored().await, BTreeSet::from([best, serving]));
        assert_eq!(world.look(25).await.unwrap(), []);
        assert_eq!(world.store("forgotten").await, forgotten);
        assert_eq!(world.look(26).await.unwrap(), [], "stored anew, so a day anew");
        assert_eq!(world.look(50).await.unwrap(), [forgotten]);
    }

    #[tokio::test]
    async fn another_collector_goes_on_where_one_stopped() {
        let world = World::start();
        let forgotten = world.store("forgotten").await;
        world.look(0).await.unwrap();
        let next = Collector::new(world.registry.clone(), world.reports.subscribe());
        assert_eq!(next.look(Timestamp(24 * HOUR)).await.unwrap(), [forgotten]);
    }

    #[tokio::test]
    async fn nothing_goes_while_a_source_is_not_heard_or_what_serves_is_not_known() {
        let world = World::start();
        let forgotten = world.store("forgotten").await;
        world.look(0).await.unwrap();
        for state in [Hearing::Starting, Hearing::Stale("cut off".into())] {
            world.hears("kitex", state);
            let held = world.look(24).await.unwrap_err();
            assert!(matches!(&held, Hold::Stale(name) if name.as_str() == "kitex"), "{held}");
        }
        world.hears("kitex", Hearing::Live);
        world.reports.send_replace(Arc::default());
        assert!(matches!(world.look(24).await.unwrap_err(), Hold::Unseen));
        assert_eq!(world.stored().await, BTreeSet::from([forgotten]));
        world.reports.send_replace(Arc::new(Report { revision: Some(1), ..Report::default() }));
        assert_eq!(world.look(24).await.unwrap(), [forgotten]);
    }

    #[tokio::test]
    async fn nothing_goes_while_a_policy_cannot_be_read() {
        let world = World::start();
        world.store("forgotten").await;
        world.look(0).await.unwrap();
        let key = turnout_control::records::Key::new(Kind::Policy, "web").unwrap();
        let write = |value: &str| {
            let writes = [(key.clone(), Some(value.as_bytes().into()))].into();
            world.registry.store.change(Change { expected: Default::default(), writes })
        };
        write("stable: 1.4.0").await.unwrap();
        assert!(matches!(world.look(24).await.unwrap_err(), Hold::Unreadable(_)));
        write(r#"{"stable":"1.4.0"}"#).await.unwrap();
        assert_eq!(world.look(24).await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn who_is_overtaken_while_looking_removes_nothing() {
        let world = World::start();
        let forgotten = world.store("forgotten").await;
        world.look(0).await.unwrap();
        let other = world.store("another").await;
        // Both look at once. The record of what was seen can be written by one of them, and if the other was
        // so late that it read that record, nothing is left to remove.
        let second = Collector::new(world.registry.clone(), world.reports.subscribe());
        let (one, two) = tokio::join!(world.look(24), second.look(Timestamp(24 * HOUR)));
        let (won, lost) =
            if one.as_ref().is_ok_and(|gone| !gone.is_empty()) { (one, two) } else { (two, one) };
        assert_eq!(won.unwrap(), [forgotten]);
        assert!(matches!(lost.as_deref(), Ok([]) | Err(Hold::Store(Error::Conflict(_)))), "{lost:?}");
        assert_eq!(world.stored().await, BTreeSet::from([other]));
        let record = world.registry.store.records().borrow().seen(&Unneeded::key());
        assert!(matches!(record, Expected::At(_)));
    }

    #[tokio::test(start_paused = true)]
    async fn it_looks_a_few_times_an_hour_and_stops_when_it_is_told() {
        let world = World::start();
        world.store("forgotten").await;
        let stop = CancellationToken::new();
        let registry = world.registry.clone();
        let until = async {
            let mut records = registry.store.records();
            tokio::time::timeout(Duration::from_mins(13), records.changed()).await.unwrap().unwrap();
            stop.cancel();
        };
        tokio::join!(world.collector.run(stop.clone()), until);
        assert_eq!(registry.store.records().borrow().of(Kind::Garbage).count(), 1);
    }
}
