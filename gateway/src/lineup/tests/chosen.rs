//! Which version an operation gets, and that it keeps it.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;
use turnout_control::frontend::Units;
use turnout_control::id::Timestamp;
use turnout_control::policy::{Arm, Candidate, Health, Reason};
use turnout_control::slot::{Unit, Weight};

use super::world::{TRIED, World, call, candidate, now, pick, user};
use crate::lineup::{Ending, Lineup};

const ALL: u32 = 1_000_000;

fn policies() -> impl Strategy<Value = Candidate> {
    let weight = || prop_oneof![Just(0), Just(ALL), 0..=ALL];
    let listed = || proptest::collection::btree_set(0_u8..20, 0..4);
    (weight(), weight(), any::<bool>(), listed(), listed()).prop_map(|(weight, cap, killed, allow, deny)| {
        let units = |ids: &BTreeSet<u8>| ids.iter().map(|id| user(id).person.unwrap()).collect();
        let deny: BTreeSet<u8> = deny.difference(&allow).copied().collect();
        let cap = Weight::ppm(cap).unwrap();
        Candidate { cap, killed, allow: units(&allow), deny: units(&deny), ..candidate(weight) }
    })
}

proptest! {
    #[test]
    fn a_lineup_is_the_pure_decision_and_never_changes(
        policy in policies(),
        id in proptest::option::weighted(0.9, 0_u8..20),
        is_up in any::<bool>(),
    ) {
        let mut world = World::new();
        if !is_up {
            world.down(TRIED);
        }
        let view = world.view(Some(policy));
        let units = id.map(user).unwrap_or_default();
        let health = |_: &_| if is_up { Health::Serves } else { Health::Away };
        let expected = view.routes[0].policy.choose(units.person.as_ref(), &health);
        let lineup = Lineup::new(&view, &units);
        // Many calls of one operation, at the same time.
        let chosen: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| lineup.choose(0).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        // Whatever comes and goes then.
        if is_up { world.down(TRIED) } else { world.up(TRIED, Timestamp(1)) }
        for chosen in chosen.into_iter().chain(lineup.choose(0)) {
            prop_assert_eq!((chosen.arm, chosen.reason, chosen.slot), (expected.arm, expected.reason, expected.slot));
            prop_assert_eq!(&chosen.callee.version, expected.version);
        }
        // And what is called conforms to what was decided.
        call(&view, &units, 0, Ending::Good);
        prop_assert_eq!(world.report().mismatches, 0);
    }
}

#[test]
fn a_candidate_gives_way_until_it_was_called_and_not_afterwards() {
    let mut world = World::new();
    let view = world.view(Some(candidate(ALL)));
    let units = user(1);
    let (told, called) = (Lineup::new(&view, &units), Lineup::new(&view, &units));
    let mut headers = http::HeaderMap::new();
    told.metadata(&mut headers);
    assert_eq!(headers["x-turnout-lineup"], "catalog=1.5.0;candidate");
    assert_eq!(called.choose(0).unwrap().arm, Arm::Candidate);
    world.down(TRIED);
    let chosen = told.choose(0).unwrap();
    assert_eq!((chosen.arm, chosen.reason), (Arm::Stable, Reason::Fallback));
    assert_eq!(called.choose(0).unwrap().arm, Arm::Candidate);
}

#[test]
fn stable_never_falls_to_the_candidate() {
    let mut world = World::new();
    world.down("1.4.0");
    let view = world.view(Some(candidate(1)));
    assert_eq!(pick(&view, &user(1)), (Arm::Stable, Reason::Stable));
    assert_eq!(pick(&view, &Units::default()), (Arm::Stable, Reason::NoUnit));
}

#[tokio::test(start_paused = true)]
async fn a_candidate_is_cold_until_it_was_there_for_a_minute() {
    let mut world = World::new();
    world.down(TRIED);
    let view = world.view(Some(candidate(ALL)));
    assert_eq!(pick(&view, &user(1)), (Arm::Stable, Reason::Fallback));
    world.up(TRIED, now());
    for _ in 0..6 {
        assert_eq!(pick(&view, &user(1)), (Arm::Stable, Reason::Cold));
        tokio::time::advance(Duration::from_secs(10)).await;
        // What is registered again and again is not younger for it.
        world.up(TRIED, now());
    }
    assert_eq!(pick(&view, &user(1)), (Arm::Candidate, Reason::Candidate));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_starts_anew_does_not_make_instances_cold() {
    let mut world = World::new();
    world.down(TRIED);
    world.up(TRIED, Timestamp(now().0 - 50_000));
    let view = world.view(Some(candidate(ALL)));
    assert_eq!(pick(&view, &user(1)).1, Reason::Cold);
    tokio::time::advance(Duration::from_secs(10)).await;
    assert_eq!(pick(&view, &user(1)).1, Reason::Candidate);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_runs_ahead_elsewhere_keeps_nobody_cold_for_longer() {
    let mut world = World::new();
    world.down(TRIED);
    world.up(TRIED, Timestamp(now().0 + 3_600_000));
    let view = world.view(Some(candidate(ALL)));
    assert_eq!(pick(&view, &user(1)).1, Reason::Cold);
    tokio::time::advance(Duration::from_secs(60)).await;
    assert_eq!(pick(&view, &user(1)).1, Reason::Candidate);
    world.trials.warm_up(Duration::from_secs(90));
    assert_eq!(pick(&view, &user(1)).1, Reason::Cold);
}

/// Beside the slot itself: printed, because machines differ, and bounded, because none is that slow.
#[test]
#[expect(clippy::disallowed_methods, reason = "it measures real time")]
fn what_a_lineup_costs_is_printed() {
    let world = World::new();
    let (none, tried) = (world.view(None), world.view(Some(candidate(ALL / 2))));
    let units: Vec<Units> = (0..1000).map(user).collect();
    let rounds = 200;
    let measure = |what: &str, view| {
        let began = std::time::Instant::now();
        for units in (0..rounds).flat_map(|_| &units) {
            let lineup = Lineup::new(view, units);
            std::hint::black_box(lineup.choose(0));
            if let Some(trial) = lineup.choose(0).unwrap().trial() {
                let chosen = &lineup.choose(0).unwrap();
                let took = Some(Duration::from_micros(300));
                let worker = crate::upstream::Worker(0);
                let method = super::world::METHOD;
                trial.count(&crate::lineup::Ended { worker, method, chosen, ending: Ending::Good, took });
            }
        }
        let cost = began.elapsed() / (rounds * 1000);
        println!("{what}: {} ns an operation of one call", cost.as_nanos());
        cost
    };
    measure("without a candidate", &none);
    assert!(measure("with a candidate", &tried) < Duration::from_micros(50));
    let unit: Unit = "user:1234567890".parse().unwrap();
    let began = std::time::Instant::now();
    for _ in 0..100_000 {
        std::hint::black_box(turnout_control::slot::Slot::of("catalog/1/1.5.0", std::hint::black_box(&unit)));
    }
    println!("a slot: {} ns", began.elapsed().as_nanos() / 100_000);
}
