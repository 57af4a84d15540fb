//! A rollout step by step: what makes it go on, hold and go back, at the edges of each rule.

mod conformance;
mod create;
mod merge;
mod record;
mod scenarios;
mod sticky;
mod stored;
mod why;

use std::time::Duration;

use super::*;
use crate::evidence::{Counts, Tick};

const TICK: Duration = Duration::from_secs(10);

fn facts() -> Facts {
    Facts {
        elapsed: TICK,
        candidate_warm: 2,
        candidate_away: Duration::ZERO,
        stable: "2.3.0".parse().unwrap(),
        stable_serves: true,
        replicas: 3,
        acknowledged: 3,
        tripped: 0,
        coverage: 1.0,
        mismatches: 0,
        fits: true,
        must_wait: false,
        newer: None,
    }
}

/// A rollout that is driven tick by tick.
struct Drive {
    plan: Plan,
    state: State,
    analysis: Analysis,
    actions: Vec<Action>,
}

impl Drive {
    fn start() -> Drive {
        let mut drive = Drive {
            plan: Plan::usual(50.0, Approval::Evidence),
            state: State::Pending(Pending::Instances),
            analysis: Analysis::new(),
            actions: Vec::new(),
        };
        drive.tick(&facts(), (0, 0), (0, 0));
        drive
    }

    /// One tick with so many calls and failures of the candidate and of the stable version.
    fn tick(&mut self, facts: &Facts, candidate: (u64, u64), stable: (u64, u64)) {
        self.count(candidate, stable);
        self.step(facts, &[]);
    }

    /// A healthy tick with an order.
    fn order(&mut self, order: Order) {
        self.count((25, 0), (475, 0));
        self.step(&facts(), &[order]);
    }

    fn count(&mut self, candidate: (u64, u64), stable: (u64, u64)) {
        let counts = |(calls, failures)| Counts { calls, failures };
        let failures = Tick { candidate: counts(candidate), stable: counts(stable) };
        self.analysis.take(&[Stratum { failures, ..Stratum::default() }]);
    }

    fn step(&mut self, facts: &Facts, orders: &[Order]) {
        let (next, actions) = step(&self.plan, self.state.clone(), &self.analysis, facts, orders);
        self.state = next;
        self.actions.extend(actions);
    }

    fn ticks(&mut self, count: usize, facts: &Facts, candidate: (u64, u64), stable: (u64, u64)) {
        (0..count).for_each(|_| self.tick(facts, candidate, stable));
    }

    fn weights(&self) -> Vec<u32> {
        let weights = self.actions.iter().filter_map(|action| match action {
            Action::Weigh(weight) => Some(weight.as_ppm()),
            Action::Promote | Action::RollBack | Action::Withdraw | Action::Tell(_) => None,
        });
        weights.collect()
    }

    fn told(&self, notice: &Notice) -> usize {
        self.actions.iter().filter(|action| **action == Action::Tell(notice.clone())).count()
    }
}

#[test]
fn a_healthy_candidate_climbs_and_is_promoted() {
    let mut drive = Drive::start();
    drive.ticks(400, &facts(), (25, 0), (475, 0));
    assert_eq!(drive.weights(), [10_000, 50_000, 200_000, 500_000]);
    assert_eq!(drive.state, State::Promoted);
    // Four steps of ten minutes, each of sixty ticks, and not one more.
    let mut drive = Drive::start();
    drive.ticks(240, &facts(), (25, 0), (475, 0));
    assert_eq!(drive.state, State::Promoted);
}

#[test]
fn nothing_seen_is_never_promoted() {
    let mut drive = Drive::start();
    drive.ticks(3 * 360, &facts(), (0, 0), (0, 0));
    assert!(matches!(drive.state, State::Inconclusive(Dwelling { step: 0, .. })), "{:?}", drive.state);
    assert_eq!(drive.told(&Notice::Inconclusive), 1);
    // It is still armed, and an operator may go on with a reason.
    drive.order(Order::Advance("we know it".into()));
    assert!(matches!(drive.state, State::Shifting(Dwelling { step: 1, .. })));
}

