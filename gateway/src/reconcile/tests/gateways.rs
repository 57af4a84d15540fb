//! Several gateways over one store: they hear of registrations in any order, lose the store, start anew, and
//! end with one graph all the same.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use turnout_control::id::{InstanceId, SourceName, Timestamp, Version};
use turnout_control::records::{Change, Key, Kind, Record, Records};
use turnout_control::registry::{Presence, Registered};
use turnout_control::routes::{Base, read_base, write_base};
use turnout_control::table::{Input, Removal, Said};

use super::*;
use crate::reconcile::contest::Edition;
use crate::reconcile::remember::base_key;
use crate::registry::{Blob, Error, Freshness, Granted, Hearing, Hub, Known, Leadership, Store, Stored};

/// A store that can be away.
#[derive(Debug)]
pub(super) struct Flaky {
    inner: Arc<dyn Store>,
    away: AtomicBool,
    /// Whether it can only be read.
    stuck: AtomicBool,
    /// What is written by somebody else just before the next change.
    ambush: Mutex<Option<Change>>,
}

impl Flaky {
    fn up<'a, T: 'a>(&self, work: BoxFuture<'a, Result<T, Error>>) -> BoxFuture<'a, Result<T, Error>> {
        if self.away.load(Ordering::Relaxed) {
            return Box::pin(async { Err(Error::Unavailable("it is away", "for a test".into())) });
        }
        work
    }
}

impl Store for Flaky {
    fn register(&self, registration: Registration) -> BoxFuture<'_, Result<Granted, Error>> {
        self.up(self.inner.register(registration))
    }

    fn renew(&self, lease: LeaseId) -> BoxFuture<'_, Result<Option<u16>, Error>> {
        self.up(self.inner.renew(lease))
    }

    fn deregister(
        &self,
        service: ServiceName,
        id: InstanceId,
        lease: LeaseId,
    ) -> BoxFuture<'_, Result<u64, Error>> {
        self.up(self.inner.deregister(service, id, lease))
    }

    fn bind(
        &self,
        service: ServiceName,
        version: Version,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), Error>> {
        self.up(self.inner.bind(service, version, digest))
    }

    fn put_schema(&self, said: Digest, bytes: Bytes) -> BoxFuture<'_, Result<Stored, Error>> {
        self.up(self.inner.put_schema(said, bytes))
    }

    fn schema(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Bytes>, Error>> {
        self.up(self.inner.schema(digest))
    }

    fn schema_services(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Vec<String>>, Error>> {
        self.up(self.inner.schema_services(digest))
    }

    fn schemas(&self) -> BoxFuture<'_, Result<Vec<Blob>, Error>> {
        self.up(self.inner.schemas())
    }

    fn remove_schema(&self, blob: Blob) -> BoxFuture<'_, Result<bool, Error>> {
        self.up(self.inner.remove_schema(blob))
    }

    fn records(&self) -> watch::Receiver<Arc<Records>> {
        self.inner.records()
    }

    fn change(&self, change: Change) -> BoxFuture<'_, Result<u64, Error>> {
        let ambush = self.ambush.lock().unwrap().take();
        let work = async move {
            if self.stuck.load(Ordering::Relaxed) {
                return Err(Error::Unavailable("it cannot be written", "for a test".into()));
            }
            if let Some(theirs) = ambush {
                self.inner.change(theirs).await.unwrap();
            }
            self.inner.change(change).await
        };
        self.up(Box::pin(work))
    }

    fn read(
        &self,
        kind: Kind,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<BTreeMap<Key, Record>, Error>> {
        self.up(self.inner.read(kind, after, limit))
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.inner.leadership()
    }

    fn report(&self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        self.up(self.inner.report(bytes))
    }

    fn replicas(&self) -> watch::Receiver<Arc<BTreeMap<String, Bytes>>> {
        self.inner.replicas()
    }

    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        self.inner.clone().run(stop)
    }
}

