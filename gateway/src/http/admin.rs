//! The routes of the admin listener: registration, the operators' API, metrics and health, with HTTP
//! and gRPC on one port.

use std::sync::Arc;

use axum::Router;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::sync::watch;

use super::access::{self, Access};
use super::health::{self, Health};
use crate::ops;
use crate::registry::serve::{self, Registrar};
use crate::telemetry::Metrics;

/// What the admin listener serves.
#[derive(Clone)]
pub struct Admin {
    /// Takes registrations.
    pub registrar: Registrar,
    /// The operators' API.
    pub ops: ops::Schema,
    /// What Prometheus reads.
    pub metrics: Metrics,
    /// Whether the gateway is ready.
    pub health: Health,
    /// Who may come in; changes with the tokens file.
    pub access: watch::Receiver<Arc<Access>>,
}

impl std::fmt::Debug for Admin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Admin").field("registrar", &self.registrar).finish_non_exhaustive()
    }
}

/// Everything an operator or a service can reach.
pub fn router(admin: Admin) -> Router {
    let grpc = tonic::service::Routes::new(serve::service(admin.registrar.clone())).into_axum_router();
    let metrics = admin.metrics;
    Router::new()
        .merge(serve::router(admin.registrar))
        .merge(ops::router(admin.ops))
        .route("/metrics", get(move || async move { metrics.render() }))
        .merge(health::router(admin.health))
        // tonic's own fallback answers every unknown path as gRPC; ours comes from the outer router.
        .route("/turnout.registry.v1.Registry/{rpc}", axum::routing::any_service(grpc))
        .fallback(missing)
        .layer(middleware::from_fn_with_state(admin.access, access::guard))
        .layer(middleware::map_response(harden))
}

async fn missing() -> Response {
    let text = "nothing lives at this address; the operators' API is at /graphql, registration below \
                /registry/v1\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

/// Nothing here is made to be framed, cached or guessed at by a browser.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        (
            "content-security-policy",
            "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    response
}
