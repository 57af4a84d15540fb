//! The hub by itself: what it is told, what readers see, and whom it has tried.

use std::sync::atomic::{AtomicUsize, Ordering};

use turnout_control::id::{LeaseId, Version};
use turnout_control::registry::{Endpoint, Health, Instance, Intent, Scheme, Standing, VersionRecord};
use turnout_control::table::{Removal, Said};
use turnout_schema::Digest;

use super::*;

fn registered(id: &str) -> Registered {
    let endpoint = Endpoint { scheme: Scheme::Grpc, host: id.into(), port: 50051, zone: String::new() };
    let instance = Instance {
        service: "catalog".parse().unwrap(),
        id: id.parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        incarnation: 1,
        endpoints: vec![endpoint],
        schema: None,
        weight: 100,
        intent: Intent::Up,
        health: Health::Grpc,
        meta: BTreeMap::new(),
    };
    Registered {
        instance: Arc::new(instance),
        source: SourceName::own(),
        lease: Some(LeaseId::from_random([1; 16])),
        ttl_s: 15,
        registered_at: Timestamp(1),
        presence: Presence::Here,
        refused: None,
    }
}

fn hub(known: Known) -> Arc<Hub> {
    Arc::new(Hub::new(vec![SourceName::own()], known, Clock::start()))
}

fn put(id: &str) -> Input {
    Input::Put(SourceName::own(), id.into(), Said::Instance(registered(id)))
}

fn expired(id: &str) -> Input {
    Input::Removed(SourceName::own(), id.into(), Removal::Expired)
}

fn shows(hub: &Hub) -> Vec<(String, Standing)> {
    let snapshot = hub.snapshot();
    snapshot.instances().map(|of| (of.instance.id.to_string(), of.standing())).collect()
}

/// A hub that runs with this probe until the guard is dropped.
fn running(hub: &Arc<Hub>, probe: Probe) -> (JoinSet<()>, CancellationToken) {
    let (mut tasks, stop) = (JoinSet::new(), CancellationToken::new());
    tasks.spawn(hub.clone().run(probe, stop.clone()));
    (tasks, stop)
}

fn always(answer: Answered) -> Probe {
    Arc::new(move |_| Box::pin(async move { answer }))
}

#[tokio::test]
async fn a_listing_is_one_change_with_a_revision_for_each_event() {
    let hub = hub(Known::default());
    let mut changes = hub.changes();
    let said = |id: &str| (id.to_owned(), Said::Instance(registered(id)));
    let listing = Input::Listed(SourceName::own(), [said("a"), said("b"), said("c")].into());
    assert_eq!(hub.tell(listing.clone()), 3);
    assert!(changes.has_changed().unwrap());
    changes.mark_unchanged();
    assert_eq!(hub.tell(listing), 3, "nothing is new");
    assert!(!changes.has_changed().unwrap());
    let Changes::Events(events) = hub.after(1) else { panic!("all of it is remembered") };
    assert_eq!(events.iter().map(|(at, _)| *at).collect::<Vec<_>>(), [2, 3]);
}

#[tokio::test]
async fn what_was_known_is_shown_from_the_start_and_what_no_entry_says_is_not() {
    let snapshot = Snapshot::restore(41, BTreeMap::new());
    let snapshot = snapshot.fold(&[Event::Up(registered("a")), Event::Up(registered("ghost"))]);
    let entries = vec![(SourceName::own(), "a".to_owned(), registered("a"))];
    let hub = hub(Known { snapshot, entries });
    assert_eq!(shows(&hub), [("a".to_owned(), Standing::Up)]);
    assert_eq!(hub.snapshot().revision, 44);
}

#[tokio::test]
async fn what_a_version_was_bound_to_before_the_start_still_counts() {
    let version: Version = "1.0.0".parse().unwrap();
    let record = VersionRecord { digest: Some(Digest::of(b"one")), first_seen: Timestamp(1) };
    let bound = Event::Version("catalog".parse().unwrap(), version, record);
    let hub = hub(Known { snapshot: Snapshot::default().fold(&[bound]), entries: Vec::new() });
    let mut other = registered("a");
    let schema = turnout_control::registry::SchemaRef { digest: Digest::of(b"two"), services: Vec::new() };
    Arc::make_mut(&mut other.instance).schema = Some(schema);
    hub.tell(Input::Put(SourceName::own(), "a".into(), Said::Instance(other)));
    assert_eq!(shows(&hub), [("a".to_owned(), Standing::Refused)]);
}

