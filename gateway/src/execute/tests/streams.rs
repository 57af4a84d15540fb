//! Subscriptions: events in, answers out.

use std::sync::Mutex;

use prost::Message;
use serde_json::{Value, json};
use tonic::Code;
use turnout_samples::contract::shop::orders::v1 as orders;

use super::world::{CALL, Script, World, failure, json, methods, order, users_by};
use crate::execute::run::Outcome;
use crate::execute::stream::Events;
use crate::upstream::Failure;

const TEXT: &str = "subscription { orderEvents(id: 1) { sequence order { user { displayName } } } }";

/// An event each, of another user; the failing one ends the stream.
fn watched(message: &[u8], failing: u8) -> Result<Vec<u8>, Failure> {
    let (request, number) = message.split_at(2);
    assert_eq!(request, orders::WatchOrderRequest { id: 1 }.encode_to_vec());
    match number {
        [] => Ok(Vec::new()),
        [number] if *number == failing => Err(failure(Code::Unavailable, "going down")),
        [number] => Ok(orders::WatchOrderResponse {
            sequence: u32::from(*number),
            order: Some(order(1, &format!("U{number}"))),
            ..Default::default()
        }
        .encode_to_vec()),
        _ => unreachable!(),
    }
}

async fn events(failing: u8) -> (Vec<Value>, Vec<String>) {
    let world = World::get();
    let prepared = world.prepare(TEXT);
    let operation = world.operation(&prepared, "");
    let answers = |method: &str, message: &[u8]| match method {
        "WatchOrder" => watched(message, failing),
        _ => Ok(users_by(message)),
    };
    let script = Script { prepared: &prepared, answers, sent: Mutex::default() };
    let mut events = Events::open(&operation, script, CALL * 2).await.unwrap();
    let mut all = Vec::new();
    while let Some(answer) = events.next().await {
        all.push(json(&answer));
        tokio::time::sleep(operation.deadline.duration_since(tokio::time::Instant::now())).await;
    }
    assert!(events.next().await.is_none());
    let sent =
        methods(&events.into_call().sent.into_inner().unwrap()).into_iter().map(str::to_owned).collect();
    (all, sent)
}

fn event(number: u32) -> Value {
    let user = json!({"displayName": format!("user U{number}")});
    json!({"data": {"orderEvents": {"sequence": number, "order": {"user": user}}}})
}

#[tokio::test(start_paused = true)]
async fn every_event_is_an_answer_with_calls_and_a_deadline_of_its_own() {
    let (answers, sent) = events(9).await;
    assert_eq!(answers, [event(1), event(2), event(3)]);
    assert_eq!(sent, ["WatchOrder", "BatchGetUsers", "BatchGetUsers", "BatchGetUsers"]);
}

#[tokio::test(start_paused = true)]
async fn a_broken_stream_says_so_and_is_over() {
    let (answers, _) = events(2).await;
    assert_eq!(answers.len(), 2);
    assert_eq!(answers[0], event(1));
    assert_eq!(answers[1]["data"], json!({"orderEvents": null}));
    assert_eq!(answers[1]["errors"][0]["path"], json!(["orderEvents"]));
    assert_eq!(answers[1]["errors"][0]["extensions"]["code"], "UNAVAILABLE");
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_does_not_open_is_an_answer() {
    let world = World::get();
    let prepared = world.prepare(TEXT);
    let operation = world.operation(&prepared, "");
    let answers = |_: &str, _: &[u8]| Err(failure(Code::PermissionDenied, "not your order"));
    let script = Script { prepared: &prepared, answers, sent: Mutex::default() };
    let answer = Events::open(&operation, script, CALL).await.map(drop).unwrap_err();
    assert_eq!(answer.outcome, Outcome::Partial);
    let answer = json(&answer);
    assert_eq!(answer["data"], json!({"orderEvents": null}));
    assert_eq!(answer["errors"][0]["message"], "not your order");
}

#[tokio::test(start_paused = true)]
async fn wrong_variables_open_nothing() {
    let world = World::get();
    let prepared = world.prepare("subscription($id: ID!) { orderEvents(id: $id) { sequence } }");
    let operation = world.operation(&prepared, "{}");
    let answers = |_: &str, _: &[u8]| Ok(Vec::new());
    let script = Script { prepared: &prepared, answers, sent: Mutex::default() };
    let answer = Events::open(&operation, script, CALL).await.map(drop).unwrap_err();
    assert_eq!(answer.outcome, Outcome::Refused);
    assert_eq!(json(&answer).get("data"), None);
}
