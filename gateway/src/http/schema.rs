//! What does a frontend see, for its tools: `/schema/web@2.4.1.graphql` and `.json`.
//!
//! The SDL is the text of the graph; the JSON is the answer to the standard question about a schema. Both have
//! a tag, so that a build asks often and loads seldom. `any@0.0.0` is what callers see who are no published
//! frontend. What was made is kept by graph, and frontends that share one share it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_graphql_parser::parse_query;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use tokio::sync::watch;
use turnout_control::id::FrontendId;
use turnout_schema::{Digest, sdl};

use super::apps::{has, tag};
use crate::frontends::ANY;
use crate::generation::{Generation, Graph};

/// The most texts that are kept.
const KEPT_MAX: usize = 32;

/// The question that tools ask about a schema.
const QUESTION: &str = "query IntrospectionQuery { __schema { description
  queryType { name } mutationType { name } subscriptionType { name }
  types { ...FullType } directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } }
fragment FullType on __Type { kind name description specifiedByURL isOneOf
  fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
  inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef }
  enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue isDeprecated deprecationReason }
fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name
  ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";

/// Tells what frontends see.
#[derive(Clone, Debug)]
pub(super) struct Schemas {
    generations: watch::Receiver<Option<Arc<Generation>>>,
    kept: Arc<Mutex<BTreeMap<(Digest, Form), Text>>>,
}

#[derive(Clone, Debug)]
struct Text {
    bytes: Bytes,
    tag: HeaderValue,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Form {
    Sdl,
    Json,
}

impl Form {
    fn kind(self) -> &'static str {
        match self {
            Form::Sdl => "application/graphql; charset=utf-8",
            Form::Json => "application/json",
        }
    }
}

/// The routes below `/schema/`.
pub(super) fn router(generations: watch::Receiver<Option<Arc<Generation>>>) -> Router {
    let schemas = Schemas { generations, kept: Arc::default() };
    Router::new().route("/schema/{name}", get(schema)).with_state(schemas)
}

async fn schema(State(schemas): State<Schemas>, Path(name): Path<String>, headers: HeaderMap) -> Response {
    let asked = match name.strip_suffix(".graphql") {
        Some(id) => Some((id, Form::Sdl)),
        None => name.strip_suffix(".json").map(|id| (id, Form::Json)),
    };
    let asked = asked.and_then(|(id, form)| Some((id.parse::<FrontendId>().ok()?, form)));
    let Some((id, form)) = asked else {
        return missing("name a frontend version, such as /schema/web@2.4.1.graphql or .json\n".to_owned());
    };
    let generation = schemas.generations.borrow().clone();
    let named = (id.to_string() != ANY).then_some(&id);
    let view = generation.as_ref().and_then(|now| now.view(named));
    let Some(graph) = view.map(|view| view.graph.clone()) else {
        return missing(format!("{id} is not published, or it sees nothing now\n"));
    };
    let Some(text) = schemas.text(graph, form).await else {
        return (StatusCode::INTERNAL_SERVER_ERROR, "the schema could not be written\n").into_response();
    };
    let mut response = if has(&headers, &text.tag) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, form.kind())], text.bytes).into_response()
    };
    response.headers_mut().insert(header::ETAG, text.tag);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

impl Schemas {
    async fn text(&self, graph: Arc<Graph>, form: Form) -> Option<Text> {
        let name = (graph.supergraph().digest, form);
        let known = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&name).cloned();
        if known.is_some() {
            return known;
        }
        let write = move || match form {
            Form::Sdl => Some(sdl::sdl(graph.supergraph())),
            Form::Json => introspection(&graph),
        };
        let bytes = Bytes::from(tokio::task::spawn_blocking(write).await.ok()??);
        let text = Text { tag: tag(&bytes), bytes };
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(name, text.clone());
        Some(text)
    }
}

fn introspection(graph: &Graph) -> Option<String> {
    let question = parse_query(QUESTION).expect("the question is right");
    match graph.introspection().answer(&question, None, async_graphql::Variables::default()) {
        Ok(answer) => Some(serde_json::json!({ "data": answer.into_json().ok()? }).to_string()),
        Err(error) => {
            tracing::error!(%error, "the graph cannot be told as JSON");
            None
        }
    }
}

fn missing(text: String) -> Response {
    (StatusCode::NOT_FOUND, text).into_response()
}
