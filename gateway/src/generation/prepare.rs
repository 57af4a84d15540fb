//! From the text of a request to a plan, or to the errors that its author reads.
//!
//! The order is that of cost: what only looks at the text goes first and bounds what comes after it. Which
//! code an error has is decided here and nowhere else.

use async_graphql_parser::Pos;
use async_graphql_parser::types::ExecutableDocument;
use http::uri::PathAndQuery;
use turnout_schema::guard::{self, Limits, Refusal};
use turnout_schema::plan::{self, Plan, Value};
use turnout_schema::validate;

use super::Graph;
use crate::config::LimitsConfig;
use crate::execute::fault::Fault;
use crate::execute::run::Outcome;
use crate::telemetry::Uses;

/// Of an output or a column, with the names it shares with nobody.
const BYTES_PER_PLACE: usize = 256;

/// Of a fetch, with its request.
const BYTES_PER_FETCH: usize = 4096;

/// Of a byte of a document that is kept: the shortest fields are five bytes, and each is a selection of the
/// syntax tree of about 200, in a list with as much room again.
const BYTES_PER_BYTE: usize = 100;

/// A plan, and what is made ready with it.
#[derive(Debug)]
pub struct Prepared {
    /// The plan.
    pub plan: Plan,
    /// What is called, by the fetch's place in the plan.
    pub paths: Vec<PathAndQuery>,
    /// The document, when the plan asks what the graph says about itself.
    pub document: Option<ExecutableDocument>,
    /// How often it was used.
    pub uses: Uses,
}

impl Prepared {
    /// Makes ready what a plan needs beside it. The error names an RPC that has no path.
    pub fn new(plan: Plan, document: ExecutableDocument) -> Result<Prepared, String> {
        let path = |fetch: &plan::Fetch| {
            let path = fetch.rpc.path();
            PathAndQuery::try_from(path.as_str()).map_err(|_| path)
        };
        let paths = plan.fetches.iter().map(path).collect::<Result<_, _>>()?;
        let asks = plan.selections.iter().flat_map(|selection| &selection.outputs);
        let asks = asks.into_iter().any(|output| matches!(output.value, Value::Introspection));
        Ok(Prepared { plan, paths, document: asks.then_some(document), uses: Uses::new() })
    }

    /// About how much memory it takes, made from a text of so many bytes. Estimated from what grows with a
    /// document; a document that is kept takes far more than its text and has next to no plan.
    pub(super) fn bytes(&self, text: usize) -> usize {
        let kept = if self.document.is_some() { text * BYTES_PER_BYTE } else { 0 };
        let outputs: usize = self.plan.selections.iter().map(|selection| selection.outputs.len()).sum();
        let columns: usize = self.plan.tables.iter().map(|table| table.columns.len()).sum();
        size_of::<Prepared>()
            + kept
            + (outputs + columns) * BYTES_PER_PLACE
            + self.paths.len() * BYTES_PER_FETCH
    }

    /// How often it was used so far, by outcome. Fields and methods follow from the plan.
    pub fn uses(&self) -> [(Outcome, u64); 4] {
        self.uses.totals()
    }
}

/// The limits of documents that a configuration states.
pub fn limits(config: &LimitsConfig) -> Limits {
    Limits {
        tokens: config.tokens,
        depth: config.depth,
        selections: config.selections,
        aliases: config.aliases,
        directives: config.directives,
        ..Limits::RECOMMENDED
    }
}

impl Graph {
    pub(super) fn make(
        &self,
        raw: &str,
        operation: Option<&str>,
        limits: &Limits,
    ) -> Result<Prepared, Vec<Fault>> {
        let text: String = serde_json::from_str(raw).map_err(|error| {
            vec![Fault::new("GRAPHQL_PARSE_FAILED", format!("The document is no text: {error}."))]
        })?;
        guard::check(&text, limits).map_err(|refusal| refused(&refusal))?;
        let document = self
            .validator
            .validate(&text)
            .map_err(|errors| errors.into_iter().map(invalid).collect::<Vec<_>>())?;
        let plan = plan::plan(&self.supergraph, &document, operation)
            .map_err(|errors| errors.iter().map(unplanned).collect::<Vec<_>>())?;
        Prepared::new(plan, document).map_err(|path| {
            tracing::error!(path, "an rpc has a name that cannot be called");
            vec![masked()]
        })
    }
}

