//! `turnout frontend show`: all that is known of one version.

use serde_json::{Value, json};

use super::FRONTEND;
use super::list::state;
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::{array, text};
use crate::cli::output::{self, Format, Paint};
use crate::cli::service::finding::{self, About};

pub(super) async fn run(name: &str, admin: &AdminArgs, format: Format) -> Result<(), Failure> {
    let question = format!("query($name: String!) {{ frontend(name: $name) {{ {FRONTEND} }} }}");
    let answer = admin.ask(&question, json!({ "name": name })).await?;
    let frontend = &answer["frontend"];
    if frontend.is_null() {
        return Err(Failure::Finding(format!(
            "{name:?} is neither published nor in the gateway's directory; `turnout frontend list` names what is."
        )));
    }
    output::print(&match format {
        Format::Table => detail(frontend, Paint::detect()),
        Format::Json | Format::Yaml => output::document(format, frontend),
    });
    Ok(())
}

fn detail(frontend: &Value, paint: Paint) -> String {
    let mut page = format!("{}\n  state      {}\n", text(&frontend["name"]), state(frontend));
    let mut line = |name: &str, value: String| page.push_str(&format!("  {name:9}  {value}\n"));
    if frontend["publishedAt"].is_string() {
        line("published", text(&frontend["publishedAt"]));
    }
    let assigned: Vec<String> = array(&frontend["assigned"]).iter().map(text).collect();
    line("given to", if assigned.is_empty() { "nobody".to_owned() } else { assigned.join("; ") });
    line("page", if frontend["page"].is_null() { "none".to_owned() } else { text(&frontend["page"]) });
    if let Some(why) = frontend["why"].as_str() {
        for (at, why) in why.lines().enumerate() {
            line(if at == 0 { "directory" } else { "" }, output::clean(why));
        }
    }
    let pins = array(&frontend["pins"]);
    if !pins.is_empty() {
        let row = |pin: &Value| row(pin, array(&frontend["caps"]));
        let head = ["SERVICE", "PIN", "STABLE", "CANDIDATE", "AT MOST", "VERSIONS"];
        page.push_str(&format!("\n{}", output::table(&head, pins.iter().map(row).collect())));
    }
    let operations: Vec<String> = array(&frontend["operations"]).iter().map(text).collect();
    if !operations.is_empty() {
        page.push_str(&format!("\n{} operations: {}\n", operations.len(), operations.join(", ")));
    }
    let found = finding::block(&frontend["findings"], About::One, paint);
    if !found.is_empty() {
        page.push_str(&format!("\n{found}"));
    }
    page
}

fn row(pin: &Value, caps: &[Value]) -> Vec<String> {
    let or_dash = |value: &Value| if value.is_null() { "-".to_owned() } else { text(value) };
    let cap = caps.iter().find(|cap| cap["service"] == pin["service"]).and_then(|cap| cap["share"].as_f64());
    let versions: Vec<String> = array(&pin["versions"]).iter().map(text).collect();
    let optional = if pin["optional"] == true { " (optional)" } else { "" };
    let why = pin["why"].as_str().map(output::clean);
    vec![
        text(&pin["service"]),
        format!("{}{optional}", text(&pin["range"])),
        why.unwrap_or_else(|| or_dash(&pin["stable"])),
        or_dash(&pin["candidate"]),
        cap.map_or_else(|| "-".to_owned(), |share| format!("{} %", share * 100.0)),
        if versions.is_empty() { "none satisfies it".to_owned() } else { versions.join(", ") },
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_version_is_shown_with_what_its_pins_come_to() {
        let frontend = json!({
            "name": "web@2.5.0", "state": "ACTIVE", "publishedAt": "MOMENT", "page": "frontend-versions/web/2.5.0/page",
            "assigned": ["rule 1: customers acme", "rule 2: 10 % (salt web/2.5)"],
            "pins": [
                { "service": "catalog", "range": "^1.4", "optional": false, "versions": ["1.4.0", "1.5.0"],
                    "stable": "1.4.0", "candidate": "1.5.0", "why": null },
                { "service": "reviews", "range": "^3", "optional": true, "versions": [], "stable": null,
                    "candidate": null, "why": null },
            ],
            "caps": [{ "service": "catalog", "share": 0.2 }], "operations": ["Home", "Product"],
            "findings": [{ "severity": "WARNING", "code": "PIN_UNSATISFIED", "message": "No version of reviews satisfies ^3.",
                "help": null }],
        });
        expect![[r#"
            web@2.5.0
              state      active
              published  MOMENT
              given to   rule 1: customers acme; rule 2: 10 % (salt web/2.5)
              page       frontend-versions/web/2.5.0/page

            SERVICE  PIN            STABLE  CANDIDATE  AT MOST  VERSIONS
            catalog  ^1.4           1.4.0   1.5.0      20 %     1.4.0, 1.5.0
            reviews  ^3 (optional)  -       -          -        none satisfies it

            2 operations: Home, Product

            warning[PIN_UNSATISFIED] No version of reviews satisfies ^3.
        "#]]
        .assert_eq(&detail(&frontend, Paint::Plain));
        let waiting = json!({ "name": "web@2.6.0", "directory": "REFUSED", "why": "error: a\n  --> b", "assigned": [] });
        expect![[r#"
            web@2.6.0
              state      not published
              given to   nobody
              page       none
              directory  error: a
                           --> b
        "#]]
        .assert_eq(&detail(&waiting, Paint::Plain));
    }
}
