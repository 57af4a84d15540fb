//! What is written when a rollout moves: its record, its evidence and the policies, in one change.
//!
//! Either all of it is written or nothing is, and only if nobody changed any of it since it was read: weight never
//! moves without its evidence on record, and a late promotion cannot win over a return. Whatever changes who gets
//! which version comes with an act for the chain of audit: why, with numbers, and the command that takes it back.

use std::fmt::Write;
use std::sync::Arc;

use turnout_control::audit::{Act, TEXT_BYTES_MAX};
use turnout_control::records::{CHANGE_MAX, Change, Key, Kind, Records};
use turnout_control::rollout::{self, Action, Analysis, Facts, Notice, Order, Rollout, Stored, analysis_key};
use turnout_control::routes::{Base, Own, Place, Scope, Tried, read_own, write_base, write_own};

/// Who moves rollouts, in the chain of audit.
const ACTOR: &str = "turnout";
/// How many frontends' own policies are changed with a rollout. With all else it stays within one change.
const OWNS_MAX: usize = CHANGE_MAX - 10;

/// A move of one rollout, decided and not written.
#[derive(Debug)]
pub(super) struct Move<'a> {
    /// What it was decided by.
    pub(super) records: &'a Records,
    pub(super) before: &'a Rollout,
    pub(super) after: &'a Rollout,
    pub(super) actions: &'a [Action],
    pub(super) base: &'a Base,
    pub(super) facts: &'a Facts,
    pub(super) analysis: &'a Analysis,
    /// The evidence, when there is more of it than was stored.
    pub(super) stored: Option<&'a Stored>,
}

/// Writes that are to be made, each expecting what was read.
struct Draft<'a> {
    records: &'a Records,
    change: Change,
}

impl Draft<'_> {
    fn expect(&mut self, key: &Key) {
        self.change.expected.insert(key.clone(), self.records.seen(key));
    }

    fn write(&mut self, key: &Key, value: Option<Vec<u8>>) {
        self.expect(key);
        self.change.writes.insert(key.clone(), value.map(Arc::from));
    }
}

impl Move<'_> {
    /// What to write, and what the chain of audit says of it. Nothing to write: nothing is different.
    pub(super) fn draft(&self) -> (Change, Option<Act>) {
        let Rollout { service, to, .. } = self.before;
        let mut draft = Draft { records: self.records, change: Change::default() };
        if self.after != self.before {
            draft.write(&rollout::key(service, to), Some(self.after.write()));
        }
        if let Some(stored) = self.stored {
            draft.write(&analysis_key(service, to), Some(stored.write()));
        }
        let place = Place { scope: Scope::Everyone, service: service.clone(), major: self.before.major() };
        let next = self.next_base();
        let moves = next != *self.base;
        if moves {
            draft.write(&place.key(), Some(write_base(&next)));
        }
        let owns = if self.takes_back() { self.take_from_owns(&mut draft) } else { 0 };
        let act = (moves || owns > 0).then(|| self.act(&next, owns));
        if !draft.change.writes.is_empty() {
            // Also where none of them is written: all that was decided was decided by them.
            draft.expect(&rollout::key(service, to));
            draft.expect(&place.key());
        }
        (draft.change, act)
    }

    /// The policy for everybody after the actions.
    fn next_base(&self) -> Base {
        let mut base = self.base.clone();
        for action in self.actions {
            match action {
                Action::Weigh(weight) => {
                    let (version, salt) = (self.after.to.clone(), self.after.salt.clone());
                    base.candidate = Some(Tried { version, weight: *weight, salt });
                }
                Action::Promote => {
                    (base.stable, base.instead_of) = (self.after.to.clone(), None);
                    base.vacant = false;
                }
                Action::RollBack | Action::Withdraw | Action::Tell(_) => {}
            }
        }
        let is_it = |tried: &Tried| tried.version == self.after.to;
        if self.takes_back() && base.candidate.as_ref().is_some_and(is_it) {
            // The switch was about this candidate.
            (base.candidate, base.killed) = (None, false);
        }
        base
    }

    /// Whether nobody is to get the candidate as a candidate any more.
    fn takes_back(&self) -> bool {
        self.after.state.has_ended()
    }

    /// Takes the candidate from frontends that have it by a policy of their own; how many those are.
    fn take_from_owns(&self, draft: &mut Draft<'_>) -> usize {
        let mut taken = 0;
        for (key, record) in self.records.of(Kind::Policy) {
            let Some(Place { scope: Scope::Frontend(_), service, major }) = Place::of(key) else { continue };
            if service != self.after.service || major != self.after.major() {
                continue;
            }
            let Ok(own) = read_own(&record.value) else { continue };
            if own.candidate.as_ref().is_none_or(|tried| tried.version != self.after.to) {
                continue;
            }
            if taken == OWNS_MAX {
                tracing::error!(service = %service, "too many frontends have the candidate by a policy of their own");
                break;
            }
            let own = Own { candidate: None, ..own };
            draft.write(key, (own != Own::default()).then(|| write_own(&own)));
            taken += 1;
        }
        taken
    }

    fn act(&self, next: &Base, owns: usize) -> Act {
        let Rollout { service, from, to, .. } = self.after;
        let major = self.after.major();
        let text = |base: &Base| String::from_utf8_lossy(&write_base(base)).into_owned();
        let back = format!("turnout rollout rollback {service} --reason TEXT");
        let (verb, inverse) = match self.verb() {
            Verb::Weigh => ("rollout.weigh", back),
            Verb::Promote => (
                "rollout.promote",
                format!("turnout policy set {service} --major {major} --stable {from} --reason TEXT"),
            ),
            Verb::RollBack => {
                ("rollout.rollback", format!("turnout rollout start {service}@{to} --reason TEXT"))
            }
            Verb::Withdraw => {
                ("rollout.withdraw", format!("turnout rollout start {service}@{to} --reason TEXT"))
            }
        };
        Act {
            actor: ACTOR.to_owned(),
            verb: verb.to_owned(),
            subject: format!("{service}@{to}"),
            before: Some(text(self.base)),
            after: Some(text(next)),
            reason: cut(self.reason(owns)),
            inverse: cut(inverse),
        }
    }

    /// What the change is for those who are served. A step that was left for the end is the end.
    fn verb(&self) -> Verb {
        let done = |wanted: fn(&Action) -> bool| self.actions.iter().any(wanted);
        if done(|action| *action == Action::Promote) {
            Verb::Promote
        } else if done(|action| *action == Action::RollBack) {
            Verb::RollBack
        } else if self.takes_back() {
            Verb::Withdraw
        } else {
            Verb::Weigh
        }
    }

    /// Why, with what was counted and how sure that makes one.
    fn reason(&self, owns: usize) -> String {
        let told: Vec<String> = self.actions.iter().filter_map(notice).map(Notice::to_string).collect();
        let orders: Vec<String> = self.before.orders.iter().map(ordered).collect();
        let mut text = told.join("; ");
        if !orders.is_empty() {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "; ordered: {}", orders.join(", "));
        }
        let _infallible = write!(text, "; {}", evidence(self.analysis));
        let Facts { coverage, replicas, acknowledged, .. } = self.facts;
        let _infallible = write!(
            text,
            "; counts of {:.0} % of {replicas} gateways, {acknowledged} route by the last change",
            coverage * 100.0
        );
        if owns > 0 {
            let _infallible = write!(text, "; taken from {owns} policies of single frontends");
        }
        text
    }
}