/// What gateways share.
pub(super) struct Cluster {
    store: Arc<Flaky>,
    _directory: TempDir,
}

impl Cluster {
    pub(super) fn start() -> Cluster {
        let directory = tempfile::tempdir().unwrap();
        let own = embedded::alone(directory.path(), Clock::start(), Duration::from_secs(60)).unwrap();
        let store = Flaky {
            inner: own.store,
            away: AtomicBool::new(false),
            stuck: AtomicBool::new(false),
            ambush: Mutex::default(),
        };
        Cluster { store: Arc::new(store), _directory: directory }
    }

    /// A gateway that knows nobody yet.
    pub(super) fn gateway(&self) -> Gateway {
        let hub = Hub::new(vec![SourceName::own()], Known::default(), Clock::start());
        hub.hears(&SourceName::own(), heard());
        let registry = Registry { store: self.store.clone(), hub: Arc::new(hub) };
        let loaded = config::read(&config::Sources::default()).unwrap();
        let callers = Callers::of(&loaded.config);
        Gateway { registry, composer: Arc::default(), callers, digest: None }
    }

    /// An instance of a version with these descriptors, which are stored.
    pub(super) async fn instance(&self, service: &str, version: &str, bytes: &[u8]) -> Registered {
        let digest = Digest::of(bytes);
        self.store.put_schema(digest, Bytes::copy_from_slice(bytes)).await.unwrap();
        let instance = Instance {
            service: service.parse().unwrap(),
            id: version.parse().unwrap(),
            version: version.parse().unwrap(),
            incarnation: 1,
            endpoints: Vec::new(),
            schema: Some(SchemaRef { digest, services: Vec::new() }),
            weight: 100,
            intent: Intent::Up,
            health: Health::None,
            meta: BTreeMap::new(),
        };
        Registered {
            instance: Arc::new(instance),
            source: SourceName::own(),
            lease: None,
            ttl_s: 60,
            registered_at: Timestamp(1),
            presence: Presence::Here,
            refused: None,
        }
    }

    fn record(&self) -> Option<u64> {
        Some(self.store.records().borrow().revision).filter(|revision| *revision > 0)
    }

    /// The revision of what was written last.
    pub(super) fn store_revision(&self) -> u64 {
        self.store.records().borrow().revision
    }

    /// What holds for everyone of a major of a service.
    pub(super) fn base(&self, service: &str, major: u64) -> Option<Base> {
        let key = base_key(&(service.parse().unwrap(), major));
        self.store.records().borrow().get(&key).map(|record| read_base(&record.value).unwrap())
    }

    /// Decides what holds for everyone, as the leader does.
    pub(super) async fn decide(&self, service: &str, base: &Base) {
        let key = base_key(&(service.parse().unwrap(), base.stable.semver().major));
        self.put(key, write_base(base)).await;
    }

    /// Writes a record.
    pub(super) async fn put(&self, key: Key, value: Vec<u8>) {
        let expected = self.store.records().borrow().seen(&key);
        let writes = [(key.clone(), Some(value.into()))].into();
        let change = Change { expected: [(key, expected)].into(), writes };
        self.store.change(change).await.unwrap();
    }
}

/// One gateway, looked through step by step.
pub(super) struct Gateway {
    registry: Registry,
    pub(super) composer: Arc<Mutex<Composer>>,
    callers: Callers,
    /// The graph that it serves.
    digest: Option<Digest>,
}

impl Gateway {
    pub(super) fn hears(&self, up: &Registered) {
        let key = format!("{}/{}", up.instance.service, up.instance.id);
        self.registry.hub.tell(Input::Put(SourceName::own(), key, Said::Instance(up.clone())));
    }

    pub(super) fn misses(&self, gone: &Registered) {
        let key = format!("{}/{}", gone.instance.service, gone.instance.id);
        self.registry.hub.tell(Input::Removed(SourceName::own(), key, Removal::Goodbye));
    }

