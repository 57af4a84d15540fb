//! How frontends and assignments are written down: which key, and which JSON.
//!
//! A frontend's record has all that a gateway needs to serve it: what it was built for, and the operations it
//! sends, so that a newcomer among services can be held against them. Its page is not in it: that is files.
//! Fields of newer builds are passed over.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use turnout_schema::Digest;

use super::{App, Frontend, Frontends, Lifecycle, Pin, Rule, Who};
use crate::id::{AppName, FrontendId, Timestamp};
use crate::records::{Key, Kind, Records};
use crate::slot::Weight;

/// A frontend version as it was published.
#[derive(Clone, Debug, PartialEq)]
pub struct Published {
    /// What it was built for.
    pub frontend: Frontend,
    /// The operations it sends.
    pub documents: Vec<Document>,
    /// When it was published.
    pub at: Timestamp,
}

/// An operation that a frontend sends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Document {
    /// What clients call it: a file's name, or a persisted document's id.
    pub id: String,
    /// Its text.
    pub text: String,
}

/// The key of a frontend.
pub fn key(frontend: &FrontendId) -> Key {
    Key::new(Kind::Frontend, &frontend.to_string()).expect("a frontend's name is a name of a record")
}

/// The key of an app's assignment.
pub fn app_key(app: &AppName) -> Key {
    Key::new(Kind::Assignment, app.as_str()).expect("an app's name is a name of a record")
}

/// The record of a frontend.
pub fn write(published: &Published) -> Vec<u8> {
    let Published { frontend, documents, at } = published;
    let pin = |pin: &Pin| json!({ "range": pin.range.to_string(), "optional": pin.optional });
    let pins: Map<String, Value> =
        frontend.pins.iter().map(|(service, one)| (service.to_string(), pin(one))).collect();
    let caps: Map<String, Value> =
        frontend.caps.iter().map(|(service, cap)| (service.to_string(), cap.as_ppm().into())).collect();
    let documents: Vec<Value> =
        documents.iter().map(|document| json!({ "id": document.id, "text": document.text })).collect();
    let record = json!({
        "v": 1,
        "state": frontend.state.as_str(),
        "pins": pins,
        "caps": caps,
        "documents": documents,
        "at": at.0,
    });
    record.to_string().into_bytes()
}

/// Reads the record of a frontend.
pub fn read(id: &FrontendId, record: &[u8]) -> Result<Published, String> {
    let fields = object(record)?;
    let state = fields.get("state").and_then(Value::as_str).and_then(Lifecycle::of);
    let mut pins = BTreeMap::new();
    for (service, pin) in members(&fields, "pins")? {
        let range = pin.get("range").and_then(Value::as_str).and_then(|range| range.parse().ok());
        let range = range.ok_or_else(|| format!("its pin of {service} is no range"))?;
        let optional = pin.get("optional").and_then(Value::as_bool).unwrap_or(false);
        pins.insert(name(&service)?, Pin { range, optional });
    }
    let mut caps = BTreeMap::new();
    for (service, cap) in members(&fields, "caps")? {
        let cap = cap.as_u64().and_then(|ppm| u32::try_from(ppm).ok()).and_then(Weight::ppm);
        caps.insert(name(&service)?, cap.ok_or_else(|| format!("its cap of {service} is no weight"))?);
    }
    let documents = fields.get("documents").and_then(Value::as_array).into_iter().flatten();
    let document = |document: &Value| {
        let text = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
        Some(Document { id: text("id")?, text: text("text")? })
    };
    let documents: Option<Vec<Document>> = documents.map(document).collect();
    Ok(Published {
        frontend: Frontend { id: id.clone(), state: state.ok_or("it has no \"state\"")?, pins, caps },
        documents: documents.ok_or("one of its documents has no id or no text")?,
        at: Timestamp(fields.get("at").and_then(Value::as_u64).unwrap_or_default()),
    })
}

/// The file that a record was last taken from, by its content; `None` for one that an operator wrote.
pub fn file(record: &[u8]) -> Option<Digest> {
    object(record).ok()?.get("file")?.as_str()?.parse().ok()
}

