//! What following a prefix needs of a store: an etcd cluster, or a script in a test.

use std::fmt::Debug;
use std::sync::Arc;

use futures_util::future::BoxFuture;
use turnout_control::watch::{Listing, Reply};

use super::cluster::Cluster;
use super::error::Error;
use super::feed::Feed;
use super::range::Reading;

/// A store that lists and watches. Every call ends by itself, except for the wait for a reply.
pub trait Backend: Send + Sync + Debug {
    /// Everything below a prefix, as all members agree on it.
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Listing, Error>>;

    /// Opens a watch of a prefix, from a revision on.
    fn open<'a>(&'a self, prefix: &'a str, from: u64) -> BoxFuture<'a, Result<Box<dyn Replies>, Error>>;

    /// Reads anything below a prefix, to see whether the store answers.
    fn touch<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), Error>>;

    /// Whether a lease goes on.
    fn is_alive(&self, lease: i64) -> BoxFuture<'_, Result<bool, Error>>;
}

/// An open watch.
pub trait Replies: Send + Debug {
    /// The next reply; `None` when it ended without a word. The future may be dropped, and nothing is lost.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Reply>, Error>>;

    /// Asks for a sign of life.
    fn ask(&mut self) -> BoxFuture<'_, Result<(), Error>>;
}

impl Backend for Arc<Cluster> {
    fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Listing, Error>> {
        Box::pin(self.range(prefix, Reading::Agreed))
    }

    fn open<'a>(&'a self, prefix: &'a str, from: u64) -> BoxFuture<'a, Result<Box<dyn Replies>, Error>> {
        Box::pin(async move { Ok(Box::new(self.watch(prefix, from).await?) as Box<dyn Replies>) })
    }

    fn touch<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<(), Error>> {
        Box::pin(async move { self.get(prefix, Reading::Agreed).await.map(drop) })
    }

    fn is_alive(&self, lease: i64) -> BoxFuture<'_, Result<bool, Error>> {
        Box::pin(async move { Ok(self.lease_left(lease).await?.is_some()) })
    }
}

impl Replies for Feed {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Reply>, Error>> {
        Box::pin(self.reply())
    }

    fn ask(&mut self) -> BoxFuture<'_, Result<(), Error>> {
        Box::pin(self.question())
    }
}
