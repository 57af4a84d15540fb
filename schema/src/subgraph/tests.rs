//! What is read from descriptors, as text.

use expect_test::{Expect, expect, expect_file};

use super::{Exposure, describe, read};
use crate::fixture;

/// What a service offers, all of it public, and what there is to say about it.
fn check(text: &str, expected: Expect) {
    let reading = fixture::reading("shop", text);
    let diagnostics: String = reading.diagnostics.iter().map(|found| format!("{found}\n")).collect();
    expected.assert_eq(&format!("{}{diagnostics}", describe(&reading.subgraph)));
}

fn check_sample(service: &str, version: &str, expected: expect_test::ExpectFile) {
    let reading = read(service, version, &fixture::sample(service, version), Exposure::Annotated);
    let diagnostics: String = reading.diagnostics.iter().map(|found| format!("{found}\n")).collect();
    expected.assert_eq(&format!("{}{diagnostics}", describe(&reading.subgraph)));
}

#[test]
fn the_samples_offer_what_they_did() {
    check_sample("catalog", "1.5", expect_file!["samples/catalog-1.5.txt"]);
    check_sample("echo", "1", expect_file!["samples/echo-1.txt"]);
    check_sample("orders", "2", expect_file!["samples/orders-2.txt"]);
    check_sample("reviews", "1", expect_file!["samples/reviews-1.txt"]);
    check_sample("todo", "1", expect_file!["samples/todo-1.txt"]);
    check_sample("users", "2", expect_file!["samples/users-2.txt"]);
}

#[test]
fn a_plain_rpc_is_a_mutation() {
    check(
        "service S { rpc Do(google.protobuf.Empty) returns (google.protobuf.Empty); }",
        expect![[r#"
        mutation do: DoPayload -> Do [once]
        type DoPayload
          ok: Boolean!
    "#]],
    );
}

#[test]
fn names_that_are_wanted_twice_take_their_package() {
    check(
        r#"
        service S { rpc Do(Money) returns (Query) { option idempotency_level = NO_SIDE_EFFECTS; } }
        message Query { google.type.Money google = 1; Money own = 2; Outer.Inner nested = 3; OuterInner flat = 4; }
        message Money { int32 coins = 1; }
        message Outer { message Inner { int32 a = 1; } }
        message OuterInner { int32 b = 1; }
        "#,
        expect![[r#"
            query do(coins: Int): ShopV1Query -> Do [reads]
            scalar Int64
            type Money
              currencyCode: String! = 1 implicit string
              units: Int64! = 2 implicit int64
              nanos: Int! = 3 implicit int32
            type OuterInner
              a: Int! = 1 implicit int32
            type ShopV1Money
              coins: Int! = 1 implicit int32
            type ShopV1OuterInner
              b: Int! = 1 implicit int32
            type ShopV1Query
              google: Money = 1 optional message
              own: ShopV1Money = 2 optional message
              nested: OuterInner = 3 optional message
              flat: ShopV1OuterInner = 4 optional message
            info[TYPE_RENAMED]: shop.v1.Money is called `ShopV1Money` in the graph, because `Money` is google.type.Money.
            info[TYPE_RENAMED]: shop.v1.OuterInner is called `ShopV1OuterInner` in the graph, because `OuterInner` is shop.v1.Outer.Inner.
            info[TYPE_RENAMED]: shop.v1.Query is called `ShopV1Query` in the graph, because `Query` is a type of the graph itself.
        "#]],
    );
}

#[test]
fn root_fields_take_their_kind_from_what_is_said() {
    check(
        r#"
        service S {
          rpc GetThing(Ask) returns (Answer) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc GetOther(Ask) returns (Answer);
          rpc Getaway(Ask) returns (Answer) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc ListThings(Ask) returns (Answer) { option (google.api.http) = {get: "/things"}; }
          rpc SearchThings(Ask) returns (Answer) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc Put(Ask) returns (Answer) { option idempotency_level = IDEMPOTENT; option (google.api.http) = {get: "/"}; }
          rpc Watch(Ask) returns (stream Answer);
          rpc Say(Ask) returns (Answer) { option (turnout.graphql.v1.rpc) = {root: QUERY field: "said" cost: 7}; }
          rpc Wrong(Ask) returns (Answer) { option (turnout.graphql.v1.rpc) = {root: SUBSCRIPTION}; }
          rpc Also(Ask) returns (stream Answer) { option (turnout.graphql.v1.rpc) = {root: QUERY}; }
          rpc Thing(Ask) returns (Answer) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc Talk(stream Ask) returns (Answer);
          rpc Hidden(Ask) returns (Answer) { option (turnout.graphql.v1.rpc) = {hidden: true}; }
          rpc Text(google.protobuf.StringValue) returns (google.protobuf.StringValue);
        }
        message Ask { string text = 1; }
        message Answer { string text = 1; }
        "#,
        expect![[r#"
            query thing(text: String): Answer -> GetThing [reads]
            mutation getOther(text: String): Answer -> GetOther [once]
            query getaway(text: String): Answer -> Getaway [reads]
            query things(text: String): Answer -> ListThings [reads]
            query searchThings(text: String): Answer -> SearchThings [reads]
            mutation put(text: String): Answer -> Put [idempotent]
            subscription watch(text: String): Answer -> Watch [once]
            query said(text: String): Answer -> Say [reads cost 7]
            mutation wrong(text: String): Answer -> Wrong [once]
            subscription also(text: String): Answer -> Also [once]
            mutation text(value: String): String -> Text [once] . value
            type Answer
              text: String! = 1 implicit string
            shop.v1.S.ListThings: only reads, because it is a GET in HTTP (standard)
            shop.v1.S.Say: only reads, because it is a query (option)
            error[ROOT_IMPOSSIBLE]: shop.v1.S.Also cannot be a field of Query, because it streams. Leave `root` out, or choose another one.
            error[FIELD_NAME_TAKEN]: shop.v1.S.Thing is not in the graph, because Query.thing is taken. Give it another name with `(turnout.graphql.v1.rpc).field`.
            error[ROOT_IMPOSSIBLE]: shop.v1.S.Wrong cannot be a field of Subscription, because it does not stream. Leave `root` out, or choose another one.
            warning[LOOKS_LIKE_A_READ]: shop.v1.S.GetOther looks like a read, and is a mutation because it does not say so. Set `option idempotency_level = NO_SIDE_EFFECTS` on it.
            warning[ANNOTATIONS_CONFLICT]: shop.v1.S.Put is a GET in HTTP and not NO_SIDE_EFFECTS in gRPC; it counts as IDEMPOTENT. Say NO_SIDE_EFFECTS when it only reads.
            warning[STREAM_OF_CALLERS]: shop.v1.S.Talk is not in the graph, because its caller streams. Only unary RPCs and streams from the service have a form in GraphQL.
        "#]],
    );
}
