//! Policies by operators: what holds, what is refused, who is told what, and what is written down.

use async_graphql::Response;
use serde_json::{Value, json};
use turnout_control::audit;
use turnout_control::frontend::{self, Frontend, Lifecycle, Pin, Published};
use turnout_control::id::{FrontendId, SourceName, Timestamp};
use turnout_control::records::{Key, Kind};
use turnout_control::registry::SchemaRef;
use turnout_control::rollout::{self, Plan, Rollout, State};
use turnout_control::routes::{Base, Place, Scope, write_base};
use turnout_control::slot::Weight;
use turnout_control::table::{Input, Said};
use turnout_schema::{Diagnostic, Digest, Severity};

use super::{World, data, refusal, registered};
use crate::reconcile::{Newcomer, Report, Verdict};

impl World {
    /// One with catalog 1.4.0 stable, 1.5.0 and 1.6.0 registered, of which the gate refuses the latter, and the
    /// frontend web@2.4.1, which pins ^1.4 and takes a fifth at most.
    pub(super) async fn with_catalog() -> World {
        let world = World::new().await;
        for (at, version) in ["1.4.0", "1.5.0", "1.6.0", "2.0.0"].into_iter().enumerate() {
            world.runs("catalog", version, &format!("i{at}"));
        }
        world.stable("1.4.0").await;
        let id: FrontendId = "web@2.4.1".parse().unwrap();
        let pin = Pin { range: "^1.4".parse().unwrap(), optional: false };
        let frontend = Frontend {
            id: id.clone(),
            state: Lifecycle::Active,
            pins: [("catalog".parse().unwrap(), pin)].into(),
            caps: [("catalog".parse().unwrap(), Weight::ppm(200_000).unwrap())].into(),
        };
        let published = Published { frontend, documents: Vec::new(), at: Timestamp(1) };
        world.write(frontend::key(&id), Some(frontend::write(&published))).await;
        let newcomer = |version: &str, verdict| Newcomer {
            service: "catalog".parse().unwrap(),
            major: 1,
            stable: "1.4.0".parse().unwrap(),
            version: version.parse().unwrap(),
            verdict,
        };
        let severity = Severity::Error;
        let rule =
            Diagnostic { severity, code: "RPC_NO_DELETE", message: "It is.".into(), help: String::new() };
        world.reports.send_replace(std::sync::Arc::new(Report {
            newcomers: vec![
                newcomer("1.5.0", Verdict::Fits(Vec::new())),
                newcomer("1.6.0", Verdict::Refused(vec![rule])),
            ],
            ..Report::default()
        }));
        world
    }

    /// Registers an instance with descriptors.
    pub(super) fn runs(&self, service: &str, version: &str, id: &str) {
        let mut one = registered(None);
        let instance = std::sync::Arc::make_mut(&mut one.instance);
        instance.service = service.parse().unwrap();
        instance.version = version.parse().unwrap();
        instance.id = id.parse().unwrap();
        let digest = Digest::of(version.as_bytes());
        instance.schema = Some(SchemaRef { digest, services: Vec::new() });
        let key = format!("{service}/{id}");
        self.registry.hub.tell(Input::Put(SourceName::own(), key.as_str().into(), Said::Instance(one)));
    }

    pub(super) async fn stable(&self, version: &str) -> u64 {
        let base = Base::new(version.parse().unwrap());
        self.write(everyone().key(), Some(write_base(&base))).await
    }

    pub(super) async fn rolls_out(&self, state: State) -> Rollout {
        let settings = crate::config::read(&crate::config::Sources::default()).unwrap();
        let settings = crate::rollout::Settings::of(&settings.config);
        let service = "catalog".parse().unwrap();
        let rollout = Rollout {
            from: "1.4.0".parse().unwrap(),
            to: "1.5.0".parse().unwrap(),
            salt: "catalog/1/1.5.0".to_owned(),
            plan: plan(&settings),
            state,
            orders: Vec::new(),
            retries: 0,
            migrates: false,
            created_at: Timestamp(1),
            started_at: None,
            changed_at: Timestamp(2),
            history: Vec::new(),
            service,
        };
        self.write(rollout::key(&rollout.service, &rollout.to), Some(rollout.write())).await;
        rollout
    }
}

