//! What was acknowledged is there after a restart, and what was refused is not.

use std::time::Duration;

use serde_json::json;
use turnout::clock::Clock;
use turnout::registry::audit::Audit;
use turnout::registry::embedded;
use turnout_control::audit::{self, Act};
use turnout_control::records::{Change, Key, Kind};

use crate::gateway::{Gateway, body, instance};

const SOON: Duration = Duration::from_secs(10);

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
    let taken = embedded::alone(data.path(), Clock::start(), Duration::ZERO).unwrap_err();
    assert!(taken.to_string().starts_with("another turnout uses the data directory"), "{taken}");
    first.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn foreign_records_between_entries_of_the_chain_do_not_hold_up_who_writes_to_it() {
    let data = tempfile::tempdir().unwrap();
    let registry = embedded::alone(data.path(), Clock::start(), Duration::from_secs(60)).unwrap();
    let act = Act {
        actor: "test".to_owned(),
        verb: "try".to_owned(),
        subject: "nothing".to_owned(),
        before: None,
        after: None,
        reason: "a test".to_owned(),
        inverse: String::new(),
    };
    let foreign = async |name: &str| {
        let writes = [(Key::new(Kind::Audit, name).unwrap(), Some(b"{}".to_vec().into()))].into();
        registry.store.change(Change { writes, ..Change::default() }).await.unwrap();
    };
    // One that begins at the start each time, as after a restart of the gateway.
    let write = async || {
        let audit = Audit::new(registry.store.clone(), Clock::start());
        let written = tokio::time::timeout(SOON, audit.change(Change::default(), act.clone())).await.unwrap();
        (written, audit.last(3).await.unwrap())
    };
    let names =
        ["00000000000000000000", "00000000000000000002x", "1", "x", "99999999999999999999"].into_iter();
    for (sequence, name) in (1..).zip(names) {
        foreign(name).await;
        let (written, last) = write().await;
        assert_eq!(written.unwrap().sequence, sequence);
        assert_eq!(last.last().unwrap().0, sequence);
        audit::verify(last.iter().map(|(at, record)| (*at, &*record.value))).unwrap();
    }
    foreign(audit::key(u64::MAX).name()).await;
    let (refused, _) = write().await;
    assert!(refused.is_err(), "{refused:?}");
}
