//! Which value does each setting have, and where did it come from?
//!
//! Secrets are `***`. Settings that nobody set and that have no default are listed without a value.
//! Settings under a chosen name are listed once for each name that is set.

use crate::config::mistake::{Origin, Source};
use crate::config::settings::SETTINGS;
use crate::config::values::{Effective, Place, Values};

/// One setting as `config show` prints it.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    /// `services.orders.timeout`.
    pub path: String,
    /// The text a user would write; a secret is `***`, and one that is not set has none.
    pub value: Option<String>,
    /// The same for programs: numbers, booleans and lists are themselves.
    pub json: serde_json::Value,
    /// `turnout.yaml:3:5`, `env TURNOUT_DATA`, `command line`, `default` or `not set`.
    pub origin: String,
}

pub(in crate::config) fn show(values: &Values, source: Option<&Source>) -> Vec<Shown> {
    let mut rows = Vec::new();
    for setting in SETTINGS {
        let mut found = values.iter().filter(|(place, _)| place.path == setting.path).peekable();
        if found.peek().is_none() && !setting.path.contains('*') {
            let path = setting.path.to_owned();
            rows.push(Shown {
                path,
                value: None,
                json: serde_json::Value::Null,
                origin: "not set".to_owned(),
            });
        }
        rows.extend(found.map(|(place, effective)| row(place, effective, source)));
    }
    rows
}

fn row(place: &Place, effective: &Effective, source: Option<&Source>) -> Shown {
    let origin = match (&effective.origin, source) {
        (Origin::File(span), Some(source)) => source.place(*span),
        (Origin::File(_), None) => "file".to_owned(),
        (Origin::Env(name), _) => format!("env {name}"),
        (Origin::Flag, _) => "command line".to_owned(),
        (Origin::Default, _) => "default".to_owned(),
    };
    let value = effective.value.to_string();
    Shown { path: place.to_string(), value: Some(value), json: effective.value.json(), origin }
}
