//! The only place that asks what time it is.
//!
//! Two times that must not be mixed: `now` is the wall clock, for records and people; `age` is how
//! long this process has run by a clock that never jumps, for everything that falls due. In a test
//! with paused time `age` stands still until the test moves it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;
use turnout_control::id::Timestamp;

/// A clock that started with its process.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
}

impl Clock {
    /// A clock that starts now.
    pub fn start() -> Clock {
        Clock { started: Instant::now() }
    }

    /// How long it has run.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The wall clock; 1970 on a machine whose clock is set before it.
    #[expect(clippy::disallowed_methods, reason = "this is the place that may")]
    pub fn now(&self) -> Timestamp {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Timestamp(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

/// A moment by RFC 3339 in UTC: `2026-11-21T03:40:01.250Z`.
pub fn rfc3339(at: Timestamp) -> String {
    prost_timestamp(at).to_string()
}

/// A moment as protobuf has it.
pub fn prost_timestamp(at: Timestamp) -> prost_types::Timestamp {
    let nanos = i32::try_from(at.0 % 1000).unwrap_or_default() * 1_000_000;
    prost_types::Timestamp { seconds: i64::try_from(at.0 / 1000).unwrap_or(i64::MAX), nanos }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_written_in_utc() {
        assert_eq!(rfc3339(Timestamp(1_795_232_401_250)), "2026-11-21T03:40:01.250Z");
        assert_eq!(rfc3339(Timestamp(0)), "1970-01-01T00:00:00Z");
    }
}
