//! How long to wait before trying again.
//!
//! Full jitter: after a registry returns, the services that lost it come back spread over the whole
//! interval instead of all at once. Pure: the random number is an argument, in `0.0..1.0`.

use std::time::Duration;

/// The longest wait between two tries.
pub(crate) const CAP: Duration = Duration::from_secs(10);
/// The ceiling of the first wait; it doubles with each failure.
const BASE: Duration = Duration::from_secs(1);

/// The wait after `failures` failures in a row: 0 to 1 s for none, then 0 to 2 s, up to [`CAP`].
pub(crate) fn delay(failures: u32, jitter: f64) -> Duration {
    // 2^4 s is above the cap already; a larger exponent would only overflow.
    let ceiling = BASE.saturating_mul(1 << failures.min(4)).min(CAP);
    ceiling.mul_f64(jitter.clamp(0.0, 1.0))
}

/// `period`, shortened or stretched by up to a tenth.
pub(crate) fn spread(period: Duration, jitter: f64) -> Duration {
    period.mul_f64(0.9 + 0.2 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_cap_and_stay_there() {
        let ceilings: Vec<u64> = (0..7).map(|failures| delay(failures, 1.0).as_secs()).collect();
        assert_eq!(ceilings, [1, 2, 4, 8, 10, 10, 10]);
        assert_eq!(delay(u32::MAX, 1.0), CAP);
    }

    #[test]
    fn a_wait_lies_anywhere_below_its_ceiling() {
        assert_eq!(delay(3, 0.0), Duration::ZERO);
        assert_eq!(delay(3, 0.5), Duration::from_secs(4));
    }

    #[test]
    fn a_period_is_spread_by_a_tenth() {
        let period = Duration::from_secs(5);
        assert_eq!(spread(period, 0.0), Duration::from_millis(4500));
        assert_eq!(spread(period, 0.5), period);
        assert_eq!(spread(period, 1.0), Duration::from_millis(5500));
    }
}
