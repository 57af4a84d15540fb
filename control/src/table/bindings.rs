//! Which descriptors a version has for ever, and who contradicts that.
//!
//! The first instance that names descriptors binds its version, unless a version record says something else:
//! that is what the store decided for all gateways, and it goes before what one gateway saw first.
//! `Snapshot::apply` keeps the same, so that only what changes it becomes an event.

use std::collections::BTreeMap;
use std::sync::Arc;

use turnout_schema::{Diagnostic, Severity};

use crate::id::{ServiceName, Version};
use crate::registration::Refusal;
use crate::registry::{Instance, Registered, VersionRecord};

/// What is known of every version.
#[derive(Clone, Debug, Default)]
pub(super) struct Bindings {
    services: BTreeMap<ServiceName, BTreeMap<Version, VersionRecord>>,
}

/// What a version record changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// Nothing.
    Nothing,
    /// Something that nobody contradicts.
    Something,
    /// The descriptors are others than those that an instance had named: everybody has to be judged again.
    Otherwise,
}

impl Bindings {
    /// Takes up what a version record says.
    pub(super) fn record(
        &mut self,
        service: &ServiceName,
        version: &Version,
        record: VersionRecord,
    ) -> Learned {
        let versions = self.services.entry(service.clone()).or_default();
        let Some(known) = versions.get_mut(version) else {
            versions.insert(version.clone(), record);
            return Learned::Something;
        };
        if record.digest.is_none() || record.digest == known.digest {
            return Learned::Nothing;
        }
        let before = std::mem::replace(&mut known.digest, record.digest);
        if before.is_some() { Learned::Otherwise } else { Learned::Something }
    }

    /// An instance as others see it: refused if it contradicts its version, which it binds if it is the
    /// first.
    pub(super) fn judge(&mut self, mut registered: Registered) -> Registered {
        let digest = registered.instance.schema.as_ref().map(|schema| schema.digest);
        if registered.refused.is_none() {
            registered.refused = self.contradiction(&registered.instance);
        }
        let digest = digest.filter(|_| registered.refused.is_none());
        let (service, version) = (&registered.instance.service, &registered.instance.version);
        if self.known(service, version).is_none_or(|known| known.digest.is_none() && digest.is_some()) {
            let record = VersionRecord { digest, first_seen: registered.registered_at };
            let versions = self.services.entry(service.clone()).or_default();
            versions.entry(version.clone()).or_insert(record).digest = digest;
        }
        registered
    }

    /// Why an instance takes no calls: its version is bound to other descriptors.
    pub(super) fn contradiction(&self, instance: &Instance) -> Option<Arc<Diagnostic>> {
        let offered = instance.schema.as_ref()?.digest;
        let bound = self.known(&instance.service, &instance.version)?.digest?;
        if bound == offered {
            return None;
        }
        let (service, version) = (instance.service.clone(), instance.version.clone());
        let refusal = Refusal::VersionBound { service, version, bound, offered };
        Some(Arc::new(Diagnostic {
            severity: Severity::Error,
            code: refusal.code(),
            message: refusal.to_string(),
            help: refusal.help(),
        }))
    }

    fn known(&self, service: &ServiceName, version: &Version) -> Option<&VersionRecord> {
        self.services.get(service)?.get(version)
    }
}
