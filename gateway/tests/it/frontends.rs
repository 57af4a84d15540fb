//! Frontends from a directory and from commands: what is published and what is refused, who is given which page,
//! and what of a page can be had.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::Full;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::commands::turnout;
use crate::gateway::{Answer, Gateway, body, instance};

/// A gateway with a directory of frontends.
struct World {
    data: TempDir,
    dir: TempDir,
    gateway: Gateway,
}

const HOME: &str = "query Home { products(pageSize: 3) { products { id title } } }\n";

fn put(root: &Path, path: &str, text: &str) {
    let place = root.join(path);
    fs::create_dir_all(place.parent().unwrap()).unwrap();
    fs::write(place, text).unwrap();
}

fn manifest(version: &str, state: &str, pins: &str) -> String {
    format!("app: web\nversion: {version}\nstate: {state}\npins: {pins}\npage: page\ndocuments: operations\n")
}

/// A version with a page and an operation.
fn version(root: &Path, version: &str, state: &str) {
    let place = format!("web/{version}");
    put(root, &format!("{place}/manifest.yaml"), &manifest(version, state, "{ catalog: ^1.4 }"));
    put(root, &format!("{place}/operations/Home.graphql"), HOME);
    let html = format!(
        "<!doctype html><html><head><meta name=\"turnout-frontend-token\" content=\"\"><title>web {version}</title>\
         <script type=\"module\" src=\"/apps/web@{version}/assets/app-1a2b.js\"></script></head><body></body></html>"
    );
    put(root, &format!("{place}/page/index.html"), &html);
    put(root, &format!("{place}/page/assets/app-1a2b.js"), &format!("export const version = \"{version}\";"));
    put(root, &format!("{place}/secret.txt"), "not of the page");
}