#[tokio::test(start_paused = true)]
async fn who_vanished_and_does_not_answer_is_gone_within_three_seconds() {
    let hub = hub(Known::default());
    for id in ["a", "b", "c"] {
        hub.tell(put(id));
    }
    let (_tasks, _stop) = running(&hub, always(Answered::No));
    hub.tell(expired("a"));
    assert_eq!(shows(&hub)[0], ("a".to_owned(), Standing::Suspect));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(shows(&hub).len(), 2);
}

#[tokio::test(start_paused = true)]
async fn who_vanished_and_answers_serves_on_with_a_finding_when_it_is_alone() {
    let hub = hub(Known::default());
    hub.tell(put("a"));
    let (_tasks, _stop) = running(&hub, always(Answered::Yes));
    hub.tell(expired("a"));
    assert_eq!(hub.findings(), []);
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(shows(&hub), [("a".to_owned(), Standing::Suspect)]);
    assert_eq!(hub.findings()[0].diagnostic.code, "NOT_REGISTERED");
    hub.tell(put("a"));
    assert_eq!(shows(&hub), [("a".to_owned(), Standing::Up)]);
    assert_eq!(hub.findings(), []);
}

#[tokio::test(start_paused = true)]
async fn many_who_vanished_are_tried_a_few_at_a_time_and_all_of_them() {
    let hub = hub(Known::default());
    let ids: Vec<String> = (0..500).map(|at| format!("i{at}")).collect();
    for id in &ids {
        hub.tell(put(id));
    }
    let (now, most, all) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let counts = Arc::new((now, most, all));
    let probe: Probe = Arc::new({
        let counts = counts.clone();
        move |_| {
            let counts = counts.clone();
            Box::pin(async move {
                let now = counts.0.fetch_add(1, Ordering::Relaxed) + 1;
                counts.1.fetch_max(now, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(100)).await;
                counts.0.fetch_sub(1, Ordering::Relaxed);
                counts.2.fetch_add(1, Ordering::Relaxed);
                Answered::Yes
            })
        }
    });
    let (_tasks, _stop) = running(&hub, probe);
    for id in &ids {
        hub.tell(expired(id));
    }
    assert!(shows(&hub).iter().all(|(_, standing)| *standing == Standing::Held));
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(counts.1.load(Ordering::Relaxed), 64);
    assert!(counts.2.load(Ordering::Relaxed) >= 500);
}

#[tokio::test(start_paused = true)]
async fn a_probe_that_breaks_or_hangs_holds_up_nobody_and_ends_with_the_hub() {
    let hub = hub(Known::default());
    for id in ["a", "b", "c", "d", "e"] {
        hub.tell(put(id));
    }
    let probe: Probe = Arc::new(|registered| match registered.instance.id.as_str() {
        "a" => Box::pin(async { panic!("a probe that breaks") }),
        "b" => Box::pin(std::future::pending()),
        _ => Box::pin(async { Answered::No }),
    });
    let (mut tasks, stop) = running(&hub, probe);
    for id in ["a", "b", "c"] {
        hub.tell(expired(id));
        tokio::time::sleep(Duration::from_secs(11)).await;
    }
    let left: Vec<String> = shows(&hub).into_iter().map(|(id, _)| id).collect();
    assert_eq!(left, ["a", "b", "d", "e"]);
    stop.cancel();
    tasks.join_next().await.unwrap().unwrap();
}

#[test]
fn who_is_refused_is_told_once() {
    let why = |message: &str| {
        Arc::new(Diagnostic {
            severity: turnout_schema::Severity::Error,
            code: "VERSION_BOUND",
            message: message.to_owned(),
            help: String::new(),
        })
    };
    let of = |message: &str| vec![Event::Up(Registered { refused: Some(why(message)), ..registered("a") })];
    let empty = Snapshot::default();
    assert_eq!(refused(&of("other bytes"), &empty).len(), 1);
    let known = empty.fold(&of("other bytes"));
    assert_eq!(refused(&of("other bytes"), &known).len(), 0);
    assert_eq!(refused(&of("retired"), &known).len(), 1);
    assert_eq!(refused(&[Event::Up(registered("a"))], &known).len(), 0);
}

#[test]
fn an_unreadable_entry_is_told_once_and_again_when_it_is_wrong_in_another_way() {
    let entry = |key: &str, code| {
        let found = Diagnostic {
            severity: turnout_schema::Severity::Error,
            code,
            message: String::new(),
            help: String::new(),
        };
        (SourceName::own(), key.to_owned(), found)
    };
    let before = [entry("a", "X"), entry("b", "X")];
    let now = [entry("a", "X"), entry("b", "Y"), entry("c", "X")];
    let keys: Vec<&str> = newly(&before, &now).map(|(_, key, _)| key.as_str()).collect();
    assert_eq!(keys, ["b", "c"]);
}
