//! Operations that cross services: what one service's operations need of another.

use expect_test::expect;

use super::*;

/// A service that refers to the shop's items, and adds a field to them.
const CARTS: &str = r#"
service Carts {
  option (turnout.graphql.v1.service) = {expose: true};
  rpc GetCart(GetCartRequest) returns (Cart) { option idempotency_level = NO_SIDE_EFFECTS; }
  rpc ListCartsByItems(ListCartsByItemsRequest) returns (ListCartsByItemsResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (turnout.graphql.v1.rpc) = {hidden: true, extends: {
      entity: "Item", field: "carts", key: "item_ids", items: "carts", group_by: "item_id"}};
  }
}
message Cart { string id = 1; string item_id = 2 [(turnout.graphql.v1.field).ref = "Item"]; }
message GetCartRequest { string id = 1; }
message ListCartsByItemsRequest { repeated string item_ids = 1; int32 limit = 2; }
message ListCartsByItemsResponse { repeated Cart carts = 1; }
"#;

fn carts(text: &str) -> (Descriptors, Subgraph) {
    let descriptors = fixture::service("carts", text);
    let reading = subgraph::read("carts", "1.0.0", &descriptors, Exposure::Annotated);
    (descriptors, reading.subgraph)
}

fn shapes(documents: &[&str]) -> Vec<Shape> {
    let (_, shop) = version(fixture::service("shop", SHOP));
    let (_, carts) = carts(CARTS);
    let composition = compose(&[shop, carts], &Locks::default());
    let graph = composition.supergraph.expect("the two compose");
    documents.iter().map(|document| shape(&graph, document)).collect()
}

#[test]
fn an_entity_that_another_service_refers_to_keeps_its_key_and_its_lookup() {
    let shapes = shapes(&["{ cart(id: 1) { item { title } } }", "{ cart(id: 1) { itemId } }"]);
    let old = version(fixture::service("shop", SHOP));
    let new = version(fixture::service(
        "shop",
        &edited(&[("option (turnout.graphql.v1.entity) = {key: \"id\"};", "")]),
    ));
    expect![[r#"
        block ENTITY_NO_DELETE - [Item]: key id, from field 1 ->
        block LOOKUP_NO_DELETE - [Item]: /shop.v1.Shop/GetItem by id, one key a call; /shop.v1.Shop/BatchGetItems by ids, up to 100 keys a call ->
        warn FIELD_CHANGED_KIND - [Item.id]: ID! -> String!
        warn ARG_CHANGED_KIND - [Query.item(id:)]: ID -> String
        breaks { cart(id: 1) { item { title } } } by Item
    "#]].assert_eq(&lines(&gate((&old.0, &old.1), (&new.0, &new.1), &shapes)));
}

#[test]
fn a_field_that_one_service_adds_to_anothers_entity_stays() {
    let shapes = shapes(&["{ item(id: 1) { carts(limit: 2) { id } } }", "{ item(id: 1) { title } }"]);
    let old = carts(CARTS);
    let told = |from: &str, to: &str| {
        let new = carts(&CARTS.replacen(from, to, 1));
        lines(&gate((&old.0, &old.1), (&new.0, &new.1), &shapes))
    };
    expect![[r#"
        block FIELD_REMOVED - [Item.carts]: [Cart!] ->
        breaks { item(id: 1) { carts(limit: 2) { id } } } by Item.carts
    "#]]
    .assert_eq(&told("field: \"carts\"", "field: \"baskets\""));
    expect![[r#"
        block FIELD_NO_DELETE carts.v1.ListCartsByItemsRequest.limit [Item.carts(limit:)]: int32 limit = 2 ->
        breaks { item(id: 1) { carts(limit: 2) { id } } } by Item.carts(limit:)
    "#]]
    .assert_eq(&told("int32 limit = 2;", "reserved 2; reserved \"limit\";"));
    expect![[r#"
        block FIELD_SAME_TYPE carts.v1.ListCartsByItemsRequest.item_ids [Item.carts]: repeated string item_ids = 1 -> repeated int32 item_ids = 1
        breaks { item(id: 1) { carts(limit: 2) { id } } } by Item.carts
    "#]].assert_eq(&told("repeated string item_ids = 1;", "repeated int32 item_ids = 1;"));
    expect![[r#"
        block FIELD_SAME_NUMBER carts.v1.Cart.item_id [Cart.item, Cart.itemId, Item.carts]: string item_id = 2 -> string item_id = 3
        breaks { item(id: 1) { carts(limit: 2) { id } } } by Item.carts
    "#]].assert_eq(&told("string item_id = 2", "string item_id = 3"));
}
