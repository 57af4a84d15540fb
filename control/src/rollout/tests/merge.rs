//! Counts of several gateways come to the same sums, however their reports come.

use proptest::collection::vec;
use proptest::prelude::*;

use super::super::*;
use crate::evidence::{Counts, Tick};

pub(super) fn subject() -> Subject {
    Subject {
        service: "catalog".parse().unwrap(),
        from: "2.3.0".parse().unwrap(),
        to: "2.4.0".parse().unwrap(),
    }
}

pub(super) fn name(method: usize, frontend: &str) -> StratumName {
    StratumName { method: format!("/catalog.v1.Catalog/M{method}"), frontend: frontend.to_owned() }
}

pub(super) fn tallied(calls: u64, failures: u64) -> Tallied {
    Tallied { calls, failures, ..Tallied::default() }
}

pub(super) fn report(replica: &str, incarnation: u64, sequence: u64, trial: Trial) -> Report {
    Report {
        replica: replica.to_owned(),
        incarnation,
        sequence,
        revision: 7,
        trials: [(subject(), trial)].into(),
    }
}

fn sum(strata: &[Stratum]) -> Tick {
    let mut sum = Tick::default();
    for stratum in strata {
        let arms =
            [(&mut sum.candidate, stratum.failures.candidate), (&mut sum.stable, stratum.failures.stable)];
        for (sum, more) in arms {
            sum.calls += more.calls;
            sum.failures += more.failures;
        }
    }
    sum
}

/// What a gateway's process counts from one report to the next: of each method, calls and failures of both arms.
type Steps = Vec<Vec<(u64, u64, u64, u64)>>;

fn steps() -> impl Strategy<Value = Steps> {
    let cell =
        (0..40_u64, 0..40_u64, 0..400_u64, 0..400_u64).prop_map(|(calls, failed, stable, stable_failed)| {
            (calls, failed.min(calls), stable, stable_failed.min(stable))
        });
    vec(vec(cell, 3), 1..6)
}

/// All reports of a process, cumulative.
fn reports(replica: &str, incarnation: u64, steps: &Steps) -> Vec<Report> {
    let mut trial = Trial::begin(3);
    let mut reports = Vec::new();
    for (sequence, step) in (1..).zip(steps) {
        for (method, (calls, failed, stable, stable_failed)) in step.iter().enumerate() {
            let arms = trial.stratum(name(method, "web@1.0.0"));
            let more = Arms { candidate: tallied(*calls, *failed), stable: tallied(*stable, *stable_failed) };
            *arms = arms.plus(&more);
        }
        trial.no_unit += 1;
        reports.push(report(replica, incarnation, sequence, trial.clone()));
    }
    reports
}

fn totals(all: &[Vec<Report>]) -> Tick {
    let last = all.iter().filter_map(|reports| reports.last()).flat_map(|report| report.trials.values());
    let strata: Vec<Stratum> = last
        .flat_map(|trial| trial.strata.values())
        .map(|arms| {
            let counts = |arm: &Tallied| Counts { calls: arm.calls, failures: arm.failures };
            let failures = Tick { candidate: counts(&arms.candidate), stable: counts(&arms.stable) };
            Stratum { failures, ..Stratum::default() }
        })
        .collect();
    sum(&strata)
}

proptest! {
    #[test]
    fn any_order_any_doubling_and_any_loss_come_to_the_same_sums(
        processes in vec(steps(), 1..5),
        order in vec((0..5_usize, 0..6_usize), 0..40),
        cuts in vec(1..4_usize, 1..40),
    ) {
        // Two processes of each gateway: it was started anew.
        let all: Vec<Vec<Report>> = processes
            .iter()
            .enumerate()
            .map(|(at, steps)| reports(&format!("gateway-{}", at / 2), u64::try_from(at).unwrap() + 100, steps))
            .collect();
        let mut sent: Vec<Report> = order
            .iter()
            .filter_map(|(process, place)| all.get(*process)?.get(*place).cloned())
            .collect();
        // Whatever was lost or came late, in the end the last of each arrives, twice.
        for _ in 0..2 {
            sent.extend(all.iter().filter_map(|reports| reports.last().cloned()));
        }
        let (mut watermarks, mut taken, mut no_unit) = (Watermarks::new(), Vec::new(), 0);
        let mut cuts = cuts.iter().cycle();
        while !sent.is_empty() {
            let batch: Vec<Report> = sent.drain(..sent.len().min(*cuts.next().unwrap())).collect();
            let new = watermarks.take(&subject(), 3, &batch);
            prop_assert!(new.backwards.is_empty());
            prop_assert!(new.strata.iter().all(|it| it.failures.candidate.failures <= it.failures.candidate.calls));
            let again = watermarks.take(&subject(), 3, &batch);
            prop_assert!(again.strata.is_empty() && again.no_unit == 0, "twice is once");
            taken.extend(new.strata);
            no_unit += new.no_unit;
        }
        prop_assert_eq!(sum(&taken), totals(&all));
        prop_assert_eq!(no_unit, all.iter().map(|reports| u64::try_from(reports.len()).unwrap()).sum::<u64>());
    }

    #[test]
    fn a_report_reads_as_it_was_written(steps in steps(), incarnation in any::<u64>(), tripped in any::<bool>()) {
        for mut report in reports("gateway-1", incarnation, &steps) {
            report.trials.values_mut().for_each(|trial| trial.tripped = tripped);
            prop_assert_eq!(Report::decode(&report.encode()), Ok(report));
        }
    }
}

