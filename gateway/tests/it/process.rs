//! The `turnout` binary as a user runs it: its ready line, its exit codes, its signals, its sudden death.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// A running binary, killed when the test ends.
pub(crate) struct Turnout {
    pub(crate) child: Child,
    pub(crate) public: String,
    pub(crate) admin: String,
    rest: BufReader<std::process::ChildStdout>,
}

pub(crate) fn turnout(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_turnout"));
    command.args(arguments).env_remove("TURNOUT_ADMIN").env_remove("TURNOUT_TOKEN").env("RUST_LOG", "warn");
    command
}

fn run(arguments: &[&str]) -> Output {
    turnout(arguments).output().unwrap()
}

impl Turnout {
    pub(crate) fn start(command: &str, data: &Path, more: &[&str]) -> Turnout {
        let data = data.display().to_string();
        let arguments =
            [command, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--data", &data];
        Turnout::of(turnout(&[&arguments[..], more].concat()))
    }

    pub(crate) fn of(mut command: Command) -> Turnout {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::inherit()).spawn().unwrap();
        let mut rest = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        rest.read_line(&mut line).unwrap();
        let ready = line.trim().strip_prefix("ready public=").and_then(|rest| rest.split_once(" admin="));
        let (public, admin) = ready.unwrap_or_else(|| panic!("no ready line: {line:?}"));
        assert!(public.starts_with("127.0.0.1:"), "{line}");
        Turnout { child, public: format!("http://{public}"), admin: format!("http://{admin}"), rest }
    }

