//! Whether a registration is taken: what is wrong with it, and whether it contradicts what is known.
//!
//! `read` turns the raw text of a registration into an `Instance` and names every mistake at once.
//! `admit` holds an instance against the registry: a version is bound to its descriptors for ever, and
//! an older process never overwrites its successor. Neither stores anything.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;
use turnout_schema::{Diagnostic, Digest, Severity};

use crate::id::{ServiceName, Version};
use crate::lease::{TTL_MAX_S, TTL_MIN_S};
use crate::registry::{Endpoint, Health, Instance, Intent, SchemaRef, Scheme, Snapshot};

/// A registration as it arrived, over whichever protocol. An empty text means that it was left out.
#[derive(Clone, Debug, Default)]
pub struct Raw {
    /// The service's name.
    pub service: String,
    /// The instance's name.
    pub id: String,
    /// The semver tag.
    pub version: String,
    /// When the process started, in nanoseconds since 1970.
    pub incarnation: u64,
    /// Addresses, each with its zone.
    pub endpoints: Vec<(String, String)>,
    /// The digest of the descriptors.
    pub digest: Option<String>,
    /// The protobuf services that belong to the registration.
    pub services: Vec<String>,
    /// The share of calls.
    pub weight: Option<i64>,
    /// `up` or `draining`.
    pub state: String,
    /// `grpc`, `tcp` or `none`.
    pub health: String,
    /// What operators may like to see.
    pub meta: BTreeMap<String, String>,
    /// Seconds.
    pub ttl_s: Option<i64>,
}

/// Which registrations are taken, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Terms {
    /// The networks an endpoint may be in. Host names are checked when they are connected to.
    pub allow_cidrs: Vec<IpNet>,
    /// The time to live of a registration that asks for none.
    pub ttl_s: u16,
}

/// An instance that is well described, and the time it asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registration {
    /// The instance.
    pub instance: Instance,
    /// Its time to live.
    pub ttl_s: u16,
}

/// One thing wrong with a registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where: `endpoints[0].url`.
    pub field: String,
    /// What, as a sentence without its subject: "must not be empty".
    pub message: String,
}

/// Bounds on what one registration may carry.
const ENDPOINTS_MAX: usize = 8;
const SERVICES_MAX: usize = 64;
const SERVICE_BYTES_MAX: usize = 256;
pub(crate) const META_MAX: usize = 32;
const META_KEY_BYTES_MAX: usize = 64;
const META_VALUE_BYTES_MAX: usize = 256;
pub(crate) const WEIGHT_DEFAULT: u16 = 100;
pub(crate) const WEIGHT_MAX: u16 = 1000;

/// Reads a registration, or tells everything that is wrong with it.
pub fn read(raw: &Raw, terms: &Terms) -> Result<Registration, Vec<Mistake>> {
    let mut reader = Reader { mistakes: Vec::new() };
    let service = reader.parse("service", &raw.service);
    let id = reader.parse("id", &raw.id);
    let version = reader.parse("version", &raw.version);
    let endpoints = reader.endpoints(&raw.endpoints, terms);
    let schema = reader.schema(raw);
    let weight = reader.number("weight", raw.weight, WEIGHT_DEFAULT, 0..=WEIGHT_MAX);
    let intent = reader.intent(&raw.state);
    let health = reader.health(&raw.health);
    reader.check_meta(&raw.meta);
    let ttl_s = reader.number("ttl", raw.ttl_s, terms.ttl_s, TTL_MIN_S..=TTL_MAX_S);

    let (Some(service), Some(id), Some(version), true) = (service, id, version, reader.mistakes.is_empty())
    else {
        return Err(reader.mistakes);
    };
    let incarnation = raw.incarnation;
    let meta = raw.meta.clone();
    let instance =
        Instance { service, id, version, incarnation, endpoints, schema, weight, intent, health, meta };
    Ok(Registration { instance, ttl_s })
}

/// Collects mistakes while it reads; what it returns after one is never used.
struct Reader {
    mistakes: Vec<Mistake>,
}

impl Reader {
    fn mistake(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.mistakes.push(Mistake { field: field.into(), message: message.into() });
    }

    fn parse<T: std::str::FromStr<Err: std::fmt::Display>>(&mut self, field: &str, text: &str) -> Option<T> {
        text.parse().map_err(|error: T::Err| self.mistake(field, error.to_string())).ok()
    }

