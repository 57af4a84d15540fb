//! Who owns each entity, and by which RPC it is loaded.
//!
//! An entity has one owner. Services that share the message of an entity share the entity; it is asked of
//! the one that loads it. A name in a `ref` or `extends` means the service's own entity of that name, else
//! the one that it meant before, else the one that the graph calls so, else one that its service calls so: one
//! that was there before, one that can be loaded, the first.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::name::Draft;
use super::rename::optional;
use super::{Locks, finding};
use crate::graph::{Entity, Kind, Lookup, Name, Read, Safety, Wire};
use crate::supergraph::OwnedEntity;
use crate::{Diagnostic, Severity};

/// The entities of the graph.
#[derive(Debug)]
pub(super) struct Owners {
    /// By their names in the graph.
    pub(super) entities: BTreeMap<Name, OwnedEntity>,
    /// From what services call them to what the graph does.
    pub(super) wanted: BTreeMap<Name, Name>,
}

impl Owners {
    /// The graph's name of the entity that a service means.
    pub(super) fn find(&self, draft: &Draft<'_>, member: usize, meant: &Name) -> Option<Name> {
        let own = draft.members[member].entities.iter().any(|entity| entity.name == *meant);
        let own = own.then(|| draft.name(member, meant)).filter(|name| self.entities.contains_key(name));
        own.or_else(|| self.wanted.get(meant).cloned())
    }
}

/// Finds the owner of every entity.
pub(super) fn own(draft: &Draft<'_>, locks: &Locks, found: &mut Vec<Diagnostic>) -> Owners {
    let mut claims: BTreeMap<Name, Vec<Claim<'_>>> = BTreeMap::new();
    for (by, subgraph) in draft.members.iter().enumerate() {
        for entity in &subgraph.entities {
            let Some(group) = draft.same.group(by, &entity.name) else { continue };
            let leads = draft.same.groups[group].lead == by;
            let claim = Claim { by, entity, leads, lookup: best_lookup(draft, by, entity, found) };
            claims.entry(draft.names[group].clone()).or_default().push(claim);
        }
    }
    let mut owners = Owners { entities: BTreeMap::new(), wanted: BTreeMap::new() };
    let mut ranks = BTreeMap::new();
    for (name, mut claims) in claims {
        claims.sort_by_key(|claim| (claim.lookup.is_none(), !claim.leads, claim.by));
        tell_rivals(&name, &claims, draft, found);
        let Some(claim) = claims.into_iter().next() else { continue };
        let locked = locks.meanings.get(&claim.entity.name) == Some(&name);
        let newcomer = !locks.types.contains_key(&name);
        let rank = (!locked, claim.entity.name != name, newcomer, claim.lookup.is_none(), claim.by);
        if ranks.get(&claim.entity.name).is_none_or(|best| rank < *best) {
            ranks.insert(claim.entity.name.clone(), rank);
            owners.wanted.insert(claim.entity.name.clone(), name.clone());
        }
        owners.entities.insert(name.clone(), owned(claim, draft, name));
    }
    owners
}

/// A service that says an entity is its own.
struct Claim<'a> {
    by: usize,
    entity: &'a Entity,
    leads: bool,
    lookup: Option<&'a Lookup>,
}

fn owned(claim: Claim<'_>, draft: &Draft<'_>, name: Name) -> OwnedEntity {
    let lookup = claim.lookup.map(|lookup| {
        let mut lookup = Lookup { entity: name.clone(), ..lookup.clone() };
        optional(&mut lookup.items, &|local| draft.name(claim.by, local));
        lookup
    });
    OwnedEntity { by: claim.by, entity: Entity { name, ..claim.entity.clone() }, lookup }
}

fn tell_rivals(name: &Name, claims: &[Claim<'_>], draft: &Draft<'_>, found: &mut Vec<Diagnostic>) {
    let loading: Vec<usize> =
        claims.iter().filter(|claim| claim.lookup.is_some()).map(|claim| claim.by).collect();
    if let [first, _, ..] = loading[..] {
        let message = format!(
            "{} offer to load `{name}`; the graph asks {}.",
            draft.services(&loading),
            draft.members[first].service
        );
        let help = "Let one service own the entity: take the lookup out of the others.";
        found.push(finding(Severity::Warning, "ENTITY_OWNED_TWICE", message, help));
    }
}

/// The lookup that costs the fewest calls: a batch before a single, a large batch before a small one.
fn best_lookup<'a>(
    draft: &Draft<'a>,
    by: usize,
    entity: &Entity,
    found: &mut Vec<Diagnostic>,
) -> Option<&'a Lookup> {
    let subgraph: &'a crate::Subgraph = draft.members[by];
    let lookups = subgraph.lookups.iter().filter(|lookup| lookup.entity == entity.name);
    let (streaming, usable): (Vec<_>, Vec<_>) = lookups.partition(|lookup| lookup.rpc.streams);
    for lookup in streaming {
        let (rpc, service) = (lookup.rpc.path(), &subgraph.service);
        let message = format!("{rpc} of {service} cannot load `{}`: it answers with a stream.", entity.name);
        let help = "An RPC that loads an entity answers once, with all that its keys ask for.";
        found.push(finding(Severity::Error, "LOOKUP_STREAMS", message, help));
    }
    usable.into_iter().max_by_key(|lookup| {
        let reads = lookup.rpc.safety == Safety::ReadOnly;
        (lookup.is_batch(), lookup.max_keys, reads, Reverse(lookup.rpc.path()))
    })
}

/// How the values of two fields are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Joining {
    /// As they are: two whole numbers of any width, or two texts.
    Exact,
    /// A whole number and a text, by the number's digits. A text that is no number finds nothing.
    ByText,
    /// Not at all: bytes, numbers with fractions, truth values, messages.
    Never,
}

/// How the values of two fields are compared.
pub(super) fn joining(one: &Read, other: &Read) -> Joining {
    match (family(&one.kind), family(&other.kind)) {
        (Some(one), Some(other)) if one == other => Joining::Exact,
        (Some(Family::Whole), Some(Family::Text)) | (Some(Family::Text), Some(Family::Whole)) => {
            Joining::ByText
        }
        (Some(_), Some(_)) | (None, _) | (_, None) => Joining::Never,
    }
}

/// A kind of key, as people say it.
pub(super) fn key_kind(read: &Read) -> &'static str {
    match family(&read.kind) {
        Some(Family::Whole) => "a whole number",
        Some(Family::Text) => "text",
        None => "a value that is no key",
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Family {
    Whole,
    Text,
}

fn family(kind: &Kind) -> Option<Family> {
    let Kind::Scalar(wire, _) = kind else { return None };
    match wire {
        Wire::String => Some(Family::Text),
        Wire::Bytes | Wire::Double | Wire::Float | Wire::Bool => None,
        Wire::Int32
        | Wire::Int64
        | Wire::Uint32
        | Wire::Uint64
        | Wire::Sint32
        | Wire::Sint64
        | Wire::Fixed32
        | Wire::Fixed64
        | Wire::Sfixed32
        | Wire::Sfixed64 => Some(Family::Whole),
    }
}
