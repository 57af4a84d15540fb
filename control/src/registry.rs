//! What is registered: instances, the versions they belong to, and how events change that.
//!
//! A `Snapshot` is immutable; `apply` makes the next one and shares all that did not change. Instances
//! come and go. Versions stay: (service, version) is bound to its descriptors for ever, also when no
//! instance is left, so that a tag can never come to mean something else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use turnout_schema::{Diagnostic, Digest};

use crate::id::{InstanceId, LeaseId, ServiceName, SourceName, Timestamp, Version};

/// One process of one version of a service, as it described itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// The service it belongs to.
    pub service: ServiceName,
    /// Its name inside the service.
    pub id: InstanceId,
    /// The version it runs.
    pub version: Version,
    /// When its process started, in nanoseconds since 1970; 0 when it did not say.
    pub incarnation: u64,
    /// Where it is reached; never empty.
    pub endpoints: Vec<Endpoint>,
    /// Its descriptors; `None` asks for server reflection.
    pub schema: Option<SchemaRef>,
    /// Its share of calls among the instances of its version, 0 to 1000.
    pub weight: u16,
    /// Whether it takes new calls.
    pub intent: Intent,
    /// How it may be probed.
    pub health: Health,
    /// What its author wants operators to see.
    pub meta: BTreeMap<String, String>,
}

/// The entry of `meta` that names, with commas between them, the protobuf services that belong to an instance
/// which names no descriptors.
pub const META_SERVICES: &str = "grpc.services";

impl Instance {
    /// The protobuf services that belong to it; empty: all that its descriptors have.
    pub fn services(&self) -> Vec<String> {
        match (&self.schema, self.meta.get(META_SERVICES)) {
            (Some(schema), _) => schema.services.clone(),
            (None, Some(names)) => {
                names.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
            }
            (None, None) => Vec::new(),
        }
    }
}

/// An address of an instance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// How to speak to it.
    pub scheme: Scheme,
    /// A host name or an address, without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The zone it is in; empty when it did not say.
    pub zone: String,
}

impl Endpoint {
    /// The address as it is written in a registration.
    pub fn url(&self) -> String {
        let scheme = self.scheme.as_str();
        if self.host.contains(':') {
            format!("{scheme}://[{}]:{}", self.host, self.port)
        } else {
            format!("{scheme}://{}:{}", self.host, self.port)
        }
    }
}

/// How an endpoint is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// gRPC over plain TCP.
    Grpc,
    /// gRPC over TLS.
    Grpcs,
}

impl Scheme {
    /// The part of a URL before `://`.
    pub fn as_str(self) -> &'static str {
        match self {
            Scheme::Grpc => "grpc",
            Scheme::Grpcs => "grpcs",
        }
    }
}

/// Which descriptors a version has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SchemaRef {
    /// The digest of the stored descriptor set.
    pub digest: Digest,
    /// The protobuf services that belong to this registration; empty: all of the set.
    pub services: Vec<String>,
}

/// What an instance says about itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// It takes calls.
    Up,
    /// It finishes what it has and wants no new calls.
    Draining,
}

/// How an instance may be probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Health {
    /// By the standard gRPC health service.
    Grpc,
    /// By opening a connection.
    Tcp,
    /// Not at all, it says. Where its life is in question, opening a connection has to do.
    None,
}

impl Health {
    /// The word in a registration.
    pub fn as_str(self) -> &'static str {
        match self {
            Health::Grpc => "grpc",
            Health::Tcp => "tcp",
            Health::None => "none",
        }
    }
}

/// What is heard of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// It is registered, and its heartbeats arrive.
    Here,
    /// It is registered, and its heartbeats stopped arriving.
    Silent,
    /// Its registration ended without a goodbye. It may still answer, so it is kept for a while.
    Missing,
    /// Like `Missing`, but so many went at once that the registry is doubted and not they.
    Held,
}

/// What the registry makes of an instance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It takes calls and its heartbeats arrive.
    Up,
    /// Its registration ended together with those of many others; it takes calls like one that is up.
    Held,
    /// It said that it is about to go. It takes calls when nobody else is left at all: until the graph has
    /// moved to another version, the last instance of a version is better than none.
    Draining,
    /// Its heartbeats stopped arriving, or its registration ended. It takes calls when nobody else is left.
    Suspect,
    /// It contradicts what is known, and takes no calls.
    Refused,
}