    fn number(
        &mut self,
        field: &str,
        value: Option<i64>,
        default: u16,
        legal: std::ops::RangeInclusive<u16>,
    ) -> u16 {
        match value.map(u16::try_from) {
            None => default,
            Some(Ok(value)) if legal.contains(&value) => value,
            Some(_) => {
                let (low, high) = legal.into_inner();
                self.mistake(field, format!("must be from {low} to {high}"));
                default
            }
        }
    }

    fn intent(&mut self, state: &str) -> Intent {
        match state {
            "" | "up" => Intent::Up,
            "draining" => Intent::Draining,
            _ => {
                self.mistake("state", "must be \"up\" or \"draining\"");
                Intent::Up
            }
        }
    }

    fn health(&mut self, health: &str) -> Health {
        match health {
            "" | "grpc" => Health::Grpc,
            "tcp" => Health::Tcp,
            "none" => Health::None,
            _ => {
                self.mistake("health", "must be \"grpc\", \"tcp\" or \"none\"");
                Health::Grpc
            }
        }
    }

    fn schema(&mut self, raw: &Raw) -> Option<SchemaRef> {
        if raw.services.len() > SERVICES_MAX {
            self.mistake("schema.services", format!("has more than {SERVICES_MAX} entries"));
        }
        for (at, name) in raw.services.iter().take(SERVICES_MAX).enumerate() {
            if name.len() > SERVICE_BYTES_MAX || name.chars().any(char::is_control) {
                self.mistake(
                    format!("schema.services[{at}]"),
                    format!("must be at most {SERVICE_BYTES_MAX} bytes without control characters"),
                );
            }
        }
        let digest = match &raw.digest {
            Some(text) => self.parse::<Digest>("schema.digest", text),
            None if !raw.services.is_empty() => {
                self.mistake("schema.digest", "must be given where schema.services is");
                None
            }
            None => None,
        };
        digest.map(|digest| SchemaRef { digest, services: raw.services.clone() })
    }

    fn check_meta(&mut self, meta: &BTreeMap<String, String>) {
        if meta.len() > META_MAX {
            self.mistake("meta", format!("has {} entries, and {META_MAX} are allowed", meta.len()));
        }
        for (key, value) in meta.iter().take(META_MAX) {
            let shown: String = key.chars().take(META_KEY_BYTES_MAX).collect();
            if key.is_empty() || key.len() > META_KEY_BYTES_MAX {
                self.mistake(
                    format!("meta[{shown:?}]"),
                    format!("must have a key of 1 to {META_KEY_BYTES_MAX} bytes"),
                );
            }
            if value.len() > META_VALUE_BYTES_MAX {
                self.mistake(
                    format!("meta[{shown:?}]"),
                    format!("has a value of more than {META_VALUE_BYTES_MAX} bytes"),
                );
            }
            if key.chars().chain(value.chars()).any(char::is_control) {
                self.mistake(format!("meta[{shown:?}]"), "must not have control characters");
            }
        }
    }

    fn endpoints(&mut self, raw: &[(String, String)], terms: &Terms) -> Vec<Endpoint> {
        if raw.is_empty() {
            self.mistake("endpoints", "must have at least one, such as {\"url\": \"grpc://10.0.0.7:50051\"}");
        }
        if raw.len() > ENDPOINTS_MAX {
            self.mistake("endpoints", format!("has {} entries, and {ENDPOINTS_MAX} are allowed", raw.len()));
        }
        let mut endpoints = Vec::new();
        for (at, (url, zone)) in raw.iter().take(ENDPOINTS_MAX).enumerate() {
            if zone.len() > META_KEY_BYTES_MAX || zone.chars().any(char::is_control) {
                self.mistake(
                    format!("endpoints[{at}].zone"),
                    "must be at most 64 bytes without control characters",
                );
            }
            match endpoint(url, zone, terms) {
                Ok(endpoint) => endpoints.push(endpoint),
                Err(message) => self.mistake(format!("endpoints[{at}].url"), message),
            }
        }
        endpoints
    }
}

