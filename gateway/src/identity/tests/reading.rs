//! From headers to callers, with tokens of a gateway and of somebody else.

use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use proptest::prelude::*;
use tokio::sync::watch;
use turnout_control::frontend::{Claim, Trust, Units};
use turnout_control::id::{FrontendId, Timestamp};

use super::super::{Callers, Edge, Keys, Overrides, Pass, Reader, Refused, Settings, Tokens, anonymous};
use super::bearer::{Login, terms};
use crate::clock::Clock;
use crate::identity::{JwtSettings, Without};

const HOUR_MS: u64 = 3_600_000;

struct World {
    tokens: Arc<Tokens>,
    reader: Reader,
    now: Timestamp,
}

fn world(edge: Edge, jwt: Option<JwtSettings>) -> World {
    let tokens = Arc::new(Tokens::new(Keys::random()));
    let (_, settings) = watch::channel(Arc::new(Settings { trust: Trust::Claims, edge, jwt }));
    let clock = Clock::start();
    let (callers, _) = Callers::new(tokens.clone(), settings, clock);
    World { tokens, reader: callers.reader(), now: clock.now() }
}

fn id(text: &str) -> FrontendId {
    text.parse().unwrap()
}

fn units(person: &str, customer: Option<&str>) -> Units {
    let customer = customer.map(|customer| customer.parse().unwrap());
    Units { person: Some(person.parse().unwrap()), customer, segments: Vec::new() }
}

impl World {
    fn token(&self, frontend: &str, units: Units) -> String {
        self.tokens.mint(&Pass::new(id(frontend), units, None, self.now))
    }

    fn old_token(&self, frontend: &str) -> String {
        let then = Timestamp(self.now.0 - 12 * HOUR_MS);
        self.tokens.mint(&Pass::new(id(frontend), Units::default(), None, then))
    }

