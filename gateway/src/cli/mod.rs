//! What a user can type. Each command is a file; here they meet.
//!
//! Exit codes: 0 ok, 1 a finding, 2 wrong use, 3 the gateway cannot be reached.

mod admin;
mod answer;
mod config;
mod demo;
mod doctor;
mod explain;
mod frontend;
mod moves;
mod output;
mod policy;
mod rollout;
mod serve;
mod service;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What went wrong with a command, by its exit code.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The command did its work and found something.
    Finding(String),
    /// It was asked for something that cannot be done.
    Usage(String),
    /// The gateway did not answer.
    Unreachable(String),
}

/// Turnout: a GraphQL gateway over gRPC services that register themselves.
#[derive(Debug, Parser)]
#[command(name = "turnout", version, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the whole product on this machine: gateway, sample services, light traffic.
    Demo(demo::DemoArgs),
    /// Run a gateway.
    Serve(serve::ServeArgs),
    /// Write, check and show configuration.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// Look at registered services, check a new version, decide what is public.
    #[command(subcommand)]
    Service(service::ServiceCommand),
    /// Look at frontend versions, publish and retire them.
    #[command(subcommand)]
    Frontend(frontend::FrontendCommand),
    /// Look at which versions callers get, and decide it.
    #[command(subcommand)]
    Policy(policy::PolicyCommand),
    /// Look at how new versions come into use, and lead them.
    #[command(subcommand)]
    Rollout(rollout::RolloutCommand),
    /// Tell which versions a caller gets, why, and when that would change.
    Explain(explain::ExplainArgs),
    /// Look whether everything that a gateway needs is there.
    Doctor(doctor::DoctorArgs),
    /// Run one sample service; `demo` starts these.
    #[command(hide = true)]
    Sample(turnout_samples::SampleArgs),
    /// Play the traffic of the demo; `demo` starts this.
    #[command(hide = true)]
    Load(turnout_samples::load::LoadArgs),
}

/// The process: parses its arguments, runs, and says how it ended.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Asking for help or the version is no mistake.
            let code = if error.use_stderr() { 2 } else { 0 };
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match cli.command {
        Command::Config(command) => config::run(command, environment()),
        other => {
            let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
                Ok(runtime) => runtime,
                Err(error) => return output::exit(Err(Failure::Usage(format!("cannot start: {error}")))),
            };
            let ended = runtime.block_on(run(other));
            // A thread that waits for input or a disk must not hold up the end.
            runtime.shutdown_background();
            output::exit(ended)
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Demo(args) => demo::run(args, environment()).await,
        Command::Serve(args) => serve::run(args, environment()).await,
        Command::Service(command) => service::run(command).await,
        Command::Frontend(command) => frontend::run(command).await,
        Command::Policy(command) => policy::run(command).await,
        Command::Rollout(command) => rollout::run(command).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Doctor(args) => doctor::run(args, environment()).await,
        Command::Sample(args) => demo::sample(args).await,
        Command::Load(args) => demo::load(args).await,
        Command::Config(_) => Ok(()),
    }
}

/// The environment, as text; what is none cannot be a setting.
fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}
