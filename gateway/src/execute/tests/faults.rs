//! What a caller learns of what went wrong, and what not.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

use prost::Message;
use serde_json::{Value, json};
use tonic::Code;
use turnout_control::frontend::Units;
use turnout_control::id::Version;
use turnout_control::policy::{Candidate, Policy};
use turnout_control::slot::Weight;
use turnout_samples::contract::shop::catalog::v1 as catalog;
use turnout_samples::contract::shop::orders::v1 as orders;
use turnout_samples::contract::shop::reviews::v1 as reviews;

use super::world::{Script, World, failure, json, order, orders_of, product, users_by};
use crate::execute::run::{Operation, Outcome, perform};
use crate::generation::{Callee, Route, View};
use crate::lineup::{Lineup, Trials};
use crate::upstream::{Failure, Origin};

/// The one error of an operation whose one call fails.
async fn error_of(text: &str, failure: Failure) -> Value {
    let world = World::get();
    let (answer, _) = world.ask(text, move |_: &str, _: &[u8]| Err(failure.clone())).await;
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 1);
    errors[0].clone()
}

#[tokio::test(start_paused = true)]
async fn a_services_words_pass_only_with_codes_that_are_for_callers() {
    const SECRET: &str = "pq: password for db-7.internal";
    for (code, name, passes) in [
        (Code::Cancelled, "CANCELLED", false),
        (Code::Unknown, "UNKNOWN", false),
        (Code::InvalidArgument, "INVALID_ARGUMENT", true),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", false),
        (Code::NotFound, "NOT_FOUND", true),
        (Code::AlreadyExists, "ALREADY_EXISTS", true),
        (Code::PermissionDenied, "PERMISSION_DENIED", true),
        (Code::ResourceExhausted, "RESOURCE_EXHAUSTED", true),
        (Code::FailedPrecondition, "FAILED_PRECONDITION", true),
        (Code::Aborted, "ABORTED", true),
        (Code::OutOfRange, "OUT_OF_RANGE", true),
        (Code::Unimplemented, "UNIMPLEMENTED", false),
        (Code::Internal, "INTERNAL", false),
        (Code::Unavailable, "UNAVAILABLE", false),
        (Code::DataLoss, "DATA_LOSS", false),
        (Code::Unauthenticated, "UNAUTHENTICATED", true),
    ] {
        let error = error_of("{ order(id: 1) { id } }", failure(code, SECRET)).await;
        let extensions = &error["extensions"];
        assert_eq!(extensions["code"], name);
        assert_eq!(extensions["service"], "orders");
        assert_eq!(extensions["serviceVersion"], "2.2.0");
        assert_eq!(error["message"] == SECRET, passes, "{name}");
        assert_eq!(extensions.get("requestId").is_none(), passes, "{name}");
        assert_eq!(error.to_string().contains("db-7"), passes, "{name}");
        assert_eq!(error["path"], json!(["order"]));
        assert_eq!(error["locations"], json!([{"line": 1, "column": 3}]));
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_elses_words_pass() {
    for (origin, code, name) in [
        (Origin::Nobody, Code::Unavailable, "UNAVAILABLE"),
        (Origin::Connection, Code::Unavailable, "UNAVAILABLE"),
        (Origin::Deadline, Code::Cancelled, "DEADLINE_EXCEEDED"),
        (Origin::Answer, Code::InvalidArgument, "INVALID_ARGUMENT"),
        (Origin::Overload, Code::ResourceExhausted, "RESOURCE_EXHAUSTED"),
    ] {
        let failure = Failure { origin, ..failure(code, "10.1.2.3:50051 said no") };
        let error = error_of("{ order(id: 1) { id } }", failure).await;
        assert_eq!(error["extensions"]["code"], name);
        assert_eq!(error["extensions"]["requestId"], "000000000000beef");
        assert!(!error.to_string().contains("10.1.2.3"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_retry_is_offered_where_it_does_no_harm() {
    const READS: &str = "{ order(id: 1) { id } }";
    const REPEATS: &str = "mutation { cancelOrder(id: 1) { id } }";
    const ONCE: &str = "mutation { adjustStock(productId: \"P1\", delta: 1) { previousStock } }";
    for (text, origin, code, expected) in [
        (READS, Origin::Service, Code::Unavailable, true),
        (READS, Origin::Deadline, Code::DeadlineExceeded, true),
        (READS, Origin::Service, Code::Internal, false),
        (REPEATS, Origin::Connection, Code::Unavailable, true),
        (REPEATS, Origin::Deadline, Code::DeadlineExceeded, true),
        (READS, Origin::Answer, Code::Unavailable, true),
        (ONCE, Origin::Nobody, Code::Unavailable, true),
        (ONCE, Origin::Service, Code::Unavailable, false),
        (ONCE, Origin::Answer, Code::Unavailable, false),
        (ONCE, Origin::Connection, Code::Unavailable, false),
        (ONCE, Origin::Deadline, Code::DeadlineExceeded, false),
        (ONCE, Origin::Service, Code::DeadlineExceeded, false),
    ] {
        let error = error_of(text, Failure { origin, ..failure(code, "") }).await;
        assert_eq!(error["extensions"].get("retryable").is_some(), expected, "{text} {origin:?} {code}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_evil_text_is_cleaned_and_bounded() {
    let text = format!("no\r\n\u{1b}[31m<script>\0{}", "x".repeat(100_000));
    let error = error_of("{ order(id: 1) { id } }", failure(Code::InvalidArgument, &text)).await;
    let message = error["message"].as_str().unwrap();
    assert!(message.len() <= 1024);
    assert!(!message.contains(char::is_control));
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_is_no_message_costs_its_field() {
    let world = World::get();
    let answers = |method: &str, message: &[u8]| {
        Ok(match method {
            "GetOrder" => vec![0xff, 0xff],
            "ListOrders" => orders_of(["U1"]),
            _ => users_by(message),
        })
    };
    let (answer, _) = world.ask("{ order(id: 1) { id } orders { orders { user { id } } } }", answers).await;
    assert_eq!(answer["data"], json!({"order": null, "orders": {"orders": [{"user": {"id": "U1"}}]}}));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "INTERNAL");
    assert_eq!(answer["errors"][0]["message"], "The service sent an answer that cannot be read.");
}

#[tokio::test(start_paused = true)]
async fn who_is_named_has_sent_the_value() {
    let world = World::get();
    let answers = |method: &str, _: &[u8]| {
        Ok(match method {
            "ListProducts" => {
                catalog::ListProductsResponse { products: vec![product("P1")], ..Default::default() }
                    .encode_to_vec()
            }
            _ => reviews::GetAverageRatingResponse { average_rating: Some(f64::NAN), review_count: 2 }
                .encode_to_vec(),
        })
    };
    let (answer, _) = world.ask("{ products { products { averageRating } } }", answers).await;
    let error = &answer["errors"][0];
    assert_eq!(error["path"], json!(["products", "products", 0, "averageRating"]));
    assert_eq!(error["extensions"]["service"], "reviews", "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_is_told_at_each_field_it_has_cost() {
    let world = World::get();
    let answers = |method: &str, _: &[u8]| match method {
        "ListOrders" => Ok(orders_of(["U1", "U2"])),
        _ => Err(failure(Code::PermissionDenied, "users are private")),
    };
    let (answer, _) = world.ask("{ orders { orders { id user { id } } } }", answers).await;
    let paths: Vec<&Value> =
        answer["errors"].as_array().unwrap().iter().map(|error| &error["path"]).collect();
    assert_eq!(paths, [&json!(["orders", "orders", 0, "user"]), &json!(["orders", "orders", 1, "user"])]);
    assert_eq!(answer["data"]["orders"]["orders"][1], json!({"id": "2", "user": null}));
}

#[tokio::test(start_paused = true)]
async fn errors_without_end_end_with_their_number() {
    let world = World::get();
    let answers = |method: &str, _: &[u8]| match method {
        "ListOrders" => Ok(orders_of((0..1000).map(|_| "U1"))),
        _ => Err(failure(Code::Internal, "")),
    };
    let (answer, _) = world.ask("{ orders { orders { user { id } } } }", answers).await;
    let errors = answer["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 101);
    assert_eq!(errors[100]["message"], "900 more errors are not listed.");
    assert_eq!(errors[100].get("path"), None);
}

#[tokio::test(start_paused = true)]
async fn what_one_operation_brings_is_bounded() {
    let world = World::get();
    // What is known about two million empty orders takes more than half of what there may be.
    let list = [0x0a, 0x00].repeat(2 << 20);
    let answers = |method: &str, _: &[u8]| {
        Ok(match method {
            "ListOrders" => list.clone(),
            _ => orders::GetOrderResponse { order: Some(order(1, "U1")) }.encode_to_vec(),
        })
    };
    let text = "query($no: Boolean!) {
        a: orders { orders @include(if: $no) { id } }
        b: orders(pageSize: 2) { orders @include(if: $no) { id } }
        order(id: 1) { id } }";
    let (answer, _) = world.ask_with(text, r#"{"no": false}"#, answers).await;
    let answer = json(&answer);
    assert_eq!(answer["data"], json!({"a": {}, "b": null, "order": {"id": "1"}}));
    assert_eq!(answer["errors"][0]["path"], json!(["b"]));
    assert_eq!(answer["errors"][0]["extensions"]["code"], "RESOURCE_EXHAUSTED");
}

#[tokio::test(start_paused = true)]
async fn wrong_variables_refuse_the_operation() {
    let world = World::get();
    let answers = |_: &str, _: &[u8]| panic!("nobody is called");
    let text = "query($id: ID!,\n  $on: Boolean = true) { order(id: $id) { id @include(if: $on) } }";
    for (variables, line) in
        [("", Some(1)), (r#"{"id": {}}"#, Some(1)), ("[", None), (r#"{"id": 1, "on": null}"#, None)]
    {
        let (answer, sent) = world.ask_with(text, variables, answers).await;
        assert_eq!(answer.outcome, Outcome::Refused);
        let answer = json(&answer);
        assert_eq!(answer.get("data"), None);
        assert_eq!(answer["errors"][0]["extensions"]["code"], "BAD_USER_INPUT");
        assert_eq!(answer["errors"][0]["locations"][0]["line"].as_u64(), line, "{variables}");
        assert!(sent.is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn arguments_that_cannot_be_sent_cost_their_field() {
    let world = World::get();
    let answers =
        |_: &str, _: &[u8]| Ok(orders::CancelOrderResponse { order: Some(order(2, "U1")) }.encode_to_vec());
    let text = "mutation($c: CardPaymentInput, $t: BankTransferInput) {
        a: placeOrder(userId: \"U1\", items: [], card: $c, transfer: $t) { queuePosition }
        b: cancelOrder(id: 2) { id } }";
    let variables = r#"{"c": {"lastDigits": "1234"}, "t": {"iban": "x"}}"#;
    let (answer, sent) = world.ask_with(text, variables, answers).await;
    assert_eq!(answer.outcome, Outcome::Partial);
    let answer = json(&answer);
    assert_eq!(answer["data"], json!({"a": null, "b": {"id": "2"}}), "{answer}");
    assert_eq!(answer["errors"][0]["path"], json!(["a"]));
    assert_eq!(answer["errors"][0]["extensions"], json!({"code": "BAD_USER_INPUT"}));
    assert_eq!(sent.len(), 1);
}

/// The world's view, in which a newer catalog is tried.
fn tried(world: &World) -> View {
    let catalog = world.view.routes.iter().position(|route| route.service.as_str() == "catalog").unwrap();
    let mut routes: Vec<Route> =
        world.view.routes.iter().map(|route| Route::only(route.stable.clone())).collect();
    let route = &mut routes[catalog];
    let version: Version = "1.6.0".parse().unwrap();
    let candidate = Candidate {
        version: version.clone(),
        weight: Weight::ALL,
        cap: Weight::ALL,
        salt: "catalog/1/1.6.0".to_owned(),
        killed: false,
        allow: BTreeSet::new(),
        deny: BTreeSet::new(),
    };
    let stable = &route.stable;
    let trial = Trials::default().of(&stable.service, &stable.version, &version);
    route.policy = Policy::new(stable.version.clone(), Some(candidate), None, &|_| false).unwrap();
    route.candidate = Some((Callee { version, ..stable.clone() }, trial));
    View { frontend: None, graph: world.view.graph.clone(), routes, unrouted: BTreeMap::new() }
}

#[tokio::test(start_paused = true)]
async fn a_candidate_that_has_gone_is_an_error_of_its_own_and_no_other_version_is_called() {
    let world = World::get();
    let (view, units) = (tried(world), Units::default());
    let wanted = BTreeMap::from([("catalog".parse().unwrap(), "1.6.0".parse().unwrap())]);
    let lineup = Lineup::with_overrides(&view, &units, &wanted).unwrap();
    let prepared = world.prepare("{ product(id: \"1\") { title } order(id: 1) { id } }");
    let operation = Operation { view: &view, lineup: &lineup, ..world.operation(&prepared, "") };
    let answers = |_: &str, _: &[u8]| {
        Err::<Vec<u8>, _>(Failure { origin: Origin::Nobody, ..failure(Code::Unavailable, "nobody") })
    };
    let script = Script { prepared: &prepared, answers, sent: Mutex::default() };
    let answer = json(&perform(&operation, &script).await);
    let told = |field: &str| {
        let errors = answer["errors"].as_array().unwrap();
        let error = errors.iter().find(|error| error["path"] == json!([field])).unwrap();
        let extensions = &error["extensions"];
        [&extensions["code"], &extensions["service"], &extensions["serviceVersion"]].map(Value::clone)
    };
    assert_eq!(told("product"), ["VERSION_UNAVAILABLE", "catalog", "1.6.0"]);
    assert_eq!(told("order"), ["UNAVAILABLE", "orders", "2.2.0"]);
    assert_eq!(script.sent.into_inner().unwrap().len(), 2);
}