    pub(crate) fn services(&self) -> serde_json::Value {
        let output = run(&["service", "list", "--admin", &self.admin, "-o", "json"]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// `catalog 1.4.0` of every version with an instance.
    fn living(&self) -> Vec<String> {
        let listed = self.services();
        let lives = |row: &&serde_json::Value| row["instances"].as_array().is_some_and(|all| !all.is_empty());
        let name = |row: &serde_json::Value| {
            format!("{} {}", row["service"].as_str().unwrap(), row["version"].as_str().unwrap())
        };
        listed.as_array().unwrap().iter().filter(lives).map(name).collect()
    }

    fn wait_for(&self, what: &str, done: impl Fn(&[String]) -> bool) -> Vec<String> {
        let until = Instant::now() + Duration::from_secs(30);
        loop {
            let living = self.living();
            if done(&living) {
                return living;
            }
            assert!(Instant::now() < until, "{what} did not happen: {living:?}");
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).unwrap();
    }
}

impl Drop for Turnout {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_demo_lists_its_services_survives_kill_and_stops_cleanly() {
    let data = tempfile::tempdir().unwrap();
    let started = Instant::now();
    let mut demo = Turnout::start("demo", data.path(), &["--no-traffic"]);
    assert!(started.elapsed() < Duration::from_secs(3), "ready after {:?}", started.elapsed());
    let mut greeting = String::new();
    while !greeting.contains("Ctrl-C") {
        demo.rest.read_line(&mut greeting).unwrap();
    }
    assert!(greeting.contains(" service list --admin http://"), "{greeting}");
    let all = demo.wait_for("registration of all", |living| living.len() == turnout_samples::DEMO.len());
    demo.signal(rustix::process::Signal::KILL);
    demo.child.wait().unwrap();

    let mut again = Turnout::start("serve", data.path(), &[]);
    assert_eq!(again.living(), all, "kill -9 loses no registration");
    again.signal(rustix::process::Signal::TERM);
    assert!(again.child.wait().unwrap().success());
}

#[test]
fn a_stopped_service_leaves_the_list_at_once_and_a_killed_one_with_its_lease() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Turnout::start("serve", data.path(), &[]);
    let sample = |service: &str| {
        turnout(&["sample", service, "--registry", &gateway.admin]).stderr(Stdio::null()).spawn().unwrap()
    };
    let (mut math, mut echo) = (sample("math"), sample("echo"));
    gateway.wait_for("registration", |living| living.len() == 2);
    rustix::process::kill_process(rustix::process::Pid::from_child(&math), rustix::process::Signal::TERM)
        .unwrap();
    assert!(math.wait().unwrap().success());
    assert_eq!(gateway.living(), ["echo 1.0.0"]);
    echo.kill().unwrap();
    echo.wait().unwrap();
    gateway.wait_for("the end of the lease", <[String]>::is_empty);
}

#[test]
fn every_failure_has_its_exit_code() {
    let data = tempfile::tempdir().unwrap();
    let wrong = data.path().join("turnout.yaml");
    std::fs::write(&wrong, "listen: 127.0.0.1:0\nretires: 3\n").unwrap();
    let code = |arguments: &[&str]| run(arguments).status.code();
    assert_eq!(code(&["serve", "--config", wrong.to_str().unwrap()]), Some(1));
    assert_eq!(code(&["serve", "--config", "/nowhere/turnout.yaml"]), Some(1));
    assert_eq!(code(&["service", "list", "--admin", "http://127.0.0.1:9"]), Some(3));
    assert_eq!(code(&["service", "list", "--admin", "ftp://127.0.0.1"]), Some(2));
    assert_eq!(code(&["nonsense"]), Some(2));
    assert_eq!(code(&[]), Some(2));
    assert_eq!(code(&["--help"]), Some(0));
    assert_eq!(code(&["--version"]), Some(0));
}

#[test]
fn a_changed_file_is_read_again_and_a_bad_one_changes_nothing() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("turnout.yaml");
    let write =
        |cidr: &str| std::fs::write(&file, format!("registry: {{ allow_cidrs: [{cidr}] }}\n")).unwrap();
    write("10.0.0.0/8");
    let gateway = Turnout::start("serve", data.path(), &["--config", file.to_str().unwrap()]);
    let mut math =
        turnout(&["sample", "math", "--registry", &gateway.admin]).stderr(Stdio::null()).spawn().unwrap();
    std::fs::write(&file, "registry: { allow_cidrs: [127.0.0.0/99] }\n").unwrap();
    gateway.signal(rustix::process::Signal::HUP);
    assert_eq!(gateway.living(), Vec::<String>::new());
    write("127.0.0.0/8");
    gateway.signal(rustix::process::Signal::HUP);
    gateway.wait_for("registration under the new terms", |living| living == ["math 1.0.0"]);
    math.kill().unwrap();
    math.wait().unwrap();
}

#[test]
fn leaving_the_tokens_file_out_opens_nothing_before_a_restart() {
    let data = tempfile::tempdir().unwrap();
    let file = data.path().join("turnout.yaml");
    std::fs::write(data.path().join("tokens.yaml"), "tokens: []\n").unwrap();
    let write = |admin: &str, cidr: &str| {
        let text = format!("admin: {{ {admin} }}\nregistry: {{ allow_cidrs: [{cidr}] }}\n");
        std::fs::write(&file, text).unwrap();
    };
    write("tokens: { file: tokens.yaml }", "10.0.0.0/8");
    let gateway = Turnout::start("serve", data.path(), &["--config", file.to_str().unwrap()]);
    let refused = || run(&["service", "list", "--admin", &gateway.admin]).status.code() == Some(2);
    assert!(refused());
    write("", "127.0.0.0/8");
    gateway.signal(rustix::process::Signal::HUP);
    let until = Instant::now() + Duration::from_secs(5);
    while Instant::now() < until {
        assert!(refused(), "the tokens file was dropped while the gateway ran");
        std::thread::sleep(Duration::from_millis(100));
    }
}

#[test]
fn a_gateway_that_was_frozen_blames_no_service_for_it() {
    let data = tempfile::tempdir().unwrap();
    let gateway = Turnout::start("serve", data.path(), &[]);
    let mut math =
        turnout(&["sample", "math", "--registry", &gateway.admin]).stderr(Stdio::null()).spawn().unwrap();
    gateway.wait_for("registration", |living| living == ["math 1.0.0"]);
    let cursor = || {
        let listed = run(&["service", "list", "--admin", &gateway.admin, "-o", "json"]);
        serde_json::from_slice::<serde_json::Value>(&listed.stdout).unwrap()[0]["instances"][0].clone()
    };
    let before = cursor();
    gateway.signal(rustix::process::Signal::STOP);
    std::thread::sleep(Duration::from_secs(17));
    gateway.signal(rustix::process::Signal::CONT);
    std::thread::sleep(Duration::from_millis(700));
    assert_eq!(cursor(), before, "neither gone nor suspect nor registered anew");
    math.kill().unwrap();
    math.wait().unwrap();
}
