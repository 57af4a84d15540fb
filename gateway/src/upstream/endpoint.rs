//! One address of one instance: its connections, what it is doing, and how it has been doing.
//!
//! All workers share what is known of it; connections each has of its own, because they belong to the
//! runtime that opened them. Reading for a choice takes no lock. It decides nothing: the pool does.

use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use turnout_control::id::InstanceId;

use super::balance::{Burden, Latency};
use super::breaker::{Breaker, Circuit, Mark, Moment, Wish};
use super::connection::{Connection, Settings, Target};
use super::slot::Slot;
use super::{Failure, Worker};

/// What makes an endpoint the same as before.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Identity {
    /// The instance.
    pub(super) instance: InstanceId,
    /// Which process of it.
    pub(super) incarnation: u64,
    /// Where.
    pub(super) url: String,
}

/// What opening a connection takes.
#[derive(Clone, Debug)]
pub(super) struct Opening {
    /// What holds for every connection.
    pub(super) settings: Settings,
    /// Where connections are driven.
    pub(super) tasks: TaskTracker,
}

/// An address that can be called.
#[derive(Debug)]
pub(super) struct Endpoint {
    identity: Identity,
    target: Arc<Target>,
    slots: Box<[Arc<Slot<Arc<Connection>>>]>,
    weight: AtomicU32,
    in_flight: AtomicU32,
    /// `Latency`, for readers without the lock of `health`: bits of the seconds, and nanoseconds.
    latency: (AtomicU64, AtomicU64),
    /// `Circuit`, likewise.
    circuit: AtomicU8,
    health: Mutex<Health>,
}

#[derive(Debug)]
struct Health {
    breaker: Breaker,
    latency: Latency,
}

impl Endpoint {
    /// One that nothing is known of yet, with a place for a connection of each worker.
    pub(super) fn new(identity: Identity, target: Target, workers: usize) -> Endpoint {
        Endpoint {
            identity,
            target: Arc::new(target),
            slots: (0..workers.max(1)).map(|_| Slot::new()).collect(),
            weight: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            latency: (AtomicU64::new(0), AtomicU64::new(0)),
            circuit: AtomicU8::new(code(Circuit::Closed)),
            health: Mutex::new(Health { breaker: Breaker::new(), latency: Latency::default() }),
        }
    }

    /// Which one it is.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Where it is.
    pub(super) fn target(&self) -> &Target {
        &self.target
    }

    /// Its share of the calls.
    pub(super) fn weigh(&self, weight: u32) {
        self.weight.store(weight, Ordering::Relaxed);
    }

    /// The worker's connection, and since when there is one if it had to be opened first. Ends at `until` at
    /// the latest.
    pub(super) async fn connect(
        &self,
        worker: Worker,
        opening: &Opening,
        until: Instant,
    ) -> Result<(Arc<Connection>, Option<Instant>), Failure> {
        let slot = self.slot(worker);
        let usable = |connection: &Arc<Connection>| connection.is_usable();
        if let Some(connection) = slot.ready(usable) {
            return Ok((connection, None));
        }
        let open = || {
            let (target, opening) = (self.target.clone(), opening.clone());
            async move { Connection::open(&target, &opening.settings, &opening.tasks).await.map(Arc::new) }
        };
        let connection = slot.get(usable, open, &opening.tasks, until).await?;
        Ok((connection, Some(Instant::now())))
    }

    fn slot(&self, worker: Worker) -> &Arc<Slot<Arc<Connection>>> {
        // A number that nobody promised still finds a place; the modulus is the number itself otherwise.
        &self.slots[worker.0 % self.slots.len()]
    }

    /// How it stands for a choice.
    pub(super) fn burden(&self, now: Duration) -> Burden {
        Burden {
            in_flight: self.in_flight(),
            weight: self.weight.load(Ordering::Relaxed),
            latency_s: self.latency().now(now),
        }
    }

    /// Calls that it has.
    pub(super) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// How long it takes, of late.
    pub(super) fn latency(&self) -> Latency {
        Latency {
            seconds: f64::from_bits(self.latency.0.load(Ordering::Relaxed)),
            at: Duration::from_nanos(self.latency.1.load(Ordering::Relaxed)),
        }
    }

    /// Whether it gets calls.
    pub(super) fn circuit(&self) -> Circuit {
        match self.circuit.load(Ordering::Relaxed) {
            0 => Circuit::Closed,
            1 => Circuit::Open,
            _ => Circuit::Probing,
        }
    }

    /// Notes how a call went that was no probe, and how long it took when that says something.
    pub(super) fn record(&self, mark: Mark, took: Option<Duration>, times: (Duration, Duration)) -> Wish {
        let (begun, now) = times;
        let mut health = self.health();
        if let Some(took) = took {
            self.learn(&mut health, took, now);
        }
        let wish = health.breaker.record(mark, begun, now);
        self.show(&health);
        wish
    }

    /// Opens its breaker.
    pub(super) fn eject(&self, moment: Moment) {
        let mut health = self.health();
        health.breaker.open(moment);
        self.show(&health);
    }

    /// Makes the caller's call its probe, when it is time for one.
    pub(super) fn try_probe(&self, now: Duration, calls: u64) -> bool {
        let mut health = self.health();
        let probes = health.breaker.try_probe(now, calls);
        self.show(&health);
        probes
    }

    /// Notes how its probe went.
    pub(super) fn probed(&self, mark: Mark, moment: Moment) -> Wish {
        let mut health = self.health();
        let wish = health.breaker.probed(mark, moment);
        self.show(&health);
        wish
    }

    fn learn(&self, health: &mut Health, took: Duration, now: Duration) {
        health.latency = health.latency.observe(took, now);
        self.latency.0.store(health.latency.seconds.to_bits(), Ordering::Relaxed);
        self.latency.1.store(health.latency.at.as_nanos() as u64, Ordering::Relaxed);
    }

    fn show(&self, health: &Health) {
        self.circuit.store(code(health.breaker.circuit()), Ordering::Relaxed);
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn code(circuit: Circuit) -> u8 {
    match circuit {
        Circuit::Closed => 0,
        Circuit::Open => 1,
        Circuit::Probing => 2,
    }
}

/// A call that an endpoint has. Dropped when the call ends, however it ends.
#[derive(Debug)]
pub(super) struct Busy(Arc<Endpoint>);

impl Busy {
    /// One more call.
    pub(super) fn new(endpoint: Arc<Endpoint>) -> Busy {
        endpoint.in_flight.fetch_add(1, Ordering::Relaxed);
        Busy(endpoint)
    }

    /// Who has it.
    pub(super) fn endpoint(&self) -> &Arc<Endpoint> {
        &self.0
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}
