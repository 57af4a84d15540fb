//! No text panics the reader, and every mistake points into the text.

use proptest::prelude::*;

use super::{pairs, read_text, sources};
use crate::config::read;
use crate::config::settings::SETTINGS;

/// Pieces of real files, so that random texts come near to being right.
fn piece() -> impl Strategy<Value = String> {
    let words: Vec<String> =
        SETTINGS.iter().flat_map(|setting| setting.path.split('.')).map(str::to_owned).collect();
    let samples: Vec<String> = SETTINGS.iter().map(|setting| setting.sample().to_owned()).collect();
    prop_oneof![
        proptest::sample::select(words).prop_map(|word| format!("{word}: ")),
        proptest::sample::select(samples),
        proptest::sample::select(vec![
            "\n",
            "\n  ",
            "\n    ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            ", ",
            ": ",
            "#",
            "&a ",
            "*a",
            "!!str ",
            "|\n",
            ">-\n",
            "\"",
            "'",
            "${",
            "${A:-b}",
            "}",
            "---\n",
            "...\n",
            "\t",
            "\r\n",
            "\u{feff}",
            "\0",
            "é",
            "? ",
            "%TAG x y\n",
            "null",
            "~",
            "<<: ",
            "\u{2028}",
            "\u{85}",
            "\r",
        ])
        .prop_map(str::to_owned),
        "\\PC{0,6}",
    ]
}

fn check(text: &str) -> Result<(), TestCaseError> {
    let Err(mistakes) = read_text(text) else { return Ok(()) };
    let lines: Vec<usize> = text.split('\n').map(|line| line.chars().count()).collect();
    for (line, column) in mistakes.positions() {
        prop_assert!(line >= 1 && line <= lines.len(), "line {line} of {}", lines.len());
        prop_assert!(column >= 1 && column <= lines[line - 1] + 1, "column {column} in line {line}");
    }
    prop_assert!(mistakes.len() >= 1);
    prop_assert!(!mistakes.to_string().is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn no_text_panics_and_every_mistake_is_inside_it(text in any::<String>()) {
        check(&text)?;
    }

    #[test]
    fn no_broken_file_panics_and_every_mistake_is_inside_it(pieces in proptest::collection::vec(piece(), 0..24)) {
        check(&pieces.concat())?;
    }

    #[test]
    fn no_value_panics_any_setting(index in 0..SETTINGS.len(), value in "\\PC{0,24}") {
        let setting = &SETTINGS[index];
        if let Ok(read) = setting.kind.parse(&value) {
            // What prints can be read again, unless it is hidden.
            let again = setting.kind.parse(&read.to_string());
            prop_assert!(setting.kind.is_secret() || again == Ok(read));
        }
    }

    #[test]
    fn no_environment_panics(name in "TURNOUT_[A-Z_]{0,20}", value in "\\PC{0,12}") {
        let mut with = sources("");
        with.env = pairs(&[(&name, &value)]);
        let _ = read(&with).map_err(|mistakes| mistakes.to_string());
    }
}

#[test]
fn deep_and_large_files_are_refused() {
    for text in ["[".repeat(5000), "a:\n".repeat(100_000), "- ".repeat(5000), "{a: ".repeat(200)] {
        let mistakes = read_text(&text).expect_err("it is no configuration");
        assert!(mistakes.len() >= 1);
        check(&text).unwrap();
    }
}
