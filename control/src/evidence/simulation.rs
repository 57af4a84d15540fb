//! Whether the evidence keeps its promises: rollouts with known rates, thousands of times, seeded.
//!
//! Traffic is Poisson, units are independent, a tick is ten seconds and a rollout two hours. Each run says when
//! harm was shown and when safety was, if ever. The rivals look at the very same counts. `TURNOUT_RUNS` sets
//! how many runs a cell has; the default is what a test run has time for, and the limits fit any number.

use std::fmt::Write;

use expect_test::expect_file;

use super::{Counts, Harm, Safety, Slowness, Tick, Tolerance, number};

/// Two hours of ten seconds.
const TICKS: usize = 720;
const ALPHA: f64 = 0.01;
const BETA: f64 = 0.05;

/// A generator of chance: xorshift with a multiplication, enough for this and the same everywhere.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Dice {
        Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn unit(&mut self) -> f64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        number(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) / number(1 << 53)
    }

    /// Two uniform numbers make one normal (Box and Muller).
    pub(crate) fn normal(&mut self) -> f64 {
        let (radius, angle) = ((-2.0 * self.unit().max(1e-300).ln()).sqrt(), self.unit());
        radius * (std::f64::consts::TAU * angle).cos()
    }

    pub(crate) fn poisson(&mut self, mean: f64) -> u64 {
        if mean > 60.0 {
            // Near enough to normal.
            return whole(mean + mean.sqrt() * self.normal());
        }
        let (limit, mut product, mut events) = ((-mean).exp(), self.unit(), 0);
        while product > limit {
            product *= self.unit();
            events += 1;
        }
        events
    }

    /// Calls of which each fails with this rate; exact, because the parts of a Poisson stream are independent.
    pub(crate) fn counts(&mut self, mean: f64, rate: f64) -> Counts {
        let failures = self.poisson(mean * rate);
        Counts { calls: failures + self.poisson(mean * (1.0 - rate)), failures }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and never below zero")]
fn whole(value: f64) -> u64 {
    value.round().max(0.0) as u64
}

/// A rollout to be.
#[derive(Clone, Copy)]
struct Cell {
    per_second: f64,
    weight: f64,
    stable: f64,
    candidate: f64,
}

impl Cell {
    fn tick(&self, dice: &mut Dice) -> Tick {
        let calls = self.per_second * 10.0;
        Tick {
            candidate: dice.counts(calls * self.weight, self.candidate),
            stable: dice.counts(calls * (1.0 - self.weight), self.stable),
        }
    }
}

/// What became of a rollout: the tick at which harm was shown, and that at which safety was.
#[derive(Clone, Copy, Default)]
struct Outcome {
    harm: Option<usize>,
    safe: Option<usize>,
}

impl Outcome {
    /// Whether it would have gone on although it should not.
    fn advanced_first(&self) -> bool {
        self.safe.is_some_and(|safe| self.harm.is_none_or(|harm| safe < harm))
    }
}

fn run(dice: &mut Dice, tick: impl Fn(usize, &mut Dice) -> Tick) -> Outcome {
    let (mut harm, mut safety) = (Harm::new(Tolerance::FAILURES), Safety::new());
    let mut outcome = Outcome::default();
    for at in 0..TICKS {
        let tick = tick(at, dice);
        harm.take(&tick);
        safety.take(&tick);
        if outcome.safe.is_none() && safety.is_shown(BETA) {
            outcome.safe = Some(at);
        }
        if harm.is_shown(ALPHA) {
            outcome.harm = Some(at);
            break;
        }
    }
    outcome
}

pub(crate) fn runs() -> u64 {
    // Read when the tests are built, so that the crate asks the environment for nothing.
    option_env!("TURNOUT_RUNS").and_then(|text| text.parse().ok()).unwrap_or(150)
}

fn outcomes(cell: Cell, seed: u64) -> Vec<Outcome> {
    let mut dice = Dice::new(seed);
    (0..runs()).map(|_| run(&mut dice, |_, dice| cell.tick(dice))).collect()
}

fn share(outcomes: &[Outcome], wanted: impl Fn(&Outcome) -> bool) -> f64 {
    let found = outcomes.iter().filter(|outcome| wanted(outcome)).count();
    super::count(found) / super::count(outcomes.len())
}

/// The median in seconds of those that came to it, when at least half did.
fn median(outcomes: &[Outcome], of: impl Fn(&Outcome) -> Option<usize>) -> Option<f64> {
    let mut ticks: Vec<usize> = outcomes.iter().map(|outcome| of(outcome).unwrap_or(usize::MAX)).collect();
    ticks.sort_unstable();
    let middle = ticks[ticks.len() / 2];
    (middle < usize::MAX).then(|| super::count(middle + 1) * 10.0)
}

/// How many of so many runs may go wrong at this rate, with four standard deviations for chance.
pub(crate) fn at_most(rate: f64) -> f64 {
    let runs = number(runs());
    rate + 4.0 * (rate * (1.0 - rate) / runs).sqrt() + 0.5 / runs
}

#[test]
fn a_healthy_canary_is_not_rolled_back() {
    let (mut all, mut cells, mut seed) = (0.0, 0.0, 1);
    for per_second in [5.0, 50.0, 500.0] {
        for weight in [0.01, 0.05, 0.25] {
            for rate in [0.0005, 0.005, 0.05] {
                let cell = Cell { per_second, weight, stable: rate, candidate: rate };
                let wrong = share(&outcomes(cell, seed), |outcome| outcome.harm.is_some());
                assert!(wrong <= at_most(0.01), "{per_second}/s at {weight}, {rate}: {wrong}");
                (all, cells, seed) = (all + wrong, cells + 1.0, seed + 1);
            }
        }
    }
    assert!(all / cells <= 0.003, "{}", all / cells);
}

#[test]
fn at_the_edge_of_what_is_tolerated_it_is_not_rolled_back_either() {
    for (seed, (per_second, weight, rate)) in
        [(50.0, 0.05, 0.005), (50.0, 0.25, 0.005), (500.0, 0.05, 0.05), (50.0, 0.5, 0.3)]
            .into_iter()
            .enumerate()
    {
        let odds = 1.25 * rate / (1.0 - rate);
        let cell = Cell { per_second, weight, stable: rate, candidate: odds / (1.0 + odds) };
        let wrong =
            share(&outcomes(cell, 100 + u64::try_from(seed).unwrap()), |outcome| outcome.harm.is_some());
        assert!(wrong <= at_most(0.01), "{per_second}/s at {weight}, {rate}: {wrong}");
    }
}

#[test]
fn a_daily_swing_and_a_shared_outage_are_not_the_candidates() {
    let cell = Cell { per_second: 50.0, weight: 0.05, stable: 0.005, candidate: 0.005 };
    let mut dice = Dice::new(7);
    let (mut swing, mut outage) = (Vec::new(), Vec::new());
    for _ in 0..runs() {
        swing.push(run(&mut dice, |at, dice| {
            let load = 1.0 + 0.8 * (super::count(at) / super::count(TICKS) * std::f64::consts::TAU).sin();
            Cell { per_second: cell.per_second * load, ..cell }.tick(dice)
        }));
        outage.push(run(&mut dice, |at, dice| {
            let rate = if (200..230).contains(&at) { 0.4 } else { 0.005 };
            Cell { stable: rate, candidate: rate, ..cell }.tick(dice)
        }));
    }
    for (what, outcomes) in [("swing", swing), ("outage", outage)] {
        let wrong = share(&outcomes, |outcome| outcome.harm.is_some());
        assert!(wrong <= at_most(0.01), "{what}: {wrong}");
    }
}

/// Of each unit that failed, all tries within the tick, or one.
fn bursts(cell: &Cell, dice: &mut Dice, once: bool) -> Tick {
    let mut tick = cell.tick(dice);
    for arm in [&mut tick.candidate, &mut tick.stable] {
        let mut more = 0;
        for _ in 0..arm.failures {
            // Geometric: five tries on average.
            while dice.unit() < 0.8 {
                more += 1;
            }
        }
        if !once {
            arm.failures += more;
            arm.calls += more;
        }
    }
    tick
}

#[test]
fn a_unit_that_tries_again_counts_once_and_that_is_needed() {
    let cell = Cell { per_second: 50.0, weight: 0.05, stable: 0.005, candidate: 0.005 };
    let wrong = |once: bool| {
        let mut dice = Dice::new(11);
        let all: Vec<Outcome> =
            (0..runs()).map(|_| run(&mut dice, |_, dice| bursts(&cell, dice, once))).collect();
        share(&all, |outcome| outcome.harm.is_some())
    };
    assert!(wrong(true) <= at_most(0.01), "{}", wrong(true));
    assert!(wrong(false) >= 0.05, "without it the promise is broken: {}", wrong(false));
}

#[test]
fn harm_is_found_as_soon_as_the_design_says() {
    // Calls a second, weight, failures of the candidate, and the design's median in seconds. Stable: 0.5 %.
    let table = [
        (50.0, 0.05, 0.010, 2340.0),
        (50.0, 0.05, 0.015, 540.0),
        (50.0, 0.05, 0.025, 168.0),
        (50.0, 0.05, 0.100, 20.0),
        (50.0, 0.05, 0.500, 10.0),
        (50.0, 0.25, 0.010, 660.0),
        (50.0, 0.25, 0.015, 162.0),
        (50.0, 0.25, 0.025, 50.0),
        (50.0, 0.01, 0.100, 72.0),
        (50.0, 0.01, 0.500, 10.0),
        (5.0, 0.05, 0.100, 156.0),
        (5.0, 0.05, 0.500, 30.0),
        (500.0, 0.05, 0.010, 258.0),
        (500.0, 0.05, 0.015, 60.0),
        (500.0, 0.05, 0.025, 20.0),
    ];
    for (place, (per_second, weight, candidate, expected)) in table.into_iter().enumerate() {
        let cell = Cell { per_second, weight, stable: 0.005, candidate };
        let found = outcomes(cell, 200 + u64::try_from(place).unwrap());
        let median = median(&found, |outcome| outcome.harm).expect("half of them are found");
        // One tick is the smallest difference there is.
        assert!(
            median <= (expected * 1.25_f64).max(expected + 10.0),
            "{per_second}/s at {weight}, {candidate}: {median} s"
        );
    }
}

#[test]
fn a_candidate_twice_as_bad_hardly_ever_goes_on() {
    for (seed, (per_second, weight)) in [(50.0, 0.05), (50.0, 0.25), (500.0, 0.05)].into_iter().enumerate() {
        let cell = Cell { per_second, weight, stable: 0.005, candidate: 0.010 };
        let wrong = share(&outcomes(cell, 300 + u64::try_from(seed).unwrap()), Outcome::advanced_first);
        assert!(wrong <= at_most(0.05), "{per_second}/s at {weight}: {wrong}");
        let thrice = Cell { candidate: 0.015, ..cell };
        let wrong = share(&outcomes(thrice, 310 + u64::try_from(seed).unwrap()), Outcome::advanced_first);
        assert!(wrong <= at_most(0.01), "{per_second}/s at {weight}: {wrong}");
    }
}

#[test]
fn slowness_is_found_and_a_little_of_it_tolerated() {
    // Log-normal durations with a spread of 0.5: a factor moves so much of them over stable's 95th percentile.
    let (calls, alpha) = (50.0, 0.005);
    for (candidate, found) in [(0.0600, false), (0.0735, false), (0.1005, true), (0.2020, true)] {
        let mut dice = Dice::new(17);
        let cell = Cell { per_second: calls, weight: 0.05, stable: 0.05, candidate };
        let mut shown = 0.0;
        for _ in 0..runs() {
            let mut slowness = Slowness::new();
            let harm = (0..TICKS).any(|_| {
                slowness.take(&cell.tick(&mut dice));
                slowness.harm().is_shown(alpha)
            });
            shown += f64::from(u8::from(harm)) / number(runs());
        }
        if found {
            assert!(shown >= 0.95, "{candidate}: {shown}");
        } else {
            assert!(shown <= at_most(0.03), "{candidate}: {shown}");
        }
    }
}

#[test]
fn the_fuse_of_one_replica_is_quick_and_does_not_trip_by_itself() {
    let seconds = |cell: Cell, limit: usize, dice: &mut Dice| {
        let mut harm = Harm::new(Tolerance::FAILURES);
        (1..=limit).find(|_| {
            harm.take(&Cell { per_second: cell.per_second / 10.0, ..cell }.tick(dice));
            harm.is_shown(0.001)
        })
    };
    let mut dice = Dice::new(19);
    let replica = Cell { per_second: 50.0, weight: 0.25, stable: 0.005, candidate: 1.0 };
    for _ in 0..runs() {
        assert!(seconds(replica, 60, &mut dice).is_some_and(|after| after <= 3));
    }
    let healthy = Cell { candidate: 0.005, ..replica };
    let trips = (0..runs() / 5).filter(|_| seconds(healthy, 7_200, &mut dice).is_some()).count();
    assert_eq!(trips, 0);
}

/// Rules that others use, on the same counts. Each says at which tick it goes back.
mod rivals {
    use super::{Cell, Counts, Dice, TICKS, Tick, number};

    fn rate(counts: &Counts) -> f64 {
        if counts.calls == 0 { 0.0 } else { number(counts.failures) / number(counts.calls) }
    }

    /// Less than 99 % success in each of five minutes, not necessarily one after the other.
    pub(super) fn strikes(cell: &Cell, dice: &mut Dice) -> Option<usize> {
        let (mut minute, mut strikes) = (Counts::default(), 0);
        (0..TICKS).find(|at| {
            let tick = cell.tick(dice);
            minute.calls += tick.candidate.calls;
            minute.failures += tick.candidate.failures;
            if at % 6 == 5 {
                strikes += u32::from(rate(&minute) > 0.01);
                minute = Counts::default();
            }
            strikes >= 5
        })
    }

    /// Two proportions compared at each tick, at 1 %.
    pub(super) fn peeked(cell: &Cell, dice: &mut Dice) -> Option<usize> {
        let mut sum = Tick::default();
        (0..TICKS).find(|_| {
            let tick = cell.tick(dice);
            for (sum, new) in [(&mut sum.candidate, tick.candidate), (&mut sum.stable, tick.stable)] {
                sum.calls += new.calls;
                sum.failures += new.failures;
            }
            let (candidate, stable) = (number(sum.candidate.calls), number(sum.stable.calls));
            let both = number(sum.candidate.failures + sum.stable.failures) / (candidate + stable);
            let spread = (both * (1.0 - both) * (1.0 / candidate.max(1.0) + 1.0 / stable.max(1.0))).sqrt();
            spread > 0.0 && (rate(&sum.candidate) - rate(&sum.stable)) / spread > 2.326
        })
    }

    /// Sixty rates a minute of each arm, ranked once at the end of an hour, at 2 %.
    pub(super) fn ranked(cell: &Cell, dice: &mut Dice) -> Option<usize> {
        let mut rates = Vec::new();
        let mut minute = Tick::default();
        for at in 0..360 {
            let tick = cell.tick(dice);
            for (sum, new) in [(&mut minute.candidate, tick.candidate), (&mut minute.stable, tick.stable)] {
                sum.calls += new.calls;
                sum.failures += new.failures;
            }
            if at % 6 == 5 {
                rates.push((rate(&minute.candidate), true));
                rates.push((rate(&minute.stable), false));
                minute = Tick::default();
            }
        }
        rates.sort_by(|one, other| one.0.total_cmp(&other.0));
        let (mut sum, mut place) = (0.0, 0);
        while place < rates.len() {
            let end = rates.iter().rposition(|(rate, _)| *rate == rates[place].0).unwrap_or(place);
            let middle = (super::super::count(place) + super::super::count(end)) / 2.0 + 1.0;
            let of_candidate = rates[place..=end].iter().filter(|(_, candidate)| *candidate).count();
            sum += middle * super::super::count(of_candidate);
            place = end + 1;
        }
        let (ours, all) = (60.0_f64, 120.0_f64);
        let mean = ours * (all + 1.0) / 2.0;
        let spread = (ours * ours * (all + 1.0) / 12.0).sqrt();
        ((sum - mean) / spread > 2.054).then_some(360)
    }
}

#[test]
fn the_table_of_rivals_is_up_to_date() {
    let mut text = String::from(
        "| 50 calls a second, 5 % on the candidate, two hours | healthy, rolled back | 2× found | 3× found | half broken, found after |\n|---|--:|--:|--:|--:|\n",
    );
    type Rule = fn(&Cell, &mut Dice) -> Option<usize>;
    let ours: Rule = |cell, dice| run(dice, |_, dice| cell.tick(dice)).harm;
    let rules: [(&str, Rule); 4] = [
        ("Turnout's evidence", ours),
        ("below 99 % in five minutes", rivals::strikes),
        ("z-test at each look", rivals::peeked),
        ("Mann-Whitney after an hour", rivals::ranked),
    ];
    for (name, rule) in rules {
        let of = |candidate: f64| -> Vec<Outcome> {
            let cell = Cell { per_second: 50.0, weight: 0.05, stable: 0.005, candidate };
            let mut dice = Dice::new(23);
            (0..200).map(|_| Outcome { harm: rule(&cell, &mut dice), safe: None }).collect()
        };
        let percent = |candidate: f64| 100.0 * share(&of(candidate), |outcome| outcome.harm.is_some());
        let broken =
            median(&of(0.5), |outcome| outcome.harm).map_or("never".to_owned(), |after| format!("{after} s"));
        let row = (percent(0.005), percent(0.010), percent(0.015));
        writeln!(text, "| {name} | {:.1} % | {:.1} % | {:.1} % | {broken} |", row.0, row.1, row.2).unwrap();
    }
    expect_file!["rivals.md"].assert_eq(&text);
}
