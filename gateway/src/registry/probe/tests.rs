//! Probes of real sockets on this machine, and what each answer means.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use turnout_control::id::{SourceName, Timestamp};
use turnout_control::registry::{Instance, Intent, Presence, Scheme};

use super::*;
use crate::upstream::scripted::{self, After, Call};

fn prober(networks: &[&str]) -> Prober {
    Prober::new(scripted::settings(networks), crate::upstream::tls::client(None, None).unwrap())
}

fn registered(health: Health, endpoints: &[(Scheme, SocketAddr)]) -> Registered {
    let endpoint = |(scheme, address): &(Scheme, SocketAddr)| Endpoint {
        scheme: *scheme,
        host: address.ip().to_string(),
        port: address.port(),
        zone: String::new(),
    };
    let instance = Instance {
        service: "catalog".parse().unwrap(),
        id: "a".parse().unwrap(),
        version: "1.0.0".parse().unwrap(),
        incarnation: 1,
        endpoints: endpoints.iter().map(endpoint).collect(),
        schema: None,
        weight: 100,
        intent: Intent::Up,
        health,
        meta: BTreeMap::new(),
    };
    Registered {
        instance: Arc::new(instance),
        source: SourceName::own(),
        lease: None,
        ttl_s: 15,
        registered_at: Timestamp(1),
        presence: Presence::Missing,
        refused: None,
    }
}

async fn tried(registered: Registered) -> Answered {
    prober(&["127.0.0.0/8"]).probe()(registered).await
}

/// Somebody who takes connections and says nothing.
async fn mute(servers: &mut JoinSet<()>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    servers.spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut first = [0; 1];
            let _ = socket.read(&mut first).await;
            open.push(socket);
        }
    });
    address
}

/// A service that answers every health check with this status of gRPC, and this status of health when that is 0.
async fn service(servers: &mut JoinSet<()>, grpc_status: &'static str, status: u8) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    servers.spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let script = |mut call: Call| async move {
                assert_eq!(call.request.uri().path(), "/grpc.health.v1.Health/Check");
                assert_eq!(call.body().await, [0; 5]);
                match grpc_status {
                    "0" => call.answer(scripted::framed(&[8, status]), "0"),
                    other => call.say(200, &[("content-type", "application/grpc"), ("grpc-status", other)]),
                }
                After::GoOn
            };
            scripted::serve(socket, script).await;
        }
    });
    address
}

/// An address at which nobody listens.
async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    listener.local_addr().unwrap()
}

#[tokio::test]
async fn who_serves_answers_and_who_says_that_it_does_not_serve_does_not() {
    let mut servers = JoinSet::new();
    for (status, answer) in [(1, Answered::Yes), (2, Answered::No), (0, Answered::No)] {
        let address = service(&mut servers, "0", status).await;
        let registered = registered(Health::Grpc, &[(Scheme::Grpc, address)]);
        assert_eq!(tried(registered).await, answer, "{status}");
    }
}

#[tokio::test]
async fn who_knows_no_health_service_lives_whichever_code_it_has_for_that() {
    let mut servers = JoinSet::new();
    for (code, answer) in [
        ("12", Answered::Yes),
        ("20", Answered::Yes),
        ("1", Answered::Yes),
        ("16", Answered::Yes),
        ("14", Answered::No),
    ] {
        let address = service(&mut servers, code, 0).await;
        let registered = registered(Health::Grpc, &[(Scheme::Grpc, address)]);
        assert_eq!(tried(registered).await, answer, "{code}");
    }
}

#[tokio::test]
async fn an_open_port_is_enough_for_tcp_and_for_those_who_offer_nothing() {
    let mut servers = JoinSet::new();
    let (open, closed) = (mute(&mut servers).await, nobody().await);
    for scheme in [Scheme::Grpc, Scheme::Grpcs] {
        for health in [Health::Tcp, Health::None] {
            assert_eq!(
                tried(registered(health, &[(scheme, open)])).await,
                Answered::Yes,
                "{scheme:?} {health:?}"
            );
            assert_eq!(
                tried(registered(health, &[(scheme, closed)])).await,
                Answered::No,
                "{scheme:?} {health:?}"
            );
        }
    }
}

#[tokio::test]
async fn who_says_nothing_fails_within_a_second_and_does_not_hide_another_address() {
    let mut servers = JoinSet::new();
    let (silent, good) = (mute(&mut servers).await, service(&mut servers, "0", 1).await);
    for scheme in [Scheme::Grpc, Scheme::Grpcs] {
        let began = Instant::now();
        assert_eq!(tried(registered(Health::Grpc, &[(scheme, silent)])).await, Answered::No);
        assert!(began.elapsed() < PROBE * 3, "{:?}", began.elapsed());
    }
    let both = registered(Health::Grpc, &[(Scheme::Grpc, silent), (Scheme::Grpc, good)]);
    assert_eq!(tried(both).await, Answered::Yes);
}

#[tokio::test]
async fn what_may_not_be_called_is_not_tried() {
    let mut servers = JoinSet::new();
    let open = mute(&mut servers).await;
    for health in [Health::Tcp, Health::Grpc] {
        let registered = registered(health, &[(Scheme::Grpc, open)]);
        let probe = prober(&["10.0.0.0/8"]).probe();
        let began = Instant::now();
        assert_eq!(probe(registered).await, Answered::No);
        assert!(began.elapsed() < PROBE, "nobody was waited for");
    }
}

#[test]
fn what_is_no_answer_of_grpc_is_no_sign_of_life_but_for_a_page_that_is_not_there() {
    let failure = |origin, code| Err(Failure { code, message: String::new(), details: Bytes::new(), origin });
    for (origin, code, answer) in [
        (Origin::Answer, Code::Unimplemented, Answered::Yes),
        (Origin::Answer, Code::Unknown, Answered::No),
        (Origin::Answer, Code::Unavailable, Answered::No),
        (Origin::Connection, Code::Unavailable, Answered::No),
        (Origin::Deadline, Code::DeadlineExceeded, Answered::No),
    ] {
        assert_eq!(judge(failure(origin, code)), answer, "{origin:?} {code:?}");
    }
    assert_eq!(judge(Ok(Bytes::from_static(b"\xff"))), Answered::No);
}
