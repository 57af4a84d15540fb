//! Thousands of random words from two sources, and what must hold after each of them.
//!
//! The model knows only what is written and who lives. From that follow: whoever is written is shown, or one
//! of a source that goes before it at the same addresses; nobody who is written is told to be gone; doubt
//! ends in its time; a table that starts with what another knows shows the same; and after a listing a table
//! shows what a fresh one does.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::{World, s, said, source, unreadable};
use crate::id::SourceName;
use crate::registry::{Endpoint, Event, Presence, Registered, Standing};
use crate::table::{Answered, Input, Name, Removal, Said, Table, name};

const SOURCES: [&str; 2] = ["first", "second"];

/// The longest doubt: held, and missing after that, each for a minute; it may be held ten seconds late, and
/// time is looked at once in a while.
const DOUBT_MAX: Duration = s(60 + 60 + 10 + 10);

/// The longest that one is held.
const HELD_MAX: Duration = s(60 + 10 + 10);

struct Dice(u64);

impl Dice {
    fn below(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.below(sides) == 0
    }
}

/// What is true, whatever the table makes of it.
struct Model {
    dice: Dice,
    world: World,
    written: BTreeMap<(SourceName, String), Registered>,
    /// Since when an instance is in doubt without a break.
    doubted: BTreeMap<Name, Duration>,
    /// Ports at which nobody answers.
    dead: BTreeSet<u16>,
}

fn port(registered: &Registered) -> u16 {
    registered.instance.endpoints[0].port
}

fn addresses(registered: &Registered) -> Vec<String> {
    registered.instance.endpoints.iter().map(Endpoint::url).collect()
}

/// One as if nobody had tried it: a new table has not.
fn untried(registered: &Registered) -> Registered {
    let presence = if registered.lease.is_none() { Presence::Here } else { registered.presence };
    Registered { presence, ..registered.clone() }
}

fn is_registered(registered: &Registered) -> bool {
    matches!(registered.presence, Presence::Here | Presence::Silent)
}

impl Model {
    fn new(seed: u64) -> Model {
        let (written, doubted, dead) = Default::default();
        Model { dice: Dice(seed), world: World::new(), written, doubted, dead }
    }

    fn source(&mut self) -> SourceName {
        source(SOURCES[self.dice.below(2) as usize])
    }

    fn key(&mut self) -> String {
        format!("k{}", self.dice.below(24))
    }

    fn instance(&mut self, source: &SourceName) -> Registered {
        let (service, version) = (self.dice.below(3), 1 + self.dice.below(2));
        let id = self.dice.below(8);
        // Mostly an address of its own; now and then that of another.
        let port = if self.dice.one_in(5) { self.dice.below(8) } else { id };
        let intent = if self.dice.one_in(12) { " drains" } else { "" };
        let lease = if self.dice.one_in(8) { " unleased" } else { "" };
        let weight = if self.dice.one_in(6) { 7 } else { 100 };
        let text = format!(
            "s{service}/{id}@{version}.0.0 at {} schema {version} weighs {weight}{intent}{lease}",
            100 * service + port + 1
        );
        said(source, &text)
    }

    fn step(&mut self) {
        let before: BTreeMap<Name, Registered> =
            self.world.snapshot.instances().map(|of| (name(of), of.clone())).collect();
        let act = self.dice.below(20);
        let events = match act {
            0..7 => self.put(),
            7..12 => self.remove(),
            12 => self.hear(),
            13 => self.garble(),
            14 => self.list(),
            15 => self.revive(),
            _ => self.pass(),
        };
        self.check_events(&before, &events);
        self.check_shown();
        self.note_doubts();
        if act > 15 {
            self.check_doubts();
        }
    }

    fn tell(&mut self, input: Input) -> Vec<Event> {
        let events = self.world.table.take(input, self.world.now);
        self.world.follow(&events);
        events
    }

    fn put(&mut self) -> Vec<Event> {
        let (source, key) = (self.source(), self.key());
        let said = self.instance(&source);
        self.dead.remove(&port(&said));
        self.written.insert((source.clone(), key.clone()), said.clone());
        self.tell(Input::Put(source, key, Said::Instance(said)))
    }

