//! May this document be asked of this graph?
//!
//! All rules of GraphQL's specification for documents, checked on the document that async-graphql parsed.
//! async-graphql's own rules are not asked: they look at no `__typename`, take a variable used only there for
//! unused, let objects be of any scalar, panic on the default value of a list of an unknown type, and mix the
//! values of variables in, so that their answer cannot be kept with the document. Whether a document is valid
//! depends here on the document and the graph alone. graphql-js is the referee of these rules in the tests.
//!
//! The rules call themselves as deep as a document nests, and their work grows with its text: a document must
//! pass `guard` before it comes here. Values are judged by their kind; whether a `DateTime` is one is said when
//! it is written for a service. Nothing is suggested in messages, so that they tell nothing about a graph that
//! the caller does not know.

pub(crate) mod catalog;
mod fragments;
mod overlap;
#[cfg(test)]
mod tests;
mod text;
mod values;
mod variables;
mod walk;

use std::fmt;

use async_graphql_parser::types::ExecutableDocument;
use async_graphql_parser::{Pos, parse_query};

use crate::Supergraph;
use catalog::Catalog;
use walk::Walk;

/// The most findings that are told about one document.
const ERRORS_MAX: usize = 10;

/// The rules for the documents of one graph.
#[derive(Debug)]
pub struct Validator {
    catalog: Catalog,
}

/// Why a document cannot be asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What is wrong, for the document's author.
    pub message: String,
    /// Where.
    pub locations: Vec<Location>,
    /// Which kind of wrong.
    pub code: Code,
}

/// A place in a document; both count from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    /// The line.
    pub line: usize,
    /// The character in its line.
    pub column: usize,
}

/// Which kind of wrong a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// It is not GraphQL.
    Parse,
    /// It is GraphQL, but not for this graph.
    Validation,
}

impl Code {
    /// As `errors[].extensions.code` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Code::Parse => "GRAPHQL_PARSE_FAILED",
            Code::Validation => "GRAPHQL_VALIDATION_FAILED",
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        for (place, Location { line, column }) in self.locations.iter().enumerate() {
            write!(f, "{}{line}:{column}", if place == 0 { " at " } else { ", " })?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl Error {
    fn invalid(message: impl Into<String>, places: impl IntoIterator<Item = Pos>) -> Error {
        let locations = places.into_iter().map(location).collect();
        Error { message: message.into(), locations, code: Code::Validation }
    }
}

fn location(pos: Pos) -> Location {
    Location { line: pos.line, column: pos.column }
}

impl Validator {
    /// Prepares the rules for a graph.
    pub fn new(supergraph: &Supergraph) -> Result<Validator, String> {
        Ok(Validator { catalog: Catalog::new(supergraph)? })
    }

    /// Parses a document and checks all of its operations. The text must have passed `guard`.
    pub fn validate(&self, text: &str) -> Result<ExecutableDocument, Vec<Error>> {
        let document = parse_query(text).map_err(|error| {
            let locations = error.positions().map(location).collect();
            vec![Error { message: parse_message(&error), locations, code: Code::Parse }]
        })?;
        let mut errors = text::check(text);
        self.check(&document, &mut errors);
        // Definitions come in no order from the parser.
        errors.sort_by(|one, other| (&one.locations, &one.message).cmp(&(&other.locations, &other.message)));
        errors.dedup();
        errors.truncate(ERRORS_MAX);
        if errors.is_empty() { Ok(document) } else { Err(errors) }
    }

    fn check(&self, document: &ExecutableDocument, errors: &mut Vec<Error>) {
        let mut walk = Walk::new(&self.catalog, document);
        walk.document();
        let Walk { errors: mut found, scopes, .. } = walk;
        errors.append(&mut found);
        fragments::check(document, &scopes, errors);
        variables::check(document, &scopes, errors);
        // Merging follows spreads, so it must not be asked about fragments that spread themselves.
        if errors.is_empty() {
            overlap::check(&self.catalog, document, errors);
        }
    }
}

/// The parser's message, without the picture it draws of the text.
fn parse_message(error: &async_graphql_parser::Error) -> String {
    let text = error.to_string();
    let expected = text.lines().rev().find_map(|line| line.trim().strip_prefix("= "));
    format!("Syntax error: {}.", expected.unwrap_or(text.lines().next().unwrap_or("unreadable")))
}
