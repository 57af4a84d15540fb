//! Watchers hear every change once, in order, over a long poll and over a stream.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use turnout_proto::registry::v1::registry_client::RegistryClient;
use turnout_proto::registry::v1::watch_response::Change;
use turnout_proto::registry::v1::{WatchRequest, WatchResponse};

use crate::gateway::{Gateway, instance};

fn events(answer: &Value) -> Vec<String> {
    let tell = |event: &Value| match event["type"].as_str().unwrap() {
        "up" => format!("up {}", event["instance"]["id"].as_str().unwrap()),
        kind => format!("{kind} {} {}", event["id"].as_str().unwrap(), event["why"].as_str().unwrap()),
    };
    answer["events"].as_array().unwrap().iter().map(tell).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_poll_answers_with_what_changed() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let lease = gateway.register("catalog", "a", "1.4.0").await;
    let start = gateway.get("/registry/v1/watch").await.json();
    assert_eq!((start["reset"].clone(), events(&start)), (json!(true), vec!["up a".to_owned()]));
    let cursor = start["cursor"].as_u64().unwrap();

    let quiet = gateway.get(&format!("/registry/v1/watch?cursor={cursor}&wait=0")).await.json();
    assert_eq!(quiet, json!({ "cursor": cursor, "reset": false, "events": [] }));

    let path = format!("/registry/v1/watch?cursor={cursor}&wait=30");
    let (heard, ()) = tokio::join!(gateway.get(&path), async {
        gateway.register("orders", "b", "2.1.0").await;
    });
    assert_eq!(events(&heard.json()), ["up b"]);
    gateway.call(Method::DELETE, &format!("{}?lease={lease}", instance("catalog", "a")), "").await;
    let both = gateway.get(&path).await.json();
    // Its last word is that it drains.
    assert_eq!(events(&both), ["up b", "up a", "down a deregistered"]);
    let late = gateway.get("/registry/v1/watch?cursor=999&wait=30").await.json();
    assert_eq!((late["reset"].clone(), events(&late)), (json!(true), vec!["up b".to_owned()]));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_begins_with_everything_and_ends_with_the_gateway() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let mut client = RegistryClient::connect(gateway.admin()).await.unwrap();
    let mut stream = client.watch(WatchRequest { after_revision: 0 }).await.unwrap().into_inner();
    let first = stream.message().await.unwrap().unwrap();
    assert!(matches!(first.change, Some(Change::Snapshot(snapshot)) if snapshot.instances.is_empty()));
    gateway.register("catalog", "a", "1.4.0").await;
    let WatchResponse { change, revision } = stream.message().await.unwrap().unwrap();
    assert!(matches!(change, Some(Change::Up(instance)) if instance.id == "a"));
    assert_eq!(revision, 1);
    let stopped = tokio::time::timeout(Duration::from_secs(10), gateway.stop());
    let (ended, stopped) = tokio::join!(stream.message(), stopped);
    assert!(ended.is_err() || ended.unwrap().is_none());
    stopped.expect("a watcher does not hold up the end");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_without_heartbeats_becomes_suspect_and_goes() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start_with(data.path(), &[("registry.ttl", "5s")]).await;
    gateway.register("catalog", "a", "1.4.0").await;
    let suspect = gateway.get("/registry/v1/watch?cursor=1&wait=30").await.json();
    assert_eq!(suspect["events"][0]["instance"]["state"], "suspect");
    let gone = gateway.get("/registry/v1/watch?cursor=2&wait=30").await.json();
    assert_eq!(events(&gone), ["down a expired"]);
    let listed = gateway.get("/registry/v1/services").await.json();
    assert_eq!(listed["services"][0]["versions"][0]["version"], "1.4.0", "the version stays");
    gateway.stop().await;
}
