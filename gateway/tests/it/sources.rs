//! Entries that other frameworks write into etcd: what of them is served, and what is not lost with etcd.

use std::path::Path;
use std::time::{Duration, Instant};

use bytes::Bytes;
use etcd_client::Client;
use http::Request;
use http_body_util::Full;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_stream::wrappers::TcpListenerStream;
use tokio_util::sync::CancellationToken;
use turnout::registry::{Changes, Hearing};
use turnout_control::registry::{Event, Presence, Registered};
use turnout_schema::Digest;

use crate::etcd::Etcd;
use crate::gateway::Gateway;

fn text(etcd: &Etcd, version: &str) -> String {
    let endpoints = etcd.endpoints().join(", ");
    let source = |layout: &str, more: &str| {
        format!("{{ layout: {layout}, endpoints: [{endpoints}], allow_loopback: true{more} }}")
    };
    format!(
        "registry:\n  sources:\n    kitex: {}\n    kratos: {}\n    zero: {}\nservices:\n  math: {{ version: 1.0.0, \
         expose: all }}\n  user.rpc: {{ version: {version} }}\n",
        source("kitex-etcd", ""),
        source("kratos-etcd", ""),
        source("gozero", ", services: [user.rpc]"),
    )
}

async fn start(data: &Path, text: &str) -> Gateway {
    std::fs::write(data.join("turnout.yaml"), text).unwrap();
    Gateway::start_from(data, &data.join("turnout.yaml")).await
}

fn find(gateway: &Gateway, service: &str, id: &str) -> Option<Registered> {
    let snapshot = gateway.app().registry().snapshot();
    snapshot.instance(&service.parse().unwrap(), &id.parse().unwrap()).cloned()
}

fn hearing(gateway: &Gateway, source: &str) -> Option<Hearing> {
    let sources = gateway.app().registry().hub.sources();
    let sources = sources.borrow();
    sources.get(&source.parse().unwrap()).map(|freshness| freshness.state.clone())
}

