//! Another leader goes on with the same evidence, and decides the same.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use super::facts;
use super::merge::{name, report, tallied};
use super::record::rollout;
use crate::evidence::simulation::Dice;
use crate::id::Timestamp;
use crate::records::VALUE_BYTES_MAX;

const TICK: Duration = Duration::from_secs(10);

/// The counts of three gateways, tick by tick.
struct World {
    dice: Dice,
    trials: [Trial; 3],
    sequence: u64,
}

impl World {
    fn new(seed: u64) -> World {
        World { dice: Dice::new(seed), trials: std::array::from_fn(|_| Trial::begin(5)), sequence: 0 }
    }

    /// What the gateways report after another tick, with this rate of failures of the candidate.
    fn tick(&mut self, candidate: f64) -> Vec<Report> {
        self.sequence += 1;
        let sequence = self.sequence;
        let mut reports = Vec::new();
        for (place, trial) in self.trials.iter_mut().enumerate() {
            for method in 0..4 {
                let counts = [self.dice.counts(4.0, candidate), self.dice.counts(40.0, 0.005)];
                let [new, old] = counts.map(|counts| {
                    let slow = counts.calls / 20;
                    let shifts = [counts.calls / 10, 0, counts.calls / 30, 0];
                    Tallied { timed: counts.calls, slow, shifts, ..tallied(counts.calls, counts.failures) }
                });
                let arms = trial.stratum(name(method, "web@1.0.0"));
                *arms = arms.plus(&Arms { candidate: new, stable: old });
            }
            // Now and then a report is lost.
            if self.dice.unit() < 0.9 {
                reports.push(report(&format!("gateway-{place}"), 77, sequence, trial.clone()));
            }
        }
        reports
    }
}

/// A leader's tick, from records to records.
fn lead(records: &(Vec<u8>, Vec<u8>), reports: &[Report], now: Timestamp) -> (Vec<u8>, Vec<u8>) {
    let rollout = Rollout::read(&records.0).unwrap();
    let mut stored = Stored::resume(Some(&records.1), &rollout, now);
    let taken = stored.take(3, reports, TICK, now);
    let facts = Facts { coverage: taken.coverage, ..facts() };
    let (next, _) = rollout.tick(&stored.analysis, &facts, now);
    (next.write(), stored.write())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn scenario_23_a_change_of_leader_at_any_tick_changes_no_evidence_and_no_decision(
        seed in any::<u64>(),
        candidate in prop_oneof![Just(0.005), Just(0.02), Just(0.1)],
        changes in vec(any::<bool>(), 90..120),
    ) {
        let mut world = World::new(seed);
        let begin = rollout(State::Pending(Pending::Instances));
        // One leader keeps all in memory; others come and go, and have only what was written.
        let mut mine = (begin.clone(), Stored::new(&begin, Timestamp(0)));
        let mut written = (begin.write(), mine.1.write());
        for (at, changes) in (1..).zip(changes) {
            let (reports, now) = (world.tick(candidate), Timestamp(at * 10_000));
            let taken = mine.1.take(3, &reports, TICK, now);
            let facts = Facts { coverage: taken.coverage, ..facts() };
            mine.0 = mine.0.tick(&mine.1.analysis, &facts, now).0;
            written = if changes {
                lead(&written, &reports, now)
            } else {
                (mine.0.write(), mine.1.write())
            };
            prop_assert_eq!(&Stored::read(&written.1).unwrap(), &mine.1);
            prop_assert_eq!(&Rollout::read(&written.0).unwrap(), &mine.0);
            for (one, other) in bits(&Stored::read(&written.1).unwrap().analysis).iter().zip(bits(&mine.1.analysis)) {
                prop_assert_eq!(*one, other);
            }
        }
        prop_assert!(mine.1.analysis.sum().candidate.calls > 1_000);
    }
}

