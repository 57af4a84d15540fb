//! Upstream and contenders over loopback: they answer what the questions expect, and the upstream
//! counts what it was asked. Also: what a gateway would be given says all that the join needs.

#![expect(clippy::unwrap_used, reason = "a helper that fails is a test that fails")]

use std::future::Future;
use std::net::SocketAddr;

use prost_reflect::{DescriptorPool, DynamicMessage};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tonic::Code;
use tonic::transport::{Channel, Endpoint};
use turnout_bench::question::{Language, Question, Values};
use turnout_bench::stand::client::{Body, Connection, render};
use turnout_bench::upstream::{self, Stats};
use turnout_bench::wire::bench::bench_service_client::BenchServiceClient;
use turnout_bench::wire::bench::{
    BatchGetUsersRequest, GetTimetableRequest, GetUserRequest, ListPostsRequest, ListReadingsRequest,
};
use turnout_bench::wire::people::BatchGetPeopleRequest;
use turnout_bench::wire::people::people_service_client::PeopleServiceClient;
use turnout_bench::{SERVICES, dynamic, limit, noop};

/// An upstream, and the tasks that end with the test.
struct World {
    upstream: SocketAddr,
    tasks: JoinSet<()>,
}

impl World {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move {
            let Err(error) = upstream::serve(listener).await;
            panic!("the upstream ended: {error}");
        });
        Self { upstream, tasks }
    }

    fn channel(&self) -> Channel {
        Endpoint::from_shared(format!("http://{}", self.upstream)).unwrap().connect_lazy()
    }

    /// Starts a contender and gives its address.
    async fn contender<F>(&mut self, serve: impl FnOnce(TcpListener, Channel) -> F) -> SocketAddr
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = serve(listener, self.channel());
        self.tasks.spawn(async move { serving.await.unwrap() });
        address
    }

    async fn stats(&self) -> Stats {
        let request = render("GET", "/stats", self.upstream, Body::Json(b""));
        let mut connection = Connection::open(self.upstream).await.unwrap();
        serde_json::from_slice(connection.ask(&request).await.unwrap().body).unwrap()
    }
}

/// Every sample of a question, on one connection, answered byte for byte.
async fn check(address: SocketAddr, path: &str, question: Question, language: Language) {
    let mut connection = Connection::open(address).await.unwrap();
    for values in [Values::Fixed, Values::Vary] {
        for sample in question.samples(language, values) {
            let body = match language {
                Language::GraphQl => Body::Json(&sample.body),
                Language::Protobuf => Body::Protobuf(&sample.body),
            };
            let request = render("POST", path, address, body);
            let reply = connection.ask(&request).await.unwrap();
            assert_eq!(reply.status, 200, "{question}");
            assert_eq!(
                String::from_utf8_lossy(reply.body),
                String::from_utf8_lossy(&sample.answer),
                "{question}"
            );
        }
    }
}

#[tokio::test]
async fn limit_answers_every_question_byte_for_byte() {
    let mut world = World::start().await;
    let address = world.contender(limit::serve).await;
    for question in Question::ALL {
        check(address, &format!("/{question}"), question, Language::GraphQl).await;
    }
}

#[tokio::test]
async fn dynamic_answers_every_question_byte_for_byte() {
    let mut world = World::start().await;
    let address = world.contender(dynamic::serve).await;
    for question in Question::ALL {
        check(address, "/graphql", question, Language::GraphQl).await;
    }
}

#[tokio::test]
async fn noop_passes_the_upstreams_bytes_through() {
    let mut world = World::start().await;
    let address = world.contender(noop::serve).await;
    for question in [Question::Q1, Question::Q2, Question::Q5, Question::Q6] {
        check(address, &format!("/{question}"), question, Language::Protobuf).await;
    }
}

/// What the upstream counted after each question was asked once.
async fn calls(world: &World, address: SocketAddr, path: impl Fn(Question) -> String) -> Stats {
    let mut connection = Connection::open(address).await.unwrap();
    for question in Question::ALL {
        let sample = &question.samples(Language::GraphQl, Values::Fixed)[0];
        let request = render("POST", &path(question), address, Body::Json(&sample.body));
        assert_eq!(connection.ask(&request).await.unwrap().status, 200);
    }
    world.stats().await
}

/// One call for each entity and wave.
fn expected_calls() -> Stats {
    stats([
        ("GetUser", 1),
        ("BatchGetUsers", 1),
        ("ListPosts", 2),
        ("ListArticles", 1),
        ("BatchGetPeople", 1),
        ("BatchGetCompanies", 1),
        ("ListReadings", 1),
        ("GetTimetable", 1),
    ])
}

fn stats<const N: usize>(calls: [(&str, u64); N]) -> Stats {
    Stats { calls: calls.into_iter().map(|(method, count)| (method.to_owned(), count)).collect() }
}

#[tokio::test]
async fn limit_makes_one_call_for_each_entity_and_wave() {
    let mut world = World::start().await;
    let address = world.contender(limit::serve).await;
    assert_eq!(calls(&world, address, |question| format!("/{question}")).await, expected_calls());
}

