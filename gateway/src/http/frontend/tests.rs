//! Callers and what they see, through the door that requests take. Only questions about the graph are asked,
//! which no service has to answer: the fields of `Product` tell which catalog is behind it.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use axum::body::Body;
use http::{HeaderMap, Request};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use turnout_control::frontend::{App, Frontend, Frontends, How, Lifecycle, Rule, Trust, Units, Who};
use turnout_control::id::{FrontendId, Timestamp};
use turnout_control::policy::{Arm, Candidate, Policy, Reason};
use turnout_control::routes::Unrouted;
use turnout_control::slot::Weight;
use turnout_schema::Descriptors;
use turnout_schema::compose::{Locks, compose};
use turnout_schema::guard::Limits;
use turnout_schema::subgraph::{self, Exposure};

use super::super::facts::Ids;
use super::super::graphql::{Graphql, Settings};
use crate::clock::Clock;
use crate::config::{CohortUnit, StatusProfile};
use crate::generation::{Callee, Generation, Graph, Route, View};
use crate::identity::{self, Callers, Edge, JwtSettings, Keys, Overrides, Pass, Terms, Tokens, Without};
use crate::lineup::{Lineup, Trials};
use crate::telemetry::Meters;
use crate::upstream::Worker;
use crate::upstream::fleet::Fleet;

/// What 1.5.0 has and 1.4.0 has not.
const NEW: &str = "deliveryTime";
const ASK_FIELDS: &str = "{ __type(name: \"Product\") { fields { name } } }";
const ASK_NEW: &str = "{ products { products { deliveryTime } } }";

static OLD_GRAPH: LazyLock<Arc<Graph>> = LazyLock::new(|| graph("1.4.0"));
static NEW_GRAPH: LazyLock<Arc<Graph>> = LazyLock::new(|| graph("1.5.0"));

fn graph(version: &str) -> Arc<Graph> {
    let bytes = turnout_samples::descriptors("catalog", version).unwrap();
    let read = subgraph::read("catalog", version, &Descriptors::read(bytes).unwrap(), Exposure::Annotated);
    let supergraph = compose(&[read.subgraph], &Locks::default()).supergraph.unwrap();
    Arc::new(Graph::new(supergraph).unwrap())
}

fn callee(version: &str, meters: &Meters) -> Callee {
    let (service, version) = ("catalog".parse().unwrap(), version.parse().unwrap());
    let pool = Fleet::idle().pool(&service, &version);
    Callee::new(service, version, pool, meters)
}

fn view(frontend: Option<&str>, version: &str) -> View {
    let graph = if version == "1.4.0" { OLD_GRAPH.clone() } else { NEW_GRAPH.clone() };
    let routes = vec![Route::only(callee(version, &Meters::new()))];
    View { frontend: frontend.map(id), graph, routes, unrouted: BTreeMap::new() }
}

fn id(text: &str) -> FrontendId {
    text.parse().unwrap()
}

/// web 2.4.1 for everybody and 2.5.0 for a customer; 2.3.0 is gone and 2.4.0 will go.
fn published() -> Generation {
    let frontend = |(name, state): (&str, Lifecycle)| {
        (id(name), Frontend { id: id(name), state, pins: BTreeMap::new(), caps: BTreeMap::new() })
    };
    let states = [
        ("web@2.3.0", Lifecycle::Retired),
        ("web@2.4.0", Lifecycle::Deprecated),
        ("web@2.4.1", Lifecycle::Active),
        ("web@2.5.0", Lifecycle::Active),
        ("web@2.6.0", Lifecycle::Active),
    ];
    let acme = Who::Customers(["acme".to_owned()].into());
    let rule = Rule { to: "2.5.0".parse().unwrap(), who: acme, from: None, until: None };
    let web = App { name: "web".parse().unwrap(), default: "2.4.1".parse().unwrap(), rules: vec![rule] };
    let frontends = Frontends {
        published: states.map(frontend).into(),
        apps: [(web.name.clone(), web.clone())].into(),
        default: Some(web.name),
    };
    let mut old = view(Some("web@2.4.1"), "1.4.0");
    old.unrouted = [
        ("orders".parse().unwrap(), Unrouted::Unsatisfied("^3".to_owned())),
        ("echo".parse().unwrap(), Unrouted::Unpinned),
    ]
    .into();
    let views =
        vec![view(None, "1.5.0"), view(Some("web@2.4.0"), "1.4.0"), old, view(Some("web@2.5.0"), "1.5.0")];
    Generation::new(1, 1, Arc::new(frontends), views.into_iter().map(Arc::new).collect())
}

