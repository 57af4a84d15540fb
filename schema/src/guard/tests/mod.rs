//! The guard against tables, against a naive count over the parser's tree, and against attacks.

mod attacks;
mod differential;
mod naive;

use async_graphql_parser::parse_query;
use expect_test::{Expect, expect};

use super::*;

/// What shows measures instead of refusing for them.
const UNLIMITED: Limits = Limits {
    tokens: usize::MAX,
    nesting: usize::MAX,
    word_bytes: usize::MAX,
    operations: usize::MAX,
    fragments: usize::MAX,
    variables: usize::MAX,
    depth: usize::MAX,
    levels: usize::MAX,
    selections: usize::MAX,
    aliases: usize::MAX,
    directives: usize::MAX,
};

/// What GraphiQL asks first, written as graphql-js writes it.
const INTROSPECTION: &str = "query IntrospectionQuery { __schema { description \
    queryType { name kind } mutationType { name kind } subscriptionType { name kind } \
    types { ...FullType } \
    directives { name description isRepeatable locations args(includeDeprecated: true) { ...InputValue } } } } \
    fragment FullType on __Type { kind name description specifiedByURL isOneOf \
    fields(includeDeprecated: true) { name description args(includeDeprecated: true) { ...InputValue } \
    type { ...TypeRef } isDeprecated deprecationReason } \
    inputFields(includeDeprecated: true) { ...InputValue } interfaces { ...TypeRef } \
    enumValues(includeDeprecated: true) { name description isDeprecated deprecationReason } \
    possibleTypes { ...TypeRef } } \
    fragment InputValue on __InputValue { name description type { ...TypeRef } defaultValue \
    isDeprecated deprecationReason } \
    fragment TypeRef on __Type { kind name ofType { kind name ofType { kind name ofType { kind name \
    ofType { kind name ofType { kind name ofType { kind name ofType { kind name ofType { kind name \
    ofType { kind name } } } } } } } } } }";

/// What a document measures, as far as there is anything, or why it is refused.
fn told(document: &str, limits: &Limits) -> String {
    let refusal = match check(document, limits) {
        Ok(measures) => return measured(&measures),
        Err(refusal) => refusal,
    };
    match refusal.at() {
        Some(at) => format!("{}:{} {refusal}", at.line, at.column),
        None => refusal.to_string().replace("; ", ";\n    "),
    }
}

fn measured(measures: &Measures) -> String {
    let pairs = [
        ("operations", measures.operations),
        ("fragments", measures.fragments),
        ("variables", measures.variables),
        ("depth", measures.depth),
        ("levels", measures.levels),
        ("selections", measures.selections),
        ("aliases", measures.aliases),
        ("directives", measures.directives),
    ];
    let found = pairs.into_iter().filter(|(_, count)| *count > 0);
    found.map(|(name, count)| format!("{name} {count}")).collect::<Vec<_>>().join(", ")
}

/// One line a document.
fn all_told(documents: &[impl AsRef<str>], limits: &Limits) -> String {
    documents.iter().map(|document| told(document.as_ref(), limits) + "\n").collect()
}

fn measures(document: &str, expected: Expect) {
    assert!(parse_query(document).is_ok(), "{document}: {:?}", parse_query(document));
    expected.assert_eq(&told(document, &UNLIMITED));
}

fn refused(documents: &[&str], expected: Expect) {
    expected.assert_eq(&all_told(documents, &UNLIMITED));
}

/// Runs with so little stack that any recursion along the document would overflow it.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(work).unwrap();
    thread.join().unwrap();
}

#[test]
fn tokens_and_nesting_count_outside_strings_and_comments() {
    for (document, tokens, nesting, word_bytes) in [
        ("", 0, 0, 0),
        ("{ a }", 3, 1, 1),
        ("{ ab(b: [[123]]) { c } }", 15, 4, 3),
        ("{ a(b: \"[[[[\") } # {{{{ ...", 8, 2, 1),
        ("{ a(b: \"\"\" [[ \\\"\"\" [[ \"\"\") ...F }", 10, 2, 1),
        ("{ a(b: \"\\\"[[\") }", 8, 2, 1),
        ("}}}{", 4, 1, 0),
    ] {
        let expected = Measures { tokens, nesting, word_bytes, ..Measures::default() };
        assert_eq!(text(document), expected, "{document}");
    }
}

