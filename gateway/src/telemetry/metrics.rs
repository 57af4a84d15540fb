//! The meters of this process, and the text that Prometheus reads.
//!
//! What is counted seldom is an instrument of OpenTelemetry's. What is counted for every operation stands in
//! `Meters` and is only read here, when somebody asks: counts as observable counters, which Prometheus and
//! OTLP get, and durations as histograms, which only Prometheus gets, because OpenTelemetry takes no
//! histogram that was counted elsewhere.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Meter, MeterProvider};
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use prometheus::proto::{Bucket, Histogram, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};
use tokio::sync::watch;
use turnout_control::registry::Standing;

use super::meters::{Meters, Series, Timed};
use crate::generation::Generation;
use crate::registry::Embedded;

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
    pub fn watch_registry(&self, registry: &Arc<Embedded>) {
        let meter = self.meter();
        let of = registry.clone();
        meter
            .u64_observable_gauge("turnout.registry.instances")
            .with_description("Registered instances by state")
            .with_callback(move |gauge| {
                let snapshot = of.snapshot();
                for state in [Standing::Up, Standing::Draining, Standing::Suspect] {
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
        self.registry.register(Box::new(Durations(meters.clone())))
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
struct Durations(Meters);

impl prometheus::core::Collector for Durations {
    fn desc(&self) -> Vec<&prometheus::core::Desc> {
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        [Timed::Operations, Timed::Calls].into_iter().filter_map(|timed| self.family(timed)).collect()
    }
}

impl Durations {
    /// A family without any metric would not be legal text.
    fn family(&self, timed: Timed) -> Option<MetricFamily> {
        let series = self.0.series(timed);
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
