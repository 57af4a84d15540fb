//! Which version of a major of a service is stable, while nobody decides otherwise?
//!
//! The answer is a list of claims, the best first, because a version that cannot be read gives way to the
//! next. Only versions with known descriptors take part, and only those of one major: another major serves
//! those who were built for it. What is stable (the base) stays so until somebody who runs has a better
//! claim. A higher version is no reason: it is tried first (`rollout`), and becomes stable by what it proves.
//! Only where a pre-release is stable does a higher version take its place at once, because a pre-release
//! promises nothing to those before it.
//!
//! When the last instance of what is stable goes, a lower version that runs stands in at once: some answers
//! are better than none. It gives the place back as soon as the other runs again. A higher version must wait
//! until nobody has run what is stable for `VACANT_AFTER`, because a restart must not change the graph, and
//! never takes over while a rollout gives a candidate to anybody: stable does not fall to what is being
//! tried. Where nobody runs at all everything stays as it is. Nothing here knows of weights over time or pins.

use std::collections::BTreeSet;
use std::time::Duration;

use turnout_schema::Digest;

use crate::id::Version;
use crate::registry::{Registered, Service, Standing};
use crate::routes::Base;
use crate::slot::Weight;

/// How long nobody must have run what is stable until somebody takes over who was not proven. Longer than a
/// restart, and than instances without a goodbye are kept.
pub const VACANT_AFTER: Duration = Duration::from_secs(60);

/// A version that could be served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice<'a> {
    /// The version.
    pub version: &'a Version,
    /// Its descriptors.
    pub digest: Digest,
    /// Whether it has an instance that is not about to go.
    pub runs: bool,
}

/// Whether anybody runs what is stable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacancy {
    /// Somebody does, or did lately.
    Short,
    /// Nobody has for `VACANT_AFTER`.
    Long,
}

/// A version that may be stable, and why it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The version.
    pub choice: Choice<'a>,
    /// Why.
    pub way: Way,
}

/// Why a version may be stable, the strongest reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// It is higher, and a pre-release is stable.
    Outranks,
    /// Another one stood in for it, and it runs again.
    Returns,
    /// It is stable, and runs.
    Keeps,
    /// It is lower than what is stable, and nobody runs that.
    StandsIn,
    /// It is higher than what is stable, and nobody has run that for long.
    Overrides,
    /// It is stable, and nobody better runs.
    Lingers,
    /// Nothing is stable, or nothing better can be used.
    Remains,
}

/// What was decided about a major of a service, and what has become of it.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    /// What was decided.
    pub base: &'a Base,
    /// Whether anybody runs what is stable.
    pub vacancy: Vacancy,
    /// The versions that were rolled back: nobody gets them unless an operator says so.
    pub rolled_back: &'a BTreeSet<Version>,
}

/// The versions of a major that may be stable, the best first.
pub fn claims<'a>(service: &'a Service, major: u64, held: Option<Held<'_>>) -> Vec<Claim<'a>> {
    let choices = choices(service).into_iter().filter(|choice| choice.version.semver().major == major);
    let choices: Vec<Choice<'a>> = choices.collect();
    let runs = |version: &Version| choices.iter().any(|choice| choice.version == version && choice.runs);
    let claim = |choice: &Choice<'a>| {
        let way = match &held {
            None => Some(Way::Remains).filter(|_| choice.runs),
            Some(held) => way(choice, held, &runs),
        };
        way.map(|way| Claim { choice: *choice, way })
    };
    let mut claims: Vec<Claim<'a>> = choices.iter().filter_map(claim).collect();
    // Stable: inside a way, the order of choices.
    claims.sort_by_key(|claim| claim.way);
    claims
}

/// What is decided after a version was chosen by a claim. What is being tried stays, but for what is stable
/// now or higher than it no more.
pub fn after(before: Option<&Base>, version: &Version, way: Way) -> Base {
    let absent = before.and_then(|base| base.instead_of.as_ref());
    let above = absent.filter(|absent| *absent > version);
    let instead_of = match way {
        Way::Keeps | Way::Lingers => absent,
        Way::StandsIn | Way::Overrides => above.or(before.map(|base| &base.stable)),
        Way::Returns | Way::Outranks | Way::Remains => None,
    };
    let instead_of = instead_of.cloned();
    let mut base = before.cloned().unwrap_or_else(|| Base::new(version.clone()));
    base.stable = version.clone();
    base.instead_of = instead_of;
    base.candidate = base.candidate.filter(|tried| tried.version > *version);
    base
}