fn plan(settings: &crate::rollout::Settings) -> Plan {
    let weights = settings.steps.clone();
    Plan::new(
        &turnout_control::rollout::Settings {
            first_max: *weights.last().unwrap(),
            weights,
            dwell_min: settings.dwell,
            dwell_max: settings.dwell_max,
            instances_min: 1,
            excess_failures_max: settings.excess_failures,
            approval: turnout_control::rollout::Approval::Evidence,
        },
        1e6,
    )
}

pub(super) fn everyone() -> Place {
    Place { scope: Scope::Everyone, service: "catalog".parse().unwrap(), major: 1 }
}

/// A change: of which policy, of what, and how.
fn set(place: &str, change: &str, more: &str) -> String {
    format!(
        "mutation {{ setPolicy(policy: {{ service: \"catalog\" {place} }}, change: {{ {change} }}, reason: \"tests\" \
         {more}) {{ major frontend differences audit inverse before {{ stable candidate weightPpm }} \
         after {{ stable candidate weightPpm capPpm revision }} moves {{ frontend from to sharePpm }} \
         units {{ frontend unit from to reason }} }} }}"
    )
}

fn done(response: Response) -> Value {
    data(response)["setPolicy"].clone()
}

#[tokio::test]
async fn a_candidate_is_weighed_by_hand_seen_by_all_and_taken_back() {
    let world = World::with_catalog().await;
    let change = "candidate: \"1.5.0\", weightPpm: 50000";
    let tried = done(world.ask(&set("", change, ", dryRun: true, units: [\"user:1\"]")).await);
    assert_eq!(tried["audit"], Value::Null);
    let moved =
        |frontend: &str| json!({ "frontend": frontend, "from": "1.4.0", "to": "1.5.0", "sharePpm": 50_000 });
    // Who pins nothing gets the highest major, of which nothing is decided: the policy of 1 is its only one.
    assert_eq!(tried["moves"], json!([moved("any@0.0.0"), moved("web@2.4.1")]));
    assert_eq!(tried["units"][0]["unit"], "user:1");
    assert!(world.registry.store.records().borrow().get(&everyone().key()).unwrap().revision < 3);

    let set_now = done(world.ask(&set("", change, "")).await);
    assert_eq!(set_now["audit"], "1");
    assert_eq!(set_now["differences"], json!(["candidate was none, is 1.5.0 at 5 %"]));
    assert_eq!(set_now["inverse"], "turnout policy set catalog --major 1 --clear --stable 1.4.0");
    let capped = done(world.ask(&set("frontend: \"web@2.4.1\"", "capPpm: 0", "")).await);
    assert_eq!(capped["after"]["capPpm"], 0);

    let told = data(
        world
            .ask(
                "{ policies { routes { service frontend pin stable candidate weightPpm effectivePpm own } \
                 decided { frontend major candidate } } }",
            )
            .await,
    );
    let route = |frontend: &str, pin: Value, effective: u32, own: bool| {
        json!({ "service": "catalog", "frontend": frontend, "pin": pin, "stable": "1.4.0", "candidate": "1.5.0",
            "weightPpm": 50_000, "effectivePpm": effective, "own": own })
    };
    assert_eq!(
        told["policies"]["routes"],
        json!([route("any@0.0.0", Value::Null, 50_000, false), route("web@2.4.1", json!("^1.4"), 0, true)])
    );
    assert_eq!(told["policies"]["decided"].as_array().unwrap().len(), 2);

    let same = done(world.ask(&set("", "weightPpm: 50000", "")).await);
    assert_eq!((&same["audit"], &same["differences"]), (&Value::Null, &json!([])));
    let back = done(world.ask(&set("", "clear: true", "")).await);
    assert_eq!(back["after"]["candidate"], Value::Null);
    let gone = done(world.ask(&set("frontend: \"web@2.4.1\"", "clear: true", "")).await);
    assert_eq!(gone["after"], Value::Null);
    assert_eq!(world.registry.store.records().borrow().of(Kind::Policy).count(), 1);
}

