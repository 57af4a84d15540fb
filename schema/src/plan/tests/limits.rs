//! What cannot be planned is told, and nothing makes planning explode.

use std::fmt::Write;

use expect_test::expect;

use super::super::{Error, plan};
use super::{BENCH, WORLD, planned, refused, sound};

#[test]
fn what_was_not_validated_is_refused() {
    refused(
        &BENCH,
        "{ nobody { id } posts { nothing } }",
        &expect![[r#"
        1:3 Cannot query field "nobody" on type "Query".
        1:25 Cannot query field "nothing" on type "Post"."#]],
    );
    refused(
        &BENCH,
        "{ posts { id { x } user } }",
        &expect![[r#"
        1:11 Field "id" of type "Post" has a selection of subfields where it must not, or none.
        1:20 Field "user" of type "Post" has a selection of subfields where it must not, or none."#]],
    );
    refused(
        &BENCH,
        "{ posts }",
        &expect![[
            r#"1:3 Field "posts" of type "Query" has a selection of subfields where it must not, or none."#
        ]],
    );
    refused(&BENCH, "{ posts { ...Nothing } }", &expect![[r#"1:14 Unknown fragment "Nothing"."#]]);
    refused(
        &BENCH,
        "{ posts @defer { id } a: posts { id @skip } }",
        &expect![[r#"1:9 Unexpected directive "@defer"."#]],
    );
    refused(
        &BENCH,
        "{ posts { x: id x: title } user(id: 1) { id } user(id: 2) { id } }",
        &expect![[r#"
        1:17 Fields "x" conflict because they are different fields or have different arguments.
        1:47 Fields "user" conflict because they are different fields or have different arguments."#]],
    );
    refused(
        &BENCH,
        "mutation { posts { id } }",
        &expect!["Schema is not configured to execute Mutation operation."],
    );
    refused(
        &WORLD,
        "subscription { a: orderEvents(id: 1) { sequence } b: orderEvents(id: 2) { sequence } }",
        &expect!["A subscription must select exactly one field."],
    );
}

#[test]
fn the_operation_is_chosen_by_its_name() {
    let document =
        async_graphql_parser::parse_query("query A { posts { id } } query B { posts { title } }").unwrap();
    assert_eq!(plan(&BENCH, &document, None).unwrap_err(), [Error::NoChoice]);
    assert_eq!(plan(&BENCH, &document, Some("C")).unwrap_err(), [Error::NoOperation("C".to_owned())]);
    expect![[r#"
        posts = bench . posts
          title = title"#]]
    .assert_eq(&plan(&BENCH, &document, Some("B")).unwrap().outline());
}

#[test]
fn fragments_that_spread_each_other_twice_are_entered_once() {
    let mut document = "{ posts { ...F0 ...F0 } }".to_owned();
    for level in 0..200 {
        let next = level + 1;
        write!(document, " fragment F{level} on Post {{ ...F{next} ...F{next} }}").unwrap();
    }
    document.push_str(" fragment F200 on Post { id }");
    assert_eq!(sound(&BENCH, &document).selections.len(), 2);
}

#[test]
fn fragments_that_spread_themselves_come_to_an_end() {
    sound(&BENCH, "{ posts { ...F } } fragment F on Post { id ...G } fragment G on Post { ...F }");
    refused(
        &WORLD,
        "{ category(id: 1) { ...F } } fragment F on Category { parent { ...F } }",
        &expect!["The operation is too large to be planned."],
    );
}

#[test]
fn what_multiplies_is_refused_and_not_computed() {
    let mut fields = "{ category(id: 1) { ...F0 } }".to_owned();
    let mut ways = "query(".to_owned();
    for level in 0..24 {
        write!(ways, "$a{level}: Boolean! $b{level}: Boolean! ").unwrap();
    }
    ways.push_str(") { posts { ...F0 } }");
    for level in 0..24 {
        let next = level + 1;
        write!(
            fields,
            " fragment F{level} on Category {{ a: parent {{ ...F{next} }} b: parent {{ ...F{next} }} }}"
        )
        .unwrap();
        write!(ways, " fragment F{level} on Post {{ ...F{next} @include(if: $a{level}) ...F{next} @include(if: $b{level}) }}").unwrap();
    }
    fields.push_str(" fragment F24 on Category { id }");
    ways.push_str(" fragment F24 on Post { id }");
    assert_eq!(planned(&WORLD, &fields).unwrap_err(), [Error::TooLarge]);
    assert_eq!(planned(&BENCH, &ways).unwrap_err(), [Error::TooLarge]);
}

#[test]
fn long_chains_of_fragments_are_refused_before_the_stack_ends() {
    let mut document = "{ posts { ...F0 } }".to_owned();
    for level in 0..20_000 {
        write!(document, " fragment F{level} on Post {{ ...F{} }}", level + 1).unwrap();
    }
    document.push_str(" fragment F20000 on Post { id }");
    assert_eq!(planned(&BENCH, &document).unwrap_err(), [Error::TooLarge]);
}

#[test]
fn costs_follow_the_lists() {
    let number = |name: &str| (name == "n").then_some(500u64);
    for (document, cost) in [
        ("{ posts { id } }", 1),
        ("{ posts { user { id } } }", 2),
        ("{ posts(limit: 100) { user { id } } }", 2),
        ("{ posts(limit: 1000) { user { id } } }", 20),
        ("query($n: Int!) { posts(limit: $n) { user { id } } }", 10),
        ("query($m: Int!) { posts(limit: $m) { user { id } } }", 2),
        ("{ a: posts(limit: 1) { id } b: posts(limit: 2) { id } c: posts(limit: 2) { title } }", 2),
    ] {
        assert_eq!(sound(&BENCH, document).cost(number), cost, "{document}");
    }
    let endless = sound(&BENCH, "query($n: Int!) { posts(limit: $n) { user { id } a: user { id } } }");
    assert_eq!(endless.cost(|_| Some(u64::MAX)), u64::MAX / 100 + 1 + u64::MAX / 100 + 1);
}

#[test]
fn values_that_cannot_be_sent_are_told_with_the_plan() {
    refused(
        &BENCH,
        "query($n: Int = \"x\", $p: Post) { posts(limit: \"many\") { id } user(id: 1.5) { id } }",
        &expect![[r#"
            1:26 Variable "$p" cannot be non-input type "Post".
            1:7 Variable "$n" has invalid default value "x"; Int cannot represent non-integer value: "x"
            1:47 Argument "limit" has invalid value "many"; Int cannot represent non-integer value: "many"
            1:71 Argument "id" has invalid value 1.5; ID cannot represent value: 1.5"#]],
    );
}
