//! When to register, when to send a heartbeat, when to try again, and how to leave.
//!
//! A state machine without clock, randomness or network. The caller asks [`Lease::next`] what to do,
//! does it, and tells [`Lease::after`] how it went. At most one thing is under way at a time. Times
//! are durations since the caller's own beginning; `jitter` is a random number in `0.0..1.0`.
//!
//! Invariants: whatever goes wrong with a lease leads back to registering, for ever; a leave ends
//! after at most one announcement, one wait and one removal.

use std::time::Duration;

use crate::backoff;

/// How long one call for leaving may take. There are two, so a dead registry delays a stop by 2 s.
pub(crate) const LEAVE_DEADLINE: Duration = Duration::from_secs(1);

/// Where the registration of this process stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Lease {
    /// Not registered. `last` is a lease that was held before and may live on in the registry.
    Outside { failures: u32, due: Duration, last: Option<String> },
    /// Registered.
    Held { lease: String, ttl: Duration, beat_due: Duration, verify_due: Option<Duration> },
    /// About to tell the registry that this instance is draining.
    Announcing { lease: Option<String> },
    /// Giving routers time to notice, until `until`; then the registration is removed.
    Lingering { lease: Option<String>, until: Duration },
    /// Nothing is left to do.
    Left,
}

/// What to do now.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Action {
    /// Nothing, for this long.
    Wait(Duration),
    /// Store the schema where it is missing, and register.
    Join,
    /// Renew the lease.
    Beat { lease: String, within: Duration },
    /// Renew the lease, and look whether the registration is still there.
    Verify { lease: String, within: Duration },
    /// Register as draining.
    Announce { lease: Option<String> },
    /// Remove the registration.
    Remove { lease: String },
    /// Nothing more.
    End,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Event {
    /// The wait is over.
    Waited,
    /// The registration, or the announcement, was accepted.
    Joined { lease: String, ttl: Duration },
    /// The registry said no, and will say it again.
    Refused,
    /// The registry did not answer, or not as it should.
    Failed,
    /// The registry does not know the lease.
    Gone,
    /// The lease was renewed.
    Kept,
    /// The lease was renewed and the registration is there.
    Verified,
    /// The registration was removed.
    Removed,
    /// The service is to stop. Whatever was under way has been given up.
    Stop,
}

/// The times that configuration decides.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace {
    /// How long routers get to notice that this instance is draining.
    pub(crate) linger: Duration,
    /// How often to look for the registration itself, where a lease can outlive it.
    pub(crate) verify: Option<Duration>,
}

impl Lease {
    /// Before the first try, which is due at once.
    pub(crate) fn new() -> Self {
        Self::Outside { failures: 0, due: Duration::ZERO, last: None }
    }

    /// Whether a stop has begun.
    pub(crate) fn is_leaving(&self) -> bool {
        match self {
            Self::Announcing { .. } | Self::Lingering { .. } | Self::Left => true,
            Self::Outside { .. } | Self::Held { .. } => false,
        }
    }

    /// What to do at `now`.
    pub(crate) fn next(&self, now: Duration) -> Action {
        match self {
            Self::Outside { due, .. } if now < *due => Action::Wait(*due - now),
            Self::Outside { .. } => Action::Join,
            Self::Held { beat_due, .. } if now < *beat_due => Action::Wait(*beat_due - now),
            Self::Held { lease, ttl, verify_due, .. } => {
                let (lease, within) = (lease.clone(), *ttl / 3);
                if verify_due.is_some_and(|due| due <= now) {
                    Action::Verify { lease, within }
                } else {
                    Action::Beat { lease, within }
                }
            }
            Self::Announcing { lease } => Action::Announce { lease: lease.clone() },
            Self::Lingering { until, .. } if now < *until => Action::Wait(*until - now),
            Self::Lingering { lease: Some(lease), .. } => Action::Remove { lease: lease.clone() },
            Self::Lingering { lease: None, .. } | Self::Left => Action::End,
        }
    }

    /// Where things stand after `event`.
    pub(crate) fn after(self, event: Event, now: Duration, jitter: f64, pace: Pace) -> Self {
        let moment = Moment { now, jitter, pace };
        match self {
            Self::Outside { failures, due, last } => moment.outside(failures, due, last, event),
            Self::Held { lease, ttl, beat_due, verify_due } => match event {
                Event::Kept => Self::Held { lease, ttl, beat_due: moment.next_beat(ttl), verify_due },
                Event::Verified => moment.held(lease, ttl),
                // Also where only the answer was lost: registering again is harmless, and it is the
                // one step that mends everything.
                Event::Gone | Event::Failed | Event::Refused => {
                    let due = now + backoff::delay(0, jitter);
                    Self::Outside { failures: 1, due, last: Some(lease) }
                }
                Event::Stop => Self::Announcing { lease: Some(lease) },
                Event::Waited | Event::Joined { .. } | Event::Removed => {
                    Self::Held { lease, ttl, beat_due, verify_due }
                }
            },
            Self::Announcing { lease } => moment.announcing(lease, event),
            Self::Lingering { lease, until } => match event {
                Event::Removed | Event::Gone | Event::Refused | Event::Failed => Self::Left,
                Event::Waited | Event::Joined { .. } | Event::Kept | Event::Verified | Event::Stop => {
                    Self::Lingering { lease, until }
                }
            },
            Self::Left => Self::Left,
        }
    }
}

