//! Random operations: a plan under some values of the variables writes what the specification's own
//! algorithm collects under those values, key by key and in its order.

use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::plan;
use super::naive::{Naive, written};
use super::{BENCH, WORLD, graph, verify};
use crate::Supergraph;

const PROTO: &str = "
    service S { rpc GetPost(GetPostRequest) returns (Post) { option idempotency_level = NO_SIDE_EFFECTS; }
      rpc BatchGetUsers(BatchGetUsersRequest) returns (BatchGetUsersResponse) {
        option idempotency_level = NO_SIDE_EFFECTS;
        option (turnout.graphql.v1.rpc) = {hidden: true}; } }
    message GetPostRequest { string id = 1; }
    message BatchGetUsersRequest { repeated string ids = 1; }
    message BatchGetUsersResponse { repeated User users = 1; }
    message User { option (turnout.graphql.v1.entity) = {key: \"id\"}; string id = 1; string name = 2;
      Post best = 3; }
    message Post { string id = 1; string title = 2; repeated Post replies = 3; map<string, User> named = 4;
      string user_id = 5 [(turnout.graphql.v1.field) = {ref: \"User\"}];
      repeated string reader_ids = 6 [(turnout.graphql.v1.field) = {ref: \"User\"}];
      oneof kind { option (turnout.graphql.v1.oneof) = {union: \"Kind\"}; Dog dog = 7; string cat = 8; } }
    message Dog { string bark = 1; string id = 2; }";

static POSTS: LazyLock<Supergraph> = LazyLock::new(|| graph(PROTO));

/// The fields of each type: the leaves, and those that lead on.
fn fields(of: &str) -> (&'static [&'static str], &'static [(&'static str, &'static str)]) {
    match of {
        "Query" => (&["__typename"], &[("post", "Post"), ("post(id: \"1\")", "Post")]),
        "Post" => (
            &["id", "title", "userId", "__typename"],
            &[
                ("replies", "Post"),
                ("user", "User"),
                ("readers", "User"),
                ("kind", "Kind"),
                ("named", "Entry"),
            ],
        ),
        "User" => (&["id", "name"], &[("best", "Post")]),
        "Kind" => (&["__typename"], &[]),
        "Dog" => (&["id", "bark", "__typename"], &[]),
        "KindCat" => (&["value"], &[]),
        "Entry" => (&["key"], &[("value", "User")]),
        other => panic!("{other}"),
    }
}

/// The types that a fragment may ask for where this type is expected.
fn conditions(of: &str) -> &'static [&'static str] {
    match of {
        "Kind" => &["Kind", "Dog", "PostKindCat"],
        "Dog" => &["Kind", "Dog"],
        "Post" => &["Post"],
        "User" => &["User"],
        "Query" => &["Query"],
        _ => &[],
    }
}

fn directives() -> impl Strategy<Value = String> {
    let one = prop::sample::select(vec![
        "",
        "",
        "",
        "",
        "@include(if: $a)",
        "@skip(if: $a)",
        "@include(if: $b)",
        "@skip(if: $b)",
        "@include(if: true)",
        "@skip(if: true)",
    ]);
    (one.clone(), one).prop_map(|(first, second)| match first == second || second.contains("true") {
        true => format!(" {first}"),
        false => format!(" {first} {second}"),
    })
}

/// A selection set on a type, as text. Fragments are spread from those after `fragment` only.
fn set(of: &'static str, depth: usize, fragment: usize) -> BoxedStrategy<String> {
    prop::collection::vec(item(of, depth, fragment), 1..5)
        .prop_map(|items| format!("{{ {} }}", items.join(" ")))
        .boxed()
}

fn item(of: &'static str, depth: usize, fragment: usize) -> BoxedStrategy<String> {
    let (leaves, objects) = fields(of);
    let alias = |name: &str, alias: bool, directives: &str, inner: &str| {
        let plain = name.split('(').next().unwrap();
        let head = match (alias, plain == name) {
            (false, true) => String::new(),
            (true, true) => format!("mine_{plain}: "),
            (_, false) => format!("other_{plain}: "),
        };
        format!("{head}{name}{directives} {inner}")
    };
    let leaf = (prop::sample::select(leaves), any::<bool>(), directives())
        .prop_map(move |(name, other, directives)| alias(name, other, &directives, ""))
        .boxed();
    let mut all = vec![leaf];
    if depth > 0 {
        for (name, ty) in objects {
            let object = (any::<bool>(), directives(), set(ty, depth - 1, fragment));
            all.push(object.prop_map(move |(other, text, inner)| alias(name, other, &text, &inner)).boxed());
        }
        for on in conditions(of) {
            let inner = set(if *on == "PostKindCat" { "KindCat" } else { on }, depth - 1, fragment);
            let inline =
                (directives(), inner).prop_map(move |(text, inner)| format!("... on {on}{text} {inner}"));
            all.push(inline.boxed());
        }
        let spread = move |(at, text): (usize, String)| format!("...F{at}{text}");
        if fragment < FRAGMENTS.len() {
            all.push((fragment..FRAGMENTS.len(), directives()).prop_map(spread).boxed());
        }
    }
    prop::strategy::Union::new(all).boxed()
}

const FRAGMENTS: [&str; 4] = ["Post", "User", "Post", "Kind"];

fn document() -> impl Strategy<Value = String> {
    let root = set("Query", 4, 0);
    let fragments: Vec<BoxedStrategy<String>> = FRAGMENTS
        .iter()
        .enumerate()
        .map(|(at, on)| {
            set(on, 2, at + 1).prop_map(move |set| format!("fragment F{at} on {on} {set}")).boxed()
        })
        .collect();
    (root, fragments)
        .prop_map(|(root, all)| format!("query($a: Boolean!, $b: Boolean!) {root}\n{}", all.join("\n")))
}

/// A selection set that no type has to have.
fn wild() -> BoxedStrategy<String> {
    let name = prop::sample::select(vec![
        "post",
        "id",
        "replies",
        "user",
        "kind",
        "named",
        "key",
        "value",
        "best",
        "bark",
        "nothing",
        "__schema",
        "__typename",
        "a: id",
        "a: user",
        "post(id: [$a, {x: $b}])",
        "user(id: null)",
    ]);
    let head = (name, directives()).prop_map(|(name, directives)| format!("{name}{directives}")).boxed();
    let leaf = prop_oneof![head.clone(), Just("...F0".to_owned()), Just("...F9 @x".to_owned())].boxed();
    let set = |items: &[String]| format!("{{ {} }}", items.join(" "));
    leaf.prop_recursive(5, 60, 5, move |inner| {
        let items = prop::collection::vec(inner, 1..5);
        let on = prop::sample::select(vec!["", "... on Post ", "... on Kind ", "... ", "... on Nothing "]);
        (head.clone(), on, items).prop_map(move |(head, on, items)| match on {
            "" => format!("{head} {}", set(&items)),
            on => format!("{on}{}", set(&items)),
        })
    })
    .prop_map(|item| format!("{{ post {{ {item} }} {item} }}"))
    .boxed()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn plans_write_what_the_specification_collects(text in document()) {
        let document = async_graphql_parser::parse_query(&text).unwrap();
        let plan = plan(&POSTS, &document, None).unwrap();
        verify::all(&plan);
        let operation = document.operations.iter().next().unwrap().1;
        for values in [(false, false), (false, true), (true, false), (true, true)] {
            let holds = plan.holds(|name| Some(if name == "a" { values.0 } else { values.1 })).unwrap();
            let naive = Naive { graph: &POSTS, document: &document, values };
            prop_assert_eq!(
                written(&plan, plan.root, &holds),
                naive.object("Query", &[&operation.node.selection_set.node]),
                "{:?}", values
            );
        }
    }
    #[test]
    fn documents_that_nobody_validated_are_planned_or_refused(one in wild(), other in wild(), at in 0usize..3) {
        let kind = ["query", "mutation", "subscription"][at];
        let text = format!("{kind}($a: Boolean, $b: Boolean = null) {one} fragment F0 on Post {other}");
        let document = async_graphql_parser::parse_query(&text).unwrap();
        for graph in [&*POSTS, &*WORLD, &*BENCH] {
            match plan(graph, &document, None) {
                Ok(plan) => verify::all(&plan),
                Err(errors) => prop_assert!(!errors.is_empty() && errors.len() <= 10, "{:?}", errors),
            }
        }
    }
}
