//! What is counted for every operation and every call: how many, how they ended, how long they took.
//!
//! Written on the hot path, read when somebody asks. OpenTelemetry's own instruments were measured with
//! ready-made attributes (release build, 2 cores): a counter and a histogram take 60 and 80 ns when one thread
//! uses them, 150 and 130 ns when two do, so that an operation with one call would pay 600 ns for its two of
//! each. Here the whole operation and its call take 17 ns: additions to memory that a worker has to itself.
//! The count of a series is the sum of its histogram, so it is not counted twice. Numbers only grow, and stay
//! when a generation goes. Which fields and methods were used is derived from plans and not counted here.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use tonic::Code;
use turnout_control::frontend::{How, Units};
use turnout_control::id::{ServiceName, Version};
use turnout_control::policy::Reason;
use turnout_schema::graph::RootKind;

use super::audience::{Audience, Named};
use crate::execute::run::Outcome;
use crate::upstream::{Worker, code_name};

/// Upper ends of the buckets in microseconds: from an answer out of a nearby memory to the longest deadline.
/// Two to three per power of ten keep a quantile within a factor of 1.6 of the truth.
const BOUNDS_US: [u64; 15] = [
    250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000,
    5_000_000, 10_000_000,
];

/// One more than there are bounds: for what took longer.
const BUCKETS: usize = BOUNDS_US.len() + 1;

/// More workers than this share places, which costs time and nothing else.
const SHARDS: usize = 8;

const OUTCOMES: [Outcome; 4] = [Outcome::Complete, Outcome::Partial, Outcome::Nothing, Outcome::Refused];

/// Of operations; the last is of documents that were not understood, so that nobody knows.
const KINDS: [Option<RootKind>; 4] =
    [Some(RootKind::Query), Some(RootKind::Mutation), Some(RootKind::Subscription), None];

/// Why a version is chosen.
const REASONS: [Reason; 10] = [
    Reason::Stable,
    Reason::Candidate,
    Reason::NoUnit,
    Reason::Denied,
    Reason::Allowed,
    Reason::Killed,
    Reason::FuseOpen,
    Reason::Cold,
    Reason::Fallback,
    Reason::Override,
];

/// The codes of gRPC are 0 to 16.
const CODES: usize = 17;

/// Everything that is counted. Cloning it shares it.
#[derive(Clone, Debug)]
pub struct Meters(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// By kind and outcome, in the order of the lists above.
    operations: [[Timing; OUTCOMES.len()]; KINDS.len()],
    /// Kept when a version goes: what was counted must not shrink. As many as there ever were versions.
    calls: Mutex<BTreeMap<(ServiceName, Version), Arc<CallMeter>>>,
    audience: Audience,
}

/// Counts the calls of one version of a service.
#[derive(Debug)]
pub struct CallMeter {
    /// By code; most codes never come.
    timings: [OnceLock<Box<Timing>>; CODES],
    /// By the reason for which the version was chosen, in the order of `REASONS`.
    reasons: [OnceLock<Box<Chosen>>; REASONS.len()],
}

/// How often a version was chosen for one reason.
#[derive(Debug)]
struct Chosen([Padded; SHARDS]);

/// Padded, so that no two workers write to one line of the cache.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Padded(AtomicU64);

/// How often a plan was used, by outcome.
#[derive(Debug)]
pub struct Uses {
    shards: [Counts; SHARDS],
}

/// Padded, so that no two workers write to one line of the cache.
#[derive(Debug)]
#[repr(align(64))]
struct Counts([AtomicU64; OUTCOMES.len()]);

/// A histogram that many can write to.
#[derive(Debug)]
struct Timing {
    shards: [Shard; SHARDS],
}

#[derive(Debug)]
#[repr(align(64))]
struct Shard {
    buckets: [AtomicU64; BUCKETS],
    /// Microseconds; enough for half a million years.
    sum_us: AtomicU64,
}

/// What is counted and timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Timed {
    /// Operations of callers.
    Operations,
    /// Calls of services.
    Calls,
}

