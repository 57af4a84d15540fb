//! Readings of sensors: a thousand objects of ten plain values, one of each common kind and four texts.
//!
//! Values are never whole numbers: whether 20.0 is written `20` or `20.0` is a matter of taste, and JSON
//! libraries that keep the difference would call one of them wrong.

use prost_types::Timestamp;

use super::SENTENCES;
use crate::wire::bench::Reading;
use crate::wire::bench::reading::Kind;

/// How many readings there are, and the limit that the question asks for.
pub const READINGS: usize = 1_000;

const STATIONS: [&str; 5] =
    ["North Yard", "Łódź Fabryczna", "Harbour", "Gare de l'Est", "Münster (Westf) Hbf"];
const FIRMWARES: [&str; 3] = ["v2.7.1", "v2.8.0-rc.3", "v1.19.4"];
const KINDS: [Kind; 3] = [Kind::Temperature, Kind::Pressure, Kind::Vibration];

/// 2026-01-01 00:00 UTC.
const LATEST_S: i64 = 1_767_225_600;
/// Beyond 2^53, where a JSON number would lose digits.
const WHEELS: i64 = 9_007_199_254_740_993;

/// All readings, latest first.
pub fn readings() -> Vec<Reading> {
    (0..).zip(0..READINGS).map(|(number, index)| reading(number, index)).collect()
}

/// Several steps that share no factor: neighbours differ in every field.
fn reading(number: i32, index: usize) -> Reading {
    let hundredths = number * 3_701 % 99_900;
    let hundredths = if hundredths % 100 == 0 { hundredths + 1 } else { hundredths };
    Reading {
        sequence: 500 - number,
        wheels: WHEELS - i64::from(number) * 977,
        value: f64::from(hundredths) / 100.0,
        plausible: number % 7 != 0,
        sensor: format!("sensor-{:04}", number * 13 % 400),
        station: STATIONS[index % STATIONS.len()].to_owned(),
        firmware: FIRMWARES[index % FIRMWARES.len()].to_owned(),
        remark: SENTENCES[index * 5 % SENTENCES.len()].to_owned(),
        kind: KINDS[index % KINDS.len()].into(),
        at: Some(Timestamp {
            seconds: LATEST_S - i64::from(number) * 30,
            nanos: [0, 250_000_000, 123_456_000][index % 3],
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_value_is_a_whole_number() {
        assert_eq!(readings().len(), READINGS);
        assert!(readings().iter().all(|reading| reading.value.fract() != 0.0));
    }
}
