//! What all gateways counted since the last tick.
//!
//! For each process of each gateway the leader remembers the counts that it has taken up: the watermark. What a
//! report has beyond that is new, in whatever order and how often reports come. An older report than the one
//! seen last is passed over. A count that went back is a fault of its gateway: it is told, and changes nothing.
//! Watermarks are stored with the evidence, so that the next leader goes on where this one was.
//!
//! Failures are put together over all gateways. Slow calls are not, because each gateway has a bound of its own
//! for them. Methods of a frontend version that are hardly called in a tick are compared together: with a call
//! or two beside it, a failure says next to nothing. Their arms have the same shares, so that this mixes nothing
//! that should be apart; frontends, whose shares differ by their caps, stay apart. The room that watermarks take is bounded: when it is short, strata are put together.

use std::collections::{BTreeMap, BTreeSet};

use super::tally::STRATA_MAX;
use super::{Arms, Report, Shift, Stratum, StratumName, Subject, Tallied, Trial};
use crate::evidence::{Counts, Tick};

/// The room that watermarks take in a record, which has to hold the evidence too.
const ROOM_BYTES_MAX: usize = crate::records::VALUE_BYTES_MAX - (64 << 10);
/// With fewer calls of the stable version a method is not compared by itself. Which methods are is decided by
/// calls and never by failures, so that chance stays chance.
const ALONE_CALLS_MIN: u64 = 20;
/// After so many ticks without a word a process is forgotten when room is short.
const QUIET_MAX: u32 = 360;
/// A report may be late by so many ticks and still covers its gateway.
const LATE_MAX: u32 = 1;

/// What was taken up already.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watermarks {
    /// Strata that have counts of their own. Once one of them had to give way, no other joins.
    pub(super) own: BTreeSet<StratumName>,
    pub(super) full: bool,
    pub(super) marks: BTreeMap<(String, u64), Mark>,
}

/// Of one process of a gateway.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mark {
    pub(super) sequence: u64,
    /// Since when its trial counts.
    pub(super) since: u64,
    /// Ticks since its last report.
    pub(super) quiet: u32,
    pub(super) mismatches: u64,
    pub(super) no_unit: u64,
    pub(super) strata: BTreeMap<StratumName, Arms>,
}

/// What is new.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Taken {
    /// The counts, for `Analysis::take`.
    pub strata: Vec<Stratum>,
    /// Calls that went to another version than was decided.
    pub mismatches: u64,
    /// Calls of nobody who could be told apart.
    pub no_unit: u64,
    /// Gateways whose fuse is open.
    pub tripped: u32,
    /// The share of living gateways that reported lately.
    pub coverage: f64,
    /// Gateways whose counts went back.
    pub backwards: Vec<String>,
}

impl Watermarks {
    /// Nothing was taken up yet.
    pub fn new() -> Watermarks {
        Watermarks::default()
    }

    /// Takes up what is new in these reports. `living` is how many gateways there are, with a report or without.
    pub fn take(&mut self, subject: &Subject, living: u32, reports: &[Report]) -> Taken {
        let mut newest: Vec<&Report> = reports.iter().collect();
        newest
            .sort_by_key(|report| (&report.replica, report.incarnation, std::cmp::Reverse(report.sequence)));
        newest.dedup_by_key(|report| (&report.replica, report.incarnation));
        for mark in self.marks.values_mut() {
            mark.quiet = mark.quiet.saturating_add(1);
        }
        let mut new = New::default();
        for report in &newest {
            self.take_report(subject, report, &mut new);
        }
        self.make_room();
        let lately = |report: &&&Report| {
            let mark = self.marks.get(&(report.replica.clone(), report.incarnation));
            mark.is_some_and(|mark| mark.quiet <= LATE_MAX)
        };
        let heard: BTreeSet<&str> =
            newest.iter().filter(lately).map(|report| report.replica.as_str()).collect();
        let trips = |report: &&&Report| report.trials.get(subject).is_some_and(|trial| trial.tripped);
        let tripped: BTreeSet<&str> =
            newest.iter().filter(trips).map(|report| report.replica.as_str()).collect();
        Taken {
            strata: new.strata(),
            mismatches: new.mismatches,
            no_unit: new.no_unit,
            tripped: small(tripped.len()),
            coverage: (f64::from(small(heard.len())) / f64::from(living.max(1))).min(1.0),
            backwards: new.backwards.into_iter().collect(),
        }
    }

