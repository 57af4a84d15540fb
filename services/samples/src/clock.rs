//! The one place where the samples ask what time it is: for what callers change, never for the world
//! that is made from the seed.

use std::time::SystemTime;

use prost_types::Timestamp;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "a sample service stands outside of the gateway and its clock")]
pub(crate) fn now() -> Timestamp {
    SystemTime::now().into()
}
