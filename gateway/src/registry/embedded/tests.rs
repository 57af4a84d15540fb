//! What the embedded store does that others need not: its file, its restarts, and leases that come late.

use std::sync::atomic::{AtomicU32, Ordering};

use rusqlite::Connection;
use tempfile::TempDir;
use turnout_control::id::Timestamp;
use turnout_control::records::Expected;
use turnout_control::registration::Terms;
use turnout_control::registry::Presence;
use turnout_control::table::Input;

use super::*;
use crate::registry::contract;
use crate::registry::native::Native;

const GRACE: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread")]
async fn the_embedded_store_keeps_the_contract() {
    let directories = tempfile::tempdir().unwrap();
    let count = AtomicU32::new(0);
    contract::check(async || {
        let at = count.fetch_add(1, Ordering::Relaxed);
        open(&directories.path().join(at.to_string()))
    })
    .await;
}

fn open(directory: &Path) -> Registry {
    alone(directory, Clock::start(), GRACE).unwrap()
}

/// What a kill leaves behind: the files as they are while somebody has them open.
fn killed(directory: &TempDir) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for file in ["registry.sqlite", "registry.sqlite-wal"] {
        std::fs::copy(directory.path().join(file), copy.path().join(file)).unwrap();
    }
    copy
}

fn registration(service: &str, id: &str) -> Registration {
    let native: Native =
        serde_json::from_str(r#"{"version":"1.4.0","endpoints":[{"url":"grpc://127.0.0.1:50051"}]}"#)
            .unwrap();
    let terms = Terms { allow_cidrs: vec!["127.0.0.0/8".parse().unwrap()], ttl_s: 15 };
    native.read_as(&service.parse().unwrap(), &id.parse().unwrap(), None, &terms).unwrap()
}

fn shown(registry: &Registry, id: &str) -> Option<Registered> {
    registry.snapshot().instance(&"catalog".parse().unwrap(), &id.parse().unwrap()).cloned()
}

fn silent(id: &str) -> Input {
    Input::Heard(SourceName::own(), format!("catalog/{id}"), Presence::Silent)
}

fn here(id: &str) -> Input {
    Input::Heard(SourceName::own(), format!("catalog/{id}"), Presence::Here)
}

fn write(key: &str, expected: Expected, value: &str) -> Change {
    let key: Key = key.parse().unwrap();
    Change {
        expected: [(key.clone(), expected)].into(),
        writes: [(key, Some(value.as_bytes().into()))].into(),
    }
}

#[tokio::test]
async fn a_file_of_format_1_is_taken_over_with_all_that_is_in_it() {
    let directory = tempfile::tempdir().unwrap();
    let old = Connection::open(directory.path().join("registry.sqlite")).unwrap();
    old.execute_batch(sqlite::FORMAT_1).unwrap();
    let digest = Digest::of(b"");
    old.execute_batch(&format!(
        r#"PRAGMA journal_mode = WAL;
        INSERT INTO schemas VALUES ('{digest}', '["shop.v1.Shop"]', x'', 1);
        INSERT INTO versions VALUES ('catalog', '1.4.0', '{digest}', 2);
        INSERT INTO instances VALUES ('catalog', 'a', '000102030405060708090a0b0c0d0e0f', 15, 3,
            '{{"v":1,"version":"1.4.0","incarnation":7,"endpoints":[{{"url":"grpc://127.0.0.1:50051"}}]}}');
        UPDATE revision SET value = 41;
        PRAGMA user_version = 1;"#
    ))
    .unwrap();
    drop(old);

    let registry = open(directory.path());
    let taken = shown(&registry, "a").unwrap();
    assert_eq!((taken.ttl_s, taken.registered_at, taken.instance.incarnation), (15, Timestamp(3), 7));
    assert_eq!(registry.snapshot().revision, 41 + sqlite::REVISIONS_UNSAID);
    assert_eq!(registry.store.renew(taken.lease.unwrap()).await.unwrap(), Some(60));
    assert_eq!(registry.store.schema_services(digest).await.unwrap().unwrap(), ["shop.v1.Shop"]);
    registry.store.change(write("policy/a", Expected::Absent, "1")).await.unwrap();
    let listed = registry.store.schemas().await.unwrap();
    assert!(registry.store.remove_schema(listed[0].clone()).await.unwrap());
    drop(registry);
    let again = Opened::open(directory.path()).unwrap();
    assert_eq!(again.known.revision, 41 + sqlite::REVISIONS_UNSAID);
    assert_eq!(again.records.of(Kind::Policy).count(), 1);
}

#[test]
fn a_file_of_a_later_build_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let newer = Connection::open(directory.path().join("registry.sqlite")).unwrap();
    newer.pragma_update(None, "user_version", 3).unwrap();
    drop(newer);
    let refused = Opened::open(directory.path()).unwrap_err();
    assert!(matches!(refused, OpenError::File(sqlite::Error::Format(3))), "{refused}");
}

