//! Who would move: which share of a frontend's callers changes version when a policy changes.
//!
//! Slots are spread evenly, so a share of units is a range of slots. Two policies of one lineage have the same
//! units in front, and only those between both weights move; of two lineages the first units are other ones, so
//! that shares multiply. Units on lists are not in the shares, and neither are callers without identity, who
//! get the stable version.

use std::collections::BTreeMap;

use crate::id::Version;
use crate::policy::Policy;
use crate::slot::{SLOTS, Weight};

/// A share of callers that would get another version.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    /// What they get now; `None`: nothing.
    pub from: Option<Version>,
    /// What they would get; `None`: nothing.
    pub to: Option<Version>,
    /// How many they are.
    pub share: Weight,
}

/// Who would move between two policies of one frontend and service; `None`: it gets nothing of the service.
pub fn moves(before: Option<&Policy>, after: Option<&Policy>) -> Vec<Move> {
    let (old, new) = (Split::of(before), Split::of(after));
    let both = if old.salt == new.salt {
        old.weight.min(new.weight)
    } else {
        // Whoever is in front in one lineage is anywhere in the other.
        let product = u64::from(old.weight) * u64::from(new.weight);
        u32::try_from((product + u64::from(SLOTS) / 2) / u64::from(SLOTS)).unwrap_or(SLOTS)
    };
    let (leave, join) = (old.weight - both, new.weight - both);
    let cells = [
        (old.candidate, new.candidate, both),
        (old.candidate, new.stable, leave),
        (old.stable, new.candidate, join),
        (old.stable, new.stable, SLOTS - both - leave - join),
    ];
    let mut shares = BTreeMap::new();
    for (from, to, share) in cells {
        if from != to && share > 0 {
            *shares.entry((from, to)).or_insert(0) += share;
        }
    }
    let moved = |((from, to), share): ((Option<&Version>, Option<&Version>), u32)| Move {
        from: from.cloned(),
        to: to.cloned(),
        share: Weight::ppm(share).unwrap_or(Weight::ALL),
    };
    shares.into_iter().map(moved).collect()
}

/// The share of units that a policy gives its candidate.
pub fn taken(policy: &Policy) -> Weight {
    let effective = policy.candidate().filter(|candidate| !candidate.killed);
    effective.map_or(Weight::NONE, |candidate| candidate.weight.min(candidate.cap))
}

/// A policy as ranges of slots.
struct Split<'a> {
    stable: Option<&'a Version>,
    candidate: Option<&'a Version>,
    weight: u32,
    salt: Option<&'a str>,
}

impl<'a> Split<'a> {
    fn of(policy: Option<&'a Policy>) -> Split<'a> {
        let stable = policy.map(Policy::stable);
        let tried = policy.and_then(Policy::candidate);
        Split {
            stable,
            candidate: tried.map_or(stable, |tried| Some(&tried.version)),
            weight: policy.map_or(Weight::NONE, taken).as_ppm(),
            salt: tried.map(|tried| tried.salt.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Candidate, Health};
    use crate::slot::{Unit, UnitKind};

    fn policy(stable: &str, candidate: Option<(&str, u32, &str)>) -> Policy {
        let candidate = candidate.map(|(version, ppm, salt)| Candidate {
            version: version.parse().unwrap(),
            weight: Weight::ppm(ppm).unwrap(),
            cap: Weight::ALL,
            salt: salt.to_owned(),
            killed: false,
            allow: [].into(),
            deny: [].into(),
        });
        Policy::new(stable.parse().unwrap(), candidate, None, &|_| false).unwrap()
    }

    fn told(before: Option<&Policy>, after: Option<&Policy>) -> String {
        let name = |version: &Option<Version>| version.as_ref().map_or("-".to_owned(), ToString::to_string);
        let one = |one: &Move| format!("{} -> {}: {}", name(&one.from), name(&one.to), one.share);
        moves(before, after).iter().map(one).collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn only_those_between_two_weights_of_one_lineage_move() {
        let at = |ppm| policy("1.4.0", Some(("1.5.0", ppm, "catalog/1/1.5.0")));
        for (before, after, expected) in [
            (at(10_000), at(50_000), "1.4.0 -> 1.5.0: 4 %"),
            (at(50_000), at(10_000), "1.5.0 -> 1.4.0: 4 %"),
            (at(50_000), at(50_000), ""),
            (policy("1.4.0", None), at(50_000), "1.4.0 -> 1.5.0: 5 %"),
            (at(50_000), policy("1.5.0", None), "1.4.0 -> 1.5.0: 95 %"),
            (at(50_000), policy("1.4.0", None), "1.5.0 -> 1.4.0: 5 %"),
            (
                at(200_000),
                policy("1.4.0", Some(("1.6.0", 200_000, "catalog/1/1.5.0"))),
                "1.5.0 -> 1.6.0: 20 %",
            ),
            (
                at(200_000),
                policy("1.4.0", Some(("1.6.0", 200_000, "catalog/1/1.6.0"))),
                "1.4.0 -> 1.6.0: 16 %, 1.5.0 -> 1.4.0: 16 %, 1.5.0 -> 1.6.0: 4 %",
            ),
        ] {
            assert_eq!(told(Some(&before), Some(&after)), expected);
        }
        assert_eq!(told(None, Some(&at(50_000))), "- -> 1.4.0: 95 %, - -> 1.5.0: 5 %");
        assert_eq!(told(Some(&policy("1.4.0", None)), None), "1.4.0 -> -: 100 %");
    }

    #[test]
    fn the_shares_are_those_of_real_units() {
        let before = policy("1.4.0", Some(("1.5.0", 300_000, "a")));
        for after in [
            policy("1.4.0", Some(("1.5.0", 120_000, "a"))),
            policy("1.5.0", Some(("1.6.0", 250_000, "a"))),
            policy("1.4.0", Some(("1.6.0", 250_000, "b"))),
        ] {
            let mut counted: BTreeMap<(Option<Version>, Option<Version>), u32> = BTreeMap::new();
            for id in 0..40_000 {
                let unit = Unit::new(UnitKind::User, &id.to_string()).unwrap();
                let get =
                    |policy: &Policy| Some(policy.choose(Some(&unit), &|_| Health::Serves).version.clone());
                *counted.entry((get(&before), get(&after))).or_default() += 1;
            }
            counted.retain(|(from, to), _| from != to);
            let expected = moves(Some(&before), Some(&after));
            assert_eq!(counted.len(), expected.len());
            for Move { from, to, share } in expected {
                let seen = counted[&(from, to)] * 25;
                assert!(seen.abs_diff(share.as_ppm()) < 10_000, "{seen} {share}");
            }
        }
    }
}
