//! What is asked, and what the only right answer is.
//!
//! A question becomes samples: bodies to send with the answers to expect. With fixed values there is
//! one sample, whose text holds its values; with varying values there are several, with the values
//! in variables, and every connection walks through them. Expected answers are computed here from
//! `world` alone and never taken from a contender.

mod answer;

use std::fmt;

use clap::ValueEnum;
use prost::Message;
use serde_json::json;

use crate::wire::bench::{
    GetTimetableRequest, GetUserRequest, ListArticlesRequest, ListArticlesResponse, ListPostsRequest,
    ListPostsResponse, ListReadingsRequest, ListReadingsResponse,
};
use crate::world;

/// One question of the stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Question {
    /// One object by its id: one call.
    Q1,
    /// A list of a hundred objects: one call.
    Q2,
    /// That list, each object joined with another: two calls, the second for ten distinct users.
    Q3,
    /// A list joined over three services, with entities that two branches share: three calls.
    Q4,
    /// A thousand objects of ten plain values: one call.
    Q5,
    /// A tree of about 400 KB: one call.
    Q6,
}

/// Where the values of a question stand, and whether they change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Values {
    /// In the text of the query, the same in every request.
    Fixed,
    /// In the variables, different from request to request.
    Vary,
}

/// The language of a contender's front.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Language {
    /// A GraphQL request as JSON; answers are JSON.
    GraphQl,
    /// The bare protobuf request of the question's first call; answers are protobuf.
    Protobuf,
}

/// A body to send and the answer to expect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sample {
    /// The body of the HTTP request.
    pub body: Vec<u8>,
    /// The body of the right answer.
    pub answer: Vec<u8>,
}

impl fmt::Display for Question {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Q1 => "q1",
            Self::Q2 => "q2",
            Self::Q3 => "q3",
            Self::Q4 => "q4",
            Self::Q5 => "q5",
            Self::Q6 => "q6",
        })
    }
}

impl Question {
    /// All questions, in the order of the report.
    pub const ALL: [Self; 6] = [Self::Q1, Self::Q2, Self::Q3, Self::Q4, Self::Q5, Self::Q6];

