//! Keys meet here: each is asked for once in a stage of an operation, in calls as large as the service takes.
//!
//! A loader stands for one lookup, or one field added to an entity with its arguments, and lives as long as
//! the stage: what an early wave has loaded a later one finds here. Nothing is ever shared between operations.
//! The loader only merges; how many calls there are is decided here. A service that answers NOT_FOUND for a
//! whole batch because one key is unknown is asked again in halves, so that the other keys are not lost.

use std::collections::HashMap;

use bytes::Bytes;
use dataloader::BatchFn;
use dataloader::cached;
use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use hashbrown::DefaultHashBuilder;
use tonic::Code;
use turnout_schema::plan::{Call as Plan, Keyed};
use turnout_schema::wire::answers::{self, Found, Held};
use turnout_schema::wire::key::{Key, encode_keys};
use turnout_schema::wire::keys;

use super::call::Call;
use super::wave::{Failed, Progress};
use crate::upstream::{Failure, Origin};

/// Calls of one fetch that are on their way at the same time, but for those that halving takes.
const CONCURRENT: usize = 16;

/// Calls of one operation that may be spent on halving. Enough for a few unknown keys in batches of a hundred.
pub(super) const EXTRA_CALLS_MAX: usize = 64;

/// Calls of one operation for keys. A list of 4 MiB may hold a hundred thousand keys, and without batches each
/// of them is a call.
pub(super) const CALLS_MAX: usize = 1000;

/// Loads keys, each once.
pub(super) type Loader<'l, C> = cached::Loader<Held, Found, Batch<'l, C>, Loaded>;

/// What was loaded. Keys come from services, and their hashes are not to be guessed.
type Loaded = HashMap<Held, Found, DefaultHashBuilder>;

/// The loaders of a stage, by the table of their responses: two fetches have one table exactly when they ask
/// the same of the same service.
pub(super) struct Loaders<'l, C: Call>(Vec<(usize, Loader<'l, C>)>);

impl<C: Call> Default for Loaders<'_, C> {
    fn default() -> Self {
        Loaders(Vec::new())
    }
}

impl<'l, C: Call> Loaders<'l, C> {
    /// Who loads the keys of a fetch; `None` when it takes none.
    pub(super) fn of(
        &mut self,
        progress: &'l Progress<'l, C>,
        fetch: usize,
    ) -> Result<Option<Loader<'l, C>>, answers::Failure> {
        let planned = &progress.plan().fetches[fetch];
        let Plan::Keyed(keyed) = &planned.call else { return Ok(None) };
        if let Some((_, known)) = self.0.iter().find(|(table, _)| *table == planned.table) {
            return Ok(Some(known.clone()));
        }
        let batch = Batch { progress, fetch, keyed, request: progress.request(fetch)? };
        // All keys come at once and are not to wait for more: the waves are the batches.
        let loader = cached::Loader::with_cache(batch, Loaded::default())
            .with_max_batch_size(usize::MAX)
            .with_yield_count(0);
        self.0.push((planned.table, loader.clone()));
        Ok(Some(loader))
    }
}

/// How the keys of one fetch are loaded.
pub(super) struct Batch<'l, C> {
    progress: &'l Progress<'l, C>,
    fetch: usize,
    keyed: &'l Keyed,
    /// The request without keys.
    request: Vec<u8>,
}

impl<C: Call> BatchFn<Held, Found> for Batch<'_, C> {
    /// Something for each of the keys.
    async fn load(&mut self, keys: &[Held]) -> HashMap<Held, Found> {
        let mut all: HashMap<Held, Found> = keys.iter().map(|key| (key.clone(), Found::Missing)).collect();
        // The loader has no order of its own; equal operations are to send equal requests.
        let mut keys: Vec<&Held> = keys.iter().collect();
        keys.sort_unstable();
        let mut waiting = keys.chunks(self.keys_max());
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < CONCURRENT && waiting.len() > 0 && self.may_call() {
                running.extend(waiting.next().map(|chunk| self.chunk(chunk)));
            }
            let Some(found) = running.next().await else { break };
            for (key, found) in found {
                // Whoever answers with what was not asked for is not listened to.
                if let Some(known) = all.get_mut(&key) {
                    *known = found;
                }
            }
        }
        self.give_up(waiting.flatten(), &mut all);
        all
    }
}

