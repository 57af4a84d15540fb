//! `turnout rollout wait`: for a pipeline that goes on when the version it deployed is stable.

use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::card::{place, state};
use super::{Subject, ask};
use crate::cli::Failure;
use crate::cli::admin::AdminArgs;
use crate::cli::answer::{array, text};
use crate::cli::output::{self, Format, Paint};

/// How often it is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Goal {
    /// The version is stable: 0. It went back, or another took its place: 1.
    Promoted,
    /// It has ended in any way.
    Ended,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  turnout rollout wait catalog@1.5.0 --timeout 3h
  turnout rollout wait catalog --for ended

With a version, one that was just deployed may have no rollout yet: that is waited for too, and a version that is
stable already is as good as promoted.")]
pub(crate) struct WaitArgs {
    /// The service, or one of its versions: catalog, catalog@1.5.0.
    rollout: Subject,
    /// What is waited for.
    #[arg(long = "for", value_enum, default_value_t = Goal::Promoted, value_name = "WHAT")]
    goal: Goal,
    /// For how long: 90s, 30m, 3h.
    #[arg(long, default_value = "30m", value_parser = duration, value_name = "TIME")]
    timeout: Duration,
    #[command(flatten)]
    admin: AdminArgs,
    /// How to print how it ended.
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

/// `90s`, `30m`, `3h`: whole numbers of one unit.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time such as 90s, 30m or 3h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        _ => return Err(wrong()),
    };
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

pub(super) async fn run(args: WaitArgs) -> Result<(), Failure> {
    let until = Instant::now().checked_add(args.timeout);
    let mut subject = args.rollout.clone();
    let mut last = Last::Nothing;
    loop {
        match look(&subject, &args.admin).await {
            Ok(Some(found)) => {
                if subject.version.is_none() {
                    subject.version = found["to"].as_str().map(str::to_owned);
                }
                let said = Last::Seen(found);
                if let Some(ended) = said.ended(&args) {
                    return ended;
                }
                said.tell(&last);
                last = said;
            }
            Ok(None) if subject.version.is_none() => return Err(super::none(&subject)),
            Ok(None) => last = Last::Nothing,
            // A gateway that is being restarted answers again before the time is over.
            Err(Failure::Unreachable(why)) => last = Last::Unreachable(why),
            Err(failure) => return Err(failure),
        }
        if until.is_some_and(|until| Instant::now() >= until) {
            return Err(last.timeout(&subject, args.timeout));
        }
        sleep(PERIOD).await;
    }
}

/// The rollout; for a version that is stable without one, what stands for it.
async fn look(subject: &Subject, admin: &AdminArgs) -> Result<Option<Value>, Failure> {
    if let Some(rollout) = ask(subject, admin).await? {
        return Ok(Some(rollout));
    }
    let Some(version) = &subject.version else { return Ok(None) };
    let question = "query($service: String!) { policies(service: $service) { decided { frontend stable } } }";
    let answer = admin.ask(question, json!({ "service": subject.service })).await?;
    let decided = array(&answer["policies"]["decided"]).iter();
    let mut stable = decided.filter(|one| one["frontend"].is_null() && one["stable"] == json!(version));
    Ok(stable.next().map(|_| {
        json!({ "service": subject.service, "to": version, "state": "PROMOTED", "live": false,
            "why": format!("{version} is stable, and needed no rollout") })
    }))
}

/// What was seen last.
enum Last {
    Nothing,
    Unreachable(String),
    Seen(Value),
}

impl Last {
    /// How the command ends, when it does.
    fn ended(&self, args: &WaitArgs) -> Option<Result<(), Failure>> {
        let Last::Seen(rollout) = self else { return None };
        if rollout["live"] == true {
            return None;
        }
        let said =
            format!("{}@{}: {}", text(&rollout["service"]), text(&rollout["to"]), text(&rollout["why"]));
        match args.output {
            Format::Table => {}
            Format::Json | Format::Yaml => output::print(&output::document(args.output, rollout)),
        }
        let good = rollout["state"] == "PROMOTED" || args.goal == Goal::Ended;
        if !good {
            return Some(Err(Failure::Finding(said)));
        }
        if args.output == Format::Table {
            output::print(&format!("{said}\n"));
        }
        Some(Ok(()))
    }

    /// Says on a terminal what changed.
    fn tell(&self, before: &Last) {
        let (Last::Seen(now), before) = (self, before) else { return };
        let stage = |last: &Last| match last {
            Last::Seen(rollout) => Some((rollout["stage"].clone(), rollout["needs"].clone())),
            Last::Nothing | Last::Unreachable(_) => None,
        };
        if stage(self) != stage(before) {
            let place = place(now).map_or_else(String::new, |place| format!(", step {place}"));
            output::progress(&format!(
                "{}@{} {}{place}",
                text(&now["service"]),
                text(&now["to"]),
                state(now, Paint::Plain)
            ));
        }
    }

    fn timeout(&self, subject: &Subject, waited: Duration) -> Failure {
        let waited = waited.as_secs();
        match self {
            Last::Unreachable(why) => Failure::Unreachable(why.clone()),
            Last::Nothing => Failure::Finding(format!(
                "there was no rollout of {} within {waited} s; `turnout service show {}` says what became of it.",
                subject.text(),
                output::clean(&subject.service)
            )),
            Last::Seen(rollout) => {
                let needs = rollout["needs"].as_str().map_or_else(String::new, |_| {
                    format!(" It needs somebody: {}.", text(&rollout["needs"]))
                });
                Failure::Finding(format!(
                    "{} has not ended within {waited} s: {}.{needs}",
                    subject.text(),
                    text(&rollout["why"])
                ))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_and_a_unit() {
        let seconds = |text: &str| duration(text).map(|time| time.as_secs());
        assert_eq!((seconds("90s"), seconds("30m"), seconds("3h")), (Ok(90), Ok(1800), Ok(10_800)));
        for text in ["", "m", "30", "-1s", "1.5h", "99999999999999999999h", "5ü"] {
            assert!(duration(text).is_err(), "{text}");
        }
    }
}
