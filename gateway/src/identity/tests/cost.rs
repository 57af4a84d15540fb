//! How long does it take to know who calls? Nothing is asserted about time: machines differ.
//! `cargo test --release -p turnout --lib identity::tests::cost -- --nocapture` shows it.

use std::hint::black_box;
use std::sync::Arc;

use http::{HeaderMap, HeaderName};
use tokio::sync::watch;
use turnout_control::frontend::{Claim, Trust, Units};

use super::super::{Callers, Edge, Keys, Pass, Settings, Tokens, Verdict};
use crate::clock::Clock;

#[test]
fn callers_are_known_by_name_by_cookie_and_by_token() {
    let tokens = Arc::new(Tokens::new(Keys::random()));
    let settings = Settings { trust: Trust::Claims, edge: Edge::Believed, jwt: None };
    let (_, settings) = watch::channel(Arc::new(settings));
    let clock = Clock::start();
    let (callers, _) = Callers::new(tokens.clone(), settings, clock);
    let reader = callers.reader();
    let units = Units { person: Some("anon:0123456789abcdef".parse().unwrap()), ..Units::default() };
    let token = tokens.mint(&Pass::new("web@2.4.1".parse().unwrap(), units, None, clock.now()));
    let cookie = format!("theme=dark; turnout_frontend={token}");
    let asked: [(&str, &[(&'static str, &str)]); 4] = [
        ("nothing", &[]),
        ("a name", &[("x-frontend-version", "web@2.4.1")]),
        ("a name and a unit", &[("x-frontend-version", "web@2.4.1"), ("x-turnout-unit", "user:42")]),
        ("a page with its cookie", &[("x-frontend-token", &token), ("cookie", &cookie)]),
    ];
    for (what, sent) in asked {
        let mut headers = HeaderMap::new();
        for (name, value) in [("host", "localhost"), ("accept", "*/*")].iter().chain(sent) {
            headers.append(HeaderName::from_static(name), value.parse().unwrap());
        }
        let took = nanoseconds(|| drop(black_box(reader.caller(black_box(&headers)).unwrap())));
        let claim = reader.caller(&headers).unwrap().claim;
        assert_eq!(claim == Claim::None, sent.is_empty());
        println!("{what}: {took} ns");
    }
    let took = nanoseconds(|| {
        assert!(matches!(tokens.verify(black_box(&token), clock.now()), Verdict::Verified(_)));
    });
    println!("a token that was not seen before: {took} ns");
}

/// How long a round takes.
fn nanoseconds(mut round: impl FnMut()) -> u128 {
    #[expect(clippy::disallowed_methods, reason = "a measurement, of which nothing is asserted")]
    let now = std::time::Instant::now;
    let rounds = if cfg!(debug_assertions) { 500 } else { 100_000 };
    let start = now();
    for _ in 0..rounds {
        round();
    }
    start.elapsed().as_nanos() / rounds
}
