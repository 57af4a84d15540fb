//! What writers do, one after the other: on disk first, then for everyone to see.
//!
//! Each holds its turn from the decision to the telling, so that nothing comes between. All of them block.

use std::collections::BTreeMap;
use std::sync::Arc;

use turnout_control::id::{InstanceId, LeaseId, ServiceName, SourceName, Version};
use turnout_control::lease::HEARTBEATS;
use turnout_control::records::{self, Records};
use turnout_control::registration::{self, Refusal, Registration, Schema};
use turnout_control::registry::{Event, Intent, Presence, Registered, Snapshot, VersionRecord, Why};
use turnout_control::table::{Input, Removal, Said};
use turnout_schema::{Descriptors, Digest};

use super::sqlite::Change;
use super::{Blob, Embedded, Error, Granted, Held, Stored, broken, key, lock, own};

impl Embedded {
    pub(super) fn register(&self, registration: &Registration) -> Result<Granted, Error> {
        let mut held = lock(&self.held);
        let instance = &registration.instance;
        let schema = match &instance.schema {
            None => Schema::Unnamed,
            Some(schema) => {
                let services = held.file.schema_services(schema.digest).map_err(broken)?;
                services.map_or(Schema::Unknown, Schema::Stored)
            }
        };
        let known = self.learned(&held, &instance.service, &instance.version);
        let findings = registration::admit(&known, instance, &schema)?;

        let known = held.registered.instance(&instance.service, &instance.id).cloned();
        let same_process = known.as_ref().filter(|known| known.instance.incarnation == instance.incarnation);
        let lease = same_process.and_then(|known| known.lease);
        let lease = lease.unwrap_or_else(|| LeaseId::from_random(rand::random()));
        let registered = Registered {
            instance: Arc::new(instance.clone()),
            source: SourceName::own(),
            lease: Some(lease),
            ttl_s: registration.ttl_s,
            registered_at: same_process.map_or_else(|| self.hub.clock().now(), |known| known.registered_at),
            presence: Presence::Here,
            refused: None,
        };
        let entry = key(&instance.service, &instance.id);
        let input = Input::Put(SourceName::own(), entry.clone(), Said::Instance(registered.clone()));
        // It speaks, so it is here, also if its heartbeats were missing.
        let heard = Input::Heard(SourceName::own(), entry, Presence::Here);
        let shown = self.hub.snapshot();
        let shown = own(&shown, &instance.service, &instance.id);
        let is_shown = shown.is_some_and(|shown| shown.presence == Presence::Here);
        let mut revision = self.hub.snapshot().revision;
        if known.as_ref() != Some(&registered) {
            let inputs = if is_shown || known.is_none() { vec![input] } else { vec![input, heard] };
            revision = self.commit(&mut held, Change::Put(registered), inputs)?;
        } else if !is_shown {
            self.hub.tell(input);
            revision = self.hub.tell(heard);
        }
        let mut leases = lock(&self.leases);
        if let Some(replaced) = known.and_then(|known| known.lease).filter(|known| *known != lease) {
            leases.revoke(replaced);
        }
        let of = (instance.service.clone(), instance.id.clone());
        leases.grant(lease, of, registration.ttl_s, self.hub.clock().age());
        let heartbeat_s = registration.ttl_s / HEARTBEATS;
        Ok(Granted { lease, ttl_s: registration.ttl_s, heartbeat_s, revision, findings })
    }

    pub(super) fn deregister(
        &self,
        service: &ServiceName,
        id: &InstanceId,
        lease: LeaseId,
    ) -> Result<u64, Error> {
        let mut held = lock(&self.held);
        let entry = key(service, id);
        let goodbye = Input::Removed(SourceName::own(), entry.clone(), Removal::Goodbye);
        let Some(known) = held.registered.instance(service, id) else {
            // Its lease has ended, and the hub may still wait for it.
            return Ok(match self.missed(lease) {
                Some(missed) if key(&missed.instance.service, &missed.instance.id) == entry => {
                    self.hub.tell(goodbye)
                }
                Some(_) | None => self.hub.snapshot().revision,
            });
        };
        if known.lease != Some(lease) {
            return Err(Error::OtherLease(id.clone()));
        }
        // Whoever knows the lease says goodbye for itself; its last word tells that from a mass deletion.
        let mut inputs = vec![goodbye];
        if known.instance.intent == Intent::Up {
            let mut last = known.clone();
            Arc::make_mut(&mut last.instance).intent = Intent::Draining;
            inputs.insert(0, Input::Put(SourceName::own(), entry, Said::Instance(last)));
        }
        let revision = self.commit(&mut held, Change::Remove(service.clone(), id.clone()), inputs)?;
        lock(&self.leases).revoke(lease);
        Ok(revision)
    }

