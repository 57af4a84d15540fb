//! What is registered, in one place, whoever told it: the snapshot that everybody reads.
//!
//! Stores and sources tell the hub what they learn; `turnout_control::table` makes events of it, and those
//! make the next snapshot. Telling is short and takes turns. Readers take a snapshot and never wait. The
//! revision is this gateway's own; it never goes back, also across restarts. Here is also where those are
//! tried of whom nobody knows whether they live: the table names them, and a probe finds out.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use turnout_control::id::{SourceName, Timestamp};
use turnout_control::registry::{Event, Instance, Presence, Registered, Snapshot, Why};
use turnout_control::table::{Answered, Finding, Input, Said, Table};
use turnout_schema::Diagnostic;

use super::history::{Changes, History};
use crate::clock::Clock;

/// An entry that cannot be read: its source, its key, and why.
type Unreadable = (SourceName, String, Diagnostic);

/// How often time alone is looked at.
const TICK: Duration = Duration::from_millis(250);

/// How well a source is heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Freshness {
    /// What is read: `embedded`, `etcd`.
    pub backend: &'static str,
    /// How its entries are written: `native`, `kitex-etcd`.
    pub layout: &'static str,
    /// How it stands.
    pub state: Hearing,
    /// When what it says was last known to be complete, by the wall clock; `None` before the first time.
    pub synced_at: Option<Timestamp>,
    /// When it was last heard to be well, by the age of the process.
    pub heard_at: Option<Duration>,
    /// The revision that was last applied, as the source counts.
    pub revision: u64,
    /// How often everything was listed again.
    pub relists: u64,
    /// How many entries it has.
    pub entries: usize,
}

impl Freshness {
    /// For how long it could not be heard, at this age of the process; `None` while it can.
    pub fn stale_for(&self, age: Duration) -> Option<Duration> {
        match self.state {
            Hearing::Live => None,
            Hearing::Starting | Hearing::Stale(_) => {
                Some(age.saturating_sub(self.heard_at.unwrap_or_default()))
            }
        }
    }
}

/// How a source stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// It was not heard yet; what was known before the start may serve.
    Starting,
    /// Changes arrive as they happen.
    Live,
    /// It cannot be heard, and what it said last goes on to hold; why.
    Stale(String),
}

/// Finds out whether an instance answers, within a second or so.
pub type Probe = Arc<dyn Fn(Registered) -> BoxFuture<'static, Answered> + Send + Sync>;

/// What was known before the start.
#[derive(Clone, Debug, Default)]
pub struct Known {
    /// What was registered, and at which revision.
    pub snapshot: Snapshot,
    /// The entries that said so: source, key, and what it said.
    pub entries: Vec<(SourceName, String, Registered)>,
}

/// What is registered.
#[derive(Debug)]
pub struct Hub {
    clock: Clock,
    /// Taken before the others.
    table: Mutex<Table>,
    /// Changes together with `snapshot`.
    history: Mutex<History>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    sources: watch::Sender<Arc<BTreeMap<SourceName, Freshness>>>,
}

impl Hub {
    /// A hub of these sources, the one that goes first at the front, that starts with what was known before
    /// the start. What the entries do not say is not registered any more.
    pub fn new(ranked: Vec<SourceName>, known: Known, clock: Clock) -> Hub {
        let Known { snapshot, entries } = known;
        let mut table = Table::new(ranked, entries);
        for (name, service) in snapshot.services() {
            for (version, record) in &service.versions {
                table.take(Input::Version(name.clone(), version.clone(), *record), clock.age());
            }
        }
        let snapshot = snapshot.fold(&table.differs(&snapshot));
        Hub {
            clock,
            table: Mutex::new(table),
            history: Mutex::new(History::default()),
            snapshot: watch::Sender::new(Arc::new(snapshot)),
            sources: watch::Sender::new(Arc::default()),
        }
    }

    /// What is registered now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// Wakes when something changed.
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// What changed after a revision.
    pub fn after(&self, revision: u64) -> Changes {
        let history = lock(&self.history);
        history.after(revision, &self.snapshot())
    }

    /// The clock that everything here runs by.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// How well each source is heard, now and after each change.
    pub fn sources(&self) -> watch::Receiver<Arc<BTreeMap<SourceName, Freshness>>> {
        self.sources.subscribe()
    }

    /// Says how well a source is heard.
    pub fn hears(&self, source: &SourceName, freshness: Freshness) {
        self.sources.send_if_modified(|sources| {
            if sources.get(source) == Some(&freshness) {
                return false;
            }
            Arc::make_mut(sources).insert(source.clone(), freshness);
            true
        });
    }

    /// Entries that cannot be read, by source and key.
    pub fn unreadable(&self) -> Vec<(SourceName, String, Diagnostic)> {
        lock(&self.table).unreadable()
    }

    /// Everything that is known, to start with it another time.
    pub fn known(&self) -> Known {
        let table = lock(&self.table);
        Known { snapshot: (*self.snapshot()).clone(), entries: table.entries() }
    }

    /// What operators should know of instances.
    pub fn findings(&self) -> Vec<Finding> {
        lock(&self.table).findings()
    }

