//! Whole-gateway examples as documents: services, a request, and the answer, in Markdown.
//!
//! Each file under `tests/scenarios` is run against a gateway of its own, with its services served over real
//! gRPC from what the document says they answer. `CONTRIBUTING.md` says how such a document is written.

pub(crate) mod document;
pub(crate) mod service;

use std::path::{Path, PathBuf};
use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::Value;
use turnout_schema::Digest;

use crate::gateway::{Gateway, instance};
use document::{Exchange, Scenario};
use service::Service;

/// Until services that registered are in the graph.
const GRAPH_MAX: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_scenario_ends_as_it_is_written() {
    let only = std::env::var("TURNOUT_SCENARIO").unwrap_or_default();
    let mut wrong = Vec::new();
    let mut run = 0;
    for path in documents(&PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for scenario in document::read(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
            if !scenario.title.contains(&only) {
                continue;
            }
            run += 1;
            let name = format!("{}: {}", path.file_name().unwrap().to_string_lossy(), scenario.title);
            wrong.extend(play(&scenario).await.into_iter().map(|what| format!("# {name}\n{what}")));
        }
    }
    assert!(run > 0, "no scenario was run");
    assert!(wrong.is_empty(), "{} of {run} differ:\n\n{}", wrong.len(), wrong.join("\n\n"));
}

fn documents(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<PathBuf> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    all.sort();
    all
}

/// What differs.
async fn play(scenario: &Scenario) -> Option<String> {
    let data = tempfile::tempdir().unwrap();
    let mut settings = scenario.settings.clone();
    // The services need no options of Turnout's to be seen.
    settings.push(("expose".to_owned(), "all".to_owned()));
    let settings: Vec<(&'static str, &str)> =
        settings.iter().map(|(path, value)| (&*path.clone().leak(), value.as_str())).collect();
    let gateway = Gateway::start_with(data.path(), &settings).await;
    let mut services = Vec::new();
    for described in &scenario.services {
        let service = Service::start(described, &scenario.replies).await;
        let digest = Digest::of(&service.descriptors).to_string();
        let stored =
            gateway.put(&format!("/registry/v1/schemas/{digest}"), service.descriptors.clone()).await;
        assert!(stored.status.is_success(), "{}", stored.text());
        let body = serde_json::json!({
            "version": described.version,
            "endpoints": [{ "url": format!("grpc://{}", service.address) }],
            "schema": { "digest": digest },
        });
        let registered = gateway.put(&instance(&described.name, "only"), body.to_string()).await;
        assert_eq!(registered.status, StatusCode::OK, "{}", registered.text());
        services.push(service);
    }
    ready(&gateway, scenario).await;
    let mut wrong = Vec::new();
    for exchange in &scenario.exchanges {
        services.iter().for_each(Service::forget);
        wrong.extend(ask(&gateway, exchange, &services).await);
    }
    gateway.stop().await;
    (!wrong.is_empty()).then(|| wrong.join("\n"))
}

/// Waits until every service of the scenario is in the graph.
async fn ready(gateway: &Gateway, scenario: &Scenario) {
    let all = async {
        loop {
            let graph = gateway.graph_members().await;
            if scenario.services.iter().all(|service| graph.contains(&service.name)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    if tokio::time::timeout(GRAPH_MAX, all).await.is_err() {
        panic!("{}: not every service came into the graph", scenario.title);
    }
}

/// One request; what differs.
async fn ask(gateway: &Gateway, exchange: &Exchange, services: &[Service]) -> Option<String> {
    let request = Request::post(format!("{}/graphql", gateway.public()))
        .header("content-type", "application/json")
        .header("accept", "application/graphql-response+json")
        .body(Full::new(exchange.request.clone().into()))
        .unwrap();
    let answer = gateway.send(request).await;
    let expected: Value = serde_json::from_str(&exchange.answer).unwrap();
    let mut found = answer.json();
    anonymous(&mut found);
    let mut wrong = String::new();
    let same_order = exchange.answer.split_whitespace().collect::<String>();
    let found_text = String::from_utf8_lossy(&answer.body).split_whitespace().collect::<String>();
    if answer.status != exchange.status || found != expected {
        wrong += &format!("answer {}:\n{}\n", answer.status, serde_json::to_string_pretty(&found).unwrap());
    } else if expected.get("errors").is_none() && found_text != same_order {
        wrong += &format!("order: {found_text}\n");
    }
    if let Some(calls) = &exchange.calls {
        let mut made: Vec<String> = services.iter().flat_map(Service::calls).collect();
        let mut expected = calls.lines.clone();
        if !calls.in_order {
            made.sort();
            expected.sort();
        }
        if made != expected {
            wrong += &format!("calls:\n{}\n", made.join("\n"));
        }
    }
    (!wrong.is_empty()).then_some(wrong)
}

/// What is different each time says so.
fn anonymous(answer: &mut Value) {
    for error in answer.get_mut("errors").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(id) = error.pointer_mut("/extensions/requestId") {
            *id = "any".into();
        }
    }
}
