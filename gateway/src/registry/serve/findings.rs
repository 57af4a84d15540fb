//! What the author of a registration is told of the graph: whether the version serves, and why not.
//!
//! A registration is never refused for the sake of the graph; it is answered with what was found. Where the
//! version is new, the answer waits a moment for the next look at the registry; otherwise it tells what is known.

use std::time::Duration;

use tokio::time::timeout;
use turnout_control::id::{ServiceName, Version};
use turnout_control::registration::Registration;
use turnout_control::registry::{Instance, Snapshot};
use turnout_schema::Diagnostic;

use super::Registrar;
use crate::reconcile::Report;
use crate::registry::{Error, Granted};

/// How long an answer waits for a look. A look is a third of a second away, and one that takes longer is told
/// about in the log and to the operators.
const LOOK: Duration = Duration::from_secs(1);

/// Told by the registry when an instance names no descriptors, and by the graph when no instance does.
const MISSING: &str = "SCHEMA_MISSING";

impl Registrar {
    /// Registers, and finds what there is to say.
    pub(super) async fn register(&self, registration: Registration) -> Result<Granted, Error> {
        let new = is_new(&self.registry.snapshot(), &registration.instance);
        let (service, version) =
            (registration.instance.service.clone(), registration.instance.version.clone());
        let mut granted = self.registry.store.register(registration).await?;
        let mut reports = self.reports.clone();
        if new {
            let seen = reports.wait_for(|report| report.revision >= Some(granted.revision));
            // Without an answer in time the author is told what was known before.
            let _late = timeout(LOOK, seen).await;
        }
        for found in about(&reports.borrow(), &service, &version) {
            // The registry may have said the same in other words.
            if !granted.findings.iter().any(|told| told.code == found.code && told.code == MISSING) {
                granted.findings.push(found);
            }
        }
        Ok(granted)
    }
}

/// Whether nobody has looked yet at what the version offers.
fn is_new(snapshot: &Snapshot, instance: &Instance) -> bool {
    let service = snapshot.service(&instance.service);
    let known = service.and_then(|service| service.versions.get(&instance.version));
    known.and_then(|known| known.digest).is_none()
}

fn about(report: &Report, service: &ServiceName, version: &Version) -> Vec<Diagnostic> {
    let of = |of: &&(ServiceName, Version)| of.0 == *service && of.1 == *version;
    let findings = report.findings.iter().filter(|finding| finding.about.as_ref().filter(of).is_some());
    findings.map(|finding| finding.diagnostic.clone()).collect()
}
