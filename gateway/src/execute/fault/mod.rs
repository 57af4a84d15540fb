//! What a caller learns of what went wrong: an error of GraphQL, with the code of the contract.
//!
//! A fault is written for a browser: whoever makes one has decided that its text may be seen there. What may
//! not is masked, and the log has the rest under the same request id. `call` says what the failure of a call
//! becomes, `field` what becomes of a value that cannot be written; `details`, `names` and `text` serve them.

pub(super) mod call;
pub(super) mod field;

mod details;
mod names;
mod text;

use std::borrow::Cow;

use serde_json::{Map, Value, json};
use turnout_schema::plan::Fetch;
use turnout_schema::variables;
use turnout_schema::wire::write::Step;

use super::run::{Operation, RequestId};
use crate::generation::Callee;

/// One entry of `errors`.
#[derive(Clone, Debug, PartialEq)]
pub struct Fault {
    /// For the caller to read.
    pub message: String,
    /// `extensions.code`.
    pub code: Cow<'static, str>,
    /// Places in the document, line and column from 1.
    pub locations: Vec<(usize, usize)>,
    /// The field it is about; empty for an error of the whole request.
    pub path: Vec<Step>,
    /// What else is in `extensions`.
    pub extensions: Map<String, Value>,
}

impl Fault {
    /// A fault of the request as a whole.
    pub fn new(code: &'static str, message: impl Into<String>) -> Fault {
        Fault {
            message: message.into(),
            code: Cow::Borrowed(code),
            locations: Vec::new(),
            path: Vec::new(),
            extensions: Map::new(),
        }
    }

    /// A mistake of the gateway, of which only the log knows more.
    pub(super) fn internal(request_id: RequestId) -> Fault {
        Fault::new("INTERNAL_SERVER_ERROR", "Internal server error.").with_request_id(request_id)
    }

    /// The same with the name under which the log has the rest.
    pub(super) fn with_request_id(mut self, request_id: RequestId) -> Fault {
        self.extensions.insert("requestId".to_owned(), request_id.to_string().into());
        self
    }

    /// The same with the version that is called by a fetch.
    pub(super) fn of_fetch(mut self, operation: &Operation<'_>, fetch: &Fetch) -> Fault {
        if let Some(chosen) = operation.lineup.choose(fetch.member) {
            let Callee { service, version, .. } = chosen.callee;
            self.extensions.insert("service".to_owned(), service.as_str().into());
            self.extensions.insert("serviceVersion".to_owned(), version.to_string().into());
        }
        self
    }

    /// The fault as it stands in an answer.
    pub fn to_json(&self) -> Value {
        let mut error = Map::new();
        error.insert("message".to_owned(), self.message.as_str().into());
        if !self.locations.is_empty() {
            let place = |(line, column): &(usize, usize)| json!({ "line": line, "column": column });
            error.insert("locations".to_owned(), self.locations.iter().map(place).collect());
        }
        if !self.path.is_empty() {
            let step = |step: &Step| match step {
                Step::Key(key) => Value::from(&**key),
                Step::Index(index) => Value::from(*index),
            };
            error.insert("path".to_owned(), self.path.iter().map(step).collect());
        }
        let mut extensions = Map::new();
        extensions.insert("code".to_owned(), self.code.as_ref().into());
        extensions.extend(self.extensions.clone());
        error.insert("extensions".to_owned(), extensions.into());
        error.into()
    }
}

impl From<&variables::Error> for Fault {
    fn from(error: &variables::Error) -> Fault {
        let place = |at: async_graphql_parser::Pos| (at.line, at.column);
        Fault {
            locations: error.location.map(place).into_iter().collect(),
            ..Fault::new(variables::error::CODE, error.message.as_str())
        }
    }
}
