//! What is registered: one process of one version.
//!
//! Wire formats are made from it in `register`; none of them is here. An `Instance` obeys the limits
//! of the registry, so a refusal is about the registry's state and not about its form.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use http::Uri;
use semver::Version;

use crate::Error;

/// The most that a registration can carry, by design of the registry.
const WEIGHT_MAX: u32 = 1000;
const META_MAX: usize = 32;
const META_KEY_BYTES_MAX: usize = 64;
const META_VALUE_BYTES_MAX: usize = 256;
const NAME_BYTES_MAX: usize = 128;
/// Leaves room in an id for port and incarnation.
const HOST_BYTES_MAX: usize = 64;

/// One process of one version of a service.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    pub(crate) service: String,
    pub(crate) id: String,
    pub(crate) version: Version,
    /// When the process started, in nanoseconds since 1970.
    pub(crate) incarnation: u64,
    /// `grpc://host:port` or `grpcs://host:port`.
    pub(crate) url: String,
    pub(crate) zone: Option<String>,
    pub(crate) weight: u32,
    pub(crate) meta: BTreeMap<String, String>,
    pub(crate) ttl: Duration,
}

/// Whether the instance takes calls.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Presence {
    Up,
    Draining,
}

/// What the author said about the instance, checked.
#[derive(Debug)]
pub(crate) struct Facts {
    pub(crate) service: String,
    pub(crate) version: Version,
    pub(crate) advertise: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) weight: u32,
    pub(crate) meta: BTreeMap<String, String>,
    pub(crate) ttl: Duration,
}

impl Facts {
    /// Checks what can be checked before listening.
    pub(crate) fn checked(self) -> Result<Self, Error> {
        if !is_name(&self.service) {
            return Err(Error::Name { name: self.service });
        }
        if let Some(url) = &self.advertise {
            check_url(url)?;
        }
        if self.weight > WEIGHT_MAX {
            return Err(setting("weight", format!("{} is above {WEIGHT_MAX}", self.weight)));
        }
        if self.ttl < Duration::from_secs(1) || self.ttl.subsec_nanos() != 0 {
            return Err(setting("ttl", format!("{:?} is not a number of whole seconds", self.ttl)));
        }
        if self.meta.len() > META_MAX {
            return Err(setting("meta", format!("{} entries are more than {META_MAX}", self.meta.len())));
        }
        for (key, value) in &self.meta {
            if key.is_empty() || key.len() > META_KEY_BYTES_MAX || value.len() > META_VALUE_BYTES_MAX {
                let why = format!(
                    "`{key}` is longer than {META_KEY_BYTES_MAX}, or its value than {META_VALUE_BYTES_MAX} bytes"
                );
                return Err(setting("meta", why));
            }
        }
        Ok(self)
    }

    /// The instance that listens on `bound`, started at `start`, on the machine named `host`.
    pub(crate) fn instance(self, bound: SocketAddr, start: SystemTime, host: &str) -> Instance {
        let incarnation = start
            .duration_since(SystemTime::UNIX_EPOCH)
            .map_or(0, |age| u64::try_from(age.as_nanos()).unwrap_or(u64::MAX));
        let host = host_label(host);
        let url = self.advertise.unwrap_or_else(|| {
            if bound.ip().is_unspecified() {
                format!("grpc://{host}:{}", bound.port())
            } else {
                format!("grpc://{bound}")
            }
        });
        Instance {
            id: format!("{host}-{}-{incarnation}", bound.port()),
            service: self.service,
            version: self.version,
            incarnation,
            url,
            zone: self.zone,
            weight: self.weight,
            meta: self.meta,
            ttl: self.ttl,
        }
    }
}

fn is_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

/// A host name in the characters that an id may have.
fn host_label(host: &str) -> String {
    let label: String = host
        .chars()
        .take(HOST_BYTES_MAX)
        .map(|each| if each.is_ascii_alphanumeric() || matches!(each, '.' | '-') { each } else { '-' })
        .collect();
    if label.is_empty() { "localhost".to_owned() } else { label }
}

fn check_url(url: &str) -> Result<(), Error> {
    let wrong = |why: &str| Err(setting("advertise", format!("`{url}` {why}")));
    let Ok(uri) = url.parse::<Uri>() else { return wrong("is not an address") };
    if !matches!(uri.scheme_str(), Some("grpc" | "grpcs")) {
        return wrong("does not begin with grpc:// or grpcs://");
    }
    if uri.host().unwrap_or_default().is_empty() || uri.port_u16().unwrap_or(0) == 0 {
        return wrong("lacks a host or a port");
    }
    if uri.path().len() > 1 || uri.query().is_some() || url.contains('@') || url.ends_with('/') {
        return wrong("has more than scheme, host and port");
    }
    Ok(())
}

fn setting(setting: &'static str, why: String) -> Error {
    Error::Setting { setting, why }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts {
            service: "catalog".into(),
            version: Version::new(1, 5, 0),
            advertise: None,
            zone: None,
            weight: 100,
            meta: BTreeMap::new(),
            ttl: Duration::from_secs(15),
        }
    }

    fn url(facts: Facts, bound: &str) -> String {
        facts.instance(bound.parse().unwrap(), SystemTime::UNIX_EPOCH, "box_7").url
    }

    #[test]
    fn an_id_names_host_port_and_incarnation() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_nanos(1_500_000_000_000_000_042);
        let instance = facts().instance("127.0.0.1:50051".parse().unwrap(), start, "box_7");
        assert_eq!(instance.id, "box-7-50051-1500000000000000042");
        assert_eq!(instance.incarnation, 1_500_000_000_000_000_042);
    }

    #[test]
    fn the_bound_address_is_advertised_unless_it_is_every_address() {
        assert_eq!(url(facts(), "127.0.0.1:5"), "grpc://127.0.0.1:5");
        assert_eq!(url(facts(), "[::1]:5"), "grpc://[::1]:5");
        assert_eq!(url(facts(), "0.0.0.0:5"), "grpc://box-7:5");
        assert_eq!(url(facts(), "[::]:5"), "grpc://box-7:5");
        let told = Facts { advertise: Some("grpcs://shop:443".into()), ..facts() };
        assert_eq!(url(told, "0.0.0.0:5"), "grpcs://shop:443");
    }

    #[test]
    fn what_the_registry_would_refuse_is_refused_at_the_start() {
        let advertise = |url: &str| Facts { advertise: Some(url.into()), ..facts() };
        let meta =
            |key: &str, value: String| Facts { meta: BTreeMap::from([(key.into(), value)]), ..facts() };
        let cases = [
            (Facts { service: "no spaces".into(), ..facts() }, "service name"),
            (Facts { service: String::new(), ..facts() }, "service name"),
            (Facts { weight: 1001, ..facts() }, "weight"),
            (Facts { ttl: Duration::from_millis(1500), ..facts() }, "whole seconds"),
            (Facts { ttl: Duration::ZERO, ..facts() }, "whole seconds"),
            (advertise("http://host:1"), "grpc://"),
            (advertise("grpc://host"), "port"),
            (advertise("grpc://host:1/path"), "more than"),
            (meta("", String::new()), "meta"),
            (meta("key", "x".repeat(257)), "meta"),
        ];
        for (facts, why) in cases {
            let told = facts.checked().unwrap_err().to_string();
            assert!(told.contains(why), "{told}");
        }
        facts().checked().unwrap();
    }
}
