//! Plans as text, on graphs made of protos: what is called, and what is written from what.

mod answers;
mod calls;
mod conditions;
mod limits;
mod naive;
mod operation;
mod random;
mod verify;
mod worlds;

use std::sync::LazyLock;

use expect_test::Expect;

use super::{Error, Plan, plan};
use crate::compose::{Locks, compose};
use crate::subgraph::{self, Exposure};
use crate::{Subgraph, Supergraph, fixture};

/// The sample world, each service in its newest version.
static WORLD: LazyLock<Supergraph> = LazyLock::new(|| {
    let services =
        [("catalog", "1.5"), ("orders", "2"), ("reviews", "1"), ("users", "2"), ("todo", "1"), ("math", "1")];
    composed(&services.map(|(service, version)| fixture::sample_subgraph(service, version)))
});

/// What the measuring stand asks.
static BENCH: LazyLock<Supergraph> = LazyLock::new(|| {
    let text = include_str!("../../../../bench/proto/bench/v1/bench.proto");
    let descriptors = fixture::descriptors(&[("bench/v1/bench.proto", text)]);
    composed(&[subgraph::read("bench", "1.0.0", &descriptors, Exposure::Annotated).subgraph])
});

fn composed(subgraphs: &[Subgraph]) -> Supergraph {
    compose(subgraphs, &Locks::default()).supergraph.unwrap()
}

/// One service of this text.
fn graph(text: &str) -> Supergraph {
    composed(&[fixture::subgraph("shop", text)])
}

fn planned(graph: &Supergraph, document: &str) -> Result<Plan, Vec<Error>> {
    plan(graph, &async_graphql_parser::parse_query(document).unwrap(), None)
}

fn sound(graph: &Supergraph, document: &str) -> Plan {
    let plan = planned(graph, document).unwrap();
    verify::all(&plan);
    plan
}

/// What is called.
fn calls(graph: &Supergraph, document: &str, expected: &Expect) {
    expected.assert_eq(&sound(graph, document).explain());
}

/// What is written.
fn answer(graph: &Supergraph, document: &str, expected: &Expect) {
    expected.assert_eq(&sound(graph, document).outline());
}

/// What stands in the way.
fn refused(graph: &Supergraph, document: &str, expected: &Expect) {
    let errors = planned(graph, document).unwrap_err();
    let line = |error: &Error| match error.at() {
        Some(at) => format!("{at} {error}"),
        None => error.to_string(),
    };
    expected.assert_eq(&errors.iter().map(line).collect::<Vec<_>>().join("\n"));
}
