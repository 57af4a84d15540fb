//! `cargo xtask test`: every test there is, of every language, with what it needs.
//!
//! What is found is handed to the tests by name (`TURNOUT_TEST_ETCD`, `TURNOUT_TEST_POSTGRES`,
//! `TURNOUT_TEST_CHROMIUM`, `TURNOUT_TEST_NODE`, `TURNOUT_BIN`): a test that needs one runs when its variable
//! is set, and says that it is skipped when not. What is missing fails the whole run before anything is
//! built; only `--without` leaves it out. A filter picks Rust tests, so the other languages stay out of such
//! a run.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, bail};

use crate::frontends;
use crate::needs::{self, Found, Machine, NEEDS, Name, Need};
use crate::steps::{self, Step};
use crate::workspace::Workspace;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Leave out the tests that need these
    #[arg(long, value_enum, value_delimiter = ',', value_name = "NAMES")]
    pub(crate) without: Vec<Name>,
    /// Never call the package manager: fail on what is missing
    #[arg(long)]
    pub(crate) no_install: bool,
    /// Only these Rust tests, as `cargo test` takes them: NAME [-- --nocapture]
    #[arg(trailing_var_arg = true)]
    pub(crate) filter: Vec<String>,
}

/// Finds or installs what is needed, then runs all tests.
pub(crate) fn run(args: &Args) -> Result<ExitCode> {
    let workspace = Workspace::find()?;
    let lock_files = workspace.committed("package-lock.json")?;
    let wanted: Vec<&Need> =
        NEEDS.iter().filter(|need| absent(args, &lock_files, need.name).is_none()).collect();
    let found = provide(&Machine::here(), &wanted, args)?;
    for met in &found {
        let tools: Vec<_> = met.tools.iter().map(|tool| tool.display().to_string()).collect();
        steps::say(&format!("{:9} {}", met.name.to_string(), tools.join(", ")))?;
    }

    let mut steps = node_packages(&workspace, args, &lock_files, &found)?;
    // With the tests' features at once: building the binaries alone first would compile what the
    // features of development dependencies touch a second time.
    steps.push(Step::commands(
        "build",
        vec![workspace.cargo(&["build", "--workspace", "--bins", "--tests", "--examples", "--keep-going"])],
    ));
    steps.push(Step::commands("rust tests", vec![rust_tests(&workspace, args, &found)?]));
    steps.push(other(args, &lock_files, Name::Go, &found, |go| {
        let [vet, test] = [["vet", "./..."].as_slice(), &["test", "-count=1", "./..."]].map(|words| {
            let mut command = Command::new(&go.tools[0]);
            command.current_dir(workspace.path("services/go")).args(words);
            command
        });
        Ok(vec![vet, with_gateway(&workspace, test)?])
    })?);
    steps.push(other(args, &lock_files, Name::Java, &found, |java| {
        let mut maven = Command::new(&java.tools[1]);
        maven.current_dir(workspace.path("services/java"));
        // Not `--quiet`: it swallows the number of tests that ran.
        maven.args(["--batch-mode", "--no-transfer-progress", "-Dstyle.color=never", "test"]);
        Ok(vec![with_gateway(&workspace, maven)?])
    })?);
    steps::run(steps)
}

/// Why this run has no use for a need; none when it has.
fn absent(args: &Args, lock_files: &[PathBuf], name: Name) -> Option<String> {
    if args.without.contains(&name) {
        return Some(format!("--without {name}"));
    }
    match name {
        // Whoever has no browser has no use for what is built for one.
        Name::Node if args.without.contains(&Name::Browser) => Some("--without browser".to_owned()),
        Name::Etcd | Name::Postgres | Name::Browser => None,
        Name::Go | Name::Java if !args.filter.is_empty() => Some("the filter names Rust tests".to_owned()),
        Name::Go | Name::Java => None,
        Name::Node => lock_files.is_empty().then(|| "no package-lock.json is committed".to_owned()),
    }
}

fn provide(machine: &Machine, wanted: &[&Need], args: &Args) -> Result<Vec<Found>> {
    let (found, missing) = machine.survey(wanted);
    if missing.is_empty() {
        return Ok(found);
    }
    let installer = if args.no_install { None } else { machine.installer() };
    let Some(installer) = installer else { bail!("{}", needs::complaint(&missing)) };
    for command in installer.commands(&missing) {
        steps::call(command).with_context(|| needs::complaint(&missing))?;
    }
    match machine.survey(wanted) {
        (found, missing) if missing.is_empty() => Ok(found),
        (_, missing) => bail!("installed, and still {}", needs::complaint(&missing)),
    }
}

fn node_packages(
    workspace: &Workspace,
    args: &Args,
    locks: &[PathBuf],
    found: &[Found],
) -> Result<Vec<Step>> {
    let steps = locks.iter().map(|lock| {
        let folder = lock.parent().unwrap_or(Path::new("")).to_string_lossy().into_owned();
        let step = other(args, locks, Name::Node, found, |node| {
            let mut words = vec![frontends::INSTALL];
            // A filter names Rust tests: some of them need the packages, and none the proofs.
            if folder == frontends::SOURCES && args.filter.is_empty() {
                words.extend(frontends::PROOFS);
            }
            let npm = |words| frontends::npm(workspace, &node.tools[1], &folder, words);
            Ok(words.into_iter().map(npm).collect())
        })?;
        Ok(Step { title: format!("node packages of {folder}"), ..step })
    });
    steps.collect()
}

