//! How commands speak: tables for people, JSON and YAML for programs, failures on standard error.

use std::io::Write;
use std::process::ExitCode;

use clap::ValueEnum;
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::Value;

use super::Failure;

/// What a listing looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
    /// For both.
    Yaml,
}

/// Writes to standard output. A reader that went away, such as `head`, is no failure.
pub(crate) fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// Writes to standard error.
pub(crate) fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Tells a failure, and gives its exit code.
pub(crate) fn exit(ended: Result<(), Failure>) -> ExitCode {
    let (code, text) = match ended {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Finding(text)) => (1, text),
        Err(Failure::Usage(text)) => (2, text),
        Err(Failure::Unreachable(text)) => (3, text),
    };
    complain(&format!("turnout: {text}"));
    ExitCode::from(code)
}

/// A value for programs.
pub(crate) fn document(format: Format, value: &Value) -> String {
    match format {
        Format::Table | Format::Json => format!("{value:#}\n"),
        Format::Yaml => {
            let mut text = String::new();
            yaml(value, 0, &mut text);
            text
        }
    }
}

/// Rows under a head, as wide as the terminal.
pub(crate) fn table(head: &[&str], rows: Vec<Vec<String>>) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(head);
    table.add_rows(rows);
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, 2));
    });
    let lines: Vec<String> = table.lines().map(|line| line.trim_end().to_owned()).collect();
    lines.join("\n") + "\n"
}

/// Block style, with every text quoted as in JSON, which is YAML too and never misread as a number.
fn yaml(value: &Value, indent: usize, text: &mut String) {
    let pad = " ".repeat(indent);
    match value {
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inner = String::new();
                yaml(item, indent + 2, &mut inner);
                text.push_str(&format!("{pad}- {}", inner.trim_start()));
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (key, value) in fields {
                let nested = match value {
                    Value::Array(items) => !items.is_empty(),
                    Value::Object(fields) => !fields.is_empty(),
                    _ => false,
                };
                if nested {
                    text.push_str(&format!("{pad}{key}:\n"));
                    yaml(value, indent + 2, text);
                } else {
                    text.push_str(&format!("{pad}{key}: {value}\n"));
                }
            }
        }
        scalar => text.push_str(&format!("{pad}{scalar}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn yaml_says_the_same_as_json() {
        let value = json!([{ "service": "catalog", "versions": [{ "version": "1.10", "instances": [] }], "n": 1 }, null]);
        expect![[r#"
            - n: 1
              service: "catalog"
              versions:
                - instances: []
                  version: "1.10"
            - null
        "#]]
        .assert_eq(&document(Format::Yaml, &value));
    }
}
