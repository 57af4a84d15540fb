//! Canaries on real gateways: who gets a candidate, what becomes of one that fails, and who notices.
//!
//! Gateways, services and etcd are processes. The tests carry the numbers of the acceptance scenarios that
//! they are; what needs no process is simulated in `turnout_control`.

mod evidence;
mod traffic;

use std::process::Output;
use std::time::Duration;

use serde_json::Value;

use self::traffic::{ADD, Browser, Users, exposure, hurt_on_stable, versions_of};
use crate::etcd::Etcd;
use crate::outage::world::{Node, Service, eventually, operate};
use crate::outage::{ONE, SOON};
use crate::process::{Turnout, turnout};

/// What all gateways here are told: no waiting, and what answered is named.
const SETTINGS: &str = "
expose_lineup: true
identity: { trust_unit_header: true }
rollouts: { steps: [25%, 50%], dwell: 10s, warmup: 1s }
";

/// The same, and a rollout stays at its first step for longer than any test.
const STAYS: &str = "
expose_lineup: true
identity: { trust_unit_header: true }
rollouts: { steps: [25%, 50%], dwell: 10m, warmup: 1s, tick: 2s }
";

fn run(admin: &str, arguments: &[&str]) -> Output {
    turnout(&[arguments, &["--admin", admin]].concat()).output().unwrap()
}

