//! A rollout on one page: who gets which version, how sure one is of what, what is missing and what happened.

use serde_json::Value;

use crate::cli::answer::{array, percent, span, text};
use crate::cli::output::{Paint, Tone};

/// Letters of a bar.
const BAR: usize = 20;
/// Frontends on a line.
const FRONTENDS_MAX: usize = 6;
/// What is shown of what happened.
const HISTORY_MAX: usize = 8;

/// The whole page.
pub(super) fn page(rollout: &Value, paint: Paint) -> String {
    let mut page = head(rollout, paint);
    page.push_str(&tree(rollout));
    page.push('\n');
    page.push_str(&steps(rollout));
    for (name, of, ends) in [
        ("harm", &rollout["harm"], "goes back at"),
        ("slowness", &rollout["slowness"], "goes back at"),
        ("safety", &rollout["safety"], "goes on at"),
    ] {
        let needed = of["needed"].as_f64().unwrap_or(1.0);
        page.push_str(&format!("  {name:<9} {} {:<9} {ends} {needed:.0}\n", bar(of), evidence(of)));
    }
    page.push_str(&format!(
        "  failures  {} beyond what was expected; goes back above {}\n",
        text(&rollout["excessFailures"]),
        text(&rollout["excessFailuresMax"])
    ));
    page.push_str(&gateways(rollout));
    if rollout["retries"].as_u64().is_some_and(|retries| retries > 0) {
        page.push_str(&format!(
            "  attempt   {}: each one needs twice the evidence, for harm and for safety\n",
            attempt(rollout)
        ));
    }
    if rollout["migrates"] == true {
        page.push_str("  data      it writes data that the stable version may not be able to read\n");
    }
    if rollout["needs"].is_string() {
        page.push_str(&format!("  needs     {}\n", paint.tone(Tone::Doubtful, &text(&rollout["needs"]))));
    }
    let orders: Vec<String> = array(&rollout["orders"]).iter().map(text).collect();
    if !orders.is_empty() {
        page.push_str(&format!("  ordered   {}: waits for the gateway that leads\n", orders.join(", ")));
    }
    page.push_str(&history(rollout));
    page
}

/// `catalog  shifting  step 2 of 4  set 5 %  seen 4.8 %`, and why on a line of its own.
fn head(rollout: &Value, paint: Paint) -> String {
    let step = place(rollout).map_or_else(String::new, |_| format!("   step {}", step_of(rollout)));
    let seen = rollout["seenPpm"].as_u64().map_or_else(String::new, |ppm| format!("   seen {}", tenth(ppm)));
    format!(
        "{} {} -> {}   {}{step}   set {}{seen}\n  {}\n",
        text(&rollout["service"]),
        text(&rollout["from"]),
        text(&rollout["to"]),
        state(rollout, paint),
        percent(&rollout["weightPpm"]),
        text(&rollout["why"]),
    )
}

/// One decimal, which says enough of what was counted.
fn tenth(ppm: u64) -> String {
    format!("{}.{} %", ppm / 10_000, ppm % 10_000 / 1_000)
}

fn step_of(rollout: &Value) -> String {
    format!("{} of {}", rollout["step"], array(&rollout["steps"]).len())
}

/// `2 of 4, 5 %`; `None` before the first step and after the end.
pub(super) fn place(rollout: &Value) -> Option<String> {
    let step = usize::try_from(rollout["step"].as_u64()?).ok()?;
    let weight = array(&rollout["steps"]).get(step.checked_sub(1)?)?;
    Some(format!("{}, {}", step_of(rollout), percent(&weight["weightPpm"])))
}

/// The state in words, in the colour of what it means.
pub(super) fn state(rollout: &Value, paint: Paint) -> String {
    let word = text(&rollout["state"]).to_lowercase().replace('_', " ");
    let tone = match rollout["state"].as_str() {
        Some("SHIFTING" | "PROMOTED") => Tone::Good,
        Some("HOLDING" | "INCONCLUSIVE") => Tone::Doubtful,
        Some("ROLLED_BACK") => Tone::Bad,
        _ => Tone::Plain,
    };
    paint.tone(tone, &word)
}

/// `11/20`.
pub(super) fn evidence(of: &Value) -> String {
    let (value, needed) = (of["value"].as_f64().unwrap_or_default(), of["needed"].as_f64().unwrap_or(1.0));
    let value = if value >= 10.0 * needed {
        format!(">{:.0}", 10.0 * needed)
    } else if value >= 10.0 {
        format!("{:.0}", value.floor())
    } else {
        format!("{:.1}", (value * 10.0).floor() / 10.0)
    };
    format!("{value}/{needed:.0}")
}

