//! What do the rules say, where, and at what cost? Which documents are valid is the referee's corpus.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::*;
use crate::referee::world;

fn validator() -> Validator {
    Validator::new(&world::supergraph(world::WORLD)).unwrap()
}

fn check(text: &str, expected: &[&str]) {
    let found = validator().validate(text).err().unwrap_or_default();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn everything_wrong_is_told_in_the_order_of_the_text() {
    check(
        "query Q($a: Nope, $b: Int) {\n  nope\n  book { id @skip }\n  ...F\n}\nfragment G on Query { now(a: $c) }",
        &[
            "Variable \"$a\" is never used in operation \"Q\". at 1:9",
            "Unknown type \"Nope\". at 1:13",
            "Variable \"$b\" is never used in operation \"Q\". at 1:19",
            "Cannot query field \"nope\" on type \"Query\". at 2:3",
            "Field \"book\" argument \"id\" of type \"ID!\" is required, but it was not provided. at 3:3",
            "Directive \"@skip\" argument \"if\" of type \"Boolean!\" is required, but it was not provided. at 3:13",
            "Unknown fragment \"F\". at 4:6",
            "Fragment \"G\" is never used. at 6:1",
            "Unknown argument \"a\" on field \"Query.now\". at 6:27",
        ],
    );
}

#[test]
fn values_are_shown_as_they_are_written_and_not_at_length() {
    check(
        "{ echo(int: \"1\", kind: NOPE, range: { mid: [1] }) { int } }",
        &[
            "Expected value of type \"Int\", found \"1\". at 1:13",
            "Expected value of type \"Kind\", found NOPE. at 1:24",
            "Field \"Range.min\" of required type \"Float!\" was not provided. at 1:37",
            "Field \"mid\" is not defined by type \"Range\". at 1:37",
        ],
    );
    let long = format!("{{ echo(int: \"{}\") {{ int }} }}", "é".repeat(1000));
    let cut = format!("Expected value of type \"Int\", found \"{}…. at 1:13", "é".repeat(59));
    check(&long, &[&cut]);
}

#[test]
fn a_variable_and_its_use_are_both_pointed_at() {
    check(
        "query ($a: String, $b: ID) {\n  echo(int: $a) { int }\n  book(id: $b) { id }\n}",
        &[
            "Variable \"$a\" of type \"String\" used in position expecting type \"Int\". at 1:8, 2:13",
            "Variable \"$b\" of type \"ID\" used in position expecting type \"ID!\". at 1:20, 3:12",
        ],
    );
}

#[test]
fn what_the_parser_lets_through_is_told_too() {
    check(
        "queryQ {\n  echo(range: { min: 1, min: 2 }, ints: [01]) { nope }\n}",
        &[
            "Syntax error: unexpected name \"queryQ\". at 1:1",
            "There can be only one input field named \"min\". at 2:25",
            "Syntax error: a number begins with a zero. at 2:42",
            "Cannot query field \"nope\" on type \"Echo\". at 2:49",
        ],
    );
}

#[test]
fn no_more_is_told_than_a_person_reads() {
    let text = format!("{{ {} }}", "nope ".repeat(100));
    assert_eq!(validator().validate(&text).unwrap_err().len(), ERRORS_MAX);
}

#[test]
fn a_graph_without_an_operation_type_refuses_its_operations() {
    let validator = Validator::new(&world::supergraph("type Query { a: Int }")).unwrap();
    let errors = validator.validate("mutation { a }").unwrap_err();
    assert_eq!(errors[0].to_string(), "The graph has no mutations. at 1:1");
}

/// Each fragment spreads the next one twice: 2^40 fields where nobody remembers.
fn doubling(first: &str, field: &str) -> String {
    let fragment = |place: i32| {
        let next = place + 1;
        format!("fragment F{place} on Book {{ a: {field} {{ ...F{next} }} b: {field} {{ ...F{next} }} }}\n")
    };
    let fragments: String = (0..40).map(fragment).collect();
    format!("{{ book(id: 1) {{ ...F0 {first} }} }}\n{fragments}fragment F40 on Book {{ id }}")
}

#[test]
fn fragments_that_double_with_every_level_cost_once() {
    assert!(validator().validate(&doubling("", "related")).is_ok());
    let conflict = validator().validate(&doubling("a: id", "related")).unwrap_err();
    assert_eq!(conflict.len(), 1, "{conflict:?}");
}

#[test]
fn many_fields_of_one_name_are_not_compared_in_pairs() {
    let text = format!("{{ {} }}", "book(id: 1) { title } ".repeat(5_000));
    assert!(validator().validate(&text).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Pieces of valid documents in any order are mostly wrong, in ways nobody would think of.
    #[test]
    fn any_document_gets_one_verdict(pieces in proptest::collection::vec(prop::sample::select(PIECES), 0..24)) {
        let text = pieces.concat();
        static VALIDATOR: LazyLock<Validator> = LazyLock::new(validator);
        let verdict = || VALIDATOR.validate(&text).map(|_| ());
        prop_assert_eq!(verdict(), verdict());
    }
}

const PIECES: &[&str] = &[
    "query ($a: ID!, $b: [Int!] = [1]) { ",
    "mutation M { ",
    "subscription { ",
    "fragment F on Book { ",
    "fragment F on Media { ",
    "fragment G on Query { ",
    "{ ",
    "{ ",
    "} ",
    "} ",
    "} ",
    "} ",
    "book(id: $a) ",
    "book(id: 1) ",
    "books(ids: [$a]) ",
    "echo(ints: $b) ",
    "echo(range: { min: $b }) ",
    "id ",
    "title ",
    "x: __typename ",
    "x: id ",
    "author ",
    "related(limit: 1) ",
    "media(id: 1) ",
    "... on Film ",
    "...F ",
    "...G ",
    "@skip(if: true) ",
    "__schema { types { name } } ",
];
