//! The native layout: how an instance is written as JSON.
//!
//! The same text is the body of a registration over HTTP, the row in SQLite and the value in etcd.
//! Reading is lenient about what it does not know, so that an older gateway can read what a newer
//! service wrote, but it says what it passed over. Wire types stop here: what leaves is
//! `registration::Raw` on the way in and `Instance` on the way out.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use turnout_control::id::{InstanceId, ServiceName};
use turnout_control::registration::{self, Registration, Terms};
use turnout_control::registry::{Instance, Intent};

/// The version of the layout.
const LAYOUT: u32 = 1;

/// An instance as JSON.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Native {
    #[serde(default = "layout")]
    v: u32,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    service: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    id: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    incarnation: u64,
    #[serde(default)]
    endpoints: Vec<NativeEndpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    codec: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    weight: Option<i64>,
    #[serde(default)]
    state: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    schema: Option<NativeSchema>,
    #[serde(default)]
    health: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    meta: BTreeMap<String, String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    registered_at: Option<String>,
    /// What this build does not know.
    #[serde(flatten, skip_serializing)]
    unknown: BTreeMap<String, Value>,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct NativeEndpoint {
    url: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    zone: String,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct NativeSchema {
    digest: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    services: Vec<String>,
}

fn layout() -> u32 {
    LAYOUT
}

impl Native {
    /// Writes an instance.
    pub fn of(instance: &Instance) -> Native {
        Native {
            v: LAYOUT,
            service: instance.service.to_string(),
            id: instance.id.to_string(),
            version: instance.version.to_string(),
            incarnation: instance.incarnation,
            endpoints: instance
                .endpoints
                .iter()
                .map(|endpoint| NativeEndpoint { url: endpoint.url(), zone: endpoint.zone.clone() })
                .collect(),
            codec: Some("protobuf".into()),
            weight: Some(instance.weight.into()),
            state: match instance.intent {
                Intent::Up => "up".into(),
                Intent::Draining => "draining".into(),
            },
            schema: instance.schema.as_ref().map(|schema| NativeSchema {
                digest: schema.digest.to_string(),
                kind: Some("proto-fds".into()),
                services: schema.services.clone(),
            }),
            health: instance.health.as_str().into(),
            meta: instance.meta.clone(),
            registered_at: None,
            unknown: BTreeMap::new(),
        }
    }

    /// The names this build passed over, so that a typing error does not stay silent.
    pub fn unknown(&self) -> impl Iterator<Item = &str> {
        self.unknown.keys().map(String::as_str)
    }

    /// What is written, for `registration::read`. `ttl_s` is not part of the layout.
    pub fn into_raw(self, ttl_s: Option<i64>) -> Result<registration::Raw, registration::Mistake> {
        if self.v != LAYOUT {
            return Err(mistake("v", format!("must be {LAYOUT}, the layout that this gateway reads")));
        }
        if self.codec.as_deref().is_some_and(|codec| codec != "protobuf") {
            return Err(mistake("codec", "must be \"protobuf\""));
        }
        let kind = self.schema.as_ref().and_then(|schema| schema.kind.as_deref());
        if kind.is_some_and(|kind| kind != "proto-fds") {
            return Err(mistake("schema.kind", "must be \"proto-fds\""));
        }
        let (digest, services) =
            self.schema.map(|schema| (Some(schema.digest), schema.services)).unwrap_or_default();
        Ok(registration::Raw {
            service: self.service,
            id: self.id,
            version: self.version,
            incarnation: self.incarnation,
            endpoints: self.endpoints.into_iter().map(|endpoint| (endpoint.url, endpoint.zone)).collect(),
            digest,
            services,
            weight: self.weight,
            state: self.state,
            health: self.health,
            meta: self.meta,
            ttl_s,
        })
    }

    /// Reads the instance that a key or a path names. A name in the text must be the same one.
    pub fn read_as(
        self,
        service: &ServiceName,
        id: &InstanceId,
        ttl_s: Option<i64>,
        terms: &Terms,
    ) -> Result<Registration, Vec<registration::Mistake>> {
        for (field, said, named) in
            [("service", &self.service, service.as_str()), ("id", &self.id, id.as_str())]
        {
            if !said.is_empty() && said != named {
                let message = format!("must be left out or be {named:?}, as in the address");
                return Err(vec![mistake(field, message)]);
            }
        }
        let mut raw = self.into_raw(ttl_s).map_err(|mistake| vec![mistake])?;
        raw.service = service.to_string();
        raw.id = id.to_string();
        registration::read(&raw, terms)
    }
}

fn mistake(field: &str, message: impl Into<String>) -> registration::Mistake {
    registration::Mistake { field: field.into(), message: message.into() }
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
