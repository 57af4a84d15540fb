//! Facts about a rollout that others decide: does it have to wait for them, do all gateways route by it, how much
//! traffic does it have?
//!
//! Whoever leads asks at each tick and puts the answers into `Facts`. Coverage and open fuses are not here: they
//! come with the counts, from `Watermarks::take`.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{Report, Rollout};
use crate::id::ServiceName;

/// After this long half of a rate is what was counted since.
const HALF_LIFE_S: f64 = 300.0;

/// Whether a rollout of this service has to wait: because another of the service is under way, which ends or
/// gives way to a newer one, or because users of some frontend are in `most` others, as many as they may be.
/// `reach` has, of each frontend, the services that it uses. Whoever begins several at one tick asks again after
/// each.
pub fn must_wait<'a>(
    service: &ServiceName,
    rollouts: impl IntoIterator<Item = &'a Rollout>,
    reach: &[BTreeSet<ServiceName>],
    most: usize,
) -> bool {
    let exposed = rollouts.into_iter().filter(|rollout| rollout.is_exposed());
    let exposed: Vec<&ServiceName> = exposed.map(|rollout| &rollout.service).collect();
    let others = |reached: &BTreeSet<ServiceName>| {
        exposed.iter().filter(|service| reached.contains(**service)).count() >= most
    };
    exposed.contains(&service) || reach.iter().filter(|reached| reached.contains(service)).any(others)
}

/// How many gateways route by this revision of the records, or a later one.
pub fn acknowledged(reports: &[Report], revision: u64) -> u32 {
    let replicas: BTreeSet<&str> = reports
        .iter()
        .filter(|report| report.revision >= revision)
        .map(|report| report.replica.as_str())
        .collect();
    u32::try_from(replicas.len()).unwrap_or(u32::MAX)
}

/// Calls a second, of late.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rate {
    /// Calls, each worth less the longer it is ago.
    calls: f64,
    /// Seconds, worth less in the same way.
    seconds: f64,
}

impl Rate {
    /// Takes up the calls of a tick.
    pub fn take(&mut self, calls: u64, elapsed: Duration) {
        let seconds = elapsed.as_secs_f64();
        let keep = (-seconds / HALF_LIFE_S * std::f64::consts::LN_2).exp();
        self.calls = self.calls * keep + crate::evidence::number(calls);
        self.seconds = self.seconds * keep + seconds;
    }

    /// Calls a second; zero when nothing was counted yet.
    pub fn per_second(&self) -> f64 {
        if self.seconds > 0.0 { self.calls / self.seconds } else { 0.0 }
    }

    /// What was stored of it.
    pub fn restore([calls, seconds]: [f64; 2]) -> Rate {
        Rate { calls, seconds }
    }

    /// What to store of it.
    pub fn parts(&self) -> [f64; 2] {
        [self.calls, self.seconds]
    }
}
