//! A process of the stand: started on its core, ready when it says so, killed when dropped.
//!
//! Its output is read to the end, so that it never blocks on a full pipe, and thrown away; the last
//! lines of its standard error are kept to explain a start that failed.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::cores::{Core, spawn_on};

/// How long a process may take until it is ready.
const READY_MAX: Duration = Duration::from_secs(20);
/// How many lines of standard error explain a failure.
const LINES_KEPT: usize = 5;

/// Why a process does not run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It could not be started at all.
    #[error("starting {}", program.display())]
    Spawn {
        /// The program.
        program: PathBuf,
        /// What went wrong.
        #[source]
        source: io::Error,
    },
    /// It ended, or closed its output, before it was ready.
    #[error("{} ended before it was ready: {said}", program.display())]
    Ended {
        /// The program.
        program: PathBuf,
        /// The end of its standard error.
        said: String,
    },
    /// It neither got ready nor ended.
    #[error("{} was not ready within {} s: {said}", program.display(), READY_MAX.as_secs())]
    Late {
        /// The program.
        program: PathBuf,
        /// The end of its standard error.
        said: String,
    },
}

/// What a `ready` line announces.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Where questions are answered.
    pub public: SocketAddr,
    /// Where services register, for a contender with a registry.
    pub admin: Option<SocketAddr>,
}

/// A running process that announced its address.
#[derive(Debug)]
pub struct Process {
    child: Child,
    /// The kernel's number of it.
    pub pid: u32,
    /// Where it listens.
    pub addresses: Addresses,
    /// Readers of its output; they end with it.
    readers: JoinSet<VecDeque<String>>,
}

impl Process {
    /// Starts a program on a core and waits for its line `ready public=ADDR`,
    /// which may go on with `admin=ADDR`.
    pub async fn start(program: &Path, arguments: &[String], core: Option<Core>) -> Result<Self, Error> {
        let spawn_failed = |source| Error::Spawn { program: program.to_owned(), source };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.kill_on_drop(true);
        let mut child = spawn_on(core, || command.spawn()).map_err(spawn_failed)?;
        let (Some(pid), Some(stdout), Some(stderr)) = (child.id(), child.stdout.take(), child.stderr.take())
        else {
            return Err(spawn_failed(io::Error::other("it ended at once")));
        };

        let mut readers = JoinSet::new();
        readers.spawn(last_lines(BufReader::new(stderr).lines()));
        let mut lines = BufReader::new(stdout).lines();
        let announced = timeout(READY_MAX, announced(&mut lines)).await;
        if let Ok(Some(addresses)) = announced {
            readers.spawn(last_lines(lines));
            return Ok(Self { child, pid, addresses, readers });
        }
        // Its end closes the pipes, and that ends the reader.
        let _killed = child.kill().await;
        let said = readers.join_next().await.and_then(Result::ok).unwrap_or_default();
        let said = Vec::from(said).join(" / ");
        let program = program.to_owned();
        Err(if announced.is_err() { Error::Late { program, said } } else { Error::Ended { program, said } })
    }

    /// Kills the process and waits until it is gone, so that it takes nothing from the next one.
    pub async fn stop(mut self) {
        // It may have ended by itself; then there is nothing to do.
        let _killed = self.child.kill().await;
        self.readers.shutdown().await;
    }
}

/// The addresses of the `ready` line; nothing when the output ends without one.
async fn announced(lines: &mut Lines<BufReader<ChildStdout>>) -> Option<Addresses> {
    while let Ok(Some(line)) = lines.next_line().await {
        if let Some(addresses) = ready(&line) {
            return Some(addresses);
        }
    }
    None
}

fn ready(line: &str) -> Option<Addresses> {
    let words = line.strip_prefix("ready ")?;
    let named = |name| words.split_ascii_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok());
    Some(Addresses { public: named("public=")?, admin: named("admin=") })
}

async fn last_lines(mut lines: Lines<BufReader<impl AsyncRead + Unpin>>) -> VecDeque<String> {
    let mut kept = VecDeque::new();
    while let Ok(Some(line)) = lines.next_line().await {
        if kept.len() == LINES_KEPT {
            kept.pop_front();
        }
        kept.push_back(line);
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn shell(script: &str) -> Result<Process, Error> {
        Process::start(Path::new("/bin/sh"), &["-c".to_owned(), script.to_owned()], None).await
    }

    #[test]
    fn addresses_are_found_by_their_names() {
        let public = SocketAddr::from(([127, 0, 0, 1], 4000));
        let admin = Some(SocketAddr::from(([127, 0, 0, 1], 4001)));
        let both = Some(Addresses { public, admin });
        assert_eq!(ready("ready public=127.0.0.1:4000 admin=127.0.0.1:4001"), both);
        assert_eq!(ready("ready admin=127.0.0.1:4001 public=127.0.0.1:4000"), both);
        assert_eq!(ready("ready public=127.0.0.1:4000"), Some(Addresses { public, admin: None }));
        assert_eq!(ready("not ready public=127.0.0.1:4000"), None);
        assert_eq!(ready("ready public=nowhere"), None);
    }

    #[tokio::test]
    async fn a_process_is_ready_at_its_line_and_gone_after_stop() {
        let process = shell("echo warming up; echo ready public=127.0.0.1:9; exec sleep 60").await.unwrap();
        let pid = process.pid;
        assert_eq!(process.addresses.public.port(), 9);
        assert!(Path::new(&format!("/proc/{pid}")).exists());
        process.stop().await;
        assert!(!Path::new(&format!("/proc/{pid}")).exists());
    }

    #[tokio::test]
    async fn a_start_that_fails_is_explained_in_the_programs_own_words() {
        let error = shell("echo no such upstream >&2; exit 3").await.unwrap_err();
        assert!(matches!(&error, Error::Ended { said, .. } if said == "no such upstream"), "{error}");
        let missing = Process::start(Path::new("/nowhere/bench-none"), &[], None).await;
        assert!(matches!(missing, Err(Error::Spawn { .. })));
    }
}
