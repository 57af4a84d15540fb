//! What bytes and RPCs must keep, whoever uses them.

use expect_test::expect;

use super::*;

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
    let old = all(fixture::service("shop", SHOP));
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

/// A service of proto2, whose validator is of those whose names are known.
const OLD: &str = r#"
syntax = "proto2";
package old.v1;
import "buf/validate/validate.proto";
service Old { rpc Put(Letter) returns (Letter); }
message Letter {
  required string to = 1;
  optional int32 copies = 2 [default = 1];
  optional group Stamp = 3 { optional int32 cents = 1; }
  optional string text = 4 [(buf.validate.field).max = 90];
  required string from = 5;
}
"#;

const VALIDATE: &str = r#"
syntax = "proto2";
package buf.validate;
import "google/protobuf/descriptor.proto";
message Rules { optional int32 max = 1; }
extend google.protobuf.FieldOptions { optional Rules field = 1159; }
"#;

fn letters(text: &str) -> (Descriptors, Subgraph) {
    all(fixture::descriptors(&[("old.proto", text), ("buf/validate/validate.proto", VALIDATE)]))
}

#[test]
fn required_fields_defaults_groups_and_validation_are_compared() {
    let old = letters(OLD);
    let shapes = [shape(&composed(&old.1), "mutation { put(to: \"a\", from: \"b\") { text } }")];
    let told = [
        ("required string from = 5;", "optional string from = 5;"),
        ("required string from = 5;", "required string from = 5; required string via = 6;"),
        ("[default = 1]", "[default = 2]"),
        ("[default = 1]", ""),
        ("optional group Stamp = 3 { optional int32 cents = 1; }", "optional string stamp = 3;"),
        ("max = 90", "max = 10"),
    ]
    .map(|(from, to)| {
        let new = letters(&OLD.replacen(from, to, 1));
        let to = if to.is_empty() { "nothing" } else { to };
        format!("# {from} => {to}\n{}", lines(&gate((&old.0, &old.1), (&new.0, &new.1), &shapes)))
    });
    expect![[r##"
        # required string from = 5; => optional string from = 5;
        block MESSAGE_SAME_REQUIRED_FIELDS old.v1.Letter [Mutation.put]: required: from = 5, to = 1 -> required: to = 1
        warn FIELD_CHANGED_KIND - [Letter.from]: String! -> String
        breaks mutation { put(to: "a", from: "b") { text } } by Mutation.put
        # required string from = 5; => required string from = 5; required string via = 6;
        block MESSAGE_SAME_REQUIRED_FIELDS old.v1.Letter [Mutation.put]: required: from = 5, to = 1 -> required: from = 5, to = 1, via = 6
        block REQUIRED_ARG_ADDED - [Mutation.put(via:)]:  -> String!
        breaks mutation { put(to: "a", from: "b") { text } } by Mutation.put, Mutation.put(via:)
        # [default = 1] => [default = 2]
        block FIELD_SAME_DEFAULT old.v1.Letter.copies [Letter.copies, Mutation.put(copies:)]: default "1" -> default "2"
        # [default = 1] => nothing
        block FIELD_SAME_DEFAULT old.v1.Letter.copies [Letter.copies, Mutation.put(copies:)]: default "1" -> no default
        # optional group Stamp = 3 { optional int32 cents = 1; } => optional string stamp = 3;
        block FIELD_SAME_TYPE old.v1.Letter.stamp [Letter.stamp, Mutation.put(stamp:)]: group old.v1.Letter.Stamp stamp = 3 -> optional string stamp = 3
        warn TYPE_REMOVED - [LetterStamp]: type ->
        warn TYPE_REMOVED - [LetterStampInput]: input ->
        # max = 90 => max = 10
        warn FIELD_SAME_VALIDATION old.v1.Letter.text [Letter.text, Mutation.put(text:)]: (buf.validate.field) = {max:90} -> (buf.validate.field) = {max:10}
    "##]].assert_eq(&told.concat());
}
