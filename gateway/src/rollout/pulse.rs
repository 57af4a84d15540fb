//! How the loop is doing that moves rollouts, for those who look after the gateway.

use tokio::time::Instant;

/// How the loop is doing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pulse {
    /// When it last took up what gateways counted; `None` while another gateway leads, or before the first time.
    pub ticked: Option<Instant>,
    /// How many rollouts have not ended.
    pub live: usize,
    /// Whether what it decides cannot be written.
    pub away: bool,
}
