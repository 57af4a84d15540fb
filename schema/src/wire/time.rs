//! Moments, lengths of time and days, between text and the numbers that protobuf has for them.
//!
//! Ranges are protobuf's: years 1 to 9999, and about 10 000 years either way for lengths. More than nine
//! digits of a fraction are refused, because they would be lost.

/// Seconds, and nanoseconds that have the same direction, or for moments always go forward.
pub(crate) type Seconds = (i64, i32);

const DAY: i64 = 86_400;
/// In nanoseconds.
const SECOND: u32 = 1_000_000_000;
/// protobuf's bound for a Duration.
const DURATION_MAX: i64 = 315_576_000_000;
/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59Z, in seconds from 1970.
const MOMENTS: std::ops::RangeInclusive<i64> = -62_135_596_800..=253_402_300_799;

/// A moment by RFC 3339, with any offset.
pub(crate) fn moment(text: &str) -> Option<Seconds> {
    let mut rest = Rest(text.as_bytes());
    let (year, month, day) = rest.date()?;
    rest.one_of(b"Tt")?;
    let hour = rest.number(2, 23)?;
    rest.one_of(b":")?;
    let minute = rest.number(2, 59)?;
    rest.one_of(b":")?;
    let second = rest.number(2, 59)?;
    let nanos = rest.fraction()?;
    let offset = match rest.one_of(b"Zz+-")? {
        sign @ (b'+' | b'-') => {
            let hours = rest.number(2, 23)?;
            rest.one_of(b":")?;
            let minutes = rest.number(2, 59)?;
            (hours * 60 + minutes) * if sign == b'-' { -60 } else { 60 }
        }
        _ => 0,
    };
    let seconds = days(year, month, day) * DAY + hour * 3600 + minute * 60 + second - offset;
    (rest.0.is_empty() && MOMENTS.contains(&seconds)).then_some((seconds, nanos))
}

/// A length of time: seconds with an `s` behind.
pub(crate) fn duration(text: &str) -> Option<Seconds> {
    let (sign, digits) = text.strip_prefix('-').map_or((1, text), |digits| (-1, digits));
    let mut rest = Rest(digits.as_bytes());
    let length = rest.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let seconds = rest.number(length, DURATION_MAX)?;
    let nanos = rest.fraction()?;
    rest.one_of(b"s")?;
    let fits = seconds < DURATION_MAX || nanos == 0;
    (rest.0.is_empty() && fits).then_some((sign * seconds, sign as i32 * nanos))
}

/// A day: year, month and day of the month.
pub(crate) fn date(text: &str) -> Option<(i64, i64, i64)> {
    let mut rest = Rest(text.as_bytes());
    let date = rest.date()?;
    rest.0.is_empty().then_some(date)
}

/// Writes a moment in UTC, with no digits of a fraction, or as many of 3, 6 and 9 as it needs.
pub(crate) fn write_moment((seconds, nanos): Seconds, out: &mut Vec<u8>) -> Option<()> {
    let nanos = u32::try_from(nanos).ok().filter(|nanos| *nanos < SECOND)?;
    if !MOMENTS.contains(&seconds) {
        return None;
    }
    let (year, month, day) = day_of(seconds.div_euclid(DAY));
    write_date((year, month, day), out)?;
    let second = seconds.rem_euclid(DAY);
    for (mark, number) in [(b'T', second / 3600), (b':', second / 60 % 60), (b':', second % 60)] {
        out.push(mark);
        digits(number.unsigned_abs(), 2, out);
    }
    write_fraction(nanos, out);
    out.push(b'Z');
    Some(())
}

/// Writes a length of time, with digits of a fraction as a moment has them.
pub(crate) fn write_duration((seconds, nanos): Seconds, out: &mut Vec<u8>) -> Option<()> {
    let fraction = nanos.unsigned_abs();
    let whole = seconds.unsigned_abs();
    let fits = whole < DURATION_MAX.unsigned_abs() || (whole == DURATION_MAX.unsigned_abs() && fraction == 0);
    let agree = seconds.signum() * i64::from(nanos.signum()) >= 0;
    if !fits || !agree || fraction >= SECOND {
        return None;
    }
    if seconds < 0 || nanos < 0 {
        out.push(b'-');
    }
    out.extend_from_slice(itoa::Buffer::new().format(whole).as_bytes());
    write_fraction(fraction, out);
    out.push(b's');
    Some(())
}

/// Writes a day that exists.
pub(crate) fn write_date((year, month, day): (i64, i64, i64), out: &mut Vec<u8>) -> Option<()> {
    if !(1..=9999).contains(&year) || !(1..=12).contains(&month) || !(1..=length(year, month)).contains(&day)
    {
        return None;
    }
    digits(year.unsigned_abs(), 4, out);
    for number in [month, day] {
        out.push(b'-');
        digits(number.unsigned_abs(), 2, out);
    }
    Some(())
}

