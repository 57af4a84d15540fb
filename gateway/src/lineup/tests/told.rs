//! What services, callers and the log are told.

use http::{HeaderMap, HeaderValue};
use turnout_control::frontend::Units;

use super::world::{World, candidate, user};
use crate::lineup::Lineup;

fn told(world: &World, units: &Units, ppm: Option<u32>) -> Vec<String> {
    let view = world.view(ppm.map(candidate));
    let lineup = Lineup::new(&view, units);
    let mut headers = HeaderMap::new();
    // What a caller may have sent.
    for name in ["x-frontend-version", "x-turnout-unit", "x-turnout-lineup"] {
        headers.insert(name, HeaderValue::from_static("forged"));
    }
    lineup.metadata(&mut headers);
    let text = |name: &str| headers.get(name).map(|value| format!("{name}: {}", value.to_str().unwrap()));
    ["x-frontend-version", "x-turnout-unit", "x-turnout-lineup"].into_iter().filter_map(text).collect()
}

#[test]
fn services_are_told_who_asks_and_which_versions_the_operation_uses() {
    let world = World::new();
    assert_eq!(
        told(&world, &user(42), Some(1_000_000)),
        [
            "x-frontend-version: web@2.4.1",
            "x-turnout-unit: user:42",
            "x-turnout-lineup: catalog=1.5.0;candidate"
        ]
    );
    assert_eq!(
        told(&world, &user(42), Some(0)),
        [
            "x-frontend-version: web@2.4.1",
            "x-turnout-unit: user:42",
            "x-turnout-lineup: catalog=1.4.0;stable"
        ]
    );
}

#[test]
fn what_a_caller_claims_is_not_passed_on_where_nothing_is_known() {
    let world = World::new();
    assert_eq!(told(&world, &Units::default(), None), ["x-frontend-version: web@2.4.1"]);
}

#[test]
fn a_unit_that_is_no_ascii_is_written_in_ascii() {
    let world = World::new();
    let units = user("Zoë 100%");
    assert_eq!(told(&world, &units, None)[1], "x-turnout-unit: user:Zo%C3%AB%20100%25");
}

#[test]
fn callers_are_told_the_services_that_were_touched() {
    let world = World::new();
    let view = world.view(Some(candidate(1_000_000)));
    let units = user(1);
    let lineup = Lineup::new(&view, &units);
    let told = || {
        let mut headers = HeaderMap::new();
        lineup.told().write(&mut headers);
        let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned());
        (text("turnout-frontend"), text("turnout-lineup"))
    };
    lineup.metadata(&mut HeaderMap::new());
    assert_eq!(told(), (Some("web@2.4.1".to_owned()), None));
    lineup.choose(0);
    assert_eq!(told(), (Some("web@2.4.1".to_owned()), Some("catalog=1.5.0;candidate".to_owned())));
}
