//! Where a rollout stands, and in which words.
//!
//! A state carries what it needs and nothing else: how long it has been at a step, why it stays there, why it went
//! back. What leads from one to the next is in `step`. The words here are what people read; how states are stored
//! is in `json`.

use std::fmt;
use std::time::Duration;

use crate::id::Version;

/// Where a rollout stands.
#[derive(Clone, Debug, PartialEq)]
pub enum State {
    /// It has not begun: nobody gets the candidate.
    Pending(Pending),
    /// It moves weight by its plan.
    Shifting(Dwelling),
    /// It stays where it is until the reason goes.
    Holding(Dwelling, Hold),
    /// It stays where it is because a step's time is over and nothing is proven: until an operator decides, or
    /// proof comes after all.
    Inconclusive(Dwelling),
    /// The candidate is stable.
    Promoted,
    /// Nobody gets the candidate, and it is quarantined.
    RolledBack(Regression),
    /// Another version took its place.
    Superseded(Version),
}

/// Why a rollout has not begun.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pending {
    /// An operator starts it.
    Operator,
    /// No instance of the candidate serves, or not long enough to be warm.
    Instances,
    /// It could begin, and other rollouts that the same frontends see come first; an older one of the same service
    /// gives way to it.
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
    pub consent: Consent,
    /// Whether people know that it is the stable version that fails.
    pub stable_degraded: bool,
    /// Shifts that an operator has accepted; they hold no more.
    pub accepted: Shifts,
}

/// Whether an operator lets a rollout leave a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Consent {
    /// Nobody was asked: the evidence is not there yet.
    Unasked,
    /// All evidence is there, and people were told that only they are missing.
    Asked,
    /// It may go as soon as the evidence is there.
    Given,
}

/// A way in which a candidate may answer otherwise that need not be harm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Shift {
    /// `NOT_FOUND`.
    NotFound,
    /// `INVALID_ARGUMENT`.
    InvalidArgument,
    /// `PERMISSION_DENIED`.
    PermissionDenied,
    /// Without something that was asked for, so that `null` spread.
    Nulls,
}

/// A set of shifts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shifts([bool; Shift::COUNT]);

/// Why a rollout stays where it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Hold {
    /// An operator wanted it.
    Operator(String),
    /// Counts of some replicas are missing; the share that is there.
    Coverage(f64),
    /// So many calls went to another version than was decided. A person has to look.
    Mismatches(u64),
    /// The candidate answers otherwise, in a way that need not be harm; which way.
    Shift(Shift),
    /// One replica of several sees harm, and the others do not.
    OneReplica,
    /// Both versions fail, much more than they did before: it is neither of them.
    Outage,
    /// No instance of the candidate serves.
    NoInstance,
    /// No instance of the stable version serves, so that nobody could go back.
    NoStable,
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
    /// Begin; of one that went back, or that another took the place of, begin again.
    Start,
    /// Stay, for this reason.
    Hold(String),
    /// Go on after a hold; after a step without proof, try the step again.
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

impl Dwelling {
    /// A step at its beginning.
    pub(super) fn at(step: usize) -> Dwelling {
        Dwelling {
            step,
            dwelt: Duration::ZERO,
            consent: Consent::Unasked,
            stable_degraded: false,
            accepted: Shifts::default(),
        }
    }

    /// Another step of the same rollout, at its beginning.
    pub(super) fn next(self, step: usize) -> Dwelling {
        Dwelling { stable_degraded: self.stable_degraded, accepted: self.accepted, ..Dwelling::at(step) }
    }
}

impl Consent {
    /// The word in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Consent::Unasked => "unasked",
            Consent::Asked => "asked",
            Consent::Given => "given",
        }
    }
}

impl Pending {
    /// The word in a record.
    pub fn as_str(self) -> &'static str {
        match self {
            Pending::Operator => "operator",
            Pending::Instances => "instances",
            Pending::Others => "others",
        }
    }
}

