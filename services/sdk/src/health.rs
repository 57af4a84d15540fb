//! The services that every service has: gRPC health and server reflection.
//!
//! Health speaks for the whole server, under the empty name, and for each protobuf service. It says
//! SERVING from the start: a service that listens can answer.

use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::FILE_DESCRIPTOR_SET;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};
use tonic_reflection::server::Builder;

use crate::schema::Schema;

/// What the health service answers.
pub(crate) struct Health {
    reporter: HealthReporter,
    names: Vec<String>,
}

impl Health {
    pub(crate) async fn new(schema: &Schema) -> Self {
        let reporter = HealthReporter::new();
        let names: Vec<String> = std::iter::once(String::new()).chain(schema.services.clone()).collect();
        for name in &names {
            reporter.set_service_status(name, ServingStatus::Serving).await;
        }
        Self { reporter, names }
    }

    fn server(&self) -> HealthServer<HealthService> {
        let service = HealthService::from_health_reporter(self.reporter.clone());
        HealthServer::new(service)
    }

    pub(crate) async fn not_serving(&self) {
        for name in &self.names {
            self.reporter.set_service_status(name, ServingStatus::NotServing).await;
        }
    }

    /// Ends the streams of those who watch: they would hold their connections open until the deadline.
    pub(crate) async fn end_watches(&mut self) {
        for name in &self.names {
            self.reporter.clear_service_status(name).await;
        }
    }
}

/// Adds health, and server reflection in the two versions that clients ask for. They come before
/// `routes`: a router with the same service twice would panic, so an author's own is shadowed instead.
pub(crate) fn with_standard_services(
    routes: Routes,
    health: &Health,
    descriptors: &'static [u8],
) -> Result<Routes, String> {
    let builder = || {
        Builder::configure()
            .register_encoded_file_descriptor_set(descriptors)
            .register_encoded_file_descriptor_set(FILE_DESCRIPTOR_SET)
    };
    let v1 = builder().build_v1().map_err(|why| why.to_string())?;
    let v1alpha = builder().build_v1alpha().map_err(|why| why.to_string())?;
    let standard = Routes::new(health.server()).add_service(v1).add_service(v1alpha);
    Ok(standard.into_axum_router().fallback_service(routes.into_axum_router()).into())
}
