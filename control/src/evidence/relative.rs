//! Does the candidate fail more often than the stable version?
//!
//! Given that so many calls failed in a stratum and tick, each of them is the candidate's with a probability
//! that depends on the odds ratio and on the calls of both arms, and on nothing else: not on how many failed.
//! So an outage that both share, a daily cycle, and a method that always fails say nothing. The failures are
//! counted as if drawn one by one with putting back; without it, as they are, there is less chance in them, so
//! that the error is on the safe side. Several odds ratios are tried at once, and the evidence is their mean.

use super::{Tick, ln_mean, number};

/// The odds ratios that are tried.
const RATIOS: [f64; 6] = [2.0, 3.0, 5.0, 10.0, 30.0, 100.0];

/// Evidence that the odds of failure are more than a tolerated ratio of the stable version's.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Relative {
    tolerated: f64,
    /// Of each ratio, the logarithm of its likelihood over that of the tolerated one.
    logarithms: [f64; RATIOS.len()],
}

impl Relative {
    /// No evidence yet.
    pub fn new(tolerated: f64) -> Relative {
        Relative { tolerated, logarithms: [0.0; RATIOS.len()] }
    }

    /// What was stored of it.
    pub fn restore(tolerated: f64, logarithms: [f64; 6]) -> Relative {
        Relative { tolerated, logarithms }
    }

    /// What to store of it.
    pub fn logarithms(&self) -> [f64; 6] {
        self.logarithms
    }

    /// Takes up one stratum of one tick.
    pub fn take(&mut self, tick: &Tick) {
        if tick.candidate.failures == 0 && tick.stable.failures == 0 {
            return;
        }
        for (logarithm, ratio) in self.logarithms.iter_mut().zip(RATIOS) {
            *logarithm += likelihood(tick, ratio) - likelihood(tick, self.tolerated);
        }
    }

    /// The natural logarithm of the evidence.
    pub fn ln(&self) -> f64 {
        ln_mean(&self.logarithms)
    }
}

/// The logarithm of the probability of who failed, given how many did, up to what no ratio changes.
pub(super) fn likelihood(tick: &Tick, ratio: f64) -> f64 {
    let (candidate, stable) = (number(tick.candidate.calls) * ratio, number(tick.stable.calls));
    let all = (candidate + stable).ln();
    let of = |failures: u64, weight: f64| {
        // An arm without calls has no failures, and says nothing.
        if failures == 0 { 0.0 } else { number(failures) * (weight.ln() - all) }
    };
    of(tick.candidate.failures, candidate) + of(tick.stable.failures, stable)
}
