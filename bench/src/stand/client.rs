//! A lean HTTP/1.1 client: one kept-alive connection, one request at a time.
//!
//! The load shares a core with the upstream, so it must be far cheaper than what it measures: the
//! request is rendered once, the answer is read into a buffer that is kept. It understands lengths
//! and chunks, refuses everything else, and trusts its server no further than that.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// The longest head, and the longest body, that is read.
const HEAD_MAX: usize = 64 << 10;
const BODY_MAX: usize = 64 << 20;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The connection failed.
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    /// The server closed the connection inside an answer.
    #[error("the connection was closed inside an answer")]
    Closed,
    /// The answer is no HTTP/1.1 that this client reads.
    #[error("the answer cannot be read: {0}")]
    Form(&'static str),
}

/// An answer, borrowed from the connection's buffer.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The whole body.
    pub body: &'a [u8],
}

/// The body of a request, by its kind.
#[derive(Debug, Clone, Copy)]
pub enum Body<'a> {
    /// JSON text; nothing of it for a request without a body.
    Json(&'a [u8]),
    /// An encoded protobuf message.
    Protobuf(&'a [u8]),
}

/// Renders a request, to be sent as often as wanted.
pub fn render(method: &str, path: &str, host: SocketAddr, body: Body<'_>) -> Vec<u8> {
    let (kind, body) = match body {
        Body::Json(body) => ("application/json", body),
        Body::Protobuf(body) => ("application/x-protobuf", body),
    };
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\nuser-agent: turnout-bench\r\n\
         accept: application/json\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A kept-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    /// The body of a chunked answer, without its chunks.
    joined: Vec<u8>,
}

impl Connection {
    /// Connects.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: Vec::with_capacity(64 << 10), joined: Vec::new() })
    }

    /// Sends a rendered request and reads the whole answer. After an error the connection is of no
    /// further use.
    pub async fn ask(&mut self, request: &[u8]) -> Result<Reply<'_>, Error> {
        self.buffer.clear();
        self.stream.write_all(request).await?;
        let head = self.head().await?;
        let end = match head.length {
            Length::Known(length) => {
                let end = head.body + length;
                while self.buffer.len() < end {
                    self.read().await?;
                }
                end
            }
            Length::Chunked => loop {
                self.joined.clear();
                match join(&self.buffer[head.body..], &mut self.joined)? {
                    Some(taken) => break head.body + taken,
                    None => self.read().await?,
                }
            },
        };
        if self.buffer.len() != end {
            return Err(Error::Form("bytes after the end of the body"));
        }
        let body = match head.length {
            Length::Known(_) => &self.buffer[head.body..],
            Length::Chunked => &self.joined,
        };
        Ok(Reply { status: head.status, body })
    }

    async fn head(&mut self) -> Result<Head, Error> {
        loop {
            if let Some(head) = parse(&self.buffer)? {
                return Ok(head);
            }
            if self.buffer.len() > HEAD_MAX {
                return Err(Error::Form("a head without an end"));
            }
            self.read().await?;
        }
    }

    async fn read(&mut self) -> Result<(), Error> {
        if self.buffer.len() > HEAD_MAX + BODY_MAX {
            return Err(Error::Form("a body without an end"));
        }
        match self.stream.read_buf(&mut self.buffer).await? {
            0 => Err(Error::Closed),
            _ => Ok(()),
        }
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Head {
    status: u16,
    length: Length,
    /// Where the body begins.
    body: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Length {
    Known(usize),
    Chunked,
}

/// Reads a head, if all of it is there.
fn parse(bytes: &[u8]) -> Result<Option<Head>, Error> {
    let Some(end) = find(bytes, b"\r\n\r\n") else { return Ok(None) };
    let text = std::str::from_utf8(&bytes[..end]).map_err(|_| Error::Form("a head that is not text"))?;
    let mut lines = text.split("\r\n");
    let status = lines
        .next()
        .and_then(|line| line.strip_prefix("HTTP/1.1 "))
        .and_then(|line| line.get(..3))
        .and_then(|code| code.parse().ok())
        .ok_or(Error::Form("no HTTP/1.1 status line"))?;

    let mut length = None;
    for (name, value) in lines.filter_map(|line| line.split_once(':')) {
        if name.eq_ignore_ascii_case("content-length") {
            let value = value.trim().parse().ok().filter(|length| *length <= BODY_MAX);
            length = Some(Length::Known(value.ok_or(Error::Form("a length that is none"))?));
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            length = Some(Length::Chunked);
        }
    }
    // "No content" needs no length; any other answer of unknown length would end with the connection.
    let length = length
        .or((status == 204).then_some(Length::Known(0)))
        .ok_or(Error::Form("neither a length nor chunks"))?;
    Ok(Some(Head { status, length, body: end + 4 }))
}

/// Appends the content of all chunks to `joined` and says how many bytes they took, or nothing when
/// the last chunk is not there yet.
fn join(bytes: &[u8], joined: &mut Vec<u8>) -> Result<Option<usize>, Error> {
    let mut place = 0;
    loop {
        let Some(line) = find(&bytes[place..], b"\r\n") else { return Ok(None) };
        let size = std::str::from_utf8(&bytes[place..place + line])
            .ok()
            .and_then(|text| usize::from_str_radix(text.split(';').next()?.trim(), 16).ok())
            .filter(|size| *size <= BODY_MAX)
            .ok_or(Error::Form("a chunk without a size"))?;
        let from = place + line + 2;
        let Some(chunk) = bytes.get(from..from + size + 2) else { return Ok(None) };
        if !chunk.ends_with(b"\r\n") {
            return Err(Error::Form("a chunk without an end, or trailers"));
        }
        joined.extend_from_slice(&chunk[..size]);
        place = from + size + 2;
        if size == 0 {
            return Ok(Some(place));
        }
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    /// What a client makes of a server that answers with these pieces and then closes.
    async fn reply_to(pieces: &'static [&'static str]) -> Result<(u16, String), Error> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = async {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 1024];
            assert!(stream.read(&mut request).await.unwrap() > 0);
            for piece in pieces {
                stream.write_all(piece.as_bytes()).await.unwrap();
                stream.flush().await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        let client = async {
            let mut connection = Connection::open(address).await.unwrap();
            let request = render("POST", "/q1", address, Body::Json(b"{}"));
            let reply = connection.ask(&request).await?;
            Ok((reply.status, String::from_utf8_lossy(reply.body).into_owned()))
        };
        tokio::join!(server, client).1
    }

    #[tokio::test]
    async fn a_body_with_a_length_is_read_whatever_pieces_it_comes_in() {
        let whole = reply_to(&["HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"]).await.unwrap();
        let torn =
            reply_to(&["HTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r", "\nhel", "lo"]).await.unwrap();
        assert_eq!(whole, (200, "hello".to_owned()));
        assert_eq!(torn, whole);
    }

    #[tokio::test]
    async fn a_chunked_body_is_joined() {
        let pieces = &[
            "HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n3\r\nhel",
            "\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
        ];
        assert_eq!(reply_to(pieces).await.unwrap(), (503, "hello".to_owned()));
    }

    #[tokio::test]
    async fn an_answer_that_ends_early_or_late_is_an_error() {
        let early = reply_to(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhel"]).await;
        assert!(matches!(early, Err(Error::Closed)), "{early:?}");
        let late = reply_to(&["HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello!"]).await;
        assert!(matches!(late, Err(Error::Form(_))), "{late:?}");
        let none = reply_to(&["HTTP/1.1 200 OK\r\n\r\nhello"]).await;
        assert!(matches!(none, Err(Error::Form(_))), "{none:?}");
    }
}
