//! How does a frontend version become a record that all gateways serve by?
//!
//! Whoever publishes, a file or a person, does it through `Publisher`: what is offered is examined first, and
//! then written with its reason and with the command that takes it back. What is as it was is not written
//! again. Of two who change the same, the second is told.

use std::collections::BTreeSet;

use tokio::sync::watch;
use turnout_control::audit::Act;
use turnout_control::frontend::{self, App, Document, Frontend, Frontends, Lifecycle, Published};
use turnout_control::id::{AppName, FrontendId, Version};
use turnout_control::records::{Change, Expected, Key, Records, VALUE_BYTES_MAX};
use turnout_schema::{Diagnostic, Digest, Severity};

use std::sync::Arc;

use super::examine;
use crate::clock::Clock;
use crate::http::graphql::Settings;
use crate::reconcile::Previews;
use crate::reconcile::preview;
use crate::registry::audit::Audit;
use crate::registry::{self, Registry};

/// The most versions that one app's rules may lead to: each is looked at in the change.
const TARGETS_MAX: usize = 50;

/// Why something was not published.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It cannot be published as it is.
    #[error("{}", sentences(.0))]
    Unfit(Vec<Diagnostic>),
    /// It contradicts what is decided; what would help is in the text.
    #[error("{0}")]
    Refused(String),
    /// What the frontend would see cannot be found out now.
    #[error(transparent)]
    Preview(#[from] preview::Error),
    /// The store does not take it.
    #[error(transparent)]
    Store(#[from] registry::Error),
}

fn sentences(found: &[Diagnostic]) -> String {
    let errors = found.iter().filter(|found| found.severity == Severity::Error);
    errors.map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Where an offer comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// From a file with this content.
    File(Digest),
    /// From somebody who said so.
    Command,
}

/// Who publishes, and why.
#[derive(Clone, Debug)]
pub struct Author {
    /// The name of a token, `local`, or `frontends.dir`.
    pub actor: String,
    /// For those who read the audit log.
    pub reason: String,
}

/// A version that is to be published.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What it was built for.
    pub frontend: Frontend,
    /// The operations it sends.
    pub documents: Vec<Document>,
    /// Where it comes from.
    pub origin: Origin,
}

/// What was written.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// The place of the change in the audit chain; `None` when all was as it should be.
    pub sequence: Option<u64>,
    /// What was found that keeps nobody from publishing.
    pub findings: Vec<Diagnostic>,
}

/// Publishes frontends.
#[derive(Clone, Debug)]
pub struct Publisher {
    registry: Registry,
    audit: Audit,
    previews: Previews,
    settings: watch::Receiver<Arc<Settings>>,
    clock: Clock,
}

impl Publisher {
    /// One that writes to the registry's store, with who did it. `settings` say what an operation may cost.
    pub fn new(
        registry: &Registry,
        audit: Audit,
        previews: Previews,
        settings: watch::Receiver<Arc<Settings>>,
    ) -> Publisher {
        let clock = registry.hub.clock();
        Publisher { registry: registry.clone(), audit, previews, settings, clock }
    }

    /// The records now.
    pub fn records(&self) -> Arc<Records> {
        self.registry.store.records().borrow().clone()
    }

    /// What is registered.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// What is wrong with an offer, the errors first. Makes a graph: takes up to seconds.
    pub async fn examine(&self, offer: &Offer) -> Result<Vec<Diagnostic>, Error> {
        let Offer { frontend, documents, .. } = offer;
        let mut found = examine::pins(frontend, &self.registry.snapshot(), &self.records());
        let unsatisfied = found.iter().any(|found| found.severity == Severity::Error);
        // Without a version for each pin, what it would see is not known, and all else would follow from that.
        if !unsatisfied {
            let prospect = self.previews.frontend(frontend.clone()).await?;
            let limits = self.settings.borrow().limits;
            let (frontend, documents) = (frontend.clone(), documents.clone());
            let judged = move || examine::operations(&frontend, &documents, &prospect, &limits);
            let judged = tokio::task::spawn_blocking(judged).await;
            found.extend(judged.map_err(|_| preview::Error::Unfinished)?);
        }
        found.sort_by_key(|found| std::cmp::Reverse(found.severity));
        Ok(found)
    }

