//! Do the sources keep the rules that a reader relies on and no compiler checks?
//!
//! Every file that is or could be committed is read once; each rule is a function from one file to its
//! findings, and all findings are told together. Rules that clippy or rustfmt know are not repeated.

use std::path::Path;
use std::process::Command;

const LINES_MAX: usize = 600;

/// Languages written here by hand, and therefore held to the rules about names and marks.
const SOURCES: [&str; 6] = ["rs", "go", "java", "proto", "ts", "tsx"];

/// Names that say nothing about what is inside.
const EMPTY_NAMES: [&str; 5] = ["utils", "common", "types", "helpers", "manager"];

/// Crates that get time, randomness and all else as arguments.
const PURE: [&str; 2] = ["schema/src/", "control/src/"];

/// What a pure crate may not even name.
const IMPURE: [&str; 6] = ["std::fs", "std::env", "std::net::Tcp", "std::net::Udp", "SystemTime", "Instant"];

/// A file by its path from the root, with `/` on every system.
struct File<'a> {
    path: &'a str,
    text: &'a str,
}

impl File<'_> {
    fn extension(&self) -> &str {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        name.rsplit_once('.').map_or("", |(_, extension)| extension)
    }

    fn is_source(&self) -> bool {
        SOURCES.contains(&self.extension())
    }

    /// Lines before the tests that a file may end with; none of a file that is all tests.
    fn before_tests(&self) -> Vec<&str> {
        if self.path.split('/').any(|part| part == "tests" || part == "tests.rs" || part == "fixture.rs") {
            return Vec::new();
        }
        let lines: Vec<&str> = self.text.lines().collect();
        let tail =
            lines.windows(2).position(|pair| pair[0] == "#[cfg(test)]" && pair[1].starts_with("mod tests {"));
        lines[..tail.unwrap_or(lines.len())].to_vec()
    }
}

/// A rule: what is wrong in this file, one sentence each.
type Rule = fn(&File<'_>) -> Vec<String>;

const RULES: [Rule; 7] = [
    opens_with_its_question,
    is_not_long,
    has_no_stubs,
    names_the_issue,
    ends_lines_by_lf,
    says_what_it_is,
    is_pure,
];

fn opens_with_its_question(file: &File<'_>) -> Vec<String> {
    let opens = file.text.lines().take(3).any(|line| line.starts_with("//!"));
    finding(file.extension() == "rs" && !opens, || "does not open with `//!` in its first 3 lines".to_owned())
}

fn is_not_long(file: &File<'_>) -> Vec<String> {
    let count = file.before_tests().len();
    finding(file.extension() == "rs" && count > LINES_MAX, || {
        format!("has {count} lines before its tests; split it where a name appears, by {LINES_MAX}")
    })
}

fn has_no_stubs(file: &File<'_>) -> Vec<String> {
    // Written in two parts, so that this file does not find itself.
    let stubs = [concat!("todo", "!("), concat!("unimplemented", "!(")];
    let macros = stubs.iter().filter(|stub| file.extension() == "rs" && file.text.contains(**stub));
    let marks = [concat!("FIX", "ME"), concat!("XX", "X")];
    let marks =
        marks.iter().filter(|mark| file.is_source() && file.text.lines().any(|line| marked(line, mark)));
    macros.chain(marks).map(|word| format!("contains {word}")).collect()
}

fn names_the_issue(file: &File<'_>) -> Vec<String> {
    let todo = concat!("TO", "DO");
    let lines = file.text.lines().enumerate().filter(|(_, line)| file.is_source() && marked(line, todo));
    lines
        .filter(|(_, line)| !names_a_number(line, todo))
        .map(|(index, _)| format!("line {}: a {todo} names its issue, as in {todo}(#12)", index + 1))
        .collect()
}

fn ends_lines_by_lf(file: &File<'_>) -> Vec<String> {
    finding(file.text.contains("\r\n"), || "has CRLF line endings".to_owned())
}

fn says_what_it_is(file: &File<'_>) -> Vec<String> {
    // A contract's folders are its package, which is a public name: only its files are ours to choose.
    let parts: Vec<&str> = file.path.split('/').collect();
    let named = if file.extension() == "proto" { &parts[parts.len() - 1..] } else { &parts[..] };
    let stems = named.iter().map(|part| part.split('.').next().unwrap_or_default().to_lowercase());
    stems
        .filter(|stem| file.is_source() && EMPTY_NAMES.contains(&stem.as_str()))
        .map(|stem| format!("is named `{stem}`, which says nothing about what is inside"))
        .collect()
}

fn is_pure(file: &File<'_>) -> Vec<String> {
    if file.extension() != "rs" || !PURE.iter().any(|folder| file.path.starts_with(folder)) {
        return Vec::new();
    }
    let code: Vec<&str> = file.before_tests().iter().map(|line| before_comment(line)).collect();
    let code = spelled_out(&code.join("\n"));
    let named = IMPURE.iter().filter(|name| {
        // A path is found by its beginning (`TcpStream`), a type as a whole word (not `Instantiated`).
        if name.contains("::") { code.contains(**name) } else { has_word(&code, name) }
    });
    named.map(|name| format!("names {name} in a pure crate")).collect()
}

/// `use std::{fs, collections::..}` as the paths it stands for, added to the code.
fn spelled_out(code: &str) -> String {
    let mut spelled = code.to_owned();
    for group in code.split("std::{").skip(1) {
        let inside = group.split(';').next().unwrap_or_default();
        for word in inside.split(|c: char| !(c.is_alphanumeric() || c == '_')) {
            let path = if word.starts_with("Tcp") || word.starts_with("Udp") { "net::" } else { "" };
            spelled.push_str(&format!("\nstd::{path}{word}"));
        }
    }
    spelled
}

fn finding(wrong: bool, sentence: impl Fn() -> String) -> Vec<String> {
    if wrong { vec![sentence()] } else { Vec::new() }
}

/// Is `mark` a word of a comment in this line?
fn marked(line: &str, mark: &str) -> bool {
    let code = before_comment(line);
    let comment = &line[code.len()..];
    let starred = line.trim_start().starts_with('*') || line.contains("/*");
    has_word(comment, mark) || (starred && has_word(line, mark))
}

fn before_comment(line: &str) -> &str {
    line.find("//").map_or(line, |at| &line[..at])
}

fn has_word(text: &str, word: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '_')).any(|part| part == word)
}

