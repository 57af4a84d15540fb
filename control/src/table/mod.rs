//! What several sources say, as one registry: who is up, who is suspect, who is gone.
//!
//! Sources tell what is written under their keys. The table turns that into events of one snapshot: entries
//! with one address are one instance, a source of higher rank goes before one of lower rank, and an instance
//! whose registration ended without a goodbye is not gone yet. Time is the monotonic age of the process,
//! handed in by the caller; probes are asked for here and made by the shell.
//!
//! Invariants: who is written down and heard is never told to be gone; no event is without effect; what a
//! listing says is the same whatever was said before it. Here is only what happens in which order; `members`
//! knows who says what, `show` what is made of it, `doubt` and `guard` what becomes of those who vanish.

mod bindings;
mod doubt;
mod guard;
mod members;
mod show;
mod unreadable;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use turnout_schema::{Diagnostic, Severity};

use self::bindings::{Bindings, Learned};
use self::doubt::{Doubt, Due, Stage, Verdict};
use self::guard::Guard;
use self::members::{Claim, Members, Place, takes_calls};
use self::unreadable::Unreadable;
use crate::id::{InstanceId, ServiceName, SourceName, Version};
use crate::registry::{Event, Intent, Presence, Registered, Snapshot, VersionRecord, Why};

/// Instances that are tried at the same time.
const TRIES_MAX: usize = 64;

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

/// What operators should know of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where it was registered.
    pub source: SourceName,
    /// Its service.
    pub service: ServiceName,
    /// Its name inside the service.
    pub id: InstanceId,
    /// What was found.
    pub diagnostic: Diagnostic,
}

/// An instance, whoever says it.
type Name = (ServiceName, InstanceId);

/// Instances that are tried, and whose claims those are: those in doubt and those without a lease.
type Unsure = BTreeMap<Name, Place>;

/// All sources and what they said.
#[derive(Clone, Debug)]
pub struct Table {
    ranked: Vec<SourceName>,
    /// Which instance each key is about.
    keys: BTreeMap<SourceName, BTreeMap<String, Name>>,
    members: Members,
    unsure: Unsure,
    guard: Guard,
    bindings: Bindings,
    unreadable: Unreadable,
}

/// How an entry came to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// It was written.
    Written,
    /// It was there when everything was looked at. That is no heartbeat.
    Seen,
}

impl Table {
    /// A table of these sources, the one that goes first at the front, with the entries that were known
    /// before the start: source, key, and what it said. They tell no event. One whose instance was missing or
    /// held is taken for what that was: an instance that is written nowhere.
    pub fn new(ranked: Vec<SourceName>, known: Vec<(SourceName, String, Registered)>) -> Table {
        let mut table = Table {
            ranked,
            keys: BTreeMap::new(),
            members: Members::default(),
            unsure: BTreeMap::new(),
            guard: Guard::default(),
            bindings: Bindings::default(),
            unreadable: Unreadable::default(),
        };
        let mut touched = BTreeSet::new();
        for (source, key, said) in known {
            let stage = match said.presence {
                Presence::Here | Presence::Silent => {
                    table.write((&source, key), said, Telling::Written, &mut touched);
                    continue;
                }
                Presence::Missing => Stage::Missing,
                Presence::Held => Stage::Held,
            };
            let (name, place) = (name(&said), table.place(&source));
            if table.members.claim(&name, &place).is_none() {
                let doubt = Doubt::new(stage, &said, Duration::ZERO);
                table.members.put(&name, &place, Claim::doubted(said, doubt));
                touched.insert(name);
            }
        }
        table.settle(touched);
        table
    }

    /// Takes up what a source tells.
    pub fn take(&mut self, input: Input, now: Duration) -> Vec<Event> {
        let mut touched = BTreeSet::new();
        match input {
            Input::Listed(source, said) => self.list(&source, said, now, &mut touched),
            Input::Put(source, key, said) => {
                self.tell((&source, key), said, (Telling::Written, now), &mut touched);
            }
            Input::Removed(source, key, how) => {
                self.unreadable.remove(&source, &key);
                self.erase((&source, &key), how, now, &mut touched);
            }
            Input::Heard(source, key, presence) => self.hear(&source, key, presence, &mut touched),
            Input::Version(service, version, record) => return self.learn(service, version, record),
            Input::Probed(service, id, answer) => {
                self.probed((service, id), answer, now, &mut touched);
            }
        }
        self.settle(touched)
    }