/// Writes nanoseconds behind a point.
fn write_fraction(nanos: u32, out: &mut Vec<u8>) {
    let (scale, count) = match nanos {
        0 => return,
        _ if nanos.is_multiple_of(1_000_000) => (1_000_000, 3),
        _ if nanos.is_multiple_of(1000) => (1000, 6),
        _ => (1, 9),
    };
    out.push(b'.');
    digits(u64::from(nanos / scale), count, out);
}

/// Writes the last digits of a number, so many of them.
fn digits(number: u64, count: usize, out: &mut Vec<u8>) {
    let mut rest = number;
    let mut all = [b'0'; 9];
    for digit in all.iter_mut().rev() {
        *digit += (rest % 10) as u8;
        rest /= 10;
    }
    out.extend_from_slice(all.get(9usize.saturating_sub(count)..).unwrap_or_default());
}

/// What is still to be read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn date(&mut self) -> Option<(i64, i64, i64)> {
        let year = self.number(4, 9999)?;
        self.one_of(b"-")?;
        let month = self.number(2, 12)?;
        self.one_of(b"-")?;
        let day = self.number(2, 31)?;
        let exists = year > 0 && month > 0 && day > 0 && day <= length(year, month);
        exists.then_some((year, month, day))
    }

    /// So many digits, at least one, and a number that is not too large.
    fn number(&mut self, digits: usize, max: i64) -> Option<i64> {
        // 18 digits never overflow.
        if digits == 0 || digits > 18 || self.0.len() < digits {
            return None;
        }
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        let number = number
            .iter()
            .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))?;
        (number <= max).then_some(number)
    }

    /// Nanoseconds; none where there is no point.
    fn fraction(&mut self) -> Option<i32> {
        let Some(digits) = self.0.strip_prefix(b".") else { return Some(0) };
        let length = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.0 = digits;
        let number = self.number(length, 999_999_999)?;
        let scale = 10i64.pow(9u32.checked_sub(u32::try_from(length).ok()?)?);
        i32::try_from(number * scale).ok()
    }

    fn one_of(&mut self, bytes: &[u8]) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        bytes.contains(first).then_some(*first)
    }
}

/// How many days a month has.
fn length(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01, by the Gregorian calendar. Years are counted from March, so that the day of a leap
/// year is the last of its year, in ages of 400 years, which all have 146 097 days.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let (age, year) = (year.div_euclid(400), year.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    age * 146_097 + year * 365 + year / 4 - year / 100 + day_of_year - 719_468
}

