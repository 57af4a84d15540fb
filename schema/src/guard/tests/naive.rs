//! The same measures by a naive recursion over the parser's tree, which writes every fragment out.
//!
//! It takes exponential time and any amount of stack: for small documents only. The fuzzer uses this file
//! too, so it leans on nothing but the parser.

use std::collections::BTreeSet;

use async_graphql_parser::types::{ExecutableDocument, Selection, SelectionSet};

/// What the guard must find as well.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) operations: usize,
    pub(super) fragments: usize,
    pub(super) variables: usize,
    pub(super) depth: usize,
    pub(super) levels: usize,
    pub(super) selections: usize,
    pub(super) aliases: usize,
    pub(super) directives: usize,
}

/// Counts a document without cycles.
pub(super) fn count(document: &ExecutableDocument) -> Counts {
    let mut counts = Counts { fragments: document.fragments.len(), ..Counts::default() };
    let mut reached = BTreeSet::new();
    for (_, operation) in document.operations.iter() {
        let operation = &operation.node;
        counts.operations += 1;
        counts.variables += operation.variable_definitions.len();
        counts.directives += operation.directives.len();
        for variable in &operation.variable_definitions {
            counts.directives += variable.node.directives.len();
        }
        walk(document, &operation.selection_set.node, (0, 1), &mut counts);
        reach(document, &operation.selection_set.node, &mut reached);
    }
    for (name, fragment) in &document.fragments {
        if !reached.contains(name.as_str()) {
            counts.directives += fragment.node.directives.len();
            walk(document, &fragment.node.selection_set.node, (0, 1), &mut counts);
        }
    }
    counts
}

/// `around` is the number of fields and of selection sets around this set, the set included.
fn walk(document: &ExecutableDocument, set: &SelectionSet, around: (usize, usize), counts: &mut Counts) {
    let (depth, levels) = around;
    counts.levels = counts.levels.max(levels);
    for selection in &set.items {
        counts.selections += 1;
        match &selection.node {
            Selection::Field(field) => {
                counts.depth = counts.depth.max(depth + 1);
                counts.aliases += usize::from(field.node.alias.is_some());
                counts.directives += field.node.directives.len();
                let inner = &field.node.selection_set.node;
                if !inner.items.is_empty() {
                    walk(document, inner, (depth + 1, levels + 1), counts);
                }
            }
            Selection::InlineFragment(inline) => {
                counts.directives += inline.node.directives.len();
                walk(document, &inline.node.selection_set.node, (depth, levels + 1), counts);
            }
            Selection::FragmentSpread(spread) => {
                counts.directives += spread.node.directives.len();
                if let Some(fragment) = document.fragments.get(&spread.node.fragment_name.node) {
                    counts.directives += fragment.node.directives.len();
                    walk(document, &fragment.node.selection_set.node, (depth, levels + 1), counts);
                }
            }
        }
    }
}

/// The fragments that this set spreads, and those they spread.
fn reach(document: &ExecutableDocument, set: &SelectionSet, reached: &mut BTreeSet<String>) {
    for selection in &set.items {
        match &selection.node {
            Selection::Field(field) => reach(document, &field.node.selection_set.node, reached),
            Selection::InlineFragment(inline) => reach(document, &inline.node.selection_set.node, reached),
            Selection::FragmentSpread(spread) => {
                let name = &spread.node.fragment_name.node;
                if let Some(fragment) = document.fragments.get(name)
                    && reached.insert(name.to_string())
                {
                    reach(document, &fragment.node.selection_set.node, reached);
                }
            }
        }
    }
}

/// Whether a fragment spreads itself, by way of others or not.
pub(super) fn cyclic(document: &ExecutableDocument) -> bool {
    document.fragments.iter().any(|(name, fragment)| {
        let mut reached = BTreeSet::new();
        reach(document, &fragment.node.selection_set.node, &mut reached);
        reached.contains(name.as_str())
    })
}