#[test]
fn harm_goes_back_from_wherever_it_is() {
    let manual = |drive: &mut Drive| {
        drive.plan = Plan::usual(50.0, Approval::Operator);
        drive.ticks(100, &facts(), (25, 0), (475, 0));
        assert_eq!(drive.told(&Notice::Waits(0)), 1, "{:?}", drive.state);
    };
    let held = |drive: &mut Drive| {
        drive.order(Order::Hold("lunch".into()));
        assert!(matches!(drive.state, State::Holding(..)));
    };
    let unproven = |drive: &mut Drive| drive.ticks(800, &facts(), (0, 0), (475, 0));
    for prepare in [manual as fn(&mut Drive), held, unproven] {
        let mut drive = Drive::start();
        prepare(&mut drive);
        drive.ticks(30, &facts(), (25, 12), (475, 2));
        assert!(matches!(drive.state, State::RolledBack(Regression::Failures(_))), "{:?}", drive.state);
        assert!(drive.actions.contains(&Action::RollBack));
    }
}

#[test]
fn a_broken_stable_version_is_told_and_promoting_helps() {
    let mut drive = Drive::start();
    drive.ticks(20, &facts(), (25, 0), (475, 200));
    assert!(matches!(drive.state, State::Shifting(_)), "{:?}", drive.state);
    assert!(drive.told(&Notice::StableDegraded) > 0);
    drive.order(Order::Promote("stable is broken".into()));
    assert_eq!(drive.state, State::Promoted);
}

#[test]
fn what_is_missing_holds_and_goes_on_when_it_is_back() {
    for (missing, hold) in [
        (Facts { coverage: 0.5, ..facts() }, Hold::Coverage(0.5)),
        (Facts { stable_serves: false, ..facts() }, Hold::NoStable),
        (Facts { tripped: 1, ..facts() }, Hold::OneReplica),
        (Facts { candidate_away: TICK, ..facts() }, Hold::NoInstance),
    ] {
        let mut drive = Drive::start();
        drive.ticks(5, &missing, (25, 0), (475, 0));
        assert!(matches!(&drive.state, State::Holding(_, why) if *why == hold), "{:?}", drive.state);
        assert_eq!(drive.told(&Notice::Held(hold)), 1);
        drive.tick(&facts(), (25, 0), (475, 0));
        assert!(matches!(drive.state, State::Shifting(_)), "{:?}", drive.state);
    }
}

#[test]
fn calls_that_went_astray_hold_until_a_person_has_looked() {
    let mut drive = Drive::start();
    drive.tick(&Facts { mismatches: 3, ..facts() }, (25, 0), (475, 0));
    drive.ticks(100, &facts(), (25, 0), (475, 0));
    assert!(matches!(drive.state, State::Holding(_, Hold::Mismatches(3))), "{:?}", drive.state);
    assert_eq!(drive.told(&Notice::Held(Hold::Mismatches(3))), 1);
    drive.order(Order::Resume);
    assert!(matches!(drive.state, State::Shifting(_)), "{:?}", drive.state);
}

#[test]
fn a_step_is_not_reached_before_all_gateways_know_it() {
    let mut drive = Drive::start();
    let slow = Facts { acknowledged: 2, ..facts() };
    drive.ticks(500, &slow, (25, 0), (475, 0));
    assert!(
        matches!(drive.state, State::Shifting(Dwelling { step: 0, dwelt: Duration::ZERO, .. })),
        "{:?}",
        drive.state
    );
}

#[test]
fn each_of_the_other_reasons_goes_back() {
    for (facts, expected) in [
        (Facts { tripped: 2, ..facts() }, Regression::Fuses(2)),
        (Facts { tripped: 1, replicas: 1, acknowledged: 1, ..facts() }, Regression::Fuses(1)),
        (Facts { candidate_away: Duration::from_secs(30), ..facts() }, Regression::Vanished),
        (Facts { fits: false, ..facts() }, Regression::Gate),
    ] {
        let mut drive = Drive::start();
        drive.tick(&facts, (25, 0), (475, 0));
        assert_eq!(drive.state, State::RolledBack(expected));
    }
    let mut drive = Drive::start();
    // Under the floor of what is tolerated, and yet too many in the end.
    drive.plan.excess_failures_max = 20;
    drive.plan.steps[0].dwell_min = Duration::from_secs(1 << 30);
    drive.ticks(30, &facts(), (1_000, 1), (9_000, 0));
    assert_eq!(drive.state, State::RolledBack(Regression::Budget(21)));
}

#[test]
fn a_newer_candidate_takes_its_place_and_the_end_stays_the_end() {
    let mut drive = Drive::start();
    let newer = Facts { newer: Some("2.5.0".parse().unwrap()), ..facts() };
    drive.tick(&newer, (25, 0), (475, 0));
    assert_eq!(drive.state, State::Superseded("2.5.0".parse().unwrap()));
    assert!(drive.actions.contains(&Action::Withdraw));
    let actions = drive.actions.len();
    drive.order(Order::Promote("late".into()));
    assert_eq!((drive.actions.len(), drive.state.has_ended()), (actions, true));
}

