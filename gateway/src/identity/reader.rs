//! From headers to a caller: what it claims to be, and who stays with one version.
//!
//! Which frontend: the token of the page decides; without one the bare name, which counts as signed when the
//! cookie's token names that version too, because tabs of two versions share one cookie; the cookie alone
//! decides for clients that say nothing else. Which unit: the anonymous id of a token, for the whole session
//! that began without a name, so that logging in moves nobody; else the subject of a verified bearer token;
//! else what a trusted edge says; else whom the token was given to. Nothing of it is waited for.

use std::sync::Arc;

use http::HeaderMap;
use tokio::sync::{Notify, watch};
use turnout_control::frontend::{Claim, Trust, Units};
use turnout_control::id::Timestamp;
use turnout_control::slot::{Unit, UnitKind};

use super::cache::Recent;
use super::headers::{self, Odd};
use super::issuer::{Issuer, Known, Refresher, Without};
use super::jwt::{self, Bearer};
use super::token::{Pass, Tokens, Verdict, anonymous};
use super::{Edge, Overrides, Settings};
use crate::clock::Clock;
use crate::http::latest::Latest;

/// As many segments as a rule could ask for.
const SEGMENTS_MAX: usize = 64;

/// What readers have in common.
#[derive(Clone, Debug)]
pub struct Callers {
    tokens: Arc<Tokens>,
    settings: watch::Receiver<Arc<Settings>>,
    issuer: Known,
    wanted: Arc<Notify>,
    clock: Clock,
}

impl Callers {
    /// Those who are known by these tokens and settings; the keys of an issuer are known when the other runs.
    pub fn new(
        tokens: Arc<Tokens>,
        settings: watch::Receiver<Arc<Settings>>,
        clock: Clock,
    ) -> (Callers, Refresher) {
        let (refresher, issuer, wanted) = Refresher::new(settings.clone());
        (Callers { tokens, settings, issuer, wanted, clock }, refresher)
    }

    /// A reader. Each worker has its own, so that no two write to the same memory.
    pub fn reader(&self) -> Reader {
        Reader {
            callers: self.clone(),
            settings: Latest::of(self.settings.clone()),
            issuer: Latest::of(self.issuer.clone()),
            passes: Recent::new(),
            bearers: Recent::new(),
        }
    }

    /// What signs.
    pub fn tokens(&self) -> &Arc<Tokens> {
        &self.tokens
    }
}

/// Reads callers from headers.
#[derive(Debug)]
pub struct Reader {
    callers: Callers,
    settings: Latest<Arc<Settings>>,
    issuer: Latest<Option<Arc<Issuer>>>,
    passes: Recent<Arc<Pass>>,
    /// With the number of the issuer under which each held.
    bearers: Recent<(u64, Arc<Bearer>)>,
}

/// Somebody who calls.
#[derive(Clone, Debug)]
pub struct Caller {
    /// Which frontend it says it is.
    pub claim: Claim,
    /// What a bare name may choose.
    pub trust: Trust,
    /// Who stays with one version.
    pub units: Units,
    /// What an operator asks for.
    pub overrides: Option<Overrides>,
    /// When it called.
    pub at: Timestamp,
}

/// Somebody who asks for a page, and is given a token with it.
#[derive(Clone, Debug)]
pub struct Guest {
    /// Who it is; somebody new, when nobody knows.
    pub units: Units,
    /// The token that its browser has already.
    pub before: Option<Arc<Pass>>,
    /// What the bare name in an address may choose.
    pub trust: Trust,
    /// When it asked.
    pub at: Timestamp,
}

/// Why a caller is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It needs a bearer token and has none that holds.
    #[error("this gateway answers only callers with a valid token in the header `authorization: Bearer …`")]
    Unauthenticated,
    /// What it has of an operator is nothing, or has ended.
    #[error("the header x-turnout-override has no token of this gateway, or one whose time has passed")]
    Override,
}

/// A token as it was sent.
enum Sent {
    Nothing,
    Pass(Arc<Pass>),
    Expired(Claim),
    Forged,
}

impl Sent {
    fn pass(&self) -> Option<&Arc<Pass>> {
        match self {
            Sent::Pass(pass) => Some(pass),
            Sent::Nothing | Sent::Expired(_) | Sent::Forged => None,
        }
    }

    fn claim(&self) -> Claim {
        match self {
            Sent::Nothing => Claim::None,
            Sent::Pass(pass) => Claim::Signed(pass.frontend.clone()),
            Sent::Expired(claim) => claim.clone(),
            Sent::Forged => Claim::Forged,
        }
    }
}

impl Reader {
    /// Who calls.
    pub fn caller(&self, headers: &HeaderMap) -> Result<Caller, Refused> {
        let (settings, at) = (self.settings.get(), self.callers.clock.now());
        let page = match headers::page_token(headers) {
            Ok(text) => self.sent(text, at),
            Err(Odd) => Sent::Forged,
        };
        let cookie = self.sent(headers::cookie_token(headers), at);
        let claim = match &page {
            Sent::Pass(_) | Sent::Expired(_) | Sent::Forged => page.claim(),
            Sent::Nothing => match headers::claim(headers) {
                Claim::Bare(id) if cookie.pass().is_some_and(|pass| pass.names(&id, at)) => Claim::Signed(id),
                Claim::None => cookie.claim(),
                said => said,
            },
        };
        let bearer = self.bearer(headers, at)?;
        let edge = Edge::read(settings.edge, headers);
        let given = page.pass().or(cookie.pass()).map(|pass| &pass.units);
        let overrides = match headers::override_token(headers) {
            Ok(None) => None,
            Ok(Some(text)) => Some(self.callers.tokens.verify_override(text, at).ok_or(Refused::Override)?),
            Err(Odd) => return Err(Refused::Override),
        };
        let units = in_session(given, bearer.as_deref().map(|bearer| &bearer.units), edge);
        Ok(Caller { claim, trust: settings.trust, units, overrides, at })
    }

