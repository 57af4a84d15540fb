//! Who comes first keeps a name, also when the services are composed anew.

use expect_test::{Expect, expect};

use super::{ORDERS, USERS, query, show, subgraphs};
use crate::compose::{Locks, compose};

/// Composes the services one after the other, as they come, and shows the last graph.
fn come(services: &[(&str, &str)], expected: Expect) {
    let mut locks = Locks::default();
    let mut last = None;
    for count in 1..=services.len() {
        let composition = compose(&subgraphs(&services[..count]), &locks);
        locks = composition.locks.clone();
        last = Some(composition);
    }
    expected.assert_eq(&show(&last.unwrap()));
}

#[test]
fn who_comes_first_keeps_the_name_of_a_type() {
    let tag = |field: &str| query(field, "Tag", "message Tag { string text = 1; }");
    come(
        &[("toys", &tag("toyTag")), ("books", &tag("bookTag"))],
        expect![[r#"
        BooksV1Tag: text: String!
        Query: bookTag: BooksV1Tag <- books BookTag, toyTag: Tag <- toys ToyTag
        Tag: text: String!
        warning[TYPE_NAME_TAKEN]: `Tag` of books (books.v1.Tag) is called `BooksV1Tag`, because toys has the name (toys.v1.Tag). Give one of the messages another name when the longer one is not wanted.
    "#]],
    );
}

#[test]
fn who_comes_first_keeps_a_field() {
    let one = query("status", "BookStatus", "message BookStatus { bool open = 1; }");
    let other = query("status", "ToyStatus", "message ToyStatus { bool open = 1; }");
    come(
        &[("toys", &other), ("books", &one)],
        expect![[r#"
        Query: status: ToyStatus <- toys Status
        ToyStatus: open: Boolean!
        error[ROOT_TAKEN]: `Query.status` is wanted by toys and books; toys has it. Give one of them another name by the option `field` of its RPC.
    "#]],
    );
    come(
        &[("users", USERS), ("orders", ORDERS), ("cancelled", ORDERS)],
        expect![[r#"
            ListOrdersResponse: orders: [Order!]!
            Order: number: Int64!, userId: ID!, buyer: User <- users BatchGetUsers
            Query: orders(limit): ListOrdersResponse <- orders ListOrders, user(id): User <- users GetUser
            User: id: ID!, name: String!, orders(limit): [Order!] <- orders OrdersByUsers
            error[ROOT_TAKEN]: `Query.orders` is wanted by orders and cancelled; orders has it. Give one of them another name by the option `field` of its RPC.
            error[FIELD_TAKEN]: cancelled adds `User.orders`, but orders has a field of that name there; that of cancelled is left out. Give it another name by `extends: { field: ... }`.
        "#]],
    );
}

#[test]
fn the_next_major_of_a_service_has_its_plain_name() {
    let first = subgraphs(&[("users", USERS)]);
    let locks = compose(&first, &Locks::default()).locks;
    let next = format!("syntax = \"proto3\"; package users.v2; {USERS}");
    let imports =
        "import \"google/api/field_behavior.proto\"; import \"turnout/graphql/v1/options.proto\"; service";
    let next = next.replacen("service", imports, 1);
    let tag = query("author", "User", "message User { string pen_name = 1; }");
    let composition = compose(&subgraphs(&[("users", &next), ("books", &tag)]), &locks);
    expect![[r#"
        BooksV1User: penName: String!
        Query: author: BooksV1User <- books Author, user(id): User <- users GetUser
        User: id: ID!, name: String!
        warning[TYPE_NAME_TAKEN]: `User` of books (books.v1.User) is called `BooksV1User`, because users has the name (users.v2.User). Give one of the messages another name when the longer one is not wanted.
    "#]].assert_eq(&show(&composition));
}

#[test]
fn a_longer_name_is_kept_when_its_reason_goes() {
    let tag = |field: &str| query(field, "Tag", "message Tag { string text = 1; }");
    let both = subgraphs(&[("books", &tag("bookTag")), ("toys", &tag("toyTag"))]);
    let locks = compose(&both, &Locks::default()).locks;
    expect![[r#"
        Query: toyTag: ToysV1Tag <- toys ToyTag
        ToysV1Tag: text: String!
    "#]]
    .assert_eq(&show(&compose(&both[1..], &locks)));
}

#[test]
fn a_reference_keeps_its_entity_when_another_of_the_name_comes() {
    let stub = query("author", "User", "message User { string pen_name = 1; }");
    come(
        &[("books", &stub), ("users", USERS), ("orders", ORDERS), ("accounts", USERS)],
        expect![[r#"
        ListOrdersResponse: orders: [Order!]!
        Order: number: Int64!, userId: ID!, buyer: UsersV1User <- users BatchGetUsers
        Query: author: User <- books Author, orders(limit): ListOrdersResponse <- orders ListOrders, user(id): UsersV1User <- users GetUser
        User: penName: String!
        UsersV1User: id: ID!, name: String!, orders(limit): [Order!] <- orders OrdersByUsers
        error[ROOT_TAKEN]: `Query.user` is wanted by users and accounts; users has it. Give one of them another name by the option `field` of its RPC.
        warning[TYPE_NAME_TAKEN]: `User` of users (users.v1.User) is called `UsersV1User`, because books has the name (books.v1.User). Give one of the messages another name when the longer one is not wanted.
    "#]],
    );
}

#[test]
fn a_reference_keeps_its_entity_also_once_the_other_was_there_before() {
    let stub = query("author", "User", "message User { string pen_name = 1; }");
    let accounts = USERS.replace("GetUser(", "GetAccount(");
    let zoo = query("animal", "Animal", "message Animal { string name = 1; }");
    come(
        &[("books", &stub), ("users", USERS), ("orders", ORDERS), ("accounts", &accounts), ("zoo", &zoo)],
        expect![[r#"
            AccountsV1User: id: ID!, name: String!
            Animal: name: String!
            ListOrdersResponse: orders: [Order!]!
            Order: number: Int64!, userId: ID!, buyer: UsersV1User <- users BatchGetUsers
            Query: account(id): AccountsV1User <- accounts GetAccount, author: User <- books Author, orders(limit): ListOrdersResponse <- orders ListOrders, user(id): UsersV1User <- users GetUser, animal: Animal <- zoo Animal
            User: penName: String!
            UsersV1User: id: ID!, name: String!, orders(limit): [Order!] <- orders OrdersByUsers
            warning[TYPE_NAME_TAKEN]: `User` of accounts (accounts.v1.User) is called `AccountsV1User`, because books has the name (books.v1.User). Give one of the messages another name when the longer one is not wanted.
            warning[TYPE_NAME_TAKEN]: `User` of users (users.v1.User) is called `UsersV1User`, because books has the name (books.v1.User). Give one of the messages another name when the longer one is not wanted.
        "#]],
    );
}
