//! What operators want of rollouts: written into the rollout's record, carried out by the gateway that leads.
//!
//! An order expects the record as it was read. So one that comes too late, a promote after a rollback, finds
//! another record and is refused with what the rollout is by then. The answer waits a moment for the leader;
//! an order that it has not carried out by then stays noted.

use std::time::Duration;

use async_graphql::{Enum, Result, SimpleObject};
use tokio::time::{Instant, timeout_at};
use turnout_control::audit::Act;
use turnout_control::id::{ServiceName, Version};
use turnout_control::records::Change;
use turnout_control::rollout::{Approval, Order as Wanted, Rollout as Known, State, Step};
use turnout_control::routes::{Base, Policies, Tried};
use turnout_control::slot::Weight;

use super::decide::{PolicyMove, UnitMove, Who, parsed_units};
use super::ground::{Ground, Recorded, rollout_key, rollouts};
use super::reports::Reports;
use super::rollout::{self, Rollout, meant, subject};
use super::{Facts, fault, source};
use crate::reconcile::Standing;
use crate::registry;

/// How long an answer waits for the leader.
const PATIENCE: Duration = Duration::from_secs(3);
/// How often an order is tried that meets the leader at the record.
const ATTEMPTS_MAX: usize = 8;

/// What an operator wants of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(name = "RolloutOrder")]
pub(super) enum Order {
    /// Begin. One that was held, or whose step ended without proof, goes on; one that went back is tried again.
    Start,
    /// Stay at the step. It still goes back when harm shows.
    Hold,
    /// The step that asks for an operator may be left once its evidence is there.
    Approve,
    /// Leave the step now, whatever the evidence says.
    Advance,
    /// Make the candidate stable now, whatever the evidence says.
    Promote,
    /// Take the candidate from everybody.
    Rollback,
}

/// An order that was given, or would be.
#[derive(SimpleObject)]
pub(super) struct Ordered {
    /// The rollout afterwards; before, of a dry run.
    rollout: Rollout,
    /// What was ordered: `resume` where a start means that.
    order: &'static str,
    /// Whether the leader has carried it out. False of a dry run.
    carried_out: bool,
    /// Who carries it out, in words.
    leader: String,
    /// The place of the order in the audit chain; null of a dry run.
    audit: Option<String>,
    /// The command that takes it back.
    inverse: String,
    /// Which shares of callers get another version by it. Only of a dry run.
    moves: Vec<PolicyMove>,
    /// What the units that were asked about get. Only of a dry run.
    units: Vec<UnitMove>,
}

/// Which rollout, as an operator says it.
pub(super) struct Asked<'a> {
    pub(super) service: &'a str,
    pub(super) version: Option<&'a str>,
    pub(super) order: Order,
    pub(super) expected: Option<&'a str>,
}

/// An order that may be given, and what it was decided by.
pub(super) struct Decision {
    ground: Ground,
    found: Recorded,
    order: Order,
}

impl Decision {
    pub(super) fn of(facts: &Facts, asked: &Asked<'_>) -> Result<Decision> {
        let ground = Ground::of(facts);
        let (service, version) = subject(asked.service, asked.version)?;
        let found = meant(ground.rollouts(), &service, version.as_ref())?;
        let found = found.ok_or_else(|| none(facts, &service, version.as_ref()))?;
        if let Some(expected) = asked.expected
            && stage(&found.rollout) != expected
        {
            return Err(fault::conflict(format!(
                "the rollout of {} is {} by now, at stage {} and not {expected}; look at it, and decide again",
                name(&found.rollout),
                found.rollout.state.as_str(),
                stage(&found.rollout)
            )));
        }
        let decision = Decision { ground, found, order: asked.order };
        decision.judge()?;
        Ok(decision)
    }

    /// Whether the order makes sense now, before a reason is asked for.
    fn judge(&self) -> Result<()> {
        let rollout = &self.found.rollout;
        let refuse = |why: String| Err(fault::conflict(format!("the rollout of {} {why}", name(rollout))));
        if let (Order::Approve, Some(step)) = (self.order, current(rollout))
            && step.approval == Approval::Evidence
        {
            return refuse(
                "needs no approval at this step: it goes on when the evidence is there. To leave the step now, \
                 whatever the evidence says, advance it"
                    .to_owned(),
            );
        }
        let base = self.ground.policies.base(&rollout.service, rollout.major());
        let is_meant =
            |base: &Base| base.stable == rollout.to || base.instead_of.as_ref() == Some(&rollout.to);
        if self.order == Order::Start && rollout.state == State::Promoted && base.is_some_and(is_meant) {
            return refuse("is promoted and its version is stable: there is nothing to try".to_owned());
        }
        match rollout.takes(&self.wanted("judged")) {
            Ok(()) => Ok(()),
            Err(why) => Err(fault::conflict(format!("{}: {why}", name(rollout)))),
        }
    }

