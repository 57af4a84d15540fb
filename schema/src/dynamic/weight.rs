//! How large would the answer to a question about a graph be?
//!
//! A question of one kilobyte can ask for the fields of the types of the fields of all types, sixty times over,
//! and async-graphql makes all of that before anybody can measure it. Here it is only counted: exactly for the
//! lists that all types have together, and with the longest list there is for those inside of them. Nobody who
//! draws a graph asks for the latter. As much work as the document has selections, its fragments written out;
//! `guard` bounds those.

use async_graphql_parser::types::{ExecutableDocument, OperationDefinition, Selection, SelectionSet};

use crate::Supergraph;
use crate::graph::Type;

/// The most values in an answer. Each takes some hundred bytes of memory, and so many are more JSON than an
/// answer may have.
const VALUES_MAX: u64 = 2 << 20;

/// More than the types that introspection itself adds to a graph, and than the fields that one of them has.
const OWN_TYPES: u64 = 16;
const OWN_FIELDS: u64 = 12;

/// How long the lists of a graph are.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    types: u64,
    /// Of all types together.
    all: Lists,
    /// The longest there are.
    most: Lists,
}

/// The lists of types, or one list of each kind.
#[derive(Clone, Copy, Debug, Default)]
struct Lists {
    fields: u64,
    arguments: u64,
    inputs: u64,
    values: u64,
    members: u64,
}

/// Whose lists are asked for.
#[derive(Clone, Copy, Debug)]
enum Whose {
    /// An operation's, which has none.
    Root,
    /// Those of all types, each once.
    Types,
    /// Those of the fields of all types, each once.
    Fields,
    /// Those of some, nobody knows which.
    Some(u64),
}

impl Sizes {
    pub(super) fn of(supergraph: &Supergraph) -> Sizes {
        let own = Lists { fields: OWN_FIELDS, arguments: 1, values: OWN_FIELDS, ..Lists::default() };
        let mut sizes = Sizes {
            types: supergraph.types.len() as u64 + OWN_TYPES,
            all: Lists { fields: own.fields * OWN_TYPES, arguments: OWN_TYPES, values: OWN_TYPES * 4, ..own },
            most: own,
        };
        for ty in supergraph.types.values() {
            match ty {
                Type::Object(object) => {
                    sizes.add(|lists| &mut lists.fields, object.fields.len());
                    for field in &object.fields {
                        sizes.add(|lists| &mut lists.arguments, field.arguments.len());
                    }
                }
                Type::Input(input) => sizes.add(|lists| &mut lists.inputs, input.fields.len()),
                Type::Enum(known) => sizes.add(|lists| &mut lists.values, known.values.len()),
                Type::Union(union) => sizes.add(|lists| &mut lists.members, union.members.len()),
                Type::Scalar(_) => {}
            }
        }
        sizes
    }

    fn add(&mut self, list: impl Fn(&mut Lists) -> &mut u64, length: usize) {
        let length = length as u64;
        *list(&mut self.all) += length;
        let most = list(&mut self.most);
        *most = length.max(*most);
    }

    /// Whether the answer to what an operation asks about the graph is larger than anybody may have it.
    pub(super) fn exceeds(&self, document: &ExecutableDocument, operation: &OperationDefinition) -> bool {
        let mut left = VALUES_MAX;
        let set = &operation.selection_set.node;
        set.items.iter().any(|item| self.spend(document, item, Whose::Root, &mut left).is_none())
    }

