//! What `rollout get` says, as text.

use std::fmt::Write;
use std::time::Duration;

use expect_test::expect;

use super::super::*;
use super::record::rollout;
use crate::evidence::{Counts, Tick};

fn after(ticks: usize, candidate: (u64, u64), stable: (u64, u64)) -> Analysis {
    let counts = |(calls, failures)| Counts { calls, failures };
    let failures = Tick { candidate: counts(candidate), stable: counts(stable) };
    let mut analysis = Analysis::new();
    (0..ticks).for_each(|_| analysis.take(&[Stratum { failures, ..Stratum::default() }]));
    analysis
}

#[test]
fn one_sentence_says_what_is_missing() {
    let at = |step, minutes: u64| Dwelling { dwelt: Duration::from_secs(minutes * 60), ..Dwelling::at(step) };
    let (none, some, proven) = (Analysis::new(), after(20, (25, 0), (475, 2)), after(200, (25, 0), (475, 2)));
    let bad = after(6, (25, 1), (475, 2));
    let mut text = String::new();
    for (state, analysis, rate) in [
        (State::Pending(Pending::Operator), &none, 0.0),
        (State::Pending(Pending::Instances), &none, 0.0),
        (State::Pending(Pending::Others), &none, 0.0),
        (State::Shifting(at(0, 0)), &none, 0.0),
        (State::Shifting(at(0, 3)), &some, 2.5),
        (State::Shifting(at(1, 3)), &some, 0.05),
        (State::Shifting(at(2, 8)), &proven, 25.0),
        (State::Shifting(at(2, 12)), &proven, 25.0),
        (State::Shifting(at(2, 12)), &bad, 2.5),
        (State::Holding(at(1, 3), Hold::Coverage(0.5)), &some, 2.5),
        (State::Holding(at(1, 3), Hold::Operator("lunch".into())), &some, 2.5),
        (State::Inconclusive(at(0, 120)), &none, 0.0),
        (State::Promoted, &proven, 0.0),
        (State::RolledBack(Regression::Failures(9.0)), &proven, 0.0),
        (State::Superseded("2.5.0".parse().unwrap()), &none, 0.0),
    ] {
        writeln!(text, "{}", rollout(state).why(analysis, rate)).unwrap();
    }
    expect![[r#"
        2.4.0 waits for an operator to start it
        2.4.0 waits for an instance that serves and is warm, beside one of 2.3.0
        2.4.0 waits for other rollouts that its users are in
        step 1 of 4, 1 %: safety 1.0/20, and there are no calls at present, not all gateways route by it yet; harm 1.0/100, slowness 1.0/200, 0 of 500 excess failures
        step 1 of 4, 1 %: safety 5.7/20, about 4 min more at 2.5 calls/s, it stays 7 min more; harm 0.0/100, slowness 1.0/200, 0 of 500 excess failures
        step 2 of 4, 5 %: safety 5.7/20, about 3.0 h more at 0.050 calls/s, it stays 7 min more; harm 0.0/100, slowness 1.0/200, 0 of 500 excess failures
        step 3 of 4, 20 %: it stays 2 min more; harm 0.0/100, slowness 1.0/200, 0 of 500 excess failures
        step 3 of 4, 20 %: all is proven, and it needs warm instances of the candidate to go on; harm 0.0/100, slowness 1.0/200, 0 of 500 excess failures
        step 3 of 4, 20 %: safety 0.0/20, and at this rate of failures it will not be proven; harm 113/100, slowness 1.0/200, 1 of 500 excess failures
        step 2 of 4, 5 %, held: only 50 % of the gateways' counts arrived; it goes back if harm shows; harm 0.0/100, slowness 1.0/200, 0 of 500 excess failures
        step 2 of 4, 5 %, held: an operator holds it: lunch; safety 5.7/20, about 4 min more at 2.5 calls/s; harm 0.0/100, slowness 1.0/200, 0 of 500 excess failures
        step 1 of 4, 1 %, and its time is over: safety 1.0/20, and there are no calls at present; an operator decides; harm 1.0/100, slowness 1.0/200, 0 of 500 excess failures
        2.4.0 is stable
        went back to 2.3.0: it fails more, with evidence of 8103 to 1
        2.5.0 took its place
    "#]].assert_eq(&text);
}

#[test]
fn what_needs_a_person_is_said() {
    let asked = Dwelling { consent: Consent::Asked, ..Dwelling::at(1) };
    let migrating = Rollout {
        migrates: true,
        plan: Plan::usual(50.0, Approval::Operator),
        ..rollout(State::Shifting(Dwelling { dwelt: Duration::from_secs(900), ..asked }))
    };
    let proven = after(200, (25, 0), (475, 2));
    let back = Rollout {
        orders: vec![Order::Start],
        state: State::RolledBack(Regression::Operator("no".into())),
        ..migrating.clone()
    };
    let text = format!(
        "{}\n{:?}\n{}\n",
        migrating.why(&proven, 2.0),
        migrating.needs_operator(),
        back.why(&proven, 2.0)
    );
    expect![[r#"
        step 2 of 4, 5 %: an operator has to approve; harm 0.0/100, slowness 1.0/200, 0 of 500 excess failures
        Some("approve leaving the step")
        went back to 2.3.0: an operator wanted it: no; it may have written data that this version cannot read; an operator wants another try, which begins when it runs, fits and is the newest
    "#]].assert_eq(&text);
}

#[test]
fn the_time_to_proof_is_about_what_it_takes() {
    let mut analysis = after(20, (25, 0), (475, 2));
    let missing = analysis.safety().calls_missing(0.05, analysis.sum().candidate).unwrap();
    let tick =
        Tick { candidate: Counts { calls: 25, failures: 0 }, stable: Counts { calls: 475, failures: 2 } };
    let mut calls = 0.0;
    while !analysis.safety_shown(0.05) {
        analysis.take(&[Stratum { failures: tick, ..Stratum::default() }]);
        calls += 25.0;
    }
    assert!((0.6..1.7).contains(&(missing / calls)), "{missing} for {calls}");
}
