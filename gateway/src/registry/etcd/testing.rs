//! etcd as tests need it: real processes on free ports of this machine, which can be killed, frozen and wiped.
//!
//! The binary is what `TURNOUT_TEST_ETCD` names, or else what the path has; without either a test that needs it
//! says so and ends. Elections take half a second, so that a test that kills a leader is short. All processes
//! end with the value. Compiled into the tests of this crate and, by its path, into `tests/it`.

#![allow(dead_code, reason = "each of the two crates that compile this uses a part of it")]
#![allow(clippy::print_stdout, reason = "a test that is skipped says so")]

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use etcd_client::{Certificate, Client, ConnectOptions, Identity, TlsOptions};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::time::{sleep, timeout};

/// How long a member may take to answer after a start, also on a machine that has much to do.
const PATIENCE: Duration = Duration::from_secs(30);

/// A cluster of one or three members.
#[derive(Debug)]
pub(crate) struct Etcd {
    binary: PathBuf,
    tls: Option<TlsOptions>,
    data: TempDir,
    options: Vec<String>,
    members: Vec<Member>,
}

#[derive(Debug)]
struct Member {
    name: String,
    client: String,
    peer: String,
    child: Option<Child>,
}

impl Etcd {
    /// Starts one member and waits until it answers; `None` when this machine has no etcd.
    pub(crate) async fn one() -> Option<Etcd> {
        Etcd::start(1, &[]).await
    }

    /// Starts one member with more options: `["--auth-token-ttl", "2"]`.
    pub(crate) async fn one_with(options: &[&str]) -> Option<Etcd> {
        Etcd::start(1, options).await
    }

    /// Starts three members and waits until they answer.
    pub(crate) async fn three() -> Option<Etcd> {
        Etcd::start(3, &[]).await
    }

    /// Starts one member that speaks TLS and wants a certificate, with the test certificates of this crate.
    pub(crate) async fn secure() -> Option<Etcd> {
        let certs = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/certs");
        let read = |name: &str| std::fs::read(format!("{certs}/{name}")).unwrap();
        let tls = TlsOptions::new()
            .ca_certificate(Certificate::from_pem(read("ca.pem")))
            .identity(Identity::from_pem(read("client.pem"), read("client.key")));
        let (cert, key, ca) =
            (format!("{certs}/server.pem"), format!("{certs}/server.key"), format!("{certs}/ca.pem"));
        let options =
            ["--cert-file", &cert, "--key-file", &key, "--trusted-ca-file", &ca, "--client-cert-auth"];
        Etcd::start_as(1, &options, Some(tls)).await
    }

    async fn start(members: usize, options: &[&str]) -> Option<Etcd> {
        Etcd::start_as(members, options, None).await
    }

    async fn start_as(members: usize, options: &[&str], tls: Option<TlsOptions>) -> Option<Etcd> {
        let Some(binary) = find("etcd") else {
            println!("skipped: TURNOUT_TEST_ETCD is not set, and the path has no etcd");
            return None;
        };
        // All ports at once, so that none is given twice.
        let held: Vec<_> =
            (0..members * 2).map(|_| std::net::TcpListener::bind("127.0.0.1:0").unwrap()).collect();
        let ports: Vec<String> =
            held.iter().map(|listener| listener.local_addr().unwrap().to_string()).collect();
        drop(held);
        let scheme = if tls.is_some() { "https" } else { "http" };
        let members = ports
            .chunks(2)
            .enumerate()
            .map(|(at, pair)| Member {
                name: format!("m{at}"),
                client: format!("{scheme}://{}", pair[0]),
                peer: format!("http://{}", pair[1]),
                child: None,
            })
            .collect();
        let options = options.iter().map(ToString::to_string).collect();
        let mut etcd = Etcd { binary, tls, data: tempfile::tempdir().unwrap(), options, members };
        for member in 0..etcd.members.len() {
            etcd.spawn(member);
        }
        for member in 0..etcd.members.len() {
            etcd.ready(member).await;
        }
        Some(etcd)
    }

