//! The registry inside the gateway: one file, one table in memory, leases between them.
//!
//! A change is decided by `turnout_control`, written to the file, and only then seen: by its answer,
//! by the next snapshot, by watchers. Readers take a snapshot and never wait. Writers take turns on
//! blocking threads. What the file holds is what a restart begins with, and every lease then gets its
//! full time, so that nobody goes because the registry was away.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::id::{InstanceId, LeaseId, ServiceName};
use turnout_control::lease::{Due, HEARTBEATS, Leases};
use turnout_control::registration::{self, Refusal, Registration, Schema};
use turnout_control::registry::{Event, Registered, Snapshot, Why};
use turnout_schema::subgraph::descriptors;
use turnout_schema::{Descriptors, Diagnostic, Digest};

use super::history::{Changes, History};
use super::sqlite::{self, Sqlite};
use crate::clock::Clock;
use crate::telemetry::chain;

/// How often leases are looked at: a lease ends at most this much late.
const TICK: Duration = Duration::from_millis(250);

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The data directory cannot be used.
    #[error("data directory {}", .0.display())]
    Directory(PathBuf, #[source] std::io::Error),
    /// Another process uses it.
    #[error("another turnout uses the data directory {}", .0.display())]
    Taken(PathBuf),
    /// The file cannot be read or written.
    #[error("registry file")]
    Store(#[from] sqlite::Error),
    /// The registration contradicts what is known.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The bytes are no descriptors.
    #[error(transparent)]
    Descriptors(#[from] descriptors::Error),
    /// The bytes are not those of the digest.
    #[error("the digest says {said}, and the bytes have {found}")]
    Digest {
        /// What the caller said.
        said: Digest,
        /// What was computed.
        found: Digest,
    },
    /// The lease is not that of the registration.
    #[error("the lease is not that of {0}")]
    OtherLease(InstanceId),
    /// The gateway is stopping.
    #[error("the registry is stopping")]
    Stopping,
}

/// The answer to a registration.
#[derive(Clone, Debug)]
pub struct Granted {
    /// What keeps it registered.
    pub lease: LeaseId,
    /// For how many seconds.
    pub ttl_s: u16,
    /// How often to send a heartbeat, in seconds.
    pub heartbeat_s: u16,
    /// The revision after it.
    pub revision: u64,
    /// What its author should know.
    pub findings: Vec<Diagnostic>,
}

/// The answer to stored descriptors.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Their digest.
    pub digest: Digest,
    /// The protobuf services in them.
    pub services: Vec<String>,
    /// False when they were stored before.
    pub created: bool,
}

/// The registry of one gateway.
pub struct Embedded {
    clock: Clock,
    /// Held by a writer for as long as the disk takes; only blocking threads wait for it.
    file: Mutex<Sqlite>,
    /// Apart from `file`: a heartbeat must not wait for the disk. Taken after `file`, never before.
    leases: Mutex<Leases>,
    /// Apart from `file`: a watcher must not wait for the disk. Changes together with `snapshot`.
    history: Mutex<History>,
    snapshot: watch::Sender<Arc<Snapshot>>,
    /// Held for the life of the process, so that two never write one file.
    _lock: File,
}

impl Embedded {
    /// Opens the registry in a directory, which is made when it is missing. Blocks.
    pub fn open(directory: &Path, clock: Clock, grace: Duration) -> Result<Embedded, Error> {
        let at = |error| Error::Directory(directory.to_owned(), error);
        std::fs::create_dir_all(directory).map_err(at)?;
        let lock = File::create(directory.join("lock")).map_err(at)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Error::Taken(directory.to_owned()),
            TryLockError::Error(error) => at(error),
        })?;
        let file = Sqlite::open(&directory.join("registry.sqlite"))?;
        let snapshot = file.load()?;
        let mut leases = Leases::default();
        // A service may itself have been cut off: nobody goes before the grace has passed.
        let grace_s = u16::try_from(grace.as_secs()).unwrap_or(u16::MAX);
        for registered in snapshot.instances() {
            let of = (registered.instance.service.clone(), registered.instance.id.clone());
            leases.grant(registered.lease, of, registered.ttl_s.max(grace_s), clock.age());
        }
        Ok(Embedded {
            clock,
            file: Mutex::new(file),
            leases: Mutex::new(leases),
            history: Mutex::new(History::default()),
            snapshot: watch::Sender::new(Arc::new(snapshot)),
            _lock: lock,
        })
    }

    /// What is registered now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.snapshot.borrow().clone()
    }

    /// Wakes when something changed.
    pub fn changes(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshot.subscribe()
    }

    /// The clock that leases run by.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    /// What changed after a revision.
    pub fn after(&self, revision: u64) -> Changes {
        let history = lock(&self.history);
        history.after(revision, &self.snapshot())
    }

    /// Adds an instance, or replaces what is registered under its name. Repeating it answers the same
    /// lease, as long as it is the same process. Blocks.
    pub fn register(&self, registration: &Registration) -> Result<Granted, Error> {
        let mut file = lock(&self.file);
        let snapshot = self.snapshot();
        let instance = &registration.instance;
        let schema = match &instance.schema {
            None => Schema::Unnamed,
            Some(schema) => file.schema_services(schema.digest)?.map_or(Schema::Unknown, Schema::Stored),
        };
        let findings = registration::admit(&snapshot, instance, &schema)?;

        let known = snapshot.instance(&instance.service, &instance.id);
        let same_process = known.filter(|known| known.instance.incarnation == instance.incarnation);
        let lease =
            same_process.map_or_else(|| LeaseId::from_random(rand::random()), |registered| registered.lease);
        let registered = Registered {
            instance: Arc::new(instance.clone()),
            lease,
            ttl_s: registration.ttl_s,
            registered_at: same_process.map_or_else(|| self.clock.now(), |known| known.registered_at),
            silent: false,
        };
        if known != Some(&registered) {
            self.commit(&mut file, vec![Event::Up(registered)])?;
        }
        let mut leases = lock(&self.leases);
        if let Some(replaced) = known.filter(|known| known.lease != lease) {
            leases.revoke(replaced.lease);
        }
        let of = (instance.service.clone(), instance.id.clone());
        leases.grant(lease, of, registration.ttl_s, self.clock.age());
        Ok(Granted {
            lease,
            ttl_s: registration.ttl_s,
            heartbeat_s: registration.ttl_s / HEARTBEATS,
            revision: self.snapshot().revision,
            findings,
        })
    }

    /// Renews a lease; the seconds it lives, or `None` when there is none. Touches the disk only when
    /// the instance had been silent. Blocks.
    pub fn renew(&self, lease: LeaseId) -> Result<Option<u16>, Error> {
        let Some(renewed) = lock(&self.leases).renew(lease, self.clock.age()) else { return Ok(None) };
        let silent = |registry: &Embedded| {
            registry.snapshot().instance(&renewed.service, &renewed.id).is_some_and(|known| known.silent)
        };
        if silent(self) {
            let mut file = lock(&self.file);
            if silent(self) {
                tracing::info!(service = %renewed.service, id = %renewed.id, "heartbeats arrive again");
                let heard = Event::Heard(renewed.service.clone(), renewed.id.clone());
                self.commit(&mut file, vec![heard])?;
            }
        }
        Ok(Some(renewed.ttl_s))
    }

    /// Removes an instance. Removing one that is not there succeeds. Blocks.
    pub fn deregister(&self, service: &ServiceName, id: &InstanceId, lease: LeaseId) -> Result<u64, Error> {
        let mut file = lock(&self.file);
        let snapshot = self.snapshot();
        let Some(known) = snapshot.instance(service, id) else { return Ok(snapshot.revision) };
        if known.lease != lease {
            return Err(Error::OtherLease(id.clone()));
        }
        let gone = Event::Down(service.clone(), id.clone(), Why::Deregistered);
        self.commit(&mut file, vec![gone])?;
        lock(&self.leases).revoke(lease);
        Ok(self.snapshot().revision)
    }

    /// Stores descriptors. Blocks.
    pub fn put_schema(&self, said: Digest, bytes: &[u8]) -> Result<Stored, Error> {
        let found = Digest::of(bytes);
        if found != said {
            return Err(Error::Digest { said, found });
        }
        let descriptors = Descriptors::read(bytes)?;
        let created = lock(&self.file).put_schema(&descriptors, bytes, self.clock.now())?;
        Ok(Stored { digest: said, services: descriptors.services(), created })
    }

    /// Whether descriptors are stored. Blocks.
    pub fn has_schema(&self, digest: Digest) -> Result<bool, Error> {
        Ok(lock(&self.file).schema_services(digest)?.is_some())
    }

    /// Stored descriptors, as they were sent. Blocks.
    pub fn schema(&self, digest: Digest) -> Result<Option<Vec<u8>>, Error> {
        Ok(lock(&self.file).schema(digest)?)
    }

    /// Ends leases when their time has passed, until it is told to stop.
    pub async fn expire(self: Arc<Self>, stop: CancellationToken) {
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
        let due = lock(&self.leases).step(self.clock.age());
        let mut events = Vec::new();
        for due in due {
            match due {
                Due::Silent(service, id) => {
                    tracing::warn!(%service, %id, "heartbeats stopped");
                    events.push(Event::Silent(service, id));
                }
                Due::Expired(service, id) => {
                    tracing::warn!(%service, %id, "lease ended");
                    events.push(Event::Down(service, id, Why::Expired));
                }
            }
        }
        if events.is_empty() {
            return Ok(());
        }
        self.commit(&mut file, events.clone()).inspect_err(|_| self.grant_again(&events))
    }

    /// The end of a lease that could not be written has not happened: it gets its time once more.
    fn grant_again(&self, events: &[Event]) {
        let snapshot = self.snapshot();
        let mut leases = lock(&self.leases);
        for event in events {
            if let Event::Down(service, id, _) = event
                && let Some(known) = snapshot.instance(service, id)
            {
                let of = (service.clone(), id.clone());
                leases.grant(known.lease, of, known.ttl_s, self.clock.age());
            }
        }
    }

    /// On disk first, then for everyone to see.
    fn commit(&self, file: &mut Sqlite, events: Vec<Event>) -> Result<(), Error> {
        let mut next = self.snapshot();
        let mut applied = Vec::with_capacity(events.len());
        for event in &events {
            next = Arc::new(next.apply(event));
            applied.push(next.revision);
        }
        file.commit(next.revision, &events)?;
        let mut history = lock(&self.history);
        for (revision, event) in applied.into_iter().zip(events) {
            history.push(revision, event);
        }
        self.snapshot.send_replace(next);
        Ok(())
    }
}

impl std::fmt::Debug for Embedded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Embedded").field("revision", &self.snapshot().revision).finish_non_exhaustive()
    }
}

/// Runs something that blocks where it may.
pub async fn blocking<T: Send + 'static>(
    registry: &Arc<Embedded>,
    work: impl FnOnce(&Embedded) -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    let registry = registry.clone();
    tokio::task::spawn_blocking(move || work(&registry)).await.unwrap_or(Err(Error::Stopping))
}

/// A panic while the lock was held left nothing half done: the file has the last word.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
