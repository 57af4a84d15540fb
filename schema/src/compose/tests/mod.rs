//! What becomes of several services: one graph, and what a person is told.
//!
//! A graph is shown briefly: each type with its fields, and behind an arrow who answers where it is not the
//! parent's bytes.

mod locks;
mod sample;

use std::collections::BTreeSet;
use std::fmt::Write;

use expect_test::{Expect, expect};

use super::{Composition, Locks, compose, verify};
use crate::fixture;
use crate::graph::{Form, Kind, Resolve, Type, Wire};
use crate::subgraph::{Exposure, read};
use crate::{Subgraph, Supergraph};

const USERS: &str = r#"
    service UserService {
        option (turnout.graphql.v1.service) = {expose: true};
        rpc GetUser(GetUserRequest) returns (User) { option idempotency_level = NO_SIDE_EFFECTS; }
        rpc BatchGetUsers(BatchGetUsersRequest) returns (BatchGetUsersResponse) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (turnout.graphql.v1.rpc) = { hidden: true, lookup: { entity: "User", keys: "ids", items: "users" } };
        }
    }
    message User {
        option (turnout.graphql.v1.entity) = {key: "id"};
        string id = 1;
        string name = 2;
    }
    message GetUserRequest { string id = 1 [(google.api.field_behavior) = REQUIRED]; }
    message BatchGetUsersRequest { repeated string ids = 1; }
    message BatchGetUsersResponse { repeated User users = 1; }
"#;

const ORDERS: &str = r#"
    service OrderService {
        option (turnout.graphql.v1.service) = {expose: true};
        rpc ListOrders(ListOrdersRequest) returns (ListOrdersResponse) { option idempotency_level = NO_SIDE_EFFECTS; }
        rpc OrdersByUsers(OrdersByUsersRequest) returns (ListOrdersResponse) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (turnout.graphql.v1.rpc) = {
                hidden: true
                extends: { entity: "User", field: "orders", key: "user_ids", items: "orders", group_by: "user_id" }
            };
        }
    }
    message Order {
        int64 number = 1;
        string user_id = 2 [(turnout.graphql.v1.field) = {ref: "User", as: "buyer"}];
    }
    message ListOrdersRequest { int32 limit = 1; }
    message OrdersByUsersRequest { repeated string user_ids = 1; int32 limit = 2; }
    message ListOrdersResponse { repeated Order orders = 1; }
"#;

/// One query that answers with this message of the service's own.
fn query(field: &str, message: &str, rest: &str) -> String {
    let rpc = field[..1].to_uppercase() + &field[1..];
    format!(
        "service {rpc}Service {{
            option (turnout.graphql.v1.service) = {{expose: true}};
            rpc {rpc}(google.protobuf.Empty) returns ({message}) {{ option idempotency_level = NO_SIDE_EFFECTS; }}
        }}
        {rest}"
    )
}

fn subgraph(service: &str, proto: &str) -> Subgraph {
    read(service, "1.0.0", &fixture::service(service, proto), Exposure::Annotated).subgraph
}

fn subgraphs(services: &[(&str, &str)]) -> Vec<Subgraph> {
    services.iter().map(|(service, proto)| subgraph(service, proto)).collect()
}

/// Composes, checks what holds for every graph, and shows the result and what was found.
fn check(services: &[(&str, &str)], expected: Expect) {
    let composition = compose(&subgraphs(services), &Locks::default());
    expected.assert_eq(&show(&composition));
}

fn show(composition: &Composition) -> String {
    let mut out = String::new();
    if let Some(graph) = &composition.supergraph {
        assert_eq!(verify(graph), Vec::<String>::new());
        brief(&mut out, graph);
    }
    for diagnostic in &composition.diagnostics {
        writeln!(out, "{diagnostic}").unwrap();
    }
    out
}

