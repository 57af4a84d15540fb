//! What garbage in a registry may cost.

use super::{World, source, unreadable};
use crate::table::unreadable::{FINDINGS_MAX, TEXT_BYTES_MAX};
use crate::table::{Input, Said};

#[test]
fn a_thousand_garbage_values_hurt_nobody() {
    let mut world = World::new();
    world.put_all("first", &["catalog/a", "catalog/b"]);
    for at in 0..1000 {
        let garbage = Said::Unreadable(unreadable(&"é".repeat(10_000)));
        assert_eq!(world.take(Input::Put(source("first"), format!("garbage/{at}"), garbage)), "");
    }
    let found = world.table.unreadable();
    assert_eq!(found.len(), FINDINGS_MAX);
    assert!(found.iter().all(|(_, key, found)| key.len() + found.message.len() <= 2 * TEXT_BYTES_MAX));
    assert_eq!(world.shows(), "catalog/a first up, catalog/b first up");
    assert_eq!(world.list("first", &["catalog/a", "catalog/b"]), "");
    assert_eq!(world.table.unreadable(), []);
}

#[test]
fn the_garbage_of_one_source_hides_not_that_of_another() {
    let mut world = World::new();
    for (of, count) in [("first", 1000), ("second", 1)] {
        for at in 0..count {
            let garbage = Said::Unreadable(unreadable("no JSON"));
            world.take(Input::Put(source(of), format!("{at}{}", "x".repeat(10_000)), garbage));
        }
    }
    let found = world.table.unreadable();
    assert_eq!(found.last().unwrap().0, source("second"));
    assert_eq!(found.last().unwrap().1.len(), TEXT_BYTES_MAX);
}
