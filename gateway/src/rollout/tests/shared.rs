//! A store that several gateways share in one process, each with its own view of who leads; it can be away, and
//! somebody can be quicker.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::id::{InstanceId, LeaseId, ServiceName, Version};
use turnout_control::records::{Change, Key, Kind, Record, Records};
use turnout_control::registration::Registration;
use turnout_schema::Digest;

use crate::registry::{Blob, Error, Granted, Leadership, Store, Stored};

/// What gateways say of themselves.
pub(super) type Said = Arc<BTreeMap<String, Bytes>>;

/// One gateway's part of a store.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) inner: Arc<dyn Store>,
    pub(super) said: watch::Sender<Said>,
    pub(super) leads: watch::Sender<Leadership>,
    pub(super) away: AtomicBool,
    /// What somebody else writes just before the next change.
    pub(super) ambush: Mutex<Option<Change>>,
}

impl Store for Shared {
    fn register(&self, registration: Registration) -> BoxFuture<'_, Result<Granted, Error>> {
        self.inner.register(registration)
    }

    fn renew(&self, lease: LeaseId) -> BoxFuture<'_, Result<Option<u16>, Error>> {
        self.inner.renew(lease)
    }

    fn deregister(
        &self,
        service: ServiceName,
        id: InstanceId,
        lease: LeaseId,
    ) -> BoxFuture<'_, Result<u64, Error>> {
        self.inner.deregister(service, id, lease)
    }

    fn bind(
        &self,
        service: ServiceName,
        version: Version,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.bind(service, version, digest)
    }

    fn put_schema(&self, said: Digest, bytes: Bytes) -> BoxFuture<'_, Result<Stored, Error>> {
        self.inner.put_schema(said, bytes)
    }

    fn schema(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Bytes>, Error>> {
        self.inner.schema(digest)
    }

    fn schema_services(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Vec<String>>, Error>> {
        self.inner.schema_services(digest)
    }

    fn schemas(&self) -> BoxFuture<'_, Result<Vec<Blob>, Error>> {
        self.inner.schemas()
    }

    fn remove_schema(&self, blob: Blob) -> BoxFuture<'_, Result<bool, Error>> {
        self.inner.remove_schema(blob)
    }

    fn records(&self) -> watch::Receiver<Arc<Records>> {
        self.inner.records()
    }

    fn change(&self, change: Change) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(async move {
            if self.away.load(Ordering::Relaxed) {
                return Err(Error::Unavailable("it is away", "for a test".into()));
            }
            let first = self.ambush.lock().unwrap().take();
            if let Some(first) = first {
                self.inner.change(first).await.unwrap();
            }
            self.inner.change(change).await
        })
    }

    fn read(
        &self,
        kind: Kind,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<BTreeMap<Key, Record>, Error>> {
        self.inner.read(kind, after, limit)
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leads.subscribe()
    }

    fn report(&self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        self.inner.report(bytes)
    }

    fn replicas(&self) -> watch::Receiver<Said> {
        self.said.subscribe()
    }

    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        self.inner.clone().run(stop)
    }
}