    /// Looks once, when the process is so many seconds old.
    pub(super) async fn look(&mut self, age_s: u64) -> Pass {
        let (composer, registry) = (self.composer.clone(), self.registry.clone());
        let callers = self.callers.clone();
        let pass = tokio::task::spawn_blocking(move || {
            let exposures = Exposures::new(BTreeMap::new(), Exposure::All);
            let snapshot = registry.snapshot();
            let now = Duration::from_secs(age_s);
            let schemas = Findings::default();
            let scene = Scene {
                snapshot: &snapshot,
                exposures: &exposures,
                schemas: &schemas,
                callers: &callers,
                now,
            };
            composer.lock().unwrap().look(&registry, scene)
        });
        let pass = pass.await.unwrap();
        if let Some(next) = &pass.next {
            let any = next.sights.iter().find(|sight| sight.frontend.is_none());
            self.digest = any.map(|sight| sight.graph.0.supergraph().digest);
        }
        pass
    }

    /// Who answers callers that are no published frontend.
    pub(super) fn members(&self) -> Vec<String> {
        self.seen(None)
            .into_iter()
            .map(|routed| format!("{} {}", routed.stable.service, routed.stable.version))
            .collect()
    }

    /// Who answers callers of a frontend.
    pub(super) fn seen(&self, frontend: Option<&str>) -> Vec<Routed> {
        let composer = self.composer.lock().unwrap();
        let frontend = frontend.map(|id| id.parse().unwrap());
        composer.sight(frontend.as_ref()).map(|sight| sight.routes.clone()).unwrap_or_default()
    }
}

fn things(package: &str) -> Vec<u8> {
    finding(package, &[("name", 1, Type::String)])
}

/// A source that is heard well.
fn heard() -> Freshness {
    Freshness {
        backend: "embedded",
        layout: "native",
        state: Hearing::Live,
        synced_at: None,
        heard_at: None,
        revision: 0,
        relists: 0,
        entries: 0,
    }
}

#[tokio::test]
async fn who_had_a_name_keeps_it_after_a_restart() {
    let cluster = Cluster::start();
    let (a, b) = (
        cluster.instance("a", "1.0.0", &things("a.v1")).await,
        cluster.instance("b", "1.0.0", &things("b.v1")).await,
    );
    let mut first = cluster.gateway();
    first.hears(&b);
    first.look(0).await;
    first.hears(&a);
    first.look(1).await;
    let mut restarted = cluster.gateway();
    restarted.hears(&a);
    restarted.hears(&b);
    let pass = restarted.look(0).await;
    assert_eq!(restarted.digest, first.digest);
    assert_eq!(pass.compositions, 1);
    // Without what was written down the name would be the other's.
    let stranger = Cluster::start();
    for of in ["a", "b"] {
        stranger.instance(of, "1.0.0", &things(&format!("{of}.v1"))).await;
    }
    let mut lonely = stranger.gateway();
    lonely.hears(&a);
    lonely.hears(&b);
    lonely.look(0).await;
    assert_ne!(lonely.digest, first.digest);
}

