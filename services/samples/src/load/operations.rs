//! What the frontends ask, how often, and with which values.
//!
//! The texts are the files of `frontend-versions/<app>/<version>/operations/`, the same that the pages
//! send. `web@2.5.0` asks for `deliveryTime`, which came with catalog 1.5. Not here: page after page of
//! a list, because a page token is only good after the page that gave it.

use anyhow::bail;
use serde_json::{Value, json};

use crate::random::Dice;
use crate::world::{ORDERS, PRODUCTS, product_id};

/// An operation of a frontend.
#[derive(Debug)]
pub(super) struct Operation {
    pub frontend: &'static str,
    pub name: &'static str,
    pub text: &'static str,
    /// How often, compared with the others.
    pub weight: u32,
    /// Its variables, for the user with this number.
    pub variables: fn(&mut Dice, u32) -> Value,
}

/// One operation to send.
#[derive(Debug)]
pub(super) struct Play {
    pub frontend: &'static str,
    pub unit: String,
    pub name: &'static str,
    pub text: &'static str,
    pub variables: Value,
}

macro_rules! operation {
    ($app:literal, $version:literal, $name:literal, $weight:literal, $variables:expr) => {
        Operation {
            frontend: concat!($app, "@", $version),
            name: $name,
            text: include_str!(concat!(
                "../../../../frontend-versions/",
                $app,
                "/",
                $version,
                "/operations/",
                $name,
                ".graphql"
            )),
            weight: $weight,
            variables: $variables,
        }
    };
}

/// Every operation of every frontend.
pub(super) const OPERATIONS: &[Operation] = &[
    operation!("web", "2.4.1", "Home", 30, a_shelf),
    operation!("web", "2.4.1", "ProductPage", 30, a_product),
    operation!("web", "2.4.1", "MyOrders", 15, the_user),
    operation!("web", "2.4.1", "OrderPage", 10, an_order),
    operation!("web", "2.4.1", "PlaceOrder", 1, a_purchase),
    operation!("web", "2.5.0", "Home", 30, an_order_of_products),
    operation!("web", "2.5.0", "ProductPage", 30, a_product),
    operation!("web", "2.5.0", "Search", 15, a_search),
    operation!("web", "2.5.0", "MyAccount", 10, the_named_user),
    operation!("web", "2.5.0", "PlaceOrder", 1, a_purchase),
    operation!("web", "2.5.0", "WriteReview", 1, a_review),
    operation!("partner", "1.9.0", "StockList", 12, the_first_page),
    operation!("partner", "1.9.0", "OrderExport", 8, delivered_orders),
];

/// Chooses what to play next.
#[derive(Debug)]
pub(super) struct Player {
    operations: Vec<&'static Operation>,
    weights: u32,
    users: u32,
    seed: u64,
}

impl Player {
    /// Plays the operations of these frontends, or of all when none is named.
    pub(super) fn new(frontends: &[String], users: u32, seed: u64) -> anyhow::Result<Self> {
        if let Some(unknown) =
            frontends.iter().find(|name| OPERATIONS.iter().all(|known| known.frontend != *name))
        {
            let mut known: Vec<_> = OPERATIONS.iter().map(|operation| operation.frontend).collect();
            known.dedup();
            bail!("--frontend {unknown}: there are operations of {}", known.join(", "));
        }
        let wanted = |operation: &&Operation| {
            frontends.is_empty() || frontends.iter().any(|f| f == operation.frontend)
        };
        let operations: Vec<_> = OPERATIONS.iter().filter(wanted).collect();
        let weights = operations.iter().map(|operation| operation.weight).sum();
        Ok(Self { operations, weights, users, seed })
    }

    /// The next operation. A user is always on the same frontend, as people are.
    pub(super) fn next(&self, dice: &mut Dice) -> Play {
        let mut left = dice.below(self.weights);
        let mut chosen = self.operations[0];
        for operation in &self.operations {
            chosen = operation;
            match left.checked_sub(operation.weight) {
                Some(rest) => left = rest,
                None => break,
            }
        }
        let user = self.user_of(chosen.frontend, dice);
        Play {
            frontend: chosen.frontend,
            unit: format!("user-{user}"),
            name: chosen.name,
            text: chosen.text,
            variables: (chosen.variables)(dice, user),
        }
    }

    /// A user of a frontend: the users are dealt out to the frontends in turn.
    fn user_of(&self, frontend: &str, dice: &mut Dice) -> u32 {
        let mut frontends: Vec<_> = self.operations.iter().map(|operation| operation.frontend).collect();
        frontends.dedup();
        let count = frontends.len() as u32;
        let place = frontends.iter().position(|name| *name == frontend).unwrap_or(0) as u32;
        // A part of the seed turns the deal, so that two generators need not share users.
        let turn = (self.seed % u64::from(count)) as u32;
        let round = dice.below(self.users.div_ceil(count));
        (round * count + (place + turn) % count).min(self.users - 1) + 1
    }
}