    /// Who asks for a page. Whoever has a name now has it in the session that begins.
    pub fn guest(&self, headers: &HeaderMap) -> Guest {
        let (settings, at) = (self.settings.get(), self.callers.clock.now());
        let before = self.sent(headers::cookie_token(headers), at).pass().cloned();
        // A page is what people log in with.
        let bearer = self.bearer(headers, at).ok().flatten();
        let edge = Edge::read(settings.edge, headers);
        let given = before.as_ref().map(|pass| &pass.units);
        let units = named(bearer.as_deref().map(|bearer| &bearer.units), edge, given);
        let person = units.person.or_else(|| Some(anonymous()));
        Guest { units: Units { person, ..units }, before, trust: settings.trust, at }
    }

    fn sent(&self, text: Option<&str>, at: Timestamp) -> Sent {
        let Some(text) = text else { return Sent::Nothing };
        if let Some(pass) = self.passes.get(text).filter(|pass| at < pass.expires) {
            return Sent::Pass(pass);
        }
        match self.callers.tokens.verify(text, at) {
            Verdict::Verified(pass) => {
                let pass = Arc::new(pass);
                self.passes.put(text, pass.clone());
                Sent::Pass(pass)
            }
            Verdict::Expired(id) => Sent::Expired(Claim::Expired(id)),
            Verdict::Forged => Sent::Forged,
        }
    }

    /// What a bearer token says that holds.
    fn bearer(&self, headers: &HeaderMap, at: Timestamp) -> Result<Option<Arc<Bearer>>, Refused> {
        let issuer = self.issuer.get();
        let Some(issuer) = issuer.as_ref() else { return Ok(None) };
        let found = headers::bearer(headers).and_then(|token| self.verified(token, issuer, at));
        match (found, issuer.without) {
            (Some(bearer), _) => Ok(Some(bearer)),
            (None, Without::Nobody) => Ok(None),
            (None, Without::Refused) => Err(Refused::Unauthenticated),
        }
    }

    fn verified(&self, token: &str, issuer: &Issuer, at: Timestamp) -> Option<Arc<Bearer>> {
        let known = self.bearers.get(token);
        if let Some((_, bearer)) =
            known.filter(|(number, known)| *number == issuer.number && at < known.until)
        {
            return Some(bearer);
        }
        match jwt::verify(token, &issuer.keys, &issuer.terms, at) {
            Ok(bearer) => {
                let bearer = Arc::new(bearer);
                self.bearers.put(token, (issuer.number, bearer.clone()));
                Some(bearer)
            }
            Err(refused) => {
                if refused == jwt::Refused::UnknownKey {
                    self.callers.wanted.notify_one();
                }
                tracing::debug!(?refused, "a bearer token does not hold");
                None
            }
        }
    }
}

impl Edge {
    /// What a trusted edge says; nothing, when none is.
    fn read(self, headers: &HeaderMap) -> Units {
        match self {
            Edge::Ignored => return Units::default(),
            Edge::Believed => {}
        }
        let mut units = Units::default();
        if let Some(unit) = headers::text(headers, &headers::UNIT) {
            // Without a kind it is a person, whose name may have a colon of its own.
            match unit.parse().or_else(|_| Unit::new(UnitKind::User, unit)).ok() {
                Some(unit) if unit.kind() == UnitKind::Customer => units.customer = Some(unit),
                person => units.person = person,
            }
        }
        if let Some(customer) = headers::text(headers, &headers::CUSTOMER) {
            units.customer = Unit::new(UnitKind::Customer, customer).ok();
        }
        let segments = headers::text(headers, &headers::SEGMENTS).into_iter().flat_map(headers::listed);
        units.segments = segments.take(SEGMENTS_MAX).map(str::to_owned).collect();
        units
    }
}

/// Who calls from an open page: whoever the session began with, as long as that had no name.
fn in_session(given: Option<&Units>, bearer: Option<&Units>, edge: Units) -> Units {
    let person = given.and_then(|given| given.person.as_ref());
    let anonymous = person.filter(|person| person.kind() == UnitKind::Anonymous).cloned();
    let units = named(bearer, edge, given);
    Units { person: anonymous.or(units.person), ..units }
}

/// Who somebody is by the word that counts most.
fn named(bearer: Option<&Units>, edge: Units, given: Option<&Units>) -> Units {
    let said = |of: fn(&Units) -> &Option<Unit>, edge: Option<Unit>| {
        bearer.and_then(|bearer| of(bearer).clone()).or(edge).or_else(|| of(given?).clone())
    };
    let segments =
        [bearer.map(|bearer| &bearer.segments), Some(&edge.segments), given.map(|given| &given.segments)];
    let segments = segments.into_iter().flatten().find(|segments| !segments.is_empty()).cloned();
    Units {
        person: said(|units| &units.person, edge.person),
        customer: said(|units| &units.customer, edge.customer),
        segments: segments.unwrap_or_default(),
    }
}
