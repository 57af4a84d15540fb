//! Speaking to a registry: over HTTP, over gRPC, or by writing etcd keys.
//!
//! One [`Registrar`] does one thing at a time, each under a deadline; when and why is decided in
//! `lease`. Every call may be given up half-way: the next one starts from a clean connection state.
//! Wire formats stay inside the three submodules.

#[cfg_attr(not(feature = "etcd"), path = "no_etcd.rs")]
mod etcd;
mod grpc;
mod http;

use std::fmt;
use std::time::Duration;

use crate::instance::{Instance, Presence};
use crate::schema::Schema;
use crate::target::{Registry, Target};

/// How long storing a descriptor set may take; it can be 16 MiB over a slow line.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(30);
/// Where a lease can outlive its registration: how often to look for the registration itself.
const VERIFY_EVERY: Duration = Duration::from_secs(30);

/// A registry that accepted a registration.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) lease: String,
    pub(crate) ttl: Duration,
    pub(crate) findings: Vec<Finding>,
}

/// Something the registry found in a registration that it accepted.
#[derive(Debug)]
pub(crate) struct Finding {
    pub(crate) severity: Severity,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) help: String,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Severity {
    Info,
    Warning,
    Error,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The registry said no. The same call will get the same answer until somebody does something.
    #[error("{0}")]
    Refused(Refusal),
    /// There is no such lease, or the registration under it is gone.
    #[error("the registry does not know the lease")]
    Gone,
    /// No answer, or one that says nothing about the registration.
    #[error("{0}")]
    Failed(String),
}

/// What a registry says when it says no.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) help: String,
    pub(crate) mistakes: Vec<(String, String)>,
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code, self.message)?;
        for (field, message) in &self.mistakes {
            write!(out, "; {field}: {message}")?;
        }
        advice(out, &self.help)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}: {}", self.code, self.message)?;
        advice(out, &self.help)
    }
}

fn advice(out: &mut fmt::Formatter<'_>, help: &str) -> fmt::Result {
    if help.is_empty() { Ok(()) } else { write!(out, " — what helps: {help}") }
}

/// A connection to a registry.
#[derive(Debug)]
pub(crate) enum Registrar {
    Http(http::Registrar),
    Grpc(grpc::Registrar),
    Etcd(etcd::Registrar),
}

impl Registrar {
    /// Prepares to speak to `registry`; nothing is sent yet. `None` when it is nowhere.
    pub(crate) fn new(registry: &Registry) -> Result<Option<Self>, crate::Error> {
        let token = registry.token.as_deref();
        let wrong = |why: String| crate::Error::Registry { url: registry.to_string(), why };
        Ok(match &registry.target {
            Target::Http { base } => Some(Self::Http(http::Registrar::new(base, token).map_err(wrong)?)),
            Target::Grpc { base } => Some(Self::Grpc(grpc::Registrar::new(base, token).map_err(wrong)?)),
            Target::Etcd { members, root, user } => {
                Some(Self::Etcd(etcd::Registrar::new(members, root, user.clone()).map_err(wrong)?))
            }
            Target::Nowhere => None,
        })
    }

    /// How often to call `verify` instead of `beat`: only where others can delete the key of a lease.
    pub(crate) fn verify_every(&self) -> Option<Duration> {
        match self {
            Self::Http(_) | Self::Grpc(_) => None,
            Self::Etcd(_) => Some(VERIFY_EVERY),
        }
    }

    /// Stores the schema unless it is stored, then registers the instance as up.
    pub(crate) async fn join(&mut self, instance: &Instance, schema: &Schema) -> Result<Grant, Error> {
        let within = instance.ttl / 3;
        if !self.has_schema(schema, within).await? {
            self.put_schema(schema).await?;
        }
        self.put_instance(instance, schema, Presence::Up, within).await
    }

