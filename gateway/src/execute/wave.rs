//! The calls of an operation: stage by stage, in each wave by wave, in each side by side.
//!
//! A wave's fetches without keys are wanted when their condition holds, those with keys when the answers so
//! far have any. What comes back is kept where the next wave and the writer find it. A call that fails costs
//! its own fields and nothing else.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures_util::future::{join, join_all};
use tokio::time::Instant;
use tonic::Code;
use turnout_schema::plan::{self, Plan};
use turnout_schema::variables;
use turnout_schema::wire::answers::{self, Answers, Held, Outcome};
use turnout_schema::wire::index::Response;
use turnout_schema::wire::keys;

use super::admit::Admitted;
use super::batch::{CALLS_MAX, EXTRA_CALLS_MAX, Loader, Loaders};
use super::call::Call;
use super::fault::call::log;
use super::run::Operation;
use crate::upstream::{Failure, Origin};

/// The most memory that the responses of one operation may take, with what is known about them. An answer has
/// at most 8 MiB and is made from far less than this; without an end, each of sixty aliases and of thousands
/// of keys could bring a message of 4 MiB, whose parts take ten times as much.
const BYTES_MAX: usize = 128 << 20;

/// What an operation has so far.
#[derive(Debug)]
pub(super) struct Brought {
    /// What the fetches brought.
    pub(super) answers: Answers,
    /// What failed, by the numbers that `answers` has.
    pub(super) failed: Vec<Failed>,
    /// How much memory what comes may still take.
    pub(super) bytes_left: usize,
    /// How many calls may still be spent on finding out which key of a batch is the unknown one.
    pub(super) extra_calls: usize,
    /// How many calls may still be made for keys.
    pub(super) calls_left: usize,
}

impl Brought {
    /// Takes room for something; whether there is any.
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.bytes_left.checked_sub(bytes);
        self.bytes_left = left.unwrap_or(self.bytes_left);
        left.is_some()
    }
}

/// Something that failed.
#[derive(Debug)]
pub(super) enum Failed {
    /// A call.
    Call {
        /// Of this fetch.
        fetch: usize,
        /// Why.
        failure: Failure,
    },
    /// No call, because of the arguments.
    Arguments(Vec<variables::Error>),
}

/// An operation on its way.
#[derive(Debug)]
pub(super) struct Progress<'p, C> {
    operation: &'p Operation<'p>,
    admitted: &'p Admitted<'p>,
    call: &'p C,
    deadline: Instant,
    /// Held for moments, by one task: a lock only because futures must be able to move between threads.
    brought: Mutex<Brought>,
}

