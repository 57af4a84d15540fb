//! What a run of requests came to: how many, how long, how many wrong.
//!
//! Latencies go into a histogram with three significant digits, in microseconds up to a minute; what
//! takes longer counts as a minute.

use std::time::Duration;

use hdrhistogram::Histogram;

/// The longest latency that is told apart.
const LATENCY_MAX_US: u64 = 60_000_000;

/// Requests that were answered, and how.
#[derive(Debug)]
pub struct Tally {
    latency_us: Histogram<u64>,
    /// Answers that were complete but not the expected ones.
    pub wrong: u64,
    /// Requests without an answer, each of which ended its connection.
    pub failed: u64,
    /// The text of the first failure.
    pub first_failure: Option<String>,
}

impl Tally {
    /// Nothing yet.
    pub fn new() -> Self {
        let latency_us =
            Histogram::new_with_bounds(1, LATENCY_MAX_US, 3).expect("the bounds are constants in range");
        Self { latency_us, wrong: 0, failed: 0, first_failure: None }
    }

    /// Counts an answered request.
    pub fn answered(&mut self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(LATENCY_MAX_US);
        self.latency_us.saturating_record(micros);
    }

    /// Counts a request that got no answer.
    pub fn fail(&mut self, why: &impl ToString) {
        self.failed += 1;
        self.first_failure.get_or_insert_with(|| why.to_string());
    }

    /// How many requests were answered.
    pub fn requests(&self) -> u64 {
        self.latency_us.len()
    }

    /// The latency that this share of requests (0.5, 0.99) did not exceed, in microseconds.
    pub fn latency_us(&self, share: f64) -> u64 {
        self.latency_us.value_at_quantile(share)
    }
}

impl Default for Tally {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_recorded_latencies_within_a_thousandth() {
        let mut tally = Tally::new();
        for micros in 1..=10_000 {
            tally.answered(Duration::from_micros(micros));
        }
        assert_eq!(tally.requests(), 10_000);
        assert!(tally.latency_us(0.5).abs_diff(5_000) <= 5, "{}", tally.latency_us(0.5));
        assert!(tally.latency_us(0.99).abs_diff(9_900) <= 10, "{}", tally.latency_us(0.99));
    }

    #[test]
    fn a_latency_beyond_the_scale_is_kept_at_its_end() {
        let mut tally = Tally::new();
        tally.answered(Duration::from_secs(3_600));
        assert_eq!(tally.requests(), 1);
        assert!(tally.latency_us(0.5) >= LATENCY_MAX_US);
    }

    #[test]
    fn only_the_first_failure_is_told_but_all_are_counted() {
        let mut tally = Tally::new();
        tally.fail(&"refused");
        tally.fail(&"reset");
        assert_eq!((tally.failed, tally.first_failure.as_deref()), (2, Some("refused")));
        assert_eq!(tally.requests(), 0);
    }
}
