//! One measurement: one contender, one question, processes that nothing else has used.
//!
//! Upstream and contender start fresh, so that peak memory and counts belong to this question alone.
//! The answers are verified, the load warms everything up, and then the same connections are loaded
//! again between two readings of the contender's processor time and the upstream's counts. Nothing
//! that was begun is left out of either, so calls per request come out exact.
//!
//! At an open rate a question of one call is put to the upstream itself first, with the same rate and
//! as many connections: what the contender adds is the difference, taken within one measurement.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::client::{self, Body, Connection, render};
use super::cores::Cores;
use super::direct::{self, Caller};
use super::load::{Line, Pace, Round, play};
use super::process::{self, Process};
use super::procfs;
use super::register::{self, Registration};
use super::tally::Tally;
use super::verify::{Verdict, compare};
use crate::contender::{Ask, Contender};
use crate::question::{Language, Sample, Values};
use crate::upstream::{Stats, frame};

/// How long a contender that is ready may still give wrong answers: a gateway has to hear of the
/// upstream first.
const SETTLE_MAX: Duration = Duration::from_secs(10);
const SETTLE_STEP: Duration = Duration::from_millis(50);

/// How to measure.
#[derive(Debug, Clone)]
pub struct Settings {
    /// How long the measured load lasts.
    pub length: Duration,
    /// How long the load before it lasts.
    pub warmup: Duration,
    /// How many connections the load keeps open.
    pub connections: usize,
    /// How requests follow each other.
    pub pace: Pace,
    /// Where the values of a question stand.
    pub values: Values,
    /// Who runs where.
    pub cores: Cores,
    /// The directory with the built programs.
    pub programs: PathBuf,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measurement {
    /// Requests that were answered.
    pub requests: u64,
    /// Requests a second.
    pub requests_per_second: f64,
    /// The latency that half of the requests did not exceed.
    pub p50_us: u64,
    /// The latency that 99 % of the requests did not exceed.
    pub p99_us: u64,
    /// The latency that half of the calls did not exceed that went to the upstream directly.
    pub direct_p50_us: Option<u64>,
    /// User and system time of the contender for one request.
    pub cpu_us_per_request: f64,
    /// Share of one core that the contender used.
    pub busy: f64,
    /// The most memory it ever had resident.
    pub memory_peak_kib: u64,
    /// Calls to the upstream for one request.
    pub calls_per_request: f64,
    /// Whether all verified answers were the expected bytes, not only equal as JSON.
    pub same_bytes: bool,
    /// Answers under load that differed from the verified ones.
    pub wrong: u64,
    /// Connections that failed under load.
    pub failed: u64,
    /// What the first of them failed of.
    pub first_failure: Option<String>,
}

/// The step that a measurement failed at.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The upstream does not run.
    #[error("the upstream does not start")]
    Upstream(#[source] process::Error),
    /// The contender does not run.
    #[error("it does not start")]
    Contender(#[source] process::Error),
    /// The contender gets no directory for its data.
    #[error("making a directory for its data")]
    Scratch(#[source] io::Error),
    /// The contender has a registry and does not take the upstream.
    #[error("registering the upstream")]
    Register(#[source] register::Error),
    /// The contender cannot be reached.
    #[error("connecting to {address}")]
    Connect {
        /// Where it said it listens.
        address: SocketAddr,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// The contender does not answer.
    #[error("it does not answer")]
    Answer(#[source] client::Error),
    /// The contender gives another answer than the right one, however long it is asked.
    #[error("it answers wrongly, after {s} s still: {0}", s = SETTLE_MAX.as_secs())]
    Wrong(String),
    /// The upstream does not answer without a contender in between.
    #[error("calling the upstream directly")]
    Direct(#[source] direct::Error),
    /// The kernel does not tell about the contender, usually because it ended.
    #[error("reading what it used")]
    Used(#[source] procfs::Error),
    /// The upstream does not tell its counts.
    #[error("reading the upstream's counts: {0}")]
    Stats(String),
    /// The load ended without one answer.
    #[error("no request was answered: {0}")]
    Nothing(String),
}

/// Measures one contender with one question.
pub async fn measure(settings: &Settings, contender: &Contender, ask: &Ask) -> Result<Measurement, Error> {
    let upstream = Process::start(&settings.programs.join("bench-upstream"), &[], settings.cores.upstream())
        .await
        .map_err(Error::Upstream)?;
    let program = settings.programs.join(contender.program);
    // Removed when it is dropped, which is after the contender was stopped.
    let scratch = tempfile::tempdir().map_err(Error::Scratch)?;
    let arguments = contender.arguments(upstream.addresses.public, scratch.path());
    let process =
        Process::start(&program, &arguments, settings.cores.contender()).await.map_err(Error::Contender)?;

    let measured = load(settings, contender.language, ask, &process, &upstream).await;
    process.stop().await;
    upstream.stop().await;
    measured
}

async fn load(
    settings: &Settings,
    language: Language,
    ask: &Ask,
    process: &Process,
    upstream: &Process,
) -> Result<Measurement, Error> {
    let address = process.addresses.public;
    let _registration = match process.addresses.admin {
        Some(registry) => {
            let registering = Registration::start(registry, upstream.addresses.public);
            Some(registering.await.map_err(Error::Register)?)
        }
        None => None,
    };
    let samples = ask.question.samples(language, settings.values);
    let (rounds, same_bytes) = verify(address, ask.path, language, &samples).await?;
    let direct_p50_us = direct(settings, ask, upstream.addresses.public).await?;
    let mut lines = Vec::with_capacity(settings.connections);
    for _ in 0..settings.connections {
        lines.push(Line::Http(open(address).await?));
    }
    let warm = play(&mut lines, &rounds, settings.pace, settings.warmup).await;
    if warm.failed > 0 {
        return Err(Error::Nothing(warm.first_failure.unwrap_or_default()));
    }

    let calls_before = stats(upstream.addresses.public).await?.total();
    let cpu_before = procfs::cpu(process.pid).await.map_err(Error::Used)?;
    let begin = Instant::now();
    let tally = play(&mut lines, &rounds, settings.pace, settings.length).await;
    let took = begin.elapsed();
    let cpu = procfs::cpu(process.pid).await.map_err(Error::Used)? - cpu_before;
    let calls = stats(upstream.addresses.public).await?.total() - calls_before;
    let memory_peak_kib = procfs::memory_peak_kib(process.pid).await.map_err(Error::Used)?;
    let used = Used { same_bytes, direct_p50_us, took, cpu, calls, memory_peak_kib };
    figures(tally, &used)
}

/// How long the upstream itself takes for half of the calls, where that can be compared.
async fn direct(settings: &Settings, ask: &Ask, upstream: SocketAddr) -> Result<Option<u64>, Error> {
    if matches!(settings.pace, Pace::Closed) || ask.calls != 1 {
        return Ok(None);
    }
    let framed = |message: &[u8]| frame(message).to_vec();
    let samples = ask.question.samples(Language::Protobuf, settings.values);
    let rounds: Vec<Round> = samples
        .iter()
        .map(|sample| Round { request: framed(&sample.body), answer: framed(&sample.answer) })
        .collect();
    let mut lines = Vec::with_capacity(settings.connections);
    for _ in 0..settings.connections {
        lines.push(Line::Grpc(Caller::open(upstream, ask.question.method()).await.map_err(Error::Direct)?));
    }
    play(&mut lines, &rounds, settings.pace, settings.warmup).await;
    let tally = play(&mut lines, &rounds, settings.pace, settings.length).await;
    if tally.requests() == 0 || tally.failed + tally.wrong > 0 {
        let why = tally.first_failure.unwrap_or_else(|| format!("{} wrong answers", tally.wrong));
        return Err(Error::Nothing(why));
    }
    Ok(Some(tally.latency_us(0.5)))
}

/// What was found out before the load, and what the load took from the machine.
struct Used {
    same_bytes: bool,
    direct_p50_us: Option<u64>,
    took: Duration,
    cpu: Duration,
    calls: u64,
    memory_peak_kib: u64,
}

fn figures(tally: Tally, used: &Used) -> Result<Measurement, Error> {
    let requests = tally.requests();
    if requests == 0 {
        return Err(Error::Nothing(tally.first_failure.unwrap_or_default()));
    }
    let count = requests as f64;
    Ok(Measurement {
        requests,
        requests_per_second: count / used.took.as_secs_f64(),
        p50_us: tally.latency_us(0.5),
        p99_us: tally.latency_us(0.99),
        direct_p50_us: used.direct_p50_us,
        cpu_us_per_request: used.cpu.as_secs_f64() * 1e6 / count,
        busy: used.cpu.as_secs_f64() / used.took.as_secs_f64(),
        memory_peak_kib: used.memory_peak_kib,
        calls_per_request: used.calls as f64 / count,
        same_bytes: used.same_bytes,
        wrong: tally.wrong,
        failed: tally.failed,
        first_failure: tally.first_failure,
    })
}

/// Asks every sample once. Gives what to send with what the contender itself answered, and whether
/// all answers were the expected bytes.
async fn verify(
    address: SocketAddr,
    path: &str,
    language: Language,
    samples: &[Sample],
) -> Result<(Vec<Round>, bool), Error> {
    let give_up = Instant::now() + SETTLE_MAX;
    let mut rounds = Vec::with_capacity(samples.len());
    let mut same_bytes = true;
    for sample in samples {
        let body = match language {
            Language::GraphQl => Body::Json(&sample.body),
            Language::Protobuf => Body::Protobuf(&sample.body),
        };
        let request = render("POST", path, address, body);
        let (answer, verdict) = loop {
            let (answer, verdict) = answer(address, &request, language, &sample.answer).await?;
            if !matches!(verdict, Verdict::Wrong(_)) || Instant::now() >= give_up {
                break (answer, verdict);
            }
            sleep(SETTLE_STEP).await;
        };
        match verdict {
            Verdict::Same => {}
            Verdict::Equal => same_bytes = false,
            Verdict::Wrong(why) => return Err(Error::Wrong(why)),
        }
        rounds.push(Round { request, answer });
    }
    Ok((rounds, same_bytes))
}

async fn answer(
    address: SocketAddr,
    request: &[u8],
    language: Language,
    expected: &[u8],
) -> Result<(Vec<u8>, Verdict), Error> {
    let mut connection = open(address).await?;
    let reply = connection.ask(request).await.map_err(Error::Answer)?;
    let verdict = match reply.status {
        200 => compare(language, expected, reply.body),
        status => Verdict::Wrong(format!("HTTP {status}: {}", String::from_utf8_lossy(reply.body))),
    };
    Ok((reply.body.to_vec(), verdict))
}

async fn open(address: SocketAddr) -> Result<Connection, Error> {
    Connection::open(address).await.map_err(|source| Error::Connect { address, source })
}

async fn stats(address: SocketAddr) -> Result<Stats, Error> {
    let mut connection = open(address).await?;
    let request = render("GET", "/stats", address, Body::Json(b""));
    let reply = connection.ask(&request).await.map_err(|error| Error::Stats(error.to_string()))?;
    serde_json::from_slice(reply.body).map_err(|error| Error::Stats(error.to_string()))
}