/// How far evidence has come. By its logarithm, because evidence multiplies.
fn bar(of: &Value) -> String {
    let (value, needed) = (of["value"].as_f64().unwrap_or_default(), of["needed"].as_f64().unwrap_or(1.0));
    let share = if value > 1.0 && needed > 1.0 { (value.ln() / needed.ln()).min(1.0) } else { 0.0 };
    let full =
        (0..BAR).filter(|place| f64::from(u32::try_from(*place).unwrap_or_default()) + 0.5 < share * 20.0);
    let full = full.count();
    format!("{}{}", "█".repeat(full), "░".repeat(BAR - full))
}

fn tree(rollout: &Value) -> String {
    let frontends = array(&rollout["frontends"]);
    let share = |one: &Value, candidate: bool| {
        let effective = one["effectivePpm"].as_u64().unwrap_or_default();
        let ppm = if candidate { effective } else { 1_000_000 - effective.min(1_000_000) };
        let cap = match one["capPpm"].as_u64() {
            Some(cap) if !candidate && cap < 1_000_000 => format!(" (cap {})", percent(&one["capPpm"])),
            _ => String::new(),
        };
        let off = if one["killed"] == true && !candidate { " (off)" } else { "" };
        let seen = one["seenPpm"].as_u64().filter(|_| candidate);
        let seen = seen.map_or_else(String::new, |ppm| format!(" (seen {})", tenth(ppm)));
        (ppm > 0)
            .then(|| format!("{} {}{seen}{cap}{off}", text(&one["frontend"]), percent(&Value::from(ppm))))
    };
    let branch = |arm: &Value, role: &str, candidate: bool| {
        let (head, foot) = if candidate { ("└─", " ") } else { ("├─", "│") };
        let shown: Vec<String> = frontends.iter().filter_map(|one| share(one, candidate)).collect();
        let more = shown.len().saturating_sub(FRONTENDS_MAX);
        let more = if more > 0 { format!("   and {more} more") } else { String::new() };
        let first: Vec<&str> = shown.iter().take(FRONTENDS_MAX).map(String::as_str).collect();
        let below = if first.is_empty() {
            String::new()
        } else {
            format!("{foot}   └─ {}{more}\n", first.join("   "))
        };
        format!("{head} {:<9} {role:<10} {}\n{below}", text(&arm["version"]), counts(arm))
    };
    branch(&rollout["stable"], "stable", false) + &branch(&rollout["candidate"], "candidate", true)
}

/// `2/2 up   4032 calls, 2 failed (0.05 %)`.
fn counts(arm: &Value) -> String {
    let number = |value: &Value| value.as_str().and_then(|text| text.parse::<u64>().ok()).unwrap_or_default();
    let (calls, failures) = (number(&arm["calls"]), number(&arm["failures"]));
    let share = (u128::from(failures) * 10_000).checked_div(u128::from(calls));
    let share = share.map_or_else(String::new, |share| format!(" ({}.{:02} %)", share / 100, share % 100));
    format!("{}/{} up   {calls} calls, {failures} failed{share}", arm["instancesUp"], arm["instances"])
}

/// `1 %   [5 %]   20 %   50 %   stable`, and the clock of the step.
fn steps(rollout: &Value) -> String {
    let now = rollout["step"].as_u64().and_then(|step| usize::try_from(step).ok());
    let steps = array(&rollout["steps"]);
    let shown = steps.iter().zip(1..).map(|(step, place)| {
        let weight = percent(&step["weightPpm"]);
        if now == Some(place) { format!("[{weight}]") } else { weight }
    });
    let shown: Vec<String> = shown.collect();
    let mut lines = format!("  steps     {}   stable\n", shown.join("   "));
    let seconds = |value: &Value| span(value.as_f64().unwrap_or_default());
    let current = now.and_then(|now| steps.get(now.checked_sub(1)?));
    if let Some(step) = current {
        let asks = if step["asksOperator"] == true { "; an operator approves" } else { "" };
        lines.push_str(&format!(
            "  dwell     {} of {}, at most {}{asks}\n",
            seconds(&rollout["dweltSeconds"]),
            seconds(&step["dwellMinSeconds"]),
            seconds(&step["dwellMaxSeconds"]),
        ));
    }
    lines
}

/// How many gateways route by the last change, and whose fuses are open; nothing when none has said anything.
fn gateways(rollout: &Value) -> String {
    let all = array(&rollout["gateways"]);
    if all.is_empty() {
        return String::new();
    }
    let current = all.iter().filter(|one| one["current"] == true).count();
    let open: Vec<String> =
        all.iter().filter(|one| one["fuseOpen"] == true).map(|one| text(&one["name"])).collect();
    let fuses = if open.is_empty() {
        "no fuse is open".to_owned()
    } else {
        format!("fuse open: {}", open.join(", "))
    };
    format!("  gateways  {current} of {} route by the last change; {fuses}\n", all.len())
}

