//! Learning what is registered: following the keys, looking up what is missing, telling the hub.
//!
//! Four prefixes are followed: instances, bindings, records, and what gateways say of themselves. The view says what they come to; what it wishes to
//! know is looked up here, many at a time. An instance that was written by no gateway is served like any other:
//! whichever gateway sees it first binds its version.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, Txn, TxnOp};
use futures_util::StreamExt;
use futures_util::stream::iter;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use turnout_control::id::{SourceName, Timestamp};
use turnout_control::records::Kind;
use turnout_control::registry::VersionRecord;
use turnout_control::table::{Input, Removal};
use turnout_control::watch::Entry;
use turnout_schema::Digest;

use super::Etcd;
use super::value;
use super::view::{Of, View, Wishes};
use crate::registry::etcd::{Backend, Delta, Followed, Scope, follow};
use crate::registry::store::Error;
use crate::registry::{Freshness, Hearing};
use crate::telemetry::chain;

/// How the entries are written.
const LAYOUT: &str = "native";
/// How often time alone is looked at.
const TICK: Duration = Duration::from_millis(250);
/// A binding that was written together with an instance arrives within this, and need not be looked up.
const TOGETHER: Duration = Duration::from_millis(15);
/// How long is waited after a look-up failed.
const FAILED: Duration = Duration::from_secs(1);
/// How many look-ups and bindings are on their way at once.
const AT_ONCE: usize = 16;
/// How many versions one transaction binds. etcd takes 128 operations.
const TOGETHER_MAX: usize = 100;
/// How many deltas are taken in before the hub is told.
const BATCH: usize = 256;
/// After so many ticks what no instance names any more is forgotten: a minute.
const TICKS_BETWEEN_SWEEPS: u32 = 240;
/// After so many what the watch did not tell of is looked at again: 5 s.
const TICKS_BETWEEN_LOOKS: u32 = 20;

impl Etcd {
    /// Does everything that has to be done beside the calls.
    pub(super) async fn run_until(self: Arc<Self>, stop: CancellationToken) {
        let backend: Arc<dyn Backend> = Arc::new(self.cluster.clone());
        let open = |prefix: String| {
            let scope = Scope { prefix, layout: LAYOUT };
            follow(backend.clone(), scope, self.hub.clock(), stop.clone())
        };
        let (instances, following_instances) = open(self.keys.instances());
        let (versions, following_versions) = open(self.keys.versions());
        let (records, following_records) = open(self.keys.records());
        let (replicas, following_replicas) = open(self.keys.replicas());
        let Followed { deltas: instances, freshness: of_instances } = instances;
        let Followed { deltas: versions, freshness: of_versions } = versions;
        let Followed { deltas: records, freshness: of_records } = records;
        tokio::join!(
            following_instances,
            following_versions,
            following_records,
            following_replicas,
            self.follow_instances(instances),
            self.follow_versions(versions),
            self.follow_records(records),
            self.follow_replicas(replicas.deltas),
            self.tell_freshness([of_instances, of_versions, of_records], &stop),
            self.find_out(&stop),
            self.elect(&stop),
            self.keep_saying(&stop),
        );
    }

    async fn follow_instances(&self, mut deltas: mpsc::Receiver<Delta>) {
        let mut batch = Vec::new();
        while deltas.recv_many(&mut batch, BATCH).await > 0 {
            let at = self.moment();
            self.turn(|view| {
                let mut gone = Vec::new();
                for delta in batch.drain(..) {
                    match delta {
                        Delta::Listed(entries) => view.list(entries, at),
                        Delta::Put(entry) => view.put(entry, at),
                        Delta::Removed(was, how) => gone.extend(view.gone(&was, how)),
                    }
                }
                gone
            });
        }
    }

    async fn follow_versions(&self, mut deltas: mpsc::Receiver<Delta>) {
        let mut batch = Vec::new();
        while deltas.recv_many(&mut batch, BATCH).await > 0 {
            self.turn(|view| {
                for delta in batch.drain(..) {
                    match delta {
                        Delta::Listed(entries) => {
                            entries.iter().for_each(|entry| self.learn(view, entry));
                            view.versions_are_listed();
                        }
                        Delta::Put(entry) => self.learn(view, &entry),
                        Delta::Removed(was, _) => {
                            let key = String::from_utf8_lossy(&was.key).into_owned();
                            tracing::error!(
                                key,
                                "the binding of a version was removed; it goes on to hold here"
                            );
                        }
                    }
                }
                Vec::new()
            });
        }
    }

