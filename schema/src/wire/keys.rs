//! Which keys does the next wave need, and which item of a response is whose?
//!
//! Keys are walked for from the root of a plan through everything that was brought, obeying `@skip` and
//! `@include` as the writer will, so that nothing is asked for that will not be written. A key is brought into
//! the form that the request takes before it is compared with another: an order may hold as text what a
//! user has as a number. One that the request has no room for is nobody's key and is left out. Where protobuf
//! does not tell zero from nothing, zero and the empty text are no key.

use hashbrown::{DefaultHashBuilder, HashMap, HashSet};
use indexmap::IndexSet;

use super::answers::{Answers, Found, Held, Outcome, Place};
use super::index::{Cell, Message, Response};
use super::key::{self, Key};
use super::scan;
use crate::graph::{Count, Kind, Read, Wire};
use crate::plan::{Answer, Call, Holds, Inside, Join, Keyed, Plan, Value};

/// The keys that the fetches of one wave need: for each fetch in the wave, each key once, in the order in
/// which they are met. A fetch without keys is not in it, and need not be called.
pub fn collect(
    plan: &Plan,
    holds: &Holds,
    answers: &Answers,
    (stage, wave): (usize, usize),
) -> Vec<(usize, Vec<Held>)> {
    let mut walk = Walk { plan, holds, answers, wave, needed: Vec::new(), been: HashSet::new() };
    let Some(root) = plan.selections.get(plan.root) else { return Vec::new() };
    for turn in &root.turns {
        if !holds.is(turn.when) || turn.unless.is_some_and(|unless| holds.is(Some(unless))) {
            continue;
        }
        if let Some(Value::Call { fetch, answer }) = root.outputs.get(turn.output).map(|output| &output.value)
            && plan.fetches[*fetch].stage == stage
            && let Outcome::Whole(place) = answers.outcome(*fetch)
        {
            walk.answer(answer, *place, None);
        }
    }
    walk.needed.into_iter().map(|(fetch, keys)| (fetch, keys.into_iter().collect())).collect()
}

/// What a response to one key alone holds for it.
pub fn alone(keyed: &Keyed, place: Place, response: &Response) -> Found {
    let Some(items) = &keyed.items else { return Found::One(place, response.root()) };
    match response.cell(response.root(), items.slot) {
        Cell::Message(message) => Found::One(place, message),
        list @ Cell::List(_) => gathered(response.items(list).filter_map(message).map(|item| (place, item))),
        Cell::Absent | Cell::Number(_) | Cell::Span(_) | Cell::Joined(_) | Cell::Present => Found::Missing,
    }
}

/// What the response of a batch holds for each key that has an item in it.
pub fn matched(keyed: &Keyed, place: Place, response: &Response) -> Vec<(Held, Found)> {
    let Some((items, (slot, read))) =
        keyed.items.as_ref().and_then(|items| Some((items, items.key.as_ref()?)))
    else {
        return Vec::new();
    };
    let mut all: Vec<(Held, Found)> = Vec::new();
    let mut places: HashMap<Held, usize> = HashMap::new();
    let list = response.cell(response.root(), items.slot);
    for item in response.items(list).filter_map(message) {
        let cell = response.cell(item, *slot);
        let Some(key) = read_key(response, cell, read).or_else(|| zero(cell, read)) else { continue };
        let Some(key) = normal(&keyed.request, key) else { continue };
        match places.get(&key.as_key()) {
            Some(known) => all[*known].1.add((place, item)),
            None => {
                places.insert(key.as_key().into(), all.len());
                all.push((key.as_key().into(), Found::One(place, item)));
            }
        }
    }
    all
}

/// A key in the form that a request field takes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Normal<'k> {
    /// As it was.
    Same(Key<'k>),
    /// As another kind.
    Other(Held),
}

impl Normal<'_> {
    /// The key.
    pub fn as_key(&self) -> Key<'_> {
        match self {
            Normal::Same(key) => *key,
            Normal::Other(held) => held.as_key(),
        }
    }
}

/// A key in the form that a request field takes; `None` when it has no room for it.
pub fn normal<'k>(field: &Read, key: Key<'k>) -> Option<Normal<'k>> {
    let wire = match &field.kind {
        Kind::Scalar(wire, _) | Kind::Wrapper(wire, _) => *wire,
        Kind::Enum(_) | Kind::Message(_) | Kind::Group(_) | Kind::WellKnown(_) => return None,
    };
    key::normal(wire, key)
}