/// When an event came, and what configuration and chance add to it.
struct Moment {
    now: Duration,
    jitter: f64,
    pace: Pace,
}

impl Moment {
    fn outside(&self, failures: u32, due: Duration, last: Option<String>, event: Event) -> Lease {
        let again = |wait| Lease::Outside {
            failures: failures.saturating_add(1),
            due: self.now + wait,
            last: last.clone(),
        };
        match event {
            Event::Joined { lease, ttl } => self.held(lease, ttl),
            Event::Refused => again(backoff::spread(backoff::CAP, self.jitter)),
            Event::Failed | Event::Gone => again(backoff::delay(failures, self.jitter)),
            // A registration under way may have arrived; an old lease may live on. Only where neither
            // can be is there nobody to take leave of.
            Event::Stop if self.now >= due || last.is_some() => Lease::Announcing { lease: last },
            Event::Stop => Lease::Left,
            Event::Waited | Event::Kept | Event::Verified | Event::Removed => {
                Lease::Outside { failures, due, last }
            }
        }
    }

    fn announcing(&self, lease: Option<String>, event: Event) -> Lease {
        let lease = match event {
            Event::Joined { lease, .. } => Some(lease),
            Event::Gone => None,
            Event::Refused | Event::Failed => lease,
            Event::Waited | Event::Kept | Event::Verified | Event::Removed | Event::Stop => {
                return Lease::Announcing { lease };
            }
        };
        Lease::Lingering { lease, until: self.now + self.pace.linger }
    }

    fn held(&self, lease: String, ttl: Duration) -> Lease {
        let verify_due = self.pace.verify.map(|period| self.now + period);
        Lease::Held { lease, ttl, beat_due: self.next_beat(ttl), verify_due }
    }

