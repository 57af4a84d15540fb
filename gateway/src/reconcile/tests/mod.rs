//! What is registered becomes what serves: through the task itself, with a registry on disk.
//!
//! Leases last longer than any test, and nobody ends them. Time is real, because the looks run on threads that
//! a paused clock does not wait for; each test waits for a report and none sleeps.

mod frontends;
mod gateways;
mod preview;
mod seats;

use std::collections::BTreeMap;

use prost::Message;
use prost_types::field_descriptor_proto::{Label, Type};
use prost_types::{
    DescriptorProto, FieldDescriptorProto, FileDescriptorProto, FileDescriptorSet, MethodDescriptorProto,
    ServiceDescriptorProto,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use turnout_control::id::{LeaseId, ServiceName};
use turnout_control::records::{Change, Key};
use turnout_control::registration::Registration;
use turnout_control::registry::{Endpoint, Health, Instance, Intent, SchemaRef, Scheme};
use turnout_control::routes::{Base, write_base};
use turnout_schema::Digest;
use turnout_schema::guard::Limits;
use turnout_schema::subgraph::Exposure;

use super::*;
use crate::clock::Clock;
use crate::config;
use crate::lineup::Trials;
use crate::reconcile::remember::base_key;
use crate::registry::embedded;
use crate::registry::schemas::Findings;
use crate::telemetry::Meters;

/// A change is seen within a third of a second; this is for a machine that has much else to do.
const SEEN: Duration = Duration::from_secs(10);

struct World {
    registry: Registry,
    published: Published,
    exposures: watch::Sender<Exposures>,
    schemas: watch::Sender<Arc<Findings>>,
    _callers: watch::Sender<Callers>,
    stop: CancellationToken,
    task: JoinHandle<()>,
    directory: TempDir,
}

impl World {
    async fn start() -> World {
        World::over(tempfile::tempdir().unwrap()).await
    }

    #[expect(clippy::disallowed_methods, reason = "the test owns the task and waits for its end")]
    async fn over(directory: TempDir) -> World {
        let registry = embedded::alone(directory.path(), Clock::start(), Duration::from_secs(60)).unwrap();
        let annotated = Exposures::new(BTreeMap::new(), Exposure::Annotated);
        let (exposures, exposures_now) = watch::channel(annotated);
        let (schemas, schemas_now) = watch::channel(Arc::default());
        let loaded = config::read(&config::Sources::default()).unwrap();
        let (callers, callers_now) = watch::channel(Callers::of(&loaded.config));
        let (reconciler, published) = new(Sources {
            registry: registry.clone(),
            fleet: fleet(),
            exposures: exposures_now,
            schemas: schemas_now,
            callers: callers_now,
            trials: Trials::default(),
            meters: Meters::new(),
        });
        let stop = CancellationToken::new();
        let task = tokio::spawn(run(reconciler, stop.clone()));
        let world =
            World { registry, published, exposures, schemas, _callers: callers, stop, task, directory };
        world.seen().await;
        world
    }

    async fn stop(self) -> TempDir {
        self.stop.cancel();
        self.task.await.unwrap();
        self.directory
    }

    /// The report on what is registered now.
    async fn seen(&self) -> Arc<Report> {
        let revision = self.registry.snapshot().revision;
        self.until(|report| report.revision == Some(revision)).await
    }

    async fn until(&self, wanted: impl Fn(&Report) -> bool) -> Arc<Report> {
        let mut reports = self.published.reports.clone();
        let found = timeout(SEEN, reports.wait_for(|report| wanted(report))).await.unwrap().unwrap();
        found.clone()
    }

    fn generation(&self) -> Arc<Generation> {
        self.published.generations.borrow().clone().unwrap()
    }

    /// Registers an instance of a sample service.
    async fn up(&self, service: &str, version: &str, id: &str) -> LeaseId {
        let bytes = turnout_samples::descriptors(service, version).unwrap();
        self.up_with(service, version, id, Some(bytes)).await
    }

    async fn up_with(&self, service: &str, version: &str, id: &str, bytes: Option<&[u8]>) -> LeaseId {
        if let Some(bytes) = bytes {
            self.put_schema(bytes).await;
        }
        let schema = bytes.map(|bytes| SchemaRef { digest: Digest::of(bytes), services: Vec::new() });
        let instance = Instance {
            service: service.parse().unwrap(),
            id: id.parse().unwrap(),
            version: version.parse().unwrap(),
            incarnation: 1,
            endpoints: vec![Endpoint {
                scheme: Scheme::Grpc,
                host: "127.0.0.1".into(),
                port: 50051,
                zone: String::new(),
            }],
            schema,
            weight: 100,
            intent: Intent::Up,
            health: Health::None,
            meta: BTreeMap::new(),
        };
        self.registry.store.register(Registration { instance, ttl_s: 60 }).await.unwrap().lease
    }

    async fn down(&self, service: &str, id: &str, lease: LeaseId) {
        self.registry.store.deregister(service.parse().unwrap(), id.parse().unwrap(), lease).await.unwrap();
    }

    /// Makes a version stable, as the leader does at the end of a rollout.
    async fn promote(&self, service: &str, version: &str) {
        let base = Base::new(version.parse().unwrap());
        let key = base_key(&(service.parse().unwrap(), base.stable.semver().major));
        self.put(key, write_base(&base)).await;
    }

    /// Writes a record.
    async fn put(&self, key: Key, value: Vec<u8>) {
        let expected = self.registry.store.records().borrow().seen(&key);
        let writes = [(key.clone(), Some(value.into()))].into();
        let change = Change { expected: [(key, expected)].into(), writes };
        self.registry.store.change(change).await.unwrap();
    }

    async fn put_schema(&self, bytes: &[u8]) {
        let bytes = bytes::Bytes::copy_from_slice(bytes);
        self.registry.store.put_schema(Digest::of(&bytes), bytes).await.unwrap();
    }
}

fn fleet() -> Arc<Fleet> {
    Arc::new(Fleet::idle())
}

fn members(report: &Report) -> Vec<String> {
    report.members.iter().map(|(service, version)| format!("{service} {version}")).collect()
}

fn codes(report: &Report, severity: turnout_schema::Severity) -> Vec<&'static str> {
    let of = report.findings.iter().map(|finding| &finding.diagnostic);
    of.filter(|found| found.severity == severity).map(|found| found.code).collect()
}

