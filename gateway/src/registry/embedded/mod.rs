//! The registry inside the gateway: one file, and leases in memory.
//!
//! A change is decided by `turnout_control`, written to the file, and only then told to the hub and to its
//! author. Writers take turns on blocking threads. What the file holds is what a restart begins with, and
//! every lease then gets its full time, so that nobody goes because the registry was away.

mod sqlite;

use std::collections::BTreeMap;
use std::fs::{File, TryLockError};
use std::future::ready;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::id::{InstanceId, LeaseId, ServiceName, SourceName, Version};
use turnout_control::lease::{Due, HEARTBEATS, Leases};
use turnout_control::records::{self, Key, Kind, Record, Records};
use turnout_control::registration::{self, Refusal, Registration, Schema};
use turnout_control::registry::{Presence, Registered, Snapshot, VersionRecord};
use turnout_control::table::{Input, Removal, Said};
use turnout_schema::{Descriptors, Digest};

use self::sqlite::{Change, Sqlite};
use super::store::{Blob, Error, Granted, Leadership, Store, Stored};
use super::{Hub, Known, Registry};
use crate::clock::Clock;
use crate::telemetry::chain;

/// How often leases are looked at: a lease ends at most this much late.
const TICK: Duration = Duration::from_millis(250);

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It cannot be read or made.
    #[error("data directory {}", .0.display())]
    Directory(PathBuf, #[source] std::io::Error),
    /// Another process uses it.
    #[error("another turnout uses the data directory {}", .0.display())]
    Taken(PathBuf),
    /// The file cannot be read or written.
    #[error("registry file")]
    File(#[from] sqlite::Error),
}

/// The file, open and locked, before anybody uses it.
pub struct Opened {
    file: Sqlite,
    known: Snapshot,
    lock: File,
}

impl Opened {
    /// Opens the registry in a directory, which is made when it is missing. Blocks.
    pub fn open(directory: &Path) -> Result<Opened, OpenError> {
        let at = |error| OpenError::Directory(directory.to_owned(), error);
        std::fs::create_dir_all(directory).map_err(at)?;
        let lock = File::create(directory.join("lock")).map_err(at)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Taken(directory.to_owned()),
            TryLockError::Error(error) => at(error),
        })?;
        let file = Sqlite::open(&directory.join("registry.sqlite"))?;
        let known = file.load()?;
        Ok(Opened { file, known, lock })
    }

    /// What it holds.
    pub fn known(&self) -> Known {
        let entry = |registered: &Registered| {
            (
                registered.source.clone(),
                key(&registered.instance.service, &registered.instance.id),
                registered.clone(),
            )
        };
        Known { snapshot: self.known.clone(), entries: self.known.instances().map(entry).collect() }
    }
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

/// A registry that has no other source than the file in a directory. Blocks.
pub fn alone(directory: &Path, clock: Clock, grace: Duration) -> Result<Registry, OpenError> {
    let opened = Opened::open(directory)?;
    let hub = Arc::new(Hub::new(vec![SourceName::own()], opened.known(), clock));
    Ok(Registry { store: Embedded::new(opened, hub.clone(), grace), hub })
}

/// How an instance is called in the hub.
fn key(service: &ServiceName, id: &InstanceId) -> String {
    format!("{service}/{id}")
}

/// The registry of one gateway.
pub struct Embedded {
    /// What blocks runs on another thread, which has it for as long.
    itself: Weak<Embedded>,
    hub: Arc<Hub>,
    /// Held by a writer for as long as the disk takes; only blocking threads wait for it.
    file: Mutex<Sqlite>,
    /// Apart from `file`: a heartbeat must not wait for the disk. Taken after `file`, never before.
    leases: Mutex<Leases>,
    records: watch::Sender<Arc<Records>>,
    leadership: watch::Sender<Leadership>,
    /// Held for the life of the process, so that two never write one file.
    _lock: File,
}

impl Embedded {
    /// The registry of an opened file. What it holds was given to the hub when that was made; no lease ends
    /// before the grace has passed, because a service may itself have been cut off.
    pub fn new(opened: Opened, hub: Arc<Hub>, grace: Duration) -> Arc<Embedded> {
        let mut leases = Leases::default();
        let grace_s = u16::try_from(grace.as_secs()).unwrap_or(u16::MAX);
        for registered in opened.known.instances() {
            let of = (registered.instance.service.clone(), registered.instance.id.clone());
            if let Some(lease) = registered.lease {
                leases.grant(lease, of, registered.ttl_s.max(grace_s), hub.clock().age());
            }
        }
        Arc::new_cyclic(|itself| Embedded {
            itself: itself.clone(),
            hub,
            file: Mutex::new(opened.file),
            leases: Mutex::new(leases),
            records: watch::Sender::new(Arc::default()),
            leadership: watch::Sender::new(Leadership::Leads),
            _lock: opened.lock,
        })
    }

