//! What does a person read about something: its leading comment, without what is meant for tools.
//!
//! Comments are descriptions and nothing else: no rule of the graph hangs on them, because they are lost
//! when a set comes without source info. The line `Deprecated: ..` is the reason of a deprecation that an
//! option declares; without the option it stays where it is.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

use crate::graph::Doc;

/// What a deprecated thing says when its comment gives no reason: GraphQL's own words.
const NO_REASON: &str = "No longer supported";

/// How lines begin that speak to tools.
const MARKERS: [&str; 5] = ["buf:", "protolint:", "api-linter:", "@exclude", "clang-format "];

/// The leading comments of a pool.
#[derive(Debug)]
pub(super) struct Comments {
    /// By file, then by the path of the descriptor.
    files: Vec<HashMap<Vec<i32>, String>>,
}

impl Comments {
    pub(super) fn read(pool: &DescriptorPool) -> Comments {
        let mut files = Vec::new();
        for file in pool.file_descriptor_protos() {
            let locations = file.source_code_info.iter().flat_map(|info| &info.location);
            let comments = locations.filter_map(|location| {
                let text = location.leading_comments.as_ref()?;
                Some((location.path.clone(), text.clone()))
            });
            files.push(comments.collect());
        }
        Comments { files }
    }

    /// What is said about the thing at a path.
    pub(super) fn doc(&self, file: &FileDescriptor, path: &[i32], deprecated: bool) -> Doc {
        let comment = self.files.get(file.index()).and_then(|comments| comments.get(path));
        doc(comment.map_or("", String::as_str), deprecated)
    }
}

fn doc(comment: &str, deprecated: bool) -> Doc {
    let lines = lines(comment);
    if !deprecated {
        return Doc { description: text(&lines), deprecated: None };
    }
    let Some(start) = lines.iter().position(|line| reason_of(line).is_some()) else {
        return Doc { description: text(&lines), deprecated: Some(NO_REASON.to_owned()) };
    };
    let end = lines[start..].iter().position(|line| line.is_empty()).map_or(lines.len(), |more| start + more);
    let first = reason_of(lines[start]).unwrap_or_default();
    let reason = [&[first], &lines[start + 1..end]].concat().join(" ");
    let reason = if reason.trim().is_empty() { NO_REASON.to_owned() } else { reason.trim().to_owned() };
    Doc { description: text(&[&lines[..start], &lines[end..]].concat()), deprecated: Some(reason) }
}

fn reason_of(line: &str) -> Option<&str> {
    let rest = line.strip_prefix("Deprecated:").or_else(|| line.strip_prefix("DEPRECATED:"))?;
    Some(rest.trim())
}

/// The lines that speak to people, without the space that comments begin with.
fn lines(comment: &str) -> Vec<&str> {
    let mut kept = Vec::new();
    let mut internal = false;
    for line in comment.lines() {
        let bare = line.trim();
        // Google's linters take `(-- .. --)` for a note to the team, and publish it nowhere.
        if internal || bare.starts_with("(--") {
            internal = !bare.ends_with("--)");
            continue;
        }
        if !MARKERS.iter().any(|marker| bare.starts_with(marker)) {
            kept.push(line.trim_end());
        }
    }
    let margin = |line: &&str| line.len() - line.trim_start_matches(' ').len();
    let margin = kept.iter().filter(|line| !line.is_empty()).map(margin).min().unwrap_or(0);
    kept.into_iter().map(|line| line.get(margin..).unwrap_or_default()).collect()
}

/// Lines as one text, without empty ones at its ends and without what no text holds.
fn text(lines: &[&str]) -> String {
    let allowed = |character: &char| !character.is_control() || matches!(character, '\n' | '\t');
    lines.join("\n").trim_matches('\n').chars().filter(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::doc;
    use expect_test::{Expect, expect};

    fn check(comment: &str, deprecated: bool, expected: Expect) {
        let doc = doc(comment, deprecated);
        expected.assert_eq(&format!("{}\n--- {}", doc.description, doc.deprecated.unwrap_or_default()));
    }

    #[test]
    fn the_margin_goes_and_the_indentation_stays() {
        check(
            " One:\n   - two\n   - three\n",
            false,
            expect![[r#"
            One:
              - two
              - three
            --- "#]],
        );
    }

    #[test]
    fn what_speaks_to_tools_is_left_out() {
        let comment = " Off.\n buf:lint:ignore ENUM_ZERO_VALUE_SUFFIX\n (-- api-linter: core::0123=disabled\n     aip.dev/not-precedent: because. --)\n Really.\n";
        check(
            comment,
            false,
            expect![[r#"
            Off.
            Really.
            --- "#]],
        );
    }

    #[test]
    fn the_reason_of_a_deprecation_ends_with_its_paragraph() {
        check(
            " A number.\n Deprecated: use `id`,\n which is the same.\n\n More.\n",
            true,
            expect![[r#"
            A number.

            More.
            --- use `id`, which is the same."#]],
        );
    }

    #[test]
    fn a_comment_alone_deprecates_nothing() {
        check(
            " Deprecated: not by me.\n",
            false,
            expect![[r#"
            Deprecated: not by me.
            --- "#]],
        );
        check(
            " A number.\n",
            true,
            expect![[r#"
            A number.
            --- No longer supported"#]],
        );
    }

    #[test]
    fn control_characters_are_no_text() {
        check(
            " a\u{0}b\u{1b}[31m\r\n",
            false,
            expect![[r#"
            ab[31m
            --- "#]],
        );
    }
}
