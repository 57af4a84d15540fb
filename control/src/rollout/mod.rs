//! A rollout: weight moves from the stable version to a candidate, with evidence, and back at the first harm.
//!
//! `create` says which rollouts should begin, and `record` how one is written down. Gateways count calls
//! (`tally`, `repeats`, `bound`), the leader puts their counts together (`merge`) and feeds the differences to an `Analysis`, which is
//! kept with its watermarks (`stored`); a gateway that sees harm by itself does not wait for it (`fuse`). `step` is asked once a tick and holds all rules: what rolls back, what
//! holds, what has to be true to go on. Nothing goes on because nothing was seen, and what holds can still roll
//! back. `why` says it in one sentence. Time is the length of ticks by the leader's monotonic clock; a tick that
//! nobody made is time that did not pass.

mod analysis;
mod bound;
mod conformance;
mod create;
mod facts;
mod fuse;
mod json;
mod merge;
mod plan;
mod record;
mod repeats;
mod state;
mod step;
mod stored;
mod tally;
#[cfg(test)]
mod tests;
mod why;

pub use analysis::{Analysis, Stratum};
pub use bound::{Bound, Timed};
pub use conformance::{Routed, compared, conforms};
pub use create::{Line, OnNewVersion, Running, Verdict, create, newer};
pub use facts::{Rate, acknowledged, must_wait};
pub use fuse::Fuse;
pub use merge::{Taken, Watermarks};
pub use plan::{Approval, Plan, Settings, Step};
pub use record::{Rollout, Unfit, Unreadable, key};
pub use repeats::Repeats;
pub use state::{Consent, Dwelling, Hold, Order, Pending, Regression, Shift, Shifts, State};
pub use step::{Action, Facts, Notice, step};
pub use stored::{Stored, analysis_key};
pub use tally::{
    Arms, REPORT_BYTES_MAX, Refused, Report, STRATA_MAX, StratumName, Subject, TRIALS_MAX, Tallied, Trial,
};
