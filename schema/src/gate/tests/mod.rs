//! Two versions of a service, and what the gate says.
//!
//! Most facts are edits of one small shop: what was there, what stands there now, and the findings.

mod graph;
mod hostile;
mod protos;
mod replay;
mod versions;
mod worlds;

use expect_test::Expect;

use super::*;
use crate::compose::{Locks, compose};
use crate::subgraph::{self, Exposure};
use crate::{Supergraph, fixture};

const SHOP: &str = r#"
service Shop {
  option (turnout.graphql.v1.service) = {expose: true};
  rpc GetItem(GetItemRequest) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc BatchGetItems(BatchGetItemsRequest) returns (BatchGetItemsResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (turnout.graphql.v1.rpc) = {hidden: true, lookup: {entity: "Item", keys: "ids", items: "items"}};
  }
  rpc ListItems(ListItemsRequest) returns (ListItemsResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc AddItem(AddItemRequest) returns (AddItemResponse);
  rpc Watch(WatchRequest) returns (stream Item) { option idempotency_level = NO_SIDE_EFFECTS; }
}
service Inside { rpc Count(CountRequest) returns (CountResponse); }
message Item {
  option (turnout.graphql.v1.entity) = {key: "id"};
  string id = 1;
  string title = 2;
  int32 stock = 3;
  optional string note = 4;
  Status status = 5;
  Size size = 6;
  oneof kind { string parcel = 7; string download = 8; }
  string secret = 9 [(turnout.graphql.v1.field).hidden = true];
  repeated string tags = 10;
  map<string, int32> counts = 11;
  string twin_id = 12 [(turnout.graphql.v1.field).ref = "Item"];
  reserved 20 to 22, 30;
  reserved "old_title";
}
message Size { uint32 grams = 1; }
enum Status { STATUS_UNSPECIFIED = 0; STATUS_ACTIVE = 1; STATUS_SOLD_OUT = 2; reserved 9; reserved "STATUS_OLD"; }
message GetItemRequest { string id = 1; }
message BatchGetItemsRequest { repeated string ids = 1; }
message BatchGetItemsResponse { repeated Item items = 1; }
message ListItemsRequest { int32 first = 1; Filter filter = 2; Status status = 3; }
message Filter { string text = 1; int32 min = 2; Status status = 3; }
message ListItemsResponse { repeated Item items = 1; }
message AddItemRequest { string title = 1; int32 stock = 2; }
message AddItemResponse { Item item = 1; }
message WatchRequest {}
message CountRequest { int32 a = 1; }
message CountResponse { int32 n = 1; }
"#;

/// One version: its descriptors and its part of the graph.
fn version(descriptors: Descriptors) -> (Descriptors, Subgraph) {
    let reading = subgraph::read("shop", "1.0.0", &descriptors, Exposure::Annotated);
    (descriptors, reading.subgraph)
}

/// The same of a version whose operator made everything public.
fn all(descriptors: Descriptors) -> (Descriptors, Subgraph) {
    let reading = subgraph::read("shop", "1.0.0", &descriptors, Exposure::All);
    (descriptors, reading.subgraph)
}

fn composed(subgraph: &Subgraph) -> Supergraph {
    let composition = compose(std::slice::from_ref(subgraph), &Locks::default());
    composition.supergraph.expect("the fixture composes")
}

/// The shape of a document whose variables nobody recorded.
fn shape(graph: &Supergraph, document: &str) -> Shape {
    let parsed = async_graphql_parser::parse_query(document).unwrap();
    Shape::of(document, &parsed, None, graph)
}

fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(SHOP.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the fixture");
        text.replacen(from, to, 1)
    })
}

fn report(edits: &[(&str, &str)], documents: &[&str]) -> Report {
    let old = version(fixture::service("shop", SHOP));
    let new = version(fixture::service("shop", &edited(edits)));
    let graph = composed(&old.1);
    let shapes: Vec<Shape> = documents.iter().map(|document| shape(&graph, document)).collect();
    gate((&old.0, &old.1), (&new.0, &new.1), &shapes)
}

/// The findings, a line each, and the operations that break.
fn lines(report: &Report) -> String {
    let mut text = String::new();
    for Finding { rule, severity, proto, graph, old, new } in &report.findings {
        let places: Vec<String> = graph.iter().map(Coordinate::to_string).collect();
        let proto = proto.as_deref().unwrap_or("-");
        let (severity, rule) = (severity.as_str(), rule.id());
        let line = format!("{severity} {rule} {proto} [{}]: {old} -> {new}", places.join(", "));
        text += &format!("{}\n", line.trim_end());
    }
    for BrokenShape { shape, by } in &report.broken_shapes {
        let by: Vec<String> = by.iter().map(Coordinate::to_string).collect();
        text += &format!("breaks {shape} by {}\n", by.join(", "));
    }
    let blocked = report.findings.iter().any(|finding| finding.severity == Severity::Block);
    assert_eq!(report.drop_in, !blocked);
    text
}

/// One edit, and the operations that were recorded.
fn check(edits: &[(&str, &str)], documents: &[&str], expected: Expect) {
    expected.assert_eq(&lines(&report(edits, documents)));
}

/// Edits, each on its own, of a version whose operations nobody recorded.
fn each(edits: &[(&str, &str)], expected: Expect) {
    let told = edits.iter().map(|edit| {
        let (from, to) = edit;
        let to = if to.is_empty() { "nothing" } else { to.trim() };
        format!("# {} => {to}\n{}", from.trim(), lines(&report(&[*edit], &[])))
    });
    expected.assert_eq(&told.collect::<String>());
}