/// The majors of which a version has known descriptors, lowest first.
pub fn majors(service: &Service) -> BTreeSet<u64> {
    let described = service.versions.iter().filter(|(_, record)| record.digest.is_some());
    described.map(|(version, _)| version.semver().major).collect()
}

/// Whether somebody runs any version of a major.
pub fn runs_major(service: &Service, major: u64) -> bool {
    running(service).into_iter().any(|version| version.semver().major == major)
}

/// The versions that run and may be tried in the place of what is stable, lowest first. Pre-releases are not
/// tried where a release is stable.
pub fn newcomers<'a>(service: &'a Service, stable: &Version) -> Vec<Choice<'a>> {
    let major = stable.semver().major;
    let higher = |choice: &Choice<'_>| {
        choice.runs
            && choice.version > stable
            && choice.version.semver().major == major
            && choice.version.semver().pre.is_empty()
    };
    let mut newcomers: Vec<Choice<'a>> = choices(service).into_iter().filter(higher).collect();
    newcomers.sort_by_key(|choice| choice.version);
    newcomers
}

/// The versions with known descriptors, the one to serve first where nothing serves: releases before
/// pre-releases, those that somebody runs before those that nobody runs, then the higher one.
pub fn choices(service: &Service) -> Vec<Choice<'_>> {
    let running = running(service);
    let choice = |version, digest| Choice { version, digest, runs: running.contains(version) };
    let described =
        service.versions.iter().filter_map(|(version, record)| Some(choice(version, record.digest?)));
    let mut choices: Vec<Choice<'_>> = described.collect();
    choices.sort_by(|a, b| rank(b).cmp(&rank(a)));
    choices
}

/// The versions that callers may be given whose pins demand them, by rank: those that somebody runs, those that
/// nobody runs now, and, for who was built for nothing else, those that were rolled back.
pub fn demanded(service: &Service, rolled_back: &BTreeSet<Version>) -> [BTreeSet<Version>; 3] {
    let mut ranks = [const { BTreeSet::new() }; 3];
    for choice in choices(service) {
        let rank = if rolled_back.contains(choice.version) { 2 } else { usize::from(!choice.runs) };
        ranks[rank].insert(choice.version.clone());
    }
    ranks
}

/// The versions that run and whose descriptors nobody named, lowest first.
pub fn undescribed(service: &Service) -> impl Iterator<Item = &Version> {
    let running = running(service);
    let bare = service.versions.iter().filter(|(_, record)| record.digest.is_none());
    bare.map(|(version, _)| version).filter(move |version| running.contains(version))
}

/// `None`: it must not be given to those who get what is stable.
fn way(choice: &Choice<'_>, held: &Held<'_>, runs: &dyn Fn(&Version) -> bool) -> Option<Way> {
    let (new, old) = (choice.version, &held.base.stable);
    let holder_runs = runs(old);
    if new == old {
        return Some(if holder_runs { Way::Keeps } else { Way::Lingers });
    }
    let (released, was_released) = (new.semver().pre.is_empty(), old.semver().pre.is_empty());
    if !choice.runs || held.rolled_back.contains(new) || (was_released && !released) {
        return None;
    }
    if new < old {
        return Some(if holder_runs { Way::Remains } else { Way::StandsIn });
    }
    if held.base.instead_of.as_ref() == Some(new) {
        return Some(Way::Returns);
    }
    if !was_released {
        return Some(Way::Outranks);
    }
    let tries = held.base.candidate.as_ref().is_some_and(|tried| tried.weight > Weight::NONE);
    match held.vacancy {
        Vacancy::Long if !holder_runs && !tries => Some(Way::Overrides),
        Vacancy::Long | Vacancy::Short => None,
    }
}

/// The versions that have an instance which is not about to go.
fn running(service: &Service) -> BTreeSet<&Version> {
    let runs = service.instances.values().filter(|registered| runs(registered));
    runs.map(|registered| &registered.instance.version).collect()
}

/// Silence alone does not count as gone: a graph must not change because a heartbeat is late.
fn runs(registered: &Registered) -> bool {
    match registered.standing() {
        Standing::Up | Standing::Held | Standing::Suspect => true,
        Standing::Draining | Standing::Refused => false,
    }
}

