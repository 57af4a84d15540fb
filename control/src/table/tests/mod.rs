//! A table with the snapshot that follows it, told in short words, and what must hold after each of them.
//!
//! An instance is written `catalog/a` or `catalog/a@1.5.0`, and after it ` at PORT`, ` drains`, ` weighs N`,
//! ` unleased`, ` lives SECONDS` or ` schema NAME`. What is answered are the events, in order:
//! `up catalog/a`, `catalog/a missing`, `down catalog/a lost`, `version catalog 1.5.0`. After every word the
//! snapshot must be what the table shows, and every event must have changed it.

mod bounds;
mod cost;
mod doubts;
mod entries;
mod guarded;
mod simulation;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use turnout_schema::{Diagnostic, Digest, Severity};

use super::{Answered, Input, Removal, Said, Table};
use crate::id::{ServiceName, SourceName, Timestamp};
use crate::registry::tests::registered;
use crate::registry::{Event, Intent, Presence, Registered, SchemaRef, Snapshot, Standing, VersionRecord};

pub(super) const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

pub(super) fn source(name: &str) -> SourceName {
    name.parse().unwrap()
}

/// Reads an instance that is written in short.
pub(super) fn said(source: &SourceName, text: &str) -> Registered {
    let mut words = text.split(' ');
    let name = words.next().unwrap();
    let (name, version) = name.split_once('@').unwrap_or((name, "1.0.0"));
    let (service, id) = name.split_once('/').unwrap();
    let mut said = registered(service, id, version);
    said.source = source.clone();
    let instance = Arc::make_mut(&mut said.instance);
    instance.schema = None;
    let port = id.bytes().fold(0_u32, |port, byte| (port * 31 + u32::from(byte)) % 60_013);
    instance.endpoints[0].port = u16::try_from(1000 + port).unwrap();
    while let Some(word) = words.next() {
        match word {
            "at" => instance.endpoints[0].port = words.next().unwrap().parse().unwrap(),
            "drains" => instance.intent = Intent::Draining,
            "weighs" => instance.weight = words.next().unwrap().parse().unwrap(),
            "unleased" => said.lease = None,
            "lives" => said.ttl_s = words.next().unwrap().parse().unwrap(),
            "schema" => {
                let digest = Digest::of(words.next().unwrap().as_bytes());
                instance.schema = Some(SchemaRef { digest, services: Vec::new() });
            }
            other => panic!("{other:?} is no word for an instance"),
        }
    }
    said
}

pub(super) fn unreadable(message: &str) -> Diagnostic {
    let (message, help) = (message.to_owned(), String::new());
    Diagnostic { severity: Severity::Error, code: "UNREADABLE", message, help }
}

/// A table of the sources `first` and `second`, and the snapshot that follows it.
#[derive(Clone, Debug)]
pub(super) struct World {
    pub(super) table: Table,
    pub(super) snapshot: Snapshot,
    pub(super) now: Duration,
}

impl World {
    pub(super) fn new() -> World {
        World::knowing(&[])
    }

    /// One that knew these entries before it began: source, key, instance.
    pub(super) fn knowing(known: &[(&str, &str, Registered)]) -> World {
        let entry =
            |(of, key, said): &(&str, &str, Registered)| (source(of), (*key).to_owned(), said.clone());
        let known: Vec<_> = known.iter().map(entry).collect();
        let table = Table::new(vec![source("first"), source("second")], known);
        let snapshot = Snapshot::default().fold(&table.differs(&Snapshot::default()));
        World { table, snapshot, now: Duration::ZERO }
    }

    pub(super) fn take(&mut self, input: Input) -> String {
        let events = self.table.take(input, self.now);
        self.follow(&events)
    }

    /// The source says this under this key.
    pub(super) fn put(&mut self, of: &str, key: &str, text: &str) -> String {
        let said = said(&source(of), text);
        self.take(Input::Put(source(of), key.to_owned(), Said::Instance(said)))
    }

    /// All under keys that are the instances' names.
    pub(super) fn put_all(&mut self, of: &str, texts: &[&str]) {
        for text in texts {
            self.put(of, text.split(['@', ' ']).next().unwrap(), text);
        }
    }

    pub(super) fn remove(&mut self, of: &str, key: &str, how: Removal) -> String {
        self.take(Input::Removed(source(of), key.to_owned(), how))
    }

