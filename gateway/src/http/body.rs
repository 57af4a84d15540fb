//! Reading a request's body, whole, bounded in size and in time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Version, header, request};
use http_body_util::BodyExt;
use hyper::body::Body;

use crate::registry::serve::{Kind, Trouble};

/// For the whole body, however slowly it drips.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(30);
/// How much of a body that is too large is read and thrown away. An answer that is sent while the
/// client still writes is destroyed by the reset that follows.
const DRAIN_BYTES_MAX: usize = 32 << 20;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// It is larger than this.
    #[error("the body is larger than {0} bytes")]
    TooLarge(usize),
    /// It did not arrive in time.
    #[error("the body did not arrive within {} s", TIMEOUT.as_secs())]
    TooSlow,
    /// The connection broke.
    #[error("the body ended early")]
    Broken,
    /// It is compressed.
    #[error("the body is compressed, and only plain bodies are read")]
    Encoded,
}

/// How large a body may be, and how long it may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) bytes_max: usize,
    pub(crate) timeout: Duration,
}

/// Reads a body of at most `bytes_max`.
pub async fn read<B>(headers: &HeaderMap, body: B, bytes_max: usize) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    read_within(headers, body, Bounds { bytes_max, timeout: TIMEOUT }).await
}

/// Reads a body within bounds. One that came in one piece is not copied.
pub(crate) async fn read_within<B>(headers: &HeaderMap, body: B, bounds: Bounds) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    // Whoever waits to be told to continue has sent nothing yet that would have to be taken in.
    let announced = usize::try_from(body.size_hint().lower()).unwrap_or(usize::MAX);
    if announced > bounds.bytes_max && headers.contains_key(header::EXPECT) {
        return Err(Error::TooLarge(bounds.bytes_max));
    }
    let encoding = headers.get(header::CONTENT_ENCODING);
    let collected = tokio::time::timeout(bounds.timeout, collect(body, bounds.bytes_max));
    let answer = collected.await.unwrap_or(Err(Error::TooSlow));
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(Error::Encoded);
    }
    answer
}

/// Takes in what the sender of a refused request still sends. Over HTTP/2 an answer needs no such care,
/// and whoever waits to be told to continue sends nothing.
pub(crate) async fn discard<B>(head: &request::Parts, body: B, timeout: Duration)
where
    B: Body<Data = Bytes> + Unpin,
{
    let waits = head.headers.contains_key(header::EXPECT);
    if head.version < Version::HTTP_2 && !waits && !body.is_end_stream() {
        let _ = tokio::time::timeout(timeout, collect(body, 0)).await;
    }
}

async fn collect<B>(mut body: B, bytes_max: usize) -> Result<Bytes, Error>
where
    B: Body<Data = Bytes> + Unpin,
{
    let (mut first, mut all, mut seen) = (Bytes::new(), BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Error::Broken) };
        let Ok(chunk) = frame.into_data() else { continue };
        seen += chunk.len();
        if seen > bytes_max {
            (first, all) = (Bytes::new(), BytesMut::new());
            if seen > DRAIN_BYTES_MAX {
                break;
            }
        } else if first.is_empty() {
            first = chunk;
        } else {
            if all.is_empty() {
                all.extend_from_slice(&first);
            }
            all.extend_from_slice(&chunk);
        }
    }
    if seen > bytes_max {
        return Err(Error::TooLarge(bytes_max));
    }
    Ok(if all.is_empty() { first } else { all.freeze() })
}

impl From<Error> for Trouble {
    fn from(error: Error) -> Trouble {
        let (kind, code, help) = match error {
            Error::TooLarge(_) => (Kind::TooLarge, "TOO_LARGE", "Send less."),
            Error::TooSlow => (Kind::Malformed, "TOO_SLOW", "Send the body at once."),
            Error::Broken => (Kind::Malformed, "BROKEN_BODY", "Send it again."),
            Error::Encoded => (Kind::Malformed, "ENCODED_BODY", "Leave out Content-Encoding."),
        };
        Trouble::new(kind, code, error.to_string(), help)
    }
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    fn pieces(pieces: &'static [&'static str]) -> Body {
        let pieces =
            pieces.iter().map(|&piece| Ok::<_, std::io::Error>(Bytes::from_static(piece.as_bytes())));
        Body::from_stream(futures_util::stream::iter(pieces))
    }

    #[tokio::test]
    async fn pieces_become_one_in_their_order() {
        let bounds = Bounds { bytes_max: 6, timeout: TIMEOUT };
        for (sent, expected) in [
            (&["ab", "", "cd", "ef"][..], Ok("abcdef")),
            (&["", "abcdef"], Ok("abcdef")),
            (&["abc", "def", ""], Ok("abcdef")),
            (&["abc", "defg"], Err(Error::TooLarge(6))),
            (&["abc", "defg", "h", "i"], Err(Error::TooLarge(6))),
            (&[], Ok("")),
        ] {
            let read = read_within(&HeaderMap::new(), pieces(sent), bounds).await;
            assert_eq!(read.as_deref(), expected.map(str::as_bytes).as_ref().copied(), "{sent:?}");
        }
    }

    async fn read_plain(bytes: usize, max: usize) -> Result<usize, Error> {
        read(&HeaderMap::new(), Body::from(vec![0; bytes]), max).await.map(|bytes| bytes.len())
    }

    #[tokio::test]
    async fn a_body_is_read_up_to_its_bound() {
        assert_eq!(read_plain(10, 10).await, Ok(10));
        assert_eq!(read_plain(11, 10).await, Err(Error::TooLarge(10)));
        assert_eq!(read_plain(0, 10).await, Ok(0));
    }

    #[tokio::test]
    async fn a_compressed_body_is_not_guessed_at() {
        let headers = HeaderMap::from_iter([(header::CONTENT_ENCODING, "gzip".parse().unwrap())]);
        assert_eq!(read(&headers, Body::from("x"), 10).await, Err(Error::Encoded));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_never_ends_is_given_up() {
        let body = Body::from_stream(futures_util::stream::pending::<Result<Bytes, std::io::Error>>());
        assert_eq!(read(&HeaderMap::new(), body, 10).await, Err(Error::TooSlow));
    }
}
