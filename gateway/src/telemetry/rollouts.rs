//! Rollouts as Prometheus sees them: where each stands, and by which evidence.
//!
//! Read from the records when somebody asks, so that every gateway says the same, whoever leads. Of each major of a
//! service all rollouts are shown that have not ended, and the last one that has.

use std::collections::BTreeMap;
use std::sync::Arc;

use opentelemetry::KeyValue;
use turnout_control::evidence::Tick;
use turnout_control::id::ServiceName;
use turnout_control::records::{Kind, Records};
use turnout_control::rollout::{Rollout, Stored, analysis_key};
use turnout_control::routes::{Place, Scope, read_base};

use super::Metrics;
use crate::registry::Store;

/// The natural logarithm of the most that is shown of evidence: there are larger numbers than a number can be.
const LN_MAX: f64 = 690.0;

/// Takes a number with the labels that it has beside the rollout's.
type Told<'a> = &'a mut dyn FnMut(f64, &[KeyValue]);

impl Metrics {
    /// Lets Prometheus see how rollouts stand.
    pub fn watch_rollouts(&self, store: &Arc<dyn Store>) {
        self.of_rollouts(
            store,
            ("turnout.rollout.state", "Which state a rollout is in"),
            |rollout, _, tell| {
                tell(1.0, &[KeyValue::new("state", rollout.state.as_str())]);
            },
        );
        self.of_rollouts(
            store,
            ("turnout.rollout.weight", "The share of units that get the candidate, before caps"),
            |rollout, records, tell| tell(weight(rollout, records), &[]),
        );
        self.of_rollouts(
            store,
            ("turnout.rollout.evidence", "Harm goes back at 100, slowness at 200, safety goes on at 20"),
            |rollout, records, tell| {
                let Some(Stored { analysis, .. }) = stored(rollout, records) else { return };
                let harm = analysis.failures().ln();
                let evidence = [
                    ("harm", harm),
                    ("slowness", analysis.slowness().harm().ln()),
                    ("safety", analysis.safety().ln()),
                ];
                for (of, ln) in evidence {
                    tell(ln.min(LN_MAX).exp(), &[KeyValue::new("of", of)]);
                }
            },
        );
        type Of = fn(Tick) -> [u64; 2];
        let counts: [(&'static str, &'static str, Of); 2] = [
            ("turnout.rollout.calls", "Calls that were compared", |sum| {
                [sum.candidate.calls, sum.stable.calls]
            }),
            ("turnout.rollout.failures", "Compared calls that failed", |sum| {
                [sum.candidate.failures, sum.stable.failures]
            }),
        ];
        for (name, description, of) in counts {
            self.of_rollouts(store, (name, description), move |rollout, records, tell| {
                let Some(Stored { analysis, .. }) = stored(rollout, records) else { return };
                for (arm, count) in ["candidate", "stable"].into_iter().zip(of(analysis.sum())) {
                    tell(number(count), &[KeyValue::new("arm", arm)]);
                }
            });
        }
    }

