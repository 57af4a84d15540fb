//! What a graph is and what an operation on it means: descriptors become subgraphs, subgraphs a
//! supergraph, an operation a plan, and response bytes JSON.
//!
//! Pure: values in, values and diagnostics out. There is no runtime, clock, randomness, file, socket
//! or environment in here, so nothing can fail for a reason outside the arguments.

pub mod compose;
pub mod diagnostic;
pub mod diff;
pub mod digest;
pub mod dynamic;
#[cfg(test)]
pub(crate) mod fixture;
pub mod gate;
pub mod graph;
pub mod guard;
pub mod plan;
#[cfg(test)]
pub(crate) mod referee;
pub mod reflect;
pub mod sdl;
pub mod subgraph;
pub mod supergraph;
pub mod validate;
pub mod variables;
pub mod wire;

pub use diagnostic::{Diagnostic, Severity};
pub use digest::Digest;
pub use subgraph::{Descriptors, Subgraph};
pub use supergraph::Supergraph;