/// The smallest operation, to see whether anybody is there.
pub(super) fn probe() -> Play {
    Play {
        frontend: OPERATIONS[0].frontend,
        unit: "probe".to_owned(),
        name: "Probe",
        text: "query Probe { __typename }",
        variables: json!({}),
    }
}

/// The whole shop, or one of its six top shelves.
fn a_shelf(dice: &mut Dice, _user: u32) -> Value {
    match dice.below(4) {
        0 => json!({ "categoryId": (1 + dice.below(6)).to_string() }),
        _ => json!({ "categoryId": null }),
    }
}

fn an_order_of_products(dice: &mut Dice, _user: u32) -> Value {
    match dice.below(4) {
        0 => json!({ "orderBy": dice.pick(&["PRICE_ASC", "PRICE_DESC"]) }),
        _ => json!({ "orderBy": null }),
    }
}

fn the_first_page(_dice: &mut Dice, _user: u32) -> Value {
    json!({ "pageToken": null })
}

fn delivered_orders(_dice: &mut Dice, _user: u32) -> Value {
    json!({ "statuses": ["DELIVERED"], "pageToken": null })
}

fn a_product(dice: &mut Dice, _user: u32) -> Value {
    json!({ "id": product_id(1 + dice.skewed(PRODUCTS)) })
}

fn the_user(_dice: &mut Dice, user: u32) -> Value {
    json!({ "id": user.to_string() })
}

fn the_named_user(_dice: &mut Dice, user: u32) -> Value {
    json!({ "name": format!("users/{user}") })
}

fn an_order(dice: &mut Dice, _user: u32) -> Value {
    json!({ "id": (1 + dice.below(ORDERS)).to_string() })
}

fn a_purchase(dice: &mut Dice, user: u32) -> Value {
    let item = json!({ "productId": product_id(1 + dice.skewed(PRODUCTS)), "quantity": 1 + dice.below(3) });
    json!({ "userId": user.to_string(), "items": [item] })
}

fn a_search(dice: &mut Dice, _user: u32) -> Value {
    json!({ "text": dice.pick(&["oak", "nor", "lam", "tea", "travel b", "wool"]) })
}

fn a_review(dice: &mut Dice, user: u32) -> Value {
    json!({
        "productId": product_id(1 + dice.skewed(PRODUCTS)),
        "userId": user.to_string(),
        "stars": 3 + dice.below(3),
        "title": "Just as described",
        "text": null,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_holds_the_operation_it_is_named_after() {
        for operation in OPERATIONS {
            let heads = ["query", "mutation"].map(|kind| format!("{kind} {}", operation.name));
            let holds = heads.iter().any(|head| operation.text.contains(head.as_str()));
            assert!(holds, "{} {}", operation.frontend, operation.name);
        }
    }

    #[test]
    fn every_variable_that_is_declared_is_sent_and_no_other() {
        for operation in OPERATIONS {
            let sent = (operation.variables)(&mut Dice::new(1, "test", 0), 7);
            let head = operation.text.split('{').next().unwrap_or_default();
            let declared: Vec<_> =
                head.split('$').skip(1).filter_map(|rest| rest.split(':').next()).collect();
            for name in &declared {
                assert!(sent.get(name).is_some(), "{} {}: ${name}", operation.frontend, operation.name);
            }
            let count = sent.as_object().map_or(0, serde_json::Map::len);
            assert_eq!(count, declared.len(), "{} {}", operation.frontend, operation.name);
        }
    }

    #[test]
    fn weights_are_kept_and_users_stay_with_their_frontend() {
        let player = Player::new(&[], 300, 42).unwrap();
        let mut dice = Dice::new(42, "load", 0);
        let mut frontend_of = std::collections::BTreeMap::new();
        let mut partner = 0;
        for _ in 0..20_000 {
            let play = player.next(&mut dice);
            partner += u32::from(play.frontend == "partner@1.9.0");
            let first = *frontend_of.entry(play.unit.clone()).or_insert(play.frontend);
            assert_eq!(first, play.frontend, "{}", play.unit);
        }
        // 20 of 193.
        assert!((1890..2260).contains(&partner), "{partner}");
        assert_eq!(frontend_of.len(), 300);
    }

    #[test]
    fn an_unknown_frontend_is_refused() {
        assert!(Player::new(&["web@9.9.9".to_owned()], 10, 1).is_err());
    }
}