impl<C: Call> Batch<'_, C> {
    /// Whether the items of an answer say whose they are. If not, an answer can only be about one key.
    fn is_batch(&self) -> bool {
        self.keyed.items.as_ref().is_some_and(|items| items.key.is_some())
    }

    fn keys_max(&self) -> usize {
        if self.is_batch() { usize::try_from(self.keyed.keys_max).unwrap_or(usize::MAX).max(1) } else { 1 }
    }

    /// Loads as many keys as one call takes. Those that are not in the result do not exist.
    async fn chunk(&self, keys: &[&Held]) -> Vec<(Held, Found)> {
        let mut all = Vec::with_capacity(keys.len());
        let mut parts = vec![keys];
        while !parts.is_empty() {
            let answers = match parts[..] {
                [only] => vec![self.ask(only).await],
                _ => join_all(parts.iter().map(|part| self.ask(part))).await,
            };
            let asked = std::mem::take(&mut parts);
            for (part, answer) in asked.into_iter().zip(answers) {
                match answer {
                    Ok(found) => all.extend(found),
                    Err(failure) if is_not_found(&failure) && part.len() == 1 => {}
                    Err(failure) if is_not_found(&failure) && self.may_halve() => {
                        let (left, right) = part.split_at(part.len() / 2);
                        parts.extend([left, right]);
                    }
                    Err(failure) => {
                        let failure = self.progress.fail(Failed::Call { fetch: self.fetch, failure });
                        all.extend(part.iter().map(|key| ((*key).clone(), Found::Failed(failure))));
                    }
                }
            }
        }
        all
    }

    /// Says of the keys that are not asked for that they failed: all of them at once, because there may be as
    /// many as fit into an answer, and the caller is waiting.
    fn give_up<'k>(&self, keys: impl Iterator<Item = &'k &'k Held>, all: &mut HashMap<Held, Found>) {
        let mut keys = keys.peekable();
        if keys.peek().is_none() {
            return;
        }
        let (code, origin, message) = match self.progress.is_late() {
            true => (Code::DeadlineExceeded, Origin::Deadline, "time ran out before all keys were asked for"),
            false => (
                Code::ResourceExhausted,
                Origin::Overload,
                "the operation has more keys than it may make calls for",
            ),
        };
        let failure = Failure { code, message: message.to_owned(), details: Bytes::new(), origin };
        let failure = self.progress.fail(Failed::Call { fetch: self.fetch, failure });
        for key in keys {
            all.insert((*key).clone(), Found::Failed(failure));
        }
    }

    /// One call.
    async fn ask(&self, keys: &[&Held]) -> Result<Vec<(Held, Found)>, Failure> {
        let sent: Vec<Key<'_>> = keys.iter().map(|key| key.as_key()).collect();
        let mut message = self.request.clone();
        message.extend(encode_keys(&self.keyed.request, &sent));
        let response = self.progress.send(self.fetch, message).await?;
        let answers = &mut self.progress.brought().answers;
        let place = answers.keep(response);
        let Some(response) = answers.response(place) else { return Ok(Vec::new()) };
        if self.is_batch() {
            // Another call may be asking for what this one was not asked for.
            let mut found = keys::matched(self.keyed, place, response);
            found.retain(|(key, _)| keys.binary_search(&key).is_ok());
            return Ok(found);
        }
        Ok(keys.iter().map(|key| ((*key).clone(), keys::alone(self.keyed, place, response))).collect())
    }

    /// Takes a call from what an operation may make for its keys, while there is time.
    fn may_call(&self) -> bool {
        if self.progress.is_late() {
            return false;
        }
        let mut brought = self.progress.brought();
        let left = brought.calls_left.checked_sub(1);
        brought.calls_left = left.unwrap_or_default();
        left.is_some()
    }

    /// Takes two calls from what may be spent on halving.
    fn may_halve(&self) -> bool {
        let mut brought = self.progress.brought();
        let left = brought.extra_calls.checked_sub(2);
        brought.extra_calls = left.unwrap_or(brought.extra_calls);
        left.is_some()
    }
}

/// Whether a service said that it does not know what was asked for.
fn is_not_found(failure: &Failure) -> bool {
    match failure.origin {
        Origin::Service => failure.code == Code::NotFound,
        Origin::Nobody | Origin::Connection | Origin::Deadline | Origin::Answer | Origin::Overload => false,
    }
}
