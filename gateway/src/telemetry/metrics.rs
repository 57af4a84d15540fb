//! The meters of this process, and the text that Prometheus reads.
//!
//! What is counted seldom is an instrument of OpenTelemetry's. What is counted for every operation stands in
//! `Meters` and is only read here, when somebody asks: counts as observable counters, which Prometheus and
//! OTLP get, and durations as histograms, which only Prometheus gets, because OpenTelemetry takes no
//! histogram that was counted elsewhere.

use std::collections::HashMap;
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::core::{Collector, Desc};
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use tokio::sync::watch;
use turnout_control::id::SourceName;
use turnout_control::registry::Standing;

use super::meters::{Meters, Series, Timed};
use crate::generation::Generation;
use crate::lineup::Trials;
use crate::reconcile::Report;
use crate::registry::{Freshness, Hearing, Hub, Registry};
use crate::upstream::fleet::Fleet;
use crate::upstream::stats::{Circuit, PoolStats};

/// The meters, and the text that Prometheus reads.
#[derive(Clone, Debug)]
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: prometheus::Registry,
}

impl Metrics {
    pub(super) fn new(provider: SdkMeterProvider, registry: prometheus::Registry) -> Metrics {
        Metrics { provider, registry }
    }

    pub(super) fn shutdown(&self) -> OTelSdkResult {
        self.provider.shutdown()
    }

    /// Lets Prometheus see what is registered, as it is when it asks, and how well each source is heard.
    pub fn watch_registry(&self, registry: &Registry) {
        self.watch_sources(&registry.hub);
        let meter = self.meter();
        let of = registry.clone();
        meter
            .u64_observable_gauge("turnout.registry.instances")
            .with_description("Registered instances by state")
            .with_callback(move |gauge| {
                let snapshot = of.snapshot();
                for state in Standing::ALL {
                    let count = snapshot.instances().filter(|found| found.standing() == state).count();
                    let count = u64::try_from(count).unwrap_or(u64::MAX);
                    gauge.observe(count, &[KeyValue::new("state", state.as_str())]);
                }
            })
            .build();
        let of = registry.clone();
        meter
            .u64_observable_gauge("turnout.registry.revision")
            .with_description("The revision of the registry")
            .with_callback(move |gauge| gauge.observe(of.snapshot().revision, &[]))
            .build();
    }

    fn watch_sources(&self, hub: &Arc<Hub>) {
        let gauge = |name: &'static str, description: &'static str, of: fn(&Hub, Told<'_>)| {
            let hub = hub.clone();
            self.meter()
                .f64_observable_gauge(name)
                .with_description(description)
                .with_callback(move |gauge| {
                    of(&hub, &mut |source, value| {
                        gauge.observe(value, &[KeyValue::new("source", source.to_string())]);
                    });
                })
                .build();
        };
        gauge(
            "turnout.registry.source.stale_seconds",
            "For how long a source could not be heard; 0 while it can",
            |hub, tell| {
                let age = hub.clock().age();
                each(hub, tell, |of| of.stale_for(age).unwrap_or_default().as_secs_f64());
            },
        );
        gauge("turnout.registry.source.live", "Whether changes arrive as they happen", |hub, tell| {
            each(hub, tell, |of| if of.state == Hearing::Live { 1.0 } else { 0.0 });
        });
        gauge("turnout.registry.source.entries", "Entries of a source", |hub, tell| {
            each(hub, tell, |of| number(of.entries));
        });
        gauge("turnout.registry.source.relists", "How often a source was listed again", |hub, tell| {
            each(hub, tell, |of| number(usize::try_from(of.relists).unwrap_or(usize::MAX)));
        });
        gauge("turnout.registry.source.unreadable", "Entries that cannot be read", |hub, tell| {
            let unreadable = hub.unreadable();
            for name in hub.sources().borrow().keys() {
                tell(name, number(unreadable.iter().filter(|(source, _, _)| source == name).count()));
            }
        });
    }

