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