struct World {
    graphql: Graphql,
    tokens: Arc<Tokens>,
    meters: Meters,
    now: Timestamp,
}

fn world(generation: Generation, trust: Trust, jwt: Option<JwtSettings>) -> World {
    let settings = Settings {
        status: StatusProfile::Compat,
        body_bytes_max: 10_000,
        limits: Limits::RECOMMENDED,
        deadline: Duration::from_secs(10),
        forward: Vec::new(),
        expose_lineup: false,
    };
    let (_, settings) = watch::channel(Arc::new(settings));
    let (_, generations) = watch::channel(Some(Arc::new(generation)));
    let (_, identity) = watch::channel(Arc::new(identity::Settings { trust, edge: Edge::Believed, jwt }));
    let (tokens, clock) = (Arc::new(Tokens::new(Keys::random())), Clock::start());
    let (callers, _) = Callers::new(tokens.clone(), identity, clock);
    let (meters, worker) = (Meters::new(), Worker(0));
    let ids = Ids::new(1, worker);
    let graphql = Graphql::new((settings, generations), &callers, meters.clone(), ids, worker);
    World { graphql, tokens, meters, now: clock.now() }
}

impl World {
    fn token(&self, frontend: &str) -> String {
        self.tokens.mint(&Pass::new(id(frontend), Units::default(), None, self.now))
    }

