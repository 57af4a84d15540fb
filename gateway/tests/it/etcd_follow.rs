//! Following a prefix of a real etcd that is killed, frozen, wiped, compacted and asked for passwords.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use etcd_client::{Client, PutOptions, Txn, TxnOp};
use tokio::task::JoinSet;
use tokio::time::{timeout, timeout_at};
use tokio_util::sync::CancellationToken;
use turnout::clock::Clock;
use turnout::registry::Hearing;
use turnout::registry::etcd::{Cluster, Delta, Followed, Scope, follow};

use crate::etcd::Etcd;
use crate::etcd_calls::{ask_for_passwords, cluster, login, root};

const PREFIX: &str = "/turnout/v1/instances/";

/// What a follower knows, and all that it was told.
struct World {
    followed: Followed,
    live: BTreeMap<String, String>,
    log: Vec<String>,
    _tasks: JoinSet<()>,
}

impl World {
    async fn new(cluster: &Arc<Cluster>) -> World {
        let scope = Scope { prefix: PREFIX.to_owned(), layout: "native" };
        let (followed, work) =
            follow(Arc::new(cluster.clone()), scope, Clock::start(), CancellationToken::new());
        let mut tasks = JoinSet::new();
        tasks.spawn(work);
        let mut world = World { followed, live: BTreeMap::new(), log: Vec::new(), _tasks: tasks };
        world.until("a first listing", Duration::from_secs(30), |world| !world.log.is_empty()).await;
        // The listing is told before the watch is open.
        world.followed.freshness.wait_for(|freshness| freshness.heard_at.is_some()).await.unwrap();
        world
    }

    /// Takes what is told until something holds; how long that took.
    async fn until(&mut self, what: &str, within: Duration, holds: impl Fn(&World) -> bool) -> Duration {
        let begun = Instant::now();
        while !holds(self) {
            let told = timeout_at((begun + within).into(), self.followed.deltas.recv()).await;
            match told {
                Ok(Some(delta)) => self.take(delta),
                Ok(None) => panic!("following ended"),
                Err(_) => panic!("waited in vain for {what}: {:?}\n{:?}", self.live.len(), self.log.last()),
            }
        }
        begun.elapsed()
    }

    fn take(&mut self, delta: Delta) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let name = |key: &[u8]| text(key).strip_prefix(PREFIX).unwrap().to_owned();
        match delta {
            Delta::Listed(all) => {
                self.live = all.iter().map(|entry| (name(&entry.key), text(&entry.value))).collect();
                self.log.push(format!("listed {}", all.len()));
            }
            Delta::Put(entry) => {
                self.live.insert(name(&entry.key), text(&entry.value));
                self.log.push(format!("put {}", name(&entry.key)));
            }
            Delta::Removed(entry, how) => {
                self.live.remove(&name(&entry.key));
                self.log.push(format!("removed {} {how:?}", name(&entry.key)));
            }
        }
    }

    /// What etcd has, read by another client.
    async fn truth(client: &mut Client) -> BTreeMap<String, String> {
        let options = etcd_client::GetOptions::new().with_prefix();
        let found = client.get(PREFIX, Some(options)).await.unwrap();
        let pair = |pair: &etcd_client::KeyValue| {
            let key = pair.key_str().unwrap().strip_prefix(PREFIX).unwrap().to_owned();
            (key, pair.value_str().unwrap().to_owned())
        };
        found.kvs().iter().map(pair).collect()
    }

    fn removals(&self) -> Vec<&String> {
        self.log.iter().filter(|line| line.starts_with("removed")).collect()
    }

    fn relists(&self) -> u64 {
        self.followed.freshness.borrow().relists
    }
}

/// Writes, again if need be: what a member sends on to a leader that just froze is lost.
async fn put(client: &mut Client, name: &str, value: &str) {
    for _ in 0..20 {
        let put = client.put(format!("{PREFIX}{name}"), value, None);
        if let Ok(Ok(_)) = timeout(Duration::from_secs(1), put).await {
            return;
        }
    }
    panic!("{name} cannot be written");
}

