//! Whether the gateway lives, and whether it should get traffic.
//!
//! Alive means that it answers. Ready means that it has started and is not stopping; it never depends
//! on any one upstream, or one sick service would take all gateways out. `?verbose` tells each check.

use axum::Router;
use axum::extract::{RawQuery, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio_util::sync::CancellationToken;

use crate::registry::Registry;

/// What readiness is made of.
#[derive(Clone, Debug)]
pub struct Health {
    /// Cancelled when the gateway stops.
    pub stop: CancellationToken,
    /// What is registered.
    pub registry: Registry,
}

/// `/livez` and `/readyz`.
pub fn router(health: Health) -> Router {
    Router::new().route("/livez", get(|| async { "ok\n" })).route("/readyz", get(readyz)).with_state(health)
}

async fn readyz(State(health): State<Health>, RawQuery(query): RawQuery) -> Response {
    let stopping = health.stop.is_cancelled();
    let status = if stopping { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let verdict = if stopping { "stopping" } else { "ok" };
    let verbose = query.is_some_and(|query| query.split('&').any(|part| part.starts_with("verbose")));
    if !verbose {
        return (status, format!("{verdict}\n")).into_response();
    }
    let snapshot = health.registry.snapshot();
    let mark = if stopping { "[-]" } else { "[+]" };
    let (revision, instances) = (snapshot.revision, snapshot.instances().count());
    let text = format!(
        "{mark} shutdown {}\n[+] registry ok, revision {revision}, {instances} instances\n{verdict}\n",
        if stopping { "in progress" } else { "ok" },
    );
    (status, text).into_response()
}