    fn take_report(&mut self, subject: &Subject, report: &Report, new: &mut New) {
        let key = (report.replica.clone(), report.incarnation);
        let known = self.marks.contains_key(&key);
        let mark = self.marks.entry(key).or_default();
        if known && report.sequence <= mark.sequence {
            return;
        }
        (mark.sequence, mark.quiet) = (report.sequence, 0);
        let Some(trial) = report.trials.get(subject).filter(|trial| trial.since >= mark.since) else {
            return;
        };
        if trial.since > mark.since {
            // It began to count anew.
            *mark = Mark { sequence: report.sequence, since: trial.since, ..Mark::default() };
        }
        let strata = gather(trial, &mut self.own, self.full);
        let went_back = mark.take(trial, strata, new);
        if went_back {
            new.backwards.insert(report.replica.clone());
        }
    }

    /// Keeps the watermarks as small as they have to be.
    fn make_room(&mut self) {
        if self.bytes() > ROOM_BYTES_MAX {
            self.marks.retain(|_, mark| mark.quiet <= QUIET_MAX);
        }
        while self.bytes() > ROOM_BYTES_MAX {
            // A few at a time, because all is measured again after.
            let give_way: Vec<StratumName> = self.own.iter().rev().take(8).cloned().collect();
            if give_way.is_empty() {
                return;
            }
            self.full = true;
            for name in give_way {
                self.own.remove(&name);
                for mark in self.marks.values_mut() {
                    let Some(arms) = mark.strata.remove(&name) else { continue };
                    let others = mark.strata.entry(StratumName::others()).or_default();
                    *others = others.plus(&arms);
                }
            }
        }
    }

    /// The most bytes that they take in a record.
    fn bytes(&self) -> usize {
        let names = self.own.iter().map(|name| room(&name.method) + room(&name.frontend));
        let marks = self.marks.iter().map(|((replica, _), mark)| {
            // Numbers of a process, and the place of each stratum, with what is between them.
            let cells = mark.strata.values().map(|arms| 16 + arms.candidate.room() + arms.stable.room());
            room(replica) + 128 + cells.sum::<usize>()
        });
        names.sum::<usize>() + marks.sum::<usize>()
    }
}

/// The most bytes that a text takes in JSON.
fn room(text: &str) -> usize {
    let letter = |letter: char| match letter {
        '"' | '\\' => 2,
        letter if letter.is_ascii_control() => 6,
        letter => letter.len_utf8(),
    };
    8 + text.chars().map(letter).sum::<usize>()
}

/// The counts of a trial by the strata that have some of their own.
fn gather(trial: &Trial, own: &mut BTreeSet<StratumName>, full: bool) -> BTreeMap<StratumName, Arms> {
    let mut strata: BTreeMap<StratumName, Arms> = BTreeMap::new();
    for (name, arms) in &trial.strata {
        let joins = !full && own.len() + 1 < STRATA_MAX && *name != StratumName::others();
        if joins {
            own.insert(name.clone());
        }
        let name = if own.contains(name) { name.clone() } else { StratumName::others() };
        let sum = strata.entry(name).or_default();
        *sum = sum.plus(arms);
    }
    strata
}

