//! The table of all that is measured. A new contender is one entry here and nothing else.
//!
//! A contender is a program of this workspace that announces itself with `ready public=ADDR` and
//! answers some of the questions over HTTP/1.1. It learns the upstream's address from its arguments,
//! or, where its line goes on with `admin=ADDR`, from a registration there.

use std::net::SocketAddr;
use std::path::Path;

use crate::question::{Language, Question};

/// The contender that the others are compared with.
pub const LIMIT: &str = "limit";

/// The product.
pub const TURNOUT: &str = "turnout";

/// The same graph on libraries that exist.
pub const DYNAMIC: &str = "dynamic";

/// The placeholder in a contender's arguments that becomes the upstream's URL.
pub const UPSTREAM: &str = "{upstream}";

/// The placeholder that becomes a directory, empty at the start and removed after the measurement.
pub const SCRATCH: &str = "{scratch}";

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
    /// How it is started; see [`UPSTREAM`] and [`SCRATCH`].
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
            Ask { question: Question::Q4, path: "/q4", calls: 3 },
            Ask { question: Question::Q5, path: "/q5", calls: 1 },
            Ask { question: Question::Q6, path: "/q6", calls: 1 },
        ],
    },
    Contender {
        name: TURNOUT,
        about: "the gateway, with the upstream's three services registered",
        package: "turnout",
        program: "turnout",
        arguments: &["serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", SCRATCH],
        language: Language::GraphQl,
        asks: &[
            Ask { question: Question::Q1, path: "/graphql", calls: 1 },
            Ask { question: Question::Q2, path: "/graphql", calls: 1 },
            Ask { question: Question::Q3, path: "/graphql", calls: 2 },
            Ask { question: Question::Q4, path: "/graphql", calls: 3 },
            Ask { question: Question::Q5, path: "/graphql", calls: 1 },
            Ask { question: Question::Q6, path: "/graphql", calls: 1 },
        ],
    },
    Contender {
        name: DYNAMIC,
        about: "the same graph on libraries: async-graphql's dynamic schema and DataLoader, prost-reflect, tonic",
        package: "turnout-bench",
        program: "bench-dynamic",
        arguments: &["--upstream", UPSTREAM],
        language: Language::GraphQl,
        asks: &[
            Ask { question: Question::Q1, path: "/graphql", calls: 1 },
            Ask { question: Question::Q2, path: "/graphql", calls: 1 },
            Ask { question: Question::Q3, path: "/graphql", calls: 2 },
            // async-graphql's dynamic schema resolves the fields of an object one after the other: the
            // editors are a wave of their own. Their companies are those of the authors, and kept.
            Ask { question: Question::Q4, path: "/graphql", calls: 4 },
            Ask { question: Question::Q5, path: "/graphql", calls: 1 },
            Ask { question: Question::Q6, path: "/graphql", calls: 1 },
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
            Ask { question: Question::Q5, path: "/q5", calls: 1 },
            Ask { question: Question::Q6, path: "/q6", calls: 1 },
        ],
    },
];

impl Contender {
    /// The arguments with the placeholders filled.
    pub fn arguments(&self, upstream: SocketAddr, scratch: &Path) -> Vec<String> {
        let upstream = format!("http://{upstream}");
        let scratch = scratch.to_string_lossy();
        let fill = |argument: &&str| argument.replace(UPSTREAM, &upstream).replace(SCRATCH, &scratch);
        self.arguments.iter().map(fill).collect()
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
    fn placeholders_are_filled_and_none_is_left() {
        let filled = Contender { arguments: &["--to", UPSTREAM, "--data={scratch}/db"], ..CONTENDERS[0] };
        let arguments = filled.arguments(([127, 0, 0, 1], 7).into(), Path::new("/data"));
        assert_eq!(arguments, ["--to", "http://127.0.0.1:7", "--data=/data/db"]);
        for contender in CONTENDERS {
            let arguments = contender.arguments(([127, 0, 0, 1], 7).into(), Path::new("/data"));
            assert!(!arguments.concat().contains('{'), "{}", contender.name);
        }
    }
}
