//! Builds what will be measured, so that no figure is ever taken from yesterday's binary.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::process::ExitStatus;

use tokio::process::Command;

use crate::contender::Contender;

/// Why there is nothing to measure.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Cargo could not be run.
    #[error("running cargo")]
    Cargo(#[source] io::Error),
    /// Cargo said no; its own messages are above.
    #[error("cargo could not build the contenders ({0})")]
    Failed(ExitStatus),
}

/// Builds the upstream and these contenders, optimised, with cargo's progress on standard error.
pub async fn build(contenders: &[&Contender]) -> Result<(), Error> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo"));
    let mut command = Command::new(cargo);
    command.args(arguments(contenders)).kill_on_drop(true);
    // `cargo run` told this program about its own package. Build scripts that watch these variables
    // (ring's does) would run again, and all that depends on them.
    for (name, _) in std::env::vars_os().filter(|(name, _)| describes_a_package(name)) {
        command.env_remove(name);
    }
    let status = command.status().await.map_err(Error::Cargo)?;
    if status.success() { Ok(()) } else { Err(Error::Failed(status)) }
}

fn describes_a_package(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name == "OUT_DIR" || name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

fn arguments(contenders: &[&Contender]) -> Vec<&'static str> {
    let mut packages = BTreeSet::from(["turnout-bench"]);
    let mut programs = BTreeSet::from(["bench-upstream"]);
    for contender in contenders {
        packages.insert(contender.package);
        programs.insert(contender.program);
    }
    let workspace = concat!(env!("CARGO_MANIFEST_DIR"), "/../Cargo.toml");
    let mut arguments = vec!["build", "--release", "--manifest-path", workspace];
    arguments.extend(packages.into_iter().flat_map(|package| ["--package", package]));
    arguments.extend(programs.into_iter().flat_map(|program| ["--bin", program]));
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contender::CONTENDERS;

    #[test]
    fn every_program_is_named_once_and_the_upstream_always() {
        let all: Vec<&Contender> = CONTENDERS.iter().collect();
        let both = arguments(&all).join(" ");
        assert_eq!(both.matches("--package turnout-bench").count(), 1, "{both}");
        assert!(CONTENDERS.iter().all(|contender| both.contains(contender.program)), "{both}");
        assert!(arguments(&[]).join(" ").ends_with("--bin bench-upstream"));
    }
}
