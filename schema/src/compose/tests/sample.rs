//! The sample world as one graph, which is shown in `docs/sample-world.graphql`.

use std::path::PathBuf;

use super::verify;
use crate::compose::{Composition, Locks, compose};
use crate::subgraph::{Exposure, read};
use crate::{Subgraph, fixture, sdl};

/// The newest of each sample service, but for users, whose two majors cannot stand in one graph.
const WORLD: [(&str, &str); 7] = [
    ("catalog", "1.5"),
    ("echo", "1"),
    ("math", "1"),
    ("orders", "2"),
    ("reviews", "1"),
    ("todo", "1"),
    ("users", "1"),
];

fn subgraphs() -> Vec<Subgraph> {
    WORLD.iter().map(|(service, version)| fixture::sample_subgraph(service, version)).collect()
}

fn world() -> Composition {
    compose(&subgraphs(), &Locks::default())
}

#[test]
fn the_sample_world_is_well_made() {
    let world = world();
    assert_eq!(verify(&world.supergraph.unwrap()), Vec::<String>::new());
    assert_eq!(world.diagnostics, []);
}

#[test]
fn etcd_joins_the_sample_world() {
    let mut subgraphs = subgraphs();
    subgraphs.push(read("etcd", "3.5.0", &fixture::etcd(), Exposure::All).subgraph);
    let composition = compose(&subgraphs, &Locks::default());
    let graph = composition.supergraph.unwrap();
    assert_eq!(verify(&graph), Vec::<String>::new());
    assert!(graph.types.contains_key("RangeResponse"));
    assert_eq!(composition.diagnostics, []);
}

/// Set `TURNOUT_BLESS` to write the document anew.
#[test]
fn the_document_of_the_sample_world_is_up_to_date() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../docs/sample-world.graphql");
    let document = format!("{HEAD}{}", sdl::sdl(&world().supergraph.unwrap()));
    #[expect(clippy::disallowed_methods, reason = "a test has no configuration")]
    if std::env::var("TURNOUT_BLESS").is_ok() {
        std::fs::write(&path, &document).unwrap();
    }
    let shown = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(shown == document, "docs/sample-world.graphql is old; TURNOUT_BLESS=1 cargo test writes it anew");
}

const HEAD: &str =
    "# What a frontend sees of the sample services: catalog 1.5, echo 1, math 1, orders 2, reviews 1,
# todo 1 and users 1, composed from their protos. A test keeps it up to date.

";
