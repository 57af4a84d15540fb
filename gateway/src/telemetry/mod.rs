//! Logs, metrics and traces: how an operator hears of what happens inside.
//!
//! Logs go to standard error: text on a terminal, JSON elsewhere, filtered by `RUST_LOG`. Metrics are
//! read by Prometheus at `/metrics`. With `OTEL_EXPORTER_OTLP_ENDPOINT` set, traces and the same metrics
//! are also sent out over OTLP; the exporters read the other `OTEL_*` variables themselves.

mod audience;
mod meters;
mod metrics;
mod rollouts;

pub use audience::Named;
pub use meters::{CallMeter, Meters, Uses};
pub use metrics::Metrics;

use std::io::IsTerminal;

use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::config::LogFormat;

/// Why telemetry could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// An OTLP exporter refused its settings.
    #[error("otlp exporter")]
    Otlp(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The Prometheus exporter failed.
    #[error("prometheus exporter")]
    Prometheus(#[from] opentelemetry_sdk::error::OTelSdkError),
    /// Prometheus' registry refused our histograms.
    #[error("prometheus registry")]
    Registry(#[from] prometheus::Error),
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
        Ok(Telemetry { metrics: Metrics::new(meters.build(), registry), tracer })
    }

    /// The meters.
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Sends what is not sent yet. Blocks.
    pub fn stop(self) {
        if let Err(error) = self.metrics.shutdown() {
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
