//! How an entry came to be removed: taken away, or left behind by a lease that ended.
//!
//! etcd says only that it is gone. When its lease goes on without it, or it had none, somebody took it away.
//! Asking for the lease takes a call, so a removal may come up to a second after others that followed it;
//! never after anything about the same key. When many go at once, only some are asked for: nobody waits for
//! thousands of calls to hear that a cluster is empty.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use turnout_control::table::Removal;
use turnout_control::watch::{Difference, Entry};

use super::backend::Backend;

/// How long asking for a lease may take.
const ANSWER: Duration = Duration::from_secs(1);
/// How many leases are asked for in `WINDOW`.
const ASKED_MAX: usize = 20;
/// See `ASKED_MAX`.
const WINDOW: Duration = Duration::from_secs(1);

/// What differs from what was told before. In order for each key, and `Listed` in order with everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// This is all there is, whatever was told before. First of all, and when the store was set back.
    Listed(Vec<Arc<Entry>>),
    /// An entry was written.
    Put(Arc<Entry>),
    /// An entry is gone: what it was, and how it went.
    Removed(Arc<Entry>, Removal),
}

type Asked = BoxFuture<'static, (Arc<Entry>, Removal)>;

/// Passes on what differs, with how what is gone went. Ends when nothing comes or nobody listens any more.
pub(super) async fn tell_apart(
    backend: Arc<dyn Backend>,
    mut differences: mpsc::Receiver<Difference>,
    deltas: mpsc::Sender<Delta>,
) {
    let mut farewells = Farewells {
        backend,
        calls: FuturesUnordered::new(),
        waiting: BTreeMap::new(),
        asked: VecDeque::new(),
    };
    loop {
        let told = tokio::select! {
            () = deltas.closed() => return,
            Some((was, how)) = farewells.calls.next() => farewells.answered(was, how),
            difference = differences.recv() => match difference {
                Some(difference) => farewells.take(difference),
                None => return,
            },
        };
        for delta in told {
            if deltas.send(delta).await.is_err() {
                return;
            }
        }
    }
}

struct Farewells {
    backend: Arc<dyn Backend>,
    calls: FuturesUnordered<Asked>,
    /// Who is gone and asked for, by key.
    waiting: BTreeMap<Vec<u8>, Arc<Entry>>,
    /// When was asked lately.
    asked: VecDeque<Instant>,
}

impl Farewells {
    fn take(&mut self, difference: Difference) -> Vec<Delta> {
        match difference {
            Difference::All(entries) => {
                self.waiting.clear();
                vec![Delta::Listed(entries)]
            }
            Difference::Put(entry) => {
                let mut told = self.give_up(&entry.key);
                told.push(Delta::Put(entry));
                told
            }
            Difference::Gone(was) => {
                let mut told = self.give_up(&was.key);
                match was.lease {
                    None => told.push(Delta::Removed(was, Removal::Goodbye)),
                    Some(lease) if self.may_ask() => self.ask(was, lease),
                    Some(_) => told.push(Delta::Removed(was, Removal::Unknown)),
                }
                told
            }
        }
    }

    fn answered(&mut self, was: Arc<Entry>, how: Removal) -> Vec<Delta> {
        // The key may have been written again and removed again since.
        if self.waiting.get(&was.key).is_none_or(|waits| !Arc::ptr_eq(waits, &was)) {
            return Vec::new();
        }
        self.waiting.remove(&was.key);
        vec![Delta::Removed(was, how)]
    }

    fn give_up(&mut self, key: &[u8]) -> Vec<Delta> {
        self.waiting.remove(key).map(|was| Delta::Removed(was, Removal::Unknown)).into_iter().collect()
    }

    fn may_ask(&mut self) -> bool {
        let now = Instant::now();
        while self.asked.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            self.asked.pop_front();
        }
        let may = self.asked.len() < ASKED_MAX;
        if may {
            self.asked.push_back(now);
        }
        may
    }

    fn ask(&mut self, was: Arc<Entry>, lease: i64) {
        self.waiting.insert(was.key.clone(), was.clone());
        let backend = self.backend.clone();
        self.calls.push(Box::pin(async move {
            let how = match timeout(ANSWER, backend.is_alive(lease)).await {
                Ok(Ok(true)) => Removal::Goodbye,
                Ok(Ok(false)) => Removal::Expired,
                Ok(Err(_)) | Err(_) => Removal::Unknown,
            };
            (was, how)
        }));
    }
}
