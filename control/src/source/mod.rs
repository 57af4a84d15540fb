//! What an entry of somebody's registry comes to here: its layout's reading under the operator's policy.
//!
//! A layout says what stands in an entry. A source adds what no entry can say of itself: which services are
//! asked for, whether addresses of this machine are taken, and what the operator's policy states of a service
//! (its version, TLS). The answer is what the table takes. `Entries` remembers what is
//! there and judges it anew when policy or terms change.
//!
//! Not in here: how entries are listed and watched, and what the table makes of several that agree or not.

mod entries;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;

use turnout_schema::{Diagnostic, Severity};

pub use self::entries::Entries;
use crate::id::{LeaseId, ServiceName, SourceName, Timestamp, Version};
use crate::layout::{self, Entry, Layout};
use crate::registration::{Registration, Terms};
use crate::registry::{Instance, Presence, Registered, Scheme};
use crate::table::Said;

/// Where entries are read, and which of them count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Its name.
    pub name: SourceName,
    /// How its entries are written.
    pub layout: Layout,
    /// What all its keys begin with: `kitex/registry-etcd`, `/`, or nothing.
    pub prefix: String,
    /// The services that are asked for; empty: all that are found.
    pub services: BTreeSet<ServiceName>,
    /// Whether addresses of this machine are taken.
    pub loopback: Loopback,
}

/// What becomes of an instance that says it is on the machine of whoever asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loopback {
    /// It cannot be called: the machine that it means is another one.
    Refused,
    /// It can: everything runs on one machine.
    Taken,
}

/// What the operator states of a service because its registry cannot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// The version of instances that state none.
    pub version: Option<Version>,
    /// How its instances are spoken to.
    pub tls: Tls,
}

/// How the instances of a service are spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tls {
    /// As each one says.
    AsRegistered,
    /// With TLS, whatever they say.
    Always,
}

/// What entries are judged by. It changes while the gateway runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The networks that endpoints may be in, and the time of those that state none.
    pub terms: Terms,
    /// What the operator states, for the services of which anything is stated.
    pub policies: BTreeMap<ServiceName, Policy>,
}

/// An entry as its registry holds it.
#[derive(Clone, Copy, Debug)]
pub struct Written<'a> {
    /// The whole key.
    pub key: &'a [u8],
    /// The value.
    pub value: &'a [u8],
    /// What keeps it there; `None` where it stays until somebody removes it.
    pub lease: Option<LeaseId>,
    /// When it was first seen.
    pub registered_at: Timestamp,
}

impl Source {
    /// The beginnings of the keys that have to be followed; none is the beginning of another.
    pub fn scopes(&self) -> Vec<String> {
        let root = match self.prefix.as_str() {
            "" => String::new(),
            prefix if prefix.ends_with('/') => prefix.to_owned(),
            prefix => format!("{prefix}/"),
        };
        // The key of a plain layout may have anything before the service.
        if self.services.is_empty() || matches!(self.layout, Layout::Plain(_)) {
            return vec![root];
        }
        // One of the todo project's variants writes a service's only address under its bare name.
        let end = if self.layout == Layout::Todolist { "" } else { "/" };
        let all: Vec<String> = self.services.iter().map(|service| format!("{root}{service}{end}")).collect();
        let covered = |scope: &String| all.iter().any(|other| other != scope && scope.starts_with(other));
        all.iter().filter(|scope| !covered(scope)).cloned().collect()
    }

    /// Whether a key may be read by both.
    pub fn overlaps(&self, other: &Source) -> bool {
        let (one, two) = (self.scopes(), other.scopes());
        let meet = |a: &String, b: &String| a.starts_with(b.as_str()) || b.starts_with(a.as_str());
        one.iter().any(|a| two.iter().any(|b| meet(a, b)))
    }

    /// What an entry says; `None` when it is about a service that was not asked for.
    pub fn said(&self, written: &Written<'_>, rules: &Rules) -> Option<Said> {
        let entry = Entry { prefix: &self.prefix, key: written.key, value: written.value };
        let reading = match self.layout.read(&entry, &rules.terms) {
            Ok(reading) => reading,
            Err(error) => return Some(Said::Unreadable(unreadable(&error))),
        };
        let asked = |service: &ServiceName| self.services.is_empty() || self.services.contains(service);
        let registration = match reading.said {
            layout::Said::Ignored(_) => return Some(Said::Nothing),
            layout::Said::Versioned(registration) => registration,
            layout::Said::Unversioned(unversioned) => {
                if !asked(unversioned.service()) {
                    return None;
                }
                let policy = rules.policies.get(unversioned.service());
                match policy.and_then(|policy| policy.version.clone()) {
                    Some(version) => unversioned.with_version(version),
                    None => return Some(Said::Unreadable(unversioned.finding())),
                }
            }
        };
        if !asked(&registration.instance.service) {
            return None;
        }
        Some(self.judge(registration, written, rules))
    }

