//! Accepting connections and giving each a bounded time and size.
//!
//! Ready-made servers leave out the timer, and then a silent or dripping client is never cut off. Here
//! a connection has a place among a bounded number, a bounded time to send each request's head, and
//! bounds on what HTTP/2 lets one peer do. HTTP/1.1 and HTTP/2 without TLS share a port.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use futures_util::FutureExt;
use http::Request;
use http_body_util::Either;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::Instrument;

use super::public::{Front, Reply};

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
/// How long what was sent may go without an acknowledgement, or wait for room: a client that reads nothing
/// keeps its answer, up to 8 MiB of it, and its place.
const UNREAD_MAX: Duration = Duration::from_secs(30);
const HEADERS_MAX: usize = 100;
const HEAD_BYTES_MAX: usize = 32 << 10;
/// After the stop: how long nobody has to come for the end, and how long it waits for that at most. Whoever
/// stands before gateways looks at readiness once a second or so.
const QUIET: Duration = Duration::from_millis(100);
const QUIET_MAX: Duration = Duration::from_secs(2);
/// After the stop: until a connection that has said nothing yet is closed. Its request may be on the way.
const FIRST_WORDS: Duration = Duration::from_millis(500);
/// After accept fails, usually because no file descriptor is left.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What is behind a listener.
#[derive(Clone, Debug)]
pub enum Door {
    /// Operators and services.
    Admin(Router),
    /// Everyone.
    Public(Front),
}

impl Door {
    async fn answer(self, mut request: Request<Incoming>, peer: SocketAddr) -> http::Response<Reply> {
        match self {
            Door::Admin(routes) => {
                request.extensions_mut().insert(ConnectInfo(peer));
                let answer = routes.oneshot(request).await;
                answer.unwrap_or_else(|never| match never {}).map(Either::Right)
            }
            Door::Public(front) => front.answer(request).await,
        }
    }
}

/// How many connections there may be at once, for listeners that share a port.
#[derive(Clone, Debug)]
pub struct Places(Arc<Semaphore>);

impl Places {
    /// As many as one port has.
    pub fn of_a_port() -> Places {
        Places(Arc::new(Semaphore::new(CONNECTIONS_MAX)))
    }
}

/// How a listener is told to end.
#[derive(Clone, Debug)]
pub struct Ending {
    /// No new connections, and those there are finish what they have.
    pub stop: CancellationToken,
    /// Everything ends at once. Never comes before `stop`.
    pub abort: CancellationToken,
}

impl Ending {
    /// One that ends with this one, and is looked at without touching what others look at.
    pub fn child(&self) -> Ending {
        Ending { stop: self.stop.child_token(), abort: self.abort.child_token() }
    }
}

/// A bound socket and what it serves.
#[derive(Debug)]
pub struct Listener {
    socket: TcpListener,
    door: Door,
    places: Places,
    name: &'static str,
}

impl Listener {
    /// Serves what is behind `door` on a bound socket. The name is for the log.
    pub fn new(name: &'static str, socket: TcpListener, door: Door, places: Places) -> Listener {
        Listener { socket, door, places, name }
    }

    /// Accepts until it is told to stop; then asks each connection to finish what it has. Who stands before
    /// the gateway learns of the stop by readiness, and a little later, so those who still come are answered
    /// until nobody comes any more. Connections live on `connections`.
    pub async fn run(self, connections: TaskTracker, ending: Ending) {
        loop {
            tokio::select! {
                biased;
                () = ending.stop.cancelled() => break,
                () = self.take(&connections, &ending) => {}
            }
        }
        let latecomers = async { while timeout(QUIET, self.take(&connections, &ending)).await.is_ok() {} };
        if timeout(QUIET_MAX, latecomers).await.is_err() {
            tracing::debug!(listener = self.name, "connections still come, and are refused from now on");
        }
        // Those whom the kernel has accepted already.
        while self.take(&connections, &ending).now_or_never().is_some() {}
    }

    /// Takes the next connection.
    async fn take(&self, connections: &TaskTracker, ending: &Ending) {
        // A place first: a connection that was accepted must not be dropped for want of one.
        let Ok(place) = self.places.0.clone().acquire_owned().await else { return };
        let (stream, peer) = match self.socket.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                tracing::warn!(listener = self.name, %error, "cannot accept a connection");
                return tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        };
        let (door, ending) = (self.door.clone(), ending.clone());
        connections.spawn(async move {
            connection(stream, peer, door, ending).await;
            drop(place);
        });
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, door: Door, ending: Ending) {
    // The server behind this tells them apart too, and waits for that without a limit.
    let last = async {
        ending.stop.cancelled().await;
        tokio::time::sleep(FIRST_WORDS).await;
    };
    tokio::select! {
        shown = timeout(PROTOCOL_TIMEOUT, protocol_shows(&stream)) => match shown {
            Ok(true) => {}
            Ok(false) | Err(_) => return,
        },
        () = last => return,
    }
    if let Err(error) = tune(&stream) {
        tracing::debug!(%peer, %error, "a connection was not set up");
        return;
    }
    let service = service_fn(move |request: Request<Incoming>| {
        let span = tracing::debug_span!(
            "request",
            http.request.method = %request.method(),
            url.path = request.uri().path(),
        );
        let answer = door.clone().answer(request, peer).instrument(span);
        async move { Ok::<_, Infallible>(answer.await) }
    });
    let builder = builder();
    let serving = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
    tokio::pin!(serving);
    // The connection first: almost every wake-up is for it, and nothing aborts what was not stopped.
    let ended = tokio::select! {
        biased;
        ended = &mut serving => ended,
        () = ending.stop.cancelled() => {
            serving.as_mut().graceful_shutdown();
            tokio::select! {
                ended = &mut serving => ended,
                () = ending.abort.cancelled() => return,
            }
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, %error, "connection ended badly");
    }
}

