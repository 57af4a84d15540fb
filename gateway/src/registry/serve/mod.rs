//! Registrations taken over HTTP and gRPC, on the admin listener.
//!
//! Both say the same: they read what arrived, ask the registry, and write its answer. What an error
//! means to a caller is one table, `Trouble`, from which either protocol takes its status.

mod findings;
mod grpc;
mod http;

pub use self::grpc::service;
pub use self::http::{Registrar, router};

use turnout_control::id;
use turnout_control::registration::{Mistake, Refusal};

use super::Error;
use crate::telemetry::chain;

/// What a registering service is told.
#[derive(Debug)]
pub(crate) struct Trouble {
    pub(crate) kind: Kind,
    /// A stable name for machines.
    pub(crate) code: &'static str,
    /// One sentence.
    pub(crate) message: String,
    /// What would mend it.
    pub(crate) help: String,
    /// Every mistake in a registration.
    pub(crate) mistakes: Vec<Mistake>,
}

/// Whose fault it is, roughly; each protocol has its own number for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The request can never succeed.
    Malformed,
    /// It is too large.
    TooLarge,
    /// It cannot be understood, though it is well formed.
    Unprocessable,
    /// There is no such thing.
    Missing,
    /// It contradicts what is registered.
    Conflict,
    /// A newer process is there.
    Overtaken,
    /// This token may not.
    Forbidden,
    /// The gateway failed; try again.
    Unavailable,
}

impl Trouble {
    pub(crate) fn new(
        kind: Kind,
        code: &'static str,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Trouble {
        Trouble { kind, code, message: message.into(), help: help.into(), mistakes: Vec::new() }
    }

    pub(crate) fn mistakes(mistakes: Vec<Mistake>) -> Trouble {
        let told: Vec<String> =
            mistakes.iter().map(|mistake| format!("{} {}", mistake.field, mistake.message)).collect();
        let trouble = Trouble::new(
            Kind::Malformed,
            "INVALID_REGISTRATION",
            format!("the registration is wrong: {}", told.join("; ")),
            "Mend every mistake that is named and register again.",
        );
        Trouble { mistakes, ..trouble }
    }

    /// A part of an address that is not what it should be.
    pub(crate) fn name(what: &str, error: &id::Error) -> Trouble {
        Trouble::mistakes(vec![Mistake { field: what.to_owned(), message: error.to_string() }])
    }

    pub(crate) fn digest(error: &turnout_schema::digest::Error) -> Trouble {
        Trouble::new(
            Kind::Malformed,
            "INVALID_DIGEST",
            format!("the digest {error}"),
            "It is the sha256 of the encoded descriptor set.",
        )
    }

    pub(crate) fn unknown_lease() -> Trouble {
        Trouble::new(Kind::Missing, "LEASE_UNKNOWN", "there is no such lease", "Register again.")
    }

    fn unavailable() -> Trouble {
        Trouble::new(
            Kind::Unavailable,
            "REGISTRY_UNAVAILABLE",
            "the registry cannot be written now",
            "Try again; the gateway's log says why.",
        )
    }

    /// The same as any other, but not logged for each of thousands of instances while the store is away, which
    /// the store itself logs once.
    pub(crate) fn of_heartbeat(error: Error) -> Trouble {
        match error {
            Error::Unavailable(..) => {
                tracing::debug!(error = %chain(&error), "a heartbeat was not taken");
                Trouble::unavailable()
            }
            other => Trouble::from(other),
        }
    }

    pub(crate) fn unknown_schema() -> Trouble {
        Trouble::new(Kind::Missing, "SCHEMA_UNKNOWN", "the schema is not stored", "Store it with PUT.")
    }
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        match error {
            Error::Refused(refusal) => {
                let kind = match &refusal {
                    Refusal::Stale { .. } => Kind::Overtaken,
                    // Who has not stored its descriptors yet does so next.
                    Refusal::SchemaUnknown(_) => Kind::Conflict,
                    Refusal::ServiceMissing { .. }
                    | Refusal::VersionBound { .. }
                    | Refusal::Retired { .. } => {
                        tracing::warn!(code = refusal.code(), why = %refusal, "a registration is refused");
                        Kind::Conflict
                    }
                };
                Trouble::new(kind, refusal.code(), refusal.to_string(), refusal.help())
            }
            Error::Descriptors(error) => {
                let kind = match error {
                    turnout_schema::subgraph::descriptors::Error::TooLarge(_) => Kind::TooLarge,
                    _ => Kind::Unprocessable,
                };
                Trouble::new(kind, "SCHEMA_BROKEN", error.to_string(), error.help())
            }
            Error::Digest { .. } => Trouble::new(
                Kind::Malformed,
                "DIGEST_MISMATCH",
                error.to_string(),
                "Send the bytes whose digest is in the address.",
            ),
            Error::OtherLease(_) => Trouble::new(
                Kind::Conflict,
                "LEASE_OF_ANOTHER",
                error.to_string(),
                "Only the process that registered an instance can remove it; the lease ends by itself.",
            ),
            Error::Conflict(_) => Trouble::new(
                Kind::Conflict,
                "CHANGED_MEANWHILE",
                error.to_string(),
                "Read it again, and decide anew.",
            ),
            Error::Excess(_) | Error::Report(_) => Trouble::new(
                Kind::TooLarge,
                "CHANGE_TOO_LARGE",
                error.to_string(),
                "Make it smaller, or several changes of it.",
            ),
            Error::Full(full) => {
                Trouble::new(Kind::Unavailable, "SCHEMAS_FULL", full.to_string(), full.help())
            }
            Error::Unavailable(..) | Error::Stopping => {
                tracing::error!(error = %chain(&error), "the registry failed");
                Trouble::unavailable()
            }
        }
    }
}
