//! What one gateway counts about rollouts, and reports.
//!
//! Counts are cumulative since the gateway began to count a trial, never since the last report, so that a lost, a
//! doubled or a late report changes nothing. A process that starts anew is a new incarnation, and a trial that
//! begins anew in the same process has a new `since`; both count from zero. Calls are counted when they end, in
//! their method and for their frontend version: those that may be `compared`, in the arm that answered, and with
//! failures as `Repeats` says. Reports come from outside, so that reading bounds all.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::json::{field, list, number, text};
use super::{Shift, Unreadable};
use crate::id::{ServiceName, Version};

/// The largest report.
pub const REPORT_BYTES_MAX: usize = 1 << 20;
/// The most trials in a report.
pub const TRIALS_MAX: usize = 64;
/// The most strata of a trial; what comes later is counted in one for all others.
pub const STRATA_MAX: usize = 256;
/// The largest count. A rollout has far fewer calls, and sums of so large ones are still numbers.
const COUNT_MAX: u64 = 1 << 40;
/// The longest name of a method, a frontend or a replica.
const NAME_BYTES_MAX: usize = 512;

/// What a gateway reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// Which gateway.
    pub replica: String,
    /// Which process of it; another number after each start.
    pub incarnation: u64,
    /// Its place among the reports of that process; rises.
    pub sequence: u64,
    /// The revision of the records that it routes by.
    pub revision: u64,
    /// What it counted.
    pub trials: BTreeMap<Subject, Trial>,
}

/// Which two versions are compared.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Subject {
    /// Of which service.
    pub service: ServiceName,
    /// The stable version.
    pub from: Version,
    /// The candidate.
    pub to: Version,
}

/// What one gateway counted of two versions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trial {
    /// The revision of the records at which it began to count; one that begins again has a higher one.
    pub since: u64,
    /// The counts.
    pub strata: BTreeMap<StratumName, Arms>,
    /// Whether its fuse for the candidate is open.
    pub tripped: bool,
    /// Calls that went to another version than was decided.
    pub mismatches: u64,
    /// Calls of nobody who could be told apart.
    pub no_unit: u64,
}

/// Calls that are compared with each other only.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StratumName {
    /// The full path of the RPC: `/catalog.v1.Catalog/GetProduct`.
    pub method: String,
    /// The frontend version: `web@2.4.1`.
    pub frontend: String,
}

/// The counts of both arms.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arms {
    /// Of the candidate.
    pub candidate: Tallied,
    /// Of the stable version.
    pub stable: Tallied,
}

/// The counts of one arm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tallied {
    /// Calls that ended.
    pub calls: u64,
    /// Those of them that failed.
    pub failures: u64,
    /// Calls that were compared with the frozen bound of their method.
    pub timed: u64,
    /// Those of them that took longer.
    pub slow: u64,
    /// Calls that were answered otherwise, by `Shift::place`.
    pub shifts: [u64; Shift::COUNT],
}

/// Why bytes are no report.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They are too many.
    #[error("a report of {0} bytes, and {REPORT_BYTES_MAX} are allowed")]
    Bytes(usize),
    /// They compare too much.
    #[error("a report of {0} trials, and {TRIALS_MAX} are allowed")]
    Trials(usize),
    /// They cannot be read.
    #[error("a report that cannot be read")]
    Unreadable(#[from] Unreadable),
}

impl StratumName {
    /// The stratum of everything that has none of its own.
    pub fn others() -> StratumName {
        StratumName { method: "*".to_owned(), frontend: "*".to_owned() }
    }
}

impl Trial {
    /// No counts yet.
    pub fn begin(since: u64) -> Trial {
        Trial { since, ..Trial::default() }
    }

    /// The counts of a stratum, or those of all others when there are too many.
    pub fn stratum(&mut self, name: StratumName) -> &mut Arms {
        let known = self.strata.contains_key(&name) || self.strata.len() + 1 < STRATA_MAX;
        self.strata.entry(if known { name } else { StratumName::others() }).or_default()
    }
}

impl Arms {
    /// With the counts of another added.
    pub fn plus(&self, other: &Arms) -> Arms {
        Arms { candidate: self.candidate.plus(&other.candidate), stable: self.stable.plus(&other.stable) }
    }
}

impl Tallied {
    fn plus(&self, other: &Tallied) -> Tallied {
        self.with(other, u64::saturating_add)
    }

    /// Field by field.
    pub(super) fn with(&self, other: &Tallied, of: impl Fn(u64, u64) -> u64) -> Tallied {
        Tallied {
            calls: of(self.calls, other.calls),
            failures: of(self.failures, other.failures),
            timed: of(self.timed, other.timed),
            slow: of(self.slow, other.slow),
            shifts: std::array::from_fn(|place| of(self.shifts[place], other.shifts[place])),
        }
    }

    /// Whether no count of it is above the other's.
    pub(super) fn is_within(&self, other: &Tallied) -> bool {
        let below = self.with(other, |one, other| u64::from(one > other));
        below == Tallied::default()
    }