    pub(super) fn bind(&self, service: &ServiceName, version: &Version, digest: Digest) -> Result<(), Error> {
        let mut held = lock(&self.held);
        let known = self.learned(&held, service, version);
        let known = known.service(service).and_then(|of| of.versions.get(version)).copied();
        match known.and_then(|known| known.digest) {
            Some(bound) if bound == digest => {}
            Some(bound) => {
                let (service, version) = (service.clone(), version.clone());
                return Err(Refusal::VersionBound { service, version, bound, offered: digest }.into());
            }
            None if held.file.schema_services(digest).map_err(broken)?.is_none() => {
                return Err(Refusal::SchemaUnknown(digest).into());
            }
            None => {}
        }
        let written = held.registered.service(service).and_then(|of| of.versions.get(version));
        if written.is_some_and(|written| written.digest == Some(digest)) {
            return Ok(());
        }
        let first_seen = known.map_or_else(|| self.hub.clock().now(), |known| known.first_seen);
        let record = VersionRecord { digest: Some(digest), first_seen };
        let input = Input::Version(service.clone(), version.clone(), record);
        self.commit(&mut held, Change::Version(service.clone(), version.clone(), record), vec![input])?;
        Ok(())
    }

    /// What the file holds, and what other sources have told of one version.
    fn learned(&self, held: &Held, service: &ServiceName, version: &Version) -> Snapshot {
        let snapshot = self.hub.snapshot();
        match snapshot.service(service).and_then(|of| of.versions.get(version)) {
            Some(record) => held.registered.apply(&Event::Version(service.clone(), version.clone(), *record)),
            None => held.registered.clone(),
        }
    }

    pub(super) fn put_schema(&self, said: Digest, bytes: &[u8]) -> Result<Stored, Error> {
        let found = Digest::of(bytes);
        if found != said {
            return Err(Error::Digest { said, found });
        }
        let descriptors = Descriptors::read(bytes)?;
        let now = self.hub.clock().now();
        let created = lock(&self.held).file.put_schema(&descriptors, bytes, now)?;
        Ok(Stored { digest: said, services: descriptors.services(), created })
    }

    pub(super) fn remove_schema(&self, blob: &Blob) -> Result<bool, Error> {
        let held = lock(&self.held);
        // Somebody registered with them since they were found to be unneeded.
        let mut named = held.registered.instances().filter_map(|known| known.instance.schema.as_ref());
        if named.any(|schema| schema.digest == blob.digest) {
            return Ok(false);
        }
        held.file.remove_schema(blob.digest, blob.copy).map_err(broken)
    }

    pub(super) fn change(&self, change: &records::Change) -> Result<u64, Error> {
        change.measure()?;
        let mut held = lock(&self.held);
        let now = self.records.borrow().clone();
        let mut looked_at = BTreeMap::new();
        for key in change.expected.keys() {
            let found = if key.kind.is_watched() {
                now.get(key).cloned()
            } else {
                held.file.record(key).map_err(broken)?
            };
            looked_at.extend(found.map(|found| (key.clone(), found)));
        }
        Records::restore(now.revision, looked_at).check(change)?;
        let revision = now.revision + 1;
        held.file.change(change, revision).map_err(broken)?;
        let watched = change.writes.iter().filter(|(key, _)| key.kind.is_watched());
        let watched = records::Change {
            expected: BTreeMap::new(),
            writes: watched.map(|(key, value)| (key.clone(), value.clone())).collect(),
        };
        self.records.send_replace(Arc::new(now.apply(&watched, revision)));
        Ok(revision)
    }

    /// On disk first, then for everyone to see; the revision after it.
    pub(super) fn commit(&self, held: &mut Held, change: Change, inputs: Vec<Input>) -> Result<u64, Error> {
        self.commit_all(held, vec![change], inputs)
    }

    /// The same for many changes: one write, whatever their number, because others wait for their turn.
    pub(super) fn commit_all(
        &self,
        held: &mut Held,
        changes: Vec<Change>,
        inputs: Vec<Input>,
    ) -> Result<u64, Error> {
        let said = self.hub.snapshot().revision + u64::try_from(inputs.len()).unwrap_or_default();
        held.file.commit(said, &changes).map_err(broken)?;
        held.said = said;
        let event = |change| match change {
            Change::Put(registered) => Event::Up(registered),
            Change::Remove(service, id) => Event::Down(service, id, Why::Deregistered),
            Change::Version(service, version, record) => Event::Version(service, version, record),
        };
        let events: Vec<Event> = changes.into_iter().map(event).collect();
        held.registered = held.registered.fold(&events);
        let revision = self.hub.tell_all(inputs);
        self.is_heard(held);
        Ok(revision)
    }
}
