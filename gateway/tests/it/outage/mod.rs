//! What callers notice when something is restarted, killed, frozen or cut off: nothing, if anybody lives who
//! can answer them.
//!
//! Everything here is a process: gateways, services and the members of etcd. Callers ask all the time, and a
//! single answer with an error fails the test.

mod world;

use std::time::Duration;

use serde_json::Value;

use self::world::{Callers, Service, eventually, operate};
use crate::process::Turnout;

/// A query that only `math` answers.
const ADD: &str = "{ add(a: 2, b: 3) }";
/// Until what was started can be asked.
const SOON: Duration = Duration::from_secs(20);

/// The ids of the instances of a service, as the operators' API knows them.
fn instances(listed: &Value, service: &str) -> Vec<String> {
    let of = |row: &&Value| row["service"] == service;
    let rows = listed.as_array().into_iter().flatten().filter(of);
    let instances = rows.flat_map(|row| row["instances"].as_array().cloned().unwrap_or_default());
    instances.map(|instance| instance["id"].as_str().unwrap().to_owned()).collect()
}

async fn answers(public: &str) {
    eventually("the graph answers", SOON, async || operate(public, ADD).await.ok()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_are_replaced_one_by_one_without_a_failed_query() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Turnout::start("serve", data.path(), &[]);
    let mut services = vec![
        Service::start("math", "1.0.0", &gateway.admin, &[]),
        Service::start("math", "1.0.0", &gateway.admin, &[]),
    ];
    answers(&gateway.public).await;
    let callers = Callers::start(gateway.public.clone(), ADD, 100);
    for _ in 0..4 {
        services.push(Service::start("math", "1.0.0", &gateway.admin, &[]));
        let all = services.len();
        eventually("the newcomer is registered", SOON, async || {
            (instances(&gateway.services(), "math").len() == all).then_some(())
        })
        .await;
        services.remove(0).stop().await;
    }
    // The last one that is left is replaced too.
    services.remove(0).stop().await;
    services.push(Service::start("math", "1.0.0", &gateway.admin, &[]));
    eventually("the newcomer is registered", SOON, async || {
        (instances(&gateway.services(), "math").len() == 2).then_some(())
    })
    .await;
    services.remove(0).stop().await;
    callers.expect_no_failure("rolling restart of services").await;
}
