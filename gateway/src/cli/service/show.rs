//! `turnout service show`: all that is known of one service.

use serde_json::{Value, json};

use super::finding::{self, About};
use super::{SERVICE, array, digest, flatten, states, text};
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::output::{self, Format, Paint};

pub(super) async fn run(name: &str, admin: &AdminArgs, format: Format) -> Result<(), Failure> {
    let question = format!("query($name: String!) {{ service(name: $name) {{ {SERVICE} }} }}");
    let answer = admin.ask(&question, json!({ "name": name })).await?;
    let service = &answer["service"];
    if service.is_null() {
        return Err(Failure::Finding(format!(
            "no service was ever registered as {name:?}; `turnout service list` names those that were."
        )));
    }
    output::print(&match format {
        Format::Table => detail(service, Paint::detect()),
        Format::Json | Format::Yaml => output::document(format, &Value::Array(flatten(service))),
    });
    Ok(())
}

fn detail(service: &Value, paint: Paint) -> String {
    let name = text(&service["name"]);
    let serving = match &service["serving"] {
        Value::Null => "none of its versions".to_owned(),
        version => text(version),
    };
    let mut page = format!("{name}\n  serving  {serving}\n  public   {}\n", public(&service["exposed"]));
    let versions = array(&service["versions"]);
    let row = |version: &Value| {
        let mark = if version["serving"] == true { "serving" } else { "" };
        let instances = array(&version["instances"]).iter();
        let (tag, since) = (text(&version["version"]), text(&version["firstSeen"]));
        vec![tag, mark.to_owned(), states(instances), digest(&version["digest"]), since]
    };
    let head = ["VERSION", "", "INSTANCES", "SCHEMA", "FIRST SEEN"];
    page.push_str(&format!("\n{}", output::table(&head, versions.iter().map(row).collect())));
    let instances: Vec<Vec<String>> = versions.iter().flat_map(instances).collect();
    if !instances.is_empty() {
        let head = ["INSTANCE", "VERSION", "STATE", "SOURCE", "WEIGHT", "ADDRESSES", "SINCE"];
        page.push_str(&format!("\n{}", output::table(&head, instances)));
    }
    for version in versions {
        let refused = array(&version["instances"]).iter().filter(|one| one["refused"].is_object());
        let refused: String = refused.map(why).collect();
        let found = finding::block(&version["findings"], About::One, paint);
        if !refused.is_empty() || !found.is_empty() {
            page.push_str(&format!("\n{name} {}\n{refused}{found}", text(&version["version"])));
        }
    }
    page
}

fn instances(version: &Value) -> Vec<Vec<String>> {
    let row = |one: &Value| {
        let addresses: Vec<String> = array(&one["endpoints"]).iter().map(text).collect();
        vec![
            text(&one["id"]),
            text(&version["version"]),
            state(one),
            text(&one["source"]),
            one["weight"].to_string(),
            addresses.join(" "),
            text(&one["registeredAt"]),
        ]
    };
    array(&version["instances"]).iter().map(row).collect()
}

/// `suspect (silent)`: what is made of it, and why when that does not say it.
fn state(instance: &Value) -> String {
    let (state, presence) =
        (text(&instance["state"]).to_lowercase(), text(&instance["presence"]).to_lowercase());
    if presence == "here" || presence == state || presence.is_empty() {
        state
    } else {
        format!("{state} ({presence})")
    }
}

fn why(instance: &Value) -> String {
    let refused = &instance["refused"];
    let help = match refused["help"].as_str() {
        None | Some("") => String::new(),
        Some(_) => format!("    help: {}\n", text(&refused["help"])),
    };
    format!(
        "refused {} [{}] {}\n{help}",
        text(&instance["id"]),
        text(&refused["code"]),
        text(&refused["message"])
    )
}

/// `annotated, by default`.
pub(super) fn public(exposed: &Value) -> String {
    let expose = text(&exposed["expose"]).to_lowercase();
    match exposed["by"].as_str() {
        Some("CONFIGURATION") => format!("{expose}, by the configuration ({})", text(&exposed["place"])),
        Some("OPERATOR") => format!("{expose}, as an operator decided"),
        _ => format!("{expose}, by default"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn everything_about_a_service_is_on_one_page() {
        let instance = |id: &str, state: &str, presence: &str| {
            json!({ "id": id, "state": state, "presence": presence, "source": "turnout", "weight": 100,
                "endpoints": ["grpc://127.0.0.1:50051"], "registeredAt": "2026-11-21T03:40:01.250Z",
                "refused": null })
        };
        let mut refused = instance("c", "REFUSED", "HERE");
        refused["refused"] = json!({ "code": "VERSION_BOUND", "message": "It has other descriptors.",
            "help": "Give it another version." });
        let service = json!({
            "name": "orders", "serving": "2.2.1",
            "exposed": { "expose": "ALL", "by": "CONFIGURATION", "place": "turnout.yaml:3:21" },
            "versions": [
                { "version": "2.2.1", "digest": format!("sha256:{}", "ab".repeat(32)), "serving": true,
                  "firstSeen": "2026-11-20T10:00:00Z", "findings": [],
                  "instances": [instance("a", "UP", "HERE"), instance("b", "SUSPECT", "SILENT")] },
                { "version": "2.3.0", "digest": null, "serving": false, "firstSeen": "2026-11-21T10:00:00Z",
                  "findings": [{ "severity": "ERROR", "code": "SCHEMA_MISSING", "message": "It named none.",
                    "help": "Register it with one." }],
                  "instances": [refused] },
            ],
        });
        expect![[r#"
            orders
              serving  2.2.1
              public   all, by the configuration (turnout.yaml:3:21)

            VERSION           INSTANCES        SCHEMA        FIRST SEEN
            2.2.1    serving  1 up, 1 suspect  abababababab  2026-11-20T10:00:00Z
            2.3.0             1 refused        none          2026-11-21T10:00:00Z

            INSTANCE  VERSION  STATE             SOURCE   WEIGHT  ADDRESSES               SINCE
            a         2.2.1    up                turnout  100     grpc://127.0.0.1:50051  2026-11-21T03:40:01.250Z
            b         2.2.1    suspect (silent)  turnout  100     grpc://127.0.0.1:50051  2026-11-21T03:40:01.250Z
            c         2.3.0    refused           turnout  100     grpc://127.0.0.1:50051  2026-11-21T03:40:01.250Z

            orders 2.3.0
            refused c [VERSION_BOUND] It has other descriptors.
                help: Give it another version.
            error[SCHEMA_MISSING] It named none.
                help: Register it with one.
        "#]].assert_eq(&detail(&service, Paint::Plain));
    }
}
