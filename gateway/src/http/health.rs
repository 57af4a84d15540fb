//! Whether the gateway lives, and whether it should get traffic.
//!
//! Alive means that it answers. Ready means that it has looked at what is registered and is not stopping; it
//! never depends on any one upstream or registry, or one that is sick would take all gateways out: a source
//! that cannot be heard degrades what is told and nothing else. `?verbose` tells each check.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::reconcile::Report;
use crate::registry::{Freshness, Hearing, Leadership, Registry};
use crate::rollout::Pulse;

/// After so long without a look rollouts stand still: twice the longest tick.
const TICKS_MISSED: Duration = Duration::from_mins(2);

/// What readiness is made of.
#[derive(Clone, Debug)]
pub struct Health {
    /// Cancelled when the gateway stops.
    pub stop: CancellationToken,
    /// What is registered.
    pub registry: Registry,
    /// How the graph stands.
    pub reports: watch::Receiver<Arc<Report>>,
    /// How the loop is doing that moves rollouts.
    pub rollouts: watch::Receiver<Pulse>,
}

/// `/livez` and `/readyz`.
pub fn router(health: Health) -> Router {
    Router::new().route("/livez", get(|| async { "ok\n" })).route("/readyz", get(readyz)).with_state(health)
}

/// How a check stands, the worst last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// Well.
    Ok,
    /// Not well, and no reason to send traffic elsewhere.
    Degraded,
    /// Not ready; what is told in one word.
    Bad(&'static str),
}

impl Standing {
    fn mark(self) -> char {
        match self {
            Standing::Ok => '+',
            Standing::Degraded => '!',
            Standing::Bad(_) => '-',
        }
    }

    fn word(self) -> &'static str {
        match self {
            Standing::Ok => "ok",
            Standing::Degraded => "degraded",
            Standing::Bad(word) => word,
        }
    }
}

async fn readyz(State(health): State<Health>, RawQuery(query): RawQuery) -> Response {
    let checks = checks(&health);
    let verdict = checks.iter().map(|(standing, _)| *standing).max().unwrap_or(Standing::Ok);
    let status = match verdict {
        Standing::Ok | Standing::Degraded => StatusCode::OK,
        Standing::Bad(_) => StatusCode::SERVICE_UNAVAILABLE,
    };
    let mut text = String::new();
    if query.is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose"))) {
        for (standing, line) in checks {
            // Writing to a string cannot fail.
            let _infallible = writeln!(text, "[{}] {line}", standing.mark());
        }
    }
    text.push_str(verdict.word());
    text.push('\n');
    (status, text).into_response()
}

fn checks(health: &Health) -> Vec<(Standing, String)> {
    let mut checks = Vec::new();
    checks.push(match health.stop.is_cancelled() {
        true => (Standing::Bad("stopping"), "shutdown in progress".to_owned()),
        false => (Standing::Ok, "shutdown ok".to_owned()),
    });
    let snapshot = health.registry.snapshot();
    let (revision, instances) = (snapshot.revision, snapshot.instances().count());
    checks.push((Standing::Ok, format!("registry ok, revision {revision}, {instances} instances")));
    let report = health.reports.borrow().clone();
    checks.push(match (report.revision, report.digest) {
        (None, _) => (Standing::Bad("starting"), "graph waits for the first look at the registry".to_owned()),
        (Some(_), None) => (Standing::Ok, "graph ok, nothing is served yet".to_owned()),
        (Some(seen), Some(digest)) => {
            let (number, members) = (report.generation, report.members.len());
            let digest = digest.short();
            (
                Standing::Ok,
                format!("graph ok, generation {number}, {digest}, {members} services, of revision {seen}"),
            )
        }
    });
    let age = health.registry.hub.clock().age();
    let sources = health.registry.hub.sources().borrow().clone();
    checks.extend(sources.iter().map(|(name, source)| heard(name.as_str(), source, age)));
    let leadership = health.registry.store.leadership().borrow().clone();
    checks.push(moved(&leadership, &health.rollouts.borrow()));
    checks
}

