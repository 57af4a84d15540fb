//! `turnout policy get`: the matrix of services and frontends, and what was decided.

use clap::Args;
use serde_json::{Value, json};

use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::{array, percent, text, text_or_dash};
use crate::cli::output::{self, Format};

const POLICIES: &str = "query($service: String, $frontend: String) {
    policies(service: $service, frontend: $frontend) {
    decided { service major frontend stable insteadOf vacant candidate weightPpm capPpm killed allow deny revision }
    routes { service frontend pin stable candidate weightPpm effectivePpm killed listed own unrouted }
    unreadable { key why } } }";

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  turnout policy get
  turnout policy get catalog --frontend web@2.4.1
  turnout policy get -o json")]
pub(crate) struct GetArgs {
    /// Only this service.
    service: Option<String>,
    /// Only what this frontend gets.
    #[arg(long, value_name = "APP@VERSION")]
    frontend: Option<String>,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn run(args: GetArgs) -> Result<(), Failure> {
    let GetArgs { service, frontend, admin, output } = args;
    let answer = admin.ask(POLICIES, json!({ "service": service, "frontend": frontend })).await?;
    let policies = &answer["policies"];
    output::print(&match output {
        Format::Table => page(policies, service.as_deref()),
        Format::Json | Format::Yaml => output::document(output, policies),
    });
    let unreadable = array(&policies["unreadable"]);
    if unreadable.is_empty() {
        return Ok(());
    }
    let line = |found: &Value| format!("{} decides nothing: {}", text(&found["key"]), text(&found["why"]));
    let lines: Vec<String> = unreadable.iter().map(line).collect();
    Err(Failure::Finding(format!("policies that cannot be read\n{}", lines.join("\n"))))
}

fn page(policies: &Value, service: Option<&str>) -> String {
    let routes = array(&policies["routes"]);
    if routes.is_empty() {
        let of = service.map_or_else(String::new, |service| format!(" about {}", output::clean(service)));
        return format!("Nothing is decided{of} yet: the first version of a service is stable at once.\n");
    }
    let head = ["SERVICE", "FRONTEND", "PIN", "STABLE", "CANDIDATE", "SET", "EFFECTIVE", ""];
    let mut page = output::table(&head, routes.iter().map(route).collect());
    let head = ["DECIDED FOR", "", "STABLE", "CANDIDATE", "SET", "CAP", "LISTS", "REVISION", ""];
    let decided = array(&policies["decided"]).iter().map(decision).collect();
    page.push_str(&format!("\n{}", output::table(&head, decided)));
    page
}

fn route(route: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    if route["own"] == true {
        notes.push("own policy".to_owned());
    }
    if route["killed"] == true {
        notes.push("candidates are switched off".to_owned());
    }
    notes.extend(route["unrouted"].as_str().map(output::clean));
    vec![
        text(&route["service"]),
        text(&route["frontend"]),
        text_or_dash(&route["pin"]),
        text_or_dash(&route["stable"]),
        text_or_dash(&route["candidate"]),
        percent(&route["weightPpm"]),
        percent(&route["effectivePpm"]),
        notes.join(", "),
    ]
}

fn decision(decided: &Value) -> Vec<String> {
    let mut notes = Vec::new();
    if decided["killed"] == true {
        notes.push("candidates are switched off".to_owned());
    }
    if decided["vacant"] == true {
        notes.push("nobody runs it".to_owned());
    }
    notes.extend(decided["insteadOf"].as_str().map(|of| format!("stands in for {}", output::clean(of))));
    let lists = [("allow", &decided["allow"]), ("deny", &decided["deny"])];
    let lists: Vec<String> = lists
        .into_iter()
        .filter(|(_, units)| !array(units).is_empty())
        .map(|(name, units)| {
            format!("{name} {}", array(units).iter().map(text).collect::<Vec<_>>().join(" "))
        })
        .collect();
    let for_whom =
        if decided["frontend"].is_null() { "everyone".to_owned() } else { text(&decided["frontend"]) };
    vec![
        format!("{} {}", text(&decided["service"]), decided["major"]),
        for_whom,
        text_or_dash(&decided["stable"]),
        text_or_dash(&decided["candidate"]),
        percent(&decided["weightPpm"]),
        percent(&decided["capPpm"]),
        if lists.is_empty() { "-".to_owned() } else { lists.join(", ") },
        text(&decided["revision"]),
        notes.join(", "),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn the_matrix_says_what_each_frontend_gets_and_what_was_decided() {
        let policies = json!({
            "routes": [
                { "service": "catalog", "frontend": "any@0.0.0", "pin": null, "stable": "1.4.0", "candidate": "1.5.0",
                  "weightPpm": 50_000, "effectivePpm": 50_000, "killed": false, "own": false, "unrouted": null },
                { "service": "catalog", "frontend": "web@2.4.1", "pin": "^1.4", "stable": "1.4.0",
                  "candidate": "1.5.0", "weightPpm": 50_000, "effectivePpm": 0, "killed": true, "own": true,
                  "unrouted": null },
                { "service": "catalog", "frontend": "web@3.0.0", "pin": "^3", "stable": null, "candidate": null,
                  "killed": false, "own": false, "unrouted": "no version satisfies its pin ^3" },
            ],
            "decided": [
                { "service": "catalog", "major": 1, "frontend": null, "stable": "1.4.0", "candidate": "1.5.0",
                  "weightPpm": 50_000, "capPpm": null, "killed": false, "allow": [], "deny": ["customer:acme"],
                  "revision": "12", "insteadOf": null, "vacant": false },
                { "service": "catalog", "major": 1, "frontend": "web@2.4.1", "stable": null, "candidate": null,
                  "weightPpm": null, "capPpm": 200_000, "killed": true, "allow": [], "deny": [], "revision": "9",
                  "insteadOf": null, "vacant": false },
            ],
        });
        expect![[r#"
            SERVICE  FRONTEND   PIN   STABLE  CANDIDATE  SET  EFFECTIVE
            catalog  any@0.0.0  -     1.4.0   1.5.0      5 %  5 %
            catalog  web@2.4.1  ^1.4  1.4.0   1.5.0      5 %  0 %        own policy, candidates are switched off
            catalog  web@3.0.0  ^3    -       -          -    -          no version satisfies its pin ^3

            DECIDED FOR             STABLE  CANDIDATE  SET  CAP   LISTS               REVISION
            catalog 1    everyone   1.4.0   1.5.0      5 %  -     deny customer:acme  12
            catalog 1    web@2.4.1  -       -          -    20 %  -                   9         candidates are switched off
        "#]]
        .assert_eq(&page(&policies, None));
        assert!(page(&json!({}), Some("x")).starts_with("Nothing is decided about x yet"));
    }
}
