//! What a caller learns of a call that failed: the one table from gRPC's status to GraphQL's error.
//!
//! A service's own words pass only with the codes that are made for callers, and cleaned; everything else is
//! one fixed sentence and a request id. The log has the words of every failed call, once, under that id.

use tonic::Code;
use turnout_control::policy::Arm;
use turnout_schema::graph::{Argument, Safety};
use turnout_schema::plan::{Fetch, Origin as Purpose};

use super::Fault;
use super::details::{self, Speech, Words};
use super::text::clean;
use crate::execute::run::Operation;
use crate::upstream::{Failure, Origin, code_name};

/// The fault that the failure of a fetch's call is, without its place in the answer.
pub(in crate::execute) fn fault(operation: &Operation<'_>, fetch: usize, failure: &Failure) -> Fault {
    let Some(fetch) = operation.prepared.plan.fetches.get(fetch) else {
        return Fault::internal(operation.request_id);
    };
    let words = words(failure);
    let speech =
        Speech { arguments: arguments(operation, fetch), types: &operation.view.graph.supergraph().types };
    let (details, localized) = match failure.origin {
        Origin::Service => details::read(&failure.details, words, speech),
        Origin::Nobody | Origin::Connection | Origin::Deadline | Origin::Answer | Origin::Overload => {
            Default::default()
        }
    };
    let is_lost = is_lost(operation, fetch, failure);
    let own = match words {
        Words::Open => localized.or_else(|| Some(clean(&failure.message)).filter(|text| !text.is_empty())),
        Words::Masked => None,
    };
    let (code, sentence) = match is_lost {
        true => ("VERSION_UNAVAILABLE", "The version of the service that the operation uses has gone."),
        false => (code(failure), sentence(failure)),
    };
    let fault = Fault::new(code, own.unwrap_or_else(|| sentence.to_owned()));
    let mut fault = fault.of_fetch(operation, fetch);
    if is_retryable(failure, fetch.rpc.safety) {
        fault.extensions.insert("retryable".to_owned(), true.into());
    }
    fault.extensions.extend(details);
    match words {
        Words::Open => fault,
        Words::Masked => fault.with_request_id(operation.request_id),
    }
}

/// Whether nobody is left of a candidate that the operation has begun to use. Another version would be another
/// answer to the rest of the same question.
fn is_lost(operation: &Operation<'_>, fetch: &Fetch, failure: &Failure) -> bool {
    let arm = || operation.lineup.choose(fetch.member).map(|chosen| chosen.arm);
    failure.origin == Origin::Nobody && arm() == Some(Arm::Candidate)
}

/// Tells the log of a failed call.
pub(in crate::execute) fn log(operation: &Operation<'_>, fetch: usize, failure: &Failure) {
    let fetch = operation.prepared.plan.fetches.get(fetch);
    let callee = fetch.and_then(|fetch| operation.lineup.choose(fetch.member)).map(|chosen| chosen.callee);
    tracing::warn!(
        request_id = %operation.request_id,
        service = callee.map(|callee| callee.service.as_str()),
        version = callee.map(|callee| callee.version.to_string()),
        rpc = fetch.map(|fetch| fetch.rpc.path()),
        code = name(failure.code),
        origin = failure.origin.as_str(),
        text = clean(&failure.message),
        "a call failed"
    );
}

/// Whose words may pass.
fn words(failure: &Failure) -> Words {
    match (failure.origin, failure.code) {
        (
            Origin::Service,
            Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::Unauthenticated
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Aborted
            | Code::ResourceExhausted,
        ) => Words::Open,
        (
            Origin::Service
            | Origin::Nobody
            | Origin::Connection
            | Origin::Deadline
            | Origin::Answer
            | Origin::Overload,
            _,
        ) => Words::Masked,
    }
}

fn code(failure: &Failure) -> &'static str {
    match failure.origin {
        // Whatever was made of the call when time ran out, it is not the service that cancelled it.
        Origin::Deadline => name(Code::DeadlineExceeded),
        Origin::Service | Origin::Nobody | Origin::Connection | Origin::Answer | Origin::Overload => {
            name(failure.code)
        }
    }
}

/// A code by its canonical name. A failure with OK is none that gRPC knows.
fn name(code: Code) -> &'static str {
    code_name(if code == Code::Ok { Code::Unknown } else { code })
}

/// What is said when the service's own words are not.
fn sentence(failure: &Failure) -> &'static str {
    match (failure.origin, failure.code) {
        (Origin::Nobody, _) => "No instance of the service is running.",
        (Origin::Connection, _) => "The service could not be reached.",
        (Origin::Deadline, _) | (Origin::Service, Code::DeadlineExceeded) => {
            "The service did not answer in time."
        }
        (Origin::Answer, Code::ResourceExhausted) => "The call, or its answer, is more than is taken.",
        (Origin::Answer, _) => "The service sent an answer that cannot be read.",
        (Origin::Overload, _) => "Too many calls to the service are on their way.",
        (Origin::Service, Code::Ok | Code::Unknown | Code::Internal | Code::DataLoss) => {
            "The service failed."
        }
        (Origin::Service, Code::Cancelled) => "The service gave up the call.",
        (Origin::Service, Code::InvalidArgument | Code::OutOfRange) => {
            "The service does not take these arguments."
        }
        (Origin::Service, Code::NotFound) => "The service does not know what was asked for.",
        (Origin::Service, Code::AlreadyExists) => "It exists already.",
        (Origin::Service, Code::PermissionDenied) => "The caller may not do this.",
        (Origin::Service, Code::Unauthenticated) => "The service does not know who is calling.",
        (Origin::Service, Code::ResourceExhausted) => "The service takes no more calls at the moment.",
        (Origin::Service, Code::FailedPrecondition) => "The service cannot do this in its present state.",
        (Origin::Service, Code::Aborted) => "Something else came in between.",
        (Origin::Service, Code::Unimplemented) => "The service does not offer this.",
        (Origin::Service, Code::Unavailable) => "The service is not available at the moment.",
    }
}

/// Whether the same request may succeed and do no harm when it is sent again.
fn is_retryable(failure: &Failure, safety: Safety) -> bool {
    let is_safe = match safety {
        Safety::ReadOnly | Safety::Idempotent => true,
        Safety::Once => false,
    };
    match (failure.origin, failure.code) {
        (Origin::Nobody, code) => code == Code::Unavailable,
        // The call may have been under way when time ran out, when the connection broke, and when the service
        // or a proxy before it gave up: gRPC does not promise that nothing was done where it says UNAVAILABLE.
        (Origin::Deadline, _)
        | (
            Origin::Service | Origin::Connection | Origin::Answer,
            Code::Unavailable | Code::DeadlineExceeded,
        ) => is_safe,
        (Origin::Service | Origin::Connection | Origin::Answer | Origin::Overload, _) => false,
    }
}

/// The arguments of the field that a fetch is for. Nobody gives any to the lookup of an entity.
fn arguments<'a>(operation: &Operation<'a>, fetch: &Fetch) -> &'a [Argument] {
    let graph = operation.view.graph.supergraph();
    match fetch.origin {
        Purpose::Root(at) => graph.roots.get(at).map_or(&[], |root| &root.what.field.arguments),
        Purpose::Extension(at) => graph.extensions.get(at).map_or(&[], |added| &added.what.field.arguments),
        Purpose::Lookup(_) => &[],
    }
}
