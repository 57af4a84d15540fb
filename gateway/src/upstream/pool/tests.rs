//! Pools driven without a network: what an instance does is a table, and time is paused.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use futures_util::future::join_all;
use http::HeaderMap;
use http::uri::PathAndQuery;
use tokio_util::task::TaskTracker;
use turnout_control::id::{LeaseId, SourceName, Timestamp};
use turnout_control::registry::{Endpoint as Address, Health, Instance, Intent, Presence, Scheme, Snapshot};
use turnout_schema::{Diagnostic, Severity};

use super::*;
use crate::upstream::connection;
use crate::upstream::fleet::{Fleet, Settings};

static PATH: PathAndQuery = PathAndQuery::from_static("/shop.Catalog/GetProduct");
static METADATA: LazyLock<HeaderMap> = LazyLock::new(HeaderMap::new);

/// What an instance does with a call.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer(Duration),
    Fail(Code, Origin, Reach),
    Hang,
    /// Closes a connection that was open, and answers over the next.
    Leave,
}

impl Does {
    fn link(self) -> Link {
        match self {
            Does::Leave => Link::Gone,
            Does::Answer(_) | Does::Fail(..) | Does::Hang => Link::Kept,
        }
    }
}

const QUICK: Does = Does::Answer(Duration::from_millis(5));
const REFUSED: Does = Does::Fail(Code::Unavailable, Origin::Connection, Reach::Unseen);
const INTERNAL: Does = Does::Fail(Code::Internal, Origin::Service, Reach::Answered);
const UNAVAILABLE: Does = Does::Fail(Code::Unavailable, Origin::Service, Reach::Answered);

/// A version with instances on ports from 1.
struct World {
    fleet: Fleet,
    pool: Arc<Pool>,
    does: Mutex<BTreeMap<u16, Does>>,
    had: Mutex<BTreeMap<u16, u64>>,
}

fn fleet() -> Fleet {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(rustls::RootCertStore::empty())
        .with_no_client_auth();
    Fleet::new(Settings {
        connection: connection::Settings {
            connect_timeout: Duration::from_secs(1),
            message_bytes_max: 4 << 20,
            terms: crate::upstream::scripted::terms(&[]).1,
        },
        tls: Arc::new(tls),
        workers: 2,
        tasks: TaskTracker::new(),
        patience: Duration::from_secs(5),
        seed: 7,
    })
}

fn registered(port: u16) -> Registered {
    let instance = Instance {
        service: "catalog".parse().unwrap(),
        id: format!("i{port}").parse().unwrap(),
        version: "1.4.0".parse().unwrap(),
        incarnation: 1,
        endpoints: vec![Address {
            scheme: Scheme::Grpc,
            host: "127.0.0.1".into(),
            port,
            zone: String::new(),
        }],
        schema: None,
        weight: 100,
        intent: Intent::Up,
        health: Health::None,
        meta: BTreeMap::new(),
    };
    Registered {
        instance: Arc::new(instance),
        source: SourceName::own(),
        lease: Some(LeaseId::from_random([port as u8; 16])),
        ttl_s: 15,
        registered_at: Timestamp(1),
        presence: Presence::Here,
        refused: None,
    }
}

fn snapshot(registered: impl IntoIterator<Item = Registered>) -> Snapshot {
    registered.into_iter().fold(Snapshot::default(), |snapshot, registered| {
        snapshot.apply(&turnout_control::registry::Event::Up(registered))
    })
}

impl World {
    fn new(instances: impl IntoIterator<Item = Does>) -> World {
        let does: BTreeMap<u16, Does> = (1..).zip(instances).collect();
        let fleet = fleet();
        fleet.apply(&snapshot(does.keys().map(|port| registered(*port))));
        let pool = fleet.pool(&"catalog".parse().unwrap(), &"1.4.0".parse().unwrap());
        World { fleet, pool, does: Mutex::new(does), had: Mutex::default() }
    }

    fn set(&self, port: u16, does: Does) {
        self.does.lock().unwrap().insert(port, does);
    }

