//! What is written under which key, and from what.

use expect_test::expect;

use super::{BENCH, WORLD, answer, sound};

#[test]
fn keys_stand_in_the_order_in_which_they_are_first_met() {
    answer(
        &BENCH,
        "{ posts { ...F title id } } fragment F on Post { mine: id ... on Post { body user { name } } __typename
           user { id } }",
        &expect![[r#"
            posts = bench.ListPosts . posts
              mine = id
              body = body
              user = bench.BatchGetUsers by user_id
                name = name
                id = id
              __typename = "Post"
              title = title
              id = id"#]],
    );
}

#[test]
fn fields_with_one_key_become_one() {
    answer(
        &WORLD,
        "{ order(id: 1) { ...A items { product { title } } ...B } }
         fragment A on Order { items { quantity } } fragment B on Order { items { product { id } productId } }",
        &expect![[r#"
            order = orders . order
              items = items
                quantity = quantity
                product = catalog by product_id
                  title = title
                  id = id
                productId = product_id"#]],
    );
}

#[test]
fn unions_are_written_by_what_they_are() {
    answer(
        &WORLD,
        "{ product(id: \"P1\") { kind { __typename ... on PhysicalGoods { weightGrams dimensions { heightMm } }
           ... on DigitalGoods { size: sizeBytes } ... on ProductKind { __typename } } } }",
        &expect![[r#"
            product = catalog . product
              kind = one of
                physical: PhysicalGoods
                  __typename = "PhysicalGoods"
                  weightGrams = weight_grams
                  dimensions = dimensions
                    heightMm = height_mm
                digital: DigitalGoods
                  __typename = "DigitalGoods"
                  size = size_bytes"#]],
    );
}

#[test]
fn maps_and_cases_and_whole_responses() {
    answer(
        &WORLD,
        "{ orders { nextPageToken orders { labels { value } paymentCase invoiceNumber status } } }",
        &expect![[r#"
            orders = orders
              nextPageToken = next_page_token
              orders = orders
                labels = labels
                  value = value
                paymentCase = case of CARD, TRANSFER, INVOICE_NUMBER
                invoiceNumber = invoice_number
                status = status"#]],
    );
}

#[test]
fn a_member_of_a_oneof_brings_the_others_into_the_table() {
    let plan = sound(&WORLD, "{ order(id: 1) { invoiceNumber } }");
    let table = plan.tables.iter().find(|table| &*table.of == "Order").unwrap();
    let numbers: Vec<u32> = table.by_number.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [10, 11, 12]);
    assert_eq!(table.oneofs.len(), 1);
}

#[test]
fn one_table_serves_all_selections_of_an_entity() {
    let plan = sound(
        &WORLD,
        "{ order(id: 1) { user { displayName } } review(id: 1) { author { email reviews { author { state } } } } }",
    );
    let users: Vec<_> = plan.tables.iter().filter(|table| &*table.of == "User").collect();
    assert_eq!(users.len(), 1, "{:?}", plan.tables);
    let names: Vec<&str> =
        users[0].columns.iter().map(|column| &*column.read.as_ref().unwrap().name).collect();
    expect!["id display_name email state"].assert_eq(&names.join(" "));
}

#[test]
fn selections_know_whether_joins_start_inside() {
    let plan = sound(&WORLD, "{ order(id: 1) { items { product { title } } address { city } } }");
    let joins: Vec<String> =
        plan.selections.iter().map(|selection| format!("{} {}", selection.of, selection.joins)).collect();
    expect![[r#"
        Product false
        OrderItem true
        ShippingAddress false
        Order true
        Query false"#]]
    .assert_eq(&joins.join("\n"));
}

#[test]
fn read_masks_name_what_is_wanted() {
    let plan = sound(&WORLD, "{ user(name: \"users/1\") { state mail: email id } }");
    assert_eq!(plan.fetches[0].paths.join(","), "id,email,state");
}

#[test]
fn what_is_used_is_counted() {
    let plan = sound(
        &BENCH,
        "{ posts(limit: 3) { user { id __typename } ...F } } fragment F on Post { user { name } }",
    );
    let used: Vec<String> = plan.coordinates().map(|(of, field)| format!("{of}.{field}")).collect();
    expect![[r#"
        Post.user
        Query.posts
        User.id
        User.name"#]]
    .assert_eq(&used.join("\n"));
    assert_eq!(
        plan.rpcs(),
        [
            (0, "/bench.v1.BenchService/BatchGetUsers".to_owned()),
            (0, "/bench.v1.BenchService/ListPosts".to_owned())
        ]
    );
}
