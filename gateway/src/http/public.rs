//! The routes of the public listener.

use axum::Router;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::any;
use serde_json::json;

use super::health::{self, Health};

/// Everything a browser can reach.
pub fn router(health: Health) -> Router {
    Router::new().route("/graphql", any(graphql)).merge(health::router(health)).fallback(missing)
}

/// The engine that answers operations is not part of this build.
async fn graphql() -> Response {
    let message = "this build of the gateway registers services and does not answer GraphQL yet; \
                   see CHANGELOG.md";
    let error = json!({ "message": message, "extensions": { "code": "INTERNAL_SERVER_ERROR" } });
    (StatusCode::SERVICE_UNAVAILABLE, Json(json!({ "errors": [error] }))).into_response()
}

async fn missing() -> Response {
    (StatusCode::NOT_FOUND, "nothing lives at this address; GraphQL is at /graphql\n").into_response()
}
