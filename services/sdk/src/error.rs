//! What can keep a service from starting.
//!
//! These are mistakes in the program or its environment, told before the first call is taken. What
//! goes wrong with the registry later is never an error here: it is logged and tried again.

use std::net::SocketAddr;

/// Why a service could not start, or stopped serving.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The name breaks the rules for names.
    #[error("service name `{name}` is not 1 to 128 of A-Z, a-z, 0-9, `.`, `_`, `-`")]
    Name {
        /// What was given.
        name: String,
    },
    /// The version is not semantic.
    #[error("version `{version}` of service `{name}` is not a semantic version such as 1.5.0")]
    Version {
        /// The service.
        name: String,
        /// What was given.
        version: String,
        /// What the parser found.
        source: semver::Error,
    },
    /// The descriptors cannot be used.
    #[error("the descriptors of service `{name}`: {why}")]
    Descriptors {
        /// The service.
        name: String,
        /// What is wrong with them.
        why: String,
    },
    /// A builder method got a value outside its range.
    #[error("{setting}: {why}")]
    Setting {
        /// The method.
        setting: &'static str,
        /// What is wrong with the value.
        why: String,
    },
    /// The address of the registry cannot be used.
    #[error("registry `{url}`: {why}")]
    Registry {
        /// The address, without credentials.
        url: String,
        /// What is wrong with it.
        why: String,
    },
    /// The listening address is taken or not allowed.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// The gRPC server gave up.
    #[error("serving on {address} failed")]
    Serve {
        /// The address.
        address: SocketAddr,
        /// What the server said.
        source: tonic::transport::Error,
    },
}
