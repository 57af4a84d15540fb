//! One rollout, as it is kept and as operators find it.
//!
//! The record `rollout/<service>/<version>` is written when a rollout is created, by the leader at each tick that
//! changes it, and by operators, who add orders that the leader carries out at its next tick. Whoever writes
//! compares the revision that he read, so that a late promotion cannot win over a return. What was counted is
//! not here but in `Stored`.

use serde_json::{Value, json};

use super::json::{
    field, list, number, order, order_value, parsed, plan, plan_value, small, state, state_value, text, truth,
};
use super::{Action, Analysis, Consent, Facts, Hold, Notice, Order, Pending, Plan, State, Subject, step};
use crate::id::{ServiceName, Timestamp, Version};
use crate::records::{Key, Kind};

/// The most orders that wait for the leader.
const ORDERS_MAX: usize = 16;
/// The most notices that are kept.
const HISTORY_MAX: usize = 32;
/// The longest reason of an order.
const REASON_BYTES_MAX: usize = 1024;

/// One rollout.
#[derive(Clone, Debug, PartialEq)]
pub struct Rollout {
    /// Of which service.
    pub service: ServiceName,
    /// The stable version, to which it goes back.
    pub from: Version,
    /// The candidate.
    pub to: Version,
    /// Its lineage, which decides who comes first.
    pub salt: String,
    /// How it is meant to go.
    pub plan: Plan,
    /// Where it stands.
    pub state: State,
    /// What operators want, the oldest first; not yet carried out.
    pub orders: Vec<Order>,
    /// How often the same build was tried before.
    pub retries: u32,
    /// Whether the candidate writes data that the stable version may not be able to read.
    pub migrates: bool,
    /// When it was created, by the wall clock.
    pub created_at: Timestamp,
    /// When somebody got the candidate for the first time.
    pub started_at: Option<Timestamp>,
    /// When its state last became another one, or another step.
    pub changed_at: Timestamp,
    /// What people were told, the last `HISTORY_MAX` of it, the oldest first.
    pub history: Vec<(Timestamp, String)>,
}

/// Why bytes are no record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// They are no JSON.
    #[error("a record of a rollout is no JSON")]
    Json,
    /// A field is missing, or this build does not know what it says.
    #[error("a record of a rollout has no {0:?} that can be read")]
    Field(&'static str),
}

/// Why an order cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It makes no sense in this state.
    #[error("a rollout that is {state} takes no {order:?}: {hint}")]
    State {
        /// The word of the order.
        order: &'static str,
        /// The word of the state.
        state: &'static str,
        /// What would help.
        hint: &'static str,
    },
    /// It needs a reason, of a certain length at most.
    #[error("{0:?} needs a reason of 1 to {REASON_BYTES_MAX} bytes")]
    Reason(&'static str),
    /// Too many wait to be carried out.
    #[error("{ORDERS_MAX} orders wait already, and no leader carries them out")]
    Full,
}

/// The key of the record.
pub fn key(service: &ServiceName, version: &Version) -> Key {
    Key::new(Kind::Rollout, &format!("{service}/{version}"))
        .expect("names and versions make a name of a record")
}

impl Rollout {
    /// What is compared.
    pub fn subject(&self) -> Subject {
        Subject { service: self.service.clone(), from: self.from.clone(), to: self.to.clone() }
    }

    /// The major version within which it takes place.
    pub fn major(&self) -> u64 {
        self.to.semver().major
    }

    /// Whether somebody gets the candidate.
    pub fn is_exposed(&self) -> bool {
        self.state.dwelling().is_some()
    }

    /// Whether an order makes sense now, and why not.
    pub fn takes(&self, order: &Order) -> Result<(), Unfit> {
        let refuse = |hint| Err(Unfit::State { order: order.as_str(), state: self.state.as_str(), hint });
        match (order, &self.state) {
            (
                Order::Start,
                State::Promoted | State::RolledBack(_) | State::Superseded(_) | State::Pending(_),
            ) => {}
            (Order::Start, State::Shifting(_) | State::Holding(..) | State::Inconclusive(_)) => {
                return refuse("it has begun");
            }
            (_, State::Promoted) => return refuse("it has ended; set the policy to go back"),
            (_, State::RolledBack(_) | State::Superseded(_)) => {
                return refuse("it has ended; start it again");
            }
            (Order::Approve, State::Pending(_)) => return refuse("start it first"),
            (Order::Resume, State::Shifting(_)) => return refuse("nothing holds it"),
            _ => {}
        }
        match order {
            Order::Hold(reason)
            | Order::Advance(reason)
            | Order::Promote(reason)
            | Order::RollBack(reason)
                if reason.trim().is_empty() || reason.len() > REASON_BYTES_MAX =>
            {
                return Err(Unfit::Reason(order.as_str()));
            }
            Order::Start
            | Order::Hold(_)
            | Order::Resume
            | Order::Approve
            | Order::Advance(_)
            | Order::Promote(_)
            | Order::RollBack(_) => {}
        }
        if self.orders.len() >= ORDERS_MAX { Err(Unfit::Full) } else { Ok(()) }
    }

    /// With one more order for the leader.
    pub fn ordered(mut self, order: Order) -> Result<Rollout, Unfit> {
        self.takes(&order)?;
        self.orders.push(order);
        Ok(self)
    }

