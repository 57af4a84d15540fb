//! How a rollout is meant to go: its steps, and what decides at each.
//!
//! A plan is made from settings when a rollout begins, and stays as it is: settings that change later are for
//! later rollouts. The first step is as large as a quiet service needs it to be, because one per cent of little
//! proves nothing, and never above a cap.

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

/// What an operator sets about all rollouts of a service.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The weights of the steps, rising, none of them zero.
    pub weights: Vec<Weight>,
    /// The largest first step that is taken because a service is quiet.
    pub first_max: Weight,
    /// How long a step stays at least.
    pub dwell_min: Duration,
    /// After how long without proof an operator has to decide.
    pub dwell_max: Duration,
    /// Who decides to leave a step.
    pub approval: Approval,
    /// Failures beyond what the stable version would have had, after which a rollout goes back.
    pub excess_failures_max: u64,
    /// How many warm instances of the candidate have to be there to go on.
    pub instances_min: u32,
}

/// Up to a half, so that there is a stable version to compare with.
const WEIGHTS_PPM: [u32; 4] = [10_000, 50_000, 200_000, 500_000];
const FIRST_MAX_PPM: u32 = 200_000;
/// The calls that the first step should see within half an hour.
const FIRST_CALLS: f64 = 300.0;
const FIRST_TIME_S: f64 = 1800.0;

impl Settings {
    /// When nobody says otherwise.
    pub fn usual() -> Settings {
        let weight = |ppm| Weight::ppm(ppm).unwrap_or(Weight::ALL);
        Settings {
            weights: WEIGHTS_PPM.into_iter().map(weight).collect(),
            first_max: weight(FIRST_MAX_PPM),
            dwell_min: Duration::from_secs(10 * 60),
            dwell_max: Duration::from_secs(2 * 60 * 60),
            approval: Approval::Evidence,
            excess_failures_max: 500,
            instances_min: 1,
        }
    }
}

impl Plan {
    /// The plan by these settings, for a service with so many calls a second; zero when nobody knows.
    pub fn new(settings: &Settings, calls_per_second: f64) -> Plan {
        let step = |weight| Step {
            weight,
            dwell_min: settings.dwell_min,
            dwell_max: settings.dwell_max.max(settings.dwell_min),
            instances_min: settings.instances_min,
            approval: settings.approval,
        };
        Plan {
            steps: weights(settings, calls_per_second).into_iter().map(step).collect(),
            alpha_failures: 0.01,
            alpha_slowness: 0.005,
            alpha_shift: 0.005,
            beta: 0.05,
            excess_failures_max: settings.excess_failures_max,
        }
    }

    /// The plan when nobody says otherwise.
    pub fn usual(calls_per_second: f64, approval: Approval) -> Plan {
        Plan::new(&Settings { approval, ..Settings::usual() }, calls_per_second)
    }

    /// The plan of another try with the same build: whoever tries often enough is lucky once, so that each try
    /// has half the chance of the one before.
    #[must_use]
    pub fn again(mut self) -> Plan {
        for chance in [&mut self.alpha_failures, &mut self.alpha_slowness, &mut self.beta] {
            *chance /= 2.0;
        }
        self
    }
}

/// The configured weights from the first one on that sees enough calls, and is not above the cap.
fn weights(settings: &Settings, calls_per_second: f64) -> Vec<Weight> {
    let mut rising: Vec<Weight> =
        settings.weights.iter().copied().filter(|weight| *weight > Weight::NONE).collect();
    rising.sort_unstable();
    rising.dedup();
    let expected = calls_per_second.max(0.0) * FIRST_TIME_S;
    let enough = |weight: &Weight| expected * f64::from(weight.as_ppm()) / 1e6 >= FIRST_CALLS;
    // What is configured to come first may: the cap is for what a quiet service would make of it.
    let most = rising.first().copied().unwrap_or(Weight::NONE).max(settings.first_max);
    let allowed: Vec<Weight> = rising.iter().copied().filter(|weight| *weight <= most).collect();
    let first = allowed.iter().copied().find(enough).or(allowed.last().copied()).unwrap_or(most);
    std::iter::once(first).chain(rising.into_iter().filter(|weight| *weight > first)).collect()
}