#[test]
fn a_fragment_counts_wherever_it_is_spread() {
    measures("{ a }", expect!["operations 1, depth 1, levels 1, selections 1"]);
    measures(
        "{ a { b } ...F c { ...F } } fragment F on Q @x { d: d { e @y } }",
        expect!["operations 1, fragments 1, depth 3, levels 4, selections 9, aliases 2, directives 4"],
    );
    measures(
        "{ ...A } fragment A on Q { a { ...B } } fragment B on Q { a { a } }",
        expect!["operations 1, fragments 2, depth 3, levels 5, selections 5"],
    );
    measures(
        "{ ... on Q @x { ... @y { a } } ... { a } }",
        expect!["operations 1, depth 1, levels 3, selections 5, directives 2"],
    );
}

#[test]
fn fragments_that_no_operation_reaches_count_like_operations() {
    measures(
        "{ a } fragment A on Q { a { b { c } } ...B ...B } fragment B on Q { d: d }",
        expect!["operations 1, fragments 2, depth 3, levels 3, selections 9, aliases 3"],
    );
}

#[test]
fn all_operations_count_and_the_deepest_gives_the_depth() {
    measures(
        "query A { a { b } ...F } mutation B { ...F } fragment F on Q { c }",
        expect!["operations 2, fragments 1, depth 2, levels 2, selections 6"],
    );
}

#[test]
fn directives_count_in_every_place() {
    measures(
        "query Q($a: Int @v, $b: Int @v(x: [1])) @q @q(if: true) { f @f(x: \"@\") ...S @s ... @i { g } } \
         fragment S on Q @d { h }",
        expect!["operations 1, fragments 1, variables 2, depth 1, levels 2, selections 5, directives 8"],
    );
}

#[test]
fn variables_count_where_they_are_declared() {
    measures(
        "query Q($a: [Int!]! = [1, 2], $b: In = {c: 1}) { f(x: $a, y: [$b, $b]) }",
        expect!["operations 1, variables 2, depth 1, levels 1, selections 1"],
    );
}

#[test]
fn a_spread_of_an_unknown_fragment_is_one_selection() {
    measures("{ a { ...Nowhere } }", expect!["operations 1, depth 1, levels 2, selections 2"]);
}

#[test]
fn words_of_the_language_are_names_inside_of_selections() {
    measures(
        "query query { query fragment: on on: true { mutation } ...fragment }",
        expect!["operations 1, depth 2, levels 2, selections 5, aliases 2"],
    );
}

