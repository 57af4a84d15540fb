//! Our side of an etcd cluster: calls that find a living member, and watches that miss nothing.
//!
//! `Cluster` makes calls. Every one ends in time, and an error says whether a write may have happened
//! nevertheless. The crate's types for transactions are used inside this directory and go no further.

mod cluster;
mod error;
mod feed;
mod member;
mod order;

pub use cluster::{Cluster, Contact, Granted, Reading};
pub use error::{Error, Outcome};
pub use feed::Feed;
