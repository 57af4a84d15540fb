//! An operation from its plan to the bytes of its answer: waves of calls, then one writing.

pub mod fault;
pub mod run;
