//! What operators see of frontends, and how they publish and retire them.
//!
//! Descriptions here are what a person reads in a schema browser.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use async_graphql::{Enum, InputObject, Result, SimpleObject};
use turnout_control::frontend::{self, App, Document, Lifecycle, Pin as Pinned, Published, Rule, Who};
use turnout_control::id::{AppName, FrontendId, ServiceName, Timestamp};
use turnout_control::records::Records;
use turnout_control::slot::Weight;

use super::graph::{self, Diagnostic};
use super::{Facts, fault};
use crate::clock::rfc3339;
use crate::config::File;
use crate::frontends::publish::{Author, Error, Offer, Origin, Outcome, assigned, published};
use crate::frontends::{Look, Standing, assignment, documents, manifest, pins, resolved};
use crate::generation::Generation;

/// A version of a client.
#[derive(SimpleObject)]
pub(super) struct Frontend {
    /// `web@2.4.1`.
    name: String,
    app: String,
    version: String,
    /// Who may use it; null when it is not published.
    state: Option<State>,
    /// How it stands in the directory of this gateway; null when it is not there.
    directory: Option<InDirectory>,
    /// What keeps the directory's version from being published; null when nothing does.
    why: Option<String>,
    /// What it was built for, by service.
    pins: Vec<Pin>,
    /// The largest share of its callers that candidates may have, where it accepts less than all.
    caps: Vec<Cap>,
    /// The ids of the operations that it sends.
    operations: Vec<String>,
    /// The directory of its page on this gateway; null when there is none.
    page: Option<String>,
    /// Who gets it: `default`, and the rules that lead to it, in words.
    assigned: Vec<String>,
    published_at: Option<String>,
    /// The revision of its record, for `expectedRevision`; null when it is not published.
    revision: Option<String>,
    /// What is wrong with it now.
    findings: Vec<Diagnostic>,
}

/// A service that a frontend was built for.
#[derive(SimpleObject)]
#[graphql(name = "FrontendPin")]
struct Pin {
    service: String,
    /// As in Cargo.
    range: String,
    /// Whether the frontend does without it.
    optional: bool,
    /// The known versions that satisfy it, oldest first.
    versions: Vec<String>,
    /// The version that its callers get, if nothing else is tried; null when they get none.
    stable: Option<String>,
    /// The version that is tried with some of them.
    candidate: Option<String>,
    /// Why they get none; null when they do.
    why: Option<String>,
}

/// The largest share of a frontend's callers that a candidate may have.
#[derive(SimpleObject)]
#[graphql(name = "FrontendCap")]
struct Cap {
    service: String,
    /// From 0 to 1.
    share: f64,
}

/// Who may use a frontend version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "FrontendState")]
pub(super) enum State {
    /// Those who are assigned to it or hold a token.
    Preview,
    /// Everybody.
    Active,
    /// Everybody, who is told that it will go.
    Deprecated,
    /// Nobody.
    Retired,
}

/// How something stands in the directory of frontends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
enum InDirectory {
    /// It was published, now or before.
    Taken,
    /// It is published as soon as services are there.
    Waiting,
    /// It cannot be published as it is.
    Refused,
}

/// An operation that a frontend sends.
#[derive(InputObject)]
#[graphql(name = "FrontendDocument")]
pub(super) struct DocumentInput {
    /// What clients call it: a file's name, or a persisted document's id.
    id: String,
    text: String,
}

/// What is to be published.
pub(super) struct Asked {
    pub(super) frontend: String,
    pub(super) manifest: Option<String>,
    pub(super) documents: Option<Vec<DocumentInput>>,
    pub(super) state: Option<State>,
    pub(super) expected_revision: Option<String>,
}

/// What was published, or why it was not.
#[derive(SimpleObject)]
pub(super) struct FrontendPublished {
    name: String,
    /// Whether it is published, or would be.
    accepted: bool,
    /// Whether anything was written, or would be.
    changed: bool,
    /// The place of the change in the audit chain; null when nothing was written.
    audit: Option<String>,
    /// The state before; null when it was not published.
    before: Option<State>,
    /// The state that it has now, or would have.
    after: Option<State>,
    /// How many operations it has.
    operations: usize,
    /// What was found; an error keeps it from being published.
    findings: Vec<Diagnostic>,
}

/// Who gets which version of an app.
#[derive(SimpleObject)]
pub(super) struct AppAssigned {
    app: String,
    /// Whether anything was written, or would be.
    changed: bool,
    /// The place of the change in the audit chain; null when nothing was written.
    audit: Option<String>,
    /// The version of everybody whom no rule means.
    default: String,
    /// The rules in words, in their order.
    rules: Vec<String>,
}

