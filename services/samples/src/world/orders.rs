//! Orders of the past.

use std::collections::BTreeMap;

use prost_types::Timestamp;

use super::{ORDERS, PRODUCTS, USERS, World, minutes_ago};
use crate::contract::shop::orders::v1::{BankTransfer, CardPayment, OrderStatus, order::Payment};
use crate::random::Dice;

/// How many of the newest orders are still on their way.
const OPEN: u32 = 900;

/// What can be said of an order without its texts.
#[derive(Debug, Clone)]
pub(crate) struct OrderFacts {
    pub user: u32,
    pub status: OrderStatus,
    pub placed_at: Timestamp,
    pub items: Vec<Line>,
}

/// One line of an order.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line {
    pub product: u32,
    pub quantity: u32,
}

impl World {
    /// Who placed an order of the world.
    pub(crate) fn buyer(self, number: u32) -> u32 {
        1 + Dice::new(self.seed, "buyer", u64::from(number)).skewed(USERS)
    }

    /// An order of the world.
    pub(crate) fn order(self, number: u32) -> OrderFacts {
        let mut dice = Dice::new(self.seed, "order", u64::from(number));
        let status = status(number, &mut dice);
        let lines = 1 + dice.skewed(4);
        let line =
            |dice: &mut Dice| Line { product: 1 + dice.skewed(PRODUCTS), quantity: 1 + dice.skewed(4) };
        OrderFacts {
            user: self.buyer(number),
            status,
            // One every ten minutes, which makes a year of them.
            placed_at: minutes_ago(u64::from(ORDERS - number) * 10),
            items: (0..lines).map(|_| line(&mut dice)).collect(),
        }
    }

    /// How an order of the world was paid.
    pub(crate) fn payment(self, number: u32) -> Payment {
        let mut dice = Dice::new(self.seed, "payment", u64::from(number));
        match dice.below(10) {
            0..7 => Payment::Card(CardPayment {
                brand: dice.pick(&["Visa", "Mastercard", "Carte Bleue"]).to_owned(),
                last_digits: format!("{:04}", dice.below(10_000)),
            }),
            7..9 => Payment::Transfer(BankTransfer {
                iban: format!("FR76 **** {:04}", dice.below(10_000)),
                reference: format!("ORDER {number}"),
            }),
            _ => Payment::InvoiceNumber(format!("R-2026-{number:06}")),
        }
    }

    /// The coupon, the wish and the marks of an order of the world.
    pub(crate) fn extras(self, number: u32) -> (Option<String>, String, BTreeMap<String, String>) {
        let mut dice = Dice::new(self.seed, "extras", u64::from(number));
        let coupon = dice.percent(12).then(|| dice.pick(&["SPRING10", "WELCOME", "FRIENDS"]).to_owned());
        let note = if dice.percent(10) { "Please leave it with the neighbour." } else { "" };
        let channel = dice.pick(&["web", "app", "partner"]);
        (coupon, note.to_owned(), [("channel".to_owned(), channel.to_owned())].into())
    }
}

fn status(number: u32, dice: &mut Dice) -> OrderStatus {
    if dice.percent(6) {
        return OrderStatus::Cancelled;
    }
    match ORDERS - number {
        0..100 => OrderStatus::Placed,
        100..300 => OrderStatus::Paid,
        300..OPEN => OrderStatus::Shipped,
        _ => OrderStatus::Delivered,
    }
}
