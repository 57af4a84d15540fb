//! The guard counts what the parser sees: on generated documents, and on documents with a mistake in them
//! where the parser and the guard might read two different things.

use async_graphql_parser::parse_query;
use proptest::prelude::*;
use proptest::sample::select;

use super::{UNLIMITED, naive};
use crate::guard::{Measures, Refusal, check};

impl From<Measures> for naive::Counts {
    fn from(measures: Measures) -> naive::Counts {
        naive::Counts {
            operations: measures.operations,
            fragments: measures.fragments,
            variables: measures.variables,
            depth: measures.depth,
            levels: measures.levels,
            selections: measures.selections,
            aliases: measures.aliases,
            directives: measures.directives,
        }
    }
}

/// Values that look like something else to a careless reader.
const VALUES: [&str; 12] = [
    "1",
    "-1.5e3",
    "on",
    "$a",
    "\"\"",
    "\"{ ...A }\"",
    "\"\\\"{\"",
    "\"\"\"\"\"\"",
    "\"\"\" { \" \\\"\"\" } \"\"\"",
    "[[], {}, [\"]\"]]",
    "{a: {b: [\"}\" 1]}}",
    "# } \n true",
];

/// Between tokens.
const SPACES: [&str; 6] = [" ", "\n", " , ", "\r\n\t", " # } ...A \"\"\" \n", " \u{feff}"];

fn directives() -> impl Strategy<Value = String> {
    let arguments =
        prop_oneof![Just(String::new()), select(&VALUES[..]).prop_map(|value| format!("(x: {value})"))];
    proptest::collection::vec((select(&["@skip", "@ x"][..]), arguments), 0..3).prop_map(|found| {
        found.into_iter().map(|(name, arguments)| format!("{name}{arguments} ")).collect::<String>()
    })
}

fn set() -> impl Strategy<Value = String> {
    let spread = (select(&["A", "B", "C", "Nowhere"][..]), directives())
        .prop_map(|(name, directives)| format!("...{name} {directives}"));
    let value = prop_oneof![
        3 => Just(String::new()),
        1 => select(&VALUES[..]).prop_map(|value| format!("(v: {value} w: $b)")),
    ];
    let alias = select(&["", "", "x: ", "on:", "fragment : "][..]);
    let name = select(&["a", "on", "query", "fragment", "__typename"][..]);
    let field = (alias, name, value, directives())
        .prop_map(|(alias, name, value, directives)| format!("{alias}{name}{value} {directives}"))
        .boxed();
    let leaf = prop_oneof![3 => field.clone(), 1 => spread];
    let selection = leaf.prop_recursive(4, 12, 3, move |inner| {
        let set = proptest::collection::vec(inner, 1..4);
        let inline = (select(&["... on Q ", "...", "...\non\tQ"][..]), directives())
            .prop_map(|(head, directives)| format!("{head} {directives}"))
            .boxed();
        (prop_oneof![2 => field.clone(), 1 => inline], set, select(&SPACES[..]))
            .prop_map(|(head, set, space)| format!("{head}{{{space}{}}}", set.join(space)))
    });
    (proptest::collection::vec(selection, 1..4), select(&SPACES[..]))
        .prop_map(|(set, space)| format!("{{{space}{}{space}}}", set.join(space)))
}

fn operation() -> impl Strategy<Value = String> {
    let variables = select(&["", "($a: Int)", "($a: [In!]! @v = {a: [1]}, $b: I @v(x: [$a]) @w = 1)"][..]);
    (select(&["query", "mutation", "subscription"][..]), variables, directives(), set())
        .prop_map(|(kind, variables, directives, set)| format!("{kind} NAME{variables} {directives}{set}"))
}

fn document() -> impl Strategy<Value = String> {
    let fragments = proptest::collection::vec(proptest::option::of((directives(), set())), 3);
    (proptest::collection::vec(operation(), 1..3), fragments, select(&SPACES[..])).prop_map(
        |(operations, fragments, space)| {
            let operations = operations.into_iter().enumerate();
            let mut definitions: Vec<String> =
                operations.map(|(index, text)| text.replacen("NAME", &format!("N{index}"), 1)).collect();
            for (name, fragment) in ["A", "B", "C"].into_iter().zip(fragments) {
                definitions.extend(
                    fragment.map(|(directives, set)| format!("fragment {name} on Q {directives}{set}")),
                );
            }
            definitions.join(space)
        },
    )
}

/// Holds the guard against the parser's tree.
fn agree(text: &str) -> Result<(), TestCaseError> {
    let (Ok(tree), found) = (parse_query(text), check(text, &UNLIMITED)) else { return Ok(()) };
    let cyclic = naive::cyclic(&tree);
    match found {
        Ok(_) if cyclic => Err(TestCaseError::fail("a circle was not seen")),
        Ok(measures) => {
            prop_assert_eq!(naive::Counts::from(measures), naive::count(&tree));
            Ok(())
        }
        Err(Refusal::Cycle { .. }) if cyclic => Ok(()),
        Err(refusal @ (Refusal::Cycle { .. } | Refusal::Limits(_))) => {
            Err(TestCaseError::fail(format!("the tree has no such thing: {refusal}")))
        }
        // The parser is laxer than the language here and there. Refusing such a text hurts nobody.
        Err(Refusal::Syntax { .. }) => Ok(()),
    }
}

/// Tokens that change what others mean, and pieces of them.
const SPLINTERS: [&str; 22] = [
    "{", "}", "(", ")", "[", "]", "...", "..", "@", ":", "$", "=", "\"", "\"\"\"", "\\", "#", "\n", " ",
    "on", "on#\n", "fragment", "query",
];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn generated_documents_measure_what_the_tree_holds(text in document()) {
        prop_assert!(parse_query(&text).is_ok(), "the generator makes no document: {}", text);
        if let Err(Refusal::Syntax { message, .. }) = check(&text, &UNLIMITED) {
            prop_assert!(false, "{} in {}", message, text);
        }
        agree(&text)?;
    }

    #[test]
    fn a_document_with_a_splinter_is_read_as_the_parser_reads_it(
        text in document(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), 0usize..3, select(&SPLINTERS[..])), 1..4),
    ) {
        let mut text = text;
        for (at, taken, splinter) in changes {
            let places: Vec<usize> = text.char_indices().map(|(place, _)| place).collect();
            let at = at.index(places.len());
            let (from, to) = (places[at], places.get(at + taken).copied().unwrap_or(text.len()));
            text.replace_range(from..to, splinter);
        }
        agree(&text)?;
    }

    #[test]
    fn a_heap_of_splinters_is_read_as_the_parser_reads_it(
        pieces in proptest::collection::vec(prop_oneof![select(&SPLINTERS[..]), select(&["A", "Q", "1", "true"][..])], 0..40),
    ) {
        agree(&pieces.concat())?;
        agree(&format!("{{a{}}}", pieces.concat()))?;
    }
}
