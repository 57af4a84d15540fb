//! What must become of each fault: the code of its error, by gRPC's own rules.
//!
//! The rules are: status codes of HTTP by the published table; codes of RST_STREAM by the table of gRPC over
//! HTTP/2; what breaks a connection is UNAVAILABLE; an answer that is no gRPC is UNKNOWN; a message that cannot
//! be read is INTERNAL, and one that is too large RESOURCE_EXHAUSTED. Where the implementations of gRPC
//! disagree, or a limit of ours may come first, several codes are right; the first one is what the rules say.

use serde_json::{Value, json};

use super::Seen;
use crate::fault_server::{Answer, EVIL, Fault, Frames, Server, Socket};

/// What an answer must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Everything, as from a good service.
    Data,
    /// Everything but the enum, which is null without an error.
    DataWithoutKind,
    /// Null, and one error with one of these codes.
    Codes(&'static [&'static str]),
    /// Any data without an error, or null with one of these codes.
    Either(&'static [&'static str]),
}

use Expected::{Codes, Data, DataWithoutKind, Either};

const UNAVAILABLE: Expected = Codes(&["UNAVAILABLE"]);
const DEADLINE_EXCEEDED: Expected = Codes(&["DEADLINE_EXCEEDED"]);
const INTERNAL: Expected = Codes(&["INTERNAL"]);
const UNKNOWN: Expected = Codes(&["UNKNOWN"]);
/// A connection that never stands: the limit for connecting may come before that of the operation.
const NEVER_CONNECTED: Expected = Codes(&["DEADLINE_EXCEEDED", "UNAVAILABLE"]);
/// No HTTP/2 at all: a broken connection, or what HTTP/2 has for broken frames.
const NO_HTTP2: Expected = Codes(&["UNAVAILABLE", "INTERNAL"]);
/// gRPC's page of status codes says UNIMPLEMENTED, and its implementations for Go and Java INTERNAL.
const NOT_ONE_MESSAGE: Expected = Codes(&["UNIMPLEMENTED", "INTERNAL"]);
/// What cannot be read inside of a whole frame is found by whoever reads it.
const UNREADABLE: Expected = Codes(&["INTERNAL", "INTERNAL_SERVER_ERROR"]);

pub(super) fn expected(fault: Fault) -> Expected {
    match fault {
        Fault::Socket(fault) => of_socket(fault),
        Fault::Frames(fault) => of_frames(fault),
        Fault::Answer(fault) => of_answer(fault),
    }
}

fn of_socket(fault: Socket) -> Expected {
    match fault {
        Socket::Refused | Socket::AcceptClose | Socket::PlainToTls => UNAVAILABLE,
        Socket::AcceptHang | Socket::SettingsHang => NEVER_CONNECTED,
        Socket::TlsToPlain | Socket::SettingsGarbage | Socket::Http1Answer => NO_HTTP2,
    }
}

fn of_frames(fault: Frames) -> Expected {
    match fault {
        Frames::GoawayNow | Frames::GoawayRefuse | Frames::TcpRst | Frames::TcpCloseMid => UNAVAILABLE,
        Frames::HeaderFlood => Codes(&["RESOURCE_EXHAUSTED", "INTERNAL", "UNAVAILABLE"]),
    }
}

