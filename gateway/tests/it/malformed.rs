//! Forty and more malformed registrations: each gets a 4xx whose sentence names the mistake, nothing
//! is stored, and the gateway lives on.

use http::{Method, Request};
use http_body_util::Full;
use serde_json::{Value, json};
use turnout_schema::Digest;

use crate::gateway::{Gateway, instance, shop};

/// A well-formed body with one thing changed.
fn but(pointer: &str, value: Value) -> String {
    let mut body = json!({
        "version": "1.0.0",
        "endpoints": [{ "url": "grpc://127.0.0.1:50051" }],
        "weight": 1, "state": "up", "health": "grpc", "meta": {}, "incarnation": 1,
        "schema": { "digest": Digest::of(b"never stored").to_string() },
    });
    *body.pointer_mut(pointer).unwrap() = value;
    body.to_string()
}

/// What is sent, and a word of the sentence that answers it.
fn bodies() -> Vec<(String, &'static str)> {
    let url = |text: &str| but("/endpoints/0/url", json!(text));
    let many = |count: usize| json!(vec![json!({ "url": "grpc://127.0.0.1:1" }); count]);
    let meta: serde_json::Map<String, Value> = (0..33).map(|n| (n.to_string(), json!("x"))).collect();
    vec![
        (String::new(), "no registration"),
        ("null".into(), "no registration"),
        ("[]".into(), "no registration"),
        ("{".into(), "no registration"),
        ("\u{0}".into(), "no registration"),
        ("[".repeat(10_000), "no registration"),
        ("x".repeat(20_000), "larger"),
        (but("/version", json!("")), "version must not be empty"),
        (but("/version", json!("latest")), "version is no version"),
        (but("/version", json!("v1.0.0")), "must not begin with"),
        (but("/version", json!("1.0")), "version is no version"),
        (but("/version", json!("1.0.0+build")), "build metadata"),
        (but("/version", json!("<img src=x onerror=alert(1)>")), "version is no version"),
        (but("/version", json!(7)), "no registration"),
        (but("/version", json!("1.0.0-".to_owned() + &"a".repeat(90))), "64 are allowed"),
        (but("/endpoints", json!([])), "endpoints must have at least one"),
        (but("/endpoints", many(9)), "8 are allowed"),
        (url(""), "grpc://"),
        (url("127.0.0.1:1"), "grpc://"),
        (url("http://127.0.0.1:1"), "grpc://"),
        (url("grpc://"), "port"),
        (url("grpc://127.0.0.1"), "port"),
        (url("grpc://127.0.0.1:0"), "port"),
        (url("grpc://127.0.0.1:70000"), "port"),
        (url("grpc://127.0.0.1:1/path"), "'/'"),
        (url("grpc://user:word@127.0.0.1:1"), "'@'"),
        (url("grpc://169.254.169.254:80"), "allow_cidrs"),
        (url("grpc://[::ffff:169.254.169.254]:80"), "allow_cidrs"),
        (url("grpc://8.8.8.8:53"), "allow_cidrs"),
        (url("grpc://0.0.0.0:1"), "anywhere"),
        (url("grpc://2130706433:1"), "neither a name nor an address"),
        (url("grpc://<script>:1"), "neither a name nor an address"),
        (but("/schema/digest", json!("md5:1")), "must begin with"),
        (but("/schema/digest", json!("sha256:zz")), "64 hexadecimal digits"),
        (but("/schema/digest", json!("sha256:".to_owned() + &"g".repeat(64))), "digits 0-9"),
        (but("/schema", json!({ "services": ["a.B"] })), "no registration"),
        (but("/weight", json!(-1)), "weight must be from"),
        (but("/weight", json!(1001)), "weight must be from"),
        (but("/state", json!("dead")), "state must be"),
        (but("/health", json!("http")), "health must be"),
        (but("/meta", Value::Object(meta)), "33 entries"),
        (but("/meta", json!({ "a": "\u{1b}[2J" })), "control characters"),
        (but("/meta", json!({ "a": "x".repeat(300) })), "256 bytes"),
        (but("/incarnation", json!(-5)), "no registration"),
        (but("/version", json!("1.0.0")), "is not stored"),
    ]
}