/// The record, with the file that it was last taken from. Whoever writes it otherwise keeps what it says.
pub fn with_file(record: &[u8], file: Option<Digest>) -> Vec<u8> {
    let Ok(mut fields) = object(record) else { return record.to_vec() };
    fields.remove("file");
    fields.extend(file.map(|file| ("file".to_owned(), file.to_string().into())));
    Value::Object(fields).to_string().into_bytes()
}

/// The record without the texts of its operations, for those who read who changed what: how many there are,
/// and the digest of all.
pub fn summary(record: &[u8]) -> String {
    let Ok(mut fields) = object(record) else { return String::from_utf8_lossy(record).into_owned() };
    if let Some(Value::Array(documents)) = fields.remove("documents") {
        let digest = Digest::of(Value::Array(documents.clone()).to_string().as_bytes());
        let short = json!({ "count": documents.len(), "digest": digest.to_string() });
        fields.insert("documents".to_owned(), short);
    }
    Value::Object(fields).to_string()
}

/// The record of an app's assignment.
pub fn write_app(app: &App) -> Vec<u8> {
    let rule = |rule: &Rule| {
        let mut fields = Map::new();
        fields.insert("to".to_owned(), rule.to.to_string().into());
        match &rule.who {
            Who::Customers(names) => fields.insert("customers".to_owned(), json!(names)),
            Who::Segment(name) => fields.insert("segment".to_owned(), json!(name)),
            Who::Share(share, salt) => {
                fields.insert("share_ppm".to_owned(), share.as_ppm().into());
                fields.insert("salt".to_owned(), json!(salt))
            }
        };
        for (name, time) in [("from", rule.from), ("until", rule.until)] {
            fields.extend(time.map(|time| (name.to_owned(), time.0.into())));
        }
        Value::Object(fields)
    };
    let rules: Vec<Value> = app.rules.iter().map(rule).collect();
    json!({ "v": 1, "default": app.default.to_string(), "rules": rules }).to_string().into_bytes()
}

/// Reads the record of an app's assignment.
pub fn read_app(name: &AppName, record: &[u8]) -> Result<App, String> {
    let fields = object(record)?;
    let version = |fields: &Map<String, Value>, name: &str| {
        fields.get(name).and_then(Value::as_str).and_then(|text| text.parse().ok())
    };
    let mut rules = Vec::new();
    for (at, rule) in fields.get("rules").and_then(Value::as_array).into_iter().flatten().enumerate() {
        let wrong = || format!("its rule {at} cannot be read");
        let rule = rule.as_object().ok_or_else(wrong)?;
        let time = |name: &str| rule.get(name).and_then(Value::as_u64).map(Timestamp);
        let who = who(rule).ok_or_else(wrong)?;
        let to = version(rule, "to").ok_or_else(wrong)?;
        rules.push(Rule { to, who, from: time("from"), until: time("until") });
    }
    let default = version(&fields, "default").ok_or("it has no \"default\"")?;
    Ok(App { name: name.clone(), default, rules })
}

fn who(rule: &Map<String, Value>) -> Option<Who> {
    if let Some(customers) = rule.get("customers") {
        let names = customers.as_array()?.iter().map(|name| name.as_str().map(str::to_owned));
        return names.collect::<Option<BTreeSet<String>>>().map(Who::Customers);
    }
    if let Some(segment) = rule.get("segment") {
        return segment.as_str().map(|name| Who::Segment(name.to_owned()));
    }
    let share = u32::try_from(rule.get("share_ppm")?.as_u64()?).ok().and_then(Weight::ppm)?;
    Some(Who::Share(share, rule.get("salt")?.as_str()?.to_owned()))
}

impl Frontends {
    /// What the records say, and which of them say nothing that can be read. `default` is the app of callers
    /// who name none; without it the only app is.
    pub fn read(records: &Records, default: Option<&AppName>) -> (Frontends, Vec<(Key, String)>) {
        let (mut frontends, mut unreadable) = (Frontends::default(), Vec::new());
        for (key, record) in records.of(Kind::Frontend) {
            let id = key.name().parse::<FrontendId>().map_err(|error| error.to_string());
            match id.and_then(|id| read(&id, &record.value)) {
                Ok(published) => {
                    frontends.published.insert(published.frontend.id.clone(), published.frontend);
                }
                Err(why) => unreadable.push((key.clone(), why)),
            }
        }
        for (key, record) in records.of(Kind::Assignment) {
            let name = key.name().parse::<AppName>().map_err(|error| error.to_string());
            match name.and_then(|name| read_app(&name, &record.value)) {
                Ok(app) => {
                    frontends.apps.insert(app.name.clone(), app);
                }
                Err(why) => unreadable.push((key.clone(), why)),
            }
        }
        let only = || frontends.apps.keys().next().filter(|_| frontends.apps.len() == 1);
        frontends.default = default.or_else(only).cloned();
        (frontends, unreadable)
    }
}

