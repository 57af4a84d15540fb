//! What an operator is told when something is not done: a sentence, and a code for programs.

use std::error::Error as StdError;
use std::fmt::Display;

use async_graphql::{Error, ErrorExtensions};

use crate::registry;
use crate::telemetry::chain;

/// An argument that is not what it should be.
pub(super) fn input(argument: &str, why: &dyn Display) -> Error {
    coded("BAD_USER_INPUT", format!("{argument} {why}"))
}

/// The caller may not.
pub(super) fn forbidden(message: String) -> Error {
    coded("FORBIDDEN", message)
}

/// Somebody else decided otherwise.
pub(super) fn conflict(message: String) -> Error {
    coded("CONFLICT", message)
}

/// It cannot be done now.
pub(super) fn unavailable(error: &dyn StdError) -> Error {
    coded("UNAVAILABLE", chain(error))
}

/// What a store says.
pub(super) fn store(error: &registry::Error) -> Error {
    if let registry::Error::Conflict(_) = error {
        return conflict(format!("{error}; look at what it is now, and decide again"));
    }
    unavailable(error)
}

fn coded(code: &'static str, message: String) -> Error {
    Error::new(message).extend_with(|_, extensions| extensions.set("code", code))
}
