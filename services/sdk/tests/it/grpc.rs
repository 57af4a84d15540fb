//! The gRPC API: the same behaviour as over HTTP, on one stream of heartbeats per lease.

use turnout_service::{CancellationToken, Registry, Routes};

use crate::world::{FakeRegistry, Log, catalog, eventually, run};

impl FakeRegistry {
    async fn sees(&self, call: &str, times: usize) {
        eventually(&format!("{times} × {call}"), async || {
            let count = self.with(|state| state.calls.iter().filter(|each| **each == call).count());
            (count >= times).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_service_uploads_registers_beats_and_leaves() {
    let fake = FakeRegistry::default();
    let url = fake.listen().await;
    let stop = CancellationToken::new();
    let registry = Registry::parse(&url).unwrap().token("secret");
    let service = catalog().zone("a").meta("commit", "abc").registry(registry).stop_on(stop.clone());
    let seen = async {
        fake.sees("beat", 3).await;
        let instance = fake.with(|state| state.instances.values().next().cloned()).unwrap();
        stop.cancel();
        instance
    };
    let (ended, instance) = tokio::join!(service.serve(Routes::default()), seen);
    ended.unwrap();

    assert_eq!((instance.service.as_str(), instance.version.as_str()), ("catalog", "1.5.0"));
    assert_eq!(instance.endpoints[0].zone, "a");
    assert_eq!(instance.meta["commit"], "abc");
    assert_eq!(instance.weight, Some(100));
    fake.with(|state| {
        let digest = instance.schema.unwrap().digest;
        assert_eq!(state.schemas[&digest], turnout_proto::REGISTRY_DESCRIPTORS);
        assert!(state.instances.is_empty());
        assert!(state.tokens.iter().all(|each| each == "Bearer secret"));
        let calls: Vec<&str> = state.calls.iter().copied().filter(|call| *call != "beat").collect();
        assert_eq!(calls, ["has schema", "put schema", "register", "open", "drain", "deregister"]);
    });
}

#[tokio::test]
async fn a_lease_that_ended_is_replaced() {
    let fake = FakeRegistry::default();
    let url = fake.listen().await;
    let running = run(catalog(), Routes::default(), &url);
    fake.sees("beat", 1).await;
    fake.with(|state| state.leases.clear());
    fake.sees("register", 2).await;
    fake.sees("open", 2).await;
    running.stopped().await;
}

#[tokio::test]
async fn a_broken_stream_leads_to_a_new_registration() {
    let fake = FakeRegistry::default();
    let url = fake.listen().await;
    let running = run(catalog(), Routes::default(), &url);
    fake.sees("beat", 1).await;
    fake.with(|state| state.broken = true);
    fake.sees("register", 2).await;
    fake.with(|state| state.broken = false);
    let before = fake.with(|state| state.calls.len());
    eventually("it beats on a new stream", async || {
        fake.with(|state| state.calls[before..].ends_with(&["beat", "beat"]).then_some(()))
    })
    .await;
    running.stopped().await;
}

#[tokio::test]
async fn a_refusal_is_explained_by_its_details() {
    let log = Log::capture();
    let fake = FakeRegistry::default();
    fake.with(|state| state.refuse = true);
    let url = fake.listen().await;
    let running = run(catalog(), Routes::default(), &url);
    log.says(
        "the registry refused catalog 1.5.0: VERSION_BOUND: 1.5.0 is bound to other descriptors \
         — what helps: give the build a new version",
    )
    .await;
    running.stopped().await;
}
