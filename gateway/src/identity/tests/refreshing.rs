//! The keys of an issuer over time: when they are fetched, how often, and what stays.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::sleep;
use turnout_control::frontend::Trust;

use super::super::fetch::{self, Error};
use super::super::{Callers, Edge, JwtSettings, Keys, Reader, Refresher, Settings, Tokens, Without};
use super::bearer::{Login, terms};
use crate::clock::Clock;
use crate::upstream::tls::{self, Pem};

const URL: &str = "https://login.test/jwks";

fn settings(url: &str) -> Settings {
    let jwt = JwtSettings { terms: terms(), jwks_url: url.parse().unwrap(), without: Without::Refused };
    Settings { trust: Trust::Claims, edge: Edge::Ignored, jwt: Some(jwt) }
}

fn callers(settings: watch::Receiver<Arc<Settings>>) -> (Reader, Refresher) {
    let tokens = Arc::new(Tokens::new(Keys::random()));
    let (callers, refresher) = Callers::new(tokens, settings, Clock::start());
    (callers.reader(), refresher)
}

/// An issuer that publishes something, or fails.
#[derive(Default)]
struct Site {
    asked: AtomicUsize,
    published: Mutex<Option<String>>,
}

impl Site {
    fn publish(&self, login: Option<&Login>) {
        *self.published.lock().unwrap() = login.map(|login| login.document().to_string());
    }

    fn get(&self) -> Result<Bytes, Error> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let published = self.published.lock().unwrap().clone();
        published.map(Bytes::from).ok_or(Error::Status(StatusCode::BAD_GATEWAY))
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }
}

fn follow(refresher: Refresher, site: &Arc<Site>) -> tokio::task::JoinSet<()> {
    let site = site.clone();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(refresher.follow(move |_| std::future::ready(site.get())));
    tasks
}

fn is_known(reader: &Reader, login: &Login) -> bool {
    let mut claims = super::bearer::claims();
    claims["exp"] = 9_999_999_999_u64.into();
    let mut headers = HeaderMap::new();
    headers.insert("authorization", format!("Bearer {}", login.token(&claims)).parse().unwrap());
    reader.caller(&headers).is_ok()
}

#[tokio::test(start_paused = true)]
async fn keys_are_fetched_at_the_start_and_again_until_they_come() {
    let (site, login) = (Arc::<Site>::default(), Login::new());
    let (_settings, now) = watch::channel(Arc::new(settings(URL)));
    let (reader, refresher) = callers(now);
    let _tasks = follow(refresher, &site);
    sleep(Duration::from_millis(1)).await;
    assert_eq!((site.asked(), is_known(&reader, &login)), (1, false));
    site.publish(Some(&login));
    sleep(Duration::from_secs(60)).await;
    assert!(is_known(&reader, &login));
    let asked = site.asked();
    assert!(asked <= 8, "{asked}");
    // What was fetched stays when fetching fails.
    site.publish(None);
    sleep(Duration::from_secs(1200)).await;
    assert!(is_known(&reader, &login) && site.asked() > asked);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_nobody_knows_is_looked_for_and_not_too_often() {
    let (site, before, after) = (Arc::<Site>::default(), Login::new(), Login::new());
    let (_settings, now) = watch::channel(Arc::new(settings(URL)));
    let (reader, refresher) = callers(now);
    // Every key has another name after the change.
    let renamed = after.document().to_string().replace("\"e1\"", "\"e2\"");
    site.publish(Some(&before));
    let _tasks = follow(refresher, &site);
    sleep(Duration::from_secs(100)).await;
    assert!(is_known(&reader, &before) && !is_known(&reader, &after));
    assert_eq!(site.asked(), 1, "a signature that fails asks for nothing");
    *site.published.lock().unwrap() = Some(renamed);
    for _second in 0..60 {
        assert!(!is_known(&reader, &Login::new()));
        let mut headers = HeaderMap::new();
        // `{"alg":"EdDSA","kid":"nobody"}`
        headers.insert(
            "authorization",
            "Bearer eyJhbGciOiJFZERTQSIsImtpZCI6Im5vYm9keSJ9.e30.AA".parse().unwrap(),
        );
        assert!(reader.caller(&headers).is_err());
        sleep(Duration::from_secs(1)).await;
    }
    assert!((2..=4).contains(&site.asked()), "{}", site.asked());
    assert!(!is_known(&reader, &before), "what the issuer took back does not hold");
}

#[tokio::test(start_paused = true)]
async fn another_issuer_begins_without_keys() {
    let (site, login) = (Arc::<Site>::default(), Login::new());
    let (told, now) = watch::channel(Arc::new(settings(URL)));
    let (reader, refresher) = callers(now);
    site.publish(Some(&login));
    let _tasks = follow(refresher, &site);
    sleep(Duration::from_secs(1)).await;
    assert!(is_known(&reader, &login));
    site.publish(None);
    told.send_replace(Arc::new(settings("https://elsewhere.test/jwks")));
    sleep(Duration::from_secs(1)).await;
    assert!(!is_known(&reader, &login));
    told.send_replace(Arc::new(Settings { jwt: None, ..settings(URL) }));
    sleep(Duration::from_secs(1)).await;
    assert!(reader.caller(&HeaderMap::new()).is_ok());
}

/// Answers one request with these bytes, by TLS when it is given what that needs.
async fn site(answer: Vec<u8>, tls: Option<tokio_rustls::TlsAcceptor>) -> (u16, tokio::task::JoinSet<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut heard = [0; 1024];
        match tls {
            None => {
                let _ = stream.read(&mut heard).await;
                let _ = stream.write_all(&answer).await;
            }
            Some(tls) => {
                let Ok(mut stream) = tls.accept(stream).await else { return };
                let _ = stream.read(&mut heard).await;
                let _ = stream.write_all(&answer).await;
                let _ = stream.shutdown().await;
            }
        }
    });
    (port, tasks)
}

