//! Do we and graphql-js agree on what is a legal schema, a valid document, and an answer about a schema?
//!
//! The corpus in `tests/referee/corpus` holds documents about `tests/referee/world.graphql`, each with the
//! verdict of graphql-js. Ours must be the same but for those that `differences.md` lists with a reason. That
//! the corpus says what graphql-js says, and all that concerns schemas, is asked of graphql-js itself, where
//! `TURNOUT_TEST_NODE` names a Node and the packages are there (`cargo xtask test` sees to both).

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use async_graphql::Variables;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::world;
use crate::compose::{Locks, compose};
use crate::dynamic::Introspection;
use crate::fixture;
use crate::graph::{Doc, Field, Type};
use crate::guard::lexer::{Lexer, Token};
use crate::subgraph::{self, Exposure};
use crate::validate::{Code, Validator};
use crate::{Subgraph, Supergraph, sdl};

struct Case {
    fact: String,
    is_valid: bool,
    text: String,
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/referee")
}

fn corpus() -> Vec<Case> {
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder().join("corpus")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let cases = texts.iter().flat_map(|text| text.split("#! ").skip(1)).map(|case| {
        let (head, text) = case.split_once('\n').unwrap();
        let (verdict, fact) = head.split_once(": ").unwrap();
        assert!(["valid", "invalid"].contains(&verdict), "{head}");
        Case { fact: fact.to_owned(), is_valid: verdict == "valid", text: text.trim_end().to_owned() }
    });
    cases.collect()
}

/// The facts on which we differ, each of which must have a reason.
fn differences() -> BTreeSet<String> {
    let text = std::fs::read_to_string(folder().join("differences.md")).unwrap();
    let listed = text.lines().filter_map(|line| line.strip_prefix("- `")).map(|line| {
        let (fact, reason) = line.split_once("`: ").unwrap();
        assert!(reason.len() > 20, "{fact} has no reason");
        fact.to_owned()
    });
    listed.collect()
}