fn of_answer(fault: Answer) -> Expected {
    match fault {
        Answer::Ok | Answer::Slow | Answer::MaxStreams1 | Answer::GoawayGraceful => Data,
        Answer::UnknownEnum => DataWithoutKind,
        // The first call fails, and a second one is allowed for a query.
        Answer::Flaky => Either(&["UNAVAILABLE"]),
        Answer::Asleep | Answer::HeadersHang | Answer::HalfMessage | Answer::SlowDrip | Answer::FlowStall => {
            DEADLINE_EXCEEDED
        }
        Answer::RstRefused | Answer::Http503 | Answer::Http429 => UNAVAILABLE,
        Answer::RstInternal
        | Answer::RstAfterHeaders
        | Answer::RstAfterHalfMessage
        | Answer::TrailersOnlyInternal
        | Answer::MessageTextEvil
        | Answer::CompressedFlag => INTERNAL,
        Answer::RstCancel => Codes(&["CANCELLED"]),
        Answer::RstEnhanceCalm | Answer::Length4gib | Answer::HugeMessage => Codes(&["RESOURCE_EXHAUSTED"]),
        Answer::Http404 => Codes(&["UNIMPLEMENTED"]),
        Answer::Http401 => Codes(&["UNAUTHENTICATED"]),
        Answer::Redirect302
        | Answer::ContentTypeHtml
        | Answer::ContentTypeJson
        | Answer::TrailersWithoutStatus
        | Answer::StatusGarbage
        | Answer::Status999 => UNKNOWN,
        // Some take what has no type for gRPC, and then stumble over the frame.
        Answer::ContentTypeMissing | Answer::NoTrailers => Codes(&["UNKNOWN", "INTERNAL"]),
        Answer::MessageTextHuge => Codes(&["INTERNAL", "RESOURCE_EXHAUSTED"]),
        Answer::DetailsGarbage => Codes(&["INVALID_ARGUMENT"]),
        Answer::DetailsHuge => Codes(&["RESOURCE_EXHAUSTED", "INTERNAL", "INVALID_ARGUMENT"]),
        Answer::TrailersOnlyOk | Answer::TwoMessages | Answer::ZeroMessages => NOT_ONE_MESSAGE,
        Answer::TruncatedMessage | Answer::GarbageMessage | Answer::DeepMessage | Answer::InvalidUtf8 => {
            UNREADABLE
        }
        // protobuf calls such fields unknown and goes on; to refuse them is as good.
        Answer::WrongTypes => Either(&["INTERNAL", "INTERNAL_SERVER_ERROR"]),
    }
}

/// What is wrong with what an answer says about a fault's field; nothing when it is as expected.
pub(super) fn complaints(body: &Value, fault: Fault, field: &str) -> Vec<String> {
    let data = &body["data"][field];
    let none = Vec::new();
    let errors = body["errors"].as_array().unwrap_or(&none);
    let errors: Vec<&Value> = errors.iter().filter(|error| error["path"][0] == field).collect();
    let mut complaints = Vec::new();
    let mut check = |holds: bool, what: String| {
        if !holds {
            complaints.push(format!("{field}: {what}; data {data}, errors {errors:?}"));
        }
    };
    let (codes, data_expected) = match expected(fault) {
        Data => (&[][..], Some(whole())),
        DataWithoutKind => (&[][..], Some(but_kind())),
        Codes(codes) => (codes, None),
        Either(codes) if data.is_null() => (codes, None),
        Either(_) => (&[][..], Some(data.clone())),
    };
    if let Some(expected) = data_expected {
        check(*data == expected && errors.is_empty(), "should be there without an error".to_owned());
        return complaints;
    }
    check(data.is_null() && body["data"].get(field).is_some(), "should be null".to_owned());
    check(errors.len() == 1, "should have one error".to_owned());
    for error in &errors {
        let code = error["extensions"]["code"].as_str().unwrap_or_default();
        check(codes.contains(&code), format!("should have a code of {codes:?}"));
        check(error["extensions"]["service"] == fault.service(), "should name the service".to_owned());
        let message = error["message"].as_str().unwrap_or_default();
        check(!message.is_empty(), "should have a message".to_owned());
    }
    complaints
}

/// The data of a good answer.
pub(super) fn whole() -> Value {
    json!({ "name": "fine", "count": 7, "part": { "text": "deep" }, "tags": ["a", "b"], "kind": "FINE" })
}

fn but_kind() -> Value {
    let mut data = whole();
    data["kind"] = Value::Null;
    data
}

/// Everything in an answer that is not the caller's business.
pub(super) fn leaks(seen: &Seen, servers: &[Server]) -> Vec<String> {
    let text = String::from_utf8_lossy(&seen.body);
    let mut secrets: Vec<String> = [
        "<script",
        "alert(1)",
        "hunter2",
        "postgres:",
        "10.1.2.3",
        "127.0.0.1",
        "nginx",
        "<html",
        "\\u0000",
        "\\u003c",
        "HTTP/2",
        "h2 ",
        "hyper",
        "src/",
        "os error",
        "panicked",
    ]
    .map(str::to_owned)
    .to_vec();
    secrets.push(EVIL.to_owned());
    // `:50051`: digits alone may stand in anything.
    secrets.extend(servers.iter().map(|server| server.url()[server.url().rfind(':').unwrap()..].to_owned()));
    secrets.retain(|secret| text.contains(secret.as_str()));
    secrets
}
