//! A small production: gateways and services as processes, and callers who notice every failure.

use std::path::Path;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::task::JoinHandle;

use crate::process::{Turnout, turnout};

/// A gateway over etcd, with a data directory that outlives its process.
pub(crate) struct Node {
    pub(crate) process: Turnout,
    config: TempDir,
}

impl Node {
    /// Starts one whose registry is in etcd at these addresses. Blocks until it says that it is ready.
    pub(crate) fn start(members: &[String], more: &str) -> Node {
        Node::start_with(members, more, "")
    }

    /// The same with more settings beside those of the registry.
    pub(crate) fn start_with(members: &[String], more: &str, settings: &str) -> Node {
        let config = tempfile::tempdir().unwrap();
        write(config.path(), members, more, settings);
        Node { process: launch(config.path()), config }
    }

    /// Writes another configuration, for its next start.
    pub(crate) fn reconfigure(&self, members: &[String], more: &str) {
        write(self.config.path(), members, more, "");
    }

    /// Kills it without a word, and starts it again over what it left behind.
    pub(crate) fn crash_and_restart(&mut self) {
        self.process.child.kill().unwrap();
        self.process.child.wait().unwrap();
        self.process = launch(self.config.path());
    }

    /// Asks it to stop, waits for its end, and starts it again.
    pub(crate) async fn stop_and_restart(&mut self) {
        self.process.signal(rustix::process::Signal::TERM);
        let child = &mut self.process.child;
        let ended =
            eventually("the gateway ends", Duration::from_secs(40), async || child.try_wait().unwrap());
        assert!(ended.await.success());
        self.process = launch(self.config.path());
    }

    pub(crate) fn public(&self) -> String {
        self.process.public.clone()
    }

    /// The answer to a GET of the admin listener.
    pub(crate) async fn status(&self, path: &str) -> (u16, String) {
        let request = Request::get(format!("{}{path}", self.process.admin)).body(Full::default());
        self.send(request.unwrap()).await
    }

    /// Registers an instance by hand; the answer.
    pub(crate) async fn register(&self, service: &str, id: &str) -> (u16, String) {
        let body = json!({ "version": "1.0.0", "endpoints": [{ "url": "grpc://127.0.0.1:9" }] });
        let uri = format!("{}/registry/v1/instances/{service}/{id}", self.process.admin);
        let request = Request::put(uri).body(Full::new(Bytes::from(body.to_string())));
        self.send(request.unwrap()).await
    }

    /// Stores descriptors; the answer.
    pub(crate) async fn store(&self, digest: &str, bytes: Vec<u8>) -> (u16, String) {
        let uri = format!("{}/registry/v1/schemas/{digest}", self.process.admin);
        self.send(Request::put(uri).body(Full::new(Bytes::from(bytes))).unwrap()).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> (u16, String) {
        let answer = client().request(request).await.unwrap();
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.unwrap().to_bytes();
        (status, String::from_utf8_lossy(&body).into_owned())
    }
}

fn write(directory: &Path, members: &[String], more: &str, settings: &str) {
    let endpoints: Vec<String> = members.iter().map(|member| format!("\"{member}\"")).collect();
    let text = format!("registry: {{ kind: etcd, endpoints: [{}]{more} }}\n{settings}", endpoints.join(", "));
    std::fs::write(directory.join("turnout.yaml"), text).unwrap();
}

fn launch(directory: &Path) -> Turnout {
    let config = directory.join("turnout.yaml").display().to_string();
    Turnout::start("serve", &directory.join("data"), &["--config", &config])
}

/// A sample service as a process, which dies with the test.
pub(crate) struct Service(Child);

impl Service {
    pub(crate) fn start(service: &str, version: &str, registry: &str, more: &[&str]) -> Service {
        let arguments = ["sample", service, "--version", version, "--registry", registry];
        let child = turnout(&[&arguments, more].concat()).stderr(Stdio::null()).stdout(Stdio::null()).spawn();
        Service(child.unwrap())
    }

