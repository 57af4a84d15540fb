//! What headers say about who is calling, before anybody believes it.
//!
//! Nothing is copied: what comes back are slices of the request. A header that may stand once and stands
//! twice says nothing that can be relied on.

use http::{HeaderMap, HeaderName, header};
use turnout_control::frontend::Claim;
use turnout_control::id::FrontendId;

use super::token::COOKIE;

/// A frontend, by a name that anybody can send.
const FRONTEND: HeaderName = HeaderName::from_static("x-frontend-version");
/// A frontend, by the token of the page that calls.
const TOKEN: HeaderName = HeaderName::from_static("x-frontend-token");
/// What clients that exist already send: a name and a version.
const CLIENTS: [(HeaderName, HeaderName); 2] = [
    (
        HeaderName::from_static("apollographql-client-name"),
        HeaderName::from_static("apollographql-client-version"),
    ),
    (HeaderName::from_static("graphql-client-name"), HeaderName::from_static("graphql-client-version")),
];
/// What a trusted edge says.
pub(super) const UNIT: HeaderName = HeaderName::from_static("x-turnout-unit");
pub(super) const CUSTOMER: HeaderName = HeaderName::from_static("x-turnout-customer");
pub(super) const SEGMENTS: HeaderName = HeaderName::from_static("x-turnout-segments");
/// What an operator asks for.
const OVERRIDE: HeaderName = HeaderName::from_static("x-turnout-override");

/// The only value of a header. The error: there are several, or it is no text.
fn single<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Odd> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Odd);
    }
    value.to_str().map(Some).map_err(|_| Odd)
}

/// What a header says that stands once.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    single(headers, name).ok().flatten().map(str::trim)
}

/// A header that says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Odd;

/// What the page says that calls: its token. One that a page left empty is none.
pub(super) fn page_token(headers: &HeaderMap) -> Result<Option<&str>, Odd> {
    Ok(single(headers, &TOKEN)?.filter(|token| !token.is_empty()))
}

/// What an operator asks for.
pub(super) fn override_token(headers: &HeaderMap) -> Result<Option<&str>, Odd> {
    single(headers, &OVERRIDE)
}

/// The token of the cookie; the first, where a browser sends several.
pub(super) fn cookie_token(headers: &HeaderMap) -> Option<&str> {
    let texts = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = texts.flat_map(|text| text.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.filter(|(name, _)| name.trim() == COOKIE).map(|(_, value)| value.trim()).next()
}

/// The token that RFC 6750 puts into `authorization`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = single(headers, &header::AUTHORIZATION).ok()??;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_matches(' '))
}

/// The frontend that a caller names without proof.
pub(super) fn claim(headers: &HeaderMap) -> Claim {
    match single(headers, &FRONTEND) {
        Ok(None) => clients(headers),
        Ok(Some(text)) => text.trim().parse().map_or(Claim::Malformed, Claim::Bare),
        Err(Odd) => Claim::Malformed,
    }
}

/// A client names itself for statistics and may be called anything: what is no frontend is no claim.
fn clients(headers: &HeaderMap) -> Claim {
    for (name, version) in &CLIENTS {
        if let (Ok(Some(name)), Ok(Some(version))) = (single(headers, name), single(headers, version))
            && let (Ok(app), Ok(version)) = (name.trim().parse(), version.trim().parse())
        {
            return Claim::Bare(FrontendId { app, version });
        }
    }
    Claim::None
}

/// The parts of a text with commas or spaces between.
pub(super) fn listed(text: &str) -> impl Iterator<Item = &str> {
    text.split([',', ' ']).filter(|part| !part.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn a_caller_names_itself_by_any_of_three_headers() {
        let bare = |id: &str| Claim::Bare(id.parse().unwrap());
        let apollo = |name: &'static str, version: &'static str| {
            [("apollographql-client-name", name), ("apollographql-client-version", version)]
        };
        for (sent, expected) in [
            (vec![], Claim::None),
            (vec![("x-frontend-version", "web@2.4.1")], bare("web@2.4.1")),
            (vec![("x-frontend-version", " web@2.4.1 ")], bare("web@2.4.1")),
            (vec![("x-frontend-version", "web")], Claim::Malformed),
            (vec![("x-frontend-version", "")], Claim::Malformed),
            (vec![("x-frontend-version", "web@latest")], Claim::Malformed),
            (
                vec![("x-frontend-version", "web@1.0.0"), ("x-frontend-version", "web@2.0.0")],
                Claim::Malformed,
            ),
            (apollo("web", "2.4.1").to_vec(), bare("web@2.4.1")),
            (vec![("graphql-client-name", "web"), ("graphql-client-version", "2.4.1")], bare("web@2.4.1")),
            (apollo("Web shop (iOS)", "2.4.1").to_vec(), Claim::None),
            (apollo("web", "5.3").to_vec(), Claim::None),
            (vec![("apollographql-client-name", "web")], Claim::None),
            (
                [&apollo("web", "1.0.0")[..], &[("x-frontend-version", "web@2.0.0")]].concat(),
                bare("web@2.0.0"),
            ),
        ] {
            assert_eq!(claim(&headers(&sent)), expected, "{sent:?}");
        }
    }

    #[test]
    fn a_cookie_is_found_among_others() {
        for (sent, expected) in [
            (vec![], None),
            (vec![("cookie", "a=b; turnout_frontend=k.p.m; c=d")], Some("k.p.m")),
            (vec![("cookie", "a=b"), ("cookie", "turnout_frontend=k.p.m")], Some("k.p.m")),
            (vec![("cookie", "turnout_frontend=one; turnout_frontend=two")], Some("one")),
            (vec![("cookie", "xturnout_frontend=one; turnout_frontend")], None),
        ] {
            assert_eq!(cookie_token(&headers(&sent)), expected, "{sent:?}");
        }
    }

    #[test]
    fn a_bearer_token_is_what_follows_the_word() {
        for (sent, expected) in [
            ("Bearer a.b.c", Some("a.b.c")),
            ("bearer  a.b.c", Some("a.b.c")),
            ("Basic YTpi", None),
            ("", None),
        ] {
            assert_eq!(bearer(&headers(&[("authorization", sent)])), expected, "{sent:?}");
        }
    }
}
