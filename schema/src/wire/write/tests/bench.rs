//! How long does the writer take for what the measuring stand asks? Nothing is asserted about time: machines
//! differ. `cargo test --release -p turnout-schema --lib write::tests::bench -- --nocapture` shows it.

use std::fmt::Write as _;
use std::hint::black_box;

use super::{Brings, Case, Response, Written, bytes, composed, int, message};
use crate::fixture;
use crate::subgraph::{self, Exposure};
use crate::wire::answers::{Answers, Outcome};
use crate::wire::write::{Asked, write};

#[test]
fn a_hundred_posts_are_written() {
    let text = include_str!("../../../../../bench/proto/bench/v1/bench.proto");
    let descriptors = fixture::descriptors(&[("bench/v1/bench.proto", text)]);
    let graph = composed(&[subgraph::read("bench", "1.0.0", &descriptors, Exposure::Annotated).subgraph]);
    let body = "Some words in a line, and then \"another\".\n";
    let posts: Vec<Vec<u8>> = (0..100)
        .map(|at| {
            let title = format!("A title of post number {at}");
            message(1, &[int(1, 1000 + at), bytes(2, title), bytes(3, body.repeat(3)), int(4, at % 10)])
        })
        .collect();
    let posts = posts.concat();
    let document = "{ posts { id title body } }";
    let brings = [("ListPosts", Brings::Bytes(posts.clone()))];
    let (text, _) = Case::new(&graph, document, &brings).written();
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(json["posts"][99]["body"], body.repeat(3));

    let plan = super::planned(&graph, document);
    let holds = plan.holds(|_| None).unwrap();
    let rounds = if cfg!(debug_assertions) { 20 } else { 20_000 };
    let mut answers = Answers::new(plan.fetches.len());
    let response = super::response(&plan, 0, &posts);
    let place = answers.keep(response);
    answers.set(0, Outcome::Whole(place));
    let asked =
        Asked { plan: &plan, holds: &holds, answers: &answers, introspection: None, bytes_max: 1 << 20 };
    let mut out = Vec::with_capacity(1 << 16);
    let writing = measured(rounds, || {
        out.clear();
        let written = write(black_box(&asked), &mut out);
        assert_eq!(written, Written::default());
    });
    let posts = bytes::Bytes::from(posts);
    let reading = measured(rounds, || {
        black_box(Response::read(&plan.tables, plan.fetches[0].table, posts.clone()).unwrap());
    });
    let mut line = String::new();
    let _infallible = write!(line, "Q2: {writing} ns to write {} bytes, {reading} ns to read", out.len());
    println!("{line}");
}

/// Nanoseconds a round.
fn measured(rounds: u32, mut round: impl FnMut()) -> u128 {
    #[expect(clippy::disallowed_methods, reason = "a measurement, of which nothing is asserted")]
    let now = std::time::Instant::now;
    let start = now();
    for _ in 0..rounds {
        round();
    }
    start.elapsed().as_nanos() / u128::from(rounds)
}
