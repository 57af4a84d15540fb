//! The last changes, so that a watcher who was away for a moment gets them and not everything.
//!
//! A watcher names the revision it has seen. What is no longer remembered, or lies in the future
//! because the data was replaced by an older copy, begins again with a snapshot.

use std::collections::VecDeque;
use std::sync::Arc;

use turnout_control::registry::{Event, Snapshot};

/// How many changes are remembered. 2 000 instances registering at once fit twice.
const EVENTS_MAX: usize = 4096;

/// What a watcher gets.
#[derive(Clone, Debug)]
pub enum Changes {
    /// Everything, because the changes since are not known.
    Snapshot(Arc<Snapshot>),
    /// The changes, each with its revision; empty when there are none.
    Events(Vec<(u64, Event)>),
}

/// The last changes in order, the newest at the end.
#[derive(Debug, Default)]
pub(super) struct History {
    events: VecDeque<(u64, Event)>,
}

impl History {
    pub(super) fn push(&mut self, revision: u64, event: Event) {
        if self.events.len() == EVENTS_MAX {
            self.events.pop_front();
        }
        self.events.push_back((revision, event));
    }

    pub(super) fn after(&self, seen: u64, now: &Arc<Snapshot>) -> Changes {
        if seen == now.revision {
            return Changes::Events(Vec::new());
        }
        match self.events.front() {
            Some((oldest, _)) if seen < now.revision && seen + 1 >= *oldest => {
                Changes::Events(self.events.iter().filter(|(at, _)| *at > seen).cloned().collect())
            }
            _ => Changes::Snapshot(now.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use turnout_control::registry::Presence;

    use super::*;

    fn silent(id: &str) -> Event {
        Event::Heard("catalog".parse().unwrap(), id.parse().unwrap(), Presence::Silent)
    }

    fn at(revision: u64) -> Arc<Snapshot> {
        Arc::new(Snapshot::restore(revision, Default::default()))
    }

    fn revisions(changes: Changes) -> Option<Vec<u64>> {
        match changes {
            Changes::Snapshot(_) => None,
            Changes::Events(events) => Some(events.into_iter().map(|(at, _)| at).collect()),
        }
    }

    #[test]
    fn a_watcher_gets_what_it_missed_or_everything() {
        let mut history = History::default();
        for revision in 11..=13 {
            history.push(revision, silent("a"));
        }
        let now = at(13);
        for (seen, expected) in [
            (13, Some(vec![])),
            (12, Some(vec![13])),
            (10, Some(vec![11, 12, 13])),
            (9, None),
            (0, None),
            (99, None),
            (u64::MAX, None),
        ] {
            assert_eq!(revisions(history.after(seen, &now)), expected, "seen {seen}");
        }
    }

    #[test]
    fn only_the_last_changes_are_kept() {
        let mut history = History::default();
        let last = u64::try_from(EVENTS_MAX).unwrap() + 10;
        for revision in 1..=last {
            history.push(revision, silent("a"));
        }
        assert_eq!(revisions(history.after(9, &at(last))), None);
        assert_eq!(revisions(history.after(10, &at(last))).unwrap().len(), EVENTS_MAX);
    }
}