#[test]
fn a_quiet_service_begins_with_more() {
    let first = |rate| Plan::usual(rate, Approval::Evidence).steps[0].weight.as_ppm();
    assert_eq!(first(500.0), 10_000);
    assert_eq!(first(5.0), 50_000);
    assert_eq!(first(1.0), 200_000);
    assert_eq!(first(0.01), 200_000);
    assert_eq!(first(0.0), 200_000);
}

#[test]
fn orders_that_come_together_are_all_carried_out_in_their_order() {
    let mut drive = Drive::start();
    let hold = Order::Hold("look first".into());
    drive.step(&facts(), &[Order::Advance("sure".into()), hold.clone()]);
    let Dwelling { step, .. } = *drive.state.dwelling().unwrap();
    assert!(matches!(&drive.state, State::Holding(_, Hold::Operator(_))), "{:?}", drive.state);
    assert_eq!(step, 1);
    drive.step(&facts(), &[hold, Order::Resume]);
    assert!(matches!(drive.state, State::Shifting(Dwelling { step: 1, .. })), "{:?}", drive.state);
}

#[test]
fn a_return_wins_over_a_promotion_that_comes_with_it() {
    let mut drive = Drive::start();
    drive.step(&facts(), &[Order::Promote("go".into()), Order::RollBack("no".into())]);
    assert_eq!(drive.state, State::RolledBack(Regression::Operator("no".into())));
    drive.order(Order::Promote("late".into()));
    assert_eq!(drive.state, State::RolledBack(Regression::Operator("no".into())));
    assert!(!drive.actions.contains(&Action::Promote));
}

#[test]
fn a_candidate_without_an_instance_is_promoted_by_no_order() {
    let mut drive = Drive::start();
    let away = Facts { candidate_warm: 0, ..facts() };
    drive.step(&away, &[Order::Promote("go".into())]);
    assert!(matches!(drive.state, State::Shifting(_)), "{:?}", drive.state);
    assert_eq!(drive.told(&Notice::Unable), 1);
    drive.plan.steps.truncate(1);
    drive.step(&away, &[Order::Advance("go".into())]);
    assert!(!drive.actions.contains(&Action::Promote));
}

#[test]
fn a_step_without_proof_is_left_by_proof_or_by_an_operator_and_by_no_time() {
    let mut drive = Drive::start();
    drive.ticks(5_000, &facts(), (0, 0), (475, 0));
    assert!(matches!(drive.state, State::Inconclusive(_)), "{:?}", drive.state);
    assert_eq!(drive.told(&Notice::Inconclusive), 1);
    drive.order(Order::Resume);
    assert!(
        matches!(drive.state, State::Shifting(Dwelling { step: 0, dwelt: TICK, .. })),
        "{:?}",
        drive.state
    );
    drive.ticks(719, &facts(), (0, 0), (475, 0));
    assert!(matches!(drive.state, State::Inconclusive(_)), "{:?}", drive.state);
    drive.ticks(60, &facts(), (25, 0), (475, 0));
    assert!(drive.analysis.safety_shown(drive.plan.beta));
    assert!(matches!(drive.state, State::Shifting(Dwelling { step: 1, .. })), "{:?}", drive.state);
}

#[test]
fn what_passes_by_does_not_lead_out_of_a_step_without_proof() {
    let mut drive = Drive::start();
    drive.ticks(720, &facts(), (0, 0), (0, 0));
    for passing in [
        Facts { coverage: 0.0, ..facts() },
        Facts { tripped: 1, ..facts() },
        Facts { stable_serves: false, ..facts() },
    ] {
        drive.tick(&passing, (0, 0), (475, 0));
        drive.tick(&facts(), (0, 0), (475, 0));
        assert!(matches!(drive.state, State::Inconclusive(_)), "{:?}", drive.state);
    }
    assert_eq!(drive.told(&Notice::Inconclusive), 1);
    drive.tick(&Facts { mismatches: 1, ..facts() }, (0, 0), (475, 0));
    assert!(matches!(drive.state, State::Holding(_, Hold::Mismatches(1))), "{:?}", drive.state);
}