/// The gateway's answer, checked to be a refusal that a person can act on.
async fn refused(gateway: &Gateway, method: Method, path: &str, body: Vec<u8>, word: &str) {
    let answer = gateway.call(method, path, body).await;
    assert!(answer.status.is_client_error(), "{path} {word}: {}", answer.status);
    let error = &answer.json()["error"];
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(word), "{path}: {message:?} does not say {word:?}");
    assert!(message.len() < 2_000 && !error["help"].as_str().unwrap().is_empty(), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_malformed_registration_is_told_what_is_wrong_with_it() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let before = gateway.get("/registry/v1/services").await.json();
    let place = instance("catalog", "a");
    let bodies = bodies();
    assert!(bodies.len() >= 40);
    for (body, word) in bodies {
        refused(&gateway, Method::PUT, &place, body.into_bytes(), word).await;
    }

    let good = but("/version", json!("1.0.0"));
    for (service, id, word) in [
        ("a%20b", "a", "service may only have"),
        ("a%2Fb", "a", "service may only have"),
        ("..%2F..", "a", "service may only have"),
        ("-x", "a", "service must begin"),
        ("catalog", "%3Cimg%20onerror%3E", "id may only have"),
        ("catalog", &"a".repeat(129), "id has 129 bytes"),
    ] {
        refused(&gateway, Method::PUT, &instance(service, id), good.clone().into_bytes(), word).await;
    }
    for (ttl, word) in [
        ("0", "ttl must be from"),
        ("4", "ttl must be from"),
        ("301", "ttl must be from"),
        ("soon", "number of seconds"),
    ] {
        refused(&gateway, Method::PUT, &format!("{place}?ttl={ttl}"), good.clone().into_bytes(), word).await;
    }
    assert_eq!(gateway.get("/registry/v1/services").await.json(), before, "nothing was stored");
    gateway.register("catalog", "a", "1.4.0").await;
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_descriptors_are_refused_and_not_stored() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let whole = shop("1.0.0");
    let place = |bytes: &[u8]| format!("/registry/v1/schemas/{}", Digest::of(bytes));
    let mut tries: Vec<Vec<u8>> = (1..whole.len()).step_by(7).map(|end| whole[..end].to_vec()).collect();
    tries.push(b"syntax = \"proto3\";".to_vec());
    tries.push(vec![0xff; 4096]);
    for bytes in tries {
        let path = place(&bytes);
        refused(&gateway, Method::PUT, &path, bytes, "descriptor set").await;
        assert_eq!(gateway.call(Method::HEAD, &path, "").await.status, http::StatusCode::NOT_FOUND);
    }
    refused(&gateway, Method::PUT, &place(b"other"), whole.clone(), "the digest says").await;
    refused(&gateway, Method::PUT, &place(b""), Vec::new(), "empty").await;
    refused(&gateway, Method::PUT, "/registry/v1/schemas/latest", whole.clone(), "must begin with").await;
    refused(&gateway, Method::PUT, &place(&[]), vec![0; (16 << 20) + 1], "larger").await;

    let packed =
        Request::put(format!("{}{}", gateway.admin(), place(&whole))).header("content-encoding", "gzip");
    let answer = gateway.send(packed.body(Full::from(whole)).unwrap()).await;
    assert!(answer.status.is_client_error());
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_misspelt_field_is_told_and_does_not_stay_silent() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let body = json!({ "version": "1.0.0", "endpoints": [{ "url": "grpc://127.0.0.1:1" }], "wieght": 5 });
    let answer = gateway.put(&instance("catalog", "a"), body.to_string()).await.json();
    let codes: Vec<&str> = answer["findings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["SCHEMA_MISSING", "UNKNOWN_FIELD"]);
    gateway.stop().await;
}
