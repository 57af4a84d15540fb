//! The registry in etcd: the same for every gateway that shares the cluster.
//!
//! A registration is decided by what one transaction read and written by another that compares, so that
//! gateways never overwrite each other unseen. What is registered is learned by following the keys, whoever
//! wrote them, and told to the hub. While etcd is away, what was heard goes on to hold, and writes answer
//! within `WRITE` that they cannot be done.

mod blobs;
mod election;
mod follow;
mod keys;
mod records;
mod register;
mod replicas;
#[cfg(test)]
mod tests;
mod value;
mod view;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use etcd_client::{GetOptions, Txn, TxnOp, TxnOpResponse, TxnResponse};
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
use turnout_control::id::{InstanceId, LeaseId, ServiceName, Version};
use turnout_control::records::{Change, Key, Kind, Record, Records};
use turnout_control::registration::{Registration, Terms};
use turnout_control::watch::Entry;
use turnout_schema::Digest;

use self::election::Office;
use self::keys::Keys;
use self::replicas::Voice;
use self::view::View;
use super::cluster::Cluster;
use super::range::{self, counted};
use crate::registry::Hub;
use crate::registry::store::{Blob, Error, Granted, Leadership, Store, Stored};

/// How long a write may take with all that it repeats.
const WRITE: Duration = Duration::from_secs(3);
/// How long a transfer of descriptors may take: 16 MiB in pieces, over a busy network.
const TRANSFER: Duration = Duration::from_secs(10);

/// The registry of all gateways that share a cluster.
#[derive(Debug)]
pub struct Etcd {
    cluster: Arc<Cluster>,
    keys: Keys,
    hub: Arc<Hub>,
    terms: watch::Receiver<Terms>,
    /// Taken before the hub's, so that the hub is told in order.
    view: Mutex<View>,
    /// Counts what was told.
    told: watch::Sender<u64>,
    /// Something should be found out.
    wishes: Notify,
    records: watch::Sender<Arc<Records>>,
    leadership: watch::Sender<Leadership>,
    office: Mutex<Option<Office>>,
    voice: Mutex<Voice>,
    replicas: watch::Sender<Arc<BTreeMap<String, Bytes>>>,
    /// What this gateway is called in `leader` and below `replicas`.
    name: String,
}

impl Etcd {
    /// A registry below a root; nothing is asked of etcd before `run`.
    pub fn new(
        cluster: Arc<Cluster>,
        root: &str,
        hub: Arc<Hub>,
        terms: watch::Receiver<Terms>,
        name: String,
    ) -> Arc<Etcd> {
        let keys = Keys::new(root);
        let prefix = keys.instances().trim_end_matches('/').to_owned();
        let view = View::new(prefix, terms.borrow().clone());
        Arc::new(Etcd {
            cluster,
            keys,
            hub,
            terms,
            view: Mutex::new(view),
            told: watch::Sender::new(0),
            wishes: Notify::new(),
            records: watch::Sender::new(Arc::default()),
            leadership: watch::Sender::new(Leadership::Follows(None)),
            office: Mutex::new(None),
            voice: Mutex::default(),
            replicas: watch::Sender::new(Arc::default()),
            name,
        })
    }

    /// Takes up the records that were known before the start, until etcd tells them.
    pub fn remember(&self, records: Records) {
        self.records.send_replace(Arc::new(records));
    }

    /// What stands at these keys at one revision.
    async fn look(&self, keys: Vec<String>) -> Result<Vec<Option<Entry>>, Error> {
        let ops: Vec<TxnOp> = keys.into_iter().map(|key| TxnOp::get(key, None)).collect();
        let response = self.cluster.txn_that_reads(Txn::new().and_then(ops)).await.map_err(away)?;
        Ok(gets(&response).into_iter().map(|mut found| found.pop()).collect())
    }

    /// The entries from one key up to another, without their values if that is asked for; at most `limit`.
    async fn slice(&self, from: Vec<u8>, end: Vec<u8>, options: GetOptions) -> Result<Vec<Entry>, Error> {
        let get = TxnOp::get(from, Some(options.with_range(end)));
        let response = self.cluster.txn_that_reads(Txn::new().and_then([get])).await.map_err(away)?;
        Ok(gets(&response).pop().unwrap_or_default())
    }

