//! Who of all gateways leads: whoever holds the key `leader`.
//!
//! The key stands under a lease. Its holder renews the lease well before it ends and counts its time from
//! before the renewal was sent, by a clock that never jumps; etcd counts from later. So by the time that
//! another one can take the key, the first has stepped down by itself, unless its process stood still. What
//! it writes even then is refused: changes compare the revision at which the key came to be.

use std::time::Duration;

use etcd_client::{Compare, CompareOp, PutOptions, Txn, TxnOp};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::{Etcd, gets, lock, revision, value};
use crate::registry::etcd::{Error, Reading};
use crate::registry::store::Leadership;

/// How long a leader that is gone is missed.
const TTL: Duration = Duration::from_secs(10);
/// How often a leader renews. Two renewals may fail.
const RENEW: Duration = Duration::from_secs(3);
/// So much earlier than etcd a leader takes its lease for ended.
const MARGIN: Duration = Duration::from_secs(1);
/// How often those who follow look whether there is a leader, more or less a quarter.
const LOOK: Duration = Duration::from_secs(2);
/// How long leaving may take.
const LEAVE: Duration = Duration::from_millis(500);
/// The longest name that is shown of a leader; anybody may write there.
const NAME_BYTES_MAX: usize = 256;

/// The key that this gateway holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Office {
    lease: i64,
    /// When the key came to be.
    since: u64,
}

impl Etcd {
    /// Stands for election until it is told to stop, and then gives way at once.
    pub(super) async fn elect(&self, stop: &CancellationToken) {
        let campaign = async {
            loop {
                match self.campaign().await {
                    Ok(Some((office, until))) => self.lead(office, until).await,
                    Ok(None) => {}
                    Err(_) => self.follow_leader(None),
                }
                sleep(LOOK * 3 / 4 + rand::random_range(Duration::ZERO..LOOK / 2)).await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = campaign => {}
        }
        let office = *lock(&self.office);
        self.step_down();
        if let Some(office) = office {
            let _ = timeout(LEAVE, self.cluster.lease_revoke(office.lease)).await;
        }
    }

    /// Takes the key if nobody has it: since when it is held, and until when without a renewal.
    async fn campaign(&self) -> Result<Option<(Office, Instant)>, Error> {
        let (held, _) = self.cluster.get(&self.keys.leader(), Reading::Agreed).await?;
        if let Some(held) = held {
            self.follow_leader(Some(shown(&held.value)));
            // Ours from before etcd was away; it could not be given back then.
            if let (true, Some(lease)) = (held.value == self.name.as_bytes(), held.lease) {
                self.cluster.lease_revoke(lease).await?;
            }
            return Ok(None);
        }
        let (lease, key) = (value::new_number(), self.keys.leader());
        let until = Instant::now() + TTL - MARGIN;
        self.cluster.lease_grant(lease, TTL.as_secs()).await?;
        let free = Compare::version(key.clone(), CompareOp::Equal, 0);
        let put = TxnOp::put(key.clone(), self.name.clone(), Some(PutOptions::new().with_lease(lease)));
        let txn = Txn::new().when([free]).and_then([put]).or_else([TxnOp::get(key, None)]);
        let outcome = self.cluster.txn(txn).await;
        match outcome {
            Ok(response) if response.succeeded() => {
                Ok(Some((Office { lease, since: revision(&response) }, until)))
            }
            Ok(response) => {
                let held = gets(&response).pop().and_then(|mut held| held.pop());
                self.follow_leader(held.map(|held| shown(&held.value)));
                self.cluster.lease_revoke(lease).await?;
                Ok(None)
            }
            Err(error) => {
                // Also where the key was taken and the answer lost, it goes with the lease.
                let _ = self.cluster.lease_revoke(lease).await;
                Err(error)
            }
        }
    }

    /// Leads until the key is lost, or may be.
    async fn lead(&self, office: Office, mut until: Instant) {
        *lock(&self.office) = Some(office);
        self.leadership.send_replace(Leadership::Leads);
        tracing::info!(name = self.name, "leads");
        let mut leads = self.leadership.subscribe();
        loop {
            let renewed = tokio::select! {
                () = sleep_until(until) => break,
                _ = leads.wait_for(|now| *now != Leadership::Leads) => break,
                renewed = self.renew_office(office, until) => renewed,
            };
            match renewed {
                Some(longer) => until = longer,
                None => break,
            }
        }
        self.step_down();
        tracing::warn!(name = self.name, "does not lead any more");
        let _ = timeout(LEAVE, self.cluster.lease_revoke(office.lease)).await;
    }

    /// Renews when it is time; until when that is good, or `None` when the key is lost.
    async fn renew_office(&self, office: Office, until: Instant) -> Option<Instant> {
        sleep(RENEW).await;
        loop {
            let sent = Instant::now();
            let renewed = async {
                let alive = self.cluster.lease_keep_alive(office.lease).await?;
                let (held, _) = self.cluster.get(&self.keys.leader(), Reading::Agreed).await?;
                Ok::<bool, Error>(alive && held.is_some_and(|held| held.created_at == office.since))
            };
            match renewed.await {
                Ok(true) => return Some(sent + TTL - MARGIN),
                Ok(false) => return None,
                Err(_) if Instant::now() >= until => return None,
                Err(_) => sleep(Duration::from_millis(200)).await,
            }
        }
    }

    /// What a change must find to be one of the leader's; nothing where this gateway does not lead.
    pub(super) fn fence(&self) -> Option<Compare> {
        let office = (*lock(&self.office))?;
        let since = i64::try_from(office.since).unwrap_or(i64::MAX);
        Some(Compare::create_revision(self.keys.leader(), CompareOp::Equal, since))
    }

    /// Does not lead any more.
    pub(super) fn step_down(&self) {
        if lock(&self.office).take().is_some() {
            self.follow_leader(None);
        }
    }

    fn follow_leader(&self, name: Option<String>) {
        let next = Leadership::Follows(name);
        self.leadership.send_if_modified(|now| {
            let news = *now != next;
            *now = next;
            news
        });
    }
}

fn shown(value: &[u8]) -> String {
    let text = String::from_utf8_lossy(&value[..value.len().min(NAME_BYTES_MAX)]);
    text.chars().filter(|letter| !letter.is_control()).collect()
}