#[tokio::test]
async fn dynamic_loads_the_second_branch_of_a_join_by_itself() {
    let mut world = World::start().await;
    let address = world.contender(dynamic::serve).await;
    let mut expected = expected_calls();
    expected.calls.insert("BatchGetPeople".to_owned(), 2);
    assert_eq!(calls(&world, address, |_| "/graphql".to_owned()).await, expected);
}

#[tokio::test]
async fn a_failed_call_becomes_a_graphql_error() {
    let mut world = World::start().await;
    let body = br#"{"query":"query Q1($id: ID!) { user(id: $id) { id } }","variables":{"id":"99"}}"#;
    let limit = world.contender(limit::serve).await;
    let dynamic = world.contender(dynamic::serve).await;
    for (address, path) in [(limit, "/q1"), (dynamic, "/graphql")] {
        let request = render("POST", path, address, Body::Json(body));
        let mut connection = Connection::open(address).await.unwrap();
        let reply = connection.ask(&request).await.unwrap();
        let answer: serde_json::Value = serde_json::from_slice(reply.body).unwrap();
        assert!(answer["data"]["user"].is_null(), "{answer}");
        assert_eq!(answer["errors"].as_array().map(Vec::len), Some(1), "{answer}");
    }
}

#[tokio::test]
async fn the_upstream_answers_any_grpc_client() {
    let world = World::start().await;
    let mut client = BenchServiceClient::new(world.channel());

    let user = client.get_user(GetUserRequest { id: 5 }).await.unwrap().into_inner();
    assert_eq!(user.name, "Łukasz Nowak");
    let missing = client.get_user(GetUserRequest { id: 11 }).await.unwrap_err();
    assert_eq!(missing.code(), Code::NotFound);

    let seasons = [
        client.get_timetable(GetTimetableRequest { id: 5 }).await,
        client.get_timetable(GetTimetableRequest { id: 6 }).await,
    ];
    assert_eq!(
        seasons.map(|season| season.map(|it| it.into_inner().id).map_err(|it| it.code())),
        [Ok(5), Err(Code::NotFound)]
    );

    let ids = vec![24, 25, 2];
    let mut people = PeopleServiceClient::new(world.channel());
    let found = people.batch_get_people(BatchGetPeopleRequest { ids }).await.unwrap().into_inner().people;
    assert_eq!(found.iter().map(|person| person.id).collect::<Vec<_>>(), [24, 2]);

    let ids = vec![3, 11, 1];
    let found = client.batch_get_users(BatchGetUsersRequest { ids }).await.unwrap().into_inner().users;
    assert_eq!(found.iter().map(|user| user.id).collect::<Vec<_>>(), [3, 1]);

    for (limit, length) in [(0, 0), (7, 7), (100, 100), (1_000, 100), (-1, 0)] {
        let posts = client.list_posts(ListPostsRequest { limit }).await.unwrap().into_inner().posts;
        assert_eq!(posts.len(), length, "limit {limit}");
    }
    for (limit, length) in [(7, 7), (1_000, 1_000), (1_001, 1_000)] {
        let readings =
            client.list_readings(ListReadingsRequest { limit }).await.unwrap().into_inner().readings;
        assert_eq!(readings.len(), length, "limit {limit}");
    }
    let expected = stats([
        ("GetUser", 2),
        ("GetTimetable", 2),
        ("BatchGetPeople", 1),
        ("BatchGetUsers", 1),
        ("ListPosts", 5),
        ("ListReadings", 3),
    ]);
    assert_eq!(world.stats().await, expected);
}

#[test]
fn the_descriptors_carry_options_and_comments() {
    let pool = DescriptorPool::decode(SERVICES[0].descriptors).unwrap();
    let option = |options: DynamicMessage, name: &str| {
        let extension = pool.get_extension_by_name(&format!("turnout.graphql.v1.{name}")).unwrap();
        let value = options.get_extension(&extension).into_owned();
        value.as_message().unwrap().clone()
    };

    let service = pool.get_service_by_name("bench.v1.BenchService").unwrap();
    let exposed = option(service.options(), "service").get_field_by_name("expose").unwrap().as_bool();
    assert_eq!(exposed, Some(true));

    let batch = service.methods().find(|method| method.name() == "BatchGetUsers").unwrap();
    let rule = option(batch.options(), "rpc");
    let lookup = rule.get_field_by_name("lookup").unwrap().as_message().unwrap().clone();
    assert_eq!(lookup.get_field_by_name("entity").unwrap().as_str(), Some("User"));

    let post = pool.get_message_by_name("bench.v1.Post").unwrap();
    let reference = option(post.get_field_by_name("user_id").unwrap().options(), "field");
    assert_eq!(reference.get_field_by_name("ref").unwrap().as_str(), Some("User"));

    let file = service.parent_file();
    let comments = file.file_descriptor_proto().source_code_info.as_ref().unwrap();
    assert!(comments.location.iter().any(|location| location.leading_comments().contains("posts")));
}
