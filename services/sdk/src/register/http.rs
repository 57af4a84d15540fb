//! The HTTP API of a gateway's admin port, as CONTRACT 6 has it.
//!
//! JSON in, JSON out, one connection kept open. Unknown fields of answers are ignored, so an older
//! service works with a newer gateway.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use ::http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use ::http::{Method, Request, StatusCode};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use rustls::ClientConfig;
use serde::{Deserialize, Serialize};

use super::{Error, Finding, Grant, Refusal, Severity, chain};
use crate::instance::{Instance, Presence};
use crate::schema::Schema;

/// How long connecting to one address may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// No answer of the registry is larger; what is has not come from one.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// How much of an answer that is not JSON is worth showing.
const EXCERPT_CHARS_MAX: usize = 200;

const JSON: &str = "application/json";
const PROTOBUF: &str = "application/x-protobuf";

/// A client of one gateway.
#[derive(Debug)]
pub(crate) struct Registrar {
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    base: String,
    authorization: Option<HeaderValue>,
}

struct Answer {
    status: StatusCode,
    body: Bytes,
}

#[derive(Serialize)]
struct InstanceBody<'a> {
    version: String,
    incarnation: u64,
    endpoints: [EndpointBody<'a>; 1],
    schema: SchemaBody,
    weight: u32,
    state: &'static str,
    health: &'static str,
    meta: &'a BTreeMap<String, String>,
}

#[derive(Serialize)]
struct EndpointBody<'a> {
    url: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    zone: Option<&'a str>,
}

#[derive(Serialize)]
struct SchemaBody {
    digest: String,
    services: [String; 0],
}

#[derive(Deserialize)]
struct GrantBody {
    lease: String,
    ttl: u64,
    #[serde(default)]
    findings: Vec<FindingBody>,
}

#[derive(Deserialize)]
struct FindingBody {
    #[serde(default)]
    severity: String,
    #[serde(default)]
    code: String,
    message: String,
    #[serde(default)]
    help: String,
}

#[derive(Deserialize)]
struct KeepaliveBody {
    ttl: i64,
}

#[derive(Deserialize)]
struct RefusalBody {
    error: RefusalDetail,
}

#[derive(Deserialize)]
struct RefusalDetail {
    #[serde(default)]
    code: String,
    message: String,
    #[serde(default)]
    help: String,
    #[serde(default)]
    mistakes: Vec<MistakeBody>,
}

#[derive(Deserialize)]
struct MistakeBody {
    #[serde(default)]
    field: String,
    message: String,
}

