//! Whole rollouts, with gateways that count and report and a leader that judges, by the numbers of the design's
//! acceptance scenarios. Seeded; `TURNOUT_RUNS` sets how many runs a number stands for.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::*;
use super::facts;
use super::merge::{name, report, tallied};
use super::record::rollout;
use crate::evidence::simulation::{Dice, at_most, runs};
use crate::evidence::{Counts, count};
use crate::id::Timestamp;
use crate::policy;
use crate::slot::{Unit, UnitKind, Weight};

const TICK: Duration = Duration::from_secs(10);
const TICKS_A_MINUTE: usize = 6;

/// Durations are log-normal around a second, with this spread.
const SPREAD: f64 = 0.5;

/// How calls go.
#[derive(Clone, Copy)]
struct Traffic {
    per_second: f64,
    /// The shares that fail.
    candidate: f64,
    stable: f64,
    /// How many times as long the candidate takes.
    slower: f64,
    /// Whether a caller for whom a call fails tries again, each second, four times on average.
    retries: Retries,
}

#[derive(Clone, Copy, PartialEq)]
enum Retries {
    None,
    Bursts,
}

const HEALTHY: Traffic =
    Traffic { per_second: 50.0, candidate: 0.005, stable: 0.005, slower: 1.0, retries: Retries::None };

const GATEWAYS: usize = 2;
/// Methods that are called, unless a test says otherwise.
const METHODS: usize = 3;

/// A gateway: what it counts, and of each method the bound above which calls are slow.
struct Gateway {
    trial: Trial,
    bounds: Vec<Bound>,
    repeats: Repeats,
}

/// A rollout and all around it.
struct World {
    dice: Dice,
    gateways: Vec<Gateway>,
    /// Failures by tries again that are still to come, by tick.
    bursts: BTreeMap<u64, Vec<(usize, usize, Side)>>,
    sequence: u64,
    callers: u64,
    /// How often another try comes to another gateway.
    astray: f64,
    rollout: Rollout,
    stored: Stored,
    weight: f64,
    told: Vec<Notice>,
    facts: Facts,
}

#[derive(Clone, Copy, PartialEq)]
enum Side {
    Candidate,
    Stable,
}

impl World {
    fn new(seed: u64, plan: Plan) -> World {
        World::with_methods(METHODS, seed, plan)
    }

    fn with_methods(methods: usize, seed: u64, plan: Plan) -> World {
        let rollout = Rollout { plan, ..rollout(State::Pending(Pending::Instances)) };
        let gateway = |_| Gateway {
            trial: Trial::begin(1),
            bounds: vec![Bound::new(); methods],
            repeats: Repeats::new(),
        };
        World {
            dice: Dice::new(seed),
            gateways: (0..GATEWAYS).map(gateway).collect(),
            bursts: BTreeMap::new(),
            sequence: 0,
            callers: 0,
            astray: 0.1,
            stored: Stored::new(&rollout, Timestamp(0)),
            rollout,
            weight: 0.0,
            told: Vec::new(),
            facts: Facts { replicas: 2, acknowledged: 2, ..facts() },
        }
    }

    /// Ten seconds of traffic, and the leader's tick.
    fn tick(&mut self, traffic: Traffic) {
        self.sequence += 1;
        let methods = self.gateways[0].bounds.len();
        let calls = traffic.per_second * 10.0 / count(GATEWAYS * methods);
        for gateway in 0..GATEWAYS {
            for method in 0..methods {
                for (side, share, rate, slower) in [
                    (Side::Candidate, self.weight, traffic.candidate, traffic.slower),
                    (Side::Stable, 1.0 - self.weight, traffic.stable, 1.0),
                ] {
                    let counts = self.dice.counts(calls * share, rate);
                    self.gateways[gateway].count(&mut self.dice, (method, side), counts, slower);
                    if traffic.retries == Retries::Bursts {
                        (0..counts.failures).for_each(|_| self.burst((gateway, method, side)));
                    }
                }
            }
        }
        for (gateway, method, side) in self.bursts.remove(&self.sequence).unwrap_or_default() {
            let arm = self.gateways[gateway].arm(method, side);
            (arm.calls, arm.failures) = (arm.calls + 1, arm.failures + 1);
        }
        let (sequence, now) = (self.sequence, Timestamp(self.sequence * 10_000));
        let gateways = self.gateways.iter().zip(0..);
        let reports: Vec<Report> = gateways
            .map(|(it, at)| report(&format!("gateway-{at}"), 1, sequence, it.trial.clone()))
            .collect();
        self.judge(&reports, now);
    }

