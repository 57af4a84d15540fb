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
use turnout_control::registry::Standing;

use super::meters::{Meters, Series, Timed};
use crate::generation::Generation;
use crate::registry::Registry;

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

    /// Lets Prometheus see what is registered, as it is when it asks.
    pub fn watch_registry(&self, registry: &Registry) {
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

    /// Lets Prometheus see which generation serves, and how many plans it has at hand.
    pub fn watch_generation(&self, generations: &watch::Receiver<Option<Arc<Generation>>>) {
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
        self.registry.register(Box::new(Durations::new(meters.clone())?))
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

    fn meter(&self) -> Meter {
        self.provider.meter("turnout")
    }
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
    use crate::execute::run::Outcome;
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
    fn without_a_generation_its_number_is_zero() {
        let metrics = metrics();
        let (_generations, now) = watch::channel(None);
        metrics.watch_generation(&now);
        let text = metrics.render();
        for line in ["turnout_generation 0", "turnout_plans 0"] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
    }
}
