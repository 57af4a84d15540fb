//! The instances of one version: which of them takes a call, and what happens when it does not answer.
//!
//! A call passes the gate, is given to an instance, needs a connection of its worker to it, and is sent;
//! how that went is noted, and perhaps it is tried a second time. All of it ends at the call's deadline.
//! A call that is dropped half-way leaves nothing behind. What is decided is decided in `roster`,
//! `breaker`, `retry` and `concurrency`; here the facts are gathered and the decisions performed.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;
use tonic::Code;
use turnout_control::id::{ServiceName, Version};
use turnout_control::registry::Registered;
use turnout_schema::graph::Safety;

use super::balance::Dice;
use super::breaker::{Circuit, Mark, Moment, Wish};
use super::concurrency::End;
use super::connection::Connection;
use super::endpoint::{Busy, Endpoint, Opening};
use super::exchange::{self, Attempt, Events, Reach};
use super::gate::{Gate, Permit, Refusal};
use super::retry::{Budget, Patience, Retry, blame, decide};
use super::roster::{Equipment, Role, Roster, Search};
use super::slot::late;
use super::stats::{EndpointStats, PoolStats};
use super::{Failure, Origin, Outgoing, Worker};

/// A call is made this often at most.
const ATTEMPTS_MAX: u32 = 2;

/// A call that may happen only once probes a broken instance this much later than others would.
const PROBE_RELUCTANCE: Duration = Duration::from_secs(2);

/// In the place of a time when there is none.
const NOBODY: i64 = i64::MAX;

/// What all pools of a fleet have in common.
#[derive(Clone, Debug)]
pub(super) struct Common {
    /// How connections are opened.
    pub(super) opening: Opening,
    /// What endpoints are made with.
    pub(super) equipment: Equipment,
    /// How long an instance may take before a deadline that is not its own counts against it.
    pub(super) patience: Duration,
    /// What chance begins with.
    pub(super) seed: u64,
    /// What times are measured from.
    pub(super) epoch: Instant,
}

/// The instances of one version of a service. Shared by all workers; its instances change while it is used.
#[derive(Debug)]
pub struct Pool {
    service: ServiceName,
    version: Version,
    common: Common,
    roster: RwLock<Arc<Roster>>,
    gate: Gate,
    calls: AtomicU64,
    retries: AtomicU64,
    budget: Mutex<Budget>,
    /// How many of those who take calls have a breaker that is not closed.
    out: AtomicUsize,
    /// The longest that one call may take, in milliseconds; 0 when the operator said nothing.
    timeout_ms: AtomicU64,
    /// When the oldest instance that is up was registered, as in `Roster::born_ms`; `NOBODY` when none is.
    born_ms: AtomicI64,
    /// Held while a breaker opens or the roster changes, so that never too many are open.
    turning: Mutex<()>,
}

/// An attempt that was made.
#[derive(Debug)]
struct Tried<T> {
    result: Result<T, Attempt>,
    /// When it was sent, when that was later than when it was begun: a connection had to be opened.
    sent: Option<Instant>,
    link: Link,
}

/// What became of the connection of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    /// It can be used again, or there never was one.
    Kept,
    /// It ended.
    Gone,
}

impl<T> Tried<T> {
    /// An attempt over a new connection when it has the time when it was sent, and over a used one otherwise.
    fn over(connection: &Connection, sent: Option<Instant>, result: Result<T, Attempt>) -> Tried<T> {
        // Asked only where it decides something: asking takes the locks of the connection.
        let kept = result.is_ok() || connection.is_usable();
        Tried { result, sent, link: if kept { Link::Kept } else { Link::Gone } }
    }

    fn unsent(failure: Failure) -> Tried<T> {
        let attempt = Attempt { failure, reach: Reach::Unseen, pushback: None };
        Tried { result: Err(attempt), sent: None, link: Link::Kept }
    }

