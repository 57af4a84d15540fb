//! Which claims are shown, and what that changes for those who look.
//!
//! Who is registered goes before who is in doubt, and then the source of higher rank. A claim gives way to
//! one before it about an instance of the same name, or of the same addresses in another source. One in doubt
//! also gives way to whoever is registered at one of its addresses: there is somebody else now. A claim in
//! doubt that gives way is dropped, others wait for their turn. Only differences become events, those who
//! come before those who go.

use std::collections::{BTreeMap, BTreeSet};

use super::bindings::Bindings;
use super::members::{Claim, Group, Members, Place};
use super::{Name, Unsure};
use crate::id::{InstanceId, SourceName};
use crate::registry::{Event, Registered, Why};

/// Shows what is to be shown of these instances and their relatives.
pub(super) fn settle(
    members: &mut Members,
    bindings: &mut Bindings,
    unsure: &mut Unsure,
    mut touched: BTreeSet<Name>,
) -> Vec<Event> {
    touched.append(&mut members.stirred());
    let mut found: BTreeMap<Name, Option<Registered>> = BTreeMap::new();
    for name in touched {
        if found.contains_key(&name) {
            continue;
        }
        let (service, id) = &name;
        let Some(group) = members.services.get(service) else { continue };
        let family = group.relatives(id);
        let choice = choose(group, &family);
        let mut chosen: BTreeMap<InstanceId, Place> = choice.shown.into_iter().collect();
        for (id, place) in choice.dropped {
            members.take(&(service.clone(), id), &place);
        }
        for id in family {
            let name = (service.clone(), id);
            let place = chosen.remove(&name.1);
            let claim = place.as_ref().and_then(|place| members.claim(&name, place));
            let shown = claim.map(Claim::registered);
            match place.filter(|_| claim.is_some_and(|claim| claim.tried().is_some())) {
                Some(place) => unsure.insert(name.clone(), place),
                None => unsure.remove(&name),
            };
            found.insert(name, shown);
        }
    }
    // Those were relatives, and are looked at already.
    members.stirred();
    let mut found: Vec<(Name, Option<Registered>)> = found.into_iter().collect();
    // Who was there first says what its version means.
    found.sort_by_key(|(_, shown)| shown.as_ref().map(|shown| shown.registered_at));
    let mut changes = Changes::default();
    for (name, shown) in found {
        let shown = shown.map(|shown| bindings.judge(shown));
        changes.show(members, name, shown);
    }
    changes.in_order()
}

/// What is shown of a family.
#[derive(Default)]
struct Choice {
    shown: Vec<(InstanceId, Place)>,
    dropped: Vec<(InstanceId, Place)>,
}

fn choose(group: &Group, family: &BTreeSet<InstanceId>) -> Choice {
    let mut claims: Vec<(bool, &Place, &InstanceId, &Claim)> = Vec::new();
    for id in family {
        let of = group.slots.get(id).into_iter().flat_map(|slot| &slot.claims);
        claims.extend(of.map(|(place, claim)| (claim.doubt().is_some(), place, id, claim)));
    }
    claims.sort_by(|a, b| (a.0, a.1, a.2).cmp(&(b.0, b.1, b.2)));
    let mut names: BTreeSet<&InstanceId> = BTreeSet::new();
    let mut places: BTreeMap<&[String], &SourceName> = BTreeMap::new();
    let mut registered: BTreeSet<&String> = BTreeSet::new();
    let mut choice = Choice::default();
    for (doubted, place, id, claim) in claims {
        let same_place = places.get(claim.addresses()).is_some_and(|source| **source != place.source);
        let replaced = doubted && claim.addresses().iter().any(|address| registered.contains(address));
        let at = (id.clone(), place.clone());
        if names.contains(id) || same_place || replaced {
            if doubted {
                choice.dropped.push(at);
            }
            continue;
        }
        names.insert(id);
        places.insert(claim.addresses(), &place.source);
        if !doubted {
            registered.extend(claim.addresses());
        }
        choice.shown.push(at);
    }
    choice
}

/// What changed, by kind.
#[derive(Default)]
struct Changes {
    came: Vec<Event>,
    heard: Vec<Event>,
    went: Vec<Event>,
}

impl Changes {
    fn show(&mut self, members: &mut Members, name: Name, shown: Option<Registered>) {
        let (service, id) = name;
        let Some(group) = members.services.get_mut(&service) else { return };
        let Some(slot) = group.slots.get_mut(&id) else { return };
        let why = std::mem::replace(&mut slot.why, Why::Expired);
        let before = std::mem::replace(&mut slot.shown, shown.clone());
        if slot.claims.is_empty() {
            group.slots.remove(&id);
        }
        if group.slots.is_empty() {
            members.services.remove(&service);
        }
        match (before, shown) {
            (None, None) => {}
            (Some(_), None) => self.went.push(Event::Down(service, id, why)),
            (None, Some(shown)) => self.came.push(Event::Up(shown)),
            (Some(before), Some(shown)) if before == shown => {}
            (Some(before), Some(shown)) => {
                let presence = shown.presence;
                if (Registered { presence, ..before }) == shown {
                    self.heard.push(Event::Heard(service, id, presence));
                } else {
                    self.came.push(Event::Up(shown));
                }
            }
        }
    }

    fn in_order(self) -> Vec<Event> {
        let Changes { mut came, heard, went } = self;
        came.extend(heard);
        came.extend(went);
        came
    }
}
