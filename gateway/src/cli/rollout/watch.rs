//! `turnout rollout get -w`: the page again and again, until the rollout has ended.
//!
//! On a terminal the page is drawn over itself line by line, so that nothing flickers; elsewhere a line is
//! added whenever the state, the step or the history changes, which is what a log can keep.

use std::io::IsTerminal;
use std::time::Duration;

use serde_json::Value;
use tokio::time::sleep;

use super::card::{evidence, page, place, state};
use super::{Subject, ask, none};
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::{array, text};
use crate::cli::output::{self, Format, Paint};

/// How often it is looked at.
const PERIOD: Duration = Duration::from_secs(1);
/// After how many looks in a row without an answer it gives up.
const MISSED_MAX: u32 = 10;

pub(super) async fn run(subject: &Subject, admin: &AdminArgs, format: Format) -> Result<(), Failure> {
    let mut subject = subject.clone();
    let mut screen = Screen::new(format);
    let mut missed = 0;
    loop {
        match ask(&subject, admin).await {
            Ok(Some(rollout)) => {
                missed = 0;
                // The same one to the end, whatever else begins meanwhile.
                subject.version = rollout["to"].as_str().map(str::to_owned);
                output::print(&screen.show(&rollout));
                if rollout["live"] != true {
                    return Ok(());
                }
            }
            Ok(None) => return Err(none(&subject)),
            Err(Failure::Unreachable(_)) if missed < MISSED_MAX => missed += 1,
            Err(failure) => return Err(failure),
        }
        sleep(PERIOD).await;
    }
}

/// What was shown so far.
struct Screen {
    format: Format,
    /// The lines on the terminal; `None` where there is none.
    drawn: Option<usize>,
    last: Value,
}

impl Screen {
    fn new(format: Format) -> Screen {
        let terminal = std::io::stdout().is_terminal() && format == Format::Table;
        Screen { format, drawn: terminal.then_some(0), last: Value::Null }
    }

    /// What is to be written for this look; nothing when there is nothing new.
    fn show(&mut self, rollout: &Value) -> String {
        match self.drawn {
            Some(lines) => {
                let page = page(rollout, Paint::detect());
                self.drawn = Some(page.lines().count());
                redraw(&page, lines)
            }
            None => self.append(rollout),
        }
    }

    fn append(&mut self, rollout: &Value) -> String {
        let seen = |of: &Value| (of["stage"].clone(), of["needs"].clone(), of["orders"].clone(), notes(of));
        if !self.last.is_null() && seen(&self.last) == seen(rollout) {
            return String::new();
        }
        let known = notes(&self.last);
        self.last = rollout.clone();
        match self.format {
            Format::Table => line(rollout, known),
            // One document a line, as programs read a stream.
            Format::Json => format!("{rollout}\n"),
            Format::Yaml => format!("---\n{}", output::document(Format::Yaml, rollout)),
        }
    }
}

fn notes(rollout: &Value) -> usize {
    array(&rollout["history"]).len()
}

/// The page over the one before it, which had so many lines.
fn redraw(page: &str, before: usize) -> String {
    let up = if before > 0 { format!("\u{1b}[{before}A\r") } else { String::new() };
    let lines: String = page.lines().map(|line| format!("{line}\u{1b}[K\n")).collect();
    format!("{up}{lines}\u{1b}[J")
}

fn line(rollout: &Value, known: usize) -> String {
    let told = array(&rollout["history"]).iter().skip(known);
    let told: String = told.map(|note| format!("{}  {}\n", text(&note["at"]), text(&note["text"]))).collect();
    let place = place(rollout).map_or_else(String::new, |place| format!(", step {place}"));
    format!(
        "{told}{}@{} {}{place}, harm {}, safety {}: {}\n",
        text(&rollout["service"]),
        text(&rollout["to"]),
        state(rollout, Paint::Plain),
        evidence(&rollout["harm"]),
        evidence(&rollout["safety"]),
        text(&rollout["why"]),
    )
}

#[cfg(test)]
mod tests {
    use super::super::card::tests::rollout;
    use super::*;
    use serde_json::json;

    #[test]
    fn a_page_is_drawn_over_the_one_before_it() {
        assert_eq!(redraw("a\nb\n", 0), "a\u{1b}[K\nb\u{1b}[K\n\u{1b}[J");
        assert_eq!(redraw("a\n", 2), "\u{1b}[2A\ra\u{1b}[K\n\u{1b}[J");
    }

    #[test]
    fn elsewhere_only_what_is_new_is_added() {
        let mut screen = Screen { format: Format::Table, drawn: None, last: Value::Null };
        let mut now = rollout();
        assert!(
            screen
                .show(&now)
                .starts_with("2026-11-21T03:41:01.250Z  reached step 2\ncatalog@1.5.0 shifting, ")
        );
        now["harm"]["value"] = json!(2.0);
        assert_eq!(screen.show(&now), "", "numbers alone are no news");
        now["stage"] = json!("18");
        now["state"] = json!("PROMOTED");
        now["step"] = Value::Null;
        assert!(screen.show(&now).starts_with("catalog@1.5.0 promoted, harm 2.0/100"));
    }
}
