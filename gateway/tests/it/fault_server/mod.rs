//! A server of gRPC that misbehaves in one way, over real TCP on a free port of this machine.
//!
//! It counts what reaches it, so that a test can tell what a gateway did from what it said: connections, calls
//! begun, calls in flight, calls that their caller gave up. It lives on the runtime of its test and ends with
//! its value. It knows nothing of gateways; its own tests speak to it with plain HTTP/2.

mod fault;
mod graph;
mod message;
mod polite;
mod raw;
mod script;
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

pub(crate) use fault::{Answer, Fault, Frames, Socket};
pub(crate) use graph::descriptors;
pub(crate) use script::{EVIL, SLOW};

/// A running server. Dropping it ends its connections.
pub(crate) struct Server {
    address: SocketAddr,
    fault: watch::Sender<Fault>,
    counters: Arc<Counters>,
    running: JoinHandle<()>,
}

/// What reached a server since it started.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    connections: AtomicUsize,
    started: AtomicUsize,
    in_flight: AtomicUsize,
    resets: AtomicUsize,
}

impl Server {
    pub(crate) fn start(fault: Fault) -> Server {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
        let address = socket.local_addr().unwrap();
        let door = match fault {
            Fault::Socket(Socket::Refused) => Door::Shut(socket),
            Fault::Socket(_) | Fault::Frames(_) | Fault::Answer(_) => Door::Open(listen(socket)),
        };
        let (fault, current) = watch::channel(fault);
        let counters = Arc::<Counters>::default();
        let running = tokio::spawn(run(door, current, counters.clone()));
        Server { address, fault, counters, running }
    }

    /// As an instance registers it.
    pub(crate) fn url(&self) -> String {
        let scheme = if self.fault() == Fault::Socket(Socket::PlainToTls) { "grpcs" } else { "grpc" };
        format!("{scheme}://{}", self.address)
    }

    pub(crate) fn fault(&self) -> Fault {
        *self.fault.borrow()
    }

    /// Answers in another way from the next call on, over old and new connections alike. Who refused until now
    /// begins to listen.
    pub(crate) fn turn(&self, answer: Answer) {
        let before = self.fault.send_replace(Fault::Answer(answer));
        let can_turn = matches!(before, Fault::Answer(_) | Fault::Socket(Socket::Refused));
        assert!(can_turn, "connections of {before:?} do not speak HTTP/2");
    }

    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.running.abort();
    }
}

impl Counters {
    /// Connections that were accepted. Nobody can count those that were refused.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    /// Calls whose headers came.
    pub(crate) fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    /// Calls that have begun, and have neither been answered to the end nor been given up.
    pub(crate) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Calls whose caller went away, by a reset or with its connection.
    pub(crate) fn resets(&self) -> usize {
        self.resets.load(Ordering::SeqCst)
    }
}

/// A call in flight. Given up, unless somebody says that it is done.
struct InFlight {
    counters: Arc<Counters>,
    nth: usize,
    given_up: usize,
}

impl InFlight {
    fn begin(counters: &Arc<Counters>) -> InFlight {
        let nth = counters.started.fetch_add(1, Ordering::SeqCst);
        counters.in_flight.fetch_add(1, Ordering::SeqCst);
        InFlight { counters: counters.clone(), nth, given_up: 1 }
    }

    fn done(mut self) {
        self.given_up = 0;
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.counters.resets.fetch_add(self.given_up, Ordering::SeqCst);
        self.counters.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A port of this machine.
enum Door {
    /// A bound port on which nobody listens refuses, and stays taken.
    Shut(TcpSocket),
    Open(TcpListener),
}

fn listen(socket: TcpSocket) -> TcpListener {
    socket.listen(1024).unwrap()
}

async fn run(door: Door, mut fault: watch::Receiver<Fault>, counters: Arc<Counters>) {
    let listener = match door {
        Door::Open(listener) => listener,
        Door::Shut(socket) => {
            if fault.wait_for(|fault| *fault != Fault::Socket(Socket::Refused)).await.is_err() {
                return;
            }
            listen(socket)
        }
    };
    let mut connections = JoinSet::new();
    while let Ok(stream) = accept(&listener).await {
        counters.connections.fetch_add(1, Ordering::SeqCst);
        connections.spawn(serve(stream, fault.clone(), counters.clone()));
        while connections.try_join_next().is_some() {}
    }
}

async fn accept(listener: &TcpListener) -> std::io::Result<TcpStream> {
    let (stream, _) = listener.accept().await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn serve(stream: TcpStream, fault: watch::Receiver<Fault>, counters: Arc<Counters>) {
    let current = *fault.borrow();
    // An error is an end that the other side has chosen.
    let _ = match current {
        Fault::Socket(Socket::PlainToTls) | Fault::Answer(_) => polite::serve(stream, fault, &counters).await,
        Fault::Socket(fault) => raw::socket(stream, fault).await,
        Fault::Frames(fault) => raw::frames(stream, fault, &counters).await,
    };
}