/// Reads `grpc://host:port`. Anything more in it would be a way to make the gateway ask for things.
fn endpoint(url: &str, zone: &str, terms: &Terms) -> Result<Endpoint, String> {
    let (scheme, rest) = if let Some(rest) = url.strip_prefix("grpc://") {
        (Scheme::Grpc, rest)
    } else if let Some(rest) = url.strip_prefix("grpcs://") {
        (Scheme::Grpcs, rest)
    } else {
        return Err("must begin with \"grpc://\" or \"grpcs://\"".into());
    };
    if let Some(odd) = rest.chars().find(|c| matches!(c, '/' | '?' | '#' | '@' | '\\') || c.is_whitespace()) {
        return Err(format!("must be only a host and a port, but has {odd:?}"));
    }
    let (host, port) = rest.rsplit_once(':').ok_or("must end with a port, such as \":50051\"")?;
    let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let port = port
        .parse::<u16>()
        .ok()
        .filter(|port| digits && *port > 0)
        .ok_or_else(|| format!("has the port {:?}, which is not a number from 1 to 65535", crop(port)))?;
    let host = check_host(host, terms)?;
    Ok(Endpoint { scheme, host, port, zone: zone.to_owned() })
}

fn check_host(host: &str, terms: &Terms) -> Result<String, String> {
    let bare = match host.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').ok_or("has an opening bracket and no closing one")?,
        None if host.contains(':') => return Err("must have an IPv6 address in brackets".into()),
        None => host,
    };
    if let Ok(address) = bare.parse::<IpAddr>() {
        return check_address(address, terms).map(|()| bare.to_owned());
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if host.starts_with('[') || bare.is_empty() || bare.len() > 253 || !bare.chars().all(legal) {
        return Err(format!("has the host {:?}, which is neither a name nor an address", crop(host)));
    }
    // 127.1, 2130706433 and 0x7f.1 are addresses to a resolver and names to nobody.
    let last = bare.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    if last.is_empty() || last.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(format!("has the host {:?}, which is neither a name nor an address", crop(host)));
    }
    Ok(bare.to_owned())
}

fn check_address(address: IpAddr, terms: &Terms) -> Result<(), String> {
    let address = address.to_canonical();
    if address.is_unspecified() {
        return Err(format!("has the address {address}, which means \"anywhere\": give the one to call"));
    }
    if address.is_multicast() || !terms.allow_cidrs.iter().any(|network| network.contains(&address)) {
        return Err(format!("has the address {address}, which is outside registry.allow_cidrs"));
    }
    Ok(())
}

/// Whether an entry of `meta` is within its bounds.
pub(crate) fn is_meta(key: &str, value: &str) -> bool {
    (1..=META_KEY_BYTES_MAX).contains(&key.len())
        && value.len() <= META_VALUE_BYTES_MAX
        && !key.chars().chain(value.chars()).any(char::is_control)
}

fn crop(text: &str) -> String {
    text.chars().take(64).collect()
}

/// Why a well described instance is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Its descriptors were not stored yet.
    #[error("the schema {0} is not stored")]
    SchemaUnknown(Digest),
    /// It names protobuf services that its descriptors do not have.
    #[error("the schema {digest} has no service {missing}")]
    ServiceMissing {
        /// The stored descriptors.
        digest: Digest,
        /// What was not found.
        missing: String,
    },
    /// Its version came with other descriptors before.
    #[error("{service} {version} is bound to the schema {bound}, and this instance has {offered}")]
    VersionBound {
        /// The service.
        service: ServiceName,
        /// The version.
        version: Version,
        /// The descriptors it has for ever.
        bound: Digest,
        /// Those of the refused instance.
        offered: Digest,
    },
    /// Its version was taken out of service for good.
    #[error("{service} {version} is retired")]
    Retired {
        /// The service.
        service: ServiceName,
        /// The version.
        version: Version,
    },
    /// A later process is registered under the same id.
    #[error("a newer process is registered as {id}: incarnation {registered}, and this one is {offered}")]
    Stale {
        /// The contested id.
        id: crate::id::InstanceId,
        /// The incarnation that stays.
        registered: u64,
        /// The one refused.
        offered: u64,
    },
}

