//! How policies are written down: which key, and which JSON.
//!
//! Weights are whole parts per million, so that a record cannot hold half a unit. Fields of newer builds are
//! passed over.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Base, Own, Tried};
use crate::id::{FrontendId, ServiceName, Version};
use crate::records::{Key, Kind};
use crate::slot::{Unit, Weight};

/// What a policy is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// Whose callers.
    pub scope: Scope,
    /// Of which service.
    pub service: ServiceName,
    /// Of which major.
    pub major: u64,
}

/// Whose callers a policy is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Everyone's.
    Everyone,
    /// Those of one frontend.
    Frontend(FrontendId),
}

/// A policy that cannot be read, and so decides nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable {
    /// The record.
    pub key: Key,
    /// Why.
    pub why: String,
}

impl Place {
    /// The record's key.
    pub fn key(&self) -> Key {
        let scope = match &self.scope {
            Scope::Everyone => "*".to_owned(),
            Scope::Frontend(frontend) => frontend.to_string(),
        };
        Key::new(Kind::Policy, &format!("{scope}/{}/{}", self.service, self.major))
            .expect("names and numbers make a name")
    }

    /// What the record of this key is about.
    pub fn of(key: &Key) -> Option<Place> {
        let mut parts = key.name().split('/');
        let (scope, service, major, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next())
        else {
            return None;
        };
        let scope = if scope == "*" { Scope::Everyone } else { Scope::Frontend(scope.parse().ok()?) };
        let place = Place { scope, service: service.parse().ok()?, major: major.parse().ok()? };
        Some(place).filter(|_| key.kind == Kind::Policy)
    }
}

/// The record of a base.
pub fn write_base(base: &Base) -> Vec<u8> {
    let mut fields = shared(base.candidate.as_ref(), base.killed, (&base.allow, &base.deny));
    fields.insert("stable".to_owned(), base.stable.to_string().into());
    if let Some(instead_of) = &base.instead_of {
        fields.insert("instead_of".to_owned(), instead_of.to_string().into());
    }
    if base.vacant {
        fields.insert("vacant".to_owned(), true.into());
    }
    Value::Object(fields).to_string().into_bytes()
}

/// Reads a base.
pub fn read_base(record: &[u8]) -> Result<Base, String> {
    let fields = object(record)?;
    let stable = version(&fields, "stable")?.ok_or("it has no \"stable\"")?;
    Ok(Base {
        stable,
        instead_of: version(&fields, "instead_of")?,
        vacant: flag(&fields, "vacant")?,
        candidate: tried(&fields)?,
        killed: flag(&fields, "killed")?,
        allow: units(&fields, "allow")?,
        deny: units(&fields, "deny")?,
    })
}

/// The record of one frontend's own policy.
pub fn write_own(own: &Own) -> Vec<u8> {
    let mut fields = shared(own.candidate.as_ref(), own.killed, (&own.allow, &own.deny));
    if let Some(stable) = &own.stable {
        fields.insert("stable".to_owned(), stable.to_string().into());
    }
    if let Some(cap) = own.cap {
        fields.insert("cap_ppm".to_owned(), cap.as_ppm().into());
    }
    Value::Object(fields).to_string().into_bytes()
}

/// Reads one frontend's own policy.
pub fn read_own(record: &[u8]) -> Result<Own, String> {
    let fields = object(record)?;
    let cap = fields.get("cap_ppm").map(|cap| weight(cap, "cap_ppm")).transpose()?;
    Ok(Own {
        stable: version(&fields, "stable")?,
        candidate: tried(&fields)?,
        cap,
        killed: flag(&fields, "killed")?,
        allow: units(&fields, "allow")?,
        deny: units(&fields, "deny")?,
    })
}

fn shared(
    candidate: Option<&Tried>,
    killed: bool,
    (allow, deny): (&BTreeSet<Unit>, &BTreeSet<Unit>),
) -> Map<String, Value> {
    let mut fields = Map::new();
    fields.insert("v".to_owned(), 1.into());
    if let Some(Tried { version, weight, salt }) = candidate {
        let written = json!({ "version": version.to_string(), "weight_ppm": weight.as_ppm(), "salt": salt });
        fields.insert("candidate".to_owned(), written);
    }
    if killed {
        fields.insert("killed".to_owned(), true.into());
    }
    for (name, units) in [("allow", allow), ("deny", deny)] {
        if !units.is_empty() {
            let units = units.iter().map(|unit| Value::from(unit.to_string())).collect();
            fields.insert(name.to_owned(), Value::Array(units));
        }
    }
    fields
}

fn object(record: &[u8]) -> Result<Map<String, Value>, String> {
    match serde_json::from_slice(record) {
        Ok(Value::Object(fields)) if fields.get("v").and_then(Value::as_u64) == Some(1) => Ok(fields),
        Ok(Value::Object(_)) => Err("its format is not 1".to_owned()),
        Ok(_) => Err("it is no object".to_owned()),
        Err(error) => Err(format!("it is no JSON: {error}")),
    }
}