    /// Whether it met a connection that the service had closed meanwhile: nobody's fault, and a new one will
    /// do. One that ends as soon as it is open is another matter.
    fn is_stale(&self) -> bool {
        let unseen = self.result.as_ref().is_err_and(|attempt| attempt.reach == Reach::Unseen);
        unseen && self.sent.is_none() && self.link == Link::Gone
    }
}

/// What is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// One answer.
    Unary,
    /// Many: they take a place at the instance and not at the gate, because they stay for long, and how
    /// long the first takes says nothing.
    Stream,
}

/// A stream. Its instance knows that it has it until it is dropped.
#[derive(Debug)]
pub struct Stream {
    events: Events,
    _busy: Busy,
}

impl Stream {
    /// The next message; `None` after a good end.
    pub async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        self.events.next().await
    }
}

impl Pool {
    pub(super) fn new(service: ServiceName, version: Version, common: Common) -> Pool {
        let now = Instant::now().saturating_duration_since(common.epoch);
        Pool {
            service,
            version,
            common,
            roster: RwLock::default(),
            gate: Gate::new(now),
            calls: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            budget: Mutex::new(Budget::new(now)),
            out: AtomicUsize::new(0),
            timeout_ms: AtomicU64::new(0),
            born_ms: AtomicI64::new(NOBODY),
            turning: Mutex::new(()),
        }
    }

    /// Calls an instance, and another one where that is allowed and may help.
    pub async fn call(&self, worker: Worker, outgoing: &Outgoing<'_>) -> Result<Bytes, Failure> {
        let opening = &self.common.opening;
        let attempt = |endpoint: Arc<Endpoint>, until: Instant| async move {
            let (connection, sent) = match endpoint.connect(worker, opening, until).await {
                Ok(connected) => connected,
                Err(failure) => return Tried::unsent(failure),
            };
            let bounded = Outgoing { deadline: until, timeout: None, ..outgoing.clone() };
            let result = exchange::unary(&connection, endpoint.target(), &opening.settings, &bounded).await;
            Tried::over(&connection, sent, result)
        };
        self.run(Kind::Unary, outgoing, attempt).await.map(|(answer, _)| answer)
    }

    /// Opens a stream of one instance.
    pub async fn open(&self, worker: Worker, outgoing: &Outgoing<'_>) -> Result<Stream, Failure> {
        let opening = &self.common.opening;
        let attempt = |endpoint: Arc<Endpoint>, until: Instant| async move {
            let (connection, sent) = match endpoint.connect(worker, opening, until).await {
                Ok(connected) => connected,
                Err(failure) => return Tried::unsent(failure),
            };
            let bounded = Outgoing { deadline: until, timeout: None, ..outgoing.clone() };
            let result = exchange::open(&connection, endpoint.target(), &opening.settings, &bounded).await;
            Tried::over(&connection, sent, result)
        };
        let (events, busy) = self.run(Kind::Stream, outgoing, attempt).await?;
        Ok(Stream { events, _busy: busy })
    }

    /// The longest that one call may take, when the operator said so.
    pub fn timeout(&self) -> Option<Duration> {
        let timeout = self.timeout_ms.load(Ordering::Relaxed);
        (timeout > 0).then(|| Duration::from_millis(timeout))
    }

    /// How long an instance may take before not having answered is its failure, and not the caller's hurry.
    pub(crate) fn patience(&self) -> Duration {
        patience(self.timeout(), &self.common)
    }

    /// How long the oldest instance that is up has been registered; `None` when none is up.
    pub(crate) fn age(&self) -> Option<Duration> {
        let born_ms = self.born_ms.load(Ordering::Relaxed);
        if born_ms == NOBODY {
            return None;
        }
        let now_ms = i64::try_from(self.common.equipment.clock.age().as_millis()).unwrap_or(i64::MAX);
        let age_ms = now_ms.saturating_sub(born_ms);
        Some(Duration::from_millis(u64::try_from(age_ms).unwrap_or_default()))
    }

