//! Services that stop in the middle: the deadline holds in every phase, and the service learns of it.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tonic::Code;

use crate::upstream::Origin;
use crate::upstream::connection::ABANDONED_CALLS_MAX;
use crate::upstream::exchange::Reach;
use crate::upstream::scripted::{After, Call, Letter, Wired, framed, over, serve_as, wired};

const DEADLINE: Duration = Duration::from_secs(5);

async fn check(wired: &Wired, letter: Letter) {
    let begin = Instant::now();
    let attempt = wired.send(&letter).await.unwrap_err();
    assert_eq!(attempt.failure.code, Code::DeadlineExceeded);
    assert_eq!(attempt.failure.origin, Origin::Deadline);
    assert_eq!(attempt.reach, Reach::Perhaps);
    let waited = begin.elapsed();
    assert!(waited >= DEADLINE && waited < DEADLINE + Duration::from_millis(2), "{waited:?}");
}

/// The service does this and then nothing; the call ends in time, and the service sees it cancelled.
async fn check_script(act: fn(&mut Call)) {
    let (seen, mut resets) = mpsc::channel(1);
    let wired = wired(move |mut call| {
        let seen = seen.clone();
        async move {
            act(&mut call);
            seen.send(call.reset().await).await.unwrap();
            After::GoOn
        }
    })
    .await;
    check(&wired, Letter::new("ping")).await;
    assert_eq!(resets.recv().await, Some(Reason::CANCEL));
    assert!(wired.connection.is_usable());
}

