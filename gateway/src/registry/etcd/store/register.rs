//! Registering, renewing, leaving, binding: what one instance asks for.
//!
//! Each write compares what it was decided by: the instance, the binding of its version, the description of its
//! descriptors, and that the version is not retired. Where one of them changed meanwhile, all is looked at
//! again. A lease is granted before the write and taken back when the write was not made; a write whose answer
//! was lost is found again by its lease. An answer is given after the hub was told.

use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};
use tokio::time::{sleep, timeout};
use turnout_control::id::{InstanceId, LeaseId, ServiceName, Version};
use turnout_control::lease::HEARTBEATS;
use turnout_control::records::{Key, Kind};
use turnout_control::registration::{Ground, Refusal, Registration, Schema, ServiceLife, hold};
use turnout_control::registry::{Registered, VersionRecord};
use turnout_control::watch::Entry;
use turnout_schema::{Diagnostic, Digest};

use super::value::{self, Meta};
use super::view::name;
use super::{Etcd, WRITE, away, in_time, lock, revision, unreadable, written_at};
use crate::registry::etcd::Outcome;
use crate::registry::store::{Error, Granted};

/// How often a write is tried that others were quicker than.
const TRIES: usize = 12;
/// The longest pause between two tries.
const PAUSE_MAX: Duration = Duration::from_millis(40);
/// How long an answer waits until the write was heard of; after that it is told here.
const HEARD: Duration = Duration::from_secs(1);
/// How long taking back what was not used may take.
const TIDY: Duration = Duration::from_millis(500);

/// What a registration is decided by.
struct Found {
    instance: Option<Entry>,
    registered: Option<Registered>,
    version: Option<Entry>,
    record: Option<VersionRecord>,
    meta: Option<Entry>,
    schema: Schema,
    tombstone: Option<Entry>,
}

/// A lease and how long it lives; whether it was there before.
#[derive(Clone, Copy)]
struct Lease {
    number: i64,
    ttl_s: u16,
}

/// What came of one try.
enum Tried {
    /// It is registered: when that was written, under which lease, and what its author should know.
    Written { at: u64, lease: Lease, replaced: Option<i64>, findings: Vec<Diagnostic> },
    /// Somebody else was quicker, or nobody knows.
    Again,
}

impl Etcd {
    /// Registers an instance; see `Store::register`.
    pub(super) async fn take(&self, registration: Registration) -> Result<Granted, Error> {
        let mut granted = None;
        let outcome = in_time(WRITE, self.tries(&registration, &mut granted)).await;
        let unused = match (&outcome, granted) {
            (Ok((granted, _)), Some(new)) if value::number(granted.lease) == Some(new.number) => None,
            (_, new) => new.map(|new: Lease| new.number),
        };
        let replaced = outcome.as_ref().ok().and_then(|(_, replaced)| *replaced);
        for lease in unused.into_iter().chain(replaced) {
            // What is not taken back here ends by itself after its time.
            let _ = timeout(TIDY, self.cluster.lease_revoke(lease)).await;
        }
        outcome.map(|(granted, _)| granted)
    }

    async fn tries(
        &self,
        registration: &Registration,
        granted: &mut Option<Lease>,
    ) -> Result<(Granted, Option<i64>), Error> {
        for _ in 0..TRIES {
            if let Tried::Written { at, lease, replaced, findings } =
                self.try_to(registration, granted).await?
            {
                let revision = self.heard(&registration.instance, at).await;
                let heartbeat_s = lease.ttl_s / HEARTBEATS;
                let number = value::lease(lease.number);
                let answer = Granted { lease: number, ttl_s: lease.ttl_s, heartbeat_s, revision, findings };
                return Ok((answer, replaced));
            }
            sleep(pause()).await;
        }
        Err(busy())
    }

