//! What each frontend sees by its pins and policies, which graphs are shared, and what keeps a newcomer out.

use turnout_control::frontend::{self, Document, Frontend, Lifecycle, Pin, Published};
use turnout_control::id::{Timestamp, Version};
use turnout_control::policy::{Arm, Health};
use turnout_control::routes::{Base, Own, Place, Scope, Tried, write_own};
use turnout_control::slot::{Unit, UnitKind, Weight};

use super::gateways::{Cluster, Gateway};
use super::*;
use crate::reconcile::pass::Pass;
use crate::reconcile::report::Verdict;

/// A frontend that is published with these pins, each as `service range` or `service range?` for an optional
/// one, and these operations.
async fn publish(cluster: &Cluster, id: &str, pins: &[&str], operations: &[&str]) {
    let pin = |pin: &&str| {
        let (service, range) = pin.split_once(' ').unwrap();
        let optional = range.ends_with('?');
        let range = range.trim_end_matches('?').parse().unwrap();
        (service.parse().unwrap(), Pin { range, optional })
    };
    let frontend = Frontend {
        id: id.parse().unwrap(),
        state: Lifecycle::Active,
        pins: pins.iter().map(pin).collect(),
        caps: BTreeMap::new(),
    };
    publish_as(cluster, frontend, operations).await;
}

async fn publish_as(cluster: &Cluster, frontend: Frontend, operations: &[&str]) {
    let document = |(at, text): (usize, &&str)| Document { id: format!("Op{at}"), text: (*text).to_owned() };
    let documents = operations.iter().enumerate().map(document).collect();
    let key = frontend::key(&frontend.id);
    let published = Published { frontend, documents, at: Timestamp(1) };
    cluster.put(key, frontend::write(&published)).await;
}

