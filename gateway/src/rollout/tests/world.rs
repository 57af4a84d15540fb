//! Gateways, services and callers as the loop sees them, with time that stands still until it is moved.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tempfile::TempDir;
use tokio::sync::watch;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use turnout_control::audit::Entry;
use turnout_control::id::{ServiceName, Version};
use turnout_control::records::{Change, Key, Records};
use turnout_control::registration::Registration;
use turnout_control::registry::{Endpoint, Health, Instance, Intent, Scheme};
use turnout_control::rollout::{
    self, Order, Report, Rollout, State, StratumName, Subject, Trial, analysis_key, key,
};
use turnout_control::routes::{Base, Place, Scope, read_base, write_base};
use turnout_control::slot::Weight;

use super::shared::{Said, Shared};
use crate::clock::Clock;
use crate::config;
use crate::reconcile::{self, Newcomer, Verdict};
use crate::registry::audit::Audit;
use crate::registry::{Leadership, Registry, embedded};
use crate::rollout::{Leader, Settings, Sources};
use crate::telemetry::Meters;

/// The settings of most tests: steps that are left as soon as they are proven.
pub(super) const QUICK: &str = "rollouts: { tick: 1s, dwell: 2s, dwell_max: 5m, warmup: 3s }";

/// What callers do in a second, of all gateways together.
#[derive(Clone, Copy, Debug)]
pub(super) struct Traffic {
    pub(super) calls: f64,
    /// The share that fails of the candidate's calls, and of the stable version's.
    pub(super) candidate: f64,
    pub(super) stable: f64,
}

/// Much, and nothing fails.
pub(super) const WELL: Traffic = Traffic { calls: 40_000.0, candidate: 0.0, stable: 0.0 };
/// Nobody calls.
pub(super) const QUIET: Traffic = Traffic { calls: 0.0, candidate: 0.0, stable: 0.0 };

/// A gateway that counts and reports.
#[derive(Debug)]
pub(super) struct Gateway {
    pub(super) name: String,
    pub(super) sequence: u64,
    /// Whether it lives and nothing of it arrives.
    pub(super) is_silent: bool,
    pub(super) tripped: bool,
    /// Whether it routes by what was decided.
    pub(super) is_stale: bool,
    /// Calls and failures of candidate and stable version, before they are rounded.
    counted: BTreeMap<Subject, [f64; 4]>,
    said: Vec<u8>,
}

/// A loop that runs.
#[derive(Debug)]
pub(super) struct Running {
    pub(super) store: Arc<Shared>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

pub(super) struct World {
    registry: Registry,
    said: watch::Sender<Said>,
    found: watch::Sender<Arc<reconcile::Report>>,
    settings: watch::Sender<Arc<Settings>>,
    pub(super) gateways: Vec<Gateway>,
    pub(super) leader: Running,
    _directory: TempDir,
}

pub(super) fn settings(text: &str) -> Settings {
    let file = config::File { path: "turnout.yaml".into(), text: text.to_owned() };
    let read = config::read(&config::Sources { file: Some(file), ..config::Sources::default() });
    Settings::of(&read.unwrap_or_else(|mistakes| panic!("{mistakes}")).config)
}

pub(super) fn version(text: &str) -> Version {
    text.parse().unwrap()
}

pub(super) fn catalog() -> ServiceName {
    "catalog".parse().unwrap()
}

pub(super) fn percent(ppm: u32) -> Weight {
    Weight::ppm(ppm * 10_000).unwrap()
}

impl World {
    /// One gateway that leads, and `catalog` 1.4.0 that is stable and served.
    pub(super) async fn start(text: &str) -> World {
        let directory = tempfile::tempdir().unwrap();
        let registry = embedded::alone(directory.path(), Clock::start(), Duration::ZERO).unwrap();
        let (said, found) = (watch::Sender::new(Said::default()), watch::Sender::new(Arc::default()));
        let settings = watch::Sender::new(Arc::new(settings(text)));
        let leader = Running::start(&registry, &said, &found, &settings);
        let mut world =
            World { registry, said, found, settings, gateways: Vec::new(), leader, _directory: directory };
        world.join("one");
        world.serve("catalog", "1.4.0").await;
        world.serve_stable("catalog", "1.4.0").await;
        world
    }

    /// Another gateway, from now on.
    pub(super) fn join(&mut self, name: &str) {
        self.gateways.push(Gateway {
            name: name.to_owned(),
            sequence: 0,
            is_silent: false,
            tripped: false,
            is_stale: false,
            counted: BTreeMap::new(),
            said: Vec::new(),
        });
        self.report();
    }

    /// A loop that takes the place of the one that runs, which is gone at once.
    pub(super) async fn next_leader(&mut self) {
        let next = Running::start(&self.registry, &self.said, &self.found, &self.settings);
        let last = std::mem::replace(&mut self.leader, next);
        last.stop.cancel();
        last.tasks.close();
        last.tasks.wait().await;
    }

