//! What is there, and what a listing or an event changes of it.
//!
//! An event that is older than what is known of its key changes nothing, so events may come twice, or late
//! after a listing that has them in. A listing tells only what differs; one of a store that was set back to an
//! earlier revision tells everything, because revisions say nothing any more.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Difference, Entry, Event, Listing};

/// How many removals are remembered. Old events arrive shortly after new ones, if at all.
const GONE_MAX: usize = 4096;

/// The entries of one prefix.
#[derive(Clone, Debug, Default)]
pub(super) struct Mirror {
    entries: BTreeMap<Vec<u8>, Arc<Entry>>,
    /// When keys were removed since the last listing.
    gone: BTreeMap<Vec<u8>, u64>,
    /// The revision of the last listing: everything until then is known. `None` before the first.
    listed_at: Option<u64>,
    /// The revision up to which everything is known.
    known_to: u64,
}

impl Mirror {
    /// How many entries there are.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The revision up to which everything is known; `None` before the first listing.
    pub(super) fn known_to(&self) -> Option<u64> {
        self.listed_at.map(|_| self.known_to)
    }

    /// Everything up to this revision was told.
    pub(super) fn reached(&mut self, revision: u64) {
        self.known_to = self.known_to.max(revision);
    }

    /// Takes a listing that was made after all events that were taken before.
    pub(super) fn list(&mut self, listing: Listing) -> Vec<Difference> {
        let Listing { revision, entries } = listing;
        let replaced = self.known_to().is_none_or(|known| revision < known);
        let next: BTreeMap<Vec<u8>, Arc<Entry>> =
            entries.into_iter().map(|entry| (entry.key.clone(), Arc::new(entry))).collect();
        let before = std::mem::replace(&mut self.entries, next);
        self.gone.clear();
        self.listed_at = Some(revision);
        self.known_to = revision;
        if replaced {
            return vec![Difference::All(self.entries.values().cloned().collect())];
        }
        let stays = |was: &Arc<Entry>| self.entries.contains_key(&was.key);
        let gone = before.values().filter(|was| !stays(was)).cloned().map(Difference::Gone);
        let differs = |now: &&Arc<Entry>| before.get(&now.key) != Some(*now);
        // What came first: who moved to another key is never away in between.
        let put = self.entries.values().filter(differs).cloned().map(Difference::Put);
        put.chain(gone).collect()
    }

    /// Takes an event; `None` when it changes nothing.
    pub(super) fn event(&mut self, event: Event) -> Option<Difference> {
        match event {
            Event::Put(entry) => self.is_news(&entry.key, entry.written_at).then(|| {
                self.reached(entry.written_at);
                self.gone.remove(&entry.key);
                let entry = Arc::new(entry);
                self.entries.insert(entry.key.clone(), entry.clone());
                Difference::Put(entry)
            }),
            Event::Delete { key, at } => {
                if !self.is_news(&key, at) {
                    return None;
                }
                self.reached(at);
                let was = self.entries.remove(&key)?;
                if self.gone.len() == GONE_MAX {
                    self.gone.clear();
                }
                self.gone.insert(key, at);
                Some(Difference::Gone(was))
            }
        }
    }

    fn is_news(&self, key: &[u8], at: u64) -> bool {
        let known = self.entries.get(key).map(|entry| entry.written_at);
        let gone = self.gone.get(key).copied();
        known.max(gone).max(self.listed_at).is_none_or(|known| at > known)
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{entry, gone, listing, put};
    use super::*;

    fn mirror(revision: u64, entries: &[Entry]) -> Mirror {
        let mut mirror = Mirror::default();
        mirror.list(listing(revision, entries));
        mirror
    }

    fn told(difference: &Difference) -> String {
        let name = |entry: &Entry| format!("{}@{}", String::from_utf8_lossy(&entry.key), entry.written_at);
        match difference {
            Difference::All(entries) => {
                let all: Vec<String> = entries.iter().map(|entry| name(entry)).collect();
                format!("all {}", all.join(" "))
            }
            Difference::Put(entry) => format!("put {}", name(entry)),
            Difference::Gone(entry) => format!("gone {}", name(entry)),
        }
    }

    fn all_told(differences: &[Difference]) -> Vec<String> {
        differences.iter().map(told).collect()
    }

    #[test]
    fn a_first_listing_tells_everything_and_a_second_only_what_differs() {
        let mut mirror = Mirror::default();
        let first = mirror.list(listing(9, &[entry("a", 3), entry("b", 4), entry("c", 5)]));
        assert_eq!(all_told(&first), ["all a@3 b@4 c@5"]);
        let second = mirror.list(listing(12, &[entry("a", 3), entry("b", 11), entry("d", 12)]));
        assert_eq!(all_told(&second), ["put b@11", "put d@12", "gone c@5"]);
        assert_eq!(
            all_told(&mirror.list(listing(12, &[entry("a", 3), entry("b", 11), entry("d", 12)]))),
            [""; 0]
        );
    }

    #[test]
    fn the_listing_of_a_store_that_was_set_back_tells_everything() {
        let mut mirror = mirror(9, &[entry("a", 3), entry("b", 4)]);
        assert_eq!(all_told(&mirror.list(listing(5, &[entry("a", 3)]))), ["all a@3"]);
        assert_eq!(mirror.known_to(), Some(5));
        assert_eq!(mirror.event(put("b", 6)).as_ref().map(told).as_deref(), Some("put b@6"));
    }

    #[test]
    fn an_event_older_than_its_entry_changes_nothing() {
        let mut mirror = mirror(9, &[entry("a", 3)]);
        for late in [put("a", 2), put("a", 3), put("b", 9), gone("a", 9)] {
            assert_eq!(mirror.event(late), None);
        }
        assert_eq!(mirror.event(put("a", 12)).as_ref().map(told).as_deref(), Some("put a@12"));
        for late in [put("a", 12), put("a", 11), gone("a", 11)] {
            assert_eq!(mirror.event(late), None);
        }
        assert_eq!(mirror.known_to(), Some(12));
    }

    #[test]
    fn a_removed_entry_is_not_put_back_by_an_older_event() {
        let mut mirror = mirror(9, &[entry("a", 3)]);
        assert_eq!(mirror.event(gone("a", 12)).as_ref().map(told).as_deref(), Some("gone a@3"));
        assert_eq!(mirror.event(put("a", 11)), None);
        assert_eq!(mirror.event(gone("a", 12)), None);
        assert!(mirror.event(put("a", 13)).is_some());
    }

    #[test]
    fn the_removal_of_what_was_never_there_tells_nothing_and_is_still_reached() {
        let mut mirror = mirror(9, &[]);
        assert_eq!(mirror.event(gone("x", 10)), None);
        assert_eq!(mirror.known_to(), Some(10));
    }
}