    /// One tick: the rollout afterwards, its orders carried out, and what is to be done. Both are to be written
    /// in one change that expects the revision at which this was read.
    pub fn tick(mut self, analysis: &Analysis, facts: &Facts, now: Timestamp) -> (Rollout, Vec<Action>) {
        if self.state.has_ended() {
            // Another try is `create`'s business, and needs the order.
            return (self, Vec::new());
        }
        let orders = std::mem::take(&mut self.orders);
        let before = stage(&self.state);
        let (next, actions) = match self.displaced(facts) {
            Some(displaced) => displaced,
            None => step(&self.plan, self.state.clone(), analysis, facts, &orders),
        };
        self.state = next;
        if self.is_exposed() && self.started_at.is_none() {
            self.started_at = Some(now);
        }
        if stage(&self.state) != before {
            self.changed_at = now;
        }
        for action in &actions {
            match action {
                Action::Tell(notice) => self.note(now, notice.to_string()),
                Action::Weigh(_) | Action::Promote | Action::RollBack | Action::Withdraw => {}
            }
        }
        (self, actions)
    }

    /// What comes of it when the policy has another stable version than the rollout began with.
    fn displaced(&mut self, facts: &Facts) -> Option<(State, Vec<Action>)> {
        if facts.stable == self.from {
            return None;
        }
        if facts.stable == self.to {
            return Some((State::Promoted, vec![Action::Tell(Notice::Promoted)]));
        }
        let waits = matches!(self.state, State::Pending(_));
        if waits && facts.stable < self.to {
            // Another was promoted while this one waited. Those who were first then are not first again.
            self.from = facts.stable.clone();
            self.salt = lineage(&self.service, &self.to);
            return None;
        }
        let mut actions = vec![Action::Tell(Notice::Superseded(facts.stable.clone()))];
        if !waits {
            actions.insert(0, Action::Withdraw);
        }
        Some((State::Superseded(facts.stable.clone()), actions))
    }

    fn note(&mut self, now: Timestamp, text: String) {
        self.history.push((now, text));
        let over = self.history.len().saturating_sub(HISTORY_MAX);
        self.history.drain(..over);
    }

    /// What only an operator can do now, if there is something.
    pub fn needs_operator(&self) -> Option<&'static str> {
        match &self.state {
            State::Pending(Pending::Operator) => Some("start it"),
            State::Shifting(at) | State::Holding(at, _) if at.stable_degraded => {
                Some("the stable version fails: promote the candidate, or mend the stable version")
            }
            State::Shifting(at) if at.consent == Consent::Asked => Some("approve leaving the step"),
            State::Holding(_, Hold::Operator(_)) => Some("resume it"),
            State::Holding(_, Hold::Mismatches(_)) => Some("find out why calls went astray, then resume it"),
            State::Holding(_, Hold::Shift(_)) => {
                Some("resume it if the answers are meant to differ, or roll it back")
            }
            State::Holding(_, Hold::OneReplica) => Some("look at the gateway whose fuse is open"),
            State::Inconclusive(_) => {
                Some("advance it with a reason, resume it to try the step again, or roll it back")
            }
            State::Pending(Pending::Instances | Pending::Others)
            | State::Shifting(_)
            | State::Holding(_, Hold::Coverage(_) | Hold::Outage | Hold::NoInstance | Hold::NoStable)
            | State::Promoted
            | State::RolledBack(_)
            | State::Superseded(_) => None,
        }
    }

    /// The record.
    pub fn write(&self) -> Vec<u8> {
        let note = |(at, text): &(Timestamp, String)| json!([at.0, text]);
        let record = json!({
            "v": 1,
            "service": self.service.as_str(),
            "from": self.from.to_string(),
            "to": self.to.to_string(),
            "salt": self.salt,
            "plan": plan_value(&self.plan),
            "state": state_value(&self.state),
            "orders": self.orders.iter().map(order_value).collect::<Vec<Value>>(),
            "retries": self.retries,
            "migrates": self.migrates,
            "created_at": self.created_at.0,
            "started_at": self.started_at.map(|at| at.0),
            "changed_at": self.changed_at.0,
            "history": self.history.iter().map(note).collect::<Vec<Value>>(),
        });
        record.to_string().into_bytes()
    }

    /// Reads a record.
    pub fn read(record: &[u8]) -> Result<Rollout, Unreadable> {
        let record: Value = serde_json::from_slice(record).map_err(|_| Unreadable::Json)?;
        let plan = plan(field(&record, "plan")?)?;
        let note = |value: &Value| {
            let (at, text) = (value.get(0).and_then(Value::as_u64), value.get(1).and_then(Value::as_str));
            at.zip(text)
                .map(|(at, text)| (Timestamp(at), text.to_owned()))
                .ok_or(Unreadable::Field("history"))
        };
        Ok(Rollout {
            service: parsed(&record, "service")?,
            from: parsed(&record, "from")?,
            to: parsed(&record, "to")?,
            salt: text(&record, "salt")?.to_owned(),
            state: state(field(&record, "state")?, plan.steps.len())?,
            orders: list(&record, "orders")?.iter().map(order).collect::<Result<Vec<Order>, Unreadable>>()?,
            retries: small(&record, "retries")?,
            migrates: truth(&record, "migrates")?,
            created_at: Timestamp(number(&record, "created_at")?),
            started_at: record.get("started_at").and_then(Value::as_u64).map(Timestamp),
            changed_at: Timestamp(number(&record, "changed_at")?),
            history: list(&record, "history")?.iter().map(note).collect::<Result<_, Unreadable>>()?,
            plan,
        })
    }
}

/// What a lineage is called that begins with this version.
pub(super) fn lineage(service: &ServiceName, to: &Version) -> String {
    format!("{service}/{}/{to}", to.semver().major)
}

/// What has to differ for people to say that something changed.
fn stage(state: &State) -> (&'static str, Option<usize>) {
    (state.as_str(), state.dwelling().map(|at| at.step))
}