#[test]
fn both_versions_failing_holds_unless_they_always_do() {
    let mut drive = Drive::start();
    drive.ticks(30, &facts(), (25, 0), (475, 2));
    drive.ticks(10, &facts(), (25, 10), (475, 190));
    assert!(matches!(drive.state, State::Holding(_, Hold::Outage)), "{:?}", drive.state);
    drive.ticks(20, &facts(), (25, 0), (475, 2));
    assert!(matches!(drive.state, State::Shifting(_)), "{:?}", drive.state);
    let mut bad = Drive::start();
    bad.ticks(60, &facts(), (25, 8), (475, 150));
    assert!(matches!(bad.state, State::Shifting(_)), "{:?}", bad.state);
}

#[test]
fn where_nobody_serves_nothing_goes_back_and_nothing_goes_on() {
    let mut drive = Drive::start();
    let dark = Facts {
        stable_serves: false,
        candidate_warm: 0,
        candidate_away: Duration::from_secs(3600),
        ..facts()
    };
    drive.ticks(360, &dark, (0, 0), (0, 0));
    assert!(matches!(drive.state, State::Holding(_, Hold::NoStable)), "{:?}", drive.state);
    assert_eq!(drive.told(&Notice::Held(Hold::NoStable)), 1);
}

#[test]
fn without_the_stable_version_a_proven_candidate_is_not_promoted_by_itself() {
    let mut drive = Drive::start();
    let gone = Facts { stable_serves: false, ..facts() };
    drive.ticks(800, &gone, (250, 0), (0, 0));
    assert!(
        matches!(drive.state, State::Holding(Dwelling { step: 0, .. }, Hold::NoStable)),
        "{:?}",
        drive.state
    );
    drive.step(&gone, &[Order::Promote("it is all we have".into())]);
    assert_eq!(drive.state, State::Promoted);
}

#[test]
fn a_vanished_candidate_is_held_and_then_gone_for_good() {
    let mut drive = Drive::start();
    for seconds in [10, 20] {
        let away = Facts { candidate_warm: 0, candidate_away: Duration::from_secs(seconds), ..facts() };
        drive.tick(&away, (0, 0), (500, 0));
        assert!(matches!(drive.state, State::Holding(_, Hold::NoInstance)), "{:?}", drive.state);
    }
    let away = Facts { candidate_warm: 0, candidate_away: Duration::from_secs(30), ..facts() };
    drive.tick(&away, (0, 0), (500, 0));
    assert_eq!(drive.state, State::RolledBack(Regression::Vanished));
    drive.ticks(100, &facts(), (25, 0), (475, 0));
    assert_eq!(drive.state, State::RolledBack(Regression::Vanished));
}

#[test]
fn other_answers_hold_until_an_operator_accepts_them() {
    let mut drive = Drive::start();
    let shifted = |drive: &mut Drive, orders: &[Order]| {
        let tick = |candidate, stable| Tick {
            candidate: Counts { calls: 25, failures: candidate },
            stable: Counts { calls: 475, failures: stable },
        };
        let mut shifts = <[Tick; Shift::COUNT]>::default();
        shifts[Shift::NotFound.place()] = tick(8, 3);
        drive.analysis.take(&[Stratum { failures: tick(0, 0), shifts, ..Stratum::default() }]);
        drive.step(&facts(), orders);
    };
    (0..10).for_each(|_| shifted(&mut drive, &[]));
    assert!(matches!(drive.state, State::Holding(_, Hold::Shift(Shift::NotFound))), "{:?}", drive.state);
    shifted(&mut drive, &[Order::Resume]);
    (0..70).for_each(|_| shifted(&mut drive, &[]));
    // It holds at no later step either.
    assert!(matches!(drive.state, State::Shifting(Dwelling { step: 1, .. })), "{:?}", drive.state);
    assert_eq!(drive.told(&Notice::Held(Hold::Shift(Shift::NotFound))), 1);
}

#[test]
fn an_approval_is_asked_for_once_when_all_else_is_there() {
    let mut drive = Drive::start();
    drive.plan = Plan::usual(50.0, Approval::Operator);
    // Proof comes long after the shortest time of the step.
    drive.ticks(100, &facts(), (2, 0), (475, 0));
    assert_eq!(drive.told(&Notice::Waits(0)), 0);
    drive.ticks(100, &facts(), (25, 0), (475, 0));
    assert_eq!(drive.told(&Notice::Waits(0)), 1);
    drive.order(Order::Approve);
    assert!(matches!(drive.state, State::Shifting(Dwelling { step: 1, consent: Consent::Unasked, .. })));
}

