//! The gateway through its public doors: real listeners, a real registry file, real processes.
//!
//! One binary for all of it, because linking costs more than the tests.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]
#![expect(clippy::disallowed_methods, reason = "tests start processes and read the clock")]

mod commands;
mod fault_server;
mod faults;
mod gateway;
mod generations;
mod hostile;
mod http;
mod kill;
mod malformed;
mod persistence;
mod process;
mod registration;
mod scenario;
mod threads;
mod watching;
