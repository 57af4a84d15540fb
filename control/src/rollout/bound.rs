//! From which duration on is a call of a method slow?
//!
//! From the 95th percentile of the stable version's first calls, as one gateway sees them. It is frozen then, so
//! that it cannot follow a candidate that slows the stable version down with it. Calls before that are compared
//! with nothing. Each gateway has a bound of its own for each method, because each has its own way to the
//! instances; which part of the stable version's calls is above it matters little, since both arms are compared
//! with the same.

use std::time::Duration;

use crate::policy::Arm;

/// The calls of the stable version that a bound is made of. Ten of them are above it.
const CALLS: usize = 200;
/// Five per cent of calls are slow, by definition.
const ABOVE: usize = CALLS / 20;

/// A bound, or what will become one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bound {
    /// Durations of the stable version's calls until now.
    Gathering(Vec<Duration>),
    /// The bound.
    Frozen(Duration),
}

/// How a call compares with its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timed {
    /// There is no bound yet: it is not counted.
    Not,
    /// It took no longer.
    Within,
    /// It took longer.
    Slow,
}

impl Default for Bound {
    fn default() -> Bound {
        Bound::new()
    }
}

impl Bound {
    /// Nothing was seen yet.
    pub fn new() -> Bound {
        Bound::Gathering(Vec::new())
    }

    /// Takes up a call that was answered. Costs a comparison, once the bound is there.
    pub fn take(&mut self, arm: Arm, took: Duration) -> Timed {
        match self {
            Bound::Frozen(bound) if took > *bound => return Timed::Slow,
            Bound::Frozen(_) => return Timed::Within,
            Bound::Gathering(seen) => match arm {
                Arm::Candidate => return Timed::Not,
                Arm::Stable => seen.push(took),
            },
        }
        if let Bound::Gathering(seen) = self
            && seen.len() >= CALLS
        {
            seen.sort_unstable();
            *self = Bound::Frozen(seen[seen.len() - 1 - ABOVE]);
        }
        Timed::Not
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_what_a_twentieth_of_the_first_stable_calls_was_above() {
        let mut bound = Bound::new();
        let millis = Duration::from_millis;
        for took in (1..=200).rev() {
            assert_eq!(bound.take(Arm::Candidate, millis(9_999)), Timed::Not);
            assert_eq!(bound.take(Arm::Stable, millis(took)), Timed::Not);
        }
        assert_eq!(bound, Bound::Frozen(millis(190)));
        assert_eq!(bound.take(Arm::Candidate, millis(190)), Timed::Within);
        assert_eq!(bound.take(Arm::Candidate, millis(191)), Timed::Slow);
        // It stays, however slow the stable version becomes.
        (0..1_000).for_each(|_| assert_eq!(bound.take(Arm::Stable, millis(900)), Timed::Slow));
        assert_eq!(bound, Bound::Frozen(millis(190)));
    }
}
