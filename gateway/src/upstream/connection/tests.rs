//! Connections over TCP and TLS. Time is real here, because the kernel's is: waits are short, and where they
//! end is what is tested, not when.

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use http::uri::Scheme;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;
use tokio_util::task::TaskTracker;
use tonic::Code;

use super::{Connection, Settings, Target};
use crate::upstream::exchange::Reach;
use crate::upstream::scripted::{After, Call, Wired, framed, serve, settings, target, terms};
use crate::upstream::tls::{self, Identity, Pem};
use crate::upstream::{Failure, Origin};

const CA: &[u8] = include_bytes!("../../../tests/certs/ca.pem");
const SERVER: &[u8] = include_bytes!("../../../tests/certs/server.pem");
const SERVER_KEY: &[u8] = include_bytes!("../../../tests/certs/server.key");
const CLIENT: &[u8] = include_bytes!("../../../tests/certs/client.pem");
const CLIENT_KEY: &[u8] = include_bytes!("../../../tests/certs/client.key");

const NEAR: &[&str] = &["127.0.0.0/8"];

async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    (listener, address)
}

async fn echo(mut call: Call) -> After {
    let body = call.body().await;
    call.answer(body, "0");
    After::GoOn
}

async fn open(target: Target, connect_timeout: Duration) -> Result<Wired, Failure> {
    let mut settings = settings(NEAR);
    settings.connect_timeout = connect_timeout;
    let tasks = TaskTracker::new();
    let connection = Connection::open(&target, &settings, &tasks).await?;
    Ok(Wired { connection, target, settings, tasks })
}

async fn opened(target: Target) -> Result<Wired, Failure> {
    open(target, Duration::from_secs(5)).await
}

/// Either there is no connection, or the first call on it learns that nobody was there.
async fn unwelcome(opened: Result<Wired, Failure>) {
    let failure = match opened {
        Err(failure) => failure,
        Ok(wired) => {
            let attempt = wired.call().await.unwrap_err();
            assert_eq!(attempt.reach, Reach::Unseen);
            attempt.failure
        }
    };
    assert_eq!((failure.code, failure.origin), (Code::Unavailable, Origin::Connection));
}

/// Connects with nothing but these networks allowed, and says why it cannot.
async fn refusal(host: &str, networks: &[&str]) -> String {
    let mut target = target(SocketAddr::from(([127, 0, 0, 1], 9)));
    target.host = host.to_owned();
    let failure = Connection::open(&target, &settings(networks), &TaskTracker::new()).await.unwrap_err();
    assert_eq!((failure.code, failure.origin), (Code::Unavailable, Origin::Connection));
    failure.message
}

#[tokio::test]
async fn a_connection_carries_calls_until_the_peer_closes_it() {
    let (listener, address) = listen().await;
    let tasks = TaskTracker::new();
    tasks.spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        serve(tcp, |mut call| async move {
            if call.body().await == framed(b"bye") {
                return After::HangUp;
            }
            call.answer(framed(b"pong"), "0");
            After::GoOn
        })
        .await;
    });
    let wired = opened(target(address)).await.unwrap();
    for _ in 0..3 {
        assert_eq!(wired.call().await.unwrap(), "pong");
    }
    assert!(wired.connection.is_usable());
    assert!(wired.connection.clone().is_usable());
    let attempt = wired.send(&crate::upstream::scripted::Letter::new("bye")).await.unwrap_err();
    assert_eq!((attempt.failure.code, attempt.failure.origin), (Code::Unavailable, Origin::Connection));
    assert!(!wired.connection.is_usable());
    wired.tasks.close();
    timeout(Duration::from_secs(5), wired.tasks.wait()).await.unwrap();
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_unavailable() {
    let (listener, address) = listen().await;
    drop(listener);
    let failure = opened(target(address)).await.unwrap_err();
    assert_eq!((failure.code, failure.origin), (Code::Unavailable, Origin::Connection));
    assert!(failure.message.starts_with(&format!("{address} cannot be connected to")), "{}", failure.message);
}

