//! Keys in calls: how many, how many at a time, and what becomes of unknown ones.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};
use prost::Message;
use serde_json::{Value, json};
use tokio::time::Instant;
use tonic::Code;
use turnout_samples::contract::shop::catalog::v1 as catalog;
use turnout_samples::contract::shop::reviews::v1 as reviews;

use super::world::{CALL, Sent, World, failure, json, orders_of, product, review, user_ids, users_by};
use crate::execute::batch::{CALLS_MAX, EXTRA_CALLS_MAX};
use crate::execute::call::{Call, Messages};
use crate::execute::run::perform;
use crate::upstream::{Failure, Origin};

const USERS: &str = "{ orders { orders { user { id } } } }";

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("U{number:03}")).collect()
}

/// Asks for the users of orders, one order a user.
async fn users(count: usize, batch: impl Fn(&[u8]) -> Result<Vec<u8>, Failure> + Sync) -> (Value, Vec<Sent>) {
    let world = World::get();
    let names = names(count);
    let answers = |method: &str, message: &[u8]| match method {
        "ListOrders" => Ok(orders_of(names.iter().map(String::as_str))),
        _ => batch(message),
    };
    world.ask(USERS, answers).await
}

/// What a user is in the answer, by its order.
fn user_of(answer: &Value, order: usize) -> &Value {
    &answer["data"]["orders"]["orders"][order]["user"]
}

/// A service that answers for all keys or for none.
fn atomic<'u>(unknown: impl Fn(&str) -> bool + Sync + 'u) -> impl Fn(&[u8]) -> Result<Vec<u8>, Failure> + 'u {
    move |message| match user_ids(message).iter().find(|id| unknown(id)) {
        Some(id) => Err(failure(Code::NotFound, &format!("no user {id}"))),
        None => Ok(users_by(message)),
    }
}

#[tokio::test(start_paused = true)]
async fn no_call_has_more_keys_than_the_service_takes() {
    let begin = Instant::now();
    let (answer, sent) = users(250, |message| Ok(users_by(message))).await;
    let sizes: Vec<usize> = sent[1..].iter().map(|sent| user_ids(&sent.message).len()).collect();
    assert_eq!(sizes, [100, 100, 50]);
    assert_eq!(begin.elapsed(), CALL * 2);
    assert_eq!(user_of(&answer, 249)["id"], "U249");
    assert_eq!(answer.get("errors"), None);
}

#[tokio::test(start_paused = true)]
async fn a_service_that_takes_one_key_is_not_flooded() {
    let world = World::get();
    let answers = |method: &str, message: &[u8]| match method {
        "ListProducts" => {
            let products = (0..40).map(|number| product(&format!("P{number}"))).collect();
            Ok(catalog::ListProductsResponse { products, ..Default::default() }.encode_to_vec())
        }
        _ => match reviews::GetAverageRatingRequest::decode(message).unwrap().product_id.as_str() {
            "P7" => Err(failure(Code::NotFound, "no product P7")),
            "P8" => Err(failure(Code::Internal, "row 8 is broken")),
            _ => Ok(reviews::GetAverageRatingResponse { average_rating: Some(4.5), review_count: 2 }
                .encode_to_vec()),
        },
    };
    let begin = Instant::now();
    let (answer, sent) = world.ask("{ products { products { averageRating } } }", answers).await;
    assert_eq!(sent.len(), 41);
    assert_eq!(begin.elapsed(), CALL * 4, "three rounds of at most 16 after the list");
    let products = answer["data"]["products"]["products"].as_array().unwrap();
    let missing: Vec<usize> = (0..40).filter(|at| products[*at]["averageRating"].is_null()).collect();
    assert_eq!(missing, [7, 8]);
    assert_eq!(answer["errors"].as_array().unwrap().len(), 1);
    assert_eq!(answer["errors"][0]["path"], json!(["products", "products", 8, "averageRating"]));
}

#[tokio::test(start_paused = true)]
async fn an_operation_makes_so_many_calls_for_keys_and_no_more() {
    let world = World::get();
    let count = CALLS_MAX + 100;
    let answers =
        |method: &str, _: &[u8]| match method {
            "ListProducts" => {
                let products = (0..count).map(|number| product(&format!("P{number:05}"))).collect();
                Ok(catalog::ListProductsResponse { products, ..Default::default() }.encode_to_vec())
            }
            _ => Ok(reviews::GetAverageRatingResponse { average_rating: Some(4.5), review_count: 2 }
                .encode_to_vec()),
        };
    let (answer, sent) = world.ask("{ products { products { averageRating } } }", answers).await;
    assert_eq!(sent.len(), 1 + CALLS_MAX);
    let products = answer["data"]["products"]["products"].as_array().unwrap();
    let rated = products.iter().filter(|product| !product["averageRating"].is_null()).count();
    assert_eq!((products.len(), rated), (count, CALLS_MAX));
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 100);
    assert!(errors.iter().all(|error| error["extensions"]["code"] == "RESOURCE_EXHAUSTED"));
}

#[tokio::test(start_paused = true)]
async fn one_unknown_key_does_not_cost_a_batch() {
    let (answer, sent) = users(8, atomic(|id| id == "U005")).await;
    for order in 0..8 {
        assert_eq!(user_of(&answer, order).is_null(), order == 5, "{order}");
    }
    assert_eq!(answer.get("errors"), None);
    // The batch, then two calls for each of three halvings.
    assert_eq!(sent.len() - 1, 1 + 2 * 3);
}

