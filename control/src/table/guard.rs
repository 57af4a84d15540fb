//! Did so many registrations end at once that the registry is to be doubted, and not the instances?
//!
//! What ended within the last ten seconds is remembered: how many of a service and of a source, beside those
//! that are left. When it is too many, all of them are to be held, also those that went first. An instance
//! that said before that it would go does not count. Nothing is held here: it is said who should be.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::Name;
use super::members::{Alive, Place};
use crate::id::{ServiceName, SourceName};
use crate::registry::Registered;

/// How long an end is remembered.
const WINDOW: Duration = Duration::from_secs(10);

/// Of a service: more than half of its instances, and more than one.
const OF_SERVICE: Limit = Limit { least: 2, percent: 50 };

/// Of a source: more than 30 % of its instances, and more than two.
const OF_SOURCE: Limit = Limit { least: 3, percent: 30 };

/// From when on it is too many.
#[derive(Clone, Copy, Debug)]
struct Limit {
    least: usize,
    percent: usize,
}

impl Limit {
    fn is_passed(self, gone: usize, alive: usize) -> bool {
        gone >= self.least && gone * 100 > (gone + alive) * self.percent
    }
}

/// A registration that ended: whose, and where.
pub(super) type Lost = (Name, Place);

/// What ended of late.
#[derive(Clone, Debug, Default)]
pub(super) struct Guard {
    gone: BTreeMap<Lost, Gone>,
    /// In the order of time. What is no longer in `gone` with the same time is out of date.
    order: VecDeque<(Duration, Lost)>,
    services: BTreeMap<ServiceName, Tally>,
    sources: BTreeMap<SourceName, Tally>,
}

#[derive(Clone, Debug)]
struct Gone {
    at: Duration,
    said: Registered,
}

/// What ended of one service or source.
#[derive(Clone, Debug, Default)]
struct Tally {
    gone: usize,
    /// Those of them of whom nobody said yet that they should be held.
    loose: BTreeSet<Lost>,
}

impl Guard {
    /// A registration ended; who should be held now, with what each said last.
    pub(super) fn ended(
        &mut self,
        lost: Lost,
        said: Registered,
        alive: Alive,
        now: Duration,
    ) -> Vec<(Lost, Registered)> {
        self.forget(now);
        self.back(&lost);
        let ((service, _), place) = &lost;
        let of_service = self.services.entry(service.clone()).or_default();
        let of_source = self.sources.entry(place.source.clone()).or_default();
        for tally in [&mut *of_service, &mut *of_source] {
            tally.gone += 1;
            tally.loose.insert(lost.clone());
        }
        let mut held = BTreeSet::new();
        if OF_SERVICE.is_passed(of_service.gone, alive.of_service) {
            held.append(&mut of_service.loose);
        }
        if OF_SOURCE.is_passed(of_source.gone, alive.of_source) {
            held.append(&mut of_source.loose);
        }
        self.order.push_back((now, lost.clone()));
        self.gone.insert(lost, Gone { at: now, said });
        let said = |lost: Lost| self.gone.get(&lost).map(|gone| (lost, gone.said.clone()));
        held.into_iter().filter_map(said).collect()
    }

    /// It is registered again.
    pub(super) fn back(&mut self, lost: &Lost) {
        if self.gone.remove(lost).is_some() {
            self.release(lost, Tally::forget);
        }
    }

    /// It does not answer, so it is gone in any case: it counts, and is not held again.
    pub(super) fn dead(&mut self, lost: &Lost) {
        self.release(lost, |tally, lost| {
            tally.loose.remove(lost);
        });
    }

    /// Forgets what is too long ago.
    pub(super) fn forget(&mut self, now: Duration) {
        while let Some((at, lost)) = self.order.front()
            && now.saturating_sub(*at) >= WINDOW
        {
            let (at, lost) = (*at, lost.clone());
            self.order.pop_front();
            if self.gone.get(&lost).is_some_and(|gone| gone.at == at) {
                self.back(&lost);
            }
        }
    }

    /// Changes what is counted of its service and its source, and drops what is empty.
    fn release(&mut self, lost: &Lost, change: impl Fn(&mut Tally, &Lost)) {
        let ((service, _), place) = lost;
        if let Some(tally) = self.services.get_mut(service) {
            change(tally, lost);
            if tally.gone == 0 {
                self.services.remove(service);
            }
        }
        if let Some(tally) = self.sources.get_mut(&place.source) {
            change(tally, lost);
            if tally.gone == 0 {
                self.sources.remove(&place.source);
            }
        }
    }
}

impl Tally {
    fn forget(&mut self, lost: &Lost) {
        self.gone -= 1;
        self.loose.remove(lost);
    }
}
