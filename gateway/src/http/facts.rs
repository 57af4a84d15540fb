//! What a request says about itself in its headers; after this nobody looks at headers again.
//!
//! Headers that are passed on are chosen by the operator's list, in which the configuration takes none
//! that belongs to one connection, to gRPC or to Turnout: a caller could forge with it what services
//! believe. `traceparent` and `tracestate` go along when they are well-formed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::execute::run::RequestId;
use crate::upstream::Worker;

/// The name of a request, in its answer and in the caller's own records.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// How long the caller waits: `1500ms` or `2s`.
const TIMEOUT: &str = "x-request-timeout";
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
/// By W3C Trace Context a vendor has to pass on at least as much.
const TRACESTATE_BYTES_MAX: usize = 512;
/// A longer name of a request is not one that anybody looks up.
const REQUEST_ID_BYTES_MAX: usize = 128;

/// A header that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Error {
    /// The caller's deadline.
    #[error("the header x-request-timeout must be a whole number above 0 and `ms` or `s`, such as `1500ms`")]
    Timeout,
}

/// Gives each request of a worker a name that no other request of this process has.
#[derive(Debug)]
pub(crate) struct Ids {
    base: u64,
    next: AtomicU64,
}

impl Ids {
    /// `seed` is random, and the same for all workers of a process.
    pub(crate) fn new(seed: u64, worker: Worker) -> Ids {
        let worker = u64::try_from(worker.0).unwrap_or(u64::MAX);
        Ids { base: seed.wrapping_add(worker << 48), next: AtomicU64::new(0) }
    }

    /// The next name. Names do not show how many there were.
    pub(crate) fn next(&self) -> RequestId {
        RequestId(mix(self.base.wrapping_add(self.next.fetch_add(1, Ordering::Relaxed))))
    }
}

/// The finalizer of SplitMix64: every input has an output of its own.
fn mix(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// What the answer has as `x-request-id`: the caller's own name, or ours as 16 hexadecimal digits.
pub(crate) fn answered_id(headers: &HeaderMap, id: RequestId) -> HeaderValue {
    if let Some(own) = headers.get(REQUEST_ID).filter(|own| is_request_id(own)) {
        return own.clone();
    }
    let mut digits = [0; 16];
    hex::encode_to_slice(id.0.to_be_bytes(), &mut digits).expect("8 bytes are 16 digits");
    HeaderValue::from_bytes(&digits).expect("digits are visible")
}

fn is_request_id(value: &HeaderValue) -> bool {
    (1..=REQUEST_ID_BYTES_MAX).contains(&value.len()) && value.as_bytes().iter().all(u8::is_ascii_graphic)
}

/// What is sent along with every call. `forward` names each header once.
pub(crate) fn metadata(headers: &HeaderMap, forward: &[HeaderName]) -> HeaderMap {
    let mut metadata = HeaderMap::new();
    for name in forward {
        // Metadata of gRPC is printable.
        for value in headers.get_all(name).iter().filter(|value| value.to_str().is_ok()) {
            metadata.append(name.clone(), value.clone());
        }
    }
    let Some(parent) = single(headers, &TRACEPARENT).filter(|parent| is_traceparent(parent.as_bytes()))
    else {
        return metadata;
    };
    metadata.insert(TRACEPARENT, parent.clone());
    // A list may be spread over several headers; each part is kept as it is.
    let states = || headers.get_all(TRACESTATE).iter();
    let bytes: usize = states().map(HeaderValue::len).sum();
    if bytes <= TRACESTATE_BYTES_MAX && states().all(|state| state.to_str().is_ok()) {
        for state in states() {
            metadata.append(TRACESTATE, state.clone());
        }
    }
    metadata
}

/// How long the operation may take: `most`, or less when the caller says so.
pub(crate) fn budget(headers: &HeaderMap, most: Duration) -> Result<Duration, Error> {
    let Some(value) = headers.get(TIMEOUT) else { return Ok(most) };
    let text = value.to_str().map_err(|_| Error::Timeout)?;
    let (digits, unit_ms) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(digits), _) => (digits, 1),
        (None, Some(digits)) => (digits, 1000),
        (None, None) => return Err(Error::Timeout),
    };
    if digits.is_empty() || digits.len() > 9 || !digits.bytes().all(|digit| digit.is_ascii_digit()) {
        return Err(Error::Timeout);
    }
    let asked: u64 = digits.parse().map_err(|_| Error::Timeout)?;
    if asked == 0 { Err(Error::Timeout) } else { Ok(most.min(Duration::from_millis(asked * unit_ms))) }
}

fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a HeaderValue> {
    let mut values = headers.get_all(name).iter();
    values.next().filter(|_| values.next().is_none())
}

