//! What a rollout does next.
//!
//! All rules are here. Of several, the first that holds decides: what an operator takes back, what sends it back,
//! a newer candidate, other orders, what holds it, what it needs to go on. Going back is possible from every
//! state that has not ended, and nothing leaves a step without evidence unless an operator says so with a reason.

use std::fmt;
use std::time::Duration;

use super::{Analysis, Approval, Consent, Dwelling, Hold, Order, Pending, Plan, Regression, State};
use crate::id::Version;
use crate::slot::Weight;

/// The share of replicas whose counts have to be there.
const COVERAGE_MIN: f64 = 0.95;
/// How long a candidate may be without an instance that serves.
const VANISHED_MAX: Duration = Duration::from_secs(30);

/// The evidence at which people are told that the stable version fails.
const STABLE_WORSE: f64 = 100.0;

/// What is known at a tick, beside what was counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// How long the tick was.
    pub elapsed: Duration,
    /// The stable version, by the policy; while another stands in for it, still the one that is stood in for.
    pub stable: Version,
    /// Whether that version has instances that serve.
    pub stable_serves: bool,
    /// Instances of the candidate that serve and are warm.
    pub candidate_warm: u32,
    /// For how long no instance of the candidate has served, while the stable version did.
    pub candidate_away: Duration,
    /// Gateways that live.
    pub replicas: u32,
    /// How many of them route by the current table.
    pub acknowledged: u32,
    /// How many of them have an open fuse for the candidate.
    pub tripped: u32,
    /// The share of replicas whose counts arrived.
    pub coverage: f64,
    /// Calls that went to another version than was decided, since the last tick.
    pub mismatches: u64,
    /// Whether the candidate may still stand in for the stable version; so it may until the gate says otherwise.
    pub fits: bool,
    /// Whether another rollout of these frontends has to end first.
    pub must_wait: bool,
    /// A newer candidate that takes its place.
    pub newer: Option<Version>,
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
    /// Take the candidate from everybody, if the policy still names it: another takes its place.
    Withdraw,
    /// Tell people.
    Tell(Notice),
}

/// What people are told.
#[derive(Clone, Debug, PartialEq)]
pub enum Notice {
    /// A step was reached.
    Reached(usize, Weight),
    /// Only an operator's approval is missing to leave this step.
    Waits(usize),
    /// It stays where it is.
    Held(Hold),
    /// It goes on.
    Resumed,
    /// A step's time is over and nothing is proven.
    Inconclusive,
    /// The stable version fails and the candidate does not: promoting would help.
    StableDegraded,
    /// The candidate is stable.
    Promoted,
    /// The candidate was taken back.
    RolledBack(Regression),
    /// Another version took its place.
    Superseded(Version),
    /// It is not promoted, because the candidate has no instance that would serve.
    Unable,
}

/// A tick: the next state, and what is to be done. `orders` are what operators want, in their order.
pub fn step(
    plan: &Plan,
    state: State,
    analysis: &Analysis,
    facts: &Facts,
    orders: &[Order],
) -> (State, Vec<Action>) {
    let mut turn = Turn { plan, analysis, facts, orders, actions: Vec::new() };
    let next = turn.next(state);
    (next, turn.actions)
}

struct Turn<'a> {
    plan: &'a Plan,
    analysis: &'a Analysis,
    facts: &'a Facts,
    orders: &'a [Order],
    actions: Vec<Action>,
}

/// What a rollout that has begun was doing.
enum Why {
    Plan,
    Hold(Hold),
    Unproven,
}

