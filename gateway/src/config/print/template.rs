//! The file that `config init` writes.
//!
//! Sections stand open and every setting below is a comment with its default, so that a line is set by
//! removing its `#`, and a default that nobody chose can still improve with the next release.

use std::fmt::Write as _;

use crate::config::kind::Kind;
use crate::config::settings::{Fallback, SETTINGS, Setting};

const HEAD: &str = "\
# yaml-language-server: $schema=./turnout.schema.json

# Settings of Turnout. A commented setting shows its default: remove the `# ` to set it.
# Values may hold ${VAR} and ${VAR:-fallback}. TURNOUT_A__B in the environment overrides a.b,
# and flags win.
# `turnout config validate` checks this file; `turnout config show` prints what holds and why.
";

/// Its text.
pub fn template() -> String {
    let mut out = HEAD.to_owned();
    let mut open: Vec<&str> = Vec::new();
    for setting in SETTINGS {
        let mut words: Vec<&'static str> = setting.path.split('.').collect();
        words.pop();
        let shared = open.iter().zip(&words).take_while(|(one, other)| one == other).count();
        if words.is_empty() || shared == 0 {
            out.push('\n');
        }
        // Below a chosen name all is a comment, and stays one when its `# ` is gone.
        let starred = words.iter().position(|word| *word == "*").unwrap_or(usize::MAX);
        for (depth, word) in words.iter().enumerate().skip(shared) {
            let word = if depth == starred { sample_name(&words) } else { word };
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{}{word}:", margin(depth, starred));
        }
        write_setting(&mut out, setting, &margin(words.len(), starred));
        open = words;
    }
    out
}

/// What may stand for the name in a section.
fn sample_name(words: &[&str]) -> &'static str {
    if words.contains(&"sources") { "legacy" } else { "orders" }
}

fn write_setting(out: &mut String, setting: &Setting, margin: &str) {
    let sample = yaml(&setting.kind, setting.sample());
    let (word, help) = (setting.word(), setting.help);
    // Writing to a string cannot fail.
    let _ = if setting.path.contains('*') {
        writeln!(out, "{margin}# {help}\n{margin}{word}: {sample}")
    } else {
        let note = match setting.fallback {
            Fallback::Value(_) => "",
            Fallback::Unset { .. } => " Not set by default.",
        };
        writeln!(out, "{margin}# {help}{note}\n{margin}# {word}: {sample}")
    };
}

/// What a line of this depth begins with; from the chosen name on, with the sign of a comment.
fn margin(depth: usize, starred: usize) -> String {
    match depth.checked_sub(starred) {
        None => indent(depth),
        Some(below) => format!("{}# {}", indent(starred), indent(below)),
    }
}

fn indent(depth: usize) -> String {
    "  ".repeat(depth)
}

/// A text of the table as YAML.
fn yaml(kind: &Kind, text: &str) -> String {
    let quoted = |text: &str| match text.contains(['*', '#', '{', '['])
        || text.contains(": ")
        || text.starts_with(':')
    {
        true => format!("\"{text}\""),
        false => text.to_owned(),
    };
    match kind {
        Kind::List(_) => {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let items: Vec<String> = items.map(quoted).collect();
            format!("[{}]", items.join(", "))
        }
        _ => quoted(text),
    }
}
