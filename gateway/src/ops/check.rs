//! What would become of the graph: of a version that is to be registered, or of a service that is to be
//! public otherwise. Asked of the reconciler; here it is put into words of the API.
//!
//! Descriptions here are what a person reads in a schema browser.

use async_graphql::{Enum, InputObject, Result, SimpleObject};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use turnout_schema::diff::{Change, Class};

use super::graph::{self, Diagnostic};
use super::service::Expose;
use super::{Facts, fault};
use crate::reconcile::preview::{self, Asked, Preview};

/// The largest descriptors: what fits into the endpoint's body as base64.
const DESCRIPTORS_BYTES_MAX: usize = 4 << 20;

/// A version that is to be registered.
#[derive(InputObject)]
pub(super) struct Check {
    service: String,
    /// Its semver tag.
    version: String,
    /// A FileDescriptorSet as base64, of at most 4 MiB before that.
    descriptors: String,
    /// What of it would be public; left out: what holds for the service now.
    expose: Option<Expose>,
}

/// What would become of the graph.
#[derive(SimpleObject)]
pub(super) struct Checked {
    /// The version of the service that serves now; null when none does.
    serving: Option<String>,
    /// The version that would serve once this one runs; null when none would.
    serves: Option<String>,
    /// What would be found, the worst first.
    findings: Vec<Diagnostic>,
    /// Whether a graph is served now that the next one could be compared with.
    compared: bool,
    /// How the graph would differ if the version served, by coordinate.
    changes: Vec<GraphChange>,
    /// Operations that were sent lately and would not be answered as they are now.
    affected: Vec<Affected>,
}

/// One thing that would differ in the graph.
#[derive(SimpleObject)]
pub(super) struct GraphChange {
    class: ChangeClass,
    /// A stable name for this kind of change: `FIELD_REMOVED`.
    kind: &'static str,
    /// Where: `Product.stock`.
    coordinate: String,
    /// What happened there, as a sentence without its end.
    text: String,
}

/// What a change means for those who send operations today.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
enum ChangeClass {
    /// Nothing.
    Safe,
    /// Operations stay valid; code that reads the answers may not expect it.
    Dangerous,
    /// Some operations become invalid, or get what they were promised not to get.
    Breaking,
}

/// An operation that would not be answered as it is now.
#[derive(SimpleObject)]
pub(super) struct Affected {
    /// The frontend that sends it.
    frontend: String,
    /// Its name, when it has one.
    operation: Option<String>,
    /// The sha256 of its document.
    document: String,
    /// What breaks.
    breaks: Vec<String>,
}

pub(super) async fn check(facts: &Facts, version: Check) -> Result<Checked> {
    let service = version.service.parse().map_err(|error| fault::input("service", &error))?;
    let tag = version.version.parse().map_err(|error| fault::input("version", &error))?;
    let bytes = STANDARD.decode(version.descriptors).map_err(|error| fault::input("descriptors", &error))?;
    if bytes.len() > DESCRIPTORS_BYTES_MAX {
        let found = format!("has {} bytes, and {DESCRIPTORS_BYTES_MAX} are allowed", bytes.len());
        return Err(fault::input("descriptors", &found));
    }
    let stated = || facts.stated.borrow().others();
    let exposure = version.expose.map(|expose| expose.decided().unwrap_or_else(stated));
    let asked = Asked { service, version: tag, descriptors: bytes.into(), exposure };
    let compared = facts.graph.borrow().digest.is_some();
    Ok(Checked { compared, ..view(ask(facts, asked).await?) })
}

/// Asks the reconciler.
pub(super) async fn ask(facts: &Facts, asked: Asked) -> Result<Preview> {
    facts.previews.preview(asked).await.map_err(|error| match error {
        preview::Error::Unavailable | preview::Error::Unfinished => fault::unavailable(&error),
    })
}

fn view(preview: Preview) -> Checked {
    let affected = |of: preview::Affected| Affected {
        frontend: of.frontend,
        operation: of.operation,
        document: of.document.to_string(),
        breaks: of.breaks,
    };
    Checked {
        serving: preview.serving.map(|version| version.to_string()),
        serves: preview.serves.map(|version| version.to_string()),
        findings: preview.findings.iter().map(graph::finding).collect(),
        compared: false,
        changes: preview.changes.iter().map(change).collect(),
        affected: preview.affected.into_iter().map(affected).collect(),
    }
}

pub(super) fn change(change: &Change) -> GraphChange {
    let class = change.kind.class();
    let (coordinate, kind) = (change.at.to_string(), change.kind.as_str());
    // The line begins with class and kind, which have fields of their own.
    let line = change.to_string();
    let text = line.strip_prefix(&format!("{} {kind} ", class.as_str())).unwrap_or(&line).to_owned();
    GraphChange {
        class: match class {
            Class::Safe => ChangeClass::Safe,
            Class::Dangerous => ChangeClass::Dangerous,
            Class::Breaking => ChangeClass::Breaking,
        },
        kind,
        coordinate,
        text,
    }
}
