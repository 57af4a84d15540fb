//! A candidate beside its stable version, through the public door: who gets which, and that an operation gets one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::Request;
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;
use turnout_control::records::Change;
use turnout_control::routes::{Base, Place, Scope, Tried, write_base};
use turnout_control::slot::{Slot, Unit, Weight};

use crate::gateway::{Answer, Gateway, instance};
use crate::scenario::document::{Described, Reply, With};
use crate::scenario::service::Service;

const STABLE: &str = "1.4.0";
const TRIED: &str = "1.5.0";
const SALT: &str = "shop/1/1.5.0";

/// A list whose entries are looked up in the same service, so that one operation has calls of every kind.
const PROTO: &str = r#"
service S {
  rpc List(ListRequest) returns (ListResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (turnout.graphql.v1.rpc) = {field: "posts", unwrap: "posts"};
  }
  rpc BatchGetUsers(BatchGetUsersRequest) returns (BatchGetUsersResponse) {
    option idempotency_level = NO_SIDE_EFFECTS;
    option (turnout.graphql.v1.rpc) = {
      hidden: true, lookup: {entity: "User", keys: "ids", items: "users", key: "id", max_keys: 1}
    };
  }
}
message ListRequest { int32 limit = 1; }
message ListResponse { repeated Post posts = 1; }
message Post {
  string id = 1;
  int64 author_id = 2 [(turnout.graphql.v1.field) = {ref: "User"}];
}
message BatchGetUsersRequest { repeated int64 ids = 1; }
message BatchGetUsersResponse { repeated User users = 1; }
message User { option (turnout.graphql.v1.entity) = {key: "id"}; int64 id = 1; string name = 2; }
"#;

struct World {
    gateway: Gateway,
    stable: Service,
    tried: Service,
    _data: TempDir,
}

fn answers() -> Vec<Reply> {
    let users: Vec<Value> = (1..=5).map(|id| json!({ "id": id.to_string(), "name": "Ada" })).collect();
    let posts: Vec<Value> =
        (1..=5).map(|id| json!({ "id": id.to_string(), "authorId": id.to_string() })).collect();
    let reply = |method: &str, message: Value| Reply {
        method: method.to_owned(),
        when: None,
        with: With::Message(message.to_string()),
    };
    vec![
        reply("shop.v1.S/List", json!({ "posts": posts })),
        reply("shop.v1.S/BatchGetUsers", json!({ "users": users })),
    ]
}

fn failures() -> Vec<Reply> {
    let with =
        With::Status { code: "INTERNAL".to_owned(), message: "broken".to_owned(), details: Vec::new() };
    vec![Reply { method: "shop.v1.S/List".to_owned(), when: None, with }]
}

impl World {
    /// Both versions run, and nobody gets the newer one.
    async fn start(tried: &[Reply]) -> World {
        let data = tempfile::tempdir().unwrap();
        let settings = [
            ("expose", "all"),
            ("expose_lineup", "true"),
            ("identity.trust_unit_header", "true"),
            ("headers.forward", "x-operation"),
            ("rollouts.warmup", "0s"),
            ("on_new_version", "hold"),
        ];
        let gateway = Gateway::start_with(data.path(), &settings).await;
        let described = |version: &str| Described {
            name: "shop".to_owned(),
            version: version.to_owned(),
            proto: PROTO.to_owned(),
        };
        let stable = Service::start(&described(STABLE), &answers()).await;
        let tried = Service::start(&described(TRIED), tried).await;
        let world = World { gateway, stable, tried, _data: data };
        world.register(STABLE, &world.stable).await;
        world.until(|answer| answer.json()["data"]["posts"].is_array()).await;
        world.register(TRIED, &world.tried).await;
        world
    }

    async fn register(&self, version: &str, service: &Service) {
        let digest = self.gateway.store(&service.descriptors).await;
        let body = json!({
            "version": version,
            "endpoints": [{ "url": format!("grpc://{}", service.address) }],
            "schema": { "digest": digest },
        });
        let id = format!("shop-{}", version.replace('.', "-"));
        let answer = self.gateway.put(&instance("shop", &id), body.to_string()).await;
        assert!(answer.status.is_success(), "{}", answer.text());
    }

    /// Writes how many get the newer version.
    async fn weigh(&self, ppm: u32) {
        let store = &self.gateway.app().registry().store;
        let place = Place { scope: Scope::Everyone, service: "shop".parse().unwrap(), major: 1 };
        let candidate = Tried {
            version: TRIED.parse().unwrap(),
            weight: Weight::ppm(ppm).unwrap(),
            salt: SALT.to_owned(),
        };
        let base = Base { candidate: Some(candidate), ..Base::new(STABLE.parse().unwrap()) };
        let key = place.key();
        let seen = store.records().borrow().seen(&key);
        let change = Change {
            expected: [(key.clone(), seen)].into(),
            writes: [(key, Some(write_base(&base).into()))].into(),
        };
        store.change(change).await.unwrap();
    }

    async fn ask(&self, query: &str, unit: &str, operation: &str) -> Answer {
        let body = json!({ "query": query }).to_string();
        let request = Request::post(format!("{}/graphql", self.gateway.public()))
            .header("content-type", "application/json")
            .header("x-operation", operation)
            // What a caller must not be able to say.
            .header("x-turnout-lineup", "shop=9.9.9;candidate");
        let request = match unit {
            "" => request,
            unit => request.header("x-turnout-unit", unit),
        };
        self.gateway.send(request.body(Full::new(Bytes::from(body))).unwrap()).await
    }

