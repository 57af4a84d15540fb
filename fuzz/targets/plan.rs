//! Does whatever passes the guard and the rules become a plan that can be told and measured?
//!
//! The first byte says what the rest is: 0, choices for a valid operation on sample services; 1, four bytes
//! that change one of them, and the choices; anything else, all of it is the text of a document.

#![no_main]

#[path = "descriptors/change.rs"]
mod change;
#[path = "../../schema/src/plan/tests/operation.rs"]
mod operation;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use turnout_schema::compose::{self, Locks};
use turnout_schema::guard::{self, Limits, Refusal};
use turnout_schema::plan::{self, Error};
use turnout_schema::subgraph::{self, Exposure};
use turnout_schema::validate::Validator;
use turnout_schema::{Descriptors, Subgraph, Supergraph, graph};

const TODO: &[u8] = include_bytes!("../seeds/descriptors/todo.binpb");
const ECHO: &[u8] = include_bytes!("../seeds/descriptors/echo.binpb");
const SMALL: &[u8] = include_bytes!("../seeds/descriptors/small.binpb");

static SAMPLES: LazyLock<(Supergraph, Validator)> = LazyLock::new(|| {
    let subgraphs = [offers("todo", TODO), offers("echo", ECHO)].map(|subgraph| subgraph.expect("a seed"));
    let graph = compose::compose(&subgraphs, &Locks::default()).supergraph.expect("they have queries");
    let validator = Validator::new(&graph).expect("a composed graph");
    (graph, validator)
});

fuzz_target!(|bytes: &[u8]| match bytes {
    [0, choices @ ..] => {
        let (graph, validator) = &*SAMPLES;
        valid(graph, validator, choices);
    }
    [1, a, b, c, d, choices @ ..] => changed(u32::from_le_bytes([*a, *b, *c, *d]), choices),
    text => {
        let Ok(text) = std::str::from_utf8(text) else { return };
        let (graph, validator) = &*SAMPLES;
        if guard::check(text, &Limits::RECOMMENDED).is_ok() {
            any(graph, validator, text);
        }
    }
});

fn offers(service: &str, bytes: &[u8]) -> Option<Subgraph> {
    let descriptors = Descriptors::read(bytes).ok()?;
    Some(subgraph::read(service, "1.0.0", &descriptors, Exposure::All).subgraph)
}

fn changed(seed: u32, choices: &[u8]) {
    let sample = [TODO, ECHO, SMALL][(seed % 3) as usize];
    let bytes = change::change(sample, seed).expect("a seed is a descriptor set");
    let Some(subgraph) = offers("shop", &bytes) else { return };
    let Some(graph) = compose::compose(&[subgraph], &Locks::default()).supergraph else { return };
    let validator = Validator::new(&graph).expect("a composed graph");
    valid(&graph, &validator, choices);
}

/// An operation that was made valid is held valid and has a plan.
fn valid(graph: &Supergraph, validator: &Validator, choices: &[u8]) {
    let (kind, text) = operation::operation(graph, choices);
    match guard::check(&text, &Limits::RECOMMENDED) {
        Ok(_) => {}
        Err(Refusal::Limits(_)) => return,
        Err(refusal) => panic!("{refusal}: {text}"),
    }
    let document = validator.validate(&text).unwrap_or_else(|errors| panic!("{errors:?}: {text}"));
    match plan::plan(graph, &document, None) {
        Ok(plan) => {
            assert_eq!(plan.kind, kind);
            told(&plan);
        }
        Err(errors) => assert_eq!(errors, [Error::TooLarge], "{text}"),
    }
}

/// Any document is refused, or has a plan but for reasons that no rule of GraphQL knows.
fn any(graph: &Supergraph, validator: &Validator, text: &str) {
    let Ok(document) = validator.validate(text) else { return };
    for (name, _) in document.operations.iter() {
        match plan::plan(graph, &document, name.map(|name| name.as_str())) {
            Ok(plan) => told(&plan),
            Err(errors) => {
                let known = |error: &Error| {
                    matches!(error, Error::TooLarge | Error::Events | Error::NoRoot(_) | Error::Value(_))
                };
                assert!(!errors.is_empty() && errors.iter().all(known), "{errors:?}: {text}");
            }
        }
    }
}

fn told(plan: &plan::Plan) {
    assert_eq!(plan.explain().is_empty(), plan.fetches.is_empty());
    // Where all is skipped, nothing is written.
    assert_eq!(plan.outline().is_empty(), plan.selections[plan.root].turns.is_empty());
    assert!(plan.cost(|_| Some(u64::MAX)) >= plan.cost(|_| Some(0)));
    assert!(plan.coordinates().all(|(of, field)| !of.is_empty() && !field.is_empty()));
}
