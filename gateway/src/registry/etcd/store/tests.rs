//! Facts about the registry in etcd, with a real one: written by others, by two gateways, and taken away.

use std::sync::atomic::{AtomicU32, Ordering};

use etcd_client::{Client, PutOptions};
use serde_json::json;
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;
use turnout_control::id::{SourceName, Timestamp};
use turnout_control::records::Expected;
use turnout_control::registry::{
    Endpoint, Health, Instance, Intent, Registered, SchemaRef, Scheme, Standing, VersionRecord,
};

use super::*;
use crate::clock::Clock;
use crate::config::TlsConfig;
use crate::registry::etcd::Contact;
use crate::registry::etcd::testing;
use crate::registry::{Hearing, Known, Registry, contract};

const ROOT: &str = "/turnout/v1";

/// One gateway's part of the registry.
struct Gateway {
    registry: Registry,
    terms: watch::Sender<Terms>,
    running: TaskTracker,
    stop: CancellationToken,
}

impl Gateway {
    fn at(etcd: &testing::Etcd, root: &str, name: &str) -> Gateway {
        let clock = Clock::start();
        let contact =
            Contact { endpoints: etcd.endpoints(), tls: TlsConfig { ca: None, client: None }, login: None };
        let cluster = Arc::new(Cluster::new(contact, clock));
        let hub = Arc::new(Hub::new(vec![SourceName::own()], Known::default(), clock));
        let (terms, now) = watch::channel(terms("127.0.0.0/8"));
        let store = Etcd::new(cluster, root, hub.clone(), now, name.to_owned());
        Gateway {
            registry: Registry { store, hub },
            terms,
            running: TaskTracker::new(),
            stop: CancellationToken::new(),
        }
    }

    fn start(etcd: &testing::Etcd, name: &str) -> Gateway {
        let gateway = Gateway::at(etcd, ROOT, name);
        gateway.running.spawn(gateway.registry.store.clone().run(gateway.stop.clone()));
        gateway
    }

    async fn stop(self) {
        self.stop.cancel();
        self.running.close();
        tokio::time::timeout(Duration::from_secs(5), self.running.wait()).await.unwrap();
    }

    fn found(&self, service: &str, id: &str) -> Option<Registered> {
        self.registry.snapshot().instance(&service.parse().unwrap(), &id.parse().unwrap()).cloned()
    }

    fn standing(&self, service: &str, id: &str) -> Option<Standing> {
        self.found(service, id).map(|found| found.standing())
    }

    fn refused(&self, service: &str, id: &str) -> Option<&'static str> {
        Some(self.found(service, id)?.refused?.code)
    }

    async fn store(&self, name: &str) -> Digest {
        let bytes = descriptors(name);
        self.registry.store.put_schema(Digest::of(&bytes), bytes).await.unwrap().digest
    }

    fn leads(&self) -> bool {
        *self.registry.store.leadership().borrow() == Leadership::Leads
    }
}

fn terms(network: &str) -> Terms {
    Terms { allow_cidrs: vec![network.parse().unwrap()], ttl_s: 15 }
}

fn descriptors(name: &str) -> Bytes {
    let set = prost_types::FileDescriptorSet {
        file: vec![prost_types::FileDescriptorProto {
            name: Some(format!("{name}.proto")),
            package: Some("shop.v1".into()),
            service: vec![prost_types::ServiceDescriptorProto {
                name: Some("Shop".into()),
                ..Default::default()
            }],
            syntax: Some("proto3".into()),
            ..Default::default()
        }],
    };
    prost::Message::encode_to_vec(&set).into()
}

fn registration(service: &str, id: &str, version: &str, digest: Option<Digest>) -> Registration {
    let endpoint =
        Endpoint { scheme: Scheme::Grpc, host: "127.0.0.1".into(), port: 50051, zone: String::new() };
    let instance = Instance {
        service: service.parse().unwrap(),
        id: id.parse().unwrap(),
        version: version.parse().unwrap(),
        incarnation: 1,
        endpoints: vec![endpoint],
        schema: digest.map(|digest| SchemaRef { digest, services: Vec::new() }),
        weight: 100,
        intent: Intent::Up,
        health: Health::None,
        meta: BTreeMap::new(),
    };
    Registration { instance, ttl_s: 5 }
}

