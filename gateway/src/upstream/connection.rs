//! One HTTP/2 connection to one address, and whether it can still be used.

use std::sync::Arc;
use std::time::Duration;

use http::uri::{Authority, Scheme};
use tokio_util::task::TaskTracker;

use super::Failure;

/// Where a connection leads.
#[derive(Clone, Debug)]
pub struct Target {
    /// A host name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// What requests call it.
    pub authority: Authority,
    /// `http` or `https`, as requests say it.
    pub scheme: Scheme,
    /// How TLS is spoken; `None` for plain TCP.
    pub tls: Option<Arc<rustls::ClientConfig>>,
}

/// What holds for every connection.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Until TCP, TLS and HTTP/2 stand.
    pub connect_timeout: Duration,
    /// The largest message that is taken.
    pub message_bytes_max: usize,
    /// The networks that may be connected to, checked on the address itself; a host name is resolved first.
    pub allow_cidrs: Arc<[ipnet::IpNet]>,
}

/// An open connection. Cloning it shares it.
#[derive(Clone, Debug)]
pub struct Connection {}

impl Connection {
    /// Opens one. What drives it is spawned on `tasks`, on the runtime this is called on.
    pub async fn open(
        target: &Target,
        settings: &Settings,
        tasks: &TaskTracker,
    ) -> Result<Connection, Failure> {
        let _ = (target, settings, tasks);
        Ok(Connection {})
    }

    /// Whether new calls can go over it: it has not failed and was not told to go away.
    pub fn is_usable(&self) -> bool {
        true
    }
}
