//! Durations as people type them: `250us`, `20ms`, `1.5s`, `2m`, `1h`.

use std::time::Duration;

const UNITS: &[(&str, f64)] = &[("us", 1e-6), ("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];

/// Reads a duration with its unit. A bare number is refused: nobody remembers what it would mean.
pub(crate) fn parse(text: &str) -> Result<Duration, String> {
    let mistake = || format!("`{text}` is not a duration; write it like 20ms, 1.5s or 2m");
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(mistake)?;
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| mistake())?;
    let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(mistake)?;
    Duration::try_from_secs_f64(number * factor).map_err(|_| mistake())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_are_read() {
        let cases = [("250us", 250), ("20ms", 20_000), ("1.5s", 1_500_000), ("2m", 120_000_000)];
        for (text, micros) in cases {
            assert_eq!(parse(text), Ok(Duration::from_micros(micros)), "{text}");
        }
    }

    #[test]
    fn what_is_no_duration_is_refused() {
        for text in ["", "20", "ms", "-1s", "1.2.3s", "5 s", "1d", "99999999999999999999999h"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
