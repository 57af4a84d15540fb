//! The counts of one trial: by method and frontend, in both arms.
//!
//! Written for every call, read once a second. Each worker has a shard with a lock that nobody else wants while
//! it counts, so that a call costs a look into a table and a few additions. Only failures meet in one place,
//! because a unit that tries again through another worker is still one unit. Counts only grow.

use std::hash::BuildHasher;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hashbrown::{DefaultHashBuilder, Equivalent, HashMap, HashSet};
use turnout_control::id::FrontendId;
use turnout_control::policy::Arm;
use turnout_control::rollout::{Arms, Tallied};
use turnout_control::slot::Unit;

use super::bound::Bound;
use crate::upstream::Worker;

/// More workers than this share places, which costs time and nothing else.
const SHARDS: usize = 8;

/// Units that fail in one tick, each in a method. When there are more, the evidence is complete without them.
const FAILED_MAX: usize = 1 << 18;

/// What calls are compared within: a method of a frontend version.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Stratum {
    /// `/package.Service/Method`.
    pub(super) method: Box<str>,
    /// `None`: the built-in frontend.
    pub(super) frontend: Option<FrontendId>,
}

/// The same, borrowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) frontend: Option<&'a FrontendId>,
}

impl Equivalent<Arc<Stratum>> for Asked<'_> {
    fn equivalent(&self, key: &Arc<Stratum>) -> bool {
        self.method == &*key.method && self.frontend == key.frontend.as_ref()
    }
}

/// All counts of a trial.
#[derive(Debug)]
pub(super) struct Strata {
    shards: [Shard; SHARDS],
    /// In the order in which they came, which is that of reports: what does not fit there stays outside.
    known: Mutex<Vec<(Arc<Stratum>, Arc<Bound>)>>,
    /// Units that have failed in this tick, each in a method.
    failed: Mutex<HashSet<u64>>,
    hashes: DefaultHashBuilder,
}

/// Padded, so that no two workers write to one line of the cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(Mutex<HashMap<Arc<Stratum>, Entry>>);

#[derive(Debug)]
struct Entry {
    bound: Arc<Bound>,
    counted: Arms,
}

impl Strata {
    /// Nothing counted yet.
    pub(super) fn new() -> Strata {
        Strata {
            shards: std::array::from_fn(|_| Shard::default()),
            known: Mutex::default(),
            failed: Mutex::default(),
            hashes: DefaultHashBuilder::default(),
        }
    }

    /// Counts something in a stratum.
    pub(super) fn count(&self, worker: Worker, asked: Asked<'_>, with: impl FnOnce(&mut Arms, &Bound)) {
        let Shard(shard) = &self.shards[worker.0 % SHARDS];
        let mut shard = lock(shard);
        if let Some(Entry { bound, counted }) = shard.get_mut(&asked) {
            return with(counted, bound);
        }
        let (stratum, bound) = self.know(asked);
        let entry = shard.entry(stratum).or_insert(Entry { bound, counted: Arms::default() });
        with(&mut entry.counted, &entry.bound);
    }

    /// Notes that a unit failed in a method; whether that is the first time in this tick. Who tries again each
    /// second says no more than who waits, to the leader and to the fuse alike.
    pub(super) fn fails(&self, unit: &Unit, method: &str) -> bool {
        let hash = self.hashes.hash_one((unit, method));
        let mut failed = lock(&self.failed);
        failed.len() < FAILED_MAX && failed.insert(hash)
    }

    /// Takes up that a tick is over.
    pub(super) fn tick(&self) {
        lock(&self.failed).clear();
        for (_, bound) in &*lock(&self.known) {
            bound.tick();
        }
    }

    /// What was counted, in the order in which the strata came.
    pub(super) fn read(&self) -> Vec<(Arc<Stratum>, Arms)> {
        let known: Vec<Arc<Stratum>> = lock(&self.known).iter().map(|(known, _)| known.clone()).collect();
        let mut all: Vec<(Arc<Stratum>, Arms)> =
            known.into_iter().map(|stratum| (stratum, Arms::default())).collect();
        for Shard(shard) in &self.shards {
            let shard = lock(shard);
            for (stratum, sum) in &mut all {
                if let Some(entry) = shard.get(stratum) {
                    *sum = sum.plus(&entry.counted);
                }
            }
        }
        all
    }

    /// A stratum that is known from now on. Frontends share the bound of a method.
    fn know(&self, asked: Asked<'_>) -> (Arc<Stratum>, Arc<Bound>) {
        let mut known = lock(&self.known);
        if let Some(known) = known.iter().find(|(known, _)| asked.equivalent(known)) {
            return known.clone();
        }
        let like = known.iter().find(|(known, _)| &*known.method == asked.method);
        let bound = like.map_or_else(|| Arc::new(Bound::new()), |(_, bound)| bound.clone());
        let stratum = Stratum { method: asked.method.into(), frontend: asked.frontend.cloned() };
        known.push((Arc::new(stratum), bound));
        known[known.len() - 1].clone()
    }
}

/// The counts of one arm.
pub(super) fn of(arms: &mut Arms, arm: Arm) -> &mut Tallied {
    match arm {
        Arm::Stable => &mut arms.stable,
        Arm::Candidate => &mut arms.candidate,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
