//! Whom bearer tokens are believed: the issuer's terms and its keys, which are fetched in the background.
//!
//! Requests take what is known and never wait. Keys are fetched at the start, every ten minutes, and when a
//! token names a key that is not known, which happens when the issuer has a new one; never more often than
//! every thirty seconds, because anybody can name a key. What was fetched stays when fetching fails.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http::uri::Scheme;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::Settings;
use super::fetch::{self, Error};
use super::jwks::KeySet;
use super::jwt::Terms;
use crate::telemetry::chain;
use crate::upstream::tls;

/// Issuers announce a key before they sign with it, for longer than this.
const REFRESH: Duration = Duration::from_secs(600);
/// Between two fetches that tokens ask for.
const WANTED_PAUSE: Duration = Duration::from_secs(30);
const FAILED_PAUSE_MIN: Duration = Duration::from_secs(1);
const FAILED_PAUSE_MAX: Duration = Duration::from_secs(60);

/// Where tokens come from, and whether callers need one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JwtSettings {
    /// What they must say.
    pub terms: Terms,
    /// Where the keys are published.
    pub jwks_url: Uri,
    /// What becomes of a caller without one.
    pub without: Without,
}

/// What becomes of a caller without a valid token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Without {
    /// It is nobody in particular.
    Nobody,
    /// It is refused.
    Refused,
}

/// An issuer as it is known now.
#[derive(Clone, Debug)]
pub(super) struct Issuer {
    /// Another number is another issuer, other terms or other keys.
    pub(super) number: u64,
    pub(super) terms: Terms,
    pub(super) without: Without,
    pub(super) keys: Arc<KeySet>,
}

/// Where the newest of it is.
pub(super) type Known = watch::Receiver<Option<Arc<Issuer>>>;

/// Keeps an issuer's keys. Nothing is fetched unless it runs.
#[derive(Debug)]
pub struct Refresher {
    settings: watch::Receiver<Arc<Settings>>,
    known: watch::Sender<Option<Arc<Issuer>>>,
    wanted: Arc<Notify>,
    number: u64,
    /// Whose keys those are that are known.
    fetched_from: Option<Uri>,
}

impl Refresher {
    /// One that has fetched nothing yet, where to see what it knows, and how to want more.
    pub(super) fn new(settings: watch::Receiver<Arc<Settings>>) -> (Refresher, Known, Arc<Notify>) {
        let (known, now) = watch::channel(None);
        let wanted = Arc::new(Notify::new());
        let mut refresher =
            Refresher { settings, known, wanted: wanted.clone(), number: 0, fetched_from: None };
        // From the first request on, whoever needs a token needs it.
        refresher.take_up();
        (refresher, now, wanted)
    }

    /// Fetches until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let tls = match tokio::task::spawn_blocking(|| tls::client(None, None)).await {
            Ok(Ok(tls)) => tls,
            Ok(Err(error)) => {
                tracing::error!(error = chain(&error), "no keys of an issuer can be fetched");
                return;
            }
            Err(_) => return,
        };
        let mut http1 = rustls::ClientConfig::clone(&tls);
        http1.alpn_protocols = vec![b"http/1.1".to_vec()];
        let http1 = Arc::new(http1);
        stop.run_until_cancelled(self.follow(|url| fetch::get(url, http1.clone()))).await;
    }

    pub(super) async fn follow<F: Future<Output = Result<Bytes, Error>>>(mut self, fetch: impl Fn(Uri) -> F) {
        let mut failures = 0;
        loop {
            let Some(jwt) = self.take_up() else {
                if self.settings.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let began = Instant::now();
            let fetched = fetch(jwt.jwks_url.clone()).await;
            let keys = fetched.and_then(|document| KeySet::read(&document).map_err(Error::Unfit));
            let next = match keys {
                Ok(keys) => {
                    failures = 0;
                    tracing::debug!(keys = keys.count(), "fetched the keys of the issuer");
                    self.fetched_from = Some(jwt.jwks_url.clone());
                    self.publish(&jwt, Arc::new(keys));
                    REFRESH
                }
                Err(error) => {
                    let url = jwt.jwks_url.to_string();
                    if failures == 0 {
                        let error = chain(&error);
                        tracing::warn!(
                            url,
                            error,
                            "the keys of the issuer were not fetched; what is known stays"
                        );
                    }
                    failures += 1;
                    FAILED_PAUSE_MIN.saturating_mul(1 << failures.min(6)).min(FAILED_PAUSE_MAX)
                }
            };
            let wanted = async {
                self.wanted.notified().await;
                sleep_until(began + WANTED_PAUSE).await;
            };
            tokio::select! {
                () = sleep_until(began + next) => {}
                () = wanted => {}
                changed = self.settings.changed() => if changed.is_err() { return },
            }
        }
    }

    /// What the settings say now. Keys from elsewhere are forgotten.
    fn take_up(&mut self) -> Option<JwtSettings> {
        let jwt = self.settings.borrow_and_update().jwt.clone();
        let Some(jwt) = jwt else {
            self.known.send_replace(None);
            self.fetched_from = None;
            return None;
        };
        let before = self.known.borrow().clone();
        let same =
            before.as_ref().is_some_and(|before| before.terms == jwt.terms && before.without == jwt.without);
        let from_there = self.fetched_from.as_ref() == Some(&jwt.jwks_url);
        match before {
            Some(before) if from_there => {
                if !same {
                    self.publish(&jwt, before.keys.clone());
                }
            }
            _ => {
                if is_plain(&jwt.jwks_url) {
                    let url = jwt.jwks_url.to_string();
                    tracing::warn!(
                        url,
                        "whoever is on the way can replace keys that are fetched without TLS"
                    );
                }
                self.fetched_from = None;
                self.publish(&jwt, Arc::new(KeySet::none()));
            }
        }
        Some(jwt)
    }

    fn publish(&mut self, jwt: &JwtSettings, keys: Arc<KeySet>) {
        self.number += 1;
        let JwtSettings { terms, without, .. } = jwt;
        let issuer = Issuer { number: self.number, terms: terms.clone(), without: *without, keys };
        self.known.send_replace(Some(Arc::new(issuer)));
    }
}

/// Whether it goes over a network that others may be on.
fn is_plain(url: &Uri) -> bool {
    let host = url.host().unwrap_or_default();
    let near = host == "localhost" || host == "[::1]" || host.starts_with("127.");
    url.scheme() != Some(&Scheme::HTTPS) && !near
}
