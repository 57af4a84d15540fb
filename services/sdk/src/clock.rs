//! What time it is, for what is written down: incarnations and dates.
//!
//! Waiting and deadlines use tokio's clock instead.

use std::time::SystemTime;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the one place where this crate reads the clock")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}
