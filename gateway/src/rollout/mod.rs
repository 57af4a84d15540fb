//! Rollouts as they are carried out: the loop around `turnout_control::rollout`.
//!
//! What has to be known is gathered here, what is decided is performed here; deciding is the pure crate's.

mod settings;

pub use settings::{Settings, Wanted};
