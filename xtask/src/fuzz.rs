//! `cargo xtask fuzz`: feeds broken and hostile inputs to the code that reads them first, for some seconds.
//!
//! The programs are those of `fuzz/`, and what they say of an input is theirs. libFuzzer needs the nightly
//! compiler and cargo-fuzz; where one is missing, the error names the commands that install both.

use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;

use crate::steps::{self, Step};
use crate::workspace::Workspace;

const INSTALL: &str =
    "rustup toolchain install nightly && cargo install cargo-fuzz --version 0.13.2 --locked";

/// A program of `fuzz/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// Texts of documents
    Guard,
    /// Descriptor sets
    Descriptors,
    /// Texts of variables
    Variables,
    /// Operations on graphs
    Plan,
    /// Bytes of responses
    Answer,
    /// Entries that others write to etcd
    Layout,
}

impl Target {
    fn name(self) -> &'static str {
        match self {
            Target::Guard => "guard",
            Target::Descriptors => "descriptors",
            Target::Variables => "variables",
            Target::Plan => "plan",
            Target::Answer => "answer",
            Target::Layout => "layout",
        }
    }

    /// How libFuzzer is to go about it.
    fn flags(self) -> &'static [&'static str] {
        match self {
            Target::Guard => &["-dict=graphql.dict", "-max_len=4096"],
            Target::Descriptors => &["-rss_limit_mb=1024", "-timeout=5"],
            Target::Variables => &["-max_len=4096"],
            Target::Plan => &["-dict=graphql.dict", "-max_len=4096", "-timeout=5"],
            Target::Answer | Target::Layout => &["-max_len=4096", "-timeout=5"],
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What to feed; all of them, one after the other, when none is named
    target: Option<Target>,
    /// How long each runs
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
}

/// Runs one program, or all.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let is_there = |command: &mut Command| command.output().is_ok_and(|output| output.status.success());
    let ready = is_there(&mut nightly(&workspace, &["fuzz", "--version"]));
    ensure!(ready, "cargo-fuzz or the nightly compiler is not installed: {INSTALL}");
    let targets = args.target.map_or_else(|| Target::value_variants().to_vec(), |target| vec![target]);
    let step = |target: Target| {
        let corpus = workspace.path("fuzz/corpus").join(target.name());
        std::fs::create_dir_all(&corpus).with_context(|| format!("{} cannot be made", corpus.display()))?;
        Ok(Step::commands(target.name(), vec![command(&workspace, target, args.seconds)]))
    };
    steps::run(targets.into_iter().map(step).collect::<Result<_>>()?)
}

fn command(workspace: &Workspace, target: Target, seconds: u32) -> Command {
    let name = target.name();
    let mut fuzz = nightly(workspace, &["fuzz", "run", name]);
    fuzz.args([format!("corpus/{name}"), format!("seeds/{name}"), "--".to_owned()]);
    fuzz.args(target.flags()).arg(format!("-max_total_time={seconds}"));
    fuzz
}

/// cargo of the nightly compiler, in the folder of the programs. The cargo that runs this one is no proxy of
/// rustup's and does not know `+nightly`.
fn nightly(workspace: &Workspace, args: &[&str]) -> Command {
    let mut rustup = Command::new("rustup");
    rustup.current_dir(workspace.path("fuzz")).args(["run", "nightly", "cargo"]).args(args);
    // The compiler that this program was built with is not the one to use.
    rustup.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO").env_remove("RUSTC");
    rustup
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_of_the_folder_can_be_run() {
        let manifest = std::fs::read_to_string(Workspace::find().unwrap().path("fuzz/Cargo.toml")).unwrap();
        let bins = manifest.split("[[bin]]\n").skip(1);
        let mut listed: Vec<&str> = bins.filter_map(|bin| bin.split('"').nth(1)).collect();
        let mut known: Vec<&str> = Target::value_variants().iter().map(|target| target.name()).collect();
        listed.sort_unstable();
        known.sort_unstable();
        assert_eq!(listed, known);
    }

    #[test]
    fn the_error_installs_what_the_readme_installs() {
        let readme = std::fs::read_to_string(Workspace::find().unwrap().path("fuzz/README.md")).unwrap();
        assert!(INSTALL.split(" && ").all(|command| readme.contains(command)));
    }

    #[test]
    fn a_program_runs_as_long_as_it_is_told() {
        let command = command(&Workspace::find().unwrap(), Target::Guard, 7);
        let args: Vec<&str> = command.get_args().filter_map(|arg| arg.to_str()).collect();
        assert!(args.ends_with(&["-max_total_time=7"]) && args.contains(&"seeds/guard"), "{args:?}");
    }
}
