//! The loop that moves rollouts, on the one gateway that leads.
//!
//! Each tick it takes up what all gateways counted, asks `turnout_control::rollout` what that means for every
//! rollout, and writes what comes of it. Between ticks it looks when records, registrations or reports changed, so
//! that orders, fuses and new versions need not wait; no time passes for a rollout then, and no evidence is
//! taken up. Nothing is remembered that the next leader would need: what is written is all there is. Whatever is
//! in the way (a conflict, a store that is away) nothing changes, and the next look decides anew.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use turnout_control::frontend::{Frontends, Lifecycle};
use turnout_control::id::{ServiceName, SourceName};
use turnout_control::records::{Change, Kind, Records};
use turnout_control::rollout::{Action, Analysis, Notice, Rollout, Stored, Subject, analysis_key};
use turnout_control::routes::{Base, Place, Scope, read_base};

use super::begin::{self, Rates};
use super::facts::{self, Memory, Replicas, World};
use super::perform::{self, Move};
use super::{Pulse, Settings};
use crate::reconcile;
use crate::registry::audit::Audit;
use crate::registry::{Error, Hearing, Leadership, Registry};
use crate::telemetry::{Meters, chain};

/// Looks between two ticks are not closer together.
const APART: Duration = Duration::from_millis(200);
/// So many ticks pass at most between two, however long it was.
const MISSED_MAX: u32 = 2;

/// What the loop works with.
#[derive(Clone, Debug)]
pub struct Sources {
    /// Where rollouts are kept, and who is registered.
    pub registry: Registry,
    /// What this gateway finds about versions.
    pub reports: watch::Receiver<Arc<reconcile::Report>>,
    /// What holds for rollouts.
    pub settings: watch::Receiver<Arc<Settings>>,
    /// What this gateway counts, for how much each service has to do.
    pub meters: Meters,
}

/// Moves rollouts while this gateway leads.
#[derive(Debug)]
pub struct Leader {
    sources: Sources,
    audit: Audit,
    pulse: watch::Sender<Pulse>,
    memory: Memory,
    rates: Rates,
    /// The last tick.
    ticked: Option<Instant>,
    /// Rollouts whose counts of this tick are not taken up yet, and how long the tick was.
    due: BTreeSet<Subject>,
    elapsed: Duration,
    /// What was in the way was told.
    troubled: bool,
}

/// What came of one rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    /// It stands as it should.
    Settled,
    /// Somebody else changed something meanwhile.
    Overtaken,
    /// It cannot be written, and the others can.
    Refused,
    /// The store cannot be used.
    Away,
}

impl Leader {
    /// A loop that has not begun, and what others see of it.
    pub fn new(sources: Sources) -> (Leader, watch::Receiver<Pulse>) {
        let (pulse, pulse_now) = watch::channel(Pulse::default());
        let audit = Audit::new(sources.registry.store.clone(), sources.registry.hub.clock());
        let leader = Leader {
            sources,
            audit,
            pulse,
            memory: Memory::default(),
            rates: Rates::default(),
            ticked: None,
            due: BTreeSet::new(),
            elapsed: Duration::ZERO,
            troubled: false,
        };
        (leader, pulse_now)
    }

