//! Signed texts: who holds one was given a frontend version by this gateway, or by one with the same keys.
//!
//! `KID.PAYLOAD.MAC`: the id of the key, what is said, and an HMAC-SHA256 over both and over what kind of text
//! it is, so that a text of one kind is none of another. There is exactly one way to write a token. The
//! payload can be read by whoever holds it; it says nothing that its holder does not know.

use std::borrow::Cow;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use ring::hmac;
use serde::{Deserialize, Serialize};
use turnout_control::frontend::Units;
use turnout_control::id::{FrontendId, Timestamp};
use turnout_control::slot::{Unit, UnitKind};

use super::keys::Keys;

/// The cookie that has a token.
pub const COOKIE: &str = "turnout_frontend";

/// How long a token holds.
pub const LIFETIME: Duration = Duration::from_secs(12 * 3600);

/// No token is longer: browsers keep no longer cookies.
const TOKEN_BYTES_MAX: usize = 4096;
const SEGMENTS_MAX: usize = 16;
const SEGMENT_BYTES_MAX: usize = 64;
/// How many versions a token remembers that its holder was given before.
const EARLIER_MAX: usize = 4;

/// What begins the signed text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Purpose {
    /// A frontend version.
    Frontend,
    /// An operator's choice of versions.
    Override,
}

impl Purpose {
    fn domain(self) -> &'static [u8] {
        match self {
            Purpose::Frontend => b"turnout-frontend-1.",
            Purpose::Override => b"turnout-override-1.",
        }
    }
}

/// What a frontend token says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pass {
    /// The version that its holder was given.
    pub frontend: FrontendId,
    /// Who that was.
    pub units: Units,
    /// Versions that the same browser was given before, each until its token ends: their tabs may still be
    /// open, and share the cookie.
    pub earlier: Vec<(FrontendId, Timestamp)>,
    /// When it ends, this moment not included.
    pub expires: Timestamp,
}

impl Pass {
    /// A pass that begins now. `before` is that of the cookie which this one replaces.
    pub fn new(frontend: FrontendId, units: Units, before: Option<&Pass>, now: Timestamp) -> Pass {
        let mut earlier: Vec<(FrontendId, Timestamp)> = Vec::new();
        if let Some(before) = before {
            let given = std::iter::once((&before.frontend, before.expires))
                .chain(before.earlier.iter().map(|(id, until)| (id, *until)));
            for (id, until) in given {
                let known = *id == frontend || earlier.iter().any(|(known, _)| known == id);
                if !known && now < until && earlier.len() < EARLIER_MAX {
                    earlier.push((id.clone(), until));
                }
            }
        }
        let lifetime_ms = u64::try_from(LIFETIME.as_millis()).unwrap_or(u64::MAX);
        Pass { frontend, units, earlier, expires: Timestamp(now.0.saturating_add(lifetime_ms)) }
    }

    /// Whether its holder was given this version and may still have it open.
    pub fn names(&self, id: &FrontendId, now: Timestamp) -> bool {
        self.frontend == *id || self.earlier.iter().any(|(known, until)| known == id && now < *until)
    }
}

/// What a text turns out to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A token of ours, whose time has not passed.
    Verified(Pass),
    /// A token of ours, whose time has passed.
    Expired(FrontendId),
    /// None of ours.
    Forged,
}

/// How a page was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Anybody on the way can read it.
    Http,
    /// By TLS, so that a cookie need never go another way.
    Https,
}

/// Signs tokens and verifies them.
#[derive(Debug)]
pub struct Tokens {
    keys: Keys,
}

impl Tokens {
    /// With these keys.
    pub fn new(keys: Keys) -> Tokens {
        Tokens { keys }
    }

    /// The token of a pass: for the cookie, and for the page itself, which sends it as `x-frontend-token`.
    /// Of a customer's segments it has the first 16.
    pub fn mint(&self, pass: &Pass) -> String {
        self.sign(Purpose::Frontend, &Body::of(pass))
    }

    /// What a text is. Costs one hash of it, and nothing when no key has the id that it names.
    pub fn verify(&self, text: &str, now: Timestamp) -> Verdict {
        match self.read(Purpose::Frontend, text, |payload| Body::read(payload)?.pass()) {
            None => Verdict::Forged,
            Some(pass) if now < pass.expires => Verdict::Verified(pass),
            Some(pass) => Verdict::Expired(pass.frontend),
        }
    }