    /// Publishes a version, or changes one that is. `expected`: the revision of the record that it replaces, 0
    /// for none.
    pub async fn publish(
        &self,
        offer: &Offer,
        author: Author,
        expected: Option<u64>,
    ) -> Result<Outcome, Error> {
        let records = self.records();
        let key = frontend::key(&offer.frontend.id);
        let before = published(&records, &offer.frontend.id);
        let findings = self.judge(offer, expected, &records).await?;
        let Some(next) = self.record(offer, &records)? else {
            return Ok(Outcome { sequence: None, findings });
        };
        let id = &offer.frontend.id;
        let inverse = match &before {
            None => format!("turnout frontend retire {id} --reason 'taken back'"),
            Some(before) if before.frontend.state == Lifecycle::Retired => {
                format!("turnout frontend retire {id} --reason 'taken back'")
            }
            Some(before) if only_state_differs(before, offer) => {
                let state = before.frontend.state.as_str();
                format!("turnout frontend publish {id} --state {state} --reason 'taken back'")
            }
            Some(_) => format!(
                "turnout frontend publish {id} DIRECTORY --reason 'taken back', with the directory as it was before"
            ),
        };
        let act = Act {
            actor: author.actor,
            verb: "frontend.publish".to_owned(),
            subject: id.to_string(),
            before: records.get(&key).map(|record| frontend::summary(&record.value)),
            after: Some(frontend::summary(&next)),
            reason: author.reason,
            inverse,
        };
        let change = Change {
            expected: [(key.clone(), records.seen(&key))].into(),
            writes: [(key, Some(next.into()))].into(),
        };
        let written = self.audit.change(change, act).await?;
        Ok(Outcome { sequence: Some(written.sequence), findings })
    }

    /// What `publish` would say, without writing anything.
    pub async fn rehearse(&self, offer: &Offer, expected: Option<u64>) -> Result<Outcome, Error> {
        let findings = self.judge(offer, expected, &self.records()).await?;
        Ok(Outcome { sequence: None, findings })
    }

    /// What is found about an offer that can be published beside these records.
    async fn judge(
        &self,
        offer: &Offer,
        expected: Option<u64>,
        records: &Records,
    ) -> Result<Vec<Diagnostic>, Error> {
        check_expected(records, &frontend::key(&offer.frontend.id), expected)?;
        let before = published(records, &offer.frontend.id);
        let findings = self.examine(offer).await?;
        // What is published and broken can still be deprecated.
        let lives = |before: &Published| before.frontend.state != Lifecycle::Retired;
        let excused = before.is_some_and(|before| lives(&before) && only_state_differs(&before, offer));
        if !excused && findings.iter().any(|found| found.severity == Severity::Error) {
            return Err(Error::Unfit(findings));
        }
        Ok(findings)
    }

    /// Whether an offer would change anything.
    pub fn changes(&self, offer: &Offer) -> Result<bool, Error> {
        self.record(offer, &self.records()).map(|record| record.is_some())
    }

    /// The record of an offer; `None` when the one that is there says the same.
    fn record(&self, offer: &Offer, records: &Records) -> Result<Option<Vec<u8>>, Error> {
        let Offer { frontend, documents, origin } = offer;
        let key = frontend::key(&frontend.id);
        let before = records.get(&key);
        let known = published(records, &frontend.id);
        if known.is_some_and(|known| known.frontend == *frontend && known.documents == *documents) {
            return Ok(None);
        }
        let file = match origin {
            Origin::File(digest) => Some(*digest),
            Origin::Command => before.and_then(|record| frontend::file(&record.value)),
        };
        let published =
            Published { frontend: frontend.clone(), documents: documents.clone(), at: self.clock.now() };
        let record = frontend::with_file(&frontend::write(&published), file);
        if record.len() > VALUE_BYTES_MAX {
            return Err(Error::Refused(format!(
                "{} with its operations has {} bytes, and {VALUE_BYTES_MAX} are allowed",
                frontend.id,
                record.len()
            )));
        }
        Ok(Some(record))
    }

