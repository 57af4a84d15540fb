//! Which version of a service is served to a caller about whom nothing else was decided?
//!
//! The answer is an order, the best version first, because a version that cannot be read or composed gives
//! way to the next. Only versions with known descriptors take part. A release goes before every pre-release,
//! a higher major before a lower one; inside a major, a version that somebody runs before one that nobody
//! runs, and then the higher one. So the last instance of a major may go without its graph changing, and a
//! pre-release serves only where there is nothing else. Nothing here knows of weights, pins or policies.

use turnout_schema::Digest;

use crate::id::Version;
use crate::registry::{Service, Standing};

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

/// The versions with known descriptors, the one to serve first.
pub fn choices(service: &Service) -> Vec<Choice<'_>> {
    let mut choices: Vec<Choice<'_>> = service
        .versions
        .iter()
        .filter_map(|(version, record)| {
            let runs = runs(service, version);
            record.digest.map(|digest| Choice { version, digest, runs })
        })
        .collect();
    choices.sort_by(|a, b| rank(b).cmp(&rank(a)));
    choices
}

/// The versions that run and whose descriptors nobody named, lowest first.
pub fn undescribed(service: &Service) -> impl Iterator<Item = &Version> {
    let bare = service.versions.iter().filter(|(_, record)| record.digest.is_none());
    bare.map(|(version, _)| version).filter(|version| runs(service, version))
}

/// Silence alone does not count as gone: a graph must not change because a heartbeat is late.
fn runs(service: &Service, version: &Version) -> bool {
    service.instances.values().any(|registered| {
        registered.instance.version == *version
            && match registered.standing() {
                Standing::Up | Standing::Held | Standing::Suspect => true,
                Standing::Draining | Standing::Refused => false,
            }
    })
}

/// Higher is better.
fn rank<'a>(choice: &Choice<'a>) -> (bool, u64, bool, &'a Version) {
    let semver = choice.version.semver();
    (semver.pre.is_empty(), semver.major, choice.runs, choice.version)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::registry::tests::registered;
    use crate::registry::{Event, Intent, Presence, Snapshot, Why};

    /// The order of versions that are given as `1.4.0` (runs), `1.4.0-` (nobody runs it), `1.4.0~` (drains),
    /// `1.4.0?` (silent) and `1.4.0!` (runs without descriptors).
    fn order(versions: &[&str]) -> String {
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
        let Some((_, service)) = snapshot.services().next() else { return String::new() };
        let names: Vec<String> = choices(service).iter().map(|choice| choice.version.to_string()).collect();
        names.join(" ")
    }

    #[test]
    fn the_best_version_comes_first() {
        for (registered, expected) in [
            (&[][..], ""),
            (&["1.4.0"], "1.4.0"),
            (&["1.4.0", "1.10.0", "1.9.0"], "1.10.0 1.9.0 1.4.0"),
            // A higher major wins, also when nobody runs it at the moment.
            (&["1.4.0", "2.0.0"], "2.0.0 1.4.0"),
            (&["1.4.0", "2.0.0-"], "2.0.0 1.4.0"),
            // Inside a major, whoever runs.
            (&["1.4.0", "1.5.0-"], "1.4.0 1.5.0"),
            (&["1.4.0", "1.5.0~"], "1.4.0 1.5.0"),
            (&["1.4.0", "1.5.0?"], "1.5.0 1.4.0"),
            (&["1.4.0-", "1.5.0-"], "1.5.0 1.4.0"),
            (&["1.4.0~", "1.5.0~", "1.3.0"], "1.3.0 1.5.0 1.4.0"),
            // Versions without descriptors take no part, and no major comes from them.
            (&["1.4.0", "2.0.0!"], "1.4.0"),
            (&["2.0.0!"], ""),
            // Pre-releases only if nothing else.
            (&["1.4.0-", "1.5.0-rc.1"], "1.4.0 1.5.0-rc.1"),
            (&["1.4.0", "2.0.0-rc.1"], "1.4.0 2.0.0-rc.1"),
            (&["2.0.0-rc.2", "2.0.0-rc.10"], "2.0.0-rc.10 2.0.0-rc.2"),
            (&["0.1.0", "0.2.0"], "0.2.0 0.1.0"),
        ] {
            assert_eq!(order(registered), expected, "{registered:?}");
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