    /// What time alone changes. Calling it late or twice is harmless.
    pub fn step(&mut self, now: Duration) -> Vec<Event> {
        self.guard.forget(now);
        let (mut touched, mut spare, mut over) = (BTreeSet::new(), Vec::new(), Vec::new());
        for (name, place) in &self.unsure {
            let Some((doubt, said)) = self.members.tried_mut(name, place) else { continue };
            match doubt.step(said, now) {
                Due::Nothing => {}
                Due::Missing => {
                    touched.insert(name.clone());
                }
                Due::Spare => spare.push((name.clone(), place.clone(), said.instance.version.clone())),
                Due::Over => over.push((name.clone(), place.clone())),
            }
        }
        let mut served: BTreeMap<ServiceName, BTreeSet<Version>> = BTreeMap::new();
        for (name, place, version) in spare {
            let served = served.entry(name.0.clone()).or_insert_with(|| self.members.served(&name.0));
            if served.contains(&version) {
                over.push((name, place));
            } else if let Some((doubt, _)) = self.members.tried_mut(&name, &place) {
                doubt.linger();
            }
        }
        for (name, place) in over {
            self.drop_claim(&name, &place, Why::Expired);
            touched.insert(name);
        }
        self.settle(touched)
    }

    /// Who should be tried now; nobody is named again before it was answered for or its time passed.
    pub fn probes(&mut self, now: Duration) -> Vec<Registered> {
        let (mut due, mut trying) = (Vec::new(), 0);
        for (name, place) in &self.unsure {
            let Some(doubt) = self.members.claim(name, place).and_then(Claim::tried) else { continue };
            trying += usize::from(doubt.is_trying(now));
            due.extend(doubt.due(now).map(|at| (at, name, place)));
        }
        due.sort_by_key(|(at, ..)| *at);
        due.truncate(TRIES_MAX.saturating_sub(trying));
        let mut probes = Vec::new();
        for (_, name, place) in due {
            if let Some((doubt, _)) = self.members.tried_mut(name, place) {
                doubt.attempt(now);
            }
            probes.extend(self.members.claim(name, place).map(Claim::registered));
        }
        probes
    }

    /// Entries that cannot be read, by source and key. At most 128 of each source, and their texts are cut.
    pub fn unreadable(&self) -> Vec<(SourceName, String, Diagnostic)> {
        self.unreadable.all()
    }

    /// What is written under each key, and who is in doubt, under no key of anybody: for [`Table::new`].
    pub fn entries(&self) -> Vec<(SourceName, String, Registered)> {
        self.members.entries()
    }

    /// What operators should know of instances.
    pub fn findings(&self) -> Vec<Finding> {
        let lingering = self.unsure.iter().filter_map(|(name, place)| {
            let claim = self.members.claim(name, place)?;
            let doubt = claim.doubt().filter(|doubt| doubt.stage() == Stage::Lingering);
            doubt.map(|_| lingers(claim.said()))
        });
        lingering.collect()
    }

    /// The events that make of a snapshot what this table shows: none for one that followed all of its
    /// events.
    pub fn differs(&self, snapshot: &Snapshot) -> Vec<Event> {
        let (mut events, mut shown) = (Vec::new(), BTreeSet::new());
        for registered in self.members.shown() {
            let (service, id) = name(registered);
            if snapshot.instance(&service, &id) != Some(registered) {
                events.push(Event::Up(registered.clone()));
            }
            shown.insert((service, id));
        }
        for (service, id) in snapshot.instances().map(name).filter(|name| !shown.contains(name)) {
            events.push(Event::Down(service, id, Why::Expired));
        }
        events
    }

