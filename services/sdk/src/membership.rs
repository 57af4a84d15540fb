//! The loop that keeps this process in the registry, and takes it out.
//!
//! Asks the lease what to do, does it, and says in the log what an operator would want to know. It
//! ends only after a stop; no answer of a registry, and no silence, ends it earlier.

use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{debug, error, info, warn};

use crate::instance::Instance;
use crate::journal::Journal;
use crate::lease::{Action, Event, LEAVE_DEADLINE, Lease, Pace};
use crate::register::{Error, Grant, Registrar, Severity};
use crate::schema::Schema;

/// One instance in one registry.
#[derive(Debug)]
pub(crate) struct Membership {
    registrar: Registrar,
    /// The registry's address, for the log.
    registry: String,
    instance: Instance,
    schema: Schema,
    pace: Pace,
    start: Instant,
    journal: Journal,
}

impl Membership {
    pub(crate) fn new(
        registrar: Registrar,
        registry: String,
        instance: Instance,
        schema: Schema,
        linger: Duration,
    ) -> Self {
        let pace = Pace { linger, verify: registrar.verify_every() };
        let (start, journal) = (Instant::now(), Journal::default());
        Self { registrar, registry, instance, schema, pace, start, journal }
    }

    /// Registers and stays registered until `stop`; then leaves, which takes no longer than the time
    /// to linger and two short calls.
    pub(crate) async fn run(mut self, stop: &CancellationToken) {
        let mut lease = Lease::new();
        loop {
            let action = lease.next(self.start.elapsed());
            if action == Action::End {
                return;
            }
            let event = if lease.is_leaving() {
                self.perform(action).await
            } else {
                tokio::select! {
                    biased;
                    () = stop.cancelled() => Event::Stop,
                    event = self.perform(action) => event,
                }
            };
            lease = lease.after(event, self.start.elapsed(), rand::random(), self.pace);
        }
    }

    async fn perform(&mut self, action: Action) -> Event {
        match action {
            Action::Wait(time) => {
                tokio::time::sleep(time).await;
                Event::Waited
            }
            Action::Join => match self.registrar.join(&self.instance, &self.schema).await {
                Ok(grant) => self.joined(grant),
                Err(why) => self.kept_out(&why),
            },
            Action::Beat { lease, within } => {
                let kept = self.registrar.beat(&lease, within).await;
                self.held(kept, Event::Kept)
            }
            Action::Verify { lease, within } => {
                let kept = self.registrar.verify(&self.instance, &lease, within).await;
                self.held(kept, Event::Verified)
            }
            Action::Announce { lease } => {
                let lease = lease.as_deref();
                match self.registrar.announce(&self.instance, &self.schema, lease, LEAVE_DEADLINE).await {
                    Ok(grant) => {
                        info!("{} is draining; routers have {:?} to notice", self.name(), self.pace.linger);
                        Event::Joined { lease: grant.lease, ttl: grant.ttl }
                    }
                    Err(why) => {
                        warn!("could not tell the registry that {} is draining: {why}", self.name());
                        event(&why)
                    }
                }
            }
            Action::Remove { lease } => {
                match self.registrar.remove(&self.instance, &lease, LEAVE_DEADLINE).await {
                    Ok(()) => {
                        info!("deregistered {}", self.name());
                        Event::Removed
                    }
                    Err(why) => {
                        warn!("could not deregister {}, its lease will end by itself: {why}", self.name());
                        event(&why)
                    }
                }
            }
            // `run` returns before it performs an end.
            Action::End => Event::Removed,
        }
    }

    fn joined(&mut self, grant: Grant) -> Event {
        self.journal.clear();
        let found = match grant.findings.len() {
            0 => "no findings".to_owned(),
            1 => "1 finding".to_owned(),
            many => format!("{many} findings"),
        };
        info!("registered {} at {} (lease {}, {found})", self.name(), self.instance.url, grant.lease);
        for each in &grant.findings {
            match each.severity {
                Severity::Error => error!("{each}"),
                Severity::Warning => warn!("{each}"),
                Severity::Info => info!("{each}"),
            }
        }
        Event::Joined { lease: grant.lease, ttl: grant.ttl }
    }

    fn kept_out(&mut self, why: &Error) -> Event {
        let sentence = match why {
            Error::Refused(refusal) => format!("the registry refused {}: {refusal}", self.name()),
            Error::Gone | Error::Failed(_) => {
                format!(
                    "cannot register {} with {}, trying for as long as it takes: {why}",
                    self.name(),
                    self.registry
                )
            }
        };
        let news = self.journal.is_news(&sentence, self.start.elapsed());
        match why {
            Error::Refused(_) if news => error!("{sentence}"),
            Error::Gone | Error::Failed(_) if news => warn!("{sentence}"),
            Error::Refused(_) | Error::Gone | Error::Failed(_) => debug!("{sentence}"),
        }
        event(why)
    }

    fn held(&self, kept: Result<(), Error>, held: Event) -> Event {
        match kept {
            Ok(()) => held,
            Err(why) => {
                warn!("lost the registration of {}, registering again: {why}", self.name());
                event(&why)
            }
        }
    }

    fn name(&self) -> String {
        format!("{} {}", self.instance.service, self.instance.version)
    }
}

fn event(why: &Error) -> Event {
    match why {
        Error::Refused(_) => Event::Refused,
        Error::Gone => Event::Gone,
        Error::Failed(_) => Event::Failed,
    }
}