/// One series as it stands.
#[derive(Clone, Debug)]
pub(super) struct Series {
    /// What tells it apart.
    pub(super) labels: Vec<(&'static str, String)>,
    buckets: [u64; BUCKETS],
    sum_us: u64,
}

impl Meters {
    /// Meters that stand at zero.
    #[expect(clippy::new_without_default, reason = "two of them in one gateway would count past each other")]
    pub fn new() -> Meters {
        let row = || std::array::from_fn(|_| Timing::new());
        let operations = std::array::from_fn(|_| row());
        let audience = Audience::new();
        Meters(Arc::new(Inner { operations, calls: Mutex::new(BTreeMap::new()), audience }))
    }

    /// Counts who calls: as which frontend, how that came, and which units it has.
    pub fn caller(&self, worker: Worker, named: (Named<'_>, How), units: &Units) {
        self.0.audience.count(worker, named, units);
    }

    /// How often callers were taken for which frontend, and how that came.
    pub(crate) fn frontends(&self) -> Vec<(String, How, u64)> {
        self.0.audience.requests()
    }

    /// How often callers had which kind of unit.
    pub(crate) fn units(&self) -> Vec<(&'static str, u64)> {
        self.0.audience.units().into()
    }

    /// Counts an operation. `kind` is that of its plan; `None` when it came to none.
    pub fn operation(&self, worker: Worker, kind: Option<RootKind>, outcome: Outcome, took: Duration) {
        self.0.operations[kind_index(kind)][outcome_index(outcome)].record(worker, took);
    }

    /// The meter of a version: always the same one.
    pub fn callee(&self, service: &ServiceName, version: &Version) -> Arc<CallMeter> {
        let mut calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(CallMeter::new());
        calls.entry((service.clone(), version.clone())).or_insert_with(new).clone()
    }

    /// How many calls of each service there were, of all its versions.
    pub fn called(&self) -> BTreeMap<ServiceName, u64> {
        let calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut called = BTreeMap::new();
        for ((service, _), meter) in &calls {
            let timings = meter.timings.iter().filter_map(OnceLock::get);
            let count: u64 =
                timings.filter_map(|timing| timing.read(Vec::new())).map(|series| series.count()).sum();
            *called.entry(service.clone()).or_default() += count;
        }
        called
    }

    /// All series that have anything in them.
    pub(super) fn series(&self, timed: Timed) -> Vec<Series> {
        match timed {
            Timed::Operations => self.operations(),
            Timed::Calls => self.calls(),
        }
    }

    /// How often each version was chosen, and why.
    pub(super) fn choices(&self) -> Vec<(ServiceName, Version, Reason, u64)> {
        let calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut all = Vec::new();
        for ((service, version), meter) in &calls {
            for (reason, chosen) in REASONS.into_iter().zip(&meter.reasons) {
                let Some(Chosen(shards)) = chosen.get().map(|chosen| &**chosen) else { continue };
                let count = shards.iter().map(|Padded(count)| count.load(Ordering::Relaxed)).sum();
                all.push((service.clone(), version.clone(), reason, count));
            }
        }
        all
    }

    fn operations(&self) -> Vec<Series> {
        let mut all = Vec::new();
        for (kind, row) in KINDS.into_iter().zip(&self.0.operations) {
            for (outcome, timing) in OUTCOMES.into_iter().zip(row) {
                let labels =
                    vec![("kind", kind_word(kind).to_owned()), ("outcome", outcome_word(outcome).to_owned())];
                all.extend(timing.read(labels));
            }
        }
        all
    }

    fn calls(&self) -> Vec<Series> {
        let calls = self.0.calls.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut all = Vec::new();
        for ((service, version), meter) in &calls {
            for (code, timing) in meter.timings.iter().enumerate() {
                let Some(timing) = timing.get() else { continue };
                let labels = vec![
                    ("service", service.to_string()),
                    ("version", version.to_string()),
                    ("code", code_word(code).to_owned()),
                ];
                all.extend(timing.read(labels));
            }
        }
        all
    }
}

impl CallMeter {
    fn new() -> CallMeter {
        CallMeter {
            timings: std::array::from_fn(|_| OnceLock::new()),
            reasons: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    /// Counts that an operation chose the version.
    pub fn chosen(&self, worker: Worker, reason: Reason) {
        let new = || Box::new(Chosen(std::array::from_fn(|_| Padded::default())));
        let Chosen(shards) = &**self.reasons[reason_index(reason)].get_or_init(new);
        let Padded(count) = &shards[worker.0 % SHARDS];
        count.fetch_add(1, Ordering::Relaxed);
    }
    /// Counts a call.
    pub fn count(&self, worker: Worker, code: Code, took: Duration) {
        self.timings[code_index(code)].get_or_init(|| Box::new(Timing::new())).record(worker, took);
    }
}

impl Uses {
    /// Never used.
    #[expect(clippy::new_without_default, reason = "a use that was counted must not be lost by a default")]
    pub fn new() -> Uses {
        Uses { shards: std::array::from_fn(|_| Counts(std::array::from_fn(|_| AtomicU64::new(0)))) }
    }

    /// Counts a use.
    pub fn count(&self, worker: Worker, outcome: Outcome) {
        let Counts(counts) = &self.shards[worker.0 % SHARDS];
        counts[outcome_index(outcome)].fetch_add(1, Ordering::Relaxed);
    }

    /// How often so far, by outcome.
    pub fn totals(&self) -> [(Outcome, u64); 4] {
        let total =
            |index: usize| self.shards.iter().map(|Counts(of)| of[index].load(Ordering::Relaxed)).sum();
        OUTCOMES.map(|outcome| (outcome, total(outcome_index(outcome))))
    }
}

impl Timing {
    fn new() -> Timing {
        let zeros = || std::array::from_fn(|_| AtomicU64::new(0));
        Timing { shards: std::array::from_fn(|_| Shard { buckets: zeros(), sum_us: AtomicU64::new(0) }) }
    }

    fn record(&self, worker: Worker, took: Duration) {
        let took_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        let shard = &self.shards[worker.0 % SHARDS];
        let bucket = BOUNDS_US.partition_point(|bound| *bound < took_us);
        shard.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        shard.sum_us.fetch_add(took_us, Ordering::Relaxed);
    }

    /// Nothing when nothing was counted.
    fn read(&self, labels: Vec<(&'static str, String)>) -> Option<Series> {
        let mut series = Series { labels, buckets: [0; BUCKETS], sum_us: 0 };
        for shard in &self.shards {
            for (sum, bucket) in series.buckets.iter_mut().zip(&shard.buckets) {
                *sum += bucket.load(Ordering::Relaxed);
            }
            series.sum_us = series.sum_us.wrapping_add(shard.sum_us.load(Ordering::Relaxed));
        }
        (series.count() > 0).then_some(series)
    }
}

impl Series {
    /// How many there were.
    pub(super) fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }

    /// How many fell into each bucket that has an end, and its end in seconds.
    pub(super) fn buckets(&self) -> impl Iterator<Item = (f64, u64)> {
        let seconds = |us: u64| Duration::from_micros(us).as_secs_f64();
        BOUNDS_US.iter().zip(self.buckets).map(move |(bound, count)| (seconds(*bound), count))
    }

    /// How long all of them took.
    pub(super) fn sum_seconds(&self) -> f64 {
        Duration::from_micros(self.sum_us).as_secs_f64()
    }
}

impl Timed {
    /// The name of the counter, as OpenTelemetry has it.
    pub(super) fn counter(self) -> &'static str {
        match self {
            Timed::Operations => "turnout.operations",
            Timed::Calls => "turnout.upstream.calls",
        }
    }

    /// What is counted.
    pub(super) fn description(self) -> &'static str {
        match self {
            Timed::Operations => "Operations by kind and outcome",
            Timed::Calls => "Calls of services by version and gRPC code",
        }
    }

