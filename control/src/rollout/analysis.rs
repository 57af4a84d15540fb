//! All evidence of one rollout, from its first tick to its last, whoever led meanwhile.

use crate::evidence::{Counts, Harm, Relative, Safety, Slowness, Tick, Tolerance};

/// What was counted in one method of one frontend version, in one tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stratum {
    /// Calls that failed.
    pub failures: Tick,
    /// Calls that were slow.
    pub slow: Tick,
    /// Calls that were answered with NOT_FOUND, INVALID_ARGUMENT or PERMISSION_DENIED, or without something that
    /// was asked for: by the name of what changed.
    pub shifts: Vec<(&'static str, Tick)>,
}

/// The evidence of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    failures: Harm,
    slowness: Slowness,
    safety: Safety,
    /// That stable fails more than the candidate: the arms changed round.
    stable_worse: Relative,
    /// By name, in both directions.
    shifts: Vec<(&'static str, Relative, Relative)>,
    /// All calls until now.
    sum: Tick,
}

impl Default for Analysis {
    fn default() -> Analysis {
        Analysis::new()
    }
}

impl Analysis {
    /// No evidence yet.
    pub fn new() -> Analysis {
        Analysis {
            failures: Harm::new(Tolerance::FAILURES),
            slowness: Slowness::new(),
            safety: Safety::new(),
            stable_worse: Relative::new(Tolerance::FAILURES.ratio),
            shifts: Vec::new(),
            sum: Tick::default(),
        }
    }

    /// Takes up a tick.
    pub fn take(&mut self, strata: &[Stratum]) {
        for stratum in strata {
            let failures = &stratum.failures;
            self.failures.take(failures);
            self.safety.take(failures);
            self.stable_worse.take(&reversed(failures));
            self.slowness.take(&stratum.slow);
            add(&mut self.sum.candidate, failures.candidate);
            add(&mut self.sum.stable, failures.stable);
            for (name, tick) in &stratum.shifts {
                self.shift(name, tick);
            }
        }
    }

    fn shift(&mut self, name: &'static str, tick: &Tick) {
        let place = self.shifts.iter().position(|(known, ..)| *known == name).unwrap_or_else(|| {
            let none = Relative::new(Tolerance::FAILURES.ratio);
            self.shifts.push((name, none, none));
            self.shifts.len() - 1
        });
        let (_, more, less) = &mut self.shifts[place];
        more.take(tick);
        less.take(&reversed(tick));
    }

    /// The evidence against the candidate, when it is enough.
    pub(super) fn failures_shown(&self, alpha: f64) -> Option<f64> {
        self.failures.is_shown(alpha).then(|| self.failures.ln())
    }

    /// The same for slowness.
    pub(super) fn slowness_shown(&self, alpha: f64) -> Option<f64> {
        self.slowness.harm().is_shown(alpha).then(|| self.slowness.harm().ln())
    }

    pub(super) fn safety_shown(&self, beta: f64) -> bool {
        self.safety.is_shown(beta)
    }

    /// Whether it is the stable version that fails.
    pub(super) fn stable_is_worse(&self) -> bool {
        self.stable_worse.ln() >= 100.0_f64.ln() && !self.failures.is_shown(0.01)
    }

    /// What changed, in either direction; several are looked at, so each has its part of the chance.
    pub(super) fn shift_shown(&self, alpha: f64) -> Option<&'static str> {
        let bound = -(alpha / (2.0 * number(self.shifts.len().max(1)))).ln();
        let shown = self.shifts.iter().find(|(_, more, less)| more.ln().max(less.ln()) >= bound);
        shown.map(|(name, ..)| *name)
    }

    /// Failures of the candidate beyond those that the stable version would have had in as many calls.
    pub fn excess_failures(&self) -> u64 {
        let Tick { candidate, stable } = self.sum;
        let (failures, calls) = (u128::from(stable.failures), u128::from(stable.calls.max(1)));
        let expected = u128::from(candidate.calls) * failures / calls;
        u64::try_from(u128::from(candidate.failures).saturating_sub(expected)).unwrap_or(u64::MAX)
    }

    /// All calls until now.
    pub fn sum(&self) -> Tick {
        self.sum
    }

    /// Evidence of harm by failures.
    pub fn failures(&self) -> &Harm {
        &self.failures
    }

    /// Evidence of harm by slowness.
    pub fn slowness(&self) -> &Slowness {
        &self.slowness
    }

    /// Evidence of safety.
    pub fn safety(&self) -> &Safety {
        &self.safety
    }
}

fn reversed(tick: &Tick) -> Tick {
    Tick { candidate: tick.stable, stable: tick.candidate }
}

fn add(sum: &mut Counts, more: Counts) {
    sum.calls += more.calls;
    sum.failures += more.failures;
}

/// A handful.
fn number(length: usize) -> f64 {
    u32::try_from(length).map_or(f64::MAX, f64::from)
}