#[tokio::test]
async fn addresses_are_checked_before_they_are_connected_to() {
    for host in ["127.0.0.1", "::1", "localhost", "::ffff:127.0.0.1", "0.0.0.0", "::", "224.0.0.1"] {
        let message = refusal(host, &["10.0.0.0/8"]).await;
        assert!(message.ends_with("may be called: see registry.allow_cidrs"), "{host}: {message}");
    }
    // An address of IPv4 is not let through by a network of IPv6, nor "anywhere" by any network.
    for host in ["::ffff:169.254.169.254", "0.0.0.0", "::"] {
        let message = refusal(host, &["::/0", "127.0.0.0/8"]).await;
        assert!(message.ends_with("may be called: see registry.allow_cidrs"), "{host}: {message}");
    }
    let message = refusal("224.0.0.1", &["0.0.0.0/0"]).await;
    assert!(message.contains("224.0.0.1 is no address"), "{message}");
}

#[tokio::test]
async fn a_network_that_is_allowed_later_is_connected_to_without_a_restart() {
    let (listener, address) = listen().await;
    let tasks = TaskTracker::new();
    let (terms, now) = terms(&["10.0.0.0/8"]);
    let settings = Settings { terms: now, ..settings(&[]) };
    let target = target(address);
    let open = async || Connection::open(&target, &settings, &tasks).await.map(drop);
    assert!(open().await.is_err());
    terms.send_modify(|terms| terms.allow_cidrs = vec!["127.0.0.0/8".parse().unwrap()]);
    assert!(open().await.is_ok());
    terms.send_modify(|terms| terms.allow_cidrs.clear());
    assert!(open().await.is_err());
    drop(listener);
}

#[tokio::test]
async fn an_address_of_ipv4_in_ipv6_is_connected_to_as_what_it_is() {
    let (listener, address) = listen().await;
    let tasks = TaskTracker::new();
    tasks.spawn(async move { serve(listener.accept().await.unwrap().0, echo).await });
    let mut target = target(address);
    target.host = "::ffff:127.0.0.1".to_owned();
    assert_eq!(opened(target).await.unwrap().call().await.unwrap(), "ping");
}

#[tokio::test]
async fn sockets_are_set_up() {
    let (listener, address) = listen().await;
    let tcp = TcpStream::connect(address).await.unwrap();
    super::tune(&tcp).unwrap();
    assert!(tcp.nodelay().unwrap());
    assert!(SockRef::from(&tcp).keepalive().unwrap());
    #[cfg(target_os = "linux")]
    assert_eq!(SockRef::from(&tcp).tcp_user_timeout().unwrap(), Some(super::UNACKNOWLEDGED_MAX));
    drop(listener);
}

#[tokio::test]
async fn a_peer_that_closes_at_once_has_seen_nothing() {
    let (listener, address) = listen().await;
    let tasks = TaskTracker::new();
    tasks.spawn(async move {
        let (tcp, _) = listener.accept().await.unwrap();
        drop(tcp);
    });
    unwelcome(opened(target(address)).await).await;
}

#[tokio::test]
async fn a_connection_reset_in_a_call_may_have_been_seen() {
    let (listener, address) = listen().await;
    let tasks = TaskTracker::new();
    tasks.spawn(async move {
        let (mut tcp, _) = listener.accept().await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut tcp, &[0, 0, 0, 4, 0, 0, 0, 0, 0]).await.unwrap();
        let mut read = Vec::new();
        while !read.ends_with(&framed(b"ping")) {
            tcp.read_buf(&mut read).await.unwrap();
        }
        // Closing sends RST instead of FIN.
        SockRef::from(&tcp).set_linger(Some(Duration::ZERO)).unwrap();
    });
    let wired = opened(target(address)).await.unwrap();
    let attempt = wired.call().await.unwrap_err();
    assert_eq!((attempt.failure.code, attempt.failure.origin), (Code::Unavailable, Origin::Connection));
    assert_eq!(attempt.reach, Reach::Perhaps);
}

/// A TLS configuration of a server, which demands a certificate when `clients` is given.
fn acceptor(protocols: &[&[u8]], clients: Option<&[u8]>) -> TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(authority) => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority).unwrap()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let chain = vec![CertificateDer::from_pem_slice(SERVER).unwrap()];
    let key = PrivateKeyDer::from_pem_slice(SERVER_KEY).unwrap();
    let mut config = builder.with_single_cert(chain, key).unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    TlsAcceptor::from(Arc::new(config))
}