    fn wanted(&self, reason: &str) -> Wanted {
        let reason = reason.to_owned();
        match self.order {
            Order::Start => match &self.found.rollout.state {
                State::Holding(..) | State::Inconclusive(_) => Wanted::Resume,
                State::Pending(_)
                | State::Shifting(_)
                | State::Promoted
                | State::RolledBack(_)
                | State::Superseded(_) => Wanted::Start,
            },
            Order::Hold => Wanted::Hold(reason),
            Order::Approve => Wanted::Approve,
            Order::Advance => Wanted::Advance(reason),
            Order::Promote => Wanted::Promote(reason),
            Order::Rollback => Wanted::RollBack(reason),
        }
    }

    /// What would come of it.
    pub(super) fn rehearse(self, facts: &Facts, units: &[String]) -> Result<Ordered> {
        let units = parsed_units("units", units)?;
        let after = self.after();
        let who = Who { ground: &self.ground, after: &after, service: &self.found.rollout.service };
        let (moves, units) = (who.moves(), who.units(&units));
        let view = rollout::view(facts, &self.ground, &Reports::of(facts), &self.found);
        Ok(Ordered { moves, units, ..self.answer(facts, view, None) })
    }

    /// The policies once the order is carried out and the rollout is where it leads.
    fn after(&self) -> Policies {
        let rollout = &self.found.rollout;
        let mut policies = self.ground.policies.clone();
        let majors = policies.bases.entry(rollout.service.clone()).or_default();
        let Some(base) = majors.get_mut(&rollout.major()) else { return policies };
        let at = rollout.state.dwelling().map(|at| at.step);
        match (self.order, at) {
            (Order::Hold | Order::Approve, _) => {}
            (Order::Start, Some(_)) => {}
            (Order::Start, None) => weigh(base, rollout, rollout.plan.steps.first()),
            (Order::Advance, step) => {
                let next = step.map_or(0, |step| step + 1);
                match rollout.plan.steps.get(next) {
                    Some(step) => weigh(base, rollout, Some(step)),
                    None => promote(base, rollout),
                }
            }
            (Order::Promote, _) => promote(base, rollout),
            (Order::Rollback, _) => base.candidate = None,
        }
        policies
    }

    /// Gives it, and waits a moment until it is carried out. The leader writes the record at every tick, which is
    /// no reason to refuse: only another state or step is.
    pub(super) async fn perform(mut self, facts: &Facts, actor: String, reason: String) -> Result<Ordered> {
        for _ in 0..ATTEMPTS_MAX {
            let (change, act) = self.change(&actor, &reason)?;
            match facts.audit.change(change, act).await {
                Ok(written) => {
                    let (found, carried_out) = self.watch(facts, written.revision).await;
                    let view = rollout::view(facts, &Ground::of(facts), &Reports::of(facts), &found);
                    let answer = self.answer(facts, view, Some(written.sequence));
                    return Ok(Ordered { carried_out, ..answer });
                }
                Err(registry::Error::Conflict(_)) => self.look_again(facts)?,
                Err(error) => return Err(fault::store(&error)),
            }
        }
        Err(self.late(facts))
    }

    fn change(&self, actor: &str, reason: &str) -> Result<(Change, Act)> {
        let rollout = &self.found.rollout;
        let order = self.wanted(reason);
        let next = rollout.clone().ordered(order).map_err(|error| fault::conflict(error.to_string()))?;
        let key = rollout_key(rollout);
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let bytes = next.write();
        let act = Act {
            actor: actor.to_owned(),
            verb: format!("rollout.{}", self.word()),
            subject: name(rollout),
            before: self.ground.records.get(&key).map(|record| text(&record.value)),
            after: Some(text(&bytes)),
            reason: reason.to_owned(),
            inverse: format!("{} --reason 'taken back'", self.inverse()),
        };
        let expected = [self.ground.seen(key.clone())].into();
        Ok((Change { expected, writes: [(key, Some(bytes.into()))].into() }, act))
    }

    /// The same rollout as it is now, if it still stands where it stood.
    fn look_again(&mut self, facts: &Facts) -> Result<()> {
        let ground = Ground::of(facts);
        let found = find(ground.rollouts(), &self.found.rollout);
        let same = found.filter(|found| stage(&found.rollout) == stage(&self.found.rollout));
        self.found = same.ok_or_else(|| self.late(facts))?;
        self.ground = ground;
        self.judge()
    }