    /// Runs until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let store = self.sources.registry.store.clone();
        let (mut records, mut replicas) = (store.records(), store.replicas());
        let (mut reports, mut leads) = (self.sources.reports.clone(), store.leadership());
        let (mut settings, mut changes) = (self.sources.settings.clone(), self.sources.registry.changes());
        loop {
            let next = self.look().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(APART) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(next) => {}
                Ok(()) = records.changed() => {}
                Ok(()) = replicas.changed() => {}
                Ok(()) = reports.changed() => {}
                Ok(()) = leads.changed() => {}
                Ok(()) = settings.changed() => {}
                Ok(()) = changes.changed() => {}
            }
        }
    }

    /// One look; when the next one is due whatever happens.
    async fn look(&mut self) -> Instant {
        let (now, tick) = (Instant::now(), self.sources.settings.borrow().tick);
        if *self.sources.registry.store.leadership().borrow() != Leadership::Leads {
            // Whoever leads next begins from what is written; so does this one.
            (self.memory, self.rates, self.ticked) = (Memory::default(), Rates::default(), None);
            self.due.clear();
            self.pulse.send_if_modified(|pulse| std::mem::take(pulse) != Pulse::default());
            return now + tick;
        }
        let Some(ready) = self.ready() else {
            return now + tick;
        };
        let is_tick = self.ticked.is_none_or(|ticked| now.saturating_duration_since(ticked) >= tick);
        if is_tick {
            // A tick that nobody made is time that did not pass, so that the first one has no length.
            let since = self.ticked.map_or(Duration::ZERO, |ticked| now.saturating_duration_since(ticked));
            self.elapsed = since.min(tick * MISSED_MAX);
            self.ticked = Some(now);
            self.rates.take(&self.sources.meters, self.elapsed);
        }
        self.pass(ready, is_tick, now).await;
        self.ticked.map_or(now, |ticked| ticked) + tick
    }

    /// What this gateway has found, once it knows enough to decide anything.
    fn ready(&self) -> Option<Arc<reconcile::Report>> {
        let sources = self.sources.registry.hub.sources().borrow().clone();
        let own = sources.get(&SourceName::own())?;
        match own.state {
            Hearing::Live => {}
            Hearing::Starting | Hearing::Stale(_) => return None,
        }
        let report = self.sources.reports.borrow().clone();
        report.revision.is_some().then_some(report)
    }

    async fn pass(&mut self, report: Arc<reconcile::Report>, is_tick: bool, now: Instant) {
        let Registry { store, hub } = &self.sources.registry;
        let records = store.records().borrow().clone();
        let world = World {
            snapshot: hub.snapshot(),
            report,
            replicas: Replicas::read(&store.replicas().borrow()),
            settings: self.sources.settings.borrow().clone(),
            reach: facts::reach(&records, &pins(&records)),
            at: hub.clock().now(),
            now,
            records,
        };
        self.memory.look(&world.snapshot, now);
        let mut rollouts = read_all(&world.records);
        let live: Vec<Rollout> = rollouts.iter().filter(|it| !it.state.has_ended()).cloned().collect();
        let subjects: BTreeSet<Subject> = live.iter().map(Rollout::subject).collect();
        if is_tick {
            self.due.extend(subjects.iter().cloned());
        }
        self.due.retain(|subject| subjects.contains(subject));
        self.memory.keep(&subjects);
        let mut away = false;
        for rollout in &live {
            match self.step(&world, rollout, &mut rollouts).await {
                Outcome::Settled | Outcome::Overtaken | Outcome::Refused => {}
                Outcome::Away => {
                    away = true;
                    break;
                }
            }
        }
        if !away {
            away = self.begin(&world, &rollouts).await == Outcome::Away;
        }
        if !away {
            self.troubled = false;
        }
        let ticked = self.ticked;
        self.pulse.send_replace(Pulse { ticked, live: live.len(), away });
    }

    /// One look at one rollout, and what comes of it.
    async fn step(&mut self, world: &World, rollout: &Rollout, rollouts: &mut [Rollout]) -> Outcome {
        let Some(base) = base(&world.records, rollout) else { return Outcome::Settled };
        let subject = rollout.subject();
        let is_due = self.due.contains(&subject);
        let record = world.records.get(&analysis_key(&rollout.service, &rollout.to));
        let mut stored = Stored::resume(record.map(|record| &*record.value), rollout, world.at);
        let taken = (is_due && rollout.is_exposed()).then(|| {
            let Replicas { living, reports } = &world.replicas;
            stored.take(*living, reports, self.elapsed, world.at)
        });
        if let Some(gateway) = taken.as_ref().and_then(|taken| taken.backwards.first()) {
            tracing::error!(gateway, service = %rollout.service, "what a gateway has counted went back");
        }
        let counted = taken.as_ref().map(|taken| (taken, self.elapsed));
        let facts = world.facts(rollout, (&base, rollouts), counted, &mut self.memory);
        let (after, actions) = rollout.clone().tick(&stored.analysis, &facts, world.at);
        let (change, act) = Move {
            records: &world.records,
            before: rollout,
            after: &after,
            actions: &actions,
            base: &base,
            facts: &facts,
            analysis: &stored.analysis,
            stored: taken.is_some().then_some(&stored),
        }
        .draft();
        let outcome = self.write(change, act).await;
        if outcome == Outcome::Settled {
            self.due.remove(&subject);
            tell(&after, &actions, &stored.analysis);
            if let Some(known) = rollouts.iter_mut().find(|known| known.subject() == subject) {
                *known = after;
            }
        }
        outcome
    }

    /// Writes down the rollouts that should begin.
    async fn begin(&mut self, world: &World, rollouts: &[Rollout]) -> Outcome {
        for (change, rollout) in begin::due(world, rollouts, &self.rates) {
            let act = perform::begun(&rollout);
            match self.write(change, Some(act)).await {
                Outcome::Settled => {
                    let Rollout { service, from, to, .. } = &rollout;
                    tracing::info!(%service, %from, %to, state = rollout.state.as_str(), "a rollout was created");
                }
                Outcome::Overtaken | Outcome::Refused => {}
                Outcome::Away => return Outcome::Away,
            }
        }
        Outcome::Settled
    }

    async fn write(&mut self, change: Change, act: Option<turnout_control::audit::Act>) -> Outcome {
        if change.writes.is_empty() {
            return Outcome::Settled;
        }
        let written = match act {
            Some(act) => self.audit.change(change, act).await.map(drop),
            None => self.sources.registry.store.change(change).await.map(drop),
        };
        match written {
            Ok(()) => Outcome::Settled,
            // What was changed is about to arrive, and wakes the loop.
            Err(Error::Conflict(conflict)) => {
                tracing::debug!(key = %conflict.key, "a rollout is decided anew");
                Outcome::Overtaken
            }
            // One that has grown too large keeps no other from going back.
            Err(error @ Error::Excess(_)) => {
                tracing::error!(error = %chain(&error), "a rollout stands still");
                Outcome::Refused
            }
            Err(error) => {
                if !self.troubled {
                    tracing::warn!(error = %chain(&error), "rollouts stand still");
                }
                self.troubled = true;
                Outcome::Away
            }
        }
    }
}

