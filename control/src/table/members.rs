//! Who says what: each source's claim about each instance, and what is shown of it.
//!
//! An instance is a name in a service. Several keys of a source may make one claim: it ends with the last of
//! them. Several sources may claim one instance, by its name or by its addresses: one of the claims is shown.
//! A claim that is written nowhere any more is in doubt, and is kept only while it is shown. Claims are taken
//! out and put back whole, so that what is counted and looked up here is right in between.

use std::collections::{BTreeMap, BTreeSet};

use super::Name;
use super::doubt::Doubt;
use crate::id::{InstanceId, ServiceName, SourceName, Version};
use crate::registry::{Intent, Presence, Registered, Why};

/// A source in the order of precedence: a smaller one goes first.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) rank: usize,
    pub(super) source: SourceName,
}

/// How many are registered and take calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Alive {
    pub(super) of_service: usize,
    pub(super) of_source: usize,
}

/// What one source says of one instance.
#[derive(Clone, Debug)]
pub(super) struct Claim {
    /// What it says, or said last; `Here` or `Silent`.
    said: Registered,
    /// Where that is, in order.
    addresses: Vec<String>,
    hold: Hold,
}

/// What keeps a claim.
#[derive(Clone, Debug)]
enum Hold {
    /// These entries; never none. One without a lease is tried all the same.
    Written { entries: BTreeMap<String, Registered>, vigil: Option<Doubt> },
    /// Only that nobody knows better.
    Doubted(Doubt),
}

impl Claim {
    /// A claim of one entry.
    pub(super) fn written(key: String, said: Registered) -> Claim {
        let hold = Hold::Written { entries: BTreeMap::from([(key, said.clone())]), vigil: vigil(&said) };
        Claim { addresses: addresses(&said), said, hold }
    }

    /// A claim that is written nowhere.
    pub(super) fn doubted(said: Registered, doubt: Doubt) -> Claim {
        let said = Registered { presence: Presence::Here, ..said };
        Claim { addresses: addresses(&said), said, hold: Hold::Doubted(doubt) }
    }

    /// One of its entries says this now. It ends a doubt.
    pub(super) fn put(self, key: String, said: Registered) -> Claim {
        match self.hold {
            Hold::Written { mut entries, vigil } => {
                entries.insert(key, said);
                Claim { hold: Hold::Written { entries, vigil }, ..self }.settled()
            }
            Hold::Doubted(_) => Claim::written(key, said),
        }
    }

    /// One of its entries is gone: what is left, or what was said last when that was the last one.
    pub(super) fn without(self, key: &str) -> Result<Claim, Registered> {
        match self.hold {
            Hold::Written { mut entries, vigil } => {
                entries.remove(key);
                if entries.is_empty() {
                    return Err(self.said);
                }
                Ok(Claim { hold: Hold::Written { entries, vigil }, ..self }.settled())
            }
            Hold::Doubted(doubt) => Ok(Claim { hold: Hold::Doubted(doubt), ..self }),
        }
    }

    /// Of several entries the one of the newest process counts, and who is heard before who is not. What was
    /// found of a process holds for that process.
    fn settled(mut self) -> Claim {
        if let Hold::Written { entries, vigil: watched } = &mut self.hold {
            let newest = entries.iter().max_by_key(|(key, said)| {
                (said.presence == Presence::Here, said.instance.incarnation, said.registered_at, *key)
            });
            let Some((_, said)) = newest else { return self };
            if said.lease.is_some() || watched.is_none() || said.instance != self.said.instance {
                *watched = vigil(said);
            }
            self.addresses = addresses(said);
            self.said = said.clone();
        }
        self
    }

    /// What it says, or said last.
    pub(super) fn said(&self) -> &Registered {
        &self.said
    }

    /// What one of its entries says.
    pub(super) fn entry(&self, key: &str) -> Option<&Registered> {
        match &self.hold {
            Hold::Written { entries, .. } => entries.get(key),
            Hold::Doubted(_) => None,
        }
    }