impl Registrar {
    pub(crate) fn new(base: &str, token: Option<&str>) -> Result<Self, String> {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT_DEADLINE));
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls(base)?)
            .https_or_http()
            .enable_http1()
            .wrap_connector(tcp);
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_max_idle_per_host(1)
            .build(connector);
        let authorization = token
            .map(|token| {
                let mut value = HeaderValue::try_from(format!("Bearer {token}"))
                    .map_err(|_| "the token has characters that no header can carry".to_owned())?;
                value.set_sensitive(true);
                Ok::<_, String>(value)
            })
            .transpose()?;
        Ok(Self { client, base: base.to_owned(), authorization })
    }

    pub(crate) async fn has_schema(&self, schema: &Schema) -> Result<bool, Error> {
        let answer = self.send(Method::HEAD, &schema_path(schema), "", Bytes::new()).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Ok(false),
            status if status.is_success() => Ok(true),
            _ => Err(self.failure(answer)),
        }
    }

    pub(crate) async fn put_schema(&self, schema: &Schema) -> Result<(), Error> {
        let answer = self.send(Method::PUT, &schema_path(schema), PROTOBUF, schema.bytes.clone()).await?;
        if answer.status.is_success() { Ok(()) } else { Err(self.failure(answer)) }
    }

    pub(crate) async fn put_instance(
        &self,
        instance: &Instance,
        schema: &Schema,
        presence: Presence,
    ) -> Result<Grant, Error> {
        let body = InstanceBody {
            version: instance.version.to_string(),
            incarnation: instance.incarnation,
            endpoints: [EndpointBody { url: &instance.url, zone: instance.zone.as_deref() }],
            schema: SchemaBody { digest: schema.digest(), services: [] },
            weight: instance.weight,
            state: match presence {
                Presence::Up => "up",
                Presence::Draining => "draining",
            },
            health: "grpc",
            meta: &instance.meta,
        };
        let body = serde_json::to_vec(&body).map_err(|why| Error::Failed(why.to_string()))?;
        let path = format!("{}?ttl={}", instance_path(instance), instance.ttl.as_secs());
        let answer = self.send(Method::PUT, &path, JSON, body.into()).await?;
        if !answer.status.is_success() {
            return Err(self.failure(answer));
        }
        let grant: GrantBody = self.read(&answer)?;
        Ok(Grant {
            lease: grant.lease,
            ttl: Duration::from_secs(grant.ttl.max(1)),
            findings: grant.findings.into_iter().map(Finding::from).collect(),
        })
    }

    pub(crate) async fn beat(&self, lease: &str) -> Result<(), Error> {
        let path = format!("/registry/v1/leases/{}/keepalive", encoded(lease));
        let answer = self.send(Method::POST, &path, JSON, Bytes::new()).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Err(Error::Gone),
            status if status.is_success() => {
                let kept: KeepaliveBody = self.read(&answer)?;
                if kept.ttl > 0 { Ok(()) } else { Err(Error::Gone) }
            }
            _ => Err(self.failure(answer)),
        }
    }

    pub(crate) async fn remove(&self, instance: &Instance, lease: &str) -> Result<(), Error> {
        let path = format!("{}?lease={}", instance_path(instance), encoded(lease));
        let answer = self.send(Method::DELETE, &path, "", Bytes::new()).await?;
        match answer.status {
            StatusCode::NOT_FOUND => Err(Error::Gone),
            status if status.is_success() => Ok(()),
            _ => Err(self.failure(answer)),
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        kind: &'static str,
        body: Bytes,
    ) -> Result<Answer, Error> {
        let failed = |why: String| Error::Failed(format!("{}: {why}", self.base));
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base))
            .header(USER_AGENT, concat!("turnout-service/", env!("CARGO_PKG_VERSION")));
        if !kind.is_empty() {
            request = request.header(CONTENT_TYPE, kind);
        }
        if let Some(authorization) = &self.authorization {
            request = request.header(AUTHORIZATION, authorization);
        }
        let request = request.body(Full::new(body)).map_err(|why| failed(why.to_string()))?;
        let response = self.client.request(request).await.map_err(|why| failed(chain(&why)))?;
        let status = response.status();
        let body = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|why| failed(why.to_string()))?
            .to_bytes();
        Ok(Answer { status, body })
    }

    fn read<'a, T: Deserialize<'a>>(&self, answer: &'a Answer) -> Result<T, Error> {
        serde_json::from_slice(&answer.body).map_err(|why| {
            Error::Failed(format!("{} answered {} with what is no answer: {why}", self.base, answer.status))
        })
    }

    /// What an answer without success means: a refusal stays one, the rest may pass.
    fn failure(&self, answer: Answer) -> Error {
        let refusal = match serde_json::from_slice::<RefusalBody>(&answer.body) {
            Ok(RefusalBody { error }) => Refusal {
                code: if error.code.is_empty() { answer.status.to_string() } else { error.code },
                message: error.message,
                help: error.help,
                mistakes: error.mistakes.into_iter().map(|each| (each.field, each.message)).collect(),
            },
            Err(_) => Refusal {
                code: answer.status.to_string(),
                message: excerpt(&answer.body),
                help: self.hint(answer.status),
                mistakes: Vec::new(),
            },
        };
        let passing = answer.status.is_server_error()
            || matches!(answer.status, StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_MANY_REQUESTS);
        if passing {
            Error::Failed(format!("{} answered {refusal}", self.base))
        } else {
            Error::Refused(refusal)
        }
    }

    fn hint(&self, status: StatusCode) -> String {
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                "set TURNOUT_REGISTRY_TOKEN to a token with the role `register`".to_owned()
            }
            _ => format!("check that {} is the admin address of a Turnout gateway", self.base),
        }
    }
}

impl From<FindingBody> for Finding {
    fn from(body: FindingBody) -> Self {
        let severity = match body.severity.as_str() {
            "error" => Severity::Error,
            "info" => Severity::Info,
            _ => Severity::Warning,
        };
        Self { severity, code: body.code, message: body.message, help: body.help }
    }
}

/// Native roots are read for https alone: a machine without any must still reach a plain gateway.
/// The provider is named so that a service with two of them in its tree does not panic.
fn tls(base: &str) -> Result<ClientConfig, String> {
    let builder = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|why| why.to_string())?;
    if base.starts_with("https:") {
        let builder =
            builder.with_native_roots().map_err(|why| format!("no certificates to trust: {why}"))?;
        Ok(builder.with_no_client_auth())
    } else {
        Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
    }
}

fn schema_path(schema: &Schema) -> String {
    format!("/registry/v1/schemas/{}", schema.digest())
}

fn instance_path(instance: &Instance) -> String {
    format!("/registry/v1/instances/{}/{}", instance.service, instance.id)
}

/// A lease is whatever the registry says; it must not break out of its place in a path.
fn encoded(lease: &str) -> String {
    utf8_percent_encode(lease, NON_ALPHANUMERIC).to_string()
}

fn excerpt(body: &Bytes) -> String {
    let text: String = String::from_utf8_lossy(body)
        .chars()
        .map(|each| if each.is_control() { ' ' } else { each })
        .take(EXCERPT_CHARS_MAX)
        .collect();
    match text.trim() {
        "" => "no reason given".to_owned(),
        text => text.to_owned(),
    }
}
