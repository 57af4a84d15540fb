//! `samples`: runs the sample services, one or all of them.
//!
//! The command line is here; everything else is in the library.

use std::io::Write as _;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use turnout_samples::{DEMO, SampleArgs, SharedArgs};

/// Sample services for Turnout: a small shop, a to-do list, and an echo of every protobuf type.
#[derive(Debug, Parser)]
#[command(name = "samples", args_conflicts_with_subcommands = true, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    sample: Option<SampleArgs>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the services and versions of the demo world.
    List,
    /// Run all of them in this process, each on a free port.
    All(SharedArgs),
}

// One thread is enough for a sample, and twelve of them share a laptop with a gateway.
#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false).init();
    let cli = Cli::parse();
    match (cli.command, cli.sample) {
        (Some(Command::List), _) => list(),
        (Some(Command::All(shared)), _) => turnout_samples::run_all(shared, CancellationToken::new()).await,
        (None, Some(args)) => turnout_samples::run(args, CancellationToken::new()).await,
        (None, None) => Ok(()),
    }
}

fn list() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for (service, version) in DEMO {
        writeln!(out, "{service:<10} {version}")?;
    }
    Ok(())
}
