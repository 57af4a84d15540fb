//! When so many go at once that they are kept as they were.

use super::{World, s, source};
use crate::registry::Standing;
use crate::table::Answered::{No, Yes};
use crate::table::Removal::{self, Expired, Goodbye, Unknown};
use crate::table::{Input, Said};

/// A service of this many, of whom so many go within a second; how many are held.
fn held(of: usize, go: usize, how: Removal) -> usize {
    let mut world = World::new();
    // Enough others that the source as a whole loses few.
    for at in 0..50 {
        world.put("first", &format!("other/{at}"), &format!("other/{at}"));
    }
    for at in 0..of {
        world.put("first", &format!("catalog/{at}"), &format!("catalog/{at}"));
    }
    for at in 0..go {
        world.remove("first", &format!("catalog/{at}"), how);
    }
    world.standing("catalog", Standing::Held)
}

#[test]
fn more_than_half_of_a_service_and_at_least_two_are_held() {
    for how in [Goodbye, Expired, Unknown] {
        for (of, go, expected) in [
            (1, 1, 0),
            (2, 1, 0),
            (2, 2, 2),
            (3, 1, 0),
            (3, 2, 2),
            (4, 2, 0),
            (4, 3, 3),
            (4, 4, 4),
            (10, 5, 0),
            (10, 6, 6),
        ] {
            assert_eq!(held(of, go, how), expected, "{go} of {of}, {how:?}");
        }
    }
}

#[test]
fn more_than_three_in_ten_of_a_source_and_at_least_three_are_held() {
    for how in [Goodbye, Expired, Unknown] {
        for (of, go, expected) in [(2, 2, 0), (3, 3, 3), (10, 3, 0), (10, 4, 4), (100, 30, 0), (100, 31, 31)]
        {
            let mut world = World::new();
            for at in 0..of {
                world.put("first", &format!("{at}"), &format!("s{at}/a"));
            }
            world.put_all("second", &["t1/a", "t2/a", "t3/a", "t4/a", "t5/a", "t6/a", "t7/a"]);
            for at in 0..go {
                world.remove("first", &format!("{at}"), how);
            }
            let held = world.snapshot.instances().filter(|of| of.standing() == Standing::Held).count();
            assert_eq!(held, expected, "{go} of {of}, {how:?}");
        }
    }
}

#[test]
fn those_who_went_first_are_held_as_well_in_whichever_way_they_went() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a", "catalog/b", "catalog/c", "catalog/d"]);
    assert_eq!(world.remove("first", "catalog/a", Expired), "catalog/a missing");
    assert_eq!(world.remove("first", "catalog/b", Goodbye), "down catalog/b deregistered");
    assert_eq!(
        world.remove("first", "catalog/c", Goodbye),
        "up catalog/b held, catalog/a held, catalog/c held"
    );
    assert_eq!(world.remove("first", "catalog/d", Unknown), "catalog/d held");
    assert_eq!(world.standing("catalog", Standing::Held), 4);
}

#[test]
fn what_is_ten_seconds_ago_does_not_count() {
    for (pause, held) in [(9, 2), (10, 0)] {
        let mut world = World::new();
        world.put_all("first", &["catalog/a", "catalog/b", "catalog/c"]);
        world.remove("first", "catalog/a", Expired);
        world.now += s(pause);
        world.remove("first", "catalog/b", Expired);
        assert_eq!(world.standing("catalog", Standing::Held), held, "{pause} s");
    }
}

#[test]
fn who_drained_or_came_back_does_not_count() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a drains", "catalog/b drains", "catalog/c drains", "catalog/d"]);
    for name in ["catalog/a", "catalog/b", "catalog/c"] {
        assert_eq!(world.remove("first", name, Goodbye), format!("down {name} deregistered"));
    }
    world.put("first", "catalog/e", "catalog/e");
    world.remove("first", "catalog/d", Expired);
    world.put("first", "catalog/d", "catalog/d");
    assert_eq!(world.remove("first", "catalog/e", Expired), "catalog/e missing");
}

#[test]
fn those_who_take_no_calls_hide_no_loss() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a", "catalog/b", "catalog/c drains", "catalog/d drains"]);
    world.remove("first", "catalog/a", Expired);
    world.remove("first", "catalog/b", Expired);
    assert_eq!(world.standing("catalog", Standing::Held), 2);
}

