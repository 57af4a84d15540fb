//! The registration API over gRPC: `turnout.registry.v1.Registry`.

use std::collections::HashMap;
use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, HelpLink, StatusExt};
use turnout_control::id::LeaseId;
use turnout_control::registration;
use turnout_control::registry::{Event, Health, Registered, Snapshot, Standing, Why};
use turnout_proto::registry::v1::registry_server::{self, RegistryServer};
use turnout_proto::registry::v1::watch_response::{self, down};
use turnout_proto::registry::v1::{
    self as wire, DeregisterRequest, DeregisterResponse, HasSchemaRequest, HasSchemaResponse,
    KeepAliveRequest, KeepAliveResponse, ListRequest, ListResponse, PutSchemaRequest, PutSchemaResponse,
    RegisterRequest, RegisterResponse, WatchRequest, WatchResponse,
};
use turnout_schema::subgraph::descriptors::{self, BYTES_MAX};
use turnout_schema::{Digest, Severity};

use super::{Kind, Registrar, Trouble};
use crate::clock::prost_timestamp;
use crate::http::access::Caller;
use crate::http::body;
use crate::registry::Changes;

/// The service, for a router.
pub fn service(registrar: Registrar) -> RegistryServer<impl registry_server::Registry> {
    RegistryServer::new(Grpc(registrar))
}

struct Grpc(Registrar);