/// The keys that a join starts from, in the form that its request takes, where it starts from a list of them.
pub fn of_list<'r>(
    plan: &'r Plan,
    join: &'r Join,
    response: &'r Response,
    message: Message,
) -> impl Iterator<Item = Normal<'r>> {
    let request = request(plan, join);
    let keys = response.items(response.cell(message, join.slot));
    keys.filter_map(move |cell| normal(request?, read_key(response, cell, &join.key)?))
}

/// The one key that a join starts from, in the form that its request takes.
#[inline]
pub fn of_one<'r>(
    plan: &'r Plan,
    join: &'r Join,
    response: &'r Response,
    message: Message,
) -> Option<Normal<'r>> {
    let key = read_key(response, response.cell(message, join.slot), &join.key)?;
    let is_none = match join.key.count {
        Count::Implicit | Count::EmptyAsNull => key.is_zero(),
        Count::Optional | Count::Required | Count::Repeated | Count::Map => false,
    };
    if is_none { None } else { normal(request(plan, join)?, key) }
}

/// Whether a join starts from a list of keys.
pub fn is_list(join: &Join) -> bool {
    matches!(join.key.count, Count::Repeated | Count::Map)
}

#[inline]
fn request<'r>(plan: &'r Plan, join: &Join) -> Option<&'r Read> {
    match &plan.fetches.get(join.fetch)?.call {
        Call::Keyed(keyed) => Some(&keyed.request),
        Call::Once | Call::Stream => None,
    }
}

/// The key in a cell; `None` when there is none.
fn read_key<'r>(response: &'r Response, cell: Cell, read: &Read) -> Option<Key<'r>> {
    let text = |bytes| simdutf8::basic::from_utf8(bytes).ok().map(Key::Text);
    match (&read.kind, cell) {
        (Kind::Scalar(Wire::String, _), Cell::Span(_)) => text(response.bytes(cell)),
        (Kind::Scalar(Wire::Bytes, _), Cell::Span(_)) => Some(Key::Bytes(response.bytes(cell))),
        (Kind::Scalar(wire, _), Cell::Number(bits)) => scan::integer(*wire, bits).map(Key::Integer),
        (Kind::Wrapper(wire, _), Cell::Span(_) | Cell::Joined(_)) => {
            match (wire, scan::wrapped(response.bytes(cell), *wire).ok()?) {
                (Wire::String, scan::Value::Bytes(bytes)) => text(bytes),
                (Wire::Bytes, scan::Value::Bytes(bytes)) => Some(Key::Bytes(bytes)),
                (_, scan::Value::Number(bits)) => scan::integer(*wire, bits).map(Key::Integer),
                (_, scan::Value::Bytes(_)) => None,
            }
        }
        _ => None,
    }
}

/// The zero that an absent field of an item means: in a list of keys it may well have been asked for.
fn zero(cell: Cell, read: &Read) -> Option<Key<'static>> {
    match (cell, read.count, &read.kind) {
        (Cell::Absent, Count::Implicit, Kind::Scalar(Wire::String, _)) => Some(Key::Text("")),
        (Cell::Absent, Count::Implicit, Kind::Scalar(Wire::Bytes, _)) => Some(Key::Bytes(&[])),
        (Cell::Absent, Count::Implicit, Kind::Scalar(wire, _)) => scan::integer(*wire, 0).map(Key::Integer),
        _ => None,
    }
}

fn message(cell: Cell) -> Option<Message> {
    match cell {
        Cell::Message(message) => Some(message),
        Cell::Absent | Cell::Number(_) | Cell::Span(_) | Cell::Joined(_) | Cell::List(_) | Cell::Present => {
            None
        }
    }
}

fn gathered(mut all: impl Iterator<Item = (Place, Message)>) -> Found {
    let Some((place, first)) = all.next() else { return Found::Missing };
    let mut found = Found::One(place, first);
    all.for_each(|item| found.add(item));
    found
}

impl Found {
    /// One item more with the same key.
    fn add(&mut self, item: (Place, Message)) {
        *self = match std::mem::take(self) {
            Found::Missing | Found::Failed(_) => Found::One(item.0, item.1),
            Found::One(place, first) => Found::Many(vec![(place, first), item]),
            Found::Many(mut all) => {
                all.push(item);
                Found::Many(all)
            }
        };
    }

    /// The messages, none when there are none.
    pub fn messages(&self) -> impl Iterator<Item = (Place, Message)> {
        let (one, many) = match self {
            Found::Missing | Found::Failed(_) => (None, &[][..]),
            Found::One(place, message) => (Some((*place, *message)), &[][..]),
            Found::Many(all) => (None, all.as_slice()),
        };
        one.into_iter().chain(many.iter().copied())
    }
}

/// Each key once, in the order in which they were met.
type Keys = IndexSet<Held, DefaultHashBuilder>;