    fn judge(&self, registration: Registration, written: &Written<'_>, rules: &Rules) -> Said {
        let Registration { mut instance, ttl_s } = registration;
        if self.loopback == Loopback::Refused
            && let Some(endpoint) = instance.endpoints.iter().find(|endpoint| is_loopback(&endpoint.host))
        {
            return Said::Unreadable(self.loopback_refused(&instance, &endpoint.url()));
        }
        match rules.policies.get(&instance.service).map_or(Tls::AsRegistered, |policy| policy.tls) {
            Tls::AsRegistered => {}
            Tls::Always => {
                instance.endpoints.iter_mut().for_each(|endpoint| endpoint.scheme = Scheme::Grpcs);
            }
        }
        Said::Instance(Registered {
            instance: Arc::new(instance),
            source: self.name.clone(),
            lease: written.lease,
            ttl_s: self.layout.ttl_s().unwrap_or(ttl_s),
            registered_at: written.registered_at,
            presence: Presence::Here,
            refused: None,
        })
    }

    fn loopback_refused(&self, instance: &Instance, url: &str) -> Diagnostic {
        let (service, id, name) = (&instance.service, &instance.id, &self.name);
        Diagnostic {
            severity: Severity::Error,
            code: "LOOPBACK_REFUSED",
            message: format!("The instance {id} of {service} says that it is at {url}, and takes no calls."),
            help: format!(
                "Let it register an address that others can reach, or set registry.sources.{name}.allow_loopback \
                 where everything runs on one machine."
            ),
        }
    }
}

fn unreadable(error: &layout::problem::Error) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code: "ENTRY_UNREADABLE",
        message: format!("{}.", capital(&error.to_string())),
        help: "Mend it where it is written, or check the layout and the prefix of the source.".to_owned(),
    }
}

