//! What serves stays until somebody has a better claim: the gate, majors that nobody runs, versions that stand
//! in, and the minute after which anybody may.

use super::gateways::{Cluster, Gateway};
use super::*;
use crate::reconcile::pass::Pass;

fn of(fields: &[(&str, i32, Type)]) -> Vec<u8> {
    finding("shop.v1", fields)
}

const NAME: (&str, i32, Type) = ("name", 1, Type::String);
const SIZE: (&str, i32, Type) = ("size", 2, Type::Int32);
/// The same field with other bytes: nothing that reads the one can read the other.
const COUNTED: (&str, i32, Type) = ("name", 1, Type::Int32);

/// What is told of a version, but of infos.
fn told(pass: &Pass, version: &str) -> Vec<&'static str> {
    let about = |finding: &&Finding| {
        finding.about.as_ref().is_some_and(|(_, of)| of.to_string() == version)
            && finding.diagnostic.severity > turnout_schema::Severity::Info
    };
    pass.findings.iter().filter(about).map(|finding| finding.diagnostic.code).collect()
}

async fn start(cluster: &Cluster) -> Gateway {
    let mut gateway = cluster.gateway();
    gateway.hears(&cluster.instance("shop", "1.4.0", &of(&[NAME])).await);
    gateway.look(0).await;
    assert_eq!(gateway.members(), ["shop 1.4.0"]);
    gateway
}

#[tokio::test]
async fn a_newcomer_that_can_stand_in_replaces() {
    let cluster = Cluster::start();
    let mut gateway = start(&cluster).await;
    gateway.hears(&cluster.instance("shop", "1.5.0", &of(&[NAME, SIZE])).await);
    let pass = gateway.look(1).await;
    assert_eq!(gateway.members(), ["shop 1.5.0"]);
    assert!(told(&pass, "1.5.0").is_empty() && pass.next.is_some());
    assert!(gateway.look(2).await.next.is_none());
}

#[tokio::test]
async fn a_newcomer_that_the_gate_refuses_changes_nothing() {
    let cluster = Cluster::start();
    let mut gateway = start(&cluster).await;
    let newcomer = cluster.instance("shop", "1.5.0", &of(&[COUNTED])).await;
    gateway.hears(&newcomer);
    let pass = gateway.look(1).await;
    assert_eq!(gateway.members(), ["shop 1.4.0"]);
    assert!(pass.next.is_none() && pass.compositions == 1);
    assert_eq!(told(&pass, "1.5.0"), ["FIELD_SAME_TYPE", "GATE_REFUSED"]);
    assert!(told(&pass, "1.4.0").is_empty());
    // It goes on, however long it runs, and for a gateway that starts anew.
    let pass = gateway.look(1000).await;
    assert_eq!((gateway.members(), pass.next.is_none()), (vec!["shop 1.4.0".into()], true));
    let mut restarted = cluster.gateway();
    restarted.hears(&newcomer);
    restarted.hears(&cluster.instance("shop", "1.4.0", &of(&[NAME])).await);
    restarted.look(0).await;
    assert_eq!(restarted.members(), ["shop 1.4.0"]);
    // A third version that can stand in replaces, past the refused one.
    gateway.hears(&cluster.instance("shop", "1.4.1", &of(&[NAME, SIZE])).await);
    let pass = gateway.look(1001).await;
    assert_eq!(gateway.members(), ["shop 1.4.1"]);
    assert_eq!(told(&pass, "1.5.0"), ["FIELD_SAME_TYPE", "GATE_REFUSED"]);
}

#[tokio::test]
async fn who_is_refused_takes_over_when_nobody_has_run_the_other_for_a_minute() {
    let cluster = Cluster::start();
    let mut gateway = start(&cluster).await;
    let old = cluster.instance("shop", "1.4.0", &of(&[NAME])).await;
    gateway.hears(&cluster.instance("shop", "1.5.0", &of(&[COUNTED])).await);
    gateway.look(1).await;
    gateway.misses(&old);
    let pass = gateway.look(10).await;
    assert_eq!(told(&pass, "1.4.0"), ["NO_INSTANCE"]);
    assert_eq!(pass.again, Some(Duration::from_secs(60)));
    // A restart of the old one begins the minute anew.
    gateway.hears(&old);
    gateway.look(50).await;
    gateway.misses(&old);
    gateway.look(60).await;
    let pass = gateway.look(119).await;
    assert_eq!((gateway.members(), pass.again), (vec!["shop 1.4.0".into()], Some(Duration::from_secs(1))));
    let pass = gateway.look(120).await;
    assert_eq!(gateway.members(), ["shop 1.5.0"]);
    assert!(told(&pass, "1.5.0").contains(&"GATE_OVERRIDDEN"), "{:?}", pass.findings);
    assert!(!told(&pass, "1.5.0").contains(&"GATE_REFUSED"), "{:?}", pass.findings);
    // The old one does not come back, and the new one's story is still told.
    gateway.hears(&old);
    let pass = gateway.look(121).await;
    assert_eq!(gateway.members(), ["shop 1.5.0"]);
    assert_eq!(told(&pass, "1.5.0"), ["GATE_OVERRIDDEN"]);
}

