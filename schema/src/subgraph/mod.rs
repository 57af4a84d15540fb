//! What one version of a service offers, read from its descriptors.

pub mod descriptors;

pub use descriptors::Descriptors;
