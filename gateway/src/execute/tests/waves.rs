//! What is called, after what, and how often.

use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use prost::Message;
use serde_json::json;
use tokio::time::Instant;
use tonic::Code;
use turnout_samples::contract::shop::catalog::v1 as catalog;
use turnout_samples::contract::shop::orders::v1 as orders;
use turnout_samples::contract::shop::reviews::v1 as reviews;

use super::world::{
    CALL, World, failure, json, methods, order, orders_of, product, review, user_ids, users_by,
};
use crate::execute::call::{Call, Messages};
use crate::execute::run::{Outcome, perform, run};
use crate::upstream::Failure;

fn the_order(_: &str, message: &[u8]) -> Vec<u8> {
    let id = orders::GetOrderRequest::decode(message).unwrap().id;
    orders::GetOrderResponse { order: Some(order(id, "U1")) }.encode_to_vec()
}

#[tokio::test(start_paused = true)]
async fn one_field_is_one_call() {
    let world = World::get();
    let answers = |method: &str, message: &[u8]| Ok(the_order(method, message));
    let (answer, sent) = world
        .ask_with("query($id: ID!) { mine: order(id: $id) { id userId } }", r#"{"id": "7"}"#, answers)
        .await;
    assert_eq!(String::from_utf8(answer.body).unwrap(), r#"{"data":{"mine":{"id":"7","userId":"U1"}}}"#);
    assert_eq!(answer.outcome, Outcome::Complete);
    assert_eq!(methods(&sent), ["GetOrder"]);
    assert_eq!(sent[0].message, orders::GetOrderRequest { id: 7 }.encode_to_vec());
}

#[tokio::test(start_paused = true)]
async fn the_calls_of_a_wave_are_side_by_side() {
    let world = World::get();
    let begin = Instant::now();
    let answers = |method: &str, message: &[u8]| Ok(the_order(method, message));
    let (answer, sent) =
        world.ask("{ a: order(id: 1) { id } b: order(id: 2) { id } c: order(id: 3) { id } }", answers).await;
    assert_eq!(answer["data"], json!({"a": {"id": "1"}, "b": {"id": "2"}, "c": {"id": "3"}}));
    assert_eq!(sent.len(), 3);
    assert_eq!(begin.elapsed(), CALL);
}

#[tokio::test(start_paused = true)]
async fn a_join_asks_for_each_key_once() {
    let world = World::get();
    let answers = |method: &str, message: &[u8]| {
        Ok(match method {
            "ListOrders" => orders_of(["U2", "U1", "U2", "", "U1"]),
            _ => users_by(message),
        })
    };
    let (answer, sent) = world.ask("{ orders { orders { user { displayName } } } }", answers).await;
    assert_eq!(
        answer,
        json!({"data": {"orders": {"orders": [
            {"user": {"displayName": "user U2"}},
            {"user": {"displayName": "user U1"}},
            {"user": {"displayName": "user U2"}},
            {"user": null},
            {"user": {"displayName": "user U1"}},
        ]}}})
    );
    assert_eq!(methods(&sent), ["ListOrders", "BatchGetUsers"]);
    assert_eq!(user_ids(&sent[1].message), ["U1", "U2"]);
}

#[tokio::test(start_paused = true)]
async fn what_an_early_wave_has_loaded_is_not_asked_for_again() {
    let world = World::get();
    let answers = |method: &str, message: &[u8]| {
        Ok(match method {
            "GetReview" => reviews::GetReviewResponse { review: Some(review(1, "P1", "U1")) }.encode_to_vec(),
            "ListReviewsByUsers" => {
                let reviews = vec![review(1, "P1", "U1"), review(2, "P2", "U1")];
                reviews::ListReviewsByUsersResponse { reviews }.encode_to_vec()
            }
            "BatchGetProducts" => {
                let ids = catalog::BatchGetProductsRequest::decode(message).unwrap().ids;
                let products = ids.iter().map(|id| product(id)).collect();
                catalog::BatchGetProductsResponse { products }.encode_to_vec()
            }
            _ => users_by(message),
        })
    };
    let (answer, sent) = world
        .ask(
            "{ review(id: 1) { product { title }
                 author { reviews { product { title } author { displayName } } } } }",
            answers,
        )
        .await;
    let author = json!({"displayName": "user U1"});
    assert_eq!(
        answer["data"]["review"]["author"]["reviews"],
        json!([
            {"product": {"title": "product P1"}, "author": author},
            {"product": {"title": "product P2"}, "author": author},
        ])
    );
    let mut called = methods(&sent);
    called[1..3].sort_unstable();
    assert_eq!(
        called,
        ["GetReview", "BatchGetProducts", "BatchGetUsers", "ListReviewsByUsers", "BatchGetProducts"]
    );
    let last = catalog::BatchGetProductsRequest::decode(sent[4].message.clone()).unwrap();
    assert_eq!(last.ids, ["P2"]);
}