    fn judge(&mut self, reports: &[Report], now: Timestamp) {
        let taken = self.stored.take(2, reports, TICK, now);
        let facts = Facts { coverage: taken.coverage, tripped: taken.tripped, ..self.facts.clone() };
        let (next, actions) = self.rollout.clone().tick(&self.stored.analysis, &facts, now);
        self.rollout = next;
        for action in actions {
            match action {
                Action::Weigh(weight) => self.weight = f64::from(weight.as_ppm()) / 1e6,
                Action::Promote => self.weight = 1.0,
                Action::RollBack | Action::Withdraw => self.weight = 0.0,
                Action::Tell(notice) => self.told.push(notice),
            }
        }
    }

    /// Each gateway counts a caller's failures of a method once a minute: what is left of a burst is one more for
    /// each other gateway that it comes to, in this tick or in the next ones.
    fn burst(&mut self, (gateway, method, side): (usize, usize, Side)) {
        let caller = Unit::new(UnitKind::User, &self.callers.to_string()).unwrap();
        self.callers += 1;
        let mut at = Duration::from_secs_f64(self.dice.unit() * 10.0);
        let begun = TICK * u32::try_from(self.sequence).unwrap();
        assert!(self.gateways[gateway].repeats.counts(&caller, &method.to_string(), begun + at));
        let mut gateway = gateway;
        while self.dice.unit() < 0.8 {
            at += Duration::from_secs(1);
            if self.dice.unit() < self.astray {
                gateway = (gateway + 1) % GATEWAYS;
            }
            if self.gateways[gateway].repeats.counts(&caller, &method.to_string(), begun + at) {
                let later = at.as_secs() / TICK.as_secs();
                self.bursts.entry(self.sequence + later).or_default().push((gateway, method, side));
            }
        }
    }

    /// Ticks until it ends, and how many of them.
    fn until_end(&mut self, ticks: usize, traffic: impl Fn(usize) -> Traffic) -> Option<usize> {
        (1..=ticks).find(|at| {
            self.tick(traffic(*at));
            self.rollout.state.has_ended()
        })
    }

    fn went_back(&self) -> bool {
        matches!(self.rollout.state, State::RolledBack(_))
    }

    fn held(&self, hold: &Hold) -> bool {
        self.told.contains(&Notice::Held(hold.clone()))
    }
}

impl Gateway {
    fn arm(&mut self, method: usize, side: Side) -> &mut Tallied {
        let arms = self.trial.stratum(name(method, "web@1.0.0"));
        match side {
            Side::Candidate => &mut arms.candidate,
            Side::Stable => &mut arms.stable,
        }
    }

    /// Counts calls, and compares their durations with the bound of their method once it is there.
    fn count(&mut self, dice: &mut Dice, (method, side): (usize, Side), counts: Counts, slower: f64) {
        let arm = self.arm(method, side);
        (arm.calls, arm.failures) = (arm.calls + counts.calls, arm.failures + counts.failures);
        if let Bound::Frozen(bound) = self.bounds[method] {
            // All at once: how many of them are above.
            let slow =
                dice.counts(count_of(counts.calls), above((bound.as_secs_f64() / slower).ln() / SPREAD));
            let arm = self.arm(method, side);
            (arm.timed, arm.slow) = (arm.timed + slow.calls, arm.slow + slow.failures);
        } else if side == Side::Stable {
            for _ in 0..counts.calls {
                let took = Duration::from_secs_f64((dice.normal() * SPREAD).exp());
                self.bounds[method].take(policy::Arm::Stable, took);
            }
        }
    }
}

fn count_of(calls: u64) -> f64 {
    count(usize::try_from(calls).unwrap())
}

/// The share of a normal distribution above so many standard deviations (Zelen and Severo's polynomial).
fn above(deviations: f64) -> f64 {
    let t = 1.0 / (1.0 + 0.231_641_9 * deviations.abs());
    let powers = [0.319_381_530, -0.356_563_782, 1.781_477_937, -1.821_255_978, 1.330_274_429];
    let sum = powers.iter().rev().fold(0.0, |sum, power| (sum + power) * t);
    let tail = sum * (-deviations * deviations / 2.0).exp() / std::f64::consts::TAU.sqrt();
    if deviations < 0.0 { 1.0 - tail } else { tail }
}

fn usual() -> Plan {
    Plan::usual(50.0, Approval::Evidence)
}

/// The usual plan from its step of 5 % on.
fn from_five_percent() -> Plan {
    let mut plan = usual();
    plan.steps.remove(0);
    assert_eq!(plan.steps[0].weight, Weight::ppm(50_000).unwrap());
    plan
}

fn share(worlds: &[World], wanted: impl Fn(&World) -> bool) -> f64 {
    count(worlds.iter().filter(|world| wanted(world)).count()) / count(worlds.len())
}

const SIX_HOURS: usize = 360 * TICKS_A_MINUTE;