    async fn try_to(&self, registration: &Registration, granted: &mut Option<Lease>) -> Result<Tried, Error> {
        let instance = &registration.instance;
        let of = (instance.service.clone(), instance.version.clone());
        let found = self.find(registration).await?;
        let known = self.view().version(&of);
        let retired = found.tombstone.is_some();
        let ground = Ground {
            // A binding that was lost in etcd, and is remembered here, still holds.
            bound: found.record.and_then(|record| record.digest).or(known.and_then(|known| known.digest)),
            service_life: if retired { ServiceLife::Retired } else { ServiceLife::Open },
            incarnation: found.registered.as_ref().map(|known| known.instance.incarnation),
        };
        let findings = hold(&ground, instance, &found.schema)?;

        let now = self.hub.clock().now();
        let same_process =
            found.registered.as_ref().filter(|known| known.instance.incarnation == instance.incarnation);
        let kept = self.kept(found.instance.as_ref(), same_process).await?;
        let lease = match (kept, *granted) {
            (Some(lease), _) | (None, Some(lease)) => lease,
            (None, None) => self.grant(registration.ttl_s, granted).await?,
        };
        if kept.is_some()
            && let (Some(known), Some(entry)) = (same_process, &found.instance)
            && *known.instance == *instance
            && found.record.is_some()
        {
            return Ok(Tried::Written { at: entry.written_at, lease, replaced: None, findings });
        }
        let registered_at = same_process.map_or(now, |known| known.registered_at);
        let stated = Registration { instance: instance.clone(), ttl_s: lease.ttl_s };
        let value = value::instance(&stated, registered_at);
        let first_seen = found.record.or(known).map_or(now, |record| record.first_seen);
        let digest = ground.bound.or(instance.schema.as_ref().map(|schema| schema.digest));
        let record = VersionRecord { digest, first_seen };

        let Some(at) = self.commit(registration, &found, (value.clone(), lease.number), record).await? else {
            return Ok(Tried::Again);
        };
        if let Schema::Stored(services) = found.schema
            && let Some(digest) = digest
        {
            self.view().looked_up(digest, Some(services), self.hub.clock().age());
        }
        self.learned(of, record);
        let replaced = found.instance.and_then(|entry| entry.lease).filter(|old| *old != lease.number);
        Ok(Tried::Written { at, lease, replaced, findings })
    }

    async fn find(&self, registration: &Registration) -> Result<Found, Error> {
        let instance = &registration.instance;
        let (service, version) = (&instance.service, &instance.version);
        let digest = instance.schema.as_ref().map(|schema| schema.digest);
        let mut keys = vec![
            self.keys.instance(service, &instance.id),
            self.keys.version(service, version),
            self.tombstone(service, version),
        ];
        keys.extend(digest.map(|digest| self.keys.meta(digest)));
        let mut found = self.look(keys).await?.into_iter();
        let (entry, bound, tombstone) =
            (found.next().flatten(), found.next().flatten(), found.next().flatten());
        let meta = found.next().flatten();
        let record = match &bound {
            None => None,
            Some(entry) => Some(
                value::version_record(&entry.value)
                    .ok_or_else(|| unreadable("the binding of the version cannot be read"))?,
            ),
        };
        let schema = match (digest, meta.as_ref().and_then(|meta| Meta::read(&meta.value))) {
            (None, _) => Schema::Unnamed,
            (Some(_), None) => Schema::Unknown,
            (Some(_), Some(meta)) => Schema::Stored(meta.services),
        };
        let prefix = self.keys.instances();
        let now = self.hub.clock().now();
        let terms = self.terms.borrow().clone();
        // What cannot be read is nobody's, and gives way.
        let read = |entry: &Entry| value::registered(entry, prefix.trim_end_matches('/'), &terms, now).ok();
        let registered = entry.as_ref().and_then(read);
        Ok(Found { instance: entry, registered, version: bound, record, meta, schema, tombstone })
    }

    /// The lease that a process has already, with its full time again.
    async fn kept(&self, entry: Option<&Entry>, known: Option<&Registered>) -> Result<Option<Lease>, Error> {
        let (Some(number), Some(known)) = (entry.and_then(|entry| entry.lease), known) else {
            return Ok(None);
        };
        let alive = self.cluster.lease_keep_alive(number).await.map_err(away)?;
        Ok(alive.then_some(Lease { number, ttl_s: known.ttl_s }))
    }