impl World {
    async fn start(app: &str, versions: &[(&str, &str)]) -> World {
        let (data, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        put(dir.path(), "web/app.yaml", app);
        for (tag, state) in versions {
            version(dir.path(), tag, state);
        }
        let gateway = World::gateway(&data, &dir).await;
        World { data, dir, gateway }
    }

    async fn gateway(data: &TempDir, dir: &TempDir) -> Gateway {
        let place = dir.path().display().to_string();
        Gateway::start_with(data.path(), &[("frontends.dir", &place), ("identity.trust_unit_header", "true")])
            .await
    }

    /// Registers a version of the catalogue; nobody answers there.
    async fn register(&self, version: &str) {
        let digest = self.gateway.store(turnout_samples::descriptors("catalog", version).unwrap()).await;
        let id = format!("catalog-{}", version.replace('.', "-"));
        let answer = self.gateway.put(&instance("catalog", &id), body(version, &digest).to_string()).await;
        assert!(answer.status.is_success(), "{}", answer.text());
    }

    async fn ops(&self, question: &str, variables: Value) -> Value {
        let body = json!({ "query": question, "variables": variables }).to_string();
        let request = Request::post(format!("{}/graphql", self.gateway.admin()));
        let request =
            request.header("content-type", "application/json").body(Full::new(body.into())).unwrap();
        self.gateway.send(request).await.json()
    }

    /// The state and the standing of each version.
    async fn standings(&self) -> BTreeMap<String, (String, String)> {
        let answer = self.ops("{ frontends { name state directory } }", Value::Null).await;
        let text = |value: &Value| value.as_str().unwrap_or("-").to_owned();
        let frontends = answer["data"]["frontends"].as_array().unwrap().clone();
        frontends
            .iter()
            .map(|one| (text(&one["name"]), (text(&one["state"]), text(&one["directory"]))))
            .collect()
    }

    /// Waits until a version stands so.
    async fn wait_for(&self, name: &str, state: &str, directory: &str) {
        let mut standings = BTreeMap::new();
        for _ in 0..200 {
            standings = self.standings().await;
            if standings.get(name) == Some(&(state.to_owned(), directory.to_owned())) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{name} is not {state} and {directory}: {standings:?}");
    }

    /// Waits until the app leads to its versions.
    async fn wait_for_app(&self) {
        for _ in 0..200 {
            if self.get("/apps/web/", &[]).await.status == StatusCode::OK {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the app is not there");
    }

    async fn ask(&self, method: Method, path: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.gateway.public()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.gateway.send(request.body(Full::new(Bytes::new())).unwrap()).await
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask(Method::GET, path, headers).await
    }
}

const APP: &str = "app: web\ndefault: 2.4.1\n";

fn header<'a>(answer: &'a Answer, name: &str) -> &'a str {
    answer.headers.get(name).map_or("", |value| value.to_str().unwrap())
}

/// The version whose page it is.
fn shown(answer: &Answer) -> String {
    let text = answer.text();
    let start = text.find("<title>web ").unwrap_or_else(|| panic!("{} {text}", answer.status)) + 11;
    text[start..start + text[start..].find('<').unwrap()].to_owned()
}

fn cookie(answer: &Answer) -> String {
    header(answer, "set-cookie").split(';').next().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_waits_for_its_services_and_stays_when_they_go() {
    let world = World::start(APP, &[("2.4.1", "active"), ("2.5.0", "preview")]).await;
    world.wait_for("web@2.4.1", "-", "WAITING").await;
    let why = world.ops("{ frontend(name: \"web@2.4.1\") { why } }", Value::Null).await;
    let why = why["data"]["frontend"]["why"].as_str().unwrap().to_owned();
    assert!(why.contains("No version of catalog satisfies ^1.4."), "{why}");
    assert_eq!(world.get("/apps/web/", &[]).await.status, StatusCode::NOT_FOUND);

    world.register("1.4.0").await;
    world.wait_for("web@2.4.1", "ACTIVE", "TAKEN").await;
    world.wait_for("web@2.5.0", "PREVIEW", "TAKEN").await;
    world.wait_for_app().await;
    let audit = world.ops("{ audit { actor verb subject inverse } }", Value::Null).await.to_string();
    assert!(
        audit.contains("frontends.dir") && audit.contains("turnout frontend retire web@2.4.1"),
        "{audit}"
    );

    let gone = world.gateway.call(Method::DELETE, &instance("catalog", "catalog-1-4-0"), "").await;
    drop(gone);
    world.wait_for("web@2.4.1", "ACTIVE", "TAKEN").await;

    // A restart takes nothing twice.
    let World { data, dir, gateway } = world;
    gateway.stop().await;
    let gateway = World::gateway(&data, &dir).await;
    let world = World { data, dir, gateway };
    world.wait_for("web@2.4.1", "ACTIVE", "TAKEN").await;
    let entries = world.ops("{ audit { subject } }", Value::Null).await;
    assert_eq!(entries["data"]["audit"].as_array().unwrap().len(), 3);
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn scenario_24_a_pin_that_matches_nothing_is_refused() {
    let world = World::start(APP, &[("2.4.1", "active")]).await;
    world.register("1.4.0").await;
    world.wait_for("web@2.4.1", "ACTIVE", "TAKEN").await;
    let publish = "mutation($manifest: String!, $text: String!) { publishFrontend(frontend: \"web@2.6.0\", manifest: $manifest, \
                   documents: [{ id: \"Home\", text: $text }], reason: \"try\") { accepted findings { code message } } }";
    for (pins, text, code, message) in [
        ("{ catalog: ^9 }", HOME, "PIN_UNSATISFIED", "No version of catalog satisfies ^9."),
        ("{ catlog: ^1 }", HOME, "PIN_UNSATISFIED", "No version of catlog satisfies ^1."),
        ("{ catalog: ^1.4 }", "{ nothing }", "OPERATION_INVALID", "nothing"),
        ("{ catalog: ^1.4 }", "{", "OPERATION_INVALID", "Home"),
    ] {
        let variables = json!({ "manifest": format!("app: web\nversion: 2.6.0\nstate: active\npins: {pins}\n"), "text": text });
        let answer = world.ops(publish, variables).await;
        let published = &answer["data"]["publishFrontend"];
        assert_eq!(published["accepted"], false, "{answer}");
        assert_eq!(published["findings"][0]["code"], code, "{answer}");
        assert!(published["findings"][0]["message"].as_str().unwrap().contains(message), "{answer}");
    }
    let wrong = json!({ "manifest": "app: web\nversion: 2.6.0\nstate: activ\npins: {}\n", "text": HOME });
    let told = world.ops(publish, wrong).await["errors"][0]["message"].as_str().unwrap().to_owned();
    assert!(told.contains("did you mean `active`?"), "{told}");
    assert!(!world.standings().await.contains_key("web@2.6.0"));
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_has_its_token_and_sets_a_cookie_that_no_script_reads() {
    let world = World::start(APP, &[("2.4.1", "active"), ("2.5.0", "preview")]).await;
    world.register("1.4.0").await;
    world.wait_for_app().await;
    let page = world.get("/apps/web/", &[]).await;
    assert_eq!((page.status, header(&page, "content-type")), (StatusCode::OK, "text/html; charset=utf-8"));
    assert_eq!(header(&page, "cache-control"), "no-store");
    assert!(header(&page, "content-security-policy").starts_with("default-src 'self'"));
    let set = header(&page, "set-cookie").to_owned();
    for part in ["turnout_frontend=", "; HttpOnly", "; SameSite=Lax", "; Path=/", "; Max-Age=43200"] {
        assert!(set.contains(part), "{part}: {set}");
    }
    assert!(!set.contains("Secure"), "{set}");
    let token = set.split(['=', ';']).nth(1).unwrap();
    assert!(page.text().contains(&format!("content=\"{token}\"")), "{}", page.text());
    let secure = world.get("/apps/web/", &[("x-forwarded-proto", "https")]).await;
    assert!(header(&secure, "set-cookie").ends_with("; Secure"));

    let moved = world.get("/apps/web", &[]).await;
    assert_eq!((moved.status, header(&moved, "location")), (StatusCode::PERMANENT_REDIRECT, "/apps/web/"));
    assert_eq!(shown(&world.get("/apps/web/orders/17", &[]).await), "2.4.1");
    assert_eq!(world.get("/apps/web/favicon.ico", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(world.get("/apps/shop/", &[]).await.status, StatusCode::NOT_FOUND);
    assert_eq!(shown(&world.get("/apps/web@2.4.1/", &[]).await), "2.4.1");
    assert_eq!(world.get("/apps/web@2.5.0/", &[]).await.status, StatusCode::NOT_FOUND);
    let head = world.ask(Method::HEAD, "/apps/web/", &[]).await;
    assert!(head.status == StatusCode::OK && head.body.is_empty());

    let told = world.get("/apps/web/assignment", &[]).await.json();
    assert_eq!(
        (&told["version"], &told["rule"], &told["unit"]),
        (&json!("2.4.1"), &Value::Null, &Value::Null)
    );
    let told = world.get("/apps/web/assignment", &[("cookie", &cookie(&page))]).await.json();
    assert_eq!((&told["unit"], &told["token"]["frontend"]), (&json!("anon"), &json!("web@2.4.1")));
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_chooses_no_version_where_a_name_may_not() {
    let (data, dir) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    put(dir.path(), "web/app.yaml", APP);
    version(dir.path(), "2.4.1", "active");
    version(dir.path(), "2.5.0", "active");
    let (place, key) = (dir.path().display().to_string(), data.path().join("key").display().to_string());
    let settings = [("frontends.dir", &*place), ("frontends.trust", "signed"), ("frontends.key_file", &*key)];
    let gateway = Gateway::start_with(data.path(), &settings).await;
    let world = World { data, dir, gateway };
    world.register("1.4.0").await;
    world.wait_for_app().await;
    world.wait_for("web@2.5.0", "ACTIVE", "TAKEN").await;
    assert_eq!(shown(&world.get("/apps/web@2.4.1/", &[]).await), "2.4.1");
    let other = world.get("/apps/web@2.5.0/", &[]).await;
    assert_eq!((other.status, header(&other, "set-cookie")), (StatusCode::NOT_FOUND, ""));
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_version_are_nobodys_before_it_is_published() {
    let world = World::start(APP, &[("2.4.1", "active")]).await;
    world.wait_for("web@2.4.1", "-", "WAITING").await;
    let path = "/apps/web@2.4.1/assets/app-1a2b.js";
    assert_eq!(world.get(path, &[]).await.status, StatusCode::NOT_FOUND);
    world.register("1.4.0").await;
    world.wait_for_app().await;
    assert_eq!(world.get(path, &[]).await.status, StatusCode::OK);
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_a_version_never_change_and_nothing_else_can_be_had() {
    let world = World::start(APP, &[("2.4.1", "active"), ("2.5.0", "preview")]).await;
    world.register("1.4.0").await;
    world.wait_for_app().await;
    for tag in ["2.4.1", "2.5.0"] {
        let path = format!("/apps/web@{tag}/assets/app-1a2b.js");
        let file = world.get(&path, &[]).await;
        assert_eq!(file.text(), format!("export const version = \"{tag}\";"));
        assert_eq!(header(&file, "content-type"), "text/javascript; charset=utf-8");
        assert_eq!(header(&file, "cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(header(&file, "x-content-type-options"), "nosniff");
        let again = world.get(&path, &[("if-none-match", header(&file, "etag"))]).await;
        assert!(again.status == StatusCode::NOT_MODIFIED && again.body.is_empty());
    }
    for path in [
        "../secret.txt",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "%2e%2e%2fsecret.txt",
        "assets/../../secret.txt",
        "assets/%2e%2e/%2e%2e/secret.txt",
        "..%5csecret.txt",
        "%252e%252e/secret.txt",
        "/etc/passwd.txt",
        "%2fetc%2fhosts.txt",
        "assets/app-1a2b.js%00.txt",
        ".env.js",
        "assets//app-1a2b.js",
        "../manifest.yaml",
    ] {
        let answer = world.get(&format!("/apps/web@2.4.1/{path}"), &[]).await;
        assert!(answer.status.is_client_error(), "{path}: {}", answer.status);
        assert!(!answer.text().contains("not of the page"), "{path}");
    }
    for app in ["web@..", "web@2.4.1%2f..", "..", "web@9.9.9", "%00"] {
        let answer = world.get(&format!("/apps/{app}/assets/app-1a2b.js"), &[]).await;
        assert!(answer.status.is_client_error(), "{app}: {}", answer.status);
    }
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_visitors_gets_a_version_and_each_keeps_it() {
    let app = "app: web\ndefault: 2.4.1\nrules: [{ to: 2.5.0, percent: 10, salt: web/2.5 }]\n";
    let world = World::start(app, &[("2.4.1", "active"), ("2.5.0", "active")]).await;
    world.register("1.4.0").await;
    world.wait_for_app().await;
    let mut newer = 0;
    for _ in 0..2_000 {
        let first = world.get("/apps/web/", &[]).await;
        let second = world.get("/apps/web/", &[("cookie", &cookie(&first))]).await;
        assert_eq!(shown(&first), shown(&second));
        newer += usize::from(shown(&first) == "2.5.0");
        let told = world.get("/apps/web/assignment", &[("cookie", &cookie(&second))]).await.json();
        assert_eq!(told["version"], shown(&first));
    }
    // 200 are expected; five standard deviations are 67.
    assert!((133..=267).contains(&newer), "{newer}");
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rules_hold_in_their_window_and_for_whom_they_mean() {
    let app = "app: web\ndefault: 2.4.1\nrules:\n  - { to: 2.6.0, segment: beta, until: 2020-01-01 }\n\
               \x20 - { to: 2.6.0, segment: beta, from: 2120-01-01 }\n  - { to: 2.5.0, customers: [acme] }\n\
               \x20 - { to: 2.6.0, segment: gamma, from: 2020-01-01, until: 2120-01-01 }\n";
    let world = World::start(app, &[("2.4.1", "active"), ("2.5.0", "preview"), ("2.6.0", "active")]).await;
    world.register("1.4.0").await;
    world.wait_for_app().await;
    for (headers, expected, rule) in [
        (vec![], "2.4.1", Value::Null),
        (vec![("x-turnout-segments", "beta")], "2.4.1", Value::Null),
        (vec![("x-turnout-segments", "beta, gamma")], "2.6.0", json!(4)),
        (vec![("x-turnout-customer", "acme")], "2.5.0", json!(3)),
        (vec![("x-turnout-customer", "acme"), ("x-turnout-segments", "gamma")], "2.5.0", json!(3)),
        (vec![("x-turnout-customer", "other")], "2.4.1", Value::Null),
    ] {
        assert_eq!(shown(&world.get("/apps/web/", &headers).await), expected, "{headers:?}");
        let told = world.get("/apps/web/assignment", &headers).await.json();
        assert_eq!((&told["version"], &told["rule"]), (&json!(expected), &rule), "{headers:?}");
    }
    // Whoever was given a preview may have it by its own address.
    let given = world.get("/apps/web/", &[("x-turnout-customer", "acme")]).await;
    assert_eq!(shown(&world.get("/apps/web@2.5.0/", &[("cookie", &cookie(&given))]).await), "2.5.0");
    assert_eq!(world.get("/apps/web@2.5.0/", &[]).await.status, StatusCode::NOT_FOUND);
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_decides_stays_until_the_file_changes() {
    let world = World::start(APP, &[("2.4.0", "deprecated"), ("2.4.1", "active")]).await;
    world.register("1.4.0").await;
    world.wait_for_app().await;
    let retire = "mutation($name: String!) { retireFrontend(frontend: $name, reason: \"old\") { changed } }";
    let refused = world.ops(retire, json!({ "name": "web@2.4.1" })).await;
    let why = refused["errors"][0]["message"].as_str().unwrap();
    assert!(why.contains("web@2.4.1 is the default of web"), "{why}");
    let retired = world.ops(retire, json!({ "name": "web@2.4.0" })).await;
    assert_eq!(retired["data"]["retireFrontend"]["changed"], true, "{retired}");
    for _ in 0..100 {
        if world.get("/apps/web@2.4.0/", &[]).await.status == StatusCode::GONE {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(world.get("/apps/web@2.4.0/", &[]).await.status, StatusCode::GONE);
    let asset = world.get("/apps/web@2.4.0/assets/app-1a2b.js", &[]).await;
    assert_eq!(asset.status, StatusCode::OK);

    // A change of the file takes what it says, and brings nothing back that was retired.
    put(
        world.dir.path(),
        "web/2.4.0/operations/Home.graphql",
        "{ products(pageSize: 4) { products { id } } }",
    );
    world.wait_for("web@2.4.0", "RETIRED", "REFUSED").await;
    put(world.dir.path(), "web/2.4.1/manifest.yaml", &manifest("2.4.1", "deprecated", "{ catalog: ^1 }"));
    world.wait_for("web@2.4.1", "DEPRECATED", "TAKEN").await;
    let state = "mutation { publishFrontend(frontend: \"web@2.4.1\", state: ACTIVE, reason: \"not yet\") { changed before after } }";
    let back = world.ops(state, Value::Null).await;
    assert_eq!(back["data"]["publishFrontend"]["after"], "ACTIVE", "{back}");
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    world.wait_for("web@2.4.1", "ACTIVE", "TAKEN").await;
    let entries = world.ops("{ audit(last: 1) { inverse } }", Value::Null).await.to_string();
    assert!(entries.contains("turnout frontend publish web@2.4.1 --state deprecated"), "{entries}");
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_learn_what_a_frontend_sees() {
    let world = World::start(APP, &[("2.4.1", "active")]).await;
    world.register("1.4.0").await;
    world.wait_for_app().await;
    let text = world.get("/schema/any@0.0.0.graphql", &[]).await;
    assert!(text.status == StatusCode::OK && text.text().contains("type Query"), "{}", text.text());
    let again = world.get("/schema/any@0.0.0.graphql", &[("if-none-match", header(&text, "etag"))]).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);
    let told = world.get("/schema/any@0.0.0.json", &[]).await;
    assert_eq!(told.json()["data"]["__schema"]["queryType"]["name"], "Query");
    for wrong in ["web.graphql", "web@2.4.1.txt", "web@9.9.9.graphql", "a@1.0.0.json"] {
        assert_eq!(
            world.get(&format!("/schema/{wrong}"), &[]).await.status,
            StatusCode::NOT_FOUND,
            "{wrong}"
        );
    }
    world.gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_created_published_shown_and_retired_by_commands() {
    let world = World::start(APP, &[("2.4.1", "active")]).await;
    world.register("1.4.0").await;
    world.wait_for_app().await;
    let (admin, theirs) = (world.gateway.admin(), tempfile::tempdir().unwrap());
    let dir = theirs.path().display().to_string();
    let run = async |arguments: &[&str]| turnout(&admin, arguments).await;

    let made = run(&["frontend", "create", "web@2.6.0", "--dir", &dir]).await;
    assert!(
        made.code == 0 && made.out.contains("turnout frontend publish web@2.6.0"),
        "{} {}",
        made.out,
        made.err
    );
    let written = fs::read_to_string(theirs.path().join("web/2.6.0/manifest.yaml")).unwrap();
    assert!(written.contains("  catalog: ^1.4\n"), "{written}");
    assert_eq!(run(&["frontend", "create", "web@2.6.0", "--dir", &dir]).await.code, 2);

    put(theirs.path(), "web/2.6.0/operations/Home.graphql", "{ product(id: 1) { nope } }");
    let publish = ["frontend", "publish", "web@2.6.0", "--dir", &dir, "--reason", "try"];
    let refused = run(&publish).await;
    assert!(
        refused.code == 1 && refused.out.contains("error[OPERATION_INVALID]"),
        "{} {}",
        refused.out,
        refused.err
    );
    put(theirs.path(), "web/2.6.0/operations/Home.graphql", HOME);
    let tried = run(&["frontend", "publish", "web@2.6.0", "--dir", &dir, "--dry-run"]).await;
    assert!(tried.code == 0 && tried.out.starts_with("Dry run"), "{} {}", tried.out, tried.err);
    assert!(!world.standings().await.contains_key("web@2.6.0"));
    let published = run(&publish).await;
    assert!(
        published.code == 0 && published.out.contains("web@2.6.0 is preview with 1 operations"),
        "{}",
        published.out
    );
    let again = run(&publish).await;
    assert!(again.code == 0 && again.out.contains("as it was before"), "{}", again.out);

    let list = run(&["frontend", "list", "-o", "json"]).await.json();
    let names: Vec<&str> = list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["web@2.4.1", "web@2.6.0"]);
    let shown = run(&["frontend", "show", "web@2.6.0"]).await;
    assert!(shown.out.contains("catalog  ^1.4") && shown.out.contains("1 operations: Home"), "{}", shown.out);
    assert_eq!(run(&["frontend", "show", "web@9.9.9"]).await.code, 1);
    assert!(run(&["frontend", "stale"]).await.out.contains("web@2.6.0"));
    assert!(run(&["frontend", "schema", "any@0.0.0"]).await.out.contains("type Query"));

    led_to_retired_and_taken_back(&admin, theirs.path()).await;
    let unreachable = turnout("http://127.0.0.1:9", &["frontend", "list"]).await;
    assert_eq!(unreachable.code, 3);
    world.gateway.stop().await;
}

/// Who is led to a version keeps it from being retired.
async fn led_to_retired_and_taken_back(admin: &str, theirs: &Path) {
    let dir = theirs.display().to_string();
    let run = async |arguments: &[&str]| turnout(admin, arguments).await;
    put(theirs, "web/app.yaml", "app: web\ndefault: 2.4.1\nrules: [{ to: 2.6.0, customers: [acme] }]\n");
    let led = run(&["frontend", "publish", "web", "--dir", &dir, "--reason", "acme asked"]).await;
    assert!(led.code == 0 && led.out.contains("1. 2.6.0: customers acme"), "{} {}", led.out, led.err);
    let retire = ["frontend", "retire", "web@2.6.0", "--reason", "done"];
    let refused = run(&retire).await;
    assert!(refused.code == 2 && refused.err.contains("rule 1 of web leads to web@2.6.0"), "{}", refused.err);
    put(theirs, "web/app.yaml", APP);
    assert_eq!(run(&["frontend", "publish", "web", "--dir", &dir, "--reason", "over"]).await.code, 0);
    let retired = run(&retire).await;
    assert!(retired.code == 0 && retired.out.contains("--state preview"), "{} {}", retired.out, retired.err);
    let back = run(&[
        "frontend",
        "publish",
        "web@2.6.0",
        "--dir",
        "nowhere",
        "--state",
        "preview",
        "--reason",
        "no",
    ])
    .await;
    assert!(back.code == 0 && back.out.contains("is preview"), "{} {}", back.out, back.err);
}
