//! Do the settings fit each other?
//!
//! Each check looks at a few checked values and tells a mistake at the one that makes the demand. A
//! value that could not be read makes no demand and misses none. What this build can run is not asked
//! here: that is the starting program's to say.

use std::net::SocketAddr;

use turnout_control::slot::Weight;

use super::kind::{Value, is_loopback};
use super::mistake::{Mistake, Origin};
use super::sources;
use super::values::{Effective, Values};

/// Everything that two settings can disagree on.
pub(super) fn check(values: &Values) -> Vec<Mistake> {
    let mut found = Vec::new();
    listeners(values, &mut found);
    registry(values, &mut found);
    sources::check(values, &mut found);
    ledger(values, &mut found);
    rollouts(values, &mut found);
    pair(values, ("registry.tls.cert", "registry.tls.key"), &mut found);
    pair(values, ("upstream.tls.cert", "upstream.tls.key"), &mut found);
    pair(values, ("registry.username", "registry.password"), &mut found);
    if let Some(trust) = chosen(values, "frontends.trust", "signed") {
        demand(values, trust, ("`frontends.trust: signed`", "frontends.key_file"), &mut found);
    }
    for path in [
        "auth.jwt.issuer",
        "auth.jwt.audience",
        "auth.jwt.jwks_url",
        "auth.jwt.customer_claim",
        "auth.jwt.segments_claim",
        "auth.jwt.required",
    ] {
        let Some(given) = values.given(path) else { continue };
        for needed in ["auth.jwt.issuer", "auth.jwt.jwks_url"] {
            demand(values, given, ("`auth.jwt`", needed), &mut found);
        }
        break;
    }
    found
}

fn listeners(values: &Values, found: &mut Vec<Mistake>) {
    let Some(admin) = values.get("admin.listen") else { return };
    let Some(admin_address) = admin.value.address() else { return };
    if !is_loopback(admin_address) && values.is_missing("admin.tokens.file") {
        let message =
            format!("`admin.listen`: {admin_address} is not on loopback, so `admin.tokens.file` is needed");
        let hint = "without tokens, whoever reaches that address operates the gateway".to_owned();
        found.push(Mistake { origin: admin.origin.clone(), message, hint: Some(hint) });
    }
    let Some(public) = values.get("listen") else { return };
    let Some(public_address) = public.value.address() else { return };
    if collide(public_address, admin_address) {
        // The one that was set is the one to change.
        let origin = if admin.origin == Origin::Default { &public.origin } else { &admin.origin };
        let message = format!("`listen` and `admin.listen` both take port {}", admin_address.port());
        let hint = Some("give each its own port".to_owned());
        found.push(Mistake { origin: origin.clone(), message, hint });
    }
}

fn collide(one: SocketAddr, other: SocketAddr) -> bool {
    let same_ip = one.ip() == other.ip() || one.ip().is_unspecified() || other.ip().is_unspecified();
    one.port() != 0 && one.port() == other.port() && same_ip
}

fn registry(values: &Values, found: &mut Vec<Mistake>) {
    if let Some(kind) = chosen(values, "registry.kind", "etcd") {
        demand(values, kind, ("`registry.kind: etcd`", "registry.endpoints"), found);
    }
    if chosen(values, "registry.kind", "embedded").is_some() {
        for path in [
            "registry.endpoints",
            "registry.prefix",
            "registry.tls.ca",
            "registry.tls.cert",
            "registry.tls.key",
            "registry.username",
            "registry.password",
        ] {
            refuse(values, path, ("registry.kind", "etcd"), found);
        }
    }
}

fn ledger(values: &Values, found: &mut Vec<Mistake>) {
    if let Some(kind) = chosen(values, "ledger.kind", "postgres") {
        demand(values, kind, ("`ledger.kind: postgres`", "ledger.url"), found);
    }
    if chosen(values, "ledger.kind", "embedded").is_some() {
        refuse(values, "ledger.url", ("ledger.kind", "postgres"), found);
    }
}

/// Steps that only go up, and a longest stay that is none below the shortest.
fn rollouts(values: &Values, found: &mut Vec<Mistake>) {
    if let Some(steps) = values.get("rollouts.steps") {
        let shares: Vec<_> = steps.value.list().unwrap_or_default().iter().filter_map(Value::share).collect();
        let message = match shares.first() {
            None => Some("`rollouts.steps` has no step"),
            Some(&Weight::NONE) => Some("`rollouts.steps` begins with nobody"),
            Some(_) if !shares.is_sorted_by(|one, next| one < next) => Some("`rollouts.steps` must go up"),
            Some(_) => None,
        };
        if let Some(message) = message {
            let hint = Some("each step gives the new version to more callers: `1%, 5%, 20%, 50%`".to_owned());
            found.push(Mistake { origin: steps.origin.clone(), message: message.to_owned(), hint });
        }
    }
    let (Some(least), Some(most)) = (values.get("rollouts.dwell"), values.get("rollouts.dwell_max")) else {
        return;
    };
    if least.value.duration() > most.value.duration() {
        let message =
            format!("`rollouts.dwell`: {} is above `rollouts.dwell_max`: {}", least.value, most.value);
        let origin = if least.origin == Origin::Default { &most.origin } else { &least.origin };
        found.push(Mistake { origin: origin.clone(), message, hint: None });
    }
}

/// Both or neither.
fn pair(values: &Values, (one, other): (&'static str, &'static str), found: &mut Vec<Mistake>) {
    for (given, needed) in [(one, other), (other, one)] {
        if let Some(effective) = values.given(given) {
            demand(values, effective, (&format!("`{given}`"), needed), found);
        }
    }
}

/// `by` needs the setting `path`, which somebody must have set.
fn demand(values: &Values, by: &Effective, (who, path): (&str, &'static str), found: &mut Vec<Mistake>) {
    if values.is_missing(path) {
        let message = format!("{who} needs `{path}`");
        found.push(Mistake { origin: by.origin.clone(), message, hint: None });
    }
}

/// The setting `path` means something for another kind only.
fn refuse(values: &Values, path: &'static str, (kind, other): (&str, &str), found: &mut Vec<Mistake>) {
    if let Some(given) = values.given(path) {
        let message = format!("`{path}` has no meaning unless `{kind}` is `{other}`");
        let hint = format!("set `{kind}: {other}`, or remove it");
        found.push(Mistake { origin: given.origin.clone(), message, hint: Some(hint) });
    }
}

fn chosen<'a>(values: &'a Values, path: &'static str, name: &str) -> Option<&'a Effective> {
    values.get(path).filter(|found| found.value.choice() == Some(name))
}
