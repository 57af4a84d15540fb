//! From a new version to its end, by evidence.

use super::world::{QUICK, QUIET, Traffic, WELL, World, percent, version};
use crate::reconcile::Verdict;
use turnout_control::rollout::{Hold, Order, Pending, Regression, State};
use turnout_control::routes::{Own, Place, Scope, Tried, read_own, write_own};

#[tokio::test(start_paused = true)]
async fn a_new_version_that_does_well_goes_step_by_step_and_becomes_stable() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.pass(1, WELL).await;
    assert_eq!(world.state("1.5.0"), Some(State::Pending(Pending::Instances)), "it is not warm");
    let mut steps = Vec::new();
    for _ in 0..400 {
        world.pass(1, WELL).await;
        if steps.last() != Some(&world.weight()) {
            steps.push(world.weight());
        }
        if world.is("1.5.0", "promoted") {
            break;
        }
    }
    let step = |ppm| Some(("1.5.0".to_owned(), percent(ppm)));
    // Nobody knows how much this service has to do, so that the first step is the largest that may be the first.
    assert_eq!(steps, [None, step(20), step(50), None]);
    assert_eq!((world.base().stable, world.base().instead_of), (version("1.5.0"), None));
    assert_eq!(world.verbs().await, ["rollout.create", "rollout.weigh", "rollout.weigh", "rollout.promote"]);
    let promoted = world.audit().await.pop().unwrap().act;
    assert_eq!(promoted.actor, "turnout");
    assert!(promoted.reason.starts_with("promoted; candidate 0 of "), "{}", promoted.reason);
    assert_eq!(promoted.inverse, "turnout policy set catalog --major 1 --stable 1.4.0 --reason TEXT");
    assert!(promoted.before.unwrap().contains("1.4.0") && promoted.after.unwrap().contains("1.5.0"));
    let rollout = world.rollout("1.5.0");
    assert_eq!(rollout.history.last().unwrap().1, "promoted");

    world.finds("catalog", "1.5.0", Verdict::Fits(Vec::new()));
    world.pass(5, WELL).await;
    assert_eq!(world.verbs().await.len(), 4, "it begins once");
}

#[tokio::test(start_paused = true)]
async fn a_version_that_fails_goes_back_for_all_and_is_tried_again_only_on_order() {
    let mut world = World::start(QUICK).await;
    let own = Own {
        candidate: Some(Tried { version: version("1.5.0"), weight: percent(50), salt: "s".to_owned() }),
        cap: Some(percent(60)),
        ..Own::default()
    };
    let frontend = Scope::Frontend("web@2.4.1".parse().unwrap());
    let place = Place { scope: frontend, service: "catalog".parse().unwrap(), major: 1 };
    world.write(&place.key(), write_own(&own)).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, WELL, |world| world.weight().is_some()).await;
    let failing = Traffic { calls: 200.0, candidate: 0.5, stable: 0.001 };
    let took = world.until(60, failing, |world| world.is("1.5.0", "rolled back")).await;
    assert!(took <= 30, "{took} s");
    let Some(State::RolledBack(why)) = world.state("1.5.0") else { panic!("it went back") };
    assert!(matches!(why, Regression::Failures(_)), "{why}");
    assert_eq!((world.weight(), world.base().stable), (None, version("1.4.0")));
    let own = read_own(&world.records().get(&place.key()).unwrap().value).unwrap();
    assert_eq!(
        (own.candidate, own.cap),
        (None, Some(percent(60))),
        "its own candidate is gone, its cap is not"
    );
    let act = world.audit().await.pop().unwrap().act;
    assert_eq!(
        (act.verb.as_str(), act.inverse.as_str()),
        ("rollout.rollback", "turnout rollout start catalog@1.5.0 --reason TEXT")
    );
    assert!(
        act.reason.contains("evidence of harm e^") && act.reason.contains("taken from 1 policies"),
        "{}",
        act.reason
    );

    world.pass(30, WELL).await;
    assert!(world.is("1.5.0", "rolled back"), "it is quarantined");
    world.order("1.5.0", Order::Start).await;
    world.until(20, WELL, |world| world.weight().is_some()).await;
    let again = world.rollout("1.5.0");
    assert_eq!(again.retries, 1);
    assert!(again.plan.alpha_failures < 0.006, "{}", again.plan.alpha_failures);
    assert_eq!(again.salt, "catalog/1/1.5.0");
    world.until(100, WELL, |world| world.is("1.5.0", "promoted")).await;
}