    fn view(&self) -> MutexGuard<'_, View> {
        lock(&self.view)
    }
}

impl Store for Etcd {
    fn register(&self, registration: Registration) -> BoxFuture<'_, Result<Granted, Error>> {
        Box::pin(self.take(registration))
    }

    fn renew(&self, lease: LeaseId) -> BoxFuture<'_, Result<Option<u16>, Error>> {
        Box::pin(in_time(WRITE, self.keep(lease)))
    }

    fn deregister(
        &self,
        service: ServiceName,
        id: InstanceId,
        lease: LeaseId,
    ) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(in_time(WRITE, self.leave(service, id, lease)))
    }

    fn bind(
        &self,
        service: ServiceName,
        version: Version,
        digest: Digest,
    ) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(in_time(WRITE, self.bind_version(service, version, digest)))
    }

    fn put_schema(&self, said: Digest, bytes: Bytes) -> BoxFuture<'_, Result<Stored, Error>> {
        Box::pin(in_time(TRANSFER, self.store_schema(said, bytes)))
    }

    fn schema(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Bytes>, Error>> {
        Box::pin(in_time(TRANSFER, self.load_schema(digest)))
    }

    fn schema_services(&self, digest: Digest) -> BoxFuture<'_, Result<Option<Vec<String>>, Error>> {
        Box::pin(in_time(WRITE, async move { Ok(self.meta(digest).await?.map(|(meta, _)| meta.services)) }))
    }

    fn schemas(&self) -> BoxFuture<'_, Result<Vec<Blob>, Error>> {
        Box::pin(in_time(TRANSFER, self.list_schemas()))
    }

    fn remove_schema(&self, blob: Blob) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(in_time(WRITE, self.drop_schema(blob)))
    }

    fn records(&self) -> watch::Receiver<Arc<Records>> {
        self.records.subscribe()
    }

    fn change(&self, change: Change) -> BoxFuture<'_, Result<u64, Error>> {
        Box::pin(in_time(WRITE, self.write(change)))
    }

    fn read(
        &self,
        kind: Kind,
        after: Option<Key>,
        limit: usize,
    ) -> BoxFuture<'_, Result<BTreeMap<Key, Record>, Error>> {
        Box::pin(in_time(WRITE, self.read_page(kind, after, limit)))
    }

    fn leadership(&self) -> watch::Receiver<Leadership> {
        self.leadership.subscribe()
    }

    fn report(&self, bytes: Bytes) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(in_time(WRITE, self.say(bytes)))
    }

    fn replicas(&self) -> watch::Receiver<Arc<BTreeMap<String, Bytes>>> {
        self.replicas.subscribe()
    }

    fn run(self: Arc<Self>, stop: CancellationToken) -> BoxFuture<'static, ()> {
        Box::pin(self.run_until(stop))
    }
}

/// What each read of a transaction found.
fn gets(response: &TxnResponse) -> Vec<Vec<Entry>> {
    let found = |response| match response {
        TxnOpResponse::Get(mut get) => Some(get.take_kvs().into_iter().map(range::entry).collect::<Vec<_>>()),
        TxnOpResponse::Put(_) | TxnOpResponse::Delete(_) | TxnOpResponse::Txn(_) => None,
    };
    response.op_responses().into_iter().filter_map(found).collect()
}

/// The revision at which a transaction was done.
fn revision(response: &TxnResponse) -> u64 {
    response.header().map_or(0, |header| counted(header.revision()))
}

/// A revision for a comparison; 0 where nothing stands.
fn written_at(entry: Option<&Entry>) -> i64 {
    entry.map_or(0, |entry| i64::try_from(entry.written_at).unwrap_or(i64::MAX))
}

fn away(error: super::Error) -> Error {
    Error::Unavailable("etcd cannot be used", Box::new(error))
}

fn unreadable(what: &'static str) -> Error {
    Error::Unavailable(what, "the entry was not written by this build".into())
}

async fn in_time<T>(limit: Duration, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    tokio::time::timeout(limit, work).await.unwrap_or_else(|_| Err(late()))
}

fn late() -> Error {
    Error::Unavailable("etcd cannot be used", "it takes too long".into())
}

/// A panic while the lock was held left nothing half done that the next listing does not mend.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