/// A public service whose input requires itself in so many ways that no graph with it is served: every
/// message of the chain requires the next one twice.
fn monster() -> Vec<u8> {
    let field = |name: &str, ty: &str| FieldDescriptorProto {
        name: Some(name.into()),
        number: Some(if name == "a" { 1 } else { 2 }),
        label: Some(Label::Required.into()),
        r#type: Some(Type::Message.into()),
        type_name: Some(format!(".monster.{ty}")),
        ..Default::default()
    };
    let mut messages: Vec<DescriptorProto> = (0..24)
        .map(|link| DescriptorProto {
            name: Some(format!("M{link}")),
            field: vec![field("a", &format!("M{}", link + 1)), field("b", &format!("M{}", link + 1))],
            ..Default::default()
        })
        .collect();
    let end = FieldDescriptorProto {
        name: Some("end".into()),
        number: Some(1),
        label: Some(Label::Optional.into()),
        r#type: Some(Type::Bool.into()),
        ..Default::default()
    };
    messages.push(DescriptorProto { name: Some("M24".into()), field: vec![end], ..Default::default() });
    let method = MethodDescriptorProto {
        name: Some("Get".into()),
        input_type: Some(".monster.M0".into()),
        output_type: Some(".monster.M24".into()),
        ..Default::default()
    };
    let service =
        ServiceDescriptorProto { name: Some("S".into()), method: vec![method], ..Default::default() };
    let file = FileDescriptorProto {
        name: Some("monster.proto".into()),
        package: Some("monster".into()),
        message_type: messages,
        service: vec![service],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[tokio::test]
async fn nothing_registered_is_nothing_served() {
    let world = World::start().await;
    assert!(world.published.generations.borrow().is_none());
    let report = world.seen().await;
    assert_eq!((report.generation, report.findings.len()), (0, 0));
    world.stop().await;
}

#[tokio::test]
async fn a_newcomer_joins_the_graph() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    assert_eq!(members(&*world.seen().await), ["catalog 1.4.0"]);
    world.up("users", "2.0.0", "b").await;
    let report = world.seen().await;
    assert_eq!(members(&report), ["catalog 1.4.0", "users 2.0.0"]);
    assert_eq!(report.generation, 2);
    let generation = world.generation();
    assert_eq!(generation.number, 2);
    let view = generation.view(None).unwrap();
    let graph = &view.graph;
    assert_eq!(report.digest, Some(graph.supergraph().digest));
    let called: Vec<String> = view.routes.iter().map(|route| route.service.to_string()).collect();
    let known: Vec<String> =
        graph.supergraph().members.iter().map(|member| member.service.to_string()).collect();
    assert_eq!(called, known);
    world.stop().await;
}

#[tokio::test]
async fn instances_that_come_and_go_compose_nothing() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    let before = world.seen().await;
    assert_eq!(before.compositions, 1);
    for round in 0..20 {
        let id = format!("churn{round}");
        let lease = world.up("catalog", "1.4.0", &id).await;
        world.seen().await;
        world.down("catalog", &id, lease).await;
    }
    // A lower version changes nothing either.
    world.up("catalog", "1.3.0", "old").await;
    let after = world.seen().await;
    assert!(after.revision > before.revision);
    assert_eq!((after.compositions, after.generation), (1, 1));
    world.stop().await;
}

