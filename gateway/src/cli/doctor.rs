//! `turnout doctor`: is everything that a gateway needs there, and if not, what helps?
//!
//! Each check is a line: what was looked at, how it is, and the way out. Later checks are skipped when an
//! earlier one says that they cannot be made. Nothing is changed: a data directory is not made, a file that is
//! written to see whether that works is taken away again.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use http::Uri;
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};

use super::Failure;
use super::admin::AdminArgs;
use super::output::{self, Format, Paint, Tone};
use crate::config::{Config, RegistryKind};
use crate::launch::{self, FileChoice, Launch};
use crate::telemetry::chain;

const QUESTION: &str =
    "{ gateway { version uptimeSeconds } graph { digest generation members { service version }
    diagnostics { severity } } sources { name state reason staleSeconds entries unreadableEntries
    unreadable { key why { message help } } }
    leadership { leads leader } services { name serving versions { version serving instances { state } } }
    frontendDirectory frontends { name state directory why findings { severity message } } }";

/// For one answer of an etcd.
const ETCD_TIMEOUT: Duration = Duration::from_secs(3);

/// The most unreadable entries that are named of a source.
const UNREADABLE_SHOWN: usize = 3;

/// The oldest etcd that is tested.
const ETCD_OLDEST: (u64, u64) = (3, 4);

