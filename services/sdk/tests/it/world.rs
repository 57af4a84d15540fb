//! What the tests share: a service to run, a way to wait, and a gRPC registry that does as told.
//!
//! The registry doubles as the service under test: its methods are real RPCs with descriptors, and
//! `List` can be held open.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::pin::Pin;
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::TcpListenerStream;
use tokio_stream::{Stream, StreamExt};
use tonic::transport::{Channel, Endpoint, Server};
use tonic::{Request, Response, Status, Streaming};
use tonic_types::{ErrorDetails, StatusExt};
use turnout_proto::registry::v1 as wire;
use turnout_service::{CancellationToken, Error, Registry, Routes, Service};
use wire::registry_server::RegistryServer;

/// No test waits longer for anything.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// A running service and the means to stop it.
pub(crate) struct Running {
    pub(crate) stop: CancellationToken,
    task: JoinHandle<Result<(), Error>>,
}

impl Running {
    /// Stops in order and says how long that took.
    pub(crate) async fn stopped(self) -> Duration {
        let start = Instant::now();
        self.stop.cancel();
        self.ended().await;
        start.elapsed()
    }

    /// Waits for an orderly end.
    pub(crate) async fn ended(self) {
        let ended = timeout(PATIENCE, self.task).await.expect("the service ends");
        ended.expect("the service does not panic").expect("the service ends without an error");
    }

    /// Whether it is still serving.
    pub(crate) fn is_running(&self) -> bool {
        !self.task.is_finished()
    }

    /// Ends it like a kill: no goodbye.
    #[cfg(feature = "etcd")]
    pub(crate) async fn killed(self) {
        self.task.abort();
        assert!(self.task.await.expect_err("it was running").is_cancelled());
    }
}

/// The service `catalog` 1.5.0 with short waits, to be adjusted.
pub(crate) fn catalog() -> Service {
    Service::new("catalog", "1.5.0", turnout_proto::REGISTRY_DESCRIPTORS).linger(Duration::ZERO)
}

/// Runs `service` with `routes`, registered at `url`.
pub(crate) fn run(service: Service, routes: Routes, url: &str) -> Running {
    let stop = CancellationToken::new();
    let service = service.registry(Registry::parse(url).unwrap()).stop_on(stop.clone());
    #[expect(clippy::disallowed_methods, reason = "the task is owned by Running and joined there")]
    let task = tokio::spawn(service.serve(routes));
    Running { stop, task }
}

