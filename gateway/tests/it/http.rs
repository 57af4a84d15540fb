//! GraphQL over HTTP at the public door, as far as it goes without a graph: statuses, types, methods,
//! bodies, and what a caller can do to the threads behind it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode, Version};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use turnout::app::App;
use turnout::launch::{FileChoice, Launch};

use crate::gateway::{Answer, Gateway, body, instance};

const JSON: &str = "application/json";
const GRAPHQL: &str = "application/graphql-response+json";
/// A request that is well-formed; without a graph its answer is 503.
const GOOD: &str = r#"{"query":"{ __typename }"}"#;

/// What is sent: everything that is not said is well-formed.
struct Sent {
    method: Method,
    headers: Vec<(&'static str, &'static str)>,
    body: Bytes,
}

impl Sent {
    fn body(body: impl Into<Bytes>) -> Sent {
        Sent { method: Method::POST, headers: vec![("content-type", JSON)], body: body.into() }
    }

    fn typed(content_type: &'static str) -> Sent {
        Sent { headers: vec![("content-type", content_type)], ..Sent::body(GOOD) }
    }

    fn with(name: &'static str, value: &'static str) -> Sent {
        Sent { headers: vec![("content-type", JSON), (name, value)], ..Sent::body(GOOD) }
    }

    fn method(method: Method) -> Sent {
        Sent { method, ..Sent::body(GOOD) }
    }
}

async fn ask(gateway: &Gateway, sent: Sent) -> Answer {
    let mut request = Request::builder().method(sent.method).uri(format!("{}/graphql", gateway.public()));
    for (name, value) in sent.headers {
        request = request.header(name, value);
    }
    gateway.send(request.body(Full::new(sent.body)).unwrap()).await
}

fn first(answer: &Answer) -> (String, String) {
    let error = &answer.json()["errors"][0];
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&error["extensions"]["code"]), text(&error["message"]))
}

