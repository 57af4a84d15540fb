//! What the public listener serves: operations by the shortest way, and a few routes beside them.
//!
//! `/graphql` is nearly all of the traffic and is told by comparing one path; what is left goes through
//! a router. Each worker has a front of its own, so that requests on different cores share nothing that
//! they write.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::Request;
use http_body_util::{Either, Full};
use hyper::body::Incoming;
use tokio::sync::watch;
use tower::ServiceExt;

use super::facts::Ids;
use super::graphql::{Graphql, Settings};
use super::health::{self, Health};
use crate::generation::Generation;
use crate::identity::Callers;
use crate::telemetry::Meters;
use crate::upstream::Worker;

/// Where operations are sent.
const GRAPHQL: &str = "/graphql";

/// The body of an answer: whole, or by a router.
pub(crate) type Reply = Either<Full<Bytes>, Body>;

/// What all workers have in common.
#[derive(Clone, Debug)]
pub struct Public {
    health: Health,
    settings: watch::Receiver<Arc<Settings>>,
    generations: watch::Receiver<Option<Arc<Generation>>>,
    callers: Callers,
    seed: u64,
    meters: Meters,
}

impl Public {
    /// Answers by these settings and generations, the newest at any time.
    pub fn new(
        health: Health,
        settings: watch::Receiver<Arc<Settings>>,
        generations: watch::Receiver<Option<Arc<Generation>>>,
        callers: Callers,
        meters: Meters,
    ) -> Public {
        Public { health, settings, generations, callers, meters, seed: rand::random() }
    }

    /// The part of one worker.
    pub fn front(&self, worker: Worker) -> Front {
        let watched = (self.settings.clone(), self.generations.clone());
        Front {
            graphql: Arc::new(Graphql::new(
                watched,
                &self.callers,
                self.meters.clone(),
                Ids::new(self.seed, worker),
                worker,
            )),
            routes: health::router(self.health.clone()).fallback(missing),
        }
    }
}

/// Answers the requests of one worker. Cloning it is two counts.
#[derive(Clone, Debug)]
pub struct Front {
    graphql: Arc<Graphql>,
    routes: Router,
}

impl Front {
    /// Lets go of old generations while no request comes; runs as long as the front is used.
    pub(crate) async fn follow(&self) {
        self.graphql.follow().await;
    }

    pub(crate) async fn answer(&self, request: Request<Incoming>) -> http::Response<Reply> {
        if request.uri().path() == GRAPHQL {
            return self.graphql.answer(request).await.map(Either::Left);
        }
        let answer = self.routes.clone().oneshot(request).await;
        answer.unwrap_or_else(|never| match never {}).map(Either::Right)
    }
}

async fn missing() -> Response {
    (StatusCode::NOT_FOUND, "nothing lives at this address; GraphQL is at /graphql\n").into_response()
}