/// All rollouts that can be read. What a newer build wrote stands still under this one.
pub(super) fn read_all(records: &Records) -> Vec<Rollout> {
    let read = |(key, record): (&_, &turnout_control::records::Record)| match Rollout::read(&record.value) {
        Ok(rollout) => Some(rollout),
        Err(error) => {
            tracing::debug!(%key, %error, "a rollout cannot be read");
            None
        }
    };
    records.of(Kind::Rollout).filter_map(read).collect()
}

/// The policy for everybody by which a rollout goes.
fn base(records: &Records, rollout: &Rollout) -> Option<Base> {
    let place = Place { scope: Scope::Everyone, service: rollout.service.clone(), major: rollout.major() };
    read_base(&records.get(&place.key())?.value).ok()
}

/// The services that each published frontend was built for.
fn pins(records: &Records) -> Vec<BTreeSet<ServiceName>> {
    let (frontends, _) = Frontends::read(records, None);
    let uses = |state: Lifecycle| match state {
        Lifecycle::Preview | Lifecycle::Active | Lifecycle::Deprecated => true,
        Lifecycle::Retired => false,
    };
    let published = frontends.published.values().filter(|frontend| uses(frontend.state));
    published.map(|frontend| frontend.pins.keys().cloned().collect()).collect()
}

/// Logs what people are told of a rollout.
fn tell(rollout: &Rollout, actions: &[Action], analysis: &Analysis) {
    let Rollout { service, from, to, .. } = rollout;
    let sum = analysis.sum();
    let (failed, calls) = (sum.candidate.failures, sum.candidate.calls);
    for notice in actions.iter().filter_map(perform::notice) {
        match notice {
            Notice::Reached(..) | Notice::Resumed | Notice::Promoted | Notice::Superseded(_) => {
                tracing::info!(%service, %from, %to, calls, failed, "rollout: {notice}");
            }
            Notice::Waits(_)
            | Notice::Held(_)
            | Notice::Inconclusive
            | Notice::StableDegraded
            | Notice::RolledBack(_)
            | Notice::Unable => {
                tracing::warn!(%service, %from, %to, calls, failed, "rollout: {notice}");
            }
        }
    }
}
