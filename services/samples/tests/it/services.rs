//! Every sample service through a real client over a loopback connection.

use std::collections::BTreeSet;

use futures_util::TryStreamExt;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use tonic::Code;
use tonic::transport::{Channel, Server};
use tonic_types::StatusExt;
use turnout_samples::contract::demo::echo::v1 as echo;
use turnout_samples::contract::demo::math::v1 as math;
use turnout_samples::contract::shop::catalog::v1 as catalog;
use turnout_samples::contract::shop::orders::v1 as orders;
use turnout_samples::contract::shop::reviews::v1 as reviews;
use turnout_samples::contract::shop::users::v1 as users_v1;
use turnout_samples::contract::shop::users::v2 as users_v2;
use turnout_samples::contract::todo::v1 as todo;
use turnout_samples::{FaultArgs, routes};

const SEED: u64 = 42;

/// Starts one service; the server ends with the runtime of the test.
async fn start_with(service: &str, version: &str, faults: FaultArgs, stop: &CancellationToken) -> Channel {
    let routes = routes(service, version, SEED, &faults, stop).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let serve = Server::builder().add_routes(routes).serve_with_incoming(TcpListenerStream::new(listener));
    #[expect(clippy::disallowed_methods, reason = "the server of a test ends with its runtime")]
    tokio::spawn(serve);
    Channel::from_shared(url).unwrap().connect().await.unwrap()
}

async fn start(service: &str, version: &str) -> Channel {
    start_with(service, version, FaultArgs::default(), &CancellationToken::new()).await
}

async fn catalog_at(version: &str) -> catalog::catalog_service_client::CatalogServiceClient<Channel> {
    catalog::catalog_service_client::CatalogServiceClient::new(start("catalog", version).await)
}

#[tokio::test]
async fn the_older_catalog_lacks_the_new_rpc_and_the_new_field() {
    let ask = catalog::SuggestProductsRequest { text: "oak".into(), limit: 3 };
    let get = catalog::GetProductRequest { id: "P00001".into() };
    let mut old = catalog_at("1.4.0").await;
    assert_eq!(old.suggest_products(ask.clone()).await.unwrap_err().code(), Code::Unimplemented);
    let before = old.get_product(get.clone()).await.unwrap().into_inner().product.unwrap();
    assert_eq!(before.delivery_time, None);

    let mut new = catalog_at("1.5.0").await;
    let suggested = new.suggest_products(ask).await.unwrap().into_inner().products;
    assert_eq!(suggested.len(), 3);
    assert!(suggested.iter().all(|product| product.title.to_lowercase().contains("oak")));
    let after = new.get_product(get).await.unwrap().into_inner().product.unwrap();
    let physical = matches!(after.kind, Some(catalog::product::Kind::Physical(_)));
    assert_eq!(after.delivery_time.is_some(), physical);
    assert_eq!(catalog::Product { delivery_time: None, ..after }, before);
}

#[tokio::test]
async fn all_products_are_found_page_by_page() {
    let mut client = catalog_at("1.5.0").await;
    let mut seen = BTreeSet::new();
    let mut request = catalog::ListProductsRequest { page_size: 100, ..Default::default() };
    for _ in 0..100 {
        let page = client.list_products(request.clone()).await.unwrap().into_inner();
        assert_eq!(page.total_size, 10_000);
        seen.extend(page.products.into_iter().map(|product| product.id));
        request.page_token = page.next_page_token;
    }
    assert_eq!(request.page_token, "");
    assert_eq!(seen.len(), 10_000);
    request.page_token = "made-up".into();
    let refused = client.list_products(request).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, "page_token");
}

