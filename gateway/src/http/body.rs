//! Reading a request's body, whole, bounded in size and in time.

use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, header};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

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

/// Reads a body of at most `bytes_max`.
pub async fn read(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Error> {
    let encoding = headers.get(header::CONTENT_ENCODING);
    let answer = tokio::time::timeout(TIMEOUT, collect(body, bytes_max)).await.unwrap_or(Err(Error::TooSlow));
    if encoding.is_some_and(|encoding| encoding != "identity") {
        return Err(Error::Encoded);
    }
    answer
}

async fn collect(mut body: Body, bytes_max: usize) -> Result<Bytes, Error> {
    let (mut collected, mut seen) = (BytesMut::new(), 0);
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Err(Error::Broken) };
        let Some(chunk) = frame.data_ref() else { continue };
        seen += chunk.len();
        if seen <= bytes_max {
            collected.extend_from_slice(chunk);
        } else {
            collected = BytesMut::new();
            if seen > DRAIN_BYTES_MAX {
                break;
            }
        }
    }
    if seen > bytes_max { Err(Error::TooLarge(bytes_max)) } else { Ok(collected.freeze()) }
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
    use super::*;

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