    fn learn(&self, view: &mut View, entry: &Entry) {
        let read = self.keys.version_at(&entry.key).zip(value::version_record(&entry.value));
        match read {
            Some((of, record)) => view.learn(of, record),
            None => {
                let key: String = String::from_utf8_lossy(&entry.key).chars().take(256).collect();
                tracing::warn!(
                    key = key.escape_debug().to_string(),
                    "the binding of a version cannot be read"
                );
            }
        }
    }

    /// A version was bound by this gateway.
    pub(super) fn learned(&self, of: Of, record: VersionRecord) {
        self.turn(|view| {
            view.learn(of, record);
            Vec::new()
        });
    }

    /// An instance is there, and the watch has not said so.
    pub(super) fn put(&self, entry: Arc<Entry>) {
        let at = self.moment();
        self.turn(|view| {
            view.put_ahead(entry, at);
            Vec::new()
        });
    }

    /// An instance said goodbye to this gateway.
    pub(super) fn gone(&self, was: &Entry) {
        self.turn(|view| view.left(was));
    }

    /// What is retired may have changed.
    pub(super) fn retire(&self) {
        let records = self.records.borrow().clone();
        let of = |name: &str| {
            let (service, version) = name.split_once('/')?;
            Some((service.parse().ok()?, version.parse().ok()?))
        };
        let retired: BTreeSet<Of> =
            records.of(Kind::Tombstone).filter_map(|(key, _)| of(key.name())).collect();
        self.turn(|view| {
            view.retire(retired);
            Vec::new()
        });
    }

    /// Tells what is to be told now.
    pub(super) fn flush(&self) {
        self.turn(|_| Vec::new());
    }

    /// Changes the view, and tells the hub what comes of it, in order.
    fn turn(&self, work: impl FnOnce(&mut View) -> Vec<Input>) {
        let mut view = self.view();
        let mut inputs = work(&mut view);
        inputs.extend(view.flush(self.hub.clock().age()));
        self.hub.tell_all(inputs);
        let wishes = view.waits();
        drop(view);
        self.told.send_modify(|turns| *turns += 1);
        if wishes {
            self.wishes.notify_one();
        }
    }

    fn moment(&self) -> (Duration, Timestamp) {
        (self.hub.clock().age(), self.hub.clock().now())
    }

