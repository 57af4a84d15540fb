//! Performs what `turnout_control::watch` says, and tells what comes of it.
//!
//! One future does everything for one prefix, until it is told to stop or nobody listens any more. It never
//! fails: when etcd cannot be heard it says so in the freshness, keeps what it knows, and goes on trying. Who
//! listens slowly slows the watch down; nothing piles up here.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;
use turnout_control::watch::{Difference, Listing, Reply, Step, Watch};

use super::backend::{Backend, Replies};
use super::error::Error;
use super::farewell::{Delta, tell_apart};
use crate::clock::Clock;
use crate::registry::{Freshness, Hearing};

/// How many differences wait for who listens.
const DELTAS_MAX: usize = 256;
/// How much the times of the freshness move before they are told anew.
const FRESH: Duration = Duration::from_secs(1);

/// What is followed.
#[derive(Clone, Debug)]
pub struct Scope {
    /// What all keys begin with, the slash at its end included: `/turnout/v1/instances/`.
    pub prefix: String,
    /// How the entries are written, for the freshness: `native`, `kitex-etcd`.
    pub layout: &'static str,
}

/// What following tells.
#[derive(Debug)]
pub struct Followed {
    /// What differs; begins with a listing.
    pub deltas: mpsc::Receiver<Delta>,
    /// How well it can be heard, now and after each change.
    pub freshness: watch::Receiver<Freshness>,
}

/// Follows a prefix. The future does the work, until it is told to stop; somebody must own and poll it.
pub fn follow(
    backend: Arc<dyn Backend>,
    scope: Scope,
    clock: Clock,
    stop: CancellationToken,
) -> (Followed, impl Future<Output = ()> + Send + 'static) {
    let (differences, found) = mpsc::channel(1);
    let (told, deltas) = mpsc::channel(DELTAS_MAX);
    let freshness = watch::Sender::new(Freshness {
        backend: "etcd",
        layout: scope.layout,
        state: Hearing::Starting,
        synced_at: None,
        heard_at: None,
        revision: 0,
        relists: 0,
        entries: 0,
    });
    let followed = Followed { deltas, freshness: freshness.subscribe() };
    let follower = Follower {
        backend: backend.clone(),
        prefix: scope.prefix,
        clock,
        watch: Watch::new(rand::random()),
        replies: None,
        differences,
        freshness,
        troubled: false,
    };
    let work = async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = follower.run() => {}
            () = tell_apart(backend, found, told) => {}
        }
    };
    (followed, work)
}

struct Follower {
    backend: Arc<dyn Backend>,
    prefix: String,
    clock: Clock,
    watch: Watch,
    /// The open watch.
    replies: Option<Box<dyn Replies>>,
    differences: mpsc::Sender<Difference>,
    freshness: watch::Sender<Freshness>,
    /// Whether it was said that etcd cannot be heard.
    troubled: bool,
}

impl Follower {
    async fn run(mut self) {
        loop {
            let step = self.watch.next(self.clock.age());
            for difference in self.perform(step).await {
                if self.differences.send(difference).await.is_err() {
                    return;
                }
            }
            self.publish();
        }
    }

    async fn perform(&mut self, step: Step) -> Vec<Difference> {
        match step {
            Step::List => match self.list().await {
                Ok(listing) => return self.watch.listed(listing, self.clock.age()),
                Err(error) => self.failed(&error),
            },
            Step::Reconcile => match self.list().await {
                Ok(listing) => return self.watch.listed(listing, self.clock.age()),
                Err(_) => self.watch.not_listed(self.clock.age()),
            },
            Step::Open(from) => match self.backend.open(&self.prefix, from).await {
                Ok(replies) => {
                    self.replies = Some(replies);
                    self.watch.opened(self.clock.age());
                }
                Err(error) => self.failed(&error),
            },
            Step::Hear(until) => return self.hear(until).await,
            Step::Ask => {
                let asked = match &mut self.replies {
                    Some(replies) => replies.ask().await,
                    None => Ok(()),
                };
                match asked {
                    Ok(()) => self.watch.asked(self.clock.age()),
                    Err(error) => self.failed(&error),
                }
            }
            Step::Try => match self.backend.touch(&self.prefix).await {
                Ok(()) => self.watch.tried(self.clock.age()),
                Err(error) => self.failed(&error),
            },
            Step::Rest(until) => {
                self.replies = None;
                sleep(until.saturating_sub(self.clock.age())).await;
            }
        }
        Vec::new()
    }

    async fn hear(&mut self, until: Duration) -> Vec<Difference> {
        let patience = until.saturating_sub(self.clock.age());
        let heard = match &mut self.replies {
            Some(replies) => timeout(patience, replies.next()).await,
            None => Ok(Ok(None)),
        };
        match heard {
            Ok(Ok(reply)) => {
                let reply = reply.unwrap_or_else(|| Reply::Ended("it ended without a word".to_owned()));
                self.watch.heard(reply, self.clock.age())
            }
            Ok(Err(error)) => {
                self.failed(&error);
                Vec::new()
            }
            // It is time for something else.
            Err(_) => Vec::new(),
        }
    }

    async fn list(&mut self) -> Result<Listing, Error> {
        self.backend.list(&self.prefix).await
    }

    fn failed(&mut self, error: &Error) {
        self.watch.failed(error.to_string(), self.clock.age());
    }

    fn publish(&mut self) {
        self.complain();
        let last = self.freshness.borrow().clone();
        let heard_at = self.watch.heard_at();
        let state = match self.watch.trouble() {
            _ if self.watch.listings() == 0 => Hearing::Starting,
            Some(why) => Hearing::Stale(why.to_owned()),
            None => Hearing::Live,
        };
        let next = Freshness {
            state,
            // All that was written before the last sign of life was told before it.
            synced_at: heard_at.map(|_| self.clock.now()).or(last.synced_at),
            heard_at: heard_at.or(last.heard_at),
            revision: self.watch.revision(),
            relists: self.watch.listings().saturating_sub(1),
            entries: self.watch.entries(),
            ..last.clone()
        };
        if is_news(&last, &next) {
            self.freshness.send_replace(next);
        }
    }

    fn complain(&mut self) {
        let (prefix, trouble) = (&self.prefix, self.watch.trouble());
        match (trouble, self.troubled) {
            (Some(why), false) => {
                tracing::warn!(prefix, why, "etcd cannot be heard; what is known goes on to hold");
            }
            (None, true) => tracing::info!(prefix, "etcd is heard again"),
            (Some(_), true) | (None, false) => {}
        }
        self.troubled = trouble.is_some();
    }
}

/// Whether somebody may want to know. Times that move on while all is well are told once a second.
fn is_news(last: &Freshness, next: &Freshness) -> bool {
    let moved = match (last.heard_at, next.heard_at) {
        (Some(last), Some(next)) => next.saturating_sub(last) >= FRESH,
        (last, next) => last != next,
    };
    let told = |freshness: &Freshness| (freshness.state.clone(), freshness.relists, freshness.entries);
    moved || told(last) != told(next)
}