fn brief(out: &mut String, graph: &Supergraph) {
    for (name, ty) in &graph.types {
        match ty {
            Type::Object(object) => {
                let fields: Vec<String> = object.fields.iter().map(|field| of_field(graph, field)).collect();
                writeln!(out, "{name}: {}", fields.join(", ")).unwrap();
            }
            Type::Input(input) => {
                let fields: Vec<&str> = input.fields.iter().map(|field| &*field.name).collect();
                writeln!(out, "input {name}: {}", fields.join(", ")).unwrap();
            }
            Type::Enum(_) => writeln!(out, "enum {name}").unwrap(),
            Type::Union(union) => writeln!(out, "union {name}: {}", union.members.join(", ")).unwrap(),
            Type::Scalar(_) => {}
        }
    }
}

fn of_field(graph: &Supergraph, field: &crate::graph::Field) -> String {
    let arguments: Vec<&str> = field.arguments.iter().map(|argument| &*argument.name).collect();
    let arguments = if arguments.is_empty() { String::new() } else { format!("({})", arguments.join(", ")) };
    let service = |by: usize| &graph.members[by].service;
    let by = match &field.resolve {
        Resolve::Edge(edge) => {
            let owned = &graph.entities[&edge.entity];
            format!(" <- {} {}", service(owned.by), owned.lookup.as_ref().unwrap().rpc.method)
        }
        Resolve::Extension(place) => {
            let served = &graph.extensions[*place];
            format!(" <- {} {}", service(served.by), served.what.rpc.method)
        }
        Resolve::Root(place) => {
            let served = &graph.roots[*place];
            format!(" <- {} {}", service(served.by), served.what.rpc.method)
        }
        Resolve::Read(_) | Resolve::Case(_) | Resolve::Choice(_) | Resolve::Ok => String::new(),
    };
    format!("{}{arguments}: {}{by}", field.name, field.ty)
}

