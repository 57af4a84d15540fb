//! What operators can ask: the gateway, its graph, services, sources, what was done, and what would happen.
//!
//! Here is the list of questions; each answer has its own file. Descriptions are what a person reads in a
//! schema browser.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject, Subscription as Subscribe};
use futures_util::{Stream, StreamExt};
use tokio_stream::wrappers::WatchStream;
use turnout_control::id::ServiceName;
use turnout_control::registry::Snapshot;

use super::Facts;
use super::check::{self, Check, Checked};
use super::done::{self, Done};
use super::explain::{self, Asked, Explanation};
use super::frontend::{self, Frontend};
use super::graph::{self, Graph};
use super::policy::{self, Policies};
use super::rollout::{self, Rollout};
use super::service::{Now, Service};
use super::source::{self, Place, Source};

/// What a check weighs among the fields of a question: each holds its descriptors, which may be many megabytes,
/// so two are more than `WEIGHT_MAX`.
const CHECK: usize = 5_000;

/// The most fields of one question.
pub(super) const WEIGHT_MAX: usize = 9_000;

/// What can be asked.
#[derive(Clone, Copy, Debug)]
pub struct Query;

/// What can be watched.
#[derive(Clone, Copy, Debug)]
pub struct Subscription;

/// This gateway.
#[derive(SimpleObject)]
struct Gateway {
    /// The version of the `turnout` binary.
    version: &'static str,
    /// How long it has run, in seconds.
    uptime_seconds: f64,
    /// Counts changes of the registry; never goes back.
    revision: String,
}

#[Object]
impl Query {
    /// This gateway.
    async fn gateway(&self, ctx: &Context<'_>) -> Result<Gateway> {
        let facts = ctx.data::<Facts>()?;
        Ok(Gateway {
            version: env!("CARGO_PKG_VERSION"),
            uptime_seconds: facts.clock.age().as_secs_f64(),
            revision: facts.registry.snapshot().revision.to_string(),
        })
    }

    /// The graph that is served, and what was found while it was made.
    async fn graph(&self, ctx: &Context<'_>) -> Result<Graph> {
        Ok(graph::view(&ctx.data::<Facts>()?.graph.borrow()))
    }

    /// All services by name.
    async fn services(&self, ctx: &Context<'_>) -> Result<Vec<Service>> {
        Ok(Now::of(ctx.data()?).services())
    }

    /// One service; null when nothing was ever registered under the name.
    async fn service(&self, ctx: &Context<'_>, name: String) -> Result<Option<Service>> {
        let name: ServiceName = name.parse()?;
        Ok(Now::of(ctx.data()?).service(&name))
    }

    /// All frontend versions that are published or in the directory of this gateway, by name.
    async fn frontends(&self, ctx: &Context<'_>) -> Result<Vec<Frontend>> {
        Ok(frontend::all(ctx.data()?))
    }

    /// One frontend version, `web@2.4.1`; null when it is neither published nor in the directory.
    async fn frontend(&self, ctx: &Context<'_>, name: String) -> Result<Option<Frontend>> {
        frontend::one(ctx.data()?, &name)
    }

    /// The SDL of what a frontend version sees; null when it sees nothing. `any@0.0.0` is everything.
    async fn frontend_schema(&self, ctx: &Context<'_>, name: String) -> Result<Option<String>> {
        frontend::schema(ctx.data()?, &name)
    }

    /// What is wrong in the directory of frontends beside its versions: who gets which of them, and odd names.
    async fn frontend_directory(&self, ctx: &Context<'_>) -> Result<Vec<String>> {
        Ok(frontend::waiting(ctx.data()?))
    }

    /// Where registrations are read, by name, and how well each is heard.
    async fn sources(&self, ctx: &Context<'_>) -> Result<Vec<Source>> {
        Ok(source::all(ctx.data()?))
    }

    /// Whether this gateway runs what only one of all may run.
    async fn leadership(&self, ctx: &Context<'_>) -> Result<Place> {
        Ok(source::leadership(ctx.data()?))
    }

    /// What people changed, the latest first; at most 1000.
    async fn audit(&self, ctx: &Context<'_>, #[graphql(default = 50)] last: usize) -> Result<Vec<Done>> {
        done::last(ctx.data()?, last).await
    }

    /// Which versions callers get: what was decided, and what comes of it.
    async fn policies(
        &self,
        ctx: &Context<'_>,
        service: Option<String>,
        frontend: Option<String>,
    ) -> Result<Policies> {
        policy::all(ctx.data()?, service.as_deref(), frontend.as_deref())
    }

    /// All rollouts, going on and ended, by service and version.
    async fn rollouts(&self, ctx: &Context<'_>, service: Option<String>) -> Result<Vec<Rollout>> {
        rollout::all(ctx.data()?, service.as_deref())
    }

    /// The rollout of a version. Without one: that which is going on, or else the one that changed last; null
    /// when there never was one.
    async fn rollout(
        &self,
        ctx: &Context<'_>,
        service: String,
        version: Option<String>,
    ) -> Result<Option<Rollout>> {
        rollout::one(ctx.data()?, &service, version.as_deref())
    }

    /// Which version of each service a caller gets on this gateway, why, and when that would change.
    async fn explain(&self, ctx: &Context<'_>, caller: Asked) -> Result<Explanation> {
        explain::explain(ctx.data()?, &caller)
    }

    /// What would become of the graph if this version were registered. Changes nothing; takes up to seconds. One
    /// to a question.
    #[graphql(complexity = "CHECK + child_complexity")]
    async fn check(&self, ctx: &Context<'_>, version: Check) -> Result<Checked> {
        check::check(ctx.data()?, version).await
    }
}

#[Subscribe]
impl Subscription {
    /// All services, now and again after each change.
    async fn services(&self, ctx: &Context<'_>) -> Result<impl Stream<Item = Vec<Service>> + use<>> {
        let facts = ctx.data::<Facts>()?.clone();
        let changes = WatchStream::new(facts.registry.changes());
        Ok(changes.map(move |snapshot: Arc<Snapshot>| Now::of(&facts).at(snapshot).services()))
    }

    /// All rollouts, now and again after each change of any record.
    async fn rollouts(
        &self,
        ctx: &Context<'_>,
        service: Option<String>,
    ) -> Result<impl Stream<Item = Result<Vec<Rollout>>> + use<>> {
        let facts = ctx.data::<Facts>()?.clone();
        let changes = WatchStream::new(facts.registry.store.records());
        Ok(changes.map(move |_| rollout::all(&facts, service.as_deref())))
    }
}
