//! What callers of a service see while it starts, serves and stops.

use std::time::Duration;

use tokio::time::{Instant, timeout};
use tonic::transport::Channel;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1, v1alpha};
use turnout_proto::registry::v1::ListRequest;
use turnout_proto::registry::v1::registry_client::RegistryClient;
use turnout_proto::registry::v1::registry_server::RegistryServer;
use turnout_service::{Error, Routes, Service};

use crate::world::{FakeRegistry, PATIENCE, Running, catalog, channel, eventually, run};

/// A registry, and a service in it whose `List` waits to be released.
struct World {
    registry: FakeRegistry,
    backend: FakeRegistry,
    running: Running,
    url: String,
}

async fn world(service: Service) -> World {
    let (registry, backend) = (FakeRegistry::default(), FakeRegistry::default());
    let address = registry.listen().await;
    let routes = Routes::new(RegistryServer::new(backend.clone()));
    let running = run(service, routes, &address);
    let url = registry.url_of_first().await;
    World { registry, backend, running, url }
}

async fn health(channel: Channel, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(channel).check(request).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn who_reads_the_registration_can_call_at_once() {
    let world = world(catalog()).await;
    let channel = channel(&world.url).await;
    assert_eq!(health(channel.clone(), "").await, ServingStatus::Serving);
    assert_eq!(health(channel.clone(), "turnout.registry.v1.Registry").await, ServingStatus::Serving);
    world.backend.release_list();
    let answer = RegistryClient::new(channel).list(ListRequest::default()).await.unwrap().into_inner();
    assert_eq!(answer.revision, 7);
    world.running.stopped().await;
}

#[tokio::test]
async fn a_health_service_of_the_author_does_not_panic() {
    let (_, own) = tonic_health::server::health_reporter();
    let registry = FakeRegistry::default();
    let running = run(catalog(), Routes::new(own), &registry.listen().await);
    let url = registry.url_of_first().await;
    assert_eq!(health(channel(&url).await, "turnout.registry.v1.Registry").await, ServingStatus::Serving);
    running.stopped().await;
}

#[tokio::test]
async fn a_service_that_is_not_there_is_unimplemented() {
    let registry = FakeRegistry::default();
    let running = run(catalog(), Routes::default(), &registry.listen().await);
    let channel = channel(&registry.url_of_first().await).await;
    let refused = RegistryClient::new(channel).list(ListRequest::default()).await.unwrap_err();
    assert_eq!(refused.code(), tonic::Code::Unimplemented);
    running.stopped().await;
}

#[tokio::test]
async fn reflection_answers_in_both_versions() {
    let world = world(catalog()).await;
    let channel = channel(&world.url).await;

    let ask = v1::server_reflection_request::MessageRequest::ListServices(String::new());
    let ask = v1::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let mut client = v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
    let mut answers = client.server_reflection_info(tokio_stream::iter([ask])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let v1::server_reflection_response::MessageResponse::ListServicesResponse(listed) = answer else {
        panic!("{answer:?}");
    };
    let names: Vec<&str> = listed.service.iter().map(|service| service.name.as_str()).collect();
    assert!(
        names.contains(&"turnout.registry.v1.Registry") && names.contains(&"grpc.health.v1.Health"),
        "{names:?}"
    );

    let symbol = "turnout.registry.v1.Registry".to_owned();
    let ask = v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(symbol);
    let ask = v1alpha::ServerReflectionRequest { host: String::new(), message_request: Some(ask) };
    let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(channel);
    let mut answers = client.server_reflection_info(tokio_stream::iter([ask])).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    assert!(
        matches!(answer, v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_)),
        "{answer:?}"
    );
    world.running.stopped().await;
}

#[tokio::test]
async fn a_stop_is_announced_and_noticed_before_the_service_leaves() {
    let world = world(catalog().linger(Duration::from_millis(500))).await;
    let request = HealthCheckRequest::default();
    let mut watch = HealthClient::new(channel(&world.url).await).watch(request).await.unwrap().into_inner();
    assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

    let start = Instant::now();
    world.running.stop.cancel();
    let noticed = timeout(PATIENCE, watch.message()).await.unwrap().unwrap().unwrap();
    assert_eq!(noticed.status(), ServingStatus::NotServing);
    eventually("draining is announced", async || {
        world.registry.with(|state| state.calls.contains(&"drain").then_some(()))
    })
    .await;
    // It lingers: new callers are still served, and it is still listed.
    assert_eq!(world.registry.with(|state| state.instances.len()), 1);
    world.backend.release_list();
    let late = RegistryClient::new(channel(&world.url).await).list(ListRequest::default()).await;
    assert_eq!(late.unwrap().into_inner().revision, 7);

    // The watch above is still open; it must not hold the service for its deadline.
    world.running.ended().await;
    assert!(start.elapsed() >= Duration::from_millis(500), "{:?}", start.elapsed());
    let calls = world.registry.with(|state| state.calls.clone());
    assert_eq!(calls[calls.len() - 2..], ["drain", "deregister"]);
}

#[tokio::test]
async fn calls_under_way_are_finished_after_leaving() {
    let world = world(catalog()).await;
    let mut client = RegistryClient::new(channel(&world.url).await);
    #[expect(clippy::disallowed_methods, reason = "joined below")]
    let call = tokio::spawn(async move { client.list(ListRequest::default()).await });
    eventually("the call has arrived", async || {
        world.backend.with(|state| state.calls.contains(&"list").then_some(()))
    })
    .await;
    world.running.stop.cancel();
    eventually("the service has left", async || {
        world.registry.with(|state| state.calls.contains(&"deregister").then_some(()))
    })
    .await;
    eventually("it has stopped accepting", async || {
        tokio::net::TcpStream::connect(world.url.trim_start_matches("grpc://")).await.err()
    })
    .await;
    assert!(world.running.is_running(), "a call is under way");
    world.backend.release_list();
    assert_eq!(call.await.unwrap().unwrap().into_inner().revision, 7);
    world.running.ended().await;
}

#[tokio::test]
async fn calls_that_do_not_end_are_cut_off_at_the_deadline() {
    let world = world(catalog().finish_within(Duration::from_millis(300))).await;
    let mut client = RegistryClient::new(channel(&world.url).await);
    #[expect(clippy::disallowed_methods, reason = "aborted below")]
    let call = tokio::spawn(async move { client.list(ListRequest::default()).await });
    eventually("the call has arrived", async || {
        world.backend.with(|state| state.calls.contains(&"list").then_some(()))
    })
    .await;
    let took = world.running.stopped().await;
    assert!(took >= Duration::from_millis(300) && took < Duration::from_secs(5), "{took:?}");
    call.abort();
}

#[tokio::test]
async fn mistakes_of_the_author_are_told_at_the_start() {
    let descriptors = turnout_proto::REGISTRY_DESCRIPTORS;
    let told = async |service: Service| {
        let url = "none".parse().unwrap();
        service.registry(url).serve(Routes::default()).await.unwrap_err()
    };
    assert!(matches!(told(Service::new("a b", "1.0.0", descriptors)).await, Error::Name { .. }));
    assert!(matches!(told(Service::new("a", "v1", descriptors)).await, Error::Version { .. }));
    assert!(matches!(told(Service::new("a", "1.0.0", b"\xff")).await, Error::Descriptors { .. }));
    assert!(matches!(told(catalog().weight(1001)).await, Error::Setting { setting: "weight", .. }));
    assert!(matches!(told(catalog().advertise("host:1")).await, Error::Setting { setting: "advertise", .. }));
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let service = catalog().listen(taken.local_addr().unwrap());
    assert!(matches!(told(service).await, Error::Listen { .. }));
}