#[derive(Debug, Args)]
pub(crate) struct DoctorArgs {
    /// The configuration; without it `turnout.yaml` is read if it is there.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// One thing that was looked at.
#[derive(Debug)]
struct Line {
    check: &'static str,
    verdict: Verdict,
    found: String,
    /// The way out; empty when there is nothing to do.
    help: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Ok,
    Warn,
    Fail,
}

impl Verdict {
    fn word(self) -> (&'static str, Tone) {
        match self {
            Verdict::Ok => ("ok", Tone::Good),
            Verdict::Warn => ("warn", Tone::Doubtful),
            Verdict::Fail => ("fail", Tone::Bad),
        }
    }
}

fn ok(check: &'static str, found: impl Into<String>) -> Line {
    Line { check, verdict: Verdict::Ok, found: found.into(), help: String::new() }
}

fn warn(check: &'static str, found: impl Into<String>, help: &str) -> Line {
    Line { check, verdict: Verdict::Warn, found: found.into(), help: help.to_owned() }
}

fn fail(check: &'static str, found: impl Into<String>, help: &str) -> Line {
    Line { check, verdict: Verdict::Fail, found: found.into(), help: help.to_owned() }
}

/// Looks at everything and tells it.
pub(crate) async fn run(args: DoctorArgs, env: Vec<(String, String)>) -> Result<(), Failure> {
    let mut lines = Vec::new();
    if let Some(config) = configuration(args.config, env, &mut lines) {
        lines.push(data(&config.data));
        if let RegistryKind::Etcd(etcd) = &config.registry.kind {
            for endpoint in &etcd.endpoints {
                output::progress(&format!("asking {endpoint}"));
                lines.push(etcd_endpoint(endpoint).await);
            }
        }
    }
    output::progress(&format!("asking {}", args.admin.address()));
    match args.admin.ask(QUESTION, Value::Null).await {
        Ok(answer) => lines.extend(gateway(&answer, args.admin.address())),
        Err(Failure::Finding(text) | Failure::Usage(text) | Failure::Unreachable(text)) => {
            lines.push(fail("gateway", text, ""));
        }
    }
    output::print(&match args.output {
        Format::Table => page(&lines, Paint::detect()),
        Format::Json | Format::Yaml => output::document(args.output, &lines.iter().map(document).collect()),
    });
    let failed = lines.iter().filter(|line| line.verdict == Verdict::Fail).count();
    if failed > 0 {
        return Err(Failure::Finding(format!("{failed} of {} checks failed", lines.len())));
    }
    Ok(())
}

fn page(lines: &[Line], paint: Paint) -> String {
    let mut page = String::new();
    let width = lines.iter().map(|line| line.check.len()).max().unwrap_or_default();
    for line in lines {
        let (word, tone) = line.verdict.word();
        // Padding is outside of the colour, which has no width.
        let pad = " ".repeat(4 - word.len());
        let found: Vec<String> = line.found.lines().map(output::clean).collect();
        let under = format!("\n{}", " ".repeat(width + 8));
        page.push_str(&format!(
            "{}{pad}  {:width$}  {}\n",
            paint.tone(tone, word),
            line.check,
            found.join(&under)
        ));
        if !line.help.is_empty() {
            page.push_str(&format!("{}help: {}\n", " ".repeat(width + 8), output::clean(&line.help)));
        }
    }
    page
}

fn document(line: &Line) -> Value {
    let help = Some(&line.help).filter(|help| !help.is_empty());
    json!({ "check": line.check, "verdict": line.verdict.word().0, "found": line.found, "help": help })
}

/// Reads the configuration as `turnout serve` would here.
fn configuration(
    named: Option<PathBuf>,
    env: Vec<(String, String)>,
    lines: &mut Vec<Line>,
) -> Option<Config> {
    let default = PathBuf::from("turnout.yaml");
    let shown = named.clone().or_else(|| default.exists().then(|| default.clone()));
    let file = named.map_or(FileChoice::Default(default), FileChoice::Named);
    match (Launch { file, env, flags: Vec::new() }).read() {
        Ok(read) => {
            let found = match shown {
                Some(path) => format!("{} reads without a mistake", path.display()),
                None => "no turnout.yaml here, so every setting has its default".to_owned(),
            };
            lines.push(ok("configuration", found));
            Some(read.loaded.config)
        }
        Err(error) => {
            let help = match &error {
                launch::Error::File(..) => {
                    "Name the file with --config, or write one with `turnout config init`."
                }
                launch::Error::Mistakes(_) => "Mend what is named; `turnout config show` tells what holds.",
                launch::Error::Tls(_) => "Put the certificates where `upstream.tls` says, as PEM.",
            };
            lines.push(fail("configuration", chain(&error), help));
            None
        }
    }
}

/// Whether a gateway can keep its data there.
fn data(directory: &Path) -> Line {
    let shown = directory.display();
    if !directory.exists() {
        return ok("data", format!("{shown} is not there yet; the gateway makes it when it starts"));
    }
    let probe = directory.join(format!(".doctor-{}", std::process::id()));
    match OpenOptions::new().write(true).create_new(true).open(&probe) {
        Ok(_) => {
            let removed = std::fs::remove_file(&probe);
            removed.map_or_else(
                |error| warn("data", format!("{}: {error}", probe.display()), "Remove that file."),
                |()| ok("data", format!("{shown} can be written to")),
            )
        }
        Err(error) => fail(
            "data",
            format!("{shown} cannot be written to: {error}"),
            "Give the user of the gateway the directory, or set `data` to another one.",
        ),
    }
}

/// Asks an etcd what it is. Over TLS only whether somebody listens.
async fn etcd_endpoint(endpoint: &Uri) -> Line {
    let help = "Start it, or mend `registry.endpoints`. The gateway goes on with the last table meanwhile.";
    let asked = async {
        if endpoint.scheme_str() == Some("https") {
            let (host, port) = (endpoint.host().unwrap_or_default(), endpoint.port_u16().unwrap_or(443));
            let host = host.trim_start_matches('[').trim_end_matches(']');
            let connected = tokio::net::TcpStream::connect((host, port)).await;
            return connected.map(|_| None).map_err(|error| error.to_string());
        }
        let uri = format!("{}/version", endpoint.to_string().trim_end_matches('/'));
        let uri: Uri = uri.parse().map_err(|_| "no URL".to_owned())?;
        let client = Client::builder(TokioExecutor::new()).build_http::<Empty<bytes::Bytes>>();
        let answer = client.get(uri).await.map_err(|error| chain(&error))?;
        let body =
            Limited::new(answer.into_body(), 4096).collect().await.map_err(|error| error.to_string())?;
        let said: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or_default();
        Ok(Some(said["etcdserver"].as_str().unwrap_or_default().to_owned()))
    };
    let answer = tokio::time::timeout(ETCD_TIMEOUT, asked).await;
    match answer.unwrap_or_else(|_| Err(format!("no answer within {} s", ETCD_TIMEOUT.as_secs()))) {
        Ok(None) => ok("etcd", format!("{endpoint} listens; over TLS its version was not asked for")),
        Ok(Some(version)) => etcd_version(endpoint, &version),
        Err(error) => fail("etcd", format!("{endpoint} does not answer: {error}"), help),
    }
}

fn etcd_version(endpoint: &Uri, version: &str) -> Line {
    let mut numbers = version.split('.').map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= ETCD_OLDEST => {
            ok("etcd", format!("{endpoint} answers, version {version}"))
        }
        (Some(Ok(_)), Some(Ok(_))) => fail(
            "etcd",
            format!("{endpoint} has version {version}"),
            "Use etcd 3.4 or newer; older ones do not say that they live on a quiet watch.",
        ),
        _ => fail("etcd", format!("{endpoint} answers, but is no etcd"), "Mend `registry.endpoints`."),
    }
}

