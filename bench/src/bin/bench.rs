//! The driver's command line: `cargo xtask bench` ends here.
//!
//! Builds what it measures, measures it, prints the table on standard output and everything else on
//! standard error. Exit codes: 0 a clean run, 1 a contender that failed or answered wrongly, 2 usage.

use std::io::{Write, stderr, stdout};
use std::num::NonZeroU64;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use tokio::signal::unix::{SignalKind, signal};
use turnout_bench::contender::{CONTENDERS, Contender};
use turnout_bench::question::{Question, Values};
use turnout_bench::stand::build::build;
use turnout_bench::stand::cores::Cores;
use turnout_bench::stand::load::Pace;
use turnout_bench::stand::machine::Machine;
use turnout_bench::stand::measure::Settings;
use turnout_bench::stand::report::Report;
use turnout_bench::stand::run::{rows, run};

#[derive(Parser)]
#[command(
    name = "bench",
    bin_name = "cargo xtask bench",
    about = "Measures what a request costs, next to the same answer by hand"
)]
struct Options {
    /// How long each measurement lasts, after a warm-up of a third of it
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..))]
    seconds: u16,
    /// How often every contender gets its turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// How many connections the load keeps open
    #[arg(long, default_value_t = 50, value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
    /// Only these questions
    #[arg(long, value_delimiter = ',', value_name = "Q,..")]
    only: Vec<Question>,
    /// Only these contenders; without limit there are no ratios
    #[arg(long = "contender", value_delimiter = ',', value_name = "NAME,..", value_parser = contender_parser())]
    contenders: Vec<&'static Contender>,
    /// Where the values of a question stand
    #[arg(long, value_enum, default_value_t = Values::Fixed)]
    values: Values,
    /// What is added to one upstream call: q1 at 500 requests a second over 4 connections
    #[arg(long, conflicts_with_all = ["only", "connections", "open_rate"])]
    latency: bool,
    /// Send so many requests a second, answered or not, instead of a closed loop: for latency
    #[arg(long, value_name = "N")]
    open_rate: Option<NonZeroU64>,
    /// Write the report as JSON too
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

impl Options {
    /// With `--latency` spelled out: a rate at which every contender is idle most of the time.
    fn settled(self) -> Self {
        if !self.latency {
            return self;
        }
        Self { only: vec![Question::Q1], connections: 4, open_rate: NonZeroU64::new(500), ..self }
    }
}

/// Names from the table, so that help and errors list them.
fn contender_parser() -> impl TypedValueParser<Value = &'static Contender> {
    PossibleValuesParser::new(CONTENDERS.iter().map(|contender| contender.name)).map(|name| {
        CONTENDERS.iter().find(|contender| contender.name == name).expect("the parser knows no other names")
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse().settled();
    ensure!(!cfg!(debug_assertions), "figures of a debug build mean nothing: run `cargo xtask bench`");
    tokio::select! {
        code = bench(options) => code,
        // Processes that run are killed as their owners are dropped.
        stopped = stopped() => {
            stopped.context("waiting for a signal")?;
            bail!("stopped")
        }
    }
}

/// Returns on Ctrl-C and on SIGTERM.
async fn stopped() -> std::io::Result<()> {
    let mut terminated = signal(SignalKind::terminate())?;
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => interrupted,
        _ = terminated.recv() => Ok(()),
    }
}

async fn bench(options: Options) -> anyhow::Result<ExitCode> {
    let contenders = match options.contenders.as_slice() {
        [] => CONTENDERS.iter().collect(),
        chosen => chosen.to_vec(),
    };
    let questions = if options.only.is_empty() { Question::ALL.to_vec() } else { options.only.clone() };
    let mut rows = rows(&questions, &contenders);
    ensure!(!rows.is_empty(), "none of these contenders can answer any of these questions");
    build(&contenders).await?;

    let machine = Machine::look();
    let settings = settings(&options)?;
    settings.cores.settle().context("moving to a core")?;
    let rounds = usize::from(options.rounds);
    run(&settings, &mut rows, rounds, &mut stderr()).await;

    let report = Report::new(machine, &settings, rounds, rows);
    writeln!(stdout(), "{}", report.table())?;
    if let Some(file) = &options.json {
        save(&report, file)?;
    }
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn settings(options: &Options) -> anyhow::Result<Settings> {
    let own = std::env::current_exe().context("finding the built programs")?;
    let length = Duration::from_secs(options.seconds.into());
    Ok(Settings {
        length,
        warmup: length / 3,
        connections: options.connections.into(),
        pace: options.open_rate.map_or(Pace::Closed, Pace::Open),
        values: options.values,
        cores: Cores::find().context("finding the cores")?,
        programs: own.parent().context("the driver has no directory")?.to_owned(),
    })
}

fn save(report: &Report, file: &Path) -> anyhow::Result<()> {
    let text = serde_json::to_string_pretty(report)?;
    std::fs::write(file, text + "\n").with_context(|| format!("writing {}", file.display()))
}