    /// How many calls an instance had since this was last asked.
    fn had(&self, port: u16) -> u64 {
        self.had.lock().unwrap().remove(&port).unwrap_or_default()
    }

    fn stat(&self, port: u16) -> EndpointStats {
        let url = format!("grpc://127.0.0.1:{port}");
        self.pool.stats().endpoints.into_iter().find(|endpoint| endpoint.url == url).unwrap()
    }

    async fn call(&self, outgoing: &Outgoing<'_>) -> Result<u16, Failure> {
        let attempt = |endpoint: Arc<Endpoint>, until: Instant| async move {
            let port = endpoint.target().port;
            *self.had.lock().unwrap().entry(port).or_default() += 1;
            let does = self.does.lock().unwrap()[&port];
            let result = match does {
                Does::Answer(after) => {
                    tokio::time::timeout_at(until, tokio::time::sleep(after)).await.map_err(|_| too_late())
                }
                Does::Hang => {
                    tokio::time::sleep_until(until).await;
                    Err(too_late())
                }
                Does::Fail(code, origin, reach) => Err(attempt(code, origin, reach)),
                Does::Leave => {
                    self.set(port, QUICK);
                    Err(attempt(Code::Unavailable, Origin::Connection, Reach::Unseen))
                }
            };
            Tried { result: result.map(|()| port), sent: None, link: does.link() }
        };
        self.pool.run(Kind::Unary, outgoing, attempt).await.map(|(port, _)| port)
    }

    /// Calls that begin evenly over some seconds. The results by second.
    async fn load(&self, per_s: u64, seconds: u64, safety: Safety) -> Vec<Tally> {
        let begun = Instant::now();
        let calls = (0..per_s * seconds).map(|number| async move {
            let at = begun + Duration::from_micros(1_000_000 * number / per_s);
            tokio::time::sleep_until(at).await;
            (number / per_s, self.call(&outgoing(safety)).await.is_ok(), at.elapsed())
        });
        let mut tallies = vec![Tally::default(); seconds as usize];
        for (second, good, took) in join_all(calls).await {
            let tally = &mut tallies[second as usize];
            tally.calls += 1;
            tally.good += u64::from(good);
            tally.longest = tally.longest.max(took);
        }
        tallies
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    calls: u64,
    good: u64,
    longest: Duration,
}

fn share(tallies: &[Tally]) -> f64 {
    let sum = |of: fn(&Tally) -> u64| tallies.iter().map(of).sum::<u64>() as f64;
    sum(|tally| tally.good) / sum(|tally| tally.calls)
}

fn attempt(code: Code, origin: Origin, reach: Reach) -> Attempt {
    let failure = Failure { code, message: String::new(), details: Bytes::new(), origin };
    Attempt { failure, reach, pushback: None }
}

fn too_late() -> Attempt {
    attempt(Code::DeadlineExceeded, Origin::Deadline, Reach::Perhaps)
}

fn outgoing(safety: Safety) -> Outgoing<'static> {
    Outgoing {
        path: &PATH,
        message: Bytes::new(),
        metadata: &METADATA,
        safety,
        deadline: Instant::now() + Duration::from_secs(10),
        timeout: None,
    }
}

fn within_ms(safety: Safety, ms: u64) -> Outgoing<'static> {
    Outgoing { deadline: Instant::now() + Duration::from_millis(ms), ..outgoing(safety) }
}

#[tokio::test(start_paused = true)]
async fn where_nobody_is_registered_a_call_ends_at_once() {
    let world = World::new([]);
    let began = Instant::now();
    let failure = world.call(&outgoing(Safety::ReadOnly)).await.unwrap_err();
    assert_eq!((failure.code, failure.origin), (Code::Unavailable, Origin::Nobody));
    assert_eq!(began, Instant::now());
}