fn names_a_number(line: &str, todo: &str) -> bool {
    let behind = line.split(todo).nth(1).unwrap_or_default();
    behind.strip_prefix("(#").is_some_and(|number| number.starts_with(|c: char| c.is_ascii_digit()))
}

/// All findings of all rules in one file, each with the file's path.
fn check(path: &str, text: &str) -> Vec<String> {
    let file = File { path, text };
    RULES.iter().flat_map(|rule| rule(&file)).map(|found| format!("{path} {found}")).collect()
}

#[test]
fn the_checkout_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let listing = Command::new("git")
        .current_dir(&root)
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .output()
        .expect("git is there: this is a checkout");
    assert!(listing.status.success(), "{}", String::from_utf8_lossy(&listing.stderr));
    let paths = String::from_utf8(listing.stdout).expect("paths are UTF-8");
    assert!(paths.split('\0').any(|path| path == "xtask/tests/tidy.rs"), "git lists another checkout");

    let mut found = Vec::new();
    for path in paths.split_terminator('\0') {
        // A listed file may be deleted and not yet committed. What is not UTF-8 is no text.
        let Ok(bytes) = std::fs::read(root.join(path)) else { continue };
        let Ok(text) = String::from_utf8(bytes) else { continue };
        found.extend(check(path, &text));
    }
    assert!(found.is_empty(), "{} findings:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_file_without_its_question_is_found() {
    assert_eq!(check("a.rs", "use std::io;\n"), ["a.rs does not open with `//!` in its first 3 lines"]);
    assert!(check("a.rs", "//! What?\n").is_empty());
    assert!(check("a.md", "no question\n").is_empty());
}

#[test]
fn a_long_file_is_found_but_for_its_tests() {
    let long = format!("//! What?\n{}", "\n".repeat(LINES_MAX));
    assert_eq!(check("a.rs", &long).len(), 1);
    let tests = format!("//! What?\n#[cfg(test)]\nmod tests {{\n{}}}\n", "\n".repeat(LINES_MAX));
    assert!(check("a.rs", &tests).is_empty());
    for path in ["x/tests/it.rs", "x/src/a/tests.rs"] {
        assert!(check(path, &long).is_empty(), "{path} holds nothing but tests");
    }
    assert_eq!(check("x/src/contests/a.rs", &long).len(), 1);
}

#[test]
fn stubs_and_marks_are_found() {
    for body in [concat!("todo", "!()"), concat!("unimplemented", "!()"), concat!("// FIX", "ME later")] {
        assert_eq!(check("a.rs", &format!("//! What?\n{body}\n")).len(), 1, "{body}");
    }
}

#[test]
fn a_mark_in_a_comment_needs_its_issue_and_a_name_does_not() {
    let mark = concat!("TO", "DO");
    let line = |text: String| check("a.go", &text).len();
    assert_eq!(line(format!("// {mark}: later")), 1);
    assert_eq!(line(format!(" * {mark} later")), 1);
    assert_eq!(line(format!("// {mark}(#12): later")), 0);
    assert_eq!(line(format!("const {mark} = 1 // the word in code")), 0);
    assert_eq!(line(format!("// {mark}_OPEN is a state")), 0);
}

#[test]
fn crlf_is_found_in_any_text() {
    assert_eq!(check("a.md", "one\r\ntwo\n").len(), 1);
}

#[test]
fn empty_names_are_found_for_files_and_folders() {
    for path in ["x/utils.rs", "x/common/mod.rs", "ui/src/helpers.ts", "x/Types.java"] {
        assert_eq!(check(path, "//! What?\n").len(), 1, "{path}");
    }
    for path in ["x/typeset.rs", "google/common/v1/money.proto", "docs/types.md"] {
        assert!(check(path, "//! What?\n").is_empty(), "{path}");
    }
}

#[test]
fn a_pure_crate_may_not_name_the_world() {
    let pure = |code: &str| check("schema/src/a.rs", &format!("//! What?\n{code}\n")).len();
    assert_eq!(pure("use std::fs;"), 1);
    assert_eq!(pure("use std::{\n    collections::BTreeMap,\n    env,\n};"), 1);
    assert_eq!(pure("let s: std::net::TcpStream;"), 1);
    assert_eq!(pure("use std::time::{Instant, SystemTime};"), 2);
    assert_eq!(pure("use std::{collections::BTreeMap, fmt};"), 0);
    assert_eq!(pure("// not std::fs, not Instant\nstruct Instantiated;"), 0);
    assert_eq!(check("gateway/src/a.rs", "//! What?\nuse std::fs;\n").len(), 0);
}
