//! One search for the descriptors of a version: where the operator says, or by asking its instances.
//!
//! What was found is stored and bound to the version before the search ends. Nothing is tried twice in here:
//! when it is worth trying again is said by the class of the failure.

use std::sync::Arc;

use turnout_control::registration::Refusal;
use turnout_control::registry::Endpoint;
use turnout_schema::Digest;

use super::resolver::Key;
use super::schedule::Class;
use super::{Asker, files};
use crate::config::SchemaPolicy;
use crate::registry::Store;
use crate::registry::store::Error;
use crate::telemetry::chain;

/// Why a version was not described, as its job says.
#[derive(Debug)]
pub(super) struct Unresolved {
    /// When it is worth trying again.
    pub(super) class: Class,
    /// What was tried, and what came of it.
    pub(super) why: String,
}

/// A job that ended.
pub(super) type Done = (Key, Result<(), Unresolved>);

/// What a job needs.
pub(super) struct Job {
    pub(super) key: Key,
    pub(super) store: Arc<dyn Store>,
    pub(super) asker: Asker,
    pub(super) policy: SchemaPolicy,
    /// Whom to ask, the best first.
    pub(super) endpoints: Vec<Endpoint>,
    /// The services that belong to the version; empty: all.
    pub(super) wanted: Vec<String>,
}

impl Job {
    /// Searches, and tells what came of it.
    pub(super) async fn run(self) -> Done {
        let result = self.resolve().await;
        let (service, version) = &self.key;
        match &result {
            Ok(digest) => tracing::info!(%service, %version, %digest, "found descriptors"),
            Err(unresolved) => tracing::debug!(%service, %version, why = unresolved.why, "no descriptors"),
        }
        (self.key, result.map(|_| ()))
    }

    async fn resolve(&self) -> Result<Digest, Unresolved> {
        let digest = match &self.policy {
            SchemaPolicy::Off => return Err(Unresolved { class: Class::Absent, why: String::new() }),
            SchemaPolicy::Digest(digest) => {
                let stored = self.store.schema_services(*digest).await.map_err(unresolved)?;
                if stored.is_none() {
                    let why = format!("{digest}, which the configuration names, is not stored");
                    return Err(Unresolved { class: Class::Unusable, why });
                }
                *digest
            }
            SchemaPolicy::Path(path) => {
                let (path, version) = (path.clone(), self.key.1.clone());
                let read = tokio::task::spawn_blocking(move || files::read(&path, &version)).await;
                let unusable = |why: String| Unresolved { class: Class::Unusable, why };
                let read = read.map_err(|error| unusable(error.to_string()))?;
                self.put(read.map_err(|error| unusable(error.to_string()))?).await?
            }
            SchemaPolicy::Reflection => self.put(self.ask().await?).await?,
        };
        let (service, version) = self.key.clone();
        match self.store.bind(service, version, digest).await {
            Ok(()) => Ok(digest),
            // Another gateway, or an instance that names its descriptors, was first.
            Err(Error::Refused(Refusal::VersionBound { bound, .. })) => Ok(bound),
            Err(error) => Err(unresolved(error)),
        }
    }

    async fn put(&self, bytes: Vec<u8>) -> Result<Digest, Unresolved> {
        let stored = self.store.put_schema(Digest::of(&bytes), bytes.into()).await.map_err(unresolved)?;
        Ok(stored.digest)
    }

    /// Asks one instance after the other while they cannot be reached.
    async fn ask(&self) -> Result<Vec<u8>, Unresolved> {
        let mut last =
            Unresolved { class: Class::Unreached, why: "no instance of it can be asked".to_owned() };
        for endpoint in &self.endpoints {
            let error = match self.asker.ask(endpoint, &self.wanted).await {
                Ok(described) => {
                    let (service, version) = &self.key;
                    let (from, left_out) = (endpoint.url(), &described.assembled.left_out);
                    tracing::debug!(%service, %version, from, by = described.voice.as_str(), ?left_out, "described");
                    return Ok(described.assembled.bytes);
                }
                Err(error) => error,
            };
            last = Unresolved { class: error.class(), why: format!("{}: {error}", endpoint.url()) };
            match last.class {
                Class::Unreached => {}
                Class::Unusable | Class::Absent => break,
            }
        }
        Err(last)
    }
}

fn unresolved(error: Error) -> Unresolved {
    let class = match error {
        Error::Descriptors(_) | Error::Full(_) | Error::Excess(_) | Error::Report(_) => Class::Unusable,
        Error::Unavailable(..)
        | Error::Refused(_)
        | Error::Digest { .. }
        | Error::OtherLease(_)
        | Error::Conflict(_)
        | Error::Stopping => Class::Unreached,
    };
    Unresolved { class, why: chain(&error).to_string() }
}
