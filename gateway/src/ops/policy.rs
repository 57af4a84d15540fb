//! What operators see of policies: what was decided, and what the callers of each frontend get by it.
//!
//! Descriptions here are what a person reads in a schema browser.

use async_graphql::{Result, SimpleObject};
use turnout_control::frontend::Frontend;
use turnout_control::id::ServiceName;
use turnout_control::routes::moves::taken;
use turnout_control::routes::{Base, Own, Place, Scope, undo};

use super::Facts;
use super::ground::{Ground, frontend_named, named, parsed};

/// Which versions callers get.
#[derive(SimpleObject)]
pub(super) struct Policies {
    /// What was decided, by service, major and frontend; what holds for everyone first.
    decided: Vec<Policy>,
    /// What the callers of each frontend get by it, by service and frontend.
    routes: Vec<Route>,
    /// Records that cannot be read, and so decide nothing.
    unreadable: Vec<UnreadablePolicy>,
}

/// A decision about one major of a service.
#[derive(SimpleObject)]
pub(super) struct Policy {
    service: String,
    major: u64,
    /// The frontend whose callers it is about; null when it holds for everyone.
    frontend: Option<String>,
    /// What everybody gets about whom nothing else is decided; null when one frontend's policy leaves it.
    stable: Option<String>,
    /// The version in whose place the stable one stands because nobody runs that.
    instead_of: Option<String>,
    /// Whether nobody has run this major for long while others run.
    vacant: bool,
    /// What is being tried.
    candidate: Option<String>,
    /// How many get it, in parts per million.
    weight_ppm: Option<u32>,
    /// The largest share of the frontend's callers that a candidate may have, in parts per million.
    cap_ppm: Option<u32>,
    /// Whether candidates are switched off.
    killed: bool,
    /// Units that get the candidate at any weight above zero.
    allow: Vec<String>,
    /// Units that never get it.
    deny: Vec<String>,
    /// When it was last written, for `expectedRevision`.
    revision: String,
}

/// What callers of one frontend get of one service.
#[derive(SimpleObject)]
#[graphql(name = "PolicyRoute")]
pub(super) struct Route {
    service: String,
    /// `any@0.0.0` is whoever is no published frontend.
    frontend: String,
    /// The range it was built for; null of the built-in frontend.
    pin: Option<String>,
    /// Null when it gets nothing of the service.
    stable: Option<String>,
    candidate: Option<String>,
    /// How many get the candidate as decided, in parts per million.
    weight_ppm: Option<u32>,
    /// How many get it, caps and switches considered, in parts per million.
    effective_ppm: Option<u32>,
    /// Whether candidates are switched off.
    killed: bool,
    /// How many units are on lists.
    listed: usize,
    /// Whether something was decided for this frontend alone.
    own: bool,
    /// Why it gets nothing of the service.
    unrouted: Option<String>,
}

/// A record that cannot be read.
#[derive(SimpleObject)]
struct UnreadablePolicy {
    key: String,
    why: String,
}

/// What was decided, of one service and frontend or of all.
pub(super) fn all(facts: &Facts, service: Option<&str>, frontend: Option<&str>) -> Result<Policies> {
    let ground = Ground::of(facts);
    let service: Option<ServiceName> = service.map(|name| parsed("service", name)).transpose()?;
    let frontend = frontend.map(frontend_named).transpose()?;
    let wanted = |name: &ServiceName| service.as_ref().is_none_or(|wanted| wanted == name);
    let meant =
        |of: Option<&Frontend>| frontend.as_ref().is_none_or(|wanted| wanted.as_ref() == of.map(|of| &of.id));
    let services = ground.policies.bases.keys().filter(|name| wanted(name));
    let mut routes = Vec::new();
    for service in services {
        let pins = |of: Option<&Frontend>| of.is_none_or(|of| of.pins.contains_key(service));
        let callers = ground.callers().filter(|of| meant(*of) && pins(*of));
        routes.extend(callers.map(|of| route(&ground, of, service)));
    }
    let unreadable = ground.unreadable.iter();
    Ok(Policies {
        decided: decided(&ground)
            .into_iter()
            .filter(|(place, _)| wanted(&place.service))
            .map(|it| it.1)
            .collect(),
        routes,
        unreadable: unreadable
            .map(|found| UnreadablePolicy { key: found.key.to_string(), why: found.why.clone() })
            .collect(),
    })
}

fn decided(ground: &Ground) -> Vec<(Place, Policy)> {
    let mut all = Vec::new();
    for (service, majors) in &ground.policies.bases {
        for (major, base) in majors {
            let everyone = Place { scope: Scope::Everyone, service: service.clone(), major: *major };
            let policy = of_base(ground, &everyone, base);
            all.push((everyone, policy));
            let of_major = |(_, of, at): &(_, ServiceName, u64)| of == service && at == major;
            for ((frontend, ..), own) in ground.policies.owns.iter().filter(|(key, _)| of_major(key)) {
                let scope = Scope::Frontend(frontend.clone());
                let place = Place { scope, service: service.clone(), major: *major };
                let policy = of_own(ground, &place, own);
                all.push((place, policy));
            }
        }
    }
    all
}

/// A decision for everyone.
pub(super) fn of_base(ground: &Ground, place: &Place, base: &Base) -> Policy {
    Policy {
        instead_of: base.instead_of.as_ref().map(ToString::to_string),
        vacant: base.vacant,
        ..of_own(ground, place, &undo::of_base(base))
    }
}

/// A decision for one frontend.
pub(super) fn of_own(ground: &Ground, place: &Place, own: &Own) -> Policy {
    let tried = own.candidate.as_ref();
    let frontend = match &place.scope {
        Scope::Everyone => None,
        Scope::Frontend(frontend) => Some(frontend.to_string()),
    };
    Policy {
        service: place.service.to_string(),
        major: place.major,
        frontend,
        stable: own.stable.as_ref().map(ToString::to_string),
        instead_of: None,
        vacant: false,
        candidate: tried.map(|tried| tried.version.to_string()),
        weight_ppm: tried.map(|tried| tried.weight.as_ppm()),
        cap_ppm: own.cap.map(|cap| cap.as_ppm()),
        killed: own.killed,
        allow: own.allow.iter().map(ToString::to_string).collect(),
        deny: own.deny.iter().map(ToString::to_string).collect(),
        revision: ground.revision(&place.key()).to_string(),
    }
}

fn route(ground: &Ground, frontend: Option<&Frontend>, service: &ServiceName) -> Route {
    let found = ground.route(&ground.policies, frontend, service);
    let pin = frontend.and_then(|frontend| frontend.pins.get(service)).map(|pin| pin.range.to_string());
    let owns = ground.policies.owns.keys();
    let own = owns.into_iter().any(|(id, of, _)| frontend.is_some_and(|it| it.id == *id) && of == service);
    let unrouted = found.as_ref().err().map(ToString::to_string);
    let policy = found.ok();
    let candidate = policy.as_ref().and_then(|policy| policy.candidate());
    Route {
        service: service.to_string(),
        frontend: named(frontend),
        pin,
        stable: policy.as_ref().map(|policy| policy.stable().to_string()),
        candidate: candidate.map(|candidate| candidate.version.to_string()),
        weight_ppm: candidate.map(|candidate| candidate.weight.as_ppm()),
        effective_ppm: candidate.and(policy.as_ref()).map(|policy| taken(policy).as_ppm()),
        killed: candidate.is_some_and(|candidate| candidate.killed),
        listed: candidate.map_or(0, |candidate| candidate.allow.len() + candidate.deny.len()),
        own,
        unrouted,
    }
}
