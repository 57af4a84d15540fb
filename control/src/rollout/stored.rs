//! The evidence of a rollout as it is kept, so that the next leader judges by the same.
//!
//! The record `analysis/<service>/<version>` is written at each tick, with the rollout's. It holds the evidence, to
//! the last bit, and the watermarks up to which reports were taken up. Another try with the same build begins
//! without evidence and keeps the watermarks, so that no call counts for both.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::json::{field, list, number, parsed, reals, small, text, truth};
use super::merge::Mark;
use super::{
    Analysis, Arms, Rate, Report, Rollout, StratumName, Subject, Taken, Tallied, Unreadable, Watermarks,
};
use crate::id::{ServiceName, Timestamp, Version};
use crate::records::{Key, Kind};

/// All that is known of a rollout by counting.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// What is compared.
    pub subject: Subject,
    /// For which try with this build.
    pub retries: u32,
    /// The evidence.
    pub analysis: Analysis,
    /// What was taken up of each gateway's counts.
    pub watermarks: Watermarks,
    /// The candidate's calls a second.
    pub rate: Rate,
    /// Calls that went to another version than was decided.
    pub mismatches: u64,
    /// Calls of nobody who could be told apart; they get the stable version.
    pub no_unit: u64,
    /// When it was last brought up to date, by the wall clock.
    pub at: Timestamp,
}

/// The key of the record.
pub fn analysis_key(service: &ServiceName, version: &Version) -> Key {
    Key::new(Kind::Analysis, &format!("{service}/{version}"))
        .expect("names and versions make a name of a record")
}

impl Stored {
    /// Nothing counted yet.
    pub fn new(rollout: &Rollout, now: Timestamp) -> Stored {
        Stored {
            subject: rollout.subject(),
            retries: rollout.retries,
            analysis: Analysis::new(),
            watermarks: Watermarks::new(),
            rate: Rate::default(),
            mismatches: 0,
            no_unit: 0,
            at: now,
        }
    }

    /// What the record holds for this rollout: all of it, or for another try only what was taken up already. A
    /// record that cannot be read is none: gateways have all counts from the beginning.
    pub fn resume(record: Option<&[u8]>, rollout: &Rollout, now: Timestamp) -> Stored {
        let new = Stored::new(rollout, now);
        match record.map(Stored::read) {
            Some(Ok(stored)) if stored.subject != new.subject => new,
            Some(Ok(stored)) if stored.retries != new.retries => {
                Stored { watermarks: stored.watermarks, ..new }
            }
            Some(Ok(stored)) => stored,
            Some(Err(_)) | None => new,
        }
    }

    /// Takes up what gateways counted since the last tick. `living` is how many gateways there are.
    pub fn take(&mut self, living: u32, reports: &[Report], elapsed: Duration, now: Timestamp) -> Taken {
        let taken = self.watermarks.take(&self.subject, living, reports);
        self.analysis.take(&taken.strata);
        let calls = taken.strata.iter().map(|it| it.failures.candidate.calls).fold(0, u64::saturating_add);
        self.rate.take(calls, elapsed);
        self.mismatches = self.mismatches.saturating_add(taken.mismatches);
        self.no_unit = self.no_unit.saturating_add(taken.no_unit);
        self.at = now;
        taken
    }

    /// The record.
    pub fn write(&self) -> Vec<u8> {
        let record = json!({
            "v": 1,
            "service": self.subject.service.as_str(),
            "from": self.subject.from.to_string(),
            "to": self.subject.to.to_string(),
            "retries": self.retries,
            "at": self.at.0,
            "rate": self.rate.parts(),
            "mismatches": self.mismatches,
            "no_unit": self.no_unit,
            "evidence": self.analysis.value(),
            "watermarks": watermarks_value(&self.watermarks),
        });
        record.to_string().into_bytes()
    }

    /// Reads a record.
    pub fn read(record: &[u8]) -> Result<Stored, Unreadable> {
        let record: Value = serde_json::from_slice(record).map_err(|_| Unreadable::Json)?;
        Ok(Stored {
            subject: Subject {
                service: parsed(&record, "service")?,
                from: parsed(&record, "from")?,
                to: parsed(&record, "to")?,
            },
            retries: small(&record, "retries")?,
            analysis: Analysis::read(field(&record, "evidence")?)?,
            watermarks: watermarks(field(&record, "watermarks")?)?,
            rate: Rate::restore(reals(&record, "rate")?),
            mismatches: number(&record, "mismatches")?,
            no_unit: number(&record, "no_unit")?,
            at: Timestamp(number(&record, "at")?),
        })
    }
}

/// Names once, and of each process the counts by the place of their name; the last place is that of all others.
fn watermarks_value(watermarks: &Watermarks) -> Value {
    let places: BTreeMap<&StratumName, usize> = watermarks.own.iter().zip(0..).collect();
    let mark = |((replica, incarnation), mark): (&(String, u64), &Mark)| {
        let cell = |(name, arms): (&StratumName, &Arms)| {
            let place = places.get(name).copied().unwrap_or(places.len());
            json!([place, arms.candidate.encode(), arms.stable.encode()])
        };
        json!({
            "replica": replica,
            "incarnation": incarnation,
            "sequence": mark.sequence,
            "since": mark.since,
            "quiet": mark.quiet,
            "mismatches": mark.mismatches,
            "no_unit": mark.no_unit,
            "counts": mark.strata.iter().map(cell).collect::<Vec<Value>>(),
        })
    };
    let name = |name: &StratumName| json!([name.method, name.frontend]);
    json!({
        "strata": watermarks.own.iter().map(name).collect::<Vec<Value>>(),
        "full": watermarks.full,
        "of": watermarks.marks.iter().map(mark).collect::<Vec<Value>>(),
    })
}

fn watermarks(value: &Value) -> Result<Watermarks, Unreadable> {
    let name = |value: &Value| {
        let (method, frontend) = (value.get(0).and_then(Value::as_str), value.get(1).and_then(Value::as_str));
        let (method, frontend) = method.zip(frontend).ok_or(Unreadable::Field("strata"))?;
        Ok(StratumName { method: method.to_owned(), frontend: frontend.to_owned() })
    };
    let names = list(value, "strata")?.iter().map(name).collect::<Result<Vec<StratumName>, Unreadable>>()?;
    let mut marks = BTreeMap::new();
    for process in list(value, "of")? {
        let mut strata = BTreeMap::new();
        for cell in list(process, "counts")? {
            let [place, candidate, stable] = cell.as_array().map_or(&[][..], Vec::as_slice) else {
                return Err(Unreadable::Field("counts"));
            };
            let place = place.as_u64().and_then(|place| usize::try_from(place).ok());
            let place = place.ok_or(Unreadable::Field("counts"))?;
            let name = names.get(place).cloned().unwrap_or_else(StratumName::others);
            strata.insert(
                name,
                Arms { candidate: Tallied::decode(candidate)?, stable: Tallied::decode(stable)? },
            );
        }
        let mark = Mark {
            sequence: number(process, "sequence")?,
            since: number(process, "since")?,
            quiet: small(process, "quiet")?,
            mismatches: number(process, "mismatches")?,
            no_unit: number(process, "no_unit")?,
            strata,
        };
        marks.insert((text(process, "replica")?.to_owned(), number(process, "incarnation")?), mark);
    }
    Ok(Watermarks { own: names.into_iter().collect(), full: truth(value, "full")?, marks })
}
