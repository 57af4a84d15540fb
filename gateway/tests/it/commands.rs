//! What an operator types, against a gateway: the pages it prints, the documents, the exit codes.

use std::path::Path;
use std::process::Stdio;

use expect_test::{Expect, expect};
use serde_json::{Value, json};
use turnout::app::App;
use turnout::launch::{FileChoice, Launch};
use turnout_schema::Digest;

use crate::gateway::{Gateway, body, instance};

/// What a command said, and how it ended.
pub(crate) struct Said {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Said {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {} {}", self.out, self.err))
    }
}

pub(crate) async fn turnout(admin: &str, arguments: &[&str]) -> Said {
    let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_turnout"));
    command.args(arguments).env("TURNOUT_ADMIN", admin).env_remove("TURNOUT_TOKEN").stdin(Stdio::null());
    let output = command.kill_on_drop(true).output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code().unwrap(), out: text(output.stdout), err: text(output.stderr) }
}

/// The descriptors of orders: what is in the service, and in the order.
fn orders(rpcs: &str, fields: &str) -> Vec<u8> {
    compile(&format!(
        "package orders.v1;\nservice OrderService {{ {rpcs} }}\n\
         message GetOrderRequest {{ string id = 1; }}\nmessage Order {{ {fields} }}\n"
    ))
}

/// A service that says itself that it is public.
fn notes() -> Vec<u8> {
    compile(
        "package notes.v1;\nservice NoteService { option (turnout.graphql.v1.service) = { expose: true };\n\
         rpc GetNote(GetNoteRequest) returns (Note) { option idempotency_level = NO_SIDE_EFFECTS; } }\n\
         message GetNoteRequest { string id = 1; }\nmessage Note { string id = 1; }\n",
    )
}

fn compile(rest: &str) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let text = format!("syntax = \"proto3\";\nimport \"turnout/graphql/v1/options.proto\";\n{rest}");
    std::fs::write(directory.path().join("service.proto"), text).unwrap();
    let protos = concat!(env!("CARGO_MANIFEST_DIR"), "/../proto");
    let mut compiler = protox::Compiler::new([directory.path(), Path::new(protos)]).unwrap();
    compiler.include_imports(true).include_source_info(true).open_file("service.proto").unwrap();
    compiler.encode_file_descriptor_set()
}

const GET: &str =
    "rpc GetOrder(GetOrderRequest) returns (Order) { option idempotency_level = NO_SIDE_EFFECTS; }";
const FIELDS: &str = "string id = 1; int32 total = 2;";

