//! What a caller can do who means harm, or whose tools break: each gets an answer or an end, in bounds.

use std::time::Duration;

use http::{Request, StatusCode};
use http_body_util::Full;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::gateway::{Gateway, instance};

async fn connect(gateway: &Gateway) -> TcpStream {
    TcpStream::connect(gateway.admin().trim_start_matches("http://")).await.unwrap()
}

/// Reads until the text appears, and returns all that was read.
async fn read_until(socket: &mut TcpStream, text: &str) -> String {
    let mut read = Vec::new();
    let done = tokio::time::timeout(Duration::from_secs(20), async {
        while !String::from_utf8_lossy(&read).contains(text) {
            // A reset ends it too: that is how a server leaves what it did not read.
            if matches!(socket.read_buf(&mut read).await, Ok(0) | Err(_)) {
                break;
            }
        }
    });
    let ended = done.await;
    let read = String::from_utf8_lossy(&read).into_owned();
    assert!(ended.is_ok(), "{text:?} did not come: {read}");
    read
}

/// One text frame, masked with zeros as a client's must be.
fn frame(message: &serde_json::Value) -> Vec<u8> {
    let text = message.to_string();
    let length = u16::try_from(text.len()).unwrap().to_be_bytes();
    [&[0x81, 0xfe], &length[..], &[0; 4], text.as_bytes()].concat()
}

async fn asked_over_websocket(gateway: &Gateway, question: &str) -> String {
    let mut socket = connect(gateway).await;
    let handshake = "GET /graphql HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                     Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                     Sec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n";
    socket.write_all(handshake.as_bytes()).await.unwrap();
    read_until(&mut socket, "\r\n\r\n").await;
    socket.write_all(&frame(&json!({ "type": "connection_init" }))).await.unwrap();
    read_until(&mut socket, "connection_ack").await;
    let ask = json!({ "id": "1", "type": "subscribe", "payload": { "query": question } });
    socket.write_all(&frame(&ask)).await.unwrap();
    read_until(&mut socket, "}}").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_websocket_is_no_way_around_the_measure_of_documents() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let honest = asked_over_websocket(&gateway, "{ services { name } }").await;
    assert!(honest.contains(r#"{"services":[]}"#), "{honest}");
    let deep = format!("{{ service(name: {}1{}) {{ name }} }}", "[".repeat(80), "]".repeat(80));
    let refused = asked_over_websocket(&gateway, &deep).await;
    assert!(refused.contains("64 are allowed"), "{refused}");
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_was_pointed_at_this_machine_opens_nothing() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    for (host, expected) in [
        ("evil.example:4001", StatusCode::FORBIDDEN),
        ("localhost.evil.example", StatusCode::FORBIDDEN),
        ("192.0.2.7:4001", StatusCode::FORBIDDEN),
        ("localhost:8080", StatusCode::OK),
        ("demo.localhost", StatusCode::OK),
        ("[::1]:4001", StatusCode::OK),
        ("127.0.0.1", StatusCode::OK),
    ] {
        let uri = format!("{}/registry/v1/services", gateway.admin());
        let request = Request::get(uri).header("host", host).body(Full::default()).unwrap();
        assert_eq!(gateway.send(request).await.status, expected, "{host}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_heard_by_who_still_sends_a_large_body() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    for (path, host) in [("/registry/v1/schemas/sha256:zz", "localhost"), ("/graphql", "evil.example")] {
        let mut socket = connect(&gateway).await;
        let size = 4 << 20;
        let head = format!("PUT {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {size}\r\n\r\n");
        socket.write_all(head.as_bytes()).await.unwrap();
        socket.write_all(&vec![b'x'; size]).await.unwrap();
        let answer = read_until(&mut socket, "\"error\"").await;
        assert!(answer.starts_with("HTTP/1.1 40"), "{answer}");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_stops_inside_its_first_word_is_cut() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let mut sockets = Vec::new();
    for start in ["P", "PRI * HTTP/2.0\r\n"] {
        let mut socket = connect(&gateway).await;
        socket.write_all(start.as_bytes()).await.unwrap();
        sockets.push(socket);
    }
    for mut socket in sockets {
        assert_eq!(read_until(&mut socket, "never").await, "");
    }
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_does_not_hold_up_the_end() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    let silent = connect(&gateway).await;
    gateway.get("/livez").await;
    tokio::time::timeout(Duration::from_secs(5), gateway.stop()).await.expect("it stops at once");
    drop(silent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cursor_that_is_none_is_told_and_one_from_the_future_starts_anew() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    gateway.register("catalog", "a", "1.4.0").await;
    let odd = gateway.get("/registry/v1/watch?cursor=-1").await;
    assert_eq!(
        (odd.status, odd.json()["error"]["code"].clone()),
        (StatusCode::BAD_REQUEST, json!("INVALID_QUERY"))
    );
    let future = gateway.get(&format!("/registry/v1/watch?cursor={}&wait=0", u64::MAX)).await;
    assert_eq!(future.json()["reset"], true);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_hangs_holds_up_no_reader() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start(data.path()).await;
    gateway.register("catalog", "a", "1.4.0").await;
    let other = rusqlite::Connection::open(data.path().join("registry.sqlite")).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let path = instance("orders", "b");
    let body = json!({ "version": "1.0.0", "endpoints": [{ "url": "grpc://127.0.0.1:1" }] }).to_string();
    let readers = async {
        // Long enough for the writer to be inside the registry; too short, and the test only sees less.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let watched = gateway.get("/registry/v1/watch?cursor=0&wait=0");
        let watched = tokio::time::timeout(Duration::from_secs(2), watched).await.expect("no reader waits");
        other.execute_batch("ROLLBACK").unwrap();
        watched.json()
    };
    let (registered, watched) = tokio::join!(gateway.put(&path, body), readers);
    assert_eq!(registered.status, StatusCode::OK, "{}", registered.text());
    assert_eq!(watched["events"].as_array().unwrap().len(), 1);
    gateway.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_could_not_be_written_leaves_the_lease_its_time() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Gateway::start_with(data.path(), &[("registry.ttl", "6s")]).await;
    let lease = gateway.register("catalog", "a", "1.4.0").await;
    let other = rusqlite::Connection::open(data.path().join("registry.sqlite")).unwrap();
    let broken = "CREATE TRIGGER broken BEFORE DELETE ON instances BEGIN SELECT RAISE(ABORT, 'broken'); END";
    other.execute_batch(broken).unwrap();
    // The lease is due after 6 s, and no heartbeat came.
    tokio::time::sleep(Duration::from_millis(6800)).await;
    let path = format!("/registry/v1/leases/{lease}/keepalive");
    let beat = gateway.call(http::Method::POST, &path, "").await;
    assert_eq!(beat.json(), json!({ "lease": lease, "ttl": 6 }));
    gateway.stop().await;
}
