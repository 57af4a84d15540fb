//! Tells a gateway's registry of the upstream's services, over HTTP as any service may.
//!
//! Only for contenders that announce `admin=ADDR`. The driver does this in the upstream's name, so
//! that the upstream stays as small as it is. Leases are kept as long as the registration is held and
//! then left to end by themselves: the contender ends first.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use super::client::{self, Body, Connection, render};
use crate::{SERVICES, Service};

const TTL_S: u64 = 15;
const HEARTBEAT: Duration = Duration::from_secs(TTL_S / 3);

/// Why the registry does not know the upstream.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error("connecting to the registry at {registry}")]
    Connect {
        /// Where the contender said it is.
        registry: SocketAddr,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// It does not answer.
    #[error("asking the registry")]
    Ask(#[source] client::Error),
    /// It answers, and says no.
    #[error("the registry refused with HTTP {status}: {said}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The body.
        said: String,
    },
    /// It says yes, but without a lease.
    #[error("the registry's answer has no lease")]
    Lease(#[source] serde_json::Error),
}

/// The upstream's place in a registry, kept until this is dropped.
#[derive(Debug)]
pub struct Registration {
    _heartbeat: JoinSet<()>,
}

#[derive(Deserialize)]
struct Granted {
    lease: String,
}

impl Registration {
    /// Registers the upstream as the only instance of each of its services.
    pub async fn start(registry: SocketAddr, upstream: SocketAddr) -> Result<Self, Error> {
        let mut connection =
            Connection::open(registry).await.map_err(|source| Error::Connect { registry, source })?;
        let mut beats = Vec::with_capacity(SERVICES.len());
        for service in &SERVICES {
            let lease = register(&mut connection, registry, service, upstream).await?;
            let path = format!("/registry/v1/leases/{lease}/keepalive");
            beats.push(render("POST", &path, registry, Body::Json(b"")));
        }
        let mut heartbeat = JoinSet::new();
        heartbeat.spawn(keep_alive(connection, beats));
        Ok(Self { _heartbeat: heartbeat })
    }
}

/// Stores a service's descriptors, then registers the upstream; gives the lease.
async fn register(
    connection: &mut Connection,
    registry: SocketAddr,
    service: &Service,
    upstream: SocketAddr,
) -> Result<String, Error> {
    let digest = format!("sha256:{}", hex::encode(Sha256::digest(service.descriptors)));
    let path = format!("/registry/v1/schemas/{digest}");
    ask(connection, &render("PUT", &path, registry, Body::Protobuf(service.descriptors))).await?;

    let instance = json!({
        "version": "1.0.0",
        "endpoints": [{ "url": format!("grpc://{upstream}") }],
        "schema": { "digest": digest },
    });
    let path = format!("/registry/v1/instances/{}/upstream?ttl={TTL_S}", service.name);
    let request = render("PUT", &path, registry, Body::Json(instance.to_string().as_bytes()));
    let answer = ask(connection, &request).await?;
    let granted: Granted = serde_json::from_slice(&answer).map_err(Error::Lease)?;
    Ok(granted.lease)
}

/// Ends with the connection: a registry that is gone, or has forgotten, shows in the answers that the
/// load counts.
async fn keep_alive(mut connection: Connection, requests: Vec<Vec<u8>>) {
    let mut beats = interval(HEARTBEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        for request in &requests {
            if ask(&mut connection, request).await.is_err() {
                return;
            }
        }
    }
}

async fn ask(connection: &mut Connection, request: &[u8]) -> Result<Vec<u8>, Error> {
    let reply = connection.ask(request).await.map_err(Error::Ask)?;
    match reply.status {
        200..300 => Ok(reply.body.to_vec()),
        status => Err(Error::Refused { status, said: String::from_utf8_lossy(reply.body).trim().to_owned() }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use axum::Router;
    use axum::extract::State;
    use axum::http::{Method, Request, StatusCode};
    use axum::response::{IntoResponse, Response};
    use tokio::net::TcpListener;
    use tokio::sync::mpsc;

    use super::*;

    type Calls = mpsc::Sender<(Method, String)>;

    /// A registry that stores every schema, grants one lease and tells what it was asked.
    async fn registry(tasks: &mut JoinSet<()>) -> (SocketAddr, mpsc::Receiver<(Method, String)>) {
        let (tx, rx) = mpsc::channel(16);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().fallback(answer).with_state(Arc::new(tx));
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        (address, rx)
    }

    async fn answer(State(calls): State<Arc<Calls>>, request: Request<axum::body::Body>) -> Response {
        let path = request.uri().to_string();
        let is_instance = path.starts_with("/registry/v1/instances/");
        calls.send((request.method().clone(), path)).await.unwrap();
        let body = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        if !is_instance {
            return StatusCode::NO_CONTENT.into_response();
        }
        let instance: serde_json::Value = serde_json::from_slice(&body).unwrap();
        match instance["endpoints"][0]["url"].as_str() {
            Some("grpc://127.0.0.1:7") => r#"{"lease":"abc","ttl":15}"#.into_response(),
            _ => (StatusCode::BAD_REQUEST, "no such address").into_response(),
        }
    }

    #[tokio::test]
    async fn every_service_is_registered_with_its_schema_and_kept_alive() {
        let mut tasks = JoinSet::new();
        let (address, mut calls) = registry(&mut tasks).await;
        let _held = Registration::start(address, "127.0.0.1:7".parse().unwrap()).await.unwrap();

        let mut expected = Vec::new();
        for service in &SERVICES {
            let digest = hex::encode(Sha256::digest(service.descriptors));
            let instance = format!("/registry/v1/instances/{}/upstream?ttl=15", service.name);
            expected.push((Method::PUT, format!("/registry/v1/schemas/sha256:{digest}")));
            expected.push((Method::PUT, instance));
        }
        let beat = (Method::POST, "/registry/v1/leases/abc/keepalive".to_owned());
        expected.extend(SERVICES.iter().map(|_| beat.clone()));
        for call in expected {
            assert_eq!(calls.recv().await, Some(call));
        }
    }

    #[tokio::test]
    async fn a_refusal_is_told_in_the_registrys_words() {
        let mut tasks = JoinSet::new();
        let (address, _calls) = registry(&mut tasks).await;
        let refused = Registration::start(address, "127.0.0.1:8".parse().unwrap()).await.unwrap_err();
        assert_eq!(refused.to_string(), "the registry refused with HTTP 400: no such address");
    }
}