impl Standing {
    /// All of them.
    pub const ALL: [Standing; 5] =
        [Standing::Up, Standing::Held, Standing::Draining, Standing::Suspect, Standing::Refused];

    /// The word that people and machines read.
    pub fn as_str(self) -> &'static str {
        match self {
            Standing::Up => "up",
            Standing::Held => "held",
            Standing::Draining => "draining",
            Standing::Suspect => "suspect",
            Standing::Refused => "refused",
        }
    }
}

/// An instance in the registry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Registered {
    /// What it said.
    pub instance: Arc<Instance>,
    /// Where it said so.
    pub source: SourceName,
    /// What keeps it registered; `None` where it was written down without an end.
    pub lease: Option<LeaseId>,
    /// Seconds without a heartbeat after which it goes.
    pub ttl_s: u16,
    /// When this registration was accepted.
    pub registered_at: Timestamp,
    /// What is heard of it.
    pub presence: Presence,
    /// Why it takes no calls although it is registered.
    pub refused: Option<Arc<Diagnostic>>,
}

impl Registered {
    /// What the registry makes of it.
    pub fn standing(&self) -> Standing {
        match (&self.refused, self.instance.intent, self.presence) {
            (Some(_), _, _) => Standing::Refused,
            (None, Intent::Draining, _) => Standing::Draining,
            (None, Intent::Up, Presence::Here) => Standing::Up,
            (None, Intent::Up, Presence::Held) => Standing::Held,
            (None, Intent::Up, Presence::Silent | Presence::Missing) => Standing::Suspect,
        }
    }
}

/// What is known of a version, whether or not an instance of it lives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRecord {
    /// Its descriptors, for ever; `None` while no instance has named any.
    pub digest: Option<Digest>,
    /// When it was first registered.
    pub first_seen: Timestamp,
}

/// All that is registered under one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Service {
    /// Every version ever registered.
    pub versions: BTreeMap<Version, VersionRecord>,
    /// Every instance that lives.
    pub instances: BTreeMap<InstanceId, Registered>,
}

impl Service {
    /// The protobuf services that belong to a version, as its instances say, sorted; empty: all that its
    /// descriptors have. `None` when no instance is there to say.
    pub fn owned(&self, version: &Version) -> Option<Vec<String>> {
        let mut owned = None::<BTreeSet<String>>;
        for registered in self.instances.values() {
            if registered.instance.version != *version || registered.refused.is_some() {
                continue;
            }
            let services = registered.instance.services();
            if services.is_empty() {
                return Some(services);
            }
            owned.get_or_insert_default().extend(services);
        }
        owned.map(|owned| owned.into_iter().collect())
    }
}

/// One change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// An instance came, or changed what it says.
    Up(Registered),
    /// Something else is heard of it than before.
    Heard(ServiceName, InstanceId, Presence),
    /// It went.
    Down(ServiceName, InstanceId, Why),
    /// A version came to be known, or its descriptors did. Of the digests that instances name the first
    /// stays; one that was written down for the version goes before it.
    Version(ServiceName, Version, VersionRecord),
}

/// Why an instance went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// It said goodbye.
    Deregistered,
    /// Its lease ended.
    Expired,
    /// Nothing keeps it registered any more, and it does not answer.
    Lost,
}

impl Why {
    /// The word that people and machines read.
    pub fn as_str(self) -> &'static str {
        match self {
            Why::Deregistered => "deregistered",
            Why::Expired => "expired",
            Why::Lost => "lost",
        }
    }
}

/// Everything that is registered, at one revision.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Snapshot {
    /// Counts changes; never goes back, also across restarts.
    pub revision: u64,
    services: BTreeMap<ServiceName, Arc<Service>>,
}

impl Snapshot {
    /// What was stored: versions and instances as they were at a revision.
    pub fn restore(revision: u64, services: BTreeMap<ServiceName, Service>) -> Snapshot {
        let services = services.into_iter().map(|(name, service)| (name, Arc::new(service))).collect();
        Snapshot { revision, services }
    }