#[test]
fn an_empty_listing_is_doubted() {
    let mut world = World::new();
    let all = ["catalog/a", "catalog/b", "orders/c", "users/d"];
    world.list("first", &all);
    let events = world.list("first", &[]);
    assert_eq!(events, "catalog/a held, catalog/b held, orders/c held, users/d held");
    assert_eq!(world.list("first", &all), "catalog/a here, catalog/b here, orders/c here, users/d here");
}

#[test]
fn a_listing_in_which_all_were_replaced_is_not_doubted() {
    let mut world = World::new();
    world.list("first", &["catalog/a", "catalog/b"]);
    let events = world.list("first", &["catalog/c", "catalog/d"]);
    assert_eq!(events, "up catalog/c, up catalog/d, catalog/a missing, catalog/b missing");
}

#[test]
fn who_is_held_and_dead_stops_taking_calls_at_once_and_goes_within_three_seconds() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a", "catalog/b", "catalog/c"]);
    for name in ["catalog/a", "catalog/b", "catalog/c"] {
        world.remove("first", name, Goodbye);
    }
    let dead = |name: &str| if name == "catalog/b" { No } else { Yes };
    assert_eq!(world.live_until(10, dead), "0s: catalog/b missing; 2s: down catalog/b lost");
    assert_eq!(world.shows(), "catalog/a first held, catalog/c first held");
}

#[test]
fn who_is_held_is_missing_after_a_minute_and_stays_while_nobody_else_is_registered() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a", "catalog/b", "orders/c"]);
    for name in ["catalog/a", "catalog/b", "orders/c"] {
        world.remove("first", name, Expired);
    }
    let events = world.live_until(300, |_| Yes);
    assert_eq!(events, "60s: catalog/a missing, catalog/b missing, orders/c missing");
    assert_eq!(world.shows(), "catalog/a first suspect, catalog/b first suspect, orders/c first suspect");
    assert_eq!(world.put("first", "catalog/a", "catalog/a"), "catalog/a here");
    assert_eq!(world.live_until(301, |_| Yes), "300s: down catalog/b expired");
}

#[test]
fn when_every_lease_is_revoked_in_one_second_all_go_on_and_heal() {
    let mut world = World::new();
    let names: Vec<String> = (0..200).map(|at| format!("s{}/{at}", at / 10)).collect();
    for name in &names {
        world.put("first", name, name);
    }
    for name in &names {
        world.remove("first", name, Expired);
    }
    let up =
        |world: &World, standing| world.snapshot.instances().filter(|of| of.standing() == standing).count();
    assert_eq!(up(&world, Standing::Held), 200);
    world.live_until(5, |_| Yes);
    assert_eq!(up(&world, Standing::Held), 200);
    for name in &names {
        assert!(world.put("first", name, name).ends_with("here"));
    }
    assert_eq!(up(&world, Standing::Up), 200);
    assert_eq!(world.live_until(200, |_| No), "");
}

#[test]
fn who_was_found_dead_is_not_held_again() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a", "catalog/b", "catalog/c"]);
    world.remove("first", "catalog/a", Expired);
    assert_eq!(world.live_until(3, |_| No), "2s: down catalog/a lost");
    assert_eq!(world.remove("first", "catalog/b", Expired), "catalog/b held");
}

#[test]
fn another_source_that_has_them_makes_up_for_one_that_lost_them() {
    let mut world = World::new();
    for of in ["first", "second"] {
        world.put_all(of, &["catalog/a", "catalog/b", "orders/c"]);
    }
    let empty = Input::Listed(source("first"), [].into());
    assert_eq!(world.take(empty), "up catalog/a, up catalog/b, up orders/c");
    assert_eq!(world.shows(), "catalog/a second up, catalog/b second up, orders/c second up");
    assert_eq!(world.probes(), [""; 0]);
}

#[test]
fn an_entry_that_becomes_garbage_is_no_loss() {
    let mut world = World::new();
    let names = ["catalog/a", "catalog/b", "catalog/c"];
    world.put_all("first", &names);
    let garbage = |name: &str| Said::Unreadable(super::unreadable(name));
    let listing = names.iter().map(|name| ((*name).to_owned(), garbage(name))).collect();
    assert_eq!(world.take(Input::Listed(source("first"), listing)), "");
    assert_eq!(world.standing("catalog", Standing::Up), 3);
}