    async fn grant(&self, ttl_s: u16, granted: &mut Option<Lease>) -> Result<Lease, Error> {
        let number = value::new_number();
        // Remembered before it is asked for: the answer may be lost.
        *granted = Some(Lease { number, ttl_s });
        let answer = self.cluster.lease_grant(number, ttl_s.into()).await.map_err(away)?;
        let lease = Lease { number, ttl_s: u16::try_from(answer.ttl_s).unwrap_or(ttl_s).max(ttl_s) };
        *granted = Some(lease);
        Ok(lease)
    }

    /// Writes if nothing changed meanwhile; the revision of that, or `None` when it has to be looked at again.
    async fn commit(
        &self,
        registration: &Registration,
        found: &Found,
        (value, lease): (Vec<u8>, i64),
        record: VersionRecord,
    ) -> Result<Option<u64>, Error> {
        let instance = &registration.instance;
        let (service, version) = (&instance.service, &instance.version);
        let (key, bound) = (self.keys.instance(service, &instance.id), self.keys.version(service, version));
        let unchanged = |key: String, entry: Option<&Entry>| {
            Compare::mod_revision(key, CompareOp::Equal, written_at(entry))
        };
        let mut when = vec![
            unchanged(key.clone(), found.instance.as_ref()),
            unchanged(bound.clone(), found.version.as_ref()),
            unchanged(self.tombstone(service, version), None),
        ];
        if let Some(schema) = &instance.schema {
            when.push(unchanged(self.keys.meta(schema.digest), found.meta.as_ref()));
        }
        let mut then = vec![TxnOp::put(key, value, Some(PutOptions::new().with_lease(lease)))];
        if found.record != Some(record) {
            then.push(TxnOp::put(bound, value::version(record), None));
        }
        match self.cluster.txn(Txn::new().when(when).and_then(then)).await {
            Ok(response) => Ok(response.succeeded().then(|| revision(&response))),
            Err(error) if error.outcome() == Outcome::Unknown => Ok(None),
            // The lease ended between its grant and its use.
            Err(crate::registry::etcd::Error::NoLease) => Ok(None),
            Err(error) => Err(away(error)),
        }
    }

    /// Renews a lease; see `Store::renew`. A lease that keeps nothing any more, because somebody removed the
    /// entry, is none: its process must register again.
    pub(super) async fn keep(&self, lease: LeaseId) -> Result<Option<u16>, Error> {
        let Some(number) = value::number(lease) else { return Ok(None) };
        if !self.cluster.lease_keep_alive(number).await.map_err(away)? {
            return Ok(None);
        }
        let view = self.view();
        match view.kept_by(number) {
            Some(ttl_s) => Ok(Some(ttl_s)),
            None if view.is_complete() => Ok(None),
            None => Ok(Some(self.terms.borrow().ttl_s)),
        }
    }

    /// Removes an instance; see `Store::deregister`. First it says that it goes, so that whoever watches takes
    /// what follows for a goodbye.
    pub(super) async fn leave(
        &self,
        service: ServiceName,
        id: InstanceId,
        lease: LeaseId,
    ) -> Result<u64, Error> {
        let key = self.keys.instance(&service, &id);
        for _ in 0..TRIES {
            let Some(entry) = self.look(vec![key.clone()]).await?.pop().flatten() else {
                return Ok(self.hub.snapshot().revision);
            };
            let number = entry.lease.filter(|number| value::lease(*number) == lease);
            let Some(number) = number else { return Err(Error::OtherLease(id)) };
            let mut at = written_at(Some(&entry));
            if let Some(draining) = value::draining(&entry.value) {
                let put = TxnOp::put(key.clone(), draining, Some(PutOptions::new().with_lease(number)));
                let Some(done) = self.if_unchanged(&key, at, put).await? else { continue };
                at = i64::try_from(done).unwrap_or(i64::MAX);
            }
            let delete = TxnOp::delete(key.clone(), None);
            let Some(done) = self.if_unchanged(&key, at, delete).await? else { continue };
            let listed = name(&service, &id);
            if timeout(HEARD, self.until(|view| view.told_gone(&listed, done))).await.is_err() {
                self.gone(&Entry { written_at: done, ..entry });
            }
            let _ = timeout(TIDY, self.cluster.lease_revoke(number)).await;
            return Ok(self.hub.snapshot().revision);
        }
        Err(busy())
    }

