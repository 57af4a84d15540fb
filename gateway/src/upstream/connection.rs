//! One HTTP/2 connection to one address, and whether it can still be used.
//!
//! A name is resolved here, and each address that comes of it is checked before it is connected to: what was
//! allowed under a name yesterday may lead into another network today. Until the connection stands, all is
//! under one timeout. A peer that then never speaks HTTP/2 is noticed by the calls on it, each by its own
//! deadline: calls do not wait for its first word. Nothing here decides when a connection is opened or
//! given up.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use http::uri::{Authority, Scheme};
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;
use tonic::Code;
use turnout_control::registration::Terms;
use turnout_control::registry::{Endpoint, Scheme as Protocol};

use super::frame::Outbound;
use super::traffic::{Counted, Traffic};
use super::{Failure, Origin};

/// What a peer may send on one stream before it is read. Larger than HTTP/2's 64 KiB: round trips for windows
/// cost more than memory.
pub(super) const STREAM_WINDOW_BYTES: u32 = 1024 * 1024;

/// The same for all streams of a connection together.
const CONNECTION_WINDOW_BYTES: u32 = 4 * 1024 * 1024;

/// The largest frame that is taken.
const FRAME_BYTES_MAX: u32 = 64 * 1024;

/// The headers that are taken, decoded; trailers likewise.
const HEADERS_BYTES_MAX: u32 = 64 * 1024;

/// The calls that are sent before the peer has said how many it takes: the least that HTTP/2 recommends.
const STREAMS_BEFORE_SETTINGS: usize = 100;

/// How many cancelled calls are remembered for a second, for what still comes of them.
const CANCELLED_STREAMS_MAX: usize = 8 * 1024;

/// What still comes of abandoned calls wears a connection out: a frame of a forgotten call counts as an error
/// of the peer, and a small one of a remembered call is never given back to the budget that keeps small frames
/// from filling memory. At either limit HTTP/2 breaks the connection with all calls on it. So after this many
/// abandoned calls it takes no more, long before one of them can be reached.
pub(super) const ABANDONED_CALLS_MAX: u32 = 16 * 1024;

/// The frames of forgotten calls that are answered with a reset.
const ERRORS_MAX: usize = 4 * ABANDONED_CALLS_MAX as usize;

/// The budget for small frames that nobody has read yet: 256 bytes each, less what is in them.
const SMALL_FRAMES_BYTES_MAX: usize = 4 * 256 * ABANDONED_CALLS_MAX as usize;

/// How long sent bytes may go without an acknowledgement: a peer whose machine is gone says nothing.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(20);

/// Probes of TCP find dead peers of which nothing is wanted but events. They cost a service nothing, unlike
/// pings of HTTP/2, which services may answer by hanging up.
const PROBE_AFTER: Duration = Duration::from_secs(60);
const PROBE_EVERY: Duration = Duration::from_secs(10);

/// How many addresses of a name are tried.
const ADDRESSES_MAX: usize = 8;

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

impl Target {
    /// Where a connection to a registered address leads; `None` when it is none that HTTP can name. `tls` is
    /// for those who want it.
    pub fn of(address: &Endpoint, tls: &Arc<rustls::ClientConfig>) -> Option<Target> {
        let (scheme, tls) = match address.scheme {
            Protocol::Grpc => (Scheme::HTTP, None),
            Protocol::Grpcs => (Scheme::HTTPS, Some(tls.clone())),
        };
        let url = address.url();
        let authority = url.split_once("://").map_or(url.as_str(), |(_, authority)| authority);
        let authority = Authority::try_from(authority).ok()?;
        Some(Target { host: address.host.clone(), port: address.port, authority, scheme, tls })
    }
}

/// What holds for every connection.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Until TCP, TLS and HTTP/2 stand.
    pub connect_timeout: Duration,
    /// The largest message that is taken.
    pub message_bytes_max: usize,
    /// Whose `allow_cidrs` are the networks that may be connected to, as they are at that moment: what may be
    /// registered may be called. Checked on the address itself; a host name is resolved first.
    pub terms: watch::Receiver<Terms>,
}

