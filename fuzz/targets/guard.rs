//! Is every document measured, does the guard count what the parser sees, and can the parser bear what the
//! guard lets pass?
//!
//! The parser runs only after the guard, as in the gateway, and on a small stack where brackets nest. Its
//! tree is counted naively, each fragment written out, which the limits keep affordable.

#![no_main]

#[path = "../../schema/src/guard/tests/naive.rs"]
mod naive;

use std::thread;

use async_graphql_parser::parse_query;
use libfuzzer_sys::fuzz_target;
use turnout_schema::guard::{self, Limit, Limits, Measures, Refusal};

/// A quarter of a worker's stack. The address sanitizer makes frames several times larger.
const STACK_BYTES: usize = 2 << 20;

/// Below this a document needs no more stack than any other code.
const NESTING_SHALLOW: usize = 16;

/// As recommended, but deep enough to come near the limit of brackets.
const LIMITS: Limits = Limits { depth: 50, ..Limits::RECOMMENDED };

fuzz_target!(|document: &str| match guard::check(document, &LIMITS) {
    Ok(measures) if measures.nesting > NESTING_SHALLOW => thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES);
        let thread = thread.spawn_scoped(scope, || agree(document, &measures)).expect("a thread starts");
        thread.join().expect("the parser bears it");
    }),
    Ok(measures) => agree(document, &measures),
    Err(Refusal::Cycle { .. }) => {
        if let Ok(tree) = parse_query(document) {
            assert!(naive::cyclic(&tree), "there is no circle");
        }
    }
    Err(Refusal::Limits(exceeded)) => {
        assert!(exceeded.iter().all(|exceeded| exceeded.found > exceeded.allowed));
        assert!(
            exceeded.iter().all(|exceeded| exceeded.limit != Limit::Tokens || document.len() > LIMITS.tokens)
        );
    }
    Err(Refusal::Syntax { message, .. }) => assert!(message.len() <= 200, "{message}"),
});

fn agree(document: &str, measures: &Measures) {
    let Ok(tree) = parse_query(document) else { return };
    assert!(!naive::cyclic(&tree), "a circle was not seen");
    let counted = naive::Counts {
        operations: measures.operations,
        fragments: measures.fragments,
        variables: measures.variables,
        depth: measures.depth,
        levels: measures.levels,
        selections: measures.selections,
        aliases: measures.aliases,
        directives: measures.directives,
    };
    assert_eq!(counted, naive::count(&tree));
}
