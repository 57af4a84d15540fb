//! What is written, by whom, and who is shown for it.

use super::{World, said, source, unreadable};
use crate::registry::{Presence, Registered};
use crate::table::Removal::{Expired, Goodbye, Unknown};
use crate::table::{Input, Said};

#[test]
fn an_instance_comes_and_says_goodbye() {
    let mut world = World::new();
    assert_eq!(world.put("first", "k", "catalog/a"), "up catalog/a");
    assert_eq!(world.put("first", "k", "catalog/a"), "", "the same again is nothing new");
    assert_eq!(world.put("first", "k", "catalog/a weighs 7"), "up catalog/a");
    assert_eq!(world.remove("first", "k", Goodbye), "down catalog/a deregistered");
    assert_eq!(world.remove("first", "k", Goodbye), "");
}

#[test]
fn who_drained_before_is_gone_at_once_however_it_goes() {
    for how in [Goodbye, Expired, Unknown] {
        let mut world = World::new();
        world.put("first", "k", "catalog/a drains");
        assert_eq!(world.remove("first", "k", how), "down catalog/a deregistered", "{how:?}");
    }
}

#[test]
fn an_entry_that_says_no_instance_says_goodbye_for_the_one_it_was() {
    let mut world = World::new();
    world.put("first", "k", "catalog/a");
    let nothing = |key: &str| Input::Put(source("first"), key.into(), Said::Nothing);
    assert_eq!(world.take(nothing("k")), "down catalog/a deregistered");
    assert_eq!(world.take(nothing("other")), "");
}

#[test]
fn an_instance_with_two_keys_goes_with_the_last_of_them() {
    let mut world = World::new();
    world.put("first", "user.rpc/1", "user/10.0.0.1-80");
    assert_eq!(world.put("first", "user.rpc/2", "user/10.0.0.1-80"), "");
    assert_eq!(world.remove("first", "user.rpc/1", Expired), "", "it registered anew before");
    assert_eq!(world.remove("first", "user.rpc/2", Goodbye), "down user/10.0.0.1-80 deregistered");
}

#[test]
fn of_two_keys_the_one_of_the_newer_process_counts() {
    let mut world = World::new();
    let process = |incarnation| {
        let mut said = said(&source("first"), &format!("user/a weighs {incarnation}"));
        std::sync::Arc::make_mut(&mut said.instance).incarnation = incarnation;
        Said::Instance(said)
    };
    let put = |key: &str, incarnation| Input::Put(source("first"), key.into(), process(incarnation));
    assert_eq!(world.take(put("z", 1)), "up user/a");
    assert_eq!(world.take(put("a", 2)), "up user/a");
    assert_eq!(world.take(put("z", 1)), "");
    assert_eq!(world.remove("first", "a", Expired), "up user/a");
    assert_eq!(world.shows(), "user/a first up");
}

#[test]
fn an_entry_that_speaks_of_another_instance_ends_the_first() {
    let mut world = World::new();
    world.put("first", "task", "task/a");
    assert_eq!(world.put("first", "task", "task/b"), "up task/b, down task/a deregistered");
}

#[test]
fn two_ids_with_one_address_in_one_source_are_two() {
    let mut world = World::new();
    assert_eq!(world.put("first", "1", "catalog/a at 80"), "up catalog/a");
    assert_eq!(world.put("first", "2", "catalog/b at 80"), "up catalog/b");
    assert_eq!(world.shows(), "catalog/a first up, catalog/b first up");
}

#[test]
fn services_with_names_that_begin_alike_do_not_mix() {
    let mut world = World::new();
    world.put("first", "/microservices/foo/1", "foo/a at 80");
    world.put("second", "/microservices/foo2/1", "foo2/a at 80");
    assert_eq!(world.shows(), "foo/a first up, foo2/a second up");
    assert_eq!(world.remove("first", "/microservices/foo/1", Goodbye), "down foo/a deregistered");
    assert_eq!(world.shows(), "foo2/a second up");
}