    async fn ask(&self, query: &str, sent: &[(&'static str, &str)]) -> (u16, HeaderMap, Value) {
        let mut request = Request::post("/graphql").header("content-type", "application/json");
        for (name, value) in sent {
            request = request.header(*name, *value);
        }
        let body = json!({ "query": query }).to_string();
        let response = self.graphql.answer(request.body(Body::from(body)).unwrap()).await;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, headers, serde_json::from_slice(&body).unwrap())
    }

    /// Whether the new catalog is behind what a caller sees, and what it is told of its frontend.
    async fn sees(&self, sent: &[(&'static str, &str)]) -> (bool, Value) {
        let (status, _, body) = self.ask(ASK_FIELDS, sent).await;
        assert_eq!((status, &body["errors"]), (200, &Value::Null), "{sent:?}");
        let fields = body["data"]["__type"]["fields"].as_array().unwrap();
        (fields.iter().any(|field| field["name"] == NEW), body["extensions"]["frontend"].clone())
    }
}

fn update(target: &str) -> Value {
    json!({ "status": "update_required", "target": target })
}

#[tokio::test]
async fn scenario_16_who_is_not_what_it_says_gets_what_it_is_assigned_and_is_told_so() {
    let world = world(published(), Trust::Claims, None);
    let other = Tokens::new(Keys::random());
    let forged = other.mint(&Pass::new(id("web@2.5.0"), Units::default(), None, world.now));
    let then = Timestamp(world.now.0 - 13 * 3_600_000);
    let expired = world.tokens.mint(&Pass::new(id("web@2.5.0"), Units::default(), None, then));
    let retired = world.token("web@2.3.0");
    let mut counted = Vec::new();
    for (sent, how, frontend) in [
        (vec![("x-frontend-token", &*forged)], How::Forged, "_other"),
        (vec![("x-frontend-version", "web@<script>")], How::Forged, "_other"),
        (vec![("x-frontend-token", &*expired)], How::Expired, "web@2.5.0"),
        (vec![("x-frontend-version", "web@9.9.9")], How::Unknown, "_other"),
        (vec![("x-frontend-version", "shop@1.0.0")], How::Unknown, "_other"),
        (vec![("x-frontend-token", &*retired)], How::Retired, "web@2.3.0"),
        (vec![("x-frontend-version", "web@2.3.0")], How::Retired, "web@2.3.0"),
    ] {
        assert_eq!(world.sees(&sent).await, (false, update("web@2.4.1")), "{sent:?}");
        // What only the version has that it was not given cannot be had.
        let (status, headers, body) = world.ask(ASK_NEW, &sent).await;
        let error = &body["errors"][0]["extensions"];
        assert_eq!((status, &error["code"]), (403, &json!("FRONTEND_RETIRED")), "{body}");
        assert_eq!(
            (&error["target"], &body["extensions"]["frontend"]),
            (&json!("web@2.4.1"), &update("web@2.4.1"))
        );
        assert_eq!(headers["turnout-frontend-status"], "update_required; target=web@2.4.1");
        // What is no GraphQL is told as that.
        let (_, _, body) = world.ask("{ __typename", &sent).await;
        assert_eq!(body["errors"][0]["extensions"]["code"], "GRAPHQL_PARSE_FAILED");
        counted.extend(std::iter::repeat_n((frontend.to_owned(), how), 3));
    }
    // Nothing is said: what is assigned, and there is nothing to be told.
    assert_eq!(world.sees(&[]).await, (false, Value::Null));
    assert_eq!(world.sees(&[("x-turnout-customer", "acme")]).await, (true, Value::Null));
    counted.extend([("web@2.4.1".to_owned(), How::Default), ("web@2.5.0".to_owned(), How::Default)]);
    // Each has a counter of its own.
    let mut expected = BTreeMap::new();
    for named in counted {
        *expected.entry(named).or_insert(0) += 1;
    }
    let counts = world.meters.frontends().into_iter().map(|(name, how, count)| ((name, how), count));
    assert_eq!(counts.collect::<BTreeMap<_, _>>(), expected);
    assert_eq!(world.meters.units(), [("user", 0), ("anon", 0), ("customer", 1), ("none", 22)]);
}

#[tokio::test]
async fn scenario_17_two_tabs_see_the_graphs_that_they_were_built_for() {
    for trust in [Trust::Claims, Trust::Signed] {
        let world = world(published(), trust, None);
        let first = Pass::new(id("web@2.4.1"), Units::default(), None, world.now);
        let second = Pass::new(id("web@2.5.0"), Units::default(), Some(&first), world.now);
        let cookie = format!("turnout_frontend={}", world.tokens.mint(&second));
        let page = world.tokens.mint(&first);
        for (own, new) in [
            (("x-frontend-token", &*page), false),
            (("x-frontend-version", "web@2.4.1"), false),
            (("x-frontend-version", "web@2.5.0"), true),
        ] {
            assert_eq!(world.sees(&[own, ("cookie", &*cookie)]).await, (new, Value::Null), "{own:?}");
        }
        assert_eq!(world.sees(&[("cookie", &*cookie)]).await, (true, Value::Null));
        // A tab keeps its version whoever is assigned what meanwhile.
        let moved = [("x-frontend-token", &*page), ("x-turnout-customer", "acme")];
        assert_eq!(world.sees(&moved).await, (false, Value::Null));
    }
}

#[tokio::test]
async fn a_bare_name_chooses_where_names_are_believed_and_else_says_what_is_assigned() {
    let bare = [("x-frontend-version", "web@2.5.0")];
    assert_eq!(world(published(), Trust::Claims, None).sees(&bare).await, (true, Value::Null));
    let signed = world(published(), Trust::Signed, None);
    assert_eq!(signed.sees(&bare).await, (false, update("web@2.4.1")));
    let assigned = [("x-frontend-version", "web@2.5.0"), ("x-turnout-customer", "acme")];
    assert_eq!(signed.sees(&assigned).await, (true, Value::Null));
}

#[tokio::test]
async fn before_anything_is_published_everybody_sees_what_is_built_in() {
    let views = vec![Arc::new(view(None, "1.5.0"))];
    let world = world(Generation::new(1, 1, Arc::default(), views), Trust::Signed, None);
    for sent in [vec![], vec![("x-frontend-version", "web@2.4.1")], vec![("x-frontend-token", "a.b.c")]] {
        assert_eq!(world.sees(&sent).await, (true, Value::Null), "{sent:?}");
    }
    let (status, _, body) = world.ask("{ nope }", &[("x-frontend-version", "web@2.4.1")]).await;
    assert_eq!(
        (status, &body["errors"][0]["extensions"]["code"]),
        (200, &json!("GRAPHQL_VALIDATION_FAILED"))
    );
}

#[tokio::test]
async fn where_no_app_is_for_everybody_who_is_not_what_it_says_is_told_so() {
    let frontends = Frontends { apps: BTreeMap::new(), default: None, ..(*published().frontends).clone() };
    let views = vec![Arc::new(view(None, "1.5.0"))];
    let world = world(Generation::new(1, 1, Arc::new(frontends), views), Trust::Claims, None);
    assert_eq!(world.sees(&[]).await, (true, Value::Null));
    let told = json!({ "status": "update_required", "target": null });
    for sent in [("x-frontend-token", "a.b.c"), ("x-frontend-version", "web@2.3.0")] {
        assert_eq!(world.sees(&[sent]).await, (true, told.clone()), "{sent:?}");
        let (status, headers, body) = world.ask("{ nope }", &[sent]).await;
        assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (403, &json!("FRONTEND_RETIRED")));
        assert!(body["errors"][0]["message"].as_str().unwrap().contains("any@0.0.0"), "{body}");
        assert_eq!(headers["turnout-frontend-status"], "update_required");
    }
}

#[tokio::test]
async fn a_deprecated_frontend_is_served_and_told_in_a_header() {
    let world = world(published(), Trust::Claims, None);
    let (status, headers, body) = world.ask("{ __typename }", &[("x-frontend-version", "web@2.4.0")]).await;
    assert_eq!((status, body), (200, json!({ "data": { "__typename": "Query" } })));
    assert_eq!(headers["turnout-frontend-status"], "deprecated; target=web@2.4.1");
    let (_, headers, _) = world.ask("{ __typename }", &[("x-frontend-version", "web@2.4.1")]).await;
    assert!(!headers.contains_key("turnout-frontend-status"));
}

#[tokio::test]
async fn what_is_missing_is_explained_by_what_the_frontend_cannot_have() {
    let world = world(published(), Trust::Claims, None);
    let (_, _, body) = world.ask("{ orders { id } }", &[("x-frontend-version", "web@2.4.1")]).await;
    let error = &body["errors"][0]["extensions"];
    assert_eq!(error["code"], "GRAPHQL_VALIDATION_FAILED");
    let why = "no version satisfies its pin ^3";
    assert_eq!(error["unavailable"], json!([{ "service": "orders", "why": why }]));
    // Published, and nothing of it is served.
    let (status, _, body) = world.ask("{ __typename }", &[("x-frontend-version", "web@2.6.0")]).await;
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (503, &json!("VERSION_UNAVAILABLE")));
}

#[tokio::test]
async fn who_needs_a_token_and_has_none_is_not_served() {
    let terms = Terms { issuer: "i".to_owned(), audience: None, customer_claim: None, segments_claim: None };
    let jwks_url = "https://login.test/jwks".parse().unwrap();
    let jwt = JwtSettings { terms, jwks_url, without: Without::Refused };
    let world = world(published(), Trust::Claims, Some(jwt));
    for sent in [vec![], vec![("authorization", "Bearer a.b.c")]] {
        let (status, headers, body) = world.ask("{ __typename }", &sent).await;
        assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (401, &json!("UNAUTHENTICATED")));
        assert_eq!(headers["www-authenticate"], "Bearer");
        assert!(world.meters.frontends().is_empty());
    }
}

