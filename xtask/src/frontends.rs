//! `cargo xtask frontends`: builds the pages of the sample frontends anew, into `frontend-versions/`.
//!
//! The pages are committed, so that neither cargo nor a user needs Node. `cargo xtask test` asks here how
//! to prove that they are what the sources give. What a build does is written in the sources'
//! `package.json`; this only calls npm.

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Result, bail};

use crate::needs::{self, Machine, NEEDS, Name, Need};
use crate::steps::{self, Step};
use crate::workspace::Workspace;

/// Where the sources of all pages are, with their `package-lock.json`.
pub(crate) const SOURCES: &str = "frontend-versions/sources";

/// Builds the pages of all sample frontends.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let wanted: Vec<&Need> = NEEDS.iter().filter(|need| need.name == Name::Node).collect();
    let (found, missing) = Machine::here().survey(&wanted);
    let Some(node) = found.first() else { bail!("{}", needs::complaint(&missing)) };
    let commands = [INSTALL, &["run", "build"]];
    let commands = commands.map(|words| npm(&workspace, &node.tools[1], SOURCES, words));
    steps::run(vec![Step::commands("pages of the sample frontends", commands.into())])
}

/// What installs exactly the packages that the lock file names.
pub(crate) const INSTALL: &[&str] = &["ci", "--no-audit", "--no-fund"];

/// What proves the sources and the pages: lints, types, a build that differs in no byte, unit tests.
pub(crate) const PROOFS: [&[&str]; 2] = [&["run", "check"], &["test"]];

/// npm with these words, in a folder of the checkout.
pub(crate) fn npm(workspace: &Workspace, npm: &Path, folder: &str, words: &[&str]) -> Command {
    let mut command = Command::new(npm);
    command.current_dir(workspace.path(folder)).args(words);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sources_lie_where_their_packages_are_locked() {
        let locks = Workspace::find().unwrap().committed("package-lock.json").unwrap();
        assert!(locks.contains(&Path::new(SOURCES).join("package-lock.json")), "{locks:?}");
    }
}