#[test]
fn services_meet_in_one_graph() {
    check(
        &[("users", USERS), ("orders", ORDERS)],
        expect![[r#"
        ListOrdersResponse: orders: [Order!]!
        Order: number: Int64!, userId: ID!, buyer: User <- users BatchGetUsers
        Query: orders(limit): ListOrdersResponse <- orders ListOrders, user(id): User <- users GetUser
        User: id: ID!, name: String!, orders(limit): [Order!] <- orders OrdersByUsers
    "#]],
    );
}

#[test]
fn a_service_that_is_not_there_yet_costs_only_the_joins() {
    check(
        &[("orders", ORDERS)],
        expect![[r#"
        ListOrdersResponse: orders: [Order!]!
        Order: number: Int64!, userId: ID!
        Query: orders(limit): ListOrdersResponse <- orders ListOrders
        warning[ENTITY_MISSING]: `Order.buyer` of orders needs `User`, which no service here owns; it is left out for now. It appears once a service is registered that has an entity of this name. If that service is there, look at how it spells the name.
        warning[ENTITY_MISSING]: `User.orders` of orders needs `User`, which no service here owns; it is left out for now. It appears once a service is registered that has an entity of this name. If that service is there, look at how it spells the name.
    "#]],
    );
}

#[test]
fn nothing_offered_is_no_graph() {
    check(
        &[],
        expect![[r#"
        error[GRAPH_EMPTY]: No service offers a field, so there is no graph. Expose a service: `option (turnout.graphql.v1.service) = {expose: true}`, or `expose: all` in turnout.yaml.
    "#]],
    );
    check(
        &[("silent", &USERS.replace("expose: true", "expose: false"))],
        expect![[r#"
        error[GRAPH_EMPTY]: No service offers a field, so there is no graph. Expose a service: `option (turnout.graphql.v1.service) = {expose: true}`, or `expose: all` in turnout.yaml.
    "#]],
    );
}

#[test]
fn mutations_alone_still_have_a_query() {
    let proto = r#"
        service S {
            option (turnout.graphql.v1.service) = {expose: true};
            rpc Save(SaveRequest) returns (SaveResponse);
        }
        message SaveRequest { string text = 1; }
        message SaveResponse { int32 length = 1; }
    "#;
    check(
        &[("notes", proto)],
        expect![[r#"
        Mutation: save(text): SaveResponse <- notes Save
        Query: ok: Boolean!
        SaveResponse: length: Int!
        warning[QUERY_MISSING]: No service offers a query; `Query` has the field `ok` alone. Mark RPCs that only read by `option idempotency_level = NO_SIDE_EFFECTS`.
    "#]],
    );
}

#[test]
fn one_message_with_one_structure_is_one_type() {
    let price = |field: &str| {
        query(field, "Offer", "message Offer { google.type.Money price = 1; }")
            .replace("Offer", &format!("{field}Offer"))
    };
    check(
        &[("books", &price("book")), ("toys", &price("toy"))],
        expect![[r#"
        Money: currencyCode: String!, units: Int64!, nanos: Int!
        Query: book: bookOffer <- books Book, toy: toyOffer <- toys Toy
        bookOffer: price: Money
        toyOffer: price: Money
    "#]],
    );
}

#[test]
fn one_message_with_two_structures_is_two_types() {
    let vendored = |service: &str, nanos: &str| {
        format!(
            "syntax = \"proto3\";
            package vendored;
            import \"turnout/graphql/v1/options.proto\";
            import \"google/protobuf/empty.proto\";
            service {service} {{
                option (turnout.graphql.v1.service) = {{expose: true}};
                rpc {service}(google.protobuf.Empty) returns (Price) {{ option idempotency_level = NO_SIDE_EFFECTS; }}
            }}
            message Price {{ Money money = 1; }}
            message Money {{ int64 units = 1; {nanos} }}
            "
        )
    };
    check(
        &[("books", &vendored("Book", "")), ("toys", &vendored("Toy", "int32 nanos = 2;"))],
        expect![[r#"
            Money: units: Int64!
            Price: money: Money
            Query: book: Price <- books Book, toy: ToysPrice <- toys Toy
            ToysMoney: units: Int64!, nanos: Int!
            ToysPrice: money: ToysMoney
            warning[TYPE_DIFFERS]: `Money` (vendored.Money) of toys is not that of books: `nanos` is only in toys; that of toys is called `ToysMoney`. Build the services from the same proto file, and the two types become one.
            warning[TYPE_DIFFERS_BELOW]: Types of toys that use one that differs have longer names too: `Price` is `ToysPrice`. They become one with the type that they use.
        "#]],
    );
}

#[test]
fn a_name_of_two_messages_stays_with_one() {
    let tag = |field: &str| query(field, "Tag", "message Tag { string text = 1; }");
    check(
        &[("books", &tag("bookTag")), ("toys", &tag("toyTag"))],
        expect![[r#"
        Query: bookTag: Tag <- books BookTag, toyTag: ToysV1Tag <- toys ToyTag
        Tag: text: String!
        ToysV1Tag: text: String!
        warning[TYPE_NAME_TAKEN]: `Tag` of toys (toys.v1.Tag) is called `ToysV1Tag`, because books has the name (books.v1.Tag). Give one of the messages another name when the longer one is not wanted.
    "#]],
    );
}

#[test]
fn the_service_that_loads_an_entity_has_its_name() {
    let stub = query("author", "User", "message User { string id = 1; string pen_name = 2; }");
    check(
        &[("books", &stub), ("users", USERS)],
        expect![[r#"
        BooksV1User: id: String!, penName: String!
        Query: author: BooksV1User <- books Author, user(id): User <- users GetUser
        User: id: ID!, name: String!
        warning[TYPE_NAME_TAKEN]: `User` of books (books.v1.User) is called `BooksV1User`, because users has the name (users.v1.User). Give one of the messages another name when the longer one is not wanted.
    "#]],
    );
}

#[test]
fn a_root_field_has_one_service() {
    let one = query("status", "BookStatus", "message BookStatus { bool open = 1; }");
    let other = query("status", "ToyStatus", "message ToyStatus { bool open = 1; }");
    check(
        &[("toys", &other), ("books", &one)],
        expect![[r#"
        BookStatus: open: Boolean!
        Query: status: BookStatus <- books Status
        error[ROOT_TAKEN]: `Query.status` is wanted by books and toys; books has it. Give one of them another name by the option `field` of its RPC.
    "#]],
    );
}

#[test]
fn a_number_and_a_text_join_by_digits() {
    let visit = "message Visit { int64 user_id = 1 [(turnout.graphql.v1.field) = {ref: \"User\"}]; }";
    check(
        &[("users", USERS), ("visits", &query("visit", "Visit", visit))],
        expect![[r#"
        Query: user(id): User <- users GetUser, visit: Visit <- visits Visit
        User: id: ID!, name: String!
        Visit: userId: ID!, user: User <- users BatchGetUsers
        warning[KEY_BY_TEXT]: `Visit.user` of visits has a whole number where the key of `User` is text; they are compared by their digits. A text that is no whole number finds nothing. Use one type for the key everywhere.
    "#]],
    );
    let orders = ORDERS.replace("repeated string user_ids", "repeated int32 user_ids");
    let orders = orders.replace("string user_id = 2", "int32 user_id = 2");
    check(
        &[("users", USERS), ("orders", &orders)],
        expect![[r#"
            ListOrdersResponse: orders: [Order!]!
            Order: number: Int64!, userId: ID!, buyer: User <- users BatchGetUsers
            Query: orders(limit): ListOrdersResponse <- orders ListOrders, user(id): User <- users GetUser
            User: id: ID!, name: String!, orders(limit): [Order!] <- orders OrdersByUsers
            warning[KEY_BY_TEXT]: `Order.buyer` of orders has a whole number where the key of `User` is text; they are compared by their digits. A text that is no whole number finds nothing. Use one type for the key everywhere.
            warning[KEY_BY_TEXT]: `User.orders` of orders has a whole number where the key of `User` is text; they are compared by their digits. A text that is no whole number finds nothing. Use one type for the key everywhere.
        "#]],
    );
}

#[test]
fn keys_that_cannot_be_compared_do_not_join() {
    let mut subgraphs = subgraphs(&[("users", USERS), ("orders", ORDERS)]);
    let yes_or_no = Kind::Scalar(Wire::Bool, Form::Plain);
    subgraphs[1].extensions[0].key.kind = yes_or_no.clone();
    let Some(Type::Object(order)) = subgraphs[1].types.get_mut("Order") else {
        panic!("orders has no Order")
    };
    let Resolve::Edge(edge) = &mut order.fields[2].resolve else { panic!("buyer is no edge") };
    edge.key.kind = yes_or_no;
    expect![[r#"
        ListOrdersResponse: orders: [Order!]!
        Order: number: Int64!, userId: ID!
        Query: orders(limit): ListOrdersResponse <- orders ListOrders, user(id): User <- users GetUser
        User: id: ID!, name: String!
        error[KEY_MISMATCH]: `Order.buyer` of orders has a value that is no key where the key of `User` is text; it is left out. Refer to an entity by a field of the type that its key has.
        error[KEY_MISMATCH]: `User.orders` of orders has a value that is no key where the key of `User` is text; it is left out. Refer to an entity by a field of the type that its key has.
    "#]].assert_eq(&show(&compose(&subgraphs, &Locks::default())));
}

#[test]
fn the_largest_batch_is_the_lookup() {
    let more = r#"
        rpc GetSomeUsers(BatchGetUsersRequest) returns (BatchGetUsersResponse) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (turnout.graphql.v1.rpc) = { hidden: true, lookup: { entity: "User", keys: "ids", items: "users", max_keys: 500 } };
        }
        rpc FollowUsers(BatchGetUsersRequest) returns (stream BatchGetUsersResponse) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (turnout.graphql.v1.rpc) = { hidden: true, lookup: { entity: "User", keys: "ids", items: "users", max_keys: 900 } };
        }
        rpc GetUser("#;
    check(
        &[("users", &USERS.replace("rpc GetUser(", more)), ("orders", ORDERS)],
        expect![[r#"
        ListOrdersResponse: orders: [Order!]!
        Order: number: Int64!, userId: ID!, buyer: User <- users GetSomeUsers
        Query: orders(limit): ListOrdersResponse <- orders ListOrders, user(id): User <- users GetUser
        User: id: ID!, name: String!, orders(limit): [Order!] <- orders OrdersByUsers
        error[LOOKUP_STREAMS]: /users.v1.UserService/FollowUsers of users cannot load `User`: it answers with a stream. An RPC that loads an entity answers once, with all that its keys ask for.
    "#]],
    );
}

#[test]
fn an_entity_that_two_services_share_is_asked_of_one() {
    let shared = |service: &str, lookup: &str| {
        format!(
            "syntax = \"proto3\";
            package shared.v1;
            import \"turnout/graphql/v1/options.proto\";
            service {service} {{
                option (turnout.graphql.v1.service) = {{expose: true}};
                rpc {service}(Request) returns (Team) {{
                    option idempotency_level = NO_SIDE_EFFECTS;
                    option (turnout.graphql.v1.rpc) = {{ {lookup} }};
                }}
            }}
            message Team {{
                option (turnout.graphql.v1.entity) = {{key: \"id\"}};
                string id = 1;
                string rival_id = 2 [(turnout.graphql.v1.field) = {{ref: \"Team\"}}];
            }}
            message Request {{ string id = 1; }}
            "
        )
    };
    let lookup = "lookup: { entity: \"Team\", keys: \"id\" }";
    let (guest, owner) = (shared("Guest", ""), shared("Owner", lookup));
    check(
        &[("guests", &guest), ("owners", &owner)],
        expect![[r#"
        Query: guest(id): Team <- guests Guest, owner(id): Team <- owners Owner
        Team: id: ID!, rivalId: ID!, rival: Team <- owners Owner
        warning[LOOKUP_SINGLE]: `Team` of owners is loaded one by one, by /shared.v1.Owner/Owner: a list of 100 makes 100 calls. Add an RPC that takes many keys at once, like BatchGetUsers(ids).
    "#]],
    );
    let other = shared("Other", lookup);
    check(
        &[("guests", &guest), ("others", &other), ("owners", &owner)],
        expect![[r#"
        Query: guest(id): Team <- guests Guest, other(id): Team <- others Other, owner(id): Team <- owners Owner
        Team: id: ID!, rivalId: ID!, rival: Team <- others Other
        warning[ENTITY_OWNED_TWICE]: others and owners offer to load `Team`; the graph asks others. Let one service own the entity: take the lookup out of the others.
        warning[LOOKUP_SINGLE]: `Team` of others is loaded one by one, by /shared.v1.Other/Other: a list of 100 makes 100 calls. Add an RPC that takes many keys at once, like BatchGetUsers(ids).
    "#]],
    );
}

#[test]
fn an_entity_without_a_lookup_is_not_led_to() {
    let owner = query(
        "team",
        "Team",
        "message Team { option (turnout.graphql.v1.entity) = {key: \"id\"}; string id = 1; }",
    );
    let refers = query(
        "player",
        "Player",
        "message Player { string team_id = 1 [(turnout.graphql.v1.field) = {ref: \"Team\"}]; }",
    );
    check(
        &[("teams", &owner), ("players", &refers)],
        expect![[r#"
        Player: teamId: ID!
        Query: player: Player <- players Player, team: Team <- teams Team
        Team: id: ID!
        error[LOOKUP_MISSING]: `Player.team` of players leads to `Team`, but teams has no RPC that loads it by its key; it is left out. Add an RPC like BatchGetUsers(ids), or name one by the option `lookup`.
    "#]],
    );
}

#[test]
fn an_entity_that_is_loaded_one_by_one_is_warned_of() {
    let single = USERS
        .replace("BatchGetUsers(", "SomeUsers(")
        .replace("lookup: { entity: \"User\", keys: \"ids\", items: \"users\" }", "");
    check(
        &[("users", &single), ("orders", ORDERS)],
        expect![[r#"
            ListOrdersResponse: orders: [Order!]!
            Order: number: Int64!, userId: ID!, buyer: User <- users GetUser
            Query: orders(limit): ListOrdersResponse <- orders ListOrders, user(id): User <- users GetUser
            User: id: ID!, name: String!, orders(limit): [Order!] <- orders OrdersByUsers
            warning[LOOKUP_SINGLE]: `User` of users is loaded one by one, by /users.v1.UserService/GetUser: a list of 100 makes 100 calls. Add an RPC that takes many keys at once, like BatchGetUsers(ids).
        "#]],
    );
}

#[test]
fn an_added_field_does_not_replace_another() {
    let orders = ORDERS.replace("field: \"orders\"", "field: \"name\"");
    check(
        &[("users", USERS), ("orders", &orders)],
        expect![[r#"
        ListOrdersResponse: orders: [Order!]!
        Order: number: Int64!, userId: ID!, buyer: User <- users BatchGetUsers
        Query: orders(limit): ListOrdersResponse <- orders ListOrders, user(id): User <- users GetUser
        User: id: ID!, name: String!
        error[FIELD_TAKEN]: orders adds `User.name`, but users has a field of that name there; that of orders is left out. Give it another name by `extends: { field: ... }`.
    "#]],
    );
    let twice = ORDERS.replace(
        "rpc ListOrders(",
        r#"rpc Again(OrdersByUsersRequest) returns (ListOrdersResponse) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (turnout.graphql.v1.rpc) = {
                hidden: true
                extends: { entity: "User", field: "orders", key: "user_ids", items: "orders", group_by: "user_id" }
            };
        }
        rpc ListOrders("#,
    );
    check(
        &[("users", USERS), ("orders", &twice)],
        expect![[r#"
        ListOrdersResponse: orders: [Order!]!
        Order: number: Int64!, userId: ID!, buyer: User <- users BatchGetUsers
        Query: orders(limit): ListOrdersResponse <- orders ListOrders, user(id): User <- users GetUser
        User: id: ID!, name: String!, orders(limit): [Order!] <- orders Again
        error[FIELD_TAKEN]: orders adds `User.orders`, but orders has a field of that name there; that of orders is left out. Give it another name by `extends: { field: ... }`.
    "#]],
    );
    check(
        &[("users", USERS), ("orders", ORDERS), ("returns", ORDERS)],
        expect![[r#"
            ListOrdersResponse: orders: [Order!]!
            Order: number: Int64!, userId: ID!, buyer: User <- users BatchGetUsers
            Query: orders(limit): ListOrdersResponse <- orders ListOrders, user(id): User <- users GetUser
            User: id: ID!, name: String!, orders(limit): [Order!] <- orders OrdersByUsers
            error[ROOT_TAKEN]: `Query.orders` is wanted by orders and returns; orders has it. Give one of them another name by the option `field` of its RPC.
            error[FIELD_TAKEN]: returns adds `User.orders`, but orders has a field of that name there; that of returns is left out. Give it another name by `extends: { field: ... }`.
        "#]],
    );
}

#[test]
fn a_service_given_twice_counts_once() {
    let mut both = subgraphs(&[("users", USERS), ("users", USERS)]);
    both[0].version = "1.1.0".into();
    expect![[r#"
        Query: user(id): User <- users GetUser
        User: id: ID!, name: String!
        error[SERVICE_TWICE]: users was given in two versions, 1.0.0 and 1.1.0; the graph has the first. A frontend sees one version of a service: pin one.
    "#]].assert_eq(&show(&compose(&both, &Locks::default())));
}

#[test]
fn a_digest_names_what_is_seen_and_who_answers() {
    let digest = |services: &[(&str, &str)]| {
        let composition = compose(&subgraphs(services), &Locks::default());
        composition.supergraph.unwrap().digest
    };
    let both = digest(&[("users", USERS), ("orders", ORDERS)]);
    assert_eq!(both, digest(&[("orders", ORDERS), ("users", USERS)]));
    let all = [
        both,
        digest(&[("users", USERS)]),
        digest(&[("users", USERS), ("orders", &format!("// Other descriptors.\n{ORDERS}"))]),
        digest(&[("users", USERS), ("orders", &ORDERS.replace("limit = 1", "most = 1"))]),
        digest(&[("users", USERS), ("orders", &ORDERS.replace("limit = 1", "limit = 7"))]),
        digest(&[("users", USERS), ("orders", &ORDERS.replace("int64 number", "sint64 number"))]),
    ];
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
}