/// A service of this text, without what begins every file.
fn proto(package: &str, text: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("syntax = \"proto3\";\npackage {package};\n{text}");
    std::fs::write(directory.path().join("service.proto"), text).unwrap();
    let mut compiler = protox::Compiler::new([directory.path()]).unwrap();
    compiler.include_imports(true).open_file("service.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

fn routes(gateway: &Gateway, frontend: Option<&str>) -> Vec<String> {
    let seen = gateway.seen(frontend).into_iter();
    seen.map(|routed| {
        let tried = routed.tried.map(|tried| format!(" and {}", tried.version)).unwrap_or_default();
        format!("{} {}{tried}", routed.stable.service, routed.stable.version)
    })
    .collect()
}

fn codes_of(pass: &Pass, frontend: Option<&str>) -> Vec<&'static str> {
    let of = |finding: &&Finding| {
        finding.frontend.as_ref().map(ToString::to_string).as_deref() == frontend
            && finding.diagnostic.severity > turnout_schema::Severity::Info
    };
    pass.findings.iter().filter(of).map(|finding| finding.diagnostic.code).collect()
}

fn tried(version: &str, ppm: u32) -> Tried {
    Tried {
        version: version.parse().unwrap(),
        weight: Weight::ppm(ppm).unwrap(),
        salt: "shop/1/1.5.0".to_owned(),
    }
}

fn base(stable: &str, candidate: Option<Tried>) -> Base {
    Base { candidate, ..Base::new(stable.parse().unwrap()) }
}

/// A gateway that hears `shop` in these versions, each with the same descriptors.
async fn shop(cluster: &Cluster, versions: &[&str]) -> Gateway {
    let mut gateway = cluster.gateway();
    let bytes = finding("shop.v1", &[("name", 1, Type::String)]);
    for version in versions {
        gateway.hears(&cluster.instance("shop", version, &bytes).await);
        gateway.look(0).await;
    }
    gateway
}

#[tokio::test]
async fn scenario_04_a_weight_is_each_frontends_own() {
    let cluster = Cluster::start();
    let mut gateway = shop(&cluster, &["1.4.0", "1.5.0"]).await;
    for (id, cap) in [("web@11.0.0", Weight::NONE), ("web@12.0.0", Weight::ALL)] {
        let frontend = Frontend {
            id: id.parse().unwrap(),
            state: Lifecycle::Active,
            pins: [("shop".parse().unwrap(), Pin { range: "^1.4".parse().unwrap(), optional: false })].into(),
            caps: [("shop".parse().unwrap(), cap)].into(),
        };
        publish_as(&cluster, frontend, &[]).await;
    }
    cluster.decide("shop", &base("1.4.0", Some(tried("1.5.0", 300_000)))).await;
    let before = gateway.look(1).await;
    let share = |frontend: &str| {
        let routed = gateway.seen(Some(frontend)).remove(0);
        let tried = (0..20_000).filter(|id: &u32| {
            let unit = Unit::new(UnitKind::User, &id.to_string()).unwrap();
            routed.policy.choose(Some(&unit), &|_| Health::Serves).arm == Arm::Candidate
        });
        tried.count()
    };
    assert_eq!(share("web@11.0.0"), 0);
    assert!((5_800..=6_200).contains(&share("web@12.0.0")), "{}", share("web@12.0.0"));
    // Both see the same versions, and so does who pins nothing: one graph, that no weight makes anew.
    assert_eq!(before.compositions, 1);
    cluster.decide("shop", &base("1.4.0", Some(tried("1.5.0", 500_000)))).await;
    let after = gateway.look(2).await;
    let next = after.next.unwrap();
    assert_eq!((next.sights.len(), after.compositions), (3, 1));
    assert!(next.sights.iter().all(|sight| sight.graph == next.sights[0].graph));
}

#[tokio::test]
async fn scenario_14_what_would_break_is_kept_out_by_the_id_of_its_rule() {
    const SAFE: &str = "option idempotency_level = NO_SIDE_EFFECTS;";
    let text = |rpcs: &str, fields: &str| {
        format!(
            "service ShopService {{ {rpcs} }}\nmessage GetItemRequest {{ string id = 1; }}\n\
             message Item {{ {fields} }}\nmessage ListItemsRequest {{}}\n\
             message ListItemsResponse {{ repeated Item items = 1; }}\n"
        )
    };
    let get = format!("rpc GetItem(GetItemRequest) returns (Item) {{ {SAFE} }}");
    let list = format!("rpc ListItems(ListItemsRequest) returns (ListItemsResponse) {{ {SAFE} }}");
    let both = format!("{get} {list}");
    let fields = "reserved 7; string id = 1; string name = 2; int32 size = 3; string note = 4;";
    let cluster = Cluster::start();
    let mut gateway = cluster.gateway();
    gateway.hears(&cluster.instance("shop", "1.0.0", &proto("shop.v1", &text(&both, fields))).await);
    gateway.look(0).await;
    // What it sends is what the graph offers.
    publish(&cluster, "web@2.4.1", &["shop ^1"], &["query Home { item(id: 1) { name size } }"]).await;
    gateway.look(1).await;
    let sent = gateway.seen(Some("web@2.4.1"));
    assert_eq!(sent.len(), 1);
    let unsafe_get = "rpc GetItem(GetItemRequest) returns (Item);";
    for (at, (rpcs, fields, rule)) in [
        (list.clone(), fields.to_owned(), Some("RPC_NO_DELETE")),
        (both.clone(), fields.replace("string name", "string title"), Some("FIELD_SAME_NAME")),
        (format!("{unsafe_get} {list}"), fields.to_owned(), Some("RPC_SAME_IDEMPOTENCY_LEVEL")),
        (both.clone(), fields.replace("int32 size", "uint32 size"), Some("FIELD_SAME_TYPE")),
        // Used by the frontend's operation, so taking it away blocks.
        (
            both.clone(),
            fields.replace("string name = 2;", "reserved 2; reserved \"name\";"),
            Some("FIELD_NO_DELETE"),
        ),
        // Used by nobody.
        (both.clone(), fields.replace("string note = 4;", "reserved 4; reserved \"note\";"), None),
    ]
    .into_iter()
    .enumerate()
    {
        let version = format!("1.{}.0", at + 1);
        let newcomer = cluster.instance("shop", &version, &proto("shop.v1", &text(&rpcs, &fields))).await;
        gateway.hears(&newcomer);
        let pass = gateway.look(2).await;
        let told = pass.newcomers.iter().find(|of| of.version.to_string() == version).unwrap();
        let (refused, told) = match &told.verdict {
            Verdict::Refused(told) => (true, told),
            Verdict::Fits(told) => (false, told),
            Verdict::Unknown(why) => panic!("{version}: {why}"),
        };
        assert_eq!(refused, rule.is_some(), "{version}: {told:?}");
        let codes: Vec<&str> = told.iter().map(|of| of.code).collect();
        assert!(codes.contains(&rule.unwrap_or("FIELD_NO_DELETE")), "{version}: {codes:?}");
        if rule == Some("FIELD_NO_DELETE") {
            let broken = told.iter().find(|of| of.code == "OPERATION_BREAKS").unwrap();
            assert!(broken.message.contains("web@2.4.1 Op0"), "{broken}");
        }
        assert_eq!(gateway.members(), ["shop 1.0.0"]);
        gateway.misses(&newcomer);
    }
}

#[tokio::test]
async fn scenario_24_a_pin_that_matches_nothing_costs_that_service_and_is_told() {
    let cluster = Cluster::start();
    let mut gateway = shop(&cluster, &["1.4.0"]).await;
    gateway
        .hears(&cluster.instance("math", "1.0.0", &finding("math.v1", &[("name", 1, Type::String)])).await);
    publish(&cluster, "web@1.0.0", &["shop ^3", "math ^1"], &[]).await;
    publish(&cluster, "web@2.0.0", &["shop ^1", "math ^2?", "absent ^1?"], &[]).await;
    publish(&cluster, "lost@1.0.0", &["absent ^1"], &[]).await;
    let pass = gateway.look(1).await;
    assert_eq!(routes(&gateway, None), ["math 1.0.0", "shop 1.4.0"]);
    assert_eq!(codes_of(&pass, Some("lost@1.0.0")), ["BROKEN_PINS"], "it sees nothing at all");
    assert_eq!(routes(&gateway, Some("web@1.0.0")), ["math 1.0.0"]);
    assert_eq!(routes(&gateway, Some("web@2.0.0")), ["shop 1.4.0"]);
    assert_eq!(codes_of(&pass, Some("web@1.0.0")), ["BROKEN_PINS"]);
    assert!(codes_of(&pass, Some("web@2.0.0")).is_empty(), "{:?}", pass.findings);
    let next = pass.next.unwrap();
    let of = |id: &str| next.sights.iter().find(|of| of.frontend == Some(id.parse().unwrap())).unwrap();
    let why = of("web@1.0.0").unrouted[&"shop".parse::<ServiceName>().unwrap()].to_string();
    assert_eq!(why, "no version satisfies its pin ^3");
    assert_eq!(of("web@2.0.0").unrouted.len(), 2);
}

#[tokio::test]
async fn a_pin_that_demands_what_is_tried_gets_it_for_good() {
    let cluster = Cluster::start();
    let mut gateway = shop(&cluster, &["1.4.0", "1.5.0", "1.6.0"]).await;
    cluster.decide("shop", &base("1.4.0", Some(tried("1.6.0", 10_000)))).await;
    publish(&cluster, "web@1.0.0", &["shop ^1.6"], &[]).await;
    publish(&cluster, "web@2.0.0", &["shop =1.4.0"], &[]).await;
    publish(&cluster, "web@3.0.0", &["shop ^1"], &[]).await;
    gateway.look(1).await;
    assert_eq!(routes(&gateway, Some("web@1.0.0")), ["shop 1.6.0"]);
    assert_eq!(routes(&gateway, Some("web@2.0.0")), ["shop 1.4.0"]);
    assert_eq!(routes(&gateway, Some("web@3.0.0")), ["shop 1.4.0 and 1.6.0"]);
    // A retired frontend sees nothing.
    let frontend = Frontend {
        id: "web@3.0.0".parse().unwrap(),
        state: Lifecycle::Retired,
        pins: BTreeMap::new(),
        caps: BTreeMap::new(),
    };
    publish_as(&cluster, frontend, &[]).await;
    gateway.look(2).await;
    assert!(gateway.composer.lock().unwrap().sight(Some(&"web@3.0.0".parse().unwrap())).is_none());
}

#[tokio::test]
async fn calls_of_a_frontend_with_its_own_stable_version_count_for_the_rollout_of_everybody() {
    let cluster = Cluster::start();
    let mut gateway = shop(&cluster, &["1.3.0", "1.4.0", "1.5.0"]).await;
    cluster.decide("shop", &base("1.4.0", Some(tried("1.5.0", 300_000)))).await;
    publish(&cluster, "web@1.0.0", &["shop ^1"], &[]).await;
    let own = Own { stable: Some("1.3.0".parse().unwrap()), ..Own::default() };
    let scope = Scope::Frontend("web@1.0.0".parse().unwrap());
    let place = Place { scope, service: "shop".parse().unwrap(), major: 1 };
    cluster.put(place.key(), write_own(&own)).await;
    gateway.look(1).await;
    assert_eq!(routes(&gateway, Some("web@1.0.0")), ["shop 1.3.0 and 1.5.0"]);
    for frontend in [None, Some("web@1.0.0")] {
        assert_eq!(gateway.seen(frontend).remove(0).promised.to_string(), "1.4.0");
    }
}

#[tokio::test]
async fn a_pin_that_demands_what_was_not_promoted_gets_what_runs() {
    let cluster = Cluster::start();
    let mut gateway = shop(&cluster, &["1.4.0", "1.5.0"]).await;
    let bytes = finding("shop.v1", &[("name", 1, Type::String)]);
    let short_lived = cluster.instance("shop", "1.5.1", &bytes).await;
    gateway.hears(&short_lived);
    cluster.decide("shop", &base("1.4.0", Some(tried("1.5.1", 10_000)))).await;
    publish(&cluster, "web@1.0.0", &["shop ^1.5"], &[]).await;
    publish(&cluster, "web@2.0.0", &["shop ^1.5.1"], &[]).await;
    gateway.look(1).await;
    assert_eq!(routes(&gateway, Some("web@1.0.0")), ["shop 1.5.0 and 1.5.1"]);
    assert_eq!(routes(&gateway, Some("web@2.0.0")), ["shop 1.5.1"]);
    gateway.misses(&short_lived);
    cluster.decide("shop", &base("1.4.0", None)).await;
    gateway.look(2).await;
    assert_eq!(routes(&gateway, Some("web@1.0.0")), ["shop 1.5.0"]);
    // Nothing else would do for this one, which waits for it to run again.
    assert_eq!(routes(&gateway, Some("web@2.0.0")), ["shop 1.5.1"]);
}

/// Both majors call their messages alike. Each has the plain names where it stands alone, for every gateway, and
/// one does not take them from the other at each look.
#[tokio::test]
async fn two_majors_of_a_service_compose_side_by_side_under_the_same_names() {
    let cluster = Cluster::start();
    let mut gateways = [cluster.gateway(), cluster.gateway()];
    publish(&cluster, "old@1.0.0", &["users ^1", "orders ^2"], &[]).await;
    publish(&cluster, "new@1.0.0", &["users ^2", "orders ^2"], &[]).await;
    let mut up = Vec::new();
    for (service, version) in [("users", "1.8.0"), ("orders", "2.1.0"), ("users", "2.0.0")] {
        let bytes = turnout_samples::descriptors(service, version).unwrap();
        up.push(cluster.instance(service, version, bytes).await);
    }
    // They hear of them in other orders.
    for one in &up {
        gateways[0].hears(one);
        gateways[0].look(0).await;
    }
    for one in up.iter().rev() {
        gateways[1].hears(one);
        gateways[1].look(0).await;
    }
    for round in 1..4 {
        for gateway in &mut gateways {
            gateway.look(round).await;
        }
    }
    let settled: Vec<u64> =
        vec![gateways[0].look(4).await.compositions, gateways[1].look(4).await.compositions];
    let written = cluster.store_revision();
    for gateway in &mut gateways {
        assert!(gateway.look(5).await.next.is_none());
    }
    assert_eq!(cluster.store_revision(), written);
    let digests = |gateway: &Gateway, frontend: &str| {
        let composer = gateway.composer.lock().unwrap();
        let sight = composer.sight(Some(&frontend.parse().unwrap())).unwrap();
        let graph = sight.graph.0.supergraph();
        assert!(graph.types.contains_key("User"), "{frontend}: {:?}", graph.types.keys());
        (graph.digest, routes_of(&sight.routes))
    };
    let old: Vec<_> = gateways.iter().map(|gateway| digests(gateway, "old@1.0.0")).collect();
    let new: Vec<_> = gateways.iter().map(|gateway| digests(gateway, "new@1.0.0")).collect();
    assert_eq!((&old[0], &new[0]), (&old[1], &new[1]));
    assert_eq!(old[0].1, ["orders 2.1.0", "users 1.8.0"]);
    assert_eq!(new[0].1, ["orders 2.1.0", "users 2.0.0"]);
    assert_ne!(old[0].0, new[0].0);
    // A restart finds them so.
    let mut restarted = cluster.gateway();
    up.iter().for_each(|one| restarted.hears(one));
    restarted.look(6).await;
    assert_eq!(
        (digests(&restarted, "old@1.0.0"), digests(&restarted, "new@1.0.0")),
        (old[0].clone(), new[0].clone())
    );
    assert_eq!(cluster.store_revision(), written);
    assert!(settled.iter().all(|compositions| *compositions < 16), "{settled:?}");
}

fn routes_of(routes: &[crate::reconcile::views::Routed]) -> Vec<String> {
    routes.iter().map(|routed| format!("{} {}", routed.stable.service, routed.stable.version)).collect()
}

/// A frontend of an older major is not served by the newer one, and no newcomer of the one is held against it.
#[tokio::test]
async fn each_major_has_its_own_stable_version() {
    let cluster = Cluster::start();
    let mut gateway = shop(&cluster, &["1.4.0", "2.0.0"]).await;
    publish(&cluster, "old@1.0.0", &["shop ^1"], &[]).await;
    gateway.look(1).await;
    assert_eq!(
        (routes(&gateway, None), routes(&gateway, Some("old@1.0.0"))),
        (vec!["shop 2.0.0".into()], vec!["shop 1.4.0".into()])
    );
    let bytes = finding("shop.v1", &[("name", 1, Type::Int32)]);
    gateway.hears(&cluster.instance("shop", "1.5.0", &bytes).await);
    let pass = gateway.look(2).await;
    let stables: Vec<(Version, u64)> =
        pass.newcomers.iter().map(|newcomer| (newcomer.stable.clone(), newcomer.major)).collect();
    assert_eq!(stables, [("1.4.0".parse().unwrap(), 1)]);
    assert!(matches!(pass.newcomers[0].verdict, Verdict::Refused(_)));
}

#[tokio::test]
async fn a_frontend_is_warmed_with_what_it_was_published_with() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    world.up("users", "2.0.0", "b").await;
    let before = world.until(|report| report.members.len() == 2).await;
    let frontend = Frontend {
        id: "web@1.0.0".parse().unwrap(),
        state: Lifecycle::Active,
        pins: [("catalog".parse().unwrap(), Pin { range: "^1".parse().unwrap(), optional: false })].into(),
        caps: BTreeMap::new(),
    };
    let key = frontend::key(&frontend.id);
    let documents = vec![Document { id: "Home".to_owned(), text: "{ __typename }".to_owned() }];
    world.put(key, frontend::write(&Published { frontend, documents, at: Timestamp(1) })).await;
    world.until(|report| report.generation > before.generation).await;
    let generation = world.generation();
    let view = generation.view(Some(&"web@1.0.0".parse().unwrap())).unwrap();
    assert!(!Arc::ptr_eq(&view.graph, &generation.view(None).unwrap().graph));
    assert_eq!((view.graph.plans(), generation.frontends.published.len()), (1, 1));
    world.stop().await;
}
