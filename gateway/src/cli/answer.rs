//! Reading the answers of the operators' API: lists, texts of others, and numbers as people read them.

use serde_json::Value;
use turnout_control::slot::Weight;

use super::output;

/// The items of a list; none of anything else.
pub(super) fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text that somebody else wrote, fit for a terminal.
pub(super) fn text(value: &Value) -> String {
    output::clean(value.as_str().unwrap_or_default())
}

/// The same, or a dash where there is none.
pub(super) fn text_or_dash(value: &Value) -> String {
    if value.is_null() { "-".to_owned() } else { text(value) }
}

/// Parts per million as per cent; a dash where there are none.
pub(super) fn percent(ppm: &Value) -> String {
    let weight = ppm.as_u64().and_then(|ppm| u32::try_from(ppm).ok()).and_then(Weight::ppm);
    weight.map_or_else(|| "-".to_owned(), |weight| weight.to_string())
}

/// Seconds as a span: `40 s`, `14 min`, `2.5 h`, `3 days`.
pub(super) fn span(seconds: f64) -> String {
    if seconds < 90.0 {
        format!("{seconds:.0} s")
    } else if seconds < 90.0 * 60.0 {
        format!("{:.0} min", seconds / 60.0)
    } else if seconds < 48.0 * 3600.0 {
        format!("{:.1} h", seconds / 3600.0)
    } else {
        format!("{:.0} days", seconds / 86_400.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn numbers_read_as_people_say_them() {
        assert_eq!(percent(&json!(72_500)), "7.25 %");
        assert_eq!(percent(&Value::Null), "-");
        let spans: Vec<String> = [0.4, 60.0, 840.0, 9_000.0, 300_000.0].map(span).into();
        assert_eq!(spans, ["0 s", "60 s", "14 min", "2.5 h", "3 days"]);
    }
}
