//! The shell: everything that listens, calls, stores and schedules.
//!
//! Decisions are made in `turnout-schema` and `turnout-control`; here facts are gathered and answers
//! performed. The order of reading: `cli` says what can be asked, `config` what can be set, `app`
//! what runs and how it stops.

pub mod app;
pub mod cli;
pub mod clock;
pub mod config;
pub mod execute;
pub mod exposure;
pub mod generation;
pub mod http;
pub mod identity;
pub mod launch;
pub mod lineup;
pub mod ops;
pub mod reconcile;
pub mod registry;
pub mod rollout;
pub mod telemetry;
pub mod upstream;
pub mod worker;
