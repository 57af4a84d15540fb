//! The HTTP API: a registry that refuses, forgets, fails, dies and comes back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Query, Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{head, post, put};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::time::Instant;
use turnout_service::{CancellationToken, Registry, Routes};

use crate::world::{Log, Running, catalog, eventually, run};

#[derive(Clone, Default)]
struct Fake {
    state: Arc<Mutex<Table>>,
}

#[derive(Default)]
struct Table {
    calls: Vec<String>,
    instances: BTreeMap<String, Value>,
    leases: BTreeMap<String, String>,
    schemas: BTreeMap<String, Bytes>,
    tokens: Vec<String>,
    /// The states that were registered, in order.
    states: Vec<Value>,
    /// The answer to every registration, instead of a lease.
    refusal: Option<(StatusCode, String)>,
    granted: u32,
    /// No connection outlives its answer, so that the end of the listener looks like the end of the
    /// process to clients.
    mortal: bool,
}

impl Fake {
    fn with<T>(&self, work: impl FnOnce(&mut Table) -> T) -> T {
        work(&mut self.state.lock().expect("no test panics while it holds this"))
    }

    async fn listen(&self, address: &str) -> (SocketAddr, CancellationToken) {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        let bound = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/registry/v1/schemas/{digest}", head(has_schema).put(put_schema))
            .route("/registry/v1/instances/{service}/{id}", put(register).delete(deregister))
            .route("/registry/v1/leases/{lease}/keepalive", post(keepalive))
            .layer(from_fn_with_state(self.clone(), note))
            .with_state(self.clone());
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = async move { axum::serve(listener, router).await };
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(async move { stopped.run_until_cancelled(serving).await });
        (bound, stop)
    }

    async fn joined(&self) -> Value {
        eventually("an instance is registered", async || {
            self.with(|table| table.instances.values().next().cloned())
        })
        .await
    }

    fn count(&self, call: &str) -> usize {
        self.with(|table| table.calls.iter().filter(|each| each.starts_with(call)).count())
    }

    async fn sees(&self, call: &str, times: usize) {
        eventually(&format!("{times} × {call}"), async || (self.count(call) >= times).then_some(())).await;
    }
}

async fn note(State(fake): State<Fake>, request: Request, next: Next) -> Response {
    let token = request.headers().get("authorization").map(|value| value.to_str().unwrap().to_owned());
    fake.with(|table| {
        let path = request.uri().path().trim_start_matches("/registry/v1/");
        table.calls.push(format!("{} {path}", request.method()));
        table.tokens.extend(token);
    });
    let mut response = next.run(request).await;
    if fake.with(|table| table.mortal) {
        response.headers_mut().insert("connection", "close".parse().unwrap());
    }
    response
}

async fn has_schema(State(fake): State<Fake>, Path(digest): Path<String>) -> StatusCode {
    match fake.with(|table| table.schemas.contains_key(&digest)) {
        true => StatusCode::OK,
        false => StatusCode::NOT_FOUND,
    }
}

async fn put_schema(State(fake): State<Fake>, Path(digest): Path<String>, body: Bytes) -> Response {
    fake.with(|table| table.schemas.insert(digest.clone(), body));
    let answer = json!({ "digest": digest, "services": [], "created": true });
    (StatusCode::CREATED, answer.to_string()).into_response()
}

