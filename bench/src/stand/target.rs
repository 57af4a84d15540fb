//! What the product promises, and whether a run kept it.
//!
//! A target is a bound on processor time per request as a ratio to another contender's, or on the
//! latency that is added to one upstream call at a low rate. It is judged by the median over rounds and
//! reported; it decides nothing: figures of a busy machine must not fail a build.

use serde::Serialize;

use crate::contender::{DYNAMIC, LIMIT, TURNOUT};
use crate::question::Question;

/// How much latency may be added to one upstream call at a low rate, at p50.
const ADDED_MAX_US: f64 = 100.0;

/// A promised ratio of processor time.
#[derive(Debug)]
pub(super) struct Target {
    question: Question,
    /// The contender that the product is compared with.
    pub(super) against: &'static str,
    ratio_max: f64,
}

const TARGETS: [Target; 5] = [
    Target { question: Question::Q1, against: LIMIT, ratio_max: 1.0 },
    Target { question: Question::Q2, against: LIMIT, ratio_max: 0.70 },
    Target { question: Question::Q3, against: LIMIT, ratio_max: 0.65 },
    // At least five times faster.
    Target { question: Question::Q5, against: DYNAMIC, ratio_max: 0.2 },
    Target { question: Question::Q6, against: DYNAMIC, ratio_max: 0.2 },
];

/// How a figure compares with what was promised.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct Judged {
    /// What the figure is, such as "CPU of limit".
    what: String,
    figure: f64,
    max: f64,
    met: bool,
}

/// The ratio that is promised of this contender with this question.
pub(super) fn of(contender: &str, question: Question) -> Option<&'static Target> {
    TARGETS.iter().find(|target| contender == TURNOUT && target.question == question)
}

impl Target {
    /// Judges a ratio of processor time.
    pub(super) fn judge(&self, ratio: f64) -> Judged {
        Judged::new(format!("of {}'s CPU", self.against), ratio, self.ratio_max)
    }
}

/// Judges latency added to one call, where it is promised.
pub(super) fn judge_added(contender: &str, question: Question, added_us: f64) -> Option<Judged> {
    let promised = contender == TURNOUT && question == Question::Q1;
    promised.then(|| Judged::new("µs added".to_owned(), added_us, ADDED_MAX_US))
}

impl Judged {
    fn new(what: String, figure: f64, max: f64) -> Self {
        Self { what, figure, max, met: figure <= max }
    }

    /// The verdict in a few words.
    pub(super) fn cell(&self) -> String {
        let Self { what, figure, max, met } = self;
        let verdict = if *met { "met" } else { "MISSED" };
        format!("{verdict}: {figure:.2} {what}, {max} allowed")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_is_met_up_to_itself() {
        let target = of(TURNOUT, Question::Q2).unwrap();
        assert_eq!(target.judge(0.70).cell(), "met: 0.70 of limit's CPU, 0.7 allowed");
        assert_eq!(target.judge(0.71).cell(), "MISSED: 0.71 of limit's CPU, 0.7 allowed");
    }

    #[test]
    fn only_the_product_promises() {
        assert!(of(LIMIT, Question::Q1).is_none() && of(DYNAMIC, Question::Q5).is_none());
        assert!(of(TURNOUT, Question::Q4).is_none());
        assert!(judge_added(DYNAMIC, Question::Q1, 1.0).is_none());
        assert!(judge_added(TURNOUT, Question::Q1, 1.0).is_some());
    }
}