proptest! {
    #[test]
    fn no_count_that_a_gateway_sends_makes_a_leader_panic(
        counts in vec(any::<u64>(), 16),
        (incarnation, sequence, since) in (any::<u64>(), any::<u64>(), any::<u64>()),
    ) {
        let arm = |counts: &[u64]| Tallied {
            calls: counts[0],
            failures: counts[1],
            timed: counts[2],
            slow: counts[3],
            shifts: [counts[4], counts[5], counts[6], counts[7]],
        };
        let arms = Arms { candidate: arm(&counts[..8]), stable: arm(&counts[8..]) };
        let strata = (0..20).map(|method| (name(method, "web@1.0.0"), arms)).collect();
        let trial = Trial { since, strata, tripped: true, mismatches: counts[0], no_unit: counts[1] };
        let (mut watermarks, mut analysis) = (Watermarks::new(), Analysis::new());
        for replica in ["a", "b", "c"] {
            let sent = Report::decode(&report(replica, incarnation, sequence, trial.clone()).encode()).unwrap();
            analysis.take(&watermarks.take(&subject(), 3, &[sent]).strata);
        }
        prop_assert!(analysis.failures().ln().is_finite() && analysis.safety().ln().is_finite());
        let _ = analysis.excess_failures();
    }
}

fn counted(calls: u64, failures: u64, stable: u64) -> Trial {
    let mut trial = Trial::begin(3);
    *trial.stratum(name(1, "web@1.0.0")) =
        Arms { candidate: tallied(calls, failures), stable: tallied(stable, 0) };
    trial
}

#[test]
fn a_count_that_went_back_is_told_and_changes_nothing() {
    let mut watermarks = Watermarks::new();
    watermarks.take(&subject(), 1, &[report("a", 1, 1, counted(10, 1, 90))]);
    let back = watermarks.take(&subject(), 1, &[report("a", 1, 2, counted(5, 0, 95))]);
    assert_eq!((back.backwards, back.strata.len()), (vec!["a".to_owned()], 0));
    let again = watermarks.take(&subject(), 1, &[report("a", 1, 3, counted(12, 1, 100))]);
    assert_eq!(sum(&again.strata).candidate, Counts { calls: 2, failures: 0 });
}

#[test]
fn a_process_and_a_trial_that_begin_anew_count_from_zero() {
    let mut watermarks = Watermarks::new();
    watermarks.take(&subject(), 1, &[report("a", 1, 9, counted(10, 1, 90))]);
    let restarted = watermarks.take(&subject(), 1, &[report("a", 2, 1, counted(4, 0, 30))]);
    assert_eq!(sum(&restarted.strata).candidate.calls, 4);
    let anew = Trial { since: 8, ..counted(3, 0, 20) };
    let begun = watermarks.take(&subject(), 1, &[report("a", 2, 2, anew)]);
    assert_eq!((sum(&begun.strata).candidate.calls, begun.backwards.len()), (3, 0));
    let late = watermarks.take(&subject(), 1, &[report("a", 2, 3, counted(40, 0, 300))]);
    assert_eq!(sum(&late.strata).candidate.calls, 0);
}

#[test]
fn a_failure_that_is_counted_before_its_call_waits_for_it() {
    let mut watermarks = Watermarks::new();
    // The gateway's counters are not read at one moment.
    let early = Trial {
        strata: [(name(1, "web@1.0.0"), Arms { candidate: tallied(5, 6), ..Arms::default() })].into(),
        ..Trial::begin(3)
    };
    let first = watermarks.take(&subject(), 1, &[report("a", 1, 1, early)]);
    assert_eq!(sum(&first.strata).candidate, Counts { calls: 5, failures: 5 });
    let second = watermarks.take(&subject(), 1, &[report("a", 1, 2, counted(8, 6, 10))]);
    assert_eq!(sum(&second.strata).candidate, Counts { calls: 3, failures: 1 });
}

#[test]
fn coverage_is_the_share_of_living_gateways_that_reported_lately() {
    let mut watermarks = Watermarks::new();
    let reports = |sequence| [report("a", 1, sequence, Trial::begin(3)), report("b", 1, 1, Trial::begin(3))];
    let mut coverage = |sequence, living| watermarks.take(&subject(), living, &reports(sequence)).coverage;
    assert_eq!(coverage(1, 2), 1.0);
    // The second says nothing new: late at first, then missing.
    assert_eq!(coverage(2, 2), 1.0);
    assert_eq!(coverage(3, 2), 0.5);
    // A third lives and never reported.
    assert_eq!(coverage(4, 3), 1.0 / 3.0);
    let behind =
        [report("a", 1, 9, Trial::begin(3)), Report { revision: 6, ..report("b", 1, 9, Trial::begin(3)) }];
    assert_eq!(acknowledged(&behind, 7), 1);
    assert_eq!(acknowledged(&behind, 6), 2);
}

