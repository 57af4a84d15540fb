//! What a preview tells of a version before it is registered, and that it changes nothing.

use bytes::Bytes;
use turnout_control::frontend::{self, Document, Frontend, Lifecycle, Pin, Published};
use turnout_control::id::Timestamp;

use super::*;
use crate::reconcile::preview::{Affected, Asked, Error, Preview};

const NAME: (&str, i32, Type) = ("name", 1, Type::String);
const SIZE: (&str, i32, Type) = ("size", 2, Type::Int32);

/// A gateway that serves `plain` 1.4.0, opened to all.
async fn serving(fields: &[(&str, i32, Type)]) -> World {
    let world = World::start().await;
    world.exposures.send_replace(Exposures::new(BTreeMap::new(), Exposure::All));
    world.up_with("plain", "1.4.0", "p", Some(&finding("plain", fields))).await;
    world.until(|report| members(report) == ["plain 1.4.0"]).await;
    world
}

async fn preview(world: &World, version: &str, bytes: &[u8]) -> Result<Preview, Error> {
    let asked = Asked {
        service: "plain".parse().unwrap(),
        version: version.parse().unwrap(),
        descriptors: Bytes::copy_from_slice(bytes),
        exposure: None,
    };
    world.published.previews.preview(asked).await
}

fn found(preview: &Preview) -> Vec<&'static str> {
    let errors = preview.findings.iter().map(|finding| &finding.diagnostic);
    errors.filter(|of| of.severity == turnout_schema::Severity::Error).map(|of| of.code).collect()
}