/// The sentence of a fragment.
fn capital(fragment: &str) -> String {
    let mut letters = fragment.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Whether a host is the machine of whoever asks, as far as its text tells.
fn is_loopback(host: &str) -> bool {
    let name = host.trim_end_matches('.').to_ascii_lowercase();
    let address = host.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback());
    address || name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(layout: Layout, prefix: &str, services: &[&str]) -> Source {
        Source {
            name: "legacy".parse().unwrap(),
            layout,
            prefix: prefix.to_owned(),
            services: services.iter().map(|name| name.parse().unwrap()).collect(),
            loopback: Loopback::Refused,
        }
    }

    fn rules(policies: &[(&str, Option<&str>, Tls)]) -> Rules {
        let policy = |(service, version, tls): &(&str, Option<&str>, Tls)| {
            let version = version.map(|version| version.parse().unwrap());
            (service.parse().unwrap(), Policy { version, tls: *tls })
        };
        let allow_cidrs = vec!["10.0.0.0/8".parse().unwrap(), "127.0.0.0/8".parse().unwrap()];
        Rules { terms: Terms { allow_cidrs, ttl_s: 15 }, policies: policies.iter().map(policy).collect() }
    }

    fn written<'a>(key: &'a str, value: &'a str) -> Written<'a> {
        let lease = Some(LeaseId::from_random([7; 16]));
        Written { key: key.as_bytes(), value: value.as_bytes(), lease, registered_at: Timestamp(9) }
    }

    fn instance(said: Option<Said>) -> Registered {
        match said {
            Some(Said::Instance(registered)) => registered,
            other => panic!("no instance: {other:?}"),
        }
    }

    fn finding(said: Option<Said>) -> Diagnostic {
        match said {
            Some(Said::Unreadable(diagnostic)) => diagnostic,
            other => panic!("no finding: {other:?}"),
        }
    }

    #[test]
    fn policy_states_the_version_that_an_entry_leaves_out() {
        let kitex = source(Layout::Kitex, "kitex/registry-etcd", &[]);
        let entry = written("kitex/registry-etcd/cart/10.0.0.7:8888", r#"{"network":"tcp","weight":20}"#);
        let none = finding(kitex.said(&entry, &rules(&[])));
        assert_eq!(none.code, "VERSION_UNSTATED");
        let stated = rules(&[("cart", Some("1.2.0"), Tls::AsRegistered)]);
        let cart = instance(kitex.said(&entry, &stated));
        assert_eq!(cart.instance.version.to_string(), "1.2.0");
        assert_eq!((cart.instance.weight, cart.ttl_s), (200, 60));
        assert_eq!((cart.source.as_str(), cart.registered_at), ("legacy", Timestamp(9)));
        assert_eq!(cart.instance.endpoints[0].url(), "grpc://10.0.0.7:8888");
    }

    #[test]
    fn a_version_that_is_written_goes_before_policy() {
        let kratos = source(Layout::Kratos, "/microservices", &[]);
        let entry = written(
            "/microservices/cart/a",
            r#"{"id":"a","name":"cart","version":"2.0.0","endpoints":["grpc://10.0.0.7:1"]}"#,
        );
        let cart = instance(kratos.said(&entry, &rules(&[("cart", Some("1.0.0"), Tls::Always)])));
        assert_eq!(cart.instance.version.to_string(), "2.0.0");
        assert_eq!(cart.instance.endpoints[0].url(), "grpcs://10.0.0.7:1");
    }

    #[test]
    fn services_that_are_not_asked_for_are_passed_over() {
        let todo = source(Layout::Todolist, "/", &["user"]);
        let stated = rules(&[("user", Some("1.0.0"), Tls::AsRegistered)]);
        let user = written("/user/10.0.0.7:1", r#"{"name":"user","addr":"10.0.0.7:1"}"#);
        assert_eq!(instance(todo.said(&user, &stated)).instance.service.as_str(), "user");
        for key in ["/users/10.0.0.7:1", "/task/2.0.0/10.0.0.7:1"] {
            assert_eq!(todo.said(&written(key, "{}"), &stated), None, "{key}");
        }
    }

    #[test]
    fn an_address_of_this_machine_needs_the_sources_word() {
        let zero = source(Layout::GoZero, "", &["user.rpc"]);
        let stated = rules(&[("user.rpc", Some("1.0.0"), Tls::AsRegistered)]);
        for host in ["127.0.0.1", "localhost", "LOCALHOST.", "a.localhost"] {
            let value = format!("{host}:8080");
            let found = finding(zero.said(&written("user.rpc/758", &value), &stated));
            assert_eq!(found.code, "LOOPBACK_REFUSED", "{host}");
            assert!(found.help.contains("registry.sources.legacy.allow_loopback"), "{}", found.help);
        }
        let taken = Source { loopback: Loopback::Taken, ..zero };
        let user = instance(taken.said(&written("user.rpc/758", "127.0.0.1:8080"), &stated));
        assert_eq!(user.ttl_s, 10);
        // What the terms refuse stays refused.
        let outside = finding(taken.said(&written("user.rpc/758", "192.0.2.1:8080"), &stated));
        assert_eq!(outside.code, "ENTRY_UNREADABLE");
    }

    #[test]
    fn an_entry_that_is_no_instance_says_nothing() {
        let kratos = source(Layout::Kratos, "/microservices", &[]);
        let web = written("/microservices/web/a", r#"{"endpoints":["http://10.0.0.7:1"]}"#);
        assert_eq!(kratos.said(&web, &rules(&[])), Some(Said::Nothing));
        let broken = finding(kratos.said(&written("/microservices/web/a", "{"), &rules(&[])));
        assert!(broken.message.starts_with("The entry \"/microservices/web/a\""), "{}", broken.message);
    }

    #[test]
    fn only_the_keys_of_the_services_asked_for_are_followed() {
        for (layout, prefix, services, scopes) in [
            (Layout::Kratos, "/microservices", &[][..], &["/microservices/"][..]),
            (
                Layout::Kratos,
                "/microservices",
                &["cart", "user"],
                &["/microservices/cart/", "/microservices/user/"],
            ),
            (Layout::GoZero, "", &["user.rpc"], &["user.rpc/"]),
            (Layout::Todolist, "/", &["user", "users", "task"], &["/task", "/user"]),
        ] {
            assert_eq!(source(layout, prefix, services).scopes(), scopes, "{prefix} {services:?}");
        }
    }

    #[test]
    fn sources_overlap_when_a_key_may_belong_to_both() {
        let root = source(Layout::Todolist, "/", &["user"]);
        let kratos = source(Layout::Kratos, "/microservices", &[]);
        assert!(!root.overlaps(&kratos));
        assert!(source(Layout::Todolist, "/", &["microservices"]).overlaps(&kratos));
        assert!(source(Layout::Kratos, "/", &[]).overlaps(&kratos));
        assert!(source(Layout::Kratos, "/microservices", &["cart"]).overlaps(&kratos));
        assert!(!source(Layout::Kratos, "/microservices2", &[]).overlaps(&kratos));
    }
}