    /// Takes the values of a selection from those that are left; `None` when there are not as many.
    fn spend(
        &self,
        document: &ExecutableDocument,
        item: &async_graphql_parser::Positioned<Selection>,
        whose: Whose,
        left: &mut u64,
    ) -> Option<()> {
        let (set, whose): (&SelectionSet, Whose) = match &item.node {
            Selection::Field(field) => {
                let Some(inside) = self.inside(field.node.name.node.as_str(), whose) else { return Some(()) };
                *left = left.checked_sub(self.count(inside))?;
                (&field.node.selection_set.node, inside)
            }
            Selection::InlineFragment(fragment) => (&fragment.node.selection_set.node, whose),
            Selection::FragmentSpread(spread) => {
                let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) else {
                    return Some(());
                };
                (&fragment.node.selection_set.node, whose)
            }
        };
        set.items.iter().try_for_each(|item| self.spend(document, item, whose, left))
    }

    /// What a field leads to; `None` for what is not about the graph.
    fn inside(&self, name: &str, whose: Whose) -> Option<Whose> {
        let inside = |all: u64, most: u64| match whose {
            Whose::Types => all,
            Whose::Root | Whose::Fields | Whose::Some(_) => self.count(whose).saturating_mul(most),
        };
        Some(match (name, whose) {
            ("__schema" | "__type", Whose::Root) => Whose::Some(1),
            (_, Whose::Root) => return None,
            ("types", _) => Whose::Types,
            ("fields", Whose::Types) => Whose::Fields,
            ("args", Whose::Fields) => Whose::Some(self.all.arguments),
            ("fields", _) => Whose::Some(inside(0, self.most.fields)),
            ("args", _) => Whose::Some(inside(0, self.most.arguments)),
            ("inputFields", _) => Whose::Some(inside(self.all.inputs, self.most.inputs)),
            ("enumValues", _) => Whose::Some(inside(self.all.values, self.most.values)),
            ("possibleTypes", _) => Whose::Some(inside(self.all.members, self.most.members)),
            ("directives", _) => Whose::Some(OWN_FIELDS),
            _ => Whose::Some(self.count(whose)),
        })
    }

    fn count(&self, whose: Whose) -> u64 {
        match whose {
            Whose::Root => 1,
            Whose::Types => self.types,
            Whose::Fields => self.all.fields,
            Whose::Some(count) => count,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dynamic::selected;
    use crate::referee::world;

    /// So many types, each with so many fields of another of them.
    fn graph(types: usize, fields: usize) -> Supergraph {
        let field = |ty, field| format!("f{field}: T{} ", (ty + field) % types);
        let ty =
            |ty| format!("type T{ty} {{ {} }}\n", (0..fields).map(|at| field(ty, at)).collect::<String>());
        let all: String = (0..types).map(ty).collect();
        world::supergraph(&format!("type Query {{ a: T0 }}\n{all}"))
    }

    fn exceeds(graph: &Supergraph, text: &str) -> bool {
        let document = async_graphql_parser::parse_query(text).unwrap();
        Sizes::of(graph).exceeds(&document, selected(&document, None).unwrap())
    }

    /// As tools ask.
    const USUAL: &str = "{ __schema { queryType { name } mutationType { name } types { ...FullType }
            directives { name description locations args { ...InputValue } } } }
        fragment FullType on __Type { kind name description
            fields(includeDeprecated: true) { name description args { ...InputValue } type { ...TypeRef } isDeprecated deprecationReason }
            inputFields { ...InputValue } interfaces { ...TypeRef }
            enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } possibleTypes { ...TypeRef } }
        fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue }
        fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name
            ofType { kind name ofType { kind name ofType { kind name ofType { kind name } } } } } } } }";

    #[test]
    fn what_tools_ask_is_answered_for_a_large_graph() {
        assert!(!exceeds(&graph(2000, 20), USUAL));
    }

    #[test]
    fn what_explodes_is_refused() {
        let graph = graph(300, 20);
        let leaves: String = (0..60).map(|at| format!("a{at}: type {{ name kind }} ")).collect();
        assert!(exceeds(
            &graph,
            &format!("{{ __schema {{ types {{ fields {{ type {{ fields {{ {leaves} }} }} }} }} }} }}")
        ));
        let spread = "{ __schema { types { ...A } } } fragment A on __Type { fields { ...B ...B ...B } }
            fragment B on __Field { type { fields { type { enumValues { name } inputFields { name } } } } }";
        assert!(exceeds(&graph, spread));
        assert!(!exceeds(&graph, "{ __schema { types { fields { type { name } } } } }"));
    }

    #[test]
    fn other_fields_of_the_same_names_cost_nothing() {
        let text = "{ types { fields { fields { fields { fields { fields { name } } } } } } __typename }";
        assert!(!exceeds(&graph(300, 20), text));
    }
}
