//! Entries that fit a template: the fields of the key, those of the value, and nothing else.
//!
//! A scheme before an address is taken off: `http` and `tri` are gRPC without TLS, `https` is with. Numbers
//! may be written as texts. Without an id, the instance is named after its address.

use std::collections::BTreeMap;

use super::json::{self, scalar, scalars};
use super::problem::Problem;
use super::template::{Content, Field, Template};
use super::{Facts, at_address, instance_id};
use crate::registration::Raw;

pub(super) fn read(template: &Template, path: &str, value: &[u8]) -> Result<Facts, Problem> {
    let mut found = template.take(path).ok_or(Problem::Key("does not fit the template"))?;
    let mut meta = BTreeMap::new();
    match template.content() {
        Content::Unread => {}
        Content::Text => {
            let text = str::from_utf8(value).map_err(|_| Problem::Value("is not UTF-8"))?;
            found.insert(Field::Address, text.trim().to_owned());
        }
        Content::Json(pointers) => {
            let value = json::parse(value)?;
            for (field, pointer) in pointers {
                let Some(said) = value.pointer(pointer) else { continue };
                if *field == Field::Meta {
                    meta = scalars(said);
                    continue;
                }
                let message = "must be a text or a number";
                let said = scalar(said).ok_or_else(|| Problem::field(pointer, message))?;
                found.insert(*field, said);
            }
        }
    }
    let text = |field| found.get(&field).map_or("", String::as_str);
    let (scheme, address) = address(&found)?;
    let weight = match text(Field::Weight) {
        "" => None,
        digits => Some(digits.parse().map_err(|_| Problem::field("weight", "must be a whole number"))?),
    };
    let id = instance_id(Some(text(Field::Id)).filter(|id| !id.is_empty()).unwrap_or(&address));
    Ok(Facts::Theirs(Raw {
        id,
        version: text(Field::Version).to_owned(),
        endpoints: vec![(format!("{scheme}://{address}"), String::new())],
        weight,
        meta,
        ..at_address(text(Field::Service), &address)
    }))
}

/// The scheme as we write it, and the host with its port.
fn address(found: &BTreeMap<Field, String>) -> Result<(&'static str, String), Problem> {
    let text = |field| found.get(&field).map_or("", String::as_str);
    let said = match (text(Field::Address), text(Field::Host), text(Field::Port)) {
        ("", "", _) => return Err(Problem::field("address", "is not in the key or the value")),
        ("", host, port) if host.contains(':') && !host.starts_with('[') => format!("[{host}]:{port}"),
        ("", host, port) => format!("{host}:{port}"),
        (address, _, _) => address.to_owned(),
    };
    let Some((scheme, address)) = said.split_once("://") else { return Ok(("grpc", said)) };
    match scheme {
        "grpc" | "http" | "tri" => Ok(("grpc", address.to_owned())),
        "grpcs" | "https" => Ok(("grpcs", address.to_owned())),
        _ => Err(Problem::field("address", "must be of the scheme grpc, grpcs, http, https or tri")),
    }
}