impl Shift {
    /// How many there are.
    pub const COUNT: usize = Shift::ALL.len();
    /// All of them, in the order of their counters.
    pub const ALL: [Shift; 4] =
        [Shift::NotFound, Shift::InvalidArgument, Shift::PermissionDenied, Shift::Nulls];

    /// The word that people and machines read.
    pub fn as_str(self) -> &'static str {
        match self {
            Shift::NotFound => "NOT_FOUND",
            Shift::InvalidArgument => "INVALID_ARGUMENT",
            Shift::PermissionDenied => "PERMISSION_DENIED",
            Shift::Nulls => "nulls",
        }
    }

    /// Its place among all.
    pub fn place(self) -> usize {
        match self {
            Shift::NotFound => 0,
            Shift::InvalidArgument => 1,
            Shift::PermissionDenied => 2,
            Shift::Nulls => 3,
        }
    }
}

impl Shifts {
    /// With one more.
    #[must_use]
    pub fn with(mut self, shift: Shift) -> Shifts {
        self.0[shift.place()] = true;
        self
    }

    /// Whether it is among them.
    pub fn has(self, shift: Shift) -> bool {
        self.0[shift.place()]
    }

    /// Those that are in it.
    pub fn iter(self) -> impl Iterator<Item = Shift> {
        Shift::ALL.into_iter().filter(move |shift| self.has(*shift))
    }
}

impl Order {
    /// The word in a record and on a command line.
    pub fn as_str(&self) -> &'static str {
        match self {
            Order::Start => "start",
            Order::Hold(_) => "hold",
            Order::Resume => "resume",
            Order::Approve => "approve",
            Order::Advance(_) => "advance",
            Order::Promote(_) => "promote",
            Order::RollBack(_) => "rollback",
        }
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

    /// The step it is at, if it has begun and not ended.
    pub fn dwelling(&self) -> Option<&Dwelling> {
        match self {
            State::Shifting(at) | State::Holding(at, _) | State::Inconclusive(at) => Some(at),
            State::Pending(_) | State::Promoted | State::RolledBack(_) | State::Superseded(_) => None,
        }
    }
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Hold::Operator(reason) => write!(f, "an operator holds it: {reason}"),
            Hold::Coverage(share) => write!(f, "only {:.0} % of the gateways' counts arrived", share * 100.0),
            Hold::Mismatches(count) => write!(f, "{count} calls went to another version than was decided"),
            Hold::Shift(what) => write!(f, "the candidate answers otherwise: {}", what.as_str()),
            Hold::OneReplica => write!(f, "one gateway sees harm and the others do not"),
            Hold::Outage => write!(f, "both versions fail, much more than before"),
            Hold::NoInstance => write!(f, "no instance of the candidate serves"),
            Hold::NoStable => write!(f, "no instance of the stable version serves"),
        }
    }
}

impl fmt::Display for Regression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Regression::Failures(ln) => write!(f, "it fails more, with evidence of {}", Evidence(*ln)),
            Regression::Slowness(ln) => write!(f, "it is slower, with evidence of {}", Evidence(*ln)),
            Regression::Budget(excess) => write!(f, "{excess} calls failed beyond what was expected"),
            Regression::Fuses(count) => write!(f, "the fuses of {count} gateways tripped"),
            Regression::Vanished => write!(f, "none of its instances served for 30 s"),
            Regression::Gate => write!(f, "it may not stand in for the stable version"),
            Regression::Operator(reason) => write!(f, "an operator wanted it: {reason}"),
        }
    }
}

/// Evidence by its natural logarithm, as people read it.
struct Evidence(f64);

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A million to one is as sure as anybody has to be; an outage has thousands of digits.
        let value = self.0.exp();
        if value < 1e6 { write!(f, "{value:.0} to 1") } else { f.write_str("more than a million to 1") }
    }
}
