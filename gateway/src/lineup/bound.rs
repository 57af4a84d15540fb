//! From which time on is a call slow?
//!
//! Slower than 95 % of the stable version's first calls of the method. The bound is frozen, so that it cannot
//! follow a candidate that slows the stable version down with it, and exact, so that the stable version has 5 %
//! slow calls by definition. Each process freezes its own: what is compared are the two arms in one process,
//! under one load.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// As few make a bound at the end of a tick.
const SAMPLES_MIN: usize = 200;
/// As many make one at once.
const SAMPLES_MAX: usize = 1000;

/// The bound of one method.
#[derive(Debug)]
pub(super) struct Bound {
    /// In nanoseconds; 0 while it is not known.
    frozen_ns: AtomicU64,
    /// What it is made from; empty afterwards.
    samples: Mutex<Vec<u64>>,
}

impl Bound {
    /// Nothing is known yet.
    pub(super) fn new() -> Bound {
        Bound { frozen_ns: AtomicU64::new(0), samples: Mutex::default() }
    }

    /// Whether a call is slow; `None` while nobody knows.
    pub(super) fn is_slow(&self, took: Duration) -> Option<bool> {
        let frozen = self.frozen_ns.load(Ordering::Relaxed);
        (frozen > 0).then(|| nanos(took) > frozen)
    }

    /// Takes up how long a call of the stable version took.
    pub(super) fn sample(&self, took: Duration) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        // Another worker may have frozen it meanwhile.
        if self.frozen_ns.load(Ordering::Relaxed) > 0 {
            return;
        }
        samples.push(nanos(took));
        if samples.len() >= SAMPLES_MAX {
            self.freeze(&mut samples);
        }
    }

    /// Takes up that a tick is over.
    pub(super) fn tick(&self) {
        let mut samples = self.samples.lock().unwrap_or_else(PoisonError::into_inner);
        if samples.len() >= SAMPLES_MIN {
            self.freeze(&mut samples);
        }
    }

    fn freeze(&self, samples: &mut Vec<u64>) {
        let mut samples = std::mem::take(samples);
        // The smallest that at least 95 % do not exceed.
        let place = (samples.len() * 95).div_ceil(100).saturating_sub(1);
        let (_, bound, _) = samples.select_nth_unstable(place);
        self.frozen_ns.store((*bound).max(1), Ordering::Relaxed);
    }
}

fn nanos(took: Duration) -> u64 {
    u64::try_from(took.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sampled(count: u64) -> Bound {
        let bound = Bound::new();
        // In an order that is not theirs.
        (0..count).for_each(|at| bound.sample(Duration::from_millis(at * 7 % count + 1)));
        bound
    }

    fn slow_of(bound: &Bound, count: u64) -> Option<usize> {
        let slow = |at: u64| bound.is_slow(Duration::from_millis(at + 1));
        (0..count).map(slow).sum::<Option<SlowCalls>>().map(|SlowCalls(count)| count)
    }

    struct SlowCalls(usize);

    impl std::iter::Sum<bool> for SlowCalls {
        fn sum<I: Iterator<Item = bool>>(slow: I) -> SlowCalls {
            SlowCalls(slow.filter(|slow| *slow).count())
        }
    }

    #[test]
    fn five_of_a_hundred_are_slower_than_the_bound() {
        let bound = sampled(1000);
        assert_eq!(slow_of(&bound, 1000), Some(50));
        let bound = sampled(200);
        assert_eq!(slow_of(&bound, 200), None);
        bound.tick();
        assert_eq!(slow_of(&bound, 200), Some(10));
    }

    #[test]
    fn a_bound_needs_two_hundred_calls_and_never_moves_again() {
        let bound = sampled(199);
        bound.tick();
        assert_eq!(bound.is_slow(Duration::from_secs(9)), None);
        bound.sample(Duration::from_millis(200));
        bound.tick();
        let before = slow_of(&bound, 200);
        (0..2000).for_each(|_| bound.sample(Duration::from_secs(9)));
        bound.tick();
        assert_eq!((slow_of(&bound, 200), before), (before, Some(10)));
    }
}