#[tokio::test]
async fn scenario_24_every_mistake_is_refused_with_a_precise_error_and_changes_nothing() {
    let world = World::with_catalog().await;
    let before = world.registry.store.records().borrow().clone();
    let web = "frontend: \"web@2.4.1\"";
    for (place, change, code, expected) in [
        (
            "",
            "weightPpm: 1000001",
            "BAD_USER_INPUT",
            "weightPpm must be a whole number from 0 to 1000000, and is 1000001",
        ),
        ("", "weightPpm: -1", "BAD_USER_INPUT", "and is -1"),
        ("", "weightPpm: 5", "BAD_USER_INPUT", "there is no candidate that could have a weight"),
        ("", "candidate: \"1.5.0\"", "BAD_USER_INPUT", "the candidate 1.5.0 has no weight yet"),
        ("", "candidate: \"latest\", weightPpm: 1", "BAD_USER_INPUT", "candidate is no version"),
        (
            "",
            "candidate: \"1.6.0\", weightPpm: 1",
            "CONFLICT",
            "1.6.0 cannot stand in for 1.4.0: RPC_NO_DELETE",
        ),
        ("major: 1", "candidate: \"2.0.0\", weightPpm: 1", "BAD_USER_INPUT", "2.0.0 is of another major"),
        ("major: 3", "killed: true", "BAD_USER_INPUT", "no policy for everyone of catalog 3 yet"),
        ("", "allow: [\"robot:1\"]", "BAD_USER_INPUT", "allow \"robot:1\" must begin with"),
        ("", "", "BAD_USER_INPUT", "nothing is named that should change"),
        (web, "stable: \"2.0.0\"", "BAD_USER_INPUT", "2.0.0 does not satisfy the pin ^1.4 of web@2.4.1"),
        (
            "frontend: \"web@9.9.9\"",
            "capPpm: 1, stable: \"1.4.0\"",
            "BAD_USER_INPUT",
            "web@9.9.9 is not published",
        ),
        ("frontend: \"web\"", "capPpm: 1", "BAD_USER_INPUT", "frontend must be an app and its version"),
    ] {
        let (found, message) = refusal(&world.ask(&set(place, change, "")).await);
        assert_eq!(found, format!("\"{code}\""), "{change}: {message}");
        assert!(message.contains(expected), "{change}: {message}");
    }
    let nan = world.ask(&set("", "candidate: \"1.5.0\", weightPpm: NaN", "")).await;
    assert!(!nan.errors.is_empty());
    assert_eq!(world.registry.store.records().borrow().revision, before.revision);
}

#[tokio::test]
async fn scenario_24_of_two_edits_at_once_one_holds_and_the_other_learns_what_differs() {
    let world = World::with_catalog().await;
    let revision = world.registry.store.records().borrow().get(&everyone().key()).unwrap().revision;
    let edit = |ppm: u32, more: &str| set("", &format!("candidate: \"1.5.0\", weightPpm: {ppm}"), more);
    let expects = format!(", expectedRevision: \"{revision}\"");
    done(world.ask(&edit(10_000, &expects)).await);
    let (code, message) = refusal(&world.ask(&edit(20_000, &expects)).await);
    assert_eq!(code, "\"CONFLICT\"");
    for part in [
        format!("not {revision};"),
        "made by local (entry 1 of the audit log: tests): candidate was none, is 1.5.0 at 1 %".to_owned(),
    ] {
        assert!(message.contains(&part), "{part}: {message}");
    }

    // Both have looked before either writes.
    let (one, two) = (edit(30_000, ""), edit(40_000, ""));
    let (one, two) = tokio::join!(world.ask(&one), world.ask(&two));
    let lost: Vec<&Response> = [&one, &two].into_iter().filter(|answer| !answer.errors.is_empty()).collect();
    if let [lost] = lost[..] {
        assert!(refusal(lost).1.contains("candidate was 1.5.0 at 1 %, is 1.5.0 at"), "{}", refusal(lost).1);
    }
    assert!(lost.len() < 2, "one of two holds");
}

