//! The trials of this process: which there are, what each has counted, and the seconds and ticks they live by.
//!
//! A trial lives as long as somebody has its candidate, through any number of generations; one that ends
//! keeps its last numbers for a minute, so that they are reported; its fuse is nobody's any more. One that begins
//! again counts from zero, with a fuse that is closed. Seconds and ticks are those of the monotonic clock.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval};
use tokio_util::sync::CancellationToken;
use turnout_control::id::{ServiceName, Version};
use turnout_control::rollout::{Subject, TRIALS_MAX, Trial as Numbers};

use super::Trial;
use crate::generation::Generation;
use crate::rollout;

/// How often fuses look at what was counted.
const SECOND: Duration = Duration::from_secs(1);
/// How long instances of a candidate warm up until the settings say otherwise.
const WARMUP: Duration = Duration::from_secs(60);
/// So long the last numbers of a trial that ended are reported: longer than a few reports may be late.
const ENDED: Duration = Duration::from_secs(60);

/// The trials of this process. Cloning it shares it.
#[derive(Clone, Debug)]
pub struct Trials(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    known: Mutex<Known>,
    warmup_ms: Arc<AtomicU64>,
    trips: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct Known {
    live: BTreeMap<Subject, Arc<Trial>>,
    /// With when they ended.
    ended: BTreeMap<Subject, (Arc<Trial>, Instant)>,
    /// The highest revision at which a trial of the two versions began. As many as there ever were.
    begun: BTreeMap<Subject, u64>,
}

impl Default for Trials {
    fn default() -> Trials {
        let warmup_ms = Arc::new(AtomicU64::new(millis(WARMUP)));
        let inner = Inner { known: Mutex::default(), warmup_ms, trips: watch::Sender::new(0) };
        Trials(Arc::new(inner))
    }
}

impl Trials {
    /// The trial of a candidate: always the same one while it goes on, so that generations count together.
    pub fn of(&self, service: &ServiceName, from: &Version, to: &Version) -> Arc<Trial> {
        let subject = Subject { service: service.clone(), from: from.clone(), to: to.clone() };
        let new = || Arc::new(Trial::new((service, from, to), self.0.warmup_ms.clone()));
        self.known().live.entry(subject).or_insert_with(new).clone()
    }

    /// Takes up which trials go on: those of this generation's candidates. Generations are given in their order.
    pub fn keep(&self, generation: &Generation) {
        let routes = generation.views().flat_map(|view| &view.routes);
        let trials = routes.filter_map(|route| route.candidate.as_ref()).map(|(_, trial)| &**trial);
        let named: BTreeSet<Subject> = trials
            .map(|Trial { service, from, to, .. }| Subject {
                service: service.clone(),
                from: from.clone(),
                to: to.clone(),
            })
            .collect();
        let now = Instant::now();
        let mut known = self.known();
        let Known { live, ended, begun } = &mut *known;
        for (subject, trial) in std::mem::take(live) {
            if named.contains(&subject) {
                let last = begun.get(&subject).copied().unwrap_or_default();
                trial.begins(generation.revision.max(last + 1));
                begun.insert(subject.clone(), trial.since());
                live.insert(subject, trial);
            } else if trial.since() > 0 {
                ended.insert(subject, (trial, now));
            } else {
                // It was made for a generation that is to come.
                live.insert(subject, trial);
            }
        }
        ended.retain(|_, (_, at)| now.saturating_duration_since(*at) < ENDED);
    }

    /// What was counted, of those that go on and those that ended lately. As many as a report may have; those that
    /// go on come first.
    pub fn report(&self) -> BTreeMap<Subject, Numbers> {
        let now = Instant::now();
        let mut known = self.known();
        known.ended.retain(|_, (_, at)| now.saturating_duration_since(*at) < ENDED);
        let live = known.live.iter().filter(|(_, trial)| trial.since() > 0);
        let live: Vec<(Subject, Arc<Trial>)> = live.map(|(of, trial)| (of.clone(), trial.clone())).collect();
        let ended = known.ended.iter().map(|(of, (trial, _))| (of.clone(), trial.clone()));
        let ended: Vec<(Subject, Arc<Trial>)> = ended.collect();
        drop(known);
        let mut report = BTreeMap::new();
        for (subject, trial) in live.into_iter().take(TRIALS_MAX) {
            report.insert(subject, trial.report());
        }
        for (subject, trial) in ended {
            if report.len() < TRIALS_MAX && !report.contains_key(&subject) {
                report.insert(subject, Numbers { tripped: false, ..trial.report() });
            }
        }
        report
    }

    /// Changes when a fuse opens: a reason to report at once.
    pub fn trips(&self) -> watch::Receiver<u64> {
        self.0.trips.subscribe()
    }

    /// The candidates that this process does not choose, because they fail here.
    pub fn tripped(&self) -> Vec<Subject> {
        let known = self.known();
        let tripped = known.live.iter().filter(|(_, trial)| trial.is_tripped());
        tripped.map(|(subject, _)| subject.clone()).collect()
    }

    /// Takes up how long instances warm up.
    pub fn warm_up(&self, warmup: Duration) {
        self.0.warmup_ms.store(millis(warmup), Ordering::Relaxed);
    }

    /// Takes up that a second is over.
    pub(crate) fn second(&self) {
        let live: Vec<Arc<Trial>> = self.known().live.values().cloned().collect();
        for trial in live {
            if trial.second() {
                self.0.trips.send_modify(|trips| *trips += 1);
            }
        }
    }

    /// Takes up that a tick is over.
    pub(crate) fn tick(&self) {
        for trial in self.known().live.values() {
            trial.tick();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps trials in step with generations, seconds and ticks until it is told to stop.
pub async fn run(
    trials: Trials,
    mut generations: watch::Receiver<Option<Arc<Generation>>>,
    mut settings: watch::Receiver<Arc<rollout::Settings>>,
    stop: CancellationToken,
) {
    let mut seconds = interval(SECOND);
    // After a pause of the process nothing is gained by many looks at once.
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut ticked = Instant::now();
    generations.mark_changed();
    loop {
        let tick = {
            let settings = settings.borrow_and_update();
            trials.warm_up(settings.warmup);
            settings.tick
        };
        tokio::select! {
            () = stop.cancelled() => return,
            changed = generations.changed() => {
                if changed.is_err() {
                    return;
                }
                if let Some(generation) = generations.borrow_and_update().clone() {
                    trials.keep(&generation);
                }
            }
            // Without their sender the settings stay what they are, and the seconds go on.
            Ok(()) = settings.changed() => {}
            now = seconds.tick() => {
                trials.second();
                if now.saturating_duration_since(ticked) >= tick {
                    ticked = now;
                    trials.tick();
                }
            }
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
