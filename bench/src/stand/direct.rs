//! Calls the upstream without anybody in between: what one gRPC call takes by itself.
//!
//! A lean client on hyper's HTTP/2, one call at a time: every µs that it wasted would be taken off what
//! a contender adds.

use std::io;
use std::net::SocketAddr;

use bytes::Bytes;
use http::uri::InvalidUri;
use http::{HeaderValue, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody listens there.
    #[error("connecting to the upstream")]
    Connect(#[source] io::Error),
    /// The method's name makes no address.
    #[error("naming the method")]
    Method(#[from] InvalidUri),
    /// The connection failed.
    #[error("calling the upstream")]
    Call(#[from] hyper::Error),
    /// It answers, and says no.
    #[error("the upstream refused with HTTP {http}, gRPC status {grpc:?}")]
    Refused {
        /// The HTTP status.
        http: StatusCode,
        /// The gRPC status, when there was one.
        grpc: Option<HeaderValue>,
    },
}

/// An open connection on which one method is called.
#[derive(Debug)]
pub struct Caller {
    method: Uri,
    sender: SendRequest<Full<Bytes>>,
    /// Moves the connection's bytes; ends with it.
    _driving: JoinSet<()>,
}

impl Caller {
    /// Connects, to call a method such as `/bench.v1.BenchService/GetUser`.
    pub async fn open(upstream: SocketAddr, method: &str) -> Result<Self, Error> {
        let method = format!("http://{upstream}{method}").parse()?;
        let stream = TcpStream::connect(upstream).await.map_err(Error::Connect)?;
        stream.set_nodelay(true).map_err(Error::Connect)?;
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        let mut driving = JoinSet::new();
        // How it ended shows in the next call.
        driving.spawn(async move { drop(connection.await) });
        Ok(Self { method, sender, _driving: driving })
    }

    /// Sends a framed message and gives the framed answer.
    pub async fn call(&mut self, framed: Bytes) -> Result<Bytes, Error> {
        let mut request = Request::new(Full::new(framed));
        *request.method_mut() = http::Method::POST;
        *request.uri_mut() = self.method.clone();
        request.headers_mut().insert("content-type", HeaderValue::from_static("application/grpc"));
        request.headers_mut().insert("te", HeaderValue::from_static("trailers"));
        self.sender.ready().await?;
        let (head, body) = self.sender.send_request(request).await?.into_parts();
        let body = body.collect().await?;
        let grpc = body.trailers().and_then(|trailers| trailers.get("grpc-status")).cloned();
        if head.status == StatusCode::OK && grpc.as_ref().is_some_and(|status| status == "0") {
            Ok(body.to_bytes())
        } else {
            Err(Error::Refused { http: head.status, grpc })
        }
    }
}
