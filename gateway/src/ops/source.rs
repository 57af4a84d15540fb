//! What operators see of the sources of registrations, and of the gateway's place among others.
//!
//! Descriptions here are what a person reads in a schema browser.

use async_graphql::{Enum, SimpleObject};
use turnout_control::id::SourceName;

use super::Facts;
use super::graph::{self, Diagnostic};
use crate::clock::rfc3339;
use crate::registry::{Freshness, Hearing, Leadership};

/// The most unreadable entries that are told of each source.
const UNREADABLE_MAX: usize = 50;

/// Where registrations are read.
#[derive(SimpleObject)]
pub(super) struct Source {
    /// `turnout` for the gateway's own registry.
    name: String,
    /// What is read: `embedded`, `etcd`.
    backend: &'static str,
    /// How its entries are written: `native`, `kitex-etcd`.
    layout: &'static str,
    state: State,
    /// Why it cannot be heard; null unless it is stale.
    reason: Option<String>,
    /// When what it says was last known to be complete; null before the first time.
    synced_at: Option<String>,
    /// For how many seconds it could not be heard; null while it can.
    stale_seconds: Option<f64>,
    /// The revision that was last applied, as the source counts.
    revision: String,
    /// How often everything was listed again.
    relists: String,
    /// How many entries it has.
    entries: usize,
    /// How many of its entries cannot be read; counted to 128.
    unreadable_entries: usize,
    /// Entries that cannot be read, by key; the first 50.
    unreadable: Vec<Unreadable>,
}

/// How a source stands.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(name = "SourceState")]
enum State {
    /// It was not heard yet; what was known before the start may serve.
    Starting,
    /// Changes arrive as they happen.
    Live,
    /// It cannot be heard, and what it said last goes on to hold.
    Stale,
}

/// An entry that cannot be read; what it said before goes on to hold.
#[derive(SimpleObject)]
struct Unreadable {
    key: String,
    why: Diagnostic,
}

/// Whether this gateway runs what only one of all may run.
#[derive(SimpleObject)]
#[graphql(name = "Leadership")]
pub(super) struct Place {
    /// Whether it is this one.
    leads: bool,
    /// The one that does, when it is another and known.
    leader: Option<String>,
}

pub(super) fn all(facts: &Facts) -> Vec<Source> {
    let unreadable = facts.registry.hub.unreadable();
    let view = |(name, freshness): (&SourceName, &Freshness)| {
        let of_source = || unreadable.iter().filter(|(source, _, _)| source == name);
        let entry = |(_, key, why): &(SourceName, String, turnout_schema::Diagnostic)| Unreadable {
            key: key.clone(),
            why: graph::diagnostic(why, None),
        };
        let (state, reason) = match &freshness.state {
            Hearing::Starting => (State::Starting, None),
            Hearing::Live => (State::Live, None),
            Hearing::Stale(why) => (State::Stale, Some(why.clone())),
        };
        Source {
            name: name.to_string(),
            backend: freshness.backend,
            layout: freshness.layout,
            state,
            reason,
            synced_at: freshness.synced_at.map(rfc3339),
            stale_seconds: stale_seconds(freshness, facts.clock.age()),
            revision: freshness.revision.to_string(),
            relists: freshness.relists.to_string(),
            entries: freshness.entries,
            unreadable_entries: of_source().count(),
            unreadable: of_source().take(UNREADABLE_MAX).map(entry).collect(),
        }
    };
    let sources = facts.registry.hub.sources();
    let sources = sources.borrow().clone();
    sources.iter().map(view).collect()
}

pub(super) fn leadership(facts: &Facts) -> Place {
    let leadership = facts.registry.store.leadership();
    let now = leadership.borrow().clone();
    match now {
        Leadership::Leads => Place { leads: true, leader: None },
        Leadership::Follows(leader) => Place { leads: false, leader },
    }
}

/// Which gateway runs what only one may run, in words.
pub(super) fn leader(facts: &Facts) -> String {
    let leadership = facts.registry.store.leadership();
    let now = leadership.borrow().clone();
    match now {
        Leadership::Leads => "this gateway".to_owned(),
        Leadership::Follows(Some(leader)) => leader,
        Leadership::Follows(None) => "no gateway at present".to_owned(),
    }
}

fn stale_seconds(freshness: &Freshness, age: std::time::Duration) -> Option<f64> {
    freshness.stale_for(age).map(|stale| stale.as_secs_f64())
}
