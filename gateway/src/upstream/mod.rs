//! One call to one version of a service: which instance, over which connection, how long, how often.
//!
//! Bytes go in and bytes come out: messages are nobody's business here, and neither is GraphQL. What the
//! caller learns of a call that went wrong is a `Failure`, whose code is the one that gRPC's own rules give,
//! whatever the library underneath thought of it. Nothing here decides which version is called.

mod balance;
mod breaker;
mod concurrency;
pub mod connection;
mod endpoint;
pub mod exchange;
pub mod fleet;
mod frame;
mod gate;
pub mod pool;
mod retry;
mod roster;
#[cfg(test)]
pub(crate) mod scripted;
mod slot;
pub mod stats;
mod status;
pub mod tls;
mod traffic;

use std::time::Duration;

use bytes::Bytes;
use http::HeaderMap;
use http::uri::PathAndQuery;
use tokio::time::Instant;
use tonic::Code;
use turnout_schema::graph::Safety;

/// A call as its caller wants it.
#[derive(Clone, Debug)]
pub struct Outgoing<'a> {
    /// `/package.Service/Method`.
    pub path: &'a PathAndQuery,
    /// The request message, without the frame around it.
    pub message: Bytes,
    /// What is sent along: already chosen by allow-list, in lower case.
    pub metadata: &'a HeaderMap,
    /// Whether it may be repeated.
    pub safety: Safety,
    /// When the operation must be answered. Sent on, so that the service stops too.
    pub deadline: Instant,
    /// The longest that this one call may take, when the operator said so.
    pub timeout: Option<Duration>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The gRPC code, by gRPC's rules.
    pub code: Code,
    /// What was said. Written by a stranger when `origin` is the service: not for a browser unseen.
    pub message: String,
    /// The bytes of `google.rpc.Status` from `grpc-status-details-bin`; empty when there were none.
    pub details: Bytes,
    /// Who says so.
    pub origin: Origin,
}

/// Who says that a call failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {
    /// The service, with a status of gRPC.
    Service,
    /// Nobody is registered who could be called.
    Nobody,
    /// No connection, or one that broke.
    Connection,
    /// Time ran out.
    Deadline,
    /// Something came that is no answer of gRPC, or more of it than is taken.
    Answer,
    /// It was not sent, because too much is on its way already.
    Overload,
}

impl Origin {
    /// The word that logs and metrics have for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Origin::Service => "service",
            Origin::Nobody => "nobody",
            Origin::Connection => "connection",
            Origin::Deadline => "deadline",
            Origin::Answer => "answer",
            Origin::Overload => "overload",
        }
    }
}

/// One of the threads that serve requests, each with connections of its own, by its number from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Worker(pub usize);

/// A code of gRPC by its canonical name.
pub fn code_name(code: Code) -> &'static str {
    match code {
        Code::Cancelled => "CANCELLED",
        Code::Ok => "OK",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
