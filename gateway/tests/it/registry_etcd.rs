//! Gateways that share an etcd, through their public doors.

use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::etcd::Etcd;
use crate::fault_server::{Answer, Fault, Server, descriptors};
use crate::gateway::{Gateway, instance};

/// A healthy service.
const OK: Fault = Fault::Answer(Answer::Ok);

async fn gateway(etcd: &Etcd, data: &TempDir) -> Gateway {
    let endpoints = etcd.endpoints().join(",");
    let settings = [("registry.kind", "etcd"), ("registry.endpoints", endpoints.as_str()), ("expose", "all")];
    Gateway::start_with(data.path(), &settings).await
}

async fn ask(gateway: &Gateway, document: &str) -> Value {
    let body = Bytes::from(json!({ "query": document }).to_string());
    let request =
        Request::post(format!("{}/graphql", gateway.public())).header("content-type", "application/json");
    gateway.send(request.body(Full::new(body)).unwrap()).await.json()
}

async fn until_answered(gateway: &Gateway, document: &str) -> Duration {
    let started = Instant::now();
    loop {
        let answer = ask(gateway, document).await;
        if answer["errors"].is_null() && !answer["data"].is_null() {
            return started.elapsed();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "{answer}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_registers_at_one_gateway_is_served_by_the_other() {
    let Some(mut etcd) = Etcd::one().await else { return };
    let data = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (left, right) = (gateway(&etcd, &data[0]).await, gateway(&etcd, &data[1]).await);
    let server = Server::start(OK);
    let digest = left.store(&descriptors(OK)).await;
    let body = json!({
        "version": "1.0.0",
        "endpoints": [{ "url": server.url() }],
        "schema": { "digest": digest },
    });
    let path = format!("{}?ttl=300", instance(&OK.service(), "a"));
    let answer = left.put(&path, body.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let document = format!("{{ {} {{ name }} }}", OK.query());
    println!("served by the other gateway after {:?}", until_answered(&right, &document).await);
    until_answered(&left, &document).await;

    // etcd is away: both go on serving, and registering says so in time.
    etcd.kill(0);
    for gateway in [&left, &right] {
        assert!(ask(gateway, &document).await["errors"].is_null());
    }
    let started = Instant::now();
    let refused = left.put(&path, body.to_string()).await;
    assert_eq!(refused.status, StatusCode::SERVICE_UNAVAILABLE, "{}", refused.text());
    assert!(started.elapsed() < Duration::from_secs(4));
    etcd.restart(0).await;
    let again = left.put(&path, body.to_string()).await;
    assert_eq!(again.status, StatusCode::OK, "{}", again.text());
    assert_eq!(again.json()["lease"], answer.json()["lease"]);

    // A gateway that starts anew finds everything in etcd.
    left.stop().await;
    let left = gateway(&etcd, &data[0]).await;
    println!("served by a new gateway after {:?}", until_answered(&left, &document).await);
    left.stop().await;
    right.stop().await;
}
