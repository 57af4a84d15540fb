//! A service from its first call to its last.
//!
//! Order is the point of this file. Starting: serve, then register, so that nobody is sent to a closed
//! port. Stopping: say NOT_SERVING and `draining`, give routers time, leave the registry, stop
//! accepting, finish the calls under a deadline. Nothing the registry does or fails to do keeps the
//! service from answering.

use std::pin::pin;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic::transport::Server;
use tonic::transport::server::TcpIncoming;
use tracing::{info, warn};

use crate::health::Health;
use crate::instance::Instance;
use crate::membership::Membership;
use crate::stop::Stops;

/// Notices peers that vanished without a goodbye.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_DEADLINE: Duration = Duration::from_secs(10);

/// A service that listens.
pub(crate) struct Life {
    pub(crate) instance: Instance,
    pub(crate) membership: Option<Membership>,
    pub(crate) health: Health,
    pub(crate) stops: Stops,
    /// How long calls may run after it has stopped accepting.
    pub(crate) finish_within: Duration,
}

impl Life {
    /// Serves until it is stopped.
    pub(crate) async fn run(
        self,
        listener: TcpListener,
        routes: Routes,
    ) -> Result<(), tonic::transport::Error> {
        let Self { instance, membership, mut health, mut stops, finish_within } = self;
        let (leave, close) = (CancellationToken::new(), CancellationToken::new());

        let incoming = TcpIncoming::from(listener).with_nodelay(Some(true));
        let mut server = pin!(
            Server::builder()
                .http2_keepalive_interval(Some(PING_EVERY))
                .http2_keepalive_timeout(Some(PING_DEADLINE))
                .add_routes(routes)
                .serve_with_incoming_shutdown(incoming, close.cancelled())
        );
        let ending = async {
            let stays = async {
                match membership {
                    Some(membership) => membership.run(&leave).await,
                    None => leave.cancelled().await,
                }
            };
            let falls_ill = async {
                leave.cancelled().await;
                health.not_serving().await;
            };
            tokio::join!(falls_ill, stays);
            close.cancel();
            health.end_watches().await;
            tokio::time::sleep(finish_within).await;
        };
        let hurry = async {
            let by = stops.next().await;
            info!("{} {} is told to stop by {by}", instance.service, instance.version);
            leave.cancel();
            stops.next().await
        };

        // The server is polled first, so that it accepts before anyone is told of it.
        tokio::select! {
            biased;
            ended = &mut server => ended?,
            () = ending => warn!("calls were still running after {finish_within:?}; they are cut off"),
            by = hurry => warn!("told to stop a second time, by {by}: stopping now"),
        }
        info!("{} {} has stopped", instance.service, instance.version);
        Ok(())
    }
}
