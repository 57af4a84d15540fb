//! `turnout frontend list` and `stale`: one line a version.

use serde_json::{Value, json};

use super::FRONTEND;
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::{array, text};
use crate::cli::output::{self, Format};
use crate::cli::service::finding::Count;

const NOTHING: &str = "No frontend is published, so that every caller sees the highest version of everything.\n\
                       `turnout frontend create web@1.0.0` writes the first; docs/frontends.md says what is in it.\n";

pub(super) async fn run(admin: &AdminArgs, format: Format) -> Result<(), Failure> {
    let answer =
        admin.ask(&format!("{{ frontendDirectory frontends {{ {FRONTEND} }} }}"), Value::Null).await?;
    match format {
        Format::Table => {
            output::remark(&waiting(&answer));
            let frontends = array(&answer["frontends"]);
            let none = frontends.is_empty();
            output::print(&if none { NOTHING.to_owned() } else { overview(frontends) });
        }
        Format::Json | Format::Yaml => output::print(&output::document(format, &answer["frontends"])),
    }
    Ok(())
}

/// What waits in the directory, for people.
fn waiting(answer: &Value) -> String {
    let odd = array(&answer["frontendDirectory"]).iter().map(|line| format!("{}\n", text(line)));
    let of = |frontend: &Value| {
        let why = frontend["why"].as_str()?;
        let first = output::clean(why.lines().next().unwrap_or_default());
        let name = text(&frontend["name"]);
        let word = if frontend["directory"] == "WAITING" { "waits" } else { "is refused" };
        Some(format!("{name} {word}: {first}\n"))
    };
    odd.chain(array(&answer["frontends"]).iter().filter_map(of)).collect()
}

fn overview(frontends: &[Value]) -> String {
    let row = |frontend: &Value| {
        let findings = Count::of(array(&frontend["findings"])).text();
        vec![
            text(&frontend["name"]),
            state(frontend),
            pins(frontend),
            assigned(frontend),
            frontend["publishedAt"].as_str().map_or_else(|| "-".to_owned(), output::clean),
            findings.unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let head = ["FRONTEND", "STATE", "PINS", "GIVEN TO", "PUBLISHED", "FINDINGS"];
    output::table(&head, frontends.iter().map(row).collect())
}

/// The state, or why there is none.
pub(super) fn state(frontend: &Value) -> String {
    match (frontend["state"].as_str(), frontend["directory"].as_str()) {
        (Some(state), _) => state.to_lowercase(),
        (None, Some("WAITING")) => "waiting".to_owned(),
        (None, _) => "not published".to_owned(),
    }
}

/// `4 ok`, `1 of 4 broken`.
fn pins(frontend: &Value) -> String {
    let pins = array(&frontend["pins"]);
    let broken =
        pins.iter().filter(|pin| array(&pin["versions"]).is_empty() && pin["optional"] != true).count();
    match (pins.len(), broken) {
        (0, _) => "-".to_owned(),
        (all, 0) => format!("{all} ok"),
        (all, broken) => format!("{broken} of {all} broken"),
    }
}

fn assigned(frontend: &Value) -> String {
    match array(&frontend["assigned"]) {
        [] => "nobody".to_owned(),
        [one] => text(one),
        [first, rest @ ..] => format!("{} and {} more", text(first), rest.len()),
    }
}

/// Versions that may be out of use.
pub(super) async fn stale(admin: &AdminArgs, format: Format) -> Result<(), Failure> {
    let answer = admin.ask(&format!("{{ frontends {{ {FRONTEND} }} }}"), Value::Null).await?;
    let rows: Vec<(&Value, &str)> =
        array(&answer["frontends"]).iter().filter_map(|one| Some((one, reason(one)?))).collect();
    output::remark(
        "usage is not measured yet: whether anybody still calls as one of these is not known here\n",
    );
    output::print(&match format {
        Format::Table if rows.is_empty() => {
            "No version is deprecated, and a rule leads to each.\n".to_owned()
        }
        Format::Table => {
            let row = |(one, why): &(&Value, &str)| vec![text(&one["name"]), state(one), (*why).to_owned()];
            output::table(&["FRONTEND", "STATE", "WHY"], rows.iter().map(row).collect())
        }
        Format::Json | Format::Yaml => {
            let row = |(one, why): &(&Value, &str)| json!({ "name": one["name"], "state": one["state"], "why": why, "usage": null });
            output::document(format, &rows.iter().map(row).collect())
        }
    });
    Ok(())
}

/// Why a version may be out of use.
fn reason(frontend: &Value) -> Option<&'static str> {
    match frontend["state"].as_str()? {
        "RETIRED" => None,
        "DEPRECATED" if array(&frontend["assigned"]).is_empty() => {
            Some("deprecated, and no rule leads to it")
        }
        "DEPRECATED" => Some("deprecated"),
        _ if array(&frontend["assigned"]).is_empty() => Some("no rule leads to it"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn frontends() -> Vec<Value> {
        vec![
            json!({ "name": "web@2.4.0", "state": "DEPRECATED", "pins": [], "assigned": [], "publishedAt": "MOMENT",
                "findings": [] }),
            json!({ "name": "web@2.4.1", "state": "ACTIVE", "assigned": ["default", "rule 3: segment a"],
                "publishedAt": "MOMENT", "findings": [{ "severity": "ERROR" }],
                "pins": [{ "versions": ["1.4.0"] }, { "versions": [] }, { "versions": [], "optional": true }] }),
            json!({ "name": "web@2.5.0", "directory": "WAITING", "why": "no version of catalog\nand more", "pins": [],
                "assigned": ["rule 1: customers acme"] }),
        ]
    }

    #[test]
    fn a_line_a_version_says_who_gets_it_and_what_is_wrong() {
        expect![[r#"
            FRONTEND   STATE       PINS           GIVEN TO                PUBLISHED  FINDINGS
            web@2.4.0  deprecated  -              nobody                  MOMENT     -
            web@2.4.1  active      1 of 3 broken  default and 1 more      MOMENT     1 error
            web@2.5.0  waiting     -              rule 1: customers acme  -          -
        "#]]
        .assert_eq(&overview(&frontends()));
        expect![[r#"
            app.yaml is wrong
            web@2.5.0 waits: no version of catalog
        "#]]
        .assert_eq(&waiting(
            &json!({ "frontendDirectory": ["app.yaml is wrong"], "frontends": frontends() }),
        ));
    }

    #[test]
    fn a_version_is_stale_when_it_is_deprecated_or_nobody_is_led_to_it() {
        let why: Vec<Option<&str>> = frontends().iter().map(reason).collect();
        assert_eq!(why, [Some("deprecated, and no rule leads to it"), None, None]);
    }
}
