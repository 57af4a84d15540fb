//! The one place where a call leaves an operation.
//!
//! A call is named by its fetch in the plan: who is called, by which path and how safely follows from it.
//! Tests put answers of their own behind the trait; nothing else is replaced in them.

use std::future::Future;

use bytes::Bytes;
use futures_util::stream::{self, BoxStream, StreamExt};
use tokio::time::Instant;
use tonic::Code;

use super::run::Operation;
use crate::generation::Callee;
use crate::upstream::{Failure, Origin, Outgoing};

/// The messages of a server stream. Dropping it cancels the call.
pub(super) type Messages = BoxStream<'static, Result<Bytes, Failure>>;

/// Who performs calls.
pub(super) trait Call: Sync {
    /// Calls and waits for the whole answer.
    fn call(
        &self,
        fetch: usize,
        message: Bytes,
        deadline: Instant,
    ) -> impl Future<Output = Result<Bytes, Failure>> + Send;

    /// Calls and waits for the beginning of a stream.
    fn open(&self, fetch: usize, message: Bytes) -> impl Future<Output = Result<Messages, Failure>> + Send;
}

/// Calls services, and counts that. Streams are not counted: how long one lasts says nothing about a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outbound<'a> {
    /// On whose behalf.
    pub(super) operation: &'a Operation<'a>,
}

impl<'a> Outbound<'a> {
    /// Who is called by a fetch, and with what; `None` when the plan is of another generation.
    fn outgoing(
        &self,
        fetch: usize,
        message: Bytes,
        deadline: Instant,
    ) -> Option<(&'a Callee, Outgoing<'a>)> {
        let Operation { prepared, lineup, metadata, .. } = *self.operation;
        let planned = prepared.plan.fetches.get(fetch)?;
        let callee = lineup.choose(planned.member)?.callee;
        let outgoing = Outgoing {
            path: prepared.paths.get(fetch)?,
            message,
            metadata,
            safety: planned.rpc.safety,
            deadline,
            timeout: callee.pool.timeout(),
        };
        Some((callee, outgoing))
    }
}

impl Call for Outbound<'_> {
    async fn call(&self, fetch: usize, message: Bytes, deadline: Instant) -> Result<Bytes, Failure> {
        let Some((callee, outgoing)) = self.outgoing(fetch, message, deadline) else { return Err(nobody()) };
        let worker = self.operation.worker;
        let begin = Instant::now();
        let answer = callee.pool.call(worker, &outgoing).await;
        let code = answer.as_ref().err().map_or(Code::Ok, |failure| failure.code);
        callee.meter.count(worker, code, begin.elapsed());
        answer
    }

    async fn open(&self, fetch: usize, message: Bytes) -> Result<Messages, Failure> {
        let Some((callee, outgoing)) = self.outgoing(fetch, message, self.operation.deadline) else {
            return Err(nobody());
        };
        let events = callee.pool.open(self.operation.worker, &outgoing).await?;
        let messages = stream::unfold(events, |mut events| async move {
            events.next().await.map(|message| (message, events))
        });
        Ok(messages.boxed())
    }
}

/// A plan that does not belong to its generation: a mistake of ours, which takes down one field at most.
fn nobody() -> Failure {
    Failure {
        code: Code::Internal,
        message: "the plan calls somebody whom the generation does not know".to_owned(),
        details: Bytes::new(),
        origin: Origin::Nobody,
    }
}
