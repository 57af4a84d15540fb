//! `turnout explain`: which versions a caller gets, why, and when that would change.

use std::path::Path;

use clap::Args;
use serde_json::{Value, json};

use super::Failure;
use super::admin::AdminArgs;
use super::answer::{array, percent, text, text_or_dash};
use super::output::{self, Format};

const EXPLAIN: &str = "query($caller: Caller!) { explain(caller: $caller) {
    frontend because unit customer generation plan unseen { service why }
    services { service version arm reason because until unit slot stable candidate effectivePpm } } }";

/// The largest document.
const DOCUMENT_BYTES_MAX: usize = 128 << 10;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  turnout explain --frontend web@2.4.1 --unit user:42
  turnout explain --frontend web@2.4.1 --unit user:42 catalog orders
  turnout explain --unit user:42 --customer acme --operation HomePage
  turnout explain --unit user:42 --document operations/home.graphql

Without --frontend the assignment rules decide, as they do for a caller who names none.")]
pub(crate) struct ExplainArgs {
    /// Only these services.
    services: Vec<String>,
    /// Who calls: the frontend.
    #[arg(long, value_name = "APP@VERSION")]
    frontend: Option<String>,
    /// Who calls: user:42, anon:7f3a, customer:acme; left out: somebody without identity.
    #[arg(long, value_name = "UNIT")]
    unit: Option<String>,
    /// The customer that the unit belongs to.
    #[arg(long, value_name = "NAME")]
    customer: Option<String>,
    /// A segment of that customer.
    #[arg(long, value_name = "NAME")]
    segment: Vec<String>,
    /// Only what this operation touches: a file with its text, or - for standard input.
    #[arg(long, value_name = "FILE", conflicts_with = "services")]
    document: Option<String>,
    /// The name of the operation, in the document or in one of the frontend's documents.
    #[arg(long, value_name = "NAME", conflicts_with = "services")]
    operation: Option<String>,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn run(args: ExplainArgs) -> Result<(), Failure> {
    let document = args.document.as_deref().map(read).transpose()?;
    let services = (!args.services.is_empty()).then_some(&args.services);
    let caller = json!({
        "frontend": args.frontend,
        "unit": args.unit,
        "customer": args.customer,
        "segments": args.segment,
        "services": services,
        "document": document,
        "operation": args.operation,
    });
    let answer = args.admin.ask(EXPLAIN, json!({ "caller": caller })).await?;
    let explained = &answer["explain"];
    output::print(&match args.output {
        Format::Table => page(explained),
        Format::Json | Format::Yaml => output::document(args.output, explained),
    });
    Ok(())
}

fn read(path: &str) -> Result<String, Failure> {
    let wrong = |error: std::io::Error| Failure::Usage(format!("cannot read {path}: {error}"));
    let text = match path {
        "-" => std::io::read_to_string(std::io::stdin()).map_err(wrong)?,
        path => std::fs::read_to_string(Path::new(path)).map_err(wrong)?,
    };
    if text.len() > DOCUMENT_BYTES_MAX {
        return Err(Failure::Usage(format!(
            "{path} has {} bytes, and {DOCUMENT_BYTES_MAX} are allowed",
            text.len()
        )));
    }
    Ok(text)
}

fn page(explained: &Value) -> String {
    let unit = match (&explained["unit"], &explained["customer"]) {
        (Value::Null, Value::Null) => "a caller without identity".to_owned(),
        (Value::Null, customer) => text(customer),
        (unit, Value::Null) => text(unit),
        (unit, customer) => format!("{} of {}", text(unit), text(customer)),
    };
    let mut page =
        format!("{unit}, as {} ({})\n\n", text(&explained["frontend"]), text(&explained["because"]));
    let services = array(&explained["services"]);
    if services.is_empty() {
        page.push_str("No service is touched.\n");
    } else {
        let head = ["SERVICE", "VERSION", "", "REASON", "SLOT", "CANDIDATE", "WEIGHT"];
        page.push_str(&output::table(&head, services.iter().map(row).collect()));
        page.push('\n');
    }
    for one in services.iter().filter(|one| !one["candidate"].is_null()) {
        page.push_str(&format!(
            "{}: {}; {}\n",
            text(&one["service"]),
            text(&one["because"]),
            text(&one["until"])
        ));
    }
    if let Some(plan) = explained["plan"].as_str() {
        page.push_str("\nThe operation calls:\n");
        plan.lines().for_each(|line| page.push_str(&format!("  {}\n", output::clean(line))));
    }
    for unseen in array(&explained["unseen"]) {
        page.push_str(&format!(
            "It gets nothing of {}: {}.\n",
            text(&unseen["service"]),
            text(&unseen["why"])
        ));
    }
    page
}

fn row(one: &Value) -> Vec<String> {
    vec![
        text(&one["service"]),
        text(&one["version"]),
        text(&one["arm"]),
        text(&one["reason"]),
        one["slot"].as_u64().map_or_else(|| "-".to_owned(), |slot| slot.to_string()),
        text_or_dash(&one["candidate"]),
        percent(&one["effectivePpm"]),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_page_says_what_the_caller_gets_and_when_that_changes() {
        let explained = json!({
            "frontend": "web@2.4.1", "because": "2.4.1 is the default version of web", "unit": "user:42",
            "customer": null, "generation": "7", "plan": "catalog.GetProduct",
            "services": [
                { "service": "catalog", "version": "1.4.0", "arm": "stable", "reason": "STABLE", "slot": 73_119,
                  "because": "slot 73119 is not below the weight, 50000", "until": "until the weight is 7.312 % (step 3 of 4)",
                  "candidate": "1.5.0", "effectivePpm": 50_000 },
                { "service": "orders", "version": "2.2.0", "arm": "stable", "reason": "STABLE", "slot": null,
                  "because": "it is what everybody gets", "until": "until another version is tried", "candidate": null,
                  "effectivePpm": null },
            ],
            "unseen": [{ "service": "users", "why": "no version satisfies its pin ^3" }],
        });
        expect![[r#"
            user:42, as web@2.4.1 (2.4.1 is the default version of web)

            SERVICE  VERSION          REASON  SLOT   CANDIDATE  WEIGHT
            catalog  1.4.0    stable  STABLE  73119  1.5.0      5 %
            orders   2.2.0    stable  STABLE  -      -          -

            catalog: slot 73119 is not below the weight, 50000; until the weight is 7.312 % (step 3 of 4)

            The operation calls:
              catalog.GetProduct
            It gets nothing of users: no version satisfies its pin ^3.
        "#]]
        .assert_eq(&page(&explained));
    }
}
