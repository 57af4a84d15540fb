//! The registration API over HTTP with JSON, made for a few lines of any language, or for curl.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::id::{InstanceId, LeaseId, ServiceName};
use turnout_control::layout;
use turnout_control::registration::Terms;
use turnout_control::registry::{Event, Registered, Service, Snapshot};
use turnout_schema::subgraph::descriptors::BYTES_MAX;
use turnout_schema::{Diagnostic, Digest};

use super::{Kind, Trouble};
use crate::clock::rfc3339;
use crate::http::access::Caller;
use crate::http::body;
use crate::reconcile::Report;
use crate::registry::native::Native;
use crate::registry::{Changes, Granted, Registry};

/// The largest registration: the native layout's bound.
const INSTANCE_BYTES_MAX: usize = 16 << 10;
/// How long a watcher may ask to wait, and how long it waits by default.
const WAIT_MAX_S: u64 = 300;
const WAIT_DEFAULT_S: u64 = 30;

/// What the routes need.
#[derive(Clone, Debug)]
pub struct Registrar {
    /// Where registrations are kept.
    pub registry: Registry,
    /// What is found about those that are taken.
    pub reports: watch::Receiver<Arc<Report>>,
    /// Which are taken; may change while the gateway runs.
    pub terms: watch::Receiver<Terms>,
    /// Ends waiting watchers when the gateway stops.
    pub stop: CancellationToken,
}

/// The routes below `/registry/v1`.
pub fn router(registrar: Registrar) -> Router {
    Router::new()
        .route("/registry/v1/schemas/{digest}", put(put_schema).get(get_schema).head(head_schema))
        .route("/registry/v1/instances/{service}/{id}", put(register).get(show).delete(deregister))
        .route("/registry/v1/leases/{lease}/keepalive", post(keepalive))
        .route("/registry/v1/services", get(services))
        .route("/registry/v1/watch", get(watch))
        .with_state(registrar)
}

type Answer = Result<Response, Trouble>;

async fn put_schema(
    State(at): State<Registrar>,
    Path(digest): Path<String>,
    headers: HeaderMap,
    body: Body,
) -> Answer {
    // The body before everything: an answer to someone who still sends is lost with the connection.
    let bytes = body::read(&headers, body, BYTES_MAX).await?;
    let digest: Digest = digest.parse().map_err(|error| Trouble::digest(&error))?;
    let stored = at.registry.store.put_schema(digest, bytes).await?;
    let status = if stored.created { StatusCode::CREATED } else { StatusCode::OK };
    let answer = json!({
        "digest": stored.digest.to_string(), "services": stored.services, "created": stored.created,
    });
    Ok((status, Json(answer)).into_response())
}

async fn get_schema(State(at): State<Registrar>, Path(digest): Path<String>) -> Answer {
    let digest: Digest = digest.parse().map_err(|error| Trouble::digest(&error))?;
    let bytes = at.registry.store.schema(digest).await?;
    let bytes = bytes.ok_or_else(Trouble::unknown_schema)?;
    Ok(([(header::CONTENT_TYPE, "application/x-protobuf")], bytes).into_response())
}

async fn head_schema(State(at): State<Registrar>, Path(digest): Path<String>) -> Answer {
    let digest: Digest = digest.parse().map_err(|error| Trouble::digest(&error))?;
    let stored = at.registry.store.schema_services(digest).await?;
    Ok(if stored.is_some() { StatusCode::OK } else { StatusCode::NOT_FOUND }.into_response())
}

#[derive(Deserialize)]
struct RegisterQuery {
    ttl: Option<String>,
}

async fn register(
    State(at): State<Registrar>,
    Path((service, id)): Path<(String, String)>,
    Query(query): Query<RegisterQuery>,
    Extension(caller): Extension<Caller>,
    (headers, body): (HeaderMap, Body),
) -> Answer {
    let bytes = body::read(&headers, body, INSTANCE_BYTES_MAX).await?;
    let (service, id) = names(&service, &id)?;
    caller.may_register(service.as_str())?;
    let ttl_s = query.ttl.as_deref().map(ttl).transpose()?;
    let native: Native = serde_json::from_slice(&bytes).map_err(|error| {
        Trouble::new(
            Kind::Malformed,
            "INVALID_JSON",
            format!("the body is no registration: {error}"),
            "Send {\"version\": \"1.5.0\", \"endpoints\": [{\"url\": \"grpc://10.0.0.7:50051\"}], \
             \"schema\": {\"digest\": \"sha256:…\"}}.",
        )
    })?;
    let unknown: Vec<Diagnostic> = native.unknown().map(layout::unknown_field).collect();
    let terms = at.terms.borrow().clone();
    let registration = native.read_as(&service, &id, ttl_s, &terms).map_err(Trouble::mistakes)?;
    let mut granted = at.register(registration).await?;
    granted.findings.extend(unknown);
    Ok(Json(Granting::from(granted)).into_response())
}

