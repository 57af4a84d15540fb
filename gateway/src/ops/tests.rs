//! The operators' API: what it tells, what it changes, and who may.

use std::sync::Arc;

use async_graphql::Response;
use serde_json::{Value, json};
use turnout_control::audit;
use turnout_control::decision;
use turnout_control::id::{SourceName, Timestamp};
use turnout_control::records::Kind;
use turnout_control::registry::{Endpoint, Instance, Intent, Presence, Registered, Scheme};
use turnout_control::table::{Input, Said};
use turnout_schema::{Diagnostic, Severity};

use super::world::World;
use crate::http::access::{Caller, Role, Token};
use crate::reconcile::{Finding, Report};
use crate::registry::{Freshness, Hearing};

fn data(response: Response) -> Value {
    response.into_result().map(|answer| answer.data.into_json().unwrap()).unwrap()
}

fn refusal(response: &Response) -> (String, String) {
    let error = response.errors.first().expect("an error");
    let code = error.extensions.as_ref().and_then(|extensions| extensions.get("code")).cloned();
    (code.map(|code| code.into_json().unwrap().to_string()).unwrap_or_default(), error.message.clone())
}

fn expose(expose: &str, more: &str) -> String {
    format!(
        "mutation {{ exposeService(service: \"orders\", expose: {expose}, reason: \"the shop\" {more}) {{ changed audit \
         before {{ expose by revision }} after {{ expose by revision }} }} }}"
    )
}

fn caller(roles: &[Role]) -> Caller {
    let token =
        Token { name: "night shift".into(), sha256: [0; 32], roles: roles.to_vec(), services: Vec::new() };
    Caller::Token(Arc::new(token))
}

fn registered(refused: Option<Diagnostic>) -> Registered {
    let endpoint = Endpoint { scheme: Scheme::Grpc, host: "127.0.0.1".into(), port: 1, zone: String::new() };
    let instance = Instance {
        service: "orders".parse().unwrap(),
        id: "a".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        incarnation: 1,
        endpoints: vec![endpoint],
        schema: None,
        weight: 100,
        intent: Intent::Up,
        health: turnout_control::registry::Health::None,
        meta: [].into(),
    };
    Registered {
        instance: Arc::new(instance),
        source: SourceName::own(),
        lease: None,
        ttl_s: 15,
        registered_at: Timestamp(1),
        presence: Presence::Here,
        refused: refused.map(Arc::new),
    }
}

fn diagnostic(code: &'static str) -> Diagnostic {
    Diagnostic { severity: Severity::Error, code, message: "It is.".into(), help: String::new() }
}

