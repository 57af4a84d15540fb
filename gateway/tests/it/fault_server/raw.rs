//! What no library would send: bytes and frames written by hand.
//!
//! Requests are read only as far as their frames, to know the number of a stream; nothing is unpacked.

use std::io::{Error, Result};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::fault::{Frames, Socket};
use super::{Counters, InFlight, message};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// The largest payload that may be sent without asking.
const PAYLOAD_BYTES_MAX: usize = 16 << 10;
/// How much of a list of headers is sent at most: more than anybody should take.
const FLOOD_BYTES_MAX: usize = 64 << 20;

/// Serves a connection without HTTP/2.
pub(super) async fn socket(mut stream: TcpStream, fault: Socket) -> Result<()> {
    match fault {
        Socket::Refused | Socket::AcceptClose => Ok(()),
        Socket::AcceptHang => std::future::pending().await,
        Socket::SettingsHang => swallow(&mut stream).await,
        Socket::TlsToPlain | Socket::PlainToTls => {
            // A fatal alert of TLS 1.2: protocol version.
            after_first_bytes(&mut stream, &[0x15, 3, 3, 0, 2, 2, 70]).await
        }
        Socket::SettingsGarbage => {
            let mut bytes = frame(SETTINGS, 0, 0, &[0xa5; 5]);
            bytes.extend([0x5a; 100]);
            after_first_bytes(&mut stream, &bytes).await
        }
        Socket::Http1Answer => {
            let text = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 9\r\n\r\n10.1.2.3\n";
            after_first_bytes(&mut stream, text.as_bytes()).await
        }
    }
}

/// Serves a connection with frames of HTTP/2, up to its first call.
pub(super) async fn frames(mut stream: TcpStream, fault: Frames, counters: &Arc<Counters>) -> Result<()> {
    stream.write_all(&frame(SETTINGS, 0, 0, &[])).await?;
    let id = first_call(&mut stream).await?;
    let call = InFlight::begin(counters);
    match fault {
        Frames::GoawayNow => {
            stream.write_all(&goaway(id)).await?;
            close(&mut stream).await?;
        }
        Frames::GoawayRefuse => {
            stream.write_all(&goaway(0)).await?;
            swallow(&mut stream).await?;
        }
        Frames::TcpRst => {
            // With no time to linger, a closed socket sends a reset.
            socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO))?;
        }
        Frames::TcpCloseMid => {
            stream.write_all(&frame(HEADERS, END_HEADERS, id, &head())).await?;
            stream.write_all(&frame(DATA, 0, id, &message::half())).await?;
            close(&mut stream).await?;
        }
        Frames::HeaderFlood => flood(&mut stream, id).await?,
    }
    call.done();
    Ok(())
}

/// Answers once the other side has spoken, and ends.
async fn after_first_bytes(stream: &mut TcpStream, answer: &[u8]) -> Result<()> {
    stream.read_u8().await?;
    stream.write_all(answer).await?;
    close(stream).await
}

/// Ends without a reset: whatever still comes is read.
async fn close(stream: &mut TcpStream) -> Result<()> {
    stream.shutdown().await?;
    swallow(stream).await
}

async fn swallow(stream: &mut TcpStream) -> Result<()> {
    tokio::io::copy(stream, &mut tokio::io::sink()).await.map(|_| ())
}

/// Reads up to the headers of the first call, and returns the number of its stream.
async fn first_call(stream: &mut TcpStream) -> Result<u32> {
    let mut preface = [0; PREFACE.len()];
    stream.read_exact(&mut preface).await?;
    if preface != PREFACE {
        return Err(Error::other("no HTTP/2"));
    }
    loop {
        let length_and_kind = stream.read_u32().await?;
        let flags = stream.read_u8().await?;
        let id = stream.read_u32().await?;
        let mut payload = vec![0; (length_and_kind >> 8) as usize];
        stream.read_exact(&mut payload).await?;
        let kind = length_and_kind.to_be_bytes()[3];
        if kind == SETTINGS && flags & ACK == 0 {
            stream.write_all(&frame(SETTINGS, ACK, 0, &[])).await?;
        }
        if kind == HEADERS {
            return Ok(id);
        }
    }
}

async fn flood(stream: &mut TcpStream, id: u32) -> Result<()> {
    stream.write_all(&frame(HEADERS, 0, id, &head())).await?;
    // Literal, never indexed: `x` with 100 bytes.
    let header = [&[0x10, 1, b'x', 100], &[b'y'; 100][..]].concat();
    let payload = header.repeat(PAYLOAD_BYTES_MAX / header.len());
    let more = frame(CONTINUATION, 0, id, &payload);
    for _ in 0..FLOOD_BYTES_MAX / more.len() {
        stream.write_all(&more).await?;
    }
    close(stream).await
}

fn goaway(last: u32) -> Vec<u8> {
    frame(GOAWAY, 0, 0, &[last.to_be_bytes(), [0; 4]].concat())
}

/// `:status: 200` and `content-type: application/grpc`.
fn head() -> Vec<u8> {
    [&[0x88, 0x0f, 0x10, 16][..], b"application/grpc"].concat()
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap() << 8 | u32::from(kind);
    [&length.to_be_bytes()[..], &[flags], &stream.to_be_bytes(), payload].concat()
}