impl Turn<'_> {
    fn next(&mut self, state: State) -> State {
        let (at, why) = match state {
            State::Promoted | State::RolledBack(_) | State::Superseded(_) => return state,
            State::Pending(why) => return self.pending(why),
            State::Shifting(at) => (at, Why::Plan),
            State::Holding(at, hold) => (at, Why::Hold(hold)),
            State::Inconclusive(at) => (at, Why::Unproven),
        };
        if let Some(regression) = self.regression() {
            return self.roll_back(regression);
        }
        if let Some(newer) = &self.facts.newer {
            self.actions.push(Action::Withdraw);
            self.tell(Notice::Superseded(newer.clone()));
            return State::Superseded(newer.clone());
        }
        self.live(at, why)
    }

    fn pending(&mut self, why: Pending) -> State {
        if let Some(reason) = self.wanted_back() {
            return self.roll_back(Regression::Operator(reason));
        }
        if let Some(newer) = &self.facts.newer {
            self.tell(Notice::Superseded(newer.clone()));
            return State::Superseded(newer.clone());
        }
        if !self.facts.fits {
            return self.roll_back(Regression::Gate);
        }
        let (mut waits, mut hurried) = (why == Pending::Operator, false);
        for order in self.orders {
            match order {
                Order::Start | Order::Resume | Order::Advance(_) => (waits, hurried) = (false, true),
                Order::Hold(_) => (waits, hurried) = (true, false),
                Order::Promote(_) if self.able() => return self.promote(),
                Order::Promote(_) => self.tell(Notice::Unable),
                Order::Approve | Order::RollBack(_) => {}
            }
        }
        if waits {
            return State::Pending(Pending::Operator);
        }
        let needed = self.plan.steps.first().map_or(1, |step| step.instances_min.max(1));
        if self.facts.candidate_warm < needed || !self.facts.stable_serves {
            return State::Pending(Pending::Instances);
        }
        // Who starts it while it waits for others means it; who starts it before cannot know that it would wait.
        if self.facts.must_wait && !(hurried && why == Pending::Others) {
            return State::Pending(Pending::Others);
        }
        self.reach(Dwelling::at(0))
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
        // Where nobody serves it is not the candidate that went, and there is nobody to go back to.
        (facts.candidate_away >= VANISHED_MAX && facts.stable_serves).then_some(Regression::Vanished)
    }

    fn wanted_back(&self) -> Option<String> {
        self.orders.iter().find_map(|order| match order {
            Order::RollBack(reason) => Some(reason.clone()),
            Order::Start
            | Order::Hold(_)
            | Order::Resume
            | Order::Approve
            | Order::Advance(_)
            | Order::Promote(_) => None,
        })
    }

    fn live(&mut self, mut at: Dwelling, mut why: Why) -> State {
        let mut stood = !matches!(why, Why::Plan);
        for order in self.orders {
            match order {
                Order::Hold(reason) => why = Why::Hold(Hold::Operator(reason.clone())),
                Order::Resume => {
                    at = resumed(at, &why);
                    why = Why::Plan;
                }
                Order::Approve => at.consent = Consent::Given,
                Order::Advance(_) if at.step + 1 < self.plan.steps.len() => {
                    match self.reach(at.next(at.step + 1)) {
                        State::Shifting(next) => (at, why, stood) = (next, Why::Plan, false),
                        other => return other,
                    }
                }
                Order::Advance(_) | Order::Promote(_) if self.able() => return self.promote(),
                Order::Advance(_) | Order::Promote(_) => self.tell(Notice::Unable),
                Order::Start | Order::RollBack(_) => {}
            }
        }
        at.stable_degraded = self.stable_degraded(&at);
        let hold = self.hold(&at, &why).filter(|hold| match why {
            // It stands still already.
            Why::Unproven => matches!(hold, Hold::Operator(_) | Hold::Mismatches(_)),
            Why::Plan | Why::Hold(_) => true,
        });
        if let Some(hold) = hold {
            if !matches!(&why, Why::Hold(known) if known.is_like(&hold)) || self.ordered(&hold) {
                self.tell(Notice::Held(hold.clone()));
            }
            return State::Holding(at, hold);
        }
        if matches!(why, Why::Unproven) && !self.analysis.safety_shown(self.plan.beta) {
            // An operator decides, unless proof comes late. No time that passes leads out of here.
            return State::Inconclusive(at);
        }
        if stood {
            self.tell(Notice::Resumed);
        }
        self.shift(at)
    }

    /// Whether it is the stable version that fails. It is told once, and over when the evidence is gone.
    fn stable_degraded(&mut self, at: &Dwelling) -> bool {
        let evidence = self.analysis.stable_worse();
        if at.stable_degraded {
            return evidence > 0.0;
        }
        let degraded = evidence >= STABLE_WORSE.ln();
        if degraded {
            self.tell(Notice::StableDegraded);
        }
        degraded
    }

    /// What keeps it where it is.
    fn hold(&self, at: &Dwelling, why: &Why) -> Option<Hold> {
        let facts = self.facts;
        match why {
            Why::Hold(Hold::Operator(reason)) => return Some(Hold::Operator(reason.clone())),
            // It is a fault of the gateways, which goes by itself as little as it came.
            Why::Hold(Hold::Mismatches(count)) => {
                return Some(Hold::Mismatches(count.saturating_add(facts.mismatches)));
            }
            Why::Hold(_) | Why::Plan | Why::Unproven => {}
        }
        if facts.mismatches > 0 {
            return Some(Hold::Mismatches(facts.mismatches));
        }
        if facts.coverage < COVERAGE_MIN {
            return Some(Hold::Coverage(facts.coverage));
        }
        if !facts.stable_serves {
            return Some(Hold::NoStable);
        }
        if facts.tripped == 1 {
            return Some(Hold::OneReplica);
        }
        if facts.candidate_away > Duration::ZERO {
            return Some(Hold::NoInstance);
        }
        if self.analysis.both_fail() {
            return Some(Hold::Outage);
        }
        self.analysis.shift_shown(self.plan.alpha_shift, at.accepted).map(Hold::Shift)
    }

    /// Whether an operator's hold came with this tick.
    fn ordered(&self, hold: &Hold) -> bool {
        matches!(hold, Hold::Operator(_)) && self.orders.iter().any(|order| matches!(order, Order::Hold(_)))
    }

    fn shift(&mut self, mut at: Dwelling) -> State {
        // A step counts as reached only when everybody routes by it.
        let reached = self.facts.acknowledged >= self.facts.replicas;
        if reached {
            at.dwelt += self.facts.elapsed;
        }
        let Some(step) = self.plan.steps.get(at.step) else { return State::Inconclusive(at) };
        let proven = self.analysis.safety_shown(self.plan.beta);
        if at.dwelt >= step.dwell_min && proven && reached && self.facts.candidate_warm >= step.instances_min
        {
            if step.approval == Approval::Evidence || at.consent == Consent::Given {
                return self.leave(at);
            }
            if at.consent == Consent::Unasked {
                at.consent = Consent::Asked;
                self.tell(Notice::Waits(at.step));
            }
            return State::Shifting(at);
        }
        if at.dwelt >= step.dwell_max && !proven {
            self.tell(Notice::Inconclusive);
            return State::Inconclusive(at);
        }
        State::Shifting(at)
    }

    fn leave(&mut self, at: Dwelling) -> State {
        if at.step + 1 < self.plan.steps.len() { self.reach(at.next(at.step + 1)) } else { self.promote() }
    }

    fn reach(&mut self, at: Dwelling) -> State {
        let Some(reached) = self.plan.steps.get(at.step) else { return State::Inconclusive(at) };
        self.actions.push(Action::Weigh(reached.weight));
        self.tell(Notice::Reached(at.step, reached.weight));
        State::Shifting(at)
    }

    /// Whether the candidate could take all calls.
    fn able(&self) -> bool {
        self.facts.candidate_warm > 0
    }

    fn promote(&mut self) -> State {
        self.actions.push(Action::Promote);
        self.tell(Notice::Promoted);
        State::Promoted
    }

    fn roll_back(&mut self, why: Regression) -> State {
        self.actions.push(Action::RollBack);
        self.tell(Notice::RolledBack(why.clone()));
        State::RolledBack(why)
    }

    fn tell(&mut self, notice: Notice) {
        self.actions.push(Action::Tell(notice));
    }
}

