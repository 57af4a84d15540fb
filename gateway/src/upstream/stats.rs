//! What operators and metrics see of pools: numbers as they are at one moment.
//!
//! Counts only grow and begin at zero with the pool. Nothing here is kept; asking costs a look at every
//! instance.

use std::time::Duration;

use turnout_control::id::InstanceId;
use turnout_control::registry::Standing;

pub use super::breaker::Circuit;
use super::roster::Member;

/// How a pool is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolStats {
    /// How many calls may be on their way at once.
    pub limit: usize,
    /// How many are, without streams.
    pub in_flight: usize,
    /// How many wait for room.
    pub waiting: usize,
    /// How many there have been, streams among them, and retries not.
    pub calls: u64,
    /// How many were tried again.
    pub retries: u64,
    /// How many were not sent, because too much was on its way.
    pub sheds: u64,
    /// Those registered, by instance.
    pub endpoints: Vec<EndpointStats>,
}

/// How one address is doing.
#[derive(Clone, Debug, PartialEq)]
pub struct EndpointStats {
    /// Whose it is.
    pub instance: InstanceId,
    /// The address, as it was registered.
    pub url: String,
    /// What the registry makes of the instance.
    pub standing: Standing,
    /// Whether it gets calls.
    pub circuit: Circuit,
    /// The calls it has, streams among them.
    pub in_flight: u32,
    /// How long it takes to answer, of late; `None` when it has not answered yet.
    pub latency: Option<Duration>,
}

impl EndpointStats {
    pub(super) fn of(member: &Member, now: Duration) -> EndpointStats {
        let endpoint = &member.endpoint;
        let latency_s = endpoint.latency().now(now);
        EndpointStats {
            instance: endpoint.identity().instance.clone(),
            url: endpoint.identity().url.clone(),
            standing: member.standing,
            circuit: endpoint.circuit(),
            in_flight: endpoint.in_flight(),
            latency: (latency_s > 0.0).then(|| Duration::from_secs_f64(latency_s)),
        }
    }
}
