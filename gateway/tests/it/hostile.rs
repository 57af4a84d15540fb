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
