//! What would a frontend see if it were published now? Asked before it is; changes nothing.
//!
//! The frontend is put beside those that are published, on a copy of what is known, and everything is decided as
//! the next look would decide it.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};

use turnout_control::frontend::{Frontend, Lifecycle};
use turnout_control::id::ServiceName;
use turnout_control::routes::Unrouted;

use super::{Error, Previews};
use crate::generation::Graph;
use crate::reconcile::contest::Scene;
use crate::registry::schemas::Findings;

/// What a frontend would see if it were published now.
#[derive(Clone, Debug, Default)]
pub struct Prospect {
    /// Its graph; `None` when it would see nothing.
    pub graph: Option<Arc<Graph>>,
    /// The services that it pins and would not see, and why.
    pub unrouted: BTreeMap<ServiceName, Unrouted>,
    /// What callers see who pin nothing; to say what the frontend would have to pin.
    pub everything: Option<Arc<Graph>>,
}

impl Previews {
    /// What a frontend would see, in whatever state it is. Takes up to seconds; others who ask wait for their turn.
    pub async fn frontend(&self, frontend: Frontend) -> Result<Prospect, Error> {
        let turn = self.turn.clone().acquire_owned().await.map_err(|_| Error::Unfinished)?;
        let this = self.clone();
        let work = move || {
            // Kept until the work ends: who stops waiting must not let the next one in beside it.
            let _turn = turn;
            this.foresee(frontend)
        };
        tokio::task::spawn_blocking(work).await.unwrap_or(Err(Error::Unfinished))
    }

    fn foresee(&self, frontend: Frontend) -> Result<Prospect, Error> {
        let mut composer = self.composer.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let exposures = self.exposures.borrow().clone();
        let callers = self.callers.borrow().clone();
        let snapshot = self.registry.snapshot();
        let (now, schemas) = (self.registry.hub.clock().age(), Findings::default());
        let scene =
            Scene { snapshot: &snapshot, exposures: &exposures, schemas: &schemas, callers: &callers, now };
        let (contests, _) = composer.contests(&self.registry, scene);
        let id = frontend.id.clone();
        let stored = Arc::make_mut(&mut composer.memory.stored);
        let published = &mut Arc::make_mut(&mut stored.frontends).published;
        published.insert(id.clone(), Frontend { state: Lifecycle::Active, ..frontend });
        let decision = composer.decide(&self.registry, scene, &contests);
        if decision.is_unsure() {
            return Err(Error::Unavailable);
        }
        let sight = |id| decision.sights.iter().find(|sight| sight.frontend.as_ref() == id);
        let seen = sight(Some(&id));
        Ok(Prospect {
            graph: seen.map(|sight| sight.graph.0.clone()),
            unrouted: seen.map(|sight| sight.unrouted.clone()).unwrap_or_default(),
            everything: sight(None).map(|sight| sight.graph.0.clone()),
        })
    }
}
