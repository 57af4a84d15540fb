//! An operators' API over a registry in a directory, for tests: what is asked, and by whom.

use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Request, Response};
use tempfile::TempDir;
use tokio::sync::watch;

use super::{Facts, Schema};
use crate::clock::Clock;
use crate::config::{self, File, Sources};
use crate::exposure::{Public, Stated};
use crate::http::access::Caller;
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
    schema: Schema,
    _stated: watch::Sender<Arc<Stated>>,
    _public: Public,
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
        let (_reconciler, published) = reconcile::new(reconcile::Sources {
            registry: registry.clone(),
            fleet: Arc::new(Fleet::idle()),
            exposures: public.exposures(),
            schemas: watch::channel(Arc::default()).1,
            callers: watch::channel(reconcile::Callers::of(&loaded.config)).1,
            trials: Trials::default(),
            meters: Meters::new(),
        });
        let (reports, graph) = watch::channel(Arc::default());
        let facts = Facts { graph, ..Facts::new(&registry, &published, stated_now) };
        let audit = facts.audit.clone();
        let schema = super::schema(facts, Arc::new(Tokens::new(Keys::random())));
        World { registry, reports, audit, schema, _stated: stated, _public: public, _directory: directory }
    }

    /// Asks as someone on this machine.
    pub(super) async fn ask(&self, question: &str) -> Response {
        self.ask_as(Caller::Local, question).await
    }

    pub(super) async fn ask_as(&self, caller: Caller, question: &str) -> Response {
        self.schema.execute(Request::new(question).data(caller)).await
    }
}