    /// Asks as somebody whom every weight takes, until the answer is as it should be.
    async fn until(&self, is: impl Fn(&Answer) -> bool) {
        let first = somebody(1);
        for _ in 0..500 {
            if is(&self.ask("{ posts { id } }", &first, "wait").await) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it did not come to that in ten seconds");
    }

    /// Until the newer version is given to anybody.
    async fn tries(&self) {
        self.until(|answer| lineup(answer) == format!("shop={TRIED};candidate")).await;
        self.stable.forget();
        self.tried.forget();
    }
}

/// A user whose slot is below a weight of one per cent; another one for each number.
fn somebody(number: usize) -> String {
    let users = (0..).map(|id| format!("user:{id}"));
    let mut early = users.filter(|user| slot(user) < 10_000);
    early.nth(number).unwrap()
}

fn slot(user: &str) -> u32 {
    Slot::of(SALT, &user.parse::<Unit>().unwrap()).number()
}

fn lineup(answer: &Answer) -> String {
    answer.headers.get("turnout-lineup").map_or(String::new(), |value| value.to_str().unwrap().to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_gets_the_candidate_is_told_to_callers_and_to_services() {
    let world = World::start(&answers()).await;
    world.weigh(10_000).await;
    world.tries().await;
    for (unit, version, arm) in [
        (somebody(2), TRIED, "candidate"),
        ("user:0".to_owned(), STABLE, "stable"),
        (String::new(), STABLE, "stable"),
    ] {
        assert!(unit != "user:0" || slot(&unit) >= 10_000);
        world.stable.forget();
        world.tried.forget();
        let answer = world.ask("{ posts { id author { name } } }", &unit, "one").await;
        assert_eq!(lineup(&answer), format!("shop={version};{arm}"), "{}", answer.text());
        assert_eq!(answer.headers["turnout-frontend"], "any@0.0.0");
        let (called, other) = match version == TRIED {
            true => (&world.tried, &world.stable),
            false => (&world.stable, &world.tried),
        };
        // The list, and five batches of one key.
        assert_eq!((called.metadata().len(), other.metadata().len()), (6, 0));
        for metadata in called.metadata() {
            let text = |name: &str| metadata.get(name).map(|value| value.to_str().unwrap().to_owned());
            assert_eq!(text("x-frontend-version").as_deref(), Some("any@0.0.0"));
            assert_eq!(text("x-turnout-unit").unwrap_or_default(), unit);
            assert_eq!(text("x-turnout-lineup"), Some(format!("shop={version};{arm}")));
        }
    }
    world.gateway.stop().await;
}

/// Forty fields and the keys that they bring, in one operation.
fn forty() -> String {
    let fields: String =
        (0..40).map(|at| format!(" a{at}: posts(limit: {at}) {{ id author {{ name }} }}")).collect();
    format!("{{{fields} }}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scenario_05_an_operation_has_one_version_however_weights_move() {
    let world = World::start(&answers()).await;
    world.weigh(1_000_000).await;
    world.tries().await;
    let (operations, query) = (150, forty());
    let next = AtomicUsize::new(0);
    let senders = (0..4).map(|_| async {
        loop {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= operations {
                return;
            }
            let (unit, name) = (format!("user:{}", number % 40), format!("operation-{number}"));
            let answer = world.ask(&query, &unit, &name).await;
            assert!(answer.json().get("errors").is_none(), "{}", answer.text());
            let told = lineup(&answer);
            assert!(told.starts_with("shop=1.") && !told.contains(','), "{told}");
        }
    });
    let moves = async {
        let mut moved = 0;
        while next.load(Ordering::Relaxed) < operations {
            for ppm in [0, 1_000_000, 300_000, 700_000] {
                world.weigh(ppm).await;
                moved += 1;
                tokio::time::sleep(Duration::from_millis(25)).await;
            }
        }
        moved
    };
    let (_, moved) = tokio::join!(join_all(senders), moves);
    let mut versions: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    let mut calls = 0;
    for (version, service) in [(STABLE, &world.stable), (TRIED, &world.tried)] {
        for metadata in service.metadata() {
            let operation = metadata["x-operation"].to_str().unwrap().to_owned();
            versions.entry(operation).or_default().insert(version);
            calls += 1;
        }
    }
    assert_eq!(versions.len(), operations);
    let both: Vec<_> = versions.iter().filter(|(_, versions)| versions.len() > 1).collect();
    assert!(both.is_empty(), "{both:?}");
    let of = |version| versions.values().filter(|versions| versions.contains(version)).count();
    let (stable, tried) = (of(STABLE), of(TRIED));
    println!(
        "{operations} operations of {calls} calls while weights moved {moved} times: {stable} and {tried}"
    );
    assert!(stable > 10 && tried > 10 && moved > 8, "{stable} {tried} {moved}");
    world.gateway.stop().await;
}

/// How soon it opens is measured with real processes, in `rollouts`.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fuse_that_opened_is_in_the_metrics_and_so_is_who_went_back() {
    let world = World::start(&failures()).await;
    world.weigh(250_000).await;
    world.tries().await;
    let mut failed = 0;
    for number in 1.. {
        let unit = format!("user:{number}");
        let answer = world.ask("{ posts { id } }", &unit, "fuse").await;
        failed += usize::from(answer.json().get("errors").is_some());
        if slot(&unit) < 250_000 && lineup(&answer) == format!("shop={STABLE};stable") {
            break;
        }
        assert!(number < 1_000, "{failed} of {number} failed, and the fuse is closed");
    }
    assert!(failed > 0);
    let metrics = world.gateway.get("/metrics").await.text();
    let line = "turnout_lineup_fuses_open{service=\"shop\",version=\"1.5.0\"} 1";
    assert!(metrics.lines().any(|found| found == line), "{metrics}");
    let reason = "reason=\"FUSE_OPEN\"";
    assert!(metrics.lines().any(|found| found.contains("lineup_choices") && found.contains(reason)));
    world.gateway.stop().await;
}
