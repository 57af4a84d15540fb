//! The types of the graph with the fields that cross services: edges to entities, and fields that services
//! add to entities.
//!
//! What cannot be joined is left out. No object loses its last field so: an edge stands beside the field
//! that holds its key.

use std::collections::{BTreeMap, BTreeSet};

use super::entity::{Joining, Owners, joining, key_kind};
use super::name::Draft;
use super::same::Group;
use super::{Locks, coordinate, finding, rename, winner};
use crate::graph::{Edge, Extension, Field, Name, Read, Resolve, Scalar, Type, Types};
use crate::supergraph::{Served, Supergraph};
use crate::{Diagnostic, Severity};

/// All types under the graph's names, with the edges that lead somewhere, and every scalar.
pub(super) fn types(draft: &Draft<'_>, owners: &Owners, found: &mut Vec<Diagnostic>) -> Types {
    let scalars = Scalar::ALL.map(|scalar| (Name::from(scalar.name()), Type::Scalar(scalar)));
    let mut types = Types::from(scalars);
    let mut one_by_one = BTreeSet::new();
    for (group, name) in draft.same.groups.iter().zip(&draft.names) {
        let mut ty = draft.members[group.lead].types[group.wanted].clone();
        rename::ty(&mut ty, &|local| draft.name(group.lead, local));
        if let Type::Object(object) = &mut ty {
            let from = Start { group, object: name };
            object.fields.retain_mut(|field| match edge(field, &from, draft, owners) {
                Joined::NoEdge => true,
                Joined::Left(entity, warning) => {
                    one_by_one.insert(entity);
                    found.extend(warning);
                    true
                }
                Joined::Broken(why) => {
                    found.push(why);
                    false
                }
            });
        }
        types.insert(name.clone(), ty);
    }
    tell_one_by_one(&one_by_one, draft, owners, found);
    types
}

/// Where a field that crosses services starts.
struct Start<'a> {
    group: &'a Group<'a>,
    object: &'a Name,
}

enum Joined {
    /// The field reads its own bytes.
    NoEdge,
    /// It leads to this entity, perhaps with a warning.
    Left(Name, Option<Diagnostic>),
    /// It leads nowhere.
    Broken(Diagnostic),
}

/// Leads an edge to its entity, by the graph's name.
fn edge(field: &mut Field, from: &Start<'_>, draft: &Draft<'_>, owners: &Owners) -> Joined {
    let Resolve::Edge(edge) = &mut field.resolve else { return Joined::NoEdge };
    let services = draft.services(&from.group.members);
    let at = format!("`{}.{}` of {services}", from.object, field.name);
    let Some(entity) = owners.find(draft, from.group.lead, &edge.entity) else {
        return Joined::Broken(entity_missing(&at, &edge.entity));
    };
    let owned = &owners.entities[&entity];
    let owner = &draft.members[owned.by].service;
    let Some(lookup) = &owned.lookup else {
        let message = format!(
            "{at} leads to `{entity}`, but {owner} has no RPC that loads it by its key; it is left out."
        );
        let help = "Add an RPC like BatchGetUsers(ids), or name one by the option `lookup`.";
        return Joined::Broken(finding(Severity::Error, "LOOKUP_MISSING", message, help));
    };
    let warning = match compare(&at, &entity, &[(&edge.key, &lookup.keys), (&edge.key, &lookup.key)]) {
        Ok(warning) => warning,
        Err(why) => return Joined::Broken(why),
    };
    rename::type_ref(&mut field.ty, &|_| entity.clone());
    *edge = Edge { entity: entity.clone(), key: edge.key.clone() };
    Joined::Left(entity, warning)
}

fn entity_missing(at: &str, entity: &Name) -> Diagnostic {
    let message = format!("{at} needs `{entity}`, which no service here owns; it is left out for now.");
    let help = "It appears once a service is registered that has an entity of this name. If that service is \
                there, look at how it spells the name.";
    finding(Severity::Warning, "ENTITY_MISSING", message, help)
}

