//! Who is calling, through the door: two frontends over one service in two versions, and people who log in
//! elsewhere. Only questions about the graph are asked, so that nobody has to answer calls.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use ring::rand::SystemRandom;
use ring::signature::{Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use turnout::clock::Clock;
use turnout::identity::{Absent, Keys, Pass, Tokens, Verdict};
use turnout_control::frontend::{self, App, Frontend, Lifecycle, Pin, Published, Units};
use turnout_control::id::{FrontendId, Timestamp};
use turnout_control::records::{Change, Expected};

use crate::gateway::{Answer, Gateway, body, instance};

/// Whether a field of the newer catalog is there tells which one a caller sees.
const ASK_FIELDS: &str = "{ __type(name: \"Product\") { fields { name } } }";
const ASK_NEW: &str = "{ products { products { deliveryTime } } }";

type Sent<'a> = [(&'a str, &'a str)];

async fn ask(gateway: &Gateway, query: &str, sent: &Sent<'_>) -> Answer {
    let mut request = Request::post(format!("{}/graphql", gateway.public()));
    for (name, value) in sent.iter().chain(&[("content-type", "application/json")]) {
        request = request.header(*name, *value);
    }
    let body = Bytes::from(json!({ "query": query }).to_string());
    gateway.send(request.body(Full::new(body)).unwrap()).await
}

/// Whether a caller sees the newer catalog, and what it is told of its frontend.
async fn sees(gateway: &Gateway, sent: &Sent<'_>) -> (Option<bool>, Value) {
    let answer = ask(gateway, ASK_FIELDS, sent).await.json();
    let fields = answer["data"]["__type"]["fields"].as_array();
    let newer = fields.map(|fields| fields.iter().any(|field| field["name"] == "deliveryTime"));
    (newer, answer["extensions"]["frontend"].clone())
}

/// Asks until a caller sees what is expected.
async fn until_sees(gateway: &Gateway, sent: &Sent<'_>, newer: bool) {
    for _try in 0..400 {
        if sees(gateway, sent).await.0 == Some(newer) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{sent:?} never saw {newer}");
}

async fn register(gateway: &Gateway, version: &str) {
    let digest = gateway.store(turnout_samples::descriptors("catalog", version).unwrap()).await;
    let answer = gateway.put(&instance("catalog", version), body(version, &digest).to_string()).await;
    assert!(answer.status.is_success(), "{}", answer.text());
}

fn id(text: &str) -> FrontendId {
    text.parse().unwrap()
}

/// Writes frontends as whoever publishes them does.
async fn publish(gateway: &Gateway, frontends: &[(&str, Lifecycle, &str)], default: &str) {
    let mut change = Change::default();
    for (name, state, range) in frontends {
        let pin = Pin { range: range.parse().unwrap(), optional: false };
        let pins = [("catalog".parse().unwrap(), pin)].into();
        let frontend = Frontend { id: id(name), state: *state, pins, caps: [].into() };
        let published = Published { frontend, documents: Vec::new(), at: Timestamp(1) };
        change.writes.insert(frontend::key(&id(name)), Some(frontend::write(&published).into()));
    }
    let app = App { name: "web".parse().unwrap(), default: default.parse().unwrap(), rules: Vec::new() };
    change.writes.insert(frontend::app_key(&app.name), Some(frontend::write_app(&app).into()));
    change.expected = change.writes.keys().map(|key| (key.clone(), Expected::Absent)).collect();
    gateway.app().registry().store.change(change).await.unwrap();
}

fn tokens(path: &Path) -> Tokens {
    Tokens::new(Keys::open(path, Absent::Refuse).unwrap())
}

fn pass(frontend: &str, before: Option<&Pass>) -> Pass {
    Pass::new(id(frontend), Units::default(), before, Clock::start().now())
}

#[tokio::test]
async fn scenario_16_and_17_hold_for_whoever_comes_through_the_door() {
    let directory = tempfile::tempdir().unwrap();
    let key_file = directory.path().join("frontend.key");
    let key = key_file.display().to_string();
    let settings = [("frontends.key_file", &*key), ("frontends.trust", "signed")];
    let gateway = Gateway::start_with(directory.path(), &settings).await;
    register(&gateway, "1.4.0").await;
    until_sees(&gateway, &[], false).await;
    register(&gateway, "1.5.0").await;
    let frontends = [
        ("web@2.3.0", Lifecycle::Retired, "^1.4"),
        ("web@2.4.1", Lifecycle::Active, "=1.4.0"),
        ("web@2.5.0", Lifecycle::Active, "^1.5"),
    ];
    publish(&gateway, &frontends, "2.4.1").await;

    let tokens = tokens(&key_file);
    let old = pass("web@2.4.1", None);
    let new = pass("web@2.5.0", Some(&old));
    let (old_page, new_page) = (tokens.mint(&old), tokens.mint(&new));
    let cookie = format!("turnout_frontend={new_page}");
    until_sees(&gateway, &[("x-frontend-token", &new_page)], true).await;
    for (sent, newer) in [
        (vec![("x-frontend-token", &*old_page), ("cookie", &*cookie)], false),
        (vec![("x-frontend-token", &*new_page), ("cookie", &*cookie)], true),
        (vec![("x-frontend-version", "web@2.4.1"), ("cookie", &*cookie)], false),
        (vec![("x-frontend-version", "web@2.5.0"), ("cookie", &*cookie)], true),
        (vec![("cookie", &*cookie)], true),
        (vec![], false),
    ] {
        assert_eq!(sees(&gateway, &sent).await, (Some(newer), Value::Null), "{sent:?}");
    }

    let told = json!({ "status": "update_required", "target": "web@2.4.1" });
    let forged = Tokens::new(Keys::random()).mint(&new);
    let retired = tokens.mint(&pass("web@2.3.0", None));
    let ended = tokens.mint(&Pass { expires: Timestamp(1), ..new.clone() });
    for sent in [
        ("x-frontend-token", &*forged),
        ("x-frontend-token", &*ended),
        ("x-frontend-token", &*retired),
        ("x-frontend-version", "web@9.9.9"),
        ("x-frontend-version", "web@2.5.0"),
    ] {
        assert_eq!(sees(&gateway, &[sent]).await, (Some(false), told.clone()), "{sent:?}");
        let answer = ask(&gateway, ASK_NEW, &[sent]).await;
        let code = answer.json()["errors"][0]["extensions"]["code"].clone();
        assert_eq!((answer.status.as_u16(), code), (403, json!("FRONTEND_RETIRED")), "{sent:?}");
    }
    let metrics = gateway.get("/metrics").await.text();
    for line in [
        "turnout_frontend_requests_total{frontend=\"_other\",how=\"forged\"} 2",
        "turnout_frontend_requests_total{frontend=\"web@2.5.0\",how=\"expired\"} 2",
        "turnout_frontend_requests_total{frontend=\"web@2.3.0\",how=\"retired\"} 2",
        "turnout_frontend_requests_total{frontend=\"web@2.5.0\",how=\"not_allowed\"} 2",
    ] {
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    gateway.stop().await;
}

#[tokio::test]
async fn a_token_survives_a_restart_because_its_key_does() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("frontend.key");
    Gateway::start(directory.path()).await.stop().await;
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let token = tokens(&path).mint(&pass("web@2.4.1", None));
    Gateway::start(directory.path()).await.stop().await;
    assert!(matches!(tokens(&path).verify(&token, Clock::start().now()), Verdict::Verified(_)));
}

/// Publishes a key set to whoever connects.
async fn issuer(keys: String) -> (String, JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/jwks.json", listener.local_addr().unwrap());
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = [0; 1024];
            let _ = stream.read(&mut heard).await;
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", keys.len());
            let _ = stream.write_all(format!("{head}{keys}").as_bytes()).await;
        }
    });
    (url, tasks)
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(bytes)
}

