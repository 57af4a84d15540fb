//! People: the customers of the shop, and those who keep a to-do list.

use prost_types::{Duration, Timestamp};

use super::words::{CHORES, FIRST_NAMES, LAST_NAMES, STREETS, TOWNS};
use super::{USERS, World, minutes_ago};
use crate::contract::shop::orders::v1::ShippingAddress;
use crate::contract::todo::v1::{Task, TaskPriority, TaskStatus};
use crate::random::Dice;

/// Somebody.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Person {
    pub number: u32,
    pub first: &'static str,
    pub last: &'static str,
    pub street: &'static str,
    pub house: u32,
    /// Postal code, town, country.
    pub town: (&'static str, &'static str, &'static str),
    /// A number for everything else that must be decided about somebody.
    pub trait_bits: u64,
}

impl Person {
    /// First and last name.
    pub(crate) fn name(&self) -> String {
        format!("{} {}", self.first, self.last)
    }

    /// Where mail goes; the number keeps addresses apart.
    pub(crate) fn email(&self) -> String {
        format!("{}.{}{}@mail.example", self.first, self.last, self.number).to_lowercase()
    }

    /// When the account was opened: one every two hours, in the order of the numbers.
    pub(crate) fn joined(&self) -> Timestamp {
        minutes_ago(u64::from(USERS.saturating_sub(self.number)) * 120)
    }

    /// Where parcels go.
    pub(crate) fn address(&self) -> ShippingAddress {
        let (postal_code, city, country_code) = self.town;
        ShippingAddress {
            recipient: self.name(),
            street: format!("{} {}", self.street, self.house),
            postal_code: postal_code.to_owned(),
            city: city.to_owned(),
            country_code: country_code.to_owned(),
        }
    }
}

impl World {
    /// One person; any number will do.
    pub(crate) fn person(self, number: u32) -> Person {
        let mut dice = Dice::new(self.seed, "person", u64::from(number));
        Person {
            number,
            first: dice.pick(FIRST_NAMES),
            last: dice.pick(LAST_NAMES),
            street: dice.pick(STREETS),
            house: 1 + dice.below(120),
            town: TOWNS[dice.below(TOWNS.len() as u32) as usize],
            trait_bits: dice.next(),
        }
    }

    /// A task of the to-do list; its owner is one of `owners` accounts.
    pub(crate) fn task(self, number: u32, owners: u32) -> Task {
        let mut dice = Dice::new(self.seed, "task", u64::from(number));
        let due = minutes_ago(0).seconds + i64::from(dice.below(30 * 24)) * 3600 - 5 * 86_400;
        let status = [TaskStatus::Open, TaskStatus::Open, TaskStatus::Started, TaskStatus::Done]
            [dice.below(4) as usize];
        let priority = [TaskPriority::Low, TaskPriority::Normal, TaskPriority::High][dice.below(3) as usize];
        Task {
            id: u64::from(number),
            user_id: 1 + dice.below(owners),
            title: dice.pick(CHORES).to_owned(),
            description: String::new(),
            status: status.into(),
            priority: priority.into(),
            due_at: dice.percent(70).then_some(Timestamp { seconds: due, nanos: 0 }),
            estimate: Some(Duration { seconds: i64::from(1 + dice.below(16)) * 900, nanos: 0 }),
            completed_at: (status == TaskStatus::Done).then(|| minutes_ago(u64::from(dice.below(10_000)))),
            labels: ["home", "work", "soon"]
                .iter()
                .filter(|_| dice.percent(30))
                .map(|l| (*l).to_owned())
                .collect(),
        }
    }
}
