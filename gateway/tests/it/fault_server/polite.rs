//! Connections that keep to HTTP/2, by the library, and perform the script of each call.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::Request;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::fault::{Answer, Fault};
use super::script::{Body, DRIP, End, Script, script};
use super::{Counters, InFlight};

/// Between what was sent and a reset, which would overtake it otherwise.
const BEFORE_RESET: Duration = Duration::from_millis(20);

/// The caller is gone.
struct Gone;

/// Serves one connection to its end.
pub(super) async fn serve(
    stream: TcpStream,
    fault: watch::Receiver<Fault>,
    counters: &Arc<Counters>,
) -> std::io::Result<()> {
    let mut builder = h2::server::Builder::new();
    if answer(&fault) == Answer::MaxStreams1 {
        builder.max_concurrent_streams(1);
    }
    if answer(&fault) == Answer::FlowStall {
        builder.initial_window_size(0);
    }
    let mut connection = builder.handshake::<_, Bytes>(stream).await.map_err(std::io::Error::other)?;
    let mut calls = JoinSet::new();
    loop {
        tokio::select! {
            accepted = connection.accept() => {
                let Some(accepted) = accepted else { break };
                let (request, respond) = accepted.map_err(std::io::Error::other)?;
                let call = InFlight::begin(counters);
                let script = script(answer(&fault), call.nth);
                calls.spawn(async move {
                    if perform(script, request, respond).await.is_ok() {
                        call.done();
                    }
                });
            }
            Some(_) = calls.join_next() => {
                if answer(&fault) == Answer::GoawayGraceful {
                    connection.graceful_shutdown();
                }
            }
        }
    }
    Ok(())
}

/// Who only speaks plain text to TLS never gets so far.
fn answer(fault: &watch::Receiver<Fault>) -> Answer {
    match *fault.borrow() {
        Fault::Answer(answer) => answer,
        Fault::Socket(_) | Fault::Frames(_) => Answer::Ok,
    }
}

async fn perform(
    script: Script,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> Result<(), Gone> {
    let mut request = request.into_body();
    if !matches!(script.end, End::Unread) {
        read(&mut request).await?;
    }
    wait(script.wait, |cx| respond.poll_reset(cx)).await?;
    let Some(head) = script.head else {
        return match script.end {
            End::Reset(reason) => {
                respond.send_reset(reason);
                Ok(())
            }
            End::Head | End::Data | End::Trailers(_) | End::Never | End::Unread => {
                wait(Duration::MAX, |cx| respond.poll_reset(cx)).await
            }
        };
    };
    let is_all = matches!(script.end, End::Head);
    let mut sending = respond.send_response(head, is_all).map_err(|_| Gone)?;
    send(script.body, &script.end, &mut sending).await?;
    match script.end {
        End::Head | End::Data => Ok(()),
        End::Trailers(trailers) => sending.send_trailers(trailers).map_err(|_| Gone),
        End::Reset(reason) => {
            wait(BEFORE_RESET, |cx| sending.poll_reset(cx)).await?;
            sending.send_reset(reason);
            Ok(())
        }
        End::Never | End::Unread => wait(Duration::MAX, |cx| sending.poll_reset(cx)).await,
    }
}

async fn read(request: &mut RecvStream) -> Result<(), Gone> {
    while let Some(piece) = request.data().await {
        let size = piece.map_err(|_| Gone)?.len();
        request.flow_control().release_capacity(size).map_err(|_| Gone)?;
    }
    Ok(())
}

async fn send(body: Body, end: &End, sending: &mut SendStream<Bytes>) -> Result<(), Gone> {
    match body {
        Body::Whole(bytes) if bytes.is_empty() => Ok(()),
        Body::Whole(bytes) => sending.send_data(bytes, matches!(end, End::Data)).map_err(|_| Gone),
        Body::Drip(bytes) => {
            for byte in bytes {
                sending.send_data(Bytes::copy_from_slice(&[byte]), false).map_err(|_| Gone)?;
                wait(DRIP, |cx| sending.poll_reset(cx)).await?;
            }
            Ok(())
        }
    }
}

/// Waits, unless the caller goes away.
async fn wait(
    time: Duration,
    mut poll_reset: impl FnMut(&mut std::task::Context<'_>) -> std::task::Poll<Result<Reason, h2::Error>>,
) -> Result<(), Gone> {
    tokio::select! {
        _ = poll_fn(|cx| poll_reset(cx)) => Err(Gone),
        () = tokio::time::sleep(time) => Ok(()),
    }
}
