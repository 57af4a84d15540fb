//! Frontend versions: what a directory or a person says of them becomes records that all gateways serve by.
//!
//! `folder` is what is in the directory, read by `manifest`, `assignment`, `documents` and their common `sheet`;
//! `examine` is what keeps a version from being published; `publish` writes records with who did it and why;
//! `follow` keeps them in step with the directory. Who gets which version is decided in
//! `turnout_control::frontend`, and pages are served by `http::apps`.

pub mod assignment;
pub mod documents;
mod examine;
pub mod folder;
mod follow;
pub mod manifest;
pub mod publish;
mod sheet;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::sync::Arc;

use tokio::sync::watch;

pub use examine::{known, pins, resolved};
pub use follow::{Follower, Look, Standing, run};
pub use publish::Publisher;

use crate::generation::Generation;
use crate::reconcile::Published;

/// The frontend of callers who are none that is published: it pins nothing and sees the highest of everything.
pub const ANY: &str = "any@0.0.0";

/// Publishes frontends, and tells what became of those in the directory.
#[derive(Clone, Debug)]
pub struct Publishing {
    /// Writes records.
    pub publisher: Publisher,
    /// The directory.
    pub root: Arc<Path>,
    /// What the last look at it found.
    pub looks: watch::Receiver<Arc<Look>>,
    /// What serves.
    pub generations: watch::Receiver<Option<Arc<Generation>>>,
}

/// What follows a directory, and where to see what it does. `served` is what is made of registrations.
pub fn new(root: Arc<Path>, publisher: Publisher, served: &Published) -> (Follower, Publishing) {
    let (follower, looks) = Follower::new(root.clone(), publisher.clone(), served.reports.clone());
    (follower, Publishing { publisher, root, looks, generations: served.generations.clone() })
}
