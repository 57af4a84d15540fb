//! The one right answer to a question, written from `world` alone.
//!
//! Keys stand in the order of the selection. Ids are of GraphQL's type ID and other 64-bit numbers of a
//! type of their own: both are texts. An enum's value is its name without the prefix of its type, a
//! point in time is RFC 3339 in UTC, and what is absent is null.

use std::collections::BTreeMap;

use prost_types::Timestamp;
use serde_json::Value;

use super::Question;
use crate::wire::bench::reading::Kind;
use crate::wire::bench::{Article, Change, Line, Operator, Reading, Stop, Trip, User};
use crate::wire::people::Person;
use crate::wire::places::Company;
use crate::world;

/// The answer's body, for a question with this value: an id, or how many of a list.
pub(super) fn json(question: Question, value: usize) -> Vec<u8> {
    let data = match question {
        Question::Q1 => [("user", user(&world::users()[value - 1]))],
        Question::Q2 => [("posts", posts(value))],
        Question::Q3 => [("posts", posts_with_users(value))],
        Question::Q4 => [("articles", articles(value))],
        Question::Q5 => [("readings", list(world::readings()[..value].iter().map(reading)))],
        Question::Q6 => [("timetable", timetable(value))],
    };
    object([("data", object(data))]).into_bytes()
}

fn user(user: &User) -> String {
    object([("id", id(user.id)), ("name", text(&user.name)), ("email", text(&user.email))])
}

fn posts(count: usize) -> String {
    list(
        world::posts()[..count].iter().map(|post| {
            object([("id", id(post.id)), ("title", text(&post.title)), ("body", text(&post.body))])
        }),
    )
}

fn posts_with_users(count: usize) -> String {
    let users = world::users();
    list(world::posts()[..count].iter().map(|post| {
        let author = users.iter().find(|user| user.id == post.user_id);
        object([("id", id(post.id)), ("title", text(&post.title)), ("user", or_null(author, user))])
    }))
}

fn articles(count: usize) -> String {
    let companies: BTreeMap<i64, Company> = world::companies().into_iter().map(|it| (it.id, it)).collect();
    let people: BTreeMap<i64, Person> = world::people().into_iter().map(|it| (it.id, it)).collect();
    let person = |person: &Person| {
        let employer = companies.get(&person.company_id);
        object([("id", id(person.id)), ("name", text(&person.name)), ("company", or_null(employer, company))])
    };
    let article = |article: &Article| {
        object([
            ("id", id(article.id)),
            ("title", text(&article.title)),
            ("author", or_null(people.get(&article.author_id), person)),
            ("editor", or_null(people.get(&article.editor_id), person)),
        ])
    };
    list(world::articles()[..count].iter().map(article))
}

fn company(company: &Company) -> String {
    object([("id", id(company.id)), ("name", text(&company.name)), ("country", text(&company.country))])
}

fn reading(reading: &Reading) -> String {
    object([
        ("sequence", reading.sequence.to_string()),
        ("wheels", id(reading.wheels)),
        ("value", float(reading.value)),
        ("plausible", reading.plausible.to_string()),
        ("sensor", text(&reading.sensor)),
        ("station", text(&reading.station)),
        ("firmware", text(&reading.firmware)),
        ("remark", text(&reading.remark)),
        ("kind", kind(reading.kind())),
        ("at", or_null(reading.at.as_ref(), |at: &Timestamp| text(&at.to_string()))),
    ])
}

fn kind(kind: Kind) -> String {
    match kind {
        Kind::Unspecified => "null".to_owned(),
        Kind::Temperature => text("TEMPERATURE"),
        Kind::Pressure => text("PRESSURE"),
        Kind::Vibration => text("VIBRATION"),
    }
}

fn timetable(season: usize) -> String {
    let timetable = world::timetable(season);
    object([
        ("id", id(timetable.id)),
        ("season", text(&timetable.season)),
        ("lines", list(timetable.lines.iter().map(line))),
    ])
}

fn line(line: &Line) -> String {
    let operator = |operator: &Operator| {
        object([("name", text(&operator.name)), ("phone", or_null(operator.phone.as_deref(), text))])
    };
    object([
        ("name", text(&line.name)),
        ("operator", or_null(line.operator.as_ref(), operator)),
        ("trips", list(line.trips.iter().map(trip))),
    ])
}

fn trip(trip: &Trip) -> String {
    object([
        ("number", trip.number.to_string()),
        ("headsign", text(&trip.headsign)),
        ("note", or_null(trip.note.as_deref(), text)),
        ("stops", list(trip.stops.iter().map(stop))),
    ])
}

fn stop(stop: &Stop) -> String {
    let change = |change: &Change| {
        object([("minutes", change.minutes.to_string()), ("reason", or_null(change.reason.as_deref(), text))])
    };
    let station = or_null(stop.station.as_ref(), |station| {
        let position = or_null(station.position.as_ref(), |position| {
            object([("latitude", float(position.latitude)), ("longitude", float(position.longitude))])
        });
        object([("name", text(&station.name)), ("position", position)])
    });
    object([
        ("arrival", text(&stop.arrival)),
        ("departure", text(&stop.departure)),
        ("platform", or_null(stop.platform.as_deref(), text)),
        ("station", station),
        ("change", or_null(stop.change.as_ref(), change)),
    ])
}

fn object<const N: usize>(fields: [(&str, String); N]) -> String {
    let fields = fields.map(|(key, value)| format!("{}:{value}", text(key)));
    format!("{{{}}}", fields.join(","))
}

fn list(items: impl Iterator<Item = String>) -> String {
    format!("[{}]", items.collect::<Vec<_>>().join(","))
}

fn or_null<T: ?Sized>(value: Option<&T>, write: impl FnOnce(&T) -> String) -> String {
    value.map_or_else(|| "null".to_owned(), write)
}

fn id(id: i64) -> String {
    text(&id.to_string())
}

fn float(value: f64) -> String {
    Value::from(value).to_string()
}

fn text(text: &str) -> String {
    Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(question: Question, value: usize) -> String {
        String::from_utf8(json(question, value)).unwrap()
    }

    #[test]
    fn a_joined_article_has_both_people_and_their_companies() {
        assert_eq!(
            answer(Question::Q4, 1),
            concat!(
                r#"{"data":{"articles":[{"id":"1","title":"The switch at the north yard froze again last night.","#,
                r#""author":{"id":"6","name":"Fatou Ørsted","company":{"id":"1","name":"Northern Yard Press","country":"United Kingdom"}},"#,
                r#""editor":{"id":"16","name":"Hana O'Brien","company":{"id":"5","name":"Switchpoint Media","country":"Canada"}}}]}}"#
            )
        );
    }

    #[test]
    fn a_reading_has_every_kind_in_its_own_form() {
        assert!(answer(Question::Q5, 2).ends_with(concat!(
            r#",{"sequence":499,"wheels":"9007199254740016","value":37.01,"plausible":true,"sensor":"sensor-0013","#,
            r#""station":"Łódź Fabryczna","firmware":"v2.8.0-rc.3","remark":"Costs went up by 4 % since March.","#,
            r#""kind":"PRESSURE","at":"2025-12-31T23:59:30.250Z"}]}}"#
        )));
    }

    #[test]
    fn a_timetable_has_about_400_kb() {
        for season in 1..=world::SEASONS {
            let length = json(Question::Q6, season).len();
            assert!((380_000..420_000).contains(&length), "season {season}: {length} bytes");
        }
    }
}
