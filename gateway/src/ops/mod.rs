//! The operators' API: GraphQL on the admin listener, which the dashboard and the command line use and
//! nothing else.
//!
//! `view` is what can be asked; here it is served. Texts are measured before async-graphql parses
//! them, whose own limits a few hundred bytes can defeat.

mod change;
mod check;
mod done;
mod fault;
mod graph;
mod overrides;
mod service;
mod source;
#[cfg(test)]
mod tests;
mod view;
#[cfg(test)]
mod world;

use std::sync::Arc;

use async_graphql::http::ALL_WEBSOCKET_PROTOCOLS;
use async_graphql::{Data, Executor, Request, ServerError};
use async_graphql_axum::{GraphQLProtocol, GraphQLWebSocket};
use axum::Router;
use axum::body::{Body, HttpBody};
use axum::extract::{Extension, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::post;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::sync::{Semaphore, watch};
use turnout_schema::guard::{self, Limits};

use crate::clock::Clock;
use crate::exposure::Stated;
use crate::http::access::Caller;
use crate::http::body;
use crate::identity::Tokens;
use crate::reconcile::{Previews, Published, Report};
use crate::registry::Registry;
use crate::registry::audit::Audit;

/// The executable schema.
pub type Schema = async_graphql::Schema<view::Query, change::Mutation, view::Subscription>;

/// The largest question, and the largest message of a WebSocket.
const BODY_BYTES_MAX: usize = 256 << 10;

/// The largest question that says beforehand how large it is: descriptors of 4 MiB as base64, and the rest.
const LARGE_BODY_BYTES_MAX: usize = 6 << 20;

/// How many of the large ones are held in memory at once; others wait.
const LARGE_BODIES_MAX: usize = 4;

/// What the API tells about.
#[derive(Clone, Debug)]
pub struct Facts {
    /// What is registered.
    pub registry: Registry,
    /// When the gateway started.
    pub clock: Clock,
    /// How the graph stands.
    pub graph: watch::Receiver<Arc<Report>>,
    /// Tells what would become of the graph.
    pub previews: Previews,
    /// What the configuration says of what is public.
    pub stated: watch::Receiver<Arc<Stated>>,
    /// Takes changes.
    pub audit: Audit,
}

impl Facts {
    /// What there is to tell about a registry and the graph that is made of it.
    pub fn new(registry: &Registry, published: &Published, stated: watch::Receiver<Arc<Stated>>) -> Facts {
        let clock = registry.hub.clock();
        Facts {
            registry: registry.clone(),
            clock,
            graph: published.reports.clone(),
            previews: published.previews.clone(),
            stated,
            audit: Audit::new(registry.store.clone(), clock),
        }
    }
}

/// Builds the schema. `tokens` sign what operators are given.
pub fn schema(facts: Facts, tokens: Arc<Tokens>) -> Schema {
    Schema::build(view::Query, change::Mutation, view::Subscription)
        .limit_complexity(view::WEIGHT_MAX)
        .data(facts)
        .data(tokens)
        .finish()
}

/// `/graphql`: POST for questions and changes, a WebSocket for subscriptions.
pub fn router(schema: Schema) -> Router {
    let endpoint = Endpoint { schema, large: Arc::new(Semaphore::new(LARGE_BODIES_MAX)) };
    Router::new().route("/graphql", post(answer).get(subscribe)).with_state(endpoint)
}

#[derive(Clone)]
struct Endpoint {
    schema: Schema,
    large: Arc<Semaphore>,
}

async fn answer(
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    // What a form of a foreign page can send, a form of a foreign page will send.
    let json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/json"));
    let announced = body.size_hint().exact().and_then(|bytes| usize::try_from(bytes).ok());
    let large = json && announced.is_some_and(|bytes| bytes > BODY_BYTES_MAX);
    let _room = if large { endpoint.large.acquire().await.ok() } else { None };
    let bytes_max = if large { LARGE_BODY_BYTES_MAX } else { BODY_BYTES_MAX };
    let bytes = match body::read(&headers, body, bytes_max).await {
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
    Json(endpoint.schema.execute(request.data(caller)).await).into_response()
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
    State(endpoint): State<Endpoint>,
    Extension(caller): Extension<Caller>,
    protocol: GraphQLProtocol,
    upgrade: WebSocketUpgrade,
) -> Response {
    upgrade.max_message_size(BODY_BYTES_MAX).protocols(ALL_WEBSOCKET_PROTOCOLS).on_upgrade(move |socket| {
        let mut data = Data::default();
        data.insert(caller);
        GraphQLWebSocket::new(socket, Measured(endpoint.schema), protocol).with_data(data).serve()
    })
}
