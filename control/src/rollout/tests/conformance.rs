//! What conforms is what `Policy::choose` decides, and nothing else.

use std::collections::BTreeSet;

use super::super::*;
use crate::policy::{Arm, Candidate, Health, Policy, Reason};
use crate::slot::{Slot, Unit, UnitKind, Weight};

#[test]
fn every_decision_of_a_policy_conforms_and_its_opposite_does_not() {
    let unit = |number: u32| Unit::new(UnitKind::User, &number.to_string()).unwrap();
    let mut seen = BTreeSet::new();
    for (weight, cap) in
        [(0, 1_000_000), (300_000, 1_000_000), (300_000, 50_000), (300_000, 0), (1_000_000, 1_000_000)]
    {
        for (killed, health) in [
            (true, Health::Serves),
            (false, Health::Serves),
            (false, Health::FuseOpen),
            (false, Health::Cold),
            (false, Health::Away),
        ] {
            let candidate = Candidate {
                version: "2.4.0".parse().unwrap(),
                weight: Weight::ppm(weight).unwrap(),
                cap: Weight::ppm(cap).unwrap(),
                salt: "catalog/2/2.4.0".to_owned(),
                killed,
                allow: [unit(1), unit(2), unit(3)].into(),
                deny: [unit(4), unit(5), unit(6)].into(),
            };
            let policy =
                Policy::new("2.3.0".parse().unwrap(), Some(candidate.clone()), None, &|_| false).unwrap();
            for caller in (0..200).map(|number| (number > 0).then(|| unit(number))) {
                let choice = policy.choose(caller.as_ref(), &|_| health);
                let slot = caller.as_ref().map(|unit| Slot::of(&candidate.salt, unit));
                let (weight, cap) = (candidate.weight, candidate.cap);
                let routed = Routed { weight, cap, slot, arm: choice.arm, reason: choice.reason };
                assert!(conforms(&routed), "{routed:?}");
                seen.insert(choice.reason);
                let drawn = matches!(choice.reason, Reason::Candidate)
                    || (choice.reason == Reason::Stable && weight.min(cap) > Weight::NONE);
                assert_eq!(compared(&routed), drawn.then_some(choice.arm), "{routed:?}");
                let arm = if choice.arm == Arm::Stable { Arm::Candidate } else { Arm::Stable };
                assert!(!conforms(&Routed { arm, ..routed }), "{routed:?}");
            }
        }
    }
    assert_eq!(seen.len(), 9, "all reasons but an operator's override: {seen:?}");
}

#[test]
fn a_call_on_the_wrong_side_of_its_slot_is_found() {
    let slot = |below: u32| {
        let units = (0..).map(|number| Unit::new(UnitKind::User, &number.to_string()).unwrap());
        units.map(|unit| Slot::of("s", &unit)).find(|slot| (slot.number() < 100_000) == (below == 1))
    };
    let weight = Weight::ppm(100_000).unwrap();
    let routed = |slot, arm, reason| Routed { weight, cap: Weight::ALL, slot, arm, reason };
    for wrong in [
        routed(slot(0), Arm::Candidate, Reason::Candidate),
        routed(slot(1), Arm::Stable, Reason::Stable),
        routed(None, Arm::Candidate, Reason::Candidate),
        routed(None, Arm::Stable, Reason::Stable),
        routed(slot(1), Arm::Stable, Reason::NoUnit),
    ] {
        assert!(!conforms(&wrong), "{wrong:?}");
    }
    assert!(conforms(&routed(slot(0), Arm::Candidate, Reason::Override)));
}
