//! What operators can change. Every change names its reason, can be tried first, and is written down with
//! who made it and how to take it back.
//!
//! Descriptions here are what a person reads in a schema browser.

use std::sync::Arc;

use async_graphql::{Context, Object, Result, SimpleObject};
use turnout_control::audit::{Act, TEXT_BYTES_MAX};
use turnout_control::decision;
use turnout_control::id::ServiceName;
use turnout_control::lineup;
use turnout_control::records::{Change, Record, Records};
use turnout_schema::subgraph::Exposure;

use super::check::{self, GraphChange};
use super::decide::{self, PolicyChange, PolicyPlace, PolicySet};
use super::frontend::{self, AppAssigned, By, DocumentInput, FrontendPublished, State};
use super::graph::{self, Diagnostic};
use super::order::{self, Order, Ordered};
use super::overrides::{self, Override, Wanted};
use super::service::{self, Expose, Exposed};
use super::{Facts, fault};
use crate::exposure;
use crate::frontends::publish::Author;
use crate::http::access::{Caller, Role};
use crate::identity::Tokens;
use crate::reconcile::preview::{Asked, Preview};

/// What can be changed.
#[derive(Clone, Copy, Debug)]
pub struct Mutation;

/// A decision about what of a service is public.
#[derive(SimpleObject)]
struct ServiceExposed {
    service: String,
    /// Whether something was ever registered under the name.
    known: bool,
    before: Exposed,
    /// What holds now, or would hold.
    after: Exposed,
    /// Whether anything was written, or would be.
    changed: bool,
    /// The place of the change in the audit chain; null when nothing was written.
    audit: Option<String>,
    /// The version that the graph has of it, or would have; null when it has none.
    serves: Option<String>,
    /// Whether a graph is served now that the next one could be compared with.
    compared: bool,
    /// How the graph would differ, by coordinate. Only of a dry run.
    changes: Vec<GraphChange>,
    /// What would be found. Only of a dry run.
    findings: Vec<Diagnostic>,
}

#[Object]
impl Mutation {
    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    /// Decides what of a service is public. The configuration goes first: what it says about the service
    /// cannot be decided here.
    async fn expose_service(
        &self,
        ctx: &Context<'_>,
        service: String,
        expose: Expose,
        #[graphql(desc = "Why; for those who read the audit log.")] reason: String,
        #[graphql(default, desc = "Tells what would happen, and changes nothing.")] dry_run: bool,
        #[graphql(desc = "The revision of the decision that this one replaces, \"0\" for none; what it is \
                          otherwise does not matter.")]
        expected_revision: Option<String>,
    ) -> Result<ServiceExposed> {
        let (facts, actor) = (ctx.data::<Facts>()?, operator(ctx)?);
        let name: ServiceName = service.parse().map_err(|error| fault::input("service", &error))?;
        let decision = Decided::read(facts, name, expose, expected_revision.as_deref())?;
        if dry_run {
            return decision.rehearse(facts).await;
        }
        let reason = checked_reason(&reason)?;
        decision.perform(facts, actor, reason).await
    }

