//! The operators' API: GraphQL on the admin listener, which the dashboard and the command line use and
//! nothing else.
//!
//! `view` is what can be asked; here it is served. Texts are measured before async-graphql parses
//! them, whose own limits a few hundred bytes can defeat.

mod graph;
mod view;

use std::sync::Arc;

use async_graphql::http::ALL_WEBSOCKET_PROTOCOLS;
use async_graphql::{Data, EmptyMutation, Executor, Request, ServerError};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::Router;
use axum::body::Body;
use axum::extract::{State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::watch;
use turnout_schema::guard::{self, Limits};

use crate::clock::Clock;
use crate::http::body;
use crate::reconcile::Report;
use crate::registry::Registry;

/// The executable schema.
pub type Schema = async_graphql::Schema<view::Query, EmptyMutation, view::Subscription>;

const BODY_BYTES_MAX: usize = 256 << 10;

/// What the API tells about.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What is registered.
    pub registry: Registry,
    /// When the gateway started.
    pub clock: Clock,
    /// How the graph stands.
    pub graph: watch::Receiver<Arc<Report>>,
}

/// Builds the schema.
pub fn schema(facts: Facts) -> Schema {
    Schema::build(view::Query, EmptyMutation, view::Subscription).data(facts).finish()
}

/// `/graphql`: POST for questions, a WebSocket for subscriptions.
pub fn router(schema: Schema) -> Router {
    Router::new().route("/graphql", post(answer).get(subscribe)).with_state(schema)
}

async fn answer(State(schema): State<Schema>, headers: HeaderMap, body: Body) -> Response {
    // What a form of a foreign page can send, a form of a foreign page will send.
    let json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let bytes = match body::read(&headers, body, BODY_BYTES_MAX).await {
        Ok(bytes) => bytes,
        Err(error) => return refuse(StatusCode::BAD_REQUEST, &error.to_string()),
    };
    if !json {
        return refuse(StatusCode::UNSUPPORTED_MEDIA_TYPE, "send the question as application/json");
    }
    let request: Request = match serde_json::from_slice(&bytes) {
        Ok(request) => request,
        Err(error) => {
            return refuse(StatusCode::BAD_REQUEST, &format!("the body is no GraphQL request: {error}"));
        }
    };
    if let Err(error) = measure(&request.query) {
        return refuse(StatusCode::BAD_REQUEST, &error.message);
    }
    Json(schema.execute(request).await).into_response()
}

/// Whether a document may be parsed at all.
fn measure(document: &str) -> Result<(), ServerError> {
    guard::check(document, &Limits::RECOMMENDED)
        .map(drop)
        .map_err(|refusal| ServerError::new(refusal.to_string(), None))
}

/// The schema for a WebSocket, whose messages are measured one by one.
#[derive(Clone)]
struct Measured(Schema);

impl Executor for Measured {
    async fn execute(&self, request: Request) -> async_graphql::Response {
        match measure(&request.query) {
            Ok(()) => self.0.execute(request).await,
            Err(error) => async_graphql::Response::from_errors(vec![error]),
        }
    }

    fn execute_stream(
        &self,
        request: Request,
        session: Option<Arc<Data>>,
    ) -> BoxStream<'static, async_graphql::Response> {
        match measure(&request.query) {
            Ok(()) => Executor::execute_stream(&self.0, request, session),
            Err(error) => {
                let refused = async_graphql::Response::from_errors(vec![error]);
                stream::once(std::future::ready(refused)).boxed()
            }
        }
    }
}

fn refuse(status: StatusCode, message: &str) -> Response {
    let response = async_graphql::Response::from_errors(vec![ServerError::new(message, None)]);
    (status, Json(response)).into_response()
}

async fn subscribe(
    State(schema): State<Schema>,
    protocol: GraphQLProtocol,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade
        .max_message_size(BODY_BYTES_MAX)
        .protocols(ALL_WEBSOCKET_PROTOCOLS)
        .on_upgrade(move |socket| GraphQLWebSocket::new(socket, Measured(schema), protocol).serve())
}
