//! One document from an issuer: bounded in time and size, by TLS as the system trusts it.
//!
//! Redirects are not followed: the operator names the place. A connection is made for each document, because
//! one is fetched every ten minutes.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future;
use http::uri::{PathAndQuery, Scheme};
use http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// For all of it, from the name to the last byte.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Documents of large issuers have a few KiB.
const BYTES_MAX: usize = 256 << 10;

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The place is not one.
    #[error("the URL names no host")]
    Url,
    /// Nobody was reached.
    #[error("cannot connect")]
    Connect(#[source] io::Error),
    /// HTTP went wrong.
    #[error("the exchange broke off")]
    Http(#[source] hyper::Error),
    /// Another status than 200.
    #[error("the answer was {0}")]
    Status(StatusCode),
    /// It is too long, or it broke off.
    #[error("the document cannot be read, or is larger than 256 KiB")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It took too long.
    #[error("there was no answer within 5 s")]
    Late,
    /// What came is nothing that can be used.
    #[error("the document cannot be used: {0}")]
    Unfit(&'static str),
}

/// Gets a document.
pub(super) async fn get(url: Uri, tls: Arc<ClientConfig>) -> Result<Bytes, Error> {
    timeout(TIMEOUT, within(&url, tls)).await.map_err(|_| Error::Late)?
}

async fn within(url: &Uri, tls: Arc<ClientConfig>) -> Result<Bytes, Error> {
    let host = url.host().ok_or(Error::Url)?;
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let by_tls = url.scheme() == Some(&Scheme::HTTPS);
    let port = url.port_u16().unwrap_or(if by_tls { 443 } else { 80 });
    let stream = TcpStream::connect((host, port)).await.map_err(Error::Connect)?;
    if !by_tls {
        return exchange(url, stream).await;
    }
    let name = ServerName::try_from(host.to_owned()).map_err(|_| Error::Url)?;
    let stream = TlsConnector::from(tls).connect(name, stream).await.map_err(Error::Connect)?;
    exchange(url, stream).await
}

async fn exchange(url: &Uri, stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<Bytes, Error> {
    let authority = url.authority().ok_or(Error::Url)?;
    let path = url.path_and_query().map_or("/", PathAndQuery::as_str);
    let request = Request::get(path)
        .header(header::HOST, authority.as_str())
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())
        .map_err(|_| Error::Url)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(Error::Http)?;
    let asked = async move {
        let answer = sender.send_request(request).await.map_err(Error::Http)?;
        if answer.status() != StatusCode::OK {
            return Err(Error::Status(answer.status()));
        }
        let body = Limited::new(answer.into_body(), BYTES_MAX).collect().await.map_err(Error::Body)?;
        Ok(body.to_bytes())
        // The sender goes here, and the connection ends with it.
    };
    let (answered, _ended) = future::join(asked, connection).await;
    answered
}
