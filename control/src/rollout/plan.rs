//! How a rollout is meant to go: its steps, and what decides at each.

use std::time::Duration;

use crate::slot::Weight;

/// The steps of a rollout, and how sure one wants to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Plan {
    /// In their order, never empty; after the last one the candidate is stable.
    pub steps: Vec<Step>,
    /// The chance to go back for failures that are not the candidate's: 0.01.
    pub alpha_failures: f64,
    /// The same for slowness: 0.005.
    pub alpha_slowness: f64,
    /// The chance to hold for a shift that is none: 0.005.
    pub alpha_shift: f64,
    /// The chance to go on with a candidate that is twice as bad: 0.05.
    pub beta: f64,
    /// Failures beyond what the stable version would have had, after which it goes back without more proof.
    pub excess_failures_max: u64,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// How many get the candidate; a frontend may have a cap below.
    pub weight: Weight,
    /// How long it stays at least.
    pub dwell_min: Duration,
    /// After how long without proof an operator has to decide.
    pub dwell_max: Duration,
    /// How many warm instances of the candidate have to be there to go on.
    pub instances_min: u32,
    /// Who decides to go on.
    pub approval: Approval,
}

/// Who decides to leave a step. Evidence is asked for in either case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Approval {
    /// The evidence alone.
    Evidence,
    /// An operator too.
    Operator,
}

/// Up to a half, so that there is a stable version to compare with.
const WEIGHTS: [u32; 4] = [10_000, 50_000, 200_000, 500_000];
const DWELL_MIN: Duration = Duration::from_secs(10 * 60);
const DWELL_MAX: Duration = Duration::from_secs(2 * 60 * 60);
/// The calls that the first step should see within half an hour, and its largest share.
const FIRST_CALLS: f64 = 300.0;
const FIRST_TIME_S: f64 = 1800.0;
const FIRST_WEIGHT_MAX: u32 = 200_000;

impl Plan {
    /// The plan when nobody says otherwise, for a service with so many calls a second. One per cent of a quiet
    /// service proves nothing, so that the first step is as large as it has to be.
    pub fn usual(calls_per_second: f64, approval: Approval) -> Plan {
        let expected = calls_per_second.max(0.0) * FIRST_TIME_S;
        let share = if expected > 0.0 { FIRST_CALLS / expected * 1e6 } else { f64::from(FIRST_WEIGHT_MAX) };
        let first = WEIGHTS.iter().copied().find(|weight| f64::from(*weight) >= share);
        let first = first.unwrap_or(FIRST_WEIGHT_MAX).min(FIRST_WEIGHT_MAX);
        let weights = WEIGHTS.into_iter().filter(|weight| *weight >= first);
        let step = |weight| Step {
            weight: Weight::ppm(weight).unwrap_or(Weight::ALL),
            dwell_min: DWELL_MIN,
            dwell_max: DWELL_MAX,
            instances_min: 1,
            approval,
        };
        Plan {
            steps: weights.map(step).collect(),
            alpha_failures: 0.01,
            alpha_slowness: 0.005,
            alpha_shift: 0.005,
            beta: 0.05,
            excess_failures_max: 500,
        }
    }
}
