//! Which rollouts begin, and which have to wait.

use std::collections::BTreeSet;

use super::super::*;
use super::record::rollout;
use crate::id::{ServiceName, Timestamp, Version};
use crate::slot::Weight;

fn running(text: &str) -> Running {
    let (version, verdict) = match text.split_at(text.len() - 1) {
        (version, "!") => (version, Verdict::Refused),
        (version, "?") => (version, Verdict::Unknown),
        _ => (text, Verdict::Fits),
    };
    Running { version: version.parse().unwrap(), verdict, migrates: false }
}

/// A rollout to a version, in some state.
fn known(to: &str, state: State) -> Rollout {
    Rollout { to: to.parse().unwrap(), salt: format!("catalog/2/{to}"), ..rollout(state) }
}

fn shifting() -> State {
    State::Shifting(Dwelling::at(1))
}

fn back() -> State {
    State::RolledBack(Regression::Gate)
}

fn created(runs: &[&str], rollouts: &[Rollout], on_new_version: OnNewVersion) -> Option<Rollout> {
    let stable: Version = "2.3.0".parse().unwrap();
    let line = Line {
        service: &"catalog".parse().unwrap(),
        stable: &stable,
        running: &runs.iter().map(|text| running(text)).collect::<Vec<_>>(),
        rollouts,
        on_new_version,
        settings: &Settings::usual(),
        calls_per_second: 50.0,
    };
    create(&line, Timestamp(1))
}

#[test]
fn the_highest_release_that_fits_and_was_not_tried_begins() {
    let start = |to: &str| Rollout { orders: vec![Order::Start], ..known(to, back()) };
    for (runs, rollouts, expected) in [
        (&["2.3.0", "2.4.0"][..], vec![], Some("2.4.0")),
        (&["2.3.0"], vec![], None),
        (&["2.2.0"], vec![], None),
        // Only releases of the same major, and only those that the gate lets through.
        (&["2.4.0", "2.5.0-rc.1", "3.0.0"], vec![], Some("2.4.0")),
        (&["2.4.0", "2.5.0!", "2.6.0?"], vec![], Some("2.4.0")),
        (&["2.4.0", "2.5.0"], vec![], Some("2.5.0")),
        // What was tried is not tried again by itself.
        (&["2.4.0"], vec![known("2.4.0", back())], None),
        (&["2.4.0", "2.5.0"], vec![known("2.5.0", back())], Some("2.4.0")),
        (&["2.4.0"], vec![known("2.4.0", State::Promoted)], None),
        (&["2.4.0"], vec![known("2.4.0", State::Superseded("2.5.0".parse().unwrap()))], None),
        (&["2.4.0"], vec![start("2.4.0")], Some("2.4.0")),
        (&["2.4.0!"], vec![start("2.4.0")], None),
        // A newer one takes the place of an older one and not the other way round.
        (&["2.4.0", "2.5.0"], vec![known("2.4.0", shifting())], Some("2.5.0")),
        (&["2.4.0", "2.5.0"], vec![known("2.5.0", shifting())], None),
        (&["2.4.0", "2.5.0"], vec![known("2.5.0", shifting()), start("2.4.0")], None),
        // What waits for instances that are gone is in nobody's way, and what somebody has is.
        (&["2.4.0"], vec![known("2.5.0", State::Pending(Pending::Instances))], Some("2.4.0")),
        (&["2.4.0"], vec![known("2.5.0", shifting())], None),
    ] {
        let begun = created(runs, &rollouts, OnNewVersion::Rollout).map(|begun| begun.to.to_string());
        assert_eq!(begun.as_deref(), expected, "{runs:?} {rollouts:?}");
    }
}

#[test]
fn scenario_13_a_newer_candidate_starts_at_step_one_with_those_who_had_the_older_one() {
    let old = known("2.4.0", shifting());
    let new =
        created(&["2.3.0", "2.4.0", "2.5.0"], std::slice::from_ref(&old), OnNewVersion::Rollout).unwrap();
    assert_eq!((new.salt.as_str(), new.from.to_string().as_str()), (old.salt.as_str(), "2.3.0"));
    assert_eq!(new.state, State::Pending(Pending::Instances));
    // The older one goes on until the newer one could begin, and then gives way.
    let reach = [[old.service.clone()].into()];
    let cold = Facts { candidate_warm: 0, ..super::facts() };
    let (new, _) = new.tick(&Analysis::new(), &cold, Timestamp(2));
    assert_eq!(newer(&old, [&new]), None);
    assert!(must_wait(&new.service, [&old], &reach, 2));
    let (new, _) = new.tick(&Analysis::new(), &Facts { must_wait: true, ..super::facts() }, Timestamp(2));
    assert_eq!((&new.state, newer(&new, [&old])), (&State::Pending(Pending::Others), None));
    let facts = Facts { newer: newer(&old, [&new]), ..super::facts() };
    let (old, actions) = old.tick(&Analysis::new(), &facts, Timestamp(3));
    assert_eq!(old.state, State::Superseded("2.5.0".parse().unwrap()));
    assert_eq!(actions[0], Action::Withdraw);

    assert!(!must_wait(&new.service, [&old], &reach, 2));
    let (new, actions) = new.tick(&Analysis::new(), &super::facts(), Timestamp(4));
    assert_eq!(actions[0], Action::Weigh(new.plan.steps[0].weight));
    let (new, _) = new.ordered(Order::RollBack("no".into())).unwrap().tick(
        &Analysis::new(),
        &super::facts(),
        Timestamp(3),
    );
    assert_eq!((new.state.as_str(), new.from.to_string().as_str()), ("rolled back", "2.3.0"));
}