#[tokio::test]
async fn the_revision_never_goes_back_whether_it_was_written_or_not() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path());
    registry.store.register(registration("catalog", "a")).await.unwrap();
    for _ in 0..100 {
        registry.hub.tell(silent("a"));
        registry.hub.tell(here("a"));
    }
    let counted = registry.snapshot().revision;
    assert!(counted >= 200);
    let killed = killed(&directory);
    let begins = Opened::open(killed.path()).unwrap().known.revision;
    assert!(begins > counted, "{begins} after a kill at {counted}");
    let again = Opened::open(killed.path()).unwrap().known.revision;
    assert!(again > begins, "{again} after {begins}, of which nobody heard the end");

    drop(registry);
    assert_eq!(Opened::open(directory.path()).unwrap().known.revision, counted);
}

#[tokio::test(start_paused = true)]
async fn a_long_life_says_how_far_it_has_counted() {
    let directory = tempfile::tempdir().unwrap();
    let opened = Opened::open(directory.path()).unwrap();
    let far = 5 * sqlite::REVISIONS_UNSAID;
    let known = Known { snapshot: Snapshot::restore(far, BTreeMap::new()), entries: Vec::new() };
    let hub = Arc::new(Hub::new(vec![SourceName::own()], known, Clock::start()));
    let store = Embedded::new(opened, hub, GRACE);
    let stop = CancellationToken::new();
    let running = store.clone().run(stop.clone());
    tokio::select! {
        () = running => {}
        () = async {
            while lock(&store.held).said < far {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        } => {}
    }
    let killed = killed(&directory);
    assert!(Opened::open(killed.path()).unwrap().known.revision > far);
}

#[tokio::test]
async fn records_and_their_revision_outlive_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path());
    let first = registry.store.change(write("policy/a", Expected::Absent, "1")).await.unwrap();
    registry.store.change(write("audit/1", Expected::Absent, "made it")).await.unwrap();
    let last = registry.store.change(write("policy/a", Expected::At(first), "2")).await.unwrap();
    let removal = Change { expected: BTreeMap::new(), writes: [("audit/1".parse().unwrap(), None)].into() };
    let removed = registry.store.change(removal).await.unwrap();

    let killed = killed(&directory);
    let again = open(killed.path());
    let records = again.store.records().borrow().clone();
    assert_eq!(records, registry.store.records().borrow().clone());
    assert_eq!(records.get(&"policy/a".parse().unwrap()).unwrap().revision, last);
    assert_eq!(records.revision, removed, "also when the last change left nothing behind");
}

#[tokio::test]
async fn a_heartbeat_that_comes_after_its_lease_brings_back_what_is_still_shown() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path());
    let granted = registry.store.register(registration("catalog", "a")).await.unwrap();
    let other = registry.store.register(registration("catalog", "b")).await.unwrap();
    let missing = Registered { presence: Presence::Missing, ..shown(&registry, "a").unwrap() };
    drop(registry);

    // The lease has ended: the file has nothing of it, and the hub still shows it.
    let directory = tempfile::tempdir().unwrap();
    let mut known = Snapshot::default();
    known = known.apply(&turnout_control::registry::Event::Up(missing.clone()));
    let entries = vec![(SourceName::own(), "catalog/a".to_owned(), missing)];
    let hub = Hub::new(vec![SourceName::own()], Known { snapshot: known, entries }, Clock::start());
    let hub = Arc::new(hub);
    let store = Embedded::new(Opened::open(directory.path()).unwrap(), hub.clone(), GRACE);
    let registry = Registry { store, hub };

    assert_eq!(registry.store.renew(other.lease).await.unwrap(), None, "nobody shows this one");
    assert_eq!(registry.store.renew(granted.lease).await.unwrap(), Some(15));
    assert_eq!(shown(&registry, "a").unwrap().presence, Presence::Here);
    assert_eq!(registry.store.renew(granted.lease).await.unwrap(), Some(15));
    let killed = killed(&directory);
    let written = Opened::open(killed.path()).unwrap();
    assert_eq!(written.known.instances().next().unwrap().lease, Some(granted.lease));
}

