//! The gRPC API of a gateway's admin port: `turnout.registry.v1.Registry`.
//!
//! One connection that repairs itself, and one KeepAlive stream. The stream is put back only after a
//! heartbeat was answered, so a heartbeat that was given up cannot leave a late answer for the next
//! one to read.

use std::time::Duration;

use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt;
use turnout_proto::registry::v1 as wire;
use wire::registry_client::RegistryClient;

use super::{Error, Finding, Grant, Refusal, Severity};
use crate::instance::{Instance, Presence};
use crate::schema::Schema;

/// How long connecting to one address may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(3);
/// A frozen gateway is noticed after both have passed.
const PING_EVERY: Duration = Duration::from_secs(10);
const PING_DEADLINE: Duration = Duration::from_secs(5);
/// Well below the 4 MiB that gRPC servers accept in one message.
const CHUNK_BYTES: usize = 256 << 10;

/// A client of one gateway.
#[derive(Debug)]
pub(crate) struct Registrar {
    client: RegistryClient<Channel>,
    base: String,
    authorization: Option<MetadataValue<Ascii>>,
    beats: Option<Beats>,
}

#[derive(Debug)]
struct Beats {
    requests: mpsc::Sender<wire::KeepAliveRequest>,
    answers: Streaming<wire::KeepAliveResponse>,
}

impl Registrar {
    pub(crate) fn new(base: &str, token: Option<&str>) -> Result<Self, String> {
        let mut endpoint = Endpoint::from_shared(base.to_owned())
            .map_err(|why| why.to_string())?
            .connect_timeout(CONNECT_DEADLINE)
            .http2_keep_alive_interval(PING_EVERY)
            .keep_alive_timeout(PING_DEADLINE)
            .tcp_nodelay(true);
        if base.starts_with("https:") {
            let tls = ClientTlsConfig::new().with_native_roots();
            endpoint = endpoint.tls_config(tls).map_err(|why| why.to_string())?;
        }
        let authorization = token
            .map(|token| {
                let mut value = MetadataValue::try_from(format!("Bearer {token}"))
                    .map_err(|_| "the token has characters that no header can carry".to_owned())?;
                value.set_sensitive(true);
                Ok::<_, String>(value)
            })
            .transpose()?;
        let client = RegistryClient::new(endpoint.connect_lazy());
        Ok(Self { client, base: base.to_owned(), authorization, beats: None })
    }

    pub(crate) async fn has_schema(&mut self, schema: &Schema) -> Result<bool, Error> {
        let request = self.request(wire::HasSchemaRequest { digest: schema.digest() });
        let answer = self.client.has_schema(request).await.map_err(|status| self.failure(&status))?;
        Ok(answer.into_inner().stored)
    }

    pub(crate) async fn put_schema(&mut self, schema: &Schema) -> Result<(), Error> {
        let bytes = &schema.bytes;
        let chunks: Vec<_> = (0..bytes.len())
            .step_by(CHUNK_BYTES)
            .map(|start| wire::PutSchemaRequest {
                digest: if start == 0 { schema.digest() } else { String::new() },
                chunk: bytes[start..bytes.len().min(start + CHUNK_BYTES)].to_vec(),
            })
            .collect();
        let request = self.request(tokio_stream::iter(chunks));
        self.client.put_schema(request).await.map_err(|status| self.failure(&status))?;
        Ok(())
    }

    pub(crate) async fn put_instance(
        &mut self,
        instance: &Instance,
        schema: &Schema,
        presence: Presence,
    ) -> Result<Grant, Error> {
        let request = self.request(wire::RegisterRequest {
            instance: Some(message(instance, schema, presence)),
            ttl_seconds: u32::try_from(instance.ttl.as_secs()).unwrap_or(u32::MAX),
        });
        let answer = self.client.register(request).await.map_err(|status| self.failure(&status))?;
        let grant = answer.into_inner();
        Ok(Grant {
            lease: grant.lease,
            ttl: Duration::from_secs(grant.ttl_seconds.max(1).into()),
            findings: grant.findings.into_iter().map(Finding::from).collect(),
        })
    }

