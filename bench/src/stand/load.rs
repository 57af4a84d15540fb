//! Asks one question over and over, in one of two ways.
//!
//! *Closed loop*: every connection sends its next request when the last was answered. That finds out
//! how much a contender can do. *Open rate*: requests are due at fixed times whether or not earlier
//! ones were answered, and latency counts from the time a request was due, so that a slow answer
//! cannot hide the wait of those behind it. That finds out how long a caller waits.
//!
//! Whom it asks is a line: a contender by HTTP, or the upstream itself by gRPC.
//! Every answer is compared with the verified one, byte for byte. All requests that were begun are
//! finished before a load returns, so that counts of both sides agree.

use std::cell::{Cell, RefCell};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::client::Connection;
use super::direct::Caller;
use super::tally::Tally;

/// A rendered request and the bytes that must come back.
#[derive(Debug, Clone)]
pub struct Round {
    /// Head and body, ready to be sent; of a gRPC call the framed message.
    pub request: Vec<u8>,
    /// The body that the contender gave when it was verified.
    pub answer: Vec<u8>,
}

/// An open connection and what is spoken on it.
#[derive(Debug)]
pub enum Line {
    /// HTTP/1.1 with a contender.
    Http(Connection),
    /// gRPC with the upstream.
    Grpc(Caller),
}

impl Line {
    /// Sends one request; says whether the answer was the verified one.
    async fn ask(&mut self, round: &Round) -> Result<bool, String> {
        match self {
            Self::Http(connection) => {
                let reply = connection.ask(&round.request).await.map_err(|error| error.to_string())?;
                Ok(reply.status == 200 && reply.body == round.answer)
            }
            Self::Grpc(caller) => {
                let request = Bytes::copy_from_slice(&round.request);
                let answer = caller.call(request).await.map_err(|error| error.to_string())?;
                Ok(answer == round.answer)
            }
        }
    }
}

/// How requests follow each other.
#[derive(Debug, Clone, Copy)]
pub enum Pace {
    /// The next when the last was answered.
    Closed,
    /// So many a second.
    Open(NonZeroU64),
}

/// Loads for a while. A connection that fails is counted and not used again.
pub async fn play(lines: &mut [Line], rounds: &[Round], pace: Pace, length: Duration) -> Tally {
    match pace {
        Pace::Closed => closed(lines, rounds, length).await,
        Pace::Open(rate) => open(lines, rounds, rate, length).await,
    }
}

async fn closed(lines: &mut [Line], rounds: &[Round], length: Duration) -> Tally {
    let tally = RefCell::new(Tally::new());
    let end = Instant::now() + length;
    join_all(lines.iter_mut().enumerate().map(async |(first, line)| {
        for round in rounds.iter().cycle().skip(first % rounds.len()) {
            let begin = Instant::now();
            if begin >= end || !ask(line, round, begin, &tally).await {
                return;
            }
        }
    }))
    .await;
    tally.into_inner()
}

async fn open(lines: &mut [Line], rounds: &[Round], rate: NonZeroU64, length: Duration) -> Tally {
    let tally = RefCell::new(Tally::new());
    let period = Duration::from_secs(1) / u32::try_from(rate.get()).unwrap_or(u32::MAX);
    let total = u32::try_from(length.as_nanos() / period.as_nanos().max(1)).unwrap_or(u32::MAX);
    let due = Arc::new(Semaphore::new(0));
    let start = Instant::now();
    let pacer = Pacer { due: Arc::clone(&due), start, period, total, waiting: lines.len() };
    let pacing = thread::spawn(move || pacer.run());

    let next = Cell::new(0_u32);
    join_all(lines.iter_mut().map(async |line| {
        while let Ok(permit) = due.acquire().await {
            permit.forget();
            let number = next.replace(next.get().saturating_add(1));
            let round = &rounds[number as usize % rounds.len()];
            if number >= total || !ask(line, round, start + period * number, &tally).await {
                return;
            }
        }
    }))
    .await;
    let mut tally = tally.into_inner();
    if pacing.join().is_err() {
        tally.fail(&"the pacer ended early");
    }
    tally
}

