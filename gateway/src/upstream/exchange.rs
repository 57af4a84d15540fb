//! One gRPC call over one connection: the request, the answer, and what it means when it is none.
//!
//! A call is one future that spawns nothing and is woken by its own stream: dropping it resets the stream,
//! and so cancels the call. Whatever phase an answer stops in, the deadline is over all of them. A peer is
//! allowed to send what its window holds; the window opens again by what was handed out, or put into the
//! message that somebody waits for, so a slow reader slows the peer down and nothing piles up here. Who is
//! called, and whether again, is decided elsewhere.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::ResponseFuture;
use http::header::{self, CONTENT_TYPE, HeaderName, HeaderValue, TE, USER_AGENT};
use http::uri::Uri;
use http::{HeaderMap, Method, Request, Response, StatusCode, Version};
use tokio::time::{Instant, timeout_at};
use tonic::Code;

use super::connection::{Connection, Settings, Target};
use super::frame::{Frames, Outbound};
use super::status;
use super::traffic::Unfinished;
use super::{Failure, Outgoing};

/// What begins the name of every header that belongs to gRPC itself.
const GRPC: &str = "grpc-";

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC_ACCEPT_ENCODING: HeaderName = HeaderName::from_static("grpc-accept-encoding");

/// Our own headers, for the size of a request's map.
const OWN_HEADERS: usize = 5;

/// A call that went wrong on one connection.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// What the caller learns when nobody tries again.
    pub failure: Failure,
    /// How far it came, which decides who may try again.
    pub reach: Reach,
    /// How long the service wants to be left alone (`grpc-retry-pushback-ms`); `Some(None)`: for ever.
    pub pushback: Option<Option<Duration>>,
}

/// How far a call came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// The service certainly never saw it.
    Unseen,
    /// Nobody knows.
    Perhaps,
    /// The service answered.
    Answered,
}

/// Calls, and waits for the whole answer: one message. Ends at `outgoing`'s deadline or timeout at the latest,
/// in whichever phase it is; when it is dropped, the call is cancelled.
pub async fn unary(
    connection: &Connection,
    target: &Target,
    settings: &Settings,
    outgoing: &Outgoing<'_>,
) -> Result<Bytes, Attempt> {
    let now = Instant::now();
    let ends = end(outgoing, now);
    let left = ends.saturating_duration_since(now);
    if left.is_zero() {
        return Err(status::late(Reach::Unseen));
    }
    let mut request = request(target, outgoing);
    request.headers_mut().insert(GRPC_TIMEOUT, grpc_timeout(left));
    let answer = answer(connection, settings, request, &outgoing.message);
    timeout_at(ends, answer).await.unwrap_or_else(|_| Err(status::late(Reach::Perhaps)))
}

/// Calls, and waits for the beginning of a stream, until `outgoing`'s deadline or timeout at the latest. What
/// follows has no deadline, and so none is sent. Some services begin a stream with its first message.
pub async fn open(
    connection: &Connection,
    target: &Target,
    settings: &Settings,
    outgoing: &Outgoing<'_>,
) -> Result<Events, Attempt> {
    let now = Instant::now();
    let ends = end(outgoing, now);
    if ends <= now {
        return Err(status::late(Reach::Unseen));
    }
    let begun = begin(connection, settings, request(target, outgoing), &outgoing.message);
    let begun = timeout_at(ends, begun).await.unwrap_or_else(|_| Err(status::late(Reach::Perhaps)))?;
    Ok(begun.map_or_else(Events::none, |incoming| Events { incoming: Some(incoming) }))
}

/// The messages of a server stream. Dropping it cancels the call.
pub struct Events {
    /// `None` after the end.
    incoming: Option<Incoming>,
}

impl Events {
    /// A stream that has ended well already.
    pub(super) fn none() -> Events {
        Events { incoming: None }
    }

    /// The next message; `None` after a good end. A bad one is told once, and then it is `None` as well.
    /// Nothing is lost when the future is dropped before it is ready.
    pub async fn next(&mut self) -> Option<Result<Bytes, Failure>> {
        let incoming = self.incoming.as_mut()?;
        let end = match incoming.next().await {
            Ok(Some(message)) => return Some(Ok(message)),
            Ok(None) => incoming.end().await,
            Err(attempt) => Err(attempt),
        };
        self.incoming = None;
        end.err().map(|attempt| Err(attempt.failure))
    }
}

