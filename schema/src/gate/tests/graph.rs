//! What the graph must keep for those who use it.

use async_graphql_value::{ConstValue, Name as Word, Variables};
use expect_test::expect;

use super::*;

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

#[test]
fn a_shape_knows_what_was_sent_when_variables_were_recorded() {
    let graph = composed(&version(fixture::service("shop", SHOP)).1);
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
