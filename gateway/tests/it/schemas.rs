//! Services that push no descriptors: the gateway asks them, and what they offer is in the graph.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_reflection::server::Builder;

use crate::gateway::{Gateway, instance};

/// The end of a wait that has failed.
const SEEN: Duration = Duration::from_secs(20);

/// Within this time it is in the graph. It takes 400 ms where everything else runs too.
const PROMISED: Duration = Duration::from_secs(2);

/// Samples on one port, with server reflection, until this is dropped.
struct Samples {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Samples {
    async fn start(samples: &[(&str, &str)]) -> Samples {
        let mut builder = Builder::configure();
        let stop = CancellationToken::new();
        let mut router = axum::Router::new();
        for (service, version) in samples {
            builder = builder.register_encoded_file_descriptor_set(
                turnout_samples::descriptors(service, version).unwrap(),
            );
            let routes = turnout_samples::routes(service, version, 1, &Default::default(), &stop).unwrap();
            router = router.merge(routes.into_axum_router().reset_fallback());
        }
        let router = router.merge(Routes::new(builder.build_v1().unwrap()).into_axum_router());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Samples { address, _tasks: tasks }
    }

    fn body(&self, version: &str, meta: &Value) -> String {
        let endpoint = json!({ "url": format!("grpc://{}", self.address) });
        json!({ "version": version, "endpoints": [endpoint], "meta": meta }).to_string()
    }
}

async fn ask(gateway: &Gateway, query: &str) -> Value {
    let body = json!({ "query": query }).to_string();
    let request = Request::post(format!("{}/graphql", gateway.public()))
        .header("content-type", "application/json")
        .body(Full::new(body.into()));
    gateway.send(request.unwrap()).await.json()
}

/// Asks until there is an answer without errors.
async fn answer(gateway: &Gateway, query: &str) -> Value {
    let begun = Instant::now();
    loop {
        let answer = ask(gateway, query).await;
        if answer.get("errors").is_none() {
            return answer["data"].clone();
        }
        assert!(begun.elapsed() < SEEN, "{answer}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_instance_without_descriptors_is_queried_a_moment_later() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let samples = Samples::start(&[("catalog", "1.5.0")]).await;
    let begun = Instant::now();
    let registered = gateway.put(&instance("catalog", "a"), samples.body("1.5.0", &json!({}))).await;
    assert_eq!(registered.status, StatusCode::OK, "{}", registered.text());
    let finding = &registered.json()["findings"][0];
    assert_eq!(finding["code"], "SCHEMA_MISSING");
    let answer = answer(&gateway, "{ products(pageSize: 1) { products { id title } } }").await;
    let took = begun.elapsed();
    assert!(answer["products"]["products"][0]["title"].is_string(), "{answer}");
    assert!(took < PROMISED, "{took:?}");

    // It is bound for ever: a restart without the instance still knows the version.
    let digest = digest(&gateway).await;
    assert!(digest.starts_with("sha256:"), "{digest}");
    gateway.stop().await;
    drop(samples);
    let gateway = Gateway::start(data.path()).await;
    assert_eq!(self::digest(&gateway).await, digest);
    gateway.stop().await;
}

/// The digest of the only version.
async fn digest(gateway: &Gateway) -> String {
    let listed = gateway.get("/registry/v1/services").await.json();
    listed["services"][0]["versions"][0]["digest"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn services_that_share_a_port_each_offer_their_own() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let samples = Samples::start(&[("catalog", "1.5.0"), ("users", "2.0.0")]).await;
    for (service, version, own) in [
        ("catalog", "1.5.0", "shop.catalog.v1.CatalogService"),
        ("users", "2.0.0", "shop.users.v2.UsersService"),
    ] {
        let body = samples.body(version, &json!({ "grpc.services": own }));
        let registered = gateway.put(&instance(service, "a"), body).await;
        assert_eq!(registered.status, StatusCode::OK, "{}", registered.text());
    }
    let both = "{ products(pageSize: 1) { products { id } } users(pageSize: 1) { users { id } } }";
    let answer = answer(&gateway, both).await;
    assert!(answer["products"]["products"][0]["id"].is_string(), "{answer}");
    let mut members = gateway.graph_members().await;
    members.sort();
    assert_eq!(members, ["catalog", "users"]);
    gateway.stop().await;
}
