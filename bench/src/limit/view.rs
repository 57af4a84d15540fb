//! The selected fields of each message, in the order and the form in which GraphQL answers.
//!
//! Views borrow from the decoded messages: nothing but what is shared by many is built before it is
//! written.

use std::collections::HashMap;

use prost_types::Timestamp;
use serde::{Serialize, Serializer};

use crate::wire::bench::reading::Kind;
use crate::wire::bench::{
    Article, Change, Line, Operator, Position, Post, Reading, Station, Stop, Timetable, Trip, User,
};
use crate::wire::people::Person;
use crate::wire::places::Company;

/// A 64-bit number, which JSON cannot hold: text outside.
#[derive(Clone, Copy)]
pub(super) struct Text64(i64);

impl Serialize for Text64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize, Clone, Copy)]
pub(super) struct UserView<'a> {
    id: Text64,
    name: &'a str,
    email: &'a str,
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self { id: Text64(user.id), name: &user.name, email: &user.email }
    }
}

#[derive(Serialize)]
pub(super) struct PostView<'a> {
    id: Text64,
    title: &'a str,
    body: &'a str,
}

impl<'a> From<&'a Post> for PostView<'a> {
    fn from(post: &'a Post) -> Self {
        Self { id: Text64(post.id), title: &post.title, body: &post.body }
    }
}

#[derive(Serialize)]
pub(super) struct JoinedPostView<'a> {
    id: Text64,
    title: &'a str,
    user: Option<UserView<'a>>,
}

impl<'a> JoinedPostView<'a> {
    pub(super) fn new(post: &'a Post, users: &HashMap<i64, UserView<'a>>) -> Self {
        Self { id: Text64(post.id), title: &post.title, user: users.get(&post.user_id).copied() }
    }
}

#[derive(Serialize, Clone, Copy)]
pub(super) struct CompanyView<'a> {
    id: Text64,
    name: &'a str,
    country: &'a str,
}

impl<'a> From<&'a Company> for CompanyView<'a> {
    fn from(company: &'a Company) -> Self {
        Self { id: Text64(company.id), name: &company.name, country: &company.country }
    }
}

#[derive(Serialize, Clone, Copy)]
pub(super) struct PersonView<'a> {
    id: Text64,
    name: &'a str,
    company: Option<CompanyView<'a>>,
}

impl<'a> PersonView<'a> {
    pub(super) fn new(person: &'a Person, companies: &HashMap<i64, CompanyView<'a>>) -> Self {
        let company = companies.get(&person.company_id).copied();
        Self { id: Text64(person.id), name: &person.name, company }
    }
}

#[derive(Serialize)]
pub(super) struct ArticleView<'a> {
    id: Text64,
    title: &'a str,
    author: Option<PersonView<'a>>,
    editor: Option<PersonView<'a>>,
}

impl<'a> ArticleView<'a> {
    pub(super) fn new(article: &'a Article, people: &HashMap<i64, PersonView<'a>>) -> Self {
        Self {
            id: Text64(article.id),
            title: &article.title,
            author: people.get(&article.author_id).copied(),
            editor: people.get(&article.editor_id).copied(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ReadingView<'a> {
    sequence: i32,
    wheels: Text64,
    value: f64,
    plausible: bool,
    sensor: &'a str,
    station: &'a str,
    firmware: &'a str,
    remark: &'a str,
    kind: Option<&'static str>,
    at: Option<Rfc3339>,
}

impl<'a> From<&'a Reading> for ReadingView<'a> {
    fn from(reading: &'a Reading) -> Self {
        Self {
            sequence: reading.sequence,
            wheels: Text64(reading.wheels),
            value: reading.value,
            plausible: reading.plausible,
            sensor: &reading.sensor,
            station: &reading.station,
            firmware: &reading.firmware,
            remark: &reading.remark,
            kind: match reading.kind() {
                Kind::Unspecified => None,
                Kind::Temperature => Some("TEMPERATURE"),
                Kind::Pressure => Some("PRESSURE"),
                Kind::Vibration => Some("VIBRATION"),
            },
            at: reading.at.map(Rfc3339),
        }
    }
}

struct Rfc3339(Timestamp);

impl Serialize for Rfc3339 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

#[derive(Serialize)]
pub(super) struct TimetableView<'a> {
    id: Text64,
    season: &'a str,
    lines: Vec<LineView<'a>>,
}

impl<'a> From<&'a Timetable> for TimetableView<'a> {
    fn from(timetable: &'a Timetable) -> Self {
        let lines = timetable.lines.iter().map(LineView::from).collect();
        Self { id: Text64(timetable.id), season: &timetable.season, lines }
    }
}

#[derive(Serialize)]
struct LineView<'a> {
    name: &'a str,
    operator: Option<OperatorView<'a>>,
    trips: Vec<TripView<'a>>,
}

impl<'a> From<&'a Line> for LineView<'a> {
    fn from(line: &'a Line) -> Self {
        Self {
            name: &line.name,
            operator: line.operator.as_ref().map(OperatorView::from),
            trips: line.trips.iter().map(TripView::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct OperatorView<'a> {
    name: &'a str,
    phone: Option<&'a str>,
}

impl<'a> From<&'a Operator> for OperatorView<'a> {
    fn from(operator: &'a Operator) -> Self {
        Self { name: &operator.name, phone: operator.phone.as_deref() }
    }
}

#[derive(Serialize)]
struct TripView<'a> {
    number: i32,
    headsign: &'a str,
    note: Option<&'a str>,
    stops: Vec<StopView<'a>>,
}

impl<'a> From<&'a Trip> for TripView<'a> {
    fn from(trip: &'a Trip) -> Self {
        Self {
            number: trip.number,
            headsign: &trip.headsign,
            note: trip.note.as_deref(),
            stops: trip.stops.iter().map(StopView::from).collect(),
        }
    }
}

#[derive(Serialize)]
struct StopView<'a> {
    arrival: &'a str,
    departure: &'a str,
    platform: Option<&'a str>,
    station: Option<StationView<'a>>,
    change: Option<ChangeView<'a>>,
}

impl<'a> From<&'a Stop> for StopView<'a> {
    fn from(stop: &'a Stop) -> Self {
        Self {
            arrival: &stop.arrival,
            departure: &stop.departure,
            platform: stop.platform.as_deref(),
            station: stop.station.as_ref().map(StationView::from),
            change: stop.change.as_ref().map(ChangeView::from),
        }
    }
}

#[derive(Serialize)]
struct StationView<'a> {
    name: &'a str,
    position: Option<PositionView>,
}

impl<'a> From<&'a Station> for StationView<'a> {
    fn from(station: &'a Station) -> Self {
        Self { name: &station.name, position: station.position.as_ref().map(PositionView::from) }
    }
}

#[derive(Serialize)]
struct PositionView {
    latitude: f64,
    longitude: f64,
}

impl From<&Position> for PositionView {
    fn from(position: &Position) -> Self {
        Self { latitude: position.latitude, longitude: position.longitude }
    }
}

#[derive(Serialize)]
struct ChangeView<'a> {
    minutes: i32,
    reason: Option<&'a str>,
}

impl<'a> From<&'a Change> for ChangeView<'a> {
    fn from(change: &'a Change) -> Self {
        Self { minutes: change.minutes, reason: change.reason.as_deref() }
    }
}