    fn watch_fleet(&self, fleet: &Arc<Fleet>) {
        let gauge = |name: &'static str, description: &'static str, of: fn(&PoolStats) -> usize| {
            let fleet = fleet.clone();
            self.meter()
                .u64_observable_gauge(name)
                .with_description(description)
                .with_callback(move |gauge| {
                    for (service, version, stats) in fleet.stats() {
                        let labels = [
                            KeyValue::new("service", service.to_string()),
                            KeyValue::new("version", version.to_string()),
                        ];
                        gauge.observe(u64::try_from(of(&stats)).unwrap_or(u64::MAX), &labels);
                    }
                })
                .build();
        };
        gauge("turnout.upstream.in_flight", "Calls on their way, without streams", |stats| stats.in_flight);
        gauge("turnout.upstream.waiting", "Calls that wait for room", |stats| stats.waiting);
        gauge("turnout.upstream.ejected", "Addresses that get no calls, because they failed", |stats| {
            stats.endpoints.iter().filter(|one| one.circuit != Circuit::Closed).count()
        });
    }

    /// Lets Prometheus see which generation serves, how many plans it has at hand, and how much each version
    /// has to do.
    pub fn watch_serving(&self, generations: &watch::Receiver<Option<Arc<Generation>>>, fleet: &Arc<Fleet>) {
        self.watch_fleet(fleet);
        let meter = self.meter();
        let of = generations.clone();
        meter
            .u64_observable_gauge("turnout.generation")
            .with_description("The number of the generation that serves; 0 before the first")
            .with_callback(move |gauge| {
                let number = of.borrow().as_ref().map_or(0, |generation| generation.number);
                gauge.observe(number, &[]);
            })
            .build();
        let of = generations.clone();
        meter
            .u64_observable_gauge("turnout.plans")
            .with_description("Plans at hand in the generation that serves")
            .with_callback(move |gauge| {
                let plans = of.borrow().as_ref().map_or(0, |generation| generation.plans());
                gauge.observe(u64::try_from(plans).unwrap_or(u64::MAX), &[]);
            })
            .build();
    }

    /// Lets Prometheus see which candidates this process does not choose, because they fail here.
    pub fn watch_trials(&self, trials: &Trials) {
        let of = trials.clone();
        self.meter()
            .u64_observable_gauge("turnout.lineup.fuses.open")
            .with_description("1 for a candidate that this gateway does not choose, because it fails here")
            .with_callback(move |gauge| {
                for subject in of.tripped() {
                    let labels = [
                        KeyValue::new("service", subject.service.to_string()),
                        KeyValue::new("version", subject.to.to_string()),
                    ];
                    gauge.observe(1, &labels);
                }
            })
            .build();
    }

    /// Lets Prometheus see how often the graph was composed.
    pub fn watch_reports(&self, reports: &watch::Receiver<Arc<Report>>) {
        let of = reports.clone();
        self.meter()
            .u64_observable_counter("turnout.compositions")
            .with_description("How often the graph was composed; instances that come and go compose nothing")
            .with_callback(move |counter| counter.observe(of.borrow().compositions, &[]))
            .build();
    }

    /// Exports what is counted in `meters`. Called once.
    pub fn export(&self, meters: &Meters) -> Result<(), prometheus::Error> {
        let meter = self.meter();
        for timed in [Timed::Operations, Timed::Calls] {
            let of = meters.clone();
            meter
                .u64_observable_counter(timed.counter())
                .with_description(timed.description())
                .with_callback(move |counter| {
                    for series in of.series(timed) {
                        counter.observe(series.count(), &attributes(&series));
                    }
                })
                .build();
        }
        let of = meters.clone();
        meter
            .u64_observable_counter("turnout.lineup.choices")
            .with_description("How often operations chose a version of a service, and why")
            .with_callback(move |counter| {
                for (service, version, reason, count) in of.choices() {
                    let labels = [
                        KeyValue::new("service", service.to_string()),
                        KeyValue::new("version", version.to_string()),
                        KeyValue::new("reason", reason.as_str()),
                    ];
                    counter.observe(count, &labels);
                }
            })
            .build();
        self.export_audience(meters);
        self.registry.register(Box::new(Durations::new(meters.clone())?))
    }

