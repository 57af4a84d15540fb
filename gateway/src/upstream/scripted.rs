//! A service for tests, which does with each call what its script says.
//!
//! It is a real HTTP/2 server, over memory so that time can stand still, or over TCP. What HTTP/2 itself
//! forbids is written by hand, as bytes.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::{BufMut, Bytes, BytesMut};
use futures_util::stream::{FuturesUnordered, StreamExt};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::uri::{PathAndQuery, Scheme};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use turnout_control::registration::Terms;
use turnout_schema::graph::Safety;

use super::Outgoing;
use super::connection::{Connection, Settings, Target};
use super::exchange::{Attempt, Events, open, unary};

pub(super) const MESSAGE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// What becomes of the connection after a call.
pub(crate) enum After {
    GoOn,
    /// Take no more calls, and say that this one was not seen either.
    Disown(Reason),
    /// Take no more calls, finish those that are there.
    Finish,
    /// Close it without a word.
    HangUp,
}

/// One call, as the service has it.
pub(crate) struct Call {
    pub(crate) request: Request<RecvStream>,
    pub(super) respond: SendResponse<Bytes>,
    /// The answer, once it has begun. It stays open until it was ended or the script is over.
    pub(super) stream: Option<SendStream<Bytes>>,
}

impl Call {
    /// The bytes of the request, frame and all, or as much as came before its caller gave up.
    pub(crate) async fn body(&mut self) -> Vec<u8> {
        let mut all = Vec::new();
        let body = self.request.body_mut();
        while let Some(Ok(chunk)) = body.data().await {
            body.flow_control().release_capacity(chunk.len()).unwrap();
            all.extend_from_slice(&chunk);
        }
        all
    }

    /// Begins an answer of gRPC.
    pub(super) fn begin(&mut self) -> &mut SendStream<Bytes> {
        self.begin_with(200, &[("content-type", "application/grpc")])
    }