fn tune(stream: &TcpStream) -> io::Result<()> {
    // Nagle's algorithm would hold back the small answers this is made of.
    stream.set_nodelay(true)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    SockRef::from(stream).set_tcp_user_timeout(Some(UNREAD_MAX))?;
    Ok(())
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

#[cfg(test)]
mod tests {
    use std::future::pending;

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::mpsc;

    use super::*;

    /// Says when it is dropped.
    struct Held(mpsc::UnboundedSender<&'static str>);

    impl Drop for Held {
        fn drop(&mut self) {
            let _ = self.0.send("dropped");
        }
    }

    /// A listener whose only request never ends, and what happens to that request.
    async fn endless(ending: Ending) -> (SocketAddr, TaskTracker, mpsc::UnboundedReceiver<&'static str>) {
        let (tell, told) = mpsc::unbounded_channel();
        let routes = Router::new().route(
            "/",
            get(move || async move {
                let _held = Held(tell.clone());
                let _ = tell.send("began");
                pending::<()>().await;
            }),
        );
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let listener = Listener::new("test", socket, Door::Admin(routes), Places::of_a_port());
        let tasks = TaskTracker::new();
        tasks.spawn(listener.run(tasks.clone(), ending));
        (address, tasks, told)
    }

    fn ending() -> Ending {
        Ending { stop: CancellationToken::new(), abort: CancellationToken::new() }
    }

    async fn ask(address: SocketAddr) -> TcpStream {
        let mut socket = TcpStream::connect(address).await.unwrap();
        socket.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        socket
    }

    /// The kernel gives up a peer whose window stays closed for as long.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    #[tokio::test]
    async fn a_client_that_reads_nothing_is_given_up_by_the_kernel() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let _client = TcpStream::connect(socket.local_addr().unwrap()).await.unwrap();
        let (stream, _) = socket.accept().await.unwrap();
        tune(&stream).unwrap();
        assert!(stream.nodelay().unwrap());
        let server = SockRef::from(&stream);
        assert_eq!(server.tcp_user_timeout().unwrap(), Some(UNREAD_MAX));
        // The same, sooner: what nobody reads breaks the connection and does not stay.
        server.set_tcp_user_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut stream = stream;
        let chunk = vec![0; 1 << 20];
        let filled = async { while stream.write_all(&chunk).await.is_ok() {} };
        timeout(Duration::from_secs(20), filled).await.expect("it is given up");
    }

    #[tokio::test]
    async fn a_client_that_goes_away_takes_its_request_along() {
        let ending = ending();
        let (address, tasks, mut told) = endless(ending.clone()).await;
        let socket = ask(address).await;
        assert_eq!(told.recv().await, Some("began"));
        drop(socket);
        assert_eq!(told.recv().await, Some("dropped"));
        ending.stop.cancel();
        tasks.close();
        tasks.wait().await;
    }

    #[tokio::test]
    async fn a_request_has_until_the_abort() {
        let ending = ending();
        let (address, tasks, mut told) = endless(ending.child()).await;
        let mut socket = ask(address).await;
        assert_eq!(told.recv().await, Some("began"));
        ending.stop.cancel();
        tasks.close();
        // Enough turns for the connection to hear of the stop, and to do what it should not.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        assert!(told.try_recv().is_err(), "stopping ended a request");
        ending.abort.cancel();
        tasks.wait().await;
        assert_eq!(told.recv().await, Some("dropped"));
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap_or(0), 0);
    }

    #[tokio::test]
    async fn who_comes_while_others_learn_of_the_stop_is_answered() {
        let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let routes = Router::new().route("/", get(|| async { "here" }));
        let listener = Listener::new("test", socket, Door::Admin(routes), Places::of_a_port());
        let (tasks, ending) = (TaskTracker::new(), ending());
        tasks.spawn(listener.run(tasks.clone(), ending.clone()));
        // This one connects before the stop and speaks after it, the others come after it.
        let mut early = TcpStream::connect(address).await.unwrap();
        tokio::task::yield_now().await;
        ending.stop.cancel();
        tasks.close();
        tokio::time::sleep(Duration::from_millis(20)).await;
        early.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        for mut socket in [early, ask(address).await, ask(address).await] {
            let mut answer = String::new();
            timeout(Duration::from_secs(10), socket.read_to_string(&mut answer)).await.unwrap().unwrap();
            assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer:?}");
        }
        timeout(Duration::from_secs(10), tasks.wait()).await.unwrap();
        TcpStream::connect(address).await.unwrap_err();
    }
}