/// The day that is so many days from 1970-01-01: `days` the other way round.
fn day_of(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let (age, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    // An age has a leap day every 4 years, but every 100 years only at its end.
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day_of_year = day - (365 * year + year / 4 - year / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = age * 400 + year + i64::from(month <= 2);
    (year, month, day_of_year - (153 * from_march + 2) / 5 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(write: impl Fn(&mut Vec<u8>) -> Option<()>) -> Option<String> {
        let mut out = Vec::new();
        write(&mut out)?;
        Some(String::from_utf8(out).unwrap())
    }

    #[test]
    fn moments_are_written_in_utc() {
        for (seconds, nanos, expected) in [
            (0, 0, Some("1970-01-01T00:00:00Z")),
            (1_795_236_630, 500_000_000, Some("2026-11-21T04:50:30.500Z")),
            (1_795_236_630, 20_000, Some("2026-11-21T04:50:30.000020Z")),
            (1_795_236_630, 1, Some("2026-11-21T04:50:30.000000001Z")),
            (951_782_399, 0, Some("2000-02-28T23:59:59Z")),
            (951_782_400, 0, Some("2000-02-29T00:00:00Z")),
            (-1, 999_999_999, Some("1969-12-31T23:59:59.999999999Z")),
            (*MOMENTS.start(), 0, Some("0001-01-01T00:00:00Z")),
            (*MOMENTS.end(), 999_999_999, Some("9999-12-31T23:59:59.999999999Z")),
            (*MOMENTS.start() - 1, 0, None),
            (*MOMENTS.end() + 1, 0, None),
            (i64::MIN, 0, None),
            (i64::MAX, 0, None),
            (0, -1, None),
            (0, 1_000_000_000, None),
            (0, i32::MIN, None),
        ] {
            let written = text(|out| write_moment((seconds, nanos), out));
            assert_eq!(written.as_deref(), expected, "{seconds} {nanos}");
            assert!(written.is_none_or(|written| moment(&written) == Some((seconds, nanos))));
        }
    }

    #[test]
    fn lengths_of_time_are_written_with_their_sign() {
        for (seconds, nanos, expected) in [
            (0, 0, Some("0s")),
            (3, 500_000_000, Some("3.500s")),
            (-3, -500_000_000, Some("-3.500s")),
            (0, 1_500_000, Some("0.001500s")),
            (0, -1, Some("-0.000000001s")),
            (10, 0, Some("10s")),
            (315_576_000_000, 0, Some("315576000000s")),
            (-315_576_000_000, 0, Some("-315576000000s")),
            (315_576_000_000, 1, None),
            (315_576_000_001, 0, None),
            (i64::MIN, 0, None),
            (0, i32::MIN, None),
            (0, 1_000_000_000, None),
            (1, -1, None),
            (-1, 1, None),
        ] {
            let written = text(|out| write_duration((seconds, nanos), out));
            assert_eq!(written.as_deref(), expected, "{seconds} {nanos}");
            assert!(written.is_none_or(|written| duration(&written) == Some((seconds, nanos))));
        }
    }

    #[test]
    fn only_days_that_exist_are_written() {
        for (day, expected) in [
            ((2026, 11, 21), Some("2026-11-21")),
            ((1, 1, 1), Some("0001-01-01")),
            ((2024, 2, 29), Some("2024-02-29")),
            ((2025, 2, 29), None),
            ((0, 11, 21), None),
            ((2026, 0, 0), None),
            ((2026, 11, 0), None),
            ((2026, 13, 1), None),
            ((10_000, 1, 1), None),
            ((-1, -1, -1), None),
        ] {
            assert_eq!(text(|out| write_date(day, out)).as_deref(), expected, "{day:?}");
        }
    }

    #[test]
    fn moments_are_those_of_rfc_3339() {
        for (text, expected) in [
            ("1970-01-01T00:00:00Z", Some((0, 0))),
            ("2026-11-21T04:50:30.5Z", Some((1_795_236_630, 500_000_000))),
            ("2026-11-21t04:50:30z", Some((1_795_236_630, 0))),
            ("2026-11-21T05:50:30+01:00", Some((1_795_236_630, 0))),
            ("2026-11-20T23:20:30-05:30", Some((1_795_236_630, 0))),
            ("2000-02-29T00:00:00Z", Some((951_782_400, 0))),
            ("1969-12-31T23:59:59.999999999Z", Some((-1, 999_999_999))),
            ("0001-01-01T00:00:00Z", Some((-62_135_596_800, 0))),
            ("9999-12-31T23:59:59.999999999Z", Some((253_402_300_799, 999_999_999))),
            ("0001-01-01T00:00:00+00:01", None),
            ("9999-12-31T23:59:59-00:01", None),
            ("0000-01-01T00:00:00Z", None),
            ("2100-02-29T00:00:00Z", None),
            ("2026-13-01T00:00:00Z", None),
            ("2026-04-31T00:00:00Z", None),
            ("2026-11-21T24:00:00Z", None),
            ("2026-11-21T23:59:60Z", None),
            ("2026-11-21T04:50:30", None),
            ("2026-11-21 04:50:30Z", None),
            ("2026-11-21T04:50Z", None),
            ("2026-11-21T04:50:30.Z", None),
            ("2026-11-21T04:50:30.1234567891Z", None),
            ("2026-11-21T04:50:30Zjunk", None),
            ("2026-11-21T04:50:30+1:00", None),
            ("2026-11-21T04:50:30+24:00", None),
            ("2026-11-21", None),
            ("", None),
            ("é026-11-21T04:50:30Z", None),
        ] {
            assert_eq!(moment(text), expected, "{text}");
        }
    }

    #[test]
    fn lengths_of_time_are_those_of_protobuf() {
        for (text, expected) in [
            ("0s", Some((0, 0))),
            ("3.5s", Some((3, 500_000_000))),
            ("-3.5s", Some((-3, -500_000_000))),
            ("-0.000000001s", Some((0, -1))),
            ("315576000000s", Some((315_576_000_000, 0))),
            ("-315576000000s", Some((-315_576_000_000, 0))),
            ("315576000000.000000001s", None),
            ("315576000001s", None),
            ("99999999999999999999s", None),
            ("3.5", None),
            (".5s", None),
            ("3.s", None),
            ("3.0123456789s", None),
            ("+3s", None),
            ("--3s", None),
            ("3 s", None),
            ("PT3S", None),
            ("s", None),
            ("", None),
        ] {
            assert_eq!(duration(text), expected, "{text}");
        }
    }

    #[test]
    fn days_exist() {
        for (text, expected) in [
            ("2026-11-21", Some((2026, 11, 21))),
            ("2024-02-29", Some((2024, 2, 29))),
            ("2025-02-29", None),
            ("2026-00-01", None),
            ("2026-01-00", None),
            ("2026-1-1", None),
            ("2026-11-21T00:00:00Z", None),
        ] {
            assert_eq!(date(text), expected, "{text}");
        }
    }

    #[test]
    fn every_day_is_one_after_the_day_before() {
        let mut expected = MOMENTS.start() / DAY;
        for year in 1..=9999 {
            for month in 1..=12 {
                for day in 1..=31 {
                    let text = format!("{year:04}-{month:02}-{day:02}");
                    if let Some((year, month, day)) = date(&text) {
                        assert_eq!(days(year, month, day), expected, "{text}");
                        assert_eq!(day_of(expected), (year, month, day));
                        expected += 1;
                    }
                }
            }
        }
        assert_eq!(expected, (MOMENTS.end() + 1) / DAY);
    }
}
