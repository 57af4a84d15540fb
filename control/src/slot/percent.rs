//! Weights as people write them: `5%`, `0.25 %`.
//!
//! A weight is whole parts per million, which is four decimals of a percentage. What has more is refused and
//! not rounded, and no number without its sign is read: 0.2 could be a fifth or a five-hundredth.

use std::fmt;
use std::str::FromStr;

use super::{SLOTS, Weight};
use crate::id::Error;

/// One per cent, in parts per million.
const PERCENT: u32 = SLOTS / 100;

impl FromStr for Weight {
    type Err = Error;

    /// `5%`, `7.25 %`, `100%`.
    fn from_str(text: &str) -> Result<Weight, Error> {
        let shown: String = text.chars().take(32).collect();
        let wrong =
            |why: &str| Error(format!("must be a percentage such as \"5%\" or \"0.25%\": {shown:?} {why}"));
        let number =
            text.trim().strip_suffix('%').ok_or_else(|| wrong("has no \"%\" at its end"))?.trim_end();
        let (whole, decimals) = number.split_once('.').unwrap_or((number, "0"));
        let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(decimals) {
            return Err(wrong("is no number from 0 to 100"));
        }
        let decimals = decimals.trim_end_matches('0');
        if decimals.len() > 4 {
            return Err(wrong("has more than four decimals; a weight is whole parts per million"));
        }
        let above = || wrong("is more than 100 %");
        let whole: u32 = whole.parse().map_err(|_| above())?;
        let part: u32 = format!("{decimals:0<4}").parse().map_err(|_| above())?;
        let ppm = whole.checked_mul(PERCENT).and_then(|ppm| ppm.checked_add(part));
        ppm.and_then(Weight::ppm).ok_or_else(above)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / PERCENT, self.0 % PERCENT);
        let part = format!("{part:04}");
        match part.trim_end_matches('0') {
            "" => write!(f, "{whole} %"),
            part => write!(f, "{whole}.{part} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_is_whole_parts_per_million() {
        for (text, ppm, shown) in [
            ("5%", 50_000, "5 %"),
            ("0%", 0, "0 %"),
            ("100%", 1_000_000, "100 %"),
            ("100.0000 %", 1_000_000, "100 %"),
            ("0.0001%", 1, "0.0001 %"),
            ("7.25 %", 72_500, "7.25 %"),
            ("33.3333000%", 333_333, "33.3333 %"),
        ] {
            let weight: Weight = text.parse().unwrap();
            assert_eq!((weight.as_ppm(), weight.to_string().as_str()), (ppm, shown), "{text}");
            assert_eq!(shown.parse::<Weight>().unwrap(), weight);
        }
    }

    #[test]
    fn what_is_no_share_says_why() {
        for (text, why) in [
            ("5", "\"5\" has no \"%\""),
            ("", "has no \"%\""),
            ("NaN%", "\"NaN%\" is no number"),
            ("-1%", "is no number"),
            ("1e2%", "is no number"),
            (".5%", "is no number"),
            ("5.%", "is no number"),
            ("inf%", "is no number"),
            ("100.0001%", "is more than 100 %"),
            ("101%", "is more than 100 %"),
            ("99999999999999999999%", "is more than 100 %"),
            ("0.00001%", "has more than four decimals"),
        ] {
            let error = text.parse::<Weight>().unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }
}