/// What graphql-js says; none where there is no Node.
fn graphql_js(schemas: &BTreeMap<&str, String>, documents: &[&str]) -> Option<Value> {
    let Some(node) = std::env::var_os("TURNOUT_TEST_NODE") else {
        eprintln!("skipped: TURNOUT_TEST_NODE is not set");
        return None;
    };
    let mut child = Command::new(node)
        .arg(folder().join("referee.mjs"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let question = json!({ "schemas": schemas, "documents": documents, "world": world::WORLD });
    child.stdin.take().unwrap().write_all(question.to_string().as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "graphql-js fails on a schema");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

/// The corpus' world, the sample services in two sets of versions, and one that nobody here wrote.
fn graphs() -> BTreeMap<&'static str, Supergraph> {
    let samples = |versions: &[(&str, &str)]| {
        let read = |(service, version): &(&str, &str)| fixture::sample_subgraph(service, version);
        composed(&versions.iter().map(read).collect::<Vec<_>>())
    };
    let newest = [
        ("catalog", "1.5"),
        ("echo", "1"),
        ("math", "1"),
        ("orders", "2"),
        ("reviews", "1"),
        ("todo", "1"),
        ("users", "2"),
    ];
    let etcd = subgraph::read("etcd", "3.6.0", &fixture::etcd(), Exposure::All).subgraph;
    BTreeMap::from([
        ("world", world::supergraph(world::WORLD)),
        ("samples", samples(&newest)),
        ("older samples", samples(&[("catalog", "1.4"), ("orders", "2"), ("users", "1")])),
        ("etcd", composed(&[etcd])),
        ("comments", commented()),
    ])
}

/// A graph with comments that are hard to print.
fn commented() -> Supergraph {
    let descriptions = [
        "",
        " \n\t\n",
        "short",
        "\n\n  indented and surrounded\n\n",
        "first\n  second\n    third",
        "  first\n  second",
        "first\n\n\nlast",
        "ends with a \"quote\"",
        "ends with a slash \\",
        "three \"\"\" quotes",
        "three at the end \"\"\"",
        "\"at the start",
        "\\\"\"\"",
        "carriage\r\nreturns\rand\ttabs",
        "control \u{0} \u{7f} \u{85} \u{1b} characters",
        "exactly seventy characters, which is as long as one line may well be..",
        "seventy-one characters, which is one more than one line may have at all",
        "forty smileys, which JavaScript counts twice: 😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀",
        "\u{feff}a byte order mark, \u{2028} and another kind of line",
    ];
    let mut graph = world::supergraph("type Query { a: Int }");
    let Some(Type::Object(query)) = graph.types.get_mut("Query") else { panic!("there is a Query") };
    let field = query.fields.remove(0);
    query.fields = descriptions
        .iter()
        .zip(0..)
        .map(|(text, place)| {
            let deprecated = (!text.is_empty()).then(|| (*text).to_owned());
            let doc = Doc { description: (*text).to_owned(), deprecated };
            Field { name: format!("f{place}").into(), doc, ..field.clone() }
        })
        .collect();
    graph
}

fn composed(subgraphs: &[Subgraph]) -> Supergraph {
    compose(subgraphs, &Locks::default()).supergraph.unwrap()
}

#[test]
fn our_verdicts_are_those_of_the_corpus_but_for_the_listed() {
    let validator = Validator::new(&world::supergraph(world::WORLD)).unwrap();
    let (corpus, listed) = (corpus(), differences());
    assert!(corpus.len() >= 300);
    let differing: BTreeMap<&str, String> = corpus
        .iter()
        .filter_map(|case| match (case.is_valid, validator.validate(&case.text)) {
            (true, Ok(_)) | (false, Err(_)) => None,
            (false, Ok(_)) => Some((case.fact.as_str(), format!("we take {}", case.text))),
            (true, Err(errors)) => Some((case.fact.as_str(), format!("{}: {}", case.text, errors[0]))),
        })
        .collect();
    let unlisted: Vec<_> = differing.iter().filter(|(fact, _)| !listed.contains(**fact)).collect();
    assert!(unlisted.is_empty(), "not listed: {unlisted:#?}");
    let settled: Vec<_> = listed.iter().filter(|fact| !differing.contains_key(fact.as_str())).collect();
    assert!(settled.is_empty(), "listed, but we agree: {settled:#?}");
}

#[test]
fn what_does_not_parse_and_what_is_not_valid_have_their_own_codes() {
    let validator = Validator::new(&world::supergraph(world::WORLD)).unwrap();
    for (text, code, message) in [
        (
            "{ now",
            Code::Parse,
            "Syntax error: expected selection_set, selection, directive, or arguments. at 1:6",
        ),
        ("{ nope }", Code::Validation, "Cannot query field \"nope\" on type \"Query\". at 1:3"),
        (
            "\n{ a: now\n a: __typename }",
            Code::Validation,
            "Fields \"a\" conflict because \"now\" and \"__typename\" are different fields. Use different \
             aliases on the fields to fetch both if this was intentional. at 2:3, 3:2",
        ),
    ] {
        let errors = validator.validate(text).unwrap_err();
        assert_eq!((errors[0].code, errors[0].to_string().as_str()), (code, message));
    }
}

#[test]
fn graphql_js_judges_the_corpus_as_it_says() {
    let corpus = corpus();
    let texts: Vec<&str> = corpus.iter().map(|case| case.text.as_str()).collect();
    let Some(answer) = graphql_js(&BTreeMap::new(), &texts) else { return };
    let verdicts = answer["documents"].as_array().unwrap();
    assert_eq!(verdicts.len(), corpus.len());
    for (case, verdict) in corpus.iter().zip(verdicts) {
        assert_eq!(verdict.as_array().unwrap().is_empty(), case.is_valid, "{}: {verdict}", case.fact);
    }
}

/// Valid documents of the corpus with one or two words or numbers replaced by those of others: most are wrong
/// in a way that nobody would write down, and some are right.
fn mutants() -> Vec<String> {
    let listed = differences();
    // What the listed differences are about must not come back by chance.
    let alike = |text: &str| !["\\u", "\"\"\"", "json: ["].iter().any(|odd| text.contains(odd));
    let texts: Vec<String> = corpus()
        .into_iter()
        .filter(|case| case.is_valid && !listed.contains(&case.fact) && alike(&case.text))
        .map(|case| case.text)
        .collect();
    let pool: Vec<&str> = texts.iter().flat_map(|text| words(text)).map(|(_, word)| word).collect();
    let change = || (any::<Index>(), any::<Index>());
    let mutation = (any::<Index>(), proptest::collection::vec(change(), 1..3));
    let mutations = proptest::collection::vec(mutation, 5000);
    let drawn = mutations.new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let mutants = drawn.iter().map(|(text, changes)| {
        let mut mutant = text.get(&texts).clone();
        for (place, word) in changes {
            let known: Vec<(usize, usize)> = words(&mutant).map(|(at, word)| (at, word.len())).collect();
            if !known.is_empty() {
                let (at, length) = *place.get(&known);
                mutant.replace_range(at..at + length, word.get::<&str>(&pool));
            }
        }
        mutant
    });
    mutants.filter(|mutant| alike(mutant)).collect()
}

fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    Lexer::new(text).filter_map(|lexeme| match lexeme.token {
        Token::Name(word) | Token::Number(word) => Some((lexeme.at, word)),
        _ => None,
    })
}

#[test]
fn documents_that_nobody_wrote_are_judged_as_graphql_js_judges_them() {
    let mutants = mutants();
    let texts: Vec<&str> = mutants.iter().map(String::as_str).collect();
    let Some(answer) = graphql_js(&BTreeMap::new(), &texts) else { return };
    let validator = Validator::new(&world::supergraph(world::WORLD)).unwrap();
    let mut valid = 0;
    for (text, verdict) in texts.iter().zip(answer["documents"].as_array().unwrap()) {
        let is_valid = verdict.as_array().unwrap().is_empty();
        let ours = validator.validate(text).map(|_| ());
        assert_eq!(ours.is_ok(), is_valid, "{text}\nwe say {ours:?}, graphql-js says {verdict}");
        valid += usize::from(is_valid);
    }
    assert!(valid > 100, "only {valid} of {} are valid", texts.len());
}

#[test]
fn schemas_are_legal_and_printed_as_graphql_js_prints_them() {
    let sdl: BTreeMap<&str, String> = graphs().iter().map(|(name, graph)| (*name, sdl::sdl(graph))).collect();
    let Some(answer) = graphql_js(&sdl, &[]) else { return };
    for (name, sdl) in &sdl {
        let about = &answer["schemas"][name];
        assert_eq!(about["errors"], json!([]), "{name}");
        assert_eq!(about["printed"].as_str().unwrap().to_owned() + "\n", *sdl, "{name}");
    }
}

#[test]
fn answers_about_a_schema_are_those_of_graphql_js() {
    let query = std::fs::read_to_string(folder().join("introspection.graphql")).unwrap();
    let graphs = graphs();
    let sdl: BTreeMap<&str, String> = graphs.iter().map(|(name, graph)| (*name, sdl::sdl(graph))).collect();
    let Some(answer) = graphql_js(&sdl, &[]) else { return };
    for (name, graph) in &graphs {
        let document = Validator::new(graph).unwrap().validate(&query).unwrap();
        let introspection = Introspection::new(graph).unwrap();
        let ours = introspection.answer(&document, None, Variables::default()).unwrap().into_json().unwrap();
        let theirs = &answer["schemas"][name]["introspection"];
        let (ours, theirs) = (comparable(&ours), comparable(theirs));
        assert_eq!(ours.keys().collect::<Vec<_>>(), theirs.keys().collect::<Vec<_>>(), "{name}");
        for (line, ours) in &ours {
            assert_eq!(*ours, theirs[line], "{name}: {line}");
        }
    }
}

/// An answer as a table of lines, without what every server says of itself in its own words: the types of
/// introspection, the built-in scalars (async-graphql lists all, graphql-js those that are used), descriptions
/// of directives, and the order of lists that have none.
fn comparable(answer: &Value) -> BTreeMap<String, Value> {
    let schema = &answer["__schema"];
    let mut lines = BTreeMap::new();
    for key in ["queryType", "mutationType", "subscriptionType"] {
        lines.insert(key.to_owned(), schema[key].clone());
    }
    let named = |list: &str| schema[list].as_array().unwrap().clone();
    for ty in named("types") {
        let name = ty["name"].as_str().unwrap().to_owned();
        let is_built_in = ["Boolean", "Float", "ID", "Int", "String"].contains(&name.as_str());
        if !is_built_in && !name.starts_with("__") {
            lines.insert(name, ty);
        }
    }
    for mut directive in named("directives") {
        directive["description"] = Value::Null;
        for argument in directive["args"].as_array_mut().unwrap() {
            argument["description"] = Value::Null;
        }
        directive["locations"].as_array_mut().unwrap().sort_by_key(Value::to_string);
        lines.insert(format!("@{}", directive["name"].as_str().unwrap()), directive);
    }
    lines
}

#[test]
fn introspection_leaves_the_fields_of_data_null_and_fills_in_defaults() {
    let graph = world::supergraph(world::WORLD);
    let text = "query ($with: Boolean = false, $name: String = \"Book\") { \
        now a: __typename ...F t: __type(name: $name) { name kind @include(if: $with) } } \
        fragment F on Query { book(id: 1) { title } __type(name: \"Nope\") { name } }";
    let document = Validator::new(&graph).unwrap().validate(text).unwrap();
    let answer = Introspection::new(&graph).unwrap().answer(&document, None, Variables::default());
    let expected =
        json!({ "now": null, "a": "Query", "book": null, "__type": null, "t": { "name": "Book" } });
    assert_eq!(answer.unwrap().into_json().unwrap(), expected);
}

#[test]
fn the_world_is_written_as_it_is_read() {
    assert_eq!(sdl::sdl(&world::supergraph(world::WORLD)), world::WORLD);
}