impl<'p, C: Call> Progress<'p, C> {
    /// Nothing yet.
    pub(super) fn new(
        operation: &'p Operation<'p>,
        admitted: &'p Admitted<'p>,
        call: &'p C,
    ) -> Progress<'p, C> {
        let answers = Answers::new(operation.prepared.plan.fetches.len());
        let brought = Brought {
            answers,
            failed: Vec::new(),
            bytes_left: BYTES_MAX,
            extra_calls: EXTRA_CALLS_MAX,
            calls_left: CALLS_MAX,
        };
        let deadline = operation.deadline;
        Progress { operation, admitted, call, deadline, brought: Mutex::new(brought) }
    }

    /// The same with another deadline.
    pub(super) fn until(self, deadline: Instant) -> Progress<'p, C> {
        Progress { deadline, ..self }
    }

    /// The plan.
    pub(super) fn plan(&self) -> &'p Plan {
        &self.operation.prepared.plan
    }

    /// Whether nothing may be begun any more.
    pub(super) fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// What there is so far. Not to be held while anything is waited for.
    pub(super) fn brought(&self) -> MutexGuard<'_, Brought> {
        self.brought.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is in the end.
    pub(super) fn into_brought(self) -> Brought {
        self.brought.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    /// The calls of a stage from one of its waves on.
    pub(super) async fn stage(&self, stage: usize, first: usize) {
        let Some(waves) = self.plan().stages.get(stage).map(|stage| &stage.waves) else { return };
        let mut loaders = Loaders::default();
        for (wave, fetches) in waves.iter().enumerate().skip(first) {
            if let [only] = fetches[..]
                && self.is_wanted_once(only)
            {
                self.once(only).await;
                continue;
            }
            let once = fetches.iter().filter(|fetch| self.is_wanted_once(**fetch));
            let once = join_all(once.map(|fetch| self.once(*fetch)));
            let needed = self.needed(stage, wave, &mut loaders);
            let keyed = needed.into_iter().map(|(fetch, keys, loader)| self.keyed(fetch, keys, loader));
            join(once, join_all(keyed)).await;
        }
    }

    /// The bytes of a fetch's request, without keys.
    pub(super) fn request(&self, fetch: usize) -> Result<Vec<u8>, answers::Failure> {
        let fetch = &self.plan().fetches[fetch];
        let types = &self.operation.view.graph.supergraph().types;
        match fetch.request.encode(&self.admitted.variables, types) {
            Ok(mut bytes) => {
                bytes.extend_from_slice(&fetch.mask);
                Ok(bytes)
            }
            Err(errors) => Err(self.fail(Failed::Arguments(errors))),
        }
    }

    /// Sends one call of a fetch.
    pub(super) async fn send(&self, fetch: usize, message: Vec<u8>) -> Result<Response, Failure> {
        let bytes = self.call.call(fetch, message.into(), self.deadline).await?;
        self.read(fetch, bytes)
    }

    /// Finds in a response what the plan needs of it, unless the operation has more than it may have.
    pub(super) fn read(&self, fetch: usize, bytes: Bytes) -> Result<Response, Failure> {
        let refused =
            |code, message| Failure { code, message, details: Bytes::new(), origin: Origin::Answer };
        let plan = self.plan();
        let response =
            Response::read(&plan.tables, plan.fetches[fetch].table, bytes).map_err(|malformed| {
                self.call.undecodable(fetch);
                refused(Code::Internal, format!("bad upstream answer: {malformed}"))
            })?;
        if self.brought().take(response.memory()) {
            return Ok(response);
        }
        let message = "the answers to one operation are larger than all of them may be";
        Err(refused(Code::ResourceExhausted, message.to_owned()))
    }

    /// Notes what failed, and tells the log.
    pub(super) fn fail(&self, mut failed: Failed) -> answers::Failure {
        let mut brought = self.brought();
        match &mut failed {
            Failed::Call { fetch, failure } => {
                // A service that is down fails each of a hundred calls in the same way: once is enough.
                let is_news = !matches!(
                    brought.failed.last(),
                    Some(Failed::Call { fetch: last, failure: before })
                        if last == fetch && before.code == failure.code && before.origin == failure.origin
                );
                if is_news {
                    log(self.operation, *fetch, failure);
                }
                // Every key may fail with details of its own.
                if !brought.take(failure.details.len()) {
                    failure.details = Bytes::new();
                }
            }
            Failed::Arguments(_) => {}
        }
        brought.failed.push(failed);
        answers::Failure(u32::try_from(brought.failed.len() - 1).unwrap_or(u32::MAX))
    }

    /// Keeps what a fetch without keys brought.
    pub(super) fn settle(&self, fetch: usize, response: Result<Response, Failure>) {
        let outcome = match response {
            Ok(response) => Outcome::Whole(self.brought().answers.keep(response)),
            Err(failure) => Outcome::Failed(self.fail(Failed::Call { fetch, failure })),
        };
        self.brought().answers.set(fetch, outcome);
    }

    /// Says that a fetch failed before it was called.
    pub(super) fn settle_failed(&self, fetch: usize, failure: answers::Failure) {
        self.brought().answers.set(fetch, Outcome::Failed(failure));
    }

    fn is_wanted_once(&self, fetch: usize) -> bool {
        let fetch = &self.plan().fetches[fetch];
        match fetch.call {
            plan::Call::Once => self.admitted.holds.is(fetch.when),
            // A stream is opened once and before anything else; keys are looked for where they are.
            plan::Call::Stream | plan::Call::Keyed(_) => false,
        }
    }

    async fn once(&self, fetch: usize) {
        match self.request(fetch) {
            Ok(message) => self.settle(fetch, self.send(fetch, message).await),
            Err(failure) => self.settle_failed(fetch, failure),
        }
    }

    /// The fetches of a wave that have keys, and who loads them.
    fn needed<'l>(
        &'l self,
        stage: usize,
        wave: usize,
        loaders: &mut Loaders<'l, C>,
    ) -> Vec<(usize, Vec<Held>, Loader<'l, C>)> {
        let found = keys::collect(self.plan(), &self.admitted.holds, &self.brought().answers, (stage, wave));
        let mut needed = Vec::with_capacity(found.len());
        for (fetch, keys) in found {
            match loaders.of(self, fetch) {
                Ok(Some(loader)) => needed.push((fetch, keys, loader)),
                Ok(None) => {}
                Err(failure) => self.settle_failed(fetch, failure),
            }
        }
        needed
    }

    async fn keyed(&self, fetch: usize, keys: Vec<Held>, loader: Loader<'_, C>) {
        let found = loader.load_many(keys).await;
        self.brought().answers.set(fetch, Outcome::Keyed(found.into_iter().collect()));
    }
}