fn refused(refusal: &Refusal) -> Vec<Fault> {
    let at = |fault: Fault| Fault { locations: refusal.at().map(place).into_iter().collect(), ..fault };
    match refusal {
        Refusal::Limits(exceeded) => exceeded
            .iter()
            .map(|exceeded| Fault::new("LIMIT_EXCEEDED", sentence(&exceeded.to_string())))
            .collect(),
        Refusal::Syntax { message, .. } => {
            vec![at(Fault::new("GRAPHQL_PARSE_FAILED", format!("Syntax error: {message}.")))]
        }
        Refusal::Cycle { .. } => {
            vec![at(Fault::new("GRAPHQL_VALIDATION_FAILED", sentence(&refusal.to_string())))]
        }
    }
}

fn invalid(error: validate::Error) -> Fault {
    let locations = error.locations.iter().map(|at| (at.line, at.column)).collect();
    Fault { locations, ..Fault::new(error.code.as_str(), error.message) }
}

/// Values in a document are part of it, so that a wrong one is a question of validity. The errors that a
/// valid document cannot have are ours.
fn unplanned(error: &plan::Error) -> Fault {
    let code = match error {
        plan::Error::NoOperation(_) | plan::Error::NoChoice | plan::Error::NoRoot(_) => {
            "OPERATION_RESOLUTION_FAILURE"
        }
        plan::Error::Events | plan::Error::Value(_) => "GRAPHQL_VALIDATION_FAILED",
        plan::Error::TooLarge => "LIMIT_EXCEEDED",
        plan::Error::Fragment { .. }
        | plan::Error::Directive { .. }
        | plan::Error::Field { .. }
        | plan::Error::Selection { .. }
        | plan::Error::Conflict { .. }
        | plan::Error::Graph(_) => {
            tracing::error!(%error, "a valid document cannot be planned");
            return masked();
        }
    };
    let locations = error.at().map(place).into_iter().collect();
    Fault { locations, ..Fault::new(code, error.to_string()) }
}

fn masked() -> Fault {
    Fault::new("INTERNAL_SERVER_ERROR", "The operation could not be planned.")
}

fn place(at: Pos) -> (usize, usize) {
    (at.line, at.column)
}

