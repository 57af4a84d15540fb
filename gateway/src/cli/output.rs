//! How commands speak: tables for people, JSON and YAML for programs, failures on standard error.

use std::io::{IsTerminal, Write};
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
    let lines: Vec<String> = text.split('\n').map(clean).collect();
    complain(&format!("turnout: {}", lines.join("\n")));
    ExitCode::from(code)
}

/// Writes what is beside the answer to standard error: remarks for people.
pub(crate) fn remark(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Says what is going on to somebody who sits and waits.
pub(crate) fn progress(text: &str) {
    if std::io::stderr().is_terminal() {
        complain(&format!("{text} …"));
    }
}

/// A text that somebody else wrote, fit for one line of a terminal: what would move the cursor, change colours
/// or turn letters around is left out.
pub(crate) fn clean(text: &str) -> String {
    let fit = |letter: char| match letter {
        '\n' | '\t' => Some(' '),
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
        letter => (!letter.is_control()).then_some(letter),
    };
    text.chars().filter_map(fit).collect()
}

/// Whether there are colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Paint {
    /// There are none.
    Plain,
    /// Words that matter are coloured.
    Coloured,
}

/// What a coloured word means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    /// Nothing in particular.
    Plain,
    /// All is well.
    Good,
    /// Look at it.
    Doubtful,
    /// It does not work.
    Bad,
}

impl Paint {
    /// Colours are for a terminal whose user did not say no.
    pub(crate) fn detect() -> Paint {
        let set = |name: &str, to: Option<&str>| {
            std::env::var_os(name).is_some_and(|value| to.map_or(!value.is_empty(), |to| value == to))
        };
        let wanted = std::io::stdout().is_terminal() && !set("NO_COLOR", None) && !set("TERM", Some("dumb"));
        if wanted { Paint::Coloured } else { Paint::Plain }
    }

    /// A word in the colour of its meaning.
    pub(crate) fn tone(self, tone: Tone, word: &str) -> String {
        let colour = match tone {
            Tone::Plain => return word.to_owned(),
            Tone::Good => 32,
            Tone::Doubtful => 33,
            Tone::Bad => 31,
        };
        match self {
            Paint::Plain => word.to_owned(),
            Paint::Coloured => format!("\u{1b}[{colour}m{word}\u{1b}[0m"),
        }
    }
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
    fn a_text_of_others_does_nothing_to_a_terminal() {
        assert_eq!(clean("a\u{1b}[2J\u{7}b\u{9b}c\r\nd\u{202e}e<b>&"), "a[2Jbc de<b>&");
        assert_eq!(Paint::Plain.tone(Tone::Bad, "error"), "error");
        assert_eq!(Paint::Coloured.tone(Tone::Good, "ok"), "\u{1b}[32mok\u{1b}[0m");
    }

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