    pub(super) fn limit(&self, timeout: Option<Duration>) {
        let timeout = timeout.map_or(0, |timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX));
        self.timeout_ms.store(timeout, Ordering::Relaxed);
    }

    /// How it is doing.
    pub fn stats(&self) -> PoolStats {
        let roster = self.roster().clone();
        let now = self.now();
        PoolStats {
            limit: self.gate.limit(),
            in_flight: self.gate.in_flight(),
            waiting: self.gate.waiting(),
            calls: self.calls.load(Ordering::Relaxed),
            retries: self.retries.load(Ordering::Relaxed),
            sheds: self.gate.refused(),
            endpoints: roster.members().iter().map(|member| EndpointStats::of(member, now)).collect(),
        }
    }

    /// Takes up who is registered now.
    pub(super) fn apply(&self, registered: &[&Registered]) {
        let _turning = self.turning();
        let next = Arc::new(self.roster().next(registered, &self.common.equipment));
        self.out.store(next.out(), Ordering::Relaxed);
        self.born_ms.store(next.born_ms().unwrap_or(NOBODY), Ordering::Relaxed);
        *self.roster.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    /// Whether nobody is registered.
    pub(crate) fn is_empty(&self) -> bool {
        self.roster().members().is_empty()
    }

    /// Makes a call by `attempt`, which is given whom to call and until when.
    async fn run<T, F>(
        &self,
        kind: Kind,
        outgoing: &Outgoing<'_>,
        attempt: impl Fn(Arc<Endpoint>, Instant) -> F,
    ) -> Result<(T, Busy), Failure>
    where
        F: Future<Output = Tried<T>>,
    {
        let begun = Instant::now();
        let own = outgoing.timeout.and_then(|timeout| begun.checked_add(timeout));
        let until = own.map_or(outgoing.deadline, |own| own.min(outgoing.deadline));
        if begun >= until {
            return Err(late());
        }
        let mut call = Call {
            pool: self,
            number: self.calls.fetch_add(1, Ordering::Relaxed),
            safety: outgoing.safety,
            patience: patience(outgoing.timeout, &self.common),
            attempts: 0,
            avoid: None,
        };
        let mut before = None;
        loop {
            let entered = match self.enter(kind, until).await {
                Ok(entered) => entered,
                // What the service said says more than that it could not be asked again.
                Err(failure) => return Err(before.unwrap_or(failure)),
            };
            let began = if entered.waited || call.attempts > 0 { Instant::now() } else { begun };
            let Some((busy, role)) = call.choose(self.since(began)) else {
                return Err(before.unwrap_or_else(|| self.nobody()));
            };
            let trial = Trial::new(&call, &busy, (role, kind), self.since(began));
            let tried = attempt(busy.endpoint().clone(), until).await;
            let ended = Instant::now();
            let took = ended.saturating_duration_since(tried.sent.unwrap_or(began));
            let stale = tried.is_stale();
            let failed = match tried.result {
                Ok(answer) => {
                    trial.answered(took, self.since(ended));
                    return Ok((answer, busy));
                }
                Err(failed) => failed,
            };
            if stale {
                trial.settle(Mark::Nothing, None, self.since(ended));
            } else {
                trial.failed(&failed.failure, took, self.since(ended));
                call.avoid = Some(busy.endpoint().clone());
            }
            drop((entered, busy));
            let Some(wait) = call.again(&failed, until) else { return Err(failed.failure) };
            before = Some(failed.failure);
            if !wait.is_zero() {
                tokio::time::sleep(wait).await;
            }
        }
    }

    async fn enter(&self, kind: Kind, until: Instant) -> Result<Entered<'_>, Failure> {
        if kind == Kind::Stream {
            return Ok(Entered { permit: None, waited: false });
        }
        if let Some(permit) = self.gate.try_enter() {
            return Ok(Entered { permit: Some(permit), waited: false });
        }
        // Where nobody is, nobody needs to wait.
        if self.roster().takers().is_empty() {
            return Err(self.nobody());
        }
        match self.gate.enter(until).await {
            Ok(permit) => Ok(Entered { permit: Some(permit), waited: true }),
            Err(Refusal::Late) => Err(late()),
            Err(Refusal::Full) => Err(self.failure(
                Code::ResourceExhausted,
                Origin::Overload,
                "has more calls on their way than it can take",
            )),
        }
    }

    fn nobody(&self) -> Failure {
        self.failure(Code::Unavailable, Origin::Nobody, "has no instance that takes calls")
    }

    fn failure(&self, code: Code, origin: Origin, what: &str) -> Failure {
        let message = format!("{} {} {what}", self.service, self.version);
        Failure { code, message, details: Bytes::new(), origin }
    }

    /// Notes how a call went, and opens or closes what has to be.
    fn note(&self, trial: &Trial<'_>, mark: Mark, took: Option<Duration>, now: Duration) {
        let endpoint = trial.busy.endpoint();
        let wish = match trial.role {
            Role::Usual => endpoint.record(mark, took, (trial.begun, now)),
            Role::Probe => endpoint.probed(mark, self.moment(now)),
        };
        match wish {
            Wish::Stay => {}
            Wish::Open => self.eject(endpoint, now),
            Wish::Closed => {
                let _turning = self.turning();
                self.out.store(self.roster().out(), Ordering::Relaxed);
            }
        }
    }

    /// Opens an endpoint's breaker, unless half of them are open: somebody has to take the calls.
    fn eject(&self, endpoint: &Arc<Endpoint>, now: Duration) {
        let _turning = self.turning();
        let roster = self.roster().clone();
        let takes = roster.takers().iter().any(|taker| Arc::ptr_eq(taker, endpoint));
        let out = roster.out() + 1;
        if takes && endpoint.circuit() == Circuit::Closed && out * 2 <= roster.takers().len() {
            endpoint.eject(self.moment(now));
            self.out.store(out, Ordering::Relaxed);
        }
    }

    fn moment(&self, now: Duration) -> Moment {
        let calls = self.calls.load(Ordering::Relaxed);
        Moment { now, calls, jitter: self.dice(calls ^ now.as_nanos() as u64).unit() }
    }

    fn dice(&self, number: u64) -> Dice {
        Dice::new(self.common.seed ^ number)
    }

    fn now(&self) -> Duration {
        self.since(Instant::now())
    }

    fn since(&self, moment: Instant) -> Duration {
        moment.saturating_duration_since(self.common.epoch)
    }

    fn roster(&self) -> RwLockReadGuard<'_, Arc<Roster>> {
        self.roster.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn turning(&self) -> MutexGuard<'_, ()> {
        self.turning.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Nine tenths of what it was given: it is late a little before the deadline.
