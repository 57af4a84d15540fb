//! What is wrong with what a caller sent: said the way graphql-js says it, all at once, but not without end.

use std::fmt;

use async_graphql_parser::Pos;

use crate::graph::Name;

/// The code that every error in here has in an answer.
pub const CODE: &str = "BAD_USER_INPUT";

/// How many errors are told; after so many the rest is not looked at.
pub const ERRORS_MAX: usize = 10;

/// Something wrong with a variable or an argument.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// A sentence for the caller.
    pub message: String,
    /// Which variable or argument, and where in it. Not the path of an answer's field.
    pub path: Vec<Segment>,
    /// Where in the document the variable is declared or the argument is given.
    pub location: Option<Pos>,
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// One step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Segment {
    /// Into a field.
    Name(Name),
    /// Into a list.
    Index(usize),
}

/// Errors as they are found.
#[derive(Debug, Default)]
pub(crate) struct Errors {
    found: Vec<Error>,
    more: bool,
}

impl Errors {
    pub(crate) fn push(&mut self, error: Error) {
        if self.found.len() >= ERRORS_MAX {
            self.more = true;
        } else {
            self.found.push(error);
        }
    }

    /// Whether there are more than will be told, so that looking on makes no sense.
    pub(crate) fn is_enough(&self) -> bool {
        self.more
    }

    /// The value, unless something is wrong.
    pub(crate) fn or<T>(mut self, value: T) -> Result<T, Vec<Error>> {
        if self.found.is_empty() {
            return Ok(value);
        }
        if self.more {
            let message =
                "Too many errors processing variables, error limit reached. Execution aborted.".into();
            self.found.push(Error { message, path: Vec::new(), location: None });
        }
        Err(self.found)
    }
}
