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
