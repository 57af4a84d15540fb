//! What can go wrong between us and etcd, and whether a write may have happened nevertheless.
//!
//! etcd says many things by the same gRPC code and tells them apart by text; the texts are read here and
//! nowhere else. A call that got no answer is of unknown outcome, unless it never left.

use etcd_client::Error as ClientError;
use tonic::{Code, ConnectError, Status};

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The member could not be reached; nothing was sent.
    #[error("{member} cannot be reached: {why}")]
    Unreachable {
        /// The member's URL.
        member: String,
        /// What was tried and failed.
        why: String,
    },
    /// The member was sent something, and no answer came.
    #[error("{member} did not answer: {why}")]
    Unanswered {
        /// The member's URL.
        member: String,
        /// How that became known.
        why: String,
    },
    /// The members cannot agree with each other now, and took nothing.
    #[error("etcd has no leader")]
    NoLeader,
    /// The user, his password or his token are not accepted.
    #[error("etcd does not accept the login: {0}")]
    Login(String),
    /// The user may not do that.
    #[error("etcd does not permit that: {0}")]
    Denied(String),
    /// The revision is forgotten.
    #[error("etcd has compacted that revision")]
    Compacted,
    /// The answer is larger than what is read.
    #[error("the answer of etcd is too large")]
    TooLarge,
    /// There is no such thing; of what we call by number, a lease.
    #[error("etcd knows no such lease")]
    NoLease,
    /// etcd answered that it did not do it.
    #[error("etcd refused: {0}")]
    Refused(String),
    /// What TLS needs cannot be read.
    #[error("{0} cannot be read")]
    File(std::path::PathBuf, #[source] std::io::Error),
}

/// Whether a write happened, as far as an error tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It did not, and will not.
    NotDone,
    /// It may have, or may yet.
    Unknown,
}

impl Error {
    /// Whether the write that failed by this happened.
    pub fn outcome(&self) -> Outcome {
        match self {
            Error::Unanswered { .. } | Error::TooLarge => Outcome::Unknown,
            Error::Unreachable { .. }
            | Error::NoLeader
            | Error::Login(_)
            | Error::Denied(_)
            | Error::Compacted
            | Error::NoLease
            | Error::Refused(_)
            | Error::File(..) => Outcome::NotDone,
        }
    }

    /// Whether another member may do better.
    pub(super) fn is_of_the_member(&self) -> bool {
        match self {
            Error::Unreachable { .. } | Error::Unanswered { .. } | Error::NoLeader => true,
            Error::Login(_)
            | Error::Denied(_)
            | Error::Compacted
            | Error::TooLarge
            | Error::NoLease
            | Error::Refused(_)
            | Error::File(..) => false,
        }
    }

    /// Reads what the crate says about a call to this member.
    pub(super) fn read(member: &str, error: ClientError) -> Error {
        match error {
            ClientError::GRpcStatus(status) => from_status(member, &status),
            // The crate's word for a heartbeat that was answered with no time to live.
            ClientError::LeaseKeepAliveError(_) => Error::NoLease,
            ClientError::TransportError(error) => {
                Error::Unreachable { member: member.to_owned(), why: chain(&error) }
            }
            ClientError::InvalidArgs(why)
            | ClientError::WatchError(why)
            | ClientError::ElectError(why)
            | ClientError::EndpointError(why)
            | ClientError::Internal(why) => Error::Unanswered { member: member.to_owned(), why },
            error @ (ClientError::InvalidUri(_)
            | ClientError::IoError(_)
            | ClientError::Utf8Error(_)
            | ClientError::InvalidMetadataValue(_)
            | ClientError::EndpointsNotManaged) => {
                Error::Unanswered { member: member.to_owned(), why: error.to_string() }
            }
        }
    }
}

fn from_status(member: &str, status: &Status) -> Error {
    let text = status.message();
    let says = |part: &str| text.contains(part);
    if let Some(error) = login(status) {
        return error;
    }
    match status.code() {
        Code::Unavailable if says("no leader") => Error::NoLeader,
        Code::Unavailable if never_left(status) => {
            Error::Unreachable { member: member.to_owned(), why: cause(status) }
        }
        Code::OutOfRange if says("compacted") => Error::Compacted,
        Code::OutOfRange if says("message length too large") => Error::TooLarge,
        Code::PermissionDenied => Error::Denied(text.to_owned()),
        Code::NotFound if says("lease") => Error::NoLease,
        Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::FailedPrecondition
        | Code::ResourceExhausted
        | Code::OutOfRange
        | Code::Unimplemented => Error::Refused(text.to_owned()),
        Code::Ok
        | Code::Cancelled
        | Code::Unknown
        | Code::DeadlineExceeded
        | Code::Aborted
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss
        | Code::Unauthenticated => Error::Unanswered { member: member.to_owned(), why: cause(status) },
    }
}

/// What etcd says when a token is no longer good, or there is none, or it was never good. All of them are
/// said before anything is done, also in a watch, where no code comes with the text.
pub(super) fn is_about_login(text: &str) -> bool {
    const SAID: [&str; 4] = [
        "invalid auth token",
        "revision of auth store is old",
        "user name is empty",
        "authentication failed",
    ];
    SAID.iter().any(|said| text.contains(said))
}

fn login(status: &Status) -> Option<Error> {
    let is = status.code() == Code::Unauthenticated || is_about_login(status.message());
    is.then(|| Error::Login(status.message().to_owned()))
}

fn never_left(status: &Status) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = std::error::Error::source(status);
    while let Some(error) = next {
        if error.is::<ConnectError>() {
            return true;
        }
        next = error.source();
    }
    false
}

fn cause(status: &Status) -> String {
    match std::error::Error::source(status) {
        Some(source) => chain(source),
        None => format!("{:?}: {}", status.code(), status.message()),
    }
}

fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let more = error.to_string();
        if !text.ends_with(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        next = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_etcd_says_is_told_apart_by_code_and_text() {
        for (code, text, name, outcome) in [
            (Code::Unavailable, "etcdserver: no leader", "NoLeader", Outcome::NotDone),
            (Code::Unavailable, "etcdserver: request timed out", "Unanswered", Outcome::Unknown),
            (Code::Unavailable, "etcdserver: leader changed", "Unanswered", Outcome::Unknown),
            (Code::Unknown, "raft proposal dropped", "Unanswered", Outcome::Unknown),
            (Code::Unauthenticated, "etcdserver: invalid auth token", "Login", Outcome::NotDone),
            (Code::InvalidArgument, "etcdserver: revision of auth store is old", "Login", Outcome::NotDone),
            (Code::InvalidArgument, "etcdserver: user name is empty", "Login", Outcome::NotDone),
            (Code::PermissionDenied, "etcdserver: permission denied", "Denied", Outcome::NotDone),
            (Code::NotFound, "etcdserver: requested lease not found", "NoLease", Outcome::NotDone),
            (Code::InvalidArgument, "etcdserver: request is too large", "Refused", Outcome::NotDone),
            (
                Code::ResourceExhausted,
                "etcdserver: mvcc: database space exceeded",
                "Refused",
                Outcome::NotDone,
            ),
            (
                Code::OutOfRange,
                "etcdserver: mvcc: required revision has been compacted",
                "Compacted",
                Outcome::NotDone,
            ),
        ] {
            let error = Error::read("m0", ClientError::GRpcStatus(Status::new(code, text)));
            assert!(format!("{error:?}").starts_with(name), "{text}: {error:?}");
            assert_eq!(error.outcome(), outcome, "{text}");
        }
    }
}
