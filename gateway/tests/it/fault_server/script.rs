//! What happens on the stream of a call, as a value: when, which head, which bytes, which end.
//!
//! Pure. Who performs it is `polite`.

use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use http::{HeaderMap, HeaderValue, Response};

use super::fault::Answer;
use super::message;

/// How long [`Answer::Slow`] takes.
pub(crate) const SLOW: Duration = Duration::from_millis(300);
/// How long a call of [`Answer::MaxStreams1`] takes: 50 a second on a connection.
const NARROW: Duration = Duration::from_millis(20);
/// Longer than any deadline in a test.
const ASLEEP: Duration = Duration::from_secs(60);
/// Between two bytes of [`Answer::SlowDrip`], whose answer has more than 200 of them: 10 s.
pub(super) const DRIP: Duration = Duration::from_millis(50);

/// A text that must reach nobody's browser, as it stands in a header.
pub(crate) const EVIL: &str = "a%0D%0Ab <script>alert(1)</script> %00 \
                               postgres://admin:hunter2@10.1.2.3:5432/prod %zz %";

/// The whole course of one call, after its request was read.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) wait: Duration,
    /// `None` when not even headers come.
    pub(super) head: Option<Response<()>>,
    pub(super) body: Body,
    pub(super) end: End,
}

#[derive(Debug)]
pub(super) enum Body {
    /// As fast as it goes; empty for none.
    Whole(Bytes),
    /// One byte in [`DRIP`].
    Drip(Bytes),
}

#[derive(Debug)]
pub(super) enum End {
    /// The headers are all.
    Head,
    /// The last byte of the body.
    Data,
    Trailers(HeaderMap),
    Reset(Reason),
    /// None, until the caller gives up.
    Never,
    /// None either, and the request is not read.
    Unread,
}

/// The course of the `nth` call, from 0.
pub(super) fn script(answer: Answer, nth: usize) -> Script {
    match answer {
        Answer::Ok | Answer::GoawayGraceful => with(message::good()),
        Answer::Slow => Script { wait: SLOW, ..with(message::good()) },
        Answer::Asleep => Script { wait: ASLEEP, ..with(message::good()) },
        Answer::MaxStreams1 => Script { wait: NARROW, ..with(message::good()) },
        Answer::Flaky if nth.is_multiple_of(2) => status_only("14", &[]),
        Answer::Flaky => with(message::good()),
        Answer::RstRefused => reset(None, Reason::REFUSED_STREAM),
        Answer::RstInternal => reset(None, Reason::INTERNAL_ERROR),
        Answer::RstCancel => reset(None, Reason::CANCEL),
        Answer::RstEnhanceCalm => reset(None, Reason::ENHANCE_YOUR_CALM),
        Answer::RstAfterHeaders => reset(Some(Bytes::new()), Reason::INTERNAL_ERROR),
        Answer::RstAfterHalfMessage => reset(Some(message::half()), Reason::INTERNAL_ERROR),
        Answer::HeadersHang => Script { end: End::Never, ..with(Bytes::new()) },
        Answer::HalfMessage => Script { end: End::Never, ..with(message::half()) },
        Answer::SlowDrip => Script { body: Body::Drip(message::long()), ..with(Bytes::new()) },
        Answer::FlowStall => Script { head: None, end: End::Unread, ..with(Bytes::new()) },
        Answer::Http404 => page(404, Some("text/html")),
        Answer::Http503 => page(503, Some("text/html")),
        Answer::Http401 => page(401, Some("text/html")),
        Answer::Http429 => page(429, Some("text/html")),
        Answer::Redirect302 => page(302, Some("text/html")),
        Answer::ContentTypeHtml => page(200, Some("text/html")),
        Answer::ContentTypeJson => page(200, Some("application/json")),
        Answer::ContentTypeMissing => page(200, None),
        Answer::TrailersOnlyInternal => status_only("13", &[("grpc-message", EVIL)]),
        Answer::TrailersOnlyOk => status_only("0", &[]),
        Answer::NoTrailers => Script { end: End::Data, ..with(message::good()) },
        Answer::TrailersWithoutStatus => ending(&[("x-nothing", "1")]),
        Answer::StatusGarbage => ending(&[("grpc-status", "abc")]),
        Answer::Status999 => ending(&[("grpc-status", "999")]),
        Answer::MessageTextEvil => ending(&[("grpc-status", "13"), ("grpc-message", EVIL)]),
        Answer::MessageTextHuge => {
            ending(&[("grpc-status", "13"), ("grpc-message", &"hunter2 ".repeat(12_800))])
        }
        Answer::DetailsGarbage => {
            let details = if nth.is_multiple_of(2) { "!%&=no base64" } else { "/////////w" };
            ending(&[("grpc-status", "3"), ("grpc-status-details-bin", details)])
        }
        Answer::DetailsHuge => {
            ending(&[("grpc-status", "3"), ("grpc-status-details-bin", &"A".repeat(256 << 10))])
        }
        Answer::TwoMessages => with(message::twice()),
        Answer::ZeroMessages => with(Bytes::new()),
        Answer::Length4gib => with(message::length_4gib()),
        Answer::HugeMessage => with(message::huge()),
        Answer::CompressedFlag => with(message::compressed()),
        Answer::TruncatedMessage => with(message::truncated()),
        Answer::GarbageMessage => with(message::garbage()),
        Answer::DeepMessage => with(message::deep()),
        Answer::InvalidUtf8 => with(message::invalid_utf8()),
        Answer::WrongTypes => with(message::wrong_types()),
        Answer::UnknownEnum => with(message::unknown_enum()),
    }
}

/// Bytes in an answer that is good otherwise.
fn with(body: Bytes) -> Script {
    Script {
        wait: Duration::ZERO,
        head: Some(head(200, Some("application/grpc"))),
        body: Body::Whole(body),
        end: End::Trailers(headers(&[("grpc-status", "0")])),
    }
}

/// A good message and other trailers.
fn ending(trailers: &[(&'static str, &str)]) -> Script {
    Script { end: End::Trailers(headers(trailers)), ..with(message::good()) }
}

/// No headers when there is no body.
fn reset(body: Option<Bytes>, reason: Reason) -> Script {
    let head = body.as_ref().map(|_| head(200, Some("application/grpc")));
    Script { head, end: End::Reset(reason), ..with(body.unwrap_or_default()) }
}

/// What a proxy or a wrong address answers.
fn page(status: u16, content_type: Option<&str>) -> Script {
    let body = Bytes::from_static(b"<html>nginx on 10.1.2.3:8080</html>");
    Script { head: Some(head(status, content_type)), end: End::Data, ..with(body) }
}

/// A status in the headers.
fn status_only(status: &str, more: &[(&'static str, &str)]) -> Script {
    let mut head = head(200, Some("application/grpc"));
    head.headers_mut().extend(headers(&[("grpc-status", status)]));
    head.headers_mut().extend(headers(more));
    Script { head: Some(head), end: End::Head, ..with(Bytes::new()) }
}

fn head(status: u16, content_type: Option<&str>) -> Response<()> {
    let mut head = Response::builder().status(status);
    if status == 302 {
        head = head.header("location", "http://10.1.2.3/elsewhere");
    }
    if let Some(content_type) = content_type {
        head = head.header("content-type", content_type);
    }
    head.body(()).unwrap()
}

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&'static str, &str)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap());
    pairs.iter().map(pair).collect()
}