/// What a change is for those who are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verb {
    Weigh,
    Promote,
    RollBack,
    Withdraw,
}

/// What the chain of audit says of a rollout that begins.
pub(super) fn begun(rollout: &Rollout) -> Act {
    let Rollout { service, from, to, .. } = rollout;
    let again = match rollout.retries {
        0 => String::new(),
        tries => format!(", try {}", tries.saturating_add(1)),
    };
    Act {
        actor: ACTOR.to_owned(),
        verb: "rollout.create".to_owned(),
        subject: format!("{service}@{to}"),
        before: None,
        after: Some(String::from_utf8_lossy(&rollout.write()).into_owned()),
        reason: format!("{to} runs beside {from} and can stand in for it{again}"),
        inverse: format!("turnout rollout rollback {service} --reason TEXT"),
    }
}

/// What people are told by an action.
pub(super) fn notice(action: &Action) -> Option<&Notice> {
    match action {
        Action::Tell(notice) => Some(notice),
        Action::Weigh(_) | Action::Promote | Action::RollBack | Action::Withdraw => None,
    }
}

fn ordered(order: &Order) -> String {
    match order {
        Order::Hold(reason) | Order::Advance(reason) | Order::Promote(reason) | Order::RollBack(reason) => {
            format!("{} ({reason})", order.as_str())
        }
        Order::Start | Order::Resume | Order::Approve => order.as_str().to_owned(),
    }
}

/// The counts of both versions, and the evidence as natural logarithms.
fn evidence(analysis: &Analysis) -> String {
    let sum = analysis.sum();
    format!(
        "candidate {} of {} calls failed, stable {} of {}; evidence of harm e^{:.1}, of slowness e^{:.1}, of safety e^{:.1}; {} failures in excess",
        sum.candidate.failures,
        sum.candidate.calls,
        sum.stable.failures,
        sum.stable.calls,
        analysis.failures().ln(),
        analysis.slowness().harm().ln(),
        analysis.safety().ln(),
        analysis.excess_failures(),
    )
}

/// No longer than an entry of the chain may be, cut between characters.
fn cut(mut text: String) -> String {
    if text.len() > TEXT_BYTES_MAX {
        let end = (0..=TEXT_BYTES_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        text.truncate(end);
    }
    text
}
