//! Explanations: they say what a request would be given, and when that changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};
use turnout_control::frontend::{App, Frontend, Frontends, Lifecycle, Rule, Units, Who};
use turnout_control::id::{FrontendId, Timestamp};
use turnout_control::policy::{Candidate, Health, Policy};
use turnout_control::rollout::{Pending, State};
use turnout_control::slot::{Slot, Unit, Weight};
use turnout_schema::compose::{Locks, compose};
use turnout_schema::subgraph::{self, Exposure};
use turnout_schema::{Descriptors, supergraph::Member};

use super::{World, data, refusal};
use crate::generation::{Callee, Generation, Graph, Route, View};
use crate::lineup::{Lineup, Trials};
use crate::telemetry::Meters;
use crate::upstream::fleet::Fleet;

/// Whoever is no published frontend.
const ANY: &str = "frontend: \"any@0.0.0\",";

fn policy() -> Policy {
    let candidate = Candidate {
        version: "1.5.0".parse().unwrap(),
        weight: Weight::ppm(300_000).unwrap(),
        cap: Weight::ALL,
        salt: "catalog/1/1.5.0".to_owned(),
        killed: false,
        allow: ["user:allowed".parse().unwrap()].into(),
        deny: ["user:denied".parse().unwrap()].into(),
    };
    Policy::new("1.4.0".parse().unwrap(), Some(candidate), None, &|_| false).unwrap()
}

/// What serves: catalog with a candidate and orders without, for everybody and for web@2.4.1.
fn generation(world: &World) -> Arc<Generation> {
    let read = |(service, version): (&str, &str)| {
        let bytes = turnout_samples::descriptors(service, version).unwrap();
        subgraph::read(service, version, &Descriptors::read(bytes).unwrap(), Exposure::Annotated).subgraph
    };
    let members = [("catalog", "1.4.0"), ("orders", "2.1.0")].map(read);
    let graph = Arc::new(Graph::new(compose(&members, &Locks::default()).supergraph.unwrap()).unwrap());
    let (fleet, meters, trials) = (Fleet::idle(), Meters::new(), Trials::default());
    fleet.apply(&world.registry.snapshot());
    let callee = |service: &str, version: &str| {
        let (service, version) = (service.parse().unwrap(), version.parse().unwrap());
        let pool = fleet.pool(&service, &version);
        Callee::new(service, version, pool, &meters)
    };
    let route = |member: &Member| {
        let stable = Route::only(callee(&member.service, &member.version));
        if &*member.service != "catalog" {
            return stable;
        }
        let trial = trials.of(&stable.service, policy().stable(), &"1.5.0".parse().unwrap());
        let candidate = Some((callee("catalog", "1.5.0"), trial));
        Route { policy: policy(), candidate, ..stable }
    };
    let view = |frontend: Option<FrontendId>| {
        let routes = graph.supergraph().members.iter().map(route).collect();
        Arc::new(View { frontend, graph: graph.clone(), routes, unrouted: BTreeMap::new() })
    };
    let id: FrontendId = "web@2.4.1".parse().unwrap();
    let frontend =
        Frontend { id: id.clone(), state: Lifecycle::Active, pins: BTreeMap::new(), caps: BTreeMap::new() };
    let rule = Rule {
        to: "2.4.1".parse().unwrap(),
        who: Who::Segment("beta".to_owned()),
        from: None,
        until: Some(Timestamp(u64::MAX)),
    };
    let app = App { name: id.app.clone(), default: "9.9.9".parse().unwrap(), rules: vec![rule] };
    let frontends = Frontends {
        published: [(id.clone(), frontend)].into(),
        apps: [(id.app.clone(), app)].into(),
        default: Some(id.app.clone()),
    };
    Arc::new(Generation::new(7, 3, Arc::new(frontends), vec![view(None), view(Some(id))]))
}

async fn explain(world: &World, caller: &str) -> Value {
    let question = format!(
        "{{ explain(caller: {{ {caller} }}) {{ frontend because generation plan services {{ service version arm \
         reason because until slot unit candidate effectivePpm }} }} }}"
    );
    data(world.ask(&question).await)["explain"].clone()
}

async fn world() -> (World, Arc<Generation>) {
    let world = World::with_catalog().await;
    let generation = generation(&world);
    world.generations.send_replace(Some(generation.clone()));
    (world, generation)
}

