//! A rollout: weight moves from the stable version to a candidate, with evidence, and back at the first harm.
//!
//! `step` is asked once a tick with what was counted since the last one. It answers the next state and what is
//! to be done, and holds all rules: what rolls back, what holds, what has to be true to go on. Nothing goes on
//! because nothing was seen, and what holds can still roll back. Time is the length of ticks by the leader's
//! monotonic clock; a tick that nobody made is time that did not pass.

mod analysis;
mod plan;
#[cfg(test)]
mod tests;

use std::fmt;
use std::time::Duration;

pub use analysis::{Analysis, Stratum};
pub use plan::{Approval, Plan, Step};

use crate::id::Version;
use crate::slot::Weight;

/// The share of replicas' time that counts have to cover.
const COVERAGE_MIN: f64 = 0.95;
/// How long a candidate may be without an instance that serves.
const VANISHED_MAX: Duration = Duration::from_secs(30);

/// Where a rollout stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It has not begun: nobody gets the candidate.
    Pending(Pending),
    /// It moves weight by its plan.
    Shifting(Dwelling),
    /// It stays where it is until the reason goes.
    Holding(Dwelling, Hold),
    /// It stays where it is because a step's time is over and nothing is proven; an operator decides.
    Inconclusive(Dwelling),
    /// The candidate is stable.
    Promoted,
    /// Nobody gets the candidate, and it is quarantined.
    RolledBack(Regression),
    /// A newer candidate took its place.
    Superseded(Version),
}

/// Why a rollout has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// An operator starts it.
    Operator,
    /// No instance of the candidate serves, or not long enough to be warm.
    Instances,
    /// Other rollouts that the same frontends see come first.
    Others,
}

/// A step, and how long it has been at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dwelling {
    /// The place of the step in the plan.
    pub step: usize,
    /// For how long.
    pub dwelt: Duration,
    /// Whether an operator has approved going on from here.
    pub approved: bool,
}

impl Dwelling {
    fn at(step: usize) -> Dwelling {
        Dwelling { step, dwelt: Duration::ZERO, approved: false }
    }
}

/// Why a rollout stays where it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Hold {
    /// An operator wanted it.
    Operator(String),
    /// Counts of some replicas are missing; the share that is there.
    Coverage(f64),
    /// So many calls went to another version than was decided.
    Mismatches(u64),
    /// The candidate answers otherwise, in a way that need not be harm; which way.
    Shift(&'static str),
    /// One replica of several sees harm, and the others do not.
    OneReplica,
    /// No instance of the candidate serves.
    NoInstance,
}

/// Why a rollout went back.
#[derive(Clone, Debug, PartialEq)]
pub enum Regression {
    /// The candidate fails more; the natural logarithm of the evidence.
    Failures(f64),
    /// It is slower; the natural logarithm of the evidence.
    Slowness(f64),
    /// More calls failed than the plan allows, beyond what the stable version would have failed.
    Budget(u64),
    /// The fuses of so many replicas tripped.
    Fuses(u32),
    /// None of its instances served for too long.
    Vanished,
    /// It may not stand in for the stable version after all.
    Gate,
    /// An operator wanted it.
    Operator(String),
}

/// What an operator wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Begin.
    Start,
    /// Stay, for this reason.
    Hold(String),
    /// Go on after a hold.
    Resume,
    /// The step may be left once its evidence is there.
    Approve,
    /// Leave the step now, whatever the evidence says.
    Advance(String),
    /// Make the candidate stable now, whatever the evidence says.
    Promote(String),
    /// Go back.
    RollBack(String),
}

/// What is known at a tick, beside what was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// How long the tick was.
    pub elapsed: Duration,
    /// Instances of the candidate that serve and are warm.
    pub candidate_warm: u32,
    /// For how long no instance of the candidate has served.
    pub candidate_away: Duration,
    /// Whether the stable version has instances that serve.
    pub stable_serves: bool,
    /// Gateways that live.
    pub replicas: u32,
    /// How many of them route by the current table.
    pub acknowledged: u32,
    /// How many of them have an open fuse for the candidate.
    pub tripped: u32,
    /// The share of replicas whose counts arrived.
    pub coverage: f64,
    /// Calls that went to another version than was decided.
    pub mismatches: u64,
    /// Whether the candidate may still stand in for the stable version.
    pub fits: bool,
    /// Whether another rollout of these frontends has to end first.
    pub must_wait: bool,
    /// A newer candidate that takes its place.
    pub newer: Option<Version>,
    /// What operators want, in their order.
    pub orders: Vec<Order>,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq)]
pub enum Action {
    /// Give the candidate this weight, capped for each frontend.
    Weigh(Weight),
    /// Make the candidate stable.
    Promote,
    /// Take the candidate from everybody, and quarantine it.
    RollBack,
    /// Take the candidate from everybody: another takes its place.
    Withdraw,
    /// Tell people.
    Tell(Notice),
}

