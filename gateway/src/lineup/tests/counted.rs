//! What is counted of a candidate, and when its fuse opens.

use std::time::Duration;

use tokio::sync::watch;
use turnout_control::frontend::Units;
use turnout_control::policy::{Arm, Candidate, Reason};
use turnout_control::rollout::{Arms, Shift, StratumName, Tallied};

use super::world::{METHOD, World, call, candidate, pick, took, user};
use crate::generation::View;
use crate::lineup::{Chosen, Ended, Ending, Lineup, Trials};
use crate::upstream::Worker;

const ALL: u32 = 1_000_000;

fn arms(world: &World) -> Arms {
    let name = StratumName { method: METHOD.to_owned(), frontend: "web@2.4.1".to_owned() };
    world.report().strata.get(&name).copied().unwrap_or_default()
}

#[test]
fn a_unit_fails_once_in_a_tick_and_its_other_tries_are_no_calls() {
    let world = World::new();
    let view = world.view(Some(candidate(ALL)));
    for worker in 0..5 {
        assert_eq!(call(&view, &user(1), worker, Ending::Failed), Arm::Candidate);
    }
    call(&view, &user(2), 0, Ending::Failed);
    call(&view, &user(1), 0, Ending::Good);
    let expected = Tallied { calls: 3, failures: 2, ..Tallied::default() };
    assert_eq!(arms(&world).candidate, expected);
    world.trials.tick();
    call(&view, &user(1), 3, Ending::Failed);
    assert_eq!(arms(&world).candidate, Tallied { calls: 4, failures: 3, ..expected });
    assert_eq!(arms(&world).stable, Tallied::default());
}

#[test]
fn only_those_whose_slot_decided_are_evidence() {
    let mut world = World::new();
    let listed = Candidate {
        allow: [user("friend").person.unwrap()].into(),
        deny: [user("large").person.unwrap()].into(),
        ..candidate(ALL / 2)
    };
    let view = world.view(Some(listed));
    for units in [Units::default(), Units::default(), user("friend"), user("large")] {
        call(&view, &units, 0, Ending::Failed);
    }
    world.down("1.5.0");
    // Half of these fall back.
    let reasons: Vec<Reason> = (0..100).map(|id| pick(&view, &user(id)).1).collect();
    let fell = reasons.iter().filter(|reason| **reason == Reason::Fallback).count();
    assert!((30..70).contains(&fell), "{fell}");
    for units in (0..100).map(user) {
        call(&view, &units, 0, Ending::Good);
    }
    let stable = u64::try_from(100 - fell).unwrap();
    assert_eq!(arms(&world).stable.calls, stable);
    assert_eq!(arms(&world).candidate.calls, 0);
    let report = world.report();
    assert_eq!((report.no_unit, report.mismatches), (2, 0));
}

#[test]
fn nobody_is_blamed_for_a_call_that_nobody_waited_for() {
    let world = World::new();
    let view = world.view(Some(candidate(ALL)));
    call(&view, &user(1), 0, Ending::Untold);
    assert_eq!(arms(&world), Arms::default());
}

#[test]
fn what_cannot_be_read_is_a_failure_of_a_call_that_was_answered() {
    let world = World::new();
    let view = world.view(Some(candidate(ALL)));
    let units = user(1);
    for _ in 0..3 {
        call(&view, &units, 0, Ending::Good);
        let lineup = Lineup::new(&view, &units);
        let chosen = &lineup.choose(0).unwrap();
        let ended = Ended { worker: Worker(0), method: METHOD, chosen, ending: Ending::Failed, took: None };
        world.trial().count_undecodable(&ended);
    }
    assert_eq!(arms(&world).candidate, Tallied { calls: 3, failures: 1, ..Tallied::default() });
}

