//! Both ways of serving the public port: a thread for each core, and the threads of the shared runtime.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use turnout::clock::Clock;
use turnout::config::{Config, Sources, read};
use turnout::generation::Generation;
use turnout::http::graphql::Settings;
use turnout::http::health::Health;
use turnout::http::listener::Ending;
use turnout::http::public::Public;
use turnout::identity::{self, Callers, Keys, Tokens};
use turnout::worker::{self, Serving, Threads, Workers};

use turnout::rollout::Pulse;
use turnout::telemetry::Meters;

use crate::gateway::Gateway;

const BODY: &str = r#"{"query":"{ __typename }"}"#;

/// A public port of its own beside a gateway.
struct Port {
    address: SocketAddr,
    serving: Serving,
    workers: Workers,
    generations: watch::Sender<Option<Arc<Generation>>>,
}

fn open(gateway: &Gateway, threads: Threads) -> Port {
    let ending = Ending { stop: CancellationToken::new(), abort: CancellationToken::new() };
    let (_, reports) = watch::channel(Arc::default());
    let registry = gateway.app().registry().clone();
    let (_, rollouts) = watch::channel(Pulse::default());
    let health = Health { stop: ending.stop.clone(), registry, reports, rollouts };
    let config = read(&Sources::default()).unwrap().config;
    let (_, settings) = watch::channel(Arc::new(Settings::of(&config)));
    let (generations, newest) = watch::channel(None);
    let serving = Serving {
        public: Public::new(health, settings, newest, callers(&config), Meters::new()),
        connections: TaskTracker::new(),
        background: TaskTracker::new(),
        ending,
    };
    let sockets = worker::bind("127.0.0.1:0".parse().unwrap(), threads).unwrap();
    let address = sockets[0].local_addr().unwrap();
    let workers = worker::start(threads, sockets, &serving).unwrap();
    Port { address, serving, workers, generations }
}

/// Callers whom nobody knows.
fn callers(config: &Config) -> Callers {
    let (_, settings) = watch::channel(Arc::new(identity::Settings::of(config)));
    Callers::new(Arc::new(Tokens::new(Keys::random())), settings, Clock::start()).0
}

impl Port {
    /// Waits until all that was served has ended.
    async fn ended(self) {
        let Serving { connections, background, .. } = self.serving;
        connections.close();
        connections.wait().await;
        background.close();
        background.wait().await;
        tokio::task::spawn_blocking(move || self.workers.join()).await.unwrap();
        drop(self.generations);
    }
}

/// Sends the head of a request, and the body without its end.
async fn begin(address: SocketAddr) -> TcpStream {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
         Expect: 100-continue\r\n\r\n",
        BODY.len()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    // The gateway asks for the body: the request is on its way.
    let mut told = Vec::new();
    while !told.ends_with(b"\r\n\r\n") {
        assert_ne!(socket.read_buf(&mut told).await.unwrap(), 0);
    }
    assert!(told.starts_with(b"HTTP/1.1 100"), "{}", String::from_utf8_lossy(&told));
    socket
}

async fn rest(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !matches!(socket.read_buf(&mut read).await, Ok(0) | Err(_)) {}
    String::from_utf8(read).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_runs_is_answered_after_the_stop() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    for threads in [Threads::PerCore, Threads::Shared] {
        let port = open(&gateway, threads);
        let mut socket = begin(port.address).await;
        port.serving.ending.stop.cancel();
        socket.write_all(BODY.as_bytes()).await.unwrap();
        let answer = rest(&mut socket).await;
        assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
        let address = port.address;
        port.ended().await;
        assert!(TcpStream::connect(address).await.is_err(), "{threads:?}: still accepts");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_abort_ends_what_does_not_finish() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    for threads in [Threads::PerCore, Threads::Shared] {
        let port = open(&gateway, threads);
        let mut sockets = Vec::new();
        for _ in 0..8 {
            sockets.push(begin(port.address).await);
        }
        port.serving.ending.stop.cancel();
        port.serving.ending.abort.cancel();
        tokio::time::timeout(Duration::from_secs(5), port.ended()).await.expect("all threads end");
        for socket in &mut sockets {
            assert_eq!(rest(socket).await, "", "{threads:?}");
        }
    }
    gateway.stop().await;
}
