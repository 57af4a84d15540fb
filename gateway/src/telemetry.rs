//! Logs, metrics and traces: how an operator hears of what happens inside.
//!
//! Logs go to standard error: text on a terminal, JSON elsewhere, filtered by `RUST_LOG`. Metrics are
//! read by Prometheus at `/metrics`. With `OTEL_EXPORTER_OTLP_ENDPOINT` set, traces and the same metrics
//! are also sent out over OTLP; the exporters read the other `OTEL_*` variables themselves.

use std::io::IsTerminal;
use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::MeterProvider;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use prometheus::{Encoder, TextEncoder};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};
use turnout_control::registry::Standing;

use crate::config::LogFormat;
use crate::registry::Embedded;

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An OTLP exporter refused its settings.
    #[error("otlp exporter")]
    Otlp(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The Prometheus exporter failed.
    #[error("prometheus exporter")]
    Prometheus(#[from] opentelemetry_sdk::error::OTelSdkError),
}

/// What the environment asks for.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// How logs look.
    pub logs: LogFormat,
    /// Whether OTLP has an endpoint.
    pub otlp: bool,
}

/// What must be flushed before the process ends.
#[derive(Debug)]
pub struct Telemetry {
    metrics: Metrics,
    tracer: Option<SdkTracerProvider>,
}

/// The meters, and the text that Prometheus reads.
#[derive(Clone, Debug)]
pub struct Metrics {
    provider: SdkMeterProvider,
    registry: prometheus::Registry,
}

impl Telemetry {
    /// Sets up logs, metrics and traces of this process. A second call leaves the logs as they are.
    pub fn start(settings: Settings) -> Result<Telemetry, Error> {
        let resource = Resource::builder()
            .with_service_name("turnout")
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let registry = prometheus::Registry::new();
        let mut meters = SdkMeterProvider::builder().with_resource(resource.clone()).with_reader(
            opentelemetry_prometheus::exporter()
                .with_registry(registry.clone())
                .scope_info_enabled(false)
                .build()?,
        );
        let mut tracer = None;
        if settings.otlp {
            let exporter = opentelemetry_otlp::MetricExporter::builder().with_tonic().build()?;
            meters = meters.with_periodic_exporter(exporter);
            let exporter = opentelemetry_otlp::SpanExporter::builder().with_tonic().build()?;
            let traces = SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter);
            tracer = Some(traces.build());
        }
        let spans = tracer
            .as_ref()
            .map(|provider| tracing_opentelemetry::layer().with_tracer(provider.tracer("turnout")))
            // Ours only: the HTTP libraries have a span for everything they do.
            .map(|layer| layer.with_filter(Targets::new().with_target("turnout", Level::DEBUG)).boxed());
        // Only the first of a process is kept; tests start many gateways in one.
        let _ = tracing_subscriber::registry().with(spans).with(logs(settings.logs)).try_init();
        Ok(Telemetry { metrics: Metrics { provider: meters.build(), registry }, tracer })
    }

    /// The meters.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Sends what is not sent yet. Blocks.
    pub fn stop(self) {
        if let Err(error) = self.metrics.provider.shutdown() {
            tracing::debug!(%error, "metrics were not flushed");
        }
        if let Some(Err(error)) = self.tracer.map(|tracer| tracer.shutdown()) {
            tracing::debug!(%error, "traces were not flushed");
        }
    }
}

/// An error with its causes, for a log.
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text.push_str(": ");
        text.push_str(&cause.to_string());
        source = cause.source();
    }
    text
}

fn logs(format: LogFormat) -> Box<dyn Layer<Layered> + Send + Sync> {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    let terminal = std::io::stderr().is_terminal();
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    match (format, terminal) {
        (LogFormat::Json, _) | (LogFormat::Auto, false) => layer.json().with_filter(filter).boxed(),
        (LogFormat::Text, _) | (LogFormat::Auto, true) => {
            layer.with_ansi(terminal && std::env::var_os("NO_COLOR").is_none()).with_filter(filter).boxed()
        }
    }
}

/// What the log layer sits on.
type Layered = tracing_subscriber::layer::Layered<Option<Box<dyn Layer<Registry> + Send + Sync>>, Registry>;

impl Metrics {
    /// Lets Prometheus see what is registered, as it is when it asks.
    pub fn watch_registry(&self, registry: &Arc<Embedded>) {
        let meter = self.provider.meter("turnout");
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

    /// Counts how often the configuration was read anew.
    pub fn config_reloads(&self) -> opentelemetry::metrics::Counter<u64> {
        self.provider
            .meter("turnout")
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
}
