//! How long does it take to decide which version a caller gets?
//!
//! `cargo run --release -p turnout-control --example decide` prints the time of one decision, with a rollout in
//! progress. The design allows 300 ns. It is an example and no test, because a test's build is not optimised.

#![expect(clippy::print_stdout, reason = "it prints its result")]
#![expect(clippy::disallowed_methods, reason = "it measures time")]
#![expect(clippy::unwrap_used, reason = "everything in it is fixed")]

use std::collections::BTreeSet;
use std::hint::black_box;
use std::time::Instant;

use turnout_control::policy::{Arm, Candidate, Health, Policy};
use turnout_control::slot::{Unit, UnitKind, Weight};

const DECISIONS: u32 = 1_000_000;
const ROUNDS: usize = 7;

fn main() {
    let unit = |number: u32| Unit::new(UnitKind::User, &format!("{number:08x}-4c1b-7d55")).unwrap();
    let units: Vec<Unit> = (0..10_000).map(unit).collect();
    let candidate = Candidate {
        version: "2.4.0".parse().unwrap(),
        weight: Weight::ppm(200_000).unwrap(),
        cap: Weight::ALL,
        salt: "catalog/2/2.4.0".to_owned(),
        killed: false,
        allow: (20_000..20_010).map(unit).collect(),
        deny: BTreeSet::new(),
    };
    let policy = Policy::new("2.3.0".parse().unwrap(), Some(candidate), None, &|_| false).unwrap();
    let mut rounds: Vec<u128> = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            let tried = units.iter().cycle().zip(0..DECISIONS).filter(|(unit, _)| {
                black_box(&policy).choose(Some(black_box(unit)), &|_| Health::Serves).arm == Arm::Candidate
            });
            black_box(tried.count());
            began.elapsed().as_nanos() / u128::from(DECISIONS)
        })
        .collect();
    rounds.sort_unstable();
    println!("{} ns a decision, the median of {ROUNDS} rounds of {DECISIONS}", rounds[ROUNDS / 2]);
}
