//! What an entry of somebody's etcd says: one pure function for each way that frameworks write one.
//!
//! A layout turns a key and a value into the facts of a registration, and `registration::read` judges
//! them as it judges all others. It never makes up a version: where none is stated, what leaves is an
//! [`Unversioned`], which becomes a registration when the operator's policy names one. Except where a
//! plain layout says otherwise, the service is the one that the key names, so that rights on keys are
//! rights on services. Two keys with one address give one instance id (go-zero registers anew under
//! another key), and a deletion has no value: whoever watches remembers which key said what.
//!
//! Not in here: lists, watches and leases, the order of entries, and what policy adds (protocol, TLS,
//! schema): `source` does.

mod go_micro;
mod go_zero;
mod grpc_naming;
mod json;
mod key;
mod kitex;
mod kratos;
mod native;
mod plain;
pub mod problem;
mod template;
mod todolist;

use turnout_schema::{Diagnostic, Severity};

pub use self::native::Native;
use self::problem::{Error, Problem, crop, escape};
pub use self::template::{Content, Field, Template, TemplateError};
use crate::id::{InstanceId, ServiceName, Version};
use crate::registration::{self, Raw, Registration, Terms};

/// The longest value that is looked into. go-micro describes every method and needs the most.
const VALUE_BYTES_MAX: usize = 256 << 10;

/// How the entries of a source are written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Turnout's own: `<service>/<id>` and JSON.
    Native,
    /// Kitex with registry-etcd: `<service>/<host:port>` and JSON.
    Kitex,
    /// Kratos: `<service>/<id>` and JSON with several endpoints.
    Kratos,
    /// go-zero: `<service>/<lease>` and a bare address.
    GoZero,
    /// go-micro: `<service>/<node>` and JSON of a service with one node.
    GoMicro,
    /// The naming of etcd's gRPC resolver: `<service>/<anything>` and JSON.
    GrpcNaming,
    /// The gin and gRPC todo project with its variants: `<service>/[<version>/]<address>` and JSON.
    Todolist,
    /// What the operator describes.
    Plain(Template),
}

/// An entry as etcd holds it.
#[derive(Clone, Copy, Debug)]
pub struct Entry<'a> {
    /// What all keys of the source begin with, and what no layout describes: `/microservices`. The key
    /// goes on after it with a slash, which may be part of the prefix.
    pub prefix: &'a str,
    /// The whole key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
}

/// What was read from an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading {
    /// What it says.
    pub said: Said,
    /// What its author may want to mend; refuses nothing.
    pub findings: Vec<Diagnostic>,
}

/// What an entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// An instance with its version.
    Versioned(Registration),
    /// An instance whose version policy must state.
    Unversioned(Unversioned),
    /// No instance that could be called, and nothing wrong with that.
    Ignored(Ignored),
}

/// Why an entry that is well written is no instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ignored {
    /// It says that its address was taken away.
    Removed,
    /// It offers these protocols, and gRPC is not among them.
    NoGrpc(String),
}

impl Ignored {
    /// The reason, as a sentence without its subject.
    pub fn reason(&self) -> String {
        match self {
            Ignored::Removed => "says that its address was removed".to_owned(),
            Ignored::NoGrpc(offered) => format!("offers no gRPC, but {offered:?}"),
        }
    }
}

/// An instance that is well described but for its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unversioned {
    /// Its version is `STAND_IN` and leaves only after it was replaced.
    registration: Registration,
    written: String,
}

/// Takes the place of a version while all else is judged.
const STAND_IN: &str = "0.0.0";

impl Unversioned {
    /// The service it belongs to.
    pub fn service(&self) -> &ServiceName {
        &self.registration.instance.service
    }

    /// Its name inside the service.
    pub fn id(&self) -> &InstanceId {
        &self.registration.instance.id
    }

    /// What stands where a version should: `latest`, `v2`; empty when nothing does.
    pub fn written(&self) -> &str {
        &self.written
    }

