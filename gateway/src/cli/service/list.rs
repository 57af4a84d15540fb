//! `turnout service list`: one line a service, and a word before it when the list may be old.

use serde_json::Value;

use super::finding::Count;
use super::{SERVICE, array, flatten, states, text};
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::output::{self, Format};

const SOURCES: &str = "sources { name state reason staleSeconds unreadableEntries }";
const NOTHING: &str =
    "No service is registered. `turnout demo` shows some; docs/registration.md says how one joins.\n";

/// The most versions that are named of each service, from the newest.
const VERSIONS_MAX: usize = 4;

pub(super) async fn run(admin: &AdminArgs, format: Format) -> Result<(), Failure> {
    let answer = admin.ask(&format!("{{ {SOURCES} services {{ {SERVICE} }} }}"), Value::Null).await?;
    let services = array(&answer["services"]);
    let doubts = doubts(array(&answer["sources"]));
    match format {
        Format::Table => {
            let rows = if services.is_empty() { NOTHING.to_owned() } else { overview(services) };
            output::print(&format!("{doubts}{rows}"));
        }
        Format::Json | Format::Yaml => {
            // Who reads the document reads no headline in it.
            output::remark(&doubts);
            let versions = services.iter().flat_map(flatten).collect();
            output::print(&output::document(format, &Value::Array(versions)));
        }
    }
    Ok(())
}

/// Why the list may not be what is there: a line for each source that is not heard, and for each with entries
/// that cannot be read.
fn doubts(sources: &[Value]) -> String {
    let unheard = |source: &Value| {
        let (name, reason) = (text(&source["name"]), text(&source["reason"]));
        let since = source["staleSeconds"].as_f64().unwrap_or_default();
        match source["state"].as_str() {
            Some("STALE") => Some(format!(
                "source {name} has not been heard for {since:.0} s ({reason}); what it said last goes on to hold\n"
            )),
            Some("STARTING") => {
                Some(format!("source {name} has not been heard yet; what was known before the start holds\n"))
            }
            _ => None,
        }
    };
    let unread = |source: &Value| {
        let entries = source["unreadableEntries"].as_u64().filter(|entries| *entries > 0)?;
        let noun = if entries == 1 { "entry" } else { "entries" };
        let name = text(&source["name"]);
        Some(format!("source {name} has {entries} {noun} that cannot be read; `turnout doctor` says why\n"))
    };
    let unread = sources.iter().filter_map(unread);
    sources.iter().filter_map(unheard).chain(unread).collect()
}

fn overview(services: &[Value]) -> String {
    let row = |service: &Value| {
        let versions = array(&service["versions"]);
        let instances = versions.iter().flat_map(|version| array(&version["instances"]));
        let findings = versions.iter().flat_map(|version| array(&version["findings"]));
        vec![
            text(&service["name"]),
            names(versions),
            if service["serving"].is_null() { "-".to_owned() } else { text(&service["serving"]) },
            states(instances),
            Count::of(findings).text().unwrap_or_else(|| "-".to_owned()),
        ]
    };
    let head = ["SERVICE", "VERSIONS", "SERVING", "INSTANCES", "FINDINGS"];
    output::table(&head, services.iter().map(row).collect())
}

/// `1.4.0, 1.5.0`; when there are many, the newest and how many others.
fn names(versions: &[Value]) -> String {
    let older = versions.len().saturating_sub(VERSIONS_MAX);
    let names: Vec<String> = versions[older..].iter().map(|version| text(&version["version"])).collect();
    if older > 0 { format!("{older} older, {}", names.join(", ")) } else { names.join(", ") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    fn version(tag: &str, states: &[&str], findings: &[&str]) -> Value {
        let instance = |state: &&str| json!({ "id": "a", "state": state });
        let finding = |severity: &&str| json!({ "severity": severity, "code": "X", "message": "It is." });
        json!({
            "version": tag,
            "instances": states.iter().map(instance).collect::<Vec<_>>(),
            "findings": findings.iter().map(finding).collect::<Vec<_>>(),
        })
    }

    #[test]
    fn a_line_a_service_says_which_version_serves_and_how_its_instances_are() {
        let many: Vec<Value> = (0..7).map(|minor| version(&format!("1.{minor}.0"), &[], &[])).collect();
        let services = [
            json!({ "name": "catalog", "serving": "1.4.0", "versions": [
                version("1.4.0", &["UP", "UP", "SUSPECT"], &[]),
                version("1.5.0", &["REFUSED", "HELD"], &["ERROR", "WARNING", "WARNING"]),
            ] }),
            json!({ "name": "many", "serving": null, "versions": many }),
            json!({ "name": "old", "serving": "1.0.0", "versions": [version("1.0.0", &["DRAINING"], &[])] }),
        ];
        expect![[r#"
            SERVICE  VERSIONS                             SERVING  INSTANCES                           FINDINGS
            catalog  1.4.0, 1.5.0                         1.4.0    2 up, 1 suspect, 1 held, 1 refused  1 error, 2 warnings
            many     3 older, 1.3.0, 1.4.0, 1.5.0, 1.6.0  -        none                                -
            old      1.0.0                                1.0.0    1 draining                          -
        "#]]
        .assert_eq(&overview(&services));
    }

    #[test]
    fn a_source_that_is_not_heard_or_not_understood_is_told_first() {
        let sources = [
            json!({ "name": "turnout", "state": "LIVE", "unreadableEntries": 0 }),
            json!({ "name": "todo", "state": "LIVE", "unreadableEntries": 1 }),
            json!({ "name": "shop-etcd", "state": "STALE", "reason": "connection refused", "staleSeconds": 73.4 }),
            json!({ "name": "new", "state": "STARTING" }),
        ];
        expect![[r#"
            source shop-etcd has not been heard for 73 s (connection refused); what it said last goes on to hold
            source new has not been heard yet; what was known before the start holds
            source todo has 1 entry that cannot be read; `turnout doctor` says why
        "#]]
        .assert_eq(&doubts(&sources));
    }
}
