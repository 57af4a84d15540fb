//! What differs between two states of a policy, and the edit that leads from the later one back.
//!
//! Both kinds of policy are compared as what one frontend's policy holds, of which one for everyone has the
//! stable version always and the cap never. The lineage of a candidate that was taken away does not come back:
//! it is the usual one again.

use std::collections::BTreeSet;

use super::edit::{Edit, Start};
use super::{Base, Own, Tried};
use crate::slot::{Unit, Weight};

/// A policy for everyone, as what one of a frontend holds.
pub fn of_base(base: &Base) -> Own {
    Own {
        stable: Some(base.stable.clone()),
        candidate: base.candidate.clone(),
        cap: None,
        killed: base.killed,
        allow: base.allow.clone(),
        deny: base.deny.clone(),
    }
}

/// The edit that takes a change back. Of a policy for everyone that was not there before, all but the stable
/// version is taken back.
pub fn inverse(before: &Own, after: &Own) -> Edit {
    let appeared = (before.candidate.is_none() && after.candidate.is_some())
        || (before.cap.is_none() && after.cap.is_some())
        || (before.stable.is_none() && after.stable.is_some());
    // What appeared has no other way to go.
    let (start, base) = if appeared { (Start::Clear, Own::default()) } else { (Start::Now, after.clone()) };
    let less = |one: &BTreeSet<Unit>, other: &BTreeSet<Unit>| one.difference(other).cloned().collect();
    let version = |own: &Own| own.candidate.as_ref().map(|tried| tried.version.clone());
    let weight = |own: &Own| own.candidate.as_ref().map(|tried| tried.weight);
    let candidate = version(before).filter(|was| version(&base).as_ref() != Some(was));
    Edit {
        start,
        stable: before.stable.clone().filter(|was| base.stable.as_ref() != Some(was)),
        weight: weight(before).filter(|was| candidate.is_some() || weight(&base) != Some(*was)),
        candidate,
        cap: before.cap.filter(|was| base.cap != Some(*was)),
        killed: (before.killed != base.killed).then_some(before.killed),
        allow: less(&before.allow, &base.allow),
        deny: less(&before.deny, &base.deny),
        no_allow: less(&base.allow, &before.allow),
        no_deny: less(&base.deny, &before.deny),
    }
}

/// What differs, a sentence each; nothing when they are the same.
pub fn differences(before: &Own, after: &Own) -> Vec<String> {
    let mut found = Vec::new();
    let mut compare = |what: &str, was: String, is: String| {
        if was != is {
            found.push(format!("{what} was {was}, is {is}"));
        }
    };
    let none = || "none".to_owned();
    let version = |own: &Own| own.stable.as_ref().map_or_else(none, ToString::to_string);
    let tried = |own: &Own| own.candidate.as_ref().map_or_else(none, at);
    let cap = |own: &Own| own.cap.map_or_else(none, |cap: Weight| cap.to_string());
    let killed = |own: &Own| if own.killed { "off" } else { "on" }.to_owned();
    compare("stable", version(before), version(after));
    compare("candidate", tried(before), tried(after));
    compare("cap", cap(before), cap(after));
    compare("the switch of candidates", killed(before), killed(after));
    compare("allow", list(&before.allow), list(&after.allow));
    compare("deny", list(&before.deny), list(&after.deny));
    found
}

fn at(tried: &Tried) -> String {
    format!("{} at {}", tried.version, tried.weight)
}

fn list(units: &BTreeSet<Unit>) -> String {
    let units: Vec<String> = units.iter().map(ToString::to_string).collect();
    if units.is_empty() { "nobody".to_owned() } else { units.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::{ServiceName, Version};
    use crate::routes::edit::{self, Known, Setting, edit};
    use crate::routes::{Place, Policies, Scope};

    const VERSIONS: [&str; 3] = ["1.5.0", "1.6.0", "1.7.0"];

    /// The edit that has this number: every choice of what it names is among them.
    fn numbered(number: usize) -> Edit {
        let has = |bit: usize| number >> bit & 1 == 1;
        let version = |at: usize| -> Version { VERSIONS[at % 3].parse().unwrap() };
        let units = |yes: bool| -> BTreeSet<Unit> {
            if yes { ["user:1".parse().unwrap()].into() } else { BTreeSet::new() }
        };
        Edit {
            start: if has(0) { Start::Clear } else { Start::Now },
            candidate: has(1).then(|| version(number >> 6)),
            weight: has(2).then(|| Weight::ppm(u32::try_from(number).unwrap() * 100).unwrap()),
            killed: has(3).then_some(has(4)),
            allow: units(has(5) && !has(4)),
            no_allow: units(has(5) && has(4)),
            stable: number.is_multiple_of(7).then(|| version(number >> 3)),
            ..Edit::default()
        }
    }

    #[test]
    fn what_was_done_is_taken_back() {
        let service: ServiceName = "catalog".parse().unwrap();
        let place = Place { scope: Scope::Everyone, service: service.clone(), major: 1 };
        let known =
            ["1.4.0", "1.5.0", "1.6.0", "1.7.0"].map(|text| (text.parse().unwrap(), Known::Described));
        let known = known.into();
        let mut policies = Policies::default();
        let first = Base::new("1.4.0".parse().unwrap());
        policies.bases.entry(service.clone()).or_default().insert(1, first);
        let mut done = 0;
        for number in 0..2_000 {
            let setting =
                |policies| Setting { place: &place, frontend: None, policies, known: &known, rollout: None };
            let Ok(edited) = edit(&setting(&policies), &numbered(number % 512)) else { continue };
            let [before, after] =
                [&policies, &edited.policies].map(|all| of_base(all.base(&service, 1).unwrap()));
            if before != after {
                let back = edit(&setting(&edited.policies), &inverse(&before, &after)).unwrap();
                let mut back = of_base(back.policies.base(&service, 1).unwrap());
                // A lineage that was taken away is the usual one afterwards.
                if let (Some(back), Some(before)) = (&mut back.candidate, &before.candidate) {
                    assert!(
                        back.salt == before.salt || back.salt == edit::lineage(&service, 1, &back.version)
                    );
                    back.salt = before.salt.clone();
                }
                assert_eq!(back, before, "{number}");
                assert!(!differences(&before, &after).is_empty());
                done += 1;
            }
            policies = edited.policies;
            if number.is_multiple_of(97) {
                let first = Base::new("1.4.0".parse().unwrap());
                policies.bases.entry(service.clone()).or_default().insert(1, first);
            }
        }
        assert!(done > 100, "{done}");
    }

    #[test]
    fn differences_are_told_in_words() {
        let tried = |ppm| Tried {
            version: "1.5.0".parse().unwrap(),
            weight: Weight::ppm(ppm).unwrap(),
            salt: "catalog/1/1.5.0".to_owned(),
        };
        let before = Own { candidate: Some(tried(10_000)), ..Own::default() };
        let after = Own {
            candidate: Some(tried(50_000)),
            killed: true,
            deny: ["user:1".parse().unwrap()].into(),
            ..Own::default()
        };
        assert_eq!(
            differences(&before, &after),
            [
                "candidate was 1.5.0 at 1 %, is 1.5.0 at 5 %",
                "the switch of candidates was on, is off",
                "deny was nobody, is user:1",
            ]
        );
    }
}
