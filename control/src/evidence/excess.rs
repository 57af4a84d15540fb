//! How many calls failed beyond those that would have failed on the stable version?
//!
//! Of each stratum and tick the candidate's failures are compared with the share of the stable version's calls
//! that failed beside them, so that an outage of both adds nothing, at whatever weight it comes. What chance adds
//! grows with traffic: four standard deviations are taken off, so that a busy service does not go back for it.
//! This is no proof of harm, which needs a ratio; it bounds how many are hurt while proof is missing.

use super::{Tick, number};

/// Standard deviations that are taken off. The chance to exceed them at any of a rollout's ticks is below 1 %.
const DEVIATIONS: f64 = 4.0;

/// Failures of the candidate beyond what the stable version would have had.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Excess {
    sum: f64,
    variance: f64,
}

impl Excess {
    /// What was stored of it.
    pub fn restore([sum, variance]: [f64; 2]) -> Excess {
        Excess { sum, variance }
    }

    /// What to store of it.
    pub fn parts(&self) -> [f64; 2] {
        [self.sum, self.variance]
    }

    /// Takes up one stratum of one tick. Without a call of the stable version there is nothing to compare with.
    pub fn take(&mut self, tick: &Tick) {
        if tick.candidate.calls == 0 || tick.stable.calls == 0 {
            return;
        }
        let (candidate, stable) = (number(tick.candidate.calls), number(tick.stable.calls));
        let (failed, control) = (number(tick.candidate.failures), number(tick.stable.failures));
        let both = (failed + control) / (candidate + stable);
        self.sum += failed - candidate * control / stable;
        self.variance += candidate * both * (1.0 - both) * (1.0 + candidate / stable);
    }

    /// Those that chance does not explain; zero when it explains all.
    pub fn failures(&self) -> u64 {
        let beyond = self.sum - DEVIATIONS * self.variance.max(0.0).sqrt();
        whole(beyond)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "never below zero, and far below 2^53"
)]
fn whole(value: f64) -> u64 {
    value.max(0.0) as u64
}

#[cfg(test)]
mod tests {
    use super::super::simulation::{Dice, at_most, runs};
    use super::super::{Counts, count};
    use super::*;

    #[test]
    fn chance_makes_no_excess_however_much_traffic_there_is() {
        let mut dice = Dice::new(31);
        for (calls, rate) in [(25_000.0, 0.05), (25_000.0, 0.3), (250.0, 0.005), (25.0, 0.05)] {
            let mut above = 0;
            for _ in 0..runs() {
                let mut excess = Excess::default();
                above += usize::from((0..240).any(|_| {
                    let (candidate, stable) = (dice.counts(calls, rate), dice.counts(calls, rate));
                    excess.take(&Tick { candidate, stable });
                    excess.failures() > 20
                }));
            }
            let share = count(above) / number(runs());
            assert!(share <= at_most(0.01), "{calls} at {rate}: {share}");
        }
    }

    #[test]
    fn failures_beyond_the_stable_versions_add_up_and_an_outage_of_both_does_not() {
        let counts = |calls, failures| Counts { calls, failures };
        let mut excess = Excess::default();
        (0..100).for_each(|_| excess.take(&Tick { candidate: counts(1_000, 11), stable: counts(1_000, 1) }));
        assert!((800..=1_000).contains(&excess.failures()), "{}", excess.failures());
        let before = excess.failures();
        // At another weight than before, and with nobody left on the stable version.
        excess.take(&Tick { candidate: counts(100, 90), stable: counts(9_900, 8_910) });
        excess.take(&Tick { candidate: counts(100, 90), stable: counts(0, 0) });
        assert!(excess.failures() <= before, "{}", excess.failures());
        assert_eq!(Excess::restore(excess.parts()), excess);
    }
}
