//! Which value does each setting have, and who said so?
//!
//! The state between text and `Config`: checked values by place, each with its origin, and the places
//! that could not be read. A place that could not be read counts as neither set nor missing, so that
//! one mistake does not draw others after it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::kind::Value;
use super::mistake::Origin;
use super::settings::{Change, Fallback, SETTINGS, Setting, find};

/// A setting, with the chosen name where its path has a `*`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) path: &'static str,
    pub(super) name: Option<String>,
}

impl Place {
    pub(super) fn plain(path: &'static str) -> Place {
        Place { path, name: None }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => out.write_str(&self.path.replacen('*', name, 1)),
            None => out.write_str(self.path),
        }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) struct Effective {
    pub(super) value: Value,
    pub(super) origin: Origin,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Values {
    known: BTreeMap<Place, Effective>,
    broken: BTreeSet<String>,
}

impl Values {
    pub(super) fn set(&mut self, place: Place, value: Value, origin: Origin) {
        self.known.insert(place, Effective { value, origin });
    }

    /// Marks a setting, or all of a section, as not readable.
    pub(super) fn set_broken(&mut self, path: &str) {
        self.broken.insert(path.to_owned());
    }

    /// Gives every plain setting that nobody set its default.
    pub(super) fn fill(&mut self, default: impl Fn(&'static Setting, &'static str) -> Value) {
        for setting in SETTINGS.iter().filter(|setting| !setting.path.contains('*')) {
            let Fallback::Value(text) = setting.fallback else { continue };
            let place = Place::plain(setting.path);
            if !self.known.contains_key(&place) && !self.is_broken(setting.path) {
                self.set(place, default(setting, text), Origin::Default);
            }
        }
    }

    pub(super) fn get(&self, path: &'static str) -> Option<&Effective> {
        self.known.get(&Place::plain(path))
    }

    /// One that somebody set: not its default.
    pub(super) fn given(&self, path: &'static str) -> Option<&Effective> {
        self.get(path).filter(|found| found.origin != Origin::Default)
    }

    /// Whether nobody set it, so that a check may demand it. An empty list is as good as none.
    pub(super) fn is_missing(&self, path: &'static str) -> bool {
        let is_empty = |found: &Effective| found.value.list().is_some_and(<[Value]>::is_empty);
        self.get(path).is_none_or(is_empty) && !self.is_broken(path)
    }

    /// A named setting: `services.*.timeout` for `orders`.
    pub(super) fn named(&self, path: &'static str, name: &str) -> Option<&Effective> {
        let place = Place { path, name: Some(name.to_owned()) };
        self.known.get(&place)
    }

    /// Whether nobody set a named setting. One that is broken under any name is missing under none.
    pub(super) fn is_named_missing(&self, path: &'static str, name: &str) -> bool {
        let is_empty = |found: &Effective| found.value.list().is_some_and(<[Value]>::is_empty);
        self.named(path, name).is_none_or(is_empty) && !self.is_broken(path)
    }

    /// The names that were chosen in a section, such as `services`, in order.
    pub(super) fn names(&self, section: &str) -> BTreeSet<&str> {
        let below = |path: &str| path.strip_prefix(section).is_some_and(|rest| rest.starts_with(".*."));
        let chosen = self.known.keys().filter(|place| below(place.path));
        chosen.filter_map(|place| place.name.as_deref()).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Place, &Effective)> {
        self.known.iter()
    }

    /// Those that take effect at a start only.
    pub(super) fn fixed(&self) -> BTreeMap<Place, Value> {
        let is_fixed = |path: &str| find(path).is_some_and(|setting| setting.change == Change::Restart);
        let fixed = self.known.iter().filter(|(place, _)| is_fixed(place.path));
        fixed.map(|(place, found)| (place.clone(), found.value.clone())).collect()
    }

    /// Whether a setting could not be read, under any name.
    pub(super) fn is_broken(&self, path: &str) -> bool {
        self.broken.iter().any(|broken| {
            path.strip_prefix(broken.as_str()).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }
}
