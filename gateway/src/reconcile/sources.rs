//! What views are made from: what is registered, what of it is public, and what the configuration says of callers.
//!
//! Everything that changes while the gateway runs is followed by a watch; a change makes the views anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::watch;
use turnout_control::id::{AppName, ServiceName};
use turnout_schema::subgraph::Exposure;

use crate::config::{CohortUnit, Config};
use crate::lineup::Trials;
use crate::registry::Registry;
use crate::registry::schemas::Findings;
use crate::telemetry::Meters;
use crate::upstream::fleet::Fleet;

/// What views are made from.
#[derive(Clone, Debug)]
pub struct Sources {
    /// What is registered, and what was decided.
    pub registry: Registry,
    /// Who is called; it is kept in step with the registry here and nowhere else.
    pub fleet: Arc<Fleet>,
    /// What of services is public. A change makes the graphs anew.
    pub exposures: watch::Receiver<Exposures>,
    /// What is to be said of versions that have no descriptors.
    pub schemas: watch::Receiver<Arc<Findings>>,
    /// Who callers are taken for, and who of them sticks to a version.
    pub callers: watch::Receiver<Callers>,
    /// What is counted of candidates.
    pub trials: Trials,
    /// Count the calls of each version.
    pub meters: Meters,
}

/// What of services is public.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exposures {
    services: BTreeMap<ServiceName, Exposure>,
    others: Exposure,
}

impl Exposures {
    /// These services like this, and all others like that.
    pub fn new(services: BTreeMap<ServiceName, Exposure>, others: Exposure) -> Exposures {
        Exposures { services, others }
    }

    /// The same, but for one service.
    pub(super) fn with(&self, service: &ServiceName, exposure: Exposure) -> Exposures {
        let mut exposures = self.clone();
        exposures.services.insert(service.clone(), exposure);
        exposures
    }

    /// What of this service is public.
    pub fn of(&self, service: &ServiceName) -> Exposure {
        self.services.get(service).copied().unwrap_or(self.others)
    }
}

/// What a configuration says of callers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Callers {
    /// The app of those who name none.
    default: Option<AppName>,
    cohorts: BTreeMap<ServiceName, CohortUnit>,
    others: CohortUnit,
}

impl Callers {
    /// What a configuration says.
    pub fn of(config: &Config) -> Callers {
        let cohort = |name: &ServiceName| (name.clone(), config.service(name).cohort_unit);
        Callers {
            default: config.frontends.default.as_ref().and_then(|name| name.as_str().parse().ok()),
            cohorts: config.services.keys().map(cohort).collect(),
            others: config.any_service.cohort_unit,
        }
    }

    /// The app of callers who name none.
    pub fn default_app(&self) -> Option<&AppName> {
        self.default.as_ref()
    }

    /// Who sticks to a version of a service.
    pub fn cohort(&self, service: &ServiceName) -> CohortUnit {
        self.cohorts.get(service).copied().unwrap_or(self.others)
    }
}
