//! Which version of each service a caller gets, why, and when that would change.
//!
//! Computed from the generation that requests run on, through the same lineup, so that it says what a request
//! would be given now on this gateway: health and fuses included. Calls nobody and counts nothing. Descriptions
//! here are what a person reads in a schema browser.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_graphql::{InputObject, Result, SimpleObject};
use turnout_control::frontend::{self, App, Claim, How, Sees, Trust, Units, Who};
use turnout_control::id::{FrontendId, ServiceName, Version};
use turnout_control::policy::{Arm, Reason};
use turnout_control::rollout::Rollout;
use turnout_control::routes::turn::{Turn, turn};
use turnout_control::slot::{Unit, UnitKind, Weight};

use super::ground::{ANY, Ground, frontend_named, parsed};
use super::{Facts, fault};
use crate::generation::{Generation, Prepared, Route, View};
use crate::lineup::{self, Chosen, Lineup};

/// The longest document that is explained.
const DOCUMENT_BYTES_MAX: usize = 128 << 10;

/// Who calls, and what for.
#[derive(InputObject)]
#[graphql(name = "Caller")]
pub(super) struct Asked {
    /// Left out: the one that the assignment rules give this caller.
    frontend: Option<String>,
    /// `user:42`, `anon:7f3a` or `customer:acme`; left out: a caller without identity.
    unit: Option<String>,
    /// The customer that the unit belongs to.
    customer: Option<String>,
    /// The segments of that customer.
    #[graphql(default)]
    segments: Vec<String>,
    /// Only these services; left out: all that the frontend sees.
    services: Option<Vec<String>>,
    /// Only the services that this operation touches: its text.
    document: Option<String>,
    /// The name of the operation in the document, or in a document of the frontend.
    operation: Option<String>,
}

/// What a caller gets.
#[derive(SimpleObject)]
pub(super) struct Explanation {
    /// Which frontend's graph and policies hold; `any@0.0.0` is whoever is no published one.
    frontend: String,
    /// How that came, in words.
    because: String,
    unit: Option<String>,
    customer: Option<String>,
    /// The generation that it was read from.
    generation: String,
    /// What it gets, by service.
    services: Vec<Explained>,
    /// The calls of the operation, in their order; null without one.
    plan: Option<String>,
    /// The services that the frontend pins and does not see, and why.
    unseen: Vec<Unseen>,
}

/// Which version of a service a caller gets.
#[derive(SimpleObject)]
#[graphql(name = "ExplainedService")]
struct Explained {
    service: String,
    version: String,
    /// `stable` or `candidate`.
    arm: &'static str,
    /// A stable name for why.
    reason: &'static str,
    /// The same in words.
    because: String,
    /// When it would change, in words.
    until: String,
    /// Who sticks to the version; null when the caller has no such identity.
    unit: Option<String>,
    /// Where it stands, from 0 to 999999; null where nothing is tried or lists decide.
    slot: Option<u32>,
    stable: String,
    /// What is being tried; null when nothing is, or not for this frontend.
    candidate: Option<String>,
    /// How many get the candidate, caps considered, in parts per million.
    effective_ppm: Option<u32>,
}

/// A service that a frontend pins and does not see.
#[derive(SimpleObject)]
#[graphql(name = "UnseenService")]
struct Unseen {
    service: String,
    why: String,
}