#[tokio::test]
async fn who_has_to_be_logged_in_needs_a_token_of_the_issuer() {
    let document = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
    let pair = Ed25519KeyPair::from_pkcs8(document.as_ref()).unwrap();
    let keys = json!({ "keys": [
        { "kty": "OKP", "crv": "Ed25519", "kid": "a", "x": base64(pair.public_key()) },
    ] });
    let (url, _issuer) = issuer(keys.to_string()).await;
    let directory = tempfile::tempdir().unwrap();
    let settings = [("auth.jwt.issuer", "us"), ("auth.jwt.jwks_url", &*url), ("auth.jwt.required", "true")];
    let gateway = Gateway::start_with(directory.path(), &settings).await;
    register(&gateway, "1.4.0").await;
    let token = |issuer: &str| {
        let claims = json!({ "iss": issuer, "sub": "42", "exp": 9_999_999_999_u64 });
        let signed = format!("{}.{}", base64(r#"{"alg":"EdDSA","kid":"a"}"#), base64(claims.to_string()));
        format!("Bearer {signed}.{}", base64(pair.sign(signed.as_bytes())))
    };
    until_sees(&gateway, &[("authorization", &token("us"))], false).await;
    let other = token("them");
    for sent in [vec![], vec![("authorization", &*other)]] {
        let answer = ask(&gateway, ASK_FIELDS, &sent).await;
        let code = answer.json()["errors"][0]["extensions"]["code"].clone();
        assert_eq!((answer.status.as_u16(), code), (401, json!("UNAUTHENTICATED")), "{sent:?}");
        assert_eq!(answer.headers["www-authenticate"], "Bearer");
    }
    let metrics = gateway.get("/metrics").await.text();
    let users =
        metrics.lines().find_map(|line| line.strip_prefix("turnout_frontend_units_total{unit=\"user\"} "));
    assert!(users.unwrap().parse::<u64>().unwrap() > 0, "{metrics}");
    gateway.stop().await;
}