    /// Says who gets which version of an app.
    pub async fn assign(
        &self,
        app: &App,
        origin: Origin,
        author: Author,
        expected: Option<u64>,
    ) -> Result<Outcome, Error> {
        let records = self.records();
        let key = frontend::app_key(&app.name);
        check_expected(&records, &key, expected)?;
        check_targets(app, &records)?;
        let Some(next) = assignment(app, origin, &records) else { return Ok(Outcome::default()) };
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let before = records.get(&key).map(|record| text(&record.value));
        let act = Act {
            actor: author.actor,
            verb: "frontend.assign".to_owned(),
            subject: app.name.to_string(),
            before: before.filter(|text| text.len() <= VALUE_BYTES_MAX / 4),
            after: Some(text(&next)).filter(|text| text.len() <= VALUE_BYTES_MAX / 4),
            reason: author.reason,
            inverse: format!(
                "turnout frontend publish {} DIRECTORY --reason 'taken back', with app.yaml as it was before",
                app.name
            ),
        };
        let mut change = Change {
            expected: [(key.clone(), records.seen(&key))].into(),
            writes: [(key, Some(next.into()))].into(),
        };
        // None of them may be retired meanwhile.
        let targets = app.targets().into_iter().map(|version| frontend::key(&of(&app.name, version)));
        change.expected.extend(targets.map(|key| (key.clone(), records.seen(&key))));
        let written = self.audit.change(change, act).await?;
        Ok(Outcome { sequence: Some(written.sequence), findings: Vec::new() })
    }

    /// Whether saying so would change anything.
    pub fn reassigns(&self, app: &App, expected: Option<u64>) -> Result<bool, Error> {
        let records = self.records();
        check_expected(&records, &frontend::app_key(&app.name), expected)?;
        check_targets(app, &records)?;
        Ok(assignment(app, Origin::Command, &records).is_some())
    }

    /// Why a version cannot be retired; the version, when it can.
    pub fn check_retirement(&self, id: &FrontendId, expected: Option<u64>) -> Result<Published, Error> {
        let records = self.records();
        check_expected(&records, &frontend::key(id), expected)?;
        let Some(known) = published(&records, id) else {
            return Err(Error::Refused(format!(
                "{id} is not published; `turnout frontend list` shows what is"
            )));
        };
        let (frontends, _) = Frontends::read(&records, None);
        let Some(app) = frontends.apps.get(&id.app) else { return Ok(known) };
        if app.default == id.version {
            return Err(Error::Refused(format!(
                "{id} is the default of {}; name another one in its app.yaml, publish that with `turnout frontend \
                 publish {}`, and then retire it",
                id.app, id.app
            )));
        }
        if let Some(place) = app.rules.iter().position(|rule| rule.to == id.version) {
            return Err(Error::Refused(format!(
                "rule {} of {} leads to {id}; change it in its app.yaml, publish that with `turnout frontend publish \
                 {}`, and then retire it",
                place + 1,
                id.app,
                id.app
            )));
        }
        Ok(known)
    }

