//! Instances of every kind, over real sockets: who describes itself, who does not, and what becomes of it.
//!
//! Time is real, because sockets do not wait for a paused clock; nothing here sleeps, and every wait ends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::routing::post;
use prost::Message;
use tempfile::TempDir;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tonic::service::Routes;
use tonic_reflection::server::Builder;
use turnout_control::id::Version;
use turnout_control::registration::{Registration, Terms};
use turnout_control::registry::{Endpoint, Health, Instance, Intent, Scheme};
use turnout_schema::reflect::Voice;
use turnout_schema::subgraph::{self, Descriptors, Exposure};
use turnout_schema::{Digest, Severity};

use super::reflection::Error;
use super::schedule::Class;
use super::*;
use crate::clock::Clock;
use crate::registry::{Registry, embedded};
use crate::upstream::{connection, tls};

/// What is awaited comes in a few milliseconds; this is for a machine that has much else to do.
const SEEN: Duration = Duration::from_secs(20);

/// Which versions of reflection a server has.
#[derive(Clone, Copy, Debug)]
enum Speaks {
    V1,
    V1Alpha,
    Nothing,
}

/// A server that ends with the test.
struct Server {
    address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Server {
    async fn start(router: Router) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { axum::serve(listener, router).await.unwrap() });
        Server { address, _tasks: tasks }
    }

    /// A sample service with reflection.
    async fn sample(service: &str, version: &str, speaks: Speaks) -> Server {
        Server::start(sample(service, version, speaks)).await
    }

    fn endpoint(&self) -> Endpoint {
        endpoint(self.address)
    }
}

fn endpoint(address: SocketAddr) -> Endpoint {
    let host = address.ip().to_string();
    Endpoint { scheme: Scheme::Grpc, host, port: address.port(), zone: String::new() }
}

fn bytes(service: &str, version: &str) -> &'static [u8] {
    turnout_samples::descriptors(service, version).unwrap()
}

fn sample(service: &str, version: &str, speaks: Speaks) -> Router {
    let stop = CancellationToken::new();
    let own = turnout_samples::routes(service, version, 1, &Default::default(), &stop).unwrap();
    let builder = || Builder::configure().register_encoded_file_descriptor_set(bytes(service, version));
    let standard = match speaks {
        Speaks::V1 => Routes::new(builder().build_v1().unwrap()),
        Speaks::V1Alpha => Routes::new(builder().build_v1alpha().unwrap()),
        Speaks::Nothing => Routes::default(),
    };
    standard.into_axum_router().fallback_service(own.into_axum_router())
}

fn asker_in(networks: &[&str]) -> Asker {
    let allow_cidrs = networks.iter().map(|network| network.parse().unwrap()).collect();
    let connection = connection::Settings {
        connect_timeout: Duration::from_secs(5),
        message_bytes_max: 1024,
        terms: watch::channel(Terms { allow_cidrs, ttl_s: 15 }).1,
    };
    Asker::new(connection, tls::client(None, None).unwrap(), TaskTracker::new())
}

fn asker() -> Asker {
    asker_in(&["127.0.0.0/8"])
}

fn offer(service: &str, version: &str, bytes: &[u8]) -> subgraph::Subgraph {
    let descriptors = Descriptors::read(bytes).unwrap();
    let subgraph = subgraph::read(service, version, &descriptors, Exposure::Annotated).subgraph;
    subgraph::Subgraph { digest: Digest::of(b""), ..subgraph }
}

#[tokio::test]
async fn a_server_describes_itself_in_either_version_and_keeps_its_options() {
    for (speaks, voice) in [(Speaks::V1, Voice::V1), (Speaks::V1Alpha, Voice::V1Alpha)] {
        for (service, version) in [("catalog", "1.5.0"), ("todo-task", "1.0.0"), ("echo", "1.0.0")] {
            let server = Server::sample(service, version, speaks).await;
            let described = asker().ask(&server.endpoint(), &[]).await.unwrap();
            assert_eq!(described.voice, voice);
            assert!(described.assembled.left_out.is_empty());
            let found = offer(service, version, &described.assembled.bytes);
            assert!(!found.roots.is_empty(), "{service} offers something by its own options");
            assert_eq!(found, offer(service, version, bytes(service, version)));
        }
    }
}

