//! The world of one seed: who lives in it, what is sold, who bought and said what.
//!
//! Nothing is stored. Every fact is a function of the seed and a number, so 10 000 products cost no
//! memory and all services agree without asking each other. What callers change is kept beside the
//! world, by the service they call. The world's present is [`NOW`], not the wall clock.

mod catalog;
mod index;
mod orders;
mod people;
mod reviews;
mod words;

use prost_types::Timestamp;

use crate::contract::google::r#type::Money;

pub(crate) use catalog::{CategoryFacts, ProductFacts};
pub(crate) use index::Index;
pub(crate) use people::Person;

/// How many products there are; their numbers begin at 1, as all numbers here do.
pub(crate) const PRODUCTS: u32 = 10_000;
/// How many orders there are.
pub(crate) const ORDERS: u32 = 50_000;
/// How many users there are.
pub(crate) const USERS: u32 = 5_000;
/// How many reviews there are.
pub(crate) const REVIEWS: u32 = 40_000;

/// The present of the world: 1 June 2026, 00:00 UTC.
const NOW: i64 = 1_780_272_000;

/// The world of one seed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct World {
    seed: u64,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }
}

/// The moment so many minutes before the world's present.
fn minutes_ago(minutes: u64) -> Timestamp {
    Timestamp { seconds: NOW - minutes as i64 * 60, nanos: 0 }
}

/// Cents as money: the shop sells in euros.
pub(crate) fn euros(cents: u64) -> Money {
    Money {
        currency_code: "EUR".to_owned(),
        units: (cents / 100) as i64,
        nanos: (cents % 100) as i32 * 10_000_000,
    }
}

/// The id of a product: `P00042`.
pub(crate) fn product_id(number: u32) -> String {
    format!("P{number:05}")
}

/// The number in a product's id, if it is written as ids are.
pub(crate) fn product_number(id: &str) -> Option<u32> {
    let number = id.strip_prefix('P')?.parse().ok()?;
    (product_id(number) == id).then_some(number)
}

/// The number in a user's id, if it is written as ids are.
pub(crate) fn user_number(id: &str) -> Option<u32> {
    let number: u32 = id.parse().ok()?;
    (number > 0 && number.to_string() == id).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_read_as_they_are_written() {
        assert_eq!(product_number("P00042"), Some(42));
        assert_eq!(product_number("P123456"), Some(123_456));
        for id in ["", "P", "42", "P42", "p00042", "P+0042", "P-0042"] {
            assert_eq!(product_number(id), None, "{id}");
        }
        assert_eq!(user_number("42"), Some(42));
        for id in ["", "0", "042", "+42", "-1", "users/42"] {
            assert_eq!(user_number(id), None, "{id}");
        }
    }

    #[test]
    fn one_seed_makes_one_world() {
        let (one, same, other) = (World::new(1), World::new(1), World::new(2));
        let tell = |world: World| {
            (1..=200)
                .map(|n| {
                    let product = world.product(n);
                    (
                        world.title(&product),
                        world.person(n).name(),
                        world.order(n).user,
                        world.review_title(n),
                    )
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(tell(one), tell(same));
        assert_ne!(tell(one), tell(other));
    }

    #[test]
    fn everybody_refers_to_somebody_who_exists() {
        let world = World::new(42);
        for number in 1..=ORDERS {
            let order = world.order(number);
            assert!((1..=USERS).contains(&order.user));
            assert!(!order.items.is_empty());
            assert!(
                order.items.iter().all(|item| (1..=PRODUCTS).contains(&item.product) && item.quantity > 0)
            );
        }
        for number in 1..=REVIEWS {
            let review = world.review(number);
            assert!((1..=USERS).contains(&review.user) && (1..=PRODUCTS).contains(&review.product));
            assert!((1..=5).contains(&review.stars));
        }
        for number in 1..=PRODUCTS {
            assert!(world.category(world.product(number).category).is_some());
        }
    }
}