/// Asks until the answer is there.
pub(crate) async fn eventually<T>(what: &str, mut ask: impl AsyncFnMut() -> Option<T>) -> T {
    let asking = async {
        loop {
            if let Some(answer) = ask().await {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    match timeout(PATIENCE, asking).await {
        Ok(answer) => answer,
        Err(_) => panic!("waited in vain: {what}"),
    }
}

/// A channel to `grpc://…`.
pub(crate) async fn channel(url: &str) -> Channel {
    let address = url.replace("grpc://", "http://");
    Endpoint::from_shared(address).unwrap().connect().await.expect("the service accepts")
}

thread_local! {
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// What the service under test logs. Each test has its thread, and all its tasks run there.
///
/// One subscriber serves all threads: with one for each, a line that another thread says first can be
/// switched off for good.
pub(crate) struct Log;

impl Log {
    /// Captures what is logged from now on.
    pub(crate) fn capture() -> Self {
        static SUBSCRIBED: Once = Once::new();
        SUBSCRIBED.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Sink).init());
        Self
    }

    /// Waits until a line holds `sentence`.
    pub(crate) async fn says(&self, sentence: &str) {
        let read = || LOG.with_borrow(|text| String::from_utf8(text.clone()).unwrap());
        eventually(&format!("the log says: {sentence}"), async || read().contains(sentence).then_some(()))
            .await;
    }
}

struct Sink;

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.with_borrow_mut(|text| text.extend(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A gRPC registry.
#[derive(Clone, Default)]
pub(crate) struct FakeRegistry {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    state: Mutex<State>,
    /// Permits for `List` to answer.
    lists: Gate,
}

struct Gate(Semaphore);

impl Default for Gate {
    fn default() -> Self {
        Self(Semaphore::new(0))
    }
}

#[derive(Default)]
pub(crate) struct State {
    /// What was called, in order.
    pub(crate) calls: Vec<&'static str>,
    pub(crate) instances: BTreeMap<String, wire::Instance>,
    pub(crate) leases: BTreeMap<String, String>,
    pub(crate) schemas: BTreeMap<String, Vec<u8>>,
    pub(crate) tokens: Vec<String>,
    pub(crate) refuse: bool,
    /// Heartbeats break their stream.
    pub(crate) broken: bool,
    granted: u32,
}

impl FakeRegistry {
    pub(crate) fn with<T>(&self, work: impl FnOnce(&mut State) -> T) -> T {
        work(&mut self.inner.state.lock().expect("no test panics while it holds this"))
    }

    /// Where the first instance that registers is reached.
    pub(crate) async fn url_of_first(&self) -> String {
        let first = |state: &mut State| Some(state.instances.values().next()?.endpoints[0].url.clone());
        eventually("an instance is registered", async || self.with(first)).await
    }

    /// Lets one `List` answer.
    pub(crate) fn release_list(&self) {
        self.inner.lists.0.add_permits(1);
    }

    /// Listens for the rest of the test.
    pub(crate) async fn listen(&self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("grpc://{}", listener.local_addr().unwrap());
        let serving = Server::builder()
            .add_service(RegistryServer::new(self.clone()))
            .serve_with_incoming(TcpListenerStream::new(listener));
        #[expect(clippy::disallowed_methods, reason = "ends with the test's runtime")]
        tokio::spawn(serving);
        url
    }

    fn called<T>(&self, name: &'static str, request: &Request<T>) {
        let token = request.metadata().get("authorization").map(|value| value.to_str().unwrap().to_owned());
        self.with(|state| {
            state.calls.push(name);
            state.tokens.extend(token);
        });
    }
}

#[tonic::async_trait]
impl wire::registry_server::Registry for FakeRegistry {
    type KeepAliveStream = Pin<Box<dyn Stream<Item = Result<wire::KeepAliveResponse, Status>> + Send>>;
    type WatchStream = tokio_stream::Empty<Result<wire::WatchResponse, Status>>;

    async fn register(
        &self,
        request: Request<wire::RegisterRequest>,
    ) -> Result<Response<wire::RegisterResponse>, Status> {
        let draining = |instance: &wire::Instance| instance.state() == wire::instance::State::Draining;
        let instance = request.get_ref().instance.clone().unwrap();
        self.called(if draining(&instance) { "drain" } else { "register" }, &request);
        self.with(|state| {
            if state.refuse {
                let mut details = ErrorDetails::with_error_info("VERSION_BOUND", "turnout", []);
                details.add_help_link("give the build a new version", "");
                let message = "1.5.0 is bound to other descriptors";
                return Err(Status::with_error_details(tonic::Code::FailedPrecondition, message, details));
            }
            state.granted += 1;
            let lease = format!("lease {}", state.granted);
            state.leases.insert(instance.id.clone(), lease.clone());
            state.instances.insert(instance.id.clone(), instance);
            Ok(Response::new(wire::RegisterResponse { lease, ttl_seconds: 1, ..Default::default() }))
        })
    }

    async fn keep_alive(
        &self,
        request: Request<Streaming<wire::KeepAliveRequest>>,
    ) -> Result<Response<Self::KeepAliveStream>, Status> {
        self.called("open", &request);
        let registry = self.clone();
        let answers = request.into_inner().map(move |beat| {
            let lease = beat?.lease;
            let ttl_seconds = registry.with(|state| {
                if state.broken {
                    return Err(Status::unavailable("going down"));
                }
                state.calls.push("beat");
                Ok(u32::from(state.leases.values().any(|held| *held == lease)))
            })?;
            Ok(wire::KeepAliveResponse { lease, ttl_seconds })
        });
        Ok(Response::new(Box::pin(answers)))
    }

    async fn deregister(
        &self,
        request: Request<wire::DeregisterRequest>,
    ) -> Result<Response<wire::DeregisterResponse>, Status> {
        self.called("deregister", &request);
        let wanted = request.into_inner();
        self.with(|state| {
            if state.leases.get(&wanted.id) != Some(&wanted.lease) {
                return Err(Status::failed_precondition("not your lease"));
            }
            state.leases.remove(&wanted.id);
            state.instances.remove(&wanted.id);
            Ok(Response::new(wire::DeregisterResponse { revision: 1 }))
        })
    }

    async fn has_schema(
        &self,
        request: Request<wire::HasSchemaRequest>,
    ) -> Result<Response<wire::HasSchemaResponse>, Status> {
        self.called("has schema", &request);
        let stored = self.with(|state| state.schemas.contains_key(&request.get_ref().digest));
        Ok(Response::new(wire::HasSchemaResponse { stored }))
    }

    async fn put_schema(
        &self,
        request: Request<Streaming<wire::PutSchemaRequest>>,
    ) -> Result<Response<wire::PutSchemaResponse>, Status> {
        self.called("put schema", &request);
        let mut chunks = request.into_inner();
        let (mut digest, mut bytes) = (String::new(), Vec::new());
        while let Some(chunk) = chunks.message().await? {
            if digest.is_empty() {
                digest = chunk.digest;
            }
            bytes.extend(chunk.chunk);
        }
        self.with(|state| state.schemas.insert(digest.clone(), bytes));
        Ok(Response::new(wire::PutSchemaResponse { digest, services: Vec::new(), created: true }))
    }

    async fn list(
        &self,
        request: Request<wire::ListRequest>,
    ) -> Result<Response<wire::ListResponse>, Status> {
        self.called("list", &request);
        self.inner.lists.0.acquire().await.expect("the gate is never closed").forget();
        Ok(Response::new(wire::ListResponse { revision: 7, instances: Vec::new() }))
    }

    async fn watch(&self, _: Request<wire::WatchRequest>) -> Result<Response<Self::WatchStream>, Status> {
        Ok(Response::new(tokio_stream::empty()))
    }
}