    /// Takes up what a source tells; the revision after it.
    pub fn tell(&self, input: Input) -> u64 {
        let unreadable = has_unreadable(&input);
        self.turn(|table, now| {
            let before = if unreadable { table.unreadable() } else { Vec::new() };
            let events = table.take(input, now);
            if unreadable {
                log_unreadable(&before, &table.unreadable());
            }
            events
        })
    }

    /// Takes up many things in order; the revision after all of them. Costs little more than one, and readers
    /// see only what comes of all.
    pub fn tell_all(&self, inputs: Vec<Input>) -> u64 {
        self.turn(|table, now| inputs.into_iter().flat_map(|input| table.take(input, now)).collect())
    }

    /// Does what time alone does, and has `probe` try who may be gone, until it is told to stop. What is
    /// being tried then is given up.
    pub async fn run(self: Arc<Self>, probe: Probe, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut tries = JoinSet::new();
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                _ = ticks.tick() => {
                    self.turn(Table::step);
                }
                Some(tried) = tries.join_next() => match tried {
                    Ok(answer) => {
                        self.tell(answer);
                    }
                    Err(error) => tracing::error!(%error, "trying an instance failed"),
                },
            }
            let due = lock(&self.table).probes(self.clock.age());
            for registered in due {
                let (service, id) = (registered.instance.service.clone(), registered.instance.id.clone());
                let answer = probe(registered);
                tries.spawn(async move { Input::Probed(service, id, answer.await) });
            }
        }
        tries.shutdown().await;
    }

    fn turn(&self, work: impl FnOnce(&mut Table, Duration) -> Vec<Event>) -> u64 {
        let mut table = lock(&self.table);
        let events = work(&mut table, self.clock.age());
        let before = self.snapshot();
        if events.is_empty() {
            return before.revision;
        }
        tell_log(&events, &before);
        let next = Arc::new(before.fold(&events));
        let revision = next.revision;
        let mut history = lock(&self.history);
        for (revision, event) in (before.revision + 1..).zip(events) {
            history.push(revision, event);
        }
        self.snapshot.send_replace(next);
        revision
    }
}

/// Whether something in it cannot be read.
fn has_unreadable(input: &Input) -> bool {
    let bad = |said: &Said| matches!(said, Said::Unreadable(_));
    match input {
        Input::Listed(_, entries) => entries.values().any(bad),
        Input::Put(_, _, said) => bad(said),
        Input::Removed(..) | Input::Heard(..) | Input::Version(..) | Input::Probed(..) => false,
    }
}

/// Entries that could be read before, or were wrong in another way. One line for many.
fn log_unreadable(before: &[Unreadable], now: &[Unreadable]) {
    let mut new = newly(before, now);
    if let Some((source, key, why)) = new.next() {
        let others = new.count();
        tracing::warn!(%source, key, %why, others, "an entry cannot be read");
    }
}

fn newly<'a>(before: &'a [Unreadable], now: &'a [Unreadable]) -> impl Iterator<Item = &'a Unreadable> {
    now.iter().filter(|entry| !before.contains(entry))
}

/// What operators will ask about later: who vanished, who contradicts what is known, and whom the registry is
/// not believed about. One line for many, but for those that contradict, whom somebody has to mend.
fn tell_log(events: &[Event], before: &Snapshot) {
    let (mut missing, mut held, mut lost) = (0, 0, 0);
    for (Instance { service, id, .. }, why) in refused(events, before) {
        tracing::warn!(%service, %id, %why, "an instance is refused");
    }
    for event in events {
        match event {
            Event::Heard(service, id, Presence::Missing) => {
                missing += 1;
                tracing::debug!(%service, %id, "the registration ended without a goodbye");
            }
            Event::Heard(_, _, Presence::Held) => held += 1,
            Event::Up(registered) if registered.presence == Presence::Held => held += 1,
            Event::Down(service, id, Why::Lost | Why::Expired) => {
                lost += 1;
                tracing::debug!(%service, %id, "not registered any more");
            }
            Event::Up(_)
            | Event::Heard(_, _, Presence::Here | Presence::Silent)
            | Event::Down(_, _, Why::Deregistered)
            | Event::Version(..) => {}
        }
    }
    if held > 0 {
        tracing::warn!(held, "so many registrations ended at once that these instances stay for now");
    }
    if missing + lost > 0 {
        tracing::warn!(missing, lost, "registrations ended without a goodbye");
    }
}

/// Who is refused that was not, or for another reason.
fn refused<'a>(events: &'a [Event], before: &Snapshot) -> Vec<(&'a Instance, &'a Diagnostic)> {
    let new = |event: &'a Event| {
        let Event::Up(Registered { instance, refused: Some(why), .. }) = event else { return None };
        let known = before.instance(&instance.service, &instance.id);
        let same = known.and_then(|known| known.refused.as_ref()) == Some(why);
        (!same).then_some((&**instance, &**why))
    };
    events.iter().filter_map(new).collect()
}

/// A panic while the lock was held left nothing half done: events are applied one by one.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
