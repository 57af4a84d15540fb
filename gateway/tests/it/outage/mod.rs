//! What callers notice when something is restarted, killed, frozen or cut off: nothing, if anybody lives who
//! can answer them.
//!
//! Everything here is a process: gateways, services and the members of etcd. Callers ask all the time, and a
//! single answer with an error fails the test.

mod crowd;
mod proxy;
pub(crate) mod world;

use std::time::{Duration, Instant};

use serde_json::Value;

use self::proxy::Proxy;
use self::world::{Callers, Node, Service, eventually, operate};
use crate::etcd::Etcd;
use crate::process::Turnout;

/// One site at a time: several at once would measure the machine.
pub(crate) static ONE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

/// A query that only `math` answers.
const ADD: &str = "{ add(a: 2, b: 3) }";
/// Until what was started can be asked.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// The ids of the instances of a service, as the operators' API knows them.
fn instances(listed: &Value, service: &str) -> Vec<String> {
    let of = |row: &&Value| row["service"] == service;
    let rows = listed.as_array().into_iter().flatten().filter(of);
    let instances = rows.flat_map(|row| row["instances"].as_array().cloned().unwrap_or_default());
    instances.map(|instance| instance["id"].as_str().unwrap().to_owned()).collect()
}

async fn answers(public: &str) {
    eventually("the graph answers", SOON, async || operate(public, ADD).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_replaced_one_by_one_without_a_failed_query() {
    let _one = ONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let gateway = Turnout::start("serve", data.path(), &[]);
    let mut services = vec![
        Service::start("math", "1.0.0", &gateway.admin, &[]),
        Service::start("math", "1.0.0", &gateway.admin, &[]),
    ];
    answers(&gateway.public).await;
    let callers = Callers::start(gateway.public.clone(), ADD, 100);
    for _ in 0..4 {
        services.push(Service::start("math", "1.0.0", &gateway.admin, &[]));
        let all = services.len();
        eventually("the newcomer is registered", SOON, async || {
            (instances(&gateway.services(), "math").len() == all).then_some(())
        })
        .await;
        services.remove(0).stop().await;
    }
    // The last one that is left is replaced too.
    services.remove(0).stop().await;
    services.push(Service::start("math", "1.0.0", &gateway.admin, &[]));
    eventually("the newcomer is registered", SOON, async || {
        (instances(&gateway.services(), "math").len() == 2).then_some(())
    })
    .await;
    services.remove(0).stop().await;
    callers.expect_no_failure("rolling restart of services").await;
}

/// How long an outage lasts; `TURNOUT_OUTAGE_S` makes it as long as the real ones.
pub(crate) fn outage() -> Duration {
    let asked = std::env::var("TURNOUT_OUTAGE_S").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(asked.unwrap_or(20))
}

/// Three members, two gateways with callers each, services that join etcd directly and through a gateway.
struct Site {
    etcd: Etcd,
    nodes: [Node; 2],
    _services: Vec<Service>,
    started: Vec<Service>,
}

impl Site {
    async fn start() -> Option<Site> {
        let etcd = Etcd::three().await?;
        let nodes = [Node::start(&etcd.endpoints(), ""), Node::start(&etcd.endpoints(), "")];
        let registry = registry(&etcd);
        let services = vec![
            Service::start("math", "1.0.0", &registry, &[]),
            Service::start("math", "1.0.0", &registry, &[]),
            Service::start("echo", "1.0.0", &nodes[0].process.admin, &[]),
        ];
        let site = Site { etcd, nodes, _services: services, started: Vec::new() };
        for node in &site.nodes {
            answers(&node.public()).await;
        }
        Some(site)
    }

    fn callers(&self) -> [Callers; 2] {
        [0, 1].map(|node| Callers::start(self.nodes[node].public(), ADD, 50))
    }

    /// Starts an instance of `math`, and waits until both gateways know of it; how long that took.
    async fn newcomer(&mut self, within: Duration) -> Duration {
        let before = self.nodes.each_ref().map(|node| instances(&node.process.services(), "math").len());
        let began = Instant::now();
        self.started.push(Service::start("math", "1.0.0", &registry(&self.etcd), &[]));
        for (node, before) in self.nodes.iter().zip(before) {
            eventually("the newcomer is known", within, async || {
                (instances(&node.process.services(), "math").len() > before).then_some(())
            })
            .await;
        }
        began.elapsed()
    }
}

/// Where services register that go to etcd themselves.
pub(crate) fn registry(etcd: &Etcd) -> String {
    let members: Vec<String> =
        etcd.endpoints().iter().map(|url| url.trim_start_matches("http://").to_owned()).collect();
    format!("etcd://{}/turnout/v1", members.join(","))
}

/// The member that leads.
async fn leader(etcd: &Etcd) -> usize {
    for member in 0..3 {
        let status = etcd.client_of(member).await.status().await.unwrap();
        if status.header().unwrap().member_id() == status.leader() {
            return member;
        }
    }
    panic!("nobody leads");
}

#[tokio::test(flavor = "multi_thread")]
async fn members_of_etcd_die_and_freeze_and_callers_notice_nothing() {
    let _one = ONE.lock().await;
    let Some(mut site) = Site::start().await else { return };
    let callers = site.callers();

    let leads = leader(&site.etcd).await;
    site.etcd.kill(leads);
    let took = site.newcomer(Duration::from_secs(10)).await;
    println!("leader killed: a newcomer is known after {took:?}");
    site.etcd.restart(leads).await;

    let leads = leader(&site.etcd).await;
    site.etcd.freeze(leads);
    let took = site.newcomer(Duration::from_secs(20)).await;
    println!("leader frozen: a newcomer is known after {took:?}");
    site.etcd.thaw(leads);
    tokio::time::sleep(Duration::from_secs(2)).await;
    for callers in callers {
        callers.expect_no_failure("members killed and frozen").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_quorum_what_was_known_goes_on_serving() {
    let _one = ONE.lock().await;
    let Some(mut site) = Site::start().await else { return };
    let callers = site.callers();
    site.etcd.freeze(0);
    site.etcd.freeze(1);
    let began = Instant::now();

    // It is told, and it is no reason to take the gateway out.
    eventually("the state is stale", Duration::from_secs(30), async || {
        let (status, text) = site.nodes[0].status("/readyz?verbose").await;
        assert_eq!(status, 200, "{text}");
        text.contains("stale").then_some(())
    })
    .await;
    println!("no quorum: told as stale after {:?}", began.elapsed());
    // What cannot be written is refused soon, and says so.
    let asked = Instant::now();
    let (status, text) = site.nodes[0].register("math", "late").await;
    assert_eq!(status, 503, "{text}");
    assert!(asked.elapsed() < Duration::from_millis(3_500), "{:?}", asked.elapsed());

    // A gateway that starts now serves what it last knew.
    site.nodes[1].crash_and_restart();
    let restarted = Instant::now();
    eventually("the restarted gateway answers", Duration::from_secs(5), async || {
        operate(&site.nodes[1].public(), ADD).await.ok()
    })
    .await;
    println!("restarted without a quorum: answers after {:?}", restarted.elapsed());
    assert!(restarted.elapsed() < Duration::from_secs(2), "{:?}", restarted.elapsed());

    tokio::time::sleep(outage().saturating_sub(began.elapsed())).await;
    site.etcd.thaw(0);
    site.etcd.thaw(1);
    let healed = Instant::now();
    let took = site.newcomer(Duration::from_secs(20)).await;
    println!("healed: a newcomer is known after {took:?} ({:?})", healed.elapsed());
    tokio::time::sleep(Duration::from_secs(3)).await;
    let [first, _second] = callers;
    first.expect_no_failure("no quorum").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_leases_end_at_once_and_callers_notice_nothing() {
    let _one = ONE.lock().await;
    let Some(site) = Site::start().await else { return };
    let callers = site.callers();
    let mut client = site.etcd.client().await;
    for lease in client.leases().await.unwrap().leases() {
        client.lease_revoke(lease.id()).await.unwrap();
    }
    // Everybody is there again, under a lease of its own.
    eventually("all have registered again", Duration::from_secs(40), async || {
        let prefix = etcd_client::GetOptions::new().with_prefix();
        let found = client.get("/turnout/v1/instances/", Some(prefix)).await.unwrap();
        (found.kvs().len() == 3).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for callers in callers {
        callers.expect_no_failure("all leases ended").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn etcd_is_wiped_and_callers_notice_nothing() {
    let _one = ONE.lock().await;
    let Some(mut site) = Site::start().await else { return };
    let callers = site.callers();
    for member in 0..3 {
        site.etcd.kill(member);
    }
    for member in 0..3 {
        site.etcd.wipe(member);
        site.etcd.spawn(member);
    }
    for member in 0..3 {
        site.etcd.ready(member).await;
    }
    let back = Instant::now();
    let mut client = site.etcd.client().await;
    eventually("all have registered again", Duration::from_secs(60), async || {
        let prefix = etcd_client::GetOptions::new().with_prefix();
        let found = client.get("/turnout/v1/instances/", Some(prefix)).await.unwrap();
        (found.kvs().len() == 3).then_some(())
    })
    .await;
    println!("wiped: all registered again {:?} after etcd was back", back.elapsed());
    let took = site.newcomer(Duration::from_secs(10)).await;
    println!("wiped: a newcomer is known after {took:?}");
    for callers in callers {
        callers.expect_no_failure("etcd wiped").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_is_changed_and_callers_notice_nothing() {
    let _one = ONE.lock().await;
    let Some(etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    client.user_add("root", "first", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client.auth_enable().await.unwrap();
    let login = |password: &str| format!(", username: root, password: {password}");
    let mut node = Node::start(&etcd.endpoints(), &login("first"));
    let _services = [
        Service::start("math", "1.0.0", &node.process.admin, &[]),
        Service::start("math", "1.0.0", &node.process.admin, &[]),
    ];
    answers(&node.public()).await;
    let callers = Callers::start(node.public(), ADD, 50);
    let user = etcd_client::ConnectOptions::new().with_user("root", "first");
    let mut client = etcd_client::Client::connect(etcd.endpoints(), Some(user)).await.unwrap();
    client.user_change_password("root", "second").await.unwrap();
    // Nothing can be written any more, which is told at once, and nobody has to notice otherwise.
    eventually("a registration is refused", SOON, async || {
        let asked = Instant::now();
        let (status, _) = node.register("math", "late").await;
        assert!(asked.elapsed() < Duration::from_millis(3_500), "{:?}", asked.elapsed());
        (status == 503).then_some(())
    })
    .await;
    // Longer than the leases of the services.
    tokio::time::sleep(Duration::from_secs(18)).await;
    callers.expect_no_failure("a password was changed").await;
    node.reconfigure(&etcd.endpoints(), &login("second"));
    node.crash_and_restart();
    eventually("the gateway with the new password is in step", SOON, async || {
        (!node.status("/readyz?verbose").await.1.contains("stale")).then_some(())
    })
    .await;
    answers(&node.public()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_are_restarted_one_by_one_behind_a_proxy_without_a_failed_query() {
    let _one = ONE.lock().await;
    let Some(mut site) = Site::start().await else { return };
    let proxy = Proxy::start(site.nodes.each_ref().map(Node::public)).await;
    let callers = Callers::start(proxy.url(), ADD, 100);
    for round in 0..6 {
        let node = &mut site.nodes[round % 2];
        let began = Instant::now();
        node.stop_and_restart().await;
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        answers(&node.public()).await;
        proxy.leads_to(round % 2, node.public());
    }
    callers.expect_no_failure("rolling restart of gateways").await;
}
