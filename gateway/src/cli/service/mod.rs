//! `turnout service`: what is registered, what would become of a version, and what of a service is public.
//!
//! Every command asks the operators' API and shows the answer; nothing is known or decided here.

mod check;
mod expose;
pub(super) mod finding;
mod junit;
mod list;
mod show;

use clap::Subcommand;
use serde_json::{Value, json};

use super::Failure;
use super::admin::AdminArgs;
use super::answer::{array, text};
use super::output::{self, Format};

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List services: versions, which one serves, instances, findings.
    List {
        #[command(flatten)]
        admin: AdminArgs,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Show one service: every version ever registered, each instance, and what was found about it.
    Show {
        /// The service's name.
        name: String,
        #[command(flatten)]
        admin: AdminArgs,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Tell what would become of the graph if a version were registered. Changes nothing.
    Check(check::CheckArgs),
    /// Decide what of a service is public.
    Expose(expose::ExposeArgs),
}

/// Runs one.
pub(crate) async fn run(command: ServiceCommand) -> Result<(), Failure> {
    match command {
        ServiceCommand::List { admin, output } => list::run(&admin, output).await,
        ServiceCommand::Show { name, admin, output } => show::run(&name, &admin, output).await,
        ServiceCommand::Check(args) => check::run(args).await,
        ServiceCommand::Expose(args) => expose::run(args).await,
    }
}

/// What is asked about each service, for one row a version.
const SERVICE: &str = "name serving exposed { expose by place }
    versions { version digest firstSeen serving findings { severity code message help }
    instances { id state source presence refused { code message help } endpoints zone weight ttlSeconds
    registeredAt meta { key value } } }";

/// One row a version: what programs want to filter.
fn flatten(service: &Value) -> Vec<Value> {
    let row = |version: &Value| {
        let mut row = json!({ "service": service["name"], "exposed": service["exposed"] });
        for key in ["version", "digest", "firstSeen", "serving", "findings", "instances"] {
            row[key] = version[key].clone();
        }
        row
    };
    array(&service["versions"]).iter().map(row).collect()
}

/// `2 up, 1 suspect`.
fn states<'a>(instances: impl Iterator<Item = &'a Value> + Clone) -> String {
    let mut parts = Vec::new();
    for state in ["UP", "SUSPECT", "HELD", "DRAINING", "REFUSED"] {
        let count = instances.clone().filter(|one| one["state"] == state).count();
        if count > 0 {
            parts.push(format!("{count} {}", state.to_lowercase()));
        }
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn digest(value: &Value) -> String {
    value
        .as_str()
        .and_then(|text| text.strip_prefix("sha256:")?.get(..12))
        .map_or("none".to_owned(), output::clean)
}
