//! Who is registered for a version, and who of them takes a call.
//!
//! Immutable: a change of the registry makes the next roster, which shares the endpoints that stay. Calls go to
//! those who are up; when there is none, to those who were not heard of; and when there is none of those either,
//! to those who drain: the last instance of a version answers until the graph has moved to another version. A
//! weight of zero means no calls unless all have it. Whose breaker is open is passed over, but somebody is
//! always found.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use turnout_control::id::Timestamp;
use turnout_control::registry::{Endpoint as Address, Registered, Standing};

use super::balance::{Dice, Side, prefer};
use super::breaker::Circuit;
use super::connection::Target;
use super::endpoint::{Endpoint, Identity};
use crate::clock::Clock;

/// An instance's weight counts this often, so that it can be shared among its addresses.
const SHARES: u32 = 64;

/// The endpoints of a version.
#[derive(Debug, Default)]
pub(super) struct Roster {
    members: Vec<Member>,
    takers: Vec<Arc<Endpoint>>,
}

/// An endpoint and what the registry makes of its instance.
#[derive(Debug)]
pub(super) struct Member {
    /// The endpoint.
    pub(super) endpoint: Arc<Endpoint>,
    /// Its instance's standing.
    pub(super) standing: Standing,
    weight: u32,
    /// When its instance was registered, by the clock that never jumps: before zero for one that was there
    /// when this process began.
    born_ms: i64,
}

impl Member {
    /// An address of an instance, with its endpoint if that is known already. `None` for one that cannot be called.
    fn of(
        registered: &Registered,
        address: &Address,
        known: &BTreeMap<&Identity, &Member>,
        equipment: &Equipment,
    ) -> Option<Member> {
        let instance = &registered.instance;
        let identity =
            Identity { instance: instance.id.clone(), incarnation: instance.incarnation, url: address.url() };
        let (endpoint, born_ms) = match known.get(&identity) {
            Some(known) => (known.endpoint.clone(), known.born_ms),
            None => {
                let Some(target) = Target::of(address, &equipment.tls) else {
                    tracing::warn!(instance = %instance.id, url = identity.url, "cannot call this address");
                    return None;
                };
                let endpoint = Endpoint::new(identity, target, equipment.workers);
                (Arc::new(endpoint), equipment.born_ms(registered.registered_at))
            }
        };
        let addresses = u32::try_from(instance.endpoints.len()).unwrap_or(u32::MAX).max(1);
        let weight = (u32::from(instance.weight) * SHARES).div_ceil(addresses);
        Some(Member { endpoint, standing: registered.standing(), weight, born_ms })
    }
}

/// What new endpoints are made with.
#[derive(Clone, Debug)]
pub(super) struct Equipment {
    /// How many workers there are.
    pub(super) workers: usize,
    /// How TLS is spoken with those who want it.
    pub(super) tls: Arc<rustls::ClientConfig>,
    /// What time it is where instances are registered, and here.
    pub(super) clock: Clock,
}

impl Equipment {
    /// When an instance that is new here was registered, in milliseconds of our own clock. The wall clock is
    /// asked once and at most makes it as old as it is here: it may have jumped, or be another machine's.
    fn born_ms(&self, registered_at: Timestamp) -> i64 {
        let age_ms = self.clock.now().0.saturating_sub(registered_at.0);
        signed(self.clock.age()).saturating_sub(i64::try_from(age_ms).unwrap_or(i64::MAX))
    }
}

fn signed(age: Duration) -> i64 {
    i64::try_from(age.as_millis()).unwrap_or(i64::MAX)
}

/// What a call is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// One of many.
    Usual,
    /// The one that decides whether an endpoint gets calls again.
    Probe,
}

/// A search for somebody to call.
#[derive(Debug)]
pub(super) struct Search<'a> {
    /// Now.
    pub(super) now: Duration,
    /// The calls that the pool has had.
    pub(super) calls: u64,
    /// Chance.
    pub(super) dice: Dice,
    /// The one that just failed: better anybody else.
    pub(super) avoid: Option<&'a Arc<Endpoint>>,
    /// Open breakers that may be probed at this time are; `None`: the call is no good for that.
    pub(super) probe_at: Option<Duration>,
}