impl std::fmt::Debug for Events {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Events").field("ended", &self.incoming.is_none()).finish()
    }
}

/// The whole of a call with one answer.
async fn answer(
    connection: &Connection,
    settings: &Settings,
    request: Request<()>,
    message: &Bytes,
) -> Result<Bytes, Attempt> {
    let missing = || status::no_answer(Code::Internal, "the service said OK and sent no message");
    let Some(mut incoming) = begin(connection, settings, request, message).await? else {
        return Err(missing());
    };
    let first = incoming.next().await?;
    if first.is_some() && incoming.next().await?.is_some() {
        return Err(status::no_answer(Code::Internal, "a second message came where one was expected"));
    }
    incoming.end().await?;
    first.ok_or_else(missing)
}

/// Sends a request and waits for the head of its answer. `None` when the head was all, and good.
async fn begin(
    connection: &Connection,
    settings: &Settings,
    request: Request<()>,
    message: &Bytes,
) -> Result<Option<Incoming>, Attempt> {
    let Some(frame) = Outbound::new(message.clone()) else {
        return Err(status::unsendable("the request is over 4 GiB"));
    };
    let traffic = connection.traffic();
    let mark = traffic.mark();
    let response = send(connection, request, frame)?;
    let mut unfinished = Unfinished::new(traffic);
    match response.await {
        Ok(response) => accept(response, unfinished, settings),
        Err(error) => {
            unfinished.finish();
            Err(status::interrupted(&error, traffic.since(mark)))
        }
    }
}

/// Hands the request over to HTTP/2, which sends the message as the peer's window lets it.
fn send(connection: &Connection, request: Request<()>, frame: Outbound) -> Result<ResponseFuture, Attempt> {
    let sent = connection.sender().send_request(request, false);
    let (response, mut stream) = sent.map_err(|error| status::refused(&error))?;
    if let Err(error) = stream.send_data(frame, true) {
        // The stream ended in the meantime: the response says how.
        tracing::trace!(%error, "a request was not sent");
    }
    Ok(response)
}

/// Whether the head is one of gRPC. `None` when it was the whole answer, and OK.
fn accept(
    response: Response<RecvStream>,
    mut unfinished: Unfinished,
    settings: &Settings,
) -> Result<Option<Incoming>, Attempt> {
    let (head, body) = response.into_parts();
    let is_all = body.is_end_stream();
    if is_all {
        unfinished.finish();
    }
    let has_status = is_all && head.headers.contains_key("grpc-status");
    if head.status != StatusCode::OK {
        // A status of gRPC tells more than that of HTTP, unless it says that all is well.
        let http = status::http(head.status);
        return Err(if has_status { status::ending(head.headers).err().unwrap_or(http) } else { http });
    }
    match head.headers.get(CONTENT_TYPE) {
        Some(kind) if !is_grpc(kind.as_bytes()) => {
            return Err(status::no_answer(Code::Unknown, "the answer's content-type is not gRPC's"));
        }
        None if !has_status => {
            return Err(status::no_answer(Code::Unknown, "the answer has no content-type"));
        }
        Some(_) | None => {}
    }
    if is_all {
        return status::ending(head.headers).map(|()| None);
    }
    Ok(Some(Incoming { body, frames: Frames::new(settings.message_bytes_max), unfinished }))
}

/// `application/grpc`, alone or with `+proto` or parameters: other formats are not read.
fn is_grpc(kind: &[u8]) -> bool {
    let prefix = b"application/grpc";
    let Some((begin, rest)) = kind.split_at_checked(prefix.len()) else { return false };
    let rest = rest.strip_prefix(b"+proto").unwrap_or(rest);
    begin.eq_ignore_ascii_case(prefix) && matches!(rest.trim_ascii_start(), [] | [b';', ..])
}

/// An answer whose head has come.
struct Incoming {
    body: RecvStream,
    frames: Frames,
    unfinished: Unfinished,
}