    /// What somebody is told whose order came too late.
    fn late(&self, facts: &Facts) -> async_graphql::Error {
        let records = facts.registry.store.records().borrow().clone();
        let now = find(rollouts(&records), &self.found.rollout);
        let state = now.map_or("gone", |found| found.rollout.state.as_str());
        fault::conflict(format!(
            "the rollout of {} was changed by someone else meanwhile, and is {state} now; look at it, and decide \
             again",
            name(&self.found.rollout)
        ))
    }

    /// The rollout as soon as the order is carried out, or after a while.
    async fn watch(&self, facts: &Facts, revision: u64) -> (Recorded, bool) {
        let mut records = facts.registry.store.records();
        let until = Instant::now() + PATIENCE;
        loop {
            let now = records.borrow_and_update().clone();
            let found = find(rollouts(&now), &self.found.rollout);
            let found = found.unwrap_or_else(|| Recorded {
                rollout: self.found.rollout.clone(),
                revision: self.found.revision,
            });
            if found.revision > revision && found.rollout.orders.is_empty() {
                return (found, true);
            }
            match timeout_at(until, records.changed()).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) | Err(_) => return (found, false),
            }
        }
    }

    fn word(&self) -> &'static str {
        self.wanted("").as_str()
    }

    /// The command that takes it back.
    fn inverse(&self) -> String {
        let rollout = &self.found.rollout;
        let name = name(rollout);
        match self.wanted("") {
            Wanted::Start => format!("turnout rollout rollback {name}"),
            Wanted::Resume | Wanted::Approve | Wanted::Advance(_) => format!("turnout rollout hold {name}"),
            Wanted::Hold(_) | Wanted::RollBack(_) => format!("turnout rollout start {name}"),
            Wanted::Promote(_) => format!(
                "turnout policy set {} --major {} --stable {}",
                rollout.service,
                rollout.major(),
                rollout.from
            ),
        }
    }

    fn answer(&self, facts: &Facts, rollout: Rollout, sequence: Option<u64>) -> Ordered {
        Ordered {
            rollout,
            order: self.word(),
            carried_out: false,
            leader: source::leader(facts),
            audit: sequence.map(|place| place.to_string()),
            inverse: self.inverse(),
            moves: Vec::new(),
            units: Vec::new(),
        }
    }
}

/// Changes with the rollout's state and step, and not with every tick.
pub(super) fn stage(rollout: &Known) -> String {
    rollout.changed_at.0.to_string()
}

fn name(rollout: &Known) -> String {
    format!("{}@{}", rollout.service, rollout.to)
}

fn find(all: Vec<Recorded>, like: &Known) -> Option<Recorded> {
    all.into_iter().find(|found| found.rollout.service == like.service && found.rollout.to == like.to)
}

/// The step a rollout is at.
fn current(rollout: &Known) -> Option<&Step> {
    rollout.plan.steps.get(rollout.state.dwelling()?.step)
}

fn weigh(base: &mut Base, rollout: &Known, step: Option<&Step>) {
    let weight = step.map_or(Weight::NONE, |step| step.weight);
    let (version, salt) = (rollout.to.clone(), rollout.salt.clone());
    base.candidate = Some(Tried { version, weight, salt });
}

fn promote(base: &mut Base, rollout: &Known) {
    base.stable = rollout.to.clone();
    base.candidate = None;
}

/// Why there is no rollout that an order could be given to.
fn none(facts: &Facts, service: &ServiceName, version: Option<&Version>) -> async_graphql::Error {
    let report = facts.graph.borrow();
    let Some(version) = version else {
        let waiting = report.newcomers.iter().find(|found| found.service == *service);
        let waiting = waiting
            .map_or_else(String::new, |found| format!("; {} runs and is not tried yet", found.version));
        return fault::conflict(format!("there was never a rollout of {service}{waiting}"));
    };
    let standing = report.standings.get(&(service.clone(), version.clone()));
    let why = match standing {
        Some(Standing::Stable) => "it is the stable version",
        Some(Standing::Candidate) => "it is a candidate that was set by hand; change its policy",
        Some(Standing::Waits) => "it runs, and the leader begins one within seconds",
        Some(Standing::Refused) => {
            "it cannot stand in for the stable version; `turnout service show` says why"
        }
        Some(Standing::Idle) => "nobody runs it, or it is not newer than the stable version",
        None => "nothing with known descriptors is registered under it",
    };
    fault::conflict(format!("there is no rollout of {service}@{version}: {why}"))
}
