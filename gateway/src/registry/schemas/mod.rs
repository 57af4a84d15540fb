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
use std::path::PathBuf;

pub use cache::{Cache, Cached};
pub use reflection::Asker;
pub use resolver::{Findings, Resolver, Sources, new, run};
use turnout_control::id::ServiceName;
use turnout_schema::Digest;

/// Where the descriptors of a service are that names none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaPolicy {
    /// Its instances are asked.
    Reflection,
    /// Nobody looks for them.
    Off,
    /// They are stored under this digest.
    Digest(Digest),
    /// They are in this file, or in a file of this directory that is named after the version.
    Path(PathBuf),
}

/// What the operator says about all services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policies {
    /// Services of which something is said.
    pub services: BTreeMap<ServiceName, SchemaPolicy>,
    /// What holds for the others.
    pub others: SchemaPolicy,
}

impl Policies {
    /// What holds for a service.
    pub fn of(&self, service: &ServiceName) -> &SchemaPolicy {
        self.services.get(service).unwrap_or(&self.others)
    }
}
