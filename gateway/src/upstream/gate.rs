//! Lets as many calls through to a version of a service as its limit says; some others wait for a moment.
//!
//! Passing costs two atomic operations when there is room. At the limit a call waits a tenth of a second at
//! most, and in a bounded queue: later it is better told to come back. What is dropped while it waits or
//! calls gives back what it held. The limit itself is found by `concurrency`.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::concurrency::{End, LIMIT_START, Limit};

/// The longest that a call waits for room.
const WAIT_MAX: Duration = Duration::from_millis(100);
/// As many calls wait.
const WAITING_MAX: usize = 100;

/// Why a call was not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Too many were there before it.
    Full,
    /// Its own time ran out.
    Late,
}

/// The gate of one version.
#[derive(Debug)]
pub(super) struct Gate {
    room: Semaphore,
    /// Permits that are still out and no longer covered by the limit: they are not returned to `room`.
    excess: AtomicUsize,
    waiting: AtomicUsize,
    refused: AtomicU64,
    /// The limit that `room` and `excess` reflect. Written under the lock of `limit`.
    applied: AtomicUsize,
    limit: Mutex<Limit>,
}

/// The right to call. Given back when dropped.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    gate: &'a Gate,
    held: Option<SemaphorePermit<'a>>,
}

impl Drop for Permit<'_> {
    fn drop(&mut self) {
        let excess = &self.gate.excess;
        if excess.load(Ordering::Relaxed) > 0
            && excess
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |excess| excess.checked_sub(1))
                .is_ok()
            && let Some(held) = self.held.take()
        {
            held.forget();
        }
    }
}

/// Counts who waits, also when the wait is given up.
struct Waiting<'a>(&'a AtomicUsize);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Gate {
    /// An open one.
    pub(super) fn new(now: Duration) -> Gate {
        Gate {
            room: Semaphore::new(LIMIT_START),
            excess: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            refused: AtomicU64::new(0),
            applied: AtomicUsize::new(LIMIT_START),
            limit: Mutex::new(Limit::new(now)),
        }
    }