#[tokio::test]
async fn what_a_rollout_decides_is_refused_with_the_command_that_helps() {
    let world = World::with_catalog().await;
    let pending = State::Pending(rollout::Pending::Instances);
    world.rolls_out(pending).await;
    let (code, message) = refusal(&world.ask(&set("", "stable: \"1.5.0\"", "")).await);
    assert_eq!(code, "\"CONFLICT\"");
    assert!(message.contains("turnout rollout hold|advance|promote|rollback catalog@1.5.0"), "{message}");
    let killed = done(world.ask(&set("", "killed: true, deny: [\"customer:acme\"]", "")).await);
    assert_eq!(killed["inverse"], "turnout policy set catalog --major 1 --unkill --no-deny customer:acme");
}

#[tokio::test]
async fn a_version_whose_rollout_waits_for_an_operator_is_tried_by_hand() {
    let world = World::with_catalog().await;
    world.rolls_out(State::Pending(rollout::Pending::Operator)).await;
    let tried = done(world.ask(&set("", "candidate: \"1.5.0\", weightPpm: 300000", "")).await);
    assert_eq!(tried["differences"], json!(["candidate was none, is 1.5.0 at 30 %"]));
    let more = done(world.ask(&set("", "weightPpm: 600000", "")).await);
    assert_eq!(more["differences"], json!(["candidate was 1.5.0 at 30 %, is 1.5.0 at 60 %"]));
}

#[tokio::test]
async fn a_retired_version_is_not_decided_for() {
    let world = World::with_catalog().await;
    let key: Key = "tombstone/catalog/1.5.0".parse().unwrap();
    world.write(key, Some(b"{}".to_vec())).await;
    let (_, message) = refusal(&world.ask(&set("", "candidate: \"1.5.0\", weightPpm: 1", "")).await);
    assert!(message.contains("catalog 1.5.0 was retired"), "{message}");
}

#[tokio::test]
async fn scenario_25_the_audit_log_alone_tells_who_changed_what_and_back() {
    let world = World::with_catalog().await;
    let first = world.registry.store.records().borrow().get(&everyone().key()).unwrap().value.clone();
    for change in [
        "candidate: \"1.5.0\", weightPpm: 50000",
        "weightPpm: 200000, deny: [\"user:1\"]",
        "killed: true",
        "stable: \"1.5.0\"",
    ] {
        done(world.ask(&set("", change, "")).await);
    }
    let stored = world.audit.last(100).await.unwrap();
    audit::verify(stored.iter().map(|(at, record)| (*at, &*record.value))).unwrap();
    let mut state = String::from_utf8_lossy(&first).into_owned();
    for (_, record) in &stored {
        let act = audit::Entry::decode(&record.value).unwrap().act;
        assert_eq!((act.verb.as_str(), act.subject.as_str()), ("policy.set", "*/catalog/1"));
        assert_eq!(act.before, Some(state), "each begins where the one before it ended");
        assert!(act.inverse.starts_with("turnout policy set catalog --major 1 "), "{}", act.inverse);
        state = act.after.unwrap();
    }
    let now = world.registry.store.records().borrow().get(&everyone().key()).unwrap().value.clone();
    assert_eq!(state.as_bytes(), &*now);
}