async fn register(
    State(fake): State<Fake>,
    Path((service, id)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
    body: Bytes,
) -> Response {
    let mut instance: Value = serde_json::from_slice(&body).unwrap();
    instance["service"] = json!(service);
    instance["id"] = json!(id);
    instance["ttl"] = json!(query["ttl"]);
    fake.with(|table| {
        if let Some((status, body)) = &table.refusal {
            return (*status, body.clone()).into_response();
        }
        table.granted += 1;
        table.states.push(instance["state"].clone());
        let lease = format!("a/lease {}", table.granted);
        table.leases.insert(id.clone(), lease.clone());
        table.instances.insert(id, instance);
        let findings = [json!({ "severity": "warning", "code": "X", "message": "careful", "help": "" })];
        let answer = json!({ "lease": lease, "ttl": 1, "heartbeat": 1, "revision": 7, "findings": findings });
        (StatusCode::CREATED, answer.to_string()).into_response()
    })
}

async fn keepalive(State(fake): State<Fake>, Path(lease): Path<String>) -> Response {
    match fake.with(|table| table.leases.values().any(|held| *held == lease)) {
        true => json!({ "lease": lease, "ttl": 1 }).to_string().into_response(),
        false => StatusCode::NOT_FOUND.into_response(),
    }
}

async fn deregister(
    State(fake): State<Fake>,
    Path((_, id)): Path<(String, String)>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    fake.with(|table| {
        if table.leases.get(&id) != Some(&query["lease"]) {
            return StatusCode::CONFLICT.into_response();
        }
        table.leases.remove(&id);
        table.instances.remove(&id);
        json!({ "revision": 8 }).to_string().into_response()
    })
}

async fn started() -> (Fake, Running, CancellationToken, SocketAddr) {
    let fake = Fake::default();
    fake.with(|table| table.mortal = true);
    let (address, down) = fake.listen("127.0.0.1:0").await;
    let running = run(catalog(), Routes::default(), &format!("http://{address}"));
    (fake, running, down, address)
}

#[tokio::test]
async fn a_registration_carries_what_the_contract_names() {
    let fake = Fake::default();
    let (address, _down) = fake.listen("127.0.0.1:0").await;
    let registry = Registry::parse(&format!("http://{address}")).unwrap().token("secret");
    let stop = CancellationToken::new();
    let service =
        catalog().zone("a").weight(50).meta("commit", "abc").registry(registry).stop_on(stop.clone());
    let seen = async {
        let instance = fake.joined().await;
        fake.sees("POST leases/", 2).await;
        stop.cancel();
        instance
    };
    let (ended, instance) = tokio::join!(service.serve(Routes::default()), seen);
    ended.unwrap();

    assert_eq!(instance["service"], "catalog");
    assert_eq!(instance["version"], "1.5.0");
    assert_eq!(instance["ttl"], "15");
    assert_eq!(instance["weight"], 50);
    assert_eq!(instance["state"], "up");
    assert_eq!(instance["health"], "grpc");
    assert_eq!(instance["meta"], json!({ "commit": "abc" }));
    assert_eq!(instance["endpoints"][0]["zone"], "a");
    assert!(instance["endpoints"][0]["url"].as_str().unwrap().starts_with("grpc://127.0.0.1:"));
    let incarnation = instance["incarnation"].as_u64().unwrap();
    assert!(instance["id"].as_str().unwrap().ends_with(&format!("-{incarnation}")));

    let digest = instance["schema"]["digest"].as_str().unwrap().to_owned();
    fake.with(|table| {
        assert_eq!(table.schemas[&digest], turnout_proto::REGISTRY_DESCRIPTORS);
        assert!(
            table.tokens.len() == table.calls.len()
                && table.tokens.iter().all(|each| each == "Bearer secret")
        );
        assert!(table.instances.is_empty(), "it left: {:?}", table.calls);
    });
}

#[tokio::test]
async fn a_schema_is_uploaded_once_and_a_stop_leaves_in_order() {
    let fake = Fake::default();
    let (first, _down) = fake.listen("127.0.0.1:0").await;
    let running = run(catalog(), Routes::default(), &format!("http://{first}"));
    fake.joined().await;
    fake.sees("POST leases/", 1).await;
    running.stopped().await;

    let (again, _down) = fake.listen("127.0.0.1:0").await;
    let second = run(catalog(), Routes::default(), &format!("http://{again}"));
    fake.joined().await;
    second.stopped().await;

    assert_eq!(fake.with(|table| table.states.clone()), ["up", "draining", "up", "draining"]);
    let calls: Vec<String> = fake.with(|table| {
        let verb = |call: &String| call.split('/').next().unwrap().to_owned();
        table.calls.iter().map(verb).filter(|call| call != "POST leases").collect()
    });
    let leaving = ["PUT instances", "PUT instances", "DELETE instances"];
    let expected =
        ["HEAD schemas", "PUT schemas"].iter().chain(&leaving).chain(&["HEAD schemas"]).chain(&leaving);
    assert_eq!(calls, expected.map(|each| (*each).to_owned()).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_forgotten_lease_is_replaced_by_a_new_registration() {
    let (fake, running, _down, _) = started().await;
    fake.joined().await;
    fake.with(|table| {
        table.instances.clear();
        table.leases.clear();
        table.schemas.clear();
    });
    fake.joined().await;
    assert_eq!(fake.with(|table| table.schemas.len()), 1, "the schema is checked again too");
    fake.sees("POST leases/a%2Flease%202/keepalive", 1).await;
    running.stopped().await;
}

#[tokio::test]
async fn a_registry_that_dies_and_comes_back_empty_is_joined_again() {
    let (fake, running, down, address) = started().await;
    fake.joined().await;
    down.cancel();
    fake.with(|table| *table = Table::default());
    // The port stays taken until the last answer is out.
    let (_, _down) = eventually("the port is free again", async || {
        let free = TcpListener::bind(address).await.is_ok();
        if free { Some(fake.listen(&address.to_string()).await) } else { None }
    })
    .await;
    fake.joined().await;
    running.stopped().await;
    assert_eq!(fake.with(|table| table.instances.len()), 0);
}

#[tokio::test]
async fn a_registry_that_starts_late_is_joined_when_it_is_there() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let running = run(catalog(), Routes::default(), &format!("http://{free}"));
    let fake = Fake::default();
    let (_, _down) = fake.listen(&free.to_string()).await;
    fake.joined().await;
    running.stopped().await;
}

#[tokio::test]
async fn errors_of_the_registry_are_waited_out() {
    let fake = Fake::default();
    fake.with(|table| table.refusal = Some((StatusCode::SERVICE_UNAVAILABLE, "<html>busy</html>".into())));
    let (address, _down) = fake.listen("127.0.0.1:0").await;
    let running = run(catalog(), Routes::default(), &format!("http://{address}"));
    fake.sees("PUT instances/", 2).await;
    fake.with(|table| table.refusal = None);
    fake.joined().await;
    running.stopped().await;
}

#[tokio::test]
async fn a_refused_registration_is_explained_and_tried_again_at_the_cap() {
    let log = Log::capture();
    let fake = Fake::default();
    let body = json!({ "error": { "code": "VERSION_RETIRED", "message": "1.5.0 is retired",
        "help": "turnout retire restore catalog 1.5.0", "mistakes": [{ "field": "version", "message": "retired" }] } });
    fake.with(|table| table.refusal = Some((StatusCode::CONFLICT, body.to_string())));
    let (address, _down) = fake.listen("127.0.0.1:0").await;
    let running = run(catalog(), Routes::default(), &format!("http://{address}"));
    fake.sees("PUT instances/", 1).await;
    let start = Instant::now();
    log.says(
        "the registry refused catalog 1.5.0: VERSION_RETIRED: 1.5.0 is retired; version: retired \
         — what helps: turnout retire restore catalog 1.5.0",
    )
    .await;

    // The operator restores the version; nobody restarts the service.
    fake.with(|table| table.refusal = None);
    let instance = fake.joined().await;
    assert!(start.elapsed() > Duration::from_secs(8), "{:?}", start.elapsed());
    let url = instance["endpoints"][0]["url"].as_str().unwrap();
    log.says(&format!("registered catalog 1.5.0 at {url} (lease a/lease 1, 1 finding)")).await;
    log.says("X: careful").await;
    running.stopped().await;
    log.says("deregistered catalog 1.5.0").await;
}

#[tokio::test]
async fn a_dead_registry_delays_a_stop_by_two_seconds_at_most() {
    let (fake, running, down, address) = started().await;
    fake.joined().await;
    down.cancel();
    // Accepts and never answers: worse than a closed port.
    let silent = eventually("the port is free again", async || TcpListener::bind(address).await.ok()).await;
    let took = running.stopped().await;
    assert!(took < Duration::from_millis(2500), "{took:?}");
    drop(silent);
}

#[tokio::test]
async fn a_service_that_never_got_in_stops_at_once() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let running = run(catalog().linger(Duration::from_secs(60)), Routes::default(), "none");
    assert!(running.stopped().await < Duration::from_secs(1));
    let running = run(catalog().finish_within(Duration::ZERO), Routes::default(), &format!("http://{free}"));
    assert!(running.stopped().await < Duration::from_secs(3));
}
