//! What is kept comes back as it was, or not at all.

use turnout_control::id::LeaseId;
use turnout_control::registry::{Endpoint, Health, Instance, Intent, SchemaRef, Scheme};
use turnout_control::table::{Input, Removal, Said};

use super::*;
use crate::clock::Clock;

fn instance(number: usize) -> Instance {
    Instance {
        service: format!("service-{}", number % 20).parse().unwrap(),
        id: format!("host-{number}").parse().unwrap(),
        version: "1.5.0".parse().unwrap(),
        incarnation: 1_763_700_000_000_000_000 + number as u64,
        endpoints: vec![Endpoint {
            scheme: Scheme::Grpcs,
            host: "10.0.0.7".into(),
            port: 50051,
            zone: "a".into(),
        }],
        schema: Some(SchemaRef { digest: Digest::of(b"x"), services: vec!["shop.v1.Catalog".into()] }),
        weight: 70,
        intent: Intent::Draining,
        health: Health::Tcp,
        meta: [("team".to_owned(), "shop".to_owned())].into(),
    }
}

fn registered(number: usize, source: &str) -> Registered {
    Registered {
        instance: Arc::new(instance(number)),
        source: source.parse().unwrap(),
        lease: (!number.is_multiple_of(3)).then(|| LeaseId::from_random([7; 16])),
        ttl_s: 60,
        registered_at: Timestamp(1_763_700_000_000),
        presence: [Presence::Here, Presence::Silent, Presence::Missing, Presence::Held][number % 4],
        refused: (number % 5 == 4).then(|| {
            Arc::new(Diagnostic {
                severity: Severity::Error,
                code: "VERSION_BOUND",
                message: "It is bound.".to_owned(),
                help: "Give it a new version.".to_owned(),
            })
        }),
    }
}

fn known(count: usize) -> Known {
    let entries: Vec<_> = (0..count)
        .map(|number| {
            let source = if number % 2 == 0 { "turnout" } else { "legacy" };
            let registered = registered(number, source);
            (source.parse().unwrap(), format!("some/key \"{number}\"\u{1f600}"), registered)
        })
        .collect();
    let mut services: BTreeMap<_, Service> = BTreeMap::new();
    for (_, _, registered) in &entries {
        let service = services.entry(registered.instance.service.clone()).or_default();
        let record = VersionRecord { digest: Some(Digest::of(b"x")), first_seen: Timestamp(5) };
        service.versions.insert(registered.instance.version.clone(), record);
        service.instances.insert(registered.instance.id.clone(), registered.clone());
    }
    let gone = services.entry("gone".parse().unwrap()).or_default();
    gone.versions.insert("0.1.0".parse().unwrap(), VersionRecord { digest: None, first_seen: Timestamp(1) });
    Known { snapshot: Snapshot::restore(17, services), entries }
}

fn ranked() -> Vec<SourceName> {
    vec![SourceName::own(), "legacy".parse().unwrap()]
}

/// Own entries first, as their source is.
fn sorted(known: &Known) -> Vec<(SourceName, String, Registered)> {
    let mut entries = known.entries.clone();
    entries.sort_by_key(|(source, key, _)| (*source != SourceName::own(), key.clone()));
    entries
}

#[test]
fn what_was_kept_comes_back_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let known = known(40);
    write(directory.path(), &known).unwrap();
    let back = load(directory.path(), &ranked(), Known::default());
    assert_eq!(back.snapshot, known.snapshot);
    assert_eq!(sorted(&back), sorted(&known));
    // Writing again replaces it.
    write(directory.path(), &Known::default()).unwrap();
    assert!(load(directory.path(), &ranked(), Known::default()).entries.is_empty());
}

#[test]
fn a_source_that_is_not_followed_any_more_is_forgotten() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &known(8)).unwrap();
    let back = load(directory.path(), &[SourceName::own()], Known::default());
    assert_eq!(back.entries.len(), 4);
    assert_eq!(back.snapshot.instances().count(), 4);
    // Its versions keep what they mean.
    assert_eq!(back.snapshot.services().count(), 9);
}

#[test]
fn what_the_own_store_knows_goes_before_what_was_kept_of_it() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &known(4)).unwrap();
    let own = registered(100, "turnout");
    let service = own.instance.service.clone();
    let mut services: BTreeMap<_, Service> = BTreeMap::new();
    services.entry(service).or_default().instances.insert(own.instance.id.clone(), own.clone());
    let store = Known {
        snapshot: Snapshot::restore(99, services),
        entries: vec![(SourceName::own(), "service-0/host-100".to_owned(), own)],
    };
    let back = load(directory.path(), &ranked()[1..], store);
    let names: Vec<&str> = back.entries.iter().map(|(_, _, said)| said.instance.id.as_str()).collect();
    assert_eq!(names, ["host-100", "host-1", "host-3"]);
    assert_eq!((back.snapshot.revision, back.snapshot.instances().count()), (99, 3));
}

