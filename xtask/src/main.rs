//! `cargo xtask`: the project's own commands, so that a developer and CI run the same thing.
//!
//! Each command is a list of steps. All of them run even when one fails, a table at the end says how
//! each went, and the exit code is 0 only when none failed: 1 is a finding, 2 a wrong command line.
//! Not here: rules about the sources. They are ordinary tests in `tests/`, so that `cargo test` alone
//! finds a violation.

mod bench;
mod frontends;
mod fuzz;
mod lint;
mod needs;
mod steps;
mod test;
mod workspace;

use std::io::Write;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "xtask", bin_name = "cargo xtask", about = "Turnout's own commands")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run every test; find or install what the tests need
    Test(test::Args),
    /// Check format, lints, documentation, dependencies and purity
    Lint,
    /// Measure the gateway and what it is compared with
    Bench {
        /// Passed on to the driver; `cargo xtask bench -- --help` lists them
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Build the pages of the sample frontends anew
    Frontends,
    /// Feed broken and hostile inputs to the code that reads them first
    Fuzz(fuzz::Args),
}

fn main() -> ExitCode {
    match run(&Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            // Nobody is left to tell when standard error is gone; the exit code still says it.
            _ = writeln!(std::io::stderr().lock(), "error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<ExitCode> {
    match &cli.command {
        Command::Test(args) => test::run(args),
        Command::Lint => lint::run(),
        Command::Bench { args } => bench::run(args).map(|()| ExitCode::SUCCESS),
        Command::Frontends => frontends::run(),
        Command::Fuzz(args) => fuzz::run(args),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::needs::Name;

    fn test_args(line: &[&str]) -> Result<test::Args, clap::Error> {
        let words = ["cargo xtask", "test"].iter().chain(line);
        match Cli::try_parse_from(words)?.command {
            Command::Test(args) => Ok(args),
            other => panic!("not the test command: {other:?}"),
        }
    }

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn without_takes_names_with_commas_and_may_be_repeated() {
        let args = test_args(&["--without", "etcd,browser", "--without", "java"]).unwrap();
        assert_eq!(args.without, [Name::Etcd, Name::Browser, Name::Java]);
        assert!(args.filter.is_empty());
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let refusal = test_args(&["--without", "etcd,chrome"]).unwrap_err().to_string();
        assert!(refusal.contains("chrome"), "{refusal}");
        assert!(refusal.contains("etcd, postgres, browser, node, go, java"), "{refusal}");
    }

    #[test]
    fn a_mistyped_flag_is_not_taken_for_a_filter() {
        assert!(test_args(&["--wihtout", "etcd"]).is_err());
    }

    #[test]
    fn a_filter_keeps_what_stands_behind_it() {
        let args = test_args(&["--without", "etcd", "leases", "--", "--nocapture"]).unwrap();
        assert_eq!(args.filter, ["leases", "--", "--nocapture"]);
    }

    #[test]
    fn bench_passes_its_flags_on() {
        let cli = Cli::try_parse_from(["cargo xtask", "bench", "--seconds", "3"]).unwrap();
        assert!(matches!(cli.command, Command::Bench { args } if args == ["--seconds", "3"]));
    }
}