    /// The registration, given the version that policy states.
    pub fn with_version(mut self, version: Version) -> Registration {
        self.registration.instance.version = version;
        self.registration
    }

    /// What the operator is told while policy states no version.
    pub fn finding(&self) -> Diagnostic {
        let (service, id) = (self.service(), self.id());
        let why = match self.written.as_str() {
            "" => "states no version".to_owned(),
            written => format!("has {written:?} for a version, which is none by semver.org"),
        };
        Diagnostic {
            severity: Severity::Error,
            code: "VERSION_UNSTATED",
            message: format!("The instance {id} of {service} {why}, and takes no calls."),
            help: format!("Set `services.{service}.version` in turnout.yaml."),
        }
    }
}

/// What a layout found, before it is judged.
enum Facts {
    /// An instance as we write it, with the fields that were passed over.
    Ours(Raw, Vec<String>),
    /// An instance as others write it.
    Theirs(Raw),
    /// No instance.
    Ignored(Ignored),
}

impl Layout {
    /// The name that operators give it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Layout::Native => "native",
            Layout::Kitex => "kitex-etcd",
            Layout::Kratos => "kratos-etcd",
            Layout::GoZero => "gozero",
            Layout::GoMicro => "gomicro-etcd",
            Layout::GrpcNaming => "grpc-naming",
            Layout::Todolist => "todolist",
            Layout::Plain(_) => "plain",
        }
    }

    /// The layout of a name and, for a plain one, of a template; `None` when there is no such name.
    pub fn named(name: &str, template: Option<Template>) -> Option<Layout> {
        let plain = [Layout::Native, Layout::Kitex, Layout::Kratos, Layout::GoZero, Layout::GoMicro];
        let others = [Layout::GrpcNaming, Layout::Todolist];
        let known = plain.into_iter().chain(others).chain(template.map(Layout::Plain));
        known.into_iter().find(|layout| layout.as_str() == name)
    }

    /// What keys begin with unless their authors chose otherwise; nothing where there is no usual prefix.
    pub fn prefix(&self) -> &'static str {
        match self {
            Layout::Native => "/turnout/v1/instances",
            Layout::Kitex => "kitex/registry-etcd",
            Layout::Kratos => "/microservices",
            Layout::GoMicro => "/micro/registry",
            Layout::Todolist => "/",
            Layout::GoZero | Layout::GrpcNaming | Layout::Plain(_) => "",
        }
    }

    /// Seconds for which an entry outlives its author, where the framework fixes them.
    pub fn ttl_s(&self) -> Option<u16> {
        match self {
            Layout::Kitex => Some(60),
            Layout::GoMicro => Some(90),
            Layout::Kratos => Some(15),
            Layout::GoZero | Layout::Todolist => Some(10),
            Layout::Native | Layout::GrpcNaming | Layout::Plain(_) => None,
        }
    }

    /// Reads an entry. Total: any bytes give an answer, in time that grows with their number, and of
    /// an error's text no more than [`problem::ERROR_BYTES_MAX`].
    pub fn read(&self, entry: &Entry<'_>, terms: &Terms) -> Result<Reading, Error> {
        self.facts(entry)
            .and_then(|facts| judge(facts, terms))
            .map_err(|problem| Error { key: escape(entry.key), problem })
    }

    fn facts(&self, entry: &Entry<'_>) -> Result<Facts, Problem> {
        let path = key::below(entry.prefix, entry.key)?;
        let value = entry.value;
        if value.len() > VALUE_BYTES_MAX {
            return Err(Problem::Size { found: value.len(), allowed: VALUE_BYTES_MAX });
        }
        match self {
            Layout::Native => native::read(path, value),
            Layout::Kitex => kitex::read(path, value),
            Layout::Kratos => kratos::read(path, value),
            Layout::GoZero => go_zero::read(path, value),
            Layout::GoMicro => go_micro::read(path, value),
            Layout::GrpcNaming => grpc_naming::read(path, value),
            Layout::Todolist => todolist::read(path, value),
            Layout::Plain(template) => plain::read(template, path, value),
        }
    }
}