#[tokio::test]
async fn a_heartbeat_ends_the_silence_it_was_missed_for() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path());
    let granted = registry.store.register(registration("catalog", "a")).await.unwrap();
    registry.hub.tell(silent("a"));
    assert_eq!(shown(&registry, "a").unwrap().presence, Presence::Silent);
    registry.store.renew(granted.lease).await.unwrap();
    assert_eq!(shown(&registry, "a").unwrap().presence, Presence::Here);
    registry.hub.tell(silent("a"));
    registry.store.register(registration("catalog", "a")).await.unwrap();
    assert_eq!(shown(&registry, "a").unwrap().presence, Presence::Here, "who registers again is here");
}

#[tokio::test]
async fn descriptors_that_somebody_registered_with_meanwhile_are_not_removed() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path());
    let bytes = contract::descriptors("a");
    let digest = Digest::of(&bytes);
    registry.store.put_schema(digest, bytes.clone()).await.unwrap();
    let found = registry.store.schemas().await.unwrap().remove(0);
    registry.store.put_schema(digest, bytes.clone()).await.unwrap();
    assert!(!registry.store.remove_schema(found).await.unwrap(), "its author is about to register");
    let found = registry.store.schemas().await.unwrap().remove(0);
    let mut asked = registration("catalog", "a");
    asked.instance.schema = Some(turnout_control::registry::SchemaRef { digest, services: Vec::new() });
    registry.store.register(asked).await.unwrap();
    assert!(!registry.store.remove_schema(found).await.unwrap(), "it is named");
    assert!(registry.store.schema(digest).await.unwrap().is_some());
}

#[tokio::test]
async fn a_full_store_takes_what_it_has_and_nothing_new() {
    let directory = tempfile::tempdir().unwrap();
    drop(open(directory.path()));
    let filled = Connection::open(directory.path().join("registry.sqlite")).unwrap();
    filled
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9999)
            INSERT INTO schemas SELECT 'sha256:' || printf('%064x', i), '[]', x'', 1, 0 FROM n",
        )
        .unwrap();
    drop(filled);
    let registry = open(directory.path());
    let put = |bytes: Bytes| registry.store.put_schema(Digest::of(&bytes), bytes);
    assert!(put(contract::descriptors("a")).await.unwrap().created);
    let full = put(contract::descriptors("b")).await.unwrap_err();
    assert!(matches!(full, Error::Full(_)), "{full}");
    assert!(!put(contract::descriptors("a")).await.unwrap().created);
}

#[tokio::test]
async fn a_file_that_was_opened_is_live() {
    let directory = tempfile::tempdir().unwrap();
    let registry = open(directory.path());
    registry.store.register(registration("catalog", "a")).await.unwrap();
    let sources = registry.hub.sources().borrow().clone();
    let own = &sources[&SourceName::own()];
    assert_eq!((own.backend, &own.state, own.entries), ("embedded", &Hearing::Live, 1));
}

#[test]
fn two_thousand_leases_that_end_at_once_are_one_write() {
    let directory = tempfile::tempdir().unwrap();
    let mut opened = Opened::open(directory.path()).unwrap();
    let instance = |number: u16| {
        let mut instance = registration("catalog", &format!("i{number}")).instance;
        instance.endpoints[0].port = 10_000 + number;
        Arc::new(instance)
    };
    let registered = |number: u16| Registered {
        instance: instance(number),
        source: SourceName::own(),
        lease: Some(LeaseId::from_random(u128::from(number).to_be_bytes())),
        ttl_s: 15,
        registered_at: Timestamp(1),
        presence: Presence::Here,
        refused: None,
    };
    let changes: Vec<_> = (0..2000).map(|number| sqlite::Change::Put(registered(number))).collect();
    opened.file.commit(2000, &changes).unwrap();
    drop(opened);
    let opened = Opened::open(directory.path()).unwrap();
    let hub = Arc::new(Hub::new(vec![SourceName::own()], opened.known(), Clock::start()));
    let store = Embedded::new(opened, hub.clone(), Duration::ZERO);
    for known in hub.snapshot().instances() {
        let of = (known.instance.service.clone(), known.instance.id.clone());
        lock(&store.leases).grant(known.lease.unwrap(), of, 0, Duration::ZERO);
    }
    let reader = Connection::open(directory.path().join("registry.sqlite")).unwrap();
    let pages = || std::fs::metadata(directory.path().join("registry.sqlite-wal")).unwrap().len() / 4096;
    let before = pages();
    store.expire_due().unwrap();
    let written = pages() - before;
    assert!(written < 500, "{written} pages: one write touches each once");
    let left: i64 = reader.query_row("SELECT count(*) FROM instances", [], |row| row.get(0)).unwrap();
    assert_eq!((left, hub.snapshot().instances().count()), (0, 2000), "the hub holds them");
}