impl Refusal {
    /// A stable name for machines.
    pub fn code(&self) -> &'static str {
        match self {
            Refusal::SchemaUnknown(_) => "SCHEMA_UNKNOWN",
            Refusal::ServiceMissing { .. } => "SERVICE_MISSING",
            Refusal::VersionBound { .. } => "VERSION_BOUND",
            Refusal::Retired { .. } => "VERSION_RETIRED",
            Refusal::Stale { .. } => "STALE_INCARNATION",
        }
    }

    /// What the author can do about it.
    pub fn help(&self) -> String {
        match self {
            Refusal::SchemaUnknown(digest) => {
                format!(
                    "Store it first: PUT /registry/v1/schemas/{digest} with the descriptor set as the body."
                )
            }
            Refusal::ServiceMissing { .. } => {
                "Name services by their full names, such as \"shop.catalog.v1.CatalogService\", or leave \
                 schema.services out."
                    .to_owned()
            }
            Refusal::VersionBound { service, .. } => format!(
                "Give the changed contract a new version; `turnout service show {service}` lists those taken."
            ),
            Refusal::Retired { service, version } => format!(
                "Start a version that is in service, or take this one back: `turnout retire restore {service} \
                 {version}`."
            ),
            Refusal::Stale { .. } => {
                "Give each process an id of its own, such as host-port-starttime.".to_owned()
            }
        }
    }

    /// The same for the list of what is registered, where the instance stands in spite of it.
    pub fn finding(&self) -> Diagnostic {
        Diagnostic {
            severity: Severity::Error,
            code: self.code(),
            message: format!("The instance takes no calls: {self}."),
            help: self.help(),
        }
    }
}

/// What the store knows of the descriptors that an instance names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Schema {
    /// It names none.
    Unnamed,
    /// They are not stored.
    Unknown,
    /// They are stored and define these protobuf services.
    Stored(Vec<String>),
}

/// What an instance is held against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ground {
    /// The descriptors that its version has for ever; `None` while it has none.
    pub bound: Option<Digest>,
    /// Whether its version is in service.
    pub service_life: ServiceLife,
    /// The incarnation of the process that is registered under its name.
    pub incarnation: Option<u64>,
}

/// Whether a version is in service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ServiceLife {
    /// It is, or may come to be.
    Open,
    /// It was taken out for good.
    Retired,
}

/// Holds an instance against what is registered. The findings are for its author, and refuse nothing.
pub fn admit(snapshot: &Snapshot, instance: &Instance, schema: &Schema) -> Result<Vec<Diagnostic>, Refusal> {
    let service = snapshot.service(&instance.service);
    let record = service.and_then(|service| service.versions.get(&instance.version));
    let registered = service.and_then(|service| service.instances.get(&instance.id));
    let ground = Ground {
        bound: record.and_then(|record| record.digest),
        service_life: ServiceLife::Open,
        incarnation: registered.map(|registered| registered.instance.incarnation),
    };
    hold(&ground, instance, schema)
}

/// Holds an instance against what a store knows of it. The findings are for its author, and refuse nothing.
pub fn hold(ground: &Ground, instance: &Instance, schema: &Schema) -> Result<Vec<Diagnostic>, Refusal> {
    let (service, version) = (&instance.service, &instance.version);
    if ground.service_life == ServiceLife::Retired {
        return Err(Refusal::Retired { service: service.clone(), version: version.clone() });
    }
    if let Some(offered) = &instance.schema {
        check_schema(offered, schema)?;
        if let Some(bound) = ground.bound.filter(|bound| *bound != offered.digest) {
            let (service, version) = (service.clone(), version.clone());
            return Err(Refusal::VersionBound { service, version, bound, offered: offered.digest });
        }
    }
    if let Some(registered) = ground.incarnation.filter(|registered| *registered > instance.incarnation) {
        let (id, offered) = (instance.id.clone(), instance.incarnation);
        return Err(Refusal::Stale { id, registered, offered });
    }
    Ok(findings(instance, ground.bound))
}

fn check_schema(offered: &SchemaRef, schema: &Schema) -> Result<(), Refusal> {
    let Schema::Stored(stored) = schema else { return Err(Refusal::SchemaUnknown(offered.digest)) };
    match offered.services.iter().find(|name| !stored.contains(name)) {
        Some(missing) => {
            Err(Refusal::ServiceMissing { digest: offered.digest, missing: format!("{:?}", crop(missing)) })
        }
        None => Ok(()),
    }
}

