//! A gRPC service joins Turnout in ten lines of its `main`.
//!
//! ```no_run
//! # use tonic::service::Routes;
//! # const DESCRIPTORS: &[u8] = turnout_proto::REGISTRY_DESCRIPTORS;
//! # fn catalog() -> Routes { Routes::default() }
//! #[tokio::main]
//! async fn main() -> Result<(), turnout_service::Error> {
//!     turnout_service::Service::new("catalog", "1.5.0", DESCRIPTORS)
//!         .listen(([0, 0, 0, 0], 50051).into())
//!         .serve(catalog()) // Routes::new(CatalogServer::new(Catalog::default()))
//!         .await
//! }
//! ```
//!
//! `serve` adds gRPC health and server reflection, uploads the descriptors, registers, keeps the lease
//! and leaves in order on SIGTERM. It registers with the gateway at `TURNOUT_REGISTRY_URL`, over HTTP
//! or gRPC, or straight into etcd; see [`Registry::parse`]. What goes wrong with the registry is said
//! through `tracing` and tried again for ever: it never ends the service.
//!
//! This crate does not call other services and knows nothing of GraphQL.

mod backoff;
mod clock;
mod error;
mod health;
mod instance;
mod journal;
mod lease;
mod life;
mod membership;
mod register;
mod schema;
mod service;
mod stop;
mod target;

pub use error::Error;
pub use service::Service;
pub use target::Registry;
pub use tokio_util::sync::CancellationToken;
pub use tonic::service::Routes;
