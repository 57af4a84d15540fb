//! Counts what came back, and tells it in one line.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use hdrhistogram::Histogram;
use tokio::time::Instant;

use super::Summary;
use super::call::{Done, Outcome};

/// Everything that came back so far.
#[derive(Debug)]
pub(super) struct Tally {
    began: Instant,
    /// Of the whole time, and since the last line.
    total: Part,
    recent: Part,
    recent_began: Instant,
    skipped: u64,
    failures: BTreeMap<String, u64>,
}

#[derive(Debug)]
struct Part {
    /// In microseconds.
    took: Histogram<u32>,
    errors: u64,
    /// Answers by service, then by version.
    shares: BTreeMap<String, BTreeMap<String, u64>>,
}

impl Default for Part {
    fn default() -> Self {
        // A minute is more than any call may take; two digits are more than a line shows.
        let took = Histogram::new_with_bounds(1, 60_000_000, 2).expect("the bounds are in order");
        Self { took, errors: 0, shares: BTreeMap::new() }
    }
}

impl Part {
    fn add(&mut self, done: &Done) {
        self.took.saturating_record(done.took.as_micros() as u64);
        self.errors += u64::from(done.outcome != Outcome::Answered);
        for (service, version) in &done.lineup {
            let versions = self.shares.entry(service.clone()).or_default();
            *versions.entry(version.clone()).or_default() += 1;
        }
    }

    /// `20.0/s  p50 3.1 ms  p99 12 ms  errors 0  orders 2.1.0 90% 2.2.0 10%`
    fn line(&self, time: Duration) -> String {
        let rate = self.took.len() as f64 / time.as_secs_f64().max(0.001);
        let ms = |quantile| milliseconds(self.took.value_at_quantile(quantile));
        let mut line = format!("{rate:.1}/s  p50 {}  p99 {}  errors {}", ms(0.5), ms(0.99), self.errors);
        for (service, versions) in &self.shares {
            let all: u64 = versions.values().sum();
            let _infallible = write!(line, "  {service}");
            for (version, count) in versions {
                let share = *count as f64 * 100.0 / all as f64;
                let _infallible = write!(line, " {version} {share:.0}%");
            }
        }
        line
    }
}

impl Default for Tally {
    fn default() -> Self {
        let now = Instant::now();
        Self {
            began: now,
            total: Part::default(),
            recent: Part::default(),
            recent_began: now,
            skipped: 0,
            failures: BTreeMap::new(),
        }
    }
}

impl Tally {
    pub(super) fn add(&mut self, done: &Done) {
        self.total.add(done);
        self.recent.add(done);
        if let Outcome::Failed(why) = &done.outcome {
            *self.failures.entry(why.clone()).or_default() += 1;
        }
    }

    pub(super) fn skip(&mut self) {
        self.skipped += 1;
    }

    /// What came back since the last line.
    pub(super) fn line(&mut self) -> String {
        let line = self.recent.line(self.recent_began.elapsed());
        self.recent = Part::default();
        self.recent_began = Instant::now();
        line
    }

    /// The whole time, and what went wrong in it.
    pub(super) fn last_words(&self) -> String {
        let time = self.began.elapsed();
        let mut words = format!(
            "{} operations in {:.1} s: {}\n",
            self.total.took.len(),
            time.as_secs_f64(),
            self.total.line(time)
        );
        for (why, count) in &self.failures {
            let _infallible = writeln!(words, "  {count} times {why}");
        }
        if self.skipped > 0 {
            let _infallible = writeln!(words, "  {} not sent: too many were under way", self.skipped);
        }
        words
    }

    pub(super) fn summary(&self) -> Summary {
        Summary { finished: self.total.took.len(), errors: self.total.errors, skipped: self.skipped }
    }
}

fn milliseconds(micros: u64) -> String {
    let ms = micros as f64 / 1000.0;
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn done(ms: u64, outcome: Outcome, version: &str) -> Done {
        let lineup = vec![("orders".to_owned(), version.to_owned())];
        Done { took: Duration::from_millis(ms), outcome, lineup }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_tells_rate_times_errors_and_shares() {
        let mut tally = Tally::default();
        for _ in 0..9 {
            tally.add(&done(2, Outcome::Answered, "2.1.0"));
        }
        tally.add(&done(50, Outcome::Failed("UNAVAILABLE".into()), "2.2.0"));
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(tally.line(), "2.0/s  p50 2.0 ms  p99 50 ms  errors 1  orders 2.1.0 90% 2.2.0 10%");
        tokio::time::advance(Duration::from_secs(5)).await;
        assert_eq!(tally.line(), "0.0/s  p50 0.0 ms  p99 0.0 ms  errors 0");
        assert!(tally.last_words().contains("1 times UNAVAILABLE"));
        assert_eq!(tally.summary(), Summary { finished: 10, errors: 1, skipped: 0 });
    }
}
