//! Our own layout: `<root>/instances/<service>/<id>`, and an instance as JSON.
//!
//! The prefix is `<root>/instances`. What is written here is written for us, so all of it is judged and
//! nothing is mended: a version must be stated, and names other than the key's are a mistake. Fields
//! that are not known are passed over and told, so that an older gateway reads what a newer service
//! wrote. `ttl` is told and not judged by us: the lease in etcd ends a registration.

use super::json::{self, Names, Object};
use super::problem::Problem;
use super::{Facts, key};
use crate::registration::Raw;

/// The version of the layout.
const LAYOUT: i64 = 1;

/// As over HTTP.
const VALUE_BYTES_MAX: usize = 16 << 10;

const FIELDS: [&str; 14] = [
    "v",
    "service",
    "id",
    "version",
    "incarnation",
    "endpoints",
    "codec",
    "weight",
    "state",
    "schema",
    "health",
    "meta",
    "registered_at",
    "ttl",
];

pub(super) fn read(path: &str, value: &[u8]) -> Result<Facts, Problem> {
    let (service, id) = key::two(path)?;
    if value.len() > VALUE_BYTES_MAX {
        return Err(Problem::Size { found: value.len(), allowed: VALUE_BYTES_MAX });
    }
    let value = json::parse(value)?;
    let root = Object::root(&value, Names::Exact)?;
    if root.integer("v")?.unwrap_or(LAYOUT) != LAYOUT {
        return Err(root.problem("v", "must be 1, the layout that this gateway reads"));
    }
    if !matches!(root.text("codec")?, "" | "protobuf") {
        return Err(root.problem("codec", "must be \"protobuf\""));
    }
    for (field, named) in [("service", service), ("id", id)] {
        let said = root.text(field)?;
        if !said.is_empty() && said != named {
            return Err(Problem::differs(field, said));
        }
    }
    let (digest, services) = schema(&root)?;
    let endpoints = root.objects("endpoints")?;
    let endpoint = |endpoint: &Object<'_>| Ok((endpoint.text("url")?.into(), endpoint.text("zone")?.into()));
    let raw = Raw {
        service: service.to_owned(),
        id: id.to_owned(),
        version: root.text("version")?.to_owned(),
        incarnation: root.natural("incarnation")?.unwrap_or(0),
        endpoints: endpoints.iter().map(endpoint).collect::<Result<_, _>>()?,
        digest,
        services,
        weight: root.integer("weight")?,
        state: root.text("state")?.to_owned(),
        health: root.text("health")?.to_owned(),
        meta: root.map("meta")?,
        ttl_s: root.integer("ttl")?,
    };
    Ok(Facts::Ours(raw, root.names_besides(&FIELDS)))
}

fn schema(root: &Object<'_>) -> Result<(Option<String>, Vec<String>), Problem> {
    let Some(schema) = root.object("schema")? else { return Ok((None, Vec::new())) };
    if !matches!(schema.text("kind")?, "" | "proto-fds") {
        return Err(schema.problem("kind", "must be \"proto-fds\""));
    }
    let services = schema.texts("services")?.into_iter().map(str::to_owned).collect();
    Ok((Some(schema.text("digest")?.to_owned()), services))
}