fn judge(facts: Facts, terms: &Terms) -> Result<Reading, Problem> {
    match facts {
        Facts::Ignored(ignored) => Ok(Reading { said: Said::Ignored(ignored), findings: Vec::new() }),
        Facts::Ours(raw, unknown) => {
            let registration = registration::read(&raw, terms).map_err(Problem::mistakes)?;
            let findings = unknown.iter().map(|name| unknown_field(name)).collect();
            Ok(Reading { said: Said::Versioned(registration), findings })
        }
        Facts::Theirs(mut raw) => {
            let findings = soften(&mut raw);
            let written = std::mem::take(&mut raw.version);
            let stated = written.parse::<Version>().is_ok();
            raw.version = if stated { written.clone() } else { STAND_IN.to_owned() };
            let registration = registration::read(&raw, terms).map_err(Problem::mistakes)?;
            let said = if stated {
                Said::Versioned(registration)
            } else {
                Said::Unversioned(Unversioned { registration, written: crop(&written, 64) })
            };
            Ok(Reading { said, findings })
        }
    }
}

/// Others have other bounds. What calls do not need must not keep an instance from being called.
fn soften(raw: &mut Raw) -> Vec<Diagnostic> {
    let mut findings = Vec::new();
    let weight_max = i64::from(registration::WEIGHT_MAX);
    if let Some(weight) = raw.weight.filter(|weight| *weight > weight_max) {
        raw.weight = Some(weight_max);
        findings.push(Diagnostic {
            severity: Severity::Warning,
            code: "WEIGHT_CAPPED",
            message: format!(
                "The weight comes to {weight} on a scale of 0 to {weight_max}, and is cut there."
            ),
            help: "State smaller weights; only their ratio inside a service counts.".to_owned(),
        });
    }
    let before = raw.meta.len();
    raw.meta.retain(|key, value| registration::is_meta(key, value));
    while raw.meta.len() > registration::META_MAX {
        raw.meta.pop_last();
    }
    let dropped = before - raw.meta.len();
    if dropped > 0 {
        findings.push(Diagnostic {
            severity: Severity::Info,
            code: "META_DROPPED",
            message: format!(
                "{dropped} of {before} entries of its metadata are too long or too many to keep."
            ),
            help: String::new(),
        });
    }
    findings
}

/// What the author of a registration is told of a field that nobody here knows.
pub fn unknown_field(name: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Warning,
        code: "UNKNOWN_FIELD",
        message: format!("The registration has the field {name:?}, which this gateway does not know."),
        help: "Check its spelling, or leave it out.".to_owned(),
    }
}

/// The instance at an address, of which nothing else is known. No framework but Kratos and go-zero
/// serves gRPC health unasked, so opening a connection is the probe that always means something.
fn at_address(service: &str, address: &str) -> Raw {
    Raw {
        service: service.to_owned(),
        id: instance_id(address),
        endpoints: vec![(format!("grpc://{address}"), String::new())],
        health: "tcp".to_owned(),
        ..Raw::default()
    }
}

/// A legal id for what others use as one: itself, or `10.0.0.7-8888` for `10.0.0.7:8888`, or a digest.
/// The same text gives the same id on every gateway.
fn instance_id(text: &str) -> String {
    if text.parse::<InstanceId>().is_ok() || text.is_empty() {
        return text.to_owned();
    }
    let dashed = text.replacen(':', "-", 1);
    if dashed.parse::<InstanceId>().is_ok() {
        return dashed;
    }
    format!("x-{}", &turnout_schema::Digest::of(text.as_bytes()).hex()[..32])
}

#[cfg(test)]
mod tests;