    /// Looks up what the view wishes to know, until it is told to stop.
    async fn find_out(&self, stop: &CancellationToken) {
        let mut ticks = interval(TICK);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (mut terms, mut sweep) = (self.terms.clone(), 0);
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.wishes.notified() => sleep(TOGETHER).await,
                _ = ticks.tick() => {
                    sweep = (sweep + 1) % TICKS_BETWEEN_SWEEPS;
                    if sweep == 0 {
                        self.view().forget_unused();
                    }
                    if sweep % TICKS_BETWEEN_LOOKS == 0
                        && let Err(error) = self.look_ahead().await
                    {
                        tracing::debug!(error = %chain(&error), "cannot look at what was not told of");
                    }
                }
                Ok(()) = terms.changed() => {}
            }
            if terms.has_changed().unwrap_or(false) || *terms.borrow() != self.view().terms() {
                let now = terms.borrow_and_update().clone();
                self.view().judge_by(now);
            }
            self.flush();
            if let Err(error) = self.grant_wishes(stop).await {
                tracing::debug!(error = %chain(&error), "cannot look up what instances name");
                sleep(FAILED).await;
            }
        }
    }

    /// Looks whether what the watch did not tell of is still there. After a watch that lost its place, what
    /// came and went in between is in no listing: nobody else would ever say that it went.
    async fn look_ahead(&self) -> Result<(), Error> {
        let ahead = self.view().ahead();
        for group in ahead.chunks(TOGETHER_MAX) {
            let keys = group.iter().map(|entry| String::from_utf8_lossy(&entry.key).into_owned());
            let found = self.look(keys.collect()).await?;
            for (was, found) in group.iter().zip(found) {
                match found {
                    Some(now) if now.written_at > was.written_at => self.put(Arc::new(now)),
                    Some(_) => {}
                    None => self.turn(|view| view.gone(was, Removal::Unknown)),
                }
            }
        }
        Ok(())
    }

    /// Looks up descriptors first: a version is bound to what is stored.
    async fn grant_wishes(&self, stop: &CancellationToken) -> Result<(), Error> {
        let wishes = self.view().wishes(self.hub.clock().age());
        if wishes.is_empty() || stop.is_cancelled() {
            return Ok(());
        }
        if !wishes.schemas.is_empty() {
            self.look_up(&wishes).await?;
        }
        let mut bindings = self.view().wishes(self.hub.clock().age()).bindings;
        self.bind_together(&mut bindings).await;
        let bound = iter(bindings).map(|(of, digest)| async move {
            let known = self.view().version(&of);
            (self.bind_if_open(&of, digest, known).await, of)
        });
        let mut bound = bound.buffer_unordered(AT_ONCE);
        let mut failed = None;
        while let Some((outcome, of)) = bound.next().await {
            match outcome {
                Ok(Some(record)) => self.learned(of, record),
                // Somebody else was quicker, and what they wrote is about to arrive.
                Ok(None) => {}
                Err(error) => failed = Some(error),
            }
        }
        self.flush();
        failed.map_or(Ok(()), Err)
    }

    /// Binds many versions that nobody bound before, and leaves those of a group in which somebody did.
    async fn bind_together(&self, bindings: &mut BTreeMap<Of, Option<Digest>>) {
        let now = self.hub.clock().now();
        let known = |of: &Of| self.view().version(of).is_some();
        let new: Vec<_> =
            bindings.iter().filter(|(of, _)| !known(of)).map(|(of, digest)| (of.clone(), *digest)).collect();
        for group in new.chunks(TOGETHER_MAX).filter(|group| group.len() > 1) {
            let key = |of: &Of| self.keys.version(&of.0, &of.1);
            let record = |digest| VersionRecord { digest, first_seen: now };
            let absent = |(of, _): &(Of, _)| Compare::version(key(of), CompareOp::Equal, 0);
            let put = |(of, digest): &(Of, _)| TxnOp::put(key(of), value::version(record(*digest)), None);
            let when: Vec<_> = group.iter().map(absent).collect();
            let then: Vec<_> = group.iter().map(put).collect();
            let outcome = self.cluster.txn(Txn::new().when(when).and_then(then)).await;
            if outcome.is_ok_and(|response| response.succeeded()) {
                bindings.retain(|of, _| group.iter().all(|(bound, _)| bound != of));
                self.turn(|view| {
                    group.iter().for_each(|(of, digest)| view.learn(of.clone(), record(*digest)));
                    Vec::new()
                });
            }
        }
    }

    async fn look_up(&self, wishes: &Wishes) -> Result<(), Error> {
        let digests: Vec<_> = wishes.schemas.iter().copied().collect();
        let mut found = self.metas(&digests).await?;
        let age = self.hub.clock().age();
        let mut view = self.view();
        for digest in digests {
            let services = found.remove(&digest).map(|(meta, _)| meta.services);
            view.looked_up(digest, services, age);
        }
        drop(view);
        self.flush();
        Ok(())
    }

    /// Says how well etcd is heard: as well as what is heard worst.
    async fn tell_freshness(
        &self,
        mut of: [tokio::sync::watch::Receiver<Freshness>; 3],
        stop: &CancellationToken,
    ) {
        let mut told = self.told.subscribe();
        loop {
            let [instances, versions, records] = of.each_ref().map(|of| of.borrow().clone());
            let entries = self.view().len();
            let freshness = worst(instances, [versions, records], entries);
            let starting = !self.view().is_complete() && freshness.state == Hearing::Live;
            let state = if starting { Hearing::Starting } else { freshness.state.clone() };
            self.hub.hears(&SourceName::own(), Freshness { state, ..freshness });
            let [instances, versions, records] = &mut of;
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = instances.changed() => {}
                Ok(()) = versions.changed() => {}
                Ok(()) = records.changed() => {}
                Ok(()) = told.changed(), if starting => {}
                else => return,
            }
        }
    }
}

fn worst(instances: Freshness, others: [Freshness; 2], entries: usize) -> Freshness {
    let mut worst = Freshness { entries, ..instances };
    for other in others {
        let badness = |state: &Hearing| match state {
            Hearing::Starting => 2,
            Hearing::Stale(_) => 1,
            Hearing::Live => 0,
        };
        if badness(&other.state) > badness(&worst.state) {
            worst.state = other.state;
        }
        worst.synced_at = worst.synced_at.min(other.synced_at);
        worst.heard_at = worst.heard_at.min(other.heard_at);
        worst.relists += other.relists;
    }
    worst
}