pub(super) fn explain(facts: &Facts, asked: &Asked) -> Result<Explanation> {
    let generation = facts.generations.borrow().clone();
    let generation = generation.ok_or_else(|| fault::conflict("nothing is served yet".to_owned()))?;
    let units = units(asked)?;
    let (frontend, because) = frontend(facts, &generation, asked, &units)?;
    let name = frontend.as_ref().map_or_else(|| ANY.to_owned(), ToString::to_string);
    let view = generation.view(frontend.as_ref());
    let view =
        view.ok_or_else(|| fault::conflict(format!("{name} sees no graph: none of its services serves")))?;
    let ground = Ground::of(facts);
    let prepared = prepared(&ground, view, frontend.as_ref(), asked)?;
    let members = members(view, prepared.as_deref(), asked)?;
    let lineup = Lineup::new(view, &units);
    let rollouts: Vec<Rollout> = ground.rollouts().into_iter().map(|found| found.rollout).collect();
    let explained = members.into_iter().filter_map(|member| {
        let (route, chosen) = (view.routes.get(member)?, lineup.choose(member)?);
        Some(service(route, &chosen, &units, &rollouts))
    });
    let unseen = view.unrouted.iter();
    Ok(Explanation {
        frontend: name,
        because,
        unit: units.person.as_ref().map(ToString::to_string),
        customer: units.customer.as_ref().map(ToString::to_string),
        generation: generation.number.to_string(),
        services: explained.collect(),
        plan: prepared.map(|prepared| prepared.plan.explain()),
        unseen: unseen
            .map(|(service, why)| Unseen { service: service.to_string(), why: why.to_string() })
            .collect(),
    })
}

fn units(asked: &Asked) -> Result<Units> {
    let mut units = Units { segments: asked.segments.clone(), ..Units::default() };
    if let Some(customer) = &asked.customer {
        let customer = Unit::new(UnitKind::Customer, customer);
        units.customer = Some(customer.map_err(|error| fault::input("customer", &error))?);
    }
    let Some(unit) = &asked.unit else { return Ok(units) };
    let unit: Unit = parsed("unit", unit)?;
    match unit.kind() {
        UnitKind::User | UnitKind::Anonymous => units.person = Some(unit),
        UnitKind::Customer if units.customer.is_some() => {
            return Err(fault::input("unit", &"is a customer, and another argument names one too"));
        }
        UnitKind::Customer => units.customer = Some(unit),
    }
    Ok(units)
}

/// Which frontend the caller is taken for, and how that comes.
fn frontend(
    facts: &Facts,
    generation: &Generation,
    asked: &Asked,
    units: &Units,
) -> Result<(Option<FrontendId>, String)> {
    let (visitor, now) = (units.visitor(), facts.clock.now());
    let named = asked.frontend.as_deref().map(frontend_named).transpose()?;
    let claim = match &named {
        None => Claim::None,
        Some(None) => return Ok((None, "it was asked about".to_owned())),
        Some(Some(id)) => Claim::Signed(id.clone()),
    };
    let frontends = &generation.frontends;
    let identity = frontends.identify(&claim, Trust::Claims, visitor, now);
    let id = match identity.sees {
        Sees::Published(frontend) => Some(frontend.id.clone()),
        Sees::BuiltIn => None,
        Sees::Nothing => {
            let why = "the version that this caller is assigned is not published, or is retired; \
                       `turnout frontend list` shows what is assigned to whom";
            return Err(fault::conflict(why.to_owned()));
        }
    };
    let because = match (identity.how, &id) {
        (How::Verified | How::Claimed, _) => "it was asked about".to_owned(),
        (How::Unknown, Some(_)) => "the frontend that was asked about is not published".to_owned(),
        (How::Retired, Some(_)) => "the frontend that was asked about is retired".to_owned(),
        (How::Unknown | How::Retired | How::NotAllowed | How::Forged | How::Expired | How::Default, None) => {
            "no frontend is published that it could be".to_owned()
        }
        (How::Default | How::NotAllowed | How::Forged | How::Expired, Some(_)) => String::new(),
    };
    let Some(id) = id else { return Ok((None, because)) };
    let assigned = frontends.apps.get(&id.app).map(|app| rule(app, app.assign(visitor, now).1));
    let because = match (because.is_empty(), assigned) {
        (true, assigned) => assigned.unwrap_or_default(),
        (false, Some(assigned)) if identity.how != How::Verified => format!("{because}; {assigned}"),
        (false, _) => because,
    };
    Ok((Some(id), because))
}