/// Each request, its status, its code, and a word of its message.
fn refused_by_http() -> Vec<(Sent, u16, &'static str, &'static str)> {
    let input = "BAD_USER_INPUT";
    vec![
        (Sent::method(Method::GET), 405, input, "POST"),
        (Sent::method(Method::PUT), 405, input, "POST"),
        (Sent::method(Method::PATCH), 405, input, "POST"),
        (Sent::method(Method::DELETE), 405, input, "POST"),
        (Sent::method(Method::OPTIONS), 405, input, "POST"),
        (Sent::method(Method::TRACE), 405, input, "POST"),
        (Sent::method(Method::from_bytes(b"QUERY").unwrap()), 405, input, "POST"),
        (Sent { headers: Vec::new(), ..Sent::body(GOOD) }, 415, input, "no content type"),
        (Sent::typed(""), 415, input, "not application/json"),
        (Sent::typed("text/plain"), 415, input, "not application/json"),
        (Sent::typed("text/plain; application/json"), 415, input, "not application/json"),
        (Sent::typed("application/graphql"), 415, input, "not application/json"),
        (Sent::typed("application/jsonx"), 415, input, "not application/json"),
        (Sent::typed("application/x-www-form-urlencoded"), 415, input, "not application/json"),
        (Sent::typed("multipart/form-data; boundary=x"), 415, input, "not application/json"),
        (Sent::typed("application/json; charset=latin1"), 415, input, "charset"),
        (Sent::with("content-type", JSON), 415, input, "more than one"),
        (Sent::with("content-encoding", "gzip"), 415, input, "compressed"),
        (Sent::with("content-encoding", "br"), 415, input, "compressed"),
        (Sent::with("accept", "text/html"), 406, input, "accept"),
        (Sent::with("accept", "text/event-stream"), 406, input, "accept"),
        (Sent::with("accept", "application/json;q=0"), 406, input, "accept"),
        (Sent::with("x-request-timeout", "soon"), 400, input, "x-request-timeout"),
        (Sent::with("x-request-timeout", "0ms"), 400, input, "x-request-timeout"),
        (Sent::body(vec![b' '; 2000]), 413, "LIMIT_EXCEEDED", "larger than 1024 bytes"),
        (Sent::body(vec![b'['; 3 << 20]), 413, "LIMIT_EXCEEDED", "larger than 1024 bytes"),
        (Sent::body(""), 400, input, "not JSON"),
        (Sent::body("{"), 400, input, "not JSON"),
        (Sent::body("{ __typename }"), 400, input, "not JSON"),
        (Sent::body("query=%7B__typename%7D"), 400, input, "not JSON"),
        (Sent::body(r#"{"query":"{ __typename }"} {}"#), 400, input, "not JSON"),
        (Sent::body(r#"{"query":"{ __typename }",}"#), 400, input, "not JSON"),
        (Sent::body("{\"query\":\"{ __type\nname }\"}"), 400, input, "not JSON"),
        (Sent::body(&b"{\"query\":\"\xff\"}"[..]), 400, input, "not UTF-8"),
        (Sent::body(&b"\xef\xbb\xbf{}"[..]), 400, input, "not JSON"),
        (Sent::body(vec![b'['; 1000]), 400, input, "not JSON"),
    ]
}

/// JSON that is no request: 400, and 422 by the letter of the draft.
fn malformed() -> Vec<(&'static str, &'static str)> {
    vec![
        ("{}", "`query` is missing"),
        (r#"{"query":null}"#, "`query` is missing"),
        (r#"{"QUERY":"{ __typename }"}"#, "`query` is missing"),
        (r#"{"documentId":"sha256:00"}"#, "`query` is missing"),
        (r#"{"query":1}"#, "`query` must be a string"),
        (r#"{"query":["{ __typename }"]}"#, "`query` must be a string"),
        (r#"{"query":{"kind":"Document"}}"#, "`query` must be a string"),
        (r#"{"query":"{ a }","variables":"{}"}"#, "`variables` must be an object"),
        (r#"{"query":"{ a }","variables":[]}"#, "`variables` must be an object"),
        (r#"{"query":"{ a }","variables":1}"#, "`variables` must be an object"),
        (r#"{"query":"{ a }","operationName":1}"#, "`operationName` must be a string"),
        (r#"{"query":"{ a }","operationName":{}}"#, "`operationName` must be a string"),
        (r#"{"query":"{ a }","extensions":"x"}"#, "`extensions` must be an object"),
        (r#"{"query":"{ a }","query":"{ b }"}"#, "duplicate field `query`"),
        (r#"{"variables":{},"query":"{ a }","variables":{}}"#, "duplicate field `variables`"),
        (r#"[{"query":"{ __typename }"}]"#, "array"),
        ("[]", "array"),
        ("null", "one JSON object"),
        ("1e3", "one JSON object"),
        (r#""{ __typename }""#, "one JSON object"),
    ]
}

async fn small(status: &str) -> (tempfile::TempDir, Gateway) {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start_with(data.path(), &[("limits.body", "1KiB"), ("http.status", status)]).await;
    (data, gateway)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_told_why_under_every_profile() {
    for profile in ["rails", "compat", "draft"] {
        let (_data, gateway) = small(profile).await;
        let mut cases = refused_by_http();
        let status = if profile == "draft" { 422 } else { 400 };
        cases.extend(
            malformed().into_iter().map(|(body, word)| (Sent::body(body), status, "BAD_USER_INPUT", word)),
        );
        assert!(cases.len() > 50);
        for (sent, status, code, word) in cases {
            let case = format!("{profile} {} {:?} {word:?}", sent.method, sent.headers);
            let answer = ask(&gateway, sent).await;
            assert_eq!(answer.status.as_u16(), status, "{case}: {}", answer.text());
            let (told, message) = first(&answer);
            assert!(told == code && message.contains(word), "{case}: {told}: {message}");
            assert_eq!(answer.json().as_object().unwrap().len(), 1, "{case}: only errors");
            assert_eq!(answer.headers["content-length"], answer.body.len().to_string(), "{case}");
            assert_eq!(answer.headers["content-type"], "application/json; charset=utf-8", "{case}");
            assert_eq!(answer.headers["x-request-id"].len(), 16, "{case}");
            assert_eq!(answer.headers.get("allow").is_some(), status == 405, "{case}");
        }
        gateway.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_well_formed_gets_as_far_as_the_graph() {
    let (_data, gateway) = small("compat").await;
    for sent in [
        Sent::body(GOOD),
        Sent::typed("Application/JSON; charset=\"UTF-8\""),
        Sent::with("content-encoding", "identity"),
        Sent::with("accept", "*/*"),
        Sent::with("accept", "text/html,*/*;q=0.1"),
        Sent::with("x-request-timeout", "1500ms"),
        Sent::with("origin", "http://evil.example"),
        Sent::body(format!(" \n{GOOD}\r\n")),
        Sent::body(r#"{"query":"","variables":null,"operationName":null,"extensions":null,"more":[1]}"#),
        Sent::body(r#"{"query":"{a}","variables":{"a":{}},"operationName":"A","extensions":{}}"#),
    ] {
        let answer = ask(&gateway, sent).await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{}", answer.text());
        let (code, message) = first(&answer);
        assert_eq!(code, "VERSION_UNAVAILABLE");
        assert!(message.contains("register one"), "{message}");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_has_the_type_and_the_name_that_were_asked_for() {
    let (_data, gateway) = small("compat").await;
    let answer = ask(&gateway, Sent::with("accept", "application/graphql-response+json")).await;
    assert_eq!(answer.headers["content-type"], format!("{GRAPHQL}; charset=utf-8"));
    assert_eq!(answer.headers["x-content-type-options"], "nosniff");
    let named = ask(&gateway, Sent::with("x-request-id", "order-17")).await;
    assert_eq!(named.headers["x-request-id"], "order-17");
    let hash = r#"{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"00"}}}"#;
    let (code, message) = first(&ask(&gateway, Sent::body(hash)).await);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("PERSISTED_QUERY_NOT_SUPPORTED", "PersistedQueryNotSupported")
    );
    let missing = Request::get(format!("{}/graphql/x", gateway.public())).body(Full::default()).unwrap();
    assert_eq!(gateway.send(missing).await.status, StatusCode::NOT_FOUND);
    let alive = Request::get(format!("{}/livez", gateway.public())).body(Full::default()).unwrap();
    assert_eq!(gateway.send(alive).await.text(), "ok\n");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn http2_is_spoken_on_the_same_port() {
    let (_data, gateway) = small("compat").await;
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http::<Full<Bytes>>();
    let ask = |method: Method, body: Vec<u8>| {
        let request = Request::builder().method(method).uri(format!("{}/graphql", gateway.public()));
        client.request(request.header("content-type", JSON).body(Full::new(Bytes::from(body))).unwrap())
    };
    // Side by side on one connection, one of them refused while its body is on the way.
    let (good, large, wrong) = tokio::join!(
        ask(Method::POST, GOOD.into()),
        ask(Method::POST, vec![b'x'; 200_000]),
        ask(Method::PUT, Vec::new())
    );
    let statuses = [good.unwrap(), large.unwrap(), wrong.unwrap()].map(|answer| {
        assert_eq!(answer.version(), Version::HTTP_2);
        answer.status().as_u16()
    });
    assert_eq!(statuses, [503, 413, 405]);
    drop(client);
    gateway.stop().await;
}

async fn connect(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(gateway.public().trim_start_matches("http://")).await.unwrap()
}

/// Reads to the end, which has to come.
async fn read_all(socket: &mut TcpStream) -> String {
    let mut read = Vec::new();
    let ended = tokio::time::timeout(Duration::from_secs(20), async {
        while !matches!(socket.read_buf(&mut read).await, Ok(0) | Err(_)) {}
    });
    assert!(ended.await.is_ok(), "no end: {}", String::from_utf8_lossy(&read));
    String::from_utf8(read).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_and_broken_bodies_get_an_answer_or_an_end() {
    let (_data, gateway) = small("compat").await;
    let head = "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n";
    let (mut slow, mut chunked, mut cut) =
        (connect(&gateway).await, connect(&gateway).await, connect(&gateway).await);
    slow.write_all(format!("{head}Content-Length: 100\r\n\r\n{{").as_bytes()).await.unwrap();
    let pieces = format!("{head}Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n");
    chunked.write_all(pieces.as_bytes()).await.unwrap();
    for piece in GOOD.as_bytes().chunks(3) {
        let piece = [format!("{:x}\r\n", piece.len()).as_bytes(), piece, b"\r\n"].concat();
        chunked.write_all(&piece).await.unwrap();
    }
    chunked.write_all(b"0\r\n\r\n").await.unwrap();
    cut.write_all(format!("{head}Content-Length: 100\r\n\r\n{{").as_bytes()).await.unwrap();
    cut.shutdown().await.unwrap();
    let told = read_all(&mut chunked).await;
    assert!(told.starts_with("HTTP/1.1 503"), "{told}");
    // Half a request and no more: an answer or a closed door, and never a request that runs.
    let told = read_all(&mut cut).await;
    assert!(told.is_empty() || told.starts_with("HTTP/1.1 400"), "{told}");
    let told = read_all(&mut slow).await;
    assert!(told.starts_with("HTTP/1.1 408") && told.contains("within 10 s"), "{told}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_heard_by_who_still_sends() {
    let (_data, gateway) = small("compat").await;
    let size = 4 << 20;
    for (line, expected) in [("POST /graphql", 413), ("PUT /graphql", 405)] {
        let mut socket = connect(&gateway).await;
        let head = format!(
            "{line} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\
             Connection: close\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(&vec![b'x'; size]).await.unwrap();
        let told = read_all(&mut socket).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {expected}")), "{line}: {told}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_before_sending_is_not_told_to_send_what_is_refused() {
    let (_data, gateway) = small("compat").await;
    for (line, content_type, expected) in
        [("POST /graphql", JSON, 413), ("POST /graphql", "text/plain", 415), ("DELETE /graphql", JSON, 405)]
    {
        let mut socket = connect(&gateway).await;
        let head = format!(
            "{line} HTTP/1.1\r\nHost: a\r\nContent-Type: {content_type}\r\nContent-Length: 5000000\r\n\
             Expect: 100-continue\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let told = read_all(&mut socket).await;
        assert!(told.starts_with(&format!("HTTP/1.1 {expected}")), "{line}: {told}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_thread_answers_and_all_end_with_the_gateway() {
    let (_data, gateway) = small("compat").await;
    let mut sockets = Vec::new();
    for _ in 0..64 {
        sockets.push(connect(&gateway).await);
    }
    let request = format!(
        "POST /graphql HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{GOOD}",
        GOOD.len()
    );
    let mut names = std::collections::BTreeSet::new();
    for socket in &mut sockets {
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(b"}]}") {
            assert_ne!(socket.read_buf(&mut read).await.unwrap(), 0);
        }
        let read = String::from_utf8(read).unwrap();
        let name = read.split("x-request-id: ").nth(1).unwrap().split('\r').next().unwrap();
        names.insert(name.to_owned());
    }
    assert_eq!(names.len(), sockets.len(), "no two requests have one name");
    // Connections that are open and idle are closed, and hold nothing up.
    tokio::time::timeout(Duration::from_secs(5), gateway.stop()).await.expect("it stops at once");
    for socket in &mut sockets {
        assert_eq!(read_all(socket).await, "");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_gateway_on_a_port_does_not_start() {
    let (data, gateway) = small("compat").await;
    let address = gateway.public().trim_start_matches("http://").to_owned();
    let other = data.path().join("other");
    let flags = vec![
        ("listen", address.clone()),
        ("admin.listen", "127.0.0.1:0".to_owned()),
        ("data", other.display().to_string()),
    ];
    let launch = Launch { file: FileChoice::None, env: Vec::new(), flags };
    let read = launch.read().unwrap();
    let error = App::start(launch, read).await.unwrap_err();
    assert_eq!(error.to_string(), format!("cannot listen on {address}"));
    // And the first one still has every connection.
    for _ in 0..16 {
        assert_eq!(ask(&gateway, Sent::body(GOOD)).await.status, StatusCode::SERVICE_UNAVAILABLE);
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_body_of_an_answer_is_one_piece() {
    let (_data, gateway) = small("compat").await;
    let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
    let request = Request::post(format!("{}/graphql", gateway.public())).header("content-type", JSON);
    let answer = client.request(request.body(Full::from(GOOD)).unwrap()).await.unwrap();
    let length: usize = answer.headers()["content-length"].to_str().unwrap().parse().unwrap();
    let mut body = answer.into_body();
    let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
    assert_eq!(piece.len(), length);
    drop((body, client));
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_is_not_understood_is_counted() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let digest = gateway.store(turnout_samples::descriptors("catalog", "1.4.0").unwrap()).await;
    let registered = gateway.put(&instance("catalog", "a"), body("1.4.0", &digest).to_string()).await;
    assert_eq!(registered.status, StatusCode::OK, "{}", registered.text());
    let served = async {
        while ask(&gateway, Sent::body(GOOD)).await.status == StatusCode::SERVICE_UNAVAILABLE {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), served).await.expect("what is registered is served");
    assert_eq!(ask(&gateway, Sent::body(r#"{"query":"{ "}"#)).await.status, StatusCode::OK);
    let metrics = gateway.get("/metrics").await.text();
    for kind in ["query\",outcome=\"complete", "unknown\",outcome=\"refused"] {
        let line = format!("turnout_operations_total{{kind=\"{kind}\"}} 1");
        assert!(metrics.lines().any(|found| found == line), "{line}\n{metrics}");
    }
    gateway.stop().await;
}
