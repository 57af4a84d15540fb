//! The HTTP shell: connections, bodies, who may do what, and the public routes.
//!
//! `listener` owns connections and their time limits. `public` and `admin` say which route lives
//! where. GraphQL over HTTP is written here by hand and not taken from a framework, because none
//! keeps the specification.

pub mod access;
pub mod admin;
pub mod body;
pub mod health;
pub mod listener;
pub mod public;
