//! A value as error messages show it: the way graphql-js does, short, whatever was sent.

use std::fmt::Write as _;

use async_graphql_value::{ConstValue, Value as Literal};

use super::json::Shape;
use super::source::{Given, Source};

/// What graphql-js shows of a list.
const ITEMS_MAX: usize = 10;
/// What graphql-js shows of nesting.
const DEPTH_MAX: usize = 2;
/// In characters. graphql-js has no bound; an answer should not give back a megabyte that was sent.
const TEXT_MAX: usize = 100;

/// The value as text.
pub(crate) fn inspect(source: Source<'_>) -> String {
    let mut out = String::new();
    write(source, 1, &mut out);
    out
}

/// A text in quotes, shortened.
pub(crate) fn quote(text: &str) -> String {
    let mut out = String::new();
    write_text(text, &mut out);
    out
}

fn write(source: Source<'_>, depth: usize, out: &mut String) {
    match source.given() {
        Given::Null => match source.variable() {
            Some(name) => out.extend(["$", name]),
            None => out.push_str("null"),
        },
        Given::Boolean(boolean) => out.push_str(if boolean { "true" } else { "false" }),
        Given::Number(_) => write_number(source, out),
        Given::Text(text) => write_text(&text, out),
        Given::Name(name) => out.push_str(name),
        Given::List(items) => write_list(items, depth, out),
        Given::Object(entries) => {
            let entries: Vec<_> = entries.collect();
            if entries.is_empty() {
                return out.push_str("{}");
            }
            if depth > DEPTH_MAX {
                return out.push_str("[Object]");
            }
            out.push_str("{ ");
            for (index, (key, value)) in entries.iter().take(ITEMS_MAX).enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                out.extend(key.chars().take(TEXT_MAX));
                out.push_str(": ");
                write(*value, depth + 1, out);
            }
            write_more(entries.len(), out);
            out.push_str(" }");
        }
    }
}

fn write_list<'a>(items: impl Iterator<Item = Source<'a>>, depth: usize, out: &mut String) {
    let items: Vec<_> = items.collect();
    if depth > DEPTH_MAX && !items.is_empty() {
        return out.push_str("[Array]");
    }
    out.push('[');
    for (index, item) in items.iter().take(ITEMS_MAX).enumerate() {
        out.push_str(if index == 0 { "" } else { ", " });
        write(*item, depth + 1, out);
    }
    write_more(items.len(), out);
    out.push(']');
}

fn write_more(length: usize, out: &mut String) {
    match length.saturating_sub(ITEMS_MAX) {
        0 => {}
        1 => out.push_str(", ... 1 more item"),
        more => out.extend([", ... ", &more.to_string(), " more items"]),
    }
}

fn write_number(source: Source<'_>, out: &mut String) {
    let text = match source {
        Source::Json(value) if value.shape() == Shape::Number => value.raw().to_owned(),
        Source::Literal(Literal::Number(number)) | Source::Default(ConstValue::Number(number)) => {
            number.to_string()
        }
        Source::Json(_) | Source::Literal(_) | Source::Default(_) => String::new(),
    };
    out.extend(text.chars().take(TEXT_MAX));
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars().take(TEXT_MAX) {
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control.is_control() => {
                let _infallible = write!(out, "\\u{:04x}", u32::from(control));
            }
            other => out.push(other),
        }
    }
    out.push_str(if text.chars().nth(TEXT_MAX).is_some() { "…\"" } else { "\"" });
}

#[cfg(test)]
mod tests {
    use super::super::json::Document;
    use super::*;

    #[test]
    fn values_look_as_in_graphql_js() {
        let long = format!("\"{}\"", "x".repeat(101));
        let short = format!("\"{}…\"", "x".repeat(100));
        for (json, expected) in [
            ("null", "null"),
            ("true", "true"),
            ("1.50", "1.50"),
            (r#""a\"\u0007\n""#, r#""a\"\u0007\n""#),
            ("{}", "{}"),
            ("[]", "[]"),
            (
                r#"{"a":[1,{"b":2}],"c":{"d":{"e":1},"f":{}}}"#,
                "{ a: [1, [Object]], c: { d: [Object], f: {} } }",
            ),
            ("[[[1]]]", "[[[Array]]]"),
            ("[1,2,3,4,5,6,7,8,9,10,11]", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ... 1 more item]"),
            ("[1,2,3,4,5,6,7,8,9,10,11,12]", "[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, ... 2 more items]"),
            (&long, &short),
        ] {
            let document = Document::read(json).unwrap();
            assert_eq!(inspect(Source::Json(document.root().unwrap())), expected, "{json}");
        }
    }
}