    fn export_audience(&self, meters: &Meters) {
        let of = meters.clone();
        self.meter()
            .u64_observable_counter("turnout.frontend.requests")
            .with_description("Operations by frontend and by how the caller came to be taken for it")
            .with_callback(move |counter| {
                for (frontend, how, count) in of.frontends() {
                    let labels = [KeyValue::new("frontend", frontend), KeyValue::new("how", how.as_str())];
                    counter.observe(count, &labels);
                }
            })
            .build();
        let of = meters.clone();
        self.meter()
            .u64_observable_counter("turnout.frontend.units")
            .with_description(
                "Operations by the kind of unit that the caller has; `none` gets stable versions",
            )
            .with_callback(move |counter| {
                for (unit, count) in of.units() {
                    counter.observe(count, &[KeyValue::new("unit", unit)]);
                }
            })
            .build();
    }

    /// Counts how often the configuration was read anew.
    pub fn config_reloads(&self) -> opentelemetry::metrics::Counter<u64> {
        self.meter()
            .u64_counter("turnout.config.reloads")
            .with_description("Changed configuration files by outcome")
            .build()
    }

    /// All metrics in Prometheus' text format.
    pub fn render(&self) -> String {
        let mut text = Vec::new();
        if let Err(error) = TextEncoder::new().encode(&self.registry.gather(), &mut text) {
            tracing::error!(%error, "metrics cannot be written");
        }
        String::from_utf8(text).unwrap_or_default()
    }

    pub(super) fn meter(&self) -> Meter {
        self.provider.meter("turnout")
    }
}

/// Takes a number about a source.
type Told<'a> = &'a mut dyn FnMut(&SourceName, f64);

fn each(hub: &Hub, tell: Told<'_>, value: impl Fn(&Freshness) -> f64) {
    for (name, freshness) in hub.sources().borrow().iter() {
        tell(name, value(freshness));
    }
}

/// Exact up to 2^32, which nothing here comes near.
fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

fn attributes(series: &Series) -> Vec<KeyValue> {
    series.labels.iter().map(|(name, value)| KeyValue::new(*name, value.clone())).collect()
}

/// The histograms of `Meters`, as Prometheus wants them.
struct Durations {
    meters: Meters,
    /// By which the registry tells collectors apart.
    names: Vec<Desc>,
}

impl Collector for Durations {
    fn desc(&self) -> Vec<&Desc> {
        self.names.iter().collect()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        [Timed::Operations, Timed::Calls].into_iter().filter_map(|timed| self.family(timed)).collect()
    }
}

impl Durations {
    fn new(meters: Meters) -> Result<Durations, prometheus::Error> {
        let name = |timed: Timed| {
            let (name, help) = (timed.histogram().to_owned(), timed.histogram_description().to_owned());
            Desc::new(name, help, Vec::new(), HashMap::new())
        };
        let names = [Timed::Operations, Timed::Calls].into_iter().map(name).collect::<Result<_, _>>()?;
        Ok(Durations { meters, names })
    }

    /// A family without any metric would not be legal text.
    fn family(&self, timed: Timed) -> Option<MetricFamily> {
        let series = self.meters.series(timed);
        if series.is_empty() {
            return None;
        }
        let mut family = MetricFamily::default();
        family.set_name(timed.histogram().to_owned());
        family.set_help(timed.histogram_description().to_owned());
        family.set_field_type(MetricType::HISTOGRAM);
        family.set_metric(series.iter().map(metric).collect());
        Some(family)
    }
}

