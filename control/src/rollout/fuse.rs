//! A gateway's own judgement of a candidate, within seconds and without a leader.
//!
//! Asked once a second with the gateway's counts. It looks at failures alone, by the same evidence as the leader
//! and with a smaller chance to be wrong, because it has nobody to ask. Once open it stays open: the gateway gives
//! the candidate to nobody until the trial begins anew or the process does, and reports it. Whether the rollout
//! goes back is the leader's to say, who hears how many gateways agree.

use super::Trial;
use super::merge::{Mark, New};
use crate::evidence::{Harm, Tolerance};

/// The chance to open by mistake in a whole rollout.
const ALPHA: f64 = 0.001;

/// Whether a gateway gives a candidate to nobody any more.
#[derive(Clone, Debug)]
pub struct Fuse {
    harm: Harm,
    seen: Mark,
    open: bool,
}

impl Default for Fuse {
    fn default() -> Fuse {
        Fuse::new()
    }
}

impl Fuse {
    /// Closed, with nothing seen.
    pub fn new() -> Fuse {
        Fuse { harm: Harm::new(Tolerance::FAILURES), seen: Mark::default(), open: false }
    }

    /// Takes up what the gateway has counted since the last time; whether it is open now. Costs as much as the
    /// trial has strata.
    pub fn take(&mut self, trial: &Trial) -> bool {
        let mut new = New::default();
        self.seen.take(trial, trial.strata.clone(), &mut new);
        for stratum in new.strata() {
            self.harm.take(&stratum.failures);
        }
        self.open = self.open || self.harm.is_shown(ALPHA);
        self.open
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.open
    }

    /// Evidence of harm.
    pub fn harm(&self) -> &Harm {
        &self.harm
    }
}
