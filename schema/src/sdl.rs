//! How does a supergraph read as a document of GraphQL's schema definition language?
//!
//! The operation types come first, then all others by name, so that two documents of one graph are equal to
//! the byte and those of two graphs differ only where the graphs do. Spaces, line breaks and quotes are those
//! of graphql-js's `printSchema`, because frontend tools print schemas that way. There is no `schema` block:
//! the operation types have their usual names. What is no legal block string in a comment (control
//! characters, blank lines around it) is mended in `description`, which introspection uses too.

use crate::Supergraph;
use crate::graph::{Argument, Doc, Field, Name, RootKind, Scalar, Type};

/// The whole graph as SDL, with a line break at its end.
pub fn sdl(supergraph: &Supergraph) -> String {
    let first = [RootKind::Query, RootKind::Mutation, RootKind::Subscription].map(RootKind::as_str);
    let roots = first.iter().filter_map(|name| supergraph.types.get_key_value(*name));
    let others = supergraph.types.iter().filter(|(name, _)| !first.contains(&&***name));
    let types: Vec<String> = roots.chain(others).map(|(name, ty)| definition(name, ty)).collect();
    types.join("\n\n") + "\n"
}

/// What a person reads about a thing, fit for a block string; `None` when there is nothing.
pub fn description(doc: &Doc) -> Option<String> {
    let text = doc.description.replace("\r\n", "\n").replace('\r', "\n");
    let visible = |c: char| c == '\n' || c == '\t' || !c.is_control();
    let lines: Vec<String> =
        text.lines().map(|line| line.trim_end().chars().filter(|c| visible(*c)).collect()).collect();
    let filled: Vec<usize> = (0..lines.len()).filter(|at| !lines[*at].trim().is_empty()).collect();
    let (first, last) = (*filled.first()?, *filled.last()?);
    // The first line stands at the left, so that readers take no indentation from the others.
    let text = lines.get(first..=last)?.join("\n");
    Some(text.trim_start().to_owned())
}

fn definition(name: &Name, ty: &Type) -> String {
    let body = match ty {
        Type::Object(object) => format!("type {name}{}", block(object.fields.iter().map(field))),
        Type::Input(input) => format!("input {name}{}", block(input.fields.iter().map(input_field))),
        Type::Enum(definition) => {
            let values = definition
                .values
                .iter()
                .map(|value| (description(&value.doc), format!("{}{}", value.name, deprecated(&value.doc))));
            format!("enum {name}{}", block(values))
        }
        Type::Union(union) => format!("union {name} = {}", union.members.join(" | ")),
        Type::Scalar(scalar) => format!("scalar {name}{}", specified_by(*scalar)),
    };
    match description(ty.doc()) {
        Some(text) => format!("{}\n{body}", block_string(&text, "")),
        None => body,
    }
}

/// `{ … }` around what has a description and a line of its own.
fn block(items: impl Iterator<Item = (Option<String>, String)>) -> String {
    format!(" {{\n{}\n}}", lines(items, "  "))
}

fn lines(items: impl Iterator<Item = (Option<String>, String)>, indent: &str) -> String {
    let mut out = String::new();
    for (place, (description, item)) in items.enumerate() {
        if place > 0 {
            out.push('\n');
        }
        if let Some(text) = description {
            // A blank line above sets a described item apart from the one before.
            if place > 0 {
                out.push('\n');
            }
            out.push_str(&format!("{indent}{}\n", block_string(&text, indent)));
        }
        out.push_str(&format!("{indent}{item}"));
    }
    out
}

fn field(field: &Field) -> (Option<String>, String) {
    let (name, arguments) = (&field.name, arguments(&field.arguments));
    (description(&field.doc), format!("{name}{arguments}: {}{}", field.ty, deprecated(&field.doc)))
}

/// On one line when none of them is described.
fn arguments(arguments: &[Argument]) -> String {
    let mut items = arguments.iter().map(input_field);
    if arguments.is_empty() {
        String::new()
    } else if items.clone().all(|(description, _)| description.is_none()) {
        format!("({})", items.by_ref().map(|(_, item)| item).collect::<Vec<_>>().join(", "))
    } else {
        format!("(\n{}\n  )", lines(items, "    "))
    }
}

fn input_field(argument: &Argument) -> (Option<String>, String) {
    let item = format!("{}: {}{}", argument.name, argument.ty, deprecated(&argument.doc));
    (description(&argument.doc), item)
}

