//! `turnout rollout`: how new versions come into use, and deciding about that.
//!
//! Every command asks the operators' API and shows the answer; nothing is known or decided here.

mod card;
mod list;
mod order;
mod wait;
mod watch;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Failure;
use super::admin::AdminArgs;
use super::output::{self, Format, Paint};
use order::{OrderArgs, Verb};

#[derive(Debug, Subcommand)]
pub(crate) enum RolloutCommand {
    /// List rollouts: where each stands, by which evidence, and why.
    List {
        /// Only those of this service.
        service: Option<String>,
        #[command(flatten)]
        admin: AdminArgs,
        /// How to print it.
        #[arg(short, long, value_enum, default_value_t)]
        output: Format,
    },
    /// Show one rollout: who gets what, evidence, what is missing, what happened.
    Get(GetArgs),
    /// Begin a rollout, go on with one that is held, or try one again that went back.
    Start(OrderArgs),
    /// Stay at the step. It still goes back when harm shows.
    Hold(OrderArgs),
    /// Approve leaving a step that asks for it, or leave one that ended without proof.
    Advance(AdvanceArgs),
    /// Make the candidate stable now, whatever the evidence says.
    Promote(OrderArgs),
    /// Take the candidate from everybody.
    Rollback(OrderArgs),
    /// Wait until a rollout has ended, for pipelines: 0 when the version is stable, 1 when it is not.
    Wait(wait::WaitArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  turnout rollout get catalog
  turnout rollout get catalog@1.5.0 -w
  turnout rollout get catalog -o json")]
pub(crate) struct GetArgs {
    /// The service, or one of its versions: catalog, catalog@1.5.0.
    rollout: Subject,
    /// Stay and show every change, until it has ended.
    #[arg(short, long)]
    watch: bool,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

#[derive(Debug, Args)]
pub(crate) struct AdvanceArgs {
    #[command(flatten)]
    order: OrderArgs,
    /// Leave the step now, although it is not proven.
    #[arg(long)]
    now: bool,
}

/// `catalog`, or `catalog@1.5.0`.
#[derive(Clone, Debug)]
pub(crate) struct Subject {
    service: String,
    version: Option<String>,
}

impl std::str::FromStr for Subject {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Subject, Self::Err> {
        Ok(match text.split_once('@') {
            Some((service, version)) => {
                Subject { service: service.to_owned(), version: Some(version.to_owned()) }
            }
            None => Subject { service: text.to_owned(), version: None },
        })
    }
}

impl Subject {
    fn text(&self) -> String {
        let version = self.version.as_ref().map_or_else(String::new, |version| format!("@{version}"));
        output::clean(&format!("{}{version}", self.service))
    }

    fn variables(&self) -> Value {
        json!({ "service": self.service, "version": self.version })
    }
}

/// What is asked of a rollout.
const ROLLOUT: &str = "service from to state live why needs step
    steps { weightPpm dwellMinSeconds dwellMaxSeconds instancesMin asksOperator }
    dweltSeconds weightPpm seenPpm harm { value needed } slowness { value needed } safety { value needed }
    excessFailures excessFailuresMax candidate { version calls failures instancesUp instances }
    stable { version calls failures instancesUp instances } callsPerSecond
    frontends { frontend stable effectivePpm seenPpm capPpm killed }
    gateways { name revision current fuseOpen mismatches noUnit } retries migrates orders
    createdAt startedAt changedAt ageSeconds countedAt history { at text } stage";

/// Runs one.
pub(crate) async fn run(command: RolloutCommand) -> Result<(), Failure> {
    match command {
        RolloutCommand::List { service, admin, output } => list::run(service, &admin, output).await,
        RolloutCommand::Get(args) => get(args).await,
        RolloutCommand::Start(args) => order::run(Verb::Start, args).await,
        RolloutCommand::Hold(args) => order::run(Verb::Hold, args).await,
        RolloutCommand::Advance(AdvanceArgs { order, now: true }) => order::run(Verb::Leave, order).await,
        RolloutCommand::Advance(AdvanceArgs { order, now: false }) => order::run(Verb::Advance, order).await,
        RolloutCommand::Promote(args) => order::run(Verb::Promote, args).await,
        RolloutCommand::Rollback(args) => order::run(Verb::Rollback, args).await,
        RolloutCommand::Wait(args) => wait::run(args).await,
    }
}

async fn get(args: GetArgs) -> Result<(), Failure> {
    let GetArgs { rollout, watch, admin, output } = args;
    if watch {
        return watch::run(&rollout, &admin, output).await;
    }
    let found = ask(&rollout, &admin).await?;
    let found = found.ok_or_else(|| none(&rollout))?;
    output::print(&match output {
        Format::Table => card::page(&found, Paint::detect()),
        Format::Json | Format::Yaml => output::document(output, &found),
    });
    Ok(())
}

/// A rollout as it is now; `None` when there never was one.
async fn ask(subject: &Subject, admin: &AdminArgs) -> Result<Option<Value>, Failure> {
    let question = format!(
        "query($service: String!, $version: String) {{ rollout(service: $service, version: $version) {{ {ROLLOUT} }} }}"
    );
    let mut answer = admin.ask(&question, subject.variables()).await?;
    Ok(Some(answer["rollout"].take()).filter(Value::is_object))
}

fn none(subject: &Subject) -> Failure {
    Failure::Finding(format!(
        "there was never a rollout of {}; `turnout rollout list` names those there are, and `turnout service show \
         {}` says what became of its versions.",
        subject.text(),
        output::clean(&subject.service),
    ))
}
