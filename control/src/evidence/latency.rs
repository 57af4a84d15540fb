//! Is the candidate slower?
//!
//! A call is slow when it takes longer than 95 % of the stable version's did at the beginning of the rollout.
//! That bound is frozen, one for each method, so that it cannot follow a candidate that slows the stable
//! version down with it. Slow calls are then counted like failures, under a tolerance of their own.

use super::{Harm, Tick, Tolerance};

/// Evidence that the candidate is slower than is tolerated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slowness(Harm);

impl Default for Slowness {
    fn default() -> Slowness {
        Slowness::new()
    }
}

impl Slowness {
    /// No evidence yet.
    pub fn new() -> Slowness {
        Slowness(Harm::new(Tolerance::SLOWNESS))
    }

    /// What was stored of it: the logarithms of its harm.
    pub fn restore(relative: [f64; 6], absolute: [f64; 7]) -> Slowness {
        Slowness(Harm::restore(Tolerance::SLOWNESS, relative, absolute))
    }

    /// Takes up one stratum of one tick, in which slow calls are the failures.
    pub fn take(&mut self, tick: &Tick) {
        self.0.take(tick);
    }

    /// The evidence.
    pub fn harm(&self) -> &Harm {
        &self.0
    }
}
