//! What the end of a call means: trailers, statuses of HTTP, and errors of HTTP/2, in terms of gRPC.
//!
//! The tables are gRPC's own (its documents on the HTTP/2 protocol and on HTTP statuses). How far a call came
//! is decided here as well, and in doubt it is `Perhaps`: that a service never saw a call is said only where
//! the protocol promises it. What a stranger wrote is cut and cleaned, but not hidden: that is up to whoever
//! shows it.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, StatusCode};
use tonic::Code;
use tonic::metadata::MetadataMap;

use super::exchange::{Attempt, Reach};
use super::frame::Broken;
use super::{Failure, Origin};

/// What is kept of a text that a service wrote.
const MESSAGE_BYTES_MAX: usize = 1024;

/// What is kept of a status's details; more is dropped altogether, because a part of it means nothing.
const DETAILS_BYTES_MAX: usize = 64 * 1024;

/// What a connection knows of its own end, when a call on it breaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// Nothing was written since the call began, or nobody has ever answered at the other end.
    Nothing,
    /// It may have arrived.
    Perhaps,
}

/// What the last headers of a call say: `Ok` for OK, and why not otherwise.
pub(super) fn ending(fields: HeaderMap) -> Result<(), Attempt> {
    let Some(status) = fields.get("grpc-status") else {
        return Err(no_answer(Code::Unknown, "the answer ended without a status"));
    };
    let number = status.to_str().ok().filter(|text| text.bytes().all(|byte| byte.is_ascii_digit()));
    let Some(number) = number.and_then(|text| text.parse::<i32>().ok()) else {
        return Err(no_answer(Code::Unknown, "the answer ended with a status that is no number"));
    };
    let code = Code::from_i32(number);
    if code == Code::Ok {
        return Ok(());
    }
    let message = fields.get("grpc-message").map(|text| message(text.as_bytes())).unwrap_or_default();
    let pushback = fields.get("grpc-retry-pushback-ms").map(|text| pushback(text.as_bytes()));
    let details = details(fields);
    let failure = Failure { code, message, details, origin: Origin::Service };
    Err(Attempt { failure, reach: Reach::Answered, pushback })
}

/// An answer of HTTP without a status of gRPC: mostly from a proxy in between.
pub(super) fn http(status: StatusCode) -> Attempt {
    let code = match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        // Not in the table. What the caller sent along is too much: no other instance would take it either.
        431 => Code::ResourceExhausted,
        _ => Code::Unknown,
    };
    no_answer(code, &format!("the answer was HTTP {}", status.as_u16()))
}

/// Something came that is no answer of gRPC.
pub(super) fn no_answer(code: Code, message: &str) -> Attempt {
    attempt(code, message, Origin::Answer, Reach::Perhaps)
}

/// A message that is none, or too long.
pub(super) fn broken(why: Broken) -> Attempt {
    let code = match why {
        Broken::Compressed | Broken::Flag(_) => Code::Internal,
        Broken::TooLong { .. } => Code::ResourceExhausted,
    };
    no_answer(code, &why.to_string())
}

/// Time ran out.
pub(super) fn late(reach: Reach) -> Attempt {
    attempt(Code::DeadlineExceeded, "the deadline was exceeded", Origin::Deadline, reach)
}

/// A request that could not be sent, because of what it is.
pub(super) fn unsendable(message: &str) -> Attempt {
    attempt(Code::ResourceExhausted, message, Origin::Overload, Reach::Unseen)
}

/// A request that a connection did not take any more.
pub(super) fn refused(error: &h2::Error) -> Attempt {
    unavailable(error, Reach::Unseen)
}

/// What ended a call before its last headers.
pub(super) fn interrupted(error: &h2::Error, sent: Sent) -> Attempt {
    if error.is_go_away() && error.is_remote() {
        // Only streams above the last one that the peer wants to process are told so: RFC 9113, 6.8.
        return unavailable(error, Reach::Unseen);
    }
    if error.is_reset() && error.is_remote() {
        return reset(error.reason().unwrap_or(Reason::INTERNAL_ERROR));
    }
    if error.is_io() {
        let reach = match sent {
            Sent::Nothing => Reach::Unseen,
            Sent::Perhaps => Reach::Perhaps,
        };
        return unavailable(error, reach);
    }
    if error.is_go_away() && error.reason() == Some(Reason::ENHANCE_YOUR_CALM) {
        return no_answer(Code::ResourceExhausted, "more headers came than are taken");
    }
    if error.is_go_away() {
        // What came was not HTTP/2: the connection is gone, and all calls with it.
        return no_answer(Code::Unavailable, &text(error));
    }
    // One answer broke the rules of HTTP/2, or its headers were over the limit; the connection lives on.
    no_answer(Code::Internal, &text(error))
}