/// An open connection. Cloning it shares it. It is closed when all clones and all calls on it are gone.
#[derive(Clone)]
pub struct Connection {
    sender: SendRequest<Outbound>,
    traffic: Arc<Traffic>,
    /// Set by the task that drives it, when it ends.
    ended: Arc<AtomicBool>,
}

/// Why there is no connection. The addresses are for logs.
#[derive(Debug, thiserror::Error)]
enum Error {
    #[error("{0} cannot be resolved: {1}")]
    Resolve(String, io::Error),
    #[error("{0} has no address")]
    NoAddress(String),
    #[error("{0} is no address that may be called: see registry.allow_cidrs")]
    Forbidden(IpAddr),
    #[error("{0} cannot be connected to: {1}")]
    Connect(SocketAddr, io::Error),
    #[error("{0} is no name that a certificate can have")]
    Name(String),
    #[error("{0} does not speak TLS with us: {1}")]
    Tls(SocketAddr, io::Error),
    #[error("{0} does not speak HTTP/2 over TLS")]
    NoHttp2(SocketAddr),
    #[error("{0} closed the connection at once: {1}")]
    Preface(SocketAddr, h2::Error),
    #[error("{0} did not take the connection in time")]
    Late(String),
}

impl Connection {
    /// Opens one. What drives it is spawned on `tasks`, on the runtime this is called on.
    pub async fn open(
        target: &Target,
        settings: &Settings,
        tasks: &TaskTracker,
    ) -> Result<Connection, Failure> {
        let opened = match timeout(settings.connect_timeout, dial(target, settings, tasks)).await {
            Ok(opened) => opened,
            Err(_) => Err(Error::Late(target.host.clone())),
        };
        opened.map_err(|error| Failure {
            code: Code::Unavailable,
            message: error.to_string(),
            details: Bytes::new(),
            origin: Origin::Connection,
        })
    }

    /// Speaks HTTP/2 over an open transport. Returns before the peer has answered.
    pub(super) async fn over<T>(io: T, tasks: &TaskTracker) -> Result<Connection, h2::Error>
    where
        T: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let traffic = Arc::new(Traffic::default());
        let (sender, driver) = h2::client::Builder::new()
            .initial_window_size(STREAM_WINDOW_BYTES)
            .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
            .max_frame_size(FRAME_BYTES_MAX)
            .max_header_list_size(HEADERS_BYTES_MAX)
            .initial_max_send_streams(STREAMS_BEFORE_SETTINGS)
            .max_concurrent_reset_streams(CANCELLED_STREAMS_MAX)
            .max_local_error_reset_streams(Some(ERRORS_MAX))
            .data_frame_budget(SMALL_FRAMES_BYTES_MAX)
            .enable_push(false)
            .handshake(Counted::new(io, Arc::clone(&traffic)))
            .await?;
        let ended = Arc::new(AtomicBool::new(false));
        let end = End(Arc::clone(&ended));
        tasks.spawn(async move {
            let _end = end;
            if let Err(error) = driver.await {
                tracing::debug!(%error, "a connection to a service broke");
            }
        });
        Ok(Connection { sender, traffic, ended })
    }

    /// Whether new calls can go over it: it has not failed, was not told to go away, and is not worn out. What
    /// is under way on it may finish in any case. Costs three locks that nobody holds for long.
    pub fn is_usable(&self) -> bool {
        if self.ended.load(Ordering::Acquire) || self.traffic.abandoned_calls() >= ABANDONED_CALLS_MAX {
            return false;
        }
        let ready = self.sender.clone().poll_ready(&mut Context::from_waker(Waker::noop()));
        matches!(ready, Poll::Ready(Ok(())))
    }

    /// What sends one request.
    pub(super) fn sender(&self) -> SendRequest<Outbound> {
        self.sender.clone()
    }

    /// What went over it so far.
    pub(super) fn traffic(&self) -> &Arc<Traffic> {
        &self.traffic
    }
}

