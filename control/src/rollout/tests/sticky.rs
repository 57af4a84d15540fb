//! Who gets a candidate while weights move, by the numbers of the design's acceptance scenarios.

use std::collections::BTreeSet;

use crate::policy::{Arm, Candidate, Choice, Health, Policy, Reason};
use crate::slot::{Slot, Unit, UnitKind, Weight};

fn unit(number: u32) -> Unit {
    Unit::new(UnitKind::User, &number.to_string()).unwrap()
}

fn policy(percent: u32, cap: Weight, salt: &str) -> Policy {
    let candidate = Candidate {
        version: "2.4.0".parse().unwrap(),
        weight: Weight::ppm(percent * 10_000).unwrap(),
        cap,
        salt: salt.to_owned(),
        killed: false,
        allow: BTreeSet::new(),
        deny: BTreeSet::new(),
    };
    Policy::new("2.3.0".parse().unwrap(), Some(candidate), None, &|_| false).unwrap()
}

fn choose<'a>(policy: &'a Policy, unit: &Unit) -> Choice<'a> {
    policy.choose(Some(unit), &|_| Health::Serves)
}

#[test]
fn scenario_01_of_a_hundred_thousand_users_none_leaves_when_the_weight_rises() {
    let units: Vec<Unit> = (0..100_000).map(unit).collect();
    let at = |percent: u32| -> Vec<bool> {
        let policy = policy(percent, Weight::ALL, "catalog/2/2.4.0");
        units.iter().map(|unit| choose(&policy, unit).arm == Arm::Candidate).collect()
    };
    let weights = [1, 5, 20, 50, 100, 20, 50];
    let sets: Vec<Vec<bool>> = weights.iter().map(|percent| at(*percent)).collect();
    for (weights, sets) in weights.windows(2).zip(sets.windows(2)) {
        let moved = sets[0].iter().zip(&sets[1]).filter(|(before, after)| {
            if weights[0] < weights[1] { **before && !**after } else { !**before && **after }
        });
        assert_eq!(moved.count(), 0, "{weights:?}");
    }
    assert!(sets[3] == sets[6] && sets[2] == sets[5], "the same weight is the same users");
    assert!(sets[4].iter().all(|tried| *tried));
}

#[test]
fn scenario_01_of_two_million_units_none_moves_back_when_the_weight_rises() {
    const UNITS: u32 = 2_000_000;
    let weights = [10_000, 50_000, 200_000, 500_000, 1_000_000].map(|ppm| Weight::ppm(ppm).unwrap());
    let mut taken = [0_u32; 5];
    let mut count = |slots: Vec<Slot>| {
        for slot in slots {
            let takes = weights.map(|weight| weight.takes(slot));
            assert!(takes.is_sorted(), "{slot:?}: {takes:?}");
            taken.iter_mut().zip(takes).for_each(|(taken, takes)| *taken += u32::from(takes));
        }
    };
    // Two threads, because so many hashes are seconds' work.
    let slots = |half: std::ops::Range<u32>| {
        move || half.map(|number| Slot::of("catalog/2/2.4.0", &unit(number))).collect::<Vec<Slot>>()
    };
    std::thread::scope(|scope| {
        let upper = scope.spawn(slots(UNITS / 2..UNITS));
        count(slots(0..UNITS / 2)());
        count(upper.join().unwrap());
    });
    for (weight, taken) in weights.iter().zip(taken) {
        let expected = f64::from(weight.as_ppm()) / 1e6 * f64::from(UNITS);
        assert!((f64::from(taken) - expected).abs() <= 4.0 * expected.sqrt(), "{weight:?}: {taken}");
    }
}

#[test]
fn scenario_02_any_replica_decides_the_same_after_any_restart() {
    for number in 0..2_000 {
        let unit = unit(number);
        let decided = |_| {
            // Each has read the policy for itself.
            let policy = policy(20, Weight::ALL, "catalog/2/2.4.0");
            let choice = choose(&policy, &unit);
            (choice.arm, choice.reason, choice.version.to_string())
        };
        let first = decided(0);
        assert!((1..5).map(decided).all(|other| other == first));
    }
}

#[test]
fn scenario_03_the_next_minor_begins_with_others() {
    let units: Vec<Unit> = (0..100_000).map(unit).collect();
    let first = |salt: &str| -> BTreeSet<u32> {
        let policy = policy(10, Weight::ALL, salt);
        (0..)
            .zip(&units)
            .filter(|(_, unit)| choose(&policy, unit).arm == Arm::Candidate)
            .map(|(at, _)| at)
            .collect()
    };
    let (minor, next, other) = (first("catalog/2/2.4.0"), first("catalog/2/2.5.0"), first("orders/2/2.4.0"));
    for (what, one) in [("the next minor", &next), ("another service", &other)] {
        let both = minor.intersection(one).count();
        assert!((900..=1_100).contains(&both), "{what}: {both}");
    }
}

#[test]
fn scenario_04_a_frontends_cap_of_nothing_keeps_its_callers_away() {
    let (open, closed) = (policy(30, Weight::ALL, "s"), policy(30, Weight::NONE, "s"));
    let tried = |policy: &Policy| {
        (0..100_000).filter(|number| choose(policy, &unit(*number)).arm == Arm::Candidate).count()
    };
    assert_eq!(tried(&closed), 0);
    assert!((29_000..=31_000).contains(&tried(&open)), "{}", tried(&open));
    let half = policy(30, Weight::ppm(150_000).unwrap(), "s");
    for number in 0..1_000 {
        let unit = unit(number);
        // Whoever has it under the cap has it without.
        assert!(
            choose(&half, &unit).reason != Reason::Candidate
                || choose(&open, &unit).reason == Reason::Candidate
        );
    }
}