fn patience(timeout: Option<Duration>, common: &Common) -> Duration {
    timeout.unwrap_or(common.patience).mul_f64(0.9)
}

/// Past the gate.
struct Entered<'a> {
    #[expect(dead_code, reason = "held until it is dropped")]
    permit: Option<Permit<'a>>,
    waited: bool,
}

/// One call through all its attempts.
struct Call<'a> {
    pool: &'a Pool,
    number: u64,
    safety: Safety,
    /// What an attempt must have had before its lateness counts against the instance.
    patience: Duration,
    attempts: u32,
    avoid: Option<Arc<Endpoint>>,
}

impl<'a> Call<'a> {
    /// Finds somebody for the next attempt.
    fn choose(&mut self, now: Duration) -> Option<(Busy, Role)> {
        let pool = self.pool;
        self.attempts += 1;
        let dice = pool.dice((self.number << 1) | u64::from(self.attempts > 1));
        let roster = pool.roster();
        let (endpoint, role) = if self.avoid.is_none() && pool.out.load(Ordering::Relaxed) == 0 {
            (roster.pick(now, dice)?, Role::Usual)
        } else {
            let reluctance = match self.safety {
                Safety::ReadOnly | Safety::Idempotent => Duration::ZERO,
                Safety::Once => PROBE_RELUCTANCE,
            };
            // A retry is no probe: it has failed once already.
            let probe_at = self.avoid.is_none().then(|| now.saturating_sub(reluctance));
            roster.search(Search { now, calls: self.number, dice, avoid: self.avoid.as_ref(), probe_at })?
        };
        Some((Busy::new(endpoint.clone()), role))
    }