    /// Registers the instance as draining, under the lease it has if that matters to the registry.
    pub(crate) async fn announce(
        &mut self,
        instance: &Instance,
        schema: &Schema,
        lease: Option<&str>,
        within: Duration,
    ) -> Result<Grant, Error> {
        if let (Self::Etcd(etcd), Some(lease)) = (&mut *self, lease) {
            match bounded(within, etcd.replace(instance, schema, lease, within)).await {
                // A registration that was given up half-way may stand there under a lease that nobody was
                // told of: a new one takes its place, and can be removed.
                Err(Error::Gone) => {}
                told => return told,
            }
        }
        self.put_instance(instance, schema, Presence::Draining, within).await
    }

    /// Renews a lease.
    pub(crate) async fn beat(&mut self, lease: &str, within: Duration) -> Result<(), Error> {
        match self {
            Self::Http(http) => bounded(within, http.beat(lease)).await,
            Self::Grpc(grpc) => bounded(within, grpc.beat(lease)).await,
            Self::Etcd(etcd) => bounded(within, etcd.beat(lease, within)).await,
        }
    }

    /// Renews a lease, and fails with `Gone` where the registration is no longer under it.
    pub(crate) async fn verify(
        &mut self,
        instance: &Instance,
        lease: &str,
        within: Duration,
    ) -> Result<(), Error> {
        self.beat(lease, within).await?;
        match self {
            Self::Http(_) | Self::Grpc(_) => Ok(()),
            Self::Etcd(etcd) => bounded(within, etcd.verify(instance, lease, within)).await,
        }
    }

    /// Removes the instance if it is still registered under `lease`.
    pub(crate) async fn remove(
        &mut self,
        instance: &Instance,
        lease: &str,
        within: Duration,
    ) -> Result<(), Error> {
        match self {
            Self::Http(http) => bounded(within, http.remove(instance, lease)).await,
            Self::Grpc(grpc) => bounded(within, grpc.remove(instance, lease)).await,
            Self::Etcd(etcd) => bounded(within, etcd.remove(instance, lease, within)).await,
        }
    }

    async fn has_schema(&mut self, schema: &Schema, within: Duration) -> Result<bool, Error> {
        match self {
            Self::Http(http) => bounded(within, http.has_schema(schema)).await,
            Self::Grpc(grpc) => bounded(within, grpc.has_schema(schema)).await,
            Self::Etcd(etcd) => bounded(within, etcd.has_schema(schema, within)).await,
        }
    }

    async fn put_schema(&mut self, schema: &Schema) -> Result<(), Error> {
        match self {
            Self::Http(http) => bounded(UPLOAD_DEADLINE, http.put_schema(schema)).await,
            Self::Grpc(grpc) => bounded(UPLOAD_DEADLINE, grpc.put_schema(schema)).await,
            Self::Etcd(etcd) => bounded(UPLOAD_DEADLINE, etcd.put_schema(schema, UPLOAD_DEADLINE)).await,
        }
    }

    async fn put_instance(
        &mut self,
        instance: &Instance,
        schema: &Schema,
        presence: Presence,
        within: Duration,
    ) -> Result<Grant, Error> {
        match self {
            Self::Http(http) => bounded(within, http.put_instance(instance, schema, presence)).await,
            Self::Grpc(grpc) => bounded(within, grpc.put_instance(instance, schema, presence)).await,
            Self::Etcd(etcd) => bounded(within, etcd.put_instance(instance, schema, presence, within)).await,
        }
    }
}

async fn bounded<T>(within: Duration, call: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    match tokio::time::timeout(within, call).await {
        Ok(outcome) => outcome,
        Err(_) => Err(Error::Failed(format!("no answer within {within:.1?}"))),
    }
}

/// An error and what caused it, as one line.
fn chain(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !line.contains(&cause_text) {
            line = format!("{line}: {cause_text}");
        }
        source = cause.source();
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_says_why_where_and_what_helps() {
        let refusal = Refusal {
            code: "INVALID".into(),
            message: "the registration has mistakes".into(),
            help: "correct the address".into(),
            mistakes: vec![("endpoints[0].url".into(), "no port".into())],
        };
        assert_eq!(
            refusal.to_string(),
            "INVALID: the registration has mistakes; endpoints[0].url: no port — what helps: correct the address"
        );
    }
}
