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
use turnout_control::id::{LeaseId, ServiceName, Version};
use turnout_control::records::Records;
use turnout_control::registry::Snapshot;
use turnout_control::routes::{Place, Scope};
use turnout_samples::load::LoadArgs;
use turnout_samples::{DEMO, FRONTENDS, NEWCOMERS, SampleArgs};

use super::serve::{self, Places};
use super::{Failure, output};
use crate::app::{App, Signals};
use crate::launch::{FileChoice, Launch};
use crate::registry::Registry;

/// How long sample services may take to drain before the gateway stops without them.
const FAREWELL: Duration = Duration::from_secs(8);
/// The frontends whose traffic is played, and how many requests a second: enough for a canary to be judged
/// while somebody watches, and no burden to a laptop.
const TRAFFIC: [(&str, &[&str], &str); 2] =
    [("load", &["web@2.4.1", "partner@1.9.0"], "50"), ("load-2.5.0", &["web@2.5.0"], "10")];
/// The newcomer that the frontend of the second traffic was built for: it has no other version to go back to.
const DEMANDED: (&str, &str) = ("catalog", "1.5.0");
/// The share of calls of a broken sample that fail.
const BROKEN: &str = "0.5";

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    #[command(flatten)]
    places: Places,
    /// Leave out the traffic of the sample frontends, which begins when the graph answers.
    #[arg(long)]
    no_traffic: bool,
    /// Let half of the calls of this version fail, such as catalog@1.5.0, to see its rollout go back.
    #[arg(long = "break", value_name = "SERVICE@VERSION", value_parser = sample_version)]
    broken: Option<(&'static str, &'static str)>,
}

fn sample_version(text: &str) -> Result<(&'static str, &'static str), String> {
    let named = DEMO.iter().find(|(service, version)| text == format!("{service}@{version}"));
    named.copied().ok_or_else(|| {
        let all: Vec<String> =
            NEWCOMERS.iter().map(|(service, version)| format!("{service}@{version}")).collect();
        format!("expected a version of the demo, such as {}", all.join(", "))
    })
}

/// What the demo sets and `serve` does not.
const SETTINGS: [(&str, &str); 9] = [
    ("identity.trust_unit_header", "true"),
    ("expose_lineup", "true"),
    ("http.playground", "true"),
    // One canary to watch; the others wait for an operator, as they would in a team that wants that.
    ("services.orders.on_new_version", "hold"),
    ("services.reviews.on_new_version", "hold"),
    // Minutes instead of hours.
    ("rollouts.steps", "15%, 30%, 50%"),
    ("rollouts.dwell", "20s"),
    ("rollouts.warmup", "5s"),
    ("rollouts.tick", "2s"),
];