#[tokio::test]
async fn a_decision_holds_is_written_down_and_can_be_taken_back() {
    let world = World::new().await;
    let done = data(world.ask(&expose("ALL", "")).await);
    let done = &done["exposeService"];
    assert_eq!((&done["changed"], &done["audit"]), (&json!(true), &json!("1")));
    assert_eq!(done["before"], json!({ "expose": "ANNOTATED", "by": "DEFAULT", "revision": null }));
    assert_eq!((&done["after"]["expose"], &done["after"]["by"]), (&json!("ALL"), &json!("OPERATOR")));
    let records = world.registry.store.records().borrow().clone();
    assert_eq!(records.of(Kind::Service).count(), 1);

    let again = data(world.ask(&expose("ALL", "")).await);
    assert_eq!(again["exposeService"]["changed"], json!(false), "the same again is no change, and no entry");

    let back = data(world.ask_as(caller(&[Role::Operate]), &expose("DEFAULT", "")).await);
    assert_eq!(back["exposeService"]["after"]["by"], json!("DEFAULT"));
    assert_eq!(back["exposeService"]["audit"], json!("2"));
    let records = world.registry.store.records().borrow().clone();
    assert_eq!(records.of(Kind::Service).count(), 0, "nothing decided leaves nothing behind");

    let told = data(world.ask("{ audit { sequence actor verb subject before after reason inverse } }").await);
    let entry = |sequence: &str, actor: &str, before: Value, after: Value, back: &str| {
        json!({ "sequence": sequence, "actor": actor, "verb": "service.expose", "subject": "orders",
            "before": before, "after": after, "reason": "the shop",
            "inverse": format!("turnout service expose orders {back} --reason 'taken back'") })
    };
    let all = json!(r#"{"expose":"all","v":1}"#);
    assert_eq!(
        told["audit"],
        json!([
            entry("2", "night shift", all.clone(), Value::Null, "all"),
            entry("1", "local", Value::Null, all, "default"),
        ])
    );
    let stored = world.audit.last(10).await.unwrap();
    audit::verify(stored.iter().map(|(at, record)| (*at, &*record.value))).unwrap();
}

#[tokio::test]
async fn entries_of_two_who_write_at_once_make_one_chain() {
    let world = World::new().await;
    let other =
        crate::registry::audit::Audit::new(world.registry.store.clone(), crate::clock::Clock::start());
    let act = |actor: &str| audit::Act {
        actor: actor.into(),
        verb: "test".into(),
        subject: "orders".into(),
        before: None,
        after: None,
        reason: "why not".into(),
        inverse: String::new(),
    };
    for round in 0..20 {
        let (one, two) = tokio::join!(
            world.audit.change(Default::default(), act("one")),
            other.change(Default::default(), act("two"))
        );
        assert_eq!(one.unwrap().sequence + two.unwrap().sequence, round * 4 + 3);
    }
    // One that starts now finds the end among many.
    let late = crate::registry::audit::Audit::new(world.registry.store.clone(), crate::clock::Clock::start());
    assert_eq!(late.change(Default::default(), act("late")).await.unwrap().sequence, 41);
    let stored = late.last(100).await.unwrap();
    assert_eq!(stored.len(), 41);
    audit::verify(stored.iter().map(|(at, record)| (*at, &*record.value))).unwrap();
    assert_eq!(late.last(3).await.unwrap().iter().map(|(at, _)| *at).collect::<Vec<_>>(), [39, 40, 41]);
}

#[tokio::test]
async fn a_dry_run_changes_nothing_and_needs_no_reason() {
    let world = World::new().await;
    let tried = data(
        world
            .ask(
                "mutation { exposeService(service: \"orders\", expose: ALL, reason: \"\", dryRun: true) { changed known audit \
                 after { expose by } } }",
            )
            .await,
    );
    let expected = json!({ "changed": true, "known": false, "audit": null, "after": { "expose": "ALL", "by": "OPERATOR" } });
    assert_eq!(tried["exposeService"], expected);
    assert_eq!(world.registry.store.records().borrow().revision, 0);
}

#[tokio::test]
async fn who_may_not_who_says_no_reason_and_who_is_too_late_is_told() {
    let world = World::new().await;
    let reader = world.ask_as(caller(&[Role::Read]), &expose("ALL", "")).await;
    let (code, message) = refusal(&reader);
    assert_eq!(code, "\"FORBIDDEN\"");
    assert!(message.contains("\"night shift\"") && message.contains("operate"), "{message}");

    let silent = expose("ALL", "").replace("the shop", "  ");
    assert_eq!(refusal(&world.ask(&silent).await).0, "\"BAD_USER_INPUT\"");

    data(world.ask(&expose("ALL", ", expectedRevision: \"0\"")).await);
    let (code, message) = refusal(&world.ask(&expose("ANNOTATED", ", expectedRevision: \"0\"")).await);
    assert_eq!(code, "\"CONFLICT\"");
    assert!(message.contains("look at what it is now"), "{message}");
}

#[tokio::test]
async fn what_the_configuration_says_of_a_service_is_not_for_operators() {
    let world = World::configured("services: { orders: { expose: annotated } }\n").await;
    for more in ["", ", dryRun: true"] {
        let (code, message) = refusal(&world.ask(&expose("ALL", more)).await);
        assert_eq!(code, "\"CONFLICT\"");
        assert!(
            message.contains("services.orders.expose") && message.contains("turnout.yaml:1:"),
            "{message}"
        );
    }
}

#[tokio::test]
async fn a_service_tells_its_instances_its_findings_and_which_version_serves() {
    let world = World::new().await;
    let own = SourceName::own();
    world.registry.hub.tell(Input::Put(
        own,
        "orders/a".into(),
        Said::Instance(registered(Some(diagnostic("NO")))),
    ));
    let about = Some(("orders".parse().unwrap(), "1.0.0".parse().unwrap()));
    world.reports.send_replace(Arc::new(Report {
        members: vec![("orders".parse().unwrap(), "1.0.0".parse().unwrap())],
        findings: vec![Finding { about, frontend: None, diagnostic: diagnostic("SCHEMA_MISSING") }],
        ..Report::default()
    }));
    let told = world
        .ask(
            "{ services { name serving exposed { expose by } versions { version serving findings { code } \
             instances { id state source presence refused { code version } } } } }",
        )
        .await;
    assert_eq!(
        data(told)["services"],
        json!([{
            "name": "orders", "serving": "1.0.0", "exposed": { "expose": "ANNOTATED", "by": "DEFAULT" },
            "versions": [{
                "version": "1.0.0", "serving": true, "findings": [{ "code": "SCHEMA_MISSING" }],
                "instances": [{ "id": "a", "state": "REFUSED", "source": "turnout", "presence": "HERE",
                    "refused": { "code": "NO", "version": "1.0.0" } }],
            }],
        }])
    );
    assert_eq!(decision::key(&"orders".parse().unwrap()).to_string(), "service/orders");
}

#[tokio::test]
async fn sources_tell_how_they_are_heard() {
    let world = World::new().await;
    let freshness = |state| Freshness {
        backend: "etcd",
        layout: "kitex-etcd",
        state,
        synced_at: Some(Timestamp(1_795_232_401_250)),
        heard_at: None,
        revision: 7,
        relists: 2,
        entries: 3,
    };
    world.registry.hub.hears(&"shop".parse().unwrap(), freshness(Hearing::Stale("refused".into())));
    let told = data(
        world
            .ask(
                "{ sources { name backend layout state reason syncedAt staleSeconds revision relists entries \
                 unreadableEntries unreadable { key } } leadership { leads leader } }",
            )
            .await,
    );
    let shop = told["sources"].as_array().unwrap().iter().find(|source| source["name"] == "shop").unwrap();
    assert!(shop["staleSeconds"].as_f64().is_some());
    let mut rest = shop.clone();
    rest.as_object_mut().unwrap().remove("staleSeconds");
    assert_eq!(
        rest,
        json!({ "name": "shop", "backend": "etcd", "layout": "kitex-etcd", "state": "STALE", "reason": "refused",
            "syncedAt": "2026-11-21T03:40:01.250Z", "revision": "7", "relists": "2", "entries": 3,
            "unreadableEntries": 0, "unreadable": [] })
    );
    assert_eq!(told["leadership"], json!({ "leads": true, "leader": null }));
}

#[tokio::test]
async fn a_check_of_what_is_no_base64_or_no_version_names_the_argument() {
    let world = World::new().await;
    for (version, argument) in [
        ("service: \"a b\", version: \"1.0.0\", descriptors: \"\"", "service "),
        ("service: \"a\", version: \"one\", descriptors: \"\"", "version "),
        ("service: \"a\", version: \"1.0.0\", descriptors: \"%\"", "descriptors "),
    ] {
        let answer = world.ask(&format!("{{ check(version: {{ {version} }}) {{ serves }} }}")).await;
        let (code, message) = refusal(&answer);
        assert_eq!(code, "\"BAD_USER_INPUT\"");
        assert!(message.starts_with(argument), "{message}");
    }
}

#[tokio::test]
async fn one_question_holds_the_descriptors_of_one_check() {
    let world = World::new().await;
    let check = |name: &str| {
        format!(
            "{name}: check(version: {{ service: \"a\", version: \"1.0.0\", descriptors: \"\" }}) \
             {{ serving findings {{ code }} }}"
        )
    };
    let one = world.ask(&format!("{{ {} }}", check("a"))).await;
    assert!(one.errors.iter().all(|error| !error.message.contains("complex")), "{:?}", one.errors);
    let two = world.ask(&format!("{{ {} {} }}", check("a"), check("b"))).await;
    assert!(two.errors.iter().any(|error| error.message.contains("complex")), "{:?}", two.errors);
}

#[tokio::test]
async fn an_override_is_written_down_before_it_is_given() {
    let world = World::new().await;
    let ask = |lineup: &str, more: &str| {
        format!(
            "mutation {{ mintOverride(lineup: [{lineup}], reason: \"a look at 1.5\" {more}) {{ token expires audit }} }}"
        )
    };
    let catalog = "{ service: \"catalog\", version: \"1.5.0\" }";
    let done = data(world.ask_as(caller(&[Role::Operate]), &ask(catalog, "")).await);
    assert_eq!(done["mintOverride"]["audit"], json!("1"));
    let told = data(world.ask("{ audit { actor verb subject reason } }").await);
    let entry = json!({ "actor": "night shift", "verb": "override.mint", "subject": "catalog=1.5.0",
        "reason": "a look at 1.5" });
    assert_eq!(told["audit"], json!([entry]));
    for (lineup, more) in [
        ("", ""),
        ("{ service: \"catalog\", version: \"latest\" }", ""),
        (&*format!("{catalog} {catalog}"), ""),
        (catalog, ", minutes: 0"),
        (catalog, ", minutes: 61"),
        (catalog, ", minutes: -5"),
    ] {
        let refused = refusal(&world.ask(&ask(lineup, more)).await);
        assert_eq!(refused.0, "\"BAD_USER_INPUT\"", "{lineup} {more}: {}", refused.1);
    }
    let reader = world.ask_as(caller(&[Role::Read]), &ask(catalog, "")).await;
    assert_eq!(refusal(&reader).0, "\"FORBIDDEN\"");
    assert_eq!(world.audit.last(10).await.unwrap().len(), 1);
}