/// Whether the service's fields fit the entity's that they meet: not at all, with a warning, or well.
fn compare(at: &str, entity: &Name, pairs: &[(&Read, &Read)]) -> Result<Option<Diagnostic>, Diagnostic> {
    let first = |wanted: Joining| pairs.iter().find(|(ours, theirs)| joining(ours, theirs) == wanted);
    let has = |(ours, theirs): &(&Read, &Read)| {
        format!("{at} has {} where the key of `{entity}` is {}", key_kind(ours), key_kind(theirs))
    };
    if let Some(pair) = first(Joining::Never) {
        let message = format!("{}; it is left out.", has(pair));
        let help = "Refer to an entity by a field of the type that its key has.";
        return Err(finding(Severity::Error, "KEY_MISMATCH", message, help));
    }
    Ok(first(Joining::ByText).map(|pair| {
        let message = format!("{}; they are compared by their digits.", has(pair));
        let help = "A text that is no whole number finds nothing. Use one type for the key everywhere.";
        finding(Severity::Warning, "KEY_BY_TEXT", message, help)
    }))
}

fn tell_one_by_one(
    entities: &BTreeSet<Name>,
    draft: &Draft<'_>,
    owners: &Owners,
    found: &mut Vec<Diagnostic>,
) {
    for name in entities {
        let owned = &owners.entities[name];
        if let Some(lookup) = owned.lookup.as_ref().filter(|lookup| !lookup.is_batch()) {
            let service = &draft.members[owned.by].service;
            let message = format!(
                "`{name}` of {service} is loaded one by one, by {}: a list of 100 makes 100 calls.",
                lookup.rpc.path()
            );
            let help = "Add an RPC that takes many keys at once, like BatchGetUsers(ids).";
            found.push(finding(Severity::Warning, "LOOKUP_SINGLE", message, help));
        }
    }
}

/// Adds the services' fields to the entities.
pub(super) fn extend(
    graph: &mut Supergraph,
    draft: &Draft<'_>,
    known: (&Owners, &Locks),
    found: &mut Vec<Diagnostic>,
) {
    let (owners, locks) = known;
    let mut wanted: Vec<(Name, Served<Extension>)> = Vec::new();
    for (by, subgraph) in draft.members.iter().enumerate() {
        for extension in &subgraph.extensions {
            let at = format!("`{}.{}` of {}", extension.entity, extension.field.name, subgraph.service);
            let Some(entity) = owners.find(draft, by, &extension.entity) else {
                found.push(entity_missing(&at, &extension.entity));
                continue;
            };
            let key = &owners.entities[&entity].entity.key;
            let ours = std::iter::once(&extension.key).chain(&extension.group_by);
            let meets: Vec<(&Read, &Read)> = ours.map(|ours| (ours, key)).collect();
            match compare(&at, &entity, &meets) {
                Ok(warning) => found.extend(warning),
                Err(why) => {
                    found.push(why);
                    continue;
                }
            }
            let mut what = Extension { entity: entity.clone(), ..extension.clone() };
            rename::extension(&mut what, &|local| draft.name(by, local));
            wanted.push((coordinate(&entity, &what.field.name), Served { by, what }));
        }
    }
    let mut wanters: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
    for (coordinate, served) in &wanted {
        wanters.entry(coordinate.clone()).or_default().push(served.by);
    }
    for (coordinate, served) in wanted {
        let by = winner(wanters[&coordinate].iter().copied(), locks.fields.get(&coordinate), &draft.members);
        let loser = by.filter(|by| *by != served.by);
        add(graph, served, loser.map(|by| &*draft.members[by].service), found);
    }
}

/// Adds one field, unless its name is someone else's.
fn add(
    graph: &mut Supergraph,
    mut served: Served<Extension>,
    lost_to: Option<&str>,
    found: &mut Vec<Diagnostic>,
) {
    let (entity, name) = (&served.what.entity, &served.what.field.name);
    let Some(Type::Object(object)) = graph.types.get_mut(entity) else { return };
    let there = object.field(name).map(|field| match field.resolve {
        Resolve::Extension(place) => graph.extensions[place].by,
        Resolve::Read(_)
        | Resolve::Case(_)
        | Resolve::Choice(_)
        | Resolve::Edge(_)
        | Resolve::Root(_)
        | Resolve::Ok => graph.entities[entity].by,
    });
    let holder = lost_to.or_else(|| there.map(|by| &*graph.members[by].service));
    if let Some(holder) = holder {
        let service = &graph.members[served.by].service;
        let message = format!(
            "{service} adds `{entity}.{name}`, but {holder} has a field of that name there; that of \
             {service} is left out."
        );
        let help = "Give it another name by `extends: { field: ... }`.";
        found.push(finding(Severity::Error, "FIELD_TAKEN", message, help));
        return;
    }
    served.what.field.resolve = Resolve::Extension(graph.extensions.len());
    object.fields.push(served.what.field.clone());
    graph.extensions.push(served);
}
