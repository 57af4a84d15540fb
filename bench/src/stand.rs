//! The driver: starts, pins, verifies, loads, measures and reports.
//!
//! One measurement (`measure`) is one contender answering one question, in processes of their own
//! that nothing else has used. A run (`run`) interleaves them: in every round each question is put
//! to each contender in turn, so that contenders that are compared ran within the same minute.
//!
//! The driver itself is the load. It runs on one thread, on the upstream's core where there are two,
//! and never on the contender's where that can be helped.

pub mod build;
pub mod client;
pub mod cores;
pub mod direct;
pub mod load;
pub mod machine;
pub mod measure;
pub mod process;
pub mod procfs;
pub mod register;
pub mod report;
pub mod run;
pub mod tally;
pub mod target;
pub mod verify;
