//! What is stable stays until somebody has a better claim: versions that stand in, that come back, and the minute
//! after which a higher one may take over; and majors, each by itself.

use turnout_control::id::Version;
use turnout_control::routes::{Base, Tried};
use turnout_control::slot::Weight;

use super::gateways::{Cluster, Gateway};
use super::*;
use crate::reconcile::pass::Pass;
use crate::reconcile::report::{Standing, Verdict};

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

fn stands(pass: &Pass, version: &str) -> Standing {
    pass.standings[&("shop".parse().unwrap(), version.parse().unwrap())]
}

async fn start(cluster: &Cluster) -> Gateway {
    let mut gateway = cluster.gateway();
    gateway.hears(&cluster.instance("shop", "1.4.0", &of(&[NAME])).await);
    gateway.look(0).await;
    assert_eq!(gateway.members(), ["shop 1.4.0"]);
    gateway
}

#[tokio::test]
async fn a_first_version_is_stable_at_once_and_a_higher_one_waits() {
    let cluster = Cluster::start();
    let mut gateway = start(&cluster).await;
    assert_eq!(cluster.base("shop", 1), Some(Base::new("1.4.0".parse().unwrap())));
    gateway.hears(&cluster.instance("shop", "1.5.0", &of(&[NAME, SIZE])).await);
    let pass = gateway.look(1).await;
    assert_eq!(gateway.members(), ["shop 1.4.0"]);
    assert!(told(&pass, "1.5.0").is_empty() && pass.next.is_none());
    let [newcomer] = pass.newcomers.as_slice() else { panic!("{:?}", pass.newcomers) };
    assert_eq!((newcomer.stable.to_string(), newcomer.version.to_string()), ("1.4.0".into(), "1.5.0".into()));
    assert!(matches!(newcomer.verdict, Verdict::Fits(_)), "{:?}", newcomer.verdict);
    assert_eq!((stands(&pass, "1.4.0"), stands(&pass, "1.5.0")), (Standing::Stable, Standing::Waits));
    // It is the leader who gives it to anybody.
    cluster.decide("shop", &Base::new("1.5.0".parse().unwrap())).await;
    let pass = gateway.look(2).await;
    assert_eq!(gateway.members(), ["shop 1.5.0"]);
    assert!(pass.next.is_some() && pass.newcomers.is_empty());
    assert_eq!((stands(&pass, "1.4.0"), stands(&pass, "1.5.0")), (Standing::Idle, Standing::Stable));
    assert!(gateway.look(3).await.next.is_none());
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
    assert!(matches!(pass.newcomers[0].verdict, Verdict::Refused(_)));
    assert_eq!(stands(&pass, "1.5.0"), Standing::Refused);
    // It goes on, however long it runs, and for a gateway that starts anew.
    let pass = gateway.look(1000).await;
    assert_eq!((gateway.members(), pass.next.is_none()), (vec!["shop 1.4.0".into()], true));
    let mut restarted = cluster.gateway();
    restarted.hears(&newcomer);
    restarted.hears(&cluster.instance("shop", "1.4.0", &of(&[NAME])).await);
    restarted.look(0).await;
    assert_eq!(restarted.members(), ["shop 1.4.0"]);
    // A candidate that the gate refuses is given to nobody either, whatever is decided.
    let tried = Tried { version: "1.5.0".parse().unwrap(), weight: Weight::ALL, salt: "shop/1".to_owned() };
    let base = Base { candidate: Some(tried), ..Base::new("1.4.0".parse().unwrap()) };
    cluster.decide("shop", &base).await;
    let pass = gateway.look(1001).await;
    assert!(told(&pass, "1.5.0").contains(&"CANDIDATE_LEFT_OUT"), "{:?}", pass.findings);
    let routed = &gateway.seen(None)[0];
    assert_eq!((routed.policy.candidate(), &routed.tried), (None, &None));
}

