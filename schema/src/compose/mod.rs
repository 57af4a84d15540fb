//! One version of each service becomes one graph, in which every field knows who answers it.
//!
//! Composition is total. A problem costs what it touches, a field or a name, and never the graph; each is
//! told as a diagnostic that names the services. Only where no field is left at all is there no graph. The
//! result depends on the set of subgraphs and the locks, not on the order they come in.
//!
//! Who gets a name that two want: whoever had it (the locks), else the service that owns and loads the
//! entity of that name, else the first service by name. The same message (one full name, one structure) from
//! two services is one type. Any other loser of a *type's* name keeps working under a longer one, made from
//! its package, or from its service where both come from the same message. The loser of a *field's* name
//! is left out, because a field under another name would be a field that nobody asked for.
//!
//! It does not judge whether a version may replace another (`gate`), and it reads no descriptors.

mod entity;
mod join;
mod name;
#[cfg(test)]
pub(crate) mod random;
mod reach;
mod rename;
mod root;
mod same;
#[cfg(test)]
mod tests;
mod text;
mod verify;

use std::collections::BTreeMap;

use crate::graph::Name;
use crate::supergraph::{Member, Served, Supergraph};
use crate::{Diagnostic, Digest, Severity, Subgraph};

pub use text::text;
pub use verify::verify;

/// What was composed, and what was found on the way.
#[derive(Clone, Debug)]
pub struct Composition {
    /// The graph; `None` when no service offers any field.
    pub supergraph: Option<Supergraph>,
    /// The locks for the next composition: those given, and the names that this graph gave away.
    pub locks: Locks,
    /// Only the names that this graph gave away. Whoever composes several graphs lets the first of them decide.
    pub gave: Locks,
    /// What a person should know, in a stable order.
    pub diagnostics: Vec<Diagnostic>,
}

/// Who has which name, so that a service that comes later takes nobody's name.
///
/// A lock binds only while its owner is among the services. The locks of one gateway can so serve frontends
/// that pin different majors: each major has the plain name where it stands alone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Locks {
    /// Types by their names in the graph.
    pub types: BTreeMap<Name, Owner>,
    /// The services of root fields and of fields added to entities, by coordinate: `Query.user`.
    pub fields: BTreeMap<Name, Name>,
    /// The entities, by their names in the graph, that services of others mean by a name: a newcomer that
    /// calls its own entity so must not draw their edges to itself.
    pub meanings: BTreeMap<Name, Name>,
}

/// Whose a type is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Owner {
    /// What it was read from: the full name of its message.
    pub source: Name,
    /// The service.
    pub service: Name,
    /// What the service calls it.
    pub wanted: Name,
}

/// Composes one version of each service.
pub fn compose(subgraphs: &[Subgraph], locks: &Locks) -> Composition {
    let mut found = Vec::new();
    let members = members(subgraphs, &mut found);
    let draft = name::assign(members, locks);
    let owners = entity::own(&draft, locks, &mut found);
    let mut supergraph = Supergraph {
        digest: Digest::of(&[]),
        types: join::types(&draft, &owners, &mut found),
        members: draft.members.iter().map(|subgraph| member(subgraph)).collect(),
        roots: root::collect(&draft, locks, &mut found),
        extensions: Vec::new(),
        entities: owners.entities.clone(),
    };
    join::extend(&mut supergraph, &draft, (&owners, locks), &mut found);
    root::attach(&mut supergraph, &mut found);
    reach::prune(&mut supergraph);
    name::tell(&draft, &supergraph.types, &mut found);
    if supergraph.roots.is_empty() {
        let message = "No service offers a field, so there is no graph.".to_owned();
        let help = "Expose a service: `option (turnout.graphql.v1.service) = {expose: true}`, or \
                    `expose: all` in turnout.yaml.";
        found.push(finding(Severity::Error, "GRAPH_EMPTY", message, help));
        let (locks, gave) = (locks.clone(), Locks::default());
        return Composition { supergraph: None, locks, gave, diagnostics: found };
    }
    supergraph.digest = Digest::of(text(&supergraph).as_bytes());
    let gave = gave(&draft, &owners, &supergraph);
    let locks = gave.over(locks);
    Composition { supergraph: Some(supergraph), locks, gave, diagnostics: found }
}

/// The subgraphs in the order of their services, one of each.
fn members<'a>(subgraphs: &'a [Subgraph], found: &mut Vec<Diagnostic>) -> Vec<&'a Subgraph> {
    let mut members: Vec<&Subgraph> = subgraphs.iter().collect();
    members.sort_by(|a, b| (&a.service, &a.version, a.digest).cmp(&(&b.service, &b.version, b.digest)));
    members.dedup_by(|later, kept| {
        let twice = later.service == kept.service;
        if twice {
            let message = format!(
                "{} was given in two versions, {} and {}; the graph has the first.",
                kept.service, kept.version, later.version
            );
            let help = "A frontend sees one version of a service: pin one.";
            found.push(finding(Severity::Error, "SERVICE_TWICE", message, help));
        }
        twice
    });
    members
}

fn member(subgraph: &Subgraph) -> Member {
    Member { service: subgraph.service.clone(), version: subgraph.version.clone(), digest: subgraph.digest }
}

impl Locks {
    /// These, and of others what these say nothing about.
    #[must_use]
    pub fn over(&self, others: &Locks) -> Locks {
        let mut locks = others.clone();
        locks.types.extend(self.types.iter().map(|(name, owner)| (name.clone(), owner.clone())));
        let pair = |(name, of): (&Name, &Name)| (name.clone(), of.clone());
        locks.fields.extend(self.fields.iter().map(pair));
        locks.meanings.extend(self.meanings.iter().map(pair));
        locks
    }
}

/// The names that a graph gave away.
fn gave(draft: &name::Draft<'_>, owners: &entity::Owners, graph: &Supergraph) -> Locks {
    let mut locks = Locks::default();
    for (group, name) in draft.same.groups.iter().zip(&draft.names) {
        if graph.types.contains_key(name) {
            let service = draft.members[group.lead].service.clone();
            let owner = Owner { source: group.source.clone(), service, wanted: group.wanted.clone() };
            locks.types.insert(name.clone(), owner);
        }
    }
    let led_to = owners.wanted.iter().filter(|(_, name)| graph.entities.contains_key(*name));
    locks.meanings.extend(led_to.map(|(wanted, name)| (wanted.clone(), name.clone())));
    let service = |by: usize| graph.members[by].service.clone();
    for Served { by, what } in &graph.roots {
        locks.fields.insert(coordinate(what.kind.as_str(), &what.field.name), service(*by));
    }
    for Served { by, what } in &graph.extensions {
        locks.fields.insert(coordinate(&what.entity, &what.field.name), service(*by));
    }
    locks
}

fn coordinate(of: &str, field: &str) -> Name {
    format!("{of}.{field}").into()
}

/// Which of those who want a field gets it: the one it is locked to, else the first.
fn winner(
    wanters: impl Iterator<Item = usize>,
    locked: Option<&Name>,
    members: &[&Subgraph],
) -> Option<usize> {
    let mut wanters = wanters.peekable();
    let first = wanters.peek().copied();
    wanters.find(|by| locked == Some(&members[*by].service)).or(first)
}

fn finding(severity: Severity, code: &'static str, message: String, help: &str) -> Diagnostic {
    Diagnostic { severity, code, message, help: help.to_owned() }
}
