//! What is called, after what, and how often it is called once.

use expect_test::expect;

use super::{BENCH, WORLD, calls, graph, sound};
use crate::variables::Variables;

#[test]
fn the_questions_of_the_stand_are_one_one_and_two_calls() {
    calls(&BENCH, "{ user(id: 1) { id name email } }", &expect!["bench.GetUser(id: 1)"]);
    calls(&BENCH, "{ posts(limit: 100) { id title body } }", &expect!["bench.ListPosts(limit: 100)"]);
    calls(
        &BENCH,
        "{ posts(limit: 100) { id title user { id name email } } }",
        &expect![[r#"
        bench.ListPosts(limit: 100)
        bench.BatchGetUsers(ids) after bench.ListPosts"#]],
    );
}

#[test]
fn an_edge_is_a_call_even_when_only_the_key_is_asked_for() {
    calls(
        &BENCH,
        "{ posts { user { id } } }",
        &expect![[r#"
        bench.ListPosts
        bench.BatchGetUsers(ids) after bench.ListPosts"#]],
    );
    calls(&BENCH, "{ posts { userId } }", &expect!["bench.ListPosts"]);
}

#[test]
fn entities_wanted_at_several_places_of_a_wave_are_fetched_once() {
    calls(
        &WORLD,
        "{ order(id: 1) { user { displayName } items { product { title } } }
           review(id: 1) { product { id } author { email } } }",
        &expect![[r#"
            orders.GetOrder(id: 1)
            reviews.GetReview(id: 1)
            users.BatchGetUsers(ids) after orders, reviews
            catalog.BatchGetProducts(ids) after orders, reviews"#]],
    );
}

#[test]
fn waves_follow_each_other() {
    calls(
        &WORLD,
        "{ orders { orders { items { product { category { name } reviews(limit: 3) { author { displayName } } } } } } }",
        &expect![[r#"
            orders.ListOrders
            catalog.BatchGetProducts(ids) after orders
            catalog.BatchGetCategories(ids) after catalog.BatchGetProducts
            reviews.ListReviewsByProducts(product_ids, limit: 3) after catalog.BatchGetProducts
            users.BatchGetUsers(ids) after reviews"#]],
    );
}

#[test]
fn the_same_call_under_several_names_is_made_once() {
    calls(
        &BENCH,
        "query($id: ID!) { a: user(id: 1) { name } b: user(id: 1) { email } c: user(id: 2) { name }
           d: user(id: $id) { name } e: user(id: $id) { id } }",
        &expect![[r#"
            bench.GetUser(id: 1)
            bench.GetUser(id: 2)
            bench.GetUser(id: $id)"#]],
    );
}

#[test]
fn fields_of_a_mutation_are_stages_of_their_own() {
    calls(
        &WORLD,
        "mutation { a: cancelOrder(id: 1) { user { displayName } } b: cancelOrder(id: 1) { id }
           __typename c: createTask(userId: 1, title: \"x\") { owner { id } } }",
        &expect![[r#"
            1. orders.CancelOrder(id: 1)
               users.BatchGetUsers(ids) after orders.CancelOrder#1
            2. orders.CancelOrder(id: 1)
            3. todo.CreateTask(userId: 1, title: "x")
               todo.BatchGetTodoUsers(ids) after todo.CreateTask"#]],
    );
    calls(
        &WORLD,
        "mutation { cancelOrder(id: 1) { user { displayName } } }",
        &expect![[r#"
        orders.CancelOrder(id: 1)
        users.BatchGetUsers(ids) after orders"#]],
    );
}

#[test]
fn a_subscription_is_a_stream_and_what_each_event_needs() {
    calls(
        &WORLD,
        "subscription { orderEvents(id: 1) { order { user { displayName } } } }",
        &expect![[r#"
        orders.WatchOrder(id: 1) for each event
        users.BatchGetUsers(ids) after orders"#]],
    );
}

#[test]
fn arguments_tell_calls_of_an_extension_apart() {
    calls(
        &WORLD,
        "{ product(id: \"P1\") { a: reviews(limit: 1) { title } b: reviews(limit: 1) { text } c: reviews { title } } }",
        &expect![[r#"
            catalog.GetProduct(id: "P1")
            reviews.ListReviewsByProducts(product_ids, limit: 1) after catalog
            reviews.ListReviewsByProducts(product_ids) after catalog"#]],
    );
}

#[test]
fn a_lookup_without_a_batch_is_called_with_one_key() {
    let single = graph(
        "service S {
           rpc GetUser(GetUserRequest) returns (User) { option idempotency_level = NO_SIDE_EFFECTS; }
           rpc GetPost(GetPostRequest) returns (Post) { option idempotency_level = NO_SIDE_EFFECTS; } }
         message GetUserRequest { string id = 1; }
         message GetPostRequest { string id = 1; }
         message User { option (turnout.graphql.v1.entity) = {key: \"id\"}; string id = 1; string name = 2; }
         message Post { string id = 1; repeated string user_ids = 2 [(turnout.graphql.v1.field) = {ref: \"User\"}]; }",
    );
    calls(
        &single,
        "{ post(id: \"1\") { users { name } } }",
        &expect![[r#"
        shop.GetPost(id: "1")
        shop.GetUser(id) after shop.GetPost"#]],
    );
}

#[test]
fn operations_without_calls_have_plans() {
    calls(&WORLD, "{ __typename __schema { types { name } } }", &expect![[""]]);
}

#[test]
fn requests_are_compiled_with_the_plan() {
    let plan = sound(&BENCH, "query($n: Int!) { a: posts(limit: 7) { id } b: posts(limit: $n) { id } }");
    let fixed: Vec<bool> = plan.fetches.iter().map(|fetch| fetch.request.is_fixed()).collect();
    assert_eq!(fixed, [true, false]);
    let variables = Variables::read(r#"{"n": 7}"#, &plan.variables, &BENCH.types).unwrap();
    for fetch in &plan.fetches {
        assert_eq!(fetch.request.encode(&variables, &BENCH.types).unwrap(), [0x08, 7]);
    }
}

#[test]
fn a_lookup_and_an_edge_of_many_keys_take_turns() {
    calls(
        &WORLD,
        "{ product(id: \"P1\") { averageRating relatedProducts { averageRating relatedProducts { title } } } }",
        &expect![[r#"
            catalog.GetProduct(id: "P1")
            reviews.GetAverageRating(product_id) after catalog.GetProduct
            catalog.BatchGetProducts(ids) after catalog.GetProduct
            reviews.GetAverageRating(product_id) after catalog.BatchGetProducts#1
            catalog.BatchGetProducts(ids) after catalog.BatchGetProducts#1"#]],
    );
    calls(
        &WORLD,
        "{ review(id: 1) { author { reviews { product { title } } } product { title } } }",
        &expect![[r#"
        reviews.GetReview(id: 1)
        users.BatchGetUsers(ids) after reviews.GetReview
        catalog.BatchGetProducts(ids) after reviews.GetReview
        reviews.ListReviewsByUsers(user_ids) after users
        catalog.BatchGetProducts(ids) after reviews.ListReviewsByUsers"#]],
    );
}
