//! The JSON Schema of `turnout.yaml`, for editors.
//!
//! It knows names, types, choices, ranges of numbers, defaults and the forms of durations and sizes.
//! What only the reader can know stays with `config validate`. Wherever a value may stand, a text with
//! `${VAR}` may.

use serde_json::{Map, Value, json};

use crate::config::kind::Kind;
use crate::config::settings::{Fallback, Setting, find, words_in};

/// A text that takes something from the environment.
const EXPANDED: &str = r"\$\{";

/// The schema, printed.
pub fn schema() -> String {
    let mut root = section("");
    root.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    root.insert("title".to_owned(), json!("Settings of Turnout (turnout.yaml)"));
    format!("{:#}\n", Value::Object(root))
}

fn section(path: &str) -> Map<String, Value> {
    let mut out = Map::new();
    // An empty section is as good as none, and `config init` writes them.
    out.insert("type".to_owned(), json!(["object", "null"]));
    let below = |word: &str| if path.is_empty() { word.to_owned() } else { format!("{path}.{word}") };
    let words = words_in(path);
    if words == ["*"] {
        out.insert("additionalProperties".to_owned(), Value::Object(section(&below("*"))));
        return out;
    }
    let properties = words.into_iter().map(|word| {
        let path = below(word);
        let schema = find(&path).map_or_else(|| Value::Object(section(&path)), setting);
        (word.to_owned(), schema)
    });
    out.insert("properties".to_owned(), Value::Object(properties.collect()));
    out.insert("additionalProperties".to_owned(), json!(false));
    out
}

fn setting(setting: &'static Setting) -> Value {
    let mut schema = kind(&setting.kind);
    schema["description"] = json!(setting.help);
    if let Fallback::Value(text) = setting.fallback {
        let value = setting.kind.parse(text).expect("a test parses every default");
        schema["default"] = value.json();
    }
    schema
}

fn kind(of: &Kind) -> Value {
    let form = |pattern: &str| json!({ "type": "string", "pattern": format!("{pattern}|{EXPANDED}") });
    let or_expanded = |schema: Value| json!({ "anyOf": [schema, { "type": "string", "pattern": EXPANDED }] });
    match of {
        Kind::Address => form("^.+:[0-9]+$"),
        Kind::Duration { .. } => form("^[0-9]+(ms|s|m|h|d)$"),
        Kind::Size { .. } => form("^[0-9]+(B|kB|MB|GB|KiB|MiB|GiB)$"),
        Kind::Share => form(r"^[0-9]+(\.[0-9]+)?%$"),
        Kind::Integer { least, most } => {
            or_expanded(json!({ "type": "integer", "minimum": least, "maximum": most }))
        }
        Kind::Boolean => or_expanded(json!({ "type": "boolean" })),
        Kind::Choice(names) => or_expanded(json!({ "enum": names })),
        Kind::HttpUrl => form("^https?://"),
        Kind::PostgresUrl => form("^postgres(ql)?://"),
        Kind::KeyPrefix => form("^/.*[^/]$"),
        Kind::Pointer => form("^[a-z]+ *= */"),
        Kind::Origin => form(r"^(\*|https?://.+)$"),
        Kind::Path
        | Kind::Text
        | Kind::Secret
        | Kind::Name
        | Kind::SourcePrefix
        | Kind::Version
        | Kind::Schema
        | Kind::Header
        | Kind::Cidr => {
            json!({ "type": ["string", "number", "boolean"] })
        }
        Kind::List(item) => {
            let item = kind(item);
            json!({ "anyOf": [{ "type": "array", "items": item }, { "type": "string" }] })
        }
    }
}