    fn claim(&self, sent: &[(&'static str, &str)]) -> Claim {
        self.reader.caller(&headers(sent)).unwrap().claim
    }

    /// Person, customer and segments.
    fn units(&self, sent: &[(&'static str, &str)]) -> String {
        told(&self.reader.caller(&headers(sent)).unwrap().units)
    }
}

fn told(units: &Units) -> String {
    let text = |unit: &Option<turnout_control::slot::Unit>| {
        unit.as_ref().map_or("-".to_owned(), ToString::to_string)
    };
    format!("{} {} {}", text(&units.person), text(&units.customer), units.segments.join("+"))
}

fn headers(sent: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in sent {
        headers.append(HeaderName::from_static(name), value.parse().unwrap());
    }
    headers
}

fn cookie(token: &str) -> String {
    format!("theme=dark; turnout_frontend={token}")
}

#[test]
fn scenario_16_a_token_that_is_not_ours_or_has_ended_is_no_claim_to_a_version() {
    let (world, other) = (world(Edge::Ignored, None), world(Edge::Ignored, None));
    let forged = other.token("web@2.5.0", Units::default());
    let expired = world.old_token("web@2.4.1");
    let ours = world.token("web@2.4.1", Units::default());
    let edited = format!("{}A{}", &ours[..20], &ours[21..]);
    for _twice in 0..2 {
        for (sent, expected) in [
            (vec![("x-frontend-token", &*forged)], Claim::Forged),
            (vec![("x-frontend-token", "web@2.5.0")], Claim::Forged),
            (vec![("x-frontend-token", &*edited)], Claim::Forged),
            (vec![("x-frontend-token", &*ours), ("x-frontend-token", &*forged)], Claim::Forged),
            // A token that is wrong is not mended by a name that anybody can send.
            (vec![("x-frontend-token", &*forged), ("x-frontend-version", "web@2.4.1")], Claim::Forged),
            (vec![("x-frontend-token", &*expired)], Claim::Expired(id("web@2.4.1"))),
            (vec![("x-frontend-token", "")], Claim::None),
            (vec![("cookie", &*cookie(&forged))], Claim::Forged),
            (vec![("cookie", &*cookie(&expired))], Claim::Expired(id("web@2.4.1"))),
            (vec![("cookie", &*cookie(&ours))], Claim::Signed(id("web@2.4.1"))),
            // What a cookie is worth does not matter to who says what it is.
            (
                vec![("cookie", &*cookie(&forged)), ("x-frontend-version", "web@2.4.1")],
                Claim::Bare(id("web@2.4.1")),
            ),
            (vec![("x-frontend-version", "shop")], Claim::Malformed),
            (vec![], Claim::None),
        ] {
            assert_eq!(world.claim(&sent), expected, "{sent:?}");
        }
    }
}

#[test]
fn scenario_17_two_tabs_that_share_a_cookie_keep_their_own_versions() {
    let world = world(Edge::Ignored, None);
    let first = Pass::new(id("web@2.4.1"), units("anon:a", None), None, world.now);
    let second = Pass::new(id("web@2.5.0"), units("anon:a", None), Some(&first), world.now);
    let (old_tab, new_tab) = (world.tokens.mint(&first), world.tokens.mint(&second));
    let shared = cookie(&new_tab);
    let signed = |version: &str| Claim::Signed(id(version));
    for (sent, expected) in [
        (vec![("x-frontend-token", &*old_tab), ("cookie", &*shared)], signed("web@2.4.1")),
        (vec![("x-frontend-token", &*new_tab), ("cookie", &*shared)], signed("web@2.5.0")),
        // Tabs that know their name only: the cookie remembers that the browser was given both.
        (vec![("x-frontend-version", "web@2.4.1"), ("cookie", &*shared)], signed("web@2.4.1")),
        (vec![("x-frontend-version", "web@2.5.0"), ("cookie", &*shared)], signed("web@2.5.0")),
        (vec![("x-frontend-version", "web@2.6.0"), ("cookie", &*shared)], Claim::Bare(id("web@2.6.0"))),
        // Nothing else is said, as by an image or a form.
        (vec![("cookie", &*shared)], signed("web@2.5.0")),
    ] {
        assert_eq!(world.claim(&sent), expected, "{sent:?}");
        assert_eq!(world.units(&sent), "anon:a - ", "{sent:?}");
    }
}

#[test]
fn a_unit_is_what_counts_most_of_what_is_said() {
    let believed = world(Edge::Believed, None);
    let anonymous = believed.token("web@2.4.1", units("anon:a", Some("customer:old")));
    let named = believed.token("web@2.4.1", units("user:7", None));
    for (sent, expected) in [
        (vec![], "- - "),
        (vec![("x-turnout-unit", "user:42")], "user:42 - "),
        (vec![("x-turnout-unit", "42")], "user:42 - "),
        (vec![("x-turnout-unit", "idp:42")], "user:idp:42 - "),
        (vec![("x-turnout-unit", "anon:x")], "anon:x - "),
        (vec![("x-turnout-unit", "customer:acme")], "- customer:acme "),
        (vec![("x-turnout-unit", "")], "- - "),
        (vec![("x-turnout-unit", "1"), ("x-turnout-unit", "2")], "- - "),
        (
            vec![
                ("x-turnout-unit", "1"),
                ("x-turnout-customer", "acme"),
                ("x-turnout-segments", "beta, eu,,"),
            ],
            "user:1 customer:acme beta+eu",
        ),
        (vec![("x-frontend-token", &*anonymous)], "anon:a customer:old "),
        // Logging in moves nobody within a session that began without a name.
        (
            vec![("x-frontend-token", &*anonymous), ("x-turnout-unit", "42"), ("x-turnout-customer", "new")],
            "anon:a customer:new ",
        ),
        (vec![("cookie", &*cookie(&named))], "user:7 - "),
        (vec![("cookie", &*cookie(&named)), ("x-turnout-unit", "42")], "user:42 - "),
    ] {
        assert_eq!(believed.units(&sent), expected, "{sent:?}");
    }
    let alone = world(Edge::Ignored, None);
    let sent = [("x-turnout-unit", "42"), ("x-turnout-customer", "acme"), ("x-turnout-segments", "beta")];
    assert_eq!(alone.units(&sent), "- - ");
}

#[test]
fn a_guest_has_a_name_from_the_page_on_or_stays_who_it_was() {
    let world = world(Edge::Believed, None);
    let token = cookie(&world.token("web@2.4.1", units("anon:a", None)));
    let known = world.reader.guest(&headers(&[("cookie", &token)]));
    assert_eq!(told(&known.units), "anon:a - ");
    assert_eq!(known.before.unwrap().frontend, id("web@2.4.1"));
    let named = world.reader.guest(&headers(&[("cookie", &token), ("x-turnout-unit", "42")]));
    assert_eq!(told(&named.units), "user:42 - ");
    let new = [(); 2].map(|()| world.reader.guest(&HeaderMap::new()));
    assert!(new.iter().all(|guest| told(&guest.units).starts_with("anon:") && guest.before.is_none()));
    assert_ne!(new[0].units, new[1].units);
}

#[test]
fn before_the_keys_of_an_issuer_are_known_a_token_is_none() {
    let login = Login::new();
    let jwt = |without| JwtSettings {
        terms: terms(),
        jwks_url: "http://127.0.0.1:1/jwks".parse().unwrap(),
        without,
    };
    let token = format!("Bearer {}", login.token(&super::bearer::claims()));
    for without in [Without::Nobody, Without::Refused] {
        let world = world(Edge::Ignored, Some(jwt(without)));
        for sent in [vec![], vec![("authorization", &*token)], vec![("authorization", "Bearer opaque")]] {
            let caller = world.reader.caller(&headers(&sent));
            let refused = caller.as_ref().err().copied();
            match without {
                Without::Nobody => assert_eq!(told(&caller.unwrap().units), "- - "),
                Without::Refused => assert_eq!(refused, Some(Refused::Unauthenticated)),
            }
        }
    }
}

#[test]
fn an_override_is_an_operators_or_the_request_is_refused() {
    let (world, other) = (world(Edge::Ignored, None), world(Edge::Ignored, None));
    let overrides = |ms: u64| Overrides {
        versions: [("catalog".parse().unwrap(), "1.5.0".parse().unwrap())].into(),
        actor: "ann".to_owned(),
        expires: Timestamp(ms),
    };
    let later = world.now.0 + HOUR_MS;
    let good = world.tokens.mint_override(&overrides(later));
    let caller = world.reader.caller(&headers(&[("x-turnout-override", &good)])).unwrap();
    assert_eq!(caller.overrides, Some(overrides(later)));
    let frontend = world.token("web@2.4.1", Units { person: Some(anonymous()), ..Units::default() });
    for wrong in [
        "catalog=1.5.0",
        "",
        &frontend,
        &world.tokens.mint_override(&overrides(world.now.0)),
        &other.tokens.mint_override(&overrides(later)),
    ] {
        let refused = world.reader.caller(&headers(&[("x-turnout-override", wrong)]));
        assert_eq!(refused.unwrap_err(), Refused::Override, "{wrong}");
    }
}

proptest! {
    #[test]
    fn no_headers_make_a_signed_claim_or_a_unit_out_of_nothing(
        token in "[!-~]{0,200}", bare in "[ -~]{0,40}", cookie in "[ -~]{0,80}", bearer in "[!-~]{0,80}",
    ) {
        let world = world(Edge::Ignored, None);
        let sent = [
            ("x-frontend-token", &*token),
            ("x-frontend-version", &*bare),
            ("cookie", &*format!("turnout_frontend={cookie}")),
            ("authorization", &*format!("Bearer {bearer}")),
        ];
        let caller = world.reader.caller(&headers(&sent)).unwrap();
        prop_assert!(!matches!(caller.claim, Claim::Signed(_) | Claim::Expired(_)));
        prop_assert_eq!(caller.units, Units::default());
    }
}
