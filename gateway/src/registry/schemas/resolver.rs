//! Follows the registry, and finds descriptors for versions whose instances named none.
//!
//! One task. A version is looked into as soon as it runs, and again after pauses while it cannot be described;
//! `schedule` says how long. Eight are looked into at a time. Of several gateways the one that leads does it,
//! and all do when nobody leads for a while: doing it twice does no harm, because the first digest of a
//! version stays. What is found becomes a version like any other by the ordinary way, through the store.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use turnout_control::id::{ServiceName, Version};
use turnout_control::lineup;
use turnout_control::registry::{Service, Snapshot};
use turnout_schema::Diagnostic;

use super::attempt::{Attempt, Said, finding, processes};
use super::job::{Done, Job, Unresolved};
use super::{Asker, Policies};
use crate::config::SchemaPolicy;
use crate::registry::Registry;
use crate::registry::store::Leadership;

/// How many versions are looked into at a time.
const JOBS_MAX: usize = 8;

/// When nothing is due, it looks again after this long.
const IDLE: Duration = Duration::from_hours(1);

/// How soon the clock alone makes it look again.
const TURN: Duration = Duration::from_millis(100);

/// How long nobody leads until everybody acts.
const LEADERLESS: Duration = Duration::from_secs(10);

/// What is to be said of versions that have no descriptors.
pub type Findings = BTreeMap<Key, Diagnostic>;

/// A version of a service.
pub(super) type Key = (ServiceName, Version);

/// Finds descriptors.
#[derive(Debug)]
pub struct Resolver {
    registry: Registry,
    policies: watch::Receiver<Policies>,
    asker: Asker,
    attempts: BTreeMap<Key, Attempt>,
    leaderless_since: Option<Instant>,
    findings: watch::Sender<Arc<Findings>>,
}

/// A resolver that has not begun, and what it will have to say. It finds descriptors for what is registered,
/// as the operator says, or by asking, and stores them in the registry.
pub fn new(
    registry: Registry,
    policies: watch::Receiver<Policies>,
    asker: Asker,
) -> (Resolver, watch::Receiver<Arc<Findings>>) {
    let (findings, findings_now) = watch::channel(Arc::default());
    let attempts = BTreeMap::new();
    (Resolver { registry, policies, asker, attempts, leaderless_since: None, findings }, findings_now)
}

/// Runs until it is told to stop. What is being asked then is given up.
pub async fn run(mut resolver: Resolver, stop: CancellationToken) {
    let mut changes = resolver.registry.changes();
    let mut policies = resolver.policies.clone();
    let mut leadership = resolver.registry.store.leadership();
    let mut jobs = JoinSet::new();
    loop {
        let snapshot = changes.borrow_and_update().clone();
        let said = policies.borrow_and_update().clone();
        let leads = leadership.borrow_and_update().clone();
        let wake = resolver.turn(&snapshot, &said, &leads, &mut jobs);
        tokio::select! {
            () = stop.cancelled() => return,
            changed = changes.changed() => if changed.is_err() { return },
            () = changed(&mut policies) => resolver.begin_anew(),
            () = changed(&mut leadership) => {}
            Some(done) = jobs.join_next() => resolver.finish(done),
            () = sleep_until(wake) => {}
        }
    }
}

impl Resolver {
    /// Looks at everything once, and starts what is due; when to look again at the latest.
    fn turn(
        &mut self,
        snapshot: &Snapshot,
        policies: &Policies,
        leadership: &Leadership,
        jobs: &mut JoinSet<Done>,
    ) -> Instant {
        let now = Instant::now();
        let bare: BTreeMap<Key, &Service> = snapshot
            .services()
            .flat_map(|(name, service)| {
                lineup::undescribed(service).map(move |version| ((name.clone(), version.clone()), service))
            })
            .collect();
        self.attempts.retain(|key, attempt| bare.contains_key(key) || attempt.is_running());
        let acts_from = self.acts_from(leadership, now);
        let mut wake = now + IDLE;
        wake = wake.min(acts_from.filter(|from| *from > now).unwrap_or(wake));
        let acts = acts_from.is_some_and(|from| from <= now);
        let (mut findings, mut due) = (Findings::new(), Vec::new());
        for (key, service) in bare {
            let policy = policies.of(&key.0);
            let attempt = self.attempts.entry(key.clone()).or_default();
            attempt.notice(&processes(service, &key.1), now);
            if *policy == SchemaPolicy::Off {
                findings.insert(key, finding(&Said::Off));
                continue;
            }
            if !acts {
                findings.insert(key, finding(&Said::Elsewhere));
                continue;
            }
            if attempt.is_due(now) {
                due.push((attempt.until(), key.clone()));
            }
            wake = wake.min(attempt.until().unwrap_or(wake));
            findings.insert(key, attempt.finding());
        }
        // Those that were never tried, and then those that wait for longest.
        due.sort();
        for (_, key) in due.into_iter().take(JOBS_MAX.saturating_sub(jobs.len())) {
            jobs.spawn(self.job(key, snapshot, policies).run());
        }
        self.publish(findings);
        // What is due and finds no place waits for the end of a job, and not for the clock.
        wake.max(now + TURN)
    }

