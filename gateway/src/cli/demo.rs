//! `turnout demo`: the whole product on one machine.
//!
//! The gateway runs in this process. Sample services and the traffic are processes of their own, as they
//! would be anywhere: they join through the public registration API and can be stopped one by one. When
//! the demo stops they say goodbye first. When it dies they die with it, because the pipe to their
//! standard input closes.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesUnordered;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;
use turnout_control::id::LeaseId;
use turnout_control::registry::Snapshot;
use turnout_samples::load::LoadArgs;
use turnout_samples::{DEMO, SampleArgs};

use super::serve::{self, Places};
use super::{Failure, output};
use crate::app::{App, Signals};
use crate::launch::{FileChoice, Launch};
use crate::registry::Registry;

/// How long sample services may take to drain before the gateway stops without them.
const FAREWELL: Duration = Duration::from_secs(8);
/// Requests a second: visible in every chart, and no burden to a laptop.
const RATE: &str = "20";

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    places: Places,
    /// Leave out the traffic of the sample frontends, which begins when the graph answers.
    #[arg(long)]
    no_traffic: bool,
}

/// What the demo sets and `serve` does not.
const SETTINGS: [(&str, &str); 3] =
    [("identity.trust_unit_header", "true"), ("expose_lineup", "true"), ("http.playground", "true")];

/// Runs until it is told to stop.
pub(crate) async fn run(args: DemoArgs, env: Vec<(String, String)>) -> Result<(), Failure> {
    let by_cargo = env.iter().any(|(name, _)| name == "CARGO");
    let mut flags = args.places.flags();
    flags.extend(SETTINGS.map(|(path, value)| (path, value.to_owned())));
    let launch = Launch { file: FileChoice::None, env, flags };
    let read = launch.read().map_err(|error| Failure::Finding(error.to_string()))?;
    let data = read.loaded.config.data.clone();
    let mut signals = Signals::listen().map_err(|error| Failure::Usage(error.to_string()))?;
    let app = serve::start(launch).await?;
    output::print(&serve::ready(app.public(), app.admin()));

    let logs = data.join("logs");
    let mut crew = Crew::default();
    let before: Vec<LeaseId> =
        app.registry().snapshot().instances().filter_map(|found| found.lease).collect();
    let started = start(&mut crew, &app, &logs, !args.no_traffic);
    output::print(&greeting(&app, &data, started.is_ok() && !args.no_traffic, by_cargo));
    if let Err(failure) = started {
        crew.dismiss().await;
        app.stop(signals.next()).await;
        return Err(failure);
    }
    let mut all_here = std::pin::pin!(all_registered(app.registry().clone(), before));
    let mut waiting = true;
    loop {
        tokio::select! {
            () = signals.next() => break,
            () = &mut all_here, if waiting => {
                waiting = false;
                output::print("All sample services are registered.\n");
            }
            Some((name, status)) = crew.ended.next() => {
                crew.running.retain(|(running, _)| *running != name);
                output::print(&format!("{name} ended ({status}); its log is {}\n", log(&logs, &name).display()));
            }
        }
    }
    output::print("stopping; press Ctrl-C again to end at once\n");
    tokio::select! {
        () = crew.dismiss() => {}
        () = signals.next() => {}
    }
    app.stop(signals.next()).await;
    Ok(())
}

/// Waits until as many instances came as the demo starts, those of an earlier run not counted.
async fn all_registered(registry: Registry, before: Vec<LeaseId>) {
    let fresh = |snapshot: &Arc<Snapshot>| {
        snapshot.instances().filter(|found| found.lease.is_none_or(|lease| !before.contains(&lease))).count()
            >= DEMO.len()
    };
    // It only fails when the registry is gone, and then so is the demo.
    let _ = registry.changes().wait_for(fresh).await;
}

/// The processes that the demo started.
#[derive(Default)]
struct Crew {
    /// Closing these ends them at once.
    inputs: Vec<ChildStdin>,
    /// Of those that were started; a signal to one that has ended goes nowhere, because it is reaped
    /// only when its end was seen.
    running: Vec<(String, Pid)>,
    ended: FuturesUnordered<BoxFuture<'static, (String, String)>>,
}

