//! What was counted of a candidate, where a leader dies or everything fails at once: it is neither lost nor
//! counted twice, and what both versions have in common speaks against neither.

use std::time::Duration;

use serde_json::Value;

use super::traffic::{Seen, Users, hurt_on_stable, versions_of};
use super::{STAYS, Site, leader, rollout, state, until};
use crate::outage::ONE;
use crate::outage::world::{Service, eventually};
use crate::process::Turnout;

/// Calls of both versions, failures of both, and the candidate's weight.
fn counted(of: &Value) -> [u64; 3] {
    let number = |arm: &str, what: &str| of[arm][what].as_str().and_then(|text| text.parse::<u64>().ok());
    let sum = |what: &str| number("candidate", what).unwrap() + number("stable", what).unwrap();
    [sum("calls"), sum("failures"), of["weightPpm"].as_u64().unwrap()]
}

/// Scenario 23, the leader: it is killed without a word in the middle of a rollout.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_23_the_next_leader_goes_on_with_the_same_evidence() {
    let _one = ONE.lock().await;
    let Some(mut site) = Site::start(3, STAYS).await else { return };
    let users = Users::start(site.publics(), 60, 400);
    site.service("1.1.0", &[]);
    until(&site.admin(), "1.1.0", "shifting", Duration::from_secs(60)).await;
    eventually("there is evidence", Duration::from_secs(30), async || {
        (counted(&rollout(&site.admin(), "1.1.0")?)[0] > 300).then_some(())
    })
    .await;
    // Those of the gateway that dies would not be answered, and that is not what is asked here.
    let before_death = users.seen();
    drop(users);
    let dies = leader(&site.nodes).await;
    let before = rollout(&site.admin(), "1.1.0").unwrap();
    site.nodes[dies].process.child.kill().unwrap();
    site.nodes.remove(dies);
    let users = Users::start(site.publics(), 60, 400);
    let next = leader(&site.nodes).await;
    let admin = site.nodes[next].process.admin.clone();
    eventually("the next leader counts", Duration::from_secs(40), async || {
        (counted(&rollout(&admin, "1.1.0")?)[0] > counted(&before)[0] + 300).then_some(())
    })
    .await;
    until(&admin, "1.1.0", "shifting", Duration::from_secs(40)).await;
    let after = rollout(&admin, "1.1.0").unwrap();
    let mut seen = before_death;
    seen.extend(users.seen());
    let ([calls, failures, weight], [calls_then, _, weight_then]) = (counted(&before), counted(&after));
    println!("{calls} calls before, {calls_then} after the leader's death, of {} operations", seen.len());
    assert!(
        usize::try_from(calls_then).unwrap() <= seen.len(),
        "counted twice: {calls_then} of {}",
        seen.len()
    );
    assert_eq!((failures, weight, weight_then), (0, 250_000, 250_000));
    let same = |what: &str| assert_eq!(before[what], after[what], "{what}");
    ["salt", "createdAt", "startedAt", "retries", "step"].into_iter().for_each(same);
    let ln = |of: &Value| of["safety"]["value"].as_f64().unwrap();
    assert!(ln(&after) >= ln(&before), "{} after {}", after["safety"], before["safety"]);
    assert!(seen.iter().all(|seen| seen.error.is_none()), "{:?}", hurt_on_stable(&seen));
    for (unit, versions) in versions_of(&seen) {
        assert!(versions.len() <= 2, "{unit} went back and forth: {versions:?}");
    }
}

/// Scenario 8: what both versions need is broken for 20 s.
#[tokio::test(flavor = "multi_thread")]
async fn scenario_08_a_trouble_of_both_versions_holds_and_sends_nobody_back() {
    let _one = ONE.lock().await;
    let data = tempfile::tempdir().unwrap();
    let config = data.path().join("turnout.yaml");
    std::fs::write(&config, STAYS).unwrap();
    let gateway = Turnout::start("serve", data.path(), &["--config", &config.display().to_string()]);
    let start = |version: &str, more: &[&str]| Service::start("math", version, &gateway.admin, more);
    let stable = start("1.0.0", &[]);
    eventually("1.0.0 serves", super::SOON, async || super::operate(&gateway.public, super::ADD).await.ok())
        .await;
    let candidate = start("1.1.0", &[]);
    until(&gateway.admin, "1.1.0", "shifting", Duration::from_secs(60)).await;
    let users = Users::start(vec![gateway.public.clone()], 100, 1000);
    tokio::time::sleep(Duration::from_secs(6)).await;
    let broken = ["--fail-rate", "0.7"];
    let (bad_stable, bad_candidate) = (start("1.0.0", &broken), start("1.1.0", &broken));
    replaced(&gateway, 4).await;
    tokio::join!(stable.stop(), candidate.stop());
    let broke = users.began.elapsed();
    let held = until(&gateway.admin, "1.1.0", "holding", Duration::from_secs(20)).await;
    tokio::time::sleep(Duration::from_secs(20).saturating_sub(held)).await;
    let card = rollout(&gateway.admin, "1.1.0").unwrap();
    assert!(state(&gateway.admin, "1.1.0").contains("holding"), "{card}");
    println!("held {held:?} after both broke: {}; harm {}", card["why"], card["harm"]["value"]);
    let _good = (start("1.0.0", &[]), start("1.1.0", &[]));
    replaced(&gateway, 4).await;
    tokio::join!(bad_stable.stop(), bad_candidate.stop());
    let resumed = until(&gateway.admin, "1.1.0", "shifting", Duration::from_secs(90)).await;
    println!("goes on {resumed:?} after both are well");
    let asked = users.seen();
    let during: Vec<&Seen> = asked.iter().filter(|seen| seen.at > broke && seen.error.is_some()).collect();
    assert!(during.iter().any(|seen| seen.is_candidate()) && during.iter().any(|seen| !seen.is_candidate()));
}

/// Waits until so many instances are registered.
async fn replaced(gateway: &Turnout, all: usize) {
    eventually("the others are registered", super::SOON, async || {
        let listed = gateway.services();
        let rows = listed.as_array().into_iter().flatten();
        let count: usize = rows.map(|row| row["instances"].as_array().map_or(0, Vec::len)).sum();
        (count >= all).then_some(())
    })
    .await;
}