    /// The services by name.
    pub fn services(&self) -> impl Iterator<Item = (&ServiceName, &Service)> {
        self.services.iter().map(|(name, service)| (name, service.as_ref()))
    }

    /// One service.
    pub fn service(&self, name: &ServiceName) -> Option<&Service> {
        self.services.get(name).map(Arc::as_ref)
    }

    /// The services that are not the same as in `before`, by name, also those that are in only one of the
    /// two. Looks at names alone where nothing changed; one that was changed and changed back may be named.
    pub fn changed<'a>(&'a self, before: &'a Snapshot) -> impl Iterator<Item = &'a ServiceName> {
        let other = |name: &ServiceName, service: &Arc<Service>, snapshot: &Snapshot| {
            !snapshot.services.get(name).is_some_and(|there| Arc::ptr_eq(there, service))
        };
        let here = self.services.iter().filter(move |(name, service)| other(name, service, before));
        let gone = before.services.keys().filter(|name| !self.services.contains_key(*name));
        here.map(|(name, _)| name).chain(gone)
    }

    /// One instance.
    pub fn instance(&self, service: &ServiceName, id: &InstanceId) -> Option<&Registered> {
        self.service(service)?.instances.get(id)
    }

    /// All instances, by service and id.
    pub fn instances(&self) -> impl Iterator<Item = &Registered> {
        self.services.values().flat_map(|service| service.instances.values())
    }

    /// The snapshot after this event, one revision on. Events about instances that are not there
    /// change nothing but the revision, so that repeating one is harmless.
    #[must_use]
    pub fn apply(&self, event: &Event) -> Snapshot {
        self.fold(std::slice::from_ref(event))
    }

    /// The snapshot after these events, as many revisions on. The services that they touch are copied once,
    /// and of the others only their names; many events together cost little more than one.
    #[must_use]
    pub fn fold(&self, events: &[Event]) -> Snapshot {
        let mut next = self.clone();
        for event in events {
            next.revision += 1;
            match event {
                Event::Up(registered) => next.up(registered),
                Event::Heard(service, id, presence) => next.hear(service, id, *presence),
                Event::Version(service, version, record) => next.bind(service, version, *record),
                Event::Down(service, id, _) => {
                    if let Some(service) = next.services.get_mut(service)
                        && service.instances.contains_key(id)
                    {
                        Arc::make_mut(service).instances.remove(id);
                    }
                }
            }
        }
        next
    }

    fn up(&mut self, registered: &Registered) {
        let instance = &registered.instance;
        let digest = instance.schema.as_ref().map(|schema| schema.digest);
        // What is refused must not decide what its version means.
        let digest = digest.filter(|_| registered.refused.is_none());
        let record = VersionRecord { digest, first_seen: registered.registered_at };
        self.learn(&instance.service, &instance.version, record);
        let service = Arc::make_mut(self.services.entry(instance.service.clone()).or_default());
        service.instances.insert(instance.id.clone(), registered.clone());
    }

    /// What was written down goes before what an instance said.
    fn bind(&mut self, service: &ServiceName, version: &Version, record: VersionRecord) {
        self.learn(service, version, record);
        if let Some(service) = self.services.get_mut(service)
            && let Some(known) = service.versions.get(version)
            && record.digest.is_some_and(|digest| known.digest != Some(digest))
            && let Some(known) = Arc::make_mut(service).versions.get_mut(version)
        {
            known.digest = record.digest;
        }
    }

    fn learn(&mut self, service: &ServiceName, version: &Version, record: VersionRecord) {
        let service = self.services.entry(service.clone()).or_default();
        if service.versions.get(version).is_none_or(|known| known.digest.is_none() && record.digest.is_some())
        {
            let versions = &mut Arc::make_mut(service).versions;
            let known = versions.entry(version.clone()).or_insert(record);
            known.digest = known.digest.or(record.digest);
        }
    }

