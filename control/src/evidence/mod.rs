//! Does the candidate do harm, is it proven safe, and would chance look like this?
//!
//! Evidence is an e-value: a number whose mean is at most one while the claim it speaks against is true. So
//! the chance that it ever reaches 100 is at most 1 %, however often one looks (Ville's inequality), and it
//! may be carried from step to step and from leader to leader. Values are kept as natural logarithms, because
//! evidence of a total outage has thousands of digits.
//!
//! Counts are per stratum, a method of one frontend version, and per tick. In them a unit fails at most once a
//! method and minute, because retries are not independent (`rollout::Repeats`). What counts as a failure is
//! decided where calls are made; which evidence acts on a rollout is decided in `rollout`.

mod absolute;
mod excess;
mod latency;
mod relative;
mod safety;
#[cfg(test)]
pub(crate) mod simulation;

pub use absolute::Absolute;
pub use excess::Excess;
pub use latency::Slowness;
pub use relative::Relative;
pub use safety::Safety;

/// Calls of one arm in one stratum and tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Calls that ended.
    pub calls: u64,
    /// How many of them failed, never more than `calls`.
    pub failures: u64,
}

/// Both arms of one stratum in one tick.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tick {
    /// Those whose slot is below the weight.
    pub candidate: Counts,
    /// The others.
    pub stable: Counts,
}

/// What counts as harm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tolerance {
    /// The odds ratio of failures that is tolerated: 1.25.
    pub ratio: f64,
    /// The share of failures that is tolerated whatever the stable version does: 0.002.
    pub floor: f64,
}

impl Tolerance {
    /// For failures.
    pub const FAILURES: Tolerance = Tolerance { ratio: 1.25, floor: 0.002 };
    /// For calls slower than the stable version's 95th percentile, of which stable has 5 % by definition.
    pub const SLOWNESS: Tolerance = Tolerance { ratio: 1.25, floor: 0.06 };
}

/// Whether failures are the candidate's: more than the stable version's, and more than a few.
///
/// Both have to be true, so both kinds of evidence have to be there, and no correction for two tests is needed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Harm {
    relative: Relative,
    absolute: Absolute,
}

impl Harm {
    /// No evidence yet.
    pub fn new(tolerance: Tolerance) -> Harm {
        Harm { relative: Relative::new(tolerance.ratio), absolute: Absolute::new(tolerance.floor) }
    }

    /// What was stored of it: the logarithms of `Relative` and of `Absolute`.
    pub fn restore(tolerance: Tolerance, relative: [f64; 6], absolute: [f64; 7]) -> Harm {
        Harm {
            relative: Relative::restore(tolerance.ratio, relative),
            absolute: Absolute::restore(tolerance.floor, absolute),
        }
    }

    /// Takes up one stratum of one tick.
    pub fn take(&mut self, tick: &Tick) {
        self.relative.take(tick);
        self.absolute.take(tick.candidate);
    }

    /// The natural logarithm of the evidence: the weaker of the two.
    pub fn ln(&self) -> f64 {
        self.relative.ln().min(self.absolute.ln())
    }

    /// Against the stable version.
    pub fn relative(&self) -> &Relative {
        &self.relative
    }

    /// Against the floor.
    pub fn absolute(&self) -> &Absolute {
        &self.absolute
    }

    /// Whether so much evidence would come by chance with a probability of at most `alpha`.
    pub fn is_shown(&self, alpha: f64) -> bool {
        self.ln() >= -alpha.ln()
    }
}

/// The logarithm of the mean of numbers given by their logarithms.
fn ln_mean(logarithms: &[f64]) -> f64 {
    let top = logarithms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return top;
    }
    let sum: f64 = logarithms.iter().map(|one| (one - top).exp()).sum();
    top + (sum / count(logarithms.len())).ln()
}

/// Counts are far below 2^53, where `f64` has every whole number.
#[expect(clippy::cast_precision_loss, reason = "counts are far below 2^53")]
pub(crate) fn number(count: u64) -> f64 {
    count as f64
}

pub(crate) fn count(length: usize) -> f64 {
    number(u64::try_from(length).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tick(candidate: (u64, u64), stable: (u64, u64)) -> Tick {
        let counts = |(calls, failures)| Counts { calls, failures };
        Tick { candidate: counts(candidate), stable: counts(stable) }
    }

    fn after(ticks: &[Tick]) -> Harm {
        let mut harm = Harm::new(Tolerance::FAILURES);
        ticks.iter().for_each(|tick| harm.take(tick));
        harm
    }

    #[test]
    fn nothing_seen_is_no_evidence_either_way() {
        assert_eq!(after(&[]).ln(), 0.0);
        assert_eq!(after(&[tick((0, 0), (0, 0))]).ln(), 0.0);
        let mut safety = Safety::new();
        safety.take(&tick((0, 0), (500, 1)));
        assert_eq!(safety.ln(), 0.0);
    }

    #[test]
    fn a_candidate_that_fails_everywhere_is_shown_to_do_harm_at_once() {
        let harm = after(&[tick((5, 5), (495, 1))]);
        assert!(harm.is_shown(0.01), "{}", harm.ln());
    }

    #[test]
    fn an_outage_of_both_arms_is_nobodys_harm() {
        let outage: Vec<Tick> = (0..30).map(|_| tick((25, 10), (475, 190))).collect();
        assert!(after(&outage).ln() < 0.0, "{}", after(&outage).ln());
    }

    #[test]
    fn more_than_stable_but_less_than_the_floor_is_tolerated() {
        let ticks: Vec<Tick> = (0..2_000).map(|at| tick((100, u64::from(at % 10 == 0)), (900, 0))).collect();
        let harm = after(&ticks);
        assert!(harm.relative().ln() > 10.0, "{}", harm.relative().ln());
        assert!(harm.ln() < 0.0, "{}", harm.ln());
    }

    #[test]
    fn a_stable_version_that_fails_is_no_harm_of_the_candidate() {
        let ticks: Vec<Tick> = (0..100).map(|_| tick((50, 0), (450, 200))).collect();
        assert!(after(&ticks).ln() < -1.0);
    }

    #[test]
    fn evidence_of_a_long_outage_stays_a_number() {
        let ticks: Vec<Tick> = (0..100_000).map(|_| tick((1_000, 1_000), (9_000, 0))).collect();
        let harm = after(&ticks);
        assert!(harm.ln().is_finite() && harm.ln() > 1e6, "{}", harm.ln());
    }

    #[test]
    fn silence_proves_no_safety_and_success_does() {
        let mut safety = Safety::new();
        for _ in 0..60 {
            safety.take(&tick((0, 0), (500, 2)));
        }
        assert!(!safety.is_shown(0.05));
        for _ in 0..200 {
            safety.take(&tick((25, 0), (475, 2)));
        }
        assert!(safety.is_shown(0.05), "{}", safety.ln());
    }
}