/// Runs until it is told to stop.
pub(crate) async fn run(args: DemoArgs, env: Vec<(String, String)>) -> Result<(), Failure> {
    let by_cargo = env.iter().any(|(name, _)| name == "CARGO");
    let mut flags = args.places.flags();
    flags.extend(SETTINGS.map(|(path, value)| (path, value.to_owned())));
    let mut launch = Launch { file: FileChoice::None, env, flags };
    let read = launch.read().map_err(|error| Failure::Finding(error.to_string()))?;
    let data = read.loaded.config.data.clone();
    if !read.loaded.config.frontends.dir.is_dir() {
        let pages = data.join("frontend-versions");
        unpack(&pages)
            .map_err(|error| Failure::Usage(format!("cannot write {}: {error}", pages.display())))?;
        launch.flags.push(("frontends.dir", pages.display().to_string()));
    }
    let mut signals = Signals::listen().map_err(|error| Failure::Usage(error.to_string()))?;
    let app = serve::start(launch).await?;
    output::print(&serve::ready(app.public(), app.admin()));

    let logs = data.join("logs");
    let mut crew = Crew::default();
    let mut stage = Stage::new(&app, args);
    let started = std::fs::create_dir_all(&logs)
        .map_err(|error| Failure::Usage(format!("cannot make {}: {error}", logs.display())))
        .and_then(|()| stage.first(&mut crew, &logs));
    output::print(&greeting(&app, &data, &stage, by_cargo));
    let mut failed = started.err();
    while failed.is_none() {
        tokio::select! {
            () = signals.next() => break,
            () = stage.settled() => failed = stage.go_on(&mut crew, &logs).err(),
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
    failed.map_or(Ok(()), Err)
}

/// Writes the sample frontends to a directory, unless it is there: what somebody tried in it is not lost.
fn unpack(directory: &Path) -> std::io::Result<()> {
    if directory.exists() {
        return Ok(());
    }
    for (name, bytes) in FRONTENDS {
        let path = directory.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(directory))?;
        std::fs::write(path, bytes)?;
    }
    Ok(())
}

/// How far the demo is: what runs first, what comes later, and what has to be true in between.
struct Stage {
    registry: Registry,
    admin: String,
    public: String,
    args: DemoArgs,
    /// The leases of an earlier run, which are nobody's now.
    before: Vec<LeaseId>,
    /// An earlier run came far enough to have stable versions in this data directory.
    again: bool,
    act: Act,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Everything in the version that will be stable.
    First,
    /// And the newcomers, once the others serve.
    Newcomers,
    /// Nothing is waited for any more.
    Whole,
}

impl Stage {
    fn new(app: &App, args: DemoArgs) -> Stage {
        let registry = app.registry().clone();
        let before = registry.snapshot().instances().filter_map(|found| found.lease).collect();
        let (admin, public) = (format!("http://{}", app.admin()), format!("http://{}/graphql", app.public()));
        let again = all_stable(&registry.store.records().borrow());
        Stage { registry, admin, public, args, before, again, act: Act::First }
    }

    fn first(&self, crew: &mut Crew, logs: &Path) -> Result<(), Failure> {
        let first = DEMO.iter().filter(|version| !NEWCOMERS.contains(version));
        first.copied().try_for_each(|version| self.start(version, crew, logs))
    }

    /// Waits for what the next act needs.
    async fn settled(&self) {
        let here = |snapshot: &Arc<Snapshot>| {
            let fresh = |lease: Option<LeaseId>| lease.is_none_or(|lease| !self.before.contains(&lease));
            snapshot.instances().filter(|found| fresh(found.lease)).count()
        };
        let mut changes = self.registry.changes();
        // It only fails when the registry is gone, and then so is the demo.
        match self.act {
            Act::First => {
                let count = DEMO.len() - NEWCOMERS.len();
                let _ = changes.wait_for(|snapshot| here(snapshot) >= count).await;
                // A newcomer is one only where something is stable already.
                let _ = self.registry.store.records().wait_for(|records| all_stable(records)).await;
            }
            Act::Newcomers => {
                let _ = changes.wait_for(|snapshot| here(snapshot) >= DEMO.len()).await;
            }
            Act::Whole => std::future::pending().await,
        }
    }

    fn go_on(&mut self, crew: &mut Crew, logs: &Path) -> Result<(), Failure> {
        match self.act {
            Act::First => {
                self.act = Act::Newcomers;
                for version in NEWCOMERS {
                    self.start(*version, crew, logs)?;
                }
                Ok(())
            }
            Act::Newcomers => {
                self.act = Act::Whole;
                output::print("All sample services are registered.\n");
                self.play(crew, logs)
            }
            Act::Whole => Ok(()),
        }
    }

    fn start(&self, version: (&str, &str), crew: &mut Crew, logs: &Path) -> Result<(), Failure> {
        let (service, number) = version;
        let mut arguments =
            vec!["sample", service, "--version", number, "--registry", &self.admin, "--exit-with-stdin"];
        if self.args.broken == Some(version) {
            arguments.extend(["--fail-rate", BROKEN]);
        }
        crew.start(&format!("{service}-{number}"), &arguments, logs)
    }

    fn play(&self, crew: &mut Crew, logs: &Path) -> Result<(), Failure> {
        let played = match (self.args.no_traffic, self.args.broken) {
            (true, _) => &TRAFFIC[..0],
            // What fails there is the stable version of that frontend, and would only hide that nobody else's fails.
            (false, Some(DEMANDED)) => &TRAFFIC[..1],
            (false, _) => &TRAFFIC[..],
        };
        for (name, frontends, rate) in played.iter().copied() {
            let mut arguments = vec!["load", "--url", &self.public, "--rate", rate, "--wait"];
            arguments.extend(frontends.iter().flat_map(|frontend| ["--frontend", frontend]));
            crew.start(name, &arguments, logs)?;
        }
        Ok(())
    }
}

/// Whether every version that the demo begins with is stable, or another of its major is from an earlier run.
fn all_stable(records: &Records) -> bool {
    let first = DEMO.iter().filter(|version| !NEWCOMERS.contains(version));
    first.into_iter().all(|(service, version)| {
        let (Ok(service), Ok(version)) = (service.parse::<ServiceName>(), version.parse::<Version>()) else {
            return false;
        };
        let place = Place { scope: Scope::Everyone, service, major: version.semver().major };
        records.get(&place.key()).is_some()
    })
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

fn log(logs: &Path, name: &str) -> PathBuf {
    logs.join(format!("{name}.log"))
}

fn greeting(app: &App, data: &Path, stage: &Stage, by_cargo: bool) -> String {
    let (public, admin) = (app.public(), app.admin());
    let turnout = match (by_cargo, cfg!(debug_assertions)) {
        (false, _) => "turnout",
        (true, false) => "cargo run --release --",
        (true, true) => "cargo run --",
    };
    let elsewhere = if admin.port() == 4001 { String::new() } else { format!(" --admin http://{admin}") };
    let count = DEMO.len();
    let services =
        if stage.args.no_traffic { "sample services" } else { "sample services and their light traffic" };
    let (news, climbs, last) = prospects(stage);
    format!(
        "
Turnout demo: a gateway with an embedded registry, {count} processes of {services}

  sample shop    http://{public}/apps/web/
  GraphQL        http://{public}/graphql
  operators' API http://{admin}/graphql
  metrics        http://{admin}/metrics
  data, logs     {data}

{news}
Try, in another terminal:
  {turnout} rollout get catalog -w{elsewhere}      # {climbs}
  {turnout} explain --frontend web@2.4.1 --unit user:user-42{elsewhere}
  {turnout} rollout list{elsewhere}                # orders and reviews wait for an operator
  {turnout} rollout start orders --reason 'let it begin'{elsewhere}
  {turnout} service list{elsewhere}
  curl -si http://{public}/graphql -H 'content-type: application/json' -H 'x-frontend-version: web@2.4.1' \\
    -H 'x-turnout-unit: user-42' -d '{{\"query\":\"{{ products(pageSize: 3) {{ products {{ title }} }} }}\"}}'

{last}
Ctrl-C stops everything.
",
        data = data.display(),
    )
}

/// What will be seen: of the canary, of its rollout, and what else can be tried.
fn prospects(stage: &Stage) -> (String, &'static str, &'static str) {
    let again = "What went back or was promoted stays so in this data directory; another --data begins anew.";
    let whatever = "where it stands, and why";
    let comes = "In a few seconds catalog 1.5.0 comes and goes out as a canary.";
    match (stage.again, stage.args.broken) {
        (true, _) => (
            "Rollouts of an earlier run go on here, and those that ended stay so.".to_owned(),
            whatever,
            again,
        ),
        (false, None) => (
            comes.to_owned(),
            "it climbs, and is promoted when proven safe",
            "`demo --break catalog@1.5.0 --data ./turnout-broken` shows how a canary that fails goes back by itself.",
        ),
        (false, Some(DEMANDED)) => {
            let news = format!(
                "{comes} Half of its calls fail, so it goes back by itself.
web@2.5.0 was built for catalog 1.5 and has no other version: its pages go on failing, and its traffic is left out."
            );
            (news, "it begins, and goes back at the first proof of harm", again)
        }
        (false, Some((service, version))) => {
            (format!("{comes} Half of the calls of {service} {version} fail."), whatever, again)
        }
    }
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