struct Walk<'a> {
    plan: &'a Plan,
    holds: &'a Holds,
    answers: &'a Answers,
    wave: usize,
    needed: Vec<(usize, Keys)>,
    /// What was walked through behind a join: many may lead to one entity.
    been: HashSet<(usize, u32, Message)>,
}

impl<'a> Walk<'a> {
    fn answer(&mut self, answer: &Answer, place: Place, item: Option<Message>) {
        let answers = self.answers;
        let Some(response) = answers.response(place) else { return };
        let message = item.unwrap_or_else(|| response.root());
        match answer {
            Answer::Message(selection) | Answer::Item(selection) | Answer::Items(selection) => {
                self.object(*selection, (place, response), message);
            }
            Answer::Field(cell) => {
                self.inside(cell.inside, (place, response), response.cell(message, cell.slot))
            }
        }
    }

    fn inside(&mut self, inside: Inside, of: (Place, &'a Response), cell: Cell) {
        let selection = match inside {
            Inside::Object(selection) | Inside::Entries { selection, .. } => selection,
            Inside::Leaf | Inside::Enum(_) => return,
        };
        if !self.plan.selections.get(selection).is_some_and(|selection| selection.joins) {
            return;
        }
        match cell {
            Cell::Message(message) => self.object(selection, of, message),
            list @ Cell::List(_) => {
                of.1.items(list).filter_map(message).for_each(|item| self.object(selection, of, item));
            }
            Cell::Absent | Cell::Number(_) | Cell::Span(_) | Cell::Joined(_) | Cell::Present => {}
        }
    }

    /// As deep as the plan's selections are nested.
    fn object(&mut self, selection: usize, of: (Place, &'a Response), message: Message) {
        let plan = self.plan;
        let Some(selection) = plan.selections.get(selection).filter(|selection| selection.joins) else {
            return;
        };
        for turn in &selection.turns {
            let is_due =
                self.holds.is(turn.when) && !turn.unless.is_some_and(|unless| self.holds.is(Some(unless)));
            let Some(output) = selection.outputs.get(turn.output).filter(|_| is_due) else { continue };
            match &output.value {
                Value::Join(join) => self.join(join, of.1, message),
                Value::Cell(cell) => self.inside(cell.inside, of, of.1.cell(message, cell.slot)),
                Value::Choice(members) => {
                    for member in members {
                        match (of.1.cell(message, member.slot), member.wrapped) {
                            (Cell::Absent, _) => {}
                            (_, true) => self.object(member.selection, of, message),
                            (cell, false) => self.inside(Inside::Object(member.selection), of, cell),
                        }
                    }
                }
                Value::Typename | Value::Ok | Value::Introspection | Value::Case(_) | Value::Call { .. } => {}
            }
        }
    }

    fn join(&mut self, join: &'a Join, response: &'a Response, message: Message) {
        let plan = self.plan;
        let wave = plan.fetches.get(join.fetch).map(|fetch| fetch.wave);
        if wave.is_none_or(|wave| wave > self.wave) {
            return;
        }
        let step = if wave == Some(self.wave) { Walk::need } else { Walk::through };
        if is_list(join) {
            of_list(plan, join, response, message).for_each(|key| step(self, join, &key));
        } else if let Some(key) = of_one(plan, join, response, message) {
            step(self, join, &key);
        }
    }

    /// Notes a key.
    fn need(&mut self, join: &'a Join, key: &Normal<'_>) {
        let needed = self.needed(join.fetch);
        let keys = &mut self.needed[needed].1;
        if !keys.contains(&key.as_key()) {
            keys.insert(Held::from(key.as_key()));
        }
    }

    /// Goes on in what an earlier wave brought for a key.
    fn through(&mut self, join: &'a Join, key: &Normal<'_>) {
        let answers = self.answers;
        let Outcome::Keyed(by_key) = answers.outcome(join.fetch) else { return };
        let Some(found) = by_key.get(&key.as_key()) else { return };
        let selection = match &join.answer {
            Answer::Message(selection) | Answer::Item(selection) | Answer::Items(selection) => *selection,
            // Several of these may lie in one response, each with a selection of its own.
            Answer::Field(field) => match field.inside {
                Inside::Object(selection) | Inside::Entries { selection, .. } => selection,
                Inside::Leaf | Inside::Enum(_) => return,
            },
        };
        for (place, item) in found.messages() {
            if self.been.insert((selection, place.number(), item)) {
                self.answer(&join.answer, place, Some(item));
            }
        }
    }

    fn needed(&mut self, fetch: usize) -> usize {
        if let Some(known) = self.needed.iter().position(|(known, _)| *known == fetch) {
            return known;
        }
        self.needed.push((fetch, Keys::default()));
        self.needed.len() - 1
    }
}
