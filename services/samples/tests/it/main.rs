//! Tests of the sample world from outside: its contracts, its services over real connections, and
//! the traffic generator against a small server.

#![expect(clippy::unwrap_used, reason = "the helpers of tests may fail like the tests")]

mod contracts;
mod load;
mod run;
mod services;
