//! The gateway through its public doors: real listeners, a real registry file, real processes.
//!
//! One binary for all of it, because linking costs more than the tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::disallowed_methods, reason = "tests start processes and read the clock")]

mod browser;
mod canary;
mod commands;
#[path = "../../src/registry/etcd/testing.rs"]
mod etcd;
mod etcd_calls;
mod etcd_follow;
mod fault_server;
mod faults;
mod frontends;
mod gateway;
mod generations;
mod hostile;
mod http;
mod identity;
mod kill;
mod malformed;
mod outage;
mod persistence;
mod process;
mod registration;
mod registry_etcd;
mod rollouts;
mod scenario;
mod schemas;
mod sources;
mod threads;
mod watching;
