//! Whether a bearer token was signed by the issuer that the operator trusts, for us, and for now (RFC 7519).
//!
//! A token is three parts; nothing of the second is believed before the third holds. The algorithm is that of
//! the issuer's key. What a token must say is checked strictly: a time that is no number is a mistake, not a
//! time that was left out.

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::{Map, Value};
use turnout_control::frontend::Units;
use turnout_control::id::Timestamp;
use turnout_control::slot::{Unit, UnitKind};

use super::jwks::{Algorithm, KeySet, Signature};

/// Clocks of two machines differ.
const LEEWAY_S: f64 = 60.0;
/// No larger one is looked at; servers take headers of 8 KiB or little more.
const BYTES_MAX: usize = 8192;
const SEGMENTS_MAX: usize = 64;

/// What a token must say, and what of it is looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// `iss`.
    pub issuer: String,
    /// What `aud` must have; without it a token for anybody is taken.
    pub audience: Option<String>,
    /// Where it names the caller's customer.
    pub customer_claim: Option<String>,
    /// Where it names the customer's segments.
    pub segments_claim: Option<String>,
}

/// What a token says that holds.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Bearer {
    /// Who it is about.
    pub(super) units: Units,
    /// From when on it does not hold any more.
    pub(super) until: Timestamp,
}

/// Why a token does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// It is signed by a key that is not known here, or not yet.
    UnknownKey,
    /// It is no token of this issuer, or not for us, or not for now.
    Invalid,
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: Option<String>,
    crit: Option<Value>,
}

/// Verifies a token.
pub(super) fn verify(token: &str, keys: &KeySet, terms: &Terms, now: Timestamp) -> Result<Bearer, Refused> {
    if token.len() > BYTES_MAX {
        return Err(Refused::Invalid);
    }
    let (signed, signature) = token.rsplit_once('.').ok_or(Refused::Invalid)?;
    let (header, payload) = signed.split_once('.').ok_or(Refused::Invalid)?;
    let header: Header = serde_json::from_slice(&decoded(header)?).map_err(|_| Refused::Invalid)?;
    // What must be understood and is not makes a token invalid.
    let algorithm = Algorithm::of(&header.alg).filter(|_| header.crit.is_none()).ok_or(Refused::Invalid)?;
    match keys.verify((algorithm, header.kid.as_deref()), signed.as_bytes(), &decoded(signature)?) {
        Signature::Holds => {}
        Signature::Fails => return Err(Refused::Invalid),
        Signature::UnknownKey => return Err(Refused::UnknownKey),
    }
    let claims = serde_json::from_slice(&decoded(payload)?).map_err(|_| Refused::Invalid)?;
    judge(&claims, terms, now).ok_or(Refused::Invalid)
}

fn decoded(part: &str) -> Result<Vec<u8>, Refused> {
    BASE64_URL_SAFE_NO_PAD.decode(part).map_err(|_| Refused::Invalid)
}

fn judge(claims: &Map<String, Value>, terms: &Terms, now: Timestamp) -> Option<Bearer> {
    if claims.get("iss")?.as_str()? != terms.issuer {
        return None;
    }
    if let Some(audience) = &terms.audience {
        let named = match claims.get("aud")? {
            Value::String(one) => one == audience,
            Value::Array(all) => all.iter().any(|one| one == audience.as_str()),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => false,
        };
        if !named {
            return None;
        }
    }
    let now_s = seconds(now);
    let ends_s = claims.get("exp")?.as_f64()? + LEEWAY_S;
    let begins_s = match claims.get("nbf") {
        None => now_s,
        Some(begins) => begins.as_f64()? - LEEWAY_S,
    };
    if now_s >= ends_s || now_s < begins_s {
        return None;
    }
    let segments = terms.segments_claim.as_ref().and_then(|claim| claims.get(claim));
    let customer = terms.customer_claim.as_ref().and_then(|claim| claims.get(claim));
    let units = Units {
        // A token about nobody, as machines have, proves its holder and names no person.
        person: claims.get("sub").and_then(|sub| unit(UnitKind::User, sub)),
        customer: customer.and_then(|customer| unit(UnitKind::Customer, customer)),
        segments: segments.map(texts).unwrap_or_default(),
    };
    Some(Bearer { units, until: Timestamp(milliseconds(ends_s)) })
}

fn unit(kind: UnitKind, value: &Value) -> Option<Unit> {
    match value {
        Value::String(id) => Unit::new(kind, id).ok(),
        Value::Number(id) => Unit::new(kind, &id.to_string()).ok(),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// A list, or one text with spaces or commas between.
fn texts(value: &Value) -> Vec<String> {
    let owned = |text: &str| text.to_owned();
    match value {
        Value::Array(all) => all.iter().filter_map(Value::as_str).take(SEGMENTS_MAX).map(owned).collect(),
        Value::String(all) => super::headers::listed(all).take(SEGMENTS_MAX).map(owned).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

/// Times of tokens are seconds, with a fraction if they like.
#[expect(clippy::cast_precision_loss, reason = "a millisecond of the year 300 000 is not told from the next")]
fn seconds(at: Timestamp) -> f64 {
    at.0 as f64 / 1000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "what does not fit is the nearest"
)]
fn milliseconds(seconds: f64) -> u64 {
    (seconds * 1000.0) as u64
}