#[test]
fn a_newer_version_that_waits_for_an_operator_takes_nobodys_place() {
    let old = known("2.4.0", shifting());
    let held = created(&["2.4.0", "2.5.0"], std::slice::from_ref(&old), OnNewVersion::Hold).unwrap();
    assert_eq!(held.state, State::Pending(Pending::Operator));
    assert_eq!(newer(&old, [&held]), None);
    let started = held.clone().ordered(Order::Start).unwrap();
    let (started, _) =
        started.tick(&Analysis::new(), &Facts { must_wait: true, ..super::facts() }, Timestamp(2));
    assert_eq!(newer(&old, [&started]), Some(held.to.clone()));
    let other = Rollout { service: "orders".parse().unwrap(), ..started };
    assert_eq!(newer(&old, [&other]), None);
}

#[test]
fn another_try_needs_an_operator_and_more_evidence() {
    let failed = Rollout {
        orders: vec![Order::Start],
        retries: 1,
        history: vec![(Timestamp(0), "rolled back".to_owned())],
        ..known("2.4.0", back())
    };
    let again = created(&["2.4.0"], std::slice::from_ref(&failed), OnNewVersion::Hold).unwrap();
    assert_eq!((again.retries, &again.state), (2, &State::Pending(Pending::Instances)));
    assert_eq!((again.plan.alpha_failures, again.plan.beta), (0.0025, 0.0125));
    assert_eq!((again.salt, again.history.len(), again.orders.len()), (failed.salt, 1, 0));
}

#[test]
fn a_version_that_migrates_data_needs_an_approval_at_every_step() {
    let stable: Version = "2.3.0".parse().unwrap();
    let line = Line {
        service: &"catalog".parse().unwrap(),
        stable: &stable,
        running: &[Running { migrates: true, ..running("2.4.0") }],
        rollouts: &[],
        on_new_version: OnNewVersion::Rollout,
        settings: &Settings::usual(),
        calls_per_second: 50.0,
    };
    let begun = create(&line, Timestamp(1)).unwrap();
    assert!(begun.migrates && begun.plan.steps.iter().all(|step| step.approval == Approval::Operator));
}

#[test]
fn the_users_of_one_frontend_are_in_two_rollouts_at_most() {
    let service = |name: &str| -> ServiceName { name.parse().unwrap() };
    let of = |name: &str, state: State| Rollout { service: service(name), ..rollout(state) };
    let reach = |names: &[&str]| names.iter().map(|name| service(name)).collect::<BTreeSet<ServiceName>>();
    let frontends = [reach(&["a", "b", "c"]), reach(&["c", "d"])];
    let two = [of("a", shifting()), of("b", shifting())];
    assert!(must_wait(&service("c"), &two, &frontends, 2));
    assert!(!must_wait(&service("d"), &two, &frontends, 2), "another frontend's users");
    assert!(!must_wait(&service("c"), &two[..1], &frontends, 2));
    let waiting = [of("a", shifting()), of("b", State::Pending(Pending::Others)), of("b", back())];
    assert!(!must_wait(&service("c"), &waiting, &frontends, 2), "only those that somebody gets");
    assert!(!must_wait(&service("e"), &two, &frontends, 2), "nobody uses it");
}

#[test]
fn configured_steps_are_taken_from_the_first_that_sees_enough() {
    let weights = |percent: &[u32], first_max: u32, rate: f64| {
        let settings = Settings {
            weights: percent.iter().map(|percent| Weight::ppm(percent * 10_000).unwrap()).collect(),
            first_max: Weight::ppm(first_max * 10_000).unwrap(),
            ..Settings::usual()
        };
        let plan = Plan::new(&settings, rate);
        plan.steps.iter().map(|step| step.weight.as_ppm() / 10_000).collect::<Vec<u32>>()
    };
    assert_eq!(weights(&[2, 10, 30], 20, 500.0), [2, 10, 30]);
    assert_eq!(weights(&[2, 10, 30], 20, 3.0), [10, 30]);
    assert_eq!(weights(&[2, 10, 30], 20, 0.0), [10, 30], "never above the cap");
    assert_eq!(weights(&[50, 100], 20, 0.0), [50, 100], "what is configured to come first may");
    assert_eq!(weights(&[30, 10, 10, 0], 20, 500.0), [10, 30], "in their order, each once, none of nobody");
    assert_eq!(weights(&[], 20, 500.0), [20], "never empty");
}

#[test]
fn a_rate_follows_what_was_counted_of_late() {
    let mut rate = Rate::default();
    assert_eq!(rate.per_second(), 0.0);
    rate.take(100, std::time::Duration::from_secs(10));
    assert!((rate.per_second() - 10.0).abs() < 1e-9);
    (0..360).for_each(|_| rate.take(20, std::time::Duration::from_secs(10)));
    assert!((rate.per_second() - 2.0).abs() < 0.05, "{}", rate.per_second());
    assert_eq!(Rate::restore(rate.parts()), rate);
}