    fn hear(&mut self, service: &ServiceName, id: &InstanceId, presence: Presence) {
        if let Some(service) = self.services.get_mut(service)
            && service.instances.contains_key(id)
            && let Some(registered) = Arc::make_mut(service).instances.get_mut(id)
        {
            registered.presence = presence;
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn registered(service: &str, id: &str, version: &str) -> Registered {
        let instance = Instance {
            service: service.parse().unwrap(),
            id: id.parse().unwrap(),
            version: version.parse().unwrap(),
            incarnation: 1,
            endpoints: vec![Endpoint {
                scheme: Scheme::Grpc,
                host: "127.0.0.1".into(),
                port: 50051,
                zone: String::new(),
            }],
            schema: Some(SchemaRef { digest: Digest::of(version.as_bytes()), services: Vec::new() }),
            weight: 100,
            intent: Intent::Up,
            health: Health::Grpc,
            meta: BTreeMap::new(),
        };
        Registered {
            instance: Arc::new(instance),
            source: SourceName::own(),
            lease: Some(LeaseId::from_random([1; 16])),
            ttl_s: 15,
            registered_at: Timestamp(1),
            presence: Presence::Here,
            refused: None,
        }
    }

    fn down(registered: &Registered) -> Event {
        let instance = &registered.instance;
        Event::Down(instance.service.clone(), instance.id.clone(), Why::Expired)
    }

    #[test]
    fn a_version_outlives_its_instances() {
        let catalog = registered("catalog", "a", "1.4.0");
        let up = Snapshot::default().apply(&Event::Up(catalog.clone()));
        let gone = up.apply(&down(&catalog));
        let service = gone.service(&catalog.instance.service).unwrap();
        assert!(service.instances.is_empty());
        assert_eq!(service.versions.len(), 1);
        assert_eq!(gone.revision, 2);
    }

    #[test]
    fn what_did_not_change_is_shared() {
        let before = Snapshot::default()
            .apply(&Event::Up(registered("catalog", "a", "1.4.0")))
            .apply(&Event::Up(registered("orders", "b", "2.1.0")));
        let after = before.apply(&down(&registered("orders", "b", "2.1.0")));
        let catalog = "catalog".parse().unwrap();
        assert!(Arc::ptr_eq(&before.services[&catalog], &after.services[&catalog]));
    }

    #[test]
    fn only_services_that_changed_are_named() {
        let catalog = registered("catalog", "a", "1.4.0");
        let orders = registered("orders", "b", "2.1.0");
        let before = Snapshot::default().fold(&[Event::Up(catalog), Event::Up(orders.clone())]);
        let after = before.fold(&[down(&orders), Event::Up(registered("users", "c", "1.0.0"))]);
        let names = |names: Vec<&ServiceName>| names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(names(after.changed(&before).collect()), ["orders", "users"]);
        assert_eq!(names(after.changed(&after).collect()), [""; 0]);
        assert_eq!(names(Snapshot::default().changed(&before).collect()), ["catalog", "orders"]);
    }

    #[test]
    fn a_digest_once_known_stays() {
        let mut bare = registered("catalog", "a", "1.4.0");
        Arc::make_mut(&mut bare.instance).schema = None;
        let named = registered("catalog", "b", "1.4.0");
        let version = &named.instance.version;
        let first = Snapshot::default().apply(&Event::Up(bare.clone()));
        assert_eq!(first.service(&bare.instance.service).unwrap().versions[version].digest, None);
        let both = first.apply(&Event::Up(named.clone())).apply(&Event::Up(bare.clone()));
        assert_eq!(
            both.service(&bare.instance.service).unwrap().versions[version].digest,
            named.instance.schema.as_ref().map(|schema| schema.digest)
        );
    }

    #[test]
    fn a_version_record_goes_before_what_an_instance_said() {
        let named = registered("catalog", "a", "1.4.0");
        let (service, version) = (&named.instance.service, &named.instance.version);
        let written = VersionRecord { digest: Some(Digest::of(b"written")), first_seen: Timestamp(9) };
        let event = Event::Version(service.clone(), version.clone(), written);
        let after = Snapshot::default().fold(&[Event::Up(named.clone()), event.clone()]);
        let kept = VersionRecord { digest: written.digest, first_seen: named.registered_at };
        assert_eq!(after.service(service).unwrap().versions[version], kept);
        let bare = VersionRecord { digest: None, first_seen: Timestamp(9) };
        let after =
            after.fold(&[Event::Version(service.clone(), version.clone(), bare), Event::Up(named.clone())]);
        assert_eq!(after.service(service).unwrap().versions[version], kept);
    }

    #[test]
    fn many_events_together_make_what_they_make_one_by_one() {
        let catalog = registered("catalog", "a", "1.4.0");
        let events =
            [Event::Up(catalog.clone()), Event::Up(registered("orders", "b", "2.1.0")), down(&catalog)];
        let one_by_one = events.iter().fold(Snapshot::default(), |snapshot, event| snapshot.apply(event));
        assert_eq!(Snapshot::default().fold(&events), one_by_one);
        assert_eq!(one_by_one.revision, 3);
    }

    #[test]
    fn silence_makes_an_instance_suspect_and_a_heartbeat_ends_that() {
        let catalog = registered("catalog", "a", "1.4.0");
        let (service, id) = (catalog.instance.service.clone(), catalog.instance.id.clone());
        let up = Snapshot::default().apply(&Event::Up(catalog));
        let silent = up.apply(&Event::Heard(service.clone(), id.clone(), Presence::Silent));
        assert_eq!(silent.instance(&service, &id).unwrap().standing(), Standing::Suspect);
        let heard = silent.apply(&Event::Heard(service.clone(), id.clone(), Presence::Here));
        assert_eq!(heard.instance(&service, &id).unwrap().standing(), Standing::Up);
    }

    #[test]
    fn a_change_of_one_service_is_told_of_no_other() {
        let names = |newer: &Snapshot, older: &Snapshot| -> Vec<String> {
            newer.changed(older).map(ToString::to_string).collect()
        };
        let empty = Snapshot::default();
        let one = empty.apply(&Event::Up(registered("a", "1", "1.0.0")));
        let two = one.apply(&Event::Up(registered("b", "1", "1.0.0")));
        assert_eq!(names(&two, &one), ["b"]);
        assert_eq!(names(&two, &empty), ["a", "b"]);
        assert_eq!(names(&empty, &two), ["a", "b"]);
        let gone = Event::Down("a".parse().unwrap(), "1".parse().unwrap(), Why::Expired);
        assert_eq!(names(&two.apply(&gone), &two), ["a"]);
        assert!(names(&two, &two.clone()).is_empty());
    }

    #[test]
    fn an_event_about_nobody_changes_only_the_revision() {
        let snapshot = Snapshot::default().apply(&Event::Up(registered("catalog", "a", "1.4.0")));
        let next = snapshot.apply(&down(&registered("orders", "x", "1.0.0")));
        assert_eq!(next.revision, snapshot.revision + 1);
        assert_eq!(next.services, snapshot.services);
    }

    #[test]
    fn a_version_owns_what_its_instances_say() {
        let up = |snapshot: Snapshot, id: &str, schema: Option<&[&str]>, meta: &str| {
            let mut one = registered("shop", id, "1.4.0");
            let instance = Arc::make_mut(&mut one.instance);
            let digest = Digest::of(b"1.4.0");
            instance.schema = schema.map(|services| SchemaRef {
                digest,
                services: services.iter().map(|name| (*name).to_owned()).collect(),
            });
            instance.meta.insert(META_SERVICES.to_owned(), meta.to_owned());
            snapshot.apply(&Event::Up(one))
        };
        let (shop, version) = ("shop".parse().unwrap(), "1.4.0".parse().unwrap());
        let owned = |snapshot: &Snapshot| snapshot.service(&shop).unwrap().owned(&version);
        let one = up(Snapshot::default(), "a", Some(&["shop.Carts"]), "");
        assert_eq!(owned(&one), Some(vec!["shop.Carts".to_owned()]));
        let two = up(one, "b", None, "shop.Items, shop.Carts,");
        assert_eq!(owned(&two), Some(vec!["shop.Carts".to_owned(), "shop.Items".to_owned()]));
        let three = up(two, "c", None, "");
        assert_eq!(owned(&three), Some(Vec::new()));
        let all = ["a", "b", "c"].map(|id| Event::Down(shop.clone(), id.parse().unwrap(), Why::Expired));
        let gone = all.iter().fold(three, |snapshot, event| snapshot.apply(event));
        assert_eq!(owned(&gone), None);
    }
}