#[test]
fn shifts_are_counted_by_what_was_answered() {
    let world = World::new();
    let view = world.view(Some(candidate(ALL)));
    for shift in [Shift::NotFound, Shift::NotFound, Shift::PermissionDenied] {
        call(&view, &user(1), 0, Ending::Shifted(shift));
    }
    let Tallied { calls, failures, shifts, .. } = arms(&world).candidate;
    assert_eq!((calls, failures), (3, 0));
    assert_eq!(shifts[Shift::NotFound.place()], 2);
    assert_eq!(shifts[Shift::PermissionDenied.place()], 1);
}

#[test]
fn slow_is_what_is_slower_than_stable_was_in_the_beginning() {
    let world = World::new();
    let view = world.view(Some(candidate(ALL / 2)));
    let good = |id: u64, ms| took(&view, &user(id), (0, Ending::Good), Duration::from_millis(ms));
    // Until 200 calls of the stable version came, nothing is compared.
    let mut stable = 0;
    let mut id = 0;
    while stable < 200 {
        stable += u64::from(good(id, 1 + stable % 100) == Arm::Stable);
        id += 1;
    }
    assert_eq!((arms(&world).stable.timed, arms(&world).candidate.timed), (0, 0));
    world.trials.tick();
    let candidates: Vec<u64> =
        (0..1000).filter(|id| pick(&view, &user(id)).0 == Arm::Candidate).take(10).collect();
    for id in &candidates {
        good(*id, 95);
        good(*id, 96);
    }
    let Tallied { timed, slow, .. } = arms(&world).candidate;
    assert_eq!((timed, slow), (20, 10));
}

#[test]
fn a_call_of_another_version_than_was_decided_is_told() {
    let world = World::new();
    let view = world.view(Some(candidate(1)));
    let units = user(1);
    let chosen = Lineup::new(&view, &units).choose(0).unwrap();
    let tried = &view.routes[0].candidate.as_ref().unwrap().0;
    for chosen in [
        Chosen { callee: tried, ..chosen },
        Chosen { arm: Arm::Candidate, callee: tried, ..chosen },
        Chosen { arm: Arm::Candidate, callee: tried, reason: Reason::Candidate, ..chosen },
    ] {
        let ended =
            Ended { worker: Worker(0), method: METHOD, chosen: &chosen, ending: Ending::Good, took: None };
        world.trial().count(&ended);
    }
    assert_eq!(world.report().mismatches, 3);
}

/// Fifty calls a second, of which a quarter should get the candidate. Who fails is said by `fails`; the second
/// in which the fuse opens, of as many as are tried.
fn seconds_to_trip(world: &World, seconds: u64, fails: impl Fn(Arm, u64) -> bool) -> Option<u64> {
    let view = world.view(Some(candidate(ALL / 4)));
    for second in 0..seconds {
        for number in second * 50..(second + 1) * 50 {
            let units = user(number % 5000);
            let (arm, _) = pick(&view, &units);
            let ending = if fails(arm, number) { Ending::Failed } else { Ending::Good };
            call(&view, &units, 0, ending);
        }
        world.trials.second();
        if second % 10 == 9 {
            world.trials.tick();
        }
        if world.trial().is_tripped() {
            return Some(second + 1);
        }
    }
    None
}

/// A number that looks like chance, of a million.
fn chance(number: u64) -> u64 {
    let mut bits = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    (bits ^ (bits >> 27)) % 1_000_000
}

#[test]
fn scenario_06_a_candidate_that_always_fails_trips_the_fuse_within_three_seconds() {
    let world = World::new();
    let trips = world.trials.trips();
    let seconds = seconds_to_trip(&world, 60, |arm, number| match arm {
        Arm::Candidate => true,
        Arm::Stable => chance(number) < 5_000,
    });
    println!("all calls fail, 50 a second, 25 %: the fuse opens after {seconds:?} s");
    assert!(seconds.is_some_and(|seconds| seconds <= 3), "{seconds:?}");
    assert!(trips.has_changed().unwrap());
    assert!(world.report().tripped);
    let view = world.view(Some(candidate(ALL)));
    assert_eq!(pick(&view, &user(1)), (Arm::Stable, Reason::FuseOpen));
    assert_eq!(world.trials.tripped().len(), 1);
    // It does not close when calls of the stable version go well.
    for _ in 0..100 {
        world.trials.second();
    }
    assert!(world.report().tripped);
}

