//! What a service receives.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use tokio::sync::mpsc;

use crate::upstream::exchange::{grpc_timeout, is_grpc};
use crate::upstream::scripted::{After, Letter, framed, wired};

#[tokio::test(start_paused = true)]
async fn a_request_is_one_of_grpc() {
    let (seen, mut requests) = mpsc::channel(1);
    let wired = wired(move |mut call| {
        let seen = seen.clone();
        async move {
            let body = call.body().await;
            let (parts, _) = call.request.into_parts();
            call.respond.send_reset(h2::Reason::CANCEL);
            seen.send((parts, body)).await.unwrap();
            After::GoOn
        }
    })
    .await;
    let mut letter = Letter::new("hello");
    letter.timeout = Some(Duration::from_millis(1500));
    for (name, value) in [
        ("authorization", "Bearer x"),
        ("x-many", "1"),
        ("te", "gzip"),
        ("content-type", "text/html"),
        ("user-agent", "evil"),
        ("host", "evil"),
        ("connection", "close"),
        ("grpc-timeout", "1H"),
        ("grpc-encoding", "gzip"),
    ] {
        letter.metadata.insert(name, HeaderValue::from_static(value));
    }
    letter.metadata.append("x-many", HeaderValue::from_static("2"));
    wired.send(&letter).await.unwrap_err();

    let (parts, body) = requests.recv().await.unwrap();
    assert_eq!(parts.method, "POST");
    assert_eq!(parts.uri, "http://catalog.test:50051/shop.Catalog/Get");
    assert_eq!(body, framed(b"hello"));
    let expected = [
        ("te", "trailers"),
        ("content-type", "application/grpc"),
        ("user-agent", concat!("turnout/", env!("CARGO_PKG_VERSION"))),
        ("grpc-accept-encoding", "identity"),
        ("authorization", "Bearer x"),
        ("x-many", "1"),
        ("x-many", "2"),
        ("grpc-timeout", "1500000u"),
    ];
    let mut map = HeaderMap::new();
    for (name, value) in expected {
        map.append(name, HeaderValue::from_static(value));
    }
    assert_eq!(parts.headers, map);
}

#[tokio::test(start_paused = true)]
async fn a_large_request_waits_for_the_windows_of_the_service() {
    let wired = wired(|mut call| async move {
        let bytes = call.body().await.len();
        call.answer(framed(bytes.to_string().as_bytes()), "0");
        After::GoOn
    })
    .await;
    let answer = wired.send(&Letter::new(vec![7; 3_000_000])).await.unwrap();
    assert_eq!(answer, "3000005");
}

#[tokio::test(start_paused = true)]
async fn calls_share_a_connection() {
    let wired = wired(|mut call| async move {
        let body = call.body().await;
        tokio::time::sleep(Duration::from_millis(10)).await;
        call.answer(Bytes::from(body), "0");
        After::GoOn
    })
    .await;
    let letters: Vec<Letter> = (0..150).map(|number| Letter::new(number.to_string())).collect();
    let answers = futures_util::future::join_all(letters.iter().map(|letter| wired.send(letter))).await;
    for (number, answer) in answers.into_iter().enumerate() {
        assert_eq!(answer.unwrap(), number.to_string());
    }
}

#[test]
fn the_time_left_is_written_in_eight_digits_at_most() {
    for (left, text) in [
        (Duration::from_nanos(1), "1u"),
        (Duration::from_nanos(1_999), "1u"),
        (Duration::from_millis(950), "950000u"),
        (Duration::from_micros(99_999_999), "99999999u"),
        (Duration::from_secs(100), "100000m"),
        (Duration::from_secs(99_999), "99999000m"),
        (Duration::from_secs(100_000), "100000S"),
        (Duration::from_secs(100_000_000), "1666666M"),
        (Duration::MAX, "99999999M"),
    ] {
        assert_eq!(grpc_timeout(left), text);
    }
}

#[test]
fn content_types_of_grpc_are_known() {
    for kind in ["application/grpc", "application/grpc+proto", "Application/GRPC; charset=utf-8"] {
        assert!(is_grpc(kind.as_bytes()), "{kind}");
    }
    for kind in ["application/grpc+json", "application/grpc-web", "application/grpcx", "text/html", ""] {
        assert!(!is_grpc(kind.as_bytes()), "{kind}");
    }
}
