//! `turnout policy`: which versions of services callers get, and changing that.
//!
//! Every command asks the operators' API and shows the answer; nothing is known or decided here.

mod get;
mod set;

use clap::Subcommand;

use super::Failure;

#[derive(Debug, Subcommand)]
pub(crate) enum PolicyCommand {
    /// Show which versions callers get: what was decided for everyone, and what each frontend gets by it.
    Get(get::GetArgs),
    /// Decide which versions callers get, for everyone or for one frontend.
    Set(Box<set::SetArgs>),
}

/// Runs one.
pub(crate) async fn run(command: PolicyCommand) -> Result<(), Failure> {
    match command {
        PolicyCommand::Get(args) => get::run(args).await,
        PolicyCommand::Set(args) => set::run(*args).await,
    }
}