#[test]
fn a_stable_version_that_fails_is_told_once_and_one_that_fails_a_little_more_is_not() {
    let mut drive = Drive::start();
    drive.ticks(100, &facts(), (25, 0), (475, 200));
    assert_eq!(drive.told(&Notice::StableDegraded), 1);
    let mut better = Drive::start();
    (0..600).for_each(|at| better.tick(&facts(), (250, 0), (250, u64::from(at % 10 == 0))));
    assert_eq!(better.told(&Notice::StableDegraded), 0);
}

#[test]
fn a_shared_outage_at_a_late_step_is_no_excess() {
    let mut drive = Drive::start();
    drive.ticks(180, &facts(), (25, 0), (475, 2));
    // Both versions fail alike, at a weight that the stable version's earlier calls did not have.
    drive.ticks(30, &facts(), (250, 100), (250, 100));
    assert_eq!(drive.analysis.excess_failures(), 0);
    assert!(!drive.state.has_ended(), "{:?}", drive.state);
}

#[test]
fn before_it_begins_orders_hold_start_and_end_it() {
    let pending = |why| {
        let mut drive = Drive::start();
        drive.state = State::Pending(why);
        drive.actions.clear();
        drive
    };
    let busy = Facts { must_wait: true, ..facts() };
    let cold = Facts { candidate_warm: 0, ..facts() };
    for (why, facts, orders, expected) in [
        (Pending::Operator, facts(), vec![], "Pending(Operator)"),
        (Pending::Operator, facts(), vec![Order::Start], "Shifting"),
        (Pending::Instances, cold.clone(), vec![], "Pending(Instances)"),
        (Pending::Operator, cold.clone(), vec![Order::Start], "Pending(Instances)"),
        (Pending::Instances, busy.clone(), vec![], "Pending(Others)"),
        (Pending::Operator, busy.clone(), vec![Order::Start], "Pending(Others)"),
        (Pending::Others, busy.clone(), vec![Order::Start], "Shifting"),
        (Pending::Others, busy, vec![Order::Hold("later".into())], "Pending(Operator)"),
        (Pending::Instances, facts(), vec![Order::Promote("now".into())], "Promoted"),
        (Pending::Instances, cold, vec![Order::Promote("now".into())], "Pending(Instances)"),
        (Pending::Instances, facts(), vec![Order::RollBack("no".into())], "RolledBack"),
        (Pending::Instances, Facts { fits: false, ..facts() }, vec![], "RolledBack(Gate)"),
    ] {
        let mut drive = pending(why);
        drive.step(&facts, &orders);
        assert!(format!("{:?}", drive.state).starts_with(expected), "{why:?} {orders:?}: {:?}", drive.state);
    }
}

/// Numbers that look like chance, the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % limit
    }
}

fn anything(dice: &mut Dice) -> Facts {
    let mut facts = facts();
    match dice.below(40) {
        0 => facts.coverage = 0.8,
        1 => facts.mismatches = 1,
        2 => facts.tripped = 1,
        3 => facts.candidate_away = Duration::from_secs(dice.below(40)),
        4 => facts.acknowledged = 2,
        8 => facts.stable_serves = false,
        9 => facts.candidate_warm = 0,
        _ => {}
    }
    facts
}

fn some_order(dice: &mut Dice) -> Vec<Order> {
    match dice.below(60) {
        0 => vec![Order::Hold("h".into())],
        1 => vec![Order::Resume],
        2 => vec![Order::Approve, Order::Start],
        3 => vec![Order::Hold("h".into()), Order::Resume],
        _ => Vec::new(),
    }
}

#[test]
fn whatever_happens_weight_rises_step_by_step_and_the_end_is_final() {
    for seed in 1..=300_u64 {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let mut drive = Drive::start();
        for _ in 0..2_000 {
            let ended = drive.state.has_ended();
            let before = drive.actions.len();
            let facts = anything(&mut dice);
            let bad = u64::from(dice.below(400) == 0);
            drive.count((25, bad), (475, dice.below(2)));
            drive.step(&facts, &some_order(&mut dice));
            assert!(!ended || drive.actions.len() == before, "seed {seed}: {:?}", drive.actions);
            if drive.actions[before..].contains(&Action::Promote) {
                assert!(drive.analysis.safety_shown(drive.plan.beta), "seed {seed}");
            }
        }
        let weights = drive.weights();
        assert!(weights.is_sorted_by(|one, next| one < next), "seed {seed}: {weights:?}");
        let ends = drive.actions.iter().filter(|action| matches!(action, Action::Promote | Action::RollBack));
        assert!(ends.count() <= 1, "seed {seed}");
    }
}
