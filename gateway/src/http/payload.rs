//! The JSON of a request: which document it brings, which operation of it, and the variables' text.
//!
//! Borrowed from the body wherever possible: the document stays the JSON string that was sent, since
//! plans are found by that, and the variables stay text until the plan says what they are. Members that
//! are not known are passed over; one that stands twice is refused, because two readers would disagree.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_json::value::RawValue;

/// What a request asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Payload<'a> {
    /// The document: a JSON string with its quotes.
    pub(crate) query: &'a str,
    /// Which of its operations.
    pub(crate) operation_name: Option<Cow<'a, str>>,
    /// The JSON object of the variables; empty for none.
    pub(crate) variables: &'a str,
}

/// Why a body is no request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// Its bytes are not text.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// Its text is not JSON.
    #[error("the body is not JSON: {0}")]
    NotJson(String),
    /// It is JSON, and no object.
    #[error("the body must be one JSON object with the member `query`")]
    NotObject,
    /// It is an array.
    #[error("the body is an array, and operations are taken one in a request; send each alone")]
    Batch,
    /// A member stands twice.
    #[error("the body is no request: {0}")]
    Doubled(String),
    /// A member is not what it must be.
    #[error("`{member}` must be {expected}")]
    Member {
        /// Its name.
        member: &'static str,
        /// What it must be.
        expected: &'static str,
    },
    /// There is no document.
    #[error("`query` is missing; it holds the document as a string")]
    NoQuery,
    /// There is only the hash of a document. Clients know this text, and send the document.
    #[error("PersistedQueryNotSupported")]
    HashOnly,
}

/// The members as they were sent. `null` and absent are one.
#[derive(Deserialize)]
struct Members<'a> {
    #[serde(borrow)]
    query: Option<&'a RawValue>,
    #[serde(borrow, rename = "operationName")]
    operation_name: Option<&'a RawValue>,
    #[serde(borrow)]
    variables: Option<&'a RawValue>,
    #[serde(borrow)]
    extensions: Option<&'a RawValue>,
}

/// What decides about a request without a document.
#[derive(Deserialize)]
struct Extensions {
    #[serde(rename = "persistedQuery")]
    persisted_query: Option<IgnoredAny>,
}

/// Reads a body.
pub(crate) fn read(body: &[u8]) -> Result<Payload<'_>, Error> {
    let text = std::str::from_utf8(body).map_err(|_| Error::NotUtf8)?;
    // A struct is read from an array too, by the order of its members, so the kind is looked at first.
    let start = text.trim_start_matches([' ', '\t', '\n', '\r']);
    if !start.starts_with('{') {
        serde_json::from_str::<IgnoredAny>(text).map_err(|error| Error::NotJson(error.to_string()))?;
        return Err(if start.starts_with('[') { Error::Batch } else { Error::NotObject });
    }
    let members: Members<'_> = serde_json::from_str(text).map_err(|error| match error.classify() {
        Category::Data => Error::Doubled(error.to_string()),
        Category::Io | Category::Syntax | Category::Eof => Error::NotJson(error.to_string()),
    })?;
    let extensions = object("extensions", members.extensions)?;
    let variables = object("variables", members.variables)?;
    let operation_name = members.operation_name.map(string).transpose()?;
    let Some(query) = members.query else {
        let hash =
            serde_json::from_str::<Extensions>(extensions).ok().and_then(|found| found.persisted_query);
        return Err(hash.map_or(Error::NoQuery, |_| Error::HashOnly));
    };
    if !query.get().starts_with('"') {
        return Err(Error::Member { member: "query", expected: "a string" });
    }
    Ok(Payload { query: query.get(), operation_name, variables })
}

fn object<'a>(member: &'static str, value: Option<&'a RawValue>) -> Result<&'a str, Error> {
    match value.map_or("", RawValue::get) {
        text if text.is_empty() || text.starts_with('{') => Ok(text),
        _ => Err(Error::Member { member, expected: "an object or null" }),
    }
}

