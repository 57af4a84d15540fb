//! What is missing: instances, gateways, what they have counted.

use std::collections::BTreeMap;

use super::world::{QUICK, QUIET, WELL, World, percent, registration, version};
use turnout_control::rollout::{Approval, Hold, Regression, State};
use turnout_control::routes::{Place, Scope, write_base};

#[tokio::test(start_paused = true)]
async fn a_candidate_without_instances_holds_for_half_a_minute_and_goes_back_for_good() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.leave("catalog", "1.5.0").await;
    world.until(3, QUIET, |world| world.is("1.5.0", "holding")).await;
    assert!(matches!(world.state("1.5.0"), Some(State::Holding(_, Hold::NoInstance))));
    let took = world.until(40, QUIET, |world| world.is("1.5.0", "rolled back")).await;
    assert!((25..=33).contains(&took), "{took} s");
    assert_eq!(world.state("1.5.0"), Some(State::RolledBack(Regression::Vanished)));
    world.release("catalog", "1.5.0").await;
    world.pass(20, QUIET).await;
    assert!(world.is("1.5.0", "rolled back") && world.weight().is_none());
}

#[tokio::test(start_paused = true)]
async fn a_stable_version_without_instances_holds_and_nothing_is_promoted() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.leave("catalog", "1.4.0").await;
    world.until(3, WELL, |world| world.is("1.5.0", "holding")).await;
    assert!(matches!(world.state("1.5.0"), Some(State::Holding(_, Hold::NoStable))));
    world.pass(120, WELL).await;
    assert!(matches!(world.state("1.5.0"), Some(State::Holding(_, Hold::NoStable))));
    world.serve("catalog", "1.4.0").await;
    world.until(120, WELL, |world| world.is("1.5.0", "promoted")).await;
}

#[tokio::test(start_paused = true)]
async fn while_an_older_version_stands_in_for_the_stable_one_a_rollout_keeps_its_place() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.leave("catalog", "1.4.0").await;
    world.serve("catalog", "1.3.0").await;
    let mut base = world.base();
    (base.stable, base.instead_of) = (version("1.3.0"), Some(version("1.4.0")));
    let place = Place { scope: Scope::Everyone, service: "catalog".parse().unwrap(), major: 1 };
    world.write(&place.key(), write_base(&base)).await;
    world.pass(3, WELL).await;
    assert!(
        matches!(world.state("1.5.0"), Some(State::Holding(_, Hold::NoStable))),
        "{:?}",
        world.state("1.5.0")
    );
    assert_eq!(world.rollout("1.5.0").from, version("1.4.0"));
}

#[tokio::test(start_paused = true)]
async fn after_a_newer_version_had_to_take_the_place_of_the_stable_one_the_next_is_tried_beside_it() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(2, QUIET, |world| world.is("1.5.0", "pending")).await;
    world.leave("catalog", "1.4.0").await;
    // As after a minute in which nobody ran it: 1.4.0 does not come back.
    let mut base = world.base();
    (base.stable, base.instead_of) = (version("1.5.0"), Some(version("1.4.0")));
    let place = Place { scope: Scope::Everyone, service: "catalog".parse().unwrap(), major: 1 };
    world.write(&place.key(), write_base(&base)).await;
    world.until(5, QUIET, |world| world.is("1.5.0", "promoted")).await;
    world.release("catalog", "1.6.0").await;
    world.until(20, WELL, |world| world.weight().is_some()).await;
    assert_eq!(world.rollout("1.6.0").from, version("1.5.0"));
    world.until(120, WELL, |world| world.is("1.6.0", "promoted")).await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_is_silent_holds_until_it_is_gone() {
    let mut world = World::start(QUICK).await;
    world.join("two");
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.gateways[1].is_silent = true;
    world.until(6, WELL, |world| world.is("1.5.0", "holding")).await;
    assert!(matches!(world.state("1.5.0"), Some(State::Holding(_, Hold::Coverage(share))) if share < 0.6));
    world.pass(60, WELL).await;
    assert_eq!(world.weight(), Some(("1.5.0".to_owned(), percent(20))), "it does not go on");
    world.gateways.truncate(1);
    world.until(60, WELL, |world| world.is("1.5.0", "promoted")).await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_routes_by_something_older_keeps_a_step_from_being_left() {
    let mut world = World::start(QUICK).await;
    world.join("two");
    world.gateways[1].is_stale = true;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.pass(60, WELL).await;
    assert_eq!(world.weight(), Some(("1.5.0".to_owned(), percent(20))));
    assert!(world.rollout("1.5.0").state.dwelling().unwrap().dwelt.is_zero());
    world.gateways[1].is_stale = false;
    world.until(60, WELL, |world| world.is("1.5.0", "promoted")).await;
}

#[tokio::test(start_paused = true)]
async fn a_version_that_migrates_data_asks_an_operator_at_each_step() {
    let mut world = World::start(QUICK).await;
    let meta = BTreeMap::from([("turnout.data-migration".to_owned(), "true".to_owned())]);
    let registered = registration("catalog", "1.5.0", meta);
    world.leader.store.inner.register(registered).await.unwrap();
    world.finds("catalog", "1.5.0", crate::reconcile::Verdict::Fits(Vec::new()));
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    let rollout = world.rollout("1.5.0");
    assert!(rollout.migrates);
    assert!(rollout.plan.steps.iter().all(|step| step.approval == Approval::Operator));
}
