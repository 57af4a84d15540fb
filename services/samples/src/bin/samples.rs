//! `samples`: runs the sample services, one or all of them.
//!
//! The command line is here; everything else is in the library.

use std::ffi::OsString;
use std::io::{IsTerminal as _, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use turnout_samples::{DEMO, SampleArgs, SharedArgs};

/// Sample services for Turnout: a small shop, a to-do list, and an echo of every protobuf type.
#[derive(Debug, Parser)]
#[command(
    name = "samples",
    override_usage = "samples <SERVICE> [OPTIONS]\n       samples all [OPTIONS]\n       samples list"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Show the services and versions of the demo world.
    List,
    /// Run all of them in this process, each on a free port.
    All(SharedArgs),
    /// The name of a service and its options.
    #[command(external_subcommand)]
    One(Vec<OsString>),
}

/// Run one sample service.
#[derive(Debug, Parser)]
#[command(name = "samples")]
struct One {
    #[command(flatten)]
    sample: SampleArgs,
}

// One thread is enough for a sample, and twelve of them share a laptop with a gateway.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let log = tracing_subscriber::fmt().with_writer(std::io::stderr).with_target(false);
    if std::io::stderr().is_terminal() {
        log.init()
    } else {
        log.with_ansi(false).init()
    }
    let stop = CancellationToken::new();
    let done = match Cli::parse().command {
        Command::List => list(),
        Command::All(shared) => turnout_samples::run_all(shared, stop).await,
        Command::One(words) => {
            let program = OsString::from("samples");
            let one = One::parse_from(std::iter::once(program).chain(words));
            turnout_samples::run(one.sample, stop).await
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            tracing::error!("{why:#}");
            ExitCode::FAILURE
        }
    }
}

fn list() -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    for (service, version) in DEMO {
        writeln!(out, "{service:<10} {version}")?;
    }
    Ok(())
}