/// What a gateway tells about itself.
fn gateway(answer: &Value, address: &str) -> Vec<Line> {
    let mut lines = Vec::new();
    let (own, theirs) = (env!("CARGO_PKG_VERSION"), text(&answer["gateway"]["version"]));
    let uptime = answer["gateway"]["uptimeSeconds"].as_f64().unwrap_or_default();
    let found = format!("{address} answers, version {theirs}, up for {uptime:.0} s");
    lines.push(if own == theirs {
        ok("gateway", found)
    } else {
        warn(
            "gateway",
            format!("{found}; this command is {own}"),
            "Use the command line of the same version.",
        )
    });
    lines.extend(array(&answer["sources"]).iter().map(source));
    lines.push(match (answer["leadership"]["leads"] == true, answer["leadership"]["leader"].as_str()) {
        (true, _) => ok("leader", "this gateway"),
        (false, Some(_)) => ok("leader", text(&answer["leadership"]["leader"])),
        (false, None) => warn(
            "leader",
            "nobody is known to lead",
            "Rollouts wait until somebody does. When it lasts, look at the store of the registry.",
        ),
    });
    lines.push(graph(&answer["graph"]));
    lines.extend(array(&answer["services"]).iter().filter_map(deserted));
    lines.extend(frontends(answer));
    lines
}

/// Nothing, where there are none: every caller then sees the same.
fn frontends(answer: &Value) -> Vec<Line> {
    let all = array(&answer["frontends"]);
    let published = all.iter().filter(|one| one["state"].is_string() && one["state"] != "RETIRED").count();
    let mut lines: Vec<Line> =
        (published > 0).then(|| ok("frontend", format!("{published} published"))).into_iter().collect();
    for one in all {
        let name = text(&one["name"]);
        let first = |why: &str| output::clean(why.lines().next().unwrap_or_default());
        if let Some(why) = one["why"].as_str() {
            let word =
                if one["directory"] == "WAITING" { "waits to be published" } else { "is not published" };
            let help = "`turnout frontend show NAME` tells all of it.";
            lines.push(warn("frontend", format!("{name} {word}: {}", first(why)), help));
        }
        let broken = array(&one["findings"]).iter().find(|found| found["severity"] == "ERROR");
        if let Some(why) = broken.and_then(|found| found["message"].as_str()) {
            let help = "Register a version that its pin means, or publish it with another pin.";
            lines.push(fail("frontend", format!("{name}: {}", first(why)), help));
        }
    }
    let odd = array(&answer["frontendDirectory"]).iter();
    lines.extend(odd.map(|odd| warn("frontend", text(odd), "Mend the directory `frontends.dir`.")));
    lines
}