    fn next_beat(&self, ttl: Duration) -> Duration {
        self.now + backoff::spread(ttl / 3, self.jitter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TTL: Duration = Duration::from_secs(15);
    const PACE: Pace = Pace { linger: Duration::from_secs(2), verify: Some(Duration::from_secs(30)) };

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn outside(failures: u32, due: u64, last: Option<&str>) -> Lease {
        Lease::Outside { failures, due: at(due), last: last.map(str::to_owned) }
    }

    fn held(beat_due: u64) -> Lease {
        Lease::Held { lease: "a".into(), ttl: TTL, beat_due: at(beat_due), verify_due: Some(at(30)) }
    }

    fn announcing(lease: Option<&str>) -> Lease {
        Lease::Announcing { lease: lease.map(str::to_owned) }
    }

    fn lingering(lease: Option<&str>, until: u64) -> Lease {
        Lease::Lingering { lease: lease.map(str::to_owned), until: at(until) }
    }

    fn joined(lease: &str) -> Event {
        Event::Joined { lease: lease.into(), ttl: TTL }
    }

    #[test]
    fn every_state_knows_what_to_do() {
        let within = at(5);
        let cases = [
            (Lease::new(), 0, Action::Join),
            (outside(2, 9, None), 4, Action::Wait(at(5))),
            (outside(2, 9, None), 9, Action::Join),
            (held(5), 1, Action::Wait(at(4))),
            (held(5), 5, Action::Beat { lease: "a".into(), within }),
            (held(5), 29, Action::Beat { lease: "a".into(), within }),
            (held(5), 30, Action::Verify { lease: "a".into(), within }),
            (announcing(Some("a")), 7, Action::Announce { lease: Some("a".into()) }),
            (lingering(Some("a"), 9), 7, Action::Wait(at(2))),
            (lingering(Some("a"), 9), 9, Action::Remove { lease: "a".into() }),
            (lingering(None, 9), 7, Action::Wait(at(2))),
            (lingering(None, 9), 9, Action::End),
            (Lease::Left, 9, Action::End),
        ];
        for (lease, now, action) in cases {
            assert_eq!(lease.next(at(now)), action, "{lease:?} at {now} s");
        }
    }

    #[test]
    fn every_outcome_leads_somewhere() {
        // Jitter is a half, so that a heartbeat is due after 5 s and a retry after half its ceiling.
        let beating = |beat_due: u64, verify_due: u64| Lease::Held {
            lease: "a".into(),
            ttl: TTL,
            beat_due: at(beat_due),
            verify_due: Some(at(verify_due)),
        };
        let again = |failures: u32, due_ms: u64, last: Option<&str>| Lease::Outside {
            failures,
            due: Duration::from_millis(due_ms),
            last: last.map(str::to_owned),
        };
        let cases = [
            (Lease::new(), joined("a"), 10, beating(15, 40)),
            (Lease::new(), Event::Failed, 10, again(1, 10_500, None)),
            (outside(1, 10, None), Event::Failed, 10, again(2, 11_000, None)),
            (outside(9, 10, None), Event::Failed, 10, again(10, 15_000, None)),
            (outside(3, 10, Some("z")), joined("a"), 10, beating(15, 40)),
            (outside(3, 10, Some("z")), Event::Waited, 10, outside(3, 10, Some("z"))),
            (outside(0, 10, None), Event::Refused, 10, again(1, 20_000, None)),
            (held(5), Event::Kept, 5, beating(10, 30)),
            (held(30), Event::Verified, 31, beating(36, 61)),
            (held(5), Event::Waited, 5, held(5)),
            (held(5), Event::Gone, 5, again(1, 5_500, Some("a"))),
            (held(5), Event::Failed, 5, again(1, 5_500, Some("a"))),
            (held(5), Event::Refused, 5, again(1, 5_500, Some("a"))),
            (held(5), Event::Stop, 3, announcing(Some("a"))),
            (announcing(Some("a")), joined("b"), 3, lingering(Some("b"), 5)),
            (announcing(Some("a")), Event::Failed, 3, lingering(Some("a"), 5)),
            (announcing(Some("a")), Event::Refused, 3, lingering(Some("a"), 5)),
            (announcing(Some("a")), Event::Gone, 3, lingering(None, 5)),
            (lingering(Some("a"), 5), Event::Waited, 5, lingering(Some("a"), 5)),
            (lingering(Some("a"), 5), Event::Removed, 6, Lease::Left),
            (lingering(Some("a"), 5), Event::Failed, 6, Lease::Left),
            (lingering(Some("a"), 5), Event::Gone, 6, Lease::Left),
            (lingering(Some("a"), 5), Event::Refused, 6, Lease::Left),
        ];
        for (lease, event, now, expected) in cases {
            let told = format!("{lease:?} after {event:?}");
            assert_eq!(lease.after(event, at(now), 0.5, PACE), expected, "{told}");
        }
    }

    #[test]
    fn leave_is_taken_only_where_somebody_may_know_us() {
        let cases = [
            // Waiting to try again, and never let in.
            (outside(3, 10, None), 5, Lease::Left),
            // A registration is under way and may have arrived.
            (outside(3, 10, None), 10, announcing(None)),
            // The lease that was lost may live on.
            (outside(3, 10, Some("a")), 5, announcing(Some("a"))),
        ];
        for (lease, now, expected) in cases {
            let told = format!("{lease:?} at {now} s");
            assert_eq!(lease.after(Event::Stop, at(now), 0.5, PACE), expected, "{told}");
        }
    }

    #[test]
    fn after_a_lost_lease_the_first_try_comes_within_a_second() {
        for jitter in [0.0, 0.3, 0.999] {
            let Lease::Outside { due, .. } = held(5).after(Event::Gone, at(5), jitter, PACE) else {
                panic!("a lost lease is outside");
            };
            assert!(due >= at(5) && due < at(6), "{due:?}");
        }
    }

    #[test]
    fn a_refused_registration_is_tried_at_the_cap_however_often() {
        let mut lease = Lease::new();
        let mut now = at(0);
        for _ in 0..5 {
            lease = lease.after(Event::Refused, now, 0.0, PACE);
            let Action::Wait(wait) = lease.next(now) else { panic!("{lease:?} does not wait") };
            assert!(wait >= at(9) && wait <= at(11), "{wait:?}");
            now += wait;
        }
    }

    #[test]
    fn without_a_stop_no_run_of_bad_luck_ends_the_loop() {
        // Every short run of outcomes, at the moment its action is due.
        let outcomes =
            [joined("a"), Event::Refused, Event::Failed, Event::Gone, Event::Kept, Event::Verified];
        let mut leases = vec![(Lease::new(), at(0))];
        for _ in 0..4 {
            let mut next = Vec::new();
            for (lease, now) in leases {
                for outcome in &outcomes {
                    let after = lease.clone().after(outcome.clone(), now, 0.9, PACE);
                    assert!(!after.is_leaving(), "{after:?}");
                    let due = match after.next(now) {
                        Action::Wait(time) => now + time,
                        _ => now,
                    };
                    next.push((after, due));
                }
            }
            leases = next;
        }
    }
}
