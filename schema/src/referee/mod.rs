//! What do we and graphql-js agree on? Only tests live here.
//!
//! `tests` asks both about the same schemas and documents; `world` is the graph that the documents are about.

mod tests;
pub(crate) mod world;