#[tokio::test]
async fn gateways_that_hear_in_any_order_end_with_one_graph() {
    for seed in 0..24 {
        let mut chance = StdRng::seed_from_u64(seed);
        let cluster = Cluster::start();
        let mut up = Vec::new();
        for (service, version) in
            [("a", "1.0.0"), ("a", "1.1.0"), ("b", "1.0.0"), ("b", "2.0.0"), ("c", "1.0.0"), ("c", "1.1.0")]
        {
            let more = [("name", 1, Type::String), ("size", 2, Type::Int32)];
            let fields = if version == "1.0.0" { &more[..1] } else { &more[..] };
            let ty = if (service, version) == ("c", "1.1.0") { Type::Bool } else { Type::String };
            let mut fields = fields.to_vec();
            fields[0].2 = ty;
            let bytes = finding(&format!("{service}.v1"), &fields);
            up.push(cluster.instance(service, version, &bytes).await);
        }
        let mut gateways = [cluster.gateway(), cluster.gateway(), cluster.gateway()];
        let mut unheard: [Vec<usize>; 3] = std::array::from_fn(|_| {
            let mut order: Vec<usize> = (0..up.len()).collect();
            order.shuffle(&mut chance);
            order
        });
        for step in 0..200 {
            let at = chance.random_range(0..3);
            if chance.random_bool(0.4)
                && let Some(next) = unheard[at].pop()
            {
                gateways[at].hears(&up[next]);
            } else {
                gateways[at].look(step / 20).await;
            }
        }
        for (gateway, unheard) in gateways.iter_mut().zip(&unheard) {
            unheard.iter().for_each(|at| gateway.hears(&up[*at]));
            gateway.look(10).await;
        }
        // They are woken by what others write; nobody writes for ever.
        for round in 0..8 {
            let before = cluster.record();
            for gateway in &mut gateways {
                gateway.look(11 + round).await;
            }
            if cluster.record() == before {
                break;
            }
            assert!(round < 7, "seed {seed}: they go on writing");
        }
        let digests = gateways.each_ref().map(|gateway| gateway.digest);
        assert!(digests.iter().all(|digest| *digest == digests[0] && digest.is_some()), "seed {seed}");
        let members = gateways.each_ref().map(Gateway::members);
        assert!(members.iter().all(|of| *of == members[0]), "seed {seed}: {members:?}");
    }
}

#[tokio::test]
async fn a_gateway_serves_without_the_store_and_writes_later() {
    let cluster = Cluster::start();
    let (a, b) = (
        cluster.instance("a", "1.0.0", &things("a.v1")).await,
        cluster.instance("b", "1.0.0", &things("b.v1")).await,
    );
    let mut gateway = cluster.gateway();
    gateway.hears(&b);
    gateway.look(0).await;
    let written = cluster.record();
    // Its descriptors are read before the store goes.
    let (composer, registry) = (gateway.composer.clone(), gateway.registry.clone());
    let edition = Edition {
        service: a.instance.service.clone(),
        version: a.instance.version.clone(),
        digest: a.instance.schema.as_ref().unwrap().digest,
        exposure: Exposure::All,
        owned: Vec::new(),
    };
    let read = move || composer.lock().unwrap().shelf.read(&*registry.store, &edition).is_ok();
    assert!(tokio::task::spawn_blocking(read).await.unwrap());
    cluster.store.away.store(true, Ordering::Relaxed);
    gateway.hears(&a);
    let pass = gateway.look(1).await;
    assert_eq!(gateway.members(), ["a 1.0.0", "b 1.0.0"]);
    assert!(pass.again.is_some() && cluster.record() == written);
    let without = gateway.digest;
    // The next looks compose nothing, and serve the same.
    assert_eq!(gateway.look(2).await.compositions, pass.compositions);
    cluster.store.away.store(false, Ordering::Relaxed);
    let after = gateway.look(7).await;
    assert!(cluster.record() > written && after.again.is_none());
    assert_eq!((gateway.digest, after.compositions), (without, pass.compositions));
}

#[tokio::test]
async fn a_store_that_was_away_for_long_is_written_when_it_is_back() {
    let cluster = Cluster::start();
    let (a, b) = (
        cluster.instance("a", "1.0.0", &things("a.v1")).await,
        cluster.instance("b", "1.0.0", &things("b.v1")).await,
    );
    let mut gateway = cluster.gateway();
    gateway.hears(&a);
    gateway.hears(&b);
    // What is offered is known here; only writing fails.
    cluster.store.stuck.store(true, Ordering::Relaxed);
    for look in 0..60 {
        assert!(gateway.look(look * 5).await.again.is_some(), "look {look}");
    }
    assert_eq!((gateway.members().len(), cluster.record()), (2, None));
    cluster.store.stuck.store(false, Ordering::Relaxed);
    assert_eq!(gateway.look(300).await.again, None);
    assert!(cluster.record().is_some());
}

