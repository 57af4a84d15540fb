//! Each fault is what its name says, seen by a plain client of HTTP/2.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use expect_test::expect;
use http::Request;
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};
use turnout_schema::Descriptors;
use turnout_schema::compose::{Locks, compose};
use turnout_schema::graph::RootKind;
use turnout_schema::subgraph::{Exposure, read};

use super::{Answer, Counters, EVIL, Fault, Frames, SLOW, Server, Socket, descriptors};

/// Long enough for every fault but those that never end.
const PATIENCE: Duration = Duration::from_secs(2);

type Sender = h2::client::SendRequest<Bytes>;

async fn connect(server: &Server, tasks: &mut JoinSet<()>) -> Result<Sender, String> {
    let url = server.url();
    let (_, address) = url.split_once("://").unwrap();
    let stream = TcpStream::connect(address).await.map_err(|error| error.kind().to_string())?;
    let (sender, connection) = h2::client::handshake(stream).await.map_err(|error| tell(&error))?;
    tasks.spawn(async move { drop(connection.await) });
    sender.ready().await.map_err(|error| tell(&error))
}

/// Makes one call and writes down all that comes, until it ends.
async fn call(sender: &mut Sender, seen: &mut String) -> Result<(), h2::Error> {
    let request = Request::post("http://localhost/faults.v1.Some/Thing").body(()).unwrap();
    let (answer, mut body) = sender.send_request(request, false)?;
    body.send_data(Bytes::from_static(&[0; 5]), true)?;
    let (head, mut body) = answer.await?.into_parts();
    write!(seen, "{}", head.status.as_u16()).unwrap();
    for (name, value) in &head.headers {
        write!(seen, " {name}={}", crop(value.to_str().unwrap())).unwrap();
    }
    let mut size = 0;
    while let Some(piece) = body.data().await {
        match piece {
            Ok(piece) => {
                seen.push_str(if size == 0 { "; data" } else { "" });
                seen.push_str(if size > 0 && !seen.ends_with("more") { ", more" } else { "" });
                size += piece.len();
                body.flow_control().release_capacity(piece.len())?;
            }
            Err(error) => {
                write!(seen, ": {size} bytes").unwrap();
                return Err(error);
            }
        }
    }
    write!(seen, ": {size} bytes").unwrap();
    for (name, value) in &body.trailers().await?.unwrap_or_default() {
        write!(seen, "; {name}={}", crop(value.to_str().unwrap())).unwrap();
    }
    Ok(())
}

fn crop(text: &str) -> String {
    if text.len() > 24 { format!("{}… ({})", &text[..20], text.len()) } else { text.to_owned() }
}

/// What a library says of an error, without what differs from run to run.
fn tell(error: &h2::Error) -> String {
    let kind = match error {
        error if error.is_go_away() => "GOAWAY",
        error if error.is_reset() => "RST_STREAM",
        // By its end or by what comes after it, as the library happens to see it.
        _ => "broken connection",
    };
    let by = if error.is_remote() { " from the server" } else { "" };
    error.reason().map_or_else(|| kind.to_owned(), |reason| format!("{kind}{by} {reason:?}"))
}

