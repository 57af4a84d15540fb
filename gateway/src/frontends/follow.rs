//! Keeps what is published in step with the directory of frontend versions.
//!
//! A look every two seconds finds out by sizes and times whether anything changed; what did is read when it has
//! come to rest. What waits for services is tried again after each look at the graph. A file is taken once: what
//! an operator decides afterwards stays until the file changes, and a record remembers the file that it came
//! from, so that a restart takes nothing twice. A version that an operator retired stays retired. What is taken
//! out of the directory stays published.
//!
//! Any number of gateways follow directories with the same content: the second finds it published. Two that have
//! different content each write theirs once, when they start or when it changes, and the last one holds.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use turnout_control::frontend::{self, Lifecycle};
use turnout_control::id::{AppName, FrontendId};
use turnout_control::records::{Key, Kind};
use turnout_schema::Digest;

use super::examine::{PIN_UNROUTED, PIN_UNSATISFIED};
use super::folder::{self, Folder, Marks, Reading, Version};
use super::publish::{Author, Error, Offer, Origin, Publisher, published};
use crate::reconcile::Report;
use crate::telemetry::chain;

/// How often the directory is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// How long a changed directory must stand still before it is read: copying it takes a moment.
const SETTLE: Duration = Duration::from_millis(150);

/// Who publishes what is in the directory, in the audit log.
const ACTOR: &str = "frontends.dir";

/// What the last look at the directory found, and what became of it.
#[derive(Clone, Debug, Default)]
pub struct Look {
    /// What is there.
    pub folder: Folder,
    /// How each assignment stands.
    pub apps: BTreeMap<AppName, Standing>,
    /// How each version stands.
    pub versions: BTreeMap<FrontendId, Standing>,
}

/// What became of something in the directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It was published, now or before.
    Taken,
    /// It is published as soon as services are there; for which reason it is not.
    Waiting(String),
    /// It cannot be published as it is, and why.
    Refused(String),
}

/// Follows the directory.
#[derive(Debug)]
pub struct Follower {
    root: Arc<Path>,
    publisher: Publisher,
    reports: watch::Receiver<Arc<Report>>,
    looks: watch::Sender<Arc<Look>>,
    /// What was taken since the start, by the record it became.
    taken: BTreeMap<Key, Digest>,
    /// Whether something failed that another try may mend although nothing changes.
    again: bool,
}

/// What decides whether something can be published: the registry, what serves, and what is published.
type Cause = (Option<u64>, u64, Option<Digest>, u64);

impl Follower {
    /// One that has not looked yet, and where to see what it does.
    pub(super) fn new(
        root: Arc<Path>,
        publisher: Publisher,
        reports: watch::Receiver<Arc<Report>>,
    ) -> (Follower, watch::Receiver<Arc<Look>>) {
        let (looks, looks_now) = watch::channel(Arc::default());
        (Follower { root, publisher, reports, looks, taken: BTreeMap::new(), again: false }, looks_now)
    }

    fn cause(&self) -> Cause {
        let records = self.publisher.records();
        let kinds = [Kind::Frontend, Kind::Assignment].into_iter();
        let published = kinds.flat_map(|kind| records.of(kind)).map(|(_, record)| record.revision).max();
        let report = self.reports.borrow();
        (report.revision, report.generation, report.digest, published.unwrap_or(0))
    }

