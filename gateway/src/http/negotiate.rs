//! Which media types a request speaks: what its body is, and what its answer may be.
//!
//! An answer is `application/graphql-response+json` for callers that name it, because then its status
//! may tell of GraphQL errors; for all others that take JSON it is `application/json`. A body is JSON in
//! UTF-8. Nothing here looks at the operation.

use http::{HeaderMap, HeaderValue, header};

/// The media type of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Media {
    /// `application/graphql-response+json`.
    GraphQl,
    /// `application/json`.
    Json,
}

impl Media {
    /// The value of `content-type`.
    pub(crate) fn content_type(self) -> HeaderValue {
        match self {
            Media::GraphQl => HeaderValue::from_static("application/graphql-response+json; charset=utf-8"),
            Media::Json => HeaderValue::from_static("application/json; charset=utf-8"),
        }
    }
}

/// Why a body is not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unread {
    /// It does not say what it is.
    #[error("the request has no content type; send `content-type: application/json`")]
    Untyped,
    /// It says so more than once.
    #[error("the request has more than one content type; send `content-type: application/json` once")]
    Doubled,
    /// It is not JSON.
    #[error("the content type is not application/json, and nothing else is read")]
    NotJson,
    /// It is not UTF-8.
    #[error("the charset of the content type is not utf-8")]
    Charset,
}

/// Whether the body is JSON in UTF-8 by its own word. Parameters that are not known are passed over.
pub(crate) fn sent_json(headers: &HeaderMap) -> Result<(), Unread> {
    let mut sent = headers.get_all(header::CONTENT_TYPE).iter();
    let value = sent.next().ok_or(Unread::Untyped)?;
    if sent.next().is_some() {
        return Err(Unread::Doubled);
    }
    if value == "application/json" {
        return Ok(());
    }
    let mut parts = value.to_str().map_err(|_| Unread::NotJson)?.split(';');
    if !parts.next().is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json")) {
        return Err(Unread::NotJson);
    }
    let foreign = |part: &str| charset(part).is_some_and(|charset| !is_utf8(charset));
    if parts.any(foreign) { Err(Unread::Charset) } else { Ok(()) }
}

/// What the answer may be; `None` when the caller takes neither.
pub(crate) fn accepted(headers: &HeaderMap) -> Option<Media> {
    let (mut graphql, mut json, mut any_range) = (Offer::NONE, Offer::NONE, false);
    for value in headers.get_all(header::ACCEPT) {
        // What is not text has no range that could be met.
        let text = value.to_str().unwrap_or("unreadable");
        for range in text.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            any_range = true;
            let Some((essence, quality)) = weigh(range) else { continue };
            if essence.eq_ignore_ascii_case("application/graphql-response+json") {
                graphql.take(Precision::Exact, quality);
            } else if essence.eq_ignore_ascii_case("application/json") {
                json.take(Precision::Exact, quality);
            } else if essence.eq_ignore_ascii_case("application/*") {
                graphql.take(Precision::Tree, quality);
                json.take(Precision::Tree, quality);
            } else if essence == "*/*" {
                graphql.take(Precision::Any, quality);
                json.take(Precision::Any, quality);
            }
        }
    }
    if !any_range {
        return Some(Media::Json);
    }
    let named = graphql.precision == Precision::Exact && graphql.quality >= json.quality;
    if graphql.quality > 0 && (named || json.quality == 0) {
        Some(Media::GraphQl)
    } else if json.quality > 0 {
        Some(Media::Json)
    } else {
        None
    }
}

/// How closely a range names a type; the closest decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Precision {
    Unnamed,
    Any,
    Tree,
    Exact,
}

/// How much a type is wanted, in thousandths.
#[derive(Clone, Copy, Debug)]
struct Offer {
    precision: Precision,
    quality: u16,
}

impl Offer {
    const NONE: Offer = Offer { precision: Precision::Unnamed, quality: 0 };

    fn take(&mut self, precision: Precision, quality: u16) {
        let same = self.precision == precision;
        if precision > self.precision || (same && quality > self.quality) {
            *self = Offer { precision, quality };
        }
    }
}

/// A range's type and its quality; `None` for one that cannot be met or read.
fn weigh(range: &str) -> Option<(&str, u16)> {
    let mut parts = range.split(';');
    let essence = parts.next()?.trim();
    let mut quality = 1000;
    for part in parts {
        if charset(part).is_some_and(|charset| !is_utf8(charset)) {
            return None;
        }
        if let Some(text) = parameter(part, "q") {
            quality = thousandths(text)?;
        }
    }
    Some((essence, quality))
}

