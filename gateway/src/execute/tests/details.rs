//! `google.rpc.Status` on its way into `extensions`.

use bytes::Bytes;
use prost::Message;
use prost_types::{Any, Duration};
use serde_json::{Value, json};
use tonic::Code;
use tonic_types::pb::{
    BadRequest, DebugInfo, ErrorInfo, LocalizedMessage, PreconditionFailure, QuotaFailure, RetryInfo, Status,
    bad_request, precondition_failure, quota_failure,
};

use super::world::{World, failure, json as json_of, orders_of};
use crate::upstream::Failure;

fn detail(name: &str, message: &impl Message) -> Any {
    Any { type_url: format!("type.googleapis.com/google.rpc.{name}"), value: message.encode_to_vec() }
}

/// Everything that a status may say.
fn everything() -> Vec<Any> {
    let violation = |field: &str| bad_request::FieldViolation {
        field: field.to_owned(),
        description: format!("{field} is wrong\n"),
        ..Default::default()
    };
    vec![
        detail(
            "DebugInfo",
            &DebugInfo { stack_entries: vec!["secret.rs:7".into()], detail: "secret".into() },
        ),
        detail("RetryInfo", &RetryInfo { retry_delay: Some(Duration { seconds: 1, nanos: 250_000_000 }) }),
        detail(
            "ErrorInfo",
            &ErrorInfo {
                reason: "STOCK_LIMIT".into(),
                domain: "catalog.shop.example".into(),
                metadata: [("left".to_owned(), "3".to_owned())].into(),
            },
        ),
        detail(
            "BadRequest",
            &BadRequest {
                field_violations: ["items[0].product_id", "coupon_code", "x_y"].map(violation).to_vec(),
            },
        ),
        detail(
            "QuotaFailure",
            &QuotaFailure {
                violations: vec![quota_failure::Violation {
                    subject: "user:1".into(),
                    description: "ten a day".into(),
                    ..Default::default()
                }],
            },
        ),
        detail(
            "PreconditionFailure",
            &PreconditionFailure {
                violations: vec![precondition_failure::Violation {
                    r#type: "TERMS".into(),
                    subject: "user:1".into(),
                    description: "not accepted".into(),
                }],
            },
        ),
        detail("LocalizedMessage", &LocalizedMessage { locale: "de".into(), message: "Ausverkauft.".into() }),
        Any { type_url: "type.googleapis.com/google.rpc.BadRequest".into(), value: vec![0xff] },
        Any { type_url: "type.googleapis.com/shop.Private".into(), value: b"secret".to_vec() },
        Any { type_url: String::new(), value: Vec::new() },
    ]
}

async fn error(code: Code, details: Vec<u8>) -> Value {
    let world = World::get();
    let text = "mutation { placeOrder(userId: \"U1\", items: []) { queuePosition } }";
    let mut failure = failure(code, "out of stock");
    failure.details = details.into();
    let (answer, _) = world.ask(text, move |_: &str, _: &[u8]| Err(failure.clone())).await;
    answer["errors"][0].clone()
}

fn status(details: Vec<Any>) -> Vec<u8> {
    Status { code: 9, message: "secret".into(), details }.encode_to_vec()
}

#[tokio::test(start_paused = true)]
async fn details_for_callers_have_places_of_their_own() {
    let error = error(Code::FailedPrecondition, status(everything())).await;
    assert_eq!(error["message"], "Ausverkauft.");
    assert_eq!(
        error["extensions"],
        json!({
            "code": "FAILED_PRECONDITION",
            "service": "orders",
            "serviceVersion": "2.2.0",
            "retryAfterMs": 1250,
            "reason": "STOCK_LIMIT",
            "domain": "catalog.shop.example",
            "metadata": {"left": "3"},
            "fieldErrors": [
                {"field": "items[0].productId", "description": "items[0].product_id is wrong"},
                {"field": "couponCode", "description": "coupon_code is wrong"},
                {"field": "xY", "description": "x_y is wrong"},
            ],
            "quota": [{"subject": "user:1", "description": "ten a day"}],
            "preconditions": [{"type": "TERMS", "subject": "user:1", "description": "not accepted"}],
            "localizedMessage": {"locale": "de", "message": "Ausverkauft."},
        })
    );
}

#[tokio::test(start_paused = true)]
async fn a_masked_status_says_what_is_for_machines() {
    let error = error(Code::Unavailable, status(everything())).await;
    assert_eq!(error["message"], "The service is not available at the moment.");
    assert_eq!(
        error["extensions"],
        json!({
            "code": "UNAVAILABLE",
            "service": "orders",
            "serviceVersion": "2.2.0",
            "retryAfterMs": 1250,
            "reason": "STOCK_LIMIT",
            "requestId": "000000000000beef",
        })
    );
    let info = ErrorInfo { reason: "could not reach db-7".into(), ..Default::default() };
    let error = self::error(Code::Internal, status(vec![detail("ErrorInfo", &info)])).await;
    assert_eq!(error["extensions"].get("reason"), None);
}

#[tokio::test(start_paused = true)]
async fn bytes_that_are_no_status_are_no_details() {
    for bytes in [vec![0xff; 40], vec![0x1a, 200], status(Vec::new())] {
        let error = error(Code::Aborted, bytes).await;
        assert_eq!(error["message"], "out of stock");
        assert_eq!(error["extensions"].as_object().unwrap().len(), 3);
    }
    let retry = RetryInfo { retry_delay: Some(Duration { seconds: -1, nanos: 0 }) };
    let error = error(Code::Aborted, status(vec![detail("RetryInfo", &retry)])).await;
    assert_eq!(error["extensions"].get("retryAfterMs"), None);
}

#[tokio::test(start_paused = true)]
async fn details_that_cost_many_fields_do_not_fill_the_answer() {
    let violation = |at: usize| bad_request::FieldViolation {
        field: format!("ids[{at}]"),
        description: "x".repeat(400),
        ..Default::default()
    };
    let bad = BadRequest { field_violations: (0..100).map(violation).collect() };
    let details: Bytes = status(vec![detail("BadRequest", &bad)]).into();
    let answers = |method: &str, _: &[u8]| match method {
        "ListOrders" => Ok(orders_of((0..100).map(|_| "U1"))),
        _ => Err(Failure { details: details.clone(), ..failure(Code::InvalidArgument, "no") }),
    };
    let (answer, _) = World::get().ask_with("{ orders { orders { user { id } } } }", "", answers).await;
    assert!(answer.body.len() < (1 << 20) + (64 << 10), "{}", answer.body.len());
    let answer = json_of(&answer);
    let errors = answer["errors"].as_array().unwrap();
    let more = format!("{} more errors are not listed.", 101 - errors.len());
    assert_eq!(errors[errors.len() - 1]["message"], more);
    assert_eq!(errors[0]["extensions"]["fieldErrors"].as_array().unwrap().len(), 100);
}