#[test]
fn the_source_of_higher_rank_wins_whoever_came_first() {
    for order in [["first", "second"], ["second", "first"]] {
        let mut world = World::new();
        for of in order {
            world.put(of, "k", "catalog/a weighs 7");
        }
        assert_eq!(world.shows(), "catalog/a first up", "{order:?}");
    }
}

#[test]
fn who_was_shadowed_takes_over_when_the_winner_goes() {
    for (how, id, events) in [
        (Goodbye, "a", "up catalog/a"),
        (Expired, "a", "up catalog/a"),
        (Goodbye, "b", "up catalog/b, down catalog/a deregistered"),
        (Expired, "b", "up catalog/b, down catalog/a expired"),
    ] {
        let mut world = World::new();
        world.put("first", "k", "catalog/a at 80");
        assert_eq!(world.put("second", "k", &format!("catalog/{id} at 80")), "");
        assert_eq!(world.remove("first", "k", how), events, "{how:?} {id}");
        assert_eq!(world.shows(), format!("catalog/{id} second up"));
        world.put("first", "k", "catalog/a at 80");
        assert_eq!(world.shows(), "catalog/a first up");
    }
}

#[test]
fn a_source_that_nobody_ranked_comes_last() {
    let mut world = World::new();
    world.put("another", "k", "catalog/a");
    world.put("zoo", "k", "catalog/a");
    assert_eq!(world.shows(), "catalog/a another up");
    world.put("second", "k", "catalog/a");
    assert_eq!(world.shows(), "catalog/a second up");
}

#[test]
fn a_listing_tells_only_what_differs() {
    let mut world = World::new();
    let all = ["catalog/a", "catalog/b", "orders/c", "orders/d"];
    assert_eq!(world.list("first", &all), "up catalog/a, up catalog/b, up orders/c, up orders/d");
    assert_eq!(world.list("first", &all), "");
    let next = ["catalog/a", "catalog/b weighs 7", "orders/c", "users/e"];
    assert_eq!(world.list("first", &next), "up catalog/b, up users/e, orders/d missing");
    assert_eq!(world.list("second", &[]), "", "it is another source that is empty");
}

#[test]
fn a_listing_is_no_heartbeat_and_a_registration_is_one() {
    let mut world = World::new();
    world.list("first", &["catalog/a"]);
    let silent = Input::Heard(source("first"), "catalog/a".into(), Presence::Silent);
    assert_eq!(world.take(silent.clone()), "catalog/a silent");
    assert_eq!(world.take(silent), "");
    assert_eq!(world.list("first", &["catalog/a"]), "");
    assert_eq!(world.shows(), "catalog/a first suspect");
    assert_eq!(world.put("first", "catalog/a", "catalog/a"), "catalog/a here");
    let nobody = Input::Heard(source("first"), "catalog/x".into(), Presence::Silent);
    assert_eq!(world.take(nobody), "");
}

#[test]
fn the_time_of_a_registration_is_that_of_its_first_sight() {
    let mut world = World::new();
    let at = |at| {
        let said = said(&source("first"), "catalog/a");
        Said::Instance(Registered { registered_at: crate::id::Timestamp(at), ..said })
    };
    let put = |time| Input::Put(source("first"), "k".into(), at(time));
    assert_eq!(world.take(put(1)), "up catalog/a");
    assert_eq!(world.take(put(2)), "");
    let listed = Input::Listed(source("first"), [("k".to_owned(), at(3))].into());
    assert_eq!(world.take(listed), "");
}

#[test]
fn what_cannot_be_read_any_more_holds_on_as_it_was() {
    let mut world = World::new();
    world.put("first", "k", "catalog/a");
    let garbage = |key: &str, text: &str| {
        Input::Put(source("first"), key.to_owned(), Said::Unreadable(unreadable(text)))
    };
    assert_eq!(world.take(garbage("k", "no JSON")), "");
    assert_eq!(world.take(garbage("x", "no JSON either")), "");
    let found: Vec<String> = world.table.unreadable().into_iter().map(|(_, key, _)| key).collect();
    assert_eq!(found, ["k", "x"]);
    let listing = [("k".to_owned(), Said::Unreadable(unreadable("still none")))];
    assert_eq!(world.take(Input::Listed(source("first"), listing.into())), "");
    assert_eq!(world.shows(), "catalog/a first up");
    assert_eq!(world.table.unreadable(), [(source("first"), "k".to_owned(), unreadable("still none"))]);
    assert_eq!(world.remove("first", "k", Goodbye), "down catalog/a deregistered");
    assert_eq!(world.table.unreadable(), []);
}