    /// A search for a version, which counts as running from now on.
    fn job(&mut self, key: Key, snapshot: &Snapshot, policies: &Policies) -> Job {
        let service = snapshot.service(&key.0);
        let processes = service.map(|service| processes(service, &key.1)).unwrap_or_default();
        let wanted = service.and_then(|service| service.owned(&key.1)).unwrap_or_default();
        let endpoints = self.attempts.entry(key.clone()).or_default().choose(processes);
        let policy = policies.of(&key.0).clone();
        Job { key, store: self.registry.store.clone(), asker: self.asker.clone(), policy, endpoints, wanted }
    }

    /// Since when, or from when on, this gateway does something; `None`: another one does.
    fn acts_from(&mut self, leadership: &Leadership, now: Instant) -> Option<Instant> {
        match leadership {
            Leadership::Leads => {
                self.leaderless_since = None;
                Some(now)
            }
            Leadership::Follows(Some(_)) => {
                self.leaderless_since = None;
                None
            }
            Leadership::Follows(None) => Some(*self.leaderless_since.get_or_insert(now) + LEADERLESS),
        }
    }

    fn publish(&self, findings: Findings) {
        self.findings.send_if_modified(|known| {
            let is_new = **known != findings;
            if is_new {
                *known = Arc::new(findings);
            }
            is_new
        });
    }

    /// The operator says something else than before: what failed may not fail again.
    fn begin_anew(&mut self) {
        self.attempts.retain(|_, attempt| attempt.is_running());
    }

    fn finish(&mut self, done: Result<Done, tokio::task::JoinError>) {
        let Ok((key, result)) = done else {
            // Which one it was is not known any more. What still runs may be begun again, which does no harm.
            tracing::error!("a search for descriptors broke");
            self.attempts.retain(|_, attempt| !attempt.is_running());
            return;
        };
        let Some(attempt) = self.attempts.get_mut(&key) else { return };
        match result {
            Ok(()) => attempt.settle(Instant::now()),
            Err(Unresolved { class, why }) => attempt.fail(class, why, Instant::now()),
        }
    }
}

/// The next change; never, when nobody is left to make one.
async fn changed<T>(values: &mut watch::Receiver<T>) {
    if values.changed().await.is_err() {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::registry::embedded;
    use crate::upstream::{connection, tls};

    fn resolver(directory: &std::path::Path) -> Resolver {
        let registry = embedded::alone(directory, Clock::start(), Duration::from_secs(60)).unwrap();
        let policies = Policies { services: BTreeMap::new(), others: SchemaPolicy::Reflection };
        let terms = turnout_control::registration::Terms { allow_cidrs: Vec::new(), ttl_s: 15 };
        let connection = connection::Settings {
            connect_timeout: Duration::from_secs(1),
            message_bytes_max: 1024,
            terms: watch::channel(terms).1,
        };
        let tls = tls::client(None, None).unwrap();
        let asker = Asker::new(connection, tls, tokio_util::task::TaskTracker::new());
        new(registry, watch::channel(policies).1, asker).0
    }

    #[tokio::test(start_paused = true)]
    async fn who_leads_acts_and_everybody_does_when_nobody_leads_for_long() {
        let directory = tempfile::tempdir().unwrap();
        let mut resolver = resolver(directory.path());
        let begin = Instant::now();
        let nobody = Leadership::Follows(None);
        let another = Leadership::Follows(Some("b".to_owned()));
        let after = |seconds| begin + Duration::from_secs(seconds);
        assert_eq!(resolver.acts_from(&Leadership::Leads, begin), Some(begin));
        assert_eq!(resolver.acts_from(&nobody, begin), Some(after(10)));
        assert_eq!(resolver.acts_from(&nobody, after(4)), Some(after(10)));
        assert_eq!(resolver.acts_from(&another, after(5)), None);
        assert_eq!(resolver.acts_from(&nobody, after(6)), Some(after(16)));
    }
}