fn string(value: &RawValue) -> Result<Cow<'_, str>, Error> {
    let inside = value.get().strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    match inside {
        Some(text) if !text.contains('\\') => Ok(Cow::Borrowed(text)),
        Some(_) | None => serde_json::from_str(value.get())
            .map(Cow::Owned)
            .map_err(|_| Error::Member { member: "operationName", expected: "a string or null" }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(body: &str) -> String {
        read(body.as_bytes()).map(|payload| format!("{payload:?}")).unwrap_or_else(|error| error.to_string())
    }

    #[test]
    fn members_are_borrowed_as_they_were_sent() {
        let body = br#" { "operationName" : "A", "query":"{ a\n}", "variables":{ "x": 1 }, "more": [{}] } "#;
        let payload = read(body).unwrap();
        assert_eq!(payload.query, r#""{ a\n}""#);
        assert!(matches!(payload.operation_name, Some(Cow::Borrowed("A"))));
        assert_eq!(payload.variables, r#"{ "x": 1 }"#);
    }

    #[test]
    fn null_and_absent_are_one() {
        let bare = read(br#"{"query":"{a}"}"#).unwrap();
        let nulls = br#"{"query":"{a}","variables":null,"operationName":null,"extensions":null}"#;
        assert_eq!(read(nulls).unwrap(), bare);
        assert_eq!((bare.variables, bare.operation_name), ("", None));
    }

    #[test]
    fn names_are_unescaped() {
        let payload = read(br#"{"qu\u0065ry":"{a}","operationName":"\u0041"}"#).unwrap();
        assert_eq!(payload.operation_name.as_deref(), Some("A"));
    }

    #[test]
    fn a_document_beside_its_hash_is_taken() {
        let body = br#"{"query":"{a}","extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}"#;
        assert_eq!(read(body).unwrap().query, r#""{a}""#);
    }

    #[test]
    fn deep_nesting_is_walked_and_not_recursed_into() {
        let deep = format!(r#"{{"query":"{{a}}","x":{}1{}}}"#, "[".repeat(200_000), "]".repeat(200_000));
        assert_eq!(message(&deep), message(r#"{"query":"{a}"}"#));
    }

    #[test]
    fn what_is_wrong_is_named() {
        let object = "the body must be one JSON object with the member `query`";
        let batch = "the body is an array, and operations are taken one in a request; send each alone";
        for (body, expected) in [
            ("{}", "`query` is missing; it holds the document as a string"),
            (r#"{"query":null}"#, "`query` is missing; it holds the document as a string"),
            (r#"{"Query":"{a}"}"#, "`query` is missing; it holds the document as a string"),
            (r#"{"extensions":{"persistedQuery":{}}}"#, "PersistedQueryNotSupported"),
            (r#"{"query":1}"#, "`query` must be a string"),
            (r#"{"query":["{a}"]}"#, "`query` must be a string"),
            (r#"{"query":{"a":1}}"#, "`query` must be a string"),
            (r#"{"query":"{a}","variables":[]}"#, "`variables` must be an object or null"),
            (r#"{"query":"{a}","variables":"{}"}"#, "`variables` must be an object or null"),
            (r#"{"query":"{a}","variables":0}"#, "`variables` must be an object or null"),
            (r#"{"query":"{a}","operationName":1}"#, "`operationName` must be a string or null"),
            (r#"{"query":"{a}","operationName":"\ud800"}"#, "`operationName` must be a string or null"),
            (r#"{"query":"{a}","extensions":1}"#, "`extensions` must be an object or null"),
            ("[]", batch),
            (r#"["{a}",null,null,null]"#, batch),
            ("1", object),
            (r#""{a}""#, object),
            ("null", object),
        ] {
            assert_eq!(message(body), expected, "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_told_with_its_place() {
        for body in [
            "",
            " ",
            "{",
            "[1,",
            "query={a}",
            r#"{"query":"{a}"}}"#,
            r#"{"query":"{a}",}"#,
            "{'query':1}",
            "\u{feff}{}",
        ] {
            let text = message(body);
            assert!(text.starts_with("the body is not JSON: ") && text.contains("column"), "{body}: {text}");
        }
        assert_eq!(read(b"{\"query\":\"\xff\"}"), Err(Error::NotUtf8));
    }

    #[test]
    fn a_member_that_stands_twice_is_named() {
        for member in ["query", "variables", "operationName", "extensions"] {
            let body = format!(r#"{{"{member}":null,"{member}":null}}"#);
            let text = message(&body);
            assert!(text.contains(&format!("duplicate field `{member}`")), "{text}");
        }
    }
}
