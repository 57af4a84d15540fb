//! What is written under which key, and from what.

use expect_test::expect;

use super::super::Call;
use super::{BENCH, WORLD, answer, graph, sound};
use crate::graph::Mask;
use crate::wire::mask;

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
    let Call::Once = plan.fetches[0].call else { panic!("{:?}", plan.fetches[0]) };
    let root = WORLD.roots.iter().find(|root| root.what.rpc.method == plan.fetches[0].rpc.method).unwrap();
    let Some(Mask::Read { mask: number, .. }) = root.what.mask else { panic!("{:?}", root.what.mask) };
    assert_eq!(plan.fetches[0].mask, mask::encode(number, ["id", "email", "state"]));
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

#[test]
fn wrapped_members_of_a_union_are_read_from_the_message_around_them() {
    let text = "service S { rpc GetPet(GetPetRequest) returns (Pet) { option idempotency_level = NO_SIDE_EFFECTS; } }
         message GetPetRequest { string id = 1; }
         message Pet { oneof kind { option (turnout.graphql.v1.oneof) = {union: \"PetKind\"};
           Dog dog = 3; string cat = 4; Dog wolf = 5; int64 age = 6; } }
         message Dog { string bark = 1; }";
    let pets = graph(text);
    let document = "{ pet { kind { __typename ... on Dog { bark } ... on PetKindCat { value } ... on PetKindWolf { value { bark } }
         ... on PetKindAge { years: value } } } }";
    answer(
        &pets,
        document,
        &expect![[r#"
            pet = shop
              kind = one of
                dog: Dog
                  __typename = "Dog"
                  bark = bark
                cat: PetKindCat
                  __typename = "PetKindCat"
                  value = cat
                wolf: PetKindWolf
                  __typename = "PetKindWolf"
                  value = wolf
                    bark = bark
                age: PetKindAge
                  __typename = "PetKindAge"
                  years = age"#]],
    );
    let plan = sound(&pets, document);
    let pet = plan.tables.iter().find(|table| &*table.of == "Pet").unwrap();
    assert_eq!(pet.oneofs, [[0, 1, 2, 3]]);
}

#[test]
fn extensions_and_edges_say_where_their_keys_are() {
    answer(
        &WORLD,
        "{ product(id: \"P1\") { averageRating relatedProducts { title } reviews { title } category { name } } }",
        &expect![[r#"
            product = catalog.GetProduct . product
              averageRating = reviews.GetAverageRating by id . average_rating
              relatedProducts = catalog.BatchGetProducts by related_product_ids
                title = title
              reviews = reviews.ListReviewsByProducts by id, all
                title = title
              category = catalog.BatchGetCategories by category_id
                name = name"#]],
    );
}

#[test]
fn responses_without_fields_are_ok() {
    answer(
        &WORLD,
        "mutation { deleteTask(id: 1) { ok __typename } }",
        &expect![[r#"
        deleteTask = todo
          ok = true
          __typename = "DeleteTaskPayload""#]],
    );
}
