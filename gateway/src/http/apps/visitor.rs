//! Who asks for a page?
//!
//! A navigation carries a cookie and no header of ours, so what is known of a visitor is what the last token
//! said, or somebody new. What `identity` reads from other headers goes before.

use axum::http::HeaderMap;
use turnout_control::frontend::Units;
use turnout_control::id::Timestamp;

use crate::http::graphql::Settings;
use crate::identity::{COOKIE, Pass, Scheme, Tokens, Verdict, anonymous};

/// Somebody who asks for a page.
pub(super) struct Visitor {
    /// Who that is; an anonymous somebody at least.
    pub(super) units: Units,
    /// Whether nobody has seen him before.
    pub(super) is_new: bool,
    /// What the token of his cookie says, if it holds.
    pub(super) pass: Option<Pass>,
}

impl Visitor {
    /// Reads who asks.
    pub(super) fn read(headers: &HeaderMap, (tokens, now): (&Tokens, Timestamp), _: &Settings) -> Visitor {
        let pass = cookie(headers).and_then(|token| match tokens.verify(token, now) {
            Verdict::Verified(pass) => Some(pass),
            Verdict::Expired(_) | Verdict::Forged => None,
        });
        let mut units = pass.as_ref().map(|pass| pass.units.clone()).unwrap_or_default();
        let is_new = units.person.is_none();
        units.person.get_or_insert_with(anonymous);
        Visitor { units, is_new, pass }
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(axum::http::header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let mut pairs = all.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == COOKIE).map(|(_, value)| value)
}

/// How the page was asked for, as the edge in front of the gateway says.
pub(super) fn scheme(headers: &HeaderMap) -> Scheme {
    let forwarded = headers.get("x-forwarded-proto").and_then(|value| value.to_str().ok());
    let first = forwarded.and_then(|proto| proto.split(',').next()).map(str::trim);
    if first.is_some_and(|proto| proto.eq_ignore_ascii_case("https")) { Scheme::Https } else { Scheme::Http }
}
