//! What no operation can reach is not in the graph: types, entities, and fields added to them.

use std::collections::BTreeSet;

use crate::graph::{Field, Name, Resolve, RootKind, Type, Types};
use crate::supergraph::Supergraph;

/// Removes what cannot be reached, and counts the places of what is left anew.
pub(super) fn prune(graph: &mut Supergraph) {
    let reached = reached(&graph.types);
    graph.types.retain(|name, _| reached.contains(name));
    graph.entities.retain(|name, _| reached.contains(name));
    let mut places = Vec::new();
    let mut kept = 0;
    graph.extensions.retain(|extension| {
        let keep = reached.contains(&extension.what.entity);
        places.push(kept);
        kept += usize::from(keep);
        keep
    });
    let renumber = |field: &mut Field| {
        if let Resolve::Extension(place) = &mut field.resolve {
            *place = places[*place];
        }
    };
    for ty in graph.types.values_mut() {
        if let Type::Object(object) = ty {
            object.fields.iter_mut().for_each(renumber);
        }
    }
    graph.extensions.iter_mut().for_each(|extension| renumber(&mut extension.what.field));
}

/// The names of all types that the operation types lead to, themselves included.
pub(super) fn reached(types: &Types) -> BTreeSet<Name> {
    let roots = [RootKind::Query, RootKind::Mutation, RootKind::Subscription];
    let mut open: Vec<Name> = roots.iter().map(|kind| kind.as_str().into()).collect();
    let mut reached = BTreeSet::new();
    while let Some(name) = open.pop() {
        let Some(ty) = types.get(&name) else { continue };
        if reached.insert(name) {
            open.extend(references(ty));
        }
    }
    reached
}

/// The names of the types that a type uses, GraphQL's own among them.
pub(super) fn references(ty: &Type) -> Vec<Name> {
    let mut names = Vec::new();
    match ty {
        Type::Object(object) => {
            for field in &object.fields {
                names.push(field.ty.core().clone());
                names.extend(field.arguments.iter().map(|argument| argument.ty.core().clone()));
                if let Resolve::Choice(choices) = &field.resolve {
                    names.extend(choices.iter().map(|choice| choice.object.clone()));
                }
            }
        }
        Type::Input(input) => names.extend(input.fields.iter().map(|field| field.ty.core().clone())),
        Type::Union(union) => names.extend(union.members.iter().cloned()),
        Type::Enum(_) | Type::Scalar(_) => {}
    }
    names
}