    pub(crate) fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, signal).unwrap();
    }

    /// Asks it to stop, and waits for its end.
    pub(crate) async fn stop(mut self) {
        self.signal(rustix::process::Signal::TERM);
        eventually("the service ends", Duration::from_secs(30), async || self.0.try_wait().unwrap()).await;
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Repeats a question until it has an answer.
pub(crate) async fn eventually<T>(
    what: &str,
    within: Duration,
    mut ask: impl AsyncFnMut() -> Option<T>,
) -> T {
    let until = Instant::now() + within;
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(Instant::now() < until, "{what} did not happen within {within:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

type Http = Client<HttpConnector, Full<Bytes>>;

/// Every operation on a connection of its own: what is kept alive hides who accepts.
fn client() -> Http {
    Client::builder(TokioExecutor::new()).pool_max_idle_per_host(0).build_http()
}

async fn post(client: &Http, uri: &str, body: String) -> Result<Value, String> {
    let request = Request::post(uri).header("content-type", "application/json");
    let request = request.body(Full::new(Bytes::from(body))).unwrap();
    let answered = async {
        let answer = client.request(request).await.map_err(|error| format!("{error:?}"))?;
        let body = answer.into_body().collect().await.map_err(|error| format!("{error:?}"))?;
        serde_json::from_slice(&body.to_bytes()).map_err(|error| error.to_string())
    };
    tokio::time::timeout(Duration::from_secs(15), answered).await.unwrap_or_else(|_| Err("no answer".into()))
}

/// One operation on a gateway; what is wrong with the answer, if anything is.
pub(crate) async fn operate(public: &str, document: &str) -> Result<Value, String> {
    run(&client(), public, document).await
}

async fn run(client: &Http, public: &str, document: &str) -> Result<Value, String> {
    let body = json!({ "query": document }).to_string();
    let answer = post(client, &format!("{public}/graphql"), body).await?;
    if answer.get("errors").is_some() || answer["data"].is_null() {
        return Err(answer.to_string());
    }
    Ok(answer["data"].clone())
}

/// Callers of one gateway.
pub(crate) struct Callers {
    told: Arc<Mutex<Told>>,
    task: JoinHandle<()>,
}

/// What callers have to tell.
#[derive(Clone, Debug, Default)]
pub(crate) struct Told {
    pub(crate) answered: usize,
    /// The first few failures, and how many there were.
    pub(crate) failures: Vec<String>,
    pub(crate) failed: usize,
    pub(crate) slowest: Duration,
}

impl Callers {
    /// Asks so often a second, each time on a task of its own, until they are asked to stop.
    pub(crate) fn start(public: String, document: &'static str, per_second: u32) -> Callers {
        let told = Arc::new(Mutex::new(Told::default()));
        let tells = told.clone();
        let task = tokio::spawn(async move {
            let client = client();
            let began = Instant::now();
            let mut ticks = tokio::time::interval(Duration::from_secs(1) / per_second);
            loop {
                ticks.tick().await;
                let (client, public, told) = (client.clone(), public.clone(), tells.clone());
                tokio::spawn(async move {
                    let asked = Instant::now();
                    let answer = run(&client, &public, document).await;
                    let mut told = told.lock().unwrap();
                    told.slowest = told.slowest.max(asked.elapsed());
                    match answer {
                        Ok(_) => told.answered += 1,
                        Err(why) => {
                            told.failed += 1;
                            if told.failures.len() < 5 {
                                told.failures.push(format!("after {:?}: {why}", began.elapsed()));
                            }
                        }
                    }
                });
            }
        });
        Callers { told, task }
    }

    /// What they have to tell until now.
    pub(crate) fn told(&self) -> Told {
        self.told.lock().unwrap().clone()
    }

    /// Ends, and fails the test unless everything was answered.
    #[expect(clippy::print_stdout, reason = "what was measured is told")]
    pub(crate) async fn expect_no_failure(self, what: &str) {
        // What is under way is answered within its deadline.
        self.task.abort();
        tokio::time::sleep(Duration::from_millis(500)).await;
        let told = self.told();
        assert!(told.failed == 0 && told.answered > 0, "{what}: {told:?}");
        println!("{what}: {} answered, slowest {:?}", told.answered, told.slowest);
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.task.abort();
    }
}