#[tokio::test]
async fn names_that_do_not_fit_keep_nobody_from_remembering_who_serves() {
    let cluster = Cluster::start();
    let mut gateway = cluster.gateway();
    let unshared = |pass: &Pass| pass.findings.iter().any(|of| of.diagnostic.code == "LOCKS_NOT_SHARED");
    for number in 0..6000 {
        let field = format!("Query.{number:080}").into();
        gateway.composer.lock().unwrap().memory.ours.locks.fields.insert(field, "users".into());
    }
    gateway.hears(&cluster.instance("a", "1.0.0", &things("a.v1")).await);
    assert!(unshared(&gateway.look(0).await));
    let mut other = cluster.gateway();
    other.look(0).await;
    assert!(cluster.base("a", 1).is_some() && cluster.base("b", 1).is_none());
    // What fits again is written again.
    gateway.composer.lock().unwrap().memory.ours.locks.fields.clear();
    gateway.hears(&cluster.instance("b", "1.0.0", &things("b.v1")).await);
    assert!(!unshared(&gateway.look(1).await));
    other.look(1).await;
    assert!(cluster.base("b", 1).is_some());
    assert!(!other.composer.lock().unwrap().memory.stored.locks.fields.is_empty());
}

#[tokio::test]
async fn who_returns_while_nothing_can_be_written_is_no_reason_to_hurry() {
    let cluster = Cluster::start();
    let new = cluster.instance("shop", "1.5.0", &things("shop.v1")).await;
    let old = cluster.instance("shop", "1.4.0", &finding("shop.v1", &[("name", 1, Type::Int32)])).await;
    let mut gateway = cluster.gateway();
    gateway.hears(&new);
    gateway.hears(&old);
    gateway.look(0).await;
    gateway.misses(&new);
    gateway.look(1).await;
    assert_eq!(gateway.members(), ["shop 1.4.0"]);
    cluster.store.stuck.store(true, Ordering::Relaxed);
    gateway.hears(&new);
    for look in 2..12 {
        let pass = gateway.look(look).await;
        assert_eq!(gateway.members(), ["shop 1.5.0"]);
        assert!(pass.again >= Some(Duration::from_secs(1)), "look {look}: {:?}", pass.again);
    }
}

#[tokio::test]
async fn who_is_overtaken_decides_anew() {
    let cluster = Cluster::start();
    let (a, b) = (
        cluster.instance("a", "1.0.0", &things("a.v1")).await,
        cluster.instance("b", "1.0.0", &things("b.v1")).await,
    );
    let mut theirs = cluster.gateway();
    theirs.hears(&b);
    theirs.look(0).await;
    let records = cluster.store.records().borrow().clone();
    let key = crate::reconcile::kept::key();
    let value = records.get(&key).unwrap().value.clone();
    // Another cluster's store, in which that is written at the last moment.
    let cluster = Cluster::start();
    for of in ["a", "b"] {
        cluster.instance(of, "1.0.0", &things(&format!("{of}.v1"))).await;
    }
    let writes = [(key.clone(), Some(value))].into();
    let expected = [(key, turnout_control::records::Expected::Absent)].into();
    *cluster.store.ambush.lock().unwrap() = Some(Change { expected, writes });
    let mut ours = cluster.gateway();
    ours.hears(&a);
    ours.hears(&b);
    ours.look(0).await;
    theirs.hears(&a);
    theirs.look(1).await;
    assert_eq!(ours.digest, theirs.digest);
    assert_eq!(cluster.record(), Some(2));
    assert!(cluster.base("a", 1).is_some() && cluster.base("b", 1).is_some());
}