/// What the caller is told of its registration.
#[derive(Serialize)]
struct Granting {
    lease: String,
    ttl: u16,
    heartbeat: u16,
    revision: u64,
    findings: Vec<Value>,
}

impl From<Granted> for Granting {
    fn from(granted: Granted) -> Granting {
        Granting {
            lease: granted.lease.to_string(),
            ttl: granted.ttl_s,
            heartbeat: granted.heartbeat_s,
            revision: granted.revision,
            findings: granted.findings.iter().map(finding).collect(),
        }
    }
}

fn finding(diagnostic: &Diagnostic) -> Value {
    json!({
        "severity": diagnostic.severity.as_str(), "code": diagnostic.code,
        "message": diagnostic.message, "help": diagnostic.help,
    })
}

async fn show(State(at): State<Registrar>, Path((service, id)): Path<(String, String)>) -> Answer {
    let (service, id) = names(&service, &id)?;
    let snapshot = at.registry.snapshot();
    let registered = snapshot.instance(&service, &id).ok_or_else(|| {
        let message = format!("{service} has no instance {id}");
        Trouble::new(Kind::Missing, "INSTANCE_UNKNOWN", message, "Register it with PUT.")
    })?;
    Ok(Json(instance(registered)).into_response())
}

#[derive(Deserialize)]
struct LeaseQuery {
    lease: Option<String>,
}

async fn deregister(
    State(at): State<Registrar>,
    Path((service, id)): Path<(String, String)>,
    Query(query): Query<LeaseQuery>,
    Extension(caller): Extension<Caller>,
) -> Answer {
    let (service, id) = names(&service, &id)?;
    caller.may_register(service.as_str())?;
    let lease: LeaseId =
        query.lease.unwrap_or_default().parse().map_err(|error| Trouble::name("lease", &error))?;
    let revision = at.registry.store.deregister(service, id, lease).await?;
    Ok(Json(json!({ "revision": revision })).into_response())
}

async fn keepalive(State(at): State<Registrar>, Path(lease): Path<String>) -> Answer {
    let id: LeaseId = lease.parse().map_err(|_| Trouble::unknown_lease())?;
    let ttl_s = at.registry.store.renew(id).await.map_err(Trouble::of_heartbeat)?;
    let ttl_s = ttl_s.ok_or_else(Trouble::unknown_lease)?;
    Ok(Json(json!({ "lease": lease, "ttl": ttl_s })).into_response())
}

async fn services(State(at): State<Registrar>) -> Json<Value> {
    let snapshot = at.registry.snapshot();
    let services: Vec<Value> = snapshot.services().map(|(name, found)| service_json(name, found)).collect();
    Json(json!({ "revision": snapshot.revision, "services": services }))
}

fn service_json(name: &ServiceName, service: &Service) -> Value {
    let versions: Vec<Value> = service
        .versions
        .iter()
        .map(|(version, record)| {
            let instances: Vec<Value> = service
                .instances
                .values()
                .filter(|registered| registered.instance.version == *version)
                .map(instance)
                .collect();
            json!({
                "version": version.to_string(),
                "digest": record.digest.map(|digest| digest.to_string()),
                "first_seen": rfc3339(record.first_seen),
                "instances": instances,
            })
        })
        .collect();
    json!({ "service": name.as_str(), "versions": versions })
}

/// An instance as it registered, and what the registry makes of it.
fn instance(registered: &Registered) -> Value {
    let mut value = serde_json::to_value(Native::of(&registered.instance)).unwrap_or_default();
    value["state"] = registered.standing().as_str().into();
    value["registered_at"] = rfc3339(registered.registered_at).into();
    value["ttl"] = registered.ttl_s.into();
    value
}

#[derive(Deserialize)]
struct WatchQuery {
    cursor: Option<String>,
    wait: Option<String>,
}