    /// The method of the first call that answers it.
    pub fn method(self) -> &'static str {
        match self {
            Self::Q1 => "/bench.v1.BenchService/GetUser",
            Self::Q2 | Self::Q3 => "/bench.v1.BenchService/ListPosts",
            Self::Q4 => "/bench.v1.BenchService/ListArticles",
            Self::Q5 => "/bench.v1.BenchService/ListReadings",
            Self::Q6 => "/bench.v1.BenchService/GetTimetable",
        }
    }

    /// The query with its values in the text, as issues and documents quote it.
    pub fn text(self) -> String {
        let root = match self {
            Self::Q1 => "user(id: 1)",
            Self::Q2 | Self::Q3 => "posts(limit: 100)",
            Self::Q4 => "articles(limit: 50)",
            Self::Q5 => "readings(limit: 1000)",
            Self::Q6 => "timetable(id: 1)",
        };
        format!("{{ {root} {{ {} }} }}", self.selection())
    }

    /// The query with its values in variables.
    fn text_with_variables(self) -> String {
        let root = match self {
            Self::Q1 => "query Q1($id: ID!) { user(id: $id)",
            Self::Q2 => "query Q2($limit: Int!) { posts(limit: $limit)",
            Self::Q3 => "query Q3($limit: Int!) { posts(limit: $limit)",
            Self::Q4 => "query Q4($limit: Int!) { articles(limit: $limit)",
            Self::Q5 => "query Q5($limit: Int!) { readings(limit: $limit)",
            Self::Q6 => "query Q6($id: ID!) { timetable(id: $id)",
        };
        format!("{root} {{ {} }} }}", self.selection())
    }

    /// What is wanted of each object.
    fn selection(self) -> &'static str {
        match self {
            Self::Q1 => "id name email",
            Self::Q2 => "id title body",
            Self::Q3 => "id title user { id name email }",
            Self::Q4 => {
                "id title author { id name company { id name country } } \
                 editor { id name company { id name country } }"
            }
            Self::Q5 => "sequence wheels value plausible sensor station firmware remark kind at",
            Self::Q6 => {
                "id season lines { name operator { name phone } trips { number headsign note \
                 stops { arrival departure platform station { name position { latitude longitude } } \
                 change { minutes reason } } } }"
            }
        }
    }

    /// What to send in which order, with the right answers.
    pub fn samples(self, language: Language, values: Values) -> Vec<Sample> {
        // A list's length varies little, so that a varying run costs what a fixed one does, within 4 %.
        let (fixed, varying) = match self {
            Self::Q1 => (1, 1..=10),
            Self::Q2 | Self::Q3 => (world::POSTS, world::POSTS - 4..=world::POSTS),
            Self::Q4 => (world::ARTICLES, world::ARTICLES - 4..=world::ARTICLES),
            Self::Q5 => (world::READINGS, world::READINGS - 4..=world::READINGS),
            Self::Q6 => (1, 1..=world::SEASONS),
        };
        let asked = match values {
            Values::Fixed => fixed..=fixed,
            Values::Vary => varying,
        };
        asked
            .map(|value| match language {
                Language::GraphQl => {
                    Sample { body: self.graphql(values, value), answer: answer::json(self, value) }
                }
                Language::Protobuf => self.protobuf(value),
            })
            .collect()
    }

    fn graphql(self, values: Values, value: usize) -> Vec<u8> {
        let variables = match self {
            Self::Q1 | Self::Q6 => json!({ "id": value.to_string() }),
            Self::Q2 | Self::Q3 | Self::Q4 | Self::Q5 => json!({ "limit": value }),
        };
        let body = match values {
            Values::Fixed => json!({ "query": self.text(), "variables": {}, "operationName": null }),
            Values::Vary => json!({
                "query": self.text_with_variables(),
                "variables": variables,
                "operationName": self.to_string().to_uppercase(),
            }),
        };
        body.to_string().into_bytes()
    }

    /// The question's first call and its answer.
    fn protobuf(self, value: usize) -> Sample {
        let limit = i32::try_from(value).expect("a thousand at most");
        let id = i64::from(limit);
        let (body, answer) = match self {
            Self::Q1 => (GetUserRequest { id }.encode_to_vec(), world::users()[value - 1].encode_to_vec()),
            Self::Q2 | Self::Q3 => (
                ListPostsRequest { limit }.encode_to_vec(),
                ListPostsResponse { posts: world::posts()[..value].to_vec() }.encode_to_vec(),
            ),
            Self::Q4 => (
                ListArticlesRequest { limit }.encode_to_vec(),
                ListArticlesResponse { articles: world::articles()[..value].to_vec() }.encode_to_vec(),
            ),
            Self::Q5 => (
                ListReadingsRequest { limit }.encode_to_vec(),
                ListReadingsResponse { readings: world::readings()[..value].to_vec() }.encode_to_vec(),
            ),
            Self::Q6 => (GetTimetableRequest { id }.encode_to_vec(), world::timetable(value).encode_to_vec()),
        };
        Sample { body, answer }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn answers_keep_the_order_of_the_selection() {
        let sample = &Question::Q1.samples(Language::GraphQl, Values::Fixed)[0];
        assert_eq!(
            String::from_utf8_lossy(&sample.answer),
            r#"{"data":{"user":{"id":"1","name":"Ada Lovelace","email":"user1@yard.example"}}}"#
        );
    }

    #[test]
    fn varying_values_give_different_bodies_and_different_answers() {
        for question in Question::ALL {
            let mut samples = question.samples(Language::GraphQl, Values::Vary);
            let asked = samples.len();
            assert!(asked > 1, "{question}");
            samples.sort_by(|one, other| one.body.cmp(&other.body));
            samples.dedup_by(|one, other| one.body == other.body || one.answer == other.answer);
            assert_eq!(samples.len(), asked, "{question}");
        }
    }

    #[test]
    fn every_joined_post_has_its_user() {
        let sample = &Question::Q3.samples(Language::GraphQl, Values::Fixed)[0];
        let answer: Value = serde_json::from_slice(&sample.answer).unwrap();
        let posts = answer["data"]["posts"].as_array().unwrap();
        assert_eq!(posts.len(), world::POSTS);
        assert!(posts.iter().all(|post| post["user"]["email"].is_string()));
    }
}
