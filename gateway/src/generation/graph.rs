//! A composed graph, made ready for requests: how documents are judged, planned and answered about the graph.
//!
//! Immutable but for its plans, which it keeps as long as it lives itself: frontends with the same stable
//! versions share one, and so do generations that differ in weights. Plans are kept by document and never by
//! version or caller, because one plan serves both arms of a canary.

use std::cmp::Reverse;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use tokio::time::Instant;
use turnout_schema::Supergraph;
use turnout_schema::dynamic::Introspection;
use turnout_schema::guard::Limits;
use turnout_schema::plan::Cache;
use turnout_schema::validate::Validator;

use super::prepare::Prepared;
use crate::execute::fault::Fault;

/// How many plans are kept. Clients send tens to hundreds of documents; ten apps in ten versions fit.
const PLANS_MAX: usize = 4096;

/// What all plans together may take. Whoever sends documents decides how many and how large they are, so that
/// the number alone would bound nothing: a document of a thousand fields has a plan of 300 KiB.
pub(super) const PLANS_BYTES_MAX: usize = 128 << 20;

/// How many plans are made ahead: what is asked all the time, not what was asked once.
const WARM_MAX: usize = 500;

/// A graph that requests can run on. Making one costs up to a second, so it is not made where requests run.
#[derive(Debug)]
pub struct Graph {
    pub(super) supergraph: Arc<Supergraph>,
    pub(super) validator: Validator,
    introspection: Introspection,
    plans: RwLock<Plans>,
}

/// The plans of documents that passed these limits. Other limits are other plans: what they refuse must
/// not be answered because it once was.
#[derive(Debug)]
struct Plans {
    limits: Limits,
    cache: Cache<Prepared>,
}

/// A document that was sent, as it was sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document {
    /// The document as the request had it, a JSON string with its quotes.
    pub raw: Box<str>,
    /// The operation of it that was asked for.
    pub operation: Option<Box<str>>,
}

/// Why a graph cannot serve.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Unfit(String);

impl Graph {
    /// Makes a graph ready. It has no plans yet.
    pub fn new(supergraph: Supergraph) -> Result<Graph, Unfit> {
        // First, because it looks at how large the graph is.
        let introspection = Introspection::new(&supergraph).map_err(Unfit)?;
        let validator = Validator::new(&supergraph).map_err(Unfit)?;
        let plans =
            RwLock::new(Plans { limits: Limits::RECOMMENDED, cache: Cache::new(PLANS_MAX, PLANS_BYTES_MAX) });
        Ok(Graph { supergraph: Arc::new(supergraph), validator, introspection, plans })
    }

    /// The graph.
    pub fn supergraph(&self) -> &Arc<Supergraph> {
        &self.supergraph
    }

    /// The plan of an operation, from the cache or made now. `raw` is the document as the request has it, a
    /// JSON string with its quotes: it is looked up before anybody unescapes it. Two requests that miss the
    /// same document at the same time both plan it, and then share one. Subscriptions are planned like
    /// everything else; whether they can be carried is the transport's business.
    pub fn prepare(
        &self,
        raw: &str,
        operation: Option<&str>,
        limits: &Limits,
    ) -> Result<Arc<Prepared>, Vec<Fault>> {
        if let Some(known) = self.known(raw, operation, limits) {
            return Ok(known);
        }
        let prepared = Arc::new(self.make(raw, operation, limits)?);
        let mut plans = self.plans.write().unwrap_or_else(PoisonError::into_inner);
        if plans.limits != *limits {
            *plans = Plans { limits: *limits, cache: Cache::new(PLANS_MAX, PLANS_BYTES_MAX) };
        }
        let bytes = prepared.bytes(raw.len());
        Ok(plans.cache.put(raw, operation, prepared, bytes))
    }

    /// Answers what the graph is asked about itself.
    pub fn introspection(&self) -> &Introspection {
        &self.introspection
    }

    /// The documents whose plans are at hand, those that were used most first, and the limits they passed.
    /// Sorts all plans; requests go on meanwhile.
    pub fn documents(&self, max: usize) -> (Vec<Document>, Limits) {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        let uses = |prepared: &Prepared| prepared.uses().iter().map(|(_, times)| times).sum::<u64>();
        let mut known: Vec<_> =
            plans.cache.iter().map(|(raw, operation, plan)| (Reverse(uses(plan)), raw, operation)).collect();
        known.sort_unstable();
        let document = |(_, raw, operation): (_, &str, Option<&str>)| Document {
            raw: raw.into(),
            operation: operation.map(Box::from),
        };
        (known.into_iter().take(max).map(document).collect(), plans.limits)
    }

    /// Plans what an older graph was asked most, before the first request comes, as far as the time goes.
    /// Blocks. What does not fit this graph any more is left to whoever sends it.
    pub fn warm(&self, older: &Graph, budget: Duration) {
        let until = Instant::now() + budget;
        let (documents, limits) = older.documents(WARM_MAX);
        for Document { raw, operation } in &documents {
            if Instant::now() >= until {
                tracing::debug!(plans = self.plans(), of = documents.len(), "not all plans were made ahead");
                return;
            }
            let _left_to_its_sender = self.prepare(raw, operation.as_deref(), &limits);
        }
    }

    /// How many plans are at hand.
    pub fn plans(&self) -> usize {
        self.plans.read().unwrap_or_else(PoisonError::into_inner).cache.len()
    }

    /// Copies nothing and allocates nothing.
    fn known(&self, raw: &str, operation: Option<&str>, limits: &Limits) -> Option<Arc<Prepared>> {
        let plans = self.plans.read().unwrap_or_else(PoisonError::into_inner);
        if plans.limits == *limits { plans.cache.get(raw, operation) } else { None }
    }
}