    fn list(
        &mut self,
        source: &SourceName,
        said: BTreeMap<String, Said>,
        now: Duration,
        touched: &mut BTreeSet<Name>,
    ) {
        self.unreadable.clear(source);
        let known = self.keys.get(source).into_iter().flat_map(BTreeMap::keys);
        let gone: Vec<String> = known.filter(|key| !said.contains_key(*key)).cloned().collect();
        // Those who came are counted before those who went.
        for (key, said) in said {
            self.tell((source, key), said, (Telling::Seen, now), touched);
        }
        for key in gone {
            self.erase((source, &key), Removal::Unknown, now, touched);
        }
    }

    fn tell(
        &mut self,
        (source, key): (&SourceName, String),
        said: Said,
        (telling, now): (Telling, Duration),
        touched: &mut BTreeSet<Name>,
    ) {
        match said {
            Said::Instance(said) => {
                self.unreadable.remove(source, &key);
                if let Some(other) = self.write((source, key.clone()), said, telling, touched) {
                    self.withdraw((source, &key), other, (Removal::Goodbye, now), touched);
                }
            }
            Said::Nothing => {
                self.unreadable.remove(source, &key);
                self.erase((source, &key), Removal::Goodbye, now, touched);
            }
            Said::Unreadable(found) => self.unreadable.add(source, &key, found),
        }
    }

    /// An entry says this now; the other instance that it spoke of before.
    fn write(
        &mut self,
        (source, key): (&SourceName, String),
        mut said: Registered,
        telling: Telling,
        touched: &mut BTreeSet<Name>,
    ) -> Option<Name> {
        said.presence = heard(said.presence);
        let (name, place) = (name(&said), self.place(source));
        let before = self.keys.entry(source.clone()).or_default().insert(key.clone(), name.clone());
        let claim = self.members.take(&name, &place);
        let known =
            claim.as_ref().and_then(|claim| claim.entry(&key).or(claim.doubt().map(|_| claim.said())));
        if let Some(known) = known.filter(|known| is_same(known, &said)) {
            said.registered_at = known.registered_at;
            if telling == Telling::Seen {
                said.presence = known.presence;
            }
        }
        let claim = match claim {
            Some(claim) => claim.put(key, said),
            None => Claim::written(key, said),
        };
        self.members.put(&name, &place, claim);
        self.guard.back(&(name.clone(), place));
        touched.insert(name.clone());
        before.filter(|before| *before != name)
    }

    /// An entry is gone.
    fn erase(
        &mut self,
        (source, key): (&SourceName, &str),
        how: Removal,
        now: Duration,
        touched: &mut BTreeSet<Name>,
    ) {
        if let Some(name) = self.keys.get_mut(source).and_then(|keys| keys.remove(key)) {
            self.withdraw((source, key), name, (how, now), touched);
        }
    }

    /// An entry speaks of this instance no longer.
    fn withdraw(
        &mut self,
        (source, key): (&SourceName, &str),
        name: Name,
        (how, now): (Removal, Duration),
        touched: &mut BTreeSet<Name>,
    ) {
        let place = self.place(source);
        let Some(claim) = self.members.take(&name, &place) else { return };
        touched.insert(name.clone());
        let said = match claim.without(key) {
            Ok(claim) => return self.members.put(&name, &place, claim),
            Err(said) => said,
        };
        let leaves = !takes_calls(&said) || self.bindings.contradiction(&said.instance).is_some();
        if leaves || how == Removal::Goodbye {
            let why = if said.instance.intent == Intent::Draining || how == Removal::Goodbye {
                Why::Deregistered
            } else {
                Why::Expired
            };
            self.members.because(&name, why);
        } else {
            let doubt = Doubt::new(Stage::Missing, &said, now);
            self.members.put(&name, &place, Claim::doubted(said.clone(), doubt));
        }
        if !leaves {
            let alive = self.members.alive(&name.0, source);
            for ((name, place), said) in self.guard.ended((name, place), said, alive, now) {
                self.hold(&name, &place, said, now);
                touched.insert(name);
            }
        }
    }