#[tokio::test(start_paused = true)]
async fn what_is_skipped_is_not_called() {
    let world = World::get();
    let text = "query($no: Boolean! = false) { order(id: 1) { id user @include(if: $no) { id } } x: order(id: 2) @include(if: $no) { id } }";
    let answers = |method: &str, message: &[u8]| {
        Ok(match method {
            "GetOrder" => the_order(method, message),
            _ => users_by(message),
        })
    };
    for variables in ["", "{}", r#"{"no": false}"#] {
        let (answer, sent) = world.ask_with(text, variables, answers).await;
        assert_eq!(json(&answer), json!({"data": {"order": {"id": "1"}}}));
        assert_eq!(methods(&sent), ["GetOrder"]);
    }
    let (answer, sent) = world.ask_with(text, r#"{"no": true}"#, answers).await;
    assert_eq!(json(&answer)["data"], json!({"order": {"id": "1", "user": {"id": "U1"}}, "x": {"id": "2"}}));
    assert_eq!(sent.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_fields_of_a_mutation_are_called_one_after_the_other() {
    let world = World::get();
    let answers = |method: &str, message: &[u8]| match method {
        "CancelOrder" => match orders::CancelOrderRequest::decode(message).unwrap().id {
            1 => Err(failure(Code::FailedPrecondition, "order 1 is on its way")),
            id => Ok(orders::CancelOrderResponse { order: Some(order(id, "U1")) }.encode_to_vec()),
        },
        _ => Ok(users_by(message)),
    };
    let text = "mutation { a: cancelOrder(id: 1) { id } b: cancelOrder(id: 2) { user { id } } c: cancelOrder(id: 3) { id } }";
    let (answer, sent) = world.ask(text, answers).await;
    assert_eq!(answer["data"], json!({"a": null, "b": {"user": {"id": "U1"}}, "c": {"id": "3"}}));
    assert_eq!(answer["errors"][0]["path"], json!(["a"]));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "FAILED_PRECONDITION");
    assert_eq!(methods(&sent), ["CancelOrder", "CancelOrder", "BatchGetUsers", "CancelOrder"]);
    assert!(sent.is_sorted_by(|one, next| one.at + CALL <= next.at));
}

#[tokio::test(start_paused = true)]
async fn the_graph_answers_about_itself_beside_its_fields() {
    let world = World::get();
    let answers = |method: &str, message: &[u8]| Ok(the_order(method, message));
    let (answer, sent) = world
        .ask_with(
            "query($t: String!) { __schema { queryType { name } } order(id: 1) { id } t: __type(name: $t) { kind } }",
            r#"{"t": "Order"}"#,
            answers,
        )
        .await;
    assert_eq!(
        String::from_utf8(answer.body).unwrap(),
        r#"{"data":{"__schema":{"queryType":{"name":"Query"}},"order":{"id":"1"},"t":{"kind":"OBJECT"}}}"#
    );
    assert_eq!(sent.len(), 1);
}

#[test]
fn an_operation_can_move_between_threads() {
    fn send<T: Send>(_: &T) {}
    let world = World::get();
    let prepared = world.prepare("{ orders { orders { user { displayName } } } }");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let _entered = runtime.enter();
    let operation = world.operation(&prepared, "");
    send(&run(&operation));
    send(&crate::execute::stream::open(&operation, CALL));
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_dropped_takes_its_calls_with_it() {
    struct Pending<'a>(&'a AtomicUsize);
    impl Drop for Pending<'_> {
        fn drop(&mut self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }
    struct Silent(AtomicUsize);
    impl Call for Silent {
        async fn call(&self, _: usize, _: Bytes, _: Instant) -> Result<Bytes, Failure> {
            self.0.fetch_add(1, Ordering::Relaxed);
            let _pending = Pending(&self.0);
            std::future::pending().await
        }

        async fn open(&self, _: usize, _: Bytes) -> Result<Messages, Failure> {
            std::future::pending().await
        }
    }
    let world = World::get();
    let prepared = world.prepare("{ a: order(id: 1) { id } b: order(id: 2) { id } }");
    let operation = world.operation(&prepared, "");
    let silent = Silent(AtomicUsize::new(0));
    {
        let answer = perform(&operation, &silent);
        tokio::time::timeout(CALL, answer).await.unwrap_err();
    }
    assert_eq!(silent.0.into_inner(), 0);
}