    fn remove(&mut self) -> Vec<Event> {
        let (source, key) = (self.source(), self.key());
        let gone = self.written.remove(&(source.clone(), key.clone()));
        if let Some(gone) = gone
            && self.dice.one_in(2)
        {
            self.dead.insert(port(&gone));
        }
        let input = match self.dice.below(4) {
            0 => Input::Put(source, key, Said::Nothing),
            1 => Input::Removed(source, key, Removal::Goodbye),
            2 => Input::Removed(source, key, Removal::Expired),
            _ => Input::Removed(source, key, Removal::Unknown),
        };
        self.tell(input)
    }

    fn hear(&mut self) -> Vec<Event> {
        let (source, key) = (self.source(), self.key());
        let presence = if self.dice.one_in(2) { Presence::Silent } else { Presence::Here };
        if let Some(said) = self.written.get_mut(&(source.clone(), key.clone())) {
            said.presence = presence;
        }
        self.tell(Input::Heard(source, key, presence))
    }

    fn garble(&mut self) -> Vec<Event> {
        let (source, key) = (self.source(), self.key());
        let events = self.tell(Input::Put(source, key, Said::Unreadable(unreadable("garbage"))));
        assert_eq!(events, []);
        events
    }

    /// Tells all, and now and then some of it is not there any more.
    fn list(&mut self) -> Vec<Event> {
        let source = self.source();
        let loss = [1000, 1000, 4, 2, 1][self.dice.below(5) as usize];
        let of_source: Vec<_> = self.written.keys().filter(|(of, _)| *of == source).cloned().collect();
        for at in of_source {
            if self.dice.one_in(loss) {
                self.written.remove(&at);
            }
        }
        let entry = |((of, key), said): (&(SourceName, String), &Registered)| {
            let said = Registered { presence: Presence::Here, ..said.clone() };
            (*of == source).then(|| (key.clone(), Said::Instance(said)))
        };
        let listing: BTreeMap<String, Said> = self.written.iter().filter_map(entry).collect();
        let events = self.tell(Input::Listed(source, listing));
        self.check_fresh();
        self.check_replay();
        events
    }

    fn revive(&mut self) -> Vec<Event> {
        self.dead.clear();
        Vec::new()
    }

    /// Time passes, and those who are asked answer, mostly.
    fn pass(&mut self) -> Vec<Event> {
        let millis = [100, 1000, 3000, 9000][self.dice.below(4) as usize];
        self.world.now += Duration::from_millis(millis);
        let mut events = self.world.table.step(self.world.now);
        self.world.follow(&events);
        for probed in self.world.table.probes(self.world.now) {
            assert!(!is_registered(&probed) || probed.lease.is_none(), "{probed:?}");
            let answer = if self.dead.contains(&port(&probed)) { Answered::No } else { Answered::Yes };
            if !self.dice.one_in(10) {
                let (service, id) = name(&probed);
                events.extend(self.tell(Input::Probed(service, id, answer)));
            }
        }
        events
    }

    fn check_events(&self, before: &BTreeMap<Name, Registered>, events: &[Event]) {
        for event in events {
            let Event::Down(service, id, _) = event else { continue };
            let gone = (service.clone(), id.clone());
            assert!(before.contains_key(&gone), "{gone:?} was not there");
            for (_, entries) in self.claims().into_iter().filter(|((_, name), _)| *name == gone) {
                let shadows = |other: &Registered| {
                    other.instance.service == *service
                        && other.source != entries[0].source
                        && entries.iter().any(|said| addresses(said) == addresses(other))
                };
                assert!(self.written.values().any(shadows), "{gone:?} is written, and nobody stands for it");
            }
        }
    }

    /// What is written, by source and instance.
    fn claims(&self) -> BTreeMap<(SourceName, Name), Vec<&Registered>> {
        let mut claims: BTreeMap<(SourceName, Name), Vec<&Registered>> = BTreeMap::new();
        for said in self.written.values() {
            claims.entry((said.source.clone(), name(said))).or_default().push(said);
        }
        claims
    }

