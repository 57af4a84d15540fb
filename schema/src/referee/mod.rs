//! What do we and graphql-js agree on? Only tests live here: they ask both about the same schemas and documents.

mod tests;
pub(crate) mod world;
