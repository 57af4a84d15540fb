//! Edits of policies: what they make of them, and what they are refused for.

use std::collections::BTreeMap;

use super::*;
use crate::frontend::{Lifecycle, Pin};
use crate::routes::{write_base, write_own};

fn version(text: &str) -> Version {
    text.parse().unwrap()
}

fn tried(text: &str, ppm: u32) -> Tried {
    Tried { version: version(text), weight: weight(ppm), salt: "catalog/1/1.4.9".to_owned() }
}

fn weight(ppm: u32) -> Weight {
    Weight::ppm(ppm).unwrap()
}

fn units(all: &[&str]) -> BTreeSet<Unit> {
    all.iter().map(|unit| unit.parse().unwrap()).collect()
}

fn frontend() -> Frontend {
    let pin = Pin { range: "^1.4".parse().unwrap(), optional: false };
    Frontend {
        id: "web@2.4.1".parse().unwrap(),
        state: Lifecycle::Active,
        pins: [("catalog".parse().unwrap(), pin)].into(),
        caps: BTreeMap::new(),
    }
}

fn known() -> BTreeMap<Version, Known> {
    let described = ["1.3.0", "1.4.0", "1.5.0", "1.6.0", "2.0.0"].map(|text| (text, Known::Described));
    let others = [("1.7.0", Known::Bare), ("1.2.0", Known::Retired)];
    described.into_iter().chain(others).map(|(text, known)| (version(text), known)).collect()
}

/// A policy for everyone with 1.4.0 stable and, if one is given, a candidate.
fn policies(candidate: Option<Tried>) -> Policies {
    let base = Base { candidate, ..Base::new(version("1.4.0")) };
    Policies { bases: [("catalog".parse().unwrap(), [(1, base)].into())].into(), owns: BTreeMap::new() }
}

struct World {
    policies: Policies,
    scope: Scope,
    rollout: Option<Version>,
}

impl World {
    fn everyone(candidate: Option<Tried>) -> World {
        World { policies: policies(candidate), scope: Scope::Everyone, rollout: None }
    }

    fn web(candidate: Option<Tried>) -> World {
        let scope = Scope::Frontend("web@2.4.1".parse().unwrap());
        World { policies: policies(candidate), scope, rollout: None }
    }

    fn edit(&self, change: Edit) -> Result<Edited, Vec<Obstacle>> {
        let place = Place { scope: self.scope.clone(), service: "catalog".parse().unwrap(), major: 1 };
        let frontend = frontend();
        let setting = Setting {
            place: &place,
            frontend: Some(&frontend),
            policies: &self.policies,
            known: &known(),
            rollout: self.rollout.as_ref(),
        };
        edit(&setting, &change)
    }

    /// The record after, or every obstacle.
    fn told(&self, change: Edit) -> String {
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        match self.edit(change) {
            Ok(Edited { policies, .. }) => match &self.scope {
                Scope::Everyone => text(write_base(policies.base(&"catalog".parse().unwrap(), 1).unwrap())),
                Scope::Frontend(_) => policies.owns.values().map(|own| text(write_own(own))).collect(),
            },
            Err(obstacles) => obstacles.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "),
        }
    }
}

