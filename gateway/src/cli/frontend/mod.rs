//! `turnout frontend`: which versions of clients are published, what each sees, and how one is published or retired.
//!
//! Every command but `create` asks the operators' API and shows the answer; nothing is known or decided here.
//! `create` writes a directory.

mod create;
mod list;
mod publish;
mod retire;
mod schema;
mod show;

use std::path::PathBuf;

use clap::Subcommand;
use turnout_control::id::FrontendId;

use super::Failure;
use super::admin::AdminArgs;
use super::output::Format;

#[derive(Debug, Subcommand)]
pub(crate) enum FrontendCommand {
    /// List frontend versions: state, pins, who gets which, findings.
    List {
        #[command(flatten)]
        admin: AdminArgs,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Show one version: what its pins come to, operations, page, the rules that lead to it.
    Show {
        /// Its name: `web@2.4.1`.
        name: String,
        #[command(flatten)]
        admin: AdminArgs,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Write a directory with the manifest of a new version.
    Create(create::CreateArgs),
    /// Publish a version from its directory, or who gets which version of an app from its app.yaml.
    Publish(publish::PublishArgs),
    /// Retire a version: nobody gets it any more. Refused while a rule leads to it.
    Retire(retire::RetireArgs),
    /// Print the SDL of what a version sees.
    Schema {
        /// Its name: `web@2.4.1`; `any@0.0.0` is what callers see who are no published frontend.
        name: String,
        #[command(flatten)]
        admin: AdminArgs,
    },
    /// List the versions that may be out of use: deprecated ones, and those that no rule leads to.
    Stale {
        #[command(flatten)]
        admin: AdminArgs,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
}

/// Runs one.
pub(crate) async fn run(command: FrontendCommand) -> Result<(), Failure> {
    match command {
        FrontendCommand::List { admin, output } => list::run(&admin, output).await,
        FrontendCommand::Show { name, admin, output } => show::run(&name, &admin, output).await,
        FrontendCommand::Create(args) => create::run(args).await,
        FrontendCommand::Publish(args) => publish::run(args).await,
        FrontendCommand::Retire(args) => retire::run(args).await,
        FrontendCommand::Schema { name, admin } => schema::run(&name, &admin).await,
        FrontendCommand::Stale { admin, output } => list::stale(&admin, output).await,
    }
}

/// What is asked about each version.
const FRONTEND: &str = "name app version state directory why assigned publishedAt revision operations page
    pins { service range optional versions stable candidate why } caps { service share }
    findings { severity code message help }";

/// The directory of a version, as `frontends.dir` has it.
fn place(root: &std::path::Path, id: &FrontendId) -> PathBuf {
    root.join(id.app.as_str()).join(id.version.to_string())
}

fn id(name: &str) -> Result<FrontendId, Failure> {
    name.parse().map_err(|error| Failure::Usage(format!("{name:?} is no frontend version: it {error}")))
}