    pub(crate) async fn beat(&mut self, lease: &str) -> Result<(), Error> {
        let request = wire::KeepAliveRequest { lease: lease.to_owned() };
        let mut beats = match self.beats.take() {
            Some(beats) => {
                beats.requests.send(request).await.map_err(|_| self.broken())?;
                beats
            }
            None => {
                let (requests, stream) = mpsc::channel(1);
                requests.send(request).await.map_err(|_| self.broken())?;
                let opening = self.request(ReceiverStream::new(stream));
                let answers = self.client.keep_alive(opening).await.map_err(|status| self.lost(&status))?;
                Beats { requests, answers: answers.into_inner() }
            }
        };
        match beats.answers.message().await {
            Ok(Some(answer)) if answer.ttl_seconds > 0 => {
                self.beats = Some(beats);
                Ok(())
            }
            Ok(Some(_)) => Err(Error::Gone),
            Ok(None) => Err(self.broken()),
            Err(status) => Err(self.lost(&status)),
        }
    }

    pub(crate) async fn remove(&mut self, instance: &Instance, lease: &str) -> Result<(), Error> {
        let request = self.request(wire::DeregisterRequest {
            service: instance.service.clone(),
            id: instance.id.clone(),
            lease: lease.to_owned(),
        });
        self.client.deregister(request).await.map_err(|status| self.lost(&status))?;
        Ok(())
    }

    fn request<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        if let Some(authorization) = &self.authorization {
            request.metadata_mut().insert("authorization", authorization.clone());
        }
        request
    }

    fn broken(&self) -> Error {
        Error::Failed(format!("{} closed the stream of heartbeats", self.base))
    }

    /// A failed call about a lease, where NOT_FOUND speaks of the lease.
    fn lost(&self, status: &Status) -> Error {
        if status.code() == Code::NotFound { Error::Gone } else { self.failure(status) }
    }

    fn failure(&self, status: &Status) -> Error {
        match status.code() {
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::Aborted
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::Unauthenticated => Error::Refused(self.refusal(status)),
            Code::Ok
            | Code::Cancelled
            | Code::Unknown
            | Code::DeadlineExceeded
            | Code::ResourceExhausted
            | Code::Internal
            | Code::Unavailable
            | Code::DataLoss => {
                let cause = std::error::Error::source(status).map(super::chain);
                let why = cause.unwrap_or_else(|| status.message().to_owned());
                Error::Failed(format!("{}: {:?}: {why}", self.base, status.code()))
            }
        }
    }

    /// The standard error details, where the gateway sent them: reason, advice, mistakes by field.
    fn refusal(&self, status: &Status) -> Refusal {
        let details = status.get_error_details();
        let advice: Vec<&str> = details
            .help()
            .map(|help| help.links.iter().map(|link| link.description.as_str()).collect())
            .unwrap_or_default();
        let help = match status.code() {
            _ if !advice.is_empty() => advice.join("; "),
            Code::Unauthenticated | Code::PermissionDenied => {
                "set TURNOUT_REGISTRY_TOKEN to a token with the role `register`".to_owned()
            }
            Code::Unimplemented => {
                format!("check that {} is the admin address of a Turnout gateway", self.base)
            }
            _ => String::new(),
        };
        Refusal {
            code: details
                .error_info()
                .map_or_else(|| format!("{:?}", status.code()), |info| info.reason.clone()),
            message: status.message().to_owned(),
            help,
            mistakes: details.bad_request().map_or_else(Vec::new, |bad| {
                bad.field_violations
                    .iter()
                    .map(|each| (each.field.clone(), each.description.clone()))
                    .collect()
            }),
        }
    }
}

impl From<wire::Finding> for Finding {
    fn from(finding: wire::Finding) -> Self {
        let severity = match finding.severity() {
            wire::finding::Severity::Error => Severity::Error,
            wire::finding::Severity::Info => Severity::Info,
            wire::finding::Severity::Warning | wire::finding::Severity::Unspecified => Severity::Warning,
        };
        Self { severity, code: finding.code, message: finding.message, help: finding.help }
    }
}

fn message(instance: &Instance, schema: &Schema, presence: Presence) -> wire::Instance {
    let state = match presence {
        Presence::Up => wire::instance::State::Up,
        Presence::Draining => wire::instance::State::Draining,
    };
    wire::Instance {
        service: instance.service.clone(),
        id: instance.id.clone(),
        version: instance.version.to_string(),
        incarnation: instance.incarnation,
        endpoints: vec![wire::Endpoint {
            url: instance.url.clone(),
            zone: instance.zone.clone().unwrap_or_default(),
        }],
        schema: Some(wire::SchemaRef { digest: schema.digest(), services: Vec::new() }),
        weight: Some(instance.weight),
        state: state.into(),
        health: wire::instance::Health::Grpc.into(),
        meta: instance.meta.clone(),
        registered_at: None,
    }
}
