//! What operators see of services: versions, instances, which version serves, what was found about each, and
//! what of a service is public.
//!
//! Descriptions here are what a person reads in a schema browser.

use std::sync::Arc;

use async_graphql::{Enum, SimpleObject};
use turnout_control::id::{ServiceName, Version as Tag};
use turnout_control::records::Records;
use turnout_control::registry::{
    Endpoint, Presence, Registered, Service as Known, Snapshot, Standing, VersionRecord,
};
use turnout_schema::subgraph::Exposure;

use super::Facts;
use super::graph::{self, Diagnostic};
use crate::clock::rfc3339;
use crate::exposure::{By, Holding, Stated};
use crate::reconcile::Report;

/// A named unit of deployment.
#[derive(SimpleObject)]
pub(super) struct Service {
    name: String,
    /// What of it is public, and who says so.
    exposed: Exposed,
    /// The version that is in the graph; null when none is.
    serving: Option<String>,
    /// Every version ever registered, oldest first.
    versions: Vec<Version>,
}

/// What of a service is public, and who says so.
#[derive(SimpleObject)]
pub(super) struct Exposed {
    expose: Expose,
    by: ExposedBy,
    /// Where the configuration says so; null when it does not.
    place: Option<String>,
    /// The revision of the operator's decision, for `expectedRevision`; null when there is none.
    revision: Option<String>,
}

/// What of a service is public.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
pub(super) enum Expose {
    /// What the service's own options say.
    Annotated,
    /// Every RPC that is not marked hidden.
    All,
    /// What the configuration says of all services. Never an answer, only a decision.
    Default,
}

/// Who says what of a service is public.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum ExposedBy {
    /// The configuration, about this service. An operator cannot decide otherwise.
    Configuration,
    /// An operator.
    Operator,
    /// The configuration, about all services.
    Default,
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
    /// Whether it is the one in the graph.
    serving: bool,
    /// What was found about it, the worst first.
    findings: Vec<Diagnostic>,
    /// Those that are registered, or were until a moment ago.
    instances: Vec<Instance>,
}

/// One process of a version.
#[derive(SimpleObject)]
struct Instance {
    id: String,
    state: State,
    /// Where it is registered: a name of `sources`.
    source: String,
    presence: Heard,
    /// Why it gets no calls; null unless it is refused.
    refused: Option<Diagnostic>,
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

/// What is heard of an instance.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "Presence")]
enum Heard {
    /// It is registered, and its heartbeats arrive.
    Here,
    /// It is registered, and its heartbeats stopped arriving.
    Silent,
    /// Its registration ended without a goodbye; it is kept for a while.
    Missing,
    /// Like missing, but so many went at once that the registry is doubted and not they.
    Held,
}

/// All that a service is told from, at one moment.
pub(super) struct Now {
    snapshot: Arc<Snapshot>,
    report: Arc<Report>,
    records: Arc<Records>,
    stated: Arc<Stated>,
}

impl Now {
    pub(super) fn of(facts: &Facts) -> Now {
        Now {
            snapshot: facts.registry.snapshot(),
            report: facts.graph.borrow().clone(),
            records: facts.registry.store.records().borrow().clone(),
            stated: facts.stated.borrow().clone(),
        }
    }

    /// The same with another snapshot.
    pub(super) fn at(self, snapshot: Arc<Snapshot>) -> Now {
        Now { snapshot, ..self }
    }

    pub(super) fn services(&self) -> Vec<Service> {
        self.snapshot.services().map(|(name, known)| self.view(name, known)).collect()
    }

    pub(super) fn service(&self, name: &ServiceName) -> Option<Service> {
        self.snapshot.service(name).map(|known| self.view(name, known))
    }

    fn view(&self, name: &ServiceName, known: &Known) -> Service {
        let serving = self.report.members.iter().find(|(member, _)| member == name).map(|(_, tag)| tag);
        let version = |(tag, record)| self.version((name, known), (tag, record), serving == Some(tag));
        Service {
            name: name.to_string(),
            exposed: exposed(&self.stated.holding(name, &self.records)),
            serving: serving.map(ToString::to_string),
            versions: known.versions.iter().map(version).collect(),
        }
    }

    fn version(
        &self,
        (name, known): (&ServiceName, &Known),
        (tag, record): (&Tag, &VersionRecord),
        serving: bool,
    ) -> Version {
        let about = |found: &&crate::reconcile::Finding| {
            found.about.as_ref().is_some_and(|(service, version)| service == name && version == tag)
        };
        let findings = self.report.findings.iter().filter(about);
        let instances = known.instances.values().filter(|of| of.instance.version == *tag);
        Version {
            version: tag.to_string(),
            digest: record.digest.map(|digest| digest.to_string()),
            first_seen: rfc3339(record.first_seen),
            serving,
            findings: findings
                .map(|found| graph::diagnostic(&found.diagnostic, found.about.clone()))
                .collect(),
            instances: instances.map(instance).collect(),
        }
    }
}

pub(super) fn exposed(holding: &Holding) -> Exposed {
    let (by, place, revision) = match &holding.by {
        By::Configuration(place) => (ExposedBy::Configuration, Some(place.clone()), None),
        By::Operator(revision) => (ExposedBy::Operator, None, Some(revision.to_string())),
        By::Default => (ExposedBy::Default, None, None),
    };
    let expose = match holding.exposure {
        Exposure::Annotated => Expose::Annotated,
        Exposure::All => Expose::All,
    };
    Exposed { expose, by, place, revision }
}

impl Expose {
    /// What is decided; nothing, when the configuration shall hold.
    pub(super) fn decided(self) -> Option<Exposure> {
        match self {
            Expose::Annotated => Some(Exposure::Annotated),
            Expose::All => Some(Exposure::All),
            Expose::Default => None,
        }
    }
}

fn instance(registered: &Registered) -> Instance {
    let said = &registered.instance;
    let about = || Some((said.service.clone(), said.version.clone()));
    Instance {
        id: said.id.to_string(),
        state: match registered.standing() {
            Standing::Up => State::Up,
            Standing::Held => State::Held,
            Standing::Draining => State::Draining,
            Standing::Suspect => State::Suspect,
            Standing::Refused => State::Refused,
        },
        source: registered.source.to_string(),
        presence: match registered.presence {
            Presence::Here => Heard::Here,
            Presence::Silent => Heard::Silent,
            Presence::Missing => Heard::Missing,
            Presence::Held => Heard::Held,
        },
        refused: registered.refused.as_ref().map(|why| graph::diagnostic(why, about())),
        endpoints: said.endpoints.iter().map(Endpoint::url).collect(),
        zone: said.endpoints.first().map(|endpoint| endpoint.zone.clone()).filter(|zone| !zone.is_empty()),
        weight: said.weight,
        ttl_seconds: registered.ttl_s,
        registered_at: rfc3339(registered.registered_at),
        meta: said.meta.iter().map(|(key, value)| Meta { key: key.clone(), value: value.clone() }).collect(),
    }
}