#[tokio::test]
async fn a_higher_version_takes_over_when_nobody_has_run_the_other_for_a_minute() {
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
async fn stable_never_falls_to_what_is_being_tried() {
    let cluster = Cluster::start();
    let mut gateway = start(&cluster).await;
    let old = cluster.instance("shop", "1.4.0", &of(&[NAME])).await;
    gateway.hears(&cluster.instance("shop", "1.5.0", &of(&[NAME, SIZE])).await);
    let tried = |ppm| Tried {
        version: "1.5.0".parse().unwrap(),
        weight: Weight::ppm(ppm).unwrap(),
        salt: "shop/1".to_owned(),
    };
    let base = |ppm| Base { candidate: Some(tried(ppm)), ..Base::new("1.4.0".parse().unwrap()) };
    cluster.decide("shop", &base(10_000)).await;
    let pass = gateway.look(1).await;
    let routed = &gateway.seen(None)[0];
    assert_eq!(routed.tried.as_ref().map(|tried| tried.version.to_string()), Some("1.5.0".into()));
    assert_eq!(routed.policy.candidate().unwrap().weight.as_ppm(), 10_000);
    assert!(pass.next.is_some() && pass.compositions == 1, "the graph is shared");
    assert_eq!(stands(&pass, "1.5.0"), Standing::Candidate);
    gateway.misses(&old);
    for age_s in [2, 62, 1000] {
        gateway.look(age_s).await;
        assert_eq!(gateway.members(), ["shop 1.4.0"], "{age_s}");
    }
    // A rollout that gives it to nobody any more leaves it free to take over.
    cluster.decide("shop", &base(0)).await;
    gateway.look(1001).await;
    assert_eq!(gateway.members(), ["shop 1.5.0"]);
    assert_eq!(cluster.base("shop", 1).unwrap().candidate, None);
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
    gateway.look(1).await;
    assert_eq!((gateway.members(), cluster.base("shop", 2)), (vec!["shop 1.4.0".into()], None));
    // One that runs does, and then waits for its instances.
    gateway.hears(&stray);
    gateway.look(2).await;
    assert_eq!(gateway.members(), ["shop 2.0.0"]);
    gateway.misses(&stray);
    let pass = gateway.look(3).await;
    assert_eq!((gateway.members(), told(&pass, "2.0.0")), (vec!["shop 2.0.0".into()], vec!["NO_INSTANCE"]));
    assert_eq!(pass.again, Some(Duration::from_secs(60)));
    // But not for ever while the other major runs; it comes back with its first instance.
    let pass = gateway.look(63).await;
    assert_eq!(gateway.members(), ["shop 1.4.0"]);
    assert!(pass.findings.iter().any(|found| found.diagnostic.code == "MAJOR_NOT_RUN"));
    assert!(cluster.base("shop", 2).unwrap().vacant);
    gateway.hears(&stray);
    gateway.look(64).await;
    assert_eq!(gateway.members(), ["shop 2.0.0"]);
    assert!(!cluster.base("shop", 2).unwrap().vacant);
}

#[tokio::test]
async fn where_nobody_runs_everything_stays() {
    let cluster = Cluster::start();
    let mut gateway = start(&cluster).await;
    gateway.hears(&cluster.instance("shop", "2.0.0", &of(&[NAME, SIZE])).await);
    gateway.look(1).await;
    for version in ["1.4.0", "2.0.0"] {
        gateway.misses(&cluster.instance("shop", version, &of(&[NAME])).await);
    }
    for age_s in [2, 100, 1000] {
        let pass = gateway.look(age_s).await;
        assert_eq!((gateway.members(), pass.again), (vec!["shop 2.0.0".into()], None));
    }
}

/// The world that people start with begins with a rollout for each minor version, whichever starts first.
#[tokio::test]
async fn every_newer_version_of_the_demo_can_be_tried() {
    let mut versions: BTreeMap<(&str, u64), Vec<&str>> = BTreeMap::new();
    for (service, version) in turnout_samples::DEMO {
        let major = version.parse::<Version>().unwrap().semver().major;
        versions.entry((service, major)).or_default().push(version);
    }
    for ((service, _), versions) in versions.iter().filter(|(_, versions)| versions.len() > 1) {
        let cluster = Cluster::start();
        let mut gateway = cluster.gateway();
        for version in versions {
            let bytes = turnout_samples::descriptors(service, version).unwrap();
            gateway.hears(&cluster.instance(service, version, bytes).await);
            let pass = gateway.look(0).await;
            assert_eq!(gateway.members(), [format!("{service} {}", versions[0])], "{:?}", pass.findings);
            let verdicts: Vec<&Verdict> = pass.newcomers.iter().map(|newcomer| &newcomer.verdict).collect();
            assert!(verdicts.iter().all(|verdict| matches!(verdict, Verdict::Fits(_))), "{verdicts:?}");
        }
    }
}