/// The rule by which a caller is assigned a version, in words.
fn rule(app: &App, place: Option<usize>) -> String {
    let found = place.and_then(|place| Some((place, app.rules.get(place)?)));
    let Some((place, rule)) = found else {
        return format!("{} is the default version of {}", app.default, app.name);
    };
    let who = match &rule.who {
        Who::Customers(names) if names.len() == 1 => "its customer".to_owned(),
        Who::Customers(names) => format!("{} customers", names.len()),
        Who::Segment(name) => format!("the segment {name}"),
        Who::Share(share, _) => format!("{share} of all units"),
    };
    format!("rule {} of {} gives {} to {who}", place + 1, app.name, rule.to)
}

/// The plan of the operation that was asked about.
fn prepared(
    ground: &Ground,
    view: &View,
    frontend: Option<&FrontendId>,
    asked: &Asked,
) -> Result<Option<Arc<Prepared>>> {
    // Other limits than those that requests have would throw away the plans of all.
    let (_, limits) = view.graph.documents(0);
    let prepare = |text: &str, operation: Option<&str>| {
        let raw = serde_json::Value::from(text).to_string();
        view.graph.prepare(&raw, operation, &limits)
    };
    let (document, operation) = (asked.document.as_deref(), asked.operation.as_deref());
    match (document, operation) {
        (None, None) => Ok(None),
        (Some(text), operation) => {
            if text.len() > DOCUMENT_BYTES_MAX {
                let found = format!("has {} bytes, and {DOCUMENT_BYTES_MAX} are allowed", text.len());
                return Err(fault::input("document", &found));
            }
            let faults = |faults: Vec<crate::execute::fault::Fault>| {
                let texts: Vec<&str> = faults.iter().map(|fault| &*fault.message).collect();
                fault::input("document", &format!("cannot be answered: {}", texts.join(" ")))
            };
            prepare(text, operation).map(Some).map_err(faults)
        }
        (None, Some(name)) => {
            let documents = documents(ground, frontend);
            let by_id = documents.iter().filter(|document| document.id == name).map(|it| (it, None));
            let by_name =
                documents.iter().filter(|document| document.text.contains(name)).map(|it| (it, Some(name)));
            let mut found = by_id.chain(by_name);
            let found = found.find_map(|(document, operation)| prepare(&document.text, operation).ok());
            found.map(Some).ok_or_else(|| {
                let whose = frontend.map_or_else(|| ANY.to_owned(), ToString::to_string);
                fault::input("operation", &format!(
                    "{name:?} is in no document that {whose} was published with, or cannot be answered; give the \
                     text of the document instead"
                ))
            })
        }
    }
}

fn documents(ground: &Ground, frontend: Option<&FrontendId>) -> Vec<frontend::Document> {
    let published = frontend.and_then(|id| {
        let record = ground.records.get(&frontend::key(id))?;
        frontend::read(id, &record.value).ok()
    });
    published.map(|published| published.documents).unwrap_or_default()
}

/// The places of the services that are told of.
fn members(view: &View, prepared: Option<&Prepared>, asked: &Asked) -> Result<Vec<usize>> {
    if let Some(prepared) = prepared {
        let members: BTreeSet<usize> = prepared.plan.fetches.iter().map(|fetch| fetch.member).collect();
        return Ok(members.into_iter().collect());
    }
    let Some(services) = &asked.services else { return Ok((0..view.routes.len()).collect()) };
    let place = |name: &String| {
        let name: ServiceName = parsed("services", name)?;
        let unseen = || match view.unrouted.get(&name) {
            Some(why) => fault::conflict(format!("the frontend gets nothing of {name}: {why}")),
            None => fault::conflict(format!("the frontend does not see a service {name:?}")),
        };
        view.routes.iter().position(|route| route.service == name).ok_or_else(unseen)
    };
    services.iter().map(place).collect()
}