    async fn marks(&self) -> Marks {
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || folder::marks(&root)).await.unwrap_or_default()
    }

    async fn read(&self) -> Folder {
        let root = self.root.clone();
        tokio::task::spawn_blocking(move || folder::read(&root)).await.unwrap_or_default()
    }

    /// Publishes what is new.
    async fn take(&mut self, folder: Folder) {
        let before = self.looks.borrow().clone();
        self.again = false;
        let mut look = Look { folder, ..Look::default() };
        for (id, reading) in &look.folder.versions {
            let standing = self.take_version(id, reading).await;
            told(&id.to_string(), before.versions.get(id), &standing);
            look.versions.insert(id.clone(), standing);
        }
        for (app, reading) in &look.folder.apps {
            let standing = self.take_app(app, reading).await;
            told(app.as_str(), before.apps.get(app), &standing);
            look.apps.insert(app.clone(), standing);
        }
        for odd in look.folder.odd.iter().filter(|odd| !before.folder.odd.contains(odd)) {
            tracing::warn!("{odd}");
        }
        self.looks.send_replace(Arc::new(look));
    }

    async fn take_version(&mut self, id: &FrontendId, reading: &Reading<Version>) -> Standing {
        let version = match &reading.read {
            Ok(version) => version,
            Err(mistakes) => return Standing::Refused(mistakes.clone()),
        };
        let key = frontend::key(id);
        if self.is_taken(&key, reading.digest) {
            return Standing::Taken;
        }
        let retired = published(&self.publisher.records(), id)
            .is_some_and(|known| known.frontend.state == Lifecycle::Retired);
        if retired {
            return Standing::Refused(format!(
                "it is retired; `turnout frontend publish {id} --state active` brings it back"
            ));
        }
        let offer = Offer {
            frontend: version.frontend.clone(),
            documents: version.documents.clone(),
            origin: Origin::File(reading.digest),
        };
        let ended = self.publisher.publish(&offer, author(&reading.place), None).await;
        self.ended(key, reading.digest, ended.map(drop))
    }

    async fn take_app(&mut self, app: &AppName, reading: &Reading<frontend::App>) -> Standing {
        let assignment = match &reading.read {
            Ok(assignment) => assignment,
            Err(mistakes) => return Standing::Refused(mistakes.clone()),
        };
        let key = frontend::app_key(app);
        if self.is_taken(&key, reading.digest) {
            return Standing::Taken;
        }
        let origin = Origin::File(reading.digest);
        let ended = self.publisher.assign(assignment, origin, author(&reading.place), None).await;
        // It leads to versions that wait themselves.
        match self.ended(key, reading.digest, ended.map(drop)) {
            Standing::Refused(why) => Standing::Waiting(why),
            standing @ (Standing::Taken | Standing::Waiting(_)) => standing,
        }
    }

    /// Whether what a file says was taken before, by this gateway or by another one.
    fn is_taken(&self, key: &Key, digest: Digest) -> bool {
        let records = self.publisher.records();
        let recorded = records.get(key).and_then(|record| frontend::file(&record.value));
        self.taken.get(key) == Some(&digest) || recorded == Some(digest)
    }

    fn ended(&mut self, key: Key, digest: Digest, ended: Result<(), Error>) -> Standing {
        match ended {
            Ok(()) => {
                self.taken.insert(key, digest);
                Standing::Taken
            }
            Err(Error::Unfit(found)) => {
                let passes = |found: &&turnout_schema::Diagnostic| {
                    found.severity == turnout_schema::Severity::Error
                        && found.code != PIN_UNSATISFIED
                        && found.code != PIN_UNROUTED
                };
                let for_good = found.iter().any(|found| passes(&found));
                let why = Error::Unfit(found).to_string();
                if for_good { Standing::Refused(why) } else { Standing::Waiting(why) }
            }
            Err(Error::Refused(why)) => Standing::Refused(why),
            Err(error @ (Error::Preview(_) | Error::Store(_))) => {
                self.again = true;
                Standing::Waiting(chain(&error))
            }
        }
    }

    fn is_settled(&self) -> bool {
        let look = self.looks.borrow();
        let mut standings = look.apps.values().chain(look.versions.values());
        standings.all(|standing| *standing == Standing::Taken)
    }
}

fn author(place: &Path) -> Author {
    Author { actor: ACTOR.to_owned(), reason: format!("{} says so", place.display()) }
}

/// Logs what is otherwise than it was.
fn told(subject: &str, before: Option<&Standing>, now: &Standing) {
    if before == Some(now) {
        return;
    }
    match now {
        Standing::Taken => tracing::info!(frontend = subject, "published"),
        Standing::Waiting(why) => tracing::info!(frontend = subject, "waits to be published: {why}"),
        Standing::Refused(why) => tracing::warn!(frontend = subject, "is not published:\n{why}"),
    }
}

/// Runs until it is told to stop.
pub async fn run(mut follower: Follower, stop: CancellationToken) {
    let work = follow(&mut follower);
    tokio::select! {
        () = stop.cancelled() => {}
        () = work => {}
    }
}

async fn follow(follower: &mut Follower) {
    let mut marks: Option<Marks> = None;
    let mut looks = tokio::time::interval(LOOK);
    looks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut reports = follower.reports.clone();
    let (mut folder, mut tried) = (Folder::default(), None);
    loop {
        let seen = follower.marks().await;
        if marks.as_ref() != Some(&seen) {
            if marks.is_some() {
                tokio::time::sleep(SETTLE).await;
            }
            if marks.is_none() || follower.marks().await == seen {
                folder = follower.read().await;
                marks = Some(seen);
                tried = None;
            }
        }
        reports.mark_unchanged();
        let cause = follower.cause();
        let waits = !follower.is_settled() && (follower.again || tried != Some(cause));
        if tried.is_none() || waits {
            follower.take(folder.clone()).await;
            tried = Some(cause);
        }
        let settled = follower.is_settled();
        tokio::select! {
            _ = looks.tick() => {}
            changed = reports.changed(), if !settled => {
                if changed.is_err() { return }
                tokio::time::sleep(SETTLE).await;
            }
        }
    }
}
