//! `load`: plays the operations of several frontends against a gateway, and tells how it goes.
//!
//! The command line and the signal are here; everything else is in the library.

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
async fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let stop = CancellationToken::new();
    let work = load::run(cli.args, stop.clone());
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
