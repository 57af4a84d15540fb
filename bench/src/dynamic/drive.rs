//! Runs an operation and its loaders' calls in one task: a call starts when the operation can go no
//! further without it.
//!
//! async-graphql yields every few items of a list. A loader that is a task of its own, or waits for a
//! timer, may run in between and call with the keys of half a list. Here it waits until nothing of the
//! operation is left to do, so that there is one call for each entity and wave, whatever the load.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use futures_util::task::AtomicWaker;

/// Calls that wait for their start.
#[derive(Clone, Default)]
pub(super) struct Calls {
    queued: Arc<Mutex<Vec<BoxFuture<'static, ()>>>>,
}

impl Calls {
    pub(super) fn push(&self, call: BoxFuture<'static, ()>) {
        self.queued.lock().unwrap_or_else(PoisonError::into_inner).push(call);
    }

    fn take(&self) -> Vec<BoxFuture<'static, ()>> {
        std::mem::take(&mut *self.queued.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Knows whether the operation wants to go on, and wakes the task.
#[derive(Default)]
struct Signal {
    raised: AtomicBool,
    task: AtomicWaker,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.raised.store(true, Ordering::Release);
        self.task.wake();
    }
}

/// Runs `operation` to its end, with the calls that it asks for.
pub(super) async fn run<T>(operation: impl Future<Output = T>, calls: Calls) -> T {
    let mut operation = pin!(operation);
    let mut running = FuturesUnordered::new();
    let signal = Arc::new(Signal { raised: AtomicBool::new(true), task: AtomicWaker::new() });
    let waker = Waker::from(Arc::clone(&signal));
    poll_fn(move |ctx| {
        signal.task.register(ctx.waker());
        loop {
            while signal.raised.swap(false, Ordering::AcqRel) {
                if let Poll::Ready(answer) = operation.as_mut().poll(&mut Context::from_waker(&waker)) {
                    return Poll::Ready(answer);
                }
            }
            running.extend(calls.take());
            // What a call brings raises the signal.
            while let Poll::Ready(Some(())) = running.poll_next_unpin(ctx) {}
            if !signal.raised.load(Ordering::Acquire) {
                return Poll::Pending;
            }
        }
    })
    .await
}