impl Incoming {
    /// The next message; `None` when the data ends.
    async fn next(&mut self) -> Result<Option<Bytes>, Attempt> {
        loop {
            let waiting = self.frames.waiting_bytes();
            let next = self.frames.next().map_err(status::broken)?;
            let used = waiting - self.frames.waiting_bytes();
            if used > 0 {
                // Fails when the peer has reset the stream, which is told with the next data.
                let _ = self.body.flow_control().release_capacity(used);
            }
            if next.is_some() {
                return Ok(next);
            }
            match self.body.data().await {
                Some(Ok(chunk)) => self.frames.push(chunk),
                Some(Err(error)) => return Err(self.interrupted(&error)),
                None => return Ok(None),
            }
        }
    }

    /// How it ended. To be called when `next` has no more.
    async fn end(&mut self) -> Result<(), Attempt> {
        let trailers = self.body.trailers().await.map_err(|error| self.interrupted(&error))?;
        self.unfinished.finish();
        // Data may be the last that comes: then there is no status either.
        status::ending(trailers.unwrap_or_default())?;
        if self.frames.is_cut() {
            return Err(status::no_answer(Code::Internal, "the last message was cut off"));
        }
        Ok(())
    }

    /// What ended it, when it had begun.
    fn interrupted(&mut self, error: &h2::Error) -> Attempt {
        self.unfinished.finish();
        status::interrupted(error, status::Sent::Perhaps)
    }
}

fn end(outgoing: &Outgoing<'_>, now: Instant) -> Instant {
    match outgoing.timeout.and_then(|timeout| now.checked_add(timeout)) {
        Some(end) => end.min(outgoing.deadline),
        None => outgoing.deadline,
    }
}

fn request(target: &Target, outgoing: &Outgoing<'_>) -> Request<()> {
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(target.scheme.clone());
    uri.authority = Some(target.authority.clone());
    uri.path_and_query = Some(outgoing.path.clone());
    let mut request = Request::new(());
    *request.method_mut() = Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::from_parts(uri).expect("a scheme, an authority and a path are a URI");

    let mut headers = HeaderMap::with_capacity(OWN_HEADERS + outgoing.metadata.len());
    headers.insert(TE, HeaderValue::from_static("trailers"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    headers.insert(USER_AGENT, HeaderValue::from_static(concat!("turnout/", env!("CARGO_PKG_VERSION"))));
    headers.insert(GRPC_ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    for (name, value) in outgoing.metadata {
        if !is_reserved(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    *request.headers_mut() = headers;
    request
}

/// What metadata may not say: what gRPC says itself, and what HTTP/2 has no use for.
fn is_reserved(name: &HeaderName) -> bool {
    const RESERVED: [HeaderName; 13] = [
        TE,
        CONTENT_TYPE,
        USER_AGENT,
        header::HOST,
        header::CONTENT_LENGTH,
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::TRAILER,
        header::UPGRADE,
        header::EXPECT,
        HeaderName::from_static("keep-alive"),
        HeaderName::from_static("proxy-connection"),
        HeaderName::from_static("http2-settings"),
    ];
    name.as_str().starts_with(GRPC) || RESERVED.contains(name)
}

/// The time that is left, as gRPC writes it: at most eight digits, and never more than it is.
fn grpc_timeout(left: Duration) -> HeaderValue {
    const ABOVE: u128 = 100_000_000;
    let units = [
        (left.as_micros().max(1), 'u'),
        (left.as_millis(), 'm'),
        (left.as_secs().into(), 'S'),
        ((left.as_secs() / 60).into(), 'M'),
    ];
    let (number, unit) = units.into_iter().find(|(number, _)| *number < ABOVE).unwrap_or((ABOVE - 1, 'M'));
    let mut text = Text { bytes: [0; 9], length: 0 };
    write!(text, "{number}{unit}").expect("eight digits and a letter are nine bytes");
    HeaderValue::from_bytes(&text.bytes[..text.length]).expect("digits and a letter are a header")
}

/// A text on the stack.
struct Text {
    bytes: [u8; 9],
    length: usize,
}

impl Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(std::fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests;
