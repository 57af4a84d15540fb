//! What callers see of services with faults, through the public door of a gateway in this process.
//!
//! Each fault is a service of its own with two root fields: `rstInternal` of Query and `doRstInternal` of
//! Mutation. What an answer to each must be stands in `expected`. Where a limit is a time, the tests say how
//! much is added for a busy machine.

mod crowd;
mod each;
mod expected;
mod pools;

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::fault_server::{Fault, Server, descriptors};
use crate::gateway::{Gateway, instance};

/// How long an operation may take in these tests.
pub(super) const DEADLINE: Duration = Duration::from_millis(1500);

/// How much later than its deadline an answer may come: 100 ms by the design, the rest for two busy cores and
/// a build without optimisation.
pub(super) const LATE: Duration = Duration::from_millis(100 + 300);

/// How long a gateway may take to serve what was registered.
const UNTIL_SERVED: Duration = Duration::from_secs(10);

/// What is asked of every field.
pub(super) const SELECTION: &str = "{ name count part { text } tags kind }";

/// Tests that measure short times run alone, the others beside each other.
static MACHINE: RwLock<()> = RwLock::const_new(());

/// Who else may use the machine.
pub(super) enum Share {
    Alone(#[expect(dead_code, reason = "held, and never looked at")] RwLockWriteGuard<'static, ()>),
    Beside(#[expect(dead_code, reason = "held, and never looked at")] RwLockReadGuard<'static, ()>),
}

impl Share {
    pub(super) async fn alone() -> Share {
        Share::Alone(MACHINE.write().await)
    }

    pub(super) async fn beside() -> Share {
        Share::Beside(MACHINE.read().await)
    }
}

/// A gateway and the servers behind it.
pub(super) struct World {
    gateway: Gateway,
    pub(super) servers: Vec<Server>,
    pub(super) caller: Caller,
    _data: TempDir,
    _share: Share,
}

impl World {
    /// A gateway before one server for each of the faults. A fault that is there several times is one service
    /// with as many instances.
    pub(super) async fn start(share: Share, faults: &[Fault]) -> World {
        let servers = faults.iter().map(|fault| (*fault, Server::start(*fault))).collect();
        World::over(share, servers).await
    }

    /// A gateway before servers, each under the service of a fault that need not be its own.
    pub(super) async fn over(share: Share, servers: Vec<(Fault, Server)>) -> World {
        let data = tempfile::tempdir().unwrap();
        let settings = [
            ("limits.deadline", "1500ms"),
            ("expose", "all"),
            ("registry.ttl", "300s"),
            ("registry.grace", "0s"),
        ];
        let gateway = Gateway::start_with(data.path(), &settings).await;
        for (at, (service, server)) in servers.iter().enumerate() {
            let digest = gateway.store(&descriptors(*service)).await;
            let body = json!({
                "version": "1.0.0",
                "endpoints": [{ "url": server.url() }],
                "schema": { "digest": digest },
            });
            let path = instance(&service.service(), &format!("i-{at}"));
            let answer = gateway.put(&path, body.to_string()).await;
            assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        }
        let caller = Caller::of(&gateway);
        let fields: Vec<String> = servers.iter().map(|(service, _)| service.query()).collect();
        until_served(&caller, &fields).await;
        let servers = servers.into_iter().map(|(_, server)| server).collect();
        World { gateway, servers, caller, _data: data, _share: share }
    }

    pub(super) fn public(&self) -> String {
        self.gateway.public()
    }

    /// Ends everything, the callers first.
    pub(super) async fn stop(self) {
        drop(self.caller);
        self.gateway.stop().await;
    }
}

/// Waits until all of the fields are in the graph that callers see.
async fn until_served(caller: &Caller, fields: &[String]) {
    let limit = Instant::now() + UNTIL_SERVED;
    loop {
        let seen = caller.ask("{ __schema { queryType { fields { name } } } }").await;
        let body = String::from_utf8_lossy(&seen.body).into_owned();
        if fields.iter().all(|field| body.contains(&format!("\"{field}\""))) {
            return;
        }
        assert!(Instant::now() < limit, "not all is served after {UNTIL_SERVED:?}: {body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks a gateway. Cloning it shares its connections.
#[derive(Clone)]
pub(super) struct Caller {
    client: Client<HttpConnector, Full<Bytes>>,
    uri: String,
}

/// What a caller got.
pub(super) struct Seen {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
    pub(super) took: Duration,
}

impl Caller {
    fn of(gateway: &Gateway) -> Caller {
        let client = Client::builder(TokioExecutor::new()).build_http();
        Caller { client, uri: format!("{}/graphql", gateway.public()) }
    }

    pub(super) async fn ask(&self, document: &str) -> Seen {
        let began = Instant::now();
        let (head, body) = self.client.request(request(&self.uri, document)).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Seen { status: head.status, body, took: began.elapsed() }
    }

    /// Asks the same so many times a second for a time, however long the answers take, and returns them in the
    /// order in which they came.
    pub(super) async fn ask_at(&self, document: &str, per_second: u32, time: Duration) -> Vec<Seen> {
        let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let mut asked = JoinSet::new();
        let mut seen = Vec::new();
        for _ in 0..time.as_millis() * u128::from(per_second) / 1000 {
            ticks.tick().await;
            let (caller, document) = (self.clone(), document.to_owned());
            asked.spawn(async move { caller.ask(&document).await });
            while let Some(answer) = asked.try_join_next() {
                seen.push(answer.unwrap());
            }
        }
        seen.extend(asked.join_all().await);
        seen
    }
}

/// A request of GraphQL as browsers send it.
fn request(uri: &str, document: &str) -> Request<Full<Bytes>> {
    let body = json!({ "query": document }).to_string();
    let request = Request::post(uri).header("content-type", "application/json");
    request.header("accept", "application/json").body(Full::from(body)).unwrap()
}

impl Seen {
    pub(super) fn json(&self) -> Value {
        let text = || String::from_utf8_lossy(&self.body);
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", text()))
    }

    /// Whether there is data and nothing went wrong.
    pub(super) fn is_good(&self) -> bool {
        let body = self.json();
        self.status == StatusCode::OK && body["data"].is_object() && body.get("errors").is_none()
    }
}

/// `{ rstInternal { … } }`.
pub(super) fn query(fault: Fault) -> String {
    format!("{{ {} {SELECTION} }}", fault.query())
}

/// `mutation { doRstInternal { … } }`.
pub(super) fn mutation(fault: Fault) -> String {
    format!("mutation {{ {} {SELECTION} }}", fault.mutation())
}

/// The time within which so many of a hundred answers came.
pub(super) fn percentile(seen: &[Seen], percent: usize) -> Duration {
    let mut took: Vec<Duration> = seen.iter().map(|seen| seen.took).collect();
    took.sort_unstable();
    took[(took.len() * percent / 100).min(took.len() - 1)]
}
