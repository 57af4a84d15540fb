//! What has gone over a connection: whether a call can have arrived, and how worn the connection is.
//!
//! HTTP/2 promises that a call was not seen only when the peer says so. A transport knows two more cases, and
//! they are the common ones: nothing was written since the call began, because the peer had hung up before;
//! and the peer hung up without ever having said a word, so that nobody who could serve was there.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::status::Sent;

/// What a connection's driver counts and its calls read.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    written_bytes: AtomicU64,
    /// The end was read, and nothing before it.
    was_silent: AtomicBool,
    abandoned_calls: AtomicU32,
}

impl Traffic {
    /// A mark for `since`: to be taken before a call begins.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.written_bytes.load(Ordering::Relaxed))
    }

    /// What can have reached the peer of a call that began after `mark`, once its connection has failed.
    pub(super) fn since(&self, mark: Mark) -> Sent {
        // The driver has stored both before it told the call of the failure, under a lock.
        let unwritten = self.written_bytes.load(Ordering::Relaxed) == mark.0;
        if unwritten || self.was_silent.load(Ordering::Relaxed) { Sent::Nothing } else { Sent::Perhaps }
    }

    /// The calls that were given up before their end.
    pub(super) fn abandoned_calls(&self) -> u32 {
        self.abandoned_calls.load(Ordering::Relaxed)
    }
}

/// A call that was sent and has not ended. When it is dropped like this, it is abandoned.
#[derive(Debug)]
pub(super) struct Unfinished(Option<Arc<Traffic>>);

impl Unfinished {
    /// A call that begins now.
    pub(super) fn new(traffic: &Arc<Traffic>) -> Unfinished {
        Unfinished(Some(Arc::clone(traffic)))
    }

    /// The peer has ended it.
    pub(super) fn finish(&mut self) {
        self.0 = None;
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(traffic) = &self.0 {
            traffic.abandoned_calls.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// A place in what was written.
#[derive(Clone, Copy, Debug)]
pub(super) struct Mark(u64);

/// A transport that counts.
pub(super) struct Counted<T> {
    io: T,
    traffic: Arc<Traffic>,
    /// Whether the peer has said anything.
    was_heard: bool,
}

impl<T> Counted<T> {
    pub(super) fn new(io: T, traffic: Arc<Traffic>) -> Counted<T> {
        Counted { io, traffic, was_heard: false }
    }

    fn count(&self, written: &io::Result<usize>) {
        if let Ok(bytes) = written {
            self.traffic.written_bytes.fetch_add(*bytes as u64, Ordering::Relaxed);
        }
    }
}

impl<T: AsyncRead + Unpin> AsyncRead for Counted<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = ready!(Pin::new(&mut self.io).poll_read(cx, buffer));
        if !self.was_heard {
            // What a peer sent before it hung up is read before its hanging up is: this order is TCP's.
            if read.is_ok() && buffer.filled().len() > before {
                self.was_heard = true;
            } else {
                self.traffic.was_silent.store(true, Ordering::Relaxed);
            }
        }
        Poll::Ready(read)
    }
}

impl<T: AsyncWrite + Unpin> AsyncWrite for Counted<T> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write(cx, bytes));
        self.count(&written);
        Poll::Ready(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, slices));
        self.count(&written);
        Poll::Ready(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