#[tokio::test]
async fn only_wanted_services_are_asked_for() {
    let server = Server::sample("echo", "1.0.0", Speaks::V1).await;
    let wanted = ["demo.echo.v1.EchoService".to_owned()];
    let described = asker().ask(&server.endpoint(), &wanted).await.unwrap();
    assert_eq!(described.assembled.services, wanted);
    let error = asker().ask(&server.endpoint(), &["demo.Nope".to_owned()]).await.unwrap_err();
    assert_eq!(error.class(), Class::Unusable);
    assert!(error.to_string().contains("does not describe \"demo.Nope\""), "{error}");
}

#[tokio::test]
async fn a_server_without_reflection_is_told_from_one_that_is_not_there() {
    let server = Server::sample("math", "1.0.0", Speaks::Nothing).await;
    let error = asker().ask(&server.endpoint(), &[]).await.unwrap_err();
    assert_eq!(error.class(), Class::Absent);
    let text = error.to_string();
    for voice in Voice::ALL {
        assert!(text.contains(&format!("{}: UNIMPLEMENTED", voice.as_str())), "{text}");
    }

    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = endpoint(listener.local_addr().unwrap());
    drop(listener);
    let error = asker().ask(&nobody, &[]).await.unwrap_err();
    assert!(matches!(error, Error::Unreached(_)), "{error}");
    assert_eq!(error.class(), Class::Unreached);
}

#[tokio::test]
async fn an_address_that_may_not_be_called_is_not_called() {
    let server = Server::sample("math", "1.0.0", Speaks::V1).await;
    let error = asker_in(&["10.0.0.0/8"]).ask(&server.endpoint(), &[]).await.unwrap_err();
    assert!(error.to_string().contains("registry.allow_cidrs"), "{error}");
}

/// An answer of gRPC that is all headers.
fn status(code: &str) -> Response<Body> {
    let head = Response::builder().header("content-type", "application/grpc").header("grpc-status", code);
    head.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn odd_ways_to_say_that_there_is_no_such_service_are_understood() {
    // Kitex answers an unknown service by 20, which gRPC does not have, and an unknown method by CANCELLED.
    for code in ["20", "1", "2", "12", "5", "16", "garbage"] {
        let server = Server::start(Router::new().fallback(|| async { status(code) })).await;
        let error = asker().ask(&server.endpoint(), &[]).await.unwrap_err();
        assert_eq!(error.class(), Class::Absent, "{code}: {error}");
    }
    let page = Router::new().fallback(|| async { "<html>" });
    let error = asker().ask(&Server::start(page).await.endpoint(), &[]).await.unwrap_err();
    assert_eq!(error.class(), Class::Absent, "{error}");
}

/// Hangs up on the first connection when something comes over it, and leads the others on.
async fn hangs_up_once(behind: SocketAddr) -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let (mut first, _) = listener.accept().await.unwrap();
        let _ = first.read(&mut [0; 1024]).await;
        drop(first);
        let mut pairs = JoinSet::new();
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            pairs.spawn(async move {
                let mut on = TcpStream::connect(behind).await.unwrap();
                let _ = tokio::io::copy_bidirectional(&mut stream, &mut on).await;
            });
        }
    });
    Server { address, _tasks: tasks }
}

#[tokio::test]
async fn a_server_that_hangs_up_on_the_unknown_is_asked_in_the_older_version() {
    let server = Server::sample("math", "1.0.0", Speaks::V1Alpha).await;
    let before = hangs_up_once(server.address).await;
    let described = asker().ask(&before.endpoint(), &[]).await.unwrap();
    assert_eq!(described.voice, Voice::V1Alpha);
}

/// An answer of gRPC with one message.
fn answered(message: &[u8]) -> Response<Body> {
    let mut frame = vec![0];
    frame.extend(u32::try_from(message.len()).unwrap().to_be_bytes());
    frame.extend(message);
    let data = http_body_util::Full::new(Bytes::from(frame));
    let trailers = async { Some(Ok([("grpc-status", "0")].into_iter().map(header).collect())) };
    let body = Body::new(http_body_util::BodyExt::with_trailers(data, trailers));
    Response::builder().header("content-type", "application/grpc").body(body).unwrap()
}