fn changed(preview: &Preview) -> Vec<String> {
    preview.changes.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn what_a_version_would_add_is_told_and_nothing_changes() {
    let world = serving(&[NAME]).await;
    let before = world.published.reports.borrow().clone();
    let told = preview(&world, "1.5.0", &finding("plain", &[NAME, SIZE])).await.unwrap();
    assert_eq!(told.serving, Some("1.4.0".parse().unwrap()));
    assert_eq!(told.serves, Some("1.5.0".parse().unwrap()));
    assert!(found(&told).is_empty() && told.affected.is_empty(), "{told:?}");
    let added = [
        "dangerous OPTIONAL_ARG_ADDED Mutation.find(size:) was added: Int",
        "safe FIELD_ADDED Thing.size was added: Int!",
    ];
    assert_eq!(changed(&told), added);
    // It is not registered, and not looked at a second time.
    assert!(world.registry.snapshot().instances().all(|of| of.instance.version.to_string() == "1.4.0"));
    assert!(Arc::ptr_eq(&before, &*world.published.reports.borrow()));
    world.stop().await;
}

#[tokio::test]
async fn what_would_break_is_told_with_those_who_use_it() {
    let world = serving(&[NAME, SIZE]).await;
    let generation = world.generation();
    let used = "\"mutation Sizes { find { size } }\"";
    for raw in [used, "\"mutation { find { name } }\""] {
        generation.view(None).unwrap().graph.prepare(raw, None, &Limits::RECOMMENDED).unwrap();
    }
    let told = preview(&world, "1.5.0", &finding("plain", &[NAME])).await.unwrap();
    assert_eq!(told.serves, Some("1.4.0".parse().unwrap()), "{told:?}");
    assert!(found(&told).contains(&"GATE_REFUSED"), "{told:?}");
    assert!(found(&told).contains(&"FIELD_NO_DELETE"), "used, so it blocks: {told:?}");
    assert!(changed(&told).iter().any(|of| of.contains("FIELD_REMOVED Thing.size")), "{told:?}");
    let [Affected { frontend, operation, document, breaks }] = told.affected.as_slice() else {
        panic!("{:?}", told.affected)
    };
    assert_eq!((frontend.as_str(), operation.as_deref()), ("any@0.0.0", Some("Sizes")));
    assert_eq!(*document, Digest::of(b"mutation Sizes { find { size } }"));
    assert!(breaks.iter().any(|of| of == "Thing.size"), "{breaks:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_frontend_that_would_break_is_told_by_its_name_and_operation() {
    let world = serving(&[NAME, SIZE]).await;
    let frontend = Frontend {
        id: "web@2.4.1".parse().unwrap(),
        state: Lifecycle::Active,
        pins: [("plain".parse().unwrap(), Pin { range: "^1.4".parse().unwrap(), optional: false })].into(),
        caps: BTreeMap::new(),
    };
    let (key, text) = (frontend::key(&frontend.id), "mutation Sizes { find { size } }".to_owned());
    let documents = vec![Document { id: "Sizes".to_owned(), text }];
    world.put(key, frontend::write(&Published { frontend, documents, at: Timestamp(1) })).await;
    world.until(|report| report.generation == 2).await;
    let told = preview(&world, "1.5.0", &finding("plain", &[NAME])).await.unwrap();
    assert_eq!(told.serves, Some("1.4.0".parse().unwrap()), "{told:?}");
    assert!(
        found(&told).contains(&"OPERATION_BREAKS") && found(&told).contains(&"FIELD_NO_DELETE"),
        "{told:?}"
    );
    let affected: Vec<_> =
        told.affected.iter().map(|of| (of.frontend.as_str(), of.operation.as_deref())).collect();
    assert_eq!(affected, [("web@2.4.1", Some("Sizes"))]);
    // Of another major it asks nothing.
    let told = preview(&world, "2.0.0", &finding("plain", &[NAME])).await.unwrap();
    assert_eq!((told.serves.clone(), found(&told).len()), (Some("2.0.0".parse().unwrap()), 0));
    world.stop().await;
}

#[tokio::test]
async fn what_cannot_be_registered_is_told_first() {
    let world = serving(&[NAME]).await;
    let told = preview(&world, "1.4.0", &finding("plain", &[NAME, SIZE])).await.unwrap();
    assert_eq!((found(&told), changed(&told).len()), (vec!["VERSION_BOUND"], 0));
    let told = preview(&world, "1.5.0", b"\x0a\x0a\xff").await.unwrap();
    assert_eq!(found(&told), ["DESCRIPTORS_UNREADABLE"]);
    world.stop().await;
}

#[tokio::test]
async fn what_opening_a_service_would_add_is_told() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    world.up_with("plain", "1.0.0", "p", Some(&plain())).await;
    world.seen().await;
    let asked = |exposure| Asked {
        service: "plain".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        descriptors: plain().into(),
        exposure,
    };
    let told = world.published.previews.preview(asked(Some(Exposure::All))).await.unwrap();
    assert!(changed(&told).iter().any(|of| of.contains("FIELD_ADDED Mutation.find")), "{told:?}");
    let told = world.published.previews.preview(asked(None)).await.unwrap();
    assert!(changed(&told).is_empty(), "{told:?}");
    world.stop().await;
}

#[tokio::test]
async fn the_first_version_of_a_service_is_previewed_without_a_graph() {
    let world = World::start().await;
    world.exposures.send_replace(Exposures::new(BTreeMap::new(), Exposure::All));
    world.seen().await;
    let told = preview(&world, "1.0.0", &plain()).await.unwrap();
    assert_eq!((told.serving, told.serves), (None, Some("1.0.0".parse().unwrap())));
    assert!(told.changes.is_empty() && told.affected.is_empty());
    assert!(world.published.generations.borrow().is_none());
    world.stop().await;
}

#[tokio::test]
async fn what_is_wrong_with_the_graph_already_is_not_the_versions() {
    let world = serving(&[NAME]).await;
    world.up_with("zebra", "1.0.0", "z", Some(&finding("plain", &[NAME]))).await;
    let taken = |report: &Report| {
        report.findings.iter().any(|found| found.about.is_none() && found.diagnostic.code == "ROOT_TAKEN")
    };
    world.until(taken).await;
    let told = preview(&world, "1.5.0", &finding("plain", &[NAME, SIZE])).await.unwrap();
    assert_eq!(found(&told), Vec::<&str>::new());
    world.stop().await;
}