    /// After which time to try again; `None`: not at all.
    fn again(&self, failed: &Attempt, until: Instant) -> Option<Duration> {
        if self.attempts >= ATTEMPTS_MAX {
            return None;
        }
        let pool = self.pool;
        let wait = match decide(failed, self.safety, pool.dice(!self.number).unit()) {
            Retry::Never => return None,
            Retry::After(wait) => wait,
            // Nobody to avoid: a connection was stale, and the next one is new.
            Retry::Elsewhere(_) if self.avoid.is_none() => Duration::ZERO,
            Retry::Elsewhere(_) if pool.roster().takers().len() > 1 => Duration::ZERO,
            Retry::Elsewhere(wait) => wait,
        };
        let now = Instant::now();
        let in_time = now.checked_add(wait).is_some_and(|then| then < until);
        let mut budget = pool.budget.lock().unwrap_or_else(PoisonError::into_inner);
        if !in_time || !budget.withdraw(pool.since(now), self.number + 1) {
            return None;
        }
        pool.retries.fetch_add(1, Ordering::Relaxed);
        Some(wait)
    }
}

/// One attempt. Dropped before it is settled, it was given up by its caller.
struct Trial<'a> {
    pool: &'a Pool,
    busy: &'a Busy,
    role: Role,
    kind: Kind,
    begun: Duration,
    patience: Duration,
    settled: Settled,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Settled {
    No,
    Yes,
}

impl<'a> Trial<'a> {
    fn new(call: &Call<'a>, busy: &'a Busy, (role, kind): (Role, Kind), begun: Duration) -> Trial<'a> {
        Trial { pool: call.pool, busy, role, kind, begun, patience: call.patience, settled: Settled::No }
    }

    fn answered(self, took: Duration, now: Duration) {
        self.settle(Mark::Good, Some((took, End::Answered)), now);
    }

    fn failed(self, failure: &Failure, took: Duration, now: Duration) {
        let mark = blame(failure, self.patience(took));
        // Only an answer, and one that did not come, say how long answers take; a quick failure does not.
        let end = match (failure.origin, mark) {
            (Origin::Deadline, _) => Some(End::Late),
            (_, Mark::Good) => Some(End::Answered),
            (_, Mark::Bad | Mark::Nothing) => None,
        };
        self.settle(mark, end.map(|end| (took, end)), now);
    }

    fn patience(&self, took: Duration) -> Patience {
        match self.kind {
            Kind::Unary if took >= self.patience => Patience::Enough,
            // A stream may begin with its first event, and there may be none for long.
            Kind::Unary | Kind::Stream => Patience::Short,
        }
    }

    fn settle(mut self, mark: Mark, told: Option<(Duration, End)>, now: Duration) {
        self.settled = Settled::Yes;
        let told = match self.kind {
            Kind::Unary => told,
            Kind::Stream => None,
        };
        self.pool.note(&self, mark, told.map(|(took, _)| took), now);
        if let Some((took, end)) = told {
            self.pool.gate.record(took, end, now);
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        if self.settled == Settled::Yes {
            return;
        }
        let now = self.pool.now();
        let waited = now.saturating_sub(self.begun);
        let mark = match self.patience(waited) {
            Patience::Enough => Mark::Bad,
            Patience::Short => Mark::Nothing,
        };
        let longer = waited.as_secs_f64() > self.busy.endpoint().latency().seconds;
        match self.kind {
            Kind::Unary if longer => {
                self.pool.note(self, mark, Some(waited), now);
                self.pool.gate.record(waited, End::Late, now);
            }
            Kind::Unary | Kind::Stream => self.pool.note(self, mark, None, now),
        }
    }
}

#[cfg(test)]
mod tests;
