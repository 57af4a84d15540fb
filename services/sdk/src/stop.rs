//! What tells a service to stop: SIGTERM, Ctrl-C, or a token of its author.
//!
//! Each counts once when it comes. The first asks to leave in order, the second to leave now; who
//! decides that is `service`.

use std::future::pending;

use tokio_util::sync::CancellationToken;
use tracing::warn;

/// The sources of stops.
#[derive(Debug)]
pub(crate) struct Stops {
    token: Option<CancellationToken>,
    #[cfg(unix)]
    signals: Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>,
}

impl Stops {
    /// Begins to listen; from now on the signals no longer end the process by themselves.
    pub(crate) fn listen(token: Option<CancellationToken>) -> Self {
        Self {
            token,
            #[cfg(unix)]
            signals: signals(),
        }
    }

    /// Waits for the next stop and says where it came from.
    pub(crate) async fn next(&mut self) -> &'static str {
        let token = self.token.clone();
        let cancelled = async {
            match token {
                Some(token) => token.cancelled().await,
                None => pending().await,
            }
        };
        #[cfg(unix)]
        let signal = unix_signal(&mut self.signals);
        #[cfg(not(unix))]
        let signal = ctrl_c();
        tokio::select! {
            () = cancelled => {
                self.token = None;
                "its program"
            }
            name = signal => name,
        }
    }
}

#[cfg(unix)]
fn signals() -> Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)> {
    use tokio::signal::unix::{SignalKind, signal};

    match (signal(SignalKind::terminate()), signal(SignalKind::interrupt())) {
        (Ok(terminate), Ok(interrupt)) => Some((terminate, interrupt)),
        (Err(why), _) | (_, Err(why)) => {
            warn!("signals cannot be caught, so a stop will not be in order: {why}");
            None
        }
    }
}

#[cfg(unix)]
async fn unix_signal(
    signals: &mut Option<(tokio::signal::unix::Signal, tokio::signal::unix::Signal)>,
) -> &'static str {
    match signals {
        Some((terminate, interrupt)) => tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "Ctrl-C",
        },
        None => pending().await,
    }
}

#[cfg(not(unix))]
async fn ctrl_c() -> &'static str {
    match tokio::signal::ctrl_c().await {
        Ok(()) => "Ctrl-C",
        Err(why) => {
            warn!("Ctrl-C cannot be caught, so a stop will not be in order: {why}");
            pending().await
        }
    }
}