impl State {
    fn of(state: Lifecycle) -> State {
        match state {
            Lifecycle::Preview => State::Preview,
            Lifecycle::Active => State::Active,
            Lifecycle::Deprecated => State::Deprecated,
            Lifecycle::Retired => State::Retired,
        }
    }

    fn lifecycle(self) -> Lifecycle {
        match self {
            State::Preview => Lifecycle::Preview,
            State::Active => Lifecycle::Active,
            State::Deprecated => Lifecycle::Deprecated,
            State::Retired => Lifecycle::Retired,
        }
    }
}

/// All that a frontend is told from, at one moment.
struct Now<'a> {
    facts: &'a Facts,
    records: Arc<Records>,
    look: Arc<Look>,
    generation: Option<Arc<Generation>>,
}

impl<'a> Now<'a> {
    fn of(facts: &'a Facts) -> Now<'a> {
        Now {
            facts,
            records: facts.frontends.publisher.records(),
            look: facts.frontends.looks.borrow().clone(),
            generation: facts.frontends.generations.borrow().clone(),
        }
    }

    fn view(&self, id: &FrontendId) -> Frontend {
        let known = published(&self.records, id);
        let in_directory = self.look.folder.versions.get(id);
        let page = in_directory.and_then(|reading| reading.read.as_ref().ok()?.page.clone());
        let (directory, why) = self.look.versions.get(id).map(standing).unzip();
        let app = assigned(&self.records, &id.app);
        Frontend {
            name: id.to_string(),
            app: id.app.to_string(),
            version: id.version.to_string(),
            state: known.as_ref().map(|known| State::of(known.frontend.state)),
            directory,
            why: why.flatten(),
            pins: known.as_ref().map(|known| self.pins(known)).unwrap_or_default(),
            caps: known.as_ref().map(caps).unwrap_or_default(),
            operations: known.iter().flat_map(|known| &known.documents).map(|one| one.id.clone()).collect(),
            page: page.map(|page: PathBuf| page.display().to_string()),
            assigned: app.map(|app| leading(&app, id)).unwrap_or_default(),
            published_at: known.as_ref().map(|known| rfc3339(known.at)),
            revision: self.records.get(&frontend::key(id)).map(|record| record.revision.to_string()),
            findings: known.as_ref().map(|known| self.findings(known)).unwrap_or_default(),
        }
    }

    fn pins(&self, known: &Published) -> Vec<Pin> {
        let frontend = &known.frontend;
        let snapshot = self.facts.registry.snapshot();
        let versions = resolved(frontend, &snapshot, &self.records);
        let view = self.generation.as_ref().and_then(|now| now.view(Some(&frontend.id)).cloned());
        let pin = |(service, pin): (&ServiceName, &Pinned)| {
            let view = view.as_ref();
            let route = view.and_then(|view| view.routes.iter().find(|route| route.service == *service));
            let candidate = route.and_then(|route| route.policy.candidate());
            Pin {
                service: service.to_string(),
                range: pin.range.to_string(),
                optional: pin.optional,
                versions: versions.get(service).into_iter().flatten().map(ToString::to_string).collect(),
                stable: route.map(|route| route.policy.stable().to_string()),
                candidate: candidate.map(|candidate| candidate.version.to_string()),
                why: view.and_then(|view| view.unrouted.get(service)).map(ToString::to_string),
            }
        };
        frontend.pins.iter().map(pin).collect()
    }

    fn findings(&self, known: &Published) -> Vec<Diagnostic> {
        if known.frontend.state == Lifecycle::Retired {
            return Vec::new();
        }
        let found = pins(&known.frontend, &self.facts.registry.snapshot(), &self.records);
        found.iter().map(|found| graph::diagnostic(found, None)).collect()
    }
}

fn standing(standing: &Standing) -> (InDirectory, Option<String>) {
    match standing {
        Standing::Taken => (InDirectory::Taken, None),
        Standing::Waiting(why) => (InDirectory::Waiting, Some(why.clone())),
        Standing::Refused(why) => (InDirectory::Refused, Some(why.clone())),
    }
}

fn caps(known: &Published) -> Vec<Cap> {
    let share = |weight: &Weight| f64::from(weight.as_ppm()) / 1_000_000.0;
    let caps = known.frontend.caps.iter();
    caps.map(|(service, cap)| Cap { service: service.to_string(), share: share(cap) }).collect()
}

/// Who gets a version, in words.
fn leading(app: &App, id: &FrontendId) -> Vec<String> {
    let rules = app.rules.iter().enumerate().filter(|(_, rule)| rule.to == id.version);
    let rules = rules.map(|(place, rule)| format!("rule {}: {}", place + 1, words(rule)));
    let default = (app.default == id.version).then(|| "default".to_owned());
    default.into_iter().chain(rules).collect()
}

fn words(rule: &Rule) -> String {
    let mut text = match &rule.who {
        Who::Customers(names) => {
            let shown: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
            let rest = names.len().saturating_sub(shown.len());
            let more = if rest > 0 { format!(" and {rest} more") } else { String::new() };
            format!("customers {}{more}", shown.join(", "))
        }
        Who::Segment(name) => format!("segment {name}"),
        Who::Share(share, salt) => {
            let ppm = share.as_ppm();
            let fraction = format!("{:04}", ppm % 10_000);
            let fraction = fraction.trim_end_matches('0');
            let point = if fraction.is_empty() { "" } else { "." };
            format!("{}{point}{fraction} % (salt {salt})", ppm / 10_000)
        }
    };
    let moment = |word: &str, at: Option<Timestamp>| {
        at.map(|at| format!(" {word} {}", rfc3339(at))).unwrap_or_default()
    };
    text.push_str(&moment("from", rule.from));
    text.push_str(&moment("until", rule.until));
    text
}

/// All versions that are published or in the directory, by name.
pub(super) fn all(facts: &Facts) -> Vec<Frontend> {
    let now = Now::of(facts);
    let (known, _) = frontend::Frontends::read(&now.records, None);
    let ids: BTreeSet<&FrontendId> = known.published.keys().chain(now.look.versions.keys()).collect();
    ids.into_iter().map(|id| now.view(id)).collect()
}

/// One version; `None` when it is neither published nor in the directory.
pub(super) fn one(facts: &Facts, name: &str) -> Result<Option<Frontend>> {
    let (id, now) = (id(name)?, Now::of(facts));
    let is_known = published(&now.records, &id).is_some() || now.look.versions.contains_key(&id);
    Ok(is_known.then(|| now.view(&id)))
}

/// What keeps the assignments in the directory from being published, by app.
pub(super) fn waiting(facts: &Facts) -> Vec<String> {
    let look = facts.frontends.looks.borrow();
    let apps = look.apps.iter().filter_map(|(app, how)| Some(format!("{app}: {}", standing(how).1?)));
    apps.chain(look.folder.odd.iter().cloned()).collect()
}

/// The SDL of what a frontend sees; `any@0.0.0` is the built-in one. `None` when it sees nothing.
pub(super) fn schema(facts: &Facts, name: &str) -> Result<Option<String>> {
    let id = id(name)?;
    let id = (id.to_string() != crate::frontends::ANY).then_some(id);
    let generation = facts.frontends.generations.borrow().clone();
    let view = generation.as_ref().and_then(|now| now.view(id.as_ref()));
    Ok(view.map(|view| turnout_schema::sdl::sdl(view.graph.supergraph())))
}

fn id(name: &str) -> Result<FrontendId> {
    name.parse().map_err(|error| fault::input("frontend", &error))
}

fn revision(expected: Option<&str>) -> Result<Option<u64>> {
    let read = |text: &str| text.parse::<u64>().map_err(|error| fault::input("expectedRevision", &error));
    expected.map(read).transpose()
}

/// Publishes a version, or tells what would become of that.
pub(super) async fn publish(facts: &Facts, asked: Asked, by: By) -> Result<FrontendPublished> {
    let id = id(&asked.frontend)?;
    let expected = revision(asked.expected_revision.as_deref())?;
    let offer = offer(facts, &id, asked)?;
    let publisher = &facts.frontends.publisher;
    let before = published(&publisher.records(), &id).map(|known| State::of(known.frontend.state));
    let changes = publisher.changes(&offer).map_err(|error| told(&error))?;
    let answer = FrontendPublished {
        name: id.to_string(),
        accepted: true,
        changed: false,
        audit: None,
        before,
        after: Some(State::of(offer.frontend.state)),
        operations: offer.documents.len(),
        findings: Vec::new(),
    };
    let ended = match by {
        By::Nobody => publisher.rehearse(&offer, expected).await,
        By::Somebody(author) => publisher.publish(&offer, author, expected).await,
    };
    match ended {
        Ok(Outcome { sequence, findings }) => Ok(FrontendPublished {
            changed: changes,
            audit: sequence.map(|place| place.to_string()),
            findings: findings.iter().map(|found| graph::diagnostic(found, None)).collect(),
            ..answer
        }),
        Err(Error::Unfit(findings)) => Ok(FrontendPublished {
            accepted: false,
            after: before,
            findings: findings.iter().map(|found| graph::diagnostic(found, None)).collect(),
            ..answer
        }),
        Err(error) => Err(told(&error)),
    }
}

/// Who changes something; nobody, when it is only tried.
pub(super) enum By {
    Nobody,
    Somebody(Author),
}

/// What is published: what is given, and else what is published already or waits in the directory.
fn offer(facts: &Facts, id: &FrontendId, asked: Asked) -> Result<Offer> {
    let records = facts.frontends.publisher.records();
    let known = published(&records, id);
    let look = facts.frontends.looks.borrow().clone();
    let waits = look.folder.versions.get(id).map(|reading| &reading.read);
    let (mut frontend, old) = match (&asked.manifest, known, waits) {
        (Some(text), known, _) => {
            let file = File { path: "manifest.yaml".into(), text: text.clone() };
            let manifest = manifest::read(&file, Some(id));
            let manifest = manifest
                .map_err(|mistakes| fault::input("manifest", &format!("has mistakes:\n{mistakes}")))?;
            (manifest.frontend, known.map(|known| known.documents).unwrap_or_default())
        }
        (None, Some(known), _) => (known.frontend, known.documents),
        (None, None, Some(Ok(version))) => (version.frontend.clone(), version.documents.clone()),
        (None, None, Some(Err(mistakes))) => {
            return Err(fault::input("frontend", &format!("has mistakes in the directory:\n{mistakes}")));
        }
        (None, None, None) => {
            return Err(fault::input(
                "manifest",
                &format!("is needed: {id} is neither published nor in the directory of the gateway"),
            ));
        }
    };
    if let Some(state) = asked.state {
        if state == State::Retired {
            return Err(fault::input("state", &"cannot be RETIRED here; that is what retireFrontend is for"));
        }
        frontend.state = state.lifecycle();
    }
    let given = asked.documents.map(|given| {
        let mut given: Vec<Document> =
            given.into_iter().map(|one| Document { id: one.id, text: one.text }).collect();
        given.sort();
        given
    });
    let documents = given.unwrap_or(old);
    let wrong = documents::measure(&documents);
    if !wrong.is_empty() {
        return Err(fault::input("documents", &format!("cannot be taken: {}", wrong.join("; "))));
    }
    Ok(Offer { frontend, documents, origin: Origin::Command })
}

/// Retires a version, or tells whether that would go.
pub(super) async fn retire(
    facts: &Facts,
    name: &str,
    expected: Option<&str>,
    by: By,
) -> Result<FrontendPublished> {
    let (id, expected) = (id(name)?, revision(expected)?);
    let publisher = &facts.frontends.publisher;
    let known = publisher.check_retirement(&id, expected).map_err(|error| told(&error))?;
    let before = known.frontend.state;
    let sequence = match by {
        By::Nobody => None,
        By::Somebody(author) => {
            publisher.retire(&id, author, expected).await.map_err(|error| told(&error))?.sequence
        }
    };
    Ok(FrontendPublished {
        name: id.to_string(),
        accepted: true,
        changed: before != Lifecycle::Retired,
        audit: sequence.map(|place| place.to_string()),
        before: Some(State::of(before)),
        after: Some(State::Retired),
        operations: known.documents.len(),
        findings: Vec::new(),
    })
}

/// Says who gets which version of an app, or tells whether that would change anything.
pub(super) async fn assign(
    facts: &Facts,
    name: &str,
    (text, expected): (Option<String>, Option<&str>),
    by: By,
) -> Result<AppAssigned> {
    let app: AppName = name.parse().map_err(|error| fault::input("app", &error))?;
    let expected = revision(expected)?;
    let look = facts.frontends.looks.borrow().clone();
    let assignment = match (text, look.folder.apps.get(&app).map(|reading| reading.read.clone())) {
        (Some(text), _) => {
            let file = File { path: "app.yaml".into(), text };
            let read = assignment::read(&file, Some(&app)).map_err(|mistakes| mistakes.to_string());
            read.map_err(|mistakes| fault::input("assignment", &format!("has mistakes:\n{mistakes}")))?
        }
        (None, Some(read)) => read.map_err(|mistakes| {
            fault::input("app", &format!("has mistakes in the directory:\n{mistakes}"))
        })?,
        (None, None) => {
            return Err(fault::input(
                "assignment",
                &format!("is needed: the directory of the gateway has no {app}"),
            ));
        }
    };
    let publisher = &facts.frontends.publisher;
    let changed = publisher.reassigns(&assignment, expected).map_err(|error| told(&error))?;
    let sequence = match by {
        By::Nobody => None,
        By::Somebody(author) => {
            let ended = publisher.assign(&assignment, Origin::Command, author, expected).await;
            ended.map_err(|error| told(&error))?.sequence
        }
    };
    Ok(AppAssigned {
        app: app.to_string(),
        changed,
        audit: sequence.map(|place| place.to_string()),
        default: assignment.default.to_string(),
        rules: assignment.rules.iter().map(|rule| format!("{}: {}", rule.to, words(rule))).collect(),
    })
}

fn told(error: &Error) -> async_graphql::Error {
    match error {
        Error::Unfit(_) | Error::Refused(_) => fault::conflict(error.to_string()),
        Error::Preview(error) => fault::unavailable(error),
        Error::Store(error) => fault::store(error),
    }
}
