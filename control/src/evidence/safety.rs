//! Is it shown that the candidate is not much worse?
//!
//! The evidence speaks against a candidate that fails at least twice as often as the stable version and in at
//! least 0.4 % of its calls. Either half of that claim can be disproved: by failures that fall on both arms
//! alike, or by calls that go well. The mean of both is evidence against the whole. A rollout goes on at 20,
//! so that a candidate of that kind gets on with a probability of 5 % at most. Nothing seen is nothing shown.

use super::relative::likelihood;
use super::{Counts, Tick, ln_mean, number};

/// The odds ratio and the share of failures of a candidate that is as it should be.
const GOOD: (f64, f64) = (1.0, 0.001);
/// Those of one that must not go on.
const BAD: (f64, f64) = (2.0, 0.004);

/// Evidence that a candidate may go on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Safety {
    relative: f64,
    absolute: f64,
}

impl Default for Safety {
    fn default() -> Safety {
        Safety::new()
    }
}

impl Safety {
    /// No evidence yet.
    pub fn new() -> Safety {
        Safety { relative: 0.0, absolute: 0.0 }
    }

    /// What was stored of it.
    pub fn restore([relative, absolute]: [f64; 2]) -> Safety {
        Safety { relative, absolute }
    }

    /// What to store of it.
    pub fn logarithms(&self) -> [f64; 2] {
        [self.relative, self.absolute]
    }

    /// Takes up one stratum of one tick.
    pub fn take(&mut self, tick: &Tick) {
        if tick.candidate.failures.max(tick.stable.failures) > 0 && tick.candidate.calls > 0 {
            self.relative += likelihood(tick, GOOD.0) - likelihood(tick, BAD.0);
        }
        let failed = number(tick.candidate.failures);
        let went_well = number(tick.candidate.calls.saturating_sub(tick.candidate.failures));
        self.absolute += failed * (GOOD.1 / BAD.1).ln() + went_well * ((1.0 - GOOD.1) / (1.0 - BAD.1)).ln();
    }

    /// The natural logarithm of the evidence.
    pub fn ln(&self) -> f64 {
        ln_mean(&[self.relative, self.absolute])
    }

    /// Whether so much evidence would come by chance with a probability of at most `alpha`.
    pub fn is_shown(&self, alpha: f64) -> bool {
        self.ln() >= -alpha.ln()
    }

    /// How many more calls of the candidate it would take, if they go as all did until now; none if it never
    /// comes to that. `candidate` is what it was until now.
    pub fn calls_missing(&self, alpha: f64, candidate: Counts) -> Option<f64> {
        // As if a hundred calls of a good candidate came before, so that the first ones do not decide.
        let seen = number(candidate.calls) + 100.0;
        let failing = (number(candidate.failures) + 100.0 * GOOD.1) / seen;
        let step = failing * (GOOD.1 / BAD.1).ln() + (1.0 - failing) * ((1.0 - GOOD.1) / (1.0 - BAD.1)).ln();
        // Either half reaches it alone when it is twice as large as the mean has to be.
        let bound = -alpha.ln() + std::f64::consts::LN_2;
        let missing = |now: f64, step: f64| (step > 0.0).then(|| ((bound - now) / step).max(0.0));
        let halves = [missing(self.absolute, step), missing(self.relative, self.relative / seen)];
        halves.into_iter().flatten().min_by(f64::total_cmp)
    }
}