#[test]
fn an_edit_changes_what_it_names_and_leaves_the_rest() {
    let world = World::everyone(Some(tried("1.5.0", 10_000)));
    for (change, expected) in [
        (
            Edit { weight: Some(weight(50_000)), ..Edit::default() },
            r#"{"candidate":{"salt":"catalog/1/1.4.9","version":"1.5.0","weight_ppm":50000},"stable":"1.4.0","v":1}"#,
        ),
        (
            Edit { candidate: Some(version("1.6.0")), weight: Some(weight(10)), ..Edit::default() },
            r#"{"candidate":{"salt":"catalog/1/1.6.0","version":"1.6.0","weight_ppm":10},"stable":"1.4.0","v":1}"#,
        ),
        // Promoted by hand: what was tried is stable, and nothing is tried.
        (Edit { stable: Some(version("1.5.0")), ..Edit::default() }, r#"{"stable":"1.5.0","v":1}"#),
        (Edit { start: Start::Clear, ..Edit::default() }, r#"{"stable":"1.4.0","v":1}"#),
        (
            Edit { killed: Some(true), deny: units(&["user:1"]), start: Start::Clear, ..Edit::default() },
            r#"{"deny":["user:1"],"killed":true,"stable":"1.4.0","v":1}"#,
        ),
    ] {
        assert_eq!(world.told(change), expected);
    }
}

#[test]
fn one_frontends_policy_has_only_what_differs() {
    let world = World::web(Some(tried("1.5.0", 10_000)));
    for (change, expected) in [
        (Edit { cap: Some(weight(0)), ..Edit::default() }, r#"{"cap_ppm":0,"v":1}"#),
        // The weight of what is tried for everyone, for this frontend alone; first come the same units.
        (
            Edit { weight: Some(weight(50_000)), ..Edit::default() },
            r#"{"candidate":{"salt":"catalog/1/1.4.9","version":"1.5.0","weight_ppm":50000},"v":1}"#,
        ),
        (Edit { start: Start::Clear, ..Edit::default() }, ""),
        (Edit { killed: Some(false), ..Edit::default() }, ""),
    ] {
        assert_eq!(world.told(change), expected);
    }
}

#[test]
fn scenario_24_what_cannot_be_is_refused_with_every_reason() {
    let base = || World::everyone(Some(tried("1.5.0", 10_000)));
    let bare = || World::everyone(None);
    let web = || World::web(None);
    let on = |text: &str| Edit { candidate: Some(version(text)), weight: Some(weight(1)), ..Edit::default() };
    let to = |text: &str| Edit { stable: Some(version(text)), ..Edit::default() };
    for (world, change, expected) in [
        (base(), Edit::default(), "nothing is named that should change"),
        (
            bare(),
            Edit { weight: Some(weight(1)), ..Edit::default() },
            "there is no candidate that could have a weight; name it",
        ),
        (
            bare(),
            Edit { candidate: Some(version("1.5.0")), ..Edit::default() },
            "the candidate 1.5.0 has no weight yet; say how many get it",
        ),
        (bare(), on("1.4.0"), "the candidate 1.4.0 is the stable version already"),
        (
            bare(),
            on("1.3.0"),
            "the candidate 1.3.0 is older than the stable version 1.4.0, and only a newer one can be tried",
        ),
        (bare(), on("2.0.0"), "2.0.0 is of another major, and this is the policy of major 1"),
        (bare(), on("1.9.0"), "catalog 1.9.0 was never registered"),
        (bare(), on("1.7.0"), "catalog 1.7.0 has no descriptors, so that nobody could be served by it"),
        (bare(), to("1.2.0"), "catalog 1.2.0 was retired"),
        (
            bare(),
            Edit { cap: Some(weight(1)), ..Edit::default() },
            "a cap is for one frontend, and the policy for everyone has none; name the frontend",
        ),
        (web(), to("1.3.0"), "1.3.0 does not satisfy the pin ^1.4 of web@2.4.1"),
        (web(), on("1.8.0"), "catalog 1.8.0 was never registered"),
        (
            base(),
            Edit {
                allow: units(&["user:1"]),
                deny: units(&["user:1"]),
                cap: Some(weight(1)),
                ..Edit::default()
            },
            "a cap is for one frontend, and the policy for everyone has none; name the frontend; user:1 would be both allowed and denied",
        ),
    ] {
        assert_eq!(world.told(change), expected);
    }
    let mut other = World::everyone(None);
    other.policies = Policies::default();
    assert_eq!(
        other.told(Edit { killed: Some(true), ..Edit::default() }),
        "there is no policy for everyone of catalog 1 yet, and one has a stable version; name it"
    );
}

#[test]
fn what_a_rollout_decides_is_not_edited_and_the_rest_is() {
    let world = World { rollout: Some(version("1.5.0")), ..World::everyone(Some(tried("1.5.0", 10_000))) };
    let refused = "the rollout of catalog 1.5.0 decides which versions serve and with which weight";
    for change in [
        Edit { weight: Some(weight(20_000)), ..Edit::default() },
        Edit { stable: Some(version("1.5.0")), ..Edit::default() },
        Edit { start: Start::Clear, ..Edit::default() },
    ] {
        assert_eq!(world.told(change), refused);
    }
    for change in [
        Edit { killed: Some(true), ..Edit::default() },
        Edit { deny: units(&["customer:acme"]), ..Edit::default() },
    ] {
        assert!(world.edit(change).is_ok());
    }
}

#[test]
fn the_gate_is_asked_about_new_pairs_only() {
    let pair = |world: &World, change| world.edit(change).unwrap().to_judge;
    let base = World::everyone(Some(tried("1.5.0", 10_000)));
    assert_eq!(pair(&base, Edit { weight: Some(weight(9)), ..Edit::default() }), None);
    let next = Edit { candidate: Some(version("1.6.0")), weight: Some(weight(9)), ..Edit::default() };
    assert_eq!(pair(&base, next.clone()), Some((version("1.4.0"), version("1.6.0"))));
    let mut web = World::web(None);
    assert_eq!(pair(&web, next), Some((version("1.4.0"), version("1.6.0"))));
    web.policies.bases.clear();
    assert_eq!(pair(&web, Edit { cap: Some(weight(9)), ..Edit::default() }), None);
}