fn object(record: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(record) {
        Ok(Value::Object(fields)) if fields.get("v").and_then(Value::as_u64) == Some(1) => Ok(fields),
        Ok(Value::Object(_)) => Err("its format is not 1".to_owned()),
        Ok(_) => Err("it is no object".to_owned()),
        Err(error) => Err(format!("it is no JSON: {error}")),
    }
}

fn members(fields: &Map<String, Value>, name: &str) -> Result<Map<String, Value>, String> {
    match fields.get(name) {
        None => Ok(Map::new()),
        Some(Value::Object(members)) => Ok(members.clone()),
        Some(_) => Err(format!("its {name:?} is no object")),
    }
}

fn name<T: std::str::FromStr>(text: &str) -> Result<T, String>
where
    T::Err: std::fmt::Display,
{
    text.parse().map_err(|error: T::Err| format!("{text:?}: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frontend_reads_as_it_was_written() {
        let id: FrontendId = "web@2.4.1".parse().unwrap();
        let range = "^1.4, <1.7".parse().unwrap();
        let published = Published {
            frontend: Frontend {
                id: id.clone(),
                state: Lifecycle::Deprecated,
                pins: [("catalog".parse().unwrap(), Pin { range, optional: true })].into(),
                caps: [("catalog".parse().unwrap(), Weight::ppm(200_000).unwrap())].into(),
            },
            documents: vec![Document { id: "Home".to_owned(), text: "{ products { id } }".to_owned() }],
            at: Timestamp(17),
        };
        assert_eq!(read(&id, &write(&published)), Ok(published));
        for (record, expected) in [
            ("[]", "it is no object"),
            (r#"{"v":1}"#, "it has no \"state\""),
            (r#"{"v":1,"state":"active","pins":{"a":{"range":"latest"}}}"#, "its pin of a is no range"),
            (r#"{"v":1,"state":"active","caps":{"a":1000001}}"#, "its cap of a is no weight"),
        ] {
            assert_eq!(read(&id, record.as_bytes()).unwrap_err(), expected);
        }
    }

    #[test]
    fn a_record_remembers_its_file_and_is_told_without_its_texts() {
        let record = br#"{"v":1,"state":"active","documents":[{"id":"Home","text":"{ products { id } }"}]}"#;
        assert_eq!(file(record), None);
        let digest = Digest::of(b"manifest");
        let taken = with_file(record, Some(digest));
        assert_eq!(file(&taken), Some(digest));
        let id = "web@2.4.1".parse().unwrap();
        assert_eq!(read(&id, &taken), read(&id, record));
        assert_eq!(file(&with_file(&taken, None)), None);
        let told = summary(&taken);
        assert!(told.contains(r#""count":1"#) && !told.contains("products"), "{told}");
    }

    #[test]
    fn an_assignment_reads_as_it_was_written() {
        let name: AppName = "web".parse().unwrap();
        let rule = |who| Rule { to: "2.5.0".parse().unwrap(), who, from: None, until: None };
        let app = App {
            name: name.clone(),
            default: "2.4.1".parse().unwrap(),
            rules: vec![
                rule(Who::Customers(["acme".to_owned()].into())),
                Rule { until: Some(Timestamp(9)), ..rule(Who::Segment("beta".to_owned())) },
                rule(Who::Share(Weight::ppm(100_000).unwrap(), "web/2.5".to_owned())),
            ],
        };
        assert_eq!(read_app(&name, &write_app(&app)), Ok(app));
        assert!(read_app(&name, br#"{"v":1,"default":"1.0.0","rules":[{"to":"1.0.0"}]}"#).is_err());
    }
}
