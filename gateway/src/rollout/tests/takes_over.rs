//! Other leaders, other writers, and a store that is away.

use std::sync::atomic::Ordering;

use super::world::{QUICK, QUIET, Traffic, WELL, World, percent, version};
use crate::registry::Leadership;
use turnout_control::records::Change;
use turnout_control::rollout::Order;
use turnout_control::routes::{Place, Scope, write_base};

/// Few enough calls that a step takes a while.
const SLOW: Traffic = Traffic { calls: 300.0, candidate: 0.001, stable: 0.001 };

#[tokio::test(start_paused = true)]
async fn scenario_23_the_next_leader_goes_on_with_the_same_evidence() {
    let stays = QUICK.replace("dwell: 2s", "dwell: 4m");
    let (mut kept, mut changed) = (World::start(&stays).await, World::start(&stays).await);
    for world in [&mut kept, &mut changed] {
        world.release("catalog", "1.5.0").await;
        world.until(20, QUIET, |world| world.weight().is_some()).await;
        world.pass(40, SLOW).await;
    }
    for _ in 0..5 {
        changed.next_leader().await;
        changed.pass(4, SLOW).await;
        kept.pass(4, SLOW).await;
    }
    // The last report of each is taken up.
    for world in [&mut kept, &mut changed] {
        world.pass(3, QUIET).await;
    }
    let (one, other) = (kept.analysis("1.5.0"), changed.analysis("1.5.0"));
    assert_eq!(one.analysis.sum(), other.analysis.sum(), "no call is lost or counted twice");
    assert!((one.analysis.failures().ln() - other.analysis.failures().ln()).abs() < 1.0);
    assert!(changed.rollout("1.5.0").is_exposed());
}

#[tokio::test(start_paused = true)]
async fn scenario_23_while_the_store_is_away_nothing_moves_and_no_evidence_is_lost() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.pass(3, SLOW).await;
    world.leader.store.away.store(true, Ordering::Relaxed);
    let (before, revision) = (world.analysis("1.5.0"), world.records().revision);
    world.pass(600, SLOW).await;
    assert_eq!(world.records().revision, revision);
    world.leader.store.away.store(false, Ordering::Relaxed);
    world.pass(2, QUIET).await;
    let after = world.analysis("1.5.0");
    let calls = after.analysis.sum().candidate.calls - before.analysis.sum().candidate.calls;
    assert!((36_000..=36_200).contains(&calls), "{calls}");
    let dwelt = world.rollout("1.5.0").state.dwelling().unwrap().dwelt;
    assert!(dwelt.as_secs() < 15, "time that nobody looked at did not pass: {dwelt:?}");
}

#[tokio::test(start_paused = true)]
async fn who_does_not_lead_changes_nothing() {
    let mut world = World::start(QUICK).await;
    world.leader.store.leads.send_replace(Leadership::Follows(Some("another".to_owned())));
    world.release("catalog", "1.5.0").await;
    world.pass(30, WELL).await;
    assert_eq!(world.rollouts(), []);
    world.leader.store.leads.send_replace(Leadership::Leads);
    world.until(200, WELL, |world| world.is("1.5.0", "promoted")).await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_who_is_quicker_loses_nothing_and_neither_does_the_rollout() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.pass(3, SLOW).await;
    let place = Place { scope: Scope::Everyone, service: "catalog".parse().unwrap(), major: 1 };
    for at in 0..5 {
        let mut base = world.base();
        base.deny.insert(format!("user:{at}").parse().unwrap());
        let writes = [(place.key(), Some(write_base(&base).into()))].into();
        *world.leader.store.ambush.lock().unwrap() = Some(Change { expected: Default::default(), writes });
        world.pass(2, SLOW).await;
    }
    world.pass(2, QUIET).await;
    assert_eq!(world.base().deny.len(), 5);
    assert_eq!(world.weight(), Some(("1.5.0".to_owned(), percent(20))));
    let counted = world.analysis("1.5.0").analysis.sum().candidate.calls;
    assert!((770..=790).contains(&counted), "13 s of 60 calls a second: {counted}");
    world.until(300, WELL, |world| world.is("1.5.0", "promoted")).await;
    assert_eq!(world.base().deny.len(), 5, "who is denied stays so");
}

#[tokio::test(start_paused = true)]
async fn a_late_promotion_does_not_win_over_a_return() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.order("1.5.0", Order::RollBack("it looks wrong".to_owned())).await;
    world.order("1.5.0", Order::Promote("it looks right".to_owned())).await;
    world.until(3, QUIET, |world| world.is("1.5.0", "rolled back")).await;
    assert_eq!(world.rollout("1.5.0").orders, []);
    assert!(world.rollout("1.5.0").ordered(Order::Promote("late".to_owned())).is_err());
    assert_eq!(world.base().stable, version("1.4.0"));
}

#[tokio::test(start_paused = true)]
async fn an_order_is_carried_out_once_and_soon() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.order("1.5.0", Order::Advance("it is night".to_owned())).await;
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    assert_eq!(world.weight(), Some(("1.5.0".to_owned(), percent(50))));
    world.pass(5, QUIET).await;
    assert_eq!(world.weight(), Some(("1.5.0".to_owned(), percent(50))), "one step, and not another");
}

#[tokio::test(start_paused = true)]
async fn a_stable_version_that_an_operator_sets_ends_the_rollout_of_it() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    let mut base = world.base();
    base.stable = version("1.5.0");
    let place = Place { scope: Scope::Everyone, service: "catalog".parse().unwrap(), major: 1 };
    world.write(&place.key(), write_base(&base)).await;
    world.until(3, QUIET, |world| world.is("1.5.0", "promoted")).await;
    assert_eq!(world.weight(), None);
}
