//! The leaves beyond GraphQL's own five, and what people read about them.

use std::collections::BTreeMap;

use super::Doc;

/// Leaves beyond GraphQL's own five.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each says in `description` what it is")]
pub enum Scalar {
    UInt32,
    Int64,
    UInt64,
    Bytes,
    DateTime,
    Duration,
    Date,
    Json,
    FieldMask,
}

impl Scalar {
    /// All of them, in alphabetical order of their names.
    pub const ALL: [Scalar; 9] = [
        Scalar::Bytes,
        Scalar::Date,
        Scalar::DateTime,
        Scalar::Duration,
        Scalar::FieldMask,
        Scalar::Int64,
        Scalar::Json,
        Scalar::UInt32,
        Scalar::UInt64,
    ];

    /// Its name in the graph.
    pub fn name(self) -> &'static str {
        match self {
            Scalar::UInt32 => "UInt32",
            Scalar::Int64 => "Int64",
            Scalar::UInt64 => "UInt64",
            Scalar::Bytes => "Bytes",
            Scalar::DateTime => "DateTime",
            Scalar::Duration => "Duration",
            Scalar::Date => "Date",
            Scalar::Json => "JSON",
            Scalar::FieldMask => "FieldMask",
        }
    }

    /// Where its form is laid down, for `@specifiedBy`.
    pub fn specified_by(self) -> Option<&'static str> {
        match self {
            Scalar::Bytes => Some("https://www.rfc-editor.org/rfc/rfc4648"),
            Scalar::DateTime | Scalar::Date => Some("https://www.rfc-editor.org/rfc/rfc3339"),
            Scalar::Json => Some("https://www.rfc-editor.org/rfc/rfc8259"),
            Scalar::UInt32 | Scalar::Int64 | Scalar::UInt64 | Scalar::Duration | Scalar::FieldMask => None,
        }
    }

    /// What a person reads about it.
    pub fn doc(self) -> &'static Doc {
        static DOCS: std::sync::LazyLock<BTreeMap<Scalar, Doc>> = std::sync::LazyLock::new(|| {
            let doc = |scalar: Scalar| Doc { description: scalar.description().to_owned(), deprecated: None };
            Scalar::ALL.into_iter().map(|scalar| (scalar, doc(scalar))).collect()
        });
        &DOCS[&self]
    }

    fn description(self) -> &'static str {
        match self {
            Scalar::UInt32 => "A whole number from 0 to 4294967295.",
            Scalar::Int64 => {
                "A whole number of 64 bits. Sent as a string, because JavaScript's numbers lose digits; taken \
                 as a string or a number."
            }
            Scalar::UInt64 => {
                "A whole number of 64 bits without a sign. Sent as a string, because JavaScript's numbers lose \
                 digits; taken as a string or a number."
            }
            Scalar::Bytes => {
                "Bytes in base64. Sent with the standard alphabet and padding; taken in either alphabet."
            }
            Scalar::DateTime => "A moment by RFC 3339. Sent in UTC; taken with any offset.",
            Scalar::Duration => "A length of time in seconds with an \"s\" behind: \"3.5s\".",
            Scalar::Date => "A day: \"2026-11-21\".",
            Scalar::Json => "Any JSON value.",
            Scalar::FieldMask => "Names of fields, separated by commas.",
        }
    }
}