fn metric(series: &Series) -> Metric {
    let label = |(name, value): &(&'static str, String)| {
        let mut label = LabelPair::default();
        label.set_name((*name).to_owned());
        label.set_value(value.clone());
        label
    };
    let mut below = 0;
    let buckets = series.buckets().map(|(bound_seconds, count)| {
        below += count;
        let mut bucket = Bucket::default();
        bucket.set_upper_bound(bound_seconds);
        bucket.set_cumulative_count(below);
        bucket
    });
    let mut histogram = Histogram::default();
    histogram.set_bucket(buckets.collect());
    histogram.set_sample_count(series.count());
    histogram.set_sample_sum(series.sum_seconds());
    let mut metric = Metric::default();
    metric.set_label(series.labels.iter().map(label).collect());
    metric.set_histogram(histogram);
    metric
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tonic::Code;
    use turnout_schema::graph::RootKind;

    use super::*;
    use crate::clock::Clock;
    use crate::execute::run::Outcome;
    use crate::registry::Known;
    use crate::upstream::Worker;

    fn metrics() -> Metrics {
        let registry = prometheus::Registry::new();
        let exporter = opentelemetry_prometheus::exporter()
            .with_registry(registry.clone())
            .scope_info_enabled(false)
            .build()
            .unwrap();
        Metrics::new(SdkMeterProvider::builder().with_reader(exporter).build(), registry)
    }

    #[test]
    fn operations_and_calls_are_counted_and_timed() {
        let (metrics, meters) = (metrics(), Meters::new());
        metrics.export(&meters).unwrap();
        let callee = meters.callee(&"catalog".parse().unwrap(), &"1.4.0".parse().unwrap());
        let ms = Duration::from_millis;
        meters.operation(Worker(0), Some(RootKind::Query), Outcome::Partial, ms(30));
        meters.operation(Worker(9), Some(RootKind::Query), Outcome::Partial, ms(70));
        callee.count(Worker(1), Code::Unavailable, ms(3));
        let text = metrics.render();
        for line in [
            "turnout_operations_total{kind=\"query\",outcome=\"partial\"} 2",
            "turnout_operation_duration_seconds_bucket{kind=\"query\",outcome=\"partial\",le=\"0.05\"} 1",
            "turnout_operation_duration_seconds_bucket{kind=\"query\",outcome=\"partial\",le=\"0.1\"} 2",
            "turnout_operation_duration_seconds_bucket{kind=\"query\",outcome=\"partial\",le=\"+Inf\"} 2",
            "turnout_operation_duration_seconds_sum{kind=\"query\",outcome=\"partial\"} 0.1",
            "turnout_operation_duration_seconds_count{kind=\"query\",outcome=\"partial\"} 2",
            "turnout_upstream_calls_total{code=\"UNAVAILABLE\",service=\"catalog\",version=\"1.4.0\"} 1",
            "# TYPE turnout_upstream_call_duration_seconds histogram",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }

    #[test]
    fn before_anything_happens_nothing_is_timed() {
        let metrics = metrics();
        metrics.export(&Meters::new()).unwrap();
        assert!(!metrics.render().contains("duration"));
    }

    #[test]
    fn a_source_that_is_not_heard_shows_with_its_age() {
        let (metrics, clock) = (metrics(), Clock::start());
        let hub = Arc::new(Hub::new(vec![SourceName::own()], Known::default(), clock));
        metrics.watch_sources(&hub);
        let freshness = |state| Freshness {
            backend: "etcd",
            layout: "native",
            state,
            synced_at: None,
            heard_at: None,
            revision: 7,
            relists: 3,
            entries: 12,
        };
        hub.hears(&SourceName::own(), freshness(Hearing::Live));
        hub.hears(&"shop".parse().unwrap(), freshness(Hearing::Stale("gone".to_owned())));
        let text = metrics.render();
        for line in [
            "turnout_registry_source_live{source=\"shop\"} 0",
            "turnout_registry_source_live{source=\"turnout\"} 1",
            "turnout_registry_source_stale_seconds{source=\"turnout\"} 0",
            "turnout_registry_source_relists{source=\"shop\"} 3",
            "turnout_registry_source_entries{source=\"shop\"} 12",
            "turnout_registry_source_unreadable{source=\"shop\"} 0",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        assert!(!text.contains("turnout_registry_source_stale_seconds{source=\"shop\"} 0\n"), "{text}");
    }

    #[test]
    fn without_a_generation_its_number_is_zero() {
        let metrics = metrics();
        let (_generations, now) = watch::channel(None);
        metrics.watch_serving(&now, &Arc::new(Fleet::idle()));
        let text = metrics.render();
        for line in ["turnout_generation 0", "turnout_plans 0"] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