impl std::fmt::Debug for Connection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connection").field("usable", &self.is_usable()).finish()
    }
}

/// Says that the driver is gone, however it went.
struct End(Arc<AtomicBool>);

impl Drop for End {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

/// Whether somebody takes TCP connections there, which is all that is tried. The addresses are checked like those
/// of calls.
pub async fn is_open(target: &Target, settings: &Settings) -> bool {
    let tried = async {
        for address in addresses(target, settings).await.unwrap_or_default() {
            if TcpStream::connect(address).await.is_ok() {
                return true;
            }
        }
        false
    };
    timeout(settings.connect_timeout, tried).await.unwrap_or(false)
}

/// Tries the addresses one after the other, each for its share of the time that is left, so that a dead one
/// does not take the time of the next.
async fn dial(target: &Target, settings: &Settings, tasks: &TaskTracker) -> Result<Connection, Error> {
    let until = Instant::now() + settings.connect_timeout;
    let addresses = addresses(target, settings).await?;
    let mut last = Error::NoAddress(target.host.clone());
    for (index, address) in addresses.iter().enumerate() {
        let now = Instant::now();
        let others = u32::try_from(addresses.len() - index).expect("there are at most eight");
        let share = until.saturating_duration_since(now) / others;
        last = match timeout_at(now + share, connect(*address, target, tasks)).await {
            Ok(Ok(connection)) => return Ok(connection),
            Ok(Err(error)) => error,
            Err(_) => Error::Late(address.to_string()),
        };
    }
    Err(last)
}

/// The addresses that may be connected to, in the resolver's order.
async fn addresses(target: &Target, settings: &Settings) -> Result<Vec<SocketAddr>, Error> {
    let found = tokio::net::lookup_host((target.host.as_str(), target.port))
        .await
        .map_err(|error| Error::Resolve(target.host.clone(), error))?;
    let mut allowed = Vec::new();
    let mut forbidden = None;
    for mut address in found {
        // An IPv4 address in IPv6 clothes is judged, and connected to, as what it is.
        let ip = address.ip().to_canonical();
        if is_allowed(ip, settings) {
            address.set_ip(ip);
            allowed.push(address);
        } else {
            forbidden = Some(ip);
        }
    }
    allowed.truncate(ADDRESSES_MAX);
    match forbidden {
        Some(ip) if allowed.is_empty() => Err(Error::Forbidden(ip)),
        Some(_) | None => Ok(allowed),
    }
}

fn is_allowed(ip: IpAddr, settings: &Settings) -> bool {
    !ip.is_unspecified()
        && !ip.is_multicast()
        && settings.terms.borrow().allow_cidrs.iter().any(|network| network.contains(&ip))
}

async fn connect(address: SocketAddr, target: &Target, tasks: &TaskTracker) -> Result<Connection, Error> {
    let tcp = TcpStream::connect(address).await.map_err(|error| Error::Connect(address, error))?;
    tune(&tcp).map_err(|error| Error::Connect(address, error))?;
    let Some(tls) = &target.tls else {
        return Connection::over(tcp, tasks).await.map_err(|error| Error::Preface(address, error));
    };
    let name = ServerName::try_from(target.host.clone()).map_err(|_| Error::Name(target.host.clone()))?;
    let tls = TlsConnector::from(Arc::clone(tls))
        .connect(name, tcp)
        .await
        .map_err(|error| Error::Tls(address, error))?;
    if tls.get_ref().1.alpn_protocol() != Some(super::tls::HTTP2) {
        return Err(Error::NoHttp2(address));
    }
    Connection::over(tls, tasks).await.map_err(|error| Error::Preface(address, error))
}

fn tune(tcp: &TcpStream) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    socket.set_tcp_keepalive(&TcpKeepalive::new().with_time(PROBE_AFTER).with_interval(PROBE_EVERY))?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))?;
    Ok(())
}

#[cfg(test)]
mod tests;
