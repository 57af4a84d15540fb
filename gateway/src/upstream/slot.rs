//! The connection of one worker to one instance: opened when it is needed, by one at a time.
//!
//! Who needs it while it is being opened waits for the same attempt. The attempt belongs to nobody who
//! waits: a caller with a short deadline goes and the next one profits. After a failure nobody tries again
//! for a while, and whoever comes learns at once what was wrong. It does not know what a connection is.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tonic::Code;

use super::{Failure, Origin};

/// The first pause after a failure; it doubles.
const PAUSE_MIN: Duration = Duration::from_millis(50);
/// The longest: a healed instance is found within this time.
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What was opened, or why it was not; `None` while that is not known.
type Outcome<C> = Option<Result<C, Failure>>;

#[derive(Debug)]
enum State<C> {
    Empty,
    Opening(watch::Receiver<Outcome<C>>),
    Open(C),
    Failed { until: Instant, pause: Duration, failure: Failure },
}

/// A place for one connection.
#[derive(Debug)]
pub(super) struct Slot<C>(Mutex<State<C>>);

impl<C: Clone + Send + Sync + 'static> Slot<C> {
    /// An empty one.
    pub(super) fn new() -> Arc<Slot<C>> {
        Arc::new(Slot(Mutex::new(State::Empty)))
    }

    /// What is open and still usable: the usual case, without waiting.
    pub(super) fn ready(&self, usable: impl FnOnce(&C) -> bool) -> Option<C> {
        match &*self.state() {
            State::Open(connection) if usable(connection) => Some(connection.clone()),
            State::Open(_) | State::Empty | State::Opening(_) | State::Failed { .. } => None,
        }
    }

    /// What is open, or gets opened now by `open` on `tasks`. Ends at `until` at the latest.
    pub(super) async fn get<F>(
        self: &Arc<Self>,
        usable: impl FnOnce(&C) -> bool,
        open: impl FnOnce() -> F,
        tasks: &TaskTracker,
        until: Instant,
    ) -> Result<C, Failure>
    where
        F: Future<Output = Result<C, Failure>> + Send + 'static,
    {
        let mut outcome = match self.begin(usable, open, tasks) {
            Begun::Known(known) => return known,
            Begun::Awaited(outcome) => outcome,
        };
        let known = tokio::time::timeout_at(until, outcome.wait_for(Option::is_some)).await;
        match known {
            Err(_) => Err(late()),
            Ok(Ok(known)) => known.clone().unwrap_or_else(|| Err(given_up())),
            Ok(Err(_)) => Err(given_up()),
        }
    }

    fn begin<F>(
        self: &Arc<Self>,
        usable: impl FnOnce(&C) -> bool,
        open: impl FnOnce() -> F,
        tasks: &TaskTracker,
    ) -> Begun<C>
    where
        F: Future<Output = Result<C, Failure>> + Send + 'static,
    {
        let mut state = self.state();
        let pause = match &*state {
            State::Open(connection) if usable(connection) => return Begun::Known(Ok(connection.clone())),
            // One whose task is gone, with the runtime it was on, is opened anew.
            State::Opening(outcome) if outcome.has_changed().is_ok() => {
                return Begun::Awaited(outcome.clone());
            }
            State::Failed { until, failure, .. } if Instant::now() < *until => {
                return Begun::Known(Err(failure.clone()));
            }
            State::Failed { pause, .. } => (*pause * 2).min(PAUSE_MAX),
            State::Empty | State::Open(_) | State::Opening(_) => PAUSE_MIN,
        };
        let (tx, rx) = watch::channel(None);
        *state = State::Opening(rx.clone());
        drop(state);
        let (slot, opening) = (self.clone(), open());
        tasks.spawn(async move {
            let opened = opening.await;
            *slot.state() = match &opened {
                Ok(connection) => State::Open(connection.clone()),
                Err(failure) => {
                    State::Failed { until: Instant::now() + pause, pause, failure: failure.clone() }
                }
            };
            let _ = tx.send(Some(opened));
        });
        Begun::Awaited(rx)
    }

    fn state(&self) -> MutexGuard<'_, State<C>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Begun<C> {
    Known(Result<C, Failure>),
    Awaited(watch::Receiver<Outcome<C>>),
}