fn source(source: &Value) -> Line {
    let name = text(&source["name"]);
    let entries = match source["entries"].as_u64().unwrap_or_default() {
        1 => "1 entry".to_owned(),
        entries => format!("{entries} entries"),
    };
    let since = source["staleSeconds"].as_f64().unwrap_or_default();
    let unreadable = source["unreadableEntries"].as_u64().unwrap_or_default();
    match source["state"].as_str() {
        Some("LIVE") if unreadable > 0 => warn(
            "source",
            format!("{name} is live with {entries}, of which {unreadable} cannot be read{}", named(source)),
            "What such an entry said before goes on to hold. The operators' API names all: `sources { unreadable \
             { key why { message } } }`.",
        ),
        Some("LIVE") => ok("source", format!("{name} is live with {entries}")),
        Some("STARTING") => warn(
            "source",
            format!("{name} has not been heard yet"),
            "Ask again in a few seconds. When it stays so, look at its endpoints and its log lines.",
        ),
        _ => fail(
            "source",
            format!("{name} has not been heard for {since:.0} s: {}", text(&source["reason"])),
            "What it said last goes on to hold. Bring the source back; nothing else needs to be done.",
        ),
    }
}

/// The first unreadable entries of a source, a line for each.
fn named(source: &Value) -> String {
    let line = |entry: &Value| {
        let why = &entry["why"];
        format!("\n{}: {} {}", text(&entry["key"]), text(&why["message"]), text(&why["help"]))
    };
    array(&source["unreadable"]).iter().take(UNREADABLE_SHOWN).map(line).collect()
}

fn graph(graph: &Value) -> Line {
    let members = array(&graph["members"]).len();
    let errors = array(&graph["diagnostics"]).iter().filter(|found| found["severity"] == "ERROR").count();
    if graph["digest"].is_null() {
        let help = "Register a service whose options make something public, or open one: `turnout service expose \
                    NAME all --dry-run`.";
        return warn("graph", "nothing is served", help);
    }
    let found = format!("generation {} with {members} services", text(&graph["generation"]));
    if errors == 0 {
        ok("graph", found)
    } else {
        let noun = if errors == 1 { "error" } else { "errors" };
        let help = "`turnout service list` counts them, `turnout service show NAME` tells them.";
        warn("graph", format!("{found}; {errors} {noun} about what is left out"), help)
    }
}

