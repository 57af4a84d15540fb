//! Does the candidate fail more often than is tolerated of anybody?
//!
//! A version that fails in two calls of a hundred thousand, where the other fails in one, is twice as bad and
//! no reason to go back. Evidence here speaks against a rate at or below the floor.

use super::{Counts, ln_mean, number};

/// The multiples of the floor that are tried. One at which everything fails is left out.
const MULTIPLES: [f64; 7] = [2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 200.0];

/// Evidence that a share of failures is above a floor.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Absolute {
    floor: f64,
    logarithms: [f64; MULTIPLES.len()],
}

impl Absolute {
    /// No evidence yet. The floor is a share above 0 and below a half.
    pub fn new(floor: f64) -> Absolute {
        Absolute { floor, logarithms: [0.0; MULTIPLES.len()] }
    }

    /// What was stored of it.
    pub fn restore(floor: f64, logarithms: [f64; 7]) -> Absolute {
        Absolute { floor, logarithms }
    }

    /// What to store of it.
    pub fn logarithms(&self) -> [f64; 7] {
        self.logarithms
    }

    /// Takes up the candidate's calls of one stratum and tick.
    pub fn take(&mut self, candidate: Counts) {
        let failed = number(candidate.failures);
        let went_well = number(candidate.calls.saturating_sub(candidate.failures));
        for (logarithm, multiple) in self.logarithms.iter_mut().zip(MULTIPLES) {
            // Every multiple of a high floor that would be a rate above 95 % is tried as 95 %.
            let rate = (self.floor * multiple).min(0.95);
            *logarithm +=
                failed * (rate / self.floor).ln() + went_well * ((1.0 - rate) / (1.0 - self.floor)).ln();
        }
    }

    /// The natural logarithm of the evidence.
    pub fn ln(&self) -> f64 {
        ln_mean(&self.logarithms)
    }
}
