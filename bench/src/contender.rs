//! The table of all that is measured. A new contender is one entry here and nothing else.
//!
//! A contender is a program of this workspace that is given the upstream's address, announces itself
//! with `ready public=ADDR` and answers some of the questions over HTTP/1.1.

use crate::question::{Language, Question};

/// The contender that the others are compared with.
pub const LIMIT: &str = "limit";

/// The placeholder in a contender's arguments that becomes the upstream's URL.
pub const UPSTREAM: &str = "{upstream}";

/// One thing to measure.
#[derive(Debug)]
pub struct Contender {
    /// Its name in options and in the report.
    pub name: &'static str,
    /// One line for the reader of the report.
    pub about: &'static str,
    /// The package that builds it.
    pub package: &'static str,
    /// The binary of that package.
    pub program: &'static str,
    /// How it is started; see [`UPSTREAM`].
    pub arguments: &'static [&'static str],
    /// What its front speaks.
    pub language: Language,
    /// The questions it can answer.
    pub asks: &'static [Ask],
}

/// How a contender is asked a question.
#[derive(Debug)]
pub struct Ask {
    /// The question.
    pub question: Question,
    /// Where to POST it.
    pub path: &'static str,
    /// How many calls to the upstream the answer should take.
    pub calls: u64,
}

/// All contenders, in the order in which they take turns.
pub const CONTENDERS: &[Contender] = &[
    Contender {
        name: LIMIT,
        about: "handler written by hand: axum, tonic, prost, serde_json; no GraphQL",
        package: "turnout-bench",
        program: "bench-limit",
        arguments: &["--upstream", UPSTREAM],
        language: Language::GraphQl,
        asks: &[
            Ask { question: Question::Q1, path: "/q1", calls: 1 },
            Ask { question: Question::Q2, path: "/q2", calls: 1 },
            Ask { question: Question::Q3, path: "/q3", calls: 2 },
        ],
    },
    Contender {
        name: "noop",
        about: "floor: axum, one tonic call, bytes passed through unread",
        package: "turnout-bench",
        program: "bench-noop",
        arguments: &["--upstream", UPSTREAM],
        language: Language::Protobuf,
        asks: &[
            Ask { question: Question::Q1, path: "/q1", calls: 1 },
            Ask { question: Question::Q2, path: "/q2", calls: 1 },
        ],
    },
];

impl Contender {
    /// The arguments with the upstream's URL in its place.
    pub fn arguments(&self, upstream: &str) -> Vec<String> {
        self.arguments.iter().map(|argument| argument.replace(UPSTREAM, upstream)).collect()
    }

    /// How it is asked this question, if it can answer it.
    pub fn ask(&self, question: Question) -> Option<&'static Ask> {
        self.asks.iter().find(|ask| ask.question == question)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_unique_and_limit_answers_every_question() {
        let names: BTreeSet<&str> = CONTENDERS.iter().map(|contender| contender.name).collect();
        assert_eq!(names.len(), CONTENDERS.len());
        let limit = CONTENDERS.iter().find(|contender| contender.name == LIMIT).unwrap();
        assert!(Question::ALL.into_iter().all(|question| limit.ask(question).is_some()));
    }

    #[test]
    fn every_contender_is_told_the_upstream() {
        for contender in CONTENDERS {
            let arguments = contender.arguments("http://127.0.0.1:1");
            assert!(arguments.iter().any(|argument| argument == "http://127.0.0.1:1"), "{}", contender.name);
        }
    }
}
