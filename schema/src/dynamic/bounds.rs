//! Is a graph small enough for async-graphql to look at?
//!
//! It follows types as deep as they lead, on the stack, and looks at required inputs along every path there is.
//! Descriptors come from services, and a megabyte of them can hold a chain or a lattice of messages that would
//! end the process or never end. Both are counted here first, in time proportional to the graph.

use std::collections::BTreeMap;

use crate::Supergraph;
use crate::graph::{Name, Type, TypeRef};

/// The most types. A chain of 16 000 still fits into a stack of 2 MiB, where one of 32 000 does not.
const TYPES_MAX: usize = 10_000;

/// The most paths through required fields of inputs; each is walked once when a graph is prepared.
const PATHS_MAX: u64 = 1_000_000;

/// Why a graph is too large, if it is.
pub(super) fn check(supergraph: &Supergraph) -> Result<(), String> {
    let count = supergraph.types.len();
    if count > TYPES_MAX {
        return Err(format!("the graph has {count} types, more than {TYPES_MAX}"));
    }
    match paths(supergraph) {
        Some(0..=PATHS_MAX) => Ok(()),
        Some(_) => Err(format!("its inputs require each other in more than {PATHS_MAX} ways")),
        None => Err("an input requires itself".to_owned()),
    }
}

/// How many paths lead through required fields from any input; none when one leads in a circle.
fn paths(supergraph: &Supergraph) -> Option<u64> {
    let edges: BTreeMap<&Name, Vec<&Name>> = supergraph
        .types
        .iter()
        .filter_map(|(name, ty)| match ty {
            Type::Input(input) => Some((name, input)),
            Type::Object(_) | Type::Enum(_) | Type::Union(_) | Type::Scalar(_) => None,
        })
        .map(|(name, input)| (name, input.fields.iter().filter_map(|field| required(&field.ty)).collect()))
        .collect();
    let mut waiting: BTreeMap<&Name, usize> = BTreeMap::new();
    for to in edges.values().flatten().filter(|to| edges.contains_key(**to)) {
        *waiting.entry(to).or_default() += 1;
    }
    let mut ending: BTreeMap<&Name, u64> = BTreeMap::new();
    let mut ready: Vec<&Name> = edges.keys().copied().filter(|name| !waiting.contains_key(name)).collect();
    let mut done = 0;
    while let Some(from) = ready.pop() {
        done += 1;
        let here = ending.entry(from).or_default().saturating_add(1);
        ending.insert(from, here);
        for to in edges.get(from).into_iter().flatten() {
            let Some(left) = waiting.get_mut(to) else { continue };
            let there = ending.entry(to).or_default();
            *there = there.saturating_add(here);
            *left -= 1;
            if *left == 0 {
                ready.push(to);
            }
        }
    }
    (done == edges.len()).then(|| ending.values().fold(0, |sum: u64, count| sum.saturating_add(*count)))
}

/// The type that must be given for a field, when it is no list.
fn required(ty: &TypeRef) -> Option<&Name> {
    match ty {
        TypeRef::NonNull(inner) => match &**inner {
            TypeRef::Named(name) => Some(name),
            TypeRef::List(_) | TypeRef::NonNull(_) => None,
        },
        TypeRef::Named(_) | TypeRef::List(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamic::Introspection;
    use crate::referee::world;

    /// Inputs of which each requires the next one twice.
    fn lattice(count: usize) -> Supergraph {
        let input = |place| format!("input I{place} {{ a: I{0}! b: I{0}! }}\n", place + 1);
        let inputs: String = (0..count).map(input).collect();
        world::supergraph(&format!("type Query {{ a(a: I0): Int }}\n{inputs}input I{count} {{ a: Int! }}"))
    }

    #[test]
    fn paths_are_counted_from_every_input() {
        for (count, expected) in [(0, 1), (1, 1 + 3), (2, 1 + 3 + 7), (3, 1 + 3 + 7 + 15)] {
            assert_eq!(paths(&lattice(count)), Some(expected), "{count}");
        }
        assert_eq!(paths(&lattice(100)), Some(u64::MAX));
        assert_eq!(paths(&world::supergraph("type Query { a: Int }")), Some(0));
    }

    #[test]
    fn lists_and_nullable_fields_end_a_path() {
        let graph = "type Query { a: Int } input A { a: A b: [A!]! c: B } input B { a: A! }";
        assert_eq!(paths(&world::supergraph(graph)), Some(3));
    }

    #[test]
    fn inputs_that_require_each_other_are_no_graph() {
        let graph = world::supergraph("type Query { a: Int } input A { a: B! } input B { a: A! }");
        assert_eq!(Introspection::new(&graph).unwrap_err(), "an input requires itself");
    }

    #[test]
    fn a_lattice_of_inputs_is_refused_at_once() {
        let refused = Introspection::new(&lattice(60)).unwrap_err();
        assert_eq!(refused, "its inputs require each other in more than 1000000 ways");
        assert!(Introspection::new(&lattice(8)).is_ok());
    }

    #[test]
    fn a_graph_that_would_not_fit_on_the_stack_is_refused() {
        let chain = |count: usize| {
            let ty = |place| format!("type T{place} {{ a: T{} }}\n", place + 1);
            let types: String = (0..count).map(ty).collect();
            world::supergraph(&format!("type Query {{ a: T0 }}\n{types}type T{count} {{ a: Int }}"))
        };
        assert!(Introspection::new(&chain(9_000)).is_ok());
        let refused = Introspection::new(&chain(10_000)).unwrap_err();
        assert_eq!(refused, "the graph has 10002 types, more than 10000");
    }
}
