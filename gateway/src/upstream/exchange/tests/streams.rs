//! Streams of a service: each message as it comes, no more than the window, and one end.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use h2::Reason;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Code;

use crate::upstream::Origin;
use crate::upstream::connection::STREAM_WINDOW_BYTES;
use crate::upstream::exchange::Reach;
use crate::upstream::scripted::{After, Call, MESSAGE_BYTES_MAX, Wired, fields, framed, wired};

async fn service(act: fn(&mut Call)) -> Wired {
    wired(move |mut call| async move {
        act(&mut call);
        // The stream stays open as long as its caller wants it.
        if !call.request.headers().contains_key("grpc-timeout") {
            call.reset().await;
        }
        After::GoOn
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn messages_come_one_by_one_however_long_it_takes() {
    let wired = wired(|mut call| async move {
        assert!(!call.request.headers().contains_key("grpc-timeout"));
        let stream = call.begin();
        stream.send_data([framed(b"a"), framed(b"b")].concat().into(), false).unwrap();
        tokio::time::sleep(Duration::from_secs(3600)).await;
        stream.send_data(framed(b"c"), false).unwrap();
        stream.send_trailers(fields(&[("grpc-status", "0")])).unwrap();
        After::GoOn
    })
    .await;
    let mut events = wired.open().await.unwrap();
    for expected in ["a", "b", "c"] {
        assert_eq!(events.next().await.unwrap().unwrap(), expected);
    }
    assert_eq!(events.next().await, None);
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_bad_end_is_told_once() {
    let wired = service(|call| call.answer(framed(b"a"), "10")).await;
    let mut events = wired.open().await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap(), "a");
    let failure = events.next().await.unwrap().unwrap_err();
    assert_eq!((failure.code, failure.origin), (Code::Aborted, Origin::Service));
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_is_a_failure() {
    let wired = wired(|mut call| async move {
        let stream = call.begin();
        stream.send_data(framed(b"a"), false).unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
        After::HangUp
    })
    .await;
    let mut events = wired.open().await.unwrap();
    assert_eq!(events.next().await.unwrap().unwrap(), "a");
    let failure = events.next().await.unwrap().unwrap_err();
    assert_eq!((failure.code, failure.origin), (Code::Unavailable, Origin::Connection));
    assert_eq!(events.next().await, None);

    let wired = service(|call| call.answer(framed(b"cut off").slice(..8), "0")).await;
    let failure = wired.open().await.unwrap().next().await.unwrap().unwrap_err();
    assert_eq!((failure.code, failure.origin), (Code::Internal, Origin::Answer));
}

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_empty_or_refused_by_its_head() {
    let empty = [("content-type", "application/grpc"), ("grpc-status", "0")];
    let wired = wired(move |mut call| async move {
        call.say(200, &empty);
        After::GoOn
    })
    .await;
    assert_eq!(wired.open().await.unwrap().next().await, None);

    let wired = service(|call| call.say(200, &[("grpc-status", "16")])).await;
    let attempt = wired.open().await.unwrap_err();
    assert_eq!((attempt.failure.code, attempt.reach), (Code::Unauthenticated, Reach::Answered));
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_over_the_head() {
    let wired = service(|_| {}).await;
    let begin = Instant::now();
    let attempt = wired.open().await.unwrap_err();
    assert_eq!((attempt.failure.code, attempt.failure.origin), (Code::DeadlineExceeded, Origin::Deadline));
    assert!(begin.elapsed() < Duration::from_millis(5002));
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_dropped_is_cancelled() {
    let (seen, mut resets) = mpsc::channel(1);
    let wired = wired(move |mut call| {
        let seen = seen.clone();
        async move {
            call.begin();
            seen.send(call.reset().await).await.unwrap();
            After::GoOn
        }
    })
    .await;
    drop(wired.open().await.unwrap());
    assert_eq!(resets.recv().await, Some(Reason::CANCEL));
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_the_window_arrives() {
    let wired = service(|call| {
        let stream = call.begin();
        for fill in 1..=3 {
            stream.send_data(framed(&vec![fill; MESSAGE_BYTES_MAX]), false).unwrap();
        }
        stream.send_trailers(fields(&[("grpc-status", "0")])).unwrap();
    })
    .await;
    let mut events = wired.open().await.unwrap();
    for fill in 1..=3 {
        let message = events.next().await.unwrap().unwrap();
        assert_eq!(message.len(), MESSAGE_BYTES_MAX);
        assert!(message.iter().all(|byte| *byte == fill));
    }
    assert_eq!(events.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_stops_the_service() {
    const MESSAGE_BYTES: usize = 10_000;
    let sent = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&sent);
    let wired = wired(move |mut call| {
        let count = Arc::clone(&count);
        async move {
            let stream = call.begin();
            let message = framed(&[7; MESSAGE_BYTES - 5]);
            loop {
                stream.reserve_capacity(message.len());
                while stream.capacity() < message.len() {
                    let grown = std::future::poll_fn(|cx| stream.poll_capacity(cx)).await;
                    if !matches!(grown, Some(Ok(_))) {
                        return After::GoOn;
                    }
                }
                stream.send_data(message.clone(), false).unwrap();
                count.fetch_add(message.len(), Ordering::Relaxed);
            }
        }
    })
    .await;
    let mut events = wired.open().await.unwrap();
    let window = STREAM_WINDOW_BYTES as usize;
    let rest = || tokio::time::sleep(Duration::from_secs(10));

    rest().await;
    let full = sent.load(Ordering::Relaxed);
    assert!(full <= window && full > window - MESSAGE_BYTES, "{full}");

    // One message read does not open the window by more than itself.
    events.next().await.unwrap().unwrap();
    rest().await;
    assert!(sent.load(Ordering::Relaxed) <= window + MESSAGE_BYTES);

    for _ in 0..500 {
        assert_eq!(events.next().await.unwrap().unwrap().len(), MESSAGE_BYTES - 5);
    }
    rest().await;
    let read = 501 * MESSAGE_BYTES;
    let sent = sent.load(Ordering::Relaxed);
    assert!(sent > read + window / 3 && sent <= read + window, "{sent}");
}

#[tokio::test(start_paused = true)]
async fn a_next_that_is_dropped_loses_nothing() {
    let wired = wired(|mut call| async move {
        let stream = call.begin();
        for byte in framed(b"slowly") {
            tokio::time::sleep(Duration::from_secs(1)).await;
            stream.send_data(vec![byte].into(), false).unwrap();
        }
        stream.send_trailers(fields(&[("grpc-status", "0")])).unwrap();
        After::GoOn
    })
    .await;
    let mut events = wired.open().await.unwrap();
    let mut given_up = 0;
    let message = loop {
        match tokio::time::timeout(Duration::from_millis(700), events.next()).await {
            Ok(next) => break next.unwrap().unwrap(),
            Err(_) => given_up += 1,
        }
    };
    assert_eq!(message, "slowly");
    assert!(given_up > 10);
    assert_eq!(events.next().await, None);
}
