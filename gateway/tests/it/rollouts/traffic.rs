//! Many users who call, and notice which version answered each of them.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

/// A query that only `math` answers.
pub(super) const ADD: &str = "{ add(a: 2, b: 3) }";

/// How one operation ended.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// Since its callers began.
    pub(super) at: Duration,
    pub(super) unit: u64,
    /// The version of `math` that answered, and its arm; nothing when none was touched.
    pub(super) lineup: Option<(String, String)>,
    pub(super) frontend: String,
    /// The error, if there was one.
    pub(super) error: Option<String>,
}

impl Seen {
    pub(super) fn is_candidate(&self) -> bool {
        self.lineup.as_ref().is_some_and(|(_, arm)| arm == "candidate")
    }
}

/// Sends operations as somebody.
#[derive(Clone)]
pub(super) struct Browser {
    client: Client<HttpConnector, Full<Bytes>>,
    began: Instant,
}

impl Browser {
    pub(super) fn new() -> Browser {
        Browser { client: Client::builder(TokioExecutor::new()).build_http(), began: Instant::now() }
    }

    pub(super) async fn ask(&self, public: &str, frontend: Option<&str>, unit: u64) -> Seen {
        let body = json!({ "query": ADD }).to_string();
        let mut request = Request::post(format!("{public}/graphql"))
            .header("content-type", "application/json")
            .header("x-turnout-unit", format!("user:{unit}"));
        if let Some(frontend) = frontend {
            request = request.header("x-frontend-version", frontend);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        let answered = tokio::time::timeout(Duration::from_secs(15), self.client.request(request));
        let at = self.began.elapsed();
        let mut seen = Seen { at, unit, lineup: None, frontend: String::new(), error: None };
        let answer = match answered.await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => return Seen { error: Some(format!("{error:?}")), ..seen },
            Err(_) => return Seen { error: Some("no answer".to_owned()), ..seen },
        };
        let header = |name: &str| answer.headers().get(name).and_then(|value| value.to_str().ok());
        seen.lineup = header("turnout-lineup").and_then(math);
        seen.frontend = header("turnout-frontend").unwrap_or_default().to_owned();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if body["data"]["add"].is_null() {
            seen.error = Some(body.to_string());
        }
        seen
    }
}

/// `echo=1.0.0;stable, math=1.1.0;candidate`
fn math(lineup: &str) -> Option<(String, String)> {
    let of = lineup.split(", ").find_map(|part| part.strip_prefix("math="))?;
    let (version, arm) = of.split_once(';')?;
    Some((version.to_owned(), arm.to_owned()))
}

/// Callers of gateways, a different user each time.
pub(super) struct Users {
    seen: Arc<Mutex<Vec<Seen>>>,
    task: JoinHandle<()>,
    pub(super) began: Instant,
}

impl Users {
    /// Asks so often a second, the gateways in turn, as so many users.
    pub(super) fn start(publics: Vec<String>, per_second: u32, users: u64) -> Users {
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (tells, browser, next) = (seen.clone(), Browser::new(), Arc::new(AtomicU64::new(0)));
        let began = browser.began;
        let task = tokio::spawn(async move {
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
            loop {
                ticks.tick().await;
                let number = next.fetch_add(1, Ordering::Relaxed);
                let public = publics[usize::try_from(number).unwrap() % publics.len()].clone();
                // Neighbours in time are no neighbours in number, and meet every gateway.
                let unit = number.wrapping_mul(2_654_435_761) % users;
                let (browser, tells) = (browser.clone(), tells.clone());
                tokio::spawn(async move {
                    let seen = browser.ask(&public, None, unit).await;
                    tells.lock().unwrap().push(seen);
                });
            }
        });
        Users { seen, task, began }
    }

    /// What they have seen until now, in the order of asking.
    pub(super) fn seen(&self) -> Vec<Seen> {
        let mut seen = self.seen.lock().unwrap().clone();
        seen.sort_by_key(|seen| seen.at);
        seen
    }
}

impl Drop for Users {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// From the first operation on a candidate to the last.
pub(super) fn exposure(seen: &[Seen]) -> Option<Duration> {
    let mut tried = seen.iter().filter(|seen| seen.is_candidate()).map(|seen| seen.at);
    let first = tried.next()?;
    Some(tried.next_back().unwrap_or(first) - first)
}

/// What went wrong for those who did not get the candidate.
pub(super) fn hurt_on_stable(seen: &[Seen]) -> Vec<&Seen> {
    seen.iter().filter(|seen| !seen.is_candidate() && seen.error.is_some()).collect()
}

/// Whether somebody got the stable version after the candidate, or the other way round, while the weight stood.
pub(super) fn versions_of(seen: &[Seen]) -> BTreeMap<u64, Vec<String>> {
    let mut versions: BTreeMap<u64, Vec<String>> = BTreeMap::new();
    for seen in seen {
        let Some((version, _)) = &seen.lineup else { continue };
        let known = versions.entry(seen.unit).or_default();
        if known.last() != Some(version) {
            known.push(version.clone());
        }
    }
    versions
}