/// What people are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A step was reached.
    Reached(usize),
    /// Only an operator's approval is missing.
    Waits(usize),
    /// It stays where it is.
    Held(Hold),
    /// It goes on.
    Resumed,
    /// A step's time is over and nothing is proven.
    Inconclusive,
    /// The stable version fails and the candidate does not: promoting would help.
    StableDegraded,
}

/// A tick: the next state, and what is to be done.
pub fn step(plan: &Plan, state: State, analysis: &Analysis, facts: &Facts) -> (State, Vec<Action>) {
    let mut turn = Turn { plan, analysis, facts, actions: Vec::new() };
    let next = turn.next(state);
    (next, turn.actions)
}

struct Turn<'a> {
    plan: &'a Plan,
    analysis: &'a Analysis,
    facts: &'a Facts,
    actions: Vec<Action>,
}

impl Turn<'_> {
    fn next(&mut self, state: State) -> State {
        let live = match state {
            State::Promoted | State::RolledBack(_) | State::Superseded(_) => return state,
            State::Pending(why) => return self.pending(why),
            State::Shifting(at) => Live { at, why: Why::Plan },
            State::Holding(at, hold) => Live { at, why: Why::Hold(hold) },
            State::Inconclusive(at) => Live { at, why: Why::Unproven },
        };
        if let Some(regression) = self.regression() {
            self.actions.push(Action::RollBack);
            return State::RolledBack(regression);
        }
        if let Some(newer) = &self.facts.newer {
            self.actions.push(Action::Withdraw);
            return State::Superseded(newer.clone());
        }
        if self.analysis.stable_is_worse() {
            self.actions.push(Action::Tell(Notice::StableDegraded));
        }
        self.live(live)
    }

    fn pending(&mut self, why: Pending) -> State {
        if let Some(newer) = &self.facts.newer {
            return State::Superseded(newer.clone());
        }
        if let Some(reason) = self.wanted_back() {
            self.actions.push(Action::RollBack);
            return State::RolledBack(Regression::Operator(reason));
        }
        if !self.facts.fits {
            self.actions.push(Action::RollBack);
            return State::RolledBack(Regression::Gate);
        }
        let started = self.facts.orders.contains(&Order::Start);
        if why == Pending::Operator && !started {
            return State::Pending(Pending::Operator);
        }
        if self.facts.candidate_warm == 0 || !self.facts.stable_serves {
            return State::Pending(Pending::Instances);
        }
        if self.facts.must_wait && !started {
            return State::Pending(Pending::Others);
        }
        self.reach(0)
    }

    /// What sends it back, whatever it is doing.
    fn regression(&self) -> Option<Regression> {
        let facts = self.facts;
        if let Some(reason) = self.wanted_back() {
            return Some(Regression::Operator(reason));
        }
        if !facts.fits {
            return Some(Regression::Gate);
        }
        if let Some(ln) = self.analysis.failures_shown(self.plan.alpha_failures) {
            return Some(Regression::Failures(ln));
        }
        if let Some(ln) = self.analysis.slowness_shown(self.plan.alpha_slowness) {
            return Some(Regression::Slowness(ln));
        }
        let excess = self.analysis.excess_failures();
        if excess > self.plan.excess_failures_max {
            return Some(Regression::Budget(excess));
        }
        if facts.tripped >= 2 || (facts.tripped == 1 && facts.replicas <= 1) {
            return Some(Regression::Fuses(facts.tripped));
        }
        (facts.candidate_away >= VANISHED_MAX).then_some(Regression::Vanished)
    }

    fn wanted_back(&self) -> Option<String> {
        self.facts.orders.iter().find_map(|order| match order {
            Order::RollBack(reason) => Some(reason.clone()),
            Order::Start
            | Order::Hold(_)
            | Order::Resume
            | Order::Approve
            | Order::Advance(_)
            | Order::Promote(_) => None,
        })
    }

    fn live(&mut self, Live { mut at, mut why }: Live) -> State {
        for order in &self.facts.orders {
            match order {
                Order::Hold(reason) => why = Why::Hold(Hold::Operator(reason.clone())),
                Order::Resume => why = Why::Plan,
                Order::Approve => at.approved = true,
                Order::Advance(_) => return self.leave(at.step),
                Order::Promote(_) => return self.promote(),
                Order::Start | Order::RollBack(_) => {}
            }
        }
        if let Why::Hold(Hold::Operator(reason)) = why {
            return State::Holding(at, Hold::Operator(reason));
        }
        if let Some(hold) = self.hold() {
            if !matches!(&why, Why::Hold(known) if known.is_like(&hold)) {
                self.actions.push(Action::Tell(Notice::Held(hold.clone())));
            }
            return State::Holding(at, hold);
        }
        if matches!(why, Why::Hold(_)) {
            self.actions.push(Action::Tell(Notice::Resumed));
        }
        self.shift(at, matches!(why, Why::Unproven))
    }

    /// What keeps it where it is.
    fn hold(&self) -> Option<Hold> {
        let facts = self.facts;
        if facts.mismatches > 0 {
            return Some(Hold::Mismatches(facts.mismatches));
        }
        if facts.coverage < COVERAGE_MIN {
            return Some(Hold::Coverage(facts.coverage));
        }
        if facts.tripped == 1 {
            return Some(Hold::OneReplica);
        }
        if facts.candidate_away > Duration::ZERO {
            return Some(Hold::NoInstance);
        }
        self.analysis.shift_shown(self.plan.alpha_shift).map(Hold::Shift)
    }

    fn shift(&mut self, mut at: Dwelling, was_unproven: bool) -> State {
        // A step counts as reached only when everybody routes by it.
        if self.facts.acknowledged >= self.facts.replicas {
            at.dwelt += self.facts.elapsed;
        }
        let Some(step) = self.plan.steps.get(at.step) else { return self.promote() };
        let dwelt = at.dwelt >= step.dwell_min;
        let proven = self.analysis.safety_shown(self.plan.beta);
        let able = self.facts.candidate_warm >= step.instances_min
            && self.facts.stable_serves
            && self.facts.acknowledged >= self.facts.replicas;
        let approved = at.approved || step.approval == Approval::Evidence;
        if dwelt && proven && able {
            if approved {
                return self.leave(at.step);
            }
            if at.dwelt < step.dwell_min + self.facts.elapsed {
                self.actions.push(Action::Tell(Notice::Waits(at.step)));
            }
            return State::Shifting(at);
        }
        if at.dwelt >= step.dwell_max && !proven {
            if !was_unproven {
                self.actions.push(Action::Tell(Notice::Inconclusive));
            }
            return State::Inconclusive(at);
        }
        State::Shifting(at)
    }

    fn leave(&mut self, step: usize) -> State {
        if step + 1 < self.plan.steps.len() { self.reach(step + 1) } else { self.promote() }
    }

    fn reach(&mut self, step: usize) -> State {
        let Some(reached) = self.plan.steps.get(step) else { return self.promote() };
        self.actions.push(Action::Weigh(reached.weight));
        self.actions.push(Action::Tell(Notice::Reached(step)));
        State::Shifting(Dwelling::at(step))
    }

    fn promote(&mut self) -> State {
        self.actions.push(Action::Promote);
        State::Promoted
    }
}

