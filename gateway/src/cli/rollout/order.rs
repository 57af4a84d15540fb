//! `turnout rollout start`, `hold`, `advance`, `promote`, `rollback`: what an operator wants of a rollout.

use clap::Args;
use serde_json::{Value, json};

use super::card::place;
use super::{ROLLOUT, Subject, ask, none};
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::text;
use crate::cli::moves::{self, MOVES};
use crate::cli::output::{self, Format};

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Start,
    Hold,
    /// Approve, or leave a step that ended without proof: whichever it waits for.
    Advance,
    /// Leave the step now.
    Leave,
    Promote,
    Rollback,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  turnout rollout start catalog@1.5.0 --dry-run --unit user:42
  turnout rollout hold catalog --reason 'INC-7: looking into timeouts'
  turnout rollout advance catalog --reason 'no traffic at night, tested by hand'
  turnout rollout rollback catalog --reason 'INC-7'")]
pub(crate) struct OrderArgs {
    /// The service, or one of its versions: catalog, catalog@1.5.0.
    rollout: Subject,
    /// The stage of the rollout that you looked at (`-o json`); it fails when that is another by now.
    #[arg(long, value_name = "STAGE")]
    expect: Option<String>,
    /// Why; for those who read the audit log.
    #[arg(long, required_unless_present = "dry_run", default_value = "", hide_default_value = true)]
    reason: String,
    /// Tell who would get another version, and change nothing.
    #[arg(long)]
    dry_run: bool,
    /// With --dry-run: tell what this unit would get.
    #[arg(long, value_name = "UNIT", requires = "dry_run")]
    unit: Vec<String>,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print it.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

pub(super) async fn run(verb: Verb, args: OrderArgs) -> Result<(), Failure> {
    let mut expected = args.expect.clone();
    let order = match verb {
        Verb::Start => "START",
        Verb::Hold => "HOLD",
        Verb::Leave => "ADVANCE",
        Verb::Promote => "PROMOTE",
        Verb::Rollback => "ROLLBACK",
        Verb::Advance => {
            let found = ask(&args.rollout, &args.admin).await?.ok_or_else(|| none(&args.rollout))?;
            // What it waits for must be what it still waits for when the order arrives.
            expected = expected.or_else(|| found["stage"].as_str().map(str::to_owned));
            if found["state"] == "INCONCLUSIVE" { "ADVANCE" } else { "APPROVE" }
        }
    };
    let question = format!(
        "mutation($service: String!, $version: String, $order: RolloutOrder!, $reason: String!, $dryRun: Boolean!,
        $units: [String!]!, $expected: String) {{
        orderRollout(service: $service, version: $version, order: $order, reason: $reason, dryRun: $dryRun,
        units: $units, expectedStage: $expected) {{ order carriedOut leader audit inverse {MOVES}
        rollout {{ {ROLLOUT} }} }} }}"
    );
    let mut variables = args.rollout.variables();
    variables["order"] = json!(order);
    variables["reason"] = json!(args.reason);
    variables["dryRun"] = json!(args.dry_run);
    variables["units"] = json!(args.unit);
    variables["expected"] = json!(expected);
    let answer = args.admin.ask(&question, variables).await?;
    let ordered = &answer["orderRollout"];
    output::print(&match args.output {
        Format::Table if args.dry_run => rehearsed(ordered),
        Format::Table => given(ordered),
        Format::Json | Format::Yaml => output::document(args.output, ordered),
    });
    Ok(())
}

fn name(rollout: &Value) -> String {
    format!("{}@{}", text(&rollout["service"]), text(&rollout["to"]))
}

fn stands(rollout: &Value) -> String {
    let state = text(&rollout["state"]).to_lowercase().replace('_', " ");
    place(rollout).map_or_else(|| state.clone(), |place| format!("{state}, step {place}"))
}

fn given(ordered: &Value) -> String {
    let rollout = &ordered["rollout"];
    let done = if ordered["carriedOut"] == true {
        format!("{} is {}.\n  {}\n", name(rollout), stands(rollout), text(&rollout["why"]))
    } else {
        format!(
            "{} is {}. The order to {} is noted and not carried out yet; the leader is {}.\n",
            name(rollout),
            stands(rollout),
            text(&ordered["order"]),
            text(&ordered["leader"])
        )
    };
    format!(
        "{done}This is entry {} of the audit log; this takes it back:\n  {} --reason TEXT\n",
        text(&ordered["audit"]),
        text(&ordered["inverse"]),
    )
}

fn rehearsed(ordered: &Value) -> String {
    let rollout = &ordered["rollout"];
    format!(
        "Dry run, nothing was changed.\n{} is {}. After {}:\n{}",
        name(rollout),
        stands(rollout),
        text(&ordered["order"]),
        moves::block(ordered)
    )
}

#[cfg(test)]
mod tests {
    use super::super::card::tests::rollout;
    use super::*;
    use expect_test::expect;

    fn ordered(carried_out: bool) -> Value {
        json!({ "order": "hold", "carriedOut": carried_out, "leader": "vm-2", "audit": "9",
            "inverse": "turnout rollout start catalog@1.5.0", "rollout": rollout(), "moves": [], "units": [] })
    }

    #[test]
    fn an_answer_says_whether_the_leader_has_done_it() {
        expect![[r#"
            catalog@1.5.0 is shifting, step 2 of 4, 5 %.
              step 2 of 4, 5 %: safety 11/20, about 14 min more at 4.2 calls/s
            This is entry 9 of the audit log; this takes it back:
              turnout rollout start catalog@1.5.0 --reason TEXT
        "#]]
        .assert_eq(&given(&ordered(true)));
        assert!(given(&ordered(false)).contains("noted and not carried out yet; the leader is vm-2."));
        expect![[r#"
            Dry run, nothing was changed.
            catalog@1.5.0 is shifting, step 2 of 4, 5 %. After hold:
            Nobody would get another version.
        "#]]
        .assert_eq(&rehearsed(&ordered(false)));
    }
}
