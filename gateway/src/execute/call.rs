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
use crate::lineup::{Chosen, Ended, Ending};
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

    /// Says that the answer to a call of a fetch cannot be read.
    fn undecodable(&self, _fetch: usize) {}

    /// Calls and waits for the beginning of a stream.
    fn open(&self, fetch: usize, message: Bytes) -> impl Future<Output = Result<Messages, Failure>> + Send;
}

/// Calls services, and counts that. Streams are not timed: how long one lasts says nothing about a service.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outbound<'a> {
    /// On whose behalf.
    pub(super) operation: &'a Operation<'a>,
}

/// A call that is about to be made.
#[derive(Debug)]
struct Planned<'a> {
    chosen: Chosen<'a>,
    outgoing: Outgoing<'a>,
}

impl<'a> Outbound<'a> {
    /// Who is called by a fetch, and with what; `None` when the plan is of another generation.
    fn plan(&self, fetch: usize, message: Bytes, deadline: Instant) -> Option<Planned<'a>> {
        let Operation { prepared, lineup, metadata, .. } = *self.operation;
        let planned = prepared.plan.fetches.get(fetch)?;
        let chosen = lineup.choose(planned.member)?;
        let outgoing = Outgoing {
            path: prepared.paths.get(fetch)?,
            message,
            metadata,
            safety: planned.rpc.safety,
            deadline,
            timeout: chosen.callee.pool.timeout(),
        };
        Some(Planned { chosen, outgoing })
    }
}

impl Call for Outbound<'_> {
    async fn call(&self, fetch: usize, message: Bytes, deadline: Instant) -> Result<Bytes, Failure> {
        let Some(Planned { chosen, outgoing }) = self.plan(fetch, message, deadline) else {
            return Err(nobody());
        };
        let (worker, callee) = (self.operation.worker, chosen.callee);
        let begin = Instant::now();
        let answer = callee.pool.call(worker, &outgoing).await;
        let took = begin.elapsed();
        let code = answer.as_ref().err().map_or(Code::Ok, |failure| failure.code);
        callee.meter.count(worker, code, took);
        if let Some(trial) = chosen.trial() {
            let ending = Ending::of(&answer, took, callee.pool.patience());
            let (method, took) = (outgoing.path.as_str(), Some(took));
            trial.count(&Ended { worker, method, chosen: &chosen, ending, took });
        }
        answer
    }

    fn undecodable(&self, fetch: usize) {
        let Operation { prepared, lineup, worker, .. } = *self.operation;
        let member = prepared.plan.fetches.get(fetch).and_then(|fetch| lineup.choose(fetch.member));
        let (Some(chosen), Some(path)) = (member, prepared.paths.get(fetch)) else { return };
        if let Some(trial) = chosen.trial() {
            let (method, ending) = (path.as_str(), Ending::Failed);
            trial.count_undecodable(&Ended { worker, method, chosen: &chosen, ending, took: None });
        }
    }

    async fn open(&self, fetch: usize, message: Bytes) -> Result<Messages, Failure> {
        let Some(Planned { chosen, outgoing }) = self.plan(fetch, message, self.operation.deadline) else {
            return Err(nobody());
        };
        let (worker, callee) = (self.operation.worker, chosen.callee);
        let begin = Instant::now();
        let events = callee.pool.open(worker, &outgoing).await;
        if let Some(trial) = chosen.trial() {
            let ending = Ending::of(&events, begin.elapsed(), callee.pool.patience());
            // A stream may begin with its first event, so how long that takes says nothing.
            let (method, took) = (outgoing.path.as_str(), None);
            trial.count(&Ended { worker, method, chosen: &chosen, ending, took });
        }
        let messages = stream::unfold(events?, |mut events| async move {
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