#[tokio::test]
async fn a_gateway_that_has_not_heard_yet_writes_nothing_about_it() {
    let cluster = Cluster::start();
    let old = cluster.instance("a", "1.0.0", &things("a.v1")).await;
    let fields = [("name", 1, Type::String), ("size", 2, Type::Int32)];
    let new = cluster.instance("a", "1.1.0", &finding("a.v1", &fields)).await;
    let (mut first, mut second) = (cluster.gateway(), cluster.gateway());
    for gateway in [&mut first, &mut second] {
        gateway.hears(&old);
        gateway.look(0).await;
    }
    first.hears(&new);
    first.look(1).await;
    cluster.decide("a", &Base::new("1.1.0".parse().unwrap())).await;
    first.look(1).await;
    let written = cluster.record();
    let pass = second.look(1).await;
    assert_eq!(second.members(), ["a 1.0.0"]);
    assert!(cluster.record() == written && pass.again.is_some());
    second.hears(&new);
    second.look(2).await;
    assert_eq!((second.members(), second.digest), (first.members(), first.digest));
    assert_eq!(first.members(), ["a 1.1.0"]);
    assert_eq!(cluster.record(), written);
}

/// What it hears first is not what is stable, and it must not put that in its place.
#[tokio::test]
async fn a_gateway_that_starts_puts_nobody_in_the_place_of_who_it_has_not_heard_of() {
    let cluster = Cluster::start();
    let old = cluster.instance("a", "1.0.0", &things("a.v1")).await;
    let new = cluster.instance("a", "1.1.0", &things("a.v1")).await;
    cluster.decide("a", &Base::new("1.1.0".parse().unwrap())).await;
    let mut gateway = cluster.gateway();
    gateway.hears(&old);
    gateway.look(0).await;
    assert_eq!(cluster.base("a", 1).unwrap().stable.to_string(), "1.1.0");
    gateway.hears(&new);
    gateway.look(1).await;
    assert_eq!(gateway.members(), ["a 1.1.0"]);
}

#[tokio::test]
async fn what_two_hundred_services_begin_with_is_written_in_several_changes() {
    let cluster = Cluster::start();
    let mut gateway = cluster.gateway();
    let bytes = things("a.v1");
    for number in 0..200 {
        gateway.hears(&cluster.instance(&format!("s{number}"), "1.0.0", &bytes).await);
    }
    assert_eq!(gateway.look(0).await.again, None);
    assert!((0..200).all(|number| cluster.base(&format!("s{number}"), 1).is_some()));
    let mut other = cluster.gateway();
    for number in 0..200 {
        other.hears(&cluster.instance(&format!("s{number}"), "1.0.0", &bytes).await);
    }
    let written = cluster.record();
    other.look(0).await;
    assert_eq!((other.digest, cluster.record()), (gateway.digest, written));
}

/// The events of instances are cheap for everyone, and for the graph they are nothing.
#[tokio::test]
async fn two_thousand_instances_that_come_compose_nothing() {
    let cluster = Cluster::start();
    let one = cluster.instance("a", "1.0.0", &things("a.v1")).await;
    let mut gateway = cluster.gateway();
    gateway.hears(&one);
    let before = gateway.look(0).await.compositions;
    let fleet = Fleet::idle();
    let mut slowest = Duration::ZERO;
    for id in 0..2000 {
        let mut next = one.clone();
        Arc::make_mut(&mut next.instance).id = format!("i{id}").parse().unwrap();
        let start = Instant::now();
        gateway.hears(&next);
        slowest = slowest.max(start.elapsed());
        if id % 100 == 0 {
            fleet.apply(&gateway.registry.snapshot());
            gateway.look(1).await;
        }
    }
    let after = gateway.look(2).await;
    assert_eq!((before, after.compositions), (1, 1));
    assert_eq!(gateway.registry.snapshot().instances().count(), 2001);
    assert!(slowest < Duration::from_millis(500), "{slowest:?}");
}
