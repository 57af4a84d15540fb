//! What operators can ask: the gateway, its graph, services, versions, instances, and what changes.
//!
//! Descriptions here are what a person reads in a schema browser.

use std::sync::Arc;

use async_graphql::{Context, Enum, Object, SimpleObject, Subscription as Subscribe};
use futures_util::{Stream, StreamExt};
use tokio_stream::wrappers::WatchStream;
use turnout_control::id::ServiceName;
use turnout_control::registry::{Registered, Service as Known, Snapshot, Standing, VersionRecord};

use super::Facts;
use super::graph::{self, Graph};
use crate::clock::rfc3339;

/// What can be asked.
#[derive(Clone, Copy, Debug)]
pub struct Query;

/// What can be watched.
#[derive(Clone, Copy, Debug)]
pub struct Subscription;

/// This gateway.
#[derive(SimpleObject)]
struct Gateway {
    /// The version of the `turnout` binary.
    version: &'static str,
    /// How long it has run, in seconds.
    uptime_seconds: f64,
    /// Counts changes of the registry; never goes back.
    revision: String,
}

/// A named unit of deployment.
#[derive(SimpleObject)]
struct Service {
    name: String,
    /// Every version ever registered, oldest first.
    versions: Vec<Version>,
}

/// A version of a service. Versions stay when their instances go.
#[derive(SimpleObject)]
struct Version {
    /// The semver tag.
    version: String,
    /// The sha256 of its descriptors; null while no instance has named any.
    digest: Option<String>,
    /// When it was first registered.
    first_seen: String,
    /// Those that live.
    instances: Vec<Instance>,
}

/// One process of a version.
#[derive(SimpleObject)]
struct Instance {
    id: String,
    state: State,
    endpoints: Vec<String>,
    /// The zone of its first endpoint.
    zone: Option<String>,
    /// Its share of calls among the instances of its version.
    weight: u16,
    /// Seconds without a heartbeat after which it goes.
    ttl_seconds: u16,
    registered_at: String,
    meta: Vec<Meta>,
}

/// Something an instance's author wants operators to see.
#[derive(SimpleObject)]
struct Meta {
    key: String,
    value: String,
}

/// Whether an instance gets calls.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum State {
    /// It does.
    Up,
    /// It finishes what it has and gets no new calls.
    Draining,
    /// Its heartbeats stopped arriving, or its registration ended. It gets calls when nobody else is left.
    Suspect,
    /// Its registration ended together with those of many others; it gets calls like one that is up.
    Held,
    /// It contradicts what is known, and gets no calls.
    Refused,
}

#[Object]
impl Query {
    /// This gateway.
    async fn gateway(&self, ctx: &Context<'_>) -> async_graphql::Result<Gateway> {
        let facts = ctx.data::<Facts>()?;
        Ok(Gateway {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: facts.clock.age().as_secs_f64(),
            revision: facts.registry.snapshot().revision.to_string(),
        })
    }

    /// The graph that is served, and what was found while it was made.
    async fn graph(&self, ctx: &Context<'_>) -> async_graphql::Result<Graph> {
        Ok(graph::view(&ctx.data::<Facts>()?.graph.borrow()))
    }

    /// All services by name.
    async fn services(&self, ctx: &Context<'_>) -> async_graphql::Result<Vec<Service>> {
        Ok(services(&ctx.data::<Facts>()?.registry.snapshot()))
    }

    /// One service; null when nothing was ever registered under the name.
    async fn service(&self, ctx: &Context<'_>, name: String) -> async_graphql::Result<Option<Service>> {
        let name: ServiceName = name.parse()?;
        let snapshot = ctx.data::<Facts>()?.registry.snapshot();
        Ok(snapshot.service(&name).map(|known| service(&name, known)))
    }
}

#[Subscribe]
impl Subscription {
    /// All services, now and again after each change.
    async fn services(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<impl Stream<Item = Vec<Service>> + use<>> {
        let changes = WatchStream::new(ctx.data::<Facts>()?.registry.changes());
        Ok(changes.map(|snapshot: Arc<Snapshot>| services(&snapshot)))
    }
}

fn services(snapshot: &Snapshot) -> Vec<Service> {
    snapshot.services().map(|(name, known)| service(name, known)).collect()
}

fn service(name: &ServiceName, known: &Known) -> Service {
    let versions = known
        .versions
        .iter()
        .map(|(version, record)| {
            let of = |registered: &&Registered| registered.instance.version == *version;
            let instances = known.instances.values().filter(of).map(instance).collect();
            view(version.to_string(), record, instances)
        })
        .collect();
    Service { name: name.to_string(), versions }
}

fn view(version: String, record: &VersionRecord, instances: Vec<Instance>) -> Version {
    let digest = record.digest.map(|digest| digest.to_string());
    Version { version, digest, first_seen: rfc3339(record.first_seen), instances }
}

fn instance(registered: &Registered) -> Instance {
    let said = &registered.instance;
    Instance {
        id: said.id.to_string(),
        state: match registered.standing() {
            Standing::Up => State::Up,
            Standing::Held => State::Held,
            Standing::Draining => State::Draining,
            Standing::Suspect => State::Suspect,
            Standing::Refused => State::Refused,
        },
        endpoints: said.endpoints.iter().map(turnout_control::registry::Endpoint::url).collect(),
        zone: said.endpoints.first().map(|endpoint| endpoint.zone.clone()).filter(|zone| !zone.is_empty()),
        weight: said.weight,
        ttl_seconds: registered.ttl_s,
        registered_at: rfc3339(registered.registered_at),
        meta: said.meta.iter().map(|(key, value)| Meta { key: key.clone(), value: value.clone() }).collect(),
    }
}