fn rust_tests(workspace: &Workspace, args: &Args, found: &[Found]) -> Result<Command> {
    let mut cargo = workspace.cargo(&["test", "--workspace", "--no-fail-fast"]);
    cargo.args(&args.filter);
    for (name, variable) in [
        (Name::Etcd, "TURNOUT_TEST_ETCD"),
        (Name::Postgres, "TURNOUT_TEST_POSTGRES"),
        (Name::Browser, "TURNOUT_TEST_CHROMIUM"),
        (Name::Node, "TURNOUT_TEST_NODE"),
    ] {
        match found.iter().find(|met| met.name == name) {
            Some(met) => cargo.env(variable, handed_over(met)?),
            None => cargo.env_remove(variable),
        };
    }
    Ok(cargo)
}

/// What a test is told: the program, or for PostgreSQL the folder of its programs.
fn handed_over(met: &Found) -> Result<PathBuf> {
    let tool = &met.tools[0];
    if met.name != Name::Postgres {
        return Ok(tool.clone());
    }
    // PATH may hold links to some of the programs only; their real folder holds all.
    let real = tool.canonicalize().with_context(|| format!("resolve {}", tool.display()))?;
    Ok(real.parent().context("a program lies in a folder")?.to_owned())
}

/// The step of another language: its commands, or the reason why it is left out.
fn other(
    args: &Args,
    lock_files: &[PathBuf],
    name: Name,
    found: &[Found],
    commands: impl FnOnce(&Found) -> Result<Vec<Command>>,
) -> Result<Step> {
    let title = format!("{name} tests");
    match found.iter().find(|met| met.name == name) {
        Some(met) => Ok(Step::commands(title, commands(met)?)),
        None => {
            Ok(Step::skip(title, absent(args, lock_files, name).unwrap_or_else(|| "not found".to_owned())))
        }
    }
}

fn with_gateway(workspace: &Workspace, mut command: Command) -> Result<Command> {
    command.env("TURNOUT_BIN", workspace.gateway()?);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(without: &[Name], filter: &[&str]) -> Args {
        let filter = filter.iter().map(|word| (*word).to_owned()).collect();
        Args { without: without.to_vec(), no_install: true, filter }
    }

    fn left_out(args: &Args, locks: &[PathBuf]) -> Vec<(Name, String)> {
        NEEDS.iter().filter_map(|need| Some((need.name, absent(args, locks, need.name)?))).collect()
    }

    #[test]
    fn everything_is_tested_unless_asked_otherwise() {
        assert_eq!(left_out(&args(&[], &[]), &["ui/package-lock.json".into()]), []);
    }

    #[test]
    fn node_is_of_no_use_without_a_committed_lock_file() {
        let expected = [(Name::Node, "no package-lock.json is committed".to_owned())];
        assert_eq!(left_out(&args(&[], &[]), &[]), expected);
    }

    #[test]
    fn without_a_browser_node_is_left_out_too() {
        let locks = ["ui/package-lock.json".into()];
        let names: Vec<Name> =
            left_out(&args(&[Name::Browser], &[]), &locks).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [Name::Browser, Name::Node]);
    }

    #[test]
    fn a_filter_leaves_the_other_languages_out_but_not_what_rust_tests_need() {
        let locks = ["ui/package-lock.json".into()];
        let names: Vec<Name> =
            left_out(&args(&[], &["leases"]), &locks).into_iter().map(|(name, _)| name).collect();
        assert_eq!(names, [Name::Go, Name::Java]);
    }

    #[test]
    fn a_step_left_out_says_by_what() {
        let step =
            other(&args(&[Name::Java], &[]), &[], Name::Java, &[], |_| panic!("java was left out")).unwrap();
        assert_eq!(step.title, "java tests");
        assert!(matches!(step.work, steps::Work::Skip(why) if why == "--without java"));
    }

    #[test]
    fn rust_tests_are_told_what_was_found_and_nothing_stale() {
        let workspace = Workspace::find().unwrap();
        let found = [Found { name: Name::Etcd, tools: vec!["/usr/bin/etcd".into()] }];
        let cargo = rust_tests(&workspace, &args(&[Name::Postgres], &["leases"]), &found).unwrap();
        let told =
            |variable: &str| cargo.get_envs().find(|(name, _)| *name == variable).map(|(_, value)| value);
        assert_eq!(told("TURNOUT_TEST_ETCD"), Some(Some("/usr/bin/etcd".as_ref())));
        assert_eq!(
            told("TURNOUT_TEST_POSTGRES"),
            Some(None),
            "a variable from outside must not survive --without"
        );
        assert_eq!(cargo.get_args().last(), Some("leases".as_ref()));
    }

    #[test]
    fn postgres_is_handed_over_as_the_folder_its_links_lead_to() {
        let root = tempfile::tempdir().unwrap();
        let real = root.path().join("15");
        std::fs::create_dir(&real).unwrap();
        std::fs::write(real.join("postgres"), "").unwrap();
        let link = root.path().join("postgres");
        std::os::unix::fs::symlink(real.join("postgres"), &link).unwrap();
        let met = Found { name: Name::Postgres, tools: vec![link] };
        assert_eq!(handed_over(&met).unwrap(), real.canonicalize().unwrap());
    }
}
