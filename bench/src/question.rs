//! What is asked, and what the only right answer is.
//!
//! A question becomes samples: bodies to send with the answers to expect. With fixed values there is
//! one sample, whose text holds its values; with varying values there are several, with the values
//! in variables, and every connection walks through them. Expected answers are computed here from
//! `world` alone and never taken from a contender.

use std::fmt;

use clap::ValueEnum;
use prost::Message;
use serde_json::{Value, json};

use crate::wire::v1::{GetUserRequest, ListPostsRequest, ListPostsResponse, Post, User};
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
        })
    }
}

impl Question {
    /// All questions, in the order of the report.
    pub const ALL: [Self; 3] = [Self::Q1, Self::Q2, Self::Q3];

    /// The query with its values in the text, as issues and documents quote it.
    pub fn text(self) -> &'static str {
        match self {
            Self::Q1 => "{ user(id: 1) { id name email } }",
            Self::Q2 => "{ posts(limit: 100) { id title body } }",
            Self::Q3 => "{ posts(limit: 100) { id title user { id name email } } }",
        }
    }

    /// The query with its values in variables.
    fn text_with_variables(self) -> &'static str {
        match self {
            Self::Q1 => "query Q1($id: ID!) { user(id: $id) { id name email } }",
            Self::Q2 => "query Q2($limit: Int!) { posts(limit: $limit) { id title body } }",
            Self::Q3 => "query Q3($limit: Int!) { posts(limit: $limit) { id title user { id name email } } }",
        }
    }

    /// What to send in which order, with the right answers.
    pub fn samples(self, language: Language, values: Values) -> Vec<Sample> {
        let asked: Vec<usize> = match (values, self) {
            (Values::Fixed, Self::Q1) => vec![1],
            (Values::Fixed, Self::Q2 | Self::Q3) => vec![world::POSTS],
            (Values::Vary, Self::Q1) => (1..=10).collect(),
            // Close to each other, so that a varying run costs what a fixed one does, within 2 %.
            (Values::Vary, Self::Q2 | Self::Q3) => (world::POSTS - 4..=world::POSTS).collect(),
        };
        asked
            .into_iter()
            .map(|value| match language {
                Language::GraphQl => Sample { body: self.graphql(values, value), answer: self.json(value) },
                Language::Protobuf => self.protobuf(value),
            })
            .collect()
    }

    fn graphql(self, values: Values, value: usize) -> Vec<u8> {
        let body = match (values, self) {
            (Values::Fixed, _) => json!({ "query": self.text(), "variables": {}, "operationName": null }),
            (Values::Vary, Self::Q1) => json!({
                "query": self.text_with_variables(),
                "variables": { "id": value.to_string() },
                "operationName": self.to_string().to_uppercase(),
            }),
            (Values::Vary, Self::Q2 | Self::Q3) => json!({
                "query": self.text_with_variables(),
                "variables": { "limit": value },
                "operationName": self.to_string().to_uppercase(),
            }),
        };
        body.to_string().into_bytes()
    }

    fn json(self, value: usize) -> Vec<u8> {
        let users = world::users();
        let posts = world::posts();
        match self {
            Self::Q1 => format!(r#"{{"data":{{"user":{}}}}}"#, user_json(&users[value - 1])),
            Self::Q2 => posts_json(&posts[..value], |post| format!(r#""body":{}"#, string(&post.body))),
            Self::Q3 => posts_json(&posts[..value], |post| {
                let author = users.iter().find(|user| user.id == post.user_id);
                format!(r#""user":{}"#, author.map_or_else(|| "null".to_owned(), user_json))
            }),
        }
        .into_bytes()
    }

    fn protobuf(self, value: usize) -> Sample {
        match self {
            Self::Q1 => Sample {
                body: GetUserRequest { id: world::users()[value - 1].id }.encode_to_vec(),
                answer: world::users()[value - 1].encode_to_vec(),
            },
            Self::Q2 | Self::Q3 => Sample {
                body: ListPostsRequest { limit: i32::try_from(value).expect("a hundred at most") }
                    .encode_to_vec(),
                answer: ListPostsResponse { posts: world::posts()[..value].to_vec() }.encode_to_vec(),
            },
        }
    }
}

fn user_json(user: &User) -> String {
    format!(r#"{{"id":{},"name":{},"email":{}}}"#, id(user.id), string(&user.name), string(&user.email))
}

fn posts_json(posts: &[Post], rest: impl Fn(&Post) -> String) -> String {
    let items: Vec<String> = posts
        .iter()
        .map(|post| format!(r#"{{"id":{},"title":{},{}}}"#, id(post.id), string(&post.title), rest(post)))
        .collect();
    format!(r#"{{"data":{{"posts":[{}]}}}}"#, items.join(","))
}

/// Ids are of GraphQL's type ID, whatever they are underneath: text.
fn id(id: i64) -> String {
    string(&id.to_string())
}

fn string(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
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
