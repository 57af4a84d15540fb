//! Does an instance answer, of whom its registry no longer speaks?
//!
//! By gRPC's health service where it has one, and by a TCP connection otherwise. Every probe is a connection
//! of its own, over TLS where the instance wants it, to addresses that may be called, and over within a
//! second. An instance with several addresses answers when one of them does. It is about life and not about
//! fitness: who answers in terms of gRPC that it knows no health service lives, and many frameworks have
//! none.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{FuturesUnordered, StreamExt};
use http::HeaderMap;
use http::uri::PathAndQuery;
use prost::Message;
use tokio::time::{Instant, timeout};
use tokio_util::task::TaskTracker;
use tonic::Code;
use turnout_control::registry::{Endpoint, Health, Registered};
use turnout_control::table::Answered;
use turnout_schema::graph::Safety;

use super::hub::Probe;
use crate::upstream::connection::{self, Connection, Target};
use crate::upstream::{Failure, Origin, Outgoing, exchange};

/// For all of a probe. Who lives answers in milliseconds; who is busy has a second chance.
const PROBE: Duration = Duration::from_secs(1);

/// What every implementation of gRPC's health service has.
const CHECK: &str = "/grpc.health.v1.Health/Check";

/// `SERVING`, in that service's terms.
const SERVING: i32 = 1;

/// The answer of gRPC's health service.
#[derive(Clone, PartialEq, Message)]
struct HealthCheckResponse {
    #[prost(int32, tag = "1")]
    status: i32,
}

/// Tries instances.
#[derive(Clone, Debug)]
pub struct Prober {
    settings: connection::Settings,
    tls: Arc<rustls::ClientConfig>,
    /// Where connections are driven. Nobody waits for these: they end with their probe.
    tasks: TaskTracker,
}

impl Prober {
    /// One that connects like calls do.
    pub fn new(settings: connection::Settings, tls: Arc<rustls::ClientConfig>) -> Prober {
        Prober { settings, tls, tasks: TaskTracker::new() }
    }

    /// What the hub asks.
    pub fn probe(self) -> Probe {
        Arc::new(move |registered: Registered| {
            let prober = self.clone();
            Box::pin(async move { prober.answers(&registered).await })
        })
    }

    async fn answers(&self, registered: &Registered) -> Answered {
        let instance = &registered.instance;
        let each = instance.endpoints.iter().map(|endpoint| {
            let answer = self.endpoint_answers(endpoint, instance.health);
            async { timeout(PROBE, answer).await.unwrap_or(Answered::No) }
        });
        let mut answers: FuturesUnordered<_> = each.collect();
        while let Some(answer) = answers.next().await {
            if answer == Answered::Yes {
                return Answered::Yes;
            }
        }
        Answered::No
    }

    async fn endpoint_answers(&self, endpoint: &Endpoint, health: Health) -> Answered {
        let Some(target) = Target::of(endpoint, &self.tls) else { return Answered::No };
        match health {
            Health::Grpc => judge(self.check(&target).await),
            Health::Tcp | Health::None if connection::is_open(&target, &self.settings).await => Answered::Yes,
            Health::Tcp | Health::None => Answered::No,
        }
    }

    async fn check(&self, target: &Target) -> Result<Bytes, Failure> {
        let connection = Connection::open(target, &self.settings, &self.tasks).await?;
        let outgoing = Outgoing {
            path: &PathAndQuery::from_static(CHECK),
            message: Bytes::new(),
            metadata: &HeaderMap::new(),
            safety: Safety::ReadOnly,
            deadline: Instant::now() + PROBE,
            timeout: None,
        };
        let answer = exchange::unary(&connection, target, &self.settings, &outgoing).await;
        answer.map_err(|attempt| attempt.failure)
    }
}

/// What an answer to a health check says of who gave it.
fn judge(answer: Result<Bytes, Failure>) -> Answered {
    let lives = match answer {
        Ok(message) => HealthCheckResponse::decode(message).is_ok_and(|answer| answer.status == SERVING),
        Err(failure) => match failure.origin {
            // It knows no health service, or wants to know who asks. Frameworks have codes of their own for
            // that.
            Origin::Service => failure.code != Code::Unavailable,
            // HTTP's word for the same.
            Origin::Answer => failure.code == Code::Unimplemented,
            Origin::Nobody | Origin::Connection | Origin::Deadline | Origin::Overload => false,
        },
    };
    if lives { Answered::Yes } else { Answered::No }
}

#[cfg(test)]
mod tests;