/// A command that succeeds.
fn command(admin: &str, arguments: &[&str]) -> String {
    let output = run(admin, arguments);
    let told = format!(
        "{arguments:?}: {}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{told}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The rollout of a service to a version, as `rollout list` tells it.
fn rollout(admin: &str, version: &str) -> Option<Value> {
    let output = run(admin, &["rollout", "list", "-o", "json"]);
    let rows: Value = serde_json::from_slice(&output.stdout).ok()?;
    let rows = rows.as_array().or_else(|| rows["rollouts"].as_array())?.clone();
    rows.into_iter().find(|row| row["to"] == version)
}

fn state(admin: &str, version: &str) -> String {
    let found = rollout(admin, version);
    found.and_then(|row| row["state"].as_str().map(str::to_owned)).unwrap_or_default().to_lowercase()
}

/// Waits until a rollout is in a state; how long that took.
async fn until(admin: &str, version: &str, wanted: &str, within: Duration) -> Duration {
    let began = std::time::Instant::now();
    let mut last = String::new();
    while began.elapsed() < within {
        last = state(admin, version).replace(['_', '-'], " ");
        if last.contains(wanted) {
            return began.elapsed();
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!(
        "the rollout to {version} is {last:?} and not {wanted:?} after {within:?}: {:?}",
        rollout(admin, version)
    );
}

/// Gateways over one etcd, with two instances of a stable `math`.
struct Site {
    etcd: Etcd,
    nodes: Vec<Node>,
    services: Vec<Service>,
}

impl Site {
    async fn start(gateways: usize, settings: &str) -> Option<Site> {
        let etcd = Etcd::three().await?;
        let endpoints = etcd.endpoints();
        let nodes: Vec<Node> = (0..gateways).map(|_| Node::start_with(&endpoints, "", settings)).collect();
        let mut site = Site { etcd, nodes, services: Vec::new() };
        site.service("1.0.0", &[]);
        site.service("1.0.0", &[]);
        for node in &site.nodes {
            eventually("the graph answers", SOON, async || operate(&node.public(), ADD).await.ok()).await;
        }
        Some(site)
    }

    fn service(&mut self, version: &str, more: &[&str]) {
        let registry = crate::outage::registry(&self.etcd);
        self.services.push(Service::start("math", version, &registry, more));
    }

    fn publics(&self) -> Vec<String> {
        self.nodes.iter().map(Node::public).collect()
    }

    fn admin(&self) -> String {
        self.nodes[0].process.admin.clone()
    }
}

/// Scenario 6, the leader's half: three gateways, a candidate that fails half of its calls.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_06_a_candidate_that_fails_half_of_its_calls_is_rolled_back_within_30_s() {
    let _one = ONE.lock().await;
    let Some(mut site) = Site::start(3, SETTINGS).await else { return };
    let users = Users::start(site.publics(), 60, 400);
    site.service("1.1.0", &["--fail-rate", "0.5"]);
    until(&site.admin(), "1.1.0", "rolled back", Duration::from_secs(90)).await;
    let recorded = users.began.elapsed();
    tokio::time::sleep(Duration::from_secs(3)).await;
    let seen = users.seen();
    let exposed = exposure(&seen).expect("somebody got the candidate");
    let hurt = seen.iter().filter(|seen| seen.error.is_some()).count();
    let decided = recorded - seen.iter().find(|seen| seen.is_candidate()).unwrap().at;
    let why = rollout(&site.admin(), "1.1.0").unwrap()["why"].to_string();
    println!(
        "out of traffic {exposed:?} after the first call, by record {decided:?}: {why}; {hurt} of {} failed",
        seen.len()
    );
    assert!(exposed.max(decided) <= Duration::from_secs(30), "{exposed:?}, {decided:?}");
    assert!(hurt_on_stable(&seen).is_empty(), "{:?}", hurt_on_stable(&seen));
    // Nobody who went back went forth again.
    for (unit, versions) in versions_of(&seen) {
        assert!(versions.len() <= 3, "{unit}: {versions:?}");
    }
    // It is over for good: the same build does not come back by itself.
    tokio::time::sleep(Duration::from_secs(11)).await;
    assert!(state(&site.admin(), "1.1.0").contains("rolled"), "{:?}", rollout(&site.admin(), "1.1.0"));
    assert!(!users.seen().last().unwrap().is_candidate());
}

/// Scenario 6, the leader without a second fuse: all callers are at one gateway, and it is for the evidence to say.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_06_the_leader_needs_no_second_fuse() {
    let _one = ONE.lock().await;
    let Some(mut site) = Site::start(3, SETTINGS).await else { return };
    let one = follower(&site.nodes).await;
    let users = Users::start(vec![one], 60, 400);
    site.service("1.1.0", &["--fail-rate", "0.5"]);
    until(&site.admin(), "1.1.0", "rolled back", Duration::from_secs(90)).await;
    let recorded = users.began.elapsed();
    let first = users.seen().iter().find(|seen| seen.is_candidate()).expect("somebody got the candidate").at;
    let why = rollout(&site.admin(), "1.1.0").unwrap()["why"].to_string();
    println!("by record {:?} after the first call: {why}", recorded - first);
    assert!(recorded - first <= Duration::from_secs(30), "{:?}", recorded - first);
    assert!(why.contains("it fails more"), "{why}");
}

/// Where callers reach a gateway that does not lead.
async fn follower(nodes: &[Node]) -> String {
    let leader = leader(nodes).await;
    nodes[usize::from(leader == 0)].public()
}

/// Which gateway leads.
async fn leader(nodes: &[Node]) -> usize {
    eventually("a gateway leads", SOON, async || {
        for (at, node) in nodes.iter().enumerate() {
            let told = operate(&node.process.admin, "{ leadership { leads } }").await;
            if told.is_ok_and(|told| told["leadership"]["leads"] == true) {
                return Some(at);
            }
        }
        None
    })
    .await
}

/// Scenario 6, the fuse alone: no rollout, so no leader has anything to decide.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_06_the_fuse_alone_takes_a_broken_candidate_out_within_3_s() {
    let _one = ONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("turnout.yaml");
    std::fs::write(&config, format!("{SETTINGS}on_new_version: hold\n")).unwrap();
    let gateway = Turnout::start("serve", data.path(), &["--config", &config.display().to_string()]);
    let _stable = Service::start("math", "1.0.0", &gateway.admin, &[]);
    eventually("the graph answers", SOON, async || operate(&gateway.public, ADD).await.ok()).await;
    let _candidate = Service::start("math", "1.1.0", &gateway.admin, &["--fail-rate", "1"]);
    eventually("the candidate is registered", SOON, async || {
        gateway.services().to_string().contains("1.1.0").then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let users = Users::start(vec![gateway.public.clone()], 50, 400);
    tokio::time::sleep(Duration::from_secs(2)).await;
    let arguments =
        ["policy", "set", "math", "--candidate", "1.1.0", "--weight", "25%", "--reason", "a test"];
    command(&gateway.admin, &arguments);
    tokio::time::sleep(Duration::from_secs(8)).await;
    let seen = users.seen();
    let exposed = exposure(&seen).expect("somebody got the candidate");
    let hurt = seen.iter().filter(|seen| seen.error.is_some()).count();
    println!("out of traffic {exposed:?} after the first call; {hurt} of {} failed", seen.len());
    assert!(exposed <= Duration::from_secs(3), "{exposed:?}");
    assert!(hurt_on_stable(&seen).is_empty(), "{:?}", hurt_on_stable(&seen));
}

/// Scenario 2: the same users by any gateway, and after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_02_every_gateway_decides_the_same_for_every_user_also_after_a_restart() {
    let _one = ONE.lock().await;
    let Some(mut site) = Site::start(3, &format!("{SETTINGS}on_new_version: hold\n")).await else { return };
    site.service("1.1.0", &[]);
    eventually("the candidate is registered", SOON, async || {
        site.nodes[0].process.services().to_string().contains("1.1.0").then_some(())
    })
    .await;
    let arguments =
        ["policy", "set", "math", "--candidate", "1.1.0", "--weight", "30%", "--reason", "a test"];
    eventually("the policy is set", SOON, async || {
        run(&site.admin(), &arguments).status.success().then_some(())
    })
    .await;
    let browser = Browser::new();
    let all = async |public: &str| {
        let mut chosen = Vec::new();
        for unit in 0..300 {
            let seen = browser.ask(public, None, unit).await;
            assert_eq!(seen.error, None);
            chosen.push(seen.lineup.map(|(version, _)| version));
        }
        chosen
    };
    // Until it is warm and every gateway knows the policy.
    for node in &site.nodes {
        eventually("the candidate is tried", SOON, async || {
            let mut tried = 0;
            for unit in 0..20 {
                tried += usize::from(browser.ask(&node.public(), None, unit).await.is_candidate());
            }
            (tried > 0).then_some(())
        })
        .await;
    }
    let first = all(&site.nodes[0].public()).await;
    let tried = first.iter().flatten().filter(|version| *version == "1.1.0").count();
    assert!((60..=120).contains(&tried), "{tried} of 300");
    for node in &site.nodes[1..] {
        assert_eq!(all(&node.public()).await, first);
    }
    site.nodes[1].crash_and_restart();
    eventually("it serves again", SOON, async || operate(&site.nodes[1].public(), ADD).await.ok()).await;
    assert_eq!(all(&site.nodes[1].public()).await, first, "after a restart");
    // Raised, it has these users and more; back again, exactly these.
    for (weight, grows) in [("60%", true), ("30%", false)] {
        let arguments = ["policy", "set", "math", "--weight", weight, "--reason", "a test"];
        command(&site.admin(), &arguments);
        let public = site.nodes[2].public();
        let now = eventually("the gateway knows the weight", SOON, async || {
            let (before, now) = (all(&public).await, all(&public).await);
            // What changes between two looks is still on its way.
            (before == now && (now != first) == grows).then_some(now)
        })
        .await;
        if grows {
            let stays = |(before, now): (&Option<String>, &Option<String>)| {
                before.as_deref() != Some("1.1.0") || now.as_deref() == Some("1.1.0")
            };
            assert!(first.iter().zip(&now).all(stays));
            assert_ne!(now, first);
        } else {
            assert_eq!(now, first);
        }
    }
}

/// Scenario 23, the store: etcd stands still in the middle of a rollout.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_23_without_leader_and_store_everybody_keeps_what_they_have() {
    let _one = ONE.lock().await;
    let Some(mut site) = Site::start(3, SETTINGS).await else { return };
    let users = Users::start(site.publics(), 30, 200);
    site.service("1.1.0", &[]);
    until(&site.admin(), "1.1.0", "shifting", Duration::from_secs(60)).await;
    eventually("somebody gets the candidate", SOON, async || {
        users.seen().iter().any(traffic::Seen::is_candidate).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    for member in 0..3 {
        site.etcd.freeze(member);
    }
    tokio::time::sleep(crate::outage::outage()).await;
    let seen = users.seen();
    let during: Vec<_> = seen.iter().filter(|seen| seen.error.is_some()).collect();
    assert!(during.is_empty(), "{during:?}");
    for (unit, versions) in versions_of(&seen) {
        assert!(versions.len() <= 2, "{unit} went back and forth: {versions:?}");
    }
    for member in 0..3 {
        site.etcd.thaw(member);
    }
    until(&site.admin(), "1.1.0", "shifting", Duration::from_secs(60)).await;
    assert!(users.began.elapsed() > Duration::from_secs(10));
}

/// Two frontends with a page each, of which one accepts no candidates.
fn frontends(directory: &std::path::Path) {
    let write = |name: &str, text: &str| {
        let path = directory.join("web").join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    write("app.yaml", "app: web\ndefault: 11.0.0\nrules: []\n");
    for (version, caps) in [("11.0.0", "caps: { math: 0 }\n"), ("12.0.0", "")] {
        let manifest = format!(
            "app: web\nversion: {version}\nstate: active\npins: {{ math: \"^1\" }}\n{caps}documents: operations\n"
        );
        write(&format!("{version}/manifest.yaml"), &manifest);
        write(&format!("{version}/operations/Add.graphql"), "query Add { add(a: 2, b: 3) }\n");
    }
}

/// Scenario 4: 30 % for one frontend and nothing for the other, over 20 000 requests.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_04_each_frontend_has_its_share_within_one_percent() {
    let _one = ONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("turnout.yaml");
    let pages = data.path().join("frontends");
    frontends(&pages);
    let settings =
        format!("{SETTINGS}on_new_version: hold\nfrontends: {{ dir: {}, default: web }}\n", pages.display());
    std::fs::write(&config, settings).unwrap();
    let gateway = Turnout::start("serve", data.path(), &["--config", &config.display().to_string()]);
    let _stable = Service::start("math", "1.0.0", &gateway.admin, &[]);
    eventually("the graph answers", SOON, async || operate(&gateway.public, ADD).await.ok()).await;
    let _candidate = Service::start("math", "1.1.0", &gateway.admin, &[]);
    let arguments =
        ["policy", "set", "math", "--candidate", "1.1.0", "--weight", "30%", "--reason", "a test"];
    eventually("the policy is set", SOON, async || {
        run(&gateway.admin, &arguments).status.success().then_some(())
    })
    .await;
    let browser = Browser::new();
    eventually("the candidate is tried for 12", SOON, async || {
        let mut tried = 0;
        for unit in 0..20 {
            tried += usize::from(browser.ask(&gateway.public, Some("web@12.0.0"), unit).await.is_candidate());
        }
        (tried > 0).then_some(())
    })
    .await;
    for (frontend, share) in [("web@11.0.0", 0.0), ("web@12.0.0", 0.3)] {
        let (mut tried, all) = (0, 20_000);
        let units: Vec<u64> = (0..all).collect();
        for chunk in units.chunks(64) {
            let asked = chunk.iter().map(|unit| browser.ask(&gateway.public, Some(frontend), *unit));
            for seen in futures_util::future::join_all(asked).await {
                assert_eq!((seen.error.as_deref(), seen.frontend.as_str()), (None, frontend));
                tried += u32::from(seen.is_candidate());
            }
        }
        let observed = f64::from(tried) / 20_000.0;
        println!("{frontend}: set {share}, observed {observed}");
        assert!((observed - share).abs() <= 0.01, "{frontend}: {observed}");
        assert!(share > 0.0 || tried == 0, "{tried} of {frontend} got the candidate");
    }
}

/// Scenario 9: the stable version is the broken one.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_09_a_broken_stable_version_is_no_reason_to_go_back() {
    let _one = ONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("turnout.yaml");
    // Without it, a candidate that is so much better is proven safe and promoted before anybody asks.
    let settings = format!("{SETTINGS}services: {{ math: {{ approval: operator }} }}\n");
    std::fs::write(&config, settings).unwrap();
    let gateway = Turnout::start("serve", data.path(), &["--config", &config.display().to_string()]);
    let _stable = Service::start("math", "1.0.0", &gateway.admin, &["--fail-rate", "0.5"]);
    eventually("the graph answers", SOON, async || operate(&gateway.public, ADD).await.ok()).await;
    let _candidate = Service::start("math", "1.1.0", &gateway.admin, &[]);
    until(&gateway.admin, "1.1.0", "shifting", Duration::from_secs(60)).await;
    let users = Users::start(vec![gateway.public.clone()], 40, 400);
    tokio::time::sleep(Duration::from_secs(25)).await;
    let card = command(&gateway.admin, &["rollout", "get", "math"]).to_lowercase();
    assert!(!card.contains("rolled back"), "{card}");
    assert!(card.contains("stable"), "{card}");
    assert!(users.seen().iter().filter(|seen| seen.is_candidate()).all(|seen| seen.error.is_none()));
    command(&gateway.admin, &["rollout", "promote", "math", "--reason", "stable is the broken one"]);
    until(&gateway.admin, "1.1.0", "promoted", Duration::from_secs(20)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let browser = Browser::new();
    for unit in 0..50 {
        let seen = browser.ask(&gateway.public, None, unit).await;
        assert_eq!(seen.error, None);
        assert_eq!(seen.lineup.unwrap().0, "1.1.0");
    }
}

/// Scenario 12: a gate that waits for an operator does not look away.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_12_a_rollout_that_waits_for_an_operator_still_goes_back() {
    let _one = ONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("turnout.yaml");
    let settings = format!("{SETTINGS}services: {{ math: {{ approval: operator }} }}\n");
    std::fs::write(&config, settings).unwrap();
    let gateway = Turnout::start("serve", data.path(), &["--config", &config.display().to_string()]);
    let _stable = Service::start("math", "1.0.0", &gateway.admin, &[]);
    eventually("the graph answers", SOON, async || operate(&gateway.public, ADD).await.ok()).await;
    let healthy = Service::start("math", "1.1.0", &gateway.admin, &[]);
    until(&gateway.admin, "1.1.0", "shifting", Duration::from_secs(60)).await;
    let _users = Users::start(vec![gateway.public.clone()], 40, 400);
    tokio::time::sleep(Duration::from_secs(22)).await;
    assert!(state(&gateway.admin, "1.1.0").contains("shifting"), "{:?}", rollout(&gateway.admin, "1.1.0"));
    let _broken = Service::start("math", "1.1.0", &gateway.admin, &["--fail-rate", "0.8"]);
    healthy.stop().await;
    until(&gateway.admin, "1.1.0", "rolled back", Duration::from_secs(40)).await;
}

/// Scenario 13: a newer minor comes while one is on its way.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_13_a_newer_minor_takes_the_place_of_the_one_on_its_way() {
    let _one = ONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("turnout.yaml");
    std::fs::write(&config, SETTINGS).unwrap();
    let gateway = Turnout::start("serve", data.path(), &["--config", &config.display().to_string()]);
    let _stable = Service::start("math", "1.0.0", &gateway.admin, &[]);
    eventually("the graph answers", SOON, async || operate(&gateway.public, ADD).await.ok()).await;
    let _first = Service::start("math", "1.1.0", &gateway.admin, &[]);
    until(&gateway.admin, "1.1.0", "shifting", Duration::from_secs(60)).await;
    let browser = Browser::new();
    let exposed = async |version: &str| {
        let mut units = Vec::new();
        for unit in 0..200 {
            let seen = browser.ask(&gateway.public, None, unit).await;
            assert_eq!(seen.error, None);
            if seen.lineup.is_some_and(|(of, _)| of == version) {
                units.push(unit);
            }
        }
        units
    };
    let before = eventually("the first is tried", SOON, async || {
        Some(exposed("1.1.0").await).filter(|units| !units.is_empty())
    })
    .await;
    let _second = Service::start("math", "1.2.0", &gateway.admin, &[]);
    until(&gateway.admin, "1.2.0", "shifting", Duration::from_secs(60)).await;
    assert!(state(&gateway.admin, "1.1.0").contains("superseded"));
    let after = eventually("the second is tried", SOON, async || {
        Some(exposed("1.2.0").await).filter(|units| !units.is_empty())
    })
    .await;
    // Who took the risk of the first takes that of the second first.
    assert!(after.iter().all(|unit| before.contains(unit)), "{before:?} {after:?}");
    assert!(exposed("1.1.0").await.is_empty());
    command(&gateway.admin, &["rollout", "rollback", "math", "--reason", "a test"]);
    until(&gateway.admin, "1.2.0", "rolled back", Duration::from_secs(20)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(exposed("1.0.0").await.len(), 200, "back to what was last promoted");
}