/// Writes an instance as a service does that knows only etcd.
async fn put(client: &mut Client, key: &str, version: &str, digest: Option<Digest>, lease: Option<i64>) {
    let mut value = json!({"v": 1, "version": version, "endpoints": [{"url": "grpc://127.0.0.1:50051"}]});
    if let Some(digest) = digest {
        value["schema"] = json!({"digest": digest.to_string()});
    }
    let options = lease.map(|lease| PutOptions::new().with_lease(lease));
    client.put(format!("{ROOT}/instances/{key}"), value.to_string(), options).await.unwrap();
}

/// Stores descriptors as such a service does.
async fn put_schema(client: &mut Client, bytes: &Bytes) -> Digest {
    let digest = Digest::of(bytes);
    let meta = json!({"v": 1, "kind": "proto-fds", "encoding": "identity", "size": bytes.len(),
        "stored_size": bytes.len(), "chunks": 1, "services": ["shop.v1.Shop"],
        "created_at": "2026-11-21T03:40:01Z"});
    let root = format!("{ROOT}/schemas/{}", digest.hex());
    client.put(format!("{root}/c/0000"), &bytes[..], None).await.unwrap();
    client.put(format!("{root}/meta"), meta.to_string(), None).await.unwrap();
    digest
}

async fn eventually(what: &str, holds: impl Fn() -> bool) -> Duration {
    let started = Instant::now();
    while !holds() {
        assert!(started.elapsed() < Duration::from_secs(20), "{what} did not happen");
        sleep(Duration::from_millis(10)).await;
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_store_in_etcd_keeps_the_contract() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    let count = AtomicU32::new(0);
    contract::check(async || {
        let root = format!("/of/{}", count.fetch_add(1, Ordering::Relaxed));
        Gateway::at(&etcd, &root, "contract").registry
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_others_write_is_served_and_binds_its_version() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    let (left, right) = (Gateway::start(&etcd, "left"), Gateway::start(&etcd, "right"));
    let mut client = etcd.client().await;
    let digest = put_schema(&mut client, &descriptors("first")).await;
    put(&mut client, "catalog/a", "1.5.0", Some(digest), None).await;
    for gateway in [&left, &right] {
        eventually("it is up", || gateway.standing("catalog", "a") == Some(Standing::Up)).await;
        let versions =
            &gateway.registry.snapshot().service(&"catalog".parse().unwrap()).unwrap().versions.clone();
        assert_eq!(versions.values().next().unwrap().digest, Some(digest));
    }
    assert_eq!(left.registry.store.schema(digest).await.unwrap().unwrap(), descriptors("first"));
    let bound = client.get(format!("{ROOT}/versions/catalog/1.5.0"), None).await.unwrap();
    assert_eq!(value::version_record(bound.kvs()[0].value()).unwrap().digest, Some(digest));
    // Bare ones are written down too.
    put(&mut client, "bare/a", "0.1.0", None, None).await;
    eventually("it is up", || right.standing("bare", "a") == Some(Standing::Up)).await;

    client.delete(format!("{ROOT}/instances/catalog/a"), None).await.unwrap();
    for gateway in [&left, &right] {
        eventually("it left", || gateway.found("catalog", "a").is_none()).await;
    }
    let written = async {
        loop {
            let found = client.get(format!("{ROOT}/versions/bare/0.1.0"), None).await.unwrap();
            if let Some(pair) = found.kvs().first() {
                return value::version_record(pair.value()).unwrap();
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    assert_eq!(tokio::time::timeout(Duration::from_secs(5), written).await.unwrap().digest, None);
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_contradicts_is_listed_without_traffic_until_the_cause_goes() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    let gateway = Gateway::start(&etcd, "one");
    let mut client = etcd.client().await;
    let (first, other) = (gateway.store("first").await, gateway.store("other").await);
    put(&mut client, "catalog/a", "1.5.0", Some(first), None).await;
    eventually("the first", || gateway.standing("catalog", "a") == Some(Standing::Up)).await;
    put(&mut client, "catalog/b", "1.5.0", Some(other), None).await;
    eventually("another digest", || gateway.refused("catalog", "b") == Some("VERSION_BOUND")).await;
    put(&mut client, "catalog/b", "1.5.0", Some(first), None).await;
    eventually("mended", || gateway.standing("catalog", "b") == Some(Standing::Up)).await;

    let late = descriptors("late");
    put(&mut client, "catalog/c", "1.6.0", Some(Digest::of(&late)), None).await;
    eventually("not stored", || gateway.refused("catalog", "c") == Some("SCHEMA_UNKNOWN")).await;
    put_schema(&mut client, &late).await;
    let healed = eventually("stored", || gateway.standing("catalog", "c") == Some(Standing::Up)).await;
    println!("healed {healed:?} after its descriptors were stored");

    let tombstone: Key = "tombstone/catalog/1.6.0".parse().unwrap();
    let write = |expected, value: Option<&str>| Change {
        expected: [(tombstone.clone(), expected)].into(),
        writes: [(tombstone.clone(), value.map(|value| value.as_bytes().into()))].into(),
    };
    let at = gateway.registry.store.change(write(Expected::Absent, Some("{}"))).await.unwrap();
    eventually("retired", || gateway.refused("catalog", "c") == Some("VERSION_RETIRED")).await;
    let refused =
        gateway.registry.store.register(registration("catalog", "d", "1.6.0", None)).await.unwrap_err();
    assert!(matches!(&refused, Error::Refused(refusal) if refusal.code() == "VERSION_RETIRED"), "{refused}");
    gateway.registry.store.change(write(Expected::At(at), None)).await.unwrap();
    eventually("restored", || gateway.standing("catalog", "c") == Some(Standing::Up)).await;

    // An address outside of what is allowed cannot be read, and what was said before holds.
    gateway.terms.send_replace(terms("10.0.0.0/8"));
    eventually("unreadable", || gateway.registry.hub.unreadable().len() >= 3 || !unreadable_is_told()).await;
    gateway.terms.send_replace(terms("127.0.0.0/8"));
    put(&mut client, "catalog/e", "1.5.0", Some(first), None).await;
    eventually("allowed", || gateway.standing("catalog", "e") == Some(Standing::Up)).await;
    gateway.stop().await;
}

/// Whether the table of this build tells what it could not read.
fn unreadable_is_told() -> bool {
    let mut table = turnout_control::table::Table::new(vec![SourceName::own()], Vec::new());
    let why = turnout_schema::Diagnostic {
        severity: turnout_schema::Severity::Error,
        code: "X",
        message: String::new(),
        help: String::new(),
    };
    let said = turnout_control::table::Said::Unreadable(why);
    let input = turnout_control::table::Input::Put(SourceName::own(), "a/b".into(), said);
    table.take(input, Duration::ZERO);
    !table.unreadable().is_empty()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_see_each_other_and_either_renews() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    let (left, right) = (Gateway::start(&etcd, "left"), Gateway::start(&etcd, "right"));
    let digest = left.store("first").await;
    let granted =
        left.registry.store.register(registration("catalog", "a", "1.5.0", Some(digest))).await.unwrap();
    let seen = eventually("the other sees it", || right.standing("catalog", "a") == Some(Standing::Up)).await;
    println!("seen by the other gateway {seen:?} after the answer");
    assert_eq!(right.found("catalog", "a").unwrap().ttl_s, 5);
    for _ in 0..8 {
        sleep(Duration::from_secs(1)).await;
        assert_eq!(right.registry.store.renew(granted.lease).await.unwrap(), Some(5));
    }
    // Somebody removes the entry by hand: its process must register again.
    let mut client = etcd.client().await;
    client.delete(format!("{ROOT}/instances/catalog/a"), None).await.unwrap();
    eventually("it is gone", || right.found("catalog", "a").is_none()).await;
    assert_eq!(right.registry.store.renew(granted.lease).await.unwrap(), None);
    let again =
        right.registry.store.register(registration("catalog", "a", "1.5.0", Some(digest))).await.unwrap();
    eventually("it is back", || left.standing("catalog", "a") == Some(Standing::Up)).await;
    let (service, id) = ("catalog".parse().unwrap(), "a".parse().unwrap());
    left.registry.store.deregister(service, id, again.lease).await.unwrap();
    assert!(left.found("catalog", "a").is_none());
    eventually("the goodbye", || right.found("catalog", "a").is_none()).await;
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_gateways_that_bind_a_version_one_wins() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    let (left, right) = (Gateway::start(&etcd, "left"), Gateway::start(&etcd, "right"));
    let digests = [left.store("first").await, left.store("other").await];
    for round in 0..20 {
        let version = format!("1.{round}.0");
        let (a, b) = tokio::join!(
            left.registry.store.register(registration("catalog", "a", &version, Some(digests[0]))),
            right.registry.store.register(registration("catalog", "b", &version, Some(digests[1]))),
        );
        assert!(a.is_ok() != b.is_ok(), "{version}: {a:?} {b:?}");
        let lost = a.err().or(b.err()).unwrap();
        assert!(matches!(&lost, Error::Refused(refusal) if refusal.code() == "VERSION_BOUND"), "{lost}");
    }
    left.stop().await;
    right.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_leads_and_another_follows_when_it_goes() {
    let Some(mut etcd) = testing::Etcd::one().await else { return };
    let (left, right) = (Gateway::start(&etcd, "left"), Gateway::start(&etcd, "right"));
    eventually("one leads", || left.leads() != right.leads()).await;
    let (leader, other) = if left.leads() { (left, right) } else { (right, left) };
    assert!(!other.leads());
    // The key goes to somebody else behind its back: what it writes as a leader is refused, and it knows.
    let mut client = etcd.client().await;
    client.delete(format!("{ROOT}/leader"), None).await.unwrap();
    client.put(format!("{ROOT}/leader"), "somebody", None).await.unwrap();
    let change = || Change {
        expected: BTreeMap::new(),
        writes: [("policy/a".parse().unwrap(), Some("1".as_bytes().into()))].into(),
    };
    if leader.leads() {
        let refused = leader.registry.store.change(change()).await.unwrap_err();
        assert!(matches!(refused, Error::Unavailable(..)), "{refused}");
        assert!(!leader.leads());
    }
    leader.registry.store.change(change()).await.unwrap();
    client.delete(format!("{ROOT}/leader"), None).await.unwrap();
    eventually("one leads again", || leader.leads() != other.leads()).await;

    // Cut off, it steps down before anybody else can be elected.
    let (leader, other) = if leader.leads() { (leader, other) } else { (other, leader) };
    leader.stop().await;
    let taken = eventually("the other leads", || other.leads()).await;
    println!("led by another {taken:?} after the leader stopped");
    etcd.kill(0);
    let lost = eventually("nobody leads", || !other.leads()).await;
    println!("stepped down {lost:?} after etcd was gone");
    assert!(lost < Duration::from_secs(10));
    etcd.restart(0).await;
    let found = eventually("it leads again", || other.leads()).await;
    println!("led again {found:?} after etcd was back");
    other.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_three_gateways_say_is_heard_by_all_and_a_dead_one_is_gone_in_time() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    let (one, two, dies) =
        (Gateway::start(&etcd, "one"), Gateway::start(&etcd, "two"), Gateway::at(&etcd, ROOT, "dies"));
    let running = dies.running.spawn(dies.registry.store.clone().run(dies.stop.clone()));
    for (gateway, said) in [(&one, "1"), (&two, "2"), (&dies, "3")] {
        gateway.registry.store.report(said.into()).await.unwrap();
    }
    let heard = |by: &Gateway| -> Vec<(String, Bytes)> {
        by.registry
            .store
            .replicas()
            .borrow()
            .iter()
            .map(|(name, said)| (name.clone(), said.clone()))
            .collect()
    };
    let all = [("dies", "3"), ("one", "1"), ("two", "2")];
    let named = |said: &[(&str, &'static str)]| -> Vec<(String, Bytes)> {
        said.iter().map(|(name, said)| ((*name).to_owned(), Bytes::from_static(said.as_bytes()))).collect()
    };
    for gateway in [&one, &two, &dies] {
        eventually("all are heard", || heard(gateway) == named(&all)).await;
    }
    // Nothing of it goes on, and nobody says goodbye.
    running.abort();
    let gone = Instant::now();
    let left = || heard(&one) == named(&all[1..]);
    while !left() {
        assert!(gone.elapsed() < Duration::from_secs(20), "it is heard for too long");
        sleep(Duration::from_millis(100)).await;
    }
    two.stop().await;
    eventually("who stops in order is gone at once", || heard(&one) == named(&all[1..2])).await;
    one.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_etcd_is_away_what_was_heard_holds_and_writes_say_so() {
    let Some(mut etcd) = testing::Etcd::one().await else { return };
    let gateway = Gateway::start(&etcd, "one");
    let store = gateway.registry.store.clone();
    let digest = gateway.store("first").await;
    let granted = store.register(registration("catalog", "a", "1.5.0", Some(digest))).await.unwrap();
    let state = || gateway.registry.hub.sources().borrow().get(&SourceName::own()).cloned().unwrap().state;
    eventually("it is live", || state() == Hearing::Live).await;
    etcd.kill(0);
    let started = Instant::now();
    let refused = store.register(registration("catalog", "b", "1.5.0", Some(digest))).await.unwrap_err();
    assert!(matches!(refused, Error::Unavailable(..)), "{refused}");
    let change = Change { expected: BTreeMap::new(), writes: BTreeMap::new() };
    assert!(matches!(store.change(change).await.unwrap_err(), Error::Unavailable(..)));
    assert!(matches!(store.renew(granted.lease).await.unwrap_err(), Error::Unavailable(..)));
    println!("three writes refused in {:?}", started.elapsed());
    assert!(started.elapsed() < Duration::from_secs(9));
    eventually("it is stale", || matches!(state(), Hearing::Stale(_))).await;
    // Longer than the lease.
    sleep(Duration::from_secs(6)).await;
    assert_eq!(gateway.standing("catalog", "a"), Some(Standing::Up));

    etcd.restart(0).await;
    let live = eventually("it is live again", || state() == Hearing::Live).await;
    println!("live {live:?} after etcd was back");
    store.register(registration("catalog", "b", "1.5.0", Some(digest))).await.unwrap();
    assert_eq!(gateway.standing("catalog", "b"), Some(Standing::Up));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_etcd_harms_nobody() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    let gateway = Gateway::start(&etcd, "one");
    let mut client = etcd.client().await;
    put(&mut client, "catalog/a", "1.5.0", None, None).await;
    eventually("the good one", || gateway.standing("catalog", "a") == Some(Standing::Up)).await;
    let mut ops = Vec::new();
    for at in 0..1000_u32 {
        let mut value = at.to_be_bytes().repeat(usize::try_from(at % 50).unwrap());
        if at % 3 == 0 {
            value = format!(r#"{{"version":"1.5.0","endpoints":[{{"url":"grpc://8.8.8.8:{at}"}}]}}"#).into();
        }
        let place = ["instances/catalog", "instances", "versions/catalog", "records/policy", "schemas/00"];
        let mut key = format!("{ROOT}/{}/x{at}", place[at as usize % place.len()]).into_bytes();
        if at % 7 == 0 {
            key.extend([0xff, b'/', 0]);
        }
        ops.push(TxnOp::put(key, value, None));
    }
    ops.push(TxnOp::put(format!("{ROOT}/versions/catalog/2.0.0"), "[]", None));
    for ops in ops.chunks(100) {
        client.txn(Txn::new().and_then(ops)).await.unwrap();
    }
    put(&mut client, "catalog/b", "1.6.0", None, None).await;
    eventually("the next good one", || gateway.standing("catalog", "b") == Some(Standing::Up)).await;
    assert_eq!(gateway.standing("catalog", "a"), Some(Standing::Up));
    let up = gateway.registry.snapshot().instances().filter(|of| of.standing() == Standing::Up).count();
    assert_eq!(up, 2);
    gateway.store("first").await;
    let change = Change {
        expected: BTreeMap::new(),
        writes: [("policy/a".parse().unwrap(), Some("1".as_bytes().into()))].into(),
    };
    gateway.registry.store.change(change).await.unwrap();
    // A version whose binding cannot be read is nobody's to bind.
    let registered = gateway.registry.store.register(registration("catalog", "c", "2.0.0", None)).await;
    assert!(matches!(registered, Err(Error::Unavailable(..))), "{registered:?}");
    gateway.stop().await;
}

/// 200 services of three versions each with ten instances between them, all written by no gateway.
async fn crowd(client: &mut Client, bound: Bound) -> Vec<i64> {
    let mut ops = Vec::new();
    let mut leases = Vec::new();
    for service in 0..200 {
        for version in 0..3 {
            let bytes = descriptors(&format!("s{service}v{version}"));
            let digest = Digest::of(&bytes);
            let meta = value::Meta::of(bytes.len(), 1, vec!["shop.v1.Shop".into()], Timestamp(1));
            let root = format!("{ROOT}/schemas/{}", digest.hex());
            ops.push(TxnOp::put(format!("{root}/c/0000"), &bytes[..], None));
            ops.push(TxnOp::put(format!("{root}/meta"), meta.written(), None));
            if bound == Bound::Yes {
                let record = VersionRecord { digest: Some(digest), first_seen: Timestamp(1) };
                let key = format!("{ROOT}/versions/s{service}/1.{version}.0");
                ops.push(TxnOp::put(key, value::version(record), None));
            }
        }
        for id in 0..10 {
            let lease = client.lease_grant(60, None).await.unwrap().id();
            leases.push(lease);
            let name = format!("s{service}v{}", id % 3);
            let digest = Digest::of(&descriptors(&name));
            let version = format!("1.{}.0", id % 3);
            let asked = registration(&format!("s{service}"), &format!("i{id}"), &version, Some(digest));
            let key = format!("{ROOT}/instances/s{service}/i{id}");
            let options = PutOptions::new().with_lease(lease);
            ops.push(TxnOp::put(key, value::instance(&asked, Timestamp(1)), Some(options)));
        }
    }
    for ops in ops.chunks(100) {
        client.txn(Txn::new().and_then(ops)).await.unwrap();
    }
    leases
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    Yes,
    No,
}

/// The memory of this process, in bytes.
fn resident() -> u64 {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
}

#[tokio::test(flavor = "multi_thread")]
async fn two_thousand_instances_are_told_soon_and_kept() {
    for bound in [Bound::Yes, Bound::No] {
        let Some(etcd) = testing::Etcd::one().await else { return };
        let mut client = etcd.client().await;
        let leases = crowd(&mut client, bound).await;
        let (before, started) = (resident(), Instant::now());
        let gateway = Gateway::start(&etcd, "one");
        let up = |gateway: &Gateway| {
            gateway.registry.snapshot().instances().filter(|of| of.standing() == Standing::Up).count()
        };
        eventually("all are up", || up(&gateway) == leases.len()).await;
        let grown = resident().saturating_sub(before) >> 20;
        println!("bound {bound:?}: {} up {:?} after the start, {grown} MiB", leases.len(), started.elapsed());
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());

        // Each renews once in five seconds, as with the shortest lease.
        let mut pace = tokio::time::interval(Duration::from_secs(5) / 2000);
        let (running, started) = (TaskTracker::new(), Instant::now());
        let slowest = Arc::new(Mutex::new(Vec::new()));
        for lease in leases {
            pace.tick().await;
            let (store, slowest) = (gateway.registry.store.clone(), slowest.clone());
            running.spawn(async move {
                let asked = Instant::now();
                assert_eq!(store.renew(value::lease(lease)).await.unwrap(), Some(5));
                lock(&slowest).push(asked.elapsed());
            });
        }
        running.close();
        running.wait().await;
        let mut took = lock(&slowest).clone();
        took.sort();
        assert_eq!(took.len(), 2000, "every renewal was answered");
        println!(
            "2000 renewals in {:?}: median {:?}, p99 {:?}, longest {:?}",
            started.elapsed(),
            took[1000],
            took[1980],
            took[1999]
        );
        assert!(took[1980] < Duration::from_secs(1), "{:?}", took[1980]);
        gateway.stop().await;
    }
}

#[tokio::test]
async fn a_member_that_does_not_answer_refuses_no_registration() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    // It takes connections, and says nothing.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let endpoints = vec![url.clone(), etcd.endpoints()[0].clone()];
    let cluster = (0..100).find_map(|_| {
        let tls = TlsConfig { ca: None, client: None };
        let contact = Contact { endpoints: endpoints.clone(), tls, login: None };
        Some(Cluster::new(contact, Clock::start())).filter(|cluster| cluster.first() == url)
    });
    let hub = Arc::new(Hub::new(vec![SourceName::own()], Known::default(), Clock::start()));
    let (_terms, now) = watch::channel(terms("127.0.0.0/8"));
    let store = Etcd::new(Arc::new(cluster.unwrap()), ROOT, hub, now, "a".to_owned());
    let granted = store.register(registration("catalog", "a", "1.5.0", None)).await.unwrap();
    assert_eq!(granted.ttl_s, 5);
}

#[tokio::test]
async fn what_came_and_went_while_no_watch_told_of_it_does_not_stay() {
    let Some(etcd) = testing::Etcd::one().await else { return };
    let contact =
        Contact { endpoints: etcd.endpoints(), tls: TlsConfig { ca: None, client: None }, login: None };
    let (hub, clock) = (Hub::new(vec![SourceName::own()], Known::default(), Clock::start()), Clock::start());
    let (hub, (_terms, now)) = (Arc::new(hub), watch::channel(terms("127.0.0.0/8")));
    let store = Etcd::new(Arc::new(Cluster::new(contact, clock)), ROOT, hub.clone(), now, "a".to_owned());
    let (running, stop) = (TaskTracker::new(), CancellationToken::new());
    running.spawn(store.clone().run(stop.clone()));
    eventually("the first listing", || store.view().is_complete()).await;
    // Registered here, ended and compacted before a watch could say so.
    let (key, written_at) = (format!("{ROOT}/instances/catalog/a").into_bytes(), 1 << 40);
    let value = value::instance(&registration("catalog", "a", "1.5.0", None), Timestamp(1));
    store.put(Arc::new(Entry { key, value, lease: Some(7), created_at: written_at, written_at }));
    let standing = || {
        let snapshot = hub.snapshot();
        let found = snapshot.instance(&"catalog".parse().unwrap(), &"a".parse().unwrap());
        found.map(Registered::standing)
    };
    assert_eq!(standing(), Some(Standing::Up));
    eventually("the end", || standing() == Some(Standing::Suspect)).await;
    stop.cancel();
    running.close();
    tokio::time::timeout(Duration::from_secs(5), running.wait()).await.unwrap();
}
