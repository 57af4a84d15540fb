//! Every version that can be called, kept in step with the registry.
//!
//! One fleet for all workers: what is learned of an instance by one of them helps the others. A pool lives
//! while somebody has it or instances of its version are registered. Nothing here connects: that happens
//! with the first call.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use turnout_control::id::{ServiceName, Version};
use turnout_control::registry::{Registered, Snapshot};

use super::connection;
use super::endpoint::Opening;
use super::pool::{Common, Pool};
use super::roster::Equipment;
use super::stats::PoolStats;
use crate::clock::Clock;

/// What holds for all calls.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What holds for every connection.
    pub connection: connection::Settings,
    /// How TLS is spoken with instances that are registered as `grpcs`.
    pub tls: Arc<rustls::ClientConfig>,
    /// How many workers there are; each has connections of its own.
    pub workers: usize,
    /// Where connections are opened and driven, each on the runtime of its worker.
    pub tasks: TaskTracker,
    /// How long an instance may take to answer before a deadline counts against it where the operator set
    /// no timeout for the service: callers may have deadlines of their own, and a short one proves nothing.
    pub patience: Duration,
    /// What chance begins with: another number in every process.
    pub seed: u64,
}

/// A version of a service.
type Key = (ServiceName, Version);

/// The pools of all versions.
#[derive(Debug)]
pub struct Fleet {
    common: Common,
    pools: Mutex<BTreeMap<Key, Arc<Pool>>>,
    /// What was taken up last. Taken before `pools`.
    applied: Mutex<Snapshot>,
    /// The longest that one call may take, where the operator said so. Taken after `pools`.
    timeouts: Mutex<BTreeMap<ServiceName, Duration>>,
}

impl Fleet {
    /// One that knows nobody yet.
    pub fn new(settings: Settings) -> Fleet {
        let common = Common {
            opening: Opening { settings: settings.connection, tasks: settings.tasks },
            equipment: Equipment { workers: settings.workers, tls: settings.tls, clock: Clock::start() },
            patience: settings.patience,
            seed: settings.seed,
            epoch: Instant::now(),
        };
        Fleet { common, pools: Mutex::default(), applied: Mutex::default(), timeouts: Mutex::default() }
    }

    /// One for tests that call nobody.
    #[cfg(test)]
    pub(crate) fn idle() -> Fleet {
        let connection = connection::Settings {
            connect_timeout: Duration::from_secs(1),
            message_bytes_max: 4 << 20,
            terms: super::scripted::terms(&[]).1,
        };
        Fleet::new(Settings {
            connection,
            tls: super::tls::client(None, None).expect("nothing is asked for"),
            workers: 1,
            tasks: TaskTracker::new(),
            patience: Duration::from_secs(10),
            seed: 1,
        })
    }

    /// Takes up how long one call to each service may take. Others have what the operation has left.
    pub fn limit(&self, timeouts: BTreeMap<ServiceName, Duration>) {
        let pools = self.pools();
        for ((service, _), pool) in pools.iter() {
            pool.limit(timeouts.get(service).copied());
        }
        *self.timeouts.lock().unwrap_or_else(PoisonError::into_inner) = timeouts;
    }

    /// Takes up who is registered now. Instances that stay keep their connections and what is known of them.
    /// Services that are as before cost nothing.
    pub fn apply(&self, snapshot: &Snapshot) {
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pools = self.pools();
        for service in snapshot.changed(&applied) {
            let mut registered: BTreeMap<&Version, Vec<&Registered>> = BTreeMap::new();
            for one in snapshot.service(service).into_iter().flat_map(|service| service.instances.values()) {
                registered.entry(&one.instance.version).or_default().push(one);
            }
            for ((_, version), pool) in pools.iter().filter(|((of, _), _)| of == service) {
                pool.apply(registered.remove(version).as_deref().unwrap_or_default());
            }
            for (version, registered) in registered {
                let key = (service.clone(), version.clone());
                let pool = self.make(&key);
                pool.apply(&registered);
                pools.insert(key, pool);
            }
        }
        // Nobody can take one up meanwhile: that needs the lock.
        pools.retain(|_, pool| Arc::strong_count(pool) > 1 || !pool.is_empty());
        *applied = snapshot.clone();
    }

    /// The pool of a version; an empty one when nobody runs it, which fills when somebody comes.
    pub fn pool(&self, service: &ServiceName, version: &Version) -> Arc<Pool> {
        let key = (service.clone(), version.clone());
        let mut pools = self.pools();
        pools.entry(key).or_insert_with_key(|key| self.make(key)).clone()
    }

    /// How all pools are doing, by service and version.
    pub fn stats(&self) -> Vec<(ServiceName, Version, PoolStats)> {
        let pools = self.pools().clone();
        pools.into_iter().map(|((service, version), pool)| (service, version, pool.stats())).collect()
    }

    fn make(&self, (service, version): &Key) -> Arc<Pool> {
        let pool = Pool::new(service.clone(), version.clone(), self.common.clone());
        pool.limit(self.timeouts.lock().unwrap_or_else(PoisonError::into_inner).get(service).copied());
        Arc::new(pool)
    }

    fn pools(&self) -> MutexGuard<'_, BTreeMap<Key, Arc<Pool>>> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