/// `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`: version, trace, parent, flags. A version
/// to come may have more behind a further dash.
fn is_traceparent(bytes: &[u8]) -> bool {
    let hex = |part: &[u8]| part.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    let some = |part: &[u8]| hex(part) && part.iter().any(|&byte| byte != b'0');
    if bytes.len() < 55 || bytes[2] != b'-' || bytes[35] != b'-' || bytes[52] != b'-' {
        return false;
    }
    let length = match &bytes[..2] {
        b"00" => bytes.len() == 55,
        b"ff" => false,
        version => hex(version) && (bytes.len() == 55 || bytes[55] == b'-'),
    };
    length && some(&bytes[3..35]) && some(&bytes[36..52]) && hex(&bytes[53..55])
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const PARENT: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    fn sent_on(sent: &[(&'static str, &str)], list: &[&'static str]) -> Vec<String> {
        let list: Vec<HeaderName> = list.iter().map(|name| HeaderName::from_static(name)).collect();
        let metadata = metadata(&headers(sent), &list);
        metadata.iter().map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect()
    }

    #[test]
    fn only_headers_of_the_list_are_passed_on() {
        let sent = [("authorization", "Bearer x"), ("cookie", "a=b"), ("x-tenant", "1"), ("x-tenant", "2")];
        assert_eq!(
            sent_on(&sent, &["authorization", "x-tenant", "x-absent"]),
            ["authorization: Bearer x", "x-tenant: 1", "x-tenant: 2"]
        );
        assert_eq!(sent_on(&sent, &[]), Vec::<String>::new());
    }

    #[test]
    fn a_trace_goes_along_when_it_is_one() {
        let state = ("tracestate", "a=1");
        let both = [format!("traceparent: {PARENT}"), "tracestate: a=1".to_owned()];
        assert_eq!(sent_on(&[("traceparent", PARENT), state], &[]), both);
        let upper = PARENT.to_uppercase();
        let zero_trace = PARENT.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32));
        let zero_parent = PARENT.replace("00f067aa0ba902b7", &"0".repeat(16));
        let (longer, forbidden) = (format!("{PARENT}-00"), PARENT.replacen("00", "ff", 1));
        for wrong in ["", "00", &PARENT[..54], &upper, &zero_trace, &zero_parent, &longer, &forbidden] {
            assert_eq!(sent_on(&[("traceparent", wrong), state], &[]), Vec::<String>::new(), "{wrong}");
        }
        let future = format!("{}-more", PARENT.replacen("00", "01", 1));
        assert_eq!(sent_on(&[("traceparent", &future)], &[]).len(), 1);
        assert_eq!(sent_on(&[("traceparent", PARENT), ("traceparent", PARENT)], &[]).len(), 0);
        let long = "a".repeat(TRACESTATE_BYTES_MAX + 1);
        assert_eq!(sent_on(&[("traceparent", PARENT), ("tracestate", &long)], &[]).len(), 1);
    }

    #[test]
    fn a_caller_may_ask_for_less_time_and_never_for_more() {
        let most = Duration::from_secs(10);
        let ms = |ms| Ok(Duration::from_millis(ms));
        for (text, expected) in [
            ("1500ms", ms(1500)),
            ("2s", ms(2000)),
            ("1ms", ms(1)),
            ("10001ms", ms(10_000)),
            ("999999999s", ms(10_000)),
            ("0s", Err(Error::Timeout)),
            ("", Err(Error::Timeout)),
            ("s", Err(Error::Timeout)),
            ("ms", Err(Error::Timeout)),
            ("5", Err(Error::Timeout)),
            ("1.5s", Err(Error::Timeout)),
            ("-1s", Err(Error::Timeout)),
            ("+1s", Err(Error::Timeout)),
            ("1 s", Err(Error::Timeout)),
            ("9999999999s", Err(Error::Timeout)),
        ] {
            assert_eq!(budget(&headers(&[("x-request-timeout", text)]), most), expected, "{text:?}");
        }
        assert_eq!(budget(&HeaderMap::new(), most), Ok(most));
    }

    #[test]
    fn an_answer_has_the_callers_name_of_the_request_or_ours() {
        let id = RequestId(0x0123_4567_89ab_cdef);
        let named = |name: &str| answered_id(&headers(&[("x-request-id", name)]), id);
        assert_eq!(named("abc-1"), "abc-1");
        for wrong in ["", "a b", &"x".repeat(129)] {
            assert_eq!(named(wrong), "0123456789abcdef", "{wrong}");
        }
        assert_eq!(answered_id(&HeaderMap::new(), id), "0123456789abcdef");
    }

    #[test]
    fn no_two_requests_of_a_process_have_one_name() {
        let workers = [Ids::new(7, Worker(0)), Ids::new(7, Worker(1)), Ids::new(7, Worker(2))];
        let names: BTreeSet<u64> = workers.iter().flat_map(|ids| (0..1000).map(|_| ids.next().0)).collect();
        assert_eq!(names.len(), 3000);
    }
}