#[tokio::test(start_paused = true)]
async fn nobody_reads_the_connection() {
    let (ours, _theirs) = tokio::io::duplex(64 * 1024);
    check(&over(ours).await, Letter::new("ping")).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_can_even_be_written() {
    // The preface of HTTP/2 just fits.
    let (ours, _theirs) = tokio::io::duplex(24);
    check(&over(ours).await, Letter::new("ping")).await;
}

#[tokio::test(start_paused = true)]
async fn the_peer_never_sends_its_settings() {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let wired = over(ours).await;
    wired.tasks.spawn(async move {
        let mut buffer = [0; 1024];
        while theirs.read(&mut buffer).await.is_ok_and(|bytes| bytes > 0) {}
    });
    check(&wired, Letter::new("ping")).await;
}

#[tokio::test(start_paused = true)]
async fn the_head_does_not_come() {
    check_script(|_| {}).await;
}

#[tokio::test(start_paused = true)]
async fn nothing_follows_the_head() {
    check_script(|call| {
        call.begin();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn half_a_message_comes() {
    check_script(|call| {
        let stream = call.begin();
        stream.send_data(framed(b"half a message").slice(..10), false).unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_trailers_do_not_come() {
    check_script(|call| {
        let stream = call.begin();
        stream.send_data(framed(b"all of it"), false).unwrap();
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_service_does_not_read_the_request() {
    let (seen, mut resets) = mpsc::channel(1);
    let wired = wired(move |mut call| {
        let seen = seen.clone();
        async move {
            seen.send(call.reset().await).await.unwrap();
            After::GoOn
        }
    })
    .await;
    check(&wired, Letter::new(vec![0; 1_000_000])).await;
    assert_eq!(resets.recv().await, Some(Reason::CANCEL));
}

#[tokio::test(start_paused = true)]
async fn a_byte_now_and_then_does_not_move_the_deadline() {
    let wired = wired(move |mut call| async move {
        let stream = call.begin();
        for byte in framed(&[7; 100]) {
            tokio::time::sleep(Duration::from_millis(900)).await;
            if stream.send_data(Bytes::from(vec![byte]), false).is_err() {
                break;
            }
        }
        After::GoOn
    })
    .await;
    check(&wired, Letter::new("ping")).await;
}

#[tokio::test(start_paused = true)]
async fn the_earlier_of_deadline_and_timeout_holds() {
    let wired = wired(move |mut call| async move {
        call.reset().await;
        After::GoOn
    })
    .await;
    let mut letter = Letter::new("ping");
    letter.deadline = Instant::now() + DEADLINE * 10;
    letter.timeout = Some(DEADLINE);
    check(&wired, letter).await;
    let mut letter = Letter::new("ping");
    letter.timeout = Some(Duration::MAX);
    check(&wired, letter).await;
}

#[tokio::test(start_paused = true)]
async fn a_call_without_time_is_not_sent() {
    let (seen, mut calls) = mpsc::channel(1);
    let wired = wired(move |_call| {
        let seen = seen.clone();
        async move {
            seen.send(()).await.unwrap();
            After::GoOn
        }
    })
    .await;
    let mut letter = Letter::new("ping");
    letter.deadline = Instant::now();
    let attempt = wired.send(&letter).await.unwrap_err();
    assert_eq!((attempt.failure.code, attempt.reach), (Code::DeadlineExceeded, Reach::Unseen));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(calls.try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_is_cancelled() {
    let (seen, mut resets) = mpsc::channel(2);
    let wired = wired(move |mut call| {
        let seen = seen.clone();
        async move {
            seen.send(Reason::NO_ERROR).await.unwrap();
            seen.send(call.reset().await).await.unwrap();
            After::GoOn
        }
    })
    .await;
    let letter = Letter::new("ping");
    tokio::select! {
        _ = wired.send(&letter) => panic!("there is no answer"),
        _ = resets.recv() => {}
    }
    let begin = Instant::now();
    assert_eq!(resets.recv().await, Some(Reason::CANCEL));
    assert!(begin.elapsed() < Duration::from_millis(2));
}

#[tokio::test(start_paused = true)]
async fn a_connection_takes_no_more_calls_before_those_given_up_wear_it_out() {
    const AT_ONCE: u32 = 64;
    let patience = Duration::from_millis(2);
    let wired = wired(move |mut call| async move {
        if call.body().await == framed(b"stay") {
            call.begin();
            tokio::time::sleep(Duration::from_secs(3600)).await;
            call.answer_begun(framed(b"still here"), "0");
        } else {
            // The answer is on its way when the call is given up.
            tokio::time::sleep(patience).await;
            call.begin();
            call.answer_begun(framed(b"late"), "0");
        }
        After::GoOn
    })
    .await;
    let mut stays = wired.open_with(&Letter::new("stay")).await.unwrap();
    for _ in 0..ABANDONED_CALLS_MAX / AT_ONCE {
        assert!(wired.connection.is_usable());
        let letters: Vec<Letter> = (0..AT_ONCE).map(|_| Letter::new("ping")).collect();
        let calls = futures_util::future::join_all(letters.iter().map(|letter| wired.send(letter)));
        tokio::time::timeout(patience, calls).await.unwrap_err();
    }
    assert!(!wired.connection.is_usable());
    assert_eq!(stays.next().await.unwrap().unwrap(), "still here");
    assert_eq!(stays.next().await, None);
}

#[tokio::test(start_paused = true)]
async fn calls_that_end_do_not_wear_a_connection() {
    let wired = wired(|mut call| async move {
        match call.body().await.last() {
            Some(b'a') => call.answer(framed(b"pong"), "0"),
            Some(b'b') => call.answer(framed(b"pong"), "5"),
            Some(b'c') => call.say(200, &[("grpc-status", "5")]),
            _ => call.respond.send_reset(Reason::INTERNAL_ERROR),
        }
        After::GoOn
    })
    .await;
    for message in ["a", "b", "c", "d"] {
        let _ = wired.send(&Letter::new(message)).await;
    }
    assert_eq!(wired.connection.traffic().abandoned_calls(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_waits_for_its_turn_can_be_given_up() {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let wired = over(ours).await;
    let mut one_at_a_time = h2::server::Builder::new();
    one_at_a_time.max_concurrent_streams(1);
    wired.tasks.spawn(serve_as(one_at_a_time, theirs, |mut call| async move {
        let body = call.body().await;
        let work = Duration::from_secs(3);
        if tokio::time::timeout(work, call.reset()).await.is_err() {
            call.answer(body, "0");
        }
        After::GoOn
    }));
    // The first answer tells that the settings have come.
    assert_eq!(wired.call().await.unwrap(), "ping");
    let first = Letter::new("first");
    let mut second = Letter::new("second");
    second.timeout = Some(Duration::from_secs(1));
    let third = Letter::new("third");
    let mut fourth = Letter::new("fourth");
    fourth.deadline = Instant::now() + DEADLINE * 2;
    let (first, second, third, fourth) =
        tokio::join!(wired.send(&first), wired.send(&second), wired.send(&third), wired.send(&fourth));
    assert_eq!(first.unwrap(), "first");
    assert_eq!(second.unwrap_err().failure.code, Code::DeadlineExceeded);
    assert_eq!(third.unwrap_err().failure.code, Code::DeadlineExceeded);
    assert_eq!(fourth.unwrap(), "fourth");
}
