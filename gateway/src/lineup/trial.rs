//! What is counted of a candidate and of the stable version beside it, and the fuse that it feeds.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use turnout_control::id::{ServiceName, Version};
use turnout_control::policy::Health;

use crate::generation::Callee;

/// The trials of this process. Cloning it shares it.
#[derive(Clone, Debug, Default)]
pub struct Trials(Arc<Mutex<BTreeMap<(ServiceName, Version, Version), Arc<Trial>>>>);

/// A candidate that is compared with the stable version.
#[derive(Debug)]
pub struct Trial {
    /// The service.
    pub service: ServiceName,
    /// The stable version.
    pub from: Version,
    /// The candidate.
    pub to: Version,
}

impl Trials {
    /// The trial of a candidate: always the same one, so that generations count together.
    pub fn of(&self, service: &ServiceName, from: &Version, to: &Version) -> Arc<Trial> {
        let key = (service.clone(), from.clone(), to.clone());
        let mut trials = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let new = |(service, from, to): &(ServiceName, Version, Version)| {
            Arc::new(Trial { service: service.clone(), from: from.clone(), to: to.clone() })
        };
        trials.entry(key).or_insert_with_key(new).clone()
    }
}

impl Trial {
    /// How the candidate is doing here.
    pub fn health(&self, candidate: &Callee) -> Health {
        if candidate.pool.is_empty() { Health::Away } else { Health::Serves }
    }
}