async fn register(gateway: &Gateway, service: &str, descriptors: &[u8]) {
    let digest = gateway.store(descriptors).await;
    let answer = gateway.put(&instance(service, "a"), body("1.0.0", &digest).to_string()).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

/// Waits until the graph is made of these.
async fn wait_for(gateway: &Gateway, members: &[&str]) {
    for _ in 0..100 {
        if gateway.graph_members().await == members {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the graph did not follow");
}

/// A page without what differs from run to run.
fn still(page: &str) -> String {
    let fixed = |word: &str| {
        let moment = word.len() >= 20 && word.ends_with('Z') && word.as_bytes()[10] == b'T';
        if moment { "MOMENT".to_owned() } else { word.to_owned() }
    };
    let line = |line: &str| line.split(' ').map(fixed).collect::<Vec<_>>().join(" ");
    page.lines().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

fn check(page: &str, expected: Expect) {
    expected.assert_eq(&still(page));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_is_listed_shown_opened_and_closed() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let admin = gateway.admin();
    let nothing = turnout(&admin, &["service", "list"]).await;
    assert!(nothing.code == 0 && nothing.out.starts_with("No service is registered."), "{}", nothing.out);

    register(&gateway, "orders", &orders(GET, FIELDS)).await;
    let tried = turnout(&admin, &["service", "expose", "orders", "all", "--dry-run"]).await;
    assert_eq!(tried.code, 0, "{}", tried.err);
    assert!(tried.out.contains("Nothing is served now"), "{}", tried.out);
    register(&gateway, "notes", &notes()).await;
    wait_for(&gateway, &["notes"]).await;
    let tried = turnout(&admin, &["service", "expose", "orders", "all", "--dry-run"]).await;
    assert_eq!(tried.code, 0, "{}", tried.err);
    check(
        &tried.out,
        expect![[r#"
        Dry run, nothing was changed.
        orders would be: all. It is: annotated, by default.
        The graph would differ in 2 places:
          + Order was added: type
          + Query.order was added: Order
    "#]],
    );
    assert_eq!(gateway.graph_members().await, ["notes"], "a dry run changes nothing");

    let opened = turnout(&admin, &["service", "expose", "orders", "all", "--reason", "the shop"]).await;
    check(
        &opened.out,
        expect![[r#"
        orders: all, as an operator decided. Before: annotated, by default.
        The graph follows within a second. This is entry 1 of the audit log; `turnout service expose orders default --reason TEXT` takes it back.
    "#]],
    );
    wait_for(&gateway, &["notes", "orders"]).await;
    check(
        &turnout(&admin, &["service", "list"]).await.out,
        expect![[r#"
            SERVICE  VERSIONS  SERVING  INSTANCES  FINDINGS
            notes    1.0.0     1.0.0    1 up       -
            orders   1.0.0     1.0.0    1 up       -
        "#]],
    );
    check(
        &turnout(&admin, &["service", "show", "orders"]).await.out,
        expect![[r#"
            orders
              serving  1.0.0
              public   all, as an operator decided

            VERSION           INSTANCES  SCHEMA        FIRST SEEN
            1.0.0    serving  1 up       db42ef7190fb  MOMENT

            INSTANCE  VERSION  STATE  SOURCE   WEIGHT  ADDRESSES               SINCE
            a         1.0.0    up     turnout  100     grpc://127.0.0.1:50051  MOMENT
        "#]],
    );

    let rows = turnout(&admin, &["service", "list", "-o", "json"]).await.json();
    assert_eq!((&rows[1]["service"], &rows[1]["serving"]), (&json!("orders"), &json!(true)));
    assert_eq!(rows[1]["instances"][0]["source"], "turnout");
    let yaml = turnout(&admin, &["service", "show", "orders", "-o", "yaml"]).await.out;
    assert!(yaml.contains("version: \"1.0.0\""), "{yaml}");

    let closed =
        turnout(&admin, &["service", "expose", "orders", "default", "--reason", "enough", "-o", "json"])
            .await;
    assert_eq!(closed.json()["audit"], "2", "{}", closed.err);
    wait_for(&gateway, &["notes"]).await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_is_checked_for_people_programs_and_pipelines() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start_with(data.path(), &[("expose", "all")]).await;
    let admin = gateway.admin();
    register(&gateway, "orders", &orders(GET, FIELDS)).await;
    wait_for(&gateway, &["orders"]).await;
    let file = data.path().join("image.binpb");
    let path = file.to_str().unwrap();
    let arguments = ["service", "check", path, "--service", "orders", "--version", "1.1.0"];

    std::fs::write(&file, orders(GET, "string id = 1; int32 total = 2; string note = 3;")).unwrap();
    let good = turnout(&admin, &arguments).await;
    assert_eq!(good.code, 0, "{} {}", good.out, good.err);
    assert!(good.out.starts_with("orders 1.1.0: "), "{}", good.out);
    let answer = turnout(&admin, &[&arguments[..], &["-o", "json"]].concat()).await.json();
    assert!(answer["findings"].is_array() && answer["affected"] == json!([]), "{answer}");

    // A field that refers to what cannot be: an error of the version alone.
    let wrong =
        "string id = 1; int32 total = 2; bool flag = 3 [(turnout.graphql.v1.field) = { ref: \"User\" }];";
    std::fs::write(&file, orders(GET, wrong)).unwrap();
    let bad = turnout(&admin, &arguments).await;
    assert_eq!(bad.code, 1, "{} {}", bad.out, bad.err);
    assert!(bad.out.contains("error[") && bad.out.contains("help: "), "{}", bad.out);
    assert!(bad.err.starts_with("turnout: orders 1.1.0 does not pass: 1 error"), "{}", bad.err);
    let junit = turnout(&admin, &[&arguments[..], &["-o", "junit"]].concat()).await;
    assert!(junit.code == 1 && junit.out.contains("<failure message="), "{}", junit.out);

    // The gate: what answers today must go on answering. And who asked for it lately.
    let question = json!({ "query": "query Total { order(id: \"1\") { total } }" }).to_string();
    let request = http::Request::post(format!("{}/graphql", gateway.public()))
        .header("content-type", "application/json")
        .body(http_body_util::Full::new(question.into()));
    gateway.send(request.unwrap()).await;
    std::fs::write(&file, orders(GET, "string id = 1; reserved 2;")).unwrap();
    let gone = turnout(&admin, &arguments).await;
    assert_eq!(gone.code, 1, "{} {}", gone.out, gone.err);
    check(
        &gone.out,
        expect![[r#"
        orders 1.1.0: 1.0.0 would serve, and not it

        error[FIELD_NO_DELETE_UNLESS_NAME_RESERVED] orders 1.1.0: orders.v1.Order.total (Order.total) was int32 total = 2, and is name "total" is free.
            help: Reserve its name, so that nothing else is ever called so.
        error[GATE_REFUSED] orders 1.1.0: Nobody gets it, because it cannot stand in for 1.0.0.
            help: Mend what the other findings name, or release it as a new major version.
        error[FIELD_NO_DELETE] orders 1.1.0: orders.v1.Order.total (Order.total) was int32 total = 2, and is gone.
            help: Keep it and deprecate it until no frontend uses it.
        note[GATE_MORE] orders 1.1.0: The gate says 1 more things; `turnout service check` lists all.

        The graph would differ in 1 place:
          - breaking Order.total was removed: Int!

        1 operation of 1 frontend would not be answered as now:
          any@0.0.0 Total (sha256:0a26565d47cb)
              Order.total
              Cannot query field "total" on type "Order".
    "#]],
    );
    assert_eq!(gateway.instances().await, ["orders/a"], "a check registers nothing");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn descriptors_of_megabytes_can_be_checked_and_larger_bodies_are_refused() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let file = data.path().join("image.binpb");
    let comment = "x".repeat(3 << 20);
    std::fs::write(&file, orders(GET, &format!("/* {comment} */ string id = 1;"))).unwrap();
    let path = file.to_str().unwrap();
    let arguments =
        ["service", "check", path, "--service", "orders", "--version", "1.0.0", "--expose", "all"];
    let said = turnout(&gateway.admin(), &arguments).await;
    assert_eq!(said.code, 0, "{} {}", said.out, said.err);

    let huge = json!({ "query": "{ gateway { version } }", "variables": { "x": "x".repeat(7 << 20) } });
    let request = http::Request::post(format!("{}/graphql", gateway.admin()))
        .header("content-type", "application/json")
        .body(http_body_util::Full::new(huge.to_string().into()));
    let refused = gateway.send(request.unwrap()).await;
    assert_eq!(refused.status, http::StatusCode::BAD_REQUEST);
    assert!(refused.text().contains("larger than 6291456 bytes"), "{}", refused.text());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_of_a_command_has_its_exit_code_and_says_the_way_out() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let admin = gateway.admin();
    let file = data.path().join("text.proto");
    std::fs::write(&file, "syntax = \"proto3\";").unwrap();
    let path = file.to_str().unwrap();
    let none = data.path().join("none.binpb");
    let cases: [(&[&str], i32, &str); 7] = [
        (&["service", "show", "nobody"], 1, "`turnout service list` names those"),
        (&["service", "expose", "orders", "all"], 2, "--reason"),
        (&["service", "expose", "orders", "some", "--reason", "x"], 2, "annotated, all, default"),
        (&["service", "expose", "or ders", "all", "--reason", "x"], 2, "service may only have letters"),
        (&["service", "check", path, "--service", "a", "--version", "1.0.0"], 2, "buf build"),
        (
            &["service", "check", none.to_str().unwrap(), "--service", "a", "--version", "1.0.0"],
            2,
            "cannot read",
        ),
        (&["service", "list", "--admin", "http://127.0.0.1:9"], 3, "turnout serve"),
    ];
    for (arguments, code, way) in cases {
        let said = turnout(&admin, arguments).await;
        assert_eq!(said.code, code, "{arguments:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(way), "{arguments:?}: {}", said.err);
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_decide_who_may_open_a_service_and_the_file_goes_before_them() {
    let data = tempfile::tempdir().unwrap();
    let hash = |text: &str| Digest::of(text.as_bytes()).hex();
    let tokens = format!(
        "tokens:\n  - {{ name: eve, sha256: {}, roles: [read] }}\n  - {{ name: olga, sha256: {}, roles: [operate] }}\n",
        hash("reads"),
        hash("operates")
    );
    std::fs::write(data.path().join("tokens.yaml"), tokens).unwrap();
    let file = data.path().join("turnout.yaml");
    let text = "listen: 127.0.0.1:0\nadmin: { listen: 127.0.0.1:0, tokens: { file: tokens.yaml } }\n\
                services:\n  math: { expose: all }\n";
    std::fs::write(&file, text).unwrap();
    let launch = Launch { file: FileChoice::Named(file.clone()), env: Vec::new(), flags: Vec::new() };
    let read = launch.read().unwrap();
    let app = App::start(launch, read).await.unwrap();
    let admin = format!("http://{}", app.admin());
    let expose = |service: &'static str, token: &'static str| {
        let admin = admin.clone();
        async move {
            let more = ["--token", token, "--reason", "tests"];
            turnout(&admin, &[&["service", "expose", service, "all"][..], &more].concat()).await
        }
    };
    for (service, token, code, way) in [
        ("orders", "reads", 2, "\"operate\""),
        ("orders", "wrong", 2, "admin.tokens.file"),
        ("math", "operates", 2, "turnout.yaml:4:"),
    ] {
        let said = expose(service, token).await;
        assert_eq!(said.code, code, "{service} {token}: {}{}", said.out, said.err);
        assert!(said.err.contains(way), "{service} {token}: {}", said.err);
    }
    let done = expose("orders", "operates").await;
    assert_eq!(done.code, 0, "{}", done.err);

    let doctor = ["doctor", "--config", file.to_str().unwrap(), "--token", "reads"];
    let well = turnout(&admin, &doctor).await;
    assert_eq!(well.code, 0, "{}{}", well.out, well.err);
    assert!(well.out.contains("configuration") && well.out.contains("warn  graph"), "{}", well.out);
    std::fs::write(&file, "listn: 1\n").unwrap();
    let ill = turnout(&admin, &[&doctor[..], &["-o", "json"]].concat()).await;
    assert_eq!((ill.code, &ill.json()[0]["verdict"]), (1, &json!("fail")), "{}", ill.out);
    app.stop(std::future::pending()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_version_that_waits_is_shown_explained_and_turned_away() {
    let data = tempfile::tempdir().unwrap();
    let settings = [("expose", "all"), ("on_new_version", "hold"), ("rollouts.tick", "1s")];
    let gateway = Gateway::start_with(data.path(), &settings).await;
    let admin = gateway.admin();
    let nothing = turnout(&admin, &["rollout", "list"]).await;
    assert!(nothing.code == 0 && nothing.out.starts_with("There was no rollout yet"), "{}", nothing.out);
    register(&gateway, "orders", &orders(GET, FIELDS)).await;
    wait_for(&gateway, &["orders"]).await;
    let digest = gateway.store(&orders(GET, "string id = 1; int32 total = 2; string note = 3;")).await;
    let answer = gateway.put(&instance("orders", "b"), body("1.1.0", &digest).to_string()).await;
    assert!(answer.status.is_success(), "{}", answer.text());

    let mut waiting = Value::Null;
    for _ in 0..200 {
        waiting = turnout(&admin, &["rollout", "list", "-o", "json"]).await.json();
        if waiting[0]["state"] == "PENDING" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!((&waiting[0]["to"], &waiting[0]["needs"]), (&json!("1.1.0"), &json!("start it")), "{waiting}");
    let card = turnout(&admin, &["rollout", "get", "orders"]).await;
    assert!(card.code == 0 && card.out.starts_with("orders 1.0.0 -> 1.1.0   pending"), "{}", card.out);
    let policies = turnout(&admin, &["policy", "get", "orders", "-o", "json"]).await.json();
    assert_eq!(policies["decided"][0]["stable"], "1.0.0", "{policies}");
    let explained = turnout(&admin, &["explain", "--unit", "user:42", "-o", "json"]).await.json();
    assert_eq!(explained["services"][0]["version"], "1.0.0", "{explained}");

    let tried = ["rollout", "start", "orders", "--dry-run", "--unit", "user:42"];
    let tried = turnout(&admin, &tried).await;
    assert!(tried.code == 0 && tried.out.contains("orders 1.0.0 -> 1.1.0"), "{}{}", tried.out, tried.err);
    let cases: [(&[&str], i32, &str); 7] = [
        (&["policy", "set", "orders", "--weight", "NaN%", "--reason", "x"], 2, "is no number from 0 to 100"),
        (&["policy", "set", "orders", "--weight", "100.1%", "--reason", "x"], 2, "is more than 100 %"),
        (&["policy", "set", "orders", "--kill"], 2, "--reason"),
        (&["policy", "set", "orders", "--reason", "x"], 2, "nothing is named that should change"),
        (&["rollout", "get", "users"], 1, "there was never a rollout of users"),
        (&["rollout", "advance", "orders", "--reason", "x"], 2, "start it first"),
        (&["rollout", "wait", "orders", "--timeout", "1s"], 1, "It needs somebody: start it."),
    ];
    for (arguments, code, way) in cases {
        let said = turnout(&admin, arguments).await;
        assert_eq!(said.code, code, "{arguments:?}: {}{}", said.out, said.err);
        assert!(said.err.contains(way), "{arguments:?}: {}", said.err);
    }

    let back = turnout(&admin, &["rollout", "rollback", "orders", "--reason", "not now"]).await;
    assert_eq!(back.code, 0, "{}{}", back.out, back.err);
    let ended = turnout(&admin, &["rollout", "wait", "orders@1.1.0", "--timeout", "30s"]).await;
    assert!(
        ended.code == 1 && ended.err.contains("an operator wanted it: not now"),
        "{}{}",
        ended.out,
        ended.err
    );
    let watched = turnout(&admin, &["rollout", "get", "orders", "-w"]).await;
    assert!(watched.code == 0 && watched.out.contains("orders@1.1.0 rolled back"), "{}", watched.out);
    let late = turnout(&admin, &["rollout", "promote", "orders", "--reason", "late"]).await;
    assert!(late.code == 2 && late.err.contains("start it again"), "{}", late.err);
    let stable = turnout(&admin, &["rollout", "wait", "orders@1.0.0", "--timeout", "5s"]).await;
    assert!(stable.code == 0 && stable.out.contains("needed no rollout"), "{}{}", stable.out, stable.err);
    gateway.stop().await;
}