#[tokio::test(start_paused = true)]
async fn scenario_08_an_outage_that_both_versions_share_sends_nothing_back() {
    let mut world = World::start("rollouts: { tick: 1s, dwell: 7m, dwell_max: 1h, warmup: 3s }").await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.pass(60, WELL).await;
    let down = Traffic { calls: 500.0, candidate: 0.4, stable: 0.4 };
    world.pass(300, down).await;
    assert!(world.rollout("1.5.0").is_exposed(), "{:?}", world.state("1.5.0"));
    assert_eq!(world.weight(), Some(("1.5.0".to_owned(), percent(20))));
    world.until(700, WELL, |world| world.weight() == Some(("1.5.0".to_owned(), percent(50)))).await;
    world.until(700, WELL, |world| world.is("1.5.0", "promoted")).await;
}

#[tokio::test(start_paused = true)]
async fn scenario_09_a_stable_version_that_fails_is_told_and_can_be_left_at_once() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    let broken = Traffic { calls: 400.0, candidate: 0.0, stable: 0.5 };
    let degraded = |world: &World| {
        world.rollout("1.5.0").history.iter().any(|(_, text)| text.contains("promoting would help"))
    };
    world.until(30, broken, degraded).await;
    assert!(world.rollout("1.5.0").is_exposed());
    world.order("1.5.0", Order::Promote("stable is broken".to_owned())).await;
    world.until(2, broken, |world| world.is("1.5.0", "promoted")).await;
    let act = world.audit().await.pop().unwrap().act;
    assert!(act.reason.contains("stable is broken"), "{}", act.reason);
}

#[tokio::test(start_paused = true)]
async fn scenario_11_without_calls_nothing_is_promoted_and_going_on_takes_a_reason() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(400, QUIET, |world| world.is("1.5.0", "inconclusive")).await;
    world.pass(600, QUIET).await;
    assert_eq!(world.weight(), Some(("1.5.0".to_owned(), percent(20))));
    assert!(world.is("1.5.0", "inconclusive"));
    assert!(world.rollout("1.5.0").ordered(Order::Advance(String::new())).is_err());
    world.order("1.5.0", Order::Advance("nobody calls it at night".to_owned())).await;
    world.until(2, QUIET, |world| world.weight() == Some(("1.5.0".to_owned(), percent(50)))).await;
    let act = world.audit().await.pop().unwrap().act;
    assert!(act.reason.contains("nobody calls it at night"), "{}", act.reason);
}

#[tokio::test(start_paused = true)]
async fn scenario_12_what_waits_for_an_approval_still_goes_back() {
    let mut world = World::start(&QUICK.replace("rollouts: {", "rollouts: { approval: operator,")).await;
    world.release("catalog", "1.5.0").await;
    let waits = |world: &World| {
        world.rollout("1.5.0").history.iter().any(|(_, text)| text.starts_with("waits for an approval"))
    };
    world.until(20, WELL, |world| world.weight().is_some()).await;
    world.until(30, WELL, waits).await;
    world.pass(300, WELL).await;
    assert_eq!(world.weight(), Some(("1.5.0".to_owned(), percent(20))), "nobody approved");
    let failing = Traffic { calls: 40_000.0, candidate: 0.1, stable: 0.0 };
    let took = world.until(60, failing, |world| world.is("1.5.0", "rolled back")).await;
    assert!(took <= 30, "{took} s");
}

#[tokio::test(start_paused = true)]
async fn scenario_13_a_newer_version_takes_the_place_of_one_that_is_tried() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.order("1.5.0", Order::Hold("to look at it".to_owned())).await;
    world.pass(2, WELL).await;
    assert!(world.is("1.5.0", "holding"));
    world.release("catalog", "1.6.0").await;
    world.pass(1, QUIET).await;
    assert!(world.is("1.5.0", "holding"), "the newer one is not warm");
    world.until(10, QUIET, |world| world.is("1.5.0", "superseded")).await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    let newer = world.rollout("1.6.0");
    assert_eq!((newer.salt.as_str(), &newer.from), ("catalog/1/1.5.0", &version("1.4.0")));
    assert_eq!(world.weight(), Some(("1.6.0".to_owned(), percent(20))));
    assert_eq!(world.base().candidate.unwrap().salt, "catalog/1/1.5.0", "who was exposed comes first");
    world.order("1.6.0", Order::RollBack("no good".to_owned())).await;
    world.until(2, QUIET, |world| world.is("1.6.0", "rolled back")).await;
    assert_eq!(world.base().stable, version("1.4.0"));
    let verbs = world.verbs().await;
    assert!(verbs.contains(&"rollout.withdraw".to_owned()), "{verbs:?}");
    world.pass(10, QUIET).await;
    assert!(world.is("1.5.0", "superseded") && world.weight().is_none(), "the older one does not come back");
}