/// A rollout that has begun and not ended.
struct Live {
    at: Dwelling,
    why: Why,
}

/// What it was doing.
enum Why {
    Plan,
    Hold(Hold),
    Unproven,
}

impl Hold {
    /// Whether it is the same reason, whatever its numbers are.
    fn is_like(&self, other: &Hold) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl State {
    /// The word that people and machines read.
    pub fn as_str(&self) -> &'static str {
        match self {
            State::Pending(_) => "pending",
            State::Shifting(_) => "shifting",
            State::Holding(..) => "holding",
            State::Inconclusive(_) => "inconclusive",
            State::Promoted => "promoted",
            State::RolledBack(_) => "rolled back",
            State::Superseded(_) => "superseded",
        }
    }

    /// Whether nothing will change it any more.
    pub fn has_ended(&self) -> bool {
        match self {
            State::Promoted | State::RolledBack(_) | State::Superseded(_) => true,
            State::Pending(_) | State::Shifting(_) | State::Holding(..) | State::Inconclusive(_) => false,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Operator(reason) => write!(f, "an operator holds it: {reason}"),
            Hold::Coverage(share) => write!(f, "only {:.0} % of the gateways' counts arrived", share * 100.0),
            Hold::Mismatches(count) => write!(f, "{count} calls went to another version than was decided"),
            Hold::Shift(what) => write!(f, "the candidate answers otherwise: {what}"),
            Hold::OneReplica => write!(f, "one gateway sees harm and the others do not"),
            Hold::NoInstance => write!(f, "no instance of the candidate serves"),
        }
    }
}

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Regression::Failures(ln) => write!(f, "it fails more, with evidence of e^{ln:.1}"),
            Regression::Slowness(ln) => write!(f, "it is slower, with evidence of e^{ln:.1}"),
            Regression::Budget(excess) => write!(f, "{excess} calls failed beyond what was expected"),
            Regression::Fuses(count) => write!(f, "the fuses of {count} gateways tripped"),
            Regression::Vanished => write!(f, "none of its instances served for 30 s"),
            Regression::Gate => write!(f, "it may not stand in for the stable version"),
            Regression::Operator(reason) => write!(f, "an operator wanted it: {reason}"),
        }
    }
}
