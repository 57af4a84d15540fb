//! `turnout rollout list`: a line a rollout, those that go on first.

use serde_json::{Value, json};

use super::ROLLOUT;
use super::card::{evidence, place, state};
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::{array, span, text};
use crate::cli::output::{self, Format, Paint};

const NOTHING: &str =
    "There was no rollout yet: one begins when a higher version of a service that serves registers.\n";

pub(super) async fn run(service: Option<String>, admin: &AdminArgs, format: Format) -> Result<(), Failure> {
    let question = format!("query($service: String) {{ rollouts(service: $service) {{ {ROLLOUT} }} }}");
    let answer = admin.ask(&question, json!({ "service": service })).await?;
    let rollouts = &answer["rollouts"];
    output::print(&match format {
        Format::Table => overview(array(rollouts), Paint::detect()),
        Format::Json | Format::Yaml => output::document(format, rollouts),
    });
    Ok(())
}

fn overview(rollouts: &[Value], paint: Paint) -> String {
    if rollouts.is_empty() {
        return NOTHING.to_owned();
    }
    let (live, ended): (Vec<&Value>, Vec<&Value>) = rollouts.iter().partition(|one| one["live"] == true);
    let row = |one: &&Value| {
        vec![
            text(&one["service"]),
            format!("{} -> {}", text(&one["from"]), text(&one["to"])),
            state(one, paint),
            place(one).unwrap_or_else(|| "-".to_owned()),
            evidence(&one["harm"]),
            evidence(&one["safety"]),
            span(one["ageSeconds"].as_f64().unwrap_or_default()),
            why(one),
        ]
    };
    let head = ["SERVICE", "VERSIONS", "STATE", "STEP", "HARM", "SAFETY", "AGE", "WHY"];
    output::table(&head, live.iter().chain(&ended).map(row).collect())
}

/// What an operator can do, if something waits for one; else why it stands so.
fn why(rollout: &Value) -> String {
    match rollout["needs"].as_str() {
        Some(_) => format!("needs you: {}", text(&rollout["needs"])),
        None => text(&rollout["why"]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::card::tests::rollout;
    use super::*;
    use expect_test::expect;

    #[test]
    fn those_that_go_on_come_first_and_say_what_they_need() {
        let mut ended = rollout();
        ended["state"] = json!("ROLLED_BACK");
        ended["live"] = json!(false);
        ended["step"] = Value::Null;
        ended["why"] = json!("went back to 1.4.0: 600 calls failed beyond what was expected");
        let mut held = rollout();
        held["service"] = json!("orders");
        held["state"] = json!("INCONCLUSIVE");
        held["needs"] = json!("advance it with a reason");
        expect![[r#"
            SERVICE  VERSIONS        STATE         STEP         HARM     SAFETY  AGE     WHY
            orders   1.4.0 -> 1.5.0  inconclusive  2 of 4, 5 %  0.3/100  11/20   14 min  needs you: advance it with a reason
            catalog  1.4.0 -> 1.5.0  rolled back   -            0.3/100  11/20   14 min  went back to 1.4.0: 600 calls failed beyond what was expected
        "#]]
        .assert_eq(&overview(&[ended, held], Paint::Plain));
        assert_eq!(overview(&[], Paint::Plain), NOTHING);
    }
}