#[tokio::test(start_paused = true)]
async fn a_service_that_waits_for_operators_begins_on_order_and_a_refused_version_never() {
    let mut world = World::start(&format!("on_new_version: hold\n{QUICK}")).await;
    world.serve("catalog", "1.6.0").await;
    world.finds("catalog", "1.6.0", Verdict::Refused(Vec::new()));
    world.release("catalog", "1.5.0").await;
    world.pass(20, QUIET).await;
    assert_eq!(world.state("1.5.0"), Some(State::Pending(Pending::Operator)));
    assert_eq!(world.state("1.6.0"), None);
    world.order("1.5.0", Order::Start).await;
    world.until(4, QUIET, |world| world.weight().is_some()).await;
    world.finds("catalog", "1.5.0", Verdict::Refused(Vec::new()));
    world.until(4, QUIET, |world| world.is("1.5.0", "rolled back")).await;
    assert_eq!(world.state("1.5.0"), Some(State::RolledBack(Regression::Gate)));
}

#[tokio::test(start_paused = true)]
async fn a_third_rollout_waits_for_the_other_two() {
    let mut world = World::start(QUICK).await;
    for service in ["orders", "users"] {
        world.serve(service, "1.4.0").await;
        world.serve_stable(service, "1.4.0").await;
    }
    for (service, newer) in [("catalog", "1.5.0"), ("orders", "1.5.1"), ("users", "1.5.2")] {
        world.release(service, newer).await;
    }
    world.pass(10, QUIET).await;
    let exposed = |world: &World| world.rollouts().iter().filter(|it| it.is_exposed()).count();
    assert_eq!(exposed(&world), 2);
    let waits = world.rollouts().into_iter().find(|it| it.state == State::Pending(Pending::Others)).unwrap();
    let other = world.rollouts().into_iter().find(|it| it.is_exposed()).unwrap();
    world.order(&other.to.to_string(), Order::RollBack("make room".to_owned())).await;
    world.until(4, QUIET, |world| world.rollout(&waits.to.to_string()).is_exposed()).await;
    assert_eq!(exposed(&world), 2);
}

#[tokio::test(start_paused = true)]
async fn one_open_fuse_of_many_holds_and_two_send_back_at_once() {
    let mut world = World::start(QUICK).await;
    world.join("two");
    world.join("three");
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.pass(2, QUIET).await;
    world.gateways[0].tripped = true;
    world.until(2, QUIET, |world| world.is("1.5.0", "holding")).await;
    assert!(matches!(world.state("1.5.0"), Some(State::Holding(_, Hold::OneReplica))));
    world.gateways[1].tripped = true;
    world.until(2, QUIET, |world| world.is("1.5.0", "rolled back")).await;
    assert_eq!(world.state("1.5.0"), Some(State::RolledBack(Regression::Fuses(2))));
}

#[tokio::test(start_paused = true)]
async fn what_a_fuse_ended_can_be_tried_again_although_gateways_still_speak_of_it() {
    let mut world = World::start(QUICK).await;
    world.release("catalog", "1.5.0").await;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.pass(2, QUIET).await;
    world.gateways[0].tripped = true;
    world.until(2, QUIET, |world| world.is("1.5.0", "rolled back")).await;
    world.order("1.5.0", Order::Start).await;
    // Nothing newer is heard of it until it routes by the new try.
    world.gateways[0].is_silent = true;
    world.until(20, QUIET, |world| world.weight().is_some()).await;
    world.pass(2, QUIET).await;
    (world.gateways[0].is_silent, world.gateways[0].tripped) = (false, false);
    world.pass(5, QUIET).await;
    assert!(world.is("1.5.0", "shifting"), "{:?}", world.state("1.5.0"));
}
