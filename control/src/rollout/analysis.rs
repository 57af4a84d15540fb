//! All evidence of one rollout, from its first tick to its last, whoever led meanwhile.

use serde_json::{Value, json};

use super::json::{field, list, reals};
use super::{Shift, Shifts, Unreadable};
use crate::evidence::{Counts, Excess, Harm, Relative, Safety, Slowness, Tick, Tolerance};

/// What was counted in one method of one frontend version, in one tick.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stratum {
    /// Calls that failed.
    pub failures: Tick,
    /// Calls that were slow.
    pub slow: Tick,
    /// Calls that were answered otherwise, by `Shift::place`.
    pub shifts: [Tick; Shift::COUNT],
}

/// The evidence of a rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Analysis {
    failures: Harm,
    slowness: Slowness,
    safety: Safety,
    excess: Excess,
    /// That stable fails and the candidate does not: the arms changed round.
    stable_worse: Harm,
    /// In both directions: more of it, and less.
    shifts: [(Relative, Relative); Shift::COUNT],
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
        let none = Relative::new(Tolerance::FAILURES.ratio);
        Analysis {
            failures: Harm::new(Tolerance::FAILURES),
            slowness: Slowness::new(),
            safety: Safety::new(),
            excess: Excess::default(),
            stable_worse: Harm::new(Tolerance::FAILURES),
            shifts: [(none, none); Shift::COUNT],
            sum: Tick::default(),
        }
    }

    /// Takes up a tick.
    pub fn take(&mut self, strata: &[Stratum]) {
        for stratum in strata {
            let failures = &stratum.failures;
            self.failures.take(failures);
            self.safety.take(failures);
            self.excess.take(failures);
            self.stable_worse.take(&reversed(failures));
            self.slowness.take(&stratum.slow);
            add(&mut self.sum.candidate, failures.candidate);
            add(&mut self.sum.stable, failures.stable);
            for ((more, less), tick) in self.shifts.iter_mut().zip(&stratum.shifts) {
                more.take(tick);
                less.take(&reversed(tick));
            }
        }
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
        self.stable_worse.is_shown(0.01) && !self.failures.is_shown(0.01)
    }

    /// What changed, in either direction, and was not accepted; several are looked at, so each has its part of the
    /// chance.
    pub(super) fn shift_shown(&self, alpha: f64, accepted: Shifts) -> Option<Shift> {
        let bound = -(alpha / (2.0 * crate::evidence::count(Shift::COUNT))).ln();
        Shift::ALL.into_iter().filter(|shift| !accepted.has(*shift)).find(|shift| {
            let (more, less) = &self.shifts[shift.place()];
            more.ln().max(less.ln()) >= bound
        })
    }

    /// Failures of the candidate beyond those that the stable version would have had, and beyond chance.
    pub fn excess_failures(&self) -> u64 {
        self.excess.failures()
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

    /// What to store of it: numbers in JSON, which are read as they were written, to the last bit.
    pub(super) fn value(&self) -> Value {
        let shift = |(more, less): &(Relative, Relative)| json!({ "more": more.logarithms(), "less": less.logarithms() });
        let Tick { candidate, stable } = self.sum;
        json!({
            "failures": harm_value(&self.failures),
            "slowness": harm_value(self.slowness.harm()),
            "stable_worse": harm_value(&self.stable_worse),
            "safety": self.safety.logarithms(),
            "excess": self.excess.parts(),
            "shifts": self.shifts.iter().map(shift).collect::<Vec<Value>>(),
            "sum": [candidate.calls, candidate.failures, stable.calls, stable.failures],
        })
    }

    /// What was stored of it.
    pub(super) fn read(value: &Value) -> Result<Analysis, Unreadable> {
        let (failures, slowness) = (harm(value, "failures")?, harm(value, "slowness")?);
        let stable_worse = harm(value, "stable_worse")?;
        let ratio = Tolerance::FAILURES.ratio;
        let mut shifts = Analysis::new().shifts;
        for ((more, less), value) in shifts.iter_mut().zip(list(value, "shifts")?) {
            *more = Relative::restore(ratio, reals(value, "more")?);
            *less = Relative::restore(ratio, reals(value, "less")?);
        }
        let sum = list(value, "sum")?.iter().map(Value::as_u64).collect::<Option<Vec<u64>>>();
        let sum: Option<[u64; 4]> = sum.and_then(|sum| sum.try_into().ok());
        let [calls, failed, stable_calls, stable_failed] = sum.ok_or(Unreadable::Field("sum"))?;
        Ok(Analysis {
            failures: Harm::restore(Tolerance::FAILURES, failures.0, failures.1),
            slowness: Slowness::restore(slowness.0, slowness.1),
            safety: Safety::restore(reals(value, "safety")?),
            excess: Excess::restore(reals(value, "excess")?),
            stable_worse: Harm::restore(Tolerance::FAILURES, stable_worse.0, stable_worse.1),
            shifts,
            sum: Tick {
                candidate: Counts { calls, failures: failed },
                stable: Counts { calls: stable_calls, failures: stable_failed },
            },
        })
    }
}

fn harm_value(harm: &Harm) -> Value {
    json!({ "relative": harm.relative().logarithms(), "absolute": harm.absolute().logarithms() })
}

fn harm(value: &Value, name: &'static str) -> Result<([f64; 6], [f64; 7]), Unreadable> {
    let harm = field(value, name)?;
    Ok((reals(harm, "relative")?, reals(harm, "absolute")?))
}

fn reversed(tick: &Tick) -> Tick {
    Tick { candidate: tick.stable, stable: tick.candidate }
}

fn add(sum: &mut Counts, more: Counts) {
    sum.calls += more.calls;
    sum.failures += more.failures;
}