    /// Gives an operator a token that lets a request reach these versions: as the header `x-turnout-override`,
    /// and only where the policies of the frontend that it comes from have them, as stable or as candidate.
    async fn mint_override(
        &self,
        ctx: &Context<'_>,
        lineup: Vec<Wanted>,
        #[graphql(desc = "Why; for those who read the audit log.")] reason: String,
        #[graphql(desc = "How long it holds, 1 to 60; 15 when left out.")] minutes: Option<i32>,
    ) -> Result<Override> {
        let (facts, actor) = (ctx.data::<Facts>()?, operator(ctx)?);
        let asked = overrides::Asked::read(&lineup, minutes)?;
        asked.mint(facts, ctx.data::<Arc<Tokens>>()?, (actor, checked_reason(&reason)?)).await
    }

    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    /// Publishes a frontend version, or changes one that is published. What is wrong with it is found first.
    async fn publish_frontend(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Such as `web@2.5.0`.")] frontend: String,
        #[graphql(
            desc = "The text of its manifest.yaml; without it, what is published or waits in the directory \
                          of this gateway."
        )]
        manifest: Option<String>,
        #[graphql(desc = "The operations that it sends; without them, those it has.")] documents: Option<
            Vec<DocumentInput>,
        >,
        #[graphql(desc = "Another state than its manifest says.")] state: Option<State>,
        #[graphql(desc = "Why; for those who read the audit log.")] reason: String,
        #[graphql(default, desc = "Tells what would happen, and changes nothing.")] dry_run: bool,
        #[graphql(desc = "The revision of the record that this one replaces, \"0\" for none.")]
        expected_revision: Option<String>,
    ) -> Result<FrontendPublished> {
        let by = by(operator(ctx)?, &reason, dry_run)?;
        let asked = frontend::Asked { frontend, manifest, documents, state, expected_revision };
        frontend::publish(ctx.data()?, asked, by).await
    }

    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    /// Retires a frontend version: nobody gets it any more. Refused while a rule leads to it.
    async fn retire_frontend(
        &self,
        ctx: &Context<'_>,
        frontend: String,
        #[graphql(desc = "Why; for those who read the audit log.")] reason: String,
        #[graphql(default, desc = "Tells what would happen, and changes nothing.")] dry_run: bool,
        #[graphql(desc = "The revision of the record that this one replaces.")] expected_revision: Option<
            String,
        >,
    ) -> Result<FrontendPublished> {
        let by = by(operator(ctx)?, &reason, dry_run)?;
        frontend::retire(ctx.data()?, &frontend, expected_revision.as_deref(), by).await
    }

    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    /// Says who gets which version of an app.
    async fn assign_frontends(
        &self,
        ctx: &Context<'_>,
        app: String,
        #[graphql(desc = "The text of its app.yaml; without it, the one in the directory of this gateway.")]
        assignment: Option<String>,
        #[graphql(desc = "Why; for those who read the audit log.")] reason: String,
        #[graphql(default, desc = "Tells what would happen, and changes nothing.")] dry_run: bool,
        #[graphql(desc = "The revision of the record that this one replaces, \"0\" for none.")]
        expected_revision: Option<String>,
    ) -> Result<AppAssigned> {
        let by = by(operator(ctx)?, &reason, dry_run)?;
        frontend::assign(ctx.data()?, &app, (assignment, expected_revision.as_deref()), by).await
    }

    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    /// Decides which versions callers get of a service. What a rollout decides while it goes on cannot be
    /// decided here.
    async fn set_policy(
        &self,
        ctx: &Context<'_>,
        policy: PolicyPlace,
        change: PolicyChange,
        #[graphql(desc = "Why; for those who read the audit log.")] reason: String,
        #[graphql(default, desc = "Tells who would get another version, and changes nothing.")] dry_run: bool,
        #[graphql(default, desc = "Units to tell about in a dry run; at most 100.")] units: Vec<String>,
        #[graphql(desc = "The revision of the policy that this one replaces, \"0\" for none; what it is \
                          otherwise does not matter.")]
        expected_revision: Option<String>,
    ) -> Result<PolicySet> {
        let (facts, actor) = (ctx.data::<Facts>()?, operator(ctx)?);
        let decision = decide::Decision::of(facts, &policy, &change, expected_revision.as_deref()).await?;
        if dry_run {
            return decision.rehearse(&units);
        }
        let reason = checked_reason(&reason)?;
        decision.perform(facts, actor, reason).await
    }

    #[expect(clippy::too_many_arguments, reason = "they are the arguments of the field")]
    /// Says what shall become of a rollout. The gateway that leads carries it out; the answer waits up to three
    /// seconds for that.
    async fn order_rollout(
        &self,
        ctx: &Context<'_>,
        service: String,
        #[graphql(desc = "Left out: the rollout that is going on, or else the one that changed last.")]
        version: Option<String>,
        order: Order,
        #[graphql(desc = "Why; for those who read the audit log.")] reason: String,
        #[graphql(default, desc = "Tells who would get another version, and changes nothing.")] dry_run: bool,
        #[graphql(default, desc = "Units to tell about in a dry run; at most 100.")] units: Vec<String>,
        #[graphql(desc = "The stage of the rollout that was looked at.")] expected_stage: Option<String>,
    ) -> Result<Ordered> {
        let (facts, actor) = (ctx.data::<Facts>()?, operator(ctx)?);
        let (version, expected) = (version.as_deref(), expected_stage.as_deref());
        let asked = order::Asked { service: &service, version, order, expected };
        let decision = order::Decision::of(facts, &asked)?;
        if dry_run {
            return decision.rehearse(facts, &units);
        }
        let reason = checked_reason(&reason)?;
        decision.perform(facts, actor, reason).await
    }
}

/// Who changes something, unless it is only tried.
fn by(actor: String, reason: &str, dry_run: bool) -> Result<By> {
    if dry_run {
        return Ok(By::Nobody);
    }
    Ok(By::Somebody(Author { actor, reason: checked_reason(reason)? }))
}

/// A decision that may be made, and what it was made by.
struct Decided {
    service: ServiceName,
    expose: Expose,
    records: Arc<Records>,
    before: crate::exposure::Holding,
}

impl Decided {
    fn read(facts: &Facts, service: ServiceName, expose: Expose, expected: Option<&str>) -> Result<Decided> {
        let records = facts.registry.store.records().borrow().clone();
        let before = facts.stated.borrow().holding(&service, &records);
        if let exposure::By::Configuration(place) = &before.by {
            return Err(fault::conflict(format!(
                "services.{service}.expose is set in the configuration ({place}), which goes first; change it \
                 there, or take it out and decide again"
            )));
        }
        if let Some(expected) = expected {
            let expected: u64 = expected.parse().map_err(|error| fault::input("expectedRevision", &error))?;
            let found = records.get(&decision::key(&service)).map_or(0, |record| record.revision);
            if found != expected {
                return Err(fault::conflict(format!(
                    "{service} was decided about at revision {found} and not {expected}; look at what it is \
                     now, and decide again"
                )));
            }
        }
        Ok(Decided { service, expose, records, before })
    }

