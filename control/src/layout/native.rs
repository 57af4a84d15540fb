//! Our own layout: `<root>/instances/<service>/<id>`, and an instance as JSON.
//!
//! The prefix is `<root>/instances`. What is written here is written for us, so all of it is judged and
//! nothing is mended: a version must be stated, and names other than the key's are a mistake. Fields
//! that are not known are passed over and told, so that an older gateway reads what a newer service
//! wrote. `ttl` is told and not judged by us: the lease in etcd ends a registration.

use serde_json::Value;

use super::json::{self, Names, Object};
use super::problem::Problem;
use super::{Facts, key};
use crate::registration::{Mistake, Raw};

/// The version of the layout.
const LAYOUT: i64 = 1;

/// More than `registration::read` lets any instance have, however it came in: what a gateway took and wrote
/// down must be readable.
const VALUE_BYTES_MAX: usize = 64 << 10;

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

/// An instance as it is written, before it is judged: in etcd, over HTTP and in files alike.
#[derive(Clone, Debug)]
pub struct Native {
    layout: i64,
    codec: String,
    kind: String,
    raw: Raw,
    unknown: Vec<String>,
}

impl Native {
    /// Takes the fields; what is of another kind than it should be is a problem.
    pub fn read(value: &Value) -> Result<Native, Problem> {
        let root = Object::root(value, Names::Exact)?;
        let layout = root.integer("v")?.unwrap_or(LAYOUT);
        let codec = root.text("codec")?.to_owned();
        let (service, id) = (root.text("service")?.to_owned(), root.text("id")?.to_owned());
        let (mut kind, mut digest, mut services) = ("", None, Vec::new());
        if let Some(schema) = root.object("schema")? {
            kind = schema.text("kind")?;
            services = schema.texts("services")?.into_iter().map(str::to_owned).collect();
            digest = Some(schema.text("digest")?.to_owned()).filter(|digest| !digest.is_empty());
            if digest.is_none() {
                return Err(schema.problem("digest", "must be a text"));
            }
        }
        let endpoints = root.objects("endpoints")?;
        let endpoint =
            |endpoint: &Object<'_>| Ok((endpoint.text("url")?.into(), endpoint.text("zone")?.into()));
        let raw = Raw {
            service,
            id,
            version: root.text("version")?.to_owned(),
            incarnation: root.natural("incarnation")?.unwrap_or(0),
            endpoints: endpoints.iter().map(endpoint).collect::<Result<_, Problem>>()?,
            digest,
            services,
            weight: root.integer("weight")?,
            state: root.text("state")?.to_owned(),
            health: root.text("health")?.to_owned(),
            meta: root.map("meta")?,
            ttl_s: root.integer("ttl")?,
        };
        Ok(Native { layout, codec, kind: kind.to_owned(), raw, unknown: root.names_besides(&FIELDS) })
    }

    /// The first names that this build passed over, so that a typing error does not stay silent.
    pub fn unknown(&self) -> &[String] {
        &self.unknown
    }

    /// What is said, for `registration::read`.
    pub fn into_raw(self) -> Result<Raw, Mistake> {
        let mistake = |field: &str, message: String| Mistake { field: field.to_owned(), message };
        if self.layout != LAYOUT {
            return Err(mistake("v", format!("must be {LAYOUT}, the layout that this gateway reads")));
        }
        if !matches!(self.codec.as_str(), "" | "protobuf") {
            return Err(mistake("codec", "must be \"protobuf\"".to_owned()));
        }
        if !matches!(self.kind.as_str(), "" | "proto-fds") {
            return Err(mistake("schema.kind", "must be \"proto-fds\"".to_owned()));
        }
        Ok(self.raw)
    }
}

pub(super) fn read(path: &str, value: &[u8]) -> Result<Facts, Problem> {
    let (service, id) = key::two(path)?;
    if value.len() > VALUE_BYTES_MAX {
        return Err(Problem::Size { found: value.len(), allowed: VALUE_BYTES_MAX });
    }
    let native = Native::read(&json::parse(value)?)?;
    let unknown = native.unknown.clone();
    let mut raw = native.into_raw().map_err(|mistake| Problem::field(mistake.field, mistake.message))?;
    for (field, said, named) in [("service", &mut raw.service, service), ("id", &mut raw.id, id)] {
        if !said.is_empty() && said != named {
            return Err(Problem::differs(field, said));
        }
        named.clone_into(said);
    }
    Ok(Facts::Ours(raw, unknown))
}
