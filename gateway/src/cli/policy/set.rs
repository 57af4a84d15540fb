//! `turnout policy set`: which versions callers get, decided or tried.

use clap::{ArgGroup, Args};
use serde_json::{Value, json};
use turnout_control::slot::Weight;

use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::{array, text};
use crate::cli::moves::{self, MOVES};
use crate::cli::output::{self, Format};

const FIELDS: &str = "service major frontend differences audit inverse
    before { stable candidate weightPpm capPpm killed allow deny revision }
    after { stable candidate weightPpm capPpm killed allow deny revision }";

#[derive(Debug, Args)]
#[command(
    group = ArgGroup::new("switch").args(["kill", "unkill"]),
    after_help = "Examples:
  turnout policy set catalog --deny customer:acme --reason 'they test on Monday'
  turnout policy set catalog --frontend web@2.4.1 --cap 20% --reason 'long-term support'
  turnout policy set catalog --candidate 1.5.0 --weight 5% --dry-run --unit user:42
  turnout policy set catalog --kill --reason 'INC-7: 1.5.0 loses orders'

While a rollout goes on, it decides about versions and weight: use `turnout rollout`. Lists, caps and the
switch are yours at any time."
)]
pub(crate) struct SetArgs {
    /// The service.
    service: String,
    /// Its major; left out: that of the named versions, or the one that callers get.
    #[arg(long, value_name = "N")]
    major: Option<u64>,
    /// One frontend; left out: everyone.
    #[arg(long, value_name = "APP@VERSION")]
    frontend: Option<String>,
    /// The version that everybody gets about whom nothing else is decided.
    #[arg(long, value_name = "VERSION")]
    stable: Option<String>,
    /// The version that is tried.
    #[arg(long, value_name = "VERSION")]
    candidate: Option<String>,
    /// How many get the candidate: 5%, 0.25%.
    #[arg(long, value_name = "SHARE")]
    weight: Option<Weight>,
    /// The largest share of the frontend's callers that a candidate may have.
    #[arg(long, value_name = "SHARE", requires = "frontend")]
    cap: Option<Weight>,
    /// Give this unit the candidate at any weight above zero: user:42, customer:acme.
    #[arg(long, value_name = "UNIT")]
    allow: Vec<String>,
    /// Never give this unit a candidate.
    #[arg(long, value_name = "UNIT")]
    deny: Vec<String>,
    /// Take this unit off the list of --allow.
    #[arg(long, value_name = "UNIT")]
    no_allow: Vec<String>,
    /// Take this unit off the list of --deny.
    #[arg(long, value_name = "UNIT")]
    no_deny: Vec<String>,
    /// Switch candidates off at once.
    #[arg(long)]
    kill: bool,
    /// Switch candidates on again.
    #[arg(long)]
    unkill: bool,
    /// Forget everything first, but which version is stable for everyone.
    #[arg(long)]
    clear: bool,
    /// The revision of the policy that this replaces; it fails when that is another by now.
    #[arg(long, value_name = "REVISION")]
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

impl SetArgs {
    fn variables(&self) -> Value {
        let killed = match (self.kill, self.unkill) {
            (true, _) => Some(true),
            (false, true) => Some(false),
            (false, false) => None,
        };
        json!({
            "policy": { "service": self.service, "major": self.major, "frontend": self.frontend },
            "change": {
                "clear": self.clear,
                "stable": self.stable,
                "candidate": self.candidate,
                "weightPpm": self.weight.map(Weight::as_ppm),
                "capPpm": self.cap.map(Weight::as_ppm),
                "killed": killed,
                "allow": self.allow,
                "deny": self.deny,
                "noAllow": self.no_allow,
                "noDeny": self.no_deny,
            },
            "reason": self.reason,
            "dryRun": self.dry_run,
            "units": self.unit,
            "expected": self.expect,
        })
    }
}

pub(super) async fn run(args: SetArgs) -> Result<(), Failure> {
    let question = format!(
        "mutation($policy: PolicyPlace!, $change: PolicyChange!, $reason: String!, $dryRun: Boolean!,
        $units: [String!]!, $expected: String) {{
        setPolicy(policy: $policy, change: $change, reason: $reason, dryRun: $dryRun, units: $units,
        expectedRevision: $expected) {{ {FIELDS} {MOVES} }} }}"
    );
    let answer = args.admin.ask(&question, args.variables()).await?;
    let set = &answer["setPolicy"];
    output::print(&match args.output {
        Format::Table if args.dry_run => rehearsed(set),
        Format::Table => decided(set),
        Format::Json | Format::Yaml => output::document(args.output, set),
    });
    Ok(())
}

fn subject(set: &Value) -> String {
    let whom = if set["frontend"].is_null() { "everyone".to_owned() } else { text(&set["frontend"]) };
    format!("{} {} for {whom}", text(&set["service"]), set["major"])
}

fn differences(set: &Value) -> String {
    array(&set["differences"]).iter().map(|line| format!("  {}\n", text(line))).collect()
}

fn decided(set: &Value) -> String {
    if set["audit"].is_null() {
        return format!("{}: as it was before. Nothing was changed.\n", subject(set));
    }
    format!(
        "{}:\n{}Gateways follow within a second. This is entry {} of the audit log; this takes it back:\n  {} --reason \
         TEXT\n",
        subject(set),
        differences(set),
        text(&set["audit"]),
        text(&set["inverse"]),
    )
}

fn rehearsed(set: &Value) -> String {
    let found = differences(set);
    let found = if found.is_empty() { "  as it is now\n".to_owned() } else { found };
    format!("Dry run, nothing was changed.\n{} would be:\n{found}{}", subject(set), moves::block(set))
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn set(audit: Option<&str>) -> Value {
        json!({
            "service": "catalog", "major": 1, "frontend": null, "audit": audit,
            "differences": ["candidate was 1.5.0 at 1 %, is 1.5.0 at 5 %"],
            "inverse": "turnout policy set catalog --major 1 --weight 1%",
            "moves": [{ "service": "catalog", "frontend": "any@0.0.0", "from": "1.4.0", "to": "1.5.0",
                "sharePpm": 40_000 }],
            "units": [],
        })
    }

    #[test]
    fn a_decision_says_what_differs_and_how_to_take_it_back() {
        expect![[r#"
            catalog 1 for everyone:
              candidate was 1.5.0 at 1 %, is 1.5.0 at 5 %
            Gateways follow within a second. This is entry 7 of the audit log; this takes it back:
              turnout policy set catalog --major 1 --weight 1% --reason TEXT
        "#]]
        .assert_eq(&decided(&set(Some("7"))));
        assert_eq!(decided(&set(None)), "catalog 1 for everyone: as it was before. Nothing was changed.\n");
    }

    #[test]
    fn a_dry_run_says_who_would_move() {
        expect![[r#"
            Dry run, nothing was changed.
            catalog 1 for everyone would be:
              candidate was 1.5.0 at 1 %, is 1.5.0 at 5 %
            These callers would get another version:
              any@0.0.0            4 %   catalog 1.4.0 -> 1.5.0
        "#]]
        .assert_eq(&rehearsed(&set(None)));
    }
}