#[test]
fn scenario_06_a_candidate_that_fails_goes_back_in_time() {
    for (candidate, minutes) in [(0.015, 15.0), (0.5, 0.5)] {
        let mut ticks: Vec<usize> = (0..20)
            .map(|seed| {
                let mut world = World::new(600 + seed, from_five_percent());
                // The first tick begins it.
                let ended = world.until_end(SIX_HOURS, |_| Traffic { candidate, ..HEALTHY });
                assert!(world.went_back(), "{:?}", world.rollout.state);
                ended.unwrap() - 1
            })
            .collect();
        ticks.sort_unstable();
        assert!(count(ticks[10]) * 10.0 <= minutes * 60.0, "{candidate}: {ticks:?}");
    }
}

#[test]
fn scenario_06_a_gateway_alone_finds_a_broken_candidate_in_seconds() {
    let second = |dice: &mut Dice, trial: &mut Trial, candidate: f64| {
        for method in 0..5 {
            let arms = trial.stratum(name(method, "web@1.0.0"));
            let (new, old) = (dice.counts(2.5, candidate), dice.counts(7.5, 0.005));
            let of = |counts: Counts| tallied(counts.calls, counts.failures);
            *arms = arms.plus(&Arms { candidate: of(new), stable: of(old) });
        }
    };
    let mut dice = Dice::new(606);
    for (candidate, limit) in [(1.0, 3), (0.3, 8)] {
        let mut seconds: Vec<usize> = (0..runs())
            .map(|_| {
                let (mut fuse, mut trial) = (Fuse::new(), Trial::begin(1));
                let trips = |_: &usize| {
                    second(&mut dice, &mut trial, candidate);
                    fuse.take(&trial)
                };
                (1..=60).find(trips).unwrap_or(usize::MAX)
            })
            .collect();
        seconds.sort_unstable();
        assert!(seconds[seconds.len() / 2] <= limit && seconds[seconds.len() - 1] < 30, "{seconds:?}");
    }
    let trips = (0..runs() / 10).filter(|_| {
        let (mut fuse, mut trial) = (Fuse::new(), Trial::begin(1));
        (0..3_600).for_each(|_| {
            second(&mut dice, &mut trial, 0.005);
            fuse.take(&trial);
        });
        fuse.is_open()
    });
    assert_eq!(trips.count(), 0);
}

#[test]
fn scenario_07_healthy_rollouts_with_retry_bursts_are_promoted() {
    let worlds: Vec<World> = (0..runs().max(200))
        .map(|seed| {
            let mut world = World::new(7_000 + seed, usual());
            world.until_end(SIX_HOURS, |_| Traffic { retries: Retries::Bursts, ..HEALTHY });
            world
        })
        .collect();
    let back = share(&worlds, World::went_back);
    assert!(back <= 0.02, "{back}");
    let promoted = share(&worlds, |world| world.rollout.state == State::Promoted);
    assert!(promoted >= 0.9, "{promoted}");
}

#[test]
fn scenario_08_a_shared_outage_holds_and_goes_on_after_it() {
    // Everything or most of it fails for five minutes, early, late and at the last step.
    for (place, (rate, minute)) in [(0.4, 3), (1.0, 15), (0.9, 32)].into_iter().enumerate() {
        let worlds: Vec<World> = (0..runs() / 10 + 10)
            .map(|seed| {
                let mut world = World::new(8_000 + 100 * u64::try_from(place).unwrap() + seed, usual());
                let outage = minute * TICKS_A_MINUTE..(minute + 5) * TICKS_A_MINUTE;
                world.until_end(SIX_HOURS, |at| {
                    let rate = if outage.contains(&at) { rate } else { 0.005 };
                    Traffic { candidate: rate, stable: rate, ..HEALTHY }
                });
                world
            })
            .collect();
        let back = share(&worlds, World::went_back);
        assert!(back <= at_most(0.01), "{rate} at {minute}: {back}");
        assert!(share(&worlds, |world| world.held(&Hold::Outage)) >= 0.95, "{rate} at {minute}");
        assert!(share(&worlds, |world| world.rollout.state == State::Promoted) >= 0.85, "{rate} at {minute}");
    }
}

#[test]
fn scenario_09_a_broken_stable_version_is_told_and_a_promotion_helps() {
    let mut world = World::new(9, usual());
    let broken = |at| if at > 20 { Traffic { stable: 0.3, ..HEALTHY } } else { HEALTHY };
    assert_eq!(world.until_end(40, broken), None);
    assert_eq!(world.told.iter().filter(|notice| **notice == Notice::StableDegraded).count(), 1);
    assert!(world.rollout.needs_operator().unwrap().contains("promote"));
    world.rollout = world.rollout.ordered(Order::Promote("stable is down".into())).unwrap();
    world.tick(Traffic { stable: 0.3, ..HEALTHY });
    assert_eq!(world.rollout.state, State::Promoted);
}

