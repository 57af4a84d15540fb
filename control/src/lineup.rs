//! Which version of a service is served to a caller about whom nothing else was decided?
//!
//! The answer is a list of claims, the best first, because a version that cannot be read, composed or
//! accepted gives way to the next. Only versions with known descriptors take part. What serves (the seat)
//! goes on serving until somebody who runs has a better claim: a higher major or a release after a
//! pre-release, which promise nothing to those before them, or a higher version of the same major, which the
//! gate must find able to stand in. So a version that nobody runs displaces nobody, whatever its number.
//!
//! When the last instance of what serves goes, a lower version of its major that runs stands in at once:
//! some answers are better than none. It gives the seat back as soon as the other runs again. Whoever else
//! runs, a version that the gate refuses or a lower major, must wait until nobody has run what serves for
//! `VACANT_AFTER`, because a restart must not change the graph. Where nobody runs at all the graph stays as it
//! is. Nothing here knows of weights, pins or policies.

use std::collections::BTreeSet;
use std::time::Duration;

use turnout_schema::Digest;

use crate::id::Version;
use crate::registry::{Registered, Service, Standing};

/// How long nobody must have run what serves until somebody takes over who cannot stand in for it. Longer
/// than a restart, and than instances without a goodbye are kept.
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

/// What serves of a service, as all gateways remember it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seat {
    /// The version.
    pub version: Version,
    /// The version it was put in place of because nobody ran that: a higher one comes back as soon as it
    /// runs, a lower one was left behind against the gate.
    pub instead_of: Option<Version>,
}

/// Whether anybody runs what serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Vacancy {
    /// Somebody does, or did lately.
    Short,
    /// Nobody has for `VACANT_AFTER`.
    Long,
}

/// A version that may serve, and why it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim<'a> {
    /// The version.
    pub choice: Choice<'a>,
    /// Why.
    pub way: Way,
}

/// Why a version may serve, the strongest reason first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// It is of a higher major, or a release where a pre-release serves.
    Outranks,
    /// Another one stood in for it, and it runs again.
    Returns,
    /// It is a higher version of the same major: only if the gate says that it can stand in.
    Replaces,
    /// It serves, and runs.
    Keeps,
    /// It is lower than what serves, and nobody runs that.
    StandsIn,
    /// The gate refuses it or its major is lower, but nobody has run what serves for long.
    Overrides,
    /// It serves, and nobody better runs.
    Lingers,
    /// Nothing serves, or nothing better can be used.
    Remains,
}

/// The versions that may serve, the best first. A version may come twice, by a strong reason that holds only
/// if the gate agrees, and by a weak one that holds anyway.
pub fn claims<'a>(service: &'a Service, seat: Option<&Seat>, vacancy: Vacancy) -> Vec<Claim<'a>> {
    let choices = choices(service);
    let held = seat.and_then(|seat| {
        let holder = choices.iter().find(|choice| *choice.version == seat.version)?;
        Some((seat, *holder))
    });
    let mut claims = Vec::with_capacity(choices.len());
    for choice in &choices {
        let Some((seat, holder)) = &held else {
            claims.push(Claim { choice: *choice, way: Way::Remains });
            continue;
        };
        let way = way(choice, holder, seat, vacancy);
        claims.push(Claim { choice: *choice, way });
        if way == Way::Replaces && vacancy == Vacancy::Long && !holder.runs {
            claims.push(Claim { choice: *choice, way: Way::Overrides });
        }
    }
    // Stable: inside a way, the order of choices.
    claims.sort_by_key(|claim| claim.way);
    claims
}

