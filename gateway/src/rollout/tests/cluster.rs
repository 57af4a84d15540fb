//! Three gateways that share an etcd: what each counted comes together, and one that leads may die.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use turnout_control::id::SourceName;
use turnout_control::records::Change;
use turnout_control::registration::Terms;
use turnout_control::rollout::{Report, Rollout, Stored, StratumName, Trial, analysis_key, key};
use turnout_control::routes::{Base, Place, Scope, write_base};

use super::world::{catalog, registration, settings, version};
use crate::clock::Clock;
use crate::config::TlsConfig;
use crate::reconcile::{self, Newcomer, Verdict};
use crate::registry::etcd::{Cluster, Contact, Etcd, testing};
use crate::registry::{Hub, Known, Leadership, Registry};
use crate::rollout::{Leader, Sources};
use crate::telemetry::Meters;

/// Everything has to be there within this; electing another leader takes a third of it.
const SOON: Duration = Duration::from_secs(40);
const SETTINGS: &str = "rollouts: { tick: 1s, dwell: 10m, warmup: 0s }";

/// One gateway, as far as rollouts go.
struct Node {
    name: String,
    registry: Registry,
    running: Vec<AbortHandle>,
    sequence: u64,
    /// Calls of each version that it has counted.
    calls: u64,
    _terms: watch::Sender<Terms>,
}

impl Node {
    fn start(etcd: &testing::Etcd, name: &str) -> Node {
        let clock = Clock::start();
        let contact =
            Contact { endpoints: etcd.endpoints(), tls: TlsConfig { ca: None, client: None }, login: None };
        let hub = Arc::new(Hub::new(vec![SourceName::own()], Known::default(), clock));
        let terms = Terms { allow_cidrs: vec!["127.0.0.0/8".parse().unwrap()], ttl_s: 60 };
        let (told, terms) = watch::channel(terms);
        let cluster = Arc::new(Cluster::new(contact, clock));
        let store = Etcd::new(cluster, "/turnout/v1", hub.clone(), terms, name.to_owned());
        let registry = Registry { store, hub };
        let newcomer = Newcomer {
            service: catalog(),
            major: 1,
            stable: version("1.4.0"),
            version: version("1.5.0"),
            verdict: Verdict::Fits(Vec::new()),
        };
        let found = reconcile::Report {
            revision: Some(1),
            newcomers: vec![newcomer],
            ..reconcile::Report::default()
        };
        let (_, reports) = watch::channel(Arc::new(found));
        let (_, settings) = watch::channel(Arc::new(settings(SETTINGS)));
        let sources = Sources { registry: registry.clone(), reports, settings, meters: Meters::new() };
        let (leader, _) = Leader::new(sources);
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let running = vec![
            tasks.spawn(registry.store.clone().run(stop.clone())).abort_handle(),
            tasks.spawn(leader.run(stop)).abort_handle(),
        ];
        Node { name: name.to_owned(), registry, running, sequence: 0, calls: 0, _terms: told }
    }

    fn leads(&self) -> bool {
        *self.registry.store.leadership().borrow() == Leadership::Leads
    }

    fn rollout(&self) -> Option<Rollout> {
        let records = self.registry.store.records().borrow().clone();
        Rollout::read(&records.get(&key(&catalog(), &version("1.5.0")))?.value).ok()
    }

    /// The candidate's calls that were taken up.
    fn taken(&self) -> u64 {
        let records = self.registry.store.records().borrow().clone();
        let record = records.get(&analysis_key(&catalog(), &version("1.5.0")));
        record.map_or(0, |record| Stored::read(&record.value).unwrap().analysis.sum().candidate.calls)
    }

    /// Counts a few calls, and says so.
    async fn count(&mut self, calls: u64) {
        self.calls += calls;
        self.sequence += 1;
        let mut trial = Trial::begin(1);
        let name = StratumName { method: "/catalog.v1.Catalog/Get".into(), frontend: "web@1.0.0".into() };
        let arms = trial.stratum(name);
        (arms.candidate.calls, arms.stable.calls) = (self.calls, self.calls);
        let report = Report {
            replica: self.name.clone(),
            incarnation: 1,
            sequence: self.sequence,
            revision: u64::MAX,
            trials: self.rollout().map(|rollout| (rollout.subject(), trial)).into_iter().collect(),
        };
        self.registry.store.report(report.encode().into()).await.unwrap();
    }
}

async fn eventually(what: &str, nodes: &mut [Node], holds: impl Fn(&[Node]) -> bool) {
    let started = Instant::now();
    while !holds(nodes) {
        assert!(started.elapsed() < SOON, "{what} did not happen");
        for node in &mut *nodes {
            node.count(0).await;
        }
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_23_three_gateways_count_together_and_the_evidence_outlives_the_leader() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    let mut nodes: Vec<Node> = ["one", "two", "three"].map(|name| Node::start(&etcd, name)).into();
    let store = nodes[0].registry.store.clone();
    eventually("a leader", &mut nodes, |nodes| nodes.iter().any(Node::leads)).await;
    for running in ["1.4.0", "1.5.0"] {
        store.register(registration("catalog", running, BTreeMap::new())).await.unwrap();
    }
    let place = Place { scope: Scope::Everyone, service: catalog(), major: 1 };
    let base = write_base(&Base::new(version("1.4.0")));
    let writes = [(place.key(), Some(base.into()))].into();
    store.change(Change { expected: BTreeMap::new(), writes }).await.unwrap();
    let exposed = |nodes: &[Node]| nodes.iter().all(|node| node.rollout().is_some_and(|it| it.is_exposed()));
    eventually("the first step", &mut nodes, exposed).await;

    for (node, calls) in nodes.iter_mut().zip([100, 20, 3]) {
        node.count(calls).await;
    }
    eventually("all counts", &mut nodes, |nodes| nodes.iter().all(|node| node.taken() == 123)).await;

    // The one that leads dies with what it has counted since, and nobody says goodbye.
    let dies = nodes.iter().position(Node::leads).unwrap();
    let dead = nodes.remove(dies);
    dead.running.iter().for_each(AbortHandle::abort);
    for node in &mut nodes {
        node.count(1000).await;
    }
    eventually("another leader", &mut nodes, |nodes| nodes.iter().any(Node::leads)).await;
    eventually("the other counts", &mut nodes, |nodes| nodes[0].taken() == 2123).await;
    let goes_on = |nodes: &[Node]| nodes[0].rollout().unwrap().state.as_str() == "shifting";
    eventually("the dead one is not missed any more", &mut nodes, goes_on).await;
    sleep(Duration::from_secs(3)).await;
    assert_eq!(nodes[0].taken(), 2123, "nothing is counted twice");
    nodes.iter().flat_map(|node| &node.running).for_each(AbortHandle::abort);
}