    /// The name of the histogram, as Prometheus has it.
    pub(super) fn histogram(self) -> &'static str {
        match self {
            Timed::Operations => "turnout_operation_duration_seconds",
            Timed::Calls => "turnout_upstream_call_duration_seconds",
        }
    }

    /// What is timed.
    pub(super) fn histogram_description(self) -> &'static str {
        match self {
            Timed::Operations => "How long operations took",
            Timed::Calls => "How long calls of services took",
        }
    }
}

fn reason_index(reason: Reason) -> usize {
    match reason {
        Reason::Stable => 0,
        Reason::Candidate => 1,
        Reason::NoUnit => 2,
        Reason::Denied => 3,
        Reason::Allowed => 4,
        Reason::Killed => 5,
        Reason::FuseOpen => 6,
        Reason::Cold => 7,
        Reason::Fallback => 8,
        Reason::Override => 9,
    }
}

fn kind_index(kind: Option<RootKind>) -> usize {
    match kind {
        Some(RootKind::Query) => 0,
        Some(RootKind::Mutation) => 1,
        Some(RootKind::Subscription) => 2,
        None => 3,
    }
}

fn kind_word(kind: Option<RootKind>) -> &'static str {
    match kind {
        Some(RootKind::Query) => "query",
        Some(RootKind::Mutation) => "mutation",
        Some(RootKind::Subscription) => "subscription",
        None => "unknown",
    }
}

