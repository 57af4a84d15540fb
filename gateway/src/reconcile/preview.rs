//! What would become of the graph if a version were registered? Asked before a deployment; changes nothing.
//!
//! The answer is made of what the next look would be made of, on a copy. It is asked for by people and by
//! their pipelines, so one is computed at a time, on a thread where it may block.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use turnout_control::id::{ServiceName, Version};
use turnout_schema::diff::Change;
use turnout_schema::subgraph::{self, Exposure};
use turnout_schema::{Descriptors, Digest};

use super::report::Finding;

/// A version that is not registered yet, or not exposed so.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub version: Version,
    /// Its descriptors: a `FileDescriptorSet`.
    pub descriptors: Bytes,
    /// What of it is public; `None`: what holds for the service now.
    pub exposure: Option<Exposure>,
}

/// What would become of the graph.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Preview {
    /// The version of the service that serves now; `None` when none does.
    pub serving: Option<Version>,
    /// The version of the service that would serve once this one runs. Another one than was asked about when
    /// that is refused, or older than what serves; `None` when none would.
    pub serves: Option<Version>,
    /// What would be found about the version and about the graph with it, the worst first: what cannot be
    /// read or mapped, what the gate says against the version that serves, what composition says.
    pub findings: Vec<Finding>,
    /// How the graph would differ if the version served, whether or not it would. Empty when nothing serves
    /// now, or when there would be no graph.
    pub changes: Vec<Change>,
    /// Operations that were sent lately and would not be answered as they are now.
    pub affected: Vec<Affected>,
}

/// An operation that would not be answered as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Affected {
    /// The frontend that sends it: `web@2.4.1`.
    pub frontend: String,
    /// Its name, when it has one.
    pub operation: Option<String>,
    /// The sha256 of its document.
    pub document: Digest,
    /// What breaks, a sentence or a coordinate each.
    pub breaks: Vec<String>,
}

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// What is registered cannot be read now.
    #[error("the registry cannot be read now")]
    Unavailable,
    /// The gateway is stopping, or has a bug there.
    #[error("the preview was not finished")]
    Unfinished,
}

/// Where previews are asked for.
#[derive(Clone, Debug)]
pub struct Previews {
    turn: Arc<Semaphore>,
}

impl Previews {
    pub(super) fn new() -> Previews {
        Previews { turn: Arc::new(Semaphore::new(1)) }
    }

    /// What would become of the graph. Takes up to seconds; others who ask wait for their turn.
    pub async fn preview(&self, asked: Asked) -> Result<Preview, Error> {
        let _turn = self.turn.acquire().await.map_err(|_| Error::Unfinished)?;
        tokio::task::spawn_blocking(move || read(&asked)).await.map_err(|_| Error::Unfinished)
    }
}

fn read(asked: &Asked) -> Preview {
    let Ok(descriptors) = Descriptors::read(&asked.descriptors) else { return Preview::default() };
    let exposure = asked.exposure.unwrap_or(Exposure::Annotated);
    let (service, version) = (asked.service.as_str(), asked.version.to_string());
    let reading = subgraph::read(service, &version, &descriptors, exposure);
    let of = |diagnostic| Finding::of(&asked.service, &asked.version, diagnostic);
    Preview { findings: reading.diagnostics.into_iter().map(of).collect(), ..Preview::default() }
}
