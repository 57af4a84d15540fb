//! Everything that requests need and that changes together: immutable, shared, swapped as a whole.
//!
//! A request takes the current generation once and keeps it to its end. A generation has a `View` for each
//! frontend: the graph that it sees, and who answers each part of it. Graphs, and the plans they keep, are
//! shared between frontends and between generations, and go with the last request that uses them, so nothing
//! is ever invalidated. The pools are the fleet's and outlive a generation; so do the meters and what is
//! counted about candidates.

mod graph;
mod prepare;

pub use graph::{Document, Graph, Unfit};
pub use prepare::{Prepared, limits};

use std::collections::BTreeMap;
use std::sync::Arc;

use turnout_control::frontend::Frontends;
use turnout_control::id::{FrontendId, ServiceName, Version};
use turnout_control::policy::Policy;
use turnout_control::routes::Unrouted;

use crate::config::CohortUnit;
use crate::lineup::Trial;
use crate::telemetry::{CallMeter, Meters};
use crate::upstream::pool::Pool;

/// What requests run on.
#[derive(Debug)]
pub struct Generation {
    /// Counts the generations of this process, from 1.
    pub number: u64,
    /// The revision of the records that it was made from.
    pub revision: u64,
    /// Who callers are taken for.
    pub frontends: Arc<Frontends>,
    /// What callers get who are no published frontend.
    any: Option<Arc<View>>,
    /// What each published frontend gets.
    views: BTreeMap<FrontendId, Arc<View>>,
}

/// What one frontend sees.
#[derive(Debug)]
pub struct View {
    /// The frontend; `None`: the built-in one.
    pub frontend: Option<FrontendId>,
    /// Its graph.
    pub graph: Arc<Graph>,
    /// Who answers, in the order of the graph's members.
    pub routes: Vec<Route>,
    /// The services it pins and does not see, and why.
    pub unrouted: BTreeMap<ServiceName, Unrouted>,
}

/// Who answers for a service.
#[derive(Debug)]
pub struct Route {
    /// The service.
    pub service: ServiceName,
    /// Who gets which version.
    pub policy: Policy,
    /// Who sticks to a version.
    pub cohort: CohortUnit,
    /// The stable version.
    pub stable: Callee,
    /// The candidate, if there is one, and what is counted of both.
    pub candidate: Option<(Callee, Arc<Trial>)>,
}

/// A version of a service that is called.
#[derive(Clone, Debug)]
pub struct Callee {
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub version: Version,
    /// Its instances.
    pub pool: Arc<Pool>,
    /// Counts its calls.
    pub meter: Arc<CallMeter>,
}

impl Callee {
    /// A version with its instances. Its calls are counted with those of earlier generations.
    pub fn new(service: ServiceName, version: Version, pool: Arc<Pool>, meters: &Meters) -> Callee {
        let meter = meters.callee(&service, &version);
        Callee { service, version, pool, meter }
    }
}

impl Route {
    /// One version for everybody.
    pub fn only(stable: Callee) -> Route {
        let policy = Policy::new(stable.version.clone(), None, None, &|_| false)
            .expect("a stable version alone is a policy");
        Route { service: stable.service.clone(), policy, cohort: CohortUnit::User, stable, candidate: None }
    }
}

impl Generation {
    /// A generation of these views; one of them at most is that of the built-in frontend.
    pub fn new(number: u64, revision: u64, frontends: Arc<Frontends>, views: Vec<Arc<View>>) -> Generation {
        let (mut any, mut named) = (None, BTreeMap::new());
        for view in views {
            match &view.frontend {
                None => any = Some(view),
                Some(frontend) => drop(named.insert(frontend.clone(), view)),
            }
        }
        Generation { number, revision, frontends, any, views: named }
    }

    /// What a frontend sees; `None`: the built-in one.
    pub fn view(&self, frontend: Option<&FrontendId>) -> Option<&Arc<View>> {
        match frontend {
            None => self.any.as_ref(),
            Some(frontend) => self.views.get(frontend),
        }
    }

    /// What all frontends see, the built-in one first.
    pub fn views(&self) -> impl Iterator<Item = &Arc<View>> {
        self.any.iter().chain(self.views.values())
    }

    /// The graphs, each once.
    pub fn graphs(&self) -> Vec<&Arc<Graph>> {
        let mut graphs: Vec<&Arc<Graph>> = Vec::new();
        for view in self.views() {
            if !graphs.iter().any(|known| Arc::ptr_eq(known, &view.graph)) {
                graphs.push(&view.graph);
            }
        }
        graphs
    }

    /// How many plans are at hand.
    pub fn plans(&self) -> usize {
        self.graphs().iter().map(|graph| graph.plans()).sum()
    }
}