fn findings(instance: &Instance, bound: Option<Digest>) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    if instance.schema.is_none() && bound.is_none() {
        findings.push(Diagnostic {
            severity: Severity::Warning,
            code: "SCHEMA_MISSING",
            message: format!(
                "{} {} named no descriptors, so nothing of it is in a graph until they are found.",
                instance.service, instance.version
            ),
            help: "Serve gRPC reflection, or store a descriptor set under /registry/v1/schemas and name its \
                   digest."
                .to_owned(),
        });
    }
    if instance.weight == 0 {
        findings.push(Diagnostic {
            severity: Severity::Warning,
            code: "WEIGHT_ZERO",
            message: "The instance has weight 0 and takes no calls.".to_owned(),
            help: "Leave weight out to take an equal share.".to_owned(),
        });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registry::Event;
    use crate::registry::tests::registered;
    use expect_test::{Expect, expect};
    use proptest::prelude::*;
    use std::sync::Arc;

    fn terms() -> Terms {
        Terms { allow_cidrs: vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()], ttl_s: 15 }
    }

    fn raw() -> Raw {
        Raw {
            service: "catalog".into(),
            id: "a".into(),
            version: "1.5.0".into(),
            endpoints: vec![("grpc://10.0.0.7:50051".into(), String::new())],
            ..Raw::default()
        }
    }

    fn check(raw: &Raw, expected: Expect) {
        let answer = match read(raw, &terms()) {
            Ok(read) => {
                format!("{:?}", read.instance.endpoints.iter().map(Endpoint::url).collect::<Vec<_>>())
            }
            Err(mistakes) => {
                mistakes.iter().map(|m| format!("{}: {}", m.field, m.message)).collect::<Vec<_>>().join("\n")
            }
        };
        expected.assert_eq(&answer);
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let raw = Raw {
            service: "a/b".into(),
            version: "v1.5.0".into(),
            endpoints: vec![("http://10.0.0.7:1".into(), String::new())],
            digest: Some("sha256:12".into()),
            weight: Some(-1),
            state: "dead".into(),
            health: "http".into(),
            meta: BTreeMap::from([(String::new(), "x".into())]),
            ttl_s: Some(1),
            ..Raw::default()
        };
        check(
            &raw,
            expect![[r#"
                service: may only have letters, digits, ".", "_" and "-", but has '/'
                id: must not be empty
                version: must not begin with "v": write "1.5.0"
                endpoints[0].url: must begin with "grpc://" or "grpcs://"
                schema.digest: must have 64 hexadecimal digits after "sha256:", but has 2
                weight: must be from 0 to 1000
                state: must be "up" or "draining"
                health: must be "grpc", "tcp" or "none"
                meta[""]: must have a key of 1 to 64 bytes
                ttl: must be from 5 to 300"#]],
        );
    }

    #[test]
    fn an_endpoint_is_a_host_and_a_port_inside_the_allowed_networks() {
        for (url, wrong) in [
            ("grpc://10.0.0.7:50051", None),
            ("grpcs://catalog.shop.svc:443", None),
            ("grpc://[::ffff:10.0.0.7]:50051", None),
            ("grpc://8.8.8.8:53", Some("registry.allow_cidrs")),
            ("grpc://169.254.169.254:80", Some("registry.allow_cidrs")),
            ("grpc://[::ffff:169.254.169.254]:80", Some("registry.allow_cidrs")),
            ("grpc://0.0.0.0:50051", Some("anywhere")),
            ("grpc://[::]:50051", Some("anywhere")),
            ("grpc://10.0.0.7", Some("port")),
            ("grpc://10.0.0.7:0", Some("port")),
            ("grpc://10.0.0.7:+1", Some("port")),
            ("grpc://10.0.0.7:65536", Some("port")),
            ("grpc://user@10.0.0.7:1", Some("'@'")),
            ("grpc://10.0.0.7:1/x", Some("'/'")),
            ("grpc://2130706433:1", Some("neither")),
            ("grpc://127.1:1", Some("neither")),
            ("grpc://0x7f.1:1", Some("neither")),
            ("grpc://evil.0x7f000001:1", Some("neither")),
            ("grpc://::1:1", Some("brackets")),
            ("grpc://[::1:1", Some("bracket")),
            ("grpc://:1", Some("neither")),
            ("grpc://a b:1", Some("' '")),
            ("grpc://a\u{0}b:1", Some("neither")),
        ] {
            let answer = endpoint(url, "", &terms());
            match (wrong, &answer) {
                (Some(part), Err(message)) => assert!(message.contains(part), "{url}: {message}"),
                (None, Ok(_)) => {}
                _ => panic!("{url}: {answer:?}"),
            }
        }
    }

    #[test]
    fn a_long_port_makes_no_long_mistake() {
        let url = format!("grpc://10.0.0.7:{}", "9".repeat(100_000));
        assert!(endpoint(&url, "", &terms()).unwrap_err().len() < 200);
    }

    #[test]
    fn a_version_is_bound_to_its_descriptors_for_ever() {
        let old = registered("catalog", "a", "1.5.0");
        let gone = Event::Down(
            old.instance.service.clone(),
            old.instance.id.clone(),
            crate::registry::Why::Deregistered,
        );
        let snapshot = Snapshot::default().apply(&Event::Up(old.clone())).apply(&gone);
        let mut changed = (*old.instance).clone();
        changed.schema = Some(SchemaRef { digest: Digest::of(b"other"), services: Vec::new() });
        let refusal = admit(&snapshot, &changed, &Schema::Stored(Vec::new())).unwrap_err();
        assert_eq!(refusal.code(), "VERSION_BOUND");
        assert!(refusal.help().contains("turnout service show catalog"));
        assert_eq!(admit(&snapshot, &old.instance, &Schema::Stored(Vec::new())), Ok(Vec::new()));
    }

    #[test]
    fn an_older_process_never_overwrites_its_successor() {
        let mut newer = registered("catalog", "a", "1.5.0");
        Arc::make_mut(&mut newer.instance).incarnation = 9;
        let snapshot = Snapshot::default().apply(&Event::Up(newer.clone()));
        let older = registered("catalog", "a", "1.5.0");
        let stored = Schema::Stored(Vec::new());
        assert_eq!(admit(&snapshot, &older.instance, &stored).unwrap_err().code(), "STALE_INCARNATION");
        assert!(admit(&snapshot, &newer.instance, &stored).is_ok());
    }

    #[test]
    fn a_retired_version_does_not_come_back() {
        let instance = registered("catalog", "a", "1.5.0").instance;
        let ground = Ground { bound: None, service_life: ServiceLife::Retired, incarnation: None };
        let refusal = hold(&ground, &instance, &Schema::Stored(Vec::new())).unwrap_err();
        assert_eq!(refusal.finding().message, "The instance takes no calls: catalog 1.5.0 is retired.");
        assert!(refusal.help().contains("turnout retire restore catalog 1.5.0"));
        let open = Ground { service_life: ServiceLife::Open, ..ground };
        assert!(hold(&open, &instance, &Schema::Stored(Vec::new())).is_ok());
    }

    #[test]
    fn descriptors_come_before_the_instance_that_names_them() {
        let mut instance = (*registered("catalog", "a", "1.5.0").instance).clone();
        let refusal = admit(&Snapshot::default(), &instance, &Schema::Unknown).unwrap_err();
        assert_eq!(refusal.code(), "SCHEMA_UNKNOWN");
        instance.schema.as_mut().unwrap().services = vec!["shop.v1.Nope".into()];
        let stored = Schema::Stored(vec!["shop.v1.Shop".into()]);
        assert_eq!(admit(&Snapshot::default(), &instance, &stored).unwrap_err().code(), "SERVICE_MISSING");
    }

    #[test]
    fn an_instance_without_descriptors_is_taken_and_told() {
        let mut instance = (*registered("catalog", "a", "1.5.0").instance).clone();
        instance.schema = None;
        let findings = admit(&Snapshot::default(), &instance, &Schema::Unnamed).unwrap();
        assert_eq!(findings.iter().map(|finding| finding.code).collect::<Vec<_>>(), ["SCHEMA_MISSING"]);
        let known = Snapshot::default().apply(&Event::Up(registered("catalog", "b", "1.5.0")));
        assert_eq!(admit(&known, &instance, &Schema::Unnamed), Ok(Vec::new()));
    }

    proptest! {
        #[test]
        fn an_endpoint_that_is_taken_reads_back_the_same(url in "grpcs?://[a-z0-9.:\\[\\]-]{1,30}") {
            if let Ok(read) = endpoint(&url, "", &terms()) {
                let again = endpoint(&read.url(), "", &terms());
                prop_assert_eq!(again, Ok(read));
            }
        }

        #[test]
        fn no_text_makes_the_reader_panic(service in "\\PC*", version in "\\PC*", url in "\\PC*", digest in "\\PC*") {
            let raw = Raw { service, version, endpoints: vec![(url, String::new())], digest: Some(digest), ..raw() };
            let _ = read(&raw, &terms());
        }
    }
}