/// Sends one request; false when the connection is of no further use.
async fn ask(line: &mut Line, round: &Round, since: Instant, tally: &RefCell<Tally>) -> bool {
    match line.ask(round).await {
        Ok(right) => {
            let mut tally = tally.borrow_mut();
            tally.answered(since.elapsed());
            tally.wrong += u64::from(!right);
            true
        }
        Err(error) => {
            tally.borrow_mut().fail(&error);
            false
        }
    }
}

/// Says when requests are due. It runs on a thread of its own and sleeps there, because the timers of
/// the runtime are exact to a millisecond only.
struct Pacer {
    due: Arc<Semaphore>,
    start: Instant,
    period: Duration,
    total: u32,
    /// How many connections must be told at the end that nothing more comes.
    waiting: usize,
}

impl Pacer {
    fn run(self) {
        // The kernel may delay a wake-up by the slack, 50 µs if nothing is said. Where it cannot be
        // set, latencies read that much higher for all contenders alike.
        let _set = rustix::thread::set_current_timer_slack(NonZeroU64::new(1));
        for number in 0..self.total {
            let at = self.start + self.period * number;
            thread::sleep(at.saturating_duration_since(Instant::now()));
            self.due.add_permits(1);
        }
        self.due.add_permits(self.waiting);
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;
    use tokio::task::JoinSet;

    use super::super::client::{Body, render};
    use super::*;

    /// A server that answers every request of one packet with "ok".
    async fn server(tasks: &mut JoinSet<()>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                connections.spawn(async move {
                    let mut request = [0; 1024];
                    while stream.read(&mut request).await.is_ok_and(|length| length > 0) {
                        let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
                        if stream.write_all(answer).await.is_err() {
                            return;
                        }
                    }
                });
            }
        });
        address
    }

    async fn connections(address: SocketAddr, count: usize) -> Vec<Line> {
        let mut open = Vec::new();
        for _ in 0..count {
            open.push(Line::Http(Connection::open(address).await.unwrap()));
        }
        open
    }

    fn round(address: SocketAddr, answer: &str) -> Round {
        Round { request: render("POST", "/", address, Body::Json(b"{}")), answer: answer.as_bytes().to_vec() }
    }

    #[tokio::test]
    async fn a_wrong_answer_is_counted_as_answered_and_as_wrong() {
        let mut tasks = JoinSet::new();
        let address = server(&mut tasks).await;
        let rounds = [round(address, "ok"), round(address, "other")];
        let mut open = connections(address, 1).await;
        let length = Duration::from_millis(50);
        let tally = play(&mut open, &rounds, Pace::Closed, length).await;
        assert!(tally.requests() > 1);
        assert_eq!(tally.wrong, tally.requests() / 2);
        assert_eq!(tally.failed, 0);
    }

    #[tokio::test]
    async fn an_open_rate_sends_exactly_what_is_due() {
        let mut tasks = JoinSet::new();
        let address = server(&mut tasks).await;
        let rounds = [round(address, "ok")];
        let mut open = connections(address, 4).await;
        let pace = Pace::Open(NonZeroU64::new(500).unwrap());
        let tally = play(&mut open, &rounds, pace, Duration::from_millis(100)).await;
        assert_eq!((tally.requests(), tally.wrong, tally.failed), (50, 0, 0));
    }

    #[tokio::test]
    async fn a_server_that_goes_away_fails_each_connection_once() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut open = connections(address, 3).await;
        drop(listener);
        let rounds = [round(address, "ok")];
        let tally = play(&mut open, &rounds, Pace::Closed, Duration::from_secs(5)).await;
        assert_eq!((tally.requests(), tally.failed), (0, 3));
        assert!(tally.first_failure.is_some());
    }
}