fn outcome_index(outcome: Outcome) -> usize {
    match outcome {
        Outcome::Complete => 0,
        Outcome::Partial => 1,
        Outcome::Nothing => 2,
        Outcome::Refused => 3,
    }
}

fn outcome_word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Complete => "complete",
        Outcome::Partial => "partial",
        Outcome::Nothing => "nothing",
        Outcome::Refused => "refused",
    }
}

fn code_index(code: Code) -> usize {
    usize::try_from(i32::from(code)).ok().filter(|index| *index < CODES).unwrap_or(UNKNOWN)
}

/// The index of the code that stands for those nobody knows.
const UNKNOWN: usize = 2;

fn code_word(index: usize) -> &'static str {
    code_name(Code::from_i32(i32::try_from(index).unwrap_or(UNKNOWN as i32)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_workers_count_apart_is_read_together() {
        let meters = Meters::new();
        for worker in 0..20 {
            meters.operation(Worker(worker), Some(RootKind::Query), Outcome::Complete, ms(3));
        }
        meters.operation(Worker(0), None, Outcome::Refused, ms(0));
        let series = meters.series(Timed::Operations);
        assert_eq!(series.len(), 2);
        assert_eq!(series[0].labels, [("kind", "query".to_owned()), ("outcome", "complete".to_owned())]);
        assert_eq!((series[0].count(), series[1].count()), (20, 1));
        assert!((series[0].sum_seconds() - 0.06).abs() < 1e-9);
    }

    #[test]
    fn a_duration_falls_into_the_first_bucket_that_holds_it() {
        let meters = Meters::new();
        let micros = [0, 250, 251, 1_000, 10_000_000, 10_000_001, u64::MAX];
        for took in micros {
            meters.operation(Worker(0), None, Outcome::Nothing, Duration::from_micros(took));
        }
        let series = &meters.series(Timed::Operations)[0];
        let filled: Vec<(f64, u64)> = series.buckets().filter(|(_, count)| *count > 0).collect();
        assert_eq!(filled, [(0.00025, 2), (0.0005, 1), (0.001, 1), (10.0, 1)]);
        assert_eq!(series.count(), 7);
    }

    #[test]
    fn a_version_keeps_its_meter() {
        let meters = Meters::new();
        let (service, version) = ("catalog".parse().unwrap(), "1.4.0".parse().unwrap());
        let first = meters.callee(&service, &version);
        first.count(Worker(1), Code::Unavailable, ms(7));
        assert!(Arc::ptr_eq(&first, &meters.callee(&service, &version)));
        let series = meters.series(Timed::Calls);
        assert_eq!(series.len(), 1);
        assert_eq!(series[0].labels[2], ("code", "UNAVAILABLE".to_owned()));
    }

    #[test]
    fn uses_are_counted_by_outcome() {
        let uses = Uses::new();
        for worker in 0..9 {
            uses.count(Worker(worker), Outcome::Partial);
        }
        assert_eq!(uses.totals()[1], (Outcome::Partial, 9));
        assert_eq!(uses.totals()[0], (Outcome::Complete, 0));
    }

    #[test]
    fn every_code_has_its_own_word() {
        for code in 0..17 {
            let words = code_word(code_index(Code::from_i32(code)));
            let known = format!("{:?}", Code::from_i32(code)).to_uppercase();
            let expected = if known == "CANCELED" { "CANCELLED".to_owned() } else { known };
            assert_eq!(words.replace('_', ""), expected);
        }
    }
}
