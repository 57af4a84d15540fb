//! What was acknowledged is there after a restart, and what was refused is not.

use serde_json::json;

use crate::gateway::{Gateway, body, instance};

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_registrations_leases_and_the_revision() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let lease = gateway.register("catalog", "a", "1.4.0").await;
    gateway.register("orders", "b", "2.1.0").await;
    let before = gateway.get("/registry/v1/services").await.json();
    gateway.stop().await;

    let gateway = Gateway::start(data.path()).await;
    assert_eq!(gateway.get("/registry/v1/services").await.json(), before);
    let beat = gateway.call(http::Method::POST, &format!("/registry/v1/leases/{lease}/keepalive"), "").await;
    assert_eq!(beat.json()["ttl"], 15);
    let other = gateway.store(&crate::gateway::shop("9.9.9")).await;
    let refused = gateway.put(&instance("catalog", "c"), body("1.4.0", &other).to_string()).await;
    assert_eq!(refused.json()["error"]["code"], "VERSION_BOUND");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tightening_the_allowed_networks_keeps_what_was_accepted() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    gateway.register("catalog", "a", "1.4.0").await;
    gateway.stop().await;
    let gateway = Gateway::start_with(data.path(), &[("registry.allow_cidrs", "10.0.0.0/8")]).await;
    assert_eq!(gateway.instances().await, ["catalog/a"]);
    let again = gateway
        .put(
            &instance("catalog", "b"),
            json!({ "version": "1.4.0", "endpoints": [
        { "url": "grpc://127.0.0.1:1" }] })
            .to_string(),
        )
        .await;
    assert_eq!(again.json()["error"]["mistakes"][0]["field"], "endpoints[0].url");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_never_share_a_data_directory() {
    let data = tempfile::tempdir().unwrap();
    let first = Gateway::start(data.path()).await;
    let clock = turnout::clock::Clock::start();
    let taken =
        turnout::registry::embedded::alone(data.path(), clock, std::time::Duration::ZERO).unwrap_err();
    assert!(taken.to_string().starts_with("another turnout uses the data directory"), "{taken}");
    first.stop().await;
}