/// The listener puts it there; without it nobody was let in.
fn caller<T>(request: &Request<T>) -> Result<Caller, Status> {
    request.extensions().get::<Caller>().cloned().ok_or_else(|| Status::unauthenticated("nobody asks"))
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl registry_server::Registry for Grpc {
    async fn register(
        &self,
        request: Request<RegisterRequest>,
    ) -> Result<Response<RegisterResponse>, Status> {
        let caller = caller(&request)?;
        let RegisterRequest { instance, ttl_seconds } = request.into_inner();
        let raw = raw(instance.unwrap_or_default(), ttl_seconds);
        caller.may_register(&raw.service)?;
        let terms = self.0.terms.borrow().clone();
        let registration = registration::read(&raw, &terms).map_err(Trouble::mistakes)?;
        let granted = self.0.register(registration).await.map_err(Trouble::from)?;
        Ok(Response::new(RegisterResponse {
            lease: granted.lease.to_string(),
            ttl_seconds: granted.ttl_s.into(),
            heartbeat_seconds: granted.heartbeat_s.into(),
            revision: granted.revision,
            findings: granted
                .findings
                .into_iter()
                .map(|finding| wire::Finding {
                    severity: severity(finding.severity).into(),
                    code: finding.code.to_owned(),
                    message: finding.message,
                    help: finding.help,
                })
                .collect(),
        }))
    }

    type KeepAliveStream = Answers<KeepAliveResponse>;

    async fn keep_alive(
        &self,
        request: Request<Streaming<KeepAliveRequest>>,
    ) -> Result<Response<Self::KeepAliveStream>, Status> {
        let registry = self.0.registry.clone();
        let beats = request.into_inner().take_until(self.0.stop.clone().cancelled_owned());
        let answers = beats.then(move |beat| {
            let registry = registry.clone();
            async move {
                let lease = beat?.lease;
                let ttl_s = match lease.parse::<LeaseId>() {
                    Ok(id) => registry.store.renew(id).await.map_err(Trouble::of_heartbeat)?,
                    Err(_) => None,
                };
                Ok(KeepAliveResponse { lease, ttl_seconds: ttl_s.unwrap_or_default().into() })
            }
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn deregister(
        &self,
        request: Request<DeregisterRequest>,
    ) -> Result<Response<DeregisterResponse>, Status> {
        let caller = caller(&request)?;
        let request = request.into_inner();
        let service = request.service.parse().map_err(|error| Trouble::name("service", &error))?;
        let id = request.id.parse().map_err(|error| Trouble::name("id", &error))?;
        let lease = request.lease.parse().map_err(|error| Trouble::name("lease", &error))?;
        caller.may_register(&request.service)?;
        let revision = self.0.registry.store.deregister(service, id, lease).await.map_err(Trouble::from)?;
        Ok(Response::new(DeregisterResponse { revision }))
    }

    async fn has_schema(
        &self,
        request: Request<HasSchemaRequest>,
    ) -> Result<Response<HasSchemaResponse>, Status> {
        let digest = request.into_inner().digest.parse().map_err(|error| Trouble::digest(&error))?;
        let services = self.0.registry.store.schema_services(digest).await.map_err(Trouble::from)?;
        Ok(Response::new(HasSchemaResponse { stored: services.is_some() }))
    }

    async fn put_schema(
        &self,
        request: Request<Streaming<PutSchemaRequest>>,
    ) -> Result<Response<PutSchemaResponse>, Status> {
        let collected = tokio::time::timeout(body::TIMEOUT, collect(request.into_inner())).await;
        let slow = || Status::from(Trouble::from(body::Error::TooSlow));
        let (digest, bytes) = collected.map_err(|_| slow())??;
        let stored = self.0.registry.store.put_schema(digest, bytes.into()).await.map_err(Trouble::from)?;
        Ok(Response::new(PutSchemaResponse {
            digest: stored.digest.to_string(),
            services: stored.services,
            created: stored.created,
        }))
    }

    async fn list(&self, request: Request<ListRequest>) -> Result<Response<ListResponse>, Status> {
        let wanted = request.into_inner().service;
        let snapshot = self.0.registry.snapshot();
        let instances = snapshot
            .instances()
            .filter(|registered| wanted.is_empty() || registered.instance.service.as_str() == wanted)
            .map(instance)
            .collect();
        Ok(Response::new(ListResponse { revision: snapshot.revision, instances }))
    }

    type WatchStream = Answers<WatchResponse>;

    async fn watch(&self, request: Request<WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        let seen = request.into_inner().after_revision;
        let at = self.0.clone();
        let nudges = at.registry.changes();
        // Zero is what nobody has seen: also an empty registry begins with a snapshot.
        let first = (seen == 0).then(|| {
            let snapshot = at.registry.snapshot();
            (snapshot.revision, vec![whole(&snapshot)])
        });
        let start = Watching { at, nudges, seen };
        let changes = stream::unfold((start, first), |(mut watching, first)| async move {
            let (seen, answers) = match first {
                Some(first) => first,
                None => watching.next().await?,
            };
            watching.seen = seen;
            Some((stream::iter(answers.into_iter().map(Ok)), (watching, None)))
        });
        Ok(Response::new(Box::pin(changes.flatten())))
    }
}

/// The chunks of a descriptor set as one.
async fn collect(mut chunks: Streaming<PutSchemaRequest>) -> Result<(Digest, Vec<u8>), Status> {
    let (mut digest, mut bytes) = (None, Vec::new());
    while let Some(chunk) = chunks.message().await? {
        if digest.is_none() {
            digest = Some(chunk.digest.parse().map_err(|error| Trouble::digest(&error))?);
        }
        if bytes.len() + chunk.chunk.len() > BYTES_MAX {
            let error = descriptors::Error::TooLarge(bytes.len() + chunk.chunk.len());
            return Err(Trouble::from(crate::registry::Error::from(error)).into());
        }
        bytes.extend_from_slice(&chunk.chunk);
    }
    let digest = digest.ok_or_else(|| Status::invalid_argument("no chunk was sent"))?;
    Ok((digest, bytes))
}

/// One watcher: what it has seen, and what wakes it.
struct Watching {
    at: Registrar,
    nudges: tokio::sync::watch::Receiver<std::sync::Arc<Snapshot>>,
    seen: u64,
}

impl Watching {
    /// The next changes and the revision after them; `None` when the gateway stops.
    async fn next(&mut self) -> Option<(u64, Vec<WatchResponse>)> {
        loop {
            self.nudges.mark_unchanged();
            match self.at.registry.hub.after(self.seen) {
                Changes::Snapshot(snapshot) => return Some((snapshot.revision, vec![whole(&snapshot)])),
                Changes::Events(events) if !events.is_empty() => {
                    let snapshot = self.at.registry.snapshot();
                    let last = events.last().map_or(self.seen, |(at, _)| *at);
                    return Some((
                        last,
                        events.iter().filter_map(|(at, event)| change(&snapshot, *at, event)).collect(),
                    ));
                }
                Changes::Events(_) => {}
            }
            tokio::select! {
                changed = self.nudges.changed() => changed.ok()?,
                () = self.at.stop.cancelled() => return None,
            }
        }
    }
}

fn whole(snapshot: &Snapshot) -> WatchResponse {
    let instances = snapshot.instances().map(instance).collect();
    let change = watch_response::Change::Snapshot(watch_response::Snapshot { instances });
    WatchResponse { revision: snapshot.revision, change: Some(change) }
}

/// `None` for a change of an instance that has gone since: its end is told by a later event.
fn change(snapshot: &Snapshot, revision: u64, event: &Event) -> Option<WatchResponse> {
    let change = match event {
        Event::Up(registered) => watch_response::Change::Up(instance(registered)),
        Event::Heard(service, id, _) => watch_response::Change::Up(instance(snapshot.instance(service, id)?)),
        Event::Down(service, id, why) => watch_response::Change::Down(watch_response::Down {
            service: service.to_string(),
            id: id.to_string(),
            why: match why {
                Why::Deregistered => down::Why::Deregistered,
                Why::Expired => down::Why::Expired,
                Why::Lost => down::Why::Lost,
            }
            .into(),
        }),
        Event::Version(..) => return None,
    };
    Some(WatchResponse { revision, change: Some(change) })
}

fn raw(instance: wire::Instance, ttl_seconds: u32) -> registration::Raw {
    let state = match instance.state() {
        wire::instance::State::Unspecified | wire::instance::State::Up => "up",
        wire::instance::State::Draining => "draining",
        wire::instance::State::Suspect => "suspect",
        wire::instance::State::Refused => "refused",
    };
    let health = match instance.health() {
        wire::instance::Health::Unspecified | wire::instance::Health::Grpc => "grpc",
        wire::instance::Health::Tcp => "tcp",
        wire::instance::Health::None => "none",
    };
    let (digest, services) =
        instance.schema.map(|schema| (Some(schema.digest), schema.services)).unwrap_or_default();
    registration::Raw {
        service: instance.service,
        id: instance.id,
        version: instance.version,
        incarnation: instance.incarnation,
        endpoints: instance.endpoints.into_iter().map(|endpoint| (endpoint.url, endpoint.zone)).collect(),
        digest,
        services,
        weight: instance.weight.map(i64::from),
        state: state.to_owned(),
        health: health.to_owned(),
        meta: instance.meta,
        ttl_s: (ttl_seconds > 0).then(|| ttl_seconds.into()),
    }
}

fn instance(registered: &Registered) -> wire::Instance {
    let instance = &registered.instance;
    wire::Instance {
        service: instance.service.to_string(),
        id: instance.id.to_string(),
        version: instance.version.to_string(),
        incarnation: instance.incarnation,
        endpoints: instance
            .endpoints
            .iter()
            .map(|endpoint| wire::Endpoint { url: endpoint.url(), zone: endpoint.zone.clone() })
            .collect(),
        schema: instance.schema.as_ref().map(|schema| wire::SchemaRef {
            digest: schema.digest.to_string(),
            services: schema.services.clone(),
        }),
        weight: Some(instance.weight.into()),
        state: match registered.standing() {
            Standing::Up => wire::instance::State::Up,
            Standing::Draining => wire::instance::State::Draining,
            Standing::Held | Standing::Suspect => wire::instance::State::Suspect,
            Standing::Refused => wire::instance::State::Refused,
        }
        .into(),
        health: match instance.health {
            Health::Grpc => wire::instance::Health::Grpc,
            Health::Tcp => wire::instance::Health::Tcp,
            Health::None => wire::instance::Health::None,
        }
        .into(),
        meta: instance.meta.clone(),
        registered_at: Some(prost_timestamp(registered.registered_at)),
    }
}

fn severity(severity: Severity) -> wire::finding::Severity {
    match severity {
        Severity::Info => wire::finding::Severity::Info,
        Severity::Warning => wire::finding::Severity::Warning,
        Severity::Error => wire::finding::Severity::Error,
    }
}

impl From<Trouble> for Status {
    /// The sentence as the message; the code, the help and every mistake as standard error details.
    fn from(trouble: Trouble) -> Status {
        let code = match trouble.kind {
            Kind::Malformed | Kind::Unprocessable => Code::InvalidArgument,
            Kind::TooLarge => Code::ResourceExhausted,
            Kind::Missing => Code::NotFound,
            Kind::Conflict => Code::FailedPrecondition,
            Kind::Overtaken => Code::Aborted,
            Kind::Forbidden => Code::PermissionDenied,
            Kind::Unavailable => Code::Unavailable,
        };
        let mut details = ErrorDetails::new();
        details.set_error_info(trouble.code, "turnout.registry", HashMap::new());
        details.set_help(vec![HelpLink::new(trouble.help, String::new())]);
        for mistake in trouble.mistakes {
            details.add_bad_request_violation(mistake.field, mistake.message);
        }
        Status::with_error_details(code, trouble.message, details)
    }
}
