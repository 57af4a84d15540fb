//! An operators' API over a registry in a directory, for tests: what is asked, and by whom.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, Response};
use tempfile::TempDir;
use tokio::sync::watch;
use turnout_control::records::{Change, Key};

use super::{Facts, Schema};
use crate::clock::Clock;
use crate::config::{self, File, Sources};
use crate::exposure::{Public, Stated};
use crate::frontends::{self, Publisher};
use crate::generation::Generation;
use crate::http::access::Caller;
use crate::http::graphql::Settings;
use crate::identity::{Keys, Tokens};
use crate::lineup::Trials;
use crate::reconcile::{self, Report};
use crate::registry::audit::Audit;
use crate::registry::{Registry, embedded};
use crate::telemetry::Meters;
use crate::upstream::fleet::Fleet;

/// Everything that the API tells about, to be changed by a test.
pub(super) struct World {
    pub(super) registry: Registry,
    pub(super) reports: watch::Sender<Arc<Report>>,
    pub(super) audit: Audit,
    pub(super) generations: watch::Sender<Option<Arc<Generation>>>,
    schema: Schema,
    _stated: watch::Sender<Arc<Stated>>,
    _public: Public,
    _callers: watch::Sender<reconcile::Callers>,
    _directory: TempDir,
}

impl World {
    pub(super) async fn new() -> World {
        World::configured("").await
    }

    /// One with this configuration.
    pub(super) async fn configured(text: &str) -> World {
        let directory = tempfile::tempdir().unwrap();
        let clock = Clock::start();
        let registry = embedded::alone(directory.path(), clock, Duration::ZERO).unwrap();
        let file = File { path: "turnout.yaml".into(), text: text.to_owned() };
        let loaded = config::read(&Sources { file: Some(file), ..Sources::default() }).unwrap();
        let (stated, stated_now) = watch::channel(Arc::new(Stated::of(&loaded)));
        let public = Public::new(stated_now.clone(), registry.store.records());
        let (callers, callers_now) = watch::channel(reconcile::Callers::of(&loaded.config));
        let (_reconciler, published) = reconcile::new(reconcile::Sources {
            registry: registry.clone(),
            fleet: Arc::new(Fleet::idle()),
            exposures: public.exposures(),
            schemas: watch::channel(Arc::default()).1,
            callers: callers_now.clone(),
            trials: Trials::default(),
            meters: Meters::new(),
        });
        let (reports, graph) = watch::channel(Arc::default());
        let audit = Audit::new(registry.store.clone(), clock);
        let settings = watch::channel(Arc::new(Settings::of(&loaded.config))).1;
        let publisher = Publisher::new(&registry, audit.clone(), published.previews.clone(), settings);
        let (_follower, frontends) = frontends::new(Path::new("nowhere").into(), publisher, &published);
        let (generations, generations_now) = watch::channel(None);
        let facts = Facts {
            graph,
            generations: generations_now,
            ..Facts::new(&registry, &published, (stated_now, callers_now), frontends)
        };
        let schema = super::schema(facts, Arc::new(Tokens::new(Keys::random())));
        World {
            registry,
            reports,
            audit,
            generations,
            schema,
            _stated: stated,
            _public: public,
            _callers: callers,
            _directory: directory,
        }
    }

    /// Writes a record, or takes it away, whatever it was.
    pub(super) async fn write(&self, key: Key, value: Option<Vec<u8>>) -> u64 {
        let expected = [(key.clone(), self.registry.store.records().borrow().seen(&key))].into();
        let change = Change { expected, writes: [(key, value.map(Into::into))].into() };
        self.registry.store.change(change).await.unwrap()
    }

    /// Asks as someone on this machine.
    pub(super) async fn ask(&self, question: &str) -> Response {
        self.ask_as(Caller::Local, question).await
    }

    pub(super) async fn ask_as(&self, caller: Caller, question: &str) -> Response {
        self.schema.execute(Request::new(question).data(caller)).await
    }
}