#[tokio::test]
async fn a_burst_of_registrations_is_composed_together() {
    let world = World::start().await;
    for (service, version) in
        [("catalog", "1.4.0"), ("users", "2.0.0"), ("orders", "2.1.0"), ("math", "1.0.0")]
    {
        world.up(service, version, "a").await;
    }
    let report = world.seen().await;
    assert_eq!(report.members.len(), 4);
    // The first may have been seen alone, when the disk was slow.
    assert!(report.compositions <= 2, "{}", report.compositions);
    world.stop().await;
}

#[tokio::test]
async fn an_upgrade_swaps_the_graph_and_requests_on_the_old_one_go_on() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    world.seen().await;
    let old = world.generation().view(None).unwrap().clone();
    let raw = "\"{ __typename }\"";
    let prepared = old.graph.prepare(raw, None, &Limits::RECOMMENDED).unwrap();
    world.up("catalog", "1.5.0", "b").await;
    assert_eq!(members(&*world.seen().await), ["catalog 1.4.0"]);
    world.promote("catalog", "1.5.0").await;
    world.until(|report| members(report) == ["catalog 1.5.0"]).await;
    let new = world.generation().view(None).unwrap().clone();
    assert_ne!(old.graph.supergraph().digest, new.graph.supergraph().digest);
    assert_eq!(new.graph.plans(), 1, "what was asked of the old one is planned ahead");
    assert!(Arc::ptr_eq(&prepared, &old.graph.prepare(raw, None, &Limits::RECOMMENDED).unwrap()));
    assert_eq!(old.routes[0].stable.version.to_string(), "1.4.0");
    world.stop().await;
}

#[tokio::test]
async fn the_last_instance_of_a_version_leaves_the_graph_to_one_that_runs() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    let lease = world.up("catalog", "1.5.0", "b").await;
    world.promote("catalog", "1.5.0").await;
    world.until(|report| members(report) == ["catalog 1.5.0"]).await;
    world.down("catalog", "b", lease).await;
    assert_eq!(members(&*world.seen().await), ["catalog 1.4.0"]);
    world.stop().await;
}

