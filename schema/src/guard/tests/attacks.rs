//! Documents made to hurt whoever reads them after the guard: each is refused, and refused soon.

use async_graphql_parser::parse_query;
use expect_test::{Expect, expect};

use super::{UNLIMITED, all_told, on_a_small_stack};
use crate::guard::{Limits, check};

/// `{ ...f0 }`, where each fragment spreads the next `width` times.
fn bomb(levels: usize, width: usize) -> String {
    let mut document = "{ ...f0 }".to_owned();
    for level in 0..levels {
        let spreads = format!(" ...f{}", level + 1).repeat(width);
        document.push_str(&format!(" fragment f{level} on Q {{{spreads} }}"));
    }
    document.push_str(&format!(" fragment f{levels} on Q {{ a }}"));
    document
}

fn nested(open: &str, core: &str, close: &str, count: usize) -> String {
    format!("{}{core}{}", open.repeat(count), close.repeat(count))
}

fn refused(documents: &[impl AsRef<str>], expected: Expect) {
    expected.assert_eq(&all_told(documents, &Limits::RECOMMENDED));
}

#[test]
fn depth_by_any_means() {
    refused(
        &[
            nested("{ a ", "", "}", 16),
            nested("{ __schema ", "", "}", 16),
            nested("{ a ", "", "}", 5_000),
            format!("{{ a(b: {}) }}", nested("[", "1", "]", 2_000)),
            format!("{{ a(b: {}) }}", nested("{c: ", "1", "}", 500)),
            format!("query Q($a: I = {}) {{ a }}", nested("[", "1", "]", 900)),
            format!("query Q($a: {}) {{ a }}", nested("[", "I", "]", 900)),
            nested("{ a { ... ", "{ a }", "} }", 30),
            "{".repeat(100_000),
        ],
        expect![[r#"
            the document has 16 fields inside each other, and limits.depth allows 15
            the document has 16 fields inside each other, and limits.depth allows 15
            the document has 15000 tokens, and limits.tokens allows 2000;
                the document has 5000 brackets inside each other, and 64 are allowed
            the document has 4008 tokens, and limits.tokens allows 2000;
                the document has 2002 brackets inside each other, and 64 are allowed
            the document has 2008 tokens, and limits.tokens allows 2000;
                the document has 502 brackets inside each other, and 64 are allowed
            the document has 901 brackets inside each other, and 64 are allowed
            the document has 901 brackets inside each other, and 64 are allowed
            the document has 31 fields inside each other, and limits.depth allows 15
            the document has 100000 tokens, and limits.tokens allows 2000;
                the document has 100000 brackets inside each other, and 64 are allowed
        "#]],
    );
}

#[test]
fn depth_by_fragments() {
    let mut chain = "{ ...f0 }".to_owned();
    for level in 0..40 {
        chain.push_str(&format!(" fragment f{level} on Q {{ a {{ ...f{} }} }}", level + 1));
    }
    let mut empty = "{ ...f0 }".to_owned();
    for level in 0..40 {
        empty.push_str(&format!(" fragment f{level} on Q {{ ... {{ ... {{ ...f{} }} }} }}", level + 1));
    }
    refused(
        &[chain, empty],
        expect![[r#"
            the document has 40 fields inside each other, and limits.depth allows 15
            the document has 121 selection sets inside each other, with fragments written out, and 100 are allowed
        "#]],
    );
}

#[test]
fn breadth() {
    refused(
        &[
            format!("{{ {} }}", "a ".repeat(1_500)),
            format!("{{ {} }}", "a ".repeat(500_000)),
            format!("{{ {} }}", "b: a ".repeat(100)),
            format!("{{ a({}) }}", "b: 1 ".repeat(2_000)),
            format!("{{ {} }}", "a".repeat(300)),
            format!("{{ a(b: {}) }}", "9".repeat(300)),
        ],
        expect![[r#"
            the document has 1500 selections, with fragments written out, and limits.selections allows 1000
            the document has 500002 tokens, and limits.tokens allows 2000
            the document has 100 aliases, with fragments written out, and limits.aliases allows 60
            the document has 6005 tokens, and limits.tokens allows 2000
            the document has 300 bytes in one name or number, and 256 are allowed
            the document has 300 bytes in one name or number, and 256 are allowed
        "#]],
    );
}

#[test]
fn many_definitions() {
    let operations: String = (0..21).map(|n| format!("query Q{n} {{ a }} ")).collect();
    let fragments: String = (0..51).map(|n| format!("fragment F{n} on Q {{ a }} ")).collect();
    let variables: String = (0..101).map(|n| format!("$v{n}: Int ")).collect();
    refused(
        &[operations, fragments, format!("query Q({variables}) {{ a }}")],
        expect![[r#"
            the document has 21 operations, and 20 are allowed
            the document has 51 fragments, and 50 are allowed
            the document has 101 variables, and 100 are allowed
        "#]],
    );
}

#[test]
fn directives_in_seven_places() {
    let many = "@x ".repeat(21);
    refused(
        &[
            format!("query Q {many} {{ a }}"),
            format!("query Q($a: Int {many}) {{ a }}"),
            format!("{{ a {many} }}"),
            format!("{{ __typename {many} }}"),
            format!("{{ ...F {many} }} fragment F on Q {{ a }}"),
            format!("{{ ...F }} fragment F on Q {many} {{ a }}"),
            format!("{{ ... {many} {{ a }} }}"),
            "{ ...F ...F ...F ...F ...F ...F } fragment F on Q { a @x @x @x @x }".to_owned(),
        ],
        expect![[r#"
            the document has 21 directives, with fragments written out, and limits.directives allows 20
            the document has 21 directives, with fragments written out, and limits.directives allows 20
            the document has 21 directives, with fragments written out, and limits.directives allows 20
            the document has 21 directives, with fragments written out, and limits.directives allows 20
            the document has 21 directives, with fragments written out, and limits.directives allows 20
            the document has 21 directives, with fragments written out, and limits.directives allows 20
            the document has 21 directives, with fragments written out, and limits.directives allows 20
            the document has 24 directives, with fragments written out, and limits.directives allows 20
        "#]],
    );
}

#[test]
fn bombs_used_and_unused() {
    refused(
        &[
            bomb(14, 2),
            bomb(24, 2),
            bomb(8, 100),
            bomb(24, 2).replace("{ ...f0 }", "{ a }"),
            bomb(6, 2).replace("{ a }", "{ b: a }"),
        ],
        expect![[r#"
            the document has 49151 selections, with fragments written out, and limits.selections allows 1000
            the document has more than 1000000 selections, with fragments written out, and limits.selections allows 1000
            the document has more than 1000000 selections, with fragments written out, and limits.selections allows 1000
            the document has more than 1000000 selections, with fragments written out, and limits.selections allows 1000
            the document has 64 aliases, with fragments written out, and limits.aliases allows 60
        "#]],
    );
}

#[test]
fn numbers_stop_at_the_largest_there_is() {
    let found = check(&bomb(40, 100), &UNLIMITED).unwrap();
    assert_eq!((found.selections, found.depth, found.levels), (usize::MAX, 1, 42));
}

#[test]
fn a_bomb_of_24_levels_is_measured_within_a_millisecond() {
    let bomb = bomb(24, 2);
    // The quickest of many runs: other work on the machine only ever adds time.
    let quickest = (0..50).map(|_| microseconds(&bomb)).min();
    assert!(quickest < Some(1_000), "took {quickest:?} µs");
}

#[expect(clippy::disallowed_methods, reason = "the time it takes is what is asked here")]
fn microseconds(document: &str) -> u128 {
    let start = std::time::Instant::now();
    assert!(check(document, &Limits::RECOMMENDED).is_err());
    start.elapsed().as_micros()
}

/// With every limit off, so that each pass sees the whole of it.
#[test]
fn a_mebibyte_of_anything_is_read_on_a_small_stack() {
    on_a_small_stack(|| {
        for piece in
            ["{", "[", "(", "}", "{a", "{...", "...a", "\"", "\"\"\"", "@", "a", "#", "#\n", "$a:", "é"]
        {
            let body = piece.repeat((1 << 20) / piece.len());
            for start in ["", "{", "{a(", "query(", "fragment F on Q {"] {
                _ = check(&format!("{start}{body}"), &UNLIMITED);
            }
        }
    });
}

#[test]
fn a_mebibyte_of_legal_nesting_is_measured_on_a_small_stack() {
    on_a_small_stack(|| {
        let nested = check(&nested("{a", "", "}", 300_000), &UNLIMITED).unwrap();
        assert_eq!((nested.depth, nested.levels), (300_000, 300_000));
        let chain = check(&bomb(20_000, 1), &UNLIMITED).unwrap();
        assert_eq!((chain.selections, chain.levels), (20_002, 20_002));
    });
}

/// What the guard lets pass must not hurt the parser, also on a stack a quarter of a worker's.
#[test]
fn the_parser_has_stack_for_the_deepest_document_that_passes() {
    on_a_small_stack(|| {
        let limits = Limits { depth: 50, ..Limits::RECOMMENDED };
        let accepted = [
            nested("{ a ", "", "}", 50),
            nested("{ ... ", "{ a }", "}", 63),
            format!("{{ a(b: {}) }}", nested("[", "1", "]", 62)),
            format!("{{ a(b: {}) }}", nested("{c: ", "1", "}", 62)),
            format!("query Q($a: I = {}) {{ a }}", nested("[", "1", "]", 63)),
            format!("query Q($a: {}) {{ a }}", nested("[", "I", "]", 63)),
        ];
        for document in accepted {
            check(&document, &limits).unwrap();
            parse_query(&document).unwrap();
        }
    });
}