/// A call's time ran out before it was sent.
pub(super) fn late() -> Failure {
    Failure {
        code: Code::DeadlineExceeded,
        message: "time ran out before the call was sent".to_owned(),
        details: Bytes::new(),
        origin: Origin::Deadline,
    }
}

fn given_up() -> Failure {
    Failure {
        code: Code::Unavailable,
        message: "the connection was given up while it was opened".to_owned(),
        details: Bytes::new(),
        origin: Origin::Connection,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    /// Opens after a second, and counts how often.
    #[derive(Clone, Debug, Default)]
    struct Opener {
        times: Arc<AtomicU32>,
        fails: bool,
    }

    impl Opener {
        fn open(&self) -> impl Future<Output = Result<u32, Failure>> + Send + 'static {
            let opener = self.clone();
            async move {
                let time = opener.times.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
                if opener.fails { Err(given_up()) } else { Ok(time) }
            }
        }

        fn times(&self) -> u32 {
            self.times.load(Ordering::Relaxed)
        }
    }

    fn after_ms(ms: u64) -> Instant {
        Instant::now() + Duration::from_millis(ms)
    }

    #[tokio::test(start_paused = true)]
    async fn all_who_come_wait_for_one_attempt() {
        let (slot, opener, tasks) = (Slot::new(), Opener::default(), TaskTracker::new());
        let callers = (0..10).map(|_| slot.get(|_| true, || opener.open(), &tasks, after_ms(5000)));
        let opened = futures_util::future::join_all(callers).await;
        assert_eq!(opened, vec![Ok(0); 10]);
        assert_eq!(slot.get(|_| true, || opener.open(), &tasks, after_ms(1)).await, Ok(0));
        assert_eq!(slot.ready(|_| true), Some(0));
        assert_eq!(opener.times(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_short_deadline_ends_the_wait_and_not_the_attempt() {
        let (slot, opener, tasks) = (Slot::new(), Opener::default(), TaskTracker::new());
        let began = Instant::now();
        let short = slot.get(|_| true, || opener.open(), &tasks, after_ms(100)).await;
        assert_eq!(short, Err(late()));
        assert_eq!(began.elapsed(), Duration::from_millis(101).min(began.elapsed()));
        assert_eq!(slot.get(|_| true, || opener.open(), &tasks, after_ms(1000)).await, Ok(0));
        assert_eq!(opener.times(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_no_longer_usable_is_opened_anew() {
        let (slot, opener, tasks) = (Slot::new(), Opener::default(), TaskTracker::new());
        assert_eq!(slot.get(|_| true, || opener.open(), &tasks, after_ms(5000)).await, Ok(0));
        assert_eq!(slot.ready(|_| false), None);
        assert_eq!(slot.get(|_| false, || opener.open(), &tasks, after_ms(5000)).await, Ok(1));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_failure_nobody_tries_for_a_while_and_never_for_longer_than_a_second() {
        let opener = Opener { fails: true, ..Opener::default() };
        let (slot, tasks) = (Slot::new(), TaskTracker::new());
        for pause_ms in [50, 100, 200, 400, 800, 1000, 1000] {
            let before = opener.times();
            assert!(slot.get(|_| true, || opener.open(), &tasks, after_ms(5000)).await.is_err());
            assert_eq!(opener.times(), before + 1);
            tokio::time::sleep(Duration::from_millis(pause_ms - 2)).await;
            let began = Instant::now();
            assert!(slot.get(|_| true, || opener.open(), &tasks, after_ms(5000)).await.is_err());
            assert_eq!((opener.times(), Instant::now()), (before + 1, began));
            tokio::time::sleep(Duration::from_millis(3)).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_attempt_whose_task_died_is_made_again() {
        let (slot, opener, tasks) = (Slot::new(), Opener::default(), TaskTracker::new());
        let (tx, rx) = watch::channel(None);
        *slot.state() = State::Opening(rx);
        drop(tx);
        assert_eq!(slot.get(|_| true, || opener.open(), &tasks, after_ms(5000)).await, Ok(0));
    }
}
