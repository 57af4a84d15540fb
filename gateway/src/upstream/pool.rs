//! The instances of one version: which of them takes a call, and what happens when it does not answer.

use bytes::Bytes;

use super::exchange::Events;
use super::{Failure, Outgoing, Worker};

/// The instances of one version of a service. Shared by all workers; its instances change while it is used.
#[derive(Debug)]
pub struct Pool {}

impl Pool {
    /// Calls an instance, and another one where that is allowed and may help.
    pub async fn call(&self, worker: Worker, outgoing: &Outgoing<'_>) -> Result<Bytes, Failure> {
        let _ = (worker, outgoing);
        Ok(Bytes::new())
    }

    /// Opens a stream of one instance.
    pub async fn open(&self, worker: Worker, outgoing: &Outgoing<'_>) -> Result<Events, Failure> {
        let _ = (worker, outgoing);
        Ok(Events::none())
    }
}