    /// Begins an answer of any kind.
    pub(super) fn begin_with(
        &mut self,
        status: u16,
        fields: &[(&'static str, &str)],
    ) -> &mut SendStream<Bytes> {
        self.stream.insert(self.respond.send_response(head(status, fields), false).unwrap())
    }

    /// Answers with headers alone.
    pub(crate) fn say(&mut self, status: u16, fields: &[(&'static str, &str)]) {
        self.respond.send_response(head(status, fields), true).unwrap();
    }

    /// Answers with these bytes and a status.
    pub(crate) fn answer(&mut self, bytes: impl Into<Bytes>, status: &str) {
        self.begin();
        self.answer_begun(bytes, status);
    }

    /// The rest of an answer, unless nobody wants it any more.
    pub(super) fn answer_begun(&mut self, bytes: impl Into<Bytes>, status: &str) {
        let stream = self.stream.as_mut().unwrap();
        if stream.send_data(bytes.into(), false).is_ok() {
            let _ = stream.send_trailers(fields(&[("grpc-status", status)]));
        }
    }

    /// Why the caller reset the call; waits until it does.
    pub(super) async fn reset(&mut self) -> Reason {
        let reset = std::future::poll_fn(|cx| match &mut self.stream {
            Some(stream) => stream.poll_reset(cx),
            None => self.respond.poll_reset(cx),
        });
        reset.await.unwrap()
    }
}

fn head(status: u16, headers: &[(&'static str, &str)]) -> Response<()> {
    let mut response = Response::builder().status(status).body(()).unwrap();
    *response.headers_mut() = fields(headers);
    response
}

pub(super) fn fields(fields: &[(&'static str, &str)]) -> HeaderMap {
    let field = |(name, value): &(&'static str, &str)| {
        (HeaderName::from_static(name), HeaderValue::from_bytes(value.as_bytes()).unwrap())
    };
    fields.iter().map(field).collect()
}

/// A message in its frame.
pub(crate) fn framed(message: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(message.len() + 5);
    frame.put_u8(0);
    frame.put_u32(u32::try_from(message.len()).unwrap());
    frame.put_slice(message);
    frame.freeze()
}

/// Runs a service on an open transport until its script or its peer ends it.
pub(crate) async fn serve<T, F, R>(io: T, script: F)
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Call) -> R,
    R: Future<Output = After>,
{
    serve_as(h2::server::Builder::new(), io, script).await;
}

/// Runs a service with settings of its own.
pub(super) async fn serve_as<T, F, R>(builder: h2::server::Builder, io: T, script: F)
where
    T: AsyncRead + AsyncWrite + Unpin,
    F: Fn(Call) -> R,
    R: Future<Output = After>,
{
    let Ok(mut connection) = builder.handshake::<_, Bytes>(io).await else { return };
    let mut calls = FuturesUnordered::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => match accepted {
                Some(Ok((request, respond))) => calls.push(script(Call { request, respond, stream: None })),
                Some(Err(_)) | None => return,
            },
            Some(after) = calls.next() => match after {
                After::GoOn => {}
                After::Disown(reason) => connection.abrupt_shutdown(reason),
                After::Finish => connection.graceful_shutdown(),
                After::HangUp => return,
            },
        }
    }
}

/// A service and a connection to it.
#[derive(Debug)]
pub(super) struct Wired {
    pub(super) connection: Connection,
    pub(super) target: Target,
    pub(super) settings: Settings,
    pub(super) tasks: TaskTracker,
}

/// A connection in memory to a service with this script.
pub(super) async fn wired<F, R>(script: F) -> Wired
where
    F: Fn(Call) -> R + Send + 'static,
    R: Future<Output = After> + Send + 'static,
{
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let wired = over(ours).await;
    wired.tasks.spawn(serve(theirs, script));
    wired
}

/// A connection over one end of a pipe.
pub(super) async fn over(ours: DuplexStream) -> Wired {
    let tasks = TaskTracker::new();
    let connection = Connection::over(ours, &tasks).await.unwrap();
    let target = target(SocketAddr::from(([127, 0, 0, 1], 1)));
    Wired { connection, target, settings: settings(&["127.0.0.0/8"]), tasks }
}

pub(super) fn target(address: SocketAddr) -> Target {
    Target {
        host: address.ip().to_string(),
        port: address.port(),
        authority: "catalog.test:50051".parse().unwrap(),
        scheme: Scheme::HTTP,
        tls: None,
    }
}

pub(crate) fn settings(networks: &[&str]) -> Settings {
    Settings {
        connect_timeout: Duration::from_secs(1),
        message_bytes_max: MESSAGE_BYTES_MAX,
        terms: terms(networks).1,
    }
}

/// Which networks may be connected to, and how to change that.
pub(super) fn terms(networks: &[&str]) -> (watch::Sender<Terms>, watch::Receiver<Terms>) {
    let allow_cidrs = networks.iter().map(|network| network.parse().unwrap()).collect();
    watch::channel(Terms { allow_cidrs, ttl_s: 15 })
}

/// What calls carry that care about nothing else.
pub(super) struct Letter {
    pub(super) path: PathAndQuery,
    pub(super) message: Bytes,
    pub(super) metadata: HeaderMap,
    pub(super) timeout: Option<Duration>,
    pub(super) deadline: Instant,
}

impl Letter {
    pub(super) fn new(message: impl Into<Bytes>) -> Letter {
        Letter {
            path: PathAndQuery::from_static("/shop.Catalog/Get"),
            message: message.into(),
            metadata: HeaderMap::new(),
            timeout: None,
            deadline: Instant::now() + Duration::from_secs(5),
        }
    }

    fn outgoing(&self) -> Outgoing<'_> {
        Outgoing {
            path: &self.path,
            message: self.message.clone(),
            metadata: &self.metadata,
            safety: Safety::Once,
            deadline: self.deadline,
            timeout: self.timeout,
        }
    }
}

impl Wired {
    pub(super) async fn send(&self, letter: &Letter) -> Result<Bytes, Attempt> {
        unary(&self.connection, &self.target, &self.settings, &letter.outgoing()).await
    }

    pub(super) async fn call(&self) -> Result<Bytes, Attempt> {
        self.send(&Letter::new("ping")).await
    }

    pub(super) async fn open(&self) -> Result<Events, Attempt> {
        self.open_with(&Letter::new("ping")).await
    }

    pub(super) async fn open_with(&self, letter: &Letter) -> Result<Events, Attempt> {
        open(&self.connection, &self.target, &self.settings, &letter.outgoing()).await
    }
}