/// A service in the graph that nobody runs.
fn deserted(service: &Value) -> Option<Line> {
    let serving = array(&service["versions"]).iter().find(|version| version["serving"] == true)?;
    let lives = array(&serving["instances"]).iter().any(|one| one["state"] == "UP" || one["state"] == "HELD");
    let found = format!(
        "{} {} is in the graph, and no instance of it is up",
        text(&service["name"]),
        text(&serving["version"])
    );
    let help = "Its fields answer VERSION_UNAVAILABLE until one registers.";
    (!lives).then(|| fail("service", found, help))
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> String {
    output::clean(value.as_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn each_line_says_what_how_and_the_way_out() {
        let answer = json!({
            "gateway": { "version": env!("CARGO_PKG_VERSION"), "uptimeSeconds": 61.7 },
            "graph": { "digest": "sha256:ab", "generation": "3", "members": [{}, {}],
                "diagnostics": [{ "severity": "ERROR" }, { "severity": "WARNING" }] },
            "sources": [
                { "name": "shop-etcd", "state": "STALE", "reason": "connection refused", "staleSeconds": 73.4, "entries": 4 },
                { "name": "turnout", "state": "LIVE", "entries": 12, "unreadableEntries": 0 },
                { "name": "wild", "state": "LIVE", "entries": 1, "unreadableEntries": 1,
                  "unreadable": [{ "key": "/wild/a", "why": { "message": "No JSON.", "help": "Mend it." } }] },
            ],
            "leadership": { "leads": false, "leader": "gateway-2" },
            "services": [
                { "name": "orders", "serving": "2.2.1", "versions": [
                    { "version": "2.2.1", "serving": true, "instances": [{ "state": "SUSPECT" }] }] },
                { "name": "math", "serving": "1.0.0", "versions": [
                    { "version": "1.0.0", "serving": true, "instances": [{ "state": "UP" }] }] },
            ],
            "frontendDirectory": [],
            "frontends": [
                { "name": "web@2.4.1", "state": "ACTIVE", "directory": "TAKEN", "why": null, "findings": [
                    { "severity": "ERROR", "message": "No version of math satisfies ^2." }] },
                { "name": "web@2.5.0", "state": null, "directory": "WAITING", "why": "error: x\nmore", "findings": [] },
            ],
        });
        expect![[r#"
            ok    gateway   http://127.0.0.1:4001 answers, version 0.1.0, up for 62 s
            fail  source    shop-etcd has not been heard for 73 s: connection refused
                            help: What it said last goes on to hold. Bring the source back; nothing else needs to be done.
            ok    source    turnout is live with 12 entries
            warn  source    wild is live with 1 entry, of which 1 cannot be read
                            /wild/a: No JSON. Mend it.
                            help: What such an entry said before goes on to hold. The operators' API names all: `sources { unreadable { key why { message } } }`.
            ok    leader    gateway-2
            warn  graph     generation 3 with 2 services; 1 error about what is left out
                            help: `turnout service list` counts them, `turnout service show NAME` tells them.
            fail  service   orders 2.2.1 is in the graph, and no instance of it is up
                            help: Its fields answer VERSION_UNAVAILABLE until one registers.
            ok    frontend  1 published
            fail  frontend  web@2.4.1: No version of math satisfies ^2.
                            help: Register a version that its pin means, or publish it with another pin.
            warn  frontend  web@2.5.0 waits to be published: error: x
                            help: `turnout frontend show NAME` tells all of it.
        "#]].assert_eq(&page(&gateway(&answer, "http://127.0.0.1:4001"), Paint::Plain));
    }

    #[test]
    fn an_etcd_is_known_by_its_version() {
        let endpoint: Uri = "http://127.0.0.1:2379".parse().unwrap();
        let verdict = |version: &str| etcd_version(&endpoint, version).verdict;
        assert_eq!(["3.4.23", "3.6.0", "4.0.0"].map(verdict), [Verdict::Ok; 3]);
        assert_eq!(["3.3.27", "2.3.8", "", "nginx"].map(verdict), [Verdict::Fail; 4]);
    }

    #[tokio::test]
    async fn an_etcd_that_is_not_there_is_a_failure_within_seconds() {
        let line = etcd_endpoint(&"http://127.0.0.1:9".parse().unwrap()).await;
        assert_eq!(line.verdict, Verdict::Fail);
        assert!(line.found.contains("does not answer"), "{}", line.found);
    }

    #[test]
    fn a_data_directory_is_looked_at_and_left_as_it_was() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(data(directory.path()).verdict, Verdict::Ok);
        assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
        let missing = directory.path().join("none");
        assert_eq!(data(&missing).verdict, Verdict::Ok);
        assert!(!missing.exists());
        let file = directory.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(data(&file).verdict, Verdict::Fail);
    }

    #[test]
    fn a_configuration_with_mistakes_is_told_with_all_of_them() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("turnout.yaml");
        std::fs::write(&file, "listn: 1\nexpose: some\n").unwrap();
        let mut lines = Vec::new();
        assert!(configuration(Some(file), Vec::new(), &mut lines).is_none());
        assert!(
            lines[0].found.contains("`listn`") && lines[0].found.contains("2 mistakes"),
            "{}",
            lines[0].found
        );
    }
}
