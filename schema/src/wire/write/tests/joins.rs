//! What is behind keys: found, not found, and not to be had.

use std::sync::LazyLock;

use expect_test::expect;

use super::{Brings, Case, bytes, composed, int, message};
use crate::wire::answers::Held;
use crate::{Supergraph, fixture};

/// Posts hold keys of users as text, users have numbers.
static WORLD: LazyLock<Supergraph> = LazyLock::new(|| {
    let posts = "service Posts {
          rpc Do(Query) returns (Answer) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (turnout.graphql.v1.rpc) = {unwrap: \"posts\"};
          }
          rpc NotesOf(NotesRequest) returns (NotesAnswer) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (turnout.graphql.v1.rpc) = {
              extends: {entity: \"User\", field: \"notes\", key: \"user_ids\", items: \"notes\", group_by: \"user_id\"}
            };
          }
        }
        message Query { int32 n = 1; }
        message Answer { repeated Post posts = 1; }
        message Post {
          string user_id = 1 [(turnout.graphql.v1.field) = {ref: \"User\"}];
          repeated string reader_ids = 2 [(turnout.graphql.v1.field) = {ref: \"User\"}];
          optional string editor_id = 3 [(turnout.graphql.v1.field) = {ref: \"User\"}];
          int32 n = 4;
          Box box = 5;
        }
        message Box {
          string user_id = 1 [(turnout.graphql.v1.field) = {ref: \"User\"}];
          string must = 2;
        }
        message NotesRequest { repeated int64 user_ids = 1; }
        message NotesAnswer { repeated Note notes = 1; }
        message Note { int64 user_id = 1; string text = 2; }";
    let users = "service Users {
          rpc BatchGetUsers(BatchGetUsersRequest) returns (BatchGetUsersResponse) {
            option idempotency_level = NO_SIDE_EFFECTS;
            option (turnout.graphql.v1.rpc) = {
              hidden: true lookup: {entity: \"User\", keys: \"ids\", items: \"users\", key: \"id\"}
            };
          }
        }
        message User { option (turnout.graphql.v1.entity) = {key: \"id\"}; int64 id = 1; string name = 2; }
        message BatchGetUsersRequest { repeated int64 ids = 1; }
        message BatchGetUsersResponse { repeated User users = 1; }";
    composed(&[fixture::subgraph("posts", posts), fixture::subgraph("users", users)])
});

fn post(fields: &[Vec<u8>]) -> Vec<u8> {
    message(1, fields)
}

fn user(id: i64, name: &str) -> Vec<u8> {
    message(1, &[int(1, id), bytes(2, name)])
}

fn posts() -> Brings {
    Brings::Bytes(
        [
            post(&[
                bytes(1, "7"),
                bytes(2, "7"),
                bytes(2, "8"),
                bytes(2, "what"),
                bytes(2, "9"),
                bytes(3, "9"),
            ]),
            post(&[]),
            post(&[bytes(1, "07"), bytes(3, "")]),
        ]
        .concat(),
    )
}

const DOCUMENT: &str = "{ do { n user { name } readers { id name } editor { name } } }";

#[test]
fn entities_are_found_by_key_and_missing_ones_left_out() {
    let users = Brings::Bytes([user(9, "Nine"), user(7, "Seven"), user(1, "Nobody's")].concat());
    Case::new(&WORLD, DOCUMENT, &[("Do", posts()), ("BatchGetUsers", users)]).check(&expect![[r#"{"do":[{"n":0,"user":{"name":"Seven"},"readers":[{"id":"7","name":"Seven"},{"id":"9","name":"Nine"}],"editor":{"name":"Nine"}},{"n":0,"user":null,"readers":[],"editor":null},{"n":0,"user":null,"readers":[],"editor":null}]}"#]]);
}

#[test]
fn a_lookup_that_failed_nulls_what_came_from_it() {
    let document = "{ do { n user { name } editor { name } } }";
    Case::new(&WORLD, document, &[("Do", posts()), ("BatchGetUsers", Brings::Fails)]).check(&expect![[r#"
        {"do":[{"n":0,"user":null,"editor":null},{"n":0,"user":null,"editor":null},{"n":0,"user":null,"editor":null}]}
        1:10 do.0.user: Call(Failure(1))
        1:24 do.0.editor: Call(Failure(1))"#]]);
}

#[test]
fn a_key_whose_call_failed_takes_the_list_with_it() {
    let users = Brings::Partly(user(7, "Seven"), vec![Held::Integer(9)]);
    let brings = [("Do", posts()), ("BatchGetUsers", users)];
    Case::new(&WORLD, DOCUMENT, &brings).check(&expect![[r#"
        {"do":[{"n":0,"user":{"name":"Seven"},"readers":null,"editor":null},{"n":0,"user":null,"readers":[],"editor":null},{"n":0,"user":null,"readers":[],"editor":null}]}
        1:24 do.0.readers: Call(Failure(1))
        1:44 do.0.editor: Call(Failure(1))"#]]);
    Case::new(&WORLD, "{ do { user { name } editor { name } } }", &brings).check(&expect![[r#"
        {"do":[{"user":{"name":"Seven"},"editor":null},{"user":null,"editor":null},{"user":null,"editor":null}]}
        1:22 do.0.editor: Call(Failure(1))"#]]);
}

#[test]
fn a_lookup_without_an_answer_is_null_without_an_error() {
    Case::new(&WORLD, DOCUMENT, &[("Do", posts())]).check(&expect![[r#"{"do":[{"n":0,"user":null,"readers":[],"editor":null},{"n":0,"user":null,"readers":[],"editor":null},{"n":0,"user":null,"readers":[],"editor":null}]}"#]]);
}

#[test]
fn fields_of_entities_are_grouped_by_key() {
    let users = Brings::Bytes([user(7, "Seven"), user(9, "Nine")].concat());
    let notes = Brings::Bytes(
        [
            message(1, &[int(1, 7), bytes(2, "a")]),
            message(1, &[int(1, 8), bytes(2, "nobody's")]),
            message(1, &[int(1, 7), bytes(2, "b")]),
        ]
        .concat(),
    );
    let document = "{ do { user { name notes { text } } editor { notes { text } } } }";
    Case::new(&WORLD, document, &[("Do", posts()), ("BatchGetUsers", users), ("NotesOf", notes)])
        .check(&expect![[r#"{"do":[{"user":{"name":"Seven","notes":[{"text":"a"},{"text":"b"}]},"editor":{"notes":[]}},{"user":null,"editor":null},{"user":null,"editor":null}]}"#]]);
}

/// Posts with a box each: of this user, and with this text.
fn boxes<'t>(all: impl IntoIterator<Item = (i64, &'t [u8])>) -> Brings {
    let post =
        |(user, must): (i64, &[u8])| post(&[message(5, &[bytes(1, user.to_string()), bytes(2, must)])]);
    Brings::Bytes(all.into_iter().flat_map(post).collect())
}

#[test]
fn an_entity_that_was_taken_back_is_not_copied() {
    let posts = boxes([(7, &b"\xff"[..]), (7, b"a"), (9, b"\xff"), (7, b"b")]);
    let users = Brings::Bytes([user(7, "Seven"), user(9, "Nine")].concat());
    let brings = [("Do", posts), ("BatchGetUsers", users)];
    Case::new(&WORLD, "{ do { box { user { name } must } } }", &brings).check(&expect![[r#"
        {"do":[{"box":null},{"box":{"user":{"name":"Seven"},"must":"a"}},{"box":null},{"box":{"user":{"name":"Seven"},"must":"b"}}]}
        1:28 do.0.box.must: Utf8
        1:28 do.2.box.must: Utf8"#]]);
}
