//! What the configuration says of rollouts, for all services and for each.
//!
//! Read again while the gateway runs. A rollout takes its plan when it begins and keeps it; the rest of what is
//! said here holds at the next tick.

use std::collections::BTreeMap;
use std::time::Duration;

use turnout_control::id::ServiceName;
use turnout_control::rollout::{self, Approval};
use turnout_control::slot::Weight;

use crate::config::{Config, OnNewVersion, RolloutsConfig, ServiceConfig};

/// What holds for rollouts.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How many get a candidate, step by step; ascending, at least one.
    pub steps: Vec<Weight>,
    /// How long a rollout stays at a step at least.
    pub dwell: Duration,
    /// After how long without proof an operator has to decide.
    pub dwell_max: Duration,
    /// Failures beyond those of the stable version after which it goes back without more proof.
    pub excess_failures: u64,
    /// How long an instance is registered before it gets calls of a rollout.
    pub warmup: Duration,
    /// How often the evidence is looked at.
    pub tick: Duration,
    /// How many rollouts one frontend may see at once.
    pub concurrent: u32,
    /// How many warm instances a candidate needs to leave a step.
    pub instances_min: u32,
    /// For those services that the configuration names.
    services: BTreeMap<ServiceName, Wanted>,
    others: Wanted,
}

/// What is wanted of the new versions of one service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    /// What a new version does by itself.
    pub on_new_version: OnNewVersion,
    /// Who decides to leave a step.
    pub approval: Approval,
}

impl Settings {
    /// What a configuration says.
    pub fn of(config: &Config) -> Settings {
        let RolloutsConfig {
            steps,
            dwell,
            dwell_max,
            excess_failures,
            warmup,
            tick,
            concurrent,
            instances_min,
        } = config.rollouts.clone();
        let wanted = |service: &ServiceConfig| Wanted {
            on_new_version: service.on_new_version,
            approval: service.approval,
        };
        let services = config.services.iter().map(|(name, service)| (name.clone(), wanted(service)));
        Settings {
            steps,
            dwell,
            dwell_max,
            excess_failures,
            warmup,
            tick,
            concurrent,
            instances_min,
            services: services.collect(),
            others: wanted(&config.any_service),
        }
    }

    /// How rollouts of a service are meant to go.
    pub(super) fn plan(&self, service: &ServiceName) -> rollout::Settings {
        rollout::Settings {
            weights: self.steps.clone(),
            dwell_min: self.dwell,
            dwell_max: self.dwell_max,
            approval: self.wanted(service).approval,
            excess_failures_max: self.excess_failures,
            instances_min: self.instances_min,
            ..rollout::Settings::usual()
        }
    }

    /// What is wanted of the new versions of a service.
    pub fn wanted(&self, service: &ServiceName) -> Wanted {
        self.services.get(service).copied().unwrap_or(self.others)
    }
}
