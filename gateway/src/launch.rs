//! Where the configuration of this process comes from, and how it is read anew.
//!
//! The file and the environment are read here and nowhere else. A running gateway reads them again on
//! SIGHUP and when the file changes; a file with mistakes changes nothing, and what only a restart can
//! change is named in the log.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::signal::unix::Signal;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::id::ServiceName;
use turnout_control::registration::Terms;
use turnout_control::source::{Policy, Rules};

use crate::config::{
    self, ClientCertificate, Config, File, Loaded, Mistakes, ServiceConfig, Sources, TlsConfig,
};
use crate::exposure::Stated;
use crate::http::access::Access;
use crate::http::graphql;
use crate::identity;
use crate::reconcile::Callers;
use crate::registry::schemas::Policies;
use crate::rollout;
use crate::telemetry::{Metrics, chain};
use crate::upstream::fleet::Fleet;
use crate::upstream::tls::{self, Identity, Pem};

/// How often the file is looked at. A rename over it, a link that moves and an editor that writes in
/// place all show in its text.
const LOOK: Duration = Duration::from_secs(2);

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file cannot be read.
    #[error("cannot read {}", .0.display())]
    File(PathBuf, #[source] std::io::Error),
    /// It has mistakes.
    #[error("{0}")]
    Mistakes(Mistakes),
    /// What is to be known for speaking TLS with services cannot be used.
    #[error("`upstream.tls`")]
    Tls(#[source] tls::Error),
}

/// What the command line said, and the environment at the start.
#[derive(Clone, Debug)]
pub struct Launch {
    /// The configuration file.
    pub file: FileChoice,
    /// The environment.
    pub env: Vec<(String, String)>,
    /// Settings given as flags, by path.
    pub flags: Vec<(&'static str, String)>,
}

/// Which file is read.
#[derive(Clone, Debug)]
pub enum FileChoice {
    /// This one; it must be there.
    Named(PathBuf),
    /// This one, if it is there.
    Default(PathBuf),
    /// None.
    None,
}

/// Everything that was read, checked.
#[derive(Clone, Debug)]
pub struct Read {
    /// The settings.
    pub loaded: Loaded,
    /// Who may use the admin listener.
    pub access: Access,
    /// How TLS is spoken with services.
    pub tls: Arc<rustls::ClientConfig>,
    texts: Vec<String>,
}

impl Launch {
    /// Reads the file, the tokens file and what overrides them. Blocks.
    pub fn read(&self) -> Result<Read, Error> {
        let file = match &self.file {
            FileChoice::Named(path) => Some(text(path)?),
            FileChoice::Default(path) if path.exists() => Some(text(path)?),
            FileChoice::Default(_) | FileChoice::None => None,
        };
        let mut texts: Vec<String> = file.iter().map(|file| file.text.clone()).collect();
        let sources = Sources { file, env: self.env.clone(), flags: self.flags.clone() };
        let loaded = config::read(&sources).map_err(Error::Mistakes)?;
        let access = match &loaded.config.admin.tokens_file {
            None => Access::Open,
            Some(path) => {
                let file = text(path)?;
                texts.push(file.text.clone());
                Access::Tokens(config::tokens(&file).map_err(Error::Mistakes)?)
            }
        };
        let tls = upstream_tls(&loaded.config.upstream.tls)?;
        Ok(Read { loaded, access, tls, texts })
    }
}

/// Reads the certificates by which services are known, and the one that they are shown.
fn upstream_tls(config: &TlsConfig) -> Result<Arc<rustls::ClientConfig>, Error> {
    let bytes = |path: &Path| std::fs::read(path).map_err(|error| Error::File(path.to_owned(), error));
    let ca = config.ca.as_deref().map(|path| Ok((path, bytes(path)?))).transpose()?;
    let authority = ca.as_ref().map(|(path, text)| Pem { path, text });
    let identity = match &config.client {
        None => None,
        Some(ClientCertificate { cert, key }) => Some((cert, bytes(cert)?, key, bytes(key)?)),
    };
    let identity = identity.as_ref().map(|(cert, chain, key, secret)| Identity {
        certificate: Pem { path: cert, text: chain },
        key: Pem { path: key, text: secret },
    });
    tls::client(authority, identity).map_err(Error::Tls)
}

fn text(path: &Path) -> Result<File, Error> {
    let text = std::fs::read_to_string(path).map_err(|error| Error::File(path.to_owned(), error))?;
    Ok(File { path: path.to_owned(), text })
}

/// What a running gateway takes up without a restart: where it is said.
#[derive(Debug)]
pub struct Told {
    terms: watch::Sender<Terms>,
    rules: watch::Sender<Rules>,
    access: watch::Sender<Arc<Access>>,
    stated: watch::Sender<Arc<Stated>>,
    policies: watch::Sender<Policies>,
    callers: watch::Sender<Callers>,
    graphql: watch::Sender<Arc<graphql::Settings>>,
    identity: watch::Sender<Arc<identity::Settings>>,
    rollouts: watch::Sender<Arc<rollout::Settings>>,
}

/// The same, where it is read.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Which registrations are accepted.
    pub terms: watch::Receiver<Terms>,
    /// What the entries of other registries are judged by.
    pub rules: watch::Receiver<Rules>,
    /// Who may use the admin listener.
    pub access: watch::Receiver<Arc<Access>>,
    /// What of services is public.
    pub stated: watch::Receiver<Arc<Stated>>,
    /// Where descriptors come from that nobody pushed.
    pub policies: watch::Receiver<Policies>,
    /// Who callers are taken for, and who of them sticks to a version.
    pub callers: watch::Receiver<Callers>,
    /// What holds for operations.
    pub graphql: watch::Receiver<Arc<graphql::Settings>>,
    /// Who callers are believed to be.
    pub identity: watch::Receiver<Arc<identity::Settings>>,
    /// What holds for rollouts.
    pub rollouts: watch::Receiver<Arc<rollout::Settings>>,
}

/// What can change while the gateway runs, as it was read at the start.
pub fn settings(read: &Read) -> (Told, Settings) {
    let config = &read.loaded.config;
    let (terms, terms_now) = watch::channel(self::terms(config));
    let (rules, rules_now) = watch::channel(self::rules(config));
    let (access, access_now) = watch::channel(Arc::new(read.access.clone()));
    let (stated, stated_now) = watch::channel(Arc::new(Stated::of(&read.loaded)));
    let (policies, policies_now) = watch::channel(Policies::read(config));
    let (callers, callers_now) = watch::channel(Callers::of(config));
    let (graphql, graphql_now) = watch::channel(Arc::new(graphql::Settings::of(config)));
    let (identity, identity_now) = watch::channel(Arc::new(identity::Settings::of(config)));
    let (rollouts, rollouts_now) = watch::channel(Arc::new(rollout::Settings::of(config)));
    let settings = Settings {
        terms: terms_now,
        rules: rules_now,
        access: access_now,
        stated: stated_now,
        policies: policies_now,
        callers: callers_now,
        graphql: graphql_now,
        identity: identity_now,
        rollouts: rollouts_now,
    };
    (Told { terms, rules, access, stated, policies, callers, graphql, identity, rollouts }, settings)
}

/// Where a changed configuration goes, and what asks for it.
#[derive(Debug)]
pub struct Live {
    /// Who is told.
    pub told: Told,
    /// Who is called, and for how long at most.
    pub fleet: Arc<Fleet>,
    /// SIGHUP, listened for before anyone can send it.
    pub hangups: Signal,
}

/// The terms of registration that a configuration states.
fn terms(config: &Config) -> Terms {
    let ttl_s = u16::try_from(config.registry.ttl.as_secs()).unwrap_or(u16::MAX);
    Terms { allow_cidrs: config.registry.allow_cidrs.clone(), ttl_s }
}

/// What the entries of other registries are judged by.
fn rules(config: &Config) -> Rules {
    let policy = |(name, service): (&ServiceName, &ServiceConfig)| {
        (name.clone(), Policy { version: service.version.clone(), tls: service.tls })
    };
    Rules { terms: terms(config), policies: config.services.iter().map(policy).collect() }
}

/// How long one call may take, for the services for which a configuration says so.
pub fn timeouts(config: &Config) -> BTreeMap<ServiceName, Duration> {
    let timeout = |(name, service): (&ServiceName, &ServiceConfig)| Some((name.clone(), service.timeout?));
    config.services.iter().filter_map(timeout).collect()
}

impl Told {
    /// Says what a configuration says, except who may use the admin listener.
    fn tell(&self, read: &Read) {
        let config = &read.loaded.config;
        self.terms.send_replace(terms(config));
        self.rules.send_if_modified(|held| replace(held, rules(config)));
        self.stated.send_replace(Arc::new(Stated::of(&read.loaded)));
        self.policies.send_if_modified(|held| replace(held, Policies::read(config)));
        self.callers.send_if_modified(|held| replace(held, Callers::of(config)));
        self.graphql.send_replace(Arc::new(graphql::Settings::of(config)));
        self.identity.send_if_modified(|held| replace(held, Arc::new(identity::Settings::of(config))));
        self.rollouts.send_if_modified(|held| replace(held, Arc::new(rollout::Settings::of(config))));
    }
}

/// Whether a value is another one than it was.
fn replace<T: PartialEq>(held: &mut T, next: T) -> bool {
    let differs = *held != next;
    *held = next;
    differs
}

/// Reads again on SIGHUP and when a file changes, until it is told to stop.
pub async fn reload(
    launch: Launch,
    mut running: Read,
    mut live: Live,
    metrics: Metrics,
    stop: CancellationToken,
) {
    let reloads = metrics.config_reloads();
    let count = |outcome| reloads.add(1, &[opentelemetry::KeyValue::new("outcome", outcome)]);
    let mut looks = tokio::time::interval(LOOK);
    let mut failed = String::new();
    loop {
        let asked = tokio::select! {
            () = stop.cancelled() => return,
            signalled = live.hangups.recv() => signalled.is_some(),
            _ = looks.tick() => false,
        };
        let launch = launch.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || launch.read()).await else { return };
        match read {
            Ok(read) if !asked && read.texts == running.texts => failed.clear(),
            Ok(read) => {
                failed.clear();
                let (old, new) = (&running.loaded.config, &read.loaded.config);
                let waiting = config::changed_needing_restart(old, new);
                live.fleet.limit(timeouts(new));
                live.told.tell(&read);
                // Whether tokens are asked for was decided together with where the listener is.
                if old.admin.tokens_file == new.admin.tokens_file {
                    live.told.access.send_replace(Arc::new(read.access.clone()));
                }
                tracing::info!("read the configuration again");
                if !waiting.is_empty() {
                    tracing::warn!(settings = waiting.join(", "), "these take effect after a restart");
                }
                count("ok");
                // What waits for a restart stays compared with what runs.
                let loaded = if waiting.is_empty() { read.loaded } else { running.loaded };
                running = Read { loaded, ..read };
            }
            // A file that stays wrong is told once, unless someone asks again.
            Err(error) if asked || failed != error.to_string() => {
                failed = error.to_string();
                tracing::error!(
                    "the configuration was not read again, and the old one stays:\n{}",
                    chain(&error)
                );
                count("refused");
            }
            Err(_) => {}
        }
    }
}