    async fn if_unchanged(&self, key: &str, at: i64, then: TxnOp) -> Result<Option<u64>, Error> {
        let unchanged = Compare::mod_revision(key, CompareOp::Equal, at);
        match self.cluster.txn(Txn::new().when([unchanged]).and_then([then])).await {
            Ok(response) => Ok(response.succeeded().then(|| revision(&response))),
            Err(error) if error.outcome() == Outcome::Unknown => Ok(None),
            Err(crate::registry::etcd::Error::NoLease) => Ok(None),
            Err(error) => Err(away(error)),
        }
    }

    /// Binds a version; see `Store::bind`.
    pub(super) async fn bind_version(
        &self,
        service: ServiceName,
        version: Version,
        digest: Digest,
    ) -> Result<(), Error> {
        let of = (service, version);
        for _ in 0..TRIES {
            if self.meta(digest).await?.is_none() {
                return Err(Refusal::SchemaUnknown(digest).into());
            }
            let known = self.view().version(&of);
            if let Some(record) = self.bind_if_open(&of, Some(digest), known).await? {
                self.learned(of.clone(), record);
                let bound = known.and_then(|known| known.digest).or(record.digest);
                return match bound.filter(|bound| *bound != digest) {
                    None => Ok(()),
                    Some(bound) => {
                        let (service, version) = of;
                        Err(Refusal::VersionBound { service, version, bound, offered: digest }.into())
                    }
                };
            }
            sleep(pause()).await;
        }
        Err(busy())
    }

    /// Writes a version down, with its descriptors if it has none yet; what stands there then, or `None` when
    /// it has to be looked at again. Whoever comes first decides.
    pub(super) async fn bind_if_open(
        &self,
        of: &(ServiceName, Version),
        digest: Option<Digest>,
        known: Option<VersionRecord>,
    ) -> Result<Option<VersionRecord>, Error> {
        let key = self.keys.version(&of.0, &of.1);
        let entry = self.look(vec![key.clone()]).await?.pop().flatten();
        let record = match &entry {
            None => None,
            Some(entry) => Some(
                value::version_record(&entry.value)
                    .ok_or_else(|| unreadable("the binding of the version cannot be read"))?,
            ),
        };
        if let Some(record) = record.filter(|record| record.digest.is_some() || digest.is_none()) {
            return Ok(Some(record));
        }
        let first_seen = record.or(known).map_or_else(|| self.hub.clock().now(), |record| record.first_seen);
        let digest = known.and_then(|known| known.digest).or(digest);
        let next = VersionRecord { digest, first_seen };
        let put = TxnOp::put(key.clone(), value::version(next), None);
        let done = self.if_unchanged(&key, written_at(entry.as_ref()), put).await?;
        Ok(done.map(|_| next))
    }

    fn tombstone(&self, service: &ServiceName, version: &Version) -> String {
        let key = Key::new(Kind::Tombstone, &format!("{service}/{version}"));
        self.keys.record(&key.expect("names and versions are parts of keys"))
    }

    /// Waits until the hub was told of what was written at a revision, and tells it when nobody else does; the
    /// hub's revision then.
    async fn heard(&self, instance: &turnout_control::registry::Instance, at: u64) -> u64 {
        let (service, id) = (&instance.service, &instance.id);
        let entry = name(service, id);
        if timeout(HEARD, self.until(|view| view.told(&entry, at))).await.is_err() {
            let key = self.keys.instance(service, id);
            if let Ok(Some(Some(found))) = self.look(vec![key]).await.map(|mut found| found.pop()) {
                self.put(Arc::new(found));
            }
        }
        self.hub.snapshot().revision
    }

    async fn until(&self, holds: impl Fn(&super::View) -> bool) {
        let mut told = self.told.subscribe();
        loop {
            told.borrow_and_update();
            if holds(&lock(&self.view)) || told.changed().await.is_err() {
                return;
            }
        }
    }
}

fn pause() -> Duration {
    rand::random_range(Duration::from_millis(1)..PAUSE_MAX)
}

fn busy() -> Error {
    Error::Unavailable("etcd cannot be used", "others were always quicker".into())
}