#[tokio::test(start_paused = true)]
async fn calls_are_spread_over_all() {
    let world = World::new([QUICK; 3]);
    assert_eq!(share(&world.load(300, 4, Safety::ReadOnly).await), 1.0);
    for port in 1..=3 {
        let had = world.had(port);
        assert!((340..460).contains(&had), "{had}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_instance_gets_fewer_calls() {
    let world = World::new([QUICK, QUICK, Does::Answer(Duration::from_millis(200))]);
    world.load(300, 5, Safety::ReadOnly).await;
    let (quick, slow) = (world.had(1), world.had(3));
    assert!(slow * 10 < quick, "{slow} and {quick}");
    assert!(slow > 0);
}

#[tokio::test(start_paused = true)]
async fn a_broken_instance_of_three_is_ejected_and_comes_back() {
    for broken in [INTERNAL, UNAVAILABLE, REFUSED] {
        for safety in [Safety::ReadOnly, Safety::Once] {
            let world = World::new([QUICK, QUICK, broken]);
            world.load(200, 2, safety).await;
            world.had(3);
            let later = world.load(200, 30, safety).await;
            assert!(share(&later) >= 0.99, "{broken:?} {safety:?}: {later:?}");
            let had = world.had(3);
            assert!(had <= 200 * 30 / 100, "{broken:?}: {had}");
            world.set(3, QUICK);
            world.load(200, 5, safety).await;
            assert_eq!(world.stat(3).circuit, Circuit::Closed, "{broken:?} {safety:?}");
            world.had(3);
            world.load(200, 1, safety).await;
            assert!(world.had(3) > 40);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_hangs_is_ejected() {
    let world = World::new([QUICK, QUICK, Does::Hang]);
    world.load(200, 11, Safety::ReadOnly).await;
    world.had(3);
    let later = world.load(200, 20, Safety::ReadOnly).await;
    assert!(share(&later) >= 0.99, "{later:?}");
    assert!(world.had(3) <= 40);
}

#[tokio::test(start_paused = true)]
async fn when_all_are_broken_answers_come_at_once_and_the_first_good_one_soon() {
    for broken in [REFUSED, INTERNAL] {
        let world = World::new([broken; 3]);
        let tallies = world.load(50, 20, Safety::ReadOnly).await;
        // One retry, after a quarter of a second at most, is the longest.
        assert!(tallies.iter().all(|tally| tally.longest <= Duration::from_millis(260)), "{tallies:?}");
        assert!(world.pool.stats().endpoints.iter().any(|one| one.circuit == Circuit::Closed));
        for port in 1..=3 {
            world.set(port, QUICK);
        }
        let healed = Instant::now();
        while world.call(&outgoing(Safety::ReadOnly)).await.is_err() {}
        assert!(healed.elapsed() <= Duration::from_secs(2), "{:?}", healed.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn the_last_one_is_never_ejected() {
    let world = World::new([INTERNAL]);
    world.load(100, 3, Safety::ReadOnly).await;
    assert_eq!(world.stat(1).circuit, Circuit::Closed);
    let world = World::new([INTERNAL; 4]);
    world.load(100, 3, Safety::ReadOnly).await;
    let out = world.pool.stats().endpoints.iter().filter(|one| one.circuit != Circuit::Closed).count();
    assert_eq!(out, 2);
}

#[tokio::test(start_paused = true)]
async fn short_deadlines_and_impatient_callers_eject_nobody() {
    let world = World::new([Does::Hang; 4]);
    for _ in 0..200 {
        assert!(world.call(&within_ms(Safety::ReadOnly, 20)).await.is_err());
        let long = outgoing(Safety::ReadOnly);
        let impatient = tokio::time::timeout(Duration::from_millis(20), world.call(&long));
        assert!(impatient.await.is_err());
    }
    assert!(world.pool.stats().endpoints.iter().all(|one| one.circuit == Circuit::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_timeout_of_the_operator_counts() {
    let world = World::new([Does::Hang; 4]);
    for _ in 0..40 {
        let timeout = Some(Duration::from_millis(50));
        assert!(world.call(&Outgoing { timeout, ..outgoing(Safety::ReadOnly) }).await.is_err());
    }
    assert!(world.pool.stats().endpoints.iter().any(|one| one.circuit == Circuit::Open));
}

#[tokio::test(start_paused = true)]
async fn what_was_perhaps_done_is_not_done_again() {
    let world = World::new([Does::Fail(Code::Unavailable, Origin::Connection, Reach::Perhaps); 3]);
    for _ in 0..20 {
        assert!(world.call(&outgoing(Safety::Once)).await.is_err());
    }
    assert_eq!((1..=3).map(|port| world.had(port)).sum::<u64>(), 20);
    assert_eq!(world.pool.stats().retries, 0);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_seen_goes_to_another_instance_at_once() {
    let world = World::new([REFUSED, QUICK]);
    for _ in 0..10 {
        let began = Instant::now();
        assert_eq!(world.call(&outgoing(Safety::Once)).await, Ok(2));
        assert!(began.elapsed() < Duration::from_millis(10));
    }
    assert!(world.had(1) > 0);
}

#[tokio::test(start_paused = true)]
async fn a_stale_connection_is_replaced_at_once_and_blames_nobody() {
    let world = World::new([QUICK, QUICK]);
    world.fleet.apply(&snapshot([registered(1)]));
    for _ in 0..30 {
        world.set(1, Does::Leave);
        let began = Instant::now();
        assert_eq!(world.call(&outgoing(Safety::Once)).await, Ok(1));
        assert!(began.elapsed() < Duration::from_millis(10));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(world.had(1), 60);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_begin_blames_nobody() {
    let world = World::new([QUICK; 2]);
    let attempt = |_: Arc<Endpoint>, until: Instant| async move {
        tokio::time::sleep_until(until).await;
        Tried::<()> { result: Err(too_late()), sent: None, link: Link::Kept }
    };
    for _ in 0..20 {
        let outgoing = outgoing(Safety::ReadOnly);
        let failure = world.pool.run(Kind::Stream, &outgoing, attempt).await.unwrap_err();
        assert_eq!(failure.origin, Origin::Deadline);
    }
    assert!(world.pool.stats().endpoints.iter().all(|one| one.circuit == Circuit::Closed));
}

#[tokio::test(start_paused = true)]
async fn a_stream_has_a_place_at_its_instance_until_it_is_dropped() {
    let world = World::new([QUICK]);
    let outgoing = outgoing(Safety::ReadOnly);
    let attempt = async |_: Arc<Endpoint>, _: Instant| {
        // The first message is long in coming, and nobody minds.
        tokio::time::sleep(Duration::from_secs(9)).await;
        Tried { result: Ok("events"), sent: None, link: Link::Kept }
    };
    let (events, busy) = world.pool.run(Kind::Stream, &outgoing, attempt).await.unwrap();
    let stats = world.pool.stats();
    assert_eq!((events, stats.in_flight, stats.endpoints[0].in_flight), ("events", 0, 1));
    assert_eq!(stats.endpoints[0].latency, None);
    drop(busy);
    assert_eq!(world.stat(1).in_flight, 0);
}

#[tokio::test(start_paused = true)]
async fn retries_stay_within_their_budget() {
    let world = World::new([UNAVAILABLE; 3]);
    let tallies = world.load(200, 30, Safety::ReadOnly).await;
    assert_eq!(share(&tallies), 0.0);
    let had = (1..=3).map(|port| world.had(port)).sum::<u64>();
    assert!(had <= 6000 * 12 / 10 + 10 * 30 + 10, "{had}");
    assert!(had >= 6000 * 11 / 10, "{had}");
}

#[tokio::test(start_paused = true)]
async fn nothing_goes_beyond_the_deadline() {
    for does in [Does::Hang, UNAVAILABLE, REFUSED] {
        let world = World::new([does]);
        for ms in [1, 10, 100, 300] {
            let began = Instant::now();
            assert!(world.call(&within_ms(Safety::ReadOnly, ms)).await.is_err());
            assert!(began.elapsed() <= Duration::from_millis(ms + 1), "{does:?} {ms}");
        }
    }
    let world = World::new([QUICK]);
    let failure = world.call(&within_ms(Safety::ReadOnly, 0)).await.unwrap_err();
    assert_eq!((failure.origin, world.had(1)), (Origin::Deadline, 0));
}

#[tokio::test(start_paused = true)]
async fn what_is_given_up_leaves_nothing_behind() {
    let world = World::new([Does::Hang; 2]);
    for port in [1, 2] {
        let roster = world.pool.roster().clone();
        roster.takers()[port - 1].eject(Moment { now: world.pool.now(), calls: 0, jitter: 0.0 });
    }
    world.pool.out.store(2, Ordering::Relaxed);
    tokio::time::sleep(Duration::from_secs(5)).await;
    // Dropped at every point of its life that a clock can tell, as probe or not.
    for ms in 0..50 {
        let long = outgoing(Safety::ReadOnly);
        let given_up = tokio::time::timeout(Duration::from_millis(ms), world.call(&long));
        assert!(given_up.await.is_err());
    }
    let stats = world.pool.stats();
    assert_eq!((stats.in_flight, stats.waiting), (0, 0));
    assert!(stats.endpoints.iter().all(|one| one.in_flight == 0 && one.circuit == Circuit::Open));
    world.set(1, QUICK);
    world.set(2, QUICK);
    assert!(world.call(&outgoing(Safety::ReadOnly)).await.is_ok());
    assert!(world.call(&outgoing(Safety::ReadOnly)).await.is_ok());
    assert!(world.pool.stats().endpoints.iter().all(|one| one.circuit == Circuit::Closed));
}

#[tokio::test(start_paused = true)]
async fn what_hangs_is_bounded_and_the_rest_is_told_to_come_back() {
    let world = World::new([Does::Hang]);
    let began = Instant::now();
    let outgoing = outgoing(Safety::ReadOnly);
    let calls = (0..1500).map(|_| world.call(&outgoing));
    let results = join_all(calls).await;
    let shed = results
        .iter()
        .filter(|result| result.as_ref().is_err_and(|failure| failure.origin == Origin::Overload))
        .count();
    assert_eq!(shed, 500);
    assert_eq!(world.had(1), 1000);
    assert_eq!(world.pool.stats().sheds, 500);
    assert!(began.elapsed() <= Duration::from_millis(10_010));
}

#[tokio::test(start_paused = true)]
async fn who_is_silent_gets_calls_when_nobody_is_up_and_who_drains_when_nobody_else_is_left() {
    let world = World::new([QUICK; 3]);
    let mut draining = registered(1);
    Arc::make_mut(&mut draining.instance).intent = Intent::Draining;
    let silent = Registered { presence: Presence::Silent, ..registered(2) };
    world.fleet.apply(&snapshot([draining.clone(), silent.clone(), registered(3)]));
    world.load(100, 1, Safety::ReadOnly).await;
    assert_eq!((world.had(1), world.had(2), world.had(3)), (0, 0, 100));
    world.fleet.apply(&snapshot([draining.clone(), silent]));
    world.load(100, 1, Safety::ReadOnly).await;
    assert_eq!((world.had(1), world.had(2), world.had(3)), (0, 100, 0));
    // The graph has not moved to another version yet: better a call that it must finish than none.
    world.fleet.apply(&snapshot([draining.clone()]));
    world.load(100, 1, Safety::ReadOnly).await;
    assert_eq!((world.had(1), world.had(2), world.had(3)), (100, 0, 0));
    draining.refused = Some(Arc::new(Diagnostic {
        severity: Severity::Error,
        code: "VERSION_BOUND",
        message: "It has other descriptors.".into(),
        help: String::new(),
    }));
    world.fleet.apply(&snapshot([draining]));
    let failure = world.call(&outgoing(Safety::ReadOnly)).await.unwrap_err();
    assert_eq!(failure.origin, Origin::Nobody);
}

#[tokio::test(start_paused = true)]
async fn weights_are_shares_and_zero_is_none() {
    let world = World::new([QUICK; 3]);
    let weighs = |port, weight| {
        let mut registered = registered(port);
        Arc::make_mut(&mut registered.instance).weight = weight;
        registered
    };
    world.fleet.apply(&snapshot([weighs(1, 300), weighs(2, 100), weighs(3, 0)]));
    world.load(1000, 4, Safety::ReadOnly).await;
    let had = (world.had(1), world.had(2), world.had(3));
    assert!((2700..3300).contains(&had.0) && had.2 == 0, "{had:?}");
    world.fleet.apply(&snapshot([weighs(1, 0), weighs(2, 0), weighs(3, 0)]));
    world.load(300, 1, Safety::ReadOnly).await;
    assert!((1..=3).all(|port| world.had(port) > 50));
}

#[tokio::test(start_paused = true)]
async fn who_stays_keeps_what_is_known_of_it_and_a_new_process_starts_anew() {
    let world = World::new([QUICK, QUICK, INTERNAL]);
    world.load(200, 2, Safety::ReadOnly).await;
    assert_eq!(world.stat(3).circuit, Circuit::Open);
    world.fleet.apply(&snapshot([registered(1), registered(3), registered(4)]));
    assert_eq!(world.stat(3).circuit, Circuit::Open);
    assert!(world.stat(1).latency.is_some());
    assert_eq!(world.stat(4).latency, None);
    let mut restarted = registered(3);
    Arc::make_mut(&mut restarted.instance).incarnation = 2;
    world.fleet.apply(&snapshot([registered(1), restarted]));
    assert_eq!(world.stat(3).circuit, Circuit::Closed);
}

#[tokio::test(start_paused = true)]
async fn when_only_broken_ones_are_left_they_are_called_and_one_success_closes() {
    let world = World::new([QUICK, QUICK, INTERNAL]);
    world.load(200, 2, Safety::ReadOnly).await;
    world.set(3, QUICK);
    world.fleet.apply(&snapshot([registered(3)]));
    assert_eq!(world.call(&outgoing(Safety::Once)).await, Ok(3));
    assert_eq!(world.stat(3).circuit, Circuit::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_pool_lives_while_somebody_has_it_or_instances_are_registered() {
    let fleet = fleet();
    let (service, version) = ("catalog".parse().unwrap(), "1.4.0".parse().unwrap());
    let early = fleet.pool(&service, &version);
    fleet.apply(&snapshot([registered(1)]));
    assert!(Arc::ptr_eq(&early, &fleet.pool(&service, &version)));
    assert_eq!(early.stats().endpoints.len(), 1);
    fleet.apply(&Snapshot::default());
    assert_eq!((early.stats().endpoints.len(), fleet.stats().len()), (0, 1));
    drop(early);
    fleet.apply(&Snapshot::default());
    assert_eq!(fleet.stats().len(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_instance_with_two_addresses_has_the_share_of_one() {
    let world = World::new([QUICK; 3]);
    let mut double = registered(1);
    let other = registered(3).instance.endpoints[0].clone();
    Arc::make_mut(&mut double.instance).endpoints.push(other);
    world.fleet.apply(&snapshot([double, registered(2)]));
    world.load(600, 4, Safety::ReadOnly).await;
    let had = (world.had(1) + world.had(3), world.had(2));
    assert!(had.1 > 900 && had.0 > 900, "{had:?}");
}

#[test]
fn calls_and_streams_can_move_between_threads() {
    fn is_send<T: Send>(_: T) {}
    fn all(pool: &Pool, outgoing: &Outgoing<'_>) {
        is_send(pool.call(Worker(0), outgoing));
        is_send(pool.open(Worker(0), outgoing));
    }
    let _ = all;
}

#[tokio::test]
async fn what_a_call_costs_beside_the_network_is_printed() {
    let world = World::new([QUICK; 3]);
    let outgoing = outgoing(Safety::ReadOnly);
    let rounds = 100_000;
    let began = Instant::now();
    for _ in 0..rounds {
        let attempt =
            async |_: Arc<Endpoint>, _: Instant| Tried { result: Ok(()), sent: None, link: Link::Kept };
        let answered = world.pool.run(Kind::Unary, &outgoing, attempt).await;
        assert!(answered.is_ok());
    }
    let cost = began.elapsed() / rounds;
    println!("gate, choice and record: {} ns a call", cost.as_nanos());
    let stats = world.pool.stats();
    assert_eq!((stats.calls, stats.in_flight), (u64::from(rounds), 0));
}
