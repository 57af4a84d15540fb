//! What every store must do, whichever it is: one list of facts, held against each of them.
//!
//! Each fact gets a store of its own, which runs while the fact is looked at, and all facts are looked at side
//! by side in real time. A store may learn of its own writes through a watch, so what it publishes may take
//! five seconds to arrive. What the trait promises at once, an answer and the hub after it, is asked at once.
//! Nothing here knows how a store keeps things. A registration that ended without a goodbye may stay in the
//! hub for a while: that is the table's business, and here it only must not pass for one that is here.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use bytes::Bytes;
use prost_types::{DescriptorProto, FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use turnout_control::id::LeaseId;
use turnout_control::records::{CHANGE_MAX, Change, Conflict, Expected, Key, Kind, VALUE_BYTES_MAX};
use turnout_control::registration::{Refusal, Registration};
use turnout_control::registry::{
    Endpoint, Health, Instance, Intent, Presence, Registered, SchemaRef, Scheme, Snapshot,
};
use turnout_schema::Digest;

use super::store::{Blob, Error, REPORT_BYTES_MAX};
use super::{Granted, Registry};

/// How long what is published may be on its way.
const ARRIVES: Duration = Duration::from_secs(5);
/// The lease of whatever must end here. Short, and long enough for a machine that is busy.
const TTL_S: u16 = 5;
/// No fact takes longer.
const FACT: Duration = Duration::from_secs(60);

/// Holds every fact against the stores that `make` makes: empty ones, on which nobody called `run` yet. Needs
/// a runtime of several threads and real time.
pub(crate) async fn check(make: impl AsyncFn() -> Registry) {
    tokio::join!(
        hold(&make, a_process_registers_once_however_often_it_asks),
        hold(&make, a_newer_process_replaces_an_older_one_and_never_the_reverse),
        hold(&make, a_lease_lives_by_its_heartbeats_and_ends_without_them),
        hold(&make, only_the_lease_of_a_registration_removes_it),
        hold(&make, a_version_keeps_its_descriptors_for_ever),
        hold(&make, a_version_without_descriptors_is_bound_once),
        hold(&make, a_registration_names_descriptors_that_are_stored),
        hold(&make, descriptors_are_what_their_digest_says_or_nothing_is_stored),
        hold(&make, stored_descriptors_are_listed_and_only_the_named_copy_is_removed),
        hold(&make, a_change_that_expects_something_else_is_told_what_there_is),
        hold(&make, a_change_of_several_records_is_all_or_nothing),
        hold(&make, a_change_that_no_store_could_take_is_refused),
        hold(&make, a_watcher_sees_changes_in_order_and_none_by_halves),
        hold(&make, two_writers_lose_no_increment),
        hold(&make, what_is_not_watched_is_read_in_pages),
        hold(&make, what_a_gateway_says_of_itself_is_heard_until_it_says_otherwise),
    );
}

async fn hold(make: &impl AsyncFn() -> Registry, fact: impl AsyncFn(&Registry)) {
    let registry = make().await;
    let stop = CancellationToken::new();
    let mut running = registry.store.clone().run(stop.clone());
    tokio::select! {
        () = &mut running => panic!("a store ran to its end without being told to stop"),
        held = timeout(FACT, fact(&registry)) => held.unwrap(),
    }
    stop.cancel();
    timeout(FACT, running).await.unwrap();
}

async fn a_process_registers_once_however_often_it_asks(registry: &Registry) {
    let asked = registration("catalog", "a", "1.4.0");
    let first = register(registry, &asked).await;
    assert_eq!((first.ttl_s, first.heartbeat_s), (TTL_S, TTL_S / 3));
    let here = here(registry, "catalog", "a");
    assert_eq!((here.lease, &*here.instance), (Some(first.lease), &asked.instance));
    assert!(registry.snapshot().revision >= first.revision);

    let again = register(registry, &asked).await;
    assert_eq!(again.lease, first.lease);
    assert!(again.revision >= first.revision);
    let mut draining = asked.clone();
    draining.instance.intent = Intent::Draining;
    assert_eq!(register(registry, &draining).await.lease, first.lease);
    assert_eq!(self::here(registry, "catalog", "a").instance.intent, Intent::Draining);
    assert_eq!(self::here(registry, "catalog", "a").registered_at, here.registered_at);
}

async fn a_newer_process_replaces_an_older_one_and_never_the_reverse(registry: &Registry) {
    let mut asked = registration("catalog", "a", "1.4.0");
    asked.instance.incarnation = 7;
    let old = register(registry, &asked).await;
    asked.instance.incarnation = 9;
    let new = register(registry, &asked).await;
    assert_ne!(new.lease, old.lease);
    assert_eq!(here(registry, "catalog", "a").lease, Some(new.lease));
    assert_eq!(registry.store.renew(old.lease).await.unwrap(), None, "the lease that was replaced");

    asked.instance.incarnation = 8;
    let stale = registry.store.register(asked).await.unwrap_err();
    let Error::Refused(Refusal::Stale { registered, offered, .. }) = stale else { panic!("{stale}") };
    assert_eq!((registered, offered), (9, 8));
    assert_eq!(here(registry, "catalog", "a").lease, Some(new.lease));
    assert_eq!(registry.store.renew(new.lease).await.unwrap(), Some(TTL_S));
}

async fn a_lease_lives_by_its_heartbeats_and_ends_without_them(registry: &Registry) {
    let asked = registration("catalog", "a", "1.4.0");
    let granted = register(registry, &asked).await;
    let started = Instant::now();
    while started.elapsed() < Duration::from_secs(u64::from(TTL_S) + 2) {
        sleep(Duration::from_millis(500)).await;
        assert_eq!(registry.store.renew(granted.lease).await.unwrap(), Some(TTL_S));
    }
    here(registry, "catalog", "a");
    assert_eq!(registry.store.renew(LeaseId::from_random([0xAB; 16])).await.unwrap(), None);

    // Its time, what a store may take to look, and what is on its way.
    let ends = Duration::from_secs(u64::from(TTL_S) + 3) + ARRIVES;
    within(ends, "the end of the lease", || {
        found(&registry.snapshot(), "catalog", "a").is_none_or(|left| left.presence != Presence::Here)
    })
    .await;
    assert!(registry.snapshot().service(&"catalog".parse().unwrap()).unwrap().versions.len() == 1);
    let again = register(registry, &asked).await;
    here(registry, "catalog", "a");
    assert_eq!(registry.store.renew(again.lease).await.unwrap(), Some(TTL_S));
}

async fn only_the_lease_of_a_registration_removes_it(registry: &Registry) {
    let granted = register(registry, &registration("catalog", "a", "1.4.0")).await;
    let (service, id) = ("catalog".parse().unwrap(), "a".parse().unwrap());
    let remove = |lease| registry.store.deregister(Clone::clone(&service), Clone::clone(&id), lease);
    let other = remove(LeaseId::from_random([0xAB; 16])).await.unwrap_err();
    assert!(matches!(other, Error::OtherLease(_)), "{other}");
    here(registry, "catalog", "a");

    let revision = remove(granted.lease).await.unwrap();
    assert!(registry.snapshot().revision >= revision && revision > granted.revision);
    assert_eq!(found(&registry.snapshot(), "catalog", "a"), None);
    remove(granted.lease).await.unwrap();
    remove(LeaseId::from_random([0xAB; 16])).await.unwrap();
    assert_eq!(registry.store.renew(granted.lease).await.unwrap(), None);
}

async fn a_version_keeps_its_descriptors_for_ever(registry: &Registry) {
    let (first, other) = (store(registry, "first").await, store(registry, "other").await);
    let asked = described("catalog", "a", "1.4.0", first);
    let granted = register(registry, &asked).await;
    let contradicts = described("catalog", "b", "1.4.0", other);
    refused_as_bound(registry, &contradicts, first).await;
    registry.store.deregister("catalog".parse().unwrap(), "a".parse().unwrap(), granted.lease).await.unwrap();
    refused_as_bound(registry, &contradicts, first).await;
    register(registry, &described("catalog", "b", "1.5.0", other)).await;
    register(registry, &asked).await;
    assert_eq!(bound(&registry.snapshot(), "catalog", "1.4.0"), Some(first));
    assert_eq!(bound(&registry.snapshot(), "catalog", "1.5.0"), Some(other));
}

async fn a_version_without_descriptors_is_bound_once(registry: &Registry) {
    let (first, other) = (store(registry, "first").await, store(registry, "other").await);
    register(registry, &registration("catalog", "a", "1.4.0")).await;
    let bind = |digest| registry.store.bind("catalog".parse().unwrap(), "1.4.0".parse().unwrap(), digest);
    let unknown = bind(Digest::of(b"never stored")).await.unwrap_err();
    assert!(matches!(unknown, Error::Refused(Refusal::SchemaUnknown(_))), "{unknown}");
    assert_eq!(bound(&registry.snapshot(), "catalog", "1.4.0"), None);

    bind(first).await.unwrap();
    eventually("the binding", || bound(&registry.snapshot(), "catalog", "1.4.0") == Some(first)).await;
    bind(first).await.unwrap();
    let rebound = bind(other).await.unwrap_err();
    assert!(matches!(rebound, Error::Refused(Refusal::VersionBound { .. })), "{rebound}");
    refused_as_bound(registry, &described("catalog", "b", "1.4.0", other), first).await;
    register(registry, &described("catalog", "b", "1.4.0", first)).await;
}

async fn a_registration_names_descriptors_that_are_stored(registry: &Registry) {
    let unknown = Digest::of(b"never stored");
    let refused = registry.store.register(described("catalog", "a", "1.4.0", unknown)).await.unwrap_err();
    let Error::Refused(Refusal::SchemaUnknown(named)) = refused else { panic!("{refused}") };
    assert_eq!(named, unknown);

    let stored = store(registry, "first").await;
    let mut asked = described("catalog", "a", "1.4.0", stored);
    let services = |names: &[&str]| {
        let services = names.iter().map(|name| (*name).to_owned()).collect();
        Some(SchemaRef { digest: stored, services })
    };
    asked.instance.schema = services(&["shop.v1.Shop", "shop.v1.Bakery"]);
    let refused = registry.store.register(asked.clone()).await.unwrap_err();
    let Error::Refused(Refusal::ServiceMissing { missing, .. }) = refused else { panic!("{refused}") };
    assert!(missing.contains("shop.v1.Bakery"), "{missing}");
    assert_eq!(registry.snapshot().instances().count(), 0);
    asked.instance.schema = services(&["shop.v1.Shop"]);
    register(registry, &asked).await;
}

async fn descriptors_are_what_their_digest_says_or_nothing_is_stored(registry: &Registry) {
    let (good, broken) = (descriptors("first"), Bytes::from_static(b"\x0a\xff\xff no descriptors"));
    let said = Digest::of(b"something else");
    let refused = registry.store.put_schema(said, good.clone()).await.unwrap_err();
    let Error::Digest { said: told, found } = refused else { panic!("{refused}") };
    assert_eq!((told, found), (said, Digest::of(&good)));
    let refused = registry.store.put_schema(Digest::of(&broken), broken.clone()).await.unwrap_err();
    assert!(matches!(refused, Error::Descriptors(_)), "{refused}");
    for digest in [said, Digest::of(&good), Digest::of(&broken)] {
        assert_eq!(registry.store.schema(digest).await.unwrap(), None);
        assert_eq!(registry.store.schema_services(digest).await.unwrap(), None);
    }
    assert_eq!(registry.store.schemas().await.unwrap(), []);
}

async fn stored_descriptors_are_listed_and_only_the_named_copy_is_removed(registry: &Registry) {
    // Larger than what fits into one value of etcd, and nothing that can be made smaller.
    let large = filled("large", 1_700_000);
    let mut expected = Vec::new();
    for bytes in [descriptors("first"), large, descriptors("other")] {
        let digest = Digest::of(&bytes);
        let stored = registry.store.put_schema(digest, bytes.clone()).await.unwrap();
        assert_eq!((stored.digest, stored.created), (digest, true));
        assert_eq!(stored.services, ["shop.v1.Shop"]);
        assert!(!registry.store.put_schema(digest, bytes.clone()).await.unwrap().created);
        assert_eq!(registry.store.schema(digest).await.unwrap().unwrap(), bytes);
        assert_eq!(registry.store.schema_services(digest).await.unwrap().unwrap(), ["shop.v1.Shop"]);
        expected.push((digest, u64::try_from(bytes.len()).unwrap()));
    }
    expected.sort();
    let listed = registry.store.schemas().await.unwrap();
    let named: Vec<(Digest, u64)> = listed.iter().map(|blob| (blob.digest, blob.bytes)).collect();
    assert_eq!(named, expected);

    let (blob, bytes) = (listed[0].clone(), registry.store.schema(listed[0].digest).await.unwrap().unwrap());
    let other = Blob { copy: blob.copy.wrapping_add(1), ..blob.clone() };
    assert!(!registry.store.remove_schema(other).await.unwrap());
    assert_eq!(registry.store.schema(blob.digest).await.unwrap().as_ref(), Some(&bytes));
    assert!(registry.store.remove_schema(blob.clone()).await.unwrap());
    assert!(!registry.store.remove_schema(blob.clone()).await.unwrap());
    assert_eq!(registry.store.schema(blob.digest).await.unwrap(), None);
    assert_eq!(registry.store.schema_services(blob.digest).await.unwrap(), None);
    assert_eq!(registry.store.schemas().await.unwrap(), listed[1..]);

    assert!(registry.store.put_schema(blob.digest, bytes.clone()).await.unwrap().created);
    assert!(!registry.store.remove_schema(blob.clone()).await.unwrap(), "it was stored anew");
    assert_eq!(registry.store.schema(blob.digest).await.unwrap(), Some(bytes));
}

async fn a_change_that_expects_something_else_is_told_what_there_is(registry: &Registry) {
    let at = key("policy/web@2.4.1/orders/2");
    let write = |expected: Option<Expected>, value: Option<&str>| {
        let expected = expected.map(|expected| (at.clone(), expected)).into_iter().collect();
        let writes = [(at.clone(), value.map(|value| value.as_bytes().into()))].into();
        registry.store.change(Change { expected, writes })
    };
    let first = write(Some(Expected::Absent), Some("one")).await.unwrap();
    assert!(first > 0);
    eventually("the first", || value(registry, &at).as_deref() == Some("one")).await;
    assert_eq!(conflict(write(Some(Expected::Absent), Some("two")).await).found, Some(first));
    assert_eq!(conflict(write(Some(Expected::At(first + 1)), Some("two")).await).found, Some(first));
    let second = write(Some(Expected::At(first)), Some("two")).await.unwrap();
    assert!(second > first);
    let told = conflict(write(Some(Expected::At(first)), None).await);
    assert_eq!((told.key, told.found), (at.clone(), Some(second)));
    write(Some(Expected::At(second)), None).await.unwrap();
    eventually("the removal", || value(registry, &at).is_none()).await;
    assert_eq!(conflict(write(Some(Expected::At(second)), Some("three")).await).found, None);
    let third = write(None, Some("three")).await.unwrap();
    assert!(third > second, "a record that was there before never has an old revision again");
    eventually("the last", || value(registry, &at).as_deref() == Some("three")).await;
}

async fn a_change_of_several_records_is_all_or_nothing(registry: &Registry) {
    let names: Vec<Key> = (0..10).map(|at| key(&format!("service/s{at}"))).collect();
    let all = |expected: &[(usize, Expected)], value: &str| Change {
        expected: expected.iter().map(|(at, expected)| (names[*at].clone(), *expected)).collect(),
        writes: names.iter().map(|name| (name.clone(), Some(value.as_bytes().into()))).collect(),
    };
    let store = &registry.store;
    let first = store.change(all(&[(0, Expected::Absent), (9, Expected::Absent)], "1")).await.unwrap();
    let told = conflict(store.change(all(&[(0, Expected::At(first)), (9, Expected::Absent)], "2")).await);
    assert_eq!((told.key, told.found), (names[9].clone(), Some(first)));
    // What it was decided by counts like what it writes.
    let looked = Change { expected: [(names[3].clone(), Expected::Absent)].into(), ..all(&[], "2") };
    let told = conflict(store.change(looked).await);
    assert_eq!(told.key, names[3]);
    let read = store.read(Kind::Service, None, 100).await.unwrap();
    assert_eq!(read.len(), names.len());
    assert!(read.values().all(|record| record.revision == first && &*record.value == b"1"), "{read:?}");
}

async fn a_change_that_no_store_could_take_is_refused(registry: &Registry) {
    let of = |count: usize, bytes: usize| {
        let write = |at: usize| (key(&format!("frontend/f{at}")), Some(vec![b'x'; bytes].into()));
        Change { expected: BTreeMap::new(), writes: (0..count).map(write).collect() }
    };
    for too_much in [of(1, VALUE_BYTES_MAX + 1), of(CHANGE_MAX + 1, 1)] {
        let refused = registry.store.change(too_much).await.unwrap_err();
        assert!(matches!(refused, Error::Excess(_)), "{refused}");
    }
    registry.store.change(of(1, VALUE_BYTES_MAX)).await.unwrap();
    registry.store.change(of(CHANGE_MAX, 100)).await.unwrap();
    assert_eq!(registry.store.read(Kind::Frontend, None, 1000).await.unwrap().len(), CHANGE_MAX);
}

async fn a_watcher_sees_changes_in_order_and_none_by_halves(registry: &Registry) {
    const LAST: u32 = 30;
    let (left, right) = (key("rollout/left"), key("rollout/right"));
    let mut records = registry.store.records();
    let watch = async {
        let mut seen = vec![(0, 0)];
        while seen.last().is_none_or(|(_, at)| *at < LAST) {
            timeout(ARRIVES, records.changed()).await.unwrap().unwrap();
            let now = records.borrow_and_update().clone();
            let Some(here) = now.get(&left) else { continue };
            assert_eq!(Some(here), now.get(&right), "one half of a change");
            assert!(now.revision >= here.revision);
            let at = std::str::from_utf8(&here.value).unwrap().parse().unwrap();
            if seen.last() != Some(&(here.revision, at)) {
                seen.push((here.revision, at));
            }
        }
        seen
    };
    let write = async {
        let mut written = BTreeMap::from([(0, 0)]);
        for at in 1..=LAST {
            let value: Arc<[u8]> = at.to_string().into_bytes().into();
            let writes = [(left.clone(), Some(value.clone())), (right.clone(), Some(value))].into();
            let change = Change { expected: BTreeMap::new(), writes };
            written.insert(registry.store.change(change).await.unwrap(), at);
        }
        written
    };
    let (seen, written) = tokio::join!(watch, write);
    assert!(seen.windows(2).all(|pair| pair[0] < pair[1]), "{seen:?}");
    assert!(seen.iter().all(|(revision, at)| written.get(revision) == Some(at)), "{seen:?} of {written:?}");
}

async fn two_writers_lose_no_increment(registry: &Registry) {
    const EACH: u32 = 50;
    let at = key("policy/counter");
    let count = |registry: &Registry| value(registry, &at).map_or(0, |text| text.parse::<u32>().unwrap());
    let writer = || async {
        let mut done = 0;
        while done < EACH {
            let seen = registry.store.records().borrow().clone();
            let now = seen.get(&at).map(|record| std::str::from_utf8(&record.value).unwrap().to_owned());
            let next = now.map_or(0, |text| text.parse::<u32>().unwrap()) + 1;
            let change = Change {
                expected: [(at.clone(), seen.seen(&at))].into(),
                writes: [(at.clone(), Some(next.to_string().into_bytes().into()))].into(),
            };
            match registry.store.change(change).await {
                Ok(_) => done += 1,
                Err(Error::Conflict(_)) => sleep(Duration::from_millis(2)).await,
                Err(error) => panic!("{error}"),
            }
        }
    };
    tokio::join!(writer(), writer());
    eventually("the last increment", || count(registry) == 2 * EACH).await;
}

async fn what_is_not_watched_is_read_in_pages(registry: &Registry) {
    const ENTRIES: usize = 25;
    let entry = |at: usize| key(&format!("audit/{at:020}"));
    for at in 0..ENTRIES {
        let about = key("policy/web");
        let change = Change {
            expected: [(entry(at), Expected::Absent)].into(),
            writes: [
                (entry(at), Some(format!("entry {at}").into_bytes().into())),
                (about, Some(format!("by {at}").into_bytes().into())),
            ]
            .into(),
        };
        let revision = registry.store.change(change.clone()).await.unwrap();
        let taken = Change { expected: [(entry(at), Expected::Absent)].into(), writes: BTreeMap::new() };
        assert_eq!(conflict(registry.store.change(taken).await).found, Some(revision));
    }
    let (mut pages, mut after) = (Vec::new(), None);
    loop {
        let page = registry.store.read(Kind::Audit, after.clone(), 10).await.unwrap();
        let Some(last) = page.keys().next_back() else { break };
        after = Some(last.clone());
        pages.push(page);
    }
    assert_eq!(pages.iter().map(BTreeMap::len).collect::<Vec<_>>(), [10, 10, 5]);
    for (at, (name, record)) in pages.iter().flatten().enumerate() {
        assert_eq!((name, &*record.value), (&entry(at), format!("entry {at}").as_bytes()));
    }
    let policy = registry.store.read(Kind::Policy, None, 10).await.unwrap();
    assert_eq!(policy.len(), 1, "another kind than the one that was asked for");
    eventually("what is watched", || value(registry, &key("policy/web")).is_some()).await;
    assert_eq!(registry.store.records().borrow().of(Kind::Audit).count(), 0);
}

async fn what_a_gateway_says_of_itself_is_heard_until_it_says_otherwise(registry: &Registry) {
    let heard = || -> Vec<Bytes> { registry.store.replicas().borrow().values().cloned().collect() };
    assert_eq!(heard(), Vec::<Bytes>::new(), "nothing was said");
    for said in ["one", "two"] {
        registry.store.report(said.into()).await.unwrap();
        eventually("the report", || heard() == [said]).await;
    }
    let full = Bytes::from(vec![b'x'; REPORT_BYTES_MAX]);
    registry.store.report(full.clone()).await.unwrap();
    eventually("the largest report", || heard() == [full.clone()]).await;
    let over = registry.store.report(vec![b'x'; REPORT_BYTES_MAX + 1].into()).await.unwrap_err();
    assert!(matches!(over, Error::Report(_)), "{over}");
    // Longer than a lease may last whose heartbeats stopped.
    sleep(Duration::from_secs(17)).await;
    assert_eq!(heard(), [full], "it lives on without being said again");
}

/// Waits until something holds that may be on its way.
async fn eventually(what: &str, holds: impl Fn() -> bool) {
    within(ARRIVES, what, holds).await;
}

async fn within(time: Duration, what: &str, holds: impl Fn() -> bool) {
    let until = Instant::now() + time;
    while !holds() {
        assert!(Instant::now() < until, "{what} did not happen within {time:?}");
        sleep(Duration::from_millis(20)).await;
    }
}

/// A process that names no descriptors, with an address that nobody else has.
fn registration(service: &str, id: &str, version: &str) -> Registration {
    static PORT: AtomicU16 = AtomicU16::new(20_000);
    let instance = Instance {
        service: service.parse().unwrap(),
        id: id.parse().unwrap(),
        version: version.parse().unwrap(),
        incarnation: 1,
        endpoints: vec![Endpoint {
            scheme: Scheme::Grpc,
            host: "127.0.0.1".into(),
            port: PORT.fetch_add(1, Ordering::Relaxed),
            zone: String::new(),
        }],
        schema: None,
        weight: 100,
        intent: Intent::Up,
        health: Health::None,
        meta: BTreeMap::new(),
    };
    Registration { instance, ttl_s: TTL_S }
}

fn described(service: &str, id: &str, version: &str, digest: Digest) -> Registration {
    let mut registration = registration(service, id, version);
    registration.instance.schema = Some(SchemaRef { digest, services: Vec::new() });
    registration
}

/// Descriptors of `shop.v1.Shop` that differ by a name.
pub(crate) fn descriptors(name: &str) -> Bytes {
    filled(name, 0)
}

/// The same, with this many bytes that do not repeat themselves.
fn filled(name: &str, bytes: usize) -> Bytes {
    // An unknown field of a file's options is kept as it is, and means nothing.
    let mut noise = 0x9E37_79B9_7F4A_7C15_u64;
    let filling: String = std::iter::repeat_with(|| {
        noise = noise.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        char::from(b'a' + u8::try_from((noise >> 33) % 26).unwrap_or_default())
    })
    .take(bytes)
    .collect();
    let options = prost_types::FileOptions {
        java_package: Some(filling).filter(|filling| !filling.is_empty()),
        ..Default::default()
    };
    let set = FileDescriptorSet {
        file: vec![FileDescriptorProto {
            name: Some("shop.proto".into()),
            package: Some("shop.v1".into()),
            message_type: vec![DescriptorProto { name: Some(format!("Of_{name}")), ..Default::default() }],
            service: vec![ServiceDescriptorProto { name: Some("Shop".into()), ..Default::default() }],
            options: Some(options),
            syntax: Some("proto3".into()),
            ..Default::default()
        }],
    };
    prost::Message::encode_to_vec(&set).into()
}

async fn store(registry: &Registry, name: &str) -> Digest {
    let bytes = descriptors(name);
    registry.store.put_schema(Digest::of(&bytes), bytes).await.unwrap().digest
}

async fn register(registry: &Registry, asked: &Registration) -> Granted {
    registry.store.register(asked.clone()).await.unwrap()
}

async fn refused_as_bound(registry: &Registry, asked: &Registration, to: Digest) {
    let refused = registry.store.register(asked.clone()).await.unwrap_err();
    let Error::Refused(Refusal::VersionBound { bound, offered, .. }) = refused else { panic!("{refused}") };
    assert_eq!(bound, to);
    assert_eq!(Some(offered), asked.instance.schema.as_ref().map(|schema| schema.digest));
}

fn found(snapshot: &Snapshot, service: &str, id: &str) -> Option<Registered> {
    snapshot.instance(&service.parse().unwrap(), &id.parse().unwrap()).cloned()
}

/// An instance whose registration was answered: it is in the hub, and its heartbeats arrive.
fn here(registry: &Registry, service: &str, id: &str) -> Registered {
    let found = found(&registry.snapshot(), service, id);
    found.filter(|found| found.presence == Presence::Here && found.refused.is_none()).unwrap()
}

fn bound(snapshot: &Snapshot, service: &str, version: &str) -> Option<Digest> {
    snapshot.service(&service.parse().unwrap())?.versions.get(&version.parse().unwrap())?.digest
}

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn value(registry: &Registry, at: &Key) -> Option<String> {
    let records = registry.store.records();
    let now = records.borrow();
    now.get(at).map(|record| String::from_utf8(record.value.to_vec()).unwrap())
}

fn conflict(answer: Result<u64, Error>) -> Conflict {
    match answer.unwrap_err() {
        Error::Conflict(conflict) => conflict,
        error => panic!("{error}"),
    }
}