#[test]
fn scenario_10_a_fifth_slower_goes_back_and_a_twentieth_is_promoted() {
    let worlds = |slower: f64| -> Vec<World> {
        (0..runs() / 10 + 10)
            .map(|seed| {
                let mut world = World::new(10_000 + seed, usual());
                world.until_end(SIX_HOURS, |_| Traffic { slower, ..HEALTHY });
                world
            })
            .collect()
    };
    let slow = worlds(1.2);
    let by_slowness =
        |world: &World| matches!(world.rollout.state, State::RolledBack(Regression::Slowness(_)));
    assert!(share(&slow, by_slowness) >= 0.95, "{}", share(&slow, by_slowness));
    let fair = worlds(1.05);
    assert!(share(&fair, World::went_back) <= at_most(0.02), "{}", share(&fair, World::went_back));
    assert!(share(&fair, |world| world.rollout.state == State::Promoted) >= 0.9);
}

#[test]
fn scenario_11_without_calls_nothing_is_promoted() {
    let mut world = World::new(11, usual());
    assert_eq!(world.until_end(3 * 60 * TICKS_A_MINUTE, |_| Traffic { per_second: 0.0, ..HEALTHY }), None);
    assert!(matches!(world.rollout.state, State::Inconclusive(_)), "{:?}", world.rollout.state);
    assert_eq!(world.rollout.clone().ordered(Order::Advance(String::new())), Err(Unfit::Reason("advance")));
    world.rollout = world.rollout.ordered(Order::Advance("known from staging".into())).unwrap();
    world.tick(Traffic { per_second: 0.0, ..HEALTHY });
    assert!(
        matches!(world.rollout.state, State::Shifting(Dwelling { step: 1, .. })),
        "{:?}",
        world.rollout.state
    );
}

#[test]
fn scenario_12_harm_at_an_open_gate_goes_back() {
    let mut world = World::new(12, Plan::usual(50.0, Approval::Operator));
    assert_eq!(world.until_end(60 * TICKS_A_MINUTE, |_| HEALTHY), None);
    assert!(world.told.contains(&Notice::Waits(0)), "{:?}", world.told);
    let back = world.until_end(30 * TICKS_A_MINUTE, |_| Traffic { candidate: 0.3, ..HEALTHY });
    assert!(world.went_back() && back.unwrap() <= 30, "{back:?}: {:?}", world.rollout.state);
}

#[test]
fn harm_in_a_service_of_many_methods_is_found_as_in_one_of_few() {
    // Forty methods in two gateways at ten calls a second: a call or two of each in a tick. The limits are those of
    // the design for one method of as many calls, with a quarter more.
    for (per_second, candidate, limit_s) in [(5.0, 0.1, 195.0), (5.0, 0.5, 40.0), (50.0, 0.015, 675.0)] {
        let mut ticks: Vec<usize> = (0..21)
            .map(|seed| {
                let mut world = World::with_methods(40, 500 + seed, from_five_percent());
                let traffic = Traffic { per_second, candidate, ..HEALTHY };
                world.until_end(SIX_HOURS, |_| traffic).map_or(usize::MAX, |ticks| ticks - 1)
            })
            .collect();
        ticks.sort_unstable();
        assert!(count(ticks[10]) * 10.0 <= limit_s, "{per_second}/s, {candidate}: {ticks:?}");
    }
}

#[test]
fn a_healthy_service_of_many_methods_is_not_sent_back() {
    let worlds: Vec<World> = (0..runs() / 10)
        .map(|seed| {
            let mut world = World::with_methods(40, 900 + seed, from_five_percent());
            world.until_end(120 * TICKS_A_MINUTE, |_| Traffic { per_second: 20.0, ..HEALTHY });
            world
        })
        .collect();
    assert!(share(&worlds, World::went_back) <= at_most(0.01), "{}", share(&worlds, World::went_back));
}

#[test]
fn a_candidate_twice_as_bad_is_hardly_ever_promoted_and_one_thrice_as_bad_never() {
    for (candidate, rate) in [(0.010, 0.05), (0.015, 0.0)] {
        let worlds: Vec<World> = (0..runs() / 3)
            .map(|seed| {
                let mut world = World::new(2_000 + seed, from_five_percent());
                world.until_end(SIX_HOURS, |_| Traffic { candidate, ..HEALTHY });
                world
            })
            .collect();
        let promoted = share(&worlds, |world| world.rollout.state == State::Promoted);
        assert!(promoted <= at_most(rate), "{candidate}: {promoted}");
        assert!(share(&worlds, World::went_back) >= 0.9, "{candidate}");
    }
}
