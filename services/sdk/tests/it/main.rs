//! A whole service against registries that misbehave.
//!
//! Each test starts `Service::serve` in its own task and watches it from outside: through the registry
//! it talks to and the calls it answers. Every wait is for a condition, under one deadline. Nothing of
//! the crate's inside is used.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]
#![cfg_attr(feature = "etcd", expect(clippy::print_stdout, reason = "a test that is skipped says so"))]

#[cfg(feature = "etcd")]
mod etcd;
mod grpc;
mod http;
mod serving;
mod world;
