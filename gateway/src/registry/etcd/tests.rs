//! Following a store that does what the test says, in paused time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, advance, sleep, timeout};
use tokio_util::sync::CancellationToken;
use turnout_control::watch::{Entry, Event, Listing, Reply};

use super::{Backend, Delta, Error, Followed, Replies, Scope, follow};
use crate::clock::Clock;
use crate::registry::Hearing;

type Said = Result<Option<Reply>, Error>;

/// A store by script. What is not in the script fails.
#[derive(Debug, Default)]
struct Script {
    listings: Mutex<VecDeque<Listing>>,
    watches: Mutex<VecDeque<mpsc::Receiver<Said>>>,
    /// What was called, in order, with the second of it.
    calls: Mutex<Vec<String>>,
    begun: Mutex<Option<Instant>>,
    /// Leases that go on.
    alive: Mutex<Vec<i64>>,
    lease_takes: Mutex<Duration>,
    answers_reads: Mutex<bool>,
}

#[derive(Debug)]
struct Stream {
    said: mpsc::Receiver<Said>,
    script: Arc<Script>,
}

impl Script {
    fn will_list(&self, listing: Listing) {
        self.listings.lock().unwrap().push_back(listing);
    }

    fn will_watch(&self) -> mpsc::Sender<Said> {
        let (tx, rx) = mpsc::channel(100);
        self.watches.lock().unwrap().push_back(rx);
        tx
    }

    fn called(&self, what: String) {
        let begun = *self.begun.lock().unwrap().get_or_insert_with(Instant::now);
        self.calls.lock().unwrap().push(format!("{what} at {}", begun.elapsed().as_secs()));
    }

    fn calls(&self) -> Vec<String> {
        self.calls.lock().unwrap().clone()
    }
}

fn refused() -> Error {
    Error::Unreachable { member: "m0".to_owned(), why: "it is not in the script".to_owned() }
}

impl Backend for Arc<Script> {
    fn list<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<Listing, Error>> {
        self.called("list".to_owned());
        async move { self.listings.lock().unwrap().pop_front().ok_or_else(refused) }.boxed()
    }

    fn open<'a>(&'a self, _: &'a str, from: u64) -> BoxFuture<'a, Result<Box<dyn Replies>, Error>> {
        self.called(format!("watch from {from}"));
        let said = self.watches.lock().unwrap().pop_front();
        let stream = said.map(|said| Box::new(Stream { said, script: self.clone() }) as Box<dyn Replies>);
        async move { stream.ok_or_else(refused) }.boxed()
    }

    fn touch<'a>(&'a self, _: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        self.called("read".to_owned());
        let answers = *self.answers_reads.lock().unwrap();
        async move { if answers { Ok(()) } else { Err(refused()) } }.boxed()
    }

    fn is_alive(&self, lease: i64) -> BoxFuture<'_, Result<bool, Error>> {
        self.called(format!("lease {lease}"));
        async move {
            let takes = *self.lease_takes.lock().unwrap();
            sleep(takes).await;
            Ok(self.alive.lock().unwrap().contains(&lease))
        }
        .boxed()
    }
}

impl Replies for Stream {
    fn next(&mut self) -> BoxFuture<'_, Said> {
        async move { self.said.recv().await.unwrap_or(Ok(None)) }.boxed()
    }

    fn ask(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        self.script.called("ask".to_owned());
        async { Ok(()) }.boxed()
    }
}

fn entry(key: &str, lease: i64, written_at: u64) -> Entry {
    let lease = Some(lease).filter(|lease| *lease > 0);
    Entry { key: key.into(), value: b"{}".to_vec(), lease, created_at: written_at, written_at }
}

fn put(key: &str, at: u64) -> Event {
    Event::Put(entry(key, 0, at))
}

fn gone(key: &str, at: u64) -> Event {
    Event::Delete { key: key.into(), at }
}

fn created(revision: u64) -> Said {
    Ok(Some(Reply::Created(revision)))
}

fn events(events: Vec<Event>) -> Said {
    Ok(Some(Reply::Events(events)))
}

fn start(script: &Arc<Script>) -> (Followed, JoinSet<()>) {
    let scope = Scope { prefix: "/p/".to_owned(), layout: "native" };
    let (followed, work) = follow(Arc::new(script.clone()), scope, Clock::start(), CancellationToken::new());
    let mut tasks = JoinSet::new();
    tasks.spawn(work);
    (followed, tasks)
}

async fn told(followed: &mut Followed) -> String {
    let delta = timeout(Duration::from_secs(600), followed.deltas.recv()).await;
    let name = |entry: &Entry| String::from_utf8(entry.key.clone()).unwrap();
    match delta.expect("something is told").expect("it goes on") {
        Delta::Listed(all) => {
            let all: Vec<String> = all.iter().map(|entry| name(entry)).collect();
            format!("listed {}", all.join(" "))
        }
        Delta::Put(entry) => format!("put {}", name(&entry)),
        Delta::Removed(entry, how) => format!("removed {} {how:?}", name(&entry)),
    }
}

