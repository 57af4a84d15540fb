//! The native layout: how an instance is written as JSON.
//!
//! The same text is the body of a registration over HTTP, the row in SQLite, the value in etcd and the entry
//! in the kept table. It is read by `turnout_control::layout::Native`, wherever it comes from, and written
//! here. Reading is lenient about what it does not know, so that an older gateway can read what a newer
//! service wrote, but it says what it passed over.

use std::collections::BTreeMap;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use turnout_control::id::{InstanceId, ServiceName};
use turnout_control::layout;
use turnout_control::registration::{self, Registration, Terms};
use turnout_control::registry::{Instance, Intent};

/// An instance as it was written.
#[derive(Debug)]
pub struct Native(layout::Native);

impl<'de> Deserialize<'de> for Native {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Native, D::Error> {
        let value = serde_json::Value::deserialize(from)?;
        layout::Native::read(&value).map(Native).map_err(D::Error::custom)
    }
}

/// An instance as JSON.
#[derive(Debug, Serialize)]
pub struct Written<'a> {
    v: u32,
    service: &'a str,
    id: &'a str,
    version: String,
    incarnation: u64,
    endpoints: Vec<WrittenEndpoint<'a>>,
    codec: &'static str,
    weight: u16,
    state: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<WrittenSchema<'a>>,
    health: &'static str,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    meta: &'a BTreeMap<String, String>,
}

#[derive(Debug, Serialize)]
struct WrittenEndpoint<'a> {
    url: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    zone: &'a str,
}

#[derive(Debug, Serialize)]
struct WrittenSchema<'a> {
    digest: String,
    kind: &'static str,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    services: &'a [String],
}

impl Native {
    /// Writes an instance.
    pub fn of(instance: &Instance) -> Written<'_> {
        let endpoints = instance.endpoints.iter();
        Written {
            v: 1,
            service: instance.service.as_str(),
            id: instance.id.as_str(),
            version: instance.version.to_string(),
            incarnation: instance.incarnation,
            endpoints: endpoints
                .map(|endpoint| WrittenEndpoint { url: endpoint.url(), zone: &endpoint.zone })
                .collect(),
            codec: "protobuf",
            weight: instance.weight,
            state: match instance.intent {
                Intent::Up => "up",
                Intent::Draining => "draining",
            },
            schema: instance.schema.as_ref().map(|schema| WrittenSchema {
                digest: schema.digest.to_string(),
                kind: "proto-fds",
                services: &schema.services,
            }),
            health: instance.health.as_str(),
            meta: &instance.meta,
        }
    }

    /// The names this build passed over, so that a typing error does not stay silent.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.0.unknown().iter().map(String::as_str)
    }

    /// Reads the instance that a key or a path names. A name in the text must be the same one. `ttl_s` is
    /// not part of the text.
    pub fn read_as(
        self,
        service: &ServiceName,
        id: &InstanceId,
        ttl_s: Option<i64>,
        terms: &Terms,
    ) -> Result<Registration, Vec<registration::Mistake>> {
        let mut raw = self.0.into_raw().map_err(|mistake| vec![mistake])?;
        for (field, said, named) in
            [("service", &mut raw.service, service.as_str()), ("id", &mut raw.id, id.as_str())]
        {
            if !said.is_empty() && said != named {
                let message = format!("must be left out or be {named:?}, as in the address");
                return Err(vec![registration::Mistake { field: field.to_owned(), message }]);
            }
            named.clone_into(said);
        }
        raw.ttl_s = ttl_s;
        registration::read(&raw, terms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms() -> Terms {
        Terms { allow_cidrs: vec!["127.0.0.0/8".parse().unwrap()], ttl_s: 15 }
    }

    #[test]
    fn what_is_written_reads_back_the_same() {
        let text = r#"{"version":"1.5.0","endpoints":[{"url":"grpc://127.0.0.1:50051","zone":"a"}],
            "schema":{"digest":"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
            "state":"draining","weight":7,"meta":{"team":"shop"},"colour":"red"}"#;
        let native: Native = serde_json::from_str(text).unwrap();
        assert_eq!(native.unknown().collect::<Vec<_>>(), ["colour"]);
        let (service, id) = ("catalog".parse().unwrap(), "a".parse().unwrap());
        let read = native.read_as(&service, &id, None, &terms()).unwrap();
        let written = serde_json::to_string(&Native::of(&read.instance)).unwrap();
        let again: Native = serde_json::from_str(&written).unwrap();
        assert_eq!(again.read_as(&service, &id, None, &terms()).unwrap(), read);
    }

    #[test]
    fn a_body_cannot_name_another_instance_than_its_address() {
        let native: Native = serde_json::from_str(r#"{"service":"orders"}"#).unwrap();
        let mistakes =
            native.read_as(&"catalog".parse().unwrap(), &"a".parse().unwrap(), None, &terms()).unwrap_err();
        assert_eq!(mistakes[0].field, "service");
    }
}