#[test]
fn a_healthy_candidate_and_an_outage_of_both_trip_nothing() {
    let world = World::new();
    // Half an hour, in which for five minutes 40 % of all calls fail.
    let seconds = seconds_to_trip(&world, 1800, |_, number| {
        let outage = (600..900).contains(&(number / 50));
        chance(number) < if outage { 400_000 } else { 5_000 }
    });
    assert_eq!(seconds, None);
}

#[test]
fn one_unit_that_tries_without_end_trips_nothing_alone() {
    let world = World::new();
    let view = world.view(Some(candidate(ALL)));
    // It tries forty times a second through a whole tick, beside others who are content.
    for second in 0..10 {
        for id in 0..40 {
            call(&view, &user(1), 0, Ending::Failed);
            call(&view, &user(1000 + second * 40 + id), 0, Ending::Good);
        }
        world.trials.second();
    }
    assert!(!world.report().tripped);
}

/// A hundred calls, of which those of the candidate fail.
fn fail(view: &View) {
    for units in (0..100).map(user) {
        let ending = match pick(view, &units).0 {
            Arm::Candidate => Ending::Failed,
            Arm::Stable => Ending::Good,
        };
        call(view, &units, 0, ending);
    }
}

#[tokio::test(start_paused = true)]
async fn a_trial_that_ends_is_reported_for_a_minute_and_one_that_begins_again_counts_from_zero() {
    let world = World::new();
    let trials = &world.trials;
    let count = |trials: &Trials| {
        let report = trials.report();
        report.values().next().map(|trial| {
            let calls = trial.strata.values().map(|arms| arms.candidate.calls + arms.stable.calls);
            (trial.since, calls.sum::<u64>(), trial.tripped)
        })
    };
    let view = world.view(Some(candidate(ALL / 2)));
    assert_eq!(count(trials), None);
    trials.keep(&world.generation(7, world.view(Some(candidate(ALL)))));
    fail(&view);
    trials.second();
    assert_eq!(count(trials), Some((7, 100, true)));
    // More generations, and the same trial.
    trials.keep(&world.generation(8, world.view(Some(candidate(ALL / 2)))));
    assert_eq!(count(trials), Some((7, 100, true)));
    trials.keep(&world.generation(9, world.view(None)));
    assert_eq!(count(trials), Some((7, 100, false)), "a fuse of nobody is not open");
    // It begins again, even at a revision that it has seen.
    let again = world.view(Some(candidate(ALL)));
    trials.keep(&world.generation(7, world.view(Some(candidate(ALL)))));
    assert_eq!(pick(&again, &user(1)), (Arm::Candidate, Reason::Candidate));
    assert_eq!(count(trials), Some((8, 0, false)));
    trials.keep(&world.generation(10, world.view(None)));
    tokio::time::advance(Duration::from_secs(61)).await;
    assert_eq!(count(trials), None, "whether another generation comes or not");
}

#[tokio::test(start_paused = true)]
async fn a_trial_lives_by_the_seconds_of_its_task() {
    let world = World::new();
    let view = world.view(Some(candidate(ALL / 2)));
    let sources = crate::config::Sources::default();
    let config = crate::config::read(&sources).unwrap().config;
    let (_settings, settings) = watch::channel(std::sync::Arc::new(crate::rollout::Settings::of(&config)));
    let generation = world.generation(3, world.view(Some(candidate(ALL))));
    let (_generations, generations) = watch::channel(Some(std::sync::Arc::new(generation)));
    let stop = tokio_util::sync::CancellationToken::new();
    let mut trips = world.trials.trips();
    let task = crate::lineup::run(world.trials.clone(), generations, settings, stop.clone());
    let calls = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        fail(&view);
        trips.changed().await.unwrap();
        assert_eq!(world.trials.report().len(), 1);
        stop.cancel();
    };
    tokio::time::timeout(Duration::from_secs(5), futures_util::future::join(task, calls)).await.unwrap();
}