#[tokio::test]
async fn products_are_created_counted_and_sorted() {
    let mut client = catalog_at("1.5.0").await;
    let shelf = client.list_categories(()).await.unwrap().into_inner().categories;
    let top: u32 = shelf
        .iter()
        .filter(|category| category.parent.is_none())
        .map(|category| category.product_count)
        .sum();
    assert_eq!(top, 10_000);
    let leaf = shelf.iter().find(|category| category.parent.is_some()).unwrap();
    let money =
        turnout_samples::contract::google::r#type::Money { currency_code: "EUR".into(), units: 0, nanos: 0 };
    let product = catalog::Product {
        title: "Free Sample".into(),
        price: Some(money),
        category_id: leaf.id,
        ..Default::default()
    };
    let request = catalog::CreateProductRequest { product: Some(product) };
    let created = client.create_product(request).await.unwrap().into_inner().product.unwrap();
    assert_eq!(created.id, "P10001");
    let cheapest = catalog::ListProductsRequest {
        page_size: 2,
        category_id: Some(leaf.id),
        order_by: catalog::ProductOrder::PriceAsc.into(),
        ..Default::default()
    };
    let page = client.list_products(cheapest).await.unwrap().into_inner();
    assert_eq!(page.products[0].id, "P10001");
    let adjust = |delta| catalog::AdjustStockRequest { product_id: "P10001".into(), delta };
    let moved = client.adjust_stock(adjust(5)).await.unwrap().into_inner();
    assert_eq!((moved.previous_stock, moved.product.unwrap().stock), (0, Some(5)));
    assert_eq!(client.adjust_stock(adjust(-6)).await.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn a_batch_leaves_out_what_does_not_exist() {
    let mut client = catalog_at("1.5.0").await;
    let ids = ["P00007", "nonsense", "P99999", "P00009"].map(String::from).to_vec();
    let found =
        client.batch_get_products(catalog::BatchGetProductsRequest { ids }).await.unwrap().into_inner();
    let ids: BTreeSet<_> = found.products.iter().map(|product| product.id.as_str()).collect();
    assert_eq!(ids, ["P00007", "P00009"].into());
    let missing = client.get_product(catalog::GetProductRequest { id: "P99999".into() }).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);
    assert_eq!(missing.get_details_resource_info().unwrap().resource_name, "P99999");
    let none = client.batch_get_products(catalog::BatchGetProductsRequest { ids: Vec::new() }).await;
    assert_eq!(none.unwrap_err().code(), Code::InvalidArgument);
}

#[tokio::test]
async fn an_order_is_placed_followed_and_cancelled() {
    let stop = CancellationToken::new();
    let channel = start_with("orders", "2.2.0", FaultArgs::default(), &stop).await;
    let mut client = orders::orders_service_client::OrdersServiceClient::new(channel);
    let items = vec![orders::PlaceOrderItem { product_id: "P00042".into(), quantity: 2 }];
    let place = orders::PlaceOrderRequest { user_id: "7".into(), items, ..Default::default() };
    let placed = client.place_order(place).await.unwrap().into_inner().order.unwrap();
    assert_eq!((placed.id, placed.status()), (50_001, orders::OrderStatus::Placed));

    let mut events =
        client.watch_order(orders::WatchOrderRequest { id: placed.id }).await.unwrap().into_inner();
    assert_eq!(events.try_next().await.unwrap().unwrap().sequence, 1);
    let cancel = orders::CancelOrderRequest { id: placed.id, reason: None };
    let cancelled = client.cancel_order(cancel.clone()).await.unwrap().into_inner().order.unwrap();
    assert_eq!(cancelled.status(), orders::OrderStatus::Cancelled);
    let rest: Vec<_> = events.try_collect().await.unwrap();
    assert_eq!(rest.last().unwrap().order.as_ref().unwrap().status(), orders::OrderStatus::Cancelled);
    let again = client.cancel_order(cancel).await.unwrap().into_inner().order.unwrap();
    assert_eq!(again, cancelled, "cancelling again changes nothing");

    let ask =
        orders::ListOrdersByUsersRequest { user_ids: vec!["7".into(), "8".into()], limit: 2, status: 0 };
    let of_users = client.list_orders_by_users(ask).await.unwrap().into_inner().orders;
    assert_eq!(of_users[0].id, placed.id);
    assert_eq!(of_users.iter().filter(|order| order.user_id == "8").count(), 2);
}

#[tokio::test]
async fn a_stream_ends_when_the_service_stops() {
    let stop = CancellationToken::new();
    let channel = start_with("orders", "2.1.0", FaultArgs::default(), &stop).await;
    let mut client = orders::orders_service_client::OrdersServiceClient::new(channel);
    let statuses = vec![orders::OrderStatus::Paid.into()];
    let list = orders::ListOrdersRequest { page_size: 1, statuses, ..Default::default() };
    let open = client.list_orders(list).await.unwrap().into_inner().orders.remove(0);
    let mut events =
        client.watch_order(orders::WatchOrderRequest { id: open.id }).await.unwrap().into_inner();
    assert_eq!(events.try_next().await.unwrap().unwrap().order, Some(open));
    stop.cancel();
    assert_eq!(events.try_next().await.unwrap_err().code(), Code::Unavailable);
}

#[tokio::test]
async fn wrong_orders_are_refused_by_field() {
    let mut client = orders::orders_service_client::OrdersServiceClient::new(start("orders", "2.1.0").await);
    let item = |product: &str, quantity| orders::PlaceOrderItem { product_id: product.into(), quantity };
    let cases = [
        ("0", vec![item("P00001", 1)], "user_id"),
        ("1", vec![], "items"),
        ("1", vec![item("P00001", 1), item("P00000", 1)], "items[1].product_id"),
        ("1", vec![item("P00001", 100)], "items[0].quantity"),
    ];
    for (user, items, field) in cases {
        let place = orders::PlaceOrderRequest { user_id: user.into(), items, ..Default::default() };
        let refused = client.place_order(place).await.unwrap_err();
        assert_eq!(refused.get_details_bad_request().unwrap().field_violations[0].field, field);
    }
}

#[tokio::test]
async fn both_editions_know_the_same_people_and_keep_changes() {
    let mut one = users_v1::users_service_client::UsersServiceClient::new(start("users", "1.8.0").await);
    let mut two = users_v2::users_service_client::UsersServiceClient::new(start("users", "2.0.0").await);
    let first =
        one.get_user(users_v1::GetUserRequest { id: "42".into() }).await.unwrap().into_inner().user.unwrap();
    let name = || "users/42".to_owned();
    let second =
        two.get_user(users_v2::GetUserRequest { name: name(), read_mask: None }).await.unwrap().into_inner();
    assert_eq!((first.display_name, first.email), (second.display_name, second.email.clone()));

    let update =
        users_v1::UpdateUserRequest { id: "42".into(), nickname: Some("ace".into()), ..Default::default() };
    let changed = one.update_user(update).await.unwrap().into_inner().user.unwrap();
    assert_eq!((changed.nickname.as_str(), changed.email), ("ace", second.email.clone()));

    let mask = |paths: &[&str]| {
        Some(prost_types::FieldMask { paths: paths.iter().map(|p| (*p).to_owned()).collect() })
    };
    let user = users_v2::User {
        name: name(),
        display_name: "Ace".into(),
        email: "no@where".into(),
        ..Default::default()
    };
    let request = |paths| users_v2::UpdateUserRequest { user: Some(user.clone()), update_mask: mask(paths) };
    let updated = two.update_user(request(&["display_name"])).await.unwrap().into_inner();
    assert_eq!((updated.display_name.as_str(), updated.email), ("Ace", second.email));
    for paths in [&["email"][..], &["no_such_field"][..], &["*"][..]] {
        assert_eq!(
            two.update_user(request(paths)).await.unwrap_err().code(),
            Code::InvalidArgument,
            "{paths:?}"
        );
    }
    let read = users_v2::GetUserRequest { name: name(), read_mask: mask(&["id"]) };
    let only_id = two.get_user(read).await.unwrap().into_inner();
    assert_eq!(only_id, users_v2::User { id: "42".into(), ..Default::default() });
}

#[tokio::test]
async fn reviews_belong_to_products_and_users() {
    let mut client =
        reviews::reviews_service_client::ReviewsServiceClient::new(start("reviews", "1.2.1").await);
    let product_ids = vec!["P00001".to_owned(), "P00002".to_owned()];
    let ask = reviews::ListReviewsByProductsRequest {
        product_ids: product_ids.clone(),
        limit: 3,
        min_rating: Some(4),
    };
    let found = client.list_reviews_by_products(ask.clone()).await.unwrap().into_inner().reviews;
    assert!(!found.is_empty());
    assert!(found.iter().all(|review| product_ids.contains(&review.product_id) && review.rating >= 4));
    let write = reviews::CreateReviewRequest {
        product_id: "P00001".into(),
        user_id: "7".into(),
        rating: 5,
        title: "Yes".into(),
        text: String::new(),
    };
    let written = client.create_review(write).await.unwrap().into_inner().review.unwrap();
    assert_eq!(client.list_reviews_by_products(ask).await.unwrap().into_inner().reviews[0], written);
    for _ in 0..2 {
        let helpful = reviews::MarkReviewHelpfulRequest { id: written.id, user_id: "9".into() };
        let marked = client.mark_review_helpful(helpful).await.unwrap().into_inner().review.unwrap();
        assert_eq!(marked.helpful_count, 1);
    }
    let by_user = reviews::ListReviewsByUsersRequest { user_ids: vec!["7".into()], limit: 1 };
    assert_eq!(client.list_reviews_by_users(by_user).await.unwrap().into_inner().reviews[0].id, written.id);
}

#[tokio::test]
async fn the_patch_of_reviews_mends_the_average() {
    let mut averages = Vec::new();
    for version in ["1.2.0", "1.2.1"] {
        let mut client =
            reviews::reviews_service_client::ReviewsServiceClient::new(start("reviews", version).await);
        let mut of_version = Vec::new();
        for number in 1..=20 {
            let ask = reviews::GetAverageRatingRequest { product_id: format!("P{number:05}") };
            of_version.push(client.get_average_rating(ask).await.unwrap().into_inner().average_rating);
        }
        averages.push(of_version);
    }
    let cut: Vec<_> = averages[1].iter().map(|average| average.map(f64::trunc)).collect();
    assert_eq!(averages[0], cut);
    assert_ne!(averages[0], averages[1]);
}

#[tokio::test]
async fn accounts_are_opened_and_logged_into() {
    let mut client = todo::user_service_client::UserServiceClient::new(start("todo-user", "1.0.0").await);
    let register = |name: &str, password: &str| todo::RegisterRequest {
        username: name.into(),
        password: password.into(),
        nickname: String::new(),
    };
    let user = client.register(register("newcomer", "longenough")).await.unwrap().into_inner().user.unwrap();
    let taken = client.register(register("newcomer", "longenough")).await.unwrap_err();
    assert_eq!(taken.code(), Code::AlreadyExists);
    assert_eq!(client.register(register("x", "longenough")).await.unwrap_err().code(), Code::InvalidArgument);
    let login =
        |password: &str| todo::LoginRequest { username: "newcomer".into(), password: password.into() };
    assert!(!client.login(login("longenough")).await.unwrap().into_inner().token.is_empty());
    assert_eq!(client.login(login("wrong")).await.unwrap_err().code(), Code::Unauthenticated);
    let batch = todo::BatchGetTodoUsersRequest { ids: vec![1, user.id, 9_999] };
    assert_eq!(client.batch_get_todo_users(batch).await.unwrap().into_inner().users.len(), 2);
}

#[tokio::test]
async fn tasks_are_written_done_and_crossed_out() {
    let mut client = todo::task_service_client::TaskServiceClient::new(start("todo-task", "1.0.0").await);
    let create = todo::CreateTaskRequest { user_id: 3, title: "Test".into(), ..Default::default() };
    let task = client.create_task(create).await.unwrap().into_inner().task.unwrap();
    assert_eq!(task.priority(), todo::TaskPriority::Normal);
    let done = todo::UpdateTaskRequest {
        id: task.id,
        status: Some(todo::TaskStatus::Done.into()),
        ..Default::default()
    };
    let after = client.update_task(done).await.unwrap().into_inner().task.unwrap();
    assert!(after.completed_at.is_some() && after.title == "Test");
    let by_user = todo::ListTasksByUsersRequest { user_ids: vec![3], status: todo::TaskStatus::Done.into() };
    let of_user = client.list_tasks_by_users(by_user).await.unwrap().into_inner().tasks;
    assert!(of_user.contains(&after));
    for _ in 0..2 {
        client.delete_task(todo::DeleteTaskRequest { id: task.id }).await.unwrap();
    }
    let gone = client.get_task(todo::GetTaskRequest { id: task.id }).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
}

#[tokio::test]
async fn the_echo_gives_back_every_field() {
    let mut client = echo::echo_service_client::EchoServiceClient::new(start("echo", "1.0.0").await);
    let ask = echo::GetSampleRequest { seed: 7 };
    let sample = client.get_sample(ask).await.unwrap().into_inner().everything;
    let back = client.echo(echo::EchoRequest { everything: sample.clone() }).await.unwrap().into_inner();
    assert_eq!(back.everything.as_ref().map(|e| &e.scalars), sample.as_ref().map(|e| &e.scalars));
    assert_eq!(back.version, "1.0.0");
    assert!(back.metadata_names.contains(&"user-agent".to_owned()));
    let scalars =
        client.echo_scalars(echo::EchoScalarsRequest { sint64_value: -5, ..Default::default() }).await;
    assert_eq!(scalars.unwrap().into_inner().scalars.unwrap().sint64_value, -5);
}

#[tokio::test]
async fn the_echo_fails_with_details_and_streams_to_its_end() {
    let mut client = echo::echo_service_client::EchoServiceClient::new(start("echo", "1.0.0").await);
    let fields = vec!["a.b".to_owned()];
    let ask = echo::FailRequest { code: 9, message: "as told".into(), fields, retry_delay: None };
    let failed = client.fail(ask).await.unwrap_err();
    assert_eq!((failed.code(), failed.message()), (Code::FailedPrecondition, "as told"));
    assert_eq!(failed.get_details_bad_request().unwrap().field_violations[0].field, "a.b");
    let interval = Some(prost_types::Duration { seconds: 0, nanos: 1_000_000 });
    let count =
        client.count(echo::CountRequest { from: 3, to: Some(6), interval }).await.unwrap().into_inner();
    let numbers: Vec<_> = count.map_ok(|event| event.number).try_collect().await.unwrap();
    assert_eq!(numbers, [3, 4, 5, 6]);
    let tree = client.get_tree(echo::GetTreeRequest { depth: 12, width: Some(4) }).await.unwrap_err();
    assert_eq!(tree.code(), Code::InvalidArgument);
}

#[tokio::test]
async fn sums_that_do_not_fit_are_refused() {
    let mut client = math::math_service_client::MathServiceClient::new(start("math", "1.0.0").await);
    assert_eq!(client.add(math::AddRequest { a: 2, b: 3 }).await.unwrap().into_inner().sum, 5);
    assert_eq!(
        client.add(math::AddRequest { a: i32::MAX, b: 1 }).await.unwrap_err().code(),
        Code::OutOfRange
    );
}

#[tokio::test]
async fn told_faults_reach_the_caller() {
    let faults = FaultArgs {
        fail_rate: 1.0,
        fail_method: vec!["Add".into()],
        fail_code: Code::Internal,
        ..FaultArgs::default()
    };
    let channel = start_with("math", "1.0.0", faults, &CancellationToken::new()).await;
    let mut client = math::math_service_client::MathServiceClient::new(channel);
    assert_eq!(client.add(math::AddRequest { a: 2, b: 3 }).await.unwrap_err().code(), Code::Internal);
}