    /// Retires a version: nobody gets it any more, and its assets go on being served.
    pub async fn retire(
        &self,
        id: &FrontendId,
        author: Author,
        expected: Option<u64>,
    ) -> Result<Outcome, Error> {
        let records = self.records();
        let key = frontend::key(id);
        let before = self.check_retirement(id, expected)?;
        if before.frontend.state == Lifecycle::Retired {
            return Ok(Outcome::default());
        }
        let Some(record) = records.get(&key) else { return Ok(Outcome::default()) };
        let state = before.frontend.state.as_str();
        let mut after = before.clone();
        after.frontend.state = Lifecycle::Retired;
        let next = frontend::with_file(&frontend::write(&after), frontend::file(&record.value));
        let act = Act {
            actor: author.actor,
            verb: "frontend.retire".to_owned(),
            subject: id.to_string(),
            before: Some(frontend::summary(&record.value)),
            after: Some(frontend::summary(&next)),
            reason: author.reason,
            inverse: format!("turnout frontend publish {id} --state {state} --reason 'taken back'"),
        };
        let app = frontend::app_key(&id.app);
        let change = Change {
            // No rule may lead to it meanwhile.
            expected: [(key.clone(), records.seen(&key)), (app.clone(), records.seen(&app))].into(),
            writes: [(key, Some(next.into()))].into(),
        };
        let written = self.audit.change(change, act).await?;
        Ok(Outcome { sequence: Some(written.sequence), findings: Vec::new() })
    }
}

/// A version as it is published.
pub fn published(records: &Records, id: &FrontendId) -> Option<Published> {
    frontend::read(id, &records.get(&frontend::key(id))?.value).ok()
}

/// Who gets which version of an app, as it is published.
pub fn assigned(records: &Records, app: &AppName) -> Option<App> {
    frontend::read_app(app, &records.get(&frontend::app_key(app))?.value).ok()
}

fn of(app: &AppName, version: &Version) -> FrontendId {
    FrontendId { app: app.clone(), version: version.clone() }
}

fn only_state_differs(before: &Published, offer: &Offer) -> bool {
    let mut frontend = before.frontend.clone();
    frontend.state = offer.frontend.state;
    frontend == offer.frontend && before.documents == offer.documents
}

/// The record of an assignment; `None` when the one that is there says the same.
fn assignment(app: &App, origin: Origin, records: &Records) -> Option<Vec<u8>> {
    if assigned(records, &app.name).is_some_and(|known| known == *app) {
        return None;
    }
    let before = records.get(&frontend::app_key(&app.name));
    let file = match origin {
        Origin::File(digest) => Some(digest),
        Origin::Command => before.and_then(|record| frontend::file(&record.value)),
    };
    Some(frontend::with_file(&frontend::write_app(app), file))
}

/// Everybody must be led to a version that he can have.
fn check_targets(app: &App, records: &Records) -> Result<(), Error> {
    let targets: BTreeSet<&Version> = app.targets();
    if targets.len() > TARGETS_MAX {
        return Err(Error::Refused(format!(
            "{} leads to {} versions, and {TARGETS_MAX} are allowed",
            app.name,
            targets.len()
        )));
    }
    for version in targets {
        let id = of(&app.name, version);
        match published(records, &id).map(|known| known.frontend.state) {
            Some(Lifecycle::Preview | Lifecycle::Active | Lifecycle::Deprecated) => {}
            Some(Lifecycle::Retired) => {
                return Err(Error::Refused(format!(
                    "{id} is retired, and {} leads to it; `turnout frontend publish {id} --state active` brings it \
                     back",
                    app.name
                )));
            }
            None => {
                return Err(Error::Refused(format!(
                    "{id} is not published, and {} leads to it; publish it first with `turnout frontend publish {id}`",
                    app.name
                )));
            }
        }
    }
    Ok(())
}

fn check_expected(records: &Records, key: &Key, expected: Option<u64>) -> Result<(), Error> {
    let found = match records.seen(key) {
        Expected::Absent => 0,
        Expected::At(revision) => revision,
    };
    match expected {
        Some(expected) if expected != found => Err(Error::Refused(format!(
            "{} was last written at revision {found} and not {expected}; look at what it is now, and decide again",
            key.name()
        ))),
        Some(_) | None => Ok(()),
    }
}
