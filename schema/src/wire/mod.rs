//! Between the graph and protobuf bytes, without message objects on the way.
//!
//! `encode` turns what a caller gave into the bytes of a request, and keys into the field that takes them.
//! The modules beside it know one form each. Nothing here knows descriptors: `graph` says all there is to
//! know about a field.

pub mod answers;
pub mod encode;
pub mod index;
pub mod key;
pub mod keys;
pub mod mask;
pub mod write;

pub(crate) mod buffer;
pub(crate) mod coerce;

mod base64;
mod scalar;
pub(crate) mod scan;
mod structure;
mod time;
mod well_known;

#[cfg(test)]
mod tests;

pub use encode::{Request, Takes};
pub use key::Key;
