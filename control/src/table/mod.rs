//! What several sources say, as one registry: who is up, who is suspect, who is gone.
//!
//! Sources tell what is written under their keys. The table turns that into events of one snapshot: entries
//! with one address are one instance, a source of higher rank goes before one of lower rank, and an instance
//! whose registration ended without a goodbye is not gone yet. Time is the monotonic age of the process,
//! handed in by the caller; probes are asked for here and made by the shell.

use std::collections::BTreeMap;
use std::time::Duration;

use turnout_schema::Diagnostic;

use crate::id::{InstanceId, ServiceName, SourceName, Version};
use crate::registry::{Event, Presence, Registered, VersionRecord, Why};

/// What a source tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Input {
    /// All that it holds now, by key; what it said before and does not say any more was removed meanwhile.
    Listed(SourceName, BTreeMap<String, Said>),
    /// One entry was written.
    Put(SourceName, String, Said),
    /// One entry was removed.
    Removed(SourceName, String, Removal),
    /// Heartbeats of an entry stopped arriving, or arrive again: `Here` or `Silent`.
    Heard(SourceName, String, Presence),
    /// A version is known, or its descriptors are.
    Version(ServiceName, Version, VersionRecord),
    /// Somebody tried whether an instance answers.
    Probed(ServiceName, InstanceId, Answered),
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// An instance.
    Instance(Registered),
    /// No instance, and nothing wrong with that.
    Nothing,
    /// Something that cannot be read; what it said before goes on to hold.
    Unreadable(Diagnostic),
}

/// How an entry came to be removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removal {
    /// Its author or an operator took it away.
    Goodbye,
    /// Its lease ended.
    Expired,
    /// Nobody can tell.
    Unknown,
}

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answered {
    /// It serves.
    Yes,
    /// It does not answer, or says that it does not serve.
    No,
}

/// All sources and what they said.
#[derive(Clone, Debug)]
pub struct Table {
    entries: BTreeMap<(SourceName, String), Registered>,
}

impl Table {
    /// A table of these sources, the one that goes first at the front, with the entries that were known before
    /// the start: source, key, and what it said. They tell no event.
    pub fn new(_ranked: Vec<SourceName>, known: Vec<(SourceName, String, Registered)>) -> Table {
        let entries = known.into_iter().map(|(source, key, said)| ((source, key), said)).collect();
        Table { entries }
    }

    /// Takes up what a source tells.
    pub fn take(&mut self, input: Input, _now: Duration) -> Vec<Event> {
        match input {
            Input::Listed(source, said) => {
                let gone: Vec<_> = self
                    .entries
                    .keys()
                    .filter(|(of, key)| *of == source && !said.contains_key(key))
                    .cloned()
                    .collect();
                let mut events: Vec<Event> =
                    gone.into_iter().filter_map(|at| self.remove(at, Why::Expired)).collect();
                for (key, said) in said {
                    events.extend(self.put((source.clone(), key), said));
                }
                events
            }
            Input::Put(source, key, said) => self.put((source, key), said).into_iter().collect(),
            Input::Removed(source, key, how) => {
                let why = match how {
                    Removal::Goodbye => Why::Deregistered,
                    Removal::Expired | Removal::Unknown => Why::Expired,
                };
                self.remove((source, key), why).into_iter().collect()
            }
            Input::Heard(source, key, presence) => {
                let found = self.entries.get(&(source, key));
                let heard = found.map(|known| {
                    Event::Heard(known.instance.service.clone(), known.instance.id.clone(), presence)
                });
                heard.into_iter().collect()
            }
            Input::Version(service, version, record) => vec![Event::Version(service, version, record)],
            Input::Probed(..) => Vec::new(),
        }
    }

    /// What time alone changes. Calling it late or twice is harmless.
    pub fn step(&mut self, _now: Duration) -> Vec<Event> {
        Vec::new()
    }

    /// Who should be tried now; nobody is named again before it was answered for or its time passed.
    pub fn probes(&mut self, _now: Duration) -> Vec<Registered> {
        Vec::new()
    }

    /// Entries that cannot be read, by source and key.
    pub fn unreadable(&self) -> Vec<(SourceName, String, Diagnostic)> {
        Vec::new()
    }

    /// What is written under each key: source, key, and what it says.
    pub fn entries(&self) -> Vec<(SourceName, String, Registered)> {
        let entry = |((source, key), said): (&(SourceName, String), &Registered)| {
            (source.clone(), key.clone(), said.clone())
        };
        self.entries.iter().map(entry).collect()
    }

    fn put(&mut self, at: (SourceName, String), said: Said) -> Option<Event> {
        match said {
            Said::Instance(registered) => {
                if self.entries.get(&at) == Some(&registered) {
                    return None;
                }
                self.entries.insert(at, registered.clone());
                Some(Event::Up(registered))
            }
            Said::Nothing => self.remove(at, Why::Deregistered),
            Said::Unreadable(_) => None,
        }
    }

    fn remove(&mut self, at: (SourceName, String), why: Why) -> Option<Event> {
        let known = self.entries.remove(&at)?;
        Some(Event::Down(known.instance.service.clone(), known.instance.id.clone(), why))
    }
}