#[test]
fn who_contradicts_its_version_is_refused_and_who_was_there_first_is_not() {
    let mut world = World::new();
    world.put("first", "1", "catalog/a schema one");
    assert_eq!(world.put("first", "2", "catalog/b schema two"), "up catalog/b refused");
    assert_eq!(world.put("first", "3", "catalog/c"), "up catalog/c", "it names none");
    assert_eq!(world.put("first", "4", "catalog/d@2.0.0 schema two"), "up catalog/d");
    let (service, id) = ("catalog".parse().unwrap(), "b".parse().unwrap());
    let refused = world.snapshot.instance(&service, &id).unwrap().refused.clone().unwrap();
    assert_eq!(refused.code, "VERSION_BOUND");
    world.remove("first", "1", Goodbye);
    assert_eq!(world.shows(), "catalog/b first refused, catalog/c first up, catalog/d first up");
    assert_eq!(world.remove("first", "2", Expired), "down catalog/b expired", "nobody misses it");
}

#[test]
fn a_version_record_decides_between_two_who_contradict_each_other() {
    let mut world = World::new();
    world.put("first", "1", "catalog/a schema one");
    world.put("first", "2", "catalog/b schema two");
    let events = world.version("catalog", "1.0.0", "two");
    assert_eq!(events, "version catalog 1.0.0, up catalog/a refused, up catalog/b");
    assert_eq!(world.version("catalog", "1.0.0", "two"), "");
    assert_eq!(world.version("catalog", "2.0.0", "three"), "version catalog 2.0.0");
    assert_eq!(world.put("first", "3", "catalog/c@2.0.0 schema four"), "up catalog/c refused");
}

#[test]
fn what_its_source_refuses_stays_refused_and_binds_nothing() {
    let mut world = World::new();
    let mut bad = said(&source("first"), "catalog/a schema one");
    bad.refused = Some(std::sync::Arc::new(unreadable("retired")));
    let put = Input::Put(source("first"), "1".into(), Said::Instance(bad));
    assert_eq!(world.take(put), "up catalog/a refused");
    assert_eq!(world.put("first", "2", "catalog/b schema two"), "up catalog/b");
}

#[test]
fn a_table_goes_on_from_what_was_known() {
    let entry = |text: &str| said(&source("first"), text);
    let missing = Registered { presence: Presence::Missing, ..entry("catalog/c") };
    let known =
        [("first", "1", entry("catalog/a")), ("first", "2", entry("catalog/b")), ("first", "3", missing)];
    let mut world = World::knowing(&known);
    assert_eq!(world.shows(), "catalog/a first up, catalog/b first up, catalog/c first suspect");
    assert_eq!(world.probes(), ["catalog/c"]);
    let listing = |keys: &[usize]| {
        let entry = |at: &usize| (known[*at].1.to_owned(), Said::Instance(known[*at].2.clone()));
        Input::Listed(source("first"), keys.iter().map(entry).collect())
    };
    assert_eq!(world.take(listing(&[0, 1])), "");
    assert_eq!(world.take(listing(&[0, 1, 2])), "catalog/c here");
}

#[test]
fn a_snapshot_is_brought_to_what_the_table_shows() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a", "catalog/b"]);
    let mut other = World::new();
    other.put_all("first", &["catalog/a weighs 7", "orders/c"]);
    let events = world.table.differs(&other.snapshot);
    assert_eq!(events.len(), 3);
    let mended = other.snapshot.fold(&events);
    assert_eq!(world.table.differs(&mended), []);
    assert!(mended.instances().eq(world.snapshot.instances()));
}
