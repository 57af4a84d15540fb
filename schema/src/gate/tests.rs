//! Two versions of a service, and what the gate says.

use async_graphql_value::{ConstValue, Name as Word, Variables};
use expect_test::{Expect, expect};
use proptest::prelude::*;
use prost::Message;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};

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

fn graph(subgraph: &Subgraph) -> Supergraph {
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
    let graph = graph(&old.1);
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

#[test]
fn what_is_not_in_the_graph_may_change_as_it_likes() {
    for edit in [
        ("string secret = 9", "int64 secret = 9"),
        ("  string secret = 9 [(turnout.graphql.v1.field).hidden = true];\n", ""),
        ("rpc Count(CountRequest) returns (CountResponse);", ""),
        ("message CountRequest { int32 a = 1; }", "message CountRequest { string b = 1; }"),
    ] {
        assert_eq!(report(&[edit], &[]).findings, [], "{edit:?}");
    }
}

#[test]
fn additions_are_no_matter() {
    check(
        &[
            (
                "service Inside",
                "service More { rpc A(CountRequest) returns (CountResponse); }\nservice Inside",
            ),
            ("  string title = 2;", "  string title = 2;\n  string subtitle = 13;"),
            (
                "message GetItemRequest { string id = 1; }",
                "message GetItemRequest { string id = 1; bool all = 2; }",
            ),
        ],
        &[],
        expect![[""]],
    );
}

#[test]
fn rpcs_stay_as_they_are() {
    each(
        &[
            ("rpc GetItem(", "rpc FetchItem("),
            ("rpc GetItem(GetItemRequest)", "rpc GetItem(WatchRequest)"),
            ("(AddItemRequest) returns (AddItemResponse);", "(AddItemRequest) returns (Item);"),
            ("returns (stream Item)", "returns (Item)"),
            ("rpc AddItem(AddItemRequest)", "rpc AddItem(stream AddItemRequest)"),
            (
                "returns (AddItemResponse);",
                "returns (AddItemResponse) { option idempotency_level = IDEMPOTENT; }",
            ),
        ],
        expect![[r#"
            # rpc GetItem( => rpc FetchItem(
            block RPC_NO_DELETE shop.v1.Shop.GetItem [Item, Query.item]: rpc GetItem ->
            warn LOOKUP_SAME - [Item]: /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call -> /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call
            # rpc GetItem(GetItemRequest) => rpc GetItem(WatchRequest)
            block RPC_SAME_REQUEST_TYPE shop.v1.Shop.GetItem [Item, Query.item]: shop.v1.GetItemRequest -> shop.v1.WatchRequest
            warn LOOKUP_SAME - [Item]: /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call -> /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call
            warn ARG_REMOVED - [Query.item(id:)]: ID ->
            # (AddItemRequest) returns (AddItemResponse); => (AddItemRequest) returns (Item);
            block RPC_SAME_RESPONSE_TYPE shop.v1.Shop.AddItem [Mutation.addItem]: shop.v1.AddItemResponse -> shop.v1.Item
            warn TYPE_REMOVED - [AddItemResponse]: type ->
            # returns (stream Item) => returns (Item)
            block RPC_SAME_SERVER_STREAMING shop.v1.Shop.Watch [Subscription.watch]: stream -> one message
            warn TYPE_REMOVED - [Subscription]: type ->
            # rpc AddItem(AddItemRequest) => rpc AddItem(stream AddItemRequest)
            block RPC_SAME_CLIENT_STREAMING shop.v1.Shop.AddItem [Mutation.addItem]: one message -> stream
            warn TYPE_REMOVED - [AddItemResponse]: type ->
            warn TYPE_REMOVED - [Mutation]: type ->
            # returns (AddItemResponse); => returns (AddItemResponse) { option idempotency_level = IDEMPOTENT; }
            block RPC_SAME_IDEMPOTENCY_LEVEL shop.v1.Shop.AddItem [Mutation.addItem]: IDEMPOTENCY_UNKNOWN -> IDEMPOTENT
        "#]],
    );
}

#[test]
fn services_and_packages_stay() {
    check(
        &[("service Shop {", "service Store {")],
        &[],
        expect![[r#"
            block PACKAGE_SERVICE_NO_DELETE shop.v1.Shop [Item, Mutation.addItem, Query.item, Query.items, Subscription.watch]: service Shop ->
            warn LOOKUP_SAME - [Item]: /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call -> /shop.v1.Store/GetItem by id, one key a call; /shop.v1.Store/BatchGetItems by ids, up to 100 keys a call
        "#]],
    );
    // Both services of the file go with its package, and are told by their cause.
    let old = fixture::service("shop", SHOP);
    let old = (old.clone(), subgraph::read("shop", "1.0.0", &old, Exposure::All).subgraph);
    let moved =
        format!("syntax = \"proto3\"; package shop.v2; import \"turnout/graphql/v1/options.proto\";\n{SHOP}");
    let new = version(fixture::descriptors(&[("shop.proto", &moved)]));
    let report = gate((&old.0, &old.1), (&new.0, &new.1), &[]);
    let about_protos: Vec<_> = report
        .findings
        .iter()
        .filter_map(|finding| Some((finding.rule, finding.proto.as_deref()?)))
        .collect();
    assert_eq!(about_protos, [(Rule::FileSamePackage, "shop.proto")]);
    assert!(!report.drop_in);
}

#[test]
fn fields_mean_the_same_bytes() {
    each(
        &[
            ("string title = 2;", "string name = 2;"),
            ("string title = 2;", "string title = 2 [json_name = \"heading\"];"),
            ("int32 stock = 3;", "uint32 stock = 3;"),
            ("int32 stock = 3;", "Size stock = 3;"),
            ("int32 stock = 3;", "repeated int32 stock = 3;"),
            ("int32 stock = 3;", "optional int32 stock = 3;"),
            ("optional string note = 4;", "string note = 4;"),
            ("Size size = 6;", "repeated Size size = 6;"),
            ("map<string, int32> counts", "map<string, int64> counts"),
            ("string parcel = 7; string download = 8; }", "string download = 8; } string parcel = 7;"),
            ("string text = 1;", "bytes text = 1;"),
            ("repeated string ids = 1;", "repeated bytes ids = 1;"),
        ],
        expect![[r##"
            # string title = 2; => string name = 2;
            block FIELD_SAME_NAME shop.v1.Item.title [Item.title]: string title = 2 -> string name = 2
            # string title = 2; => string title = 2 [json_name = "heading"];
            block FIELD_SAME_JSON_NAME shop.v1.Item.title [Item.title]: title -> heading
            # int32 stock = 3; => uint32 stock = 3;
            block FIELD_SAME_TYPE shop.v1.Item.stock [Item.stock]: int32 stock = 3 -> uint32 stock = 3
            # int32 stock = 3; => Size stock = 3;
            block FIELD_SAME_TYPE shop.v1.Item.stock [Item.stock]: int32 stock = 3 -> shop.v1.Size stock = 3
            # int32 stock = 3; => repeated int32 stock = 3;
            block FIELD_SAME_CARDINALITY shop.v1.Item.stock [Item.stock]: int32 stock = 3 -> repeated int32 stock = 3
            # int32 stock = 3; => optional int32 stock = 3;
            warn FIELD_GAINS_PRESENCE shop.v1.Item.stock [Item.stock]: int32 stock = 3 -> optional int32 stock = 3
            # optional string note = 4; => string note = 4;
            block FIELD_SAME_CARDINALITY shop.v1.Item.note [Item.note]: optional string note = 4 -> string note = 4
            # Size size = 6; => repeated Size size = 6;
            block FIELD_SAME_CARDINALITY shop.v1.Item.size [Item.size]: shop.v1.Size size = 6 -> repeated shop.v1.Size size = 6
            # map<string, int32> counts => map<string, int64> counts
            block FIELD_SAME_TYPE shop.v1.Item.counts [Item.counts]: map<string, int32> counts = 11 -> map<string, int64> counts = 11
            warn FIELD_CHANGED_KIND - [ItemCountsEntry.value]: Int! -> Int64!
            # string parcel = 7; string download = 8; } => string download = 8; } string parcel = 7;
            block FIELD_SAME_ONEOF shop.v1.Item.parcel [Item.kindCase, Item.parcel]: in oneof kind -> in no oneof
            warn VALUE_REMOVED_FROM_ENUM - [ItemKindCase.PARCEL]:  ->
            # string text = 1; => bytes text = 1;
            block FIELD_SAME_TYPE shop.v1.Filter.text [FilterInput.text]: string text = 1 -> bytes text = 1
            # repeated string ids = 1; => repeated bytes ids = 1;
            block FIELD_SAME_TYPE shop.v1.BatchGetItemsRequest.ids [Item]: repeated string ids = 1 -> repeated bytes ids = 1
            warn LOOKUP_SAME - [Item]: /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call -> /shop.v1.Shop/GetItem by id, one key a call
        "##]],
    );
}

#[test]
fn what_nobody_uses_may_go_when_it_is_reserved() {
    each(
        &[
            ("  int32 stock = 3;", "  reserved 3; reserved \"stock\";"),
            ("  int32 stock = 3;", ""),
            ("  int32 stock = 3;", "  int32 stock = 33;"),
            ("STATUS_SOLD_OUT = 2;", "reserved 2; reserved \"STATUS_SOLD_OUT\";"),
            ("STATUS_SOLD_OUT = 2;", ""),
        ],
        expect![[r##"
            # int32 stock = 3; => reserved 3; reserved "stock";
            warn FIELD_NO_DELETE shop.v1.Item.stock [Item.stock]: int32 stock = 3 ->
            # int32 stock = 3; => nothing
            block FIELD_NO_DELETE_UNLESS_NUMBER_RESERVED shop.v1.Item.stock [Item.stock]: int32 stock = 3 -> number 3 is free
            block FIELD_NO_DELETE_UNLESS_NAME_RESERVED shop.v1.Item.stock [Item.stock]: int32 stock = 3 -> name "stock" is free
            warn FIELD_NO_DELETE shop.v1.Item.stock [Item.stock]: int32 stock = 3 ->
            # int32 stock = 3; => int32 stock = 33;
            block FIELD_SAME_NUMBER shop.v1.Item.stock [Item.stock]: int32 stock = 3 -> int32 stock = 33
            # STATUS_SOLD_OUT = 2; => reserved 2; reserved "STATUS_SOLD_OUT";
            warn ENUM_VALUE_NO_DELETE shop.v1.Status.STATUS_SOLD_OUT [Status.SOLD_OUT]: STATUS_SOLD_OUT = 2 ->
            # STATUS_SOLD_OUT = 2; => nothing
            block ENUM_VALUE_NO_DELETE_UNLESS_NUMBER_RESERVED shop.v1.Status.STATUS_SOLD_OUT [Status.SOLD_OUT]: STATUS_SOLD_OUT = 2 -> number 2 is free
            block ENUM_VALUE_NO_DELETE_UNLESS_NAME_RESERVED shop.v1.Status.STATUS_SOLD_OUT [Status.SOLD_OUT]: STATUS_SOLD_OUT = 2 -> name "STATUS_SOLD_OUT" is free
            warn ENUM_VALUE_NO_DELETE shop.v1.Status.STATUS_SOLD_OUT [Status.SOLD_OUT]: STATUS_SOLD_OUT = 2 ->
        "##]],
    );
}

#[test]
fn what_somebody_uses_stays() {
    let stock = [("  int32 stock = 3;", "  reserved 3; reserved \"stock\";")];
    check(
        &stock,
        &["{ item(id: 1) { stock } }", "{ item(id: 1) { title } }"],
        expect![[r#"
            block FIELD_NO_DELETE shop.v1.Item.stock [Item.stock]: int32 stock = 3 ->
            breaks { item(id: 1) { stock } } by Item.stock
        "#]],
    );
    check(
        &stock,
        &["fragment F on Item { stock } { items { items { ...F } } }"],
        expect![[r#"
            block FIELD_NO_DELETE shop.v1.Item.stock [Item.stock]: int32 stock = 3 ->
            breaks fragment F on Item { stock } { items { items { ...F } } } by Item.stock
        "#]],
    );
    let sold_out = [("STATUS_SOLD_OUT = 2;", "reserved 2; reserved \"STATUS_SOLD_OUT\";")];
    check(
        &sold_out,
        &[
            "{ items(status: SOLD_OUT) { items { id } } }",
            "{ items(status: ACTIVE) { items { id } } }",
            "query Q($s: Status) { items(status: $s) { items { id } } }",
            "query R($f: FilterInput) { items(filter: $f) { items { status } } }",
            "{ item(id: 1) { status } }",
        ],
        expect![[r#"
            block ENUM_VALUE_NO_DELETE shop.v1.Status.STATUS_SOLD_OUT [Status.SOLD_OUT]: STATUS_SOLD_OUT = 2 ->
            breaks { items(status: SOLD_OUT) { items { id } } } by Status.SOLD_OUT
            breaks query Q($s: Status) { items(status: $s) { items { id } } } by Status.SOLD_OUT
            breaks query R($f: FilterInput) { items(filter: $f) { items { status } } } by Status.SOLD_OUT
        "#]],
    );
    let presence = [("int32 stock = 3;", "optional int32 stock = 3;")];
    check(
        &presence,
        &["{ item(id: 1) { stock } }"],
        expect![[r#"
        block FIELD_CHANGED_KIND - [Item.stock]: Int! -> Int
        warn FIELD_GAINS_PRESENCE shop.v1.Item.stock [Item.stock]: int32 stock = 3 -> optional int32 stock = 3
        breaks { item(id: 1) { stock } } by Item.stock
    "#]],
    );
    let min = [("int32 min = 2;", "reserved 2; reserved \"min\";")];
    check(
        &min,
        &[
            "{ items(filter: {min: 1}) { items { id } } }",
            "{ items(filter: {text: \"a\"}) { items { id } } }",
        ],
        expect![[r#"
            block FIELD_NO_DELETE shop.v1.Filter.min [FilterInput.min]: int32 min = 2 ->
            breaks { items(filter: {min: 1}) { items { id } } } by FilterInput.min
        "#]],
    );
    let first = [("int32 first = 1;", "reserved 1; reserved \"first\";")];
    check(
        &first,
        &["{ items(first: 1) { items { id } } }", "{ items { items { id } } }"],
        expect![[r#"
            block FIELD_NO_DELETE shop.v1.ListItemsRequest.first [Query.items(first:)]: int32 first = 1 ->
            breaks { items(first: 1) { items { id } } } by Query.items(first:)
        "#]],
    );
}

#[test]
fn what_becomes_required_breaks_those_who_do_not_send_it() {
    let required = "[(google.api.field_behavior) = REQUIRED]";
    check(
        &[("int32 min = 2;", &format!("int32 min = 2; string shelf = 4 {required};"))],
        &["{ items(filter: {min: 1}) { items { id } } }", "{ items { items { id } } }"],
        expect![[r#"
            block REQUIRED_INPUT_FIELD_ADDED - [FilterInput.shelf]:  -> String!
            breaks { items(filter: {min: 1}) { items { id } } } by FilterInput.shelf
        "#]],
    );
    check(
        &[(
            "message GetItemRequest { string id = 1; }",
            &format!("message GetItemRequest {{ string id = 1; string shop = 2 {required}; }}"),
        )],
        &["{ item(id: 1) { id } }", "{ items { items { id } } }"],
        expect![[r#"
            block REQUIRED_ARG_ADDED - [Query.item(shop:)]:  -> String!
            warn LOOKUP_SAME - [Item]: /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call -> /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call
            breaks { item(id: 1) { id } } by Query.item(shop:)
        "#]],
    );
}

#[test]
fn reservations_are_kept_and_never_broken() {
    each(
        &[
            ("reserved 20 to 22, 30;", "reserved 20, 21 to 22, 30;"),
            ("reserved 20 to 22, 30;", "reserved 20 to 22;"),
            ("reserved 20 to 22, 30;", "reserved 20, 22, 30; string shelf = 21;"),
            ("  reserved \"old_title\";", ""),
            ("  reserved \"old_title\";", "  string old_title = 40;"),
            ("reserved 9; reserved \"STATUS_OLD\";", ""),
        ],
        expect![[r##"
            # reserved 20 to 22, 30; => reserved 20, 21 to 22, 30;
            # reserved 20 to 22, 30; => reserved 20 to 22;
            warn RESERVED_MESSAGE_NO_DELETE shop.v1.Item []: reserved 30 ->
            # reserved 20 to 22, 30; => reserved 20, 22, 30; string shelf = 21;
            block RESERVED_REUSED shop.v1.Item []: reserved 20 to 22 -> string shelf = 21
            # reserved "old_title"; => nothing
            warn RESERVED_MESSAGE_NO_DELETE shop.v1.Item []: reserved "old_title" ->
            # reserved "old_title"; => string old_title = 40;
            block RESERVED_REUSED shop.v1.Item []: reserved "old_title" -> string old_title = 40
            # reserved 9; reserved "STATUS_OLD"; => nothing
            warn RESERVED_ENUM_NO_DELETE shop.v1.Status []: reserved 9 ->
            warn RESERVED_ENUM_NO_DELETE shop.v1.Status []: reserved "STATUS_OLD" ->
        "##]],
    );
}

#[test]
fn enum_values_keep_their_names_and_new_ones_are_told() {
    each(
        &[
            ("STATUS_SOLD_OUT = 2;", "STATUS_GONE = 2;"),
            ("STATUS_SOLD_OUT = 2;", "STATUS_SOLD_OUT = 2; STATUS_PREVIEW = 3;"),
        ],
        expect![[r#"
            # STATUS_SOLD_OUT = 2; => STATUS_GONE = 2;
            block ENUM_VALUE_SAME_NAME shop.v1.Status.STATUS_SOLD_OUT [Status.SOLD_OUT]: STATUS_SOLD_OUT = 2 -> STATUS_GONE = 2
            warn VALUE_ADDED_TO_ENUM - [Status.GONE]:  ->
            # STATUS_SOLD_OUT = 2; => STATUS_SOLD_OUT = 2; STATUS_PREVIEW = 3;
            warn VALUE_ADDED_TO_ENUM - [Status.PREVIEW]:  ->
        "#]],
    );
}

#[test]
fn options_that_change_the_graph_are_told() {
    each(
        &[
            ("[(turnout.graphql.v1.field).ref = \"Item\"]", ""),
            (", lookup: {entity: \"Item\", keys: \"ids\", items: \"items\"}", ""),
            ("items: \"items\"}", "items: \"items\", max_keys: 7}"),
            ("option (turnout.graphql.v1.entity) = {key: \"id\"};", ""),
            ("entity) = {key: \"id\"}", "entity) = {key: \"title\"}"),
        ],
        expect![[r##"
            # [(turnout.graphql.v1.field).ref = "Item"] => nothing
            warn FIELD_REMOVED - [Item.twin]: Item ->
            warn FIELD_CHANGED_KIND - [Item.twinId]: ID! -> String!
            # , lookup: {entity: "Item", keys: "ids", items: "items"} => nothing
            # items: "items"} => items: "items", max_keys: 7}
            warn LOOKUP_SAME - [Item]: /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call -> /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 7 keys a call
            # option (turnout.graphql.v1.entity) = {key: "id"}; => nothing
            warn ENTITY_NO_DELETE - [Item]: key id, from field 1 ->
            warn LOOKUP_NO_DELETE - [Item]: /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call ->
            warn FIELD_CHANGED_KIND - [Item.id]: ID! -> String!
            warn ARG_CHANGED_KIND - [Query.item(id:)]: ID -> String
            # entity) = {key: "id"} => entity) = {key: "title"}
            warn ENTITY_SAME_KEY - [Item]: key id, from field 1 -> key title, from field 2
            warn LOOKUP_SAME - [Item]: /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call -> /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call
            warn FIELD_CHANGED_KIND - [Item.id]: ID! -> String!
            warn FIELD_CHANGED_KIND - [Item.title]: String! -> ID!
            warn ARG_CHANGED_KIND - [Mutation.addItem(title:)]: String -> ID
            warn ARG_CHANGED_KIND - [Query.item(id:)]: ID -> String
        "##]],
    );
    check(
        &[("[(turnout.graphql.v1.field).ref = \"Item\"]", "")],
        &["{ item(id: 1) { twin { id } } }", "{ item(id: 1) { twinId } }"],
        expect![[r#"
            block FIELD_REMOVED - [Item.twin]: Item ->
            block FIELD_CHANGED_KIND - [Item.twinId]: ID! -> String!
            breaks { item(id: 1) { twin { id } } } by Item.twin
            breaks { item(id: 1) { twinId } } by Item.twinId
        "#]],
    );
    check(
        &[("AddItemResponse);", "AddItemResponse) { option (turnout.graphql.v1.rpc).unwrap = \"item\"; }")],
        &["mutation { addItem(title: \"a\") { item { id } } }"],
        expect![[r#"
            block TYPE_REMOVED - [AddItemResponse]: type ->
            block FIELD_CHANGED_KIND - [Mutation.addItem]: AddItemResponse -> Item
            breaks mutation { addItem(title: "a") { item { id } } } by AddItemResponse, Mutation.addItem
        "#]],
    );
}

/// Scenario 14 of the acceptance scenarios.
#[test]
fn a_version_that_deletes_a_used_rpc_renames_retypes_or_repeats_differently_is_blocked() {
    let report = report(
        &[
            (
                "  rpc GetItem(GetItemRequest) returns (Item) { option idempotency_level = NO_SIDE_EFFECTS; }\n",
                "",
            ),
            ("string title = 2;", "string name = 2;"),
            (
                "rpc AddItem(AddItemRequest) returns (AddItemResponse);",
                "rpc AddItem(AddItemRequest) returns (AddItemResponse) { option idempotency_level = IDEMPOTENT; }",
            ),
            ("int32 stock = 3;", "uint32 stock = 3;"),
            ("  Size size = 6;", "  reserved 6; reserved \"size\";"),
        ],
        &["query Page { item(id: 1) { title stock } }"],
    );
    expect![[r#"
        no drop-in: 4 to mend, 3 to know
        block FIELD_SAME_TYPE shop.v1.Item.stock (Item.stock)
          was  int32 stock = 3
          is   uint32 stock = 3
          mend Keep the field as it is, and add the new one under a new number.
        block FIELD_SAME_NAME shop.v1.Item.title (Item.title)
          was  string title = 2
          is   string name = 2
          mend Keep the field as it is, and add the new one under a new number.
        block RPC_SAME_IDEMPOTENCY_LEVEL shop.v1.Shop.AddItem (Mutation.addItem)
          was  IDEMPOTENCY_UNKNOWN
          is   IDEMPOTENT
          mend Keep the level: it decides whether calls are repeated, and whether this is a query.
        block RPC_NO_DELETE shop.v1.Shop.GetItem (Item, Query.item)
          was  rpc GetItem
          mend Keep the RPC, deprecate it, and remove it in a new major version.
        warn FIELD_NO_DELETE shop.v1.Item.size (Item.size)
          was  shop.v1.Size size = 6
          mend Keep it and deprecate it until no frontend uses it.
        warn LOOKUP_SAME Item
          was  /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call
          is   /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call
          mend Nothing, if it was meant; joins change when this version is promoted.
        warn TYPE_REMOVED Size
          was  type
          mend Keep it and deprecate it until no frontend uses it.
        breaks query Page { item(id: 1) { title stock } } by Item.stock, Item.title, Query.item
    "#]].assert_eq(&report.to_string());
}

#[test]
fn the_newer_catalog_stands_in_for_the_older_one_and_users_2_not_for_users_1() {
    let read = |service: &str, number: &str| version(fixture::sample(service, number));
    let (old, new) = (read("catalog", "1.4"), read("catalog", "1.5"));
    let shapes = [shape(
        &graph(&old.1),
        "query Shop($first: Int) { products(pageSize: $first) { products { title category { name } kind { \
         ... on PhysicalGoods { weightGrams } } } } }",
    )];
    expect![[r#"
        a drop-in: 0 to mend, 0 to know
    "#]]
    .assert_eq(&gate((&old.0, &old.1), (&new.0, &new.1), &shapes).to_string());

    let (old, new) = (read("users", "1"), read("users", "2"));
    let report =
        gate((&old.0, &old.1), (&new.0, &new.1), &[shape(&graph(&old.1), "{ user(id: 1) { email } }")]);
    assert!(!report.drop_in);
    assert_eq!(report.findings[0].rule, Rule::PackageServiceNoDelete);
    assert_eq!(report.broken_shapes.len(), 1);
}

#[test]
fn every_version_stands_in_for_itself() {
    for (service, number) in fixture::SAMPLES {
        let only = version(fixture::sample(service, number));
        let report = gate((&only.0, &only.1), (&only.0, &only.1), &[]);
        assert_eq!(report.findings, [], "{service} {number}");
    }
    let etcd = fixture::etcd();
    let all = subgraph::read("etcd", "3.5.0", &etcd, Exposure::All).subgraph;
    assert_eq!(gate((&etcd, &all), (&etcd, &all), &[]).findings, []);
}

#[test]
fn a_shape_knows_what_was_sent_when_variables_were_recorded() {
    let graph = graph(&version(fixture::service("shop", SHOP)).1);
    let document = async_graphql_parser::parse_query(
        "query Q($f: FilterInput, $first: Int = 3) { items(filter: $f, first: $first) { items { twin { title } } } }",
    )
    .unwrap();
    let text = |variables: Option<&Variables>| {
        let uses: Vec<String> = Shape::of("Q", &document, variables, &graph)
            .uses
            .iter()
            .map(|used| match used {
                Use::At(at) => format!("{at}\n"),
                Use::Load(entity) => format!("loads {entity}\n"),
            })
            .collect();
        uses.concat()
    };
    expect![[r#"
        Query.items
        Query.items(filter:)
        Query.items(first:)
        shop.v1.Filter
        shop.v1.Filter.min
        shop.v1.Filter.status
        shop.v1.Filter.text
        shop.v1.Item.title
        shop.v1.Item.twin
        shop.v1.ListItemsResponse.items
        shop.v1.Status.ACTIVE
        shop.v1.Status.SOLD_OUT
        loads shop.v1.Item
    "#]]
    .assert_eq(&text(None));
    let filter = ConstValue::Object(
        [(Word::new("status"), ConstValue::String("ACTIVE".into()))].into_iter().collect(),
    );
    let mut variables = Variables::default();
    variables.insert(Word::new("f"), filter);
    expect![[r#"
        Query.items
        Query.items(filter:)
        Query.items(first:)
        shop.v1.Filter
        shop.v1.Filter.status
        shop.v1.Item.title
        shop.v1.Item.twin
        shop.v1.ListItemsResponse.items
        shop.v1.Status.ACTIVE
        loads shop.v1.Item
    "#]]
    .assert_eq(&text(Some(&variables)));
}

/// The fixture's own file with something done to it, beside the files it imports.
fn altered(alter: impl FnOnce(FileDescriptorProto) -> Option<FileDescriptorProto>) -> Option<Descriptors> {
    let known = fixture::service("shop", SHOP);
    let (mut files, mut alter) = (Vec::new(), Some(alter));
    for file in known.pool().file_descriptor_protos() {
        match alter.take_if(|_| file.name() == "shop.proto") {
            Some(alter) => files.push(alter(file.clone())?),
            None => files.push(file.clone()),
        }
    }
    Descriptors::read(&FileDescriptorSet { file: files }.encode_to_vec()).ok()
}

fn both_ways(new: Descriptors) {
    let (old, new) = (version(fixture::service("shop", SHOP)), version(new));
    gate((&old.0, &old.1), (&new.0, &new.1), &[]);
    gate((&new.0, &new.1), (&old.0, &old.1), &[]);
}

#[test]
fn an_entry_of_a_map_without_a_key_is_compared_all_the_same() {
    let broken = altered(|mut file| {
        let item = file.message_type.iter_mut().find(|message| message.name() == "Item")?;
        item.nested_type[0].field.remove(0);
        Some(file)
    });
    both_ways(broken.expect("the pool takes it"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]
    #[test]
    fn no_descriptors_make_it_panic(at in any::<prop::sample::Index>(), with in any::<u8>()) {
        let flipped = altered(|file| {
            let mut bytes = file.encode_to_vec();
            let place = at.index(bytes.len());
            bytes[place] = with;
            FileDescriptorProto::decode(&*bytes).ok()
        });
        if let Some(flipped) = flipped {
            both_ways(flipped);
        }
    }
}
