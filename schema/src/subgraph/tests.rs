//! What is read from descriptors, as text.

use expect_test::{Expect, ExpectFile, expect, expect_file};

use super::{Exposure, Reading, describe, read};
use crate::fixture;

/// What a service offers, all of it public, and what there is to say about it.
fn check(text: &str, expected: Expect) {
    expected.assert_eq(&told(&fixture::reading("shop", text)));
}

fn check_sample(service: &str, version: &str, expected: ExpectFile) {
    let descriptors = fixture::sample(service, version);
    expected.assert_eq(&told(&read(service, version, &descriptors, Exposure::Annotated)));
}

fn told(reading: &Reading) -> String {
    let diagnostics: String = reading.diagnostics.iter().map(|found| format!("{found}\n")).collect();
    format!("{}{diagnostics}", describe(&reading.subgraph))
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
            shop.v1.S: is public (operator)
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
            shop.v1.S: is public (operator)
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
            query sThing(text: String): Answer -> Thing [reads]
            mutation text(value: String): String -> Text [once] . value
            type Answer
              text: String! = 1 implicit string
            shop.v1.S: is public (operator)
            shop.v1.S.ListThings: only reads, because it is a GET in HTTP (standard)
            shop.v1.S.Say: only reads, because it is a query (option)
            error[ROOT_IMPOSSIBLE]: shop.v1.S.Also cannot be a field of Query, because it streams. Leave `root` out, or choose another one.
            error[ROOT_IMPOSSIBLE]: shop.v1.S.Wrong cannot be a field of Subscription, because it does not stream. Leave `root` out, or choose another one.
            warning[LOOKS_LIKE_A_READ]: shop.v1.S.GetOther looks like a read, and is a mutation because it does not say so. Set `option idempotency_level = NO_SIDE_EFFECTS` on it.
            warning[ANNOTATIONS_CONFLICT]: shop.v1.S.Put is a GET in HTTP and not NO_SIDE_EFFECTS in gRPC; it counts as IDEMPOTENT. Say NO_SIDE_EFFECTS when it only reads.
            warning[STREAM_OF_CALLERS]: shop.v1.S.Talk is not in the graph, because its caller streams. Only unary RPCs and streams from the service have a form in GraphQL.
            info[FIELD_RENAMED]: shop.v1.S.Thing is called `sThing`, because Query.thing is taken. Give it another name with `(turnout.graphql.v1.rpc).field`.
        "#]],
    );
}

