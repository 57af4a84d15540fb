//! When would a unit get the other version? What explains a choice to a person.
//!
//! A unit's slot is fixed, so the weight at which it gets the candidate is known beforehand, and with the steps
//! of a rollout the step too. What an operator decides later is not.

use crate::policy::Policy;
use crate::slot::{SLOTS, Slot, Unit, Weight};

/// What would have to happen for a unit to get the other version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// Nothing is being tried, so a new version would have to come.
    Untried,
    /// It has no identity to stick to, and stays with the stable version until the candidate is promoted.
    NoUnit,
    /// It is on the list of those who never get a candidate, and stays until that is promoted.
    Denied,
    /// It is on the list of those who get the candidate at any weight above zero.
    Allowed,
    /// The candidate is switched off; otherwise this weight would be the one.
    Killed(Weight),
    /// It gets the candidate, and would until the weight were below this one.
    Leaves(Weight),
    /// It would get the candidate at this weight; the step that has it, counted from 0, if one has.
    Joins(Weight, Option<usize>),
    /// The same, but the frontend's cap lies below, so it stays with the stable version until the candidate is
    /// promoted.
    Capped(Weight),
}

/// What would have to happen. `steps` are the weights of the rollout, in their order; none without one.
pub fn turn(policy: &Policy, unit: Option<&Unit>, steps: &[Weight]) -> Turn {
    let (Some(candidate), unit) = (policy.candidate(), unit) else { return Turn::Untried };
    let Some(unit) = unit else { return Turn::NoUnit };
    if candidate.deny.contains(unit) {
        return Turn::Denied;
    }
    let needed = least(Slot::of(&candidate.salt, unit));
    if candidate.killed {
        return Turn::Killed(needed);
    }
    if candidate.allow.contains(unit) {
        return Turn::Allowed;
    }
    if candidate.cap < needed {
        return Turn::Capped(needed);
    }
    if candidate.weight >= needed {
        return Turn::Leaves(needed);
    }
    Turn::Joins(needed, steps.iter().position(|step| *step >= needed))
}

/// The least weight that takes a slot.
pub fn least(slot: Slot) -> Weight {
    Weight::ppm((slot.number() + 1).min(SLOTS)).unwrap_or(Weight::ALL)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Arm, Candidate, Health};

    fn candidate(weight: Weight) -> Candidate {
        Candidate {
            version: "1.5.0".parse().unwrap(),
            weight,
            cap: Weight::ALL,
            salt: "catalog/1/1.5.0".to_owned(),
            killed: false,
            allow: [].into(),
            deny: [].into(),
        }
    }

    fn policy(candidate: Candidate) -> Policy {
        Policy::new("1.4.0".parse().unwrap(), Some(candidate), None, &|_| false).unwrap()
    }

    #[test]
    fn the_weight_that_is_told_is_the_one_at_which_the_unit_turns() {
        for id in 0..500 {
            let unit: Unit = format!("user:{id}").parse().unwrap();
            let Turn::Joins(needed, _) = turn(&policy(candidate(Weight::NONE)), Some(&unit), &[]) else {
                panic!("nobody has the candidate at 0 %")
            };
            let arm = |ppm| {
                let policy = policy(candidate(Weight::ppm(ppm).unwrap()));
                policy.choose(Some(&unit), &|_| Health::Serves).arm
            };
            assert_eq!(arm(needed.as_ppm()), Arm::Candidate);
            assert_eq!(arm(needed.as_ppm() - 1), Arm::Stable);
            let now = turn(&policy(candidate(Weight::ALL)), Some(&unit), &[]);
            assert_eq!(now, Turn::Leaves(needed));
        }
    }

    #[test]
    fn what_stands_in_the_way_is_told() {
        let unit: Unit = "user:42".parse().unwrap();
        let needed = least(Slot::of("catalog/1/1.5.0", &unit));
        let steps: Vec<Weight> =
            [10_000, 50_000, 500_000, 1_000_000].map(|ppm| Weight::ppm(ppm).unwrap()).into();
        let step = steps.iter().position(|step| *step >= needed);
        let none = candidate(Weight::NONE);
        let listed: std::collections::BTreeSet<Unit> = [unit.clone()].into();
        for (candidate, expected) in [
            (none.clone(), Turn::Joins(needed, step)),
            (Candidate { cap: Weight::NONE, ..none.clone() }, Turn::Capped(needed)),
            (Candidate { killed: true, ..none.clone() }, Turn::Killed(needed)),
            (Candidate { deny: listed.clone(), ..none.clone() }, Turn::Denied),
            (Candidate { allow: listed, ..none.clone() }, Turn::Allowed),
        ] {
            assert_eq!(turn(&policy(candidate), Some(&unit), &steps), expected);
        }
        assert_eq!(turn(&policy(none), None, &steps), Turn::NoUnit);
        let untried = Policy::new("1.4.0".parse().unwrap(), None, None, &|_| false).unwrap();
        assert_eq!(turn(&untried, Some(&unit), &steps), Turn::Untried);
    }
}
