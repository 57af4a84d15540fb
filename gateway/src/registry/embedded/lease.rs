//! Heartbeats and their absence.
//!
//! A heartbeat touches the table of leases, and the hub only when the instance had been silent or missing. A
//! lease that ends takes its registration out of the file; the hub keeps showing it for a while, and a
//! heartbeat that comes within that while brings it back, because its process was only late.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use turnout_control::id::{InstanceId, LeaseId, ServiceName, SourceName};
use turnout_control::lease::Due;
use turnout_control::registry::{Presence, Registered};
use turnout_control::table::{Input, Removal, Said};

use super::sqlite::{Change, REVISIONS_UNSAID};
use super::{Embedded, Error, broken, key, lock, own};
use crate::telemetry::chain;

/// How often leases are looked at: a lease ends at most this much late.
const TICK: Duration = Duration::from_millis(250);

impl Embedded {
    /// A heartbeat; the seconds the lease lives, or `None` when it has ended. Never touches the disk.
    pub(super) fn renew(&self, lease: LeaseId) -> Option<u16> {
        let renewed = lock(&self.leases).renew(lease, self.hub.clock().age())?;
        let snapshot = self.hub.snapshot();
        let Some(known) = own(&snapshot, &renewed.service, &renewed.id) else { return Some(renewed.ttl_s) };
        match known.presence {
            Presence::Here => {}
            Presence::Silent => self.hears_again(&renewed.service, &renewed.id),
            Presence::Missing | Presence::Held => self.is_back(known),
        }
        Some(renewed.ttl_s)
    }

    /// The instance of a lease that has ended, as long as the hub still shows it.
    pub(super) fn missed(&self, lease: LeaseId) -> Option<Registered> {
        let snapshot = self.hub.snapshot();
        let mut own = snapshot.instances().filter(|known| known.source == SourceName::own());
        let found = own.find(|known| {
            known.lease == Some(lease) && matches!(known.presence, Presence::Missing | Presence::Held)
        });
        found.cloned()
    }

    /// A heartbeat of a lease that has ended while the hub still shows its instance.
    pub(super) fn revive(&self, lease: LeaseId) -> Result<Option<u16>, Error> {
        let mut held = lock(&self.held);
        // Two heartbeats may come at once, or a newer process was faster.
        let Some(missed) = self.missed(lease) else { return Ok(self.renew(lease)) };
        let (service, id) = (&missed.instance.service, &missed.instance.id);
        if held.registered.instance(service, id).is_some() {
            return Ok(self.renew(lease));
        }
        let back = Registered { presence: Presence::Here, ..missed.clone() };
        let input = Input::Put(SourceName::own(), key(service, id), Said::Instance(back.clone()));
        self.commit(&mut held, Change::Put(back), vec![input])?;
        let of = (service.clone(), id.clone());
        lock(&self.leases).grant(lease, of, missed.ttl_s, self.hub.clock().age());
        self.hears_again(service, id);
        Ok(Some(missed.ttl_s))
    }

    /// The hub took an instance for lost whose lease never ended.
    fn is_back(&self, known: &Registered) {
        let (service, id) = (&known.instance.service, &known.instance.id);
        let here = Registered { presence: Presence::Here, ..known.clone() };
        self.hub.tell(Input::Put(SourceName::own(), key(service, id), Said::Instance(here)));
        self.hears_again(service, id);
    }

    fn hears_again(&self, service: &ServiceName, id: &InstanceId) {
        tracing::info!(%service, %id, "heartbeats arrive again");
        self.hub.tell(Input::Heard(SourceName::own(), key(service, id), Presence::Here));
    }

    /// Ends leases when their time has passed, until it is told to stop.
    pub(super) async fn expire(self: Arc<Self>, stop: CancellationToken) {
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                _ = ticks.tick() => {}
            }
            let registry = self.clone();
            match tokio::task::spawn_blocking(move || registry.expire_due()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::error!(error = %chain(&error), "cannot end leases"),
                Err(error) => tracing::error!(%error, "ending leases failed"),
            }
        }
    }

    pub(super) fn expire_due(&self) -> Result<(), Error> {
        let mut held = lock(&self.held);
        let revision = self.hub.snapshot().revision;
        if revision.saturating_sub(held.said) > REVISIONS_UNSAID / 2 {
            held.file.say(revision).map_err(broken)?;
            held.said = revision;
        }
        let due = lock(&self.leases).step(self.hub.clock().age());
        let (mut silent, mut ended) = (Vec::new(), Vec::new());
        for due in due {
            match due {
                Due::Silent(service, id) => {
                    tracing::warn!(%service, %id, "heartbeats stopped");
                    silent.push(Input::Heard(SourceName::own(), key(&service, &id), Presence::Silent));
                }
                Due::Expired(service, id) => {
                    tracing::warn!(%service, %id, "lease ended");
                    ended.push((service, id));
                }
            }
        }
        self.hub.tell_all(silent);
        if ended.is_empty() {
            return Ok(());
        }
        // Together: thousands end at once when the network was cut, and who registers meanwhile waits.
        let gone = |(service, id)| Input::Removed(SourceName::own(), key(service, id), Removal::Expired);
        let inputs = ended.iter().map(|(service, id)| gone((service, id))).collect();
        let changes = ended.iter().map(|(service, id)| Change::Remove(service.clone(), id.clone())).collect();
        let done = self.commit_all(&mut held, changes, inputs).map(drop);
        if done.is_err() {
            for (service, id) in &ended {
                self.grant_again(held.registered.instance(service, id));
            }
        }
        done
    }

    /// The end of a lease that could not be written has not happened: it gets its time once more.
    fn grant_again(&self, known: Option<&Registered>) {
        if let Some(known) = known
            && let Some(lease) = known.lease
        {
            let of = (known.instance.service.clone(), known.instance.id.clone());
            lock(&self.leases).grant(lease, of, known.ttl_s, self.hub.clock().age());
        }
    }
}