#[test]
fn googles_annotations_make_entities() {
    check(
        r#"
        service Library {
          rpc GetBook(GetBookRequest) returns (Book) { option (google.api.http) = {get: "/v1/{name=shelves/*/books/*}"}; }
          rpc UpdateBook(UpdateBookRequest) returns (Book) { option (google.api.http) = {patch: "/v1/{book.name=*}" body: "book"}; }
          rpc DeleteBook(DeleteBookRequest) returns (google.protobuf.Empty) { option (google.api.http) = {delete: "/v1/{name=*}"}; }
        }
        message Book { option (google.api.resource) = {type: "library/Book" pattern: "books/{book}"}; string name = 1; string author = 2; }
        message GetBookRequest { string name = 1 [(google.api.field_behavior) = REQUIRED]; }
        message UpdateBookRequest { Book book = 1 [(google.api.field_behavior) = REQUIRED]; google.protobuf.FieldMask update_mask = 2; }
        message DeleteBookRequest { string name = 1 [(google.api.field_behavior) = REQUIRED]; }
        "#,
        expect![[r#"
            query book(name: ID!): Book -> GetBook [reads]
            mutation updateBook(book: BookUpdateInput!): Book -> UpdateBook [once] mask 2 of 1 but 1
            mutation deleteBook(name: ID!): DeleteBookPayload -> DeleteBook [once]
            entity Book by name
            lookup Book -> GetBook [reads] by name matched by name, 1 at most
            type Book
              name: ID! = 1 implicit string
              author: String! = 2 implicit string
            input BookInput
              name: ID = 1 implicit string
              author: String = 2 implicit string
            input BookUpdateInput
              name: ID! = 1 implicit string
              author: String = 2 implicit string
            type DeleteBookPayload
              ok: Boolean!
            shop.v1.Book: is an entity, by name (standard)
            shop.v1.DeleteBookRequest.name: is an ID, of Book (shape)
            shop.v1.GetBookRequest.name: is an ID, of Book (shape)
            shop.v1.Library: is public (operator)
            shop.v1.Library.GetBook: loads Book by name (shape)
            shop.v1.Library.GetBook: only reads, because it is a GET in HTTP (standard)
            shop.v1.UpdateBookRequest.update_mask: is filled in with the fields of `book` that are given (shape)
        "#]],
    );
}

#[test]
fn etcd_is_read_without_any_annotation() {
    let reading = read("etcd", "3.5.0", &fixture::etcd(), Exposure::All);
    expect_file!["samples/etcd.txt"].assert_eq(&told(&reading));
}

#[test]
fn nothing_is_public_unless_somebody_says_so() {
    let reading = read("etcd", "3.5.0", &fixture::etcd(), Exposure::Annotated);
    expect![[r#"
        warning[NOTHING_PUBLIC]: Nothing of this version is public. Set `option (turnout.graphql.v1.service) = {expose: true}` on a service, or let the operator expose all of it.
    "#]].assert_eq(&told(&reading));
}

#[test]
fn what_serves_the_machinery_is_never_public() {
    let files = [(
        "health.proto",
        r#"syntax = "proto3"; package grpc.health.v1;
        service Health { rpc Check(Ask) returns (Ask); }
        message Ask { string service = 1; }"#,
    )];
    let reading = read("health", "1.0.0", &fixture::descriptors(&files), Exposure::All);
    expect![[r#"
        warning[NOTHING_PUBLIC]: Nothing of this version is public. Set `option (turnout.graphql.v1.service) = {expose: true}` on a service, or let the operator expose all of it.
    "#]].assert_eq(&told(&reading));
}

#[test]
fn presence_decides_about_null() {
    check(
        r#"
        service S { rpc Do(A) returns (A); }
        message A {
          string plain = 1;
          optional string maybe = 2;
          google.protobuf.StringValue wrapped = 3;
          repeated string many = 4;
          map<string, A> by_name = 5;
          A inner = 6;
          string empty = 7 [(turnout.graphql.v1.field) = {empty_as_null: true}];
          string must = 8 [(google.api.field_behavior) = REQUIRED];
          repeated string musts = 9 [(google.api.field_behavior) = REQUIRED];
          repeated google.protobuf.Value values = 10;
        }
        "#,
        expect![[r#"
            mutation do(plain: String, maybe: String, wrapped: String, many: [String!], byName: [AByNameEntryInput!], inner: AInput, empty: String, must: String!, musts: [String!]!, values: [JSON]): A -> Do [once]
            type A
              plain: String! = 1 implicit string
              maybe: String = 2 optional string
              wrapped: String = 3 optional wrapped string
              many: [String!]! = 4 repeated string
              byName: [AByNameEntry!]! = 5 map message
              inner: A = 6 optional message
              empty: String = 7 emptyasnull string
              must: String! = 8 implicit string
              musts: [String!]! = 9 repeated string
              values: [JSON]! = 10 repeated Value
            type AByNameEntry
              key: String! = 1 implicit string
              value: A! = 2 implicit message
            input AByNameEntryInput
              key: String! = 1 implicit string
              value: AInput! = 2 implicit message
            input AInput
              plain: String = 1 implicit string
              maybe: String = 2 optional string
              wrapped: String = 3 optional wrapped string
              many: [String!] = 4 repeated string
              byName: [AByNameEntryInput!] = 5 map message
              inner: AInput = 6 optional message
              empty: String = 7 emptyasnull string
              must: String! = 8 implicit string
              musts: [String!]! = 9 repeated string
              values: [JSON] = 10 repeated Value
            scalar JSON
            shop.v1.S: is public (operator)
        "#]],
    );
}

#[test]
fn enums_lose_their_prefix_where_all_have_it() {
    check(
        r#"
        service S { rpc Do(A) returns (A); }
        message A { Size size = 1; Mixed mixed = 2; Odd odd = 3; Only only = 4; Alias alias = 5; repeated Size sizes = 6; }
        enum Size { SIZE_UNSPECIFIED = 0; SIZE_SMALL = 1; SIZE_LARGE = 2; }
        enum Mixed { MIXED_UNSPECIFIED = 0; MIXED_A = 1; B = 2; }
        enum Odd { ODD_0 = 0; ODD_1 = 1; }
        enum Only { ONLY_UNSPECIFIED = 0; }
        enum Alias { option allow_alias = true; ALIAS_UNSPECIFIED = 0; ALIAS_NEW = 1; ALIAS_OLD = 1; true = 2; }
        "#,
        expect![[r#"
            mutation do(size: Size, mixed: Mixed, odd: Odd, only: Only, alias: Alias, sizes: [Size!]): A -> Do [once]
            type A
              size: Size = 1 implicit enum
              mixed: Mixed = 2 implicit enum
              odd: Odd = 3 implicit enum
              only: Only = 4 implicit enum
              alias: Alias = 5 implicit enum
              sizes: [Size!]! = 6 repeated enum
            enum Alias, 0 is null
              ALIAS_NEW = 1
              ALIAS_OLD = 1
              true_ = 2
            enum Mixed, 0 is null
              MIXED_A = 1
              B = 2
            enum Odd
              ODD_0 = 0
              ODD_1 = 1
            enum Only
              UNSPECIFIED = 0
            enum Size, 0 is null
              SMALL = 1
              LARGE = 2
            shop.v1.S: is public (operator)
        "#]],
    );
}

#[test]
fn inputs_leave_out_what_the_service_fills_in() {
    check(
        r#"
        service S {
          rpc CreateUser(CreateUserRequest) returns (User);
          rpc UpdateUser(UpdateUserRequest) returns (User);
          rpc ReplaceUser(ReplaceUserRequest) returns (User);
        }
        message CreateUserRequest { User user = 1 [(google.api.field_behavior) = REQUIRED]; }
        message UpdateUserRequest { User user = 1 [(google.api.field_behavior) = REQUIRED]; google.protobuf.FieldMask update_mask = 2; }
        message ReplaceUserRequest { User user = 1; User other = 2; google.protobuf.FieldMask update_mask = 3; }
        message User {
          option (turnout.graphql.v1.entity) = {key: "id"};
          string id = 1 [(google.api.field_behavior) = IDENTIFIER];
          string title = 2 [(google.api.field_behavior) = REQUIRED];
          string created = 3 [(google.api.field_behavior) = OUTPUT_ONLY];
          string password = 4 [(google.api.field_behavior) = INPUT_ONLY];
          string email = 5 [(google.api.field_behavior) = IMMUTABLE];
          string secret = 6 [(turnout.graphql.v1.field) = {hidden: true}];
          string old = 7 [deprecated = true];
          string old_must = 8 [deprecated = true, (google.api.field_behavior) = REQUIRED];
        }
        "#,
        expect![[r#"
            mutation createUser(user: UserInput!): User -> CreateUser [once]
            mutation updateUser(user: UserUpdateInput!): User -> UpdateUser [once] mask 2 of 1 but 1
            mutation replaceUser(user: UserInput, other: UserInput, updateMask: FieldMask): User -> ReplaceUser [once]
            entity User by id
            scalar FieldMask
            type User
              id: ID! = 1 implicit string
              title: String! = 2 implicit string
              created: String! = 3 implicit string
              email: String! = 5 implicit string
              old: String! = 7 implicit string (deprecated: No longer supported)
              oldMust: String! = 8 implicit string (deprecated: No longer supported)
            input UserInput
              id: ID = 1 implicit string
              title: String! = 2 implicit string
              password: String = 4 implicit string
              email: String = 5 implicit string
              old: String = 7 implicit string (deprecated: No longer supported)
              oldMust: String! = 8 implicit string
            input UserUpdateInput
              id: ID! = 1 implicit string
              title: String = 2 implicit string
              password: String = 4 implicit string
              old: String = 7 implicit string (deprecated: No longer supported)
              oldMust: String = 8 implicit string
            shop.v1.S: is public (operator)
            shop.v1.UpdateUserRequest.update_mask: is filled in with the fields of `user` that are given (shape)
            info[MASK_UNCLEAR]: shop.v1.ReplaceUserRequest.update_mask stays an argument, because it is not clear what it is about. Let the request have one message that is changed.
        "#]],
    );
}

#[test]
fn an_input_that_must_contain_itself_may_be_left_out() {
    check(
        r#"
        service S { rpc Do(Ask) returns (google.protobuf.Empty); }
        message Ask { A a = 1 [(google.api.field_behavior) = REQUIRED]; }
        message A { B b = 1 [(google.api.field_behavior) = REQUIRED]; string text = 2 [(google.api.field_behavior) = REQUIRED]; }
        message B { A a = 1 [(google.api.field_behavior) = REQUIRED]; repeated B more = 2 [(google.api.field_behavior) = REQUIRED]; }
        "#,
        expect![[r#"
            mutation do(a: AInput!): DoPayload -> Do [once]
            input AInput
              b: BInput = 1 optional message
              text: String! = 2 implicit string
            input BInput
              a: AInput = 1 optional message
              more: [BInput!]! = 2 repeated message
            type DoPayload
              ok: Boolean!
            shop.v1.S: is public (operator)
        "#]],
    );
}

#[test]
fn a_oneof_is_flat_or_a_union() {
    check(
        r#"
        service S { rpc Do(A) returns (A); }
        message A {
          oneof flat { string text = 1; B b = 2; google.protobuf.Empty none = 3; }
          oneof pick {
            option (turnout.graphql.v1.oneof) = {union: "Pick"};
            B first = 4; B second = 5; int64 number = 6; google.protobuf.Timestamp at = 7; google.protobuf.Empty nothing = 8;
          }
          optional string not_a_oneof = 9;
        }
        message B { int32 b = 1; }
        "#,
        expect![[r#"
            mutation do(text: String, b: BInput, none: Boolean, first: BInput, second: BInput, number: Int64, at: DateTime, nothing: Boolean, notAOneof: String): A -> Do [once] at most one of text, b, none at most one of first, second, number, at, nothing
            type A
              flatCase: AFlatCase = case of 1 TEXT, 2 B, 3 NONE
              text: String = 1 optional string
              b: B = 2 optional message
              none: Empty = 3 optional message
              pick: Pick = one of 4 B, 5 PickSecond, 6 PickNumber, 7 PickAt, 8 Empty
              notAOneof: String = 9 optional string
            enum AFlatCase
              TEXT = 1
              B = 2
              NONE = 3
            type B
              b: Int! = 1 implicit int32
            input BInput
              b: Int = 1 implicit int32
            scalar DateTime
            type Empty
              ok: Boolean!
            scalar Int64
            union Pick = B | PickSecond | PickNumber | PickAt | Empty
            type PickAt
              value: DateTime = 7 optional Timestamp
            type PickNumber
              value: Int64! = 6 optional int64
            type PickSecond
              value: B! = 5 optional message
            shop.v1.S: is public (operator)
        "#]],
    );
}

#[test]
fn references_lead_to_entities() {
    check(
        r#"
        service S { rpc Do(google.protobuf.Empty) returns (A); }
        message A {
          string user_id = 1 [(turnout.graphql.v1.field) = {ref: "User"}];
          repeated int64 category_ids = 2 [(turnout.graphql.v1.field) = {ref: "Category"}];
          string writer = 3 [(turnout.graphql.v1.field) = {ref: "User" as: "author"}];
          string reader = 4 [(turnout.graphql.v1.field) = {ref: "User"}];
          double price_id = 5 [(turnout.graphql.v1.field) = {ref: "Price"}];
          string inviter = 6 [(google.api.resource_reference) = {type: "shop/User"}];
          string user = 7;
        }
        "#,
        expect![[r#"
            mutation do: A -> Do [once]
            type A
              userId: ID! = 1 implicit string
              categoryIds: [ID!]! = 2 repeated int64
              categories: [Category!] -> Category by category_ids
              writer: ID! = 3 implicit string
              author: User -> User by writer
              reader: ID! = 4 implicit string
              priceId: Float! = 5 implicit double
              inviter: ID! = 6 implicit string
              user: String! = 7 implicit string
            shop.v1.A.inviter: is an ID (standard)
            shop.v1.A.inviter: names a shop/User, to which `ref` would lead (standard)
            shop.v1.S: is public (operator)
            error[FIELD_NAME_TAKEN]: shop.v1.A has two fields that are called `user` in the graph; one is left out. Give one of them another name with `(turnout.graphql.v1.field)`.
            error[REF_IMPOSSIBLE]: shop.v1.A.price_id does not lead to `Price`, because it holds no key. A key is a string or a whole number, or a list of them.
            error[REF_IMPOSSIBLE]: shop.v1.A.reader does not lead to `User`, because the field to it has no name. Name it with `as`.
        "#]],
    );
}

#[test]
fn lookups_are_said_or_have_a_shape() {
    check(
        r#"
        service S {
          option (turnout.graphql.v1.service) = {expose: true};
          rpc GetUser(GetUserRequest) returns (User) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc BatchGetUsers(Ids) returns (Users) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc BatchGetPeople(Ids) returns (Users);
          rpc BatchGetNamed(Ids) returns (Users) { option idempotency_level = NO_SIDE_EFFECTS; option (turnout.graphql.v1.rpc) = {field: "named"}; }
          rpc GetUserOfTeam(GetUserOfTeamRequest) returns (User) { option idempotency_level = NO_SIDE_EFFECTS; }
          rpc Load(Ids) returns (Users) { option (turnout.graphql.v1.rpc) = {hidden: true lookup: {entity: "User" keys: "ids" items: "users" key: "id" max_keys: 7}}; }
          rpc LoadWrong(Ids) returns (Users) { option (turnout.graphql.v1.rpc) = {hidden: true lookup: {entity: "User" keys: "idss"}}; }
          rpc LoadOther(Ids) returns (Users) { option (turnout.graphql.v1.rpc) = {hidden: true lookup: {entity: "Team" keys: "ids"}}; }
          rpc LoadNumbers(Numbers) returns (Users) { option (turnout.graphql.v1.rpc) = {hidden: true lookup: {entity: "User" keys: "ids" items: "users"}}; }
        }
        message GetUserRequest { string user_id = 1; google.protobuf.FieldMask read_mask = 2; }
        message GetUserOfTeamRequest { string id = 1; string team = 2 [(google.api.field_behavior) = REQUIRED]; }
        message Ids { repeated string ids = 1; }
        message Numbers { repeated int64 ids = 1; }
        message Users { repeated User users = 1; }
        message User { option (turnout.graphql.v1.entity) = {key: "id"}; string id = 1; }
        "#,
        expect![[r#"
            query user(userId: ID): User -> GetUser [reads] mask 2 of all
            mutation batchGetPeople(ids: [ID!]): Users -> BatchGetPeople [once]
            query named(ids: [ID!]): Users -> BatchGetNamed [reads]
            query userOfTeam(id: ID, team: String!): User -> GetUserOfTeam [reads]
            entity User by id
            lookup User -> GetUser [reads] by user_id matched by id, 1 at most
            lookup User -> BatchGetUsers [reads] by ids . users matched by id, 100 at most
            lookup User -> BatchGetNamed [reads] by ids . users matched by id, 100 at most
            lookup User -> Load [once] by ids . users matched by id, 7 at most
            type User
              id: ID! = 1 implicit string
            type Users
              users: [User!]! = 1 repeated message
            shop.v1.GetUserOfTeamRequest.id: is an ID, of User (shape)
            shop.v1.GetUserRequest.read_mask: is filled in with the fields that are asked for (shape)
            shop.v1.GetUserRequest.user_id: is an ID, of User (shape)
            shop.v1.Ids.ids: is an ID, of User (shape)
            shop.v1.S.BatchGetNamed: loads User by ids, in batches (shape)
            shop.v1.S.BatchGetUsers: is no root field, because it is there for joins (shape)
            shop.v1.S.BatchGetUsers: loads User by ids, in batches (shape)
            shop.v1.S.GetUser: loads User by user_id (shape)
            error[OPTION_FIELD_MISSING]: `lookup.keys` of shop.v1.S.LoadWrong names `idss`, which shop.v1.Ids does not have. Name a public field of that message.
            error[LOOKUP_IMPOSSIBLE]: shop.v1.S.LoadNumbers loads nothing, because `ids` is no `id` of shop.v1.User. Both must have the same type in the proto.
            error[LOOKUP_IMPOSSIBLE]: shop.v1.S.LoadOther loads nothing, because this version has no entity `Team`. Give the message `option (turnout.graphql.v1.entity) = {key: ..}`.
            warning[LOOKUP_NOT_READ_ONLY]: shop.v1.S.BatchGetPeople could load `User` for joins, but does not say that it only reads. Set `option idempotency_level = NO_SIDE_EFFECTS` on it.
            warning[LOOKS_LIKE_A_READ]: shop.v1.S.BatchGetPeople looks like a read, and is a mutation because it does not say so. Set `option idempotency_level = NO_SIDE_EFFECTS` on it.
            warning[JOIN_NOT_READ_ONLY]: shop.v1.S.Load is called for joins, but does not say that it only reads. Set `option idempotency_level = NO_SIDE_EFFECTS` on it.
        "#]],
    );
}

#[test]
fn extensions_add_fields_to_entities_of_others() {
    check(
        r#"
        service S {
          rpc ListOrders(ListOrdersRequest) returns (Orders) {
            option (turnout.graphql.v1.rpc) = {hidden: true extends: {entity: "User" key: "user_ids" items: "orders" group_by: "user_id"}};
          }
          rpc GetScore(GetScoreRequest) returns (Score) {
            option (turnout.graphql.v1.rpc) = {hidden: true extends: {entity: "User" field: "rank" key: "user_id" items: "value"}};
          }
          rpc GetBadge(GetScoreRequest) returns (Score) { option (turnout.graphql.v1.rpc) = {hidden: true extends: {entity: "User" key: "user_id"}}; }
          rpc Wrong(ListOrdersRequest) returns (Orders) {
            option (turnout.graphql.v1.rpc) = {hidden: true extends: {entity: "User" key: "user_ids" items: "orders" group_by: "who"}};
          }
        }
        message ListOrdersRequest { repeated string user_ids = 1; int32 limit = 2; oneof since { string day = 3; int32 week = 4; } }
        message Orders { repeated Order orders = 1; }
        message Order { string id = 1; string user_id = 2; }
        message GetScoreRequest { string user_id = 1; }
        message Score { int32 value = 1; }
        "#,
        expect![[r#"
            extend User.orders(limit: Int, day: String, week: Int): [Order!] -> ListOrders [once] by user_ids . orders grouped by user_id, 100 at most at most one of day, week
            extend User.rank: Int -> GetScore [once] by user_id . value, 1 at most
            extend User.badge: Score -> GetBadge [once] by user_id, 1 at most
            type Order
              id: String! = 1 implicit string
              userId: ID! = 2 implicit string
            type Score
              value: Int! = 1 implicit int32
            shop.v1.GetScoreRequest.user_id: is an ID, of User (shape)
            shop.v1.ListOrdersRequest.user_ids: is an ID, of User (shape)
            shop.v1.Order.user_id: is an ID, of User (shape)
            shop.v1.S: is public (operator)
            error[OPTION_FIELD_MISSING]: `extends.group_by` of shop.v1.S.Wrong names `who`, which shop.v1.Order does not have. Name a public field of that message.
            warning[JOIN_NOT_READ_ONLY]: shop.v1.S.GetBadge is called for joins, but does not say that it only reads. Set `option idempotency_level = NO_SIDE_EFFECTS` on it.
            warning[JOIN_NOT_READ_ONLY]: shop.v1.S.GetScore is called for joins, but does not say that it only reads. Set `option idempotency_level = NO_SIDE_EFFECTS` on it.
            warning[JOIN_NOT_READ_ONLY]: shop.v1.S.ListOrders is called for joins, but does not say that it only reads. Set `option idempotency_level = NO_SIDE_EFFECTS` on it.
        "#]],
    );
}

#[test]
fn services_of_one_package_keep_their_rpcs_of_one_name() {
    check(
        r#"
        service UserService {
          rpc Delete(google.protobuf.Empty) returns (google.protobuf.Empty);
          rpc Make(google.protobuf.Empty) returns (google.protobuf.Empty) { option (turnout.graphql.v1.rpc) = {field: "no-name"}; }
        }
        service TeamService { rpc Delete(google.protobuf.Empty) returns (google.protobuf.Empty); }
        "#,
        expect![[r#"
            mutation delete: ShopV1UserServiceDeletePayload -> Delete [once]
            mutation make: MakePayload -> Make [once]
            mutation teamDelete: DeletePayload -> Delete [once]
            type DeletePayload
              ok: Boolean!
            type MakePayload
              ok: Boolean!
            type ShopV1UserServiceDeletePayload
              ok: Boolean!
            shop.v1.TeamService: is public (operator)
            shop.v1.UserService: is public (operator)
            warning[NAME_ILLEGAL]: `no-name`, as shop.v1.UserService.Make wants to be called, is no name in GraphQL. Use letters, digits and single underscores.
            info[FIELD_RENAMED]: shop.v1.TeamService.Delete is called `teamDelete`, because Mutation.delete is taken. Give it another name with `(turnout.graphql.v1.rpc).field`.
            info[TYPE_RENAMED]: shop.v1.UserService.Delete is called `ShopV1UserServiceDeletePayload` in the graph, because `DeletePayload` is shop.v1.TeamService.Delete.
        "#]],
    );
}

#[test]
fn names_that_cannot_be_are_changed_or_left_out() {
    check(
        r#"
        service S { rpc Do(Ask) returns (__Private) { option (turnout.graphql.v1.rpc) = {unwrap: "nothing"}; } }
        message Ask { string a = 1 [json_name = "the-a"]; string b = 2 [(turnout.graphql.v1.field) = {name: "theA"}]; string c = 3 [(turnout.graphql.v1.field) = {name: "theA"}]; }
        message __Private { string __typename = 1 [json_name = "__typename"]; Nested nested = 2; message Nested { string hidden = 1 [(turnout.graphql.v1.field) = {hidden: true}]; } }
        "#,
        expect![[r#"
            mutation do(a: String, theA: String): _Private -> Do [once]
            type _Private
              typename: String! = 1 implicit string
              nested: _PrivateNested = 2 optional message
            type _PrivateNested
              ok: Boolean!
            shop.v1.S: is public (operator)
            error[OPTION_FIELD_MISSING]: `unwrap` of shop.v1.S.Do names `nothing`, which shop.v1.__Private does not have. Name a public field of that message.
            error[FIELD_NAME_TAKEN]: shop.v1.Ask has two fields that are called `theA` in the graph; the second is left out. Give one of them another name with `(turnout.graphql.v1.field).name`.
            warning[NAME_ILLEGAL]: shop.v1.Ask.a is called `a`, because `the-a` is no name in GraphQL. Use letters, digits and single underscores.
            warning[NAME_ILLEGAL]: shop.v1.__Private.__typename is called `typename`, because `__typename` is no name in GraphQL. Use letters, digits and single underscores.
        "#]],
    );
}

/// A field of a message or a set, behind its length.
fn within(number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[number << 3 | 2, u8::try_from(bytes.len()).unwrap()], bytes].concat()
}

/// A string field, with features where there are any.
fn edition_field(name: &str, number: u8, features: &[u8]) -> Vec<u8> {
    let features = [&[0xaa, 0x01, u8::try_from(features.len()).unwrap()], features].concat();
    let field = [within(1, name.as_bytes()), vec![0x18, number, 0x20, 1, 0x28, 9], within(8, &features)];
    within(2, &field.concat())
}

#[test]
fn an_edition_says_per_field_what_a_syntax_says_for_all() {
    let fields = [
        edition_field("explicit", 1, &[]),
        edition_field("implicit", 2, &[0x08, 2]),
        edition_field("required", 3, &[0x08, 3]),
    ];
    let group = [
        within(1, b"again"),
        vec![0x18, 4, 0x20, 1, 0x28, 11],
        within(6, b".A"),
        within(8, &[0xaa, 0x01, 2, 0x28, 2]),
    ];
    let message = [within(1, b"A"), fields.concat(), within(2, &group.concat())].concat();
    let method = [within(1, b"Do"), within(2, b".A"), within(3, b".A")].concat();
    let service = [within(1, b"S"), within(2, &method)].concat();
    let file =
        [within(1, b"a.proto"), within(4, &message), within(6, &service), within(12, b"editions")].concat();
    let set = [
        &[0x0a, u8::try_from(file.len() & 0x7f).unwrap() | 0x80, u8::try_from(file.len() >> 7).unwrap()],
        &file[..],
    ];
    let descriptors = crate::Descriptors::read(&set.concat()).unwrap();
    expect![[r#"
        mutation do(explicit: String, implicit: String, required: String!, again: AInput): A -> Do [once]
        type A
          explicit: String = 1 optional string
          implicit: String! = 2 implicit string
          required: String! = 3 required string
          again: A = 4 optional group
        input AInput
          explicit: String = 1 optional string
          implicit: String = 2 implicit string
          required: String! = 3 required string
          again: AInput = 4 optional group
        S: is public (operator)
    "#]]
    .assert_eq(&told(&read("a", "1.0.0", &descriptors, Exposure::All)));
}

#[test]
fn only_services_of_the_registration_are_offered() {
    let text = "service A { rpc Ping(google.protobuf.Empty) returns (google.protobuf.Empty); }
        service B { rpc Pong(google.protobuf.Empty) returns (google.protobuf.Empty); }";
    let roots = |services: &[&str]| -> Vec<String> {
        let services: Vec<String> = services.iter().map(|name| (*name).to_owned()).collect();
        let descriptors = fixture::service("shop", text).only(&services);
        let reading = super::read("shop", "1.0.0", &descriptors, Exposure::All);
        reading.subgraph.roots.iter().map(|root| root.field.name.to_string()).collect()
    };
    assert_eq!(roots(&[]), ["ping", "pong"]);
    assert_eq!(roots(&["shop.v1.B"]), ["pong"]);
    assert_eq!(roots(&["shop.v1.C"]), [""; 0]);
}
