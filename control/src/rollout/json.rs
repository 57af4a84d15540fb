//! Fields of stored JSON, and how states, plans and orders are stored.
//!
//! Written by hand, so that what is stored is a decision and not a copy of our types. Fields that this build does
//! not know are passed over; a word that it does not know is an error, because a rollout whose state is not
//! understood must not go on.

use std::time::Duration;

use serde_json::{Value, json};

use super::{
    Approval, Consent, Dwelling, Hold, Order, Pending, Plan, Regression, Shift, Shifts, State, Step,
    Unreadable,
};
use crate::slot::Weight;

type Read<T> = Result<T, Unreadable>;

pub(super) fn field<'a>(value: &'a Value, name: &'static str) -> Read<&'a Value> {
    value.get(name).filter(|value| !value.is_null()).ok_or(Unreadable::Field(name))
}

pub(super) fn text<'a>(value: &'a Value, name: &'static str) -> Read<&'a str> {
    field(value, name)?.as_str().ok_or(Unreadable::Field(name))
}

pub(super) fn number(value: &Value, name: &'static str) -> Read<u64> {
    field(value, name)?.as_u64().ok_or(Unreadable::Field(name))
}

pub(super) fn small(value: &Value, name: &'static str) -> Read<u32> {
    u32::try_from(number(value, name)?).map_err(|_| Unreadable::Field(name))
}

pub(super) fn real(value: &Value, name: &'static str) -> Read<f64> {
    field(value, name)?.as_f64().ok_or(Unreadable::Field(name))
}

pub(super) fn truth(value: &Value, name: &'static str) -> Read<bool> {
    field(value, name)?.as_bool().ok_or(Unreadable::Field(name))
}

pub(super) fn list<'a>(value: &'a Value, name: &'static str) -> Read<&'a [Value]> {
    field(value, name)?.as_array().map(Vec::as_slice).ok_or(Unreadable::Field(name))
}

/// Exactly so many numbers.
pub(super) fn reals<const N: usize>(value: &Value, name: &'static str) -> Read<[f64; N]> {
    let numbers = list(value, name)?.iter().map(Value::as_f64).collect::<Option<Vec<f64>>>();
    numbers.and_then(|numbers| numbers.try_into().ok()).ok_or(Unreadable::Field(name))
}

pub(super) fn parsed<T: std::str::FromStr>(value: &Value, name: &'static str) -> Read<T> {
    text(value, name)?.parse().map_err(|_| Unreadable::Field(name))
}

fn duration(value: &Value, name: &'static str) -> Read<Duration> {
    number(value, name).map(Duration::from_millis)
}

pub(super) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

pub(super) fn plan_value(plan: &Plan) -> Value {
    let step = |step: &Step| {
        json!({
            "weight_ppm": step.weight.as_ppm(),
            "dwell_min_ms": millis(step.dwell_min),
            "dwell_max_ms": millis(step.dwell_max),
            "instances_min": step.instances_min,
            "approval": match step.approval {
                Approval::Evidence => "evidence",
                Approval::Operator => "operator",
            },
        })
    };
    json!({
        "steps": plan.steps.iter().map(step).collect::<Vec<Value>>(),
        "alpha_failures": plan.alpha_failures,
        "alpha_slowness": plan.alpha_slowness,
        "alpha_shift": plan.alpha_shift,
        "beta": plan.beta,
        "excess_failures_max": plan.excess_failures_max,
    })
}

pub(super) fn plan(value: &Value) -> Read<Plan> {
    let step = |value: &Value| -> Read<Step> {
        Ok(Step {
            weight: Weight::ppm(small(value, "weight_ppm")?).ok_or(Unreadable::Field("weight_ppm"))?,
            dwell_min: duration(value, "dwell_min_ms")?,
            dwell_max: duration(value, "dwell_max_ms")?,
            instances_min: small(value, "instances_min")?,
            approval: match text(value, "approval")? {
                "evidence" => Approval::Evidence,
                "operator" => Approval::Operator,
                _ => return Err(Unreadable::Field("approval")),
            },
        })
    };
    let steps = list(value, "steps")?.iter().map(step).collect::<Read<Vec<Step>>>()?;
    if steps.is_empty() {
        return Err(Unreadable::Field("steps"));
    }
    Ok(Plan {
        steps,
        alpha_failures: real(value, "alpha_failures")?,
        alpha_slowness: real(value, "alpha_slowness")?,
        alpha_shift: real(value, "alpha_shift")?,
        beta: real(value, "beta")?,
        excess_failures_max: number(value, "excess_failures_max")?,
    })
}

pub(super) fn state_value(state: &State) -> Value {
    match state {
        State::Pending(why) => json!({ "is": "pending", "why": why.as_str() }),
        State::Shifting(at) => json!({ "is": "shifting", "at": dwelling_value(at) }),
        State::Holding(at, hold) => {
            json!({ "is": "holding", "at": dwelling_value(at), "why": hold_value(hold) })
        }
        State::Inconclusive(at) => json!({ "is": "inconclusive", "at": dwelling_value(at) }),
        State::Promoted => json!({ "is": "promoted" }),
        State::RolledBack(why) => json!({ "is": "rolled-back", "why": regression_value(why) }),
        State::Superseded(version) => json!({ "is": "superseded", "by": version.to_string() }),
    }
}

