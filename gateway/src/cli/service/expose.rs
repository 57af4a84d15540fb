//! `turnout service expose`: what of a service is public, decided or tried.

use clap::{Args, ValueEnum};
use serde_json::{Value, json};

use super::finding::{self, About, plural};
use super::show::public;
use super::{array, text};
use crate::cli::Failure;
use crate::cli::admin::{AdminArgs, SLOW};
use crate::cli::output::{self, Format, Paint};

const EXPOSE: &str = "mutation($service: String!, $expose: Expose!, $reason: String!, $dryRun: Boolean!) {
    exposeService(service: $service, expose: $expose, reason: $reason, dryRun: $dryRun) {
    service known changed audit serves compared before { expose by place revision } after { expose by place revision }
    changes { class kind coordinate text } findings { severity code message help service version } } }";

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Expose {
    /// What the service's own options say.
    Annotated,
    /// Every RPC that is not marked hidden.
    All,
    /// What the configuration says of all services: forgets what was decided.
    Default,
}

impl Expose {
    /// The word of the API.
    pub(super) fn word(self) -> &'static str {
        match self {
            Expose::Annotated => "ANNOTATED",
            Expose::All => "ALL",
            Expose::Default => "DEFAULT",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct ExposeArgs {
    /// The service's name.
    name: String,
    /// What of it is public.
    #[arg(value_enum)]
    expose: Expose,
    /// Why; for those who read the audit log.
    #[arg(long, required_unless_present = "dry_run", default_value = "", hide_default_value = true)]
    reason: String,
    /// Tell which fields would appear or go, and change nothing.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn run(args: ExposeArgs) -> Result<(), Failure> {
    let ExposeArgs { name, expose, reason, dry_run, admin, output } = args;
    let variables = json!({ "service": name, "expose": expose.word(), "reason": reason, "dryRun": dry_run });
    let answer = admin.ask_within(EXPOSE, variables, SLOW).await?;
    let exposed = &answer["exposeService"];
    output::print(&match output {
        Format::Table if dry_run => rehearsed(exposed, Paint::detect()),
        Format::Table => decided(exposed),
        Format::Json | Format::Yaml => output::document(output, exposed),
    });
    Ok(())
}

fn decided(exposed: &Value) -> String {
    let service = text(&exposed["service"]);
    let after = public(&exposed["after"]);
    if exposed["changed"] != true {
        return format!("{service}: {after}, as it was before. Nothing was changed.\n");
    }
    let back = text(&exposed["before"]["expose"]).to_lowercase();
    let back = if exposed["before"]["by"] == "OPERATOR" { back } else { "default".to_owned() };
    format!(
        "{service}: {after}. Before: {}.\nThe graph follows within a second. This is entry {} of \
         the audit log; `turnout service expose {service} {back} --reason TEXT` takes it back.\n{}",
        public(&exposed["before"]),
        text(&exposed["audit"]),
        unknown(exposed),
    )
}

fn rehearsed(exposed: &Value, paint: Paint) -> String {
    let service = text(&exposed["service"]);
    let (after, before) = (text(&exposed["after"]["expose"]).to_lowercase(), public(&exposed["before"]));
    let mut page = format!("Dry run, nothing was changed.\n{service} would be: {after}. It is: {before}.\n");
    page.push_str(unknown(exposed));
    page.push_str(&differences(exposed));
    let found = finding::block(&exposed["findings"], About::Several, paint);
    if !found.is_empty() {
        page.push_str(&format!("\n{found}"));
    }
    page
}

fn unknown(exposed: &Value) -> &'static str {
    if exposed["known"] == true { "" } else { "Nothing was ever registered under this name.\n" }
}

/// How the graph would differ, for people: what appears, what goes, what else.
pub(super) fn differences(answer: &Value) -> String {
    if answer["compared"] != true {
        return "Nothing is served now, so there is no graph to compare with.\n".to_owned();
    }
    let changes = array(&answer["changes"]);
    if changes.is_empty() {
        return "The graph would look the same.\n".to_owned();
    }
    let (mut more, mut less, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for change in changes {
        let breaking = if change["class"] == "BREAKING" { "breaking " } else { "" };
        let line = text(&change["text"]);
        match change["kind"].as_str().unwrap_or_default() {
            kind if kind.ends_with("_ADDED") => more.push(format!("  + {breaking}{line}\n")),
            kind if kind.ends_with("_REMOVED") => less.push(format!("  - {breaking}{line}\n")),
            _ => other.push(format!("  ~ {breaking}{line}\n")),
        }
    }
    let mut text = format!("The graph would differ in {}:\n", plural(changes.len(), "place"));
    for lines in [less, more, other] {
        text.push_str(&lines.concat());
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn exposed(changed: bool) -> Value {
        json!({
            "service": "orders", "known": true, "changed": changed, "compared": true, "audit": "7", "serves": "2.2.1",
            "before": { "expose": "ANNOTATED", "by": "DEFAULT" },
            "after": { "expose": "ALL", "by": "OPERATOR", "revision": "3" },
            "changes": [
                { "class": "SAFE", "kind": "FIELD_ADDED", "coordinate": "Query.order", "text": "Query.order was added: Order" },
                { "class": "BREAKING", "kind": "FIELD_REMOVED", "coordinate": "Query.old", "text": "Query.old was removed: Order" },
                { "class": "SAFE", "kind": "DESCRIPTION_CHANGED", "coordinate": "Order", "text": "Order is described differently" },
            ],
            "findings": [{ "severity": "WARNING", "code": "NO_ENTITY", "message": "It has no key.", "help": null,
                "service": "orders", "version": "2.2.1" }],
        })
    }

    #[test]
    fn a_decision_says_what_holds_and_how_to_take_it_back() {
        expect![[r#"
            orders: all, as an operator decided. Before: annotated, by default.
            The graph follows within a second. This is entry 7 of the audit log; `turnout service expose orders default --reason TEXT` takes it back.
        "#]].assert_eq(&decided(&exposed(true)));
        expect![[r#"
            orders: all, as an operator decided, as it was before. Nothing was changed.
        "#]]
        .assert_eq(&decided(&exposed(false)));
    }

    #[test]
    fn a_dry_run_says_what_would_appear_and_what_would_go() {
        expect![[r#"
            Dry run, nothing was changed.
            orders would be: all. It is: annotated, by default.
            The graph would differ in 3 places:
              - breaking Query.old was removed: Order
              + Query.order was added: Order
              ~ Order is described differently

            warning[NO_ENTITY] orders 2.2.1: It has no key.
        "#]]
        .assert_eq(&rehearsed(&exposed(true), Paint::Plain));
    }
}