async fn observe(fault: Fault) -> String {
    let server = Server::start(fault);
    let mut tasks = JoinSet::new();
    let mut seen = String::new();
    let whole = async {
        let mut sender = connect(&server, &mut tasks).await?;
        call(&mut sender, &mut seen).await.map_err(|error| tell(&error))
    };
    let end = match timeout(PATIENCE, whole).await {
        Ok(Ok(())) => "end".to_owned(),
        Ok(Err(error)) => error,
        Err(_) => "nothing more".to_owned(),
    };
    let counted = server.counters().started();
    format!("{}: {seen}; {end} [{counted}]\n", server.fault().name())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_fault_is_what_its_name_says() {
    let faults = Fault::all();
    let seen = futures_util::future::join_all(faults.into_iter().map(observe)).await;
    expect![[r#"
        Refused: ; connection refused [0]
        AcceptClose: ; broken connection [0]
        AcceptHang: ; nothing more [0]
        TlsToPlain: ; GOAWAY FRAME_SIZE_ERROR [0]
        PlainToTls: 200 content-type=application/grpc; data: 29 bytes; grpc-status=0; end [1]
        SettingsHang: ; nothing more [0]
        SettingsGarbage: ; GOAWAY PROTOCOL_ERROR [0]
        Http1Answer: ; GOAWAY FRAME_SIZE_ERROR [0]
        GoawayNow: ; broken connection [1]
        GoawayRefuse: ; GOAWAY from the server NO_ERROR [1]
        TcpRst: ; broken connection [1]
        TcpCloseMid: 200 content-type=application/grpc; data: 14 bytes; broken connection [1]
        HeaderFlood: ; GOAWAY ENHANCE_YOUR_CALM [1]
        Ok: 200 content-type=application/grpc; data: 29 bytes; grpc-status=0; end [1]
        Slow: 200 content-type=application/grpc; data: 29 bytes; grpc-status=0; end [1]
        Asleep: ; nothing more [1]
        Flaky: 200 content-type=application/grpc grpc-status=14: 0 bytes; end [1]
        MaxStreams1: 200 content-type=application/grpc; data: 29 bytes; grpc-status=0; end [1]
        GoawayGraceful: 200 content-type=application/grpc; data: 29 bytes; grpc-status=0; end [1]
        RstRefused: ; RST_STREAM from the server REFUSED_STREAM [1]
        RstInternal: ; RST_STREAM from the server INTERNAL_ERROR [1]
        RstCancel: ; RST_STREAM from the server CANCEL [1]
        RstEnhanceCalm: ; RST_STREAM from the server ENHANCE_YOUR_CALM [1]
        RstAfterHeaders: 200 content-type=application/grpc: 0 bytes; RST_STREAM from the server INTERNAL_ERROR [1]
        RstAfterHalfMessage: 200 content-type=application/grpc; data: 14 bytes; RST_STREAM from the server INTERNAL_ERROR [1]
        HeadersHang: 200 content-type=application/grpc; nothing more [1]
        HalfMessage: 200 content-type=application/grpc; data; nothing more [1]
        SlowDrip: 200 content-type=application/grpc; data, more; nothing more [1]
        FlowStall: ; nothing more [1]
        Http404: 404 content-type=text/html; data: 35 bytes; end [1]
        Http503: 503 content-type=text/html; data: 35 bytes; end [1]
        Http401: 401 content-type=text/html; data: 35 bytes; end [1]
        Http429: 429 content-type=text/html; data: 35 bytes; end [1]
        Redirect302: 302 location=http://10.1.2.3/else… (25) content-type=text/html; data: 35 bytes; end [1]
        ContentTypeHtml: 200 content-type=text/html; data: 35 bytes; end [1]
        ContentTypeJson: 200 content-type=application/json; data: 35 bytes; end [1]
        ContentTypeMissing: 200; data: 35 bytes; end [1]
        TrailersOnlyInternal: 200 content-type=application/grpc grpc-status=13 grpc-message=a%0D%0Ab <script>ale… (88): 0 bytes; end [1]
        TrailersOnlyOk: 200 content-type=application/grpc grpc-status=0: 0 bytes; end [1]
        NoTrailers: 200 content-type=application/grpc; data: 29 bytes; end [1]
        TrailersWithoutStatus: 200 content-type=application/grpc; data: 29 bytes; x-nothing=1; end [1]
        StatusGarbage: 200 content-type=application/grpc; data: 29 bytes; grpc-status=abc; end [1]
        Status999: 200 content-type=application/grpc; data: 29 bytes; grpc-status=999; end [1]
        MessageTextEvil: 200 content-type=application/grpc; data: 29 bytes; grpc-status=13; grpc-message=a%0D%0Ab <script>ale… (88); end [1]
        MessageTextHuge: 200 content-type=application/grpc; data: 29 bytes; grpc-status=13; grpc-message=hunter2 hunter2 hunt… (102400); end [1]
        DetailsGarbage: 200 content-type=application/grpc; data: 29 bytes; grpc-status=3; grpc-status-details-bin=!%&=no base64; end [1]
        DetailsHuge: 200 content-type=application/grpc; data: 29 bytes; grpc-status=3; grpc-status-details-bin=AAAAAAAAAAAAAAAAAAAA… (262144); end [1]
        TwoMessages: 200 content-type=application/grpc; data: 58 bytes; grpc-status=0; end [1]
        ZeroMessages: 200 content-type=application/grpc: 0 bytes; grpc-status=0; end [1]
        Length4gib: 200 content-type=application/grpc; data: 29 bytes; grpc-status=0; end [1]
        HugeMessage: 200 content-type=application/grpc; data, more: 4194332 bytes; grpc-status=0; end [1]
        CompressedFlag: 200 content-type=application/grpc; data: 29 bytes; grpc-status=0; end [1]
        TruncatedMessage: 200 content-type=application/grpc; data: 26 bytes; grpc-status=0; end [1]
        GarbageMessage: 200 content-type=application/grpc; data: 69 bytes; grpc-status=0; end [1]
        DeepMessage: 200 content-type=application/grpc; data, more: 100029 bytes; grpc-status=0; end [1]
        InvalidUtf8: 200 content-type=application/grpc; data: 29 bytes; grpc-status=0; end [1]
        WrongTypes: 200 content-type=application/grpc; data: 24 bytes; grpc-status=0; end [1]
        UnknownEnum: 200 content-type=application/grpc; data: 30 bytes; grpc-status=0; end [1]
    "#]].assert_eq(&seen.concat());
}

#[test]
fn faults_differ_in_name_and_there_are_48_at_least() {
    let names: BTreeSet<String> = Fault::all().into_iter().map(Fault::service).collect();
    assert_eq!(names.len(), Fault::all().len());
    assert!(names.len() >= 48, "{}", names.len());
}

#[test]
fn every_fault_is_a_field_of_one_graph_twice() {
    let mut subgraphs = Vec::new();
    for fault in Fault::all() {
        let descriptors = Descriptors::read(&descriptors(fault)).unwrap();
        let reading = read(&fault.service(), "1.0.0", &descriptors, Exposure::All);
        assert_eq!(reading.diagnostics, []);
        subgraphs.push(reading.subgraph);
    }
    let composition = compose(&subgraphs, &Locks::default());
    assert_eq!(composition.diagnostics, []);
    let graph = composition.supergraph.unwrap();
    let fields = |kind: RootKind| {
        let roots = graph.roots.iter().filter(move |root| root.what.kind == kind);
        roots.map(|root| root.what.field.name.to_string()).collect::<BTreeSet<String>>()
    };
    assert_eq!(fields(RootKind::Query), Fault::all().into_iter().map(Fault::query).collect());
    assert_eq!(fields(RootKind::Mutation), Fault::all().into_iter().map(Fault::mutation).collect());
}

async fn until(what: &str, counters: &Counters, holds: impl Fn(&Counters) -> bool) {
    let limit = Instant::now() + Duration::from_secs(5);
    while !holds(counters) {
        assert!(Instant::now() < limit, "{what}: {counters:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_its_caller_gives_up_is_counted_and_no_longer_in_flight() {
    for answer in [Answer::Asleep, Answer::HeadersHang, Answer::SlowDrip, Answer::FlowStall] {
        let server = Server::start(Fault::Answer(answer));
        let mut tasks = JoinSet::new();
        let mut sender = connect(&server, &mut tasks).await.unwrap();
        let mut other = sender.clone();
        let mut seen = [String::new(), String::new()];
        let [first, second] = &mut seen;
        let both = async { tokio::join!(call(&mut sender, first), call(&mut other, second)) };
        let gave_up = async { until("both begin", server.counters(), |now| now.in_flight() == 2).await };
        tokio::select! {
            _ = both => panic!("{answer:?} answered"),
            () = gave_up => {}
        }
        until("both end", server.counters(), |now| (now.in_flight(), now.resets()) == (0, 2)).await;
        assert_eq!((server.counters().started(), server.counters().connections()), (2, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_end_with_their_connection() {
    let server = Server::start(Fault::Answer(Answer::Asleep));
    let mut tasks = JoinSet::new();
    let mut sender = connect(&server, &mut tasks).await.unwrap();
    let mut seen = String::new();
    tokio::select! {
        _ = call(&mut sender, &mut seen) => panic!("it answered"),
        () = until("it begins", server.counters(), |now| now.in_flight() == 1) => {}
    }
    tasks.shutdown().await;
    until("it ends", server.counters(), |now| (now.in_flight(), now.resets()) == (0, 1)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_call_is_over_when_it_was_answered() {
    let server = Server::start(Fault::Answer(Answer::Ok));
    let mut tasks = JoinSet::new();
    let mut sender = connect(&server, &mut tasks).await.unwrap();
    for _ in 0..100 {
        call(&mut sender, &mut String::new()).await.unwrap();
    }
    until("all end", server.counters(), |now| now.in_flight() == 0).await;
    let counters = server.counters();
    assert_eq!((counters.started(), counters.connections(), counters.resets()), (100, 1, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_refused_listens_on_the_same_port_once_healed() {
    let server = Server::start(Fault::Socket(Socket::Refused));
    let mut tasks = JoinSet::new();
    assert_eq!(connect(&server, &mut tasks).await.unwrap_err(), "connection refused");
    server.turn(Answer::Ok);
    let limit = Instant::now() + Duration::from_secs(2);
    let mut sender = loop {
        match connect(&server, &mut tasks).await {
            Ok(sender) => break sender,
            Err(error) => assert!(Instant::now() < limit, "{error}"),
        }
    };
    call(&mut sender, &mut String::new()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_changes_on_a_connection_that_is_open() {
    let server = Server::start(Fault::Answer(Answer::RstInternal));
    let mut tasks = JoinSet::new();
    let mut sender = connect(&server, &mut tasks).await.unwrap();
    call(&mut sender, &mut String::new()).await.unwrap_err();
    server.turn(Answer::Ok);
    call(&mut sender, &mut String::new()).await.unwrap();
    assert_eq!(server.counters().connections(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_call_at_a_time_is_what_max_streams_1_allows() {
    let server = Server::start(Fault::Answer(Answer::MaxStreams1));
    let mut tasks = JoinSet::new();
    let mut sender = connect(&server, &mut tasks).await.unwrap();
    // The limit holds from when the settings came, and they come before the first answer.
    call(&mut sender, &mut String::new()).await.unwrap();
    let began = Instant::now();
    let mut calls = JoinSet::new();
    for _ in 0..5 {
        let sender = sender.clone();
        calls.spawn(async move {
            let mut sender = sender.ready().await.unwrap();
            call(&mut sender, &mut String::new()).await.unwrap();
        });
    }
    let mut most = 0;
    while !calls.is_empty() {
        tokio::select! {
            _ = calls.join_next() => {}
            () = tokio::time::sleep(Duration::from_millis(1)) => most = most.max(server.counters().in_flight()),
        }
    }
    assert_eq!(most, 1);
    assert!(began.elapsed() >= Duration::from_millis(100), "{:?}", began.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_answer_is_late_and_an_evil_text_is_sent_as_it_is() {
    let mut tasks = JoinSet::new();
    let server = Server::start(Fault::Answer(Answer::Slow));
    let mut sender = connect(&server, &mut tasks).await.unwrap();
    let began = Instant::now();
    call(&mut sender, &mut String::new()).await.unwrap();
    assert!(began.elapsed() >= SLOW, "{:?}", began.elapsed());

    let server = Server::start(Fault::Answer(Answer::TrailersOnlyInternal));
    let mut sender = connect(&server, &mut tasks).await.unwrap();
    let request = Request::post("http://localhost/").body(()).unwrap();
    let answer = sender.send_request(request, true).unwrap().0.await.unwrap();
    assert_eq!(answer.headers()["grpc-message"], EVIL);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_the_server_breaks_is_no_reset_of_its_caller() {
    for frames in [Frames::GoawayNow, Frames::TcpRst, Frames::TcpCloseMid] {
        let server = Server::start(Fault::Frames(frames));
        let mut tasks = JoinSet::new();
        let mut sender = connect(&server, &mut tasks).await.unwrap();
        call(&mut sender, &mut String::new()).await.unwrap_err();
        drop(sender);
        tasks.shutdown().await;
        until("it ends", server.counters(), |now| now.started() == 1 && now.in_flight() == 0).await;
        assert_eq!(server.counters().resets(), 0, "{frames:?}");
    }
}