fn deprecated(doc: &Doc) -> String {
    match doc.deprecated.as_deref() {
        None => String::new(),
        Some("No longer supported") => " @deprecated".to_owned(),
        Some(reason) => format!(" @deprecated(reason: {})", quoted(reason)),
    }
}

fn specified_by(scalar: Scalar) -> String {
    match scalar.specified_by() {
        Some(url) => format!(" @specifiedBy(url: {})", quoted(url)),
        None => String::new(),
    }
}

/// In three quotes, on one line where it is short.
fn block_string(text: &str, indent: &str) -> String {
    let escaped = text.replace("\"\"\"", "\\\"\"\"");
    let own_lines = text.contains('\n')
        // Counted as JavaScript counts.
        || text.encode_utf16().count() > 70
        || text.ends_with('"')
        || text.ends_with('\\');
    let (open, close) = if own_lines { ("\n", "\n") } else { ("", "") };
    format!("\"\"\"{open}{escaped}{close}\"\"\"").replace('\n', &format!("\n{indent}"))
}

/// A string on one line.
fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            c if c.is_control() => out.push_str(&format!("\\u{:04X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out + "\""
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use proptest::prelude::*;

    use super::*;
    use crate::referee::world;

    fn check(graph: &str, expected: Expect) {
        expected.assert_eq(&sdl(&world::supergraph(graph)));
    }

    #[test]
    fn operation_types_come_first_and_the_others_by_name() {
        check(
            "type B { a: Int } type Subscription { a: Int } enum C { X } type Query { b: B } input A { a: Int } \
             type Mutation { a(a: A): C }",
            expect![[r#"
                type Query {
                  b: B
                }

                type Mutation {
                  a(a: A): C
                }

                type Subscription {
                  a: Int
                }

                input A {
                  a: Int
                }

                type B {
                  a: Int
                }

                enum C {
                  X
                }
            "#]],
        );
    }

    #[test]
    fn arguments_stand_on_lines_of_their_own_when_one_is_described() {
        check(
            r#"type Query {
                a(a: Int!, b: [Int!]!): Int
                b(a: Int "The second." b: Int): Int @deprecated
                "The third." c: Int
            }"#,
            expect![[r#"
                type Query {
                  a(a: Int!, b: [Int!]!): Int
                  b(
                    a: Int

                    """The second."""
                    b: Int
                  ): Int @deprecated

                  """The third."""
                  c: Int
                }
            "#]],
        );
    }

    #[test]
    fn a_reason_is_one_line_whatever_it_holds() {
        check(
            r#"type Query { a: Int @deprecated(reason: "\"Two\"\n\tlines \\ \u0007") }"#,
            expect![[r#"
                type Query {
                  a: Int @deprecated(reason: "\"Two\"\n\tlines \\ \u0007")
                }
            "#]],
        );
    }

    #[test]
    fn a_description_loses_what_surrounds_it_and_nothing_else() {
        for (text, expected) in [
            ("", None),
            (" \n\t\n ", None),
            ("\n\n a\n   b  \n\n", Some("a\n   b")),
            ("a\r\nb\rc", Some("a\nb\nc")),
            ("a\u{0}b\u{7f}", Some("ab")),
            ("\ta\tb", Some("a\tb")),
        ] {
            let doc = Doc { description: text.to_owned(), deprecated: None };
            assert_eq!(description(&doc).as_deref(), expected, "{text:?}");
        }
    }

    proptest! {
        // Without backslashes before quotes: the parser keeps them in block strings.
        #[test]
        fn a_description_is_read_as_it_is_written(text in "[a-c \t\n\"é😀]{0,90}") {
            prop_assume!(!text.contains("\"\"\""));
            let mut graph = world::supergraph("type Query { a: Int }");
            let doc = Doc { description: text, deprecated: None };
            let expected = description(&doc).unwrap_or_default();
            if let Some(Type::Object(query)) = graph.types.get_mut("Query") {
                query.doc = doc.clone();
                query.fields[0].doc = doc;
            }
            let read = world::supergraph(&sdl(&graph));
            let Some(Type::Object(query)) = read.types.get("Query") else { panic!("there is a Query") };
            prop_assert_eq!(&query.doc.description, &expected);
            prop_assert_eq!(&query.fields[0].doc.description, &expected);
        }
    }
}