#[tokio::test]
async fn scenario_25_explanations_agree_with_the_lineup_of_a_thousand_units() {
    let (world, generation) = world().await;
    let view = generation.view(None).unwrap();
    let member = view.routes.iter().position(|route| route.service.as_str() == "catalog").unwrap();
    let mut candidates = 0;
    for id in 0..1_000 {
        let unit: Unit = format!("user:{}", id * 7_919).parse().unwrap();
        let units = Units { person: Some(unit.clone()), ..Units::default() };
        let lineup = Lineup::new(view, &units);
        let chosen = lineup.choose(member).unwrap();
        let told = explain(&world, &format!("{ANY} unit: \"{unit}\", services: [\"catalog\"]")).await;
        let told = &told["services"][0];
        assert_eq!(told["version"], json!(chosen.callee.version.to_string()), "{unit}");
        assert_eq!(told["reason"], json!(chosen.reason.as_str()), "{unit}");
        assert_eq!(told["slot"], json!(chosen.slot.map(Slot::number)), "{unit}");
        // Health is the same for all; what the policy alone would choose is what is told of it.
        let alone = policy();
        let alone = alone.choose(Some(&unit), &|_| Health::Serves);
        assert_eq!(alone.slot, chosen.slot);
        candidates += usize::from(alone.arm.as_str() == "candidate");
    }
    assert!((250..350).contains(&candidates), "{candidates}");
}

#[tokio::test]
async fn when_a_unit_would_turn_is_told_by_the_steps_of_the_rollout() {
    let (world, _) = world().await;
    world.rolls_out(State::Pending(Pending::Instances)).await;
    let slot = |id: u32| Slot::of("catalog/1/1.5.0", &format!("user:{id}").parse().unwrap()).number();
    let between = |from: u32, to: u32| (0..).find(|id| (from..to).contains(&slot(*id))).unwrap();
    for (id, expected) in [
        (between(300_000, 500_000), "(step 4 of 4)"),
        (between(600_000, 1_000_000), "until 1.5.0 is promoted: no step reaches"),
    ] {
        let told = explain(&world, &format!("{ANY} unit: \"user:{id}\", services: [\"catalog\"]")).await;
        let until = told["services"][0]["until"].as_str().unwrap().to_owned();
        assert!(until.contains(expected), "{until}");
    }
    for (unit, reason, until) in [
        ("unit: \"user:denied\"", "DENY", "until 1.5.0 is promoted"),
        ("", "NO_UNIT", "until 1.5.0 is promoted"),
    ] {
        let told = explain(&world, &format!("{ANY} {unit} services: [\"catalog\"]")).await;
        let told = &told["services"][0];
        assert_eq!((&told["reason"], &told["until"]), (&json!(reason), &json!(until)), "{told}");
    }
}

#[tokio::test]
async fn the_frontend_is_the_one_that_rules_assign_unless_it_is_named() {
    let (world, _) = world().await;
    for (caller, frontend, because) in [
        ("segments: [\"beta\"]", "web@2.4.1", "rule 1 of web gives 2.4.1 to the segment beta"),
        ("frontend: \"web@2.4.1\"", "web@2.4.1", "it was asked about"),
        ("frontend: \"any@0.0.0\"", "any@0.0.0", "it was asked about"),
        (
            "frontend: \"web@1.0.0\", segments: [\"beta\"]",
            "web@2.4.1",
            "the frontend that was asked about is not published; rule 1 of web gives 2.4.1 to the segment beta",
        ),
    ] {
        let told = explain(&world, caller).await;
        assert_eq!((&told["frontend"], &told["because"]), (&json!(frontend), &json!(because)), "{caller}");
    }
    // The default is not published, so whoever no rule means is refused, as a request is.
    let (_, message) = refusal(&world.ask("{ explain(caller: { unit: \"user:1\" }) { frontend } }").await);
    assert!(message.starts_with("the version that this caller is assigned is not published"), "{message}");
}

#[tokio::test]
async fn an_operation_is_told_with_its_calls_and_the_services_that_it_touches() {
    let (world, _) = world().await;
    let told = explain(
        &world,
        &format!("{ANY} unit: \"user:1\", document: \"{{ order(id: \\\"1\\\") {{ id }} }}\""),
    )
    .await;
    assert_eq!(told["plan"], "orders.GetOrder(id: \"1\")");
    let services: Vec<&Value> =
        told["services"].as_array().unwrap().iter().map(|one| &one["service"]).collect();
    assert_eq!(services, ["orders"]);
    for (caller, expected) in [
        ("document: \"{ nothing }\"", "document cannot be answered: Cannot query field"),
        ("operation: \"Home\"", "\"Home\" is in no document that any@0.0.0 was published with"),
        ("services: [\"users\"]", "the frontend does not see a service users"),
        ("unit: \"robot:1\"", "unit must begin with"),
    ] {
        let question = format!("{{ explain(caller: {{ {ANY} {caller} }}) {{ frontend }} }}");
        let (_, message) = refusal(&world.ask(&question).await);
        assert!(message.contains(expected), "{caller}: {message}");
    }
    world.generations.send_replace(None);
    let (_, message) = refusal(&world.ask("{ explain(caller: {}) { frontend } }").await);
    assert_eq!(message, "nothing is served yet");
}