    /// Through at once, when there is room.
    pub(super) fn try_enter(&self) -> Option<Permit<'_>> {
        self.room.try_acquire().ok().map(|held| self.permit(held))
    }

    /// Through, perhaps after a wait, which ends at `until` at the latest.
    pub(super) async fn enter(&self, until: Instant) -> Result<Permit<'_>, Refusal> {
        if let Some(permit) = self.try_enter() {
            return Ok(permit);
        }
        self.change(Limit::meet);
        if let Some(permit) = self.try_enter() {
            return Ok(permit);
        }
        let waiting = Waiting(&self.waiting);
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= WAITING_MAX {
            self.refused.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::Full);
        }
        let patience = Instant::now() + WAIT_MAX;
        let entered = tokio::time::timeout_at(until.min(patience), self.room.acquire()).await;
        drop(waiting);
        match entered {
            Ok(held) => Ok(self.permit(held.expect("the semaphore is never closed"))),
            Err(_) if until < patience => Err(Refusal::Late),
            Err(_) => {
                self.refused.fetch_add(1, Ordering::Relaxed);
                Err(Refusal::Full)
            }
        }
    }

    /// Takes note of how long a call took.
    pub(super) fn record(&self, took: Duration, end: End, now: Duration) {
        let at_once = self.in_flight();
        self.change(|limit| limit.record((took, end), at_once, now));
    }

    /// Calls that are through.
    pub(super) fn in_flight(&self) -> usize {
        // Between two steps of a change this is off by a few, which nobody minds.
        (self.limit() + self.excess.load(Ordering::Relaxed)).saturating_sub(self.room.available_permits())
    }

    /// How many may be.
    pub(super) fn limit(&self) -> usize {
        self.applied.load(Ordering::Relaxed)
    }

    /// How many wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// How many were told to come back.
    pub(super) fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn permit<'a>(&'a self, held: SemaphorePermit<'a>) -> Permit<'a> {
        Permit { gate: self, held: Some(held) }
    }

    /// Changes the limit, and what follows from it.
    fn change(&self, change: impl FnOnce(&mut Limit)) {
        let mut limit = self.limit.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut limit);
        let (before, after) = (self.limit(), limit.value());
        if after > before {
            let repay = |excess: usize| Some(excess.saturating_sub(after - before));
            let covered = self
                .excess
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, repay)
                .map_or(0, |excess| excess.min(after - before));
            self.room.add_permits(after - before - covered);
        } else if after < before {
            let forgotten = self.room.forget_permits(before - after);
            self.excess.fetch_add(before - after - forgotten, Ordering::Relaxed);
        }
        self.applied.store(after, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::task::JoinSet;

    use super::*;

    /// A service with some places, each of which does a call in `takes`, behind a gate.
    struct Model {
        gate: Gate,
        places: Semaphore,
        takes: Mutex<Duration>,
        epoch: Instant,
    }

    #[derive(Clone, Copy, Debug, Default)]
    struct Tally {
        good: u32,
        late: u32,
        refused: u32,
        longest: Duration,
    }

    impl Model {
        fn new(places: usize, takes: Duration) -> Arc<Model> {
            Arc::new(Model {
                gate: Gate::new(Duration::ZERO),
                places: Semaphore::new(places),
                takes: Mutex::new(takes),
                epoch: Instant::now(),
            })
        }

        async fn call(&self, until: Instant) -> Result<(), Refusal> {
            let _permit = self.gate.enter(until).await?;
            let began = Instant::now();
            let done = tokio::time::timeout_at(until, async {
                let _place = self.places.acquire().await;
                let takes = *self.takes.lock().unwrap();
                tokio::time::sleep(takes).await;
            })
            .await;
            let end = if done.is_ok() { End::Answered } else { End::Late };
            self.gate.record(began.elapsed(), end, self.epoch.elapsed());
            done.map_err(|_| Refusal::Late)
        }

        /// Calls that begin evenly, each with a deadline.
        async fn load(self: &Arc<Self>, per_s: u32, time: Duration, deadline: Duration) -> Tally {
            let (mut calls, begun) = (JoinSet::new(), Instant::now());
            for number in 0..(f64::from(per_s) * time.as_secs_f64()) as u32 {
                let model = self.clone();
                calls.spawn(async move {
                    let at = begun + Duration::from_secs(1) * number / per_s;
                    tokio::time::sleep_until(at).await;
                    (model.call(at + deadline).await, at.elapsed())
                });
            }
            let mut tally = Tally::default();
            while let Some(done) = calls.join_next().await {
                let (result, took) = done.unwrap();
                match result {
                    Ok(()) => {
                        tally.good += 1;
                        tally.longest = tally.longest.max(took);
                    }
                    Err(Refusal::Late) => tally.late += 1,
                    Err(Refusal::Full) => tally.refused += 1,
                }
            }
            tally
        }
    }

    const SECOND: Duration = Duration::from_secs(1);

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn three_times_the_capacity_leaves_four_fifths_of_the_goodput() {
        // Places, what a call takes, and so the capacity.
        for (places, takes, capacity) in [(20, 20, 1000), (4, 100, 40), (50, 25, 2000), (10, 500, 20)] {
            let model = Model::new(places, ms(takes));
            model.load(capacity / 2, 5 * SECOND, 2 * SECOND).await;
            let tally = model.load(capacity * 3, 20 * SECOND, 2 * SECOND).await;
            let expected = capacity * 20;
            assert!(tally.good * 5 >= expected * 4, "{places} x {takes} ms: {tally:?} of {expected}");
            assert!(tally.refused > 0);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_overload_from_the_first_moment_on_is_no_worse() {
        let model = Model::new(20, ms(20));
        let tally = model.load(3000, 20 * SECOND, 2 * SECOND).await;
        assert!(tally.good >= 16_000, "{tally:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_healthy_service_never_meets_the_limit() {
        let model = Model::new(2000, ms(20));
        for at_once in [1, 10, 50, 100, 200, 400, 800] {
            let tally = model.load(at_once * 50, 2 * SECOND, 10 * SECOND).await;
            assert_eq!((tally.late, tally.refused), (0, 0), "{at_once} at once");
            assert!(tally.longest <= ms(25), "{at_once} at once: {tally:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_sudden_crowd_of_hundreds_passes() {
        for takes in [1, 20, 1000] {
            let model = Model::new(2000, ms(takes));
            let until = Instant::now() + 10 * SECOND;
            let calls = (0..500).map(|_| model.call(until));
            let began = Instant::now();
            let results = futures_util::future::join_all(calls).await;
            assert!(results.iter().all(Result::is_ok));
            assert!(began.elapsed() <= ms(takes + 5));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_service_that_becomes_slow_without_being_crowded_is_left_alone() {
        let model = Model::new(2000, ms(10));
        model.load(1000, 5 * SECOND, 10 * SECOND).await;
        *model.takes.lock().unwrap() = ms(400);
        let tally = model.load(1000, 20 * SECOND, 10 * SECOND).await;
        assert!(tally.good >= 19_000, "{tally:?}");
        let tally = model.load(1000, 5 * SECOND, 10 * SECOND).await;
        assert_eq!(tally.good, 5000, "{tally:?}");
    }

    /// Calls that begin at these milliseconds and take as many, at a service that is never full. How many of
    /// them were not let through.
    async fn refused(plan: impl Iterator<Item = (u64, u64)>) -> usize {
        let (gate, epoch) = (Gate::new(Duration::ZERO), Instant::now());
        let calls = plan.map(async |(at, takes)| {
            tokio::time::sleep_until(epoch + ms(at)).await;
            let Ok(_permit) = gate.enter(Instant::now() + 10 * SECOND).await else { return 1 };
            tokio::time::sleep(ms(takes)).await;
            gate.record(ms(takes), End::Answered, epoch.elapsed());
            0
        });
        futures_util::future::join_all(calls).await.into_iter().sum()
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_are_slow_by_nature_beside_quick_ones_are_no_crowd() {
        for quick_per_s in [20, 200] {
            let quick = (0..quick_per_s * 60).map(|number| (number * 1000 / quick_per_s, 2));
            // Every ten seconds, three seconds of a hundred a second.
            let slow =
                (0..6).flat_map(|burst| (0..300).map(move |number| (burst * 10_000 + number * 10, 600)));
            assert_eq!(refused(quick.chain(slow)).await, 0, "{quick_per_s}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_lowered_while_calls_were_on_their_way_is_kept() {
        let gate = Gate::new(Duration::ZERO);
        let mut held: Vec<_> = (0..20).filter_map(|_| gate.try_enter()).collect();
        assert_eq!((held.len(), gate.in_flight()), (20, 20));
        gate.change(|limit| *limit = Limit::at(10));
        assert_eq!((gate.limit(), gate.in_flight()), (10, 20));
        held.truncate(10);
        assert_eq!(gate.in_flight(), 10);
        assert!(gate.try_enter().is_none());
        held.truncate(9);
        held.extend(gate.try_enter());
        assert_eq!((held.len(), gate.in_flight()), (10, 10));
        gate.change(|limit| *limit = Limit::at(5));
        gate.change(|limit| *limit = Limit::at(12));
        held.extend(gate.try_enter());
        held.extend(gate.try_enter());
        assert!(gate.try_enter().is_none());
        drop(held);
        assert_eq!(gate.in_flight(), 0);
        assert_eq!(gate.room.available_permits(), 12);
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_leaves_the_queue() {
        let model = Model::new(1, ms(10_000));
        model.gate.change(|limit| *limit = Limit::at(4));
        let held: Vec<_> = (0..4).filter_map(|_| model.gate.try_enter()).collect();
        model.gate.change(Limit::crowd);
        let until = Instant::now() + SECOND;
        let waits = (0..10).map(|_| tokio::time::timeout(ms(50), model.gate.enter(until)));
        assert!(futures_util::future::join_all(waits).await.iter().all(Result::is_err));
        assert_eq!((model.gate.waiting(), model.gate.refused()), (0, 0));
        let began = Instant::now();
        assert_eq!(model.gate.enter(until).await.err(), Some(Refusal::Full));
        assert_eq!(began.elapsed(), WAIT_MAX);
        let soon = Instant::now() + ms(30);
        assert_eq!(model.gate.enter(soon).await.err(), Some(Refusal::Late));
        drop(held);
        assert!(model.gate.enter(until).await.is_ok());
    }
}
