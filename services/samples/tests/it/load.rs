//! The traffic generator against a server that answers like a gateway.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use axum::routing::post;
use axum::{Json, Router};
use clap::Parser;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use turnout_samples::load::{self, LoadArgs};

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    args: LoadArgs,
}

/// Counts what came, and fails every tenth operation and the first probes.
#[derive(Debug, Default)]
struct Gateway {
    operations: AtomicU64,
    probes: AtomicU64,
    malformed: AtomicU64,
}

async fn answer(State(gateway): State<Arc<Gateway>>, headers: HeaderMap, body: String) -> impl IntoResponse {
    let request: Value = serde_json::from_str(&body).unwrap_or_default();
    let lineup = [("turnout-lineup", "orders=2.1.0;stable, catalog=1.5.0;candidate")];
    if request["operationName"] == "Probe" {
        let ready = gateway.probes.fetch_add(1, Ordering::Relaxed) > 0;
        let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
        return (status, lineup, Json(json!({ "data": { "__typename": "Query" } })));
    }
    let unit = headers.get("x-turnout-unit").is_some_and(|unit| unit.as_bytes().starts_with(b"user-"));
    let frontend = headers.get("x-frontend-version").is_some_and(|name| name == "web@2.5.0");
    if !unit || !frontend || !request["query"].is_string() || !request["variables"].is_object() {
        gateway.malformed.fetch_add(1, Ordering::Relaxed);
    }
    let count = gateway.operations.fetch_add(1, Ordering::Relaxed);
    let answer = match count % 10 {
        9 => {
            json!({ "data": null, "errors": [{ "message": "no", "extensions": { "code": "UNAVAILABLE" } }] })
        }
        _ => json!({ "data": { "ok": true } }),
    };
    (StatusCode::OK, lineup, Json(answer))
}

/// Starts the server; its address, and what it counts.
async fn gateway(stop: &CancellationToken) -> (String, Arc<Gateway>) {
    let gateway = Arc::new(Gateway::default());
    let app = Router::new().route("/graphql", post(answer)).with_state(gateway.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/graphql", listener.local_addr().unwrap());
    let stopped = stop.clone().cancelled_owned();
    let serve = axum::serve(listener, app).with_graceful_shutdown(stopped).into_future();
    #[expect(clippy::disallowed_methods, reason = "the server of a test ends with its runtime")]
    tokio::spawn(serve);
    (url, gateway)
}

fn args(url: &str, rest: &str) -> LoadArgs {
    let line = format!("load --url {url} --quiet --frontend web@2.5.0 {rest}");
    Line::try_parse_from(line.split_whitespace()).unwrap().args
}

#[tokio::test]
async fn operations_are_sent_at_the_rate_and_errors_are_counted() {
    let stop = CancellationToken::new();
    let (url, gateway) = gateway(&stop).await;
    let summary = load::run(args(&url, "--wait --rate 200 --duration 1s"), stop.clone()).await.unwrap();
    assert_eq!(summary.finished, gateway.operations.load(Ordering::Relaxed));
    // A busy machine may start fewer, never more.
    assert!((20..=202).contains(&summary.finished), "{summary:?}");
    assert_eq!(summary.errors, summary.finished / 10);
    assert_eq!(summary.skipped, 0);
    assert_eq!(gateway.probes.load(Ordering::Relaxed), 2, "the first probe was refused");
    assert_eq!(gateway.malformed.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn errors_fail_the_run_only_when_told() {
    let stop = CancellationToken::new();
    let (url, _gateway) = gateway(&stop).await;
    let told = load::run(args(&url, "--rate 200 --duration 500ms --fail-on-errors"), stop.clone()).await;
    assert!(told.unwrap_err().to_string().contains("operations failed"));
}

#[tokio::test]
async fn nobody_listening_is_an_error_for_each_operation() {
    let stop = CancellationToken::new();
    // The port was free a moment ago, and nothing else in this process takes it.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let url = format!("http://{free}/graphql");
    let summary = load::run(args(&url, "--rate 50 --duration 200ms"), stop).await.unwrap();
    assert!(summary.finished > 0);
    assert_eq!(summary.errors, summary.finished);
}

#[tokio::test]
async fn waiting_ends_when_told_to_stop() {
    let stop = CancellationToken::new();
    stop.cancel();
    let run = load::run(args("http://127.0.0.1:1/graphql", "--wait"), stop);
    let summary = tokio::time::timeout(Duration::from_secs(10), run).await.unwrap().unwrap();
    assert_eq!(summary.finished, 0);
}