    /// Where clients connect, by member.
    pub(crate) fn endpoints(&self) -> Vec<String> {
        self.members.iter().map(|member| member.client.clone()).collect()
    }

    /// A client of the first member.
    pub(crate) async fn client(&self) -> Client {
        self.client_of(0).await
    }

    /// A client of one member.
    pub(crate) async fn client_of(&self, member: usize) -> Client {
        self.connect(member, Duration::from_secs(5)).await.unwrap()
    }

    /// Kills a member as `kill -9` does.
    pub(crate) fn kill(&mut self, member: usize) {
        if let Some(mut child) = self.members[member].child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Starts a member again that was killed, and waits until it answers.
    pub(crate) async fn restart(&mut self, member: usize) {
        self.spawn(member);
        self.ready(member).await;
    }

    /// Starts a member again that was killed. Three that were all killed answer when two are there.
    pub(crate) fn spawn(&mut self, at: usize) {
        let all: Vec<String> =
            self.members.iter().map(|member| format!("{}={}", member.name, member.peer)).collect();
        let data = self.directory(at);
        let member = &mut self.members[at];
        assert!(member.child.is_none(), "it runs");
        let child = Command::new(&self.binary)
            .args(["--name", &member.name, "--data-dir"])
            .arg(data)
            .args(["--listen-client-urls", &member.client, "--advertise-client-urls", &member.client])
            .args(["--listen-peer-urls", &member.peer, "--initial-advertise-peer-urls", &member.peer])
            .args(["--initial-cluster", &all.join(","), "--heartbeat-interval", "50"])
            .args(["--election-timeout", "500"])
            .args(&self.options)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        member.child = Some(child.expect("etcd can be run"));
    }

    /// Stops a member in its tracks: its connections stay and nothing answers.
    pub(crate) fn freeze(&self, member: usize) {
        self.signal(member, Signal::STOP);
    }

    /// Lets a frozen member go on.
    pub(crate) fn thaw(&self, member: usize) {
        self.signal(member, Signal::CONT);
    }

    /// Removes all that a killed member had.
    pub(crate) fn wipe(&self, member: usize) {
        std::fs::remove_dir_all(self.directory(member)).unwrap();
    }

    /// Waits until a member answers, as one of a cluster that agrees.
    pub(crate) async fn ready(&self, member: usize) {
        let answers = async {
            loop {
                let asked =
                    async { self.connect(member, Duration::from_secs(1)).await?.get("ready", None).await };
                match asked.await {
                    Ok(_) => return,
                    // With users it answers that it does not know us.
                    Err(etcd_client::Error::GRpcStatus(status)) if status.message().contains("user name") => {
                        return;
                    }
                    Err(_) => sleep(Duration::from_millis(20)).await,
                }
            }
        };
        timeout(PATIENCE, answers).await.expect("etcd answers in time");
    }

    async fn connect(&self, member: usize, timeout: Duration) -> Result<Client, etcd_client::Error> {
        let mut options = ConnectOptions::new().with_timeout(timeout);
        if let Some(tls) = &self.tls {
            options = options.with_tls(tls.clone());
        }
        Client::connect([&self.members[member].client], Some(options)).await
    }

    fn directory(&self, member: usize) -> PathBuf {
        self.data.path().join(&self.members[member].name)
    }

    fn signal(&self, member: usize, signal: Signal) {
        let child = self.members[member].child.as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).unwrap();
    }
}

impl Drop for Etcd {
    fn drop(&mut self) {
        for member in 0..self.members.len() {
            self.kill(member);
        }
    }
}

fn find(name: &str) -> Option<PathBuf> {
    let named: Option<OsString> = std::env::var_os("TURNOUT_TEST_ETCD");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let on_path = || std::env::split_paths(&path).map(|dir| dir.join(name)).find(|file| file.is_file());
    named.map(PathBuf::from).or_else(on_path)
}
