//! SIGTERM begins an orderly stop, and the next signal ends it.
//!
//! Signals are for a whole process, so this test is alone in its own.
#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::process::Command;
use std::time::Duration;

use tokio::time::timeout;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use turnout_service::{Registry, Routes, Service};

const PATIENCE: Duration = Duration::from_secs(10);

fn signal(name: &str) {
    let me = std::process::id().to_string();
    assert!(Command::new("kill").args(["-s", name, &me]).status().unwrap().success());
}

#[tokio::test]
async fn sigterm_drains_and_a_second_signal_stops_now() {
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    // A call that never ends by itself keeps the service for its deadline.
    let service = Service::new("catalog", "1.5.0", turnout_proto::REGISTRY_DESCRIPTORS)
        .listen(address)
        .registry(Registry::parse("none").unwrap())
        .finish_within(Duration::from_secs(600));
    let caller = async {
        let channel = loop {
            let endpoint = tonic::transport::Endpoint::from_shared(format!("http://{address}")).unwrap();
            match endpoint.connect().await {
                Ok(channel) => break channel,
                Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        };
        let (_questions, stream) = tokio::sync::mpsc::channel(1);
        let stream = tokio_stream::wrappers::ReceiverStream::new(stream);
        let mut reflection =
            tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient::new(channel.clone());
        let _open = reflection.server_reflection_info(stream).await.unwrap();
        let mut watch =
            HealthClient::new(channel).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
        assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::Serving);

        signal("TERM");
        assert_eq!(watch.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
        assert!(watch.message().await.unwrap().is_none(), "watching ends with the service");
        signal("INT");
        // Neither the questions nor their answers end before the service does.
        std::future::pending::<()>().await;
    };
    let ended = timeout(PATIENCE, async {
        tokio::select! {
            ended = service.serve(Routes::default()) => ended,
            () = caller => unreachable!("the caller waits for ever"),
        }
    });
    ended.await.expect("the second signal ends it").unwrap();
}
