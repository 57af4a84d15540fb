//! Can a frontend version be published: is there something for each of its pins, and are its operations valid
//! on what it would see?
//!
//! Everything that is wrong is found at once. Most of it passes by itself when a service registers, so that a
//! directory which is read before its services are there only has to wait.

use std::collections::{BTreeMap, BTreeSet};

use async_graphql_parser::parse_query;
use turnout_control::frontend::{Document, Frontend};
use turnout_control::id::{ServiceName, Version};
use turnout_control::records::{Key, Kind, Records};
use turnout_control::registry::Snapshot;
use turnout_schema::guard::{self, Limits};
use turnout_schema::{Diagnostic, Severity};

use crate::execute::fault::Fault;
use crate::generation::Graph;
use crate::reconcile::preview::Prospect;

/// No version that is registered and not retired satisfies a pin.
pub(super) const PIN_UNSATISFIED: &str = "PIN_UNSATISFIED";
/// A service is pinned and cannot be served to the frontend now.
pub(super) const PIN_UNROUTED: &str = "PIN_UNROUTED";
/// An operation asks for something of a service that is not pinned.
pub(super) const SERVICE_UNPINNED: &str = "SERVICE_UNPINNED";
/// An operation is not valid on what the frontend sees.
pub(super) const OPERATION_INVALID: &str = "OPERATION_INVALID";

/// The most mistakes of one operation that are told.
const FAULTS_MAX: usize = 5;

/// What is wrong with the pins.
pub fn pins(frontend: &Frontend, snapshot: &Snapshot, records: &Records) -> Vec<Diagnostic> {
    let unsatisfied = |(service, pin): (&ServiceName, &turnout_control::frontend::Pin)| {
        let known = known(service, snapshot, records);
        if known.iter().any(|version| pin.range.matches(version.semver())) {
            return None;
        }
        let named: Vec<String> = known.iter().rev().take(5).map(ToString::to_string).collect();
        let help = match named.as_slice() {
            [] => format!("Nothing was ever registered as {service}; is that its name?"),
            _ => format!(
                "Its versions are {}; widen the pin, or register one that it means.",
                named.join(", ")
            ),
        };
        let severity = if pin.optional { Severity::Warning } else { Severity::Error };
        let message = format!("No version of {service} satisfies {}.", pin.range);
        Some(Diagnostic { severity, code: PIN_UNSATISFIED, message, help })
    };
    frontend.pins.iter().filter_map(unsatisfied).collect()
}

/// The versions of a service that are registered, or were, and are not retired.
pub fn known(service: &ServiceName, snapshot: &Snapshot, records: &Records) -> BTreeSet<Version> {
    let is_retired = |version: &Version| {
        let key = Key::new(Kind::Tombstone, &format!("{service}/{version}"));
        key.is_ok_and(|key| records.get(&key).is_some())
    };
    let versions = snapshot.service(service).map(|known| known.versions.keys());
    versions.into_iter().flatten().filter(|version| !is_retired(version)).cloned().collect()
}

/// What is wrong with the operations, on what the frontend would see. Plans each of them: blocks.
pub(super) fn operations(
    frontend: &Frontend,
    documents: &[Document],
    prospect: &Prospect,
    limits: &Limits,
) -> Vec<Diagnostic> {
    let mut found = Vec::new();
    for (service, why) in &prospect.unrouted {
        let optional = frontend.pins.get(service).is_some_and(|pin| pin.optional);
        let severity = if optional { Severity::Warning } else { Severity::Error };
        let message = format!("{service} cannot be served to it: {why}.");
        found.push(Diagnostic { severity, code: PIN_UNROUTED, message, help: String::new() });
    }
    if frontend.pins.is_empty() && documents.is_empty() {
        return found;
    }
    let Some(graph) = &prospect.graph else {
        let message = "None of the services that it pins is served yet.".to_owned();
        found.push(Diagnostic {
            severity: Severity::Error,
            code: PIN_UNROUTED,
            message,
            help: String::new(),
        });
        return found;
    };
    for document in documents {
        found.extend(operation(frontend, document, (graph, prospect.everything.as_deref()), limits));
    }
    found
}

fn operation(
    frontend: &Frontend,
    document: &Document,
    (graph, everything): (&Graph, Option<&Graph>),
    limits: &Limits,
) -> Vec<Diagnostic> {
    let planned = plan(graph, document, limits);
    // What does not fit may fit a graph of everything; then it is known which service is missing.
    let everything = || everything.and_then(|graph| plan(graph, document, limits).ok());
    let asked = planned.as_ref().ok().cloned().or_else(everything).unwrap_or_default();
    let foreign = asked.iter().filter(|service| !frontend.pins.contains_key(*service));
    let unpinned: Vec<Diagnostic> = foreign.map(|service| unpinned(document, service)).collect();
    match planned {
        Err(faults) if unpinned.is_empty() => {
            faults.iter().take(FAULTS_MAX).map(|fault| invalid(document, &placed(fault))).collect()
        }
        Ok(_) | Err(_) => unpinned,
    }
}

fn unpinned(document: &Document, service: &ServiceName) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: SERVICE_UNPINNED,
        message: format!("The operation {:?} asks {service}, which the frontend does not pin.", document.id),
        help: format!("Add {service} to the pins of its manifest."),
    }
}

/// The services that the operations of a document ask, or what is wrong with it.
fn plan(graph: &Graph, document: &Document, limits: &Limits) -> Result<BTreeSet<ServiceName>, Vec<Fault>> {
    let refused = |text: String| vec![Fault::new("GRAPHQL_PARSE_FAILED", text)];
    // Nothing may parse what was not measured.
    guard::check(&document.text, limits).map_err(|refusal| refused(refusal.to_string()))?;
    let parsed = parse_query(&document.text).map_err(|error| refused(error.to_string()))?;
    let names: Vec<Option<String>> =
        parsed.operations.iter().map(|(name, _)| name.map(ToString::to_string)).collect();
    let raw = serde_json::to_string(&document.text).map_err(|error| refused(error.to_string()))?;
    let mut services = BTreeSet::new();
    for name in names {
        let prepared = graph.prepare(&raw, name.as_deref(), limits)?;
        let members = &graph.supergraph().members;
        let asked = prepared.plan.fetches.iter().filter_map(|fetch| members.get(fetch.member));
        services.extend(asked.filter_map(|member| member.service.parse().ok()));
    }
    Ok(services)
}

fn placed(fault: &Fault) -> String {
    match fault.locations.first() {
        Some((line, column)) => format!("line {line}, column {column}: {}", fault.message),
        None => fault.message.clone(),
    }
}

fn invalid(document: &Document, why: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: OPERATION_INVALID,
        message: format!("The operation {:?} is not valid on what the frontend sees: {why}", document.id),
        help: String::new(),
    }
}

/// What each pin comes to now, for people.
pub fn resolved(
    frontend: &Frontend,
    snapshot: &Snapshot,
    records: &Records,
) -> BTreeMap<ServiceName, Vec<Version>> {
    let fitting = |(service, pin): (&ServiceName, &turnout_control::frontend::Pin)| {
        let known = known(service, snapshot, records).into_iter();
        (service.clone(), known.filter(|version| pin.range.matches(version.semver())).collect())
    };
    frontend.pins.iter().map(fitting).collect()
}
