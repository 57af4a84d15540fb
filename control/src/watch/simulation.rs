//! Thousands of steps of a store that loses connections, compacts, is wiped and repeats itself.
//!
//! Whatever happens, in the end what was told is what is there; and on the way nothing is told to be gone that
//! was there all the time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::steps::{Step, Watch};
use super::tests::{entry, gone, put};
use super::{Difference, Entry, Event, Listing, Reply};

/// A store with all its history.
#[derive(Default)]
struct Store {
    revision: u64,
    compacted: u64,
    history: Vec<(u64, Event)>,
    entries: BTreeMap<String, Entry>,
}

impl Store {
    fn put(&mut self, key: &str) {
        self.revision += 1;
        self.history.push((self.revision, put(key, self.revision)));
        self.entries.insert(key.to_owned(), entry(key, self.revision));
    }

    fn remove(&mut self, key: &str) {
        if self.entries.remove(key).is_some() {
            self.revision += 1;
            self.history.push((self.revision, gone(key, self.revision)));
        }
    }

    fn listing(&self) -> Listing {
        Listing { revision: self.revision, entries: self.entries.values().cloned().collect() }
    }
}

/// A watch of the store, as the store sees it.
struct Stream {
    greeted: bool,
    compacted: bool,
    next: u64,
}

struct World {
    throws: u64,
    store: Store,
    stream: Option<Stream>,
    watch: Watch,
    now: Duration,
    told: BTreeMap<Vec<u8>, Entry>,
    /// Keys that were never removed, and never wiped away.
    steady: BTreeSet<Vec<u8>>,
}

impl World {
    fn new(seed: u64) -> World {
        let mut store = Store::default();
        for key in 0..5 {
            store.put(&format!("steady{key}"));
        }
        World {
            throws: seed,
            steady: store.entries.keys().map(|key| key.clone().into_bytes()).collect(),
            store,
            stream: None,
            watch: Watch::new(seed),
            now: Duration::ZERO,
            told: BTreeMap::new(),
        }
    }

    fn throw(&mut self, sides: u64) -> u64 {
        self.throws =
            self.throws.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.throws >> 33) % sides
    }

    /// Something happens to the store.
    fn happen(&mut self) {
        let key = format!("key{}", self.throw(8));
        match self.throw(40) {
            0..=12 => self.store.put(&key),
            13..=20 => self.store.remove(&key),
            21..=22 => {
                let steady = format!("steady{}", self.throw(5));
                if self.steady.contains(steady.as_bytes()) {
                    self.store.put(&steady);
                }
            }
            23..=24 => self.store.compacted = self.store.revision,
            25 => self.stream = None,
            26 if self.throw(10) == 0 => {
                let revisions = self.throw(5);
                self.store = Store::default();
                self.stream = None;
                self.steady.clear();
                (0..revisions).for_each(|_| self.store.put(&key));
            }
            _ => {}
        }
    }

    fn step(&mut self, fails: bool) {
        let now = self.now;
        let differences = match self.watch.next(now) {
            _ if fails => {
                self.watch.failed("by the dice".to_owned(), now);
                Vec::new()
            }
            Step::List | Step::Reconcile => self.watch.listed(self.store.listing(), now),
            Step::Open(from) => {
                let compacted = from <= self.store.compacted;
                self.stream = Some(Stream { greeted: false, compacted, next: from });
                self.watch.opened(now);
                Vec::new()
            }
            Step::Hear(until) => match self.reply() {
                Some(reply) => self.watch.heard(reply, now),
                None => {
                    self.now = until;
                    Vec::new()
                }
            },
            Step::Ask => {
                self.watch.asked(now);
                Vec::new()
            }
            Step::Try => {
                self.watch.tried(now);
                Vec::new()
            }
            Step::Rest(until) => {
                self.now = until;
                Vec::new()
            }
        };
        differences.into_iter().for_each(|difference| self.take(difference));
    }

    fn reply(&mut self) -> Option<Reply> {
        let (batch, repeated) = (1 + self.throw(4), self.throw(3));
        let Some(stream) = &mut self.stream else { return Some(Reply::Ended("cut".to_owned())) };
        if !stream.greeted {
            stream.greeted = true;
            return Some(Reply::Created(self.store.revision));
        }
        if stream.compacted {
            return Some(Reply::Compacted);
        }
        // Some stores have sent events twice: a few from before come again in front.
        let from = stream.next.saturating_sub(repeated);
        let waiting = self.store.history.iter().filter(|(at, _)| *at >= from);
        let until = stream.next + batch;
        let events: Vec<(u64, Event)> = waiting.filter(|(at, _)| *at < until).cloned().collect();
        let last = events.last().map(|(at, _)| *at).filter(|at| *at >= stream.next)?;
        stream.next = last + 1;
        Some(Reply::Events(events.into_iter().map(|(_, event)| event).collect()))
    }

    fn take(&mut self, difference: Difference) {
        match difference {
            Difference::All(all) => {
                self.told = all.iter().map(|entry| (entry.key.clone(), Entry::clone(entry))).collect();
                let keeps = |key: &Vec<u8>| self.told.contains_key(key);
                assert!(self.steady.iter().all(keeps), "a steady entry went");
            }
            Difference::Put(entry) => {
                let last = self.told.insert(entry.key.clone(), Entry::clone(&entry));
                assert_ne!(last.as_ref(), Some(&*entry), "told twice");
            }
            Difference::Gone(was) => {
                assert!(!self.steady.contains(&was.key), "a steady entry went");
                assert_eq!(self.told.remove(&was.key).as_ref(), Some(&*was), "told what it was");
            }
        }
    }
}

#[test]
fn what_was_told_is_what_is_there_whatever_happened() {
    for seed in 0..300 {
        let mut world = World::new(seed);
        for _ in 0..400 {
            world.happen();
            let fails = world.throw(25) == 0;
            world.step(fails);
        }
        let healed = world.now;
        while world.now < healed + Duration::from_secs(31) {
            world.step(false);
        }
        let there: BTreeMap<Vec<u8>, Entry> =
            world.store.entries.values().map(|entry| (entry.key.clone(), entry.clone())).collect();
        assert_eq!(world.told, there, "seed {seed}");
    }
}