/// A stream that the other end reset: the table of gRPC's HTTP/2 protocol.
fn reset(reason: Reason) -> Attempt {
    let message = format!("the call was reset: {}", reason.description());
    let code = match reason {
        // The one that promises that nothing was done.
        Reason::REFUSED_STREAM => {
            return attempt(Code::Unavailable, &message, Origin::Connection, Reach::Unseen);
        }
        // Services may end calls of theirs like this; ours are not known to be cancelled, for then nobody
        // would be here to learn of it.
        Reason::CANCEL => Code::Cancelled,
        Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        Reason::NO_ERROR
        | Reason::PROTOCOL_ERROR
        | Reason::INTERNAL_ERROR
        | Reason::FLOW_CONTROL_ERROR
        | Reason::SETTINGS_TIMEOUT
        | Reason::FRAME_SIZE_ERROR
        | Reason::COMPRESSION_ERROR
        | Reason::CONNECT_ERROR => Code::Internal,
        // The table has none for these: STREAM_CLOSED, HTTP_1_1_REQUIRED, and what is invented later.
        _ => Code::Unknown,
    };
    no_answer(code, &message)
}

fn unavailable(error: &h2::Error, reach: Reach) -> Attempt {
    attempt(Code::Unavailable, &text(error), Origin::Connection, reach)
}

fn attempt(code: Code, message: &str, origin: Origin, reach: Reach) -> Attempt {
    let failure = Failure { code, message: message.to_owned(), details: Bytes::new(), origin };
    Attempt { failure, reach, pushback: None }
}

/// The error's own words, which may hold a text that the peer sent along.
fn text(error: &h2::Error) -> String {
    let mut text = error.to_string();
    text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
    text
}

