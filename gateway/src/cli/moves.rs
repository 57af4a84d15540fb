//! Who would get another version: shares of each frontend's callers, and the units that were asked about.

use serde_json::Value;

use super::answer::{array, percent, text, text_or_dash};

/// What is asked about it.
pub(super) const MOVES: &str =
    "moves { service frontend from to sharePpm } units { service unit frontend from to reason }";

/// A block of lines for a dry run.
pub(super) fn block(answer: &Value) -> String {
    let moves = array(&answer["moves"]);
    let mut page = if moves.is_empty() {
        "Nobody would get another version.\n".to_owned()
    } else {
        "These callers would get another version:\n".to_owned()
    };
    for one in moves {
        page.push_str(&format!(
            "  {:<14} {:>9}   {} {} -> {}\n",
            text(&one["frontend"]),
            percent(&one["sharePpm"]),
            text(&one["service"]),
            version(&one["from"]),
            version(&one["to"]),
        ));
    }
    for unit in array(&answer["units"]) {
        let (from, to) = (version(&unit["from"]), version(&unit["to"]));
        let moved = if from == to { format!("stays with {to}") } else { format!("{from} -> {to}") };
        page.push_str(&format!(
            "  {:<14} {} {moved} ({})\n",
            text(&unit["frontend"]),
            text(&unit["unit"]),
            text_or_dash(&unit["reason"]),
        ));
    }
    page
}

fn version(value: &Value) -> String {
    if value.is_null() { "nothing".to_owned() } else { text(value) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn shares_and_units_are_told_one_a_line() {
        let answer = json!({
            "moves": [
                { "service": "catalog", "frontend": "any@0.0.0", "from": "1.4.0", "to": "1.5.0", "sharePpm": 40_000 },
                { "service": "catalog", "frontend": "web@2.4.1", "from": "1.5.0", "to": null, "sharePpm": 1_000_000 },
            ],
            "units": [
                { "service": "catalog", "unit": "user:42", "frontend": "any@0.0.0", "from": "1.4.0", "to": "1.4.0",
                  "reason": "STABLE" },
                { "service": "catalog", "unit": "user:7", "frontend": "any@0.0.0", "from": "1.4.0", "to": "1.5.0",
                  "reason": "STICKY_CANARY" },
            ],
        });
        expect![[r#"
            These callers would get another version:
              any@0.0.0            4 %   catalog 1.4.0 -> 1.5.0
              web@2.4.1          100 %   catalog 1.5.0 -> nothing
              any@0.0.0      user:42 stays with 1.4.0 (STABLE)
              any@0.0.0      user:7 1.4.0 -> 1.5.0 (STICKY_CANARY)
        "#]]
        .assert_eq(&block(&answer));
        assert_eq!(block(&json!({})), "Nobody would get another version.\n");
    }
}