/// What an operator's word to go on changes about a step.
fn resumed(at: Dwelling, why: &Why) -> Dwelling {
    match why {
        Why::Hold(Hold::Shift(shift)) => Dwelling { accepted: at.accepted.with(*shift), ..at },
        Why::Unproven => Dwelling { dwelt: Duration::ZERO, ..at },
        Why::Hold(_) | Why::Plan => at,
    }
}

impl Hold {
    /// Whether it is the same reason, whatever its numbers are.
    fn is_like(&self, other: &Hold) -> bool {
        std::mem::discriminant(self) == std::mem::discriminant(other)
    }
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Notice::Reached(step, weight) => {
                write!(f, "reached step {} with {}", step + 1, Percent(*weight))
            }
            Notice::Waits(step) => write!(f, "waits for an approval to leave step {}", step + 1),
            Notice::Held(hold) => write!(f, "holds: {hold}"),
            Notice::Resumed => write!(f, "goes on"),
            Notice::Inconclusive => {
                write!(f, "the step's time is over and nothing is proven; an operator decides")
            }
            Notice::StableDegraded => {
                write!(f, "the stable version fails and the candidate does not; promoting would help")
            }
            Notice::Promoted => write!(f, "promoted"),
            Notice::RolledBack(why) => write!(f, "rolled back: {why}"),
            Notice::Superseded(version) => write!(f, "{version} took its place"),
            Notice::Unable => write!(f, "not promoted: no instance of the candidate is there to serve"),
        }
    }
}

/// A weight as people read it: `0.5 %`, `20 %`.
struct Percent(Weight);

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} %", f64::from(self.0.as_ppm()) / 10_000.0)
    }
}