    /// One more instance of a version.
    pub(super) async fn serve(&self, service: &str, version: &str) {
        self.registry.store.register(registration(service, version, BTreeMap::new())).await.unwrap();
    }

    /// An instance goes.
    pub(super) async fn leave(&self, service: &str, version: &str) {
        let id = id(version);
        let snapshot = self.registry.snapshot();
        let found = snapshot.instance(&service.parse().unwrap(), &id.parse().unwrap()).unwrap();
        let lease = found.lease.unwrap();
        self.registry.store.deregister(service.parse().unwrap(), id.parse().unwrap(), lease).await.unwrap();
    }

    /// A version is stable, as when its service appears for the first time.
    pub(super) async fn serve_stable(&mut self, service: &str, stable: &str) {
        self.write(&place(service, stable).key(), write_base(&Base::new(version(stable)))).await;
        let report =
            reconcile::Report { revision: Some(1), ..reconcile::Report::clone(&self.found.borrow()) };
        self.found.send_replace(Arc::new(report));
    }

    /// A version runs that the gate lets through.
    pub(super) async fn release(&mut self, service: &str, newer: &str) {
        self.serve(service, newer).await;
        self.finds(service, newer, Verdict::Fits(Vec::new()));
    }

    /// What this gateway finds of a version.
    pub(super) fn finds(&mut self, service: &str, newer: &str, verdict: Verdict) {
        let mut report = reconcile::Report::clone(&self.found.borrow());
        let newer = version(newer);
        let stable = self.base_of(service, newer.semver().major).stable;
        let service: ServiceName = service.parse().unwrap();
        report.newcomers.retain(|known| known.service != service || known.version != newer);
        report.newcomers.push(Newcomer {
            service,
            major: newer.semver().major,
            stable,
            version: newer,
            verdict,
        });
        self.found.send_replace(Arc::new(report));
    }

    /// Seconds pass in which callers call, each gateway its part of it.
    pub(super) async fn pass(&mut self, seconds: u32, traffic: Traffic) {
        for _ in 0..seconds {
            self.second(traffic).await;
        }
    }

    /// Seconds pass until something holds; how many.
    pub(super) async fn until(
        &mut self,
        seconds_max: u32,
        traffic: Traffic,
        holds: impl Fn(&World) -> bool,
    ) -> u32 {
        for second in 0..seconds_max {
            if holds(self) {
                return second;
            }
            self.second(traffic).await;
        }
        panic!("it did not happen within {seconds_max} s: {:?}", self.rollouts());
    }

    async fn second(&mut self, traffic: Traffic) {
        let exposed: Vec<Rollout> = self.rollouts().into_iter().filter(Rollout::is_exposed).collect();
        let share = traffic.calls / f64::from(u32::try_from(self.gateways.len()).unwrap());
        for rollout in exposed {
            let base = self.base_of(rollout.service.as_str(), rollout.major());
            let weight = base.candidate.map_or(Weight::NONE, |tried| tried.weight);
            let tried = share * f64::from(weight.as_ppm()) / 1e6;
            let kept = share - tried;
            for gateway in &mut self.gateways {
                let counted = gateway.counted.entry(rollout.subject()).or_default();
                let more = [tried, tried * traffic.candidate, kept, kept * traffic.stable];
                counted.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
            }
        }
        self.report();
        sleep(Duration::from_secs(1)).await;
    }

    fn report(&mut self) {
        let revision = self.records().revision;
        let mut said = BTreeMap::new();
        for gateway in &mut self.gateways {
            if !gateway.is_silent {
                gateway.sequence += 1;
                gateway.said = gateway.report(revision).encode();
            }
            said.insert(gateway.name.clone(), gateway.said.clone().into());
        }
        self.said.send_replace(Arc::new(said));
    }

    /// An operator wants something of the rollout of a version.
    pub(super) async fn order(&mut self, newer: &str, order: Order) {
        let rollout = self.rollout(newer).ordered(order).unwrap();
        self.write(&key(&rollout.service, &rollout.to), rollout.write()).await;
    }

    pub(super) async fn write(&mut self, key: &Key, value: Vec<u8>) {
        let writes = [(key.clone(), Some(value.into()))].into();
        self.registry.store.change(Change { expected: BTreeMap::new(), writes }).await.unwrap();
    }

    pub(super) fn records(&self) -> Arc<Records> {
        self.registry.store.records().borrow().clone()
    }

    pub(super) fn rollouts(&self) -> Vec<Rollout> {
        super::super::leader::read_all(&self.records())
    }

    /// The rollout of a version of `catalog`.
    pub(super) fn rollout(&self, newer: &str) -> Rollout {
        let found = self.rollouts().into_iter().find(|known| known.to == version(newer));
        found.unwrap_or_else(|| panic!("no rollout of {newer}"))
    }