fn tried(fields: &Map<String, Value>) -> Result<Option<Tried>, String> {
    let Some(found) = fields.get("candidate") else { return Ok(None) };
    let found = found.as_object().ok_or("its \"candidate\" is no object")?;
    let missing = |name: &str| format!("its candidate has no {name:?}");
    let salt = found.get("salt").and_then(Value::as_str).ok_or_else(|| missing("salt"))?;
    Ok(Some(Tried {
        version: version(found, "version")?.ok_or_else(|| missing("version"))?,
        weight: weight(found.get("weight_ppm").unwrap_or(&Value::Null), "weight_ppm")?,
        salt: salt.to_owned(),
    }))
}

fn weight(found: &Value, name: &str) -> Result<Weight, String> {
    let ppm = found.as_u64().and_then(|ppm| u32::try_from(ppm).ok()).and_then(Weight::ppm);
    ppm.ok_or_else(|| format!("its {name:?} is no whole number from 0 to 1000000"))
}

fn version(fields: &Map<String, Value>, name: &str) -> Result<Option<Version>, String> {
    let Some(found) = fields.get(name) else { return Ok(None) };
    let version = found.as_str().and_then(|text| text.parse().ok());
    version.map(Some).ok_or_else(|| format!("its {name:?} is no version"))
}

fn flag(fields: &Map<String, Value>, name: &str) -> Result<bool, String> {
    let Some(found) = fields.get(name) else { return Ok(false) };
    found.as_bool().ok_or_else(|| format!("its {name:?} is neither true nor false"))
}

fn units(fields: &Map<String, Value>, name: &str) -> Result<BTreeSet<Unit>, String> {
    let Some(found) = fields.get(name) else { return Ok(BTreeSet::new()) };
    let units = found.as_array().ok_or_else(|| format!("its {name:?} is no list"))?;
    let unit = |unit: &Value| unit.as_str().and_then(|text| text.parse().ok());
    let read: Option<BTreeSet<Unit>> = units.iter().map(unit).collect();
    read.ok_or_else(|| format!("its {name:?} has something that is no unit"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_reads_as_it_was_written() {
        let mut base = Base::new("1.4.0".parse().unwrap());
        assert_eq!(read_base(&write_base(&base)), Ok(base.clone()));
        base.instead_of = Some("1.5.0".parse().unwrap());
        base.vacant = true;
        base.killed = true;
        base.allow = ["user:1".parse().unwrap()].into();
        base.deny = ["customer:acme".parse().unwrap(), "anon:7".parse().unwrap()].into();
        let weight = Weight::ppm(50_000).unwrap();
        base.candidate =
            Some(Tried { version: "1.5.0".parse().unwrap(), weight, salt: "catalog/1/1.5.0".to_owned() });
        assert_eq!(read_base(&write_base(&base)), Ok(base.clone()));
        let own = Own {
            stable: Some("1.4.0".parse().unwrap()),
            candidate: base.candidate,
            cap: Some(Weight::NONE),
            killed: true,
            allow: base.allow,
            deny: base.deny,
        };
        assert_eq!(read_own(&write_own(&own)), Ok(own));
        assert_eq!(read_own(&write_own(&Own::default())), Ok(Own::default()));
    }

    #[test]
    fn a_key_names_what_the_policy_is_about() {
        for name in ["*/catalog/1", "web@2.4.1/catalog/12"] {
            let key = Key::new(Kind::Policy, name).unwrap();
            assert_eq!(Place::of(&key).unwrap().key(), key);
        }
        for name in ["*", "*/catalog", "*/catalog/x", "*/catalog/1/2", "web/catalog/1"] {
            assert_eq!(Place::of(&Key::new(Kind::Policy, name).unwrap()), None, "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (record, expected) in [
            ("{", "it is no JSON"),
            ("[]", "it is no object"),
            (r#"{"v":2}"#, "its format is not 1"),
            (r#"{"v":1}"#, "it has no \"stable\""),
            (r#"{"v":1,"stable":"latest"}"#, "its \"stable\" is no version"),
            (r#"{"v":1,"stable":"1.0.0","candidate":{"version":"1.1.0","salt":"a"}}"#, "its \"weight_ppm\""),
            (
                r#"{"v":1,"stable":"1.0.0","candidate":{"version":"1.1.0","salt":"a","weight_ppm":1000001}}"#,
                "its \"weight_ppm\" is no whole number from 0 to 1000000",
            ),
            (r#"{"v":1,"stable":"1.0.0","deny":["robot:1"]}"#, "its \"deny\" has something"),
        ] {
            let why = read_base(record.as_bytes()).unwrap_err();
            assert!(why.starts_with(expected), "{record}: {why}");
        }
    }
}
