//! The fields of `Query`, `Mutation` and `Subscription`, and who answers each.
//!
//! They stand in the order of the services, and within one in the order of its proto. GraphQL demands a
//! `Query`: a graph without any gets one with `ok`, which goes when the first query comes.

use std::collections::BTreeMap;

use super::name::Draft;
use super::{Locks, coordinate, finding, rename, winner};
use crate::graph::{Doc, Field, Name, Object, Resolve, Root, RootKind, Type};
use crate::supergraph::{Served, Supergraph};
use crate::{Diagnostic, Severity};

/// The root fields of all services, each name once.
pub(super) fn collect(draft: &Draft<'_>, locks: &Locks, found: &mut Vec<Diagnostic>) -> Vec<Served<Root>> {
    let all = draft.members.iter().enumerate();
    let mut all: Vec<(usize, &Root)> =
        all.flat_map(|(by, subgraph)| subgraph.roots.iter().map(move |root| (by, root))).collect();
    // Stable: within one kind the services' own order is kept.
    all.sort_by_key(|(_, root)| root.kind);
    let mut wanters: BTreeMap<Name, Vec<usize>> = BTreeMap::new();
    for (by, root) in &all {
        wanters.entry(at(root)).or_default().push(*by);
    }
    let mut roots: Vec<Served<Root>> = Vec::new();
    for (by, root) in all {
        let at = at(root);
        let holder = winner(wanters[&at].iter().copied(), locks.fields.get(&at), &draft.members);
        if let Some(holder) = holder.filter(|holder| *holder != by) {
            let (theirs, ours) = (&draft.members[holder].service, &draft.members[by].service);
            let message = format!("`{at}` is wanted by {theirs} and {ours}; {theirs} has it.");
            let help = "Give one of them another name by the option `field` of its RPC.";
            found.push(finding(Severity::Error, "ROOT_TAKEN", message, help));
            continue;
        }
        let mut what = root.clone();
        rename::root(&mut what, &|local| draft.name(by, local));
        what.field.resolve = Resolve::Root(roots.len());
        roots.push(Served { by, what });
    }
    roots
}

fn at(root: &Root) -> Name {
    coordinate(root.kind.as_str(), &root.field.name)
}

/// Makes the operation types of the roots.
pub(super) fn attach(graph: &mut Supergraph, found: &mut Vec<Diagnostic>) {
    for kind in [RootKind::Query, RootKind::Mutation, RootKind::Subscription] {
        let of_kind = graph.roots.iter().filter(|root| root.what.kind == kind);
        let mut fields: Vec<_> = of_kind.map(|root| root.what.field.clone()).collect();
        if fields.is_empty() && kind == RootKind::Query && !graph.roots.is_empty() {
            let message = "No service offers a query; `Query` has the field `ok` alone.".to_owned();
            let help = "Mark RPCs that only read by `option idempotency_level = NO_SIDE_EFFECTS`.";
            found.push(finding(Severity::Warning, "QUERY_MISSING", message, help));
            fields.push(Field::ok());
        }
        if !fields.is_empty() {
            let source = kind.as_str().into();
            let object = Object { doc: Doc::default(), source, fields };
            graph.types.insert(kind.as_str().into(), Type::Object(object));
        }
    }
}
