//! The threads that serve the public port: which, how many, and how they share it.
//!
//! One thread a core, each with a runtime of its own: a connection and all its requests stay on the
//! thread that accepted it, so that cores do not hand work to each other. Each thread has a socket of
//! its own on the one port, and the kernel spreads connections over them by a hash of their addresses:
//! evenly when there are many, by luck when there are few.
//!
//! The first socket is bound the way any server binds, so that a port that somebody has is an error,
//! and only then is it opened to the others. Two gateways can never both pass the first step, and the
//! socket of the first holds the port from then on; only a program of the same user that asks for a
//! shared port could still come in.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::NonZero;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use socket2::{Domain, Socket, Type};
use tokio::runtime::Builder;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use crate::http::listener::{Door, Ending, Listener, Places};
use crate::http::public::{Front, Public};
use crate::upstream::Worker;

/// What waits in the kernel until it is accepted. The kernel takes less when its own bound is lower.
const BACKLOG: i32 = 1024;

/// Who serves the public port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Threads {
    /// A thread of its own for each core that this process may use.
    PerCore,
    /// The threads of the runtime that everything else runs on.
    Shared,
}

impl Threads {
    /// How many workers there are. All workers have numbers below it.
    pub fn workers(self) -> usize {
        match self {
            Threads::PerCore => thread::available_parallelism().map_or(1, NonZero::get),
            Threads::Shared => 1,
        }
    }
}

/// Binds a socket for each worker, all on one address. With port 0 the first decides which it is.
pub fn bind(address: SocketAddr, threads: Threads) -> io::Result<Vec<TcpListener>> {
    let first = socket(address)?;
    first.bind(&address.into())?;
    first.listen(BACKLOG)?;
    let mut sockets = vec![TcpListener::from(first)];
    let address = sockets[0].local_addr()?;
    for _ in 1..threads.workers() {
        let next = beside(&sockets[0], address).or_else(|error| {
            // One queue for all is slower to spread than one for each, and serves as well.
            tracing::debug!(%error, "workers share one socket");
            sockets[0].try_clone()
        })?;
        sockets.push(next);
    }
    Ok(sockets)
}

/// One more socket on the address of the first, with a queue of its own.
fn beside(first: &TcpListener, address: SocketAddr) -> io::Result<TcpListener> {
    socket2::SockRef::from(first).set_reuse_port(true)?;
    let socket = socket(address)?;
    socket.set_reuse_port(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    // A restart does not wait for connections that ended a minute ago.
    socket.set_reuse_address(true)?;
    Ok(socket)
}

/// What the workers serve, and how they are told to end.
#[derive(Debug)]
pub struct Serving {
    /// What answers.
    pub public: Public,
    /// Counts what must finish before the gateway has stopped.
    pub connections: TaskTracker,
    /// Where tasks of the shared runtime live.
    pub background: TaskTracker,
    /// When to end.
    pub ending: Ending,
}

/// The threads that serve. They end when they are told to by the `Ending` they were started with.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<JoinHandle<()>>,
}

/// Starts a worker on each socket. When this returns, all of them accept, or none.
pub fn start(threads: Threads, sockets: Vec<TcpListener>, serving: &Serving) -> io::Result<Workers> {
    let started = start_each(threads, sockets, serving);
    if started.is_err() {
        serving.ending.stop.cancel();
    }
    started
}

fn start_each(threads: Threads, sockets: Vec<TcpListener>, serving: &Serving) -> io::Result<Workers> {
    let places = Places::of_a_port();
    let mut workers = Workers { threads: Vec::new() };
    for (number, socket) in sockets.into_iter().enumerate() {
        let work = Work {
            front: serving.public.front(Worker(number)),
            socket,
            places: places.clone(),
            ending: serving.ending.child(),
        };
        match threads {
            Threads::PerCore => {
                let held = serving.connections.token();
                workers.threads.push(spawn(number, work, held)?);
            }
            Threads::Shared => {
                let (listener, front) = work.listener()?;
                let (stop, connections) = (serving.ending.stop.clone(), serving.connections.clone());
                serving.background.spawn(listener.run(connections, serving.ending.child()));
                serving.background.spawn(async move {
                    tokio::select! { () = stop.cancelled() => {} () = front.follow() => {} }
                });
            }
        }
    }
    Ok(workers)
}

