//! Texts that were verified a moment ago, so that a page with a hundred requests pays for one signature.
//!
//! Only what held is kept, so nobody fills it with what he made up; what has a time is asked for it anew each
//! time. Bounded by two halves: when the young one is full it becomes the old one, and what is asked for from
//! there is young again.

use std::mem;
use std::sync::{Mutex, PoisonError};

use hashbrown::HashMap;

/// What one half holds: of the largest tokens that are taken, 4 MiB.
const HALF_MAX: usize = 512;

/// What is known of texts.
#[derive(Debug)]
pub(super) struct Recent<V> {
    halves: Mutex<Halves<V>>,
}

#[derive(Debug)]
struct Halves<V> {
    young: HashMap<Box<str>, V>,
    old: HashMap<Box<str>, V>,
}

impl<V: Clone> Recent<V> {
    /// Nothing is known yet.
    pub(super) fn new() -> Recent<V> {
        Recent { halves: Mutex::new(Halves { young: HashMap::new(), old: HashMap::new() }) }
    }

    /// What is known of a text.
    pub(super) fn get(&self, text: &str) -> Option<V> {
        let mut halves = self.halves.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(found) = halves.young.get(text) {
            return Some(found.clone());
        }
        let (text, found) = halves.old.remove_entry(text)?;
        halves.put(text, found.clone());
        Some(found)
    }

    /// Keeps what is known of a text.
    pub(super) fn put(&self, text: &str, known: V) {
        self.halves.lock().unwrap_or_else(PoisonError::into_inner).put(text.into(), known);
    }
}

impl<V> Halves<V> {
    fn put(&mut self, text: Box<str>, known: V) {
        if self.young.len() >= HALF_MAX {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(text, known);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_goes() {
        let recent = Recent::new();
        recent.put("asked", 0);
        for number in 0..10 * HALF_MAX {
            recent.put(&number.to_string(), number);
            assert_eq!(recent.get("asked"), Some(0), "{number}");
        }
        assert_eq!(recent.get("17"), None);
        let halves = recent.halves.lock().unwrap();
        assert!(halves.young.len() <= HALF_MAX && halves.old.len() <= HALF_MAX);
    }
}