#[tokio::test]
async fn an_older_version_stands_in_at_once_and_gives_way_without_the_gate() {
    let cluster = Cluster::start();
    let mut gateway = cluster.gateway();
    let new = cluster.instance("shop", "1.5.0", &of(&[COUNTED])).await;
    let old = cluster.instance("shop", "1.4.0", &of(&[NAME])).await;
    gateway.hears(&new);
    gateway.hears(&old);
    gateway.look(0).await;
    assert_eq!(gateway.members(), ["shop 1.5.0"]);
    gateway.misses(&new);
    let pass = gateway.look(1).await;
    assert_eq!(gateway.members(), ["shop 1.4.0"]);
    assert_eq!(told(&pass, "1.4.0"), ["STANDS_IN"]);
    gateway.hears(&new);
    let pass = gateway.look(500).await;
    assert_eq!(gateway.members(), ["shop 1.5.0"]);
    assert!(told(&pass, "1.5.0").is_empty());
}

#[tokio::test]
async fn a_major_that_nobody_runs_displaces_nobody() {
    let cluster = Cluster::start();
    let mut gateway = start(&cluster).await;
    let stray = cluster.instance("shop", "2.0.0", &of(&[COUNTED])).await;
    gateway.hears(&stray);
    gateway.misses(&stray);
    let pass = gateway.look(1).await;
    assert_eq!(gateway.members(), ["shop 1.4.0"]);
    assert!(pass.findings.iter().any(|found| found.diagnostic.code == "MAJOR_NOT_RUN"));
    // One that runs does, and then waits for its instances.
    gateway.hears(&stray);
    gateway.look(2).await;
    assert_eq!(gateway.members(), ["shop 2.0.0"]);
    gateway.misses(&stray);
    let pass = gateway.look(3).await;
    assert_eq!((gateway.members(), told(&pass, "2.0.0")), (vec!["shop 2.0.0".into()], vec!["NO_INSTANCE"]));
    // But not for ever while the other major runs; it comes back with its first instance.
    let pass = gateway.look(63).await;
    assert_eq!((gateway.members(), told(&pass, "1.4.0")), (vec!["shop 1.4.0".into()], vec!["STANDS_IN"]));
    gateway.hears(&stray);
    gateway.look(64).await;
    assert_eq!(gateway.members(), ["shop 2.0.0"]);
}

#[tokio::test]
async fn where_nobody_runs_the_graph_stays() {
    let cluster = Cluster::start();
    let mut gateway = start(&cluster).await;
    gateway.hears(&cluster.instance("shop", "1.5.0", &of(&[NAME, SIZE])).await);
    gateway.look(1).await;
    for version in ["1.4.0", "1.5.0"] {
        gateway.misses(&cluster.instance("shop", version, &of(&[NAME])).await);
    }
    for age_s in [2, 100, 1000] {
        let pass = gateway.look(age_s).await;
        assert_eq!((gateway.members(), pass.again), (vec!["shop 1.5.0".into()], None));
    }
}

/// The world that people start with shows the same graph, whichever of its versions starts first.
#[tokio::test]
async fn the_demo_serves_its_highest_versions_in_any_order() {
    let mut highest: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (service, version) in turnout_samples::DEMO {
        highest.entry(service).or_default().push(version);
    }
    for (service, versions) in highest.iter().filter(|(_, versions)| versions.len() > 1) {
        let cluster = Cluster::start();
        let mut gateway = cluster.gateway();
        for version in versions {
            let bytes = turnout_samples::descriptors(service, version).unwrap();
            gateway.hears(&cluster.instance(service, version, bytes).await);
            let pass = gateway.look(0).await;
            assert_eq!(gateway.members(), [format!("{service} {version}")], "{:?}", pass.findings);
        }
    }
}