async fn put_many(client: &mut Client, count: usize) {
    for from in (0..count).step_by(100) {
        let ops: Vec<TxnOp> = (from..count.min(from + 100))
            .map(|at| TxnOp::put(format!("{PREFIX}catalog/{at:04}"), "first", None))
            .collect();
        client.txn(Txn::new().and_then(ops)).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_written_is_told_within_a_second_and_a_dead_member_changes_nothing() {
    let Some(mut etcd) = Etcd::three().await else { return };
    let cluster = cluster(&etcd, None);
    let mut world = World::new(&cluster).await;
    let watched = etcd.endpoints().iter().position(|url| *url == cluster.first()).unwrap();
    etcd.kill((watched + 1) % 3);
    etcd.ready(watched).await;
    let mut client = etcd.client_of(watched).await;
    let mut longest = Duration::ZERO;
    for at in 0..50 {
        let name = format!("catalog/{at}");
        put(&mut client, &name, "x").await;
        longest = longest
            .max(world.until("a put", Duration::from_secs(10), |world| world.live.contains_key(&name)).await);
    }
    println!("one of three dead: the longest of 50 puts was told after {longest:?}");
    assert!(longest < Duration::from_secs(1), "{longest:?}");

    etcd.spawn((watched + 1) % 3);
    etcd.ready((watched + 1) % 3).await;
    etcd.kill(watched);
    let begun = Instant::now();
    etcd.ready((watched + 1) % 3).await;
    let mut client = etcd.client_of((watched + 1) % 3).await;
    put(&mut client, "catalog/late", "x").await;
    world
        .until("a put after the death", Duration::from_secs(15), |world| {
            world.live.contains_key("catalog/late")
        })
        .await;
    println!("the watched one killed: told {:?} after it", begun.elapsed());
    assert_eq!(world.removals(), [""; 0]);
    assert_eq!(world.log.iter().filter(|line| line.starts_with("listed")).count(), 1);
}

#[tokio::test]
async fn a_frozen_member_is_left_for_another_and_nothing_is_lost() {
    let Some(etcd) = Etcd::three().await else { return };
    let cluster = cluster(&etcd, None);
    let mut world = World::new(&cluster).await;
    let watched = etcd.endpoints().iter().position(|url| *url == cluster.first()).unwrap();
    etcd.freeze(watched);
    let begun = Instant::now();
    etcd.ready((watched + 1) % 3).await;
    let mut client = etcd.client_of((watched + 1) % 3).await;
    put(&mut client, "catalog/a", "x").await;
    world.until("the put", Duration::from_secs(40), |world| world.live.contains_key("catalog/a")).await;
    println!("the watched one frozen: told {:?} after it", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let mut longest = Duration::ZERO;
    for at in 0..50 {
        let name = format!("orders/{at}");
        put(&mut client, &name, "x").await;
        longest = longest
            .max(world.until("a put", Duration::from_secs(10), |world| world.live.contains_key(&name)).await);
    }
    println!("one of three frozen: the longest of 50 puts was told after {longest:?}");
    assert!(longest < Duration::from_secs(1), "{longest:?}");
    etcd.thaw(watched);
}

#[tokio::test]
async fn a_watch_that_lags_behind_a_compaction_tells_only_what_differs() {
    let Some(etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    put_many(&mut client, 300).await;
    let mut world = World::new(&cluster(&etcd, None)).await;
    // Nobody listens meanwhile, so the watch lags; the values are large so that it lags in etcd.
    let large = "x".repeat(50_000);
    for at in 0..1000 {
        put(&mut client, &format!("catalog/{:04}", at % 50), &large).await;
    }
    for at in 250..260 {
        client.delete(format!("{PREFIX}catalog/{at:04}"), None).await.unwrap();
    }
    let head =
        client.put(format!("{PREFIX}catalog/new"), "x", None).await.unwrap().header().unwrap().revision();
    client.compact(head, None).await.unwrap();
    put(&mut client, "catalog/last", "x").await;
    let truth = World::truth(&mut client).await;
    let took = world.until("all of it", Duration::from_secs(30), |world| world.live == truth).await;
    println!(
        "lagging watch: converged after {took:?}, {} relists, {} deltas",
        world.relists(),
        world.log.len()
    );
    assert_eq!(world.relists(), 1, "the lag was beyond the compaction");
    let mut removed = world.removals();
    removed.sort();
    let expected: Vec<String> = (250..260).map(|at| format!("removed catalog/{at:04} Goodbye")).collect();
    assert_eq!(removed, expected.iter().collect::<Vec<_>>());
    assert_eq!(world.log.iter().filter(|line| line.starts_with("listed")).count(), 1);
}

#[tokio::test]
async fn an_outage_is_over_a_few_seconds_after_etcd_is_back() {
    let Some(mut etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    put_many(&mut client, 50).await;
    let mut world = World::new(&cluster(&etcd, None)).await;
    etcd.kill(0);
    tokio::time::sleep(Duration::from_secs(8)).await;
    assert!(matches!(world.followed.freshness.borrow().state, Hearing::Stale(_)));
    etcd.restart(0).await;
    let begun = Instant::now();
    put(&mut etcd.client().await, "catalog/late", "x").await;
    world.until("the put", Duration::from_secs(10), |world| world.live.contains_key("catalog/late")).await;
    println!("after an outage: told {:?} after etcd was back", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!(world.log, ["listed 50", "put catalog/late"]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.followed.freshness.borrow().state, Hearing::Live);
}

#[tokio::test]
async fn a_store_that_was_wiped_to_a_lower_revision_is_taken_as_it_is() {
    let Some(mut etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    for at in 0..40 {
        put(&mut client, &format!("catalog/{at}"), "first").await;
    }
    let mut world = World::new(&cluster(&etcd, None)).await;
    etcd.kill(0);
    etcd.wipe(0);
    etcd.restart(0).await;
    let begun = Instant::now();
    let mut client = etcd.client().await;
    put(&mut client, "catalog/0", "second").await;
    put(&mut client, "orders/1", "second").await;
    let truth = World::truth(&mut client).await;
    world.until("what is there now", Duration::from_secs(10), |world| world.live == truth).await;
    println!("wiped: converged {:?} after etcd was back", begun.elapsed());
    put(&mut client, "orders/2", "third").await;
    world.until("a change", Duration::from_secs(10), |world| world.live.contains_key("orders/2")).await;
}

#[tokio::test]
async fn a_watch_outlives_its_token_and_a_changed_password() {
    let Some(mut etcd) = Etcd::one().await else { return };
    ask_for_passwords(&etcd).await;
    let cluster = cluster(&etcd, login("first"));
    let mut world = World::new(&cluster).await;
    etcd.kill(0);
    etcd.restart(0).await;
    let begun = Instant::now();
    put(&mut root(&etcd).await, "catalog/a", "x").await;
    world.until("a put", Duration::from_secs(10), |world| world.live.contains_key("catalog/a")).await;
    println!("a token that is not known any more: told after {:?}", begun.elapsed());

    root(&etcd).await.user_change_password("gateway", "second").await.unwrap();
    etcd.kill(0);
    etcd.restart(0).await;
    put(&mut root(&etcd).await, "catalog/b", "x").await;
    let state = |world: &World| world.followed.freshness.borrow().state.clone();
    let until = Instant::now() + Duration::from_secs(15);
    while !matches!(state(&world), Hearing::Stale(why) if why.contains("login")) {
        assert!(Instant::now() < until, "{:?}", state(&world));
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.login(login("second"));
    let begun = Instant::now();
    world.until("a put", Duration::from_secs(10), |world| world.live.contains_key("catalog/b")).await;
    println!("a changed password: told {:?} after we had it", begun.elapsed());
    assert_eq!(world.log, ["listed 0", "put catalog/a", "put catalog/b"]);
}

#[tokio::test]
async fn a_removal_tells_a_goodbye_from_a_lease_that_ended() {
    let Some(etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    for (lease, name) in [(71, "left"), (72, "revoked")] {
        client.lease_grant(60, Some(etcd_client::LeaseGrantOptions::new().with_id(lease))).await.unwrap();
        let options = PutOptions::new().with_lease(lease);
        client.put(format!("{PREFIX}catalog/{name}"), "x", Some(options)).await.unwrap();
    }
    let short = client.lease_grant(1, None).await.unwrap();
    let options = PutOptions::new().with_lease(short.id());
    client.put(format!("{PREFIX}catalog/expired"), "x", Some(options)).await.unwrap();
    put(&mut client, "catalog/kept", "x").await;
    let mut world = World::new(&cluster(&etcd, None)).await;
    client.delete(format!("{PREFIX}catalog/left"), None).await.unwrap();
    client.lease_revoke(72).await.unwrap();
    client.delete(format!("{PREFIX}catalog/kept"), None).await.unwrap();
    world.until("all to go", Duration::from_secs(15), |world| world.live.is_empty()).await;
    let mut removed = world.removals();
    removed.sort();
    let expected = ["expired Expired", "kept Goodbye", "left Goodbye", "revoked Expired"];
    assert_eq!(removed, expected.map(|line| format!("removed catalog/{line}")).iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn two_thousand_entries_are_known_soon_and_their_end_too() {
    let Some(etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    put_many(&mut client, 2000).await;
    let begun = Instant::now();
    let mut world = World::new(&cluster(&etcd, None)).await;
    let listed = begun.elapsed();
    assert_eq!(world.live.len(), 2000);
    client.delete(PREFIX, Some(etcd_client::DeleteOptions::new().with_prefix())).await.unwrap();
    let gone = world.until("all to go", Duration::from_secs(10), |world| world.live.is_empty()).await;
    println!("2000 entries: listed after {listed:?}, all gone after {gone:?}");
    assert!(gone < Duration::from_secs(3), "{gone:?}");
}

#[tokio::test]
async fn members_that_die_one_after_another_lose_nothing() {
    let Some(mut etcd) = Etcd::three().await else { return };
    put_many(&mut etcd.client().await, 20).await;
    let mut world = World::new(&cluster(&etcd, None)).await;
    for round in 0..6 {
        let (dead, other) = (round % 3, (round + 1) % 3);
        etcd.kill(dead);
        let mut client = etcd.client_of(other).await;
        for at in 0..20 {
            put(&mut client, &format!("orders/{round}-{at}"), "x").await;
        }
        client.delete(format!("{PREFIX}orders/{round}-0"), None).await.unwrap();
        etcd.restart(dead).await;
    }
    let truth = World::truth(&mut etcd.client().await).await;
    assert_eq!(truth.len(), 20 + 6 * 19);
    let took = world.until("all of it", Duration::from_secs(10), |world| world.live == truth).await;
    println!("six deaths: converged {took:?} after the last, {} relists", world.relists());
    let removed: BTreeMap<&String, ()> = world.removals().into_iter().map(|line| (line, ())).collect();
    let expected: Vec<String> = (0..6).map(|round| format!("removed orders/{round}-0 Goodbye")).collect();
    assert_eq!(removed.into_keys().collect::<Vec<_>>(), expected.iter().collect::<Vec<_>>());
}
