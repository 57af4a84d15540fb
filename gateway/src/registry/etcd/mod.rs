//! Our side of an etcd cluster: calls that find a living member, and watches that miss nothing.
//!
//! `Cluster` makes calls. Every one ends in time, and an error says whether a write may have happened
//! nevertheless. `follow` tells what is below a prefix and goes on telling, whatever happens to etcd
//! meanwhile; what to do next it asks `turnout_control::watch`. The crate's types for transactions are used
//! inside this directory and go no further.

mod backend;
mod cluster;
mod error;
mod farewell;
mod feed;
mod follow;
mod member;
mod order;
mod range;
mod store;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub use backend::{Backend, Replies};
pub use cluster::{Cluster, Contact, Granted};
pub use error::{Error, Outcome};
pub use farewell::Delta;
pub use feed::Feed;
pub use follow::{Followed, Scope, follow};
pub use range::Reading;
pub use store::Etcd;