    /// The bytes that it takes in JSON.
    pub(super) fn room(&self) -> usize {
        let digits =
            |number: u64| number.checked_ilog10().map_or(1, |log| usize::try_from(log + 1).unwrap_or(20));
        let main = [self.calls, self.failures, self.timed, self.slow];
        2 + main.iter().chain(&self.shifts).map(|number| digits(*number) + 1).sum::<usize>()
    }

    pub(super) fn encode(&self) -> Value {
        let mut numbers = vec![self.calls, self.failures, self.timed, self.slow];
        numbers.extend(self.shifts);
        // Most calls are answered as they should be: zeros at the end are left out.
        while numbers.last() == Some(&0) {
            numbers.pop();
        }
        json!(numbers)
    }

    pub(super) fn decode(value: &Value) -> Result<Tallied, Unreadable> {
        let numbers = value.as_array().ok_or(Unreadable::Field("counts"))?;
        let at = |place: usize| match numbers.get(place) {
            None => Ok(0),
            Some(number) => number.as_u64().ok_or(Unreadable::Field("counts")),
        };
        let (calls, timed) = (at(0)?, at(2)?);
        let mut shifts = [0; Shift::COUNT];
        for (place, shift) in shifts.iter_mut().enumerate() {
            *shift = at(4 + place)?.min(calls);
        }
        Ok(Tallied { calls, failures: at(1)?.min(calls), timed, slow: at(3)?.min(timed), shifts })
    }
}

impl Report {
    /// The report as it is sent.
    pub fn encode(&self) -> Vec<u8> {
        let trial = |(subject, trial): (&Subject, &Trial)| {
            let stratum = |(name, arms): (&StratumName, &Arms)| {
                json!([name.method, name.frontend, arms.candidate.encode(), arms.stable.encode()])
            };
            json!({
                "service": subject.service.as_str(),
                "from": subject.from.to_string(),
                "to": subject.to.to_string(),
                "since": trial.since,
                "tripped": trial.tripped,
                "mismatches": trial.mismatches,
                "no_unit": trial.no_unit,
                "strata": trial.strata.iter().map(stratum).collect::<Vec<Value>>(),
            })
        };
        let report = json!({
            "v": 1,
            "replica": self.replica,
            "incarnation": self.incarnation,
            "sequence": self.sequence,
            "revision": self.revision,
            "trials": self.trials.iter().map(trial).collect::<Vec<Value>>(),
        });
        report.to_string().into_bytes()
    }

    /// Reads a report. Strata beyond the most that are allowed are put together in one.
    pub fn decode(bytes: &[u8]) -> Result<Report, Refused> {
        if bytes.len() > REPORT_BYTES_MAX {
            return Err(Refused::Bytes(bytes.len()));
        }
        let report: Value = serde_json::from_slice(bytes).map_err(|_| Unreadable::Json)?;
        let listed = list(&report, "trials")?;
        if listed.len() > TRIALS_MAX {
            return Err(Refused::Trials(listed.len()));
        }
        let mut trials = BTreeMap::new();
        for value in listed {
            let (subject, trial) = decode_trial(value)?;
            trials.insert(subject, trial);
        }
        Ok(Report {
            replica: short(text(&report, "replica")?),
            incarnation: number(&report, "incarnation")?,
            sequence: number(&report, "sequence")?,
            revision: number(&report, "revision")?,
            trials,
        })
    }
}

fn decode_trial(value: &Value) -> Result<(Subject, Trial), Unreadable> {
    let subject = Subject {
        service: text(value, "service")?.parse().map_err(|_| Unreadable::Field("service"))?,
        from: text(value, "from")?.parse().map_err(|_| Unreadable::Field("from"))?,
        to: text(value, "to")?.parse().map_err(|_| Unreadable::Field("to"))?,
    };
    let mut trial = Trial {
        since: number(value, "since")?,
        strata: BTreeMap::new(),
        tripped: field(value, "tripped")?.as_bool().ok_or(Unreadable::Field("tripped"))?,
        mismatches: number(value, "mismatches")?.min(COUNT_MAX),
        no_unit: number(value, "no_unit")?.min(COUNT_MAX),
    };
    for stratum in list(value, "strata")? {
        let [method, frontend, candidate, stable] = stratum.as_array().map_or(&[][..], Vec::as_slice) else {
            return Err(Unreadable::Field("strata"));
        };
        let name = |value: &Value| value.as_str().map(short).ok_or(Unreadable::Field("strata"));
        let name = StratumName { method: name(method)?, frontend: name(frontend)? };
        let bounded =
            |counts: &Value| Tallied::decode(counts).map(|it| it.with(&it, |count, _| count.min(COUNT_MAX)));
        let arms = Arms { candidate: bounded(candidate)?, stable: bounded(stable)? };
        let known = trial.stratum(name);
        *known = known.plus(&arms);
    }
    Ok((subject, trial))
}

/// No longer than a name may be, cut between characters.
fn short(text: &str) -> String {
    text.char_indices()
        .take_while(|(at, letter)| at + letter.len_utf8() <= NAME_BYTES_MAX)
        .map(|(_, letter)| letter)
        .collect()
}
