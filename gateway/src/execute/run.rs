//! One operation: its waves in order, the calls of a wave side by side, and the answer in one buffer.
//!
//! Everything happens on the task that asks: an operation that is dropped takes its calls with it. The fields
//! of a mutation run one after the other, and one that fails costs none of the others: all of them may be null.

use std::fmt;

use http::HeaderMap;
use tokio::time::Instant;
use turnout_schema::dynamic::Unanswered;

use super::admit::{self, Admitted};
use super::answer;
use super::call::{Call, Outbound};
use super::fault::Fault;
use super::wave::Progress;
use crate::generation::{Prepared, View};
use crate::lineup::Lineup;
use crate::upstream::Worker;

/// An operation to run.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// The graph that the caller sees, and who answers.
    pub view: &'a View,
    /// The versions that it uses, chosen as services are first touched.
    pub lineup: &'a Lineup<'a>,
    /// The plan and what was made ready with it.
    pub prepared: &'a Prepared,
    /// The name the request gave.
    pub operation_name: Option<&'a str>,
    /// The JSON text of the variables; empty for none.
    pub variables: &'a str,
    /// What is sent along with every call.
    pub metadata: &'a HeaderMap,
    /// When it must be answered.
    pub deadline: Instant,
    /// Who runs it.
    pub worker: Worker,
    /// Under which the log explains what was masked.
    pub request_id: RequestId,
}

/// Names a request in logs and in masked errors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestId(pub u64);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What goes back.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The JSON of the whole answer: `data` and `errors`.
    pub body: Vec<u8>,
    /// How it went.
    pub outcome: Outcome,
}

/// How an operation went.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// Data without errors.
    Complete,
    /// Data beside errors.
    Partial,
    /// `data` is null, by errors.
    Nothing,
    /// It was not run, because the variables are wrong: there is no `data`.
    Refused,
}

/// Runs a query or a mutation, and counts that its plan was used.
pub async fn run(operation: &Operation<'_>) -> Answer {
    let answer = perform(operation, &Outbound { operation }).await;
    operation.prepared.uses.count(operation.worker, answer.outcome);
    answer
}

/// Runs a query or a mutation with calls that somebody performs.
pub(super) async fn perform<C: Call>(operation: &Operation<'_>, call: &C) -> Answer {
    let admitted = match Admitted::read(operation) {
        Ok(admitted) => admitted,
        Err(faults) => return answer::refused(&faults),
    };
    let introspection = match admit::introspect(operation) {
        Ok(introspection) => introspection,
        Err(Unanswered::TooLarge) => {
            let message = "The answer about the graph is larger than an answer may be.";
            return answer::refused(&[Fault::new("LIMIT_EXCEEDED", message)]);
        }
        Err(Unanswered::Failed(why)) => {
            let request_id = operation.request_id;
            tracing::warn!(%request_id, why, "the graph has no answer about itself");
            return answer::nothing(&Fault::internal(request_id));
        }
    };
    let progress = Progress::new(operation, &admitted, call);
    for stage in 0..operation.prepared.plan.stages.len() {
        progress.stage(stage, 0).await;
    }
    answer::write(operation, &admitted.holds, introspection.as_ref(), &progress.into_brought())
}
