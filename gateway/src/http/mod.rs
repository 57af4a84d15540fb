//! The HTTP shell: connections, bodies, who may do what, and GraphQL over HTTP.
//!
//! `listener` owns connections and their time limits. `public` and `admin` say which route lives
//! where. GraphQL over HTTP is written here by hand and not taken from a framework, because none
//! keeps the specification: `graphql` is one request from head to answer, `negotiate`, `payload` and
//! `facts` read it, `frontend` says what its caller sees, `answer` writes it.

pub mod access;
pub mod admin;
mod answer;
pub mod body;
mod facts;
mod frontend;
pub mod graphql;
pub mod health;
pub(crate) mod latest;
pub mod listener;
mod negotiate;
mod payload;
pub mod public;
