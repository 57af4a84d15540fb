//! How are a command's steps run and reported?
//!
//! Every step runs, whatever became of the one before, under a heading and with its time; the summary
//! at the end is the table a person reads first. Colour appears on a terminal only and never under
//! `NO_COLOR`. Steps share standard output with the programs they start: nothing is captured.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};

/// One thing to do, under its heading.
pub(crate) struct Step {
    pub(crate) title: String,
    pub(crate) work: Work,
}

pub(crate) enum Work {
    /// Programs, in order; the first that fails ends the step.
    Commands(Vec<Command>),
    /// A check made here; its error is the finding.
    Check(Box<dyn FnOnce() -> Result<()>>),
    /// Left out, and why.
    Skip(String),
}

impl Step {
    pub(crate) fn commands(title: impl Into<String>, commands: Vec<Command>) -> Step {
        Step { title: title.into(), work: Work::Commands(commands) }
    }

    pub(crate) fn check(title: impl Into<String>, check: impl FnOnce() -> Result<()> + 'static) -> Step {
        Step { title: title.into(), work: Work::Check(Box::new(check)) }
    }

    pub(crate) fn skip(title: impl Into<String>, why: impl Into<String>) -> Step {
        Step { title: title.into(), work: Work::Skip(why.into()) }
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

#[derive(Debug)]
struct Report {
    title: String,
    outcome: Outcome,
    took: Duration,
}

/// Runs all steps, prints the summary, and says with the exit code whether any failed.
pub(crate) fn run(steps: Vec<Step>) -> Result<ExitCode> {
    let colour = colour();
    let count = steps.len();
    let mut reports = Vec::with_capacity(count);
    for (index, step) in steps.into_iter().enumerate() {
        say(&format!("\n{}", bold(&format!("==> {}/{count} {}", index + 1, step.title), colour)))?;
        let report = perform(step)?;
        say(&format!("<== {}", line(&report)))?;
        reports.push(report);
    }
    say(&format!("\n{}", summary(&reports, colour)))?;
    Ok(exit_code(&reports))
}

/// A line on standard output, flushed before another program writes there.
pub(crate) fn say(text: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).context("standard output")
}

/// Runs one program to its end, showing how it is called. The error names how it ended.
pub(crate) fn call(mut command: Command) -> Result<()> {
    say(&format!("$ {}", spelled(&command)))?;
    // Nobody answers questions here, also not on a terminal: a prompt would stop CI for ever.
    let status = command.stdin(Stdio::null()).status().with_context(|| cannot_start(&command))?;
    ensure!(status.success(), "{}: {status}", program(&command));
    Ok(())
}

#[expect(
    clippy::disallowed_methods,
    reason = "a command line tool shows real time; nothing here is tested by it"
)]
fn perform(step: Step) -> Result<Report> {
    let began = std::time::Instant::now();
    let result = match step.work {
        Work::Commands(commands) => commands.into_iter().try_for_each(call),
        Work::Check(check) => check(),
        Work::Skip(why) => {
            return Ok(Report { title: step.title, outcome: Outcome::Skipped(why), took: Duration::ZERO });
        }
    };
    let outcome = match result {
        Ok(()) => Outcome::Passed,
        Err(error) => Outcome::Failed(format!("{error:#}")),
    };
    Ok(Report { title: step.title, outcome, took: began.elapsed() })
}

