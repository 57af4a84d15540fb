//! Descriptors that nobody pushed: where they come from, and where they are kept.
//!
//! Most services push their descriptors. For a version whose instances named none, the operator may say where
//! they are; otherwise an instance is asked, by gRPC's server reflection or by Kratos' own service. What was
//! found is stored and bound to the version, and from there on it is a version like any other. None of this is
//! on the way of a request. `cache` keeps descriptors on the disk of a gateway whose store is elsewhere.

mod attempt;
pub mod cache;
mod files;
mod job;
mod reflection;
mod resolver;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use cache::{Cache, Cached, cached};
pub use reflection::Asker;
pub use resolver::{Findings, Resolver, new, run};
use turnout_control::id::ServiceName;

use crate::config::{Config, SchemaPolicy};

/// What the operator says about all services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// Services of which something is said.
    pub services: BTreeMap<ServiceName, SchemaPolicy>,
    /// What holds for the others.
    pub others: SchemaPolicy,
}

impl Policies {
    /// What a configuration says.
    pub fn read(config: &Config) -> Policies {
        let named = config.services.iter().map(|(name, service)| (name.clone(), service.schema.clone()));
        Policies { services: named.collect(), others: config.any_service.schema.clone() }
    }

    /// What holds for a service.
    pub fn of(&self, service: &ServiceName) -> &SchemaPolicy {
        self.services.get(service).unwrap_or(&self.others)
    }
}
