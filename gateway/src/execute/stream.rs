//! A subscription: one stream of a service, and an answer for each of its messages.
//!
//! A message is the answer of the subscription's one field; what else its selection needs is called for anew
//! with every message, in waves like those of a query and under a deadline of their own. The next message is
//! not taken before the last one is answered and asked for again, so a slow reader slows the service down
//! and fills no memory. A stream that breaks ends with one answer that says why.

use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::StreamExt;
use tokio::time::Instant;
use turnout_schema::plan;
use turnout_schema::variables::error::CODE;

use super::admit::Admitted;
use super::answer;
use super::call::{Call, Messages, Outbound};
use super::fault::Fault;
use super::run::{Answer, Operation, Outcome};
use super::wave::Progress;
use crate::upstream::Failure;

/// A subscription that is open. Dropping it ends the call.
#[derive(Debug)]
pub struct Subscription<'a>(Events<'a, Outbound<'a>>);

/// Opens the stream of a subscription, or says in an answer why there is none, and counts that its plan was
/// used: once, however many events there will be. `operation.deadline` is the
/// deadline of opening it, `event_timeout` the longest that one event may take to be answered.
pub async fn open<'a>(
    operation: &'a Operation<'a>,
    event_timeout: Duration,
) -> Result<Subscription<'a>, Answer> {
    let events = Events::open(operation, Outbound { operation }, event_timeout).await;
    let outcome = events.as_ref().err().map_or(Outcome::Complete, |answer| answer.outcome);
    operation.prepared.uses.count(operation.worker, outcome);
    events.map(Subscription)
}

impl Subscription<'_> {
    /// The answer to the next event; `None` when the stream is over. May be dropped only with the
    /// subscription: an event that is being answered would be lost.
    pub async fn next(&mut self) -> Option<Answer> {
        self.0.next().await
    }
}

/// The events of a subscription, with calls that somebody performs.
pub(super) struct Events<'a, C> {
    operation: &'a Operation<'a>,
    admitted: Admitted<'a>,
    call: C,
    event_timeout: Duration,
    fetch: usize,
    /// `None` after its end.
    messages: Option<Messages>,
}

impl<C> std::fmt::Debug for Events<'_, C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("fetch", &self.fetch).finish_non_exhaustive()
    }
}

impl<'a, C: Call> Events<'a, C> {
    /// Opens the stream.
    pub(super) async fn open(
        operation: &'a Operation<'a>,
        call: C,
        event_timeout: Duration,
    ) -> Result<Events<'a, C>, Answer> {
        let admitted = Admitted::read(operation).map_err(|faults| answer::refused(&faults))?;
        let fetches = operation.prepared.plan.fetches.iter();
        let mut streams = fetches.enumerate().filter(|(_, fetch)| match fetch.call {
            plan::Call::Stream => admitted.holds.is(fetch.when),
            plan::Call::Once | plan::Call::Keyed(_) => false,
        });
        let (Some((fetch, _)), None) = (streams.next(), streams.next()) else {
            let fault =
                Fault::new(CODE, "A subscription has exactly one field, and it must not be left out.");
            return Err(answer::refused(&[fault]));
        };
        let progress = Progress::new(operation, &admitted, &call);
        let message = match progress.request(fetch) {
            Ok(message) => message,
            Err(failure) => {
                progress.settle_failed(fetch, failure);
                return Err(finish(operation, &admitted, progress));
            }
        };
        match call.open(fetch, message.into()).await {
            Ok(messages) => {
                drop(progress);
                Ok(Events { operation, admitted, call, event_timeout, fetch, messages: Some(messages) })
            }
            Err(failure) => {
                progress.settle(fetch, Err(failure));
                Err(finish(operation, &admitted, progress))
            }
        }
    }

    /// The answer to the next event; `None` when the stream is over.
    pub(super) async fn next(&mut self) -> Option<Answer> {
        let Some(message) = self.messages.as_mut()?.next().await else {
            self.messages = None;
            return None;
        };
        if message.is_err() {
            self.messages = None;
        }
        Some(self.answer(message).await)
    }

    /// Who performed its calls.
    #[cfg(test)]
    pub(super) fn into_call(self) -> C {
        self.call
    }

    /// The answer to one event, or to the failure that ends the stream.
    async fn answer(&self, message: Result<Bytes, Failure>) -> Answer {
        let progress = Progress::new(self.operation, &self.admitted, &self.call)
            .until(Instant::now() + self.event_timeout);
        let response = message.and_then(|bytes| progress.read(self.fetch, bytes));
        progress.settle(self.fetch, response);
        let stage = self.operation.prepared.plan.fetches[self.fetch].stage;
        progress.stage(stage, 1).await;
        finish(self.operation, &self.admitted, progress)
    }
}

fn finish<C: Call>(operation: &Operation<'_>, admitted: &Admitted<'_>, progress: Progress<'_, C>) -> Answer {
    answer::write(operation, &admitted.holds, None, &progress.into_brought())
}
