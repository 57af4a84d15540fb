//! The bytes of an answer: `data` by the writer, `errors` behind it when there are any.
//!
//! What a call's failure means to the caller is worked out once, however many fields it has cost.

use std::collections::HashMap;

use async_graphql_value::ConstValue;
use turnout_schema::plan::Holds;
use turnout_schema::wire::answers::Failure;
use turnout_schema::wire::write::{self, Asked, Error, Why, Written};

use super::fault::{Fault, call, field};
use super::run::{Answer, Operation, Outcome};
use super::wave::{Brought, Failed};

/// The most bytes an answer may have. A caller who wants more asks twice; without an end a few hundred bytes
/// of document could fill the memory.
const BYTES_MAX: usize = 8 << 20;

/// The answer to a request that was not run.
pub(super) fn refused(faults: &[Fault]) -> Answer {
    let mut body = b"{".to_vec();
    errors(faults, &mut body);
    body.push(b'}');
    Answer { body, outcome: Outcome::Refused }
}

/// The answer when there is nothing but a reason.
pub(super) fn nothing(fault: &Fault) -> Answer {
    let mut body = b"{\"data\":null,".to_vec();
    errors(std::slice::from_ref(fault), &mut body);
    body.push(b'}');
    Answer { body, outcome: Outcome::Nothing }
}

/// The answer from what was brought.
pub(super) fn write(
    operation: &Operation<'_>,
    holds: &Holds,
    introspection: Option<&ConstValue>,
    brought: &Brought,
) -> Answer {
    let plan = &operation.prepared.plan;
    let answers = &brought.answers;
    // JSON has the names that protobuf leaves out: the answer is larger than what it is made from.
    let mut body = Vec::with_capacity((answers.size() * 2 + 256).min(BYTES_MAX));
    body.extend_from_slice(b"{\"data\":");
    let asked = Asked { plan, holds, answers, introspection, bytes_max: BYTES_MAX };
    let written = write::write(&asked, &mut body);
    let outcome = match (written.is_null, written.errors.is_empty() && written.errors_more == 0) {
        (_, true) => Outcome::Complete,
        (false, false) => Outcome::Partial,
        (true, false) => Outcome::Nothing,
    };
    if outcome != Outcome::Complete {
        body.push(b',');
        errors(&faults(operation, brought, &written), &mut body);
    }
    body.push(b'}');
    Answer { body, outcome }
}

/// What the caller learns of the errors of an answer.
fn faults(operation: &Operation<'_>, brought: &Brought, written: &Written) -> Vec<Fault> {
    let mut calls: HashMap<u32, Vec<Fault>> = HashMap::new();
    let mut all = Vec::with_capacity(written.errors.len() + 1);
    for error in &written.errors {
        let Why::Call(Failure(number)) = error.why else {
            all.push(placed(field::fault(operation, error), error));
            continue;
        };
        let made = calls.entry(number).or_insert_with(|| match brought.failed.get(number as usize) {
            Some(Failed::Call { fetch, failure }) => vec![call::fault(operation, *fetch, failure)],
            Some(Failed::Arguments(errors)) => errors.iter().map(Fault::from).collect(),
            None => vec![Fault::internal(operation.request_id)],
        });
        all.extend(made.iter().map(|fault| placed(fault.clone(), error)));
    }
    field::log(operation.request_id, &written.errors);
    if written.errors_more > 0 {
        let message = format!("{} more errors are not listed.", written.errors_more);
        all.push(Fault::new("LIMIT_EXCEEDED", message));
    }
    all
}

/// A fault at the field it has cost.
fn placed(mut fault: Fault, error: &Error) -> Fault {
    if fault.locations.is_empty() {
        fault.locations.push((error.at.line, error.at.column));
    }
    fault.path.clone_from(&error.path);
    fault
}

/// `"errors":[…]`.
fn errors(faults: &[Fault], body: &mut Vec<u8>) {
    body.extend_from_slice(b"\"errors\":[");
    for (at, fault) in faults.iter().enumerate() {
        if at > 0 {
            body.push(b',');
        }
        serde_json::to_writer(&mut *body, &fault.to_json()).expect("a vector takes every JSON value");
    }
    body.push(b']');
}