#[tokio::test]
async fn an_override_reaches_what_the_policies_have_and_nothing_else() {
    let meters = Meters::new();
    let version = |text: &str| text.parse().unwrap();
    let tried = Candidate {
        version: version("1.5.0"),
        weight: Weight::NONE,
        cap: Weight::NONE,
        salt: "catalog/1".to_owned(),
        killed: false,
        allow: [].into(),
        deny: [].into(),
    };
    let policy = Policy::new(version("1.4.0"), Some(tried), None, &|_| false).unwrap();
    let (stable, candidate) = (callee("1.4.0", &meters), callee("1.5.0", &meters));
    let trial = Trials::default().of(&stable.service, &stable.version, &candidate.version);
    let mut view = view(None, "1.4.0");
    let service = stable.service.clone();
    let candidate = Some((candidate, trial));
    view.routes = vec![Route { service, policy, cohort: CohortUnit::User, stable, candidate }];
    let units = Units::default();
    let chosen = |wanted: &str| {
        let overrides = [("catalog".parse().unwrap(), version(wanted))].into();
        let lineup = Lineup::with_overrides(&view, &units, &overrides);
        lineup.map(|lineup| lineup.choose(0).map(|chosen| (chosen.arm, chosen.reason)).unwrap())
    };
    assert_eq!(chosen("1.4.0"), Ok((Arm::Stable, Reason::Override)));
    // Nobody of it is there: who asks for a version gets it or an error, and no other version.
    assert_eq!(chosen("1.5.0"), Ok((Arm::Candidate, Reason::Override)));
    let expected = "catalog 1.6.0 is neither the stable version of this frontend nor its candidate";
    assert_eq!(chosen("1.6.0").unwrap_err().to_string(), expected);

    let world = world(published(), Trust::Claims, None);
    let expires = Timestamp(world.now.0 + 60_000);
    for (wanted, status) in [("1.4.0", 200), ("1.5.0", 403)] {
        let versions = [("catalog".parse().unwrap(), version(wanted))].into();
        let overrides = Overrides { versions, actor: "ann".to_owned(), expires };
        let token = world.tokens.mint_override(&overrides);
        let (found, _, body) = world.ask("{ __typename }", &[("x-turnout-override", &token)]).await;
        assert_eq!(found, status, "{body}");
    }
    let (status, _, body) = world.ask("{ __typename }", &[("x-turnout-override", "catalog=1.4.0")]).await;
    assert_eq!((status, &body["errors"][0]["extensions"]["code"]), (403, &json!("FORBIDDEN")));
}