    fn register(&self, registration: &Registration) -> Result<Granted, Error> {
        let mut file = lock(&self.file);
        let snapshot = self.hub.snapshot();
        let instance = &registration.instance;
        let schema = match &instance.schema {
            None => Schema::Unnamed,
            Some(schema) => {
                let services = file.schema_services(schema.digest).map_err(broken)?;
                services.map_or(Schema::Unknown, Schema::Stored)
            }
        };
        let findings = registration::admit(&snapshot, instance, &schema)?;

        let known = own(&snapshot, &instance.service, &instance.id);
        let same_process = known.filter(|known| known.instance.incarnation == instance.incarnation);
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
        let mut revision = snapshot.revision;
        if known != Some(&registered) {
            let entry = key(&instance.service, &instance.id);
            revision = self.commit(
                &mut file,
                Change::Put(registered.clone()),
                Input::Put(SourceName::own(), entry, Said::Instance(registered)),
            )?;
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

    /// Touches the disk never, and the hub only when the instance had been silent.
    fn renew(&self, lease: LeaseId) -> Option<u16> {
        let renewed = lock(&self.leases).renew(lease, self.hub.clock().age())?;
        let snapshot = self.hub.snapshot();
        let known = own(&snapshot, &renewed.service, &renewed.id);
        if known.is_some_and(|known| known.presence != Presence::Here) {
            tracing::info!(service = %renewed.service, id = %renewed.id, "heartbeats arrive again");
            let entry = key(&renewed.service, &renewed.id);
            self.hub.tell(Input::Heard(SourceName::own(), entry, Presence::Here));
        }
        Some(renewed.ttl_s)
    }

    fn deregister(&self, service: &ServiceName, id: &InstanceId, lease: LeaseId) -> Result<u64, Error> {
        let mut file = lock(&self.file);
        let snapshot = self.hub.snapshot();
        let Some(known) = own(&snapshot, service, id) else { return Ok(snapshot.revision) };
        if known.lease != Some(lease) {
            return Err(Error::OtherLease(id.clone()));
        }
        let goodbye = Input::Removed(SourceName::own(), key(service, id), Removal::Goodbye);
        let revision = self.commit(&mut file, Change::Remove(service.clone(), id.clone()), goodbye)?;
        lock(&self.leases).revoke(lease);
        Ok(revision)
    }

    fn bind(&self, service: &ServiceName, version: &Version, digest: Digest) -> Result<(), Error> {
        let mut file = lock(&self.file);
        let snapshot = self.hub.snapshot();
        let known = snapshot.service(service).and_then(|of| of.versions.get(version)).copied();
        match known.and_then(|known| known.digest) {
            Some(bound) if bound == digest => return Ok(()),
            Some(bound) => {
                let (service, version) = (service.clone(), version.clone());
                return Err(Refusal::VersionBound { service, version, bound, offered: digest }.into());
            }
            None => {}
        }
        let first_seen = known.map_or_else(|| self.hub.clock().now(), |known| known.first_seen);
        let record = VersionRecord { digest: Some(digest), first_seen };
        let input = Input::Version(service.clone(), version.clone(), record);
        self.commit(&mut file, Change::Version(service.clone(), version.clone(), record), input)?;
        Ok(())
    }

    fn put_schema(&self, said: Digest, bytes: &[u8]) -> Result<Stored, Error> {
        let found = Digest::of(bytes);
        if found != said {
            return Err(Error::Digest { said, found });
        }
        let descriptors = Descriptors::read(bytes)?;
        let now = self.hub.clock().now();
        let created = lock(&self.file).put_schema(&descriptors, bytes, now).map_err(broken)?;
        Ok(Stored { digest: said, services: descriptors.services(), created })
    }

    /// Ends leases when their time has passed, until it is told to stop.
    async fn expire(self: Arc<Self>, stop: CancellationToken) {
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

    fn expire_due(&self) -> Result<(), Error> {
        let mut file = lock(&self.file);
        let due = lock(&self.leases).step(self.hub.clock().age());
        for due in due {
            match due {
                Due::Silent(service, id) => {
                    tracing::warn!(%service, %id, "heartbeats stopped");
                    let entry = key(&service, &id);
                    self.hub.tell(Input::Heard(SourceName::own(), entry, Presence::Silent));
                }
                Due::Expired(service, id) => {
                    tracing::warn!(%service, %id, "lease ended");
                    let gone = Input::Removed(SourceName::own(), key(&service, &id), Removal::Expired);
                    self.commit(&mut file, Change::Remove(service.clone(), id.clone()), gone)
                        .inspect_err(|_| self.grant_again(&service, &id))?;
                }
            }
        }
        Ok(())
    }

    /// The end of a lease that could not be written has not happened: it gets its time once more.
    fn grant_again(&self, service: &ServiceName, id: &InstanceId) {
        let snapshot = self.hub.snapshot();
        if let Some(known) = own(&snapshot, service, id)
            && let Some(lease) = known.lease
        {
            let of = (service.clone(), id.clone());
            lock(&self.leases).grant(lease, of, known.ttl_s, self.hub.clock().age());
        }
    }

    /// On disk first, then for everyone to see; the revision after it.
    fn commit(&self, file: &mut Sqlite, change: Change, input: Input) -> Result<u64, Error> {
        file.commit(self.hub.snapshot().revision + 1, &[change]).map_err(broken)?;
        Ok(self.hub.tell(input))
    }
}

impl Store for Embedded {
    fn register(&self, registration: Registration) -> BoxFuture<'_, Result<Granted, Error>> {
        blocking(self, move |registry| registry.register(&registration))
    }

    fn renew(&self, lease: LeaseId) -> BoxFuture<'_, Result<Option<u16>, Error>> {
        Box::pin(ready(Ok(self.renew(lease))))
    }

    fn deregister(
        &self,
        service: ServiceName,
        id: InstanceId,
        lease: LeaseId,
    ) -> BoxFuture<'_, Result<u64, Error>> {
        blocking(self, move |registry| registry.deregister(&service, &id, lease))
    }