    /// The doubt of one that is written nowhere.
    pub(super) fn doubt(&self) -> Option<&Doubt> {
        match &self.hold {
            Hold::Written { .. } => None,
            Hold::Doubted(doubt) => Some(doubt),
        }
    }

    /// What is found out about it by trying, wherever it is written.
    pub(super) fn tried(&self) -> Option<&Doubt> {
        match &self.hold {
            Hold::Written { vigil, .. } => vigil.as_ref(),
            Hold::Doubted(doubt) => Some(doubt),
        }
    }

    /// The same, to change it, with what was said last.
    fn tried_mut(&mut self) -> Option<(&mut Doubt, &Registered)> {
        let tried = match &mut self.hold {
            Hold::Written { vigil, .. } => vigil.as_mut(),
            Hold::Doubted(doubt) => Some(doubt),
        };
        tried.map(|tried| (tried, &self.said))
    }

    /// Where it is, in order.
    pub(super) fn addresses(&self) -> &[String] {
        &self.addresses
    }

    /// The instance as its source and the doubt have it.
    pub(super) fn registered(&self) -> Registered {
        let presence = match (self.said.presence, self.tried()) {
            (Presence::Here, Some(tried)) => tried.presence(),
            (said, _) => said,
        };
        Registered { presence, ..self.said.clone() }
    }

    /// Whether it is registered and takes calls.
    fn counts(&self) -> bool {
        matches!(self.hold, Hold::Written { .. }) && takes_calls(&self.said)
    }
}

/// Whether who says this is to be called. Who is not is not missed either.
pub(super) fn takes_calls(said: &Registered) -> bool {
    said.refused.is_none() && said.instance.intent == Intent::Up
}

fn vigil(said: &Registered) -> Option<Doubt> {
    said.lease.is_none().then(Doubt::unleased)
}

fn addresses(said: &Registered) -> Vec<String> {
    let urls: BTreeSet<String> = said.instance.endpoints.iter().map(crate::registry::Endpoint::url).collect();
    urls.into_iter().collect()
}

/// All claims about one instance.
#[derive(Clone, Debug)]
pub(super) struct Slot {
    pub(super) claims: BTreeMap<Place, Claim>,
    /// What others were told of it.
    pub(super) shown: Option<Registered>,
    /// Why its last claim went.
    pub(super) why: Why,
}

/// All instances of one service.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) slots: BTreeMap<InstanceId, Slot>,
    /// Who claims an address.
    addresses: BTreeMap<String, BTreeSet<InstanceId>>,
    alive: usize,
}

/// All instances.
#[derive(Clone, Debug, Default)]
pub(super) struct Members {
    pub(super) services: BTreeMap<ServiceName, Group>,
    alive: BTreeMap<SourceName, usize>,
    /// Who may have to be shown otherwise because a claim at one of its addresses was taken out.
    stirred: BTreeSet<Name>,
}

impl Members {
    /// A claim.
    pub(super) fn claim(&self, (service, id): &Name, place: &Place) -> Option<&Claim> {
        self.services.get(service)?.slots.get(id)?.claims.get(place)
    }

    /// All entries with what they say, and claims in doubt under the name of their instance.
    pub(super) fn entries(&self) -> Vec<(SourceName, String, Registered)> {
        let mut all = Vec::new();
        for (service, group) in &self.services {
            for (id, slot) in &group.slots {
                for (place, claim) in &slot.claims {
                    let source = &place.source;
                    match &claim.hold {
                        Hold::Written { entries, .. } => all.extend(
                            entries.iter().map(|(key, said)| (source.clone(), key.clone(), said.clone())),
                        ),
                        Hold::Doubted(_) => {
                            all.push((source.clone(), format!("{service}/{id}"), claim.registered()));
                        }
                    }
                }
            }
        }
        all
    }

    /// What is found out about a claim by trying, with what was said last.
    pub(super) fn tried_mut(
        &mut self,
        (service, id): &Name,
        place: &Place,
    ) -> Option<(&mut Doubt, &Registered)> {
        self.services.get_mut(service)?.slots.get_mut(id)?.claims.get_mut(place)?.tried_mut()
    }

