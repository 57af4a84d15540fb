//! One operation: its waves in order, the calls of a wave side by side, and the answer in one buffer.

use http::HeaderMap;
use tokio::time::Instant;

use crate::generation::{Generation, Prepared};
use crate::upstream::Worker;

/// An operation to run.
#[derive(Clone, Copy, Debug)]
pub struct Operation<'a> {
    /// What everything belongs to.
    pub generation: &'a Generation,
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

/// Runs an operation.
pub async fn run(operation: &Operation<'_>) -> Answer {
    let _ = operation;
    Answer { body: Vec::new(), outcome: Outcome::Nothing }
}
