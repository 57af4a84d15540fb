//! What time it is, for what is written down: incarnations and dates.
//!
//! Waiting and deadlines use tokio's clock instead.

use std::time::SystemTime;

#[cfg(feature = "etcd")]
use prost_types::Timestamp;

/// The time of day.
#[expect(clippy::disallowed_methods, reason = "the one place where this crate reads the clock")]
pub(crate) fn now() -> SystemTime {
    SystemTime::now()
}

/// A time as RFC 3339 writes it.
#[cfg(feature = "etcd")]
pub(crate) fn rfc3339(time: SystemTime) -> String {
    Timestamp::from(time).to_string()
}

#[cfg(all(test, feature = "etcd"))]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn dates_are_rfc_3339() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_500_000_000_000_000_042);
        assert_eq!(rfc3339(time), "2017-07-14T02:40:00.000000042Z");
    }
}
