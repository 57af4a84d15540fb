//! An operation from its plan to the bytes of its answer: waves of calls, then one writing.
//!
//! `run` answers a query or a mutation, `stream` the events of a subscription. Both give their calls to
//! `wave`, which sends the keyed ones through `batch`, and what was brought to `answer`. `fault` decides what
//! a caller learns of what went wrong. Nothing is spawned: dropping the future of an operation ends its calls.

pub mod fault;
pub mod run;
pub mod stream;

mod admit;
mod answer;
mod batch;
mod call;
mod wave;

#[cfg(test)]
mod tests;
