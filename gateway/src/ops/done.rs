//! What people changed: the audit chain, as operators read it.
//!
//! Descriptions here are what a person reads in a schema browser.

use async_graphql::{Result, SimpleObject};
use turnout_control::audit::{Act, Entry};
use turnout_control::records::Record;

use super::{Facts, fault};
use crate::clock::rfc3339;

/// The most entries of one answer.
const LAST_MAX: usize = 1000;

/// One change that somebody made.
#[derive(SimpleObject)]
#[graphql(name = "AuditEntry")]
pub(super) struct Done {
    /// Its place in the chain, from 1.
    sequence: String,
    at: String,
    /// The name of a token, or `local` where no tokens are asked for.
    actor: String,
    /// What was done: `service.expose`.
    verb: String,
    /// What it was done to.
    subject: String,
    /// The record before; null when there was none.
    before: Option<String>,
    /// The record after; null when it was removed.
    after: Option<String>,
    /// Why, as the actor said.
    reason: String,
    /// The command that takes it back.
    inverse: String,
    /// The sha256 of the entry before it; null in the first.
    previous: Option<String>,
}

pub(super) async fn last(facts: &Facts, count: usize) -> Result<Vec<Done>> {
    let entries = facts.audit.last(count.min(LAST_MAX)).await.map_err(|error| fault::store(&error))?;
    // One that cannot be read says so by its absence; the rest is worth reading.
    Ok(entries.iter().rev().filter_map(view).collect())
}

fn view((_, record): &(u64, Record)) -> Option<Done> {
    let Entry { sequence, at, act, previous } = Entry::decode(&record.value).ok()?;
    let Act { actor, verb, subject, before, after, reason, inverse } = act;
    Some(Done {
        sequence: sequence.to_string(),
        at: rfc3339(at),
        actor,
        verb,
        subject,
        before,
        after,
        reason,
        inverse,
        previous: previous.map(|digest| digest.to_string()),
    })
}
