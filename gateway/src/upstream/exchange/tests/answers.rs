//! Answers that came, good and bad.

use bytes::Bytes;
use h2::Reason;
use tonic::Code;

use crate::upstream::Origin;
use crate::upstream::breaker::Mark;
use crate::upstream::exchange::{Attempt, Reach};
use crate::upstream::retry::{Patience, blame};
use crate::upstream::scripted::{
    After, Call, Letter, MESSAGE_BYTES_MAX, Wired, fields, framed, over, serve_as, wired,
};

/// What a call comes to when the service does this.
async fn outcome(act: fn(&mut Call)) -> Result<Bytes, Attempt> {
    service(act).await.call().await
}

async fn service(act: fn(&mut Call)) -> Wired {
    wired(move |mut call| async move {
        call.body().await;
        act(&mut call);
        After::GoOn
    })
    .await
}

async fn check(act: fn(&mut Call), code: Code, origin: Origin, reach: Reach) {
    let attempt = outcome(act).await.unwrap_err();
    let failure = &attempt.failure;
    assert_eq!((failure.code, failure.origin, attempt.reach), (code, origin, reach), "{}", failure.message);
}

async fn check_bad(act: fn(&mut Call), code: Code) {
    check(act, code, Origin::Answer, Reach::Perhaps).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_is_its_message() {
    assert_eq!(outcome(|call| call.answer(framed(b"pong"), "0")).await.unwrap(), "pong");
    assert_eq!(outcome(|call| call.answer(framed(b""), "0")).await.unwrap(), "");
}

#[tokio::test(start_paused = true)]
async fn an_answer_may_come_in_any_pieces() {
    let wired = service(|call| {
        let stream = call.begin();
        for byte in framed(b"in pieces") {
            stream.send_data(Bytes::from(vec![byte]), false).unwrap();
            stream.send_data(Bytes::new(), false).unwrap();
        }
        stream.send_trailers(fields(&[("grpc-status", "0")])).unwrap();
    })
    .await;
    assert_eq!(wired.call().await.unwrap(), "in pieces");
    assert!(wired.connection.is_usable());
}

#[tokio::test(start_paused = true)]
async fn the_largest_message_is_taken_and_one_byte_more_is_not() {
    let wired = service(|call| call.answer(framed(&vec![3; MESSAGE_BYTES_MAX]), "0")).await;
    // Twice: the windows are open again after the first.
    for _ in 0..2 {
        let answer = wired.call().await.unwrap();
        assert_eq!(answer.len(), MESSAGE_BYTES_MAX);
        assert!(answer.iter().all(|byte| *byte == 3));
    }
    check_bad(|call| call.answer(framed(&vec![3; MESSAGE_BYTES_MAX + 1]), "0"), Code::ResourceExhausted)
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_message_that_is_too_long_is_refused_by_its_length() {
    let (seen, mut resets) = tokio::sync::mpsc::channel(1);
    let wired = wired(move |mut call| {
        let seen = seen.clone();
        async move {
            let stream = call.begin();
            stream.send_data(Bytes::from_static(&[0, 255, 255, 255, 255]), false).unwrap();
            seen.send(call.reset().await).await.unwrap();
            After::GoOn
        }
    })
    .await;
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(attempt.failure.code, Code::ResourceExhausted);
    assert_eq!(attempt.failure.origin, Origin::Answer);
    assert_eq!(resets.recv().await, Some(Reason::CANCEL));
}

#[tokio::test(start_paused = true)]
async fn statuses_are_read_from_trailers_and_from_heads() {
    let told = |attempt: Attempt| {
        assert_eq!((attempt.failure.origin, attempt.reach), (Origin::Service, Reach::Answered));
        (attempt.failure.code, attempt.failure.message)
    };
    let evil = outcome(|call| {
        let stream = call.begin();
        let trailers = [("grpc-status", "13"), ("grpc-message", "%0d%0a<script>%00 postgres://u:p@db")];
        stream.send_trailers(fields(&trailers)).unwrap();
    });
    let text = "\u{fffd}\u{fffd}<script>\u{fffd} postgres://u:p@db".to_owned();
    assert_eq!(told(evil.await.unwrap_err()), (Code::Internal, text));

    let alone = outcome(|call| {
        let fields = [("content-type", "application/grpc"), ("grpc-status", "7"), ("grpc-message", "no")];
        call.say(200, &fields);
    });
    assert_eq!(told(alone.await.unwrap_err()), (Code::PermissionDenied, "no".to_owned()));

    let bare = outcome(|call| call.say(200, &[("grpc-status", "12")]));
    assert_eq!(told(bare.await.unwrap_err()).0, Code::Unimplemented);

    let through_http = outcome(|call| call.say(503, &[("grpc-status", "8")]));
    assert_eq!(told(through_http.await.unwrap_err()).0, Code::ResourceExhausted);

    // A message before a bad status is not an answer, and neither are two.
    let with_message = outcome(|call| call.answer(framed(b"half of it"), "9"));
    assert_eq!(told(with_message.await.unwrap_err()).0, Code::FailedPrecondition);
    let with_a_piece = outcome(|call| call.answer(framed(b"half of it").slice(..8), "9"));
    assert_eq!(told(with_a_piece.await.unwrap_err()).0, Code::FailedPrecondition);
}

#[tokio::test(start_paused = true)]
async fn what_else_a_status_says_is_kept() {
    let attempt = outcome(|call| {
        let trailers = [
            ("content-type", "application/grpc"),
            ("grpc-status", "14"),
            ("grpc-status-details-bin", "CA4"),
            ("grpc-retry-pushback-ms", "-1"),
        ];
        call.say(200, &trailers);
    });
    let attempt = attempt.await.unwrap_err();
    assert_eq!(attempt.failure.details, &b"\x08\x0e"[..]);
    assert_eq!(attempt.pushback, Some(None));
}

#[tokio::test(start_paused = true)]
async fn answers_of_http_have_the_codes_of_grpc() {
    check_bad(|call| call.say(404, &[("content-type", "text/html")]), Code::Unimplemented).await;
    check_bad(|call| call.say(503, &[]), Code::Unavailable).await;
    check_bad(|call| call.say(401, &[]), Code::Unauthenticated).await;
    check_bad(|call| call.say(503, &[("grpc-status", "0")]), Code::Unavailable).await;
    let with_body = |call: &mut Call| {
        let stream = call.begin_with(502, &[("content-type", "text/html")]);
        stream.send_data(Bytes::from_static(b"<html>secret</html>"), true).unwrap();
    };
    check_bad(with_body, Code::Unavailable).await;
    assert_eq!(outcome(with_body).await.unwrap_err().failure.message, "the answer was HTTP 502");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_one_message_is_a_bad_answer() {
    check_bad(|call| call.answer("", "0"), Code::Internal).await;
    check_bad(
        |call| call.say(200, &[("content-type", "application/grpc"), ("grpc-status", "0")]),
        Code::Internal,
    )
    .await;
    check_bad(|call| call.answer([framed(b"one"), framed(b"two")].concat(), "0"), Code::Internal).await;
    check_bad(|call| call.answer(framed(b"truncated").slice(..9), "0"), Code::Internal).await;
    check_bad(|call| call.answer(framed(b"truncated").slice(..3), "0"), Code::Internal).await;
    check_bad(|call| call.answer([framed(b"one"), framed(b"two").slice(..2)].concat(), "0"), Code::Internal)
        .await;
    check_bad(|call| call.answer(&[1, 0, 0, 0, 1, 9][..], "0"), Code::Internal).await;
    check_bad(|call| call.answer(&[2, 0, 0, 0, 1, 9][..], "0"), Code::Internal).await;
    check_bad(|call| call.answer(&b"<html></html>"[..], "0"), Code::Internal).await;
}

#[tokio::test(start_paused = true)]
async fn two_messages_are_refused_before_the_end() {
    let wired = wired(|mut call| async move {
        let stream = call.begin();
        stream.send_data([framed(b"one"), framed(b"two")].concat().into(), false).unwrap();
        call.reset().await;
        After::GoOn
    })
    .await;
    let attempt = wired.call().await.unwrap_err();
    assert_eq!((attempt.failure.code, attempt.failure.origin), (Code::Internal, Origin::Answer));
}

#[tokio::test(start_paused = true)]
async fn an_answer_without_a_status_gives_no_data() {
    let ended = |call: &mut Call| call.begin().send_data(framed(b"pong"), true).unwrap();
    check_bad(ended, Code::Unknown).await;
    let empty = |call: &mut Call| {
        let stream = call.begin();
        stream.send_data(framed(b"pong"), false).unwrap();
        stream.send_trailers(fields(&[("grpc-message", "hm")])).unwrap();
    };
    check_bad(empty, Code::Unknown).await;
    check_bad(|call| call.answer(framed(b"pong"), "fine"), Code::Unknown).await;
    check_bad(|call| call.say(200, &[("content-type", "application/grpc")]), Code::Unknown).await;
}

#[tokio::test(start_paused = true)]
async fn other_contents_are_refused() {
    for kind in ["application/grpc+json", "text/html", "application/grpc-web"] {
        let wired = wired(move |mut call| async move {
            let stream = call.begin_with(200, &[("content-type", kind)]);
            stream.send_data(framed(b"{}"), false).unwrap();
            stream.send_trailers(fields(&[("grpc-status", "0")])).unwrap();
            After::GoOn
        })
        .await;
        let failure = wired.call().await.unwrap_err().failure;
        assert_eq!((failure.code, failure.origin), (Code::Unknown, Origin::Answer), "{kind}");
    }
    check_bad(|call| call.begin_with(200, &[]).send_data(framed(b"x"), true).unwrap(), Code::Unknown).await;
}

#[tokio::test(start_paused = true)]
async fn floods_of_headers_are_refused_and_the_connection_lives() {
    let wired = service(|call| {
        let long = "x".repeat(20_000);
        let flood = [
            ("content-type", "application/grpc"),
            ("grpc-status", "5"),
            ("x-a", &*long),
            ("x-b", &*long),
            ("x-c", &*long),
            ("grpc-status-details-bin", &*long),
        ];
        call.say(200, &flood);
    })
    .await;
    let attempt = wired.call().await.unwrap_err();
    assert_eq!(attempt.failure.origin, Origin::Answer);
    assert_eq!(attempt.failure.code, Code::Internal);
    assert_eq!(attempt.reach, Reach::Perhaps);
    assert!(wired.connection.is_usable());
}

#[tokio::test(start_paused = true)]
async fn more_headers_than_a_service_takes_are_no_fault_of_it() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let wired = over(ours).await;
    let mut builder = h2::server::Builder::new();
    // As much as tonic takes by default; a caller may send 32 KiB over HTTP/1.1.
    builder.max_header_list_size(16 * 1024);
    wired.tasks.spawn(serve_as(builder, theirs, |mut call| async move {
        call.answer(framed(b"pong"), "0");
        After::GoOn
    }));
    let mut letter = Letter::new("ping");
    letter.metadata.insert("authorization", "x".repeat(20 * 1024).parse().unwrap());
    let failure = wired.send(&letter).await.unwrap_err().failure;
    assert_eq!((failure.code, failure.origin), (Code::ResourceExhausted, Origin::Answer));
    assert_eq!(blame(&failure, Patience::Enough), Mark::Nothing);
    assert_eq!(wired.call().await.unwrap(), "pong");
}
