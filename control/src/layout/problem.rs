//! Why an entry cannot be read: the key it was about, and the first step that failed.
//!
//! Keys and values come from whoever may write to a shared etcd. All that is shown of them is escaped
//! and cropped when the error is made, so that no error is longer than `ERROR_BYTES_MAX`, whatever is
//! done with it.

use std::fmt;

use crate::registration::Mistake;

/// The longest text of an [`Error`].
pub const ERROR_BYTES_MAX: usize = 2048;

const KEY_BYTES_SHOWN: usize = 96;
const FIELD_BYTES_SHOWN: usize = 64;
const MESSAGE_BYTES_SHOWN: usize = 200;
const MISTAKES_SHOWN: usize = 4;

/// An entry that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the entry \"{key}\" cannot be read: {problem}")]
pub struct Error {
    /// Its key, escaped and cropped.
    pub key: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The key belongs to somebody else.
    #[error("its key is not below the prefix of the source")]
    Outside,
    /// The key is not built as the layout says.
    #[error("its key {0}")]
    Key(&'static str),
    /// The value is too long to be looked into.
    #[error("its value has {found} bytes, and {allowed} are allowed")]
    Size {
        /// Its length.
        found: usize,
        /// The longest that is read.
        allowed: usize,
    },
    /// The value is not text.
    #[error("its value {0}")]
    Value(&'static str),
    /// The value is not JSON.
    #[error("its value is no JSON: {0}")]
    Json(String),
    /// A field of the value is not what it should be.
    #[error("the field {field} {message}")]
    Field {
        /// Where: `nodes[0].address`.
        field: String,
        /// What, as a sentence without its subject.
        message: String,
    },
    /// The instance is not well described.
    #[error("{0}")]
    Mistakes(Mistakes),
}

/// The first mistakes in a description, cropped, and how many there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistakes {
    first: Vec<Mistake>,
    count: usize,
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, mistake) in self.first.iter().enumerate() {
            let separator = if at == 0 { "" } else { "; " };
            write!(f, "{separator}{} {}", mistake.field, mistake.message)?;
        }
        match self.count - self.first.len() {
            0 => Ok(()),
            more => write!(f, "; and {more} more"),
        }
    }
}

impl Problem {
    pub(super) fn field(field: impl AsRef<str>, message: impl AsRef<str>) -> Problem {
        Problem::Field {
            field: crop(field.as_ref(), FIELD_BYTES_SHOWN).escape_debug().to_string(),
            message: crop(message.as_ref(), MESSAGE_BYTES_SHOWN),
        }
    }

    /// The value names something else than the key does.
    pub(super) fn differs(field: &str, said: &str) -> Problem {
        Problem::field(field, format!("is {:?}, and the key names another", crop(said, FIELD_BYTES_SHOWN)))
    }

    pub(super) fn mistakes(mistakes: Vec<Mistake>) -> Problem {
        let count = mistakes.len();
        let cropped = |mistake: Mistake| Mistake {
            field: crop(&mistake.field, FIELD_BYTES_SHOWN),
            message: crop(&mistake.message, MESSAGE_BYTES_SHOWN),
        };
        let first = mistakes.into_iter().take(MISTAKES_SHOWN).map(cropped).collect();
        Problem::Mistakes(Mistakes { first, count })
    }
}

/// The beginning of a text, with a sign that there was more.
pub(super) fn crop(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    format!("{}…", &text[..text.floor_char_boundary(bytes_max)])
}

/// The beginning of a key, as it can stand in a line of a log.
pub(super) fn escape(key: &[u8]) -> String {
    let beginning = String::from_utf8_lossy(&key[..key.len().min(KEY_BYTES_SHOWN)]);
    let more = if key.len() > KEY_BYTES_SHOWN { "…" } else { "" };
    format!("{}{more}", beginning.escape_debug())
}