#[test]
fn circles_are_named_whether_or_not_they_are_used() {
    refused(
        &[
            "{ ...A }\nfragment A on Q { a { ...A } }",
            "{ a } fragment A on Q { ...B }\nfragment B on Q { ... { ...C } } fragment C on Q { b ...A }",
            "{ ...In } fragment In on Q { ...A } fragment A on Q { ...C ...B } fragment B on Q { ...A }",
        ],
        expect![[r#"
            2:23 the fragment A spreads itself
            1:25 the fragment A spreads itself by way of B, C
            1:60 the fragment A spreads itself by way of B
        "#]],
    );
}

#[test]
fn what_is_no_document_is_said_with_its_place() {
    refused(
        &[
            "{ a",
            "{ a } }",
            "{ a(b: [1) }",
            "{ a(b: 1] }",
            "type A { b: Int }",
            "queryA { a }",
            "{ a: }",
            "{ ...on @x { a } }",
            "{ ...F { a } }",
            "fragment on on Q { a }",
            "fragment F Q { a }",
            "{ a @ }",
            "# é\r\n{ \"text\" }",
            "{\n\r  é }",
            "{ a(b: \"c\n\") }",
        ],
        expect![[r#"
            1:4 expected a field, `...` or `}`, found the end of the document
            1:7 expected an operation or a fragment, found `}`
            1:10 expected `]`, found `)`
            1:9 expected `)`, found `]`
            1:1 expected an operation or a fragment, found `type`
            1:1 expected an operation or a fragment, found `queryA`
            1:6 expected the name of a field, found `}`
            1:9 expected the name of a type, found `@`
            1:8 expected a field, `...` or `}`, found `{`
            1:10 expected a fragment's name other than `on`, found `on`
            1:12 expected `on`, found `Q`
            1:7 expected the name of a directive, found `}`
            2:3 expected a field, `...` or `}`, found a string
            3:3 the language does not have the character "é"
            1:8 a string has no end
        "#]],
    );
}

#[test]
fn a_block_string_without_an_end_is_no_two_strings() {
    // The parser would go back and read `""` and then `"]) ... "` here, so that all the brackets in
    // between would be there for it and not for the guard.
    let document = "{ a(b: [\"\"\"]\"]) { c } }";
    assert!(parse_query(document).is_ok());
    expect!["1:9 a string has no end"].assert_eq(&told(document, &UNLIMITED));
}

#[test]
fn a_space_that_is_missing_hides_no_fragment() {
    // The parser takes this for a fragment F.
    let document = "{ ...F } fragmentF on Q { a }";
    assert!(parse_query(document).is_ok());
    expect!["1:10 expected an operation or a fragment, found `fragmentF`"]
        .assert_eq(&told(document, &UNLIMITED));
}

#[test]
fn the_empty_document_is_left_to_the_parser() {
    assert_eq!(check(" # nothing", &Limits::RECOMMENDED), Ok(Measures::default()));
}

#[test]
fn introspection_passes_the_recommended_limits() {
    expect!["operations 1, fragments 3, depth 15, levels 18, selections 240"]
        .assert_eq(&told(INTROSPECTION, &Limits::RECOMMENDED));
}

#[test]
fn every_limit_is_told_and_names_its_setting() {
    let limits = Limits {
        depth: 1,
        levels: 1,
        selections: 1,
        aliases: 0,
        directives: 0,
        operations: 0,
        fragments: 0,
        variables: 0,
        ..UNLIMITED
    };
    let text = "query Q($a: Int) { a: b @c { ...F } } fragment F on T { d }";
    expect![[r#"
        the document has 1 operations, and 0 are allowed;
            the document has 1 fragments, and 0 are allowed;
            the document has 1 variables, and 0 are allowed;
            the document has 2 fields inside each other, and limits.depth allows 1;
            the document has 3 selection sets inside each other, with fragments written out, and 1 are allowed;
            the document has 3 selections, with fragments written out, and limits.selections allows 1;
            the document has 1 aliases, with fragments written out, and limits.aliases allows 0;
            the document has 1 directives, with fragments written out, and limits.directives allows 0"#]].assert_eq(&told(text, &limits));
    let limits = Limits { tokens: 4, nesting: 0, word_bytes: 4, ..UNLIMITED };
    expect![[r#"
        the document has 8 tokens, and limits.tokens allows 4;
            the document has 2 brackets inside each other, and 0 are allowed;
            the document has 5 bytes in one name or number, and 4 are allowed"#]]
    .assert_eq(&told("{ a(b: 12345) }", &limits));
}

#[test]
fn the_limit_itself_is_allowed() {
    let document = "query Q($a: Int) { a: b @c { ...F } } fragment F on T { d }";
    let found = check(document, &UNLIMITED).unwrap();
    let exact = Limits {
        tokens: found.tokens,
        nesting: found.nesting,
        word_bytes: found.word_bytes,
        operations: found.operations,
        fragments: found.fragments,
        variables: found.variables,
        depth: found.depth,
        levels: found.levels,
        selections: found.selections,
        aliases: found.aliases,
        directives: found.directives,
    };
    assert_eq!(check(document, &exact), Ok(found));
}