impl Workers {
    /// Waits for the threads. Blocks, and for long when they were not told to end.
    pub fn join(self) {
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker ended by a bug");
            }
        }
    }
}

/// What a thread starts with.
struct Work {
    front: Front,
    socket: TcpListener,
    places: Places,
    ending: Ending,
}

impl Work {
    /// To be called on the runtime that will accept.
    fn listener(self) -> io::Result<(Listener, Front)> {
        let socket = tokio::net::TcpListener::from_std(self.socket)?;
        let door = Door::Public(self.front.clone());
        Ok((Listener::new("public", socket, door, self.places), self.front))
    }
}

/// Starts a thread and waits until it accepts or has failed. `held` goes when the thread is at its end.
fn spawn(number: usize, work: Work, held: TaskTrackerToken) -> io::Result<JoinHandle<()>> {
    let (ready, started) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name(format!("worker-{number}")).spawn(move || {
        let _held = held;
        let runtime = match Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => {
                let _ = ready.send(Err(error));
                return;
            }
        };
        // What the runtime still holds at the end, connections to services among it, goes with it.
        runtime.block_on(serve(work, &ready));
        // Not waiting for what blocks, such as a name that is looked up.
        runtime.shutdown_background();
    })?;
    started.recv().unwrap_or_else(|_| Err(io::Error::other("a worker ended by a bug")))?;
    Ok(thread)
}

async fn serve(work: Work, ready: &mpsc::SyncSender<io::Result<()>>) {
    let ending = work.ending.clone();
    let (listener, front) = match work.listener() {
        Ok(made) => made,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let _ = ready.send(Ok(()));
    let connections = TaskTracker::new();
    let follow = async {
        front.follow().await;
        std::future::pending().await
    };
    tokio::select! {
        () = listener.run(connections.clone(), ending) => {}
        () = follow => {}
    }
    connections.close();
    connections.wait().await;
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANY: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

    #[test]
    fn workers_share_the_port_that_the_first_was_given() {
        let sockets = bind(ANY, Threads::PerCore).unwrap();
        assert_eq!(sockets.len(), Threads::PerCore.workers());
        let ports: Vec<u16> = sockets.iter().map(|socket| socket.local_addr().unwrap().port()).collect();
        assert!(ports[0] != 0 && ports.iter().all(|port| *port == ports[0]), "{ports:?}");
    }

    #[test]
    fn a_port_that_another_gateway_has_is_an_error() {
        let first = bind(ANY, Threads::PerCore).unwrap();
        // With a second socket in any case, however few cores this machine has.
        let address = first[0].local_addr().unwrap();
        let _second = beside(&first[0], address).unwrap();
        for threads in [Threads::PerCore, Threads::Shared] {
            assert_eq!(bind(address, threads).unwrap_err().kind(), io::ErrorKind::AddrInUse);
        }
        drop((first, _second));
        bind(address, Threads::PerCore).unwrap();
    }

    #[test]
    fn every_socket_of_a_port_gets_its_part() {
        let first = bind(ANY, Threads::Shared).unwrap().remove(0);
        let address = first.local_addr().unwrap();
        let second = beside(&first, address).unwrap();
        let clients: Vec<_> = (0..64).map(|_| std::net::TcpStream::connect(address).unwrap()).collect();
        let taken = |socket: &TcpListener| std::iter::from_fn(|| socket.accept().ok()).count();
        let (mut here, mut there) = (0, 0);
        for _ in 0..1_000_000 {
            (here, there) = (here + taken(&first), there + taken(&second));
            if here + there == clients.len() {
                break;
            }
            thread::yield_now();
        }
        assert_eq!(here + there, clients.len());
        assert!(here > 0 && there > 0, "{here} and {there}");
    }
}