/// A service that speaks TLS, for as long as the runtime lives.
async fn secured(acceptor: TlsAcceptor) -> SocketAddr {
    let (listener, address) = listen().await;
    TaskTracker::new().spawn(async move {
        let (tcp, _) = listener.accept().await?;
        serve(acceptor.accept(tcp).await?, echo).await;
        io::Result::Ok(())
    });
    address
}

fn pem(text: &[u8]) -> Pem<'_> {
    Pem { path: Path::new("test.pem"), text }
}

fn over_tls(address: SocketAddr, authority: &[u8], identity: Option<Identity<'_>>) -> Target {
    let mut target = target(address);
    target.scheme = Scheme::HTTPS;
    target.tls = Some(tls::client(Some(pem(authority)), identity).unwrap());
    target
}

#[tokio::test]
async fn tls_is_spoken_with_a_service_of_the_authority() {
    let address = secured(acceptor(&[b"h2"], None)).await;
    let wired = opened(over_tls(address, CA, None)).await.unwrap();
    assert_eq!(wired.call().await.unwrap(), "ping");

    let address = secured(acceptor(&[b"h2"], None)).await;
    let mut by_name = over_tls(address, CA, None);
    by_name.host = "localhost".to_owned();
    assert_eq!(opened(by_name).await.unwrap().call().await.unwrap(), "ping");
}

#[tokio::test]
async fn a_service_of_another_authority_or_name_is_not_called() {
    let address = secured(acceptor(&[b"h2"], None)).await;
    // A certificate that is no authority's trusts itself alone.
    let failure = opened(over_tls(address, CLIENT, None)).await.unwrap_err();
    assert_eq!((failure.code, failure.origin), (Code::Unavailable, Origin::Connection));
    assert!(failure.message.contains("does not speak TLS with us"), "{}", failure.message);

    let address = secured(acceptor(&[b"h2"], None)).await;
    let mut elsewhere = over_tls(address, CA, None);
    // It leads to the same place, but is not what the certificate says.
    elsewhere.host = "::ffff:127.0.0.1".to_owned();
    let failure = opened(elsewhere).await.unwrap_err();
    assert!(failure.message.contains("not valid for name"), "{}", failure.message);
}

#[tokio::test]
async fn a_service_without_http2_is_not_called() {
    for protocol in [None, Some(&b"http/1.1"[..])] {
        let address = secured(acceptor(protocol.as_slice(), None)).await;
        let failure = opened(over_tls(address, CA, None)).await.unwrap_err();
        assert_eq!((failure.code, failure.origin), (Code::Unavailable, Origin::Connection));
    }
}

#[tokio::test]
async fn a_service_that_demands_a_certificate_takes_ours_and_no_call_without() {
    let identity = Identity { certificate: pem(CLIENT), key: pem(CLIENT_KEY) };
    let address = secured(acceptor(&[b"h2"], Some(CA))).await;
    let wired = opened(over_tls(address, CA, Some(identity))).await.unwrap();
    assert_eq!(wired.call().await.unwrap(), "ping");

    // TLS 1.3 tells a client that it is not welcome after it has begun to speak.
    let address = secured(acceptor(&[b"h2"], Some(CA))).await;
    unwelcome(opened(over_tls(address, CA, None)).await).await;
}

#[tokio::test]
async fn a_peer_that_accepts_and_says_nothing_is_given_up() {
    let (listener, address) = listen().await;
    let failure = open(over_tls(address, CA, None), Duration::from_millis(100)).await.unwrap_err();
    assert_eq!((failure.code, failure.origin), (Code::Unavailable, Origin::Connection));
    assert!(failure.message.ends_with("did not take the connection in time"), "{}", failure.message);
    drop(listener);
}

#[tokio::test]
async fn what_is_not_tls_is_not_called() {
    let (listener, address) = listen().await;
    TaskTracker::new().spawn(async move { serve(listener.accept().await.unwrap().0, echo).await });
    let failure = opened(over_tls(address, CA, None)).await.unwrap_err();
    assert!(failure.message.contains("does not speak TLS with us"), "{}", failure.message);
}
