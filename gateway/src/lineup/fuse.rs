//! Does the candidate fail so much here that this process should stop choosing it, without asking anybody?
//!
//! The same evidence and the same counts as the leader's, of this process alone, looked at each second: when it would come
//! by chance once in a thousand rollouts, the fuse opens. It does not close again; a rollout that begins anew has
//! a new one. It knows no calls, only what is counted of them.

use std::collections::HashMap;
use std::sync::Arc;

use turnout_control::evidence::{Counts, Harm, Tick, Tolerance};
use turnout_control::rollout::{Arms, Tallied};

use super::strata::Stratum;

/// The chance that it opens for failures that are not the candidate's.
const ALPHA: f64 = 0.001;

/// The evidence of one process.
#[derive(Debug)]
pub(super) struct Fuse {
    harm: Harm,
    /// The counts that were taken up, by stratum.
    taken: HashMap<Arc<Stratum>, Arms>,
}

impl Fuse {
    /// No evidence yet.
    pub(super) fn new() -> Fuse {
        Fuse { harm: Harm::new(Tolerance::FAILURES), taken: HashMap::new() }
    }

    /// Takes up what was counted until now; whether that is enough to open.
    pub(super) fn take(&mut self, counted: impl IntoIterator<Item = (Arc<Stratum>, Arms)>) -> bool {
        for (stratum, now) in counted {
            let before = self.taken.insert(stratum, now).unwrap_or_default();
            self.harm.take(&Tick {
                candidate: since(now.candidate, before.candidate),
                stable: since(now.stable, before.stable),
            });
        }
        self.harm.is_shown(ALPHA)
    }

    /// The natural logarithm of the evidence.
    pub(super) fn ln(&self) -> f64 {
        self.harm.ln()
    }
}

fn since(now: Tallied, before: Tallied) -> Counts {
    Counts {
        calls: now.calls.saturating_sub(before.calls),
        failures: now.failures.saturating_sub(before.failures),
    }
}
