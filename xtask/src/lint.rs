//! `cargo xtask lint`: all that is checked about the sources without running them.
//!
//! Format, lints, documentation, dependencies, and that the pure crates stay pure: `turnout-schema` and
//! `turnout-control` cannot reach a runtime, a socket, a clock or randomness because no dependency of
//! theirs can. The same steps as in CI, none that a developer cannot run.

use std::process::ExitCode;

use anyhow::{Context, Result, ensure};

use crate::steps::{self, Step};
use crate::workspace::Workspace;

/// The version CI installs; another one may know other licences and keys.
const DENY_INSTALL: &str = "cargo install cargo-deny --locked --version 0.20.2 --debug";

const PURE: [&str; 2] = ["turnout-schema", "turnout-control"];

/// Crates with a runtime, a socket, a clock, a file or randomness in them. A name also stands for its
/// family: `tokio` for `tokio-util`, `rand` for `rand_core`.
const IMPURE: [&str; 16] = [
    "tokio",
    "tonic",
    "hyper",
    "axum",
    "h2",
    "tower",
    "mio",
    "socket2",
    "rand",
    "getrandom",
    "fastrand",
    "rusqlite",
    "etcd-client",
    "tempfile",
    "chrono",
    "time",
];

/// Runs every check.
pub(crate) fn run() -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let mut doc = workspace.cargo(&["doc", "--workspace", "--no-deps"]);
    doc.env("RUSTDOCFLAGS", "-D warnings");
    steps::run(vec![
        Step::commands("format", vec![workspace.cargo(&["fmt", "--all", "--", "--check"])]),
        Step::commands(
            "clippy",
            vec![workspace.cargo(&[
                "clippy",
                "--workspace",
                "--all-targets",
                "--keep-going",
                "--",
                "-D",
                "warnings",
            ])],
        ),
        Step::commands("documentation", vec![doc]),
        Step::check("dependencies", {
            let workspace = workspace.clone();
            move || dependencies(&workspace)
        }),
        Step::check("purity", move || purity(&workspace)),
    ])
}

fn dependencies(workspace: &Workspace) -> Result<()> {
    let installed =
        workspace.cargo(&["deny", "--version"]).output().is_ok_and(|output| output.status.success());
    ensure!(installed, "cargo-deny is not installed: {DENY_INSTALL}");
    steps::call(workspace.cargo(&["deny", "check", "bans", "licenses", "sources"]))
}

fn purity(workspace: &Workspace) -> Result<()> {
    let mut findings = Vec::new();
    for package in PURE {
        let mut tree = workspace.cargo(&["tree", "-p", package, "-e", "normal", "--prefix", "none"]);
        let output = tree.output().with_context(|| format!("cargo tree of {package}"))?;
        ensure!(
            output.status.success(),
            "cargo tree of {package}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        let tree = String::from_utf8_lossy(&output.stdout);
        ensure!(tree.starts_with(package), "cargo tree of {package} answered something else: {tree}");
        findings
            .extend(impure(&tree).into_iter().map(|dependency| format!("{package} reaches {dependency}")));
    }
    ensure!(findings.is_empty(), "{}", findings.join("; "));
    Ok(())
}

/// The lines of a dependency listing that a pure crate may not have.
fn impure(tree: &str) -> Vec<&str> {
    let mut found: Vec<&str> = tree
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| IMPURE.iter().any(|family| belongs(name, family)))
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

fn belongs(name: &str, family: &str) -> bool {
    name.strip_prefix(family).is_some_and(|rest| rest.is_empty() || rest.starts_with(['-', '_']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ci_installs_the_version_that_the_hint_names() {
        let version = DENY_INSTALL.split(' ').skip_while(|word| *word != "--version").nth(1).unwrap();
        let script = include_str!("../../.ci/run");
        assert!(script.contains(&format!("\ndeny_version={version} ")), "{version}");
    }

    #[test]
    fn a_pure_tree_has_no_findings() {
        assert!(
            impure("turnout-schema v0.1.0 (/x)\nprost v0.14.4\nrandom-name v1.0.0\ntimely v1.0.0").is_empty()
        );
    }

    #[test]
    fn a_runtime_is_found_once_however_often_it_is_listed() {
        let tree = "turnout-control v0.1.0\ntokio v1.54.1\ntokio v1.54.1 (*)\nprost v0.14.4";
        assert_eq!(impure(tree), ["tokio"]);
    }

    #[test]
    fn a_name_stands_for_its_family() {
        assert_eq!(impure("rand_core v0.10.1\ntokio-util v0.7.20"), ["rand_core", "tokio-util"]);
    }
}