    /// Takes a claim out.
    pub(super) fn take(&mut self, (service, id): &Name, place: &Place) -> Option<Claim> {
        let group = self.services.get_mut(service)?;
        let slot = group.slots.get_mut(id)?;
        let claim = slot.claims.remove(place)?;
        if claim.counts() {
            group.alive -= 1;
            if let Some(alive) = self.alive.get_mut(&place.source) {
                *alive -= 1;
            }
        }
        for address in &claim.addresses {
            let Some(ids) = group.addresses.get_mut(address) else { continue };
            // Another source may claim the instance there as well.
            if slot.claims.values().all(|other| !other.addresses.contains(address)) {
                ids.remove(id);
            }
            self.stirred.extend(ids.iter().map(|other| (service.clone(), other.clone())));
            if ids.is_empty() {
                group.addresses.remove(address);
            }
        }
        Some(claim)
    }

    /// Puts a claim in.
    pub(super) fn put(&mut self, (service, id): &Name, place: &Place, claim: Claim) {
        let group = self.services.entry(service.clone()).or_default();
        if claim.counts() {
            group.alive += 1;
            *self.alive.entry(place.source.clone()).or_default() += 1;
        }
        for address in &claim.addresses {
            group.addresses.entry(address.clone()).or_default().insert(id.clone());
        }
        let empty = || Slot { claims: BTreeMap::new(), shown: None, why: Why::Expired };
        group.slots.entry(id.clone()).or_insert_with(empty).claims.insert(place.clone(), claim);
    }

    /// Who shared an address with a claim that was taken out since this was asked last.
    pub(super) fn stirred(&mut self) -> BTreeSet<Name> {
        std::mem::take(&mut self.stirred)
    }

    /// Says why a claim about an instance goes.
    pub(super) fn because(&mut self, (service, id): &Name, why: Why) {
        if let Some(slot) = self.services.get_mut(service).and_then(|group| group.slots.get_mut(id)) {
            slot.why = why;
        }
    }

    /// How many are registered and take calls.
    pub(super) fn alive(&self, service: &ServiceName, source: &SourceName) -> Alive {
        Alive {
            of_service: self.services.get(service).map_or(0, |group| group.alive),
            of_source: self.alive.get(source).copied().unwrap_or(0),
        }
    }

    /// The versions of a service that somebody serves who is registered and heard.
    pub(super) fn served(&self, service: &ServiceName) -> BTreeSet<Version> {
        let Some(group) = self.services.get(service) else { return BTreeSet::new() };
        let shown = group.slots.values().filter_map(|slot| slot.shown.as_ref());
        let serves = |shown: &&Registered| takes_calls(shown) && shown.presence == Presence::Here;
        shown.filter(serves).map(|shown| shown.instance.version.clone()).collect()
    }

    /// All that is shown.
    pub(super) fn shown(&self) -> impl Iterator<Item = &Registered> {
        self.services.values().flat_map(|group| group.slots.values()).filter_map(|slot| slot.shown.as_ref())
    }
}

impl Group {
    /// Those who may be the same instance as this one: they share an address, or one that shares an address
    /// with another of them. Mostly nobody else.
    pub(super) fn relatives(&self, id: &InstanceId) -> BTreeSet<InstanceId> {
        let mut found = BTreeSet::from([id.clone()]);
        let (mut open, mut seen) = (vec![id.clone()], BTreeSet::new());
        while let Some(next) = open.pop() {
            let claims = self.slots.get(&next).into_iter().flat_map(|slot| slot.claims.values());
            for address in claims.flat_map(|claim| &claim.addresses) {
                if !seen.insert(address) {
                    continue;
                }
                for other in self.addresses.get(address).into_iter().flatten() {
                    if found.insert(other.clone()) {
                        open.push(other.clone());
                    }
                }
            }
        }
        found
    }
}