    /// The source says exactly this, under keys that are the instances' names.
    pub(super) fn list(&mut self, of: &str, texts: &[&str]) -> String {
        let entry = |text: &&str| {
            let said = said(&source(of), text);
            (text.split(['@', ' ']).next().unwrap().to_owned(), Said::Instance(said))
        };
        let entries: BTreeMap<String, Said> = texts.iter().map(entry).collect();
        self.take(Input::Listed(source(of), entries))
    }

    /// The second that passes until then, one after the other, without an answer of anybody.
    pub(super) fn wait_until(&mut self, seconds: u64) -> String {
        let mut told = Vec::new();
        while self.now < s(seconds) {
            self.now += s(1);
            let events = self.table.step(self.now);
            let text = self.follow(&events);
            if !text.is_empty() {
                told.push(format!("{}s: {text}", self.now.as_secs()));
            }
        }
        told.join("; ")
    }

    /// The same while those who are tried answer like this.
    pub(super) fn live_until(&mut self, seconds: u64, answer: impl Fn(&str) -> Answered) -> String {
        let mut told = Vec::new();
        while self.now < s(seconds) {
            self.now += Duration::from_millis(250);
            let events = self.table.step(self.now);
            let mut text = vec![self.follow(&events)];
            for probed in self.table.probes(self.now) {
                let name = format!("{}/{}", probed.instance.service, probed.instance.id);
                text.push(self.probed(&name, answer(&name)));
            }
            text.retain(|text| !text.is_empty());
            if !text.is_empty() {
                told.push(format!("{}s: {}", self.now.as_secs(), text.join(", ")));
            }
        }
        told.join("; ")
    }

    /// Somebody who was tried answered.
    pub(super) fn probed(&mut self, name: &str, answer: Answered) -> String {
        let (service, id) = name.split_once('/').unwrap();
        self.take(Input::Probed(service.parse().unwrap(), id.parse().unwrap(), answer))
    }

    /// Who is to be tried now.
    pub(super) fn probes(&mut self) -> Vec<String> {
        let name = |of: Registered| format!("{}/{}", of.instance.service, of.instance.id);
        self.table.probes(self.now).into_iter().map(name).collect()
    }

    pub(super) fn version(&mut self, service: &str, version: &str, schema: &str) -> String {
        let digest = Some(Digest::of(schema.as_bytes()));
        let record = VersionRecord { digest, first_seen: Timestamp(5) };
        self.take(Input::Version(service.parse().unwrap(), version.parse().unwrap(), record))
    }

    /// Who is registered, with source and standing: `catalog/a first up`.
    pub(super) fn shows(&self) -> String {
        let text = |of: &Registered| {
            let (service, id) = (&of.instance.service, &of.instance.id);
            format!("{service}/{id} {} {}", of.source, of.standing().as_str())
        };
        self.snapshot.instances().map(text).collect::<Vec<_>>().join(", ")
    }

    /// How many of a service stand like this.
    pub(super) fn standing(&self, service: &str, standing: Standing) -> usize {
        let service: ServiceName = service.parse().unwrap();
        let of = |registered: &&Registered| {
            registered.instance.service == service && registered.standing() == standing
        };
        self.snapshot.instances().filter(of).count()
    }

    pub(super) fn follow(&mut self, events: &[Event]) -> String {
        for event in events {
            let next = self.snapshot.apply(event);
            let unchanged = next.services().eq(self.snapshot.services());
            assert!(!unchanged, "{event:?} changed nothing");
            self.snapshot = next;
        }
        assert_eq!(self.table.differs(&self.snapshot), [], "the snapshot is not what the table shows");
        events.iter().map(text).collect::<Vec<_>>().join(", ")
    }
}

fn text(event: &Event) -> String {
    match event {
        Event::Up(of) => {
            let refused = if of.refused.is_some() { " refused" } else { "" };
            let held = if of.presence == Presence::Held { " held" } else { "" };
            format!("up {}/{}{refused}{held}", of.instance.service, of.instance.id)
        }
        Event::Heard(service, id, presence) => format!("{service}/{id} {presence:?}").to_lowercase(),
        Event::Down(service, id, why) => format!("down {service}/{id} {}", why.as_str()),
        Event::Version(service, version, _) => format!("version {service} {version}"),
    }
}
