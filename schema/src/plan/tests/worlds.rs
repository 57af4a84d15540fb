//! Random operations on random graphs: what is made valid is held valid, and its plan is well made.

use std::sync::LazyLock;

use async_graphql_parser::types::ExecutableDocument;
use proptest::prelude::*;

use super::super::{Error, Plan, plan};
use super::naive::{Naive, written};
use super::operation::operation;
use super::{BENCH, WORLD, composed, verify};
use crate::Supergraph;
use crate::compose::random;
use crate::guard::{self, Limits, Refusal};
use crate::validate::Validator;

/// A service whose one argument holds every kind of field.
static ECHO: LazyLock<Supergraph> = LazyLock::new(|| {
    let descriptors = crate::fixture::sample("echo", "1");
    composed(&[crate::subgraph::read("echo", "1.0.0", &descriptors, crate::subgraph::Exposure::All).subgraph])
});

/// All that holds for one operation; the error says what does not.
fn check(graph: &Supergraph, choices: &[u8]) -> Result<(), TestCaseError> {
    let (kind, text) = operation(graph, choices);
    match guard::check(&text, &Limits::RECOMMENDED) {
        Ok(_) => {}
        Err(Refusal::Limits(_)) => return Ok(()),
        Err(refusal) => return Err(TestCaseError::fail(format!("{refusal}: {text}"))),
    }
    let validator = Validator::new(graph).expect("a composed graph");
    let document = match validator.validate(&text) {
        Ok(document) => document,
        Err(errors) => return Err(TestCaseError::fail(format!("{errors:?}: {text}"))),
    };
    let planned = match plan(graph, &document, None) {
        Ok(plan) => plan,
        Err(errors) if errors == [Error::TooLarge] => return Ok(()),
        Err(errors) => return Err(TestCaseError::fail(format!("{errors:?}: {text}"))),
    };
    verify::all(&planned);
    prop_assert_eq!(planned.kind, kind);
    let again = plan(graph, &document, Some("Asked")).expect("it was planned before");
    prop_assert_eq!(planned.explain(), again.explain(), "{}", &text);
    prop_assert_eq!(planned.outline(), again.outline(), "{}", &text);
    prop_assert!(planned.cost(|_| Some(u64::MAX)) >= planned.cost(|_| Some(0)), "{}", &text);
    for (of, field) in planned.coordinates() {
        let is_there = matches!(graph.types.get(of), Some(crate::graph::Type::Object(object)) if object.field(field).is_some());
        prop_assert!(is_there, "{of}.{field}: {text}");
    }
    writes_what_is_collected(graph, &document, &planned)
}

fn writes_what_is_collected(
    graph: &Supergraph,
    document: &ExecutableDocument,
    plan: &Plan,
) -> Result<(), TestCaseError> {
    let operation = document.operations.iter().next().expect("one was written").1;
    for values in [(false, false), (false, true), (true, false), (true, true)] {
        let holds = plan.holds(|name| Some(if name == "a" { values.0 } else { values.1 }));
        let naive = Naive { graph, document, values };
        prop_assert_eq!(
            written(plan, plan.root, &holds.expect("both have a value")),
            naive.object(plan.kind.as_str(), &[&operation.node.selection_set.node]),
            "{:?}",
            values
        );
    }
    Ok(())
}

/// The checks above are worth what is asked: little is too large, and every form comes up.
#[test]
fn operations_reach_what_there_is() {
    let mut dice = 1u32;
    let mut byte = || {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        dice.to_be_bytes()[0]
    };
    let texts: Vec<String> =
        (0..200).map(|_| operation(&WORLD, &(0..400).map(|_| byte()).collect::<Vec<u8>>()).1).collect();
    let small = texts.iter().filter(|text| guard::check(text, &Limits::RECOMMENDED).is_ok());
    assert!(small.count() >= 150);
    let forms = [
        "query",
        "mutation",
        "subscription",
        "($",
        "$v",
        ": [",
        ": {",
        "null",
        " = ",
        "m1:",
        "...F",
        "... {",
        "... on ",
        "@skip",
        "@include",
        "__typename",
        "__schema",
    ];
    for form in forms {
        assert!(texts.iter().any(|text| text.contains(form)), "{form}");
    }
}

fn choices() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(any::<u8>(), 0..600)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    #[test]
    fn any_operation_on_any_graph_has_a_plan(subgraphs in random::subgraphs(), choices in choices()) {
        check(&composed(&subgraphs), &choices)?;
    }

    #[test]
    fn any_operation_on_the_samples_has_a_plan(choices in choices()) {
        for graph in [&*WORLD, &*BENCH, &*ECHO] {
            check(graph, &choices)?;
        }
    }
}