/// Waits until something holds; how long that took.
async fn until(what: &str, holds: impl AsyncFn() -> bool) -> Duration {
    let begun = Instant::now();
    while !holds().await {
        assert!(begun.elapsed() < Duration::from_secs(20), "waited in vain for {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    begun.elapsed()
}

async fn put(client: &mut Client, key: &str, value: &str) {
    client.put(key, value, None).await.unwrap();
}

/// The answer of the math service through the graph, if it is in the graph.
async fn sum(gateway: &Gateway) -> Option<i64> {
    let body = json!({ "query": "{ add(a: 2, b: 3) }" }).to_string();
    let request = Request::post(format!("{}/graphql", gateway.public()));
    let request = request.header("content-type", "application/json").header("accept", "application/json");
    let answer = gateway.send(request.body(Full::<Bytes>::from(body)).unwrap()).await;
    serde_json::from_slice::<serde_json::Value>(&answer.body).ok()?["data"]["add"].as_i64()
}

/// A service that registers nowhere.
async fn math(tasks: &mut JoinSet<()>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let stop = CancellationToken::new();
    let routes = turnout_samples::routes("math", "1.0.0", 1, &Default::default(), &stop).unwrap();
    tasks.spawn(async move {
        let _stop = stop;
        let server = tonic::transport::Server::builder().add_routes(routes);
        server.serve_with_incoming(TcpListenerStream::new(listener)).await.unwrap();
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn entries_of_other_frameworks_are_registered() {
    let Some(etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    let data = tempfile::tempdir().unwrap();
    let kitex = r#"{"network":"tcp","address":"127.0.0.1:8888","weight":20,"tags":{"cluster":"blue"}}"#;
    put(&mut client, "kitex/registry-etcd/math/127.0.0.1:8888", kitex).await;
    let gateway = start(data.path(), &text(&etcd, "1.1.0")).await;
    until("kitex", async || find(&gateway, "math", "127.0.0.1-8888").is_some()).await;
    let math = find(&gateway, "math", "127.0.0.1-8888").unwrap();
    assert_eq!((math.source.as_str(), math.instance.weight, math.presence), ("kitex", 200, Presence::Here));
    assert_eq!(math.instance.endpoints[0].url(), "grpc://127.0.0.1:8888");
    assert_eq!((math.instance.version.to_string().as_str(), math.ttl_s), ("1.0.0", 60));

    let kratos = r#"{"id":"a","name":"cart","version":"2.0.0","metadata":{"weight":"30"},
        "endpoints":["http://127.0.0.1:1","grpc://127.0.0.1:9000"]}"#;
    put(&mut client, "/microservices/cart/a", kratos).await;
    put(&mut client, "user.rpc/1", "127.0.0.1:8080").await;
    put(&mut client, "users.rpc/1", "127.0.0.1:8081").await;
    let shown = until("kratos and go-zero", async || {
        find(&gateway, "cart", "a").is_some() && find(&gateway, "user.rpc", "127.0.0.1-8080").is_some()
    });
    assert!(shown.await < Duration::from_secs(5));
    let cart = find(&gateway, "cart", "a").unwrap();
    assert_eq!((cart.source.as_str(), cart.instance.weight), ("kratos", 30));
    assert_eq!(cart.instance.endpoints[0].url(), "grpc://127.0.0.1:9000");
    assert!(find(&gateway, "users.rpc", "127.0.0.1-8081").is_none());
    for source in ["kitex", "kratos", "zero"] {
        until(source, async || hearing(&gateway, source) == Some(Hearing::Live)).await;
    }

    // It registers anew under another key, and the old one goes.
    let before = gateway.app().registry().snapshot().revision;
    put(&mut client, "user.rpc/2", "127.0.0.1:8080").await;
    client.delete("user.rpc/1", None).await.unwrap();
    put(&mut client, "/microservices/cart/last", kratos.replace("\"a\"", "\"last\"").as_str()).await;
    until("what was written last", async || find(&gateway, "cart", "last").is_some()).await;
    tokio::time::sleep(Duration::from_millis(1200)).await;
    let Changes::Events(changes) = gateway.app().registry().hub.after(before) else { panic!("forgotten") };
    let downs = changes.iter().filter(|(_, event)| matches!(event, Event::Down(..))).count();
    assert_eq!(downs, 0, "{changes:?}");
    assert_eq!(find(&gateway, "user.rpc", "127.0.0.1-8080").unwrap().presence, Presence::Here);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_garbage_values_are_counted_and_change_nothing() {
    let Some(etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    let data = tempfile::tempdir().unwrap();
    // Somebody is there: entries without a lease are tried, and who takes no connections is in doubt soon.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (id, good_key) = (address.replace(':', "-"), format!("kitex/registry-etcd/math/{address}"));
    let good = json!({ "network": "tcp", "address": address, "weight": 20 }).to_string();
    put(&mut client, &good_key, &good).await;
    let gateway = start(data.path(), &text(&etcd, "1.1.0")).await;
    until("the good one", async || find(&gateway, "math", &id).is_some()).await;
    let (before, revision) = (find(&gateway, "math", &id), gateway.app().registry().snapshot().revision);
    for number in 0..1000_u32 {
        let key = match number % 4 {
            0 => format!("kitex/registry-etcd/math/10.0.0.7:{number}"),
            1 => format!("kitex/registry-etcd/math/{number}/x/y"),
            2 => format!("kitex/registry-etcd/{}", "z".repeat(number as usize)),
            _ => format!("kitex/registry-etcd/math/\u{1b}[2J{number}"),
        };
        let value: Vec<u8> = (0..number % 300).map(|byte| (byte.wrapping_mul(number) % 251) as u8).collect();
        client.put(key, value, None).await.unwrap();
    }
    // The entry that is in the way of its own good version keeps that one.
    put(&mut client, &good_key, "{").await;
    let cart = json!({ "version": "1.0.0", "endpoints": [format!("grpc://{address}")] }).to_string();
    put(&mut client, "/microservices/cart/a", &cart).await;
    until("what was written last", async || {
        let sources = gateway.app().registry().hub.sources();
        let entries = sources.borrow().get(&"kitex".parse().unwrap()).map(|freshness| freshness.entries);
        entries == Some(1001) && find(&gateway, "cart", "a").is_some()
    })
    .await;
    assert_eq!(find(&gateway, "math", &id), before);
    let unreadable = gateway.app().registry().hub.unreadable();
    assert!((1..=1001).contains(&unreadable.len()), "{}", unreadable.len());
    assert!(
        unreadable.iter().all(|(source, _, found)| source.as_str() == "kitex" && found.message.len() < 3000)
    );
    assert_eq!(gateway.app().registry().snapshot().revision, revision + 1, "only the cart is news");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_without_etcd_serves_what_was_known() {
    let Some(mut etcd) = Etcd::one().await else { return };
    let (mut client, mut tasks) = (etcd.client().await, JoinSet::new());
    let data = tempfile::tempdir().unwrap();
    let address = math(&mut tasks).await;
    let value = json!({ "network": "tcp", "address": address, "weight": 10 }).to_string();
    put(&mut client, &format!("kitex/registry-etcd/math/{address}"), &value).await;
    let config = text(&etcd, "1.1.0");
    let gateway = start(data.path(), &config).await;
    let id = address.replace(':', "-");
    until("registration", async || find(&gateway, "math", &id).is_some()).await;
    let descriptors = turnout_samples::descriptors("math", "1.0.0").unwrap();
    let store = gateway.app().registry().store.clone();
    store.put_schema(Digest::of(descriptors), Bytes::from_static(descriptors)).await.unwrap();
    let (service, version) = ("math".parse().unwrap(), "1.0.0".parse().unwrap());
    store.bind(service, version, Digest::of(descriptors)).await.unwrap();
    drop(store);
    until("an answer", async || sum(&gateway).await == Some(5)).await;
    let before = find(&gateway, "math", &id);

    etcd.kill(0);
    gateway.stop().await;
    let begun = Instant::now();
    let gateway = start(data.path(), &config).await;
    until("an answer from what was kept", async || sum(&gateway).await == Some(5)).await;
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(find(&gateway, "math", &id), before);
    assert_eq!(hearing(&gateway, "kitex"), Some(Hearing::Starting));

    etcd.restart(0).await;
    let healed = until("etcd", async || hearing(&gateway, "kitex") == Some(Hearing::Live)).await;
    assert!(healed < Duration::from_secs(5), "{healed:?}");
    assert_eq!(find(&gateway, "math", &id), before);
    assert_eq!(sum(&gateway).await, Some(5));
    // Now etcd has the last word again.
    etcd.client().await.delete(format!("kitex/registry-etcd/math/{address}"), None).await.unwrap();
    until("the goodbye", async || find(&gateway, "math", &id).is_none()).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_policy_states_later_is_taken_up() {
    let Some(etcd) = Etcd::one().await else { return };
    let mut client = etcd.client().await;
    let data = tempfile::tempdir().unwrap();
    put(&mut client, "user.rpc/1", "127.0.0.1:8080").await;
    let stated = text(&etcd, "1.1.0");
    let gateway = start(data.path(), &stated.replace("{ version: 1.1.0 }", "{ timeout: 2s }")).await;
    until("the finding", async || {
        let unreadable = gateway.app().registry().hub.unreadable();
        unreadable.iter().any(|(_, key, found)| key == "user.rpc/1" && found.code == "VERSION_UNSTATED")
    })
    .await;
    assert!(find(&gateway, "user.rpc", "127.0.0.1-8080").is_none());
    std::fs::write(data.path().join("turnout.yaml"), &stated).unwrap();
    until("the instance", async || find(&gateway, "user.rpc", "127.0.0.1-8080").is_some()).await;
    assert!(gateway.app().registry().hub.unreadable().is_empty());
    gateway.stop().await;
}