    pub(super) fn state(&self, newer: &str) -> Option<State> {
        let found = self.rollouts().into_iter().find(|known| known.to == version(newer));
        found.map(|found| found.state)
    }

    pub(super) fn is(&self, newer: &str, word: &str) -> bool {
        self.state(newer).is_some_and(|state| state.as_str() == word)
    }

    /// The stored evidence of a rollout of `catalog`.
    pub(super) fn analysis(&self, newer: &str) -> rollout::Stored {
        let record = self.records().get(&analysis_key(&catalog(), &version(newer))).cloned().unwrap();
        rollout::Stored::read(&record.value).unwrap()
    }

    pub(super) fn base(&self) -> Base {
        self.base_of("catalog", 1)
    }

    pub(super) fn base_of(&self, service: &str, major: u64) -> Base {
        let place = Place { scope: Scope::Everyone, service: service.parse().unwrap(), major };
        read_base(&self.records().get(&place.key()).unwrap().value).unwrap()
    }

    /// How many get which candidate of `catalog`.
    pub(super) fn weight(&self) -> Option<(String, Weight)> {
        self.base().candidate.map(|tried| (tried.version.to_string(), tried.weight))
    }

    /// The chain of audit, which is whole.
    pub(super) async fn audit(&self) -> Vec<Entry> {
        let chain = Audit::new(self.registry.store.clone(), self.registry.hub.clock());
        let stored = chain.last(1000).await.unwrap();
        turnout_control::audit::verify(stored.iter().map(|(at, record)| (*at, &*record.value))).unwrap();
        stored.iter().map(|(_, record)| Entry::decode(&record.value).unwrap()).collect()
    }

    /// The verbs of the chain, in order.
    pub(super) async fn verbs(&self) -> Vec<String> {
        self.audit().await.into_iter().map(|entry| entry.act.verb).collect()
    }
}

impl Running {
    fn start(
        registry: &Registry,
        said: &watch::Sender<Said>,
        found: &watch::Sender<Arc<reconcile::Report>>,
        settings: &watch::Sender<Arc<Settings>>,
    ) -> Running {
        let store = Arc::new(Shared {
            inner: registry.store.clone(),
            said: said.clone(),
            leads: watch::Sender::new(Leadership::Leads),
            away: AtomicBool::new(false),
            ambush: Mutex::new(None),
        });
        let registry = Registry { store: store.clone(), hub: registry.hub.clone() };
        let (reports, settings) = (found.subscribe(), settings.subscribe());
        let (leader, _) = Leader::new(Sources { registry, reports, settings, meters: Meters::new() });
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        tasks.spawn(leader.run(stop.clone()));
        Running { store, stop, tasks }
    }
}

impl Gateway {
    fn report(&self, revision: u64) -> Report {
        let trials = self.counted.iter().map(|(subject, counted)| (subject.clone(), self.trial(*counted)));
        Report {
            replica: self.name.clone(),
            incarnation: 1,
            sequence: self.sequence,
            revision: if self.is_stale { 0 } else { revision },
            trials: trials.collect(),
        }
    }

    fn trial(&self, counted: [f64; 4]) -> Trial {
        let mut trial = Trial { tripped: self.tripped, ..Trial::begin(1) };
        let name =
            StratumName { method: "/catalog.v1.Catalog/Get".to_owned(), frontend: "web@1.0.0".to_owned() };
        let arms = trial.stratum(name);
        let [calls, failures, stable_calls, stable_failures] = counted.map(|count| count as u64);
        (arms.candidate.calls, arms.candidate.failures) = (calls, failures);
        (arms.stable.calls, arms.stable.failures) = (stable_calls, stable_failures);
        trial
    }
}

fn place(service: &str, of: &str) -> Place {
    let major = version(of).semver().major;
    Place { scope: Scope::Everyone, service: service.parse().unwrap(), major }
}

fn id(version: &str) -> String {
    format!("of-{version}")
}

/// An instance of a version, with an address of its own.
pub(super) fn registration(service: &str, of: &str, meta: BTreeMap<String, String>) -> Registration {
    let at = service.len() * 1000 + of.bytes().map(usize::from).sum::<usize>();
    let endpoint = Endpoint {
        scheme: Scheme::Grpc,
        host: "127.0.0.1".into(),
        port: 20_000 + u16::try_from(at).unwrap(),
        zone: String::new(),
    };
    let instance = Instance {
        service: service.parse().unwrap(),
        id: id(of).parse().unwrap(),
        version: version(of),
        incarnation: 1,
        endpoints: vec![endpoint],
        schema: None,
        weight: 100,
        intent: Intent::Up,
        health: Health::None,
        meta,
    };
    Registration { instance, ttl_s: 60 }
}
