//! How long does the writer take for what the measuring stand asks? Nothing is asserted about time: machines
//! differ. `cargo test --release -p turnout-schema --lib write::tests::bench -- --nocapture` shows it.

use std::hint::black_box;
use std::sync::LazyLock;

use super::{Brings, Case, Response, Written, bytes, composed, int, message};
use crate::subgraph::{self, Exposure};
use crate::wire::write::{Asked, write};
use crate::{Supergraph, fixture};

static BENCH: LazyLock<Supergraph> = LazyLock::new(|| {
    let text = include_str!("../../../../../bench/proto/bench/v1/bench.proto");
    let descriptors = fixture::descriptors(&[("bench/v1/bench.proto", text)]);
    composed(&[subgraph::read("bench", "1.0.0", &descriptors, Exposure::Annotated).subgraph])
});

const BODY: &str = "Some words in a line, and then another one, which ends the line.\n\
                    And a second line, which is as long as the first line is.";

fn posts() -> Vec<u8> {
    let post = |at: i64| {
        let title = format!("A title of post number {at}");
        message(1, &[int(1, 1000 + at), bytes(2, title), bytes(3, BODY), int(4, 1 + at % 10)])
    };
    (0..100).flat_map(post).collect()
}

fn users() -> Vec<u8> {
    (1..=10).flat_map(|id| message(1, &[int(1, id), bytes(2, format!("User {id}"))])).collect()
}

#[test]
fn a_hundred_posts_are_written() {
    let brings = [("ListPosts", Brings::Bytes(posts()))];
    let case = Case::new(&BENCH, "{ posts { id title body } }", &brings);
    let json: serde_json::Value = serde_json::from_str(&case.written().0).unwrap();
    assert_eq!(json["posts"][99]["body"], BODY);
    measured("Q2", &case);
}

#[test]
fn a_hundred_posts_are_written_with_their_users() {
    let brings = [("ListPosts", Brings::Bytes(posts())), ("BatchGetUsers", Brings::Bytes(users()))];
    let case = Case::new(&BENCH, "{ posts { id title user { id name } } }", &brings);
    let json: serde_json::Value = serde_json::from_str(&case.written().0).unwrap();
    assert_eq!(json["posts"][99]["user"]["name"], "User 10");
    measured("Q3", &case);
}

fn measured(what: &str, case: &Case<'_>) {
    let (plan, holds, answers) = case.brought();
    let asked =
        Asked { plan: &plan, holds: &holds, answers: &answers, introspection: None, bytes_max: 1 << 20 };
    let mut out = Vec::with_capacity(1 << 16);
    let writing = nanoseconds(|| {
        out.clear();
        assert_eq!(write(black_box(&asked), &mut out), Written::default());
    });
    let posts = ::bytes::Bytes::from(posts());
    let reading = nanoseconds(|| {
        black_box(Response::read(&plan.tables, plan.fetches[0].table, posts.clone()).unwrap());
    });
    println!("{what}: {writing} ns to write {} bytes, {reading} ns to read the posts", out.len());
}

/// How long a round takes.
fn nanoseconds(mut round: impl FnMut()) -> u128 {
    #[expect(clippy::disallowed_methods, reason = "a measurement, of which nothing is asserted")]
    let now = std::time::Instant::now;
    let rounds = if cfg!(debug_assertions) { 20 } else { 5_000 };
    let start = now();
    for _ in 0..rounds {
        round();
    }
    start.elapsed().as_nanos() / rounds
}