/// Higher is better.
fn rank<'a>(choice: &Choice<'a>) -> (bool, bool, &'a Version) {
    (choice.version.semver().pre.is_empty(), choice.runs, choice.version)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::registry::tests::registered;
    use crate::registry::{Event, Intent, Presence, Snapshot, Why};
    use crate::routes::Tried;

    /// Versions that are given as `1.4.0` (runs), `1.4.0-` (nobody runs it), `1.4.0~` (drains), `1.4.0?`
    /// (silent) and `1.4.0!` (runs without descriptors).
    fn service(versions: &[&str]) -> Service {
        let mut snapshot = Snapshot::default();
        for (id, given) in versions.iter().enumerate() {
            let version = given.trim_end_matches(['-', '~', '?', '!']);
            let mut one = registered("shop", &format!("i{id}"), version);
            let instance = Arc::make_mut(&mut one.instance);
            match given.chars().last() {
                Some('~') => instance.intent = Intent::Draining,
                Some('!') => instance.schema = None,
                _ => {}
            }
            one.presence = if given.ends_with('?') { Presence::Silent } else { Presence::Here };
            let (service, id) = (one.instance.service.clone(), one.instance.id.clone());
            snapshot = snapshot.apply(&Event::Up(one));
            if given.ends_with('-') {
                snapshot = snapshot.apply(&Event::Down(service, id, Why::Expired));
            }
        }
        snapshot.services().next().map(|(_, service)| service.clone()).unwrap_or_default()
    }

    /// What was decided, given as `1.3.0`, `1.3.0 for 1.5.0`, or with ` trying 1.6.0` or ` holding 1.6.0` (at
    /// weight zero) behind it.
    fn decided(text: &str) -> Base {
        let tried = |version: &str, ppm| Tried {
            version: version.parse().unwrap(),
            weight: Weight::ppm(ppm).unwrap(),
            salt: "shop/1".to_owned(),
        };
        let (text, candidate) = match (text.split_once(" trying "), text.split_once(" holding ")) {
            (Some((text, version)), _) => (text, Some(tried(version, 10_000))),
            (None, Some((text, version))) => (text, Some(tried(version, 0))),
            (None, None) => (text, None),
        };
        let (version, instead_of) = text.split_once(" for ").map_or((text, None), |(a, b)| (a, Some(b)));
        let instead_of = instead_of.map(|version| version.parse().unwrap());
        Base { instead_of, candidate, ..Base::new(version.parse().unwrap()) }
    }

    fn written(base: &Base) -> String {
        let of = base.instead_of.as_ref().map_or_else(String::new, |of| format!(" for {of}"));
        let tried = base.candidate.as_ref().map_or_else(String::new, |of| format!(" with {}", of.version));
        format!("{}{of}{tried}", base.stable)
    }

    fn told(claims: &[Claim<'_>]) -> String {
        let names = claims.iter().map(|claim| format!("{:?} {}", claim.way, claim.choice.version));
        names.collect::<Vec<_>>().join(", ")
    }

    fn held<'a>(base: &'a Base, vacancy: Vacancy, rolled_back: &'a BTreeSet<Version>) -> Held<'a> {
        Held { base, vacancy, rolled_back }
    }

    #[test]
    fn where_nothing_is_stable_the_highest_of_the_major_that_runs_comes_first() {
        for (registered, expected) in [
            (&[][..], ""),
            (&["1.4.0"], "1.4.0"),
            (&["1.4.0", "1.10.0", "1.9.0"], "1.10.0 1.9.0 1.4.0"),
            (&["1.4.0", "2.0.0"], "1.4.0"),
            (&["1.4.0", "1.5.0-"], "1.4.0"),
            (&["1.4.0", "1.5.0~"], "1.4.0"),
            (&["1.4.0", "1.5.0?"], "1.5.0 1.4.0"),
            // Nobody runs anything, so nothing is decided.
            (&["1.4.0-", "1.5.0-"], ""),
            // Versions without descriptors take no part.
            (&["1.4.0", "1.5.0!"], "1.4.0"),
            // Pre-releases only if nothing else runs.
            (&["1.4.0", "1.5.0-rc.1"], "1.4.0 1.5.0-rc.1"),
            (&["1.4.0-", "1.5.0-rc.1"], "1.5.0-rc.1"),
            (&["1.0.0-rc.2", "1.0.0-rc.10"], "1.0.0-rc.10 1.0.0-rc.2"),
        ] {
            let service = service(registered);
            let claims = claims(&service, 1, None);
            let names: Vec<String> = claims.iter().map(|claim| claim.choice.version.to_string()).collect();
            assert_eq!(names.join(" "), expected, "{registered:?}");
            assert!(claims.iter().all(|claim| claim.way == Way::Remains));
        }
    }

    #[test]
    fn what_is_stable_gives_way_only_to_a_better_claim() {
        use Vacancy::{Long, Short};
        for (registered, base, vacancy, expected) in [
            // A higher version that runs is tried, and is no reason.
            (&["1.4.0", "1.5.0"][..], "1.4.0", Short, "Keeps 1.4.0"),
            (&["1.4.0", "1.5.0"], "1.4.0 trying 1.5.0", Short, "Keeps 1.4.0"),
            (&["1.4.0", "1.5.0"], "1.5.0", Short, "Keeps 1.5.0, Remains 1.4.0"),
            (&["1.4.0", "2.0.0"], "1.4.0", Short, "Keeps 1.4.0"),
            // Nobody runs what is stable.
            (&["1.4.0", "1.5.0-"], "1.5.0", Short, "StandsIn 1.4.0, Lingers 1.5.0"),
            (&["1.4.0", "1.5.0-", "1.6.0"], "1.5.0 trying 1.6.0", Long, "StandsIn 1.4.0, Lingers 1.5.0"),
            (&["1.4.0", "1.5.0-"], "1.4.0 for 1.5.0", Long, "Keeps 1.4.0"),
            (&["1.4.0", "1.5.0"], "1.4.0 for 1.5.0", Short, "Returns 1.5.0, Keeps 1.4.0"),
            (&["1.4.0-", "1.5.0"], "1.4.0", Short, "Lingers 1.4.0"),
            (&["1.4.0-", "1.5.0"], "1.4.0", Long, "Overrides 1.5.0, Lingers 1.4.0"),
            // What is being tried never takes over, and what a rollout only holds may.
            (&["1.4.0-", "1.5.0"], "1.4.0 trying 1.5.0", Long, "Lingers 1.4.0"),
            (&["1.4.0-", "1.5.0", "1.6.0"], "1.4.0 trying 1.5.0", Long, "Lingers 1.4.0"),
            (&["1.4.0-", "1.5.0"], "1.4.0 holding 1.5.0", Long, "Overrides 1.5.0, Lingers 1.4.0"),
            // Another major takes over nothing.
            (&["1.4.0-", "2.0.0"], "1.4.0", Long, "Lingers 1.4.0"),
            // What was left behind does not come back.
            (&["1.4.0", "1.5.0"], "1.5.0 for 1.4.0", Short, "Keeps 1.5.0, Remains 1.4.0"),
            // Pre-releases promise nothing, and displace no release.
            (&["1.4.0-rc.1", "1.4.0"], "1.4.0-rc.1", Short, "Outranks 1.4.0, Keeps 1.4.0-rc.1"),
            (&["1.4.0-", "1.5.0-rc.1"], "1.4.0", Long, "Lingers 1.4.0"),
            (&["1.0.0-rc.1", "1.0.0-rc.2"], "1.0.0-rc.1", Short, "Outranks 1.0.0-rc.2, Keeps 1.0.0-rc.1"),
            // What is not known here is what nobody runs.
            (&["1.4.0"], "1.5.0", Short, "StandsIn 1.4.0"),
            (&["1.6.0"], "1.5.0", Short, ""),
            (&["1.6.0"], "1.5.0", Long, "Overrides 1.6.0"),
        ] {
            let (service, base) = (service(registered), decided(base));
            let claims = claims(&service, 1, Some(held(&base, vacancy, &BTreeSet::new())));
            assert_eq!(told(&claims), expected, "{registered:?} {}", written(&base));
        }
    }

    #[test]
    fn what_was_rolled_back_neither_takes_over_nor_stands_in() {
        let rolled_back = BTreeSet::from(["1.5.0".parse().unwrap()]);
        for (registered, base, expected) in [
            (&["1.4.0-", "1.5.0"][..], "1.4.0", "Lingers 1.4.0"),
            (&["1.4.0", "1.5.0", "1.6.0-"], "1.6.0", "StandsIn 1.4.0, Lingers 1.6.0"),
            // An operator said so.
            (&["1.4.0", "1.5.0"], "1.5.0", "Keeps 1.5.0, Remains 1.4.0"),
        ] {
            let (service, base) = (service(registered), decided(base));
            let claims = claims(&service, 1, Some(held(&base, Vacancy::Long, &rolled_back)));
            assert_eq!(told(&claims), expected, "{registered:?}");
        }
    }

    #[test]
    fn a_decision_remembers_whose_place_was_taken_and_what_is_tried() {
        for (before, version, way, expected) in [
            ("1.5.0", "1.4.0", Way::StandsIn, "1.4.0 for 1.5.0"),
            ("1.4.0 for 1.5.0", "1.3.0", Way::StandsIn, "1.3.0 for 1.5.0"),
            ("1.4.0 for 1.5.0", "1.5.0", Way::Returns, "1.5.0"),
            ("1.4.0 for 1.5.0 trying 1.6.0", "1.5.0", Way::Returns, "1.5.0 with 1.6.0"),
            ("1.4.0", "1.5.0", Way::Overrides, "1.5.0 for 1.4.0"),
            ("1.4.0 holding 1.5.0", "1.5.0", Way::Overrides, "1.5.0 for 1.4.0"),
            ("1.5.0 for 1.4.0", "1.5.0", Way::Keeps, "1.5.0 for 1.4.0"),
            ("1.4.0 trying 1.5.0", "1.4.0", Way::Lingers, "1.4.0 with 1.5.0"),
        ] {
            let base = after(Some(&decided(before)), &version.parse().unwrap(), way);
            assert_eq!(written(&base), expected, "{before} {version} {way:?}");
        }
        assert_eq!(written(&after(None, &"1.0.0".parse().unwrap(), Way::Remains)), "1.0.0");
    }

    /// Whatever runs, one look after the other comes to rest: a choice by the best claim is kept by the next.
    #[test]
    fn choices_come_to_rest() {
        let versions = ["1.3.0", "1.4.0", "1.5.0-rc.1", "1.5.0", "1.6.0-rc.1", "1.6.0"];
        let nothing = BTreeSet::new();
        for running in 0..1 << versions.len() {
            let given: Vec<String> = versions
                .iter()
                .enumerate()
                .map(|(at, version)| format!("{version}{}", if running >> at & 1 == 1 { "" } else { "-" }))
                .collect();
            let service = service(&given.iter().map(String::as_str).collect::<Vec<_>>());
            for first in versions {
                for vacancy in [Vacancy::Short, Vacancy::Long] {
                    let mut base = decided(first);
                    for _ in 0..4 {
                        let best = claims(&service, 1, Some(held(&base, vacancy, &nothing)))[0];
                        base = after(Some(&base), best.choice.version, best.way);
                    }
                    let best = claims(&service, 1, Some(held(&base, vacancy, &nothing)))[0];
                    assert!(matches!(best.way, Way::Keeps | Way::Lingers), "{given:?} {first} {base:?}");
                }
            }
        }
    }

    #[test]
    fn who_may_be_tried_runs_and_is_a_higher_release_of_the_major() {
        let service = service(&["1.3.0", "1.4.0", "1.6.0", "1.5.0", "1.7.0-", "1.8.0-rc.1", "2.0.0"]);
        let told = |stable: &str| -> Vec<String> {
            let stable = stable.parse().unwrap();
            newcomers(&service, &stable).iter().map(|choice| choice.version.to_string()).collect()
        };
        assert_eq!(told("1.4.0"), ["1.5.0", "1.6.0"]);
        assert!(told("2.0.0").is_empty());
        assert_eq!(majors(&service), [1, 2].into());
        assert!(runs_major(&service, 2) && !runs_major(&service, 3));
    }

    #[test]
    fn a_version_that_runs_without_descriptors_is_named() {
        let mut bare = registered("shop", "a", "1.4.0");
        Arc::make_mut(&mut bare.instance).schema = None;
        let up = Snapshot::default()
            .apply(&Event::Up(bare.clone()))
            .apply(&Event::Up(registered("shop", "b", "1.3.0")));
        let named = |snapshot: &Snapshot| -> Vec<String> {
            snapshot
                .services()
                .flat_map(|(_, service)| undescribed(service))
                .map(Version::to_string)
                .collect()
        };
        assert_eq!(named(&up), ["1.4.0"]);
        let gone =
            up.apply(&Event::Down(bare.instance.service.clone(), bare.instance.id.clone(), Why::Expired));
        assert!(named(&gone).is_empty());
    }
}
