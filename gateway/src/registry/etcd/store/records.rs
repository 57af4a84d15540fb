//! Records: changed by transactions that compare, and followed by everybody.
//!
//! A change writes `changed` last, so whoever follows knows when a change is complete, and never publishes one
//! by halves. After a lost watch many changes arrive at once; they are published when they are all in. A gateway
//! that leads compares with every change that it still does: what another leader began is not written over by
//! one that does not know yet that it is none.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use etcd_client::{Compare, CompareOp, GetOptions, Txn, TxnOp};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use turnout_control::records::{Change, Conflict, Expected, Key, Kind, Record, Records};
use turnout_control::watch::Entry;

use super::{Etcd, away, gets, revision};
use crate::registry::etcd::Delta;
use crate::registry::store::Error;

/// How long is waited for more after a change was complete: what a listing found comes in one go.
const QUIET: Duration = Duration::from_millis(3);
/// How long at most, while changes go on arriving.
const BUSY: Duration = Duration::from_millis(50);
/// How long is waited for the end of what was written by somebody who does not write `changed`.
const UNMARKED: Duration = Duration::from_millis(200);
/// How long an answer waits until the change is published here.
const HEARD: Duration = Duration::from_secs(1);

impl Etcd {
    /// Changes records; see `Store::change`.
    pub(super) async fn write(&self, change: Change) -> Result<u64, Error> {
        change.measure()?;
        let mut when: Vec<Compare> = change
            .expected
            .iter()
            .map(|(key, expected)| {
                let at = match expected {
                    Expected::Absent => 0,
                    Expected::At(at) => i64::try_from(*at).unwrap_or(i64::MAX),
                };
                Compare::mod_revision(self.keys.record(key), CompareOp::Equal, at)
            })
            .collect();
        when.extend(self.fence());
        let mut then: Vec<TxnOp> = change
            .writes
            .iter()
            .map(|(key, value)| match value {
                Some(value) => TxnOp::put(self.keys.record(key), &value[..], None),
                None => TxnOp::delete(self.keys.record(key), None),
            })
            .collect();
        let is_watched = change.writes.keys().any(|key| key.kind.is_watched());
        if is_watched {
            then.push(TxnOp::put(self.keys.changed(), "", None));
        }
        let look = change
            .expected
            .keys()
            .map(|key| TxnOp::get(self.keys.record(key), Some(GetOptions::new().with_keys_only())));
        let txn = Txn::new().when(when).and_then(then).or_else(look.collect::<Vec<_>>());
        let response = self.cluster.txn(txn).await.map_err(away)?;
        if !response.succeeded() {
            return Err(self.why_not(&change, gets(&response)));
        }
        let at = revision(&response);
        if is_watched {
            let mut records = self.records.subscribe();
            let _ = timeout(HEARD, records.wait_for(|records| records.revision >= at)).await;
        }
        Ok(at)
    }

    fn why_not(&self, change: &Change, found: Vec<Vec<Entry>>) -> Error {
        for ((key, expected), found) in change.expected.iter().zip(found) {
            let found = found.first().map(|entry| entry.written_at);
            if found.map_or(Expected::Absent, Expected::At) != *expected {
                return Conflict { key: key.clone(), found }.into();
            }
        }
        // Everything was as expected but for who leads.
        self.step_down();
        Error::Unavailable("nothing was changed", "another gateway leads now".into())
    }

    /// A page of records; see `Store::read`.
    pub(super) async fn read_page(
        &self,
        kind: Kind,
        after: Option<Key>,
        limit: usize,
    ) -> Result<BTreeMap<Key, Record>, Error> {
        let prefix = self.keys.records_of(kind);
        let end = format!("{}0", prefix.trim_end_matches('/')).into_bytes();
        let from = match after {
            Some(after) if after.kind == kind => [self.keys.record(&after).as_bytes(), &[0]].concat(),
            Some(after) if after.kind > kind => return Ok(BTreeMap::new()),
            Some(_) | None => prefix.into_bytes(),
        };
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        if limit == 0 {
            return Ok(BTreeMap::new());
        }
        let page = self.slice(from, end, GetOptions::new().with_limit(limit)).await?;
        Ok(page.iter().filter_map(|entry| self.record(entry)).collect())
    }

    fn record(&self, entry: &Entry) -> Option<(Key, Record)> {
        let key = self.keys.record_at(&entry.key)?;
        Some((key, Record { revision: entry.written_at, value: entry.value.as_slice().into() }))
    }

    /// Publishes records as they change, until nothing comes any more.
    pub(super) async fn follow_records(&self, mut deltas: mpsc::Receiver<Delta>) {
        let mut gathered = Gathered::default();
        loop {
            match timeout(gathered.patience(), deltas.recv()).await {
                Ok(Some(delta)) => self.gather(&mut gathered, delta),
                Ok(None) => return,
                Err(_) => self.publish(&mut gathered),
            }
            let marked = gathered.marked_since;
            if gathered.complete() && marked.is_some_and(|since| since.elapsed() >= BUSY) {
                self.publish(&mut gathered);
            }
        }
    }

    fn gather(&self, gathered: &mut Gathered, delta: Delta) {
        match delta {
            Delta::Listed(entries) => {
                gathered.by_key = entries.iter().filter_map(|entry| self.record(entry)).collect();
                gathered.written_at = entries.iter().map(|entry| entry.written_at).max().unwrap_or(0);
                gathered.mark();
            }
            Delta::Put(entry) => {
                gathered.written_at = gathered.written_at.max(entry.written_at);
                gathered.unmarked = true;
                if entry.key == self.keys.changed().as_bytes() {
                    gathered.mark();
                } else if let Some((key, record)) = self.record(&entry) {
                    gathered.by_key.insert(key, record);
                }
            }
            Delta::Removed(entry, _) => {
                gathered.unmarked = true;
                if let Some(key) = self.keys.record_at(&entry.key) {
                    gathered.by_key.remove(&key);
                }
            }
        }
    }

    fn publish(&self, gathered: &mut Gathered) {
        if gathered.unmarked || gathered.marked_since.is_some() {
            let records = Records::restore(gathered.written_at, gathered.by_key.clone());
            self.records.send_replace(Arc::new(records));
            self.view().records_are_listed();
            self.retire();
        }
        gathered.unmarked = false;
        gathered.marked_since = None;
    }
}

/// What arrived and was not published.
#[derive(Default)]
struct Gathered {
    by_key: BTreeMap<Key, Record>,
    written_at: u64,
    /// Something arrived after the last complete change.
    unmarked: bool,
    /// Since when a complete change waits.
    marked_since: Option<Instant>,
}

impl Gathered {
    fn mark(&mut self) {
        self.unmarked = false;
        self.marked_since.get_or_insert_with(Instant::now);
    }

    fn complete(&self) -> bool {
        !self.unmarked
    }

    fn patience(&self) -> Duration {
        match (self.unmarked, self.marked_since) {
            (true, _) => UNMARKED,
            (false, Some(_)) => QUIET,
            (false, None) => Duration::from_secs(3600),
        }
    }
}