    fn check_shown(&self) {
        for ((source, (service, id)), entries) in self.claims() {
            let shown = self.world.snapshot.instance(&service, &id).filter(|shown| is_registered(shown));
            let stands = |shown: &Registered| {
                is_registered(shown)
                    && shown.instance.service == service
                    && shown.source < source
                    && entries.iter().any(|said| addresses(said) == addresses(shown))
            };
            match shown {
                Some(shown) => assert!(shown.source <= source),
                None => assert!(self.world.snapshot.instances().any(stands), "{service}/{id} is not shown"),
            }
        }
        for shown in self.world.snapshot.instances().filter(|shown| is_registered(shown)) {
            let writes = |said: &Registered| name(said) == name(shown) && said.source == shown.source;
            assert!(self.written.values().any(writes), "{shown:?} is written nowhere");
        }
    }

    fn note_doubts(&mut self) {
        let in_doubt = self.world.snapshot.instances().filter(|of| !is_registered(of));
        let in_doubt: BTreeSet<Name> = in_doubt.map(name).collect();
        self.doubted.retain(|name, _| in_doubt.contains(name));
        for name in in_doubt {
            self.doubted.entry(name).or_insert(self.world.now);
        }
    }

    /// Time has been looked at.
    fn check_doubts(&self) {
        for (name, since) in &self.doubted {
            let age = self.world.now - *since;
            let doubted = self.world.snapshot.instance(&name.0, &name.1).unwrap();
            let serves = |other: &Registered| {
                other.standing() == Standing::Up
                    && other.instance.service == name.0
                    && other.instance.version == doubted.instance.version
            };
            let alone = !self.world.snapshot.instances().any(serves);
            assert!(age <= DOUBT_MAX || alone, "{name:?} for {age:?}");
            assert!(age <= HELD_MAX || doubted.presence == Presence::Missing, "{name:?} for {age:?}");
        }
    }

    /// A table that never heard anything else.
    fn check_fresh(&self) {
        let mut fresh = World::new();
        for of in SOURCES {
            let entry = |((of, key), said): (&(SourceName, String), &Registered)| {
                (of.clone(), key.clone(), said.clone())
            };
            for (of, key, said) in self.written.iter().map(entry).filter(|(source, ..)| source.as_str() == of)
            {
                fresh.take(Input::Put(of, key, Said::Instance(said)));
            }
        }
        let here = |world: &World| {
            let registered = world.snapshot.instances().filter(|shown| is_registered(shown));
            registered.map(untried).collect::<Vec<_>>()
        };
        assert_eq!(here(&self.world), here(&fresh));
    }

    /// A table that begins with what this one knows.
    fn check_replay(&self) {
        let written = self.written.iter().map(|((of, key), said)| (of.clone(), key.clone(), said.clone()));
        let doubted = self.world.snapshot.instances().filter(|shown| !is_registered(shown));
        let doubted = doubted.map(|shown| (shown.source.clone(), String::new(), shown.clone()));
        let known = written.chain(doubted).collect();
        let replayed = Table::new(SOURCES.map(source).to_vec(), known);
        let differs = replayed.differs(&self.world.snapshot);
        let leased = |event: &&Event| !matches!(event, Event::Up(shown) if shown.lease.is_none());
        assert_eq!(differs.iter().find(leased), None);
    }
}

#[test]
fn whatever_is_said_in_whichever_order_the_rules_hold() {
    let (mut held, mut lost, mut lingered) = (0, 0, 0);
    for seed in 0..8 {
        let mut model = Model::new(seed);
        for _ in 0..1500 {
            model.step();
            let holds = |of: &Registered| of.presence == Presence::Held;
            held += usize::from(model.world.snapshot.instances().any(holds));
            lingered += usize::from(!model.world.table.findings().is_empty());
            lost += usize::from(!model.dead.is_empty());
        }
    }
    // A simulation in which nothing happens proves nothing.
    assert!(held > 100 && lost > 100 && lingered > 100, "{held} {lost} {lingered}");
}