/// Undoes the percent-encoding of `grpc-message`. What is no escape stays as it is; what is no text, and what
/// would move a cursor or end a line, is replaced.
fn message(encoded: &[u8]) -> String {
    let mut bytes = Vec::with_capacity(encoded.len().min(MESSAGE_BYTES_MAX));
    let mut rest = encoded;
    // Three bytes at most become one, so what is read for a text that is cut anyway is bounded as well.
    while let [first, after @ ..] = rest
        && bytes.len() <= MESSAGE_BYTES_MAX
    {
        match rest {
            [b'%', high, low, after @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                bytes.push(digit(*high) * 16 + digit(*low));
                rest = after;
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    let mut text: String = String::from_utf8_lossy(&bytes)
        .chars()
        .map(|char| if char.is_control() { char::REPLACEMENT_CHARACTER } else { char })
        .collect();
    text.truncate(text.floor_char_boundary(MESSAGE_BYTES_MAX));
    text
}

/// The value of a hexadecimal digit.
fn digit(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => byte - b'0',
        byte => (byte | 0x20) - b'a' + 10,
    }
}

/// `grpc-status-details-bin`, with padding or without; empty when it is unreadable or too long.
fn details(fields: HeaderMap) -> Bytes {
    let metadata = MetadataMap::from_headers(fields);
    let Some(value) = metadata.get_bin("grpc-status-details-bin") else { return Bytes::new() };
    if value.as_encoded_bytes().len() > DETAILS_BYTES_MAX.div_ceil(3) * 4 {
        return Bytes::new();
    }
    let details = value.to_bytes().unwrap_or_default();
    if details.len() > DETAILS_BYTES_MAX { Bytes::new() } else { details }
}

/// `grpc-retry-pushback-ms`: what is no number, a negative one included, means never again.
fn pushback(text: &[u8]) -> Option<Duration> {
    let millis = std::str::from_utf8(text).ok()?.parse::<u32>().ok()?;
    Some(Duration::from_millis(millis.into()))
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn failure(fields: &[(&'static str, &str)]) -> Attempt {
        let mut map = HeaderMap::new();
        for (name, value) in fields {
            map.insert(*name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        ending(map).unwrap_err()
    }

    #[test]
    fn a_status_of_the_service_is_an_answer() {
        let attempt = failure(&[("grpc-status", "5"), ("grpc-message", "no such user")]);
        assert_eq!(attempt.failure.code, Code::NotFound);
        assert_eq!(attempt.failure.message, "no such user");
        assert_eq!(attempt.failure.origin, Origin::Service);
        assert_eq!(attempt.reach, Reach::Answered);
        assert_eq!(attempt.pushback, None);
    }

    #[test]
    fn a_status_that_is_none_is_a_bad_answer() {
        for fields in [
            &[][..],
            &[("grpc-status", "")],
            &[("grpc-status", "ok")],
            &[("grpc-status", "-1")],
            &[("grpc-status", "99999999999")],
        ] {
            let attempt = failure(fields);
            assert_eq!(attempt.failure.code, Code::Unknown, "{fields:?}");
            assert_eq!(attempt.failure.origin, Origin::Answer, "{fields:?}");
            assert_eq!(attempt.reach, Reach::Perhaps, "{fields:?}");
        }
        assert_eq!(failure(&[("grpc-status", "17")]).failure.code, Code::Unknown);
    }

    #[test]
    fn messages_are_decoded_and_cleaned() {
        for (encoded, decoded) in [
            ("plain", "plain"),
            ("a%20b%C3%A9", "a bé"),
            ("100%", "100%"),
            ("%2", "%2"),
            ("%zz%2G%41", "%zz%2GA"),
            ("%FF", "\u{fffd}"),
            ("a%0D%0Ab%00c%1b[31m", "a\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}[31m"),
            ("%C2%85", "\u{fffd}"),
        ] {
            assert_eq!(message(encoded.as_bytes()), decoded);
        }
    }

    #[test]
    fn of_a_long_message_a_part_is_kept() {
        assert_eq!(message(&[b'x'; 5000]).len(), 1024);
        assert_eq!(message("%C3%A9".repeat(5000).as_bytes()).len(), 1024);
        assert_eq!(message("x%E2%82%AC".repeat(5000).as_bytes()).len(), 1024);
        assert!(message("%FF".repeat(5000).as_bytes()).len() <= 1024);
    }

    #[test]
    fn details_are_read_with_and_without_padding() {
        let details = |text: &str| failure(&[("grpc-status", "3"), ("grpc-status-details-bin", text)]);
        assert_eq!(details("CAM").failure.details, &b"\x08\x03"[..]);
        assert_eq!(details("CAM=").failure.details, &b"\x08\x03"[..]);
        assert!(details("not base64!").failure.details.is_empty());
        assert_eq!(details(&"A".repeat(64 * 1024 / 3 * 4)).failure.details.len(), 64 * 1024 / 3 * 3);
        assert!(details(&"A".repeat(64 * 1024 / 3 * 4 + 4)).failure.details.is_empty());
    }

    #[test]
    fn pushback_is_a_time_or_for_ever() {
        let pushback = |text| failure(&[("grpc-status", "14"), ("grpc-retry-pushback-ms", text)]).pushback;
        assert_eq!(pushback("150"), Some(Some(Duration::from_millis(150))));
        assert_eq!(pushback("0"), Some(Some(Duration::ZERO)));
        for text in ["-1", "soon", "", "99999999999999"] {
            assert_eq!(pushback(text), Some(None), "{text}");
        }
    }

    #[test]
    fn statuses_of_http_have_codes() {
        for (status, code) in [
            (400, Code::Internal),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::Unimplemented),
            (429, Code::Unavailable),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::Unavailable),
            (431, Code::ResourceExhausted),
            (500, Code::Unknown),
            (302, Code::Unknown),
        ] {
            let attempt = http(StatusCode::from_u16(status).unwrap());
            assert_eq!((attempt.failure.code, attempt.failure.origin), (code, Origin::Answer), "{status}");
        }
    }

    #[test]
    fn resets_have_the_codes_of_grpc() {
        let codes = [
            (Reason::NO_ERROR, Code::Internal),
            (Reason::PROTOCOL_ERROR, Code::Internal),
            (Reason::INTERNAL_ERROR, Code::Internal),
            (Reason::FLOW_CONTROL_ERROR, Code::Internal),
            (Reason::SETTINGS_TIMEOUT, Code::Internal),
            (Reason::STREAM_CLOSED, Code::Unknown),
            (Reason::FRAME_SIZE_ERROR, Code::Internal),
            (Reason::REFUSED_STREAM, Code::Unavailable),
            (Reason::CANCEL, Code::Cancelled),
            (Reason::COMPRESSION_ERROR, Code::Internal),
            (Reason::CONNECT_ERROR, Code::Internal),
            (Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
            (Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
            (Reason::HTTP_1_1_REQUIRED, Code::Unknown),
        ];
        for (reason, code) in codes {
            let attempt = reset(reason);
            assert_eq!(attempt.failure.code, code, "{reason:?}");
            let unseen = reason == Reason::REFUSED_STREAM;
            assert_eq!(attempt.reach == Reach::Unseen, unseen, "{reason:?}");
        }
    }
}
