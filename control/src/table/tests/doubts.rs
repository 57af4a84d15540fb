//! One instance whose registration ended: how long it is kept, and what it takes to lose it.

use super::{World, s};
use crate::registry::Standing;
use crate::table::Answered::{No, Yes};
use crate::table::Removal::{Expired, Goodbye, Unknown};

/// Two instances, and the second is missing.
fn missing() -> World {
    let mut world = World::new();
    world.put_all("first", &["catalog/a", "catalog/b"]);
    assert_eq!(world.remove("first", "catalog/b", Expired), "catalog/b missing");
    world
}

#[test]
fn whose_lease_ended_leaves_the_rotation_and_is_tried_at_once() {
    for how in [Expired, Unknown] {
        let mut world = World::new();
        world.put_all("first", &["catalog/a", "catalog/b"]);
        assert_eq!(world.remove("first", "catalog/b", how), "catalog/b missing");
        assert_eq!(world.shows(), "catalog/a first up, catalog/b first suspect");
        assert_eq!(world.probes(), ["catalog/b"]);
        assert_eq!(world.probes(), [""; 0], "one at a time");
    }
}

#[test]
fn who_fails_twice_in_a_row_is_gone_within_three_seconds() {
    let mut world = missing();
    assert_eq!(world.live_until(10, |_| No), "2s: down catalog/b lost");
}

#[test]
fn one_failure_is_an_accident() {
    let mut world = missing();
    for answer in [No, Yes, No, Yes, No] {
        world.now += s(3);
        assert_eq!(world.probes(), ["catalog/b"]);
        assert_eq!(world.probed("catalog/b", answer), "");
    }
    world.now += s(3);
    assert_eq!(world.probes(), ["catalog/b"]);
    assert_eq!(world.probed("catalog/b", No), "down catalog/b lost");
}

#[test]
fn whose_answer_is_never_told_is_tried_again_and_does_not_outlive_its_time() {
    let mut world = missing();
    assert_eq!(world.probes(), ["catalog/b"]);
    world.now += s(4);
    assert_eq!(world.probes(), [""; 0]);
    world.now += s(1);
    assert_eq!(world.probes(), ["catalog/b"]);
    assert_eq!(world.wait_until(200), "60s: down catalog/b expired");
}

#[test]
fn who_answers_is_kept_for_a_minute_or_three_times_its_time_to_live() {
    for (lives, until) in [("5", 60), ("15", 60), ("300", 900)] {
        let mut world = World::new();
        world.put_all("first", &["catalog/a", &format!("catalog/b lives {lives}")]);
        world.remove("first", "catalog/b", Expired);
        let events = world.live_until(1000, |_| Yes);
        assert_eq!(events, format!("{until}s: down catalog/b expired"), "{lives}");
    }
}

#[test]
fn who_alone_answers_for_its_version_stays_until_somebody_is_registered() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a", "catalog/b", "catalog/z@2.0.0"]);
    world.remove("first", "catalog/a", Expired);
    world.now = s(20);
    world.remove("first", "catalog/b", Expired);
    assert_eq!(world.live_until(500, |_| Yes), "");
    assert_eq!(world.standing("catalog", Standing::Suspect), 2);
    let found = world.table.findings();
    assert_eq!(found.len(), 2);
    assert_eq!((found[0].id.as_str(), found[0].diagnostic.code), ("a", "NOT_REGISTERED"));
    world.put("first", "c", "catalog/c");
    assert_eq!(world.wait_until(501), "501s: down catalog/a expired, down catalog/b expired");
    assert_eq!(world.table.findings(), []);
}

#[test]
fn who_stays_alone_goes_when_it_answers_no_more() {
    let mut world = World::new();
    world.put("first", "k", "catalog/a");
    world.remove("first", "k", Expired);
    assert_eq!(world.live_until(100, |_| Yes), "");
    let events = world.live_until(120, |_| No);
    assert!(events.ends_with("down catalog/a lost"), "{events}");
}

#[test]
fn who_comes_back_is_heard_again_and_nothing_else_happens() {
    let mut world = missing();
    assert_eq!(world.put("first", "catalog/b", "catalog/b"), "catalog/b here");
    assert_eq!(world.probes(), [""; 0]);
    assert_eq!(world.wait_until(100), "");
    world.remove("first", "catalog/b", Expired);
    assert_eq!(world.put("first", "other", "catalog/b weighs 7"), "up catalog/b", "it says something else");
}