impl Roster {
    /// The roster after a change: these are registered now.
    pub(super) fn next(&self, registered: &[&Registered], equipment: &Equipment) -> Roster {
        let known: BTreeMap<&Identity, &Member> =
            self.members.iter().map(|member| (member.endpoint.identity(), member)).collect();
        let members: Vec<Member> = registered
            .iter()
            .flat_map(|registered| registered.instance.endpoints.iter().map(|address| (*registered, address)))
            .filter_map(|(registered, address)| Member::of(registered, address, &known, equipment))
            .collect();
        let best = members.iter().filter_map(|member| turn(member.standing)).min();
        let able = || members.iter().filter(move |member| best.is_some() && turn(member.standing) == best);
        let weighed = able().any(|member| member.weight > 0);
        let takers = able()
            .filter(|member| member.weight > 0 || !weighed)
            .inspect(|member| member.endpoint.weigh(member.weight))
            .map(|member| member.endpoint.clone())
            .collect();
        Roster { members, takers }
    }

    /// All that are registered.
    pub(super) fn members(&self) -> &[Member] {
        &self.members
    }

    /// Those that calls are spread over.
    pub(super) fn takers(&self) -> &[Arc<Endpoint>] {
        &self.takers
    }

    /// When the oldest of those who are up was registered; `None` when nobody is.
    pub(super) fn born_ms(&self) -> Option<i64> {
        let up = self.members.iter().filter(|member| match member.standing {
            Standing::Up | Standing::Held => true,
            Standing::Suspect | Standing::Draining | Standing::Refused => false,
        });
        up.map(|member| member.born_ms).min()
    }

    /// How many of those have a breaker that is not closed.
    pub(super) fn out(&self) -> usize {
        self.takers.iter().filter(|endpoint| endpoint.circuit() != Circuit::Closed).count()
    }

    /// One of those that calls are spread over, when all of them are well: constant cost.
    pub(super) fn pick(&self, now: Duration, mut dice: Dice) -> Option<&Arc<Endpoint>> {
        match self.takers.as_slice() {
            [] => None,
            [only] => Some(only),
            takers => {
                let (first, second) = dice.pair(takers.len());
                Some(better(&takers[first], &takers[second], now, &mut dice))
            }
        }
    }

    /// The same when some may not be well, or one is to be avoided: looks at all of them.
    pub(super) fn search(&self, mut search: Search<'_>) -> Option<(&Arc<Endpoint>, Role)> {
        if let Some(probe_at) = search.probe_at {
            let due = |endpoint: &&Arc<Endpoint>| {
                endpoint.circuit() == Circuit::Open && endpoint.try_probe(probe_at, search.calls)
            };
            if let Some(endpoint) = self.takers.iter().find(due) {
                return Some((endpoint, Role::Probe));
            }
        }
        let avoided =
            |endpoint: &Arc<Endpoint>| search.avoid.is_some_and(|avoid| Arc::ptr_eq(avoid, endpoint));
        let well = |endpoint: &Arc<Endpoint>| endpoint.circuit() == Circuit::Closed;
        let (now, dice) = (search.now, &mut search.dice);
        let found = self
            .best(now, dice, |endpoint| well(endpoint) && !avoided(endpoint))
            .or_else(|| self.best(now, dice, well))
            .or_else(|| self.best(now, dice, |endpoint| !avoided(endpoint)))
            .or_else(|| self.best(now, dice, |_| true));
        found.map(|endpoint| (endpoint, Role::Usual))
    }

    /// The better one of two that are drawn from those that fit, each as likely as the other.
    fn best(
        &self,
        now: Duration,
        dice: &mut Dice,
        fits: impl Fn(&Arc<Endpoint>) -> bool,
    ) -> Option<&Arc<Endpoint>> {
        let (mut drawn, mut seen) = ([None, None], 0);
        for endpoint in self.takers.iter().filter(|endpoint| fits(endpoint)) {
            seen += 1;
            let place = if seen <= drawn.len() { seen - 1 } else { dice.below(seen) };
            if let Some(place) = drawn.get_mut(place) {
                *place = Some(endpoint);
            }
        }
        match drawn {
            [Some(first), Some(second)] => Some(better(first, second, now, dice)),
            [only, _] => only,
        }
    }
}

/// Who gets calls first: those with the lowest number that anybody has. `None` gets none in any case.
fn turn(standing: Standing) -> Option<u8> {
    match standing {
        Standing::Up | Standing::Held => Some(0),
        Standing::Suspect => Some(1),
        Standing::Draining => Some(2),
        Standing::Refused => None,
    }
}

fn better<'a>(
    first: &'a Arc<Endpoint>,
    second: &'a Arc<Endpoint>,
    now: Duration,
    dice: &mut Dice,
) -> &'a Arc<Endpoint> {
    match prefer(first.burden(now), second.burden(now), dice.unit()) {
        Side::First => first,
        Side::Second => second,
    }
}