fn header((name, value): (&'static str, &'static str)) -> (http::HeaderName, http::HeaderValue) {
    (http::HeaderName::from_static(name), http::HeaderValue::from_static(value))
}

#[derive(Clone, PartialEq, Message)]
struct Names {
    #[prost(string, repeated, tag = "1")]
    name: Vec<String>,
}

#[derive(Clone, PartialEq, Message)]
struct Described {
    #[prost(bytes = "vec", optional, tag = "1")]
    set: Option<Vec<u8>>,
}

#[tokio::test]
async fn a_service_of_kratos_is_asked_in_its_own_way() {
    let names = Names { name: vec!["kratos.api.Metadata".into(), "demo.math.v1.MathService".into()] };
    let described = Described { set: Some(bytes("math", "1.0.0").to_vec()) }.encode_to_vec();
    let router = Router::new()
        .route("/kratos.api.Metadata/ListServices", post(async move || answered(&names.encode_to_vec())))
        .route("/kratos.api.Metadata/GetServiceDesc", post(async move || answered(&described)))
        .fallback(|| async { status("12") });
    let server = Server::start(router).await;
    let found = asker().ask(&server.endpoint(), &[]).await.unwrap();
    assert_eq!(found.voice, Voice::Kratos);
    assert_eq!(found.assembled.services, ["demo.math.v1.MathService"]);
    let found = offer("math", "1.0.0", &found.assembled.bytes);
    assert_eq!(found, offer("math", "1.0.0", bytes("math", "1.0.0")));
}

/// A registry and a resolver for it.
struct World {
    registry: Registry,
    policies: watch::Sender<Policies>,
    findings: watch::Receiver<std::sync::Arc<Findings>>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
    _directory: TempDir,
}

impl World {
    fn start(others: SchemaPolicy) -> World {
        let directory = tempfile::tempdir().unwrap();
        let registry = embedded::alone(directory.path(), Clock::start(), Duration::from_secs(60)).unwrap();
        let (policies, policies_now) = watch::channel(Policies { services: BTreeMap::new(), others });
        let (resolver, findings) = new(registry.clone(), policies_now, asker());
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        tasks.spawn(run(resolver, stop.clone()));
        World { registry, policies, findings, stop, tasks, _directory: directory }
    }

    async fn register(&self, service: &str, version: &str, id: &str, endpoint: Endpoint) {
        let instance = Instance {
            service: service.parse().unwrap(),
            id: id.parse().unwrap(),
            version: version.parse().unwrap(),
            incarnation: 1,
            endpoints: vec![endpoint],
            schema: None,
            weight: 100,
            intent: Intent::Up,
            health: Health::None,
            meta: BTreeMap::new(),
        };
        self.registry.store.register(Registration { instance, ttl_s: 60 }).await.unwrap();
    }

    /// Waits until a version has a digest.
    async fn bound(&self, service: &str, version: &str) -> Digest {
        let (service, version) = (service.parse().unwrap(), version.parse::<Version>().unwrap());
        let mut changes = self.registry.changes();
        let digest = |snapshot: &turnout_control::registry::Snapshot| {
            snapshot.service(&service).and_then(|of| of.versions.get(&version)).and_then(|of| of.digest)
        };
        let changed = changes.wait_for(|snapshot| digest(snapshot).is_some());
        digest(&timeout(SEEN, changed).await.unwrap().unwrap()).unwrap()
    }

    /// Waits until it is said of a version that it could not be described, and returns what.
    async fn failed(&self, service: &str, version: &str) -> String {
        let key = (service.parse().unwrap(), version.parse().unwrap());
        let mut findings = self.findings.clone();
        let is_error = |of: &std::sync::Arc<Findings>| {
            of.get(&key).is_some_and(|diagnostic| diagnostic.severity == Severity::Error)
        };
        let found = timeout(SEEN, findings.wait_for(is_error)).await.unwrap().unwrap();
        found[&key].to_string()
    }