fn bits(analysis: &Analysis) -> Vec<u64> {
    let harms = [analysis.failures(), analysis.slowness().harm()];
    let of = |harm: &&crate::evidence::Harm| {
        harm.relative().logarithms().into_iter().chain(harm.absolute().logarithms()).collect::<Vec<f64>>()
    };
    let all = harms.iter().flat_map(of).chain(analysis.safety().logarithms());
    all.map(f64::to_bits).collect()
}

#[test]
fn a_tick_that_no_leader_made_is_taken_up_by_the_next() {
    let begin = rollout(State::Shifting(Dwelling::at(0)));
    let mut world = World::new(3);
    let mut stored = Stored::new(&begin, Timestamp(0));
    stored.take(3, &world.tick(0.005), TICK, Timestamp(1));
    let before = stored.write();
    // A leader takes up a tick and is gone before it writes.
    stored.take(3, &world.tick(0.005), TICK, Timestamp(2));
    drop(stored);
    world.dice = Dice::new(4);
    let mut next = Stored::read(&before).unwrap();
    (0..3).for_each(|at| drop(next.take(3, &world.tick(0.005), TICK, Timestamp(3 + at))));
    let counted: u64 =
        world.trials.iter().flat_map(|trial| trial.strata.values()).map(|it| it.candidate.calls).sum();
    let behind = counted - next.analysis.sum().candidate.calls;
    assert!(behind < 200, "only what a lost report of the last tick had: {behind} of {counted}");
}

#[test]
fn another_try_begins_without_evidence_and_counts_no_call_again() {
    let first = rollout(State::Shifting(Dwelling::at(0)));
    let mut world = World::new(9);
    let mut stored = Stored::new(&first, Timestamp(0));
    for _ in 0..20 {
        stored.take(3, &world.tick(0.1), TICK, Timestamp(1));
    }
    let again = Rollout { retries: 1, ..first.clone() };
    let mut stored = Stored::resume(Some(&stored.write()), &again, Timestamp(2));
    assert_eq!(stored.analysis, Analysis::new());
    stored.take(3, &world.tick(0.0), TICK, Timestamp(3));
    assert!(stored.analysis.sum().candidate.calls < 200, "{:?}", stored.analysis.sum());
    let other = Rollout { from: "2.3.9".parse().unwrap(), ..first.clone() };
    assert_eq!(Stored::resume(Some(&stored.write()), &other, Timestamp(4)).watermarks, Watermarks::new());
    for nothing in [None, Some(&b"{"[..])] {
        assert_eq!(Stored::resume(nothing, &first, Timestamp(5)), Stored::new(&first, Timestamp(5)));
    }
}

#[test]
fn the_record_stays_small_however_much_is_counted() {
    let begin = rollout(State::Shifting(Dwelling::at(0)));
    let mut stored = Stored::new(&begin, Timestamp(0));
    let mut calls = 0;
    for round in 1..=3_u64 {
        // More methods than fit, with long and odd names, in more gateways than anybody has.
        let reports: Vec<Report> = (0..80)
            .map(|replica| {
                let mut trial = Trial::begin(5);
                for method in 0..400 {
                    let odd = format!("{}\"\u{1}{}", "m".repeat(90), method + replica * 7);
                    let huge = tallied(round << 40, round << 30);
                    let arms = trial.stratum(StratumName { method: odd, frontend: "web@1.0.0".to_owned() });
                    *arms = arms.plus(&Arms { candidate: huge, stable: huge });
                }
                report(&format!("gateway-{replica}"), 1, round, trial)
            })
            .collect();
        calls = reports
            .iter()
            .flat_map(|it| it.trials.values())
            .flat_map(|it| it.strata.values())
            .map(|it| it.candidate.calls)
            .sum();
        let taken = stored.take(80, &reports, TICK, Timestamp(round));
        assert_eq!(taken.backwards, Vec::<String>::new());
        let record = stored.write();
        assert!(record.len() <= VALUE_BYTES_MAX, "{}", record.len());
        assert!(record.len() > VALUE_BYTES_MAX / 2, "room is used: {}", record.len());
        assert!(Stored::read(&record).unwrap() == stored);
    }
    assert_eq!(stored.analysis.sum().candidate.calls, calls, "put together, and not lost");
}
