//! Findings as people read them: how bad, which kind, what, and what would mend it.

use serde_json::Value;

use super::{array, text};
use crate::cli::output::{Paint, Tone};

/// How many findings there are of each severity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) errors: usize,
    pub(crate) warnings: usize,
    infos: usize,
}

impl Count {
    /// The count of these findings.
    pub(crate) fn of<'a>(findings: impl IntoIterator<Item = &'a Value>) -> Count {
        let mut count = Count::default();
        for finding in findings {
            match finding["severity"].as_str() {
                Some("ERROR") => count.errors += 1,
                Some("WARNING") => count.warnings += 1,
                _ => count.infos += 1,
            }
        }
        count
    }

    /// `2 errors, 1 warning`; nothing when there are none.
    pub(crate) fn text(self) -> Option<String> {
        let parts = [(self.errors, "error"), (self.warnings, "warning"), (self.infos, "note")];
        let parts: Vec<String> = parts
            .into_iter()
            .filter(|(count, _)| *count > 0)
            .map(|(count, word)| plural(count, word))
            .collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }
}

/// `1 error`, `2 errors`.
pub(crate) fn plural(count: usize, word: &str) -> String {
    format!("{count} {word}{}", if count == 1 { "" } else { "s" })
}

/// Findings one below the other, each with its help on a line of its own. `about` says whether each names
/// what it is about.
pub(crate) fn block(findings: &Value, about: About, paint: Paint) -> String {
    array(findings).iter().map(|finding| entry(finding, about, paint)).collect()
}

/// What a list of findings is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum About {
    /// The version that the list is shown under.
    One,
    /// Several; each says which.
    Several,
}

fn entry(finding: &Value, about: About, paint: Paint) -> String {
    let (word, tone) = match finding["severity"].as_str() {
        Some("ERROR") => ("error", Tone::Bad),
        Some("WARNING") => ("warning", Tone::Doubtful),
        _ => ("note", Tone::Plain),
    };
    let subject = match (about, finding["service"].as_str()) {
        (About::One, _) => String::new(),
        (About::Several, None) => "graph: ".to_owned(),
        (About::Several, Some(_)) => format!("{} {}: ", text(&finding["service"]), text(&finding["version"])),
    };
    let head = paint.tone(tone, &format!("{word}[{}]", text(&finding["code"])));
    let mut block = format!("{head} {subject}{}\n", text(&finding["message"]));
    if finding["help"].is_string() {
        block.push_str(&format!("    help: {}\n", text(&finding["help"])));
    }
    block
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn findings() -> Value {
        json!([
            { "severity": "ERROR", "code": "FIELD_REMOVED", "message": "`a`\u{1b}[31m is\ngone.", "help": "Keep it.",
              "service": "orders", "version": "2.3.0" },
            { "severity": "WARNING", "code": "NAME_TAKEN", "message": "Twice.", "help": null, "service": null },
            { "severity": "INFO", "code": "FYI", "message": "So it is.", "help": null, "service": null },
        ])
    }

    #[test]
    fn a_finding_says_how_bad_what_and_the_way_out_and_plays_no_tricks_on_a_terminal() {
        expect![[r#"
            error[FIELD_REMOVED] orders 2.3.0: `a`[31m is gone.
                help: Keep it.
            warning[NAME_TAKEN] graph: Twice.
            note[FYI] graph: So it is.
        "#]]
        .assert_eq(&block(&findings(), About::Several, Paint::Plain));
        let coloured = block(&findings(), About::One, Paint::Coloured);
        assert!(
            coloured.starts_with("\u{1b}[31merror[FIELD_REMOVED]\u{1b}[0m `a`[31m is gone."),
            "{coloured:?}"
        );
    }

    #[test]
    fn findings_are_counted_by_severity() {
        assert_eq!(Count::of(array(&findings())).text().as_deref(), Some("1 error, 1 warning, 1 note"));
        assert_eq!(Count::of([]).text(), None);
        assert_eq!(plural(2, "operation"), "2 operations");
    }
}