impl Mark {
    /// Takes up what is new; whether something went back.
    pub(super) fn take(&mut self, trial: &Trial, strata: BTreeMap<StratumName, Arms>, new: &mut New) -> bool {
        let mut went_back = trial.mismatches < self.mismatches || trial.no_unit < self.no_unit;
        new.mismatches = new.mismatches.saturating_add(trial.mismatches.saturating_sub(self.mismatches));
        new.no_unit = new.no_unit.saturating_add(trial.no_unit.saturating_sub(self.no_unit));
        self.mismatches = self.mismatches.max(trial.mismatches);
        self.no_unit = self.no_unit.max(trial.no_unit);
        let mut timed = BTreeMap::new();
        for (name, arms) in strata {
            let before = self.strata.entry(name.clone()).or_default();
            if !before.candidate.is_within(&arms.candidate) || !before.stable.is_within(&arms.stable) {
                went_back = true;
                continue;
            }
            let more = Arms {
                candidate: beyond(&arms.candidate, &before.candidate),
                stable: beyond(&arms.stable, &before.stable),
            };
            *before = before.plus(&more);
            new.add(name, &more, &mut timed);
        }
        new.timed.push(timed);
        went_back
    }
}

/// What is in a count beyond what was taken up. A gateway's counters are read one after the other, so that a
/// failure may be there before its call; it is left for the next time.
fn beyond(now: &Tallied, before: &Tallied) -> Tallied {
    let more = now.with(before, u64::saturating_sub);
    Tallied {
        failures: more.failures.min(more.calls),
        slow: more.slow.min(more.timed),
        shifts: more.shifts.map(|count| count.min(more.calls)),
        ..more
    }
}

/// What a tick brings, before it is put into strata.
#[derive(Default)]
pub(super) struct New {
    pooled: BTreeMap<StratumName, Arms>,
    /// Calls that one gateway compared with its bounds.
    timed: Vec<BTreeMap<StratumName, Arms>>,
    mismatches: u64,
    no_unit: u64,
    backwards: BTreeSet<String>,
}

impl New {
    fn add(&mut self, name: StratumName, more: &Arms, timed: &mut BTreeMap<StratumName, Arms>) {
        if *more == Arms::default() {
            return;
        }
        timed.insert(name.clone(), *more);
        let pooled = self.pooled.entry(name).or_default();
        *pooled = pooled.plus(more);
    }

    pub(super) fn strata(&self) -> Vec<Stratum> {
        let calls = comparable(&self.pooled, |arms| arms.stable.calls);
        let calls = calls.into_iter().map(|arms| Stratum {
            failures: tick(&arms, |arm| (arm.calls, arm.failures)),
            slow: Tick::default(),
            shifts: Shift::ALL.map(|shift| tick(&arms, |arm| (arm.calls, arm.shifts[shift.place()]))),
        });
        let timed = self.timed.iter().flat_map(|timed| comparable(timed, |arms| arms.stable.timed));
        let slow = timed.map(|arms| tick(&arms, |arm| (arm.timed, arm.slow)));
        let slow = slow.filter(|slow| slow.candidate.calls > 0);
        calls.chain(slow.map(|slow| Stratum { slow, ..Stratum::default() })).collect()
    }
}

/// The counts that are compared: those of methods that are called enough, and of each frontend the rest.
fn comparable(strata: &BTreeMap<StratumName, Arms>, calls: impl Fn(&Arms) -> u64) -> Vec<Arms> {
    let mut rest: BTreeMap<&str, Arms> = BTreeMap::new();
    let mut alone = Vec::new();
    for (name, arms) in strata {
        if calls(arms) >= ALONE_CALLS_MIN {
            alone.push(*arms);
        } else {
            let rest = rest.entry(&name.frontend).or_default();
            *rest = rest.plus(arms);
        }
    }
    alone.extend(rest.into_values());
    alone
}

fn tick(arms: &Arms, of: impl Fn(&Tallied) -> (u64, u64)) -> Tick {
    let counts = |arm| {
        let (calls, failures) = of(arm);
        Counts { calls, failures }
    };
    Tick { candidate: counts(&arms.candidate), stable: counts(&arms.stable) }
}

fn small(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}