#[test]
fn a_gateway_that_counts_nothing_of_this_rollout_covers_it_nevertheless() {
    let mut watermarks = Watermarks::new();
    let idle = Report { trials: std::collections::BTreeMap::new(), ..report("a", 1, 1, Trial::begin(3)) };
    let taken = watermarks.take(&subject(), 1, &[idle]);
    assert_eq!((taken.coverage, taken.strata.len()), (1.0, 0));
}

#[test]
fn open_fuses_are_counted_by_gateway() {
    let open =
        |replica: &str, sequence| report(replica, 1, sequence, Trial { tripped: true, ..Trial::begin(3) });
    let mut watermarks = Watermarks::new();
    assert_eq!(watermarks.take(&subject(), 3, &[open("a", 1), open("b", 1)]).tripped, 2);
    assert_eq!(watermarks.take(&subject(), 3, &[open("a", 1)]).tripped, 1, "a state, not a count");
}

#[test]
fn methods_that_are_hardly_called_are_compared_together_and_frontends_never() {
    let mut trial = Trial::begin(3);
    for method in 0..10 {
        for frontend in ["web@1.0.0", "ios@1.0.0"] {
            *trial.stratum(name(method, frontend)) = Arms { candidate: tallied(1, 0), stable: tallied(2, 0) };
        }
    }
    *trial.stratum(name(99, "web@1.0.0")) = Arms { candidate: tallied(5, 1), stable: tallied(95, 0) };
    let strata = Watermarks::new().take(&subject(), 1, &[report("a", 1, 1, trial)]).strata;
    let calls = |it: &Stratum| (it.failures.candidate.calls, it.failures.stable.calls);
    assert_eq!(strata.iter().map(calls).collect::<Vec<_>>(), [(5, 95), (10, 20), (10, 20)]);
}

#[test]
fn slow_calls_of_each_gateway_are_compared_by_themselves() {
    let timed = |timed, slow| Tallied { calls: timed, timed, slow, ..Tallied::default() };
    let trial = |slow| {
        let mut trial = Trial::begin(3);
        *trial.stratum(name(1, "web@1.0.0")) = Arms { candidate: timed(10, slow), stable: timed(100, slow) };
        trial
    };
    let strata = Watermarks::new()
        .take(&subject(), 2, &[report("a", 1, 1, trial(1)), report("b", 1, 1, trial(7))])
        .strata;
    let slow = |it: &Stratum| (it.slow.candidate.calls, it.slow.candidate.failures);
    assert_eq!(strata.iter().map(slow).collect::<Vec<_>>(), [(0, 0), (10, 1), (10, 7)]);
    assert_eq!(strata[0].failures.candidate.calls, 20);
}

#[test]
fn a_report_that_is_too_much_is_refused_or_put_together() {
    let mut large = report("a", 1, 1, Trial::begin(3));
    let trial = large.trials.values_mut().next().unwrap();
    for method in 0..1_000 {
        trial
            .strata
            .insert(name(method, "web@1.0.0"), Arms { candidate: tallied(2, 1), stable: tallied(3, 0) });
    }
    let read = Report::decode(&large.encode()).unwrap();
    let strata = &read.trials.values().next().unwrap().strata;
    assert_eq!(strata.len(), STRATA_MAX);
    assert_eq!(strata.values().map(|arms| arms.candidate.calls).sum::<u64>(), 2_000);
    assert_eq!(strata[&StratumName::others()].candidate.calls, 2 * (1_000 - 255));

    let mut many = report("a", 1, 1, Trial::begin(3));
    for minor in 0..=u64::try_from(TRIALS_MAX).unwrap() {
        many.trials
            .insert(Subject { to: format!("2.{minor}.1").parse().unwrap(), ..subject() }, Trial::begin(1));
    }
    assert!(matches!(Report::decode(&many.encode()), Err(Refused::Trials(66))));
    assert!(matches!(Report::decode(&vec![b' '; REPORT_BYTES_MAX + 1]), Err(Refused::Bytes(_))));
    assert!(matches!(
        Report::decode(b"{\"trials\":[]}"),
        Err(Refused::Unreadable(Unreadable::Field("replica")))
    ));
    // A gateway that lies cannot have more failures than calls.
    let lies = String::from_utf8(report("a", 1, 1, counted(10, 1, 90)).encode())
        .unwrap()
        .replace("[10,1]", "[10,99]");
    let read = Report::decode(lies.as_bytes()).unwrap();
    assert_eq!(read.trials[&subject()].strata[&name(1, "web@1.0.0")].candidate, tallied(10, 10));
}