    async fn stop(mut self) {
        self.stop.cancel();
        timeout(SEEN, self.tasks.join_next()).await.unwrap().unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_instance_that_names_nothing_gets_its_descriptors() {
    let world = World::start(SchemaPolicy::Reflection);
    let server = Server::sample("users", "2.0.0", Speaks::V1).await;
    world.register("users", "2.0.0", "a", server.endpoint()).await;
    let digest = world.bound("users", "2.0.0").await;
    let stored = world.registry.store.schema(digest).await.unwrap().unwrap();
    assert_eq!(Digest::of(&stored), digest);
    assert_eq!(offer("users", "2.0.0", &stored), offer("users", "2.0.0", bytes("users", "2.0.0")));
    // Nothing is said of it any more.
    let mut findings = world.findings.clone();
    timeout(SEEN, findings.wait_for(|findings| findings.is_empty())).await.unwrap().unwrap();
    world.stop().await;
}

#[tokio::test]
async fn another_instance_is_asked_when_one_is_not_there() {
    let world = World::start(SchemaPolicy::Off);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let nobody = endpoint(listener.local_addr().unwrap());
    drop(listener);
    let server = Server::sample("math", "1.0.0", Speaks::V1).await;
    world.register("math", "1.0.0", "a", nobody).await;
    world.register("math", "1.0.0", "b", server.endpoint()).await;
    assert!(world.failed("math", "1.0.0").await.contains("says not to look"));
    world.policies.send_modify(|policies| policies.others = SchemaPolicy::Reflection);
    world.bound("math", "1.0.0").await;
    world.stop().await;
}

#[tokio::test]
async fn what_was_tried_is_told_and_not_tried_again() {
    let world = World::start(SchemaPolicy::Reflection);
    let asked = std::sync::Arc::new(AtomicU32::new(0));
    let counted = asked.clone();
    let router = Router::new().fallback(async move || {
        counted.fetch_add(1, Ordering::Relaxed);
        status("20")
    });
    let server = Server::start(router).await;
    world.register("kitex", "1.0.0", "a", server.endpoint()).await;
    let told = world.failed("kitex", "1.0.0").await;
    assert!(told.contains("grpc.reflection.v1: UNKNOWN") && told.contains("server reflection"), "{told}");
    assert!(told.contains(&server.endpoint().url()), "{told}");
    // Changes of the registry, and other instances, are no reason to ask again so soon.
    for id in ["b", "c", "d"] {
        world.register("kitex", "1.0.0", id, server.endpoint()).await;
    }
    let listener = Server::sample("math", "1.0.0", Speaks::V1).await;
    world.register("math", "1.0.0", "m", listener.endpoint()).await;
    world.bound("math", "1.0.0").await;
    assert_eq!(asked.load(Ordering::Relaxed), 3);
    world.stop().await;
}

#[tokio::test]
async fn the_operator_says_where_descriptors_are() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("1.2.0.binpb");
    std::fs::write(&file, bytes("reviews", "1.2.0")).unwrap();
    let world = World::start(SchemaPolicy::Path(directory.path().to_owned()));
    let nobody = endpoint(SocketAddr::from(([127, 0, 0, 1], 1)));
    world.register("reviews", "1.2.0", "a", nobody.clone()).await;
    let digest = Digest::of(bytes("reviews", "1.2.0"));
    assert_eq!(world.bound("reviews", "1.2.0").await, digest);

    world.register("reviews", "1.3.0", "b", nobody.clone()).await;
    assert!(world.failed("reviews", "1.3.0").await.contains("1.3.0.binpb cannot be read"));
    std::fs::write(directory.path().join("1.4.0.binpb"), b"no descriptors").unwrap();
    world.register("reviews", "1.4.0", "c", nobody.clone()).await;
    assert!(world.failed("reviews", "1.4.0").await.contains("the descriptor set cannot be read"));

    world.policies.send_modify(|policies| {
        let unknown = SchemaPolicy::Digest(Digest::of(b"nothing"));
        policies.services.insert("reviews".parse().unwrap(), unknown);
    });
    let mut findings = world.findings.clone();
    let says = |findings: &std::sync::Arc<Findings>| {
        findings.values().all(|of| of.message.contains("is not stored")) && findings.len() == 2
    };
    timeout(SEEN, findings.wait_for(says)).await.unwrap().unwrap();
    world.policies.send_modify(|policies| {
        policies.services.insert("reviews".parse().unwrap(), SchemaPolicy::Digest(digest));
    });
    assert_eq!(world.bound("reviews", "1.3.0").await, digest);
    assert_eq!(world.bound("reviews", "1.4.0").await, digest);
    world.stop().await;
}
