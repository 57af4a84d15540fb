//! `load`: plays the operations of several frontends against a gateway, and tells how it goes.
//!
//! The command line and the signal are here; everything else is in the library.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser;
use tokio_util::sync::CancellationToken;
use turnout_samples::load::{self, LoadArgs};

/// Plays real GraphQL operations of several frontends and many users at a given rate.
#[derive(Debug, Parser)]
#[command(name = "load")]
struct Cli {
    #[command(flatten)]
    args: LoadArgs,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match play(Cli::parse().args).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            // When even this cannot be said, the exit code still says it.
            let _unheard = writeln!(std::io::stderr(), "error: {why:#}");
            ExitCode::FAILURE
        }
    }
}

async fn play(args: LoadArgs) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let work = load::run(args, stop.clone());
    tokio::pin!(work);
    tokio::select! {
        done = &mut work => done?,
        pressed = tokio::signal::ctrl_c() => {
            pressed?;
            // Calls under way still come back, and the summary is printed.
            stop.cancel();
            work.await?
        }
    };
    Ok(())
}