fn service(route: &Route, chosen: &Chosen<'_>, units: &Units, rollouts: &[Rollout]) -> Explained {
    let unit = lineup::unit(route.cohort, units);
    // Who is tried with nobody to call is not tried here.
    let candidate = route.policy.candidate();
    let steps =
        candidate.map_or_else(Vec::new, |candidate| steps(rollouts, &route.service, &candidate.version));
    Explained {
        service: route.service.to_string(),
        version: chosen.callee.version.to_string(),
        arm: chosen.arm.as_str(),
        reason: chosen.reason.as_str(),
        because: because(chosen, unit, candidate.map(|candidate| candidate.weight.min(candidate.cap))),
        until: until(route, chosen.arm, turn(&route.policy, unit, &steps), &steps),
        unit: unit.map(ToString::to_string),
        slot: chosen.slot.map(|slot| slot.number()),
        stable: route.policy.stable().to_string(),
        candidate: candidate.map(|candidate| candidate.version.to_string()),
        effective_ppm: candidate.map(|candidate| match candidate.killed {
            true => 0,
            false => candidate.weight.min(candidate.cap).as_ppm(),
        }),
    }
}

/// The weights that a rollout of this version goes through.
fn steps(rollouts: &[Rollout], service: &ServiceName, version: &Version) -> Vec<Weight> {
    let live = rollouts
        .iter()
        .find(|rollout| rollout.service == *service && rollout.to == *version && !rollout.state.has_ended());
    live.map_or_else(Vec::new, |rollout| rollout.plan.steps.iter().map(|step| step.weight).collect())
}

fn because(chosen: &Chosen<'_>, unit: Option<&Unit>, weight: Option<Weight>) -> String {
    let who = unit.map_or_else(|| "the caller".to_owned(), ToString::to_string);
    let (weight, slot) = (weight.unwrap_or(Weight::NONE), chosen.slot.map(|slot| slot.number()));
    match (chosen.reason, slot) {
        (Reason::Stable, Some(slot)) => format!("slot {slot} is not below the weight, {}", weight.as_ppm()),
        (Reason::Stable, None) if weight == Weight::NONE => "nobody is given another version".to_owned(),
        (Reason::Stable, None) => "it is what everybody gets".to_owned(),
        (Reason::Candidate, slot) => {
            format!("slot {} is below the weight, {}", slot.unwrap_or_default(), weight.as_ppm())
        }
        (Reason::NoUnit, _) => "it has no identity that could stick to a version".to_owned(),
        (Reason::Denied, _) => format!("{who} is on the list of those who never get a candidate"),
        (Reason::Allowed, _) => format!("{who} is on the list of those who get the candidate"),
        (Reason::Killed, _) => "an operator has switched the candidate off".to_owned(),
        (Reason::FuseOpen, _) => {
            "it would get the candidate, which fails on this gateway: the fuse is open".to_owned()
        }
        (Reason::Cold, _) => {
            "it would get the candidate, whose instances have not served long enough".to_owned()
        }
        (Reason::Fallback, _) => "it would get the candidate, of which no instance serves".to_owned(),
        (Reason::Override, _) => "an operator asked for it".to_owned(),
    }
}

/// When the other version would come, in words.
fn until(route: &Route, arm: Arm, turn: Turn, steps: &[Weight]) -> String {
    let stable = route.policy.stable();
    let Some(candidate) = route.policy.candidate().map(|candidate| &candidate.version) else {
        return "until another version is tried".to_owned();
    };
    match turn {
        Turn::Untried => "until another version is tried".to_owned(),
        Turn::NoUnit | Turn::Denied => format!("until {candidate} is promoted"),
        Turn::Allowed if arm == Arm::Candidate => format!("until {candidate} is rolled back"),
        Turn::Allowed => format!("until {candidate} is given to anybody and serves"),
        Turn::Killed(weight) => {
            format!("until the candidate is switched on again and its weight is {weight} or more")
        }
        Turn::Leaves(weight) if arm == Arm::Candidate => {
            format!("until the weight is below {weight}, or {candidate} is rolled back to {stable}")
        }
        Turn::Leaves(_) => format!("until {candidate} serves here again"),
        Turn::Joins(weight, Some(step)) => {
            format!("until the weight is {weight} (step {} of {})", step + 1, steps.len())
        }
        Turn::Joins(weight, None) if steps.is_empty() => format!("until the weight is {weight}"),
        Turn::Joins(weight, None) => format!("until {candidate} is promoted: no step reaches {weight}"),
        Turn::Capped(weight) => {
            format!("until {candidate} is promoted: the frontend's cap is below {weight}")
        }
    }
}