#[tokio::test]
async fn an_upgrade_whose_descriptors_are_broken_changes_nothing() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    let directory = world.stop().await;
    // The file is damaged: the newcomer's descriptors are there, and cannot be linked.
    let world = World::over(directory).await;
    let before = world.seen().await;
    let file = rusqlite::Connection::open(world.directory.path().join("registry.sqlite")).unwrap();
    let bytes = turnout_samples::descriptors("catalog", "1.5.0").unwrap();
    let digest = Digest::of(bytes);
    world.put_schema(bytes).await;
    let broken = file.execute("UPDATE schemas SET bytes = x'0a0aff' WHERE digest = ?1", [digest.to_string()]);
    assert_eq!(broken.unwrap(), 1);
    world.up("catalog", "1.5.0", "b").await;
    world.up("users", "2.0.0", "c").await;
    let after = world.seen().await;
    assert_eq!(members(&after), ["catalog 1.4.0", "users 2.0.0"]);
    assert_eq!(codes(&after, turnout_schema::Severity::Error), ["DESCRIPTORS_UNREADABLE"]);
    assert_eq!(after.findings[0].about.as_ref().unwrap().1.to_string(), "1.5.0");
    assert!(before.findings.iter().all(|finding| finding.diagnostic.code != "DESCRIPTORS_UNREADABLE"));
    world.stop().await;
}

#[tokio::test]
async fn a_version_that_no_graph_can_serve_with_is_left_out() {
    let world = World::start().await;
    let monster_name = "monster".parse().unwrap();
    let services = BTreeMap::from([(monster_name, Exposure::All)]);
    world.exposures.send_replace(Exposures::new(services, Exposure::Annotated));
    world.up("catalog", "1.4.0", "a").await;
    world.seen().await;
    world.up_with("monster", "1.0.0", "m", Some(&monster())).await;
    world.up("users", "2.0.0", "b").await;
    let report = world.until(|report| report.members.len() == 2).await;
    assert_eq!(members(&report), ["catalog 1.4.0", "users 2.0.0"]);
    assert!(codes(&report, turnout_schema::Severity::Error).contains(&"VERSION_UNFIT"), "{report:?}");
    // What was decided stays decided.
    let lease = world.up_with("monster", "1.0.0", "m2", Some(&monster())).await;
    assert_eq!(world.seen().await.compositions, report.compositions);
    world.down("monster", "m2", lease).await;
    // And it keeps nobody from being promoted.
    world.up("catalog", "1.5.0", "c").await;
    world.promote("catalog", "1.5.0").await;
    world.until(|report| members(report) == ["catalog 1.5.0", "users 2.0.0"]).await;
    world.stop().await;
}

#[tokio::test]
async fn a_service_without_descriptors_is_told_about_and_left_out() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    world.up_with("users", "2.0.0", "b", None).await;
    let report = world.seen().await;
    assert_eq!(members(&report), ["catalog 1.4.0"]);
    assert_eq!(codes(&report, turnout_schema::Severity::Info), ["SCHEMA_MISSING"]);
    // Who looks for them says what came of it.
    let severity = turnout_schema::Severity::Error;
    let said = turnout_schema::Diagnostic {
        severity,
        code: "SCHEMA_MISSING",
        message: "Nobody answers.".to_owned(),
        help: String::new(),
    };
    let key = ("users".parse().unwrap(), "2.0.0".parse().unwrap());
    world.schemas.send_replace(Arc::new(BTreeMap::from([(key, said.clone())])));
    let report = world.until(|report| report.findings.iter().any(|of| of.diagnostic == said)).await;
    assert_eq!(codes(&report, severity), ["SCHEMA_MISSING"]);
    assert_eq!(members(&report), ["catalog 1.4.0"]);
    world.stop().await;
}

#[tokio::test]
async fn a_service_that_offers_nothing_changes_no_graph() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    let before = world.seen().await;
    world.up_with("monster", "1.0.0", "m", Some(&monster())).await;
    let after = world.seen().await;
    assert_eq!((after.generation, after.digest), (before.generation, before.digest));
    world.stop().await;
}

