//! What goes wrong, as gRPC statuses with the details that google.rpc defines.

use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// There is no such thing: `not_found("Product", "P00042")`.
pub(super) fn not_found(kind: &str, id: impl ToString) -> Status {
    let id = id.to_string();
    let text = format!("{kind} {id} does not exist");
    let details = ErrorDetails::with_resource_info(kind, &id, "", &text);
    Status::with_error_details(Code::NotFound, text, details)
}

/// A field of the request is wrong: `invalid("page_size", "must not be negative")`.
pub(super) fn invalid(field: &str, why: &str) -> Status {
    let details = ErrorDetails::with_bad_request_violation(field, why);
    Status::with_error_details(Code::InvalidArgument, format!("{field} {why}"), details)
}

/// The thing is not in a state in which this can be done.
pub(super) fn not_now(subject: &str, why: &str) -> Status {
    let details = ErrorDetails::with_precondition_failure_violation("STATE", subject, why);
    Status::with_error_details(Code::FailedPrecondition, format!("{subject} {why}"), details)
}

/// Refuses a batch that is empty or larger than its contract says.
pub(super) fn check_batch<T>(field: &str, keys: &[T], max: usize) -> Result<(), Status> {
    match keys.len() {
        0 => Err(invalid(field, "must name at least one")),
        count if count > max => Err(invalid(field, &format!("holds {count} keys, at most {max} are taken"))),
        _ => Ok(()),
    }
}
