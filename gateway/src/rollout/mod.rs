//! Rollouts as they are carried out: the loop around `turnout_control::rollout`.
//!
//! Every gateway says what it counts (`reporter`). The one that leads gathers what is known (`facts`), asks which
//! rollouts begin (`begin`) and what each does (`leader`), and writes what comes of it in one change
//! (`perform`). What is decided is the pure crate's business; nothing here decides.

mod begin;
mod facts;
mod leader;
mod perform;
mod pulse;
mod reporter;
mod settings;
#[cfg(test)]
mod tests;

pub use leader::{Leader, Sources};
pub use pulse::Pulse;
pub use reporter::{Counted, Reporter};
pub use settings::{Settings, Wanted};