    pub(super) fn sign(&self, purpose: Purpose, body: &impl Serialize) -> String {
        let (id, key) = self.keys.first();
        let payload = serde_json::to_vec(body).expect("texts and numbers are JSON");
        let mut text = format!("{id}.");
        BASE64_URL_SAFE_NO_PAD.encode_string(payload, &mut text);
        let mac = mac(key, purpose, &text);
        text.push('.');
        BASE64_URL_SAFE_NO_PAD.encode_string(mac, &mut text);
        text
    }

    /// What a text of this kind says, when a key of ours has signed it.
    pub(super) fn read<T>(
        &self,
        purpose: Purpose,
        text: &str,
        then: impl FnOnce(&[u8]) -> Option<T>,
    ) -> Option<T> {
        if text.len() > TOKEN_BYTES_MAX {
            return None;
        }
        let (signed, mac) = text.rsplit_once('.')?;
        let (id, payload) = signed.split_once('.')?;
        let key = self.keys.get(id)?;
        let mac = BASE64_URL_SAFE_NO_PAD.decode(mac).ok()?;
        let mut message = Vec::with_capacity(32 + signed.len());
        message.extend_from_slice(purpose.domain());
        message.extend_from_slice(signed.as_bytes());
        // Takes as long whatever the difference is.
        hmac::verify(key, &message, &mac).ok()?;
        then(&BASE64_URL_SAFE_NO_PAD.decode(payload).ok()?)
    }
}

fn mac(key: &hmac::Key, purpose: Purpose, signed: &str) -> hmac::Tag {
    let mut context = hmac::Context::with_key(key);
    context.update(purpose.domain());
    context.update(signed.as_bytes());
    context.sign()
}

/// A pass as it is written.
#[derive(Serialize, Deserialize)]
struct Body<'a> {
    #[serde(borrow, rename = "frontend")]
    frontend: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    person: Option<Cow<'a, str>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    customer: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    segments: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    earlier: Vec<(String, u64)>,
    #[serde(rename = "exp")]
    expires_ms: u64,
}

impl<'a> Body<'a> {
    fn of(pass: &Pass) -> Body<'a> {
        let Pass { frontend, units, earlier, expires } = pass;
        let short = units.segments.iter().filter(|segment| segment.len() <= SEGMENT_BYTES_MAX);
        Body {
            frontend: frontend.to_string().into(),
            person: units.person.as_ref().map(|unit| unit.to_string().into()),
            customer: units.customer.as_ref().map(|unit| unit.to_string().into()),
            segments: short.take(SEGMENTS_MAX).cloned().collect(),
            earlier: earlier.iter().map(|(id, until)| (id.to_string(), until.0)).collect(),
            expires_ms: expires.0,
        }
    }

    fn read(payload: &'a [u8]) -> Option<Body<'a>> {
        serde_json::from_slice(payload).ok()
    }

    /// `None` when another build has written what this one cannot read.
    fn pass(self) -> Option<Pass> {
        let unit = |text: Option<Cow<'_, str>>| text.map(|text| text.parse::<Unit>()).transpose().ok();
        let earlier = self.earlier.into_iter().map(|(id, until)| Some((id.parse().ok()?, Timestamp(until))));
        Some(Pass {
            frontend: self.frontend.parse().ok()?,
            units: Units {
                person: unit(self.person)?,
                customer: unit(self.customer)?,
                segments: self.segments,
            },
            earlier: earlier.collect::<Option<_>>()?,
            expires: Timestamp(self.expires_ms),
        })
    }
}

/// Somebody new, whom nobody knows.
pub fn anonymous() -> Unit {
    let id = hex::encode(rand::random::<[u8; 16]>());
    Unit::new(UnitKind::Anonymous, &id).expect("digits are an id")
}