#[test]
fn a_file_that_was_cut_is_never_read() {
    let whole = serialize(&known(3)).unwrap();
    for end in 0..whole.len() {
        assert!(parse(&whole.as_bytes()[..end]).is_err(), "cut at {end}");
    }
    assert!(parse(whole.as_bytes()).is_ok());
}

#[test]
fn no_flipped_bit_changes_what_is_read() {
    let known = known(3);
    let whole = serialize(&known).unwrap().into_bytes();
    for at in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[at / 8] ^= 1 << (at % 8);
        if let Ok(read) = parse(&bytes) {
            assert_eq!((read.snapshot.revision, sorted(&read)), (17, sorted(&known)), "bit {at}");
        }
    }
}

#[test]
fn a_damaged_file_is_put_aside() {
    let directory = tempfile::tempdir().unwrap();
    for text in ["", "{}", "\0\0\0\0", "{\"format\":2,\"digest\":\"\",\"table\":{}}"] {
        fs::write(directory.path().join(NAME), text).unwrap();
        let back = load(directory.path(), &ranked(), Known::default());
        assert!(back.entries.is_empty());
        assert!(!directory.path().join(NAME).exists(), "{text:?}");
        assert_eq!(fs::read_to_string(directory.path().join("table.json.broken")).unwrap(), text);
    }
}

#[test]
fn two_thousand_instances_are_read_in_a_moment() {
    let directory = tempfile::tempdir().unwrap();
    write(directory.path(), &known(2000)).unwrap();
    let best = (0..5).map(|_| {
        let begin = tokio::time::Instant::now();
        assert_eq!(load(directory.path(), &ranked(), Known::default()).entries.len(), 2000);
        begin.elapsed()
    });
    let best = best.min().unwrap();
    // The bound is 100 ms for what users run; tests run without optimisation.
    assert!(best < Duration::from_millis(800), "{best:?}");
}

async fn until(done: impl Fn() -> bool) {
    for _ in 0..1000 {
        if done() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came");
}

#[tokio::test(start_paused = true)]
async fn changes_are_kept_at_most_once_a_second_and_at_the_end() {
    let directory = tempfile::tempdir().unwrap();
    let hub = Arc::new(Hub::new(ranked(), Known::default(), Clock::start()));
    let stop = CancellationToken::new();
    let mut keeper = tokio::task::JoinSet::new();
    keeper.spawn(run(hub.clone(), ranked(), directory.path().to_owned(), stop.clone()));
    let entries = || load(directory.path(), &ranked(), Known::default()).entries.len();
    let tell = |number: usize| {
        let said = Said::Instance(Registered {
            presence: Presence::Here,
            refused: None,
            ..registered(number, "legacy")
        });
        hub.tell(Input::Put("legacy".parse().unwrap(), number.to_string(), said));
    };
    tell(1);
    until(|| entries() == 1).await;
    let begin = tokio::time::Instant::now();
    tell(2);
    until(|| entries() == 2).await;
    assert!(begin.elapsed() > PAUSE / 2, "{:?}", begin.elapsed());
    tell(3);
    stop.cancel();
    keeper.join_next().await.unwrap().unwrap();
    assert_eq!(entries(), 3);
    hub.tell(Input::Removed("legacy".parse().unwrap(), "1".to_owned(), Removal::Goodbye));
    assert_eq!(entries(), 3);
}

#[test]
fn a_hub_starts_with_what_another_one_knew() {
    let directory = tempfile::tempdir().unwrap();
    let first = Hub::new(ranked(), Known::default(), Clock::start());
    let legacy: SourceName = "legacy".parse().unwrap();
    for number in [0, 20, 40] {
        let said = Registered { presence: Presence::Here, refused: None, ..registered(number, "legacy") };
        // Each at its own address, or they would be one.
        let mut instance = instance(number);
        instance.intent = Intent::Up;
        instance.endpoints[0].port = u16::try_from(1000 + number).unwrap();
        let said = Said::Instance(Registered { instance: Arc::new(instance), lease: None, ..said });
        first.tell(Input::Put(legacy.clone(), format!("key/{number}"), said));
    }
    first.tell(Input::Removed(legacy, "key/20".to_owned(), Removal::Expired));
    let presences = |hub: &Hub| -> Vec<_> {
        hub.snapshot().instances().map(|one| (one.instance.id.to_string(), one.presence)).collect()
    };
    assert_eq!(presences(&first).len(), 3, "who may still answer is not gone");
    write(directory.path(), &first.known()).unwrap();
    let known = load(directory.path(), &ranked(), Known::default());
    assert_eq!(known.entries.iter().filter(|(_, key, _)| key.starts_with("key/")).count(), 2);
    let second = Hub::new(ranked(), known, Clock::start());
    assert_eq!(presences(&second), presences(&first));
}
