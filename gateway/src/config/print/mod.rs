//! What is printed from the table of settings?
//!
//! `template` is the file that `config init` writes, `schema` the JSON Schema, `show` the effective
//! values with their origin, and `reference` the table of `docs/configuration.md`. None of them knows a
//! setting by name.

#[cfg(test)]
pub(super) mod reference;
mod schema;
mod show;
mod template;

pub use schema::schema;
pub use show::Shown;
pub(super) use show::show;
pub use template::template;