#[tokio::test]
async fn what_an_operator_opens_appears_without_a_registration() {
    let world = World::start().await;
    world.up_with("monster", "1.0.0", "m", turnout_samples::descriptors("catalog", "1.4.0")).await;
    world.seen().await;
    let all = Exposures::new(BTreeMap::new(), Exposure::All);
    let before = world.published.reports.borrow().compositions;
    world.exposures.send_replace(all);
    let report = world.until(|report| report.compositions > before).await;
    assert_eq!(members(&report), ["monster 1.0.0"]);
    world.stop().await;
}

/// A service that serves well and says nothing about who may use it.
fn plain() -> Vec<u8> {
    finding("plain", &[("name", 1, Type::String)])
}

/// A service that finds a thing with these fields by one like it.
fn finding(package: &str, fields: &[(&str, i32, Type)]) -> Vec<u8> {
    let field = |(name, number, ty): &(&str, i32, Type)| FieldDescriptorProto {
        name: Some((*name).into()),
        number: Some(*number),
        label: Some(Label::Optional.into()),
        r#type: Some((*ty).into()),
        ..Default::default()
    };
    let fields = fields.iter().map(field).collect();
    let thing = DescriptorProto { name: Some("Thing".into()), field: fields, ..Default::default() };
    let method = MethodDescriptorProto {
        name: Some("Find".into()),
        input_type: Some(format!(".{package}.Thing")),
        output_type: Some(format!(".{package}.Thing")),
        ..Default::default()
    };
    let service =
        ServiceDescriptorProto { name: Some("S".into()), method: vec![method], ..Default::default() };
    let file = FileDescriptorProto {
        name: Some(format!("{package}.proto")),
        package: Some(package.into()),
        syntax: Some("proto3".into()),
        message_type: vec![thing],
        service: vec![service],
        ..Default::default()
    };
    FileDescriptorSet { file: vec![file] }.encode_to_vec()
}

#[tokio::test]
async fn what_an_operator_closes_is_served_no_more_even_when_nothing_else_is() {
    let world = World::start().await;
    let to = |others| world.exposures.send_replace(Exposures::new(BTreeMap::new(), others));
    to(Exposure::All);
    world.up_with("plain", "1.0.0", "p", Some(&plain())).await;
    world.until(|report| members(report) == ["plain 1.0.0"]).await;
    let before = world.generation();
    to(Exposure::Annotated);
    let report = world.until(|report| report.compositions == 2).await;
    assert_eq!((members(&report).len(), report.digest), (0, None));
    assert!(world.published.generations.borrow().is_none());
    to(Exposure::All);
    world.until(|report| members(report) == ["plain 1.0.0"]).await;
    assert_eq!(world.generation().number, before.number + 1);
    world.stop().await;
}

#[tokio::test]
async fn a_version_that_offers_nothing_leaves_what_serves() {
    let world = World::start().await;
    let lease = world.up("catalog", "1.4.0", "a").await;
    let before = world.seen().await;
    world.up_with("catalog", "1.6.0", "b", Some(&plain())).await;
    world.down("catalog", "a", lease).await;
    let after = world.seen().await;
    assert_eq!((members(&after), after.digest), (members(&before), before.digest));
    let errors = codes(&after, turnout_schema::Severity::Error);
    assert_eq!(errors, ["PACKAGE_SERVICE_NO_DELETE", "GATE_REFUSED"]);
    assert!(codes(&after, turnout_schema::Severity::Warning).contains(&"NO_INSTANCE"), "{after:?}");
    world.stop().await;
}

#[tokio::test]
async fn a_restart_serves_what_was_registered_before_it() {
    let world = World::start().await;
    world.up("catalog", "1.4.0", "a").await;
    let before = world.seen().await;
    let directory = world.stop().await;
    let world = World::over(directory).await;
    let after = world.seen().await;
    assert_eq!((after.generation, after.digest), (1, before.digest));
    world.stop().await;
}
