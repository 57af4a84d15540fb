//! A traffic generator: plays the operations of several frontends against a gateway.
//!
//! The loop is open: calls start at the given rate whether or not earlier ones have come back, as
//! real users do. What would exceed the bound in flight is not sent, and counted as skipped, so a slow
//! gateway cannot make the figures look better.

mod call;
mod operations;
mod report;

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;
use http::Uri;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until};
use tokio_util::sync::CancellationToken;

use crate::duration;
use crate::random::Dice;
use call::{Caller, Outcome};
use operations::Player;
use report::Tally;

/// What the traffic generator is told.
#[derive(Debug, Clone, Args)]
pub struct LoadArgs {
    /// The gateway's GraphQL endpoint.
    #[arg(long, default_value = "http://127.0.0.1:4000/graphql")]
    pub url: Uri,
    /// Operations a second.
    #[arg(long, default_value_t = 20.0, value_parser = rate)]
    pub rate: f64,
    /// How long to play, such as 30s; until stopped when left out.
    #[arg(long, value_parser = duration::parse)]
    pub duration: Option<Duration>,
    /// How many operations may be under way at once; more are skipped.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub in_flight: u32,
    /// How many users there are.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..=5_000))]
    pub users: u32,
    /// Play only this frontend, such as web@2.4.1; repeatable; all when left out.
    #[arg(long, value_name = "APP@VERSION")]
    pub frontend: Vec<String>,
    /// What users and their choices are made from.
    #[arg(long, default_value_t = 42)]
    pub seed: u64,
    /// Wait until the gateway answers before the first operation.
    #[arg(long)]
    pub wait: bool,
    /// Print nothing.
    #[arg(long, short)]
    pub quiet: bool,
    /// Exit with 1 when an operation failed.
    #[arg(long)]
    pub fail_on_errors: bool,
}

/// How it went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Operations that came back.
    pub finished: u64,
    /// Those of them that failed.
    pub errors: u64,
    /// Operations that were not sent because too many were under way.
    pub skipped: u64,
}

/// How long an operation may take before it counts as failed.
const CALL_MAX: Duration = Duration::from_secs(15);
/// How often the report is renewed on a terminal, and elsewhere.
const LIVE_EVERY: Duration = Duration::from_secs(1);
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Plays until the time is up or the token is cancelled, and tells how it went on standard output.
pub async fn run(args: LoadArgs, stop: CancellationToken) -> anyhow::Result<Summary> {
    let player = Player::new(&args.frontend, args.users, args.seed)?;
    let caller = Caller::new(args.url.clone())?;
    if args.wait && !answered(&caller, &stop).await {
        return Ok(Tally::default().summary());
    }
    let show = match (args.quiet, std::io::stdout().is_terminal()) {
        (true, _) => Show::Nothing,
        (false, true) => Show::Live,
        (false, false) => Show::Lines,
    };
    let tally = play(&args, &player, &caller, show, &stop).await?;
    if show != Show::Nothing {
        print(&tally.last_words()).context("cannot print the summary")?;
    }
    let summary = tally.summary();
    if args.fail_on_errors && summary.errors > 0 {
        bail!("{} of {} operations failed", summary.errors, summary.finished);
    }
    Ok(summary)
}

/// How the report is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Show {
    Nothing,
    /// One line that is written over.
    Live,
    Lines,
}

async fn play(
    args: &LoadArgs,
    player: &Player,
    caller: &Caller,
    show: Show,
    stop: &CancellationToken,
) -> anyhow::Result<Tally> {
    let mut tally = Tally::default();
    let mut calls = JoinSet::new();
    let mut dice = Dice::new(args.seed, "load", 0);
    let mut starts = interval(Duration::from_secs_f64(1.0 / args.rate));
    // After a pause go on at the same rate: catching up would be a burst that no user makes.
    starts.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut shows = interval(if show == Show::Live { LIVE_EVERY } else { LINE_EVERY });
    shows.tick().await;
    let end = Instant::now() + args.duration.unwrap_or(Duration::from_secs(365 * 86_400));
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = sleep_until(end) => break,
            Some(done) = calls.join_next() => tally.add(&done.context("a call ended in a panic")?),
            _ = shows.tick() => write_line(&mut tally, show)?,
            _ = starts.tick() => {
                if calls.len() < args.in_flight as usize {
                    let (caller, play) = (caller.clone(), player.next(&mut dice));
                    calls.spawn(async move { caller.call(&play).await });
                } else {
                    tally.skip();
                }
            }
        }
    }
    // Each call has its own deadline, so this ends.
    while let Some(done) = calls.join_next().await {
        tally.add(&done.context("a call ended in a panic")?);
    }
    if show == Show::Live {
        print("\n")?;
    }
    Ok(tally)
}

/// Asks once a second until the gateway answers; false when told to stop before.
async fn answered(caller: &Caller, stop: &CancellationToken) -> bool {
    let mut tries = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            () = stop.cancelled() => return false,
            _ = tries.tick() => {}
        }
        if matches!(caller.call(&operations::probe()).await.outcome, Outcome::Answered) {
            return true;
        }
    }
}

fn write_line(tally: &mut Tally, show: Show) -> anyhow::Result<()> {
    let line = tally.line();
    match show {
        Show::Nothing => Ok(()),
        // Back to the first column, clear what the line before left, and cut instead of wrapping: a
        // wrapped line could not be written over.
        Show::Live => print(&format!("\r\x1b[2K\x1b[?7l{line}\x1b[?7h")),
        Show::Lines => print(&format!("{line}\n")),
    }
    .context("cannot print the report")
}

fn print(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(rate) if (0.01..=100_000.0).contains(&rate) => Ok(rate),
        _ => Err("expected a number from 0.01 to 100000".to_owned()),
    }
}