/// The seat after a version was chosen by a claim.
pub fn seat(before: Option<&Seat>, version: &Version, way: Way) -> Seat {
    let absent = before.and_then(|seat| seat.instead_of.as_ref());
    let above = absent.filter(|absent| *absent > version);
    let instead_of = match way {
        Way::Keeps | Way::Lingers => absent,
        Way::StandsIn | Way::Overrides => above.or(before.map(|seat| &seat.version)),
        Way::Replaces => above,
        Way::Returns | Way::Outranks | Way::Remains => None,
    };
    let instead_of = instead_of.cloned();
    Seat { version: version.clone(), instead_of }
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

/// The versions that run and whose descriptors nobody named, lowest first.
pub fn undescribed(service: &Service) -> impl Iterator<Item = &Version> {
    let running = running(service);
    let bare = service.versions.iter().filter(|(_, record)| record.digest.is_none());
    bare.map(|(version, _)| version).filter(move |version| running.contains(version))
}

fn way(choice: &Choice<'_>, holder: &Choice<'_>, seat: &Seat, vacancy: Vacancy) -> Way {
    let (new, old) = (choice.version, holder.version);
    if new == old {
        return if holder.runs { Way::Keeps } else { Way::Lingers };
    }
    if !choice.runs {
        return Way::Remains;
    }
    if new > old && seat.instead_of.as_ref() == Some(new) {
        return Way::Returns;
    }
    let (released, was_released) = (new.semver().pre.is_empty(), old.semver().pre.is_empty());
    let same_major = new.semver().major == old.semver().major;
    match (released, was_released) {
        (true, false) => Way::Outranks,
        (false, true) => Way::Remains,
        (false, false) if new > old => Way::Outranks,
        (true, true) if new > old && !same_major => Way::Outranks,
        (true, true) if new > old => Way::Replaces,
        (true, true) | (false, false) if holder.runs => Way::Remains,
        (true, true) | (false, false) if same_major => Way::StandsIn,
        (true, true) | (false, false) => match vacancy {
            Vacancy::Short => Way::Remains,
            Vacancy::Long => Way::Overrides,
        },
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

    /// A seat, given as `1.3.0` or `1.3.0 for 1.5.0`.
    fn seated(text: &str) -> Seat {
        let (version, instead_of) = text.split_once(" for ").map_or((text, None), |(a, b)| (a, Some(b)));
        Seat {
            version: version.parse().unwrap(),
            instead_of: instead_of.map(|version| version.parse().unwrap()),
        }
    }

    fn written(seat: &Seat) -> String {
        let of = seat.instead_of.as_ref().map_or_else(String::new, |of| format!(" for {of}"));
        format!("{}{of}", seat.version)
    }

    fn told(claims: &[Claim<'_>]) -> String {
        let names = claims.iter().map(|claim| format!("{:?} {}", claim.way, claim.choice.version));
        names.collect::<Vec<_>>().join(", ")
    }

    #[test]
    fn where_nothing_serves_the_highest_that_runs_comes_first() {
        for (registered, expected) in [
            (&[][..], ""),
            (&["1.4.0"], "1.4.0"),
            (&["1.4.0", "1.10.0", "1.9.0"], "1.10.0 1.9.0 1.4.0"),
            (&["1.4.0", "2.0.0"], "2.0.0 1.4.0"),
            (&["1.4.0", "1.5.0-"], "1.4.0 1.5.0"),
            (&["1.4.0", "1.5.0~"], "1.4.0 1.5.0"),
            (&["1.4.0", "1.5.0?"], "1.5.0 1.4.0"),
            (&["1.4.0-", "1.5.0-"], "1.5.0 1.4.0"),
            (&["1.4.0~", "1.5.0~", "1.3.0"], "1.3.0 1.5.0 1.4.0"),
            // A major that nobody runs is no reason to answer nothing.
            (&["1.4.0", "2.0.0-"], "1.4.0 2.0.0"),
            // Versions without descriptors take no part, and no major comes from them.
            (&["1.4.0", "2.0.0!"], "1.4.0"),
            (&["2.0.0!"], ""),
            // Pre-releases only if nothing else.
            (&["1.4.0-", "1.5.0-rc.1"], "1.4.0 1.5.0-rc.1"),
            (&["1.4.0", "2.0.0-rc.1"], "1.4.0 2.0.0-rc.1"),
            (&["2.0.0-rc.2", "2.0.0-rc.10"], "2.0.0-rc.10 2.0.0-rc.2"),
            (&["0.1.0", "0.2.0"], "0.2.0 0.1.0"),
        ] {
            let service = service(registered);
            let claims = claims(&service, None, Vacancy::Short);
            let names: Vec<String> = claims.iter().map(|claim| claim.choice.version.to_string()).collect();
            assert_eq!(names.join(" "), expected, "{registered:?}");
            assert!(claims.iter().all(|claim| claim.way == Way::Remains));
        }
    }

    #[test]
    fn who_serves_gives_way_only_to_a_better_claim() {
        for (registered, seat, vacancy, expected) in [
            // A higher version of the same major runs: the gate is asked.
            (&["1.4.0", "1.5.0"][..], "1.4.0", Vacancy::Short, "Replaces 1.5.0, Keeps 1.4.0"),
            (&["1.4.0", "1.5.0-"], "1.4.0", Vacancy::Short, "Keeps 1.4.0, Remains 1.5.0"),
            (&["1.4.0", "1.5.0"], "1.5.0", Vacancy::Short, "Keeps 1.5.0, Remains 1.4.0"),
            // A higher major does without, but not when nobody runs it.
            (&["1.4.0", "2.0.0"], "1.4.0", Vacancy::Short, "Outranks 2.0.0, Keeps 1.4.0"),
            (&["1.4.0", "2.0.0-"], "1.4.0", Vacancy::Long, "Keeps 1.4.0, Remains 2.0.0"),
            // Nobody runs what serves.
            (&["1.4.0", "1.5.0-"], "1.5.0", Vacancy::Short, "StandsIn 1.4.0, Lingers 1.5.0"),
            (&["1.4.0", "1.5.0-"], "1.4.0 for 1.5.0", Vacancy::Long, "Keeps 1.4.0, Remains 1.5.0"),
            (&["1.4.0", "1.5.0"], "1.4.0 for 1.5.0", Vacancy::Short, "Returns 1.5.0, Keeps 1.4.0"),
            (&["1.4.0-", "1.5.0"], "1.4.0", Vacancy::Short, "Replaces 1.5.0, Lingers 1.4.0"),
            (&["1.4.0-", "1.5.0"], "1.4.0", Vacancy::Long, "Replaces 1.5.0, Overrides 1.5.0, Lingers 1.4.0"),
            (&["1.4.0", "2.0.0-"], "2.0.0", Vacancy::Short, "Lingers 2.0.0, Remains 1.4.0"),
            (&["1.4.0", "2.0.0-"], "2.0.0", Vacancy::Long, "Overrides 1.4.0, Lingers 2.0.0"),
            (&["1.4.0", "2.0.0"], "1.4.0 for 2.0.0", Vacancy::Short, "Returns 2.0.0, Keeps 1.4.0"),
            // What was left behind against the gate does not come back.
            (&["1.4.0", "1.5.0"], "1.5.0 for 1.4.0", Vacancy::Short, "Keeps 1.5.0, Remains 1.4.0"),
            // Pre-releases promise nothing, and displace no release.
            (&["1.4.0-rc.1", "1.4.0"], "1.4.0-rc.1", Vacancy::Short, "Outranks 1.4.0, Keeps 1.4.0-rc.1"),
            (&["1.4.0-", "1.5.0-rc.1"], "1.4.0", Vacancy::Long, "Lingers 1.4.0, Remains 1.5.0-rc.1"),
            (
                &["2.0.0-rc.1", "2.0.0-rc.2"],
                "2.0.0-rc.1",
                Vacancy::Short,
                "Outranks 2.0.0-rc.2, Keeps 2.0.0-rc.1",
            ),
            // A seat that is not known here binds nobody.
            (&["1.4.0"], "3.0.0", Vacancy::Short, "Remains 1.4.0"),
        ] {
            let (service, seat) = (service(registered), seated(seat));
            assert_eq!(told(&claims(&service, Some(&seat), vacancy)), expected, "{registered:?} {seat:?}");
        }
    }

    #[test]
    fn a_seat_remembers_whose_place_it_takes() {
        for (before, version, way, after) in [
            ("1.5.0", "1.4.0", Way::StandsIn, "1.4.0 for 1.5.0"),
            ("1.4.0 for 1.5.0", "1.3.0", Way::StandsIn, "1.3.0 for 1.5.0"),
            ("1.3.0 for 1.5.0", "1.4.0", Way::Replaces, "1.4.0 for 1.5.0"),
            ("1.3.0 for 1.5.0", "1.6.0", Way::Replaces, "1.6.0"),
            ("1.4.0 for 1.5.0", "1.5.0", Way::Returns, "1.5.0"),
            ("1.4.0", "1.5.0", Way::Overrides, "1.5.0 for 1.4.0"),
            ("2.0.0", "1.4.0", Way::Overrides, "1.4.0 for 2.0.0"),
            ("1.5.0 for 1.4.0", "1.5.0", Way::Keeps, "1.5.0 for 1.4.0"),
            ("1.5.0 for 1.4.0", "2.0.0", Way::Outranks, "2.0.0"),
        ] {
            let seat = seat(Some(&seated(before)), &version.parse().unwrap(), way);
            assert_eq!(written(&seat), after, "{before} {version} {way:?}");
        }
        assert_eq!(written(&seat(None, &"1.0.0".parse().unwrap(), Way::Remains)), "1.0.0");
    }

    /// Whatever runs, one look after the other comes to rest: a choice by the best claim is kept by the next.
    #[test]
    fn choices_come_to_rest() {
        let versions = ["1.3.0", "1.4.0", "1.5.0-rc.1", "1.5.0", "2.0.0-rc.1", "2.0.0"];
        for running in 0..1 << versions.len() {
            let given: Vec<String> = versions
                .iter()
                .enumerate()
                .map(|(at, version)| format!("{version}{}", if running >> at & 1 == 1 { "" } else { "-" }))
                .collect();
            let service = service(&given.iter().map(String::as_str).collect::<Vec<_>>());
            for first in versions {
                for vacancy in [Vacancy::Short, Vacancy::Long] {
                    let mut seated = seated(first);
                    for _ in 0..4 {
                        let best = claims(&service, Some(&seated), vacancy)[0];
                        seated = seat(Some(&seated), best.choice.version, best.way);
                    }
                    let best = claims(&service, Some(&seated), vacancy)[0];
                    assert!(matches!(best.way, Way::Keeps | Way::Lingers), "{given:?} {first} {seated:?}");
                }
            }
        }
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
