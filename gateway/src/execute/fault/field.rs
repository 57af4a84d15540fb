//! What a caller learns of a value that cannot be written, although its call went well.
//!
//! It is the service that has sent what its descriptors do not allow, or the graph that does not allow what
//! the service may send. The caller can do nothing about either, but is told which it is.

use turnout_schema::wire::write::{Error, Step, Why};

use super::Fault;
use crate::execute::run::{Operation, RequestId};

/// The fault of a field. The failure of a call is `call`'s business and only a stopgap here.
pub(in crate::execute) fn fault(operation: &Operation<'_>, error: &Error) -> Fault {
    let fault = Fault::new(code(error.why), sentence(error.why));
    let fetch = error.fetch.and_then(|fetch| operation.prepared.plan.fetches.get(fetch));
    match (error.why, fetch) {
        (Why::TooLarge, _) | (Why::NotFound, None) => fault,
        (Why::NotFound, Some(fetch)) => fault.of_fetch(operation, fetch),
        (Why::Call(_) | Why::Null | Why::Required | Why::Utf8 | Why::NotFinite | Why::Malformed, fetch) => {
            let fault = fault.with_request_id(operation.request_id);
            match fetch {
                Some(fetch) => fault.of_fetch(operation, fetch),
                None => fault,
            }
        }
    }
}

/// Tells the log of the values that a service should not have sent: the first of them, and how many.
pub(in crate::execute) fn log(request_id: RequestId, errors: &[Error]) {
    let is_ours = |error: &&Error| match error.why {
        Why::Null | Why::Required | Why::Utf8 | Why::NotFinite | Why::Malformed | Why::TooLarge => true,
        Why::Call(_) | Why::NotFound => false,
    };
    let Some(first) = errors.iter().find(is_ours) else { return };
    tracing::warn!(
        %request_id,
        path = path(&first.path),
        fields = errors.iter().filter(is_ours).count(),
        "{}",
        sentence(first.why)
    );
}

fn code(why: Why) -> &'static str {
    match why {
        Why::NotFound => "NOT_FOUND",
        Why::TooLarge => "LIMIT_EXCEEDED",
        Why::Call(_) | Why::Null | Why::Required | Why::Utf8 | Why::NotFinite | Why::Malformed => {
            "INTERNAL_SERVER_ERROR"
        }
    }
}

fn sentence(why: Why) -> &'static str {
    match why {
        Why::Call(_) => "Internal server error.",
        Why::NotFound => "What this field refers to does not exist.",
        Why::Null => "The service sent nothing for a field that is never null.",
        Why::Required => "The service left out a field that it always has to send.",
        Why::Utf8 => "The service sent a text that is not UTF-8.",
        Why::NotFinite => "The service sent a number that is not finite, which JSON has no word for.",
        Why::Malformed => "The service sent a value that is outside of its type's range.",
        Why::TooLarge => "The answer is larger than an answer may be.",
    }
}

fn path(path: &[Step]) -> String {
    let steps: Vec<String> = path
        .iter()
        .map(|step| match step {
            Step::Key(key) => key.to_string(),
            Step::Index(index) => index.to_string(),
        })
        .collect();
    steps.join(".")
}