    fn of_rollouts(
        &self,
        store: &Arc<dyn Store>,
        (name, description): (&'static str, &'static str),
        of: impl Fn(&Rollout, &Records, Told<'_>) + Send + Sync + 'static,
    ) {
        let records = store.records();
        self.meter()
            .f64_observable_gauge(name)
            .with_description(description)
            .with_callback(move |gauge| {
                let records = records.borrow().clone();
                for rollout in shown(&records) {
                    let labels = [
                        KeyValue::new("service", rollout.service.to_string()),
                        KeyValue::new("version", rollout.to.to_string()),
                    ];
                    of(&rollout, &records, &mut |value, more| {
                        gauge.observe(value, &[&labels, more].concat());
                    });
                }
            })
            .build();
    }
}

/// Those that have not ended, and the last of each major that has.
fn shown(records: &Records) -> Vec<Rollout> {
    let (mut shown, mut ended) = (Vec::new(), BTreeMap::<(ServiceName, u64), Rollout>::new());
    for rollout in records.of(Kind::Rollout).filter_map(|(_, record)| Rollout::read(&record.value).ok()) {
        if !rollout.state.has_ended() {
            shown.push(rollout);
            continue;
        }
        let key = (rollout.service.clone(), rollout.major());
        if ended.get(&key).is_none_or(|known| known.changed_at <= rollout.changed_at) {
            ended.insert(key, rollout);
        }
    }
    shown.extend(ended.into_values());
    shown
}

fn weight(rollout: &Rollout, records: &Records) -> f64 {
    let place = Place { scope: Scope::Everyone, service: rollout.service.clone(), major: rollout.major() };
    let base = records.get(&place.key()).and_then(|record| read_base(&record.value).ok());
    let tried = base.and_then(|base| base.candidate).filter(|tried| tried.version == rollout.to);
    tried.map_or(0.0, |tried| f64::from(tried.weight.as_ppm()) / 1e6)
}

fn stored(rollout: &Rollout, records: &Records) -> Option<Stored> {
    let record = records.get(&analysis_key(&rollout.service, &rollout.to))?;
    Stored::read(&record.value).ok()
}

/// Exact up to 2^53, which nothing here comes near.
fn number(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use opentelemetry_sdk::metrics::SdkMeterProvider;
    use turnout_control::id::Timestamp;
    use turnout_control::records::Change;
    use turnout_control::rollout::{Approval, Pending, Plan, Regression, State, key};

    use super::*;
    use crate::clock::Clock;
    use crate::registry::embedded;

    fn metrics() -> Metrics {
        let registry = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .unwrap();
        Metrics::new(SdkMeterProvider::builder().with_reader(exporter).build(), registry)
    }

    fn rollout(to: &str, state: State, changed_at: u64) -> Rollout {
        Rollout {
            service: "catalog".parse().unwrap(),
            from: "1.4.0".parse().unwrap(),
            to: to.parse().unwrap(),
            salt: "s".to_owned(),
            plan: Plan::usual(1.0, Approval::Evidence),
            state,
            orders: Vec::new(),
            retries: 0,
            migrates: false,
            created_at: Timestamp(1),
            started_at: None,
            changed_at: Timestamp(changed_at),
            history: Vec::new(),
        }
    }

    #[tokio::test]
    async fn what_is_under_way_and_what_ended_last_is_shown() {
        let directory = tempfile::tempdir().unwrap();
        let store = embedded::alone(directory.path(), Clock::start(), Duration::ZERO).unwrap().store;
        let metrics = metrics();
        metrics.watch_rollouts(&store);
        let rolled_back = rollout("1.5.0", State::RolledBack(Regression::Gate), 5);
        for of in [
            rollout("1.4.9", State::Promoted, 3),
            rolled_back.clone(),
            rollout("1.6.0", State::Pending(Pending::Operator), 4),
        ] {
            let writes = [
                (key(&of.service, &of.to), Some(of.write().into())),
                (analysis_key(&of.service, &of.to), Some(Stored::new(&of, Timestamp(1)).write().into())),
            ];
            store.change(Change { expected: BTreeMap::new(), writes: writes.into() }).await.unwrap();
        }
        let text = metrics.render();
        let has = |line: &[&str]| text.lines().any(|found| line.iter().all(|part| found.contains(part)));
        assert!(has(&["turnout_rollout_state", "version=\"1.6.0\"", "state=\"pending\"", "} 1"]), "{text}");
        assert!(has(&["turnout_rollout_state", "version=\"1.5.0\"", "state=\"rolled back\""]), "{text}");
        assert!(has(&["turnout_rollout_calls", "version=\"1.6.0\"", "arm=\"candidate\"", "} 0"]), "{text}");
        assert!(has(&["turnout_rollout_evidence", "of=\"harm\"", "version=\"1.6.0\""]), "{text}");
        assert!(!text.contains("1.4.9"), "{text}");
    }
}