    /// So many went that one is kept for now, in whichever way it went.
    fn hold(&mut self, name: &Name, place: &Place, said: Registered, now: Duration) {
        let doubt = match self.members.claim(name, place) {
            None => Doubt::new(Stage::Held, &said, now),
            Some(claim) => match claim.doubt() {
                None => return,
                Some(doubt) => doubt.clone().held(&said, now),
            },
        };
        self.members.take(name, place);
        self.members.put(name, place, Claim::doubted(said, doubt));
    }

    fn hear(&mut self, source: &SourceName, key: String, presence: Presence, touched: &mut BTreeSet<Name>) {
        let place = self.place(source);
        let Some(name) = self.keys.get(source).and_then(|keys| keys.get(&key)).cloned() else { return };
        let Some(claim) = self.members.take(&name, &place) else { return };
        let claim = match claim.entry(&key).cloned() {
            Some(said) => claim.put(key, Registered { presence: heard(presence), ..said }),
            None => claim,
        };
        self.members.put(&name, &place, claim);
        touched.insert(name);
    }

    fn learn(&mut self, service: ServiceName, version: Version, record: VersionRecord) -> Vec<Event> {
        let learned = self.bindings.record(&service, &version, record);
        if learned == Learned::Nothing {
            return Vec::new();
        }
        let of_version = |registered: &&Registered| {
            registered.instance.service == service && registered.instance.version == version
        };
        let touched = match learned {
            Learned::Nothing | Learned::Something => BTreeSet::new(),
            Learned::Otherwise => self.members.shown().filter(of_version).map(name).collect(),
        };
        let mut events = vec![Event::Version(service, version, record)];
        events.extend(self.settle(touched));
        events
    }

    fn probed(&mut self, name: Name, answer: Answered, now: Duration, touched: &mut BTreeSet<Name>) {
        let Some(place) = self.unsure.get(&name).cloned() else { return };
        let Some((doubt, _)) = self.members.tried_mut(&name, &place) else { return };
        if doubt.answered(&name, answer, now) == Verdict::Lost {
            self.drop_claim(&name, &place, Why::Lost);
            self.guard.dead(&(name.clone(), place));
        }
        touched.insert(name);
    }

    fn drop_claim(&mut self, name: &Name, place: &Place, why: Why) {
        self.members.take(name, place);
        self.members.because(name, why);
    }

    fn settle(&mut self, touched: BTreeSet<Name>) -> Vec<Event> {
        show::settle(&mut self.members, &mut self.bindings, &mut self.unsure, touched)
    }

    /// Sources that nobody ranked come last, by name.
    fn place(&self, source: &SourceName) -> Place {
        let rank = self.ranked.iter().position(|ranked| ranked == source);
        Place { rank: rank.unwrap_or(self.ranked.len()), source: source.clone() }
    }
}

fn name(registered: &Registered) -> Name {
    (registered.instance.service.clone(), registered.instance.id.clone())
}

/// What a source can tell of who is registered: nobody is missing who is written down.
fn heard(presence: Presence) -> Presence {
    match presence {
        Presence::Here | Presence::Missing | Presence::Held => Presence::Here,
        Presence::Silent => Presence::Silent,
    }
}

/// Whether two entries are one registration: all but what is heard of it, and when it was first seen.
fn is_same(known: &Registered, said: &Registered) -> bool {
    let Registered { presence, registered_at, .. } = *known;
    Registered { presence, registered_at, ..said.clone() } == *known
}

fn lingers(said: &Registered) -> Finding {
    let (service, id) = name(said);
    let version = &said.instance.version;
    let diagnostic = Diagnostic {
        severity: Severity::Warning,
        code: "NOT_REGISTERED",
        message: format!(
            "{id} of {service} {version} is not registered any more, and serves because it answers and nobody \
             who is registered does."
        ),
        help: "Restart it, so that it registers again; some libraries give up after an outage of their \
               registry."
            .to_owned(),
    };
    Finding { source: said.source.clone(), service, id, diagnostic }
}

#[cfg(test)]
mod tests;
