//! A view over two versions of one service, with instances that come and go and are never called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use turnout_control::frontend::{Frontends, Units};
use turnout_control::id::{LeaseId, SourceName, Timestamp, Version};
use turnout_control::policy::{Arm, Candidate, Policy, Reason};
use turnout_control::registry::{
    Endpoint, Event, Health, Instance, Intent, Presence, Registered, Scheme, Snapshot,
};
use turnout_control::rollout;
use turnout_control::slot::{Unit, Weight};
use turnout_schema::Descriptors;
use turnout_schema::compose::{Locks, compose};
use turnout_schema::subgraph::{self, Exposure};

use crate::clock::Clock;
use crate::config::CohortUnit;
use crate::generation::{Callee, Generation, Graph, Route, View};
use crate::lineup::{Ended, Ending, Lineup, Trial, Trials};
use crate::telemetry::Meters;
use crate::upstream::Worker;
use crate::upstream::fleet::Fleet;

pub(super) const METHOD: &str = "/shop.catalog.v1.CatalogService/GetProduct";
pub(super) const STABLE: &str = "1.4.0";
pub(super) const TRIED: &str = "1.5.0";

pub(super) struct World {
    pub(super) fleet: Fleet,
    pub(super) meters: Meters,
    pub(super) trials: Trials,
    snapshot: Snapshot,
}

impl World {
    /// Both versions have an instance that has been there for long.
    pub(super) fn new() -> World {
        let (fleet, snapshot) = (Fleet::idle(), Snapshot::default());
        let mut world = World { fleet, meters: Meters::new(), trials: Trials::default(), snapshot };
        world.up(STABLE, Timestamp(1));
        world.up(TRIED, Timestamp(1));
        world
    }

    /// Registers an instance of a version; there is one of each at most.
    pub(super) fn up(&mut self, version: &str, registered_at: Timestamp) {
        let instance = Instance {
            service: "catalog".parse().unwrap(),
            id: version.replace('.', "-").parse().unwrap(),
            version: version.parse().unwrap(),
            incarnation: 1,
            endpoints: vec![Endpoint {
                scheme: Scheme::Grpc,
                host: "127.0.0.1".into(),
                port: 1,
                zone: String::new(),
            }],
            schema: None,
            weight: 100,
            intent: Intent::Up,
            health: Health::None,
            meta: BTreeMap::new(),
        };
        let registered = Registered {
            instance: Arc::new(instance),
            source: SourceName::own(),
            lease: Some(LeaseId::from_random([7; 16])),
            ttl_s: 15,
            registered_at,
            presence: Presence::Here,
            refused: None,
        };
        self.snapshot = self.snapshot.apply(&Event::Up(registered));
        self.fleet.apply(&self.snapshot);
    }

    /// Removes the instance of a version.
    pub(super) fn down(&mut self, version: &str) {
        let gone = Snapshot::default();
        let catalog = "catalog".parse().unwrap();
        let stays =
            self.snapshot.service(&catalog).into_iter().flat_map(|service| service.instances.values());
        let stays = stays.filter(|one| one.instance.version.to_string() != version).cloned();
        self.snapshot = stays.fold(gone, |snapshot, one| snapshot.apply(&Event::Up(one)));
        self.fleet.apply(&self.snapshot);
    }

    /// The catalog as callers of a frontend get it.
    pub(super) fn view(&self, candidate: Option<Candidate>) -> View {
        let service = "catalog".parse().unwrap();
        let callee = |version: &Version| {
            let pool = self.fleet.pool(&service, version);
            Callee::new(service.clone(), version.clone(), pool, &self.meters)
        };
        let stable: Version = STABLE.parse().unwrap();
        let tried = candidate.as_ref().map(|candidate| {
            (callee(&candidate.version), self.trials.of(&service, &stable, &candidate.version))
        });
        let route = Route {
            service: service.clone(),
            policy: Policy::new(stable.clone(), candidate, None, &|_| false).unwrap(),
            cohort: CohortUnit::User,
            stable: callee(&stable),
            candidate: tried,
        };
        let frontend = Some("web@2.4.1".parse().unwrap());
        View { frontend, graph: graph(), routes: vec![route], unrouted: BTreeMap::new() }
    }

    /// A generation with this view alone, made from records of this revision.
    pub(super) fn generation(&self, revision: u64, view: View) -> Generation {
        let frontends = Arc::new(Frontends::default());
        Generation::new(1, revision, frontends, vec![Arc::new(view)])
    }

    /// What was counted of the candidate.
    pub(super) fn report(&self) -> rollout::Trial {
        self.trial().report()
    }

    pub(super) fn trial(&self) -> Arc<Trial> {
        let (from, to) = (STABLE.parse().unwrap(), TRIED.parse().unwrap());
        self.trials.of(&"catalog".parse().unwrap(), &from, &to)
    }
}

/// The catalog's graph: composing it takes longer than any of the tests.
fn graph() -> Arc<Graph> {
    static GRAPH: LazyLock<Arc<Graph>> = LazyLock::new(|| {
        let bytes = turnout_samples::descriptors("catalog", TRIED).unwrap();
        let read = subgraph::read("catalog", STABLE, &Descriptors::read(bytes).unwrap(), Exposure::Annotated);
        let supergraph = compose(&[read.subgraph], &Locks::default()).supergraph.unwrap();
        Arc::new(Graph::new(supergraph).unwrap())
    });
    GRAPH.clone()
}

pub(super) fn candidate(ppm: u32) -> Candidate {
    Candidate {
        version: TRIED.parse().unwrap(),
        weight: Weight::ppm(ppm).unwrap(),
        cap: Weight::ALL,
        salt: "catalog/1/1.5.0".to_owned(),
        killed: false,
        allow: BTreeSet::new(),
        deny: BTreeSet::new(),
    }
}

pub(super) fn user(id: impl std::fmt::Display) -> Units {
    let person: Unit = format!("user:{id}").parse().unwrap();
    Units { person: Some(person), ..Units::default() }
}

/// What a lineup of somebody chooses.
pub(super) fn pick(view: &View, units: &Units) -> (Arm, Reason) {
    let lineup = Lineup::new(view, units);
    let chosen = lineup.choose(0).unwrap();
    (chosen.arm, chosen.reason)
}

/// Makes a call for somebody that ends like this.
pub(super) fn call(view: &View, units: &Units, worker: usize, ending: Ending) -> Arm {
    took(view, units, (worker, ending), Duration::from_millis(5))
}

pub(super) fn took(view: &View, units: &Units, (worker, ending): (usize, Ending), took: Duration) -> Arm {
    let lineup = Lineup::new(view, units);
    let chosen = lineup.choose(0).unwrap();
    let ended = Ended { worker: Worker(worker), method: METHOD, chosen: &chosen, ending, took: Some(took) };
    chosen.trial().unwrap().count(&ended);
    chosen.arm
}

/// Now, by the wall clock.
pub(super) fn now() -> Timestamp {
    Clock::start().now()
}