/// Answers when something changed after the cursor, or when the time to wait is over.
async fn watch(State(at): State<Registrar>, Query(query): Query<WatchQuery>) -> Answer {
    let wait = query.wait.as_deref().map_or(Ok(WAIT_DEFAULT_S), |text| seconds("wait", text))?;
    let until = tokio::time::sleep(Duration::from_secs(wait.min(WAIT_MAX_S)));
    tokio::pin!(until);
    let mut nudges = at.registry.changes();
    let cursor = query.cursor.as_deref().map(|text| number("cursor", "number", text)).transpose()?;
    let Some(cursor) = cursor else { return Ok(Json(whole(&at.registry.snapshot())).into_response()) };
    loop {
        nudges.mark_unchanged();
        match at.registry.hub.after(cursor) {
            Changes::Snapshot(snapshot) => return Ok(Json(whole(&snapshot)).into_response()),
            Changes::Events(events) if !events.is_empty() => {
                return Ok(Json(changed(&at.registry.snapshot(), &events)).into_response());
            }
            Changes::Events(_) => {}
        }
        tokio::select! {
            _ = nudges.changed() => {}
            () = &mut until => break,
            () = at.stop.cancelled() => break,
        }
    }
    Ok(Json(json!({ "cursor": cursor, "reset": false, "events": [] })).into_response())
}

fn whole(snapshot: &Snapshot) -> Value {
    let events: Vec<Value> = snapshot
        .instances()
        .map(|registered| json!({ "type": "up", "revision": snapshot.revision, "instance": instance(registered) }))
        .collect();
    json!({ "cursor": snapshot.revision, "reset": true, "events": events })
}

fn changed(snapshot: &Snapshot, events: &[(u64, Event)]) -> Value {
    let told: Vec<Value> = events.iter().filter_map(|(at, event)| event_json(snapshot, *at, event)).collect();
    let cursor = events.last().map_or(snapshot.revision, |(at, _)| *at);
    json!({ "cursor": cursor, "reset": false, "events": told })
}

/// `None` for a change of an instance that has gone since: its end is told by a later event.
fn event_json(snapshot: &Snapshot, revision: u64, event: &Event) -> Option<Value> {
    match event {
        Event::Up(registered) => {
            Some(json!({ "type": "up", "revision": revision, "instance": instance(registered) }))
        }
        Event::Heard(service, id, _) => {
            let registered = snapshot.instance(service, id)?;
            Some(json!({ "type": "up", "revision": revision, "instance": instance(registered) }))
        }
        Event::Down(service, id, why) => Some(json!({
            "type": "down", "revision": revision, "service": service.as_str(), "id": id.as_str(),
            "why": why.as_str(),
        })),
        Event::Version(..) => None,
    }
}

fn names(service: &str, id: &str) -> Result<(ServiceName, InstanceId), Trouble> {
    let service = service.parse().map_err(|error| Trouble::name("service", &error))?;
    let id = id.parse().map_err(|error| Trouble::name("id", &error))?;
    Ok((service, id))
}

/// `15` or `15s`.
fn seconds(what: &str, text: &str) -> Result<u64, Trouble> {
    number(what, "number of seconds", text.strip_suffix('s').unwrap_or(text))
}

fn number(what: &str, kind: &str, text: &str) -> Result<u64, Trouble> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().take(32).collect();
        let message = format!("{what} must be a {kind}, but is {shown:?}");
        Trouble::new(Kind::Malformed, "INVALID_QUERY", message, format!("Write {what}=15."))
    })
}

fn ttl(text: &str) -> Result<i64, Trouble> {
    Ok(i64::try_from(seconds("ttl", text)?).unwrap_or(i64::MAX))
}

impl IntoResponse for Trouble {
    fn into_response(self) -> Response {
        let status = match self.kind {
            Kind::Malformed => StatusCode::BAD_REQUEST,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::Missing => StatusCode::NOT_FOUND,
            Kind::Conflict | Kind::Overtaken => StatusCode::CONFLICT,
            Kind::Forbidden => StatusCode::FORBIDDEN,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mistakes: Vec<Value> = self
            .mistakes
            .iter()
            .map(|mistake| json!({ "field": mistake.field, "message": mistake.message }))
            .collect();
        let error =
            json!({ "code": self.code, "message": self.message, "help": self.help, "mistakes": mistakes });
        (status, Json(json!({ "error": error }))).into_response()
    }
}