#[tokio::test(start_paused = true)]
async fn halving_never_takes_more_than_two_calls_a_key() {
    let (answer, sent) = users(16, atomic(|_| true)).await;
    assert_eq!(sent.len() - 1, 31);
    assert_eq!(answer.get("errors"), None);
    assert!((0..16).all(|order| user_of(&answer, order).is_null()));
}

#[tokio::test(start_paused = true)]
async fn halving_ends_with_the_operations_allowance() {
    let (answer, sent) = users(100, atomic(|_| true)).await;
    assert_eq!(sent.len() - 1, 1 + 64);
    let errors = answer["errors"].as_array().unwrap();
    assert!(errors.iter().all(|error| error["extensions"]["code"] == "NOT_FOUND"));
    assert!(!errors.is_empty());
}

#[tokio::test(start_paused = true)]
async fn what_is_added_to_an_unknown_key_is_an_empty_list() {
    let world = World::get();
    let answers = |method: &str, message: &[u8]| match method {
        "ListOrders" => Ok(orders_of(["U1", "U2"])),
        "BatchGetUsers" => Ok(users_by(message)),
        _ => match reviews::ListReviewsByUsersRequest::decode(message).unwrap().user_ids.as_slice() {
            [known] if known == "U2" => {
                let reviews = vec![review(1, "P1", "U2"), review(2, "P1", "U2")];
                Ok(reviews::ListReviewsByUsersResponse { reviews }.encode_to_vec())
            }
            _ => Err(failure(Code::NotFound, "no user U1")),
        },
    };
    let (answer, _) = world.ask("{ orders { orders { user { reviews { id } } } } }", answers).await;
    assert_eq!(
        answer,
        json!({"data": {"orders": {"orders": [
            {"user": {"reviews": []}},
            {"user": {"reviews": [{"id": "1"}, {"id": "2"}]}},
        ]}}})
    );
}

#[tokio::test(start_paused = true)]
async fn a_failed_batch_costs_its_own_keys_only() {
    let batch = |message: &[u8]| match user_ids(message).contains(&"U000".to_owned()) {
        true => Err(failure(Code::Unavailable, "10.1.2.3 is restarting")),
        false => Ok(users_by(message)),
    };
    let (answer, sent) = users(150, batch).await;
    assert_eq!(sent.len(), 3);
    assert_eq!(user_of(&answer, 0), &Value::Null);
    assert_eq!(user_of(&answer, 149)["id"], "U149");
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 100);
    assert_eq!(errors[99]["path"], json!(["orders", "orders", 99, "user"]));
    assert!(!answer.to_string().contains("10.1.2.3"));
}

#[tokio::test(start_paused = true)]
async fn items_that_nobody_asked_for_are_not_listened_to() {
    let batch = |_: &[u8]| {
        let users = ["U9", "U000", "U8"].map(super::world::user).to_vec();
        Ok(turnout_samples::contract::shop::users::v2::BatchGetUsersResponse { users }.encode_to_vec())
    };
    let (answer, _) = users(2, batch).await;
    assert_eq!(user_of(&answer, 0)["id"], "U000");
    assert_eq!(user_of(&answer, 1), &Value::Null);
}

#[tokio::test(start_paused = true)]
async fn when_time_has_run_out_the_keys_that_wait_are_not_asked_for() {
    /// Lists products, and answers nothing else before time runs out.
    struct Hangs(AtomicUsize);
    impl Call for Hangs {
        async fn call(&self, fetch: usize, _: Bytes, deadline: Instant) -> Result<Bytes, Failure> {
            if fetch == 0 {
                let products = (0..1000).map(|number| product(&format!("P{number}"))).collect();
                let response = catalog::ListProductsResponse { products, ..Default::default() };
                return Ok(response.encode_to_vec().into());
            }
            self.0.fetch_add(1, Ordering::Relaxed);
            tokio::time::sleep_until(deadline).await;
            Err(Failure { origin: Origin::Deadline, ..failure(Code::DeadlineExceeded, "late") })
        }

        async fn open(&self, _: usize, _: Bytes) -> Result<Messages, Failure> {
            std::future::pending().await
        }
    }
    let world = World::get();
    let prepared = world.prepare("{ products { products { id averageRating } } }");
    let operation = world.operation(&prepared, "");
    let hangs = Hangs(AtomicUsize::new(0));
    let answer = json(&perform(&operation, &hangs).await);
    assert_eq!(Instant::now(), operation.deadline);
    assert_eq!(hangs.0.into_inner(), 16);
    assert_eq!(answer["data"]["products"]["products"][999], json!({"id": "P999", "averageRating": null}));
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 101);
    assert!(errors[..100].iter().all(|error| error["extensions"]["code"] == "DEADLINE_EXCEEDED"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_known_key_is_found_and_calls_are_bounded(
        count in 1usize..160,
        unknown in proptest::collection::btree_set(0usize..160, 0..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        let is_unknown = |id: &str| id[1..].parse().is_ok_and(|number: usize| unknown.contains(&number));
        let (answer, sent) = runtime.block_on(users(count, atomic(is_unknown)));
        for order in 0..count {
            prop_assert_eq!(user_of(&answer, order).is_null(), unknown.contains(&order), "{}", order);
        }
        prop_assert_eq!(answer.get("errors"), None);
        prop_assert!(sent.len() - 1 <= (2 * count).min(2 + EXTRA_CALLS_MAX));
        prop_assert!(sent[1..].iter().all(|sent| user_ids(&sent.message).len() <= 100));
    }
}
