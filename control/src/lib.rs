//! What the control plane decides: who is registered, which version a caller gets, whether a rollout
//! may go on, what may be retired.
//!
//! Pure: every loop of the gateway gathers facts, asks here, and performs the answer. There is no
//! runtime, clock, randomness, file, socket or environment in here; time and hashed inputs are
//! arguments.

pub mod audit;
pub mod decision;
pub mod evidence;
pub mod frontend;
pub mod garbage;
pub mod id;
pub mod layout;
pub mod lease;
pub mod lineup;
pub mod policy;
pub mod records;
pub mod registration;
pub mod registry;
pub mod rollout;
pub mod routes;
pub mod slot;
pub mod source;
pub mod table;
pub mod watch;