    fn bind(
        &self,
        service: ServiceName,
        version: Version,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), Error>> {
        blocking(self, move |registry| registry.bind(&service, &version, digest))
    }

    fn put_schema(&self, said: Digest, bytes: Bytes) -> BoxFuture<'_, Result<Stored, Error>> {
        blocking(self, move |registry| registry.put_schema(said, &bytes))
    }

    fn schema(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Bytes>, Error>> {
        blocking(self, move |registry| {
            let found = lock(&registry.file).schema(digest).map_err(broken)?;
            Ok(found.map(Bytes::from))
        })
    }

    fn schema_services(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Vec<String>>, Error>> {
        blocking(self, move |registry| lock(&registry.file).schema_services(digest).map_err(broken))
    }

    fn schemas(&self) -> BoxFuture<'_, Result<Vec<Blob>, Error>> {
        Box::pin(ready(Ok(Vec::new())))
    }

    fn remove_schema(&self, _blob: Blob) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(ready(Ok(false)))
    }

    fn records(&self) -> watch::Receiver<Arc<Records>> {
        self.records.subscribe()
    }

    fn change(&self, change: records::Change) -> BoxFuture<'_, Result<u64, Error>> {
        let now = self.records.borrow().clone();
        let checked = now.check(&change).map(|()| now.revision + 1);
        if let Ok(revision) = checked {
            self.records.send_replace(Arc::new(now.apply(&change, revision)));
        }
        Box::pin(ready(checked.map_err(Error::from)))
    }

    fn read(
        &self,
        _kind: Kind,
        _after: Option<Key>,
        _limit: usize,
    ) -> BoxFuture<'_, Result<BTreeMap<Key, Record>, Error>> {
        Box::pin(ready(Ok(BTreeMap::new())))
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(self.expire(stop))
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}

/// What this store knows of an instance; another source may have one of the same name.
fn own<'a>(snapshot: &'a Snapshot, service: &ServiceName, id: &InstanceId) -> Option<&'a Registered> {
    snapshot.instance(service, id).filter(|known| known.source == SourceName::own())
}

fn broken(error: sqlite::Error) -> Error {
    Error::Unavailable("the registry file cannot be used", Box::new(error))
}

/// Runs something that blocks where it may.
fn blocking<T: Send + 'static>(
    registry: &Embedded,
    work: impl FnOnce(&Embedded) -> Result<T, Error> + Send + 'static,
) -> BoxFuture<'static, Result<T, Error>> {
    let Some(registry) = registry.itself.upgrade() else { return Box::pin(ready(Err(Error::Stopping))) };
    Box::pin(async move {
        tokio::task::spawn_blocking(move || work(&registry)).await.unwrap_or(Err(Error::Stopping))
    })
}

/// A panic while the lock was held left nothing half done: the file has the last word.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
