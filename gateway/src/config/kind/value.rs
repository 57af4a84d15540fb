//! A value that has been read.
//!
//! `Display` prints the text it would be read from again, except for secrets, which print as `***`
//! everywhere. The accessors return `None` for another kind: only `typed.rs` calls them, and the table
//! says which kind is where.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use ipnet::IpNet;
use serde_json::json;
use turnout_control::slot::Weight;

use super::quantity::{show_duration, show_size};
use super::share::show_share;

/// Text that neither `Debug` nor `config show` prints.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret that was read elsewhere.
    pub fn new(text: &str) -> Secret {
        Secret(text.to_owned())
    }

    /// The text itself, for the one call that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("***")
    }
}

/// Whose pages may call from a browser.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Everyone's.
    Any,
    /// Those of this origin, in lower case.
    Exact(HeaderValue),
}

#[derive(Debug, Clone, PartialEq)]
pub(in crate::config) enum Value {
    Address(SocketAddr),
    Path(PathBuf),
    Duration(Duration),
    Size(u64),
    Integer(u64),
    Share(Weight),
    Boolean(bool),
    Choice(&'static str),
    Text(String),
    KeyPrefix(String),
    Secret(Secret),
    Url(Uri),
    Origin(Origin),
    Header(HeaderName),
    Cidr(IpNet),
    List(Vec<Value>),
}

impl Value {
    pub(in crate::config) fn address(&self) -> Option<SocketAddr> {
        if let Value::Address(address) = self { Some(*address) } else { None }
    }

    pub(in crate::config) fn path(&self) -> Option<PathBuf> {
        if let Value::Path(path) = self { Some(path.clone()) } else { None }
    }

    pub(in crate::config) fn duration(&self) -> Option<Duration> {
        if let Value::Duration(duration) = self { Some(*duration) } else { None }
    }

    /// A size in bytes, or a count.
    pub(in crate::config) fn number(&self) -> Option<usize> {
        match self {
            Value::Size(number) | Value::Integer(number) => usize::try_from(*number).ok(),
            _ => None,
        }
    }

    pub(in crate::config) fn share(&self) -> Option<Weight> {
        if let Value::Share(share) = self { Some(*share) } else { None }
    }

    pub(in crate::config) fn boolean(&self) -> Option<bool> {
        if let Value::Boolean(boolean) = self { Some(*boolean) } else { None }
    }

    pub(in crate::config) fn choice(&self) -> Option<&'static str> {
        if let Value::Choice(name) = self { Some(name) } else { None }
    }

    pub(in crate::config) fn text(&self) -> Option<String> {
        match self {
            Value::Text(text) | Value::KeyPrefix(text) => Some(text.clone()),
            _ => None,
        }
    }

    pub(in crate::config) fn secret(&self) -> Option<Secret> {
        if let Value::Secret(secret) = self { Some(secret.clone()) } else { None }
    }

    pub(in crate::config) fn url(&self) -> Option<Uri> {
        if let Value::Url(url) = self { Some(url.clone()) } else { None }
    }

    pub(in crate::config) fn origin(&self) -> Option<Origin> {
        if let Value::Origin(origin) = self { Some(origin.clone()) } else { None }
    }

    pub(in crate::config) fn header(&self) -> Option<HeaderName> {
        if let Value::Header(name) = self { Some(name.clone()) } else { None }
    }

    pub(in crate::config) fn cidr(&self) -> Option<IpNet> {
        if let Value::Cidr(net) = self { Some(*net) } else { None }
    }

    pub(in crate::config) fn list(&self) -> Option<&[Value]> {
        if let Value::List(items) = self { Some(items) } else { None }
    }

    pub(in crate::config) fn json(&self) -> serde_json::Value {
        match self {
            Value::Integer(number) => json!(number),
            Value::Boolean(boolean) => json!(boolean),
            Value::List(items) => items.iter().map(Value::json).collect(),
            _ => json!(self.to_string()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Address(address) => write!(out, "{address}"),
            Value::Path(path) => write!(out, "{}", path.display()),
            Value::Duration(duration) => out.write_str(&show_duration(*duration)),
            Value::Size(bytes) => out.write_str(&show_size(*bytes)),
            Value::Integer(number) => write!(out, "{number}"),
            Value::Share(share) => out.write_str(&show_share(*share)),
            Value::Boolean(boolean) => write!(out, "{boolean}"),
            Value::Choice(name) => out.write_str(name),
            Value::Text(text) | Value::KeyPrefix(text) => out.write_str(text),
            Value::Secret(_) => out.write_str("***"),
            Value::Url(url) => write!(out, "{url}"),
            Value::Origin(Origin::Any) => out.write_str("*"),
            Value::Origin(Origin::Exact(origin)) => {
                out.write_str(&String::from_utf8_lossy(origin.as_bytes()))
            }
            Value::Header(name) => write!(out, "{name}"),
            Value::Cidr(net) => write!(out, "{net}"),
            Value::List(items) => {
                let shown: Vec<String> = items.iter().map(Value::to_string).collect();
                out.write_str(&shown.join(", "))
            }
        }
    }
}
