//! All evidence of one rollout, from its first tick to its last, whoever led meanwhile.
//!
//! What is counted of each stratum goes into several kinds of evidence at once; which of them acts, and how, is
//! for `step` to say. Nothing here forgets but what tells an outage.

use serde_json::{Value, json};

use super::json::{field, list, reals};
use super::{Shift, Shifts, Unreadable};
use crate::evidence::{Counts, Excess, Harm, Relative, Safety, Slowness, Tick, Tolerance, number};

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
    lately: Lately,
}

/// Calls of late, in which each tick is worth less than the one after it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Lately {
    /// Of the last minute or so: calls and failures of the candidate and of the stable version.
    minute: [f64; 4],
    /// Of the last half hour or so: calls and failures of the stable version.
    half_hour: [f64; 2],
}

/// What a tick is worth at the next one.
const KEEP_MINUTE: f64 = 0.8;
const KEEP_HALF_HOUR: f64 = 0.995;
/// Both versions have an outage when so large a share of the calls of each fails, and so many times the share of
/// the last half hour. A service that fails so often at all times has none.
const OUTAGE_SHARE: f64 = 0.05;
const OUTAGE_TIMES: f64 = 3.0;
/// Of fewer failures of each nothing is concluded.
const OUTAGE_FAILURES: f64 = 2.0;
/// As if there had been so many ticks before the rollout, in which so large a share failed.
const BEFORE: (f64, f64) = (30.0, 0.01);

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
            lately: Lately::default(),
        }
    }

    /// Takes up a tick.
    pub fn take(&mut self, strata: &[Stratum]) {
        self.lately.fade();
        for stratum in strata {
            let failures = &stratum.failures;
            self.lately.add(failures);
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

    /// Evidence that it is the stable version that fails, as a natural logarithm.
    pub(super) fn stable_worse(&self) -> f64 {
        self.stable_worse.ln()
    }

    /// Whether both versions fail of late, much more than before.
    pub(super) fn both_fail(&self) -> bool {
        let [calls, failed, stable_calls, stable_failed] = self.lately.minute;
        let [all, all_failed] = self.lately.half_hour;
        let before = BEFORE.0 * stable_calls * (1.0 - KEEP_MINUTE);
        let usual = (all_failed + before * BEFORE.1) / (all + before).max(1.0);
        let fails = |calls: f64, failed: f64| {
            failed >= OUTAGE_FAILURES && failed >= calls * OUTAGE_SHARE.max(usual * OUTAGE_TIMES)
        };
        fails(calls, failed) && fails(stable_calls, stable_failed)
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
            "minute": self.lately.minute,
            "half_hour": self.lately.half_hour,
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
            lately: Lately { minute: reals(value, "minute")?, half_hour: reals(value, "half_hour")? },
            sum: Tick {
                candidate: Counts { calls, failures: failed },
                stable: Counts { calls: stable_calls, failures: stable_failed },
            },
        })
    }
}

impl Lately {
    fn fade(&mut self) {
        self.minute.iter_mut().for_each(|count| *count *= KEEP_MINUTE);
        self.half_hour.iter_mut().for_each(|count| *count *= KEEP_HALF_HOUR);
    }

    fn add(&mut self, tick: &Tick) {
        let Tick { candidate, stable } = tick;
        let counts = [candidate.calls, candidate.failures, stable.calls, stable.failures].map(number);
        self.minute.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        self.half_hour.iter_mut().zip(&counts[2..]).for_each(|(sum, count)| *sum += count);
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
    sum.calls = sum.calls.saturating_add(more.calls);
    sum.failures = sum.failures.saturating_add(more.failures);
}