fn exit_code(reports: &[Report]) -> ExitCode {
    let failed = reports.iter().any(|report| matches!(report.outcome, Outcome::Failed(_)));
    if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// A command as it would be typed: enough to run it again by hand.
fn spelled(command: &Command) -> String {
    let arguments = command.get_args().map(|argument| argument.to_string_lossy());
    std::iter::once(program(command)).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// A missing folder to run in and a missing program are the same error of the system: name both.
fn cannot_start(command: &Command) -> String {
    let folder = command.get_current_dir().map(|folder| format!(" in {}", folder.display()));
    format!("cannot start {}{}", command.get_program().to_string_lossy(), folder.unwrap_or_default())
}

/// A program's name without its folder.
fn program(command: &Command) -> Cow<'_, str> {
    let path = Path::new(command.get_program());
    path.file_name().unwrap_or(command.get_program()).to_string_lossy()
}

fn line(report: &Report) -> String {
    match &report.outcome {
        Outcome::Passed => format!("passed in {}", seconds(report.took)),
        Outcome::Failed(why) => format!("FAILED in {}: {why}", seconds(report.took)),
        Outcome::Skipped(why) => format!("skipped: {why}"),
    }
}

/// The closing table. A reason of many lines shows its first; the whole stands under the step.
fn summary(reports: &[Report], colour: bool) -> String {
    let width = reports.iter().map(|report| report.title.chars().count()).max().unwrap_or(0);
    let mut table = bold("Summary", colour);
    for report in reports {
        let (word, paint, why) = match &report.outcome {
            Outcome::Passed => ("passed", "32", ""),
            Outcome::Failed(why) => ("FAILED", "31", why.lines().next().unwrap_or_default()),
            Outcome::Skipped(why) => ("skipped", "33", why.lines().next().unwrap_or_default()),
        };
        let word = painted(&format!("{word:7}"), paint, colour);
        let row = format!("  {:width$}  {word}  {:>8}  {why}", report.title, seconds(report.took));
        table.push('\n');
        table.push_str(row.trim_end());
    }
    table
}

fn seconds(took: Duration) -> String {
    format!("{:.1} s", took.as_secs_f64())
}

fn bold(text: &str, colour: bool) -> String {
    painted(text, "1", colour)
}

fn painted(text: &str, code: &str, colour: bool) -> String {
    if colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
}

fn colour() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(title: &str, outcome: Outcome, took_ms: u64) -> Report {
        Report { title: title.into(), outcome, took: Duration::from_millis(took_ms) }
    }

    #[test]
    fn the_summary_has_one_row_a_step_with_its_reason() {
        let reports = [
            report("build", Outcome::Passed, 12_340),
            report("rust tests", Outcome::Failed("cargo: exit status: 101\nmore".into()), 61_000),
            report("go", Outcome::Skipped("--without go".into()), 0),
        ];
        let expected = "\
Summary
  build       passed     12.3 s
  rust tests  FAILED     61.0 s  cargo: exit status: 101
  go          skipped     0.0 s  --without go";
        assert_eq!(summary(&reports, false), expected);
    }

    #[test]
    fn colour_changes_no_text() {
        let reports = [report("build", Outcome::Passed, 0)];
        let painted = summary(&reports, true);
        assert!(painted.contains('\u{1b}'));
        let codes = ["\u{1b}[1m", "\u{1b}[32m", "\u{1b}[0m"];
        let plain = codes.iter().fold(painted, |text, code| text.replace(code, ""));
        assert_eq!(plain, summary(&reports, false));
    }

    #[test]
    fn a_failed_check_fails_the_step_and_keeps_its_reason() {
        let step = Step::check("purity", || Err(anyhow::anyhow!("tokio").context("impure")));
        assert_eq!(perform(step).unwrap().outcome, Outcome::Failed("impure: tokio".into()));
    }

    #[test]
    fn the_first_command_that_fails_ends_its_step() {
        let directory = tempfile::tempdir().unwrap();
        let witness = directory.path().join("ran");
        let mut touch = Command::new("touch");
        touch.arg(&witness);
        let step = Step::commands("two", vec![Command::new("false"), touch]);
        assert!(matches!(perform(step).unwrap().outcome, Outcome::Failed(_)));
        assert!(!witness.exists());
    }

    #[test]
    fn a_program_that_does_not_start_is_named_with_its_folder() {
        let mut absent = Command::new("no-such-program-anywhere");
        absent.current_dir("/");
        let Outcome::Failed(why) = perform(Step::commands("none", vec![absent])).unwrap().outcome else {
            panic!("it must fail")
        };
        assert!(why.starts_with("cannot start no-such-program-anywhere in /: "), "{why}");
    }

    #[test]
    fn one_failed_step_fails_the_run_and_a_step_left_out_does_not() {
        let passed = || report("build", Outcome::Passed, 0);
        let skipped = report("go", Outcome::Skipped("--without go".into()), 0);
        assert_eq!(exit_code(&[passed(), skipped]), ExitCode::SUCCESS);
        let failed = report("rust tests", Outcome::Failed("exit status: 101".into()), 0);
        assert_eq!(exit_code(&[failed, passed()]), ExitCode::FAILURE);
    }
}
