//! Accepting connections and giving each a bounded time and size.
//!
//! Ready-made servers leave out the timer, and then a silent or dripping client is never cut off. Here
//! a connection has a place among a bounded number, a bounded time to send each request's head, and
//! bounds on what HTTP/2 lets one peer do. HTTP/1.1 and HTTP/2 without TLS share a port.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use http::Request;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::Instrument;

/// Connections at once; a client more waits in the kernel's queue.
const CONNECTIONS_MAX: usize = 10_000;
/// From the end of a request to the end of the next one's head, so that it also ends idle connections.
/// Clients reuse a connection for each heartbeat, five seconds apart by default: shorter, and both ends
/// would close and use it at the same moment.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Until a new connection has shown its protocol.
const PROTOCOL_TIMEOUT: Duration = Duration::from_secs(10);
/// How HTTP/2 begins. No request of HTTP/1.1 does.
const HTTP2_START: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Between two looks at a beginning that may become either.
const PREFACE_LOOK: Duration = Duration::from_millis(50);
const HEADERS_MAX: usize = 100;
const HEAD_BYTES_MAX: usize = 32 << 10;
/// After accept fails, usually because no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// A bound socket and what it serves.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    router: Router,
    name: &'static str,
}

impl Listener {
    /// Serves `router` on a bound socket. The name is for the log.
    pub fn new(name: &'static str, socket: TcpListener, router: Router) -> Listener {
        Listener { socket, router, name }
    }

    /// Accepts until `stop`; then asks each connection to finish what it has. Connections live on
    /// `connections`, and end at once when `abort` is cancelled.
    pub async fn run(self, connections: TaskTracker, stop: CancellationToken, abort: CancellationToken) {
        let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return,
                accepted = self.socket.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(listener = self.name, %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            let Ok(place) = places.clone().acquire_owned().await else { return };
            let (router, stop, abort) = (self.router.clone(), stop.clone(), abort.clone());
            connections.spawn(async move {
                tokio::select! {
                    () = abort.cancelled() => {}
                    () = connection(stream, peer, router, stop) => {}
                }
                drop(place);
            });
        }
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    // The server behind this tells them apart too, and waits for that without a limit.
    tokio::select! {
        shown = tokio::time::timeout(PROTOCOL_TIMEOUT, protocol_shows(&stream)) => match shown {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        },
        () = stop.cancelled() => return,
    }
    // Nagle's algorithm would hold back the small answers this is made of.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        let span = tracing::debug_span!(
            "request",
            http.request.method = %request.method(),
            url.path = request.uri().path(),
        );
        let answer = router.clone().oneshot(request).instrument(span);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let builder = builder();
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(serving);
    let ended = tokio::select! {
        ended = &mut serving => ended,
        () = stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            serving.await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended badly");
    }
}

/// Waits until the first bytes can only be one protocol; false when the peer went away.
async fn protocol_shows(stream: &TcpStream) -> bool {
    let mut start = [0; HTTP2_START.len()];
    loop {
        let Ok(seen @ 1..) = stream.peek(&mut start).await else { return false };
        if seen == start.len() || !HTTP2_START.starts_with(&start[..seen]) {
            return true;
        }
        tokio::time::sleep(PREFACE_LOOK).await;
    }
}

fn builder() -> auto::Builder<TokioExecutor> {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(100)
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(64)
        .max_header_list_size(16 << 10)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(20));
    builder
}