/// The value of `set-cookie` that keeps a token. Scripts cannot read it: a page has its own.
pub fn cookie(token: &str, scheme: Scheme) -> String {
    let secure = match scheme {
        Scheme::Http => "",
        Scheme::Https => "; Secure",
    };
    let seconds = LIFETIME.as_secs();
    format!("{COOKIE}={token}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_000_000_000);

    fn id(text: &str) -> FrontendId {
        text.parse().unwrap()
    }

    fn pass() -> Pass {
        let units = Units {
            person: Some("anon:7f3a".parse().unwrap()),
            customer: Some("customer:acme \"eu\"".parse().unwrap()),
            segments: vec!["beta".to_owned()],
        };
        Pass::new(id("web@2.4.1"), units, None, NOW)
    }

    fn later(ms: u64) -> Timestamp {
        Timestamp(NOW.0 + ms)
    }

    #[test]
    fn a_token_says_what_was_signed_until_its_time_has_passed() {
        let tokens = Tokens::new(Keys::random());
        let token = tokens.mint(&pass());
        let end = u64::try_from(LIFETIME.as_millis()).unwrap();
        assert_eq!(tokens.verify(&token, NOW), Verdict::Verified(pass()));
        assert_eq!(tokens.verify(&token, later(end - 1)), Verdict::Verified(pass()));
        assert_eq!(tokens.verify(&token, later(end)), Verdict::Expired(id("web@2.4.1")));
        assert_eq!(Tokens::new(Keys::random()).verify(&token, NOW), Verdict::Forged);
    }

    #[test]
    fn a_text_of_another_kind_is_no_token() {
        let tokens = Tokens::new(Keys::random());
        let other = tokens.sign(Purpose::Override, &Body::of(&pass()));
        assert_eq!(tokens.verify(&other, NOW), Verdict::Forged);
        assert!(tokens.read(Purpose::Override, &other, |_| Some(())).is_some());
    }

    #[test]
    fn a_browser_keeps_what_its_open_tabs_were_given() {
        let first = pass();
        let second = Pass::new(id("web@2.5.0"), Units::default(), Some(&first), later(10));
        let third = Pass::new(id("web@2.4.1"), Units::default(), Some(&second), later(20));
        assert!(second.names(&id("web@2.4.1"), later(20)) && !second.names(&id("web@2.3.0"), later(20)));
        assert!(!second.names(&id("web@2.4.1"), first.expires));
        assert_eq!(third.earlier, [(id("web@2.5.0"), second.expires)]);
        let tokens = Tokens::new(Keys::random());
        assert_eq!(tokens.verify(&tokens.mint(&third), NOW), Verdict::Verified(third.clone()));
        let many = (0..10).fold(third, |before, minor| {
            Pass::new(id(&format!("web@3.{minor}.0")), Units::default(), Some(&before), later(30))
        });
        let kept: Vec<String> = many.earlier.iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!(kept, ["web@3.8.0", "web@3.7.0", "web@3.6.0", "web@3.5.0"]);
    }

    #[test]
    fn a_token_fits_into_a_cookie() {
        let long = "x".repeat(128);
        let frontend = |minor: u32| id(&format!("{long}@1.{minor}.0-{}", "y".repeat(58)));
        let unit = |kind| Some(Unit::new(kind, &"z".repeat(256)).unwrap());
        let units = Units {
            person: unit(UnitKind::User),
            customer: unit(UnitKind::Customer),
            segments: vec!["s".repeat(64); 40],
        };
        let pass = (0..6).fold(None, |before: Option<Pass>, minor| {
            Some(Pass::new(frontend(minor), units.clone(), before.as_ref(), NOW))
        });
        let tokens = Tokens::new(Keys::random());
        let token = tokens.mint(&pass.unwrap());
        assert!(token.len() <= TOKEN_BYTES_MAX, "{}", token.len());
        assert!(matches!(tokens.verify(&token, NOW), Verdict::Verified(_)));
    }

    #[test]
    fn a_cookie_is_sent_to_the_gateway_alone() {
        assert_eq!(
            cookie("a.b.c", Scheme::Https),
            "turnout_frontend=a.b.c; Path=/; Max-Age=43200; HttpOnly; SameSite=Lax; Secure"
        );
        assert!(!cookie("a.b.c", Scheme::Http).contains("Secure"));
        assert_ne!(anonymous(), anonymous());
    }

    proptest! {
        #[test]
        fn no_text_is_a_token_unless_it_was_minted(text in "\\PC{0,80}", at in any::<prop::sample::Index>()) {
            let tokens = Tokens::new(Keys::random());
            let token = tokens.mint(&pass());
            prop_assert_eq!(tokens.verify(&text, NOW), Verdict::Forged);
            let with_id = format!("{}.{text}", token.split('.').next().unwrap());
            prop_assert_eq!(tokens.verify(&with_id, NOW), Verdict::Forged);
            let at = at.index(token.len());
            let (before, after) = (&token[..at], &token[at + 1..]);
            for byte in (0x20..0x7f).map(char::from).filter(|byte| *byte != char::from(token.as_bytes()[at])) {
                prop_assert_eq!(tokens.verify(&format!("{before}{byte}{after}"), NOW), Verdict::Forged);
            }
            prop_assert_eq!(tokens.verify(before, NOW), Verdict::Forged);
            prop_assert_eq!(tokens.verify(&format!("{before}{after}"), NOW), Verdict::Forged);
            prop_assert_eq!(tokens.verify(&format!("{token}{text}"), NOW) == Verdict::Forged, !text.is_empty());
        }
    }
}
