//! `turnout frontend retire`: nobody gets a version any more.

use clap::Args;
use serde_json::{Value, json};

use super::id;
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::text;
use crate::cli::output::{self, Format};

const RETIRE: &str = "mutation($frontend: String!, $reason: String!, $dryRun: Boolean!, $expected: String) {
    retireFrontend(frontend: $frontend, reason: $reason, dryRun: $dryRun, expectedRevision: $expected) {
    name changed audit before after } }";

#[derive(Debug, Args)]
pub(crate) struct RetireArgs {
    /// Its name: `web@2.4.0`.
    name: String,
    /// Why; for those who read the audit log.
    #[arg(long, required_unless_present = "dry_run", default_value = "", hide_default_value = true)]
    reason: String,
    /// Tell whether it could be retired, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// The revision that the version was last written at; otherwise nothing is changed.
    #[arg(long, value_name = "REVISION")]
    expect: Option<String>,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn run(args: RetireArgs) -> Result<(), Failure> {
    let RetireArgs { name, reason, dry_run, expect, admin, output } = args;
    let id = id(&name)?;
    let variables =
        json!({ "frontend": id.to_string(), "reason": reason, "dryRun": dry_run, "expected": expect });
    let answer = admin.ask(RETIRE, variables).await?;
    let retired = &answer["retireFrontend"];
    output::print(&match output {
        Format::Table if dry_run => {
            format!("Dry run, nothing was changed.\n{name} could be retired: no rule leads to it.\n")
        }
        Format::Table => decided(retired),
        Format::Json | Format::Yaml => output::document(output, retired),
    });
    Ok(())
}

fn decided(retired: &Value) -> String {
    let name = text(&retired["name"]);
    if retired["changed"] != true {
        return format!("{name} was retired before. Nothing was changed.\n");
    }
    let before = text(&retired["before"]).to_lowercase();
    format!(
        "{name} is retired. It was {before}. Its files go on being served, for tabs that are open.\n\
         This is entry {} of the audit log; `turnout frontend publish {name} --state {before} --reason TEXT` takes it \
         back.\n",
        text(&retired["audit"])
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn a_retirement_says_how_to_take_it_back() {
        let retired = json!({ "name": "web@2.4.0", "changed": true, "audit": "7", "before": "DEPRECATED" });
        expect![[r#"
            web@2.4.0 is retired. It was deprecated. Its files go on being served, for tabs that are open.
            This is entry 7 of the audit log; `turnout frontend publish web@2.4.0 --state deprecated --reason TEXT` takes it back.
        "#]].assert_eq(&decided(&retired));
    }
}
