//! What a service says beside its status: the messages of `google/rpc/error_details.proto` as extensions.
//!
//! Each has a place of its own in `extensions`. What a service says of itself (`DebugInfo`, a request's or a
//! resource's name) is for nobody outside. When the text of a status is masked its details are as well, but
//! for the two that are made for machines: how long to wait, and a reason that is a single word. Bytes
//! that are no status are no details, and never an error.

use bytes::Bytes;
use prost::{DecodeError, Message};
use prost_types::Any;
use serde_json::{Map, Value, json};
use tonic_types::pb::{
    BadRequest, ErrorInfo, LocalizedMessage, PreconditionFailure, QuotaFailure, RetryInfo, Status,
};
use turnout_schema::graph::{Argument, Types};

use super::names::translate;
use super::text::clean;

/// The most entries of a list that are shown.
const ENTRIES_MAX: usize = 100;

/// Whether the words of a service may be seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// They are made for callers.
    Open,
    /// They may be about what is behind the service.
    Masked,
}

/// Whose names a service uses when it speaks of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct Speech<'a> {
    /// The arguments of the field that the call is for.
    pub(super) arguments: &'a [Argument],
    /// The types of the graph.
    pub(super) types: &'a Types,
}

/// What the details of a status say, and the message that is written for the reader, when there is one.
pub(super) fn read(bytes: &Bytes, words: Words, speech: Speech<'_>) -> (Map<String, Value>, Option<String>) {
    let mut said = Said::default();
    let status = Status::decode(bytes.clone()).unwrap_or_default();
    for detail in &status.details {
        // What cannot be read says nothing.
        let _ = said.detail(detail, words, speech);
    }
    (said.extensions, said.message)
}

/// What was said so far.
#[derive(Debug, Default)]
struct Said {
    extensions: Map<String, Value>,
    message: Option<String>,
}

impl Said {
    fn detail(&mut self, detail: &Any, words: Words, speech: Speech<'_>) -> Result<(), DecodeError> {
        let bytes = detail.value.as_slice();
        let name = detail.type_url.rsplit_once('/').and_then(|(_, name)| name.strip_prefix("google.rpc."));
        match (name.unwrap_or_default(), words) {
            ("RetryInfo", Words::Open | Words::Masked) => {
                self.extensions.extend(retry_after(&RetryInfo::decode(bytes)?));
            }
            ("ErrorInfo", words) => error_info(ErrorInfo::decode(bytes)?, words, &mut self.extensions),
            ("BadRequest", Words::Open) => {
                self.say("fieldErrors", field_errors(&BadRequest::decode(bytes)?, speech));
            }
            ("QuotaFailure", Words::Open) => self.say("quota", violations(&QuotaFailure::decode(bytes)?)),
            ("PreconditionFailure", Words::Open) => {
                self.say("preconditions", preconditions(&PreconditionFailure::decode(bytes)?));
            }
            ("LocalizedMessage", Words::Open) => {
                let localized = LocalizedMessage::decode(bytes)?;
                let text = clean(&localized.message);
                let locale = clean(&localized.locale);
                self.say("localizedMessage", json!({ "locale": locale, "message": text }));
                self.message = (!text.is_empty()).then_some(text);
            }
            (_, Words::Open | Words::Masked) => {}
        }
        Ok(())
    }

    fn say(&mut self, key: &str, value: Value) {
        self.extensions.insert(key.to_owned(), value);
    }
}

fn retry_after(retry: &RetryInfo) -> Option<(String, Value)> {
    let delay = retry.retry_delay.as_ref()?;
    let ms = i128::from(delay.seconds) * 1000 + i128::from(delay.nanos) / 1_000_000;
    let ms = u64::try_from(ms).ok()?;
    Some(("retryAfterMs".to_owned(), ms.into()))
}

fn error_info(info: ErrorInfo, words: Words, extensions: &mut Map<String, Value>) {
    if words == Words::Open || is_constant(&info.reason) {
        extensions.insert("reason".to_owned(), clean(&info.reason).into());
    }
    if words == Words::Open {
        extensions.insert("domain".to_owned(), clean(&info.domain).into());
        let mut entries: Vec<_> = info.metadata.into_iter().collect();
        entries.sort();
        let entries = entries.iter().take(ENTRIES_MAX);
        let metadata = entries.map(|(key, value)| (clean(key), clean(value).into())).collect();
        extensions.insert("metadata".to_owned(), Value::Object(metadata));
    }
}

/// Whether a reason is what it should be, such as `STOCK_LIMIT_REACHED`, and no sentence.
fn is_constant(reason: &str) -> bool {
    let is_fit = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
    !reason.is_empty() && reason.len() <= 63 && reason.bytes().all(is_fit)
}

fn field_errors(bad: &BadRequest, speech: Speech<'_>) -> Value {
    let field_error = |violation: &tonic_types::pb::bad_request::FieldViolation| {
        let field = translate(&violation.field, speech.arguments, speech.types);
        json!({ "field": field, "description": clean(&violation.description) })
    };
    bad.field_violations.iter().take(ENTRIES_MAX).map(field_error).collect()
}

fn violations(quota: &QuotaFailure) -> Value {
    let violation = |violation: &tonic_types::pb::quota_failure::Violation| json!({ "subject": clean(&violation.subject), "description": clean(&violation.description) });
    quota.violations.iter().take(ENTRIES_MAX).map(violation).collect()
}

fn preconditions(failure: &PreconditionFailure) -> Value {
    let violation = |violation: &tonic_types::pb::precondition_failure::Violation| {
        json!({
            "type": clean(&violation.r#type),
            "subject": clean(&violation.subject),
            "description": clean(&violation.description),
        })
    };
    failure.violations.iter().take(ENTRIES_MAX).map(violation).collect()
}