fn sentence(fragment: &str) -> String {
    let mut characters = fragment.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(characters).chain(['.']).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use turnout_schema::compose::{Locks, compose};
    use turnout_schema::graph::RootKind;
    use turnout_schema::subgraph::{self, Exposure};
    use turnout_schema::{Descriptors, Supergraph};

    use super::super::graph::PLANS_BYTES_MAX;
    use super::*;
    use crate::upstream::Worker;

    fn supergraph() -> Supergraph {
        let subgraphs: Vec<_> = [("catalog", "1.5.0"), ("orders", "2.1.0"), ("users", "2.0.0")]
            .into_iter()
            .map(|(service, version)| {
                let bytes = turnout_samples::descriptors(service, version).unwrap();
                let descriptors = Descriptors::read(bytes).unwrap();
                subgraph::read(service, version, &descriptors, Exposure::Annotated).subgraph
            })
            .collect();
        compose(&subgraphs, &Locks::default()).supergraph.unwrap()
    }

    fn graph() -> Graph {
        Graph::new(supergraph()).unwrap()
    }

    fn raw(text: &str) -> String {
        serde_json::to_string(text).unwrap()
    }

    fn faults(text: &str, operation: Option<&str>) -> Vec<Fault> {
        graph().prepare(&raw(text), operation, &Limits::RECOMMENDED).unwrap_err()
    }

    #[test]
    fn a_document_is_planned_once_and_found_again_as_it_was_sent() {
        let graph = graph();
        let text = raw("query Q {\n  order(id: \"1\") { id }\n}\nquery R { __typename }");
        let first = graph.prepare(&text, Some("Q"), &Limits::RECOMMENDED).unwrap();
        let again = graph.prepare(&text, Some("Q"), &Limits::RECOMMENDED).unwrap();
        assert!(Arc::ptr_eq(&first, &again));
        let other = graph.prepare(&text, Some("R"), &Limits::RECOMMENDED).unwrap();
        assert!(!Arc::ptr_eq(&first, &other));
        assert_eq!(graph.plans(), 2);
        assert_eq!(first.plan.kind, RootKind::Query);
        assert_eq!(first.paths.len(), first.plan.fetches.len());
        assert_eq!(first.paths[0].as_str(), "/shop.orders.v1.OrdersService/GetOrder");
        assert!(first.document.is_none());
    }

    #[test]
    fn only_a_question_about_the_graph_keeps_its_document() {
        let graph = graph();
        let kept =
            |text: &str| graph.prepare(&raw(text), None, &Limits::RECOMMENDED).unwrap().document.is_some();
        assert!(kept("{ __schema { queryType { name } } }"));
        assert!(kept("{ __type(name: \"Order\") { name } order(id: \"1\") { id } }"));
        assert!(!kept("{ __typename }"));
    }

    #[test]
    fn tighter_limits_hold_for_documents_that_are_known() {
        let graph = graph();
        let text = raw("{ order(id: \"1\") { id } }");
        assert!(graph.prepare(&text, None, &Limits::RECOMMENDED).is_ok());
        let tight = Limits { depth: 1, ..Limits::RECOMMENDED };
        let faults = graph.prepare(&text, None, &tight).unwrap_err();
        assert_eq!(faults[0].code, "LIMIT_EXCEEDED");
        assert_eq!(
            faults[0].message,
            "The document has 2 fields inside each other, and limits.depth allows 1."
        );
    }

    #[test]
    fn a_long_text_is_planned_and_not_kept() {
        let graph = graph();
        let text = raw(&format!("{{ __typename }} #{}", "x".repeat(PLANS_BYTES_MAX / 64)));
        assert!(graph.prepare(&text, None, &Limits::RECOMMENDED).is_ok());
        assert_eq!(graph.plans(), 0);
    }

    #[test]
    fn a_document_that_is_kept_counts_as_what_it_is() {
        let text = raw(&format!("{{ __schema {{ queryType {{ {} }} }} }}", "name ".repeat(900)));
        let prepared = graph().prepare(&text, None, &Limits::RECOMMENDED).unwrap();
        let selections = 900 * size_of::<async_graphql_parser::types::Selection>();
        assert!(prepared.bytes(text.len()) > selections, "{}", prepared.bytes(text.len()));
        assert!(prepared.bytes(text.len()) < PLANS_BYTES_MAX / 64);
    }

    #[test]
    fn every_refusal_has_its_code_and_place() {
        for (text, operation, code, at) in [
            ("{ order(", None, "GRAPHQL_PARSE_FAILED", true),
            ("{ a } fragment F on Query { ...F }", None, "GRAPHQL_VALIDATION_FAILED", true),
            ("{ nothing }", None, "GRAPHQL_VALIDATION_FAILED", true),
            ("query A { __typename }", Some("B"), "OPERATION_RESOLUTION_FAILURE", false),
            ("query A { __typename } query B { __typename }", None, "OPERATION_RESOLUTION_FAILURE", false),
            ("", None, "GRAPHQL_PARSE_FAILED", true),
        ] {
            let found = faults(text, operation);
            assert_eq!(found.len(), 1, "{text}: {found:?}");
            assert_eq!(found[0].code, code, "{text}: {found:?}");
            assert_eq!(!found[0].locations.is_empty(), at, "{text}: {found:?}");
        }
    }

    #[test]
    fn every_exceeded_limit_is_told() {
        let deep = format!("{}{}", "{ a ".repeat(20), "}".repeat(20));
        let tight = Limits { tokens: 10, nesting: 10, ..Limits::RECOMMENDED };
        let found = graph().prepare(&raw(&deep), None, &tight).unwrap_err();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|fault| fault.code == "LIMIT_EXCEEDED"));
        assert!(found[0].message.contains("limits.tokens"), "{found:?}");
    }

    #[test]
    fn what_is_no_text_is_no_document() {
        for raw in ["\"\\ud800\"", "{}", "\"", "12"] {
            let found = graph().prepare(raw, None, &Limits::RECOMMENDED).unwrap_err();
            assert_eq!(found[0].code, "GRAPHQL_PARSE_FAILED", "{raw}");
        }
    }

    #[test]
    fn uses_are_told_by_outcome() {
        let graph = graph();
        let prepared = graph.prepare("\"{__typename}\"", None, &Limits::RECOMMENDED).unwrap();
        prepared.uses.count(Worker(3), Outcome::Complete);
        assert_eq!(prepared.uses()[0], (Outcome::Complete, 1));
    }
}
