//! What this gateway says of itself to whoever leads: what it counted of candidates, and by which records it routes.
//!
//! Said twice a tick, and at once when a fuse opens or when it routes by something else. Counts are cumulative, so
//! that a report which is lost costs nothing but time. A gateway without anything to count says so too: who is
//! silent holds all rollouts.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use turnout_control::rollout;

use super::Settings;
use crate::generation::Generation;
use crate::lineup::Trials;
use crate::reconcile;
use crate::registry::Store;
use crate::telemetry::chain;

/// Reports are not closer together.
const APART: Duration = Duration::from_millis(100);

/// What a report is made of.
#[derive(Clone, Debug)]
pub struct Counted {
    /// What is counted.
    pub trials: Trials,
    /// What requests run on.
    pub generations: watch::Receiver<Option<Arc<Generation>>>,
    /// What was found when the graph was last looked at.
    pub reports: watch::Receiver<Arc<reconcile::Report>>,
}

/// Says what this gateway counts.
#[derive(Debug)]
pub struct Reporter {
    store: Arc<dyn Store>,
    counted: Counted,
    settings: watch::Receiver<Arc<Settings>>,
    replica: String,
    incarnation: u64,
    sequence: u64,
    /// What was in the way was told.
    troubled: bool,
}

impl Reporter {
    /// A reporter of a process that is called like this; `incarnation` is one that no earlier process of that name
    /// had.
    pub fn new(
        store: Arc<dyn Store>,
        counted: Counted,
        settings: watch::Receiver<Arc<Settings>>,
        (replica, incarnation): (String, u64),
    ) -> Reporter {
        Reporter { store, counted, settings, replica, incarnation, sequence: 0, troubled: false }
    }

    /// Reports until it is told to stop.
    pub async fn run(mut self, stop: CancellationToken) {
        let (mut trips, mut generations) = (self.counted.trials.trips(), self.counted.generations.clone());
        let mut settings = self.settings.clone();
        loop {
            let next = Instant::now() + self.settings.borrow().tick / 2;
            self.say().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep(APART) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = sleep_until(next) => {}
                Ok(()) = trips.changed() => {}
                Ok(()) = generations.changed() => {}
                Ok(()) = settings.changed() => {}
            }
        }
    }

    async fn say(&mut self) {
        self.sequence += 1;
        let report = self.report();
        match self.store.report(report.encode().into()).await {
            Ok(()) => self.troubled = false,
            Err(error) => {
                if !self.troubled {
                    tracing::warn!(error = %chain(&error), "cannot report what was counted");
                }
                self.troubled = true;
            }
        }
    }

    fn report(&self) -> rollout::Report {
        // In this order: what is counted by a revision is not said before the revision is.
        let trials = self.counted.trials.report();
        let generation =
            self.counted.generations.borrow().as_ref().map_or(0, |generation| generation.revision);
        // Where nothing that routes has changed since a generation, it stands for the records as they are.
        let looked_at = self.counted.reports.borrow().records;
        rollout::Report {
            replica: self.replica.clone(),
            incarnation: self.incarnation,
            sequence: self.sequence,
            revision: generation.max(looked_at),
            trials,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Clock;
    use crate::registry::embedded;

    fn settings() -> Settings {
        let file =
            crate::config::File { path: "turnout.yaml".into(), text: "rollouts: { tick: 10s }".to_owned() };
        let sources = crate::config::Sources { file: Some(file), ..crate::config::Sources::default() };
        Settings::of(&crate::config::read(&sources).unwrap().config)
    }

    #[tokio::test(start_paused = true)]
    async fn a_gateway_speaks_twice_a_tick_and_at_once_when_it_routes_by_something_else() {
        let directory = tempfile::tempdir().unwrap();
        let store = embedded::alone(directory.path(), Clock::start(), Duration::ZERO).unwrap().store;
        let (generations, generations_now) = watch::channel(None);
        let (reports, reports_now) = watch::channel(Arc::<reconcile::Report>::default());
        let (_settings, settings) = watch::channel(Arc::new(settings()));
        let counted =
            Counted { trials: Trials::default(), generations: generations_now, reports: reports_now };
        let process = ("one".to_owned(), 7);
        let reporter = Reporter::new(store.clone(), counted, settings, process);
        let stop = CancellationToken::new();
        let heard = || {
            let said = store.replicas().borrow().clone();
            let bytes = said.values().next().unwrap().clone();
            rollout::Report::decode(&bytes).unwrap()
        };
        let watching = async {
            sleep(Duration::from_secs(1)).await;
            let first = heard();
            assert_eq!((first.replica.as_str(), first.incarnation), ("one", 7));
            assert_eq!((first.sequence, first.revision), (1, 0));
            sleep(Duration::from_secs(10)).await;
            assert_eq!(heard().sequence, 3, "every 5 s");
            generations.send_replace(Some(Arc::new(Generation::new(1, 40, Arc::default(), Vec::new()))));
            sleep(Duration::from_millis(300)).await;
            assert_eq!((heard().sequence, heard().revision), (4, 40));
            // A later change that routes nobody differently makes no generation.
            let looked = reconcile::Report { records: 41, ..reconcile::Report::default() };
            reports.send_replace(Arc::new(looked));
            sleep(Duration::from_secs(6)).await;
            assert_eq!(heard().revision, 41);
            stop.cancel();
        };
        tokio::join!(reporter.run(stop.clone()), watching);
    }
}