#[test]
fn an_answer_to_an_earlier_question_decides_nothing() {
    let mut world = missing();
    assert_eq!(world.probes(), ["catalog/b"]);
    world.put("first", "catalog/b", "catalog/b");
    assert_eq!(world.probed("catalog/b", No), "");
    world.remove("first", "catalog/b", Expired);
    assert_eq!(world.probed("catalog/b", No), "");
    assert_eq!(world.probed("catalog/b", No), "");
    assert_eq!(world.probed("orders/x", No), "");
    assert_eq!(world.shows(), "catalog/a first up, catalog/b first suspect");
}

#[test]
fn whose_address_somebody_else_has_now_is_gone() {
    let mut world = World::new();
    world.put("first", "1", "catalog/old at 80");
    world.put("first", "2", "catalog/other at 81");
    world.remove("first", "1", Expired);
    let events = world.put("first", "3", "catalog/new@2.0.0 at 80");
    assert_eq!(events, "up catalog/new, down catalog/old expired");
    world.put("first", "4", "orders/old at 82");
    world.remove("first", "4", Expired);
    assert_eq!(world.put("first", "5", "users/new at 82"), "up users/new", "one process may serve two");
    assert_eq!(
        world.shows(),
        "catalog/new first up, catalog/other first up, orders/old first suspect, users/new first up"
    );
}

#[test]
fn who_is_silent_is_not_tried() {
    let mut world = World::new();
    world.put("first", "k", "catalog/a");
    let silent =
        crate::table::Input::Heard(super::source("first"), "k".into(), crate::registry::Presence::Silent);
    assert_eq!(world.take(silent), "catalog/a silent");
    assert_eq!(world.probes(), [""; 0]);
    assert_eq!(world.remove("first", "k", Goodbye), "down catalog/a deregistered");
}

#[test]
fn not_all_are_tried_at_the_same_time_and_everybody_has_a_turn() {
    let mut world = World::new();
    let names: Vec<String> = (0..100).map(|at| format!("s{at}/a")).collect();
    for name in &names {
        world.put("first", name, name);
    }
    for name in &names {
        world.remove("first", name, Expired);
    }
    let first = world.probes();
    assert_eq!(first.len(), 64);
    assert_eq!(world.probes(), [""; 0]);
    for name in &first[..10] {
        world.probed(name, Yes);
    }
    let second = world.probes();
    assert_eq!(second.len(), 10);
    assert!(second.iter().all(|name| !first.contains(name)));
}

#[test]
fn those_who_went_together_are_not_tried_together_for_ever() {
    let mut world = World::new();
    let names: Vec<String> = (0..50).map(|at| format!("s{at}/a")).collect();
    for name in &names {
        world.put("first", name, name);
    }
    for name in &names {
        world.remove("first", name, Expired);
    }
    for name in world.probes() {
        world.probed(&name, Yes);
    }
    world.now = std::time::Duration::from_millis(1799);
    assert_eq!(world.probes(), [""; 0]);
    world.now = s(2);
    let half = world.probes().len();
    assert!((10..40).contains(&half), "{half}");
    world.now = std::time::Duration::from_millis(2200);
    assert_eq!(world.probes().len(), 50 - half);
}

#[test]
fn a_key_without_a_lease_that_a_crash_left_behind_leaves_the_rotation_and_is_not_removed() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a unleased", "catalog/b unleased", "catalog/c"]);
    let dead = |name: &str| if name == "catalog/a" { No } else { Yes };
    assert_eq!(world.live_until(600, dead), "2s: catalog/a silent");
    assert_eq!(world.list("first", &["catalog/a unleased", "catalog/b unleased", "catalog/c"]), "");
    assert_eq!(world.shows(), "catalog/a first suspect, catalog/b first up, catalog/c first up");
    let events = world.live_until(620, |_| Yes);
    assert!(events.ends_with("catalog/a here"), "{events}");
}

#[test]
fn another_process_without_a_lease_begins_anew() {
    let mut world = World::new();
    world.put("first", "k", "catalog/a unleased");
    world.live_until(5, |_| No);
    assert_eq!(world.shows(), "catalog/a first suspect");
    assert_eq!(world.put("first", "k", "catalog/a unleased at 81"), "up catalog/a");
    assert_eq!(world.shows(), "catalog/a first up");
    assert_eq!(world.put("first", "k", "catalog/a at 81"), "up catalog/a");
    assert_eq!(world.live_until(100, |_| No), "", "who has a lease is not tried");
}

#[test]
fn who_has_no_lease_and_is_removed_is_in_doubt_like_others() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a unleased", "catalog/b"]);
    world.live_until(3, |_| Yes);
    assert_eq!(world.remove("first", "catalog/a", Unknown), "catalog/a missing");
    assert_eq!(world.live_until(10, |_| No), "5s: down catalog/a lost");
}