/// Whether somebody moves rollouts. Where nobody does they stand still, and requests go on as they are routed.
fn moved(leadership: &Leadership, pulse: &Pulse) -> (Standing, String) {
    let Pulse { ticked, live, away } = pulse;
    match (leadership, ticked.map(|at| at.elapsed())) {
        (Leadership::Follows(None), _) => {
            (Standing::Degraded, "rollouts stand still: nobody is known to lead".to_owned())
        }
        (Leadership::Follows(Some(name)), _) => (Standing::Ok, format!("rollouts ok, {name} leads")),
        (Leadership::Leads, None) => (Standing::Ok, "rollouts ok, about to look at them first".to_owned()),
        (Leadership::Leads, Some(age)) => {
            let about = format!("{live} under way, looked at {} s ago", age.as_secs());
            match (*away, age > TICKS_MISSED) {
                (true, _) => (Standing::Degraded, format!("rollouts cannot be written: {about}")),
                (false, true) => (Standing::Degraded, format!("rollouts stand still: {about}")),
                (false, false) => (Standing::Ok, format!("rollouts ok, this gateway leads, {about}")),
            }
        }
    }
}

/// How a source stands. What it said last goes on to hold, so none makes the gateway unready.
fn heard(name: &str, source: &Freshness, age: Duration) -> (Standing, String) {
    let Freshness { backend, layout, entries, revision, .. } = source;
    let last = match source.heard_at {
        Some(at) => format!("last heard {} s ago", age.saturating_sub(at).as_secs()),
        None => "not heard yet".to_owned(),
    };
    let about = format!("{backend}, {layout}, revision {revision}, {entries} entries, {last}");
    match &source.state {
        Hearing::Live => (Standing::Ok, format!("source {name} ok: {about}")),
        Hearing::Starting => (Standing::Degraded, format!("source {name} starting: {about}")),
        Hearing::Stale(why) => {
            let why: String = why.chars().filter(|letter| !letter.is_control()).take(200).collect();
            (Standing::Degraded, format!("source {name} stale ({why}): {about}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use turnout_control::id::SourceName;

    use super::*;
    use crate::clock::Clock;
    use crate::registry::embedded;

    async fn ask(health: &Health, path: &str) -> (StatusCode, String) {
        let request = http::Request::get(path).body(axum::body::Body::empty()).unwrap();
        let answer = router(health.clone()).oneshot(request).await.unwrap();
        let status = answer.status();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn ready_is_who_has_looked_and_is_not_stopping() {
        let directory = tempfile::tempdir().unwrap();
        let registry = embedded::alone(directory.path(), Clock::start(), Duration::ZERO).unwrap();
        let (report, reports) = watch::channel(Arc::new(Report::default()));
        let (pulse, rollouts) = watch::channel(Pulse::default());
        let health = Health { stop: CancellationToken::new(), registry, reports, rollouts };
        let (status, text) = ask(&health, "/readyz?verbose").await;
        assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(text.contains("[-] graph waits for the first look at the registry\n"), "{text}");
        assert!(text.ends_with("\nstarting\n"), "{text}");

        report.send_replace(Arc::new(Report { revision: Some(0), ..Report::default() }));
        assert_eq!(ask(&health, "/readyz").await.0, StatusCode::OK);

        let mut source = Freshness {
            backend: "etcd",
            layout: "native",
            state: Hearing::Live,
            synced_at: None,
            heard_at: Some(health.registry.hub.clock().age()),
            revision: 7,
            relists: 1,
            entries: 3,
        };
        let name: SourceName = "etcd".parse().unwrap();
        health.registry.hub.hears(&name, source.clone());
        assert_eq!(ask(&health, "/readyz").await.0, StatusCode::OK);
        source.state = Hearing::Stale("no\nanswer".to_owned());
        health.registry.hub.hears(&name, source);
        tokio::time::advance(Duration::from_secs(61)).await;
        let (status, text) = ask(&health, "/readyz?verbose").await;
        assert_eq!(status, StatusCode::OK);
        let line =
            "[!] source etcd stale (noanswer): etcd, native, revision 7, 3 entries, last heard 61 s ago";
        assert!(text.contains(line) && text.ends_with("\ndegraded\n"), "{text}");

        let now = tokio::time::Instant::now();
        pulse.send_replace(Pulse { ticked: Some(now), live: 2, away: false });
        let (_, text) = ask(&health, "/readyz?verbose").await;
        assert!(
            text.contains("[+] rollouts ok, this gateway leads, 2 under way, looked at 0 s ago"),
            "{text}"
        );
        tokio::time::advance(Duration::from_secs(121)).await;
        let (status, text) = ask(&health, "/readyz?verbose").await;
        assert!(text.contains("[!] rollouts stand still: 2 under way, looked at 121 s ago"), "{text}");
        assert_eq!(status, StatusCode::OK);

        health.stop.cancel();
        assert_eq!(ask(&health, "/readyz").await, (StatusCode::SERVICE_UNAVAILABLE, "stopping\n".to_owned()));
    }
}