fn http1(authority: &[u8]) -> Arc<rustls::ClientConfig> {
    let authority = Pem { path: std::path::Path::new("ca.pem"), text: authority };
    let mut config = rustls::ClientConfig::clone(&tls::client(Some(authority), None).unwrap());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn acceptor() -> tokio_rustls::TlsAcceptor {
    use rustls::pki_types::pem::PemObject;
    use rustls::pki_types::{CertificateDer, PrivateKeyDer};
    let chain = CertificateDer::pem_slice_iter(include_bytes!("../../../tests/certs/server.pem"));
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("../../../tests/certs/server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain.collect::<Result<_, _>>().unwrap(), key)
        .unwrap();
    Arc::new(config).into()
}

const CA: &[u8] = include_bytes!("../../../tests/certs/ca.pem");
const OTHER_CA: &[u8] = include_bytes!("../../../tests/certs/client.pem");

#[tokio::test]
async fn a_document_comes_over_tls_that_is_trusted_and_over_no_other() {
    let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}".to_vec();
    for (authority, trusted) in [(CA, true), (OTHER_CA, false)] {
        let (port, _tasks) = site(answer.clone(), Some(acceptor())).await;
        let url = format!("https://localhost:{port}/jwks").parse().unwrap();
        let got = fetch::get(url, http1(authority)).await;
        assert_eq!(got.is_ok(), trusted, "{got:?}");
    }
}

#[tokio::test]
async fn a_document_has_an_end_and_the_status_of_one() {
    let head = |status: &str, bytes: usize| format!("HTTP/1.1 {status}\r\ncontent-length: {bytes}\r\n\r\n");
    let good = [head("200 OK", 2).as_bytes(), b"{}"].concat();
    let large = [head("200 OK", 300_000).into_bytes(), vec![b' '; 300_000]].concat();
    let moved = b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n".to_vec();
    let broken = head("200 OK", 10).into_bytes();
    for (answer, expected) in
        [(good, "ok"), (large, "the document"), (moved, "the answer was 302"), (broken, "the document")]
    {
        let (port, _tasks) = site(answer, None).await;
        let url = format!("http://127.0.0.1:{port}/jwks").parse().unwrap();
        let got =
            fetch::get(url, http1(CA)).await.map_or_else(|error| error.to_string(), |_| "ok".to_owned());
        assert!(got.starts_with(expected), "{got}");
    }
    let nobody = fetch::get("http://127.0.0.1:1/".parse().unwrap(), http1(CA)).await;
    assert!(matches!(nobody, Err(Error::Connect(_))));
}