/// One that was listed at revision 9 with these, and follows.
async fn following(script: &Arc<Script>, entries: Vec<Entry>) -> (Followed, JoinSet<()>, mpsc::Sender<Said>) {
    script.will_list(Listing { revision: 9, entries });
    let stream = script.will_watch();
    stream.send(created(9)).await.unwrap();
    let (mut followed, tasks) = start(script);
    assert!(told(&mut followed).await.starts_with("listed"));
    (followed, tasks, stream)
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_without_a_word_goes_on_where_it_was() {
    let script = Arc::new(Script::default());
    let (mut followed, _tasks, stream) = following(&script, vec![entry("a", 0, 3)]).await;
    stream.send(events(vec![put("b", 12)])).await.unwrap();
    assert_eq!(told(&mut followed).await, "put b");
    let next = script.will_watch();
    next.send(created(15)).await.unwrap();
    drop(stream);
    next.send(events(vec![put("b", 12), gone("a", 14)])).await.unwrap();
    assert_eq!(told(&mut followed).await, "removed a Goodbye");
    assert_eq!(script.calls(), ["list at 0", "watch from 10 at 0", "watch from 13 at 0"]);
    assert_eq!(followed.freshness.borrow().state, Hearing::Live);
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_asked_then_the_store_is_read_and_the_watch_opened_where_it_was() {
    let script = Arc::new(Script::default());
    *script.answers_reads.lock().unwrap() = true;
    let (mut followed, _tasks, stream) = following(&script, vec![]).await;
    stream.send(events(vec![put("a", 11)])).await.unwrap();
    assert_eq!(told(&mut followed).await, "put a");
    let next = script.will_watch();
    next.send(created(20)).await.unwrap();
    next.send(events(vec![put("b", 12)])).await.unwrap();
    assert_eq!(told(&mut followed).await, "put b", "which the frozen watch had kept to itself");
    let calls = ["list at 0", "watch from 10 at 0", "ask at 8", "read at 12", "watch from 12 at 12"];
    assert_eq!(script.calls(), calls);
}

#[tokio::test(start_paused = true)]
async fn after_an_outage_of_a_minute_everything_is_known_within_five_seconds() {
    for _ in 0..20 {
        let script = Arc::new(Script::default());
        let (mut followed, _tasks, stream) = following(&script, vec![]).await;
        stream.send(Err(refused())).await.unwrap();
        sleep(Duration::from_secs(60)).await;
        let state = followed.freshness.borrow().state.clone();
        assert!(matches!(&state, Hearing::Stale(why) if why.contains("not in the script")), "{state:?}");
        let next = script.will_watch();
        next.send(created(30)).await.unwrap();
        next.send(events(vec![put("b", 30)])).await.unwrap();
        let healed = Instant::now();
        assert_eq!(told(&mut followed).await, "put b");
        assert!(healed.elapsed() <= Duration::from_secs(2), "{:?}", healed.elapsed());
        followed.freshness.changed().await.unwrap();
        assert_eq!(followed.freshness.borrow().state, Hearing::Live);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_away_at_the_start_is_not_heard_yet_and_then_live() {
    let script = Arc::new(Script::default());
    let (mut followed, _tasks) = start(&script);
    sleep(Duration::from_secs(100)).await;
    assert_eq!(followed.freshness.borrow().state, Hearing::Starting);
    assert_eq!(followed.freshness.borrow().synced_at, None);
    assert!(
        followed.deltas.try_recv().is_err(),
        "that nothing can be heard does not mean that nothing is there"
    );
    script.will_list(Listing { revision: 9, entries: vec![entry("a", 0, 3)] });
    let stream = script.will_watch();
    stream.send(created(9)).await.unwrap();
    assert_eq!(told(&mut followed).await, "listed a");
    sleep(Duration::from_secs(1)).await;
    let freshness = followed.freshness.borrow().clone();
    assert_eq!((freshness.state, freshness.revision, freshness.entries), (Hearing::Live, 9, 1));
    assert_eq!((freshness.relists, freshness.backend, freshness.layout), (0, "etcd", "native"));
    assert!(freshness.synced_at.is_some());
}

#[tokio::test(start_paused = true)]
async fn a_login_that_ended_inside_a_watch_opens_another() {
    let script = Arc::new(Script::default());
    let (mut followed, _tasks, stream) = following(&script, vec![]).await;
    let next = script.will_watch();
    next.send(created(12)).await.unwrap();
    next.send(events(vec![put("b", 12)])).await.unwrap();
    stream.send(Err(Error::Login("etcdserver: invalid auth token".to_owned()))).await.unwrap();
    assert_eq!(told(&mut followed).await, "put b");
    assert_eq!(script.calls(), ["list at 0", "watch from 10 at 0", "watch from 10 at 0"]);
}

#[tokio::test(start_paused = true)]
async fn the_first_list_again_after_a_compaction_may_fail_and_nothing_is_told_absent() {
    let script = Arc::new(Script::default());
    let (mut followed, _tasks, stream) = following(&script, vec![entry("a", 0, 3)]).await;
    stream.send(Ok(Some(Reply::Compacted))).await.unwrap();
    sleep(Duration::from_secs(10)).await;
    assert!(followed.deltas.try_recv().is_err());
    script.will_list(Listing { revision: 50, entries: vec![entry("a", 0, 3), entry("b", 0, 50)] });
    let next = script.will_watch();
    next.send(created(50)).await.unwrap();
    assert_eq!(told(&mut followed).await, "put b");
    assert!(script.calls().last().unwrap().starts_with("watch from 51"), "{:?}", script.calls());
}

#[tokio::test(start_paused = true)]
async fn who_listens_slowly_slows_the_watch_down() {
    let script = Arc::new(Script::default());
    let (mut followed, _tasks, stream) = following(&script, vec![]).await;
    let mut sent = 0;
    while timeout(Duration::from_secs(1), stream.send(events(vec![put("a", 10 + sent)]))).await.is_ok() {
        sent += 1;
    }
    assert!(sent < 500, "{sent} are in memory");
    for _ in 0..sent {
        assert_eq!(told(&mut followed).await, "put a");
    }
}

#[tokio::test(start_paused = true)]
async fn a_removal_says_whether_the_lease_went_on_without_the_entry() {
    let script = Arc::new(Script::default());
    script.alive.lock().unwrap().push(7);
    let all = vec![entry("a", 7, 3), entry("b", 8, 4), entry("c", 0, 5)];
    let (mut followed, _tasks, stream) = following(&script, all).await;
    for (key, at, how) in [("a", 10, "Goodbye"), ("b", 11, "Expired"), ("c", 12, "Goodbye")] {
        stream.send(events(vec![gone(key, at)])).await.unwrap();
        assert_eq!(told(&mut followed).await, format!("removed {key} {how}"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_nobody_tells_of_delays_its_removal_by_a_second_and_nothing_else() {
    let script = Arc::new(Script::default());
    *script.lease_takes.lock().unwrap() = Duration::from_secs(60);
    let (mut followed, _tasks, stream) = following(&script, vec![entry("a", 7, 3), entry("b", 8, 4)]).await;
    let begun = Instant::now();
    stream.send(events(vec![gone("a", 10), gone("b", 11), put("c", 12), put("b", 13)])).await.unwrap();
    for (what, after) in [("put c", 0), ("removed b Unknown", 0), ("put b", 0), ("removed a Unknown", 1)] {
        assert_eq!(told(&mut followed).await, what);
        assert_eq!(begun.elapsed().as_secs(), after, "{what}");
    }
    advance(Duration::from_secs(5)).await;
    assert!(followed.deltas.try_recv().is_err(), "each removal is told once");
}

#[tokio::test(start_paused = true)]
async fn of_a_thousand_that_go_at_once_twenty_are_asked_for() {
    let script = Arc::new(Script::default());
    script.alive.lock().unwrap().extend(1..=1000);
    let all = (1..=1000).map(|at| entry(&format!("{at:04}"), at, 3)).collect();
    let (mut followed, _tasks, stream) = following(&script, all).await;
    let begun = Instant::now();
    let all_gone = (1..=1000).map(|at| gone(&format!("{at:04}"), 20)).collect();
    stream.send(events(all_gone)).await.unwrap();
    let mut how = std::collections::BTreeMap::new();
    for _ in 0..1000 {
        let told = told(&mut followed).await;
        *how.entry(told.rsplit(' ').next().unwrap().to_owned()).or_insert(0) += 1;
    }
    assert_eq!(how, [("Goodbye".to_owned(), 20), ("Unknown".to_owned(), 980)].into());
    assert!(begun.elapsed() <= Duration::from_secs(1));
    assert_eq!(script.calls().iter().filter(|call| call.starts_with("lease")).count(), 20);
}

#[tokio::test(start_paused = true)]
async fn following_ends_when_it_is_told_to_and_when_nobody_listens() {
    let script = Arc::new(Script::default());
    let (followed, mut tasks, _stream) = following(&script, vec![]).await;
    drop(followed);
    timeout(Duration::from_secs(1), tasks.join_next()).await.expect("it ends").unwrap().unwrap();

    let stop = CancellationToken::new();
    let scope = Scope { prefix: "/p/".to_owned(), layout: "native" };
    let (_followed, work) = follow(Arc::new(script), scope, Clock::start(), stop.clone());
    tasks.spawn(work);
    stop.cancel();
    timeout(Duration::from_secs(1), tasks.join_next()).await.expect("it ends").unwrap().unwrap();
}
