//! Connections and streams that end: what a call learns, and how far it may have come.

use h2::Reason;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tonic::Code;

use crate::upstream::Origin;
use crate::upstream::exchange::{Attempt, Reach};
use crate::upstream::scripted::{After, Call, Letter, Wired, framed, over, wired};

fn told(attempt: &Attempt) -> (Code, Origin, Reach) {
    (attempt.failure.code, attempt.failure.origin, attempt.reach)
}

async fn service(act: fn(&mut Call) -> After) -> Wired {
    wired(move |mut call| async move {
        call.body().await;
        act(&mut call)
    })
    .await
}

#[tokio::test(start_paused = true)]
async fn a_refused_stream_was_not_seen() {
    let wired = service(|call| {
        call.respond.send_reset(Reason::REFUSED_STREAM);
        After::GoOn
    })
    .await;
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::Unavailable, Origin::Connection, Reach::Unseen));
    assert!(wired.connection.is_usable());
}

#[tokio::test(start_paused = true)]
async fn another_reset_tells_nothing_of_how_far_it_came() {
    let wired = service(|call| {
        call.respond.send_reset(Reason::INTERNAL_ERROR);
        After::GoOn
    })
    .await;
    assert_eq!(told(&wired.call().await.unwrap_err()), (Code::Internal, Origin::Answer, Reach::Perhaps));
    let wired = service(|call| {
        let stream = call.begin();
        stream.send_data(framed(b"pong"), false).unwrap();
        stream.send_reset(Reason::ENHANCE_YOUR_CALM);
        After::GoOn
    })
    .await;
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::ResourceExhausted, Origin::Answer, Reach::Perhaps));
}

/// HTTP/2 by hand: SETTINGS, and then these frames after the first bytes of a call.
async fn by_hand(frames: &'static [u8]) -> Wired {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let wired = over(ours).await;
    wired.tasks.spawn(async move {
        let mut read = Vec::new();
        theirs.write_all(SETTINGS).await.unwrap();
        // The frame of the message stands at the end of the request.
        while !read.ends_with(&framed(b"ping")) {
            theirs.read_buf(&mut read).await.unwrap();
        }
        theirs.write_all(frames).await.unwrap();
        while theirs.read_buf(&mut read).await.is_ok_and(|bytes| bytes > 0) {}
    });
    wired
}

#[tokio::test(start_paused = true)]
async fn calls_above_the_last_one_of_a_goaway_were_not_seen() {
    // GOAWAY: last stream 0, NO_ERROR.
    let wired = by_hand(&[0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).await;
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::Unavailable, Origin::Connection, Reach::Unseen));
    assert!(!wired.connection.is_usable());
}

#[tokio::test(start_paused = true)]
async fn calls_below_the_last_one_of_a_goaway_may_have_been_seen() {
    let wired = service(|_| After::Disown(Reason::ENHANCE_YOUR_CALM)).await;
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::Unavailable, Origin::Connection, Reach::Perhaps));
    assert!(!wired.connection.is_usable());
}

#[tokio::test(start_paused = true)]
async fn a_graceful_goaway_lets_calls_finish_and_takes_no_more() {
    let (go, ask) = mpsc::channel::<()>(1);
    let ask = std::sync::Arc::new(tokio::sync::Mutex::new(ask));
    let wired = wired(move |mut call| {
        let ask = ask.clone();
        async move {
            if call.body().await == framed(b"slow") {
                ask.lock().await.recv().await;
                call.answer(framed(b"done"), "0");
                After::GoOn
            } else {
                call.answer(framed(b"bye"), "0");
                After::Finish
            }
        }
    })
    .await;
    let slow = Letter::new("slow");
    let (done, ()) = tokio::join!(wired.send(&slow), async {
        assert_eq!(wired.call().await.unwrap(), "bye");
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        assert!(!wired.connection.is_usable());
        let attempt = wired.call().await.unwrap_err();
        assert_eq!(told(&attempt), (Code::Unavailable, Origin::Connection, Reach::Unseen));
        go.send(()).await.unwrap();
    });
    assert_eq!(done.unwrap(), "done");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_is_unavailable_and_not_usable() {
    let wired = service(|_| After::HangUp).await;
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::Unavailable, Origin::Connection, Reach::Perhaps));
    assert!(!wired.connection.is_usable());
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::Unavailable, Origin::Connection, Reach::Unseen));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_breaks_in_an_answer_gives_no_data() {
    let wired = wired(|mut call| async move {
        call.begin().send_data(framed(b"pong"), false).unwrap();
        tokio::time::sleep(std::time::Duration::from_secs(1)).await;
        After::HangUp
    })
    .await;
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::Unavailable, Origin::Connection, Reach::Perhaps));
}

#[tokio::test(start_paused = true)]
async fn an_answer_before_the_request_was_read_is_the_answer() {
    // The service does not want the rest, and says so by a reset without an error.
    let wired = wired(|mut call| async move {
        call.say(200, &[("content-type", "application/grpc"), ("grpc-status", "8")]);
        After::GoOn
    })
    .await;
    for _ in 0..3 {
        let attempt = wired.send(&Letter::new(vec![0; 1_000_000])).await.unwrap_err();
        assert_eq!(told(&attempt), (Code::ResourceExhausted, Origin::Service, Reach::Answered));
    }
    assert!(wired.connection.is_usable());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hung_up_without_a_word_has_seen_nothing() {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let wired = over(ours).await;
    wired.tasks.spawn(async move {
        // Even the whole request was read: whoever serves says SETTINGS first.
        let mut read = Vec::new();
        while !read.ends_with(&framed(b"ping")) {
            theirs.read_buf(&mut read).await.unwrap();
        }
    });
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::Unavailable, Origin::Connection, Reach::Unseen));
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_hung_up_before_anything_was_written_has_seen_nothing() {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let wired = over(ours).await;
    theirs.write_all(&[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
    // The connection learns of its settings, and writes all it has to say.
    tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    assert!(wired.connection.is_usable());
    drop(theirs);
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::Unavailable, Origin::Connection, Reach::Unseen));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_http2_is_no_answer() {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let wired = over(ours).await;
    theirs.write_all(b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\n").await.unwrap();
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(told(&attempt), (Code::Unavailable, Origin::Answer, Reach::Perhaps));
    assert!(!wired.connection.is_usable());
}

#[tokio::test(start_paused = true)]
async fn the_driver_ends_with_the_last_that_needs_it() {
    let wired = service(|call| {
        call.answer(framed(b"pong"), "0");
        After::GoOn
    })
    .await;
    assert_eq!(wired.call().await.unwrap(), "pong");
    let events = wired.open().await.unwrap();
    let tasks = wired.tasks.clone();
    tasks.close();
    drop(wired);
    let wait = std::time::Duration::from_secs(1);
    assert!(tokio::time::timeout(wait, tasks.wait()).await.is_err(), "the stream still needs it");
    drop(events);
    tokio::time::timeout(wait, tasks.wait()).await.unwrap();
}