    fn record(&self) -> Option<&Record> {
        self.records.get(&decision::key(&self.service))
    }

    fn next(&self) -> Option<Vec<u8>> {
        decision::with_expose(self.record().map(|record| &*record.value), self.expose.decided())
    }

    fn changes(&self) -> bool {
        self.next().as_deref() != self.record().map(|record| &*record.value)
    }

    async fn perform(self, facts: &Facts, actor: String, reason: String) -> Result<ServiceExposed> {
        let mut sequence = None;
        if self.changes() {
            let (key, next) = (decision::key(&self.service), self.next());
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let before = self.record().and_then(|record| decision::read(&record.value).expose);
            let word = before.map_or("default", decision::word);
            let act = Act {
                actor,
                verb: "service.expose".to_owned(),
                subject: self.service.to_string(),
                before: self.record().map(|record| text(&record.value)),
                after: next.as_deref().map(text),
                reason,
                inverse: format!("turnout service expose {} {word} --reason 'taken back'", self.service),
            };
            let change = Change {
                expected: [(key.clone(), self.records.seen(&key))].into(),
                writes: [(key, next.map(Into::into))].into(),
            };
            let written = facts.audit.change(change, act).await.map_err(|error| fault::store(&error))?;
            sequence = Some(written.sequence);
        }
        let records = facts.registry.store.records().borrow().clone();
        let after = facts.stated.borrow().holding(&self.service, &records);
        let serves = serving(facts, &self.service);
        Ok(ServiceExposed {
            audit: sequence.map(|place| place.to_string()),
            serves,
            ..self.view(facts, &after)
        })
    }

    async fn rehearse(self, facts: &Facts) -> Result<ServiceExposed> {
        let exposure = self.expose.decided().unwrap_or_else(|| facts.stated.borrow().others());
        let by = self.expose.decided().map_or(exposure::By::Default, |_| exposure::By::Operator(0));
        let after = crate::exposure::Holding { exposure, by };
        let Some(preview) = preview(facts, &self.service, exposure).await? else {
            return Ok(self.view(facts, &after));
        };
        Ok(ServiceExposed {
            serves: preview.serves.map(|version| version.to_string()),
            changes: preview.changes.iter().map(check::change).collect(),
            findings: preview.findings.iter().map(graph::finding).collect(),
            ..self.view(facts, &after)
        })
    }

    fn view(&self, facts: &Facts, after: &crate::exposure::Holding) -> ServiceExposed {
        ServiceExposed {
            service: self.service.to_string(),
            known: facts.registry.snapshot().service(&self.service).is_some(),
            before: service::exposed(&self.before),
            after: service::exposed(after),
            changed: self.changes(),
            audit: None,
            serves: None,
            compared: facts.graph.borrow().digest.is_some(),
            changes: Vec::new(),
            findings: Vec::new(),
        }
    }
}

/// What would become of the graph if the version of the service that serves, or is next to, were public so;
/// `None` when it has no version that could.
async fn preview(facts: &Facts, service: &ServiceName, exposure: Exposure) -> Result<Option<Preview>> {
    let snapshot = facts.registry.snapshot();
    let Some(known) = snapshot.service(service) else { return Ok(None) };
    let serving = serving(facts, service);
    let choices = lineup::choices(known);
    let is_serving = |choice: &&lineup::Choice<'_>| Some(choice.version.to_string()) == serving;
    let Some(choice) = choices.iter().find(is_serving).or(choices.first()) else { return Ok(None) };
    let version = choice.version.clone();
    let stored = facts.registry.store.schema(choice.digest).await.map_err(|error| fault::store(&error))?;
    let Some(descriptors) = stored else { return Ok(None) };
    let asked = Asked { service: service.clone(), version, descriptors, exposure: Some(exposure) };
    check::ask(facts, asked).await.map(Some)
}

fn serving(facts: &Facts, service: &ServiceName) -> Option<String> {
    let report = facts.graph.borrow();
    report.members.iter().find(|(member, _)| member == service).map(|(_, version)| version.to_string())
}

/// Who changes something, if he may.
fn operator(ctx: &Context<'_>) -> Result<String> {
    match ctx.data::<Caller>()? {
        Caller::Local => Ok("local".to_owned()),
        Caller::Token(token) if token.roles.contains(&Role::Operate) => Ok(token.name.clone()),
        Caller::Token(token) => Err(fault::forbidden(format!(
            "the token {:?} does not have the role \"operate\"; use one that has it, or add the role in \
             admin.tokens.file",
            token.name
        ))),
    }
}

fn checked_reason(reason: &str) -> Result<String> {
    let reason = reason.trim();
    if reason.is_empty() {
        return Err(fault::input("reason", &"must not be empty: it is what others read in the audit log"));
    }
    if reason.len() > TEXT_BYTES_MAX {
        let found = format!("has {} bytes, and {TEXT_BYTES_MAX} are allowed", reason.len());
        return Err(fault::input("reason", &found));
    }
    Ok(reason.to_owned())
}
