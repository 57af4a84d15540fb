//! Who calls, counted: by frontend and by how it came to be taken for that, and by what kind of unit.
//!
//! Each worker counts in a place of its own, so that a count costs a lock that nobody else wants. Only names
//! that are published are labels: whoever sends others makes no series.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hashbrown::HashMap;
use turnout_control::frontend::{How, Units};
use turnout_control::id::FrontendId;
use turnout_control::slot::UnitKind;

use crate::upstream::Worker;

/// More workers than this share places, which costs time and nothing else.
const SHARDS: usize = 8;

/// The name of the built-in frontend.
const BUILT_IN: &str = "any@0.0.0";
/// What stands for names that are not published.
const OTHER: &str = "_other";

/// Which frontend a request is counted for: the one it names, or else the one it got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// The built-in one, because nothing else is there.
    BuiltIn,
    /// One that is published.
    Published(&'a FrontendId),
    /// One that is not.
    Other,
}

/// Kinds of units; the last is nobody.
const UNITS: [&str; 4] = ["user", "anon", "customer", "none"];

/// The counts.
#[derive(Debug)]
pub(super) struct Audience {
    shards: [Mutex<Counts>; SHARDS],
}

type Hows = [u64; How::ALL.len()];

#[derive(Debug)]
struct Counts {
    built_in: Hows,
    other: Hows,
    published: HashMap<FrontendId, Hows>,
    units: [u64; UNITS.len()],
}

impl Audience {
    pub(super) fn new() -> Audience {
        let none = [0; How::ALL.len()];
        let counts = || Counts { built_in: none, other: none, published: HashMap::new(), units: [0; 4] };
        Audience { shards: std::array::from_fn(|_| Mutex::new(counts())) }
    }

    pub(super) fn count(&self, worker: Worker, (named, how): (Named<'_>, How), units: &Units) {
        let mut counts = lock(&self.shards[worker.0 % SHARDS]);
        let hows = match named {
            Named::BuiltIn => &mut counts.built_in,
            Named::Other => &mut counts.other,
            Named::Published(id) => counts.published.entry_ref(id).or_insert([0; How::ALL.len()]),
        };
        hows[how as usize] += 1;
        let unit = match (units.person.as_ref().map(|person| person.kind()), &units.customer) {
            (Some(UnitKind::User), _) => 0,
            (Some(UnitKind::Anonymous), _) => 1,
            (Some(UnitKind::Customer), _) | (None, Some(_)) => 2,
            (None, None) => 3,
        };
        counts.units[unit] += 1;
    }

    /// How often each, by frontend and how.
    pub(super) fn requests(&self) -> Vec<(String, How, u64)> {
        let mut sums: HashMap<String, Hows> = HashMap::new();
        for shard in &self.shards {
            let counts = lock(shard);
            let rest = [(BUILT_IN.to_owned(), &counts.built_in), (OTHER.to_owned(), &counts.other)];
            let named = counts.published.iter().map(|(id, hows)| (id.to_string(), hows));
            for (name, hows) in named.chain(rest) {
                let sum = sums.entry(name).or_insert([0; How::ALL.len()]);
                sum.iter_mut().zip(hows).for_each(|(sum, count)| *sum += count);
            }
        }
        let each = |(name, hows): (String, Hows)| {
            How::ALL.into_iter().zip(hows).map(move |(how, count)| (name.clone(), how, count))
        };
        sums.into_iter().flat_map(each).filter(|(_, _, count)| *count > 0).collect()
    }

    /// How often each kind of unit.
    pub(super) fn units(&self) -> [(&'static str, u64); UNITS.len()] {
        let sum = |unit: usize| self.shards.iter().map(|shard| lock(shard).units[unit]).sum();
        std::array::from_fn(|unit| (UNITS[unit], sum(unit)))
    }
}

fn lock(shard: &Mutex<Counts>) -> MutexGuard<'_, Counts> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_count_apart_and_are_read_together() {
        let audience = Audience::new();
        let web: FrontendId = "web@2.4.1".parse().unwrap();
        let user = Units { person: Some("user:1".parse().unwrap()), ..Units::default() };
        let customer = Units { customer: Some("customer:1".parse().unwrap()), ..Units::default() };
        for worker in 0..20 {
            audience.count(Worker(worker), (Named::Published(&web), How::Verified), &user);
        }
        audience.count(Worker(0), (Named::Published(&web), How::Expired), &customer);
        audience.count(Worker(1), (Named::Other, How::Unknown), &Units::default());
        audience.count(Worker(1), (Named::BuiltIn, How::Default), &Units::default());
        let mut requests = audience.requests();
        requests.sort_unstable();
        let of = |name: &str, how, count| (name.to_owned(), how, count);
        assert_eq!(
            requests,
            [
                of(OTHER, How::Unknown, 1),
                of(BUILT_IN, How::Default, 1),
                of("web@2.4.1", How::Verified, 20),
                of("web@2.4.1", How::Expired, 1),
            ]
        );
        assert_eq!(audience.units(), [("user", 20), ("anon", 0), ("customer", 1), ("none", 2)]);
    }
}
