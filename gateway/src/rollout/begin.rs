//! Which rollouts begin, and how much their services have to do.
//!
//! Decided by `turnout_control::rollout::create` for each major of each service; here its line of facts is put
//! together. A version that this gateway found refused or could not judge yet begins nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use turnout_control::id::{ServiceName, Version};
use turnout_control::records::{Change, Kind};
use turnout_control::rollout::{self, Line, OnNewVersion, Rate, Rollout, Running};
use turnout_control::routes::{Base, Place, Scope, read_base};

use super::facts::{self, World};
use crate::config;
use crate::reconcile::{Newcomer, Verdict};
use crate::telemetry::Meters;

/// What an instance says whose version writes what older ones may not be able to read.
const MIGRATES: &str = "turnout.data-migration";

/// How many calls a second services have, as far as this gateway sees.
#[derive(Debug, Default)]
pub(super) struct Rates {
    calls: BTreeMap<ServiceName, u64>,
    rates: BTreeMap<ServiceName, Rate>,
}

impl Rates {
    /// Takes up what was counted since the last time.
    pub(super) fn take(&mut self, meters: &Meters, elapsed: Duration) {
        let now = meters.called();
        for (service, calls) in &now {
            // When the calls came that were there before the first look is not known.
            let Some(before) = self.calls.get(service) else { continue };
            let more = calls.saturating_sub(*before);
            self.rates.entry(service.clone()).or_default().take(more, elapsed);
        }
        self.calls = now;
    }

    /// Calls a second of a service, if all of so many gateways have as many as this one.
    fn of(&self, service: &ServiceName, gateways: u32) -> f64 {
        self.rates.get(service).map_or(0.0, Rate::per_second) * f64::from(gateways.max(1))
    }
}

/// The rollouts to write, each with the change that writes it.
pub(super) fn due(world: &World, rollouts: &[Rollout], rates: &Rates) -> Vec<(Change, Rollout)> {
    let bases = world.records.of(Kind::Policy).filter_map(|(key, record)| {
        let place = Place::of(key).filter(|place| place.scope == Scope::Everyone)?;
        Some((place, read_base(&record.value).ok()?))
    });
    let mut due = Vec::new();
    for (place, base) in bases {
        let running = running(world, &place, &base);
        let of_line = |rollout: &&Rollout| rollout.service == place.service && rollout.major() == place.major;
        let known: Vec<Rollout> = rollouts.iter().filter(of_line).cloned().collect();
        let wanted = world.settings.wanted(&place.service);
        let settings = world.settings.plan(&place.service);
        let line = Line {
            service: &place.service,
            stable: base.promised(),
            running: &running,
            rollouts: &known,
            on_new_version: match wanted.on_new_version {
                config::OnNewVersion::Rollout => OnNewVersion::Rollout,
                config::OnNewVersion::Hold => OnNewVersion::Hold,
            },
            settings: &settings,
            calls_per_second: rates.of(&place.service, world.replicas.living),
        };
        if let Some(rollout) = rollout::create(&line, world.at) {
            let key = rollout::key(&rollout.service, &rollout.to);
            let expected = [&key, &place.key()].map(|key| (key.clone(), world.records.seen(key)));
            let writes = [(key, Some(Arc::from(rollout.write())))].into();
            due.push((Change { expected: expected.into(), writes }, rollout));
        }
    }
    due
}

/// The versions of a major above its stable one that somebody runs, with what the gate says of them.
fn running(world: &World, place: &Place, base: &Base) -> Vec<Running> {
    let newcomers = world.report.newcomers.iter();
    // What was found beside another stable version says nothing about this one.
    let of_line = |newcomer: &&Newcomer| {
        newcomer.service == place.service && newcomer.major == place.major && newcomer.stable == base.stable
    };
    let running = newcomers.filter(of_line).map(|newcomer| Running {
        version: newcomer.version.clone(),
        verdict: match newcomer.verdict {
            _ if world.is_retired(&newcomer.service, &newcomer.version) => rollout::Verdict::Refused,
            Verdict::Fits(_) => rollout::Verdict::Fits,
            Verdict::Refused(_) => rollout::Verdict::Refused,
            Verdict::Unknown(_) => rollout::Verdict::Unknown,
        },
        migrates: migrates(world, &newcomer.service, &newcomer.version),
    });
    running.collect()
}

fn migrates(world: &World, service: &ServiceName, version: &Version) -> bool {
    facts::serving(&world.snapshot, service, version)
        .any(|found| found.instance.meta.get(MIGRATES).is_some_and(|said| said == "true"))
}