impl Crew {
    fn start(&mut self, name: &str, arguments: &[&str], logs: &Path) -> Result<(), Failure> {
        let failed = |error: std::io::Error| Failure::Usage(format!("cannot start {name}: {error}"));
        let log = File::create(log(logs, name)).map_err(failed)?;
        let mut child = Command::new(std::env::current_exe().map_err(failed)?)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(log.try_clone().map_err(failed)?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        self.inputs.extend(child.stdin.take());
        let pid = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        self.running.extend(pid.map(|pid| (name.to_owned(), pid)));
        let name = name.to_owned();
        self.ended.push(Box::pin(async move {
            let status = wait(&mut child).await;
            (name, status)
        }));
        Ok(())
    }

    /// Tells all to end, and waits for that a little.
    async fn dismiss(&mut self) {
        for (name, pid) in &self.running {
            if let Err(error) = kill_process(*pid, Signal::TERM) {
                tracing::debug!(name, %error, "already gone");
            }
        }
        let all = async { while self.ended.next().await.is_some() {} };
        if tokio::time::timeout(FAREWELL, all).await.is_err() {
            tracing::warn!("some sample services did not end in time and are killed");
        }
        self.ended.clear();
        self.inputs.clear();
    }
}

async fn wait(child: &mut Child) -> String {
    child.wait().await.map_or_else(|error| error.to_string(), |status: ExitStatus| status.to_string())
}

fn start(crew: &mut Crew, app: &App, logs: &Path, traffic: bool) -> Result<(), Failure> {
    std::fs::create_dir_all(logs)
        .map_err(|error| Failure::Usage(format!("cannot make {}: {error}", logs.display())))?;
    let registry = format!("http://{}", app.admin());
    for (service, version) in DEMO {
        let arguments =
            ["sample", service, "--version", version, "--registry", &registry, "--exit-with-stdin"];
        crew.start(&format!("{service}-{version}"), &arguments, logs)?;
    }
    if traffic {
        let url = format!("http://{}/graphql", app.public());
        crew.start("load", &["load", "--url", &url, "--rate", RATE, "--wait"], logs)?;
    }
    Ok(())
}

fn log(logs: &Path, name: &str) -> PathBuf {
    logs.join(format!("{name}.log"))
}

fn greeting(app: &App, data: &Path, traffic: bool, by_cargo: bool) -> String {
    let (public, admin) = (app.public(), app.admin());
    let turnout = match (by_cargo, cfg!(debug_assertions)) {
        (false, _) => "turnout",
        (true, false) => "cargo run --release --",
        (true, true) => "cargo run --",
    };
    let elsewhere = if admin.port() == 4001 { String::new() } else { format!(" --admin http://{admin}") };
    let count = DEMO.len();
    let services = if traffic { "sample services and their light traffic" } else { "sample services" };
    format!(
        "
Turnout demo: a gateway with an embedded registry, {count} processes of {services}

  GraphQL        http://{public}/graphql
  operators' API http://{admin}/graphql
  registered     http://{admin}/registry/v1/services
  metrics        http://{admin}/metrics
  data, logs     {data}

Try, in another terminal:
  curl -s http://{public}/graphql -H 'content-type: application/json' \\
    -d '{{\"query\":\"{{ products(pageSize: 3) {{ products {{ title category {{ name }} }} }} }}\"}}'
  {turnout} service list{elsewhere}
  {turnout} service show catalog{elsewhere}
  curl -s 'http://{admin}/registry/v1/watch?cursor=0&wait=30'     # then stop a service, and see

Ctrl-C stops everything.
",
        data = data.display(),
    )
}

/// The hidden command behind each sample service, which minds signals by itself.
pub(crate) async fn sample(args: SampleArgs) -> Result<(), Failure> {
    log_as_text();
    let ended = turnout_samples::run(args, CancellationToken::new()).await;
    ended.map_err(|error| Failure::Finding(format!("{error:#}")))
}

/// The hidden command behind the traffic: ends on a signal, and with its standard input.
pub(crate) async fn load(args: LoadArgs) -> Result<(), Failure> {
    log_as_text();
    let stop = CancellationToken::new();
    let mut signals = Signals::listen().map_err(|error| Failure::Usage(error.to_string()))?;
    let mut playing = std::pin::pin!(turnout_samples::load::run(args, stop.clone()));
    let ended = tokio::select! {
        ended = &mut playing => ended,
        () = signals.next() => { stop.cancel(); playing.await }
        () = input_ends() => { stop.cancel(); playing.await }
    };
    ended.map(|_summary| ()).map_err(|error| Failure::Finding(format!("{error:#}")))
}

/// Waits for the end of standard input, which is the end of whoever started this process.
async fn input_ends() {
    let ended = || std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
    // Whether it ended well makes no difference.
    let _ = tokio::task::spawn_blocking(ended).await;
}

fn log_as_text() {
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
    tracing_subscriber::fmt().with_env_filter(filter).with_ansi(false).with_writer(std::io::stderr).init();
}