/// `0.85` is 850. More than three digits after the point are not a quality.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !matches!(whole, "0" | "1") || fraction.len() > 3 || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let digits = |text: &str| text.bytes().fold(0, |sum, digit| sum * 10 + u16::from(digit - b'0'));
    let missing = 3 - u32::try_from(fraction.len()).ok()?;
    let thousandths = digits(whole) * 1000 + digits(fraction) * 10_u16.pow(missing);
    (thousandths <= 1000).then_some(thousandths)
}

fn charset(part: &str) -> Option<&str> {
    parameter(part, "charset").map(|value| value.trim_matches('"'))
}

fn parameter<'a>(part: &'a str, name: &str) -> Option<&'a str> {
    let (key, value) = part.split_once('=')?;
    key.trim().eq_ignore_ascii_case(name).then(|| value.trim())
}

fn is_utf8(charset: &str) -> bool {
    charset.eq_ignore_ascii_case("utf-8") || charset.eq_ignore_ascii_case("utf8")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(name: header::HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), value.parse().unwrap())).collect()
    }

    #[test]
    fn an_answer_is_what_the_caller_names() {
        let (graphql, json) = (Some(Media::GraphQl), Some(Media::Json));
        for (accept, expected) in [
            (&[][..], json),
            (&[""], json),
            (&["*/*"], json),
            (&["application/*"], json),
            (&["text/html,application/xhtml+xml,*/*;q=0.8"], json),
            (&["application/json"], json),
            (&["Application/JSON; charset=UTF-8"], json),
            (&["application/json;profile=x"], json),
            (&["application/graphql-response+json"], graphql),
            (&["application/graphql-response+json, application/json;q=0.9"], graphql),
            (&["application/graphql-response+json,application/json"], graphql),
            (&["application/json", "application/graphql-response+json"], graphql),
            (&["application/graphql-response+json;charset=utf-8, application/json;charset=utf-8"], graphql),
            (&["application/graphql-response+json;q=0.5, application/json"], json),
            (&["application/graphql-response+json;q=0.5, */*"], json),
            (&["application/json;q=0.1, */*"], json),
            (&["application/json;q=0, */*"], graphql),
            (&["application/graphql-response+json;q=0, */*;q=0.1"], json),
            (&["application/graphql+json, application/json, text/event-stream"], json),
            (&["multipart/mixed;boundary=graphql;subscriptionSpec=1.0,application/json"], json),
            (&["text/html"], None),
            (&["text/event-stream"], None),
            (&["multipart/mixed"], None),
            (&["application/json;q=0"], None),
            (&["*/*;q=0"], None),
            (&["application/json;q=2"], None),
            (&["application/json;q=0.12345"], None),
            (&["application/json;charset=latin1"], None),
            (&["application/graphql-response+json;charset=utf-16, application/json"], json),
        ] {
            assert_eq!(accepted(&headers(header::ACCEPT, accept)), expected, "{accept:?}");
        }
    }

    #[test]
    fn a_body_is_json_in_utf8_and_says_so() {
        for (content_type, expected) in [
            (&["application/json"][..], Ok(())),
            (&["application/json; charset=utf-8"], Ok(())),
            (&["APPLICATION/JSON;Charset=\"UTF-8\""], Ok(())),
            (&["application/json ; odata=verbose"], Ok(())),
            (&[], Err(Unread::Untyped)),
            (&["application/json", "application/json"], Err(Unread::Doubled)),
            (&[""], Err(Unread::NotJson)),
            (&["text/plain"], Err(Unread::NotJson)),
            (&["application/jsonp"], Err(Unread::NotJson)),
            (&["application/graphql"], Err(Unread::NotJson)),
            (&["application/x-www-form-urlencoded"], Err(Unread::NotJson)),
            (&["multipart/form-data; boundary=application/json"], Err(Unread::NotJson)),
            (&["text/plain; application/json"], Err(Unread::NotJson)),
            (&["application/json; charset=iso-8859-1"], Err(Unread::Charset)),
            (&["application/json; charset=utf-8; charset=utf-16"], Err(Unread::Charset)),
        ] {
            assert_eq!(sent_json(&headers(header::CONTENT_TYPE, content_type)), expected, "{content_type:?}");
        }
    }
}
