//! What each gateway says of itself: a key under a lease of its own, followed by all.
//!
//! The key goes with the lease, so that a gateway that is gone is heard no more within `TTL`, and at once when
//! it stops in order. What a gateway said last is said again when its lease was lost, because etcd was away for
//! longer than that. Anybody may write there: what is too large is passed over.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use etcd_client::{PutOptions, Txn, TxnOp};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use turnout_control::watch::Entry;

use super::{Etcd, away, lock, value};
use crate::registry::etcd::{Delta, Error};
use crate::registry::store::{self, REPLICAS_MAX, REPORT_BYTES_MAX};

/// How long a gateway that is gone is still counted.
const TTL: Duration = Duration::from_secs(15);
/// How often the lease is renewed. Three renewals may fail.
const RENEW: Duration = Duration::from_secs(4);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_millis(500);
/// How many deltas are taken in before what all say is published.
const BATCH: usize = 64;

/// What this gateway said last, and the lease under which it stands.
#[derive(Debug, Default)]
pub(super) struct Voice {
    lease: Option<i64>,
    said: Option<Bytes>,
}

impl Etcd {
    /// Says this of the gateway from now on; see `Store::report`.
    pub(super) async fn say(&self, bytes: Bytes) -> Result<(), store::Error> {
        if bytes.len() > REPORT_BYTES_MAX {
            return Err(store::Error::Report(bytes.len()));
        }
        lock(&self.voice).said = Some(bytes.clone());
        self.write_report(bytes).await.map_err(away)
    }

    async fn write_report(&self, bytes: Bytes) -> Result<(), Error> {
        let held = lock(&self.voice).lease;
        if let Some(lease) = held {
            let put = self.put_report(lease, bytes.clone()).await;
            match put {
                Err(Error::NoLease) => lock(&self.voice).lease = None,
                done => return done,
            }
        }
        let lease = value::new_number();
        self.cluster.lease_grant(lease, TTL.as_secs()).await?;
        lock(&self.voice).lease = Some(lease);
        self.put_report(lease, bytes).await
    }

    async fn put_report(&self, lease: i64, bytes: Bytes) -> Result<(), Error> {
        let put = TxnOp::put(
            self.keys.replica(&self.name),
            bytes.to_vec(),
            Some(PutOptions::new().with_lease(lease)),
        );
        self.cluster.txn(Txn::new().and_then([put])).await.map(drop)
    }

    /// Keeps what was said there until it is told to stop, and then takes it back at once.
    pub(super) async fn keep_saying(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = sleep(RENEW) => {}
            }
            let (lease, said) = {
                let voice = lock(&self.voice);
                (voice.lease, voice.said.clone())
            };
            let Some(said) = said else { continue };
            let kept = async {
                if let Some(lease) = lease {
                    if self.cluster.lease_keep_alive(lease).await? {
                        return Ok(());
                    }
                    lock(&self.voice).lease = None;
                }
                self.write_report(said).await
            };
            // Whatever is in the way, the next try is soon; the lease has time for three.
            let _: Result<(), Error> = kept.await;
        }
        let lease = lock(&self.voice).lease.take();
        if let Some(lease) = lease {
            let _ = timeout(LEAVE, self.cluster.lease_revoke(lease)).await;
        }
    }

    /// Publishes what all gateways say, until nothing comes any more.
    pub(super) async fn follow_replicas(&self, mut deltas: mpsc::Receiver<Delta>) {
        let mut batch = Vec::new();
        let mut said: BTreeMap<String, Bytes> = BTreeMap::new();
        while deltas.recv_many(&mut batch, BATCH).await > 0 {
            for delta in batch.drain(..) {
                match delta {
                    Delta::Listed(entries) => {
                        said = entries
                            .iter()
                            .filter_map(|entry| self.report_at(entry))
                            .take(REPLICAS_MAX)
                            .collect();
                    }
                    Delta::Put(entry) => {
                        let heard = self.report_at(&entry);
                        let has_room = |name: &String| said.len() < REPLICAS_MAX || said.contains_key(name);
                        if let Some((name, bytes)) = heard.filter(|(name, _)| has_room(name)) {
                            said.insert(name, bytes);
                        }
                    }
                    Delta::Removed(was, _) => {
                        if let Some(name) = self.keys.replica_at(&was.key) {
                            said.remove(name);
                        }
                    }
                }
            }
            self.replicas.send_replace(Arc::new(said.clone()));
        }
    }

    fn report_at(&self, entry: &Entry) -> Option<(String, Bytes)> {
        let name = self.keys.replica_at(&entry.key)?;
        if entry.value.len() > REPORT_BYTES_MAX {
            tracing::warn!(replica = name.escape_debug().to_string(), "a report is too large");
            return None;
        }
        Some((name.to_owned(), Bytes::copy_from_slice(&entry.value)))
    }
}
