//! Durations, sizes and whole numbers.
//!
//! A quantity is a whole number and a unit, without a space or a fraction. A bare number is refused for
//! durations and sizes: `10` has been read as seconds by one reader and as milliseconds by the next.

use std::time::Duration;

use super::{Complaint, crop};

const TIMES: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)];
const SIZES: &[(&str, u64)] = &[
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("kB", 1000),
    ("B", 1),
];
/// What people write, and the unit they mean.
const TIME_ALIASES: &[(&str, &str)] = &[
    ("sec", "s"),
    ("secs", "s"),
    ("second", "s"),
    ("seconds", "s"),
    ("min", "m"),
    ("mins", "m"),
    ("minute", "m"),
    ("minutes", "m"),
    ("hr", "h"),
    ("hour", "h"),
    ("hours", "h"),
    ("day", "d"),
    ("days", "d"),
    ("msec", "ms"),
    ("millis", "ms"),
    ("milliseconds", "ms"),
];
const SIZE_ALIASES: &[(&str, &str)] = &[
    ("b", "B"),
    ("byte", "B"),
    ("bytes", "B"),
    ("k", "KiB"),
    ("kb", "KiB"),
    ("kib", "KiB"),
    ("ki", "KiB"),
    ("m", "MiB"),
    ("mb", "MiB"),
    ("mib", "MiB"),
    ("mi", "MiB"),
    ("g", "GiB"),
    ("gb", "GiB"),
    ("gib", "GiB"),
    ("gi", "GiB"),
];

/// The words of one kind of quantity.
struct Units {
    known: &'static [(&'static str, u64)],
    aliases: &'static [(&'static str, &'static str)],
    /// What a bare number probably meant.
    meant: fn(u64) -> String,
    names: &'static str,
}

const DURATION: Units = Units {
    known: TIMES,
    aliases: TIME_ALIASES,
    meant: |seconds| format!("{seconds}s"),
    names: "ms, s, m, h, d",
};
const SIZE: Units =
    Units { known: SIZES, aliases: SIZE_ALIASES, meant: show_size, names: "B, kB, MB, GB, KiB, MiB, GiB" };

pub(super) fn duration(text: &str, least: Duration, most: Duration) -> Result<Duration, Complaint> {
    let value = Duration::from_millis(quantity(text, &DURATION)?);
    within(value, least, most, |value| show_duration(*value))
}

pub(super) fn size(text: &str, least: u64, most: u64) -> Result<u64, Complaint> {
    within(quantity(text, &SIZE)?, least, most, |value| show_size(*value))
}

pub(super) fn integer(text: &str, least: u64, most: u64) -> Result<u64, Complaint> {
    let plain: String = text.chars().filter(|char| !matches!(char, '_' | ',' | '\'')).collect();
    let is_whole = !plain.is_empty() && plain.bytes().all(|byte| byte.is_ascii_digit());
    if !is_whole {
        return Err(Complaint::new(format!(
            "takes a whole number from {least} to {most}, not `{}`",
            crop(text)
        )));
    }
    if plain != text {
        return Err(Complaint::new(format!("`{}` is not a plain number", crop(text))).rather(&plain));
    }
    // Digits that do not fit are above every range.
    within(text.parse().unwrap_or(u64::MAX), least, most, u64::to_string)
}

/// `90s`, `1500ms`: the largest unit that divides it.
pub(super) fn show_duration(value: Duration) -> String {
    show(u64::try_from(value.as_millis()).unwrap_or(u64::MAX), TIMES, "s")
}

/// `1MiB`, `1500kB`: the first unit that divides it.
pub(super) fn show_size(bytes: u64) -> String {
    show(bytes, SIZES, "B")
}

fn show(value: u64, units: &[(&str, u64)], zero: &str) -> String {
    match units.iter().find(|(_, factor)| value != 0 && value.is_multiple_of(*factor)) {
        Some((unit, factor)) => format!("{}{unit}", value / factor),
        None => format!("{value}{zero}"),
    }
}

fn quantity(text: &str, units: &Units) -> Result<u64, Complaint> {
    let shown = crop(text);
    let digits_end = text.find(|char: char| !char.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(digits_end);
    if digits.is_empty() {
        return Err(Complaint::new(format!("`{shown}` is not a number with a unit")).hint(hint(units)));
    }
    if unit.is_empty() {
        let complaint = Complaint::new(format!("`{shown}` has no unit"));
        return Err(match digits.parse() {
            Ok(number) => complaint.rather(&(units.meant)(number)),
            Err(_) => complaint.hint(hint(units)),
        });
    }
    if unit.starts_with(['.', ',', '_']) {
        return Err(Complaint::new(format!("`{shown}` is not a whole number with a unit")).hint(hint(units)));
    }
    let word = unit.trim();
    let Some((_, factor)) = units.known.iter().find(|(name, _)| *name == word) else {
        let complaint = Complaint::new(format!("`{}` is not a unit", crop(word)));
        let lower = word.to_ascii_lowercase();
        let meant = units.aliases.iter().find(|(alias, _)| *alias == lower).map(|(_, name)| *name);
        let meant =
            meant.or_else(|| units.known.iter().find(|(name, _)| *name == lower).map(|(name, _)| *name));
        return Err(match meant {
            Some(name) => complaint.rather(&format!("{digits}{name}")),
            None => complaint.hint(hint(units)),
        });
    };
    if word != unit {
        return Err(Complaint::new(format!("`{shown}` has a space before its unit"))
            .rather(&format!("{digits}{word}")));
    }
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(*factor))
        .ok_or_else(|| Complaint::new(format!("`{shown}` is too large")))
}

fn hint(units: &Units) -> String {
    format!("units are {}", units.names)
}

fn within<T: PartialOrd>(value: T, least: T, most: T, show: impl Fn(&T) -> String) -> Result<T, Complaint> {
    if value < least {
        return Err(Complaint::new(format!("`{}` is below {}, the least", show(&value), show(&least))));
    }
    if value > most {
        return Err(Complaint::new(format!("`{}` is above {}, the most", show(&value), show(&most))));
    }
    Ok(value)
}