/// Reads a state of a plan with so many steps.
pub(super) fn state(value: &Value, steps: usize) -> Read<State> {
    let at = || dwelling(field(value, "at")?, steps);
    let why = || field(value, "why");
    Ok(match text(value, "is")? {
        "pending" => State::Pending(match text(value, "why")? {
            "operator" => Pending::Operator,
            "instances" => Pending::Instances,
            "others" => Pending::Others,
            _ => return Err(Unreadable::Field("why")),
        }),
        "shifting" => State::Shifting(at()?),
        "holding" => State::Holding(at()?, hold(why()?)?),
        "inconclusive" => State::Inconclusive(at()?),
        "promoted" => State::Promoted,
        "rolled-back" => State::RolledBack(regression(why()?)?),
        "superseded" => State::Superseded(parsed(value, "by")?),
        _ => return Err(Unreadable::Field("is")),
    })
}

fn dwelling_value(at: &Dwelling) -> Value {
    json!({
        "step": at.step,
        "dwelt_ns": u64::try_from(at.dwelt.as_nanos()).unwrap_or(u64::MAX),
        "consent": at.consent.as_str(),
        "stable_degraded": at.stable_degraded,
        "accepted": at.accepted.iter().map(Shift::as_str).collect::<Vec<&str>>(),
    })
}

fn dwelling(value: &Value, steps: usize) -> Read<Dwelling> {
    let step = usize::try_from(number(value, "step")?).map_err(|_| Unreadable::Field("step"))?;
    let mut accepted = Shifts::default();
    for word in list(value, "accepted")? {
        accepted = accepted.with(shift(word.as_str().unwrap_or_default())?);
    }
    Ok(Dwelling {
        step: Some(step).filter(|step| *step < steps).ok_or(Unreadable::Field("step"))?,
        dwelt: Duration::from_nanos(number(value, "dwelt_ns")?),
        consent: match text(value, "consent")? {
            "unasked" => Consent::Unasked,
            "asked" => Consent::Asked,
            "given" => Consent::Given,
            _ => return Err(Unreadable::Field("consent")),
        },
        stable_degraded: truth(value, "stable_degraded")?,
        accepted,
    })
}

fn shift(word: &str) -> Read<Shift> {
    Shift::ALL.into_iter().find(|known| known.as_str() == word).ok_or(Unreadable::Field("shift"))
}

fn hold_value(hold: &Hold) -> Value {
    match hold {
        Hold::Operator(reason) => json!({ "is": "operator", "reason": reason }),
        Hold::Coverage(share) => json!({ "is": "coverage", "share": share }),
        Hold::Mismatches(count) => json!({ "is": "mismatches", "count": count }),
        Hold::Shift(shift) => json!({ "is": "shift", "shift": shift.as_str() }),
        Hold::OneReplica => json!({ "is": "one-replica" }),
        Hold::Outage => json!({ "is": "outage" }),
        Hold::NoInstance => json!({ "is": "no-instance" }),
        Hold::NoStable => json!({ "is": "no-stable" }),
    }
}

fn hold(value: &Value) -> Read<Hold> {
    Ok(match text(value, "is")? {
        "operator" => Hold::Operator(text(value, "reason")?.to_owned()),
        "coverage" => Hold::Coverage(real(value, "share")?),
        "mismatches" => Hold::Mismatches(number(value, "count")?),
        "shift" => Hold::Shift(shift(text(value, "shift")?)?),
        "one-replica" => Hold::OneReplica,
        "outage" => Hold::Outage,
        "no-instance" => Hold::NoInstance,
        "no-stable" => Hold::NoStable,
        _ => return Err(Unreadable::Field("why")),
    })
}

fn regression_value(why: &Regression) -> Value {
    match why {
        Regression::Failures(ln) => json!({ "is": "failures", "ln": ln }),
        Regression::Slowness(ln) => json!({ "is": "slowness", "ln": ln }),
        Regression::Budget(excess) => json!({ "is": "budget", "excess": excess }),
        Regression::Fuses(count) => json!({ "is": "fuses", "count": count }),
        Regression::Vanished => json!({ "is": "vanished" }),
        Regression::Gate => json!({ "is": "gate" }),
        Regression::Operator(reason) => json!({ "is": "operator", "reason": reason }),
    }
}

fn regression(value: &Value) -> Read<Regression> {
    Ok(match text(value, "is")? {
        "failures" => Regression::Failures(real(value, "ln")?),
        "slowness" => Regression::Slowness(real(value, "ln")?),
        "budget" => Regression::Budget(number(value, "excess")?),
        "fuses" => Regression::Fuses(small(value, "count")?),
        "vanished" => Regression::Vanished,
        "gate" => Regression::Gate,
        "operator" => Regression::Operator(text(value, "reason")?.to_owned()),
        _ => return Err(Unreadable::Field("why")),
    })
}

pub(super) fn order_value(order: &Order) -> Value {
    match order {
        Order::Start | Order::Resume | Order::Approve => json!({ "is": order.as_str() }),
        Order::Hold(reason) | Order::Advance(reason) | Order::Promote(reason) | Order::RollBack(reason) => {
            json!({ "is": order.as_str(), "reason": reason })
        }
    }
}

pub(super) fn order(value: &Value) -> Read<Order> {
    let reason = || text(value, "reason").map(str::to_owned);
    Ok(match text(value, "is")? {
        "start" => Order::Start,
        "hold" => Order::Hold(reason()?),
        "resume" => Order::Resume,
        "approve" => Order::Approve,
        "advance" => Order::Advance(reason()?),
        "promote" => Order::Promote(reason()?),
        "rollback" => Order::RollBack(reason()?),
        _ => return Err(Unreadable::Field("orders")),
    })
}
