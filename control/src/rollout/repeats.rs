//! Which failures count: of one caller in one method the first within a minute.
//!
//! Whoever sees an error tries again, and again, so that failures of one caller come in bursts and say little more
//! than the first. Evidence takes failures as independent; counted as they come, bursts would send healthy
//! candidates back. A gateway asks here for each call that failed, and counts those that did not fail again as
//! calls and not as failures. Each gateway has its own, so that a burst over several counts in each of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use crate::slot::Unit;

/// A caller counts again after this long.
const WINDOW: Duration = Duration::from_secs(60);
/// The most failures that are remembered. When more callers fail in a minute, all of theirs count.
const REMEMBERED_MAX: usize = 1 << 16;

/// Failures of the last minute, of one trial.
#[derive(Clone, Debug, Default)]
pub struct Repeats {
    /// When the failure that counted was, by caller and method.
    counted: HashMap<u64, Duration>,
}

impl Repeats {
    /// No failures yet.
    pub fn new() -> Repeats {
        Repeats::default()
    }

    /// Whether this failure counts. `now` is the age of the process, by a clock that never goes back.
    pub fn counts(&mut self, unit: &Unit, method: &str, now: Duration) -> bool {
        let mut hasher = DefaultHasher::new();
        (unit, method).hash(&mut hasher);
        let key = hasher.finish();
        let fresh = |counted: &Duration| now.saturating_sub(*counted) < WINDOW;
        if self.counted.get(&key).is_some_and(fresh) {
            return false;
        }
        if self.counted.len() >= REMEMBERED_MAX {
            self.counted.retain(|_, counted| fresh(counted));
        }
        if self.counted.len() < REMEMBERED_MAX {
            self.counted.insert(key, now);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::slot::UnitKind;

    fn unit(number: usize) -> Unit {
        Unit::new(UnitKind::User, &number.to_string()).unwrap()
    }

    #[test]
    fn a_caller_fails_once_a_minute_in_each_method() {
        let mut repeats = Repeats::new();
        let mut at =
            |unit: &Unit, method, seconds| repeats.counts(unit, method, Duration::from_secs(seconds));
        assert!(at(&unit(1), "/a/B", 5));
        assert!(!at(&unit(1), "/a/B", 6) && !at(&unit(1), "/a/B", 64));
        assert!(at(&unit(1), "/a/C", 6) && at(&unit(2), "/a/B", 6));
        // Whoever fails all the time is counted each minute, and not never.
        assert!(at(&unit(1), "/a/B", 65) && !at(&unit(1), "/a/B", 66));
    }

    #[test]
    fn memory_is_bounded_and_what_does_not_fit_counts() {
        let mut repeats = Repeats::new();
        for number in 0..REMEMBERED_MAX + 10 {
            assert!(repeats.counts(&unit(number), "/a/B", Duration::ZERO));
        }
        assert_eq!(repeats.counted.len(), REMEMBERED_MAX);
        assert!(repeats.counts(&unit(0), "/a/B", WINDOW));
        assert!(repeats.counted.len() < 10);
    }
}
