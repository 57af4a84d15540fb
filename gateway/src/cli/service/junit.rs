//! A check as JUnit XML: one test case for each kind of finding, and one for the operations that were sent.
//!
//! What others wrote is escaped, and characters that XML does not have are left out.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::{Checked, operation};
use super::finding::{self, About, Count};
use super::{array, text};
use crate::cli::output::Paint;

/// The report.
pub(super) fn report(checked: &Checked<'_>) -> String {
    let Checked { service, version, bar, answer } = checked;
    let mut kinds: BTreeMap<&str, Vec<Value>> = BTreeMap::new();
    for finding in array(&answer["findings"]) {
        kinds.entry(finding["code"].as_str().unwrap_or_default()).or_default().push(finding.clone());
    }
    let class = escape(&format!("turnout.{service}.{version}"));
    let (mut cases, mut failures) = (String::new(), 0);
    for (code, findings) in &kinds {
        let count = Count::of(findings);
        let told = finding::block(&Value::Array(findings.clone()), About::Several, Paint::Plain);
        let body = if bar.fails(count) {
            failures += 1;
            let message = escape(&text(&findings[0]["message"]));
            format!("<failure message=\"{message}\" type=\"{}\">{}</failure>", escape(code), escape(&told))
        } else {
            format!("<system-out>{}</system-out>", escape(&told))
        };
        cases.push_str(&case(&class, code, &body));
    }
    if kinds.is_empty() {
        cases.push_str(&case(&class, "findings", ""));
    }
    let affected: Vec<String> = array(&answer["affected"]).iter().map(operation).collect();
    let told = if affected.is_empty() { String::new() } else { affected.join("\n") + "\n" };
    cases.push_str(&case(&class, "operations", &format!("<system-out>{}</system-out>", escape(&told))));
    let count = kinds.len().max(1) + 1;
    let name = escape(&format!("turnout service check {service} {version}"));
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuites tests=\"{count}\" failures=\"{failures}\">\n\
         <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failures}\" errors=\"0\" skipped=\"0\">\n\
         {cases}</testsuite>\n</testsuites>\n"
    )
}

fn case(class: &str, name: &str, body: &str) -> String {
    format!("<testcase classname=\"{class}\" name=\"{}\" time=\"0\">{body}</testcase>\n", escape(name))
}

/// A text as XML has it, in an element and in an attribute alike.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' | '\t' => escaped.push(letter),
            '\u{fffe}' | '\u{ffff}' => {}
            letter if letter.is_control() => {}
            letter => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
pub(super) mod tests {
    use serde_json::json;

    use super::*;
    use crate::cli::service::check::Bar;

    /// The elements of a document with their attributes, if it is well formed.
    pub(in crate::cli::service) fn parse(document: &str) -> Result<Vec<(String, String)>, String> {
        let mut rest =
            document.strip_prefix("<?xml version=\"1.0\" encoding=\"UTF-8\"?>").ok_or("no prolog")?;
        let (mut open, mut elements) = (Vec::new(), Vec::new());
        while let Some(start) = rest.find('<') {
            legal(&rest[..start])?;
            if open.is_empty() && !rest[..start].trim().is_empty() {
                return Err(format!("text outside of the root: {:?}", &rest[..start]));
            }
            let end = rest.find('>').ok_or("a tag without an end")?;
            let tag = &rest[start + 1..end];
            rest = &rest[end + 1..];
            if let Some(name) = tag.strip_prefix('/') {
                if open.pop().as_deref() != Some(name) {
                    return Err(format!("{name} ends and was not open"));
                }
                continue;
            }
            let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
            let quotes: Vec<&str> = attributes.split('"').collect();
            if quotes.len().is_multiple_of(2) {
                return Err(format!("{attributes:?} has an open quote"));
            }
            for (at, part) in quotes.iter().enumerate() {
                legal(part)?;
                let name = at % 2 == 0 && at + 1 < quotes.len();
                if name && !part.trim_start().ends_with('=') {
                    return Err(format!("{part:?} is no name of an attribute"));
                }
            }
            open.push(name.to_owned());
            elements.push((name.to_owned(), attributes.to_owned()));
        }
        if open.is_empty() { Ok(elements) } else { Err(format!("{open:?} stay open")) }
    }

    fn legal(text: &str) -> Result<(), String> {
        for part in text.split('&').skip(1) {
            if !["amp;", "lt;", "gt;", "quot;", "apos;"].iter().any(|entity| part.starts_with(entity)) {
                return Err(format!("{part:?} is no entity"));
            }
        }
        match text.chars().find(|letter| letter.is_control() && !matches!(letter, '\n' | '\t')) {
            Some(odd) => Err(format!("{odd:?} is no character of XML")),
            None => Ok(()),
        }
    }

    fn checked(answer: &Value, bar: Bar) -> String {
        report(&Checked { service: "orders", version: "2.3.0", bar, answer })
    }

    #[test]
    fn every_kind_of_finding_is_a_case_whatever_is_written_in_it() {
        let nasty = "<b>&amp; \"]]>' \u{1b}[31m\u{0}\u{ffff} ünïcode";
        let answer = json!({
            "findings": [
                { "severity": "ERROR", "code": "FIELD_REMOVED", "message": nasty, "help": nasty, "service": "orders", "version": "2.3.0" },
                { "severity": "ERROR", "code": "FIELD_REMOVED", "message": "again", "help": null, "service": null },
                { "severity": "WARNING", "code": "LOOKUP_UNBATCHED", "message": "slow", "help": null, "service": null },
            ],
            "affected": [{ "frontend": "any@0.0.0", "operation": nasty, "document": "sha256:ab", "breaks": [] }],
        });
        let named =
            |elements: &[(String, String)], name: &str| elements.iter().filter(|(of, _)| of == name).count();
        let text = checked(&answer, Bar::Errors);
        let elements = parse(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!((named(&elements, "testcase"), named(&elements, "failure")), (3, 1), "{text}");
        assert!(text.contains("tests=\"3\" failures=\"1\""), "{text}");
        let strict = parse(&checked(&answer, Bar::Warnings)).unwrap();
        assert_eq!((named(&strict, "testcase"), named(&strict, "failure")), (3, 2));
    }

    #[test]
    fn a_check_without_findings_has_cases_that_pass() {
        let text = checked(&json!({ "findings": [], "affected": [] }), Bar::Warnings);
        let elements = parse(&text).unwrap();
        assert_eq!(elements.iter().filter(|(of, _)| of == "testcase").count(), 2, "{text}");
        assert!(text.contains("failures=\"0\""), "{text}");
    }

    #[test]
    fn the_reader_of_these_tests_refuses_what_is_no_xml() {
        let prolog = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
        for wrong in
            ["<a>", "<a></b>", "<a>&b</a>", "<a b=\"c></a>", "<a>\u{1b}</a>", "x<a></a>", "<a b\"c\"></a>"]
        {
            assert!(parse(&format!("{prolog}{wrong}")).is_err(), "{wrong}");
        }
        assert!(parse(&format!("{prolog}<a b=\"c\">&lt;</a>")).is_ok());
    }
}
