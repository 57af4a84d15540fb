//! What an operator decided about one service, beside the configuration file.
//!
//! A decision is a record (`Kind::Service`, by the service's name): JSON with a field for each thing decided.
//! Fields that this build does not know are kept when another is written, so that gateways of two builds can
//! share a store. What cannot be read decides nothing.

use serde_json::{Map, Value, json};
use turnout_schema::subgraph::Exposure;

use crate::id::ServiceName;
use crate::records::{Key, Kind};

/// What was decided. What is `None` was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// What of the service is public.
    pub expose: Option<Exposure>,
}

/// The key of the record about a service.
pub fn key(service: &ServiceName) -> Key {
    Key::new(Kind::Service, service.as_str()).expect("a service's name is a name of a record")
}

/// The service that a record is about.
pub fn service(key: &Key) -> Option<ServiceName> {
    key.name().parse().ok().filter(|_| key.kind == Kind::Service)
}

/// The word in a record and on a command line.
pub fn word(expose: Exposure) -> &'static str {
    match expose {
        Exposure::Annotated => "annotated",
        Exposure::All => "all",
    }
}

/// Reads a record.
pub fn read(record: &[u8]) -> Decision {
    let expose = match fields(Some(record)).get("expose").and_then(Value::as_str) {
        Some("annotated") => Some(Exposure::Annotated),
        Some("all") => Some(Exposure::All),
        _ => None,
    };
    Decision { expose }
}

/// The record with another exposure; `None` when nothing decided is left in it.
pub fn with_expose(record: Option<&[u8]>, expose: Option<Exposure>) -> Option<Vec<u8>> {
    let mut fields = fields(record);
    fields.remove("v");
    match expose {
        Some(expose) => fields.insert("expose".to_owned(), word(expose).into()),
        None => fields.remove("expose"),
    };
    if fields.is_empty() {
        return None;
    }
    fields.insert("v".to_owned(), json!(1));
    Some(Value::Object(fields).to_string().into_bytes())
}

fn fields(record: Option<&[u8]>) -> Map<String, Value> {
    match record.map(serde_json::from_slice) {
        Some(Ok(Value::Object(fields))) => fields,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exposure_reads_as_it_was_written_and_leaves_nothing_behind() {
        for expose in [Exposure::Annotated, Exposure::All] {
            let record = with_expose(None, Some(expose)).unwrap();
            assert_eq!(read(&record), Decision { expose: Some(expose) });
            assert_eq!(with_expose(Some(&record), None), None);
        }
    }

    #[test]
    fn what_a_newer_build_decided_is_kept() {
        let newer = br#"{"colour":"red","expose":"all","v":1}"#;
        let changed = with_expose(Some(newer), Some(Exposure::Annotated)).unwrap();
        assert_eq!(
            String::from_utf8(changed.clone()).unwrap(),
            r#"{"colour":"red","expose":"annotated","v":1}"#
        );
        let left = with_expose(Some(&changed), None).unwrap();
        assert_eq!(String::from_utf8(left).unwrap(), r#"{"colour":"red","v":1}"#);
    }

    #[test]
    fn what_cannot_be_read_decides_nothing() {
        for record in [&b"{"[..], b"[]", b"{\"expose\":1}", b"{\"expose\":\"some\"}", b""] {
            assert_eq!(read(record), Decision::default());
        }
    }
}
