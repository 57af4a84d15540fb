//! `@skip` and `@include`: one plan, whatever the variables are.

use expect_test::expect;

use super::{BENCH, answer, calls, sound};

#[test]
fn constants_decide_at_once() {
    answer(
        &BENCH,
        "{ posts { id @skip(if: true) title @include(if: true) body @include(if: false) ... @skip(if: true) { userId } } }",
        &expect![[r#"
            posts = bench . posts
              title = title"#]],
    );
}

#[test]
fn variables_are_left_to_the_request() {
    answer(
        &BENCH,
        "query($a: Boolean!, $b: Boolean!) { posts { id @include(if: $a) ...F @skip(if: $b) } }
         fragment F on Post { title body @include(if: $a) userId @include(if: $b) }",
        &expect![[r#"
            posts = bench . posts
              id = id if $a
              title = title if not $b
              body = body if $a and not $b"#]],
    );
}

#[test]
fn a_field_reached_on_several_ways_is_wanted_on_any() {
    answer(
        &BENCH,
        "query($a: Boolean!, $b: Boolean!) { posts { id @include(if: $a) id @include(if: $b) title @include(if: $a) title } }",
        &expect![[r#"
            posts = bench . posts
              id = id if $a or $b
              title = title"#]],
    );
}

#[test]
fn what_is_below_is_wanted_only_on_its_own_way() {
    answer(
        &BENCH,
        "query($a: Boolean!, $b: Boolean!) {
           posts { user @include(if: $a) { id } user @include(if: $b) { name } user @include(if: $b) { email } } }",
        &expect![[r#"
            posts = bench.ListPosts . posts
              user = bench.BatchGetUsers by user_id if $a or $b
                id = id if $a
                name = name if $b
                email = email if $b"#]],
    );
    answer(
        &BENCH,
        "query($a: Boolean!, $b: Boolean!) {
           ... @include(if: $a) { posts @include(if: $b) { id } posts { title } } }",
        &expect![[r#"
            posts = bench . posts if $a
              id = id if $b
              title = title"#]],
    );
}

#[test]
fn a_key_stands_where_the_way_that_is_open_puts_it() {
    answer(
        &BENCH,
        "query($a: Boolean!) { posts { ...F @include(if: $a) id title } } fragment F on Post { title }",
        &expect![[r#"
            posts = bench . posts
              title = title if $a
              id = id
              title = title unless $a"#]],
    );
}

#[test]
fn a_fragment_on_two_ways_is_entered_on_both() {
    answer(
        &BENCH,
        "query($a: Boolean!, $b: Boolean!) { posts { ...F @include(if: $a) ...F @include(if: $b) ...F @include(if: $a) } }
         fragment F on Post { title body }",
        &expect![[r#"
            posts = bench . posts
              title = title if $a
              body = body if $a
              title = title if $b unless $a
              body = body if $b unless $a"#]],
    );
}

#[test]
fn calls_of_the_root_know_when_they_are_wanted() {
    calls(
        &BENCH,
        "query($a: Boolean!, $b: Boolean!) { user(id: 1) @include(if: $a) { name }
           x: user(id: 1) @skip(if: $b) { email } posts @skip(if: $a) { user { name } } }",
        &expect![[r#"
            bench.GetUser(id: 1) if $a or not $b
            bench.ListPosts if not $a
            bench.BatchGetUsers(ids) after bench.ListPosts"#]],
    );
}

#[test]
fn defaults_count_and_a_variable_without_a_value_is_named() {
    let plan = sound(
        &BENCH,
        "query($a: Boolean! = true, $b: Boolean!) { posts { id @include(if: $a) title @skip(if: $b) } }",
    );
    let given = |name: &str| (name == "b").then_some(true);
    let holds = plan.holds(given).unwrap();
    let turns = &plan.selections[0].turns;
    assert_eq!([holds.is(turns[0].when), holds.is(turns[1].when)], [true, false]);
    assert_eq!(plan.holds(|_| None), Err("b".into()));
}