fn attempt(rollout: &Value) -> u64 {
    rollout["retries"].as_u64().unwrap_or_default() + 1
}

fn history(rollout: &Value) -> String {
    let history = array(&rollout["history"]);
    if history.is_empty() {
        return String::new();
    }
    let earlier = history.len().saturating_sub(HISTORY_MAX);
    let mut lines = "\n".to_owned();
    if earlier > 0 {
        lines.push_str(&format!("  … {earlier} earlier; -o json has them\n"));
    }
    for note in &history[earlier..] {
        lines.push_str(&format!("  {}  {}\n", text(&note["at"]), text(&note["text"])));
    }
    lines
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    pub(in super::super) fn rollout() -> Value {
        let step = |ppm: u32| {
            json!({ "weightPpm": ppm, "dwellMinSeconds": 600.0, "dwellMaxSeconds": 7200.0, "instancesMin": 1,
                "asksOperator": false })
        };
        json!({
            "service": "catalog", "from": "1.4.0", "to": "1.5.0", "state": "SHIFTING", "live": true,
            "why": "step 2 of 4, 5 %: safety 11/20, about 14 min more at 4.2 calls/s", "needs": null, "step": 2,
            "steps": [step(10_000), step(50_000), step(200_000), step(500_000)], "dweltSeconds": 240.0,
            "weightPpm": 50_000, "seenPpm": 48_120,
            "harm": { "value": 0.37, "needed": 100.0 }, "slowness": { "value": 1.0, "needed": 200.0 },
            "safety": { "value": 11.7, "needed": 20.0 }, "excessFailures": "0", "excessFailuresMax": "500",
            "candidate": { "version": "1.5.0", "calls": "4032", "failures": "2", "instancesUp": 2, "instances": 2 },
            "stable": { "version": "1.4.0", "calls": "80120", "failures": "30", "instancesUp": 3, "instances": 3 },
            "callsPerSecond": 4.2,
            "frontends": [
                { "frontend": "any@0.0.0", "stable": "1.4.0", "effectivePpm": 50_000, "seenPpm": 48_120, "capPpm": 1_000_000,
                  "killed": false },
                { "frontend": "web@2.4.1", "stable": "1.4.0", "effectivePpm": 0, "capPpm": 0, "killed": false },
            ],
            "gateways": [
                { "name": "vm-1", "current": true, "fuseOpen": false },
                { "name": "vm-2", "current": false, "fuseOpen": true },
            ],
            "retries": 0, "migrates": false, "orders": [], "createdAt": "2026-11-21T03:40:01.250Z",
            "ageSeconds": 840.0, "stage": "17",
            "history": [{ "at": "2026-11-21T03:41:01.250Z", "text": "reached step 2" }],
        })
    }

    #[test]
    fn a_page_says_who_gets_what_and_what_is_missing() {
        expect![[r#"
            catalog 1.4.0 -> 1.5.0   shifting   step 2 of 4   set 5 %   seen 4.8 %
              step 2 of 4, 5 %: safety 11/20, about 14 min more at 4.2 calls/s
            ├─ 1.4.0     stable     3/3 up   80120 calls, 30 failed (0.03 %)
            │   └─ any@0.0.0 95 %   web@2.4.1 100 % (cap 0 %)
            └─ 1.5.0     candidate  2/2 up   4032 calls, 2 failed (0.04 %)
                └─ any@0.0.0 5 % (seen 4.8 %)

              steps     1 %   [5 %]   20 %   50 %   stable
              dwell     4 min of 10 min, at most 2.0 h
              harm      ░░░░░░░░░░░░░░░░░░░░ 0.3/100   goes back at 100
              slowness  ░░░░░░░░░░░░░░░░░░░░ 1.0/200   goes back at 200
              safety    ████████████████░░░░ 11/20     goes on at 20
              failures  0 beyond what was expected; goes back above 500
              gateways  1 of 2 route by the last change; fuse open: vm-2

              2026-11-21T03:41:01.250Z  reached step 2
        "#]]
        .assert_eq(&page(&rollout(), Paint::Plain));
    }

    #[test]
    fn what_waits_for_somebody_is_told() {
        let mut held = rollout();
        held["needs"] = json!("resume it");
        held["orders"] = json!(["promote"]);
        held["retries"] = json!(2);
        held["migrates"] = json!(true);
        let page = page(&held, Paint::Plain);
        for line in [
            "  attempt   3: each one needs twice the evidence, for harm and for safety\n",
            "  data      it writes data that the stable version may not be able to read\n",
            "  needs     resume it\n",
            "  ordered   promote: waits for the gateway that leads\n",
        ] {
            assert!(page.contains(line), "{page}");
        }
        assert_eq!(evidence(&json!({ "value": 1e9, "needed": 100.0 })), ">1000/100");
    }
}
