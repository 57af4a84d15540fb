//! Whether a sentence about a lasting trouble is worth logging again.
//!
//! A refused registration is tried every ten seconds for ever; its reason is written when it appears,
//! when it changes, and once a minute after that. Pure: the time is an argument.

use std::time::Duration;

/// How long the same sentence is kept back.
const QUIET: Duration = Duration::from_secs(60);

/// The last sentence, and when it was written.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    last: Option<(String, Duration)>,
}

impl Journal {
    /// Whether to write `sentence` at `now`; notes it if so.
    pub(crate) fn is_news(&mut self, sentence: &str, now: Duration) -> bool {
        let old =
            self.last.as_ref().is_some_and(|(last, at)| last == sentence && now.saturating_sub(*at) < QUIET);
        if !old {
            self.last = Some((sentence.to_owned(), now));
        }
        !old
    }

    /// The trouble is over: the next one is news even if it is the same.
    pub(crate) fn clear(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_lasting_trouble_is_told_once_a_minute() {
        let mut journal = Journal::default();
        let told: Vec<u64> =
            (0..=130).step_by(10).filter(|second| journal.is_news("refused", at(*second))).collect();
        assert_eq!(told, [0, 60, 120]);
    }

    #[test]
    fn another_trouble_is_told_at_once() {
        let mut journal = Journal::default();
        assert!(journal.is_news("refused", at(0)));
        assert!(journal.is_news("unreachable", at(1)));
        assert!(!journal.is_news("unreachable", at(2)));
    }

    #[test]
    fn a_trouble_that_was_over_is_told_again() {
        let mut journal = Journal::default();
        assert!(journal.is_news("refused", at(0)));
        journal.clear();
        assert!(journal.is_news("refused", at(1)));
    }
}
