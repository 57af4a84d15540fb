//! The registry inside the gateway: one file, and leases in memory.
//!
//! A change is decided by `turnout_control`, written to the file, and only then told to the hub and to its
//! author. Writers take turns on blocking threads. What the file holds is what a restart begins with, and
//! every lease then gets its full time, so that nobody goes because the registry was away. What is decided is
//! held against the file and not against the hub, which also has what other sources say and what went
//! without a goodbye.

mod blobs;
mod lease;
mod records;
mod sqlite;
#[cfg(test)]
mod tests;
mod write;

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
use turnout_control::lease::Leases;
use turnout_control::records::{Change, Key, Kind, Record, Records};
use turnout_control::registration::Registration;
use turnout_control::registry::{Registered, Snapshot};
use turnout_schema::Digest;

use self::sqlite::Sqlite;
use super::store::{Blob, Error, Granted, Leadership, REPORT_BYTES_MAX, Store, Stored};
use super::{Freshness, Hearing, Hub, Known, Registry};
use crate::clock::Clock;
use crate::telemetry::chain;

/// What the only gateway is called among all.
const ALONE: &str = "alone";

/// Why the data directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The process is told to stop while it starts.
    #[error("stopped while starting")]
    Stopped,
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
    records: Records,
    lock: Lock,
}

/// Held for the life of a process that uses a data directory, so that two never write one file.
#[derive(Debug)]
pub struct Lock(File);

impl Lock {
    /// Takes a directory, which is made when it is missing. Blocks.
    pub fn take(directory: &Path) -> Result<Lock, OpenError> {
        let at = |error| OpenError::Directory(directory.to_owned(), error);
        std::fs::create_dir_all(directory).map_err(at)?;
        let file = File::create(directory.join("lock")).map_err(at)?;
        file.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => OpenError::Taken(directory.to_owned()),
            TryLockError::Error(error) => at(error),
        })?;
        Ok(Lock(file))
    }
}

impl Drop for Lock {
    /// Closing would not be enough: a process that is just being started may have the file too, until it is
    /// another program.
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::warn!(%error, "the data directory was not unlocked");
        }
    }
}

impl Opened {
    /// Opens the registry in a directory, which is made when it is missing. Blocks.
    pub fn open(directory: &Path) -> Result<Opened, OpenError> {
        let lock = Lock::take(directory)?;
        let file = Sqlite::open(&directory.join("registry.sqlite"))?;
        let (known, records) = (file.load()?, file.watched()?);
        Ok(Opened { file, known, records, lock })
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
    held: Mutex<Held>,
    /// Apart from `held`: a heartbeat must not wait for the disk. Taken after `held`, never before.
    leases: Mutex<Leases>,
    /// Changes while `held` is taken.
    records: watch::Sender<Arc<Records>>,
    leadership: watch::Sender<Leadership>,
    /// What this gateway says of itself: nobody else is there to say anything.
    replicas: watch::Sender<Arc<BTreeMap<String, Bytes>>>,
    /// The last to go.
    _lock: Lock,
}

/// The file, and what it holds.
struct Held {
    file: Sqlite,
    /// Its registrations and versions. Its revision means nothing: the hub counts.
    registered: Snapshot,
    /// A revision that the file has, or had a moment ago.
    said: u64,
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
        let held = Held { file: opened.file, said: opened.known.revision, registered: opened.known };
        let embedded = Arc::new_cyclic(|itself| Embedded {
            itself: itself.clone(),
            hub,
            held: Mutex::new(held),
            leases: Mutex::new(leases),
            records: watch::Sender::new(Arc::new(opened.records)),
            leadership: watch::Sender::new(Leadership::Leads),
            replicas: watch::Sender::new(Arc::default()),
            _lock: opened.lock,
        });
        embedded.is_heard(&lock(&embedded.held));
        embedded
    }

    /// Tells that everything is known. One process has one file, so that is always so.
    fn is_heard(&self, held: &Held) {
        let clock = self.hub.clock();
        let freshness = Freshness {
            backend: "embedded",
            layout: "native",
            state: Hearing::Live,
            synced_at: Some(clock.now()),
            heard_at: Some(clock.age()),
            revision: held.said,
            relists: 0,
            entries: held.registered.instances().count(),
        };
        self.hub.hears(&SourceName::own(), freshness);
    }
}

impl Store for Embedded {
    fn register(&self, registration: Registration) -> BoxFuture<'_, Result<Granted, Error>> {
        blocking(self, move |registry| registry.register(&registration))
    }

    fn renew(&self, lease: LeaseId) -> BoxFuture<'_, Result<Option<u16>, Error>> {
        match self.renew(lease) {
            None if self.missed(lease).is_some() => blocking(self, move |registry| registry.revive(lease)),
            renewed => Box::pin(ready(Ok(renewed))),
        }
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
            let found = lock(&registry.held).file.schema(digest).map_err(broken)?;
            Ok(found.map(Bytes::from))
        })
    }

    fn schema_services(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Vec<String>>, Error>> {
        blocking(self, move |registry| lock(&registry.held).file.schema_services(digest).map_err(broken))
    }

    fn schemas(&self) -> BoxFuture<'_, Result<Vec<Blob>, Error>> {
        blocking(self, |registry| lock(&registry.held).file.schemas().map_err(broken))
    }

    fn remove_schema(&self, blob: Blob) -> BoxFuture<'_, Result<bool, Error>> {
        blocking(self, move |registry| registry.remove_schema(&blob))
    }

    fn records(&self) -> watch::Receiver<Arc<Records>> {
        self.records.subscribe()
    }

    fn change(&self, change: Change) -> BoxFuture<'_, Result<u64, Error>> {
        blocking(self, move |registry| registry.change(&change))
    }

    fn read(
        &self,
        kind: Kind,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<BTreeMap<Key, Record>, Error>> {
        blocking(self, move |registry| {
            let after = match &after {
                Some(after) if after.kind > kind => return Ok(BTreeMap::new()),
                Some(after) if after.kind == kind => after.name(),
                Some(_) | None => "",
            };
            lock(&registry.held).file.read(kind, after, limit).map_err(broken)
        })
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    fn report(&self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(ready(match bytes.len() {
            0..=REPORT_BYTES_MAX => {
                self.replicas.send_replace(Arc::new([(ALONE.to_owned(), bytes)].into()));
                Ok(())
            }
            length => Err(Error::Report(length)),
        }))
    }

    fn replicas(&self) -> watch::Receiver<Arc<BTreeMap<String, Bytes>>> {
        self.replicas.subscribe()
    }

    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(self.expire(stop))
    }
}

impl Drop for Embedded {
    /// Nobody is left who could change anything, so the revision that was counted last is the last. It takes
    /// one write. A process that does not come here begins far enough on.
    fn drop(&mut self) {
        let revision = self.hub.snapshot().revision;
        let held = self.held.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = held.file.close(revision) {
            tracing::warn!(error = %chain(&error), "the registry file was not closed");
        }
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").finish_non_exhaustive()
    }
}

/// What the hub shows of an instance of this store; another source may have one of the same name.
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
