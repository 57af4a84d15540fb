//! `turnout service`: what is registered.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Failure;
use super::admin::AdminArgs;
use super::output::{self, Format};

const LIST: &str = "{ services { name versions { version digest firstSeen instances {
    id state endpoints zone weight ttlSeconds registeredAt meta { key value } } } } }";
const SHOW: &str = "query($name: String!) { service(name: $name) { name versions { version digest firstSeen
    instances { id state endpoints zone weight ttlSeconds registeredAt meta { key value } } } } }";

#[derive(Debug, Subcommand)]
pub(crate) enum ServiceCommand {
    /// List services with their versions and instances.
    List {
        #[command(flatten)]
        admin: AdminArgs,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Show one service: every version ever registered, and each instance.
    Show {
        /// The service's name.
        name: String,
        #[command(flatten)]
        admin: AdminArgs,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

/// Runs one.
pub(crate) async fn run(command: ServiceCommand) -> Result<(), Failure> {
    match command {
        ServiceCommand::List { admin, output } => {
            let answer = admin.ask(LIST, Value::Null).await?;
            let versions: Vec<Value> = list(&answer["services"]).iter().flat_map(flatten).collect();
            output::print(&match output {
                Format::Table if versions.is_empty() => NOTHING.to_owned(),
                Format::Table => overview(&versions),
                Format::Json | Format::Yaml => output::document(output, &Value::Array(versions)),
            });
            Ok(())
        }
        ServiceCommand::Show { name, admin, output } => {
            let answer = admin.ask(SHOW, json!({ "name": name })).await?;
            let service = &answer["service"];
            if service.is_null() {
                return Err(Failure::Finding(format!(
                    "no service was ever registered as {name:?}; `turnout service list` names those that were."
                )));
            }
            output::print(&match output {
                Format::Table => detail(service),
                Format::Json | Format::Yaml => output::document(output, &Value::Array(flatten(service))),
            });
            Ok(())
        }
    }
}

const NOTHING: &str =
    "No service is registered. `turnout demo` shows some; docs/registration.md says how one joins.\n";

/// One row a version: what programs want to filter.
fn flatten(service: &Value) -> Vec<Value> {
    let row = |version: &Value| {
        let mut row = json!({ "service": service["name"] });
        for key in ["version", "digest", "firstSeen", "instances"] {
            row[key] = version[key].clone();
        }
        row
    };
    list(&service["versions"]).iter().map(row).collect()
}

fn overview(versions: &[Value]) -> String {
    let rows = versions.iter().map(|row| {
        let instances = list(&row["instances"]);
        let addresses: Vec<&str> =
            instances.iter().flat_map(|one| list(&one["endpoints"])).filter_map(Value::as_str).collect();
        vec![
            text(&row["service"]),
            text(&row["version"]),
            states(instances),
            digest(&row["digest"]),
            addresses.join(" "),
        ]
    });
    output::table(&["SERVICE", "VERSION", "INSTANCES", "SCHEMA", "ADDRESSES"], rows.collect())
}

fn detail(service: &Value) -> String {
    let mut rows = Vec::new();
    for version in list(&service["versions"]) {
        let head = [text(&version["version"]), digest(&version["digest"])];
        let instances = list(&version["instances"]);
        if instances.is_empty() {
            rows.push(
                [&head[..], &["no instance lives".to_owned(), String::new(), String::new(), String::new()]]
                    .concat(),
            );
        }
        for one in instances {
            let endpoints: Vec<&str> = list(&one["endpoints"]).iter().filter_map(Value::as_str).collect();
            let tail = [
                text(&one["id"]),
                text(&one["state"]).to_lowercase(),
                endpoints.join(" "),
                text(&one["registeredAt"]),
            ];
            rows.push([&head[..], &tail].concat());
        }
    }
    let head = ["VERSION", "SCHEMA", "INSTANCE", "STATE", "ADDRESS", "SINCE"];
    format!("{}\n{}", text(&service["name"]), output::table(&head, rows))
}

/// `2 up, 1 suspect`.
fn states(instances: &[Value]) -> String {
    let mut parts = Vec::new();
    for state in ["UP", "DRAINING", "SUSPECT"] {
        let count = instances.iter().filter(|one| one["state"] == state).count();
        if count > 0 {
            parts.push(format!("{count} {}", state.to_lowercase()));
        }
    }
    if parts.is_empty() { "none".to_owned() } else { parts.join(", ") }
}

fn digest(value: &Value) -> String {
    value
        .as_str()
        .and_then(|text| text.strip_prefix("sha256:"))
        .map_or("none".to_owned(), |hex| hex[..12].to_owned())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
