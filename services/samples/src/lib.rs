//! Turnout's demo world: a small shop, a to-do list, and a service that shows every protobuf type,
//! each in the versions that real services would have at the same time.
//!
//! [`run`] starts one service as its own team would: it serves, and it registers through
//! `turnout-service`. [`load`] plays frontends against a gateway. All data is made from a seed, so
//! every process of one world agrees about it without talking to any other. Changes stay in the
//! process that made them.

pub mod contract;
pub mod load;

mod args;
mod clock;
mod duration;
mod faults;
mod random;
mod run;
mod services;
mod world;

pub use args::{FaultArgs, SampleArgs, SharedArgs, Token};
pub use contract::descriptors;
pub use run::{routes, run, run_all};

/// The services and versions of the demo world. Of services that are here twice, the later one is the
/// candidate of a rollout or the next major.
pub const DEMO: &[(&str, &str)] = &[
    ("catalog", "1.4.0"),
    ("catalog", "1.5.0"),
    ("orders", "2.1.0"),
    ("orders", "2.2.0"),
    ("users", "1.8.0"),
    ("users", "2.0.0"),
    ("reviews", "1.2.0"),
    ("reviews", "1.2.1"),
    ("todo-user", "1.0.0"),
    ("todo-task", "1.0.0"),
    ("echo", "1.0.0"),
    ("math", "1.0.0"),
];

/// The files of the sample frontends, by their path below a directory of frontends: manifests, operations and
/// built pages.
pub const FRONTENDS: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/frontends.rs"));

/// Those of [`DEMO`] that come when the others are there: the next minor or patch of a service that runs.
pub const NEWCOMERS: &[(&str, &str)] = &[("catalog", "1.5.0"), ("orders", "2.2.0"), ("reviews", "1.2.1")];
