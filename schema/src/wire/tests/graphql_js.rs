//! Is what we say of a variable's value what graphql-js says, word for word?
//!
//! `tests/referee/variables.txt` holds types, values and the complaints of graphql-js. That it does is asked
//! of graphql-js itself where `TURNOUT_TEST_NODE` names a Node (`cargo xtask test` sees to that).

use std::fs::File;
use std::path::PathBuf;
use std::process::Command;

use super::{World, operation};
use crate::variables::{Declaration, Variables};

fn file(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/referee").join(name)
}

#[test]
fn values_are_refused_in_the_words_of_graphql_js() {
    let world = World::new(
        "enum Colour { COLOUR_UNSPECIFIED = 0; RED = 1; GREEN = 2; }
        message Ask { Price price = 1; }
        message Price {
          int32 need_units = 1; int32 nanos = 2; Price before = 3; repeated string tags = 4; Colour colour = 5;
        }",
    );
    let expected = std::fs::read_to_string(file("variables.txt")).unwrap();
    let mut found = String::new();
    for case in expected.lines().filter(|line| !line.starts_with("  ")) {
        let (ty, value) = case.split_once(' ').unwrap_or((case, ""));
        let operation = operation(&format!("query($v: {ty}) {{ price }}"));
        let declarations = Declaration::read(&operation.variable_definitions, &world.types).unwrap();
        let text = if value.is_empty() { String::new() } else { format!("{{\"v\": {value}}}") };
        found.extend([case, "\n"]);
        for error in Variables::read(&text, &declarations, &world.types).err().into_iter().flatten() {
            found.extend(["  ", &error.message, "\n"]);
        }
    }
    similar(&found, &expected);
}

#[test]
fn the_words_are_those_of_graphql_js() {
    let Some(node) = std::env::var_os("TURNOUT_TEST_NODE") else {
        eprintln!("skipped: TURNOUT_TEST_NODE is not set");
        return;
    };
    let output = Command::new(node)
        .arg(file("variables.mjs"))
        .stdin(File::open(file("variables.txt")).unwrap())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    similar(
        &String::from_utf8(output.stdout).unwrap(),
        &std::fs::read_to_string(file("variables.txt")).unwrap(),
    );
}

/// Equal, told line by line.
fn similar(found: &str, expected: &str) {
    for (found, expected) in found.lines().zip(expected.lines()) {
        assert_eq!(found, expected);
    }
    assert_eq!(found.lines().count(), expected.lines().count());
}
