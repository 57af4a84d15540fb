//! When an instance that stopped sending heartbeats is suspect, and when it is gone.
//!
//! Time is the monotonic age of the registry, handed in by the caller. Heartbeats change nothing but
//! this table: they are not events and are not stored, because after a restart every lease gets its
//! full time anyway, so that nobody goes because the registry was away. For the same reason a time in
//! which nobody looked at the table, because the process was stopped or its disk hung, counts for no one.

use std::collections::HashMap;
use std::time::Duration;

use crate::id::{InstanceId, LeaseId, ServiceName};

/// The shortest time to live that is granted.
pub const TTL_MIN_S: u16 = 5;
/// The longest.
pub const TTL_MAX_S: u16 = 300;
/// Heartbeats a time to live: two may be lost before an instance goes.
pub const HEARTBEATS: u16 = 3;
/// The longest time between two looks that is nobody's fault. The table is looked at four times a second.
const LOOK_MAX: Duration = Duration::from_secs(2);

/// All leases that live.
#[derive(Clone, Debug, Default)]
pub struct Leases {
    by_id: HashMap<LeaseId, Lease>,
    /// When the table was last looked at; `None` before the first look.
    looked_at: Option<Duration>,
}

#[derive(Clone, Debug)]
struct Lease {
    service: ServiceName,
    id: InstanceId,
    ttl: Duration,
    heard_at: Duration,
    silent: bool,
}

/// What happened to a lease.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Due {
    /// Two heartbeats are missing.
    Silent(ServiceName, InstanceId),
    /// Its time has passed; it is no longer in the table.
    Expired(ServiceName, InstanceId),
}

/// A lease that was renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewed {
    /// How many seconds it lives.
    pub ttl_s: u16,
    /// The service of the instance it keeps.
    pub service: ServiceName,
    /// The instance.
    pub id: InstanceId,
}

impl Leases {
    /// Starts a lease, or starts it anew.
    pub fn grant(&mut self, lease: LeaseId, of: (ServiceName, InstanceId), ttl_s: u16, now: Duration) {
        let ttl = Duration::from_secs(ttl_s.into());
        let (service, id) = of;
        self.by_id.insert(lease, Lease { service, id, ttl, heard_at: now, silent: false });
    }

    /// Ends a lease without a trace.
    pub fn revoke(&mut self, lease: LeaseId) {
        self.by_id.remove(&lease);
    }

    /// A heartbeat; `None` when there is no such lease.
    pub fn renew(&mut self, lease: LeaseId, now: Duration) -> Option<Renewed> {
        let found = self.by_id.get_mut(&lease)?;
        found.heard_at = now;
        found.silent = false;
        let ttl_s = u16::try_from(found.ttl.as_secs()).unwrap_or(TTL_MAX_S);
        Some(Renewed { ttl_s, service: found.service.clone(), id: found.id.clone() })
    }

    /// What fell due until now, in order of service and instance. Calling it late or twice is harmless:
    /// heartbeats of a time in which nobody looked may wait unread, so it is given to every lease.
    pub fn step(&mut self, now: Duration) -> Vec<Due> {
        let away = self.looked_at.map_or(Duration::ZERO, |at| now.saturating_sub(at));
        self.looked_at = Some(now);
        let mut due = Vec::new();
        self.by_id.retain(|_, lease| {
            if away > LOOK_MAX {
                lease.heard_at = (lease.heard_at + away).min(now);
            }
            let quiet = now.saturating_sub(lease.heard_at);
            if quiet >= lease.ttl {
                due.push(Due::Expired(lease.service.clone(), lease.id.clone()));
                return false;
            }
            if quiet * u32::from(HEARTBEATS) >= lease.ttl * u32::from(HEARTBEATS - 1) && !lease.silent {
                lease.silent = true;
                due.push(Due::Silent(lease.service.clone(), lease.id.clone()));
            }
            true
        });
        due.sort_by(|a, b| a.whose().cmp(&b.whose()));
        due
    }
}

impl Due {
    fn whose(&self) -> (&ServiceName, &InstanceId) {
        match self {
            Due::Silent(service, id) | Due::Expired(service, id) => (service, id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(id: &str) -> (ServiceName, InstanceId) {
        ("catalog".parse().unwrap(), id.parse().unwrap())
    }

    fn lease(byte: u8) -> LeaseId {
        LeaseId::from_random([byte; 16])
    }

    fn silent(id: &str) -> Due {
        Due::Silent(of(id).0, of(id).1)
    }

    fn expired(id: &str) -> Due {
        Due::Expired(of(id).0, of(id).1)
    }

    /// Looks once a second until then, and tells all that fell due.
    fn watch(leases: &mut Leases, until: u64) -> Vec<Due> {
        let from = leases.looked_at.map_or(0, |at| at.as_secs());
        (from..=until).flat_map(|at| leases.step(s(at))).collect()
    }

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_instance_is_suspect_after_two_heartbeats_and_gone_after_its_time() {
        let mut leases = Leases::default();
        leases.grant(lease(1), of("a"), 15, s(0));
        for (at, due) in [
            (0, vec![]),
            (9, vec![]),
            (10, vec![silent("a")]),
            (14, vec![]),
            (15, vec![expired("a")]),
            (16, vec![]),
        ] {
            assert_eq!(watch(&mut leases, at), due, "after {at} s");
        }
        assert_eq!(leases.renew(lease(1), s(16)), None);
    }

    #[test]
    fn a_heartbeat_keeps_an_instance_and_ends_its_silence() {
        let mut leases = Leases::default();
        leases.grant(lease(1), of("a"), 15, s(0));
        let renewed = leases.renew(lease(1), s(5)).unwrap();
        assert_eq!((renewed.ttl_s, renewed.service, renewed.id), (15, of("a").0, of("a").1));
        assert_eq!(watch(&mut leases, 15), vec![silent("a")]);
        assert!(leases.renew(lease(1), s(16)).is_some());
        assert_eq!(watch(&mut leases, 25), vec![]);
        assert_eq!(watch(&mut leases, 26), vec![silent("a")]);
    }

    #[test]
    fn a_first_look_skips_what_no_longer_matters() {
        let mut leases = Leases::default();
        leases.grant(lease(1), of("b"), 5, s(0));
        leases.grant(lease(2), of("a"), 5, s(0));
        leases.grant(lease(3), of("c"), 60, s(0));
        assert_eq!(leases.step(s(100)), vec![expired("a"), expired("b"), expired("c")]);
    }

    #[test]
    fn a_time_in_which_nobody_looked_counts_for_no_one() {
        let mut leases = Leases::default();
        leases.grant(lease(1), of("a"), 15, s(0));
        assert_eq!(leases.step(s(4)), vec![]);
        leases.grant(lease(2), of("b"), 15, s(60));
        assert_eq!(leases.step(s(64)), vec![], "neither the one before nor the one within");
        assert_eq!(watch(&mut leases, 69), vec![]);
        assert_eq!(watch(&mut leases, 74), vec![silent("a"), silent("b")]);
    }

    #[test]
    fn a_revoked_lease_never_falls_due() {
        let mut leases = Leases::default();
        leases.grant(lease(1), of("a"), 5, s(0));
        leases.revoke(lease(1));
        assert_eq!(leases.step(s(100)), vec![]);
    }
}
